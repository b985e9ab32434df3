/* Random changes, one after the other, against a model that knows nothing but sets of records: the
 * rules of MatchIds as coordinator/registry.h states them, one group against every other. And the
 * promises of docs/match-ids.md that span all changes: no id twice, aliases that end, a change feed
 * from which the groups follow. A consumer of the feed is here twice, as consumers are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/registry_kit.h"

enum { RECORDS = 24, IDS_MAX = 3000, STEPS = 150, SEQUENCES = 60, GROUPS_MAX = RECORDS };

typedef uint32_t set; /* of records; smaller bits are smaller by (source, id) */

static const uint8_t key[16] = "sixteen letters.";

struct known { /* an id that there is or was */
    struct registry_id id;
    char digits[33];
    enum registry_state state;
    bool untold; /* given out ahead of its group */
    unsigned born, founder;
    size_t survivor;
    set members;  /* of a live one */
    set told;     /* what a consumer has that keeps a set for each id */
    bool is_told; /* the feed has named it */
};

struct world {
    uint64_t random, seq;
    unsigned batch;
    size_t known_count;
    struct known known[IDS_MAX];
    size_t heirs[IDS_MAX];   /* of the step that is under way: index of a group, or SIZE_MAX */
    size_t told_of[RECORDS]; /* what a consumer has that keeps an id for each record; SIZE_MAX */
};

struct group { /* after a step */
    set members;
    size_t id; /* that the model gives it: index in known */
    bool created;
    size_t split_from; /* SIZE_MAX: none */
};

static unsigned below(struct world *w, unsigned n)
{
    w->random += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = w->random;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((z ^ z >> 31) % n);
}

static unsigned size_of(set s)
{
    unsigned n = 0;
    for (unsigned r = 0; r < RECORDS; r++)
        n += s >> r & 1;
    return n;
}

static unsigned first_of(set s)
{
    unsigned r = 0;
    while (r < RECORDS && !(s >> r & 1))
        r++;
    return r;
}

static void name(unsigned record, char source[8], char id[8])
{
    snprintf(source, 8, "%s", record < RECORDS / 3 ? "crm" : "web");
    snprintf(id, 8, "%02u", record);
}

static size_t find(const struct world *w, const char *digits)
{
    for (size_t i = 0; i < w->known_count; i++) {
        if (strcmp(w->known[i].digits, digits) == 0)
            return i;
    }
    return SIZE_MAX;
}

/* ---- what the groups become ---- */

static set any_of(struct world *w, set s)
{
    set part = 0;
    for (unsigned r = 0; r < RECORDS; r++)
        part |= below(w, 2) ? s & (set)1 << r : 0;
    return part;
}

static void mutate(struct world *w, set groups[GROUPS_MAX])
{
    set *a = &groups[below(w, GROUPS_MAX)], *b = &groups[below(w, GROUPS_MAX)];
    set *empty = groups, record = (set)1 << below(w, RECORDS);
    while (empty < groups + GROUPS_MAX && *empty)
        empty++;
    switch (below(w, 8)) {
    case 0:
    case 1: /* merge */
        if (a != b) {
            *a |= *b;
            *b = 0;
        }
        break;
    case 2:
    case 3: /* split */
        if (size_of(*a) > 1) {
            set part = any_of(w, *a);
            *a &= ~part;
            *empty = part; /* there is an empty one: some group has two records */
        }
        break;
    case 4: /* delete */
        for (size_t i = 0; i < GROUPS_MAX; i++)
            groups[i] &= ~record;
        break;
    case 5: /* add, or move */
    case 6:
        for (size_t i = 0; i < GROUPS_MAX; i++)
            groups[i] &= ~record;
        *a |= record;
        break;
    default: /* another run: everything anew, or a group that is deleted */
        if (below(w, 4)) {
            *a = 0;
            break;
        }
        memset(groups, 0, GROUPS_MAX * sizeof *groups);
        unsigned spread = 1 + below(w, GROUPS_MAX);
        for (unsigned r = 0; r < RECORDS; r++) {
            set *to = &groups[below(w, spread)];
            *to |= below(w, 8) ? (set)1 << r : 0;
        }
    }
}

static size_t next_groups(struct world *w, struct group out[GROUPS_MAX])
{
    set groups[GROUPS_MAX] = {0};
    size_t n = 0;
    for (size_t i = 0; i < w->known_count; i++) {
        if (w->known[i].state == REGISTRY_LIVE)
            groups[n++] = w->known[i].members;
    }
    for (unsigned times = 1 + below(w, 4); times; times--)
        mutate(w, groups);
    n = 0;
    for (size_t i = 0; i < GROUPS_MAX; i++) {
        if (groups[i])
            out[n++] = (struct group){.members = groups[i], .id = SIZE_MAX, .split_from = SIZE_MAX};
    }
    return n;
}

/* ---- the model ---- */

/* Rule 1: which group an id goes to; SIZE_MAX: none. */
static size_t heir_of(const struct known *id, const struct group *groups, size_t n)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        set part = id->members & groups[i].members;
        set other = best == SIZE_MAX ? 0 : id->members & groups[best].members;
        if (size_of(part) > size_of(other) ||
            (part && size_of(part) == size_of(other) && first_of(part) < first_of(other)))
            best = i;
    }
    return best;
}

static bool founded_before(const struct known *a, const struct known *b)
{
    if (a->founder != b->founder)
        return a->founder < b->founder;
    return a->born != b->born ? a->born < b->born : first_of(a->members) < first_of(b->members);
}

static size_t mint(struct world *w, unsigned founder)
{
    struct known k = {.state = REGISTRY_LIVE, .born = w->batch, .founder = founder};
    char source[8], id[8];
    name(founder, source, id);
    for (uint32_t generation = 0;; generation++) {
        registry_new_id(key, KIN_STR("w"), kin_str_of(source), kin_str_of(id), generation, &k.id);
        registry_id_print(&k.id, k.digits);
        if (find(w, k.digits) == SIZE_MAX)
            break;
    }
    assert_true(w->known_count < IDS_MAX);
    w->known[w->known_count] = k;
    return w->known_count++;
}

/* Rules 2 and 3 for each group; heirs: of each id that is known. */
static void name_groups(struct world *w, struct group *groups, size_t n, const size_t *heirs,
                        size_t known)
{
    for (size_t g = 0; g < n; g++) {
        struct group *group = &groups[g];
        for (size_t i = 0; i < known; i++) {
            const struct known *k = &w->known[i];
            if (k->state != REGISTRY_LIVE || heirs[i] != g)
                continue;
            const struct known *best = group->id == SIZE_MAX ? NULL : &w->known[group->id];
            if (!best || k->born < best->born || (k->born == best->born && founded_before(k, best)))
                group->id = i;
        }
        if (group->id != SIZE_MAX)
            continue;
        group->created = true;
        for (size_t i = 0; i < known; i++) {
            const struct known *k = &w->known[i];
            if (k->state != REGISTRY_LIVE || !(k->members & group->members))
                continue;
            size_t best = group->split_from;
            unsigned here = size_of(k->members & group->members);
            unsigned there =
                best == SIZE_MAX ? 0 : size_of(w->known[best].members & group->members);
            if (here > there || (here == there && founded_before(k, &w->known[best])))
                group->split_from = i;
        }
        group->id = mint(w, first_of(group->members));
    }
}

static void put_set(struct kin_buf *out, const char *kind, const struct known *id, set s)
{
    kin_buf_printf(out, "%s %s ", kind, id->digits);
    for (unsigned r = 0, n = 0; r < RECORDS; r++) {
        if (s >> r & 1)
            kin_buf_printf(out, "%s%02u", n++ ? "," : "", r);
    }
}

/* What is to be told of a group that has kept its id. */
static void tell_kept(const struct world *w, const struct group *groups, size_t n, size_t g,
                      const size_t *heirs, size_t known, struct kin_buf *out)
{
    const struct known *id = &w->known[groups[g].id];
    size_t merged[RECORDS], merged_count = 0;
    for (unsigned r = 0; r < RECORDS; r++) {
        for (size_t i = 0; i < known; i++) {
            const struct known *k = &w->known[i];
            if (k->state == REGISTRY_LIVE && first_of(k->members) == r && heirs[i] == g && k != id)
                merged[merged_count++] = i;
        }
    }
    if (id->untold || groups[g].members & ~id->members) {
        put_set(out, id->untold ? "created" : "joined", id,
                groups[g].members & ~(id->untold ? 0 : id->members));
        kin_buf_putc(out, '\n');
    }
    for (size_t i = 0; i <= merged_count; i++) {
        const struct known *k = i ? &w->known[merged[i - 1]] : id;
        if (!k->untold && k->members & ~groups[g].members) {
            put_set(out, "left", k, k->members & ~groups[g].members);
            kin_buf_putc(out, '\n');
        }
    }
    if (merged_count) {
        kin_buf_printf(out, "merged %s from ", id->digits);
        for (size_t i = 0; i < merged_count; i++)
            kin_buf_printf(out, "%s%s", i ? "," : "", w->known[merged[i]].digits);
        kin_buf_putc(out, '\n');
    }
    unsigned parts = 0;
    for (unsigned r = 0; r < RECORDS; r++) {
        for (size_t i = 0; i < n; i++) {
            if (i == g || first_of(id->members & groups[i].members) != r)
                continue;
            if (!parts++)
                kin_buf_printf(out, "split %s into ", id->digits);
            else
                kin_buf_putc(out, ',');
            kin_buf_puts(out, w->known[groups[i].id].digits);
        }
    }
    if (parts)
        kin_buf_putc(out, '\n');
    for (size_t i = 0; i < merged_count; i++)
        kin_buf_printf(out, "retired %s alias %s\n", w->known[merged[i]].digits, id->digits);
}

static void tell(const struct world *w, const struct group *groups, size_t n, const size_t *heirs,
                 size_t known, struct kin_buf *out)
{
    for (unsigned r = 0; r < RECORDS; r++) {
        for (size_t g = 0; g < n; g++) {
            if (first_of(groups[g].members) != r)
                continue;
            if (!groups[g].created) {
                tell_kept(w, groups, n, g, heirs, known, out);
                continue;
            }
            put_set(out, "created", &w->known[groups[g].id], groups[g].members);
            if (groups[g].split_from != SIZE_MAX)
                kin_buf_printf(out, " from %s", w->known[groups[g].split_from].digits);
            kin_buf_putc(out, '\n');
        }
        for (size_t i = 0; i < known; i++) {
            const struct known *k = &w->known[i];
            if (k->state != REGISTRY_LIVE || heirs[i] != SIZE_MAX || first_of(k->members) != r)
                continue;
            put_set(out, "left", k, k->members);
            kin_buf_printf(out, "\nretired %s gone\n", k->digits);
        }
    }
}

/* ---- the product, asked ---- */

struct question {
    unsigned record[RECORDS];
    size_t before_known[RECORDS], after_group[RECORDS]; /* who is who in the numbering */
    uint32_t before[RECORDS], after[RECORDS], founder[RECORDS];
    uint64_t born[RECORDS];
    bool untold[RECORDS];
    struct registry_id before_ids[RECORDS], after_ids[RECORDS];
    char source[8], id[8];
    struct registry_change change;
};

static void name_record(void *arg, size_t index, struct kin_str *source, struct kin_str *id)
{
    struct question *q = arg;
    name(q->record[index], q->source, q->id);
    *source = kin_str_of(q->source);
    *id = kin_str_of(q->id);
}

static void shuffle(struct world *w, size_t *p, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = below(w, (unsigned)i), x = p[i - 1];
        p[i - 1] = p[k];
        p[k] = x;
    }
}

static bool is_group(const struct group *groups, size_t n, set members)
{
    for (size_t g = 0; g < n; g++) {
        if (groups[g].members == members)
            return true;
    }
    return false;
}

static bool was_group(const struct world *w, size_t known, set members)
{
    for (size_t i = 0; i < known; i++) {
        const struct known *k = &w->known[i];
        if (k->state == REGISTRY_LIVE && !k->untold && k->members == members)
            return true;
    }
    return false;
}

/* Groups are numbered at random; only_touched: without those that stay as they are. */
static void ask(struct world *w, const struct group *groups, size_t n, size_t known,
                bool only_touched, struct question *q)
{
    memset(q, 0, sizeof *q);
    struct registry_change *c = &q->change;
    for (size_t i = 0; i < known; i++) {
        const struct known *k = &w->known[i];
        if (k->state == REGISTRY_LIVE &&
            !(only_touched && !k->untold && is_group(groups, n, k->members)))
            q->before_known[c->before_count++] = i;
    }
    for (size_t g = 0; g < n; g++) {
        if (!(only_touched && was_group(w, known, groups[g].members)))
            q->after_group[c->after_count++] = g;
    }
    shuffle(w, q->before_known, c->before_count);
    shuffle(w, q->after_group, c->after_count);
    for (unsigned r = 0; r < RECORDS; r++) {
        uint32_t before = REGISTRY_NONE, after = REGISTRY_NONE;
        for (uint32_t i = 0; i < c->before_count; i++)
            before = w->known[q->before_known[i]].members >> r & 1 ? i : before;
        for (uint32_t i = 0; i < c->after_count; i++)
            after = groups[q->after_group[i]].members >> r & 1 ? i : after;
        if (before == REGISTRY_NONE && after == REGISTRY_NONE)
            continue;
        q->record[c->records] = r;
        q->before[c->records] = before;
        q->after[c->records++] = after;
    }
    for (size_t i = 0; i < c->before_count; i++) {
        const struct known *k = &w->known[q->before_known[i]];
        q->before_ids[i] = k->id;
        q->born[i] = k->born;
        q->untold[i] = k->untold;
        for (size_t j = 0; j < c->before_count; j++)
            q->founder[i] += w->known[q->before_known[j]].founder < k->founder;
    }
    for (size_t i = 0; i < c->after_count; i++)
        q->after_ids[i] = w->known[groups[q->after_group[i]].id].id;
    c->before = q->before;
    c->after = q->after;
    c->born = q->born;
    c->founder = q->founder;
    c->untold = q->untold;
}

static void check_verdict(const struct world *w, const struct group *groups, const size_t *heirs,
                          const struct question *q, const struct registry_verdict *v)
{
    for (size_t i = 0; i < q->change.after_count; i++) {
        const struct group *g = &groups[q->after_group[i]];
        assert_int_equal(v->keeps[i] == REGISTRY_NONE, g->created);
        if (!g->created)
            assert_int_equal(q->before_known[v->keeps[i]], g->id);
        assert_int_equal(q->record[v->smallest[i]], first_of(g->members));
        assert_int_equal(v->split_from[i] == REGISTRY_NONE, g->split_from == SIZE_MAX);
        if (g->split_from != SIZE_MAX)
            assert_int_equal(q->before_known[v->split_from[i]], g->split_from);
    }
    for (size_t i = 0; i < q->change.before_count; i++) {
        size_t id = q->before_known[i], heir = heirs[id];
        assert_int_equal(v->heir[i] == REGISTRY_NONE, heir == SIZE_MAX);
        if (heir != SIZE_MAX)
            assert_int_equal(q->after_group[v->heir[i]], heir);
        assert_int_equal(v->kept[i], heir != SIZE_MAX && groups[heir].id == id);
        set moved = 0; /* every member that is still there is with the heir or in one of these */
        for (uint32_t k = v->moved.at[i]; k < v->moved.at[i + 1]; k++)
            moved |= groups[q->after_group[v->moved.items[k]]].members;
        set all = 0;
        for (size_t g = 0; g < q->change.after_count; g++)
            all |= groups[q->after_group[g]].members;
        set rest = w->known[id].members & all;
        rest &= heir == SIZE_MAX ? ~(set)0 : ~groups[heir].members;
        assert_int_equal(w->known[id].members & moved, rest);
    }
}

/* ---- consumers of the feed ---- */

static set read_records(const char *list)
{
    set s = 0;
    for (; *list >= '0' && *list <= '9'; list += list[2] == ',' ? 3 : 2)
        s |= (set)1 << ((list[0] - '0') * 10 + (list[1] - '0'));
    return s;
}

/* One line as kit_event makes them. */
static void consume(struct world *w, const char *line)
{
    char kind[16], digits[33], rest[33 * RECORDS + 16];
    assert_int_equal(sscanf(line, "%15s %32s %807[^\n]", kind, digits, rest), 3);
    size_t id = find(w, digits);
    assert_true(id != SIZE_MAX);
    struct known *k = &w->known[id];
    if (strcmp(kind, "created") == 0) {
        assert_false(k->is_told); /* no id twice */
        k->is_told = true;
    }
    /* an id that was given out ahead of its group may be retired before it ever had one */
    assert_true(k->is_told || strcmp(kind, "retired") == 0);
    if (strcmp(kind, "created") == 0 || strcmp(kind, "joined") == 0) {
        set s = read_records(rest);
        assert_int_equal(k->told & s, 0);
        k->told |= s;
        for (unsigned r = 0; r < RECORDS; r++)
            w->told_of[r] = s >> r & 1 ? id : w->told_of[r];
    } else if (strcmp(kind, "left") == 0) {
        set s = read_records(rest);
        assert_int_equal(k->told & s, s);
        k->told &= ~s;
        for (unsigned r = 0; r < RECORDS; r++)
            w->told_of[r] = s >> r & 1 && w->told_of[r] == id ? SIZE_MAX : w->told_of[r];
    } else if (strcmp(kind, "retired") == 0) {
        assert_true(strcmp(rest, "gone") != 0 || !k->told);
        k->told = 0;
    }
}

static void check_consumers(const struct world *w)
{
    size_t group_of[RECORDS];
    for (unsigned r = 0; r < RECORDS; r++)
        group_of[r] = SIZE_MAX;
    for (size_t i = 0; i < w->known_count; i++) {
        const struct known *k = &w->known[i];
        assert_int_equal(k->told, k->state == REGISTRY_LIVE ? k->members : 0);
        for (unsigned r = 0; r < RECORDS && k->state == REGISTRY_LIVE; r++) {
            if (k->members >> r & 1) {
                assert_int_equal(group_of[r], SIZE_MAX); /* one id for each record */
                group_of[r] = i;
            }
        }
    }
    assert_memory_equal(group_of, w->told_of, sizeof group_of);
}

/* ---- steps ---- */

/* The ids after a step; old aliases stay what they are. */
static void settle(struct world *w, const struct group *groups, size_t n, const size_t *heirs,
                   size_t known)
{
    for (size_t i = 0; i < known; i++) {
        struct known *k = &w->known[i];
        if (k->state != REGISTRY_LIVE)
            continue;
        k->members = 0;
        k->untold = false;
        if (heirs[i] == SIZE_MAX) {
            k->state = REGISTRY_GONE;
        } else if (groups[heirs[i]].id != i) {
            k->state = REGISTRY_ALIAS;
            k->survivor = groups[heirs[i]].id;
        }
    }
    for (size_t g = 0; g < n; g++) {
        assert_int_equal(w->known[groups[g].id].state, REGISTRY_LIVE);
        assert_int_equal(w->known[groups[g].id].members, 0); /* nobody else has it */
        w->known[groups[g].id].members = groups[g].members;
    }
}

static void check_aliases(const struct world *w)
{
    for (size_t i = 0; i < w->known_count; i++) {
        size_t at = i, steps = 0;
        for (; w->known[at].state == REGISTRY_ALIAS; at = w->known[at].survivor)
            assert_true(++steps <= w->known_count);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(w->known[i].digits, w->known[k].digits);
    }
}

/* Some of the records that are new are minted. */
static void mint_some(struct world *w, const struct group *groups, size_t n)
{
    set new_ones = 0;
    for (size_t g = 0; g < n; g++)
        new_ones |= groups[g].members;
    for (size_t i = 0; i < w->known_count; i++)
        new_ones &= w->known[i].state == REGISTRY_LIVE ? ~w->known[i].members : ~(set)0;
    for (unsigned r = 0; r < RECORDS; r++) {
        if (new_ones >> r & 1 && below(w, 3) == 0) {
            struct known *k = &w->known[mint(w, r)];
            k->members = (set)1 << r;
            k->untold = true;
        }
    }
}

static void step(struct world *w)
{
    struct group groups[GROUPS_MAX];
    struct question q;
    struct kin_arena arena = {0};
    struct kin_buf expected = {0}, got = {0};
    size_t *heirs = w->heirs;
    size_t n = next_groups(w, groups), count = 0;
    w->batch += below(w, 3) != 0; /* also several changes of one age */
    mint_some(w, groups, n);
    size_t known = w->known_count;
    for (size_t i = 0; i < known; i++)
        heirs[i] = w->known[i].state == REGISTRY_LIVE ? heir_of(&w->known[i], groups, n) : SIZE_MAX;
    name_groups(w, groups, n, heirs, known);
    tell(w, groups, n, heirs, known, &expected);
    kin_buf_putc(&expected, '\0');
    for (unsigned way = 0; way < 3; way++) {
        struct registry_verdict v;
        struct registry_event *events;
        ask(w, groups, n, known, way == 1, &q);
        struct registry_names names = {q.before_ids, q.after_ids, name_record, &q};
        assert_int_equal(registry_assign(&arena, &q.change, &v), KIN_OK);
        check_verdict(w, groups, heirs, &q, &v);
        assert_int_equal(
            registry_events(&arena, &q.change, &v, &names, w->batch, w->seq, &events, &count),
            KIN_OK);
        kin_buf_clear(&got);
        for (size_t i = 0; i < count; i++)
            kit_event(&got, &events[i], w->seq + i, w->batch);
        kin_buf_putc(&got, '\0');
        assert_string_equal((const char *)got.p, (const char *)expected.p);
    }
    w->seq += count;
    for (const char *p = (const char *)got.p; *p; p = strchr(p, '\n') + 1)
        consume(w, p);
    settle(w, groups, n, heirs, known);
    check_consumers(w);
    kin_buf_deinit(&got);
    kin_buf_deinit(&expected);
    kin_arena_deinit(&arena);
}

static void test_random_changes_agree_with_the_model(void **state)
{
    (void)state;
    struct world *w = kin_alloc(sizeof *w);
    assert_non_null(w);
    for (uint64_t seed = 1; seed <= SEQUENCES; seed++) {
        memset(w, 0, sizeof *w);
        w->random = seed;
        w->seq = 1;
        for (unsigned r = 0; r < RECORDS; r++)
            w->told_of[r] = SIZE_MAX;
        for (unsigned i = 0; i < STEPS; i++)
            step(w);
        check_aliases(w);
        assert_true(w->known_count > 50); /* it was not idle */
    }
    kin_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_changes_agree_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
