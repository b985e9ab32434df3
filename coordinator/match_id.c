#include "coordinator/match_id.h"

#include "common/base/hash.h"

#include <string.h>

static size_t put_name(uint8_t *to, struct kin_str name)
{
    size_t n = name.n < 255 ? name.n : 255;
    to[0] = (uint8_t)n;
    if (n)
        memcpy(to + 1, name.p, n);
    return n + 1;
}

/* Four bytes, lowest first, as eight digits, all at once: nibbles to bytes, high one first, and to
 * each byte '0' or 'a' - 10. */
static void put_hex(uint32_t four, char out[8])
{
    uint64_t x = four;
    x = (x | x << 16) & UINT64_C(0x0000ffff0000ffff);
    x = (x | x << 8) & UINT64_C(0x00ff00ff00ff00ff);
    x = (x >> 4 & UINT64_C(0x000f000f000f000f)) | (x & UINT64_C(0x000f000f000f000f)) << 8;
    uint64_t letter = (x + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    kin_put_le64(out, x + UINT64_C(0x3030303030303030) + letter * ('a' - 10 - '0'));
}

void kin_match_id_bytes(const uint8_t key[16], struct kin_str workflow, struct kin_str source,
                        struct kin_str id, uint32_t generation, uint8_t out[KIN_MATCH_ID_BYTES])
{
    uint8_t input[4 + 3 * 256];
    size_t n = 4;
    kin_put_le32(input, generation);
    n += put_name(input + n, workflow);
    n += put_name(input + n, source);
    n += put_name(input + n, id);
    kin_siphash128(key, input, n, out);
}

void kin_match_id_print(const uint8_t id[KIN_MATCH_ID_BYTES], char out[KIN_MATCH_ID_DIGITS])
{
    for (size_t i = 0; i < KIN_MATCH_ID_BYTES; i += 4)
        put_hex(kin_le32(id + i), out + 2 * i);
}

void kin_match_id(const uint8_t key[16], struct kin_str workflow, struct kin_str source,
                  struct kin_str id, uint32_t generation, char out[KIN_MATCH_ID_DIGITS])
{
    uint8_t bytes[KIN_MATCH_ID_BYTES];
    kin_match_id_bytes(key, workflow, source, id, generation, bytes);
    kin_match_id_print(bytes, out);
}
