#include "common/daemon/identity.h"

#include "common/daemon/durable.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    SEED_BYTES = crypto_sign_SEEDBYTES,
    HEX_CHARS = 2 * SEED_BYTES,
    FILE_BYTES_MAX = 256,
    SEED_AT = 19, /* "kindred-identity-1 " */
    PUBLIC_AT = SEED_AT + HEX_CHARS + 1,
    LINE_BYTES = PUBLIC_AT + HEX_CHARS
};
_Static_assert((int)KIN_NET_PUBLIC_BYTES == (int)SEED_BYTES, "both are written in as many digits");

static const char magic[] = "kindred-identity-1 ";
_Static_assert(sizeof magic - 1 == SEED_AT, "where the digits begin");

static bool from_hex(const char *hex, uint8_t to[SEED_BYTES])
{
    size_t n;
    const char *end;
    return sodium_hex2bin(to, SEED_BYTES, hex, HEX_CHARS, NULL, &n, &end) == 0 && n == SEED_BYTES &&
           end == hex + HEX_CHARS;
}

static bool parse(struct kin_str line, struct kin_net_identity *out)
{
    uint8_t seed[SEED_BYTES], public_key[KIN_NET_PUBLIC_BYTES];
    bool fine = line.n == LINE_BYTES && memcmp(line.p, magic, SEED_AT) == 0 &&
                line.p[PUBLIC_AT - 1] == ' ' && from_hex(line.p + SEED_AT, seed) &&
                from_hex(line.p + PUBLIC_AT, public_key);
    if (fine)
        crypto_sign_seed_keypair(out->public_key, out->private_key, seed);
    sodium_memzero(seed, sizeof seed);
    return fine && memcmp(out->public_key, public_key, sizeof public_key) == 0;
}

static void wipe(struct kin_buf *b)
{
    if (b->p)
        sodium_memzero(b->p, b->cap);
    kin_buf_deinit(b);
}

kin_status kin_identity_load(const char *path, struct kin_net_identity *out, struct kin_err *err)
{
    static const struct kin_durable_rules rules = {.max = FILE_BYTES_MAX, .secret = true};
    struct kin_buf text = {0};
    struct kin_net_identity identity;
    kin_status status = kin_durable_read(path, &rules, &text, err);
    if (status == KIN_E_LIMIT)
        text.n = 0; /* no key is that long */
    while (text.n > 0 && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    if (status == KIN_OK || status == KIN_E_LIMIT) {
        status = parse((struct kin_str){(const char *)text.p, text.n}, &identity)
                     ? KIN_OK
                     : kin_err_set(err, KIN_E_CORRUPT,
                                   "%s: not the key of a worker; without the file a new one is "
                                   "made, of another worker",
                                   path);
    }
    wipe(&text);
    if (status == KIN_OK)
        *out = identity;
    sodium_memzero(&identity, sizeof identity);
    return status;
}

static kin_status make(const char *path, struct kin_net_identity *out, struct kin_err *err)
{
    uint8_t seed[SEED_BYTES];
    char line[LINE_BYTES + 2];
    randombytes_buf(seed, sizeof seed);
    crypto_sign_seed_keypair(out->public_key, out->private_key, seed);
    memcpy(line, magic, SEED_AT);
    sodium_bin2hex(line + SEED_AT, HEX_CHARS + 1, seed, sizeof seed);
    line[PUBLIC_AT - 1] = ' ';
    sodium_bin2hex(line + PUBLIC_AT, HEX_CHARS + 1, out->public_key, sizeof out->public_key);
    line[LINE_BYTES] = '\n';
    kin_status status = kin_durable_write(path, (struct kin_str){line, LINE_BYTES + 1}, err);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(line, sizeof line);
    return status;
}

kin_status kin_identity_open(const char *path, struct kin_net_identity *out, struct kin_err *err)
{
    if (sodium_init() < 0)
        return kin_err_set(err, KIN_E_IO, "libsodium cannot be used");
    kin_status status = kin_identity_load(path, out, err);
    return status == KIN_E_NOTFOUND ? make(path, out, err) : status;
}
