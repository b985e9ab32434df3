/* What the HTTP gateway takes apart before anybody was let in: paths and queries, bodies, and
 * signatures. The first byte picks. Never a crash, and what was taken apart holds together. */
#include "coordinator/gateway/lines.h"
#include "coordinator/gateway/sigv4.h"
#include "coordinator/gateway/uri.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_uri(struct kin_str text)
{
    struct kin_arena arena = {0};
    struct uri_path path;
    struct uri_query query;
    struct kin_err err;
    const char *mark = text.n ? memchr(text.p, '?', text.n) : NULL;
    size_t n = mark ? (size_t)(mark - text.p) : text.n;
    if (uri_path_parse(&arena, (struct kin_str){text.p, n}, &path, &err) == KIN_OK) {
        size_t bytes = path.count;
        for (unsigned i = 0; i < path.count; i++) {
            bytes += path.part[i].n;
            KIN_ASSERT(strlen(path.part[i].p) == path.part[i].n);
        }
        KIN_ASSERT(path.count >= 1 && bytes <= n);
    }
    if (mark && uri_query_parse(&arena, (struct kin_str){mark + 1, text.n - n - 1}, &query, &err) ==
                    KIN_OK) {
        uint64_t v = 0;
        bool flag;
        for (unsigned i = 0; i < query.count; i++) {
            const char *name = query.param[i].name.p;
            KIN_ASSERT(uri_query_find(&query, name) == &query.param[i].value);
            KIN_ASSERT(uri_query_number(&query, name, 1000, &v, &err) != KIN_OK || v <= 1000);
            (void)!uri_query_flag(&query, name, &flag, &err);
        }
    }
    kin_arena_deinit(&arena);
}

static size_t line_ends(struct kin_str text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.n; i++)
        count += text.p[i] == '\n';
    return count;
}

static void fuzz_lines(struct kin_str body)
{
    struct kin_buf lines = {0}, back = {0}, again = {0};
    enum lines_form form, same;
    struct kin_err err;
    if (lines_from_body(body, 100, &lines, &form, &err) == KIN_OK) {
        struct kin_str text = {(const char *)lines.p, lines.n};
        size_t count = lines_count(text);
        KIN_ASSERT(count <= 100 && count == line_ends(text));
        KIN_ASSERT(form == LINES_ARRAY || count == 1);
        KIN_ASSERT(lines_to_body(text, form, &back));
        KIN_ASSERT(lines_from_body((struct kin_str){(const char *)back.p, back.n}, 100, &again,
                                   &same, &err) == KIN_OK);
        KIN_ASSERT(same == form && again.n == lines.n &&
                   (!lines.n || memcmp(again.p, lines.p, lines.n) == 0));
    } else {
        KIN_ASSERT(err.msg[0]);
    }
    kin_buf_deinit(&lines);
    kin_buf_deinit(&back);
    kin_buf_deinit(&again);
}

/* The input is the Authorization, the date, the path and the query, a line each, then headers.
 * Nobody can have signed it. */
static void fuzz_signature(struct kin_str text)
{
    static const char keys_text[] = "AKIDEXAMPLE wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n";
    enum { LINES_MAX = 12 };
    struct kin_str lines[LINES_MAX] = {{0}};
    size_t count = 0;
    for (size_t at = 0; at < text.n && count < LINES_MAX; count++) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = end ? (size_t)(end - text.p) - at : text.n - at;
        lines[count] = (struct kin_str){text.p + at, n};
        at += n + 1;
    }
    struct sigv4_header headers[LINES_MAX + 1] = {{KIN_STR("Authorization"), lines[0]},
                                                  {KIN_STR("X-Amz-Date"), lines[1]},
                                                  {KIN_STR("Host"), KIN_STR("h")}};
    struct sigv4_request r = {KIN_STR("GET"), lines[2], lines[3], headers, 3, {0}};
    for (size_t i = 4; i < count; i++)
        headers[r.header_count++] = (struct sigv4_header){lines[i], lines[i]};
    struct sigv4_keys *keys = NULL;
    struct sigv4_check check;
    KIN_ASSERT(sigv4_keys_parse(kin_str_of(keys_text), &keys, NULL) == KIN_OK);
    KIN_ASSERT(sigv4_verify(keys, "entityresolution", &r, 1440938160, &check) == KIN_OK);
    KIN_ASSERT(check.verdict != SIGV4_FINE && *check.why);
    sigv4_keys_free(keys);
    keys = NULL;
    (void)!sigv4_keys_parse(text, &keys, NULL);
    sigv4_keys_free(keys);
    struct kin_buf canonical = {0};
    kin_status status = sigv4_canonical(&r, lines[0], lines[1], &canonical);
    KIN_ASSERT(status == KIN_OK || status == KIN_E_LIMIT);
    kin_buf_deinit(&canonical);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* an exact block of its own, so that ASan sees one byte too far */
    uint8_t *copy = kin_alloc(size - 1);
    KIN_ASSERT(copy);
    if (size > 1)
        memcpy(copy, data + 1, size - 1);
    struct kin_str text = {(const char *)copy, size - 1};
    if (data[0] == 's')
        fuzz_signature(text);
    else if (data[0] == 'l')
        fuzz_lines(text);
    else
        fuzz_uri(text);
    kin_free(copy);
    return 0;
}
