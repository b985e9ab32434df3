#include "coordinator/impl.h"

#include <stdio.h>
#include <string.h>

/* The load pipeline: one task at a time cuts the next chunk off the sources, tasks split chunks in
 * parallel, and on the loop chunks are committed in their order: records get their numbers, the
 * identity page goes to the store, the payloads to the workers. A chunk's number is its sequence
 * number everywhere. At most CHUNK_WINDOW chunks are between cut and durable everywhere: that is
 * all of the flow control.
 *
 * Chunks are a function of the sources, so any of them can be cut again: a resumed job, or a worker
 * that lost its store, rewinds the pipeline to the first chunk that someone misses. */

struct header_ref {
    struct kin_header header;
    unsigned refs; /* loop thread */
};

struct file_reader { /* belongs to the cut task while that runs */
    struct kin_env *env;
    struct kin_source_handle *handle; /* or, of a file that a client sent: */
    struct spool_reader spool;
    struct kin_inflate *inflate;
    struct kin_cutter *cutter;
    uint32_t file;
    uint64_t raw_bytes;
};

struct load_slot {
    enum { LOAD_FREE, LOAD_SPLITTING, LOAD_READY } state;
    struct split_output out;
    uint32_t file;
    uint64_t offset;
};

struct load {
    size_t chunk_bytes;
    struct file_reader reader;
    struct header_ref *header; /* of the file being cut */
    uint64_t next_cut;         /* number of the next chunk */
    uint64_t next_commit;
    bool reopen; /* the next cut task starts over with file `from_file` */
    uint32_t from_file;
    uint64_t skip_offset; /* cut and discard up to this chunk of the file, after a rewind */
    bool skipping;
    bool cutting, ended;
    unsigned splitting;
    uint64_t rewind; /* not 0: wanted from this chunk on, once the pipeline is at rest */
    bool completing;
    struct load_slot slots[CHUNK_WINDOW];
};

static void load_pump(struct kin_coordinator *c);

static void header_unref(struct header_ref *h)
{
    if (h && --h->refs == 0) {
        kin_header_deinit(&h->header);
        kin_free(h);
    }
}

static void reader_close(struct file_reader *r)
{
    if (r->cutter)
        kin_cutter_close(r->cutter);
    if (r->inflate)
        kin_inflate_close(r->inflate);
    if (r->handle)
        r->env->ops->source_close(r->handle);
    r->cutter = NULL;
    r->inflate = NULL;
    r->handle = NULL;
}

bool load_is_open(const struct cjob *job)
{
    return job->load && job->load->reader.handle;
}

void load_close(struct cjob *job)
{
    if (job->load)
        reader_close(&job->load->reader);
}

void load_free(struct kin_coordinator *c)
{
    struct load *l = c->job->load;
    if (!l)
        return;
    reader_close(&l->reader);
    header_unref(l->header);
    for (size_t i = 0; i < CHUNK_WINDOW; i++)
        split_output_deinit(&l->slots[i].out);
    kin_free(l);
    c->job->load = NULL;
}

static void outbox_clear(struct out_batch *b)
{
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++)
        kin_frame_unref(b->payload[w]);
    *b = (struct out_batch){0};
}

/* ---- cutting ---- */

struct cut_task {
    struct ctask task;
    struct load *load;
    struct kin_chunk chunk;
    bool got;
    struct header_ref *opened; /* the header of a file this task opened */
    uint32_t file;
};

static kin_status raw_read(void *arg, uint8_t *to, size_t cap, size_t *got, struct kin_err *err)
{
    struct file_reader *r = arg;
    kin_status status = r->handle ? r->env->ops->source_read(r->handle, to, cap, got, err)
                                  : spool_read(&r->spool, to, cap, got, err);
    if (status == KIN_OK)
        r->raw_bytes += *got;
    return status;
}

static kin_status copy_header(const struct kin_header *from, struct header_ref **out)
{
    struct header_ref *h = kin_calloc(1, sizeof *h);
    size_t bytes = 0;
    for (size_t i = 0; i < from->count; i++)
        bytes += from->names[i].n;
    if (!h)
        return KIN_E_NOMEM;
    h->refs = 1;
    h->header.delimiter = from->delimiter;
    h->header.names = kin_calloc(from->count, sizeof *h->header.names);
    h->header.text = kin_alloc(bytes);
    if (!h->header.names || !h->header.text) {
        header_unref(h);
        return KIN_E_NOMEM;
    }
    char *p = h->header.text;
    for (size_t i = 0; i < from->count; i++) {
        memcpy(p, from->names[i].p, from->names[i].n);
        h->header.names[i] = (struct kin_str){p, from->names[i].n};
        p += from->names[i].n;
    }
    h->header.count = from->count;
    *out = h;
    return KIN_OK;
}

struct kin_reader_options source_reader_options(const struct kin_workflow *w, uint32_t source,
                                                const char *path, size_t chunk_bytes)
{
    const struct kin_workflow_source *s = &w->sources[source];
    return (struct kin_reader_options){.format = s->format_given ? s->format : kin_format_of(path),
                                       .delimiter = s->delimiter,
                                       .chunk_bytes = chunk_bytes,
                                       .max_record_bytes = w->limits.max_record_bytes,
                                       .max_field_bytes = w->limits.max_field_bytes};
}

static struct kin_reader_options options_of(const struct cjob *job, uint32_t file)
{
    return source_reader_options(job->workflow, job->files[file].source, job->files[file].path,
                                 job->load->chunk_bytes);
}

/* Without its column of ids a CSV would have every row rejected, one by one, for a mistake in the
 * workflow file. In JSON Lines each row has columns of its own. */
kin_status source_check_header(const struct kin_header *header,
                               const struct kin_workflow_source *source, struct kin_err *err)
{
    struct kin_str id = kin_str_of(source->id);
    char found[160];
    size_t n = 0;
    for (size_t i = 0; i < header->count; i++) {
        struct kin_str name = header->names[i];
        if (kin_str_eq(name, id))
            return KIN_OK;
        if (n + name.n + 4 < sizeof found)
            n += (size_t)snprintf(found + n, sizeof found - n, "%s'%.*s'", n ? ", " : "",
                                  (int)name.n, name.p);
    }
    return kin_err_set(err, KIN_E_SYNTAX,
                       "the header has no column '%s', which is to name the records of source "
                       "'%s'; it has %zu: %.*s",
                       source->id, source->name, header->count, (int)n, found);
}

static kin_status open_file(struct cut_task *t, const struct cjob *job)
{
    struct file_reader *r = &t->load->reader;
    const char *path = job->files[r->file].path;
    kin_status status = KIN_OK;
    spool_rest(&r->spool); /* of the file before */
    if (job->rec && jobrec_is_sent(job->rec))
        r->spool = (struct spool_reader){.env = r->env,
                                         .id = jobrec_id(job->rec),
                                         .file = r->file,
                                         .bytes = job->files[r->file].bytes};
    else
        status = r->env->ops->source_open(r->env, path, &r->handle, &t->task.err);
    if (status != KIN_OK)
        return status; /* the message names the file */
    struct kin_byte_source input = {raw_read, r};
    enum kin_compression compression = kin_compression_of(path);
    if (status == KIN_OK && compression != KIN_PLAIN) {
        status = kin_inflate_open(compression, input, &r->inflate, &t->task.err);
        if (status == KIN_OK)
            input = kin_inflate_source(r->inflate);
    }
    struct kin_reader_options options = options_of(job, r->file);
    if (status == KIN_OK)
        status = kin_cutter_open(&options, input, &r->cutter, &t->task.err);
    if (status == KIN_OK && options.format == KIN_FORMAT_CSV)
        status =
            source_check_header(kin_cutter_header(r->cutter),
                                &job->workflow->sources[job->files[r->file].source], &t->task.err);
    if (status == KIN_OK) {
        header_unref(t->opened); /* of a file that ended within this task */
        t->opened = NULL;
        status = copy_header(kin_cutter_header(r->cutter), &t->opened);
    }
    return status == KIN_OK ? status : kin_err_wrap(&t->task.err, status, "%s", path);
}

static void cut_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct cut_task *t = (struct cut_task *)work;
    struct load *l = t->load;
    const struct cjob *job = t->task.c->job;
    kin_status status = KIN_OK;
    if (l->reopen) {
        reader_close(&l->reader);
        l->reader.file = l->from_file;
        l->reader.raw_bytes = 0;
        for (uint32_t i = 0; i < l->from_file; i++)
            l->reader.raw_bytes += job->files[i].bytes;
        l->reopen = false;
    }
    while (status == KIN_OK && !t->got && l->reader.file < job->file_count) {
        if (!l->reader.cutter)
            status = open_file(t, job);
        if (status != KIN_OK)
            break;
        status = kin_cutter_next(l->reader.cutter, &t->chunk, &t->task.err);
        if (status == KIN_E_EOF) {
            reader_close(&l->reader);
            l->reader.file++;
            l->skipping = false;
            status = KIN_OK;
        } else if (status != KIN_OK) {
            kin_err_wrap(&t->task.err, status, "%s", job->files[l->reader.file].path);
        } else if (l->skipping && t->chunk.offset <= l->skip_offset) {
            kin_chunk_deinit(&t->chunk);
        } else {
            t->got = true;
            t->file = l->reader.file;
        }
    }
    spool_rest(&l->reader.spool);
    t->task.status = status;
}

static void cut_release(struct ctask *task)
{
    struct cut_task *t = (struct cut_task *)task;
    kin_chunk_deinit(&t->chunk);
    header_unref(t->opened);
}

/* ---- splitting ---- */

struct split_task {
    struct ctask task;
    struct kin_chunk chunk;
    struct header_ref *header;
    uint64_t number;
    uint32_t file;
    struct kin_reader_options options;
    struct split_output out;
};

static void split_run(struct kin_env *env, struct kin_work *work)
{
    (void)env;
    struct split_task *t = (struct split_task *)work;
    const struct cjob *job = t->task.c->job;
    struct split_input in = {.workflow = job->workflow,
                             .file = &job->files[t->file],
                             .file_index = t->file,
                             .reader = &t->options,
                             .header = &t->header->header,
                             .chunk = &t->chunk,
                             .shards = &job->shards};
    t->task.status = split_chunk(&in, &t->out);
}

static void split_release(struct ctask *task)
{
    struct split_task *t = (struct split_task *)task;
    kin_chunk_deinit(&t->chunk);
    header_unref(t->header);
    split_output_deinit(&t->out);
}

static void split_finish(struct ctask *task)
{
    struct split_task *t = (struct split_task *)task;
    struct load *l = task->c->job->load;
    struct load_slot *slot = &l->slots[t->number % CHUNK_WINDOW];
    l->splitting--;
    if (task->status != KIN_OK) {
        job_fail(task->c, task->status, "%s: %s", task->c->job->files[t->file].path,
                 kin_status_text(task->status));
        return;
    }
    slot->state = LOAD_READY;
    slot->out = t->out;
    slot->file = t->file;
    slot->offset = t->chunk.offset;
    t->out = (struct split_output){0};
    load_pump(task->c);
}

static void cut_finish(struct ctask *task)
{
    struct cut_task *t = (struct cut_task *)task;
    struct kin_coordinator *c = task->c;
    struct load *l = c->job->load;
    l->cutting = false;
    if (task->status != KIN_OK) {
        job_fail(c, task->status, "%s", task->err.msg);
        return;
    }
    c->job->bytes_cut = l->reader.raw_bytes;
    if (t->opened) {
        header_unref(l->header);
        l->header = t->opened;
        t->opened = NULL;
    }
    if (!t->got) {
        l->ended = true;
        load_pump(c);
        return;
    }
    struct split_task *s = ctask_new(c, sizeof *s, split_run, split_finish, split_release);
    if (!s) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    s->chunk = t->chunk;
    t->chunk = (struct kin_chunk){0};
    s->header = l->header;
    l->header->refs++;
    s->number = l->next_cut++;
    s->file = t->file;
    s->options = options_of(c->job, t->file);
    l->slots[s->number % CHUNK_WINDOW].state = LOAD_SPLITTING;
    l->splitting++;
    ctask_start(&s->task);
    load_pump(c);
}

/* ---- committing ---- */

static void page_stored(struct cstore *s, kin_status status)
{
    struct kin_coordinator *c = s->c;
    if (status != KIN_OK) {
        job_fail(c, status, "the coordinator's store cannot be written: %s",
                 kin_status_text(status));
        return;
    }
    struct out_batch *b = &c->job->outbox[s->number % CHUNK_WINDOW];
    if (b->seq == s->number)
        b->page_durable = true;
    load_pump(c);
}

static kin_status store_page(struct kin_coordinator *c, uint64_t number, struct kin_buf *page)
{
    struct cstore *s = cstore_new(c, 1, page_stored);
    if (!s)
        return KIN_E_NOMEM;
    s->memory = *page;
    *page = (struct kin_buf){0};
    size_t bytes = s->memory.n;
    uint8_t *key = kin_buf_extend(&s->memory, 16);
    if (!key)
        return KIN_E_NOMEM;
    page_key(c->job->id, number, key);
    s->puts[0] = (struct kin_store_put){.db = DB_PAGES,
                                        .append = !c->job->overwrite,
                                        .key = {(const char *)key, 16},
                                        .value = {(const char *)s->memory.p, bytes}};
    s->number = number;
    cstore_start(s);
    return KIN_OK;
}

static kin_status chunk_append(struct cjob *job, struct chunk_info info)
{
    if (job->chunk_count == job->chunk_cap) {
        uint64_t cap = job->chunk_cap ? 2 * job->chunk_cap : 256;
        struct chunk_info *chunks = kin_reallocarray(job->chunks, cap, sizeof *chunks);
        if (!chunks)
            return KIN_E_NOMEM;
        job->chunks = chunks;
        job->chunk_cap = cap;
    }
    job->chunks[job->chunk_count++] = info;
    return KIN_OK;
}

static kin_status fill_outbox(struct kin_coordinator *c, uint64_t number, struct split_output *out,
                              uint64_t base)
{
    struct out_batch *b = &c->job->outbox[number % CHUNK_WINDOW];
    b->seq = number;
    b->count = out->count;
    for (unsigned w = 0; w < job_workers(c); w++) {
        b->payload[w] = kin_frame_new(0);
        if (!b->payload[w])
            return KIN_E_NOMEM;
        b->payload[w]->payload = out->payload[w];
        out->payload[w] = (struct kin_buf){0};
        kin_put_le64(b->payload[w]->payload.p, base);
        b->feature_bytes[w] = out->feature_bytes[w];
    }
    return KIN_OK;
}

static void commit(struct kin_coordinator *c, uint64_t number, struct load_slot *slot)
{
    struct cjob *job = c->job;
    bool again = number <= job->chunk_count;
    uint64_t base = again ? job->chunks[number - 1].base : job->records;
    bool changed = again ? job->chunks[number - 1].count != slot->out.count ||
                               job->chunks[number - 1].offset != slot->offset ||
                               job->chunks[number - 1].hash != slot->out.hash ||
                               job->chunks[number - 1].file != slot->file
                         : job->load_complete || job->load->completing;
    if (changed) {
        job_fail(c, KIN_E_CHANGED, "%s: the file changed while the job ran",
                 job->files[slot->file].path);
        return;
    }
    if (base + slot->out.count >= UINT32_MAX) {
        job_fail(c, KIN_E_LIMIT, "more than %u records in one job", UINT32_MAX - 1);
        return;
    }
    kin_status status = fill_outbox(c, number, &slot->out, base);
    if (status == KIN_OK && !again) {
        struct chunk_info info = {base,         slot->file,     job->files[slot->file].source,
                                  slot->offset, slot->out.hash, slot->out.count};
        kin_page_set_base(slot->out.page.p, base);
        status = chunk_append(job, info);
        job->records += slot->out.count;
        if (status == KIN_OK)
            status = store_page(c, number, &slot->out.page);
    }
    job->outbox[number % CHUNK_WINDOW].page_durable = again;
    split_output_deinit(&slot->out);
    *slot = (struct load_slot){0};
    if (status != KIN_OK)
        job_fail(c, status, "%s", kin_status_text(status));
}

/* ---- flow ---- */

/* A chunk is finished when its page and every worker's batch are durable. */
static bool finished(const struct kin_coordinator *c, const struct out_batch *b)
{
    for (unsigned w = 0; w < job_workers(c); w++) {
        if (c->job->workers[w].durable < b->seq)
            return false;
    }
    return b->page_durable;
}

static void complete_stored(struct cstore *s, kin_status status)
{
    struct kin_coordinator *c = s->c;
    if (status != KIN_OK) {
        job_fail(c, status, "the coordinator's store cannot be written: %s",
                 kin_status_text(status));
        return;
    }
    c->job->load_complete = true;
    load_pump(c);
}

static void store_complete(struct kin_coordinator *c)
{
    struct cstore *s = cstore_new(c, 1, complete_stored);
    uint8_t *value = s ? kin_buf_extend(&s->memory, 8) : NULL;
    if (!value) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    kin_put_le64(value, c->job->chunk_count);
    s->puts[0] = (struct kin_store_put){
        .db = DB_META, .key = {"complete", 8}, .value = {(const char *)value, 8}};
    c->job->load->completing = true;
    cstore_start(s);
}

/* The first chunk that some worker misses. */
static uint64_t first_missing(const struct kin_coordinator *c)
{
    uint64_t least = UINT64_MAX;
    for (unsigned w = 0; w < job_workers(c); w++)
        least = c->job->workers[w].durable < least ? c->job->workers[w].durable : least;
    return least + 1;
}

static void rewind_to(struct kin_coordinator *c, uint64_t number)
{
    struct cjob *job = c->job;
    struct load *l = job->load;
    for (size_t i = 0; i < CHUNK_WINDOW; i++) {
        outbox_clear(&job->outbox[i]);
        split_output_deinit(&l->slots[i].out);
        l->slots[i] = (struct load_slot){0};
    }
    l->next_cut = l->next_commit = number;
    l->ended = false;
    l->skipping = number > 1;
    l->reopen = true; /* files are opened and closed in tasks only */
    l->from_file = 0;
    if (number > 1) {
        l->from_file = job->chunks[number - 2].file;
        l->skip_offset = job->chunks[number - 2].offset;
    }
    for (unsigned w = 0; w < job_workers(c); w++)
        c->job->workers[w].sent = c->job->workers[w].durable;
    l->rewind = 0;
}

static void cut_next(struct kin_coordinator *c)
{
    struct load *l = c->job->load;
    struct cut_task *t = ctask_new(c, sizeof *t, cut_run, cut_finish, cut_release);
    if (!t) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    t->load = l;
    l->cutting = true;
    ctask_start(&t->task);
}

static void load_done(struct kin_coordinator *c)
{
    if (c->job->phase == KIN_PHASE_LOAD) {
        for (unsigned w = 0; w < job_workers(c); w++) {
            if (!c->job->workers[w].opened)
                return;
        }
        dedupe_begin(c);
    }
    track_advance_all(c);
}

static void load_pump(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    struct load *l = job->load;
    if (job->failed || !l || (l->next_cut == 0 && !l->rewind))
        return; /* not all workers have told what they have: load_on_opened begins */
    if (l->rewind && !l->cutting && !l->splitting)
        rewind_to(c, l->rewind);
    while (!job->failed && !l->rewind &&
           l->slots[l->next_commit % CHUNK_WINDOW].state == LOAD_READY &&
           job->outbox[l->next_commit % CHUNK_WINDOW].seq == 0) {
        uint64_t number = l->next_commit++;
        commit(c, number, &l->slots[number % CHUNK_WINDOW]);
    }
    for (size_t i = 0; i < CHUNK_WINDOW && !job->failed; i++) {
        if (job->outbox[i].seq && finished(c, &job->outbox[i]))
            outbox_clear(&job->outbox[i]);
    }
    for (unsigned w = 0; w < job_workers(c) && !job->failed; w++)
        load_send(c, w);
    if (job->failed || l->rewind)
        return;
    bool idle = !l->cutting && !l->ended;
    uint64_t oldest = l->next_cut; /* the oldest chunk still in the window */
    for (size_t i = 0; i < CHUNK_WINDOW; i++) {
        uint64_t seq = job->outbox[i].seq;
        oldest = seq && seq < oldest ? seq : oldest;
    }
    oldest = l->next_commit < oldest ? l->next_commit : oldest;
    if (idle && l->next_cut < oldest + CHUNK_WINDOW)
        cut_next(c);
    if (l->ended && !l->splitting && oldest == l->next_cut) {
        if (l->next_cut - 1 != job->chunk_count)
            job_fail(c, KIN_E_CHANGED, "a source file became shorter while the job ran");
        else if (job->load_complete)
            load_done(c);
        else if (!l->completing)
            store_complete(c);
    }
}

void load_send(struct kin_coordinator *c, unsigned worker)
{
    struct cworker *w = &c->job->workers[worker];
    struct cjob *job = c->job;
    if (!w->peer->joined || !w->opened)
        return;
    for (;;) {
        uint64_t seq = w->sent + 1;
        struct out_batch *b = &job->outbox[seq % CHUNK_WINDOW];
        if (b->seq != seq || !b->payload[worker])
            return;
        struct kin_message m = {.type = KIN_MSG_BATCH};
        m.u.batch.job = job->id;
        m.u.batch.seq = seq;
        m.u.batch.feature_bytes = b->feature_bytes[worker];
        coordinator_send(c, worker, &m, 0, b->payload[worker]);
        w->sent = seq;
        w->sent_us = c->env->ops->now_us(c->env);
    }
}

void load_on_ack(struct kin_coordinator *c, unsigned worker, const struct kin_message *m)
{
    struct cworker *w = &c->job->workers[worker];
    if (m->u.batch_ack.job != c->job->id || !w->opened)
        return;
    if (m->u.batch_ack.status != KIN_OK) {
        job_fail(c, (kin_status)m->u.batch_ack.status, "worker %u cannot take records in: %s",
                 worker + 1, kin_status_text((kin_status)m->u.batch_ack.status));
        return;
    }
    if (m->u.batch_ack.durable > w->durable && m->u.batch_ack.durable <= c->job->chunk_count) {
        w->durable = m->u.batch_ack.durable;
        w->sent_us = c->env->ops->now_us(c->env);
        if (w->sent < w->durable)
            w->sent = w->durable;
    }
    load_pump(c);
}

/* A worker was opened and has told what it has. Once all have, the pipeline starts at the first
 * chunk that one of them misses; if that lies behind the window later on, it is rewound. */
void load_on_opened(struct kin_coordinator *c)
{
    struct load *l = c->job->load;
    if (!l)
        return;
    for (unsigned w = 0; w < job_workers(c); w++) {
        if (!c->job->workers[w].opened && l->next_cut == 0)
            return;
    }
    uint64_t missing = first_missing(c);
    if (missing > c->job->chunk_count + 1)
        missing =
            c->job->chunk_count + 1; /* a worker is ahead of our own store: it skips what it has */
    if (l->next_cut == 0 && c->job->load_complete && missing > c->job->chunk_count) {
        l->next_cut = l->next_commit = missing; /* everybody has everything */
        l->ended = true;
    } else if (l->next_cut == 0) {
        l->rewind = missing;
    } else {
        uint64_t oldest = l->next_commit;
        for (size_t i = 0; i < CHUNK_WINDOW; i++) {
            uint64_t seq = c->job->outbox[i].seq;
            oldest = seq && seq < oldest ? seq : oldest;
        }
        if (missing < oldest)
            l->rewind = missing;
    }
    load_pump(c);
}

void load_begin(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    job->load = kin_calloc(1, sizeof *job->load);
    if (!job->load) {
        job_fail(c, KIN_E_NOMEM, "out of memory");
        return;
    }
    job->load->reader.env = c->env;
    job->load->chunk_bytes =
        job->options->chunk_bytes ? job->options->chunk_bytes : KIN_CHUNK_BYTES;
    job_phase(c, KIN_PHASE_LOAD);
}
