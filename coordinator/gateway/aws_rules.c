#include "coordinator/gateway/aws_plan.h"

#include <string.h>

/* Rules to conditions of ours. */

static void put_field(struct kin_buf *out, const char *name)
{
    kin_buf_printf(out, "\"%s\"", name); /* match keys have no quotes in them */
}

static void put_exact(struct kin_buf *out, const char *field, bool process)
{
    kin_buf_puts(out, "Exact(");
    put_field(out, field);
    kin_buf_puts(out, process ? ", EmptyValues=Process)" : ")");
}

static bool is_of(const struct aws_plan_field *f, const char *key)
{
    return f->key && strcmp(f->key, key) == 0;
}

static unsigned count_fields(const struct aws_plan *plan, const char *key,
                             const struct aws_plan_field **first)
{
    unsigned n = 0;
    for (unsigned i = plan->field_count; i-- > 0;) {
        if (is_of(&plan->fields[i], key)) {
            *first = &plan->fields[i];
            n++;
        }
    }
    return n;
}

static bool no_such_key(struct aws_call *call, const json_t *rule, const char *key)
{
    return aws_fail(
        call, AWS_VALIDATION,
        "Rule '%.100s': no attribute of the schema mappings has the match key '%.255s'.",
        aws_text(rule, "ruleName"), key);
}

/* Equality of a match key: of a group all parts are equal, where empty ones are equal to empty
 * ones, but the main one has a value; else one of the fields is. */
static bool put_key(struct aws_call *call, const struct aws_plan *plan, const json_t *rule,
                    const char *key, bool process, struct kin_buf *out)
{
    const struct aws_plan_field *main = NULL;
    unsigned n = count_fields(plan, key, &main);
    if (!n)
        return no_such_key(call, rule, key);
    for (unsigned i = 0; i < plan->field_count; i++) {
        const struct aws_plan_field *f = &plan->fields[i];
        if (is_of(f, key) && f->grouped && f->rank < main->rank)
            main = f;
    }
    if (n > 1)
        kin_buf_putc(out, '(');
    put_exact(out, main->name, process);
    for (unsigned i = 0; i < plan->field_count; i++) {
        const struct aws_plan_field *f = &plan->fields[i];
        if (!is_of(f, key) || f == main)
            continue;
        kin_buf_puts(out, f->grouped ? " AND " : " OR ");
        put_exact(out, f->name, process || f->grouped);
    }
    if (n > 1)
        kin_buf_putc(out, ')');
    return true;
}

bool aws_rule_simple(struct aws_call *call, const struct aws_plan *plan, const json_t *rule,
                     struct kin_buf *out)
{
    const json_t *keys = json_object_get(rule, "matchingKeys");
    size_t n = json_array_size(keys);
    if (!n)
        return aws_fail(call, AWS_VALIDATION, "Rule '%.100s' has no matching keys.",
                        aws_text(rule, "ruleName"));
    for (size_t i = 0; i < n; i++) {
        if (i)
            kin_buf_puts(out, " AND ");
        if (!put_key(call, plan, rule, json_string_value(json_array_get(keys, i)), false, out))
            return false;
    }
    return true;
}

/* ---- advanced rules: terms are translated, all else stays as it is ---- */

enum { ARGUMENTS_MAX = 32 };

struct reader {
    struct aws_call *call;
    struct aws_plan *plan;
    const json_t *rule;
    const char *p;
    struct kin_buf *out;
};

/* An argument of a term: a match key, or (raw) a number, an option, a unit. */
struct argument {
    bool raw;
    const char *text; /* in the arena */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool bad_condition(const struct reader *r, const char *why)
{
    return aws_fail(r->call, AWS_VALIDATION, "Rule '%.100s': the condition %s at '%.40s'.",
                    aws_text(r->rule, "ruleName"), why, r->p);
}

/* "a ""b""" */
static bool read_quoted(struct reader *r, struct argument *a)
{
    const char *from = r->p++;
    struct kin_buf name = {0};
    bool closed = false;
    while (*r->p && !closed) {
        if (r->p[0] == '"' && r->p[1] != '"') {
            closed = true;
        } else {
            kin_buf_putc(&name, *r->p);
            r->p += *r->p == '"';
        }
        r->p++;
    }
    a->raw = false;
    a->text = name.failed ? NULL : kin_arena_strndup(&r->call->arena, (const char *)name.p, name.n);
    kin_buf_deinit(&name);
    if (!closed) {
        r->p = from;
        return bad_condition(r, "has a quote that does not end");
    }
    return a->text || aws_no_memory(r->call);
}

/* All up to the next comma or parenthesis, blanks around it left out. A word is a match key. */
static bool read_argument(struct reader *r, struct argument *a)
{
    while (is_blank(*r->p))
        r->p++;
    if (*r->p == '"') {
        if (!read_quoted(r, a))
            return false;
        while (is_blank(*r->p))
            r->p++;
        return true;
    }
    const char *from = r->p;
    size_t n = strcspn(from, ",()\"");
    r->p += n;
    while (n && is_blank(from[n - 1]))
        n--;
    a->text = kin_arena_strndup(&r->call->arena, from, n);
    if (!a->text)
        return aws_no_memory(r->call);
    /* a word that begins with a digit may still be a key that starts so */
    const struct aws_plan_field *first = NULL;
    a->raw = memchr(from, '=', n) ||
             (n && from[0] >= '0' && from[0] <= '9' && !count_fields(r->plan, a->text, &first));
    return true;
}

static bool is_function(struct kin_str name, const char *function)
{
    return name.n == strlen(function) && strncasecmp(name.p, function, name.n) == 0;
}

/* ExactManyToMany is equality of a field that all columns fill, where they are of one type: found
 * by value, without comparing pairs. */
static bool put_joined(struct reader *r, const struct argument *arguments, unsigned n, bool *done)
{
    const struct aws_plan_field *parts[ARGUMENTS_MAX] = {NULL};
    enum kin_type type = KIN_TYPE_TEXT;
    struct kin_buf name = {0};
    *done = false;
    for (unsigned i = 0; i < n; i++) {
        const struct aws_plan_field *f = NULL;
        if (!arguments[i].raw && count_fields(r->plan, arguments[i].text, &f) == 1)
            parts[i] = f;
        if (parts[i] && i == 0)
            type = parts[i]->type;
        if (!parts[i] || parts[i]->type != type) {
            kin_buf_deinit(&name);
            return true;
        }
        kin_buf_printf(&name, "%s%s", i ? " or " : "", parts[i]->name);
    }
    const char *text = kin_arena_strndup(&r->call->arena, (const char *)name.p, name.n);
    kin_buf_deinit(&name);
    if (!text)
        return aws_no_memory(r->call);
    *done = true;
    for (unsigned i = 0; i < r->plan->field_count; i++) {
        if (!r->plan->fields[i].key && strcmp(r->plan->fields[i].name, text) == 0) {
            put_exact(r->out, text, false);
            return true;
        }
    }
    struct aws_plan_field *f = aws_plan_add(r->call, r->plan, text, type);
    for (unsigned i = 0; f && i < n; i++) {
        for (const struct aws_plan_column *c = parts[i]->columns; c; c = c->next) {
            if (!aws_plan_add_column(r->call, f, c->source, c->attribute))
                return false;
        }
    }
    put_exact(r->out, text, false);
    return f != NULL;
}

static bool put_term(struct reader *r, struct kin_str function, const struct argument *arguments,
                     unsigned n)
{
    bool exact = is_function(function, "Exact"), done = false;
    if (is_function(function, "ExactManyToMany") && n > 1 &&
        (!put_joined(r, arguments, n, &done) || done))
        return done;
    const struct aws_plan_field *field = NULL;
    bool plain = n == 1 && !arguments[0].raw;
    bool process = n == 2 && arguments[1].raw && strcasestr(arguments[1].text, "process") != NULL;
    if (exact && (plain || process))
        return put_key(r->call, r->plan, r->rule, arguments[0].text, process, r->out);
    kin_buf_put(r->out, function.p, function.n);
    kin_buf_putc(r->out, '(');
    for (unsigned i = 0; i < n; i++) {
        if (i)
            kin_buf_puts(r->out, ", ");
        if (arguments[i].raw) {
            kin_buf_puts(r->out, arguments[i].text);
            continue;
        }
        unsigned found = count_fields(r->plan, arguments[i].text, &field);
        if (!found)
            return no_such_key(r->call, r->rule, arguments[i].text);
        if (found > 1)
            return aws_fail(r->call, AWS_VALIDATION,
                            "Rule '%.100s': match key '%.255s' is a group of attributes, of which "
                            "only Exact can be asked.",
                            aws_text(r->rule, "ruleName"), arguments[i].text);
        put_field(r->out, field->name);
    }
    kin_buf_putc(r->out, ')');
    return true;
}

/* Behind the opening parenthesis. */
static bool read_term(struct reader *r, struct kin_str function)
{
    struct argument arguments[ARGUMENTS_MAX] = {{.raw = false}};
    unsigned n = 0;
    do {
        if (n == ARGUMENTS_MAX)
            return bad_condition(r, "has too many arguments");
        if (!read_argument(r, &arguments[n]))
            return false;
        n++;
    } while (*r->p == ',' && *r->p++);
    if (*r->p != ')')
        return bad_condition(r, "lacks a closing parenthesis");
    r->p++;
    return put_term(r, function, arguments, n);
}

bool aws_rule_advanced(struct aws_call *call, struct aws_plan *plan, const json_t *rule,
                       struct kin_buf *out)
{
    struct reader r = {call, plan, rule, aws_text(rule, "condition"), out};
    while (*r.p) {
        const char *from = r.p;
        while (is_word(*r.p))
            r.p++;
        struct kin_str word = {from, (size_t)(r.p - from)};
        const char *after = r.p;
        while (is_blank(*after))
            after++;
        bool is_operator =
            is_function(word, "AND") || is_function(word, "OR") || is_function(word, "NOT");
        if (word.n && !is_operator && *after == '(') {
            r.p = after + 1;
            if (!read_term(&r, word))
                return false;
        } else if (word.n) {
            kin_buf_put(out, word.p, word.n);
        } else {
            kin_buf_putc(out, *r.p++);
        }
    }
    return true;
}
