/* The routes of /v1: the message that each request becomes, the reply that each answer becomes, and
 * what operators and signatures have to do with it. */
#include "coordinator/gateway/sigv4.h"
#include "coordinator/gateway/v1.h"
#include "tests/unit/gateway_kit.h"
#include "tests/unit/scratch_dir.h"

#include <jansson.h>
#include <sodium.h>

static int open_default(void **state)
{
    struct place *p = kin_calloc(1, sizeof *p);
    place_open(p, (struct gateway_options){0});
    *state = p;
    return 0;
}

static int close_place(void **state)
{
    struct place *p = *state;
    place_close(p);
    kin_free(p);
    return 0;
}

/* ---- requests ---- */

static void every_route_becomes_its_message(void **state)
{
    static const struct {
        const char *method, *target, *body, *message, *payload;
    } cases[] = {
        {"POST", "/v1/people/lookup", "{\"a\":1}", "LOOKUP workflow=\"people\"", "{\"a\":1}\n"},
        {"POST", "/v1/-/lookup?explain=1&limit=3&source=crm", "[{\"a\" : 1},\n{\"b\":[{}]}]",
         "LOOKUP explain=true limit=3 source=\"crm\"", "{\"a\" : 1}\n{\"b\":[{}]}\n"},
        {"POST", "/v1/-/lookup?explain=0&source=a+b%2f", "{\"a\":\n\"}\\\"\"}",
         "LOOKUP source=\"a b/\"", "{\"a\":\"}\\\"\"}\n"},
        {"POST", "/v1/people/records/crm", "{\"id\":\"1\"}",
         "PUT workflow=\"people\" source=\"crm\"", "{\"id\":\"1\"}\n"},
        {"POST", "/v1/-/records/-?wait=1&mint=true", "{}", "PUT wait=true mint=true", "{}\n"},
        {"DELETE", "/v1/-/records/crm/a%2F%22b?wait", NULL, "PUT source=\"crm\" wait=true",
         "{\"$id\":\"a/\\\"b\",\"DELETE\":true}\n"},
        {"GET", "/v1/-/records/crm/c%201?golden=1", NULL,
         "GROUP source=\"crm\" id=\"c 1\" golden=true", ""},
        {"GET", "/v1/p/groups/6f0c", NULL, "GROUP workflow=\"p\" match_id=\"6f0c\"", ""},
        {"GET", "/v1/-/ids/6f0c/history", NULL, "HISTORY match_id=\"6f0c\"", ""},
        {"GET", "/v1/-/changes", NULL, "CHANGES limit=1000", ""},
        {"GET", "/v1/-/changes?after=17&limit=5&wait_ms=9", NULL,
         "CHANGES after=17 limit=5 wait_ms=9", ""},
        {"GET", "/v1/-/explain?a=crm/1&b=web%2F2/3", NULL,
         "EXPLAIN source_a=\"crm\" id_a=\"1\" source_b=\"web\" id_b=\"2/3\"", ""},
        {"GET", "/v1/-/links?after=2&limit=7", NULL, "LINKS after=2 limit=7", ""},
        {"POST", "/v1/-/links",
         "{\"kind\":\"never\",\"a\":{\"source\":\"crm\",\"id\":\"1\"},\"b\":{\"id\":\"2\","
         "\"source\":"
         "\"web\"},\"who\":\"ann\"}",
         "LINK kind=2 source_a=\"crm\" id_a=\"1\" source_b=\"web\" id_b=\"2\" who=\"ann\"", ""},
        {"DELETE", "/v1/-/links?a=crm/1&b=web/2&why=wrong", NULL,
         "LINK kind=3 source_a=\"crm\" id_a=\"1\" source_b=\"web\" id_b=\"2\" why=\"wrong\"", ""},
        {"GET", "/v1/status?jobs=4", NULL, "STATUS jobs_max=4", ""},
    };
    struct place *p = *state;
    p->fake.payload = "{}\n";
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct heard h;
        struct kin_str payload;
        ask(p, cases[i].method, cases[i].target, "", cases[i].body, &h);
        payload = (struct kin_str){(const char *)p->fake.last_payload.p, p->fake.last_payload.n};
        if (h.status != 200 || strcmp(p->fake.last, cases[i].message) != 0 ||
            !kin_str_eq(payload, kin_str_of(cases[i].payload)))
            fail_msg("%s %s: %u %s, %s, %.*s", cases[i].method, cases[i].target, h.status,
                     heard_body(&h), p->fake.last, (int)payload.n, payload.p);
        heard_deinit(&h);
    }
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const struct {
        const char *method, *target, *body;
        unsigned status;
    } cases[] = {
        {"POST", "/v1/-/lookup", "", 400},
        {"POST", "/v1/-/lookup", "[]", 400},
        {"POST", "/v1/-/lookup", "1", 400},
        {"POST", "/v1/-/lookup", "[1]", 400},
        {"POST", "/v1/-/lookup", "{\"a\":1", 400},
        {"POST", "/v1/-/lookup", "{\"a\":1]", 400},
        {"POST", "/v1/-/lookup", "{\"a\":\"x\n\"}", 400},
        {"POST", "/v1/-/lookup", "{\"a\":1}{\"b\":1}", 400},
        {"POST", "/v1/-/lookup", "[{},]", 400},
        {"POST", "/v1/-/lookup", "[{}", 400},
        {"POST", "/v1/-/lookup?limit=x", "{}", 400},
        {"POST", "/v1/-/lookup?limit=-1", "{}", 400},
        {"POST", "/v1/-/lookup?limit=", "{}", 400},
        {"POST", "/v1/-/lookup?limit=1001", "{}", 400},
        {"POST", "/v1/-/lookup?limit=1&limit=1", "{}", 400},
        {"POST", "/v1/-/lookup?explain=yes", "{}", 400},
        {"POST", "/v1/-/lookup?explian=1", "{}", 400},
        {"POST", "/v1/-/lookup?source=%ff", "{}", 400},
        {"GET", "/v1/-/changes?after=99999999999999999999", NULL, 400},
        {"GET", "/v1/-/changes?after=18446744073709551616", NULL, 400},
        {"GET", "/v1/-/changes?limit=0", NULL, 400},
        {"GET", "/v1/-/changes?wait_ms=60001", NULL, 400},
        {"GET", "/v1/-/explain?a=crm/1", NULL, 400},
        {"GET", "/v1/-/explain?a=crm/1&b=/2", NULL, 400},
        {"GET", "/v1/-/explain?a=crm/1&b=web/", NULL, 400},
        {"POST", "/v1/-/links", "{", 400},
        {"POST", "/v1/-/links", "[]", 400},
        {"POST", "/v1/-/links", "{\"kind\":\"must\"}", 400},
        {"POST", "/v1/-/links",
         "{\"kind\":\"revoke\",\"a\":{\"source\":\"s\",\"id\":\"1\"},\"b\":{\"source\":\"s\","
         "\"id\":\"2\"}}",
         400},
        {"POST", "/v1/-/links",
         "{\"kind\":\"must\",\"a\":{\"source\":\"s\",\"id\":\"1\"},\"b\":{\"source\":\"s\",\"id\":"
         "\"2\"},"
         "\"x\":1}",
         400},
        {"POST", "/v1/-/links",
         "{\"kind\":\"must\",\"a\":{\"source\":\"s\",\"id\":1},\"b\":{\"source\":\"s\",\"id\":"
         "\"2\"}}",
         400},
    };
    struct place *p = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct heard h;
        ask(p, cases[i].method, cases[i].target, "", cases[i].body, &h);
        if (h.status != cases[i].status || !strstr(heard_body(&h), "\"message\":\""))
            fail_msg("%s %s: %u %s", cases[i].target, cases[i].body, h.status, heard_body(&h));
        heard_deinit(&h);
    }
    assert_int_equal(p->fake.asked, 0);
}

static void requests_may_have_so_many_records(void **state)
{
    struct place *p = *state;
    struct kin_buf body = {0};
    struct heard h;
    for (unsigned more = 0; more < 2; more++) {
        for (unsigned lines = 0; lines < 2; lines++) {
            kin_buf_clear(&body);
            if (!lines)
                kin_buf_putc(&body, '[');
            for (unsigned i = 0; i < 4096 + more; i++)
                kin_buf_puts(&body, lines ? "{}\n" : i ? ",{}" : "{}");
            kin_buf_puts(&body, lines ? "\n" : "]");
            kin_buf_putc(&body, '\0');
            ask(p, "POST", "/v1/-/lookup", lines ? "Content-Type: application/jsonl\r\n" : "",
                (const char *)body.p, &h);
            assert_int_equal(h.status, more ? 413 : 200);
            heard_deinit(&h);
        }
    }
    kin_buf_clear(&body);
    kin_buf_puts(&body, "{\"a\":\"");
    memset(kin_buf_extend(&body, 8 << 20), 'a', 8 << 20);
    kin_buf_puts(&body, "\"}");
    kin_buf_putc(&body, '\0');
    ask(p, "POST", "/v1/-/lookup", "", (const char *)body.p, &h);
    assert_int_equal(h.status, 413);
    heard_deinit(&h);
    kin_buf_deinit(&body);
}

/* ---- answers ---- */

static void answers_come_in_the_form_of_the_request(void **state)
{
    struct place *p = *state;
    struct heard h;
    ask(p, "POST", "/v1/-/lookup", "Content-Type: application/jsonl; charset=utf-8\r\n",
        "{\"a\":1}\n{\"a\":2}\n", &h);
    assert_string_equal(heard_body(&h), "{\"match_id\":\"m0\"}\n{\"match_id\":\"m1\"}\n");
    assert_true(heard_has(&h, "Content-Type", "application/jsonl"));
    assert_null(heard_header(&h, "Kindred-Partial"));
    assert_null(heard_header(&h, "Kindred-Batch"));
    assert_true(heard_has(&h, "Cache-Control", "no-store"));
    heard_deinit(&h);
    expect(p, "POST", "/v1/-/lookup", "[{\"a\":1},{\"a\":2}]", 200,
           "[{\"match_id\":\"m0\"},{\"match_id\":\"m1\"}]\n");
    expect(p, "POST", "/v1/-/lookup", " [ {} ] ", 200, "[{\"match_id\":\"m0\"}]\n");
    p->fake.says = (struct kin_msg_answer){.batch = 12, .partial = true};
    ask(p, "POST", "/v1/-/lookup", "", "{}", &h);
    assert_string_equal(heard_body(&h), "{\"match_id\":\"m0\"}\n");
    assert_true(heard_has(&h, "Kindred-Partial", "true"));
    assert_true(heard_has(&h, "Kindred-Batch", "12"));
    heard_deinit(&h);
    p->fake.payload = "";
    expect(p, "POST", "/v1/-/lookup", "{}", 500, NULL);
}

static void lists_have_pages(void **state)
{
    struct place *p = *state;
    struct heard h;
    p->fake.payload = "{\"seq\":1}\n{\"seq\":2}\n";
    p->fake.says.next = 2;
    expect(p, "GET", "/v1/-/changes", NULL, 200,
           "{\"events\":[{\"seq\":1},{\"seq\":2}],\"next\":2}\n");
    expect(p, "GET", "/v1/-/links", NULL, 200,
           "{\"links\":[{\"seq\":1},{\"seq\":2}],\"next\":2}\n");
    ask(p, "GET", "/v1/-/changes", "Accept: application/jsonl\r\n", NULL, &h);
    assert_string_equal(heard_body(&h), "{\"seq\":1}\n{\"seq\":2}\n");
    assert_true(heard_has(&h, "Kindred-Next", "2"));
    heard_deinit(&h);
    p->fake.payload = "";
    expect(p, "GET", "/v1/-/changes?after=2", NULL, 200, "{\"events\":[],\"next\":2}\n");
}

static void failures_have_their_status(void **state)
{
    static const struct {
        kin_status status;
        unsigned http;
        const char *code;
    } cases[] = {
        {KIN_E_NOTFOUND, 404, "not_found"},
        {KIN_E_BUSY, 429, "busy"},
        {KIN_E_INVAL, 400, "invalid"},
        {KIN_E_SYNTAX, 400, "syntax"},
        {KIN_E_RANGE, 400, "range"},
        {KIN_E_LIMIT, 400, "limit"},
        {KIN_E_EXISTS, 409, "exists"},
        {KIN_E_CANCELLED, 503, "unavailable"},
        {KIN_E_FULL, 507, "full"},
        {KIN_E_IO, 500, "internal"},
        {(kin_status)12345, 500, "internal"},
    };
    struct place *p = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct heard h;
        char wanted[256];
        p->fake.says = (struct kin_msg_answer){.status = (uint32_t)cases[i].status,
                                               .text = KIN_STR("a \"b\"")};
        ask(p, "GET", "/v1/-/groups/x", "", NULL, &h);
        snprintf(wanted, sizeof wanted,
                 "{\"error\":{\"code\":\"%s\",\"message\":\"a \\\"b\\\"\"}}\n", cases[i].code);
        assert_int_equal(h.status, cases[i].http);
        assert_string_equal(heard_body(&h), wanted);
        assert_int_equal(heard_header(&h, "Retry-After") != NULL,
                         h.status == 429 || h.status == 503);
        heard_deinit(&h);
    }
    p->fake.says = (struct kin_msg_answer){.status = KIN_E_NOTFOUND};
    expect(p, "GET", "/v1/-/groups/x", NULL, 404,
           "{\"error\":{\"code\":\"not_found\",\"message\":\"not found\"}}\n");
    p->fake.mode = FAKE_NOTHING;
    expect(p, "GET", "/v1/-/groups/x", NULL, 504, NULL);
}

/* ---- operators ---- */

static void readiness_is_that_of_the_cluster(void **state)
{
    struct place *p = *state;
    expect(p, "GET", "/readyz", NULL, 200, "{\"ready\":true}\n");
    p->fake.status_json =
        "{\"live\":[{\"workflow\":\"a\",\"partial\":false},{\"workflow\":\"b\",\"partial\":true}]}";
    expect(p, "GET", "/readyz", NULL, 503,
           "{\"ready\":false,\"why\":\"workflow b: a worker is away\"}\n");
    p->fake.status_json = "nonsense";
    expect(p, "GET", "/readyz", NULL, 503, NULL);
    p->fake.mode = FAKE_NOTHING;
    expect(p, "GET", "/readyz", NULL, 503, NULL);
    assert_int_equal(p->fake.last_timeout_ms, 1000);
    expect(p, "GET", "/healthz", NULL, 200, NULL);
}

static void metrics_count_what_happened(void **state)
{
    static const char *const wanted[] = {
        "kindred_http_requests_total{route=\"POST /v1/{workflow}/lookup\",status=\"200\"} 3\n",
        "kindred_http_requests_total{route=\"POST /v1/{workflow}/lookup\",status=\"400\"} 1\n",
        "kindred_http_requests_total{route=\"other\",status=\"404\"} 1\n",
        "kindred_http_requests_total{route=\"aws\",status=\"200\"} 1\n",
        "seconds_bucket{route=\"POST /v1/{workflow}/lookup\",le=\"30.000000\"} 4\n",
        "seconds_count{route=\"POST /v1/{workflow}/lookup\"} 4\n",
        "kindred_http_requests_in_flight 1\n",
        "kindred_workers_joined 2\n",
        "kindred_live_records{workflow=\"a\\\"b\"} 7\n",
        "kindred_live_partial{workflow=\"a\\\"b\"} 1\n",
        "kindred_up 1\n",
    };
    struct place *p = *state;
    struct heard h;
    p->fake.status_json = "{\"workers_joined\":2,\"live\":[{\"workflow\":\"a\\\"b\",\"records\":7,"
                          "\"partial\":true}]}";
    for (unsigned i = 0; i < 3; i++)
        expect(p, "POST", "/v1/-/lookup", "{}", 200, NULL);
    expect(p, "POST", "/v1/-/lookup", "x", 400, NULL);
    expect(p, "GET", "/nothing", NULL, 404, NULL);
    expect(p, "GET", "/matchingworkflows", NULL, 200, NULL);
    /* a request is counted when its answer has left, which its client may know first */
    for (unsigned tries = 0;; tries++) {
        ask(p, "GET", "/metrics", "", NULL, &h);
        assert_int_equal(h.status, 200);
        if (strstr(heard_body(&h), wanted[3]) || tries == 100)
            break;
        heard_deinit(&h);
        usleep(10000);
    }
    assert_true(heard_has(&h, "Content-Type", "text/plain; version=0.0.4; charset=utf-8"));
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        if (!strstr(heard_body(&h), wanted[i]))
            fail_msg("%s is missing in\n%s", wanted[i], heard_body(&h));
    }
    heard_deinit(&h);
    p->fake.mode = FAKE_NOTHING;
    ask(p, "GET", "/metrics", "", NULL, &h);
    assert_non_null(strstr(heard_body(&h), "kindred_up 0\n"));
    heard_deinit(&h);
}

/* ---- the document ---- */

static void check_operation(const json_t *paths, const struct v1_route *route, char *method)
{
    char params[256] = "";
    size_t i;
    const json_t *p, *operation;
    for (char *c = method; *c; c++)
        *c = (char)(*c | 0x20);
    operation = json_object_get(json_object_get(paths, route->pattern), method);
    if (!operation)
        fail_msg("%s %s is not in the document", route->method, route->pattern);
    json_array_foreach(json_object_get(operation, "parameters"), i, p)
    {
        const char *in = json_string_value(json_object_get(p, "in"));
        size_t n = strlen(params);
        if (in && strcmp(in, "query") == 0)
            snprintf(params + n, sizeof params - n, "%s%s", n ? " " : "",
                     json_string_value(json_object_get(p, "name")));
    }
    assert_string_equal(params, route->params);
    assert_int_equal(json_object_get(operation, "requestBody") != NULL, route->body);
    assert_int_equal(json_object_get(operation, "security") != NULL, route->open);
}

static void the_document_has_every_route_and_no_other(void **state)
{
    struct place *p = *state;
    struct heard h;
    unsigned count, documented = 0;
    const struct v1_route *routes = v1_routes(&count);
    ask(p, "GET", "/v1/openapi.json", "", NULL, &h);
    json_t *root = json_loadb(heard_body(&h), h.body.n, JSON_REJECT_DUPLICATES, NULL);
    json_t *file = json_load_file(KIN_SOURCE_DIR "/coordinator/gateway/openapi.json", 0, NULL);
    assert_true(root && json_equal(root, file));
    const json_t *paths = json_object_get(root, "paths");
    for (unsigned i = 0; i < count; i++) {
        char method[16];
        snprintf(method, sizeof method, "%s", routes[i].method);
        check_operation(paths, &routes[i], method);
    }
    for (void *it = json_object_iter(json_object_get(root, "paths")); it;
         it = json_object_iter_next(json_object_get(root, "paths"), it))
        documented += (unsigned)json_object_size(json_object_iter_value(it));
    assert_int_equal(documented, count);
    json_decref(root);
    json_decref(file);
    heard_deinit(&h);
}

/* ---- signatures ---- */

static void hmac(const uint8_t *key, size_t n, const char *text, uint8_t out[32])
{
    crypto_auth_hmacsha256_state s;
    crypto_auth_hmacsha256_init(&s, key, n);
    crypto_auth_hmacsha256_update(&s, (const uint8_t *)text, strlen(text));
    crypto_auth_hmacsha256_final(&s, out);
}

/* Signs as a client does, and gives the headers to send. */
static void sign(const struct place *p, const char *method, const char *path, const char *body,
                 struct kin_buf *headers)
{
    char date[32], host[32], hex[65], scope[64], text[512];
    uint8_t hash[32], key[32];
    struct tm tm;
    struct kin_buf canonical = {0};
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    snprintf(host, sizeof host, "127.0.0.1:%u", p->port);
    struct sigv4_header signable[] = {{KIN_STR("host"), kin_str_of(host)},
                                      {KIN_STR("x-amz-date"), kin_str_of(date)}};
    struct sigv4_request r = {kin_str_of(method), kin_str_of(path), KIN_STR(""), signable, 2, {0}};
    crypto_hash_sha256(hash, (const uint8_t *)body, strlen(body));
    sodium_bin2hex(hex, sizeof hex, hash, 32);
    assert_int_equal(sigv4_canonical(&r, KIN_STR("host;x-amz-date"), kin_str_of(hex), &canonical),
                     KIN_OK);
    crypto_hash_sha256(hash, canonical.p, canonical.n);
    sodium_bin2hex(hex, sizeof hex, hash, 32);
    snprintf(scope, sizeof scope, "%.8s/eu-west-1/entityresolution/aws4_request", date);
    snprintf(text, sizeof text, "AWS4-HMAC-SHA256\n%s\n%s\n%s", date, scope, hex);
    hmac((const uint8_t *)"AWS4hush", 8, (date[8] = '\0', date), key);
    date[8] = 'T';
    hmac(key, 32, "eu-west-1", key);
    hmac(key, 32, "entityresolution", key);
    hmac(key, 32, "aws4_request", key);
    hmac(key, 32, text, hash);
    sodium_bin2hex(hex, sizeof hex, hash, 32);
    kin_buf_printf(headers,
                   "X-Amz-Date: %s\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKID/%s, "
                   "SignedHeaders=host;x-amz-date, Signature=%s\r\n",
                   date, scope, hex);
    kin_buf_putc(headers, '\0');
    kin_buf_deinit(&canonical);
}

static void check_signed(const struct place *p, const char *also, const char *method,
                         const char *path, const char *body, const char *sent, unsigned status,
                         const char *type)
{
    struct kin_buf headers = {0};
    struct heard h;
    kin_buf_puts(&headers, also);
    sign(p, method, path, body, &headers);
    ask(p, method, path, (const char *)headers.p, sent, &h);
    if (h.status != status || (type && !heard_has(&h, "x-amzn-errortype", type)))
        fail_msg("%s: %u %s", path, h.status, heard_body(&h));
    if (status == 200 && *path == '/' && path[1] == 'm')
        assert_non_null(strstr(heard_body(&h), "AKID"));
    heard_deinit(&h);
    kin_buf_deinit(&headers);
}

static void with_keys_requests_have_to_be_signed(void **state)
{
    char dir[SCRATCH_PATH], path[SCRATCH_PATH + 16];
    struct place p;
    struct heard h;
    (void)state;
    assert_true(scratch_make(dir));
    snprintf(path, sizeof path, "%s/keys", dir);
    FILE *f = fopen(path, "w");
    fputs("AKID hush\n", f);
    fclose(f);
    chmod(path, 0600);
    place_open(&p, (struct gateway_options){.keys_file = path});
    p.fake.payload = "{}\n";
    expect(&p, "GET", "/healthz", NULL, 200, NULL);
    expect(&p, "GET", "/readyz", NULL, 200, NULL);
    expect(&p, "GET", "/metrics", NULL, 200, NULL);
    expect(&p, "GET", "/v1/status", NULL, 403, NULL);
    expect(&p, "POST", "/v1/-/lookup", "{}", 403, NULL);
    ask(&p, "GET", "/matchingworkflows", "", NULL, &h);
    assert_int_equal(h.status, 403);
    assert_true(heard_has(&h, "x-amzn-errortype", "MissingAuthenticationTokenException"));
    assert_string_equal(heard_body(&h), "{\"message\":\"Missing Authentication Token\"}");
    heard_deinit(&h);
    check_signed(&p, "", "POST", "/v1/-/lookup", "{\"a\":1}", "{\"a\":1}", 200, NULL);
    check_signed(&p, "", "POST", "/v1/-/lookup", "{\"a\":1}", "{\"a\":2}", 403,
                 "InvalidSignatureException");
    check_signed(&p, "", "GET", "/v1/-/records/crm/a%20b", "", NULL, 200, NULL);
    check_signed(&p, "", "POST", "/matchingworkflows/x", "hello", "hello", 200, NULL);
    check_signed(&p, "uniqueIds: 1\r\n", "DELETE", "/matchingworkflows/x", "", NULL, 403,
                 "IncompleteSignatureException");
    check_signed(&p, "Origin: http://evil.example\r\n", "GET", "/v1/status", "", NULL, 200, NULL);
    place_close(&p);
    scratch_remove(dir);
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, open_default, close_place)
    const struct CMUnitTest tests[] = {
        WITH(every_route_becomes_its_message),
        WITH(what_makes_no_sense_is_refused),
        WITH(requests_may_have_so_many_records),
        WITH(answers_come_in_the_form_of_the_request),
        WITH(lists_have_pages),
        WITH(failures_have_their_status),
        WITH(readiness_is_that_of_the_cluster),
        WITH(metrics_count_what_happened),
        WITH(the_document_has_every_route_and_no_other),
        cmocka_unit_test(with_keys_requests_have_to_be_signed),
    };
#undef WITH
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
