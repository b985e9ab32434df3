#include "worker/impl.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Refinement of oversized keys. A key shared by more than max_block records is split by the next
 * field of the workflow's refine list that is not already a bare term of the key's rule: each value
 * of it makes a refined key, an ordinary key that sorts after all original ones. A part that is
 * still too large is refined by the field after that. Where a record has no value for the field, or
 * no field is left, its part is windowed. The same walk, with sizes replaced by the plan's set of
 * oversized keys, tells for one record which refined keys it has: so any worker can say whether two
 * records share one. */

enum {
    FEW_MEMBERS = 48, /* are sorted by comparing them */
    CHUNK_BYTES = 7,  /* of a text, looked at at a time */
    CHUNKS_MAX = 8    /* of one value: what differs only behind them is compared */
};

bool worker_key_oversized(const struct worker_job *job, uint64_t key)
{
    if (!job->plan_set)
        return false;
    for (size_t i = kin_hash_mix(key, 0) & job->plan_mask;; i = (i + 1) & job->plan_mask) {
        if (job->plan_set[i] == key)
            return true;
        if (job->plan_set[i] == 0)
            return false;
    }
}

int worker_refine_field(const struct kin_workflow *workflow, uint64_t key, unsigned *depth)
{
    const struct kin_key_rule *rule = &workflow->keys[kin_key_rule_number(key)];
    for (; *depth < workflow->refine_count; ++*depth) {
        uint16_t field = workflow->refine[*depth];
        bool bare = false;
        for (unsigned t = 0; t < rule->count; t++)
            bare = bare || (rule->terms[t].fn == KIN_KEY_VALUE && rule->terms[t].field == field);
        if (!bare)
            return field;
    }
    return -1;
}

struct refining {
    const struct worker_job *job;
    struct partition *p;
    const uint32_t *members;
    const uint8_t *const *features; /* of members */
    struct split_note *note;
};

/* ---- windowed blocks stand in the order of the normalised fields, then (source, id) ---- */

static int cmp_numbers(const uint8_t *a, const uint8_t *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static int cmp_field(const uint8_t *a, const uint8_t *b, unsigned field, enum kin_type type)
{
    const uint8_t *p = NULL, *q = NULL;
    unsigned na = kin_features_values(a, field, &p), nb = kin_features_values(b, field, &q);
    if (!na || !nb)
        return (na != 0) - (nb != 0); /* null first */
    struct kin_value v = kin_features_next(&p), w = kin_features_next(&q);
    if (type == KIN_TYPE_DATE) {
        int32_t x = (int32_t)kin_le32(v.p), y = (int32_t)kin_le32(w.p);
        return x < y ? -1 : x > y;
    }
    if (type == KIN_TYPE_NUMBER)
        return cmp_numbers(v.p, w.p);
    if (type == KIN_TYPE_GEO) {
        int c = cmp_numbers(v.p, w.p);
        return c ? c : cmp_numbers(v.p + 8, w.p + 8);
    }
    return kin_str_cmp((struct kin_str){(const char *)v.p, v.bytes},
                       (struct kin_str){(const char *)w.p, w.bytes});
}

static int by_fields(const void *a, const void *b, void *arg)
{
    const struct refining *r = arg;
    const uint8_t *x = r->features[((const struct kin_keyed *)a)->value];
    const uint8_t *y = r->features[((const struct kin_keyed *)b)->value];
    const struct kin_schema *schema = &r->job->workflow->schema;
    for (unsigned f = 0; f < schema->count; f++) {
        int c = cmp_field(x, y, f, schema->fields[f].type);
        if (c)
            return c;
    }
    return kin_features_cmp_identity(x, y);
}

/* A number whose order is that of cmp_field: of the whole value, or of one chunk of a text or a
 * place. *whole: those with the same number have the same value (in the chunks before, too). */
static uint64_t order_number(const uint8_t *rec, unsigned field, enum kin_type type, unsigned chunk,
                             bool *whole)
{
    const uint8_t *at = NULL;
    *whole = true;
    if (!kin_features_values(rec, field, &at))
        return 0; /* null first: what follows is at least 1 */
    struct kin_value v = kin_features_next(&at);
    if (type == KIN_TYPE_DATE)
        return (uint64_t)((int64_t)(int32_t)kin_le32(v.p) - INT32_MIN) + 1;
    uint64_t number = 0;
    if (type == KIN_TYPE_NUMBER || type == KIN_TYPE_GEO) {
        double x;
        *whole = type == KIN_TYPE_NUMBER || chunk == 1;
        memcpy(&x, v.p + 8 * (size_t)chunk, sizeof x);
        x += 0.0; /* the two zeros are equal */
        memcpy(&number, &x, sizeof number);
        return (number >> 63 ? ~number : number | UINT64_C(1) << 63) + 1; /* finite: no overflow */
    }
    uint32_t from = CHUNK_BYTES * chunk, left = v.bytes > from ? v.bytes - from : 0;
    uint32_t n = left < CHUNK_BYTES ? left : CHUNK_BYTES;
    for (uint32_t i = 0; i < CHUNK_BYTES; i++)
        number = number << 8 | (i < n ? v.p[from + i] : 0);
    *whole = n < CHUNK_BYTES;
    return number << 8 | (n + 1); /* of equal beginnings the shorter first */
}

/* Sorts a run, whose members are alike in the fields before `field` and in the chunks of it before
 * `chunk`, as by_fields does, but in time linear in the members: a window may hold a good part of
 * all records. Digit by digit from the front (most significant digit first), where a digit is a
 * chunk of a field. */
static void sort_run(struct refining *r, struct kin_keyed *run, struct kin_keyed *tmp, uint32_t n,
                     unsigned field, unsigned chunk)
{
    const struct kin_schema *schema = &r->job->workflow->schema;
    for (; n > FEW_MEMBERS && field < schema->count && chunk < CHUNKS_MAX; chunk++) {
        bool whole;
        enum kin_type type = schema->fields[field].type;
        for (uint32_t i = 0; i < n; i++)
            run[i].key = order_number(r->features[run[i].value], field, type, chunk, &whole);
        kin_radix_sort(run, tmp, n);
        uint32_t start = 0, end;
        for (;; start = end) { /* the last run of equals is gone on with here */
            for (end = start + 1; end < n && run[end].key == run[start].key; end++)
                continue;
            order_number(r->features[run[start].value], field, type, chunk, &whole);
            if (end == n)
                break;
            sort_run(r, run + start, tmp, end - start, whole ? field + 1 : field,
                     whole ? 0 : chunk + 1);
        }
        run += start;
        n -= start;
        if (whole) {
            field++;
            chunk = UINT_MAX; /* 0 after this turn */
        }
    }
    if (n > 1)
        qsort_r(run, n, sizeof *run, by_fields, r);
}

static bool add_block(struct partition *p, uint64_t key, enum block_kind kind,
                      const struct kin_keyed *run, uint32_t n, const uint32_t *members)
{
    struct block b = {
        .key = key, .start = (uint32_t)(p->refined.n / 4), .count = n, .kind = (uint8_t)kind};
    for (uint32_t i = 0; i < n; i++)
        kin_buf_u32(&p->refined, members[run[i].value]);
    kin_buf_put(&p->blocks, &b, sizeof b);
    return !p->refined.failed && !p->blocks.failed;
}

static uint64_t windowed_pairs(uint64_t n, uint64_t window)
{
    return n <= window + 1 ? n * (n - 1) / 2
                           : window * (window + 1) / 2 + (n - window - 1) * window;
}

/* The windowed block of a run (at least two), in its order. */
static kin_status add_window(struct refining *r, uint64_t key, struct kin_keyed *run, uint32_t n)
{
    struct kin_keyed *tmp = kin_reallocarray(NULL, n, sizeof *tmp);
    if (!tmp)
        return KIN_E_NOMEM;
    sort_run(r, run, tmp, n, 0, 0);
    kin_free(tmp);
    r->note->windowed++;
    r->note->pairs_kept += windowed_pairs(n, r->job->workflow->limits.window);
    return add_block(r->p, key, BLOCK_WINDOWED, run, n, r->members) ? KIN_OK : KIN_E_NOMEM;
}

static kin_status refine_run(struct refining *r, uint64_t key, struct kin_keyed *run, uint32_t n,
                             unsigned depth);

/* Lists (refined key, member) for the members of a run; extra 1 marks the null part. */
static kin_status list_children(const struct refining *r, uint64_t key, const struct kin_keyed *run,
                                uint32_t n, unsigned depth, unsigned field, struct kin_buf *out)
{
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *at = NULL;
        unsigned values = kin_features_values(r->features[run[i].value], field, &at);
        struct kin_keyed child = {.value = run[i].value};
        if (!values) {
            child.key = kin_key_refine(key, depth, NULL);
            child.extra = 1;
            kin_buf_put(out, &child, sizeof child);
        }
        for (unsigned v = 0; v < values; v++) {
            struct kin_value value = kin_features_next(&at);
            child.key = kin_key_refine(key, depth, &value);
            kin_buf_put(out, &child, sizeof child);
        }
    }
    return out->failed ? KIN_E_NOMEM : KIN_OK;
}

static kin_status keep_child(struct refining *r, struct kin_keyed *run, uint32_t n, unsigned depth)
{
    const struct kin_limits *limits = &r->job->workflow->limits;
    uint64_t key = run[0].key;
    if (run[0].extra)
        return n < 2 ? KIN_OK : add_window(r, key, run, n);
    if (n > limits->max_block) {
        kin_buf_u64(&r->p->oversized, key);
        return refine_run(r, key, run, n, depth);
    }
    if (n < 2)
        return KIN_OK;
    r->note->refined++;
    r->note->pairs_kept += (uint64_t)n * (n - 1) / 2;
    return add_block(r->p, key, BLOCK_REFINED, run, n, r->members) ? KIN_OK : KIN_E_NOMEM;
}

static kin_status refine_run(struct refining *r, uint64_t key, struct kin_keyed *run, uint32_t n,
                             unsigned depth)
{
    int field = worker_refine_field(r->job->workflow, key, &depth);
    if (field < 0)
        return add_window(r, key, run, n);
    struct kin_buf children = {0};
    kin_status status = list_children(r, key, run, n, depth, (unsigned)field, &children);
    struct kin_keyed *items = (struct kin_keyed *)(void *)children.p;
    size_t count = children.n / sizeof *items;
    struct kin_keyed *tmp = kin_reallocarray(NULL, count, sizeof *tmp);
    if (status == KIN_OK && !tmp)
        status = KIN_E_NOMEM;
    if (status == KIN_OK)
        kin_radix_sort(items, tmp, count);
    for (size_t i = 0, end; status == KIN_OK && i < count; i = end) {
        size_t unique = i + 1; /* two values of one record may give one key: once is enough */
        for (end = i + 1; end < count && items[end].key == items[i].key; end++) {
            if (items[end].value != items[unique - 1].value)
                items[unique++] = items[end];
        }
        status = keep_child(r, items + i, (uint32_t)(unique - i), depth + 1);
    }
    kin_free(tmp);
    kin_buf_deinit(&children);
    return status;
}

kin_status worker_refine_block(const struct worker_job *job, struct partition *p, uint64_t key,
                               const uint32_t *members, uint32_t n, const uint8_t *const *features)
{
    struct split_note note = {.key = key, .count = n, .sample = members[0]};
    struct refining r = {job, p, members, features, &note};
    struct kin_keyed *run = kin_reallocarray(NULL, n, sizeof *run);
    if (!run)
        return KIN_E_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        run[i] = (struct kin_keyed){.key = key, .value = i};
    kin_buf_u64(&p->oversized, key);
    kin_status status = refine_run(&r, key, run, n, 0);
    kin_buf_put(&p->splits, &note, sizeof note);
    kin_free(run);
    return status == KIN_OK && (p->splits.failed || p->oversized.failed) ? KIN_E_NOMEM : status;
}

/* True: of a windowed part, too. */
static bool derive(const struct worker_job *job, const uint8_t *rec, uint64_t key, unsigned depth,
                   struct kin_buf *out)
{
    int field = worker_refine_field(job->workflow, key, &depth);
    const uint8_t *at = NULL;
    unsigned values = field < 0 ? 0 : kin_features_values(rec, (unsigned)field, &at);
    bool windowed = values == 0;
    for (unsigned v = 0; v < values; v++) {
        struct kin_value value = kin_features_next(&at);
        uint64_t child = kin_key_refine(key, depth, &value);
        if (worker_key_oversized(job, child))
            windowed |= derive(job, rec, child, depth + 1, out);
        else
            kin_buf_u64(out, child);
    }
    return windowed;
}

static bool refined_keys(const struct worker_job *job, const uint8_t *rec, bool owned,
                         struct kin_buf *out)
{
    unsigned count;
    const uint8_t *keys = kin_features_keys(rec, &count);
    size_t start = out->n;
    bool windowed = false;
    for (unsigned k = 0; k < count; k++) {
        uint64_t key = kin_le64(keys + 8 * (size_t)k);
        if (kin_key_rule_number(key) >= job->workflow->block_key_count)
            break; /* stars have no size limit */
        if (worker_key_oversized(job, key) && (!owned || worker_owns_key(job, key)))
            windowed |= derive(job, rec, key, 0, out);
    }
    if (out->failed)
        return windowed;
    for (size_t i = start + 8; i < out->n; i += 8) { /* a handful: insertion sort */
        uint64_t x = kin_le64(out->p + i);
        size_t j = i;
        for (; j > start && kin_le64(out->p + j - 8) > x; j -= 8)
            memcpy(out->p + j, out->p + j - 8, 8);
        kin_put_le64(out->p + j, x);
    }
    return windowed;
}

void worker_refined_keys(const struct worker_job *job, const uint8_t *rec, struct kin_buf *out)
{
    refined_keys(job, rec, false, out);
}

bool worker_refined_keys_owned(const struct worker_job *job, const uint8_t *rec,
                               struct kin_buf *out)
{
    return refined_keys(job, rec, true, out);
}
