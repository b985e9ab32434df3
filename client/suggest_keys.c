/* Candidate blocking keys, and what each would cost: its blocks and pairs in the sample, counted
 * exactly, and in the whole data, where a block of n records is taken to grow with the number of
 * records, so that its pairs grow with the square. */
#include "client/suggest_keys.h"

#include "common/base/radix.h"

#include <stdio.h>
#include <string.h>

enum {
    FIRST_LOOK = 25000,    /* records that all candidates are counted on */
    PAIRS_A_RECORD = 60,   /* a key may make so many in the whole data, */
    USABLE_MAX = 56,       /* keys */
    PAIRS_ALWAYS = 2000000 /* and always so many */
};

/* ---- what keys are made of ---- */

struct forms {
    char text[6][64];
    unsigned count;
};

static void add_form(struct forms *f, const char *function, const char *field, unsigned n,
                     unsigned rows)
{
    char *to = f->text[f->count++];
    size_t room = sizeof f->text[0];
    if (!function)
        snprintf(to, room, "%s", field);
    else if (rows)
        snprintf(to, room, "%s(%s, %u, %u)", function, field, n, rows);
    else if (n)
        snprintf(to, room, "%s(%s, %u)", function, field, n);
    else
        snprintf(to, room, "%s(%s)", function, field);
}

/* Forms of a field that can be a key alone, best first. */
static struct forms alone(const struct kin_suggest_field *f)
{
    struct forms out = {.count = 0};
    unsigned part = f->chars >= 8 ? (unsigned)(0.6 * f->chars + 0.5) : (unsigned)(0.6 * f->chars);
    switch (f->kind) {
    case KIN_KIND_NAME:
        add_form(&out, "soundex", f->name, 0, 0);
        add_form(&out, NULL, f->name, 0, 0);
        break;
    case KIN_KIND_WORDS:
        add_form(&out, NULL, f->name, 0, 0);
        add_form(&out, "tokens", f->name, 0, 0);
        add_form(&out, "prefix", f->name, 5, 0);
        add_form(&out, "minhash", f->name, 6, 1);
        break;
    case KIN_KIND_LONG:
        add_form(&out, "minhash", f->name, 8, 2);
        add_form(&out, "minhash", f->name, 12, 3);
        add_form(&out, "prefix", f->name, 12, 0);
        add_form(&out, "suffix", f->name, 12, 0);
        break;
    case KIN_KIND_DATE:
    case KIN_KIND_POST:
    case KIN_KIND_CITY:
    case KIN_KIND_HOUSE:
    case KIN_KIND_YEAR:
        add_form(&out, NULL, f->name, 0, 0);
        break;
    case KIN_KIND_EMAIL:
        add_form(&out, NULL, f->name, 0, 0);
        add_form(&out, "prefix", f->name, 5, 0);
        add_form(&out, "suffix", f->name, 12, 0);
        break;
    case KIN_KIND_NUMBER:
        add_form(&out, NULL, f->name, 0, 0);
        if (part >= 4) {
            add_form(&out, "prefix", f->name, part, 0);
            add_form(&out, "suffix", f->name, part, 0);
        }
        break;
    case KIN_KIND_ADDRESS:
        add_form(&out, NULL, f->name, 0, 0);
        add_form(&out, "prefix", f->name, 8, 0);
        add_form(&out, "minhash", f->name, 6, 2);
        break;
    case KIN_KIND_NONE:
    case KIN_KIND_PRICE:
    case KIN_KIND_PLACE:
        break;
    }
    return out;
}

/* Forms that make a key together with one of another field. */
static struct forms together(const struct kin_suggest_field *f)
{
    struct forms out = {.count = 0};
    switch (f->kind) {
    case KIN_KIND_NAME:
        add_form(&out, "soundex", f->name, 0, 0);
        add_form(&out, "prefix", f->name, 3, 0);
        break;
    case KIN_KIND_WORDS:
        add_form(&out, "tokens", f->name, 0, 0);
        add_form(&out, "prefix", f->name, 4, 0);
        break;
    case KIN_KIND_LONG:
        add_form(&out, "prefix", f->name, 6, 0);
        add_form(&out, "tokens", f->name, 0, 0);
        break;
    case KIN_KIND_DATE:
        add_form(&out, NULL, f->name, 0, 0);
        add_form(&out, "year", f->name, 0, 0);
        break;
    case KIN_KIND_ADDRESS:
        add_form(&out, "prefix", f->name, 5, 0);
        break;
    case KIN_KIND_CITY:
        add_form(&out, "soundex", f->name, 0, 0);
        break;
    case KIN_KIND_POST:
    case KIN_KIND_HOUSE:
    case KIN_KIND_YEAR:
        add_form(&out, NULL, f->name, 0, 0);
        break;
    case KIN_KIND_NUMBER:
        if (!f->derived)
            add_form(&out, "suffix", f->name, 4, 0);
        break;
    case KIN_KIND_NONE:
    case KIN_KIND_EMAIL:
    case KIN_KIND_PRICE:
    case KIN_KIND_PLACE:
        break;
    }
    return out;
}

/* ---- the list ---- */

static kin_status compile(struct kin_suggest *s, const char *form, struct kin_key_rule *rule)
{
    unsigned column;
    return kin_key_term_parse(&s->schema, kin_str_of(form), &rule->terms[rule->count++], &column,
                              s->err);
}

static kin_status add_key(struct kin_suggest *s, const char *a, size_t field_a, const char *b,
                          size_t field_b)
{
    if (s->key_count == KIN_SUGGEST_KEYS_MAX)
        return KIN_OK;
    struct kin_suggest_key *key = &s->keys[s->key_count];
    *key = (struct kin_suggest_key){.fields = (uint64_t)1 << field_a,
                                    .groups = s->fields[field_a].groups};
    kin_status status = compile(s, a, &key->rule);
    if (status == KIN_OK && b) {
        key->fields |= (uint64_t)1 << field_b;
        key->groups |= s->fields[field_b].groups;
        status = compile(s, b, &key->rule);
    }
    key->text = kin_arena_printf(&s->arena, "%s%s%s", a, b ? ", " : "", b ? b : "");
    if (!key->text)
        return kin_suggest_no_memory(s);
    s->key_count++;
    return status;
}

static kin_status list_keys(struct kin_suggest *s)
{
    kin_status status = KIN_OK;
    for (size_t f = 0; f < s->field_count; f++) {
        struct forms forms = alone(&s->fields[f]);
        if (s->fields[f].dropped)
            continue;
        for (unsigned i = 0; i < forms.count && status == KIN_OK; i++)
            status = add_key(s, forms.text[i], f, NULL, 0);
    }
    for (size_t f = 0; f < s->field_count; f++) {
        for (size_t g = f + 1; g < s->field_count; g++) {
            if (s->fields[f].groups & s->fields[g].groups || s->fields[f].dropped ||
                s->fields[g].dropped)
                continue;
            struct forms a = together(&s->fields[f]), b = together(&s->fields[g]);
            for (unsigned i = 0; i < a.count * b.count && status == KIN_OK; i++)
                status = add_key(s, a.text[i / b.count], f, b.text[i % b.count], g);
        }
    }
    return status;
}

/* ---- counting ---- */

kin_status kin_suggest_postings(struct kin_suggest *s, const struct kin_key_rule *rule, size_t step,
                                struct kin_suggest_postings *out)
{
    uint64_t keys[KIN_KEYS_MAX], excess = 0;
    struct kin_buf buf = {0};
    *out = (struct kin_suggest_postings){0};
    for (size_t i = 0; i < s->records; i += step) {
        size_t n =
            kin_blocking_keys(rule, 1, kin_suggest_record(s, i), KIN_KEYS_MAX, keys, &excess);
        out->records += n > 0;
        for (size_t k = 0; k < n; k++) {
            struct kin_keyed item = {keys[k], (uint32_t)i, 0};
            kin_buf_put(&buf, &item, sizeof item);
        }
    }
    out->count = buf.n / sizeof *out->items;
    struct kin_keyed *tmp = kin_reallocarray(NULL, out->count + 1, sizeof *tmp);
    if (buf.failed || !tmp) {
        kin_buf_deinit(&buf);
        kin_free(tmp);
        *out = (struct kin_suggest_postings){0};
        return kin_suggest_no_memory(s);
    }
    out->items = (struct kin_keyed *)(void *)buf.p;
    if (out->count)
        kin_radix_sort(out->items, tmp, out->count);
    kin_free(tmp);
    return KIN_OK;
}

size_t kin_suggest_block_end(const struct kin_suggest_postings *p, size_t start)
{
    size_t end = start;
    while (end < p->count && p->items[end].key == p->items[start].key)
        end++;
    return end;
}

static kin_status count_key(struct kin_suggest *s, struct kin_suggest_key *key, size_t step)
{
    struct kin_suggest_postings p;
    kin_status status = kin_suggest_postings(s, &key->rule, step, &p);
    key->records = p.records;
    key->blocks = key->pairs = key->largest = 0;
    for (size_t at = 0, end; status == KIN_OK && at < p.count; at = end) {
        end = kin_suggest_block_end(&p, at);
        uint64_t n = end - at;
        key->blocks++;
        key->pairs += n * (n - 1) / 2;
        key->largest = n > key->largest ? n : key->largest;
    }
    kin_free(p.items);
    double scale = s->scale * (double)step;
    key->all_pairs = (double)key->pairs * scale * scale;
    key->all_largest = (double)key->largest * scale;
    return status;
}

static bool affordable(const struct kin_suggest *s, const struct kin_suggest_key *key, double times)
{
    double most = PAIRS_A_RECORD * (double)s->records * s->scale;
    return key->all_pairs <= times * (most > PAIRS_ALWAYS ? most : PAIRS_ALWAYS);
}

/* Pairs for each record that has the key. */
static double cost(const struct kin_suggest_key *key)
{
    return (key->all_pairs + 1) / (double)(key->records + 1);
}

/* Of many records the cheapest few are looked at closer. */
static void drop_dear_keys(struct kin_suggest *s)
{
    size_t most = s->records <= FIRST_LOOK ? KIN_SUGGEST_KEYS_MAX : USABLE_MAX;
    for (size_t usable = SIZE_MAX; usable > most;) {
        size_t worst = SIZE_MAX;
        usable = 0;
        for (size_t k = 0; k < s->key_count; k++) {
            if (!s->keys[k].usable)
                continue;
            usable++;
            if (worst == SIZE_MAX || cost(&s->keys[k]) >= cost(&s->keys[worst]))
                worst = k;
        }
        if (usable > most)
            s->keys[worst].usable = false;
    }
}

kin_status kin_suggest_keys(struct kin_suggest *s)
{
    size_t step = 1 + s->records / FIRST_LOOK;
    kin_status status = list_keys(s);
    for (size_t k = 0; k < s->key_count && status == KIN_OK; k++) {
        struct kin_suggest_key *key = &s->keys[k];
        status = count_key(s, key, step);
        key->usable = affordable(s, key, 3) && key->records > 0;
    }
    drop_dear_keys(s);
    for (size_t k = 0; k < s->key_count && status == KIN_OK; k++) {
        struct kin_suggest_key *key = &s->keys[k];
        if (key->usable && step > 1)
            status = count_key(s, key, 1);
        key->usable = key->usable && affordable(s, key, 1);
    }
    return status;
}
