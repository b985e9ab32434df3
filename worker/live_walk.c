#include "worker/live.h"
#include "worker/pair.h"

#include <string.h>

/* One record against the index: its keys that are owned here one after another, and of each the
 * records that have it. A pair is compared under the smallest ordinary key that both share, and
 * nowhere else, so that all workers together look at it once (pair.h). */

struct side {
    const uint8_t *rec, *keys;
    unsigned count; /* of keys */
};

static struct side side_of(const uint8_t *rec)
{
    struct side s = {.rec = rec};
    s.keys = kin_features_keys(rec, &s.count);
    return s;
}

static void put_entry(struct live_walk *w, uint32_t a, uint32_t b, uint32_t rule, int32_t weight,
                      uint64_t key)
{
    uint8_t *p = kin_buf_extend(w->out, KIN_LIVE_EDGE_BYTES);
    if (!p)
        return;
    kin_put_le32(p, a);
    kin_put_le32(p + 4, b);
    kin_put_le32(p + 8, rule);
    kin_put_le32(p + 12, (uint32_t)weight);
    kin_put_le64(p + 16, key);
}

/* Of those that count: it was there as of the batch, and was not removed by then. */
static bool counts(const struct live_walk *w, uint32_t local)
{
    const struct live_record *r = &w->live->index->records[local];
    return local < w->below && r->batch <= w->live->base + w->seq &&
           (!r->removed || r->removed > w->seq);
}

/* Rules first, then the model: as a batch's match does. */
static void decide(struct live_walk *w, const uint8_t *rec, const struct live_record *other,
                   uint32_t a)
{
    const struct worker_job *job = w->live->job;
    int rule = job->decider ? kin_decide(job->decider, w->s->state, rec, other->rec) : -1;
    int32_t weight = 0;
    if (rule < 0) {
        if (!job->model_decider || !kin_model_decider_above(job->model_decider, w->s->scratch, rec,
                                                            other->rec, w->floor, &weight))
            return;
        rule = (int)job->workflow->rule_count;
    }
    put_entry(w, a, other->number, (uint32_t)rule, weight, 0);
}

/* True if the pair is compared under a smaller key than this one. */
static bool elsewhere(struct live_walk *w, const struct side *x, const uint8_t *other, uint64_t key)
{
    const struct worker_job *job = w->live->job;
    struct side y = side_of(other);
    bool refined = key & KIN_KEY_REFINED;
    uint64_t below = refined ? (uint64_t)job->workflow->block_key_count << 56 : key;
    uint32_t n = worker_keys_below(x->keys, x->count, below);
    uint32_t m = n ? worker_keys_below(y.keys, y.count, below) : 0;
    if (m && worker_share_key(job, x->keys, n, y.keys, m))
        return true;
    if (!refined)
        return false;
    struct kin_buf *theirs = &w->s->other;
    kin_buf_clear(theirs);
    worker_refined_keys(job, other, theirs);
    return worker_share_refined(w->s->refined.p, (uint32_t)(w->s->refined.n / 8), theirs->p,
                                (uint32_t)(theirs->n / 8), key);
}

/* False: no more candidates of this record. */
static bool walk_pairs(struct live_walk *w, const struct side *x, uint64_t key, uint32_t a,
                       uint32_t *left)
{
    const struct live_index *index = w->live->index;
    bool across = w->live->job->workflow->across_sources;
    struct live_postings postings = live_index_of(index, key);
    uint32_t local;
    while (live_postings_next(&postings, &local)) {
        if (!counts(w, local))
            continue;
        const struct live_record *other = &index->records[local];
        if ((across && kin_features_source(x->rec) == kin_features_source(other->rec)) ||
            elsewhere(w, x, other->rec, key))
            continue;
        if (*left == 0)
            return false;
        --*left;
        w->pairs++;
        decide(w, x->rec, other, a);
    }
    return true;
}

/* A star holds those with the same values; pairs: across_sources joins them through one of another
 * source, so those are told first, and others only where there are none. As long as all of a star
 * are of one source nothing joins them and nobody knows of it: the first of another source tells
 * all of them. */
static bool walk_star(struct live_walk *w, const struct side *x, uint64_t key, uint32_t a,
                      uint32_t *left)
{
    const struct worker_job *job = w->live->job;
    const struct kin_key_rule *rule = &job->workflow->keys[kin_key_rule_number(key)];
    const struct live_index *index = w->live->index;
    uint32_t others = 0, same = 0, same_numbers[LIVE_STARS_FOUND], local;
    uint16_t mine_source = kin_features_source(x->rec), their_source = mine_source;
    struct live_postings postings = live_index_of(index, key);
    struct kin_buf *mine = &w->s->values, *theirs = &w->s->other_values;
    bool all = true, across = job->workflow->across_sources, known = !across;
    kin_buf_clear(mine);
    if (!kin_blocking_key_values(rule, x->rec, key, mine))
        return true;
    while ((others < w->stars || !known) && live_postings_next(&postings, &local)) {
        if (!counts(w, local))
            continue;
        const struct live_record *other = &index->records[local];
        uint16_t source = kin_features_source(other->rec);
        bool own = across && source == mine_source;
        if (own && same == w->stars)
            continue;
        if (*left == 0) {
            all = false;
            break;
        }
        --*left;
        w->pairs++;
        kin_buf_clear(theirs);
        if (!kin_blocking_key_values(rule, other->rec, key, theirs) || theirs->n != mine->n ||
            (mine->n && memcmp(theirs->p, mine->p, mine->n) != 0))
            continue;
        known = known || (others && source != their_source) || (own ? others : same) != 0;
        if (own) {
            same_numbers[same++] = other->number;
            continue;
        }
        their_source = source;
        put_entry(w, a, other->number, rule->match_rule | KIN_EDGE_STAR, 0, key);
        others++;
    }
    for (uint32_t i = 0; i < same && !others; i++)
        put_entry(w, a, same_numbers[i], rule->match_rule | KIN_EDGE_STAR, 0, key);
    return all;
}

void live_walk_record(struct live_walk *w, const uint8_t *rec, uint32_t a)
{
    const struct worker_job *job = w->live->job;
    struct side x = side_of(rec);
    uint32_t left = w->candidates;
    bool all = true;
    kin_buf_clear(&w->s->refined);
    kin_buf_clear(&w->s->owned);
    w->windowed = worker_refined_keys_owned(job, rec, &w->s->owned);
    worker_refined_keys(job, rec, &w->s->refined);
    for (unsigned k = 0; k < x.count && all; k++) {
        uint64_t key = kin_le64(x.keys + 8 * (size_t)k);
        bool star = kin_key_rule_number(key) >= job->workflow->block_key_count;
        if (!worker_owns_key(job, key) || (!star && worker_key_oversized(job, key)))
            continue;
        all = star ? walk_star(w, &x, key, a, &left) : walk_pairs(w, &x, key, a, &left);
    }
    for (size_t i = 0; i < w->s->owned.n && all; i += 8) {
        uint64_t key = kin_le64(w->s->owned.p + i);
        if (i == 0 || kin_le64(w->s->owned.p + i - 8) != key) /* two values may give one key */
            all = walk_pairs(w, &x, key, a, &left);
    }
    w->truncated = !all;
    if (w->s->refined.failed || w->s->owned.failed || w->s->other.failed || w->s->values.failed ||
        w->s->other_values.failed)
        w->out->failed = true;
}
