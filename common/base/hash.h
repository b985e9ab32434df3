#ifndef KIN_BASE_HASH_H
#define KIN_BASE_HASH_H
/* Hashes. Pure; any thread. Their values are part of the store format and of the results (blocking
 * keys, MatchIds): changing one is a new format version. */
#include "common/base/mem.h"

/* XXH3, 64 bits, seeded. Not secret-safe. p may be NULL where n is 0. */
uint64_t kin_hash64(const void *p, size_t n, uint64_t seed);

/* Mixes two 64-bit values into one (splitmix64 finaliser); order matters. */
uint64_t kin_hash_mix(uint64_t a, uint64_t b);

/* SipHash-2-4 with 128-bit output (libsodium): a keyed hash that gives away neither key nor input.
 */
void kin_siphash128(const uint8_t key[16], const void *p, size_t n, uint8_t out[16]);

#endif
