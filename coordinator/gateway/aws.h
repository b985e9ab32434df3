#ifndef KIN_GATEWAY_AWS_H
#define KIN_GATEWAY_AWS_H
/* The operations of AWS Entity Resolution, API version 2018-05-10: REST with JSON bodies. What is
 * supported and what differs: docs/aws.md. The caller has parsed HTTP and checked the signature.
 *
 * BatchDeleteUniqueId has its two parameters in headers, which a request here does not carry: the
 * caller appends them to the query, percent-encoded, as `inputSource` and `uniqueIds`. */
#include "coordinator/gateway/backend.h"

struct gateway_request {
    const char *method;
    const char *path; /* raw path without query */
    struct kin_str query;
    struct kin_str body;
    const char *key_id; /* access key that signed, or NULL */
};

struct gateway_response {
    unsigned status;
    const char *error_type;   /* for x-amzn-errortype, or NULL; static */
    const char *content_type; /* static; NULL: application/json */
    struct kin_buf body;
};

struct aws;

/* The backend is borrowed until aws_free. KIN_E_NOMEM. */
kin_status aws_new(const struct gateway_backend *backend, struct aws **out) KIN_MUST_CHECK;
void aws_free(struct aws *aws); /* no request may be under way; NULL is fine */

/* [any thread] Whether the API has an operation of this method and path. */
bool aws_knows(const char *method, const char *path);

/* [pool thread] Blocks until the backend has answered; many at once. *response is filled from
 * scratch, whatever comes: the caller owns its body. */
void aws_handle(struct aws *aws, const struct gateway_request *request,
                struct gateway_response *response);

#endif
