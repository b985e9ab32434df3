#ifndef KIN_TESTS_BENCH_LOAD_H
#define KIN_TESTS_BENCH_LOAD_H
/* The load generator: what its files share. Requests are made beforehand, latencies go to
 * histograms of fixed size; nothing is allocated for a request but what the transport itself needs.
 */
#include "common/base/mem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum {
    HISTOGRAM_SUB_BITS = 7, /* a bucket is at most 1/128 wide: percentiles are that exact */
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS,
    IN_FLIGHT_MAX = 65536,
    STATUSES = 600,
    CLIENTS_MAX = 64,
    LOST_MS = 10000 /* without an answer; counted, and its place is free again */
};

/* Of nanoseconds. Any thread. */
struct histogram {
    atomic_uint_least64_t counts[HISTOGRAM_BUCKETS];
    atomic_uint_least64_t count, max;
};
void histogram_add(struct histogram *h, uint64_t ns);
uint64_t histogram_at(const struct histogram *h, double share); /* ns; 0 where it is empty */

static inline uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct tally {
    struct histogram latency;                       /* from the intended start to the answer */
    atomic_uint_least64_t requests, records, found; /* answered well, after the warm-up */
    atomic_uint_least64_t partial;                  /* answers */
    atomic_uint_least64_t lost, broken, late;       /* late: began more than 1 ms after its time */
    atomic_uint_least64_t refused[STATUSES];        /* by kin_status, or status of HTTP */
};

/* Lines of JSON, made before the start: the same seed gives the same. */
struct lines {
    struct kin_buf text;
    uint64_t *ends;
    size_t count;
};
struct lines_options {
    const char *path;      /* CSV; NULL: invented by number */
    const char *leave_out; /* names of columns, with commas around: ",id,updated," */
    const char *id_column; /* NULL, or gets invented ids */
    size_t count;
    unsigned typos; /* percent of the records that get one */
    uint64_t seed;
};
kin_status lines_make(struct lines *l, const struct lines_options *o, struct kin_err *err);
void lines_deinit(struct lines *l);
/* Request number n of so many lines. */
struct kin_str lines_slice(const struct lines *l, uint64_t n, size_t lines);

struct load {
    const char *address, *secret_file;       /* RPC */
    const char *host, *port, *path, *header; /* HTTP; header: a whole line more, or NULL */
    struct kin_str workflow, source;
    const struct lines *lines;
    size_t batch;                       /* records a request */
    unsigned in_flight;                 /* at most; in all clients together */
    unsigned clients;                   /* connections of RPC, threads of HTTP */
    double rate;                        /* requests a second; 0: closed loop */
    bool put, wait;                     /* PUT instead of LOOKUP */
    uint64_t begin_ns, warm_ns, end_ns; /* until begin: connects; until warm: not counted */
    struct tally *tally;
    atomic_uint_least64_t next; /* number of the next request; open loop: begin + next / rate */
};
/* The time at which request n is due; closed loop: now. */
static inline uint64_t load_due(const struct load *l, uint64_t n)
{
    return l->rate > 0 ? l->begin_ns + (uint64_t)((double)n / l->rate * 1e9) : now_ns();
}
/* An answer: what is in its lines. */
void load_answered(struct load *l, uint64_t due_ns, uint64_t began_ns, struct kin_str answer);

/* Both run until end_ns; own threads. KIN_E_IO: no connection. */
kin_status load_rpc(struct load *l, struct kin_err *err);
kin_status load_http(struct load *l, struct kin_err *err);

/* A trivial responder, until the process ends: what the generator itself can do is measured against
 * it. */
kin_status serve_rpc(const char *address, struct kin_err *err);
kin_status serve_http(const char *port, struct kin_err *err);

#endif
