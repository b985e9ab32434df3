/* The model of MatchIds that live operation is compared with: every rule by a case worked out by
 * hand, and every lie about the past that the reader of the feed must find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/coordinator.h"
#include "coordinator/match_id.h"
#include "tests/sim/live_model.h"

static const char workflow_text[] =
    "kindred: 1\nworkflow: w\nsources:\n  a: {path: /a, id: id}\n  b: {path: /b, id: id}\n"
    "fields: {name: name}\nrules:\n  - {name: same, when: Exact(name)}\n";

struct kit {
    struct kin_workflow *workflow;
    struct live_model *m;
    struct live_feed *f;
    int seq;
};

static int set_up(void **state)
{
    struct kit *k = calloc(1, sizeof *k);
    struct kin_problems problems = {0};
    assert_non_null(k);
    assert_int_equal(kin_workflow_parse(kin_str_of(workflow_text), "", &k->workflow, &problems),
                     KIN_OK);
    k->m = live_model_new(k->workflow, KIN_MATCH_ID_KEY);
    k->f = live_feed_new(k->workflow, KIN_MATCH_ID_KEY);
    kin_problems_deinit(&problems);
    *state = k;
    return 0;
}

static int tear_down(void **state)
{
    struct kit *k = *state;
    live_model_free(k->m);
    live_feed_free(k->f);
    kin_workflow_free(k->workflow);
    free(k);
    return 0;
}

/* Records are named by a letter for the source and an id, groups are set apart by bars. */
static void step(struct live_model *m, uint64_t batch, const char *groups)
{
    struct live_member members[32];
    int n = 0, group = 7;
    for (const char *p = groups; *p;) {
        size_t len = strcspn(p, " ");
        if (*p == '|') {
            group += 3;
        } else if (len) {
            members[n] = (struct live_member){.source = (uint32_t)(*p - 'a'), .group = group};
            snprintf(members[n++].id, sizeof members[0].id, "%.*s", (int)len - 1, p + 1);
        }
        p += len + (p[len] == ' ');
    }
    live_model_step(m, batch, members, n);
}

struct id {
    char text[33];
};

static struct id id_of(const char *founder, uint32_t generation)
{
    struct id out = {{0}};
    kin_match_id(KIN_MATCH_ID_KEY, KIN_STR("w"), (struct kin_str){founder, 1},
                 kin_str_of(founder + 1), generation, out.text);
    return out;
}

static void assert_has(const struct live_model *m, const char *record, const char *founder,
                       uint32_t generation)
{
    const struct live_id *id = live_model_of(m, (uint32_t)(*record - 'a'), record + 1);
    assert_non_null(id);
    assert_string_equal(id->text, id_of(founder, generation).text);
    assert_int_equal(id->state, LIVE_IS_LIVE);
}

static const struct live_id *the(const struct live_model *m, const char *founder,
                                 uint32_t generation)
{
    const struct live_id *id = live_model_find(m, id_of(founder, generation).text);
    assert_non_null(id);
    return id;
}

static void assert_alias(const struct live_model *m, const char *founder, const char *survivor)
{
    assert_int_equal(the(m, founder, 0)->state, LIVE_IS_ALIAS);
    assert_string_equal(m->ids[the(m, founder, 0)->survivor].text, id_of(survivor, 0).text);
}

/* ---- the rules ---- */

static void a_new_group_is_named_after_its_smallest_record(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "b1 a9 a7 | b2");
    assert_has(k->m, "b1", "a7", 0);
    assert_has(k->m, "b2", "b2", 0);
    assert_int_equal(the(k->m, "a7", 0)->born, 1);
    assert_null(live_model_of(k->m, 0, "1"));
}

static void who_joins_gets_the_id_even_with_a_smaller_name(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "b1");
    step(k->m, 2, "b1 a1");
    assert_has(k->m, "a1", "b1", 0);
    assert_int_equal(k->m->id_count, 1);
}

static void of_merged_groups_the_oldest_keeps_its_id(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "b1");
    step(k->m, 2, "b1 | a1 a2 a3");
    step(k->m, 3, "b1 a1 a2 a3"); /* older, though smaller and with a larger founder */
    assert_has(k->m, "a2", "b1", 0);
    assert_alias(k->m, "a1", "b1");
}

static void of_merged_groups_of_one_age_the_smaller_founder_wins(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "b1 b2 b3 | a5 | a6");
    step(k->m, 2, "b1 b2 b3 a5 a6");
    assert_has(k->m, "b1", "a5", 0);
    assert_alias(k->m, "b1", "a5");
    assert_alias(k->m, "a6", "a5");
}

static void the_founder_counts_even_where_it_left(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "a1 b1 | a2");
    step(k->m, 2, "b1 | a2"); /* a1 is deleted: the id is still after it */
    step(k->m, 3, "b1 a2");
    assert_has(k->m, "a2", "a1", 0);
}

static void of_a_split_group_the_largest_part_keeps_the_id(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "a1 a2 a3 b1 b2");
    step(k->m, 2, "a1 a2 | a3 b1 b2");
    assert_has(k->m, "b2", "a1", 0);
    assert_has(k->m, "a1", "a1", 1); /* its founder's first id is taken */
    assert_int_equal(the(k->m, "a1", 1)->split_from, the(k->m, "a1", 0) - k->m->ids);
}

static void of_equal_parts_the_one_with_the_smallest_record_keeps_it(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "a1 a2 b1 b2");
    step(k->m, 2, "a2 b1 | a1 b2");
    assert_has(k->m, "b2", "a1", 0);
    assert_has(k->m, "b1", "a2", 0);
}

/* The part that counts is of those who were members: others do not make it larger. */
static void who_was_not_a_member_does_not_count(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "a1 | a2 a3 a4");
    step(k->m, 2, "a1 | a2 b1 b2 | a3 a4");
    assert_has(k->m, "a3", "a2", 0);
    assert_has(k->m, "a2", "a2", 1);
    assert_has(k->m, "b1", "a2", 1);
}

/* The smallest record must be one of theirs, too. */
static void of_equal_parts_the_smallest_member_counts(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "b1 b2");
    step(k->m, 2, "a1 b2 | b1");
    assert_has(k->m, "b1", "b1", 0);
    assert_has(k->m, "a1", "a1", 0);
}

static void split_and_merged_at_once(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "a1 a2 a3 | b1 b2 b3");
    step(k->m, 2, "a1 | a2 a3 b1 b2 | b3");
    assert_has(k->m, "b2", "a1", 0); /* both heirs are here, of one age */
    assert_alias(k->m, "b1", "a1");
    assert_has(k->m, "a1", "a1", 1);
    assert_has(k->m, "b3", "b3", 0);
    assert_int_equal(the(k->m, "b3", 0)->split_from, the(k->m, "b1", 0) - k->m->ids);
}

/* A group with parts of others, but heir of none, comes from the one that most are of. */
static void a_new_group_says_where_most_came_from(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "a1 a2 a3 a4 a5 | b1 b2 b3");
    step(k->m, 2, "a1 a2 a3 | a4 a5 b3 | b1 b2");
    assert_has(k->m, "b3", "a4", 0);
    assert_int_equal(the(k->m, "a4", 0)->split_from, the(k->m, "a1", 0) - k->m->ids);
}

static void an_id_without_members_is_gone_and_never_given_again(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "a1");
    step(k->m, 2, "");
    assert_int_equal(the(k->m, "a1", 0)->state, LIVE_IS_GONE);
    step(k->m, 3, "a1");
    assert_has(k->m, "a1", "a1", 1);
    assert_int_equal(the(k->m, "a1", 0)->state, LIVE_IS_GONE);
    assert_int_equal(the(k->m, "a1", 1)->split_from, -1);
}

static void aliases_of_aliases_end_at_what_is_live(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "a1");
    step(k->m, 2, "a1 | b1");
    step(k->m, 3, "a1 | b1 | b2");
    step(k->m, 4, "a1 | b1 b2");
    step(k->m, 5, "a1 b1 b2");
    assert_string_equal(live_model_resolve(k->m, the(k->m, "b2", 0))->text, id_of("a1", 0).text);
    step(k->m, 6, "");
    assert_int_equal(live_model_resolve(k->m, the(k->m, "b2", 0))->state, LIVE_IS_GONE);
}

static void nothing_changes_nothing_is_told(void **state)
{
    struct kit *k = *state;
    step(k->m, 1, "a1 a2 | b1");
    assert_int_equal(k->m->event_count, 2);
    step(k->m, 2, "b1 | a2 a1");
    assert_int_equal(k->m->event_count, 0);
}

/* ---- the feed ---- */

/* Short names of ids in a format: @a1 is the first id of a1, @@a1 its second. */
static bool tell(struct kit *k, int batch, const char *rest)
{
    struct kin_buf b = {0};
    kin_buf_printf(&b, "{\"seq\":%d,\"batch\":%d,", ++k->seq, batch);
    for (const char *p = rest; *p; p++) {
        if (*p == '\'') {
            kin_buf_putc(&b, '"');
        } else if (*p == '@') {
            uint32_t generation = p[1] == '@';
            char founder[3] = {p[1 + generation], p[2 + generation], '\0'};
            kin_buf_printf(&b, "\"%s\"", id_of(founder, generation).text);
            p += 2 + generation;
        } else if (*p == '#') {
            kin_buf_printf(&b, "{\"source\":\"%c\",\"id\":\"%c\"}", p[1], p[2]);
            p += 2;
        } else {
            kin_buf_putc(&b, *p);
        }
    }
    kin_buf_putc(&b, '}');
    bool ok = live_feed_take(k->f, (char *)b.p, b.n);
    kin_buf_deinit(&b);
    return ok;
}

static void assert_told(struct kit *k, int batch, const char *rest)
{
    assert_true(tell(k, batch, rest));
}

static void begin_feed(struct kit *k)
{
    assert_told(k, 1, "'event':'created','match_id':@a1,'records':[#a1,#a2]");
    assert_told(k, 1, "'event':'created','match_id':@b1,'records':[#b1,#b2,#b3]");
    assert_true(live_feed_settle(k->f));
}

static void a_true_feed_is_believed(void **state)
{
    struct kit *k = *state;
    begin_feed(k);
    assert_told(k, 3, "'event':'joined','match_id':@a1,'records':[#b1,#b2]");
    assert_told(k, 3, "'event':'left','match_id':@b1,'records':[#b3]");
    assert_told(k, 3, "'event':'merged','match_id':@a1,'from':[@b1]");
    assert_told(k, 3, "'event':'retired','match_id':@b1,'state':'alias','survivor':@a1");
    assert_told(k, 3, "'event':'created','match_id':@b3,'records':[#b3],'split_from':@b1");
    assert_true(live_feed_settle(k->f));
    assert_has(k->f->model, "b2", "a1", 0);
    assert_told(k, 4, "'event':'left','match_id':@a1,'records':[#b1]");
    assert_told(k, 4, "'event':'split','match_id':@a1,'into':[@@b1]");
    assert_told(k, 4, "'event':'created','match_id':@@b1,'records':[#b1],'split_from':@a1");
    assert_told(k, 4, "'event':'left','match_id':@b3,'records':[#b3]");
    assert_told(k, 4, "'event':'retired','match_id':@b3,'state':'gone'");
    assert_true(live_feed_settle(k->f));
    assert_int_equal(k->f->model->member_count, 4);
}

/* What was answered ahead is a group first, of which nobody is told before it is matched. */
static void what_is_minted_is_a_group_first(void **state)
{
    struct kit *k = *state;
    begin_feed(k);
    live_feed_minted(k->f, 0, "5");
    live_feed_minted(k->f, 1, "7");
    assert_told(k, 2, "'event':'joined','match_id':@a1,'records':[#a5]");
    assert_told(k, 2, "'event':'merged','match_id':@a1,'from':[@a5]");
    assert_told(k, 2, "'event':'retired','match_id':@a5,'state':'alias','survivor':@a1");
    assert_true(live_feed_settle(k->f));
    assert_has(k->f->model, "a5", "a1", 0);
    assert_told(k, 3, "'event':'created','match_id':@b7,'records':[#a8,#b7]"); /* the older one */
    assert_true(live_feed_settle(k->f));
    assert_has(k->f->model, "a8", "b7", 0);
    assert_told(k, 4, "'event':'left','match_id':@b7,'records':[#b7]");
    assert_true(live_feed_settle(k->f));
    assert_told(k, 5, "'event':'joined','match_id':@a1,'records':[#b7]"); /* not minted this time */
    assert_true(live_feed_settle(k->f));
}

static void the_past_does_not_change(void **state)
{
    struct kit *k = *state;
    begin_feed(k);
    k->seq = 0;
    assert_told(k, 1, "'event':'created','match_id':@a1,'records':[#a1,#a2]");
    assert_false(tell(k, 1, "'event':'created','match_id':@b1,'records':[#b1,#b2]"));
}

static void a_gap_is_found(void **state)
{
    struct kit *k = *state;
    begin_feed(k);
    k->seq++;
    assert_false(tell(k, 2, "'event':'left','match_id':@a1,'records':[#a1]"));
}

static void assert_lie(void **state, const char *first, const char *second)
{
    struct kit *k = *state;
    begin_feed(k);
    assert_told(k, 2, first);
    if (second)
        assert_told(k, 2, second);
    assert_false(live_feed_settle(k->f));
}

static void a_record_at_two_ids_is_found(void **state)
{
    assert_lie(state, "'event':'joined','match_id':@a1,'records':[#b1]", NULL);
}

static void a_record_that_leaves_where_it_was_not_is_found(void **state)
{
    assert_lie(state, "'event':'left','match_id':@a1,'records':[#b1]", NULL);
}

static void a_move_that_is_not_called_a_split_is_found(void **state)
{
    assert_lie(state, "'event':'left','match_id':@b1,'records':[#b1]",
               "'event':'joined','match_id':@a1,'records':[#b1]");
}

static void a_new_id_where_the_old_one_should_stay_is_found(void **state)
{
    assert_lie(state, "'event':'left','match_id':@b1,'records':[#b1,#b2,#b3]",
               "'event':'created','match_id':@@b1,'records':[#b1,#b2,#b3]");
}

static void a_wrong_name_is_found(void **state)
{
    assert_lie(state, "'event':'created','match_id':@a8,'records':[#a7,#a8]", NULL);
}

static void an_id_that_is_not_said_to_be_gone_is_found(void **state)
{
    assert_lie(state, "'event':'left','match_id':@a1,'records':[#a1,#a2]", NULL);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_new_group_is_named_after_its_smallest_record),
        TEST(who_joins_gets_the_id_even_with_a_smaller_name),
        TEST(of_merged_groups_the_oldest_keeps_its_id),
        TEST(of_merged_groups_of_one_age_the_smaller_founder_wins),
        TEST(the_founder_counts_even_where_it_left),
        TEST(of_a_split_group_the_largest_part_keeps_the_id),
        TEST(of_equal_parts_the_one_with_the_smallest_record_keeps_it),
        TEST(who_was_not_a_member_does_not_count),
        TEST(of_equal_parts_the_smallest_member_counts),
        TEST(split_and_merged_at_once),
        TEST(a_new_group_says_where_most_came_from),
        TEST(an_id_without_members_is_gone_and_never_given_again),
        TEST(aliases_of_aliases_end_at_what_is_live),
        TEST(nothing_changes_nothing_is_told),
        TEST(a_true_feed_is_believed),
        TEST(what_is_minted_is_a_group_first),
        TEST(the_past_does_not_change),
        TEST(a_gap_is_found),
        TEST(a_record_at_two_ids_is_found),
        TEST(a_record_that_leaves_where_it_was_not_is_found),
        TEST(a_move_that_is_not_called_a_split_is_found),
        TEST(a_new_id_where_the_old_one_should_stay_is_found),
        TEST(a_wrong_name_is_found),
        TEST(an_id_that_is_not_said_to_be_gone_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
