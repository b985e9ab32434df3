#include "common/base/hash.h"
#include "common/env/live/live_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct kin_source_handle {
    struct kin_live_held held;
    int fd;
    char path[];
};

/* A directory that is not there holds no match; one that cannot be read might: that is an error. */
static int glob_trouble(const char *path, int sys)
{
    (void)path;
    return sys != ENOENT && sys != ENOTDIR;
}

static int by_path(const void *a, const void *b)
{
    const struct kin_source_file *x = a;
    const struct kin_source_file *y = b;
    return strcmp(x->path, y->path); /* bytes: the order must not depend on the locale */
}

static uint64_t stamp_of(const struct stat *s)
{
    uint64_t ns = (uint64_t)s->st_mtim.tv_sec * 1000000000 + (uint64_t)s->st_mtim.tv_nsec;
    return kin_hash_mix(kin_hash_mix(ns, (uint64_t)s->st_size), s->st_ino);
}

static kin_status list_add(struct kin_source_list *list, const char *path, struct kin_err *err)
{
    struct stat s;
    if (stat(path, &s))
        return kin_live_fail(err, errno, "cannot look at", path);
    if (S_ISDIR(s.st_mode))
        return KIN_OK;
    char *copy = kin_strndup(path, strlen(path));
    if (!copy)
        return kin_err_set(err, KIN_E_NOMEM, "no memory for the list of sources");
    list->files[list->count++] = (struct kin_source_file){copy, (uint64_t)s.st_size, stamp_of(&s)};
    return KIN_OK;
}

static kin_status list_fill(struct kin_source_list *list, char *const *paths, size_t count,
                            struct kin_err *err)
{
    list->files = kin_calloc(count, sizeof *list->files);
    if (!list->files)
        return kin_err_set(err, KIN_E_NOMEM, "no memory for a list of %zu files", count);
    for (size_t i = 0; i < count; i++) {
        kin_status st = list_add(list, paths[i], err);
        if (st)
            return st;
    }
    qsort(list->files, list->count, sizeof *list->files, by_path);
    return KIN_OK;
}

kin_status kin_live_source_list(struct kin_env *env, const char *pattern,
                                struct kin_source_list *out, struct kin_err *err)
{
    (void)env;
    glob_t found = {0};
    int rc = glob(pattern, GLOB_NOSORT, glob_trouble, &found);
    kin_status st = KIN_OK;
    struct kin_source_list list = {0};
    if (rc == GLOB_NOSPACE)
        st = kin_err_set(err, KIN_E_NOMEM, "no memory to expand '%s'", pattern);
    else if (rc == GLOB_ABORTED)
        st = kin_err_set(err, KIN_E_IO, "cannot read a directory of '%s'", pattern);
    else if (rc == 0)
        st = list_fill(&list, found.gl_pathv, found.gl_pathc, err);
    if (!st && list.count == 0)
        st = kin_err_set(err, KIN_E_NOTFOUND,
                         found.gl_pathc ? "'%s' is a directory" : "no file '%s'", pattern);
    globfree(&found);
    if (st) {
        kin_source_list_deinit(&list);
        return st;
    }
    *out = list;
    return KIN_OK;
}

static void source_release(struct kin_live_held *held)
{
    kin_live_source_close((struct kin_source_handle *)(void *)held);
}

kin_status kin_live_source_open(struct kin_env *env, const char *path,
                                struct kin_source_handle **out, struct kin_err *err)
{
    /* O_NONBLOCK: opening a pipe must not wait for a writer before we can refuse it */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return kin_live_fail(err, errno, "cannot open", path);
    struct stat s;
    if (fstat(fd, &s)) {
        int sys = errno;
        close(fd);
        return kin_live_fail(err, sys, "cannot look at", path);
    }
    if (!S_ISREG(s.st_mode)) {
        close(fd);
        return kin_err_set(err, KIN_E_INVAL, "'%s' is not a regular file", path);
    }
    size_t n = strlen(path) + 1;
    struct kin_source_handle *handle = kin_calloc(1, sizeof *handle + n);
    if (!handle) {
        close(fd);
        return kin_err_set(err, KIN_E_NOMEM, "no memory to read '%s'", path);
    }
    memcpy(handle->path, path, n);
    handle->fd = fd;
    handle->held.release = source_release;
    kin_live_hold(kin_live_node_of(env)->live, &handle->held);
    posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    *out = handle;
    return KIN_OK;
}

kin_status kin_live_source_read(struct kin_source_handle *handle, uint8_t *to, size_t cap,
                                size_t *got, struct kin_err *err)
{
    for (;;) {
        ssize_t n = read(handle->fd, to, cap);
        if (n >= 0) {
            *got = (size_t)n;
            return KIN_OK;
        }
        if (errno != EINTR)
            return kin_live_fail(err, errno, "cannot read", handle->path);
    }
}

void kin_live_source_close(struct kin_source_handle *handle)
{
    kin_live_unhold(&handle->held);
    close(handle->fd);
    kin_free(handle);
}
