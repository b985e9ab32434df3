#include "client/remote_impl.h"

#include <stdio.h>
#include <string.h>

/* The results come file by file, piece by piece, into an output directory in the making, which is
 * published when all are there. One piece is asked for while the one before is written. Nothing of
 * what the coordinator says is believed: names are plain and ascending, no file has more bytes than
 * were announced for it, and each answer brings some. */

enum { TROUBLES_MAX = 3 }; /* results that could not be read there, before we give up */

static const char report_name[] = "report.json";

static struct kin_remote *of_work(struct kin_work *work)
{
    return (struct kin_remote *)(void *)((char *)work - offsetof(struct kin_remote, fetch.work));
}

/* ---- writing ---- */

static void fetch_run(struct kin_env *env, struct kin_work *work)
{
    struct kin_remote *r = of_work(work);
    struct fetcher *t = &r->fetch;
    const struct fetched *piece = &t->writing;
    switch (t->what) {
    case FETCH_BEGIN:
        if (t->out)
            env->ops->out_abort(t->out);
        t->out = NULL;
        t->status = env->ops->out_begin(env, r->job->out_dir, &t->out, &t->err);
        break;
    case FETCH_WRITE:
        t->status = env->ops->out_write(t->out, piece->name, piece->frame->payload.p,
                                        piece->frame->payload.n, &t->err);
        break;
    case FETCH_PUBLISH:
        t->status = env->ops->out_publish(t->out, &t->err);
        t->out = NULL;
        break;
    }
}

static void start(struct kin_remote *r, struct fetched *piece)
{
    struct fetcher *t = &r->fetch;
    t->busy = true;
    if (piece) {
        t->writing = *piece;
        *piece = (struct fetched){0};
    }
    r->env->ops->work(r->env, &t->work);
}

static bool wants_more(const struct fetcher *t)
{
    return t->files == 0 || t->next.file < t->files;
}

/* The next thing to do, if there is one that can be done now. */
static void advance(struct kin_remote *r)
{
    struct fetcher *t = &r->fetch;
    if (r->step != STEP_FETCH)
        return;
    if (!t->busy && t->begin) {
        t->begin = false;
        t->what = FETCH_BEGIN;
        start(r, NULL);
        return;
    }
    if (t->begin || (t->busy && t->what != FETCH_WRITE))
        return;
    if (!t->busy && t->waiting.frame) {
        t->what = FETCH_WRITE;
        start(r, &t->waiting);
    } else if (!t->busy && !wants_more(t)) {
        t->what = FETCH_PUBLISH;
        start(r, NULL);
        return;
    }
    if (!t->waiting.frame && !r->ask.type && wants_more(t))
        remote_ask(r, KIN_MSG_FETCH);
}

static void drop_piece(struct fetched *piece)
{
    kin_frame_unref(piece->frame);
    piece->frame = NULL;
}

static void fetch_done(struct kin_work *work)
{
    struct kin_remote *r = of_work(work);
    struct fetcher *t = &r->fetch;
    t->busy = false;
    drop_piece(&t->writing);
    if (r->step != STEP_FETCH)
        return;
    if (!t->begin && t->status != KIN_OK)
        remote_fail(r, t->status, "%s", t->err.msg);
    else if (!t->begin && t->what == FETCH_PUBLISH)
        remote_fetched(r);
    else
        advance(r);
}

void remote_fetch_tick(struct kin_remote *r)
{
    advance(r);
}

void remote_fetch_begin(struct kin_remote *r)
{
    struct fetcher *t = &r->fetch;
    kin_env_log(r->env, 'I', "results_fetching", "job=%016llx", (unsigned long long)r->id);
    r->step = STEP_FETCH;
    t->work.run = fetch_run;
    t->work.done = fetch_done;
    drop_piece(&t->waiting);
    t->next = (struct place){0};
    t->files = 0;
    t->file_bytes = t->bytes = 0;
    t->name[0] = '\0';
    t->report_cut = false;
    kin_buf_clear(&t->report);
    t->begin = true;
    advance(r);
}

void remote_fetch_free(struct kin_remote *r)
{
    struct fetcher *t = &r->fetch;
    drop_piece(&t->writing);
    drop_piece(&t->waiting);
    kin_buf_deinit(&t->report);
    if (t->out)
        r->env->ops->out_abort(t->out);
}

/* ---- pieces ---- */

static bool plain_name(struct kin_str s)
{
    bool dots = s.n && s.n <= 2 && s.p[0] == '.' && s.p[s.n - 1] == '.';
    return s.n > 0 && s.n <= FILE_NAME_MAX && !dots && !memchr(s.p, '/', s.n) &&
           !memchr(s.p, '\0', s.n);
}

/* Why an answer cannot be; NULL: it can. */
static const char *wrong(const struct fetcher *t, const struct kin_msg_fetched *m, size_t n)
{
    struct kin_str last = kin_str_of(t->name);
    if (m->file != t->next.file || m->offset != t->next.offset)
        return "it is another piece";
    if (m->files == 0 || m->files > FETCH_FILES_MAX || (t->files && m->files != t->files) ||
        m->file >= m->files)
        return "the number of files cannot be";
    if (!plain_name(m->name))
        return "the name of a file cannot be";
    if (m->offset ? !kin_str_eq(m->name, last) : kin_str_cmp(m->name, last) <= 0)
        return "the names of the files are not in order";
    if (m->bytes > FETCH_BYTES_MAX || (m->offset && m->bytes != t->file_bytes))
        return "the size of a file cannot be";
    if (n > KIN_UPLOAD_BYTES || n > m->bytes - m->offset)
        return "it has more bytes than the file";
    if (n == 0 && m->bytes > m->offset)
        return "it has no bytes";
    return NULL;
}

/* Results that are not there any more, or cannot be read: what state the job is in tells. */
static void trouble(struct kin_remote *r, const struct kin_msg_fetched *m)
{
    if (++r->fetch.troubles >= TROUBLES_MAX)
        remote_refused(r, m->status, m->text);
    else
        remote_poll(r);
}

static void keep_report(struct fetcher *t, const struct kin_frame *f)
{
    if (strcmp(t->name, report_name) != 0)
        return;
    if (f->payload.n > REPORT_BYTES_MAX - t->report.n)
        t->report_cut = true;
    else if (!t->report_cut)
        kin_buf_put(&t->report, f->payload.p, f->payload.n);
}

void remote_fetch_on_fetched(struct kin_remote *r, const struct kin_message *message,
                             struct kin_frame *f)
{
    struct fetcher *t = &r->fetch;
    const struct kin_msg_fetched *m = &message->u.fetched;
    if (r->step != STEP_FETCH || m->job != r->id)
        return;
    if (m->status != KIN_OK) {
        trouble(r, m);
        return;
    }
    const char *why = wrong(t, m, f->payload.n);
    if (why) {
        remote_fail(r, KIN_E_PROTO, "the coordinator's answer is wrong: %s", why);
        return;
    }
    memcpy(t->name, m->name.p, m->name.n);
    t->name[m->name.n] = '\0';
    t->files = m->files;
    t->file_bytes = m->bytes;
    t->any = true;
    t->bytes += f->payload.n;
    t->next.offset += f->payload.n;
    if (t->next.offset == m->bytes)
        t->next = (struct place){t->next.file + 1, 0};
    keep_report(t, f);
    t->waiting.frame = kin_frame_ref(f);
    snprintf(t->waiting.name, sizeof t->waiting.name, "%s", t->name);
    advance(r);
}
