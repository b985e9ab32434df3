/* Pairs of the sample's records: those that keys find, and some at random; and which terms are true
 * of each. */
#include "client/suggest_keys.h"

#include "common/base/hash.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS_MAX = 300000, RANDOM_PAIRS = 150000 };

/* ---- terms ---- */

/* From exact to lax, $ for the field; each is true where the one before is, or nearly so. */
static const char *const *shapes_of(const struct kin_suggest_field *f, unsigned *count)
{
    static const char *const name[] = {"Exact($)", "JaroWinkler($, 0.92)", "JaroWinkler($, 0.85)"};
    static const char *const words[] = {"Exact($)", "Jaccard($, 0.6)", "Jaccard($, 0.4)"};
    static const char *const longer[] = {"Exact($)", "Jaccard($, 0.8, 3)", "Jaccard($, 0.6, 3)",
                                         "Jaccard($, 0.4, 3)"};
    static const char *const date[] = {"Exact($)", "Within($, 31 days)"};
    static const char *const email[] = {"Exact($)", "JaroWinkler($, 0.92)"};
    static const char *const number[] = {"Exact($)", "Damerau($, 1)", "Damerau($, 2)"};
    static const char *const address[] = {"Exact($)", "Jaccard($, 0.6)", "Jaccard($, 0.5, 2)"};
    static const char *const post[] = {"Exact($)", "Damerau($, 1)"};
    static const char *const city[] = {"Exact($)", "JaroWinkler($, 0.85)"};
    static const char *const exact[] = {"Exact($)"};
    static const char *const price[] = {"Within($, 1 %)", "Within($, 10 %)"};
    static const char *const place[] = {"Within($, 50 m)", "Within($, 300 m)"};
    *count = 0;
    switch (f->kind) {
    case KIN_KIND_NAME:
        *count = 3;
        return name;
    case KIN_KIND_WORDS:
        *count = 3;
        return words;
    case KIN_KIND_LONG:
        *count = 4;
        return longer;
    case KIN_KIND_DATE:
        *count = 2;
        return date;
    case KIN_KIND_EMAIL:
        *count = 2;
        return email;
    case KIN_KIND_NUMBER:
        *count = f->chars >= 7 ? 3 : f->chars >= 5 ? 2 : 1;
        return number;
    case KIN_KIND_ADDRESS:
        *count = 3;
        return address;
    case KIN_KIND_POST:
        *count = 2;
        return post;
    case KIN_KIND_CITY:
        *count = 2;
        return city;
    case KIN_KIND_HOUSE:
    case KIN_KIND_YEAR:
        *count = 1;
        return exact;
    case KIN_KIND_PRICE:
        *count = 2;
        return price;
    case KIN_KIND_PLACE:
        *count = 2;
        return place;
    case KIN_KIND_NONE:
        break;
    }
    return NULL;
}

static kin_status add_term(struct kin_suggest *s, const struct kin_suggest_term *term)
{
    struct kin_suggest_term *t = &s->terms[s->term_count];
    unsigned column;
    *t = *term;
    if (!t->text)
        return kin_suggest_no_memory(s);
    s->term_count++;
    return kin_condition_parse(&s->arena, &s->schema, kin_str_of(t->text), &t->condition, &column,
                               s->err);
}

static kin_status add_swapped(struct kin_suggest *s)
{
    int first = -1, last = -1;
    for (size_t f = 0; f < s->field_count; f++) {
        if (s->fields[f].dropped)
            continue;
        if (s->fields[f].meaning == KIN_MEANS_FIRST_NAME && first < 0)
            first = (int)f;
        if (s->fields[f].meaning == KIN_MEANS_LAST_NAME && last < 0)
            last = (int)f;
    }
    if (first < 0 || last < 0 || s->term_count == KIN_SUGGEST_TERMS_MAX)
        return KIN_OK;
    struct kin_suggest_term t = {.field = (unsigned)first,
                                 .field2 = (unsigned)last,
                                 .groups = s->fields[first].groups | s->fields[last].groups};
    t.text =
        kin_arena_printf(&s->arena, "Swapped(%s, %s)", s->fields[first].name, s->fields[last].name);
    return add_term(s, &t);
}

static uint64_t groups_of_names(const struct kin_suggest *s)
{
    uint64_t groups = 0;
    for (size_t f = 0; f < s->field_count; f++) {
        enum kin_meaning meaning = s->fields[f].meaning;
        if (meaning == KIN_MEANS_FIRST_NAME || meaning == KIN_MEANS_LAST_NAME ||
            meaning == KIN_MEANS_FULL_NAME || meaning == KIN_MEANS_NAME)
            groups |= s->fields[f].groups;
    }
    return groups;
}

/* All levels of a field or none. */
static kin_status add_terms_of(struct kin_suggest *s, size_t f)
{
    unsigned count;
    const struct kin_suggest_field *field = &s->fields[f];
    const char *const *shapes = shapes_of(field, &count);
    kin_status status = KIN_OK;
    if (field->dropped || s->term_count + count > KIN_SUGGEST_TERMS_MAX - 1)
        return KIN_OK;
    for (unsigned level = 0; level < count && status == KIN_OK; level++) {
        struct kin_suggest_term t = {.field = (unsigned)f,
                                     .field2 = (unsigned)f,
                                     .level = level,
                                     .groups = field->groups,
                                     .shared = field->shared};
        if (level > 0 && field->kind == KIN_KIND_EMAIL)
            t.groups |= groups_of_names(s); /* much the same address, much the same name */
        if (level == 0 && field->derived && field->kind == KIN_KIND_NUMBER)
            continue; /* equal digits are an equal date */
        const char *place = strchr(shapes[level], '$');
        t.text = kin_arena_printf(&s->arena, "%.*s%s%s", (int)(place - shapes[level]),
                                  shapes[level], field->name, place + 1);
        status = add_term(s, &t);
    }
    return status;
}

kin_status kin_suggest_terms(struct kin_suggest *s)
{
    kin_status status = KIN_OK;
    for (size_t f = 0; f < s->field_count && status == KIN_OK; f++)
        status = add_terms_of(s, f);
    return status == KIN_OK ? add_swapped(s) : status;
}

/* Lax terms first: where one is false the stricter ones are too. */
static void evaluate(const struct kin_suggest *s, uint32_t a, uint32_t b,
                     struct kin_kernel_scratch *scratch, uint64_t *yes, uint64_t *known)
{
    const uint8_t *x = kin_suggest_record(s, a), *y = kin_suggest_record(s, b);
    unsigned missed = UINT32_MAX; /* field of which a laxer term is not true */
    *yes = *known = 0;
    for (size_t t = s->term_count; t-- > 0;) {
        const struct kin_suggest_term *term = &s->terms[t];
        uint64_t bit = (uint64_t)1 << t;
        const uint8_t *at;
        bool both =
            kin_features_values(x, term->field, &at) && kin_features_values(y, term->field, &at) &&
            kin_features_values(x, term->field2, &at) && kin_features_values(y, term->field2, &at);
        if (!both)
            continue;
        *known |= bit;
        if (missed == term->field)
            continue;
        if (kin_condition_eval(term->condition, x, y, scratch) == KIN_TRUE)
            *yes |= bit;
        else if (term->field == term->field2)
            missed = term->field;
    }
}

/* ---- pairs under keys ---- */

struct sampler {
    double every; /* one pair in so many; 1: all */
    double next;
    uint64_t drawn;
};

/* Systematic sampling with a jitter, the same every time. */
static void step_on(struct sampler *d, uint64_t seed)
{
    if (d->every <= 1) {
        d->next += 1;
        return;
    }
    double unit = (double)(kin_hash_mix(seed, d->drawn++) >> 11) / 9007199254740992.0;
    d->next += 1 + floor(2 * (d->every - 1) * unit);
}

static void take_block(const struct kin_keyed *block, size_t n, struct sampler *d, double *base,
                       uint64_t seed, struct kin_buf *codes)
{
    for (size_t i = 0; i + 1 < n; i++) {
        double row = (double)(n - 1 - i);
        while (d->next < *base + row) {
            size_t j = i + 1 + (size_t)(d->next - *base);
            uint32_t a = block[i].value, b = block[j].value;
            uint64_t code = a < b ? (uint64_t)a << 32 | b : (uint64_t)b << 32 | a;
            kin_buf_u64(codes, code);
            step_on(d, seed);
        }
        *base += row;
    }
}

static kin_status take_key(struct kin_suggest *s, size_t k, double every, struct kin_buf *codes)
{
    struct kin_suggest_postings p;
    kin_status status = kin_suggest_postings(s, &s->keys[k].rule, 1, &p);
    struct sampler d = {.every = every};
    double base = 0;
    if (every > 1)
        step_on(&d, k);
    for (size_t at = 0, end; status == KIN_OK && at < p.count; at = end) {
        end = kin_suggest_block_end(&p, at);
        take_block(p.items + at, end - at, &d, &base, k, codes);
    }
    kin_free(p.items);
    return codes->failed ? kin_suggest_no_memory(s) : status;
}

static int cmp_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static size_t sort_unique(struct kin_buf *codes)
{
    size_t n = codes->n / 8, kept = 0;
    if (n == 0)
        return 0;
    qsort(codes->p, n, 8, cmp_u64);
    for (size_t i = 0; i < n; i++) {
        uint64_t code = kin_le64(codes->p + 8 * i);
        if (kept == 0 || code != kin_le64(codes->p + 8 * (kept - 1)))
            kin_put_le64(codes->p + 8 * kept++, code);
    }
    return kept;
}

/* For every pair whether it shares key k. */
static kin_status mark_key(struct kin_suggest *s, size_t k, const struct kin_buf *codes)
{
    struct kin_suggest_postings p;
    kin_status status = kin_suggest_postings(s, &s->keys[k].rule, 1, &p);
    /* each record's keys, together: by a counting sort of the postings, which are sorted by key */
    uint32_t *start = kin_calloc(s->records + 2, sizeof *start);
    uint64_t *keys = kin_reallocarray(NULL, p.count + 1, sizeof *keys);
    if (status == KIN_OK && (!start || !keys))
        status = kin_suggest_no_memory(s);
    if (status == KIN_OK) {
        for (size_t i = 0; i < p.count; i++)
            start[p.items[i].value + 2]++;
        for (size_t i = 2; i < s->records + 2; i++)
            start[i] += start[i - 1];
        for (size_t i = 0; i < p.count; i++)
            keys[start[p.items[i].value + 1]++] = p.items[i].key;
        for (size_t i = 0; i < s->pair_count; i++) {
            uint64_t code = kin_le64(codes->p + 8 * i);
            uint32_t x = start[code >> 32], x_end = start[(code >> 32) + 1];
            uint32_t y = start[(uint32_t)code], y_end = start[(uint32_t)code + 1];
            while (x < x_end && y < y_end && keys[x] != keys[y]) {
                bool less = keys[x] < keys[y];
                x += less;
                y += !less;
            }
            if (x < x_end && y < y_end)
                s->pairs[i].keys[k / 64] |= (uint64_t)1 << k % 64;
        }
    }
    kin_free(p.items);
    kin_free(start);
    kin_free(keys);
    return status;
}

/* The inverse of the chance that a pair was taken under one of its keys. */
static double weight_of(const struct kin_suggest *s, const struct kin_suggest_pair *pair,
                        const double *every)
{
    double missed = 1;
    for (size_t k = 0; k < s->key_count; k++) {
        if (pair->keys[k / 64] >> k % 64 & 1)
            missed *= every[k] > 1 ? 1 - 1 / every[k] : 0;
    }
    return missed < 1 ? 1 / (1 - missed) : 1;
}

static kin_status take_pairs(struct kin_suggest *s, struct kin_kernel_scratch *scratch)
{
    double every[KIN_SUGGEST_KEYS_MAX] = {0};
    size_t usable = 0;
    struct kin_buf codes = {0};
    kin_status status = KIN_OK;
    for (size_t k = 0; k < s->key_count; k++)
        usable += s->keys[k].usable;
    for (size_t k = 0; k < s->key_count && status == KIN_OK; k++) {
        double share = PAIRS_MAX / (double)(usable ? usable : 1);
        every[k] = (double)s->keys[k].pairs / share;
        if (s->keys[k].usable)
            status = take_key(s, k, every[k], &codes);
    }
    s->pair_count = sort_unique(&codes);
    s->pairs = kin_calloc(s->pair_count + 1, sizeof *s->pairs);
    if (status == KIN_OK && !s->pairs)
        status = kin_suggest_no_memory(s);
    for (size_t k = 0; k < s->key_count && status == KIN_OK; k++) {
        if (s->keys[k].usable)
            status = mark_key(s, k, &codes);
    }
    for (size_t i = 0; i < s->pair_count && codes.p && status == KIN_OK; i++) {
        uint64_t code = kin_le64(codes.p + 8 * i);
        struct kin_suggest_pair *pair = &s->pairs[i];
        pair->a = (uint32_t)(code >> 32);
        pair->b = (uint32_t)code;
        pair->weight = weight_of(s, pair, every);
        evaluate(s, pair->a, pair->b, scratch, &pair->yes, &pair->known);
    }
    kin_buf_deinit(&codes);
    return status;
}

/* ---- patterns ---- */

static int cmp_patterns(const void *a, const void *b)
{
    const struct kin_suggest_pattern *x = a;
    const struct kin_suggest_pattern *y = b;
    if (x->yes != y->yes)
        return x->yes < y->yes ? -1 : 1;
    if (x->known != y->known)
        return x->known < y->known ? -1 : 1;
    return (x->weight > y->weight) - (x->weight < y->weight);
}

static void merge_patterns(struct kin_suggest_patterns *p)
{
    size_t kept = 0;
    if (p->count == 0)
        return;
    qsort(p->items, p->count, sizeof *p->items, cmp_patterns);
    for (size_t i = 0; i < p->count; i++) {
        struct kin_suggest_pattern *last = kept ? &p->items[kept - 1] : NULL;
        if (last && last->yes == p->items[i].yes && last->known == p->items[i].known)
            last->weight += p->items[i].weight;
        else
            p->items[kept++] = p->items[i];
    }
    p->count = kept;
}

static kin_status make_patterns(struct kin_suggest *s)
{
    struct kin_suggest_patterns *p = &s->candidates;
    p->items = kin_calloc(s->pair_count + 1, sizeof *p->items);
    if (!p->items)
        return kin_suggest_no_memory(s);
    for (size_t i = 0; i < s->pair_count; i++)
        p->items[p->count++] =
            (struct kin_suggest_pattern){s->pairs[i].yes, s->pairs[i].known, s->pairs[i].weight};
    merge_patterns(p);
    return KIN_OK;
}

static kin_status take_random(struct kin_suggest *s, struct kin_kernel_scratch *scratch)
{
    uint64_t n = s->records, all = n * (n - (n > 0)) / 2;
    uint64_t wanted = all < RANDOM_PAIRS ? all : RANDOM_PAIRS;
    struct kin_suggest_patterns *p = &s->random;
    p->items = kin_calloc(wanted + 1, sizeof *p->items);
    if (!p->items)
        return kin_suggest_no_memory(s);
    uint64_t a = 0, b = 0;
    for (uint64_t i = 0; i < wanted; i++) {
        if (wanted == all) { /* every pair */
            b++;
            if (b == n || i == 0)
                b = (i == 0 ? a : ++a) + 1;
        } else {
            uint64_t h = kin_hash_mix(i, n);
            a = (h >> 32) % n;
            b = (uint32_t)h % n;
            if (a == b)
                continue;
        }
        struct kin_suggest_pattern *to = &p->items[p->count++];
        to->weight = 1;
        evaluate(s, (uint32_t)a, (uint32_t)b, scratch, &to->yes, &to->known);
    }
    merge_patterns(p);
    return KIN_OK;
}

kin_status kin_suggest_pairs(struct kin_suggest *s)
{
    struct kin_kernel_scratch *scratch = kin_kernel_scratch_new();
    if (!scratch)
        return kin_suggest_no_memory(s);
    kin_status status = take_pairs(s, scratch);
    if (status == KIN_OK)
        status = take_random(s, scratch);
    if (status == KIN_OK)
        status = make_patterns(s);
    kin_kernel_scratch_free(scratch);
    return status;
}
