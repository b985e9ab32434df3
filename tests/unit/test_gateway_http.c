/* The server itself: what HTTP allows, what it does not, and what comes from clients that do not
 * care. Real sockets on loopback. */
#include "tests/unit/gateway_kit.h"

enum { LARGE = 9 << 20 };

static int open_default(void **state)
{
    struct place *p = kin_calloc(1, sizeof *p);
    place_open(p, (struct gateway_options){.request_ms = 20000});
    *state = p;
    return 0;
}

static int open_hasty(void **state)
{
    struct place *p = kin_calloc(1, sizeof *p);
    place_open(p, (struct gateway_options){
                      .request_ms = 400, .idle_ms = 400, .operations = 1, .queue = 1});
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

static void lives(const struct place *p)
{
    expect(p, "GET", "/healthz", NULL, 200, "{\"alive\":true}\n");
    expect(p, "POST", "/v1/-/lookup", "{\"a\":1}", 200, "{\"match_id\":\"m0\"}\n");
}

static void a_connection_serves_many_requests(void **state)
{
    struct place *p = *state;
    struct heard h;
    int fd = dial(p);
    for (unsigned i = 0; i < 50; i++) {
        p->fake.mode = i % 2 ? FAKE_THREADS : FAKE_AT_ONCE;
        put_text(fd, "POST /v1/people/lookup HTTP/1.1\r\nHost: localhost\r\nContent-Length: "
                     "7\r\n\r\n{\"a\":1}");
        hear(fd, false, &h);
        assert_int_equal(h.status, 200);
        assert_string_equal(heard_body(&h), "{\"match_id\":\"m0\"}\n");
        assert_true(heard_has(&h, "Content-Type", "application/json"));
        heard_deinit(&h);
    }
    close(fd);
}

static void head_is_get_without_a_body(void **state)
{
    struct place *p = *state;
    struct heard h;
    int fd = dial(p);
    put_text(fd, "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    hear(fd, true, &h);
    assert_int_equal(h.status, 200);
    assert_true(heard_has(&h, "Content-Length", "15"));
    heard_deinit(&h);
    put_text(fd, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    hear(fd, false, &h); /* no byte of a body was before it */
    assert_int_equal(h.status, 200);
    assert_int_equal(recv(fd, h.head, 1, 0), 0);
    heard_deinit(&h);
    close(fd);
}

static void what_is_not_there_says_so(void **state)
{
    struct place *p = *state;
    struct heard h;
    expect(p, "GET", "/", NULL, 404, NULL);
    expect(p, "GET", "/v1", NULL, 404, NULL);
    expect(p, "GET", "/v1//lookup", NULL, 404, NULL);
    expect(p, "GET", "/healthz/", NULL, 404, NULL);
    expect(p, "GET", "/healthz?x=1", NULL, 400, NULL);
    expect(p, "GET", "/%zz", NULL, 400, NULL);
    expect(p, "GET", "/%00", NULL, 400, NULL);
    expect(p, "GET", "/%ff", NULL, 400, NULL);
    expect(p, "GET", "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", NULL, 400, NULL);
    ask(p, "PATCH", "/v1/-/links", "", NULL, &h);
    assert_int_equal(h.status, 405);
    assert_true(heard_has(&h, "Allow", "GET, HEAD, POST, DELETE"));
    heard_deinit(&h);
    ask(p, "POST", "/v1/-/lookup", "", NULL, &h);
    assert_int_equal(h.status, 411);
    heard_deinit(&h);
    lives(p);
}

static void chunks_are_put_together(void **state)
{
    struct place *p = *state;
    struct heard h;
    int fd = dial(p);
    put_text(fd,
             "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
             "4\r\n{\"a\"\r\n3;x=y\r\n:1}\r\n0\r\nTrailer: x\r\n\r\n");
    hear(fd, false, &h);
    assert_int_equal(h.status, 200);
    assert_memory_equal(p->fake.last_payload.p, "{\"a\":1}\n", 8);
    heard_deinit(&h);
    put_text(fd, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    hear(fd, false, &h);
    assert_int_equal(h.status, 200);
    heard_deinit(&h);
    close(fd);
}

static void bodies_of_unclear_length_are_refused(void **state)
{
    static const struct {
        const char *headers;
        unsigned status;
    } cases[] = {
        {"Content-Length: 7\r\nTransfer-Encoding: chunked\r\n", 400},
        {"Content-Length: 7\r\nContent-Length: 7\r\n", 400},
        {"Content-Length: 7\r\nContent-Length: 8\r\n", 400},
        {"Content-Length: +7\r\n", 400},
        {"Content-Length: -1\r\n", 400},
        {"Content-Length: 7x\r\n", 400},
        {"Content-Length: 0x7\r\n", 400},
        {"Content-Length: 99999999999999999999999\r\n", 413},
        {"Content-Length: 18446744073709551615\r\n", 413},
        {"Content-Length: 99999999\r\n", 413},
        {"Transfer-Encoding: gzip, chunked\r\n", 501},
        {"Transfer-Encoding: identity\r\n", 501},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
    };
    struct place *p = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct heard h;
        char text[512];
        int fd = dial(p);
        snprintf(text, sizeof text, "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                 cases[i].headers);
        put_text(fd, text);
        hear(fd, false, &h);
        if (h.status != cases[i].status)
            fail_msg("%s: %u", cases[i].headers, h.status);
        while (recv(fd, text, sizeof text, 0) > 0) /* the connection ends */
            ;
        heard_deinit(&h);
        close(fd);
    }
    assert_int_equal(p->fake.asked, 0);
    lives(p);
}

static void broken_chunks_end_the_connection(void **state)
{
    static const char *const bodies[] = {
        "zz\r\n", "-1\r\n", "4\r\n{\"a\"xx", "\r\n\r\n", "fffffffffffffffff\r\n", "4 4\r\n"};
    struct place *p = *state;
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct heard h;
        int fd = dial(p);
        put_text(fd, "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n");
        put_text(fd, bodies[i]);
        hear(fd, false, &h);
        assert_true(h.status == 400 || h.status == 413 || h.status == 0);
        heard_deinit(&h);
        close(fd);
    }
    assert_int_equal(p->fake.asked, 0);
    lives(p);
}

static void large_bodies_are_refused_and_may_be_sent_all_the_same(void **state)
{
    struct place *p = *state;
    struct heard h;
    char *large = kin_alloc(LARGE);
    memset(large, ' ', LARGE);
    for (unsigned chunked = 0; chunked < 2; chunked++) {
        char text[256];
        int fd = dial(p);
        snprintf(text, sizeof text,
                 "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\n%s: %s\r\n\r\n%s",
                 chunked ? "Transfer-Encoding" : "Content-Length", chunked ? "chunked" : "9437184",
                 chunked ? "900000\r\n" : "");
        put_text(fd, text);
        assert_true(put_bytes(fd, large, LARGE));
        if (chunked)
            put_text(fd, "\r\n0\r\n\r\n");
        hear(fd, false, &h);
        assert_int_equal(h.status, 413);
        heard_deinit(&h);
        close(fd);
    }
    kin_free(large);
    lives(p);
}

static void bodies_without_end_are_cut_off(void **state)
{
    struct place *p = *state;
    char *large = kin_alloc(1 << 20);
    int fd = dial(p);
    unsigned sent = 0;
    memset(large, ' ', 1 << 20);
    put_text(fd,
             "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
             "ffffffff\r\n");
    while (sent < 100 && put_bytes(fd, large, 1 << 20))
        sent++;
    assert_in_range(sent, 8, 60);
    close(fd);
    kin_free(large);
    lives(p);
}

static void clients_that_expect_to_be_told_are_told(void **state)
{
    struct place *p = *state;
    struct heard h;
    int fd = dial(p);
    put_text(fd, "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n"
                 "Expect: 100-continue\r\n\r\n");
    hear(fd, true, &h);
    assert_int_equal(h.status, 100);
    heard_deinit(&h);
    put_text(fd, "{\"a\":1}");
    hear(fd, false, &h);
    assert_int_equal(h.status, 200);
    heard_deinit(&h);
    close(fd);
    fd = dial(p);
    put_text(fd, "POST /v1/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n"
                 "Expect: 100-continue\r\n\r\n");
    hear(fd, false, &h);
    assert_int_equal(h.status, 404);
    heard_deinit(&h);
    close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct place *p = *state;
    struct heard h;
    struct kin_buf text = {0};
    int fd = dial(p);
    for (unsigned i = 0; i < 20; i++)
        kin_buf_puts(&text, i % 2 ? "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
                                  : "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\n"
                                    "Content-Length: 7\r\n\r\n{\"a\":1}");
    put_bytes(fd, text.p, text.n);
    for (unsigned i = 0; i < 20; i++) {
        hear(fd, false, &h);
        assert_string_equal(heard_body(&h),
                            i % 2 ? "{\"alive\":true}\n" : "{\"match_id\":\"m0\"}\n");
        heard_deinit(&h);
    }
    close(fd);
    kin_buf_deinit(&text);
}

static void heads_are_bounded(void **state)
{
    struct place *p = *state;
    struct kin_buf text = {0};
    struct heard h;
    for (unsigned kind = 0; kind < 3; kind++) {
        int fd = dial(p);
        kin_buf_clear(&text);
        kin_buf_puts(&text, "GET /");
        for (unsigned i = 0; kind == 0 && i < 200000; i++)
            kin_buf_putc(&text, 'a');
        kin_buf_puts(&text, "healthz HTTP/1.1\r\nHost: localhost\r\n");
        for (unsigned i = 0; kind == 1 && i < 20000; i++)
            kin_buf_printf(&text, "X-%u: y\r\n", i);
        kin_buf_puts(&text, "X: ");
        for (unsigned i = 0; kind == 2 && i < 200000; i++)
            kin_buf_putc(&text, 'a');
        kin_buf_puts(&text, "\r\n\r\n");
        (void)put_bytes(fd, text.p, text.n);
        hear(fd, false, &h);
        assert_true(h.status == 0 || h.status == 400 || h.status == 413 || h.status == 414 ||
                    h.status == 431);
        heard_deinit(&h);
        close(fd);
    }
    kin_buf_deinit(&text);
    lives(p);
}

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void garbage_does_no_harm(void **state)
{
    static const char whole[] =
        "POST /v1/-/lookup?limit=3 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
        "Content-Type: application/jsonl\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n"
        "GET /v1/-/changes?wait_ms=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct place *p = *state;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t s = seed;
        char text[sizeof whole];
        memcpy(text, whole, sizeof whole);
        for (uint64_t edits = draw(&s) % 6; edits; edits--)
            text[draw(&s) % (sizeof text - 1)] = (char)draw(&s);
        int fd = dial(p);
        size_t n = seed % 5 ? sizeof whole - 1 : draw(&s) % sizeof whole;
        size_t first = draw(&s) % (n + 1);
        (void)put_bytes(fd, text, first);
        (void)put_bytes(fd, text + first, n - first);
        if (seed % 3 == 0) {
            shutdown(fd, SHUT_WR);
            while (recv(fd, text, sizeof text, 0) > 0)
                ;
        }
        close(fd);
    }
    lives(p);
}

static void slow_clients_are_cut_off(void **state)
{
    static const char *const begins[] = {
        "", "GET /heal", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ",
        "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"};
    struct place *p = *state;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        uint64_t from = kit_now_ms();
        int fd = dial(p);
        struct pollfd poller = {.fd = fd, .events = POLLIN};
        char byte;
        put_text(fd, begins[i]);
        /* a byte now and then is not enough */
        while (poll(&poller, 1, 50) == 0) {
            if (i)
                (void)put_text(fd, "a");
        }
        (void)recv(fd, &byte, 1, 0);
        assert_in_range(kit_now_ms() - from, 300, 20000);
        close(fd);
    }
    /* an answer that is late is not the client's fault */
    struct heard h;
    int fd = dial(p);
    p->fake.mode = FAKE_HOLD;
    put_text(fd,
             "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
    fake_wait_held(&p->fake, 1);
    usleep(1000 * 1000);
    fake_release(&p->fake);
    hear(fd, false, &h);
    assert_int_equal(h.status, 200);
    heard_deinit(&h);
    close(fd);
    p->fake.mode = FAKE_THREADS;
    lives(p);
}

static void clients_may_go_at_any_time(void **state)
{
    static const char text[] =
        "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
    struct place *p = *state;
    for (size_t n = 0; n < sizeof text; n++) {
        int fd = dial(p);
        put_bytes(fd, text, n);
        close(fd);
    }
    lives(p);
    p->fake.mode = FAKE_HOLD;
    for (unsigned i = 0; i < 40; i++) {
        int fd = dial(p);
        put_text(fd, text);
        fake_wait_held(&p->fake, i + 1);
        struct linger reset = {.l_onoff = 1};
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(fd);
    }
    p->fake.mode = FAKE_THREADS;
    fake_release(&p->fake);
    lives(p);
}

static void closing_answers_those_who_wait(void **state)
{
    enum { WAITING = 60 };
    struct place p;
    int fds[WAITING + 2];
    (void)state;
    place_open(&p, (struct gateway_options){.operations = 2, .queue = 10});
    p.fake.mode = FAKE_HOLD;
    for (unsigned i = 0; i < WAITING; i++) {
        fds[i] = dial(&p);
        put_text(fds[i],
                 i % 4 ? "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\n"
                         "Content-Length: 7\r\n\r\n{\"a\":1}"
                       : "GET /v1/-/changes?wait_ms=60000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    fake_wait_held(&p.fake, WAITING);
    for (unsigned i = WAITING; i < WAITING + 2; i++) {
        fds[i] = dial(&p);
        put_text(fds[i], "GET /matchingworkflows/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    fake_wait_held(&p.fake, WAITING + 2);
    uint64_t from = kit_now_ms();
    gateway_close(p.gateway);
    assert_in_range(kit_now_ms() - from, 0, 10000);
    for (unsigned i = 0; i < WAITING + 2; i++) {
        struct heard h;
        hear(fds[i], false, &h);
        assert_int_equal(h.status, i < WAITING ? 503 : 500);
        assert_true(heard_has(&h, "Connection", "close"));
        heard_deinit(&h);
        close(fds[i]);
    }
    fake_stop(&p.fake); /* answers only now: nobody is there any more */
}

static void closing_under_load_ends(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 10; round++) {
        struct place p;
        int fds[8];
        place_open(&p, (struct gateway_options){0});
        p.fake.mode = round % 2 ? FAKE_AT_ONCE : FAKE_THREADS;
        for (unsigned i = 0; i < 8; i++) {
            fds[i] = dial(&p);
            for (unsigned k = 0; k < 20; k++)
                put_text(fds[i], "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\n"
                                 "Content-Length: 7\r\n\r\n{\"a\":1}");
        }
        place_close(&p);
        for (unsigned i = 0; i < 8; i++)
            close(fds[i]);
    }
}

/* While the only server thread is kept busy, as many others have something to say as event loops
 * ask for in a call, some more, and some less: all are served. */
static void many_connections_at_once(void **state)
{
    enum { MANY = 140, FEW = 120 };
    struct place p;
    int fds[MANY];
    struct heard h;
    (void)state;
    place_open(&p, (struct gateway_options){.threads = 1});
    for (unsigned i = 0; i < MANY; i++) {
        fds[i] = dial(&p);
        put_text(fds[i], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        hear(fds[i], false, &h);
        heard_deinit(&h);
    }
    for (unsigned count = FEW; count <= MANY; count++) {
        pthread_mutex_lock(&p.fake.lock);
        put_text(fds[0], "POST /v1/-/lookup HTTP/1.1\r\nHost: localhost\r\n"
                         "Content-Length: 7\r\n\r\n{\"a\":1}");
        usleep(20 * 1000);
        for (unsigned i = 1; i < count; i++)
            put_text(fds[i], "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        pthread_mutex_unlock(&p.fake.lock);
        for (unsigned i = 0; i < count; i++) {
            hear(fds[i], false, &h);
            assert_int_equal(h.status, 200);
            heard_deinit(&h);
        }
    }
    for (unsigned i = 0; i < MANY; i++)
        close(fds[i]);
    place_close(&p);
}

static void operations_that_find_no_thread_are_refused(void **state)
{
    struct place *p = *state;
    struct heard h;
    int fds[2];
    expect(p, "PUT", "/matchingworkflows/a%20b?x=1", "hello", 200,
           "PUT /matchingworkflows/a%20b?x=1 - hello");
    ask(p, "DELETE", "/matchingworkflows/w/uniqueids", "uniqueIds: a,b c\r\ninputSource: s/1\r\n",
        NULL, &h);
    assert_string_equal(heard_body(&h), "DELETE /matchingworkflows/w/uniqueids?inputSource=s%2F1&"
                                        "uniqueIds=a%2Cb%20c - ");
    assert_non_null(heard_header(&h, "x-amzn-RequestId"));
    heard_deinit(&h);
    p->fake.mode = FAKE_HOLD;
    for (unsigned i = 0; i < 2; i++) { /* one runs, one waits */
        fds[i] = dial(p);
        put_text(fds[i], "GET /matchingworkflows/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
        fake_wait_held(&p->fake, 1);
        usleep(100 * 1000);
    }
    ask(p, "GET", "/matchingworkflows/x", "", NULL, &h);
    assert_int_equal(h.status, 429);
    assert_true(heard_has(&h, "x-amzn-errortype", "ThrottlingException"));
    assert_true(heard_has(&h, "Retry-After", "1"));
    heard_deinit(&h);
    expect(p, "GET", "/healthz", NULL, 200, NULL);
    p->fake.mode = FAKE_THREADS;
    fake_release(&p->fake);
    for (unsigned i = 0; i < 2; i++) {
        hear(fds[i], false, &h);
        assert_int_equal(h.status, 200);
        heard_deinit(&h);
        close(fds[i]);
    }
}

static void pages_of_other_servers_are_refused(void **state)
{
    static const struct {
        const char *headers;
        unsigned status;
    } cases[] = {
        {"Host: localhost\r\n", 200},
        {"Host: localhost:80\r\n", 200},
        {"Host: 127.0.0.1:80\r\nOrigin: http://127.0.0.1:80\r\n", 200},
        {"Host: [::1]:80\r\n", 200},
        {"Host: evil.example\r\n", 403},
        {"Host: 127.0.0.1.evil.example\r\n", 403},
        {"Host: localhost\r\nOrigin: http://evil.example\r\n", 403},
        {"Host: localhost\r\nOrigin: null\r\n", 403},
        {"Host: [\r\n", 403},
    };
    struct place *p = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct heard h;
        char text[512];
        int fd = dial(p);
        snprintf(text, sizeof text,
                 "POST /v1/-/lookup HTTP/1.1\r\n%sContent-Length: 7\r\n\r\n{\"a\":1}",
                 cases[i].headers);
        put_text(fd, text);
        hear(fd, false, &h);
        if (h.status != cases[i].status)
            fail_msg("%s: %u", cases[i].headers, h.status);
        heard_deinit(&h);
        close(fd);
    }
}

static void addresses_are_checked(void **state)
{
    static const char *const bad[] = {
        "",          "127.0.0.1",   "127.0.0.1:",     "127.0.0.1:65536",
        "::1:80",    "[::1]",       "[::1:80",        "[]:80",
        "host:80",   "127.0.0.1:x", "127.0.0.1:-1",   "1.2.3.4.5:80",
        "0.0.0.0:0", "[::]:0",      "[127.0.0.1]:80", ":80"};
    struct gateway_backend backend = {.ask = fake_ask};
    struct gateway *g = NULL;
    struct kin_err err;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gateway_options o = {.address = bad[i], .backend = &backend};
        if (gateway_open(&o, &g, &err) != KIN_E_INVAL)
            fail_msg("%s", bad[i]);
        assert_null(g);
    }
    struct place p;
    place_open(&p, (struct gateway_options){.address = "0.0.0.0:0", .insecure = true});
    lives(&p);
    char taken[32];
    snprintf(taken, sizeof taken, "127.0.0.1:%u", p.port);
    struct gateway_options o = {.address = taken, .backend = &backend};
    assert_int_equal(gateway_open(&o, &g, &err), KIN_E_BUSY);
    place_close(&p);
}

int main(void)
{
#define WITH(test, setup) cmocka_unit_test_setup_teardown(test, setup, close_place)
    const struct CMUnitTest tests[] = {
        WITH(a_connection_serves_many_requests, open_default),
        WITH(head_is_get_without_a_body, open_default),
        WITH(what_is_not_there_says_so, open_default),
        WITH(chunks_are_put_together, open_default),
        WITH(bodies_of_unclear_length_are_refused, open_default),
        WITH(broken_chunks_end_the_connection, open_default),
        WITH(large_bodies_are_refused_and_may_be_sent_all_the_same, open_default),
        WITH(bodies_without_end_are_cut_off, open_default),
        WITH(clients_that_expect_to_be_told_are_told, open_default),
        WITH(pipelined_requests_are_answered_in_order, open_default),
        WITH(heads_are_bounded, open_default),
        WITH(garbage_does_no_harm, open_hasty),
        WITH(slow_clients_are_cut_off, open_hasty),
        WITH(clients_may_go_at_any_time, open_default),
        cmocka_unit_test(closing_answers_those_who_wait),
        cmocka_unit_test(closing_under_load_ends),
        cmocka_unit_test(many_connections_at_once),
        WITH(operations_that_find_no_thread_are_refused, open_hasty),
        WITH(pages_of_other_servers_are_refused, open_default),
        cmocka_unit_test(addresses_are_checked),
    };
#undef WITH
    return cmocka_run_group_tests(tests, NULL, NULL);
}
