/* The workflow file: rules, keys, a model to try, golden records. */
#include "client/suggest_text.h"
#include "client/suggest_write.h"

#include <string.h>

/* ---- rules ---- */

static void put_evidence(struct kin_writing *w, const struct kin_suggest_rule *rule)
{
    struct kin_buf text = {0};
    double scale = w->s->scale;
    if (!w->s->thin) {
        kin_buf_puts(&text, "Matches about ");
        kin_suggest_put_about(&text, rule->pairs * scale * scale);
        kin_buf_puts(&text, " pairs");
        if (rule->decidable >= 1) {
            kin_buf_puts(&text, "; where other fields can be compared, none of them is alike in ");
            kin_suggest_put_share(&text, rule->doubtful / rule->decidable);
            kin_buf_puts(&text, " of them");
        }
        kin_buf_puts(&text, ".");
    } else {
        kin_buf_puts(&text, "About ");
        kin_suggest_put_about(&text, rule->chance);
        kin_buf_puts(&text, " pairs would agree so by chance alone.");
    }
    kin_suggest_put_wrapped(w->out, "  # ", (struct kin_str){(char *)text.p, text.n});
    w->out->failed = w->out->failed || text.failed;
    kin_buf_deinit(&text);
}

static void put_rule(struct kin_writing *w, const struct kin_suggest_rule *rule)
{
    size_t n = strlen(rule->when);
    put_evidence(w, rule);
    kin_buf_printf(w->out, "  - name: %s\n", rule->name);
    if (n <= 80) {
        kin_buf_printf(w->out, "    when: %s\n", rule->when);
        return;
    }
    kin_buf_puts(w->out, "    when: >\n");
    kin_suggest_put_wrapped(w->out, "      ", (struct kin_str){rule->when, n});
}

/* Share of the pairs that the rules match and that differ in the field, where both have it. */
static double vetoed(const struct kin_suggest *s, size_t field)
{
    double all = 0, differ = 0;
    for (size_t i = 0; i < s->pair_count; i++) {
        const struct kin_suggest_pair *p = &s->pairs[i];
        bool matched = kin_suggest_matched(s, p);
        for (size_t t = 0; matched && t < s->term_count; t++) {
            if (s->terms[t].field != field || s->terms[t].level != 0 ||
                s->terms[t].field2 != field || !(p->known >> t & 1))
                continue;
            all += p->weight;
            differ += p->yes >> t & 1 ? 0 : p->weight;
        }
    }
    return kin_suggest_share(differ, all);
}

static void put_veto(struct kin_writing *w, size_t f, bool *begun)
{
    const struct kin_suggest_field *field = &w->s->fields[f];
    bool number = field->kind == KIN_KIND_NUMBER && !field->shared && !field->derived;
    if (!number && field->meaning != KIN_MEANS_BIRTH)
        return;
    if (field->derived || field->dropped)
        return;
    if (!*begun)
        kin_buf_puts(w->out,
                     "\n# What would keep records apart, whatever else connects them. Without "
                     "errors in the field it\n"
                     "# is safe; of the pairs that the rules match it would part the share given.\n"
                     "# never:\n");
    *begun = true;
    kin_buf_puts(w->out, "#   - {name: ");
    if (field->meaning == KIN_MEANS_BIRTH && field->def.type == KIN_TYPE_DATE)
        kin_buf_printf(w->out, "%s years apart, when: \"NOT Within(%s, 10 years)\"}", field->name,
                       field->name);
    else
        kin_buf_printf(w->out, "two of %s, when: Differs(%s)}", field->name, field->name);
    if (field->kind == KIN_KIND_NUMBER) {
        kin_buf_puts(w->out, "    # ");
        kin_suggest_put_share(w->out, vetoed(w->s, f));
    }
    kin_buf_putc(w->out, '\n');
}

/* Which of the sources that are written a record of the sample is in. */
static size_t written_source(const struct kin_writing *w, uint32_t record)
{
    uint16_t file = kin_features_source(kin_suggest_record(w->s, record));
    for (size_t i = 0; i < w->source_count; i++) {
        for (size_t k = 0; k < w->sources[i].file_count; k++) {
            if (w->sources[i].files[k] == file)
                return i;
        }
    }
    return SIZE_MAX;
}

static void put_pairs(struct kin_writing *w)
{
    double all = 0, within = 0;
    for (size_t i = 0; i < w->s->pair_count; i++) {
        const struct kin_suggest_pair *p = &w->s->pairs[i];
        if (!kin_suggest_matched(w->s, p))
            continue;
        all += p->weight;
        within += written_source(w, p->a) == written_source(w, p->b) ? p->weight : 0;
    }
    kin_buf_puts(w->out, "\n# ");
    if (all > 0 && !w->s->thin) {
        kin_suggest_put_share(w->out, within / all);
        kin_buf_puts(w->out, " of the pairs that the rules match are of one source. ");
    }
    kin_buf_puts(w->out, "If no source holds a thing twice,\n"
                         "# compare across sources only:\n"
                         "# pairs: across_sources\n");
}

void kin_writing_put_rules(struct kin_writing *w)
{
    bool begun = false;
    if (w->source_count > 1)
        put_pairs(w);
    kin_buf_puts(w->out, "\n# Two records match if one of these holds. Read them: what the data "
                         "cannot show is whether an\n"
                         "# agreement means the same thing, or the same family, office or "
                         "series.\n");
    if (w->s->thin)
        kin_buf_puts(w->out, "# CHECK: hardly any pair of the records looked at seems to be the "
                             "same, so that these rules\n"
                             "# come from the types of the fields alone.\n");
    else
        kin_buf_printf(w->out,
                       "# The largest group that they make of the records looked at has %zu.\n",
                       w->s->largest);
    kin_buf_puts(w->out, "rules:\n");
    for (size_t r = 0; r < w->s->rule_count; r++)
        put_rule(w, &w->s->rules[r]);
    for (size_t f = 0; f < w->s->field_count; f++)
        put_veto(w, f, &begun);
}

/* ---- keys ---- */

static void put_key(struct kin_writing *w, const struct kin_suggest_key *key)
{
    const struct kin_suggest *s = w->s;
    kin_buf_puts(w->out, "  # ");
    if (key->pairs) {
        kin_suggest_put_about(w->out, key->all_pairs);
        kin_buf_puts(w->out, " pairs, largest block up to ");
        kin_suggest_put_about(w->out, key->all_largest);
        kin_buf_puts(w->out, ", ");
    } else {
        kin_buf_puts(w->out, "no two of the records looked at share one, ");
    }
    kin_suggest_put_share(w->out, kin_suggest_share((double)key->records, (double)s->records));
    kin_buf_puts(w->out, " of the records");
    if (!s->thin) {
        kin_buf_puts(w->out, "; finds ");
        kin_suggest_put_share(w->out, key->found);
        kin_buf_puts(w->out, " of the pairs that the rules match");
    }
    kin_buf_printf(w->out, "\n  - [%s]\n", key->text);
}

void kin_writing_put_keys(struct kin_writing *w)
{
    struct kin_suggest *s = w->s;
    struct kin_buf text = {0};
    kin_buf_puts(&text, "Records are compared only if they share one of these keys. ");
    kin_suggest_put_share(&text, kin_suggest_share((double)s->keyed, (double)s->records));
    kin_buf_puts(&text, " of the records have one, ");
    kin_suggest_put_share(&text, kin_suggest_share((double)s->keyed_safely, (double)s->records));
    kin_buf_puts(&text,
                 " have keys that do not all hang on one field, so that a slip does not lose "
                 "them. ");
    if (!s->thin) {
        kin_buf_puts(&text, "Of the pairs found under any key that was tried and matched by the "
                            "rules, these keys find ");
        kin_suggest_put_share(&text, s->found);
        kin_buf_puts(&text, ". ");
    }
    if (s->scale > 1.0001)
        kin_buf_puts(&text, "Pairs and blocks are those of the records looked at, extrapolated: a "
                            "block grows with the number of records, its pairs with the square.");
    kin_buf_putc(w->out, '\n');
    kin_suggest_put_wrapped(w->out, "# ", (struct kin_str){(char *)text.p, text.n});
    w->out->failed = w->out->failed || text.failed;
    kin_buf_deinit(&text);
    kin_buf_puts(w->out, s->chosen_count ? "block_on:\n" : "block_on: []\n");
    for (size_t k = 0; k < s->chosen_count; k++)
        put_key(w, &s->keys[s->chosen[k]]);
}

/* ---- model ---- */

static const char *levels_of(const struct kin_suggest_field *f)
{
    switch (f->kind) {
    case KIN_KIND_NAME:
        return "exact, jaro_winkler 0.92, jaro_winkler 0.8";
    case KIN_KIND_WORDS:
        return "exact, jaccard 0.6, jaccard 0.3";
    case KIN_KIND_LONG:
        return "exact, jaccard 0.7, jaccard 0.4";
    case KIN_KIND_DATE:
        return "exact, damerau 1, within 1 year";
    case KIN_KIND_EMAIL:
        return f->def.type == KIN_TYPE_EMAIL ? "exact, same username, jaro_winkler 0.9"
                                             : "exact, jaro_winkler 0.9";
    case KIN_KIND_NUMBER:
        return f->chars >= 7 ? "exact, damerau 1, damerau 2" : "exact, damerau 1";
    case KIN_KIND_ADDRESS:
        return "exact, jaccard 0.6, jaccard 0.3";
    case KIN_KIND_POST:
        return "exact, damerau 1";
    case KIN_KIND_CITY:
        return "exact, jaro_winkler 0.85";
    case KIN_KIND_PRICE:
        return "within 1 %, within 10 %";
    case KIN_KIND_PLACE:
        return "within 50 m, within 1 km";
    case KIN_KIND_HOUSE:
    case KIN_KIND_YEAR:
    case KIN_KIND_NONE:
        break;
    }
    return "exact";
}

/* Values much commoner than others of the field: agreeing in one of them says less. */
static bool is_skewed(const struct kin_suggest_field *f)
{
    double top = kin_suggest_share((double)f->top, (double)f->values);
    return f->distinct > 10 && top * (double)f->distinct >= 8 && f->def.type != KIN_TYPE_DATE &&
           f->def.type != KIN_TYPE_NUMBER && f->def.type != KIN_TYPE_GEO;
}

void kin_writing_put_model(struct kin_writing *w)
{
    kin_buf_puts(w->out, "\n# Instead of the rules, or beside them: a model that learns from the "
                         "data how much each level of\n"
                         "# agreement says (docs/model.md).\n"
                         "# model:\n"
                         "#   threshold: 0.95\n"
                         "#   train: true\n"
                         "#   compare:\n");
    for (size_t f = 0; f < w->s->field_count; f++) {
        const struct kin_suggest_field *field = &w->s->fields[f];
        if (field->derived || field->dropped)
            continue;
        bool skewed = is_skewed(field);
        kin_buf_printf(w->out,
                       skewed ? "#     %s: {levels: [%s], term_frequency: true}\n"
                              : "#     %s: [%s]\n",
                       field->name, levels_of(field));
    }
}

/* ---- golden records ---- */

static const char *survivor_of(const struct kin_suggest_field *f, bool updated)
{
    switch (f->kind) {
    case KIN_KIND_EMAIL:
    case KIN_KIND_ADDRESS:
    case KIN_KIND_POST:
    case KIN_KIND_CITY:
        return updated ? "most_recent" : NULL;
    case KIN_KIND_NUMBER:
        if (f->def.type == KIN_TYPE_PHONE)
            return updated ? "most_recent" : NULL;
        return "most_frequent";
    case KIN_KIND_NAME:
    case KIN_KIND_DATE:
        return "most_frequent";
    case KIN_KIND_WORDS:
    case KIN_KIND_LONG:
        return "longest";
    case KIN_KIND_NONE:
    case KIN_KIND_HOUSE:
    case KIN_KIND_YEAR:
    case KIN_KIND_PRICE:
    case KIN_KIND_PLACE:
        break;
    }
    return NULL;
}

void kin_writing_put_golden(struct kin_writing *w)
{
    bool updated = false;
    for (size_t n = 0; n < w->s->profile->source_count; n++)
        updated = updated || w->s->sources[n].updated >= 0;
    kin_buf_puts(w->out,
                 "\n# Which value a MatchGroup shows.\ngolden:\n  default: most_complete\n");
    for (size_t f = 0; f < w->s->field_count; f++) {
        const struct kin_suggest_field *field = &w->s->fields[f];
        const char *strategy =
            field->derived || field->dropped ? NULL : survivor_of(field, updated);
        if (strategy)
            kin_buf_printf(w->out, "  %s: %s\n", field->name, strategy);
    }
}
