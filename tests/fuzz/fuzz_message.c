/* Hostile frames. The first byte is the type the transport claims, the rest is the body. Nothing is
 * read outside of it, nothing is allocated; what decodes survives encoding and decoding again. */
#include "tests/unit/message_kit.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    /* an exact block of its own, so that ASan sees one byte too far */
    uint8_t *body = kin_alloc(n - 1);
    KIN_ASSERT(body);
    if (n > 1)
        memcpy(body, data + 1, n - 1);
    struct kin_frame f = {.type = data[0], .body = {.p = body, .n = n - 1, .cap = n - 1}};
    struct kin_message first;
    struct kin_err err;
    kin_alloc_fail_after(0);
    kin_status status = kin_message_decode(&f, &first, &err);
    KIN_ASSERT(kin_alloc_fail_after(SIZE_MAX) == 0);
    if (status) {
        KIN_ASSERT(err.status == status && err.msg[0]);
        kin_free(body);
        return 0;
    }

    struct kin_frame *again;
    status = kin_message_encode(&first, &again);
    KIN_ASSERT(status == KIN_OK);
    struct kin_message second;
    status = kin_message_decode(again, &second, &err);
    KIN_ASSERT(status == KIN_OK && kit_message_same(&first, &second));

    struct kin_buf line = {0};
    kin_message_print(&second, &line);
    KIN_ASSERT(!line.failed && line.n > 0);
    KIN_ASSERT(!memchr(line.p, '\n', line.n));
    kin_buf_deinit(&line);
    kin_frame_unref(again);
    kin_free(body);
    return 0;
}
