#ifndef KIN_RECORD_SCHEMA_H
#define KIN_RECORD_SCHEMA_H
/* Field types and the list of fields of a workflow. Immutable once built; any thread. */
#include "common/base/mem.h"

enum kin_type {
    KIN_TYPE_NAME,
    KIN_TYPE_TEXT,
    KIN_TYPE_EMAIL,
    KIN_TYPE_PHONE,
    KIN_TYPE_DATE,
    KIN_TYPE_POSTCODE,
    KIN_TYPE_ID,
    KIN_TYPE_NUMBER,
    KIN_TYPE_GEO,
    KIN_TYPE_ADDRESS,
    KIN_TYPE_COUNT
};

enum kin_date_order { KIN_DATE_YMD, KIN_DATE_DMY, KIN_DATE_MDY };

enum { KIN_FIELDS_MAX = 64, KIN_SOURCES_MAX = 1024, KIN_FIELD_BYTES_MAX = 64 * 1024 };

struct kin_field {
    const char *name;
    enum kin_type type;
    enum kin_date_order date_order; /* dates written with separators, day or month first */
    char country[3];                /* phones, postcodes: ISO 3166 alpha-2, or "" */
    bool transliterate;             /* reserved for non-Latin scripts; false */
    bool codes;                     /* ids: each code in the text is a value (codes.h) */
};

struct kin_schema {
    const struct kin_field *fields;
    size_t count; /* 0..KIN_FIELDS_MAX */
};

const char *kin_type_name(enum kin_type type); /* "name", "text", ... */
bool kin_type_parse(struct kin_str text, enum kin_type *out);
/* Index of the field, or -1. */
int kin_schema_find(const struct kin_schema *schema, struct kin_str name);

#endif
