#include "common/daemon/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4200, STEP = 4096 };

static kin_status fail(struct kin_err *err, const char *path)
{
    bool full = errno == ENOSPC || errno == EDQUOT;
    return kin_err_set(err, full ? KIN_E_FULL : KIN_E_IO, "%s: %s", path, strerror(errno));
}

/* ---- writing ---- */

static bool write_all(int fd, struct kin_str text)
{
    for (size_t done = 0; done < text.n;) {
        ssize_t some = write(fd, text.p + done, text.n - done);
        if (some < 0 && errno != EINTR)
            return false;
        done += some > 0 ? (size_t)some : 0;
    }
    return true;
}

static kin_status write_new(const char *path, struct kin_str text, struct kin_err *err)
{
    (void)unlink(path); /* of a crash; with a mode of its own, perhaps */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(err, path);
    kin_status status = KIN_OK;
    if (!write_all(fd, text) || fsync(fd) != 0)
        status = fail(err, path);
    if (close(fd) != 0 && status == KIN_OK)
        status = fail(err, path);
    return status;
}

/* Makes the name durable. */
static kin_status sync_directory(const char *path, struct kin_err *err)
{
    char dir[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(n ? n : 1) : 1, slash ? path : ".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail(err, dir);
    kin_status status = fsync(fd) == 0 ? KIN_OK : fail(err, dir);
    close(fd);
    return status;
}

kin_status kin_durable_write(const char *path, struct kin_str text, struct kin_err *err)
{
    char fresh[PATH_BYTES];
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        return kin_err_set(err, KIN_E_INVAL, "%s: too long a path", path);
    kin_status status = write_new(fresh, text, err);
    if (status == KIN_OK && rename(fresh, path) != 0)
        status = fail(err, path);
    if (status != KIN_OK) {
        (void)unlink(fresh);
        return status;
    }
    return sync_directory(path, err);
}

/* ---- reading ---- */

static kin_status judge(int fd, const char *path, const struct kin_durable_rules *rules,
                        struct kin_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail(err, path);
    if (!S_ISREG(st.st_mode))
        return kin_err_set(err, KIN_E_INVAL, "%s: not a file", path);
    if (rules->secret && (st.st_mode & 077) != 0)
        return kin_err_set(err, KIN_E_INVAL,
                           "%s: others may read or write it (mode %03o); it has to be 600", path,
                           (unsigned)st.st_mode & 0777);
    return KIN_OK;
}

static kin_status read_all(int fd, const char *path, size_t max, struct kin_buf *out,
                           struct kin_err *err)
{
    for (size_t got = 0;;) {
        uint8_t *to = kin_buf_reserve(out, STEP);
        if (!to)
            return kin_err_set(err, KIN_E_NOMEM, "%s: out of memory", path);
        ssize_t some = read(fd, to, STEP);
        if (some < 0 && errno == EINTR)
            continue;
        if (some < 0)
            return fail(err, path);
        if (some == 0)
            return KIN_OK;
        got += (size_t)some;
        if (got > max)
            return kin_err_set(err, KIN_E_LIMIT, "%s: larger than %zu bytes", path, max);
        out->n += (size_t)some;
    }
}

kin_status kin_durable_read(const char *path, const struct kin_durable_rules *rules,
                            struct kin_buf *out, struct kin_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe would have to be waited for */
    if (fd < 0 && errno == ENOENT)
        return kin_err_set(err, KIN_E_NOTFOUND, "%s: not there", path);
    if (fd < 0)
        return fail(err, path);
    kin_status status = judge(fd, path, rules, err);
    if (status == KIN_OK)
        status = read_all(fd, path, rules->max, out, err);
    close(fd);
    return status;
}
