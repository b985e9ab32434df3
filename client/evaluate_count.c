/* Counts pairs by contingency: records are sorted by group and entity, and runs are counted. */
#include "client/evaluate_impl.h"

struct counter {
    struct evaluator *e;
    struct kin_keyed *items, *tmp; /* a record of both files each: outer, inner; value: record */
    size_t n;
    uint32_t *entity_size; /* [entity] */
    uint32_t *in_source;   /* [source]: of the run at hand; zero between runs */
    uint32_t *met;         /* the sources of the run at hand */
    uint64_t *by_sources;  /* [column][sources_at]; NULL: there are too many sources */
};

enum column { FOUND, TRUTH, CORRECT, COLUMNS, NO_COLUMN = COLUMNS };

struct pair_count {
    uint64_t all, across;
};

static size_t triangle(size_t n)
{
    return n * (n + 1) / 2;
}

static size_t sources_at(uint32_t a, uint32_t b)
{
    return a < b ? triangle(b) + a : triangle(a) + b;
}

/* The pairs among the records of a run. */
static struct pair_count count_run(struct counter *c, const struct kin_keyed *items, size_t n,
                                   enum column column)
{
    struct pair_count pairs = {evaluate_pairs(n), evaluate_pairs(n)};
    size_t met = 0;
    if (n < 2)
        return pairs;
    for (size_t i = 0; i < n; i++) {
        uint32_t source = c->e->records[items[i].value].source;
        if (c->in_source[source]++ == 0)
            c->met[met++] = source;
    }
    uint64_t *table = c->by_sources && column != NO_COLUMN
                          ? c->by_sources + column * triangle(c->e->sources.count)
                          : NULL;
    for (size_t i = 0; i < met; i++) {
        uint64_t here = c->in_source[c->met[i]];
        pairs.across -= evaluate_pairs(here);
        for (size_t k = 0; table && k < i; k++)
            table[sources_at(c->met[i], c->met[k])] += here * c->in_source[c->met[k]];
        if (table)
            table[sources_at(c->met[i], c->met[i])] += evaluate_pairs(here);
    }
    for (size_t i = 0; i < met; i++)
        c->in_source[c->met[i]] = 0;
    return pairs;
}

static uint32_t outer_of(const struct kin_keyed *x)
{
    return (uint32_t)(x->key >> 32);
}

/* The run that begins at `from`: items equal in the bits of the mask. */
static size_t run_end(const struct counter *c, size_t from, size_t end, uint64_t mask)
{
    size_t i = from + 1;
    while (i < end && ((c->items[i].key ^ c->items[from].key) & mask) == 0)
        i++;
    return i;
}
static const uint64_t outer_bits = 0xffffffff00000000u, all_bits = UINT64_MAX;

static void sort_items(struct counter *c, size_t level, bool by_entity)
{
    const struct evaluator *e = c->e;
    c->n = 0;
    for (uint32_t r = 0; r < e->ids.count; r++) {
        uint64_t entity = e->records[r].entity, group = evaluate_group(e, r, level);
        if (entity == EVALUATE_NOBODY || evaluate_group(e, r, 0) == EVALUATE_NOBODY)
            continue;
        c->items[c->n++] =
            (struct kin_keyed){by_entity ? entity << 32 | group : group << 32 | entity, r, 0};
    }
    kin_radix_sort(c->items, c->tmp, c->n);
}

/* ---- truth and its splits ---- */

/* Groups or entities that are not what they should be; `wrong` pairs of them. */
static void note_wrong(const struct counter *c, struct evaluate_top *top, uint64_t *count,
                       uint64_t wrong, size_t from, size_t end)
{
    if (!wrong)
        return;
    ++*count;
    evaluate_top_add(top, (struct evaluate_ranked){.rank = wrong,
                                                   .order = outer_of(&c->items[from]),
                                                   .a = (uint32_t)from,
                                                   .b = (uint32_t)(end - from)});
}

static void count_truth(struct counter *c, struct evaluate_top *top)
{
    struct kin_evaluation *out = c->e->out;
    struct kin_evaluation_level *primary = &out->levels[0];
    sort_items(c, 0, true);
    out->records = c->n;
    for (size_t i = 0, end; i < c->n; i = end) {
        end = run_end(c, i, c->n, outer_bits);
        struct pair_count of_entity = count_run(c, c->items + i, end - i, TRUTH);
        uint64_t lost = out->across ? of_entity.across : of_entity.all;
        for (size_t k = i, next; k < end; k = next) {
            next = run_end(c, k, end, all_bits);
            struct pair_count kept = count_run(c, c->items + k, next - k, NO_COLUMN);
            lost -= out->across ? kept.across : kept.all;
        }
        c->entity_size[outer_of(&c->items[i])] = (uint32_t)(end - i);
        primary->pairs.truth += of_entity.all;
        primary->across.truth += of_entity.across;
        primary->groups.truth += end - i >= 2;
        note_wrong(c, top, &out->split_entities, lost, i, end);
    }
}

/* ---- groups of one threshold ---- */

static void count_groups(struct counter *c, size_t level, struct evaluate_top *top)
{
    struct kin_evaluation *out = c->e->out;
    struct kin_evaluation_level *l = &out->levels[level];
    sort_items(c, level, false);
    for (size_t i = 0, end; i < c->n; i = end) {
        end = run_end(c, i, c->n, outer_bits);
        struct pair_count of_group = count_run(c, c->items + i, end - i, top ? FOUND : NO_COLUMN);
        struct pair_count correct = {0, 0};
        for (size_t k = i, next; k < end; k = next) {
            next = run_end(c, k, end, all_bits);
            struct pair_count of_both =
                count_run(c, c->items + k, next - k, top ? CORRECT : NO_COLUMN);
            size_t entity_size = c->entity_size[(uint32_t)c->items[k].key];
            double both = (double)(next - k);
            correct.all += of_both.all;
            correct.across += of_both.across;
            l->bcubed_precision += both * both / (double)(end - i);
            l->bcubed_recall += both * both / (double)entity_size;
            l->groups.correct += end - i >= 2 && next - k == end - i && entity_size == end - i;
        }
        l->pairs.found += of_group.all;
        l->pairs.correct += correct.all;
        l->across.found += of_group.across;
        l->across.correct += correct.across;
        l->groups.found += end - i >= 2;
        if (top)
            note_wrong(c, top, &out->wrong_groups,
                       out->across ? of_group.across - correct.across : of_group.all - correct.all,
                       i, end);
    }
    l->bcubed_precision = c->n ? l->bcubed_precision / (double)c->n : 1;
    l->bcubed_recall = c->n ? l->bcubed_recall / (double)c->n : 1;
}

/* ---- what is shown of a wrong group ---- */

static void show_wrong(struct counter *c, const struct evaluate_ranked *x, bool by_entity,
                       struct evaluate_top *parts, struct kin_evaluation_wrong *to)
{
    struct evaluator *e = c->e;
    const struct evaluate_names *outer = by_entity ? &e->entities : &e->groups,
                                *inner = by_entity ? &e->groups : &e->entities;
    *to = (struct kin_evaluation_wrong){.name = evaluate_keep_name(e, outer, (uint32_t)x->order),
                                        .records = x->b,
                                        .wrong_pairs = x->rank};
    parts->count = 0;
    size_t end = (size_t)x->a + x->b;
    for (size_t k = x->a, next; k < end; k = next) {
        next = run_end(c, k, end, all_bits);
        to->part_count++;
        evaluate_top_add(parts,
                         (struct evaluate_ranked){.rank = next - k, .order = k, .a = (uint32_t)k});
    }
    for (size_t i = 0; i < parts->count; i++) {
        const struct kin_keyed *first = &c->items[parts->items[i].a]; /* the sort is stable */
        to->parts[i] = (struct kin_evaluation_part){
            evaluate_keep_name(e, inner, (uint32_t)first->key), parts->items[i].rank,
            evaluate_keep_record(e, first->value)};
    }
}

static kin_status show_all(struct counter *c, const struct evaluate_top *top, bool by_entity,
                           struct kin_evaluation_wrong **list, size_t *count)
{
    struct evaluate_top parts;
    kin_status status = evaluate_top_init(&parts, KIN_EVALUATE_PARTS_MAX);
    *list = kin_arena_calloc(&c->e->out->arena, top->count + 1, sizeof **list);
    if (status != KIN_OK || !*list)
        status = KIN_E_NOMEM;
    for (size_t i = 0; i < top->count && status == KIN_OK; i++)
        show_wrong(c, &top->items[i], by_entity, &parts, &(*list)[i]);
    *count = top->count;
    evaluate_top_deinit(&parts);
    return c->e->failed ? KIN_E_NOMEM : status;
}

static kin_status show_sources(struct counter *c)
{
    struct evaluator *e = c->e;
    uint32_t n = c->by_sources ? e->sources.count : 0;
    size_t cells = triangle(n), used = 0;
    e->out->source_count = e->sources.count;
    e->out->sources = kin_arena_calloc(&e->out->arena, cells + 1, sizeof *e->out->sources);
    if (!e->out->sources)
        return KIN_E_NOMEM;
    for (uint32_t a = 0; a < n; a++) {
        for (uint32_t b = a; b < n; b++) {
            size_t at = sources_at(a, b);
            struct kin_score s = {c->by_sources[FOUND * cells + at],
                                  c->by_sources[TRUTH * cells + at],
                                  c->by_sources[CORRECT * cells + at]};
            if (!s.found && !s.truth)
                continue;
            e->out->sources[used++] = (struct kin_evaluation_sources){
                evaluate_keep_name(e, &e->sources, a), evaluate_keep_name(e, &e->sources, b), s};
        }
    }
    e->out->sources_count = used;
    return e->failed ? KIN_E_NOMEM : KIN_OK;
}

/* ---- all of it ---- */

static kin_status counter_init(struct counter *c, struct evaluator *e)
{
    size_t both = 0;
    for (uint32_t r = 0; r < e->ids.count; r++) {
        bool found = evaluate_group(e, r, 0) != EVALUATE_NOBODY;
        bool known = e->records[r].entity != EVALUATE_NOBODY;
        both += found && known;
        e->out->only_in_truth += !found;
        e->out->only_in_result += !known;
    }
    *c = (struct counter){.e = e};
    c->items = kin_reallocarray(NULL, both, sizeof *c->items);
    c->tmp = kin_reallocarray(NULL, both, sizeof *c->tmp);
    c->entity_size = kin_calloc(e->entities.count, sizeof *c->entity_size);
    c->in_source = kin_calloc(e->sources.count, sizeof *c->in_source);
    c->met = kin_calloc(e->sources.count, sizeof *c->met);
    if (e->sources.count <= KIN_EVALUATE_SOURCES_MAX) {
        c->by_sources = kin_calloc(COLUMNS * triangle(e->sources.count), sizeof *c->by_sources);
        if (!c->by_sources)
            return KIN_E_NOMEM;
    }
    return c->items && c->tmp && c->entity_size && c->in_source && c->met ? KIN_OK : KIN_E_NOMEM;
}

static void counter_deinit(struct counter *c)
{
    kin_free(c->items);
    kin_free(c->tmp);
    kin_free(c->entity_size);
    kin_free(c->in_source);
    kin_free(c->met);
    kin_free(c->by_sources);
}

static kin_status count_primary(struct counter *c, struct evaluate_top *top, uint32_t **listed)
{
    struct kin_evaluation *out = c->e->out;
    count_truth(c, top);
    kin_status status = show_all(c, top, true, &out->entities, &out->entity_count);
    if (status != KIN_OK)
        return status;
    top->count = 0;
    count_groups(c, 0, top);
    status = show_all(c, top, false, &out->groups, &out->group_count);
    if (status == KIN_OK && !(*listed = kin_reallocarray(NULL, top->count, sizeof **listed)))
        status = KIN_E_NOMEM;
    for (size_t i = 0; i < top->count && status == KIN_OK; i++)
        (*listed)[i] = (uint32_t)top->items[i].order;
    return status == KIN_OK ? show_sources(c) : status;
}

kin_status evaluate_count(struct evaluator *e, uint32_t **listed)
{
    struct counter c;
    struct evaluate_top top = {0};
    kin_status status = counter_init(&c, e);
    if (status == KIN_OK)
        status = evaluate_top_init(&top, e->options->worst);
    if (status == KIN_OK)
        status = count_primary(&c, &top, listed);
    e->out->level_count = e->levels;
    for (size_t level = 1; level < e->levels && status == KIN_OK; level++) {
        struct kin_evaluation_level *l = &e->out->levels[level];
        l->pairs.truth = e->out->levels[0].pairs.truth;
        l->across.truth = e->out->levels[0].across.truth;
        l->groups.truth = e->out->levels[0].groups.truth;
        count_groups(&c, level, NULL);
    }
    evaluate_top_deinit(&top);
    counter_deinit(&c);
    return status;
}
