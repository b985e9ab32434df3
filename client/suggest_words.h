#ifndef KIN_CLIENT_SUGGEST_WORDS_H
#define KIN_CLIENT_SUGGEST_WORDS_H
/* What the name of a column says about its meaning. Pure; any thread. */
#include "common/record/schema.h"

enum kin_meaning {
    KIN_MEANS_NOTHING, /* not known */
    KIN_MEANS_RECORD_ID,
    KIN_MEANS_REFERENCE, /* some other key, number or code */
    KIN_MEANS_UPDATED,
    KIN_MEANS_CREATED,
    KIN_MEANS_LABEL, /* the result of an earlier matching */
    KIN_MEANS_ORIGIN,
    KIN_MEANS_FIRST_NAME,
    KIN_MEANS_MIDDLE_NAME,
    KIN_MEANS_LAST_NAME,
    KIN_MEANS_FULL_NAME,
    KIN_MEANS_NAME,      /* of whatever the records are about */
    KIN_MEANS_NAME_PART, /* Mr, Dr, junior */
    KIN_MEANS_ORGANISATION,
    KIN_MEANS_BIRTH,
    KIN_MEANS_AGE,
    KIN_MEANS_GENDER,
    KIN_MEANS_EMAIL,
    KIN_MEANS_PHONE,
    KIN_MEANS_FAX,
    KIN_MEANS_URL,
    KIN_MEANS_ADDRESS,
    KIN_MEANS_HOUSE,
    KIN_MEANS_CITY,
    KIN_MEANS_STATE,
    KIN_MEANS_POSTCODE,
    KIN_MEANS_COUNTRY,
    KIN_MEANS_PLACE,      /* latitude and longitude together */
    KIN_MEANS_COORDINATE, /* one of them */
    KIN_MEANS_PERSON_ID,
    KIN_MEANS_THING_ID, /* of a firm, a product, a publication */
    KIN_MEANS_TITLE,
    KIN_MEANS_AUTHOR,
    KIN_MEANS_MAKER, /* brand, publisher, journal */
    KIN_MEANS_YEAR,
    KIN_MEANS_PRICE,
    KIN_MEANS_DATE,
    KIN_MEANS_CATEGORY,
    KIN_MEANS_TEXT, /* descriptions, notes */
    KIN_MEANS_AMOUNT,
    KIN_MEANS_COUNT
};

struct kin_meaning_info {
    const char *text;  /* for people: "first name" */
    const char *field; /* what a field of this meaning is called where sources differ; NULL: as
                          the column */
};
const struct kin_meaning_info *kin_meaning_info(enum kin_meaning meaning);

/* By the name alone. *words: the words of the table that it has, NULL if none. */
enum kin_meaning kin_meaning_of(struct kin_str column, const char **words);

/* The words of a name, lower case, each followed by a blank: "PRIMARY_NAME2Last" is "primary name
 * last ". Numbers are left out. out has room for KIN_WORDS_MAX. Returns the bytes written. */
enum { KIN_WORDS_MAX = 160 };
size_t kin_words_of(struct kin_str column, char out[KIN_WORDS_MAX]);

#endif
