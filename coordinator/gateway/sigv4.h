#ifndef KIN_GATEWAY_SIGV4_H
#define KIN_GATEWAY_SIGV4_H
/* AWS Signature Version 4 in the Authorization header, as all services but S3 take it (AWS General
 * Reference, "Signature Version 4 signing process"): the path is encoded once more, dot segments
 * and repeated slashes go. Pure but for libsodium; any thread. Requests are hostile. */
#include "common/base/mem.h"

enum {
    SIGV4_WINDOW_S = 15 * 60, /* that far a request's date may be from ours */
    SIGV4_KEYS_MAX = 1024,
    SIGV4_HASH_BYTES = 32,
};

struct sigv4_keys;

/* Lines `ACCESS_KEY_ID SECRET`; empty ones and those that begin with # are skipped. KIN_E_NOTFOUND;
 * KIN_E_INVAL: others than the owner may read or write the file; KIN_E_SYNTAX: a line of another
 * form (named by its number only), an id twice, or no key at all; KIN_E_LIMIT, KIN_E_IO,
 * KIN_E_NOMEM. Secrets are in no message, and wiped when freed. */
kin_status sigv4_keys_read(const char *path, struct sigv4_keys **out,
                           struct kin_err *err) KIN_MUST_CHECK;
kin_status sigv4_keys_parse(struct kin_str text, struct sigv4_keys **out,
                            struct kin_err *err) KIN_MUST_CHECK;
void sigv4_keys_free(struct sigv4_keys *keys); /* NULL is fine */

struct sigv4_header {
    struct kin_str name, value; /* as they were sent */
};

struct sigv4_request {
    struct kin_str method;
    struct kin_str path;  /* as it was sent: percent-encoded */
    struct kin_str query; /* likewise, without the ? */
    const struct sigv4_header *headers;
    size_t header_count;
    uint8_t body_hash[SIGV4_HASH_BYTES]; /* SHA-256 */
};

enum sigv4_verdict {
    SIGV4_FINE,
    SIGV4_MISSING,    /* there is no Authorization, or not of this algorithm */
    SIGV4_INCOMPLETE, /* parts of it, or headers that have to be signed, are missing or malformed */
    SIGV4_UNKNOWN,    /* no such access key */
    SIGV4_EXPIRED,    /* the date is too far away */
    SIGV4_MISMATCH, /* the signature, or what the body is said to be, is not that of the request */
};

struct sigv4_check {
    enum sigv4_verdict verdict;
    const char *why;               /* for people; static */
    const char *key_id;            /* of a request that is fine; the keys' */
    struct kin_str signed_headers; /* host;x-amz-date ...; in the request */
};

/* service: "entityresolution"; now_s: since 1970. KIN_E_NOMEM: there is no verdict. */
kin_status sigv4_verify(const struct sigv4_keys *keys, const char *service,
                        const struct sigv4_request *request, uint64_t now_s,
                        struct sigv4_check *out) KIN_MUST_CHECK;

/* Whether a name, in any case, is one of signed_headers. */
bool sigv4_is_signed(struct kin_str signed_headers, struct kin_str name);

/* The canonical request (without its hash), appended; for verify, and for tests. */
kin_status sigv4_canonical(const struct sigv4_request *request, struct kin_str signed_headers,
                           struct kin_str payload_hash, struct kin_buf *out) KIN_MUST_CHECK;

/* The type by which AWS names a verdict. Static. */
const char *sigv4_error_type(enum sigv4_verdict verdict);

#endif
