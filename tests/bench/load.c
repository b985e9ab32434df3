/* bench_load: drives a cluster that serves, and tells how it bears it. Run it with --help. */
#include "tests/bench/load.h"

#include "client/cluster_options.h"

#include <getopt.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const char help[] =
    "usage: bench_load --rpc URL | --http HOST:PORT [OPTIONS]\n"
    "       bench_load --serve-rpc URL | --serve-http PORT     a trivial responder\n"
    "\n"
    "Latency is from the time at which a request was due to the end of its answer: in an open "
    "loop\n"
    "(--rate) a request that has to wait because the system is slow is as late as it is.\n"
    "\n"
    "  --in-flight N       requests under way at once (default 1)\n"
    "  --batch N           records a request (default 1)\n"
    "  --rate N            requests a second, as long as --in-flight allows; default: closed "
    "loop,\n"
    "                      each answer brings the next request\n"
    "  --seconds S         that are measured (default 10); --warm-up S before (default 2)\n"
    "  --clients N         connections over RPC, threads over HTTP (default 1)\n"
    "  --records FILE      CSV of the records to be looked up; default: invented by number\n"
    "  --records-max N     so many of them (default 100000)\n"
    "  --leave-out A,B     columns that are no fields (default id,updated)\n"
    "  --typos PERCENT     of the records get one (default 0)\n"
    "  --workflow NAME --source NAME --secret-file FILE\n"
    "  --path PATH         of HTTP (default /v1/-/lookup); --header LINE: one more\n"
    "  --put-rate N        PUT requests a second beside, over --put-rpc URL (default: --rpc)\n"
    "  --put-batch N       records each (default 1000); --put-wait: until they are applied\n"
    "  --put-records FILE  CSV of the records that are put (default: --records); their ids are\n"
    "                      invented by number\n"
    "  --put-source NAME --id-column NAME (default id) --put-in-flight N (default 64)\n"
    "  --json              the result as JSON\n";

enum {
    O_RPC = 256,
    O_HTTP,
    O_SERVE_RPC,
    O_SERVE_HTTP,
    O_IN_FLIGHT,
    O_BATCH,
    O_RATE,
    O_SECONDS,
    O_WARM_UP,
    O_CLIENTS,
    O_RECORDS,
    O_RECORDS_MAX,
    O_LEAVE_OUT,
    O_TYPOS,
    O_WORKFLOW,
    O_SOURCE,
    O_SECRET,
    O_PATH,
    O_HEADER,
    O_PUT_RATE,
    O_PUT_RPC,
    O_PUT_BATCH,
    O_PUT_WAIT,
    O_PUT_SOURCE,
    O_PUT_RECORDS,
    O_ID_COLUMN,
    O_PUT_IN_FLIGHT,
    O_JSON
};

static const struct option options[] = {{"rpc", 1, NULL, O_RPC},
                                        {"http", 1, NULL, O_HTTP},
                                        {"serve-rpc", 1, NULL, O_SERVE_RPC},
                                        {"serve-http", 1, NULL, O_SERVE_HTTP},
                                        {"in-flight", 1, NULL, O_IN_FLIGHT},
                                        {"batch", 1, NULL, O_BATCH},
                                        {"rate", 1, NULL, O_RATE},
                                        {"seconds", 1, NULL, O_SECONDS},
                                        {"warm-up", 1, NULL, O_WARM_UP},
                                        {"clients", 1, NULL, O_CLIENTS},
                                        {"records", 1, NULL, O_RECORDS},
                                        {"records-max", 1, NULL, O_RECORDS_MAX},
                                        {"leave-out", 1, NULL, O_LEAVE_OUT},
                                        {"typos", 1, NULL, O_TYPOS},
                                        {"workflow", 1, NULL, O_WORKFLOW},
                                        {"source", 1, NULL, O_SOURCE},
                                        {"secret-file", 1, NULL, O_SECRET},
                                        {"path", 1, NULL, O_PATH},
                                        {"header", 1, NULL, O_HEADER},
                                        {"put-rate", 1, NULL, O_PUT_RATE},
                                        {"put-rpc", 1, NULL, O_PUT_RPC},
                                        {"put-batch", 1, NULL, O_PUT_BATCH},
                                        {"put-wait", 0, NULL, O_PUT_WAIT},
                                        {"put-source", 1, NULL, O_PUT_SOURCE},
                                        {"put-records", 1, NULL, O_PUT_RECORDS},
                                        {"id-column", 1, NULL, O_ID_COLUMN},
                                        {"put-in-flight", 1, NULL, O_PUT_IN_FLIGHT},
                                        {"json", 0, NULL, O_JSON},
                                        {"help", 0, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

struct settings {
    struct load lookup, put;
    struct lines_options lookups, puts;
    const char *serve_rpc, *serve_http;
    char *http;
    struct kin_buf leave_out;
    double seconds, warm_up;
    bool json;
};

static bool take_number(int c, struct settings *s)
{
    static const struct {
        int option;
        const char *name;
        unsigned long max;
    } known[] = {{O_IN_FLIGHT, "in-flight", IN_FLIGHT_MAX},
                 {O_PUT_IN_FLIGHT, "put-in-flight", IN_FLIGHT_MAX},
                 {O_BATCH, "batch", 4096},
                 {O_PUT_BATCH, "put-batch", 4096},
                 {O_CLIENTS, "clients", CLIENTS_MAX},
                 {O_RECORDS_MAX, "records-max", 100000000},
                 {O_TYPOS, "typos", 100}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        unsigned long n;
        if (known[i].option != c)
            continue;
        if (!kin_cluster_number(known[i].name, optarg, known[i].max, &n))
            exit(2); // NOLINT(concurrency-mt-unsafe): there is one thread yet
        if (c == O_IN_FLIGHT)
            s->lookup.in_flight = (unsigned)n;
        else if (c == O_PUT_IN_FLIGHT)
            s->put.in_flight = (unsigned)n;
        else if (c == O_BATCH)
            s->lookup.batch = n;
        else if (c == O_PUT_BATCH)
            s->put.batch = n;
        else if (c == O_CLIENTS)
            s->lookup.clients = (unsigned)n;
        else if (c == O_RECORDS_MAX)
            s->lookups.count = s->puts.count = n;
        else
            s->lookups.typos = s->puts.typos = (unsigned)n;
        return true;
    }
    return false;
}

static bool take_text(int c, struct settings *s)
{
    switch (c) {
    case O_RPC:
        s->lookup.address = optarg;
        s->put.address = s->put.address ? s->put.address : optarg;
        return true;
    case O_HTTP:
        s->http = optarg;
        return true;
    case O_SERVE_RPC:
        s->serve_rpc = optarg;
        return true;
    case O_SERVE_HTTP:
        s->serve_http = optarg;
        return true;
    case O_RECORDS:
        s->lookups.path = optarg;
        s->puts.path = s->puts.path ? s->puts.path : optarg;
        return true;
    case O_PUT_RECORDS:
        s->puts.path = optarg;
        return true;
    case O_LEAVE_OUT:
        kin_buf_clear(&s->leave_out);
        kin_buf_printf(&s->leave_out, ",%s,", optarg);
        return true;
    case O_WORKFLOW:
        s->lookup.workflow = s->put.workflow = kin_str_of(optarg);
        return true;
    case O_SOURCE:
        s->lookup.source = kin_str_of(optarg);
        return true;
    case O_PUT_SOURCE:
        s->put.source = kin_str_of(optarg);
        return true;
    case O_SECRET:
        s->lookup.secret_file = s->put.secret_file = optarg;
        return true;
    case O_PATH:
        s->lookup.path = optarg;
        return true;
    case O_HEADER:
        s->lookup.header = optarg;
        return true;
    case O_PUT_RPC:
        s->put.address = optarg;
        return true;
    case O_ID_COLUMN:
        s->puts.id_column = optarg;
        return true;
    default:
        return false;
    }
}

static bool take(int c, struct settings *s)
{
    if (take_number(c, s) || take_text(c, s))
        return true;
    if (c == O_RATE)
        s->lookup.rate = strtod(optarg, NULL);
    else if (c == O_PUT_RATE)
        s->put.rate = strtod(optarg, NULL);
    else if (c == O_SECONDS)
        s->seconds = strtod(optarg, NULL);
    else if (c == O_WARM_UP)
        s->warm_up = strtod(optarg, NULL);
    else if (c == O_PUT_WAIT)
        s->put.wait = true;
    else if (c == O_JSON)
        s->json = true;
    else
        return false;
    return true;
}

/* ---- the result ---- */

static uint64_t errors_of(const struct tally *t)
{
    uint64_t n = atomic_load(&t->lost) + atomic_load(&t->broken);
    for (size_t i = 0; i < STATUSES; i++)
        n += atomic_load(&t->refused[i]);
    return n;
}

static double us(const struct tally *t, double share)
{
    return (double)histogram_at(&t->latency, share) / 1000;
}

static void print_table(const char *name, const struct tally *t, double seconds)
{
    printf(
        "%-7s %10.0f requests/s %10.0f records/s   us: p50 %.0f  p99 %.0f  p99.9 %.0f  max %.0f\n",
        name, (double)atomic_load(&t->requests) / seconds,
        (double)atomic_load(&t->records) / seconds, us(t, 0.5), us(t, 0.99), us(t, 0.999),
        (double)atomic_load(&t->latency.max) / 1000);
    printf("        %llu answered, %.1f %% found, %llu partial, %llu began late; %llu errors",
           (unsigned long long)atomic_load(&t->requests),
           100.0 * (double)atomic_load(&t->found) /
               (double)(atomic_load(&t->records) ? atomic_load(&t->records) : 1),
           (unsigned long long)atomic_load(&t->partial), (unsigned long long)atomic_load(&t->late),
           (unsigned long long)errors_of(t));
    if (atomic_load(&t->lost))
        printf(", lost %llu", (unsigned long long)atomic_load(&t->lost));
    if (atomic_load(&t->broken))
        printf(", broken connections %llu", (unsigned long long)atomic_load(&t->broken));
    for (size_t i = 0; i < STATUSES; i++) {
        if (atomic_load(&t->refused[i]))
            printf(", status %zu (%s) %llu", i, i < 100 ? kin_status_text((kin_status)i) : "HTTP",
                   (unsigned long long)atomic_load(&t->refused[i]));
    }
    putchar('\n');
}

static void print_json(const char *name, const struct tally *t, double seconds)
{
    const char *comma = "";
    printf("\"%s\":{\"requests_per_s\":%.1f,\"records_per_s\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"p999_us\":%.1f,\"max_us\":%.1f,\"answered\":%llu,\"found\":%llu,\"partial\":%llu,"
           "\"late\":%llu,\"lost\":%llu,\"broken\":%llu,\"refused\":{",
           name, (double)atomic_load(&t->requests) / seconds,
           (double)atomic_load(&t->records) / seconds, us(t, 0.5), us(t, 0.99), us(t, 0.999),
           (double)atomic_load(&t->latency.max) / 1000,
           (unsigned long long)atomic_load(&t->requests),
           (unsigned long long)atomic_load(&t->found), (unsigned long long)atomic_load(&t->partial),
           (unsigned long long)atomic_load(&t->late), (unsigned long long)atomic_load(&t->lost),
           (unsigned long long)atomic_load(&t->broken));
    for (size_t i = 0; i < STATUSES; i++) {
        if (!atomic_load(&t->refused[i]))
            continue;
        printf("%s\"%zu\":%llu", comma, i, (unsigned long long)atomic_load(&t->refused[i]));
        comma = ",";
    }
    printf("}}");
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void print(const struct settings *s, double cpu)
{
    const struct load *l = &s->lookup;
    if (s->json) {
        printf("{\"over\":\"%s\",\"in_flight\":%u,\"batch\":%zu,\"rate\":%.1f,\"seconds\":%.1f,"
               "\"generator_cpu_share\":%.3f,",
               s->http ? "http" : "rpc", l->in_flight, l->batch, l->rate, s->seconds, cpu);
        print_json("lookup", l->tally, s->seconds);
        if (s->put.rate > 0) {
            putchar(',');
            print_json("put", s->put.tally, s->seconds);
        }
        puts("}");
        return;
    }
    printf("%s, %u in flight, %zu records a request, %s; generator: %.2f processors\n",
           s->http ? "HTTP" : "RPC", l->in_flight, l->batch,
           l->rate > 0 ? "open loop" : "closed loop", cpu);
    print_table("lookup", l->tally, s->seconds);
    if (s->put.rate > 0)
        print_table("put", s->put.tally, s->seconds);
}

/* ---- running ---- */

static void *run_put(void *arg)
{
    struct kin_err err = {0};
    if (load_rpc(arg, &err) != KIN_OK)
        fprintf(stderr, "bench_load: put: %s\n", err.msg);
    return NULL;
}

static int fail(const char *text)
{
    fprintf(stderr, "bench_load: %s\n", text);
    return 1;
}

static kin_status make_lines(struct settings *s, struct lines *lookups, struct lines *puts,
                             struct kin_err *err)
{
    kin_buf_putc(&s->leave_out, '\0');
    s->lookups.leave_out = (const char *)s->leave_out.p;
    kin_status status = lines_make(lookups, &s->lookups, err);
    if (status == KIN_OK && s->put.rate > 0)
        status = lines_make(puts, &s->puts, err);
    if (status == KIN_OK &&
        (lookups->count < s->lookup.batch || (s->put.rate > 0 && puts->count < s->put.batch)))
        status = kin_err_set(err, KIN_E_INVAL, "fewer records than one request has");
    s->lookup.lines = lookups;
    s->put.lines = puts;
    return status;
}

static int run(struct settings *s)
{
    static struct tally lookup_tally, put_tally;
    struct lines lookups = {0}, puts = {0};
    struct kin_err err = {0};
    pthread_t putter;
    if (make_lines(s, &lookups, &puts, &err) != KIN_OK)
        return fail(err.msg);
    uint64_t begin = now_ns() + 500000000; /* for the connections to be made */
    struct load *both[] = {&s->lookup, &s->put};
    for (size_t i = 0; i < 2; i++) {
        both[i]->begin_ns = begin;
        both[i]->warm_ns = begin + (uint64_t)(s->warm_up * 1e9);
        both[i]->end_ns = both[i]->warm_ns + (uint64_t)(s->seconds * 1e9);
    }
    s->lookup.tally = &lookup_tally;
    s->put.tally = &put_tally;
    bool puts_too = s->put.rate > 0 && pthread_create(&putter, NULL, run_put, &s->put) == 0;
    double cpu = cpu_seconds();
    kin_status status = s->http ? load_http(&s->lookup, &err) : load_rpc(&s->lookup, &err);
    if (puts_too)
        pthread_join(putter, NULL);
    if (status != KIN_OK)
        return fail(err.msg);
    print(s, (cpu_seconds() - cpu) / (s->warm_up + s->seconds));
    fflush(stdout);
    _exit(lookup_tally.requests ? 0 : 1); /* connections need no farewell */
}

int main(int argc, char **argv)
{
    struct settings s = {.lookup = {.path = "/v1/-/lookup", .batch = 1, .in_flight = 1},
                         .put = {.put = true, .batch = 1000, .in_flight = 64},
                         .lookups = {.count = 100000, .seed = 1},
                         .puts = {.count = 100000, .seed = 2, .id_column = "id"},
                         .seconds = 10,
                         .warm_up = 2};
    struct kin_err err = {0};
    kin_buf_puts(&s.leave_out, ",id,updated,");
    for (int c; (c = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (c == 'h' || !take(c, &s)) {
            fputs(help, c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    if (sodium_init() < 0)
        return fail("libsodium cannot be used");
    if (s.serve_rpc || s.serve_http) {
        (void)!(s.serve_rpc ? serve_rpc(s.serve_rpc, &err) : serve_http(s.serve_http, &err));
        return fail(err.msg);
    }
    char *colon = s.http ? strrchr(s.http, ':') : NULL;
    if (colon) {
        *colon = '\0';
        s.lookup.host = s.http;
        s.lookup.port = colon + 1;
    }
    if (!colon && !s.lookup.address) {
        fputs(help, stderr);
        return 2;
    }
    return run(&s);
}
