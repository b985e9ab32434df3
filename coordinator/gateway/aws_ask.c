#include "coordinator/gateway/aws_impl.h"

#include "proto/live.h"

#include <string.h>

/* Asking the coordinator, and the documents that are kept there. */

const char aws_schema_kind[] = "aws-schema";
const char aws_workflow_kind[] = "aws-workflow";
const char aws_job_kind[] = "aws-job";

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t told;
    bool done;
    bool answered; /* else there was no answer */
    struct aws_answer *answer;
};

/* Texts that answers have, which borrow from the frame. */
static struct kin_str *text_of(struct kin_message *m)
{
    switch (m->type) {
    case KIN_MSG_ANSWER:
        return &m->u.answer.text;
    case KIN_MSG_SUBMITTED:
        return &m->u.submitted.text;
    case KIN_MSG_JOB_STATE_GOT:
        return &m->u.job_state_got.text;
    default:
        return NULL;
    }
}

/* [any thread] */
static void on_answer(void *arg, const struct kin_message *m, struct kin_frame *f)
{
    struct waiting *w = arg;
    pthread_mutex_lock(&w->lock);
    if (m) {
        struct aws_answer *a = w->answer;
        a->m = *m;
        struct kin_str *text = text_of(&a->m);
        if (text) {
            kin_buf_put(&a->strings, text->p, text->n);
            *text = (struct kin_str){(const char *)a->strings.p, a->strings.n};
        }
        if (f)
            kin_buf_put(&a->payload, f->payload.p, f->payload.n);
        w->answered = true;
    }
    w->done = true;
    pthread_cond_signal(&w->told);
    pthread_mutex_unlock(&w->lock);
}

void aws_answer_deinit(struct aws_answer *answer)
{
    kin_buf_deinit(&answer->strings);
    kin_buf_deinit(&answer->payload);
}

bool aws_ask(struct aws_call *call, struct kin_message *m, struct kin_buf *payload,
             uint32_t timeout_ms, uint32_t wanted, struct aws_answer *answer)
{
    const struct gateway_backend *b = call->aws->backend;
    struct waiting w = {.answer = answer};
    *answer = (struct aws_answer){.payload = {0}};
    if ((payload && payload->failed) || pthread_mutex_init(&w.lock, NULL) != 0) {
        if (payload)
            kin_buf_deinit(payload);
        return aws_no_memory(call);
    }
    if (pthread_cond_init(&w.told, NULL) != 0) {
        pthread_mutex_destroy(&w.lock);
        if (payload)
            kin_buf_deinit(payload);
        return aws_no_memory(call);
    }
    b->ask(b->backend, m, payload, timeout_ms, on_answer, &w);
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.told, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.told);
    pthread_mutex_destroy(&w.lock);
    if (!w.answered)
        return aws_fail(call, AWS_INTERNAL, "There was no answer in time. Try again.");
    if (answer->strings.failed || answer->payload.failed)
        return aws_no_memory(call);
    if (answer->m.type != wanted)
        return aws_fail(call, AWS_INTERNAL, "An answer of another kind than was asked for.");
    return true;
}

/* ---- documents ---- */

/* false: no answer. The status is the caller's to judge. */
static bool ask_doc(struct aws_call *call, struct kin_message *m, struct kin_buf *payload,
                    struct aws_answer *answer)
{
    m->type = KIN_MSG_DOC;
    return aws_ask(call, m, payload, AWS_DOC_MS, KIN_MSG_ANSWER, answer);
}

static struct kin_message doc_message(enum kin_doc_op op, const char *kind, const char *name)
{
    struct kin_message m = {.type = KIN_MSG_DOC};
    m.u.doc.op = op;
    m.u.doc.kind = kin_str_of(kind);
    m.u.doc.name = kin_str_of(name);
    return m;
}

json_t *aws_doc_get(struct aws_call *call, const char *kind, const char *name)
{
    struct kin_message m = doc_message(KIN_DOC_GET, kind, name);
    struct aws_answer a;
    json_t *doc = NULL;
    if (ask_doc(call, &m, NULL, &a)) {
        if (a.m.u.answer.status == KIN_OK) {
            doc = aws_parse(a.payload.p, a.payload.n);
            if (!json_is_object(doc)) {
                json_decref(doc);
                doc = NULL;
                aws_fail(call, AWS_INTERNAL, "A document of kind %s is not readable.", kind);
            }
        } else if (a.m.u.answer.status != KIN_E_NOTFOUND) {
            aws_fail_status(call, a.m.u.answer.status, a.m.u.answer.text, name);
        }
    }
    aws_answer_deinit(&a);
    return doc;
}

bool aws_doc_put(struct aws_call *call, const char *kind, const char *name, const json_t *doc,
                 bool create)
{
    struct kin_message m = doc_message(KIN_DOC_PUT, kind, name);
    struct kin_buf payload = {0};
    struct aws_answer a;
    m.u.doc.create = create;
    char *text = json_dumps(doc, JSON_COMPACT);
    if (!text)
        return aws_no_memory(call);
    kin_buf_puts(&payload, text);
    json_free_t free_text;
    json_get_alloc_funcs(NULL, &free_text);
    free_text(text);
    bool good = ask_doc(call, &m, &payload, &a);
    if (good && a.m.u.answer.status == KIN_E_EXISTS)
        good = aws_fail(call, AWS_CONFLICT, "%s already exists.", name);
    else if (good && a.m.u.answer.status != KIN_OK)
        good = aws_fail_status(call, a.m.u.answer.status, a.m.u.answer.text, name);
    aws_answer_deinit(&a);
    return good;
}

bool aws_doc_delete(struct aws_call *call, const char *kind, const char *name)
{
    struct kin_message m = doc_message(KIN_DOC_DELETE, kind, name);
    struct aws_answer a;
    bool good = ask_doc(call, &m, NULL, &a);
    if (good && a.m.u.answer.status != KIN_OK && a.m.u.answer.status != KIN_E_NOTFOUND)
        good = aws_fail_status(call, a.m.u.answer.status, a.m.u.answer.text, name);
    aws_answer_deinit(&a);
    return good;
}

/* A JSON string a line. */
static json_t *read_names(const struct kin_buf *lines)
{
    json_t *names = json_array();
    const char *p = (const char *)lines->p, *end = p ? p + lines->n : p;
    while (p && p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop ? stop : end;
        json_t *name = json_loadb(p, (size_t)(stop - p), JSON_DECODE_ANY, NULL);
        if (stop > p && (!json_is_string(name) || json_array_append(names, name) != 0)) {
            json_decref(names);
            names = NULL;
            end = stop;
        }
        json_decref(name);
        p = stop + 1;
    }
    return names;
}

json_t *aws_doc_list(struct aws_call *call, const char *kind, const char *after, size_t limit,
                     bool *more)
{
    struct kin_message m = doc_message(KIN_DOC_LIST, kind, after);
    struct aws_answer a;
    json_t *names = NULL;
    m.u.doc.limit = (uint32_t)limit;
    if (ask_doc(call, &m, NULL, &a)) {
        if (a.m.u.answer.status != KIN_OK) {
            aws_fail_status(call, a.m.u.answer.status, a.m.u.answer.text, kind);
        } else {
            names = read_names(&a.payload);
            *more = a.m.u.answer.next != 0;
            if (!names)
                aws_fail(call, AWS_INTERNAL, "A list of documents is not readable.");
        }
    }
    aws_answer_deinit(&a);
    return names;
}
