#include "client/cluster_options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TIMEOUT_S = 10, TIMEOUT_MAX_S = 24 * 3600, JOB_DIGITS = 16 };

static const char *variable(const char *name)
{
    const char *text = getenv(name);
    return text && *text ? text : NULL;
}

void kin_cluster_begin(struct kin_cluster_options *o)
{
    *o = (struct kin_cluster_options){.address = variable("KINDRED_CLUSTER"),
                                      .secret_file = variable("KINDRED_SECRET_FILE"),
                                      .timeout_s = TIMEOUT_S};
    o->from_environment = o->address != NULL;
}

bool kin_cluster_take(struct kin_cluster_options *o, int c, const char *value, bool *fine)
{
    *fine = true;
    switch (c) {
    case KIN_OPT_CLUSTER:
        o->address = value;
        o->from_environment = false;
        return true;
    case KIN_OPT_SECRET:
        o->secret_file = value;
        return true;
    case KIN_OPT_TIMEOUT:
        *fine = kin_cluster_number("timeout", value, TIMEOUT_MAX_S, &o->timeout_s);
        return true;
    default:
        return false;
    }
}

bool kin_cluster_number(const char *name, const char *text, unsigned long max, unsigned long *out)
{
    char *end;
    errno = 0;
    unsigned long x = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || x < 1 || x > max) {
        fprintf(stderr, "kindred: --%s: '%s' is not a number from 1 to %lu\n", name, text, max);
        return false;
    }
    *out = x;
    return true;
}

bool kin_cluster_job_id(const char *text, uint64_t *out)
{
    uint64_t id = 0;
    size_t n = 0;
    for (; text[n] && n <= JOB_DIGITS; n++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, text[n]);
        if (!at)
            break;
        id = id << 4 | (uint64_t)(at - digits);
    }
    if (n != JOB_DIGITS || text[n] || !id) {
        fprintf(stderr, "kindred: '%s' is no job: expected %d digits of 0-9 and a-f\n", text,
                JOB_DIGITS);
        return false;
    }
    *out = id;
    return true;
}

/* Appends "/part" for each part of path; out ends without a zero byte. */
static void append_parts(struct kin_buf *out, const char *path)
{
    while (*path) {
        size_t n = strcspn(path, "/");
        if (n == 2 && path[0] == '.' && path[1] == '.') {
            while (out->n && out->p[--out->n] != '/')
                continue;
        } else if (n && !(n == 1 && path[0] == '.')) {
            kin_buf_putc(out, '/');
            kin_buf_put(out, path, n);
        }
        path += n + (path[n] == '/');
    }
}

kin_status kin_cluster_absolute(const char *path, struct kin_buf *out, struct kin_err *err)
{
    char here[PATH_MAX];
    struct kin_buf made = {0};
    if (*path != '/') {
        if (!getcwd(here, sizeof here))
            return kin_err_set(err, KIN_E_IO, "the current directory: %s", strerror(errno));
        append_parts(&made, here);
    }
    append_parts(&made, path);
    if (made.n == 0)
        kin_buf_putc(&made, '/');
    kin_buf_putc(&made, '\0');
    bool failed = made.failed;
    kin_buf_put(out, made.p, failed ? 0 : made.n);
    kin_buf_deinit(&made);
    return failed || out->failed ? kin_err_set(err, KIN_E_NOMEM, "out of memory") : KIN_OK;
}
