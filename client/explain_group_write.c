#include "client/explain_group.h"
#include "client/terminal.h"

#include <stdio.h>

/* The MatchGroup as text for people, and as one JSON object. */

enum { NAME_COLUMNS = 28, BY_COLUMNS = 24, FORBIDDEN_SHOWN = 100 };

static void put_name(const struct group *g, uint32_t member, struct kin_buf *out)
{
    struct kin_buf name = {0};
    kin_explain_put_name(g->e->x.workflow, g->members[member]->features, &name);
    kin_terminal_cell(out, (struct kin_str){(const char *)name.p, name.n}, NAME_COLUMNS);
    kin_buf_puts(out, "  ");
    out->failed = out->failed || name.failed;
    kin_buf_deinit(&name);
}

static const char *decided_by(const struct group *g, const struct group_cell *c)
{
    return c->rule >= 0 ? g->e->x.workflow->rules[c->rule].name : "model";
}

static void put_by(const struct group *g, const struct group_cell *c, struct kin_buf *out)
{
    kin_terminal_cell(out, kin_str_of(decided_by(g, c)), BY_COLUMNS);
    if (g->e->x.decider)
        kin_buf_printf(out, " %9.3f", kin_explain_bits(c->weight));
}

static const struct group_link *weakest(const struct group *g)
{
    return g->link_count ? &g->links[g->link_count - 1] : NULL;
}

/* ---- text ---- */

static void put_summary(const struct group *g, struct kin_buf *out)
{
    const struct kin_limits *limits = &g->e->x.workflow->limits;
    unsigned long long pairs = (unsigned long long)g->count * (g->count - 1) / 2;
    kin_buf_printf(out,
                   "MatchGroup %s: %u record%s, %llu pairs, %llu of them compared, %llu match\n",
                   g->match_id, g->count, g->count == 1 ? "" : "s", pairs,
                   (unsigned long long)g->compared, (unsigned long long)g->matched);
    if (g->count > limits->max_group)
        kin_buf_printf(out, "It is larger than max_group (%u).\n", limits->max_group);
    if (g->count > limits->max_veto_group && g->e->x.workflow->never_count)
        kin_buf_printf(out, "It is larger than max_veto_group (%u).\n", limits->max_veto_group);
    if (g->link_count + 1 != g->count)
        kin_buf_puts(out, "It does not hold together any more: the sources, the workflow or the "
                          "model are not those of the result, or it was joined in windowed "
                          "blocks.\n");
}

static void put_links(const struct group *g, struct kin_buf *out)
{
    bool tree = g->link_count + 1 == g->count, model = g->e->x.decider != NULL;
    kin_buf_puts(out, "\nwhat holds it together, strongest first\n");
    for (uint32_t i = 0; i < g->link_count; i++) {
        const struct group_link *l = &g->links[i];
        kin_buf_puts(out, "  ");
        put_name(g, l->a, out);
        put_name(g, l->b, out);
        put_by(g, l->cell, out);
        if (tree)
            kin_buf_printf(out, "  joins %u and %u", l->parts[0], l->parts[1]);
        if (tree && model && !l->certain)
            kin_buf_printf(out, ", mean %.3f of %llu pairs (%llu compared)%s", l->mean,
                           (unsigned long long)l->pairs, (unsigned long long)l->scored,
                           l->weak ? ": below the threshold" : "");
        kin_buf_putc(out, '\n');
    }
    if (g->link_count) {
        const struct group_link *l = weakest(g);
        kin_buf_puts(out, "\nthe weakest link\n  ");
        put_name(g, l->a, out);
        put_name(g, l->b, out);
        put_by(g, l->cell, out);
        if (tree)
            kin_buf_printf(out, "\n  without it: parts of %u and %u records", l->parts[0],
                           l->parts[1]);
        kin_buf_putc(out, '\n');
    }
}

static void put_members(const struct group *g, struct kin_buf *out)
{
    kin_buf_puts(out, "\nmembers, each with its strongest link\n");
    for (uint32_t i = 0; i < g->count; i++) {
        kin_buf_puts(out, "  ");
        put_name(g, i, out);
        if (g->best[i] == i) {
            kin_buf_puts(out, "none\n");
            continue;
        }
        put_name(g, g->best[i], out);
        put_by(g, group_cell_of(g, i, g->best[i]), out);
        kin_buf_putc(out, '\n');
    }
}

static const char *forbidden_by(const struct group *g, const struct group_cell *c)
{
    return c->never >= 0 ? g->e->x.workflow->never[c->never].name : "clean_sources";
}

static void put_against(const struct group *g, struct kin_buf *out)
{
    const struct kin_workflow *w = g->e->x.workflow;
    uint64_t shown = 0, weak = 0;
    for (uint32_t i = 0; i < g->link_count; i++)
        weak += g->links[i].weak;
    kin_buf_puts(out, "\nwhat speaks against it\n");
    if (weak)
        kin_buf_printf(out,
                       "  %llu link%s join%s parts whose pairs are below the threshold on the "
                       "mean\n",
                       (unsigned long long)weak, weak == 1 ? "" : "s", weak == 1 ? "s" : "");
    for (uint32_t b = 1; b < g->count && shown < FORBIDDEN_SHOWN; b++) {
        for (uint32_t a = 0; a < b && shown < FORBIDDEN_SHOWN; a++) {
            const struct group_cell *c = group_cell_of(g, a, b);
            if (c->never < 0 && !c->clean)
                continue;
            shown++;
            kin_buf_puts(out, "  ");
            put_name(g, a, out);
            put_name(g, b, out);
            kin_terminal_put(out, kin_str_of(forbidden_by(g, c)), SIZE_MAX);
            kin_buf_puts(out, " forbids it\n");
        }
    }
    if (g->forbidden > shown)
        kin_buf_printf(out, "  and %llu more pairs that are forbidden\n",
                       (unsigned long long)(g->forbidden - shown));
    if (!g->forbidden && (w->never_count || w->clean_count))
        kin_buf_puts(out, "  no pair is forbidden: all were checked\n");
    if (!g->forbidden && !weak && !w->never_count && !w->clean_count)
        kin_buf_puts(out, "  nothing\n");
}

void group_put_text(const struct group *g, struct kin_buf *out)
{
    put_summary(g, out);
    if (g->count > 1)
        put_links(g, out);
    put_members(g, out);
    if (g->count > 1)
        put_against(g, out);
}

/* ---- JSON ---- */

static void json_pair(const struct group *g, uint32_t a, uint32_t b, struct kin_buf *out)
{
    kin_buf_puts(out, "\"a\": ");
    kin_explain_json_record(g->e->x.workflow, g->members[a]->features, out);
    kin_buf_puts(out, ", \"b\": ");
    kin_explain_json_record(g->e->x.workflow, g->members[b]->features, out);
}

static void json_by(const struct group *g, const struct group_cell *c, struct kin_buf *out)
{
    kin_buf_puts(out, ", \"by\": ");
    kin_explain_json_text(out, decided_by(g, c));
    if (g->e->x.decider)
        kin_buf_printf(out, ", \"weight\": %.3f", kin_explain_bits(c->weight));
    else
        kin_buf_puts(out, ", \"weight\": null");
}

static void json_link(const struct group *g, const struct group_link *l, struct kin_buf *out)
{
    kin_buf_putc(out, '{');
    json_pair(g, l->a, l->b, out);
    json_by(g, l->cell, out);
    if (g->link_count + 1 == g->count)
        kin_buf_printf(out, ", \"parts\": [%u, %u], \"pairs\": %llu, \"compared\": %llu",
                       l->parts[0], l->parts[1], (unsigned long long)l->pairs,
                       (unsigned long long)l->scored);
    if (g->link_count + 1 == g->count && g->e->x.decider && !l->certain)
        kin_buf_printf(out, ", \"mean\": %.3f, \"below_threshold\": %s", l->mean,
                       l->weak ? "true" : "false");
    kin_buf_putc(out, '}');
}

static void json_members(const struct group *g, struct kin_buf *out)
{
    for (uint32_t i = 0; i < g->count; i++) {
        kin_buf_puts(out, i ? ",\n    {\"record\": " : "\n    {\"record\": ");
        kin_explain_json_record(g->e->x.workflow, g->members[i]->features, out);
        kin_buf_puts(out, ", \"strongest\": ");
        if (g->best[i] == i) {
            kin_buf_puts(out, "null}");
            continue;
        }
        kin_buf_puts(out, "{\"with\": ");
        kin_explain_json_record(g->e->x.workflow, g->members[g->best[i]]->features, out);
        json_by(g, group_cell_of(g, i, g->best[i]), out);
        kin_buf_puts(out, "}}");
    }
}

static void json_forbidden(const struct group *g, struct kin_buf *out)
{
    bool first = true;
    for (uint32_t b = 1; b < g->count; b++) {
        for (uint32_t a = 0; a < b; a++) {
            const struct group_cell *c = group_cell_of(g, a, b);
            if (c->never < 0 && !c->clean)
                continue;
            kin_explain_json_key(out, &first, NULL);
            kin_buf_puts(out, "\n    {");
            json_pair(g, a, b, out);
            kin_buf_puts(out, ", \"by\": ");
            kin_explain_json_text(out, forbidden_by(g, c));
            kin_buf_putc(out, '}');
        }
    }
}

void group_put_json(const struct group *g, struct kin_buf *out)
{
    const struct kin_limits *limits = &g->e->x.workflow->limits;
    kin_buf_puts(out, "{\n  \"match_id\": ");
    kin_explain_json_text(out, g->match_id);
    kin_buf_printf(out,
                   ",\n  \"records\": %u, \"pairs\": %llu, \"compared\": %llu, \"matched\": %llu",
                   g->count, (unsigned long long)g->count * (g->count - 1) / 2,
                   (unsigned long long)g->compared, (unsigned long long)g->matched);
    kin_buf_printf(out,
                   ",\n  \"connected\": %s, \"over_max_group\": %s, \"over_max_veto_group\": %s",
                   g->link_count + 1 == g->count ? "true" : "false",
                   g->count > limits->max_group ? "true" : "false",
                   g->count > limits->max_veto_group ? "true" : "false");
    kin_buf_puts(out, ",\n  \"links\": [");
    for (uint32_t i = 0; i < g->link_count; i++) {
        kin_buf_puts(out, i ? ",\n    " : "\n    ");
        json_link(g, &g->links[i], out);
    }
    kin_buf_puts(out, "],\n  \"weakest\": ");
    if (weakest(g))
        json_link(g, weakest(g), out);
    else
        kin_buf_puts(out, "null");
    kin_buf_puts(out, ",\n  \"members\": [");
    json_members(g, out);
    kin_buf_puts(out, "],\n  \"forbidden\": [");
    json_forbidden(g, out);
    kin_buf_puts(out, "]\n}\n");
}
