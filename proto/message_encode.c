#include "proto/schema.h"

#include <msgpack/pack.h>

/* The packer's result is not asked for at each call: the first failure sticks in `to` and `over`,
 * and later writes do nothing. */
struct writer {
    struct kin_buf *to;
    bool over;
};

static int write_bytes(void *data, const char *p, size_t n)
{
    struct writer *w = data;
    if (w->over || n > KIN_MESSAGE_BYTES_MAX || w->to->n > KIN_MESSAGE_BYTES_MAX - n) {
        w->over = true;
        return -1;
    }
    kin_buf_put(w->to, p, n);
    return w->to->failed ? -1 : 0;
}

static void pack_str(msgpack_packer *pk, struct kin_str s)
{
    msgpack_pack_str(pk, s.n);
    msgpack_pack_str_body(pk, s.p, s.n);
}

static void pack_bytes(msgpack_packer *pk, struct kin_str s)
{
    msgpack_pack_bin(pk, s.n);
    msgpack_pack_bin_body(pk, s.p, s.n);
}

static void pack_value(msgpack_packer *pk, const struct kin_field *f, const void *at)
{
    switch ((enum kin_kind)f->kind) {
    case KIN_KIND_U32:
        msgpack_pack_uint32(pk, *(const uint32_t *)at);
        break;
    case KIN_KIND_U64:
        msgpack_pack_uint64(pk, *(const uint64_t *)at);
        break;
    case KIN_KIND_I64:
        msgpack_pack_int64(pk, *(const int64_t *)at);
        break;
    case KIN_KIND_BOOL:
        if (*(const bool *)at)
            msgpack_pack_true(pk);
        else
            msgpack_pack_false(pk);
        break;
    case KIN_KIND_STR:
        pack_str(pk, *(const struct kin_str *)at);
        break;
    case KIN_KIND_BYTES:
        pack_bytes(pk, *(const struct kin_str *)at);
        break;
    }
}

kin_status kin_schema_encode(const struct kin_schema *s, const void *base, struct kin_buf *to)
{
    struct writer w = {to, false};
    msgpack_packer pk;
    msgpack_packer_init(&pk, &w, write_bytes);

    size_t present = 0;
    for (size_t i = 0; i < s->count; i++)
        present += s->fields[i].required || kin_field_is_set(&s->fields[i], base);
    msgpack_pack_map(&pk, present);
    for (size_t i = 0; i < s->count; i++) {
        const struct kin_field *f = &s->fields[i];
        if (!f->required && !kin_field_is_set(f, base))
            continue;
        msgpack_pack_uint8(&pk, f->id);
        pack_value(&pk, f, kin_field_at(f, base));
    }
    if (w.over)
        return KIN_E_LIMIT;
    return to->failed ? KIN_E_NOMEM : KIN_OK;
}

kin_status kin_message_encode(const struct kin_message *m, struct kin_frame **out)
{
    const struct kin_schema *s = kin_schema_of(m->type);
    if (!s)
        return KIN_E_INVAL;
    struct kin_frame *f = kin_frame_new(m->type);
    if (!f)
        return KIN_E_NOMEM;

    struct kin_message envelope = *m;
    if (envelope.version == 0)
        envelope.version = KIN_PROTO_VERSION_MAX;
    kin_buf_putc(&f->body, (char)0x92); /* an array of two: envelope, fields */
    kin_status status = kin_schema_encode(kin_schema_envelope(), &envelope, &f->body);
    if (!status)
        status = kin_schema_encode(s, &m->u, &f->body);
    if (status) {
        kin_frame_unref(f);
        return status;
    }
    *out = f;
    return KIN_OK;
}
