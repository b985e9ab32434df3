#ifndef KIN_GATEWAY_BACKEND_H
#define KIN_GATEWAY_BACKEND_H
/* How a gateway asks the coordinator of its process: messages of clients (60 and up, and those
 * about jobs), answered in any order. */
#include "common/env/env.h"
#include "proto/message.h"

struct gateway_backend {
    /* [any thread] Sends a request; m->request is chosen here. payload (may be NULL) is consumed.
     * answer is called exactly once, by any thread, and must not block: with the decoded message
     * and its frame, both borrowed, or with NULL and NULL when there was no answer in timeout_ms,
     * or none is to be expected any more. */
    void (*ask)(void *backend, struct kin_message *m, struct kin_buf *payload, uint32_t timeout_ms,
                void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f),
                void *arg);
    void *backend;
};

#endif
