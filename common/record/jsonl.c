/* One line of JSON Lines: an object of scalars, arrays of scalars and objects (RFC 8259, with
 * nothing added). Values are not interpreted: a number is the text that stands there. */
#include "common/record/reader_impl.h"

#include <stdio.h>

enum { DEPTH_MAX = 8, CELLS_MAX = 65536 };

struct json {
    struct kin_rows *rows;
    const uint8_t *start; /* of the line */
    const uint8_t *p;
    const uint8_t *end;
    size_t cells;
    struct kin_str field; /* the member at hand */
    bool nomem;
};

/* Bytes are counted from 1. */
static bool fail(struct json *j, const uint8_t *at, const char *what)
{
    size_t byte = (size_t)(at - j->start) + 1;
    snprintf(j->rows->reason, KIN_REASON_BYTES, "byte %zu: %s", byte, what);
    return false;
}

static bool fail_limit(struct json *j, const uint8_t *at, const char *what, size_t limit,
                       const char *unit)
{
    size_t byte = (size_t)(at - j->start) + 1;
    snprintf(j->rows->reason, KIN_REASON_BYTES, "byte %zu: %s %zu %s", byte, what, limit, unit);
    return false;
}

static bool fail_nomem(struct json *j)
{
    j->nomem = true;
    return false;
}

static bool white(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next byte that is not blank, which is not yet consumed; 0: the line ends. (A NUL byte in the
 * line is nowhere allowed, so it needs no answer of its own.) */
static inline uint8_t peek(struct json *j)
{
    if (j->p<j->end && * j->p> ' ') /* mostly */
        return *j->p;
    while (j->p < j->end && white(*j->p))
        j->p++;
    return j->p < j->end ? *j->p : 0;
}

/* ---- scalars ---- */

static bool hex4(const uint8_t *p, const uint8_t *end, uint32_t *out)
{
    if (end - p < 4)
        return false;
    uint32_t v = 0;
    for (size_t i = 0; i < 4; i++) {
        uint8_t c = p[i];
        uint8_t lower = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            v = v << 4 | (uint32_t)(lower - 'a' + 10);
        else
            return false;
    }
    *out = v;
    return true;
}

static uint8_t *put_utf8(uint8_t *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (uint8_t)c;
        return to;
    }
    if (c < 0x800) {
        *to++ = (uint8_t)(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *to++ = (uint8_t)(0xe0 | c >> 12);
        } else {
            *to++ = (uint8_t)(0xf0 | c >> 18);
            *to++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        }
        *to++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    }
    *to++ = (uint8_t)(0x80 | (c & 0x3f));
    return to;
}

/* p is behind "\u". */
static bool read_unicode(struct json *j, uint8_t **to)
{
    const uint8_t *at = j->p - 2;
    uint32_t c = 0;
    if (!hex4(j->p, j->end, &c))
        return fail(j, at, "\\u needs four hexadecimal digits");
    j->p += 4;
    if (c == 0)
        return fail(j, at, "NUL character in a string");
    if (c >= 0xdc00 && c <= 0xdfff)
        return fail(j, at, "half a surrogate pair");
    if (c >= 0xd800 && c <= 0xdbff) {
        uint32_t low = 0;
        bool pair = j->end - j->p >= 6 && j->p[0] == '\\' && j->p[1] == 'u' &&
                    hex4(j->p + 2, j->end, &low) && low >= 0xdc00 && low <= 0xdfff;
        if (!pair)
            return fail(j, at, "half a surrogate pair");
        j->p += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = put_utf8(*to, c);
    return true;
}

/* p is at a backslash. */
static bool read_escape(struct json *j, uint8_t **to)
{
    static const char from[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    const uint8_t *at = j->p++;
    uint8_t c = j->p < j->end ? *j->p++ : 0;
    if (c == 'u')
        return read_unicode(j, to);
    const char *known = c ? strchr(from, (int)c) : NULL;
    if (!known)
        return fail(j, at, "unknown escape");
    *(*to)++ = (uint8_t)meant[known - from];
    return true;
}

/* p is at the opening quote, and afterwards behind the closing one. Text without escapes stays
 * where it is. */
static bool read_string(struct json *j, struct kin_str *out)
{
    const uint8_t *opened = j->p++;
    const uint8_t *from = j->p;
    struct kin_buf *buf = &j->rows->unescaped;
    uint8_t *to = NULL;
    uint8_t *text = NULL;
    for (;;) {
        j->p = kin_skip_plain(j->rows->json_stop, j->p, j->end);
        if (j->p == j->end)
            return fail(j, opened, "string not closed");
        if (*j->p == '"' && !to) {
            *out = (struct kin_str){(const char *)from, (size_t)(j->p++ - from)};
            return true;
        }
        if (*j->p != '"' && *j->p != '\\')
            return fail(j, j->p, "control character in a string");
        if (!to) {
            /* an escape is never shorter than what it stands for: all texts of a line fit in as
             * many bytes as the line has, so the buffer does not move under an earlier one */
            if (!kin_buf_reserve(buf, (size_t)(j->end - j->start) - buf->n))
                return fail_nomem(j);
            text = to = buf->p + buf->n;
        }
        size_t n = (size_t)(j->p - from);
        memcpy(to, from, n);
        to += n;
        if (*j->p == '"')
            break;
        if (!read_escape(j, &to))
            return false;
        from = j->p;
    }
    j->p++;
    *out = (struct kin_str){(const char *)text, (size_t)(to - text)};
    buf->n += out->n;
    return true;
}

static const uint8_t *skip_digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static bool read_number(struct json *j, struct kin_str *out)
{
    const uint8_t *start = j->p;
    const uint8_t *p = start;
    p += *p == '-';
    const uint8_t *digits = p;
    p = skip_digits(p, j->end);
    bool good = p > digits && (*digits != '0' || p == digits + 1);
    if (good && p < j->end && *p == '.') {
        digits = p + 1;
        p = skip_digits(digits, j->end);
        good = p > digits;
    }
    if (good && p < j->end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < j->end && (*p == '+' || *p == '-');
        digits = p;
        p = skip_digits(p, j->end);
        good = p > digits;
    }
    if (!good)
        return fail(j, start, "invalid number");
    *out = (struct kin_str){(const char *)start, (size_t)(p - start)};
    j->p = p;
    return true;
}

static bool read_word(struct json *j, struct kin_str word, struct kin_str *out)
{
    if ((size_t)(j->end - j->p) < word.n || memcmp(j->p, word.p, word.n) != 0)
        return fail(j, j->p, "expected a value");
    *out = (struct kin_str){(const char *)j->p, word.n};
    j->p += word.n;
    return true;
}

/* A null is an empty text: both are left out. */
static bool read_scalar(struct json *j, uint8_t first, struct kin_str *out)
{
    switch (first) {
    case '"':
        return read_string(j, out);
    case 't':
        return read_word(j, KIN_STR("true"), out);
    case 'f':
        return read_word(j, KIN_STR("false"), out);
    case 'n':
        if (!read_word(j, KIN_STR("null"), out))
            return false;
        out->n = 0;
        return true;
    default:
        if (first == '-' || (first >= '0' && first <= '9'))
            return read_number(j, out);
        return fail(j, j->p, "expected a value");
    }
}

/* ---- structure ---- */

static bool add_scalar(struct json *j, uint8_t first, uint32_t column)
{
    const uint8_t *at = j->p;
    struct kin_str value = {0};
    if (!read_scalar(j, first, &value))
        return false;
    if (value.n == 0)
        return true;
    if (value.n > j->rows->options.max_field_bytes)
        return fail_limit(j, at, "value longer than", j->rows->options.max_field_bytes, "bytes");
    if (j->cells == CELLS_MAX)
        return fail_limit(j, at, "more than", CELLS_MAX, "values");
    if (!kin_rows_reserve_cells(j->rows, j->cells + 1))
        return fail_nomem(j);
    j->rows->cells[j->cells++] = (struct kin_cell){column, value};
    return true;
}

/* p is at the opening bracket. */
static bool add_array(struct json *j, uint32_t column)
{
    j->p++;
    if (peek(j) == ']') {
        j->p++;
        return true;
    }
    for (;;) {
        uint8_t c = peek(j);
        if (c == '{')
            return fail(j, j->p, "object inside an array");
        if (c == '[')
            return fail(j, j->p, "array inside an array");
        if (!add_scalar(j, c, column))
            return false;
        c = peek(j);
        if (c != ',' && c != ']')
            return fail(j, j->p, "expected ',' or ']'");
        j->p++;
        if (c == ']')
            return true;
    }
}

/* Finds or makes the name of a member; a second time in one row is an error. */
static bool name_member(struct json *j, const uint8_t *at, struct kin_str prefix,
                        struct kin_str key, uint32_t *index)
{
    struct kin_rows *rows = j->rows;
    if (prefix.p) {
        struct kin_buf *path = &rows->path;
        kin_buf_clear(path);
        kin_buf_put(path, prefix.p, prefix.n);
        kin_buf_putc(path, '.');
        kin_buf_put(path, key.p, key.n);
        if (path->failed)
            return fail_nomem(j);
        key = (struct kin_str){(const char *)path->p, path->n};
    }
    size_t longest = rows->options.max_field_bytes;
    if (longest > KIN_COLUMN_NAME_BYTES_MAX)
        longest = KIN_COLUMN_NAME_BYTES_MAX;
    if (key.n > longest)
        return fail_limit(j, at, "name longer than", longest, "bytes");
    switch (kin_names_intern(&rows->names, key, index)) {
    case KIN_NAMES_FOUND:
        break;
    case KIN_NAMES_FULL:
        return fail_limit(j, at, "more than", KIN_COLUMNS_MAX, "different names");
    case KIN_NAMES_NOMEM:
        return fail_nomem(j);
    }
    struct kin_name *name = &rows->names.names[*index];
    j->field = name->text;
    if (name->row == rows->serial)
        return fail(j, at, "duplicate name");
    name->row = rows->serial;
    return true;
}

static bool add_object(struct json *j, struct kin_str prefix, size_t depth);

static bool add_member(struct json *j, struct kin_str prefix, size_t depth)
{
    const uint8_t *at = j->p;
    struct kin_str key = {0};
    uint32_t index = 0;
    if (peek(j) != '"')
        return fail(j, j->p, "expected a name in quotes");
    if (!read_string(j, &key) || !name_member(j, at, prefix, key, &index))
        return false;
    if (peek(j) != ':')
        return fail(j, j->p, "expected ':'");
    j->p++;
    uint8_t c = peek(j);
    bool good = false;
    if (c == '{') {
        if (depth == DEPTH_MAX)
            return fail_limit(j, j->p, "more than", DEPTH_MAX, "objects inside one another");
        good = add_object(j, j->rows->names.names[index].text, depth + 1);
    } else {
        uint32_t column = kin_names_column(&j->rows->names, index);
        good = c == '[' ? add_array(j, column) : add_scalar(j, c, column);
    }
    return good;
}

/* p is at the opening brace. prefix: the dotted name of the object; p NULL: the row itself. Calls
 * itself by way of add_member, at most DEPTH_MAX deep. */
static bool add_object(struct json *j, struct kin_str prefix, size_t depth)
{
    j->p++;
    if (peek(j) == '}') {
        j->p++;
        return true;
    }
    for (;;) {
        if (!add_member(j, prefix, depth))
            return false;
        j->field = (struct kin_str){0};
        uint8_t c = peek(j);
        if (c != ',' && c != '}')
            return fail(j, j->p, "expected ',' or '}'");
        j->p++;
        if (c == '}')
            return true;
        peek(j);
    }
}

static bool read_line(struct json *j)
{
    size_t n = (size_t)(j->end - j->start);
    if (!kin_bytes_ascii(j->start, n)) {
        size_t valid = kin_utf8_prefix(j->start, n);
        if (valid != n)
            return fail(j, j->start + valid, "invalid UTF-8");
    }
    if (peek(j) != '{')
        return fail(j, j->p, "expected an object");
    if (!add_object(j, (struct kin_str){0}, 1))
        return false;
    peek(j);
    return j->p == j->end || fail(j, j->p, "text after the object");
}

bool kin_json_row(struct kin_rows *rows, struct kin_str line, struct kin_row *row)
{
    const uint8_t *start = (const uint8_t *)line.p;
    struct json j = {.rows = rows, .start = start, .p = start, .end = start + line.n};
    uint32_t names = rows->names.count;
    uint32_t columns = rows->names.columns_count;
    kin_buf_clear(&rows->unescaped);
    rows->serial++;
    if (read_line(&j)) {
        row->cells = rows->cells;
        row->count = j.cells;
        return true;
    }
    kin_names_rollback(&rows->names, names, columns);
    row->reason = rows->reason;
    row->field = j.field;
    return !j.nomem;
}
