#include "common/store/lmdb_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The state is one line, padded to a fixed length and overwritten in place: a write that stays
 * within one sector and asks a full disk for nothing. */
static const char state_name[] = "state";
static const char state_whole[] = "whole";
static const char state_open[] = "open ";
enum { STATE_BYTES = 64 };

/* mkdir -p */
static kin_status make_path(const char *path, struct kin_err *err)
{
    char *copy = kin_strndup(path, strlen(path));
    if (!copy)
        return kin_err_set(err, KIN_E_NOMEM, "%s: no memory", path);
    int rc = 0;
    for (char *p = copy + 1; rc == 0; p++) {
        char c = *p;
        if (c != '/' && c != '\0')
            continue;
        *p = '\0';
        if (mkdir(copy, 0700) && errno != EEXIST)
            rc = errno;
        *p = c;
        if (c == '\0')
            break;
    }
    kin_free(copy);
    return rc ? kin_lmdb_fail(err, rc, path, "cannot make the directory") : KIN_OK;
}

kin_status kin_lmdb_dir_open(struct kin_lmdb_dir *dir, const char *path, struct kin_err *err)
{
    *dir = (struct kin_lmdb_dir){path, -1, -1};
    if (!*path)
        return kin_err_set(err, KIN_E_INVAL, "the path of a store is empty");
    kin_status st = make_path(path, err);
    if (st)
        return st;
    dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir->fd < 0)
        return kin_lmdb_fail(err, errno, path, "cannot open the directory");
    dir->lock_fd = openat(dir->fd, "owner.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (dir->lock_fd < 0) {
        st = kin_lmdb_fail(err, errno, path, "cannot open the lock");
    } else if (flock(dir->lock_fd, LOCK_EX | LOCK_NB)) {
        st = errno == EWOULDBLOCK
                 ? kin_err_set(err, KIN_E_BUSY, "%s: the store is in use already", path)
                 : kin_lmdb_fail(err, errno, path, "cannot lock");
    }
    if (st)
        kin_lmdb_dir_close(dir);
    return st;
}

void kin_lmdb_dir_close(struct kin_lmdb_dir *dir)
{
    if (dir->lock_fd >= 0)
        close(dir->lock_fd);
    if (dir->fd >= 0)
        close(dir->fd);
    dir->lock_fd = -1;
    dir->fd = -1;
}

/* Reads a small text file whole; 0 or an errno. */
static int read_text(int dir_fd, const char *name, char *to, size_t cap)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    ssize_t n = read(fd, to, cap - 1);
    int sys = n < 0 ? errno : 0;
    to[n < 0 ? 0 : n] = '\0';
    close(fd);
    return sys;
}

/* The id the kernel made for this boot; empty where it has none, which equals no other. */
static void boot_id(char out[64])
{
    if (read_text(AT_FDCWD, "/proc/sys/kernel/random/boot_id", out, 64))
        out[0] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

enum state_kind { STATE_NONE, STATE_WHOLE, STATE_OPEN, STATE_SENSELESS };

/* For STATE_OPEN, boot gets the boot of the machine during which the store was last written. */
static enum state_kind parse_state(char *text, char boot[64])
{
    size_t end = strcspn(text, "\n");
    if (text[end] != '\n')
        return STATE_SENSELESS;
    text[end] = '\0';
    if (strcmp(text, state_whole) == 0)
        return STATE_WHOLE;
    size_t prefix = sizeof state_open - 1;
    if (strncmp(text, state_open, prefix) != 0)
        return STATE_SENSELESS;
    snprintf(boot, 64, "%s", text + prefix);
    return STATE_OPEN;
}

static kin_status read_state(struct kin_lmdb_dir *dir, enum state_kind *kind, char boot[64],
                             struct kin_err *err)
{
    char text[STATE_BYTES + 1];
    int sys = read_text(dir->fd, state_name, text, sizeof text);
    *kind = STATE_NONE;
    if (sys == ENOENT)
        return KIN_OK;
    if (sys)
        return kin_lmdb_fail(err, sys, dir->path, "cannot read 'state'");
    *kind = parse_state(text, boot);
    return KIN_OK;
}

static int remove_file(int dir_fd, const char *name)
{
    return unlinkat(dir_fd, name, 0) && errno != ENOENT ? errno : 0;
}

static int empty_store(struct kin_lmdb_dir *dir)
{
    int rc = remove_file(dir->fd, "data.mdb");
    if (!rc)
        rc = remove_file(dir->fd, "lock.mdb");
    if (!rc && fsync(dir->fd))
        rc = errno;
    return rc;
}

kin_status kin_lmdb_dir_settle(struct kin_lmdb_dir *dir, bool *fresh, struct kin_err *err)
{
    enum state_kind kind;
    struct stat s;
    char boot[64];
    char last_boot[64] = "";
    kin_status st = read_state(dir, &kind, last_boot, err);
    if (st)
        return st;
    boot_id(boot);
    if (kind == STATE_OPEN && (!*boot || strcmp(boot, last_boot) != 0)) {
        int rc = empty_store(dir);
        if (rc)
            return kin_lmdb_fail(err, rc, dir->path, "cannot empty the store");
    }
    *fresh = true;
    if (fstatat(dir->fd, "data.mdb", &s, AT_SYMLINK_NOFOLLOW))
        return errno == ENOENT ? KIN_OK
                               : kin_lmdb_fail(err, errno, dir->path, "cannot look at data.mdb");
    if (!S_ISREG(s.st_mode))
        return kin_err_set(err, KIN_E_CORRUPT, "%s: data.mdb is not a regular file", dir->path);
    if (s.st_size == 0) /* made, and never written to */
        return KIN_OK;
    if (kind == STATE_SENSELESS)
        return kin_err_set(err, KIN_E_CORRUPT, "%s: 'state' says neither whole nor open",
                           dir->path);
    *fresh = false; /* without a state: copied here by hand, and taken as whole */
    return KIN_OK;
}

/* 0 or an errno */
static int write_state(int dir_fd, const char text[STATE_BYTES])
{
    int fd = openat(dir_fd, state_name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return errno;
    ssize_t n = pwrite(fd, text, STATE_BYTES, 0);
    int rc = n < 0 ? errno : n == STATE_BYTES ? 0 : ENOSPC;
    if (!rc && fsync(fd))
        rc = errno;
    close(fd);
    if (!rc && fsync(dir_fd))
        rc = errno;
    return rc;
}

kin_status kin_lmdb_dir_mark(struct kin_lmdb_dir *dir, bool whole, struct kin_err *err)
{
    char text[STATE_BYTES];
    char old[STATE_BYTES + 1];
    char boot[64] = "";
    if (!whole)
        boot_id(boot);
    int n = snprintf(text, sizeof text, "%s%s", whole ? state_whole : state_open, boot);
    size_t used = n < 0 ? 0 : (size_t)n;
    if (used < sizeof text)
        memset(text + used, '\n', sizeof text - used);
    if (read_text(dir->fd, state_name, old, sizeof old) == 0 && memcmp(old, text, STATE_BYTES) == 0)
        return KIN_OK;
    int rc = write_state(dir->fd, text);
    return rc ? kin_lmdb_fail(err, rc, dir->path, "cannot write 'state'") : KIN_OK;
}
