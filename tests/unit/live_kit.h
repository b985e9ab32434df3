#ifndef KIN_TESTS_LIVE_KIT_H
#define KIN_TESTS_LIVE_KIT_H
/* A live world with a directory of its own, for tests. */
#include "common/env/live/live.h"
#include "common/store/lmdb_store.h"
#include "common/store/memory_store.h"
#include "tests/unit/scratch_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { LOGS_MAX = 64 };

struct log_seen {
    kin_node_id node;
    char level;
    char event[32];
};

struct world {
    struct kin_live *live;
    char root[SCRATCH_PATH];
    struct log_seen logs[LOGS_MAX];
    size_t log_count;
    unsigned stores;
    bool in_memory; /* the stores */
};

static inline void world_log(void *arg, kin_node_id node, char level, const char *event,
                             const char *text)
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

static inline struct world *world_open(unsigned threads)
{
    struct world *w = kin_calloc(1, sizeof *w);
    struct kin_err err = {0};
    struct kin_live_options o = {.threads = threads, .log_line = world_log, .log_arg = w};
    if (!scratch_make(w->root) || kin_live_new(&o, &w->live, &err))
        fail_msg("%s", err.msg);
    return w;
}

static inline void world_close(void *world)
{
    struct world *w = world;
    kin_live_free(w->live);
    scratch_remove(w->root);
    kin_free(w);
}

static inline struct kin_store *world_store(struct world *w)
{
    char path[SCRATCH_PATH + 32];
    struct kin_err err = {0};
    struct kin_store *store = NULL;
    if (w->in_memory) {
        assert_int_equal(kin_memory_store_new(3, &store), KIN_OK);
        return store;
    }
    snprintf(path, sizeof path, "%s/.store-%u", w->root, w->stores++);
    struct kin_lmdb_options o = {.path = path, .map_bytes = 256 << 20, .dbs = 3, .format = 1};
    if (kin_lmdb_open(&o, &store, &err))
        fail_msg("%s", err.msg);
    return store;
}

#endif
