/* Any text in any type: no crash, and what comes out is sound and normalises to itself.
 *
 * Input: one byte type, one byte date order and country, then the text. */
#include "common/record/norm_impl.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_text_type(enum kin_type type)
{
    return type != KIN_TYPE_DATE && type != KIN_TYPE_NUMBER && type != KIN_TYPE_GEO;
}

static void check_text(struct kin_norm_scratch *s, const struct kin_field *field,
                       struct kin_norm_value v)
{
    bool ascii = false;
    KIN_ASSERT(kin_utf8_valid(v.p, v.bytes, &ascii) && ascii == v.ascii);
    uint8_t *copy = kin_alloc(v.bytes);
    KIN_ASSERT(copy != NULL);
    memcpy(copy, v.p, v.bytes);
    struct kin_norm_value again = {NULL, 0, false};
    KIN_ASSERT(kin_normalise(s, field, (struct kin_str){(char *)copy, v.bytes}, &again) ==
               KIN_NORM_VALUE);
    KIN_ASSERT(again.bytes == v.bytes && again.ascii == v.ascii &&
               memcmp(again.p, copy, v.bytes) == 0);
    kin_free(copy);
}

static void check_other(enum kin_type type, struct kin_norm_value v)
{
    double values[2] = {0, 0};
    KIN_ASSERT(!v.ascii);
    if (type == KIN_TYPE_DATE) {
        int32_t days = (int32_t)kin_le32(v.p);
        KIN_ASSERT(v.bytes == 4 && days >= kin_norm_days(1000, 1, 1) &&
                   days < kin_norm_days(3000, 1, 1));
        return;
    }
    KIN_ASSERT(v.bytes == (type == KIN_TYPE_GEO ? 16 : 8));
    memcpy(values, v.p, v.bytes);
    for (int i = 0; i < 2; i++) /* finite, and no -0 */
        KIN_ASSERT(values[i] - values[i] == 0.0 &&
                   !(values[i] == 0.0 && __builtin_signbit(values[i])));
    KIN_ASSERT(type != KIN_TYPE_GEO ||
               (values[0] >= -90 && values[0] <= 90 && values[1] > -180 && values[1] <= 180));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char countries[][3] = {"", "GB", "US", "IT", "HU", "RU", "MX", "AR", "DE", "XX"};
    if (size < 2 || size > 2 + KIN_FIELD_BYTES_MAX)
        return 0;
    struct kin_field field = {.name = "f",
                              .type = (enum kin_type)(data[0] % KIN_TYPE_COUNT),
                              .date_order = (enum kin_date_order)(data[1] % 3)};
    memcpy(field.country, countries[data[1] / 3 % (sizeof countries / sizeof *countries)], 2);
    struct kin_str raw = {(const char *)data + 2, size - 2};
    static struct kin_norm_scratch *s; /* once: making one costs more than a run */
    if (!s)
        s = kin_norm_scratch_new();
    KIN_ASSERT(s);

    struct kin_norm_value v = {NULL, 0, false};
    bool valid = kin_utf8_valid(raw.p, raw.n, NULL);
    if (kin_normalise(s, &field, raw, &v) == KIN_NORM_VALUE && valid) {
        KIN_ASSERT(v.bytes > 0 && v.bytes <= UINT16_MAX);
        if (is_text_type(field.type))
            check_text(s, &field, v);
        else
            check_other(field.type, v);
    }
    int64_t us = 0;
    KIN_ASSERT(!kin_parse_timestamp(raw, &us) || (us > INT64_MIN / 2 && us < INT64_MAX / 2));
    return 0;
}
