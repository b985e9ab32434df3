#include "common/base/hash.h"
#include "tests/sim/world_impl.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* Source files and published directories: one disk for all nodes. */

enum { OUT_FILES_MAX = 64 };

struct kin_world_content { /* shared by the file and those who have it open */
    unsigned refs;
    size_t n;
    uint8_t bytes[];
};

struct out_file {
    char *name;
    uint8_t *p;
    size_t n;
    size_t cap;
};

struct out_dir {
    char *path;
    struct out_file files[OUT_FILES_MAX];
    size_t count;
};

struct kin_world_published {
    struct out_dir *dir;
    struct kin_world_published *next;
};

struct kin_source_handle {
    struct kin_world_node *node;
    struct kin_world_content *content;
    size_t at;
    struct kin_source_handle *next;
};

struct kin_out {
    struct kin_world_node *node;
    struct out_dir *dir;
    struct kin_out *next;
};

/* ---- source files, from outside ---- */

static void content_unref(struct kin_world_content *c)
{
    if (--c->refs == 0)
        free(c);
}

/* The place of path in the sorted list; *found tells whether it is there. */
static size_t place_of(const struct kin_sim *sim, const char *path, bool *found)
{
    size_t low = 0;
    size_t high = sim->file_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(sim->files[middle].path, path) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < sim->file_count && strcmp(sim->files[low].path, path) == 0;
    return low;
}

void kin_sim_file_put(struct kin_sim *sim, const char *path, const void *p, size_t n)
{
    bool found;
    size_t i = place_of(sim, path, &found);
    if (found) {
        content_unref(sim->files[i].content);
    } else {
        sim->files = kin_world_grow(sim->files, (sim->file_count + 1) * sizeof *sim->files);
        memmove(&sim->files[i + 1], &sim->files[i], (sim->file_count - i) * sizeof *sim->files);
        sim->file_count++;
        sim->files[i].path = kin_world_copy(path, strlen(path));
    }
    struct kin_world_content *c = kin_world_alloc(sizeof *c + n);
    c->refs = 1;
    c->n = n;
    if (n)
        memcpy(c->bytes, p, n);
    sim->files[i].content = c;
    sim->files[i].stamp = ++sim->stamps;
}

void kin_sim_file_remove(struct kin_sim *sim, const char *path)
{
    bool found;
    size_t i = place_of(sim, path, &found);
    if (!found)
        return;
    content_unref(sim->files[i].content);
    free(sim->files[i].path);
    sim->file_count--;
    memmove(&sim->files[i], &sim->files[i + 1], (sim->file_count - i) * sizeof *sim->files);
}

/* ---- source files, for tasks ---- */

kin_status kin_world_source_list(struct kin_env *env, const char *pattern,
                                 struct kin_source_list *out, struct kin_err *err)
{
    struct kin_world_node *node = kin_world_node_of(env);
    struct kin_sim *sim = node->sim;
    kin_world_assert_task(node);
    struct kin_source_list list = {0};
    for (size_t i = 0; i < sim->file_count; i++) {
        const struct kin_world_file *f = &sim->files[i];
        if (fnmatch(pattern, f->path, FNM_PATHNAME | FNM_PERIOD))
            continue;
        list.files = kin_world_grow(list.files, (list.count + 1) * sizeof *list.files);
        list.files[list.count++] = (struct kin_source_file){
            kin_world_copy(f->path, strlen(f->path)), f->content->n, f->stamp};
    }
    if (list.count == 0)
        return kin_err_set(err, KIN_E_NOTFOUND, "no file '%s'", pattern);
    *out = list;
    return KIN_OK;
}

kin_status kin_world_source_open(struct kin_env *env, const char *path,
                                 struct kin_source_handle **out, struct kin_err *err)
{
    struct kin_world_node *node = kin_world_node_of(env);
    kin_world_assert_task(node);
    bool found;
    size_t i = place_of(node->sim, path, &found);
    if (!found)
        return kin_err_set(err, KIN_E_NOTFOUND, "cannot open '%s'", path);
    struct kin_source_handle *h = kin_world_alloc(sizeof *h);
    h->node = node;
    h->content = node->sim->files[i].content;
    h->content->refs++;
    h->next = node->sources;
    node->sources = h;
    *out = h;
    return KIN_OK;
}

/* Short reads are allowed, so they happen. */
kin_status kin_world_source_read(struct kin_source_handle *h, uint8_t *to, size_t cap, size_t *got,
                                 struct kin_err *err)
{
    (void)err;
    kin_world_assert_task(h->node);
    size_t n = h->content->n - h->at;
    if (n > cap)
        n = cap;
    if (n > 0 && kin_world_below(&h->node->files, 4) == 0)
        n = 1 + (size_t)kin_world_below(&h->node->files, n);
    if (n)
        memcpy(to, h->content->bytes + h->at, n);
    h->at += n;
    *got = n;
    return KIN_OK;
}

/* In a task, or in the stop of the node. */
void kin_world_source_close(struct kin_source_handle *h)
{
    struct kin_world_node *node = h->node;
    KIN_ASSERT(node->sim->current == node && (node->sim->in_task || node->closing));
    struct kin_source_handle **at = &node->sources;
    while (*at && *at != h)
        at = &(*at)->next;
    KIN_ASSERT(*at); /* closed twice */
    *at = h->next;
    content_unref(h->content);
    free(h);
}

/* ---- output ---- */

static void dir_free(struct out_dir *dir)
{
    for (size_t i = 0; i < dir->count; i++) {
        free(dir->files[i].name);
        free(dir->files[i].p);
    }
    free(dir->path);
    free(dir);
}

/* Without the slashes at its end. */
static char *dir_path(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return kin_world_copy(path, n);
}

static bool is_name(const char *s)
{
    return *s && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 && !strchr(s, '/');
}

kin_status kin_world_out_begin(struct kin_env *env, const char *dir, struct kin_out **result,
                               struct kin_err *err)
{
    struct kin_world_node *node = kin_world_node_of(env);
    kin_world_assert_task(node);
    char *path = dir_path(dir);
    const char *slash = strrchr(path, '/');
    bool is_file;
    place_of(node->sim, path, &is_file);
    kin_status status = KIN_OK;
    if (!is_name(slash ? slash + 1 : path))
        status = kin_err_set(err, KIN_E_INVAL, "'%s' does not name a directory to be made", dir);
    else if (is_file)
        status = kin_err_set(err, KIN_E_EXISTS, "'%s' exists and is not a directory", dir);
    if (status) {
        free(path);
        return status;
    }
    for (const struct kin_out *other = node->outs; other; other = other->next)
        KIN_ASSERT(strcmp(other->dir->path, path) != 0); /* each would spoil the other */
    struct kin_out *out = kin_world_alloc(sizeof *out);
    out->node = node;
    out->dir = kin_world_alloc(sizeof *out->dir);
    out->dir->path = path;
    out->next = node->outs;
    node->outs = out;
    *result = out;
    return KIN_OK;
}

static struct out_file *file_of(struct out_dir *dir, const char *name)
{
    for (size_t i = 0; i < dir->count; i++)
        if (strcmp(dir->files[i].name, name) == 0)
            return &dir->files[i];
    return NULL;
}

kin_status kin_world_out_write(struct kin_out *out, const char *file, const void *p, size_t n,
                               struct kin_err *err)
{
    struct kin_world_node *node = out->node;
    kin_world_assert_task(node);
    if (!is_name(file))
        return kin_err_set(err, KIN_E_INVAL, "'%s' is not a file name", file);
    if (kin_world_chance(&node->files, node->sim->options.out_fail))
        return kin_err_set(err, KIN_E_FULL, "cannot write '%s'", file);
    struct out_file *f = file_of(out->dir, file);
    if (!f) {
        if (out->dir->count == OUT_FILES_MAX)
            return kin_err_set(err, KIN_E_LIMIT, "'%s': more than %d files", out->dir->path,
                               OUT_FILES_MAX);
        f = &out->dir->files[out->dir->count++];
        f->name = kin_world_copy(file, strlen(file));
    }
    if (f->cap - f->n < n) {
        f->cap = f->cap + f->cap / 2 + n + 256;
        f->p = kin_world_grow(f->p, f->cap);
    }
    if (n)
        memcpy(f->p + f->n, p, n);
    f->n += n;
    return KIN_OK;
}

static void forget(struct kin_out *out)
{
    struct kin_out **at = &out->node->outs;
    while (*at && *at != out)
        at = &(*at)->next;
    KIN_ASSERT(*at); /* published or aborted twice */
    *at = out->next;
    free(out);
}

static struct kin_world_published *published_at(struct kin_sim *sim, const char *dir)
{
    char *path = dir_path(dir);
    struct kin_world_published *p = sim->published;
    while (p && strcmp(p->dir->path, path) != 0)
        p = p->next;
    free(path);
    return p;
}

/* What is published can be read as sources are. */
static void show(struct kin_sim *sim, const struct out_dir *dir, bool shown)
{
    for (size_t i = 0; i < dir->count; i++) {
        size_t n = strlen(dir->path), m = strlen(dir->files[i].name);
        char *path = kin_world_alloc(n + m + 2);
        memcpy(path, dir->path, n);
        path[n] = '/';
        memcpy(path + n + 1, dir->files[i].name, m + 1);
        if (shown)
            kin_sim_file_put(sim, path, dir->files[i].p, dir->files[i].n);
        else
            kin_sim_file_remove(sim, path);
        free(path);
    }
}

static uint64_t dir_hash(const struct out_dir *dir)
{
    uint64_t h = kin_hash64(dir->path, strlen(dir->path), 0);
    for (size_t i = 0; i < dir->count; i++) {
        h = kin_hash64(dir->files[i].name, strlen(dir->files[i].name), h);
        h = kin_hash64(dir->files[i].p, dir->files[i].n, h);
    }
    return h;
}

kin_status kin_world_out_publish(struct kin_out *out, struct kin_err *err)
{
    struct kin_world_node *node = out->node;
    struct kin_sim *sim = node->sim;
    struct out_dir *dir = out->dir;
    kin_world_assert_task(node);
    if (kin_world_chance(&node->files, sim->options.out_fail)) {
        kin_status status =
            kin_err_set(err, KIN_E_FULL, "cannot make durable '%s'", out->dir->path);
        kin_world_out_abort(out);
        return status;
    }
    forget(out);
    struct kin_world_published *p = published_at(sim, dir->path);
    if (p) {
        show(sim, p->dir, false);
        dir_free(p->dir);
    } else {
        p = kin_world_alloc(sizeof *p);
        p->next = sim->published;
        sim->published = p;
    }
    p->dir = dir;
    show(sim, dir, true);
    sim->stats.published++;
    kin_world_note(sim, WORLD_PUBLISHED, node->env.self, KIN_WORLD_NOBODY, dir_hash(dir));
    return KIN_OK;
}

/* In a task, or in the stop of the node. */
void kin_world_out_abort(struct kin_out *out)
{
    struct kin_world_node *node = out->node;
    KIN_ASSERT(node->sim->current == node && (node->sim->in_task || node->closing));
    struct out_dir *dir = out->dir;
    forget(out);
    dir_free(dir);
}

kin_status kin_world_out_remove(struct kin_env *env, const char *dir, struct kin_err *err)
{
    struct kin_world_node *node = kin_world_node_of(env);
    struct kin_sim *sim = node->sim;
    kin_world_assert_task(node);
    if (kin_world_chance(&node->files, sim->options.out_fail))
        return kin_err_set(err, KIN_E_IO, "cannot remove '%s'", dir);
    struct kin_world_published *p = published_at(sim, dir), **at = &sim->published;
    if (!p)
        return KIN_OK;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    show(sim, p->dir, false);
    dir_free(p->dir);
    free(p);
    return KIN_OK;
}

bool kin_sim_out_get(struct kin_sim *sim, const char *dir, const char *file, struct kin_str *bytes)
{
    struct kin_world_published *p = published_at(sim, dir);
    struct out_file *f = p ? file_of(p->dir, file) : NULL;
    if (!f)
        return false;
    *bytes = (struct kin_str){(const char *)f->p, f->n};
    return true;
}

size_t kin_sim_out_files(struct kin_sim *sim, const char *dir)
{
    struct kin_world_published *p = published_at(sim, dir);
    return p ? p->dir->count : 0;
}

size_t kin_sim_published_below(struct kin_sim *sim, const char *prefix)
{
    size_t n = 0;
    for (const struct kin_world_published *p = sim->published; p; p = p->next)
        n += strncmp(p->dir->path, prefix, strlen(prefix)) == 0;
    return n;
}

/* ---- ends ---- */

void kin_world_files_release(struct kin_world_node *node)
{
    while (node->sources) {
        struct kin_source_handle *next = node->sources->next;
        content_unref(node->sources->content);
        free(node->sources);
        node->sources = next;
    }
    while (node->outs) {
        struct kin_out *next = node->outs->next;
        dir_free(node->outs->dir);
        free(node->outs);
        node->outs = next;
    }
}

void kin_world_files_free(struct kin_sim *sim)
{
    for (size_t i = 0; i < sim->file_count; i++) {
        content_unref(sim->files[i].content);
        free(sim->files[i].path);
    }
    free(sim->files);
    while (sim->published) {
        struct kin_world_published *next = sim->published->next;
        dir_free(sim->published->dir);
        free(sim->published);
        sim->published = next;
    }
}
