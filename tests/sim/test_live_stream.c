/* The core of the commands that ask a cluster which serves, in the simulated world: whatever is
 * lost, late, refused or crashes, each request is obeyed, each answer taken once and in order, and
 * of two requests whose order counts the last one is obeyed last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/live_stream.h"
#include "proto/jobs.h"
#include "tests/sim/world.h"

#define SECOND UINT64_C(1000000) /* in us */
enum { REQUESTS = 60, SLOTS = 4, CLIENT = KIN_CLIENT_FIRST };

/* A coordinator whose store is an array: a PUT "slot value" sets it, a LOOKUP tells its number. */
struct fake { /* survives crashes */
    struct kin_env *env;
    uint64_t values[SLOTS];
    unsigned asked, busy_every, deaf;
    bool refuses, lies;
};

struct bench {
    struct kin_sim *sim;
    struct fake fake;
    struct kin_stream_args args;
    unsigned made, taken, under_way, later;
    bool puts, ends_badly, wrong;
    unsigned done;
    kin_status status;
    bool heard;
    char text[200];
};

static void *fake_boot(struct kin_env *env, void *args)
{
    struct fake *f = args;
    f->env = env;
    return f;
}

static void fake_stop(void *node)
{
    (void)node;
}

static void reply(struct fake *f, kin_node_id to, struct kin_message *a, uint64_t request,
                  const char *text)
{
    struct kin_frame *frame;
    a->request = request;
    a->version = KIN_PROTO_VERSION_MAX;
    if (kin_message_encode(a, &frame) != KIN_OK)
        return;
    kin_buf_puts(&frame->payload, text);
    f->env->ops->send(f->env, to, frame);
}

static void fake_on_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    struct fake *f = node;
    struct kin_message m, a = {.type = KIN_MSG_ANSWER};
    char text[64] = "{}";
    if (kin_message_decode(frame, &m, NULL) != KIN_OK)
        return;
    if (m.type == KIN_MSG_STATUS) {
        a.type = KIN_MSG_STATUS_GOT;
        reply(f, from, &a, m.request, text);
        return;
    }
    f->asked++;
    if (f->deaf) {
        f->deaf--;
        return;
    }
    if (f->refuses) {
        a.type = KIN_MSG_REFUSED;
        a.u.refused.status = KIN_E_PROTO;
    } else if (f->busy_every && f->asked % f->busy_every == 0) {
        a.u.answer.status = KIN_E_BUSY;
    } else if (m.type == KIN_MSG_PUT) {
        char slot[24] = {0};
        memcpy(slot, frame->payload.p, frame->payload.n < 23 ? frame->payload.n : 23);
        f->values[strtoul(slot, NULL, 10) % SLOTS] = strtoul(strchr(slot, ' '), NULL, 10);
    } else {
        snprintf(text, sizeof text, "%.*s", (int)frame->payload.n, (const char *)frame->payload.p);
    }
    if (f->lies)
        m.request += 1000; /* an answer to nothing */
    reply(f, from, &a, m.request, text);
}

static const struct kin_node_ops fake_ops = {fake_boot, fake_on_frame, fake_stop};

/* ---- the caller ---- */

static enum kin_stream_next next_request(void *arg, struct kin_stream_ask *ask, struct kin_err *err)
{
    struct bench *b = arg;
    if (b->made == REQUESTS && b->ends_badly) {
        kin_err_set(err, KIN_E_CORRUPT, "the file is torn");
        return KIN_STREAM_FAIL;
    }
    if (b->made == REQUESTS)
        return KIN_STREAM_END;
    if (b->puts && b->under_way)
        return KIN_STREAM_DRAIN;
    if (!b->puts && b->made % 17 == 16 && b->later == 0) {
        b->later = 1;
        ask->delay_ms = 300;
        return KIN_STREAM_LATER;
    }
    b->wrong = b->wrong || (b->later == 1 && b->under_way);
    b->later = 0;
    b->under_way++;
    ask->user = (void *)(uintptr_t)(b->made + 1);
    ask->message.type = b->puts ? KIN_MSG_PUT : KIN_MSG_LOOKUP;
    kin_buf_printf(&ask->payload, "%u %u", b->made % SLOTS, b->made);
    b->made++;
    return KIN_STREAM_ASK;
}

static kin_status take_answer(void *arg, struct kin_stream_ask *ask, const struct kin_message *m,
                              struct kin_str payload, struct kin_err *err)
{
    struct bench *b = arg;
    char text[64];
    snprintf(text, sizeof text, "%u %u", b->taken % SLOTS, b->taken);
    b->wrong = b->wrong || ask->user != (void *)(uintptr_t)(b->taken + 1) ||
               m->type != KIN_MSG_ANSWER || m->u.answer.status != KIN_OK ||
               (!b->puts && !kin_str_eq(payload, kin_str_of(text)));
    b->taken++;
    b->under_way--;
    return b->wrong ? kin_err_set(err, KIN_E_INVAL, "not in order") : KIN_OK;
}

static void on_end(void *arg, kin_status status, bool heard, const char *text)
{
    struct bench *b = arg;
    b->done++;
    b->status = status;
    b->heard = heard;
    snprintf(b->text, sizeof b->text, "%s", text);
}

static struct bench *bench_new(uint64_t seed, struct kin_sim_options options, unsigned window)
{
    struct bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    b->args = (struct kin_stream_args){.window = window,
                                       .next = next_request,
                                       .take = take_answer,
                                       .on_end = on_end,
                                       .arg = b,
                                       .end_arg = b};
    b->sim = kin_sim_new(seed, &options);
    return b;
}

static bool is_done(void *arg)
{
    return ((struct bench *)arg)->done > 0;
}

static bool run(struct bench *b, uint64_t limit_us)
{
    kin_sim_add(b->sim, KIN_COORDINATOR, &fake_ops, &b->fake);
    kin_sim_add(b->sim, CLIENT, &kin_stream_ops, &b->args);
    return kin_sim_run_until(b->sim, is_done, b, limit_us);
}

static void bench_free(struct bench *b)
{
    kin_sim_run_for(b->sim, 30 * SECOND);
    assert_int_equal(b->done, 1); /* the end comes once */
    kin_sim_free(b->sim);
    free(b);
}

static bool is_fine(const struct bench *b)
{
    return b->status == KIN_OK && !b->wrong && b->taken == REQUESTS && b->under_way == 0;
}

/* ---- tests ---- */

static void test_answers_come_in_order_without_being_asked_twice(void **state)
{
    (void)state;
    for (unsigned window = 1; window <= KIN_STREAM_WINDOW_MAX; window += 9) {
        struct bench *b = bench_new(window, (struct kin_sim_options){0}, window);
        assert_true(run(b, 20 * SECOND));
        assert_true(is_fine(b));
        assert_int_equal(b->fake.asked, REQUESTS);
        assert_true(kin_sim_now_us(b->sim) < 3 * SECOND);
        bench_free(b);
    }
}

static void test_busy_is_asked_again_and_never_taken(void **state)
{
    (void)state;
    struct bench *b = bench_new(3, (struct kin_sim_options){0}, 4);
    b->fake.busy_every = 2;
    assert_true(run(b, 60 * SECOND));
    assert_true(is_fine(b));
    assert_true(b->fake.asked > REQUESTS);
    bench_free(b);
}

static void test_without_a_coordinator_patience_ends(void **state)
{
    (void)state;
    struct bench *b = bench_new(4, (struct kin_sim_options){0}, 4);
    b->args.patience_ms = 3000;
    kin_sim_add(b->sim, CLIENT, &kin_stream_ops, &b->args);
    assert_true(kin_sim_run_until(b->sim, is_done, b, 60 * SECOND));
    assert_int_equal(b->status, KIN_E_IO);
    assert_false(b->heard);
    assert_int_equal(b->made, 0); /* nothing was asked for */
    assert_true(kin_sim_now_us(b->sim) >= 3 * SECOND && kin_sim_now_us(b->sim) < 4 * SECOND);
    bench_free(b);
}

static void test_a_coordinator_that_is_gone_is_waited_for(void **state)
{
    (void)state;
    struct bench *b = bench_new(5, (struct kin_sim_options){0}, 4);
    b->puts = true;
    kin_sim_add(b->sim, KIN_COORDINATOR, &fake_ops, &b->fake);
    kin_sim_add(b->sim, CLIENT, &kin_stream_ops, &b->args);
    kin_sim_run_for(b->sim, SECOND / 20);
    assert_true(b->taken > 0 && b->taken < REQUESTS);
    kin_sim_crash(b->sim, KIN_COORDINATOR);
    kin_sim_run_for(b->sim, 300 * SECOND);
    assert_int_equal(b->done, 0);
    kin_sim_restart(b->sim, KIN_COORDINATOR, 1);
    assert_true(kin_sim_run_until(b->sim, is_done, b, 60 * SECOND));
    assert_true(is_fine(b));
    bench_free(b);
}

static void test_the_caller_can_fail(void **state)
{
    (void)state;
    struct bench *b = bench_new(6, (struct kin_sim_options){0}, 4);
    b->ends_badly = true;
    assert_true(run(b, 20 * SECOND));
    assert_int_equal(b->status, KIN_E_CORRUPT);
    assert_string_equal(b->text, "the file is torn");
    assert_true(b->heard);
    bench_free(b);
}

static void test_a_coordinator_that_refuses_such_requests_is_told_of(void **state)
{
    (void)state;
    struct bench *b = bench_new(7, (struct kin_sim_options){0}, 4);
    b->fake.refuses = true;
    assert_true(run(b, 20 * SECOND));
    assert_int_equal(b->status, KIN_E_PROTO);
    bench_free(b);
}

static void test_answers_to_nothing_are_passed_over(void **state)
{
    (void)state;
    struct bench *b = bench_new(8, (struct kin_sim_options){0}, 2);
    b->fake.lies = true;
    kin_sim_add(b->sim, KIN_COORDINATOR, &fake_ops, &b->fake);
    kin_sim_add(b->sim, CLIENT, &kin_stream_ops, &b->args);
    kin_sim_run_for(b->sim, 20 * SECOND);
    assert_int_equal(b->taken, 0);
    b->fake.lies = false;
    assert_true(kin_sim_run_until(b->sim, is_done, b, 60 * SECOND));
    assert_true(is_fine(b));
    bench_free(b);
}

static void test_a_request_that_is_not_heard_is_asked_until_it_is(void **state)
{
    (void)state;
    struct bench *b = bench_new(9, (struct kin_sim_options){0}, 1);
    b->fake.deaf = 3; /* the first request is asked four times */
    assert_true(run(b, 60 * SECOND));
    assert_true(is_fine(b));
    assert_int_equal(b->fake.asked, REQUESTS + 3);
    bench_free(b);
}

/* ---- sweeps ---- */

static bool lossy(uint64_t seed, void *arg)
{
    (void)arg;
    struct bench *b = bench_new(
        seed, (struct kin_sim_options){.loss = 100000, .duplicate = 50000, .reorder = 100000},
        1 + (unsigned)(seed % 8));
    b->fake.busy_every = 3 + (unsigned)(seed % 5);
    bool fine = run(b, 3000 * SECOND) && is_fine(b);
    bench_free(b);
    return fine;
}

static bool chaotic(uint64_t seed, void *arg)
{
    (void)arg;
    struct bench *b = bench_new(seed, (struct kin_sim_options){0}, 4);
    kin_sim_add(b->sim, KIN_COORDINATOR, &fake_ops, &b->fake);
    for (unsigned i = 0; i < 5; i++) { /* the client lives: it has no store */
        kin_sim_run_for(b->sim, 1);
        if (i == 0)
            kin_sim_add(b->sim, CLIENT, &kin_stream_ops, &b->args);
        kin_sim_run_for(b->sim, SECOND / 200 * (1 + seed % 7));
        kin_sim_crash(b->sim, KIN_COORDINATOR);
        kin_sim_restart(b->sim, KIN_COORDINATOR, SECOND / 10 * (seed % 13));
    }
    bool fine = kin_sim_run_until(b->sim, is_done, b, 600 * SECOND) && is_fine(b);
    bench_free(b);
    return fine;
}

/* Copies of a request that are late by seconds: the network loses and delays, but doubles nothing.
 * The requests are one after another, so the last value of each slot is known. */
static bool late_copies(uint64_t seed, void *arg)
{
    const bool *ordered = arg;
    struct bench *b = bench_new(
        seed,
        (struct kin_sim_options){.delay_us = {1000, 250000}, .loss = 50000, .reorder = 300000}, 4);
    b->puts = true;
    b->args.ordered = *ordered;
    bool fine = run(b, 3000 * SECOND) && is_fine(b);
    kin_sim_run_for(b->sim, 20 * SECOND);
    for (unsigned i = 0; i < SLOTS; i++)
        fine = fine && b->fake.values[i] == REQUESTS - SLOTS + i;
    bench_free(b);
    return fine;
}

static void test_nothing_is_lost_or_taken_twice_by_a_network_that_is(void **state)
{
    (void)state;
    assert_true(kin_sim_sweep("lossy", 1, 200, lossy, NULL));
    assert_true(kin_sim_sweep("chaotic", 1, 100, chaotic, NULL));
}

static void test_a_late_copy_does_not_undo_what_follows(void **state)
{
    bool ordered = true, found = false, unordered = false;
    (void)state;
    assert_true(kin_sim_sweep("late copies", 1, 300, late_copies, &ordered));
    for (uint64_t seed = 1; seed <= 300 && !found; seed++)
        found = !late_copies(seed, &unordered);
    assert_true(found); /* else the sweep above proves nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_come_in_order_without_being_asked_twice),
        cmocka_unit_test(test_busy_is_asked_again_and_never_taken),
        cmocka_unit_test(test_without_a_coordinator_patience_ends),
        cmocka_unit_test(test_a_coordinator_that_is_gone_is_waited_for),
        cmocka_unit_test(test_the_caller_can_fail),
        cmocka_unit_test(test_a_coordinator_that_refuses_such_requests_is_told_of),
        cmocka_unit_test(test_answers_to_nothing_are_passed_over),
        cmocka_unit_test(test_a_request_that_is_not_heard_is_asked_until_it_is),
        cmocka_unit_test(test_nothing_is_lost_or_taken_twice_by_a_network_that_is),
        cmocka_unit_test(test_a_late_copy_does_not_undo_what_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
