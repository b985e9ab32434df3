#include "common/workflow/problems.h"

#include "common/workflow/utf8.h"

#include <stdio.h>
#include <string.h>

enum {
    SHOWN_BYTES = 110, /* of the source line */
    SHOWN_BEFORE = 70  /* of them before the caret, where a line is longer */
};

/* Appends s for a terminal: what is no printable character (or tab) becomes '?'. out has room for
 * s.n bytes; returns how many were written. */
static size_t put_shown(char *out, struct kin_str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n;) {
        uint32_t c = 0;
        size_t bytes = kin_utf8_step(s.p + i, s.n - i, &c);
        if (!bytes || kin_utf8_is_control(c) || c == '\n' || c == '\r') {
            out[n++] = '?';
        } else {
            memmove(out + n, s.p + i, bytes);
            n += bytes;
        }
        i += bytes ? bytes : 1;
    }
    return n;
}

/* In place; text was cut at cap - 1 bytes, perhaps inside a character. */
static void tidy(char *text, size_t cap)
{
    size_t n = strlen(text);
    if (n == cap - 1) {
        while (n && ((unsigned char)text[n - 1] & 0xc0) == 0x80)
            n--;
        if (n && (unsigned char)text[n - 1] >= 0xc0)
            n--;
    }
    text[put_shown(text, (struct kin_str){text, n})] = '\0';
}

static int cmp(const struct kin_problem *a, const struct kin_problem *b)
{
    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    if (a->column != b->column)
        return a->column < b->column ? -1 : 1;
    int c = strcmp(a->key, b->key);
    return c ? c : strcmp(a->text, b->text);
}

void kin_report_vadd(struct kin_report *r, unsigned line, unsigned column, const char *key,
                     const char *format, va_list args)
{
    struct kin_problems *p = r->out;
    if (!p->items) {
        p->items = kin_calloc(KIN_PROBLEMS_MAX, sizeof *p->items);
        if (!p->items) {
            r->nomem = true;
            return;
        }
    }
    struct kin_problem problem = {.line = line, .column = column};
    snprintf(problem.key, sizeof problem.key, "%s", key);
    tidy(problem.key, sizeof problem.key);
    vsnprintf(problem.text, sizeof problem.text, format, args);
    tidy(problem.text, sizeof problem.text);

    size_t at = p->count; /* files are checked nearly in order: from the end */
    while (at && cmp(&p->items[at - 1], &problem) > 0)
        at--;
    if (at == KIN_PROBLEMS_MAX || (at && cmp(&p->items[at - 1], &problem) == 0))
        return;
    if (p->count == KIN_PROBLEMS_MAX)
        p->count--;
    memmove(&p->items[at + 1], &p->items[at], (p->count - at) * sizeof *p->items);
    p->items[at] = problem;
    p->count++;
}

void kin_report_add(struct kin_report *r, unsigned line, unsigned column, const char *key,
                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    kin_report_vadd(r, line, column, key, format, args);
    va_end(args);
}

void kin_problems_deinit(struct kin_problems *p)
{
    kin_free(p->items);
    *p = (struct kin_problems){0};
}

/* ---- printing ---- */

struct lines {
    struct kin_str text;
    size_t at;       /* start of the line `number` */
    unsigned number; /* from 1 */
};

/* Moves forward to a line (problems are sorted) and returns it without its end. */
static struct kin_str line_of(struct lines *l, unsigned number)
{
    while (l->number < number) {
        const char *end = memchr(l->text.p + l->at, '\n', l->text.n - l->at);
        if (!end)
            return (struct kin_str){NULL, 0};
        l->at = (size_t)(end - l->text.p) + 1;
        l->number++;
    }
    const char *start = l->text.p + l->at;
    const char *end = memchr(start, '\n', l->text.n - l->at);
    size_t n = end ? (size_t)(end - start) : l->text.n - l->at;
    if (n && start[n - 1] == '\r')
        n--;
    return (struct kin_str){start, n};
}

/* Byte at which the column-th character starts, at most one past the end. */
static size_t byte_of_column(struct kin_str line, unsigned column)
{
    size_t at = 0;
    for (unsigned i = 1; i < column && at < line.n; i++) {
        at++;
        while (at < line.n && ((unsigned char)line.p[at] & 0xc0) == 0x80)
            at++;
    }
    return at;
}

/* The source line, or the part of it around the column, and a caret. */
static void print_source(struct kin_buf *out, struct kin_str line, unsigned number, unsigned column)
{
    size_t caret = byte_of_column(line, column);
    size_t from = 0;
    if (line.n > SHOWN_BYTES && caret > SHOWN_BEFORE)
        from = kin_utf8_cut(line.p, line.n, caret - SHOWN_BEFORE);
    struct kin_str shown = {line.p + from, line.n - from};
    shown.n = kin_utf8_cut(shown.p, shown.n, SHOWN_BYTES);

    kin_buf_printf(out, "%6u | %s", number, from ? "..." : "");
    char clean[SHOWN_BYTES];
    kin_buf_put(out, clean, put_shown(clean, shown));
    kin_buf_printf(out, "%s\n       | %s", from + shown.n < line.n ? "..." : "", from ? "   " : "");
    for (size_t i = from; i < caret; i++) {
        unsigned char c = (unsigned char)line.p[i];
        if ((c & 0xc0) != 0x80)
            kin_buf_putc(out, c == '\t' ? '\t' : ' ');
    }
    kin_buf_puts(out, "^\n");
}

void kin_problems_print(const struct kin_problems *p, const char *path, struct kin_str text,
                        struct kin_buf *out)
{
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        text = (struct kin_str){text.p + 3, text.n - 3};
    struct lines lines = {text, 0, 1};
    for (size_t i = 0; i < p->count; i++) {
        const struct kin_problem *problem = &p->items[i];
        kin_buf_puts(out, path);
        if (problem->line)
            kin_buf_printf(out, ":%u:%u", problem->line, problem->column);
        kin_buf_printf(out, ": %s%s%s\n", problem->key, problem->key[0] ? ": " : "", problem->text);
        struct kin_str line = {NULL, 0};
        if (problem->line && text.n)
            line = line_of(&lines, problem->line);
        if (line.p)
            print_source(out, line, problem->line, problem->column);
    }
    if (p->count == KIN_PROBLEMS_MAX)
        kin_buf_printf(out, "%s: only the first %d mistakes are shown\n", path, KIN_PROBLEMS_MAX);
}
