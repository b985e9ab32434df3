#include "common/cli/output_dir.h"

#include "common/cli/tool.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = KIN_OUTPUT_DIR_MAX + 200 };

/* The parent of the output must be there, or the job would find out at its end. */
static int check_parent(const char *tool, const char *dir, size_t n)
{
    char parent[PATH_BYTES];
    while (n > 0 && dir[n - 1] != '/')
        n--;
    snprintf(parent, sizeof parent, "%.*s", n ? (int)n : 1, n ? dir : ".");
    if (access(parent, W_OK | X_OK) == 0)
        return -1;
    fprintf(stderr, "%s: %s: no output can be made in %s: %s\n", tool, dir, parent,
            strerror(errno));
    return KIN_EXIT_USAGE;
}

/* "/", "." and "..", alone or at the end of a path, name none that could be put in place. */
static bool names_directory(const char *dir, size_t n)
{
    const char *slash = memrchr(dir, '/', n);
    const char *name = slash ? slash + 1 : dir;
    size_t bytes = (size_t)(dir + n - name);
    return bytes > 2 || (bytes > 0 && name[0] != '.') || (bytes == 2 && name[1] != '.');
}

static bool is_empty(const char *dir)
{
    DIR *d = opendir(dir);
    if (!d)
        return false;
    unsigned entries = 0;             /* "." and ".." among them */
    while (entries < 3 && readdir(d)) // NOLINT(concurrency-mt-unsafe): the stream is ours alone
        entries++;
    closedir(d);
    return entries < 3;
}

int kin_output_dir_check(const char *tool, const char *dir, size_t n)
{
    struct stat st;
    char path[PATH_BYTES];
    if (!names_directory(dir, n)) {
        fprintf(stderr, "%s: %s: not the name of a directory to be made\n", tool, dir);
        return KIN_EXIT_USAGE;
    }
    if (lstat(dir, &st) != 0 && errno == ENOENT)
        return check_parent(tool, dir, n);
    if (lstat(dir, &st) != 0) {
        fprintf(stderr, "%s: %s: %s\n", tool, dir, strerror(errno));
        return KIN_EXIT_USAGE;
    }
    if (!S_ISDIR(st.st_mode)) {
        fprintf(stderr, "%s: %s: exists and is not a directory\n", tool, dir);
        return KIN_EXIT_USAGE;
    }
    snprintf(path, sizeof path, "%s/report.json", dir);
    if (access(path, F_OK) == 0 || is_empty(dir))
        return check_parent(tool, dir, n);
    fprintf(stderr, "%s: %s: exists and holds no earlier result; it is not replaced\n", tool, dir);
    return KIN_EXIT_USAGE;
}
