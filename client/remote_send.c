#include "client/remote_impl.h"

#include <string.h>

/* The sources go to the coordinator in pieces, one file after another. Its UPLOADED says how far it
 * has them durable, and that is the only truth: forward it frees room in the window; back, after it
 * was started anew and has lost some, it makes us read them again. What was lost on the way is
 * found by asking where nothing moves. */

enum {
    /* Pieces above and up to this size travel on connections of their own, and may overtake each
     * other (common/env/net/net.h): the coordinator would drop what comes too early. */
    PIECE_BULK_BYTES = 64 * 1024,
    ASK_TRIES = 3
};

/* ---- places ---- */

/* The end of a file is the start of the next one that has any bytes. */
static struct place settle(const struct kin_remote *r, struct place p)
{
    while (p.file < r->list.count && p.offset == r->list.files[p.file].bytes) {
        p.file++;
        p.offset = 0;
    }
    return p;
}

static struct place place_after(const struct kin_remote *r, struct place p, size_t bytes)
{
    p.offset += bytes;
    return settle(r, p);
}

static int place_cmp(struct place a, struct place b)
{
    if (a.file != b.file)
        return a.file < b.file ? -1 : 1;
    return a.offset == b.offset ? 0 : a.offset < b.offset ? -1 : 1;
}

uint64_t remote_send_done_bytes(const struct kin_remote *r)
{
    uint64_t done = r->send.durable.offset;
    for (uint32_t i = 0; i < r->send.durable.file && i < r->list.count; i++)
        done += r->list.files[i].bytes;
    return done;
}

/* ---- the window ---- */

static struct piece *piece_at(struct sender *s, unsigned i)
{
    return &s->ring[(s->first + i) % KIN_UPLOAD_WINDOW];
}

static void pop(struct sender *s)
{
    kin_frame_unref(s->ring[s->first].payload);
    s->ring[s->first] = (struct piece){0};
    s->first = (s->first + 1) % KIN_UPLOAD_WINDOW;
    s->count--;
}

static void drop_window(struct sender *s)
{
    while (s->count)
        pop(s);
    s->reader.stale = s->reader.busy;
}

static bool is_bulk(const struct piece *p)
{
    return p->payload->payload.n > PIECE_BULK_BYTES;
}

/* Sends what of the window is not under way. */
static void flush(struct kin_remote *r)
{
    struct sender *s = &r->send;
    for (unsigned i = 0; r->step == STEP_SEND && s->known && i < s->count; i++) {
        struct piece *p = piece_at(s, i);
        if (p->sent)
            continue;
        if (is_bulk(p) != is_bulk(piece_at(s, 0)))
            return; /* once those before it have arrived */
        struct kin_message m = {.type = KIN_MSG_UPLOAD, .request = ++r->request};
        m.u.upload.job = r->id;
        m.u.upload.file = p->at.file;
        m.u.upload.offset = p->at.offset;
        p->sent = true;
        remote_post(r, &m, p->payload);
    }
}

/* ---- reading ---- */

static kin_status open_at(struct reader *rd, struct kin_env *env, const char *path)
{
    if (rd->handle && (rd->open.file != rd->at.file || rd->open.offset > rd->at.offset)) {
        env->ops->source_close(rd->handle);
        rd->handle = NULL;
    }
    if (rd->handle)
        return KIN_OK;
    rd->open = (struct place){rd->at.file, 0};
    return env->ops->source_open(env, path, &rd->handle, &rd->err);
}

/* Reads n bytes into the buffer, which has room for them; fewer only at the end of the file. */
static kin_status read_bytes(struct reader *rd, struct kin_env *env, size_t n, size_t *got)
{
    kin_status status = KIN_OK;
    size_t part = 1;
    for (*got = 0; *got < n && part && status == KIN_OK; *got += part) {
        part = 0;
        status = env->ops->source_read(rd->handle, rd->buf.p + *got, n - *got, &part, &rd->err);
    }
    rd->open.offset += *got;
    return status;
}

static kin_status changed(struct reader *rd, const char *path, const char *how)
{
    return kin_err_set(&rd->err, KIN_E_CHANGED, "'%s' became %s while it was sent", path, how);
}

static kin_status read_piece(struct reader *rd, struct kin_env *env, const struct remote_file *f)
{
    size_t got;
    uint8_t more;
    kin_status status = open_at(rd, env, f->path);
    if (status != KIN_OK)
        return status;
    if (!kin_buf_reserve(&rd->buf, rd->bytes))
        return kin_err_set(&rd->err, KIN_E_NOMEM, "out of memory");
    while (rd->open.offset < rd->at.offset) {
        uint64_t gap = rd->at.offset - rd->open.offset;
        size_t n = gap < rd->bytes ? (size_t)gap : rd->bytes;
        status = read_bytes(rd, env, n, &got);
        if (status != KIN_OK)
            return status;
        if (got < n)
            return changed(rd, f->path, "shorter");
    }
    status = read_bytes(rd, env, rd->bytes, &got);
    if (status != KIN_OK)
        return status;
    if (got < rd->bytes)
        return changed(rd, f->path, "shorter");
    rd->buf.n = got;
    if (rd->open.offset < f->bytes)
        return KIN_OK;
    status = env->ops->source_read(rd->handle, &more, 1, &got, &rd->err);
    if (status == KIN_OK && got)
        return changed(rd, f->path, "longer");
    return status;
}

static struct kin_remote *of_work(struct kin_work *work)
{
    return (struct kin_remote *)(void *)((char *)work -
                                         offsetof(struct kin_remote, send.reader.work));
}

static void read_run(struct kin_env *env, struct kin_work *work)
{
    struct kin_remote *r = of_work(work);
    struct reader *rd = &r->send.reader;
    rd->status = read_piece(rd, env, &r->list.files[rd->at.file]);
    if (rd->handle &&
        (rd->status != KIN_OK || rd->open.offset >= r->list.files[rd->at.file].bytes)) {
        env->ops->source_close(rd->handle);
        rd->handle = NULL;
    }
}

static void pump(struct kin_remote *r)
{
    struct sender *s = &r->send;
    struct reader *rd = &s->reader;
    if (r->step != STEP_SEND || !s->known || rd->busy || s->count == KIN_UPLOAD_WINDOW ||
        s->next.file >= r->list.count)
        return;
    uint64_t left = r->list.files[s->next.file].bytes - s->next.offset;
    uint32_t most = r->args->piece_bytes ? r->args->piece_bytes : KIN_UPLOAD_BYTES;
    rd->at = s->next;
    rd->bytes = left < most ? (size_t)left : most;
    rd->busy = true;
    r->env->ops->work(r->env, &rd->work);
}

/* What was read goes behind the window. */
static bool append(struct sender *s)
{
    struct kin_frame *f = kin_frame_new(0);
    if (!f)
        return false;
    f->payload = s->reader.buf;
    s->reader.buf = (struct kin_buf){0};
    *piece_at(s, s->count++) = (struct piece){.at = s->reader.at, .payload = f};
    return true;
}

static void read_done(struct kin_work *work)
{
    struct kin_remote *r = of_work(work);
    struct sender *s = &r->send;
    struct reader *rd = &s->reader;
    bool wanted = !rd->stale && r->step != STEP_END;
    rd->busy = rd->stale = false;
    if (wanted && rd->status != KIN_OK) {
        r->obsolete = rd->status == KIN_E_CHANGED;
        remote_fail(r, rd->status, "%s", rd->err.msg);
    } else if (wanted && !append(s)) {
        remote_fail(r, KIN_E_NOMEM, "out of memory");
    } else if (wanted) {
        s->next = place_after(r, rd->at, rd->bytes);
        flush(r);
    }
    kin_buf_deinit(&rd->buf);
    pump(r);
}

/* ---- the coordinator's word ---- */

/* Everything from `durable` on is wanted: what of it is in the window stays there. */
static void follow(struct kin_remote *r)
{
    struct sender *s = &r->send;
    while (s->count) {
        const struct piece *p = piece_at(s, 0);
        if (place_cmp(place_after(r, p->at, p->payload->payload.n), s->durable) > 0)
            break;
        pop(s);
    }
    struct place have = s->count ? piece_at(s, 0)->at : s->next;
    if (place_cmp(have, s->durable) != 0) {
        drop_window(s);
        s->next = s->durable;
    }
    s->moved_us = r->env->ops->now_us(r->env);
}

static void forward(struct kin_remote *r, struct place at, bool again)
{
    struct sender *s = &r->send;
    s->durable = at;
    s->known = true;
    if (at.file >= r->list.count) {
        drop_window(s);
        remote_poll(r);
        return;
    }
    follow(r);
    for (unsigned i = 0; again && i < s->count; i++)
        piece_at(s, i)->sent = false;
    flush(r);
    pump(r);
}

void remote_send_on_uploaded(struct kin_remote *r, const struct kin_message *m)
{
    struct sender *s = &r->send;
    const struct kin_msg_uploaded *u = &m->u.uploaded;
    bool asked = r->ask.type == KIN_MSG_UPLOAD && m->request == r->ask.request;
    if (r->step != STEP_SEND || u->job != r->id || m->request < s->first_request ||
        m->request > r->request)
        return;
    if (u->status == KIN_E_NOTFOUND) {
        remote_poll(r);
        return;
    }
    if (u->status != KIN_OK) {
        remote_refused(r, u->status, u->text);
        return;
    }
    if (u->file > r->list.count ||
        u->offset > (u->file < r->list.count ? r->list.files[u->file].bytes : 0)) {
        remote_fail(r, KIN_E_PROTO, "the coordinator wants bytes that no source has");
        return;
    }
    struct place at = settle(r, (struct place){u->file, u->offset});
    if (asked)
        r->ask.type = 0;
    if (asked || (s->known && place_cmp(at, s->durable) > 0))
        forward(r, at, asked);
    else if (s->known && !r->ask.type && place_cmp(at, s->durable) < 0)
        remote_ask(r, KIN_MSG_UPLOAD); /* late, or it has lost some */
}

/* Where nothing moves, perhaps there is no such job any more, or it does not want its sources: what
 * state it is in tells. If it does want them, remote_send_begin asks from where. */
void remote_send_tick(struct kin_remote *r, uint64_t now)
{
    struct sender *s = &r->send;
    bool asked = r->ask.type == KIN_MSG_UPLOAD;
    if (asked ? remote_ask_again(r, now) > ASK_TRIES : now - s->moved_us >= RETRY_US)
        remote_poll(r);
}

void remote_send_begin(struct kin_remote *r)
{
    struct sender *s = &r->send;
    r->step = STEP_SEND;
    s->reader.work.run = read_run;
    s->reader.work.done = read_done;
    if (s->job != r->id)
        kin_env_log(r->env, 'I', "sources_sending", "job=%016llx files=%zu bytes=%llu",
                    (unsigned long long)r->id, r->list.count, (unsigned long long)s->total);
    s->job = r->id;
    s->known = false;
    s->first_request = r->request + 1;
    s->moved_us = r->env->ops->now_us(r->env);
    remote_ask(r, KIN_MSG_UPLOAD);
}

void remote_send_free(struct kin_remote *r)
{
    struct sender *s = &r->send;
    drop_window(s);
    if (s->reader.handle)
        r->env->ops->source_close(s->reader.handle);
    kin_buf_deinit(&s->reader.buf);
}
