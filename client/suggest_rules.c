/* Rules: conjunctions of terms that hold for enough of the sample's pairs, and of which, where
 * other fields can be compared, hardly any pair disagrees in all of them; put together to a few
 * conditions that people can read. Where the sample has too few pairs to go by, what the terms'
 * chances say. */
#include "client/suggest_rules.h"

#include <stdlib.h>
#include <string.h>

enum {
    ACCEPTED_MAX = 4096,
    THIN_PAIRS = 12, /* fewer likely pairs are nothing to go by */
    CHAIN = 100      /* records of the sample in one group: more are suspicious */
};
/* A term that more pairs satisfy by chance supports little, or nothing. */
static const double SUPPORT_CHANCE = 0.05, WEAK_CHANCE = 0.35;
static const double FALSE_SHARE[] = {0.05, 0.08, 0.08}; /* [court], of a conjunct's pairs */
static const double FALSE_SHARE_SHARED = 0.02;          /* where no term is proper */
static const double FALSE_SHARE_NEW = 0.15;             /* of the pairs that it adds to others */
static const double FALSE_SHARE_STEP = 0.2;             /* of those a lax term adds to a strict */
static const double FALSE_A_RECORD = 0.005;             /* where nothing can be measured */
static const double REFERENCE_PAIRS = 5, REFERENCE_DOUBT = 0.3;
static const double MEASURED_PAIRS = 8, LAX_PAIRS = 60;
static const double SHARED_WORTH = 0.8; /* of such a one: what data do not show, families do */
static const double GAIN = 0.004;       /* of the pairs matched by then, at least */

/* ---- evidence of a pattern, by groups of fields ---- */

struct evidence {
    uint64_t yes, known;           /* groups with a supporting term that is true; to be compared */
    uint64_t weak_yes, weak_known; /* the same with terms that support a little */
};

static struct evidence evidence_of(const struct kin_suggest *s, const struct kin_suggest_pattern *p)
{
    struct evidence e = {0, 0, 0, 0};
    for (size_t t = 0; t < s->term_count; t++) {
        const struct kin_suggest_term *term = &s->terms[t];
        uint64_t known = p->known >> t & 1 ? term->groups : 0;
        uint64_t yes = p->yes >> t & 1 ? known : 0;
        e.known |= term->support ? known : 0;
        e.yes |= term->support ? yes : 0;
        e.weak_known |= term->weak ? known : 0;
        e.weak_yes |= term->weak ? yes : 0;
    }
    return e;
}

static struct evidence *all_evidence(const struct kin_suggest *s,
                                     const struct kin_suggest_patterns *p)
{
    struct evidence *e = kin_calloc(p->count + 1, sizeof *e);
    for (size_t i = 0; e && i < p->count; i++)
        e[i] = evidence_of(s, &p->items[i]);
    return e;
}

static unsigned bits(uint64_t x)
{
    return (unsigned)__builtin_popcountll(x);
}

/* ---- chances ---- */

/* Share of random pairs of which a term is true, those left out that seem to be one thing: two
 * groups besides the term's agree exactly. */
static double random_share(const struct kin_suggest *s, size_t t, double *hits)
{
    double all = 0, yes = 0;
    for (size_t i = 0; i < s->random.count; i++) {
        const struct kin_suggest_pattern *p = &s->random.items[i];
        uint64_t same = 0;
        for (size_t o = 0; o < s->term_count; o++) {
            if (s->terms[o].level == 0 && p->yes >> o & 1 &&
                !(s->terms[o].groups & s->terms[t].groups))
                same |= s->terms[o].groups;
        }
        if (bits(same) >= 2)
            continue;
        all += p->weight;
        yes += p->yes >> t & 1 ? p->weight : 0;
    }
    *hits = yes;
    return all > 0 ? (yes + 0.5) / (all + 1) : 1;
}

/* Rare agreement is not met at random; keys find it. What of it nothing supports is chance. */
static double found_share(const struct kin_suggest *s, size_t t, const struct evidence *e)
{
    double n = (double)s->records, lonely = 0.5;
    for (size_t i = 0; i < s->candidates.count; i++) {
        const struct kin_suggest_pattern *p = &s->candidates.items[i];
        uint64_t others = ~s->terms[t].groups;
        if (p->yes >> t & 1 && bits(e[i].known & others) >= 2 && !(e[i].yes & others))
            lonely += p->weight;
    }
    return lonely / (n * (n - 1) / 2 + 1);
}

/* What many different things near one another, or of one make, have in common. */
static bool is_vague(const struct kin_suggest *s, const struct kin_suggest_term *t)
{
    switch (s->fields[t->field].kind) {
    case KIN_KIND_CITY:
    case KIN_KIND_POST:
    case KIN_KIND_HOUSE:
    case KIN_KIND_YEAR:
    case KIN_KIND_PRICE:
        return !s->persons;
    case KIN_KIND_NONE:
    case KIN_KIND_NAME:
    case KIN_KIND_WORDS:
    case KIN_KIND_LONG:
    case KIN_KIND_DATE:
    case KIN_KIND_EMAIL:
    case KIN_KIND_NUMBER:
    case KIN_KIND_ADDRESS:
    case KIN_KIND_PLACE:
        break;
    }
    return s->fields[t->field].meaning == KIN_MEANS_MAKER;
}

static void set_chances(struct kin_suggest *s, bool *measured_at_random)
{
    for (size_t t = 0; t < s->term_count; t++) {
        double hits;
        s->terms[t].chance = random_share(s, t, &hits);
        measured_at_random[t] = hits >= 5;
    }
    for (size_t t = 0; t < s->term_count; t++) {
        s->terms[t].support = s->terms[t].chance <= SUPPORT_CHANCE && !is_vague(s, &s->terms[t]);
        s->terms[t].weak = s->terms[t].chance <= WEAK_CHANCE;
    }
}

/* ---- conjunctions ---- */

/* How the pairs of a conjunct are judged: by whether any other group of fields agrees, of pairs in
 * which two can be compared; where there are no such pairs, one; where there is none, by groups
 * that agree by chance often. */
enum court { COURT_TWO, COURT_ONE, COURT_WEAK, COURTS };

struct tally {
    double decidable, doubtful;
};

struct conjunct {
    uint64_t terms, groups;
    bool proper; /* some term is not of what families, offices or series share */
    double pairs, chance, false_share;
    enum court court; /* COURTS: nothing can be measured */
    struct tally tally[COURTS];
};

struct search {
    struct kin_suggest *s;
    struct evidence *found;  /* [candidate pattern] */
    struct evidence *random; /* [random pattern] */
    bool *covered;           /* [candidate pattern] */
    struct conjunct *accepted;
    size_t accepted_count;
    uint64_t shared; /* groups that families, offices or series share */
};

/* Groups that can bear out a conjunct: a family agrees in more than one of the things it shares. */
static uint64_t witnesses(const struct search *x, const struct conjunct *c)
{
    return c->proper ? ~c->groups : ~c->groups & ~x->shared;
}

/* Adds a pair to the tallies of the courts that can judge it. */
static void judge(const struct evidence *e, uint64_t witness, double weight,
                  struct tally tally[COURTS])
{
    unsigned known = bits(e->known & witness);
    double doubt = e->yes & witness ? 0 : weight;
    if (known >= 2) {
        tally[COURT_TWO].decidable += weight;
        tally[COURT_TWO].doubtful += doubt;
    }
    if (known >= 1) {
        tally[COURT_ONE].decidable += weight;
        tally[COURT_ONE].doubtful += doubt;
    }
    if (e->weak_known & witness) {
        tally[COURT_WEAK].decidable += weight;
        tally[COURT_WEAK].doubtful += e->weak_yes & witness ? 0 : weight;
    }
}

/* Counts pairs; with only_new those not yet covered. */
static void count_pairs(const struct search *x, struct conjunct *c, bool only_new)
{
    uint64_t witness = witnesses(x, c);
    c->pairs = 0;
    memset(c->tally, 0, sizeof c->tally);
    for (size_t i = 0; i < x->s->candidates.count; i++) {
        const struct kin_suggest_pattern *p = &x->s->candidates.items[i];
        if ((p->yes & c->terms) != c->terms || (only_new && x->covered[i]))
            continue;
        c->pairs += p->weight;
        judge(&x->found[i], witness, p->weight, c->tally);
    }
}

/* How often random pairs are borne out in a court. */
static double idle_support(const struct search *x, uint64_t witness, enum court court)
{
    struct tally tally[COURTS] = {{0, 0}};
    for (size_t i = 0; i < x->s->random.count; i++)
        judge(&x->random[i], witness, x->s->random.items[i].weight, tally);
    double share = 1 - (tally[court].doubtful + 1) / (tally[court].decidable + 1);
    return share < 0.8 ? share : 0.8;
}

/* Share of false pairs by the conjunct's court: false ones are borne out by chance as often as
 * random ones. */
static double share_of_false(const struct search *x, const struct conjunct *c)
{
    if (c->court == COURTS || c->tally[c->court].decidable <= 0)
        return 0;
    const struct tally *t = &c->tally[c->court];
    double share = (t->doubtful + 0.25) / (t->decidable + 1);
    share /= 1 - idle_support(x, witnesses(x, c), c->court);
    return share < 1 ? share : 1;
}

static void find_court(struct conjunct *c)
{
    c->court = COURT_TWO;
    while (c->court < COURTS && c->tally[c->court].decidable < MEASURED_PAIRS)
        c->court++;
}

/* May such a conjunct be a rule at all? */
static bool permitted(const struct search *x, const struct conjunct *c)
{
    const struct kin_suggest *s = x->s;
    if (bits(c->terms) > 1)
        return true;
    const struct kin_suggest_term *t = &s->terms[__builtin_ctzll(c->terms)];
    enum kin_suggest_kind kind = s->fields[t->field].kind;
    bool number = kind == KIN_KIND_EMAIL || (kind == KIN_KIND_NUMBER && !t->shared);
    bool text = !s->persons && (kind == KIN_KIND_LONG || kind == KIN_KIND_WORDS);
    return (number && t->level == 0) || (text && t->level <= 1);
}

static double chance_of(const struct kin_suggest *s, const struct conjunct *c)
{
    double all = s->profile->rows_in_all, p = all * all / 2;
    for (size_t t = 0; t < s->term_count; t++)
        p *= c->terms >> t & 1 ? s->terms[t].chance : 1;
    return p;
}

static bool implies(const struct kin_suggest *s, uint64_t strict, uint64_t lax)
{
    for (size_t t = 0; t < s->term_count; t++) {
        if (!(lax >> t & 1))
            continue;
        bool found = false;
        for (size_t u = 0; u < s->term_count && !found; u++)
            found = strict >> u & 1 && s->terms[u].field == s->terms[t].field &&
                    s->terms[u].field2 == s->terms[t].field2 &&
                    s->terms[u].level <= s->terms[t].level;
        if (!found)
            return false;
    }
    return true;
}

static bool is_implied(const struct search *x, uint64_t terms)
{
    for (size_t i = 0; i < x->accepted_count; i++) {
        if (implies(x->s, terms, x->accepted[i].terms))
            return true;
    }
    return false;
}

static bool is_strict(const struct kin_suggest *s, uint64_t terms)
{
    for (size_t t = 0; t < s->term_count; t++) {
        if (terms >> t & 1 && s->terms[t].level > 1)
            return false;
    }
    return true;
}

/* What each lax term adds to the next stricter one has to be worth it too: the many good pairs of
 * the strict term would hide the bad ones of the lax. */
static bool steps_are_sound(const struct search *x, const struct conjunct *c)
{
    const struct kin_suggest *s = x->s;
    uint64_t witness = witnesses(x, c);
    for (size_t t = 1; t < s->term_count; t++) {
        bool step = c->terms >> t & 1 && s->terms[t].field == s->terms[t - 1].field &&
                    s->terms[t].field2 == s->terms[t - 1].field2 && c->court != COURTS;
        struct conjunct added = *c;
        memset(added.tally, 0, sizeof added.tally);
        for (size_t i = 0; step && i < s->candidates.count; i++) {
            const struct kin_suggest_pattern *p = &s->candidates.items[i];
            if ((p->yes & c->terms) == c->terms && !(p->yes >> (t - 1) & 1))
                judge(&x->found[i], witness, p->weight, added.tally);
        }
        if (step && added.tally[c->court].decidable >= 3 &&
            share_of_false(x, &added) > FALSE_SHARE_STEP)
            return false;
    }
    return true;
}

static void consider(struct search *x, uint64_t terms)
{
    struct kin_suggest *s = x->s;
    struct conjunct c = {.terms = terms};
    for (size_t t = 0; t < s->term_count; t++) {
        if (!(terms >> t & 1))
            continue;
        if (c.groups & s->terms[t].groups || s->terms[t].disabled)
            return;
        c.groups |= s->terms[t].groups;
        c.proper = c.proper || !s->terms[t].shared;
    }
    if (x->accepted_count == ACCEPTED_MAX || !permitted(x, &c) || is_implied(x, terms))
        return;
    count_pairs(x, &c, false);
    c.chance = chance_of(s, &c);
    find_court(&c);
    c.false_share = share_of_false(x, &c);
    bool rare = c.chance <= FALSE_A_RECORD * s->profile->rows_in_all;
    bool few = c.court == COURTS || c.tally[c.court].decidable < LAX_PAIRS;
    bool good = c.court == COURTS ? rare : c.false_share <= FALSE_SHARE[c.court];
    if (few)
        good = good && is_strict(s, terms);
    if (!c.proper) /* the data must show that it takes nothing else */
        good = good && s->persons && !few && c.court <= COURT_ONE &&
               c.false_share <= FALSE_SHARE_SHARED;
    if (good && steps_are_sound(x, &c))
        x->accepted[x->accepted_count++] = c;
}

/* Single terms, then pairs, then triples, the lax before the strict: what follows from one that is
 * accepted is left out. */
static void enumerate(struct search *x)
{
    size_t n = x->s->term_count;
    for (size_t a = n; a-- > 0;)
        consider(x, (uint64_t)1 << a);
    for (size_t a = n; a-- > 0;) {
        for (size_t b = a; b-- > 0;)
            consider(x, (uint64_t)1 << a | (uint64_t)1 << b);
    }
    for (size_t a = n; a-- > 0;) {
        for (size_t b = a; b-- > 0;) {
            for (size_t c = b; c-- > 0;)
                consider(x, (uint64_t)1 << a | (uint64_t)1 << b | (uint64_t)1 << c);
        }
    }
}

/* ---- choosing ---- */

static void cover(struct search *x, uint64_t terms)
{
    for (size_t i = 0; i < x->s->candidates.count; i++)
        x->covered[i] = x->covered[i] || (x->s->candidates.items[i].yes & terms) == terms;
}

/* Greedily the conjunct that adds most pairs that are not doubtful. */
static size_t choose(struct search *x, struct conjunct out[KIN_SUGGEST_SETS_MAX])
{
    size_t count = 0;
    double matched = 0;
    while (count < KIN_SUGGEST_SETS_MAX) {
        const struct conjunct *best = NULL;
        double most = 0;
        for (size_t i = 0; i < x->accepted_count; i++) {
            struct conjunct added = x->accepted[i];
            count_pairs(x, &added, true);
            double wrong = share_of_false(x, &added);
            if (added.court != COURTS && added.tally[added.court].decidable >= 2 &&
                wrong > FALSE_SHARE_NEW)
                continue;
            double gain = added.pairs * (1 - wrong) * (added.proper ? 1 : SHARED_WORTH);
            if (gain > most) {
                most = gain;
                best = &x->accepted[i];
            }
        }
        if (!best || most < 2 || most < GAIN * matched)
            break;
        matched += most;
        out[count++] = *best;
        cover(x, best->terms);
    }
    x->s->likely = matched;
    return count;
}

/* ---- chains ---- */

static uint32_t root_of(uint32_t *parent, uint32_t i)
{
    while (parent[i] != i) {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    return i;
}

/* Records of the sample in the largest group that the conjunctions make. */
static size_t largest_group(const struct kin_suggest *s, const struct conjunct *c, size_t count,
                            uint32_t *parent)
{
    size_t largest = 0;
    uint32_t *sizes = parent + s->records;
    for (size_t i = 0; i < s->records; i++) {
        parent[i] = (uint32_t)i;
        sizes[i] = 0;
    }
    for (size_t i = 0; i < s->pair_count; i++) {
        size_t k = 0;
        while (k < count && (s->pairs[i].yes & c[k].terms) != c[k].terms)
            k++;
        if (k < count) {
            uint32_t a = root_of(parent, s->pairs[i].a), b = root_of(parent, s->pairs[i].b);
            parent[a < b ? b : a] = a < b ? a : b;
        }
    }
    for (size_t i = 0; i < s->records; i++) {
        size_t n = ++sizes[root_of(parent, (uint32_t)i)];
        largest = n > largest ? n : largest;
    }
    return largest;
}

/* A few bad pairs chain many groups to one. The worst conjunctions go until that is over. */
static kin_status break_chains(struct search *x, struct conjunct *c, size_t *count)
{
    struct kin_suggest *s = x->s;
    uint32_t *parent = kin_reallocarray(NULL, s->records + 1, 2 * sizeof *parent);
    if (!parent)
        return kin_suggest_no_memory(s);
    size_t most = s->records / 100 > CHAIN ? s->records / 100 : CHAIN;
    s->largest = largest_group(s, c, *count, parent);
    while (s->largest > most && *count > 1) {
        size_t worst = 0;
        for (size_t k = 1; k < *count; k++) {
            if (c[k].false_share >= c[worst].false_share)
                worst = k;
        }
        memmove(&c[worst], &c[worst + 1], (*count - worst - 1) * sizeof *c);
        --*count;
        s->largest = largest_group(s, c, *count, parent);
    }
    kin_free(parent);
    return KIN_OK;
}

/* What a match may be expected to satisfy, where the sample has none to show. */
static double expected_recall(const struct kin_suggest *s, const struct conjunct *c)
{
    double recall = 1;
    for (size_t t = 0; t < s->term_count; t++) {
        if (!(c->terms >> t & 1))
            continue;
        const struct kin_suggest_field *f = &s->fields[s->terms[t].field];
        double filled = kin_suggest_share((double)f->filled, (double)f->rows);
        recall *= filled * filled *
                  (s->terms[t].level == 0   ? 0.75
                   : s->terms[t].level == 1 ? 0.85
                                            : 0.9);
        if (s->terms[t].field != s->terms[t].field2)
            recall *= 0.05;
    }
    return recall;
}

/* The one field that says most, where nothing else will do; for a person to look at. */
static size_t choose_anything(const struct search *x, struct conjunct out[KIN_SUGGEST_SETS_MAX])
{
    const struct kin_suggest *s = x->s;
    size_t best = SIZE_MAX;
    double most = 0;
    for (size_t t = 0; t < s->term_count; t++) {
        const struct kin_suggest_field *f = &s->fields[s->terms[t].field];
        bool text = f->kind == KIN_KIND_WORDS || f->kind == KIN_KIND_LONG;
        double says =
            kin_suggest_share((double)f->distinct, (double)f->rows) * (s->terms[t].shared ? 1 : 2);
        if (!s->terms[t].disabled && s->terms[t].level == (text ? 1 : 0) && says > most) {
            most = says;
            best = t;
        }
    }
    if (best == SIZE_MAX)
        return 0;
    out[0] = (struct conjunct){.terms = (uint64_t)1 << best,
                               .groups = s->terms[best].groups,
                               .proper = !s->terms[best].shared,
                               .court = COURTS};
    count_pairs(x, &out[0], false);
    out[0].chance = chance_of(s, &out[0]);
    return 1;
}

static size_t choose_unseen(struct search *x, struct conjunct out[KIN_SUGGEST_SETS_MAX])
{
    size_t count = 0;
    while (count < 4) {
        const struct conjunct *best = NULL;
        double most = 0;
        for (size_t i = 0; i < x->accepted_count; i++) {
            bool taken = false;
            for (size_t k = 0; k < count; k++)
                taken = taken || (out[k].groups & x->accepted[i].groups) == out[k].groups;
            double recall = expected_recall(x->s, &x->accepted[i]);
            if (!taken && x->accepted[i].chance <= FALSE_A_RECORD * x->s->profile->rows_in_all &&
                recall > most) {
                most = recall;
                best = &x->accepted[i];
            }
        }
        if (!best)
            break;
        out[count++] = *best;
    }
    if (count == 0)
        count = choose_anything(x, out);
    return count;
}

/* ---- all together ---- */

/* Keys of other tables can be those of one thing, or of a group, a parent, a batch: kept only if
 * those who share one mostly agree in something else. */
static void drop_references(struct kin_suggest *s, const struct evidence *found)
{
    for (size_t t = 0; t < s->term_count; t++) {
        struct kin_suggest_field *f = &s->fields[s->terms[t].field];
        struct tally tally[COURTS] = {{0, 0}};
        if (s->terms[t].level != 0 ||
            (f->meaning != KIN_MEANS_RECORD_ID && f->meaning != KIN_MEANS_REFERENCE))
            continue;
        for (size_t i = 0; i < s->candidates.count; i++) {
            if (s->candidates.items[i].yes >> t & 1)
                judge(&found[i], ~s->terms[t].groups, s->candidates.items[i].weight, tally);
        }
        const struct tally *one = &tally[COURT_ONE];
        if (one->decidable < REFERENCE_PAIRS)
            f->dropped = "a number or code: too few records share one to see what that means";
        else if (one->doubtful > REFERENCE_DOUBT * one->decidable)
            f->dropped = "a number or code shared by records that have nothing else in common";
    }
    for (size_t t = 0; t < s->term_count; t++) {
        bool dropped = s->fields[s->terms[t].field].dropped != NULL;
        s->terms[t].disabled = dropped;
        s->terms[t].support = s->terms[t].support && !dropped;
        s->terms[t].weak = s->terms[t].weak && !dropped;
    }
    for (size_t k = 0; k < s->key_count; k++) {
        for (size_t f = 0; f < s->field_count; f++)
            s->keys[k].usable =
                s->keys[k].usable && !(s->keys[k].fields >> f & 1 && s->fields[f].dropped);
    }
}

static kin_status search_init(struct search *x, struct kin_suggest *s)
{
    *x = (struct search){.s = s};
    x->covered = kin_calloc(s->candidates.count + 1, sizeof *x->covered);
    x->accepted = kin_calloc(ACCEPTED_MAX, sizeof *x->accepted);
    bool random[KIN_SUGGEST_TERMS_MAX] = {false};
    set_chances(s, random);
    x->found = all_evidence(s, &s->candidates);
    if (x->found)
        drop_references(s, x->found);
    kin_free(x->found);
    x->found = all_evidence(s, &s->candidates);
    x->random = all_evidence(s, &s->random);
    if (!x->covered || !x->accepted || !x->found || !x->random)
        return kin_suggest_no_memory(s);
    for (size_t t = 0; t < s->term_count; t++) {
        if (!random[t])
            s->terms[t].chance = found_share(s, t, x->found);
        if (s->terms[t].shared)
            x->shared |= s->terms[t].groups;
    }
    return KIN_OK;
}

static void search_deinit(struct search *x)
{
    kin_free(x->covered);
    kin_free(x->accepted);
    kin_free(x->found);
    kin_free(x->random);
}

/* Sums over the pairs that a rule matches, each judged by the first conjunct it satisfies. */
static void measure(const struct search *x, struct kin_suggest_rule *rule, const struct conjunct *c,
                    size_t count)
{
    for (size_t i = 0; i < x->s->candidates.count; i++) {
        const struct kin_suggest_pattern *p = &x->s->candidates.items[i];
        struct tally tally[COURTS] = {{0, 0}};
        size_t k = 0;
        while (k < count && (p->yes & c[k].terms) != c[k].terms)
            k++;
        if (k == count)
            continue;
        rule->pairs += p->weight;
        judge(&x->found[i], witnesses(x, &c[k]), p->weight, tally);
        if (c[k].court == COURTS)
            continue;
        rule->decidable += tally[c[k].court].decidable;
        rule->doubtful += tally[c[k].court].doubtful;
    }
    for (size_t k = 0; k < count; k++)
        rule->chance += c[k].chance;
}

kin_status kin_suggest_rules(struct kin_suggest *s)
{
    struct search x;
    struct conjunct chosen[KIN_SUGGEST_SETS_MAX];
    kin_status status = search_init(&x, s);
    size_t count = 0;
    if (status == KIN_OK) {
        enumerate(&x);
        count = choose(&x, chosen);
        s->thin = s->likely < THIN_PAIRS;
        if (s->thin)
            count = choose_unseen(&x, chosen);
        else
            status = break_chains(&x, chosen, &count);
    }
    uint64_t terms[KIN_SUGGEST_SETS_MAX];
    double weight[KIN_SUGGEST_SETS_MAX];
    size_t left = count;
    for (size_t i = 0; i < count; i++) {
        terms[i] = chosen[i].terms;
        weight[i] = chosen[i].pairs + 1;
    }
    while (status == KIN_OK && left > 0 && s->rule_count < KIN_SUGGEST_RULES_MAX) {
        struct kin_suggest_rule *rule = &s->rules[s->rule_count++];
        size_t taken = kin_suggest_take_rule(s, terms, weight, left, rule);
        if (!taken)
            status = kin_suggest_no_memory(s);
        struct conjunct in[KIN_SUGGEST_SETS_MAX];
        size_t n = 0;
        for (size_t i = left - taken; i < left && status == KIN_OK; i++) {
            for (size_t k = 0; k < count; k++) {
                if (chosen[k].terms == terms[i])
                    in[n++] = chosen[k];
            }
        }
        measure(&x, rule, in, n);
        left -= taken;
    }
    search_deinit(&x);
    if (status == KIN_OK && s->rule_count == 0)
        return kin_err_set(s->err, KIN_E_NOTFOUND,
                           "no rule can be proposed: no combination of the columns is equal, or "
                           "alike, seldom enough by chance");
    return status;
}
