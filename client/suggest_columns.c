/* What each column means, by its name if its values bear that out, else by its values; and which
 * column names the records, which says when they were changed. */
#include "client/suggest_impl.h"
#include "client/suggest_text.h"

#include <string.h>

enum { COLUMN_BYTES = 255 };

bool kin_suggest_writable(struct kin_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (kin_suggest_odd(text.p + i, text.n - i))
            return false;
    }
    return text.n > 0 && kin_utf8_valid(text.p, text.n, NULL);
}

bool kin_suggest_writable_column(struct kin_str name)
{
    return name.n <= COLUMN_BYTES && kin_suggest_writable(name);
}

/* ---- shares ---- */

static double accepted(const struct kin_profile_column *c, enum kin_profile_as as)
{
    return kin_suggest_share((double)c->accepted[as], (double)c->tried);
}

static double of_values(const struct kin_profile_column *c, uint64_t count)
{
    return kin_suggest_share((double)count, (double)c->values);
}

static double any_date(const struct kin_profile_column *c)
{
    double best = accepted(c, KIN_AS_DATE);
    for (unsigned as = KIN_AS_DATE_DMY; as <= KIN_AS_DATE_MDY; as++) {
        double share = accepted(c, (enum kin_profile_as)as);
        best = share > best ? share : best;
    }
    return best;
}

static double mean_chars(const struct kin_profile_column *c)
{
    return kin_suggest_share((double)c->chars, (double)c->values);
}

/* ---- meaning ---- */

/* Whether the values can be what the name says. */
static bool borne_out(enum kin_meaning meaning, const struct kin_profile_column *c)
{
    double digits = kin_suggest_share((double)c->digits, (double)c->values);
    switch (meaning) {
    case KIN_MEANS_EMAIL:
        return of_values(c, c->with_at) >= 0.5;
    case KIN_MEANS_PHONE:
    case KIN_MEANS_FAX:
        return digits >= 5 && accepted(c, KIN_AS_PHONE) >= 0.5;
    case KIN_MEANS_BIRTH:
    case KIN_MEANS_DATE:
        return any_date(c) >= 0.5;
    case KIN_MEANS_UPDATED:
    case KIN_MEANS_CREATED:
        return accepted(c, KIN_AS_TIMESTAMP) >= 0.5 || any_date(c) >= 0.5;
    case KIN_MEANS_FIRST_NAME:
    case KIN_MEANS_MIDDLE_NAME:
    case KIN_MEANS_LAST_NAME:
    case KIN_MEANS_FULL_NAME:
    case KIN_MEANS_NAME:
    case KIN_MEANS_ORGANISATION:
    case KIN_MEANS_CITY:
    case KIN_MEANS_AUTHOR:
    case KIN_MEANS_TITLE:
        return of_values(c, c->with_letter) >= 0.5;
    case KIN_MEANS_ADDRESS:
        return of_values(c, c->with_letter) >= 0.5 && of_values(c, c->with_at) < 0.5;
    case KIN_MEANS_POSTCODE:
        return mean_chars(c) <= 12 && of_values(c, c->with_digit) >= 0.5;
    case KIN_MEANS_HOUSE:
        return mean_chars(c) <= 10 && of_values(c, c->with_digit) >= 0.5;
    case KIN_MEANS_PLACE:
        return accepted(c, KIN_AS_GEO) >= 0.8;
    case KIN_MEANS_COORDINATE:
    case KIN_MEANS_PRICE:
        return accepted(c, KIN_AS_NUMBER) >= 0.5;
    case KIN_MEANS_YEAR:
        return accepted(c, KIN_AS_NUMBER) >= 0.5 && mean_chars(c) <= 6;
    case KIN_MEANS_NOTHING:
    case KIN_MEANS_RECORD_ID:
    case KIN_MEANS_REFERENCE:
    case KIN_MEANS_LABEL:
    case KIN_MEANS_ORIGIN:
    case KIN_MEANS_NAME_PART:
    case KIN_MEANS_AGE:
    case KIN_MEANS_GENDER:
    case KIN_MEANS_URL:
    case KIN_MEANS_STATE:
    case KIN_MEANS_COUNTRY:
    case KIN_MEANS_PERSON_ID:
    case KIN_MEANS_THING_ID:
    case KIN_MEANS_MAKER:
    case KIN_MEANS_CATEGORY:
    case KIN_MEANS_TEXT:
    case KIN_MEANS_AMOUNT:
    case KIN_MEANS_COUNT:
        break;
    }
    return true;
}

static bool shaped_like_postcode(const struct kin_profile_column *c)
{
    uint64_t alike = 0;
    for (size_t i = 0; i < KIN_PROFILE_SHAPES; i++) {
        const char *t = c->shapes[i].text; /* British: A9 9AA, AA99 9AA ... */
        const char *blank = strchr(t, ' ');
        if (c->shapes[i].count && t[0] == 'A' && blank && strcmp(blank, " 9AA") == 0)
            alike += c->shapes[i].count;
    }
    return of_values(c, alike) >= 0.5;
}

static bool looks_like_phone(const struct kin_profile_column *c)
{
    double digits = kin_suggest_share((double)c->digits, (double)c->values);
    double foreign = kin_suggest_share((double)(c->tried - c->domestic), (double)c->tried);
    double northern = kin_suggest_share((double)c->northern, (double)c->tried);
    return digits >= 7 && digits <= 14 && accepted(c, KIN_AS_PHONE) >= 0.9 &&
           of_values(c, c->with_letter) < 0.1 && (foreign >= 0.5 || northern >= 0.5);
}

static enum kin_meaning meaning_of_values(const struct kin_profile_column *c)
{
    if (of_values(c, c->with_at) >= 0.8 && accepted(c, KIN_AS_EMAIL) >= 0.5)
        return KIN_MEANS_EMAIL;
    if (of_values(c, c->urls) >= 0.8)
        return KIN_MEANS_URL;
    if (any_date(c) >= 0.9 && mean_chars(c) >= 6) {
        double past = kin_suggest_share((double)c->years_past, (double)c->years);
        bool plain = c->years > 0 && c->year_min >= 1850 && c->year_max <= 2100;
        bool number = accepted(c, KIN_AS_NUMBER) >= 0.5;
        if (plain && past >= 0.5 && c->year_min < 1990)
            return KIN_MEANS_BIRTH;
        if (plain || !number)
            return KIN_MEANS_DATE;
    }
    if (accepted(c, KIN_AS_GEO) >= 0.9)
        return KIN_MEANS_PLACE;
    if (shaped_like_postcode(c))
        return KIN_MEANS_POSTCODE;
    if (looks_like_phone(c))
        return KIN_MEANS_PHONE;
    bool single = of_values(c, c->without_blank) >= 0.98;
    if (single && of_values(c, c->with_digit) >= 0.8 && mean_chars(c) >= 5)
        return KIN_MEANS_REFERENCE;
    if (accepted(c, KIN_AS_NUMBER) >= 0.9)
        return KIN_MEANS_AMOUNT;
    return KIN_MEANS_NOTHING;
}

static enum kin_meaning meaning_of(const struct kin_profile_column *c, const char **words)
{
    enum kin_meaning meaning = kin_meaning_of(c->name, words);
    if (c->values == 0)
        return meaning;
    bool few = kin_counts_distinct(&c->counts) <= 30 && c->values >= 60;
    if (meaning == KIN_MEANS_TITLE && few && mean_chars(c) <= 6)
        return KIN_MEANS_NAME_PART; /* Mr, Mrs, Dr */
    if (meaning == KIN_MEANS_TITLE && mean_chars(c) <= 6 && of_values(c, c->without_blank) > 0.9)
        return KIN_MEANS_NAME_PART;
    if (meaning != KIN_MEANS_NOTHING && borne_out(meaning, c))
        return meaning;
    *words = NULL;
    return meaning_of_values(c);
}

/* ---- what some columns are for ---- */

static bool has_words(const struct kin_suggest_column *column, const char *words)
{
    size_t n = strlen(words);
    return column->words && strncmp(column->words, words, n) == 0 &&
           (column->words[n] == '|' || !column->words[n]);
}

/* fname is the first name, but where there is gname it is the family name. */
static void settle_fname(const struct kin_profile_source *p, struct kin_suggest_column *columns)
{
    size_t fname = SIZE_MAX;
    bool given = false, last = false;
    for (size_t c = 0; c < p->column_count; c++) {
        if (has_words(&columns[c], "fname"))
            fname = c;
        else
            given = given || columns[c].meaning == KIN_MEANS_FIRST_NAME;
        last = last || columns[c].meaning == KIN_MEANS_LAST_NAME;
    }
    if (fname != SIZE_MAX && given && !last)
        columns[fname].meaning = KIN_MEANS_LAST_NAME;
}

/* How much a column looks like the one that names the records; 0: it cannot. */
static int id_score(const struct kin_profile_source *p, const struct kin_suggest_column *column,
                    const struct kin_profile_column *c)
{
    double filled = kin_suggest_share((double)c->filled, (double)p->rows);
    double repeated = of_values(c, c->counts.repeats_within);
    if (!kin_counts_exact(&c->counts)) /* an estimate: 1 % off, or so */
        repeated = 0.98 - of_values(c, kin_counts_distinct(&c->counts));
    if (filled < 0.95 || repeated > 0.05 || c->max_chars > 63 ||
        !kin_suggest_writable_column(c->name))
        return 0;
    bool named = column->meaning == KIN_MEANS_RECORD_ID;
    int score = 0;
    if (named)
        score = 100;
    else if (column->meaning == KIN_MEANS_REFERENCE)
        score = 40;
    else if (column->meaning == KIN_MEANS_PERSON_ID || column->meaning == KIN_MEANS_THING_ID)
        score = 20;
    else if (column->meaning == KIN_MEANS_AMOUNT && of_values(c, c->steps) > 0.9)
        score = 30;
    else if (column->meaning == KIN_MEANS_NOTHING && of_values(c, c->without_blank) >= 0.99 &&
             of_values(c, c->with_digit) >= 0.9)
        score = 30;
    if (score && (repeated > 0 || filled < 1))
        score = named ? 50 : 0;
    return score;
}

static kin_status note_id(struct kin_suggest *s, struct kin_suggest_source *source,
                          const struct kin_profile_source *p)
{
    const struct kin_profile_column *c = &p->columns[source->id];
    uint64_t repeated = c->counts.repeats_within, empty = p->rows - c->filled;
    if (!kin_counts_exact(&c->counts))
        source->id_note = kin_arena_printf(&s->arena, "about %.0f %% of the values are different",
                                           100 * of_values(c, kin_counts_distinct(&c->counts)));
    else if (repeated || empty)
        source->id_note = kin_arena_printf(
            &s->arena,
            "%llu rows have an id that was there before (the later row counts), %llu have none "
            "(they are rejected)",
            (unsigned long long)repeated, (unsigned long long)empty);
    else if (of_values(c, c->steps) > 0.9)
        source->id_note = kin_arena_printf(
            &s->arena, "row numbers: they, and the MatchIds, change when rows are added or moved");
    else
        source->id_note = kin_arena_printf(&s->arena, "filled and different in every row");
    return source->id_note ? KIN_OK : kin_suggest_no_memory(s);
}

/* Files of one source must not name different records alike: the later would replace the other. */
static void split_files(struct kin_suggest *s, struct kin_suggest_source *source,
                        const struct kin_profile_source *p)
{
    source->split = p->file_count > 1 && s->options->separate;
    if (source->split || p->file_count < 2 || source->id < 0)
        return;
    if (p->columns[source->id].counts.repeats_across == 0)
        return;
    source->split = true;
    source->why_split = "their ids repeat from file to file";
}

static kin_status look_at_source(struct kin_suggest *s, size_t n)
{
    const struct kin_profile_source *p = &s->profile->sources[n];
    struct kin_suggest_source *source = &s->sources[n];
    source->id = source->updated = -1;
    source->columns = kin_arena_calloc(&s->arena, p->column_count + 1, sizeof *source->columns);
    if (!source->columns)
        return kin_suggest_no_memory(s);
    for (size_t c = 0; c < p->column_count; c++) {
        struct kin_suggest_column *column = &source->columns[c];
        column->meaning = meaning_of(&p->columns[c], &column->words);
        column->field = -1;
    }
    settle_fname(p, source->columns);
    int best = 0;
    for (size_t c = 0; c < p->column_count && p->rows > 0; c++) {
        int score = id_score(p, &source->columns[c], &p->columns[c]);
        if (score > best) {
            best = score;
            source->id = (int)c;
        }
        if (source->updated < 0 && source->columns[c].meaning == KIN_MEANS_UPDATED &&
            accepted(&p->columns[c], KIN_AS_TIMESTAMP) >= 0.8 &&
            kin_suggest_writable_column(p->columns[c].name))
            source->updated = (int)c;
    }
    split_files(s, source, p);
    return source->id < 0 ? KIN_OK : note_id(s, source, p);
}

kin_status kin_suggest_columns(struct kin_suggest *s)
{
    const struct kin_profile *p = s->profile;
    s->sources = kin_arena_calloc(&s->arena, p->source_count, sizeof *s->sources);
    if (!s->sources)
        return kin_suggest_no_memory(s);
    for (size_t n = 0; n < p->source_count; n++) {
        kin_status status = look_at_source(s, n);
        if (status != KIN_OK)
            return status;
    }
    return KIN_OK;
}
