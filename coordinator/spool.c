#include "coordinator/impl.h"

#include <string.h>

/* Sources that clients send are kept in the store until their job is over, in the pieces they came
 * in: so a job does not need its client any more once all is here, and a run can be begun anew from
 * the start. Pieces of a file come in order; each is an overflow value of the store, in one commit.
 * A failed commit takes back all that was accepted behind it. */

enum { KEY_BYTES = 8 + 4 + 8, SWEEP_KEYS = 256 };

static void piece_key(uint64_t id, uint32_t file, uint64_t offset, uint8_t key[KEY_BYTES])
{
    kin_put_be64(key, id);
    for (unsigned i = 0; i < 4; i++)
        key[8 + i] = (uint8_t)(file >> (24 - 8 * i));
    kin_put_be64(key + 12, offset);
}

static uint64_t be(const char *p, unsigned n)
{
    uint64_t x = 0;
    for (unsigned i = 0; i < n; i++)
        x = x << 8 | (uint8_t)p[i];
    return x;
}

bool spool_skip(const struct jobrec *rec, struct spool_at *at)
{
    while (at->file < rec->file_count && at->offset >= rec->file_bytes[at->file])
        *at = (struct spool_at){at->file + 1, 0};
    return at->file == rec->file_count;
}

/* ---- taking in ---- */

struct piece_store {
    kin_node_id from;
    uint64_t request, id;
    uint32_t spooling;
    struct spool_at end;
};

static void tell(struct kin_coordinator *c, kin_node_id to, uint64_t request,
                 const struct jobrec *rec, kin_status status, const char *text)
{
    struct kin_message m = {.type = KIN_MSG_UPLOADED};
    m.u.uploaded.job = rec->id;
    m.u.uploaded.file = rec->durable.file;
    m.u.uploaded.offset = rec->durable.offset;
    m.u.uploaded.status = status;
    m.u.uploaded.text = kin_str_of(text);
    coordinator_reply(c, to, &m, request, NULL);
}

/* The bytes of a piece, then what is behind them: key and note. */
static void piece_stored(struct cstore *s, kin_status status)
{
    struct piece_store note;
    struct kin_coordinator *c = s->c;
    memcpy(&note, s->memory.p + s->memory.n - sizeof note, sizeof note);
    struct jobrec *rec = queue_find(c, note.id);
    if (!rec)
        return;
    rec->pieces--;
    if (note.spooling != rec->spooling)
        return; /* behind one that failed: it comes again */
    if (status != KIN_OK) {
        rec->spooling++;
        rec->accepted = rec->durable;
        tell(c, note.from, note.request, rec, status, kin_status_text(status));
        return;
    }
    rec->durable = note.end;
    bool whole = spool_skip(rec, &rec->durable);
    tell(c, note.from, note.request, rec, KIN_OK, "");
    if (whole)
        queue_ready(c, rec);
}

static void store_piece(struct kin_coordinator *c, kin_node_id from, struct jobrec *rec,
                        uint64_t request, const struct kin_frame *f)
{
    struct cstore *s = cstore_new(c, 1, piece_stored);
    size_t n = f->payload.n;
    uint8_t key[KEY_BYTES];
    struct piece_store note = {from, request, rec->id, rec->spooling, rec->accepted};
    if (!s)
        return; /* it comes again */
    s->job = NULL;
    note.end.offset += n;
    piece_key(rec->id, rec->accepted.file, rec->accepted.offset, key);
    kin_buf_put(&s->memory, f->payload.p, n);
    kin_buf_put(&s->memory, key, sizeof key);
    kin_buf_put(&s->memory, &note, sizeof note);
    if (s->memory.failed) {
        cstore_drop(s);
        return;
    }
    s->puts[0] = (struct kin_store_put){.db = DB_SPOOL,
                                        .key = {(const char *)s->memory.p + n, sizeof key},
                                        .value = {(const char *)s->memory.p, n}};
    rec->accepted = note.end;
    spool_skip(rec, &rec->accepted);
    rec->pieces++;
    cstore_start(s);
}

void spool_on_upload(struct kin_coordinator *c, kin_node_id from, struct jobrec *rec,
                     const struct kin_message *m, struct kin_frame *f)
{
    size_t n = f->payload.n;
    bool wanted = n && rec->state == KIN_JOB_UPLOADING && rec->stored &&
                  m->u.upload.file == rec->accepted.file &&
                  m->u.upload.offset == rec->accepted.offset;
    if (wanted &&
        (n > KIN_UPLOAD_BYTES || n > rec->file_bytes[rec->accepted.file] - rec->accepted.offset)) {
        tell(c, from, m->request, rec, KIN_E_CHANGED, "more bytes than the file has");
        return;
    }
    if (wanted && rec->pieces < KIN_UPLOAD_WINDOW)
        store_piece(c, from, rec, m->request, f); /* answered when it is durable */
    else
        tell(c, from, m->request, rec, KIN_OK, "");
}

/* ---- after a start ---- */

static struct jobrec *rec_of(struct jobrec *first, uint64_t id)
{
    while (first && first->id != id)
        first = first->next;
    return first;
}

static bool needs_pieces(const struct jobrec *rec)
{
    return rec && rec->sent && !rec->dropped && rec->state != KIN_JOB_DONE;
}

kin_status spool_measure(struct kin_env *env, struct kin_snap *snap, struct jobrec *first,
                         struct kin_buf *dead)
{
    uint8_t from[KEY_BYTES] = {0};
    struct kin_str at = {(const char *)from, KEY_BYTES}, key, value;
    kin_status status;
    while ((status = env->ops->snap_seek(snap, DB_SPOOL, at, &key, &value)) == KIN_OK) {
        if (key.n != KEY_BYTES)
            return KIN_E_CORRUPT;
        uint64_t id = be(key.p, 8), offset = be(key.p + 12, 8);
        struct jobrec *rec = rec_of(first, id);
        if (!needs_pieces(rec)) {
            kin_buf_u64(dead, id);
            piece_key(id + 1, 0, 0, from);
            if (id == UINT64_MAX)
                break;
            continue;
        }
        spool_skip(rec, &rec->durable);
        uint32_t file = (uint32_t)be(key.p + 8, 4);
        if (file == rec->durable.file && offset == rec->durable.offset)
            rec->durable.offset += value.n; /* pieces behind a gap come again */
        piece_key(id, file, offset + 1, from);
    }
    if (status != KIN_OK && status != KIN_E_NOTFOUND)
        return status;
    return dead->failed ? KIN_E_NOMEM : KIN_OK;
}

/* ---- removing ---- */

void spool_remove(struct kin_coordinator *c, uint64_t id)
{
    kin_buf_u64(&c->queue->dead, id);
    c->queue->dead.failed = false; /* out of memory: the next start removes them */
    spool_sweep(c);
}

struct sweep_task {
    struct ctask task;
    uint64_t id;
    struct kin_buf keys;
};

static void sweep_run(struct kin_env *env, struct kin_work *work)
{
    struct sweep_task *t = (struct sweep_task *)work;
    struct kin_snap *snap;
    uint8_t from[KEY_BYTES];
    struct kin_str at = {(const char *)from, KEY_BYTES}, key, value;
    t->task.status = env->ops->snap_begin(env, &snap);
    if (t->task.status != KIN_OK)
        return;
    piece_key(t->id, 0, 0, from);
    kin_status status = KIN_OK;
    while (t->keys.n < (size_t)SWEEP_KEYS * KEY_BYTES &&
           (status = env->ops->snap_seek(snap, DB_SPOOL, at, &key, &value)) == KIN_OK &&
           key.n == KEY_BYTES && be(key.p, 8) == t->id) {
        kin_buf_put(&t->keys, key.p, KEY_BYTES);
        piece_key(t->id, (uint32_t)be(key.p + 8, 4), be(key.p + 12, 8) + 1, from);
    }
    if (status != KIN_OK && status != KIN_E_NOTFOUND)
        t->task.status = status;
    else if (t->keys.failed)
        t->task.status = KIN_E_NOMEM;
    env->ops->snap_end(env, snap);
}

static void sweep_release(struct ctask *task)
{
    kin_buf_deinit(&((struct sweep_task *)task)->keys);
}

static void swept(struct cstore *s, kin_status status)
{
    struct queue *q = s->c->queue;
    q->sweeping = false;
    if (status == KIN_OK)
        spool_sweep(s->c); /* another round, until none is found */
}

static void sweep_finish(struct ctask *task)
{
    struct sweep_task *t = (struct sweep_task *)task;
    struct kin_coordinator *c = task->c;
    struct queue *q = c->queue;
    q->sweeping = false;
    size_t count = t->keys.n / KEY_BYTES;
    if (task->status == KIN_OK && count == 0) { /* all gone: the next job's */
        memmove(q->dead.p, q->dead.p + 8, q->dead.n - 8);
        q->dead.n -= 8;
        return;
    }
    struct cstore *s = task->status == KIN_OK ? cstore_new(c, count, swept) : NULL;
    if (!s)
        return; /* the tick tries again */
    s->job = NULL;
    s->memory = t->keys;
    t->keys = (struct kin_buf){0};
    for (size_t i = 0; i < count; i++)
        s->puts[i] = (struct kin_store_put){
            .db = DB_SPOOL, .key = {(const char *)s->memory.p + i * KEY_BYTES, KEY_BYTES}};
    q->sweeping = true;
    cstore_start(s);
}

void spool_sweep(struct kin_coordinator *c)
{
    struct queue *q = c->queue;
    if (q->sweeping || q->dead.n < 8)
        return;
    uint64_t id = kin_le64(q->dead.p);
    const struct jobrec *rec = queue_find(c, id);
    if ((c->job && c->job->rec == rec && rec) || (rec && rec->pieces))
        return; /* still being read, or written to */
    struct sweep_task *t = ctask_new(c, sizeof *t, sweep_run, sweep_finish, sweep_release);
    if (!t)
        return;
    t->task.job = NULL;
    t->id = id;
    q->sweeping = true;
    ctask_start(&t->task);
}

/* ---- reading ---- */

kin_status spool_read(struct spool_reader *r, uint8_t *to, size_t cap, size_t *got,
                      struct kin_err *err)
{
    uint8_t key[KEY_BYTES];
    struct kin_str value;
    *got = 0;
    if (r->piece + r->at >= r->bytes)
        return KIN_OK;
    kin_status status = r->snap ? KIN_OK : r->env->ops->snap_begin(r->env, &r->snap);
    piece_key(r->id, r->file, r->piece, key);
    if (status == KIN_OK)
        status = r->env->ops->snap_get(r->snap, DB_SPOOL,
                                       (struct kin_str){(const char *)key, sizeof key}, &value);
    if (status == KIN_OK && (value.n <= r->at || value.n > r->bytes - r->piece))
        status = KIN_E_CORRUPT;
    if (status != KIN_OK)
        return kin_err_set(err, status, "the copy of the file in the coordinator's store: %s",
                           kin_status_text(status));
    size_t n = value.n - r->at < cap ? value.n - r->at : cap;
    memcpy(to, value.p + r->at, n);
    r->at += n;
    if (r->at == value.n) {
        r->piece += value.n;
        r->at = 0;
    }
    *got = n;
    return KIN_OK;
}

void spool_rest(struct spool_reader *r)
{
    if (r->snap)
        r->env->ops->snap_end(r->env, r->snap);
    r->snap = NULL;
}
