/* Workflow files: what good ones mean, and what is said of bad ones, to the column. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/workflow/check.h"
#include "common/workflow/utf8.h"
#include "workflow_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- helpers ---- */

struct parsed {
    kin_status status;
    struct kin_workflow *w;
    struct kin_problems problems;
};

static struct parsed parse_in(const char *base_dir, struct kin_str text)
{
    struct parsed p = {.status = KIN_OK};
    p.status = kin_workflow_parse(text, base_dir, &p.w, &p.problems);
    return p;
}

static struct parsed parse(struct kin_str text)
{
    return parse_in("", text);
}

static void parsed_deinit(struct parsed *p)
{
    kin_workflow_free(p->w);
    kin_problems_deinit(&p->problems);
}

/* A file that must be good. */
static struct parsed parse_good(const char *text)
{
    struct parsed p = parse_in("/base", kin_str_of(text));
    for (size_t i = 0; i < p.problems.count; i++)
        print_error("%u:%u: %s: %s\n", p.problems.items[i].line, p.problems.items[i].column,
                    p.problems.items[i].key, p.problems.items[i].text);
    assert_int_equal(p.status, KIN_OK);
    assert_int_equal(p.problems.count, 0);
    assert_non_null(p.w);
    return p;
}

static void read_file(const char *path, struct kin_buf *out)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        kin_buf_put(out, chunk, n);
    assert_int_equal(fclose(file), 0);
    kin_buf_putc(out, '\0'); /* for strstr; not counted */
    assert_false(out->failed);
    out->n--;
}

static struct kin_str as_str(const struct kin_buf *b)
{
    return (struct kin_str){(const char *)b->p, b->n};
}

/* ---- good files ---- */

static const char people[] =
    "kindred: 1\n"
    "workflow: people\n"
    "sources:\n"
    "  web: {path: [\"web/*.jsonl\", /abs/x.jsonl.gz], id: user_id,\n"
    "        columns: {first_name: [fname, given], phone: []}}\n"
    "  crm: {path: crm.csv, id: customer_id, updated: changed, delimiter: \";\", format: csv}\n"
    "fields:\n"
    "  first_name: name\n"
    "  dob: {type: date, order: dmy}\n"
    "  price: number\n"
    "  phone: {type: phone, country: NO, columns: [mobile, landline]}\n"
    "  \"tax id\": id\n"
    "rules:\n"
    "  - Exact(phone)\n"
    "  - {name: both, when: JaroWinkler(first_name, 0.9) AND Exact(dob)}\n"
    "  - {when: \"Soundex(first_name) AND Exact(\\\"tax id\\\")\"}\n"
    "never:\n"
    "  - Differs(\"tax id\")\n"
    "block_on:\n"
    "  - dob\n"
    "  - [prefix(first_name, 3), # the first\n"
    "     phone]\n"
    "  - [soundex(first_name)]\n"
    "pairs: across_sources\n"
    "golden: {dob: max, default: longest, phone: all}\n"
    "limits: {window: 7, max_block: 1000000}\n";

static void test_sources_are_sorted_and_have_their_columns(void **state)
{
    (void)state;
    struct parsed p = parse_good(people);
    const struct kin_workflow *w = p.w;
    assert_int_equal(w->source_count, 2);
    const struct kin_workflow_source *crm = &w->sources[0];
    const struct kin_workflow_source *web = &w->sources[1];

    assert_string_equal(crm->name, "crm");
    assert_string_equal(crm->id, "customer_id");
    assert_string_equal(crm->updated, "changed");
    assert_int_equal(crm->delimiter, ';');
    assert_true(crm->format_given);
    assert_int_equal(crm->format, KIN_FORMAT_CSV);
    assert_int_equal(crm->path_count, 1);
    assert_string_equal(crm->paths[0], "/base/crm.csv");
    assert_int_equal(crm->columns[0].count, 1);
    assert_string_equal(crm->columns[0].names[0], "first_name");
    assert_int_equal(crm->columns[3].count, 2);
    assert_string_equal(crm->columns[3].names[0], "mobile");
    assert_string_equal(crm->columns[3].names[1], "landline");
    assert_string_equal(crm->columns[4].names[0], "tax id");

    assert_string_equal(web->name, "web");
    assert_null(web->updated);
    assert_int_equal(web->delimiter, 0);
    assert_false(web->format_given);
    assert_int_equal(web->path_count, 2);
    assert_string_equal(web->paths[0], "/base/web/*.jsonl");
    assert_string_equal(web->paths[1], "/abs/x.jsonl.gz");
    assert_int_equal(web->columns[0].count, 2);
    assert_string_equal(web->columns[0].names[1], "given");
    assert_int_equal(web->columns[1].count, 1);
    assert_string_equal(web->columns[1].names[0], "dob");
    assert_int_equal(web->columns[3].count, 0);
    parsed_deinit(&p);
}

static void test_fields_golden_limits_and_the_rest(void **state)
{
    (void)state;
    struct parsed p = parse_good(people);
    const struct kin_workflow *w = p.w;
    assert_string_equal(w->name, "people");
    assert_string_equal(w->base_dir, "/base");
    assert_int_equal(w->text_bytes, strlen(people));
    assert_string_equal(w->text, people);

    assert_int_equal(w->schema.count, 5);
    assert_ptr_equal(w->schema.fields, w->fields);
    assert_string_equal(w->fields[4].name, "tax id");
    assert_int_equal(w->fields[1].type, KIN_TYPE_DATE);
    assert_int_equal(w->fields[1].date_order, KIN_DATE_DMY);
    assert_string_equal(w->fields[3].country, "NO");
    assert_string_equal(w->fields[0].country, "");

    assert_true(w->across_sources);
    assert_int_equal(w->golden_default, KIN_GOLDEN_LONGEST);
    assert_int_equal(w->golden[0], KIN_GOLDEN_LONGEST);
    assert_int_equal(w->golden[1], KIN_GOLDEN_MAX);
    assert_int_equal(w->golden[3], KIN_GOLDEN_ALL);
    assert_int_equal(w->limits.window, 7);
    assert_int_equal(w->limits.max_block, 1000000);
    assert_int_equal(w->limits.max_veto_group, 5000);

    /* refine, left out: all but the number */
    const uint16_t refine[] = {0, 1, 3, 4};
    assert_int_equal(w->refine_count, 4);
    assert_memory_equal(w->refine, refine, sizeof refine);
    parsed_deinit(&p);
}

static void test_rules_have_names_and_conditions(void **state)
{
    (void)state;
    struct parsed p = parse_good(people);
    const struct kin_workflow *w = p.w;
    assert_int_equal(w->rule_count, 3);
    assert_string_equal(w->rules[0].name, "rule 1");
    assert_string_equal(w->rules[0].when, "Exact(phone)");
    assert_string_equal(w->rules[1].name, "both");
    /* a comma inside parentheses does not end a value */
    assert_string_equal(w->rules[1].when, "JaroWinkler(first_name, 0.9) AND Exact(dob)");
    assert_string_equal(w->rules[2].name, "rule 3");
    assert_int_equal(w->never_count, 1);
    assert_string_equal(w->never[0].name, "never 1");
    for (size_t i = 0; i < w->rule_count; i++)
        assert_non_null(w->rules[i].condition);
    parsed_deinit(&p);
}

static void test_keys_are_numbered_and_stars_come_last(void **state)
{
    (void)state;
    struct parsed p = parse_good(people);
    const struct kin_workflow *w = p.w;
    assert_int_equal(w->block_key_count, 3);
    assert_int_equal(w->key_count, 4);
    for (size_t i = 0; i < w->key_count; i++) {
        assert_int_equal(w->keys[i].number, i);
        assert_int_equal(w->keys[i].star, i == 3);
    }
    assert_string_equal(w->keys[0].text, "dob");
    assert_int_equal(w->keys[1].count, 2);
    assert_int_equal(w->keys[1].terms[0].fn, KIN_KEY_PREFIX);
    assert_int_equal(w->keys[1].terms[0].n, 3);
    assert_int_equal(w->keys[1].terms[1].field, 3);
    assert_string_equal(w->keys[1].text, "prefix(first_name, 3) + phone");
    assert_int_equal(w->keys[3].match_rule, 0);
    assert_int_equal(w->keys[3].terms[0].field, 3);
    parsed_deinit(&p);
}

static void test_keys_are_derived_where_block_on_is_left_out(void **state)
{
    (void)state;
    struct parsed p = parse_good("kindred: 1\nworkflow: w\nfields: {a: name, b: date, c: id}\n"
                                 "sources: {s: {path: s.csv, id: i}}\n"
                                 "rules:\n"
                                 "  - Exact(c)\n"
                                 "  - JaroWinkler(a, 0.9) AND Exact(b)\n");
    assert_int_equal(p.w->block_key_count, 1);
    assert_int_equal(p.w->key_count, 2);
    assert_int_equal(p.w->keys[0].terms[0].field, 1);
    assert_false(p.w->keys[0].star);
    assert_true(p.w->keys[1].star);
    assert_int_equal(p.w->keys[1].number, 1);
    parsed_deinit(&p);
}

static void test_an_empty_block_on_is_fine_with_exact_rules_only(void **state)
{
    (void)state;
    struct parsed p = parse_good("kindred: 1\nworkflow: w\nfields: {a: name, b: date}\n"
                                 "sources: {s: {path: s.csv, id: i}}\n"
                                 "block_on: []\nrefine: []\n"
                                 "rules: [Exact(a) AND Exact(b), Exact(b)]\n");
    assert_int_equal(p.w->block_key_count, 0);
    assert_int_equal(p.w->key_count, 2);
    assert_int_equal(p.w->keys[1].match_rule, 1);
    assert_int_equal(p.w->refine_count, 0);
    parsed_deinit(&p);
}

static void test_defaults_are_those_of_the_tables(void **state)
{
    (void)state;
    struct parsed p = parse(kin_str_of(base_file));
    assert_int_equal(p.status, KIN_OK);
    const struct kin_workflow *w = p.w;
    assert_false(w->across_sources);
    assert_int_equal(w->golden_default, KIN_GOLDEN_MOST_COMPLETE);
    for (size_t f = 0; f < w->schema.count; f++)
        assert_int_equal(w->golden[f], KIN_GOLDEN_MOST_COMPLETE);
    assert_string_equal(w->sources[0].paths[0], "crm.csv"); /* base_dir "" */
    const struct kin_check_table *limits = kin_check_table(KIN_CHECK_LIMITS);
    for (size_t i = 0; i < limits->count; i++) {
        const struct kin_check_key *key = &limits->keys[i];
        if (!key->check)
            continue;
        uint32_t value;
        memcpy(&value, (const char *)&w->limits + key->offset, sizeof value);
        if (value == (uint32_t)KIN_MEMORY_AUTO)
            continue; /* its default is the machine's */
        assert_int_equal(value, strtoul(key->fallback, NULL, 10));
        assert_in_range(value, key->min, key->max);
    }
    parsed_deinit(&p);
}

static void test_byte_order_mark_and_crlf_change_nothing(void **state)
{
    (void)state;
    struct kin_buf text = {0};
    kin_buf_puts(&text, "\xef\xbb\xbf");
    for (const char *c = people; *c; c++) {
        if (*c == '\n')
            kin_buf_putc(&text, '\r');
        kin_buf_putc(&text, *c);
    }
    struct parsed p = parse(as_str(&text));
    struct parsed plain = parse_good(people);
    assert_int_equal(p.status, KIN_OK);
    assert_int_equal(p.w->key_count, plain.w->key_count);
    assert_string_equal(p.w->rules[1].when, plain.w->rules[1].when);
    assert_int_not_equal(p.w->hash, plain.w->hash);
    parsed_deinit(&p);
    parsed_deinit(&plain);

    /* and places are the same with them */
    struct kin_str bad = KIN_STR("\xef\xbb\xbfkindred: 2\r\nworkflow: a b\r\n");
    p = parse(bad);
    assert_int_equal(p.status, KIN_E_WORKFLOW);
    assert_int_equal(p.problems.items[3].line, 1);
    assert_int_equal(p.problems.items[3].column, 10);
    assert_int_equal(p.problems.items[4].line, 2);
    assert_int_equal(p.problems.items[4].column, 11);
    struct kin_buf out = {0};
    kin_problems_print(&p.problems, "x", bad, &out);
    kin_buf_putc(&out, '\0');
    assert_non_null(strstr((const char *)out.p, "     1 | kindred: 2\n       |          ^\n"));
    kin_buf_deinit(&out);
    parsed_deinit(&p);
    kin_buf_deinit(&text);
}

/* Parses a file made by a format with one text in it. */
static struct parsed parse_with(const char *before, const char *text, const char *after)
{
    struct kin_buf all = {0};
    kin_buf_printf(&all, "%s%s%s", before, text, after);
    struct parsed p = parse(as_str(&all));
    kin_buf_deinit(&all);
    return p;
}

static void test_limits_are_taken_up_to_their_bounds(void **state)
{
    (void)state;
    const struct kin_check_table *limits = kin_check_table(KIN_CHECK_LIMITS);
    for (size_t i = 0; i < limits->count; i++) {
        const struct kin_check_key *key = &limits->keys[i];
        if (!key->check)
            continue;
        const uint32_t values[] = {key->min, key->max, key->min - 1, key->max + 1};
        for (size_t k = 0; k < 4; k++) {
            char text[80];
            snprintf(text, sizeof text, "limits: {%s: %u}\n", key->name, values[k]);
            struct parsed p = parse_with(base_file, text, "");
            assert_int_equal(p.status, k < 2 ? KIN_OK : KIN_E_WORKFLOW);
            if (p.w) {
                uint32_t value;
                memcpy(&value, (const char *)&p.w->limits + key->offset, sizeof value);
                assert_int_equal(value, values[k]);
            }
            parsed_deinit(&p);
        }
    }
}

static void test_names_of_the_outputs_are_reserved(void **state)
{
    (void)state;
    static const char *const names[] = {"match_id",   "size",       "source",     "id",
                                        "match_rule", "confidence", "group_size", "default"};
    static const char before[] = "kindred: 1\nworkflow: w\nsources: {s: {path: p, id: i}}\n"
                                 "rules: [Exact(a)]\nfields: {a: id, ";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct parsed p = parse_with(before, names[i], ": text}\n");
        assert_int_equal(p.status, KIN_E_WORKFLOW);
        assert_int_equal(p.problems.count, 1);
        assert_string_equal(p.problems.items[0].key + strlen("fields."), names[i]);
        parsed_deinit(&p);
    }
    struct parsed p = parse_with(before, "Size", ": text}\n");
    assert_int_equal(p.status, KIN_OK);
    parsed_deinit(&p);
}

static void test_relative_paths_are_joined_to_the_folder(void **state)
{
    (void)state;
    static const struct {
        const char *base_dir, *path;
    } cases[] = {{"", "crm.csv"}, {"x", "x/crm.csv"}, {"/x/y/", "/x/y/crm.csv"}, {"/", "/crm.csv"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct parsed p = parse_in(cases[i].base_dir, kin_str_of(base_file));
        assert_int_equal(p.status, KIN_OK);
        assert_string_equal(p.w->sources[0].paths[0], cases[i].path);
        parsed_deinit(&p);
    }
}

/* ---- bad files ---- */

static void make_case(const struct bad_case *c, struct kin_buf *text)
{
    struct kin_str base = KIN_STR(base_file);
    size_t keep = c->find ? 0 : base.n;
    size_t skip = 0;
    if (c->find && !c->find[0]) {
        base.n = 0;
    } else if (c->find) {
        const char *at = strstr(base_file, c->find);
        assert_non_null(at);
        assert_null(strstr(at + 1, c->find)); /* once */
        keep = (size_t)(at - base_file);
        skip = strlen(c->find);
    }
    kin_buf_put(text, base.p, keep);
    kin_buf_put(text, c->put.p, c->put.n);
    if (base.n > keep + skip)
        kin_buf_put(text, base.p + keep + skip, base.n - keep - skip);
}

static void test_the_base_of_the_cases_is_good(void **state)
{
    (void)state;
    struct parsed p = parse_good(base_file);
    parsed_deinit(&p);
}

static void test_every_mistake_has_its_place_key_and_text(void **state)
{
    (void)state;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof bad_cases / sizeof bad_cases[0]; i++) {
        const struct bad_case *c = &bad_cases[i];
        struct kin_buf text = {0};
        make_case(c, &text);
        struct parsed p = parse(as_str(&text));
        size_t wanted = 0;
        while (wanted < WANTED_MAX && c->wanted[wanted].text)
            wanted++;
        bool good = p.status == KIN_E_WORKFLOW && p.problems.count == wanted && !p.w;
        for (size_t k = 0; good && k < wanted; k++) {
            const struct kin_problem *got = &p.problems.items[k];
            const struct wanted *want = &c->wanted[k];
            good = got->line == want->line && got->column == want->column &&
                   strcmp(got->key, want->key) == 0 && strcmp(got->text, want->text) == 0;
        }
        if (!good) {
            failed++;
            print_error("case %zu, \"%s\": wanted %u:%u: %s: %s; found:\n", i, c->put.p,
                        c->wanted[0].line, c->wanted[0].column, c->wanted[0].key,
                        c->wanted[0].text);
            for (size_t k = 0; k < p.problems.count; k++)
                print_error("    %u:%u: %s: %s\n", p.problems.items[k].line,
                            p.problems.items[k].column, p.problems.items[k].key,
                            p.problems.items[k].text);
        }
        parsed_deinit(&p);
        kin_buf_deinit(&text);
    }
    assert_int_equal(failed, 0);
}

/* One file for all sections; what is printed is in the file beside it. */
static void test_all_mistakes_of_a_file_are_printed_at_once(void **state)
{
    (void)state;
    static const char *const names[] = {"mistakes", "syntax", "quoting"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[512];
        struct kin_buf text = {0};
        struct kin_buf wanted = {0};
        struct kin_buf out = {0};
        snprintf(path, sizeof path, "%s/workflow/bad_%s.yaml", KIN_TEST_DATA, names[i]);
        read_file(path, &text);
        snprintf(path, sizeof path, "%s/workflow/bad_%s.txt", KIN_TEST_DATA, names[i]);
        read_file(path, &wanted);
        struct parsed p = parse(as_str(&text));
        assert_int_equal(p.status, KIN_E_WORKFLOW);
        kin_problems_print(&p.problems, "people.yaml", as_str(&text), &out);
        kin_buf_putc(&out, '\0');
        assert_string_equal((const char *)out.p, (const char *)wanted.p);
        parsed_deinit(&p);
        kin_buf_deinit(&out);
        kin_buf_deinit(&wanted);
        kin_buf_deinit(&text);
    }
}

static void test_good_files_of_the_data_folder_are_good(void **state)
{
    (void)state;
    static const char *const names[] = {"people", "smallest", "styles"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[512];
        struct kin_buf text = {0};
        snprintf(path, sizeof path, "%s/workflow/good_%s.yaml", KIN_TEST_DATA, names[i]);
        read_file(path, &text);
        struct parsed p = parse_good((const char *)text.p);
        parsed_deinit(&p);
        kin_buf_deinit(&text);
    }
}

/* A file made of a head, `count` pieces with their number, and a tail. */
static struct parsed parse_repeated(const char *head, const char *piece, size_t count,
                                    const char *tail)
{
    struct kin_buf text = {0};
    kin_buf_puts(&text, head);
    for (size_t i = 0; i < count; i++) {
        const char *mark = strchr(piece, '#');
        kin_buf_put(&text, piece, mark ? (size_t)(mark - piece) : strlen(piece));
        if (mark)
            kin_buf_printf(&text, "%zu%s", i, mark + 1);
    }
    kin_buf_puts(&text, tail);
    struct parsed p = parse(as_str(&text));
    kin_buf_deinit(&text);
    return p;
}

static const char head_without_fields[] = "kindred: 1\nworkflow: w\n"
                                          "sources: {s: {path: p, id: i}}\n";
static const char head_with_fields[] = "kindred: 1\nworkflow: w\nfields: {a: name, b: id}\n"
                                       "sources: {s: {path: p, id: i}}\n";

static void test_counts_have_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *head, *key, *piece, *tail;
        size_t most;
        const char *text; /* of one more */
    } cases[] = {
        {head_without_fields, "fields:", "\n  f#: id", "\nrules: [Exact(f0)]\n", 64,
         "found 65 fields; expected 1 to 64"},
        {head_with_fields, "rules:", "\n  - {name: r#, when: Exact(b)}", "\n", 100,
         "found 101 rules; expected 1 to 100"},
        {head_with_fields, "rules: [Exact(b)]\nnever:", "\n  - {name: r#, when: Differs(b)}", "\n",
         100, "found 101 rules; expected 0 to 100"},
        {head_with_fields, "rules: [Exact(b)]\nblock_on:", "\n  - [a, 'minhash(b, 2, 1#)']", "\n",
         0, "found 121 lists of terms; expected at most 120"},
        /* 20 items with the 100 keys of exact rules are 120 */
        {head_with_fields,
         "block_on: ['prefix(a,1)','prefix(a,2)','prefix(a,3)','prefix(a,4)','prefix(a,5)',"
         "'prefix(a,6)','prefix(a,7)','prefix(a,8)','prefix(a,9)','prefix(a,10)','prefix(b,1)',"
         "'prefix(b,2)','prefix(b,3)','prefix(b,4)','prefix(b,5)','prefix(b,6)','prefix(b,7)',"
         "'prefix(b,8)','prefix(b,9)','prefix(b,10)']\nrules:\n  - Exact(a) OR Exact(b)",
         "\n  - {name: r#, when: Exact(b)}", "\n", 98,
         "20 blocking keys and 101 more that exact rules need; expected at most 120 together"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char head[1024];
        snprintf(head, sizeof head, "%s%s", cases[i].head, cases[i].key);
        /* 0: even 120 such items are not all good, but 121 are refused as a whole */
        size_t most = cases[i].most ? cases[i].most : 120;
        struct parsed p = parse_repeated(head, cases[i].piece, most, cases[i].tail);
        assert_int_equal(p.status, cases[i].most ? KIN_OK : KIN_E_WORKFLOW);
        parsed_deinit(&p);
        p = parse_repeated(head, cases[i].piece, most + 1, cases[i].tail);
        assert_int_equal(p.status, KIN_E_WORKFLOW);
        assert_int_equal(p.problems.count, 1);
        assert_string_equal(p.problems.items[0].text, cases[i].text);
        parsed_deinit(&p);
    }
}

static void test_files_past_the_bounds_of_bytes_and_nodes_are_refused(void **state)
{
    (void)state;
    const struct {
        const char *piece;
        size_t count;
        const char *text;
    } cases[] = {
        {"0123456789abcde\n", 65537, "the file has 1048592 bytes; expected at most 1048576"},
        {"[", 1000000, "more than 131072 brackets and commas"},
        {"[a, ", 100, "nested deeper than 12 levels"},
        {"- ", 100000, "nested deeper than 12 levels"},
        {"k: 1\n", 110000, "more than 200000 values"},
        {"a: |\n\n", 1, "missing; expected a map of field names to types"},
        {"\n", 300, "more than 200 empty lines in a row"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct parsed p = parse_repeated("", cases[i].piece, cases[i].count, "");
        assert_int_equal(p.status, KIN_E_WORKFLOW);
        bool found = false;
        for (size_t k = 0; k < p.problems.count; k++)
            found = found || strcmp(p.problems.items[k].text, cases[i].text) == 0;
        if (!found)
            print_error("case %zu: %s\n", i, p.problems.items[0].text);
        assert_true(found);
        parsed_deinit(&p);
    }
}

static void test_at_most_200_mistakes_the_first_by_place(void **state)
{
    (void)state;
    struct parsed p = parse_repeated("z: 1\n", "k#: 1\n", 500, "");
    assert_int_equal(p.problems.count, KIN_PROBLEMS_MAX);
    unsigned last = 0;
    for (size_t i = 0; i < p.problems.count; i++) {
        assert_true(p.problems.items[i].line >= last);
        last = p.problems.items[i].line;
    }
    assert_in_range(last, 190, 200);
    struct kin_buf out = {0};
    kin_problems_print(&p.problems, "f", KIN_STR(""), &out);
    kin_buf_putc(&out, '\0');
    assert_non_null(strstr((const char *)out.p, "f: only the first 200 mistakes are shown\n"));
    kin_buf_deinit(&out);
    parsed_deinit(&p);
}

static void test_what_is_printed_is_safe_for_a_terminal(void **state)
{
    (void)state;
    struct kin_buf text = {0};
    kin_buf_puts(&text, "workflow: \"\\e[31m\\u202e\\x9b\"\n");
    for (int i = 0; i < 3000; i++)
        kin_buf_puts(&text, "\xc3\xa9");
    kin_buf_puts(&text, ": 1\n");
    struct parsed p = parse(as_str(&text));
    struct kin_buf out = {0};
    kin_problems_print(&p.problems, "f", as_str(&text), &out);
    assert_in_range(out.n, 1, 8000); /* of the long line, a part */
    for (size_t i = 0; i < out.n;) {
        uint32_t c = 0;
        size_t bytes = kin_utf8_step((const char *)out.p + i, out.n - i, &c);
        assert_true(bytes && (c == '\n' || (c >= 32 && !kin_utf8_is_control(c))));
        i += bytes;
    }
    kin_buf_deinit(&out);
    parsed_deinit(&p);
    kin_buf_deinit(&text);
}

/* ---- memory ---- */

static void check_failing_allocations(const char *text, kin_status wanted)
{
    kin_alloc_fail_after(SIZE_MAX);
    struct parsed p = parse(kin_str_of(text));
    size_t made = kin_alloc_fail_after(SIZE_MAX);
    assert_int_equal(p.status, wanted);
    parsed_deinit(&p);
    for (size_t n = 0; n < made; n++) {
        kin_alloc_fail_after(n);
        p = parse(kin_str_of(text));
        kin_alloc_fail_after(SIZE_MAX);
        assert_int_equal(p.status, KIN_E_NOMEM);
        assert_null(p.w);
        assert_int_equal(p.problems.count, 0);
        parsed_deinit(&p);
    }
    assert_in_range(made, 3, 100000); /* few where an arena hands out many pieces */
}

static void test_every_failing_allocation_is_out_of_memory(void **state)
{
    (void)state;
    check_failing_allocations(people, KIN_OK);
    check_failing_allocations("kindred: 1\nworkflow: w\nfields: {a: nmae, b: id}\n"
                              "sources: {s: {path: p, id: i, columns: {c: x}}}\n"
                              "block_on: [[prefix(a, 3), b], [c]]\n"
                              "rules: [{name: x, when: Exact(c)}, Exact(a), Within(a, 1 day)]\n",
                              KIN_E_WORKFLOW);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources_are_sorted_and_have_their_columns),
        cmocka_unit_test(test_fields_golden_limits_and_the_rest),
        cmocka_unit_test(test_rules_have_names_and_conditions),
        cmocka_unit_test(test_keys_are_numbered_and_stars_come_last),
        cmocka_unit_test(test_keys_are_derived_where_block_on_is_left_out),
        cmocka_unit_test(test_an_empty_block_on_is_fine_with_exact_rules_only),
        cmocka_unit_test(test_defaults_are_those_of_the_tables),
        cmocka_unit_test(test_byte_order_mark_and_crlf_change_nothing),
        cmocka_unit_test(test_limits_are_taken_up_to_their_bounds),
        cmocka_unit_test(test_names_of_the_outputs_are_reserved),
        cmocka_unit_test(test_relative_paths_are_joined_to_the_folder),
        cmocka_unit_test(test_the_base_of_the_cases_is_good),
        cmocka_unit_test(test_every_mistake_has_its_place_key_and_text),
        cmocka_unit_test(test_all_mistakes_of_a_file_are_printed_at_once),
        cmocka_unit_test(test_good_files_of_the_data_folder_are_good),
        cmocka_unit_test(test_counts_have_bounds),
        cmocka_unit_test(test_files_past_the_bounds_of_bytes_and_nodes_are_refused),
        cmocka_unit_test(test_at_most_200_mistakes_the_first_by_place),
        cmocka_unit_test(test_what_is_printed_is_safe_for_a_terminal),
        cmocka_unit_test(test_every_failing_allocation_is_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
