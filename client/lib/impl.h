#ifndef KIN_CLIENT_LIB_IMPL_H
#define KIN_CLIENT_LIB_IMPL_H
/* Private to libkindred. A request is owned by the table of the handle (`slots`) until it has
 * ended, then by the list `ended`, which the runner, a thread of the handle's, empties: it calls
 * done, and frees. Everything of a handle is under its lock, which is never held across a done or a
 * send; it may be held where kin_net is asked something. */
#include "client/kindred.h"

#include "common/env/net/net.h"
#include "proto/message.h"

#include <pthread.h>

enum { TEXT_BYTES = 512, NOWHERE = -1 };

struct request {
    uint64_t number; /* serial << 16 | slot */
    struct request *next;
    kindred_done done; /* may be NULL */
    void *arg;
    struct kin_frame *frame; /* NULL: in the making */
    bool once;               /* must not be sent twice */
    bool ever_sent;
    int line;       /* it was sent over, or NOWHERE: to be sent */
    unsigned tries; /* answered by BUSY */
    uint64_t deadline_us;
    uint64_t not_before_us; /* to be sent */
    uint64_t sent_us;       /* last */
    uint64_t again_us;      /* overdue, to be sent again */
    uint64_t patience_us;   /* until an answer is overdue */
    /* ended: */
    enum kindred_status status; /* where there is no answer */
    struct kin_frame *answer;   /* NULL: none came */
    char text[TEXT_BYTES];      /* where there is none */
};

struct line { /* to one address */
    struct kindred *k;
    int index;
    struct kin_net *net;
};

struct kindred {
    uint32_t timeout_ms, slot_count;
    bool retry_busy;
    struct line lines[KINDRED_URLS_MAX];
    int line_count;

    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t runner;
    bool closing;
    bool woken, idle;                   /* the runner: it need not wait; it waits for ever */
    bool look;                          /* a connection came or went */
    uint64_t lost_us[KINDRED_URLS_MAX]; /* when a connection of the line last went */
    uint32_t pending;                   /* begun, and done has not returned; <= slot_count */
    uint64_t serial;
    struct request **slots; /* [slot_count] */
    uint32_t *free_slots;   /* [free_count] */
    uint32_t free_count;
    struct request *ended, **ended_tail;
    struct kindred_counts counts;
};

/* ---- flight.c: what becomes of a request that was made ---- */

uint64_t flight_now_us(void);
/* Takes a place for r and gives it its number. KINDRED_BUSY, KINDRED_CANCELLED. */
enum kindred_status flight_begin(struct kindred *k, struct request *r);
/* r->frame is there now: sends it if it can be. */
void flight_go(struct kindred *k, struct request *r, struct kin_frame *frame);
void flight_forget(struct kindred *k, struct request *r); /* it could not be made; frees it */
void *flight_run(void *k);                                /* the runner's thread */
void flight_on_frame(void *line, kin_node_id from, struct kin_frame *frame);
void flight_on_link(void *line, kin_node_id node, bool up);
/* Why there is no connection; KINDRED_OK: there is. With k->lock or without. */
enum kindred_status flight_trouble(struct kindred *k, char *why, size_t why_bytes);

#endif
