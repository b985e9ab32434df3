#ifndef KIN_MATCH_RULE_LEX_H
#define KIN_MATCH_RULE_LEX_H
/* Reading the small languages of rules and blocking keys: words, field names, numbers, marks, and
 * complaints with a column. What a word is depends on where it stands, so the parser asks for what
 * it wants. Blanks (space, tab, line ends) before anything are skipped. */
#include "common/match/condition_impl.h"

struct kin_lex {
    struct kin_str text;
    size_t at;        /* byte offset */
    unsigned *column; /* where complaints leave the 1-based column */
    struct kin_err *err;
};

/* Complains about the byte at offset `at`; returns status. */
kin_status kin_lex_fail(struct kin_lex *lex, kin_status status, size_t at, const char *format, ...)
    KIN_PRINTF(4, 5);

/* Skips blanks; true at the end of the text. */
bool kin_lex_end(struct kin_lex *lex);

/* Takes the character c if it comes next. */
bool kin_lex_take(struct kin_lex *lex, char c);

/* Takes c or complains that `expected` (such as "\",\" and a threshold") was expected. */
kin_status kin_lex_expect(struct kin_lex *lex, char c, const char *expected) KIN_MUST_CHECK;

/* The run of letters, digits and _ that comes next; .n == 0 if there is none. peek leaves it. */
struct kin_str kin_lex_peek_word(struct kin_lex *lex);
struct kin_str kin_lex_take_word(struct kin_lex *lex);

/* Letters' case aside; word is ASCII. */
bool kin_word_is(struct kin_str word, const char *name);

/* What comes next, for "found ..."; out is filled and returned. */
enum { KIN_LEX_FOUND_BYTES = 64 };
const char *kin_lex_found(struct kin_lex *lex, char out[KIN_LEX_FOUND_BYTES]);

/* A field of the schema, plain or quoted. *at is where it stood. */
kin_status kin_lex_field(struct kin_lex *lex, const struct kin_schema *schema, uint16_t *field,
                         size_t *at) KIN_MUST_CHECK;
/* Complains unless the field's type is one of `types`; user names what takes it. */
kin_status kin_lex_check_type(struct kin_lex *lex, const struct kin_schema *schema, unsigned field,
                              size_t at, unsigned types, const char *user) KIN_MUST_CHECK;

/* A decimal number such as 12 or 0.92; `expected` names it in complaints. */
kin_status kin_lex_decimal(struct kin_lex *lex, const char *expected,
                           struct kin_decimal *out) KIN_MUST_CHECK;
/* The number divided by 10^tenfolds, correctly rounded. */
enum { KIN_TENFOLDS_MAX = 3 };
double kin_decimal_value(struct kin_decimal d, unsigned tenfolds);
/* A whole number from..to. */
struct kin_lex_range {
    unsigned from, to;
};
kin_status kin_lex_whole(struct kin_lex *lex, const char *expected, struct kin_lex_range range,
                         uint16_t *out) KIN_MUST_CHECK;

#endif
