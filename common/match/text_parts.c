#include "common/match/text_parts.h"

size_t kin_text_first(const struct kin_value *v, unsigned count, bool *enough)
{
    if (v->ascii) {
        *enough = v->bytes >= count;
        return *enough ? count : v->bytes;
    }
    size_t at = 0;
    unsigned n = 0;
    for (; n < count && at < v->bytes; n++)
        at += kin_text_step(v->p + at, v->bytes - at);
    *enough = n == count;
    return at;
}

size_t kin_text_last(const struct kin_value *v, unsigned count, bool *enough)
{
    if (v->ascii) {
        *enough = v->bytes >= count;
        return *enough ? v->bytes - count : 0;
    }
    /* counted from the front, so that damaged UTF-8 has one reading only */
    unsigned total = 0;
    for (size_t at = 0; at < v->bytes; total++)
        at += kin_text_step(v->p + at, v->bytes - at);
    *enough = total >= count;
    if (!*enough)
        return 0;
    size_t at = 0;
    for (unsigned skip = total - count; skip > 0; skip--)
        at += kin_text_step(v->p + at, v->bytes - at);
    return at;
}

struct kin_str kin_text_word(struct kin_str text, size_t *at)
{
    size_t start = *at;
    while (start < text.n && kin_text_is_blank((uint8_t)text.p[start]))
        start++;
    size_t end = start;
    while (end < text.n && !kin_text_is_blank((uint8_t)text.p[end]))
        end++;
    *at = end;
    return (struct kin_str){text.p + start, end - start};
}

int32_t kin_year_of_days(int32_t days)
{
    /* 400 years have 146,097 days; years are counted from 1 March 0000, 719,468 days before 1970,
     * so that the leap day is the last of its year */
    int64_t since = (int64_t)days + 719468;
    int64_t era = (since >= 0 ? since : since - 146096) / 146097;
    int64_t day = since - era * 146097; /* 0..146096 */
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
    return (int32_t)(era * 400 + year + (day_of_year >= 306)); /* from 1 January on */
}
