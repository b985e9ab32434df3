/* The fields of the workflow: columns that mean the same, of one source or of several, fill one;
 * columns that say little about who or what a record is fill none. */
#include "client/suggest_impl.h"

#include <string.h>

enum { POOL_FIRST_BIT = 20, POOL_BITS = 40, OVERLAP_MIN_DISTINCT = 20 };

enum { SHARED_BY_PERSONS = 1, SHARED_BY_THINGS = 2, SHARED = 3 };

/* What columns of a meaning become. */
struct sort {
    enum kin_type type;
    enum kin_suggest_kind kind;
    uint8_t bit;            /* what fields of it are evidence of */
    bool by_words;          /* the kind is by how many words a value has */
    uint8_t shared;         /* `shared`, of fields of persons or of things */
    bool several;           /* there can be several such fields, told apart by their names */
    bool merges;            /* all such columns of a source fill one field */
    const char *why;        /* they become none: the reason */
    const char *why_person; /* the same, where the records are about persons */
};

static const char few_values[] = "few different values: many records agree by chance";
static const char written[] = "says when a record was written, not what it is about";
static const char same_value[] = "the same value in every row that has one";
static const char not_person[] = "not about the person";

static const struct sort sorts[KIN_MEANS_COUNT] = {
    [KIN_MEANS_NOTHING] = {.type = KIN_TYPE_TEXT,
                           .by_words = true,
                           .several = true,
                           .why_person = "what it means cannot be told from its name or values"},
    [KIN_MEANS_RECORD_ID] = {.type = KIN_TYPE_ID, .kind = KIN_KIND_NUMBER, .several = true},
    [KIN_MEANS_REFERENCE] = {.type = KIN_TYPE_ID, .kind = KIN_KIND_NUMBER, .several = true},
    [KIN_MEANS_PERSON_ID] = {.type = KIN_TYPE_ID, .kind = KIN_KIND_NUMBER, .several = true},
    [KIN_MEANS_THING_ID] = {.type = KIN_TYPE_ID, .kind = KIN_KIND_NUMBER, .several = true},
    [KIN_MEANS_UPDATED] = {.why = written},
    [KIN_MEANS_CREATED] = {.why = written},
    [KIN_MEANS_LABEL] = {.why = "by its name the result of an earlier matching"},
    [KIN_MEANS_ORIGIN] = {.why = "says where a record is from, not what it is about"},
    [KIN_MEANS_FIRST_NAME] = {.type = KIN_TYPE_NAME, .kind = KIN_KIND_NAME, .bit = 1},
    [KIN_MEANS_MIDDLE_NAME] = {.type = KIN_TYPE_NAME, .kind = KIN_KIND_NONE, .bit = 2},
    [KIN_MEANS_LAST_NAME] = {.type = KIN_TYPE_NAME,
                             .kind = KIN_KIND_NAME,
                             .bit = 3,
                             .shared = SHARED_BY_PERSONS},
    [KIN_MEANS_FULL_NAME] = {.type = KIN_TYPE_NAME,
                             .kind = KIN_KIND_WORDS,
                             .bit = 4,
                             .merges = true},
    [KIN_MEANS_NAME] = {.type = KIN_TYPE_TEXT, .kind = KIN_KIND_NONE, .bit = 5, .by_words = true},
    [KIN_MEANS_NAME_PART] = {.why = "a title: left out or added as people like"},
    [KIN_MEANS_ORGANISATION] = {.type = KIN_TYPE_TEXT,
                                .by_words = true,
                                .several = true,
                                .merges = true},
    [KIN_MEANS_BIRTH] = {.type = KIN_TYPE_DATE, .kind = KIN_KIND_DATE, .bit = 6},
    [KIN_MEANS_AGE] = {.why = "changes with time"},
    [KIN_MEANS_GENDER] = {.type = KIN_TYPE_TEXT, .kind = KIN_KIND_NONE, .bit = 7},
    [KIN_MEANS_EMAIL] = {.type = KIN_TYPE_EMAIL,
                         .kind = KIN_KIND_EMAIL,
                         .bit = 8,
                         .shared = SHARED_BY_PERSONS,
                         .merges = true},
    [KIN_MEANS_PHONE] = {.type = KIN_TYPE_PHONE,
                         .kind = KIN_KIND_NUMBER,
                         .bit = 9,
                         .shared = SHARED_BY_PERSONS,
                         .merges = true},
    [KIN_MEANS_FAX] = {.why = "shared by whole offices"},
    [KIN_MEANS_URL] = {.why = "a link: shared, moved and written in many ways"},
    [KIN_MEANS_ADDRESS] = {.type = KIN_TYPE_ADDRESS,
                           .kind = KIN_KIND_ADDRESS,
                           .bit = 10,
                           .shared = SHARED_BY_PERSONS,
                           .merges = true},
    [KIN_MEANS_HOUSE] = {.type = KIN_TYPE_ID, .kind = KIN_KIND_HOUSE, .bit = 11, .shared = SHARED},
    [KIN_MEANS_CITY] = {.type = KIN_TYPE_TEXT, .kind = KIN_KIND_CITY, .bit = 12, .shared = SHARED},
    [KIN_MEANS_POSTCODE] = {.type = KIN_TYPE_POSTCODE,
                            .kind = KIN_KIND_POST,
                            .bit = 12,
                            .shared = SHARED},
    [KIN_MEANS_STATE] = {.why = few_values},
    [KIN_MEANS_COUNTRY] = {.why = few_values},
    [KIN_MEANS_CATEGORY] = {.why = few_values},
    [KIN_MEANS_PLACE] = {.type = KIN_TYPE_GEO, .kind = KIN_KIND_PLACE, .bit = 13},
    [KIN_MEANS_COORDINATE] = {.why = "half of a place: a geo field wants latitude and longitude in "
                                     "one column"},
    [KIN_MEANS_TITLE] = {.type = KIN_TYPE_TEXT,
                         .by_words = true,
                         .several = true,
                         .why_person = not_person},
    [KIN_MEANS_AUTHOR] = {.type = KIN_TYPE_NAME,
                          .kind = KIN_KIND_WORDS,
                          .several = true,
                          .shared = SHARED_BY_THINGS,
                          .why_person = not_person},
    [KIN_MEANS_MAKER] = {.type = KIN_TYPE_TEXT,
                         .by_words = true,
                         .several = true,
                         .shared = SHARED_BY_THINGS,
                         .why_person = not_person},
    [KIN_MEANS_TEXT] = {.type = KIN_TYPE_TEXT,
                        .by_words = true,
                        .several = true,
                        .shared = SHARED_BY_THINGS,
                        .why_person = not_person},
    [KIN_MEANS_YEAR] = {.type = KIN_TYPE_ID,
                        .kind = KIN_KIND_YEAR,
                        .bit = 14,
                        .shared = SHARED_BY_THINGS,
                        .why_person = not_person},
    [KIN_MEANS_PRICE] = {.type = KIN_TYPE_NUMBER,
                         .kind = KIN_KIND_PRICE,
                         .bit = 15,
                         .shared = SHARED_BY_THINGS,
                         .why_person = not_person},
    [KIN_MEANS_DATE] = {.why = "a date of something that happened; compare it if each thing has "
                               "just one"},
    [KIN_MEANS_AMOUNT] = {.why = "an amount: equal by chance, different without reason"},
};

/* ---- columns better left out ---- */

static const char *why_by_values(const struct kin_profile_column *c)
{
    if (!kin_suggest_writable_column(c->name))
        return "its name has control characters, or is too long";
    if (c->filled == 0)
        return "empty";
    if (c->values > 10 && c->steps > c->values - c->values / 20)
        return "row numbers";
    return NULL;
}

/* Of all columns of a field together. */
static const char *why_unspecific(const struct kin_suggest *s, const struct kin_suggest_field *f)
{
    enum kin_meaning m = f->meaning;
    double distinct = (double)f->distinct, values = (double)f->values;
    if (f->filled < 3 || 200 * f->filled < f->rows)
        return "nearly empty";
    if (f->top == f->values)
        return same_value;
    if (m == KIN_MEANS_RECORD_ID || m == KIN_MEANS_REFERENCE) {
        if (distinct < 0.1 * values)
            return few_values;
        if (s->profile->source_count == 1 && distinct >= values)
            return "different in every row: no two records can agree";
    }
    bool text = m == KIN_MEANS_NOTHING || m == KIN_MEANS_TEXT || m == KIN_MEANS_AUTHOR ||
                m == KIN_MEANS_TITLE || m == KIN_MEANS_NAME || m == KIN_MEANS_ORGANISATION;
    bool many = f->values >= 50;
    if (text && many && (distinct < 0.02 * values || distinct < 5 || 5 * f->top > f->values))
        return few_values;
    if (m == KIN_MEANS_NOTHING && 5 * f->filled < f->rows)
        return "mostly empty, and what it means cannot be told";
    return NULL;
}

/* ---- kinds ---- */

static enum kin_suggest_kind kind_of_text(double words)
{
    return words <= 1.3 ? KIN_KIND_NAME : words <= 5.5 ? KIN_KIND_WORDS : KIN_KIND_LONG;
}

static void set_kind(struct kin_suggest_field *f, const struct kin_profile_column *c, bool persons)
{
    const struct sort *sort = &sorts[f->meaning];
    double words = kin_suggest_share((double)c->words, (double)c->values);
    bool digits = 200 * c->with_digit > c->values;
    f->def.type = sort->type;
    f->kind = sort->by_words ? kind_of_text(words) : sort->kind;
    f->shared = sort->shared & (persons ? SHARED_BY_PERSONS : SHARED_BY_THINGS);
    if (f->meaning == KIN_MEANS_AUTHOR && digits)
        f->def.type = KIN_TYPE_TEXT;
}

/* ---- finding the field of a column ---- */

static bool same_words(struct kin_str a, struct kin_str b)
{
    char x[KIN_WORDS_MAX], y[KIN_WORDS_MAX];
    size_t n = kin_words_of(a, x);
    return n > 0 && n == kin_words_of(b, y) && memcmp(x, y, n) == 0;
}

/* Columns of two sources that have many values in common, and not just because there are few. */
static bool same_values(const struct kin_profile_column *a, const struct kin_profile_column *b)
{
    uint64_t x = kin_counts_distinct(&a->counts), y = kin_counts_distinct(&b->counts);
    uint64_t least = x < y ? x : y;
    return kin_counts_exact(&a->counts) && kin_counts_exact(&b->counts) &&
           least >= OVERLAP_MIN_DISTINCT &&
           10 * kin_counts_shared(&a->counts, &b->counts) >= 3 * least;
}

/* Whether column c of source n belongs to field f, by one of the columns that fill it already. */
static bool belongs(const struct kin_suggest *s, size_t n, size_t c, size_t f)
{
    const struct kin_suggest_column *mine = &s->sources[n].columns[c];
    const struct kin_profile_column *profile = &s->profile->sources[n].columns[c];
    if (s->fields[f].meaning != mine->meaning)
        return false;
    if (!sorts[mine->meaning].several)
        return true;
    for (size_t m = 0; m <= n; m++) {
        const struct kin_profile_source *p = &s->profile->sources[m];
        for (size_t d = 0; d < p->column_count; d++) {
            const struct kin_suggest_column *other = &s->sources[m].columns[d];
            if (other->field != (int)f)
                continue;
            bool named = same_words(p->columns[d].name, profile->name) ||
                         (mine->words && mine->words == other->words);
            if (named || (m != n && same_values(&p->columns[d], profile)))
                return true;
        }
    }
    return false;
}

static bool filled_in_source(const struct kin_suggest *s, size_t n, size_t f)
{
    for (size_t d = 0; d < s->profile->sources[n].column_count; d++) {
        if (s->sources[n].columns[d].field == (int)f)
            return true;
    }
    return false;
}

static bool add_field(struct kin_suggest *s, enum kin_meaning meaning,
                      const struct kin_profile_column *c)
{
    if (s->field_count == KIN_SUGGEST_FIELDS_MAX)
        return false;
    struct kin_suggest_field *f = &s->fields[s->field_count];
    *f = (struct kin_suggest_field){.meaning = meaning, .parts = {-1, -1, -1, -1}};
    f->parts[0] = (int)s->field_count;
    unsigned bit = sorts[meaning].several ? POOL_FIRST_BIT + (unsigned)s->field_count % POOL_BITS
                                          : sorts[meaning].bit;
    f->groups = (uint64_t)1 << bit;
    set_kind(f, c, s->persons);
    s->field_count++;
    return true;
}

/* Of several columns with one meaning, of which only one can be taken, the fullest; then the
 * first. */
static bool is_best(const struct kin_suggest *s, size_t n, size_t c)
{
    const struct kin_profile_source *p = &s->profile->sources[n];
    const struct kin_suggest_column *columns = s->sources[n].columns;
    for (size_t d = 0; d < p->column_count; d++) {
        if (d != c && !columns[d].why && columns[d].meaning == columns[c].meaning &&
            (p->columns[d].filled > p->columns[c].filled ||
             (d < c && p->columns[d].filled == p->columns[c].filled)))
            return false;
    }
    return true;
}

static void place_column(struct kin_suggest *s, size_t n, size_t c)
{
    struct kin_suggest_column *column = &s->sources[n].columns[c];
    enum kin_meaning meaning = column->meaning;
    if (!sorts[meaning].several && !sorts[meaning].merges && !is_best(s, n, c)) {
        column->why = "another column of this meaning is compared";
        return;
    }
    for (size_t f = 0; f < s->field_count; f++) {
        if (!belongs(s, n, c, f) || (!sorts[meaning].merges && filled_in_source(s, n, f)))
            continue;
        column->field = (int)f;
        return;
    }
    if (add_field(s, meaning, &s->profile->sources[n].columns[c]))
        column->field = (int)s->field_count - 1;
    else
        column->why = "there are more columns than are proposed for comparison";
}

/* ---- persons or things ---- */

static bool any_means(const struct kin_suggest *s, enum kin_meaning meaning)
{
    for (size_t n = 0; n < s->profile->source_count; n++) {
        const struct kin_profile_source *p = &s->profile->sources[n];
        for (size_t c = 0; c < p->column_count; c++) {
            if (s->sources[n].columns[c].meaning == meaning && p->columns[c].filled)
                return true;
        }
    }
    return false;
}

static void settle_persons(struct kin_suggest *s)
{
    bool named = any_means(s, KIN_MEANS_FIRST_NAME) || any_means(s, KIN_MEANS_LAST_NAME) ||
                 any_means(s, KIN_MEANS_FULL_NAME);
    bool described = any_means(s, KIN_MEANS_BIRTH) || any_means(s, KIN_MEANS_GENDER) ||
                     any_means(s, KIN_MEANS_PERSON_ID);
    s->persons = named || (described && any_means(s, KIN_MEANS_NAME));
    s->named = any_means(s, KIN_MEANS_NAME) || any_means(s, KIN_MEANS_TITLE) ||
               any_means(s, KIN_MEANS_ORGANISATION);
    for (size_t n = 0; s->persons && n < s->profile->source_count; n++) {
        for (size_t c = 0; c < s->profile->sources[n].column_count; c++) {
            if (s->sources[n].columns[c].meaning == KIN_MEANS_NAME)
                s->sources[n].columns[c].meaning = KIN_MEANS_FULL_NAME;
        }
    }
}

static void settle_columns(struct kin_suggest *s, size_t n)
{
    const struct kin_profile_source *p = &s->profile->sources[n];
    struct kin_suggest_source *source = &s->sources[n];
    for (size_t c = 0; c < p->column_count; c++) {
        struct kin_suggest_column *column = &source->columns[c];
        bool special = (int)c == source->id || (int)c == source->updated;
        column->why = why_by_values(&p->columns[c]);
        if (!column->why)
            column->why = sorts[column->meaning].why;
        if (!column->why && (s->persons || (s->named && column->meaning == KIN_MEANS_NOTHING)))
            column->why = sorts[column->meaning].why_person;
        if (column->why && kin_counts_distinct(&p->columns[c].counts) == 1)
            column->why = same_value; /* the better reason */
        if (special)
            column->why = "";
    }
    for (size_t c = 0; c < p->column_count; c++) {
        if (!source->columns[c].why)
            place_column(s, n, c);
    }
}

/* ---- sums over the columns of a field ---- */

static void set_date_order(struct kin_suggest_field *f, uint64_t day_first, uint64_t month_first)
{
    if (f->def.type == KIN_TYPE_DATE && day_first + month_first > 0)
        f->def.date_order = day_first >= month_first ? KIN_DATE_DMY : KIN_DATE_MDY;
}

static void set_country(struct kin_suggest_field *f, const uint64_t countries[], uint64_t northern,
                        uint64_t domestic)
{
    uint64_t best = 0;
    const char *iso = NULL;
    for (size_t i = 0; kin_profile_country(i); i++) {
        if (countries[i] > best) {
            best = countries[i];
            iso = kin_profile_country(i);
        }
    }
    if (2 * northern > domestic)
        iso = "US";
    if (f->def.type == KIN_TYPE_PHONE && iso && domestic)
        memcpy(f->def.country, iso, 2);
}

/* Evidence that concerns a field but lies in all its columns. */
struct sums {
    uint64_t chars, words, tried, dates, emails, day_first, month_first, either, northern, domestic;
    uint64_t countries[KIN_PROFILE_COUNTRIES];
};

static void sum_column(struct kin_suggest_field *f, struct sums *sums,
                       const struct kin_profile_column *c)
{
    f->filled += c->filled;
    f->values += c->values;
    f->distinct += kin_counts_distinct(&c->counts);
    uint64_t top = kin_counts_top(&c->counts);
    f->top = top > f->top ? top : f->top;
    sums->chars += c->chars;
    sums->words += c->words;
    sums->tried += c->tried;
    sums->emails += c->accepted[KIN_AS_EMAIL];
    sums->dates += c->accepted[KIN_AS_DATE];
    sums->day_first += c->day_first;
    sums->month_first += c->month_first;
    sums->either += c->either;
    sums->northern += c->northern;
    sums->domestic += c->domestic;
    for (size_t i = 0; i < KIN_PROFILE_COUNTRIES; i++)
        sums->countries[i] += c->countries[i];
}

static void sum_field(struct kin_suggest *s, size_t at)
{
    struct kin_suggest_field *f = &s->fields[at];
    struct sums sums = {0};
    for (size_t n = 0; n < s->profile->source_count; n++) {
        const struct kin_profile_source *p = &s->profile->sources[n];
        bool here = false;
        for (size_t c = 0; c < p->column_count; c++) {
            if (s->sources[n].columns[c].field != (int)at)
                continue;
            here = true;
            sum_column(f, &sums, &p->columns[c]);
        }
        f->rows += here ? p->rows : 0;
    }
    f->chars = kin_suggest_share((double)sums.chars, (double)f->values);
    f->words = kin_suggest_share((double)sums.words, (double)f->values);
    set_date_order(f, sums.day_first, sums.month_first);
    f->unclear = f->def.type == KIN_TYPE_DATE && f->def.date_order == KIN_DATE_YMD && sums.either;
    set_country(f, sums.countries, sums.northern, sums.domestic);
    /* e-mail addresses that are misspelt in their form can be compared as ids only */
    if (f->def.type == KIN_TYPE_EMAIL && 50 * (sums.tried - sums.emails) > sums.tried)
        f->def.type = KIN_TYPE_ID;
}

/* ---- names of fields ---- */

/* Of ASCII, whatever the case; lower is in lower case. */
static bool same_letters(const char *lower, const char *name)
{
    size_t i = 0;
    while (name[i] && lower[i] == (name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]))
        i++;
    return !name[i] && !lower[i];
}

static bool is_reserved(const char *name)
{
    static const char *const words[] = {"match_id",   "size",       "source",     "id",
                                        "match_rule", "confidence", "group_size", "default",
                                        "and",        "or",         "not",        "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (same_letters(words[i], name))
            return true;
    }
    return false;
}

static bool is_plain(struct kin_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return name.n > 0 && name.n <= 24;
}

static bool is_taken(const struct kin_suggest *s, size_t count, const char *name)
{
    for (size_t f = 0; f < count; f++) {
        if (strcmp(s->fields[f].name, name) == 0)
            return true;
    }
    return false;
}

/* The name that all columns of the field have, if it can be the field's too; else that of its
 * meaning, or the words of the first column. */
static char *name_field(struct kin_suggest *s, size_t at)
{
    struct kin_str first = {NULL, 0};
    bool alike = true;
    for (size_t n = 0; n < s->profile->source_count; n++) {
        for (size_t c = 0; c < s->profile->sources[n].column_count; c++) {
            if (s->sources[n].columns[c].field != (int)at)
                continue;
            struct kin_str name = s->profile->sources[n].columns[c].name;
            alike = alike && (!first.p || kin_str_eq(first, name));
            first = first.p ? first : name;
        }
    }
    char words[KIN_WORDS_MAX];
    const char *canonical = kin_meaning_info(s->fields[at].meaning)->field;
    if (alike && is_plain(first))
        return kin_arena_strndup(&s->arena, first.p, first.n);
    size_t n = kin_words_of(first, words);
    bool ascii = n > 1;
    for (size_t i = 0; i + 1 < n; i++) {
        ascii = ascii && (unsigned char)words[i] < 0x80;
        words[i] = words[i] == ' ' ? '_' : words[i];
    }
    if (canonical && !sorts[s->fields[at].meaning].several)
        return kin_arena_strndup(&s->arena, canonical, strlen(canonical));
    if (ascii)
        return kin_arena_strndup(&s->arena, words, n - 1 < 40 ? n - 1 : 40);
    return kin_arena_printf(&s->arena, "%s", canonical ? canonical : "field");
}

static kin_status name_fields(struct kin_suggest *s)
{
    for (size_t f = 0; f < s->field_count; f++) {
        char *name = s->fields[f].name ? s->fields[f].name : name_field(s, f);
        if (name && is_reserved(name))
            name = kin_arena_printf(&s->arena, "%s_value", name);
        char *base = name;
        for (unsigned k = 2; name && is_taken(s, f, name); k++)
            name = kin_arena_printf(&s->arena, "%s_%u", base, k);
        if (!name)
            return kin_suggest_no_memory(s);
        s->fields[f].name = name;
    }
    return KIN_OK;
}

/* ---- fields made of others ---- */

static int field_of(const struct kin_suggest *s, enum kin_meaning meaning)
{
    for (size_t f = 0; f < s->field_count; f++) {
        if (s->fields[f].meaning == meaning && !s->fields[f].dropped)
            return (int)f;
    }
    return -1;
}

static struct kin_suggest_field *derive(struct kin_suggest *s, int base, const char *name,
                                        const char *why)
{
    struct kin_suggest_field *f = &s->fields[s->field_count];
    *f = s->fields[base];
    f->name = kin_arena_printf(&s->arena, "%s", name);
    f->derived = why;
    s->field_count++;
    return f;
}

/* Dates of which nearly all have eight digits in the same places. */
static bool written_alike(const struct kin_suggest *s, int field)
{
    uint64_t alike = 0, all = 0;
    for (size_t n = 0; n < s->profile->source_count; n++) {
        const struct kin_profile_source *p = &s->profile->sources[n];
        for (size_t c = 0; c < p->column_count; c++) {
            const struct kin_profile_shape *shape = kin_profile_shape(&p->columns[c]);
            if (s->sources[n].columns[c].field != field || !shape)
                continue;
            size_t digits = 0;
            for (const char *t = shape->text; *t; t++)
                digits += *t == '9';
            all += p->columns[c].values;
            alike += digits == 8 ? shape->count : 0;
        }
    }
    return 10 * alike >= 9 * all;
}

/* Digits of a date, so that a wrong one can be counted; all names together, where they come whole
 * in some records and in parts in others. */
static void derive_fields(struct kin_suggest *s)
{
    int birth = field_of(s, KIN_MEANS_BIRTH), full = field_of(s, KIN_MEANS_FULL_NAME);
    int first = field_of(s, KIN_MEANS_FIRST_NAME), last = field_of(s, KIN_MEANS_LAST_NAME);
    if (birth >= 0 && written_alike(s, birth)) {
        struct kin_suggest_field *f =
            derive(s, birth, "birth_digits", "the same as digits, to count those that differ");
        f->kind = KIN_KIND_NUMBER;
        f->def = (struct kin_field){.type = KIN_TYPE_ID};
    }
    if (full >= 0 && first >= 0 && last >= 0) {
        struct kin_suggest_field *f =
            derive(s, full, "any_name", "whole names and parts of names together");
        f->parts[1] = last;
        f->parts[2] = first;
        f->groups |= s->fields[last].groups; /* the first name can still bear it out */
        f->shared = true;                    /* the last name is among them */
    }
}

/* Dates that can be read in two ways: as in the country of the telephone numbers, or as in most
 * countries. A comment says that it is a guess. */
static void settle_dates(struct kin_suggest *s)
{
    bool american = false;
    for (size_t f = 0; f < s->field_count; f++)
        american = american || strcmp(s->fields[f].def.country, "US") == 0;
    for (size_t f = 0; f < s->field_count; f++) {
        if (s->fields[f].unclear)
            s->fields[f].def.date_order = american ? KIN_DATE_MDY : KIN_DATE_DMY;
    }
}

static bool has_fields(const struct kin_suggest *s, size_t n)
{
    for (size_t c = 0; c < s->profile->sources[n].column_count; c++) {
        int f = s->sources[n].columns[c].field;
        if (f >= 0 && !s->fields[f].dropped)
            return true;
    }
    return false;
}

kin_status kin_suggest_fields(struct kin_suggest *s)
{
    settle_persons(s);
    for (size_t n = 0; n < s->profile->source_count; n++)
        settle_columns(s, n);
    size_t kept = 0;
    for (size_t f = 0; f < s->field_count; f++) {
        sum_field(s, f);
        s->fields[f].dropped = why_unspecific(s, &s->fields[f]);
        kept += !s->fields[f].dropped;
    }
    settle_dates(s);
    if (kept == 0)
        return kin_err_set(s->err, KIN_E_NOTFOUND,
                           "no column has anything that records could be compared by");
    for (size_t n = 0; n < s->profile->source_count; n++)
        s->sources[n].excluded = !has_fields(s, n);
    derive_fields(s);
    return name_fields(s);
}
