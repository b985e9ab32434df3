#ifndef KINDRED_H
#define KINDRED_H
/* libkindred: what gateways ask of a Kindred cluster that serves: looking records up, storing them,
 * MatchGroups and what became of them. C11 and C++. What the JSON looks like: docs/gateway.md; how
 * to use this: docs/libkindred.md.
 *
 * A handle keeps a connection to the coordinator, and makes it again whenever it is lost. Requests
 * may be made at any time, by any thread, thousands at once; each ends within its time-out: with
 * the answer, or with the reason why there is none. What may be asked twice without harm is asked
 * again when a connection was lost or an answer is overdue; a PUT with mint never is.
 *
 * Calls: a function that takes a `done` returns at once. KINDRED_OK: done will be called exactly
 * once, later, by the handle's own thread, one at a time; it must not block, and must neither call
 * the functions that wait (_wait) nor kindred_close. Anything else: nothing was asked and done is
 * never called. Functions with _wait return when there is an answer.
 *
 * Structs: zero them first ({0}); zero is the default of every member. Strings are terminated UTF-8
 * and are borrowed until the function returns; NULL is the same as "".
 *
 * The library has no state but its handles, touches no signals (they are blocked in its threads),
 * and writes nothing to stdout or stderr. It must not be used in a child after fork without exec.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined __GNUC__
#define KINDRED_API __attribute__((visibility("default")))
#else
#define KINDRED_API
#endif

enum kindred_status {
    KINDRED_OK = 0,
    /* answers of the coordinator, or troubles here */
    KINDRED_NO_MEMORY = 1,
    KINDRED_INVALID = 2, /* the request, or an argument; not to be asked again */
    KINDRED_IO = 3,
    KINDRED_NOT_FOUND = 4, /* no such workflow, record, MatchId or link */
    KINDRED_EXISTS = 5,
    KINDRED_CORRUPT = 6,
    KINDRED_PROTOCOL = 7, /* an answer that makes no sense */
    KINDRED_VERSION = 8,
    KINDRED_LIMIT = 9, /* too large: more than KINDRED_RECORDS_MAX or KINDRED_BYTES_MAX */
    KINDRED_NO_SPACE = 10,
    KINDRED_SYNTAX = 11, /* the JSON */
    KINDRED_WORKFLOW = 12,
    KINDRED_STALE = 13,
    KINDRED_BUSY = 14,      /* too much at once, here or there: ask again later */
    KINDRED_CANCELLED = 15, /* the handle was closed */
    KINDRED_END = 16,
    KINDRED_RANGE = 17,
    KINDRED_CHANGED = 18,
    /* there is no answer */
    KINDRED_TIMEOUT = 100, /* none came in time; a PUT may have been done, or may yet be */
    KINDRED_REFUSED = 101, /* the coordinator does not let us in: secret, version, or no room */
    KINDRED_LOST = 102 /* the connection was, during a PUT with mint, which may have been done */
};

enum {
    KINDRED_RECORDS_MAX = 4096,    /* lines of one request */
    KINDRED_BYTES_MAX = 8 << 20,   /* of one request's records */
    KINDRED_URLS_MAX = 8,          /* addresses of a handle */
    KINDRED_IN_FLIGHT_MAX = 65536, /* requests of a handle at once */
    KINDRED_TIMEOUT_MS = 10 * 1000 /* by default */
};

struct kindred; /* a handle */

/* English, short, static; "unknown status" for a number that is none. */
KINDRED_API const char *kindred_status_text(enum kindred_status status);
/* "0.1.0": of the library that runs. Static. */
KINDRED_API const char *kindred_version(void);

struct kindred_options {
    /* tcp://HOST:PORT or unix:///PATH; several, by which one coordinator may be reached, are
     * separated by commas: the first one that answers is used */
    const char *url;
    /* The cluster's secret, at least 16 bytes, from memory or from a file (whose line ends at its
     * end do not count). NULL both: none, which a coordinator allows on its own machine only. */
    const void *secret;
    size_t secret_bytes;
    const char *secret_file;
    uint32_t timeout_ms;    /* of requests that name none (KINDRED_TIMEOUT_MS) */
    uint32_t in_flight_max; /* requests at once; more are KINDRED_BUSY at once (4096) */
    /* An answer KINDRED_BUSY is not handed on: the request is made again, after pauses of 50 ms to
     * 2 s, for as long as its time-out lets it. Not a PUT with mint. */
    bool retry_busy;
};

/* Makes a handle, and begins to connect; whether anybody is there shows later: kindred_wait, or the
 * first request. *out is the caller's, for kindred_close. KINDRED_INVALID: a url, or a secret that
 * is too short; KINDRED_IO: the file of the secret; KINDRED_NO_MEMORY. `why` (may be NULL) gets the
 * reason in words. Any thread. */
KINDRED_API enum kindred_status kindred_open(const struct kindred_options *options,
                                             struct kindred **out, char *why, size_t why_bytes);

/* Waits until there is a connection. KINDRED_TIMEOUT; KINDRED_REFUSED, at once where the
 * coordinator says no. `why` as above. */
KINDRED_API enum kindred_status kindred_wait(struct kindred *k, uint32_t timeout_ms, char *why,
                                             size_t why_bytes);

/* Ends all requests with KINDRED_CANCELLED, and frees the handle when every done has returned (a
 * _wait in another thread returns, too). No other function of the handle may begin after it did.
 * Blocks for a moment. NULL is fine. */
KINDRED_API void kindred_close(struct kindred *k);

/* ---- answers ---- */

struct kindred_answer {
    enum kindred_status status;
    const char *text; /* why, for people; terminated, may be "" */
    uint64_t batch;   /* what is said holds as of that batch */
    uint64_t next;    /* of lists: `after` of the next page */
    bool partial;     /* a worker is away: there may be more */
    const char *data; /* JSON or JSON Lines, not terminated; NULL where there is none */
    size_t bytes;
};

/* The answer and all it points to are borrowed until done returns. */
typedef void (*kindred_done)(void *arg, const struct kindred_answer *answer);

/* What a _wait gives: an answer that is the caller's. */
struct kindred_result {
    struct kindred_answer
        answer;   /* data is terminated by a zero here, which bytes does not count */
    char *memory; /* private */
};
KINDRED_API void kindred_result_free(struct kindred_result *result); /* zeroes it; {0} is fine */

/* ---- requests ---- */

struct kindred_lookup_request {
    const char *workflow; /* may be left out where one is served; here and below */
    uint32_t timeout_ms;  /* 0: the handle's; here and below */
    const void *records;  /* JSON Lines */
    size_t bytes;
    const char *source; /* the records are by its columns; else by the workflow's fields */
    uint32_t limit;     /* groups beside the best one */
    bool explain;
};
struct kindred_put_request {
    const char *workflow;
    uint32_t timeout_ms;
    const void *records; /* JSON Lines, by the columns of the source */
    size_t bytes;
    const char *source; /* may be left out where there is one */
    bool wait;          /* until lookups see them, not only until they are durable */
    bool mint;          /* answer MatchIds at once. Not repeated when a connection is lost */
};
struct kindred_group_request { /* by match_id, or by source and id */
    const char *workflow;
    uint32_t timeout_ms;
    const char *match_id;
    const char *source, *id;
    bool golden;
};
struct kindred_changes_request {
    const char *workflow;
    uint32_t timeout_ms; /* wait_ms comes in addition */
    uint64_t after;
    uint32_t limit;
    uint32_t wait_ms; /* until there is one; at most 60,000 */
};
struct kindred_history_request {
    const char *workflow;
    uint32_t timeout_ms;
    const char *match_id;
};
enum kindred_link_kind { KINDRED_MUST = 1, KINDRED_NEVER = 2, KINDRED_REVOKE = 3 };
struct kindred_link_request {
    const char *workflow;
    uint32_t timeout_ms;
    enum kindred_link_kind kind;
    const char *source_a, *id_a, *source_b, *id_b;
    const char *who, *why;
};
struct kindred_links_request {
    const char *workflow;
    uint32_t timeout_ms;
    uint64_t after; /* `next` of the page before */
    uint32_t limit;
};
struct kindred_explain_request {
    const char *workflow;
    uint32_t timeout_ms;
    const char *source_a, *id_a, *source_b, *id_b;
};

/* kindred_NAME(handle, request, done, arg): KINDRED_OK, or KINDRED_BUSY (in_flight_max),
 * KINDRED_LIMIT, KINDRED_NO_MEMORY, KINDRED_CANCELLED. done may be NULL: nobody wants to know.
 * kindred_NAME_wait(handle, request, result): the status, which is in result->answer, too; result
 * is overwritten and the caller's, to be freed whatever came. KINDRED_INVALID inside a done. */
#define KINDRED_CALLS(X) \
    X(lookup)            \
    X(put)               \
    X(group)             \
    X(changes)           \
    X(history)           \
    X(link)              \
    X(links)             \
    X(explain)
#define KINDRED_DECLARE(name)                                                                      \
    KINDRED_API enum kindred_status kindred_##name(struct kindred *k,                              \
                                                   const struct kindred_##name##_request *request, \
                                                   kindred_done done, void *arg);                  \
    KINDRED_API enum kindred_status kindred_##name##_wait(                                         \
        struct kindred *k, const struct kindred_##name##_request *request,                         \
        struct kindred_result *result);
KINDRED_CALLS(KINDRED_DECLARE)
#undef KINDRED_DECLARE

struct kindred_counts {
    uint64_t asked;     /* requests made */
    uint64_t repeated;  /* sent again, BUSY or not */
    uint64_t timed_out; /* ended without an answer */
    uint64_t late;      /* answers nobody waited for any more, doubled ones included */
    unsigned in_flight; /* now */
    bool connected;     /* now */
};
/* A look at the handle, for metrics. Any thread. */
KINDRED_API void kindred_count(struct kindred *k, struct kindred_counts *out);

#ifdef __cplusplus
}
#endif
#endif
