/* From values and nodes of a YAML text back to places in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/workflow/yaml.h"

#include <string.h>

/* Parses a text after taking the '^' out; returns where that was. */
static size_t parse_marked(const char *marked, struct kin_yaml *yaml)
{
    const char *mark = strchr(marked, '^');
    size_t at = (size_t)(mark - marked);
    struct kin_buf text = {0};
    kin_buf_put(&text, marked, at);
    kin_buf_puts(&text, mark + 1);
    struct kin_problems problems = {0};
    struct kin_report report = {.out = &problems};
    assert_int_equal(kin_yaml_parse((struct kin_str){(const char *)text.p, text.n}, yaml, &report),
                     KIN_OK);
    assert_int_equal(problems.count, 0);
    kin_problems_deinit(&problems);
    kin_buf_deinit(&text);
    return at;
}

static void test_offsets_inside_scalars_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *yaml; /* '^' marks the place, and is not part of the text */
        const char *value;
        size_t byte;
    } cases[] = {
        {"- ab ^cd", "ab cd", 3},
        {"- ab cd^", "ab cd", 5},
        {"- ab\n\n\n  ^cd", "ab\n\ncd", 4},
        {"- ab  \n   ^cd ", "ab cd", 3},
        {"- 'it''^s'", "it's", 3},
        {"- '^''s'", "'s", 0},
        {"- 'ab\n   ^cd'", "ab cd", 3},
        {"- \"a\\x41^b\"", "aAb", 2},
        {"- \"\\u00e9^b\"",
         "\xc3\xa9"
         "b",
         2},
        {"- \"^\\u00e9b\"",
         "\xc3\xa9"
         "b",
         1},
        {"- \"\\U0001F600^b\"",
         "\xf0\x9f\x98\x80"
         "b",
         4},
        {"- \"\\N^b\"",
         "\xc2\x85"
         "b",
         2},
        {"- \"\\L^b\"",
         "\xe2\x80\xa8"
         "b",
         3},
        {"- \"\\\"^b\"", "\"b", 1},
        {"- \"a\\\n    ^b\"", "ab", 1},
        {"- \"a \\\n    ^b\"", "a b", 2},
        {"- \"a\n    ^b\"", "a b", 2},
        {"- \"ab^\"", "ab", 2},
        {"- \xc3\xa9^x", "\xc3\xa9x", 2},
        {"- ^|\n  ab\n  cd\n", "ab\ncd\n", 4},
        {"- ^> # x\n  ab\n  cd\n", "ab cd\n", 4},
        {"- - ^>-\n   ab\n", "ab", 1},
        {"- x: ^|\n   ab\n", "ab\n", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kin_yaml yaml;
        size_t at = parse_marked(cases[i].yaml, &yaml);
        const struct kin_yaml_node *node = yaml.root->first;
        while (node->kind != KIN_YAML_SCALAR)
            node = node->first;
        assert_string_equal(node->value.p, cases[i].value);
        if (kin_yaml_offset(&yaml, node, cases[i].byte) != at)
            print_error("case %zu: %s\n", i, cases[i].yaml);
        assert_int_equal(kin_yaml_offset(&yaml, node, cases[i].byte), at);
        kin_yaml_deinit(&yaml);
    }
}

/* The first node, from the top, that is nothing; NULL: there is none. Depth is bounded by the
 * parser. */
static const struct kin_yaml_node *first_null(const struct kin_yaml_node *node)
{
    for (; node; node = node->next) {
        const struct kin_yaml_node *found = kin_yaml_is_null(node) ? node : first_null(node->first);
        if (found)
            return found;
    }
    return NULL;
}

/* libfyaml's versions differ in where they put a value that is not there. */
static void test_nothing_is_at_its_key_or_dash(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "^a:",
        "^a: \n",
        "^a:\nb: 1\n",
        "^a: # nothing\n\n\nb: 1\n",
        "x:\n  ^a:\nb: 1\n",
        "x: 1\n^'a':\n",
        "? ^a\n? 1\n: 2\n",
        "{^a: , b: 1}",
        "{^a, b: 1}",
        "{x: {b: 1, ^\"a\":}}",
        "[x: 1, ^a: , b: 1]",
        "- x\n^-\n- y\n",
        "- x\n^- # nothing\n- y\n",
        "a:\n  - x\n  ^-\nb: 1\n",
        "- - 1\n  ^-\n- y\n",
        "- ^-\n- y\n",
        "- ^a:\n- y\n",
        "^---\n...\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kin_yaml yaml;
        size_t at = parse_marked(cases[i], &yaml);
        const struct kin_yaml_node *node = first_null(yaml.root);
        if (!node || node->at != at || node->end != at)
            print_error("case %zu: %s\n", i, cases[i]);
        assert_non_null(node);
        assert_int_equal(node->at, at);
        assert_int_equal(node->end, at);
        kin_yaml_deinit(&yaml);
    }
    /* what follows a key without a value is not mistaken for it */
    struct kin_yaml yaml;
    size_t at = parse_marked("- a:\n^-\n", &yaml);
    assert_int_equal(yaml.root->first->next->at, at);
    kin_yaml_deinit(&yaml);
}

/* Empty, and there. */
static void test_empty_texts_are_where_they_stand(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "a: ^''",  "a: ^\"\"", "- ^''\n- b\n",  "{a: ^'', b: 1}", "a: ^|",
        "a: ^|\n", "a: ^>-\n", "a: ^|\nb: 1\n", "- ^>\n- b\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kin_yaml yaml;
        size_t at = parse_marked(cases[i], &yaml);
        const struct kin_yaml_node *node = yaml.root->first;
        if (node->at != at || node->value.n != 0)
            print_error("case %zu: %s\n", i, cases[i]);
        assert_int_equal(node->at, at);
        assert_int_equal(node->value.n, 0);
        assert_false(kin_yaml_is_null(node));
        kin_yaml_deinit(&yaml);
    }
}

static void test_columns_count_characters_also_in_long_lines(void **state)
{
    (void)state;
    struct kin_buf text = {0};
    kin_buf_puts(&text, "a: 1\n");
    for (int i = 0; i < 5000; i++)
        kin_buf_puts(&text, "\xe2\x82\xac"); /* three bytes */
    kin_buf_puts(&text, "x\nb");
    struct kin_yaml yaml = {0};
    assert_int_equal(kin_yaml_load((struct kin_str){(const char *)text.p, text.n}, &yaml), KIN_OK);
    unsigned line;
    unsigned column;
    kin_yaml_place(&yaml, 5 + 15000, &line, &column);
    assert_int_equal(line, 2);
    assert_int_equal(column, 5001);
    kin_yaml_place(&yaml, 5 + 15002, &line, &column);
    assert_int_equal(line, 3);
    assert_int_equal(column, 1);
    kin_yaml_deinit(&yaml);
    kin_buf_deinit(&text);
}

static void test_paths_name_keys_and_items(void **state)
{
    (void)state;
    struct kin_str text = KIN_STR("a:\n  - {b: [x, y]}\n  - - z\n");
    struct kin_problems problems = {0};
    struct kin_report report = {.out = &problems};
    struct kin_yaml yaml;
    char path[KIN_YAML_PATH_MAX];
    assert_int_equal(kin_yaml_parse(text, &yaml, &report), KIN_OK);
    const struct kin_yaml_node *list = kin_yaml_get(yaml.root, "a");
    assert_non_null(list);
    const struct kin_yaml_node *b = kin_yaml_get(list->first, "b");
    assert_non_null(b);
    kin_yaml_path(b->first->next, NULL, path);
    assert_string_equal(path, "a[0].b[1]");
    kin_yaml_path(list->first->next->first, NULL, path);
    assert_string_equal(path, "a[1][0]");
    kin_yaml_path(list->first, "c", path);
    assert_string_equal(path, "a[0].c");
    kin_yaml_path(yaml.root, "c", path);
    assert_string_equal(path, "c");
    kin_yaml_deinit(&yaml);
    kin_problems_deinit(&problems);
}

static void test_commas_inside_parentheses_join(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        size_t count;
        const char *first;
    } cases[] = {
        {"[f(a, 3), b]", 2, "f(a, 3)"},
        {"[f(a,\n  3), b]", 2, "f(a,   3)"},
        {"[f(a, # why\n 3), b]", 2, "f(a,        3)"},
        {"[f(a, g(b, 1), 2), c]", 2, "f(a, g(b, 1), 2)"},
        {"['f(a', 3), b]", 3, "f(a"}, /* quoted: as it is */
        {"[f(a, '3)', b]", 3, "f(a"},
        {"[f(a, 3, b]", 3, "f(a"}, /* never closed */
        {"[f(a, 3)), b]", 3, "f(a"},
        {"[f(a, [3)], b]", 3, "f(a"},
        {"{x: f(a, 3), y: b}", 2, "f(a, 3)"},
        {"{x: f(a, 3: 1), y: b}", 3, "f(a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct kin_problems problems = {0};
        struct kin_report report = {.out = &problems};
        struct kin_yaml yaml;
        assert_int_equal(kin_yaml_parse(kin_str_of(cases[i].yaml), &yaml, &report), KIN_OK);
        assert_int_equal(kin_yaml_join(&yaml, yaml.root), KIN_OK);
        assert_int_equal(yaml.root->count, cases[i].count);
        assert_string_equal(yaml.root->first->value.p, cases[i].first);
        kin_yaml_deinit(&yaml);
        kin_problems_deinit(&problems);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets_inside_scalars_are_exact),
        cmocka_unit_test(test_nothing_is_at_its_key_or_dash),
        cmocka_unit_test(test_empty_texts_are_where_they_stand),
        cmocka_unit_test(test_columns_count_characters_also_in_long_lines),
        cmocka_unit_test(test_paths_name_keys_and_items),
        cmocka_unit_test(test_commas_inside_parentheses_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
