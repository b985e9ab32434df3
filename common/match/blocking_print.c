#include "common/match/blocking.h"
#include "common/match/text_parts.h"

/* The values behind a blocking key, for people: reports name large blocks by them. */

/* One value of a term: text as it is, what is binary spelt out. */
static void put_value(struct kin_buf *text, const struct kin_key_term *term, enum kin_type type,
                      const uint8_t *p, uint32_t n)
{
    enum { SHOWN_MAX = 200, MINHASH_SHOWN = 8 };
    struct kin_value whole = {.p = p, .bytes = n};
    struct kin_place place;
    if (term->fn == KIN_KEY_MINHASH) {
        for (uint32_t i = 0; i < n && i < MINHASH_SHOWN; i++)
            kin_buf_printf(text, "%02x", p[i]);
    } else if (term->fn == KIN_KEY_YEAR && n == 4) {
        kin_buf_printf(text, "%d", (int)(int32_t)kin_le32(p));
    } else if (term->fn == KIN_KEY_VALUE && type == KIN_TYPE_GEO &&
               kin_value_place(&whole, &place)) {
        kin_buf_printf(text, "%.7g %.7g", place.latitude, place.longitude);
    } else if (term->fn == KIN_KEY_VALUE && (type == KIN_TYPE_DATE || type == KIN_TYPE_NUMBER)) {
        kin_value_print(&whole, type, text);
    } else {
        uint32_t shown = n < SHOWN_MAX ? n : SHOWN_MAX;
        while (shown < n && shown && (p[shown] & 0xc0) == 0x80)
            shown--; /* not in the middle of a character */
        kin_buf_put(text, p, shown);
    }
}

bool kin_blocking_key_print(const struct kin_schema *schema, const struct kin_key_rule *rule,
                            const uint8_t *rec, uint64_t key, struct kin_buf *out)
{
    struct kin_buf values = {0};
    bool found = kin_blocking_key_values(rule, rec, key, &values);
    struct kin_cursor c = kin_cursor_of(values.p, values.n);
    for (unsigned t = 0; found && t < rule->count && !c.bad; t++) {
        uint32_t n = kin_cursor_u32(&c);
        const uint8_t *p = n == UINT32_MAX ? NULL : kin_cursor_take(&c, n);
        if (t)
            kin_buf_puts(out, " + ");
        if (p)
            put_value(out, &rule->terms[t], schema->fields[rule->terms[t].field].type, p, n);
        else
            kin_buf_puts(out, "(empty)");
    }
    out->failed = out->failed || values.failed;
    kin_buf_deinit(&values);
    return found;
}
