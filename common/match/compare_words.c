/* Tests of two texts that look at their words, or at the sides of an e-mail address. */
#include "common/match/compare_impl.h"

#include "common/base/hash.h"
#include "common/match/text_parts.h"

#include <string.h>

/* ---- contains ---- */

void kin_words_begin(struct kin_comparer_scratch *s)
{
    if (++s->stamp == 0) { /* once in 2^32 calls: stamps of the last round would look alive */
        memset(s->words, 0, sizeof s->words);
        s->stamp = 1;
    }
}

bool kin_texts_contain(struct kin_comparer_scratch *s, struct kin_str a, struct kin_str b)
{
    kin_words_begin(s);
    unsigned different = 0, met = 0;
    bool all_of_b = true;
    size_t at = 0;
    struct kin_str word = kin_text_word(a, &at);
    for (unsigned n = 0; word.n && n < KIN_TOKENS_MAX; n++, word = kin_text_word(a, &at)) {
        uint64_t hash = kin_hash64(word.p, word.n, 0);
        struct kin_word_slot *slot = kin_words_slot(s, hash);
        different += slot->stamp != s->stamp;
        *slot = (struct kin_word_slot){.hash = hash, .stamp = s->stamp};
    }
    at = 0;
    word = kin_text_word(b, &at);
    for (unsigned n = 0; word.n && n < KIN_TOKENS_MAX; n++, word = kin_text_word(b, &at)) {
        struct kin_word_slot *slot = kin_words_slot(s, kin_hash64(word.p, word.n, 0));
        if (slot->stamp != s->stamp) {
            all_of_b = false;
            continue;
        }
        met += !slot->met;
        slot->met = true;
    }
    return met > 0 && (all_of_b || met == different);
}

/* ---- initial ---- */

/* Whether one word is a single character that the other begins with. */
static bool is_initial(struct kin_str a, struct kin_str b)
{
    struct kin_str shorter = a.n < b.n ? a : b, longer = a.n < b.n ? b : a;
    return shorter.n < longer.n &&
           kin_text_step((const uint8_t *)shorter.p, shorter.n) == shorter.n &&
           memcmp(shorter.p, longer.p, shorter.n) == 0 &&
           kin_text_step((const uint8_t *)longer.p, longer.n) == shorter.n;
}

bool kin_texts_initial(struct kin_str a, struct kin_str b)
{
    size_t at_a = 0, at_b = 0;
    bool any = false;
    struct kin_str x = kin_text_word(a, &at_a), y = kin_text_word(b, &at_b);
    for (; x.n && y.n; x = kin_text_word(a, &at_a), y = kin_text_word(b, &at_b)) {
        bool initial = is_initial(x, y);
        if (!initial && !kin_str_eq(x, y))
            return false;
        any = any || initial;
    }
    return any;
}

/* ---- e-mail addresses ---- */

bool kin_texts_same_username(struct kin_str a, struct kin_str b)
{
    const char *at = a.n ? memchr(a.p, '@', a.n) : NULL;
    size_t n = at ? (size_t)(at - a.p) : 0;
    return n > 0 && b.n > n && b.p[n] == '@' && memcmp(a.p, b.p, n) == 0;
}

bool kin_texts_same_domain(struct kin_str a, struct kin_str b)
{
    const char *at = a.n ? memchr(a.p, '@', a.n) : NULL;
    size_t n = at ? a.n - (size_t)(at - a.p) : 0; /* with the @ */
    return n > 1 && b.n > n && memcmp(at, b.p + b.n - n, n) == 0;
}
