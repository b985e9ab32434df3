#include "coordinator/gateway/uri.h"

#include "common/record/normalise.h"

#include <inttypes.h>
#include <string.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

kin_status uri_decode(struct kin_arena *arena, struct kin_str text, bool plus, struct kin_str *out,
                      struct kin_err *err)
{
    char *to = kin_arena_alloc(arena, text.n + 1);
    size_t n = 0;
    bool ascii;
    if (!to)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;
            if (low < 0)
                return kin_err_set(err, KIN_E_SYNTAX,
                                   "a %% in the address is not followed by two hexadecimal digits");
            c = (char)(high * 16 + low);
            i += 2;
        } else if (plus && c == '+') {
            c = ' ';
        }
        if (!c)
            return kin_err_set(err, KIN_E_SYNTAX, "a zero byte in the address");
        to[n++] = c;
    }
    if (!kin_utf8_valid(to, n, &ascii))
        return kin_err_set(err, KIN_E_SYNTAX, "the address is not UTF-8");
    to[n] = '\0';
    *out = (struct kin_str){to, n};
    return KIN_OK;
}

/* Takes what stands before the next separator off *text. */
static struct kin_str cut(struct kin_str *text, char separator)
{
    const char *end = text->n ? memchr(text->p, separator, text->n) : NULL;
    struct kin_str head = {text->p, end ? (size_t)(end - text->p) : text->n};
    size_t skip = head.n + (end ? 1 : 0);
    if (skip)
        *text = (struct kin_str){text->p + skip, text->n - skip};
    return head;
}

kin_status uri_path_parse(struct kin_arena *arena, struct kin_str path, struct uri_path *out,
                          struct kin_err *err)
{
    struct kin_str rest = path;
    out->count = 0;
    if (!path.n || path.p[0] != '/')
        return kin_err_set(err, KIN_E_SYNTAX, "the path does not begin with a slash");
    for (bool more = true; more;) {
        rest = (struct kin_str){rest.p + 1, rest.n - 1}; /* the slash */
        struct kin_str head = rest;
        const char *slash = memchr(rest.p, '/', rest.n);
        more = slash != NULL;
        if (more) {
            head.n = (size_t)(slash - rest.p);
            rest = (struct kin_str){slash, rest.n - head.n};
        }
        if (out->count == URI_PARTS_MAX)
            return kin_err_set(err, KIN_E_LIMIT, "the path has too many parts");
        kin_status status = uri_decode(arena, head, false, &out->part[out->count], err);
        if (status != KIN_OK)
            return status;
        out->count++;
    }
    return KIN_OK;
}

kin_status uri_query_parse(struct kin_arena *arena, struct kin_str query, struct uri_query *out,
                           struct kin_err *err)
{
    out->count = 0;
    while (query.n) {
        struct kin_str value = cut(&query, '&');
        struct uri_param p = {.name = {0}};
        if (!value.n)
            continue;
        struct kin_str name = cut(&value, '=');
        if (out->count == URI_PARAMS_MAX)
            return kin_err_set(err, KIN_E_LIMIT, "the query has too many parameters");
        kin_status status = uri_decode(arena, name, true, &p.name, err);
        if (status == KIN_OK)
            status = uri_decode(arena, value, true, &p.value, err);
        if (status != KIN_OK)
            return status;
        if (uri_query_find(out, p.name.p))
            return kin_err_set(err, KIN_E_SYNTAX, "the query has %.64s twice", p.name.p);
        out->param[out->count++] = p;
    }
    return KIN_OK;
}

const struct kin_str *uri_query_find(const struct uri_query *q, const char *name)
{
    struct kin_str wanted = kin_str_of(name);
    for (unsigned i = 0; i < q->count; i++) {
        if (kin_str_eq(q->param[i].name, wanted))
            return &q->param[i].value;
    }
    return NULL;
}

kin_status uri_query_number(const struct uri_query *q, const char *name, uint64_t max,
                            uint64_t *out, struct kin_err *err)
{
    const struct kin_str *text = uri_query_find(q, name);
    uint64_t v = 0;
    if (!text)
        return KIN_OK;
    bool fine = text->n > 0 && text->n <= 20;
    for (size_t i = 0; i < text->n && fine; i++) {
        unsigned digit = (unsigned)(text->p[i] - '0');
        fine = digit <= 9 && v <= (UINT64_MAX - digit) / 10;
        v = fine ? v * 10 + digit : 0;
    }
    if (!fine || v > max)
        return kin_err_set(err, KIN_E_INVAL, "%s is no number from 0 to %" PRIu64, name, max);
    *out = v;
    return KIN_OK;
}

kin_status uri_query_flag(const struct uri_query *q, const char *name, bool *out,
                          struct kin_err *err)
{
    const struct kin_str *text = uri_query_find(q, name);
    if (!text)
        return KIN_OK;
    bool yes = !text->n || kin_str_eq(*text, KIN_STR("1")) || kin_str_eq(*text, KIN_STR("true"));
    if (!yes && !kin_str_eq(*text, KIN_STR("0")) && !kin_str_eq(*text, KIN_STR("false")))
        return kin_err_set(err, KIN_E_INVAL, "%s is neither 1 nor 0", name);
    *out = yes;
    return KIN_OK;
}
