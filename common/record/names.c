/* Names of JSON members, by an open-addressing table with linear probing. Names are only ever
 * taken back in the reverse order of their coming, which leaves no holes in a probe sequence. */
#include "common/base/hash.h"
#include "common/record/reader_impl.h"

#define NO_NAME UINT32_MAX

bool kin_names_init(struct kin_names *n)
{
    *n = (struct kin_names){.last = NO_NAME};
    n->names = kin_calloc(KIN_COLUMNS_MAX, sizeof *n->names);
    n->columns = kin_calloc(KIN_COLUMNS_MAX, sizeof *n->columns);
    n->column_names = kin_calloc(KIN_COLUMNS_MAX, sizeof *n->column_names);
    n->slots = kin_calloc(KIN_NAMES_SLOTS, sizeof *n->slots);
    return n->names && n->columns && n->column_names && n->slots;
}

void kin_names_deinit(struct kin_names *n)
{
    kin_free(n->names);
    kin_free(n->columns);
    kin_free(n->column_names);
    kin_free(n->slots);
    kin_arena_deinit(&n->text);
    *n = (struct kin_names){0};
}

void kin_names_clear(struct kin_names *n)
{
    memset(n->slots, 0, KIN_NAMES_SLOTS * sizeof *n->slots);
    kin_arena_deinit(&n->text);
    n->count = n->columns_count = 0;
    n->last = NO_NAME;
}

/* The slot of text, or the free one where it would go. */
static uint16_t *slot_of(struct kin_names *n, struct kin_str text)
{
    _Static_assert((int)KIN_NAMES_SLOTS > (int)KIN_COLUMNS_MAX, "there is always a free slot");
    uint64_t at = kin_hash64(text.p, text.n, 0);
    for (;; at++) {
        uint16_t *slot = &n->slots[at % KIN_NAMES_SLOTS];
        if (!*slot || kin_str_eq(n->names[*slot - 1].text, text))
            return slot;
    }
}

enum kin_names_found kin_names_intern(struct kin_names *n, struct kin_str text, uint32_t *index)
{
    /* objects of one file mostly have the same members in the same order */
    uint32_t guess = n->last < n->count ? n->names[n->last].next : 0;
    if (guess < n->count && kin_str_eq(n->names[guess].text, text)) {
        *index = n->last = guess;
        return KIN_NAMES_FOUND;
    }
    uint16_t *slot = slot_of(n, text);
    if (!*slot) {
        if (n->count == KIN_COLUMNS_MAX)
            return KIN_NAMES_FULL;
        char *copy = kin_arena_strndup(&n->text, text.p, text.n);
        if (!copy)
            return KIN_NAMES_NOMEM;
        n->names[n->count] =
            (struct kin_name){.text = {copy, text.n}, .column = KIN_NO_COLUMN, .next = NO_NAME};
        *slot = (uint16_t)++n->count;
    }
    *index = *slot - 1u;
    if (n->last < n->count)
        n->names[n->last].next = *index;
    n->last = *index;
    return KIN_NAMES_FOUND;
}

uint32_t kin_names_column(struct kin_names *n, uint32_t index)
{
    struct kin_name *name = &n->names[index];
    if (name->column == KIN_NO_COLUMN) {
        name->column = n->columns_count++;
        n->columns[name->column] = name->text;
        n->column_names[name->column] = index;
    }
    return name->column;
}

void kin_names_rollback(struct kin_names *n, uint32_t count, uint32_t columns_count)
{
    while (n->columns_count > columns_count)
        n->names[n->column_names[--n->columns_count]].column = KIN_NO_COLUMN;
    while (n->count > count)
        *slot_of(n, n->names[--n->count].text) = 0;
}
