/* Cells of CSV and strings of JSON. */
#include "common/record/normalise.h"
#include "common/record/reader_impl.h"

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Most cells are short and want none: eight bytes at a time, is there a ',' or a '"' or anything
 * below ' '? Then it is looked at byte by byte. */
static bool looks_plain(const char *p, size_t n)
{
    const uint64_t ones = 0x0101010101010101u, tops = ones << 7;
    uint64_t found = 0;
    for (; n; p += n < 8 ? n : 8, n -= n < 8 ? n : 8) {
        uint64_t x = ' ' * ones;
        memcpy(&x, p, n < 8 ? n : 8);
        uint64_t comma = x ^ ',' * ones, quote = x ^ '"' * ones;
        found |= ((comma - ones) & ~comma) | ((quote - ones) & ~quote) | ((x - ' ' * ones) & ~x);
    }
    return !(found & tops);
}

static bool needs_quotes(struct kin_str v)
{
    if (v.n == 0)
        return false;
    if (blank(v.p[0]) || blank(v.p[v.n - 1]))
        return true;
    if (looks_plain(v.p, v.n))
        return false;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == ',' || v.p[i] == '"' || v.p[i] == '\n' || v.p[i] == '\r')
            return true;
    }
    return false;
}

void kin_csv_cell(struct kin_buf *out, struct kin_str value)
{
    if (!needs_quotes(value)) {
        kin_buf_put(out, value.p, value.n);
        return;
    }
    kin_buf_putc(out, '"');
    while (value.n) {
        const char *quote = memchr(value.p, '"', value.n);
        size_t n = quote ? (size_t)(quote - value.p) + 1 : value.n;
        kin_buf_put(out, value.p, n);
        if (quote)
            kin_buf_putc(out, '"');
        value.p += n;
        value.n -= n;
    }
    kin_buf_putc(out, '"');
}

static void put_escaped(struct kin_buf *out, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    static const char short_forms[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    for (size_t i = 0; i + 1 < sizeof short_forms; i += 2) {
        if ((uint8_t)short_forms[i] == c) {
            char two[] = {'\\', short_forms[i + 1]};
            kin_buf_put(out, two, sizeof two);
            return;
        }
    }
    char six[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
    kin_buf_put(out, six, sizeof six);
}

/* Valid UTF-8. */
static void put_json_text(struct kin_buf *out, const uint8_t *p, size_t n)
{
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] >= 0x20 && p[i] != '"' && p[i] != '\\')
            continue;
        kin_buf_put(out, p + from, i - from);
        put_escaped(out, p[i]);
        from = i + 1;
    }
    kin_buf_put(out, p + from, n - from);
}

void kin_csv_raw_cell(struct kin_buf *out, struct kin_str raw)
{
    if (!raw.p || (kin_utf8_valid(raw.p, raw.n, NULL) && !memchr(raw.p, '\0', raw.n))) {
        kin_csv_cell(out, raw);
        return;
    }
    struct kin_buf clean = {0};
    for (size_t i = 0; i < raw.n;) {
        size_t n = 1;
        while (n < 4 && i + n <= raw.n && !kin_utf8_valid(raw.p + i, n, NULL))
            n++;
        if (raw.p[i] && i + n <= raw.n && kin_utf8_valid(raw.p + i, n, NULL)) {
            kin_buf_put(&clean, raw.p + i, n);
            i += n;
        } else {
            kin_buf_puts(&clean, "\xef\xbf\xbd");
            i++;
        }
    }
    kin_csv_cell(out, (struct kin_str){(const char *)clean.p, clean.n});
    out->failed = out->failed || clean.failed;
    kin_buf_deinit(&clean);
}

void kin_json_string(struct kin_buf *out, struct kin_str value)
{
    const uint8_t *p = (const uint8_t *)value.p;
    size_t left = value.n;
    kin_buf_putc(out, '"');
    while (left) {
        size_t valid = kin_utf8_prefix(p, left);
        put_json_text(out, p, valid);
        if (valid < left) {
            kin_buf_puts(out, "\xef\xbf\xbd"); /* U+FFFD */
            valid++;
        }
        p += valid;
        left -= valid;
    }
    kin_buf_putc(out, '"');
}
