#ifndef KIN_CLIENT_REMOTE_IMPL_H
#define KIN_CLIENT_REMOTE_IMPL_H
/* Private to the remote core. */
#include "client/remote.h"
#include "proto/jobs.h"
#include "proto/message.h"

enum {
    FETCH_FILES_MAX = 32, /* of a result */
    FILE_NAME_MAX = 255,
    REPORT_BYTES_MAX = 16 << 20 /* of report.json, to be shown; a larger one is only fetched */
};
#define FETCH_BYTES_MAX ((uint64_t)1 << 50) /* of a result */

/* What is waited for is asked again every RETRY_US under the same number, so that the answer to any
 * of the askings will do, and later ones are known to be late. */
struct ask {
    uint32_t type; /* KIN_MSG_*; 0: nothing is asked */
    unsigned tries;
    uint64_t request;
    uint64_t first_us, sent_us;
};

struct remote_file {
    char *path; /* owned */
    uint64_t bytes, changed;
    uint32_t source;
};

struct lister {
    struct kin_work work;
    struct remote_file *files;
    size_t count;
    struct kin_frame *payload; /* of SUBMIT */
    uint64_t token;
    kin_status status;
    struct kin_err err;
};

/* A place in the files, one after another. */
struct place {
    uint32_t file;
    uint64_t offset;
};

struct piece {
    struct place at;
    struct kin_frame *payload; /* never sent itself: frames share it */
    bool sent;
};

struct reader {
    struct kin_work work;
    struct kin_source_handle *handle; /* of file open.file, read up to open.offset; may be NULL */
    struct place open;
    struct place at; /* of the piece that is read */
    size_t bytes;
    struct kin_buf buf;
    kin_status status;
    struct kin_err err;
    bool busy;
    bool stale; /* what is being read is not wanted any more */
};

struct sender {
    struct piece ring[KIN_UPLOAD_WINDOW]; /* what was read and is not durable yet, in order */
    unsigned first, count;
    struct place durable; /* as far as the coordinator said */
    struct place next;    /* of the piece that is read next, or is being read */
    bool known;           /* it has said so since we last began */
    uint64_t job;         /* that sources were sent for last */
    uint64_t first_request, moved_us;
    uint64_t total;
    struct reader reader;
};

struct fetched { /* a piece of a result */
    struct kin_frame *frame;
    char name[FILE_NAME_MAX + 1];
};

struct fetcher {
    struct kin_work work;
    enum { FETCH_BEGIN, FETCH_WRITE, FETCH_PUBLISH } what;
    bool busy, begin;
    struct kin_out *out;
    struct fetched writing, waiting; /* frame NULL: none */
    kin_status status;
    struct kin_err err;

    struct place next; /* to be asked for */
    uint32_t files;    /* 0: not known yet */
    uint64_t file_bytes;
    char name[FILE_NAME_MAX + 1]; /* of file next.file - 1, or of next.file where offset > 0 */
    uint64_t bytes;               /* arrived */
    bool any;                     /* something was fetched, in this life */
    bool report_cut;
    struct kin_buf report;
    unsigned troubles;
};

enum step { STEP_LIST, STEP_SUBMIT, STEP_POLL, STEP_SEND, STEP_FETCH, STEP_DROP, STEP_END };

struct kin_remote {
    struct kin_env *env;
    struct kin_remote_args *args;
    const struct kin_remote_job *job;
    enum step step;
    struct kin_timer tick;
    struct ask ask;
    uint64_t request; /* the last number given out */
    uint64_t heard_us;
    bool heard, silence_told;

    uint64_t id;        /* of the job; 0: not known */
    uint64_t submit_us; /* not before */
    unsigned submits;
    struct kin_progress state; /* as the coordinator said last */
    uint32_t ahead, runs;
    bool watched, running; /* it was queued or running when we asked last; the latter */

    struct lister list;
    struct sender send;
    struct fetcher fetch;

    bool obsolete;     /* the sources changed: no command will ask for this job again */
    kin_status status; /* what it ends with */
    char error[700];
};

/* ---- remote.c ---- */

enum { TICK_US = 100 * 1000, RETRY_US = 1000 * 1000 };

void remote_ask(struct kin_remote *r, uint32_t type);
/* Asks again what was asked, if it is time to; returns how often it was asked. */
unsigned remote_ask_again(struct kin_remote *r, uint64_t now);
/* Encodes and sends m, with the payload of another frame unless that is NULL. Where memory runs out
 * nothing is sent. */
void remote_post(struct kin_remote *r, struct kin_message *m, struct kin_frame *payload);
void remote_fail(struct kin_remote *r, kin_status status, const char *format, ...) KIN_PRINTF(3, 4);
/* The coordinator's own words, or those of the status it gave. */
void remote_refused(struct kin_remote *r, uint32_t status, struct kin_str text);
/* The coordinator does not know the job. */
void remote_unknown(struct kin_remote *r);
void remote_poll(struct kin_remote *r);    /* to be told what state the job is in */
void remote_fetched(struct kin_remote *r); /* the result is in place */

/* ---- remote_list.c ---- */

void remote_list_begin(struct kin_remote *r);
void remote_list_done(struct kin_remote *r); /* remote.c: files, payload and token are there */
void remote_list_free(struct kin_remote *r);

/* ---- remote_send.c ---- */

void remote_send_begin(struct kin_remote *r);
void remote_send_tick(struct kin_remote *r, uint64_t now);
void remote_send_on_uploaded(struct kin_remote *r, const struct kin_message *m);
uint64_t remote_send_done_bytes(const struct kin_remote *r);
void remote_send_free(struct kin_remote *r);

/* ---- remote_fetch.c ---- */

void remote_fetch_begin(struct kin_remote *r);
void remote_fetch_tick(struct kin_remote *r);
void remote_fetch_on_fetched(struct kin_remote *r, const struct kin_message *m,
                             struct kin_frame *f);
void remote_fetch_free(struct kin_remote *r);

#endif
