#include "client/link.h"

#include "common/cli/tool.h"
#include "common/env/live/live.h"
#include "common/env/net/net.h"
#include "proto/jobs.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <unistd.h>

enum {
    SECRET_BYTES_MIN = 16,
    SECRET_BYTES_MAX = 4096,
    THREADS = 2, /* one reads or writes files, the other may list them */
    LOOK_MS = 100,
    LINGER_MS = 500,
    LEAVE_AFTER_S = 2,
    SELF = KIN_CLIENT_FIRST /* in our own world; what the coordinator calls us is its affair */
};

struct kin_link {
    struct kin_link_options o;
    struct kin_live *live;
    struct kin_net *net;
    bool refused;
};

static int fail(int code, const char *text)
{
    fprintf(stderr, "kindred: %s\n", text);
    return code;
}

/* -1: *has tells whether there is one, and key is made of it. */
static int read_secret(const char *path, uint8_t key[KIN_NET_KEY_BYTES], bool *has)
{
    struct kin_buf text = {0};
    struct kin_err err;
    int code = -1;
    *has = path != NULL;
    if (sodium_init() < 0)
        return fail(KIN_EXIT_FAILED, "libsodium cannot be used");
    if (!path)
        return -1;
    if (kin_cli_read_file(path, SECRET_BYTES_MAX, &text, &err) != KIN_OK)
        code = fail(KIN_EXIT_USAGE, err.msg);
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    if (code == -1 && text.n < SECRET_BYTES_MIN) {
        fprintf(stderr, "kindred: %s: a secret has at least %d bytes\n", path, SECRET_BYTES_MIN);
        code = KIN_EXIT_USAGE;
    }
    if (code == -1)
        kin_net_key(text.p, text.n, key);
    if (text.p)
        sodium_memzero(text.p, text.cap);
    kin_buf_deinit(&text);
    return code;
}

int kin_link_check(const struct kin_link_options *o)
{
    uint8_t key[KIN_NET_KEY_BYTES];
    bool loopback, has_secret;
    struct kin_err err;
    if (kin_net_address_check(o->address, &loopback, &err) != KIN_OK)
        return fail(KIN_EXIT_USAGE, err.msg);
    int code = read_secret(o->secret_file, key, &has_secret);
    sodium_memzero(key, sizeof key);
    if (code == -1 && !loopback && !has_secret) {
        fprintf(stderr, "kindred: %s is not this machine: --secret-file is needed\n", o->address);
        code = KIN_EXIT_USAGE;
    }
    return code;
}

/* ---- between the world and the network ---- */

static void send_remote(void *arg, kin_node_id from, kin_node_id to, struct kin_frame *frame)
{
    struct kin_link *link = arg;
    (void)from;
    kin_net_send(link->net, to, frame);
}

static void on_frame(void *arg, kin_node_id from, struct kin_frame *frame)
{
    struct kin_link *link = arg;
    kin_live_deliver(link->live, from, SELF, frame);
}

static void log_core(void *arg, kin_node_id node, char level, const char *event, const char *text)
{
    struct kin_link *link = arg;
    if (link->o.before_log)
        link->o.before_log(link->o.arg);
    kin_cli_log(link->o.json_log, node, level, event, text);
}

/* By any thread. What of it people have to know they are told otherwise. */
static void log_net(void *arg, char level, const char *event, const char *text)
{
    struct kin_link *link = arg;
    if (link->o.json_log)
        kin_cli_log(true, SELF, level, event, text);
}

static void look(void *arg)
{
    struct kin_link *link = arg;
    struct kin_err err = kin_link_trouble(link);
    if (link->refused || err.status == KIN_OK || err.status == KIN_E_IO ||
        err.status == KIN_E_LIMIT)
        return;
    link->refused = true;
    if (link->o.on_refused)
        link->o.on_refused(link->o.arg, err.msg);
}

/* A task under way may take long to end, and nothing is lost by not waiting for it. */
static void leave_at_once(int number)
{
    (void)number;
    _exit(KIN_EXIT_FAILED);
}

static void on_signal(void *arg, int number)
{
    struct kin_link *link = arg;
    signal(SIGALRM, leave_at_once);
    alarm(LEAVE_AFTER_S);
    if (link->o.on_signal)
        link->o.on_signal(link->o.arg, number);
    kin_live_stop(link->live);
}

/* ---- life ---- */

static kin_status open_world(struct kin_link *link, struct kin_err *err)
{
    struct kin_live_options live = {.threads = THREADS, .log_line = log_core, .log_arg = link};
    kin_status status = kin_live_new(&live, &link->live, err);
    if (status == KIN_OK)
        status = kin_live_add(link->live, SELF, NULL, link->o.ops, link->o.args, err);
    if (status == KIN_OK)
        status = kin_live_on_signal(link->live, on_signal, link);
    if (status == KIN_OK)
        status = kin_live_every(link->live, LOOK_MS, look, link);
    if (status == KIN_OK)
        kin_live_set_remote(link->live, send_remote, link);
    return status;
}

static kin_status open_net(struct kin_link *link, const uint8_t *key, struct kin_err *err)
{
    struct kin_net_options net = {.role = KIN_NET_CLIENT,
                                  .address = link->o.address,
                                  .key = key,
                                  .on_frame = on_frame,
                                  .log = log_net,
                                  .arg = link};
    return kin_net_open(&net, &link->net, err);
}

int kin_link_open(const struct kin_link_options *o, struct kin_link **out)
{
    uint8_t key[KIN_NET_KEY_BYTES];
    bool has_secret;
    struct kin_err err = {0};
    int code = read_secret(o->secret_file, key, &has_secret);
    if (code != -1)
        return code;
    struct kin_link *link = kin_calloc(1, sizeof *link);
    if (!link)
        return fail(KIN_EXIT_FAILED, "out of memory");
    link->o = *o;
    kin_status status = open_world(link, &err);
    if (status == KIN_OK)
        status = open_net(link, has_secret ? key : NULL, &err);
    sodium_memzero(key, sizeof key);
    if (status == KIN_OK) {
        *out = link;
        return -1;
    }
    if (link->live)
        kin_live_free(link->live);
    kin_free(link);
    return fail(KIN_EXIT_FAILED, err.msg[0] ? err.msg : kin_status_text(status));
}

void kin_link_run(struct kin_link *link, bool *leave)
{
    kin_live_run(link->live);
    *leave = !kin_net_close(link->net, LINGER_MS);
    if (*leave)
        return;
    kin_live_free(link->live);
    kin_free(link);
}

void kin_link_stop(struct kin_link *link)
{
    kin_live_stop(link->live);
}

struct kin_err kin_link_trouble(struct kin_link *link)
{
    struct kin_err err = {0};
    err.status = kin_net_last_refusal(link->net, &err);
    return err;
}
