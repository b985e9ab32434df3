/* Best edges: the smallest rule, of the model the heaviest, whoever adds them in whatever order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proto/best_edges.h"

#include <pthread.h>

enum { RECORDS = 50, EDGES = 4000, THREADS = 4, MODEL = 3 };

static uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((*state >> 33) * n) >> 31);
}

static void expect(const struct kin_best_edges *b, uint32_t record, uint16_t rule, int32_t weight)
{
    struct kin_best_edge edge = kin_best_edges_get(b, record);
    assert_int_equal(edge.rule, rule);
    assert_int_equal(edge.weight, weight);
    assert_int_equal(kin_best_edges_has(b, record), rule != UINT16_MAX);
}

static void rules_come_before_the_model_and_weights(void **state)
{
    (void)state;
    struct kin_best_edges b;
    assert_int_equal(kin_best_edges_init(&b, 2, true, MODEL), KIN_OK);
    expect(&b, 0, UINT16_MAX, 0);
    kin_best_edges_add(&b, 0, (struct kin_best_edge){MODEL, -70});
    expect(&b, 0, MODEL, -70);
    kin_best_edges_add(&b, 0, (struct kin_best_edge){MODEL, -90});
    expect(&b, 0, MODEL, -70);
    kin_best_edges_add(&b, 0, (struct kin_best_edge){MODEL, 80});
    expect(&b, 0, MODEL, 80);
    kin_best_edges_add(&b, 0, (struct kin_best_edge){1, 0});
    expect(&b, 0, 1, 0);
    kin_best_edges_add(&b, 0, (struct kin_best_edge){2, 0});
    kin_best_edges_add(&b, 0, (struct kin_best_edge){MODEL, 99});
    expect(&b, 0, 1, 0);
    expect(&b, 1, UINT16_MAX, 0);
    kin_best_edges_set(&b, 0, (struct kin_best_edge){MODEL, 7});
    expect(&b, 0, MODEL, 7);
    kin_best_edges_deinit(&b);
}

static void without_a_model_there_are_no_weights(void **state)
{
    (void)state;
    struct kin_best_edges b;
    assert_int_equal(kin_best_edges_init(&b, 1, false, MODEL), KIN_OK);
    kin_best_edges_add(&b, 0, (struct kin_best_edge){2, 5});
    expect(&b, 0, 2, 0);
    kin_best_edges_set(&b, 0, (struct kin_best_edge){1, 5});
    expect(&b, 0, 1, 0);
    kin_best_edges_deinit(&b);
}

struct input {
    struct kin_best_edges b;
    struct added {
        uint32_t record;
        struct kin_best_edge edge;
    } edges[EDGES];
    pthread_barrier_t start;
};
struct thread {
    struct input *in;
    uint32_t number;
    pthread_t id;
};

static void *add_edges(void *arg)
{
    const struct thread *t = arg;
    pthread_barrier_wait(&t->in->start);
    for (uint32_t i = t->number; i < EDGES; i += THREADS)
        kin_best_edges_add(&t->in->b, t->in->edges[i].record, t->in->edges[i].edge);
    return NULL;
}

static void threads_find_what_one_would(void **state)
{
    (void)state;
    static struct input in;
    uint64_t rng = 9;
    for (unsigned round = 0; round < 20; round++) {
        struct thread threads[THREADS];
        uint32_t records = round % 2 ? RECORDS : 2;
        assert_int_equal(kin_best_edges_init(&in.b, records, true, MODEL), KIN_OK);
        assert_int_equal(pthread_barrier_init(&in.start, NULL, THREADS), 0);
        for (uint32_t i = 0; i < EDGES; i++) {
            /* rules only from some records on: the others end with the model */
            uint32_t record = draw(&rng, records);
            uint16_t rule = (uint16_t)(record % 2 ? draw(&rng, MODEL + 1) : MODEL);
            in.edges[i] = (struct added){
                record, {rule, rule == MODEL ? (int32_t)draw(&rng, 1u << 20) - (1 << 19) : 0}};
        }
        for (uint32_t i = 0; i < THREADS; i++) {
            threads[i] = (struct thread){.in = &in, .number = i};
            assert_int_equal(pthread_create(&threads[i].id, NULL, add_edges, &threads[i]), 0);
        }
        for (uint32_t i = 0; i < THREADS; i++)
            pthread_join(threads[i].id, NULL);
        pthread_barrier_destroy(&in.start);
        for (uint32_t r = 0; r < records; r++) {
            struct kin_best_edge best = {UINT16_MAX, 0};
            for (uint32_t i = 0; i < EDGES; i++) {
                struct kin_best_edge e = in.edges[i].edge;
                if (in.edges[i].record == r &&
                    (e.rule < best.rule || (e.rule == best.rule && e.weight > best.weight)))
                    best = e;
            }
            expect(&in.b, r, best.rule, best.weight);
        }
        kin_best_edges_deinit(&in.b);
    }
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    for (size_t at = 0; at < 2; at++) {
        struct kin_best_edges b;
        kin_alloc_fail_after(at);
        kin_status status = kin_best_edges_init(&b, 10, true, MODEL);
        kin_alloc_fail_after(SIZE_MAX);
        assert_int_equal(status, KIN_E_NOMEM);
        kin_best_edges_deinit(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_come_before_the_model_and_weights),
        cmocka_unit_test(without_a_model_there_are_no_weights),
        cmocka_unit_test(threads_find_what_one_would),
        cmocka_unit_test(no_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
