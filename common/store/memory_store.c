#include "common/store/memory_store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* A db is an array of entries sorted by key; an entry has versions, newest first, each with the
 * number of the op that wrote it. A snapshot sees the newest version that is not younger than
 * itself. Versions that nobody can see go when their entry is written to and no snapshot is out. */

struct version {
    struct version *older;
    uint64_t number;
    bool removed;
    struct kin_str value;
    struct kin_frame *frame; /* holds the value; NULL: it lies in copy */
    char copy[];
};

struct entry {
    struct version *newest;
    size_t key_bytes;
    char key[];
};

struct db {
    struct entry **entries;
    size_t count, cap;
};

struct memory_store {
    struct kin_store store;
    pthread_rwlock_t lock; /* written to by apply only */
    unsigned dbs;
    uint64_t number;       /* of the last op */
    atomic_uint snaps_out; /* stable while the lock is held for writing */
    struct db db[KIN_DBS_MAX];
};

struct kin_snap {
    struct memory_store *store;
    uint64_t number;
};

static struct memory_store *store_of(struct kin_store *store)
{
    return (struct memory_store *)(void *)store;
}

static struct kin_str key_of(const struct entry *e)
{
    return (struct kin_str){e->key, e->key_bytes};
}

static void versions_free(struct version *v)
{
    while (v) {
        struct version *older = v->older;
        kin_frame_unref(v->frame);
        kin_free(v);
        v = older;
    }
}

/* The first entry whose key is not below `key`. */
static size_t find(const struct db *db, struct kin_str key)
{
    size_t low = 0, high = db->count;
    if (high && kin_str_cmp(key_of(db->entries[high - 1]), key) < 0)
        return high; /* most writing is appending */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (kin_str_cmp(key_of(db->entries[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool has_key(const struct db *db, size_t at, struct kin_str key)
{
    return at < db->count && kin_str_eq(key_of(db->entries[at]), key);
}

/* ---- snapshots ---- */

static kin_status snap_begin(struct kin_store *store, struct kin_snap **out)
{
    struct memory_store *s = store_of(store);
    struct kin_snap *snap = kin_alloc(sizeof *snap);
    if (!snap)
        return KIN_E_NOMEM;
    pthread_rwlock_rdlock(&s->lock);
    *snap = (struct kin_snap){s, s->number};
    atomic_fetch_add(&s->snaps_out, 1);
    pthread_rwlock_unlock(&s->lock);
    *out = snap;
    return KIN_OK;
}

static void snap_end(struct kin_store *store, struct kin_snap *snap)
{
    struct memory_store *s = store_of(store);
    pthread_rwlock_rdlock(&s->lock);
    atomic_fetch_sub(&s->snaps_out, 1);
    pthread_rwlock_unlock(&s->lock);
    kin_free(snap);
}

/* What the snapshot sees of an entry, or NULL. */
static const struct version *seen(const struct kin_snap *snap, const struct entry *e)
{
    const struct version *v = e->newest;
    while (v && v->number > snap->number)
        v = v->older;
    return v && !v->removed ? v : NULL;
}

static kin_status snap_get(struct kin_snap *snap, unsigned db, struct kin_str key,
                           struct kin_str *value)
{
    struct memory_store *s = snap->store;
    if (db >= s->dbs)
        return KIN_E_INVAL;
    pthread_rwlock_rdlock(&s->lock);
    size_t at = find(&s->db[db], key);
    const struct version *v =
        has_key(&s->db[db], at, key) ? seen(snap, s->db[db].entries[at]) : NULL;
    if (v)
        *value = v->value;
    pthread_rwlock_unlock(&s->lock);
    return v ? KIN_OK : KIN_E_NOTFOUND;
}

static kin_status snap_seek(struct kin_snap *snap, unsigned db, struct kin_str key,
                            struct kin_str *found_key, struct kin_str *value)
{
    struct memory_store *s = snap->store;
    const struct version *v = NULL;
    if (db >= s->dbs)
        return KIN_E_INVAL;
    pthread_rwlock_rdlock(&s->lock);
    for (size_t at = find(&s->db[db], key); !v && at < s->db[db].count; at++) {
        v = seen(snap, s->db[db].entries[at]);
        if (v) {
            *found_key = key_of(s->db[db].entries[at]);
            *value = v->value;
        }
    }
    pthread_rwlock_unlock(&s->lock);
    return v ? KIN_OK : KIN_E_NOTFOUND;
}

/* ---- writing ---- */

/* All that an op needs is allocated before anything of it is done: it happens whole or not. */
struct draft {
    struct version *version;
    struct entry *entry; /* for a key that is not there; freed if it is */
};

static bool in_frame(const struct kin_frame *f, struct kin_str value)
{
    const char *p = f ? (const char *)f->payload.p : NULL;
    return p && value.p >= p && value.p + value.n <= p + f->payload.n;
}

static bool draft_make(struct draft *d, const struct kin_store_op *op,
                       const struct kin_store_put *put)
{
    bool borrowed = in_frame(op->frame, put->value);
    struct version *v = kin_alloc(sizeof *v + (borrowed ? 0 : put->value.n));
    if (!v)
        return false;
    *v = (struct version){.removed = !put->value.p, .value = put->value};
    d->version = v;
    d->entry = kin_alloc(sizeof *d->entry + put->key.n);
    if (!d->entry)
        return false;
    if (borrowed) {
        v->frame = kin_frame_ref(op->frame);
    } else {
        if (put->value.n)
            memcpy(v->copy, put->value.p, put->value.n);
        v->value.p = v->copy;
    }
    d->entry->newest = NULL;
    d->entry->key_bytes = put->key.n;
    memcpy(d->entry->key, put->key.p, put->key.n);
    return true;
}

static void drafts_free(struct draft *drafts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        versions_free(drafts[i].version);
        kin_free(drafts[i].entry);
    }
    kin_free(drafts);
}

static bool reserve(struct db *db, size_t more)
{
    if (db->cap - db->count >= more)
        return true;
    size_t cap = db->cap + db->cap / 2 + more;
    struct entry **entries = kin_reallocarray(db->entries, cap, sizeof(void *));
    if (!entries)
        return false;
    db->entries = entries;
    db->cap = cap;
    return true;
}

static void install(struct memory_store *s, struct db *db, struct draft *d)
{
    size_t at = find(db, key_of(d->entry));
    if (!has_key(db, at, key_of(d->entry))) {
        memmove(db->entries + at + 1, db->entries + at, (db->count - at) * sizeof(void *));
        db->entries[at] = d->entry;
        db->count++;
        d->entry = NULL;
    }
    struct entry *e = db->entries[at];
    d->version->number = s->number;
    d->version->older = e->newest;
    if (atomic_load(&s->snaps_out) == 0) {
        versions_free(e->newest);
        d->version->older = NULL;
    }
    e->newest = d->version;
    d->version = NULL;
}

static kin_status apply_one(struct memory_store *s, const struct kin_store_op *op)
{
    for (size_t i = 0; i < op->count; i++) {
        const struct kin_store_put *put = &op->puts[i];
        if (put->db >= s->dbs || put->key.n == 0 || put->key.n > KIN_STORE_KEY_MAX)
            return KIN_E_INVAL;
    }
    struct draft *drafts = kin_calloc(op->count, sizeof *drafts);
    if (!drafts)
        return KIN_E_NOMEM;
    kin_status status = KIN_OK;
    for (size_t i = 0; i < op->count && status == KIN_OK; i++)
        status = draft_make(&drafts[i], op, &op->puts[i]) ? KIN_OK : KIN_E_NOMEM;
    pthread_rwlock_wrlock(&s->lock);
    for (unsigned db = 0; db < s->dbs && status == KIN_OK; db++)
        status = reserve(&s->db[db], op->count) ? KIN_OK : KIN_E_NOMEM;
    if (status == KIN_OK) {
        s->number++;
        for (size_t i = 0; i < op->count; i++)
            install(s, &s->db[op->puts[i].db], &drafts[i]);
    }
    pthread_rwlock_unlock(&s->lock);
    drafts_free(drafts, op->count);
    return status;
}

static void apply(struct kin_store *store, struct kin_store_op *list)
{
    for (struct kin_store_op *op = list; op; op = op->impl_next)
        op->impl_status = apply_one(store_of(store), op);
}

/* ---- */

static void close_store(struct kin_store *store)
{
    struct memory_store *s = store_of(store);
    KIN_ASSERT(atomic_load(&s->snaps_out) == 0);
    for (unsigned db = 0; db < s->dbs; db++) {
        for (size_t i = 0; i < s->db[db].count; i++) {
            versions_free(s->db[db].entries[i]->newest);
            kin_free(s->db[db].entries[i]);
        }
        kin_free(s->db[db].entries);
    }
    pthread_rwlock_destroy(&s->lock);
    kin_free(s);
}

kin_status kin_memory_store_new(unsigned dbs, struct kin_store **out)
{
    static const struct kin_store_ops ops = {.apply = apply,
                                             .snap_begin = snap_begin,
                                             .snap_end = snap_end,
                                             .snap_get = snap_get,
                                             .snap_seek = snap_seek,
                                             .close = close_store};
    KIN_ASSERT(dbs > 0 && dbs <= KIN_DBS_MAX);
    struct memory_store *s = kin_calloc(1, sizeof *s);
    if (!s)
        return KIN_E_NOMEM;
    s->store.ops = &ops;
    s->dbs = dbs;
    if (pthread_rwlock_init(&s->lock, NULL)) {
        kin_free(s);
        return KIN_E_NOMEM;
    }
    *out = &s->store;
    return KIN_OK;
}
