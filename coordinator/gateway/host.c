#include "coordinator/gateway/host.h"

#include "common/cli/tool.h"
#include "coordinator/gateway/gateway.h"

#include <stdio.h>

struct gateway_host {
    struct kin_daemon *daemon;
    struct gateway_direct *direct, *own;
    struct gateway *gateway;
};

static void deliver(struct gateway_host *h, kin_node_id from, struct kin_frame *frame)
{
    if (h->daemon)
        kin_live_deliver(kin_daemon_live(h->daemon), from, KIN_COORDINATOR, frame);
    else
        kin_frame_unref(frame);
}

static void deliver_gateway(void *arg, struct kin_frame *frame)
{
    deliver(arg, GATEWAY_NODE, frame);
}

static void deliver_own(void *arg, struct kin_frame *frame)
{
    deliver(arg, OWN_NODE, frame);
}

kin_status gateway_host_new(struct gateway_host **out)
{
    struct gateway_host *h = kin_calloc(1, sizeof *h);
    kin_status status = h ? gateway_direct_new(deliver_gateway, h, &h->direct) : KIN_E_NOMEM;
    if (status == KIN_OK)
        status = gateway_direct_new(deliver_own, h, &h->own);
    if (status == KIN_OK) {
        *out = h;
        return KIN_OK;
    }
    if (h)
        gateway_direct_free(h->direct);
    kin_free(h);
    return status;
}

const struct gateway_backend *gateway_host_backend(struct gateway_host *h)
{
    return gateway_direct_backend(h->direct);
}

const struct gateway_backend *gateway_host_own(struct gateway_host *h)
{
    return gateway_direct_backend(h->own);
}

void gateway_host_on_frame(struct gateway_host *h, kin_node_id to, struct kin_frame *frame)
{
    gateway_direct_on_frame(to == OWN_NODE ? h->own : h->direct, frame);
}

static void log_line(void *arg, char level, const char *event, const char *text)
{
    struct gateway_host *h = arg;
    kin_daemon_log(h->daemon, level, event, text);
}

int gateway_host_open(struct gateway_host *h, struct kin_daemon *daemon, const char *tool,
                      const char *address, const char *keys_file, bool insecure)
{
    struct kin_err err = {0};
    struct gateway_options options = {.address = address,
                                      .keys_file = keys_file,
                                      .insecure = insecure,
                                      .backend = gateway_direct_backend(h->direct),
                                      .log = log_line,
                                      .log_arg = h};
    h->daemon = daemon; /* nobody asks before this */
    if (!address || gateway_open(&options, &h->gateway, &err) == KIN_OK)
        return -1;
    fprintf(stderr, "%s: --http %s: %s\n", tool, address, err.msg);
    return err.status == KIN_E_INVAL || err.status == KIN_E_NOTFOUND ? KIN_EXIT_USAGE
                                                                     : KIN_EXIT_FAILED;
}

unsigned gateway_host_port(const struct gateway_host *h)
{
    return h->gateway ? gateway_port(h->gateway) : 0;
}

void gateway_host_stop(struct gateway_host *h)
{
    gateway_direct_stop(h->direct);
    gateway_direct_stop(h->own);
}

void gateway_host_free(struct gateway_host *h)
{
    if (!h)
        return;
    gateway_host_stop(h);
    gateway_close(h->gateway);
    gateway_direct_free(h->direct);
    gateway_direct_free(h->own);
    kin_free(h);
}
