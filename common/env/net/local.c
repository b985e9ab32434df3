#include "common/env/net/net_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* A socket in the file system outlives the process that made it: whether somebody listens there is
 * told by a connection. Between the look and the removal another process could put its own socket
 * there, so the directory is locked meanwhile, by all who listen. nng would remove whatever refuses
 * a connection, a plain file too; it finds nothing left to remove. */

enum { LOCK_TRIES = 100, LOCK_PAUSE_MS = 20 };

static kin_status fail(struct kin_err *err, const char *path)
{
    return kin_err_set(err, KIN_E_IO, "%s: %s", path, strerror(errno));
}

static kin_status lock_directory(const char *path, int *fd, struct kin_err *err)
{
    char dir[KIN_NET_PATH_MAX + 1];
    size_t n = (size_t)(strrchr(path, '/') - path);
    memcpy(dir, path, n ? n : 1);
    dir[n ? n : 1] = '\0';
    *fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*fd < 0)
        return fail(err, dir);
    for (unsigned tries = 0; tries < LOCK_TRIES; tries++) {
        if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
            return KIN_OK;
        if (errno != EWOULDBLOCK && errno != EINTR)
            break;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_MS * 1000000L}, NULL);
    }
    kin_status status = fail(err, dir);
    close(*fd);
    return status;
}

/* Whether somebody listens. */
static bool is_live(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool live = fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 ||
                (errno != ECONNREFUSED && errno != ENOENT);
    if (fd >= 0)
        close(fd);
    return live;
}

static kin_status make_room(const char *path, struct kin_err *err)
{
    struct stat there;
    if (lstat(path, &there) != 0)
        return errno == ENOENT ? KIN_OK : fail(err, path);
    if (!S_ISSOCK(there.st_mode))
        return kin_err_set(err, KIN_E_EXISTS, "%s: exists and is not a socket", path);
    if (is_live(path))
        return kin_err_set(err, KIN_E_BUSY, "%s: another process listens there", path);
    return unlink(path) == 0 || errno == ENOENT ? KIN_OK : fail(err, path);
}

kin_status local_prepare(const char *path, int *fd, struct kin_err *err)
{
    kin_status status = lock_directory(path, fd, err);
    if (status == KIN_OK) {
        status = make_room(path, err);
        if (status != KIN_OK)
            close(*fd);
    }
    return status;
}
