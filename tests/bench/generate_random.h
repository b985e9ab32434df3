#ifndef KIN_BENCH_GENERATE_RANDOM_H
#define KIN_BENCH_GENERATE_RANDOM_H
/* Random numbers and permutations of the generator: integers only, the same on every machine. */
#include <stdbool.h>
#include <stdint.h>

/* splitmix64, one stream for each thing that is drawn. */
struct rng {
    uint64_t state;
};

static inline uint64_t mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline struct rng rng_of(uint64_t seed, uint64_t stream, uint64_t number)
{
    uint64_t x = seed + 0x9e3779b97f4a7c15u * (stream + 1) + 0xd1342543de82ef95u * (number + 1);
    return (struct rng){mix64(x)};
}

static inline uint64_t rng_next(struct rng *r)
{
    r->state += 0x9e3779b97f4a7c15u;
    return mix64(r->state);
}

static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
    return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}

static inline bool rng_chance(struct rng *r, uint32_t permille)
{
    return rng_below(r, 1000) < permille;
}

/* What a stream of numbers is for. */
enum stream { STREAM_PERSON, STREAM_HOME, STREAM_RECORD, STREAM_REGION, STREAM_KEYS, STREAM_SKEW };

/* A keyed permutation of the numbers of `bits` (even) bits: a balanced Feistel network. */
static inline uint64_t permute(uint64_t x, unsigned bits, uint64_t key)
{
    unsigned half = bits / 2;
    uint64_t mask = ((uint64_t)1 << half) - 1;
    uint64_t left = x >> half, right = x & mask;
    for (unsigned round = 0; round < 4; round++) {
        uint64_t next = left ^ (mix64(right + key + 0x9e3779b97f4a7c15u * round) & mask);
        left = right;
        right = next;
    }
    return left << half | right;
}

static inline uint64_t permute_below(uint64_t x, uint64_t n, uint64_t key)
{
    unsigned bits = 2;
    while (bits < 62 && (uint64_t)1 << bits < n)
        bits += 2;
    do
        x = permute(x, bits, key);
    while (x >= n);
    return x;
}

#endif
