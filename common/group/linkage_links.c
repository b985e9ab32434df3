#include "common/group/linkage_impl.h"

/* Links in canonical order, and the unions they make, strongest first. */

/* ---- canonical order ---- */

/* Where the members of each star begin; no star and no member is out of range. */
static kin_status check_stars(struct kin_linkage_links *l, const struct kin_linkage_component *c)
{
    uint64_t total = 0;
    l->begin = kin_reallocarray(NULL, c->star_count + 1, sizeof *l->begin);
    if (!l->begin)
        return KIN_E_NOMEM;
    for (size_t s = 0; s < c->star_count; s++) {
        const struct kin_linkage_star *star = &c->stars[s];
        l->begin[s] = (uint32_t)total;
        total += star->count;
        if (star->count == 0 || star->rule == KIN_LINKAGE_MODEL)
            return KIN_E_INVAL;
        if (total > INT32_MAX)
            return KIN_E_LIMIT;
        for (uint32_t i = 0; i < star->count; i++) {
            if (star->members[i] >= c->count)
                return KIN_E_INVAL;
        }
    }
    l->begin[c->star_count] = (uint32_t)total;
    return c->star_count <= INT32_MAX ? KIN_OK : KIN_E_LIMIT;
}

/* Members ascending and once in each star; events, one for each, in the order they are due. */
static kin_status sort_stars(struct kin_linkage_links *l, const struct kin_linkage_component *c)
{
    size_t total = l->begin[c->star_count], n = 0;
    l->members = kin_reallocarray(NULL, total, sizeof *l->members);
    l->events = kin_reallocarray(NULL, total, sizeof *l->events);
    struct kin_keyed *tmp = kin_reallocarray(NULL, total, sizeof *tmp);
    if (!l->members || !l->events || !tmp) {
        kin_free(tmp);
        return KIN_E_NOMEM;
    }
    for (size_t s = 0; s < c->star_count; s++) {
        for (uint32_t i = 0; i < c->stars[s].count; i++)
            l->events[n++] = (struct kin_keyed){.key = (uint64_t)s << 32 | c->stars[s].members[i]};
    }
    if (total)
        kin_radix_sort(l->events, tmp, total);
    n = 0;
    size_t star = 0;
    for (size_t i = 0; i < total; i++) {
        uint64_t key = l->events[i].key;
        if (i && key == tmp[0].key) /* a member twice */
            continue;
        tmp[0].key = key;
        for (; star <= key >> 32; star++)
            l->begin[star] = (uint32_t)n;
        l->members[n++] = (uint32_t)key;
    }
    for (; star <= c->star_count; star++)
        l->begin[star] = (uint32_t)n;
    l->event_count = 0;
    for (size_t s = 0; s < c->star_count; s++) {
        for (uint32_t i = l->begin[s]; i < l->begin[s + 1]; i++)
            l->events[l->event_count++] = (struct kin_keyed){
                ((uint64_t)c->stars[s].rule + 1) << 32 | l->members[i], i, (uint32_t)s};
    }
    if (n)
        kin_radix_sort(l->events, tmp, n);
    kin_free(tmp);
    return KIN_OK;
}

static struct kin_linkage_tie tie_of(uint32_t a, uint32_t b, int32_t weight, uint32_t rank)
{
    return (struct kin_linkage_tie){a < b ? a : b, a < b ? b : a, weight, rank};
}

static struct kin_linkage_tie tie_at(const struct kin_linkage_component *c, size_t i)
{
    if (i < c->must_count)
        return tie_of(c->must[i].a, c->must[i].b, KIN_LINKAGE_CERTAIN, KIN_LINKAGE_RANK_MUST);
    const struct kin_linkage_edge *e = &c->edges[i - c->must_count];
    return tie_of(e->a, e->b, e->weight, (uint32_t)e->rule + 1);
}

static uint64_t weakness(const struct kin_linkage_tie *t)
{
    return kin_linkage_weakness(t->rank, t->weight);
}

static kin_status sort_ties(struct kin_linkage_links *l, const struct kin_linkage_component *c)
{
    size_t total = c->must_count + c->edge_count;
    l->ties = kin_reallocarray(NULL, total, sizeof *l->ties);
    l->order = kin_reallocarray(NULL, total, sizeof *l->order);
    struct kin_keyed *tmp = kin_reallocarray(NULL, total, sizeof *tmp);
    if (!l->ties || !l->order || !tmp) {
        kin_free(tmp);
        return KIN_E_NOMEM;
    }
    for (size_t i = 0; i < total; i++) {
        struct kin_linkage_tie t = tie_at(c, i);
        l->order[i] = (struct kin_keyed){.key = (uint64_t)t.a << 32 | t.b, .value = (uint32_t)i};
    }
    if (total)
        kin_radix_sort(l->order, tmp, total);
    size_t n = 0;
    for (size_t i = 0; i < total; i++) {
        struct kin_linkage_tie t = tie_at(c, l->order[i].value);
        struct kin_linkage_tie *last = n ? &l->ties[n - 1] : NULL;
        if (!last || last->a != t.a || last->b != t.b)
            l->ties[n++] = t;
        else if (weakness(&t) < weakness(last))
            *last = t;
    }
    l->tie_count = n;
    for (size_t i = 0; i < n; i++)
        l->order[i] = (struct kin_keyed){.key = weakness(&l->ties[i]), .value = (uint32_t)i};
    if (n)
        kin_radix_sort(l->order, tmp, n);
    kin_free(tmp);
    return KIN_OK;
}

static bool pairs_valid(const struct kin_linkage_pair *list, size_t n, uint32_t count)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].a >= count || list[i].b >= count || list[i].a == list[i].b)
            return false;
    }
    return true;
}

kin_status kin_linkage_links_init(struct kin_linkage_links *l,
                                  const struct kin_linkage_component *c)
{
    *l = (struct kin_linkage_links){0};
    for (size_t i = 0; i < c->edge_count; i++) {
        const struct kin_linkage_edge *e = &c->edges[i];
        if (e->a >= c->count || e->b >= c->count || e->a == e->b)
            return KIN_E_INVAL;
    }
    if (!pairs_valid(c->must, c->must_count, c->count) ||
        !pairs_valid(c->never, c->never_count, c->count) ||
        !pairs_valid(c->veto, c->veto_count, c->count))
        return KIN_E_INVAL;
    if (c->must_count > INT32_MAX || c->edge_count > INT32_MAX - c->must_count)
        return KIN_E_LIMIT;
    kin_status status = check_stars(l, c);
    if (status == KIN_OK)
        status = sort_stars(l, c);
    return status == KIN_OK ? sort_ties(l, c) : status;
}

void kin_linkage_links_deinit(struct kin_linkage_links *l)
{
    kin_free(l->ties);
    kin_free(l->order);
    kin_free(l->members);
    kin_free(l->begin);
    kin_free(l->events);
    *l = (struct kin_linkage_links){0};
}

/* ---- unions ---- */

/* A star is all pairs of its members, row by row: each member with those after it. Once a row is
 * done, every later member is in the group of the row's member or refused by it for good, so the
 * rows of others in that group need not be looked at. (Where only pairs of different sources match,
 * that holds for later members of other sources than the row's, and two rows of different sources
 * cover all.) */
struct row {                       /* under way */
    uint32_t star, place, at, end; /* places in members: of the row's own, the next, the last + 1 */
    bool free;                     /* among the first two of its star: not charged */
    bool done;
};

struct uniting {
    struct kin_linkage_state *s;
    const struct kin_linkage_links *l;
    uint32_t *last_row;   /* [star] the latest row that was done, as its place plus 1; 0: none */
    uint32_t *row_before; /* [place] of a row that was done: the one before it, likewise */
    struct row *open;     /* those of one rule and one member */
    size_t open_count, open_cap;
};

static bool is_covered(struct uniting *u, uint32_t star, uint32_t item)
{
    struct kin_linkage_state *s = u->s;
    const uint16_t *source = s->o->across_sources ? s->c->source : NULL;
    uint32_t root = kin_linkage_root(s, item), other = KIN_LINKAGE_NONE;
    for (uint32_t row = u->last_row[star]; row; row = u->row_before[row - 1]) {
        uint32_t done = u->l->members[row - 1];
        if (kin_linkage_root(s, done) != root)
            continue;
        if (!source || source[done] == source[item] ||
            (other != KIN_LINKAGE_NONE && source[other] != source[done]))
            return true;
        other = done;
    }
    return false;
}

static kin_status try_union(struct uniting *u, uint32_t a, uint32_t b, bool by_person,
                            int32_t weight, bool *joined)
{
    struct kin_linkage_state *s = u->s;
    a = kin_linkage_root(s, a);
    b = kin_linkage_root(s, b);
    *joined = false;
    if (a == b)
        return KIN_OK;
    kin_status status = kin_linkage_allowed(s, a, b, by_person, joined);
    if (*joined)
        kin_linkage_join(s, a, b, weight);
    return status;
}

static kin_status try_tie(struct uniting *u, const struct kin_linkage_tie *t, bool *joined)
{
    return try_union(u, t->a, t->b, t->rank == KIN_LINKAGE_RANK_MUST,
                     t->rank == KIN_LINKAGE_RANK_MODEL ? t->weight : KIN_LINKAGE_CERTAIN, joined);
}

/* Opens the rows that are due at (rank, item), which is the key of event *e. */
static kin_status open_rows(struct uniting *u, size_t *e)
{
    const struct kin_linkage_links *l = u->l;
    uint64_t key = l->events[*e].key;
    u->open_count = 0;
    for (; *e < l->event_count && l->events[*e].key == key; ++*e) {
        uint32_t star = l->events[*e].extra, place = l->events[*e].value;
        uint32_t last = u->last_row[star];
        if (place + 1 == l->begin[star + 1] || is_covered(u, star, (uint32_t)key))
            continue;
        if (u->open_count == u->open_cap) {
            size_t cap = u->open_cap ? 2 * u->open_cap : 4;
            struct row *open = kin_reallocarray(u->open, cap, sizeof *open);
            if (!open)
                return KIN_E_NOMEM;
            u->open = open;
            u->open_cap = cap;
        }
        u->open[u->open_count++] = (struct row){.star = star,
                                                .place = place,
                                                .at = place + 1,
                                                .end = l->begin[star + 1],
                                                .free = !last || !u->row_before[last - 1]};
    }
    return KIN_OK;
}

/* The smallest member that the open rows have left. */
static uint32_t rows_next(const struct uniting *u)
{
    uint32_t next = KIN_LINKAGE_NONE;
    for (size_t i = 0; i < u->open_count; i++) {
        const struct row *r = &u->open[i];
        if (!r->done && r->at < r->end && u->l->members[r->at] < next)
            next = u->l->members[r->at];
    }
    return next;
}

/* Steps past that member; true if a row has it matched with the row's own. Rows that are due
 * together are charged, or found too long, together: no star is the first among them. */
static bool rows_step(struct uniting *u, uint32_t next)
{
    const uint16_t *source = u->s->o->across_sources ? u->s->c->source : NULL;
    bool matched = false, charged = false, spent = u->s->tries_left == 0;
    for (size_t i = 0; i < u->open_count; i++) {
        struct row *r = &u->open[i];
        if (r->done || r->at == r->end || u->l->members[r->at] != next)
            continue;
        if (!r->free && spent) {
            u->s->flags |= KIN_LINKAGE_UNTRIED;
            r->done = true;
            continue;
        }
        charged |= !r->free;
        matched |= !source || source[u->l->members[r->place]] != source[next];
        r->at++;
    }
    u->s->tries_left -= charged;
    return matched;
}

/* The rows of one member, and the ties of the same rank and member from *i, by larger end. */
static kin_status run_rows(struct uniting *u, uint32_t rank, uint32_t item, size_t *i)
{
    const struct kin_linkage_links *l = u->l;
    kin_status status = KIN_OK;
    while (status == KIN_OK) {
        const struct kin_linkage_tie *t = *i < l->tie_count ? &l->ties[l->order[*i].value] : NULL;
        if (t && (t->rank != rank || t->weight != KIN_LINKAGE_CERTAIN || t->a != item))
            t = NULL;
        uint32_t next = rows_next(u);
        bool joined = false;
        if (t && t->b <= next) {
            status = try_tie(u, t, &joined);
            ++*i;
        } else if (next == KIN_LINKAGE_NONE) {
            break;
        } else if (rows_step(u, next)) {
            status = try_union(u, item, next, false, KIN_LINKAGE_CERTAIN, &joined);
        }
        for (size_t r = 0; r < u->open_count && joined; r++)
            u->open[r].done |= is_covered(u, u->open[r].star, item);
    }
    for (size_t r = 0; r < u->open_count && status == KIN_OK; r++) {
        const struct row *row = &u->open[r];
        if (row->done)
            continue;
        u->row_before[row->place] = u->last_row[row->star];
        u->last_row[row->star] = row->place + 1;
    }
    return status;
}

static kin_status run(struct uniting *u, uint32_t last)
{
    const struct kin_linkage_links *l = u->l;
    kin_status status = KIN_OK;
    size_t i = 0, e = 0;
    bool joined;
    while (status == KIN_OK && (i < l->tie_count || e < l->event_count)) {
        const struct kin_linkage_tie *t = i < l->tie_count ? &l->ties[l->order[i].value] : NULL;
        if (e < l->event_count) {
            uint32_t rank = (uint32_t)(l->events[e].key >> 32), item = (uint32_t)l->events[e].key;
            if (!t || rank < t->rank ||
                (rank == t->rank && (t->weight < KIN_LINKAGE_CERTAIN || item <= t->a))) {
                status = open_rows(u, &e);
                if (status == KIN_OK)
                    status = run_rows(u, rank, item, &i);
                continue;
            }
        }
        if (t->rank > last || (t->rank == KIN_LINKAGE_RANK_MODEL && t->weight < u->s->lowest))
            break; /* stars come before all edges of the model */
        status = try_tie(u, t, &joined);
        i++;
    }
    return status;
}

kin_status kin_linkage_unite(struct kin_linkage_state *s, const struct kin_linkage_links *l,
                             uint32_t last)
{
    struct uniting u = {.s = s, .l = l};
    u.last_row = kin_calloc(s->c->star_count, sizeof *u.last_row);
    u.row_before = kin_calloc(l->begin[s->c->star_count], sizeof *u.row_before);
    kin_status status = u.last_row && u.row_before ? run(&u, last) : KIN_E_NOMEM;
    kin_free(u.last_row);
    kin_free(u.row_before);
    kin_free(u.open);
    return status;
}
