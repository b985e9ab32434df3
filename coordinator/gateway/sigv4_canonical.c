#include "coordinator/gateway/sigv4_impl.h"

#include <stdlib.h>
#include <string.h>

enum { PAIRS_MAX = 256, SEGMENTS_MAX = 256 };

/* ---- parts ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_name(struct kin_str any_case, struct kin_str lower_case)
{
    if (any_case.n != lower_case.n)
        return false;
    for (size_t i = 0; i < any_case.n; i++) {
        if (lower(any_case.p[i]) != lower_case.p[i])
            return false;
    }
    return true;
}

const struct sigv4_header *sigv4_header_find(const struct sigv4_request *r, struct kin_str name,
                                             unsigned *times)
{
    const struct sigv4_header *first = NULL;
    *times = 0;
    for (size_t i = 0; i < r->header_count; i++) {
        if (!same_name(r->headers[i].name, name))
            continue;
        if (!(*times)++)
            first = &r->headers[i];
    }
    return first;
}

static bool is_unreserved(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static void put_encoded(struct kin_buf *out, struct kin_str text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = (uint8_t)text.p[i];
        if (is_unreserved(c)) {
            kin_buf_putc(out, (char)c);
            continue;
        }
        kin_buf_putc(out, '%');
        kin_buf_putc(out, digits[c >> 4]);
        kin_buf_putc(out, digits[c & 15]);
    }
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, lower(c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Decodes what is encoded, and encodes what has to be, so that it does not matter what a client
 * left as it is. A % without digits stands for itself. */
static void put_normalised(struct kin_buf *out, struct kin_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        int high = c == '%' && i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(text.p[i + 2]) : -1;
        if (low >= 0) {
            c = (char)(high * 16 + low);
            i += 2;
        }
        put_encoded(out, (struct kin_str){&c, 1});
    }
}

/* ---- the path ---- */

/* Dot segments (RFC 3986, section 5.2.4) and empty ones go; a slash at the end stays. False: too
 * many segments. */
static bool put_path(struct kin_buf *out, struct kin_str path)
{
    struct kin_str segments[SEGMENTS_MAX];
    size_t count = 0;
    for (size_t at = 0; at < path.n;) {
        const char *slash = memchr(path.p + at, '/', path.n - at);
        struct kin_str s = {path.p + at, slash ? (size_t)(slash - path.p) - at : path.n - at};
        at += s.n + 1;
        if (!s.n || kin_str_eq(s, KIN_STR(".")))
            continue;
        if (kin_str_eq(s, KIN_STR(".."))) {
            count -= count > 0;
            continue;
        }
        if (count == SEGMENTS_MAX)
            return false;
        segments[count++] = s;
    }
    for (size_t i = 0; i < count; i++) {
        kin_buf_putc(out, '/');
        put_encoded(out, segments[i]);
    }
    if (!count || path.p[path.n - 1] == '/')
        kin_buf_putc(out, '/');
    return true;
}

/* ---- the query ---- */

struct pair {
    size_t name, name_bytes, value, value_bytes; /* in text */
    const struct kin_buf *text;
};

static struct kin_str part(const struct pair *p, size_t at, size_t n)
{
    return (struct kin_str){(const char *)p->text->p + at, n};
}

static int by_name(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = kin_str_cmp(part(x, x->name, x->name_bytes), part(y, y->name, y->name_bytes));
    return order
               ? order
               : kin_str_cmp(part(x, x->value, x->value_bytes), part(y, y->value, y->value_bytes));
}

static bool cut_query(struct kin_str query, struct kin_buf *text, struct pair *pairs, size_t *count)
{
    *count = 0;
    for (size_t at = 0; at < query.n;) {
        const char *p = query.p + at, *and = memchr(p, '&', query.n - at);
        size_t n = and? (size_t)(and-p) : query.n - at;
        const char *equals = memchr(p, '=', n);
        size_t name = equals ? (size_t)(equals - p) : n;
        at += n + 1;
        if (!n)
            continue;
        if (*count == PAIRS_MAX)
            return false;
        struct pair *pair = &pairs[(*count)++];
        *pair = (struct pair){.name = text->n, .text = text};
        put_normalised(text, (struct kin_str){p, name});
        pair->name_bytes = text->n - pair->name;
        pair->value = text->n;
        if (equals)
            put_normalised(text, (struct kin_str){equals + 1, n - name - 1});
        pair->value_bytes = text->n - pair->value;
    }
    return true;
}

static bool put_query(struct kin_buf *out, struct kin_str query)
{
    struct kin_buf text = {0};
    struct pair *pairs = kin_calloc(PAIRS_MAX, sizeof *pairs);
    size_t count = 0;
    bool fine = pairs && cut_query(query, &text, pairs, &count) && !text.failed;
    if (fine && count)
        qsort(pairs, count, sizeof *pairs, by_name);
    for (size_t i = 0; fine && i < count; i++) {
        if (i)
            kin_buf_putc(out, '&');
        kin_buf_put(out, text.p + pairs[i].name, pairs[i].name_bytes);
        kin_buf_putc(out, '=');
        kin_buf_put(out, text.p + pairs[i].value, pairs[i].value_bytes);
    }
    out->failed |= !pairs || text.failed;
    kin_free(pairs);
    kin_buf_deinit(&text);
    return fine;
}

/* ---- headers ---- */

/* Blanks around it go, several in a row become one. */
static void put_value(struct kin_buf *out, struct kin_str value)
{
    bool blank = false, any = false;
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == ' ' || c == '\t') {
            blank = any;
            continue;
        }
        if (blank)
            kin_buf_putc(out, ' ');
        kin_buf_putc(out, c);
        blank = false;
        any = true;
    }
}

static void put_headers(struct kin_buf *out, const struct sigv4_request *r, struct kin_str names)
{
    for (size_t at = 0; at < names.n;) {
        const char *p = names.p + at, *end = memchr(p, ';', names.n - at);
        struct kin_str name = {p, end ? (size_t)(end - p) : names.n - at};
        bool another = false;
        at += name.n + 1;
        kin_buf_put(out, name.p, name.n);
        kin_buf_putc(out, ':');
        for (size_t i = 0; i < r->header_count; i++) {
            if (!same_name(r->headers[i].name, name))
                continue;
            if (another)
                kin_buf_putc(out, ',');
            put_value(out, r->headers[i].value);
            another = true;
        }
        kin_buf_putc(out, '\n');
    }
}

kin_status sigv4_canonical(const struct sigv4_request *r, struct kin_str signed_headers,
                           struct kin_str payload_hash, struct kin_buf *out)
{
    kin_buf_put(out, r->method.p, r->method.n);
    kin_buf_putc(out, '\n');
    bool fine = put_path(out, r->path);
    kin_buf_putc(out, '\n');
    fine = fine && put_query(out, r->query);
    kin_buf_putc(out, '\n');
    if (fine)
        put_headers(out, r, signed_headers);
    kin_buf_putc(out, '\n');
    kin_buf_put(out, signed_headers.p, signed_headers.n);
    kin_buf_putc(out, '\n');
    kin_buf_put(out, payload_hash.p, payload_hash.n);
    if (out->failed)
        return KIN_E_NOMEM;
    return fine ? KIN_OK : KIN_E_LIMIT;
}
