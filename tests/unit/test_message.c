#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/hash.h"
#include "tests/unit/message_kit.h"

#include <dirent.h>

/* ---- helpers ---- */

static unsigned last_id(const struct kin_schema *s)
{
    return s->fields[s->count - 1].id;
}

static uint64_t rng(uint64_t *state)
{
    return kin_hash_mix(++*state, 77);
}

static uint64_t edge_number(uint64_t *state)
{
    static const uint64_t edges[] = {0,          1,           127,       128,        255,
                                     256,        65535,       65536,     0x7fffffff, 0x80000000,
                                     0xffffffff, 0x100000000, INT64_MAX, UINT64_MAX};
    uint64_t pick = rng(state) % (sizeof edges / sizeof edges[0] + 1);
    return pick < sizeof edges / sizeof edges[0] ? edges[pick] : rng(state);
}

static void fill_at_random(const struct kin_schema *s, void *base, uint64_t *state)
{
    static char text[70000];
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 65535, 65536};
    for (size_t i = 0; i < s->count; i++) {
        void *at = (char *)base + s->fields[i].offset;
        uint64_t v = edge_number(state);
        switch ((enum kin_kind)s->fields[i].kind) {
        case KIN_KIND_U32:
            *(uint32_t *)at = (uint32_t)v;
            break;
        case KIN_KIND_U64:
        case KIN_KIND_I64:
            *(uint64_t *)at = rng(state) & 1 ? v : (uint64_t)0 - v;
            break;
        case KIN_KIND_BOOL:
            *(bool *)at = v & 1;
            break;
        case KIN_KIND_STR:
        case KIN_KIND_BYTES:
            *(struct kin_str *)at = (struct kin_str){text, sizes[v % 8]};
            break;
        }
    }
}

static struct kin_frame frame_of(uint32_t type, const void *p, size_t n)
{
    /* an exact block, so that ASan sees one byte too far */
    uint8_t *copy = kin_alloc(n);
    assert_non_null(copy);
    memcpy(copy, p, n);
    struct kin_frame f = {.type = type, .body = {.p = copy, .n = n, .cap = n}};
    return f;
}

static kin_status decode_bytes(uint32_t type, const void *p, size_t n, struct kin_message *out)
{
    struct kin_frame f = frame_of(type, p, n);
    struct kin_err err = {0};
    kin_alloc_fail_after(0);
    kin_status status = kin_message_decode(&f, out, &err);
    assert_int_equal(kin_alloc_fail_after(SIZE_MAX), 0);
    assert_int_equal(err.status, status);
    kin_buf_deinit(&f.body);
    return status;
}
#define DECODE(type, literal, out) decode_bytes((type), (literal), sizeof(literal) - 1, (out))

static struct kin_frame *encoded(const struct kin_message *m)
{
    struct kin_frame *f = NULL;
    assert_int_equal(kin_message_encode(m, &f), KIN_OK);
    return f;
}

/* ---- the declarations ---- */

static void declared_numbers_and_ids_are_unique_and_in_range(void **state)
{
    (void)state;
    const struct kin_schema *s;
    for (size_t i = 0; (s = kin_schema_at(i)); i++) {
        assert_true(s->type > 0);
        assert_ptr_equal(kin_schema_of(s->type), s);
        unsigned before = 0;
        for (size_t k = 0; k < s->count; k++) {
            assert_true(s->fields[k].id > before && s->fields[k].id <= KIN_FIELD_ID_MAX);
            before = s->fields[k].id;
        }
        assert_string_equal(kin_message_name(s->type), s->name);
    }
    assert_string_equal(kin_message_name(0), "UNKNOWN");
    assert_string_equal(kin_message_name(9999), "UNKNOWN");
    assert_int_equal(KIN_MSG_ROWS_GOT, 37);
}

static void hello_is_the_bytes_written_by_hand(void **state)
{
    (void)state;
    struct kin_message m = {
        .type = KIN_MSG_HELLO,
        .cluster = 0x0102030405060708,
        .u.hello = {1, 1, KIN_STR("w3"), 300, 0},
    };
    static const char want[] = "\x92"
                               "\x83\x01\x01\x02\x01\x03\xcf\x01\x02\x03\x04\x05\x06\x07\x08"
                               "\x84\x01\x01\x02\x01\x03\xa2w3\x04\xcd\x01\x2c";
    struct kin_frame *f = encoded(&m);
    assert_int_equal(f->type, KIN_MSG_HELLO);
    assert_int_equal(f->payload.n, 0);
    assert_int_equal(f->body.n, sizeof want - 1);
    assert_memory_equal(f->body.p, want, sizeof want - 1);
    kin_frame_unref(f);
}

static void the_protocol_page_lists_every_message(void **state)
{
    (void)state;
    static char page[32768];
    FILE *file = fopen(KIN_SOURCE_DIR "/proto/PROTOCOL.md", "r");
    assert_non_null(file);
    page[fread(page, 1, sizeof page - 1, file)] = '\0';
    assert_true(feof(file));
    fclose(file);
    const struct kin_schema *s;
    for (size_t i = 0; (s = kin_schema_at(i)); i++) {
        char row[64];
        snprintf(row, sizeof row, "\n| %u | %s | ", s->type, s->name);
        if (!strstr(page, row))
            fail_msg("proto/PROTOCOL.md has no row for message %u, %s", s->type, s->name);
    }
}

/* ---- golden frames ---- */

static void golden_path(char *to, size_t cap, const struct kin_schema *s)
{
    snprintf(to, cap, "%s/proto/%s-%u-%u.hex", KIN_TEST_DATA, s->name,
             last_id(kin_schema_envelope()), last_id(s));
}

/* With KIN_GOLDEN_WRITE in the environment: keeps what is encoded now, never touches what is kept.
 */
static void golden_write(const struct kin_schema *s, const char *path)
{
    struct kin_message m = kit_message_by_rule(s, KIN_FIELD_ID_MAX, KIN_FIELD_ID_MAX);
    struct kin_frame *f = encoded(&m);
    FILE *file = fopen(path, "wx");
    assert_non_null(file);
    for (size_t i = 0; i < f->body.n; i++)
        fprintf(file, "%02x%s", f->body.p[i], i % 32 == 31 || i + 1 == f->body.n ? "\n" : "");
    assert_int_equal(fclose(file), 0);
    kin_frame_unref(f);
}

static size_t read_hex(const char *path, uint8_t *to, size_t cap)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = 0;
    char pair[3];
    while (fscanf(file, " %2[0-9a-f]", pair) == 1) {
        assert_true(n < cap);
        to[n++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    assert_true(feof(file));
    fclose(file);
    return n;
}

static const struct kin_schema *schema_named(const char *name)
{
    const struct kin_schema *s;
    for (size_t i = 0; (s = kin_schema_at(i)); i++)
        if (!strcmp(s->name, name))
            return s;
    return NULL;
}

static void golden_check(const char *file)
{
    char name[32];
    char path[512];
    unsigned envelope_max;
    unsigned field_max;
    uint8_t bytes[1024];
    assert_int_equal(sscanf(file, "%31[A-Z_]-%u-%u.hex", name, &envelope_max, &field_max), 3);
    snprintf(path, sizeof path, "%s/proto/%s", KIN_TEST_DATA, file);
    size_t n = read_hex(path, bytes, sizeof bytes);

    const struct kin_schema *s = schema_named(name);
    assert_non_null(s); /* a message was renamed or taken out */
    struct kin_message want = kit_message_by_rule(s, envelope_max, field_max);
    struct kin_frame *f = encoded(&want);
    assert_int_equal(f->body.n, n);
    assert_memory_equal(f->body.p, bytes, n);
    kin_frame_unref(f);

    struct kin_frame kept = frame_of(s->type, bytes, n);
    struct kin_message got;
    assert_int_equal(kin_message_decode(&kept, &got, NULL), KIN_OK);
    assert_true(kit_message_same(&got, &want));
    kin_buf_deinit(&kept.body);
}

static void golden_frames_are_encoded_and_decoded_as_ever(void **state)
{
    (void)state;
    const struct kin_schema *s;
    for (size_t i = 0; (s = kin_schema_at(i)); i++) {
        char path[512];
        golden_path(path, sizeof path, s);
        FILE *file = fopen(path, "r");
        if (file)
            fclose(file);
        else if (getenv("KIN_GOLDEN_WRITE"))
            golden_write(s, path);
        else
            fail_msg("%s is missing: run this test once with KIN_GOLDEN_WRITE=1", path);
    }
    DIR *dir = opendir(KIN_TEST_DATA "/proto");
    assert_non_null(dir);
    size_t checked = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (!strstr(entry->d_name, ".hex"))
            continue;
        golden_check(entry->d_name);
        checked++;
    }
    closedir(dir);
    assert_true(checked >= 24);
}

/* ---- round trips ---- */

static void any_message_survives_the_wire(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (unsigned round = 0; round < 200; round++) {
        const struct kin_schema *s;
        for (size_t i = 0; (s = kin_schema_at(i)); i++) {
            struct kin_message m = {0};
            fill_at_random(kin_schema_envelope(), &m, &seed);
            fill_at_random(s, &m.u, &seed);
            m.type = s->type;
            m.version = 1;
            struct kin_frame *f = encoded(&m);
            struct kin_message got;
            assert_int_equal(kin_message_decode(f, &got, NULL), KIN_OK);
            assert_true(kit_message_same(&m, &got));
            kin_frame_unref(f);
        }
    }
}

struct every_kind {
    uint32_t a;
    uint64_t b;
    int64_t c;
    bool d;
    struct kin_str e;
    struct kin_str f;
};
static const struct kin_field every_field[] = {
    {1, KIN_KIND_U32, false, offsetof(struct every_kind, a), "a"},
    {2, KIN_KIND_U64, false, offsetof(struct every_kind, b), "b"},
    {3, KIN_KIND_I64, false, offsetof(struct every_kind, c), "c"},
    {20, KIN_KIND_BOOL, false, offsetof(struct every_kind, d), "d"},
    {62, KIN_KIND_STR, false, offsetof(struct every_kind, e), "e"},
    {63, KIN_KIND_BYTES, true, offsetof(struct every_kind, f), "f"},
};
static const struct kin_schema every_schema = {999, "EVERY", every_field, 6};

static kin_status decode_every(const void *p, size_t n, struct every_kind *out)
{
    struct kin_reader r = {.at = kin_cursor_of(p, n), .field = ""};
    *out = (struct every_kind){0};
    return kin_schema_decode(&every_schema, &r, 1, out);
}

static void every_kind_survives_the_wire(void **state)
{
    (void)state;
    uint64_t seed = 2;
    for (unsigned round = 0; round < 2000; round++) {
        struct every_kind in;
        struct every_kind out;
        struct kin_buf buf = {0};
        fill_at_random(&every_schema, &in, &seed);
        assert_int_equal(kin_schema_encode(&every_schema, &in, &buf), KIN_OK);
        assert_int_equal(decode_every(buf.p, buf.n, &out), KIN_OK);
        assert_true(kit_fields_same(&every_schema, &in, &out));
        kin_buf_deinit(&buf);
    }
}

static void numbers_are_taken_in_any_width_that_fits(void **state)
{
    (void)state;
    struct every_kind v;
#define EVERY(literal) decode_every("\x82\x3f\xc4\x00" literal, sizeof(literal) + 3, &v)
    assert_int_equal(EVERY("\x01\xcf\0\0\0\0\0\0\0\x07"), KIN_OK);
    assert_int_equal(v.a, 7);
    assert_int_equal(EVERY("\x01\xd3\0\0\0\0\xff\xff\xff\xff"), KIN_OK);
    assert_int_equal(v.a, UINT32_MAX);
    assert_int_equal(EVERY("\x01\xcf\0\0\0\x01\0\0\0\0"), KIN_E_PROTO);
    assert_int_equal(EVERY("\x01\xff"), KIN_E_PROTO);
    assert_int_equal(EVERY("\x02\xd0\x80"), KIN_E_PROTO);
    assert_int_equal(EVERY("\x03\xd0\x80"), KIN_OK);
    assert_true(v.c == -128);
    assert_int_equal(EVERY("\x03\xd3\x80\0\0\0\0\0\0\0"), KIN_OK);
    assert_true(v.c == INT64_MIN);
    assert_int_equal(EVERY("\x03\xcf\x80\0\0\0\0\0\0\0"), KIN_E_PROTO);
    assert_int_equal(EVERY("\x03\xe0"), KIN_OK);
    assert_true(v.c == -32);
#undef EVERY
}

static void a_value_of_another_kind_is_refused(void **state)
{
    (void)state;
    /* nil, true, 7, -1, "a", bin, float, array, map, ext */
    static const struct {
        const char *bytes;
        size_t n;
    } values[] = {{"\xc0", 1},         {"\xc3", 1},         {"\x07", 1},         {"\xff", 1},
                  {"\xa1\x61", 2},     {"\xc4\x01\x61", 3}, {"\xca\0\0\0\0", 5}, {"\x91\x01", 2},
                  {"\x81\x01\x01", 3}, {"\xd4\x01\x01", 3}};
    static const unsigned fits[] = {[0] = 1 << 2, [1] = 1 << 2, [2] = 1 << 2 | 1 << 3,
                                    [3] = 1 << 1, [4] = 1 << 4, [5] = 1 << 5};
    for (size_t field = 0; field < 6; field++) {
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
            struct kin_buf b = {0};
            struct every_kind v;
            bool is_last = every_field[field].id == 63;
            kin_buf_putc(&b, (char)(is_last ? 0x81 : 0x82));
            kin_buf_putc(&b, (char)every_field[field].id);
            kin_buf_put(&b, values[k].bytes, values[k].n);
            if (!is_last)
                kin_buf_put(&b, "\x3f\xc4\x00", 3);
            kin_status want = fits[field] >> k & 1 ? KIN_OK : KIN_E_PROTO;
            assert_int_equal(decode_every(b.p, b.n, &v), want);
            kin_buf_deinit(&b);
        }
    }
}

/* ---- hostile and future frames ---- */

#define JOB_CLOSE_HEAD "\x92\x82\x01\x14\x02\x01"

static void fields_of_later_versions_are_skipped(void **state)
{
    (void)state;
    struct kin_message m;
    assert_int_equal(DECODE(20,
                            "\x92\x83\x01\x14\x32\xca\x41\x00\x00\x00\x02\x01"
                            "\x88\x32\xc0\x01\x2a\x33\x92\x91\x05\x80\x34\x82\xa1k\xc2\x91\x01\x02"
                            "\x35\xc7\x02\x01zz\xcd\x01\x00\xd8\x01"
                            "0123456789abcdef"
                            "\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xda\x00\x03xyz"
                            "\x36\xcb\0\0\0\0\0\0\0\0",
                            &m),
                     KIN_OK);
    assert_int_equal(m.type, KIN_MSG_JOB_CLOSE);
    assert_int_equal(m.u.job_close.job, 42);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    struct kin_message m;
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x82\x01\x05\x32\x91\x91\x07", &m), KIN_OK);
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x82\x01\x05\x32\x91\x90", &m), KIN_OK);
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x82\x01\x05\x32\x91\x91\x90", &m), KIN_E_LIMIT);
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x82\x01\x05\x32\x81\x01\x81\x01\x80", &m),
                     KIN_E_LIMIT);
    struct kin_buf deep = {0};
    kin_buf_puts(&deep, JOB_CLOSE_HEAD "\x82\x01\x05\x32");
    memset(kin_buf_extend(&deep, 600), 0x91, 600);
    assert_int_equal(decode_bytes(20, deep.p, deep.n, &m), KIN_E_LIMIT);
    kin_buf_deinit(&deep);
}

static void count_of_values_is_bounded(void **state)
{
    (void)state;
    struct kin_message m;
    /* 11 before the list: array, envelope with its 4, map, key, value, key, and the list itself */
    for (unsigned n = KIN_MESSAGE_ITEMS_MAX - 11; n <= KIN_MESSAGE_ITEMS_MAX - 10; n++) {
        struct kin_buf b = {0};
        kin_buf_put(&b, JOB_CLOSE_HEAD "\x82\x01\x05\x32\xdc", 11);
        kin_buf_putc(&b, (char)(n >> 8));
        kin_buf_putc(&b, (char)n);
        memset(kin_buf_extend(&b, n), 0, n);
        kin_status want = n == KIN_MESSAGE_ITEMS_MAX - 11 ? KIN_OK : KIN_E_LIMIT;
        assert_int_equal(decode_bytes(20, b.p, b.n, &m), want);
        kin_buf_deinit(&b);
    }
}

static void a_length_is_not_believed(void **state)
{
    (void)state;
    struct kin_message m;
    struct kin_err err = {0};
    struct kin_frame f = frame_of(20, "\xdd\x10\x00\x00\x00\x01", 6);
    assert_int_equal(kin_message_decode(&f, &m, &err), KIN_E_PROTO);
    assert_non_null(strstr(err.msg, "container has more values")); /* at once, not at the end */
    kin_buf_deinit(&f.body);
    assert_int_equal(DECODE(20, "\xdd\x10\x00\x00\x00", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(20, "\xdf\xff\xff\xff\xff", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(20, "\x92\xdf\xff\xff\xff\xff", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(20, "\xdb\xff\xff\xff\xff", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x82\x01\x05\x32\xdf\x80\x00\x00\x00", &m),
                     KIN_E_PROTO);
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x82\x01\x05\x32\xc6\xff\xff\xff\xff", &m),
                     KIN_E_PROTO);
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x82\x01\x05\x32\xc9\xff\xff\xff\xff\x01", &m),
                     KIN_E_PROTO);
}

static void malformed_frames_are_refused(void **state)
{
    (void)state;
    struct kin_message m;
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x81\x01\x05", &m), KIN_OK);
    assert_int_equal(DECODE(20, "", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(20, "\x05", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(20, "\x91\x82\x01\x14\x02\x01", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(20, "\x93\x82\x01\x14\x02\x01\x81\x01\x05\x00", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(20, "\x92\x91\x01\x81\x01\x05", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x81\x01\x05\x00", &m), KIN_E_PROTO); /* after */
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x80", &m), KIN_E_PROTO);             /* missing */
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x82\x01\x05\x01\x05", &m),
                     KIN_E_PROTO); /* twice */
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x82\x01\x05\xff\x05", &m),
                     KIN_E_PROTO); /* key -1 */
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x82\x01\x05\xa1k\x05", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(20, JOB_CLOSE_HEAD "\x82\x01\x05\x32\xc1", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(20, "\x92\x81\x01\x14\x81\x01\x05", &m), KIN_E_PROTO); /* no version */
    assert_int_equal(DECODE(20, "\x92\x81\x02\x01\x81\x01\x05", &m), KIN_E_PROTO); /* no type */
    assert_int_equal(DECODE(19, JOB_CLOSE_HEAD "\x81\x01\x05", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(99, "\x92\x82\x01\x63\x02\x01\x81\x01\x05", &m), KIN_E_PROTO);

    struct kin_frame none = {.type = 20};
    assert_int_equal(kin_message_decode(&none, &m, NULL), KIN_E_PROTO);
}

static void a_foreign_version_is_told_from_a_malformed_frame(void **state)
{
    (void)state;
    struct kin_message m;
    assert_int_equal(DECODE(20, "\x92\x82\x01\x14\x02\x02\x81\x01\x05", &m), KIN_E_VERSION);
    assert_int_equal(DECODE(20, "\x92\x82\x01\x14\x02\x00\x81\x01\x05", &m), KIN_E_PROTO);
    assert_int_equal(DECODE(1, "\x92\x82\x01\x01\x02\x09\x82\x01\x07\x02\x09", &m), KIN_OK);
    assert_int_equal(m.u.hello.version_min, 7);
    assert_int_equal(DECODE(3, "\x92\x82\x01\x03\x02\x09\x81\x01\x08", &m), KIN_OK);
    assert_int_equal(m.u.refused.status, KIN_E_VERSION);
}

static void an_error_names_message_field_and_reason(void **state)
{
    (void)state;
    struct kin_message m = {.type = 12345};
    struct kin_err err = {0};
    struct kin_frame f = frame_of(20, JOB_CLOSE_HEAD "\x81\x01\xc3", 9);
    assert_int_equal(kin_message_decode(&f, &m, &err), KIN_E_PROTO);
    assert_string_equal(err.msg, "JOB_CLOSE job: not of this field's type or range");
    assert_int_equal(m.type, 12345); /* the result is untouched */
    kin_buf_deinit(&f.body);
}

static void a_body_over_the_limit_is_refused_both_ways(void **state)
{
    (void)state;
    static char big[KIN_MESSAGE_BYTES_MAX + 1];
    struct kin_message m = {.type = KIN_MSG_JOB_OPEN, .u.job_open.job = 1};
    struct kin_frame *f = NULL;
    m.u.job_open.workflow = (struct kin_str){big, KIN_MESSAGE_BYTES_MAX - 64};
    assert_int_equal(kin_message_encode(&m, &f), KIN_OK);
    struct kin_message got;
    assert_int_equal(kin_message_decode(f, &got, NULL), KIN_OK);
    kin_frame_unref(f);
    f = NULL;
    for (size_t n = KIN_MESSAGE_BYTES_MAX - 4; n <= sizeof big; n++) {
        m.u.job_open.workflow = (struct kin_str){big, n};
        assert_int_equal(kin_message_encode(&m, &f), KIN_E_LIMIT);
        assert_null(f);
    }
    assert_int_equal(decode_bytes(10, big, sizeof big, &got), KIN_E_LIMIT);
}

static void every_cut_of_every_message_is_refused(void **state)
{
    (void)state;
    const struct kin_schema *s;
    for (size_t i = 0; (s = kin_schema_at(i)); i++) {
        struct kin_message m = kit_message_by_rule(s, KIN_FIELD_ID_MAX, KIN_FIELD_ID_MAX);
        struct kin_frame *f = encoded(&m);
        for (size_t n = 0; n < f->body.n; n++)
            assert_int_equal(decode_bytes(s->type, f->body.p, n, &m), KIN_E_PROTO);
        kin_frame_unref(f);
    }
}

static void mangled_frames_are_refused_or_decode_to_something_whole(void **state)
{
    (void)state;
    uint64_t seed = 3;
    size_t taken = 0;
    size_t refused = 0;
    for (unsigned round = 0; round < 2000; round++) {
        const struct kin_schema *s;
        for (size_t i = 0; (s = kin_schema_at(i)); i++) {
            struct kin_message m = kit_message_by_rule(s, KIN_FIELD_ID_MAX, KIN_FIELD_ID_MAX);
            struct kin_frame *f = encoded(&m);
            for (unsigned k = 0; k < 1 + round % 4; k++)
                f->body.p[rng(&seed) % f->body.n] = (uint8_t)rng(&seed);
            struct kin_message got;
            kin_status status = kin_message_decode(f, &got, NULL);
            assert_true(status == KIN_OK || status == KIN_E_PROTO || status == KIN_E_LIMIT ||
                        status == KIN_E_VERSION);
            taken += status == KIN_OK;
            refused += status != KIN_OK;
            if (!status) {
                struct kin_frame *again = encoded(&got);
                struct kin_message third;
                assert_int_equal(kin_message_decode(again, &third, NULL), KIN_OK);
                assert_true(kit_message_same(&got, &third));
                kin_frame_unref(again);
            }
            kin_frame_unref(f);
        }
    }
    assert_true(taken > 1000 && refused > 1000);
}

/* ---- the rest ---- */

static void failing_allocations_leave_nothing_behind(void **state)
{
    (void)state;
    static char text[100000];
    struct kin_message m = {.type = KIN_MSG_JOB_OPEN,
                            .u.job_open.workflow = {text, sizeof text},
                            .u.job_open.base_dir = {text, sizeof text}};
    kin_alloc_fail_after(SIZE_MAX);
    kin_frame_unref(encoded(&m));
    size_t needed = kin_alloc_fail_after(SIZE_MAX);
    assert_true(needed >= 3);
    for (size_t n = 0; n < needed; n++) {
        struct kin_frame *f = NULL;
        kin_alloc_fail_after(n);
        kin_status status = kin_message_encode(&m, &f);
        kin_alloc_fail_after(SIZE_MAX);
        assert_int_equal(status, KIN_E_NOMEM);
        assert_null(f);
    }
}

static void an_unknown_type_is_not_encoded(void **state)
{
    (void)state;
    struct kin_message m = {.type = 6};
    struct kin_frame *f = NULL;
    assert_int_equal(kin_message_encode(&m, &f), KIN_E_INVAL);
    assert_null(f);
}

static void printing_escapes_cuts_and_hides(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'x', sizeof text);
    const char odd[5] = {'a', '"', '\n', '\\', (char)0xc3};
    memcpy(text, odd, sizeof odd);
    struct kin_message m = {
        .type = KIN_MSG_JOB_OPEN,
        .version = 1,
        .u.job_open = {.job = 7, .workflow = KIN_STR("secret"), .base_dir = {text, sizeof text}}};
    struct kin_buf line = {0};
    kin_message_print(&m, &line);
    kin_buf_putc(&line, '\0');
    char want[400];
    snprintf(want, sizeof want,
             "JOB_OPEN type=10 version=1 job=7 workflow=<6 bytes> "
             "base_dir=\"a\\x22\\x0a\\x5c\\xc3%.*s\"+72",
             123, text + 5);
    assert_string_equal((const char *)line.p, want);
    kin_buf_clear(&line);
    struct kin_message last = {.type = KIN_MSG_PULLED, .u.pulled.last = true};
    kin_message_print(&last, &line);
    kin_buf_putc(&line, '\0');
    assert_string_equal((const char *)line.p, "PULLED type=35 last=true");
    kin_buf_clear(&line);
    struct every_kind v = {.c = -5};
    kin_schema_print(&every_schema, &v, &line);
    kin_buf_putc(&line, '\0');
    assert_string_equal((const char *)line.p, " c=-5");
    kin_buf_deinit(&line);
}

static void the_highest_common_version_is_chosen(void **state)
{
    (void)state;
    uint32_t v = 0;
    assert_int_equal(kin_proto_negotiate(1, 1, &v), KIN_OK);
    assert_int_equal(v, 1);
    v = 0;
    assert_int_equal(kin_proto_negotiate(1, 9, &v), KIN_OK);
    assert_int_equal(v, KIN_PROTO_VERSION_MAX);
    v = 0;
    assert_int_equal(kin_proto_negotiate(KIN_PROTO_VERSION_MAX + 1, UINT32_MAX, &v), KIN_E_VERSION);
    assert_int_equal(kin_proto_negotiate(0, 1, &v), KIN_E_PROTO);
    assert_int_equal(kin_proto_negotiate(2, 1, &v), KIN_E_PROTO);
    assert_int_equal(v, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declared_numbers_and_ids_are_unique_and_in_range),
        cmocka_unit_test(hello_is_the_bytes_written_by_hand),
        cmocka_unit_test(the_protocol_page_lists_every_message),
        cmocka_unit_test(golden_frames_are_encoded_and_decoded_as_ever),
        cmocka_unit_test(any_message_survives_the_wire),
        cmocka_unit_test(every_kind_survives_the_wire),
        cmocka_unit_test(numbers_are_taken_in_any_width_that_fits),
        cmocka_unit_test(a_value_of_another_kind_is_refused),
        cmocka_unit_test(fields_of_later_versions_are_skipped),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(count_of_values_is_bounded),
        cmocka_unit_test(a_length_is_not_believed),
        cmocka_unit_test(malformed_frames_are_refused),
        cmocka_unit_test(a_foreign_version_is_told_from_a_malformed_frame),
        cmocka_unit_test(an_error_names_message_field_and_reason),
        cmocka_unit_test(a_body_over_the_limit_is_refused_both_ways),
        cmocka_unit_test(every_cut_of_every_message_is_refused),
        cmocka_unit_test(mangled_frames_are_refused_or_decode_to_something_whole),
        cmocka_unit_test(failing_allocations_leave_nothing_behind),
        cmocka_unit_test(an_unknown_type_is_not_encoded),
        cmocka_unit_test(printing_escapes_cuts_and_hides),
        cmocka_unit_test(the_highest_common_version_is_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
