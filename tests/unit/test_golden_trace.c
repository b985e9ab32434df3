/* Where golden records come from: by hand, and random groups against the row and a plain list of
 * what every member holds. */
#include "tests/unit/golden_kit.h"

enum { SLOTS = FIELDS + 2, COLOUR = FIELDS, NOTE };

static const struct kin_golden_slot *trace(struct fixture *f, const struct row *rows, size_t count)
{
    struct kin_golden_member members[ROWS_MAX];
    struct kin_golden_slot *slots = NULL;
    size_t n = 0;
    members_of(rows, count, members);
    assert_int_equal(kin_golden_trace(f->plan, f->norm, &f->arena, members, count, &slots, &n),
                     KIN_OK);
    assert_int_equal(n, SLOTS);
    return slots;
}

/* "value <ab| c=lost d=lost": a and b give the value; ids as in members_of. */
static const char *told(struct fixture *f, const struct kin_golden_slot *s)
{
    struct kin_buf *out = &f->out;
    kin_buf_clear(out);
    kin_buf_put(out, s->value.p, s->value.n);
    kin_buf_puts(out, " <");
    for (size_t i = 0; i < s->member_count; i++)
        kin_buf_putc(out, (char)('a' + (char)s->members[i]));
    kin_buf_puts(out, "|");
    for (size_t i = 0; i < s->lost_count; i++) {
        kin_buf_putc(out, ' ');
        kin_buf_putc(out, (char)('a' + (char)s->lost[i].member));
        kin_buf_putc(out, '=');
        kin_buf_put(out, s->lost[i].value.p, s->lost[i].value.n);
    }
    kin_buf_putc(out, '\0');
    return (const char *)out->p;
}

static void columns_are_named_as_in_the_header(void **state)
{
    struct fixture *f = *state;
    const struct kin_golden_slot *s = trace(f, ROWS(CRM(0, cell(C_NAME, "Ann"))));
    struct kin_buf names = {0};
    for (size_t i = 0; i < SLOTS; i++) {
        kin_buf_putc(&names, ',');
        kin_csv_cell(&names, s[i].name);
    }
    kin_golden_header(f->plan, &f->out);
    assert_int_equal(names.n, f->out.n);
    assert_memory_equal(names.p, f->out.p, names.n);
    kin_buf_deinit(&names);
}

static void a_value_is_of_the_member_whose_spelling_is_shown(void **state)
{
    struct fixture *f = *state;
    all_slots(f, KIN_GOLDEN_MOST_FREQUENT);
    const struct kin_golden_slot *s =
        trace(f, ROWS(CRM(0, cell(C_NAME, "Bob")), CRM(0, cell(C_NAME, "ANN")),
                      CRM(0, cell(C_NAME, "Cid")), CRM(0, cell(C_NAME, "Ann")),
                      WEB(0, cell(C_FULL_NAME, "Ann"))));
    /* ANN is Ann in another spelling: it has not lost */
    assert_string_equal(told(f, &s[NAME]), "Ann <d| a=Bob c=Cid");
    assert_string_equal(told(f, &s[NOTE]), " <|");
    const struct row bobs[] = {CRM(0, cell(C_NAME, "bob")), CRM(0, cell(C_NAME, "Ann")),
                               CRM(0, cell(C_NAME, "Ann")), CRM(0, cell(C_NAME, "BOB"))};
    assert_string_equal(told(f, &trace(f, bobs, 4)[NAME]), "bob <a| b=Ann");
    all_slots(f, KIN_GOLDEN_ALL);
    assert_string_equal(told(f, &trace(f, bobs, 4)[NAME]), "bob; Ann <ab|");
}

static void a_lost_value_is_told_once_as_it_was_met_first(void **state)
{
    struct fixture *f = *state;
    all_slots(f, KIN_GOLDEN_MAX);
    const struct kin_golden_slot *s =
        trace(f, ROWS(CRM(0, cell(C_SCORE, "9"), cell(C_NOTE, "x")),
                      CRM(0, cell(C_SCORE, "7.0"), cell(C_NOTE, "b")),
                      CRM(0, cell(C_SCORE, "7"), cell(C_NOTE, "a")),
                      CRM(0, cell(C_SCORE, "10"), cell(C_NOTE, "b"))));
    assert_string_equal(told(f, &s[SCORE]), "10 <d| a=9 b=7.0");
    assert_string_equal(told(f, &s[NOTE]), "x <a| b=b c=a");
}

static void joined_values_name_every_member_that_gives_one(void **state)
{
    struct fixture *f = *state;
    const struct row rows[] = {
        CRM(0, cell(C_NAME, "Zoe"), cell(C_NOTE, "n")), CRM(0, cell(C_NAME, "ANN")),
        CRM(0, cell(C_NAME, "zoe"), cell(C_NOTE, "N")),
        CRM(0, cell(C_NAME, "Ann"), cell(C_NOTE, "n"), cell(C_MOBILE, "07700 900123"),
            cell(C_LANDLINE, "020 7946 0000")),
        CRM(0, cell(C_MOBILE, "+44 20 7946 0000"), cell(C_LANDLINE, "07700 900456"))};
    all_slots(f, KIN_GOLDEN_ALL);
    const struct kin_golden_slot *s = trace(f, rows, 5);
    assert_string_equal(told(f, &s[NAME]), "Zoe; ANN <ab|");
    assert_string_equal(told(f, &s[NOTE]), "n; N <ac|");
    assert_string_equal(told(f, &s[PHONE]), "07700 900123; 020 7946 0000; 07700 900456 <de|");
    all_slots(f, KIN_GOLDEN_FIRST);
    s = trace(f, rows, 5);
    /* a record gives all it has, and is named once */
    assert_string_equal(told(f, &s[PHONE]), "07700 900123; 020 7946 0000 <d| e=07700 900456");
}

static void what_does_not_parse_is_lost_too(void **state)
{
    struct fixture *f = *state;
    for (unsigned g = KIN_GOLDEN_MOST_COMPLETE; g <= KIN_GOLDEN_ALL; g++) {
        all_slots(f, (enum kin_golden)g);
        const struct kin_golden_slot *s =
            trace(f, ROWS(CRM(3, cell(C_DOB, "soon")), CRM(1, cell(C_DOB, "1970-09-14")),
                          CRM(2, cell(C_DOB, "-")), CRM(4, cell(C_DOB, "soon"))));
        assert_string_equal(told(f, &s[DOB]), "1970-09-14 <b| a=soon");
    }
    /* a text that is, byte by byte, what a number is stored as */
    static const char odd[] = "abcdefg@";
    char number[40];
    double stored;
    memcpy(&stored, odd, sizeof stored);
    snprintf(number, sizeof number, "%.17g", stored);
    const struct kin_golden_slot *s =
        trace(f, ROWS(CRM(0, cell(C_SCORE, number)), CRM(0, cell(C_SCORE, odd))));
    assert_int_equal(s[SCORE].lost_count, 1);
    assert_true(kin_str_eq(s[SCORE].lost[0].value, kin_str_of(odd)));
    assert_int_equal(s[SCORE].lost[0].member, 1);
}

static void what_is_shown_is_not_lost(void **state)
{
    struct fixture *f = *state;
    all_slots(f, KIN_GOLDEN_FIRST);
    const struct kin_golden_slot *s =
        trace(f, ROWS(CRM(0, cell(C_NOTE, "x"), cell(C_NOTE, "y")), CRM(0, cell(C_NOTE, "x; y")),
                      CRM(0, cell(C_NOTE, "y; x"))));
    assert_string_equal(told(f, &s[NOTE]), "x; y <a| c=y; x");
}

static void a_single_record_wins_over_nothing(void **state)
{
    struct fixture *f = *state;
    for (unsigned g = KIN_GOLDEN_MOST_COMPLETE; g <= KIN_GOLDEN_ALL; g++) {
        all_slots(f, (enum kin_golden)g);
        const struct kin_golden_slot *s =
            trace(f, ROWS(WEB(0, cell(C_FULL_NAME, "Ann"), cell(C_NAME, "not of this source"),
                              cell(C_LANDLINE, "020 1"), cell(C_MOBILE, "07700 900123"),
                              cell(C_DOB, "-"), cell(C_NOTE, "  "))));
        assert_string_equal(told(f, &s[NAME]), "Ann <a|");
        assert_string_equal(told(f, &s[PHONE]), "020 1; 07700 900123 <a|");
        assert_string_equal(told(f, &s[DOB]), "- <a|");
        assert_string_equal(told(f, &s[NOTE]), " <|");
    }
}

static void of_many_lost_values_the_first_are_told(void **state)
{
    struct fixture *f = *state;
    char texts[ROWS_MAX][2][8];
    struct row rows[ROWS_MAX] = {{0}};
    for (unsigned i = 0; i < ROWS_MAX; i++) {
        for (unsigned c = 0; c < 2; c++) {
            /* descending, so that neither the texts' order nor the keys' is the records' */
            snprintf(texts[i][c], sizeof texts[i][c], "%02u%c", 99 - i, c ? 'a' : 'b');
            rows[i].cells[c] = cell(C_NOTE, texts[i][c]);
        }
    }
    all_slots(f, KIN_GOLDEN_FIRST);
    const struct kin_golden_slot *s = trace(f, rows, ROWS_MAX) + NOTE;
    assert_int_equal(s->member_count, 1);
    assert_int_equal(s->lost_count, KIN_GOLDEN_LOST_MAX);
    for (unsigned i = 0; i < KIN_GOLDEN_LOST_MAX; i++) {
        assert_int_equal(s->lost[i].member, 1 + i / 2);
        assert_true(kin_str_eq(s->lost[i].value, kin_str_of(texts[1 + i / 2][i % 2])));
    }
    s = trace(f, rows, 17) + NOTE; /* just as many */
    assert_int_equal(s->lost_count, KIN_GOLDEN_LOST_MAX);
    s = trace(f, rows, 16) + NOTE;
    assert_int_equal(s->lost_count, KIN_GOLDEN_LOST_MAX - 2);
}

/* ---- random groups ---- */

struct sample {
    unsigned column;
    const char *text;
    int value; /* within the slot: the same number, the same value; 0: it is a way of writing none
                */
    bool invalid;
};
static const struct sample samples[] = {
    {C_NAME, "Ann", 1, false},
    {C_NAME, "ANN", 1, false},
    {C_NAME, " ann ", 1, false},
    {C_NAME, "Bob", 2, false},
    {C_NAME, "bob", 2, false},
    {C_NAME, "Zo\xc3\xab", 3, false},
    {C_NAME, " \t", 0, false},
    {C_DOB, "1990-01-02", 1, false},
    {C_DOB, "19900102", 1, false},
    {C_DOB, "1954-03-30", 2, false},
    {C_DOB, "soon", 3, true},
    {C_DOB, "1990-99-99", 4, true},
    {C_DOB, "-", 0, false},
    {C_MOBILE, "07700 900123", 1, false},
    {C_MOBILE, "+44 7700 900123", 1, false},
    {C_MOBILE, "020 7946 0000", 2, false},
    {C_LANDLINE, "020 79460000", 2, false},
    {C_LANDLINE, "07700900123", 1, false},
    {C_LANDLINE, "07700 900456", 3, false},
    {C_SCORE, "10", 1, false},
    {C_SCORE, "10.0", 1, false},
    {C_SCORE, "9.5", 2, false},
    {C_SCORE, "-2", 3, false},
    {C_SCORE, "many", 4, true},
    {C_NOTE, "n", 1, false},
    {C_NOTE, "N", 2, false},
    {C_NOTE, "n; N", 3, false},
    {C_NOTE, "n", 1, false},
    {C_COLOUR, "red", 1, false},
    {C_COLOUR, "blue", 2, false},
};
enum { SAMPLES = sizeof samples / sizeof *samples, HELD_MAX = ROWS_MAX * CELLS_MAX };

static const int slot_of[COLUMNS] = {
    [C_NAME] = NAME, [C_DOB] = DOB,   [C_MOBILE] = PHONE,  [C_LANDLINE] = PHONE, [C_SCORE] = SCORE,
    [C_ID] = -1,     [C_NOTE] = NOTE, [C_COLOUR] = COLOUR, [C_FULL_NAME] = NAME};

/* What the members hold in a slot, in order. */
struct held {
    const struct sample *sample;
    uint32_t member;
};
struct crowd {
    struct row rows[ROWS_MAX];
    size_t count;
    struct held held[SLOTS][HELD_MAX];
    size_t held_count[SLOTS];
};

static void draw_crowd(struct crowd *c, uint64_t *rng)
{
    memset(c, 0, sizeof *c);
    c->count = 1 + draw(rng, draw(rng, 8) ? 6 : ROWS_MAX);
    size_t of_crm = draw(rng, (uint32_t)c->count + 1);
    for (size_t m = 0; m < c->count; m++) {
        struct row *row = &c->rows[m];
        size_t cells = draw(rng, CELLS_MAX + 1);
        row->source = m >= of_crm;
        row->updated = draw(rng, 4) ? (int64_t)draw(rng, 4) : INT64_MIN;
        for (size_t i = 0; i < cells; i++) {
            const struct sample *s = &samples[draw(rng, SAMPLES)];
            int slot = slot_of[s->column];
            unsigned column = s->column == C_NAME && row->source ? C_FULL_NAME : s->column;
            row->cells[i] = cell(column, s->text);
            c->held[slot][c->held_count[slot]++] = (struct held){s, (uint32_t)m};
        }
    }
}

static bool is_blank(const char *text)
{
    return strspn(text, " \t") == strlen(text);
}

/* The values that count: those that parse, or all if none does. */
static size_t pool_of(const struct crowd *c, int slot, struct held *pool)
{
    size_t valid = 0, n = 0;
    for (size_t i = 0; i < c->held_count[slot]; i++)
        valid += c->held[slot][i].sample->value && !c->held[slot][i].sample->invalid;
    for (size_t i = 0; i < c->held_count[slot]; i++) {
        const struct sample *s = c->held[slot][i].sample;
        if (c->count == 1 ? !is_blank(s->text) : s->value && (!valid || !s->invalid))
            pool[n++] = c->held[slot][i];
    }
    return n;
}

static bool has_value(const struct held *held, size_t n, int value)
{
    for (size_t i = 0; i < n; i++) {
        if (held[i].sample->value == value)
            return true;
    }
    return false;
}

/* Its member has the same value before, in a spelling that has the vote. */
static bool spelt_before(const struct held *pool, size_t at)
{
    for (size_t i = at; i > 0 && pool[i - 1].member == pool[at].member; i--) {
        if (pool[i - 1].sample->value == pool[at].sample->value)
            return true;
    }
    return false;
}

/* Takes from the pool what the trace says is shown: by its members, and for a single value by its
 * text. */
static size_t shown_of(const struct held *pool, size_t n, enum kin_golden strategy, bool alone,
                       const struct kin_golden_slot *s, struct held *shown)
{
    bool record = strategy == KIN_GOLDEN_FIRST || strategy == KIN_GOLDEN_MOST_RECENT ||
                  strategy == KIN_GOLDEN_MOST_COMPLETE || alone;
    size_t count = 0;
    if (n)
        assert_true(s->member_count > 0);
    for (size_t i = 0; i < n; i++) {
        bool take = count == 0 && kin_str_eq(s->value, kin_str_of(pool[i].sample->text));
        if (record)
            take = pool[i].member == s->members[0];
        else if (strategy == KIN_GOLDEN_ALL)
            take = !has_value(shown, count, pool[i].sample->value);
        else if (strategy == KIN_GOLDEN_MOST_FREQUENT)
            take = take && !spelt_before(pool, i);
        if (take)
            shown[count++] = pool[i];
    }
    return count;
}

static void check_shown(const struct held *shown, size_t n, const struct kin_golden_slot *s)
{
    char text[HELD_MAX * 20] = "";
    size_t at = 0, members = 0;
    for (size_t i = 0; i < n; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? "; " : "",
                               shown[i].sample->text);
        if (i > 0 && shown[i].member == shown[i - 1].member)
            continue;
        assert_true(members < s->member_count);
        assert_int_equal(s->members[members++], shown[i].member);
    }
    assert_int_equal(s->member_count, members);
    assert_true(kin_str_eq(s->value, kin_str_of(text)));
}

static void check_lost(const struct crowd *c, int slot, const struct held *shown,
                       size_t shown_count, const struct kin_golden_slot *s)
{
    struct held lost[HELD_MAX];
    size_t n = 0;
    for (size_t i = 0; i < c->held_count[slot] && c->count > 1; i++) {
        const struct held *h = &c->held[slot][i];
        struct kin_str text = kin_str_of(h->sample->text);
        if (h->sample->value && !kin_str_eq(text, s->value) &&
            !has_value(shown, shown_count, h->sample->value) &&
            !has_value(lost, n, h->sample->value)) {
            assert_true(n < s->lost_count);
            assert_int_equal(s->lost[n].member, h->member);
            assert_true(kin_str_eq(s->lost[n].value, text));
            lost[n++] = *h;
        }
    }
    assert_int_equal(s->lost_count, n); /* the samples have fewer than are told at most */
}

static void check_row(struct fixture *f, const struct crowd *c, const struct kin_golden_slot *s)
{
    struct kin_buf row = {0};
    for (size_t slot = 0; slot < SLOTS; slot++) {
        kin_buf_putc(&row, ',');
        kin_csv_cell(&row, s[slot].value);
    }
    kin_buf_putc(&row, '\0');
    assert_string_equal((const char *)row.p, golden(f, c->rows, c->count));
    kin_buf_deinit(&row);
}

static void random_groups_show_the_row_and_tell_all_of_it(void **state)
{
    struct fixture *f = *state;
    struct crowd *c = malloc(sizeof *c);
    uint64_t rng = 11;
    assert_non_null(c);
    for (unsigned round = 0; round < 9000; round++) {
        draw_crowd(c, &rng);
        all_slots(f, (enum kin_golden)(round % (KIN_GOLDEN_ALL + 1)));
        if (draw(&rng, 4) == 0) {
            for (unsigned i = 0; i < FIELDS; i++)
                f->golden[i] = (enum kin_golden)draw(&rng, KIN_GOLDEN_ALL + 1);
        }
        const struct kin_golden_slot *s = trace(f, c->rows, c->count);
        check_row(f, c, s);
        for (int slot = 0; slot < SLOTS; slot++) {
            struct held pool[HELD_MAX], shown[HELD_MAX];
            enum kin_golden strategy = slot < FIELDS ? f->golden[slot] : f->workflow.golden_default;
            size_t n = pool_of(c, slot, pool);
            n = shown_of(pool, n, strategy, c->count == 1, &s[slot], shown);
            check_shown(shown, n, &s[slot]);
            check_lost(c, slot, shown, n, &s[slot]);
        }
        kin_arena_deinit(&f->arena);
    }
    free(c);
}

static void every_failed_allocation_is_reported(void **state)
{
    struct fixture *f = *state;
    const struct kin_golden_cell cells[] = {cell(C_NAME, "Ann"), cell(C_DOB, "1990-01-02"),
                                            cell(C_MOBILE, "07700 900123"),
                                            cell(C_LANDLINE, "020 7946 0000")};
    const struct kin_golden_cell others[] = {cell(C_NAME, "Bob"), cell(C_DOB, "1990-01-03")};
    const struct kin_golden_member members[] = {
        {.source = 0, .id = KIN_STR("a"), .cells = cells, .count = 4},
        {.source = 0, .id = KIN_STR("b"), .cells = others, .count = 2}};
    all_slots(f, KIN_GOLDEN_MOST_COMPLETE);
    bool done = false;
    for (size_t n = 0; !done; n++) {
        assert_true(n < 200);
        struct kin_arena arena = {0};
        struct kin_golden_slot *slots = NULL;
        size_t count = 0;
        kin_alloc_fail_after(n);
        kin_status status = kin_golden_trace(f->plan, f->norm, &arena, members, 2, &slots, &count);
        kin_alloc_fail_after(SIZE_MAX);
        done = status == KIN_OK;
        assert_true(done || (status == KIN_E_NOMEM && !slots && !count));
        kin_arena_deinit(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(columns_are_named_as_in_the_header),
        TEST(a_value_is_of_the_member_whose_spelling_is_shown),
        TEST(a_lost_value_is_told_once_as_it_was_met_first),
        TEST(joined_values_name_every_member_that_gives_one),
        TEST(what_does_not_parse_is_lost_too),
        TEST(what_is_shown_is_not_lost),
        TEST(a_single_record_wins_over_nothing),
        TEST(of_many_lost_values_the_first_are_told),
        TEST(random_groups_show_the_row_and_tell_all_of_it),
        TEST(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
