#include "tests/bench/generate_skew.h"
#include "tests/bench/generate_random.h"

#include <string.h>

enum {
    HOT_PERMILLE = 50,
    BLOCK_RECORDS = 100,
    BLOCKS_MAX = 10000,
    GIVEN = 40,
    SURNAME_RECORDS = 2500
};

bool kin_skew_parse(const char *name, enum kin_skew *kind)
{
    static const char *const names[] = {"none", "hot", "blocks", "few"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        *kind = (enum kin_skew)i;
        return true;
    }
    return false;
}

static void put(struct kin_people_text *t, const char *p)
{
    t->n = (uint32_t)strlen(p);
    memcpy(t->p, p, t->n);
}

/* A word of four syllables from the number below 20^4: no two alike, nor nearly alike to a
 * measure of similarity. */
static void put_word(struct kin_people_text *t, uint32_t number)
{
    static const char syllables[20][3] = {"ba", "ce", "di", "fo", "gu", "ha", "je",
                                          "ki", "lo", "mu", "na", "pe", "qi", "ro",
                                          "su", "ta", "ve", "wi", "xo", "zu"};
    uint64_t x = permute_below(number, 160000, 1);
    t->n = 0;
    for (unsigned i = 0; i < 4; i++, x /= 20) {
        memcpy(t->p + t->n, syllables[x % 20], 2);
        t->n += 2;
    }
}

static void put_block(const struct kin_skew_options *o, struct rng *r, struct kin_people_text *t)
{
    uint64_t blocks = o->records / BLOCK_RECORDS;
    if (blocks > BLOCKS_MAX)
        blocks = BLOCKS_MAX;
    put_word(t, rng_below(r, blocks ? (uint32_t)blocks : 1));
    memcpy(t->p + t->n, "@example.org", 12);
    t->n += 12;
}

/* Entities keep what they have in common: what is drawn depends on the values, not on the record.
 */
static uint32_t of_text(const struct kin_people_text *t, uint32_t below)
{
    uint64_t x = 0;
    for (uint32_t i = 0; i < t->n; i++)
        x = mix64(x + (uint8_t)t->p[i] + 1);
    return (uint32_t)((x >> 32) * below >> 32);
}

static void make_few(const struct kin_skew_options *o, struct kin_person *p)
{
    struct kin_people_text *dob = &p->cell[DOB], *last = &p->cell[LAST], *first = &p->cell[FIRST];
    uint64_t surnames = o->records / SURNAME_RECORDS + 1;
    /* surname and address together: spread evenly, however few surnames are common */
    struct kin_people_text both = *last;
    if (surnames > 100000)
        surnames = 100000;
    if (p->cell[POSTCODE].n) {
        memcpy(both.p, p->cell[POSTCODE].p, p->cell[POSTCODE].n);
        both.n = p->cell[POSTCODE].n;
    }
    put_word(last, GIVEN + of_text(&both, (uint32_t)surnames));
    put_word(first, of_text(first, GIVEN));
    if (dob->n == 10) { /* YYYY-MM-DD */
        uint32_t month = (uint32_t)(dob->p[5] - '0') * 10 + (uint32_t)(dob->p[6] - '0');
        static const char quarters[4][3] = {"01", "04", "07", "10"};
        memcpy(dob->p + 5, quarters[(month - 1) / 3 % 4], 2);
        memcpy(dob->p + 8, "01", 2);
    }
}

void kin_skew_apply(const struct kin_skew_options *o, uint64_t number, struct kin_person *p)
{
    struct rng r = rng_of(o->seed, STREAM_SKEW, number);
    switch (o->kind) {
    case KIN_SKEW_HOT:
        if (rng_chance(&r, HOT_PERMILLE))
            put(&p->cell[EMAIL], "none@example.com");
        break;
    case KIN_SKEW_BLOCKS:
        put_block(o, &r, &p->cell[EMAIL]);
        break;
    case KIN_SKEW_FEW:
        make_few(o, p);
        break;
    case KIN_SKEW_NONE:
        break;
    }
}
