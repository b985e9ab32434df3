#include "client/lib/impl.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    TICK_MS = 20, /* while anything is under way: what time-outs may be late */
    SEND_BATCH = 64,
    BUSY_MS_FIRST = 50,
    BUSY_MS_MAX = 2000,
    BUSY_SHIFT_MAX = 10,
    SLOT_BITS = 16
};

static const char lost_text[] = "the connection was lost; it may have been done";
static const char busy_text[] = "too much at once, for all its time";
static const char closed_text[] = "the handle was closed";

uint64_t flight_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void wake_locked(struct kindred *k)
{
    k->woken = true;
    pthread_cond_signal(&k->wake);
}

/* ---- places ---- */

enum kindred_status flight_begin(struct kindred *k, struct request *r)
{
    enum kindred_status status = KINDRED_OK;
    pthread_mutex_lock(&k->lock);
    if (k->closing)
        status = KINDRED_CANCELLED;
    else if (k->pending == k->slot_count)
        status = KINDRED_BUSY;
    if (status == KINDRED_OK) {
        uint32_t slot = k->free_slots[--k->free_count];
        r->number = k->serial++ << SLOT_BITS | slot;
        r->line = NOWHERE;
        k->slots[slot] = r;
        k->counts.asked++;
        k->counts.in_flight++;
        k->pending++;
    }
    pthread_mutex_unlock(&k->lock);
    return status;
}

static struct request *take_locked(struct kindred *k, uint64_t number)
{
    uint32_t slot = (uint32_t)(number & ((1u << SLOT_BITS) - 1));
    struct request *r = slot < k->slot_count ? k->slots[slot] : NULL;
    if (!r || r->number != number)
        return NULL;
    k->slots[slot] = NULL;
    k->free_slots[k->free_count++] = slot;
    k->counts.in_flight--;
    return r;
}

static void request_free(struct request *r)
{
    kin_frame_unref(r->frame);
    kin_frame_unref(r->answer);
    kin_free(r);
}

void flight_forget(struct kindred *k, struct request *r)
{
    pthread_mutex_lock(&k->lock);
    take_locked(k, r->number);
    k->pending--;
    pthread_mutex_unlock(&k->lock);
    request_free(r);
}

/* It has ended; answer (consumed) may be NULL, then status and text say why. */
static void end_locked(struct kindred *k, struct request *r, enum kindred_status status,
                       const char *text, struct kin_frame *answer)
{
    take_locked(k, r->number);
    r->status = status;
    r->answer = answer;
    if (text)
        snprintf(r->text, sizeof r->text, "%s", text);
    r->next = NULL;
    *k->ended_tail = r;
    k->ended_tail = &r->next;
    wake_locked(k);
}

/* ---- sending ---- */

static int line_up(struct kindred *k)
{
    for (int i = 0; i < k->line_count; i++) {
        if (kin_net_is_up(k->lines[i].net, KIN_COORDINATOR))
            return i;
    }
    return NOWHERE;
}

/* The frame to be sent over the line, which the caller does without the lock. */
static struct kin_frame *send_locked(struct kindred *k, struct request *r, int line, uint64_t now)
{
    k->counts.repeated += r->ever_sent;
    r->ever_sent = true;
    r->line = line;
    r->sent_us = now;
    r->again_us = now + r->patience_us;
    return kin_frame_ref(r->frame);
}

void flight_go(struct kindred *k, struct request *r, struct kin_frame *frame)
{
    uint64_t now = flight_now_us();
    struct kin_frame *out = NULL;
    pthread_mutex_lock(&k->lock);
    r->frame = frame;
    int line = line_up(k);
    if (line != NOWHERE)
        out = send_locked(k, r, line, now);
    if (k->idle)
        wake_locked(k);
    pthread_mutex_unlock(&k->lock);
    if (out)
        kin_net_send(k->lines[line].net, KIN_COORDINATOR, out);
}

/* ---- what comes ---- */

/* Asked again later instead of telling. Not what must be done once: the answer could have come
 * twice. */
static bool postpone_locked(struct kindred *k, struct request *r, uint64_t now)
{
    unsigned shift = r->tries < BUSY_SHIFT_MAX ? r->tries : BUSY_SHIFT_MAX;
    uint32_t ms = (uint32_t)BUSY_MS_FIRST << shift;
    ms = ms < BUSY_MS_MAX ? ms : BUSY_MS_MAX;
    uint64_t when = now + (uint64_t)(ms / 2 + randombytes_uniform(ms / 2 + 1)) * 1000;
    if (!k->retry_busy || r->once || when >= r->deadline_us)
        return false;
    r->tries++;
    r->not_before_us = when;
    r->line = NOWHERE;
    return true;
}

void flight_on_frame(void *line, kin_node_id from, struct kin_frame *frame)
{
    struct kindred *k = ((struct line *)line)->k;
    struct kin_message m;
    (void)from;
    if (kin_message_decode(frame, &m, NULL) != KIN_OK || m.type != KIN_MSG_ANSWER) {
        kin_frame_unref(frame);
        return;
    }
    pthread_mutex_lock(&k->lock);
    uint32_t slot = (uint32_t)(m.request & ((1u << SLOT_BITS) - 1));
    struct request *r = slot < k->slot_count ? k->slots[slot] : NULL;
    bool waited_for = r && r->number == m.request && r->ever_sent;
    k->counts.late += !waited_for;
    bool busy = waited_for && m.u.answer.status == KIN_E_BUSY;
    if (waited_for && !(busy && postpone_locked(k, r, flight_now_us()))) {
        end_locked(k, r, KINDRED_OK, NULL, frame);
        frame = NULL;
    }
    pthread_mutex_unlock(&k->lock);
    kin_frame_unref(frame);
}

void flight_on_link(void *line, kin_node_id node, bool up)
{
    struct line *l = line;
    (void)node;
    pthread_mutex_lock(&l->k->lock);
    if (!up)
        l->k->lost_us[l->index] = flight_now_us();
    l->k->look = true;
    wake_locked(l->k);
    pthread_mutex_unlock(&l->k->lock);
}

enum kindred_status flight_trouble(struct kindred *k, char *why, size_t why_bytes)
{
    struct kin_err err = {0};
    enum kindred_status status = KINDRED_TIMEOUT;
    const char *text = "no answer from the coordinator";
    if (line_up(k) != NOWHERE)
        return KINDRED_OK;
    for (int i = 0; i < k->line_count && status == KINDRED_TIMEOUT; i++) {
        kin_status known = kin_net_last_refusal(k->lines[i].net, &err);
        if (known != KIN_OK && known != KIN_E_IO)
            status = KINDRED_REFUSED;
    }
    if (err.status != KIN_OK)
        text = err.msg;
    if (why && why_bytes)
        snprintf(why, why_bytes, "no connection: %s", text);
    return status;
}

/* ---- the runner ---- */

static void tell(struct request *r)
{
    struct kindred_answer a = {.status = r->status, .text = r->text};
    struct kin_message m;
    if (r->answer && kin_message_decode(r->answer, &m, NULL) == KIN_OK) {
        a.status = (enum kindred_status)m.u.answer.status;
        a.batch = m.u.answer.batch;
        a.next = m.u.answer.next;
        a.partial = m.u.answer.partial;
        snprintf(r->text, sizeof r->text, "%.*s",
                 m.u.answer.text.n < TEXT_BYTES ? (int)m.u.answer.text.n : TEXT_BYTES,
                 m.u.answer.text.n ? m.u.answer.text.p : "");
        if (r->answer->payload.n) {
            a.data = (const char *)r->answer->payload.p;
            a.bytes = r->answer->payload.n;
        }
    }
    if (r->done)
        r->done(r->arg, &a);
    request_free(r);
}

/* Calls done for all that have ended. With the lock, which is given up meanwhile. */
static void tell_all(struct kindred *k)
{
    while (k->ended) {
        struct request *r = k->ended;
        k->ended = NULL;
        k->ended_tail = &k->ended;
        pthread_mutex_unlock(&k->lock);
        uint32_t told = 0;
        for (struct request *next; r; r = next, told++) {
            next = r->next;
            tell(r);
        }
        pthread_mutex_lock(&k->lock);
        k->pending -= told;
    }
}

static void end_late_locked(struct kindred *k, struct request *r)
{
    char why[TEXT_BYTES];
    enum kindred_status status = flight_trouble(k, why, sizeof why);
    bool connected = status == KINDRED_OK;
    if (r->not_before_us > r->sent_us) { /* it was answered, though not as it liked */
        end_locked(k, r, KINDRED_BUSY, busy_text, NULL);
        return;
    }
    k->counts.timed_out++;
    end_locked(k, r, connected ? KINDRED_TIMEOUT : status, connected ? "no answer in time" : why,
               NULL);
}

/* Its connection was lost, or its answer is overdue. */
static void doubt_locked(struct kindred *k, struct request *r, uint64_t now)
{
    bool lost = r->line != NOWHERE && r->sent_us <= k->lost_us[r->line];
    if (lost && r->once)
        end_locked(k, r, KINDRED_LOST, lost_text, NULL);
    else if (lost || (r->line != NOWHERE && !r->once && now >= r->again_us))
        r->line = NOWHERE;
}

struct outbox {
    struct kin_frame *frames[SEND_BATCH];
    unsigned count;
    int line;
};

/* Looks at each request once, from slot `at` on; stops where the outbox is full, and returns where
 * to go on. With the lock. */
static uint32_t look_locked(struct kindred *k, uint32_t at, struct outbox *out)
{
    uint64_t now = flight_now_us();
    for (; at < k->slot_count && out->count < SEND_BATCH; at++) {
        struct request *r = k->slots[at];
        if (!r || !r->frame)
            continue;
        if (k->closing)
            end_locked(k, r, KINDRED_CANCELLED, closed_text, NULL);
        else if (now >= r->deadline_us)
            end_late_locked(k, r);
        else
            doubt_locked(k, r, now);
        r = k->slots[at];
        if (r && r->line == NOWHERE && out->line != NOWHERE && now >= r->not_before_us)
            out->frames[out->count++] = send_locked(k, r, out->line, now);
    }
    return at;
}

static void look_at_all(struct kindred *k)
{
    for (uint32_t at = 0; at < k->slot_count && k->counts.in_flight;) {
        struct outbox out = {.line = k->closing ? NOWHERE : line_up(k)};
        at = look_locked(k, at, &out);
        if (!out.count)
            continue;
        pthread_mutex_unlock(&k->lock);
        for (unsigned i = 0; i < out.count; i++)
            kin_net_send(k->lines[out.line].net, KIN_COORDINATOR, out.frames[i]);
        pthread_mutex_lock(&k->lock);
    }
}

/* Without anything under way, until something is. */
static void wait_locked(struct kindred *k)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    k->idle = k->counts.in_flight == 0 && !k->closing;
    if (!k->woken && k->idle)
        pthread_cond_wait(&k->wake, &k->lock);
    else if (!k->woken)
        pthread_cond_timedwait(&k->wake, &k->lock, &until);
    k->idle = k->woken = false;
}

void *flight_run(void *arg)
{
    struct kindred *k = arg;
    uint64_t looked_us = 0;
    pthread_mutex_lock(&k->lock);
    while (!k->closing || k->counts.in_flight || k->ended) {
        uint64_t now = flight_now_us();
        if (k->look || k->closing || now >= looked_us + (uint64_t)TICK_MS * 1000) {
            k->look = false;
            look_at_all(k);
            looked_us = now;
        }
        tell_all(k);
        wait_locked(k);
    }
    pthread_mutex_unlock(&k->lock);
    return NULL;
}
