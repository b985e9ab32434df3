#ifndef KIN_GATEWAY_CALLS_H
#define KIN_GATEWAY_CALLS_H
/* The requests to a backend that are under way, so that a gateway can end without waiting for them:
 * a backend of its own, which hands on to the other one until calls_close. Any thread. */
#include "coordinator/gateway/backend.h"

struct calls;

/* The backend is borrowed until calls_close returns. KIN_E_NOMEM. */
kin_status calls_new(const struct gateway_backend *backend, struct calls **out) KIN_MUST_CHECK;

/* As gateway_backend.ask. Out of memory and closed: answered at once with nothing. */
void calls_ask(struct calls *c, struct kin_message *m, struct kin_buf *payload, uint32_t timeout_ms,
               void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f),
               void *arg);

/* calls_ask as a backend. */
struct gateway_backend calls_backend(struct calls *c);

/* Every request under way is answered with nothing, and so is each one that follows. On return no
 * answer is being delivered, and the backend is asked no more; what it still answers is dropped. */
void calls_close(struct calls *c);
bool calls_are_closed(struct calls *c);

/* After calls_close, and when nothing calls in any more. NULL is fine. */
void calls_free(struct calls *c);

#endif
