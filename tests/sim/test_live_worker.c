/* The worker's side of live operation against a plain walk over all pairs. */
#include "tests/sim/live_kit.h"

static const struct kin_str NOTHING = {NULL, 0};

static struct kin_message batch_message(const struct live_kit *k, const struct sections *s)
{
    struct kin_message m = {.type = KIN_MSG_LIVE_BATCH};
    m.u.live_batch.live = RUN;
    m.u.live_batch.seq = k->seq;
    m.u.live_batch.committed = k->seq - 1;
    m.u.live_batch.feature_bytes = s->features;
    m.u.live_batch.row_bytes = s->rows;
    return m;
}

/* The next `n` records and some removals to all workers; what they answer is checked. */
static void take_batch(struct live_kit *k, uint32_t first, uint32_t n, bool repeat)
{
    struct kin_buf expected = {0}, got = {0}, removed = {0};
    k->seq += !repeat;
    for (uint32_t i = 0; i < n; i++)
        k->records[first + i].batch = k->seq;
    for (uint32_t i = 0; i < first && !repeat; i++) {
        if (!k->records[i].dead && !k->records[i].removed && below(k, k->often) == 0)
            k->records[i].removed = k->seq;
    }
    for (uint32_t i = 0; i < first; i++) {
        if (k->records[i].removed == k->seq)
            kin_buf_u32(&removed, i);
    }
    uint64_t requests[KIN_WORKERS_MAX];
    for (uint32_t w = 0; w < k->workers; w++) {
        struct sections s = kit_sections(k, first, first + n, w);
        struct kin_message m = batch_message(k, &s);
        kin_buf_put(&s.bytes, removed.p, removed.n);
        requests[w] = kit_send(k, w, m, kit_bytes(&s.bytes));
        kin_buf_deinit(&s.bytes);
    }
    for (uint32_t w = 0; w < k->workers; w++) {
        const struct letter *l = kit_answer(k, requests[w], KIN_MSG_LIVE_EDGES);
        assert_non_null(l);
        assert_int_equal(l->m.u.live_edges.status, KIN_OK);
        assert_int_equal(l->m.u.live_edges.seq, k->seq);
        assert_int_equal(l->m.u.live_edges.durable, k->seq);
        k->windowed += l->m.u.live_edges.windowed;
        kit_read(l->frame->payload.p, l->frame->payload.n, &got);
    }
    for (uint32_t i = first; i < first + n; i++)
        kit_expect(k, &k->records[i], i, i, k->seq, k->floor, &expected);
    kit_check_pairs(&expected, &got);
    for (uint32_t i = first; i < first + n; i++)
        kit_check_stars(k, &k->records[i], i, i, k->seq, 1, &got);
    k->edges += expected.n / sizeof(struct entry);
    kin_buf_deinit(&expected);
    kin_buf_deinit(&got);
    kin_buf_deinit(&removed);
    kit_forget(k);
}

/* Reads the answer to a lookup of n records into entries; returns the flags, or-ed. */
static uint32_t read_found(const struct letter *l, uint32_t n, struct kin_buf *out)
{
    struct kin_cursor at = kin_cursor_of(l->frame->payload.p, l->frame->payload.n);
    uint32_t flags = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t entries = kin_cursor_u32(&at);
        flags |= kin_cursor_u32(&at);
        size_t from = out->n;
        const uint8_t *p = kin_cursor_take(&at, entries * (size_t)KIN_LIVE_EDGE_BYTES);
        assert_false(at.bad);
        kit_read(p, entries * (size_t)KIN_LIVE_EDGE_BYTES, out);
        for (; from < out->n; from += sizeof(struct entry))
            assert_int_equal(((const struct entry *)(const void *)(out->p + from))->a, i);
    }
    assert_int_equal(kin_cursor_left(&at), 0);
    return flags;
}

static struct kin_message lookup_message(uint64_t committed, uint32_t candidates)
{
    struct kin_message m = {.type = KIN_MSG_LIVE_LOOKUP};
    m.u.live_lookup.live = RUN;
    m.u.live_lookup.committed = committed;
    m.u.live_lookup.candidates = candidates;
    return m;
}

/* Some records, whether they are served or not, with their source or of none. */
static void look_up(struct live_kit *k, uint32_t n, uint64_t committed)
{
    struct kin_buf payload = {0}, expected = {0}, got = {0};
    struct record wanted[40];
    for (uint32_t i = 0; i < n; i++) {
        const struct record *r = &k->records[below(k, k->count)];
        size_t at = payload.n;
        kin_buf_put(&payload, r->p, kin_features_bytes(r->p));
        if (below(k, 2))
            kin_put_le16(payload.p + at + 8, KIN_LIVE_NO_SOURCE);
        wanted[i] = *r;
    }
    for (size_t i = 0, at = 0; i < n; at += kin_features_bytes(payload.p + at), i++)
        wanted[i].p = payload.p + at;
    uint64_t requests[KIN_WORKERS_MAX];
    for (uint32_t w = 0; w < k->workers; w++)
        requests[w] = kit_send(k, w, lookup_message(committed, 0), kit_bytes(&payload));
    for (uint32_t w = 0; w < k->workers; w++) {
        const struct letter *l = kit_answer(k, requests[w], KIN_MSG_LIVE_FOUND);
        assert_non_null(l);
        assert_int_equal(l->m.u.live_found.status, KIN_OK);
        assert_int_equal(read_found(l, n, &got), 0);
    }
    for (uint32_t i = 0; i < n; i++)
        kit_expect(k, &wanted[i], i, k->count, committed, k->threshold, &expected);
    kit_check_pairs(&expected, &got);
    for (uint32_t i = 0; i < n; i++)
        kit_check_stars(k, &wanted[i], i, k->count, committed, LIVE_STARS_FOUND, &got);
    k->found += expected.n / sizeof(struct entry);
    kin_buf_deinit(&payload);
    kin_buf_deinit(&expected);
    kin_buf_deinit(&got);
    kit_forget(k);
}

/* Some numbers, the removed and the unknown among them, from all workers: each is had once. */
static void fetch(struct live_kit *k)
{
    struct kin_message m = {.type = KIN_MSG_LIVE_FETCH};
    struct kin_buf payload = {0};
    uint32_t numbers[30], n = 30;
    uint8_t features[30] = {0}, rows[30] = {0};
    m.u.live_fetch.live = RUN;
    m.u.live_fetch.rows = true;
    for (uint32_t i = 0; i < n; i++) {
        numbers[i] = below(k, k->count + 5);
        kin_buf_u32(&payload, numbers[i]);
    }
    for (uint32_t w = 0; w < k->workers; w++) {
        const struct letter *l = kit_ask(k, w, m, kit_bytes(&payload), KIN_MSG_LIVE_FETCHED);
        const uint8_t *p = l->frame->payload.p;
        uint32_t bytes = l->m.u.live_fetched.feature_bytes, at = 0, last = 0;
        assert_int_equal(l->m.u.live_fetched.status, KIN_OK);
        for (; at < bytes; at += kin_features_bytes(p + at)) {
            uint32_t place = kin_features_rel(p + at);
            assert_true(place < n && (at == 0 || place > last));
            const struct record *r = &k->records[numbers[place]];
            assert_int_equal(kit_home(k, r), w);
            assert_memory_equal(p + at + 8, r->p + 8, kin_features_bytes(r->p) - 8);
            features[place]++;
            last = place;
        }
        struct kin_batch_rows got;
        struct kin_str names[4];
        assert_int_equal(at, bytes);
        assert_true(kin_batch_rows_open(p + bytes, l->frame->payload.n - bytes, &got));
        assert_true(got.column_count <= 2);
        kin_batch_rows_columns(&got, names);
        for (uint32_t i = 0, off = 0; i < got.row_count; i++) {
            struct kin_batch_row row = kin_batch_row_read(got.rows + off);
            const uint8_t *cell = row.cells;
            uint16_t column;
            char text[16];
            snprintf(text, sizeof text, "%u", numbers[row.number]);
            assert_int_equal(row.cell_count, 1);
            assert_true(kin_str_eq(kin_batch_cell_next(&cell, &column), kin_str_of(text)));
            assert_true(kin_str_eq(names[column], KIN_STR("number")));
            rows[row.number]++;
            off += row.bytes;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        bool there = numbers[i] < k->count && !k->records[numbers[i]].dead &&
                     k->records[numbers[i]].batch != NOT_YET;
        /* what the last batch removed may still be there: it is not committed for all */
        bool maybe = there && k->records[numbers[i]].removed == k->seq && k->seq;
        there = there && !k->records[numbers[i]].removed;
        assert_int_equal(rows[i], features[i]);
        assert_true(maybe ? features[i] <= 1 : features[i] == there);
    }
    kin_buf_deinit(&payload);
    kit_forget(k);
}

static void crash(struct live_kit *k)
{
    uint32_t w = below(k, k->workers);
    kin_sim_crash(k->sim, w + 1);
    kin_sim_restart(k->sim, w + 1, 1);
    kin_sim_run_for(k->sim, SECOND);
    const struct letter *l = kit_ask(k, w, lookup_message(0, 0), NOTHING, KIN_MSG_LIVE_FOUND);
    assert_int_equal(l->m.u.live_found.status, KIN_E_NOTFOUND);
    if (below(k, 2)) { /* the close may be repeated, whenever */
        l = kit_ask(k, w, kit_close(RUN, true), NOTHING, KIN_MSG_STEP_DONE);
        assert_int_equal(l->m.u.step_done.status, KIN_OK);
    }
    l = kit_live_open(k, w);
    assert_int_equal(l->m.u.live_opened.status, KIN_OK);
    assert_int_equal(l->m.u.live_opened.durable, k->seq);
    k->crashes++;
    kit_forget(k);
}

static void run_scenario(uint64_t seed, uint32_t workers, struct live_kit *sums)
{
    struct live_kit *k = kit_new(seed, workers, (struct kin_sim_options){0});
    k->often = seed % 3 ? 20 : 3;
    kit_serve(k);
    for (uint32_t at = k->base_records; at < k->count;) {
        uint32_t n = below(k, 20);
        n = n < k->count - at ? n : k->count - at;
        take_batch(k, at, n, false);
        if (below(k, 4) == 0) {
            take_batch(k, at, n, true);
            sums->repeats++;
        }
        at += n;
        look_up(k, 1 + below(k, 20), k->seq - below(k, 2));
        if (seed % 4 && below(k, 3) == 0)
            crash(k);
        fetch(k);
    }
    sums->edges += k->edges;
    sums->model_edges += k->model_edges;
    sums->stars += k->stars;
    sums->refined += k->refined;
    sums->found += k->found;
    sums->windowed += k->windowed;
    sums->crashes += k->crashes;
    sums->builds += k->builds;
    kit_free(k);
}

static void test_edges_and_lookups_are_those_of_all_pairs(void **state)
{
    (void)state;
    static struct live_kit sums;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        run_scenario(seed, 1, &sums);
        run_scenario(seed, 3, &sums);
    }
    print_message("edges %llu (model %llu, refined %llu), stars %llu, found %llu, windowed %llu, "
                  "crashes %llu, repeats %llu, builds %llu\n",
                  (unsigned long long)sums.edges, (unsigned long long)sums.model_edges,
                  (unsigned long long)sums.refined, (unsigned long long)sums.stars,
                  (unsigned long long)sums.found, (unsigned long long)sums.windowed,
                  (unsigned long long)sums.crashes, (unsigned long long)sums.repeats,
                  (unsigned long long)sums.builds);
    assert_true(sums.edges && sums.model_edges && sums.refined && sums.stars && sums.found);
    assert_true(sums.windowed && sums.crashes && sums.repeats && sums.builds);
}

/* ---- keeping, closing, other jobs ---- */

static size_t stored(struct live_kit *k, unsigned db)
{
    return kin_sim_store_count(k->sim, 1, db);
}

static const struct letter *close_live(struct live_kit *k)
{
    struct kin_message m = {.type = KIN_MSG_LIVE_CLOSE};
    m.u.live_close.live = RUN;
    const struct letter *l = NULL;
    for (unsigned i = 0; i < 20 && !l; i++)
        l = kit_answer(k, kit_send(k, 0, m, NOTHING), KIN_MSG_STEP_DONE);
    assert_non_null(l);
    assert_int_equal(l->m.u.step_done.step, KIN_MSG_LIVE_CLOSE);
    return l;
}

static void other_job(struct live_kit *k, uint64_t run)
{
    const struct letter *l = kit_ask(k, 0, kit_job_open(k, run, 0), NOTHING, KIN_MSG_JOB_OPENED);
    assert_int_equal(l->m.u.job_opened.status, KIN_OK);
    struct sections s = kit_sections(k, 0, 5, 0);
    struct kin_message m = {.type = KIN_MSG_BATCH};
    m.u.batch.job = run;
    m.u.batch.seq = 1;
    m.u.batch.feature_bytes = s.features;
    kit_forget(k);
    kit_send(k, 0, m, kit_bytes(&s.bytes));
    assert_int_equal(kit_answer(k, 0, KIN_MSG_BATCH_ACK)->m.u.batch_ack.status, KIN_OK);
    kin_sim_run_for(k->sim, 100 * MS);
    kin_buf_deinit(&s.bytes);
}

/* Jobs of lower and of higher numbers come and go, while the run is served. */
static void test_other_jobs_leave_a_kept_run_alone(void **state)
{
    (void)state;
    struct live_kit *k = kit_new(5, 1, (struct kin_sim_options){0});
    k->often = 10;
    kit_serve(k);
    size_t batches = stored(k, DB_FEATURES);
    other_job(k, RUN - 1000);
    take_batch(k, k->base_records, 7, false);
    assert_int_equal(stored(k, DB_FEATURES), batches + 2);
    other_job(k, RUN + 1000);
    look_up(k, 20, 1);
    take_batch(k, k->base_records + 7, 7, false);
    assert_int_equal(stored(k, DB_FEATURES), batches + 3); /* the first job is gone */
    assert_int_equal(stored(k, DB_META), 2);
    crash(k);
    other_job(k, RUN + 5);
    look_up(k, 20, 2);
    assert_int_equal(stored(k, DB_FEATURES), batches + 3);
    assert_int_equal(close_live(k)->m.u.step_done.status, KIN_OK);
    assert_int_equal(stored(k, DB_FEATURES), 1); /* of the job */
    assert_int_equal(stored(k, DB_ROWS), 1);
    assert_int_equal(stored(k, DB_REMOVED), 0);
    assert_int_equal(stored(k, DB_META), 1);
    assert_int_equal(close_live(k)->m.u.step_done.status, KIN_OK); /* nothing there: as well */
    assert_int_equal(kit_live_open(k, 0)->m.u.live_opened.status, KIN_E_NOTFOUND);
    kit_free(k);
}

static void test_run_that_is_not_kept_is_not_served(void **state)
{
    (void)state;
    struct live_kit *k = kit_new(6, 1, (struct kin_sim_options){0});
    kit_load(k, 0);
    assert_int_equal(kit_live_open(k, 0)->m.u.live_opened.status, KIN_E_NOTFOUND);
    kit_ask(k, 0, kit_close(RUN, false), NOTHING, KIN_MSG_STEP_DONE);
    assert_int_equal(kit_live_open(k, 0)->m.u.live_opened.status, KIN_E_NOTFOUND);
    other_job(k, RUN + 1);
    assert_int_equal(stored(k, DB_FEATURES), 1);
    kit_free(k);
}

/* The worker dies at any point of the close: repeated, it is kept in the end, and the job after it
 * finds no rubbish. One that the store does not have cannot be kept. */
static void test_close_that_keeps_is_repeated_after_a_crash(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct live_kit *k = kit_new(seed, 1, (struct kin_sim_options){0});
        kit_load(k, 0);
        kit_send(k, 0, kit_close(RUN, true), NOTHING);
        kin_sim_run_for(k->sim, seed * 100);
        kin_sim_crash(k->sim, 1);
        kin_sim_restart(k->sim, 1, 1);
        kin_sim_run_for(k->sim, SECOND);
        const struct letter *l =
            kit_ask(k, 0, kit_close(RUN + 1, true), NOTHING, KIN_MSG_STEP_DONE);
        assert_int_equal(l->m.u.step_done.status, KIN_E_NOTFOUND);
        for (unsigned i = 0; i < 2; i++) {
            l = kit_ask(k, 0, kit_close(RUN, true), NOTHING, KIN_MSG_STEP_DONE);
            assert_int_equal(l->m.u.step_done.status, KIN_OK);
        }
        other_job(k, RUN + 2);
        assert_int_equal(stored(k, DB_FEATURES), k->base + 1);
        assert_int_equal(kit_live_open(k, 0)->m.u.live_opened.status, KIN_OK);
        look_up(k, 10, 0);
        kit_free(k);
    }
}

/* ---- order, and what is not to be believed ---- */

static uint32_t batch_status(struct live_kit *k, struct kin_message m, struct kin_str payload)
{
    const struct letter *l = kit_ask(k, 0, m, payload, KIN_MSG_LIVE_EDGES);
    return l->m.u.live_edges.status;
}

static void test_batches_come_in_order(void **state)
{
    (void)state;
    struct live_kit *k = kit_new(7, 1, (struct kin_sim_options){0});
    k->often = 10;
    kit_serve(k);
    take_batch(k, k->base_records, 5, false);
    struct kin_message m = {.type = KIN_MSG_LIVE_BATCH};
    m.u.live_batch.live = RUN;
    m.u.live_batch.seq = 3;
    const struct letter *l = kit_ask(k, 0, m, NOTHING, KIN_MSG_LIVE_EDGES);
    assert_int_equal(l->m.u.live_edges.status, KIN_E_STALE);
    assert_int_equal(l->m.u.live_edges.durable, 1);
    m.u.live_batch.seq = 0;
    assert_int_equal(batch_status(k, m, NOTHING), KIN_E_PROTO);
    k->seq = 2; /* a batch that has nothing for this worker */
    m.u.live_batch.seq = 2;
    m.u.live_batch.committed = 1;
    assert_int_equal(batch_status(k, m, NOTHING), KIN_OK);
    take_batch(k, k->base_records + 5, 5, false);
    crash(k);
    take_batch(k, k->base_records + 10, 5, false);
    m.u.live_batch.live = RUN + 1;
    assert_int_equal(batch_status(k, m, NOTHING), KIN_E_NOTFOUND);
    kit_free(k);
}

static struct kin_str part(const struct kin_buf *b, size_t n)
{
    return (struct kin_str){(const char *)b->p, n};
}

/* Every batch and lookup with one byte changed or cut off: refused, or taken as what it says; what
 * is served stays as it was. */
static void test_hostile_payloads_change_nothing(void **state)
{
    (void)state;
    struct live_kit *k = kit_new(8, 1, (struct kin_sim_options){0});
    k->often = 1000;
    kit_serve(k);
    take_batch(k, k->base_records, 6, false);
    uint64_t refused = 0;
    for (uint32_t i = 0; i < 400; i++) {
        const struct record *r = &k->records[below(k, k->count)];
        struct kin_buf payload = {0};
        kin_buf_put(&payload, r->p, kin_features_bytes(r->p));
        if (i % 3)
            payload.p[below(k, (uint32_t)payload.n)] ^= (uint8_t)(1 + below(k, 255));
        else
            payload.n -= 1 + below(k, (uint32_t)payload.n - 1);
        const struct letter *l =
            kit_ask(k, 0, lookup_message(1, 0), kit_bytes(&payload), KIN_MSG_LIVE_FOUND);
        refused += l->m.u.live_found.status != KIN_OK;
        kin_buf_deinit(&payload);
        kit_forget(k);
    }
    assert_true(refused > 100);
    refused = 0;
    struct sections s = kit_sections(k, k->base_records + 6, k->base_records + 12, 0);
    struct sections old = kit_sections(k, 0, 3, 0);
    k->seq = 2;
    struct kin_message m = batch_message(k, &s);
    for (uint32_t n = 0; n < s.bytes.n; n += 5) /* too short for its sections, or cut in a list */
        assert_int_equal(batch_status(k, m, part(&s.bytes, n)), KIN_E_PROTO);
    for (uint32_t i = 0; i < 300; i++) {
        struct kin_message other = m;
        uint32_t features = below(k, (uint32_t)s.bytes.n);
        if (features % 4 == 0 && features == s.features)
            continue;
        other.u.live_batch.feature_bytes = features ? features : 1;
        other.u.live_batch.row_bytes = (uint32_t)s.bytes.n - other.u.live_batch.feature_bytes;
        assert_int_equal(batch_status(k, other, kit_bytes(&s.bytes)), KIN_E_PROTO);
    }
    struct kin_message again = batch_message(k, &old); /* numbers that were there before */
    assert_int_equal(batch_status(k, again, kit_bytes(&old.bytes)), KIN_E_PROTO);
    uint8_t source = s.bytes.p[16 + 8];
    s.bytes.p[16 + 8] = 200; /* a source there is not */
    assert_int_equal(batch_status(k, m, kit_bytes(&s.bytes)), KIN_E_PROTO);
    s.bytes.p[16 + 8] = source;
    kin_buf_deinit(&s.bytes);
    kin_buf_deinit(&old.bytes);
    k->seq = 1;
    kit_forget(k);
    take_batch(k, k->base_records + 6, 6, false);
    look_up(k, 20, 2);
    struct kin_message open = {.type = KIN_MSG_LIVE_OPEN};
    open.u.live_open.live = RUN + 1;
    open.u.live_open.workflow = kit_bytes(&k->s->workflow_text);
    open.u.live_open.workers = 1;
    open.u.live_open.shard_map = (struct kin_str){(const char *)k->shards.owner, KIN_SHARDS};
    static const char bad[] = "\xff\xff\xff\x7f";
    const struct letter *l = kit_ask(k, 0, open, (struct kin_str){bad, 4}, KIN_MSG_LIVE_OPENED);
    assert_int_equal(l->m.u.live_opened.status, KIN_E_PROTO);
    kit_free(k);
}

/* Of one record, no more pairs than were asked for; it is told that there are more. */
static void test_lookup_ends_after_its_candidates(void **state)
{
    (void)state;
    uint64_t cut = 0, whole = 0;
    for (uint64_t seed = 9; seed < 15; seed++) {
        struct live_kit *k = kit_new(seed, 1, (struct kin_sim_options){0});
        kit_serve(k);
        for (uint32_t i = 0; i < k->count; i++) {
            struct kin_buf few = {0}, all = {0};
            const uint8_t *rec = k->records[i].p;
            struct kin_str payload = {(const char *)rec, kin_features_bytes(rec)};
            const struct letter *l =
                kit_ask(k, 0, lookup_message(0, 3), payload, KIN_MSG_LIVE_FOUND);
            uint32_t flags = read_found(l, 1, &few);
            l = kit_ask(k, 0, lookup_message(0, 0), payload, KIN_MSG_LIVE_FOUND);
            assert_int_equal(read_found(l, 1, &all), 0);
            assert_true(few.n <= 3 * sizeof(struct entry));
            assert_true(few.n <= all.n && (flags || few.n == all.n));
            cut += flags == KIN_LIVE_TRUNCATED;
            whole += flags == 0;
            kin_buf_deinit(&few);
            kin_buf_deinit(&all);
            kit_forget(k);
        }
        kit_free(k);
    }
    assert_true(cut && whole);
}

/* ---- faults ---- */

/* True once the worker serves the run. */
static bool served(struct live_kit *k)
{
    const struct letter *l = kit_live_open_try(k, 0);
    return l && l->m.u.live_opened.status == KIN_OK;
}

static bool taken(struct live_kit *k, uint32_t first, uint32_t n)
{
    struct sections s = kit_sections(k, first, first + n, 0);
    struct kin_message m = batch_message(k, &s);
    const struct letter *l =
        kit_answer(k, kit_send(k, 0, m, kit_bytes(&s.bytes)), KIN_MSG_LIVE_EDGES);
    kin_buf_deinit(&s.bytes);
    return l && l->m.u.live_edges.status == KIN_OK;
}

/* Loads the run, keeps it and serves it, however often that fails. */
static void serve_stubbornly(struct live_kit *k)
{
    uint64_t durable = 0;
    for (unsigned tries = 0; durable < k->base; tries++) {
        assert_true(tries < 500);
        kit_forget(k);
        const struct letter *l =
            kit_answer(k, kit_send(k, 0, kit_job_open(k, RUN, 0), NOTHING), KIN_MSG_JOB_OPENED);
        if (!l || l->m.u.job_opened.status != KIN_OK)
            continue;
        durable = l->m.u.job_opened.durable;
        if (durable < k->base)
            kit_send_batch(k, 0, durable);
    }
    for (unsigned tries = 0;; tries++) {
        const struct letter *l =
            kit_answer(k, kit_send(k, 0, kit_close(RUN, true), NOTHING), KIN_MSG_STEP_DONE);
        if (l && l->m.u.step_done.status == KIN_OK)
            break;
        assert_true(tries < 100);
    }
    for (unsigned tries = 0; !served(k); tries++)
        assert_true(tries < 100);
    kit_forget(k);
}

/* Memory runs out, the store is full, frames are lost or doubled, nodes die: asked again and again,
 * each batch is taken in, once, and what is found then is right. */
static void test_batches_are_taken_whatever_fails(void **state)
{
    (void)state;
    uint64_t tries = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct kin_sim_options options = {.allocation = seed % 3 ? 8000 : 0,
                                          .full = seed % 5 ? 0 : 50 * 1000,
                                          .crash = seed % 7 ? 0 : 2000};
        struct live_kit *k = kit_new(seed, 1, options);
        serve_stubbornly(k);
        if (seed % 2)
            kin_sim_chaos(k->sim, 1 + (unsigned)(seed % 8));
        uint32_t at = k->base_records;
        for (k->seq = 1; k->seq <= 6 && at + 5 <= k->count; k->seq++, at += 5) {
            for (uint32_t i = at; i < at + 5; i++)
                k->records[i].batch = k->seq;
            unsigned tried = 0;
            while (!taken(k, at, 5)) {
                kit_forget(k);
                assert_true(++tried < 500);
                if (tried % 3 == 2)
                    served(k);
                else
                    kit_send(k, 0, lookup_message(k->seq - 1, 0), NOTHING);
            }
            tries += tried;
            kit_forget(k);
        }
        k->seq--;
        kin_sim_heal(k->sim);
        kin_sim_run_for(k->sim, 20 * SECOND);
        kit_forget(k);
        assert_true(served(k) || served(k));
        look_up(k, 20, k->seq);
        fetch(k);
        kit_free(k);
    }
    assert_true(tries > 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges_and_lookups_are_those_of_all_pairs),
        cmocka_unit_test(test_other_jobs_leave_a_kept_run_alone),
        cmocka_unit_test(test_run_that_is_not_kept_is_not_served),
        cmocka_unit_test(test_close_that_keeps_is_repeated_after_a_crash),
        cmocka_unit_test(test_batches_come_in_order),
        cmocka_unit_test(test_hostile_payloads_change_nothing),
        cmocka_unit_test(test_lookup_ends_after_its_candidates),
        cmocka_unit_test(test_batches_are_taken_whatever_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
