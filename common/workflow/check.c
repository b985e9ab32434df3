/* What the checks of all keys have in common. */
#include "common/workflow/check.h"

#include "common/workflow/utf8.h"

#include <stdio.h>
#include <string.h>

enum { COLUMN_BYTES_MAX = 1024 };

/* ---- reporting ---- */

KIN_PRINTF(5, 0)
static void say_at(struct kin_check *c, const struct kin_yaml_node *node, const char *child,
                   size_t offset, const char *format, va_list args)
{
    char text[sizeof((struct kin_problem *)NULL)->text];
    vsnprintf(text, sizeof text, format, args);
    kin_yaml_say(c->yaml, c->report, node, child, offset, "%s", text);
}

void kin_check_say(struct kin_check *c, const struct kin_yaml_node *node, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_at(c, node, NULL, node->at, format, args);
    va_end(args);
}

void kin_check_say_key(struct kin_check *c, const struct kin_yaml_node *node, const char *format,
                       ...)
{
    va_list args;
    va_start(args, format);
    say_at(c, node, NULL, node->key ? node->key->at : node->at, format, args);
    va_end(args);
}

void kin_check_quote(struct kin_str word, char out[KIN_CHECK_QUOTED_MAX])
{
    enum { SHOWN = 48 };
    size_t n = kin_utf8_cut(word.p, word.n, SHOWN);
    char shown[SHOWN + 1];
    for (size_t i = 0; i < n; i++) /* a NUL would end the message */
        shown[i] = word.p[i] ? word.p[i] : '?';
    shown[n] = '\0';
    snprintf(out, KIN_CHECK_QUOTED_MAX, "'%s%s'", shown, n < word.n ? "..." : "");
}

void kin_check_expected(struct kin_check *c, const struct kin_yaml_node *node, const char *what)
{
    char found[KIN_CHECK_QUOTED_MAX] = "nothing";
    if (node->kind == KIN_YAML_BAD)
        return; /* reported */
    if (node->kind == KIN_YAML_LIST)
        snprintf(found, sizeof found, "a list");
    else if (node->kind == KIN_YAML_MAP)
        snprintf(found, sizeof found, "a map");
    else if (!kin_yaml_is_null(node))
        kin_check_quote(node->value, found);
    kin_check_say(c, node, "found %s; expected %s", found, what);
}

void kin_check_hint(const struct kin_suggestion *s, char out[KIN_CHECK_HINT_MAX])
{
    out[0] = '\0';
    if (s->name)
        snprintf(out, KIN_CHECK_HINT_MAX, "; did you mean '%.64s'?", s->name);
}

/* ---- memory ---- */

void *kin_check_alloc(struct kin_check *c, size_t count, size_t size)
{
    void *p = kin_arena_calloc(&c->w->arena, count, size);
    if (!p)
        c->nomem = true;
    return p;
}

const char *kin_check_copy(struct kin_check *c, struct kin_str s)
{
    const char *copy = kin_arena_strndup(&c->w->arena, s.p, s.n);
    if (!copy)
        c->nomem = true;
    return copy;
}

/* ---- maps ---- */

static const struct kin_check_key *find_key(const struct kin_check_table *table,
                                            struct kin_str name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (kin_str_eq(name, kin_str_of(table->keys[i].name)))
            return &table->keys[i];
    }
    return NULL;
}

static void say_unknown(struct kin_check *c, const struct kin_check_table *table,
                        const struct kin_yaml_node *value)
{
    struct kin_suggestion near = {NULL, 0};
    for (size_t i = 0; i < table->count; i++) {
        if (table->keys[i].check)
            kin_suggest(&near, value->key->value, table->keys[i].name);
    }
    char hint[KIN_CHECK_HINT_MAX];
    kin_check_hint(&near, hint);
    if (near.name) {
        kin_check_say_key(c, value, "unknown key%s", hint);
        return;
    }
    for (unsigned map = 0; map < KIN_CHECK_MAPS; map++) { /* in the wrong place? */
        const struct kin_check_table *other = kin_check_table((enum kin_check_map)map);
        const struct kin_check_key *key = find_key(other, value->key->value);
        if (key && key->check) {
            kin_check_say_key(c, value, "unknown key; did you mean '%s%s%s'?", other->path,
                              other->path[0] ? "." : "", key->name);
            return;
        }
    }
    char known[256] = "";
    size_t n = 0;
    for (size_t i = 0; i < table->count; i++) {
        if (table->keys[i].check && n < sizeof known)
            n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "",
                                  table->keys[i].name);
    }
    kin_check_say_key(c, value, "unknown key; expected one of: %s", known);
}

bool kin_check_is_map(struct kin_check *c, const struct kin_yaml_node *node, const char *what)
{
    if (node->kind == KIN_YAML_MAP)
        return true;
    kin_check_expected(c, node, what);
    return false;
}

bool kin_check_is_list(struct kin_check *c, const struct kin_yaml_node *node, const char *what)
{
    if (node->kind == KIN_YAML_LIST)
        return true;
    kin_check_expected(c, node, what);
    return false;
}

bool kin_check_map(struct kin_check *c, enum kin_check_map map, struct kin_yaml_node *node,
                   void *to)
{
    const struct kin_check_table *table = kin_check_table(map);
    if (!kin_check_is_map(c, node, "a map of keys and values"))
        return false;
    for (const struct kin_yaml_node *v = node->first; v; v = v->next) {
        const struct kin_check_key *key = find_key(table, v->key->value);
        if (!key)
            say_unknown(c, table, v);
        else if (!key->check)
            kin_check_say_key(c, v, "not supported by this version");
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct kin_check_key *key = &table->keys[i];
        struct kin_yaml_node *v = kin_yaml_get(node, key->name);
        if (v && key->check && v->kind != KIN_YAML_BAD)
            key->check(c, key, v, to);
        else if (!v && !key->fallback)
            kin_yaml_say(c->yaml, c->report, node, key->name, node->at, "missing; expected %s",
                         key->type);
    }
    return true;
}

/* ---- values ---- */

const char *kin_check_text(struct kin_check *c, const struct kin_yaml_node *node, const char *what,
                           size_t max)
{
    if (node->kind != KIN_YAML_SCALAR || kin_yaml_is_null(node) || node->value.n == 0) {
        kin_check_expected(c, node, what);
        return NULL;
    }
    if (node->value.n > max) {
        kin_check_say(c, node, "found %zu bytes; expected %s of at most %zu", node->value.n, what,
                      max);
        return NULL;
    }
    for (size_t i = 0; i < node->value.n;) {
        uint32_t code = 0;
        size_t bytes = kin_utf8_step(node->value.p + i, node->value.n - i, &code);
        if (!bytes || code < 0x20 || kin_utf8_is_control(code)) {
            kin_check_say(c, node, "a control character; expected %s", what);
            return NULL;
        }
        i += bytes;
    }
    return kin_check_copy(c, node->value);
}

bool kin_check_is_name(struct kin_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char ch = s.p[i];
        if (!((ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') ||
              ch == '_' || ch == '-'))
            return false;
    }
    return s.n >= 1 && s.n <= 255;
}

int kin_check_choice(struct kin_check *c, const struct kin_yaml_node *node, const char *what,
                     const char *const *words, size_t count)
{
    char all[200] = "";
    size_t n = 0;
    for (size_t i = 0; i < count && n < sizeof all; i++)
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", i ? ", " : "", words[i]);
    if (node->kind != KIN_YAML_SCALAR || kin_yaml_is_null(node)) {
        char expected[256];
        snprintf(expected, sizeof expected, "one of: %s", all);
        kin_check_expected(c, node, expected);
        return -1;
    }
    struct kin_suggestion near = {NULL, 0};
    for (size_t i = 0; i < count; i++) {
        if (kin_str_eq(node->value, kin_str_of(words[i])))
            return (int)i;
        kin_suggest(&near, node->value, words[i]);
    }
    char hint[KIN_CHECK_HINT_MAX];
    char found[KIN_CHECK_QUOTED_MAX];
    kin_check_hint(&near, hint);
    kin_check_quote(node->value, found);
    if (near.name)
        kin_check_say(c, node, "unknown %s %s%s", what, found, hint);
    else
        kin_check_say(c, node, "unknown %s %s; expected one of: %s", what, found, all);
    return -1;
}

int kin_check_field(struct kin_check *c, const struct kin_yaml_node *node, struct kin_str name,
                    size_t at)
{
    int found = kin_schema_find(&c->w->schema, name);
    if (found >= 0 || !c->fields_known)
        return found;
    struct kin_suggestion near = {NULL, 0};
    for (size_t i = 0; i < c->w->schema.count; i++)
        kin_suggest(&near, name, c->w->schema.fields[i].name);
    char hint[KIN_CHECK_HINT_MAX];
    char quoted[KIN_CHECK_QUOTED_MAX];
    kin_check_hint(&near, hint);
    kin_check_quote(name, quoted);
    kin_yaml_say(c->yaml, c->report, node, NULL, at, "unknown field %s%s", quoted,
                 near.name ? hint : "; expected a name that `fields` has");
    return -1;
}

bool kin_check_bool(struct kin_check *c, const struct kin_yaml_node *node, bool *out)
{
    bool scalar = node->kind == KIN_YAML_SCALAR;
    if (!scalar ||
        (!kin_str_eq(node->value, KIN_STR("true")) && !kin_str_eq(node->value, KIN_STR("false")))) {
        kin_check_expected(c, node, "true or false");
        return false;
    }
    *out = kin_str_eq(node->value, KIN_STR("true"));
    return true;
}

const char *kin_check_joined(struct kin_check *c, const char *path)
{
    const char *base = c->w->base_dir;
    if (path[0] == '/' || !base[0])
        return path;
    const char *slash = base[strlen(base) - 1] == '/' ? "" : "/";
    const char *whole = kin_arena_printf(&c->w->arena, "%s%s%s", base, slash, path);
    if (!whole)
        c->nomem = true;
    return whole;
}

static bool add_column(struct kin_check *c, const struct kin_yaml_node *node, const char **names,
                       size_t *count)
{
    const char *name = kin_check_text(c, node, "a column name", COLUMN_BYTES_MAX);
    if (!name)
        return false;
    for (size_t i = 0; i < *count; i++) {
        if (strcmp(names[i], name) == 0) {
            char quoted[KIN_CHECK_QUOTED_MAX];
            kin_check_quote(node->value, quoted);
            kin_check_say(c, node, "column %s is given twice", quoted);
            return false;
        }
    }
    names[(*count)++] = name;
    return true;
}

bool kin_check_columns(struct kin_check *c, struct kin_yaml_node *node, size_t min,
                       struct kin_workflow_columns *out)
{
    enum { COLUMNS_MAX = 64 }; /* values a field can have: KIN_VALUES_MAX */
    bool list = node->kind == KIN_YAML_LIST;
    size_t room = list ? node->count : 1;
    if (list && (room < min || room > COLUMNS_MAX)) {
        kin_check_say(c, node, "found %zu columns; expected %zu to %d", room, min, COLUMNS_MAX);
        return false;
    }
    if (!list && (node->kind != KIN_YAML_SCALAR || kin_yaml_is_null(node))) {
        kin_check_expected(c, node, "a column name or a list of them");
        return false;
    }
    const char **names = kin_check_alloc(c, room, sizeof(const char *));
    if (!names)
        return false;
    size_t count = 0;
    bool good = true;
    if (list) {
        for (const struct kin_yaml_node *v = node->first; v; v = v->next)
            good = add_column(c, v, names, &count) && good;
    } else {
        good = add_column(c, node, names, &count);
    }
    if (good)
        *out = (struct kin_workflow_columns){names, count};
    return good;
}

KIN_CHECK_ROW(kin_check_column)
{
    const char *name = kin_check_text(c, v, key->type, COLUMN_BYTES_MAX);
    if (name)
        *(const char **)(void *)((char *)to + key->offset) = name;
}

/* Digits only: no sign, blanks, separators, fractions. */
static bool parse_u32(struct kin_str s, uint32_t *out)
{
    uint64_t value = 0;
    if (s.n < 1 || s.n > 10)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(s.p[i] - '0');
    }
    if (value > UINT32_MAX)
        return false;
    *out = (uint32_t)value;
    return true;
}

KIN_CHECK_ROW(kin_check_u32)
{
    char what[80];
    uint32_t value = 0;
    snprintf(what, sizeof what, "a whole number, %u to %u", key->min, key->max);
    if (v->kind != KIN_YAML_SCALAR || !parse_u32(v->value, &value) || value < key->min ||
        value > key->max) {
        kin_check_expected(c, v, what);
        return;
    }
    *(uint32_t *)(void *)((char *)to + key->offset) = value;
}
