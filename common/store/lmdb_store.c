#include "common/store/lmdb_impl.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
    MAP_BYTES_MIN = 16 << 20,
    READERS_MAX = 512,
    READER_CHECK_S = 60,
    FULL_SLACK_BYTES = 1 << 20,
};

/* In the unnamed tree, beside the trees "0".."7": the core's format number, 8 bytes. */
static const char format_key[] = "format";

/* A read transaction that outlives its snapshot: resetting and renewing it costs a tenth of a new
 * one, and so do its cursors. */
struct kin_snap {
    struct kin_snap *next;
    MDB_txn *txn;
    MDB_cursor *cursors[KIN_DBS_MAX];
    bool current[KIN_DBS_MAX]; /* the cursor belongs to this life of txn */
    const struct lmdb_store *store;
};

struct lmdb_store {
    struct kin_store store; /* first */
    struct kin_lmdb_dir dir;
    char *path;
    MDB_env *env;
    MDB_dbi dbi[KIN_DBS_MAX];
    unsigned dbs;
    bool fsync;
    const bool *discard;
    time_t readers_checked_s;

    pthread_mutex_t lock; /* guards the two below */
    struct kin_snap *free_snaps;
    size_t snaps_out;
};

/* ---- codes ---- */

kin_status kin_lmdb_status(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return KIN_OK;
    case MDB_NOTFOUND:
    case ENOENT:
        return KIN_E_NOTFOUND;
    case MDB_MAP_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return KIN_E_FULL;
    case MDB_CORRUPTED:
    case MDB_INVALID:
    case MDB_PAGE_NOTFOUND:
    case MDB_INCOMPATIBLE:
        return KIN_E_CORRUPT;
    case MDB_VERSION_MISMATCH:
        return KIN_E_VERSION;
    case MDB_KEYEXIST: /* MDB_APPEND, and the key is not the greatest */
    case MDB_BAD_VALSIZE:
    case EINVAL:
        return KIN_E_INVAL;
    case MDB_TXN_FULL:
    case MDB_READERS_FULL:
        return KIN_E_LIMIT;
    case ENOMEM:
        return KIN_E_NOMEM;
    default:
        return KIN_E_IO;
    }
}

kin_status kin_lmdb_fail_at(struct kin_err *err, int rc, const char *where, const char *path,
                            const char *what)
{
    char text[128];
    const char *why = rc > 0 ? strerror_r(rc, text, sizeof text) : mdb_strerror(rc);
    kin_status status = kin_lmdb_status(rc);
    kin_err_set_at(err, status, where, "%s: %s: %s", path, what, why);
    if (err)
        err->sys = rc;
    return status;
}

/* ---- snapshots ---- */

static struct lmdb_store *store_of(struct kin_store *store)
{
    return (struct lmdb_store *)(void *)store;
}

static void snap_free(struct kin_snap *snap)
{
    for (unsigned i = 0; i < KIN_DBS_MAX; i++) {
        if (snap->cursors[i])
            mdb_cursor_close(snap->cursors[i]);
    }
    if (snap->txn)
        mdb_txn_abort(snap->txn);
    kin_free(snap);
}

static kin_status snap_begin(struct kin_store *store, struct kin_snap **out)
{
    struct lmdb_store *s = store_of(store);
    pthread_mutex_lock(&s->lock);
    struct kin_snap *snap = s->free_snaps;
    if (snap)
        s->free_snaps = snap->next;
    s->snaps_out++;
    pthread_mutex_unlock(&s->lock);
    int rc = 0;
    if (snap) {
        rc = mdb_txn_renew(snap->txn);
        memset(snap->current, 0, sizeof snap->current);
    } else {
        snap = kin_calloc(1, sizeof *snap);
        rc = snap ? mdb_txn_begin(s->env, NULL, MDB_RDONLY, &snap->txn) : ENOMEM;
    }
    if (rc) {
        if (snap)
            snap_free(snap);
        pthread_mutex_lock(&s->lock);
        s->snaps_out--;
        pthread_mutex_unlock(&s->lock);
        return kin_lmdb_status(rc);
    }
    snap->store = s;
    *out = snap;
    return KIN_OK;
}

static void snap_end(struct kin_store *store, struct kin_snap *snap)
{
    struct lmdb_store *s = store_of(store);
    mdb_txn_reset(snap->txn);
    pthread_mutex_lock(&s->lock);
    snap->next = s->free_snaps;
    s->free_snaps = snap;
    s->snaps_out--;
    pthread_mutex_unlock(&s->lock);
}

/* LMDB's API has no const; it does not write to keys. */
static MDB_val val_of(struct kin_str s)
{
    union {
        const char *in;
        void *out;
    } p = {.in = s.p};
    return (MDB_val){s.n, p.out};
}

static struct kin_str str_of(MDB_val v)
{
    return (struct kin_str){v.mv_data, v.mv_size};
}

static kin_status snap_get(struct kin_snap *snap, unsigned db, struct kin_str key,
                           struct kin_str *value)
{
    if (db >= snap->store->dbs || key.n == 0 || key.n > KIN_STORE_KEY_MAX)
        return KIN_E_INVAL;
    MDB_val k = val_of(key);
    MDB_val v;
    int rc = mdb_get(snap->txn, snap->store->dbi[db], &k, &v);
    if (rc)
        return kin_lmdb_status(rc);
    *value = str_of(v);
    return KIN_OK;
}

static kin_status snap_seek(struct kin_snap *snap, unsigned db, struct kin_str key,
                            struct kin_str *found_key, struct kin_str *value)
{
    if (db >= snap->store->dbs)
        return KIN_E_INVAL;
    int rc = 0;
    MDB_cursor **cursor = &snap->cursors[db];
    if (!*cursor)
        rc = mdb_cursor_open(snap->txn, snap->store->dbi[db], cursor);
    else if (!snap->current[db])
        rc = mdb_cursor_renew(snap->txn, *cursor);
    if (rc)
        return kin_lmdb_status(rc);
    snap->current[db] = true;
    MDB_val k = val_of(key);
    MDB_val v;
    rc = mdb_cursor_get(*cursor, &k, &v, key.n ? MDB_SET_RANGE : MDB_FIRST);
    if (rc)
        return kin_lmdb_status(rc);
    *found_key = str_of(k);
    *value = str_of(v);
    return KIN_OK;
}

/* ---- writing ---- */

static bool op_valid(const struct lmdb_store *s, const struct kin_store_op *op)
{
    for (size_t i = 0; i < op->count; i++) {
        const struct kin_store_put *put = &op->puts[i];
        if (put->db >= s->dbs || put->key.n == 0 || put->key.n > KIN_STORE_KEY_MAX ||
            put->value.n > UINT32_MAX)
            return false;
    }
    return true;
}

static int put_one(const struct lmdb_store *s, MDB_txn *txn, const struct kin_store_put *put)
{
    MDB_val k = val_of(put->key);
    if (!put->value.p) {
        int rc = mdb_del(txn, s->dbi[put->db], &k, NULL);
        return rc == MDB_NOTFOUND ? 0 : rc;
    }
    MDB_val v = val_of(put->value);
    return mdb_put(txn, s->dbi[put->db], &k, &v, put->append ? MDB_APPEND : 0);
}

/* LMDB reports the short write of a full disk as EIO. */
static int explain_eio(const struct lmdb_store *s, int rc, uint64_t bytes)
{
    struct statvfs fs;
    if (rc != EIO || fstatvfs(s->dir.fd, &fs))
        return rc;
    return (uint64_t)fs.f_bavail * fs.f_frsize < bytes + FULL_SLACK_BYTES ? ENOSPC : rc;
}

/* One transaction of the ops from first up to end (not included) that are still to be done:
 * impl_status KIN_OK. 0 or a code: then nothing of it happened. */
static int apply_range(struct lmdb_store *s, struct kin_store_op *first, struct kin_store_op *end)
{
    MDB_txn *txn;
    uint64_t bytes = 0;
    int rc = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (rc)
        return explain_eio(s, rc, 0);
    for (struct kin_store_op *op = first; op != end && !rc; op = op->impl_next) {
        for (size_t i = 0; i < op->count && !rc && op->impl_status == KIN_OK; i++) {
            bytes += op->puts[i].key.n + op->puts[i].value.n;
            rc = put_one(s, txn, &op->puts[i]);
        }
    }
    if (rc)
        mdb_txn_abort(txn);
    else
        rc = mdb_txn_commit(txn); /* frees it, also when it fails */
    return explain_eio(s, rc, bytes);
}

static void check_readers(struct lmdb_store *s)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (s->readers_checked_s && now.tv_sec - s->readers_checked_s < READER_CHECK_S)
        return;
    s->readers_checked_s = now.tv_sec;
    int dead;
    mdb_reader_check(s->env, &dead);
}

static void apply(struct kin_store *store, struct kin_store_op *list)
{
    struct lmdb_store *s = store_of(store);
    check_readers(s);
    for (struct kin_store_op *op = list; op; op = op->impl_next)
        op->impl_status = op_valid(s, op) ? KIN_OK : KIN_E_INVAL;
    int rc = apply_range(s, list, NULL);
    if (!rc || !list)
        return;
    if (!list->impl_next) {
        list->impl_status = list->impl_status ? list->impl_status : kin_lmdb_status(rc);
        return;
    }
    for (struct kin_store_op *op = list; op; op = op->impl_next) {
        if (op->impl_status == KIN_OK)
            op->impl_status = kin_lmdb_status(apply_range(s, op, op->impl_next));
    }
}

/* ---- opening and closing ---- */

static void store_free(struct lmdb_store *s)
{
    while (s->free_snaps) {
        struct kin_snap *next = s->free_snaps->next;
        snap_free(s->free_snaps);
        s->free_snaps = next;
    }
    if (s->env)
        mdb_env_close(s->env);
    kin_lmdb_dir_close(&s->dir);
    pthread_mutex_destroy(&s->lock);
    kin_free(s->path);
    kin_free(s);
}

static void store_close(struct kin_store *store)
{
    struct lmdb_store *s = store_of(store);
    KIN_ASSERT(s->snaps_out == 0);
    /* where this fails the store stays marked as open, and is believed only within this boot */
    bool wanted = !s->discard || !*s->discard;
    if (wanted && !s->fsync && mdb_env_sync(s->env, 1) == 0)
        (void)!kin_lmdb_dir_mark(&s->dir, true, NULL);
    store_free(s);
}

static kin_status env_open(struct lmdb_store *s, const struct kin_lmdb_options *o,
                           struct kin_err *err)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t map = (size_t)(o->map_bytes / page * page);
    int rc = mdb_env_create(&s->env);
    if (rc)
        return kin_lmdb_fail(err, rc, s->path, "cannot make an environment");
    rc = mdb_env_set_mapsize(s->env, map);
    if (!rc)
        rc = mdb_env_set_maxdbs(s->env, KIN_DBS_MAX);
    if (!rc)
        rc = mdb_env_set_maxreaders(s->env, READERS_MAX);
    if (!rc)
        rc = mdb_env_open(s->env, s->path, MDB_NOTLS | (o->fsync ? 0U : MDB_NOSYNC), 0600);
    if (rc) {
        char what[64];
        snprintf(what, sizeof what, "cannot open with a map of %llu MiB",
                 (unsigned long long)(map >> 20));
        return kin_lmdb_fail(err, rc, s->path, what);
    }
    int dead;
    mdb_reader_check(s->env, &dead);
    return KIN_OK;
}

/* The format number is written with the first trees, and compared ever after. */
static kin_status check_format(struct lmdb_store *s, MDB_txn *txn, bool fresh,
                               const struct kin_lmdb_options *o, struct kin_err *err)
{
    uint64_t format = o->format;
    MDB_dbi main_dbi;
    MDB_stat stat;
    int rc = mdb_dbi_open(txn, NULL, 0, &main_dbi);
    if (!rc)
        rc = mdb_stat(txn, main_dbi, &stat);
    if (rc)
        return kin_lmdb_fail(err, rc, s->path, "cannot open the main tree");
    MDB_val k = val_of(kin_str_of(format_key));
    MDB_val v;
    rc = mdb_get(txn, main_dbi, &k, &v);
    if (rc == MDB_NOTFOUND && (fresh || stat.ms_entries == 0)) {
        v = (MDB_val){sizeof format, &format};
        rc = mdb_put(txn, main_dbi, &k, &v, 0);
        return rc ? kin_lmdb_fail(err, rc, s->path, "cannot write the format") : KIN_OK;
    }
    if (rc || v.mv_size != sizeof format)
        return kin_err_set(err, KIN_E_CORRUPT, "%s: not a store of this program", s->path);
    uint64_t found = kin_le64(v.mv_data);
    if (found == format)
        return KIN_OK;
    if (found > format)
        return kin_err_set(err, KIN_E_VERSION,
                           "%s: format %llu, of a newer version; this program reads up to %llu",
                           s->path, (unsigned long long)found, (unsigned long long)format);
    if (!o->format_from || found < o->format_from)
        return kin_err_set(err, KIN_E_VERSION, "%s: format %llu, this program reads %llu", s->path,
                           (unsigned long long)found, (unsigned long long)format);
    v = (MDB_val){sizeof format, &format};
    rc = mdb_put(txn, main_dbi, &k, &v, 0);
    return rc ? kin_lmdb_fail(err, rc, s->path, "cannot write the format") : KIN_OK;
}

static kin_status open_trees(struct lmdb_store *s, const struct kin_lmdb_options *o, bool fresh,
                             struct kin_err *err)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (rc)
        return kin_lmdb_fail(err, rc, s->path, "cannot begin a transaction");
    kin_status st = check_format(s, txn, fresh, o, err);
    for (unsigned i = 0; !st && i < o->dbs; i++) {
        const char name[2] = {(char)('0' + i), '\0'};
        rc = mdb_dbi_open(txn, name, MDB_CREATE, &s->dbi[i]);
        if (rc)
            st = kin_lmdb_fail(err, rc, s->path, "cannot open a tree");
    }
    if (st) {
        mdb_txn_abort(txn);
        return st;
    }
    rc = explain_eio(s, mdb_txn_commit(txn), 0);
    if (!rc && fresh && fsync(s->dir.fd)) /* the new file's name */
        rc = errno;
    return rc ? kin_lmdb_fail(err, rc, s->path, "cannot write") : KIN_OK;
}

/* The state says "open" from before the first write that is not durable until after the last. */
static kin_status open_data(struct lmdb_store *s, const struct kin_lmdb_options *o,
                            struct kin_err *err)
{
    bool fresh = false;
    kin_status st = kin_lmdb_dir_settle(&s->dir, &fresh, err);
    if (!st && !fresh)
        st = kin_lmdb_check(&s->dir, err);
    if (!st && (fresh || !o->fsync))
        st = kin_lmdb_dir_mark(&s->dir, false, err);
    if (!st)
        st = env_open(s, o, err);
    if (!st)
        st = open_trees(s, o, fresh, err);
    if (st || !o->fsync)
        return st;
    int rc = mdb_env_sync(s->env, 1); /* an earlier life may have left commits unsynced */
    return rc ? kin_lmdb_fail(err, rc, s->path, "cannot sync")
              : kin_lmdb_dir_mark(&s->dir, true, err);
}

static const struct kin_store_ops store_ops = {
    .apply = apply,
    .snap_begin = snap_begin,
    .snap_end = snap_end,
    .snap_get = snap_get,
    .snap_seek = snap_seek,
    .close = store_close,
};

kin_status kin_lmdb_open(const struct kin_lmdb_options *options, struct kin_store **out,
                         struct kin_err *err)
{
    if (options->dbs < 1 || options->dbs > KIN_DBS_MAX || options->map_bytes < MAP_BYTES_MIN)
        return kin_err_set(err, KIN_E_INVAL, "%s: a store has 1 to %d trees and at least 16 MiB",
                           options->path, KIN_DBS_MAX);
    struct lmdb_store *s = kin_calloc(1, sizeof *s);
    if (!s)
        return kin_err_set(err, KIN_E_NOMEM, "%s: no memory", options->path);
    s->store.ops = &store_ops;
    s->dbs = options->dbs;
    s->fsync = options->fsync;
    s->discard = options->discard;
    s->dir = (struct kin_lmdb_dir){NULL, -1, -1};
    pthread_mutex_init(&s->lock, NULL);
    s->path = kin_strndup(options->path, strlen(options->path));
    kin_status st = s->path ? kin_lmdb_dir_open(&s->dir, s->path, err)
                            : kin_err_set(err, KIN_E_NOMEM, "%s: no memory", options->path);
    if (!st)
        st = open_data(s, options, err);
    if (st) {
        store_free(s);
        return st;
    }
    *out = &s->store;
    return KIN_OK;
}
