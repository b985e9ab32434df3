#include "common/match/rule_lex.h"
#include "common/match/suggest.h"

struct key_fn_spec {
    const char *name;
    unsigned types;
    const char *numbers[2]; /* what the numbers after the field are, for complaints */
    struct kin_lex_range range[2];
};

enum { BANDS_MAX = 64 };

static const struct key_fn_spec specs[] = {
    [KIN_KEY_VALUE] = {.name = NULL},
    [KIN_KEY_SOUNDEX] = {.name = "soundex", .types = KIN_TYPES_SPOKEN},
    [KIN_KEY_METAPHONE] = {.name = "metaphone", .types = KIN_TYPES_SPOKEN},
    [KIN_KEY_PREFIX] = {"prefix", KIN_TYPES_TEXT, {"a length"}, {{1, KIN_RULE_DISTANCE_MAX}}},
    [KIN_KEY_SUFFIX] = {"suffix", KIN_TYPES_TEXT, {"a length"}, {{1, KIN_RULE_DISTANCE_MAX}}},
    [KIN_KEY_YEAR] = {.name = "year", .types = KIN_TYPE_BIT(KIN_TYPE_DATE)},
    [KIN_KEY_TOKENS] = {.name = "tokens", .types = KIN_TYPES_TEXT},
    [KIN_KEY_QGRAMS] = {"qgrams", KIN_TYPES_TEXT, {"a q-gram size"}, {{1, KIN_QGRAM_MAX}}},
    [KIN_KEY_MINHASH] = {"minhash",
                         KIN_TYPES_TEXT,
                         {"a number of bands", "a number of rows"},
                         {{1, BANDS_MAX}, {1, KIN_MINHASH_MAX}}},
};
enum { FN_COUNT = sizeof specs / sizeof *specs };

static kin_status fail_unknown_function(struct kin_lex *lex, struct kin_str word, size_t at)
{
    struct kin_suggestion near = {0};
    for (unsigned fn = KIN_KEY_SOUNDEX; fn < FN_COUNT; fn++)
        kin_suggest(&near, word, specs[fn].name);
    int shown = word.n < 40 ? (int)word.n : 40;
    if (near.name)
        return kin_lex_fail(lex, KIN_E_SYNTAX, at, "no key function \"%.*s\"; did you mean %s?",
                            shown, word.p, near.name);
    return kin_lex_fail(lex, KIN_E_SYNTAX, at,
                        "no key function \"%.*s\"; there are soundex, metaphone, prefix, suffix, "
                        "year, tokens, qgrams and minhash",
                        shown, word.p);
}

static kin_status parse_numbers(struct kin_lex *lex, const struct key_fn_spec *spec,
                                struct kin_key_term *term)
{
    uint16_t *const numbers[2] = {&term->n, &term->rows};
    for (unsigned i = 0; i < 2 && spec->numbers[i]; i++) {
        kin_status status =
            kin_lex_expect(lex, ',', i ? "\",\" and a number of rows" : "\",\" and a number");
        if (!status)
            status = kin_lex_whole(lex, spec->numbers[i], spec->range[i], numbers[i]);
        if (status)
            return status;
    }
    if (term->n * term->rows > KIN_MINHASH_MAX)
        return kin_lex_fail(lex, KIN_E_SYNTAX, lex->at, "bands times rows is at most %d, found %d",
                            KIN_MINHASH_MAX, term->n * term->rows);
    return KIN_OK;
}

static kin_status parse_call(struct kin_lex *lex, const struct kin_schema *schema,
                             const struct key_fn_spec *spec, struct kin_key_term *term)
{
    size_t at;
    kin_status status = kin_lex_field(lex, schema, &term->field, &at);
    if (!status)
        status = kin_lex_check_type(lex, schema, term->field, at, spec->types, spec->name);
    if (!status)
        status = parse_numbers(lex, spec, term);
    return status ? status : kin_lex_expect(lex, ')', "\")\"");
}

kin_status kin_key_term_parse(const struct kin_schema *schema, struct kin_str text,
                              struct kin_key_term *out, unsigned *column, struct kin_err *err)
{
    struct kin_lex lex = {.text = text, .column = column, .err = err};
    struct kin_key_term term = {.fn = KIN_KEY_VALUE};
    kin_status status;
    struct kin_str word = kin_lex_take_word(&lex);
    size_t at = lex.at - word.n;
    if (word.n && kin_lex_take(&lex, '(')) {
        unsigned fn = KIN_KEY_SOUNDEX;
        while (fn < FN_COUNT && !kin_word_is(word, specs[fn].name))
            fn++;
        if (fn == FN_COUNT)
            return fail_unknown_function(&lex, word, at);
        term.fn = (enum kin_key_fn)fn;
        status = parse_call(&lex, schema, &specs[fn], &term);
    } else {
        lex.at = at;
        status = kin_lex_field(&lex, schema, &term.field, &at);
    }
    if (status)
        return status;
    if (!kin_lex_end(&lex)) {
        char found[KIN_LEX_FOUND_BYTES];
        return kin_lex_fail(&lex, KIN_E_SYNTAX, lex.at, "expected the end, found %s",
                            kin_lex_found(&lex, found));
    }
    *out = term;
    return KIN_OK;
}

void kin_key_term_print(const struct kin_schema *schema, const struct kin_key_term *term,
                        struct kin_buf *out)
{
    const struct key_fn_spec *spec = &specs[term->fn];
    if (spec->name)
        kin_buf_printf(out, "%s(", spec->name);
    kin_field_print(schema, term->field, out);
    if (spec->numbers[0])
        kin_buf_printf(out, ", %u", (unsigned)term->n);
    if (spec->numbers[1])
        kin_buf_printf(out, ", %u", (unsigned)term->rows);
    if (spec->name)
        kin_buf_putc(out, ')');
    if (term->empty_is_value)
        kin_buf_puts(out, " (or empty)");
}
