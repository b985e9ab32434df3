/* Thresholds, source pairs, curve of links and worst mistakes: by hand, and random files against
 * looking at every pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "evaluate_kit.h"

static struct kin_evaluation *evaluate(const char *matches, const char *truth, const char *pairs,
                                       struct kin_evaluate_options options)
{
    struct kin_evaluation *e = NULL;
    struct kin_err err = {0};
    if (evaluate_texts(kin_str_of(matches), kin_str_of(truth), kin_str_of(pairs), options, &e,
                       &err) != KIN_OK)
        fail_msg("%s", err.msg);
    return e;
}

#define assert_text(got, want) assert_true(kin_str_eq((got), kin_str_of(want)))

/* ---- by hand ---- */

/* Entities P: a b c, Q: d e, R: f; u is not in truth. Group m1: a b d, m2: c e, m3: f u. */
static const char matches_text[] = "source,id,match_id,match_rule,match_id_0.99,match_id_0.5\n"
                                   "x,a,m1,r,m1,m1\n"
                                   "y,b,m1,r,m1,m1\n"
                                   "y,c,m2,r,m2,m1\n"
                                   "x,d,m1,r,m4,m1\n"
                                   "y,e,m2,r,m2,m1\n"
                                   "x,f,m3,r,m3,m3\n"
                                   "x,u,m3,r,m3,m3\n";
static const char truth_text[] = "id,entity\na,P\nb,P\nc,P\nd,Q\ne,Q\nf,R\n";
static const char pairs_text[] = PAIRS_HEADER "x,a,y,b,12.5,model\n"
                                              "x,a,x,d,3.25,model\n"
                                              "x,d,y,b,3.125,model\n"
                                              "y,c,y,e,,same phone\n"
                                              "x,f,x,u,9,model\n";

static void each_threshold_is_counted_on_its_own(void **state)
{
    (void)state;
    struct kin_evaluation *e = evaluate(matches_text, truth_text, "", plain_options);
    assert_int_equal(e->level_count, 3);
    assert_text(e->levels[0].threshold, "");
    assert_text(e->levels[1].threshold, "0.99");
    assert_text(e->levels[2].threshold, "0.5");
    static const uint64_t found[] = {4, 2, 10}, correct[] = {1, 1, 4};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(e->levels[i].pairs.found, found[i]);
        assert_int_equal(e->levels[i].pairs.truth, 4);
        assert_int_equal(e->levels[i].pairs.correct, correct[i]);
    }
    /* a b: 2 of 2; c, e: 1 of 2; d, f: all */
    assert_close(e->levels[1].bcubed_precision, (1 + 1 + 0.5 + 0.5 + 1 + 1) / 6);
    assert_close(e->levels[2].bcubed_precision, (3 * 0.6 + 2 * 0.4 + 1) / 6);
    assert_close(e->levels[2].bcubed_recall, 1);
    assert_false(e->has_links);
    kin_evaluation_free(e);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    struct kin_evaluation *e = evaluate(matches_text, truth_text, pairs_text, plain_options);
    assert_int_equal(e->links, 4);
    assert_int_equal(e->links_correct, 1);
    assert_int_equal(e->links_unknown, 1);
    assert_int_equal(e->false_link_count, 3);
    assert_true(e->false_links[0].certain);
    assert_text(e->false_links[0].rule, "same phone");
    assert_text(e->false_links[0].a.id, "c");
    assert_text(e->false_links[0].a.source, "y");
    assert_text(e->false_links[0].entity_b, "Q");
    assert_int_equal(e->false_links[1].weight, 3250);
    assert_int_equal(e->false_links[2].weight, 3125);
    assert_text(e->false_links[2].b.id, "b");

    assert_int_equal(e->wrong_groups, 2);
    assert_text(e->groups[0].name, "m1");
    assert_int_equal(e->groups[0].wrong_pairs, 2);
    assert_int_equal(e->groups[0].part_count, 2);
    assert_text(e->groups[0].parts[0].name, "P");
    assert_int_equal(e->groups[0].parts[0].records, 2);
    assert_text(e->groups[0].parts[0].example.id, "a");
    assert_int_equal(e->groups[0].false_links, 2);
    assert_int_equal(e->groups[0].weakest.weight, 3125);
    assert_true(e->groups[1].weakest.certain);

    assert_int_equal(e->split_entities, 2);
    assert_text(e->entities[0].name, "P");
    assert_int_equal(e->entities[0].wrong_pairs, 2);
    assert_text(e->entities[0].parts[1].name, "m2");
    assert_text(e->entities[1].name, "Q");
    kin_evaluation_free(e);
}

static void the_curve_goes_down_by_weight(void **state)
{
    (void)state;
    struct kin_evaluation *e = evaluate(matches_text, truth_text, pairs_text, plain_options);
    static const struct kin_evaluation_point want[] = {
        {true, 0, 1, 0}, {false, 12500, 2, 1}, {false, 3250, 3, 1}, {false, 3125, 4, 1}};
    assert_int_equal(e->point_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(e->points[i].certain, want[i].certain);
        assert_int_equal(e->points[i].weight, want[i].weight);
        assert_int_equal(e->points[i].links, want[i].links);
        assert_int_equal(e->points[i].correct, want[i].correct);
    }
    kin_evaluation_free(e);
}

static void across_counts_pairs_of_two_sources_only(void **state)
{
    (void)state;
    struct kin_evaluate_options options = plain_options;
    options.across = true;
    struct kin_evaluation *e = evaluate(matches_text, truth_text, pairs_text, options);
    assert_int_equal(e->links, 2); /* ab bd */
    assert_int_equal(e->false_link_count, 1);
    assert_text(e->false_links[0].a.id, "d");
    assert_int_equal(e->wrong_groups, 1); /* m2 is of one source */
    assert_int_equal(e->groups[0].wrong_pairs, 1);
    assert_int_equal(e->groups[0].false_links, 1);
    assert_int_equal(e->entities[0].wrong_pairs, 1); /* ac; bc is of one source */
    assert_int_equal(e->split_entities, 2);
    kin_evaluation_free(e);
}

static void nothing_is_listed_where_nothing_is_asked_for(void **state)
{
    (void)state;
    struct kin_evaluate_options options = plain_options;
    options.worst = 0;
    struct kin_evaluation *e = evaluate(matches_text, truth_text, pairs_text, options);
    assert_int_equal(e->false_link_count + e->group_count + e->entity_count, 0);
    assert_int_equal(e->wrong_groups, 2);
    kin_evaluation_free(e);
    options.worst = KIN_EVALUATE_WORST_MAX + 1;
    assert_int_equal(evaluate_texts(KIN_STR("x"), KIN_STR("x"), KIN_STR(""), options, &e, NULL),
                     KIN_E_INVAL);
    options = plain_options;
    options.points = 1;
    assert_int_equal(evaluate_texts(KIN_STR("x"), KIN_STR("x"), KIN_STR(""), options, &e, NULL),
                     KIN_E_INVAL);
}

/* ---- against every pair ---- */

enum { RECORDS_MAX = 40, SOURCES = 3, LINKS_MAX = RECORDS_MAX * RECORDS_MAX };

struct plain {
    unsigned source, group, wide_group, entity;
    bool known; /* in truth */
};
struct plain_link {
    unsigned a, b;
    bool certain;
    int64_t weight;
};
struct world {
    struct plain r[RECORDS_MAX];
    struct plain_link links[LINKS_MAX];
    unsigned n, link_count;
    bool across;
};

static bool counts(const struct world *w, unsigned i, unsigned k)
{
    return w->r[i].known && w->r[k].known && (!w->across || w->r[i].source != w->r[k].source);
}

/* Both of a pair of records in this group and entity; ANY: whichever. */
static const unsigned any = UINT32_MAX;
static uint64_t count_pairs(const struct world *w, unsigned group, unsigned entity, bool together,
                            bool same)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < w->n; i++) {
        for (unsigned k = 0; k < i; k++) {
            const struct plain *x = &w->r[i], *y = &w->r[k];
            n += counts(w, i, k) && (group == any || (x->group == group && y->group == group)) &&
                 (entity == any || (x->entity == entity && y->entity == entity)) &&
                 (x->group == y->group) == together && (x->entity == y->entity) == same;
        }
    }
    return n;
}

static bool weaker(const struct plain_link *x, const struct plain_link *y)
{
    return x->certain != y->certain ? y->certain : !x->certain && x->weight < y->weight;
}

static void make_world(struct world *w, uint64_t *rng)
{
    *w = (struct world){.n = 1 + draw(rng, RECORDS_MAX), .across = draw(rng, 2)};
    unsigned groups = 1 + draw(rng, 12);
    for (unsigned i = 0; i < w->n; i++) {
        unsigned group = draw(rng, groups);
        w->r[i] = (struct plain){.source = draw(rng, SOURCES),
                                 .group = group,
                                 .wide_group = group / 2,
                                 .entity = draw(rng, 3) ? group : draw(rng, groups),
                                 .known = draw(rng, 10) > 0};
        for (unsigned k = 0; k < i; k++) {
            if (w->r[k].group == group && draw(rng, 3) > 0)
                w->links[w->link_count++] = (struct plain_link){k, i, draw(rng, 6) == 0,
                                                                (int64_t)draw(rng, 40) * 125 - 900};
        }
    }
}

static void put_world(const struct world *w, struct kin_buf *matches, struct kin_buf *truth,
                      struct kin_buf *pairs)
{
    kin_buf_puts(matches, "id,source,match_id_0.5,match_id\n");
    kin_buf_puts(truth, "id,entity\n");
    kin_buf_puts(pairs, "id_a,source_a,source_b,id_b,probability,weight,match_rule\n");
    for (unsigned i = 0; i < w->n; i++) {
        const struct plain *x = &w->r[i];
        kin_buf_printf(matches, "%u,s%u,m%u,m%u\n", i, x->source, x->wide_group, x->group);
        if (x->known)
            kin_buf_printf(truth, "%u,e%u\n", i, x->entity);
    }
    for (unsigned i = 0; i < w->link_count; i++) {
        const struct plain_link *x = &w->links[i];
        kin_buf_printf(pairs, "%u,s%u,s%u,%u,,", x->a, w->r[x->a].source, w->r[x->b].source, x->b);
        if (!x->certain)
            kin_buf_printf(pairs, "%s%u.%03u", x->weight < 0 ? "-" : "",
                           (unsigned)(x->weight < 0 ? -x->weight : x->weight) / 1000,
                           (unsigned)(x->weight < 0 ? -x->weight : x->weight) % 1000);
        kin_buf_printf(pairs, ",rule %u\n", i % 5);
    }
}

static unsigned number_of(struct kin_str name)
{
    unsigned n = 0;
    for (size_t i = 1; i < name.n; i++)
        n = n * 10 + (unsigned)(name.p[i] - '0');
    return n;
}

/* The list is in order, complete up to its length, and each figure is right. */
static void check_wrong(const struct world *w, const struct kin_evaluation_wrong *list, size_t n,
                        size_t in_all, size_t cap, bool groups)
{
    size_t wrong = 0, at_least = 0;
    for (unsigned name = 0; name < RECORDS_MAX; name++) {
        uint64_t pairs = groups ? count_pairs(w, name, any, true, false)
                                : count_pairs(w, any, name, false, true);
        wrong += pairs > 0;
        at_least += n && pairs > list[n - 1].wrong_pairs;
    }
    assert_int_equal(in_all, wrong);
    assert_int_equal(n, wrong < cap ? wrong : cap);
    assert_true(n == 0 || at_least < n);
    for (size_t i = 0; i < n; i++) {
        unsigned name = number_of(list[i].name);
        assert_int_equal(list[i].wrong_pairs, groups ? count_pairs(w, name, any, true, false)
                                                     : count_pairs(w, any, name, false, true));
        assert_true(i == 0 || list[i].wrong_pairs <= list[i - 1].wrong_pairs);
        uint64_t records = 0;
        for (size_t k = 0; k < list[i].part_count && k < KIN_EVALUATE_PARTS_MAX; k++) {
            unsigned part = number_of(list[i].parts[k].name);
            uint64_t size = 0;
            for (unsigned r = 0; r < w->n; r++)
                size += w->r[r].known && w->r[r].group == (groups ? name : part) &&
                        w->r[r].entity == (groups ? part : name);
            assert_int_equal(list[i].parts[k].records, size);
            records += size;
        }
        if (list[i].part_count <= KIN_EVALUATE_PARTS_MAX)
            assert_int_equal(list[i].records, records);
    }
}

static void check_weakest(const struct world *w, const struct kin_evaluation *e)
{
    for (size_t i = 0; i < e->group_count; i++) {
        unsigned group = number_of(e->groups[i].name);
        const struct plain_link *weakest = NULL;
        uint64_t links = 0;
        for (unsigned k = 0; k < w->link_count; k++) {
            const struct plain_link *x = &w->links[k];
            if (w->r[x->a].group != group || !counts(w, x->a, x->b) ||
                w->r[x->a].entity == w->r[x->b].entity)
                continue;
            links++;
            if (!weakest || weaker(x, weakest))
                weakest = x;
        }
        assert_int_equal(e->groups[i].false_links, links);
        if (!weakest)
            continue;
        assert_int_equal(e->groups[i].weakest.certain, weakest->certain);
        assert_true(weakest->certain || e->groups[i].weakest.weight == weakest->weight);
    }
}

/* Each point is right, the last is for all links, and there are no more than asked for. */
static void check_curve(const struct world *w, const struct kin_evaluation *e, size_t max)
{
    assert_true(e->point_count <= max);
    for (size_t i = 0; i < e->point_count; i++) {
        const struct kin_evaluation_point *p = &e->points[i];
        struct plain_link limit = {0, 0, p->certain, p->weight};
        uint64_t links = 0, correct = 0;
        for (unsigned k = 0; k < w->link_count; k++) {
            const struct plain_link *x = &w->links[k];
            bool in = counts(w, x->a, x->b) && !weaker(x, &limit);
            links += in;
            correct += in && w->r[x->a].entity == w->r[x->b].entity;
        }
        assert_int_equal(p->links, links);
        assert_int_equal(p->correct, correct);
    }
    if (e->links)
        assert_int_equal(e->points[e->point_count - 1].links, e->links);
    assert_true((e->point_count > 0) == (e->links > 0));
}

static void check_false_links(const struct world *w, const struct kin_evaluation *e, size_t cap)
{
    uint64_t wrong = 0, correct = 0, unknown = 0;
    for (unsigned k = 0; k < w->link_count; k++) {
        const struct plain_link *x = &w->links[k];
        bool same = w->r[x->a].entity == w->r[x->b].entity;
        wrong += counts(w, x->a, x->b) && !same;
        correct += counts(w, x->a, x->b) && same;
        unknown += (!w->r[x->a].known || !w->r[x->b].known) &&
                   (!w->across || w->r[x->a].source != w->r[x->b].source);
    }
    assert_int_equal(e->links, wrong + correct);
    assert_int_equal(e->links_correct, correct);
    assert_int_equal(e->links_unknown, unknown);
    assert_int_equal(e->false_link_count, wrong < cap ? wrong : cap);
    for (size_t i = 0; i < e->false_link_count; i++) {
        const struct kin_evaluation_link *got = &e->false_links[i];
        struct plain_link limit = {0, 0, got->certain, got->weight};
        uint64_t above = 0, same = 0;
        for (unsigned k = 0; k < w->link_count; k++) {
            const struct plain_link *x = &w->links[k];
            if (!counts(w, x->a, x->b) || w->r[x->a].entity == w->r[x->b].entity)
                continue;
            above += weaker(&limit, x);
            same += !weaker(&limit, x) && !weaker(x, &limit);
        }
        assert_true(above <= i && i < above + same);
        assert_false(kin_str_eq(got->entity_a, got->entity_b));
    }
}

static void check_sources(const struct world *w, const struct kin_evaluation *e)
{
    struct kin_score sum = {0, 0, 0};
    for (size_t i = 0; i < e->sources_count; i++) {
        unsigned a = number_of(e->sources[i].a), b = number_of(e->sources[i].b);
        struct kin_score want = {0, 0, 0};
        for (unsigned x = 0; x < w->n; x++) {
            for (unsigned y = 0; y < w->n; y++) {
                if (x == y || !w->r[x].known || !w->r[y].known || w->r[x].source != a ||
                    w->r[y].source != b || (a == b && x < y))
                    continue;
                bool group = w->r[x].group == w->r[y].group;
                bool entity = w->r[x].entity == w->r[y].entity;
                want.found += group;
                want.truth += entity;
                want.correct += group && entity;
            }
        }
        assert_memory_equal(&e->sources[i].pairs, &want, sizeof want);
        sum.found += want.found;
        sum.truth += want.truth;
        sum.correct += want.correct;
    }
    assert_memory_equal(&e->levels[0].pairs, &sum, sizeof sum);
}

static void random_files_agree_with_looking_at_every_pair(void **state)
{
    (void)state;
    uint64_t rng = 7;
    static struct world w;
    for (unsigned round = 0; round < 400; round++) {
        struct kin_buf matches = {0}, truth = {0}, pairs = {0};
        make_world(&w, &rng);
        put_world(&w, &matches, &truth, &pairs);
        struct kin_evaluate_options options = {
            .across = w.across, .worst = draw(&rng, 6), .points = 2 + draw(&rng, 30)};
        struct kin_evaluation *e = NULL;
        struct kin_err err = {0};
        if (evaluate_texts(str_of_buf(&matches), str_of_buf(&truth), str_of_buf(&pairs), options,
                           &e, &err) != KIN_OK)
            fail_msg("round %u: %s", round, err.msg);
        check_false_links(&w, e, options.worst);
        check_wrong(&w, e->groups, e->group_count, e->wrong_groups, options.worst, true);
        check_wrong(&w, e->entities, e->entity_count, e->split_entities, options.worst, false);
        check_weakest(&w, e);
        check_curve(&w, e, options.points);
        check_sources(&w, e);
        struct kin_score wide = {0, 0, 0};
        for (unsigned i = 0; i < w.n; i++) {
            for (unsigned k = 0; k < i; k++) {
                bool known = w.r[i].known && w.r[k].known;
                bool group = w.r[i].wide_group == w.r[k].wide_group;
                bool entity = w.r[i].entity == w.r[k].entity;
                wide.found += known && group;
                wide.truth += known && entity;
                wide.correct += known && group && entity;
            }
        }
        assert_memory_equal(&e->levels[1].pairs, &wide, sizeof wide);
        kin_evaluation_free(e);
        kin_buf_deinit(&matches);
        kin_buf_deinit(&truth);
        kin_buf_deinit(&pairs);
    }
}

/* ---- what is printed ---- */

static void assert_says(const struct kin_buf *out, const char *want)
{
    if (strcmp((const char *)out->p, want) != 0)
        fail_msg("instead:\n%s", (const char *)out->p);
}

static void the_tables_are_for_people(void **state)
{
    (void)state;
    struct kin_evaluation *e = evaluate(matches_text, truth_text, pairs_text, plain_options);
    struct kin_buf out = {0};
    kin_evaluation_print(e, &out);
    kin_buf_putc(&out, '\0');
    assert_says(
        &out,
        "records                      6\n"
        "only in result               1\n"
        "\n"
        "                         found          true       correct precision    recall        F1\n"
        "pairs                        4             4             1    0.2500    0.2500    0.2500\n"
        "across sources               2             3             1    0.5000    0.3333    0.4000\n"
        "groups of 2 +                2             2             0    0.0000    0.0000    0.0000\n"
        "B-cubed                                                       0.6111    0.6111    0.6111\n"
        "\n"
        "Threshold          found pairs precision    recall        F1    B-cubed: prec.    recall  "
        "      F1\n"
        "* primary                    4    0.2500    0.2500    0.2500            0.6111    0.6111  "
        "  0.6111\n"
        "  0.99                       2    0.5000    0.2500    0.3333            0.8333    0.6111  "
        "  0.7051\n"
        "  0.5                       10    0.4000    1.0000    0.5714            0.6000    1.0000  "
        "  0.7500\n"
        "\n"
        "Pairs by source          found          true       correct precision    recall        F1\n"
        "                             1             0             0    0.0000    1.0000    0.0000  "
        "x - x\n"
        "                             2             3             1    0.5000    0.3333    0.4000  "
        "x - y\n"
        "                             1             1             0    0.0000    0.0000    0.0000  "
        "y - y\n"
        "\n"
        "Direct links: pairs that were compared, matched, and lie in one group.\n"
        "(1 more have a record that is not in truth.)\n"
        "Precision is that of the links of at least this weight. Recall is the share of all true "
        "pairs\n"
        "that are such links: records are in one group by way of others, too. What is below the\n"
        "threshold of the run is not in pairs.csv: there the curve ends.\n"
        "      weight  probability         links       correct precision    recall        F1\n"
        "     by rule     1.000000             1             0    0.0000    0.0000    0.0000\n"
        "      12.500     0.999827             2             1    0.5000    0.2500    0.3333\n"
        "       3.250     0.904886             3             1    0.3333    0.2500    0.2857\n"
        "       3.125     0.897162             4             1    0.2500    0.2500    0.2500\n"
        "\n"
        "False links: 3. Those of the highest weight:\n"
        "     by rule     1.000000  y c (P) - y e (Q), same phone\n"
        "       3.250     0.904886  x a (P) - x d (Q), model\n"
        "       3.125     0.897162  x d (Q) - y b (P), model\n"
        "\n"
        "Groups of several entities: 2. Those with most false pairs:\n"
        "    m1: records 3, entities 2, false pairs 2\n"
        "              2  P: such as x a\n"
        "              1  Q: x d\n"
        "        links between them: 2; the weakest: 3.125  x d (Q) - y b (P), model\n"
        "    m2: records 2, entities 2, false pairs 1\n"
        "              1  P: y c\n"
        "              1  Q: y e\n"
        "        links between them: 1; the weakest: by rule  y c (P) - y e (Q), same phone\n"
        "\n"
        "Entities in several groups: 2. Those that lose most pairs:\n"
        "    P: records 3, groups 2, lost pairs 2\n"
        "              2  m1: such as x a\n"
        "              1  m2: y c\n"
        "    Q: records 2, groups 2, lost pairs 1\n"
        "              1  m1: x d\n"
        "              1  m2: y e\n");
    kin_buf_deinit(&out);
    kin_evaluation_free(e);
}

/* Brackets are balanced; none of the names has any. */
static bool is_balanced(const char *p)
{
    char open[64];
    size_t depth = 0;
    for (; *p; p++) {
        if ((*p == '{' || *p == '[') && depth < sizeof open)
            open[depth++] = *p == '{' ? '}' : ']';
        else if ((*p == '}' || *p == ']') && (depth == 0 || open[--depth] != *p))
            return false;
    }
    return depth == 0;
}

static void the_object_is_for_programs(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "{\"records\":6,\"only_in_truth\":0,\"only_in_result\":1,\"sources\":2,"
        "\"counted\":\"all\",\n\"thresholds\":[\n  {\"threshold\":null,\"primary\":true,"
        "\"pairs\":{\"found\":4,\"true\":4,\"correct\":1,\"precision\":0.250000,"
        "\"recall\":0.250000,\"f1\":0.250000},\"across_sources\":{\"found\":2,",
        "\"b_cubed\":{\"precision\":0.611111,\"recall\":0.611111,\"f1\":0.611111}},\n"
        "  {\"threshold\":\"0.99\",\"primary\":false,",
        "],\n\"source_pairs\":[\n  {\"source_a\":\"x\",\"source_b\":\"x\",\"found\":1,\"true\":0,",
        "],\n\"links\":{\"count\":4,\"correct\":1,\"not_in_truth\":1,\"curve\":[\n"
        "  {\"weight\":null,\"probability\":1.000000,\"links\":1,\"correct\":0,",
        "  {\"weight\":3.125,\"probability\":0.897162,\"links\":4,\"correct\":1,",
        "]},\n\"false_links\":[\n  {\"weight\":null,\"probability\":1.000000,"
        "\"match_rule\":\"same phone\",\"a\":{\"source\":\"y\",\"id\":\"c\"},"
        "\"b\":{\"source\":\"y\",\"id\":\"e\"},\"entity_a\":\"P\",\"entity_b\":\"Q\"}],\n",
        "\"wrong_groups\":{\"count\":2,\"worst\":[\n  {\"match_id\":\"m1\",\"records\":3,"
        "\"false_pairs\":2,\"entity_count\":2,\"entities\":[{\"entity\":\"P\",\"records\":2,"
        "\"example\":{\"source\":\"x\",\"id\":\"a\"}},",
        "\"false_links\":2,\"weakest\":{\"weight\":3.125,",
        "]},\n\"split_entities\":{\"count\":2,\"worst\":[\n  {\"entity\":\"P\",\"records\":3,"
        "\"lost_pairs\":2,\"group_count\":2,\"groups\":[{\"match_id\":\"m1\",\"records\":2,",
    };
    struct kin_evaluate_options options = plain_options;
    options.worst = 1;
    struct kin_evaluation *e = evaluate(matches_text, truth_text, pairs_text, options);
    struct kin_buf out = {0};
    kin_evaluation_json(e, &out);
    kin_buf_putc(&out, '\0');
    const char *at = (const char *)out.p;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *found = strstr(at, parts[i]);
        if (!found)
            fail_msg("no %s\nin %s", parts[i], (const char *)out.p);
        at = found + strlen(parts[i]);
    }
    assert_true(is_balanced((const char *)out.p));
    kin_buf_deinit(&out);
    kin_evaluation_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_threshold_is_counted_on_its_own),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(the_curve_goes_down_by_weight),
        cmocka_unit_test(across_counts_pairs_of_two_sources_only),
        cmocka_unit_test(nothing_is_listed_where_nothing_is_asked_for),
        cmocka_unit_test(random_files_agree_with_looking_at_every_pair),
        cmocka_unit_test(the_tables_are_for_people),
        cmocka_unit_test(the_object_is_for_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
