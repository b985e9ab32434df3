#include "common/match/rule_lex.h"

#include "common/match/suggest.h"
#include "common/match/text_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DECIMAL_DIGITS_MAX = 15 };
#define DECIMAL_MAX UINT64_C(999999999999999)

kin_status kin_lex_fail(struct kin_lex *lex, kin_status status, size_t at, const char *format, ...)
{
    char message[sizeof((struct kin_err *)0)->msg];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    *lex->column = (unsigned)at + 1;
    return kin_err_set(lex->err, status, "%s", message);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool kin_lex_end(struct kin_lex *lex)
{
    while (lex->at < lex->text.n && kin_text_is_blank((uint8_t)lex->text.p[lex->at]))
        lex->at++;
    return lex->at == lex->text.n;
}

bool kin_lex_take(struct kin_lex *lex, char c)
{
    if (kin_lex_end(lex) || lex->text.p[lex->at] != c)
        return false;
    lex->at++;
    return true;
}

kin_status kin_lex_expect(struct kin_lex *lex, char c, const char *expected)
{
    if (kin_lex_take(lex, c))
        return KIN_OK;
    char found[KIN_LEX_FOUND_BYTES];
    return kin_lex_fail(lex, KIN_E_SYNTAX, lex->at, "expected %s, found %s", expected,
                        kin_lex_found(lex, found));
}

struct kin_str kin_lex_peek_word(struct kin_lex *lex)
{
    if (kin_lex_end(lex))
        return (struct kin_str){0};
    size_t end = lex->at;
    while (end < lex->text.n && is_word(lex->text.p[end]))
        end++;
    return (struct kin_str){lex->text.p + lex->at, end - lex->at};
}

struct kin_str kin_lex_take_word(struct kin_lex *lex)
{
    struct kin_str word = kin_lex_peek_word(lex);
    lex->at += word.n;
    return word;
}

bool kin_word_is(struct kin_str word, const char *name)
{
    for (size_t i = 0; i < word.n; i++) {
        unsigned char a = (unsigned char)word.p[i], b = (unsigned char)name[i];
        if (a >= 'A' && a <= 'Z')
            a |= 0x20;
        if (b >= 'A' && b <= 'Z')
            b |= 0x20;
        if (a != b || b == '\0')
            return false;
    }
    return name[word.n] == '\0';
}

const char *kin_lex_found(struct kin_lex *lex, char out[KIN_LEX_FOUND_BYTES])
{
    if (kin_lex_end(lex)) {
        snprintf(out, KIN_LEX_FOUND_BYTES, "the end");
        return out;
    }
    struct kin_str word = kin_lex_peek_word(lex);
    uint8_t c = (uint8_t)lex->text.p[lex->at];
    if (word.n > 40)
        snprintf(out, KIN_LEX_FOUND_BYTES, "\"%.40s...\"", word.p);
    else if (word.n)
        snprintf(out, KIN_LEX_FOUND_BYTES, "\"%.*s\"", (int)word.n, word.p);
    else if (c == '"')
        snprintf(out, KIN_LEX_FOUND_BYTES, "a quoted name");
    else if (c > ' ' && c < 0x7f)
        snprintf(out, KIN_LEX_FOUND_BYTES, "\"%c\"", c);
    else
        snprintf(out, KIN_LEX_FOUND_BYTES, "byte 0x%02x", (unsigned)c);
    return out;
}

/* Takes a quoted name whose opening quote is next; name has room for KIN_RULE_TEXT_MAX bytes. */
static kin_status take_quoted(struct kin_lex *lex, char *name, size_t *length)
{
    size_t start = lex->at++;
    size_t n = 0;
    for (; lex->at < lex->text.n && n < KIN_RULE_TEXT_MAX; lex->at++) {
        char c = lex->text.p[lex->at];
        if (c == '"') {
            lex->at++;
            if (lex->at == lex->text.n || lex->text.p[lex->at] != '"') {
                *length = n;
                return KIN_OK;
            }
        }
        name[n++] = c;
    }
    return kin_lex_fail(lex, KIN_E_SYNTAX, start, "the quote opened here is not closed");
}

static kin_status fail_unknown_field(struct kin_lex *lex, const struct kin_schema *schema,
                                     struct kin_str name, size_t at)
{
    /* as much of the name as reads well, cut before a UTF-8 sequence */
    size_t shown = name.n < 60 ? name.n : 60;
    while (shown < name.n && shown > 0 && ((uint8_t)name.p[shown] & 0xc0) == 0x80)
        shown--;
    struct kin_suggestion near = {0};
    for (size_t i = 0; i < schema->count; i++)
        kin_suggest(&near, name, schema->fields[i].name);
    if (near.name)
        return kin_lex_fail(lex, KIN_E_SYNTAX, at, "no field \"%.*s\"; did you mean \"%s\"?",
                            (int)shown, name.p, near.name);
    char known[256];
    size_t n = 0;
    known[0] = '\0';
    for (size_t i = 0; i < schema->count && n < sizeof known; i++) {
        int more =
            snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", schema->fields[i].name);
        n += more > 0 ? (size_t)more : 0;
    }
    return kin_lex_fail(lex, KIN_E_SYNTAX, at, "no field \"%.*s\"; the fields are %s%s", (int)shown,
                        name.p, schema->count ? known : "none", n < sizeof known ? "" : "...");
}

kin_status kin_lex_field(struct kin_lex *lex, const struct kin_schema *schema, uint16_t *field,
                         size_t *at)
{
    char quoted[KIN_RULE_TEXT_MAX];
    struct kin_str name = kin_lex_peek_word(lex);
    *at = lex->at;
    if (name.n) {
        lex->at += name.n;
    } else if (lex->at < lex->text.n && lex->text.p[lex->at] == '"') {
        kin_status status = take_quoted(lex, quoted, &name.n);
        if (status)
            return status;
        name.p = quoted;
    } else {
        char found[KIN_LEX_FOUND_BYTES];
        return kin_lex_fail(lex, KIN_E_SYNTAX, lex->at, "expected a field, found %s",
                            kin_lex_found(lex, found));
    }
    int i = kin_schema_find(schema, name);
    if (i < 0)
        return fail_unknown_field(lex, schema, name, *at);
    *field = (uint16_t)i;
    return KIN_OK;
}

kin_status kin_lex_check_type(struct kin_lex *lex, const struct kin_schema *schema, unsigned field,
                              size_t at, unsigned types, const char *user)
{
    const struct kin_field *f = &schema->fields[field];
    if (types & KIN_TYPE_BIT(f->type))
        return KIN_OK;
    char list[128];
    size_t n = 0;
    unsigned left = types;
    for (unsigned t = 0; t < KIN_TYPE_COUNT && n < sizeof list; t++) {
        if (!(left & KIN_TYPE_BIT(t)))
            continue;
        left &= ~KIN_TYPE_BIT(t);
        int more = snprintf(list + n, sizeof list - n, "%s%s",
                            n == 0 ? ""
                            : left ? ", "
                                   : " or ",
                            kin_type_name((enum kin_type)t));
        n += more > 0 ? (size_t)more : 0;
    }
    return kin_lex_fail(lex, KIN_E_SYNTAX, at, "%s takes a field of type %s; \"%s\" is of type %s",
                        user, list, f->name, kin_type_name(f->type));
}

kin_status kin_lex_decimal(struct kin_lex *lex, const char *expected, struct kin_decimal *out)
{
    if (kin_lex_end(lex) || !is_digit(lex->text.p[lex->at])) {
        char found[KIN_LEX_FOUND_BYTES];
        return kin_lex_fail(lex, KIN_E_SYNTAX, lex->at, "expected %s, found %s", expected,
                            kin_lex_found(lex, found));
    }
    size_t start = lex->at;
    struct kin_decimal d = {0};
    unsigned zeros = 0; /* after the point and not counted yet: dropped if they end the number */
    bool point = false;
    for (; lex->at < lex->text.n; lex->at++) {
        char c = lex->text.p[lex->at];
        if (c == '.' && !point && lex->at + 1 < lex->text.n && is_digit(lex->text.p[lex->at + 1])) {
            point = true;
            continue;
        }
        if (!is_digit(c))
            break;
        if (point && c == '0') {
            zeros++;
            continue;
        }
        for (; zeros > 0 && d.scale <= DECIMAL_DIGITS_MAX && d.digits <= DECIMAL_MAX; zeros--) {
            d.digits *= 10;
            d.scale++;
        }
        d.digits = d.digits * 10 + (unsigned)(c - '0');
        d.scale += point;
        if (d.digits > DECIMAL_MAX || d.scale > DECIMAL_DIGITS_MAX)
            return kin_lex_fail(lex, KIN_E_SYNTAX, start, "a number has at most %d digits",
                                DECIMAL_DIGITS_MAX);
    }
    *out = d;
    return KIN_OK;
}

double kin_decimal_value(struct kin_decimal d, unsigned tenfolds)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8, 1e9,
                                   1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18};
    _Static_assert(sizeof power / sizeof *power == DECIMAL_DIGITS_MAX + KIN_TENFOLDS_MAX + 1,
                   "a power for every scale");
    return (double)d.digits / power[d.scale + tenfolds];
}

kin_status kin_lex_whole(struct kin_lex *lex, const char *expected, struct kin_lex_range range,
                         uint16_t *out)
{
    struct kin_decimal d = {0};
    kin_lex_end(lex);
    size_t at = lex->at;
    kin_status status = kin_lex_decimal(lex, expected, &d);
    if (status)
        return status;
    if (d.scale || d.digits < range.from || d.digits > range.to)
        return kin_lex_fail(lex, KIN_E_SYNTAX, at,
                            "expected %s, a whole number from %u to %u, found \"%.*s\"", expected,
                            range.from, range.to, (int)(lex->at - at), lex->text.p + at);
    *out = (uint16_t)d.digits;
    return KIN_OK;
}
