#include "tests/oracle/simulate.h"

#include <stdlib.h>
#include <string.h>

uint64_t sim_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

double sim_uniform(uint64_t *state)
{
    return (double)(sim_next(state) >> 11) / 9007199254740992.0;
}

static unsigned below(uint64_t *state, unsigned n)
{
    return (unsigned)(sim_uniform(state) * n);
}

/* ---- things and records ---- */

struct value {
    uint32_t id;   /* 0: empty */
    uint32_t slip; /* 0: none */
};

struct thing {
    uint32_t value[SIM_FIELDS_MAX];
    unsigned group;
};

struct record {
    uint32_t thing;
    struct value value[SIM_FIELDS_MAX];
};

/* 1..values; a group's own values are a stretch of them */
static uint32_t draw_value(uint64_t *rng, const struct sim_options *o, unsigned f, unsigned group)
{
    unsigned values = o->fields[f].values, from = 0;
    if (o->groups > 1 && (o->group_fields >> f & 1)) {
        values /= o->groups;
        from = values * group;
    }
    double x = sim_uniform(rng);
    if (o->fields[f].skewed)
        x = x * x * x;
    return 1 + from + (uint32_t)(x * values);
}

static struct thing draw_thing(uint64_t *rng, const struct sim_options *o,
                               const struct thing *before)
{
    struct thing t = {.group = o->groups ? below(rng, o->groups) : 0};
    bool household = before && sim_uniform(rng) < o->household;
    if (household)
        t.group = before->group;
    for (unsigned f = 0; f < o->field_count; f++) {
        t.value[f] = draw_value(rng, o, f, t.group);
        if (household && (o->household_fields >> f & 1))
            t.value[f] = before->value[f];
        if (o->groups && f == o->group_field)
            t.value[f] = 1 + t.group;
    }
    if (sim_uniform(rng) < o->derived) {
        uint64_t mix = 0;
        for (unsigned f = 0; f < o->field_count; f++) {
            if (o->derived_from >> f & 1)
                mix = mix * 1000003 + t.value[f];
        }
        t.value[o->derived_field] = 1 + (uint32_t)(mix % o->fields[o->derived_field].values);
    }
    return t;
}

static struct record draw_record(uint64_t *rng, const struct sim_options *o, const struct thing *t,
                                 uint32_t thing)
{
    struct record r = {.thing = thing};
    bool moved = sim_uniform(rng) < o->moved;
    double factor = sim_uniform(rng) < o->messy ? o->messy_factor : 1;
    for (unsigned f = 0; f < o->field_count; f++) {
        const struct sim_field *field = &o->fields[f];
        r.value[f].id = t->value[f];
        if (sim_uniform(rng) < field->wrong * factor || (moved && (o->moved_fields >> f & 1)))
            r.value[f].id = draw_value(rng, o, f, t->group);
        if (sim_uniform(rng) < field->close * factor)
            r.value[f].slip = 1 + (uint32_t)(sim_next(rng) >> 33);
        if (sim_uniform(rng) < field->empty)
            r.value[f].id = 0;
    }
    return r;
}

static unsigned level_of(const struct sim_field *field, struct value a, struct value b)
{
    if (a.id == 0 || b.id == 0)
        return 0;
    if (a.id == b.id && a.slip == b.slip)
        return 1;
    if (field->two_levels)
        return 2;
    bool alike = field->alike > 1 && a.id / field->alike == b.id / field->alike;
    return a.id == b.id || alike ? 2 : 3;
}

/* ---- counting ---- */

struct cells {
    struct sim_cell *table; /* open addressing; pairs 0: free */
    size_t room, used;
};

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static struct sim_cell *cell_of(struct cells *c, uint64_t pattern, uint32_t keys)
{
    uint64_t at = (pattern * UINT64_C(0x9e3779b97f4a7c15) ^ keys) * UINT64_C(0xbf58476d1ce4e5b9);
    for (at >>= 20;; at++) {
        struct sim_cell *cell = &c->table[at & (c->room - 1)];
        if (cell->pairs == 0 || (cell->pattern == pattern && cell->keys == keys))
            return cell;
    }
}

static struct sim_cell *count_cell(struct cells *c, uint64_t pattern, uint32_t keys)
{
    if (c->used * 2 >= c->room) {
        struct cells wider = {.room = c->room ? c->room * 2 : 1024};
        wider.table = must(kin_calloc(wider.room, sizeof *wider.table));
        for (size_t i = 0; i < c->room; i++) {
            const struct sim_cell *from = &c->table[i];
            if (from->pairs)
                *cell_of(&wider, from->pattern, from->keys) = *from;
        }
        wider.used = c->used;
        kin_free(c->table);
        *c = wider;
    }
    struct sim_cell *cell = cell_of(c, pattern, keys);
    if (cell->pairs == 0) {
        cell->pattern = pattern;
        cell->keys = keys;
        c->used++;
    }
    cell->pairs++;
    return cell;
}

static void compare_all(struct simulation *s, const struct sim_options *o,
                        const struct record *records, struct cells *cells)
{
    unsigned sample = o->sample && o->sample < s->records ? o->sample : s->records;
    for (unsigned a = 0; a < s->records; a++) {
        for (unsigned b = a + 1; b < s->records; b++) {
            uint64_t pattern = 0;
            uint32_t equal = 0, keys = 0;
            for (unsigned f = 0; f < o->field_count; f++) {
                unsigned level = level_of(&o->fields[f], records[a].value[f], records[b].value[f]);
                pattern = kin_pattern_with(pattern, f, level);
                equal |= (uint32_t)(level == 1) << f;
            }
            for (unsigned k = 0; k < o->key_count; k++)
                keys |= (uint32_t)((equal & o->keys[k]) == o->keys[k]) << k;
            bool match = records[a].thing == records[b].thing;
            struct sim_cell *cell = count_cell(cells, pattern, keys);
            cell->matches += match;
            cell->random += b < sample;
            cell->random_matches += match && b < sample;
            s->matches += match;
            for (unsigned f = 0; f < o->field_count; f++) {
                unsigned level = kin_pattern_level(pattern, f);
                (match ? s->m : s->u)[f][level] += 1;
                s->input.equal[f].pairs += level != 0;
                s->input.equal[f].equal += level == 1;
            }
        }
    }
}

static int by_keys(const void *a, const void *b)
{
    const struct sim_cell *x = a, *y = b;
    if (x->keys != y->keys)
        return x->keys < y->keys ? -1 : 1;
    return x->pattern < y->pattern ? -1 : x->pattern > y->pattern;
}

static void sort_cells(struct simulation *s, const struct cells *cells)
{
    s->cells = must(kin_arena_alloc(&s->arena, cells->used * sizeof *s->cells + 1));
    for (size_t i = 0; i < cells->room; i++) {
        if (cells->table[i].pairs)
            s->cells[s->cell_count++] = cells->table[i];
    }
    if (s->cell_count)
        qsort(s->cells, s->cell_count, sizeof *s->cells, by_keys);
}

/* ---- what the training sees ---- */

static void make_spec(struct simulation *s, const struct sim_options *o)
{
    s->spec.count = o->field_count;
    for (unsigned f = 0; f < o->field_count; f++) {
        struct kin_model_comparison *c = &s->spec.comparisons[f];
        c->name = o->fields[f].name;
        c->level_count = o->fields[f].two_levels ? 2 : 3;
        c->level_text[1] = "exact";
        c->level_text[2] = "close";
        c->level_text[c->level_count] = "else";
    }
}

static void make_passes(struct simulation *s, const struct sim_options *o)
{
    struct kin_train_pass *passes = must(kin_arena_calloc(&s->arena, o->key_count, sizeof *passes));
    for (unsigned k = 0; k < o->key_count; k++) {
        struct kin_pattern_count *items =
            must(kin_arena_alloc(&s->arena, s->cell_count * sizeof *items + 1));
        char *name = must(kin_arena_calloc(&s->arena, 128, 1));
        size_t n = 0;
        for (size_t i = 0; i < s->cell_count; i++) {
            if (s->cells[i].keys >> k & 1)
                items[n++] = (struct kin_pattern_count){s->cells[i].pattern, s->cells[i].pairs};
        }
        for (unsigned f = 0; f < o->field_count; f++) {
            if ((o->keys[k] >> f & 1) && strlen(name) + strlen(o->fields[f].name) + 3 < 127)
                strcat(strcat(name, name[0] ? ", " : ""), o->fields[f].name);
        }
        passes[k] = (struct kin_train_pass){
            .name = name, .forced = o->keys[k], .counts = {.items = items, .n = n}};
    }
    s->input.passes = passes;
    s->input.pass_count = o->key_count;
}

static void make_input(struct simulation *s, const struct sim_options *o)
{
    struct kin_pattern_count *random =
        must(kin_arena_alloc(&s->arena, s->cell_count * sizeof *random + 1));
    struct kin_train_set *sets = must(kin_arena_alloc(&s->arena, s->cell_count * sizeof *sets + 1));
    size_t random_count = 0, set_count = 0;
    for (size_t i = 0; i < s->cell_count; i++) {
        const struct sim_cell *c = &s->cells[i];
        if (c->random)
            random[random_count++] = (struct kin_pattern_count){c->pattern, c->random};
        if (c->keys)
            sets[set_count++] = (struct kin_train_set){c->keys, c->pattern, c->pairs};
    }
    s->input.spec = &s->spec;
    s->input.records = s->records;
    s->input.possible_pairs = (uint64_t)s->records * (s->records ? s->records - 1 : 0) / 2;
    s->input.random = (struct kin_pattern_counts){random, random_count};
    s->input.sets = sets;
    s->input.set_count = set_count;
    make_passes(s, o);
}

static void make_shares(double *p)
{
    double sum = 0;
    for (unsigned l = 1; l <= KIN_LEVELS_MAX; l++)
        sum += p[l];
    for (unsigned l = 1; l <= KIN_LEVELS_MAX; l++)
        p[l] = sum > 0 ? p[l] / sum : 0;
}

struct simulation *sim_new(const struct sim_options *o)
{
    struct simulation *s = must(kin_calloc(1, sizeof *s));
    uint64_t rng = o->seed * 1000003 + 17;
    struct thing *things = must(kin_calloc(o->things, sizeof *things));
    unsigned room = o->things * (o->copies_max > 1 ? o->copies_max : 1);
    struct record *records = must(kin_calloc(room, sizeof *records));
    for (unsigned t = 0; t < o->things; t++) {
        things[t] = draw_thing(&rng, o, t ? &things[t - 1] : NULL);
        bool duplicated = o->copies_max > 1 && sim_uniform(&rng) < o->duplicated;
        unsigned copies = duplicated ? 2 + below(&rng, o->copies_max - 1) : 1;
        for (unsigned c = 0; c < copies; c++)
            records[s->records++] = draw_record(&rng, o, &things[t], t);
    }
    for (unsigned i = s->records; i > 1; i--) { /* shuffled: the sample is the first ones */
        unsigned j = below(&rng, i);
        struct record swap = records[i - 1];
        records[i - 1] = records[j];
        records[j] = swap;
    }
    struct cells cells = {0};
    make_spec(s, o);
    compare_all(s, o, records, &cells);
    sort_cells(s, &cells);
    make_input(s, o);
    for (unsigned f = 0; f < o->field_count; f++) {
        make_shares(s->m[f]);
        make_shares(s->u[f]);
    }
    kin_free(cells.table);
    kin_free(records);
    kin_free(things);
    return s;
}

void sim_free(struct simulation *s)
{
    kin_arena_deinit(&s->arena);
    kin_free(s);
}

/* ---- judging ---- */

struct sim_score sim_evaluate(const struct simulation *s, const struct kin_model *model)
{
    struct sim_score score = {0};
    struct kin_model_tables tables;
    double given = 0, right = 0, found = 0;
    kin_model_tables(model, &tables);
    int32_t threshold = kin_probability_weight(0.95);
    for (size_t i = 0; i < s->cell_count; i++) {
        const struct sim_cell *c = &s->cells[i];
        if (c->keys == 0)
            continue;
        int32_t weight = kin_model_weight(&tables, c->pattern);
        double p = kin_weight_probability(weight), pairs = (double)c->pairs;
        unsigned bin = p < 0.5 ? 0 : p < 0.95 ? 1 : p < 0.99 ? 2 : 3;
        if (p >= 0.05) {
            score.pairs[bin] += pairs;
            score.expected[bin] += pairs * p;
            score.matches[bin] += (double)c->matches;
        }
        found += (double)c->matches;
        if (weight >= threshold) {
            given += pairs;
            right += (double)c->matches;
        }
    }
    score.precision = given > 0 ? right / given : 1;
    score.recall_found = found > 0 ? right / found : 1;
    score.recall = s->matches ? right / (double)s->matches : 1;
    score.f1 = right > 0 ? 2 * right / (given + (double)s->matches) : 0;
    return score;
}

/* ---- pairs drawn directly ---- */

static unsigned draw_level(uint64_t *state, const double *p, unsigned levels)
{
    double x = sim_uniform(state);
    unsigned l = 1;
    while (l < levels && x >= p[l])
        x -= p[l++];
    return l;
}

static int by_pattern(const void *a, const void *b)
{
    const struct kin_pattern_count *x = a, *y = b;
    return x->pattern < y->pattern ? -1 : x->pattern > y->pattern;
}

size_t sim_draw(uint64_t *state, const struct kin_model *truth, double share, double empty,
                uint32_t forced, size_t pairs, struct kin_pattern_count *out)
{
    for (size_t k = 0; k < pairs; k++) {
        bool match = sim_uniform(state) < share;
        uint64_t pattern = 0;
        for (unsigned i = 0; i < truth->spec.count; i++) {
            unsigned levels = truth->spec.comparisons[i].level_count;
            unsigned level = draw_level(state, match ? truth->m[i] : truth->u[i], levels);
            if (sim_uniform(state) < empty)
                level = 0;
            pattern = kin_pattern_with(pattern, i, forced >> i & 1 ? 1 : level);
        }
        out[k] = (struct kin_pattern_count){pattern, 1};
    }
    qsort(out, pairs, sizeof *out, by_pattern);
    size_t n = 0;
    for (size_t k = 0; k < pairs; k++) {
        if (n > 0 && out[n - 1].pattern == out[k].pattern)
            out[n - 1].count++;
        else
            out[n++] = out[k];
    }
    return n;
}
