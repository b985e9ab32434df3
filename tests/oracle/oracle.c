#include "tests/oracle/oracle_impl.h"

#include "common/match/compare_tokens.h"
#include "tests/oracle/linkage_reference.h"

#include <math.h>
#include <string.h>

/* ---- the plan ---- */

static void add_window(struct oracle_planning *p, const int *members, int n)
{
    p->windows = realloc(p->windows, (size_t)(p->window_count + 1) * sizeof *p->windows);
    int *copy = calloc((size_t)n, sizeof *copy);
    CHECK(p->windows && copy);
    memcpy(copy, members, (size_t)n * sizeof *copy);
    p->windows[p->window_count++] = (struct window){copy, n};
}

static void place(struct oracle_planning *p, const struct kin_key_rule *rule, const char *key,
                  const int *members, int n, size_t depth);

size_t oracle_refining(const struct kin_workflow *w, const struct kin_key_rule *rule, size_t depth)
{
    for (; depth < w->refine_count; depth++) {
        bool bare = false;
        for (unsigned t = 0; t < rule->count; t++)
            bare = bare ||
                   (rule->terms[t].fn == KIN_KEY_VALUE && rule->terms[t].field == w->refine[depth]);
        if (!bare)
            break;
    }
    return depth;
}

void oracle_child_key(char out[256], const char *key, size_t depth, const char *value)
{
    CHECK(snprintf(out, 256, "%s/%zu=%s", key, depth, value) < 256);
}

/* An oversized key: split by the next refining field. */
static void refine(struct oracle_planning *p, const struct kin_key_rule *rule, const char *key,
                   const int *members, int n, size_t depth)
{
    const struct kin_workflow *w = p->o->workflow;
    depth = oracle_refining(w, rule, depth);
    p->o->oversized++;
    oracle_add_string(&p->oversized, key);
    if (depth == w->refine_count) {
        add_window(p, members, n);
        return;
    }
    struct kin_key_term bare = {.fn = KIN_KEY_VALUE, .field = w->refine[depth]};
    struct oracle_strings *values = calloc((size_t)n, sizeof *values), all = {0};
    int *part = calloc((size_t)n, sizeof *part), count = 0;
    CHECK(values && part);
    for (int i = 0; i < n; i++) {
        oracle_term_strings(&p->o->records[members[i]], &bare, &values[i]);
        for (int k = 0; k < values[i].count; k++)
            oracle_add_string(&all, values[i].s[k]);
        if (!values[i].count)
            part[count++] = members[i];
    }
    if (count > 1)
        add_window(p, part, count); /* no value to refine by */
    for (int v = 0; v < all.count; v++) {
        char child[256];
        count = 0;
        for (int i = 0; i < n; i++) {
            if (oracle_has_string(&values[i], all.s[v]))
                part[count++] = members[i];
        }
        oracle_child_key(child, key, depth, all.s[v]);
        place(p, rule, child, part, count, depth + 1);
    }
    for (int i = 0; i < n; i++)
        free(values[i].s);
    free(values);
    free(all.s);
    free(part);
}

static void place(struct oracle_planning *p, const struct kin_key_rule *rule, const char *key,
                  const int *members, int n, size_t depth)
{
    if (n > (int)p->o->workflow->limits.max_block) {
        refine(p, rule, key, members, n, depth);
        return;
    }
    for (int i = 0; i < n; i++)
        oracle_add_string(&p->ordinary[members[i]], key);
}

void oracle_plan_rule(struct oracle_planning *p, const struct kin_key_rule *rule)
{
    struct oracle *o = p->o;
    struct oracle_strings *keys = calloc((size_t)o->count, sizeof *keys), all = {0};
    int *members = calloc((size_t)o->count, sizeof *members);
    CHECK(keys && members);
    for (int i = 0; i < o->count; i++) {
        if (o->records[i].dead)
            continue;
        oracle_rule_strings(&o->records[i], rule, &keys[i]);
        for (int k = 0; k < keys[i].count; k++)
            oracle_add_string(&all, keys[i].s[k]);
    }
    for (int k = 0; k < all.count; k++) {
        int n = 0;
        for (int i = 0; i < o->count; i++) {
            if (oracle_has_string(&keys[i], all.s[k]))
                members[n++] = i;
        }
        place(p, rule, all.s[k], members, n, 0);
    }
    for (int i = 0; i < o->count; i++)
        free(keys[i].s);
    free(keys);
    free(all.s);
    free(members);
}

/* ---- pairs ---- */

int oracle_cmp_identity(const struct oracle_record *a, const struct oracle_record *b)
{
    if (a->source != b->source)
        return a->source < b->source ? -1 : 1;
    return strcmp(a->id, b->id);
}

bool oracle_comparable(const struct oracle *o, int a, int b)
{
    return !o->records[a].dead && !o->records[b].dead &&
           (!o->workflow->across_sources || o->records[a].source != o->records[b].source);
}

void oracle_set_edge(struct oracle *o, int a, int b, int rule)
{
    int *e = &o->edge[(a < b ? a : b) * o->count + (a < b ? b : a)];
    if (*e < 0 || rule < *e)
        *e = rule;
}

static void note_weight(struct oracle *o, int32_t weight, int32_t floor_weight)
{
    int bin = (int)floor((double)weight / KIN_WEIGHT_ONE * 2) + 128;
    bin = bin < 0 ? 0 : bin > 255 ? 255 : bin;
    o->weighed[weight >= floor_weight][bin]++;
    const struct kin_workflow_model *m = o->workflow->model;
    for (size_t i = 0; i < m->threshold_count; i++)
        o->passed[i] += weight >= m->thresholds[i].weight;
}

static void weigh(struct oracle_planning *p, int a, int b)
{
    struct oracle *o = p->o;
    const struct oracle_weighing *w = p->weighing;
    if (!w->decider)
        return;
    int32_t weight = kin_model_decider_weight(w->decider, w->scratch, o->records[a].features,
                                              o->records[b].features);
    note_weight(o, weight, w->floor);
    if (weight < w->floor)
        return;
    oracle_set_edge(o, a, b, (int)o->workflow->rule_count);
    o->weight[(a < b ? a : b) * o->count + (a < b ? b : a)] = weight;
}

void oracle_score(struct oracle_planning *p, int a, int b)
{
    struct oracle *o = p->o;
    o->compared++;
    for (size_t r = 0; r < o->workflow->rule_count; r++) {
        if (kin_condition_eval(o->workflow->rules[r].condition, o->records[a].features,
                               o->records[b].features, p->scratch) == KIN_TRUE) {
            oracle_set_edge(o, a, b, (int)r);
            return;
        }
    }
    weigh(p, a, b);
}

static double number_at(const uint8_t *p)
{
    double x;
    memcpy(&x, p, sizeof x);
    return x;
}

static int cmp_window(const struct oracle *o, int a, int b)
{
    const uint8_t *x = o->records[a].features, *y = o->records[b].features, *p, *q;
    for (unsigned f = 0; f < o->workflow->schema.count; f++) {
        unsigned n = kin_features_values(x, f, &p), m = kin_features_values(y, f, &q);
        if (!n || !m) {
            if (n || m)
                return n ? 1 : -1;
            continue;
        }
        struct kin_value v = kin_features_next(&p), w = kin_features_next(&q);
        int c;
        if (o->workflow->fields[f].type == KIN_TYPE_DATE) {
            int32_t i = (int32_t)kin_le32(v.p), j = (int32_t)kin_le32(w.p);
            c = (i > j) - (i < j);
        } else if (o->workflow->fields[f].type == KIN_TYPE_NUMBER) {
            c = (number_at(v.p) > number_at(w.p)) - (number_at(v.p) < number_at(w.p));
        } else {
            c = kin_str_cmp((struct kin_str){(const char *)v.p, v.bytes},
                            (struct kin_str){(const char *)w.p, w.bytes});
        }
        if (c)
            return c;
    }
    return oracle_cmp_identity(&o->records[a], &o->records[b]);
}

void oracle_score_windows(struct oracle_planning *p)
{
    struct oracle *o = p->o;
    o->windowed = (uint64_t)p->window_count;
    for (int w = 0; w < p->window_count; w++) {
        struct window *x = &p->windows[w];
        for (int i = 1; i < x->count; i++) { /* insertion sort */
            for (int j = i; j > 0 && cmp_window(o, x->members[j - 1], x->members[j]) > 0; j--) {
                int swap = x->members[j];
                x->members[j] = x->members[j - 1];
                x->members[j - 1] = swap;
            }
        }
        for (int i = 0; i < x->count; i++) {
            for (int j = i + 1; j < x->count && j - i <= (int)o->workflow->limits.window; j++) {
                int a = x->members[i], b = x->members[j];
                if (oracle_comparable(o, a, b) &&
                    !oracle_share_string(&p->ordinary[a], &p->ordinary[b]))
                    oracle_score(p, a, b);
            }
        }
    }
}

void oracle_add_stars(struct oracle *o)
{
    for (size_t k = o->workflow->block_key_count; k < o->workflow->key_count; k++) {
        const struct kin_key_rule *rule = &o->workflow->keys[k];
        struct oracle_strings *keys = calloc((size_t)o->count, sizeof *keys);
        CHECK(keys && rule->star);
        for (int i = 0; i < o->count; i++)
            oracle_rule_strings(&o->records[i], rule, &keys[i]);
        for (int i = 0; i < o->count; i++) {
            for (int j = i + 1; j < o->count; j++) {
                if (oracle_comparable(o, i, j) && oracle_share_string(&keys[i], &keys[j]))
                    oracle_set_edge(o, i, j, rule->match_rule);
            }
        }
        for (int i = 0; i < o->count; i++)
            free(keys[i].s);
        free(keys);
    }
}

static void find_dead(struct oracle *o)
{
    for (int i = 0; i < o->count; i++) {
        for (int j = 0; j < o->count; j++) {
            if (i == j || oracle_cmp_identity(&o->records[i], &o->records[j]) != 0)
                continue;
            int64_t x = o->records[i].updated, y = o->records[j].updated;
            o->records[i].dead = o->records[i].dead || y > x || (y == x && j > i);
        }
        o->superseded += o->records[i].dead;
    }
}

static int by_hash(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* How many living records have which words, for the comparisons that weigh them. */
static void count_tokens(const struct oracle *o, struct kin_comparer *comparer)
{
    for (unsigned c = 0; kin_comparer_tokened(comparer) >> c; c++) {
        struct kin_buf all = {0};
        uint64_t total = 0;
        size_t n = 0;
        for (int i = 0; i < o->count; i++) {
            size_t before = all.n;
            if (!o->records[i].dead)
                kin_comparer_tokens(comparer, c, o->records[i].features, &all);
            total += all.n > before;
        }
        uint64_t *hashes = (uint64_t *)(void *)all.p;
        struct kin_value_count *items = calloc(all.n / 8 + 1, sizeof *items);
        CHECK(items && !all.failed);
        if (all.n)
            qsort(hashes, all.n / 8, 8, by_hash);
        for (size_t i = 0; i < all.n / 8; i++) {
            n += i == 0 || hashes[i] != hashes[i - 1];
            items[n - 1].hash = hashes[i];
            items[n - 1].count++;
        }
        CHECK(kin_comparer_set_tokens(comparer, c, total, items, n) == KIN_OK);
        kin_buf_deinit(&all);
        free(items);
    }
}

void oracle_prepare_model(const struct oracle *o, struct oracle_weighing *out)
{
    const struct kin_workflow_model *w = o->workflow->model;
    struct kin_arena arena = {0};
    struct kin_model model;
    struct kin_model_tables tables;
    struct kin_err err;
    if (!w)
        return;
    CHECK(kin_comparer_new(&o->workflow->schema, w->comparisons, w->comparison_count,
                           &out->comparer, &err) == KIN_OK);
    CHECK(kin_model_read(o->model, o->model_bytes, &arena, &model, &err) == KIN_OK);
    kin_model_tables(&model, &tables);
    for (unsigned c = 0; c < w->comparison_count; c++) {
        struct kin_value_count *items =
            calloc((size_t)o->count * KIN_COMPARISON_TERMS_MAX + 1, sizeof *items);
        uint64_t terms[KIN_COMPARISON_TERMS_MAX], total = 0;
        size_t n = 0;
        CHECK(items);
        for (int i = 0; i < o->count && w->comparisons[c].term_frequency; i++) {
            if (o->records[i].dead)
                continue;
            unsigned m = kin_comparer_terms(out->comparer, c, o->records[i].features, terms);
            total += m > 0;
            for (unsigned k = 0; k < m; k++)
                items[n++] = (struct kin_value_count){terms[k], 1};
        }
        CHECK(kin_value_counts_set(&out->counts, c, total, items, n) == KIN_OK);
        free(items);
    }
    count_tokens(o, out->comparer);
    CHECK(kin_model_decider_new(out->comparer, &tables, &out->counts, &out->decider, &err) ==
          KIN_OK);
    out->scratch = kin_comparer_scratch_new();
    CHECK(out->scratch);
    out->threshold = w->thresholds[w->threshold_count - 1].weight;
    out->floor = o->workflow->cluster == KIN_CLUSTER_LINKAGE ? kin_linkage_floor(out->threshold)
                                                             : out->threshold;
    kin_arena_deinit(&arena);
}

void oracle_weighing_deinit(struct oracle_weighing *w)
{
    kin_model_decider_free(w->decider);
    kin_value_counts_deinit(&w->counts);
    kin_comparer_scratch_free(w->scratch);
    kin_comparer_free(w->comparer);
}

/* ---- all of it ---- */

void oracle_begin(struct oracle_planning *p, struct oracle *o, struct oracle_weighing *weighing)
{
    size_t n = (size_t)o->count;
    *p =
        (struct oracle_planning){.o = o, .weighing = weighing, .scratch = kin_kernel_scratch_new()};
    p->ordinary = calloc(n + 1, sizeof *p->ordinary);
    o->edge = calloc(n * n + 1, sizeof *o->edge);
    o->weight = calloc(n * n + 1, sizeof *o->weight);
    o->must = calloc(n * n + 1, sizeof *o->must);
    o->never = calloc(n * n + 1, sizeof *o->never);
    CHECK(p->ordinary && o->edge && o->weight && p->scratch && o->must && o->never);
    for (size_t i = 0; i < n * n; i++)
        o->edge[i] = -1;
}

void oracle_end(struct oracle_planning *p)
{
    for (int i = 0; i < p->o->count; i++)
        free(p->ordinary[i].s);
    for (int i = 0; i < p->window_count; i++)
        free(p->windows[i].members);
    free(p->oversized.s);
    free(p->ordinary);
    free(p->windows);
    kin_kernel_scratch_free(p->scratch);
}

void oracle_score_ordinary(struct oracle_planning *p)
{
    struct oracle *o = p->o;
    for (int i = 0; i < o->count; i++) {
        for (int j = i + 1; j < o->count; j++) {
            if (oracle_comparable(o, i, j) && oracle_share_string(&p->ordinary[i], &p->ordinary[j]))
                oracle_score(p, i, j);
        }
    }
}

void oracle_run(struct oracle *o)
{
    struct oracle_planning p;
    struct oracle_weighing weighing = {0};
    oracle_begin(&p, o, &weighing);
    for (int i = 0; i < o->count; i++)
        oracle_build_features(o, &o->records[i]);
    find_dead(o);
    oracle_find_links(o);
    oracle_prepare_model(o, &weighing);
    for (size_t k = 0; k < o->workflow->block_key_count; k++)
        oracle_plan_rule(&p, &o->workflow->keys[k]);
    oracle_score_ordinary(&p);
    oracle_score_windows(&p);
    oracle_add_stars(o);
    oracle_group(&p);
    oracle_describe(&p);
    oracle_weighing_deinit(&weighing);
    oracle_end(&p);
}

void oracle_free(struct oracle *o)
{
    for (int i = 0; i < o->count; i++)
        kin_free(o->records[i].features);
    free(o->edge);
    free(o->weight);
    free(o->must);
    free(o->never);
}
