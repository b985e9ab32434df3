#include "common/record/schema.h"

#include <string.h>

static const char *const type_names[KIN_TYPE_COUNT] = {
    [KIN_TYPE_NAME] = "name",       [KIN_TYPE_TEXT] = "text",     [KIN_TYPE_EMAIL] = "email",
    [KIN_TYPE_PHONE] = "phone",     [KIN_TYPE_DATE] = "date",     [KIN_TYPE_POSTCODE] = "postcode",
    [KIN_TYPE_ID] = "id",           [KIN_TYPE_NUMBER] = "number", [KIN_TYPE_GEO] = "geo",
    [KIN_TYPE_ADDRESS] = "address",
};

const char *kin_type_name(enum kin_type type)
{
    return (unsigned)type < KIN_TYPE_COUNT ? type_names[type] : "?";
}

bool kin_type_parse(struct kin_str text, enum kin_type *out)
{
    for (unsigned i = 0; i < KIN_TYPE_COUNT; i++) {
        if (kin_str_eq(text, kin_str_of(type_names[i]))) {
            *out = (enum kin_type)i;
            return true;
        }
    }
    return false;
}

int kin_schema_find(const struct kin_schema *schema, struct kin_str name)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (kin_str_eq(name, kin_str_of(schema->fields[i].name)))
            return (int)i;
    }
    return -1;
}
