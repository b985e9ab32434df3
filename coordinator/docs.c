#include "coordinator/live.h"

#include <string.h>

/* DOC: small documents that gateways keep, in DB_META under "doc/", kind, NUL, name. */

enum { KIND_MAX = 64, NAME_MAX = 255, DOC_MAX = 1 << 20, LIST_DEFAULT = 100, LIST_MAX = 1000 };

struct doc_task {
    struct ctask task;
    kin_node_id from;
    uint64_t request;
    uint32_t op, limit;
    bool create;
    struct kin_buf key;
    size_t head; /* of the key: up to the kind's end */
    struct kin_frame *frame;
    struct kin_buf out;
    bool found;
    uint64_t next;
};

static void doc_list(struct doc_task *t, struct kin_env *env, struct kin_snap *snap)
{
    struct kin_str key, value;
    uint8_t from[KIND_MAX + NAME_MAX + 16];
    size_t n = t->key.n;
    memcpy(from, t->key.p, n);
    if (n > t->head)
        from[n++] = 0; /* behind the name that was told last */
    uint32_t count = 0;
    while (env->ops->snap_seek(snap, DB_META, (struct kin_str){(const char *)from, n}, &key,
                               &value) == KIN_OK &&
           key.n > t->head && key.n < sizeof from - 1 && memcmp(key.p, from, t->head) == 0) {
        if (count++ == t->limit) {
            t->next = 1;
            break;
        }
        kin_json_string(&t->out, (struct kin_str){key.p + t->head, key.n - t->head});
        kin_buf_putc(&t->out, '\n');
        memcpy(from, key.p, key.n);
        n = key.n;
        from[n++] = 0;
    }
}

static void doc_run(struct kin_env *env, struct kin_work *work)
{
    struct doc_task *t = (struct doc_task *)work;
    struct kin_snap *snap;
    struct kin_str value, key = {(const char *)t->key.p, t->key.n};
    t->task.status = env->ops->snap_begin(env, &snap);
    if (t->task.status != KIN_OK)
        return;
    if (t->op == KIN_DOC_LIST) {
        doc_list(t, env, snap);
    } else {
        kin_status status = env->ops->snap_get(snap, DB_META, key, &value);
        t->found = status == KIN_OK;
        if (t->found && t->op == KIN_DOC_GET)
            kin_buf_put(&t->out, value.p, value.n);
        t->task.status = status == KIN_E_NOTFOUND ? KIN_OK : status;
    }
    env->ops->snap_end(env, snap);
    if (t->out.failed)
        t->task.status = KIN_E_NOMEM;
}

static void doc_answer(struct kin_coordinator *c, kin_node_id to, uint64_t request,
                       struct kin_buf *payload, uint64_t next)
{
    struct kin_message m = {.type = KIN_MSG_ANSWER};
    m.u.answer.next = next;
    coordinator_reply(c, to, &m, request, payload);
}

static void doc_stored(struct cstore *s, kin_status status)
{
    if (status != KIN_OK)
        live_answer(s->c, s->asked_by, s->number, status, "the document cannot be stored");
    else
        doc_answer(s->c, s->asked_by, s->number, NULL, 0);
}

/* Two that create the same document at the same moment may both be told that they did: the one
 * stored last stays. */
static void doc_change(struct doc_task *t)
{
    struct kin_coordinator *c = t->task.c;
    struct cstore *s = cstore_new(c, 1, doc_stored);
    const struct kin_buf *body = t->frame ? &t->frame->payload : NULL;
    uint8_t *at = s ? kin_buf_extend(&s->memory, t->key.n + (body ? body->n : 0) + 1) : NULL;
    if (!at) {
        if (s)
            cstore_drop(s);
        live_answer(c, t->from, t->request, KIN_E_NOMEM, "out of memory");
        return;
    }
    s->job = NULL;
    s->asked_by = t->from;
    s->number = t->request;
    memcpy(at, t->key.p, t->key.n);
    s->puts[0] = (struct kin_store_put){.db = DB_META, .key = {(const char *)at, t->key.n}};
    if (t->op == KIN_DOC_PUT) {
        if (body && body->n)
            memcpy(at + t->key.n, body->p, body->n);
        s->puts[0].value = (struct kin_str){(const char *)at + t->key.n, body ? body->n : 0};
    }
    cstore_start(s);
}

static void doc_finish(struct ctask *task)
{
    struct doc_task *t = (struct doc_task *)task;
    struct kin_coordinator *c = task->c;
    if (task->status != KIN_OK)
        live_answer(c, t->from, t->request, task->status, "the store cannot be read");
    else if (t->op == KIN_DOC_LIST || (t->op == KIN_DOC_GET && t->found))
        doc_answer(c, t->from, t->request, &t->out, t->next);
    else if (t->op == KIN_DOC_PUT && t->create && t->found)
        live_answer(c, t->from, t->request, KIN_E_EXISTS, "there is such a document already");
    else if (t->op != KIN_DOC_PUT && !t->found)
        live_answer(c, t->from, t->request, KIN_E_NOTFOUND, "there is no such document");
    else
        doc_change(t);
}

static void doc_release(struct ctask *task)
{
    struct doc_task *t = (struct doc_task *)task;
    kin_buf_deinit(&t->key);
    kin_buf_deinit(&t->out);
    kin_frame_unref(t->frame);
}

void docs_on_message(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m,
                     struct kin_frame *f)
{
    struct kin_str kind = m->u.doc.kind, name = m->u.doc.name;
    const char *wrong = NULL;
    if (m->u.doc.op < KIN_DOC_GET || m->u.doc.op > KIN_DOC_LIST)
        wrong = "op is none of get, put, delete, list";
    else if (!kind.n || kind.n > KIND_MAX || memchr(kind.p, '\0', kind.n))
        wrong = "kind has 1 to 64 bytes";
    else if (name.n > NAME_MAX || (!name.n && m->u.doc.op != KIN_DOC_LIST))
        wrong = "name has 1 to 255 bytes";
    else if (f->payload.n > DOC_MAX)
        wrong = "a document has 1 MiB at most";
    struct doc_task *t = wrong ? NULL : ctask_new(c, sizeof *t, doc_run, doc_finish, doc_release);
    if (!t) {
        live_answer(c, from, m->request, wrong ? KIN_E_INVAL : KIN_E_NOMEM,
                    wrong ? wrong : "out of memory");
        return;
    }
    t->task.job = NULL;
    t->from = from;
    t->request = m->request;
    t->op = m->u.doc.op;
    t->create = m->u.doc.create;
    t->limit = m->u.doc.limit ? m->u.doc.limit : LIST_DEFAULT;
    t->limit = t->limit < LIST_MAX ? t->limit : LIST_MAX;
    t->frame = kin_frame_ref(f);
    kin_buf_puts(&t->key, "doc/");
    kin_buf_put(&t->key, kind.p, kind.n);
    kin_buf_putc(&t->key, '\0');
    t->head = t->key.n;
    kin_buf_put(&t->key, name.p, name.n);
    if (t->key.failed) {
        ctask_drop(&t->task);
        live_answer(c, from, m->request, KIN_E_NOMEM, "out of memory");
        return;
    }
    ctask_start(&t->task);
}
