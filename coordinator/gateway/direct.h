#ifndef KIN_GATEWAY_DIRECT_H
#define KIN_GATEWAY_DIRECT_H
/* A gateway_backend for a gateway in the coordinator's own process: requests are frames of one
 * client that no network has, answers are found by their numbers. What is not answered is asked
 * again every second until its time is over. Any thread. */
#include "coordinator/gateway/backend.h"

/* The gateway; and the process itself, which may name any file to its own coordinator. */
enum { GATEWAY_NODE = KIN_NODES_MAX - 1, OWN_NODE = KIN_NODES_MAX - 2 };

struct gateway_direct;

/* deliver: hands a frame to the coordinator, as from a node of ours; consumes it; must not block or
 * call back. KIN_E_NOMEM. */
kin_status gateway_direct_new(void (*deliver)(void *arg, struct kin_frame *frame), void *arg,
                              struct gateway_direct **out) KIN_MUST_CHECK;
const struct gateway_backend *gateway_direct_backend(struct gateway_direct *d);
/* A frame that the coordinator sent to that node. Consumes it. */
void gateway_direct_on_frame(struct gateway_direct *d, struct kin_frame *frame);
/* When it returns nothing is delivered any more. All who wait are told so soon, and everybody who
 * asks later at once. */
void gateway_direct_stop(struct gateway_direct *d);
void gateway_direct_free(struct gateway_direct *d); /* after its users have gone */

/* Asks and waits. NULL: no answer in time. Else the frame, to be released, and *m decoded from it.
 */
struct kin_frame *gateway_call(const struct gateway_backend *backend, struct kin_message *request,
                               struct kin_buf *payload, uint32_t timeout_ms, struct kin_message *m);

#endif
