/* Conditions: what parses, to what canonical text, and what is wrong where. */
#include "common/match/condition_impl.h"
#include "common/match/suggest.h"
#include "tests/unit/rule_fixture.h"

/* ---- canonical text ---- */

static char *printed(const struct kin_condition *c)
{
    struct kin_buf out = {0};
    kin_condition_print(&fixture_schema, c, &out);
    kin_buf_putc(&out, '\0');
    assert_false(out.failed);
    return (char *)out.p;
}

static void expect_canonical(const char *text, const char *canonical)
{
    struct kin_arena arena = {0};
    char *p = printed(parsed(&arena, text));
    assert_string_equal(p, canonical);
    kin_free(p);
    kin_arena_deinit(&arena);
}

static void terms_are_printed_in_canonical_form(void **state)
{
    (void)state;
    expect_canonical("exact(email)", "Exact(email)");
    expect_canonical(" EXACT ( email , emptyvalues = PROCESS ) ",
                     "Exact(email, EmptyValues=Process)");
    expect_canonical("Exact(email, EmptyValues=Ignore)", "Exact(email)");
    expect_canonical("exactmanytomany(first_name,last_name , notes)",
                     "ExactManyToMany(first_name, last_name, notes)");
    expect_canonical("levenshtein(\"Email address\",2)", "Levenshtein(\"Email address\", 2)");
    expect_canonical("Levenshtein(notes, 0)", "Levenshtein(notes, 0)");
    expect_canonical("Damerau(\"a \"\"b\"\" c\", 064)", "Damerau(\"a \"\"b\"\" c\", 64)");
    expect_canonical("jarowinkler(\"first_name\", 0.9200)", "JaroWinkler(first_name, 0.92)");
    expect_canonical("Jaro(notes, 1.000)", "Jaro(notes, 1)");
    expect_canonical("Jaro(notes, 0.000000000000001)", "Jaro(notes, 0.000000000000001)");
    expect_canonical("Jaro(notes, 0.1010)", "Jaro(notes, 0.101)");
    expect_canonical("cosine(notes, 0.5,3)", "Cosine(notes, 0.5, 3)");
    expect_canonical("Jaccard(notes, 0.5)", "Jaccard(notes, 0.5)");
    expect_canonical("lcs(notes, 0.5)", "LCS(notes, 0.5)");
    expect_canonical("Within(dob,1 days)", "Within(dob, 1 day)");
    expect_canonical("Within(dob, 2 WEEK)", "Within(dob, 2 weeks)");
    expect_canonical("Within(dob, 10year)", "Within(dob, 10 years)");
    expect_canonical("Within(price, 5%)", "Within(price, 5 %)");
    expect_canonical("Within(price, 0.50)", "Within(price, 0.5)");
    expect_canonical("Within(place, 2KM)", "Within(place, 2 km)");
    expect_canonical("Within(place, 1 m)", "Within(place, 1 m)");
    expect_canonical("sameyear(dob) AND soundex(notes) AND metaphone(notes)",
                     "SameYear(dob) AND Soundex(notes) AND Metaphone(notes)");
    expect_canonical("prefix(phone,3) OR suffix(phone,64)",
                     "Prefix(phone, 3) OR Suffix(phone, 64)");
    expect_canonical("swapped(first_name,last_name)", "Swapped(first_name, last_name)");
    expect_canonical("empty(place) or differs(price)", "Empty(place) OR Differs(price)");
}

#define A "Empty(dob)"
#define B "Empty(email)"
#define C "Empty(notes)"

static void not_binds_before_and_before_or(void **state)
{
    (void)state;
    expect_canonical(A " or " B " and " C, A " OR " B " AND " C);
    expect_canonical("(" A " or " B ") and " C, "(" A " OR " B ") AND " C);
    expect_canonical(A " or (" B " and " C ")", A " OR " B " AND " C);
    expect_canonical("(" A " or (" B ")) or " C, A " OR " B " OR " C);
    expect_canonical("((" A ") and (" B " and " C "))", A " AND " B " AND " C);
    expect_canonical("not " A " and " B, "NOT " A " AND " B);
    expect_canonical("not(" A " and " B ")", "NOT (" A " AND " B ")");
    expect_canonical("not(not(" A "))or " B, "NOT NOT " A " OR " B);
    expect_canonical("not not (" A " or " B ") and " C, "NOT NOT (" A " OR " B ") AND " C);
    expect_canonical(A "\r\n\tAND\n" B, A " AND " B);

    struct kin_arena arena = {0};
    struct kin_condition *c = parsed(&arena, A " OR " B " AND NOT " C);
    assert_int_equal(c->kind, KIN_NODE_OR);
    assert_int_equal(c->child->kind, KIN_NODE_TERM);
    assert_int_equal(c->child->next->kind, KIN_NODE_AND);
    assert_int_equal(c->child->next->child->next->kind, KIN_NODE_NOT);
    assert_null(c->child->next->next);
    kin_arena_deinit(&arena);
}

static void numbers_have_their_nearest_double(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double limit;
    } cases[] = {
        {"Jaro(notes, 0.92)", 0.92},
        {"Jaro(notes, 0.1)", 0.1},
        {"Jaro(notes, 0.333333333333333)", 0.333333333333333},
        {"Within(price, 5 %)", 0.05},
        {"Within(price, 0.7 %)", 0.007},
        {"Within(price, 123456789.125)", 123456789.125},
        {"Within(place, 50 m)", 0.05},
        {"Within(dob, 2 weeks)", 14},
        {"Within(dob, 1 year)", 365},
        {"Within(dob, 2 years)", 731}, /* 730.5 */
        {"Within(dob, 3 years)", 1096},
        {"Within(dob, 4 years)", 1461},
    };
    struct kin_arena arena = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double limit = parsed(&arena, cases[i].text)->term.limit;
        if (!(limit >= cases[i].limit && limit <= cases[i].limit))
            fail_msg("%s: %.17g", cases[i].text, limit);
    }
    kin_arena_deinit(&arena);
}

static bool same_condition(const struct kin_condition *a, const struct kin_condition *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == KIN_NODE_TERM)
        return kin_term_equal(&a->term, &b->term) &&
               kin_term_hash(&a->term) == kin_term_hash(&b->term) &&
               a->term.limit >= b->term.limit && a->term.limit <= b->term.limit;
    const struct kin_condition *x = a->child, *y = b->child;
    for (; x && y; x = x->next, y = y->next) {
        if (!same_condition(x, y))
            return false;
    }
    return !x && !y;
}

static void what_is_printed_parses_back_to_the_same(void **state)
{
    (void)state;
    struct dice d = {20261122};
    unsigned terms = 0;
    for (unsigned i = 0; i < 10000; i++) {
        struct kin_arena arena = {0};
        struct text t;
        struct kin_condition *c = random_condition(&d, &arena, i % 5, true, put_term, &t);
        char *first = printed(c);
        if (strlen(first) <= KIN_RULE_TEXT_MAX) {
            struct kin_condition *again = parsed(&arena, first);
            char *second = printed(again);
            assert_string_equal(first, second);
            if (!same_condition(c, again))
                fail_msg("%s became %s", t.p, first);
            kin_free(second);
            terms++;
        }
        kin_free(first);
        kin_arena_deinit(&arena);
    }
    assert_true(terms > 9000);
}

/* ---- mistakes ---- */

static kin_status parse_wrong(const char *text, unsigned *column, struct kin_err *err)
{
    struct kin_arena arena = {0};
    struct kin_condition *c = NULL;
    *column = 0;
    *err = (struct kin_err){0};
    kin_status status =
        kin_condition_parse(&arena, &fixture_schema, kin_str_of(text), &c, column, err);
    assert_null(c);
    assert_int_equal(err->status, status);
    kin_arena_deinit(&arena);
    return status;
}

static void expect_error(const char *text, unsigned column, const char *message)
{
    unsigned at;
    struct kin_err err;
    kin_status status = parse_wrong(text, &at, &err);
    if (status != KIN_E_SYNTAX || at != column || !strstr(err.msg, message))
        fail_msg("%s\n%*s^ %s\nexpected column %u: %s", text, (int)at - 1, "", err.msg, column,
                 message);
}

static void mistakes_have_their_column_and_a_reason(void **state)
{
    (void)state;
    expect_error("", 1, "expected NOT, \"(\" or a function such as Exact(field), found the end");
    expect_error("   ", 4, "found the end");
    expect_error("Exact", 6, "expected \"(\" after Exact, found the end");
    expect_error("Exact email", 7, "expected \"(\" after Exact, found \"email\"");
    expect_error("Exact(", 7, "expected a field, found the end");
    expect_error("Exact()", 7, "expected a field, found \")\"");
    expect_error("Exact(email", 12, "expected \")\" or \", EmptyValues=...\", found the end");
    expect_error("Exact(email))", 13, "expected AND, OR or the end, found \")\"");
    expect_error("Exact(email) ADN Exact(dob)", 14, "found \"ADN\"");
    expect_error("Exact(email) AND", 17, "expected NOT, \"(\" or a function");
    expect_error("Exact(email) AND OR Exact(dob)", 18, "before \"OR\"");
    expect_error("AND Exact(email)", 1, "before \"AND\"");
    expect_error("()", 2, "found \")\"");
    expect_error("(Exact(email)", 14, "expected AND, OR or \")\", found the end");
    expect_error("NOT", 4, "found the end");
    expect_error("email", 1, "found the field \"email\": Exact(email)?");
    expect_error("Exat(email)", 1, "no function \"Exat\"; did you mean Exact?");
    expect_error("Sondex(email)", 1, "did you mean Soundex?");
    expect_error("Frobnicate(email)", 1, "no function \"Frobnicate\"; there are Exact, ");
    expect_error("Exact(Email)", 7, "no field \"Email\"; did you mean \"email\"?");
    expect_error("Exact(lastname)", 7, "did you mean \"last_name\"?");
    expect_error("Exact(shoe)", 7,
                 "no field \"shoe\"; the fields are first_name, last_name, email");
    expect_error("Exact(\"email adress\")", 7, "did you mean \"Email address\"?");
    expect_error("Exact(\"email)", 7, "the quote opened here is not closed");
    expect_error("Exact(\"\")", 7, "no field \"\"");
    expect_error("Exact(email, 1)", 14,
                 "expected EmptyValues=Process or EmptyValues=Ignore, found");
    expect_error("Exact(email, true)", 14, "expected EmptyValues=Process or EmptyValues=Ignore");
    expect_error("Exact(email, EmptyValues)", 25, "expected \"=\" and Process or Ignore");
    expect_error("Exact(email, EmptyValues=Maybe)", 26,
                 "expected Process or Ignore, found \"Maybe\"");
    expect_error("Exact(email, EmptyValues=Process, 1)", 33, "expected \")\", found \",\"");
    expect_error("Exact(\x01)", 7, "found byte 0x01");
    expect_error("Exact(\xc3\xa9)", 7, "found byte 0xc3");
    expect_error("Exact(email) & Exact(dob)", 14, "found \"&\"");
}

static void arguments_are_checked(void **state)
{
    (void)state;
    expect_error("Levenshtein(email)", 18, "expected \",\" and a distance, found \")\"");
    expect_error("Levenshtein(email, x)", 20, "expected a distance, found \"x\"");
    expect_error("Levenshtein(email, -1)", 20, "found \"-\"");
    expect_error("Levenshtein(email, 65)", 20,
                 "expected a distance, a whole number from 0 to 64, found \"65\"");
    expect_error("Levenshtein(email, 1.5)", 20, "a whole number from 0 to 64, found \"1.5\"");
    expect_error("Levenshtein(email, 1.)", 21, "expected \")\", found \".\"");
    expect_error("Levenshtein(email, 99999999999999999999)", 20, "at most 15 digits");
    expect_error("Prefix(email, 0)", 15, "expected a length, a whole number from 1 to 64");
    expect_error("Jaro(email, 0)", 13, "greater than 0 and at most 1");
    expect_error("Jaro(email, 0.000)", 13, "found 0.000");
    expect_error("Jaro(email, 1.01)", 13, "greater than 0 and at most 1 (90 % is 0.9), found 1.01");
    expect_error("Jaro(email, .9)", 13, "expected a threshold such as 0.9, found \".\"");
    expect_error("Jaro(email, 0.0000000000000001)", 13, "at most 15 digits");
    expect_error("Jaro(email, 0.9, 2)", 16, "expected \")\", found \",\"");
    expect_error("Jaro(email, 0.9x)", 16, "expected \")\", found \"x\"");
    expect_error("Cosine(email, 0.5, 9)", 20, "a q-gram size, a whole number from 1 to 8");
    expect_error("Cosine(email, 0.5, 0)", 20, "a whole number from 1 to 8");
    expect_error("Cosine(email, 10)", 15, "greater than 0 and at most 1");
    expect_error("Soundex(email, 1)", 14, "expected \")\", found \",\"");
    expect_error("ExactManyToMany(email)", 22, "expected \",\" and a second field");
    expect_error("ExactManyToMany(email, phone, email)", 31, "field \"email\" is given twice");
    expect_error("ExactManyToMany(email, dob)", 24, "\"dob\" is of type date");
    expect_error("ExactManyToMany(dob, price)", 22, "takes a field of type date;");
    expect_error("Swapped(email)", 14, "expected \",\" and a second field");
    expect_error("Swapped(email, phone, notes)", 21, "expected \")\", found \",\"");
}

static void types_and_units_are_checked(void **state)
{
    (void)state;
    static const char *const on_text[] = {"Levenshtein", "Damerau", "Jaro",     "JaroWinkler",
                                          "Cosine",      "Jaccard", "LCS",      "Prefix",
                                          "Suffix",      "Soundex", "Metaphone"};
    static const char *const not_text[] = {"dob", "price", "place"};
    for (size_t i = 0; i < sizeof on_text / sizeof *on_text; i++) {
        for (size_t f = 0; f < 3; f++) {
            char text[64];
            snprintf(text, sizeof text, "%s(%s, 1)", on_text[i], not_text[f]);
            expect_error(text, (unsigned)strlen(on_text[i]) + 2,
                         " takes a field of type name, text, ");
        }
    }
    expect_error("Soundex(phone)", 9,
                 "Soundex takes a field of type name, text, email, postcode, id or address; "
                 "\"phone\" is of type phone");
    expect_error("SameYear(email)", 10, "SameYear takes a field of type date; \"email\"");
    expect_error("Within(email, 1 day)", 8, "Within takes a field of type date, number or geo");
    expect_error("Within(dob, 1)", 14,
                 "for a field of type date expected an amount such as 1 day, 2 weeks or 2 years, "
                 "found \")\" as the unit");
    expect_error("Within(dob, 1 month)", 15, "found \"month\" as the unit");
    expect_error("Within(dob, 1 %)", 15, "found \"%\" as the unit");
    expect_error("Within(price, 1 km)", 17, "such as 0.5 or 5 %, found \"km\"");
    expect_error("Within(place, 1)", 16, "such as 2 km or 50 m");
    expect_error("Within(place, 2 days)", 17, "found \"days\" as the unit");
    expect_error("Within(dob, 1.5 years)", 13, "expected a whole number of years");
    expect_error("Within(dob, 10001 years)", 13, "expected at most 10000 years");
    expect_error("Within(price, 101 %)", 15, "expected at most 100 %");
    expect_error("Within(place, 20101 km)", 15, "expected at most 20100 km");
    expect_error("Within(dob, days)", 13, "expected an amount such as 1 day");
    expect_error("Within(dob)", 11, "expected \",\" and an amount");
}

static void expect_suggestion(const char *written, const char *expected)
{
    static const char *const known[] = {"emails", "email", "e-mail", "dob", "date_of_birth", "id"};
    struct kin_suggestion best = {NULL, 0};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        kin_suggest(&best, kin_str_of(written), known[i]);
    if (expected ? !best.name || strcmp(best.name, expected) != 0 : best.name != NULL)
        fail_msg("%s: %s", written, best.name ? best.name : "nothing");
}

static void the_nearest_name_is_suggested(void **state)
{
    (void)state;
    expect_suggestion("email", "email");
    expect_suggestion("EMAIL", "email");
    expect_suggestion("emial", "email");
    expect_suggestion("emaills", "emails");
    expect_suggestion("eemail", "email");
    expect_suggestion("bod", NULL);
    expect_suggestion("dov", "dob");
    expect_suggestion("dbo", "dob");
    expect_suggestion("birth_date", NULL);
    expect_suggestion("dateofbirth", "date_of_birth");
    expect_suggestion("x", NULL);
    expect_suggestion("i", "id");
    expect_suggestion("", NULL);
}

static void limits_are_kept(void **state)
{
    (void)state;
    unsigned column;
    struct kin_err err;
    struct kin_arena arena = {0};
    struct text t = {.n = 0};
    for (unsigned i = 0; i < KIN_RULE_DEPTH_MAX; i++)
        put(&t, i % 2 ? "(" : "NOT ");
    put(&t, "Empty(dob)");
    for (unsigned i = 0; i < KIN_RULE_DEPTH_MAX / 2; i++)
        put(&t, ")");
    parsed(&arena, t.p);
    char deeper[sizeof t.p + 32];
    snprintf(deeper, sizeof deeper, "Empty(dob) OR (%s)", t.p);
    assert_int_equal(parse_wrong(deeper, &column, &err), KIN_E_LIMIT);
    assert_int_equal(column, strstr(deeper, "(Empty(dob))") - deeper + 1); /* the innermost */
    assert_non_null(strstr(err.msg, "32 deep"));

    t.n = 0; /* 18 bytes a pair: as many terms as fit */
    for (unsigned i = 0; i < 128; i++)
        put(&t, "NOT Empty(dob)OR ");
    t.n -= 3;
    t.p[t.n] = '\0';
    assert_true(t.n > KIN_RULE_TEXT_MAX);
    assert_int_equal(parse_wrong(t.p, &column, &err), KIN_E_LIMIT);
    assert_int_equal(column, KIN_RULE_TEXT_MAX + 1);
    assert_non_null(strstr(err.msg, "2048 bytes"));

    struct kin_field one = {.name = "f", .type = KIN_TYPE_TEXT};
    struct kin_schema small = {&one, 1};
    struct kin_condition *c = NULL;
    for (unsigned nots = 127; nots <= 128; nots++) {
        t.n = 0; /* 128 terms, so many NOTs, and the OR */
        for (unsigned i = 0; i < 128; i++) {
            put(&t, i < nots ? "NOT Empty(f)" : "Empty(f)");
            put(&t, i < 127 ? "OR " : "");
        }
        kin_status status =
            kin_condition_parse(&arena, &small, (struct kin_str){t.p, t.n}, &c, &column, &err);
        assert_int_equal(status, nots == 127 ? KIN_OK : KIN_E_LIMIT);
    }
    assert_non_null(strstr(err.msg, "256 terms and operators"));
    kin_arena_deinit(&arena);
}

static void a_long_name_is_cut_in_messages(void **state)
{
    (void)state;
    struct text t = {.n = 0};
    put(&t, "Exact(\"");
    for (unsigned i = 0; i < 300; i++)
        put(&t, "\xc3\xa9");
    put(&t, "\")");
    unsigned column;
    struct kin_err err;
    assert_int_equal(parse_wrong(t.p, &column, &err), KIN_E_SYNTAX);
    assert_int_equal(column, 7);
    assert_non_null(strstr(err.msg, "\xc3\xa9\"; the fields are"));
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    static const char text[] = "NOT (Exact(email) AND ExactManyToMany(email, phone)) OR Empty(dob)";
    bool done = false;
    unsigned failures = 0;
    for (size_t n = 0; !done; n++) {
        struct kin_arena arena = {0};
        struct kin_condition *c = NULL;
        unsigned column = 0;
        kin_alloc_fail_after(n);
        kin_status status =
            kin_condition_parse(&arena, &fixture_schema, kin_str_of(text), &c, &column, NULL);
        kin_alloc_fail_after(SIZE_MAX);
        done = status == KIN_OK;
        assert_true(done ? c != NULL : status == KIN_E_NOMEM && !c);
        failures += !done;
        kin_arena_deinit(&arena);
    }
    assert_true(failures > 0);
}

/* ---- the reference page ---- */

struct page {
    FILE *file;
    char block[32]; /* name of the fenced block, "" outside */
    char line[1024];
    unsigned blocks;
};

static struct page open_page(void)
{
    struct page p = {.file = fopen(KIN_SOURCE_DIR "/docs/rules.md", "r")};
    assert_non_null(p.file);
    return p;
}

/* Next line of a block of that name, without its end; false at the end of the page. */
static bool next_line(struct page *p, const char *block)
{
    while (fgets(p->line, sizeof p->line, p->file)) {
        p->line[strcspn(p->line, "\n")] = '\0';
        if (strncmp(p->line, "```", 3) == 0) {
            bool opens = p->block[0] == '\0';
            snprintf(p->block, sizeof p->block, "%s",
                     !opens       ? ""
                     : p->line[3] ? p->line + 3
                                  : "plain");
            p->blocks += opens && strcmp(p->block, block) == 0;
        } else if (strcmp(p->block, block) == 0) {
            return true;
        }
    }
    fclose(p->file);
    return false;
}

static void examples_of_the_reference_parse(void **state)
{
    (void)state;
    static const char *const blocks[] = {"rule", "rule-no-keys", "rule-pairs"};
    for (unsigned b = 0; b < 3; b++) {
        struct page p = open_page();
        unsigned lines = 0;
        while (next_line(&p, blocks[b])) {
            struct kin_arena arena = {0};
            parsed(&arena, p.line);
            kin_arena_deinit(&arena);
            lines++;
        }
        assert_true(lines >= (b ? 3 : 20));
    }
}

static void mistakes_of_the_reference_are_reported_so(void **state)
{
    (void)state;
    struct page p = open_page();
    char text[sizeof p.line];
    unsigned count = 0;
    while (next_line(&p, "rule-error")) {
        memcpy(text, p.line, sizeof text);
        assert_true(next_line(&p, "rule-error"));
        const char *caret = strchr(p.line, '^');
        assert_non_null(caret);
        expect_error(text, (unsigned)(caret - p.line) + 1, caret + 2);
        count++;
    }
    assert_true(count >= 8);
}

/* Every function of the language is in some example. */
static void every_term_has_an_example(void **state)
{
    (void)state;
    for (unsigned fn = 0; fn < KIN_TERM_COUNT; fn++) {
        struct page p = open_page();
        char call[32];
        snprintf(call, sizeof call, "%s(", kin_term_specs[fn].name);
        bool found = false;
        while (next_line(&p, "rule"))
            found = found || strstr(p.line, call);
        if (!found)
            fail_msg("docs/rules.md has no example of %s", kin_term_specs[fn].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_are_printed_in_canonical_form),
        cmocka_unit_test(not_binds_before_and_before_or),
        cmocka_unit_test(numbers_have_their_nearest_double),
        cmocka_unit_test(what_is_printed_parses_back_to_the_same),
        cmocka_unit_test(mistakes_have_their_column_and_a_reason),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(types_and_units_are_checked),
        cmocka_unit_test(the_nearest_name_is_suggested),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(a_long_name_is_cut_in_messages),
        cmocka_unit_test(running_out_of_memory_is_reported),
        cmocka_unit_test(examples_of_the_reference_parse),
        cmocka_unit_test(mistakes_of_the_reference_are_reported_so),
        cmocka_unit_test(every_term_has_an_example),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
