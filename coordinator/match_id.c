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

void kin_match_id(const uint8_t key[16], struct kin_str workflow, struct kin_str source,
                  struct kin_str id, uint32_t generation, char out[KIN_MATCH_ID_DIGITS])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t input[4 + 3 * 256], hash[16];
    size_t n = 4;
    kin_put_le32(input, generation);
    n += put_name(input + n, workflow);
    n += put_name(input + n, source);
    n += put_name(input + n, id);
    kin_siphash128(key, input, n, hash);
    for (size_t i = 0; i < sizeof hash; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
}
