/* Signatures of version 4. The request and the key are those of AWS's published test suite;
 * get-vanilla is its own signature, the others were made by the signer of botocore (SigV4Auth) for
 * the same key, date, region and service. */
#include "coordinator/gateway/sigv4.h"
#include "tests/unit/scratch_dir.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <sodium.h>

enum { NOW = 1440938160 /* 20150830T123600Z */, HEADERS_MAX = 12 };

static const char keys_text[] = "# for tests\n\nAKIDOTHER other-secret\r\n"
                                "AKIDEXAMPLE wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY\n";

struct signed_request {
    const char *name, *method, *path, *query;
    const char *headers[HEADERS_MAX][2]; /* besides Authorization */
    const char *body, *signed_headers, *signature;
};

#define HOST                            \
    {                                   \
        "Host", "example.amazonaws.com" \
    }
#define DATE                             \
    {                                    \
        "X-Amz-Date", "20150830T123600Z" \
    }

static const struct signed_request vectors[] = {
#include "tests/unit/sigv4_vectors.def"
};
enum { VECTORS = sizeof vectors / sizeof *vectors };

struct build {
    struct sigv4_request r;
    struct sigv4_header headers[HEADERS_MAX + 1];
    char authorization[1024];
};

static void build(struct build *b, const struct signed_request *v)
{
    memset(b, 0, sizeof *b);
    b->r = (struct sigv4_request){.method = kin_str_of(v->method),
                                  .path = kin_str_of(v->path),
                                  .query = kin_str_of(v->query),
                                  .headers = b->headers};
    for (size_t i = 0; i < HEADERS_MAX && v->headers[i][0]; i++)
        b->headers[b->r.header_count++] =
            (struct sigv4_header){kin_str_of(v->headers[i][0]), kin_str_of(v->headers[i][1])};
    snprintf(b->authorization, sizeof b->authorization,
             "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
             "SignedHeaders=%s, Signature=%s",
             v->signed_headers, v->signature);
    b->headers[b->r.header_count++] =
        (struct sigv4_header){KIN_STR("Authorization"), kin_str_of(b->authorization)};
    crypto_hash_sha256(b->r.body_hash, (const uint8_t *)v->body, strlen(v->body));
}

static struct sigv4_keys *keys(void)
{
    struct sigv4_keys *k = NULL;
    struct kin_err err;
    if (sigv4_keys_parse(kin_str_of(keys_text), &k, &err) != KIN_OK)
        fail_msg("%s", err.msg);
    return k;
}

static enum sigv4_verdict verdict_at(const struct sigv4_keys *k, const struct build *b,
                                     uint64_t now, const char *service)
{
    struct sigv4_check check;
    assert_int_equal(sigv4_verify(k, service, &b->r, now, &check), KIN_OK);
    if (check.verdict == SIGV4_FINE)
        assert_string_equal(check.key_id, "AKIDEXAMPLE");
    else
        assert_true(*check.why && *sigv4_error_type(check.verdict));
    return check.verdict;
}

static enum sigv4_verdict verdict(const struct sigv4_keys *k, const struct build *b)
{
    return verdict_at(k, b, NOW, "service");
}

static void known_signatures_are_right(void **state)
{
    struct sigv4_keys *k = keys();
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        struct build b;
        build(&b, &vectors[i]);
        if (verdict(k, &b) != SIGV4_FINE)
            fail_msg("%s: %d", vectors[i].name, verdict(k, &b));
    }
    sigv4_keys_free(k);
}

/* Any one byte of what is signed, changed, makes it another request. */
static void nothing_can_be_changed(void **state)
{
    struct sigv4_keys *k = keys();
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        struct signed_request v = vectors[i];
        struct build b;
        v.method = strcmp(v.method, "GET") == 0 ? "POST" : "GET";
        build(&b, &v);
        assert_int_equal(verdict(k, &b), SIGV4_MISMATCH);
        v = vectors[i];
        v.path = "/another";
        build(&b, &v);
        assert_int_equal(verdict(k, &b), SIGV4_MISMATCH);
        v = vectors[i];
        v.query = "another=1";
        build(&b, &v);
        assert_int_equal(verdict(k, &b), SIGV4_MISMATCH);
        v = vectors[i];
        v.body = "another";
        build(&b, &v);
        assert_int_equal(verdict(k, &b), SIGV4_MISMATCH);
        for (size_t h = 0; h < HEADERS_MAX && vectors[i].headers[h][0]; h++) {
            if (strcasecmp(vectors[i].headers[h][0], "X-Amz-Date") == 0)
                continue;
            v = vectors[i];
            v.headers[h][1] = "another";
            build(&b, &v);
            assert_int_equal(verdict(k, &b), SIGV4_MISMATCH);
        }
        v = vectors[i];
        build(&b, &v);
        char *last = strrchr(b.authorization, '=') + 1;
        for (size_t d = 0; d < 64; d++) {
            char was = last[d];
            last[d] = was == '0' ? '1' : '0';
            assert_int_equal(verdict(k, &b), SIGV4_MISMATCH);
            last[d] = was;
        }
        assert_int_equal(verdict_at(k, &b, NOW, "entityresolution"), SIGV4_MISMATCH);
    }
    sigv4_keys_free(k);
}

static void dates_have_a_window(void **state)
{
    struct sigv4_keys *k = keys();
    struct build b;
    (void)state;
    build(&b, &vectors[0]);
    assert_int_equal(verdict_at(k, &b, NOW + 15 * 60, "service"), SIGV4_FINE);
    assert_int_equal(verdict_at(k, &b, NOW - 15 * 60, "service"), SIGV4_FINE);
    assert_int_equal(verdict_at(k, &b, NOW + 15 * 60 + 1, "service"), SIGV4_EXPIRED);
    assert_int_equal(verdict_at(k, &b, NOW - 15 * 60 - 1, "service"), SIGV4_EXPIRED);
    assert_int_equal(verdict_at(k, &b, 0, "service"), SIGV4_EXPIRED);
    static const char *const bad[] = {
        "20150831T123600Z", "20150830T126000Z", "20150830 123600Z", "20150830T123600", "",
        "2015083xT123600Z"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct signed_request v = vectors[0];
        v.headers[1][1] = bad[i];
        build(&b, &v);
        assert_int_equal(verdict(k, &b), SIGV4_INCOMPLETE);
    }
    sigv4_keys_free(k);
}

static void what_is_missing_is_named(void **state)
{
    static const struct {
        const char *authorization;
        enum sigv4_verdict verdict;
    } cases[] = {
        {"", SIGV4_MISSING},
        {"Bearer x", SIGV4_MISSING},
        {"AWS4-HMAC-SHA1 Credential=x", SIGV4_MISSING},
        {"AWS4-HMAC-SHA256", SIGV4_INCOMPLETE},
        {"AWS4-HMAC-SHA256 ", SIGV4_INCOMPLETE},
        {"AWS4-HMAC-SHA256 ,,,,,,", SIGV4_INCOMPLETE},
        {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request",
         SIGV4_INCOMPLETE},
#define CREDENTIAL \
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
#define SIGNATURE ", Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        {CREDENTIAL "SignedHeaders=host;x-amz-date" SIGNATURE, SIGV4_FINE},
        {CREDENTIAL "SignedHeaders=host" SIGNATURE, SIGV4_INCOMPLETE},
        {CREDENTIAL "SignedHeaders=x-amz-date" SIGNATURE, SIGV4_INCOMPLETE},
        {CREDENTIAL "SignedHeaders=x-amz-date;host" SIGNATURE, SIGV4_INCOMPLETE},
        {CREDENTIAL "SignedHeaders=Host;X-Amz-Date" SIGNATURE, SIGV4_INCOMPLETE},
        {CREDENTIAL "SignedHeaders=host;host;x-amz-date" SIGNATURE, SIGV4_INCOMPLETE},
        {CREDENTIAL "SignedHeaders=" SIGNATURE, SIGV4_INCOMPLETE},
        {CREDENTIAL "SignedHeaders=host;x-amz-date;zz" SIGNATURE, SIGV4_MISMATCH},
        {CREDENTIAL "SignedHeaders=host;x-amz-date, Signature=5fa0", SIGV4_INCOMPLETE},
        {CREDENTIAL "SignedHeaders=host;x-amz-date" SIGNATURE ", X=y", SIGV4_INCOMPLETE},
        {CREDENTIAL CREDENTIAL "SignedHeaders=host;x-amz-date", SIGV4_INCOMPLETE},
        {"AWS4-HMAC-SHA256 Credential=AKIDNOBODY/20150830/us-east-1/service/aws4_request, "
         "SignedHeaders=host;x-amz-date" SIGNATURE,
         SIGV4_UNKNOWN},
        {"AWS4-HMAC-SHA256 Credential=AKIDOTHER/20150830/us-east-1/service/aws4_request, "
         "SignedHeaders=host;x-amz-date" SIGNATURE,
         SIGV4_MISMATCH},
        {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-west-1/service/aws4_request, "
         "SignedHeaders=host;x-amz-date" SIGNATURE,
         SIGV4_MISMATCH},
        {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150829/us-east-1/service/aws4_request, "
         "SignedHeaders=host;x-amz-date" SIGNATURE,
         SIGV4_INCOMPLETE},
        {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws5_request, "
         "SignedHeaders=host;x-amz-date" SIGNATURE,
         SIGV4_INCOMPLETE},
    };
    struct sigv4_keys *k = keys();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct build b;
        build(&b, &vectors[0]);
        b.headers[b.r.header_count - 1].value = kin_str_of(cases[i].authorization);
        if (verdict(k, &b) != cases[i].verdict)
            fail_msg("%s: %d", cases[i].authorization, verdict(k, &b));
    }
    struct build b;
    build(&b, &vectors[0]);
    b.r.header_count--;
    assert_int_equal(verdict(k, &b), SIGV4_MISSING);
    /* twice, or with a header that nobody signed but that AWS gives a meaning */
    build(&b, &vectors[0]);
    b.headers[b.r.header_count++] = b.headers[0];
    assert_int_equal(verdict(k, &b), SIGV4_MISMATCH);
    build(&b, &vectors[0]);
    b.headers[b.r.header_count] = b.headers[b.r.header_count - 1];
    b.r.header_count++;
    assert_int_equal(verdict(k, &b), SIGV4_INCOMPLETE);
    build(&b, &vectors[0]);
    b.headers[b.r.header_count++] =
        (struct sigv4_header){KIN_STR("X-AMZ-Target"), KIN_STR("another")};
    assert_int_equal(verdict(k, &b), SIGV4_INCOMPLETE);
    sigv4_keys_free(k);
}

static void canonical_forms(void **state)
{
    static const struct {
        const char *path, *query, *canonical;
    } cases[] = {
        {"/", "", "/\n"},
        {"", "", "/\n"},
        {"/a//b/./c/../d/", "", "/a/b/d/\n"},
        {"/../..", "", "/\n"},
        {"/a%20b/~-_.*", "", "/a%2520b/~-_.%2A\n"},
        {"/", "b=2&a=1&b=1&a", "/\na=&a=1&b=1&b=2"},
        {"/", "a=%7e%2f%zz&&=x", "/\n=x&a=~%2F%25zz"},
        {"/", "a=b=c", "/\na=b%3Dc"},
        {"/", "a-b=1&a=1", "/\na=1&a-b=1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sigv4_request r = {.method = KIN_STR("GET"),
                                  .path = kin_str_of(cases[i].path),
                                  .query = kin_str_of(cases[i].query)};
        struct kin_buf out = {0};
        char wanted[256];
        assert_int_equal(sigv4_canonical(&r, KIN_STR("host"), KIN_STR("hash"), &out), KIN_OK);
        snprintf(wanted, sizeof wanted, "GET\n%s%s\nhost:\n\nhost\nhash", cases[i].canonical, "");
        kin_buf_putc(&out, '\0');
        assert_string_equal((const char *)out.p, wanted);
        kin_buf_deinit(&out);
    }
}

static void key_files(void **state)
{
    static const char *const bad[] = {
        "",        "# nothing\n", "ID\n",         "ID hushhush more\n",
        "I/D s\n", "I,D s\n",     "ID a\nID b\n", "ID \xc3\xa4\n"};
    char dir[SCRATCH_PATH], path[SCRATCH_PATH + 16];
    struct sigv4_keys *k = NULL;
    struct kin_err err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(sigv4_keys_parse(kin_str_of(bad[i]), &k, &err), KIN_E_SYNTAX);
        assert_null(strstr(err.msg, "hushhush"));
    }
    assert_true(scratch_make(dir));
    snprintf(path, sizeof path, "%s/keys", dir);
    assert_int_equal(sigv4_keys_read(path, &k, &err), KIN_E_NOTFOUND);
    FILE *f = fopen(path, "w");
    fputs(keys_text, f);
    fclose(f);
    chmod(path, 0644);
    assert_int_equal(sigv4_keys_read(path, &k, &err), KIN_E_INVAL);
    chmod(path, 0600);
    assert_int_equal(sigv4_keys_read(path, &k, &err), KIN_OK);
    struct build b;
    build(&b, &vectors[0]);
    assert_int_equal(verdict(k, &b), SIGV4_FINE);
    sigv4_keys_free(k);
    scratch_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_signatures_are_right),
        cmocka_unit_test(nothing_can_be_changed),
        cmocka_unit_test(dates_have_a_window),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(canonical_forms),
        cmocka_unit_test(key_files),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
