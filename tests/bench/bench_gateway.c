/* A gateway whose backend answers at once, so that what is measured is HTTP alone:
 *   bench_gateway [ADDRESS [THREADS]] &
 *   wrk -t2 -c64 -d10s --latency -s lookup.lua http://127.0.0.1:7480/v1/-/lookup
 * where lookup.lua is: wrk.method = "POST" wrk.body = '{"first_name":"Ann","last_name":"Lee"}'
 * It ends with its standard input. */
#include "coordinator/gateway/aws.h"
#include "coordinator/gateway/gateway.h"

#include <stdio.h>
#include <stdlib.h>

static const char line[] =
    "{\"match_id\":\"6f0c0b7e6a1d4f5e9b8a7c6d5e4f3a2b\",\"rule\":\"same email\",\"confidence\":1,"
    "\"source\":\"crm\",\"id\":\"c17\",\"size\":3}\n";

static void
answer_at_once(void *backend, struct kin_message *m, struct kin_buf *payload, uint32_t timeout_ms,
               void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f),
               void *arg)
{
    struct kin_message a = {.type = KIN_MSG_ANSWER};
    struct kin_frame *f = kin_frame_new(KIN_MSG_ANSWER);
    (void)backend, (void)m, (void)timeout_ms;
    if (payload)
        kin_buf_deinit(payload);
    if (f)
        kin_buf_puts(&f->payload, line);
    a.u.answer.batch = 12;
    answer(arg, f ? &a : NULL, f);
    kin_frame_unref(f);
}

/* none of the AWS operations */
kin_status aws_new(const struct gateway_backend *backend, struct aws **out)
{
    (void)backend;
    *out = NULL;
    return KIN_OK;
}
void aws_free(struct aws *aws)
{
    (void)aws;
}
bool aws_knows(const char *method, const char *path)
{
    (void)method, (void)path;
    return false;
}
void aws_handle(struct aws *aws, const struct gateway_request *request,
                struct gateway_response *response)
{
    (void)aws, (void)request;
    response->status = 404;
}

int main(int argc, char **argv)
{
    const struct gateway_backend backend = {.ask = answer_at_once};
    struct gateway_options o = {.address = argc > 1 ? argv[1] : "127.0.0.1:7480",
                                .backend = &backend,
                                .threads = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0};
    struct gateway *g = NULL;
    struct kin_err err;
    if (gateway_open(&o, &g, &err) != KIN_OK) {
        fprintf(stderr, "bench_gateway: %s\n", err.msg);
        return 1;
    }
    printf("port %u\n", gateway_port(g));
    fflush(stdout);
    while (getchar() != EOF)
        ;
    gateway_close(g);
    return 0;
}
