#ifndef KIN_CLIENT_STATUS_READ_H
#define KIN_CLIENT_STATUS_READ_H
/* What the coordinator says about its cluster (JSON; proto/PROTOCOL.md), made fit for people. What
 * it says may be anything: texts are escaped, and what is missing is left out. Pure; any thread. */
#include "common/base/mem.h"

struct kin_status_read;

/* KIN_E_SYNTAX: it is no JSON object; KIN_E_NOMEM. Returns owned. */
kin_status kin_status_read(struct kin_str json, struct kin_status_read **out,
                           struct kin_err *err) KIN_MUST_CHECK;
void kin_status_read_free(struct kin_status_read *s);

/* One line, ASCII only. */
void kin_status_json(const struct kin_status_read *s, struct kin_buf *out);

/* now_ms: wall clock. */
void kin_status_jobs(const struct kin_status_read *s, uint64_t now_ms, struct kin_buf *out);
void kin_status_cluster(const struct kin_status_read *s, uint64_t now_ms, struct kin_buf *out);

/* Whether a worker of that name is joined. */
bool kin_status_worker(const struct kin_status_read *s, const char *name);

#endif
