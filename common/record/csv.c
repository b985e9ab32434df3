/* CSV: where a record ends, what its cells are, what its header says. */
#include "common/record/reader_impl.h"

#include <stdio.h>

static const char delimiters[] = {',', ';', '\t', '|'};

void kin_csv_dialect_init(struct kin_csv_dialect *d, const struct kin_reader_options *options,
                          char delimiter)
{
    *d = (struct kin_csv_dialect){
        .delimiter = delimiter,
        .max_record_bytes = options->max_record_bytes,
        .max_field_bytes = options->max_field_bytes,
    };
    d->structure[(uint8_t)delimiter] = d->structure['"'] = d->structure['\n'] = 1;
    memcpy(d->special, d->structure, sizeof d->special);
    d->special['\r'] = d->special['\0'] = 1;
}

/* ---- the end of a record ---- */

/* Where a look at one record stands. */
struct look {
    const uint8_t *p;
    size_t window; /* bytes that may be looked at */
    size_t i;
    size_t column;  /* of the field at hand, from 1 */
    size_t newline; /* the first one within quotes; SIZE_MAX: none yet */
    size_t newline_column;
};

enum look_result {
    LOOK_END,         /* of the record: i is at its LF */
    LOOK_FIELD,       /* i is behind a delimiter */
    LOOK_FAULT_QUOTE, /* inside an unquoted field */
    LOOK_FAULT_AFTER,
    LOOK_STOP_OPEN, /* the window ends within quotes */
    LOOK_STOP_CR,   /* the window ends behind a closing quote and a CR */
    LOOK_STOP,      /* the window ends anywhere else */
};

/* i is behind the closing quote. */
static enum look_result look_after_quote(const struct kin_csv_dialect *d, struct look *l)
{
    if (l->i == l->window)
        return LOOK_STOP;
    uint8_t c = l->p[l->i];
    if (c == (uint8_t)d->delimiter) {
        l->i++;
        return LOOK_FIELD;
    }
    if (c == '\r') {
        if (l->i + 1 == l->window)
            return LOOK_STOP_CR;
        l->i += l->p[l->i + 1] == '\n';
        c = l->p[l->i];
    }
    return c == '\n' ? LOOK_END : LOOK_FAULT_AFTER;
}

/* i is behind the opening quote. */
static enum look_result look_quoted(const struct kin_csv_dialect *d, struct look *l)
{
    for (;;) {
        const uint8_t *from = l->p + l->i;
        const uint8_t *quote = memchr(from, '"', l->window - l->i);
        size_t to = quote ? (size_t)(quote - l->p) : l->window;
        if (l->newline == SIZE_MAX) {
            const uint8_t *lf = memchr(from, '\n', to - l->i);
            if (lf) {
                l->newline = (size_t)(lf - l->p);
                l->newline_column = l->column;
            }
        }
        l->i = to;
        if (!quote)
            return LOOK_STOP_OPEN;
        l->i++;
        if (l->i == l->window || l->p[l->i] != '"')
            return look_after_quote(d, l);
        l->i++;
    }
}

static enum look_result look_field(const struct kin_csv_dialect *d, struct look *l)
{
    l->column++;
    if (l->i < l->window && l->p[l->i] == '"') {
        l->i++;
        return look_quoted(d, l);
    }
    const uint8_t *stop = kin_skip_plain(d->structure, l->p + l->i, l->p + l->window);
    l->i = (size_t)(stop - l->p);
    if (l->i == l->window)
        return LOOK_STOP;
    if (*stop == '\n')
        return LOOK_END;
    if (*stop == '"')
        return LOOK_FAULT_QUOTE;
    l->i++;
    return LOOK_FIELD;
}

/* Sets bytes and text of a record of which `lf` is the line end. */
static void span_to(const uint8_t *p, size_t lf, struct kin_csv_span *out)
{
    out->bytes = lf + 1;
    out->text = lf && p[lf - 1] == '\r' ? lf - 1 : lf;
}

/* The record is bad, and hence its first line. */
static bool span_bad(const struct look *l, size_t n, bool at_end, enum kin_csv_fault fault,
                     struct kin_csv_span *out)
{
    out->fault = fault;
    out->column = l->column;
    if (l->newline != SIZE_MAX) {
        /* whatever went wrong later on, the first line ends within quotes */
        out->fault = KIN_CSV_NOT_CLOSED;
        out->column = l->newline_column;
        span_to(l->p, l->newline, out);
        return true;
    }
    const uint8_t *lf = l->i < n ? memchr(l->p + l->i, '\n', n - l->i) : NULL;
    if (lf) {
        span_to(l->p, (size_t)(lf - l->p), out);
        return true;
    }
    out->bytes = out->text = n;
    return at_end;
}

bool kin_csv_scan(const struct kin_csv_dialect *d, const uint8_t *p, size_t n, bool at_end,
                  struct kin_csv_span *out)
{
    size_t full = d->max_record_bytes + 2; /* the longest good record, its CR and its LF */
    struct look l = {.p = p, .window = n < full ? n : full, .newline = SIZE_MAX};
    enum look_result result;
    do
        result = look_field(d, &l);
    while (result == LOOK_FIELD);
    *out = (struct kin_csv_span){.fault = KIN_CSV_GOOD};

    if (result == LOOK_END) {
        span_to(p, l.i, out);
        if (out->text <= d->max_record_bytes)
            return true;
        return span_bad(&l, n, at_end, KIN_CSV_LONG_RECORD, out);
    }
    if (result == LOOK_FAULT_QUOTE)
        return span_bad(&l, n, at_end, KIN_CSV_QUOTE_INSIDE, out);
    if (result == LOOK_FAULT_AFTER)
        return span_bad(&l, n, at_end, KIN_CSV_AFTER_QUOTE, out);
    if (l.window == full || (at_end && n > d->max_record_bytes))
        return span_bad(&l, n, at_end, KIN_CSV_LONG_RECORD, out);
    if (!at_end)
        return false;
    if (result == LOOK_STOP_OPEN)
        return span_bad(&l, n, at_end, KIN_CSV_NOT_CLOSED, out);
    if (result == LOOK_STOP_CR)
        return span_bad(&l, n, at_end, KIN_CSV_AFTER_QUOTE, out);
    out->bytes = out->text = n;
    return true;
}

/* ---- cells ---- */

/* p is behind the opening quote of a well-formed field; leaves walk->p behind the closing one. */
static struct kin_str walk_quoted(struct kin_csv_walk *walk)
{
    const uint8_t *from = walk->p;
    const uint8_t *quote = memchr(from, '"', (size_t)(walk->end - from));
    if (quote + 1 == walk->end || quote[1] != '"') {
        walk->p = quote + 1;
        return (struct kin_str){(const char *)from, (size_t)(quote - from)};
    }
    uint8_t *to = walk->unescaped;
    uint8_t *start = to;
    for (;;) {
        size_t n = (size_t)(quote - from);
        memcpy(to, from, n);
        to += n;
        if (quote + 1 == walk->end || quote[1] != '"')
            break;
        *to++ = '"';
        from = quote + 2;
        quote = memchr(from, '"', (size_t)(walk->end - from));
    }
    walk->p = quote + 1;
    walk->unescaped = to;
    return (struct kin_str){(const char *)start, (size_t)(to - start)};
}

struct kin_csv_value kin_csv_walk_next(const struct kin_csv_dialect *d, struct kin_csv_walk *walk)
{
    KIN_ASSERT(walk->p);
    struct kin_csv_value value = {.fault = KIN_CSV_GOOD};
    bool quoted = walk->p < walk->end && *walk->p == '"';
    if (quoted) {
        walk->p++;
        value.text = walk_quoted(walk);
    } else {
        const uint8_t *from = walk->p;
        walk->p = kin_skip_plain(d->structure, from, walk->end);
        value.text = (struct kin_str){(const char *)from, (size_t)(walk->p - from)};
    }
    walk->p = walk->p == walk->end ? NULL : walk->p + 1;

    struct kin_str text = value.text;
    if (text.n > d->max_field_bytes)
        value.fault = KIN_CSV_LONG_FIELD;
    if (walk->clean || text.n == 0)
        return value;
    if (memchr(text.p, '\0', text.n))
        value.fault = KIN_CSV_NUL;
    else if (!quoted && memchr(text.p, '\r', text.n))
        value.fault = KIN_CSV_LONE_CR;
    else if (!value.fault && kin_utf8_prefix((const uint8_t *)text.p, text.n) != text.n)
        value.fault = KIN_CSV_NOT_UTF8;
    return value;
}

void kin_csv_fault_print(const struct kin_csv_dialect *d, enum kin_csv_fault fault, size_t column,
                         char *to, size_t cap)
{
    switch (fault) {
    case KIN_CSV_GOOD:
        snprintf(to, cap, "good");
        break;
    case KIN_CSV_LONG_RECORD:
        snprintf(to, cap, "record longer than %zu bytes", d->max_record_bytes);
        break;
    case KIN_CSV_NOT_CLOSED:
        snprintf(to, cap, "quoted field not closed (opened in column %zu)", column);
        break;
    case KIN_CSV_QUOTE_INSIDE:
        snprintf(to, cap, "quote inside an unquoted field (column %zu)", column);
        break;
    case KIN_CSV_AFTER_QUOTE:
        snprintf(to, cap, "text after the closing quote (column %zu)", column);
        break;
    case KIN_CSV_NUL:
        snprintf(to, cap, "NUL byte (column %zu)", column);
        break;
    case KIN_CSV_LONE_CR:
        snprintf(to, cap, "carriage return without line feed (column %zu)", column);
        break;
    case KIN_CSV_LONG_FIELD:
        snprintf(to, cap, "field longer than %zu bytes (column %zu)", d->max_field_bytes, column);
        break;
    case KIN_CSV_NOT_UTF8:
        snprintf(to, cap, "invalid UTF-8 (column %zu)", column);
        break;
    }
}

/* ---- header ---- */

char kin_csv_guess_delimiter(const uint8_t *p, size_t n)
{
    size_t counts[sizeof delimiters] = {0};
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        quoted ^= p[i] == '"';
        for (size_t k = 0; k < sizeof delimiters && !quoted; k++)
            counts[k] += p[i] == (uint8_t)delimiters[k];
    }
    size_t best = 0;
    for (size_t k = 1; k < sizeof delimiters; k++)
        best = counts[k] > counts[best] ? k : best;
    return delimiters[best];
}

static bool around_name(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct kin_str trim(struct kin_str s)
{
    for (; s.n && around_name(s.p[0]); s.p++)
        s.n--;
    while (s.n && around_name(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* A name is shown in messages and reports: no control characters but those of white space. */
static bool printable(struct kin_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if ((c < 0x20 && !around_name(s.p[i])) || c == 0x7f)
            return false;
    }
    return true;
}

static kin_status header_names(const struct kin_csv_dialect *d, struct kin_csv_walk walk,
                               uint64_t line, struct kin_header *h, struct kin_err *err)
{
    unsigned long long at = line;
    for (size_t i = 0; i < h->count; i++) {
        struct kin_csv_value value = kin_csv_walk_next(d, &walk);
        char reason[KIN_REASON_BYTES];
        if (value.fault) {
            kin_csv_fault_print(d, value.fault, i + 1, reason, sizeof reason);
            return kin_err_set(err, KIN_E_SYNTAX, "line %llu: %s", at, reason);
        }
        struct kin_str name = trim(value.text);
        if (name.n == 0)
            return kin_err_set(err, KIN_E_SYNTAX, "line %llu, column %zu: the column has no name",
                               at, i + 1);
        if (name.n > KIN_COLUMN_NAME_BYTES_MAX)
            return kin_err_set(err, KIN_E_SYNTAX,
                               "line %llu, column %zu: the name is longer than %d bytes", at, i + 1,
                               (int)KIN_COLUMN_NAME_BYTES_MAX);
        if (!printable(name))
            return kin_err_set(err, KIN_E_SYNTAX,
                               "line %llu, column %zu: control character in the column's name", at,
                               i + 1);
        for (size_t k = 0; k < i; k++) {
            if (kin_str_eq(h->names[k], name))
                return kin_err_set(err, KIN_E_SYNTAX,
                                   "line %llu, column %zu: the name \"%.*s\" is that of column %zu",
                                   at, i + 1, (int)(name.n < 200 ? name.n : 200), name.p, k + 1);
        }
        h->names[i] = name;
    }
    return KIN_OK;
}

kin_status kin_csv_header_parse(const struct kin_csv_dialect *d, const uint8_t *text, size_t n,
                                uint64_t line, struct kin_header *out, struct kin_err *err)
{
    /* the names point into a copy of the record, or, unescaped, into as much room behind it */
    struct kin_header h = {.delimiter = d->delimiter};
    kin_status status = KIN_E_NOMEM;
    h.text = kin_alloc(2 * n);
    if (!h.text)
        goto fail;
    memcpy(h.text, text, n);
    uint8_t *copy = (uint8_t *)h.text;
    struct kin_csv_walk walk = {.p = copy, .end = copy + n, .unescaped = copy + n};
    for (struct kin_csv_walk count = walk; count.p; h.count++)
        kin_csv_walk_next(d, &count);
    if (h.count > KIN_COLUMNS_MAX) {
        status = kin_err_set(err, KIN_E_SYNTAX, "line %llu: %zu columns; at most %d are read",
                             (unsigned long long)line, h.count, (int)KIN_COLUMNS_MAX);
        goto fail;
    }
    h.names = kin_reallocarray(NULL, h.count, sizeof *h.names);
    if (!h.names)
        goto fail;
    status = header_names(d, walk, line, &h, err);
    if (status)
        goto fail;
    *out = h;
    return KIN_OK;
fail:
    kin_header_deinit(&h);
    if (status == KIN_E_NOMEM)
        kin_err_set(err, status, "out of memory for the header");
    return status;
}
