/* docs/workflow.md against the tables of keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/workflow/check.h"

#include <stdio.h>
#include <string.h>

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

/* The part of the reference from its heading with `path` to the next heading. */
static struct kin_str section_of(const char *doc, const char *path)
{
    char heading[64];
    snprintf(heading, sizeof heading, "# `%s`\n", path);
    const char *start = path[0] ? strstr(doc, heading) : strstr(doc, "## The top\n");
    if (!start) {
        fail_msg("no section %s", path);
        return (struct kin_str){"", 0};
    }
    start += path[0] ? strlen(heading) : strlen("## The top\n");
    const char *end = strstr(start, "\n#");
    return (struct kin_str){start, end ? (size_t)(end - start) : strlen(start)};
}

static bool contains(struct kin_str s, const char *part)
{
    return memmem(s.p, s.n, part, strlen(part)) != NULL;
}

static void test_the_reference_has_every_key_type_and_default(void **state)
{
    (void)state;
    struct kin_buf doc = {0};
    read_file(KIN_SOURCE_DIR "/docs/workflow.md", &doc);
    const char *text = doc.p ? (const char *)doc.p : "";
    const char *start = strstr(text, "## Not supported by this version\n");
    assert_non_null(start);
    struct kin_str unsupported = kin_str_of(start);
    for (unsigned map = 0; map < KIN_CHECK_MAPS; map++) {
        const struct kin_check_table *table = kin_check_table((enum kin_check_map)map);
        struct kin_str section = section_of(text, table->path);
        for (size_t i = 0; i < table->count; i++) {
            const struct kin_check_key *key = &table->keys[i];
            char row[256];
            if (key->check)
                snprintf(row, sizeof row, "| `%s` | %s | %s |", key->name, key->type,
                         key->fallback ? key->fallback : "required");
            else
                snprintf(row, sizeof row, "`%s`", key->name);
            if (!contains(key->check ? section : unsupported, row))
                fail_msg("docs/workflow.md lacks: %s", row);
        }
    }
    for (unsigned type = 0; type < KIN_TYPE_COUNT; type++) {
        char row[64];
        snprintf(row, sizeof row, "| `%s` |", kin_type_name((enum kin_type)type));
        assert_true(contains(section_of(text, "fields"), row));
    }
    kin_buf_deinit(&doc);
}

static void test_the_examples_of_the_reference_are_good(void **state)
{
    (void)state;
    struct kin_buf doc = {0};
    read_file(KIN_SOURCE_DIR "/docs/workflow.md", &doc);
    size_t count = 0;
    char *at = (char *)doc.p;
    while ((at = strstr(at, "```yaml\n")) != NULL) {
        char *end = strstr(at += strlen("```yaml\n"), "```");
        assert_non_null(end);
        *end = '\0';
        struct kin_workflow *w = NULL;
        struct kin_problems problems = {0};
        kin_status status = kin_workflow_parse(kin_str_of(at), "", &w, &problems);
        for (size_t i = 0; i < problems.count; i++)
            print_error("%u:%u: %s\n", problems.items[i].line, problems.items[i].column,
                        problems.items[i].text);
        assert_int_equal(status, KIN_OK);
        kin_workflow_free(w);
        kin_problems_deinit(&problems);
        at = end + 1;
        count++;
    }
    assert_in_range(count, 4, 100);
    kin_buf_deinit(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_reference_has_every_key_type_and_default),
        cmocka_unit_test(test_the_examples_of_the_reference_are_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
