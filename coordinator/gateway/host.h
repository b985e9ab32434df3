#ifndef KIN_GATEWAY_HOST_H
#define KIN_GATEWAY_HOST_H
/* The gateway of a coordinator's process: what its HTTP side asks goes into the live world, and the
 * answers come back. Main thread, unless said otherwise. */
#include "common/daemon/daemon.h"
#include "coordinator/gateway/direct.h"

struct gateway_host;

kin_status gateway_host_new(struct gateway_host **out) KIN_MUST_CHECK; /* KIN_E_NOMEM */
/* Asks the coordinator; any thread. Answers once the daemon runs. */
const struct gateway_backend *gateway_host_backend(struct gateway_host *h);
/* The same, for what the process itself asks (OWN_NODE). */
const struct gateway_backend *gateway_host_own(struct gateway_host *h);
/* [loop] A frame for OWN_NODE or GATEWAY_NODE (struct kin_daemon_options.on_local). Consumes it. */
void gateway_host_on_frame(struct gateway_host *h, kin_node_id to, struct kin_frame *frame);
/* The daemon is open. Listens for HTTP where there is an address (else NULL). -1: fine; else the
 * exit status, after the reason was told on stderr. */
int gateway_host_open(struct gateway_host *h, struct kin_daemon *daemon, const char *tool,
                      const char *address, const char *keys_file, bool insecure);
unsigned gateway_host_port(const struct gateway_host *h); /* 0: it does not listen */
/* Before the daemon's world ends: nothing is delivered to it any more. Any thread. */
void gateway_host_stop(struct gateway_host *h);
void gateway_host_free(struct gateway_host *h); /* NULL is fine */

#endif
