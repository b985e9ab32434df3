/* What pairs.csv says: how often links of a weight are right, and which are the worst. */
#include "client/evaluate_impl.h"

enum {
    BINS_MIDDLE = KIN_EVALUATE_BITS_MAX * 1000, /* one bin for each thousandth of a bit */
    BIN_CERTAIN = 2 * BINS_MIDDLE + 1,
    BINS = BIN_CERTAIN + 1
};
/* Ranks of links: certain ones above all weights, which are within +-10^12. */
static const uint64_t rank_certain = UINT64_MAX, rank_middle = (uint64_t)1 << 62;

struct bin {
    uint64_t links, correct;
};

struct links {
    struct evaluator *e;
    struct bin *bins;
    struct evaluate_top worst;
    uint32_t *slot;                  /* [group]: 1 + its place among out->groups, or 0 */
    struct evaluate_ranked *weakest; /* [place] */
    struct evaluate_names rules;
    uint64_t row;
};

static size_t bin_of(const struct evaluate_link *link)
{
    int64_t w = link->weight;
    if (link->certain)
        return BIN_CERTAIN;
    w = w > BINS_MIDDLE ? BINS_MIDDLE : w < -BINS_MIDDLE ? -BINS_MIDDLE : w;
    return (size_t)(w + BINS_MIDDLE);
}

/* Takes the link's place as the weakest of its group. */
static bool is_weakest(const struct links *l, const struct kin_evaluation_wrong *group,
                       const struct evaluate_ranked *item, size_t place)
{
    return group->false_links == 0 || item->rank < l->weakest[place].rank;
}

static kin_status take_false(struct links *l, const struct evaluate_link *link, struct kin_err *err)
{
    struct evaluator *e = l->e;
    uint32_t slot = l->slot[evaluate_group(e, link->a, 0)];
    struct kin_evaluation_wrong *group = slot ? &e->out->groups[slot - 1] : NULL;
    struct evaluate_ranked item = {.rank = link->certain ? rank_certain
                                                         : rank_middle + (uint64_t)link->weight,
                                   .order = l->row,
                                   .a = link->a,
                                   .b = link->b};
    bool worst = evaluate_top_wants(&l->worst, item.rank, item.order);
    bool weakest = group && is_weakest(l, group, &item, slot - 1);
    if (worst || weakest) {
        bool added;
        kin_status status =
            evaluate_names_add(&l->rules, evaluate_key_of(link->rule, (struct evaluate_key){0, 0}),
                               link->rule, &e->texts, &item.c, &added, err);
        if (status != KIN_OK)
            return status;
    }
    if (worst)
        evaluate_top_add(&l->worst, item);
    if (weakest)
        l->weakest[slot - 1] = item;
    if (group)
        group->false_links++;
    return KIN_OK;
}

static kin_status take_link(void *arg, const struct evaluate_link *link, struct kin_err *err)
{
    struct links *l = arg;
    const struct evaluate_record *a = &l->e->records[link->a], *b = &l->e->records[link->b];
    struct kin_evaluation *out = l->e->out;
    l->row++;
    if (out->across && a->source == b->source)
        return KIN_OK;
    if (a->entity == EVALUATE_NOBODY || b->entity == EVALUATE_NOBODY) {
        out->links_unknown++;
        return KIN_OK;
    }
    struct bin *bin = &l->bins[bin_of(link)];
    bool correct = a->entity == b->entity;
    bin->links++;
    bin->correct += correct;
    out->links++;
    out->links_correct += correct;
    return correct ? KIN_OK : take_false(l, link, err);
}

/* ---- the result ---- */

/* All weights where they are few; else those at which a further share of the links is reached. The
 * certain links are a point of their own, and so are all links. */
static kin_status make_curve(const struct links *l)
{
    struct kin_evaluation *out = l->e->out;
    size_t max = l->e->options->points, distinct = 0;
    bool certain = l->bins[BIN_CERTAIN].links > 0;
    for (size_t i = 0; i < BIN_CERTAIN; i++)
        distinct += l->bins[i].links > 0;
    out->points = kin_arena_calloc(&out->arena, max, sizeof *out->points);
    if (!out->points)
        return KIN_E_NOMEM;
    uint64_t weighted = out->links - l->bins[BIN_CERTAIN].links;
    uint64_t slots = max - certain, reached = 0;
    struct bin sum = {0, 0};
    for (size_t i = BINS; i-- > 0 && sum.links < out->links;) {
        if (!l->bins[i].links)
            continue;
        sum.links += l->bins[i].links;
        sum.correct += l->bins[i].correct;
        if (i < BIN_CERTAIN && distinct > slots) {
            uint64_t share = (sum.links - l->bins[BIN_CERTAIN].links) * slots / weighted;
            if (share == reached)
                continue;
            reached = share;
        }
        out->points[out->point_count++] = (struct kin_evaluation_point){
            i == BIN_CERTAIN, i == BIN_CERTAIN ? 0 : (int64_t)i - BINS_MIDDLE, sum.links,
            sum.correct};
    }
    return KIN_OK;
}

static struct kin_evaluation_link show_link(struct links *l, const struct evaluate_ranked *x)
{
    struct evaluator *e = l->e;
    bool certain = x->rank == rank_certain;
    return (struct kin_evaluation_link){
        .a = evaluate_keep_record(e, x->a),
        .b = evaluate_keep_record(e, x->b),
        .entity_a = evaluate_keep_name(e, &e->entities, e->records[x->a].entity),
        .entity_b = evaluate_keep_name(e, &e->entities, e->records[x->b].entity),
        .rule = evaluate_keep_name(e, &l->rules, x->c),
        .certain = certain,
        .weight = certain ? 0 : (int64_t)(x->rank - rank_middle)};
}

static kin_status show_links(struct links *l)
{
    struct kin_evaluation *out = l->e->out;
    size_t n = l->worst.count;
    out->false_links = kin_arena_calloc(&out->arena, n + 1, sizeof *out->false_links);
    if (!out->false_links)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        out->false_links[i] = show_link(l, &l->worst.items[i]);
    out->false_link_count = n;
    for (size_t i = 0; i < out->group_count; i++) {
        if (out->groups[i].false_links)
            out->groups[i].weakest = show_link(l, &l->weakest[i]);
    }
    return l->e->failed ? KIN_E_NOMEM : KIN_OK;
}

kin_status evaluate_links(struct evaluator *e, const uint32_t *listed, struct kin_err *err)
{
    struct links l = {.e = e};
    size_t listed_count = e->out->group_count;
    kin_status status = evaluate_top_init(&l.worst, e->options->worst);
    l.bins = kin_calloc(BINS, sizeof *l.bins);
    l.slot = kin_calloc(e->groups.count, sizeof *l.slot);
    l.weakest = kin_calloc(listed_count, sizeof *l.weakest);
    if (status != KIN_OK || !l.bins || !l.slot || !l.weakest) {
        status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
        goto done;
    }
    for (size_t i = 0; i < listed_count; i++)
        l.slot[listed[i]] = (uint32_t)i + 1;
    status = evaluate_read_links(e, take_link, &l, err);
    if (status == KIN_OK && (make_curve(&l) != KIN_OK || show_links(&l) != KIN_OK))
        status = kin_err_set(err, KIN_E_NOMEM, "out of memory");
    e->out->has_links = true;
done:
    evaluate_top_deinit(&l.worst);
    evaluate_names_deinit(&l.rules);
    kin_free(l.bins);
    kin_free(l.slot);
    kin_free(l.weakest);
    return status;
}
