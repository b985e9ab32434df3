/* The keys that are written: few, cheap, so that nearly all pairs that the rules match share one,
 * and that a slip in one field does not lose a record. */
#include "client/suggest_keys.h"
#include "client/suggest_rules.h"

#include <string.h>

enum { KEYS_MAX = 8, CHEAP_PAIRS_A_RECORD = 10, LOOK = 20000 };
static const double FOUND_ENOUGH = 0.999, GAIN = 0.003, RECORD_GAIN = 0.04;

struct choice {
    struct kin_suggest *s;
    bool *likely;     /* [pair]: some rule matches it, and no chosen key has found it yet */
    uint64_t *common; /* [record]: groups that all its chosen keys have; all ones: it has no key */
    double likely_weight;
    size_t step; /* of records that are looked at */
    size_t chosen;
};

bool kin_suggest_matched(const struct kin_suggest *s, const struct kin_suggest_pair *p)
{
    for (size_t r = 0; r < s->rule_count; r++) {
        for (size_t i = 0; i < s->rules[r].term_sets; i++) {
            if ((p->yes & s->rules[r].terms[i]) == s->rules[r].terms[i])
                return true;
        }
    }
    return false;
}

static bool shares(const struct kin_suggest_pair *p, size_t k)
{
    return p->keys[k / 64] >> k % 64 & 1;
}

/* A cheap key that finds little less is better. */
static double price(const struct kin_suggest *s, const struct kin_suggest_key *key)
{
    double records = (double)s->records * s->scale;
    return 1 + key->all_pairs / (CHEAP_PAIRS_A_RECORD * records + 1);
}

static double new_pairs(const struct choice *c, size_t k)
{
    double sum = 0;
    for (size_t i = 0; i < c->s->pair_count; i++) {
        if (c->likely[i] && shares(&c->s->pairs[i], k))
            sum += c->s->pairs[i].weight;
    }
    return sum;
}

static kin_status take(struct choice *c, size_t k)
{
    struct kin_suggest *s = c->s;
    struct kin_suggest_postings p;
    kin_status status = kin_suggest_postings(s, &s->keys[k].rule, 1, &p);
    for (size_t i = 0; i < p.count; i++)
        c->common[p.items[i].value] &= s->keys[k].groups;
    kin_free(p.items);
    for (size_t i = 0; i < s->pair_count; i++)
        c->likely[i] = c->likely[i] && !shares(&s->pairs[i], k);
    s->keys[k].chosen = true;
    s->chosen[c->chosen++] = k;
    return status;
}

static kin_status choose_by_pairs(struct choice *c)
{
    struct kin_suggest *s = c->s;
    double left = c->likely_weight;
    kin_status status = KIN_OK;
    while (status == KIN_OK && c->chosen < KEYS_MAX &&
           left > (1 - FOUND_ENOUGH) * c->likely_weight) {
        size_t best = SIZE_MAX;
        double most = 0, found = 0;
        for (size_t k = 0; k < s->key_count; k++) {
            double gain = s->keys[k].usable && !s->keys[k].chosen ? new_pairs(c, k) : 0;
            double value = gain / price(s, &s->keys[k]);
            if (gain >= GAIN * c->likely_weight && value > most) {
                best = k;
                most = value;
                found = gain;
            }
        }
        if (best == SIZE_MAX)
            break;
        left -= found;
        status = take(c, best);
    }
    return status;
}

/* Where no pairs show which keys find them: for every conjunction of the rules a key of its own
 * fields, the one that forgives most among the cheap ones. */
static kin_status choose_by_rules(struct choice *c)
{
    struct kin_suggest *s = c->s;
    kin_status status = KIN_OK;
    for (size_t r = 0; r < s->rule_count; r++) {
        for (size_t i = 0; i < s->rules[r].term_sets && c->chosen < KEYS_MAX; i++) {
            size_t best = SIZE_MAX;
            uint64_t fields = 0;
            for (size_t t = 0; t < s->term_count; t++)
                fields |= s->rules[r].terms[i] >> t & 1 ? (uint64_t)1 << s->terms[t].field : 0;
            for (size_t k = 0; k < s->key_count; k++) {
                const struct kin_suggest_key *key = &s->keys[k];
                if (!key->usable || (key->fields & fields) != key->fields)
                    continue;
                bool cheap = price(s, key) <= 2;
                bool was_cheap = best != SIZE_MAX && price(s, &s->keys[best]) <= 2;
                bool more = best != SIZE_MAX && key->all_pairs > s->keys[best].all_pairs;
                if (best == SIZE_MAX || (cheap ? !was_cheap || more : !was_cheap && !more))
                    best = k;
            }
            if (best != SIZE_MAX && !s->keys[best].chosen && status == KIN_OK)
                status = take(c, best);
        }
    }
    return status;
}

/* Records without a key count whole, those whose keys all hang on one field half. */
static kin_status new_records(const struct choice *c, size_t k, double *gain)
{
    struct kin_suggest_postings p;
    kin_status status = kin_suggest_postings(c->s, &c->s->keys[k].rule, c->step, &p);
    uint32_t *last = kin_calloc(c->s->records + 1, sizeof *last);
    *gain = 0;
    for (size_t i = 0; last && i < p.count; i++) {
        uint32_t record = p.items[i].value;
        if (last[record]++)
            continue;
        if (c->common[record] == UINT64_MAX)
            *gain += 1;
        else if (c->common[record] && !(c->common[record] & c->s->keys[k].groups))
            *gain += 0.5;
    }
    kin_free(last);
    kin_free(p.items);
    return last ? status : kin_suggest_no_memory(c->s);
}

static kin_status choose_by_records(struct choice *c)
{
    struct kin_suggest *s = c->s;
    kin_status status = KIN_OK;
    while (status == KIN_OK && c->chosen < KEYS_MAX) {
        size_t best = SIZE_MAX;
        double most = 0;
        for (size_t k = 0; k < s->key_count && status == KIN_OK; k++) {
            double gain = 0;
            if (!s->keys[k].usable || s->keys[k].chosen)
                continue;
            status = new_records(c, k, &gain);
            double value = gain / price(s, &s->keys[k]);
            if (gain * (double)c->step >= RECORD_GAIN * (double)s->records && value > most) {
                best = k;
                most = value;
            }
        }
        if (status != KIN_OK || best == SIZE_MAX)
            break;
        status = take(c, best);
    }
    return status;
}

/* Without any key nothing is compared. */
static kin_status choose_something(struct choice *c)
{
    size_t best = SIZE_MAX;
    for (size_t k = 0; k < c->s->key_count; k++) {
        const struct kin_suggest_key *key = &c->s->keys[k];
        bool dropped = false;
        for (size_t f = 0; f < c->s->field_count; f++)
            dropped = dropped || (key->fields >> f & 1 && c->s->fields[f].dropped);
        if (!dropped && (best == SIZE_MAX || key->all_pairs < c->s->keys[best].all_pairs))
            best = k;
    }
    return best != SIZE_MAX ? take(c, best)
                            : kin_err_set(c->s->err, KIN_E_NOTFOUND,
                                          "no column can be a blocking key, so that all records "
                                          "would be compared with all");
}

static void sum_up(struct choice *c)
{
    struct kin_suggest *s = c->s;
    double left = 0;
    for (size_t i = 0; i < s->records; i++) {
        s->keyed += c->common[i] != UINT64_MAX;
        s->keyed_safely += c->common[i] == 0;
    }
    for (size_t i = 0; i < s->pair_count; i++)
        left += c->likely[i] ? s->pairs[i].weight : 0;
    s->found = c->likely_weight > 0 ? 1 - left / c->likely_weight : 0;
    s->chosen_count = c->chosen;
}

kin_status kin_suggest_choose(struct kin_suggest *s)
{
    struct choice c = {.s = s, .step = 1 + s->records / LOOK};
    kin_status status = KIN_OK;
    c.likely = kin_calloc(s->pair_count + 1, sizeof *c.likely);
    c.common = kin_reallocarray(NULL, s->records + 1, sizeof *c.common);
    if (!c.likely || !c.common)
        status = kin_suggest_no_memory(s);
    for (size_t i = 0; i < s->records && status == KIN_OK; i++)
        c.common[i] = UINT64_MAX;
    for (size_t i = 0; i < s->pair_count && status == KIN_OK; i++) {
        c.likely[i] = kin_suggest_matched(s, &s->pairs[i]);
        c.likely_weight += c.likely[i] ? s->pairs[i].weight : 0;
    }
    for (size_t k = 0; k < s->key_count && status == KIN_OK; k++)
        s->keys[k].found = kin_suggest_share(new_pairs(&c, k), c.likely_weight);
    if (status == KIN_OK)
        status = s->thin ? choose_by_rules(&c) : choose_by_pairs(&c);
    if (status == KIN_OK)
        status = choose_by_records(&c);
    if (status == KIN_OK && c.chosen == 0)
        status = choose_something(&c);
    if (status == KIN_OK)
        sum_up(&c);
    kin_free(c.likely);
    kin_free(c.common);
    return status;
}
