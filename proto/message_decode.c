#include "proto/schema.h"

#include <string.h>

/* Not msgpack_unpack: it believes a length before it has seen the bytes, and allocates for it. Here
 * a length is compared with what is left before it is used, nothing is allocated, and nothing
 * recurses. */

enum token_kind {
    TOKEN_UINT,
    TOKEN_NEGATIVE,
    TOKEN_BOOL,
    TOKEN_STR,
    TOKEN_BYTES,
    TOKEN_ARRAY,
    TOKEN_MAP,
    TOKEN_OTHER, /* nil, float, extension: no field has them, but a later version may */
};

struct token {
    enum token_kind kind;
    uint64_t number;   /* UINT, NEGATIVE (two's complement), BOOL */
    uint64_t children; /* ARRAY, MAP: values inside, keys included */
    struct kin_str bytes;
};

static void fail(struct kin_reader *r, kin_status status, const char *why)
{
    if (r->status)
        return;
    r->status = status;
    r->why = why;
    r->at.bad = true;
}

static void fail_field(struct kin_reader *r, const struct kin_field *f, const char *why)
{
    if (r->status)
        return;
    r->field = f->name;
    fail(r, KIN_E_PROTO, why);
}

/* n bytes, most significant first; n is 1, 2, 4 or 8 */
static uint64_t big_endian(struct kin_reader *r, size_t n)
{
    const uint8_t *p = kin_cursor_take(&r->at, n);
    uint64_t v = 0;
    for (size_t i = 0; p && i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static void take_bytes(struct kin_reader *r, struct token *t, enum token_kind kind, uint64_t n)
{
    t->kind = kind;
    const uint8_t *p = n <= kin_cursor_left(&r->at) ? kin_cursor_take(&r->at, (size_t)n) : NULL;
    if (!p) {
        fail(r, KIN_E_PROTO, "string is cut");
        return;
    }
    t->bytes = (struct kin_str){(const char *)p, (size_t)n};
}

static void take_container(struct kin_reader *r, struct token *t, enum token_kind kind, uint64_t n)
{
    t->kind = kind;
    t->children = kind == TOKEN_MAP ? 2 * n : n; /* n is below 2^32 */
    if (t->children > kin_cursor_left(&r->at))
        fail(r, KIN_E_PROTO, "container has more values than the message has bytes");
}

static void take_signed(struct kin_reader *r, struct token *t, size_t n)
{
    uint64_t v = big_endian(r, n);
    uint64_t sign = (uint64_t)1 << (8 * n - 1);
    t->kind = v & sign ? TOKEN_NEGATIVE : TOKEN_UINT;
    t->number = (v ^ sign) - sign;
}

/* The types 0xc0..0xdf, which are one byte each. */
static void take_typed(struct kin_reader *r, struct token *t, unsigned tag)
{
    switch (tag) {
    case 0xc0: /* nil */
        break;
    case 0xc1:
        fail(r, KIN_E_PROTO, "byte 0xc1 is not msgpack");
        break;
    case 0xc2:
    case 0xc3:
        t->kind = TOKEN_BOOL;
        t->number = tag & 1;
        break;
    case 0xc4:
    case 0xc5:
    case 0xc6:
        take_bytes(r, t, TOKEN_BYTES, big_endian(r, (size_t)1 << (tag - 0xc4)));
        break;
    case 0xc7:
    case 0xc8:
    case 0xc9: /* extensions: length, then one byte for their type */
        take_bytes(r, t, TOKEN_OTHER, big_endian(r, (size_t)1 << (tag - 0xc7)) + 1);
        break;
    case 0xca:
    case 0xcb: /* float, double */
        take_bytes(r, t, TOKEN_OTHER, (uint64_t)4 << (tag - 0xca));
        break;
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        t->kind = TOKEN_UINT;
        t->number = big_endian(r, (size_t)1 << (tag - 0xcc));
        break;
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        take_signed(r, t, (size_t)1 << (tag - 0xd0));
        break;
    case 0xd9:
    case 0xda:
    case 0xdb:
        take_bytes(r, t, TOKEN_STR, big_endian(r, (size_t)1 << (tag - 0xd9)));
        break;
    case 0xdc:
    case 0xdd:
        take_container(r, t, TOKEN_ARRAY, big_endian(r, (size_t)2 << (tag - 0xdc)));
        break;
    case 0xde:
    case 0xdf:
        take_container(r, t, TOKEN_MAP, big_endian(r, (size_t)2 << (tag - 0xde)));
        break;
    default: /* 0xd4..0xd8: extensions of 1, 2, 4, 8, 16 bytes */
        take_bytes(r, t, TOKEN_OTHER, ((uint64_t)1 << (tag - 0xd4)) + 1);
        break;
    }
}

/* One value, or the head of a container. False once anything was wrong. */
static bool next(struct kin_reader *r, struct token *t)
{
    *t = (struct token){.kind = TOKEN_OTHER};
    if (r->status)
        return false;
    if (++r->items > KIN_MESSAGE_ITEMS_MAX) {
        fail(r, KIN_E_LIMIT, "too many values");
        return false;
    }
    unsigned tag = kin_cursor_u8(&r->at);
    if (tag < 0x80) {
        t->kind = TOKEN_UINT;
        t->number = tag;
    } else if (tag < 0x90) {
        take_container(r, t, TOKEN_MAP, tag & 0x0f);
    } else if (tag < 0xa0) {
        take_container(r, t, TOKEN_ARRAY, tag & 0x0f);
    } else if (tag < 0xc0) {
        take_bytes(r, t, TOKEN_STR, tag & 0x1f);
    } else if (tag < 0xe0) {
        take_typed(r, t, tag);
    } else {
        t->kind = TOKEN_NEGATIVE;
        t->number = (uint64_t)0 - (0x100 - tag);
    }
    if (r->at.bad)
        fail(r, KIN_E_PROTO, "message is cut");
    return r->status == KIN_OK;
}

/* Passes over one value that nobody here knows; depth is the number of containers around it. */
static void skip(struct kin_reader *r, unsigned depth)
{
    uint64_t left[KIN_MESSAGE_DEPTH_MAX + 1];
    unsigned inside = 0;
    struct token t;
    left[0] = 1;
    for (;;) {
        while (left[inside] == 0) {
            if (inside == 0)
                return;
            inside--;
        }
        left[inside]--;
        if (!next(r, &t))
            return;
        if (t.kind != TOKEN_ARRAY && t.kind != TOKEN_MAP)
            continue;
        if (depth + inside + 1 > KIN_MESSAGE_DEPTH_MAX) {
            fail(r, KIN_E_LIMIT, "nested too deeply");
            return;
        }
        left[++inside] = t.children;
    }
}

static bool store_number(const struct token *t, enum kin_kind kind, void *at)
{
    if (kind == KIN_KIND_I64) {
        bool fits = t->kind == TOKEN_NEGATIVE || t->number <= INT64_MAX;
        memcpy(at, &t->number, sizeof(int64_t));
        return fits;
    }
    if (t->kind == TOKEN_NEGATIVE)
        return false;
    if (kind == KIN_KIND_U64) {
        *(uint64_t *)at = t->number;
        return true;
    }
    *(uint32_t *)at = (uint32_t)t->number;
    return kind == KIN_KIND_U32 && t->number <= UINT32_MAX;
}

static void take_field(struct kin_reader *r, const struct kin_field *f, void *at)
{
    struct token t;
    if (!next(r, &t))
        return;
    enum kin_kind kind = (enum kin_kind)f->kind;
    bool right = false;
    switch (t.kind) {
    case TOKEN_UINT:
    case TOKEN_NEGATIVE:
        right = kind != KIN_KIND_BOOL && kind != KIN_KIND_STR && kind != KIN_KIND_BYTES &&
                store_number(&t, kind, at);
        break;
    case TOKEN_BOOL:
        if ((right = kind == KIN_KIND_BOOL))
            *(bool *)at = t.number != 0;
        break;
    case TOKEN_STR:
    case TOKEN_BYTES:
        if ((right = kind == (t.kind == TOKEN_STR ? KIN_KIND_STR : KIN_KIND_BYTES)))
            *(struct kin_str *)at = t.bytes;
        break;
    case TOKEN_ARRAY:
    case TOKEN_MAP:
    case TOKEN_OTHER:
        break;
    }
    if (!right)
        fail_field(r, f, "not of this field's type or range");
}

static const struct kin_field *field_of(const struct kin_schema *s, uint64_t id)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->fields[i].id == id)
            return &s->fields[i];
    return NULL;
}

kin_status kin_schema_decode(const struct kin_schema *s, struct kin_reader *r, unsigned depth,
                             void *base)
{
    struct token t;
    if (!next(r, &t))
        return r->status;
    if (t.kind != TOKEN_MAP) {
        fail(r, KIN_E_PROTO, "not a map");
        return r->status;
    }
    uint64_t seen = 0; /* bit per id */
    for (uint64_t pairs = t.children / 2; pairs > 0; pairs--) {
        if (!next(r, &t))
            return r->status;
        if (t.kind != TOKEN_UINT) {
            fail(r, KIN_E_PROTO, "a key is not a number");
            return r->status;
        }
        const struct kin_field *f = field_of(s, t.number);
        if (!f) {
            skip(r, depth + 1);
            continue;
        }
        if (seen >> f->id & 1) {
            fail_field(r, f, "field is there twice");
            return r->status;
        }
        seen |= (uint64_t)1 << f->id;
        take_field(r, f, (char *)base + f->offset);
    }
    for (size_t i = 0; i < s->count; i++)
        if (s->fields[i].required && !(seen >> s->fields[i].id & 1))
            fail_field(r, &s->fields[i], "required field is missing");
    return r->status;
}

static bool speaks_any_version(uint32_t type)
{
    return type == KIN_MSG_HELLO || type == KIN_MSG_REFUSED;
}

kin_status kin_message_decode(const struct kin_frame *f, struct kin_message *out,
                              struct kin_err *err)
{
    if (f->body.n > KIN_MESSAGE_BYTES_MAX)
        return kin_err_set(err, KIN_E_LIMIT, "message of %zu bytes, at most %d are taken",
                           f->body.n, KIN_MESSAGE_BYTES_MAX);
    struct kin_reader r = {.at = kin_cursor_of(f->body.p, f->body.n), .field = ""};
    struct kin_message m = {0};
    struct token t;
    if (next(&r, &t) && (t.kind != TOKEN_ARRAY || t.children != 2))
        fail(&r, KIN_E_PROTO, "not an array of two");
    if (kin_schema_decode(kin_schema_envelope(), &r, 1, &m))
        return kin_err_set(err, r.status, "envelope %s: %s", r.field, r.why);

    const struct kin_schema *s = kin_schema_of(m.type);
    if (!s)
        return kin_err_set(err, KIN_E_PROTO, "unknown message type %u", m.type);
    if (m.type != f->type)
        return kin_err_set(err, KIN_E_PROTO, "frame of type %u holds a %s", f->type, s->name);
    if (m.version == 0)
        return kin_err_set(err, KIN_E_PROTO, "%s: version 0", s->name);
    if ((m.version < KIN_PROTO_VERSION_MIN || m.version > KIN_PROTO_VERSION_MAX) &&
        !speaks_any_version(m.type))
        return kin_err_set(err, KIN_E_VERSION, "%s: version %u, this build speaks %d to %d",
                           s->name, m.version, KIN_PROTO_VERSION_MIN, KIN_PROTO_VERSION_MAX);

    if (kin_schema_decode(s, &r, 1, &m.u))
        return kin_err_set(err, r.status, "%s %s: %s", s->name, r.field, r.why);
    if (kin_cursor_left(&r.at) != 0)
        return kin_err_set(err, KIN_E_PROTO, "%s: bytes after the end", s->name);
    *out = m;
    return KIN_OK;
}
