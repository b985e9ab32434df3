#include "coordinator/gateway/gateway_impl.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

enum { HEADERS_MAX = 128, HOST_MAX = 255 };

static const char service[] = "entityresolution";

/* ---- who may be asking ---- */

/* Whether a Host header names the machine by an address of its own or as localhost. */
static bool is_local_host(const char *host)
{
    char name[HOST_MAX + 1];
    struct in_addr four;
    size_t n = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    if (n > strlen(host) || n > HOST_MAX)
        return false;
    memcpy(name, host, n);
    name[n] = '\0';
    return strcmp(name, "localhost") == 0 || strcmp(name, "[::1]") == 0 ||
           (inet_pton(AF_INET, name, &four) == 1 && ntohl(four.s_addr) >> 24 == 127);
}

/* Any page that a browser on this machine shows can send requests here. Such a request tells the
 * page's origin, or, where the page had its own name resolved to this machine, that name. */
static bool is_from_page(struct exchange *x)
{
    static const char scheme[] = "http://";
    const char *host = http_header(x->request, "Host"), *origin = http_header(x->request, "Origin");
    if (host && http_is_loopback(x->gateway->http) && !is_local_host(host))
        return true;
    return origin && (!host || strncmp(origin, scheme, sizeof scheme - 1) != 0 ||
                      strcmp(origin + sizeof scheme - 1, host) != 0);
}

static void refuse(const struct exchange *x, const char *type, const char *why,
                   struct http_reply *reply)
{
    http_reply_extra(reply, "x-amzn-errortype", "%s", type);
    if (x->v1.route) {
        v1_reply_code(403, "forbidden", kin_str_of(why), reply);
        return;
    }
    reply->status = 403;
    reply->content_type = "application/json";
    kin_buf_printf(&reply->body, "{\"message\":\"%s\"}", why);
}

bool gateway_guard(struct exchange *x, struct http_reply *reply)
{
    if (x->v1.route && x->v1.route->open)
        return true;
    if (!x->gateway->keys && is_from_page(x)) {
        refuse(x, "AccessDeniedException",
               "This request comes from a page of another server. Requests that are not signed "
               "have to "
               "name this machine in their Host, and no other Origin.",
               reply);
        return false;
    }
    if (!x->gateway->keys)
        return true;
    if (!http_header(x->request, "Authorization")) {
        refuse(x, sigv4_error_type(SIGV4_MISSING), "Missing Authentication Token", reply);
        return false;
    }
    crypto_hash_sha256_init(&x->hash);
    x->hashing = true;
    return true;
}

/* ---- signatures ---- */

/* Two parameters of an operation are headers: not signed, they could be anybody's. */
static bool are_signed(const struct http_header *headers, size_t count,
                       struct kin_str signed_headers)
{
    static const char *const names[] = {"inputsource", "uniqueids"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct kin_str name = kin_str_of(names[i]);
        for (size_t h = 0; h < count; h++) {
            if (sigv4_is_signed(name, headers[h].name) && !sigv4_is_signed(signed_headers, name))
                return false;
        }
    }
    return true;
}

bool gateway_check_signature(struct exchange *x, struct http_reply *reply)
{
    struct http_header headers[HEADERS_MAX];
    struct sigv4_header signable[HEADERS_MAX];
    struct sigv4_check check = {.verdict = SIGV4_INCOMPLETE, .why = "There are too many headers."};
    if (!x->hashing)
        return true;
    size_t count = http_headers(x->request, headers, HEADERS_MAX);
    for (size_t i = 0; i < count && i < HEADERS_MAX; i++)
        signable[i] = (struct sigv4_header){headers[i].name, headers[i].value};
    struct sigv4_request r = {.method = kin_str_of(x->request->method),
                              .path = x->request->path,
                              .query = x->request->query,
                              .headers = signable,
                              .header_count = count};
    crypto_hash_sha256_final(&x->hash, r.body_hash);
    if (count <= HEADERS_MAX &&
        sigv4_verify(x->gateway->keys, service, &r, (uint64_t)time(NULL), &check) != KIN_OK) {
        v1_reply_error(KIN_E_NOMEM, KIN_STR(""), reply);
        return false;
    }
    if (check.verdict == SIGV4_FINE && !are_signed(headers, count, check.signed_headers))
        check = (struct sigv4_check){.verdict = SIGV4_INCOMPLETE,
                                     .why = "inputSource and uniqueIds have to be signed."};
    if (check.verdict == SIGV4_FINE) {
        x->aws_request.key_id = check.key_id;
        return true;
    }
    refuse(x, sigv4_error_type(check.verdict), check.why, reply);
    return false;
}
