#include "tests/oracle/oracle_impl.h"

#include "common/record/features.h"
#include "common/record/normalise.h"

#include <string.h>
#include <time.h>

/* ---- lists of strings ---- */

void oracle_add_string(struct oracle_strings *l, const char *text)
{
    for (int i = 0; i < l->count; i++) {
        if (strcmp(l->s[i], text) == 0)
            return;
    }
    l->s = realloc(l->s, (size_t)(l->count + 1) * sizeof *l->s);
    CHECK(l->s && strlen(text) < sizeof *l->s);
    strcpy(l->s[l->count++], text); /* NOLINT: length checked */
}

bool oracle_has_string(const struct oracle_strings *l, const char *text)
{
    for (int i = 0; i < l->count; i++) {
        if (strcmp(l->s[i], text) == 0)
            return true;
    }
    return false;
}

bool oracle_share_string(const struct oracle_strings *a, const struct oracle_strings *b)
{
    for (int i = 0; i < a->count; i++) {
        if (oracle_has_string(b, a->s[i]))
            return true;
    }
    return false;
}

/* ---- features ---- */

void oracle_build_features(struct oracle *o, struct oracle_record *r)
{
    const struct kin_workflow *w = o->workflow;
    struct kin_norm_scratch *norm = kin_norm_scratch_new();
    struct kin_buf buf = {0};
    struct kin_features_builder b;
    kin_features_begin(&b, &buf, (unsigned)w->schema.count, 0, (uint16_t)r->source,
                       kin_str_of(r->id));
    for (unsigned f = 0; f < w->schema.count; f++) {
        bool begun = false;
        for (int v = 0; v < ORACLE_VALUES; v++) {
            struct kin_norm_value value;
            if (!r->values[f][v][0] ||
                kin_normalise(norm, &w->fields[f], kin_str_of(r->values[f][v]), &value) !=
                    KIN_NORM_VALUE)
                continue;
            if (!begun)
                kin_features_field(&b, f);
            begun = true;
            kin_features_value(&b, value.p, value.bytes, value.ascii);
        }
    }
    CHECK(kin_features_end(&b, NULL, 0) == KIN_OK);
    kin_norm_scratch_free(norm);
    r->features = buf.p;
}

/* ---- keys as strings (the values in these tests are ASCII) ---- */

static void add_parts(const char *text, const struct kin_key_term *t, struct oracle_strings *out)
{
    size_t n = strlen(text);
    char part[256];
    if (t->fn == KIN_KEY_TOKENS) {
        for (const char *p = text; *p;) {
            size_t len = strcspn(p, " ");
            snprintf(part, sizeof part, "%.*s", (int)len, p);
            if (len)
                oracle_add_string(out, part);
            p += len + (p[len] == ' ');
        }
    } else if (n <= t->n) {
        oracle_add_string(out, text);
    } else {
        for (size_t i = 0; i + t->n <= n; i++) {
            snprintf(part, sizeof part, "%.*s", t->n, text + i);
            oracle_add_string(out, part);
        }
    }
}

void oracle_term_strings(const struct oracle_record *r, const struct kin_key_term *t,
                         struct oracle_strings *out)
{
    const uint8_t *at;
    unsigned n = kin_features_values(r->features, t->field, &at);
    if (!n && t->empty_is_value)
        oracle_add_string(out, "\x01null");
    for (unsigned i = 0; i < n; i++) {
        struct kin_value v = kin_features_next(&at);
        char text[200], code[5], other[5];
        snprintf(text, sizeof text, "%.*s", (int)v.bytes, (const char *)v.p);
        size_t len = strlen(text);
        switch (t->fn) {
        case KIN_KEY_VALUE: {
            char hex[256] = "";
            for (uint32_t k = 0; k < v.bytes && k < 120; k++)
                snprintf(hex + 2 * k, 3, "%02x", v.p[k]);
            oracle_add_string(out, hex);
            break;
        }
        case KIN_KEY_SOUNDEX:
            if (kin_soundex((struct kin_str){text, len}, code))
                oracle_add_string(out, code);
            break;
        case KIN_KEY_METAPHONE:
            if (kin_double_metaphone((struct kin_str){text, len}, code, other)) {
                oracle_add_string(out, code);
                oracle_add_string(out, other);
            }
            break;
        case KIN_KEY_PREFIX:
            text[len < t->n ? len : t->n] = '\0';
            oracle_add_string(out, text);
            break;
        case KIN_KEY_SUFFIX:
            oracle_add_string(out, text + (len < t->n ? 0 : len - t->n));
            break;
        case KIN_KEY_YEAR: {
            time_t seconds = (time_t)(int32_t)kin_le32(v.p) * 86400;
            struct tm tm;
            snprintf(text, sizeof text, "%d", gmtime_r(&seconds, &tm)->tm_year + 1900);
            oracle_add_string(out, text);
            break;
        }
        case KIN_KEY_TOKENS:
        case KIN_KEY_QGRAMS:
            add_parts(text, t, out);
            break;
        case KIN_KEY_MINHASH:
            CHECK(t->fn != KIN_KEY_MINHASH); /* not in these tests */
        }
    }
}

static void combine(const struct oracle_record *r, const struct kin_key_rule *rule, unsigned term,
                    const char *so_far, struct oracle_strings *out)
{
    if (term == rule->count) {
        oracle_add_string(out, so_far);
        return;
    }
    struct oracle_strings parts = {0};
    oracle_term_strings(r, &rule->terms[term], &parts);
    for (int i = 0; i < parts.count; i++) {
        char longer[256];
        snprintf(longer, sizeof longer, "%s|%s", so_far, parts.s[i]);
        combine(r, rule, term + 1, longer, out);
    }
    free(parts.s);
}

void oracle_rule_strings(const struct oracle_record *r, const struct kin_key_rule *rule,
                         struct oracle_strings *out)
{
    char start[16];
    snprintf(start, sizeof start, "%u", rule->number);
    combine(r, rule, 0, start, out);
}
