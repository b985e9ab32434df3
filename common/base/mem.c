#include "common/base/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "packed formats assume little endian");

#if defined(__SANITIZE_ADDRESS__)
#define KIN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KIN_ASAN 1
#endif
#endif

/* Per thread, so that a test fails its own allocations only. The one deliberate thread-local. */
static _Thread_local size_t alloc_left = SIZE_MAX;
static _Thread_local size_t alloc_made;

size_t kin_alloc_fail_after(size_t n)
{
    size_t made = alloc_made;
    alloc_left = n;
    alloc_made = 0;
    return made;
}

static bool alloc_denied(void)
{
    alloc_made++;
    if (alloc_left == SIZE_MAX)
        return false;
    if (alloc_left == 0)
        return true;
    alloc_left--;
    return false;
}

void *kin_alloc(size_t bytes)
{
    return alloc_denied() ? NULL : malloc(bytes ? bytes : 1);
}

void *kin_calloc(size_t count, size_t size)
{
    return alloc_denied() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *kin_realloc(void *p, size_t bytes)
{
    return alloc_denied() ? NULL : realloc(p, bytes ? bytes : 1);
}

void *kin_reallocarray(void *p, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return kin_realloc(p, bytes);
}

void kin_free(void *p)
{
    free(p);
}

void kin_alloc_keep(void)
{
#ifdef __GLIBC__
    enum { MIB = 1024 * 1024 };
    mallopt(M_MMAP_THRESHOLD, 32 * MIB); /* the most there is */
    mallopt(M_TRIM_THRESHOLD, 256 * MIB);
    mallopt(M_TOP_PAD, 16 * MIB);
#endif
}

char *kin_strndup(const char *p, size_t n)
{
    char *copy = kin_alloc(n + 1);
    if (!copy)
        return NULL;
    if (n)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

struct kin_str kin_str_of(const char *terminated)
{
    return (struct kin_str){terminated, strlen(terminated)};
}

bool kin_str_eq(struct kin_str a, struct kin_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

struct kin_str kin_str_trimmed(struct kin_str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

int kin_str_cmp(struct kin_str a, struct kin_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    if (c)
        return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

/* ---- growable buffer ---- */

void kin_buf_deinit(struct kin_buf *b)
{
    kin_free(b->p);
    *b = (struct kin_buf){0};
}

void kin_buf_fit(struct kin_buf *b)
{
    uint8_t *p = b->n && b->n < b->cap ? kin_realloc(b->p, b->n) : NULL;
    if (!p)
        return; /* as it was is good too */
    b->p = p;
    b->cap = b->n;
}

void kin_buf_clear(struct kin_buf *b)
{
    b->n = 0;
    b->failed = false;
}

uint8_t *kin_buf_reserve(struct kin_buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    if (b->cap - b->n >= n && b->p)
        return b->p + b->n;
    size_t need;
    if (__builtin_add_overflow(b->n, n, &need))
        goto fail;
    size_t cap = b->cap ? b->cap + b->cap / 2 : 256;
    if (cap < need)
        cap = need;
    uint8_t *p = kin_realloc(b->p, cap);
    if (!p)
        goto fail;
    b->p = p;
    b->cap = cap;
    return p + b->n;
fail:
    b->failed = true;
    return NULL;
}

void kin_buf_puts(struct kin_buf *b, const char *terminated)
{
    kin_buf_put(b, terminated, strlen(terminated));
}

void kin_buf_printf(struct kin_buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        b->failed = true;
        return;
    }
    uint8_t *to = kin_buf_reserve(b, (size_t)n + 1);
    if (!to)
        return;
    va_start(args, format);
    vsnprintf((char *)to, (size_t)n + 1, format, args);
    va_end(args);
    b->n += (size_t)n;
}

void kin_buf_varint(struct kin_buf *b, uint64_t v)
{
    uint8_t *to = kin_buf_reserve(b, 10);
    if (!to)
        return;
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        to[n++] = (uint8_t)(v | 0x80);
    to[n++] = (uint8_t)v;
    b->n += n;
}

/* ---- bounded reader ---- */

struct kin_cursor kin_cursor_of(const void *p, size_t n)
{
    static const uint8_t nothing[1];
    const uint8_t *start = p ? p : nothing;
    return (struct kin_cursor){start, start + (p ? n : 0), false};
}

size_t kin_cursor_left(const struct kin_cursor *c)
{
    return c->bad ? 0 : (size_t)(c->end - c->p);
}

const uint8_t *kin_cursor_take(struct kin_cursor *c, size_t n)
{
    if (c->bad || (size_t)(c->end - c->p) < n) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = c->p;
    c->p += n;
    return p;
}

uint8_t kin_cursor_u8(struct kin_cursor *c)
{
    const uint8_t *p = kin_cursor_take(c, 1);
    return p ? *p : 0;
}

uint16_t kin_cursor_u16(struct kin_cursor *c)
{
    const uint8_t *p = kin_cursor_take(c, 2);
    return p ? kin_le16(p) : 0;
}

uint32_t kin_cursor_u32(struct kin_cursor *c)
{
    const uint8_t *p = kin_cursor_take(c, 4);
    return p ? kin_le32(p) : 0;
}

uint64_t kin_cursor_u64(struct kin_cursor *c)
{
    const uint8_t *p = kin_cursor_take(c, 8);
    return p ? kin_le64(p) : 0;
}

uint64_t kin_cursor_varint(struct kin_cursor *c)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = kin_cursor_u8(c);
        if (c->bad || (shift == 63 && byte > 1))
            break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    c->bad = true;
    return 0;
}

/* ---- arena ---- */

struct kin_arena_block {
    struct kin_arena_block *next;
    size_t used;
    size_t cap;
    _Alignas(16) uint8_t data[];
};

enum { ARENA_BLOCK_BYTES = 64 * 1024 - 64 };

void kin_arena_deinit(struct kin_arena *a)
{
    struct kin_arena_block *block = a->head;
    while (block) {
        struct kin_arena_block *next = block->next;
        kin_free(block);
        block = next;
    }
    *a = (struct kin_arena){0};
}

void kin_arena_clear(struct kin_arena *a)
{
#ifdef KIN_ASAN
    kin_arena_deinit(a);
#else
    struct kin_arena_block *head = a->head;
    if (!head)
        return;
    struct kin_arena rest = {.head = head->next};
    kin_arena_deinit(&rest);
    head->next = NULL;
    head->used = 0;
    a->bytes = 0;
#endif
}

void *kin_arena_alloc(struct kin_arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
#ifdef KIN_ASAN
    size_t rounded = bytes; /* the end of the block is the end of the object */
    bool fits = false;
#else
    size_t rounded = (bytes + 15) & ~(size_t)15;
    bool fits = a->head && a->head->cap - a->head->used >= rounded;
#endif
    if (!fits) {
#ifdef KIN_ASAN
        size_t cap = rounded;
#else
        size_t cap = rounded > ARENA_BLOCK_BYTES / 4 ? rounded : (size_t)ARENA_BLOCK_BYTES;
#endif
        struct kin_arena_block *block = kin_alloc(sizeof *block + cap);
        if (!block)
            return NULL;
        block->used = 0;
        block->cap = cap;
        /* an oversized block goes behind the head, whose room stays in use */
        bool behind = a->head && cap == rounded;
        block->next = behind ? a->head->next : a->head;
        if (behind)
            a->head->next = block;
        else
            a->head = block;
        block->used = rounded;
        a->bytes += bytes;
        return block->data;
    }
    void *p = a->head->data + a->head->used;
    a->head->used += rounded;
    a->bytes += bytes;
    return p;
}

void *kin_arena_calloc(struct kin_arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *p = kin_arena_alloc(a, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

char *kin_arena_strndup(struct kin_arena *a, const char *p, size_t n)
{
    char *copy = kin_arena_alloc(a, n + 1);
    if (!copy)
        return NULL;
    if (n)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

char *kin_arena_printf(struct kin_arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        return NULL;
    char *text = kin_arena_alloc(a, (size_t)n + 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)n + 1, format, args);
    va_end(args);
    return text;
}
