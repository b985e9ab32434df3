#include "coordinator/live.h"

#include "common/report/report_html.h"
#include "coordinator/match_id.h"

#include <stdlib.h>
#include <string.h>

/* The outputs. Each file is made in pieces by tasks, several at a time, and written in order; the
 * directory appears when all of it is there. */

/* ---- the pipe ---- */

struct append_task {
    struct ctask task;
    uint64_t first, count;
};

static void pipe_pump(struct kin_coordinator *c);

static void append_run(struct kin_env *env, struct kin_work *work)
{
    struct append_task *t = (struct append_task *)work;
    struct cjob *job = t->task.c->job;
    for (uint64_t i = t->first; i < t->first + t->count && t->task.status == KIN_OK; i++) {
        struct pipe_piece *piece = &job->pipe.pieces[i % PIPE_WINDOW]; /* ours until written */
        for (unsigned k = 0; k < 2 && t->task.status == KIN_OK; k++) {
            if (job->pipe.files[k] && piece->out[k].n)
                t->task.status = env->ops->out_write(job->out, job->pipe.files[k], piece->out[k].p,
                                                     piece->out[k].n, &t->task.err);
        }
    }
}

static void append_finish(struct ctask *task)
{
    struct append_task *t = (struct append_task *)task;
    struct kin_coordinator *c = task->c;
    struct pipe *pipe = &c->job->pipe;
    pipe->writing = false;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "the output cannot be written: %s", task->err.msg);
        return;
    }
    for (uint64_t i = t->first; i < t->first + t->count; i++) {
        struct pipe_piece *piece = &pipe->pieces[i % PIPE_WINDOW];
        kin_buf_deinit(&piece->out[0]);
        kin_buf_deinit(&piece->out[1]);
        piece->state = PIECE_FREE;
    }
    pipe->written += t->count;
    pipe_pump(c);
}

static void pipe_pump(struct kin_coordinator *c)
{
    struct pipe *pipe = &c->job->pipe;
    uint64_t ready = pipe->written;
    while (ready < pipe->started && pipe->pieces[ready % PIPE_WINDOW].state == PIECE_READY &&
           ready - pipe->written < PIPE_WINDOW)
        ready++;
    if (!pipe->writing && ready > pipe->written) {
        struct append_task *t = ctask_new(c, sizeof *t, append_run, append_finish, NULL);
        if (!t) {
            job_fail(c, KIN_E_NOMEM, "out of memory");
            return;
        }
        t->first = pipe->written;
        t->count = ready - pipe->written;
        pipe->writing = true;
        ctask_start(&t->task);
    }
    while (!c->job->failed && pipe->started < pipe->total &&
           pipe->started < pipe->written + PIPE_WINDOW) {
        uint64_t piece = pipe->started++;
        pipe->pieces[piece % PIPE_WINDOW].state = PIECE_MAKING;
        pipe->make(c, piece);
    }
    if (!c->job->failed && pipe->written == pipe->total && pipe->end) {
        void (*end)(struct kin_coordinator *) = pipe->end;
        pipe->end = NULL;
        end(c);
    }
}

void pipe_begin(struct kin_coordinator *c, uint64_t total, const char *file, const char *second,
                void (*make)(struct kin_coordinator *, uint64_t),
                void (*end)(struct kin_coordinator *))
{
    c->job->pipe = (struct pipe){.total = total, .files = {file, second}, .make = make, .end = end};
    pipe_pump(c);
}

void pipe_piece_ready(struct kin_coordinator *c, uint64_t piece, struct kin_buf *first,
                      struct kin_buf *second)
{
    struct pipe_piece *p = &c->job->pipe.pieces[piece % PIPE_WINDOW];
    p->out[0] = *first;
    *first = (struct kin_buf){0};
    if (second) {
        p->out[1] = *second;
        *second = (struct kin_buf){0};
    }
    p->state = PIECE_READY;
    pipe_pump(c);
}

/* ---- pieces ---- */

struct piece_task {
    struct ctask task;
    uint64_t piece;
    struct kin_buf out[2];
    struct kin_frame *frames[KIN_WORKERS_MAX]; /* of a piece of groups.csv */
    struct kin_report_reason *reasons;         /* of a piece of errors.csv */
    size_t reason_count;
};

static void piece_release(struct ctask *task)
{
    struct piece_task *t = (struct piece_task *)task;
    kin_buf_deinit(&t->out[0]);
    kin_buf_deinit(&t->out[1]);
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++)
        kin_frame_unref(t->frames[w]);
    reasons_free(t->reasons, t->reason_count);
}

static void piece_finish(struct ctask *task)
{
    struct piece_task *t = (struct piece_task *)task;
    if (task->status == KIN_OK && (t->out[0].failed || t->out[1].failed))
        task->status = KIN_E_NOMEM;
    struct kin_report *report = &task->c->job->report;
    for (size_t i = 0; i < t->reason_count && task->status == KIN_OK; i++)
        task->status = reasons_add(&report->reasons, &report->reason_count,
                                   kin_str_of(t->reasons[i].text), t->reasons[i].rows);
    if (task->status != KIN_OK)
        job_fail(task->c, task->status, "the output cannot be made: %s",
                 kin_status_text(task->status));
    else
        pipe_piece_ready(task->c, t->piece, &t->out[0], &t->out[1]);
}

static void start_piece(struct kin_coordinator *c, uint64_t piece,
                        void (*run)(struct kin_env *, struct kin_work *))
{
    struct piece_task *t = ctask_new(c, sizeof *t, run, piece_finish, piece_release);
    if (!t) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    t->piece = piece;
    ctask_start(&t->task);
}

static void put_match_id(const struct kin_coordinator *c, uint32_t source, struct kin_str id,
                         struct kin_buf *out)
{
    const struct kin_workflow *w = c->job->workflow;
    uint8_t *to = kin_buf_extend(out, KIN_MATCH_ID_DIGITS);
    if (to)
        kin_match_id(c->job->options->match_id_key, kin_str_of(w->name),
                     kin_str_of(w->sources[source].name), id, 0, (char *)to);
}

/* One that was inherited, perhaps. */
static void put_given_id(const struct registry_id *id, struct kin_buf *out)
{
    char text[33];
    registry_id_print(id, text);
    kin_buf_put(out, text, KIN_MATCH_ID_DIGITS);
}

static void put_number(struct kin_buf *out, uint32_t x)
{
    char digits[10];
    size_t n = 0;
    do
        digits[sizeof digits - ++n] = (char)('0' + x % 10);
    while (x /= 10);
    kin_buf_put(out, digits + sizeof digits - n, n);
}

/* ",0.998877," */
static void put_probability(struct kin_buf *out, int32_t weight)
{
    char text[] = ",0.000000,";
    uint32_t millionths = kin_weight_millionths(weight);
    text[1] = (char)('0' + millionths / 1000000);
    for (size_t i = 8; i > 2; i--, millionths /= 10)
        text[i] = (char)('0' + millionths % 10);
    kin_buf_put(out, text, sizeof text - 1);
}

/* "7.250,0.993468,": weights are printed to a thousandth of a bit, half away from zero. */
static void put_weight(struct kin_buf *out, int32_t weight)
{
    uint32_t size = weight < 0 ? -(uint32_t)weight : (uint32_t)weight;
    uint64_t thousandths = ((uint64_t)size * 1000 + KIN_WEIGHT_ONE / 2) / KIN_WEIGHT_ONE;
    if (weight < 0 && thousandths)
        kin_buf_putc(out, '-');
    put_number(out, (uint32_t)(thousandths / 1000));
    char text[] = ".000";
    for (size_t i = 3; i > 0; i--, thousandths /= 10)
        text[i] = (char)('0' + thousandths % 10);
    kin_buf_put(out, text, sizeof text - 1);
    put_probability(out, weight);
}

static const char *rule_name(const struct cjob *job, uint32_t rule)
{
    if (rule == EDGE_MUST)
        return "must";
    return rule < job->workflow->rule_count ? job->workflow->rules[rule].name : "model";
}

/* "rule,confidence," */
static void put_reason(const struct cjob *job, struct kin_best_edge edge, struct kin_buf *out)
{
    kin_csv_cell(out, kin_str_of(rule_name(job, edge.rule)));
    if (edge.rule < job->workflow->rule_count)
        kin_buf_puts(out, ",1,");
    else
        put_probability(out, edge.weight);
}

/* ",match_id" for each threshold but the one that the MatchIds go by. */
static void put_levels(const struct kin_coordinator *c, struct page_view *view, uint32_t record,
                       struct kin_buf *out)
{
    const struct cjob *job = c->job;
    for (size_t level = 0; level < job_levels(job) && job->level[level]; level++) {
        uint32_t source;
        struct kin_str id;
        if (level == job->workflow->model->primary)
            continue;
        kin_buf_putc(out, ',');
        if (page_view_identity(view, job->level[level][record], &source, &id))
            put_match_id(c, source, id, out);
    }
}

/* match_id_0.99 and the like. */
static void put_level_names(const struct cjob *job, struct kin_buf *out)
{
    for (size_t level = 0; level < job_levels(job) && job_levels(job) > 1; level++) {
        if (level == job->workflow->model->primary)
            continue;
        kin_buf_puts(out, ",match_id_");
        for (const char *p = job->workflow->model->thresholds[level].text; *p; p++)
            kin_buf_putc(out, *p == ' ' ? '_' : *p);
    }
}

/* matches.csv and errors.csv: one chunk each. */
static void matches_run(struct kin_env *env, struct kin_work *work)
{
    struct piece_task *t = (struct piece_task *)work;
    const struct kin_coordinator *c = t->task.c;
    const struct cjob *job = c->job;
    struct page_view view;
    kin_status status = page_view_init(&view, env, job);
    const struct kin_page *page = status == KIN_OK ? page_view_get(&view, t->piece) : NULL;
    struct kin_buf *out = &t->out[0];
    for (uint32_t i = 0; page && i < page->count && view.status == KIN_OK; i++) {
        uint32_t record = (uint32_t)page->base + i, group = job->group[record];
        if (group == NO_GROUP)
            continue;
        uint32_t size = job->group_size[group], founder_source;
        struct kin_str id = kin_page_id(page, i), founder_id;
        kin_csv_cell(out, kin_str_of(job->workflow->sources[page->source].name));
        kin_buf_putc(out, ',');
        kin_csv_cell(out, id);
        kin_buf_putc(out, ',');
        if (live_group_id(job, group))
            put_given_id(live_group_id(job, group), out);
        else if (job->founder[group] == record)
            put_match_id(c, page->source, id, out);
        else if (page_view_identity(&view, job->founder[group], &founder_source, &founder_id))
            put_match_id(c, founder_source, founder_id, out);
        kin_buf_putc(out, ',');
        if (size > 1 && job_is_linked(job, record))
            kin_buf_puts(out, "must,1,");
        else if (size > 1 && kin_best_edges_has(&job->best, record))
            put_reason(job, job_best(job, record), out);
        else
            kin_buf_puts(out, ",,");
        put_number(out, size);
        put_levels(c, &view, record, out);
        kin_buf_putc(out, '\n');
    }
    if (page)
        kin_buf_put(&t->out[1], page->errors.p, page->errors.n);
    t->task.status = view.status;
    if (page && view.status == KIN_OK)
        t->task.status = reasons_of(page->errors, &t->reasons, &t->reason_count);
    page_view_deinit(&view);
}

static void make_matches(struct kin_coordinator *c, uint64_t piece)
{
    start_piece(c, piece, matches_run);
}

/* pairs.csv: the matched pairs that lie inside a MatchGroup. */
static void pairs_run(struct kin_env *env, struct kin_work *work)
{
    struct piece_task *t = (struct piece_task *)work;
    const struct cjob *job = t->task.c->job;
    const struct kin_keyed *e = (const struct kin_keyed *)(const void *)job->edges.p;
    size_t n = job->edges.n / sizeof *e, first = (size_t)t->piece * EDGES_PER_PIECE;
    struct kin_buf *out = &t->out[0];
    struct page_view view;
    kin_status status = page_view_init(&view, env, job);
    for (size_t i = first; i < n && i < first + EDGES_PER_PIECE && status == KIN_OK; i++) {
        uint32_t a = (uint32_t)(e[i].key >> 32), b = (uint32_t)e[i].key;
        if (job->group[a] != job->group[b] || !job_joins(job, &e[i]))
            continue; /* kept apart, or below the threshold */
        if (page_view_cmp(&view, a, b) > 0) {
            uint32_t x = a;
            a = b;
            b = x;
        }
        for (unsigned k = 0; k < 2; k++) {
            uint32_t source;
            struct kin_str id;
            if (page_view_identity(&view, k ? b : a, &source, &id)) {
                kin_csv_cell(out, kin_str_of(job->workflow->sources[source].name));
                kin_buf_putc(out, ',');
                kin_csv_cell(out, id);
                kin_buf_putc(out, ',');
            }
        }
        uint32_t rule = e[i].value & ~(uint32_t)KIN_EDGE_STAR;
        int32_t weight = (int32_t)e[i].extra;
        if (rule < job->workflow->rule_count || rule == EDGE_MUST)
            kin_buf_puts(out, ",1,");
        else
            put_weight(out, weight);
        kin_csv_cell(out, kin_str_of(rule_name(job, rule)));
        kin_buf_putc(out, '\n');
        status = view.status;
    }
    t->task.status = view.status;
    page_view_deinit(&view);
}

static void make_pairs(struct kin_coordinator *c, uint64_t piece)
{
    start_piece(c, piece, pairs_run);
}

/* ---- groups.csv: the rows of a range of groups come from their homes ---- */

struct rows_reader { /* of one worker's answer, in group order */
    struct kin_batch_rows rows;
    uint32_t *columns; /* of the answer -> of the job */
    const uint8_t *at;
    uint32_t left;
};

static int by_name(const void *a, const void *b)
{
    return kin_str_cmp(*(const struct kin_str *)a, *(const struct kin_str *)b);
}

static kin_status open_rows(const struct cjob *job, struct kin_arena *arena,
                            const struct kin_frame *f, struct rows_reader *r)
{
    if (!kin_batch_rows_open(f->payload.p, f->payload.n, &r->rows))
        return KIN_E_PROTO;
    struct kin_str *names = kin_arena_calloc(arena, r->rows.column_count, sizeof *names);
    r->columns = kin_arena_calloc(arena, r->rows.column_count, sizeof *r->columns);
    if (!names || !r->columns)
        return KIN_E_NOMEM;
    kin_batch_rows_columns(&r->rows, names);
    for (uint32_t i = 0; i < r->rows.column_count; i++) {
        const struct kin_str *found =
            job->column_count
                ? bsearch(&names[i], job->columns, job->column_count, sizeof *job->columns, by_name)
                : NULL;
        if (!found)
            return KIN_E_PROTO;
        r->columns[i] = (uint32_t)(found - job->columns);
    }
    r->at = r->rows.rows;
    r->left = r->rows.row_count;
    return KIN_OK;
}

static int by_member(const void *a, const void *b)
{
    const struct kin_golden_member *x = a, *y = b;
    if (x->source != y->source)
        return x->source < y->source ? -1 : 1;
    return kin_str_cmp(x->id, y->id);
}

static kin_status take_member(struct rows_reader *r, size_t source_count, struct kin_arena *arena,
                              struct kin_golden_member *out)
{
    struct kin_batch_row row = kin_batch_row_read(r->at);
    if (row.source >= source_count)
        return KIN_E_PROTO;
    struct kin_golden_cell *cells = kin_arena_alloc(arena, (row.cell_count + 1) * sizeof *cells);
    if (!cells)
        return KIN_E_NOMEM;
    const uint8_t *at = row.cells;
    for (uint32_t i = 0; i < row.cell_count; i++) {
        uint16_t column;
        struct kin_str value = kin_batch_cell_next(&at, &column);
        cells[i] = (struct kin_golden_cell){r->columns[column], value};
    }
    *out = (struct kin_golden_member){row.source, row.id, row.updated, cells, row.cell_count};
    r->at += row.bytes;
    r->left--;
    return KIN_OK;
}

/* One group: its members from all answers, in (source, id) order, to one golden record. */
static kin_status put_group(struct piece_task *t, struct rows_reader *readers, uint32_t group,
                            struct kin_norm_scratch *norm, struct kin_arena *arena)
{
    const struct kin_coordinator *c = t->task.c;
    const struct cjob *job = c->job;
    uint32_t size = job->group_size[group], n = 0;
    kin_arena_clear(arena);
    struct kin_golden_member *members = kin_arena_calloc(arena, size, sizeof *members);
    kin_status status = members ? KIN_OK : KIN_E_NOMEM;
    for (unsigned w = 0; w < job_workers(c) && status == KIN_OK; w++) {
        struct rows_reader *r = &readers[w];
        while (status == KIN_OK && r->left && kin_batch_row_number(r->at) == group)
            status = n < size ? take_member(r, job->workflow->source_count, arena, &members[n++])
                              : KIN_E_PROTO;
    }
    if (status == KIN_OK && n != size)
        status = KIN_E_PROTO;
    if (status == KIN_OK) {
        if (n > 1)
            qsort(members, n, sizeof *members, by_member);
        if (live_group_id(job, group))
            put_given_id(live_group_id(job, group), &t->out[0]);
        else
            put_match_id(c, members[0].source, members[0].id, &t->out[0]); /* the founder */
        kin_buf_putc(&t->out[0], ',');
        put_number(&t->out[0], size);
        status = kin_golden_row(job->golden, norm, arena, members, n, &t->out[0]);
        kin_buf_putc(&t->out[0], '\n');
    }
    return status;
}

static void groups_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct piece_task *t = (struct piece_task *)work;
    const struct kin_coordinator *c = t->task.c;
    struct kin_arena arena = {0}, group_arena = {0};
    struct rows_reader *readers = kin_arena_calloc(&arena, KIN_WORKERS_MAX, sizeof *readers);
    struct kin_norm_scratch *norm = kin_norm_scratch_new();
    kin_status status = readers && norm ? KIN_OK : KIN_E_NOMEM;
    for (unsigned w = 0; w < job_workers(c) && status == KIN_OK; w++)
        status = open_rows(c->job, &arena, t->frames[w], &readers[w]);
    uint32_t first = (uint32_t)t->piece * GROUPS_PER_PIECE;
    for (uint32_t g = first;
         g < c->job->group_count && g < first + GROUPS_PER_PIECE && status == KIN_OK; g++)
        status = put_group(t, readers, g, norm, &group_arena);
    kin_arena_deinit(&group_arena);
    t->task.status = status;
    kin_norm_scratch_free(norm);
    kin_arena_deinit(&arena);
}

/* Waits for the answers of all workers; a task that has not started yet holds them. */
static void on_rows(struct rpc *r, const struct kin_message *m, struct kin_frame *f)
{
    struct piece_task *t = r->arg;
    struct kin_coordinator *c = t->task.c;
    if (m->type != KIN_MSG_ROWS_GOT) {
        job_fail(c, KIN_E_PROTO, "worker %u answered nonsense", r->worker + 1);
        return;
    }
    t->frames[r->worker] = kin_frame_ref(f);
    for (unsigned w = 0; w < job_workers(c); w++) {
        if (!t->frames[w])
            return;
    }
    ctask_start(&t->task);
}

static void make_groups(struct kin_coordinator *c, uint64_t piece)
{
    struct piece_task *t = ctask_new(c, sizeof *t, groups_run, piece_finish, piece_release);
    kin_status status = t ? KIN_OK : KIN_E_NOMEM;
    struct kin_message m = {.type = KIN_MSG_ROWS};
    m.u.rows.job = c->job->id;
    m.u.rows.first = piece * GROUPS_PER_PIECE;
    m.u.rows.end = (piece + 1) * GROUPS_PER_PIECE;
    if (t)
        t->piece = piece;
    for (unsigned w = 0; w < job_workers(c) && status == KIN_OK; w++)
        status = rpc_start(c, w, &m, NULL, on_rows, t, 0);
    if (status != KIN_OK)
        job_fail(c, status, "out of memory");
}

/* ---- the end ---- */

struct publish_task {
    struct ctask task;
    struct kin_buf json, html;
};

static void publish_run(struct kin_env *env, struct kin_work *work)
{
    struct publish_task *t = (struct publish_task *)work;
    struct cjob *job = t->task.c->job;
    struct kin_out *out = job->out;
    t->task.status = env->ops->out_write(out, "report.json", t->json.p, t->json.n, &t->task.err);
    if (t->task.status == KIN_OK)
        t->task.status = kin_report_html(
            &(struct kin_report_html_input){
                .report = {(const char *)t->json.p, t->json.n},
                .model = {(const char *)job->model_text.p, job->model_text.n}},
            &t->html, &t->task.err);
    if (t->task.status == KIN_OK)
        t->task.status =
            env->ops->out_write(out, "report.html", t->html.p, t->html.n, &t->task.err);
    if (t->task.status == KIN_OK && job->model_text.n)
        t->task.status = env->ops->out_write(out, "model.json", job->model_text.p,
                                             job->model_text.n, &t->task.err);
    if (t->task.status == KIN_OK && job->training_text.n)
        t->task.status = env->ops->out_write(out, "training.txt", job->training_text.p,
                                             job->training_text.n, &t->task.err);
    if (t->task.status != KIN_OK)
        return;
    job->out = NULL; /* publish consumes */
    t->task.status = env->ops->out_publish(out, &t->task.err);
}

static void publish_release(struct ctask *task)
{
    struct publish_task *t = (struct publish_task *)task;
    kin_buf_deinit(&t->json);
    kin_buf_deinit(&t->html);
}

static void publish_finish(struct ctask *task)
{
    struct kin_coordinator *c = task->c;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "the output cannot be published: %s", task->err.msg);
        return;
    }
    if (job_serves(c->job)) {
        live_install(c);
        return;
    }
    job_phase(c, KIN_PHASE_DONE);
    job_over(c, KIN_OK, "");
}

static void publish(struct kin_coordinator *c)
{
    struct publish_task *t = ctask_new(c, sizeof *t, publish_run, publish_finish, publish_release);
    job_phase(c, KIN_PHASE_PUBLISH);
    reasons_order(c->job->report.reasons, c->job->report.reason_count);
    if (!t || kin_report_json(&c->job->report, c->job->workflow, &t->json) != KIN_OK)
        job_fail(c, KIN_E_NOMEM, "out of memory");
    else
        ctask_start(&t->task);
}

static uint64_t group_pieces(const struct cjob *job)
{
    return ((uint64_t)job->group_count + GROUPS_PER_PIECE - 1) / GROUPS_PER_PIECE;
}

static uint64_t pair_pieces(const struct cjob *job)
{
    uint64_t edges = job->edges.n / sizeof(struct kin_keyed);
    return (edges + EDGES_PER_PIECE - 1) / EDGES_PER_PIECE;
}

static void groups_begin(struct kin_coordinator *c)
{
    pipe_begin(c, group_pieces(c->job), "groups.csv", NULL, make_groups, publish);
}

static void pairs_begin(struct kin_coordinator *c)
{
    if (!c->job->options->pairs) {
        groups_begin(c);
        return;
    }
    pipe_begin(c, pair_pieces(c->job), "pairs.csv", NULL, make_pairs, groups_begin);
}

struct begin_task {
    struct ctask task;
    struct kin_buf golden_header, matches_header;
};

static void begin_run(struct kin_env *env, struct kin_work *work)
{
    struct begin_task *t = (struct begin_task *)work;
    struct cjob *job = t->task.job;
    const struct kin_job_options *o = job->options;
    static const char errors[] = "source,file,line,id,field,reason,raw\n";
    static const char pairs[] = "source_a,id_a,source_b,id_b,weight,probability,match_rule\n";
    struct kin_err *err = &t->task.err;
    kin_status status = env->ops->out_begin(env, o->out_dir, &job->out, err);
    if (status == KIN_OK)
        status = env->ops->out_write(job->out, "matches.csv", t->matches_header.p,
                                     t->matches_header.n, err);
    if (status == KIN_OK)
        status = env->ops->out_write(job->out, "errors.csv", errors, sizeof errors - 1, err);
    if (status == KIN_OK && job->link_errors.n)
        status = env->ops->out_write(job->out, "errors.csv", job->link_errors.p, job->link_errors.n,
                                     err);
    if (status == KIN_OK && o->pairs)
        status = env->ops->out_write(job->out, "pairs.csv", pairs, sizeof pairs - 1, err);
    if (status == KIN_OK)
        status = env->ops->out_write(job->out, "groups.csv", t->golden_header.p, t->golden_header.n,
                                     err);
    if (status != KIN_OK && job->out) {
        env->ops->out_abort(job->out);
        job->out = NULL;
    }
    t->task.status = status;
}

static void begin_release(struct ctask *task)
{
    struct begin_task *t = (struct begin_task *)task;
    kin_buf_deinit(&t->golden_header);
    kin_buf_deinit(&t->matches_header);
}

static void begin_finish(struct ctask *task)
{
    struct kin_coordinator *c = task->c;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "the output cannot be begun: %s", task->err.msg);
        return;
    }
    struct cjob *job = c->job;
    job->pieces =
        job->chunk_count + group_pieces(job) + (c->job->options->pairs ? pair_pieces(job) : 0);
    pipe_begin(c, c->job->chunk_count, "matches.csv", "errors.csv", make_matches, pairs_begin);
}

void write_begin(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    struct begin_task *t = ctask_new(c, sizeof *t, begin_run, begin_finish, begin_release);
    kin_status status =
        t ? kin_golden_plan_new(job->workflow, job->columns, job->column_count, &job->golden)
          : KIN_E_NOMEM;
    if (status != KIN_OK) {
        job_fail(c, status, "out of memory");
        return;
    }
    kin_buf_puts(&t->matches_header, "source,id,match_id,match_rule,confidence,group_size");
    put_level_names(job, &t->matches_header);
    kin_buf_putc(&t->matches_header, '\n');
    kin_buf_puts(&t->golden_header, "match_id,size");
    kin_golden_header(job->golden, &t->golden_header);
    kin_buf_putc(&t->golden_header, '\n');
    job_phase(c, KIN_PHASE_WRITE);
    ctask_start(&t->task);
    track_advance_all(c);
}
