#include "common/cli/state_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4200, LOCK_TRIES = 100 };

static const char lock_name[] = "lock";

static kin_status fail(struct kin_err *err, const char *path)
{
    return kin_err_set(err, KIN_E_IO, "%s: %s", path, strerror(errno));
}

static bool has_number(const char *s)
{
    return *s && s[strspn(s, "0123456789")] == '\0';
}

static bool ours(const char *name)
{
    return strcmp(name, lock_name) == 0 || strcmp(name, "coordinator") == 0 ||
           (strncmp(name, "worker-", 7) == 0 && has_number(name + 7));
}

kin_status kin_state_dir_check(const char *dir, struct kin_err *err)
{
    DIR *d = opendir(dir);
    if (!d && errno == ENOENT)
        return KIN_OK;
    if (!d && errno == ENOTDIR)
        return kin_err_set(err, KIN_E_EXISTS, "%s: exists and is not a directory", dir);
    if (!d)
        return fail(err, dir);
    bool locked = false, other = false; /* keys may be put there before the first start */
    for (struct dirent *entry; (entry = readdir(d));) { // NOLINT(concurrency-mt-unsafe): our own
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, "identity") == 0 ||
            strcmp(name, "members") == 0)
            continue;
        locked = locked || strcmp(name, lock_name) == 0;
        other = true;
    }
    closedir(d);
    return other && !locked ? kin_err_set(err, KIN_E_EXISTS,
                                          "%s: exists and holds no state; it is not used", dir)
                            : KIN_OK;
}

/* The lock file may have been removed, with the state, between its opening and its locking. */
static bool still_there(int fd, const char *path)
{
    struct stat held, named;
    return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_dev == named.st_dev &&
           held.st_ino == named.st_ino;
}

kin_status kin_state_dir_lock(const char *dir, int *fd, struct kin_err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", dir, lock_name);
    for (unsigned tries = 0; tries < LOCK_TRIES; tries++) {
        if (mkdir(dir, 0700) != 0 && errno != EEXIST)
            return fail(err, dir);
        int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (lock < 0 && errno == ENOENT && tries + 1 < LOCK_TRIES)
            continue;
        if (lock < 0)
            return fail(err, path);
        if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
            close(lock);
            break;
        }
        if (still_there(lock, path)) {
            *fd = lock;
            return KIN_OK;
        }
        close(lock);
    }
    return kin_err_set(err, KIN_E_BUSY, "%s: in use by another process", dir);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* The lock goes last: until then what is left is known as a state. */
static kin_status remove_stores(const char *dir, struct kin_err *err)
{
    DIR *d = opendir(dir);
    if (!d)
        return fail(err, dir);
    kin_status status = KIN_OK;
    for (struct dirent *entry;
         status == KIN_OK && (entry = readdir(d));) { // NOLINT(concurrency-mt-unsafe)
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (ours(entry->d_name) && strcmp(entry->d_name, lock_name) != 0 &&
            nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
            status = fail(err, path);
    }
    closedir(d);
    return status;
}

kin_status kin_state_dir_remove(const char *dir, struct kin_err *err)
{
    int lock = -1;
    char path[PATH_BYTES];
    kin_status status = kin_state_dir_lock(dir, &lock, err);
    if (status != KIN_OK)
        return status;
    status = remove_stores(dir, err);
    snprintf(path, sizeof path, "%s/%s", dir, lock_name);
    if (status == KIN_OK && unlink(path) != 0)
        status = fail(err, path);
    if (status == KIN_OK && rmdir(dir) != 0 && errno != ENOTEMPTY && errno != EEXIST)
        status = fail(err, dir);
    close(lock);
    return status;
}
