#include "client/lib/impl.h"

#include "proto/live.h"

#include <string.h>

/* The requests: what is asked becomes a message, and an answer that somebody waits for becomes his.
 */

enum {
    AGAIN_DIVISOR = 3,
    AGAIN_MS_MIN = 250
}; /* an answer is overdue after that part of the time */

_Static_assert((int)KINDRED_RECORDS_MAX == KIN_LIVE_RECORDS_MAX, "records of a request");
_Static_assert((int)KINDRED_BYTES_MAX == KIN_LIVE_PAYLOAD_MAX, "bytes of a request");
_Static_assert((int)KINDRED_MUST == KIN_LINK_MUST && (int)KINDRED_NEVER == KIN_LINK_NEVER &&
                   (int)KINDRED_REVOKE == KIN_LINK_REVOKE,
               "kinds of links");

static struct kin_str text(const char *s)
{
    return kin_str_of(s ? s : "");
}

/* What is asked, beside the message. */
struct asked {
    uint32_t timeout_ms, wait_ms;
    const void *records;
    size_t bytes;
    bool once;
    kindred_done done;
    void *arg;
};

static enum kindred_status make_frame(const struct kin_message *m, const struct asked *a,
                                      struct kin_frame **out)
{
    enum kindred_status status = (enum kindred_status)kin_message_encode(m, out);
    if (status != KINDRED_OK)
        return status;
    kin_buf_put(&(*out)->payload, a->records, a->bytes);
    if (!(*out)->payload.failed)
        return KINDRED_OK;
    kin_frame_unref(*out);
    return KINDRED_NO_MEMORY;
}

static enum kindred_status ask(struct kindred *k, struct kin_message *m, const struct asked *a)
{
    struct kin_frame *frame = NULL;
    if (a->bytes > KIN_LIVE_PAYLOAD_MAX)
        return KINDRED_LIMIT;
    struct request *r = kin_calloc(1, sizeof *r);
    if (!r)
        return KINDRED_NO_MEMORY;
    uint64_t ms = a->timeout_ms ? a->timeout_ms : k->timeout_ms;
    uint64_t patience_ms = ms / AGAIN_DIVISOR;
    r->done = a->done;
    r->arg = a->arg;
    r->once = a->once;
    r->deadline_us = flight_now_us() + (ms + a->wait_ms) * 1000;
    r->patience_us =
        ((patience_ms > AGAIN_MS_MIN ? patience_ms : AGAIN_MS_MIN) + a->wait_ms) * 1000;
    enum kindred_status status = flight_begin(k, r);
    if (status != KINDRED_OK) {
        kin_free(r);
        return status;
    }
    m->request = r->number;
    status = make_frame(m, a, &frame);
    if (status == KINDRED_OK)
        flight_go(k, r, frame);
    else
        flight_forget(k, r);
    return status;
}

enum kindred_status kindred_lookup(struct kindred *k, const struct kindred_lookup_request *q,
                                   kindred_done done, void *arg)
{
    struct kin_message m = {.type = KIN_MSG_LOOKUP};
    m.u.lookup.workflow = text(q->workflow);
    m.u.lookup.explain = q->explain;
    m.u.lookup.limit = q->limit;
    m.u.lookup.source = text(q->source);
    return ask(k, &m,
               &(struct asked){.timeout_ms = q->timeout_ms,
                               .records = q->records,
                               .bytes = q->bytes,
                               .done = done,
                               .arg = arg});
}

enum kindred_status kindred_put(struct kindred *k, const struct kindred_put_request *q,
                                kindred_done done, void *arg)
{
    struct kin_message m = {.type = KIN_MSG_PUT};
    m.u.put.workflow = text(q->workflow);
    m.u.put.source = text(q->source);
    m.u.put.wait = q->wait;
    m.u.put.mint = q->mint;
    return ask(k, &m,
               &(struct asked){.timeout_ms = q->timeout_ms,
                               .records = q->records,
                               .bytes = q->bytes,
                               .once = q->mint,
                               .done = done,
                               .arg = arg});
}

enum kindred_status kindred_group(struct kindred *k, const struct kindred_group_request *q,
                                  kindred_done done, void *arg)
{
    struct kin_message m = {.type = KIN_MSG_GROUP};
    m.u.group.workflow = text(q->workflow);
    m.u.group.match_id = text(q->match_id);
    m.u.group.source = text(q->source);
    m.u.group.id = text(q->id);
    m.u.group.golden = q->golden;
    return ask(k, &m, &(struct asked){.timeout_ms = q->timeout_ms, .done = done, .arg = arg});
}

enum kindred_status kindred_changes(struct kindred *k, const struct kindred_changes_request *q,
                                    kindred_done done, void *arg)
{
    struct kin_message m = {.type = KIN_MSG_CHANGES};
    m.u.changes.workflow = text(q->workflow);
    m.u.changes.after = q->after;
    m.u.changes.limit = q->limit;
    m.u.changes.wait_ms = q->wait_ms;
    return ask(k, &m,
               &(struct asked){
                   .timeout_ms = q->timeout_ms, .wait_ms = q->wait_ms, .done = done, .arg = arg});
}

enum kindred_status kindred_history(struct kindred *k, const struct kindred_history_request *q,
                                    kindred_done done, void *arg)
{
    struct kin_message m = {.type = KIN_MSG_HISTORY};
    m.u.history.workflow = text(q->workflow);
    m.u.history.match_id = text(q->match_id);
    return ask(k, &m, &(struct asked){.timeout_ms = q->timeout_ms, .done = done, .arg = arg});
}

enum kindred_status kindred_link(struct kindred *k, const struct kindred_link_request *q,
                                 kindred_done done, void *arg)
{
    struct kin_message m = {.type = KIN_MSG_LINK};
    m.u.link.workflow = text(q->workflow);
    m.u.link.kind = (uint32_t)q->kind;
    m.u.link.source_a = text(q->source_a);
    m.u.link.id_a = text(q->id_a);
    m.u.link.source_b = text(q->source_b);
    m.u.link.id_b = text(q->id_b);
    m.u.link.who = text(q->who);
    m.u.link.why = text(q->why);
    return ask(k, &m, &(struct asked){.timeout_ms = q->timeout_ms, .done = done, .arg = arg});
}

enum kindred_status kindred_links(struct kindred *k, const struct kindred_links_request *q,
                                  kindred_done done, void *arg)
{
    struct kin_message m = {.type = KIN_MSG_LINKS};
    m.u.links.workflow = text(q->workflow);
    m.u.links.after = q->after;
    m.u.links.limit = q->limit;
    return ask(k, &m, &(struct asked){.timeout_ms = q->timeout_ms, .done = done, .arg = arg});
}

enum kindred_status kindred_explain(struct kindred *k, const struct kindred_explain_request *q,
                                    kindred_done done, void *arg)
{
    struct kin_message m = {.type = KIN_MSG_EXPLAIN};
    m.u.explain.workflow = text(q->workflow);
    m.u.explain.source_a = text(q->source_a);
    m.u.explain.id_a = text(q->id_a);
    m.u.explain.source_b = text(q->source_b);
    m.u.explain.id_b = text(q->id_b);
    return ask(k, &m, &(struct asked){.timeout_ms = q->timeout_ms, .done = done, .arg = arg});
}

/* ---- waiting ---- */

struct waiter {
    struct kindred_result *result;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool there;
};

/* The answer, text and data behind each other in one piece of memory. */
static void keep(struct kindred_result *to, const struct kindred_answer *a)
{
    size_t text_bytes = strlen(a->text) + 1;
    to->answer = *a;
    to->answer.data = NULL;
    to->answer.text = "";
    to->memory = kin_alloc(text_bytes + a->bytes + 1);
    if (!to->memory) {
        to->answer = (struct kindred_answer){.status = KINDRED_NO_MEMORY, .text = ""};
        return;
    }
    char *data = to->memory + text_bytes;
    memcpy(to->memory, a->text, text_bytes);
    if (a->bytes)
        memcpy(data, a->data, a->bytes);
    data[a->bytes] = '\0';
    to->answer.text = to->memory;
    to->answer.data = data;
}

static void on_done(void *arg, const struct kindred_answer *answer)
{
    struct waiter *w = arg;
    keep(w->result, answer);
    pthread_mutex_lock(&w->lock);
    w->there = true;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

static void waiter_init(struct waiter *w, struct kindred_result *result)
{
    *w = (struct waiter){.result = result};
    *result = (struct kindred_result){.answer = {.text = ""}};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->done, NULL);
}

static enum kindred_status waiter_end(struct waiter *w, enum kindred_status begun)
{
    pthread_mutex_lock(&w->lock);
    while (begun == KINDRED_OK && !w->there)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
    pthread_cond_destroy(&w->done);
    pthread_mutex_destroy(&w->lock);
    if (begun != KINDRED_OK) {
        w->result->answer.status = begun;
        w->result->answer.text = kindred_status_text(begun);
    }
    return w->result->answer.status;
}

static bool may_wait(const struct kindred *k)
{
    return !pthread_equal(k->runner, pthread_self());
}

#define DEFINE_WAIT(name)                                                                         \
    enum kindred_status kindred_##name##_wait(struct kindred *k,                                  \
                                              const struct kindred_##name##_request *q,           \
                                              struct kindred_result *result)                      \
    {                                                                                             \
        struct waiter w;                                                                          \
        waiter_init(&w, result);                                                                  \
        return waiter_end(&w, may_wait(k) ? kindred_##name(k, q, on_done, &w) : KINDRED_INVALID); \
    }
KINDRED_CALLS(DEFINE_WAIT)

void kindred_result_free(struct kindred_result *result)
{
    kin_free(result->memory);
    *result = (struct kindred_result){.answer = {.text = ""}};
}
