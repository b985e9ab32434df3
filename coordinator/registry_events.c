/* What is told of a change of MatchIds: the lines of the change feed. */
#include "common/record/reader.h"
#include "coordinator/match_id.h"
#include "coordinator/registry.h"

#include <inttypes.h>
#include <string.h>

struct teller {
    struct kin_arena *arena;
    const struct registry_change *change;
    const struct registry_verdict *verdict;
    const struct registry_names *names;
    uint64_t batch, seq;
    struct registry_event *events; /* NULL: they are only counted */
    size_t count;
    struct kin_buf line;
    bool failed;
};

static const char *const kind_names[] = {
    [REGISTRY_CREATED] = "created", [REGISTRY_JOINED] = "joined", [REGISTRY_LEFT] = "left",
    [REGISTRY_MERGED] = "merged",   [REGISTRY_SPLIT] = "split",   [REGISTRY_RETIRED] = "retired",
};

static void put_id(struct kin_buf *out, const struct registry_id *id)
{
    kin_buf_putc(out, '"');
    uint8_t *to = kin_buf_extend(out, KIN_MATCH_ID_DIGITS);
    if (to)
        kin_match_id_print(id->bytes, (char *)to);
    kin_buf_putc(out, '"');
}

static void begin(struct teller *t, enum registry_kind kind, const struct registry_id *id)
{
    kin_buf_clear(&t->line);
    kin_buf_printf(&t->line,
                   "{\"seq\":%" PRIu64 ",\"batch\":%" PRIu64 ",\"event\":\"%s\",\"match_id\":",
                   t->seq + t->count, t->batch, kind_names[kind]);
    put_id(&t->line, id);
}

/* The line is an event; it names these ids, which are copied. */
static void end(struct teller *t, enum registry_kind kind, const struct registry_id *id,
                const struct registry_id *others, size_t other_count)
{
    kin_buf_putc(&t->line, '}');
    struct registry_event *e = &t->events[t->count++];
    struct registry_id *ids = kin_arena_calloc(t->arena, other_count, sizeof *ids);
    char *json = t->line.failed ? NULL : kin_arena_alloc(t->arena, t->line.n);
    if (!ids || !json) {
        t->failed = true;
        return;
    }
    if (other_count)
        memcpy(ids, others, other_count * sizeof *ids);
    memcpy(json, t->line.p, t->line.n);
    *e = (struct registry_event){kind, *id, ids, other_count, {json, t->line.n}};
}

static void put_record(struct teller *t, uint32_t index)
{
    struct kin_str source = {0}, id = {0};
    t->names->record(t->names->arg, index, &source, &id);
    kin_buf_puts(&t->line, "{\"source\":");
    kin_json_string(&t->line, source);
    kin_buf_puts(&t->line, ",\"id\":");
    kin_json_string(&t->line, id);
    kin_buf_putc(&t->line, '}');
}

/* Which records an event is about: those of the list that are in another group than this one. */
struct choice {
    const struct registry_lists *lists;
    uint32_t list;
    const uint32_t *group_of; /* NULL: all */
    uint32_t group;
};

/* Takes up to REGISTRY_LIST_MAX of them, from *at on, and returns how many there were. */
static size_t next_records(const struct choice *c, uint32_t *at, uint32_t *out)
{
    uint32_t last = c->lists->at[c->list + 1];
    size_t n = 0;
    for (; *at < last && n < REGISTRY_LIST_MAX; ++*at) {
        uint32_t record = c->lists->items[*at];
        if (!c->group_of || c->group_of[record] != c->group)
            out[n++] = record;
    }
    return n;
}

static void tell_records(struct teller *t, enum registry_kind kind, const struct registry_id *id,
                         const struct choice *choice, const struct registry_id *split_from)
{
    uint32_t at = choice->lists->at[choice->list], records[REGISTRY_LIST_MAX];
    for (size_t n; (n = next_records(choice, &at, records)) != 0;) {
        if (!t->events) {
            t->count++;
            continue;
        }
        begin(t, kind, id);
        kin_buf_puts(&t->line, ",\"records\":[");
        for (size_t i = 0; i < n; i++) {
            if (i)
                kin_buf_putc(&t->line, ',');
            put_record(t, records[i]);
        }
        kin_buf_putc(&t->line, ']');
        if (split_from) {
            kin_buf_puts(&t->line, ",\"split_from\":");
            put_id(&t->line, split_from);
        }
        end(t, kind, id, split_from, split_from != NULL);
    }
}

/* `merged` and `split`: the ids of the groups of a list. */
static void tell_ids(struct teller *t, enum registry_kind kind, const struct registry_id *id,
                     const struct registry_lists *lists, uint32_t list)
{
    bool merged = kind == REGISTRY_MERGED;
    const struct registry_id *ids = merged ? t->names->before : t->names->after;
    struct registry_id others[REGISTRY_LIST_MAX];
    for (uint32_t at = lists->at[list], last = lists->at[list + 1]; at < last;) {
        size_t n = 0;
        for (; at < last && n < REGISTRY_LIST_MAX; at++)
            others[n++] = ids[lists->items[at]];
        if (!t->events) {
            t->count++;
            continue;
        }
        begin(t, kind, id);
        kin_buf_puts(&t->line, merged ? ",\"from\":[" : ",\"into\":[");
        for (size_t i = 0; i < n; i++) {
            if (i)
                kin_buf_putc(&t->line, ',');
            put_id(&t->line, &others[i]);
        }
        kin_buf_putc(&t->line, ']');
        end(t, kind, id, others, n);
    }
}

static void tell_retired(struct teller *t, uint32_t before)
{
    if (!t->events) {
        t->count++;
        return;
    }
    uint32_t heir = t->verdict->heir[before];
    const struct registry_id *id = &t->names->before[before];
    const struct registry_id *survivor = heir == REGISTRY_NONE ? NULL : &t->names->after[heir];
    begin(t, REGISTRY_RETIRED, id);
    kin_buf_puts(&t->line, survivor ? ",\"state\":\"alias\",\"survivor\":" : ",\"state\":\"gone\"");
    if (survivor)
        put_id(&t->line, survivor);
    end(t, REGISTRY_RETIRED, id, survivor, survivor != NULL);
}

static bool is_untold(const struct teller *t, uint32_t before)
{
    return t->change->untold && t->change->untold[before];
}

static void tell_left(struct teller *t, uint32_t before)
{
    if (is_untold(t, before))
        return;
    const struct registry_verdict *v = t->verdict;
    uint32_t heir = v->heir[before];
    struct choice choice = {&v->was, before, heir == REGISTRY_NONE ? NULL : t->change->after, heir};
    tell_records(t, REGISTRY_LEFT, &t->names->before[before], &choice, NULL);
}

static void tell_new(struct teller *t, uint32_t after)
{
    const struct registry_verdict *v = t->verdict;
    uint32_t from = v->split_from[after];
    struct choice choice = {&v->is, after, NULL, 0};
    tell_records(t, REGISTRY_CREATED, &t->names->after[after], &choice,
                 from == REGISTRY_NONE ? NULL : &t->names->before[from]);
}

static void tell_kept(struct teller *t, uint32_t after)
{
    const struct registry_verdict *v = t->verdict;
    const struct registry_id *id = &t->names->after[after];
    uint32_t kept = v->keeps[after];
    const uint32_t *merged = v->merged.items + v->merged.at[after];
    uint32_t merged_count = v->merged.at[after + 1] - v->merged.at[after];
    struct choice joined = {&v->is, after, t->change->before, kept};
    if (is_untold(t, kept))
        tell_new(t, after);
    else
        tell_records(t, REGISTRY_JOINED, id, &joined, NULL);
    tell_left(t, kept);
    for (uint32_t i = 0; i < merged_count; i++)
        tell_left(t, merged[i]);
    tell_ids(t, REGISTRY_MERGED, id, &v->merged, after);
    tell_ids(t, REGISTRY_SPLIT, id, &v->moved, kept);
    for (uint32_t i = 0; i < merged_count; i++)
        tell_retired(t, merged[i]);
}

/* A group has its place where its smallest record is. */
static void tell_all(struct teller *t)
{
    const struct registry_change *c = t->change;
    const struct registry_verdict *v = t->verdict;
    for (uint32_t r = 0; r < c->records && !t->failed; r++) {
        uint32_t after = c->after[r], before = c->before[r];
        if (after != REGISTRY_NONE && v->smallest[after] == r) {
            if (v->keeps[after] == REGISTRY_NONE)
                tell_new(t, after);
            else
                tell_kept(t, after);
        }
        if (before != REGISTRY_NONE && v->heir[before] == REGISTRY_NONE &&
            v->was.items[v->was.at[before]] == r) {
            tell_left(t, before);
            tell_retired(t, before);
        }
    }
}

kin_status registry_events(struct kin_arena *arena, const struct registry_change *change,
                           const struct registry_verdict *verdict,
                           const struct registry_names *names, uint64_t batch, uint64_t seq,
                           struct registry_event **out, size_t *count)
{
    struct teller t = {.arena = arena,
                       .change = change,
                       .verdict = verdict,
                       .names = names,
                       .batch = batch,
                       .seq = seq};
    tell_all(&t);
    size_t expected = t.count;
    struct registry_event *events = kin_arena_calloc(arena, expected, sizeof *events);
    if (!events)
        return KIN_E_NOMEM;
    t.events = events;
    t.count = 0;
    tell_all(&t);
    kin_buf_deinit(&t.line);
    if (t.failed)
        return KIN_E_NOMEM;
    *out = events;
    *count = expected;
    return KIN_OK;
}
