/* libkindred against a coordinator that answers late, twice, never, or is killed. */
#include "client/kindred.h"
#include "proto/live.h"
#include "proto/message.h"
#include "tests/unit/net_kit.h"

enum mood { ANSWERS, ANSWERS_TWICE, SILENT, DEAF_FIRST, BUSY_FIRST, BUSY };

/* A coordinator: the listening side of kin_net. What it was asked is answered as its mood is. */
struct fake {
    char address[64];
    struct kin_net *_Atomic net; /* frames may come before it is told */
    atomic_int mood;
    atomic_uint asked;
    atomic_uint_least64_t last_request, first_request;
    atomic_uint last_node, wait_ms;
};

static void fake_answer(struct fake *f, kin_node_id to, uint64_t request, uint32_t status,
                        const struct kin_buf *payload)
{
    struct kin_message m = {.type = KIN_MSG_ANSWER, .request = request};
    struct kin_frame *out;
    m.u.answer.status = status;
    m.u.answer.text = status ? KIN_STR("because") : KIN_STR("");
    m.u.answer.batch = 12;
    m.u.answer.next = 99;
    m.u.answer.partial = true;
    assert_int_equal(kin_message_encode(&m, &out), KIN_OK);
    if (payload)
        kin_buf_put(&out->payload, payload->p, payload->n);
    kit_wait(atomic_load(&f->net) != NULL);
    kin_net_send(atomic_load(&f->net), to, out);
}

static void fake_on_frame(void *arg, kin_node_id from, struct kin_frame *frame)
{
    struct fake *f = arg;
    struct kin_message m;
    int mood = atomic_load(&f->mood);
    KIN_ASSERT(kin_message_decode(frame, &m, NULL) == KIN_OK && m.request);
    unsigned before = atomic_fetch_add(&f->asked, 1);
    if (before == 0)
        atomic_store(&f->first_request, m.request);
    atomic_store(&f->last_request, m.request);
    atomic_store(&f->last_node, from);
    if (m.type == KIN_MSG_CHANGES)
        atomic_store(&f->wait_ms, m.u.changes.wait_ms);
    bool busy = mood == BUSY || (mood == BUSY_FIRST && before < 3);
    bool deaf = mood == SILENT || (mood == DEAF_FIRST && before == 0);
    if (!deaf)
        fake_answer(f, from, m.request, busy ? KIN_E_BUSY : KIN_OK, &frame->payload);
    if (mood == ANSWERS_TWICE)
        fake_answer(f, from, m.request, KIN_OK, &frame->payload);
    kin_frame_unref(frame);
}

static void fake_open(struct fake *f, const char *address, int mood)
{
    struct kin_err err = {0};
    char kept[64];
    kit_address_copy(kept, address);
    *f = (struct fake){0};
    atomic_store(&f->mood, mood);
    struct kin_net_options o = kit_options();
    uint8_t key[KIN_NET_KEY_BYTES];
    kin_net_key("sixteen bytes at least", 22, key);
    o.key = key;
    o.address = kept;
    o.admit = kit_admit;
    o.on_frame = fake_on_frame;
    o.arg = f;
    struct kin_net *net = NULL;
    if (kin_net_open(&o, &net, &err) != KIN_OK)
        fail_msg("%s", err.msg);
    atomic_store(&f->net, net);
    if (kit_path(kept))
        kit_address_copy(f->address, kept);
    else
        snprintf(f->address, sizeof f->address, "tcp://127.0.0.1:%u", kin_net_port(net));
}

static void fake_close(struct fake *f)
{
    assert_true(kin_net_close(atomic_load(&f->net), 0));
}

static struct kindred_options options_for(const char *url)
{
    return (struct kindred_options){
        .url = url, .secret = "sixteen bytes at least", .secret_bytes = 22, .timeout_ms = 20000};
}

static struct kindred *handle_open(const struct kindred_options *o)
{
    struct kindred *k = NULL;
    char why[200] = "";
    if (kindred_open(o, &k, why, sizeof why) != KINDRED_OK)
        fail_msg("%s", why);
    return k;
}

static struct kindred *connect_to(const char *url)
{
    struct kindred_options o = options_for(url);
    struct kindred *k = handle_open(&o);
    assert_int_equal(kindred_wait(k, WAIT_MS, NULL, 0), KINDRED_OK);
    return k;
}

static unsigned in_flight(struct kindred *k)
{
    struct kindred_counts counts;
    kindred_count(k, &counts);
    return counts.in_flight;
}

/* ---- those who ask ---- */

struct tally {
    atomic_uint called, by_status[KINDRED_LOST + 1], wrong;
};

struct question {
    struct tally *tally;
    atomic_uint called;
    char record[64];
};

static void on_answer(void *arg, const struct kindred_answer *a)
{
    struct question *q = arg;
    size_t n = strlen(q->record);
    if (a->status == KINDRED_OK &&
        (a->bytes != n || memcmp(a->data, q->record, n) != 0 || a->batch != 12 || !a->partial))
        atomic_fetch_add(&q->tally->wrong, 1);
    if (atomic_fetch_add(&q->called, 1) > 0)
        atomic_fetch_add(&q->tally->wrong, 1);
    atomic_fetch_add(&q->tally->by_status[a->status], 1);
    atomic_fetch_add(&q->tally->called, 1);
}

static void question_init(struct question *q, struct tally *tally, unsigned n)
{
    q->tally = tally;
    atomic_store(&q->called, 0);
    snprintf(q->record, sizeof q->record, "{\"first_name\":\"%u\"}\n", n);
}

static enum kindred_status question_ask(struct kindred *k, struct question *q, uint32_t timeout_ms)
{
    return kindred_lookup(k,
                          &(struct kindred_lookup_request){.records = q->record,
                                                           .bytes = strlen(q->record),
                                                           .timeout_ms = timeout_ms},
                          on_answer, q);
}

static void an_answer_comes_with_all_it_says(void **state)
{
    struct fake f;
    struct kindred_result got = {0};
    fake_open(&f, kit_address(state), ANSWERS);
    struct kindred *k = connect_to(f.address);
    static char large[KINDRED_BYTES_MAX + 1];
    memset(large, 'x', sizeof large);
    for (size_t n = 0; n <= KINDRED_BYTES_MAX; n = n ? n * 2 : 1) {
        struct kindred_put_request put = {.records = large, .bytes = n, .source = "crm"};
        assert_int_equal(kindred_put_wait(k, &put, &got), KINDRED_OK);
        assert_int_equal(got.answer.status, KINDRED_OK);
        assert_int_equal(got.answer.bytes, n);
        assert_memory_equal(got.answer.data, large, n);
        assert_int_equal(got.answer.data[n], 0);
        assert_int_equal(got.answer.batch, 12);
        assert_int_equal(got.answer.next, 99);
        assert_true(got.answer.partial);
        kindred_result_free(&got);
    }
    struct kindred_put_request put = {.records = large, .bytes = sizeof large};
    assert_int_equal(kindred_put_wait(k, &put, &got), KINDRED_LIMIT);
    kindred_result_free(&got);
    unsigned asked = atomic_load(&f.asked);
    assert_int_equal(kindred_group_wait(k, &(struct kindred_group_request){.match_id = "m"}, &got),
                     KINDRED_OK);
    kindred_result_free(&got);
    assert_int_equal(
        kindred_history_wait(k, &(struct kindred_history_request){.match_id = "m"}, &got),
        KINDRED_OK);
    kindred_result_free(&got);
    struct kindred_link_request link = {
        .kind = KINDRED_MUST, .source_a = "a", .id_a = "1", .source_b = "b", .id_b = "2"};
    assert_int_equal(kindred_link_wait(k, &link, &got), KINDRED_OK);
    kindred_result_free(&got);
    assert_int_equal(kindred_links_wait(k, &(struct kindred_links_request){.limit = 3}, &got),
                     KINDRED_OK);
    kindred_result_free(&got);
    struct kindred_explain_request explain = {
        .source_a = "a", .id_a = "1", .source_b = "b", .id_b = "2"};
    assert_int_equal(kindred_explain_wait(k, &explain, &got), KINDRED_OK);
    kindred_result_free(&got);
    struct kindred_changes_request changes = {.after = 5, .wait_ms = 700};
    assert_int_equal(kindred_changes_wait(k, &changes, &got), KINDRED_OK);
    kindred_result_free(&got);
    assert_int_equal(atomic_load(&f.wait_ms), 700);
    assert_int_equal(atomic_load(&f.asked), asked + 6);
    kindred_close(k);
    fake_close(&f);
}

/* ---- late, twice, never ---- */

static void who_gets_no_answer_gets_a_time_out(void **state)
{
    struct fake f;
    struct tally tally = {0};
    struct question q;
    struct kindred_counts counts;
    fake_open(&f, kit_address(state), SILENT);
    struct kindred *k = connect_to(f.address);
    question_init(&q, &tally, 1);
    uint64_t began = kit_now_ms();
    assert_int_equal(question_ask(k, &q, 600), KINDRED_OK);
    kit_wait(atomic_load(&tally.called) == 1);
    assert_true(kit_now_ms() - began >= 600);
    assert_int_equal(atomic_load(&tally.by_status[KINDRED_TIMEOUT]), 1);
    assert_true(atomic_load(&f.asked) >= 2); /* it asked again meanwhile */
    /* the answer comes when nobody waits any more; one that was never asked for is as late */
    fake_answer(&f, atomic_load(&f.last_node), atomic_load(&f.last_request), 0, NULL);
    fake_answer(&f, atomic_load(&f.last_node), 77, 0, NULL);
    for (counts.late = 0; counts.late < 2; kit_pause())
        kindred_count(k, &counts);
    assert_int_equal(counts.timed_out, 1);
    assert_int_equal(atomic_load(&tally.called), 1);
    kindred_close(k);
    fake_close(&f);
}

static void an_answer_that_comes_twice_is_told_once(void **state)
{
    enum { COUNT = 50 };
    struct fake f;
    struct tally tally = {0};
    struct question q[COUNT];
    struct kindred_counts counts;
    fake_open(&f, kit_address(state), ANSWERS_TWICE);
    struct kindred *k = connect_to(f.address);
    for (unsigned i = 0; i < COUNT; i++) {
        question_init(&q[i], &tally, i);
        assert_int_equal(question_ask(k, &q[i], 0), KINDRED_OK);
    }
    for (counts.late = 0; counts.late < COUNT; kit_pause())
        kindred_count(k, &counts);
    kit_wait(atomic_load(&tally.called) == COUNT);
    assert_int_equal(atomic_load(&tally.wrong), 0);
    assert_int_equal(counts.late, COUNT);
    kindred_close(k);
    fake_close(&f);
}

static void an_answer_that_is_overdue_is_asked_for_again(void **state)
{
    struct fake f;
    struct kindred_result got = {0};
    fake_open(&f, kit_address(state), DEAF_FIRST);
    struct kindred *k = connect_to(f.address);
    struct kindred_lookup_request q = {.records = "{}", .bytes = 2, .timeout_ms = 1500};
    assert_int_equal(kindred_lookup_wait(k, &q, &got), KINDRED_OK);
    assert_int_equal(atomic_load(&f.asked), 2);
    assert_int_equal(atomic_load(&f.first_request), atomic_load(&f.last_request));
    kindred_result_free(&got);
    kindred_close(k);
    fake_close(&f);
}

static void a_put_with_mint_is_never_sent_twice(void **state)
{
    struct fake f;
    struct kindred_result got = {0};
    fake_open(&f, kit_address(state), SILENT);
    struct kindred *k = connect_to(f.address);
    struct kindred_put_request put = {
        .records = "{}", .bytes = 2, .mint = true, .timeout_ms = 1000};
    assert_int_equal(kindred_put_wait(k, &put, &got), KINDRED_TIMEOUT);
    assert_true(*got.answer.text);
    assert_int_equal(atomic_load(&f.asked), 1);
    kindred_result_free(&got);
    kindred_close(k);
    fake_close(&f);
}

static void busy_is_told_or_waited_out_as_one_likes(void **state)
{
    struct fake f;
    struct kindred_result got = {0};
    struct kindred_lookup_request q = {.records = "{}", .bytes = 2};
    fake_open(&f, kit_address(state), BUSY);
    struct kindred *k = connect_to(f.address);
    assert_int_equal(kindred_lookup_wait(k, &q, &got), KINDRED_BUSY);
    assert_string_equal(got.answer.text, "because");
    assert_int_equal(atomic_load(&f.asked), 1);
    kindred_result_free(&got);
    kindred_close(k);
    struct kindred_options o = options_for(f.address);
    o.retry_busy = true;
    k = handle_open(&o);
    atomic_store(&f.asked, 0);
    atomic_store(&f.mood, BUSY_FIRST);
    assert_int_equal(kindred_lookup_wait(k, &q, &got), KINDRED_OK);
    assert_int_equal(atomic_load(&f.asked), 4);
    kindred_result_free(&got);
    struct kindred_put_request put = {.records = "{}", .bytes = 2, .mint = true};
    atomic_store(&f.mood, BUSY);
    assert_int_equal(kindred_put_wait(k, &put, &got), KINDRED_BUSY); /* once is once */
    assert_int_equal(atomic_load(&f.asked), 5);
    kindred_result_free(&got);
    for (q.timeout_ms = 40; q.timeout_ms < 300; q.timeout_ms += 9) { /* for all its time */
        enum kindred_status s = kindred_lookup_wait(k, &q, &got);
        assert_true(s == KINDRED_BUSY || s == KINDRED_TIMEOUT); /* asked again at the very end */
        kindred_result_free(&got);
    }
    kindred_close(k);
    fake_close(&f);
}

/* ---- connections that are lost ---- */

static void requests_in_flight_outlive_their_connection(void **state)
{
    enum { COUNT = 100 };
    struct fake f;
    struct tally tally = {0}, minted = {0};
    struct question q[COUNT], mint;
    fake_open(&f, kit_address(state), SILENT);
    struct kindred *k = connect_to(f.address);
    question_init(&mint, &minted, 0);
    struct kindred_put_request put = {.records = "{}", .bytes = 2, .mint = true};
    assert_int_equal(kindred_put(k, &put, on_answer, &mint), KINDRED_OK);
    for (unsigned i = 0; i < COUNT; i++) {
        question_init(&q[i], &tally, i);
        assert_int_equal(question_ask(k, &q[i], 0), KINDRED_OK);
    }
    kit_wait(atomic_load(&f.asked) >= COUNT + 1);
    char address[64];
    kit_address_copy(address, f.address);
    fake_close(&f);
    kit_wait(atomic_load(&minted.called) == 1);
    assert_int_equal(atomic_load(&minted.by_status[KINDRED_LOST]), 1);
    struct question later; /* asked while nobody is there */
    question_init(&later, &tally, 1000);
    assert_int_equal(question_ask(k, &later, 0), KINDRED_OK);
    fake_open(&f, address, ANSWERS);
    kit_wait(atomic_load(&tally.called) == COUNT + 1);
    assert_int_equal(atomic_load(&tally.by_status[KINDRED_OK]), COUNT + 1);
    assert_int_equal(atomic_load(&tally.wrong), 0);
    assert_int_equal(in_flight(k), 0);
    kindred_close(k);
    fake_close(&f);
}

static void whoever_cannot_connect_is_told_why(void **state)
{
    struct fake f;
    struct kindred_result got = {0};
    char why[200] = "";
    struct kindred_lookup_request q = {.records = "{}", .bytes = 2, .timeout_ms = 400};
    fake_open(&f, kit_address(state), ANSWERS);
    struct kindred_options o = options_for(f.address);
    o.secret = "another one of 24 bytes!";
    o.secret_bytes = 24;
    struct kindred *k = handle_open(&o);
    assert_int_equal(kindred_wait(k, WAIT_MS, why, sizeof why), KINDRED_REFUSED);
    assert_non_null(strstr(why, "secret"));
    assert_int_equal(kindred_lookup_wait(k, &q, &got), KINDRED_REFUSED);
    assert_non_null(strstr(got.answer.text, "secret"));
    kindred_result_free(&got);
    kindred_close(k);
    fake_close(&f);
    o = options_for("unix:///tmp/kindred-nobody-is-here");
    k = handle_open(&o);
    assert_int_equal(kindred_wait(k, 100, why, sizeof why), KINDRED_TIMEOUT);
    assert_int_equal(kindred_lookup_wait(k, &q, &got), KINDRED_TIMEOUT);
    kindred_result_free(&got);
    kindred_close(k);
}

static void the_second_address_serves_where_the_first_is_dead(void **state)
{
    struct fake f;
    struct kindred_result got = {0};
    char url[160];
    fake_open(&f, kit_address(state), ANSWERS);
    snprintf(url, sizeof url, "unix:///tmp/kindred-nobody-is-here,%s", f.address);
    struct kindred *k = connect_to(url);
    struct kindred_lookup_request q = {.records = "{}", .bytes = 2};
    assert_int_equal(kindred_lookup_wait(k, &q, &got), KINDRED_OK);
    kindred_result_free(&got);
    kindred_close(k);
    fake_close(&f);
}

/* ---- many ---- */

enum { ASKERS = 4, EACH = 250 };

struct asker {
    struct kindred *k;
    struct question *questions;
    unsigned asked;
    pthread_t thread;
};

static void *ask_many(void *arg)
{
    struct asker *a = arg;
    for (unsigned i = 0; i < EACH; i++)
        a->asked += question_ask(a->k, &a->questions[i], 0) == KINDRED_OK;
    return NULL;
}

static struct question *ask_from_threads(struct kindred *k, struct tally *tally)
{
    struct question *q = calloc((size_t)ASKERS * EACH, sizeof *q);
    struct asker askers[ASKERS];
    unsigned asked = 0;
    assert_non_null(q);
    for (unsigned i = 0; i < ASKERS * EACH; i++)
        question_init(&q[i], tally, i);
    for (size_t i = 0; i < ASKERS; i++) {
        askers[i] = (struct asker){.k = k, .questions = q + i * EACH};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_many, &askers[i]), 0);
    }
    for (size_t i = 0; i < ASKERS; i++) {
        pthread_join(askers[i].thread, NULL);
        asked += askers[i].asked;
    }
    assert_int_equal(asked, ASKERS * EACH);
    return q;
}

static void a_thousand_in_flight_from_four_threads_are_all_answered(void **state)
{
    struct fake f;
    struct tally tally = {0};
    fake_open(&f, kit_address(state), SILENT);
    struct kindred *k = connect_to(f.address);
    struct question *q = ask_from_threads(k, &tally);
    kit_wait(atomic_load(&f.asked) >= ASKERS * EACH);
    assert_int_equal(in_flight(k), ASKERS * EACH);
    atomic_store(&f.mood, ANSWERS);
    char address[64];
    kit_address_copy(address, f.address);
    fake_close(&f); /* all are asked again at once */
    fake_open(&f, address, ANSWERS);
    kit_wait(atomic_load(&tally.called) == ASKERS * EACH);
    assert_int_equal(atomic_load(&tally.by_status[KINDRED_OK]), ASKERS * EACH);
    assert_int_equal(atomic_load(&tally.wrong), 0);
    free(q);
    kindred_close(k);
    fake_close(&f);
}

static void close_cancels_each_request_once(void **state)
{
    for (int connected = 0; connected < 2; connected++) {
        struct fake f;
        struct tally tally = {0};
        fake_open(&f, kit_address(state), SILENT);
        struct kindred_options o = options_for(connected ? f.address : "unix:///tmp/kin-nobody");
        struct kindred *k = handle_open(&o);
        if (connected)
            assert_int_equal(kindred_wait(k, WAIT_MS, NULL, 0), KINDRED_OK);
        struct question *q = ask_from_threads(k, &tally);
        kindred_close(k);
        assert_int_equal(atomic_load(&tally.called), ASKERS * EACH);
        assert_int_equal(atomic_load(&tally.by_status[KINDRED_CANCELLED]), ASKERS * EACH);
        assert_int_equal(atomic_load(&tally.wrong), 0);
        free(q);
        fake_close(&f);
    }
}

static void answers_that_come_during_close_are_told_once(void **state)
{
    for (unsigned round = 0; round < 10; round++) {
        struct fake f;
        struct tally tally = {0};
        fake_open(&f, kit_address(state), ANSWERS_TWICE);
        struct kindred *k = connect_to(f.address);
        struct question *q = ask_from_threads(k, &tally);
        for (unsigned i = 0; i < round; i++)
            kit_pause();
        kindred_close(k);
        assert_int_equal(atomic_load(&tally.called), ASKERS * EACH);
        assert_int_equal(atomic_load(&tally.by_status[KINDRED_OK]) +
                             atomic_load(&tally.by_status[KINDRED_CANCELLED]),
                         ASKERS * EACH);
        assert_int_equal(atomic_load(&tally.wrong), 0);
        free(q);
        fake_close(&f);
    }
}

static void more_than_a_handle_may_have_in_flight_are_refused(void **state)
{
    struct fake f;
    struct tally tally = {0};
    struct question q[4];
    fake_open(&f, kit_address(state), SILENT);
    struct kindred_options o = options_for(f.address);
    o.in_flight_max = 3;
    struct kindred *k = handle_open(&o);
    for (unsigned i = 0; i < 4; i++) {
        question_init(&q[i], &tally, i);
        assert_int_equal(question_ask(k, &q[i], 0), i < 3 ? KINDRED_OK : KINDRED_BUSY);
    }
    kit_wait(atomic_load(&f.asked) >= 3);
    atomic_store(&f.mood, ANSWERS);
    fake_answer(&f, atomic_load(&f.last_node), atomic_load(&f.last_request), KIN_E_NOTFOUND, NULL);
    kit_wait(atomic_load(&tally.by_status[KINDRED_NOT_FOUND]) == 1);
    for (enum kindred_status s = KINDRED_BUSY; s == KINDRED_BUSY; kit_pause())
        s = question_ask(k, &q[3], 0); /* there is room once done has returned */
    kit_wait(atomic_load(&tally.called) == 2);
    kindred_close(k);
    assert_int_equal(atomic_load(&tally.called), 4);
    fake_close(&f);
}

static void linger(void *arg, const struct kindred_answer *a)
{
    atomic_int *stage = arg;
    (void)a;
    atomic_store(stage, 1);
    kit_wait(atomic_load(stage) == 2);
}

/* Or answers would pile up behind a done that takes its time. */
static void a_request_has_its_place_until_done_returned(void **state)
{
    struct fake f;
    atomic_int stage = 0;
    fake_open(&f, kit_address(state), ANSWERS);
    struct kindred_options o = options_for(f.address);
    struct kindred_lookup_request q = {.records = "{}", .bytes = 2};
    o.in_flight_max = 1;
    struct kindred *k = handle_open(&o);
    assert_int_equal(kindred_lookup(k, &q, linger, &stage), KINDRED_OK);
    kit_wait(atomic_load(&stage) == 1);
    assert_int_equal(kindred_lookup(k, &q, NULL, NULL), KINDRED_BUSY);
    atomic_store(&stage, 2);
    for (enum kindred_status s = KINDRED_BUSY; s == KINDRED_BUSY; kit_pause())
        s = kindred_lookup(k, &q, NULL, NULL);
    kindred_close(k);
    fake_close(&f);
}

/* ---- the rules ---- */

struct inside {
    struct kindred *k;
    struct question again;
    atomic_int waited;
    atomic_bool done;
};

static void ask_inside(void *arg, const struct kindred_answer *a)
{
    struct inside *in = arg;
    struct kindred_result got = {0};
    struct kindred_lookup_request q = {.records = "{}", .bytes = 2};
    (void)a;
    atomic_store(&in->waited, (int)kindred_lookup_wait(in->k, &q, &got));
    kindred_result_free(&got);
    (void)question_ask(in->k, &in->again, 0);
    atomic_store(&in->done, true);
}

static void a_done_may_ask_but_not_wait(void **state)
{
    struct fake f;
    struct tally tally = {0};
    struct inside in = {0};
    fake_open(&f, kit_address(state), ANSWERS);
    in.k = connect_to(f.address);
    question_init(&in.again, &tally, 1);
    struct kindred_lookup_request q = {.records = "{}", .bytes = 2};
    assert_int_equal(kindred_lookup(in.k, &q, ask_inside, &in), KINDRED_OK);
    kit_wait(atomic_load(&tally.called) == 1 && atomic_load(&in.done));
    assert_int_equal(atomic_load(&in.waited), KINDRED_INVALID);
    assert_int_equal(kindred_lookup(in.k, &q, NULL, NULL), KINDRED_OK); /* nobody wants to know */
    kit_wait(in_flight(in.k) == 0);
    kindred_close(in.k);
    fake_close(&f);
}

static void what_cannot_be_opened_is_refused(void **state)
{
    static const struct kindred_options wrong[] = {
        {.url = NULL},
        {.url = ""},
        {.url = "http://127.0.0.1:1"},
        {.url = "unix:///tmp/a,"},
        {.url = "unix:///tmp/a", .secret = "too short", .secret_bytes = 9},
        {.url = "unix:///tmp/a", .secret_file = "/there/is/no/such/file"},
        {.url = "unix:///tmp/a", .secret_file = "/dev/zero"},
        {.url = "unix:///tmp/a",
         .secret = "sixteen bytes or more",
         .secret_bytes = 21,
         .secret_file = "/dev/null"},
        {.url = "unix:///a,unix:///a,unix:///a,unix:///a,unix:///a,unix:///a,unix:///a,unix:///a,"
                "unix:///a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct kindred *k = NULL;
        char why[200] = "";
        enum kindred_status s = kindred_open(&wrong[i], &k, why, sizeof why);
        if ((s != KINDRED_INVALID && s != KINDRED_IO) || k || !*why)
            fail_msg("case %zu: %d", i, s);
    }
    kindred_close(NULL);
    assert_string_equal(kindred_status_text(KINDRED_BUSY), "busy");
    assert_string_equal(kindred_status_text((enum kindred_status)55), "unknown status");
    for (int s = KINDRED_TIMEOUT; s <= KINDRED_LOST; s++)
        assert_string_not_equal(kindred_status_text((enum kindred_status)s), "unknown status");
    assert_true(*kindred_version());
}

static int run(struct kit_transport transport)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(an_answer_comes_with_all_it_says, &transport),
        cmocka_unit_test_prestate(who_gets_no_answer_gets_a_time_out, &transport),
        cmocka_unit_test_prestate(an_answer_that_comes_twice_is_told_once, &transport),
        cmocka_unit_test_prestate(an_answer_that_is_overdue_is_asked_for_again, &transport),
        cmocka_unit_test_prestate(a_put_with_mint_is_never_sent_twice, &transport),
        cmocka_unit_test_prestate(busy_is_told_or_waited_out_as_one_likes, &transport),
        cmocka_unit_test_prestate(requests_in_flight_outlive_their_connection, &transport),
        cmocka_unit_test_prestate(whoever_cannot_connect_is_told_why, &transport),
        cmocka_unit_test_prestate(the_second_address_serves_where_the_first_is_dead, &transport),
        cmocka_unit_test_prestate(a_thousand_in_flight_from_four_threads_are_all_answered,
                                  &transport),
        cmocka_unit_test_prestate(close_cancels_each_request_once, &transport),
        cmocka_unit_test_prestate(answers_that_come_during_close_are_told_once, &transport),
        cmocka_unit_test_prestate(more_than_a_handle_may_have_in_flight_are_refused, &transport),
        cmocka_unit_test_prestate(a_request_has_its_place_until_done_returned, &transport),
        cmocka_unit_test_prestate(a_done_may_ask_but_not_wait, &transport),
        cmocka_unit_test_prestate(what_cannot_be_opened_is_refused, &transport),
    };
    return cmocka_run_group_tests_name(transport.name, tests, NULL, NULL);
}

int main(void)
{
    return run(kit_tcp()) + run(kit_unix());
}
