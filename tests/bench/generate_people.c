#include "tests/bench/generate_people.h"
#include "tests/bench/generate_names.h"
#include "tests/bench/generate_random.h"

#include <string.h>

enum {
    BLOCK_RECORDS = 10000,        /* which record is whose repeats after so many */
    REGION_RECORDS = 1000 * 1000, /* linear: one naming region for so many records */
    GIVEN_NAMES_MAX = 1024
};

/* ---- words drawn with skew: Zipf-Mandelbrot, weight 1 / (rank + shift), by Walker's aliases ----
 */

struct word {
    const char *p;
    uint32_t n;
};

struct draw {
    struct word *words;
    uint32_t *keep; /* of 2^32 */
    uint32_t *alias;
    uint32_t count;
};

static uint32_t draw_rank(const struct draw *d, struct rng *r)
{
    uint64_t x = rng_next(r);
    uint32_t i = (uint32_t)(((x >> 32) * d->count) >> 32);
    return (uint32_t)x < d->keep[i] ? i : d->alias[i];
}

static struct word draw_word(const struct draw *d, struct rng *r)
{
    return d->words[draw_rank(d, r)];
}

/* Vose 1991, in integers. */
static bool draw_weigh(struct kin_arena *arena, struct draw *d, uint32_t shift)
{
    uint64_t *scaled = kin_reallocarray(NULL, d->count, sizeof *scaled);
    uint32_t *stack = kin_reallocarray(NULL, d->count, sizeof *stack);
    d->keep = kin_arena_calloc(arena, d->count, sizeof *d->keep);
    d->alias = kin_arena_calloc(arena, d->count, sizeof *d->alias);
    bool ok = scaled && stack && d->keep && d->alias;
    uint64_t total = 0;
    for (uint32_t i = 0; ok && i < d->count; i++) {
        uint64_t weight = ((uint64_t)1 << 26) / (i + shift);
        scaled[i] = weight * d->count;
        total += weight;
    }
    uint32_t small = 0, large = d->count; /* two stacks in one array */
    for (uint32_t i = 0; ok && i < d->count; i++) {
        if (scaled[i] < total)
            stack[small++] = i;
        else
            stack[--large] = i;
    }
    while (ok && small > 0 && large < d->count) {
        uint32_t s = stack[--small], l = stack[large];
        d->keep[s] = (uint32_t)((scaled[s] << 32) / total);
        d->alias[s] = l;
        scaled[l] -= total - scaled[s];
        if (scaled[l] < total) {
            large++;
            stack[small++] = l;
        }
    }
    for (; ok && small > 0; small--) {
        d->keep[stack[small - 1]] = UINT32_MAX;
        d->alias[stack[small - 1]] = stack[small - 1];
    }
    for (; ok && large < d->count; large++) {
        d->keep[stack[large]] = UINT32_MAX;
        d->alias[stack[large]] = stack[large];
    }
    kin_free(scaled);
    kin_free(stack);
    return ok;
}

/* Cuts texts at blanks into list (room for max); the words stay where they are. */
static uint32_t cut_words(const char *const *texts, size_t text_count, struct word *list,
                          uint32_t max)
{
    uint32_t count = 0;
    for (size_t t = 0; t < text_count; t++) {
        const char *p = texts[t];
        for (;;) {
            p += strspn(p, " ");
            size_t n = strcspn(p, " ");
            if (n == 0 || count == max)
                break;
            list[count++] = (struct word){p, (uint32_t)n};
            p += n;
        }
    }
    return count;
}

static bool draw_make(struct kin_arena *arena, struct draw *d, const char *const *texts,
                      size_t text_count, uint32_t shift)
{
    enum { MAX = GIVEN_NAMES_MAX };
    d->words = kin_arena_calloc(arena, MAX, sizeof *d->words);
    if (!d->words)
        return false;
    d->count = cut_words(texts, text_count, d->words, MAX);
    return draw_weigh(arena, d, shift);
}

/* Surnames: the listed ones, then every stem with every ending in a scattered order. */
static bool draw_make_surnames(struct kin_arena *arena, struct draw *d, uint32_t shift)
{
    enum { PART_MAX = 512 };
    struct word stems[PART_MAX], endings[PART_MAX];
    const char *stem_text = surname_stems, *ending_text = surname_endings;
    uint32_t stem_count = cut_words(&stem_text, 1, stems, PART_MAX);
    uint32_t ending_count = cut_words(&ending_text, 1, endings, PART_MAX);
    uint32_t built = stem_count * ending_count;
    d->words = kin_arena_calloc(arena, PART_MAX + built, sizeof *d->words);
    if (!d->words)
        return false;
    d->count = cut_words(surnames, sizeof surnames / sizeof *surnames, d->words, PART_MAX);
    for (uint32_t i = 0; i < built; i++) {
        uint32_t j = (uint32_t)permute_below(i, built, 0x5eed);
        struct word stem = stems[j % stem_count], ending = endings[j / stem_count];
        char *name = kin_arena_alloc(arena, stem.n + ending.n);
        if (!name)
            return false;
        memcpy(name, stem.p, stem.n);
        memcpy(name + stem.n, ending.p, ending.n);
        d->words[d->count++] = (struct word){name, stem.n + ending.n};
    }
    return draw_weigh(arena, d, shift);
}

/* ---- the world that people are drawn from ---- */

struct kin_people {
    struct kin_arena arena;
    struct kin_people_options options;
    struct draw first, last, town, street, kind, domain;
    struct {
        struct word *shorts; /* NULL: none */
        uint32_t count;
    } nick[GIVEN_NAMES_MAX]; /* by rank of the given name */
    uint32_t regions;
    uint8_t (*letters)[256];        /* [region]: what each letter of a name becomes */
    uint16_t entity[BLOCK_RECORDS]; /* of a record, counted from the block's first entity */
    uint8_t variant[BLOCK_RECORDS];
    uint32_t block_entities;
};

static bool make_nicknames(struct kin_people *w)
{
    enum { SHORTS_MAX = 8 };
    for (size_t i = 0; i < sizeof nicknames / sizeof *nicknames; i++) {
        struct word *list = kin_arena_calloc(&w->arena, SHORTS_MAX, sizeof *list);
        if (!list)
            return false;
        uint32_t count = cut_words(&nicknames[i], 1, list, SHORTS_MAX);
        for (uint32_t f = 0; f < w->first.count; f++) {
            struct word full = w->first.words[f];
            if (full.n == list[0].n && memcmp(full.p, list[0].p, full.n) == 0) {
                w->nick[f].shorts = list + 1;
                w->nick[f].count = count - 1;
            }
        }
    }
    return true;
}

/* Region 0 writes names as listed. Every other one replaces vowels by vowels and consonants by
 * consonants: names as long and as skewed, but none of them shared between regions. */
static bool make_regions(struct kin_people *w)
{
    static const char vowels[] = "aeiou", consonants[] = "bcdfghjklmnpqrstvwxyz";
    w->regions = 1;
    if (w->options.linear)
        w->regions = (uint32_t)((w->options.records + REGION_RECORDS - 1) / REGION_RECORDS);
    if (w->regions == 0)
        w->regions = 1;
    w->letters = kin_arena_calloc(&w->arena, w->regions, sizeof *w->letters);
    if (!w->letters)
        return false;
    for (uint32_t region = 0; region < w->regions; region++) {
        uint8_t *map = w->letters[region];
        for (unsigned c = 0; c < 256; c++)
            map[c] = (uint8_t)c;
        const char *const sets[2] = {vowels, consonants};
        for (unsigned s = 0; region && s < 2; s++) {
            uint32_t n = (uint32_t)strlen(sets[s]);
            uint64_t key = mix64(w->options.seed + region);
            for (uint32_t i = 0; i < n; i++) {
                uint8_t from = (uint8_t)sets[s][i];
                uint8_t to = (uint8_t)sets[s][permute_below(i, n, key)];
                map[from] = to;
                map[from - 'a' + 'A'] = (uint8_t)(to - 'a' + 'A');
            }
        }
    }
    return true;
}

/* Lays out one block: duplicated entities have 1, 2, 3 or 4 duplicates in 60, 25, 10 and 5 %. */
static void make_layout(struct kin_people *w)
{
    struct rng r = rng_of(w->options.seed, STREAM_KEYS, 0);
    uint32_t left = (uint32_t)((uint64_t)BLOCK_RECORDS * w->options.duplicates_ppm / 1000000);
    w->block_entities = BLOCK_RECORDS - left;
    uint8_t size[BLOCK_RECORDS] = {0};
    for (uint32_t e = 0; left && e < w->block_entities; e++) {
        uint32_t x = rng_below(&r, 100);
        uint32_t n = x < 60 ? 1 : x < 85 ? 2 : x < 95 ? 3 : 4;
        size[e] = (uint8_t)(n < left ? n : left);
        left -= size[e];
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < w->block_entities; i++) {
        uint32_t e = (uint32_t)permute_below(i, w->block_entities, w->options.seed);
        for (uint32_t v = 0; v <= size[e] && at < BLOCK_RECORDS; v++, at++) {
            w->entity[at] = (uint16_t)i;
            w->variant[at] = (uint8_t)v;
        }
    }
    KIN_ASSERT(at == BLOCK_RECORDS);
}

struct kin_people *kin_people_new(const struct kin_people_options *options)
{
    const char *street = street_names, *kind = street_kinds, *domain = mail_domains;
    struct kin_people *w = kin_calloc(1, sizeof *w);
    if (!w)
        return NULL;
    struct kin_arena *arena = &w->arena;
    w->options = *options;
    w->town.count = sizeof towns / sizeof *towns;
    bool ok =
        draw_make(arena, &w->first, given_names, sizeof given_names / sizeof *given_names, 12) &&
        draw_make_surnames(arena, &w->last, 40) && draw_weigh(arena, &w->town, 3) &&
        draw_make(arena, &w->street, &street, 1, 4) && draw_make(arena, &w->kind, &kind, 1, 2) &&
        draw_make(arena, &w->domain, &domain, 1, 1) && make_nicknames(w) && make_regions(w);
    if (!ok) {
        kin_people_free(w);
        return NULL;
    }
    make_layout(w);
    return w;
}

void kin_people_free(struct kin_people *w)
{
    if (w)
        kin_arena_deinit(&w->arena);
    kin_free(w);
}

/* ---- people ---- */

static void text_put(struct kin_people_text *t, const char *p, uint32_t n)
{
    if (n > KIN_PEOPLE_TEXT_BYTES - t->n)
        n = KIN_PEOPLE_TEXT_BYTES - t->n;
    memcpy(t->p + t->n, p, n);
    t->n += n;
}

static void text_putc(struct kin_people_text *t, char c)
{
    if (t->n < KIN_PEOPLE_TEXT_BYTES)
        t->p[t->n++] = c;
}

static void text_word(struct kin_people_text *t, struct word w)
{
    text_put(t, w.p, w.n);
}

/* At least `digits` of them, 1..9. */
static void text_number(struct kin_people_text *t, uint32_t value, uint32_t digits)
{
    for (uint32_t rest = value, n = 1; rest >= 10; rest /= 10) {
        if (++n > digits)
            digits = n;
    }
    if (t->n + digits > KIN_PEOPLE_TEXT_BYTES)
        return;
    for (uint32_t at = t->n + digits; at > t->n; value /= 10)
        t->p[--at] = (char)('0' + value % 10);
    t->n += digits;
}

static void text_name(const struct kin_people *w, uint32_t region, struct word name,
                      struct kin_people_text *t)
{
    t->n = 0;
    text_word(t, name);
    if (region == 0)
        return;
    for (uint32_t i = 0; i < t->n; i++)
        t->p[i] = (char)w->letters[region][(uint8_t)t->p[i]];
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The letters of a name that an address can have, at most `max`. */
static void text_mail_part(struct kin_people_text *t, const struct kin_people_text *name,
                           uint32_t max)
{
    for (uint32_t i = 0; i < name->n && max; i++) {
        if (is_letter(name->p[i])) {
            text_putc(t, (char)(name->p[i] | 0x20));
            max--;
        }
    }
}

static void draw_email(const struct kin_people *w, struct kin_person *p, struct rng *r)
{
    struct kin_people_text *t = &p->cell[EMAIL];
    const struct kin_people_text *first = &p->cell[FIRST], *last = &p->cell[LAST];
    uint32_t style = rng_below(r, 100), number = rng_below(r, 10000);
    t->n = 0;
    if (style < 46) { /* mary.smith, mary.smith82, mary_smith417 */
        text_mail_part(t, first, 16);
        text_putc(t, style < 38 ? '.' : '_');
        text_mail_part(t, last, 24);
        if (style >= 10 && style < 30)
            text_number(t, p->year % 100, 2);
        else if (style >= 30)
            text_number(t, number % 1000, 1);
    } else if (style < 66) { /* msmith417 */
        text_mail_part(t, first, 1);
        text_mail_part(t, last, 24);
        text_number(t, number, 1);
    } else if (style < 84) { /* mary4417 */
        text_mail_part(t, first, 16);
        text_number(t, number, 3);
    } else { /* smithm82 */
        text_mail_part(t, last, 24);
        text_mail_part(t, first, 1);
        text_number(t, p->year % 100, 2);
    }
    text_putc(t, '@');
    text_word(t, draw_word(&w->domain, r));
}

static void draw_phone(struct kin_person *p, struct rng *r)
{
    struct kin_people_text *t = &p->cell[PHONE];
    uint32_t style = rng_below(r, 100), number = rng_below(r, 1000000);
    t->n = 0;
    if (style < 70) {
        text_put(t, style < 15 ? "+447" : "07", style < 15 ? 4 : 2);
        text_number(t, 300 + rng_below(r, 700), 3);
        if (style < 45)
            text_putc(t, ' ');
        text_number(t, number, 6);
        return;
    }
    const char *dial = towns[p->town].dial;
    uint32_t n = (uint32_t)strlen(dial);
    text_put(t, dial, n);
    text_putc(t, ' ');
    if (n < 5)
        text_number(t, 2 + rng_below(r, 7), 1);
    for (uint32_t digits = n + 7; digits < 11; digits++)
        text_number(t, rng_below(r, 10), 1);
    text_number(t, number, 6);
}

static void draw_home(const struct kin_people *w, struct kin_person *p, struct rng *r)
{
    static const char inward[] = "ABDEFGHJLNPQRSTUWXYZ";
    struct kin_people_text *street = &p->cell[STREET], *city = &p->cell[CITY],
                           *code = &p->cell[POSTCODE];
    street->n = city->n = code->n = 0;
    p->town = draw_rank(&w->town, r);
    text_put(city, towns[p->town].name, (uint32_t)strlen(towns[p->town].name));
    text_put(code, towns[p->town].postcode, (uint32_t)strlen(towns[p->town].postcode));
    text_number(code, 1 + rng_below(r, 18), 1);
    text_putc(code, ' ');
    text_number(code, rng_below(r, 10), 1);
    text_putc(code, inward[rng_below(r, sizeof inward - 1)]);
    text_putc(code, inward[rng_below(r, sizeof inward - 1)]);
    if (rng_chance(r, 60)) {
        text_put(street, "Flat ", 5);
        text_number(street, 1 + rng_below(r, 40), 1);
        text_put(street, ", ", 2);
    }
    text_number(street, 1 + rng_below(r, 1 + rng_below(r, 200)), 1);
    text_putc(street, ' ');
    text_word(street, draw_word(&w->street, r));
    text_putc(street, ' ');
    text_word(street, draw_word(&w->kind, r));
}

/* One in twelve shares surname and home with the entity before. */
static uint64_t home_of(const struct kin_people *w, uint64_t entity)
{
    for (unsigned i = 0; i < 8 && entity > 0; i++, entity--) {
        struct rng r = rng_of(w->options.seed, STREAM_REGION, entity);
        if (!rng_chance(&r, 83))
            break;
    }
    return entity;
}

static void make_person(const struct kin_people *w, uint64_t entity, struct kin_person *p)
{
    struct rng home = rng_of(w->options.seed, STREAM_HOME, home_of(w, entity));
    struct rng own = rng_of(w->options.seed, STREAM_PERSON, entity);
    p->region = rng_below(&home, w->regions);
    text_name(w, p->region, draw_word(&w->last, &home), &p->cell[LAST]);
    draw_home(w, p, &home);
    p->first = draw_rank(&w->first, &own);
    text_name(w, p->region, w->first.words[p->first], &p->cell[FIRST]);
    p->year = 1930 + (rng_below(&own, 82) + rng_below(&own, 81)) / 2; /* 1930..2010, most in 1970 */
    p->month = 1 + rng_below(&own, 12);
    p->day = 1 + rng_below(&own, p->month == 2 ? 28 : 30);
    draw_email(w, p, &own);
    draw_phone(p, &own);
    p->updated_days = rng_below(&own, 2500);
}

/* ---- errors ---- */

static void typo(struct kin_people_text *t, struct rng *r)
{
    for (unsigned attempt = 0; attempt < 8 && t->n > 1; attempt++) {
        uint32_t at = rng_below(r, t->n - 1), kind = rng_below(r, 4);
        char *p = t->p + at;
        char letter = (char)('a' + rng_below(r, 26));
        if (!is_letter(p[0]) || !is_letter(p[1]) || (kind == 3 && p[0] == p[1]) || p[1] == letter)
            continue;
        if (kind == 0 && t->n < KIN_PEOPLE_TEXT_BYTES) { /* insert */
            memmove(p + 2, p + 1, t->n - at - 1);
            p[1] = letter;
            t->n++;
        } else if (kind == 1) { /* leave out */
            memmove(p + 1, p + 2, t->n - at - 2);
            t->n--;
        } else if (kind == 2) { /* another letter */
            p[1] = letter;
        } else { /* transpose */
            char c = p[0];
            p[0] = p[1];
            p[1] = c;
        }
        return;
    }
}

static void wrong_date(struct kin_person *p, struct rng *r)
{
    uint32_t kind = rng_below(r, 4);
    if (p->year == 0)
        return;
    if (kind == 0 && p->day <= 12 && p->day != p->month) {
        uint32_t day = p->day;
        p->day = p->month;
        p->month = day;
    } else if (kind == 1) {
        p->year = p->year / 10 * 10 + rng_below(r, 10);
    } else if (kind == 2) {
        p->month = 1 + rng_below(r, 12);
    } else {
        p->day = 1 + rng_below(r, 28);
    }
    if (p->month == 2 && p->day > 28)
        p->day = 28;
}

static void swap_day_and_month(struct kin_person *p, struct rng *r)
{
    if (p->day > 12 || p->day == p->month || p->year == 0) {
        wrong_date(p, r);
        return;
    }
    uint32_t day = p->day;
    p->day = p->month;
    p->month = day;
}

static void nickname(const struct kin_people *w, struct kin_person *p, struct rng *r)
{
    uint32_t count = w->nick[p->first].count;
    if (count)
        text_name(w, p->region, w->nick[p->first].shorts[rng_below(r, count)], &p->cell[FIRST]);
    else
        typo(&p->cell[FIRST], r);
}

static void leave_out(struct kin_person *p, struct rng *r)
{
    static const uint8_t cells[] = {FIRST,  DOB,  EMAIL,  EMAIL,    PHONE,    PHONE,
                                    STREET, CITY, STREET, POSTCODE, POSTCODE, DOB};
    uint8_t cell = cells[rng_below(r, sizeof cells)];
    if (cell == DOB)
        p->year = 0;
    p->cell[cell].n = 0;
}

/* One to three things that differ from the entity. */
static void damage(const struct kin_people *w, struct kin_person *p, struct rng *r)
{
    unsigned count = 1u + (rng_chance(r, 380) ? 1u : 0) + (rng_chance(r, 180) ? 1u : 0);
    for (unsigned i = 0; i < count; i++) {
        uint32_t kind = rng_below(r, 100);
        if (kind < 14) {
            typo(&p->cell[FIRST], r);
        } else if (kind < 29) {
            typo(&p->cell[LAST], r);
        } else if (kind < 34) {
            typo(&p->cell[EMAIL], r);
        } else if (kind < 40) {
            wrong_date(p, r);
        } else if (kind < 44) {
            swap_day_and_month(p, r);
        } else if (kind < 48) {
            struct kin_people_text name = p->cell[FIRST];
            p->cell[FIRST] = p->cell[LAST];
            p->cell[LAST] = name;
        } else if (kind < 57) {
            nickname(w, p, r);
        } else if (kind < 65) {
            draw_email(w, p, r);
        } else if (kind < 72) {
            draw_phone(p, r);
        } else if (kind < 79) {
            draw_home(w, p, r);
        } else if (kind < 82) {
            typo(&p->cell[STREET], r);
        } else {
            leave_out(p, r);
        }
    }
}

/* What was never asked or never answered, in any record. */
static void forget(struct kin_person *p, struct rng *r)
{
    static const struct {
        uint16_t cell, of_1024;
    } rates[] = {{EMAIL, 113}, {PHONE, 143}, {DOB, 26}, {STREET, 72}, {POSTCODE, 61}, {CITY, 31}};
    uint64_t x = rng_next(r);
    for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++, x >>= 10) {
        if ((x & 1023) >= rates[i].of_1024)
            continue;
        p->cell[rates[i].cell].n = 0;
        if (rates[i].cell == DOB)
            p->year = 0;
    }
}

static uint32_t days_of_year(uint32_t year)
{
    return year % 4 == 0 ? 366 : 365; /* right for 1901..2099 */
}

static uint32_t days_of_month(uint32_t year, uint32_t month)
{
    static const uint8_t days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month] + (month == 2 && year % 4 == 0 ? 1u : 0);
}

static void put_updated(struct kin_person *p, struct rng *r)
{
    struct kin_people_text *t = &p->cell[UPDATED];
    uint32_t days = p->updated_days, year = 2015, month = 1;
    for (; days >= days_of_year(year); year++)
        days -= days_of_year(year);
    for (; days >= days_of_month(year, month); month++)
        days -= days_of_month(year, month);
    t->n = 0;
    text_number(t, year, 4);
    text_putc(t, '-');
    text_number(t, month, 2);
    text_putc(t, '-');
    text_number(t, days + 1, 2);
    uint32_t second = rng_below(r, 24 * 60 * 60);
    text_putc(t, 'T');
    text_number(t, second / 3600, 2);
    text_putc(t, ':');
    text_number(t, second / 60 % 60, 2);
    text_putc(t, ':');
    text_number(t, second % 60, 2);
    text_putc(t, 'Z');
}

static void put_dob(struct kin_person *p)
{
    struct kin_people_text *t = &p->cell[DOB];
    t->n = 0;
    if (p->year == 0)
        return;
    text_number(t, p->year, 4);
    text_putc(t, '-');
    text_number(t, p->month, 2);
    text_putc(t, '-');
    text_number(t, p->day, 2);
}

uint64_t kin_people_record(const struct kin_people *w, uint64_t number, struct kin_person *p)
{
    struct rng r = rng_of(w->options.seed, STREAM_RECORD, number);
    uint32_t at = (uint32_t)(number % BLOCK_RECORDS);
    uint64_t entity = number / BLOCK_RECORDS * w->block_entities + w->entity[at];
    make_person(w, entity, p);
    if (w->variant[at] > 0) {
        p->updated_days += rng_below(&r, 800);
        damage(w, p, &r);
    }
    forget(p, &r);
    put_updated(p, &r);
    put_dob(p);
    return entity;
}
