#include "coordinator/live_prepare.h"

#include <stdlib.h>
#include <string.h>

/* All that will be served, from a job whose MatchGroups are numbered: records, edges, hubs, links,
 * and groups with their MatchIds, by the same rules as of any other change. */

/* ---- from the job ---- */

static kin_status copy_head(struct live *live, struct cjob *job)
{
    const struct kin_job_options *o = job->options;
    kin_status status = live_set_workflow(live, o->workflow, kin_str_of(o->base_dir));
    live->shards = job->shards;
    live->run = job->id;
    live->base_batches = job->chunk_count;
    live->base_records = (uint32_t)job->records;
    live->open_payload = kin_frame_new(0);
    if (status != KIN_OK || !live->open_payload)
        return status != KIN_OK ? status : KIN_E_NOMEM;
    struct kin_buf *b = &live->open_payload->payload;
    kin_buf_u32(b, (uint32_t)job->plan_bytes.n);
    kin_buf_put(b, job->plan_bytes.p, job->plan_bytes.n);
    kin_buf_put(b, "\0\0\0", (4 - job->plan_bytes.n % 4) % 4);
    kin_buf_put(b, job->dead, job->dead_count * sizeof *job->dead);
    return b->failed ? KIN_E_NOMEM : KIN_OK;
}

static kin_status copy_records(struct live *live, const struct cjob *job, struct page_view *view)
{
    struct live_graph *g = &live->graph;
    for (uint64_t chunk = 0; chunk < job->chunk_count; chunk++) {
        const struct kin_page *page = page_view_get(view, chunk);
        if (!page)
            return view->status;
        const char *name = job->workflow->sources[page->source].name;
        uint64_t seed = kin_hash64(name, strlen(name), 0);
        for (uint32_t i = 0; i < page->count; i++) {
            struct kin_str id = kin_page_id(page, i);
            uint32_t number = (uint32_t)page->base + i;
            int64_t updated =
                page->updated ? (int64_t)kin_le64(page->updated + 8 * (size_t)i) : INT64_MIN;
            kin_status status =
                job_is_dead(job, number)
                    ? live_graph_skip(g)
                    : live_graph_add(g, (uint16_t)page->source, id, updated,
                                     (uint8_t)kin_home_worker(&live->shards, seed, id));
            if (status != KIN_OK)
                return status;
            g->records[number].replaces = LIVE_NONE;
        }
    }
    return g->count == job->records ? KIN_OK : KIN_E_CORRUPT;
}

static kin_status copy_edges(struct live *live, const struct cjob *job, struct live_puts *to)
{
    const struct kin_keyed *e = (const struct kin_keyed *)(const void *)job->edges.p;
    size_t n = job->edges.n / sizeof *e;
    bool added;
    for (size_t i = 0; i < n; i++) {
        if (e[i].value & KIN_EDGE_STAR || e[i].value == EDGE_MUST)
            continue; /* a hub, or a link, says it */
        uint32_t a = (uint32_t)(e[i].key >> 32), b = (uint32_t)e[i].key;
        kin_status status =
            live_graph_edge(&live->graph, a, b, (uint16_t)e[i].value, (int32_t)e[i].extra, &added);
        if (status != KIN_OK)
            return status;
        live_put_edge(live, to, a, b, (uint16_t)e[i].value, (int32_t)e[i].extra);
    }
    return KIN_OK;
}

/* The stars were checked when components were listed, or are checked here. */
static kin_status copy_stars(struct live *live, const struct cjob *job, struct live_puts *to)
{
    uint32_t hub = 0;
    for (unsigned w = 0; w < job->shards.workers; w++) {
        struct kin_cursor at = kin_cursor_of(job->workers[w].stars.p, job->workers[w].stars.n);
        while (kin_cursor_left(&at)) {
            uint64_t key = kin_cursor_u64(&at);
            uint32_t rule = kin_cursor_u32(&at), n = kin_cursor_u32(&at);
            if (at.bad || n > kin_cursor_left(&at) / 4 || rule >= job->workflow->rule_count)
                return KIN_E_PROTO;
            for (uint32_t i = 0; i < n; i++) {
                uint32_t record = kin_cursor_u32(&at);
                if (record >= job->records || live->graph.records[record].dead)
                    return KIN_E_PROTO;
                kin_status status =
                    live_graph_hub_member(&live->graph, hub, key, (uint16_t)rule, record);
                if (status != KIN_OK)
                    return status;
                live_put_member(live, to, hub, record);
            }
            hub++;
        }
    }
    return KIN_OK;
}

static char *copy_text(const char *text)
{
    return kin_strndup(text, strlen(text));
}

static kin_status add_link(struct live *live, const struct live_link *like, struct live_puts *to)
{
    struct live_link *link = kin_calloc(1, sizeof *link);
    if (!link)
        return KIN_E_NOMEM;
    *link = *like;
    link->id[0] = copy_text(like->id[0]);
    link->id[1] = copy_text(like->id[1]);
    link->who = copy_text(like->who);
    link->why = copy_text(like->why);
    if (!link->id[0] || !link->id[1] || !link->who || !link->why) {
        live_link_free(link);
        return KIN_E_NOMEM;
    }
    live_link_name(link, live->workflow);
    for (const struct live_link *there = live->links; there; there = there->next) {
        if (memcmp(there->name, link->name, sizeof link->name) == 0) {
            live_link_free(link);
            return KIN_OK;
        }
    }
    live_put_link(live, to, link);
    return live_links_add(live, link);
}

/* Links of people: what was said before, then what the workflow's files say. */
static kin_status copy_links(struct live *live, const struct live *old, const struct cjob *job,
                             uint64_t now_ms, struct live_puts *to)
{
    const struct kin_workflow *w = live->workflow;
    kin_status status = KIN_OK;
    for (const struct live_link *l = old ? old->links : NULL; l && status == KIN_OK; l = l->next) {
        struct live_link link = *l;
        bool known = !l->of_file;
        for (unsigned k = 0; k < 2; k++) {
            link.source[k] =
                kin_workflow_source_named(w, kin_str_of(old->workflow->sources[l->source[k]].name));
            known = known && link.source[k] != KIN_NO_SOURCE;
        }
        if (known)
            status = add_link(live, &link, to);
    }
    for (size_t i = 0; i < job->must_count + job->never_count && status == KIN_OK; i++) {
        const struct kin_linkage_pair *p =
            i < job->must_count ? &job->must[i] : &job->never[i - job->must_count];
        uint32_t ends[2] = {p->a, p->b};
        char ids[2][256], who[] = "", why[] = "links of the workflow";
        struct live_link link = {.kind = i < job->must_count ? KIN_LINK_MUST : KIN_LINK_NEVER,
                                 .of_file = true,
                                 .who = who,
                                 .why = why,
                                 .at_ms = now_ms};
        for (unsigned k = 0; k < 2; k++) {
            struct kin_str id = live_graph_id(&live->graph, ends[k]);
            memcpy(ids[k], id.p, id.n);
            ids[k][id.n] = '\0';
            link.id[k] = ids[k];
            link.source[k] = live->graph.records[ends[k]].source;
        }
        status = add_link(live, &link, to);
    }
    return status;
}

/* ---- MatchIds ---- */

struct person {      /* a record, before or after */
    uint64_t prefix; /* of the id: most are told apart by it */
    uint32_t number, old;
    uint16_t source;
};

struct people {
    const struct live_graph *now, *before;
};

static struct kin_str person_id(const struct people *x, const struct person *p)
{
    return p->number != LIVE_NONE ? live_graph_id(x->now, p->number)
                                  : live_graph_id(x->before, p->old);
}

static int by_identity(const void *a, const void *b, void *arg)
{
    const struct person *x = a, *y = b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    if (x->prefix != y->prefix)
        return x->prefix < y->prefix ? -1 : 1;
    return kin_str_cmp(person_id(arg, x), person_id(arg, y));
}

static uint64_t prefix_of(struct kin_str id)
{
    uint8_t bytes[8] = {0};
    memcpy(bytes, id.p, id.n < 8 ? id.n : 8);
    return kin_be64(bytes);
}

struct assigning {
    struct people people;
    struct live *live;
    const struct live *old;
    struct cjob *job;
    struct prepared *p;
    struct kin_arena arena;
    struct person *list;
    size_t count;
    uint16_t *source_now; /* [old sources] */
    struct registry_change change;
    struct registry_verdict verdict;
    uint32_t *before_groups, *after_groups; /* as the graphs, the job number them */
    struct registry_id *before_ids, *after_ids;
};

/* Records of now, with what they were; then those that are no more. */
static kin_status list_people(struct assigning *x)
{
    const struct live_graph *now = &x->live->graph, *before = x->old ? &x->old->graph : NULL;
    x->list = kin_arena_alloc(&x->arena, ((size_t)now->alive + (before ? before->alive : 0) + 1) *
                                             sizeof *x->list);
    uint16_t *then = kin_arena_calloc(&x->arena, x->live->workflow->source_count + 1, 2);
    if (before)
        x->source_now = kin_arena_calloc(&x->arena, x->old->workflow->source_count + 1, 2);
    if (!x->list || !then || (before && !x->source_now))
        return KIN_E_NOMEM;
    memset(then, 0xff, 2 * (x->live->workflow->source_count + 1));
    for (size_t k = 0; before && k < x->old->workflow->source_count; k++) {
        uint16_t s = (uint16_t)k;
        uint16_t t = kin_workflow_source_named(x->live->workflow,
                                               kin_str_of(x->old->workflow->sources[s].name));
        x->source_now[s] = t; /* KIN_NO_SOURCE sorts last */
        if (t != KIN_NO_SOURCE)
            then[t] = s;
    }
    for (uint32_t i = 0; i < now->count; i++) {
        const struct live_record *r = &now->records[i];
        if (r->dead)
            continue;
        struct kin_str id = live_graph_id(now, i);
        struct person *p = &x->list[x->count++];
        *p = (struct person){prefix_of(id), i, LIVE_NONE, r->source};
        if (before && then[r->source] != UINT16_MAX)
            p->old = live_graph_committed(before, live_graph_find(before, then[r->source], id));
    }
    for (uint32_t i = 0; before && i < before->count; i++) {
        const struct live_record *r = &before->records[i];
        uint16_t source = r->dead ? 0 : x->source_now[r->source];
        if (r->group == LIVE_NONE)
            continue;
        struct kin_str id = live_graph_id(before, i);
        uint32_t there = source == UINT16_MAX ? LIVE_NONE : live_graph_find(now, source, id);
        if (there == LIVE_NONE || now->records[there].dead)
            x->list[x->count++] = (struct person){prefix_of(id), LIVE_NONE, i, source};
    }
    x->people = (struct people){now, before};
    if (x->count > 1)
        qsort_r(x->list, x->count, sizeof *x->list, by_identity, &x->people);
    return KIN_OK;
}

static int by_founder(const void *a, const void *b, void *arg)
{
    const struct assigning *x = arg;
    uint16_t s, t;
    struct kin_str i, j;
    live_graph_founder(&x->old->graph, x->before_groups[*(const uint32_t *)a], &s, &i);
    live_graph_founder(&x->old->graph, x->before_groups[*(const uint32_t *)b], &t, &j);
    s = x->source_now[s];
    t = x->source_now[t];
    int c = s != t ? (s < t ? -1 : 1) : kin_str_cmp(i, j);
    uint64_t born = x->old->graph.groups[x->before_groups[*(const uint32_t *)a]].born;
    uint64_t other = x->old->graph.groups[x->before_groups[*(const uint32_t *)b]].born;
    return c ? c : (born > other) - (born < other); /* ids of one founder, of two generations */
}

/* Groups get dense numbers in the order of their smallest records. */
static kin_status make_change(struct assigning *x)
{
    const struct live_graph *before = x->old ? &x->old->graph : NULL;
    size_t old_groups = before ? before->groups_alive : 0, groups = x->job->group_count;
    uint32_t *b = kin_arena_calloc(&x->arena, x->count + 1, sizeof *b);
    uint32_t *a = kin_arena_calloc(&x->arena, x->count + 1, sizeof *a);
    uint32_t *dense_b =
        kin_arena_calloc(&x->arena, (before ? before->group_count : 0) + 1, sizeof *dense_b);
    uint32_t *dense_a = kin_arena_calloc(&x->arena, groups + 1, sizeof *dense_a);
    uint64_t *born = kin_arena_calloc(&x->arena, old_groups + 1, sizeof *born);
    uint32_t *order = kin_arena_calloc(&x->arena, old_groups + 1, sizeof *order);
    uint32_t *founder = kin_arena_calloc(&x->arena, old_groups + 1, sizeof *founder);
    x->before_groups = kin_arena_calloc(&x->arena, old_groups + 1, sizeof *x->before_groups);
    x->after_groups = kin_arena_calloc(&x->arena, groups + 1, sizeof *x->after_groups);
    x->before_ids = kin_arena_calloc(&x->arena, old_groups + 1, sizeof *x->before_ids);
    x->after_ids = kin_arena_calloc(&x->arena, groups + 1, sizeof *x->after_ids);
    if (!a || !b || !dense_a || !dense_b || !born || !order || !founder || !x->before_groups ||
        !x->after_groups || !x->before_ids || !x->after_ids)
        return KIN_E_NOMEM;
    uint32_t n_before = 0, n_after = 0;
    for (size_t i = 0; i < x->count; i++) {
        const struct person *p = &x->list[i];
        b[i] = a[i] = REGISTRY_NONE;
        if (p->old != LIVE_NONE) {
            uint32_t g = before->records[p->old].group;
            if (!dense_b[g]) {
                x->before_groups[n_before] = g;
                x->before_ids[n_before] = before->groups[g].id;
                born[n_before] = before->groups[g].born;
                order[n_before] = n_before;
                dense_b[g] = ++n_before;
            }
            b[i] = dense_b[g] - 1;
        }
        if (p->number != LIVE_NONE) {
            uint32_t g = x->job->group[p->number];
            if (!dense_a[g]) {
                x->after_groups[n_after] = g;
                dense_a[g] = ++n_after;
            }
            a[i] = dense_a[g] - 1;
        }
    }
    if (n_before > 1)
        qsort_r(order, n_before, sizeof *order, by_founder, x);
    for (uint32_t i = 0; i < n_before; i++)
        founder[order[i]] = i;
    x->change = (struct registry_change){.records = x->count,
                                         .before = b,
                                         .after = a,
                                         .before_count = n_before,
                                         .after_count = n_after,
                                         .born = born,
                                         .founder = founder};
    return KIN_OK;
}

static kin_status copy_retired(struct assigning *x)
{
    kin_status status = KIN_OK;
    for (uint32_t i = 0; x->old && i < x->old->graph.retired_count && status == KIN_OK; i++) {
        const struct live_retired *r = &x->old->graph.retired[i];
        status = live_graph_retire(&x->live->graph, &r->id, r->gone ? NULL : &r->survivor);
    }
    return status;
}

/* A group of now: one that goes on with all that is known of it, or a new one. */
static kin_status make_group(struct assigning *x, uint32_t a)
{
    struct live_graph *g = &x->live->graph;
    uint32_t keeps = x->verdict.keeps[a], at;
    uint64_t born = live_batch_now(x->live);
    uint16_t source;
    struct kin_str id;
    if (keeps == REGISTRY_NONE) {
        uint32_t first = x->list[x->verdict.smallest[a]].number;
        source = g->records[first].source;
        id = live_graph_id(g, first);
        live_graph_new_id(g, x->old ? &x->old->graph : NULL, x->job->options->match_id_key, source,
                          id, &x->after_ids[a]);
    } else {
        uint32_t group = x->before_groups[keeps];
        live_graph_founder(&x->old->graph, group, &source, &id);
        source = x->source_now[source] == UINT16_MAX ? 0 : x->source_now[source];
        born = x->old->graph.groups[group].born;
        x->after_ids[a] = x->before_ids[keeps];
    }
    at = live_graph_group_new(g, &x->after_ids[a], born, source, id);
    if (at == LIVE_NONE)
        return KIN_E_NOMEM;
    if (keeps != REGISTRY_NONE) {
        const struct live_group *old = &x->old->graph.groups[x->before_groups[keeps]];
        g->groups[at].has_split_from = old->has_split_from;
        g->groups[at].split_from = old->split_from;
        g->groups[at].see_also =
            old->see_also_count ? kin_reallocarray(NULL, old->see_also_count, sizeof *old->see_also)
                                : NULL;
        if (old->see_also_count && !g->groups[at].see_also)
            return KIN_E_NOMEM;
        if (old->see_also_count)
            memcpy(g->groups[at].see_also, old->see_also,
                   old->see_also_count * sizeof *old->see_also);
        g->groups[at].see_also_count = old->see_also_count;
    }
    x->p->ids[x->after_groups[a]] = x->after_ids[a];
    x->after_groups[a] = at; /* from now on as the new graph numbers it */
    return KIN_OK;
}

/* What the store is to know of an id that is not a group's any more, or that lost members. */
static kin_status put_entry(struct assigning *x, uint32_t b)
{
    const struct live_group *old = &x->old->graph.groups[x->before_groups[b]];
    const struct registry_lists *moved = &x->verdict.moved;
    uint32_t heir = x->verdict.heir[b], more = moved->at[b + 1] - moved->at[b];
    if (x->verdict.kept[b] && !more)
        return KIN_OK;
    struct registry_id *see =
        kin_arena_calloc(&x->arena, old->see_also_count + more + 1, sizeof *see);
    if (!see)
        return KIN_E_NOMEM;
    size_t n = old->see_also_count;
    if (n)
        memcpy(see, old->see_also, n * sizeof *see);
    for (uint32_t i = 0; i < more; i++)
        see[n++] = x->after_ids[moved->items[moved->at[b] + i]];
    size_t skip = n > REGISTRY_SEE_ALSO_MAX ? n - REGISTRY_SEE_ALSO_MAX : 0;
    if (x->verdict.kept[b]) {
        struct live_group *g = &x->live->graph.groups[x->after_groups[heir]];
        struct registry_id *list = kin_reallocarray(g->see_also, n - skip, sizeof *list);
        if (!list)
            return KIN_E_NOMEM;
        memcpy(list, see + skip, (n - skip) * sizeof *list);
        g->see_also = list;
        g->see_also_count = (uint32_t)(n - skip);
        live_put_group(x->live, &x->p->last, x->after_groups[heir]);
        return KIN_OK;
    }
    const struct registry_id *survivor = heir == REGISTRY_NONE ? NULL : &x->after_ids[heir];
    live_put_retired(x->live, &x->p->last, &x->old->graph, x->before_groups[b], see + skip,
                     n - skip, survivor);
    return live_graph_retire(&x->live->graph, &old->id, survivor);
}

static void names_of(void *arg, size_t index, struct kin_str *source, struct kin_str *id)
{
    const struct assigning *x = arg;
    const struct person *p = &x->list[index];
    bool now = p->number != LIVE_NONE;
    const struct kin_workflow *w = now ? x->live->workflow : x->old->workflow;
    const struct live_graph *g = now ? x->people.now : x->people.before;
    *source = kin_str_of(w->sources[g->records[now ? p->number : p->old].source].name);
    *id = person_id(&x->people, p);
}

/* What the store has by MatchId is written in the order of the ids: at random it takes five times
 * as long. */
struct named {
    const struct registry_id *id;
    uint64_t seq;
};

static int by_id(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int c = memcmp(x->id->bytes, y->id->bytes, sizeof x->id->bytes);
    return c ? c : (x->seq > y->seq) - (x->seq < y->seq);
}

/* Entries of all groups that are new. */
static kin_status put_new_groups(struct assigning *x)
{
    size_t n = 0;
    struct named *list = kin_arena_alloc(&x->arena, (x->change.after_count + 1) * sizeof *list);
    if (!list)
        return KIN_E_NOMEM;
    for (uint32_t a = 0; a < x->change.after_count; a++) {
        if (x->verdict.keeps[a] == REGISTRY_NONE)
            list[n++] = (struct named){&x->after_ids[a], x->after_groups[a]};
    }
    if (n > 1)
        qsort(list, n, sizeof *list, by_id);
    for (size_t i = 0; i < n; i++)
        live_put_group(x->live, &x->p->last, (uint32_t)list[i].seq);
    return KIN_OK;
}

static kin_status put_events(struct assigning *x)
{
    struct registry_names names = {
        .before = x->before_ids, .after = x->after_ids, .record = names_of, .arg = x};
    struct registry_event *events;
    size_t n;
    kin_status status = registry_events(&x->arena, &x->change, &x->verdict, &names,
                                        live_batch_now(x->live), x->live->next_event, &events, &n);
    if (status != KIN_OK)
        return status;
    uint64_t first = x->live->next_event;
    size_t named = 0, at = 0;
    for (size_t i = 0; i < n; i++) {
        live_put_event_text(x->live, &x->p->last, x->live->next_event++, &events[i]);
        named += events[i].other_count + 1;
    }
    struct named *list = kin_arena_alloc(&x->arena, (named + 1) * sizeof *list);
    if (!list)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        list[at++] = (struct named){&events[i].id, first + i};
        for (size_t k = 0; k < events[i].other_count; k++)
            list[at++] = (struct named){&events[i].others[k], first + i};
    }
    if (at > 1)
        qsort(list, at, sizeof *list, by_id);
    for (size_t i = 0; i < at; i++)
        live_put_named(x->live, &x->p->last, list[i].seq, list[i].id);
    return KIN_OK;
}

static void put_records(struct assigning *x)
{
    struct live *live = x->live;
    struct live_graph *g = &live->graph;
    const struct cjob *job = x->job;
    for (size_t i = 0; i < x->count; i++) {
        uint32_t number = x->list[i].number;
        if (number == LIVE_NONE)
            continue;
        struct live_record *r = &g->records[number];
        live_graph_group_add(g, x->after_groups[x->change.after[i]], number);
        if (job_is_linked(job, number)) {
            r->rule = LIVE_MUST;
        } else if (kin_best_edges_has(&job->best, number)) {
            struct kin_best_edge best = job_best(job, number);
            bool rule = best.rule < job->workflow->rule_count;
            r->rule = rule ? best.rule : (uint16_t)job->workflow->rule_count;
            r->weight = rule ? 0 : best.weight;
        }
    }
    for (uint32_t i = 0; i < g->count; i++) { /* in the order of their keys */
        if (!g->records[i].dead)
            live_put_record(live, &x->p->staged, i);
    }
}

static kin_status assign(struct assigning *x)
{
    kin_status status = list_people(x);
    if (status == KIN_OK)
        status = make_change(x);
    if (status == KIN_OK)
        status = registry_assign(&x->arena, &x->change, &x->verdict);
    if (status == KIN_OK)
        status = copy_retired(x);
    if (status == KIN_OK)
        status = live_graph_reserve(&x->live->graph, x->change.after_count, x->change.before_count);
    for (uint32_t a = 0; a < x->change.after_count && status == KIN_OK; a++)
        status = make_group(x, a);
    for (uint32_t b = 0; b < x->change.before_count && status == KIN_OK; b++)
        status = put_entry(x, b);
    for (uint32_t a = 0; a < x->change.after_count && status == KIN_OK; a++) {
        struct live_group *g = &x->live->graph.groups[x->after_groups[a]];
        uint32_t from = x->verdict.split_from[a];
        if (x->verdict.keeps[a] != REGISTRY_NONE)
            continue;
        g->has_split_from = from != REGISTRY_NONE;
        if (g->has_split_from)
            g->split_from = x->before_ids[from];
    }
    if (status == KIN_OK)
        status = put_new_groups(x);
    if (status == KIN_OK)
        status = put_events(x);
    if (status == KIN_OK)
        put_records(x);
    return status;
}

kin_status prepare_make(struct prepared *p, struct cjob *job, struct kin_env *env)
{
    struct live *live = p->live;
    struct page_view view;
    struct assigning x = {.live = live, .old = p->old, .job = job, .p = p};
    kin_status status = page_view_init(&view, env, job);
    if (status == KIN_OK)
        status = copy_head(live, job);
    if (status == KIN_OK)
        status = copy_records(live, job, &view);
    page_view_deinit(&view);
    p->ids = kin_calloc((size_t)job->group_count + 1, sizeof *p->ids);
    if (status == KIN_OK && !p->ids)
        status = KIN_E_NOMEM;
    if (status == KIN_OK)
        status = assign(&x);
    if (status == KIN_OK)
        status = copy_edges(live, job, &p->staged);
    if (status == KIN_OK)
        status = copy_stars(live, job, &p->staged);
    if (status == KIN_OK)
        status = copy_links(live, p->old, job, 0, &p->last);
    if (status == KIN_OK && (p->staged.bytes.failed || p->staged.list.failed ||
                             p->last.bytes.failed || p->last.list.failed))
        status = KIN_E_NOMEM;
    kin_arena_deinit(&x.arena);
    return status;
}
