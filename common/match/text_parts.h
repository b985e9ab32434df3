#ifndef KIN_MATCH_TEXT_PARTS_H
#define KIN_MATCH_TEXT_PARTS_H
/* Parts of a value that rules compare and blocking keys are made of; both must cut alike, or a
 * derived key would miss pairs. Pure; any thread. A byte that is not part of valid UTF-8 counts as
 * one code point. */
#include "common/record/features.h"

/* Bytes of the code point at p (at least one byte is left). */
static inline size_t kin_text_step(const uint8_t *p, size_t left)
{
    if (p[0] < 0xc2)
        return 1;
    size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 1;
    if (n > left)
        return 1;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 1;
    }
    return n;
}

/* Bytes that the first `count` code points take (all, if there are fewer), and whether there are
 * that many. */
size_t kin_text_first(const struct kin_value *v, unsigned count, bool *enough);
/* Byte offset of the last `count` code points (0, if there are fewer). */
size_t kin_text_last(const struct kin_value *v, unsigned count, bool *enough);

static inline bool kin_text_is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next word (what stands between blanks) from *at on; .n == 0: there is none. */
struct kin_str kin_text_word(struct kin_str text, size_t *at);

/* Payloads of dates, numbers and places; false: not of that form (damaged record). */
static inline bool kin_value_days(const struct kin_value *v, int32_t *days)
{
    if (v->bytes != 4)
        return false;
    *days = (int32_t)kin_le32(v->p);
    return true;
}
static inline bool kin_value_number(const struct kin_value *v, double *number)
{
    if (v->bytes != sizeof *number)
        return false;
    __builtin_memcpy(number, v->p, sizeof *number);
    return true;
}
struct kin_place {
    double latitude, longitude; /* degrees */
};
static inline bool kin_value_place(const struct kin_value *v, struct kin_place *place)
{
    if (v->bytes != 16)
        return false;
    __builtin_memcpy(&place->latitude, v->p, 8);
    __builtin_memcpy(&place->longitude, v->p + 8, 8);
    return true;
}

/* Year of a day counted from 1970-01-01, proleptic Gregorian (year 0 is 1 BC). */
int32_t kin_year_of_days(int32_t days);

/* For people: texts as they are, days as YYYY-MM-DD, numbers and places in decimals. */
void kin_value_print(const struct kin_value *v, enum kin_type type, struct kin_buf *out);

static inline struct kin_str kin_value_str(const struct kin_value *v)
{
    return (struct kin_str){(const char *)v->p, v->bytes};
}

#endif
