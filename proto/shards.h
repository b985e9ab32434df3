#ifndef KIN_PROTO_SHARDS_H
#define KIN_PROTO_SHARDS_H
/* Which shard a key or a record belongs to, and which worker owns a shard: the part of the protocol
 * that coordinator and workers compute alike. Pure; any thread. */
#include "common/base/hash.h"

enum { KIN_SHARDS = 256, KIN_WORKERS_MAX = 64 };

/* A shard is a fixed slice of the 56-bit hash space of blocking keys. */
static inline uint32_t kin_shard_of_key(uint64_t key)
{
    uint64_t top40 = (key & (((uint64_t)1 << 56) - 1)) >> 16;
    return (uint32_t)((top40 * KIN_SHARDS) >> 40);
}

/* The home of a record: a slice of the hash space of (source name, id). */
static inline uint32_t kin_shard_of_identity(uint64_t identity_hash)
{
    return (uint32_t)(((identity_hash >> 16) * KIN_SHARDS) >> 48);
}
static inline uint64_t kin_identity_hash(struct kin_str source, struct kin_str id)
{
    return kin_hash64(id.p, id.n, kin_hash64(source.p, source.n, 0));
}

/* Who owns which shard: fixed for a run of a job. */
struct kin_shard_map {
    uint32_t workers;          /* 1..KIN_WORKERS_MAX */
    uint8_t owner[KIN_SHARDS]; /* index of the worker, below workers */
};

/* Deals the shards out in proportion to the capacities, as evenly over the hash space as they
 * allow; 0 counts as 1. workers: 1..KIN_WORKERS_MAX, or fewer shards than workers would be left
 * without. */
void kin_shard_map_deal(struct kin_shard_map *map, const uint32_t *capacity, uint32_t workers);
/* From bytes that are not trusted; false: they are no such map. */
bool kin_shard_map_read(struct kin_str owners, uint32_t workers, struct kin_shard_map *out);

/* Index of the worker that owns a key's block. */
static inline unsigned kin_key_worker(const struct kin_shard_map *map, uint64_t key)
{
    return map->owner[kin_shard_of_key(key)];
}

/* Index of the worker that is the home of a record. source_seed: the hash of its source's name,
 * seed 0 (see kin_identity_hash), so that a walk over one source's records computes it once. */
static inline unsigned kin_home_worker(const struct kin_shard_map *map, uint64_t source_seed,
                                       struct kin_str id)
{
    return map->owner[kin_shard_of_identity(kin_hash64(id.p, id.n, source_seed))];
}

/* What PULL asks for. */
enum kin_pull {
    KIN_PULL_FOREST = 1, /* offset: entry; payload: entries of KIN_FOREST_BYTES */
    KIN_PULL_EDGES = 2,  /* offset: page; payload: entries of KIN_EDGE_BYTES, by (a, b) ascending */
    KIN_PULL_STARS = 3,  /* offset: byte; payload: u64 key, u32 rule, u32 count, u32
                              member[count] ... */
    KIN_PULL_FEATURES =
        4, /* request payload: u32 record[]; payload: their features, in that order */
    KIN_PULL_PATTERNS = 5, /* offset: entry; payload: entries of KIN_PATTERN_BYTES */
    KIN_PULL_VALUES = 6,   /* offset: byte; payload: for each comparison u64 records with a value,
                              u64 n, then n times u64 hash, u64 records; hashes ascend. Then
                              likewise the tokens of each comparison */
    KIN_PULL_KEYED = 7,    /* the records at home in sampled blocks of keys that no record has yet;
                              request payload: u32 keys, then for each u32 n, u32 terms and the
                              terms: u32 bytes, text, padded to 4; payload: u32 record, u32 bytes,
                              features ..., by record */
    KIN_PULL_GLUE = 8, /* request payload: u32 record[], ascending; payload: see worker/glue.c */
    KIN_PULL_FEATURE_PAGE = 9 /* as FEATURES, but the first so many as make about 1 MiB: `next` */
};
/* Of a key that is tried (KIN_PULL_KEYED) every n-th block. Its rule number is its place in the
 * request. */
static inline bool kin_key_is_sampled(uint64_t key, uint32_t every)
{
    return kin_hash_mix(key, 3) % every == 0;
}
enum {
    KIN_FOREST_BYTES = 16,  /* u32 record, u32 root, u32 best rule, i32 weight of that edge */
    KIN_EDGE_BYTES = 16,    /* u32 a, u32 b, u32 rule | KIN_EDGE_STAR, i32 weight. The rule of an
                               edge that only the model made is the number of rules */
    KIN_PATTERN_BYTES = 24, /* u64 agreement pattern, u64 set of blocking keys that both records
                               share (bit: its number), u64 pairs */
    KIN_KEYED_MAX = 16,     /* keys of one KIN_PULL_KEYED */
    KIN_EDGE_STAR = 1 << 16,
    KIN_COUNT_TOKENS_BIT = 16 /* COUNT, values: the bit of the first comparison's tokens */
};
/* Of a pattern, where COUNT asks for it: a rule matches the pair. Comparisons end below. Without a
 * model it is all there is of a pattern, and pairs that no rule matches are not counted. */
#define KIN_PATTERN_MATCHED ((uint64_t)1 << 63)

/* SETTLED payload: u32 key rules, u32 oversized, u32 large; then for each key rule u64 blocks (of
 * two or more), postings, pairs, largest; then the oversized keys, u64 each; then the large blocks:
 * u64 key, u32 records, u32 bytes of text, text padded to 4. MATCHED payload: u32 key rules, u32
 * splits; then for each key rule u64 compared, skipped, matched; then, with a model, the counts of
 * weights, KIN_WEIGHT_WORDS times u64; then the splits: u64 key, u32 records, u32 refined blocks,
 * u32 windowed blocks, u64 pairs kept, u32 bytes of text, text padded to 4. */
enum { KIN_SETTLED_RULE_WORDS = 4, KIN_MATCHED_RULE_WORDS = 3, KIN_LARGE_BLOCKS_PER_RULE = 5 };

/* How the model weighed pairs, for the report. Bins of half a bit, the first and the last without
 * an end: first those below the floor, of which only one in MATCH's `weigh` is weighed to the end,
 * then all from the floor on; then for each threshold, as the workflow orders them, pairs that pass
 * it. */
enum {
    KIN_WEIGHT_BINS = 256,
    KIN_WEIGHT_BIN_UNITS = 32768, /* of a weight's fixed point */
    KIN_WEIGHT_LEVELS = 16,
    KIN_WEIGHT_WORDS = 2 * KIN_WEIGHT_BINS + KIN_WEIGHT_LEVELS
};
static inline unsigned kin_weight_bin(int32_t weight)
{
    /* division rounds towards zero: made one that rounds down */
    int64_t bin = ((int64_t)weight + ((int64_t)KIN_WEIGHT_BIN_UNITS << 16)) / KIN_WEIGHT_BIN_UNITS -
                  65536 + KIN_WEIGHT_BINS / 2;
    return bin < 0 ? 0 : bin >= KIN_WEIGHT_BINS ? KIN_WEIGHT_BINS - 1 : (unsigned)bin;
}

#endif
