/* fields, and the keys that are about single fields: refine, golden. */
#include "common/workflow/check.h"

#include <string.h>

enum { FIELD_NAME_MAX = 255 };

static const char type_words[] =
    "name, text, email, phone, date, postcode, id, number, geo, address";

/* Words that other tools have for our types. */
static const struct {
    const char *word, *type;
} type_aliases[] = {
    {"string", "text"},     {"str", "text"},       {"varchar", "text"},     {"int", "number"},
    {"integer", "number"},  {"float", "number"},   {"double", "number"},    {"decimal", "number"},
    {"mail", "email"},      {"zip", "postcode"},   {"zipcode", "postcode"}, {"telephone", "phone"},
    {"mobile", "phone"},    {"datetime", "date"},  {"birthdate", "date"},   {"location", "geo"},
    {"coordinates", "geo"}, {"street", "address"}, {"identifier", "id"},    {"surname", "name"},
};

/* The type a scalar names. false: reported. */
static bool type_of(struct kin_check *c, const struct kin_yaml_node *node, enum kin_type *out)
{
    if (node->kind != KIN_YAML_SCALAR || kin_yaml_is_null(node)) {
        kin_check_expected(c, node, "a type");
        return false;
    }
    if (kin_type_parse(node->value, out))
        return true;
    struct kin_suggestion near = {NULL, 0};
    for (unsigned t = 0; t < KIN_TYPE_COUNT; t++)
        kin_suggest(&near, node->value, kin_type_name((enum kin_type)t));
    for (size_t i = 0; i < sizeof type_aliases / sizeof type_aliases[0]; i++) {
        if (kin_str_eq(node->value, kin_str_of(type_aliases[i].word)))
            near.name = type_aliases[i].type;
    }
    char hint[KIN_CHECK_HINT_MAX];
    char quoted[KIN_CHECK_QUOTED_MAX];
    kin_check_hint(&near, hint);
    kin_check_quote(node->value, quoted);
    if (near.name)
        kin_check_say(c, node, "unknown type %s%s", quoted, hint);
    else
        kin_check_say(c, node, "unknown type %s; expected one of: %s", quoted, type_words);
    return false;
}

KIN_CHECK_ROW(kin_check_field_type)
{
    (void)key;
    size_t i = *(size_t *)to;
    c->extra[i].uncertain = !type_of(c, v, &c->fields[i].type);
}

KIN_CHECK_ROW(kin_check_field_order)
{
    (void)key;
    static const char *const orders[] = {
        [KIN_DATE_YMD] = "ymd", [KIN_DATE_DMY] = "dmy", [KIN_DATE_MDY] = "mdy"};
    size_t i = *(size_t *)to;
    int order = kin_check_choice(c, v, "order", orders, 3);
    if (order >= 0)
        c->fields[i].date_order = (enum kin_date_order)order;
    if (!c->extra[i].uncertain && c->fields[i].type != KIN_TYPE_DATE)
        kin_check_say_key(c, v, "the field's type is %s; expected order for dates only",
                          kin_type_name(c->fields[i].type));
}

KIN_CHECK_ROW(kin_check_field_country)
{
    size_t i = *(size_t *)to;
    if (v->kind != KIN_YAML_SCALAR || kin_yaml_is_null(v)) {
        kin_check_expected(c, v, key->type);
        return;
    }
    if (!kin_check_is_country(v->value)) {
        char upper[3] = "";
        char quoted[KIN_CHECK_QUOTED_MAX];
        for (size_t k = 0; v->value.n == 2 && k < 2; k++) {
            char ch = v->value.p[k];
            upper[k] = (char)(ch >= 'a' && ch <= 'z' ? ch - 'a' + 'A' : ch);
        }
        const char *meant = strcmp(upper, "UK") == 0 ? "GB" : upper;
        kin_check_quote(v->value, quoted);
        if (kin_check_is_country(kin_str_of(meant)))
            kin_check_say(c, v, "unknown country %s; did you mean '%s'?", quoted, meant);
        else
            kin_check_say(c, v, "unknown country %s; expected %s", quoted, key->type);
        return;
    }
    memcpy(c->fields[i].country, v->value.p, 2);
    enum kin_type type = c->fields[i].type;
    if (!c->extra[i].uncertain && type != KIN_TYPE_PHONE && type != KIN_TYPE_POSTCODE)
        kin_check_say_key(c, v,
                          "the field's type is %s; expected country for phones and postcodes only",
                          kin_type_name(type));
}

KIN_CHECK_ROW(kin_check_field_extract)
{
    (void)key;
    static const char *const what[] = {"codes"};
    size_t i = *(size_t *)to;
    c->fields[i].codes = kin_check_choice(c, v, "extract", what, 1) == 0;
    if (!c->extra[i].uncertain && c->fields[i].type != KIN_TYPE_ID)
        kin_check_say_key(c, v, "the field's type is %s; expected extract for ids only",
                          kin_type_name(c->fields[i].type));
}

KIN_CHECK_ROW(kin_check_field_columns)
{
    (void)key;
    kin_check_columns(c, v, 1, &c->extra[*(size_t *)to].columns);
}

static bool is_letter(char ch)
{
    return (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || ch == '_';
}

static void check_field_name(struct kin_check *c, const struct kin_yaml_node *field)
{
    struct kin_str name = field->key->value;
    char quoted[KIN_CHECK_QUOTED_MAX];
    kin_check_quote(name, quoted);
    if (kin_check_is_reserved(name)) {
        kin_check_say_key(c, field,
                          "%s is a name of Kindred's own; expected another, with the "
                          "column under `columns`",
                          quoted);
        return;
    }
    bool good = name.n >= 1 && name.n <= FIELD_NAME_MAX && is_letter(name.p[0]);
    for (size_t i = 0; good && i < name.n; i++) {
        char ch = name.p[i];
        good = is_letter(ch) || (ch >= '0' && ch <= '9') || ch == ' ' || ch == '-';
    }
    if (!good)
        kin_check_say_key(c, field,
                          "%s is no field name; expected 1 to %d letters, digits, _, - "
                          "and blanks, a letter or _ first",
                          quoted, FIELD_NAME_MAX);
}

static void check_field(struct kin_check *c, struct kin_yaml_node *node, size_t i)
{
    check_field_name(c, node);
    c->fields[i].type = KIN_TYPE_TEXT;
    if (node->kind == KIN_YAML_MAP) {
        c->extra[i].uncertain = true; /* until its type is read */
        kin_check_map(c, KIN_CHECK_FIELD, node, &i);
    } else if (kin_yaml_is_null(node) || node->kind == KIN_YAML_LIST) {
        kin_check_expected(c, node, "a type, or a map with `type`");
        c->extra[i].uncertain = true;
    } else if (node->kind == KIN_YAML_SCALAR) {
        c->extra[i].uncertain = !type_of(c, node, &c->fields[i].type);
    }
}

KIN_CHECK_ROW(kin_check_fields)
{
    (void)to;
    if (!kin_check_is_map(c, v, key->type))
        return;
    if (v->count < 1 || v->count > KIN_FIELDS_MAX) {
        kin_check_say(c, v, "found %zu fields; expected 1 to %d", v->count, KIN_FIELDS_MAX);
        return;
    }
    struct kin_workflow *w = c->w;
    c->fields = w->fields = kin_check_alloc(c, v->count, sizeof *w->fields);
    c->extra = kin_check_alloc(c, v->count, sizeof *c->extra);
    w->golden = kin_check_alloc(c, v->count, sizeof *w->golden); /* zero: most_complete */
    if (!c->fields || !c->extra || !w->golden)
        return;
    size_t i = 0;
    for (struct kin_yaml_node *node = v->first; node; node = node->next, i++) {
        c->fields[i].name = kin_check_copy(c, node->key->value);
        if (!c->fields[i].name)
            return;
        check_field(c, node, i);
        c->uncertain = c->uncertain || c->extra[i].uncertain;
    }
    w->schema = (struct kin_schema){w->fields, v->count};
    c->fields_known = true;
}

/* ---- refine ---- */

KIN_CHECK_ROW(kin_check_refine)
{
    (void)to;
    struct kin_workflow *w = c->w;
    if (!kin_check_is_list(c, v, key->type))
        return;
    w->refine = kin_check_alloc(c, KIN_FIELDS_MAX, sizeof *w->refine);
    if (!w->refine)
        return;
    for (const struct kin_yaml_node *item = v->first; item; item = item->next) {
        if (item->kind != KIN_YAML_SCALAR || kin_yaml_is_null(item)) {
            kin_check_expected(c, item, "a field's name");
            continue;
        }
        int field = kin_check_field(c, item, item->value, item->at);
        if (field < 0)
            continue;
        bool repeated = false;
        for (size_t i = 0; i < w->refine_count; i++)
            repeated = repeated || w->refine[i] == field;
        if (repeated)
            kin_check_say(c, item, "field '%.64s' is given twice", w->fields[field].name);
        else
            w->refine[w->refine_count++] = (uint16_t)field;
    }
}

void kin_check_finish_refine(struct kin_check *c)
{
    struct kin_workflow *w = c->w;
    if (w->refine)
        return;
    w->refine = kin_check_alloc(c, w->schema.count, sizeof *w->refine);
    for (size_t i = 0; w->refine && i < w->schema.count; i++) {
        if (w->fields[i].type != KIN_TYPE_NUMBER && w->fields[i].type != KIN_TYPE_GEO)
            w->refine[w->refine_count++] = (uint16_t)i;
    }
}

/* ---- golden ---- */

static const char *const strategies[] = {
    [KIN_GOLDEN_MOST_COMPLETE] = "most_complete",
    [KIN_GOLDEN_MOST_FREQUENT] = "most_frequent",
    [KIN_GOLDEN_MOST_RECENT] = "most_recent",
    [KIN_GOLDEN_LONGEST] = "longest",
    [KIN_GOLDEN_SHORTEST] = "shortest",
    [KIN_GOLDEN_FIRST] = "first",
    [KIN_GOLDEN_MIN] = "min",
    [KIN_GOLDEN_MAX] = "max",
    [KIN_GOLDEN_ALL] = "all",
};
enum { STRATEGIES = sizeof strategies / sizeof strategies[0] };

KIN_CHECK_ROW(kin_check_golden)
{
    (void)to;
    struct kin_workflow *w = c->w;
    if (!kin_check_is_map(c, v, key->type))
        return;
    const struct kin_yaml_node *others = kin_yaml_get(v, "default");
    if (others && others->kind != KIN_YAML_BAD) {
        int strategy = kin_check_choice(c, others, "strategy", strategies, STRATEGIES);
        if (strategy >= 0)
            w->golden_default = (enum kin_golden)strategy;
    }
    for (size_t i = 0; w->golden && i < w->schema.count; i++)
        w->golden[i] = w->golden_default;
    for (const struct kin_yaml_node *item = v->first; item; item = item->next) {
        if (item == others || item->kind == KIN_YAML_BAD)
            continue;
        int field = kin_check_field(c, item, item->key->value, item->key->at);
        int strategy = kin_check_choice(c, item, "strategy", strategies, STRATEGIES);
        if (field >= 0 && strategy >= 0 && w->golden)
            w->golden[field] = (enum kin_golden)strategy;
    }
}
