#include "client/suggest_text.h"

#include "client/display.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 96 };

static bool is_plain_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '/' || c == '-' || (unsigned char)c >= 0x80;
}

/* What YAML reads as the text it is, in any place. */
static bool is_plain(struct kin_str v)
{
    static const char *const words[] = {"null", "Null", "NULL"};
    if (v.n == 0 || v.p[0] == '-' || v.p[v.n - 1] == ' ')
        return false;
    for (size_t i = 0; i < v.n; i++) {
        if (!is_plain_byte(v.p[i]) && (v.p[i] != ' ' || i == 0))
            return false;
    }
    for (size_t i = 0; i < 3; i++) {
        if (kin_str_eq(v, kin_str_of(words[i])))
            return false;
    }
    return true;
}

void kin_suggest_put_scalar(struct kin_buf *out, struct kin_str v)
{
    if (is_plain(v)) {
        kin_buf_put(out, v.p, v.n);
        return;
    }
    kin_buf_putc(out, '"');
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '"' || v.p[i] == '\\')
            kin_buf_putc(out, '\\');
        kin_buf_putc(out, v.p[i]);
    }
    kin_buf_putc(out, '"');
}

void kin_suggest_put_count(struct kin_buf *out, uint64_t x)
{
    char number[32];
    kin_buf_puts(out, kin_display_number(x, number));
}

void kin_suggest_put_about(struct kin_buf *out, double x)
{
    double unit = 1;
    if (!(x > 0.5))
        x = 0;
    while (x / unit >= 1000 && unit < 1e15)
        unit *= 10;
    x = floor(x / unit + 0.5) * unit;
    kin_suggest_put_count(out, x < 1e18 ? (uint64_t)x : (uint64_t)1000000000000000000);
}

void kin_suggest_put_share(struct kin_buf *out, double share)
{
    double percent = 100 * share;
    if (percent <= 0)
        kin_buf_puts(out, "0 %");
    else if (percent < 0.1)
        kin_buf_puts(out, "under 0.1 %");
    else if (percent < 9.95 || (percent > 99 && percent < 99.95))
        kin_buf_printf(out, "%.1f %%", percent);
    else
        kin_buf_printf(out, "%.0f %%", percent);
}

size_t kin_suggest_odd(const char *p, size_t left)
{
    unsigned char a = (unsigned char)p[0], b = left > 1 ? (unsigned char)p[1] : 0,
                  c = left > 2 ? (unsigned char)p[2] : 0;
    if (a < ' ' || a == 0x7f)
        return 1;
    if (a == 0xc2 && b >= 0x80 && b < 0xa0) /* U+0080 to U+009F */
        return 2;
    bool separator = a == 0xe2 && b == 0x80 && (c & 0xfe) == 0xa8; /* U+2028, U+2029 */
    bool mark = a == 0xef && b == 0xbb && c == 0xbf;
    return separator || mark ? 3 : 0;
}

void kin_suggest_put_clean(struct kin_buf *out, struct kin_str text, size_t max)
{
    bool cut = text.n > max;
    size_t n = cut ? max : text.n;
    while (cut && n > 0 && ((unsigned char)text.p[n] & 0xc0) == 0x80)
        n--;
    for (size_t i = 0; i < n;) {
        size_t odd = kin_suggest_odd(text.p + i, n - i);
        kin_buf_putc(out, odd ? ' ' : text.p[i]);
        i += odd ? odd : 1;
    }
    if (cut)
        kin_buf_puts(out, "...");
}

void kin_suggest_put_wrapped(struct kin_buf *out, const char *lead, struct kin_str text)
{
    size_t width = LINE_BYTES - strlen(lead);
    while (text.n > 0 && text.p[text.n - 1] == ' ')
        text.n--;
    while (text.n > 0) {
        size_t n = text.n;
        if (n > width) {
            n = width;
            while (n > 0 && (text.p[n] != ' ' || text.p[n + 1] == '%'))
                n--;
            for (n = n ? n : width; n < text.n && text.p[n] != ' ';)
                n++;
        }
        kin_buf_puts(out, lead);
        kin_buf_put(out, text.p, n);
        kin_buf_putc(out, '\n');
        n += n < text.n;
        text.p += n;
        text.n -= n;
    }
}

void kin_suggest_put_relative(struct kin_buf *out, const char *base, const char *target)
{
    size_t same = 0, at = 0; /* same: of both, up to the end of a folder's name */
    if (strcmp(base, "/") == 0)
        base = "";
    for (;; at++) {
        bool base_ends = !base[at] || base[at] == '/', target_ends = target[at] == '/';
        if (base_ends && target_ends)
            same = at;
        if (!base[at] || base[at] != target[at])
            break;
    }
    for (size_t i = same; base[i]; i++) {
        if (base[i] == '/')
            kin_buf_puts(out, "../");
    }
    kin_buf_puts(out, target + same + (target[same] == '/'));
}
