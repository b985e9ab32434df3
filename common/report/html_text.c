/* Text, numbers and the small pieces that every section is made of. */
#include "common/report/html_impl.h"
#include "common/workflow/utf8.h"

#define MEASURE_MAX 1e15

uint64_t json_count(const json_t *o, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(o, key));
    return n > 0 ? (uint64_t)n : 0;
}

double json_measure(const json_t *o, const char *key)
{
    double x = json_number_value(json_object_get(o, key));
    if (!(x > -MEASURE_MAX))
        return -MEASURE_MAX;
    return x < MEASURE_MAX ? x : MEASURE_MAX;
}

const char *json_words(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

/* ---- text ---- */

void put(struct page *p, const char *html)
{
    kin_buf_puts(p->out, html);
}

static void put_char(struct kin_buf *out, char c)
{
    switch (c) {
    case '&':
        kin_buf_puts(out, "&amp;");
        break;
    case '<':
        kin_buf_puts(out, "&lt;");
        break;
    case '>':
        kin_buf_puts(out, "&gt;");
        break;
    case '"':
        kin_buf_puts(out, "&quot;");
        break;
    case '\'':
        kin_buf_puts(out, "&#39;");
        break;
    default:
        kin_buf_putc(out, c);
    }
}

static void put_cut(struct page *p, struct kin_str text, size_t most)
{
    size_t end = text.n > most ? kin_utf8_cut(text.p, text.n, most) : text.n;
    for (size_t i = 0; i < end;) {
        uint32_t c;
        size_t bytes = kin_utf8_step(text.p + i, end - i, &c);
        if (bytes == 0)
            put(p, "\xef\xbf\xbd");
        else if (kin_utf8_is_control(c))
            kin_buf_putc(p->out, ' ');
        else if (bytes == 1)
            put_char(p->out, text.p[i]);
        else
            kin_buf_put(p->out, text.p + i, bytes);
        i += bytes ? bytes : 1;
    }
    if (end < text.n)
        put(p, "\xe2\x80\xa6");
}

void put_escaped(struct page *p, struct kin_str text)
{
    put_cut(p, text, TEXT_BYTES_MAX);
}

/* bdi: a value that is written from right to left turns nothing else round */
void put_bytes(struct page *p, struct kin_str text)
{
    put(p, "<bdi>");
    put_cut(p, text, TEXT_BYTES_MAX);
    put(p, "</bdi>");
}

void put_long_text(struct page *p, const char *text)
{
    put_cut(p, kin_str_of(text), SIZE_MAX);
}

void put_text(struct page *p, const char *text)
{
    put_bytes(p, kin_str_of(text));
}

void put_plain_count(struct page *p, uint64_t n)
{
    char digits[32];
    size_t at = sizeof digits, written = 0;
    do {
        if (written && written % 3 == 0)
            digits[--at] = ',';
        digits[--at] = (char)('0' + n % 10);
        written++;
    } while (n /= 10);
    kin_buf_put(p->out, digits + at, sizeof digits - at);
}

void put_count(struct page *p, uint64_t n)
{
    kin_buf_printf(p->out, "<data value=\"%llu\">", (unsigned long long)n);
    put_plain_count(p, n);
    put(p, "</data>");
}

void put_bits(struct page *p, double bits)
{
    if (bits > -0.005 && bits < 0.005)
        put(p, "0.00");
    else
        kin_buf_printf(p->out, "%s%.2f", bits > 0 ? "+" : "\xe2\x88\x92", bits > 0 ? bits : -bits);
}

void put_share(struct page *p, double part, double whole)
{
    double percent = whole > 0 ? 100 * part / whole : 0;
    if (percent > 0 && percent < 0.1)
        put(p, "&lt; 0.1\xc2\xa0%");
    else
        kin_buf_printf(p->out, "%.1f\xc2\xa0%%", percent);
}

/* As percent, with so many digits that it is told from 0 and from 100. */
void put_probability(struct page *p, double probability)
{
    double rest = probability < 0.5 ? probability : 1 - probability;
    if (rest < 1e-5)
        put(p, probability < 0.5 ? "&lt; 0.001\xc2\xa0%" : "&gt; 99.999\xc2\xa0%");
    else
        kin_buf_printf(p->out, "%.*f\xc2\xa0%%",
                       rest >= 0.0095     ? 1
                       : rest >= 0.00095  ? 2
                       : rest >= 0.000095 ? 3
                                          : 4,
                       100 * probability);
}

double bits_probability(double bits)
{
    return kin_weight_probability(kin_weight_of_bits(bits));
}

/* ---- pieces ---- */

void section_begin(struct page *p, const char *id, const char *title, const char *lead)
{
    kin_buf_printf(p->out, "<section id=\"%s\">\n<h2>%s</h2>\n", id, title);
    if (*lead)
        kin_buf_printf(p->out, "<p class=\"lead\">%s</p>\n", lead);
}

void section_end(struct page *p)
{
    put(p, "</section>\n");
}

void head_cell(struct page *p, const char *title, bool number)
{
    kin_buf_printf(p->out, "<th scope=\"col\"%s>%s</th>", number ? " class=\"n\"" : "", title);
}

void cell_count(struct page *p, uint64_t n)
{
    put(p, "<td class=\"n\">");
    put_count(p, n);
    put(p, "</td>");
}

void cell_text(struct page *p, const char *text)
{
    put(p, "<td>");
    put_text(p, text);
    put(p, "</td>");
}

void row_header(struct page *p, const char *text)
{
    put(p, "<th scope=\"row\">");
    put_text(p, text);
    put(p, "</th>");
}

void rows_left_out(struct page *p, size_t shown, size_t all, const char *what)
{
    if (all <= shown)
        return;
    put(p, "<p class=\"note\">");
    put_plain_count(p, all - shown);
    kin_buf_printf(p->out, " more %s are in report.json.</p>\n", what);
}

void cell_bar(struct page *p, const struct bar_part *parts, size_t n)
{
    put(p, "<td class=\"bar\"><svg width=\"100%\" height=\"14\" aria-hidden=\"true\">");
    for (size_t i = 0; i < n; i++) {
        if (parts[i].share > 0)
            kin_buf_printf(
                p->out,
                "<rect class=\"%s\" x=\"%.2f%%\" width=\"%.2f%%\" height=\"14\" rx=\"1.5\"/>",
                parts[i].class, 100 * parts[i].from,
                100 * (parts[i].share < 0.003 ? 0.003 : parts[i].share));
    }
    put(p, "</svg></td>");
}

enum { CHART_WIDTH = 960, COLUMNS_HEIGHT = 190 };

void column_chart(struct page *p, const char *description, const char *const *labels,
                  const uint64_t *counts, size_t n)
{
    double most = 1, step = n ? (double)CHART_WIDTH / (double)n : 0;
    for (size_t i = 0; i < n; i++)
        most = (double)counts[i] > most ? (double)counts[i] : most;
    kin_buf_printf(p->out,
                   "<div class=\"scroll\"><svg class=\"chart\" viewBox=\"0 0 %d 220\" role=\"img\" "
                   "aria-label=\"%s\">\n",
                   CHART_WIDTH, description);
    for (size_t i = 0; i < n; i++) {
        double height = (double)counts[i] / most * (COLUMNS_HEIGHT - 20);
        double x = step * (double)i, middle = x + step / 2;
        height = counts[i] && height < 1.5 ? 1.5 : height;
        kin_buf_printf(p->out,
                       "<rect class=\"main\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                       "rx=\"2\"/><text class=\"mid%s\" x=\"%.1f\" y=\"%.1f\">",
                       x + step * 0.12, COLUMNS_HEIGHT - height, step * 0.76, height,
                       counts[i] ? " strong" : " faint", middle, COLUMNS_HEIGHT - height - 7);
        put_plain_count(p, counts[i]);
        kin_buf_printf(p->out, "</text><text class=\"mid\" x=\"%.1f\" y=\"%d\">%s</text>\n", middle,
                       COLUMNS_HEIGHT + 20, labels[i]);
    }
    kin_buf_printf(p->out, "<path class=\"axis\" d=\"M0 %d.5H%d\"/></svg></div>\n", COLUMNS_HEIGHT,
                   CHART_WIDTH);
}
