#ifndef KIN_GATEWAY_METRICS_H
#define KIN_GATEWAY_METRICS_H
/* Counters of requests, and the text that Prometheus reads (exposition format 0.0.4). Any thread.
 */
#include "common/base/mem.h"

struct metrics;

/* names: of the routes, as labels; borrowed. KIN_E_NOMEM. */
kin_status metrics_new(const char *const *names, unsigned routes,
                       struct metrics **out) KIN_MUST_CHECK;
void metrics_free(struct metrics *m); /* NULL is fine */

void metrics_begin(struct metrics *m);
/* status 0: the client went before there was an answer */
void metrics_end(struct metrics *m, unsigned route, unsigned status, uint64_t took_us);

void metrics_print(const struct metrics *m, struct kin_buf *out);

/* Appends gauges from the JSON of STATUS; false: it is not what it should be, and nothing was
 * appended. */
bool metrics_print_status(struct kin_str json, struct kin_buf *out);

/* Whether the cluster is ready to serve by that JSON; else why not, for people. */
bool metrics_is_ready(struct kin_str json, struct kin_buf *why);

#endif
