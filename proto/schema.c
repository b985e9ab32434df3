#include "proto/schema.h"

#define PRESENT_REQUIRED true
#define PRESENT_OPTIONAL false
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct kin_field envelope_fields[] = {
#define KIN_ENVELOPE(id, kind, member, presence) \
    {(id), KIN_KIND_##kind, PRESENT_##presence, offsetof(struct kin_message, member), #member},
#include "proto/messages.def"
};

#define KIN_MESSAGE(NAME, name, number) static const struct kin_field name##_fields[] = {
#define KIN_FIELD(name, id, kind, member, presence) \
    {(id), KIN_KIND_##kind, PRESENT_##presence, offsetof(struct kin_msg_##name, member), #member},
#define KIN_MESSAGE_END(NAME, name) \
    }                               \
    ;
#include "proto/messages.def"

static const struct kin_schema schemas[] = {
#define KIN_MESSAGE(NAME, name, number) {(number), #NAME, name##_fields, LENGTH(name##_fields)},
#include "proto/messages.def"
};

const struct kin_schema *kin_schema_envelope(void)
{
    static const struct kin_schema envelope = {0, "envelope", envelope_fields,
                                               LENGTH(envelope_fields)};
    return &envelope;
}

const struct kin_schema *kin_schema_of(uint32_t type)
{
    for (size_t i = 0; i < LENGTH(schemas); i++)
        if (schemas[i].type == type)
            return &schemas[i];
    return NULL;
}

const struct kin_schema *kin_schema_at(size_t index)
{
    return index < LENGTH(schemas) ? &schemas[index] : NULL;
}

bool kin_field_is_set(const struct kin_field *f, const void *base)
{
    const void *at = kin_field_at(f, base);
    switch ((enum kin_kind)f->kind) {
    case KIN_KIND_U32:
        return *(const uint32_t *)at != 0;
    case KIN_KIND_U64:
        return *(const uint64_t *)at != 0;
    case KIN_KIND_I64:
        return *(const int64_t *)at != 0;
    case KIN_KIND_BOOL:
        return *(const bool *)at;
    case KIN_KIND_STR:
    case KIN_KIND_BYTES:
        return ((const struct kin_str *)at)->n != 0;
    }
    return false;
}

const char *kin_message_name(uint32_t type)
{
    const struct kin_schema *s = kin_schema_of(type);
    return s ? s->name : "UNKNOWN";
}

kin_status kin_proto_negotiate(uint32_t min, uint32_t max, uint32_t *chosen)
{
    if (min == 0 || min > max)
        return KIN_E_PROTO;
    if (min > KIN_PROTO_VERSION_MAX || max < KIN_PROTO_VERSION_MIN)
        return KIN_E_VERSION;
    *chosen = max < KIN_PROTO_VERSION_MAX ? max : (uint32_t)KIN_PROTO_VERSION_MAX;
    return KIN_OK;
}
