#ifndef KIN_BASE_STATUS_H
#define KIN_BASE_STATUS_H
/* Status codes and error context. Any thread. Nothing here allocates.
 *
 * Three kinds of trouble are never mixed: a bug asserts (KIN_ASSERT, stays on in release); hostile
 * or malformed input is rejected with a status and counted; an operational failure (disk, memory,
 * peer) is a status with context. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* name, number (crosses the wire and the store: explicit, never reused), text */
#define KIN_STATUS_LIST(X)                     \
    X(KIN_OK, 0, "ok")                         \
    X(KIN_E_NOMEM, 1, "out of memory")         \
    X(KIN_E_INVAL, 2, "invalid argument")      \
    X(KIN_E_IO, 3, "input/output error")       \
    X(KIN_E_NOTFOUND, 4, "not found")          \
    X(KIN_E_EXISTS, 5, "already exists")       \
    X(KIN_E_CORRUPT, 6, "corrupt data")        \
    X(KIN_E_PROTO, 7, "malformed message")     \
    X(KIN_E_VERSION, 8, "unsupported version") \
    X(KIN_E_LIMIT, 9, "limit exceeded")        \
    X(KIN_E_FULL, 10, "no space left")         \
    X(KIN_E_SYNTAX, 11, "syntax error")        \
    X(KIN_E_WORKFLOW, 12, "invalid workflow")  \
    X(KIN_E_STALE, 13, "stale epoch")          \
    X(KIN_E_BUSY, 14, "busy")                  \
    X(KIN_E_CANCELLED, 15, "cancelled")        \
    X(KIN_E_EOF, 16, "end of input")           \
    X(KIN_E_RANGE, 17, "out of range")         \
    X(KIN_E_CHANGED, 18, "input changed")

typedef enum kin_status {
#define KIN_STATUS_ENUM(name, number, text) name = (number),
    KIN_STATUS_LIST(KIN_STATUS_ENUM)
#undef KIN_STATUS_ENUM
} kin_status;

/* The caller's error context; may be NULL wherever it is taken. */
struct kin_err {
    kin_status status;
    int sys;           /* errno-like code of the library that failed, or 0 */
    const char *where; /* __func__ of the place that set it; static */
    char msg[512];
};

#define KIN_MUST_CHECK __attribute__((warn_unused_result))
#define KIN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Text of a status; "unknown status" for a number that is none. Static string. */
const char *kin_status_text(kin_status status);

/* Fills err (may be NULL) and returns status, so that `return kin_err_set(...)` reads well. */
#define kin_err_set(err, status, ...) kin_err_set_at((err), (status), __func__, __VA_ARGS__)
kin_status kin_err_set_at(struct kin_err *err, kin_status status, const char *where,
                          const char *format, ...) KIN_PRINTF(4, 5);

/* Puts "prefix: " before the message on the way up; keeps the status, which it returns. */
kin_status kin_err_wrap(struct kin_err *err, kin_status status, const char *format, ...)
    KIN_PRINTF(3, 4);

/* A broken invariant of ours: prints where and aborts, in every build. */
#define KIN_ASSERT(condition) \
    ((condition) ? (void)0 : kin_assert_failed(#condition, __FILE__, __LINE__))
_Noreturn void kin_assert_failed(const char *condition, const char *file, int line);

#endif
