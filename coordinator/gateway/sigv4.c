#include "coordinator/gateway/sigv4.h"

#include "coordinator/gateway/sigv4_impl.h"

#include <sodium.h>
#include <string.h>

enum {
    DATE_CHARS = 16, /* 20150830T123600Z */
    DAY_CHARS = 8,
    HEX_CHARS = 2 * SIGV4_HASH_BYTES,
    HEADERS_SIGNED_MAX = 64,
};
static const char algorithm[] = "AWS4-HMAC-SHA256";

/* What the Authorization header says; all of it in there. */
struct authorization {
    struct kin_str id, day, region, service, ending; /* the credential */
    struct kin_str scope;                            /* all of those but the id */
    struct kin_str signed_headers, signature;
};

/* ---- parsing ---- */

static struct kin_str trim(struct kin_str s)
{
    while (s.n && (*s.p == ' ' || *s.p == '\t'))
        s = (struct kin_str){s.p + 1, s.n - 1};
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* Takes what stands before the separator off *rest; all of it where there is none. */
static struct kin_str cut(struct kin_str *rest, char separator)
{
    const char *end = rest->n ? memchr(rest->p, separator, rest->n) : NULL;
    struct kin_str head = {rest->p, end ? (size_t)(end - rest->p) : rest->n};
    size_t skip = head.n + (end ? 1 : 0);
    *rest = (struct kin_str){skip ? rest->p + skip : rest->p, rest->n - skip};
    return head;
}

static bool parse_credential(struct kin_str text, struct authorization *a)
{
    a->id = cut(&text, '/');
    a->scope = text;
    a->day = cut(&text, '/');
    a->region = cut(&text, '/');
    a->service = cut(&text, '/');
    a->ending = text;
    return a->id.n && a->day.n == DAY_CHARS && a->region.n &&
           kin_str_eq(a->ending, KIN_STR("aws4_request"));
}

static bool parse_field(struct kin_str field, struct authorization *a)
{
    struct kin_str name = cut(&field, '=');
    if (kin_str_eq(name, KIN_STR("Credential")))
        return !a->id.n && parse_credential(field, a);
    if (kin_str_eq(name, KIN_STR("SignedHeaders")) && !a->signed_headers.n)
        a->signed_headers = field;
    else if (kin_str_eq(name, KIN_STR("Signature")) && !a->signature.n)
        a->signature = field;
    else
        return false;
    return field.n > 0;
}

static enum sigv4_verdict parse(struct kin_str value, struct authorization *a)
{
    struct kin_str rest = trim(value), first = cut(&rest, ' ');
    *a = (struct authorization){0};
    if (!kin_str_eq(first, kin_str_of(algorithm)))
        return SIGV4_MISSING;
    for (unsigned fields = 0; rest.n; fields++) {
        if (fields == 3 || !parse_field(trim(cut(&rest, ',')), a))
            return SIGV4_INCOMPLETE;
    }
    return a->id.n && a->signed_headers.n && a->signature.n == HEX_CHARS ? SIGV4_FINE
                                                                         : SIGV4_INCOMPLETE;
}

bool sigv4_is_signed(struct kin_str signed_headers, struct kin_str name)
{
    while (signed_headers.n) {
        struct kin_str s = cut(&signed_headers, ';');
        bool same = s.n == name.n;
        for (size_t i = 0; i < s.n && same; i++) {
            char c = name.p[i];
            same = s.p[i] == (c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
        }
        if (same)
            return true;
    }
    return false;
}

/* Lower case and ascending, as the canonical form needs them: each once, therefore. */
static bool names_ok(struct kin_str names)
{
    struct kin_str before = {0};
    for (unsigned count = 0; names.n; count++) {
        struct kin_str name = cut(&names, ';');
        if (count == HEADERS_SIGNED_MAX || !name.n || (count && kin_str_cmp(before, name) >= 0))
            return false;
        for (size_t i = 0; i < name.n; i++) {
            if (name.p[i] >= 'A' && name.p[i] <= 'Z')
                return false;
        }
        before = name;
    }
    return true;
}

static bool starts_with_amz(struct kin_str name)
{
    static const char prefix[] = "x-amz-";
    for (size_t i = 0; i < sizeof prefix - 1; i++) {
        if (i == name.n || (name.p[i] | 0x20) != (prefix[i] | 0x20))
            return false;
    }
    return true;
}

/* A header that changes what a request means, and is not signed, could be another's. */
static bool all_signed(const struct sigv4_request *r, struct kin_str names)
{
    for (size_t i = 0; i < r->header_count; i++) {
        if (starts_with_amz(r->headers[i].name) && !sigv4_is_signed(names, r->headers[i].name))
            return false;
    }
    return sigv4_is_signed(names, KIN_STR("host")) && sigv4_is_signed(names, KIN_STR("x-amz-date"));
}

/* ---- dates ---- */

static bool digits(const char *p, unsigned n, unsigned *out)
{
    unsigned v = 0;
    for (unsigned i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return false;
        v = v * 10 + (unsigned)(p[i] - '0');
    }
    *out = v;
    return true;
}

/* Seconds since 1970 of 20150830T123600Z. Days of the civil calendar as in H. Hinnant,
 * "chrono-Compatible Low-Level Date Algorithms". */
static bool parse_date(struct kin_str text, int64_t *out)
{
    unsigned y, m, d, hour, minute, second;
    if (text.n != DATE_CHARS || text.p[8] != 'T' || text.p[15] != 'Z' || !digits(text.p, 4, &y) ||
        !digits(text.p + 4, 2, &m) || !digits(text.p + 6, 2, &d) || !digits(text.p + 9, 2, &hour) ||
        !digits(text.p + 11, 2, &minute) || !digits(text.p + 13, 2, &second))
        return false;
    if (y < 1970 || m < 1 || m > 12 || d < 1 || d > 31 || hour > 23 || minute > 59 || second > 60)
        return false;
    y -= m <= 2;
    unsigned era = y / 400, of_era = y % 400;
    unsigned of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    unsigned day = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    int64_t days = (int64_t)era * 146097 + day - 719468;
    *out = ((days * 24 + hour) * 60 + minute) * 60 + second;
    return true;
}

/* ---- the signature ---- */

static void hmac(const void *key, size_t key_bytes, struct kin_str text,
                 uint8_t out[SIGV4_HASH_BYTES])
{
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, key_bytes);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)text.p, text.n);
    crypto_auth_hmacsha256_final(&state, out);
    sodium_memzero(&state, sizeof state);
}

static void signing_key(const struct sigv4_key *key, const struct authorization *a,
                        uint8_t out[SIGV4_HASH_BYTES])
{
    uint8_t first[4 + SIGV4_SECRET_MAX] = "AWS4";
    memcpy(first + 4, key->secret, key->secret_bytes);
    hmac(first, 4 + key->secret_bytes, a->day, out);
    hmac(out, SIGV4_HASH_BYTES, a->region, out);
    hmac(out, SIGV4_HASH_BYTES, a->service, out);
    hmac(out, SIGV4_HASH_BYTES, a->ending, out);
    sodium_memzero(first, sizeof first);
}

static void put_hash(struct kin_buf *out, const uint8_t hash[SIGV4_HASH_BYTES])
{
    char hex[HEX_CHARS + 1];
    sodium_bin2hex(hex, sizeof hex, hash, SIGV4_HASH_BYTES);
    kin_buf_puts(out, hex);
}

/* Whether the signature is the one that the key makes; false also for a request of too many parts,
 * which no client signs. */
static kin_status compare(const struct sigv4_key *key, const struct authorization *a,
                          const struct sigv4_request *r, struct kin_str date, bool *same)
{
    struct kin_buf text = {0}, canonical = {0};
    uint8_t hash[SIGV4_HASH_BYTES];
    char hex[HEX_CHARS + 1];
    sodium_bin2hex(hex, sizeof hex, r->body_hash, sizeof r->body_hash);
    kin_status status =
        sigv4_canonical(r, a->signed_headers, (struct kin_str){hex, HEX_CHARS}, &canonical);
    *same = false;
    if (status == KIN_OK) {
        crypto_hash_sha256(hash, canonical.p, canonical.n);
        kin_buf_printf(&text, "%s\n%.*s\n%.*s\n", algorithm, (int)date.n, date.p, (int)a->scope.n,
                       a->scope.p);
        put_hash(&text, hash);
        status = text.failed ? KIN_E_NOMEM : KIN_OK;
    }
    if (status == KIN_OK) {
        uint8_t signing[SIGV4_HASH_BYTES];
        signing_key(key, a, signing);
        hmac(signing, sizeof signing, (struct kin_str){(const char *)text.p, text.n}, hash);
        sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
        *same = sodium_memcmp(hex, a->signature.p, HEX_CHARS) == 0;
        sodium_memzero(signing, sizeof signing);
        sodium_memzero(hex, sizeof hex);
    }
    kin_buf_deinit(&text);
    kin_buf_deinit(&canonical);
    return status == KIN_E_LIMIT ? KIN_OK : status;
}

/* ---- the verdict ---- */

/* What the header x-amz-content-sha256, which may be left out, says of the body. */
static bool payload_ok(const struct sigv4_request *r)
{
    char hex[HEX_CHARS + 1];
    unsigned times;
    const struct sigv4_header *h = sigv4_header_find(r, KIN_STR("x-amz-content-sha256"), &times);
    if (!h)
        return true;
    struct kin_str said = trim(h->value);
    sodium_bin2hex(hex, sizeof hex, r->body_hash, sizeof r->body_hash);
    return times == 1 && kin_str_eq(said, (struct kin_str){hex, HEX_CHARS});
}

static kin_status say(struct sigv4_check *out, enum sigv4_verdict verdict, const char *why)
{
    *out = (struct sigv4_check){.verdict = verdict, .why = why};
    return KIN_OK;
}

kin_status sigv4_verify(const struct sigv4_keys *keys, const char *service,
                        const struct sigv4_request *r, uint64_t now_s, struct sigv4_check *out)
{
    struct authorization a;
    unsigned times;
    int64_t at;
    const struct sigv4_header *h = sigv4_header_find(r, KIN_STR("authorization"), &times);
    enum sigv4_verdict verdict = h ? parse(h->value, &a) : SIGV4_MISSING;
    if (verdict == SIGV4_MISSING)
        return say(out, verdict, "The request has no signature of version 4 in its Authorization.");
    if (verdict != SIGV4_FINE || times != 1)
        return say(out, SIGV4_INCOMPLETE, "The Authorization header is malformed or incomplete.");
    if (!names_ok(a.signed_headers) || !all_signed(r, a.signed_headers))
        return say(out, SIGV4_INCOMPLETE,
                   "host, x-amz-date and every other x-amz- header have to be signed, in order.");
    h = sigv4_header_find(r, KIN_STR("x-amz-date"), &times);
    struct kin_str date = h ? trim(h->value) : (struct kin_str){0};
    if (!h || times != 1 || !parse_date(date, &at) || memcmp(date.p, a.day.p, DAY_CHARS) != 0)
        return say(out, SIGV4_INCOMPLETE,
                   "x-amz-date is missing, malformed, or not of the credential's day.");
    const struct sigv4_key *key = sigv4_key_find(keys, a.id);
    if (!key)
        return say(out, SIGV4_UNKNOWN, "The access key id is not known.");
    if (!kin_str_eq(a.service, kin_str_of(service)))
        return say(out, SIGV4_MISMATCH, "The credential is scoped to another service.");
    if (at > (int64_t)now_s + SIGV4_WINDOW_S || at < (int64_t)now_s - SIGV4_WINDOW_S)
        return say(out, SIGV4_EXPIRED,
                   "Signature expired, or not yet valid: x-amz-date is not within 15 minutes of "
                   "the server's time.");
    bool same;
    kin_status status = compare(key, &a, r, date, &same);
    if (status != KIN_OK)
        return status;
    if (!payload_ok(r) || !same)
        return say(
            out, SIGV4_MISMATCH,
            "The request signature we calculated does not match the signature you provided.");
    *out = (struct sigv4_check){
        .verdict = SIGV4_FINE, .why = "", .key_id = key->id, .signed_headers = a.signed_headers};
    return KIN_OK;
}

const char *sigv4_error_type(enum sigv4_verdict verdict)
{
    switch (verdict) {
    case SIGV4_MISSING:
        return "MissingAuthenticationTokenException";
    case SIGV4_INCOMPLETE:
        return "IncompleteSignatureException";
    case SIGV4_UNKNOWN:
        return "UnrecognizedClientException";
    case SIGV4_EXPIRED:
    case SIGV4_MISMATCH:
        return "InvalidSignatureException";
    case SIGV4_FINE:
        break;
    }
    return "";
}
