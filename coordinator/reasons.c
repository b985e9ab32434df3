#include "coordinator/impl.h"

#include <stdlib.h>
#include <string.h>

/* Why rows were rejected, counted from the very lines of errors.csv. The texts are the reader's: a
 * few dozen kinds once the numbers in them are taken out. */

enum { REASON_COLUMN = 5 };

kin_status reasons_add(struct kin_report_reason **list, size_t *count, struct kin_str text,
                       uint64_t rows)
{
    struct kin_report_reason *found = *list;
    for (size_t i = 0; i < *count; i++, found++) {
        if (kin_str_eq(kin_str_of(found->text), text)) {
            found->rows += rows;
            return KIN_OK;
        }
    }
    struct kin_report_reason *longer = kin_reallocarray(*list, *count + 1, sizeof *longer);
    if (!longer)
        return KIN_E_NOMEM;
    *list = longer;
    longer[*count] = (struct kin_report_reason){kin_strndup(text.p, text.n), rows};
    if (!longer[*count].text)
        return KIN_E_NOMEM;
    (*count)++;
    return KIN_OK;
}

static void put_kind(struct kin_buf *kind, char c)
{
    bool digit = c >= '0' && c <= '9';
    if (!digit)
        kin_buf_putc(kind, c);
    else if (!kind->n || kind->p[kind->n - 1] != 'N')
        kin_buf_putc(kind, 'N');
}

kin_status reasons_of(struct kin_str errors, struct kin_report_reason **list, size_t *count)
{
    struct kin_buf kind = {0};
    kin_status status = KIN_OK;
    unsigned column = 0;
    bool quoted = false;
    for (size_t i = 0; i < errors.n && status == KIN_OK; i++) {
        char c = errors.p[i];
        if (c == '"') {
            quoted = !quoted; /* a quote written twice is two turns */
            if (column == REASON_COLUMN && i && errors.p[i - 1] == '"' && quoted)
                kin_buf_putc(&kind, '"');
        } else if (c == ',' && !quoted) {
            column++;
        } else if (c == '\n' && !quoted) {
            status = reasons_add(list, count, (struct kin_str){(const char *)kind.p, kind.n}, 1);
            kin_buf_clear(&kind);
            column = 0;
        } else if (column == REASON_COLUMN) {
            put_kind(&kind, c);
        }
    }
    if (kind.failed)
        status = KIN_E_NOMEM;
    kin_buf_deinit(&kind);
    return status;
}

static int by_rows(const void *a, const void *b)
{
    const struct kin_report_reason *x = a, *y = b;
    if (x->rows != y->rows)
        return x->rows > y->rows ? -1 : 1;
    return strcmp(x->text, y->text);
}

void reasons_order(struct kin_report_reason *list, size_t count)
{
    if (count)
        qsort(list, count, sizeof *list, by_rows);
}

void reasons_free(struct kin_report_reason *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        kin_free(list[i].text);
    kin_free(list);
}
