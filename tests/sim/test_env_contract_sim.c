/* The contract suite on the deterministic world. */
#include "tests/unit/env_contract.h"

#include "tests/sim/world.h"

enum { LOGS_MAX = 64, RUN_LIMIT_US = 600 * 1000 * 1000 };

struct log_seen {
    kin_node_id node;
    char level;
    char event[32];
};

struct world {
    struct kin_sim *sim;
    bool stopped;
    struct log_seen logs[LOGS_MAX];
    size_t log_count;
};

static void world_log(void *arg, kin_node_id node, char level, const char *event, const char *text)
{
    struct world *w = arg;
    (void)text;
    if (w->log_count == LOGS_MAX)
        return;
    struct log_seen *seen = &w->logs[w->log_count++];
    seen->node = node;
    seen->level = level;
    snprintf(seen->event, sizeof seen->event, "%s", event);
}

static struct world *world_open(struct kin_sim_options options)
{
    struct world *w = kin_calloc(1, sizeof *w);
    assert_non_null(w);
    options.log_line = world_log;
    options.log_arg = w;
    w->sim = kin_sim_new(7, &options);
    return w;
}

static void *world_open_one(void)
{
    return world_open((struct kin_sim_options){.threads = 1});
}

static void *world_open_many(void)
{
    return world_open((struct kin_sim_options){.threads = 5, .late_us = {0, 900}});
}

static void *world_open_unordered(void)
{
    return world_open((struct kin_sim_options){.threads = 2, .reorder = 300000});
}

static void world_close(void *world)
{
    struct world *w = world;
    kin_sim_free(w->sim);
    kin_free(w);
}

static void world_add(void *world, kin_node_id id, const struct kin_node_ops *ops, void *args)
{
    kin_sim_add(((struct world *)world)->sim, id, ops, args);
}

static bool world_stopped(void *world)
{
    return ((struct world *)world)->stopped;
}

static void world_run(void *world)
{
    struct world *w = world;
    assert_true(kin_sim_run_until(w->sim, world_stopped, w, RUN_LIMIT_US));
    kin_sim_shutdown(w->sim);
}

static void world_stop(void *world)
{
    ((struct world *)world)->stopped = true;
}

static const char *world_root(void *world)
{
    (void)world;
    return "/disk";
}

static bool world_put_file(void *world, const char *path, const void *p, size_t n)
{
    kin_sim_file_put(((struct world *)world)->sim, path, p, n);
    return true;
}

static bool world_get_file(void *world, const char *path, struct kin_buf *out)
{
    char dir[512];
    snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    *slash = '\0';
    struct kin_str bytes;
    if (!kin_sim_out_get(((struct world *)world)->sim, dir, slash + 1, &bytes))
        return false;
    kin_buf_put(out, bytes.p, bytes.n);
    return true;
}

static size_t world_log_lines(void *world, kin_node_id node, char level, const char *event)
{
    struct world *w = world;
    size_t n = 0;
    for (size_t i = 0; i < w->log_count; i++)
        n += w->logs[i].node == node && w->logs[i].level == level &&
             strcmp(w->logs[i].event, event) == 0;
    return n;
}

static int run_suite(const char *name, bool fifo, void *(*open)(void))
{
    struct env_contract_adapter adapter = {
        .name = name,
        .fifo = fifo,
        .open = open,
        .close = world_close,
        .add = world_add,
        .run = world_run,
        .stop = world_stop,
        .root = world_root,
        .put_file = world_put_file,
        .get_file = world_get_file,
        .log_lines = world_log_lines,
    };
    return env_contract_run(&adapter);
}

int main(void)
{
    return run_suite("simulated world, one thread", true, world_open_one) +
           run_suite("simulated world, late, five threads", true, world_open_many) +
           run_suite("simulated world, frames out of order", false, world_open_unordered);
}
