#include "worker/impl.h"

#include <string.h>

/* A plan tries keys that no record has: the coordinator wants the records of every n-th block of
 * each, to count there what a key would bring. The records at home here are walked once, and those
 * in the sampled blocks sent whole. A block of which more than max_block lie here alone is left
 * out: it would be refined, and the coordinator does not count it either. */

struct tried {
    struct kin_key_rule rules[KIN_KEYED_MAX];
    uint32_t every[KIN_KEYED_MAX];
    uint32_t count;
};

static kin_status read_request(const struct worker_keyed *k, struct tried *t)
{
    struct kin_cursor at = kin_cursor_of(k->request.p, k->request.n);
    struct kin_err err;
    *t = (struct tried){.count = kin_cursor_u32(&at)};
    if (t->count > KIN_KEYED_MAX)
        return KIN_E_PROTO;
    for (uint32_t i = 0; i < t->count; i++) {
        t->every[i] = kin_cursor_u32(&at);
        uint32_t terms = kin_cursor_u32(&at);
        if (at.bad || t->every[i] == 0 || terms == 0 || terms > KIN_KEY_TERMS_MAX)
            return KIN_E_PROTO;
        t->rules[i].number = (uint8_t)i;
        for (uint32_t j = 0; j < terms; j++) {
            unsigned column;
            uint32_t n = kin_cursor_u32(&at);
            const uint8_t *text = kin_cursor_take(&at, n);
            kin_cursor_take(&at, (4 - n % 4) % 4);
            if (at.bad || !text ||
                kin_key_term_parse(&k->job->workflow->schema,
                                   (struct kin_str){(const char *)text, n}, &t->rules[i].terms[j],
                                   &column, &err) != KIN_OK)
                return KIN_E_PROTO;
            t->rules[i].count++;
        }
    }
    return KIN_OK;
}

static kin_status put_keys(const struct tried *t, const uint8_t *rec, uint32_t local,
                           struct kin_buf *out)
{
    uint64_t keys[KIN_KEYS_MAX], excess = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        size_t n = kin_blocking_keys(&t->rules[i], 1, rec, KIN_KEYS_MAX, keys, &excess);
        for (size_t j = 0; j < n; j++) {
            struct kin_keyed item = {.key = keys[j], .value = local};
            if (kin_key_is_sampled(keys[j], t->every[i]))
                kin_buf_put(out, &item, sizeof item);
        }
    }
    return out->failed ? KIN_E_NOMEM : KIN_OK;
}

static kin_status walk_home(const struct worker_keyed *k, const struct tried *t,
                            struct store_view *view, struct kin_buf *out)
{
    const struct worker_job *job = k->job;
    const struct kin_workflow *w = job->workflow;
    struct kin_arena arena = {0};
    uint64_t *seeds = kin_arena_calloc(&arena, w->source_count, sizeof *seeds);
    kin_status status = seeds ? KIN_OK : KIN_E_NOMEM;
    for (size_t s = 0; seeds && s < w->source_count; s++)
        seeds[s] = kin_hash64(w->sources[s].name, strlen(w->sources[s].name), 0);
    for (uint32_t l = 0; l < job->records.count && status == KIN_OK; l++) {
        if (worker_is_dead(job, job->records.items[l].number))
            continue;
        const uint8_t *rec = store_view_at(view, job->records.items[l]);
        if (!rec)
            status = view->status;
        else if (kin_features_source(rec) >= w->source_count)
            status = KIN_E_CORRUPT;
        else if (kin_home_worker(&job->shards, seeds[kin_features_source(rec)],
                                 kin_features_id(rec)) == job->index)
            status = put_keys(t, rec, l, out);
    }
    kin_arena_deinit(&arena);
    return status;
}

/* Bit l: record l of the table is wanted. */
static kin_status mark_blocks(const struct worker_keyed *k, struct kin_buf *postings,
                              uint8_t *wanted)
{
    struct kin_keyed *items = (struct kin_keyed *)(void *)postings->p;
    size_t n = postings->n / sizeof *items;
    struct kin_keyed *tmp = kin_reallocarray(NULL, n + 1, sizeof *tmp);
    if (!tmp)
        return KIN_E_NOMEM;
    if (n)
        kin_radix_sort(items, tmp, n);
    kin_free(tmp);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && items[end].key == items[i].key; end++)
            continue;
        for (size_t j = i; j < end && end - i <= k->job->workflow->limits.max_block; j++)
            wanted[items[j].value / 8] |= (uint8_t)(1u << items[j].value % 8);
    }
    return KIN_OK;
}

kin_status worker_keyed_run(struct worker_keyed *k, struct store_view *view)
{
    const struct record_table *records = &k->job->records;
    struct kin_buf postings = {0};
    struct tried tried;
    kin_status status = read_request(k, &tried);
    uint8_t *wanted = kin_calloc(records->count / 8 + 1, 1);
    if (status == KIN_OK && !wanted)
        status = KIN_E_NOMEM;
    if (status == KIN_OK)
        status = walk_home(k, &tried, view, &postings);
    if (status == KIN_OK)
        status = mark_blocks(k, &postings, wanted);
    for (uint32_t l = 0; status == KIN_OK && l < records->count; l++) {
        if (!(wanted[l / 8] >> (l % 8) & 1))
            continue;
        const uint8_t *rec = store_view_at(view, records->items[l]);
        if (!rec) {
            status = view->status;
            break;
        }
        kin_buf_u32(&k->out, records->items[l].number);
        kin_buf_u32(&k->out, (uint32_t)kin_features_bytes(rec));
        kin_buf_put(&k->out, rec, kin_features_bytes(rec));
    }
    if (status == KIN_OK && k->out.failed)
        status = KIN_E_NOMEM;
    kin_free(wanted);
    kin_buf_deinit(&postings);
    return status;
}
