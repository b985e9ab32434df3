/* Names of records, groups, entities and sources as numbers, and back. */
#include "client/evaluate_impl.h"
#include "common/base/hash.h"

#include <string.h>

enum { NAMES_MAX = UINT32_MAX / 4 };

struct evaluate_key evaluate_key_of(struct kin_str text, struct evaluate_key seed)
{
    uint64_t mixed = kin_hash_mix(seed.a, seed.b);
    return (struct evaluate_key){kin_hash64(text.p, text.n, mixed),
                                 kin_hash64(text.p, text.n, ~kin_hash_mix(mixed, text.n))};
}

void evaluate_names_deinit(struct evaluate_names *x)
{
    kin_free(x->keys);
    kin_free(x->text_at);
    kin_free(x->slots);
    *x = (struct evaluate_names){0};
}

/* The slot that holds the key, or the empty one where it belongs. */
static uint32_t *find_slot(const struct evaluate_names *x, struct evaluate_key key)
{
    uint32_t mask = x->slot_count - 1;
    uint32_t i = (uint32_t)key.a & mask;
    while (x->slots[i]) {
        const struct evaluate_key *have = &x->keys[x->slots[i] - 1];
        if (have->a == key.a && have->b == key.b)
            break;
        i = (i + 1) & mask;
    }
    return &x->slots[i];
}

static kin_status grow(struct evaluate_names *x)
{
    if (x->count >= NAMES_MAX)
        return KIN_E_LIMIT;
    uint32_t slot_count = x->slot_count ? x->slot_count * 2 : 1024;
    struct evaluate_key *keys = kin_reallocarray(x->keys, slot_count / 2, sizeof *keys);
    if (!keys)
        return KIN_E_NOMEM;
    x->keys = keys;
    uint64_t *text_at = kin_reallocarray(x->text_at, slot_count / 2, sizeof *text_at);
    if (!text_at)
        return KIN_E_NOMEM;
    x->text_at = text_at;
    uint32_t *slots = kin_calloc(slot_count, sizeof *slots);
    if (!slots)
        return KIN_E_NOMEM;
    kin_free(x->slots);
    x->slots = slots;
    x->slot_count = slot_count;
    for (uint32_t i = 0; i < x->count; i++)
        *find_slot(x, x->keys[i]) = i + 1;
    return KIN_OK;
}

uint32_t evaluate_names_find(const struct evaluate_names *x, struct evaluate_key key)
{
    return x->slot_count ? *find_slot(x, key) - 1 : EVALUATE_NOBODY; /* an empty slot holds 0 */
}

kin_status evaluate_names_add(struct evaluate_names *x, struct evaluate_key key,
                              struct kin_str text, struct kin_buf *texts, uint32_t *number,
                              bool *added, struct kin_err *err)
{
    if (x->count >= x->slot_count / 2) {
        kin_status status = grow(x);
        if (status != KIN_OK)
            return kin_err_set(err, status, "%s", kin_status_text(status));
    }
    uint32_t *slot = find_slot(x, key);
    *added = *slot == 0;
    if (*added) {
        x->text_at[x->count] = texts->n;
        kin_buf_varint(texts, text.n);
        kin_buf_put(texts, text.p, text.n);
        if (texts->failed)
            return kin_err_set(err, KIN_E_NOMEM, "out of memory");
        x->keys[x->count++] = key;
        *slot = x->count;
    }
    *number = *slot - 1;
    return KIN_OK;
}

struct kin_str evaluate_names_text(const struct evaluate_names *x, const struct kin_buf *texts,
                                   uint32_t number)
{
    uint64_t at = x->text_at[number];
    struct kin_cursor c = kin_cursor_of(texts->p + at, texts->n - at);
    size_t n = (size_t)kin_cursor_varint(&c);
    return (struct kin_str){(const char *)kin_cursor_take(&c, n), n};
}

struct kin_str evaluate_keep(struct evaluator *e, struct kin_str text)
{
    char *copy = kin_arena_strndup(&e->out->arena, text.p, text.n);
    if (!copy) {
        e->failed = true;
        return (struct kin_str){0};
    }
    return (struct kin_str){copy, text.n};
}

struct kin_str evaluate_keep_name(struct evaluator *e, const struct evaluate_names *x,
                                  uint32_t number)
{
    return evaluate_keep(e, evaluate_names_text(x, &e->texts, number));
}

struct kin_evaluation_record evaluate_keep_record(struct evaluator *e, uint32_t record)
{
    return (struct kin_evaluation_record){
        evaluate_keep_name(e, &e->sources, e->records[record].source),
        evaluate_keep_name(e, &e->ids, record)};
}
