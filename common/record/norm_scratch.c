#include "common/record/norm_impl.h"

struct kin_norm_scratch *kin_norm_scratch_new(void)
{
    struct kin_norm_scratch *s = kin_alloc(sizeof *s);
    if (!s)
        return NULL;
    s->country = NULL;
    s->country_iso[0] = s->country_iso[1] = '\0';
    kin_norm_fold_init(s);
    return s;
}

void kin_norm_scratch_free(struct kin_norm_scratch *s)
{
    kin_free(s);
}

static enum kin_norm fold_only(struct kin_norm_scratch *s, enum kin_fold mode, struct kin_str raw,
                               struct kin_norm_value *out)
{
    struct kin_folded text = kin_norm_fold(s, mode, raw);
    if (!text.n)
        return KIN_NORM_NULL;
    *out = (struct kin_norm_value){(const uint8_t *)text.p, text.n, text.ascii};
    return KIN_NORM_VALUE;
}

/* Types that have a syntax: what holds no letter and no digit ("-", "?", "//") is a way to write
 * nothing, anything else that does not parse is bad. */
static enum kin_norm parsed(struct kin_norm_scratch *s, const struct kin_field *field,
                            struct kin_str raw, struct kin_norm_value *out)
{
    enum kin_fold mode = field->type == KIN_TYPE_EMAIL ? KIN_FOLD_EMAIL : KIN_FOLD_PLAIN;
    struct kin_folded text = kin_norm_fold(s, mode, raw);
    if (!kin_norm_has_content((struct kin_str){text.p, text.n}))
        return KIN_NORM_NULL;
    switch (field->type) {
    case KIN_TYPE_EMAIL:
        return kin_norm_email(s, text, out);
    case KIN_TYPE_PHONE:
        return kin_norm_phone(s, field->country, text, out);
    case KIN_TYPE_DATE:
        return kin_norm_date(s, field->date_order, text, out);
    case KIN_TYPE_NUMBER:
        return kin_norm_number(s, text, out);
    case KIN_TYPE_GEO:
        return kin_norm_geo(s, text, out);
    case KIN_TYPE_NAME:
    case KIN_TYPE_TEXT:
    case KIN_TYPE_POSTCODE:
    case KIN_TYPE_ID:
    case KIN_TYPE_ADDRESS:
    case KIN_TYPE_COUNT:
        break;
    }
    return KIN_NORM_BAD;
}

enum kin_norm kin_normalise(struct kin_norm_scratch *s, const struct kin_field *field,
                            struct kin_str raw, struct kin_norm_value *out)
{
    if (raw.n == 0)
        return KIN_NORM_NULL;
    if (raw.n > KIN_FIELD_BYTES_MAX)
        raw.n = KIN_FIELD_BYTES_MAX;
    switch (field->type) {
    case KIN_TYPE_NAME:
        return fold_only(s, KIN_FOLD_NAME, raw, out);
    case KIN_TYPE_TEXT:
        return fold_only(s, KIN_FOLD_TEXT, raw, out);
    case KIN_TYPE_POSTCODE:
        return fold_only(s, KIN_FOLD_POSTCODE, raw, out);
    case KIN_TYPE_ID:
        return fold_only(s, KIN_FOLD_ID, raw, out);
    case KIN_TYPE_ADDRESS: {
        struct kin_folded text = kin_norm_fold(s, KIN_FOLD_TEXT, raw);
        return text.n ? kin_norm_address(s, text, out) : KIN_NORM_NULL;
    }
    case KIN_TYPE_EMAIL:
    case KIN_TYPE_PHONE:
    case KIN_TYPE_DATE:
    case KIN_TYPE_NUMBER:
    case KIN_TYPE_GEO:
        return parsed(s, field, raw, out);
    case KIN_TYPE_COUNT:
        break;
    }
    return KIN_NORM_BAD;
}
