#include "coordinator/gateway/metrics.h"

#include "common/record/reader.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdatomic.h>

enum { BUCKETS = 15, STATUSES = 22 };

/* upper bounds, in microseconds */
static const uint32_t bounds[BUCKETS] = {100,    250,    500,     1000,    2500,
                                         5000,   10000,  25000,   50000,   100000,
                                         250000, 500000, 1000000, 5000000, 30000000};
/* those that are counted by themselves; the last one is for all others */
static const uint16_t statuses[STATUSES] = {200, 201, 204, 400, 401, 403, 404, 405, 408, 409, 411,
                                            413, 421, 429, 431, 500, 501, 503, 504, 507, 0,   999};

struct route_counts {
    _Atomic uint64_t by_status[STATUSES];
    _Atomic uint64_t by_bucket[BUCKETS + 1];
    _Atomic uint64_t sum_us;
};

struct metrics {
    const char *const *names;
    unsigned routes;
    _Atomic int64_t in_flight;
    struct route_counts counts[];
};

kin_status metrics_new(const char *const *names, unsigned routes, struct metrics **out)
{
    struct metrics *m = kin_calloc(1, sizeof *m + routes * sizeof *m->counts);
    if (!m)
        return KIN_E_NOMEM;
    m->names = names;
    m->routes = routes;
    *out = m;
    return KIN_OK;
}

void metrics_free(struct metrics *m)
{
    kin_free(m);
}

static void add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void metrics_begin(struct metrics *m)
{
    atomic_fetch_add_explicit(&m->in_flight, 1, memory_order_relaxed);
}

void metrics_end(struct metrics *m, unsigned route, unsigned status, uint64_t took_us)
{
    struct route_counts *c = &m->counts[route];
    unsigned s = 0, b = 0;
    while (s < STATUSES - 1 && statuses[s] != status)
        s++;
    while (b < BUCKETS && took_us > bounds[b])
        b++;
    add(&c->by_status[s], 1);
    add(&c->by_bucket[b], 1);
    add(&c->sum_us, took_us);
    atomic_fetch_sub_explicit(&m->in_flight, 1, memory_order_relaxed);
}

/* ---- printing ---- */

static void head(struct kin_buf *out, const char *name, const char *type, const char *help)
{
    kin_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void print_requests(const struct metrics *m, struct kin_buf *out)
{
    head(out, "kindred_http_requests_total", "counter",
         "Requests by route and status; status 0: the client went before there was an answer.");
    for (unsigned r = 0; r < m->routes; r++) {
        for (unsigned s = 0; s < STATUSES; s++) {
            uint64_t n = load(&m->counts[r].by_status[s]);
            if (n)
                kin_buf_printf(
                    out, "kindred_http_requests_total{route=\"%s\",status=\"%u\"} %" PRIu64 "\n",
                    m->names[r], statuses[s], n);
        }
    }
}

static void print_histogram(const struct metrics *m, unsigned r, struct kin_buf *out)
{
    static const char name[] = "kindred_http_request_duration_seconds";
    const struct route_counts *c = &m->counts[r];
    uint64_t n = 0;
    for (unsigned b = 0; b < BUCKETS; b++) {
        n += load(&c->by_bucket[b]);
        kin_buf_printf(out, "%s_bucket{route=\"%s\",le=\"%u.%06u\"} %" PRIu64 "\n", name,
                       m->names[r], bounds[b] / 1000000, bounds[b] % 1000000, n);
    }
    n += load(&c->by_bucket[BUCKETS]);
    uint64_t sum = load(&c->sum_us);
    kin_buf_printf(out, "%s_bucket{route=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, m->names[r], n);
    kin_buf_printf(out, "%s_sum{route=\"%s\"} %" PRIu64 ".%06" PRIu64 "\n", name, m->names[r],
                   sum / 1000000, sum % 1000000);
    kin_buf_printf(out, "%s_count{route=\"%s\"} %" PRIu64 "\n", name, m->names[r], n);
}

void metrics_print(const struct metrics *m, struct kin_buf *out)
{
    print_requests(m, out);
    head(out, "kindred_http_request_duration_seconds", "histogram",
         "Time from a request's first line to the end of its answer.");
    for (unsigned r = 0; r < m->routes; r++) {
        uint64_t any = 0;
        for (unsigned b = 0; b <= BUCKETS; b++)
            any += load(&m->counts[r].by_bucket[b]);
        if (any)
            print_histogram(m, r, out);
    }
    head(out, "kindred_http_requests_in_flight", "gauge", "Requests that are being answered.");
    kin_buf_printf(out, "kindred_http_requests_in_flight %" PRId64 "\n",
                   atomic_load_explicit(&m->in_flight, memory_order_relaxed));
}

/* ---- what STATUS says ---- */

static json_t *parse(struct kin_str json)
{
    json_t *root = json_loadb(json.p ? json.p : "", json.n, JSON_REJECT_DUPLICATES, NULL);
    if (root && json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

static uint64_t number(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    if (json_is_boolean(v))
        return json_is_true(v);
    json_int_t n = json_integer_value(v);
    return n > 0 ? (uint64_t)n : 0;
}

static void plain(const json_t *root, const char *key, const char *name, const char *help,
                  struct kin_buf *out)
{
    head(out, name, "gauge", help);
    kin_buf_printf(out, "%s %" PRIu64 "\n", name, number(root, key));
}

static void put_label(struct kin_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            kin_buf_puts(out, "\\n");
        else if (*text == '"' || *text == '\\')
            kin_buf_printf(out, "\\%c", *text);
        else
            kin_buf_putc(out, *text);
    }
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void print_live(const json_t *live, struct kin_buf *out)
{
    static const struct {
        const char *key, *name, *help;
    } gauges[] = {
        {"records", "kindred_live_records", "Records that are served."},
        {"groups", "kindred_live_groups", "MatchGroups that are served."},
        {"batch", "kindred_live_batch", "Number of the last batch that was applied."},
        {"pending", "kindred_live_pending", "Records that are durable and not applied yet."},
        {"changes", "kindred_live_changes", "Number of the last event of the change feed."},
        {"partial", "kindred_live_partial", "1: a worker is away, and answers may lack something."},
        {"windowed", "kindred_live_windowed", "Records with a key that too many others have."},
        {"deferred", "kindred_live_deferred", "Records of groups too large to be split at once."},
    };
    for (size_t g = 0; g < sizeof gauges / sizeof *gauges; g++) {
        size_t i;
        const json_t *o;
        head(out, gauges[g].name, "gauge", gauges[g].help);
        json_array_foreach(live, i, o)
        {
            kin_buf_printf(out, "%s{workflow=\"", gauges[g].name);
            put_label(out, text_of(o, "workflow"));
            kin_buf_printf(out, "\"} %" PRIu64 "\n", number(o, gauges[g].key));
        }
    }
}

bool metrics_print_status(struct kin_str json, struct kin_buf *out)
{
    json_t *root = parse(json);
    if (!root)
        return false;
    plain(root, "workers_joined", "kindred_workers_joined", "Workers that are there.", out);
    plain(root, "workers_wanted", "kindred_workers_wanted", "Workers that a job waits for.", out);
    plain(root, "uptime_ms", "kindred_uptime_milliseconds", "Since the coordinator's start.", out);
    print_live(json_object_get(root, "live"), out);
    json_decref(root);
    return true;
}

bool metrics_is_ready(struct kin_str json, struct kin_buf *why)
{
    json_t *root = parse(json);
    const json_t *o;
    bool ready = root != NULL;
    size_t i;
    if (!root)
        kin_buf_puts(why, "the coordinator's status is not JSON");
    json_array_foreach(json_object_get(root, "live"), i, o)
    {
        if (ready && json_is_true(json_object_get(o, "partial"))) {
            ready = false;
            kin_buf_printf(why, "workflow %s: a worker is away", text_of(o, "workflow"));
        }
    }
    json_decref(root);
    return ready;
}
