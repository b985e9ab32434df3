#include "tests/sim/live_model.h"

#include "coordinator/match_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(x) \
    ((x) ? (void)0 : (fprintf(stderr, "live_model: %s:%d: %s\n", __FILE__, __LINE__, #x), abort()))

/* ---- small things ---- */

static int cmp_names(uint32_t source_a, const char *id_a, uint32_t source_b, const char *id_b)
{
    if (source_a != source_b)
        return source_a < source_b ? -1 : 1;
    return strcmp(id_a, id_b);
}

static int by_name(const void *a, const void *b)
{
    const struct live_member *x = a, *y = b;
    return cmp_names(x->source, x->id, y->source, y->id);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct live_model *live_model_new(const struct kin_workflow *workflow, const uint8_t key[16])
{
    struct live_model *m = calloc(1, sizeof *m);
    CHECK(m);
    m->workflow = workflow;
    m->key = key;
    return m;
}

static void forget_events(struct live_model *m)
{
    for (int i = 0; i < m->event_count; i++)
        free(m->events[i]);
    free(m->events);
    m->events = NULL;
    m->event_count = 0;
}

void live_model_free(struct live_model *m)
{
    forget_events(m);
    free(m->ids);
    free(m->members);
    free(m);
}

static int find_text(const struct live_model *m, const char *text)
{
    for (int i = 0; i < m->id_count; i++) {
        if (strcmp(m->ids[i].text, text) == 0)
            return i;
    }
    return -1;
}

const struct live_id *live_model_find(const struct live_model *m, const char *text)
{
    int at = find_text(m, text);
    return at < 0 ? NULL : &m->ids[at];
}

const struct live_id *live_model_of(const struct live_model *m, uint32_t source, const char *id)
{
    for (int i = 0; i < m->member_count; i++) {
        const struct live_member *x = &m->members[i];
        if (cmp_names(x->source, x->id, source, id) == 0)
            return &m->ids[x->group];
    }
    return NULL;
}

const struct live_id *live_model_resolve(const struct live_model *m, const struct live_id *id)
{
    for (int steps = 0; id->state == LIVE_IS_ALIAS; steps++) {
        CHECK(steps <= m->id_count);
        id = &m->ids[id->survivor];
    }
    return id;
}

/* ---- a step ---- */

struct step {
    struct live_model *m;
    uint64_t batch;
    struct live_member *now; /* by name; group: 0..groups-1 */
    int count, groups;
    int ids;      /* before */
    int *part;    /* [ids * groups] members that an id has in a group */
    int *heir;    /* [ids] group, -1: none */
    int *id_of;   /* [groups] */
    bool *is_new; /* [groups] */
};

/* The smallest record of a group that had the id before (id -1: any): its place in now. */
static int smallest(const struct step *s, int group, int id)
{
    for (int i = 0; i < s->count; i++) {
        if (s->now[i].group != group)
            continue;
        if (id < 0)
            return i;
        for (int k = 0; k < s->m->member_count; k++) {
            if (by_name(&s->m->members[k], &s->now[i]) == 0 && s->m->members[k].group == id)
                return i;
        }
    }
    fprintf(stderr, "live_model: a part without a record\n");
    abort();
}

/* Rule 1: an id goes with the largest part of its group, of equal ones with that which holds the
 * smallest record among them. */
static void find_heirs(struct step *s)
{
    for (int i = 0; i < s->m->member_count; i++) {
        for (int k = 0; k < s->count; k++) {
            if (by_name(&s->m->members[i], &s->now[k]) == 0)
                s->part[s->m->members[i].group * s->groups + s->now[k].group]++;
        }
    }
    for (int id = 0; id < s->ids; id++) {
        const int *part = &s->part[id * s->groups];
        int best = -1;
        for (int g = 0; g < s->groups; g++) {
            if (part[g] && (best < 0 || part[g] > part[best] ||
                            (part[g] == part[best] && smallest(s, g, id) < smallest(s, best, id))))
                best = g;
        }
        s->heir[id] = best;
    }
}

static bool older(const struct live_id *a, const struct live_id *b)
{
    if (a->born != b->born)
        return a->born < b->born;
    return cmp_names(a->founder_source, a->founder_id, b->founder_source, b->founder_id) < 0;
}

/* Rule 2: of several ids the oldest stays, the others become aliases of it. */
static void choose_ids(struct step *s)
{
    struct live_model *m = s->m;
    for (int g = 0; g < s->groups; g++) {
        s->id_of[g] = -1;
        for (int id = 0; id < s->ids; id++) {
            if (s->heir[id] == g && (s->id_of[g] < 0 || older(&m->ids[id], &m->ids[s->id_of[g]])))
                s->id_of[g] = id;
        }
    }
}

/* Where most members of a group were; of equal ones the id with the smaller founder. */
static int comes_from(const struct step *s, int group)
{
    int best = -1;
    for (int id = 0; id < s->ids; id++) {
        int n = s->part[id * s->groups + group],
            most = best < 0 ? 0 : s->part[best * s->groups + group];
        const struct live_id *a = &s->m->ids[id], *b = &s->m->ids[best < 0 ? 0 : best];
        int founders =
            cmp_names(a->founder_source, a->founder_id, b->founder_source, b->founder_id);
        if (n > most || (n && n == most && (founders < 0 || (founders == 0 && a->born < b->born))))
            best = id;
    }
    return best;
}

/* An id after a record, in the first generation that was never used. */
static struct live_id make_id(const struct live_model *m, const struct live_member *founder,
                              uint64_t batch)
{
    struct live_id id = {.state = LIVE_IS_LIVE,
                         .born = batch,
                         .founder_source = founder->source,
                         .survivor = -1,
                         .split_from = -1};
    memcpy(id.founder_id, founder->id, sizeof id.founder_id);
    for (uint32_t generation = 0; !id.text[0] || find_text(m, id.text) >= 0; generation++)
        kin_match_id(m->key, kin_str_of(m->workflow->name),
                     kin_str_of(m->workflow->sources[founder->source].name),
                     kin_str_of(founder->id), generation, id.text);
    return id;
}

static int add_id(struct live_model *m, struct live_id id)
{
    m->ids = realloc(m->ids, (size_t)(m->id_count + 1) * sizeof *m->ids);
    CHECK(m->ids);
    m->ids[m->id_count] = id;
    return m->id_count++;
}

void live_model_next_id(const struct live_model *m, uint32_t source, const char *id, char out[33])
{
    struct live_member founder = {.source = source};
    snprintf(founder.id, sizeof founder.id, "%s", id);
    memcpy(out, make_id(m, &founder, 0).text, 33);
}

/* Records whose id was answered ahead: they are there, each with that id, before anything else. */
static void mint(struct live_model *m, uint64_t batch, const struct live_member *members, int count)
{
    for (int i = 0; i < count; i++) {
        if (!members[i].minted)
            continue;
        CHECK(!live_model_of(m, members[i].source, members[i].id));
        struct live_id id = make_id(m, &members[i], batch);
        id.untold = true;
        m->members = realloc(m->members, (size_t)(m->member_count + 1) * sizeof *m->members);
        CHECK(m->members);
        m->members[m->member_count] = members[i];
        m->members[m->member_count++].group = add_id(m, id);
    }
}

/* Rule 3: a new id after the smallest record, in the first generation that was never used. */
static int new_id(struct step *s, int group)
{
    struct live_model *m = s->m;
    struct live_id id = make_id(m, &s->now[smallest(s, group, -1)], s->batch);
    id.split_from = comes_from(s, group);
    return add_id(m, id);
}

/* ---- what is told of it ---- */

static void add_event(struct live_model *m, struct kin_buf *text)
{
    kin_buf_putc(text, '\0');
    CHECK(!text->failed);
    m->events = realloc(m->events, (size_t)(m->event_count + 1) * sizeof *m->events);
    CHECK(m->events);
    m->events[m->event_count] = strdup((char *)text->p);
    CHECK(m->events[m->event_count++]);
    kin_buf_clear(text);
}

static void put_name(const struct live_model *m, struct kin_buf *b, uint32_t source, const char *id)
{
    kin_buf_printf(b, " %s/%s", m->workflow->sources[source].name, id);
}

static bool was_in(const struct step *s, const struct live_member *x, int id)
{
    for (int i = 0; i < s->m->member_count; i++) {
        if (by_name(&s->m->members[i], x) == 0)
            return s->m->members[i].group == id;
    }
    return false;
}

static bool is_in(const struct step *s, const struct live_member *x, int group)
{
    for (int i = 0; i < s->count; i++) {
        if (by_name(&s->now[i], x) == 0)
            return s->now[i].group == group;
    }
    return false;
}

/* created, or joined, at the id of a group. */
static void tell_arrivals(struct step *s, int group, struct kin_buf *b)
{
    struct live_model *m = s->m;
    const struct live_id *id = &m->ids[s->id_of[group]];
    bool any = false;
    bool created = s->is_new[group] || id->untold;
    kin_buf_printf(b, "%s %s", created ? "created" : "joined", id->text);
    for (int i = 0; i < s->count; i++) {
        if (s->now[i].group != group || (!created && was_in(s, &s->now[i], s->id_of[group])))
            continue;
        put_name(m, b, s->now[i].source, s->now[i].id);
        any = true;
    }
    if (s->is_new[group] && id->split_from >= 0)
        kin_buf_printf(b, " from %s", m->ids[id->split_from].text);
    if (any)
        add_event(m, b);
    kin_buf_clear(b);
}

/* left, at an id: those that are not where it is now. */
static void tell_leaving(struct step *s, int id, struct kin_buf *b)
{
    struct live_model *m = s->m;
    bool any = false;
    kin_buf_printf(b, "left %s", m->ids[id].text);
    for (int i = 0; i < m->member_count; i++) {
        if (m->members[i].group != id ||
            (s->heir[id] >= 0 && is_in(s, &m->members[i], s->heir[id])))
            continue;
        put_name(m, b, m->members[i].source, m->members[i].id);
        any = true;
    }
    if (any)
        add_event(m, b);
    kin_buf_clear(b);
}

static int put_ids(struct kin_buf *b, const char *what, const char *at, const char **ids, int n)
{
    qsort(ids, (size_t)n, sizeof *ids, by_text);
    kin_buf_printf(b, "%s %s", what, at);
    for (int i = 0; i < n; i++)
        kin_buf_printf(b, " %s", ids[i]);
    return n;
}

/* merged: whose ids became aliases of a group's. split: in which other groups members of an id are
 * that is still the same. */
static void tell_merged_and_split(struct step *s, int group, struct kin_buf *b)
{
    struct live_model *m = s->m;
    int most = s->ids + s->groups, n = 0, own = s->id_of[group];
    const char **ids = calloc((size_t)most + 1, sizeof *ids);
    CHECK(ids);
    for (int id = 0; id < s->ids; id++) {
        if (s->heir[id] == group && id != own)
            ids[n++] = m->ids[id].text;
    }
    if (put_ids(b, "merged", m->ids[own].text, ids, n))
        add_event(m, b);
    kin_buf_clear(b);
    n = 0;
    for (int g = 0; g < s->groups && !s->is_new[group]; g++) {
        if (g != group && s->part[own * s->groups + g])
            ids[n++] = m->ids[s->id_of[g]].text;
    }
    if (put_ids(b, "split", m->ids[own].text, ids, n))
        add_event(m, b);
    kin_buf_clear(b);
    free(ids);
}

static void tell_all(struct step *s)
{
    struct live_model *m = s->m;
    struct kin_buf b = {0};
    for (int g = 0; g < s->groups; g++) {
        tell_arrivals(s, g, &b);
        tell_merged_and_split(s, g, &b);
    }
    for (int id = 0; id < s->ids; id++) {
        bool had = false;
        for (int i = 0; i < m->member_count; i++)
            had = had || m->members[i].group == id;
        if (!had)
            continue;
        tell_leaving(s, id, &b);
        if (m->ids[id].state == LIVE_IS_LIVE)
            continue;
        kin_buf_printf(&b, "retired %s", m->ids[id].text);
        if (m->ids[id].state == LIVE_IS_ALIAS)
            kin_buf_printf(&b, " alias %s", m->ids[m->ids[id].survivor].text);
        else
            kin_buf_puts(&b, " gone");
        add_event(m, &b);
    }
    kin_buf_deinit(&b);
    if (m->event_count)
        qsort(m->events, (size_t)m->event_count, sizeof *m->events, by_text);
}

/* Numbers of groups are the caller's: makes them 0..groups-1. */
static void number_groups(struct step *s)
{
    int *label = calloc((size_t)s->count + 1, sizeof *label);
    CHECK(label);
    for (int i = 0; i < s->count; i++) {
        int g = 0;
        while (g < s->groups && label[g] != s->now[i].group)
            g++;
        label[g] = s->now[i].group;
        s->groups += g == s->groups;
        s->now[i].group = g;
    }
    free(label);
}

void live_model_step(struct live_model *m, uint64_t batch, const struct live_member *members,
                     int count)
{
    size_t n = (size_t)count;
    forget_events(m);
    mint(m, batch, members, count);
    struct step s = {.m = m, .batch = batch, .count = count, .ids = m->id_count};
    s.now = calloc(n + 1, sizeof *s.now);
    CHECK(s.now);
    if (n)
        memcpy(s.now, members, n * sizeof *s.now);
    qsort(s.now, n, sizeof *s.now, by_name);
    for (int i = 1; i < count; i++)
        CHECK(by_name(&s.now[i - 1], &s.now[i]) < 0);
    number_groups(&s);
    s.part = calloc((size_t)s.ids * (size_t)s.groups + 1, sizeof *s.part);
    s.heir = calloc((size_t)s.ids + 1, sizeof *s.heir);
    s.id_of = calloc((size_t)s.groups + 1, sizeof *s.id_of);
    s.is_new = calloc((size_t)s.groups + 1, sizeof *s.is_new);
    CHECK(s.part && s.heir && s.id_of && s.is_new);
    find_heirs(&s);
    choose_ids(&s);
    for (int g = 0; g < s.groups; g++) {
        s.is_new[g] = s.id_of[g] < 0;
        if (s.is_new[g])
            s.id_of[g] = new_id(&s, g);
    }
    for (int id = 0; id < s.ids; id++) {
        bool had = false; /* rule 4: gone, once and for all */
        for (int i = 0; i < m->member_count; i++)
            had = had || m->members[i].group == id;
        if (!had || (s.heir[id] >= 0 && s.id_of[s.heir[id]] == id))
            continue;
        m->ids[id].state = s.heir[id] < 0 ? LIVE_IS_GONE : LIVE_IS_ALIAS;
        m->ids[id].survivor = s.heir[id] < 0 ? -1 : s.id_of[s.heir[id]];
    }
    tell_all(&s);
    for (int i = 0; i < count; i++) {
        s.now[i].group = s.id_of[s.now[i].group];
        s.now[i].minted = false;
    }
    for (int id = 0; id < m->id_count; id++)
        m->ids[id].untold = false;
    free(m->members);
    m->members = s.now;
    m->member_count = count;
    free(s.part);
    free(s.heir);
    free(s.id_of);
    free(s.is_new);
}
