#ifndef KIN_BASE_MEM_H
#define KIN_BASE_MEM_H
/* Heap, growable buffer and arena. Any thread; one object belongs to one thread at a time.
 *
 * All heap use of the project goes through kin_alloc and friends, so that tests can make the n-th
 * allocation of a thread fail (kin_alloc_fail_after). Free with kin_free. */
#include "common/base/status.h"

void *kin_alloc(size_t bytes);               /* NULL when out of memory; bytes may be 0 */
void *kin_calloc(size_t count, size_t size); /* zeroed; NULL also on overflow */
void *kin_realloc(void *p, size_t bytes);    /* on NULL the old block stays valid */
void *kin_reallocarray(void *p, size_t count, size_t size);
void kin_free(void *p); /* NULL is fine */
char *kin_strndup(const char *p, size_t n);
/* Once, by a program whose buffers of some MiB come and go all the time: freed memory is kept for
 * the next one (up to 256 MiB of it) instead of being given back and faulted in again. Before the
 * first thread. */
void kin_alloc_keep(void);

/* Tests: in this thread the next n allocations work and every later one fails; SIZE_MAX: none
 * fails. Returns how many allocations the thread has made since the last call. */
size_t kin_alloc_fail_after(size_t n);

/* A borrowed run of bytes; not terminated. p may be NULL where n is 0. */
struct kin_str {
    const char *p;
    size_t n;
};
#define KIN_STR(literal) ((struct kin_str){(literal), sizeof(literal) - 1})
struct kin_str kin_str_of(const char *terminated);
bool kin_str_eq(struct kin_str a, struct kin_str b);
struct kin_str kin_str_trimmed(struct kin_str s);    /* without blanks and tabs around it */
int kin_str_cmp(struct kin_str a, struct kin_str b); /* bytes, then length: memcmp order */

/* Growable bytes. {0} is a valid empty buffer. Once an append failed, `failed` stays set and later
 * appends do nothing, so that a writer checks once at its end. */
struct kin_buf {
    uint8_t *p;
    size_t n;
    size_t cap;
    bool failed;
};
void kin_buf_deinit(struct kin_buf *b);
void kin_buf_clear(struct kin_buf *b); /* keeps the memory */
void kin_buf_fit(struct kin_buf *b);   /* gives back what is reserved and not used */
uint8_t *kin_buf_reserve(struct kin_buf *b,
                         size_t n); /* room for n more at p + n; NULL if failed */
/* Reserves and counts n bytes; NULL if failed. Inline: the data path appends field by field. */
static inline uint8_t *kin_buf_extend(struct kin_buf *b, size_t n)
{
    uint8_t *p = b->p && !b->failed && b->cap - b->n >= n ? b->p + b->n : kin_buf_reserve(b, n);
    if (p)
        b->n += n;
    return p;
}
static inline void kin_buf_put(struct kin_buf *b, const void *p, size_t n)
{
    uint8_t *to = kin_buf_extend(b, n);
    if (to && n)
        __builtin_memcpy(to, p, n);
}
static inline void kin_buf_putc(struct kin_buf *b, char c)
{
    uint8_t *to = kin_buf_extend(b, 1);
    if (to)
        *to = (uint8_t)c;
}
void kin_buf_puts(struct kin_buf *b, const char *terminated);
void kin_buf_printf(struct kin_buf *b, const char *format, ...) KIN_PRINTF(2, 3);
static inline void kin_buf_u16(struct kin_buf *b, uint16_t v) /* little endian, here and below */
{
    kin_buf_put(b, &v, sizeof v);
}
static inline void kin_buf_u32(struct kin_buf *b, uint32_t v)
{
    kin_buf_put(b, &v, sizeof v);
}
static inline void kin_buf_u64(struct kin_buf *b, uint64_t v)
{
    kin_buf_put(b, &v, sizeof v);
}
void kin_buf_varint(struct kin_buf *b, uint64_t v); /* LEB128 */

/* Little-endian loads and stores at any alignment. */
static inline uint16_t kin_le16(const void *p)
{
    uint16_t v;
    __builtin_memcpy(&v, p, 2);
    return v; /* every machine we build for is little-endian: checked in mem.c */
}
static inline uint32_t kin_le32(const void *p)
{
    uint32_t v;
    __builtin_memcpy(&v, p, 4);
    return v;
}
static inline uint64_t kin_le64(const void *p)
{
    uint64_t v;
    __builtin_memcpy(&v, p, 8);
    return v;
}
static inline void kin_put_le16(void *p, uint16_t v)
{
    __builtin_memcpy(p, &v, 2);
}
static inline void kin_put_le32(void *p, uint32_t v)
{
    __builtin_memcpy(p, &v, 4);
}
static inline void kin_put_le64(void *p, uint64_t v)
{
    __builtin_memcpy(p, &v, 8);
}
static inline void kin_put_be64(void *p, uint64_t v)
{
    v = __builtin_bswap64(v);
    __builtin_memcpy(p, &v, 8);
}
static inline uint64_t kin_be64(const void *p)
{
    return __builtin_bswap64(kin_le64(p));
}

/* A bounded reader over bytes that are not trusted. A read past the end sets `bad`, returns zero or
 * NULL, and every later read does the same: check once at the end. */
struct kin_cursor {
    const uint8_t *p;
    const uint8_t *end;
    bool bad;
};
struct kin_cursor kin_cursor_of(const void *p, size_t n);
size_t kin_cursor_left(const struct kin_cursor *c);
const uint8_t *kin_cursor_take(struct kin_cursor *c, size_t n); /* borrows n bytes */
uint8_t kin_cursor_u8(struct kin_cursor *c);
uint16_t kin_cursor_u16(struct kin_cursor *c);
uint32_t kin_cursor_u32(struct kin_cursor *c);
uint64_t kin_cursor_u64(struct kin_cursor *c);
uint64_t kin_cursor_varint(struct kin_cursor *c);

/* Bump allocator for one job or task: freed as a whole. {0} is a valid empty arena. Under ASan
 * every object is a block of its own, so that overruns are still seen. */
struct kin_arena {
    struct kin_arena_block *head;
    size_t bytes; /* handed out */
};
void kin_arena_deinit(struct kin_arena *a);
void kin_arena_clear(struct kin_arena *a); /* the same, but a block may be kept for what follows */
void *kin_arena_alloc(struct kin_arena *a, size_t bytes); /* 16-aligned; NULL when out of memory */
void *kin_arena_calloc(struct kin_arena *a, size_t count, size_t size);
char *kin_arena_strndup(struct kin_arena *a, const char *p, size_t n); /* terminated copy */
char *kin_arena_printf(struct kin_arena *a, const char *format, ...) KIN_PRINTF(2, 3);

#endif
