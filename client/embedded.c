#include "client/embedded.h"

#include "common/cli/state_dir.h"
#include "common/env/live/live.h"
#include "common/store/lmdb_store.h"
#include "common/store/memory_store.h"
#include "worker/worker.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

struct run {
    const struct kin_embedded_options *options;
    struct kin_live *live;
    struct kin_coordinator_args coordinator;
    struct kin_worker_args workers[KIN_WORKERS_MAX];
    char names[KIN_WORKERS_MAX][24];
    kin_status status;
    bool done;
    char error[600];
    bool discard; /* the stores are not needed any more: told when they are closed */
};

static void note_records(const struct run *run)
{
    struct kin_progress progress;
    if (!run->options->records || !run->coordinator.self)
        return;
    kin_coordinator_progress(run->coordinator.self, &progress);
    *run->options->records = progress.records;
}

static void on_done(void *arg, kin_status status, const char *error)
{
    struct run *run = arg;
    run->status = status;
    run->done = true;
    run->discard = status == KIN_OK && !run->options->keep;
    snprintf(run->error, sizeof run->error, "%s", error);
    note_records(run);
    if (status == KIN_OK && run->options->on_report)
        run->options->on_report(run->options->arg, kin_coordinator_report(run->coordinator.self));
    struct kin_str model, training;
    if (status == KIN_OK && run->options->on_model) {
        kin_coordinator_model(run->coordinator.self, &model, &training);
        if (model.n)
            run->options->on_model(run->options->arg, model, training);
    }
    kin_live_stop(run->live);
}

/* Tasks under way may take long to end. What is durable needs no goodbye: after a moment we just
 * go. */
static void leave(int number)
{
    static const char text[] = "\nkindred: stopped at once; the same command goes on there\n";
    (void)number;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(1);
}

static void leave_nothing(int number)
{
    static const char text[] = "\nkindred: stopped at once\n";
    (void)number;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(1);
}

enum { LEAVE_AFTER_S = 2 };

static void on_signal(void *arg, int number)
{
    struct run *run = arg;
    if (!run->done) {
        run->status = KIN_E_CANCELLED;
        note_records(run);
        snprintf(run->error, sizeof run->error, "stopped by signal %d", number);
        signal(SIGALRM, run->options->state_dir ? leave : leave_nothing);
        alarm(LEAVE_AFTER_S);
    }
    kin_live_stop(run->live);
}

static void on_interval(void *arg)
{
    struct run *run = arg;
    struct kin_progress progress;
    if (!run->coordinator.self || run->done)
        return;
    kin_coordinator_progress(run->coordinator.self, &progress);
    run->options->on_progress(run->options->arg, &progress);
}

static kin_status open_store(const struct kin_embedded_options *o, const char *name, unsigned dbs,
                             uint64_t format, const bool *discard, struct kin_store **out,
                             struct kin_err *err)
{
    char path[4200];
    if (!o->state_dir)
        return kin_memory_store_new(dbs, out) == KIN_OK
                   ? KIN_OK
                   : kin_err_set(err, KIN_E_NOMEM, "out of memory");
    snprintf(path, sizeof path, "%s/%s", o->state_dir, name);
    struct kin_lmdb_options lmdb = {.path = path,
                                    .map_bytes = o->map_bytes ? o->map_bytes : (uint64_t)1 << 40,
                                    .dbs = dbs,
                                    .format = format,
                                    .fsync = o->fsync,
                                    .discard = discard};
    return kin_lmdb_open(&lmdb, out, err);
}

static kin_status add_nodes(struct run *run, struct kin_err *err)
{
    const struct kin_embedded_options *o = run->options;
    struct kin_store *store;
    kin_status status = open_store(o, "coordinator", KIN_COORDINATOR_DBS,
                                   KIN_COORDINATOR_STORE_FORMAT, &run->discard, &store, err);
    if (status == KIN_OK)
        status = kin_live_add(run->live, KIN_COORDINATOR, store, &kin_coordinator_ops,
                              &run->coordinator, err);
    for (unsigned w = 0; w < run->coordinator.workers && status == KIN_OK; w++) {
        snprintf(run->names[w], sizeof run->names[w], "worker-%u", w + 1);
        run->workers[w].name = run->names[w];
        status = open_store(o, run->names[w], KIN_WORKER_DBS, KIN_WORKER_STORE_FORMAT,
                            &run->discard, &store, err);
        if (status == KIN_OK)
            status = kin_live_add(run->live, w + 1, store, &kin_worker_ops, &run->workers[w], err);
    }
    return status;
}

kin_status kin_embedded_run(const struct kin_embedded_options *options, struct kin_err *err)
{
    struct run *run = kin_calloc(1, sizeof *run);
    int lock = -1;
    if (!run)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    run->options = options;
    run->coordinator =
        (struct kin_coordinator_args){.workers = options->workers ? options->workers : 1,
                                      .job = options->job,
                                      .on_done = on_done,
                                      .arg = run};
    /* nodes of one process cannot lose each other: a long lease, for a machine that sleeps */
    run->coordinator.lease_ms = 60 * 1000;
    struct kin_live_options live = {
        .threads = options->threads, .log_line = options->log_line, .log_arg = options->arg};
    kin_status status =
        options->state_dir ? kin_state_dir_lock(options->state_dir, &lock, err) : KIN_OK;
    if (status == KIN_OK)
        status = kin_live_new(&live, &run->live, err);
    if (status == KIN_OK) {
        status = add_nodes(run, err);
        if (status == KIN_E_CORRUPT || status == KIN_E_VERSION)
            kin_err_wrap(err, status, "the state cannot be used; remove %s to begin anew",
                         options->state_dir);
    }
    if (status == KIN_OK)
        status = kin_live_on_signal(run->live, on_signal, run);
    if (status == KIN_OK && options->on_progress)
        status = kin_live_every(run->live, 100, on_interval, run);
    if (status == KIN_OK) {
        if (options->started)
            *options->started = true;
        kin_live_run(run->live);
        status = run->status;
        if (status != KIN_OK)
            kin_err_set(err, status, "%s", run->error);
    }
    if (run->live)
        kin_live_free(run->live);
    if (lock >= 0)
        close(lock);
    kin_free(run);
    return status;
}
