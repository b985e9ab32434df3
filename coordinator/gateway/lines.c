#include "coordinator/gateway/lines.h"

#include <string.h>

enum { DEPTH_MAX = 32 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static size_t skip_blanks(struct kin_str text, size_t at)
{
    while (at < text.n && is_blank(text.p[at]))
        at++;
    return at;
}

/* The end of the string that begins at `at`; the size of the text where it has none. */
static size_t skip_string(struct kin_str text, size_t at)
{
    for (at++; at < text.n && text.p[at] != '"'; at++) {
        if (text.p[at] == '\\')
            at++;
    }
    return at < text.n ? at + 1 : text.n;
}

static kin_status fail(struct kin_err *err, kin_status status, size_t at, const char *what)
{
    return kin_err_set(err, status, "the body, at byte %zu: %s", at + 1, what);
}

/* Appends the object at *at as a line, and moves *at behind it. Line ends outside of strings are
 * blanks like others; inside they are not allowed, and would make two lines of one. */
static kin_status put_object(struct kin_str text, size_t *at, struct kin_buf *out,
                             struct kin_err *err)
{
    char closing[DEPTH_MAX] = {0};
    unsigned depth = 0;
    size_t i = *at;
    if (i == text.n || text.p[i] != '{')
        return fail(err, KIN_E_SYNTAX, i, "expected an object");
    do {
        char c = text.p[i];
        size_t end = c == '"' ? skip_string(text, i) : i + 1;
        if (c == '"' && memchr(text.p + i, '\n', end - i))
            return fail(err, KIN_E_SYNTAX, i, "a string with a line end in it");
        if (!is_blank(c))
            kin_buf_put(out, text.p + i, end - i);
        else if (c == ' ' || c == '\t')
            kin_buf_putc(out, ' ');
        if (c == '{' || c == '[') {
            if (depth == DEPTH_MAX)
                return fail(err, KIN_E_LIMIT, i, "nested too deep");
            closing[depth++] = c == '{' ? '}' : ']';
        } else if ((c == '}' || c == ']') && (!depth || closing[--depth] != c)) {
            return fail(err, KIN_E_SYNTAX, i, "this bracket closes nothing");
        }
        i = end;
    } while (depth && i < text.n);
    if (depth)
        return fail(err, KIN_E_SYNTAX, i, "the object does not end");
    kin_buf_putc(out, '\n');
    *at = i;
    return out->failed ? kin_err_set(err, KIN_E_NOMEM, "out of memory") : KIN_OK;
}

static kin_status put_array(struct kin_str text, size_t *at, size_t max_count, struct kin_buf *out,
                            struct kin_err *err)
{
    size_t i = skip_blanks(text, *at + 1), count = 0;
    bool more = i == text.n || text.p[i] != ']';
    while (more) {
        if (++count > max_count)
            return kin_err_set(err, KIN_E_LIMIT, "more than %zu records", max_count);
        kin_status status = put_object(text, &i, out, err);
        if (status != KIN_OK)
            return status;
        i = skip_blanks(text, i);
        more = i < text.n && text.p[i] == ',';
        if (more)
            i = skip_blanks(text, i + 1);
    }
    if (i == text.n || text.p[i] != ']')
        return fail(err, KIN_E_SYNTAX, i, "expected a comma or the array's end");
    *at = i + 1;
    return KIN_OK;
}

kin_status lines_from_body(struct kin_str body, size_t max_count, struct kin_buf *out,
                           enum lines_form *form, struct kin_err *err)
{
    size_t at = skip_blanks(body, 0);
    bool array = at < body.n && body.p[at] == '[';
    if (at == body.n || (!array && body.p[at] != '{'))
        return fail(err, KIN_E_SYNTAX, at, "expected a record or an array of records, as JSON");
    kin_status status =
        array ? put_array(body, &at, max_count, out, err) : put_object(body, &at, out, err);
    if (status != KIN_OK)
        return status;
    at = skip_blanks(body, at);
    if (at != body.n)
        return fail(err, KIN_E_SYNTAX, at,
                    "there is more behind its end (several lines need the content type "
                    "application/jsonl)");
    *form = array ? LINES_ARRAY : LINES_OBJECT;
    return KIN_OK;
}

/* The next line that is not blank, without its end; false: there is none. */
static bool next_line(struct kin_str lines, size_t *at, struct kin_str *line)
{
    while (*at < lines.n) {
        const char *p = lines.p + *at, *end = memchr(p, '\n', lines.n - *at);
        size_t n = end ? (size_t)(end - p) : lines.n - *at;
        *at += n + (end ? 1 : 0);
        while (n && is_blank(p[n - 1]))
            n--;
        *line = (struct kin_str){p, n};
        if (skip_blanks(*line, 0) < n)
            return true;
    }
    return false;
}

size_t lines_count(struct kin_str lines)
{
    struct kin_str line;
    size_t count = 0;
    for (size_t at = 0; next_line(lines, &at, &line);)
        count++;
    return count;
}

bool lines_to_body(struct kin_str lines, enum lines_form form, struct kin_buf *out)
{
    struct kin_str line;
    size_t at = 0, count = 0;
    if (form == LINES_AS_IS) {
        kin_buf_put(out, lines.p, lines.n);
        return true;
    }
    if (form == LINES_ARRAY)
        kin_buf_putc(out, '[');
    while ((form == LINES_ARRAY || count == 0) && next_line(lines, &at, &line)) {
        if (count++)
            kin_buf_putc(out, ',');
        kin_buf_put(out, line.p, line.n);
    }
    if (form == LINES_ARRAY)
        kin_buf_putc(out, ']');
    return form == LINES_ARRAY || count > 0;
}
