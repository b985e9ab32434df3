#include "worker/impl.h"

#include <string.h>

/* The values behind a blocking key, for people: reports name large blocks by them. */

/* Gregorian calendar from days since 1970-01-01 (Hinnant, "chrono-compatible low-level date
 * algorithms"). */
static void put_date(struct kin_buf *text, int32_t days)
{
    int64_t z = (int64_t)days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);
    kin_buf_printf(text, "%04d-%02d-%02d", (int)(yoe + era * 400 + (month <= 2)), month,
                   (int)(doy - (153 * mp + 2) / 5 + 1));
}

static double number_at(const uint8_t *p)
{
    double x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* One value of a term: text as it is, what is binary spelt out. */
static void put_value(struct kin_buf *text, const struct kin_key_term *term, enum kin_type type,
                      const uint8_t *p, uint32_t n)
{
    enum { SHOWN_MAX = 200 };
    if (term->fn == KIN_KEY_MINHASH) {
        for (uint32_t i = 0; i < n && i < 8; i++)
            kin_buf_printf(text, "%02x", p[i]);
    } else if (term->fn == KIN_KEY_YEAR && n == 4) {
        kin_buf_printf(text, "%d", (int)(int32_t)kin_le32(p));
    } else if (term->fn == KIN_KEY_VALUE && type == KIN_TYPE_DATE && n == 4) {
        put_date(text, (int32_t)kin_le32(p));
    } else if (term->fn == KIN_KEY_VALUE && type == KIN_TYPE_NUMBER && n == 8) {
        kin_buf_printf(text, "%.15g", number_at(p));
    } else if (term->fn == KIN_KEY_VALUE && type == KIN_TYPE_GEO && n == 16) {
        kin_buf_printf(text, "%.7g %.7g", number_at(p), number_at(p + 8));
    } else {
        uint32_t shown = n < SHOWN_MAX ? n : SHOWN_MAX;
        while (shown < n && shown && (p[shown] & 0xc0) == 0x80)
            shown--; /* not in the middle of a character */
        kin_buf_put(text, p, shown);
    }
}

void worker_put_key_text(const struct worker_job *job, struct store_view *view, uint64_t key,
                         uint32_t local, struct kin_buf *out)
{
    static const char zero[4];
    struct kin_buf values = {0}, text = {0};
    const uint8_t *rec = store_view_at(view, job->records.items[local]);
    const struct kin_key_rule *rule = &job->workflow->keys[kin_key_rule_number(key)];
    if (rec && kin_blocking_key_values(rule, rec, key, &values)) {
        struct kin_cursor c = kin_cursor_of(values.p, values.n);
        for (unsigned t = 0; t < rule->count && !c.bad; t++) {
            uint32_t n = kin_cursor_u32(&c);
            const uint8_t *p = n == UINT32_MAX ? NULL : kin_cursor_take(&c, n);
            if (t)
                kin_buf_puts(&text, " + ");
            if (p)
                put_value(&text, &rule->terms[t], job->workflow->fields[rule->terms[t].field].type,
                          p, n);
            else
                kin_buf_puts(&text, "(empty)");
        }
    }
    kin_buf_u32(out, (uint32_t)text.n);
    kin_buf_put(out, text.p, text.n);
    kin_buf_put(out, zero, (4 - text.n % 4) % 4);
    kin_buf_deinit(&values);
    kin_buf_deinit(&text);
}
