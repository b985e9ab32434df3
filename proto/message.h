#ifndef KIN_PROTO_MESSAGE_H
#define KIN_PROTO_MESSAGE_H
/* The messages between coordinator and workers: structs, encoder, decoder, printer. All of it is
 * made from messages.def; the wire format is described in PROTOCOL.md. Pure; any thread. */
#include "common/base/mem.h"
#include "common/env/env.h"

/* The range of protocol versions that this build speaks. */
enum { KIN_PROTO_VERSION_MIN = 1, KIN_PROTO_VERSION_MAX = 1 };

/* Limits of one encoded message (kin_frame.body; the payload is not ours to judge). */
enum {
    KIN_MESSAGE_BYTES_MAX = 1 << 20,
    KIN_MESSAGE_DEPTH_MAX = 4,    /* containers inside each other, the outermost is 1 */
    KIN_MESSAGE_ITEMS_MAX = 4096, /* values, keys and containers, nested ones included */
};

/* KIN_MSG_HELLO = 1 and so on */
enum kin_message_type {
#define KIN_MESSAGE(NAME, name, number) KIN_MSG_##NAME = (number),
#include "proto/messages.def"
};

/* Types of the field kinds. STR and BYTES borrow: from the frame after decoding. */
typedef uint32_t kin_kind_U32;
typedef uint64_t kin_kind_U64;
typedef int64_t kin_kind_I64;
typedef bool kin_kind_BOOL;
typedef struct kin_str kin_kind_STR;
typedef struct kin_str kin_kind_BYTES;

/* struct kin_msg_hello { ... } and so on */
#define KIN_MESSAGE(NAME, name, number) struct kin_msg_##name {
#define KIN_FIELD(name, id, kind, member, presence) kin_kind_##kind member;
#define KIN_MESSAGE_END(NAME, name) \
    }                               \
    ;
#include "proto/messages.def"

/* One message: the envelope (type, version, cluster, epoch, request), then what `type`
 * selects of the union: u.hello for KIN_MSG_HELLO. */
struct kin_message {
#define KIN_ENVELOPE(id, kind, member, presence) kin_kind_##kind member;
#include "proto/messages.def"
    union {
#define KIN_MESSAGE(NAME, name, number) struct kin_msg_##name name;
#include "proto/messages.def"
    } u;
};

/* Encodes m into a new frame with an empty payload; the caller may add to frame->payload before it
 * sends the frame. version 0 is written as KIN_PROTO_VERSION_MAX. *out is owned (one reference).
 * KIN_E_INVAL: no such type; KIN_E_LIMIT: larger than KIN_MESSAGE_BYTES_MAX; KIN_E_NOMEM. */
kin_status kin_message_encode(const struct kin_message *m, struct kin_frame **out) KIN_MUST_CHECK;

/* Decodes the body of a frame that may be hostile. Never allocates. Strings and bytes in *out
 * borrow from f; members of the union that `type` does not select are zero or part of what it does.
 * Unknown fields are skipped. KIN_E_PROTO: malformed, of unknown type, a required field is missing,
 * or f->type is not the type inside; KIN_E_LIMIT: one of the limits above; KIN_E_VERSION: a version
 * outside our range (HELLO and REFUSED are decoded whatever their version, so that two builds can
 * tell each other that they do not fit). *out is set on success only. */
kin_status kin_message_decode(const struct kin_frame *f, struct kin_message *out,
                              struct kin_err *err) KIN_MUST_CHECK;

/* Appends one line without its end, for logs: NAME, the envelope, then the fields that are set.
 * Strings are escaped and cut at 128 bytes; of bytes only the size is told. */
void kin_message_print(const struct kin_message *m, struct kin_buf *to);

/* "HELLO"; "UNKNOWN" for a number that is none. Static string. */
const char *kin_message_name(uint32_t type);

/* The highest version that both a peer with min..max and this build speak. KIN_E_PROTO: min is 0
 * or above max; KIN_E_VERSION: no common version. */
kin_status kin_proto_negotiate(uint32_t min, uint32_t max, uint32_t *chosen) KIN_MUST_CHECK;

#endif
