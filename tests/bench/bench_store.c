/* How fast the live world and its store are: appended values of 1 MiB with and without fsync, small
 * values in groups, reads, and frames between two nodes of one process. Prints one line each.
 *
 *   bench_store DIRECTORY [megabytes]
 */
#include "common/env/live/live.h"
#include "common/store/lmdb_store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    VALUE_BYTES = 1 << 20,
    IN_FLIGHT = 8,
    SMALL_COUNT = 2000000,
    SMALL_BATCH = 10000,
    READS = 1000000,
    FRAMES = 3000000,
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* of all threads: what a loaded machine leaves comparable */
static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static _Noreturn void die(const struct kin_err *err)
{
    fprintf(stderr, "bench_store: %s\n", err->msg);
    exit(1);
}

static struct kin_store *open_store(const char *dir, const char *name, bool fsync_too)
{
    char path[1024];
    struct kin_err err = {0};
    struct kin_store *store = NULL;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    struct kin_lmdb_options o = {
        .path = path, .map_bytes = UINT64_C(64) << 30, .dbs = 2, .format = 1, .fsync = fsync_too};
    if (kin_lmdb_open(&o, &store, &err))
        die(&err);
    return store;
}

/* ---- large values, through the store thread of a node ---- */

struct loader {
    struct kin_live *live;
    struct kin_env *env;
    uint64_t values, submitted, done;
    struct load_op {
        struct kin_store_op op;
        struct kin_store_put put;
        struct loader *loader;
        uint8_t key[8];
    } ops[IN_FLIGHT];
    char *value;
};

static void load_one(struct load_op *o)
{
    struct loader *l = o->loader;
    if (l->submitted == l->values)
        return;
    kin_put_be64(o->key, l->submitted++);
    o->put = (struct kin_store_put){
        .append = true, .key = {(char *)o->key, 8}, .value = {l->value, VALUE_BYTES}};
    l->env->ops->store(l->env, &o->op);
}

static void load_done(struct kin_store_op *op, kin_status status)
{
    struct load_op *o = (struct load_op *)(void *)op;
    if (status) {
        fprintf(stderr, "bench_store: %s\n", kin_status_text(status));
        exit(1);
    }
    if (++o->loader->done == o->loader->values)
        kin_live_stop(o->loader->live);
    else
        load_one(o);
}

static void *load_boot(struct kin_env *env, void *args)
{
    struct loader *l = args;
    l->env = env;
    for (size_t i = 0; i < IN_FLIGHT; i++) {
        l->ops[i].loader = l;
        l->ops[i].op = (struct kin_store_op){.puts = &l->ops[i].put, .count = 1, .done = load_done};
        load_one(&l->ops[i]);
    }
    return l;
}

static void no_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    (void)node;
    (void)from;
    (void)frame;
}

static void no_stop(void *node)
{
    (void)node;
}

static void bench_large(const char *dir, const char *name, bool fsync_too, uint64_t values)
{
    static const struct kin_node_ops ops = {load_boot, no_frame, no_stop};
    struct kin_live_options options = {.threads = 1};
    struct kin_err err = {0};
    struct loader *l = calloc(1, sizeof *l);
    l->values = values;
    l->value = malloc(VALUE_BYTES);
    memset(l->value, 'v', VALUE_BYTES);
    if (kin_live_new(&options, &l->live, &err) ||
        kin_live_add(l->live, 0, open_store(dir, name, fsync_too), &ops, l, &err))
        die(&err);
    double start = seconds();
    double cpu = cpu_seconds();
    kin_live_run(l->live);
    double took = seconds() - start;
    printf("append 1 MiB values, %s: %.0f MB/s (%.2f s of processor time a GB)\n", name,
           (double)values * 1.048576 / took,
           (cpu_seconds() - cpu) * 1e3 / ((double)values * 1.048576));
    kin_live_free(l->live);
    free(l->value);
    free(l);
}

/* ---- small values, straight into the store ---- */

static void bench_small(const char *dir)
{
    struct kin_store *store = open_store(dir, "small", false);
    static uint8_t keys[SMALL_BATCH][8];
    static struct kin_store_put puts[SMALL_BATCH];
    static const char value[16] = "0123456789abcde";
    double start = seconds();
    for (uint64_t base = 0; base < SMALL_COUNT; base += SMALL_BATCH) {
        for (uint64_t i = 0; i < SMALL_BATCH; i++) {
            kin_put_be64(keys[i], base + i);
            puts[i] = (struct kin_store_put){
                .append = true, .key = {(char *)keys[i], 8}, .value = {value, sizeof value}};
        }
        struct kin_store_op op = {.puts = puts, .count = SMALL_BATCH};
        store->ops->apply(store, &op);
        if (op.impl_status)
            exit(1);
    }
    double took = seconds() - start;
    printf("append 16 B values, 10 k a batch: %.0f k/s\n", (double)SMALL_COUNT / took / 1e3);

    uint64_t draw = 1;
    uint64_t sum = 0;
    start = seconds();
    for (int i = 0; i < READS; i++) { /* a snapshot each: the worst case */
        struct kin_snap *snap = NULL;
        struct kin_str v = {0};
        uint8_t key[8];
        draw = draw * UINT64_C(6364136223846793005) + 1442695040888963407U;
        kin_put_be64(key, (draw >> 33) % SMALL_COUNT);
        if (store->ops->snap_begin(store, &snap) ||
            store->ops->snap_get(snap, 0, (struct kin_str){(char *)key, 8}, &v))
            exit(1);
        sum += v.n;
        store->ops->snap_end(store, snap);
    }
    took = seconds() - start;
    printf("snapshot + random get: %.0f k/s (%" PRIu64 ")\n", (double)READS / took / 1e3,
           sum / READS);

    struct kin_snap *snap = NULL;
    if (store->ops->snap_begin(store, &snap))
        exit(1);
    uint8_t next[9] = {0};
    struct kin_str at = {(char *)next, 0};
    struct kin_str k = {0};
    struct kin_str v = {0};
    uint64_t seen = 0;
    start = seconds();
    for (; store->ops->snap_seek(snap, 0, at, &k, &v) == KIN_OK; seen++) {
        memcpy(next, k.p, 8); /* the successor of a key is the key and a zero byte */
        at.n = 9;
    }
    took = seconds() - start;
    store->ops->snap_end(store, snap);
    printf("scan by seek: %.0f k/s\n", (double)seen / took / 1e3);

    store->ops->close(store);
    start = seconds();
    double cpu = cpu_seconds();
    store = open_store(dir, "small", false);
    printf("open, with the check of %d entries: %.0f ms (%.0f ms of processor time)\n", SMALL_COUNT,
           (seconds() - start) * 1e3, (cpu_seconds() - cpu) * 1e3);
    store->ops->close(store);
}

/* ---- frames ---- */

struct player {
    struct kin_live *live;
    struct kin_env *env;
    unsigned window;
    uint32_t got;
};

static void serve(struct player *p)
{
    struct kin_frame *f = kin_frame_new(1);
    if (!f)
        exit(1);
    p->env->ops->send(p->env, 1 - p->env->self, f);
}

static void *player_boot(struct kin_env *env, void *args)
{
    struct player *p = args;
    p->env = env;
    for (unsigned i = 0; env->self == 0 && i < p->window; i++)
        serve(p);
    return p;
}

static void player_frame(void *node, kin_node_id from, struct kin_frame *frame)
{
    struct player *p = node;
    (void)from;
    (void)frame;
    if (++p->got == FRAMES / 2)
        kin_live_stop(p->live);
    serve(p);
}

static void bench_frames(unsigned window)
{
    static const struct kin_node_ops ops = {player_boot, player_frame, no_stop};
    struct kin_live_options options = {.threads = 1};
    struct kin_err err = {0};
    struct player players[2] = {{.window = window}, {.window = window}};
    struct kin_live *live = NULL;
    if (kin_live_new(&options, &live, &err))
        die(&err);
    for (kin_node_id i = 0; i < 2; i++) {
        players[i].live = live;
        if (kin_live_add(live, i, NULL, &ops, &players[i], &err))
            die(&err);
    }
    double start = seconds();
    kin_live_run(live);
    double took = seconds() - start;
    printf("frames between two nodes, %u in flight: %.1f M/s\n", window,
           (players[0].got + players[1].got) / took / 1e6);
    kin_live_free(live);
}

/* ---- tasks ---- */

struct tasker {
    struct kin_live *live;
    struct kin_env *env;
    uint32_t done;
    struct task_one {
        struct kin_work work;
        struct tasker *tasker;
    } tasks[64];
};

static void task_run(struct kin_env *env, struct kin_work *w)
{
    (void)env;
    (void)w;
}

static void task_done(struct kin_work *w)
{
    struct tasker *t = ((struct task_one *)(void *)w)->tasker;
    if (++t->done == 1000000)
        kin_live_stop(t->live);
    else
        t->env->ops->work(t->env, w);
}

static void *tasker_boot(struct kin_env *env, void *args)
{
    struct tasker *t = args;
    t->env = env;
    for (size_t i = 0; i < 64; i++) {
        t->tasks[i] = (struct task_one){{.run = task_run, .done = task_done}, t};
        env->ops->work(env, &t->tasks[i].work);
    }
    return t;
}

static void bench_tasks(void)
{
    static const struct kin_node_ops ops = {tasker_boot, no_frame, no_stop};
    struct kin_live_options options = {.threads = 2};
    struct kin_err err = {0};
    struct tasker t = {0};
    if (kin_live_new(&options, &t.live, &err) || kin_live_add(t.live, 0, NULL, &ops, &t, &err))
        die(&err);
    double start = seconds();
    kin_live_run(t.live);
    printf("empty tasks, 64 in flight, 2 threads: %.0f k/s\n", t.done / (seconds() - start) / 1e3);
    kin_live_free(t.live);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench_store DIRECTORY [megabytes]\n");
        return 2;
    }
    uint64_t megabytes = argc > 2 ? strtoull(argv[2], NULL, 10) : 1024;
    bench_frames(1);
    bench_frames(256);
    bench_tasks();
    bench_small(argv[1]);
    bench_large(argv[1], "no fsync", false, megabytes);
    bench_large(argv[1], "fsync", true, megabytes);
    return 0;
}
