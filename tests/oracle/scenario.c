#include "tests/oracle/scenario.h"

#include "common/match/compare_decide.h"
#include "coordinator/coordinator.h"
#include "coordinator/match_id.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(x) \
    ((x) ? (void)0 : (fprintf(stderr, "scenario: %s:%d: %s\n", __FILE__, __LINE__, #x), abort()))

/* ---- choices ---- */

static uint64_t next(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}
static int below(uint64_t *state, int n)
{
    return (int)(next(state) % (uint64_t)n);
}
static bool chance(uint64_t *state, int percent)
{
    return below(state, 100) < percent;
}
static const char *pick(uint64_t *state, const char *const *list, int n)
{
    return list[below(state, n)];
}

enum { F_FIRST, F_LAST, F_DOB, F_EMAIL, F_PHONE, F_TAX, F_PRICE };
static const char *const first_names[] = {"Ann",  "Anna", "Bob",  "Bobby", "Carla",
                                          "Karl", "Dan",  "Dane", "Eve",   "Eva Maria"};
static const char *const last_names[] = {"Smith",  "Smyth", "Lee",    "Leigh",  "O'Brien",
                                         "Obrien", "Jones", "Johnes", "Miller", "Mueller"};
static const char *const births[] = {"1980-01-02", "1980-02-01", "1981-01-02",
                                     "1999-12-31", "2000-01-01", "not a date"};
static const char *const emails[] = {"a@x.com", "b@x.com", "c@y.org", "d@y.org", "e@z.net"};
static const char *const phones[] = {"020 7946 0958", "+44 20 7946 0958", "0161 496 0001",
                                     "555-0100 22"};
static const char *const taxes[] = {"T1", "T2", "T3", "T4"};
static const char *const prices[] = {"10", "10.2", "11", "25", "100"};
#define COUNT(list) (int)(sizeof(list) / sizeof *(list))

static const char *const block_terms[] = {"[email]",
                                          "[last, dob]",
                                          "[soundex(last)]",
                                          "[phone]",
                                          "[\"prefix(first, 2)\", \"year(dob)\"]",
                                          "[metaphone(last), first]",
                                          "[tokens(first)]",
                                          "[\"qgrams(last, 3)\", tax]",
                                          "[\"suffix(last, 3)\"]",
                                          "[tax]",
                                          "[dob]"};
static const char *const rule_texts[] = {
    "Exact(email)",
    "Exact(tax) AND Exact(dob)",
    "Exact(email) OR (Exact(phone) AND Exact(last))",
    "Exact(phone)",
    "JaroWinkler(last, 0.85) AND Exact(dob)",
    "Levenshtein(first, 1) AND Soundex(last)",
    "JaroWinkler(first, 0.9) AND (Exact(phone) OR Within(dob, 31 days))",
    "Within(price, 5 %) AND Damerau(last, 2) AND NOT Differs(tax)",
    "Swapped(first, last) AND NOT Empty(dob)",
    "Jaccard(first, 0.5) AND Exact(tax)",
    "Metaphone(last) AND SameYear(dob)",
    "Prefix(last, 3) AND Exact(first, EmptyValues=Process)"};
static const char *const never_texts[] = {"Differs(tax)", "Differs(dob) AND Differs(first)",
                                          "Exact(email) AND Differs(last)"};

static const char *const compare_texts[] = {
    "    first: {levels: [exact, jaro_winkler 0.9, jaro_winkler 0.7], term_frequency: true}\n",
    "    last: {levels: [exact, damerau 1, soundex], term_frequency: true}\n",
    ("    whole: {fields: [first, last], levels: [any exact, any soft_tfidf 0.6, any tfidf 0.3 of "
     "2-grams]}\n"),
    "    dob: [exact, damerau 1, same year]\n",
    "    email: [exact, same username]\n",
    "    phone: {levels: [exact], term_frequency: true}\n",
    "    price: [exact, within 5 %]\n",
    "    names: {fields: [first, last], levels: [exact, swapped exact, swapped jaro 0.8]}\n"};

/* ---- the workflow ---- */

/* Any m and u will do, if they fall the right way. */
static void make_model(struct scenario *s, uint64_t *r)
{
    const struct kin_workflow_model *w = s->workflow->model;
    struct kin_comparer *comparer;
    struct kin_model model = {.prior = 0.01 + below(r, 20) * 0.01};
    struct kin_err err;
    CHECK(kin_comparer_new(&s->workflow->schema, w->comparisons, w->comparison_count, &comparer,
                           &err) == KIN_OK);
    kin_comparer_spec(comparer, &model.spec);
    for (unsigned c = 0; c < model.spec.count; c++) {
        unsigned levels = model.spec.comparisons[c].level_count;
        double m = 0, u = 0;
        for (unsigned l = 1; l <= levels; l++) {
            double strong = levels + 1 - l, weak = l;
            model.m[c][l] = (1 + below(r, 9)) * strong * strong;
            model.u[c][l] = (1 + below(r, 9)) * weak * weak;
            m += model.m[c][l];
            u += model.u[c][l];
        }
        for (unsigned l = 1; l <= levels; l++) {
            model.m[c][l] /= m;
            model.u[c][l] /= u;
            model.m_seen[c][l] = model.u_seen[c][l] = true;
        }
        model.damping[c] = below(r, 2) ? 1 : 0.8;
        model.tf_fuzzy[c] = 0.5;
        model.tf_matched[c] = below(r, 2) ? 0 : 0.2 * below(r, 20);
    }
    kin_model_round(&model);
    if (kin_model_write(&model, &s->model, &err) != KIN_OK) {
        fprintf(stderr, "scenario: %s\n", err.msg);
        abort();
    }
    kin_comparer_free(comparer);
}

static void write_workflow(struct scenario *s, uint64_t *r, int sources,
                           const struct scenario_options *o)
{
    bool models = o->models;
    static const char *const source_names[] = {"beta", "alpha", "gamma"};
    struct kin_buf *b = &s->workflow_text;
    kin_buf_puts(b, "kindred: 1\nworkflow: test\nsources:\n");
    for (int i = 0; i < sources; i++)
        kin_buf_printf(b, "  %s: {path: \"/in/%s*\", id: key, updated: at}\n", source_names[i],
                       source_names[i]);
    kin_buf_puts(b, "fields:\n  first: name\n  last: name\n  dob: date\n  email: email\n"
                    "  phone: {type: phone, country: GB, columns: [phone1, phone2]}\n"
                    "  tax: id\n  price: number\n");
    int rules = 1 + below(r, 4), blocks = 1 + below(r, 4);
    kin_buf_puts(b, "block_on:\n");
    unsigned used = 0;
    for (int i = 0; i < blocks; i++) {
        int k = below(r, COUNT(block_terms));
        if (used >> k & 1)
            continue;
        used |= 1u << k;
        kin_buf_printf(b, "  - %s\n", block_terms[k]);
    }
    kin_buf_puts(b, "rules:\n");
    used = 0;
    for (int i = 0; i < rules; i++) {
        int k = below(r, COUNT(rule_texts));
        if (used >> k & 1)
            continue;
        used |= 1u << k;
        kin_buf_printf(b, "  - {name: rule %d, when: \"%s\"}\n", k, rule_texts[k]);
    }
    if (chance(r, 40)) {
        kin_buf_puts(b, "never:\n");
        kin_buf_printf(b, "  - {name: apart, when: \"%s\"}\n",
                       pick(r, never_texts, COUNT(never_texts)));
    }
    if (chance(r, 30))
        kin_buf_puts(b, chance(r, 50) ? "refine: [first, price]\n" : "refine: [phone, last]\n");
    if (sources > 1 && chance(r, 30))
        kin_buf_puts(b, "pairs: across_sources\n");
    bool model = models && chance(r, 60), clean = models && sources > 1 && chance(r, 40);
    if (model) {
        kin_buf_puts(b, "model:\n  file: /model.json\n");
        if (chance(r, 40))
            kin_buf_printf(b, "  thresholds: [0.99, 0.%d, 0.4]\n  primary: %s\n", 50 + below(r, 45),
                           chance(r, 50) ? "0.99" : "0.4");
        else
            kin_buf_printf(b, "  threshold: 0.%d\n", 50 + below(r, 50));
        kin_buf_puts(b, "  compare:\n");
        int parts = 1 + below(r, COUNT(compare_texts));
        for (int i = 0; i < parts; i++)
            kin_buf_puts(b, compare_texts[i]);
    }
    if (clean || (model && chance(r, 40)))
        kin_buf_printf(b, "cluster: {method: %s%s}\n",
                       model && chance(r, 60) ? "linkage" : "connected",
                       clean ? ", clean_sources: [beta]" : "");
    if (o->links)
        kin_buf_puts(b, "links: {file: [/links.csv, /more*.jsonl]}\n");
    kin_buf_printf(b, "limits: {max_block: %d, window: %d, max_veto_group: %d, max_group: %d}\n",
                   2 + below(r, 12), 2 + below(r, 3), chance(r, 80) ? 5000 : 5, 2 + below(r, 9));
    struct kin_problems problems = {0};
    struct kin_str text = {(const char *)b->p, b->n};
    if (kin_workflow_parse(text, "", &s->workflow, &problems) != KIN_OK) {
        struct kin_buf out = {0};
        kin_problems_print(&problems, "scenario", text, &out);
        fprintf(stderr, "seed %llu\n%.*s", (unsigned long long)s->seed, (int)out.n, (char *)out.p);
        abort();
    }
    kin_problems_deinit(&problems);
}

/* ---- the records ---- */

static void set_value(uint64_t *r, char *to, const char *const *list, int n, int typo)
{
    char text[64];
    snprintf(text, sizeof text, "%s", pick(r, list, n));
    if (chance(r, typo) && strlen(text) > 2) {
        size_t at = 1 + (size_t)below(r, (int)strlen(text) - 1);
        text[at] = (char)('a' + below(r, 3));
    }
    snprintf(to, 64, "%s", chance(r, 15) ? "" : text);
}

void scenario_record(uint64_t *r, bool unique, int number, struct oracle_record *x)
{
    *x = (struct oracle_record){.updated = INT64_MIN};
    snprintf(x->id, sizeof x->id, "%s%d", chance(r, 50) ? "a" : "b",
             unique ? number : number - (chance(r, 10) ? 1 + below(r, 3) : 0));
    set_value(r, x->values[F_FIRST][0], first_names, COUNT(first_names), 10);
    set_value(r, x->values[F_LAST][0], last_names, COUNT(last_names), 10);
    set_value(r, x->values[F_DOB][0], births, COUNT(births), 0);
    set_value(r, x->values[F_EMAIL][0], emails, COUNT(emails), 20);
    set_value(r, x->values[F_PHONE][0], phones, COUNT(phones), 0);
    set_value(r, x->values[F_PHONE][1], phones, COUNT(phones), 0);
    set_value(r, x->values[F_TAX][0], taxes, COUNT(taxes), 0);
    set_value(r, x->values[F_PRICE][0], prices, COUNT(prices), 0);
    if (chance(r, 50))
        x->updated = 1000000 * (int64_t)(1 + below(r, 3));
}

enum { COLUMNS = 8 };
static const char *const columns[COLUMNS] = {"first",  "last",   "dob", "email",
                                             "phone1", "phone2", "tax", "price"};

static const char *column_value(const struct oracle_record *x, int column)
{
    static const int fields[COLUMNS] = {F_FIRST, F_LAST,  F_DOB, F_EMAIL,
                                        F_PHONE, F_PHONE, F_TAX, F_PRICE};
    return x->values[fields[column]][column == 5];
}

static void put_updated(struct kin_buf *out, const struct oracle_record *x)
{
    if (x->updated != INT64_MIN)
        kin_buf_printf(out, "%lld", (long long)(x->updated / 1000000));
}

void scenario_put_json(const struct oracle_record *x, struct kin_buf *out)
{
    kin_buf_printf(out, "{\"key\": \"%s\", \"at\": \"", x->id);
    put_updated(out, x);
    kin_buf_putc(out, '"');
    for (int c = 0; c < COLUMNS; c++) {
        if (*column_value(x, c))
            kin_buf_printf(out, ", \"%s\": \"%s\"", columns[c], column_value(x, c));
    }
    kin_buf_puts(out, "}\n");
}

void scenario_put_fields(const struct oracle_record *x, struct kin_buf *out)
{
    kin_buf_puts(out, "{\"phone\": [");
    for (int v = 0, n = 0; v < 2; v++) {
        if (*x->values[F_PHONE][v])
            kin_buf_printf(out, "%s\"%s\"", n++ ? ", " : "", x->values[F_PHONE][v]);
    }
    kin_buf_putc(out, ']');
    for (int c = 0; c < COLUMNS; c++) {
        if (c != 4 && c != 5 && *column_value(x, c))
            kin_buf_printf(out, ", \"%s\": \"%s\"", columns[c], column_value(x, c));
    }
    kin_buf_puts(out, "}\n");
}

static void put_row(struct scenario_file *f, const struct oracle_record *x, bool jsonl)
{
    if (jsonl) {
        scenario_put_json(x, &f->bytes);
        return;
    }
    kin_csv_cell(&f->bytes, kin_str_of(x->id));
    kin_buf_putc(&f->bytes, ',');
    put_updated(&f->bytes, x);
    for (int c = 0; c < COLUMNS; c++) {
        kin_buf_putc(&f->bytes, ',');
        kin_csv_cell(&f->bytes, kin_str_of(column_value(x, c)));
    }
    kin_buf_putc(&f->bytes, '\n');
}

static void put_bad_row(struct scenario *s, uint64_t *r, struct scenario_file *f, bool jsonl)
{
    static const char *const bad_csv[] = {"x,y\n", "a\"b,,,,,,,,,\n", ",,Ann,,,,,,,\n"};
    static const char *const bad_json[] = {"{\"key\": 1\n", "[1, 2]\n", "{\"first\": \"Ann\"}\n"};
    kin_buf_puts(&f->bytes, jsonl ? pick(r, bad_json, 3) : pick(r, bad_csv, 3));
    s->rejected++;
}

/* Files in the order the job reads them: sources by name, then paths. */
static void write_files(struct scenario *s, uint64_t *r, int sources,
                        const struct scenario_options *o)
{
    static const char *const sorted[][3] = {
        {"beta"}, {"alpha", "beta"}, {"alpha", "beta", "gamma"}};
    int max = o->records_max ? o->records_max : 90, at = 0;
    struct oracle_record *records = calloc((size_t)max * 6, sizeof *records);
    CHECK(records);
    for (int source = 0; source < sources; source++) {
        int files = 1 + chance(r, 30);
        for (int k = 0; k < files; k++) {
            bool jsonl = chance(r, 30);
            struct scenario_file *f = &s->files[s->file_count++];
            snprintf(f->path, sizeof f->path, "/in/%s%d.%s", sorted[sources - 1][source], k,
                     jsonl ? "jsonl" : "csv");
            if (!jsonl)
                kin_buf_puts(&f->bytes, "key,at,first,last,dob,email,phone1,phone2,tax,price\n");
            int n = below(r, max / sources) + 1, first = at;
            for (int i = 0; i < n; i++, at++) {
                scenario_record(r, o->shuffle, at, &records[at]);
                records[at].source = (uint32_t)source;
            }
            uint64_t shuffle = o->shuffle_seed;
            for (int i = n - 1; i > 0 && o->shuffle && o->shuffle_seed; i--) {
                int j = below(&shuffle, i + 1);
                struct oracle_record swap = records[first + i];
                records[first + i] = records[first + j];
                records[first + j] = swap;
            }
            for (int i = first; i < at; i++) {
                put_row(f, &records[i], jsonl);
                if (!o->shuffle && chance(r, 4))
                    put_bad_row(s, r, f, jsonl);
            }
        }
    }
    s->oracle = (struct oracle){.workflow = s->workflow, .records = records, .count = at};
}

/* ---- links of people ---- */

/* What must links hold together, over identities: for each record the first of its identity's set.
 */
static void hold(const struct oracle *o, const struct oracle_link *links, int count, int *set)
{
    for (int i = 0; i < o->count; i++) {
        for (set[i] = 0;; set[i]++) {
            const struct oracle_record *x = &o->records[i], *y = &o->records[set[i]];
            if (x->source == y->source && strcmp(x->id, y->id) == 0)
                break;
        }
    }
    for (int l = 0; l < count; l++) {
        int end[2] = {-1, -1};
        for (int i = 0; i < o->count; i++) {
            for (int k = 0; k < 2; k++) {
                if (o->records[i].source == links[l].source[k] &&
                    strcmp(o->records[i].id, links[l].id[k]) == 0)
                    end[k] = set[i];
            }
        }
        for (int i = 0; i < o->count && !links[l].never && end[0] >= 0 && end[1] >= 0; i++)
            set[i] = set[i] == end[1] ? end[0] : set[i];
    }
}

static bool contradicts(const struct oracle *o, const struct oracle_link *links, int count)
{
    int *set = calloc((size_t)o->count + 1, sizeof *set);
    bool wrong = false;
    CHECK(set);
    hold(o, links, count, set);
    for (int l = 0; l < count; l++) {
        for (int i = 0; i < o->count && links[l].never; i++) {
            for (int j = 0; j < o->count; j++) {
                const struct oracle_record *x = &o->records[i], *y = &o->records[j];
                wrong = wrong ||
                        (set[i] == set[j] && x->source == links[l].source[0] &&
                         y->source == links[l].source[1] && strcmp(x->id, links[l].id[0]) == 0 &&
                         strcmp(y->id, links[l].id[1]) == 0);
            }
        }
    }
    free(set);
    return wrong;
}

static void put_link(const struct scenario *s, const struct oracle_link *link,
                     struct scenario_file *csv, struct scenario_file *jsonl, bool second)
{
    const char *left = s->workflow->sources[link->source[0]].name,
               *right = s->workflow->sources[link->source[1]].name,
               *kind = link->never ? "never" : "must";
    if (second)
        kin_buf_printf(&jsonl->bytes,
                       "{\"kind\": \"%s\", \"right\": \"%s/%s\", \"left\": \"%s/%s\"}\n", kind,
                       right, link->id[1], left, link->id[0]);
    else
        kin_buf_printf(&csv->bytes, "%s/%s,%s/%s,%s,anna,\"so, so\"\n", left, link->id[0], right,
                       link->id[1], kind);
}

/* Links between any two rows, dead ones too, some of records that are not there; what would
 * contradict the others is left out. */
static void make_links(struct scenario *s, uint64_t *r)
{
    struct oracle *o = &s->oracle;
    struct scenario_file *csv = &s->files[s->file_count++], *jsonl = &s->files[s->file_count++];
    snprintf(csv->path, sizeof csv->path, "/links.csv");
    snprintf(jsonl->path, sizeof jsonl->path, "/more1.jsonl");
    kin_buf_puts(&csv->bytes, "left,right,kind,by,note\n");
    for (int tries = below(r, ORACLE_LINKS_MAX); tries > 0; tries--) {
        struct oracle_link *link = &o->links[o->link_count];
        link->never = chance(r, 60);
        for (int k = 0; k < 2; k++) {
            const struct oracle_record *x = &o->records[below(r, o->count)];
            link->source[k] = x->source;
            snprintf(link->id[k], sizeof link->id[k], "%.20s%s", x->id,
                     chance(r, 3) ? "/gone" : "");
        }
        bool same = link->source[0] == link->source[1] && strcmp(link->id[0], link->id[1]) == 0;
        if (same || contradicts(o, o->links, o->link_count + 1))
            continue;
        o->link_count++;
        put_link(s, link, csv, jsonl, chance(r, 30));
    }
}

struct scenario *scenario_new(uint64_t seed, const struct scenario_options *options)
{
    struct scenario *s = calloc(1, sizeof *s);
    CHECK(s);
    uint64_t r = seed;
    s->seed = seed;
    s->pairs = chance(&r, 50);
    int sources = 1 + below(&r, 3);
    write_workflow(s, &r, sources, options);
    write_files(s, &r, sources, options);
    if (options->links)
        make_links(s, &r);
    s->oracle.never_unchecked = options->never_unchecked;
    if (s->workflow->model) {
        make_model(s, &r);
        struct scenario_file *f = &s->files[s->file_count++];
        snprintf(f->path, sizeof f->path, "/model.json");
        kin_buf_put(&f->bytes, s->model.p, s->model.n);
        s->oracle.model = (const char *)s->model.p;
        s->oracle.model_bytes = s->model.n;
    }
    oracle_run(&s->oracle);
    return s;
}

void scenario_free(struct scenario *s)
{
    oracle_free(&s->oracle);
    free(s->oracle.records);
    kin_workflow_free(s->workflow);
    kin_buf_deinit(&s->workflow_text);
    kin_buf_deinit(&s->model);
    for (int i = 0; i < s->file_count; i++)
        kin_buf_deinit(&s->files[i].bytes);
    free(s);
}

/* ---- the comparison ---- */

static void expect_id(const struct scenario *s, const struct oracle_record *founder, char out[33])
{
    kin_match_id(KIN_MATCH_ID_KEY, kin_str_of(s->workflow->name),
                 kin_str_of(s->workflow->sources[founder->source].name), kin_str_of(founder->id), 0,
                 out);
    out[32] = '\0';
}

static bool same_text(const char *what, struct kin_str got, const struct kin_buf *expected)
{
    struct kin_str want = {(const char *)expected->p, expected->n};
    if (kin_str_eq(got, want))
        return true;
    size_t at = 0;
    while (at < got.n && at < want.n && got.p[at] == want.p[at])
        at++;
    while (at > 0 && want.p[at - 1] != '\n')
        at--;
    fprintf(stderr, "%s differs:\n  got      %.*s\n  expected %.*s\n", what,
            (int)strcspn(got.p + (at < got.n ? at : 0), "\n"), got.p + (at < got.n ? at : 0),
            (int)strcspn(want.p + at, "\n"), want.p + at);
    return false;
}

static const char *rule_name(const struct scenario *s, int rule)
{
    if (rule < 0)
        return "";
    return rule < (int)s->workflow->rule_count ? s->workflow->rules[rule].name : "model";
}

static void expect_matches(const struct scenario *s, struct kin_buf *b)
{
    const struct oracle *o = &s->oracle;
    const struct kin_workflow_model *model = s->workflow->model;
    size_t levels = model && model->threshold_count > 1 ? model->threshold_count : 0;
    kin_buf_puts(b, "source,id,match_id,match_rule,confidence,group_size");
    for (size_t level = 0; level < levels; level++) {
        if (level != model->primary)
            kin_buf_printf(b, ",match_id_%s", model->thresholds[level].text);
    }
    kin_buf_putc(b, '\n');
    for (int i = 0; i < o->count; i++) {
        const struct oracle_record *r = &o->records[i];
        char id[33];
        if (r->dead)
            continue;
        expect_id(s, &o->records[r->founder], id);
        char confidence[32] = "";
        if (r->best_rule >= 0)
            snprintf(confidence, sizeof confidence, "1");
        if (r->best_rule == (int)s->workflow->rule_count)
            snprintf(confidence, sizeof confidence, "%.6f",
                     round(1e6 * kin_weight_probability(r->best_weight)) / 1e6);
        kin_buf_printf(b, "%s,%s,%s,%s,%s,%d", s->workflow->sources[r->source].name, r->id, id,
                       r->linked ? "must" : rule_name(s, r->best_rule),
                       r->linked ? "1" : confidence, r->size);
        for (size_t level = 0; level < levels; level++) {
            if (level == model->primary)
                continue;
            expect_id(s, &o->records[r->level[level]], id);
            kin_buf_printf(b, ",%s", id);
        }
        kin_buf_putc(b, '\n');
    }
}

/* Stars list only the edges that hold them together, so every row must be an edge of the oracle, in
 * order, and every edge whose rule is no star's must be there. */
static bool check_pairs(const struct scenario *s, struct kin_str pairs)
{
    const struct oracle *o = &s->oracle;
    uint64_t rows = 0, known = 0;
    struct kin_buf line = {0};
    for (size_t i = 0; i < pairs.n; i++)
        rows += pairs.p[i] == '\n';
    for (int i = 0; i < o->count; i++) {
        for (int j = i + 1; j < o->count; j++) {
            int rule = o->edge[i * o->count + j];
            bool must = o->must[i * o->count + j];
            if ((rule < 0 && !must) || o->records[i].group != o->records[j].group)
                continue;
            const struct oracle_record *a = &o->records[i], *b = &o->records[j];
            if (a->source > b->source || (a->source == b->source && strcmp(a->id, b->id) > 0)) {
                const struct oracle_record *swap = a;
                a = b;
                b = swap;
            }
            kin_buf_clear(&line);
            bool model = rule == (int)s->workflow->rule_count;
            int32_t weight = o->weight[i * o->count + j];
            if (model && !must &&
                weight < s->workflow->model->thresholds[s->workflow->model->primary].weight)
                continue;
            kin_buf_printf(&line, "\n%s,%s,%s,%s,", s->workflow->sources[a->source].name, a->id,
                           s->workflow->sources[b->source].name, b->id);
            if (must)
                kin_buf_puts(&line, ",1,must\n");
            else if (model)
                kin_buf_printf(&line, "%.3f,%.6f,model\n",
                               round(1e3 * weight / KIN_WEIGHT_ONE) / 1e3 + 0.0,
                               round(1e6 * kin_weight_probability(weight)) / 1e6);
            else
                kin_buf_printf(&line, ",1,%s\n", rule_name(s, rule));
            bool found = memmem(pairs.p, pairs.n, line.p, line.n) != NULL;
            bool star = false;
            for (size_t k = s->workflow->block_key_count; k < s->workflow->key_count; k++)
                star = star || (!must && s->workflow->keys[k].match_rule == rule);
            known += found;
            if (!found && !star) {
                fprintf(stderr, "pairs.csv lacks %.*s", (int)line.n - 1, (char *)line.p + 1);
                kin_buf_deinit(&line);
                return false;
            }
        }
    }
    kin_buf_deinit(&line);
    if (known != rows - 1)
        fprintf(stderr, "pairs.csv: %llu rows, of which %llu are edges\n",
                (unsigned long long)rows - 1, (unsigned long long)known);
    return known == rows - 1;
}

/* Groups over max_group are all there, and where nothing is kept apart their trees span them. */
static bool check_large(const struct scenario *s, const json_t *groups)
{
    const struct oracle *o = &s->oracle;
    const json_t *list = json_object_get(groups, "largest_over_max_group");
    size_t expected = 0;
    for (int i = 0; i < o->count; i++)
        expected += !o->records[i].dead && o->records[i].founder == i &&
                    o->records[i].size > (int)s->workflow->limits.max_group;
    bool ok = json_array_size(list) == expected;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *group = json_array_get(list, i);
        json_int_t size = json_integer_value(json_object_get(group, "size")),
                   links = json_integer_value(json_object_get(group, "links"));
        if (i < KIN_REPORT_GLUED_MAX)
            ok = ok && links < size && (links == size - 1 || kin_workflow_clusters(s->workflow));
    }
    if (!ok)
        fprintf(stderr, "report: groups over max_group\n");
    return ok;
}

/* Scenarios are so small that every pair is weighed to the end. */
static bool check_weights(const struct scenario *s, const json_t *report)
{
    const struct oracle *o = &s->oracle;
    const json_t *model = json_object_get(report, "model"), *bin, *level;
    uint64_t left[2][256];
    bool ok = json_integer_value(json_object_get(model, "weighed_one_in")) == 1;
    size_t i;
    memcpy(left, o->weighed, sizeof left);
    json_array_foreach(json_object_get(model, "weights"), i, bin)
    {
        int at = (int)(2 * json_number_value(json_object_get(bin, "from"))) + 128;
        ok = ok && at >= 0 && at < 256;
        left[0][ok ? at : 0] -= (uint64_t)json_integer_value(json_object_get(bin, "below_floor"));
        left[1][ok ? at : 0] -= (uint64_t)json_integer_value(json_object_get(bin, "from_floor"));
    }
    for (size_t k = 0; k < 256; k++)
        ok = ok && left[0][k] == 0 && left[1][k] == 0;
    const json_t *levels = json_object_get(model, "thresholds");
    size_t last = s->workflow->model->threshold_count - 1;
    uint64_t matched = (uint64_t)json_integer_value(json_object_get(report, "pairs_matched"));
    ok = ok && json_array_size(levels) == last + 1;
    json_array_foreach(levels, i, level)
    {
        uint64_t pairs = (uint64_t)json_integer_value(json_object_get(level, "pairs"));
        uint64_t groups = 0, grouped = 0;
        for (int a = 0; a < o->count && last > 0; a++) {
            int members = 0, leads = !o->records[a].dead && o->records[a].level[i] == a;
            for (int b = 0; b < o->count && leads; b++)
                members += !o->records[b].dead && o->records[b].level[i] == a;
            groups += members > 1;
            grouped += members > 1 ? (uint64_t)members : 0;
        }
        ok = ok && i <= last && pairs == matched - o->passed[last] + o->passed[i];
        ok = ok && (last == 0 ||
                    (groups == (uint64_t)json_integer_value(json_object_get(level, "groups")) &&
                     grouped == (uint64_t)json_integer_value(json_object_get(level, "grouped"))));
    }
    if (!ok)
        fprintf(stderr, "report: the weights of pairs are others\n");
    return ok;
}

static bool check_report(const struct scenario *s, struct kin_str report)
{
    const struct oracle *o = &s->oracle;
    json_error_t error;
    json_t *j = json_loadb(report.p, report.n, 0, &error);
    uint64_t alive = (uint64_t)o->count - o->superseded, grouped = 0;
    for (int i = 0; i < o->count; i++)
        grouped += !o->records[i].dead && o->records[i].size > 1;
    struct {
        const char *name;
        uint64_t expected;
    } counts[] = {{"read", (uint64_t)o->count + s->rejected},
                  {"grouped", grouped},
                  {"singletons", alive - grouped},
                  {"superseded", o->superseded},
                  {"rejected", s->rejected},
                  {"pairs_compared", o->compared}};
    bool ok = j != NULL;
    for (int i = 0; i < COUNT(counts) && j; i++) {
        uint64_t got = (uint64_t)json_integer_value(json_object_get(j, counts[i].name));
        if (got == counts[i].expected)
            continue;
        fprintf(stderr, "report: %s is %llu, expected %llu\n", counts[i].name,
                (unsigned long long)got, (unsigned long long)counts[i].expected);
        ok = false;
    }
    ok = j && check_large(s, json_object_get(j, "groups")) && ok;
    struct {
        const char *name;
        uint64_t expected;
    } links[] = {{"read", (uint64_t)o->link_count},
                 {"must", o->links_must},
                 {"never", o->links_never},
                 {"unknown", o->links_unknown}};
    for (int i = 0; i < COUNT(links) && j && s->workflow->link_file_count; i++) {
        uint64_t got = (uint64_t)json_integer_value(
            json_object_get(json_object_get(j, "links"), links[i].name));
        if (got == links[i].expected)
            continue;
        fprintf(stderr, "report: links.%s is %llu, expected %llu\n", links[i].name,
                (unsigned long long)got, (unsigned long long)links[i].expected);
        ok = false;
    }
    uint64_t reasons = 0;
    for (size_t i = 0; j && i < json_array_size(json_object_get(j, "rejected_by_reason")); i++)
        reasons += (uint64_t)json_integer_value(
            json_object_get(json_array_get(json_object_get(j, "rejected_by_reason"), i), "rows"));
    if (reasons != s->rejected) {
        fprintf(stderr, "report: %llu rows have a reason\n", (unsigned long long)reasons);
        ok = false;
    }
    if (j && s->workflow->model)
        ok = check_weights(s, j) && ok;
    json_decref(j);
    return ok;
}

bool scenario_check(const struct scenario *s, struct kin_str matches, struct kin_str pairs,
                    struct kin_str errors, struct kin_str report)
{
    struct kin_buf expected = {0};
    expect_matches(s, &expected);
    bool ok = same_text("matches.csv", matches, &expected);
    kin_buf_deinit(&expected);
    uint64_t lines = 0;
    for (size_t i = 0; i < errors.n; i++)
        lines += errors.p[i] == '\n';
    uint64_t rows = s->rejected + s->oracle.links_unknown;
    if (lines != rows + 1) {
        fprintf(stderr, "errors.csv: %llu lines, expected %llu\n", (unsigned long long)lines,
                (unsigned long long)rows + 1);
        ok = false;
    }
    ok = ok && (!s->pairs || check_pairs(s, pairs));
    ok = check_report(s, report) && ok;
    if (!ok)
        fprintf(stderr, "scenario seed %llu:\n%.*s", (unsigned long long)s->seed,
                (int)s->workflow_text.n, (const char *)s->workflow_text.p);
    return ok;
}
