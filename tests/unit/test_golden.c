/* Survivorship: each strategy by hand, and random groups against plain counting. */
#include "tests/unit/golden_kit.h"

static void the_header_has_fields_then_carried_columns_by_name(void **state)
{
    struct fixture *f = *state;
    kin_golden_header(f->plan, &f->out);
    kin_buf_putc(&f->out, '\0');
    assert_string_equal((const char *)f->out.p, ",name,dob,phone,score,colour,note");
}

static void a_carried_column_never_repeats_a_name(void **state)
{
    struct fixture *f = *state;
    /* no source fills phone from a column of that name */
    const struct kin_str columns[] = {KIN_STR("size"), KIN_STR("a,b"), KIN_STR("phone_2"),
                                      KIN_STR("phone"), KIN_STR("name")};
    struct kin_golden_plan *plan = NULL;
    f->fields[SCORE].name = "size_2";
    assert_int_equal(kin_golden_plan_new(&f->workflow, columns, 5, &plan), KIN_OK);
    kin_golden_header(plan, &f->out);
    kin_buf_putc(&f->out, '\0');
    assert_string_equal((const char *)f->out.p,
                        ",name,dob,phone,size_2,\"a,b\",phone_2,phone_2_2,size_3");
    kin_golden_plan_free(plan);
}

static void a_single_record_is_shown_as_it_is(void **state)
{
    struct fixture *f = *state;
    for (unsigned s = KIN_GOLDEN_MOST_COMPLETE; s <= KIN_GOLDEN_ALL; s++) {
        all_slots(f, (enum kin_golden)s);
        assert_string_equal(
            golden(f, ROWS(WEB(0, cell(C_FULL_NAME, "  ann LEE"), cell(C_DOB, "no date"),
                               cell(C_LANDLINE, "020 1"), cell(C_MOBILE, "07700 900123"),
                               cell(C_NOTE, "x, \"y\"")))),
            ",\"  ann LEE\",no date,020 1; 07700 900123,,,\"x, \"\"y\"\"\"");
    }
}

static void columns_count_only_where_the_source_maps_them(void **state)
{
    struct fixture *f = *state;
    all_slots(f, KIN_GOLDEN_ALL);
    /* `name` fills nothing in web, and is not carried because it is a field's column in crm */
    assert_string_equal(golden(f, ROWS(CRM(0, cell(C_NAME, "Ann"), cell(C_ID, "7")),
                                       WEB(0, cell(C_NAME, "Bob"), cell(C_FULL_NAME, "Cid")))),
                        ",Ann; Cid,,,,,");
}

static void most_frequent_counts_normalised_values(void **state)
{
    struct fixture *f = *state;
    all_slots(f, KIN_GOLDEN_MOST_FREQUENT);
    /* "ann" has three votes in two spellings, one of them twice */
    assert_string_equal(golden(f, ROWS(CRM(0, cell(C_NAME, "Bob")), CRM(0, cell(C_NAME, "ANN")),
                                       CRM(0, cell(C_NAME, "Bob")), CRM(0, cell(C_NAME, "Ann")),
                                       CRM(0, cell(C_NAME, "Ann")))),
                        ",Ann,,,,,");
    /* a tie goes to the value of the smallest (source, id), and so does a tie of spellings */
    assert_string_equal(golden(f, ROWS(CRM(0, cell(C_NAME, "bob")), CRM(0, cell(C_NAME, "Ann")),
                                       CRM(0, cell(C_NAME, "Ann")), CRM(0, cell(C_NAME, "BOB")))),
                        ",bob,,,,,");
}

static void most_frequent_gives_a_record_one_vote_a_value(void **state)
{
    struct fixture *f = *state;
    all_slots(f, KIN_GOLDEN_MOST_FREQUENT);
    assert_string_equal(
        golden(f, ROWS(CRM(0, cell(C_MOBILE, "07700 900123"), cell(C_LANDLINE, "07700900123")),
                       CRM(0, cell(C_MOBILE, "07700 900456")),
                       CRM(0, cell(C_MOBILE, "+44 7700 900456")))),
        ",,,07700 900456,,,");
}

static void most_complete_takes_a_record_and_fills_its_gaps(void **state)
{
    struct fixture *f = *state;
    all_slots(f, KIN_GOLDEN_MOST_COMPLETE);
    assert_string_equal(
        golden(f, ROWS(CRM(0, cell(C_NAME, "Ann"), cell(C_SCORE, "1"), cell(C_NOTE, "first"),
                           cell(C_COLOUR, "red")),
                       CRM(0, cell(C_NAME, "Anna"), cell(C_MOBILE, "07700 900123"),
                           cell(C_LANDLINE, "020 7946 0000"), cell(C_NOTE, "second")),
                       CRM(0, cell(C_DOB, "1990-01-02"), cell(C_SCORE, "2")))),
        ",Anna,1990-01-02,07700 900123; 020 7946 0000,1,red,second");
    /* what does not parse fills nothing: the second record has more */
    assert_string_equal(
        golden(f, ROWS(CRM(0, cell(C_NAME, "A"), cell(C_DOB, "soon"), cell(C_SCORE, "many")),
                       CRM(0, cell(C_NAME, "B"), cell(C_SCORE, "3")))),
        ",B,soon,,3,,");
}

static void most_recent_goes_by_the_stamp(void **state)
{
    struct fixture *f = *state;
    all_slots(f, KIN_GOLDEN_MOST_RECENT);
    assert_string_equal(
        golden(f, ROWS(CRM(INT64_MIN, cell(C_NAME, "A"), cell(C_COLOUR, "red")),
                       CRM(-5, cell(C_NAME, "B"), cell(C_NOTE, "b")), CRM(7, cell(C_NAME, "C")),
                       CRM(7, cell(C_NAME, "D"), cell(C_NOTE, "d")))),
        ",C,,,,red,d");
}

static void longest_and_shortest_count_code_points(void **state)
{
    struct fixture *f = *state;
    const struct row rows[] = {CRM(0, cell(C_NAME, "  Al  ")), CRM(0, cell(C_NAME, "Zo\xc3\xab")),
                               CRM(0, cell(C_NAME, "Anna")), CRM(0, cell(C_NAME, "Jo"))};
    all_slots(f, KIN_GOLDEN_LONGEST);
    assert_string_equal(golden(f, rows, 4), ",Anna,,,,,");
    assert_string_equal(golden(f, rows, 2), ",Zo\xc3\xab,,,,,");
    all_slots(f, KIN_GOLDEN_SHORTEST);
    assert_string_equal(golden(f, rows, 4), ",\"  Al  \",,,,,");
}

static void first_is_the_smallest_identity_that_has_one(void **state)
{
    struct fixture *f = *state;
    all_slots(f, KIN_GOLDEN_FIRST);
    assert_string_equal(
        golden(f, ROWS(CRM(0, cell(C_NAME, "A")),
                       CRM(0, cell(C_NAME, "B"), cell(C_NOTE, " "), cell(C_COLOUR, "red")),
                       WEB(9, cell(C_NOTE, "n")))),
        ",A,,,,red,n");
}

static void min_and_max_order_dates_and_numbers_by_value(void **state)
{
    struct fixture *f = *state;
    const struct row rows[] = {
        CRM(0, cell(C_DOB, "1990-01-02"), cell(C_SCORE, "10"), cell(C_NOTE, "10")),
        CRM(0, cell(C_DOB, "19540330"), cell(C_SCORE, "9.5"), cell(C_NOTE, "9.5")),
        CRM(0, cell(C_DOB, "0000-99-99"), cell(C_SCORE, "-2"), cell(C_NAME, "b")),
        CRM(0, cell(C_SCORE, "1e3 or so"), cell(C_NAME, "A"))};
    all_slots(f, KIN_GOLDEN_MIN);
    assert_string_equal(golden(f, rows, 4), ",A,19540330,,-2,,10");
    all_slots(f, KIN_GOLDEN_MAX);
    assert_string_equal(golden(f, rows, 4), ",b,1990-01-02,,10,,9.5");
    assert_string_equal(golden(f, ROWS(CRM(0, cell(C_SCORE, "2.1"), cell(C_DOB, "xaab")),
                                       CRM(0, cell(C_SCORE, "1000.7"), cell(C_DOB, "aaax")),
                                       CRM(0, cell(C_SCORE, "-3"), cell(C_DOB, "late")))),
                        ",,xaab,,1000.7,,");
    assert_string_equal(
        golden(f, ROWS(CRM(0, cell(C_DOB, "1970-09-14")), CRM(0, cell(C_DOB, "1970-01-03")))),
        ",,1970-09-14,,,,");
}

static void all_joins_distinct_values_in_order(void **state)
{
    struct fixture *f = *state;
    all_slots(f, KIN_GOLDEN_ALL);
    assert_string_equal(
        golden(f, ROWS(CRM(0, cell(C_NAME, "Zoe"), cell(C_NOTE, "n")), CRM(0, cell(C_NAME, "ANN")),
                       CRM(0, cell(C_NAME, "zoe"), cell(C_NOTE, "N")),
                       CRM(0, cell(C_NAME, "Ann"), cell(C_NOTE, "n")))),
        ",Zoe; ANN,,,,,n; N");
}

static void what_does_not_parse_survives_only_alone(void **state)
{
    struct fixture *f = *state;
    for (unsigned s = KIN_GOLDEN_MOST_COMPLETE; s <= KIN_GOLDEN_ALL; s++) {
        all_slots(f, (enum kin_golden)s);
        assert_string_equal(
            golden(f, ROWS(CRM(3, cell(C_DOB, "1990-99-99 or earlier")),
                           CRM(1, cell(C_DOB, "1990-01-02")), CRM(2, cell(C_DOB, "x")))),
            ",,1990-01-02,,,,");
        assert_string_equal(golden(f, ROWS(CRM(3, cell(C_DOB, "soon")), CRM(1, cell(C_NAME, "B")))),
                            ",B,soon,,,,");
    }
}

/* ---- against plain counting ---- */

/* A name of three letters out of a, b; two names are the same value whatever their case. */
static bool same_value(const char *a, const char *b)
{
    for (; *a; a++, b++) {
        if ((*a | 0x20) != (*b | 0x20))
            return false;
    }
    return true;
}

static const char *plain_most_frequent(char (*names)[4], size_t n)
{
    size_t best = 0, best_votes = 0, best_spelt = 0;
    for (size_t i = 0; i < n; i++) {
        size_t votes = 0;
        for (size_t j = 0; j < n; j++)
            votes += same_value(names[i], names[j]);
        if (votes > best_votes) {
            best = i;
            best_votes = votes;
        }
    }
    size_t spelling = best;
    for (size_t i = 0; i < n; i++) {
        size_t spelt = 0;
        for (size_t j = 0; j < n; j++)
            spelt += strcmp(names[i], names[j]) == 0;
        if (same_value(names[i], names[best]) && spelt > best_spelt) {
            spelling = i;
            best_spelt = spelt;
        }
    }
    return names[spelling];
}

static void random_groups_agree_with_plain_counting(void **state)
{
    struct fixture *f = *state;
    uint64_t rng = 7;
    for (unsigned round = 0; round < 2000; round++) {
        char names[26][4] = {{0}}, want[200] = ",";
        struct row rows[26] = {{0}};
        size_t n = 2 + draw(&rng, 25);
        for (size_t i = 0; i < n; i++) {
            for (unsigned c = 0; c < 3; c++)
                names[i][c] = "abAB"[draw(&rng, c ? 4 : 2)];
            rows[i].cells[0] = cell(C_NAME, names[i]);
        }
        all_slots(f, KIN_GOLDEN_MOST_FREQUENT);
        snprintf(want, sizeof want, ",%s,,,,,", plain_most_frequent(names, n));
        assert_string_equal(golden(f, rows, n), want);

        all_slots(f, KIN_GOLDEN_ALL);
        size_t at = 0;
        for (size_t i = 0; i < n; i++) {
            bool seen = false;
            for (size_t j = 0; j < i; j++)
                seen |= same_value(names[j], names[i]);
            if (!seen)
                at += (size_t)snprintf(want + at, sizeof want - at, "%s%s", at ? "; " : ",",
                                       names[i]);
        }
        snprintf(want + at, sizeof want - at, ",,,,,");
        assert_string_equal(golden(f, rows, n), want);
        kin_arena_deinit(&f->arena);
    }
}

static void every_failed_allocation_is_reported(void **state)
{
    struct fixture *f = *state;
    const struct kin_golden_cell cells[] = {cell(C_NAME, "Ann"), cell(C_DOB, "1990-01-02"),
                                            cell(C_MOBILE, "07700 900123"),
                                            cell(C_LANDLINE, "020 7946 0000")};
    const struct kin_golden_member members[] = {
        {.source = 0, .id = KIN_STR("a"), .cells = cells, .count = 4},
        {.source = 0, .id = KIN_STR("b"), .cells = cells, .count = 2}};
    all_slots(f, KIN_GOLDEN_MOST_COMPLETE);
    bool done = false;
    for (size_t n = 0; !done; n++) {
        assert_true(n < 200);
        struct kin_golden_plan *plan = NULL;
        struct kin_arena arena = {0};
        struct kin_buf out = {0};
        kin_alloc_fail_after(n);
        kin_status status = kin_golden_plan_new(&f->workflow, column_names, COLUMNS, &plan);
        if (status == KIN_OK)
            status = kin_golden_row(plan, f->norm, &arena, members, 2, &out);
        kin_alloc_fail_after(SIZE_MAX);
        done = status == KIN_OK;
        assert_true(done || status == KIN_E_NOMEM);
        kin_golden_plan_free(plan);
        kin_arena_deinit(&arena);
        kin_buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_header_has_fields_then_carried_columns_by_name),
        TEST(a_carried_column_never_repeats_a_name),
        TEST(a_single_record_is_shown_as_it_is),
        TEST(columns_count_only_where_the_source_maps_them),
        TEST(most_frequent_counts_normalised_values),
        TEST(most_frequent_gives_a_record_one_vote_a_value),
        TEST(most_complete_takes_a_record_and_fills_its_gaps),
        TEST(most_recent_goes_by_the_stamp),
        TEST(longest_and_shortest_count_code_points),
        TEST(first_is_the_smallest_identity_that_has_one),
        TEST(min_and_max_order_dates_and_numbers_by_value),
        TEST(all_joins_distinct_values_in_order),
        TEST(what_does_not_parse_survives_only_alone),
        TEST(random_groups_agree_with_plain_counting),
        TEST(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
