#include "coordinator/next_key.h"

#include "common/base/radix.h"
#include "proto/shards.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIELDS_MAX = 12,    /* of which keys are made: those with most values */
    FILLED_LOOK = 5000, /* records that say how many */
    FORMS_MAX = 3
};

/* ---- which keys there are ---- */

struct form {
    uint8_t fn, n, rows; /* enum kin_key_fn */
};
struct forms {
    unsigned count;
    struct form form[FORMS_MAX];
};

/* Of each type: forms that can be a key alone, and those that make one with another field's. */
static const struct {
    struct forms alone, together;
} forms_of[KIN_TYPE_COUNT] = {
    [KIN_TYPE_NAME] = {{3,
                        {{KIN_KEY_SOUNDEX, 0, 0}, {KIN_KEY_VALUE, 0, 0}, {KIN_KEY_TOKENS, 0, 0}}},
                       {2, {{KIN_KEY_SOUNDEX, 0, 0}, {KIN_KEY_PREFIX, 3, 0}}}},
    [KIN_TYPE_TEXT] = {{3,
                        {{KIN_KEY_VALUE, 0, 0}, {KIN_KEY_PREFIX, 8, 0}, {KIN_KEY_MINHASH, 6, 1}}},
                       {2, {{KIN_KEY_VALUE, 0, 0}, {KIN_KEY_PREFIX, 4, 0}}}},
    [KIN_TYPE_EMAIL] = {{2, {{KIN_KEY_VALUE, 0, 0}, {KIN_KEY_PREFIX, 6, 0}}},
                        {1, {{KIN_KEY_PREFIX, 3, 0}}}},
    [KIN_TYPE_PHONE] = {{2, {{KIN_KEY_VALUE, 0, 0}, {KIN_KEY_SUFFIX, 6, 0}}},
                        {1, {{KIN_KEY_SUFFIX, 4, 0}}}},
    [KIN_TYPE_DATE] = {{1, {{KIN_KEY_VALUE, 0, 0}}},
                       {2, {{KIN_KEY_VALUE, 0, 0}, {KIN_KEY_YEAR, 0, 0}}}},
    [KIN_TYPE_POSTCODE] = {{1, {{KIN_KEY_VALUE, 0, 0}}},
                           {2, {{KIN_KEY_VALUE, 0, 0}, {KIN_KEY_PREFIX, 3, 0}}}},
    [KIN_TYPE_ID] = {{3, {{KIN_KEY_VALUE, 0, 0}, {KIN_KEY_PREFIX, 5, 0}, {KIN_KEY_SUFFIX, 5, 0}}},
                     {1, {{KIN_KEY_SUFFIX, 4, 0}}}},
    [KIN_TYPE_NUMBER] = {{1, {{KIN_KEY_VALUE, 0, 0}}}, {1, {{KIN_KEY_VALUE, 0, 0}}}},
    [KIN_TYPE_GEO] = {{0, {{0, 0, 0}}}, {0, {{0, 0, 0}}}},
    [KIN_TYPE_ADDRESS] =
        {{3, {{KIN_KEY_VALUE, 0, 0}, {KIN_KEY_PREFIX, 8, 0}, {KIN_KEY_MINHASH, 6, 2}}},
         {1, {{KIN_KEY_PREFIX, 5, 0}}}},
};

struct filled {
    uint16_t field;
    uint32_t records;
};

static int by_filled(const void *a, const void *b)
{
    const struct filled *x = a, *y = b;
    if (x->records != y->records)
        return x->records > y->records ? -1 : 1;
    return x->field < y->field ? -1 : x->field > y->field;
}

/* Fields that one record in a hundred has, those with most values first. */
static size_t choose_fields(const struct kin_schema *schema, const uint8_t *const *records,
                            size_t count, struct filled out[KIN_FIELDS_MAX])
{
    size_t looked = count < FILLED_LOOK ? count : FILLED_LOOK, n = 0;
    for (size_t f = 0; f < schema->count && f < KIN_FIELDS_MAX; f++) {
        struct filled filled = {.field = (uint16_t)f};
        const uint8_t *at;
        for (size_t i = 0; i < looked; i++)
            filled.records += kin_features_values(records[i], (unsigned)f, &at) > 0;
        if (filled.records > looked / 100)
            out[n++] = filled;
    }
    if (n)
        qsort(out, n, sizeof *out, by_filled);
    return n < FIELDS_MAX ? n : FIELDS_MAX;
}

static struct kin_key_term term_of(struct form form, uint16_t field)
{
    return (struct kin_key_term){
        .fn = (enum kin_key_fn)form.fn, .field = field, .n = form.n, .rows = form.rows};
}

static bool has_term(const struct kin_key_rule *rule, const struct kin_key_term *term)
{
    for (unsigned i = 0; i < rule->count; i++) {
        const struct kin_key_term *t = &rule->terms[i];
        if (t->fn == term->fn && t->field == term->field && t->n == term->n &&
            t->rows == term->rows)
            return true;
    }
    return false;
}

static bool is_present(const struct kin_workflow *w, const struct kin_key_rule *rule)
{
    for (size_t k = 0; k < w->block_key_count; k++) {
        bool same = w->keys[k].count == rule->count;
        for (unsigned i = 0; i < rule->count && same; i++)
            same = has_term(&w->keys[k], &rule->terms[i]);
        if (same)
            return true;
    }
    return false;
}

struct listing {
    const struct kin_workflow *workflow;
    struct kin_arena *arena;
    struct next_key *keys;
    int count; /* -1: out of memory */
};

static void add_key(struct listing *l, const struct kin_key_term *terms, uint8_t count)
{
    if (l->count < 0 || l->count == NEXT_KEYS_MAX)
        return;
    struct next_key *key = &l->keys[l->count];
    struct kin_buf text = {0};
    *key = (struct next_key){.rule = {.count = count}};
    memcpy(key->rule.terms, terms, count * sizeof *terms);
    if (is_present(l->workflow, &key->rule))
        return;
    for (unsigned i = 0; i < count; i++) {
        kin_buf_puts(&text, i ? ", " : "");
        kin_key_term_print(&l->workflow->schema, &terms[i], &text);
    }
    key->rule.text = text.failed ? NULL : kin_arena_strndup(l->arena, (const char *)text.p, text.n);
    kin_buf_deinit(&text);
    l->count = key->rule.text ? l->count + 1 : -1;
}

int next_key_list(const struct kin_workflow *workflow, const uint8_t *const *records, size_t count,
                  struct kin_arena *arena, struct next_key out[NEXT_KEYS_MAX])
{
    struct listing l = {workflow, arena, out, 0};
    struct filled fields[KIN_FIELDS_MAX];
    size_t n = choose_fields(&workflow->schema, records, count, fields);
    for (size_t f = 0; f < n; f++) {
        const struct forms *a = &forms_of[workflow->fields[fields[f].field].type].alone;
        for (unsigned i = 0; i < a->count; i++) {
            struct kin_key_term term = term_of(a->form[i], fields[f].field);
            add_key(&l, &term, 1);
        }
    }
    for (size_t g = 1; g < n; g++) {
        for (size_t f = 0; f < g; f++) {
            uint16_t x = fields[f].field, y = fields[g].field;
            const struct forms *a = &forms_of[workflow->fields[x].type].together;
            const struct forms *b = &forms_of[workflow->fields[y].type].together;
            for (unsigned i = 0; i < a->count * b->count; i++) {
                struct kin_key_term terms[2] = {term_of(a->form[i / b->count], x),
                                                term_of(b->form[i % b->count], y)};
                add_key(&l, terms, 2);
            }
        }
    }
    return l.count;
}

/* ---- pairs that are found already ---- */

static bool is_oversized(const struct next_look *look, uint64_t key)
{
    size_t low = 0, high = look->oversized_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kin_le64(look->oversized + 8 * middle) < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < look->oversized_count && kin_le64(look->oversized + 8 * low) == key;
}

static bool any_equal(const uint8_t *a, const uint8_t *b, unsigned field)
{
    const uint8_t *p = NULL, *q = NULL;
    unsigned m = kin_features_values(a, field, &p), n = kin_features_values(b, field, &q);
    for (unsigned i = 0; i < m; i++) {
        uint64_t hash = kin_features_next(&p).hash;
        const uint8_t *at = q;
        for (unsigned j = 0; j < n; j++) {
            if (kin_features_next(&at).hash == hash)
                return true;
        }
    }
    return false;
}

/* A pair in an oversized block: as if its first refinement were always enough. */
static bool share_refined(const struct kin_workflow *w, uint64_t key, const uint8_t *a,
                          const uint8_t *b)
{
    const struct kin_key_rule *rule = &w->keys[kin_key_rule_number(key)];
    for (size_t r = 0; r < w->refine_count; r++) {
        struct kin_key_term bare = {.fn = KIN_KEY_VALUE, .field = w->refine[r]};
        if (!has_term(rule, &bare))
            return any_equal(a, b, w->refine[r]);
    }
    return false;
}

enum found { FOUND_NOT, FOUND_BY_STAR, FOUND_BY_KEY };

/* By the keys that the records have: a star matches without comparing. */
static enum found is_found(const struct next_look *look, const uint8_t *a, const uint8_t *b)
{
    const struct kin_workflow *w = look->workflow;
    unsigned n, m, i = 0, j = 0;
    const uint8_t *x = kin_features_keys(a, &n), *y = kin_features_keys(b, &m);
    enum found found = FOUND_NOT;
    while (i < n && j < m) {
        uint64_t p = kin_le64(x + 8 * (size_t)i), q = kin_le64(y + 8 * (size_t)j);
        if (p == q) {
            unsigned rule = kin_key_rule_number(p);
            if (rule >= w->block_key_count)
                found = FOUND_BY_STAR;
            else if (!is_oversized(look, p) || share_refined(w, p, a, b))
                return FOUND_BY_KEY;
        }
        i += p <= q;
        j += p >= q;
    }
    return found;
}

/* ---- pairs of a key ---- */

struct walk {
    const struct next_look *look;
    struct next_key *key;
    struct kin_buf keys;     /* u64, of record after record, ascending */
    uint32_t *from;          /* [count + 1] */
    struct kin_buf postings; /* struct kin_keyed: key, record; of the blocks that are sampled */
    struct kin_decider_state *state;
    struct kin_comparer_scratch *scratch;
    double weight;   /* of a pair that is looked at */
    uint64_t stride; /* every so many-th is */
};

static void walk_deinit(struct walk *w)
{
    kin_buf_deinit(&w->keys);
    kin_buf_deinit(&w->postings);
    kin_free(w->from);
    kin_decider_state_free(w->state);
    kin_comparer_scratch_free(w->scratch);
}

static kin_status walk_keys(struct walk *w, uint32_t every)
{
    uint64_t keys[KIN_KEYS_MAX], excess = 0;
    size_t count = w->look->count;
    w->from = kin_reallocarray(NULL, count + 1, sizeof *w->from);
    if (!w->from)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < count; i++) {
        size_t n =
            kin_blocking_keys(&w->key->rule, 1, w->look->records[i], KIN_KEYS_MAX, keys, &excess);
        w->from[i] = (uint32_t)(w->keys.n / 8);
        for (size_t k = 0; k < n; k++) {
            struct kin_keyed item = {.key = keys[k], .value = (uint32_t)i};
            kin_buf_u64(&w->keys, keys[k]);
            if (kin_key_is_sampled(keys[k], every))
                kin_buf_put(&w->postings, &item, sizeof item);
        }
    }
    w->from[count] = (uint32_t)(w->keys.n / 8);
    size_t n = w->postings.n / sizeof(struct kin_keyed);
    struct kin_keyed *tmp = kin_reallocarray(NULL, n + 1, sizeof *tmp);
    kin_status status = !tmp || w->keys.failed || w->postings.failed ? KIN_E_NOMEM : KIN_OK;
    if (status == KIN_OK && n)
        kin_radix_sort((struct kin_keyed *)(void *)w->postings.p, tmp, n);
    kin_free(tmp);
    return status;
}

static size_t block_end(const struct kin_keyed *items, size_t n, size_t start)
{
    size_t end = start + 1;
    while (end < n && items[end].key == items[start].key)
        end++;
    return end;
}

/* A pair counts in the block of the smallest of the keys that both have. */
static bool counts_here(const struct walk *w, uint32_t a, uint32_t b, uint64_t key)
{
    uint32_t i = w->from[a], j = w->from[b];
    while (i < w->from[a + 1] && j < w->from[b + 1]) {
        uint64_t p = kin_le64(w->keys.p + 8 * (size_t)i), q = kin_le64(w->keys.p + 8 * (size_t)j);
        if (p == q)
            return p == key;
        i += p < q;
        j += p > q;
    }
    return false;
}

/* Probability that the pair is a match; what is below the threshold is none: of very many pairs
 * small chances would add up to more than they are. */
static double match_probability(const struct walk *w, const uint8_t *a, const uint8_t *b)
{
    int32_t weight;
    if (w->look->rules && kin_decide(w->look->rules, w->state, a, b) >= 0)
        return 1;
    if (!w->look->model ||
        !kin_model_decider_above(w->look->model, w->scratch, a, b, w->look->threshold, &weight))
        return 0;
    return kin_weight_probability(weight);
}

static void look_at(struct walk *w, uint32_t i, uint32_t j, uint64_t key)
{
    const uint8_t *a = w->look->records[i], *b = w->look->records[j];
    if ((w->look->workflow->across_sources && kin_features_source(a) == kin_features_source(b)) ||
        !counts_here(w, i, j, key))
        return;
    w->key->pairs += w->weight;
    enum found found = is_found(w->look, a, b);
    if (found == FOUND_BY_KEY) {
        w->key->shared_matches += w->weight * match_probability(w, a, b);
        return;
    }
    w->key->extra_pairs += w->weight;
    double match = found == FOUND_BY_STAR ? 0 : match_probability(w, a, b);
    w->key->extra_matches += w->weight * match;
    w->key->looked += match;
}

/* Every stride-th pair of a block; *skip pairs are passed over first. */
static void walk_block(struct walk *w, const struct kin_keyed *items, size_t n, uint64_t *skip)
{
    for (size_t i = 0; i + 1 < n; i++) {
        uint64_t pairs = n - 1 - i;
        for (; *skip < pairs; *skip += w->stride)
            look_at(w, items[i].value, items[i + 1 + *skip].value, items[i].key);
        *skip -= pairs;
    }
}

kin_status next_key_judge(const struct next_look *look, uint32_t every, struct next_key *key)
{
    struct walk w = {.look = look, .key = key};
    kin_status status = walk_keys(&w, every);
    const struct kin_keyed *items = (const struct kin_keyed *)(const void *)w.postings.p;
    size_t n = w.postings.n / sizeof *items;
    uint64_t pairs = 0, skip = 0;
    key->pairs = key->shared_matches = key->extra_pairs = key->extra_matches = key->looked = 0;
    key->usable = false;
    for (size_t i = 0, end; status == KIN_OK && i < n; i = end) {
        end = block_end(items, n, i);
        if ((double)(end - i) <= look->max_block)
            pairs += (uint64_t)(end - i) * (end - i - 1) / 2;
    }
    double times = look->times * every;
    if (status != KIN_OK || pairs == 0 || times * (double)pairs > look->most_pairs) {
        walk_deinit(&w);
        return status;
    }
    key->usable = true;
    w.stride = pairs / look->look_pairs + 1;
    w.weight = times * (double)w.stride;
    w.state = look->rules ? kin_decider_state_new(look->rules) : NULL;
    w.scratch = kin_comparer_scratch_new();
    if ((look->rules && !w.state) || !w.scratch)
        status = KIN_E_NOMEM;
    for (size_t i = 0, end; status == KIN_OK && i < n; i = end) {
        end = block_end(items, n, i);
        if ((double)(end - i) <= look->max_block)
            walk_block(&w, items + i, end - i, &skip);
    }
    walk_deinit(&w);
    return status;
}
