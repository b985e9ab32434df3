#ifndef KIN_NET_NET_IMPL_H
#define KIN_NET_NET_IMPL_H
/* Private to common/env/net. Who owns what:
 *  - keeper, a thread of ours: the making and freeing of everything, deadlines, dialling;
 *  - under net->lock, any thread: the list and table of connections, links, statistics;
 *  - under conn->lock, any thread: what the connection has under way, and its queue;
 *  - the one receive under way, then its callback: what is received.
 * Lock order: net->lock, conn->lock. Neither is held across a callback of the owner's, nor where
 * something of nng's is freed, which waits for callbacks.
 *
 * nng 1.5.2 never completes an operation begun on a closed stream, and stopping an aio may skip its
 * callback. So: operations are begun under conn->lock and only while !closing; a stream is closed
 * only after `closing` was set; and nothing is freed before its callback has run. */
#include "common/env/net/wire.h"

#include <nng/nng.h>
#include <pthread.h>

enum {
    CONN_BUF_BYTES = 16 * 1024,
    PAYLOAD_STEP = 1 << 20, /* room made at first for a payload, then as much again as has come */
    KEEPER_MS = 50,
    FREED_MS = 5,            /* a freed connection counts for so long, and up to twice that */
    FREE_PATIENCE_MS = 5000, /* at the end, for nng to let go of everything */
    CONNS_SPARE = 128,       /* closing ones, beside pending ones and those of nodes */
    LOGS_PER_SECOND = 10,
    LOGS_MAX = 32, /* waiting to be written */
    LOG_TEXT_BYTES = 240
};

struct kin_net;

struct net_out { /* one message to be sent */
    struct net_out *next;
    struct kin_frame *frame; /* NULL: of the handshake */
    size_t head_bytes, bytes;
    uint8_t head[WIRE_SHAKE_BYTES];
};

enum conn_stage { /* what is received next */
                  STAGE_HELLO,
                  STAGE_CHALLENGE,
                  STAGE_PROOF,
                  STAGE_WELCOME,
                  STAGE_FRAMES,
                  STAGE_NOTHING /* refused: closed as soon as that is sent */
};

enum conn_end {
    END_NONE,
    END_PEER, /* it closed, or the network did */
    END_REFUSED,
    END_EXPIRED,
    END_REPLACED,
    END_IDLE,
    END_MALFORMED,
    END_MEMORY,
    END_STOP,
    END_COUNT
};

struct conn {
    struct kin_net *net;
    struct conn *next, *prev; /* net->conns, oldest first */
    nng_stream *stream;
    nng_aio *recv_aio, *send_aio;
    uint64_t opened_us;
    char peer[64]; /* address, for logs */
    uint32_t role, kind;
    uint64_t session;
    uint8_t public_key[KIN_NET_PUBLIC_BYTES]; /* listening: what the other side says, and has proved
                                                 where `up`; of a gateway, made up */
    kin_node_id node;     /* whose frames come here: KIN_COORDINATOR when dialling */
    kin_node_id given;    /* dialling: the number that the listener gave */
    struct client *holds; /* listening: it is of that client; under net->lock */
    bool up;              /* changed under both locks */

    pthread_mutex_t lock;
    bool closing;
    enum conn_end end;
    bool recv_busy, send_busy, close_when_sent;
    struct net_out *head, *tail;
    size_t queued;        /* bytes */
    size_t sent;          /* of head */
    uint64_t progress_us; /* when head last moved, or was put in */
    uint64_t sent_us;     /* when something was last put in */
    uint64_t send_sequence;
    atomic_uint_least64_t heard_us;

    bool stream_closed; /* keeper's, as is */
    uint64_t closed_us;

    /* receive */
    enum conn_stage stage;
    struct wire_talk talk;
    struct kin_frame *frame; /* in the making; its bodies end at what has come */
    struct wire_head frame_head;
    uint8_t frame_head_bytes[WIRE_HEAD_BYTES];
    uint64_t recv_sequence;
    size_t into_body, into_payload; /* room that the receive under way was given there */
    size_t have;                    /* bytes in buf */
    uint8_t buf[CONN_BUF_BYTES];
};

struct net_log_line {
    char level;
    const char *event; /* static */
    char text[LOG_TEXT_BYTES];
};

struct link { /* the dialling side: one of its two connections */
    struct kin_net *net;
    uint32_t kind;
    nng_stream_dialer *dialer;
    nng_aio *aio;
    bool busy;  /* the dial is under way */
    bool spent; /* dialer and aio are to be freed */
    uint64_t next_us;
    unsigned failures;
    struct conn *conn;
};

/* A number of a client: taken while holders > 0. */
struct client {
    uint8_t public_key[KIN_NET_PUBLIC_BYTES];
    unsigned holders; /* connections, from the proof of the key until they are freed */
};

struct peer {
    struct conn *conns[WIRE_KINDS];
    bool told; /* on_link's last word */
    bool fell; /* and it was not up for a moment since */
};

struct kin_net {
    struct kin_net_options o;
    bool listens;
    char *address;
    char *url;        /* what nng calls it */
    const char *path; /* in address, of the socket; NULL: TCP */
    struct kin_net_identity identity;
    uint8_t key[KIN_NET_KEY_BYTES];
    bool has_key;
    uint64_t session;
    unsigned port, conns_max;

    pthread_t keeper;
    pthread_mutex_t lock;
    pthread_cond_t wake, gone;
    bool woken, ending, finished;
    uint64_t linger_until_us, swept_us;

    struct conn *conns, *conns_tail;
    unsigned conn_count; /* with those freed a moment ago, whose descriptors nng closes by and by */
    unsigned freed_now, freed_before;
    uint64_t freed_us;  /* when the two moved up */
    struct peer *peers; /* [peer_count], by node */
    uint32_t peer_count;
    bool links_changed;     /* on_link may have something to tell */
    struct client *clients; /* [o.clients_max] */
    kin_node_id self;
    struct kin_err refusal; /* dialling: status KIN_OK: none */
    struct kin_net_stats stats;

    nng_stream_listener *listener;
    nng_aio *accept_aio;
    bool accept_busy;
    uint64_t accept_us; /* not before */

    struct link links[WIRE_KINDS];

    pthread_mutex_t log_lock;
    uint64_t log_second;
    unsigned log_this_second, log_count;
    struct net_log_line logs[LOGS_MAX];
    uint64_t log_suppressed;
};

uint64_t net_now_us(void);
void net_log(struct kin_net *net, char level, const char *event, const char *format, ...)
    KIN_PRINTF(4, 5);
void net_wake(struct kin_net *net); /* the keeper; without locks */
kin_status net_status(int rv);      /* of an nng error */

/* ---- peers.c: who is there under which number ---- */

const char *peers_role(const struct conn *c); /* of the dialler, in words; static */
/* Listening: the number for a connection that has proved its key. KIN_COORDINATOR: none. Without
 * locks. */
kin_node_id peers_number(struct conn *c);
void peers_admit(struct conn *c); /* the handshake is done; without locks */
void peers_lost_locked(struct conn *c);
void peers_freed_locked(struct conn *c); /* its number may be another's now */
void peers_tell(struct kin_net *net);    /* on_link; keeper, without locks */
/* Dialling: what kin_net_last_refusal says. */
void peers_refused_locked(struct kin_net *net, kin_status status, const char *text);

/* ---- conn.c ---- */

/* Takes the stream over, also on failure, and begins to receive. With net->lock. */
struct conn *conn_new_locked(struct kin_net *net, nng_stream *stream, enum conn_stage stage,
                             uint32_t kind);
void conn_begin(struct conn *c);                           /* without locks */
void conn_close(struct conn *c, enum conn_end end);        /* without locks */
void conn_close_locked(struct conn *c, enum conn_end end); /* with net->lock */
/* Queues a message of the handshake. */
void conn_send_shake(struct conn *c, const uint8_t message[WIRE_SHAKE_BYTES], bool last);
/* Queues a frame, which is consumed; false: dropped. With c->lock. */
bool conn_send_frame_locked(struct conn *c, struct kin_frame *frame);
void conn_free(struct conn *c); /* keeper; without locks; nothing is under way */

/* ---- shake.c ---- */

/* One message of the handshake came. END_NONE: go on. */
enum conn_end shake_step(struct conn *c, const uint8_t message[WIRE_SHAKE_BYTES]);
void shake_begin(struct conn *c); /* the dialling side speaks first */

/* ---- local.c: the socket's file ---- */

/* Makes room at the path: a socket that nobody listens at is removed. KIN_E_BUSY, KIN_E_EXISTS,
 * KIN_E_IO. *fd keeps others, who would do the same, out until it is closed. */
kin_status local_prepare(const char *path, int *fd, struct kin_err *err);

/* ---- link.c: listening and dialling ---- */

kin_status link_listen(struct kin_net *net, struct kin_err *err);
void link_accept_locked(struct kin_net *net, uint64_t now);
void link_dial_locked(struct link *link, uint64_t now);
void link_lost_locked(struct kin_net *net, struct conn *c, uint64_t now);
void link_clean(struct link *link); /* frees what a finished dial left; without locks */
void link_unlisten(struct kin_net *net);

#endif
