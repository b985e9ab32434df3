#include "coordinator/live.h"

#include <string.h>

/* Keys and values of what is served in the store. Values are little endian. */

struct live_key live_key_of(uint32_t slot, char kind)
{
    struct live_key k = {.n = 0};
    live_key_u32(&k, slot);
    k.bytes[k.n++] = (uint8_t)kind;
    return k;
}

struct live_key live_key_run(uint32_t slot, char kind, uint64_t run)
{
    struct live_key k = live_key_of(slot, kind);
    live_key_u64(&k, run);
    return k;
}

void live_key_u32(struct live_key *k, uint32_t number)
{
    number = __builtin_bswap32(number);
    memcpy(k->bytes + k->n, &number, 4);
    k->n += 4;
}

void live_key_u64(struct live_key *k, uint64_t number)
{
    kin_put_be64(k->bytes + k->n, number);
    k->n += 8;
}

void live_key_id(struct live_key *k, const struct registry_id *id)
{
    memcpy(k->bytes + k->n, id->bytes, sizeof id->bytes);
    k->n += sizeof id->bytes;
}

struct live_key live_key_log(uint32_t slot, uint64_t seq)
{
    struct live_key k = {.n = 0};
    live_key_u32(&k, slot);
    live_key_u64(&k, seq);
    return k;
}

struct live_key live_key_entry(uint32_t slot, const struct registry_id *id)
{
    struct live_key k = {.n = 0};
    live_key_u32(&k, slot);
    live_key_id(&k, id);
    return k;
}

struct live_key live_key_record(const struct live *live, uint32_t number)
{
    struct live_key k = live_key_run(live->slot, 'R', live->run);
    live_key_u32(&k, number);
    return k;
}

struct live_key live_key_edge(const struct live *live, uint32_t a, uint32_t b)
{
    struct live_key k = live_key_run(live->slot, 'E', live->run);
    live_key_u32(&k, a < b ? a : b);
    live_key_u32(&k, a < b ? b : a);
    return k;
}

struct live_key live_key_member(const struct live *live, uint32_t hub, uint32_t number)
{
    struct live_key k = live_key_run(live->slot, 'M', live->run);
    live_key_u32(&k, hub);
    live_key_u32(&k, number);
    return k;
}

/* ---- a list of changes ---- */

struct put_at {
    uint8_t db;
    bool remove;
    uint16_t key_bytes;
    uint32_t value_bytes;
    uint64_t at; /* key, then value */
};

void live_put_kv(struct live_puts *p, unsigned db, struct kin_str key, struct kin_str value)
{
    struct put_at at = {(uint8_t)db, value.p == NULL, (uint16_t)key.n, (uint32_t)value.n,
                        p->bytes.n};
    kin_buf_put(&p->bytes, key.p, key.n);
    kin_buf_put(&p->bytes, value.p, value.n);
    kin_buf_put(&p->list, &at, sizeof at);
}

void live_put_delete(struct live_puts *p, unsigned db, struct kin_str key)
{
    live_put_kv(p, db, key, (struct kin_str){NULL, 0});
}

void live_puts_deinit(struct live_puts *p)
{
    kin_buf_deinit(&p->bytes);
    kin_buf_deinit(&p->list);
}

size_t live_puts_count(const struct live_puts *p)
{
    return p->list.n / sizeof(struct put_at);
}

static void stored(struct cstore *s, kin_status status)
{
    struct live *live = s->live;
    live->under_way--;
    s->live_done(live, status);
    live_settle(live);
}

kin_status live_store(struct live *live, struct live_puts *p,
                      void (*done)(struct live *live, kin_status status))
{
    size_t n = live_puts_count(p);
    struct cstore *s = p->bytes.failed || p->list.failed ? NULL : cstore_new(live->c, n, stored);
    if (!s) {
        live_puts_deinit(p);
        *p = (struct live_puts){0};
        return KIN_E_NOMEM;
    }
    s->job = NULL;
    s->live = live;
    s->live_done = done;
    s->memory = p->bytes;
    const struct put_at *at = (const struct put_at *)(const void *)p->list.p;
    for (size_t i = 0; i < n; i++) {
        const char *key = (const char *)s->memory.p + at[i].at;
        s->puts[i] = (struct kin_store_put){.db = at[i].db, .key = {key, at[i].key_bytes}};
        if (!at[i].remove)
            s->puts[i].value = (struct kin_str){key + at[i].key_bytes, at[i].value_bytes};
    }
    p->bytes = (struct kin_buf){0};
    live_puts_deinit(p);
    *p = (struct live_puts){0};
    live->under_way++;
    cstore_start(s);
    return KIN_OK;
}

/* ---- values ---- */

void live_put_record(struct live *live, struct live_puts *p, uint32_t number)
{
    const struct live_record *r = &live->graph.records[number];
    struct kin_str id = live_graph_id(&live->graph, number);
    struct live_key key = live_key_record(live, number);
    uint8_t value[320], *at = value;
    kin_put_le64(at, (uint64_t)r->updated);
    kin_put_le16(at + 8, r->source);
    at[10] = r->home;
    at[11] = r->id_bytes;
    memcpy(at + 12, live->graph.groups[r->group].id.bytes, REGISTRY_ID_BYTES);
    kin_put_le32(at + 28, (uint32_t)r->weight);
    kin_put_le16(at + 32, r->rule);
    memcpy(at + 34, id.p, id.n);
    live_put_kv(p, DB_LIVE, live_key_str(&key), (struct kin_str){(char *)value, 34 + id.n});
}

void live_put_edge(struct live *live, struct live_puts *p, uint32_t a, uint32_t b, uint16_t rule,
                   int32_t weight)
{
    struct live_key key = live_key_edge(live, a, b);
    uint8_t value[6];
    kin_put_le32(value, (uint32_t)weight);
    kin_put_le16(value + 4, rule);
    live_put_kv(p, DB_LIVE, live_key_str(&key), (struct kin_str){(char *)value, sizeof value});
}

void live_put_member(struct live *live, struct live_puts *p, uint32_t hub, uint32_t number)
{
    struct live_key key = live_key_member(live, hub, number);
    uint8_t value[10];
    kin_put_le64(value, live->graph.hubs[hub].key);
    kin_put_le16(value + 8, live->graph.hubs[hub].rule);
    live_put_kv(p, DB_LIVE, live_key_str(&key), (struct kin_str){(char *)value, sizeof value});
}

void live_put_applied(struct live *live, struct live_puts *p, uint64_t applied, uint64_t next_event)
{
    struct live_key key = live_key_of(live->slot, 'A');
    uint8_t value[48];
    kin_put_le64(value, live->run);
    kin_put_le64(value + 8, live->batch0);
    kin_put_le64(value + 16, applied);
    kin_put_le64(value + 24, next_event);
    kin_put_le64(value + 32, live->windowed);
    kin_put_le32(value + 40, (uint32_t)live->deferred);
    kin_put_le32(value + 44, live->graph.count);
    live_put_kv(p, DB_LIVE, live_key_str(&key), (struct kin_str){(char *)value, sizeof value});
}

void live_put_event_text(struct live *live, struct live_puts *p, uint64_t seq,
                         const struct registry_event *event)
{
    struct live_key key = live_key_of(live->slot, 'F');
    live_key_u64(&key, seq);
    live_put_kv(p, DB_FEED, live_key_str(&key), event->json);
}

void live_put_named(struct live *live, struct live_puts *p, uint64_t seq,
                    const struct registry_id *id)
{
    struct live_key named = live_key_of(live->slot, 'I');
    live_key_id(&named, id);
    live_key_u64(&named, seq);
    live_put_kv(p, DB_FEED, live_key_str(&named), KIN_STR(""));
}

void live_put_event(struct live *live, struct live_puts *p, uint64_t seq,
                    const struct registry_event *event)
{
    live_put_event_text(live, p, seq, event);
    live_put_named(live, p, seq, &event->id);
    for (size_t i = 0; i < event->other_count; i++)
        live_put_named(live, p, seq, &event->others[i]);
}

/* Who founded a group is added to what is known of its id. */
static void put_entry(struct live *live, struct live_puts *p, const struct live_graph *of,
                      uint32_t group, struct registry_entry entry)
{
    uint16_t source;
    live_graph_founder(of, group, &source, &entry.founder_id);
    entry.founder_source = kin_str_of(of->workflow->sources[source].name);
    struct kin_buf value = {0};
    registry_entry_write(&entry, &value);
    struct live_key key = live_key_entry(live->slot, &of->groups[group].id);
    live_put_kv(p, DB_IDS, live_key_str(&key), (struct kin_str){(char *)value.p, value.n});
    p->bytes.failed = p->bytes.failed || value.failed;
    kin_buf_deinit(&value);
}

void live_put_group(struct live *live, struct live_puts *p, uint32_t group)
{
    const struct live_group *g = &live->graph.groups[group];
    put_entry(live, p, &live->graph, group,
              (struct registry_entry){.state = REGISTRY_LIVE,
                                      .born = g->born,
                                      .has_split_from = g->has_split_from,
                                      .split_from = g->split_from,
                                      .see_also = g->see_also,
                                      .see_also_count = g->see_also_count});
}

void live_put_retired(struct live *live, struct live_puts *p, const struct live_graph *of,
                      uint32_t group, const struct registry_id *see_also, size_t see_also_count,
                      const struct registry_id *survivor)
{
    const struct live_group *g = &of->groups[group];
    struct registry_entry entry = {.state = survivor ? REGISTRY_ALIAS : REGISTRY_GONE,
                                   .born = g->born,
                                   .has_survivor = survivor != NULL,
                                   .has_split_from = g->has_split_from,
                                   .split_from = g->split_from,
                                   .see_also = see_also,
                                   .see_also_count = see_also_count};
    if (survivor)
        entry.survivor = *survivor;
    put_entry(live, p, of, group, entry);
}
