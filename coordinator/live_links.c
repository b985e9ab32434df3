#include "coordinator/live.h"

#include <stdlib.h>
#include <string.h>

/* Links of people: which records must, or must never, be one. Kept by (source, id), so that they
 * outlive the records and a new run, and are edges of the graph while both ends are there. */

void live_link_free(struct live_link *link)
{
    if (!link)
        return;
    kin_free(link->id[0]);
    kin_free(link->id[1]);
    kin_free(link->who);
    kin_free(link->why);
    kin_free(link);
}

/* A name that the order of the two does not enter. The ends are put in order, too. */
void live_link_name(struct live_link *link, const struct kin_workflow *w)
{
    int c = link->source[0] != link->source[1] ? (link->source[0] < link->source[1] ? -1 : 1)
                                               : strcmp(link->id[0], link->id[1]);
    if (c > 0) {
        uint16_t source = link->source[0];
        char *id = link->id[0];
        link->source[0] = link->source[1];
        link->source[1] = source;
        link->id[0] = link->id[1];
        link->id[1] = id;
    }
    uint64_t h[2] = {0, 1};
    for (unsigned k = 0; k < 2; k++) {
        struct kin_str source = kin_str_of(w->sources[link->source[k]].name);
        uint64_t identity = kin_identity_hash(source, kin_str_of(link->id[k]));
        h[0] = kin_hash_mix(h[0], identity);
        h[1] = kin_hash_mix(h[1], identity);
    }
    kin_put_be64(link->name, h[0]); /* big endian: LINKS pages by it */
    kin_put_be64(link->name + 8, h[1]);
}

static uint32_t end_of(const struct live *live, const struct live_link *link, unsigned k)
{
    uint32_t r = live_graph_find(&live->graph, link->source[k], kin_str_of(link->id[k]));
    return r == LIVE_NONE || live->graph.records[r].dead ? LIVE_NONE : r;
}

static uint16_t rule_of(const struct live_link *link)
{
    return link->kind == KIN_LINK_MUST ? LIVE_MUST : LIVE_NEVER;
}

static uint64_t link_bit(const struct live *live, uint16_t source, struct kin_str id)
{
    return kin_hash64(id.p, id.n, source) & live->link_mask;
}

static void note_ends(struct live *live, const struct live_link *link)
{
    for (unsigned k = 0; k < 2; k++) {
        uint64_t bit = link_bit(live, link->source[k], kin_str_of(link->id[k]));
        live->link_bits[bit / 64] |= (uint64_t)1 << (bit % 64);
    }
}

/* Sixteen bits for each end of a link, at least. */
static kin_status note_link(struct live *live, const struct live_link *link)
{
    if (!live->link_bits || live->link_mask < live->link_count * 32) {
        uint64_t bits = 4096;
        while (bits < live->link_count * 64)
            bits *= 2;
        uint64_t *fresh = kin_calloc(bits / 64, sizeof *fresh);
        if (!fresh)
            return KIN_E_NOMEM;
        kin_free(live->link_bits);
        live->link_bits = fresh;
        live->link_mask = bits - 1;
        for (const struct live_link *l = live->links; l; l = l->next)
            note_ends(live, l);
    }
    note_ends(live, link);
    return KIN_OK;
}

kin_status live_links_attach(struct live *live, uint32_t record)
{
    struct live_graph *g = &live->graph;
    kin_status status = KIN_OK;
    if (!live->link_bits)
        return KIN_OK;
    uint64_t bit = link_bit(live, g->records[record].source, live_graph_id(g, record));
    if (!(live->link_bits[bit / 64] >> (bit % 64) & 1))
        return KIN_OK;
    for (const struct live_link *link = live->links; link && status == KIN_OK; link = link->next) {
        for (unsigned k = 0; k < 2; k++) {
            if (link->source[k] != g->records[record].source ||
                !kin_str_eq(live_graph_id(g, record), kin_str_of(link->id[k])))
                continue;
            uint32_t other = end_of(live, link, 1 - k);
            bool added;
            if (other != LIVE_NONE && other != record)
                status = live_graph_edge(g, record, other, rule_of(link), 0, &added);
        }
    }
    return status;
}

kin_status live_links_add(struct live *live, struct live_link *link)
{
    uint32_t a = end_of(live, link, 0), b = end_of(live, link, 1);
    bool added;
    link->next = live->links;
    live->links = link;
    live->link_count++;
    if (note_link(live, link) != KIN_OK)
        return KIN_E_NOMEM;
    return a == LIVE_NONE || b == LIVE_NONE || a == b
               ? KIN_OK
               : live_graph_edge(&live->graph, a, b, rule_of(link), 0, &added);
}

kin_status live_links_take(struct live *live, struct live_link *link, struct kin_buf *seeds,
                           struct live_puts *store, bool *found)
{
    struct live_link **at = &live->links;
    while (*at && memcmp((*at)->name, link->name, sizeof link->name) != 0)
        at = &(*at)->next;
    uint32_t a = end_of(live, link, 0), b = end_of(live, link, 1);
    bool both = a != LIVE_NONE && b != LIVE_NONE && a != b;
    *found = *at != NULL || link->kind != KIN_LINK_REVOKE;
    if (*at) {
        struct live_link *old = *at;
        if (both)
            live_graph_edge_drop(&live->graph, a, b, rule_of(old));
        *at = old->next;
        live_link_free(old);
        live->link_count--;
    }
    if (*found)
        live_put_link(live, store, link);
    if (both) {
        kin_buf_u32(seeds, a);
        kin_buf_u32(seeds, b);
    }
    return link->kind == KIN_LINK_REVOKE ? KIN_OK : live_links_add(live, link);
}

/* ---- requests ---- */

static const char *source_of(const struct live *live, struct kin_str name, uint16_t *out)
{
    *out = kin_workflow_source_named(live->workflow, name);
    return *out == KIN_NO_SOURCE ? "the workflow has no such source" : NULL;
}

static void put_end(const struct live *live, const struct live_link *link, unsigned k,
                    struct kin_buf *out)
{
    kin_buf_puts(out, k ? ",\"b\":{\"source\":" : ",\"a\":{\"source\":");
    kin_json_string(out, kin_str_of(live->workflow->sources[link->source[k]].name));
    kin_buf_puts(out, ",\"id\":");
    kin_json_string(out, kin_str_of(link->id[k]));
    kin_buf_putc(out, '}');
}

static void put_link(const struct live *live, const struct live_link *link, struct kin_buf *out)
{
    static const char *const kinds[] = {"", "must", "never", "revoke"};
    kin_buf_printf(out, "{\"kind\":\"%s\"", kinds[link->kind]);
    put_end(live, link, 0, out);
    put_end(live, link, 1, out);
    kin_buf_puts(out, ",\"who\":");
    kin_json_string(out, kin_str_of(link->who));
    kin_buf_puts(out, ",\"why\":");
    kin_json_string(out, kin_str_of(link->why));
    kin_buf_printf(out, ",\"at\":%llu", (unsigned long long)link->at_ms);
}

void live_link_json(const struct live *live, const struct live_link *link, struct kin_buf *out)
{
    put_link(live, link, out);
    for (unsigned k = 0; k < 2; k++) {
        uint32_t r = live_graph_find(&live->graph, link->source[k], kin_str_of(link->id[k]));
        if (r == LIVE_NONE || live->graph.records[r].group == LIVE_NONE)
            continue;
        kin_buf_puts(out, k ? ",\"match_id_b\":" : ",\"match_id_a\":");
        live_json_id(&live->graph.groups[live->graph.records[r].group].id, out);
    }
    kin_buf_puts(out, "}\n");
}

static struct live_link *link_new(struct kin_coordinator *c, const struct kin_message *m)
{
    struct live_link *link = kin_calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->kind = m->u.link.kind;
    link->at_ms = c->env->ops->wall_ms(c->env);
    link->id[0] = kin_strndup(m->u.link.id_a.p, m->u.link.id_a.n);
    link->id[1] = kin_strndup(m->u.link.id_b.p, m->u.link.id_b.n);
    link->who = kin_strndup(m->u.link.who.p ? m->u.link.who.p : "", m->u.link.who.n);
    link->why = kin_strndup(m->u.link.why.p ? m->u.link.why.p : "", m->u.link.why.n);
    if (!link->id[0] || !link->id[1] || !link->who || !link->why) {
        live_link_free(link);
        return NULL;
    }
    return link;
}

enum { WHO_BYTES_MAX = 256, WHY_BYTES_MAX = 4096, LINKS_PAGE = 1000, LINKS_PAGE_MAX = 10000 };

static bool fits(struct kin_str s, size_t max)
{
    return s.n <= max && !(s.n && memchr(s.p, '\0', s.n));
}

void live_serve_link(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m)
{
    struct live *live = live_find(c, m->u.link.workflow);
    uint16_t a = 0, b = 0;
    const char *wrong = live ? source_of(live, m->u.link.source_a, &a) : NULL;
    if (live && !wrong)
        wrong = source_of(live, m->u.link.source_b, &b);
    if (!live) {
        live_answer(c, from, m->request, live_missing(c), "no such workflow is served");
        return;
    }
    if (!wrong && (m->u.link.kind < KIN_LINK_MUST || m->u.link.kind > KIN_LINK_REVOKE))
        wrong = "kind is none of must, never, revoke";
    if (!wrong &&
        (!m->u.link.id_a.n || !m->u.link.id_b.n || !fits(m->u.link.id_a, KIN_ID_BYTES_MAX) ||
         !fits(m->u.link.id_b, KIN_ID_BYTES_MAX)))
        wrong = "an id is empty or longer than 255 bytes";
    if (!wrong && a == b && kin_str_eq(m->u.link.id_a, m->u.link.id_b))
        wrong = "a record cannot be linked with itself";
    if (!wrong && (!fits(m->u.link.who, WHO_BYTES_MAX) || !fits(m->u.link.why, WHY_BYTES_MAX)))
        wrong = "who or why is too long";
    if (wrong) {
        live_answer(c, from, m->request, KIN_E_INVAL, wrong);
        return;
    }
    struct live_put *p = kin_calloc(1, sizeof *p);
    struct live_link *link = p ? link_new(c, m) : NULL;
    if (live->state != LIVE_SERVING || live->frozen || live->links_frozen || !link) {
        kin_free(p);
        live_link_free(link);
        live_answer(c, from, m->request, KIN_E_BUSY, "not served at the moment; try again");
        return;
    }
    link->source[0] = a;
    link->source[1] = b;
    live_link_name(link, live->workflow);
    *p = (struct live_put){.from = from, .request = m->request, .wait = true, .link = link};
    *live->queue_end = p;
    live->queue_end = &p->next;
    live_form(live);
}

static int by_name(const void *x, const void *y)
{
    return memcmp((*(const struct live_link *const *)x)->name,
                  (*(const struct live_link *const *)y)->name, 16);
}

/* In the order of their names; two of one page end, 2^-64 apart, are told together. */
void live_serve_links(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m)
{
    struct live *live = live_find(c, m->u.links.workflow);
    if (!live || live->state == LIVE_LOADING) {
        live_answer(c, from, m->request, live ? KIN_E_BUSY : live_missing(c),
                    "no such workflow is served");
        return;
    }
    const struct live_link **list =
        kin_reallocarray(NULL, live->link_count, sizeof(const struct live_link *));
    uint32_t limit = m->u.links.limit ? m->u.links.limit : LINKS_PAGE;
    limit = limit < LINKS_PAGE_MAX ? limit : LINKS_PAGE_MAX;
    size_t n = 0, told = 0;
    if (!list) {
        live_answer(c, from, m->request, KIN_E_NOMEM, "out of memory");
        return;
    }
    for (const struct live_link *link = live->links; link; link = link->next)
        list[n++] = link;
    if (n > 1)
        qsort(list, n, sizeof(const struct live_link *), by_name);
    struct kin_buf json = {0};
    uint64_t next = 0, after = m->u.links.after;
    for (size_t i = 0; i < n; i++) {
        uint64_t name = kin_be64(list[i]->name);
        if (name <= after && after)
            continue;
        if (told >= limit && name != next)
            break;
        put_link(live, list[i], &json);
        kin_buf_puts(&json, "}\n");
        told++;
        next = name;
    }
    if (!n || next == kin_be64(list[n - 1]->name))
        next = 0;
    kin_free(list);
    live_answer_json(live, from, m->request, &json, next, false);
}
