/* Similarity of two texts by the weights of what they share.
 *
 * tfidf: G. Salton, C. Buckley, "Term-weighting approaches in automatic text retrieval" (1988), the
 * cosine of two sets, a word of n of the N records weighing log2(1 + N/n). soft_tfidf: W. W. Cohen,
 * P. Ravikumar, S. E. Fienberg, "A comparison of string distance metrics for name-matching tasks"
 * (2003), with each word matched once, so that both ways round are the same.
 *
 * All sums are of integers: the order of the words, and of the texts, changes no bit. */
#include "common/match/compare_tokens.h"

#include "common/base/hash.h"
#include "common/match/compare_impl.h"
#include "common/match/exact_math.h"
#include "common/match/text_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WEIGHT_ONE = 1024,    /* a bit, in a weight's units; a weight has at most 65 bits */
    LOG2_SHIFT = 24 - 10, /* from kin_math_log2_fixed's units */
    SOFT_EDIT_MIN = 4,    /* characters of words that match by one edit */
    SOFT_CANDIDATES_MAX = KIN_SOFT_WORDS_MAX * KIN_SOFT_WORDS_MAX
};
static const double SOFT_LEAST = 0.9; /* Jaro-Winkler */

/* ---- weights ---- */

static uint64_t slot_of(const struct kin_token_weights *t, uint64_t hash)
{
    uint64_t at = hash & t->mask;
    while (t->slots[at].weight && t->slots[at].hash != hash)
        at = (at + 1) & t->mask;
    return at;
}

static uint32_t weight_of(const struct kin_token_weights *t, uint64_t hash)
{
    uint32_t weight = t->slots ? t->slots[slot_of(t, hash)].weight : 0;
    return weight ? weight : t->unknown ? t->unknown : WEIGHT_ONE;
}

/* log2(1 + total / count), rounded. */
static uint32_t weight_of_count(uint64_t total, uint64_t count)
{
    uint64_t n = count < 1 ? 1 : count > total ? total : count;
    uint32_t fine = kin_math_log2_fixed(total + n) - kin_math_log2_fixed(n);
    return (fine + (1u << (LOG2_SHIFT - 1))) >> LOG2_SHIFT;
}

kin_status kin_comparer_set_tokens(struct kin_comparer *c, unsigned comparison, uint64_t total,
                                   const struct kin_value_count *items, size_t n)
{
    KIN_ASSERT(comparison < c->count);
    struct kin_token_weights table = {NULL, 0, 0};
    uint64_t most = UINT64_C(1) << 62;
    total = total < most ? total : most;
    if (total && n) {
        uint64_t slots = 8;
        while (slots / 2 < n && slots <= SIZE_MAX / 4)
            slots *= 2;
        table.mask = slots - 1;
        table.slots = slots / 2 >= n ? kin_calloc(slots, sizeof *table.slots) : NULL;
        if (!table.slots)
            return KIN_E_NOMEM;
        for (size_t i = 0; i < n; i++)
            table.slots[slot_of(&table, items[i].hash)] =
                (struct kin_token_weight){items[i].hash, weight_of_count(total, items[i].count)};
    }
    table.unknown = total ? weight_of_count(total, 1) : 0;
    kin_free(c->plans[comparison].tokens.slots);
    c->plans[comparison].tokens = table;
    return KIN_OK;
}

/* ---- tokens ---- */

struct tokens {
    struct kin_str text;
    size_t at;
    unsigned q;    /* 0: words */
    unsigned left; /* that may still be taken */
};

static struct tokens tokens_of(struct kin_str text, unsigned q)
{
    return (struct tokens){text, 0, q, KIN_TOKENS_MAX};
}

static struct kin_str next_gram(struct tokens *t)
{
    const uint8_t *p = (const uint8_t *)t->text.p;
    size_t end = t->at;
    unsigned n = 0;
    for (; n < t->q && end < t->text.n; n++)
        end += kin_text_step(p + end, t->text.n - end);
    if (n == 0 || (n < t->q && t->at > 0)) /* only a text that is shorter than that is one whole */
        return (struct kin_str){NULL, 0};
    struct kin_str gram = {t->text.p + t->at, end - t->at};
    t->at += kin_text_step(p + t->at, t->text.n - t->at);
    return gram;
}

/* false: no more. */
static bool next_token(struct tokens *t, struct kin_str *text, uint64_t *hash)
{
    if (t->left == 0)
        return false;
    t->left--;
    *text = t->q ? next_gram(t) : kin_text_word(t->text, &t->at);
    *hash = kin_hash64(text->p ? text->p : "", text->n, t->q);
    return text->n > 0;
}

static bool has_tokens(unsigned fn)
{
    return fn == KIN_LEVEL_TFIDF || fn == KIN_LEVEL_SOFT_TFIDF;
}

/* Bit q: the comparison has levels of q-grams; 0: of words. */
static unsigned sizes_of(const struct kin_plan *plan)
{
    unsigned sizes = 0;
    for (unsigned r = 0; r < KIN_READINGS; r++) {
        for (unsigned i = 0; i < plan->chains[r].count; i++) {
            const struct kin_step *step = &plan->chains[r].steps[i];
            sizes |= has_tokens(step->fn) ? 1u << step->n : 0;
        }
    }
    return sizes;
}

uint32_t kin_comparer_tokened(const struct kin_comparer *c)
{
    uint32_t mask = 0;
    for (unsigned i = 0; i < c->count; i++)
        mask |= (uint32_t)(sizes_of(&c->plans[i]) != 0) << i;
    return mask;
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void put_value(const struct kin_value *v, unsigned sizes, struct kin_buf *out)
{
    for (; sizes; sizes &= sizes - 1) {
        struct tokens t = tokens_of(kin_value_str(v), (unsigned)__builtin_ctz(sizes));
        struct kin_str text;
        uint64_t hash;
        while (next_token(&t, &text, &hash))
            kin_buf_put(out, &hash, sizeof hash);
    }
}

void kin_comparer_tokens(const struct kin_comparer *c, unsigned comparison, const uint8_t *rec,
                         struct kin_buf *out)
{
    const struct kin_plan *plan = &c->plans[comparison];
    unsigned sizes = sizes_of(plan);
    size_t start = out->n, kept = 0;
    for (unsigned f = 0; f < plan->field_count; f++) {
        const uint8_t *at = NULL;
        unsigned count = kin_features_values(rec, plan->fields[f], &at);
        for (unsigned i = 0; i < count; i++) {
            struct kin_value value = kin_features_next(&at);
            put_value(&value, sizes, out);
        }
    }
    if (out->failed || out->n == start)
        return;
    uint64_t *hashes = (uint64_t *)(void *)(out->p + start);
    size_t n = (out->n - start) / sizeof *hashes;
    qsort(hashes, n, sizeof *hashes, ascending);
    for (size_t i = 0; i < n; i++) {
        if (!kept || hashes[kept - 1] != hashes[i])
            hashes[kept++] = hashes[i];
    }
    out->n = start + kept * sizeof *hashes;
}

/* ---- sums ---- */

/* Sums of the squares of the weights. */
struct sums {
    uint64_t a, b, both;
};

static uint64_t square(uint32_t weight)
{
    return (uint64_t)weight * weight;
}

static struct sums add_up(const struct kin_token_weights *weights, struct kin_comparer_scratch *s,
                          struct kin_str a, struct kin_str b, unsigned q)
{
    struct sums sums = {0, 0, 0};
    struct kin_str text;
    uint64_t hash;
    kin_words_begin(s);
    for (struct tokens t = tokens_of(a, q); next_token(&t, &text, &hash);) {
        struct kin_word_slot *slot = kin_words_slot(s, hash);
        if (slot->stamp == s->stamp)
            continue;
        *slot = (struct kin_word_slot){
            .hash = hash, .stamp = s->stamp, .weight = weight_of(weights, hash)};
        sums.a += square(slot->weight);
    }
    for (struct tokens t = tokens_of(b, q); next_token(&t, &text, &hash);) {
        struct kin_word_slot *slot = kin_words_slot(s, hash);
        bool fresh = slot->stamp != s->stamp;
        if (!fresh && (slot->met || slot->only_b))
            continue;
        if (fresh)
            *slot = (struct kin_word_slot){.hash = hash,
                                           .stamp = s->stamp,
                                           .weight = weight_of(weights, hash),
                                           .only_b = true};
        slot->met = !fresh;
        sums.b += square(slot->weight);
        sums.both += fresh ? 0 : square(slot->weight);
    }
    return sums;
}

/* At most 1: what is shared is no more than what either has, and roundings fall on both alike. */
static double cosine_of(struct sums sums)
{
    if (!sums.a || !sums.b)
        return 0;
    double cosine = (double)sums.both / sqrt((double)sums.a * (double)sums.b);
    return cosine < 1 ? cosine : 1;
}

double kin_texts_tfidf(const struct kin_token_weights *weights, struct kin_comparer_scratch *s,
                       struct kin_str a, struct kin_str b, unsigned q)
{
    return cosine_of(add_up(weights, s, a, b, q));
}

/* ---- the soft variant ---- */

/* Words of one side that the other has not. */
struct left_over {
    unsigned count;
    struct kin_soft_word {
        struct kin_str text;
        uint32_t weight;
        uint32_t letters; /* which there are: bit, the character modulo 32; not ASCII: 0 */
        unsigned length;  /* in characters */
        bool ascii;
        bool taken;
    } words[KIN_SOFT_WORDS_MAX];
};

struct candidate {
    uint64_t gain;
    struct kin_str low, high; /* order among equal gains */
    uint8_t i, j;
};

/* Another digit is another thing, not a slip. */
static bool has_digit(struct kin_str word)
{
    for (size_t i = 0; i < word.n; i++) {
        if (word.p[i] >= '0' && word.p[i] <= '9')
            return true;
    }
    return false;
}

static struct kin_soft_word soft_word(struct kin_str text, uint32_t weight)
{
    struct kin_soft_word word = {.text = text, .weight = weight, .ascii = true};
    for (size_t i = 0; i < text.n; i++) {
        word.letters |= 1u << ((unsigned char)text.p[i] & 31);
        word.ascii = word.ascii && (unsigned char)text.p[i] < 0x80;
    }
    word.letters = word.ascii ? word.letters : 0;
    word.length = kin_codepoints(text, word.ascii);
    return word;
}

static void collect(struct kin_comparer_scratch *s, struct kin_str text, bool of_b,
                    struct left_over *out)
{
    struct kin_str word;
    uint64_t hash;
    out->count = 0;
    for (struct tokens t = tokens_of(text, 0);
         out->count < KIN_SOFT_WORDS_MAX && next_token(&t, &word, &hash);) {
        struct kin_word_slot *slot = kin_words_slot(s, hash);
        if (slot->met || slot->only_b != of_b)
            continue;
        slot->met = true; /* once */
        if (!has_digit(word))
            out->words[out->count++] = soft_word(word, slot->weight);
    }
}

/* False if two words cannot match, by their letters: most pairs end here. A letter that the other
 * word has not can be no match of Jaro's, and takes an edit. */
static bool may_be_close(const struct kin_soft_word *a, const struct kin_soft_word *b)
{
    if (!a->ascii || !b->ascii)
        return true;
    unsigned only_a = (unsigned)__builtin_popcount(a->letters & ~b->letters);
    unsigned only_b = (unsigned)__builtin_popcount(b->letters & ~a->letters);
    bool longer_a = a->length > b->length;
    unsigned apart = longer_a ? a->length - b->length : b->length - a->length;
    if (apart <= 1 && only_a <= 1 && only_b <= 1)
        return true;
    unsigned of_a = a->length - only_a, of_b = b->length - only_b;
    double m = of_a < of_b ? of_a : of_b;
    double jaro = (m / a->length + m / b->length + 1) / 3;
    double most = a->text.p[0] == b->text.p[0] ? jaro + 0.4 * (1 - jaro) : jaro;
    return most > SOFT_LEAST - 1e-9;
}

/* How alike two words are; 0: they are no match. */
static double closeness(struct kin_comparer_scratch *s, const struct kin_soft_word *a,
                        const struct kin_soft_word *b)
{
    if (!may_be_close(a, b))
        return 0;
    struct kin_pair pair = {a->text, b->text, a->ascii && b->ascii};
    double value = kin_jaro_winkler_from(s->kernels, pair, SOFT_LEAST);
    if (value >= SOFT_LEAST)
        return value;
    if (a->length < SOFT_EDIT_MIN || b->length < SOFT_EDIT_MIN || kin_osa(s->kernels, pair, 1) > 1)
        return 0;
    return kin_jaro_winkler(s->kernels, pair);
}

static bool is_better(const struct candidate *x, const struct candidate *y)
{
    if (x->gain != y->gain)
        return x->gain > y->gain;
    int order = kin_str_cmp(x->low, y->low);
    return order ? order < 0 : kin_str_cmp(x->high, y->high) < 0;
}

/* The best pairs of words first, each word once. */
static uint64_t match_left_over(struct kin_comparer_scratch *s, struct left_over *a,
                                struct left_over *b)
{
    struct candidate list[SOFT_CANDIDATES_MAX];
    unsigned n = 0;
    uint64_t gain = 0;
    for (unsigned i = 0; i < a->count; i++) {
        for (unsigned j = 0; j < b->count; j++) {
            const struct kin_soft_word *x = &a->words[i], *y = &b->words[j];
            double close = closeness(s, x, y);
            bool in_order = kin_str_cmp(x->text, y->text) < 0;
            if (close > 0)
                list[n++] = (struct candidate){
                    .gain = (uint64_t)((double)((uint64_t)x->weight * y->weight) * close),
                    .low = in_order ? x->text : y->text,
                    .high = in_order ? y->text : x->text,
                    .i = (uint8_t)i,
                    .j = (uint8_t)j};
        }
    }
    for (;;) {
        const struct candidate *best = NULL;
        for (unsigned k = 0; k < n; k++) {
            bool open = !a->words[list[k].i].taken && !b->words[list[k].j].taken;
            if (open && (!best || is_better(&list[k], best)))
                best = &list[k];
        }
        if (!best)
            return gain;
        a->words[best->i].taken = b->words[best->j].taken = true;
        gain += best->gain;
    }
}

double kin_texts_soft_tfidf(const struct kin_token_weights *weights, struct kin_comparer_scratch *s,
                            struct kin_str a, struct kin_str b)
{
    struct left_over left_a, left_b;
    struct sums sums = add_up(weights, s, a, b, 0);
    collect(s, a, false, &left_a);
    collect(s, b, true, &left_b);
    if (left_a.count && left_b.count)
        sums.both += match_left_over(s, &left_a, &left_b);
    return cosine_of(sums);
}
