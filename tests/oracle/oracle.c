#include "tests/oracle/oracle.h"

#include "common/match/compare_tokens.h"
#include "common/record/features.h"
#include "common/record/normalise.h"
#include "tests/oracle/linkage_reference.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHECK(x) \
    ((x) ? (void)0 : (fprintf(stderr, "oracle: %s:%d: %s\n", __FILE__, __LINE__, #x), abort()))

/* ---- lists of strings ---- */

struct strings {
    char (*s)[256];
    int count;
};

static void add_string(struct strings *l, const char *text)
{
    for (int i = 0; i < l->count; i++) {
        if (strcmp(l->s[i], text) == 0)
            return;
    }
    l->s = realloc(l->s, (size_t)(l->count + 1) * sizeof *l->s);
    CHECK(l->s && strlen(text) < sizeof *l->s);
    strcpy(l->s[l->count++], text); /* NOLINT: length checked */
}

static bool has_string(const struct strings *l, const char *text)
{
    for (int i = 0; i < l->count; i++) {
        if (strcmp(l->s[i], text) == 0)
            return true;
    }
    return false;
}

static bool share_string(const struct strings *a, const struct strings *b)
{
    for (int i = 0; i < a->count; i++) {
        if (has_string(b, a->s[i]))
            return true;
    }
    return false;
}

/* ---- features ---- */

static void build_features(struct oracle *o, struct oracle_record *r)
{
    const struct kin_workflow *w = o->workflow;
    struct kin_norm_scratch *norm = kin_norm_scratch_new();
    struct kin_buf buf = {0};
    struct kin_features_builder b;
    kin_features_begin(&b, &buf, (unsigned)w->schema.count, 0, (uint16_t)r->source,
                       kin_str_of(r->id));
    for (unsigned f = 0; f < w->schema.count; f++) {
        bool begun = false;
        for (int v = 0; v < ORACLE_VALUES; v++) {
            struct kin_norm_value value;
            if (!r->values[f][v][0] ||
                kin_normalise(norm, &w->fields[f], kin_str_of(r->values[f][v]), &value) !=
                    KIN_NORM_VALUE)
                continue;
            if (!begun)
                kin_features_field(&b, f);
            begun = true;
            kin_features_value(&b, value.p, value.bytes, value.ascii);
        }
    }
    CHECK(kin_features_end(&b, NULL, 0) == KIN_OK);
    kin_norm_scratch_free(norm);
    r->features = buf.p;
}

/* ---- keys as strings (the values in these tests are ASCII) ---- */

static void add_parts(const char *text, const struct kin_key_term *t, struct strings *out)
{
    size_t n = strlen(text);
    char part[256];
    if (t->fn == KIN_KEY_TOKENS) {
        for (const char *p = text; *p;) {
            size_t len = strcspn(p, " ");
            snprintf(part, sizeof part, "%.*s", (int)len, p);
            if (len)
                add_string(out, part);
            p += len + (p[len] == ' ');
        }
    } else if (n <= t->n) {
        add_string(out, text);
    } else {
        for (size_t i = 0; i + t->n <= n; i++) {
            snprintf(part, sizeof part, "%.*s", t->n, text + i);
            add_string(out, part);
        }
    }
}

static void term_strings(const struct oracle_record *r, const struct kin_key_term *t,
                         struct strings *out)
{
    const uint8_t *at;
    unsigned n = kin_features_values(r->features, t->field, &at);
    if (!n && t->empty_is_value)
        add_string(out, "\x01null");
    for (unsigned i = 0; i < n; i++) {
        struct kin_value v = kin_features_next(&at);
        char text[200], code[5], other[5];
        snprintf(text, sizeof text, "%.*s", (int)v.bytes, (const char *)v.p);
        size_t len = strlen(text);
        switch (t->fn) {
        case KIN_KEY_VALUE: {
            char hex[256] = "";
            for (uint32_t k = 0; k < v.bytes && k < 120; k++)
                snprintf(hex + 2 * k, 3, "%02x", v.p[k]);
            add_string(out, hex);
            break;
        }
        case KIN_KEY_SOUNDEX:
            if (kin_soundex((struct kin_str){text, len}, code))
                add_string(out, code);
            break;
        case KIN_KEY_METAPHONE:
            if (kin_double_metaphone((struct kin_str){text, len}, code, other)) {
                add_string(out, code);
                add_string(out, other);
            }
            break;
        case KIN_KEY_PREFIX:
            text[len < t->n ? len : t->n] = '\0';
            add_string(out, text);
            break;
        case KIN_KEY_SUFFIX:
            add_string(out, text + (len < t->n ? 0 : len - t->n));
            break;
        case KIN_KEY_YEAR: {
            time_t seconds = (time_t)(int32_t)kin_le32(v.p) * 86400;
            struct tm tm;
            snprintf(text, sizeof text, "%d", gmtime_r(&seconds, &tm)->tm_year + 1900);
            add_string(out, text);
            break;
        }
        case KIN_KEY_TOKENS:
        case KIN_KEY_QGRAMS:
            add_parts(text, t, out);
            break;
        case KIN_KEY_MINHASH:
            CHECK(t->fn != KIN_KEY_MINHASH); /* not in these tests */
        }
    }
}

static void combine(const struct oracle_record *r, const struct kin_key_rule *rule, unsigned term,
                    const char *so_far, struct strings *out)
{
    if (term == rule->count) {
        add_string(out, so_far);
        return;
    }
    struct strings parts = {0};
    term_strings(r, &rule->terms[term], &parts);
    for (int i = 0; i < parts.count; i++) {
        char longer[256];
        snprintf(longer, sizeof longer, "%s|%s", so_far, parts.s[i]);
        combine(r, rule, term + 1, longer, out);
    }
    free(parts.s);
}

static void rule_strings(const struct oracle_record *r, const struct kin_key_rule *rule,
                         struct strings *out)
{
    char start[16];
    snprintf(start, sizeof start, "%u", rule->number);
    combine(r, rule, 0, start, out);
}

/* ---- the plan ---- */

struct weighing { /* of the model; NULL members: there is none */
    struct kin_comparer *comparer;
    struct kin_value_counts counts;
    struct kin_model_decider *decider;
    struct kin_comparer_scratch *scratch;
    int32_t threshold, floor;
};

struct planning {
    struct oracle *o;
    struct weighing weighing;
    struct strings *ordinary; /* [record] keys under which it is compared */
    struct window {
        int *members;
        int count;
    } * windows;
    int window_count;
};

static void add_window(struct planning *p, const int *members, int n)
{
    p->windows = realloc(p->windows, (size_t)(p->window_count + 1) * sizeof *p->windows);
    int *copy = calloc((size_t)n, sizeof *copy);
    CHECK(p->windows && copy);
    memcpy(copy, members, (size_t)n * sizeof *copy);
    p->windows[p->window_count++] = (struct window){copy, n};
}

static void place(struct planning *p, const struct kin_key_rule *rule, const char *key,
                  const int *members, int n, size_t depth);

/* An oversized key: split by the next refining field. */
static void refine(struct planning *p, const struct kin_key_rule *rule, const char *key,
                   const int *members, int n, size_t depth)
{
    const struct kin_workflow *w = p->o->workflow;
    for (; depth < w->refine_count; depth++) {
        bool bare = false;
        for (unsigned t = 0; t < rule->count; t++)
            bare = bare ||
                   (rule->terms[t].fn == KIN_KEY_VALUE && rule->terms[t].field == w->refine[depth]);
        if (!bare)
            break;
    }
    p->o->oversized++;
    if (depth == w->refine_count) {
        add_window(p, members, n);
        return;
    }
    struct kin_key_term bare = {.fn = KIN_KEY_VALUE, .field = w->refine[depth]};
    struct strings *values = calloc((size_t)n, sizeof *values), all = {0};
    int *part = calloc((size_t)n, sizeof *part), count = 0;
    CHECK(values && part);
    for (int i = 0; i < n; i++) {
        term_strings(&p->o->records[members[i]], &bare, &values[i]);
        for (int k = 0; k < values[i].count; k++)
            add_string(&all, values[i].s[k]);
        if (!values[i].count)
            part[count++] = members[i];
    }
    if (count > 1)
        add_window(p, part, count); /* no value to refine by */
    for (int v = 0; v < all.count; v++) {
        char child[256];
        count = 0;
        for (int i = 0; i < n; i++) {
            if (has_string(&values[i], all.s[v]))
                part[count++] = members[i];
        }
        snprintf(child, sizeof child, "%s/%zu=%s", key, depth, all.s[v]);
        place(p, rule, child, part, count, depth + 1);
    }
    for (int i = 0; i < n; i++)
        free(values[i].s);
    free(values);
    free(all.s);
    free(part);
}

static void place(struct planning *p, const struct kin_key_rule *rule, const char *key,
                  const int *members, int n, size_t depth)
{
    if (n > (int)p->o->workflow->limits.max_block) {
        refine(p, rule, key, members, n, depth);
        return;
    }
    for (int i = 0; i < n; i++)
        add_string(&p->ordinary[members[i]], key);
}

static void plan_rule(struct planning *p, const struct kin_key_rule *rule)
{
    struct oracle *o = p->o;
    struct strings *keys = calloc((size_t)o->count, sizeof *keys), all = {0};
    int *members = calloc((size_t)o->count, sizeof *members);
    CHECK(keys && members);
    for (int i = 0; i < o->count; i++) {
        if (o->records[i].dead)
            continue;
        rule_strings(&o->records[i], rule, &keys[i]);
        for (int k = 0; k < keys[i].count; k++)
            add_string(&all, keys[i].s[k]);
    }
    for (int k = 0; k < all.count; k++) {
        int n = 0;
        for (int i = 0; i < o->count; i++) {
            if (has_string(&keys[i], all.s[k]))
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

static int cmp_identity(const struct oracle_record *a, const struct oracle_record *b)
{
    if (a->source != b->source)
        return a->source < b->source ? -1 : 1;
    return strcmp(a->id, b->id);
}

static bool comparable(const struct oracle *o, int a, int b)
{
    return !o->records[a].dead && !o->records[b].dead &&
           (!o->workflow->across_sources || o->records[a].source != o->records[b].source);
}

static void set_edge(struct oracle *o, int a, int b, int rule)
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

static void weigh(struct planning *p, int a, int b)
{
    struct oracle *o = p->o;
    struct weighing *w = &p->weighing;
    if (!w->decider)
        return;
    int32_t weight = kin_model_decider_weight(w->decider, w->scratch, o->records[a].features,
                                              o->records[b].features);
    note_weight(o, weight, w->floor);
    if (weight < w->floor)
        return;
    set_edge(o, a, b, (int)o->workflow->rule_count);
    o->weight[(a < b ? a : b) * o->count + (a < b ? b : a)] = weight;
}

static void score(struct planning *p, int a, int b, struct kin_kernel_scratch *scratch)
{
    struct oracle *o = p->o;
    o->compared++;
    for (size_t r = 0; r < o->workflow->rule_count; r++) {
        if (kin_condition_eval(o->workflow->rules[r].condition, o->records[a].features,
                               o->records[b].features, scratch) == KIN_TRUE) {
            set_edge(o, a, b, (int)r);
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
    return cmp_identity(&o->records[a], &o->records[b]);
}

static void score_windows(struct planning *p, struct kin_kernel_scratch *scratch)
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
                if (comparable(o, a, b) && !share_string(&p->ordinary[a], &p->ordinary[b]))
                    score(p, a, b, scratch);
            }
        }
    }
}

static void add_stars(struct oracle *o)
{
    for (size_t k = o->workflow->block_key_count; k < o->workflow->key_count; k++) {
        const struct kin_key_rule *rule = &o->workflow->keys[k];
        struct strings *keys = calloc((size_t)o->count, sizeof *keys);
        CHECK(keys && rule->star);
        for (int i = 0; i < o->count; i++)
            rule_strings(&o->records[i], rule, &keys[i]);
        for (int i = 0; i < o->count; i++) {
            for (int j = i + 1; j < o->count; j++) {
                if (comparable(o, i, j) && share_string(&keys[i], &keys[j]))
                    set_edge(o, i, j, rule->match_rule);
            }
        }
        for (int i = 0; i < o->count; i++)
            free(keys[i].s);
        free(keys);
    }
}

/* ---- groups ---- */

static void relabel(struct oracle *o, int from, int to)
{
    for (int i = 0; i < o->count; i++) {
        if (o->records[i].group == from)
            o->records[i].group = to;
    }
}

static bool forbidden(const struct oracle *o, int a, int b, struct kin_kernel_scratch *scratch)
{
    if (o->never_unchecked)
        return false;
    for (size_t r = 0; r < o->workflow->never_count; r++) {
        if (kin_condition_eval(o->workflow->never[r].condition, o->records[a].features,
                               o->records[b].features, scratch) == KIN_TRUE)
            return true;
    }
    return false;
}

static bool may_join(const struct oracle *o, int x, int y, struct kin_kernel_scratch *scratch)
{
    for (int i = 0; i < o->count; i++) {
        for (int j = 0; j < o->count && o->records[i].group == x; j++) {
            if (o->records[j].group == y && forbidden(o, i, j, scratch))
                return false;
        }
    }
    return true;
}

/* The edges of one component in their order of strength, each tried once. */
static void rebuild(struct oracle *o, const int *component, int root,
                    struct kin_kernel_scratch *scratch)
{
    int n = 0, *order = calloc((size_t)o->count, sizeof *order); /* members by (source, id) */
    CHECK(order);
    for (int i = 0; i < o->count; i++) {
        if (component[i] != root)
            continue;
        o->records[i].group = i;
        int at = n++;
        for (; at > 0 && cmp_identity(&o->records[order[at - 1]], &o->records[i]) > 0; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (int rule = 0; rule < (int)o->workflow->rule_count; rule++) {
        for (int i = 0; i < n; i++) {
            for (int j = i + 1; j < n; j++) {
                int a = order[i] < order[j] ? order[i] : order[j], b = order[i] + order[j] - a;
                int x = o->records[a].group, y = o->records[b].group;
                if (o->edge[a * o->count + b] == rule && x != y && may_join(o, x, y, scratch))
                    relabel(o, x > y ? x : y, x < y ? x : y);
            }
        }
    }
    free(order);
}

static void apply_vetoes(struct oracle *o, struct kin_kernel_scratch *scratch)
{
    int *component = calloc((size_t)o->count, sizeof *component);
    CHECK(component);
    for (int i = 0; i < o->count; i++)
        component[i] = o->records[i].group;
    for (int root = 0; root < o->count; root++) {
        uint32_t n = 0;
        bool violated = false;
        for (int i = 0; i < o->count; i++) {
            n += component[i] == root;
            for (int j = i + 1; j < o->count && component[i] == root; j++)
                violated = violated || (component[j] == root && forbidden(o, i, j, scratch));
        }
        if (violated && n <= o->workflow->limits.max_veto_group)
            rebuild(o, component, root, scratch);
    }
    free(component);
}

/* An edge that makes one group of its ends. */
static bool joins(const struct planning *p, int a, int b)
{
    const struct oracle *o = p->o;
    int at = (a < b ? a : b) * o->count + (a < b ? b : a), rule = o->edge[at];
    return rule >= 0 &&
           (rule < (int)o->workflow->rule_count || o->weight[at] >= p->weighing.threshold);
}

struct inside {
    const struct oracle *o;
    const int *order;
    struct kin_kernel_scratch *scratch;
};

static bool inside_forbidden(void *arg, uint32_t a, uint32_t b)
{
    const struct inside *k = arg;
    return forbidden(k->o, k->order[a], k->order[b], k->scratch);
}

/* One component, by the reference of the clustering. */
static void cluster(struct planning *p, const int *component, int root,
                    struct kin_kernel_scratch *scratch)
{
    struct oracle *o = p->o;
    const struct kin_workflow *w = o->workflow;
    int order[LINKAGE_REFERENCE_MAX], n = 0;
    uint16_t source[LINKAGE_REFERENCE_MAX];
    static struct kin_linkage_edge edges[LINKAGE_REFERENCE_MAX * LINKAGE_REFERENCE_MAX];
    static struct linkage_reference found;
    static struct kin_linkage_pair must[LINKAGE_REFERENCE_MAX * LINKAGE_REFERENCE_MAX];
    static struct kin_linkage_pair never[LINKAGE_REFERENCE_MAX * LINKAGE_REFERENCE_MAX];
    size_t edge_count = 0, must_count = 0, never_count = 0;
    for (int i = 0; i < o->count; i++) {
        if (component[i] != root)
            continue;
        CHECK(n < LINKAGE_REFERENCE_MAX);
        int at = n++;
        for (; at > 0 && cmp_identity(&o->records[order[at - 1]], &o->records[i]) > 0; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (int i = 0; i < n; i++) {
        source[i] = (uint16_t)o->records[order[i]].source;
        for (int j = i + 1; j < n; j++) {
            int a = order[i] < order[j] ? order[i] : order[j], b = order[i] + order[j] - a;
            int rule = o->edge[a * o->count + b];
            bool model = rule == (int)w->rule_count;
            if (o->must[a * o->count + b])
                must[must_count++] = (struct kin_linkage_pair){(uint32_t)i, (uint32_t)j};
            if (o->never[a * o->count + b])
                never[never_count++] = (struct kin_linkage_pair){(uint32_t)i, (uint32_t)j};
            if (rule >= 0)
                edges[edge_count++] = (struct kin_linkage_edge){
                    (uint32_t)i, (uint32_t)j,
                    model ? o->weight[a * o->count + b] : KIN_LINKAGE_CERTAIN,
                    model ? KIN_LINKAGE_MODEL : (uint16_t)rule};
        }
    }
    int32_t thresholds[4] = {0};
    size_t levels = w->model ? w->model->threshold_count : 1;
    size_t primary = w->model ? w->model->primary : 0;
    CHECK(levels <= 4);
    for (size_t i = 0; w->model && i < levels; i++)
        thresholds[i] = w->model->thresholds[i].weight;
    struct inside inside = {o, order, scratch};
    struct kin_linkage_component c = {.count = (uint32_t)n,
                                      .source = source,
                                      .edges = edges,
                                      .edge_count = edge_count,
                                      .must = must,
                                      .must_count = must_count,
                                      .never = never,
                                      .never_count = never_count,
                                      .forbidden = w->never_count ? inside_forbidden : NULL,
                                      .forbidden_arg = &inside};
    struct kin_linkage_options options = {
        .method = w->cluster == KIN_CLUSTER_LINKAGE ? KIN_LINKAGE_AVERAGE : KIN_LINKAGE_CONNECTED,
        .across_sources = w->across_sources,
        .clean = w->clean,
        .clean_count = w->clean_count,
        .thresholds = thresholds,
        .threshold_count = levels,
        .floor = kin_linkage_floor(p->weighing.threshold),
        .unscored = kin_linkage_floor(p->weighing.threshold)};
    linkage_reference_run(&c, &options, &found);
    for (int i = 0; i < n; i++) {
        int first = order[i];
        for (int j = 0; j < n; j++) {
            if (found.group[primary][j] == found.group[primary][i] && order[j] < first)
                first = order[j];
        }
        o->records[order[i]].group = first;
        for (size_t level = 0; level < levels; level++) /* items are in the order of founders */
            o->records[order[i]].level[level] = order[found.group[level][i]];
    }
}

static void group_records(struct planning *p, struct kin_kernel_scratch *scratch)
{
    struct oracle *o = p->o;
    for (int i = 0; i < o->count; i++) {
        o->records[i].group = o->records[i].dead ? -1 : i;
        for (int level = 0; level < 4; level++)
            o->records[i].level[level] = i;
    }
    for (int i = 0; i < o->count; i++) {
        for (int j = i + 1; j < o->count; j++) {
            int x = o->records[i].group, y = o->records[j].group;
            if ((joins(p, i, j) || o->must[i * o->count + j]) && x != y)
                relabel(o, x > y ? x : y, x < y ? x : y);
        }
    }
    if (kin_workflow_only_vetoes(o->workflow)) {
        if (o->workflow->never_count)
            apply_vetoes(o, scratch);
        return;
    }
    if (!kin_workflow_clusters(o->workflow))
        return;
    int *component = calloc((size_t)o->count + 1, sizeof *component);
    CHECK(component);
    for (int i = 0; i < o->count; i++)
        component[i] = o->records[i].group;
    for (int root = 0; root < o->count; root++) {
        if (component[root] == root)
            cluster(p, component, root, scratch);
    }
    free(component);
}

static void describe_records(const struct planning *p)
{
    struct oracle *o = p->o;
    for (int i = 0; i < o->count; i++) {
        struct oracle_record *r = &o->records[i];
        r->best_rule = -1;
        r->best_weight = INT32_MIN;
        r->founder = i;
        r->size = 0;
        for (int j = 0; j < o->count && r->group >= 0; j++) {
            if (o->records[j].group != r->group)
                continue;
            r->size++;
            if (cmp_identity(&o->records[j], &o->records[r->founder]) < 0)
                r->founder = j;
            int at = (i < j ? i : j) * o->count + (i < j ? j : i);
            r->linked = r->linked || o->must[at];
            if (i == j || !joins(p, i, j))
                continue;
            int rule = o->edge[at];
            if (r->best_rule < 0 || rule < r->best_rule ||
                (rule == r->best_rule && o->weight[at] > r->best_weight)) {
                r->best_rule = rule;
                r->best_weight = o->weight[at];
            }
            o->edges += i < j;
        }
    }
}

static void find_dead(struct oracle *o)
{
    for (int i = 0; i < o->count; i++) {
        for (int j = 0; j < o->count; j++) {
            if (i == j || cmp_identity(&o->records[i], &o->records[j]) != 0)
                continue;
            int64_t x = o->records[i].updated, y = o->records[j].updated;
            o->records[i].dead = o->records[i].dead || y > x || (y == x && j > i);
        }
        o->superseded += o->records[i].dead;
    }
}

static int find_record(const struct oracle *o, uint32_t source, const char *id)
{
    for (int i = 0; i < o->count; i++) {
        const struct oracle_record *r = &o->records[i];
        if (!r->dead && r->source == source && strcmp(r->id, id) == 0)
            return i;
    }
    return -1;
}

static void find_links(struct oracle *o)
{
    for (int l = 0; l < o->link_count; l++) {
        const struct oracle_link *link = &o->links[l];
        int a = find_record(o, link->source[0], link->id[0]),
            b = find_record(o, link->source[1], link->id[1]);
        if (a < 0 || b < 0) {
            o->links_unknown++;
            continue;
        }
        bool *of = link->never ? o->never : o->must;
        of[a * o->count + b] = of[b * o->count + a] = true;
        o->links_never += link->never;
        o->links_must += !link->never;
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

/* The model of the text, and how often values occur among the records. */
static void prepare_model(struct planning *p)
{
    struct oracle *o = p->o;
    const struct kin_workflow_model *w = o->workflow->model;
    struct weighing *out = &p->weighing;
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

void oracle_run(struct oracle *o)
{
    struct planning p = {.o = o};
    struct kin_kernel_scratch *scratch = kin_kernel_scratch_new();
    size_t n = (size_t)o->count;
    p.ordinary = calloc(n + 1, sizeof *p.ordinary);
    o->edge = calloc(n * n + 1, sizeof *o->edge);
    o->weight = calloc(n * n + 1, sizeof *o->weight);
    o->must = calloc(n * n + 1, sizeof *o->must);
    o->never = calloc(n * n + 1, sizeof *o->never);
    CHECK(p.ordinary && o->edge && o->weight && scratch && o->must && o->never);
    for (size_t i = 0; i < n * n; i++)
        o->edge[i] = -1;
    for (int i = 0; i < o->count; i++)
        build_features(o, &o->records[i]);
    find_dead(o);
    find_links(o);
    prepare_model(&p);
    for (size_t k = 0; k < o->workflow->block_key_count; k++)
        plan_rule(&p, &o->workflow->keys[k]);
    for (int i = 0; i < o->count; i++) {
        for (int j = i + 1; j < o->count; j++) {
            if (comparable(o, i, j) && share_string(&p.ordinary[i], &p.ordinary[j]))
                score(&p, i, j, scratch);
        }
    }
    score_windows(&p, scratch);
    add_stars(o);
    group_records(&p, scratch);
    describe_records(&p);
    for (int i = 0; i < o->count; i++)
        free(p.ordinary[i].s);
    for (int i = 0; i < p.window_count; i++)
        free(p.windows[i].members);
    free(p.ordinary);
    free(p.windows);
    kin_kernel_scratch_free(scratch);
    kin_model_decider_free(p.weighing.decider);
    kin_value_counts_deinit(&p.weighing.counts);
    kin_comparer_scratch_free(p.weighing.scratch);
    kin_comparer_free(p.weighing.comparer);
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
