/* model and cluster of a workflow file: what good ones mean, and what is said of bad ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/workflow/workflow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- helpers ---- */

/* Lines 1 to 12; the model follows. */
#define HEAD                                                                     \
    "kindred: 1\n"                                                               \
    "workflow: people\n"                                                         \
    "sources:\n"                                                                 \
    "  crm: {path: crm.csv, id: cid}\n"                                          \
    "  web: {path: web.csv, id: uid}\n"                                          \
    "fields: {name: name, last: name, dob: date, email: email, price: number,\n" \
    "         home: phone, mobile: phone, place: geo}\n"                         \
    "block_on:\n"                                                                \
    "  - email\n"                                                                \
    "  - [soundex(last), dob]\n"                                                 \
    "  - [prefix(name, 3), year(dob)]\n"                                         \
    "# lines of the model from here on\n"

struct parsed {
    kin_status status;
    struct kin_workflow *w;
    struct kin_problems problems;
};

static struct parsed parse(const char *head, const char *rest)
{
    struct kin_buf text = {0};
    kin_buf_puts(&text, head);
    kin_buf_puts(&text, rest);
    assert_false(text.failed);
    struct parsed p = {.status = KIN_OK};
    p.status = kin_workflow_parse((struct kin_str){(const char *)text.p, text.n}, "/base", &p.w,
                                  &p.problems);
    kin_buf_deinit(&text);
    return p;
}

static void parsed_deinit(struct parsed *p)
{
    kin_workflow_free(p->w);
    kin_problems_deinit(&p->problems);
}

static struct parsed parse_good(const char *rest)
{
    struct parsed p = parse(HEAD, rest);
    for (size_t i = 0; i < p.problems.count; i++)
        print_error("%u:%u: %s: %s\n", p.problems.items[i].line, p.problems.items[i].column,
                    p.problems.items[i].key, p.problems.items[i].text);
    assert_int_equal(p.status, KIN_OK);
    return p;
}

static void check_level(const struct kin_comparison *c, unsigned level, const char *expected)
{
    struct kin_buf text = {0};
    assert_in_range(level, 0, c->level_count - 1);
    kin_level_print(c->levels[level], &text);
    kin_buf_putc(&text, '\0');
    assert_string_equal((const char *)text.p, expected);
    kin_buf_deinit(&text);
}

/* ---- good files ---- */

static void a_model_alone_has_defaults(void **state)
{
    (void)state;
    struct parsed p = parse_good("model: {compare: {email: exact}}\n");
    const struct kin_workflow_model *m = p.w->model;
    assert_non_null(m);
    assert_int_equal(p.w->rule_count, 0);
    assert_int_equal(p.w->key_count, 3);
    assert_int_equal(p.w->block_key_count, 3);
    assert_int_equal(m->comparison_count, 1);
    assert_int_equal(m->threshold_count, 1);
    assert_int_equal(m->thresholds[0].weight, kin_probability_weight(0.95));
    assert_string_equal(m->thresholds[0].text, "0.95");
    assert_int_equal(m->primary, 0);
    assert_null(m->file);
    assert_int_equal(m->pass_count, 3);
    assert_memory_equal(m->passes, ((uint8_t[]){0, 1, 2}), 3);
    assert_int_equal(m->random_pairs, 0);
    assert_int_equal(m->pass_pairs, 1000000);
    assert_int_equal(p.w->cluster, KIN_CLUSTER_LINKAGE);
    assert_int_equal(p.w->clean_count, 0);
    parsed_deinit(&p);
}

static void links_have_files(void **state)
{
    (void)state;
    struct parsed p = parse_good("rules: [Exact(email)]\nlinks: {file: [a.csv, /b/*.jsonl]}\n");
    assert_int_equal(p.w->link_file_count, 2);
    assert_non_null(strstr(p.w->link_files[0], "a.csv"));
    assert_string_equal(p.w->link_files[1], "/b/*.jsonl");
    assert_true(kin_workflow_clusters(p.w));
    assert_false(kin_workflow_refines(p.w));
    parsed_deinit(&p);
    p = parse_good("rules: [Exact(email)]\n");
    assert_int_equal(p.w->link_file_count, 0);
    assert_false(kin_workflow_clusters(p.w));
    parsed_deinit(&p);
}

static void comparisons_have_fields_and_levels(void **state)
{
    (void)state;
    struct parsed p =
        parse_good("rules: [Exact(email)]\n"
                   "cluster: {method: connected, clean_sources: [web, crm]}\n"
                   "model:\n"
                   "  compare:\n"
                   "    last: [EXACT, jaro_winkler 0.920]\n"
                   "    whole name:\n"
                   "      levels: [exact, swapped, any soundex]\n"
                   "      fields: [name, last]\n"
                   "      term_frequency: true\n"
                   "    dob: {levels: [exact, within 1 days], term_frequency: false}\n"
                   "    phones: {fields: [mobile, home], levels: any exact}\n");
    const struct kin_workflow_model *m = p.w->model;
    assert_int_equal(p.w->rule_count, 1);
    assert_int_equal(p.w->key_count, 4); /* the star of the rule, too */
    assert_int_equal(m->comparison_count, 4);
    const struct kin_comparison *c = m->comparisons;
    assert_string_equal(c[0].name, "last");
    assert_int_equal(c[0].field_count, 1);
    assert_int_equal(c[0].fields[0], 1);
    assert_int_equal(c[0].level_count, 2);
    assert_false(c[0].term_frequency);
    check_level(&c[0], 1, "jaro_winkler 0.92");
    assert_string_equal(c[1].name, "whole name");
    assert_int_equal(c[1].field_count, 2);
    assert_int_equal(c[1].fields[1], 1);
    assert_true(c[1].term_frequency);
    check_level(&c[1], 2, "any soundex");
    check_level(&c[2], 1, "within 1 day");
    assert_false(c[2].term_frequency);
    assert_int_equal(c[3].fields[0], 6);
    assert_int_equal(c[3].level_count, 1);
    assert_int_equal(p.w->cluster, KIN_CLUSTER_CONNECTED);
    assert_int_equal(p.w->clean_count, 2);
    assert_memory_equal(p.w->clean, ((uint16_t[]){0, 1}), 4);
    struct kin_comparer *comparer = NULL;
    assert_int_equal(
        kin_comparer_new(&p.w->schema, m->comparisons, m->comparison_count, &comparer, NULL),
        KIN_OK);
    kin_comparer_free(comparer);
    parsed_deinit(&p);
}

static void thresholds_are_sorted_and_one_is_primary(void **state)
{
    (void)state;
    struct parsed p = parse_good("model:\n"
                                 "  primary: {weight: 4.0}\n"
                                 "  compare: {email: [exact]}\n"
                                 "  thresholds: [0.8, {weight: 12}, 0.990, {weight: 4},\n"
                                 "               {weight: -0.5}]\n");
    static const char *const texts[] = {"weight 12", "0.99", "weight 4", "0.8", "weight -0.5"};
    const struct kin_workflow_model *m = p.w->model;
    assert_int_equal(m->threshold_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(m->thresholds[i].text, texts[i]);
    assert_int_equal(m->primary, 2);
    assert_int_equal(m->thresholds[0].weight, 12 * KIN_WEIGHT_ONE);
    assert_true(m->thresholds[2].probability > 0.94 && m->thresholds[2].probability < 0.942);
    assert_int_equal(m->thresholds[4].weight, -KIN_WEIGHT_ONE / 2);
    parsed_deinit(&p);

    p = parse_good("model: {compare: {email: [exact]}, threshold: {weight: 3.25}}\n");
    assert_int_equal(p.w->model->thresholds[0].weight, 13 * KIN_WEIGHT_ONE / 4);
    parsed_deinit(&p);
    p = parse_good("model: {compare: {email: [exact]}, thresholds: [0.5]}\n");
    assert_int_equal(p.w->model->threshold_count, 1);
    assert_int_equal(p.w->model->thresholds[0].weight, 0);
    parsed_deinit(&p);
}

static void a_model_comes_from_a_file_or_from_training(void **state)
{
    (void)state;
    struct parsed p = parse_good("model: {compare: {email: [exact]}, file: people.model.json}\n");
    assert_string_equal(p.w->model->file, "/base/people.model.json");
    assert_int_equal(p.w->model->pass_count, 0);
    parsed_deinit(&p);
    p = parse_good("model: {compare: {email: [exact]}, file: /abs/m.json}\n");
    assert_string_equal(p.w->model->file, "/abs/m.json");
    parsed_deinit(&p);
    p = parse_good("model: {compare: {email: [exact]}, train: true}\n");
    assert_int_equal(p.w->model->pass_count, 3);
    parsed_deinit(&p);
    p = parse_good("model:\n"
                   "  compare: {email: [exact]}\n"
                   "  train:\n"
                   "    passes: [[year(dob), prefix(name, 3)], [email]]\n"
                   "    random_pairs: 10000\n"
                   "    pass_pairs: 1000000000\n");
    assert_int_equal(p.w->model->pass_count, 2);
    assert_memory_equal(p.w->model->passes, ((uint8_t[]){2, 0}), 2);
    assert_int_equal(p.w->model->random_pairs, 10000);
    assert_int_equal(p.w->model->pass_pairs, 1000000000);
    parsed_deinit(&p);
}

static void rules_alone_are_as_they_were(void **state)
{
    (void)state;
    struct parsed p = parse_good("rules: [Exact(email)]\n");
    assert_null(p.w->model);
    assert_int_equal(p.w->cluster, KIN_CLUSTER_CONNECTED);
    parsed_deinit(&p);
}

/* ---- bad files ---- */

enum { WANTED_MAX = 3 };
static const struct {
    const char *head, *rest;
    struct wanted {
        unsigned line, column;
        const char *key, *text;
    } wanted[WANTED_MAX];
} bad_cases[] = {
    {"kindred: 1\nworkflow: w\nsources: {s: {path: p, id: i}}\nfields: {a: name}\n",
     "model: {compare: {a: exact}}\n",
     {{1, 1, "block_on",
       "missing; the model decides pairs that share a blocking key; expected lists of terms, such "
       "as [[email], [soundex(last_name), dob]]"}}},
    {"kindred: 1\nworkflow: w\nsources: {s: {path: p, id: i}}\nfields: {a: name}\n",
     "rules: [Exact(a)]\nmodel: {compare: {a: exact}}\nblock_on: []\n",
     {{7, 11, "block_on",
       "found an empty list; the model decides pairs that share a blocking key; expected lists of "
       "terms, such as [[email], [soundex(last_name), dob]]"}}},
    {HEAD, "", {{1, 1, "rules", "missing; expected a list of rules, or a model"}}},
    {HEAD, "model: true\n", {{13, 8, "model", "found 'true'; expected a map of keys and values"}}},
    {HEAD, "model: {}\n", {{13, 8, "model.compare", "missing; expected a map of comparisons"}}},
    {HEAD,
     "model: {compare: [email]}\n",
     {{13, 18, "model.compare", "found a list; expected a map of comparisons"}}},
    {HEAD,
     "model: {compare: {}}\n",
     {{13, 18, "model.compare", "found 0 comparisons; expected 1 to 15"}}},
    {HEAD,
     "model: {compare: {email: exact}, treshold: 0.9}\n",
     {{13, 34, "model.treshold", "unknown key; did you mean 'threshold'?"}}},
    /* comparisons */
    {HEAD,
     "model: {compare: {emial: exact}}\n",
     {{13, 19, "model.compare.emial", "unknown field 'emial'; did you mean 'email'?"}}},
    {HEAD,
     "model: {compare: {whole name: {levels: [exact]}}}\n",
     {{13, 19, "model.compare.whole name",
       "unknown field 'whole name'; expected a name that `fields` has"}}},
    {HEAD,
     "model: {compare: {\"a\\x01b\": {fields: [name, last], levels: [exact]}}}\n",
     {{13, 19, "model.compare.a?b",
       "'a?b' is no name of a comparison; expected 1 to 255 bytes without control characters"}}},
    {HEAD,
     "model: {compare: {email: }}\n",
     {{13, 19, "model.compare.email",
       "found nothing; expected a list of levels, or a map with `levels`"}}},
    {HEAD,
     "model: {compare: {email: {}}}\n",
     {{13, 26, "model.compare.email.levels", "missing; expected a list of levels"}}},
    {HEAD,
     "model: {compare: {email: []}}\n",
     {{13, 26, "model.compare.email", "found 0 levels; expected 1 to 13"}}},
    {HEAD,
     "model: {compare: {email: [[exact]]}}\n",
     {{13, 27, "model.compare.email[0]",
       "found a list; expected a level such as exact or jaro_winkler 0.92"}}},
    {HEAD,
     "model: {compare: {email: [exact, null]}}\n",
     {{13, 34, "model.compare.email[1]",
       "found nothing; expected a level such as exact or jaro_winkler 0.92"}}},
    {HEAD,
     "model: {compare: {email: {levels: {exact: 1}}}}\n",
     {{13, 35, "model.compare.email.levels", "found a map; expected a list of levels"}}},
    {HEAD,
     "model: {compare: {email: [exact, jaro_winkeler 0.9], dob: jaro 0.9}}\n",
     {{13, 34, "model.compare.email[1]", "no level \"jaro_winkeler\"; did you mean jaro_winkler?"},
      {13, 59, "model.compare.dob",
       "jaro takes a field of type name, text, email, phone, postcode, id or address; \"dob\" is "
       "of type date"}}},
    {HEAD,
     "model: {compare: {email: [exact, \"jaro_winkler\\x20\\x39\"]}}\n",
     {{13, 51, "model.compare.email[1]",
       "a similarity is greater than 0 and at most 1 (90 % is 0.9), found 9"}}},
    {HEAD,
     "model: {compare: {name: [jaro_winkler 0.8, jaro_winkler 0.92]}}\n",
     {{13, 44, "model.compare.name[1]",
       "never reached, as 'jaro_winkler 0.8' before it holds wherever this does; expected the "
       "strongest level first"}}},
    {HEAD,
     "model: {compare: {name: [exact, jaro_winkler 0.8, Exact]}}\n",
     {{13, 51, "model.compare.name[2]", "the same level as 'exact' before it"}}},
    {HEAD,
     "model: {compare: {name: [jaro 0.8, exact]}}\n",
     {{13, 36, "model.compare.name[1]",
       "never reached, as 'jaro 0.8' before it holds wherever this does; expected the strongest "
       "level first"}}},
    {HEAD,
     "model: {compare: {name: [exact, else]}}\n",
     {{13, 33, "model.compare.name[1]",
       "\"else\" is always there, after the last level; leave it out"}}},
    {HEAD,
     "model: {compare: {name: [exact, swapped]}}\n",
     {{13, 33, "model.compare.name[1]",
       "swapped needs a comparison of two fields (`fields: [f, g]`), found 1"}}},
    {HEAD,
     "model: {compare: {name: {levels: [exact], term_frequency: yes}}}\n",
     {{13, 59, "model.compare.name.term_frequency", "found 'yes'; expected true or false"}}},
    {HEAD,
     "model: {compare: {name: {levels: [jaro 0.9], term_frequency: true}}}\n",
     {{13, 62, "model.compare.name.term_frequency",
       "term frequencies belong to equal values; expected exact as the first level"}}},
    /* fields */
    {HEAD,
     "model: {compare: {n: {fields: name, levels: exact}}}\n",
     {{13, 31, "model.compare.n.fields", "found 'name'; expected a list of fields"}}},
    {HEAD,
     "model: {compare: {n: {fields: [name], levels: exact}}}\n",
     {{13, 31, "model.compare.n.fields",
       "found 1 fields; expected 2 to 8 (of one field, the comparison has the name)"}}},
    {HEAD,
     "model: {compare: {n: {fields: [name, nme], levels: exakt}}}\n",
     {{13, 38, "model.compare.n.fields[1]", "unknown field 'nme'; did you mean 'name'?"}}},
    {HEAD,
     "model: {compare: {n: {fields: [name, name], levels: exact}}}\n",
     {{13, 38, "model.compare.n.fields[1]", "field 'name' is given twice"}}},
    {HEAD,
     "model: {compare: {n: {fields: [name, [last]], levels: exact}}}\n",
     {{13, 38, "model.compare.n.fields[1]", "found a list; expected a field's name"}}},
    {HEAD,
     "model: {compare: {n: {fields: [name, dob], levels: exact}}}\n",
     {{13, 38, "model.compare.n.fields[1]",
       "'dob' is of type date, 'name' of type name; expected fields that can be compared with one "
       "another: all texts, or all of one type"}}},
    /* thresholds */
    {HEAD,
     "model: {compare: {name: exact}, threshold: 95}\n",
     {{13, 44, "model.threshold",
       "a probability is greater than 0 and less than 1 (95 % is 0.95), found 95"}}},
    {HEAD,
     "model: {compare: {name: exact}, threshold: 0.95 %}\n",
     {{13, 49, "model.threshold", "expected the end of the number, found \"%\""}}},
    {HEAD,
     "model: {compare: {name: exact}, threshold: high}\n",
     {{13, 44, "model.threshold", "expected a probability such as 0.95, found \"high\""}}},
    {HEAD,
     "model: {compare: {name: exact}, threshold: [0.9]}\n",
     {{13, 44, "model.threshold",
       "found a list; expected a probability such as 0.95, or {weight: 12}"}}},
    {HEAD,
     "model: {compare: {name: exact}, threshold: {wieght: 12}}\n",
     {{13, 44, "model.threshold.weight", "missing; expected a number, -64 to 64"},
      {13, 45, "model.threshold.wieght", "unknown key; did you mean 'weight'?"}}},
    {HEAD,
     "model: {compare: {name: exact}, threshold: {weight: 64.5}}\n",
     {{13, 53, "model.threshold.weight", "expected a weight of -64 to 64 bits"}}},
    {HEAD,
     "model: {compare: {name: exact}, threshold: {weight: [1]}}\n",
     {{13, 53, "model.threshold.weight", "found a list; expected a number, -64 to 64"}}},
    {HEAD,
     "model: {compare: {name: exact}, threshold: {weight: 1e2}}\n",
     {{13, 54, "model.threshold.weight", "expected the end of the number, found \"e2\""}}},
    {HEAD,
     "model: {compare: {name: exact}, threshold: 0.9, thresholds: [0.9]}\n",
     {{13, 33, "model.threshold", "there are thresholds too; expected one of the two"}}},
    {HEAD,
     "model: {compare: {name: exact}, thresholds: 0.9}\n",
     {{13, 45, "model.thresholds", "found '0.9'; expected a list of them"}}},
    {HEAD,
     "model: {compare: {name: exact}, thresholds: []}\n",
     {{13, 45, "model.thresholds", "found 0 thresholds; expected 1 to 16"}}},
    {HEAD,
     "model: {compare: {name: exact}, thresholds: [0.9, 0.8, 0.90], primary: 0.8}\n",
     {{13, 56, "model.thresholds[2]", "the same threshold as '0.9'"}}},
    {HEAD,
     "model: {compare: {name: exact}, thresholds: [0.9, 0.8]}\n",
     {{13, 45, "model.primary",
       "missing; expected the one of the thresholds that MatchIds go by"}}},
    {HEAD,
     "model: {compare: {name: exact}, thresholds: [0.9, 0.8], primary: 0.95}\n",
     {{13, 66, "model.primary", "'0.95' is none of the thresholds; expected one of: 0.9, 0.8"}}},
    /* where it comes from */
    {HEAD,
     "model: {compare: {name: exact}, file: m.json, train: true}\n",
     {{13, 47, "model.train", "there is a file of a trained model too; expected one of the two"}}},
    {HEAD,
     "model: {compare: {name: exact}, file: [m.json]}\n",
     {{13, 39, "model.file", "found a list; expected the file of a trained model"}}},
    {HEAD,
     "model: {compare: {name: exact}, train: false}\n",
     {{13, 40, "model.train", "found 'false'; expected true, or a map"}}},
    {HEAD,
     "model: {compare: {name: exact}, train: em}\n",
     {{13, 40, "model.train", "found 'em'; expected true or false"}}},
    {HEAD,
     "model: {compare: {name: exact}, train: {pases: []}}\n",
     {{13, 41, "model.train.pases", "unknown key; did you mean 'passes'?"}}},
    {HEAD,
     "model: {compare: {name: exact}, train: {passes: []}}\n",
     {{13, 49, "model.train.passes", "found 0 passes; expected 1 to 32"}}},
    {HEAD,
     "model: {compare: {name: exact}, train: {passes: [[dob], email, [email]]}}\n",
     {{13, 50, "model.train.passes[0]", "'dob' is no item of block_on; a pass is the pairs of one"},
      {13, 64, "model.train.passes[2]", "'email' is given twice"}}},
    {HEAD,
     "model: {compare: {name: exact}, train: {random_pairs: 9999}}\n",
     {{13, 55, "model.train.random_pairs",
       "found '9999'; expected a whole number, 10000 to 1000000000"}}},
    /* cluster */
    {HEAD,
     "rules: [Exact(email)]\ncluster: {method: linkage}\n",
     {{14, 19, "cluster.method",
       "linkage goes by the weights of a model, and there is none; expected connected, or a "
       "model"}}},
    {HEAD,
     "rules: [Exact(email)]\ncluster: {method: average}\n",
     {{14, 19, "cluster.method", "unknown method 'average'; expected one of: connected, linkage"}}},
    {HEAD,
     "rules: [Exact(email)]\ncluster: {clean_sources: crm}\n",
     {{14, 26, "cluster.clean_sources", "found 'crm'; expected a list of sources"}}},
    {HEAD,
     "rules: [Exact(email)]\ncluster: {clean_sources: [crm, wbe, crm, [web]]}\n",
     {{14, 32, "cluster.clean_sources[1]", "unknown source 'wbe'; did you mean 'web'?"},
      {14, 37, "cluster.clean_sources[2]", "source 'crm' is given twice"},
      {14, 42, "cluster.clean_sources[3]", "found a list; expected a source's name"}}},
    /* links */
    {HEAD,
     "rules: [Exact(email)]\nlinks: links.csv\n",
     {{14, 8, "links", "found 'links.csv'; expected a map of keys and values"}}},
    {HEAD,
     "rules: [Exact(email)]\nlinks: {files: [a.csv]}\n",
     {{14, 8, "links.file", "missing; expected a file or pattern, or a list of them"},
      {14, 9, "links.files", "unknown key; did you mean 'file'?"}}},
    {HEAD,
     "rules: [Exact(email)]\nlinks: {file: []}\n",
     {{14, 15, "links.file", "found 0 paths; expected 1 to 10000"}}},
    /* what only follows from another mistake is not said */
    {"kindred: 1\nworkflow: w\nsources: {s: {path: p, id: i}}\nfields: {a: dat, b: name}\n",
     "block_on: [b]\nmodel: {compare: {a: [exact, within 1 day], b: [within 1 day]}}\n",
     {{4, 13, "fields.a", "unknown type 'dat'; did you mean 'date'?"},
      {6, 49, "model.compare.b[0]",
       "within takes a field of type date, number or geo; \"b\" is of type name"}}},
};

static void every_mistake_has_its_place_key_and_text(void **state)
{
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof bad_cases / sizeof bad_cases[0]; i++) {
        struct parsed p = parse(bad_cases[i].head, bad_cases[i].rest);
        size_t wanted = 0;
        while (wanted < WANTED_MAX && bad_cases[i].wanted[wanted].text)
            wanted++;
        bool good = p.status == KIN_E_WORKFLOW && p.problems.count == wanted && !p.w;
        for (size_t k = 0; good && k < wanted; k++) {
            const struct kin_problem *got = &p.problems.items[k];
            const struct wanted *want = &bad_cases[i].wanted[k];
            good = got->line == want->line && got->column == want->column &&
                   strcmp(got->key, want->key) == 0 && strcmp(got->text, want->text) == 0;
        }
        if (!good) {
            failed++;
            print_error("case %zu: %swanted %u:%u: %s; found:\n", i, bad_cases[i].rest,
                        bad_cases[i].wanted[0].line, bad_cases[i].wanted[0].column,
                        bad_cases[i].wanted[0].text);
            for (size_t k = 0; k < p.problems.count; k++)
                print_error("    %u:%u: %s: %s\n", p.problems.items[k].line,
                            p.problems.items[k].column, p.problems.items[k].key,
                            p.problems.items[k].text);
        }
        parsed_deinit(&p);
    }
    assert_int_equal(failed, 0);
}

static void counts_have_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *before, *each, *after; /* # stands for a number, counted from `from` */
        unsigned from, most;
        const char *said; /* of one more */
    } cases[] = {
        {"model: {compare: {email: [", "levenshtein #, ", "]}}\n", 1, 13,
         "found 14 levels; expected 1 to 13"},
        {"model:\n  compare:\n", "    c#: {fields: [name, last], levels: exact}\n", "", 1, 15,
         "found 16 comparisons; expected 1 to 15"},
        {"model: {compare: {email: exact}, primary: 0.101, thresholds: [", "0.#, ", "]}\n", 101, 16,
         "found 17 thresholds; expected 1 to 16"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned extra = 0; extra < 2; extra++) {
            struct kin_buf text = {0};
            kin_buf_puts(&text, cases[i].before);
            for (unsigned k = 0; k < cases[i].most + extra; k++) {
                size_t mark = strcspn(cases[i].each, "#");
                kin_buf_put(&text, cases[i].each, mark);
                kin_buf_printf(&text, "%u%s", cases[i].from + k, cases[i].each + mark + 1);
            }
            kin_buf_puts(&text, cases[i].after);
            kin_buf_putc(&text, '\0');
            struct parsed p = parse(HEAD, (const char *)text.p);
            assert_int_equal(p.status, extra ? KIN_E_WORKFLOW : KIN_OK);
            if (extra)
                assert_string_equal(p.problems.items[0].text, cases[i].said);
            parsed_deinit(&p);
            kin_buf_deinit(&text);
        }
    }
}

static void every_failing_allocation_is_out_of_memory(void **state)
{
    (void)state;
    static const char model[] = "cluster: {clean_sources: [web]}\n"
                                "model:\n"
                                "  thresholds: [0.9, {weight: 3}]\n"
                                "  primary: 0.9\n"
                                "  train: {passes: [email]}\n"
                                "  compare:\n"
                                "    both: {fields: [name, last], levels: [exact, swapped]}\n"
                                "    email: [exact, same username]\n";
    kin_alloc_fail_after(SIZE_MAX);
    struct parsed p = parse_good(model);
    parsed_deinit(&p);
    struct kin_buf text = {0};
    kin_buf_puts(&text, HEAD);
    kin_buf_puts(&text, model);
    struct kin_str whole = {(const char *)text.p, text.n};
    bool parsed = false;
    for (size_t n = 0; !parsed; n++) {
        struct kin_workflow *w = NULL;
        struct kin_problems problems = {0};
        kin_alloc_fail_after(n);
        kin_status status = kin_workflow_parse(whole, "/base", &w, &problems);
        kin_alloc_fail_after(SIZE_MAX);
        parsed = status == KIN_OK;
        assert_true(parsed || (status == KIN_E_NOMEM && !w && problems.count == 0));
        kin_workflow_free(w);
        kin_problems_deinit(&problems);
        assert_in_range(n, 0, 100000);
    }
    kin_buf_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_alone_has_defaults),
        cmocka_unit_test(links_have_files),
        cmocka_unit_test(comparisons_have_fields_and_levels),
        cmocka_unit_test(thresholds_are_sorted_and_one_is_primary),
        cmocka_unit_test(a_model_comes_from_a_file_or_from_training),
        cmocka_unit_test(rules_alone_are_as_they_were),
        cmocka_unit_test(every_mistake_has_its_place_key_and_text),
        cmocka_unit_test(counts_have_bounds),
        cmocka_unit_test(every_failing_allocation_is_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
