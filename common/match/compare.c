/* Two records by the readings of each comparison. */
#include "common/match/compare.h"

#include "common/base/hash.h"
#include "common/match/compare_impl.h"
#include "common/match/text_parts.h"

#include <stdlib.h>
#include <string.h>

struct kin_comparer_scratch *kin_comparer_scratch_new(void)
{
    struct kin_comparer_scratch *s = kin_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->kernels = kin_kernel_scratch_new();
    if (!s->kernels) {
        kin_free(s);
        return NULL;
    }
    return s;
}

void kin_comparer_scratch_free(struct kin_comparer_scratch *s)
{
    if (!s)
        return;
    kin_kernel_scratch_free(s->kernels);
    kin_free(s);
}

/* ---- the values of a field ---- */

struct side {
    const uint8_t *at;
    unsigned count;
};

static inline struct side side_of(const uint8_t *rec, unsigned field)
{
    struct side side = {NULL, 0};
    side.count = kin_features_values(rec, field, &side.at);
    return side;
}

static struct kin_compared_part first_of(struct side a, struct side b)
{
    return (struct kin_compared_part){.a = kin_features_next(&a.at), .b = kin_features_next(&b.at)};
}

/* Level of the best pair of values, if it is less than `below`, else `below`. */
static inline unsigned best_of(const struct kin_plan *plan, const struct kin_chain *chain,
                               struct kin_comparer_scratch *s, struct side a, struct side b,
                               unsigned below)
{
    for (unsigned i = 0; i < a.count; i++) {
        struct kin_value x = kin_features_next(&a.at);
        const uint8_t *at = b.at;
        for (unsigned j = 0; j < b.count; j++) {
            struct kin_value y = kin_features_next(&at);
            below = kin_chain_level(chain, plan->kind, s, &x, &y, below);
            if (below <= chain->equal)
                return below;
        }
    }
    return below;
}

/* Order of pairs of values that does not depend on which side they are on. */
static bool comes_before(const struct kin_compared_part *x, const struct kin_compared_part *y)
{
    uint64_t low_x = x->a.hash < x->b.hash ? x->a.hash : x->b.hash;
    uint64_t low_y = y->a.hash < y->b.hash ? y->a.hash : y->b.hash;
    if (low_x != low_y)
        return low_x < low_y;
    return (low_x ^ x->a.hash ^ x->b.hash) < (low_y ^ y->a.hash ^ y->b.hash);
}

/* What has been found so far, for those who ask what decided. */
struct found {
    unsigned level; /* that to beat */
    bool set;
    struct kin_compared_part part;
};

/* The same as best_of with found->level, telling which pair it was: of several of that level the
 * first by comes_before, so that the answer is the same for b and a. */
static void best_part(const struct kin_plan *plan, const struct kin_chain *chain,
                      struct kin_comparer_scratch *s, struct side a, struct side b,
                      uint16_t field_a, uint16_t field_b, struct found *found)
{
    for (unsigned i = 0; i < a.count; i++) {
        struct kin_compared_part part = {
            .field_a = field_a, .field_b = field_b, .a = kin_features_next(&a.at)};
        const uint8_t *at = b.at;
        for (unsigned j = 0; j < b.count; j++) {
            part.b = kin_features_next(&at);
            unsigned most = found->level + found->set;
            unsigned level = kin_chain_level(chain, plan->kind, s, &part.a, &part.b, most);
            if (level == most || (level == found->level && !comes_before(&part, &found->part)))
                continue;
            *found = (struct found){level, true, part};
        }
    }
}

/* ---- readings ---- */

/* One field: what most comparisons are, and mostly with one value on either side. */
static inline unsigned read_field(const struct kin_plan *plan, struct kin_comparer_scratch *s,
                                  const uint8_t *a, const uint8_t *b)
{
    struct side side_a = side_of(a, plan->fields[0]), side_b = side_of(b, plan->fields[0]);
    if (!side_a.count || !side_b.count)
        return 0;
    if (side_a.count == 1 && side_b.count == 1)
        return kin_plan_level(plan, s, side_a.at, side_b.at);
    return best_of(plan, &plan->chains[KIN_READ_EACH], s, side_a, side_b, plan->else_level);
}

/* Field i of a and its partner of b; the weakest counts. Less than `below`, or `below`; *known: all
 * have values. */
static unsigned read_fields(const struct kin_plan *plan, enum kin_reading reading,
                            struct kin_comparer_scratch *s, const uint8_t *a, const uint8_t *b,
                            unsigned below, bool *known, struct kin_compared *out)
{
    const struct kin_chain *chain = &plan->chains[reading];
    unsigned n = plan->field_count, weakest = chain->equal;
    struct side sides_a[KIN_COMPARISON_FIELDS_MAX] = {{0}};
    struct side sides_b[KIN_COMPARISON_FIELDS_MAX] = {{0}};
    const uint16_t *fields_a = plan->fields, *fields_b = plan->fields;
    const uint16_t crossed[KIN_COMPARISON_FIELDS_MAX] = {plan->fields[1], plan->fields[0]};
    if (reading == KIN_READ_SWAPPED)
        fields_b = crossed;
    for (unsigned i = 0; i < n; i++) {
        sides_a[i] = side_of(a, fields_a[i]);
        sides_b[i] = side_of(b, fields_b[i]);
        if (!sides_a[i].count || !sides_b[i].count)
            return below;
    }
    struct kin_compared_part parts[KIN_COMPARISON_FIELDS_MAX];
    for (unsigned i = 0; i < n && weakest < below; i++) {
        unsigned level;
        if (out) {
            struct found found = {.level = below};
            best_part(plan, chain, s, sides_a[i], sides_b[i], fields_a[i], fields_b[i], &found);
            level = found.level;
            parts[i] = found.part;
        } else {
            level = best_of(plan, chain, s, sides_a[i], sides_b[i], below);
        }
        weakest = level > weakest ? level : weakest;
    }
    bool better = weakest < below;
    if (out && (better || !*known)) {
        out->parts = n;
        for (unsigned i = 0; i < n; i++) {
            out->part[i] = better ? parts[i] : first_of(sides_a[i], sides_b[i]);
            out->part[i].field_a = fields_a[i];
            out->part[i].field_b = fields_b[i];
        }
    }
    *known = true;
    return better ? weakest : below;
}

/* All values together. */
static unsigned read_any(const struct kin_plan *plan, struct kin_comparer_scratch *s,
                         const uint8_t *a, const uint8_t *b, unsigned below, bool *known,
                         struct kin_compared *out)
{
    const struct kin_chain *chain = &plan->chains[KIN_READ_ANY];
    struct found found = {.level = below};
    for (unsigned i = 0; i < plan->field_count; i++) {
        struct side side_a = side_of(a, plan->fields[i]);
        for (unsigned j = 0; j < plan->field_count && side_a.count; j++) {
            struct side side_b = side_of(b, plan->fields[j]);
            if (!side_b.count)
                continue;
            if (!out) {
                found.level = best_of(plan, chain, s, side_a, side_b, found.level);
            } else {
                best_part(plan, chain, s, side_a, side_b, plan->fields[i], plan->fields[j], &found);
                if (!*known) { /* to show at "else" */
                    out->parts = 1;
                    out->part[0] = first_of(side_a, side_b);
                    out->part[0].field_a = plan->fields[i];
                    out->part[0].field_b = plan->fields[j];
                }
            }
            *known = true;
        }
    }
    if (out && found.set) {
        out->parts = 1;
        out->part[0] = found.part;
    }
    return found.level;
}

static uint64_t mixed(uint64_t whole, unsigned i, uint64_t hash)
{
    return i ? kin_hash_mix(whole, hash) : hash;
}

/* What the values of a level are counted under. */
static void set_hashes(const struct kin_plan *plan, struct kin_compared *out)
{
    out->counted = false;
    out->hash_a = out->hash_b = 0;
    bool each = out->parts == plan->field_count;
    if (!plan->term_frequency || !out->parts || out->level >= plan->else_level ||
        !(each || plan->any_only))
        return;
    out->counted = true;
    bool swapped = out->parts > 1 && out->part[0].field_a != out->part[0].field_b;
    for (unsigned i = 0; i < out->parts; i++) {
        out->hash_a = mixed(out->hash_a, i, out->part[i].a.hash);
        out->hash_b = mixed(out->hash_b, i, out->part[swapped ? out->parts - 1 - i : i].b.hash);
    }
}

/* Any comparison, telling what decided. */
static unsigned read_all(const struct kin_plan *plan, struct kin_comparer_scratch *s,
                         const uint8_t *a, const uint8_t *b, struct kin_compared *out)
{
    unsigned level = plan->else_level;
    bool known = false;
    if (out)
        out->parts = 0;
    for (unsigned r = KIN_READ_EACH; r <= KIN_READ_SWAPPED; r++) {
        if (plan->chains[r].equal)
            level = read_fields(plan, (enum kin_reading)r, s, a, b, level, &known, out);
    }
    if (plan->chains[KIN_READ_ANY].equal)
        level = read_any(plan, s, a, b, level, &known, out);
    level = known ? level : 0;
    if (out) {
        out->level = level;
        set_hashes(plan, out);
    }
    return level;
}

unsigned kin_comparer_level(const struct kin_comparer *c, struct kin_comparer_scratch *s,
                            unsigned comparison, const uint8_t *a, const uint8_t *b,
                            struct kin_compared *out)
{
    const struct kin_plan *plan = &c->plans[comparison];
    return !out && plan->field_count == 1 ? read_field(plan, s, a, b)
                                          : read_all(plan, s, a, b, out);
}

uint64_t kin_comparer_pattern(const struct kin_comparer *c, struct kin_comparer_scratch *s,
                              const uint8_t *a, const uint8_t *b)
{
    uint64_t pattern = 0;
    for (unsigned i = 0; i < c->count; i++)
        pattern |= (uint64_t)kin_comparer_level(c, s, i, a, b, NULL) << (KIN_PATTERN_BITS * i);
    return pattern;
}
