#include "coordinator/registry.h"

#include "coordinator/match_id.h"

#include <string.h>

/* ---- who keeps which id ---- */

static uint32_t *numbers(struct kin_arena *arena, size_t n, uint32_t value)
{
    uint32_t *p = kin_arena_calloc(arena, n, sizeof *p);
    for (size_t i = 0; p && value && i < n; i++)
        p[i] = value;
    return p;
}

/* The records of each group, ascending: a counting sort. */
static bool lists_of(struct kin_arena *arena, const uint32_t *group, size_t records, size_t groups,
                     struct registry_lists *out)
{
    /* at[g + 1] is first how many there are, then where the next one goes, at last the end */
    uint32_t *at = numbers(arena, groups + 2, 0);
    if (!at)
        return false;
    for (size_t r = 0; r < records; r++) {
        if (group[r] != REGISTRY_NONE)
            at[group[r] + 2]++;
    }
    for (size_t g = 2; g < groups + 2; g++)
        at[g] += at[g - 1];
    uint32_t *items = numbers(arena, at[groups + 1], 0);
    if (!items)
        return false;
    for (size_t r = 0; r < records; r++) {
        if (group[r] != REGISTRY_NONE)
            items[at[group[r] + 1]++] = (uint32_t)r;
    }
    out->at = at;
    out->items = items;
    return true;
}

static uint32_t smallest_of(const struct registry_lists *lists, size_t list)
{
    return lists->at[list] < lists->at[list + 1] ? lists->items[lists->at[list]] : REGISTRY_NONE;
}

/* Founders differ, but for ids of one founder in several generations; smallest records differ. */
static bool founder_less(const struct registry_change *c, const struct registry_verdict *v,
                         uint32_t a, uint32_t b)
{
    if (c->founder[a] != c->founder[b])
        return c->founder[a] < c->founder[b];
    if (c->born[a] != c->born[b])
        return c->born[a] < c->born[b];
    return smallest_of(&v->was, a) < smallest_of(&v->was, b);
}

static bool older(const struct registry_change *c, const struct registry_verdict *v, uint32_t a,
                  uint32_t b)
{
    return c->born[a] != c->born[b] ? c->born[a] < c->born[b] : founder_less(c, v, a, b);
}

struct parts {
    uint32_t *count;    /* [after_count] members of the group before that is looked at; else 0 */
    uint32_t *from_max; /* [after_count] members that it has of its split_from */
};

/* Finds the heir of one group before, where else its members are, and offers itself to these as
 * the one that they come from. */
static void follow(const struct registry_change *c, struct registry_verdict *v, uint32_t group,
                   const struct parts *parts)
{
    uint32_t *moved = v->moved.items + v->moved.at[group], distinct = 0;
    uint32_t heir = REGISTRY_NONE;
    for (uint32_t i = v->was.at[group]; i < v->was.at[group + 1]; i++) {
        uint32_t after = c->after[v->was.items[i]];
        if (after != REGISTRY_NONE && parts->count[after]++ == 0)
            moved[distinct++] = after;
    }
    /* they are in the order of their smallest members, so that the first one wins among equals */
    for (uint32_t i = 0; i < distinct; i++) {
        uint32_t after = moved[i], n = parts->count[after];
        if (heir == REGISTRY_NONE || n > parts->count[heir])
            heir = after;
        if (n > parts->from_max[after] ||
            (n == parts->from_max[after] && founder_less(c, v, group, v->split_from[after]))) {
            parts->from_max[after] = n;
            v->split_from[after] = group;
        }
    }
    uint32_t left = 0;
    for (uint32_t i = 0; i < distinct; i++) {
        parts->count[moved[i]] = 0;
        if (moved[i] != heir)
            moved[left++] = moved[i];
    }
    v->moved.at[group + 1] = v->moved.at[group] + left;
    v->heir[group] = heir;
    if (heir != REGISTRY_NONE &&
        (v->keeps[heir] == REGISTRY_NONE || older(c, v, group, v->keeps[heir])))
        v->keeps[heir] = group;
}

/* As the lists of groups say, but each group before stands for its smallest record at first. */
static bool find_merged(struct kin_arena *arena, const struct registry_change *c,
                        struct registry_verdict *v)
{
    uint32_t *into = numbers(arena, c->records, REGISTRY_NONE);
    if (!into)
        return false;
    for (size_t b = 0; b < c->before_count; b++) {
        if (v->heir[b] != REGISTRY_NONE && !v->kept[b])
            into[smallest_of(&v->was, b)] = v->heir[b];
    }
    if (!lists_of(arena, into, c->records, c->after_count, &v->merged))
        return false;
    for (uint32_t i = 0; i < v->merged.at[c->after_count]; i++)
        v->merged.items[i] = c->before[v->merged.items[i]];
    return true;
}

kin_status registry_assign(struct kin_arena *arena, const struct registry_change *c,
                           struct registry_verdict *out)
{
    struct registry_verdict v = {
        .keeps = numbers(arena, c->after_count, REGISTRY_NONE),
        .smallest = numbers(arena, c->after_count, REGISTRY_NONE),
        .heir = numbers(arena, c->before_count, REGISTRY_NONE),
        .kept = kin_arena_calloc(arena, c->before_count, sizeof *v.kept),
        .split_from = numbers(arena, c->after_count, REGISTRY_NONE),
        .moved = {numbers(arena, c->before_count + 1, 0), NULL},
    };
    struct parts parts = {numbers(arena, c->after_count, 0), numbers(arena, c->after_count, 0)};
    if (!v.keeps || !v.smallest || !v.heir || !v.kept || !v.split_from || !v.moved.at ||
        !parts.count || !parts.from_max ||
        !lists_of(arena, c->before, c->records, c->before_count, &v.was) ||
        !lists_of(arena, c->after, c->records, c->after_count, &v.is))
        return KIN_E_NOMEM;
    v.moved.items = numbers(arena, v.was.at[c->before_count], 0);
    if (!v.moved.items)
        return KIN_E_NOMEM;
    for (size_t a = 0; a < c->after_count; a++)
        v.smallest[a] = smallest_of(&v.is, a);
    for (size_t b = 0; b < c->before_count; b++)
        follow(c, &v, (uint32_t)b, &parts);
    for (size_t b = 0; b < c->before_count; b++)
        v.kept[b] = v.heir[b] != REGISTRY_NONE && v.keeps[v.heir[b]] == b;
    for (size_t a = 0; a < c->after_count; a++) {
        if (v.keeps[a] != REGISTRY_NONE)
            v.split_from[a] = REGISTRY_NONE;
    }
    if (!find_merged(arena, c, &v))
        return KIN_E_NOMEM;
    *out = v;
    return KIN_OK;
}

/* ---- what is kept of an id for ever ----
 * u8 version, u8 state, u8 flags, varint born, varint n and the founder's source, varint n and its
 * id, survivor and split_from where the flags say so, varint n and so many ids of see_also. */

enum { ENTRY_VERSION = 1, HAS_SURVIVOR = 1, HAS_SPLIT_FROM = 2 };

static void put_text(struct kin_buf *out, struct kin_str text)
{
    kin_buf_varint(out, text.n);
    kin_buf_put(out, text.p, text.n);
}

void registry_entry_write(const struct registry_entry *e, struct kin_buf *out)
{
    kin_buf_putc(out, ENTRY_VERSION);
    kin_buf_putc(out, (char)e->state);
    kin_buf_putc(out, (char)((e->has_survivor ? HAS_SURVIVOR : 0) |
                             (e->has_split_from ? HAS_SPLIT_FROM : 0)));
    kin_buf_varint(out, e->born);
    put_text(out, e->founder_source);
    put_text(out, e->founder_id);
    if (e->has_survivor)
        kin_buf_put(out, &e->survivor, sizeof e->survivor);
    if (e->has_split_from)
        kin_buf_put(out, &e->split_from, sizeof e->split_from);
    size_t n = e->see_also_count < REGISTRY_SEE_ALSO_MAX ? e->see_also_count
                                                         : (size_t)REGISTRY_SEE_ALSO_MAX;
    kin_buf_varint(out, n);
    if (n)
        kin_buf_put(out, e->see_also + (e->see_also_count - n), n * sizeof *e->see_also);
}

static struct kin_str take_text(struct kin_cursor *c)
{
    uint64_t n = kin_cursor_varint(c);
    if (n > kin_cursor_left(c)) {
        c->bad = true;
        n = 0;
    }
    return (struct kin_str){(const char *)kin_cursor_take(c, (size_t)n), (size_t)n};
}

static void take_id(struct kin_cursor *c, struct registry_id *out)
{
    const uint8_t *p = kin_cursor_take(c, sizeof *out);
    if (p)
        memcpy(out, p, sizeof *out);
}

kin_status registry_entry_read(struct kin_arena *arena, struct kin_str value,
                               struct registry_entry *out)
{
    struct kin_cursor c = kin_cursor_of(value.p, value.n);
    unsigned version = kin_cursor_u8(&c), state = kin_cursor_u8(&c), flags = kin_cursor_u8(&c);
    if (version != ENTRY_VERSION || state < REGISTRY_LIVE || state > REGISTRY_GONE ||
        flags > (HAS_SURVIVOR | HAS_SPLIT_FROM))
        return KIN_E_CORRUPT;
    struct registry_entry e = {
        .state = (enum registry_state)state,
        .has_survivor = (flags & HAS_SURVIVOR) != 0,
        .has_split_from = (flags & HAS_SPLIT_FROM) != 0,
    };
    if (e.has_survivor != (e.state == REGISTRY_ALIAS))
        return KIN_E_CORRUPT;
    e.born = kin_cursor_varint(&c);
    e.founder_source = take_text(&c);
    e.founder_id = take_text(&c);
    if (e.has_survivor)
        take_id(&c, &e.survivor);
    if (e.has_split_from)
        take_id(&c, &e.split_from);
    uint64_t n = kin_cursor_varint(&c);
    if (c.bad || n > REGISTRY_SEE_ALSO_MAX || kin_cursor_left(&c) != n * sizeof *e.see_also)
        return KIN_E_CORRUPT;
    if (n) {
        struct registry_id *ids = kin_arena_calloc(arena, (size_t)n, sizeof *ids);
        if (!ids)
            return KIN_E_NOMEM;
        for (size_t i = 0; i < n; i++)
            take_id(&c, &ids[i]);
        e.see_also = ids;
        e.see_also_count = (size_t)n;
    }
    *out = e;
    return KIN_OK;
}

/* ---- ids ---- */

void registry_new_id(const uint8_t key[16], struct kin_str workflow, struct kin_str source,
                     struct kin_str id, uint32_t generation, struct registry_id *out)
{
    kin_match_id_bytes(key, workflow, source, id, generation, out->bytes);
}

void registry_id_print(const struct registry_id *id, char out[33])
{
    kin_match_id_print(id->bytes, out);
    out[KIN_MATCH_ID_DIGITS] = '\0';
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool registry_id_parse(struct kin_str text, struct registry_id *out)
{
    struct registry_id id;
    if (text.n != KIN_MATCH_ID_DIGITS)
        return false;
    for (size_t i = 0; i < REGISTRY_ID_BYTES; i++) {
        int high = nibble(text.p[2 * i]), low = nibble(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = id;
    return true;
}
