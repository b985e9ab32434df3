#include "common/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *kin_status_text(kin_status status)
{
    switch (status) {
#define KIN_STATUS_CASE(name, number, text) \
    case name:                              \
        return text;
        KIN_STATUS_LIST(KIN_STATUS_CASE)
#undef KIN_STATUS_CASE
    }
    return "unknown status";
}

kin_status kin_err_set_at(struct kin_err *err, kin_status status, const char *where,
                          const char *format, ...)
{
    if (!err)
        return status;
    err->status = status;
    err->sys = 0;
    err->where = where;
    va_list args;
    va_start(args, format);
    vsnprintf(err->msg, sizeof err->msg, format, args);
    va_end(args);
    return status;
}

kin_status kin_err_wrap(struct kin_err *err, kin_status status, const char *format, ...)
{
    if (!err)
        return status;
    char prefix[sizeof err->msg];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    /* what does not fit is cut off at the end */
    size_t n = strlen(prefix), room = sizeof err->msg - 1, old = strlen(err->msg);
    size_t gap = n + 2 < room ? 2 : 0, keep = old < room - n - gap ? old : room - n - gap;
    memmove(err->msg + n + gap, err->msg, keep);
    memcpy(err->msg, prefix, n);
    memcpy(err->msg + n, ": ", gap);
    err->msg[n + gap + keep] = '\0';
    err->status = status;
    return status;
}

void kin_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "kindred: broken invariant: %s (%s:%d)\n", condition, file, line);
    abort();
}
