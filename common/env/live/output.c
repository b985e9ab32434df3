#include "common/env/live/live_impl.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* An output directory is written as "<parent>/.<name>.partial" and takes its place by one rename.
 * All names are resolved against directory handles, and no symbolic link is followed below the
 * parent: a hostile link inside a tree that is removed leads nowhere. */

enum { FILES_MAX = 64, TREE_DEPTH_MAX = 64, SWEEPS_MAX = 4 };

struct out_file {
    char *name;
    int fd;
};

struct kin_out {
    struct kin_live_held held;
    char *dir;         /* as the caller named it, for messages */
    char *name;        /* last part of dir */
    char *partial;     /* ".<name>.partial" */
    int parent_fd, fd; /* -1: not open */
    bool made;         /* the partial directory exists */
    struct out_file files[FILES_MAX];
    size_t count;
};

/* ---- removing a tree ---- */

static int remove_tree(int parent_fd, const char *name, unsigned depth);

static bool dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int remove_entries(DIR *dir, unsigned depth)
{
    struct dirent *entry;
    while ((entry = readdir(dir))) { // NOLINT(concurrency-mt-unsafe): the stream is ours alone
        if (dots(entry->d_name))
            continue;
        int sys = remove_tree(dirfd(dir), entry->d_name, depth + 1);
        if (sys && sys != ENOENT)
            return sys;
    }
    return 0;
}

/* Removes what name is, file, link or tree; 0 or an errno. */
static int remove_tree(int parent_fd, const char *name, unsigned depth)
{
    if (unlinkat(parent_fd, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return errno;
    if (depth >= TREE_DEPTH_MAX)
        return ELOOP;
    int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int sys = errno;
        close(fd);
        return sys;
    }
    int sys = 0;
    /* some file systems skip entries while others are removed: look again */
    for (unsigned sweep = 0; sweep < SWEEPS_MAX; sweep++) {
        sys = remove_entries(dir, depth);
        if (!sys && unlinkat(parent_fd, name, AT_REMOVEDIR))
            sys = errno;
        if (sys != ENOTEMPTY && sys != EEXIST)
            break;
        rewinddir(dir);
    }
    closedir(dir);
    return sys;
}

/* ---- begin ---- */

static void out_free(struct kin_out *out)
{
    for (size_t i = 0; i < out->count; i++) {
        if (out->files[i].fd >= 0)
            close(out->files[i].fd);
        kin_free(out->files[i].name);
    }
    if (out->fd >= 0)
        close(out->fd);
    if (out->parent_fd >= 0)
        close(out->parent_fd);
    kin_free(out->dir);
    kin_free(out->name);
    kin_free(out->partial);
    kin_free(out);
}

/* Splits dir into the parent, which is opened, and the names. */
static kin_status open_parent(struct kin_out *out, const char *dir, struct kin_err *err)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    out->dir = kin_strndup(dir, n);
    if (!out->dir)
        return kin_err_set(err, KIN_E_NOMEM, "no memory for '%s'", dir);
    char *slash = strrchr(out->dir, '/');
    const char *name = slash ? slash + 1 : out->dir;
    if (!*name || dots(name))
        return kin_err_set(err, KIN_E_INVAL, "'%s' does not name a directory to be made", dir);
    struct kin_buf partial = {0};
    kin_buf_printf(&partial, ".%s.partial", name);
    kin_buf_putc(&partial, '\0');
    out->name = kin_strndup(name, strlen(name));
    if (partial.failed || !out->name) {
        kin_buf_deinit(&partial);
        return kin_err_set(err, KIN_E_NOMEM, "no memory for '%s'", dir);
    }
    out->partial = (char *)partial.p;
    if (!slash) {
        out->parent_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    } else {
        *slash = '\0';
        const char *parent = slash == out->dir ? "/" : out->dir;
        out->parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *slash = '/';
    }
    return out->parent_fd < 0 ? kin_live_fail(err, errno, "cannot open the parent of", out->dir)
                              : KIN_OK;
}

/* 1: a directory is at the target's place; 0: nothing; -1: something else, or trouble (err). */
static int target_state(struct kin_out *out, kin_status *status, struct kin_err *err)
{
    struct stat s;
    if (fstatat(out->parent_fd, out->name, &s, AT_SYMLINK_NOFOLLOW)) {
        if (errno == ENOENT)
            return 0;
        *status = kin_live_fail(err, errno, "cannot look at", out->dir);
        return -1;
    }
    if (S_ISDIR(s.st_mode))
        return 1;
    *status = kin_err_set(err, KIN_E_EXISTS, "'%s' exists and is not a directory", out->dir);
    return -1;
}

static int open_partial(const struct kin_out *out)
{
    return openat(out->parent_fd, out->partial, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The directory in the making is locked by who makes it, until it is in place or the process is
 * gone: a left-over is known by being free. File systems without such locks do without. */
static bool is_taken(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

static kin_status busy(struct kin_out *out, struct kin_err *err)
{
    out->made = false; /* what is there is somebody else's */
    return kin_err_set(err, KIN_E_BUSY, "'%s' is being written by another process", out->dir);
}

/* Another process may have found the directory free between its making and its locking. */
static bool is_ours(const struct kin_out *out)
{
    struct stat held, named;
    return !is_taken(out->fd) && fstat(out->fd, &held) == 0 &&
           fstatat(out->parent_fd, out->partial, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static kin_status make_partial(struct kin_out *out, struct kin_err *err)
{
    kin_status st = KIN_OK;
    if (target_state(out, &st, err) < 0)
        return st;
    int old = open_partial(out); /* stays locked until it is removed */
    bool taken = old >= 0 && is_taken(old);
    int sys = taken ? 0 : remove_tree(out->parent_fd, out->partial, 0);
    if (old >= 0)
        close(old);
    if (taken)
        return busy(out, err);
    if (sys && sys != ENOENT)
        return kin_live_fail(err, sys, "cannot remove the left-over", out->partial);
    if (mkdirat(out->parent_fd, out->partial, 0777)) /* the umask decides who may look */
        return kin_live_fail(err, errno, "cannot make the directory for", out->dir);
    out->made = true;
    out->fd = open_partial(out);
    if (out->fd < 0)
        return kin_live_fail(err, errno, "cannot open the directory for", out->dir);
    return is_ours(out) ? KIN_OK : busy(out, err);
}

static void out_discard(struct kin_out *out)
{
    if (out->made)
        remove_tree(out->parent_fd, out->partial, 0); /* else the next out_begin does */
    out_free(out);
}

static void out_release(struct kin_live_held *held)
{
    kin_live_out_abort((struct kin_out *)(void *)held);
}

kin_status kin_live_out_begin(struct kin_env *env, const char *dir, struct kin_out **result,
                              struct kin_err *err)
{
    struct kin_out *out = kin_calloc(1, sizeof *out);
    if (!out)
        return kin_err_set(err, KIN_E_NOMEM, "no memory for '%s'", dir);
    out->parent_fd = -1;
    out->fd = -1;
    kin_status st = open_parent(out, dir, err);
    if (!st)
        st = make_partial(out, err);
    if (st) {
        out_discard(out);
        return st;
    }
    out->held.release = out_release;
    kin_live_hold(kin_live_node_of(env)->live, &out->held);
    *result = out;
    return KIN_OK;
}

/* ---- write ---- */

static kin_status file_of(struct kin_out *out, const char *name, int *fd, struct kin_err *err)
{
    for (size_t i = 0; i < out->count; i++) {
        if (strcmp(out->files[i].name, name) == 0) {
            *fd = out->files[i].fd;
            return KIN_OK;
        }
    }
    if (!*name || dots(name) || strchr(name, '/'))
        return kin_err_set(err, KIN_E_INVAL, "'%s' is not a file name", name);
    if (out->count == FILES_MAX)
        return kin_err_set(err, KIN_E_LIMIT, "'%s': more than %d files", out->dir, FILES_MAX);
    char *copy = kin_strndup(name, strlen(name));
    if (!copy)
        return kin_err_set(err, KIN_E_NOMEM, "no memory for '%s'", name);
    int opened = openat(out->fd, name,
                        O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (opened < 0) {
        kin_free(copy);
        return kin_live_fail(err, errno, "cannot make", name);
    }
    out->files[out->count++] = (struct out_file){copy, opened};
    *fd = opened;
    return KIN_OK;
}

/* Whenever some MiB have gathered the kernel is told to begin with them, so that publishing, which
 * waits for all of it, has little left to wait for. */
static void start_writing(int fd, size_t more)
{
    enum { STEP = 8 * 1024 * 1024 };
    off_t end = lseek(fd, 0, SEEK_END);
    off_t now = end / STEP, then = (end + (off_t)more) / STEP;
    if (end > 0 && then > now && now > 0)
        sync_file_range(fd, (now - 1) * STEP, STEP, SYNC_FILE_RANGE_WRITE);
}

kin_status kin_live_out_write(struct kin_out *out, const char *file, const void *p, size_t n,
                              struct kin_err *err)
{
    int fd = -1;
    kin_status st = file_of(out, file, &fd, err);
    if (st)
        return st;
    const char *from = p;
    start_writing(fd, n);
    while (n > 0) {
        ssize_t done = write(fd, from, n);
        if (done < 0) {
            if (errno == EINTR)
                continue;
            return kin_live_fail(err, errno, "cannot write", file);
        }
        from += done;
        n -= (size_t)done;
    }
    return KIN_OK;
}

/* ---- publish ---- */

static kin_status sync_files(struct kin_out *out, struct kin_err *err)
{
    for (size_t i = 0; i < out->count; i++) {
        struct out_file *f = &out->files[i];
        if (fsync(f->fd))
            return kin_live_fail(err, errno, "cannot make durable", f->name);
        int fd = f->fd;
        f->fd = -1;
        if (close(fd))
            return kin_live_fail(err, errno, "cannot close", f->name);
    }
    return fsync(out->fd) ? kin_live_fail(err, errno, "cannot make durable", out->dir) : KIN_OK;
}

/* Without RENAME_EXCHANGE (some network file systems): the old tree steps aside under the name
 * ".<name>.old" first, so for a moment nothing is at dir, and never a part. */
static int swap_in_two_steps(struct kin_out *out, bool *old_is_partial)
{
    char aside[NAME_MAX + 1];
    int n = snprintf(aside, sizeof aside, ".%s.old", out->name);
    if (n < 0 || (size_t)n >= sizeof aside)
        return ENAMETOOLONG;
    int sys = remove_tree(out->parent_fd, aside, 0);
    if (sys && sys != ENOENT)
        return sys;
    if (renameat(out->parent_fd, out->name, out->parent_fd, aside))
        return errno;
    if (renameat(out->parent_fd, out->partial, out->parent_fd, out->name)) {
        sys = errno;
        renameat(out->parent_fd, aside, out->parent_fd, out->name);
        return sys;
    }
    *old_is_partial = false;
    remove_tree(out->parent_fd, aside, 0);
    return 0;
}

static kin_status put_in_place(struct kin_out *out, bool *old_is_partial, struct kin_err *err)
{
    kin_status st = KIN_OK;
    int there = target_state(out, &st, err);
    if (there < 0)
        return st;
    *old_is_partial = there == 1;
    unsigned how = there ? RENAME_EXCHANGE : RENAME_NOREPLACE;
    int sys = 0;
    if (renameat2(out->parent_fd, out->partial, out->parent_fd, out->name, how)) {
        sys = errno;
        if (sys == EINVAL || sys == ENOSYS) {
            sys = 0;
            if (there)
                sys = swap_in_two_steps(out, old_is_partial);
            else if (renameat(out->parent_fd, out->partial, out->parent_fd, out->name))
                sys = errno;
        }
    }
    return sys ? kin_live_fail(err, sys, "cannot put in place", out->dir) : KIN_OK;
}

kin_status kin_live_out_publish(struct kin_out *out, struct kin_err *err)
{
    kin_live_unhold(&out->held);
    bool old_is_partial = false;
    kin_status st = sync_files(out, err);
    if (!st)
        st = put_in_place(out, &old_is_partial, err);
    if (!st) {
        out->made = old_is_partial; /* discarding then removes the tree that was replaced */
        if (fsync(out->parent_fd))
            st = kin_live_fail(err, errno, "cannot make durable the parent of", out->dir);
    }
    out_discard(out);
    return st;
}

void kin_live_out_abort(struct kin_out *out)
{
    kin_live_unhold(&out->held);
    out_discard(out);
}

kin_status kin_live_out_remove(struct kin_env *env, const char *dir, struct kin_err *err)
{
    (void)env;
    struct kin_out *out = kin_calloc(1, sizeof *out);
    if (!out)
        return kin_err_set(err, KIN_E_NOMEM, "no memory for '%s'", dir);
    out->parent_fd = out->fd = -1;
    kin_status st = open_parent(out, dir, err);
    if (!st && target_state(out, &st, err) == 1) {
        int sys = remove_tree(out->parent_fd, out->name, 0);
        if (sys && sys != ENOENT)
            st = kin_live_fail(err, sys, "cannot remove", dir);
    }
    out_free(out);
    return st;
}
