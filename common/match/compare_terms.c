/* Values of a record as people read them, and as they are counted. */
#include "common/match/compare_impl.h"

#include "common/base/hash.h"
#include "common/match/text_parts.h"

#include <stdlib.h>

/* ---- for people ---- */

void kin_value_print(const struct kin_value *v, enum kin_type type, struct kin_buf *out)
{
    int32_t days;
    double number;
    struct kin_place place;
    char text[KIN_CIVIL_TEXT_MAX];
    if (type == KIN_TYPE_DATE && kin_value_days(v, &days))
        kin_buf_put(out, text, kin_civil_text(kin_civil_of_days(days), text));
    else if (type == KIN_TYPE_NUMBER && kin_value_number(v, &number))
        kin_buf_printf(out, "%.15g", number);
    else if (type == KIN_TYPE_GEO && kin_value_place(v, &place))
        kin_buf_printf(out, "%.6f, %.6f", place.latitude, place.longitude);
    else
        kin_buf_put(out, v->p, v->bytes);
}

static enum kin_type type_of(const struct kin_plan *plan, uint16_t field)
{
    for (unsigned i = 0; i < plan->field_count; i++) {
        if (plan->fields[i] == field)
            return plan->types[i];
    }
    return KIN_TYPE_TEXT;
}

void kin_comparer_print(const struct kin_comparer *c, unsigned comparison,
                        const struct kin_compared *compared, unsigned side, struct kin_buf *out)
{
    const struct kin_plan *plan = &c->plans[comparison];
    for (unsigned i = 0; i < compared->parts; i++) {
        const struct kin_compared_part *part = &compared->part[i];
        if (i)
            kin_buf_puts(out, " + ");
        kin_value_print(side ? &part->b : &part->a,
                        type_of(plan, side ? part->field_b : part->field_a), out);
    }
}

/* ---- for counting ---- */

struct terms {
    uint64_t *out;
    unsigned count;
    unsigned seen; /* with repeats */
};

static void add_term(struct terms *t, uint64_t hash)
{
    if (t->seen++ >= KIN_COMPARISON_TERMS_MAX)
        return;
    for (unsigned i = 0; i < t->count; i++) {
        if (t->out[i] == hash)
            return;
    }
    t->out[t->count++] = hash;
}

/* Adds all combinations, of which `hash` is the part of the first `i` fields. */
static void add_combinations(struct terms *t, const struct kin_plan *plan, const uint8_t *rec,
                             unsigned i, uint64_t hash)
{
    if (i == plan->field_count) {
        add_term(t, hash);
        return;
    }
    const uint8_t *at = NULL;
    unsigned count = kin_features_values(rec, plan->fields[i], &at);
    for (unsigned k = 0; k < count && t->seen < KIN_COMPARISON_TERMS_MAX; k++) {
        uint64_t value = kin_features_next(&at).hash;
        add_combinations(t, plan, rec, i + 1, i ? kin_hash_mix(hash, value) : value);
    }
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

unsigned kin_comparer_terms(const struct kin_comparer *c, unsigned comparison, const uint8_t *rec,
                            uint64_t out[KIN_COMPARISON_TERMS_MAX])
{
    const struct kin_plan *plan = &c->plans[comparison];
    struct terms t = {out, 0, 0};
    if (!plan->any_only) {
        add_combinations(&t, plan, rec, 0, 0);
    } else {
        for (unsigned i = 0; i < plan->field_count; i++) {
            const uint8_t *at = NULL;
            unsigned count = kin_features_values(rec, plan->fields[i], &at);
            for (unsigned k = 0; k < count; k++)
                add_term(&t, kin_features_next(&at).hash);
        }
    }
    if (t.count > 1)
        qsort(out, t.count, sizeof *out, ascending);
    return t.count;
}

uint32_t kin_comparer_using(const struct kin_comparer *c, const uint16_t *fields, size_t count)
{
    uint32_t mask = 0;
    for (unsigned i = 0; i < c->count; i++) {
        for (unsigned f = 0; f < c->plans[i].field_count; f++) {
            for (size_t k = 0; k < count; k++)
                mask |= (uint32_t)(c->plans[i].fields[f] == fields[k]) << i;
        }
    }
    return mask;
}
