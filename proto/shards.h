#ifndef KIN_PROTO_SHARDS_H
#define KIN_PROTO_SHARDS_H
/* Which shard a key or a record belongs to, and which worker owns a shard: the part of the protocol
 * that coordinator and workers compute alike. Pure; any thread. */
#include "common/base/hash.h"

enum { KIN_SHARDS = 256, KIN_WORKERS_MAX = 64 };

/* A shard is a fixed slice of the 56-bit hash space of blocking keys. shards: 1..65,535. */
static inline uint32_t kin_shard_of_key(uint64_t key, uint32_t shards)
{
    uint64_t top40 = (key & (((uint64_t)1 << 56) - 1)) >> 16;
    return (uint32_t)((top40 * shards) >> 40);
}

/* The home of a record: a slice of the hash space of (source name, id). */
static inline uint32_t kin_shard_of_identity(uint64_t identity_hash, uint32_t shards)
{
    return (uint32_t)(((identity_hash >> 16) * shards) >> 48);
}
static inline uint64_t kin_identity_hash(struct kin_str source, struct kin_str id)
{
    return kin_hash64(id.p, id.n, kin_hash64(source.p, source.n, 0));
}

/* Index of the worker that owns a shard, 0..workers-1. */
static inline uint32_t kin_shard_owner(uint32_t shard, uint32_t workers)
{
    return shard % workers;
}

/* Index of the worker that is the home of a record. source_seed: the hash of its source's name,
 * seed 0 (see kin_identity_hash), so that a walk over one source's records computes it once. */
static inline unsigned kin_home_worker(uint64_t source_seed, struct kin_str id, uint32_t workers)
{
    uint64_t identity = kin_hash64(id.p, id.n, source_seed);
    return kin_shard_owner(kin_shard_of_identity(identity, KIN_SHARDS), workers);
}

/* What PULL asks for. */
enum kin_pull {
    KIN_PULL_FOREST = 1, /* offset: entry; payload: entries of KIN_FOREST_BYTES */
    KIN_PULL_EDGES = 2,  /* offset: page; payload: entries of KIN_EDGE_BYTES, by (a, b) ascending */
    KIN_PULL_STARS = 3,  /* offset: byte; payload: u32 rule, u32 count, u32 member[count] ... */
    KIN_PULL_FEATURES =
        4 /* request payload: u32 record[]; payload: their features, in that order */
};
enum {
    KIN_FOREST_BYTES = 12, /* u32 record, u32 root, u32 best rule */
    KIN_EDGE_BYTES = 12,   /* u32 a, u32 b, u32 rule | KIN_EDGE_STAR */
    KIN_EDGE_STAR = 1 << 16
};

/* SETTLED payload: u32 key rules, u32 oversized, u32 large; then for each key rule u64 blocks (of
 * two or more), postings, pairs, largest; then the oversized keys, u64 each; then the large blocks:
 * u64 key, u32 records, u32 bytes of text, text padded to 4. MATCHED payload: u32 key rules, u32
 * splits; then for each key rule u64 compared, skipped, matched; then the splits: u64 key, u32
 * records, u32 refined blocks, u32 windowed blocks, u64 pairs kept, u32 bytes of text, text padded
 * to 4. */
enum { KIN_SETTLED_RULE_WORDS = 4, KIN_MATCHED_RULE_WORDS = 3, KIN_LARGE_BLOCKS_PER_RULE = 5 };

#endif
