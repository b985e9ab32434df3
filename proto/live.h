#ifndef KIN_PROTO_LIVE_H
#define KIN_PROTO_LIVE_H
/* What the messages of live operation have beside their fields: constants of both sides. Pure. */
#include "proto/shards.h"

enum {
    /* u32 a, u32 b: records (in LIVE_FOUND a is the place in the request); u32 rule: the number of
     * rules for the model, or with KIN_EDGE_STAR the rule of the star; i32 weight, 0 where a rule
     * made it; u64 key: of a star, else 0. In a star b is any record that has the same values, in
     * across_sources of another source where there is one. */
    KIN_LIVE_EDGE_BYTES = 24,
    KIN_LIVE_CANDIDATES = 1000,     /* of one record that is looked for, unless it says otherwise */
    KIN_LIVE_RECORDS_MAX = 4096,    /* of one LOOKUP or PUT */
    KIN_LIVE_PAYLOAD_MAX = 8 << 20, /* bytes of one LOOKUP or PUT */
    KIN_LIVE_TRUNCATED = 1,         /* flag of LIVE_FOUND */
    /* source of a record that is looked for and names none: of no source at all */
    KIN_LIVE_NO_SOURCE = UINT16_MAX
};

enum kin_link_kind { KIN_LINK_MUST = 1, KIN_LINK_NEVER = 2, KIN_LINK_REVOKE = 3 };
enum kin_doc_op { KIN_DOC_GET = 1, KIN_DOC_PUT = 2, KIN_DOC_DELETE = 3, KIN_DOC_LIST = 4 };

#endif
