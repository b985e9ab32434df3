#ifndef KIN_GATEWAY_SIGV4_IMPL_H
#define KIN_GATEWAY_SIGV4_IMPL_H
/* Inside of sigv4: the keys, and the canonical form of a request. */
#include "coordinator/gateway/sigv4.h"

enum { SIGV4_ID_MAX = 128, SIGV4_SECRET_MAX = 256 };

struct sigv4_key {
    char id[SIGV4_ID_MAX + 1];
    uint8_t secret[SIGV4_SECRET_MAX];
    size_t secret_bytes;
};

struct sigv4_keys {
    size_t count;
    struct sigv4_key key[SIGV4_KEYS_MAX]; /* ascending by id */
};

const struct sigv4_key *sigv4_key_find(const struct sigv4_keys *keys, struct kin_str id);

/* The first header of a name that is given in lower case; *times: how many there are. */
const struct sigv4_header *sigv4_header_find(const struct sigv4_request *r, struct kin_str name,
                                             unsigned *times);

#endif
