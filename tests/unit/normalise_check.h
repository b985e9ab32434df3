#ifndef KIN_TESTS_UNIT_NORMALISE_CHECK_H
#define KIN_TESTS_UNIT_NORMALISE_CHECK_H
/* What every normalised value promises: shared by the tests of cases and of properties. */
#include "common/record/norm_impl.h"

#include <string.h>

static inline bool is_text_type(enum kin_type type)
{
    return type != KIN_TYPE_DATE && type != KIN_TYPE_NUMBER && type != KIN_TYPE_GEO;
}

/* What holds for every value, whatever its type. Returns the first thing that is wrong, or NULL. */
static inline const char *broken_promise(struct kin_norm_scratch *s, const struct kin_field *field,
                                         const struct kin_norm_value *v)
{
    static uint8_t copy[KIN_FIELD_BYTES_MAX];
    bool ascii;
    if (v->bytes == 0 || v->bytes > UINT16_MAX)
        return "length";
    if (!is_text_type(field->type))
        return v->ascii ? "ascii" : NULL;
    if (!kin_utf8_valid(v->p, v->bytes, &ascii))
        return "not UTF-8";
    if (ascii != v->ascii)
        return "ascii flag";
    size_t n = v->bytes;
    memcpy(copy, v->p, n);
    struct kin_norm_value again;
    if (kin_normalise(s, field, (struct kin_str){(char *)copy, n}, &again) != KIN_NORM_VALUE)
        return "its own payload is refused";
    if (again.bytes != n || memcmp(again.p, copy, n) != 0)
        return "not idempotent";
    return NULL;
}

#endif
