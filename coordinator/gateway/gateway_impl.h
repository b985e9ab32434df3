#ifndef KIN_GATEWAY_GATEWAY_IMPL_H
#define KIN_GATEWAY_GATEWAY_IMPL_H
/* Inside of the gateway: one request, from its headers to its end. */
#include "coordinator/gateway/aws.h"
#include "coordinator/gateway/calls.h"
#include "coordinator/gateway/gateway.h"
#include "coordinator/gateway/http.h"
#include "coordinator/gateway/jobs.h"
#include "coordinator/gateway/metrics.h"
#include "coordinator/gateway/sigv4.h"
#include "coordinator/gateway/v1.h"

#include <sodium.h>

struct gateway {
    struct gateway_options o;
    struct gateway_backend backend; /* of AWS operations: that of calls */
    struct http *http;
    struct calls *calls;
    struct jobs *jobs;
    struct aws *aws;
    struct sigv4_keys *keys; /* NULL: requests need no signature */
    struct metrics *metrics;
    struct kin_arena names; /* of routes: those of v1, then these */
    const char **route_names;
    unsigned aws_route, other_route;
};

struct exchange {
    struct v1_exchange v1; /* its route NULL: an AWS operation */
    struct gateway *gateway;
    struct http_request *request;
    unsigned route; /* for metrics */
    /* SigV4 */
    bool hashing;
    crypto_hash_sha256_state hash;
    /* the backend's answer */
    bool asked;
    struct kin_message answer;
    struct kin_frame *frame; /* owned; NULL: none */
    /* AWS */
    struct job job;
    bool ran;
    struct gateway_request aws_request;
    struct gateway_response aws_response;
    struct kin_buf aws_query;
};

/* Whether the request may be let in as far as its headers tell, and whether it is signed as it has
 * to be. False: *reply is why not. */
bool gateway_guard(struct exchange *x, struct http_reply *reply);
bool gateway_check_signature(struct exchange *x, struct http_reply *reply);

/* An AWS operation, in a thread of its own. */
void gateway_aws_handle(struct exchange *x);
void gateway_aws_reply(struct exchange *x);

#endif
