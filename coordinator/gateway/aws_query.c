#include "coordinator/gateway/aws_impl.h"

#include "common/base/hash.h"
#include "common/workflow/utf8.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* What stands in the path and the query of a request. */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *aws_decode(struct kin_arena *arena, const char *p, size_t n)
{
    char *out = kin_arena_alloc(arena, n + 1);
    size_t used = 0;
    if (!out)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        char c = p[i];
        if (c == '%') {
            int high = n - i > 2 ? hex_digit(p[i + 1]) : -1,
                low = n - i > 2 ? hex_digit(p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return NULL;
            c = (char)(high * 16 + low);
            i += 2;
        }
        out[used++] = c;
    }
    out[used] = '\0';
    for (size_t at = 0; at < used;) {
        uint32_t code = 0;
        size_t step = kin_utf8_step(out + at, used - at, &code);
        if (!step || code < ' ' || kin_utf8_is_control(code))
            return NULL;
        at += step;
    }
    return out;
}

bool aws_param(struct aws_call *call, const char *name, size_t number, const char **out)
{
    const char *p = call->query.p;
    const char *end = p ? p + call->query.n : p;
    size_t length = strlen(name);
    *out = NULL;
    while (p && p < end) {
        const char *stop = memchr(p, '&', (size_t)(end - p));
        stop = stop ? stop : end;
        const char *equals = memchr(p, '=', (size_t)(stop - p));
        size_t n = (size_t)((equals ? equals : stop) - p);
        if (n == length && memcmp(p, name, n) == 0 && number-- == 0) {
            const char *from = equals ? equals + 1 : stop;
            *out = aws_decode(&call->arena, from, (size_t)(stop - from));
            return *out ||
                   aws_fail(call, AWS_VALIDATION, "%s: not valid percent-encoded text", name);
        }
        p = stop + 1;
    }
    return true;
}

/* A token is base64 of u32 check, then the place. */
enum { CHECK_BYTES = 4, PLACE_BYTES_MAX = 700, TOKEN_BYTES_MAX = 1024 };
static const int token_base64 = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

static uint32_t check_of(const char *kind, const void *place, size_t n)
{
    return (uint32_t)kin_hash64(place, n, kin_hash64(kind, strlen(kind), 0));
}

static bool read_token(struct aws_call *call, const char *kind, const char *token,
                       const char **after)
{
    struct aws_mistakes mistakes = {0};
    aws_shape_check_text(&aws_next_token, token, "nextToken", &mistakes);
    kin_buf_deinit(&mistakes.text);
    uint8_t bytes[CHECK_BYTES + PLACE_BYTES_MAX];
    size_t n = 0;
    if (mistakes.count ||
        sodium_base642bin(bytes, sizeof bytes, token, strlen(token), NULL, &n, NULL,
                          token_base64) != 0 ||
        n <= CHECK_BYTES || memchr(bytes + CHECK_BYTES, 0, n - CHECK_BYTES) ||
        check_of(kind, bytes + CHECK_BYTES, n - CHECK_BYTES) != kin_le32(bytes))
        return aws_fail(call, AWS_VALIDATION, "Invalid nextToken");
    *after = kin_arena_strndup(&call->arena, (const char *)bytes + CHECK_BYTES, n - CHECK_BYTES);
    return *after || aws_no_memory(call);
}

bool aws_page(struct aws_call *call, const char *kind, int max_min, size_t *limit,
              const char **after)
{
    const char *most = NULL, *token = NULL;
    *limit = AWS_PAGE_MAX;
    *after = "";
    if (!aws_param(call, "maxResults", 0, &most) || !aws_param(call, "nextToken", 0, &token))
        return false;
    if (most) {
        char *end = NULL;
        long n = strtol(most, &end, 10);
        if (!*most || *end || strlen(most) > 9)
            return aws_fail(call, AWS_VALIDATION, "maxResults must be an integer");
        if (n > AWS_PAGE_MAX || n < max_min)
            return aws_fail(call, AWS_VALIDATION,
                            "1 validation error detected: Value '%ld' at 'maxResults' failed to "
                            "satisfy constraint: Member must have value %s than or equal to %d",
                            n, n > AWS_PAGE_MAX ? "less" : "greater",
                            n > AWS_PAGE_MAX ? AWS_PAGE_MAX : max_min);
        *limit = n ? (size_t)n : AWS_PAGE_MAX;
    }
    return !token || read_token(call, kind, token, after);
}

void aws_set_next(struct aws_call *call, const char *kind, const char *last)
{
    uint8_t bytes[CHECK_BYTES + PLACE_BYTES_MAX];
    char token[TOKEN_BYTES_MAX];
    struct kin_str place = kin_str_of(last);
    if (place.n > PLACE_BYTES_MAX) {
        aws_fail(call, AWS_INTERNAL, "a name that is too long");
        return;
    }
    kin_put_le32(bytes, check_of(kind, place.p, place.n));
    memcpy(bytes + CHECK_BYTES, place.p, place.n);
    sodium_bin2base64(token, sizeof token, bytes, CHECK_BYTES + place.n, token_base64);
    aws_set_text(call, call->out, "nextToken", token);
}
