#ifndef KIN_RECORD_NORM_IMPL_H
#define KIN_RECORD_NORM_IMPL_H
/* Private to the normalisers (common/record/norm_*.c) and their tests. */
#include "common/record/normalise.h"

enum {
    KIN_NORM_PAYLOAD_MAX = UINT16_MAX, /* what features.h can hold; longer texts are cut */
    KIN_NORM_BUFFER_BYTES = KIN_FIELD_BYTES_MAX + 64,
    KIN_NORM_POINTS_MAX = KIN_FIELD_BYTES_MAX, /* code points before composition */
    KIN_NORM_MARKS_MAX = 30 /* combining marks in a row: UAX #15, stream-safe text format */
};

struct kin_norm_country;

/* Latin letters with accents are common and fold to one or two ASCII letters: a table per scratch,
 * filled by the folding itself, spares them the way through utf8proc. */
enum {
    KIN_NORM_LATIN_UNKNOWN = 0xff, /* not met so far */
    KIN_NORM_LATIN_FIRST = 0xc0,
    KIN_NORM_LATIN_LAST = 0x24f,
    KIN_NORM_LATIN_MORE_FIRST = 0x1e00, /* Vietnamese and others */
    KIN_NORM_LATIN_MORE_LAST = 0x1eff,
    KIN_NORM_LATIN_COUNT = KIN_NORM_LATIN_LAST - KIN_NORM_LATIN_FIRST + 1 +
                           KIN_NORM_LATIN_MORE_LAST - KIN_NORM_LATIN_MORE_FIRST + 1
};

struct kin_norm_scratch {
    const struct kin_norm_country *country; /* of the last phone; NULL: none known */
    char country_iso[2];
    uint8_t latin[KIN_NORM_LATIN_COUNT][2]; /* second 0: one letter; both: not in the table */
    uint8_t text[KIN_NORM_BUFFER_BYTES];    /* result of folding */
    uint8_t out[KIN_NORM_BUFFER_BYTES];     /* result of the types that go on from there */
    int32_t points[KIN_NORM_POINTS_MAX];
};

/* ---- folding (norm_fold.c) ---- */

enum kin_fold {
    KIN_FOLD_NAME,     /* letters, single blanks */
    KIN_FOLD_TEXT,     /* letters, digits, single blanks */
    KIN_FOLD_POSTCODE, /* letters and digits without blanks */
    KIN_FOLD_ID,       /* everything but blanks, dashes, slashes and dots; accents stay */
    KIN_FOLD_EMAIL,    /* everything but blanks, double quotes and backslashes; accents stay */
    KIN_FOLD_PLAIN,    /* everything; dashes, digits, blanks, currencies in their ASCII form */
    KIN_FOLD_COUNT
};

struct kin_folded {
    const char *p; /* in scratch->text */
    size_t n;
    bool ascii;
};

/* Folds raw into s->text; at most KIN_NORM_PAYLOAD_MAX bytes. */
struct kin_folded kin_norm_fold(struct kin_norm_scratch *s, enum kin_fold mode, struct kin_str raw);

/* Empties s->latin. */
void kin_norm_fold_init(struct kin_norm_scratch *s);

/* The same result without the ASCII fast path: the tests hold the two against each other. */
struct kin_folded kin_norm_fold_unicode(struct kin_norm_scratch *s, enum kin_fold mode,
                                        struct kin_str raw);

/* True if there is a letter or digit, or anything that is not ASCII. */
bool kin_norm_has_content(struct kin_str text);

/* ---- types that go on from a fold; text is that fold ---- */

enum kin_norm kin_norm_email(struct kin_norm_scratch *s, struct kin_folded text,
                             struct kin_norm_value *out);
enum kin_norm kin_norm_phone(struct kin_norm_scratch *s, const char country[3],
                             struct kin_folded text, struct kin_norm_value *out);
enum kin_norm kin_norm_date(struct kin_norm_scratch *s, enum kin_date_order order,
                            struct kin_folded text, struct kin_norm_value *out);
enum kin_norm kin_norm_number(struct kin_norm_scratch *s, struct kin_folded text,
                              struct kin_norm_value *out);
enum kin_norm kin_norm_geo(struct kin_norm_scratch *s, struct kin_folded text,
                           struct kin_norm_value *out);
enum kin_norm kin_norm_address(struct kin_norm_scratch *s, struct kin_folded text,
                               struct kin_norm_value *out);

/* ---- shared parts ---- */

static inline bool kin_norm_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool kin_norm_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

/* Proleptic Gregorian calendar (norm_date.c). */
bool kin_norm_date_exists(int year, unsigned month, unsigned day);
int32_t kin_norm_days(int year, unsigned month, unsigned day); /* since 1970-01-01 */

/* The number digits[0..n) * 10^exponent10, correctly rounded (norm_number.c). n <= 64 Ki; false:
 * beyond the range of a double. room: KIN_NORM_BUFFER_BYTES of work space that does not overlap. */
bool kin_norm_decimal(const char *digits, size_t n, int exponent10, char *room, double *value);

/* ---- tables (norm_tables.c) ---- */

/* What a letter without a decomposition folds to: 1 or 2 code points. */
struct kin_norm_letter {
    int32_t from;
    uint16_t to[2]; /* second 0: one */
};
const struct kin_norm_letter *kin_norm_letter_find(int32_t point); /* NULL: none */

/* Value of a decimal digit (category Nd) of any script, or -1. */
int kin_norm_digit_value(int32_t point);

/* The written form that stands for a word of an address, or the word itself. */
struct kin_str kin_norm_address_word(struct kin_str word);

struct kin_norm_country {
    char iso[3];           /* ISO 3166 alpha-2 */
    char code[4];          /* calling code */
    char trunk[3];         /* dialled before a national number at home; "" none */
    char mobile[2];        /* inserted after the code in old international notation; "" none */
    char idd[5];           /* dialled before an international number, where it is not 00 */
    uint8_t min, max;      /* digits of a national number, without trunk */
    bool zero_significant; /* a leading zero belongs to the number, as in Italy */
};
const struct kin_norm_country *kin_norm_country_by_iso(const char iso[2]); /* NULL: unknown */
/* The country (the first that has it) of the calling code that digits start with, or NULL. */
const struct kin_norm_country *kin_norm_country_by_digits(const char *digits, size_t n);

/* For the tests of the tables. */
size_t kin_norm_country_count(void);
const struct kin_norm_country *kin_norm_country_at(size_t i);
size_t kin_norm_letter_count(void);
const struct kin_norm_letter *kin_norm_letter_at(size_t i);
size_t kin_norm_address_word_count(void);
struct kin_str kin_norm_address_word_at(size_t i);

#endif
