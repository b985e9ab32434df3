/* Which MatchId stays with whom, and what the change feed says of it: the sentences of
 * docs/match-ids.md one by one. Groups before are written "A1:abc": id A, born in
 * batch 1, of records a, b and c; "A1x:bc" was founded by x. Groups after are their records; one
 * that is new has its smallest record for an id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/registry_kit.h"

enum { LETTERS = 26, GROUPS = 26 };

struct situation {
    uint32_t before[LETTERS], after[LETTERS], founder[GROUPS];
    uint64_t born[GROUPS];
    bool untold[GROUPS];
    struct registry_id before_ids[GROUPS], after_ids[GROUPS];
    char letters[LETTERS]; /* of the records */
    char smallest[GROUPS];
    struct registry_change change;
};

static struct registry_id id_of(char letter)
{
    struct registry_id id;
    memset(id.bytes, letter, sizeof id.bytes);
    return id;
}

static void name_record(void *arg, size_t index, struct kin_str *source, struct kin_str *id)
{
    const struct situation *s = arg;
    *source = KIN_STR("crm");
    *id = (struct kin_str){&s->letters[index], 1};
}

static void read_before(struct situation *s, const char *p, uint32_t group_of[LETTERS])
{
    size_t n = 0;
    char founder[GROUPS];
    for (; *p; n++) {
        assert_true(n < GROUPS);
        s->before_ids[n] = id_of(*p++);
        s->born[n] = (uint64_t)(*p++ - '0');
        founder[n] = *p != ':' && *p != '!' ? *p++ : '\0';
        s->untold[n] = *p == '!';
        p += s->untold[n];
        assert_int_equal(*p++, ':');
        if (!founder[n])
            founder[n] = *p;
        for (; *p && *p != ' '; p++)
            group_of[*p - 'a'] = (uint32_t)n;
        p += *p == ' ';
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++)
            s->founder[i] += founder[k] < founder[i];
    }
    s->change.before_count = n;
}

static void read_after(struct situation *s, const char *p, uint32_t group_of[LETTERS])
{
    uint32_t n = 0;
    for (; *p; n++) {
        s->smallest[n] = *p;
        for (; *p && *p != ' '; p++)
            group_of[*p - 'a'] = n;
        p += *p == ' ';
    }
    s->change.after_count = n;
}

static void describe(struct situation *s, const char *before, const char *after)
{
    uint32_t was[LETTERS], is[LETTERS];
    memset(s, 0, sizeof *s);
    memset(was, 0xff, sizeof was);
    memset(is, 0xff, sizeof is);
    read_before(s, before, was);
    read_after(s, after, is);
    size_t n = 0;
    for (size_t i = 0; i < LETTERS; i++) {
        if (was[i] == REGISTRY_NONE && is[i] == REGISTRY_NONE)
            continue;
        s->letters[n] = (char)('a' + i);
        s->before[n] = was[i];
        s->after[n++] = is[i];
    }
    s->change.records = n;
    s->change.before = s->before;
    s->change.after = s->after;
    s->change.born = s->born;
    s->change.founder = s->founder;
    s->change.untold = s->untold;
}

static kin_status run(struct situation *s, struct kin_arena *arena, struct registry_verdict *v,
                      struct registry_event **events, size_t *count)
{
    kin_status status = registry_assign(arena, &s->change, v);
    if (status)
        return status;
    for (size_t i = 0; i < s->change.after_count; i++)
        s->after_ids[i] =
            v->keeps[i] == REGISTRY_NONE ? id_of(s->smallest[i]) : s->before_ids[v->keeps[i]];
    struct registry_names names = {s->before_ids, s->after_ids, name_record, s};
    return registry_events(arena, &s->change, v, &names, 7, 100, events, count);
}

/* The ids of the groups after, in their order, and the events. */
static void check(const char *before, const char *after, const char *ids, const char *expected)
{
    struct situation s;
    struct kin_arena arena = {0};
    struct kin_buf out = {0};
    struct registry_verdict v;
    struct registry_event *events;
    size_t count;
    describe(&s, before, after);
    assert_int_equal(run(&s, &arena, &v, &events, &count), KIN_OK);
    for (size_t i = 0; i < s.change.after_count; i++) {
        kin_buf_putc(&out, (char)s.after_ids[i].bytes[0]);
        assert_int_equal(s.letters[v.smallest[i]], s.smallest[i]);
    }
    kin_buf_putc(&out, '\0');
    assert_string_equal((const char *)out.p, ids);
    kin_buf_clear(&out);
    for (size_t i = 0; i < count; i++)
        kit_event(&out, &events[i], 100 + i, 7);
    kin_buf_putc(&out, '\0');
    assert_string_equal((const char *)out.p, expected);
    kin_buf_deinit(&out);
    kin_arena_deinit(&arena);
}

/* ---- the rules ---- */

static void test_new_groups_get_ids_of_their_founders(void **state)
{
    (void)state;
    check("", "abc d", "ad", "created a a,b,c\ncreated d d\n");
    check("", "b ac", "ba", "created a a,c\ncreated b b\n"); /* told by smallest records */
}

static void test_a_record_that_joins_inherits_the_id(void **state)
{
    (void)state;
    check("B1:bc", "bcd", "B", "joined B d\n");
    check("B1:bc", "abc", "B", "joined B a\n"); /* also where it is smaller than the founder */
}

static void test_what_does_not_change_is_not_told(void **state)
{
    (void)state;
    check("A1:ab C2:c", "ab c", "AC", "");
    check("", "", "", "");
    check("A1:ab C2:c", "ab cd", "AC", "joined C d\n");
}

static void test_the_oldest_id_survives_a_merge(void **state)
{
    (void)state;
    check("A2:abc B1:d", "abcd", "B", "joined B a,b,c\nmerged B from A\nretired A alias B\n");
    check("A3:a B2:b C1:c", "abc", "C",
          "joined C a,b\nmerged C from A,B\nretired A alias C\nretired B alias C\n");
    check("A1:a B1:b", "abx", "A", "joined A b,x\nmerged A from B\nretired B alias A\n");
}

static void test_of_equal_age_the_smaller_founder_wins_a_merge(void **state)
{
    (void)state;
    check("A1:a B1:b", "ab", "A", "joined A b\nmerged A from B\nretired B alias A\n");
    /* the founder counts, not who is in the group by now */
    check("A1z:a B1x:b", "ab", "B", "joined B a\nmerged B from A\nretired A alias B\n");
    /* one founder twice, in two generations: the elder; where even that is equal, by members */
    check("A2x:a B1x:b", "ab", "B", "joined B a\nmerged B from A\nretired A alias B\n");
    check("B1x:b A1x:a", "ab", "A", "joined A b\nmerged A from B\nretired B alias A\n");
}

static void test_the_largest_part_keeps_the_id_in_a_split(void **state)
{
    (void)state;
    check("A1:abc", "a bc", "aA", "created a a from A\nleft A a\nsplit A into a\n");
    check("A1:abcdef", "ab cde f", "aAf",
          "created a a,b from A\nleft A a,b,f\nsplit A into a,f\ncreated f f from A\n");
    /* what counts is how many of its members, not how many records */
    check("A1:abc", "axyz bc", "aA", "created a a,x,y,z from A\nleft A a\nsplit A into a\n");
}

static void test_of_equal_parts_the_one_with_the_smallest_record_keeps_the_id(void **state)
{
    (void)state;
    check("B1:bcde", "de bc", "dB", "left B d,e\nsplit B into d\ncreated d d,e from B\n");
    /* the smallest of its own members: that a is in the other part does not matter */
    check("B1:bc", "ac b", "aB", "created a a,c from B\nleft B c\nsplit B into a\n");
}

static void test_a_group_that_comes_from_several_names_the_one_with_most(void **state)
{
    (void)state;
    check("A1:abcde F1:fghi", "abc dei fgh", "AdF",
          "left A d,e\nsplit A into d\ncreated d d,e,i from A\nleft F i\nsplit F into d\n");
    /* of equal ones the smaller founder */
    check("A1z:abc F1y:fgh", "ab ch fg", "AcF",
          "left A c\nsplit A into c\ncreated c c,h from F\nleft F h\nsplit F into c\n");
}

static void test_members_may_move_to_a_group_that_is_there(void **state)
{
    (void)state;
    check("A1:abc D1:d", "ab cd", "AD", "left A c\nsplit A into D\njoined D c\n");
}

static void test_an_id_whose_members_are_all_deleted_is_gone(void **state)
{
    (void)state;
    check("A1:ab", "", "", "left A a,b\nretired A gone\n");
    check("A1:ab C1:c", "a", "A", "left A b\nleft C c\nretired C gone\n");
    check("A1:ab", "x", "x", "left A a,b\nretired A gone\ncreated x x\n");
}

static void test_deleting_a_record_keeps_the_id_of_the_others(void **state)
{
    (void)state;
    check("A1:abc", "bc", "A", "left A a\n"); /* the founder at that */
    check("A1:abc", "a c", "Ac", "left A b,c\nsplit A into c\ncreated c c from A\n");
}

/* One id merges, loses a part to a new group and a record to a deletion, all at once. */
static void test_who_does_not_come_along_in_a_merge_left(void **state)
{
    (void)state;
    check("A1:ab C2:cdefg", "abcd e fx", "Aef",
          "joined A c,d\nleft C e,f,g\nmerged A from C\nretired C alias A\n"
          "created e e from C\ncreated f f,x from C\n");
}

/* The largest part joins an older id; no smaller part takes up the one that is retired. */
static void test_a_retired_id_does_not_fall_to_a_smaller_part(void **state)
{
    (void)state;
    check("A1:a C2:cde", "acd e", "Ae",
          "joined A c,d\nleft C e\nmerged A from C\nretired C alias A\ncreated e e from C\n");
}

static void test_groups_that_swap_halves_leave_one_id_behind(void **state)
{
    (void)state;
    /* of equal halves each id follows its smaller record: both into ac, where A wins */
    check("A1:ab C1:cd", "ac bd", "Ab",
          "joined A c\nleft A b\nleft C d\nmerged A from C\nsplit A into b\nretired C alias A\n"
          "created b b,d from A\n");
}

static void test_an_id_given_ahead_is_created_when_its_group_is(void **state)
{
    (void)state;
    check("M2!:m", "m", "M", "created M m\n");
    check("M2!:m", "mx", "M", "created M m,x\n");
    check("A1:a M2!:m", "am", "A", "joined A m\nmerged A from M\nretired M alias A\n");
    check("M2!:m N2!:n", "mn", "M", "created M m,n\nmerged M from N\nretired N alias M\n");
    check("A1:a M2!:m", "a", "A", "retired M gone\n");
}

static void test_a_verdict_says_what_became_of_each(void **state)
{
    (void)state;
    struct situation s;
    struct kin_arena arena = {0};
    struct registry_verdict v;
    describe(&s, "A1:ab C2:cdefg H1:h", "abcd e fx");
    assert_int_equal(registry_assign(&arena, &s.change, &v), KIN_OK);
    const uint32_t keeps[] = {0, REGISTRY_NONE, REGISTRY_NONE};
    const uint32_t smallest[] = {0, 4, 5}, heir[] = {0, 0, REGISTRY_NONE};
    const uint32_t split_from[] = {REGISTRY_NONE, 1, 1};
    const bool kept[] = {true, false, false};
    const uint32_t moved_at[] = {0, 0, 2, 2}, moved[] = {1, 2};
    const uint32_t merged_at[] = {0, 1, 1, 1}, merged[] = {1};
    assert_memory_equal(v.keeps, keeps, sizeof keeps);
    assert_memory_equal(v.smallest, smallest, sizeof smallest);
    assert_memory_equal(v.heir, heir, sizeof heir);
    assert_memory_equal(v.split_from, split_from, sizeof split_from);
    assert_memory_equal(v.kept, kept, sizeof kept);
    assert_memory_equal(v.moved.at, moved_at, sizeof moved_at);
    assert_memory_equal(v.moved.items, moved, sizeof moved);
    assert_memory_equal(v.merged.at, merged_at, sizeof merged_at);
    assert_memory_equal(v.merged.items, merged, sizeof merged);
    kin_arena_deinit(&arena);
}

/* ---- lines ---- */

static void name_oddly(void *arg, size_t index, struct kin_str *source, struct kin_str *id)
{
    (void)arg;
    *source = index ? KIN_STR("caf\xc3\xa9") : KIN_STR("c\"r\\m");
    *id = index == 1 ? KIN_STR("\n\xff") : (struct kin_str){NULL, 0};
}

/* Byte by byte: keys and their order are what others rely on. */
static void test_lines_are_as_documented(void **state)
{
    (void)state;
    struct situation s;
    struct kin_arena arena = {0};
    struct registry_verdict v;
    struct registry_event *events;
    size_t count;
    describe(&s, "A1:abc D2:d E1:e", "a bcd x");
    assert_int_equal(registry_assign(&arena, &s.change, &v), KIN_OK);
    const struct registry_id after[] = {id_of('a'), id_of('A'), id_of('x')};
    struct registry_names names = {s.before_ids, after, name_record, &s};
    assert_int_equal(
        registry_events(&arena, &s.change, &v, &names, UINT64_MAX, 17, &events, &count), KIN_OK);
#define A "41414141414141414141414141414141"
#define D "44444444444444444444444444444444"
#define E "45454545454545454545454545454545"
#define NEW_A "61616161616161616161616161616161"
#define NEW_X "78787878787878787878787878787878"
#define START(seq, kind, id)                                                                     \
    "{\"seq\":" #seq ",\"batch\":18446744073709551615,\"event\":\"" kind "\",\"match_id\":\"" id \
    "\""
    static const char *const lines[] = {
        START(17, "created", NEW_A) ",\"records\":[{\"source\":\"crm\",\"id\":\"a\"}],"
                                    "\"split_from\":\"" A "\"}",
        START(18, "joined", A) ",\"records\":[{\"source\":\"crm\",\"id\":\"d\"}]}",
        START(19, "left", A) ",\"records\":[{\"source\":\"crm\",\"id\":\"a\"}]}",
        START(20, "merged", A) ",\"from\":[\"" D "\"]}",
        START(21, "split", A) ",\"into\":[\"" NEW_A "\"]}",
        START(22, "retired", D) ",\"state\":\"alias\",\"survivor\":\"" A "\"}",
        START(23, "left", E) ",\"records\":[{\"source\":\"crm\",\"id\":\"e\"}]}",
        START(24, "retired", E) ",\"state\":\"gone\"}",
        START(25, "created", NEW_X) ",\"records\":[{\"source\":\"crm\",\"id\":\"x\"}]}",
    };
    assert_int_equal(count, sizeof lines / sizeof *lines);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(events[i].json.n, strlen(lines[i]));
        assert_memory_equal(events[i].json.p, lines[i], events[i].json.n);
    }
    kin_arena_clear(&arena);

    describe(&s, "", "abc");
    assert_int_equal(registry_assign(&arena, &s.change, &v), KIN_OK);
    names.record = name_oddly;
    assert_int_equal(registry_events(&arena, &s.change, &v, &names, 1, 1, &events, &count), KIN_OK);
    static const char odd[] =
        "{\"seq\":1,\"batch\":1,\"event\":\"created\",\"match_id\":\"" NEW_A "\",\"records\":["
        "{\"source\":\"c\\\"r\\\\m\",\"id\":\"\"},"
        "{\"source\":\"caf\xc3\xa9\",\"id\":\"\\n\xef\xbf\xbd\"},"
        "{\"source\":\"caf\xc3\xa9\",\"id\":\"\"}]}";
    assert_int_equal(count, 1);
    assert_int_equal(events[0].json.n, sizeof odd - 1);
    assert_memory_equal(events[0].json.p, odd, sizeof odd - 1);
    kin_arena_deinit(&arena);
}

/* ---- many ---- */

struct crowd {
    uint32_t *before, *after, *founder;
    uint64_t *born;
    struct registry_id *ids; /* of groups before and after: the number of the group */
    char text[16];
    struct registry_change change;
};

static uint32_t one_by_one(uint32_t i)
{
    return i;
}

static uint32_t all_in_one(uint32_t i)
{
    (void)i;
    return 0;
}

/* In two groups after, the records that are not in the first one alternate with those that are. */
static uint32_t alternately(uint32_t i)
{
    return i % 2;
}

static void name_crowd(void *arg, size_t index, struct kin_str *source, struct kin_str *id)
{
    struct crowd *c = arg;
    int n = snprintf(c->text, sizeof c->text, "%07zu", index);
    *source = KIN_STR("crm");
    *id = (struct kin_str){c->text, (size_t)n};
}

static void gather(struct crowd *c, uint32_t n, uint32_t (*before)(uint32_t),
                   uint32_t (*after)(uint32_t))
{
    *c = (struct crowd){kin_calloc(n, sizeof *c->before),
                        kin_calloc(n, sizeof *c->after),
                        kin_calloc(n, sizeof *c->founder),
                        kin_calloc(n, sizeof *c->born),
                        kin_calloc(n, sizeof *c->ids),
                        "",
                        {.records = n}};
    assert_true(c->before && c->after && c->founder && c->born && c->ids);
    for (uint32_t i = 0; i < n; i++) {
        c->before[i] = before ? before(i) : REGISTRY_NONE;
        c->after[i] = after ? after(i) : REGISTRY_NONE;
        c->founder[i] = i;
        c->born[i] = 1;
        kin_put_le32(c->ids[i].bytes, i);
        if (before && c->before[i] >= c->change.before_count)
            c->change.before_count = c->before[i] + 1;
        if (after && c->after[i] >= c->change.after_count)
            c->change.after_count = c->after[i] + 1;
    }
    c->change.before = c->before;
    c->change.after = c->after;
    c->change.founder = c->founder;
    c->change.born = c->born;
}

static void disperse(struct crowd *c)
{
    kin_free(c->before);
    kin_free(c->after);
    kin_free(c->founder);
    kin_free(c->born);
    kin_free(c->ids);
}

/* Counts events by kind, and what they list. */
static void survey(struct crowd *c, size_t events_of[6], size_t listed[6])
{
    struct kin_arena arena = {0};
    struct registry_verdict v;
    struct registry_names names = {c->ids, c->ids, name_crowd, c};
    struct registry_event *events;
    size_t count;
    memset(events_of, 0, 6 * sizeof *events_of);
    memset(listed, 0, 6 * sizeof *listed);
    assert_int_equal(registry_assign(&arena, &c->change, &v), KIN_OK);
    assert_int_equal(registry_events(&arena, &c->change, &v, &names, 1, 1, &events, &count),
                     KIN_OK);
    for (size_t i = 0; i < count; i++) {
        const struct registry_event *e = &events[i];
        size_t n = e->other_count;
        if (e->kind <= REGISTRY_LEFT) {
            n = 0;
            const char *p = e->json.p, *last = p + e->json.n;
            while ((p = memmem(p, (size_t)(last - p), "\"id\"", 4)) != NULL) {
                p += 4;
                n++;
            }
        }
        assert_true(n <= REGISTRY_LIST_MAX);
        events_of[e->kind]++;
        listed[e->kind] += n;
    }
    kin_arena_deinit(&arena);
}

static void test_long_lists_go_on_in_further_events(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {999, 1000, 1001, 2000, 2501};
    struct crowd c;
    size_t events[6], listed[6];
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint32_t n = sizes[i], lines = (n + 999) / 1000, rest = (n - 1 + 999) / 1000;
        gather(&c, n, NULL, all_in_one);
        survey(&c, events, listed);
        assert_int_equal(events[REGISTRY_CREATED], lines);
        assert_int_equal(listed[REGISTRY_CREATED], n);
        disperse(&c);

        gather(&c, n, all_in_one, NULL);
        survey(&c, events, listed);
        assert_int_equal(events[REGISTRY_LEFT], lines);
        assert_int_equal(listed[REGISTRY_LEFT], n);
        assert_int_equal(events[REGISTRY_RETIRED], 1);
        disperse(&c);

        gather(&c, n, one_by_one, all_in_one);
        survey(&c, events, listed);
        assert_int_equal(events[REGISTRY_JOINED], rest);
        assert_int_equal(listed[REGISTRY_JOINED], n - 1);
        assert_int_equal(events[REGISTRY_MERGED], rest);
        assert_int_equal(listed[REGISTRY_MERGED], n - 1);
        assert_int_equal(events[REGISTRY_RETIRED], n - 1);
        disperse(&c);

        gather(&c, n, all_in_one, one_by_one);
        survey(&c, events, listed);
        assert_int_equal(events[REGISTRY_CREATED], n - 1);
        assert_int_equal(events[REGISTRY_SPLIT], rest);
        assert_int_equal(listed[REGISTRY_SPLIT], n - 1);
        assert_int_equal(listed[REGISTRY_LEFT], n - 1);
        disperse(&c);

        gather(&c, n, all_in_one, alternately); /* each line is filled from every other record */
        survey(&c, events, listed);
        assert_int_equal(events[REGISTRY_LEFT], (n / 2 + 999) / 1000);
        assert_int_equal(listed[REGISTRY_LEFT], n / 2);
        disperse(&c);
    }
}

/* A first batch, a merger of everything and the end of it: a quadratic step would not come back. */
static void test_a_million_records_change_at_once(void **state)
{
    (void)state;
    enum { N = 1000 * 1000 };
    struct crowd c;
    size_t events[6], listed[6];
    gather(&c, N, NULL, one_by_one);
    survey(&c, events, listed);
    assert_int_equal(events[REGISTRY_CREATED], N);
    disperse(&c);
    gather(&c, N, one_by_one, all_in_one);
    survey(&c, events, listed);
    assert_int_equal(events[REGISTRY_RETIRED], N - 1);
    assert_int_equal(listed[REGISTRY_JOINED], N - 1);
    disperse(&c);
    gather(&c, N, all_in_one, one_by_one);
    survey(&c, events, listed);
    assert_int_equal(events[REGISTRY_CREATED], N - 1);
    assert_int_equal(listed[REGISTRY_SPLIT], N - 1);
    disperse(&c);
}

static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    struct situation s;
    struct registry_verdict v;
    struct registry_event *events;
    size_t count, n = 0;
    describe(&s, "A1:ab C2:cdefg H1:hi J1:jkl", "abcd e fx i j l");
    for (;; n++) {
        struct kin_arena arena = {0};
        kin_alloc_fail_after(n);
        kin_status status = run(&s, &arena, &v, &events, &count);
        kin_alloc_fail_after(SIZE_MAX);
        kin_arena_deinit(&arena);
        if (!status)
            break;
        assert_int_equal(status, KIN_E_NOMEM);
        assert_true(n < 1000);
    }
    assert_true(n > 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_groups_get_ids_of_their_founders),
        cmocka_unit_test(test_a_record_that_joins_inherits_the_id),
        cmocka_unit_test(test_what_does_not_change_is_not_told),
        cmocka_unit_test(test_the_oldest_id_survives_a_merge),
        cmocka_unit_test(test_of_equal_age_the_smaller_founder_wins_a_merge),
        cmocka_unit_test(test_the_largest_part_keeps_the_id_in_a_split),
        cmocka_unit_test(test_of_equal_parts_the_one_with_the_smallest_record_keeps_the_id),
        cmocka_unit_test(test_a_group_that_comes_from_several_names_the_one_with_most),
        cmocka_unit_test(test_members_may_move_to_a_group_that_is_there),
        cmocka_unit_test(test_an_id_whose_members_are_all_deleted_is_gone),
        cmocka_unit_test(test_deleting_a_record_keeps_the_id_of_the_others),
        cmocka_unit_test(test_who_does_not_come_along_in_a_merge_left),
        cmocka_unit_test(test_a_retired_id_does_not_fall_to_a_smaller_part),
        cmocka_unit_test(test_groups_that_swap_halves_leave_one_id_behind),
        cmocka_unit_test(test_an_id_given_ahead_is_created_when_its_group_is),
        cmocka_unit_test(test_a_verdict_says_what_became_of_each),
        cmocka_unit_test(test_lines_are_as_documented),
        cmocka_unit_test(test_long_lists_go_on_in_further_events),
        cmocka_unit_test(test_a_million_records_change_at_once),
        cmocka_unit_test(test_every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
