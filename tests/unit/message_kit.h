#ifndef KIN_TESTS_UNIT_MESSAGE_KIT_H
#define KIN_TESTS_UNIT_MESSAGE_KIT_H
/* Field by field over the schema tables, for the tests of the codec. */
#include "proto/schema.h"

#include <string.h>

static inline bool kit_fields_same(const struct kin_schema *s, const void *a, const void *b)
{
    for (size_t i = 0; i < s->count; i++) {
        const void *x = kin_field_at(&s->fields[i], a);
        const void *y = kin_field_at(&s->fields[i], b);
        bool same = false;
        switch ((enum kin_kind)s->fields[i].kind) {
        case KIN_KIND_U32:
            same = *(const uint32_t *)x == *(const uint32_t *)y;
            break;
        case KIN_KIND_U64:
            same = *(const uint64_t *)x == *(const uint64_t *)y;
            break;
        case KIN_KIND_I64:
            same = *(const int64_t *)x == *(const int64_t *)y;
            break;
        case KIN_KIND_BOOL:
            same = *(const bool *)x == *(const bool *)y;
            break;
        case KIN_KIND_STR:
        case KIN_KIND_BYTES:
            same = kin_str_eq(*(const struct kin_str *)x, *(const struct kin_str *)y);
            break;
        }
        if (!same)
            return false;
    }
    return true;
}

static inline bool kit_message_same(const struct kin_message *a, const struct kin_message *b)
{
    const struct kin_schema *s = kin_schema_of(a->type);
    return s && kit_fields_same(kin_schema_envelope(), a, b) && kit_fields_same(s, &a->u, &b->u);
}

/* How the fields of a golden frame are filled: by kind and id, for ever. */
static inline void kit_fill_by_rule(const struct kin_schema *s, void *base, unsigned id_max)
{
    static const char texts[KIN_FIELD_ID_MAX + 1][4] = {"s0", "s1", "s2", "s3", "s4", "s5", "s6"};
    static const char octets[] = {0, (char)0xff, 'b', '\n'};
    for (size_t i = 0; i < s->count; i++) {
        const struct kin_field *f = &s->fields[i];
        if (f->id > id_max)
            continue;
        void *at = (char *)base + f->offset;
        switch ((enum kin_kind)f->kind) {
        case KIN_KIND_U32:
            *(uint32_t *)at = 0x10000u + f->id;
            break;
        case KIN_KIND_U64:
            *(uint64_t *)at = ((uint64_t)1 << 40) + f->id;
            break;
        case KIN_KIND_I64:
            *(int64_t *)at = -1000 - f->id;
            break;
        case KIN_KIND_BOOL:
            *(bool *)at = true;
            break;
        case KIN_KIND_STR:
            *(struct kin_str *)at = (struct kin_str){texts[f->id], strlen(texts[f->id])};
            break;
        case KIN_KIND_BYTES:
            *(struct kin_str *)at = (struct kin_str){octets, sizeof octets};
            break;
        }
    }
}

static inline struct kin_message kit_message_by_rule(const struct kin_schema *s,
                                                     unsigned envelope_max, unsigned field_max)
{
    struct kin_message m = {0};
    kit_fill_by_rule(kin_schema_envelope(), &m, envelope_max);
    m.type = s->type;
    m.version = 1;
    kit_fill_by_rule(s, &m.u, field_max);
    return m;
}

#endif
