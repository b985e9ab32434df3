#include "common/match/condition_impl.h"

/* A condition taken apart, for people who ask why. */

struct walk {
    struct kin_arena *arena;
    const struct kin_schema *schema;
    const uint8_t *a, *b;
    struct kin_kernel_scratch *scratch;
    struct kin_condition_part *parts;
    size_t count;
};

static size_t count_nodes(const struct kin_condition *c)
{
    size_t n = 1;
    for (const struct kin_condition *child = c->child; child; child = child->next)
        n += count_nodes(child);
    return n;
}

static const char *operator_name(enum kin_node kind)
{
    return kind == KIN_NODE_AND ? "AND" : kind == KIN_NODE_OR ? "OR" : "NOT";
}

static kin_status term_part(const struct walk *w, const struct kin_term *term,
                            struct kin_condition_part *part)
{
    struct kin_buf text = {0};
    kin_term_print(w->schema, term, &text);
    part->is_term = true;
    part->text = text.failed ? NULL : kin_arena_strndup(w->arena, (const char *)text.p, text.n);
    part->fields = term->fields ? term->fields : &term->field;
    part->field_count = term->fields ? term->field_count : 1;
    kin_buf_deinit(&text);
    return part->text ? KIN_OK : KIN_E_NOMEM;
}

static kin_status walk_node(struct walk *w, const struct kin_condition *c, unsigned depth)
{
    struct kin_condition_part *part = &w->parts[w->count++];
    *part = (struct kin_condition_part){.depth = depth,
                                        .truth = kin_condition_eval(c, w->a, w->b, w->scratch)};
    if (c->kind == KIN_NODE_TERM)
        return term_part(w, &c->term, part);
    part->text = operator_name(c->kind);
    kin_status status = KIN_OK;
    for (const struct kin_condition *child = c->child; child && status == KIN_OK;
         child = child->next)
        status = walk_node(w, child, depth + 1);
    return status;
}

kin_status kin_condition_explain(struct kin_arena *arena, const struct kin_schema *schema,
                                 const struct kin_condition *condition, const uint8_t *a,
                                 const uint8_t *b, struct kin_kernel_scratch *s,
                                 struct kin_condition_part **out, size_t *count)
{
    struct walk w = {.arena = arena, .schema = schema, .a = a, .b = b, .scratch = s};
    w.parts = kin_arena_calloc(arena, count_nodes(condition), sizeof *w.parts);
    kin_status status = w.parts ? walk_node(&w, condition, 0) : KIN_E_NOMEM;
    if (status != KIN_OK)
        return status;
    *out = w.parts;
    *count = w.count;
    return KIN_OK;
}
