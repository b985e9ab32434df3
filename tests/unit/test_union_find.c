/* Disjoint sets: labels are smallest members, whatever the order of unions, and however threads
 * interleave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/group/union_find.h"

#include <pthread.h>

enum { COUNT = 200 };

static uint32_t draw(uint64_t *state, uint32_t n)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(((*state >> 33) * n) >> 31);
}

static void everything_starts_alone(void **state)
{
    (void)state;
    struct kin_union_find u;
    assert_int_equal(kin_union_find_init(&u, COUNT), KIN_OK);
    assert_int_equal(u.count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(kin_union_find_root(&u, i), i);
    kin_union_find_deinit(&u);
    assert_null(u.parent);
    assert_int_equal(u.count, 0);
}

static void join_says_whether_it_joined(void **state)
{
    (void)state;
    struct kin_union_find u;
    assert_int_equal(kin_union_find_init(&u, 5), KIN_OK);
    assert_false(kin_union_find_join(&u, 2, 2));
    assert_true(kin_union_find_join(&u, 4, 2));
    assert_false(kin_union_find_join(&u, 2, 4));
    assert_true(kin_union_find_join(&u, 3, 1));
    assert_true(kin_union_find_join(&u, 4, 3));
    assert_false(kin_union_find_join(&u, 1, 2));
    for (uint32_t i = 1; i < 5; i++)
        assert_int_equal(kin_union_find_root(&u, i), 1);
    assert_int_equal(kin_union_find_root(&u, 0), 0);
    kin_union_find_deinit(&u);
}

/* The definition: relabel everything at each union. */
static bool plain_join(uint32_t *label, uint32_t a, uint32_t b)
{
    uint32_t from = label[a] > label[b] ? label[a] : label[b];
    uint32_t to = label[a] > label[b] ? label[b] : label[a];
    for (uint32_t i = 0; i < COUNT; i++) {
        if (label[i] == from)
            label[i] = to;
    }
    return from != to;
}

static void random_unions_agree_with_relabelling(void **state)
{
    (void)state;
    uint64_t rng = 5;
    for (unsigned round = 0; round < 50; round++) {
        struct kin_union_find u;
        uint32_t label[COUNT];
        assert_int_equal(kin_union_find_init(&u, COUNT), KIN_OK);
        for (uint32_t i = 0; i < COUNT; i++)
            label[i] = i;
        for (uint32_t i = draw(&rng, 2 * COUNT); i > 0; i--) {
            uint32_t a = draw(&rng, COUNT), b = draw(&rng, COUNT);
            assert_int_equal(kin_union_find_join(&u, a, b), plain_join(label, a, b));
            uint32_t any = draw(&rng, COUNT);
            assert_int_equal(kin_union_find_root(&u, any), label[any]);
        }
        for (uint32_t i = 0; i < COUNT; i++)
            assert_int_equal(kin_union_find_root(&u, i), label[i]);
        kin_union_find_deinit(&u);
    }
}

/* The worst order for the chain of parents; must not take quadratic time. */
static void a_long_chain_is_walked_quickly(void **state)
{
    (void)state;
    enum { LONG = 1000000 };
    struct kin_union_find u;
    assert_int_equal(kin_union_find_init(&u, LONG), KIN_OK);
    for (uint32_t i = LONG - 1; i > 0; i--)
        assert_true(kin_union_find_join(&u, i, i - 1));
    for (uint32_t i = 0; i < LONG; i++)
        assert_int_equal(kin_union_find_root(&u, LONG - 1 - i), 0);
    kin_union_find_deinit(&u);
}

/* ---- threads ---- */

enum { NODES = 20000, EDGES = 30000, THREADS = 4, ROUNDS = 8 };

struct shape {
    uint32_t nodes, edges;
    uint32_t ends[EDGES][2];
    uint32_t label[NODES]; /* by one thread, without any cleverness */
    uint32_t sets;
};

struct thread {
    struct kin_union_find *u;
    const struct shape *shape;
    pthread_barrier_t *start;
    unsigned number;
    bool all;          /* every thread joins all edges, else its share */
    uint32_t joined;   /* times that join said true */
    bool out_of_order; /* a root above its member was seen */
    pthread_t id;
};

static void *join_edges(void *arg)
{
    struct thread *t = arg;
    const struct shape *s = t->shape;
    pthread_barrier_wait(t->start);
    for (uint32_t i = 0; i < s->edges; i++) {
        /* some from the front, some from the back, and each edge from both ends */
        uint32_t at = t->number % 2 ? s->edges - 1 - i : i;
        const uint32_t *e = s->ends[at];
        if (!t->all && at % THREADS != t->number)
            continue;
        uint32_t a = e[t->number / 2 % 2], b = e[1 - t->number / 2 % 2];
        t->joined += kin_union_find_join(t->u, a, b);
        t->out_of_order |= kin_union_find_root(t->u, a) > (a < b ? a : b);
    }
    return NULL;
}

/* Sets grow by giving the whole ring of one the label of the other: no tree, no path. */
static void label_plainly(struct shape *s)
{
    static uint32_t ring[NODES];
    s->sets = s->nodes;
    for (uint32_t i = 0; i < s->nodes; i++)
        ring[i] = s->label[i] = i;
    for (uint32_t i = 0; i < s->edges; i++) {
        uint32_t a = s->ends[i][0], b = s->ends[i][1];
        if (s->label[a] == s->label[b])
            continue;
        uint32_t from = s->label[a] > s->label[b] ? a : b, to = from == a ? b : a, x = from;
        do {
            s->label[x] = s->label[to];
            x = ring[x];
        } while (x != from);
        uint32_t after = ring[from];
        ring[from] = ring[to];
        ring[to] = after;
        s->sets--;
    }
}

static void threads_agree_with_the_plain_labels(const struct shape *s, bool all)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct kin_union_find u;
        struct thread threads[THREADS];
        pthread_barrier_t start;
        uint32_t joined = 0;
        assert_int_equal(kin_union_find_init(&u, s->nodes), KIN_OK);
        assert_int_equal(pthread_barrier_init(&start, NULL, THREADS), 0);
        for (unsigned i = 0; i < THREADS; i++) {
            threads[i] =
                (struct thread){.u = &u, .shape = s, .start = &start, .number = i, .all = all};
            assert_int_equal(pthread_create(&threads[i].id, NULL, join_edges, &threads[i]), 0);
        }
        for (unsigned i = 0; i < THREADS; i++) {
            pthread_join(threads[i].id, NULL);
            joined += threads[i].joined;
            assert_false(threads[i].out_of_order);
        }
        pthread_barrier_destroy(&start);
        assert_int_equal(joined, s->nodes - s->sets);
        for (uint32_t i = 0; i < s->nodes; i++)
            assert_int_equal(kin_union_find_root(&u, i), s->label[i]);
        kin_union_find_deinit(&u);
    }
}

static void threads_make_the_sets_that_one_makes(void **state)
{
    (void)state;
    static struct shape s;
    uint64_t rng = 11;
    /* from a few nodes that everybody fights for to many small sets */
    static const uint32_t nodes[] = {2, 16, 300, NODES / 4, NODES};
    for (size_t n = 0; n < sizeof nodes / sizeof *nodes; n++) {
        s.nodes = nodes[n];
        s.edges = n == 4 ? NODES / 3 : EDGES;
        for (uint32_t i = 0; i < s.edges; i++) {
            s.ends[i][0] = draw(&rng, s.nodes);
            s.ends[i][1] = draw(&rng, s.nodes);
        }
        label_plainly(&s);
        threads_agree_with_the_plain_labels(&s, false);
        threads_agree_with_the_plain_labels(&s, true);
    }
}

static void threads_on_chains_and_hubs_agree(void **state)
{
    (void)state;
    static struct shape s;
    s.nodes = NODES;
    s.edges = NODES - 1;
    for (unsigned kind = 0; kind < 3; kind++) {
        for (uint32_t i = 0; i + 1 < NODES; i++) {
            s.ends[i][0] = kind == 0 ? i : kind == 1 ? NODES - 2 - i : NODES - 1;
            s.ends[i][1] = kind == 0 ? i + 1 : kind == 1 ? NODES - 1 - i : i;
        }
        label_plainly(&s);
        threads_agree_with_the_plain_labels(&s, false);
        threads_agree_with_the_plain_labels(&s, true);
    }
}

static void no_members_is_fine(void **state)
{
    (void)state;
    struct kin_union_find u;
    assert_int_equal(kin_union_find_init(&u, 0), KIN_OK);
    kin_union_find_deinit(&u);
}

static void no_memory_is_reported(void **state)
{
    (void)state;
    struct kin_union_find u;
    kin_alloc_fail_after(0);
    kin_status status = kin_union_find_init(&u, 10);
    kin_alloc_fail_after(SIZE_MAX);
    assert_int_equal(status, KIN_E_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_starts_alone),
        cmocka_unit_test(join_says_whether_it_joined),
        cmocka_unit_test(random_unions_agree_with_relabelling),
        cmocka_unit_test(a_long_chain_is_walked_quickly),
        cmocka_unit_test(threads_make_the_sets_that_one_makes),
        cmocka_unit_test(threads_on_chains_and_hubs_agree),
        cmocka_unit_test(no_members_is_fine),
        cmocka_unit_test(no_memory_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
