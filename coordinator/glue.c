#include "coordinator/live.h"

#include <stdlib.h>
#include <string.h>

/* Groups over limits.max_group, the largest of them: what holds them together. Every worker sends
 * the strongest spanning forest of its edges inside the group; the strongest tree of all these and
 * of the must links is what the group hangs on, and the values that most of its links share are
 * named in the report. One group at a time. */

struct glue {
    struct kin_buf members[KIN_REPORT_GLUED_MAX]; /* u32 record[], ascending */
    size_t count, at;                             /* groups; the one that is asked for */
    unsigned waiting;
    struct kin_frame *frames[KIN_WORKERS_MAX];
};

struct glue_task {
    struct ctask task;
    size_t group;
    struct kin_report_glue found[KIN_REPORT_GLUE_VALUES];
    size_t found_count;
    uint32_t links, must;
};

struct link { /* of the group */
    uint64_t weakness;
    uint32_t a, b;
    struct kin_str values; /* as the worker sent them */
    uint32_t value_count;
    bool must;
};

struct shared { /* a value, on one link of the tree */
    uint32_t field;
    uint64_t hash;
    struct kin_str text;
};

void glue_free(struct glue *g)
{
    if (!g)
        return;
    for (size_t k = 0; k < KIN_REPORT_GLUED_MAX; k++)
        kin_buf_deinit(&g->members[k]);
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++)
        kin_frame_unref(g->frames[w]);
    kin_free(g);
}

/* ---- one group ---- */

static bool read_link(struct kin_cursor *at, const struct cjob *job, struct link *l)
{
    l->a = kin_cursor_u32(at);
    l->b = kin_cursor_u32(at);
    uint32_t rule = kin_cursor_u32(at);
    int32_t weight = (int32_t)kin_cursor_u32(at);
    l->value_count = kin_cursor_u32(at);
    l->weakness = kin_edge_weakness(rule, weight, job->workflow->rule_count);
    const uint8_t *from = at->p;
    for (uint32_t i = 0; i < l->value_count && !at->bad; i++) {
        if (kin_cursor_u32(at) >= job->workflow->schema.count)
            at->bad = true;
        kin_cursor_u64(at);
        kin_cursor_take(at, kin_cursor_u32(at));
    }
    l->values = (struct kin_str){(const char *)from, (size_t)(at->p - from)};
    return !at->bad && job_has_rule(job, rule) && l->a < l->b && l->b < job->records;
}

static bool in_group(const struct cjob *job, uint32_t record, uint32_t group)
{
    return job->group[record] == group;
}

static kin_status list_links(const struct cjob *job, uint32_t group, struct kin_buf *out)
{
    for (size_t i = 0; i < job->must_count; i++) {
        struct link l = {.a = job->must[i].a, .b = job->must[i].b, .must = true};
        if (in_group(job, l.a, group))
            kin_buf_put(out, &l, sizeof l);
    }
    for (unsigned w = 0; w < job->shards.workers; w++) {
        const struct kin_buf *payload = &job->glue->frames[w]->payload;
        struct kin_cursor at = kin_cursor_of(payload->p, payload->n);
        while (kin_cursor_left(&at)) {
            struct link l = {0};
            if (!read_link(&at, job, &l))
                return KIN_E_PROTO;
            if (in_group(job, l.a, group) && in_group(job, l.b, group))
                kin_buf_put(out, &l, sizeof l);
        }
    }
    return out->failed ? KIN_E_NOMEM : KIN_OK;
}

static int by_strength(const void *p, const void *q)
{
    const struct link *x = p, *y = q;
    if (x->must != y->must)
        return x->must ? -1 : 1;
    if (x->weakness != y->weakness)
        return x->weakness < y->weakness ? -1 : 1;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return x->b < y->b ? -1 : x->b > y->b;
}

static int by_value(const void *p, const void *q)
{
    const struct shared *x = p, *y = q;
    if (x->field != y->field)
        return x->field < y->field ? -1 : 1;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return 0;
}

static uint32_t place_of(const struct kin_buf *members, uint32_t record)
{
    size_t low = 0, high = members->n / 4;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kin_le32(members->p + 4 * middle) < record)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < members->n / 4 && kin_le32(members->p + 4 * low) == record;
    return found ? (uint32_t)low : UINT32_MAX;
}

/* The tree: its links are counted, and their values listed. */
static kin_status walk_tree(struct glue_task *t, const struct link *links, size_t n,
                            struct kin_buf *values)
{
    const struct kin_buf *members = &t->task.job->glue->members[t->group];
    struct kin_union_find sets = {0};
    if (kin_union_find_init(&sets, (uint32_t)(members->n / 4)) != KIN_OK)
        return KIN_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        uint32_t a = place_of(members, links[i].a), b = place_of(members, links[i].b);
        if (a == UINT32_MAX || b == UINT32_MAX || !kin_union_find_join(&sets, a, b))
            continue;
        t->links++;
        t->must += links[i].must;
        struct kin_cursor at = kin_cursor_of(links[i].values.p, links[i].values.n);
        for (uint32_t k = 0; k < links[i].value_count; k++) {
            struct shared s;
            s.field = kin_cursor_u32(&at);
            s.hash = kin_cursor_u64(&at);
            s.text.n = kin_cursor_u32(&at);
            s.text.p = (const char *)kin_cursor_take(&at, s.text.n);
            kin_buf_put(values, &s, sizeof s);
        }
    }
    kin_union_find_deinit(&sets);
    return values->failed ? KIN_E_NOMEM : KIN_OK;
}

/* Keeps the values that most links have; of equally many the first by field, then by text. */
static void offer(struct glue_task *t, const struct shared *s, uint32_t links, bool *nomem)
{
    size_t at = t->found_count;
    for (; at > 0; at--) {
        const struct kin_report_glue *before = &t->found[at - 1];
        bool later =
            before->links < links || (before->links == links && before->field == s->field &&
                                      kin_str_cmp(s->text, kin_str_of(before->text)) < 0);
        if (!later)
            break;
    }
    if (at == KIN_REPORT_GLUE_VALUES)
        return;
    char *text = kin_strndup(s->text.p ? s->text.p : "", s->text.n);
    if (!text) {
        *nomem = true;
        return;
    }
    if (t->found_count == KIN_REPORT_GLUE_VALUES)
        kin_free(t->found[--t->found_count].text);
    memmove(&t->found[at + 1], &t->found[at], (t->found_count - at) * sizeof *t->found);
    t->found[at] = (struct kin_report_glue){s->field, text, links};
    t->found_count++;
}

static void glue_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct glue_task *t = (struct glue_task *)work;
    const struct cjob *job = t->task.job;
    struct kin_buf links = {0}, values = {0};
    bool nomem = false;
    kin_status status = list_links(job, job->report.large_groups[t->group].group, &links);
    size_t n = links.n / sizeof(struct link);
    struct link *l = (struct link *)(void *)links.p;
    if (status == KIN_OK && n) {
        qsort(l, n, sizeof *l, by_strength);
        status = walk_tree(t, l, n, &values);
    }
    struct shared *s = (struct shared *)(void *)values.p;
    size_t count = values.n / sizeof *s;
    if (status == KIN_OK && count)
        qsort(s, count, sizeof *s, by_value);
    for (size_t i = 0, end; i < count && status == KIN_OK; i = end) {
        for (end = i + 1; end < count && by_value(&s[i], &s[end]) == 0; end++)
            continue;
        offer(t, &s[i], (uint32_t)(end - i), &nomem);
    }
    t->task.status = nomem ? KIN_E_NOMEM : status;
    kin_buf_deinit(&links);
    kin_buf_deinit(&values);
}

static void glue_release(struct ctask *task)
{
    struct glue_task *t = (struct glue_task *)task;
    for (size_t i = 0; i < t->found_count; i++)
        kin_free(t->found[i].text);
}

/* ---- one group after another ---- */

static void ask_next(struct kin_coordinator *c);

static void glue_finish(struct ctask *task)
{
    struct glue_task *t = (struct glue_task *)task;
    struct kin_coordinator *c = task->c;
    struct glue *g = c->job->glue;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "what holds a large group together cannot be told: %s",
                 kin_status_text(task->status));
        return;
    }
    struct kin_report_group *group = &c->job->report.large_groups[t->group];
    memcpy(group->glue, t->found, sizeof t->found);
    group->glue_count = t->found_count;
    group->links = t->links;
    group->must = t->must;
    t->found_count = 0;
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++) {
        kin_frame_unref(g->frames[w]);
        g->frames[w] = NULL;
    }
    g->at++;
    ask_next(c);
}

static void on_glue(struct rpc *r, const struct kin_message *m, struct kin_frame *f)
{
    struct kin_coordinator *c = r->arg;
    struct glue *g = c->job->glue;
    if (m->type != KIN_MSG_PULLED) {
        job_fail(c, KIN_E_PROTO, "worker %u answered nonsense", r->worker + 1);
        return;
    }
    g->frames[r->worker] = kin_frame_ref(f);
    if (--g->waiting)
        return;
    struct glue_task *t = ctask_new(c, sizeof *t, glue_run, glue_finish, glue_release);
    if (!t) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    t->group = g->at;
    ctask_start(&t->task);
}

static void ask_next(struct kin_coordinator *c)
{
    struct glue *g = c->job->glue;
    if (g->at == g->count) {
        glue_free(g);
        c->job->glue = NULL;
        live_prepare(c);
        return;
    }
    g->waiting = job_workers(c);
    for (unsigned w = 0; w < job_workers(c) && !c->job->failed; w++) {
        struct kin_buf payload = {0};
        struct kin_message m = {.type = KIN_MSG_PULL};
        kin_buf_put(&payload, g->members[g->at].p, g->members[g->at].n);
        m.u.pull.job = c->job->id;
        m.u.pull.what = KIN_PULL_GLUE;
        if (rpc_start(c, w, &m, &payload, on_glue, c, 0) != KIN_OK)
            job_fail(c, KIN_E_NOMEM, "out of memory");
    }
}

void glue_begin(struct kin_coordinator *c)
{
    if (!c->job->glue) {
        live_prepare(c);
        return;
    }
    track_advance_all(c); /* a worker that came back has to match again */
    ask_next(c);
}

kin_status glue_collect(const struct cjob *job, const uint32_t *group, struct glue **out)
{
    const struct kin_report *r = &job->report;
    size_t count =
        r->large_group_count < KIN_REPORT_GLUED_MAX ? r->large_group_count : KIN_REPORT_GLUED_MAX;
    if (count == 0)
        return KIN_OK;
    struct glue *g = kin_calloc(1, sizeof *g);
    if (!g)
        return KIN_E_NOMEM;
    *out = g;
    g->count = count;
    for (uint32_t i = 0; i < job->records; i++) {
        for (size_t k = 0; k < count && group[i] != NO_GROUP; k++) {
            if (r->large_groups[k].group == group[i] &&
                g->members[k].n < 4 * (size_t)KIN_REPORT_GLUE_RECORDS)
                kin_buf_u32(&g->members[k], i);
        }
    }
    for (size_t k = 0; k < count; k++) {
        if (g->members[k].failed)
            return KIN_E_NOMEM;
    }
    return KIN_OK;
}
