#include "common/base/hash.h"

#include <sodium.h>
#include <xxhash.h>

uint64_t kin_hash64(const void *p, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(n ? p : "", n, seed);
}

uint64_t kin_hash_mix(uint64_t a, uint64_t b)
{
    uint64_t x = a * 0x9e3779b97f4a7c15u + b;
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9u;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x;
}

void kin_siphash128(const uint8_t key[16], const void *p, size_t n, uint8_t out[16])
{
    crypto_shorthash_siphashx24(out, n ? p : (const uint8_t *)"", n, key);
}
