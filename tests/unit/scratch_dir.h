#ifndef KIN_TESTS_SCRATCH_DIR_H
#define KIN_TESTS_SCRATCH_DIR_H
/* A directory of a test's own, and small files in it. */
#include "common/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRATCH_PATH = 512 };

static inline bool scratch_make(char path[SCRATCH_PATH])
{
    snprintf(path, SCRATCH_PATH, "/tmp/kindred-test-XXXXXX");
    return mkdtemp(path) != NULL;
}

static inline int scratch_remove_one(const char *path, const struct stat *s, int type,
                                     struct FTW *at)
{
    (void)s;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void scratch_remove(const char *path)
{
    nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Makes the directories of path, too. */
static inline bool scratch_put(const char *path, const void *p, size_t n)
{
    char *part = kin_strndup(path, strlen(path));
    if (!part)
        return false;
    bool ok = true;
    for (char *slash = strchr(part + 1, '/'); ok && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ok = mkdir(part, 0700) == 0 || errno == EEXIST;
        *slash = '/';
    }
    kin_free(part);
    int fd = ok ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return false;
    ok = n == 0 || write(fd, p, n) == (ssize_t)n;
    close(fd);
    return ok;
}

static inline bool scratch_get(const char *path, struct kin_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    for (;;) {
        uint8_t *to = kin_buf_reserve(out, 65536);
        ssize_t n = to ? read(fd, to, 65536) : -1;
        if (n <= 0) {
            close(fd);
            return n == 0;
        }
        out->n += (size_t)n;
    }
}

#endif
