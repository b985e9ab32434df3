#include "common/daemon/daemon.h"

#include "common/cli/state_dir.h"
#include "common/cli/tool.h"
#include "common/env/net/net.h"
#include "common/store/lmdb_store.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECRET_BYTES_MIN = 16, SECRET_BYTES_MAX = 4096, LINGER_MS = 1000 };

struct kin_daemon {
    struct kin_daemon_options o;
    struct kin_live *live;
    struct kin_net *net;
    int lock;
};

/* ---- checks ---- */

static int fail(const struct kin_daemon_options *o, int code, const char *text)
{
    fprintf(stderr, "%s: %s\n", o->tool, text);
    return code;
}

/* -1: *has tells whether there is one, and key is made of it. */
static int read_secret(const struct kin_daemon_options *o, uint8_t key[KIN_NET_KEY_BYTES],
                       bool *has)
{
    struct kin_buf text = {0};
    struct kin_err err;
    *has = o->secret_file != NULL;
    if (!*has)
        return -1;
    int code = -1;
    if (sodium_init() < 0)
        code = fail(o, KIN_EXIT_FAILED, "libsodium cannot be used");
    else if (kin_cli_read_file(o->secret_file, SECRET_BYTES_MAX, &text, &err) != KIN_OK)
        code = fail(o, KIN_EXIT_USAGE, err.msg);
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r'))
        text.n--;
    if (code == -1 && text.n < SECRET_BYTES_MIN) {
        fprintf(stderr, "%s: %s: a secret has at least %d bytes\n", o->tool, o->secret_file,
                SECRET_BYTES_MIN);
        code = KIN_EXIT_USAGE;
    }
    if (code == -1)
        kin_net_key(text.p, text.n, key);
    if (text.p)
        sodium_memzero(text.p, text.cap);
    kin_buf_deinit(&text);
    return code;
}

static int check_address(const struct kin_daemon_options *o, bool has_secret)
{
    bool loopback, listens = o->self == KIN_COORDINATOR;
    struct kin_err err;
    if (kin_net_address_check(o->address, &loopback, &err) != KIN_OK)
        return fail(o, KIN_EXIT_USAGE, err.msg);
    if (loopback)
        return -1;
    if (!has_secret) {
        fprintf(stderr, "%s: %s is not this machine: --secret-file is needed\n", o->tool,
                o->address);
        return KIN_EXIT_USAGE;
    }
    if (listens && !o->insecure) {
        fprintf(stderr,
                "%s: %s can be reached from other machines, and nothing is encrypted (there is no "
                "TLS yet):\n--insecure says that the network may be trusted with the records\n",
                o->tool, o->address);
        return KIN_EXIT_USAGE;
    }
    return -1;
}

int kin_daemon_check(const struct kin_daemon_options *o)
{
    uint8_t key[KIN_NET_KEY_BYTES];
    bool has_secret;
    struct kin_err err;
    int code = read_secret(o, key, &has_secret);
    sodium_memzero(key, sizeof key);
    if (code == -1)
        code = check_address(o, has_secret);
    if (code == -1 && kin_state_dir_check(o->data_dir, &err) != KIN_OK)
        code = fail(o, KIN_EXIT_USAGE, err.msg);
    return code;
}

/* ---- between the world and the network ---- */

static void send_remote(void *arg, kin_node_id from, kin_node_id to, struct kin_frame *frame)
{
    struct kin_daemon *d = arg;
    (void)from; /* the peer knows who we are since the handshake */
    kin_net_send(d->net, to, frame);
}

static void on_frame(void *arg, kin_node_id from, struct kin_frame *frame)
{
    struct kin_daemon *d = arg;
    kin_live_deliver(d->live, from, d->o.self, frame);
}

static void log_core(void *arg, kin_node_id node, char level, const char *event, const char *text)
{
    (void)arg;
    kin_cli_log(true, node, level, event, text);
}

static void log_net(void *arg, char level, const char *event, const char *text)
{
    struct kin_daemon *d = arg;
    kin_cli_log(true, d->o.self, level, event, text);
}

/* ---- life ---- */

static kin_status open_world(struct kin_daemon *d, struct kin_err *err)
{
    const struct kin_daemon_options *o = &d->o;
    char path[4200];
    struct kin_store *store = NULL;
    struct kin_live_options live = {.threads = o->threads, .log_line = log_core};
    kin_status status = kin_state_dir_lock(o->data_dir, &d->lock, err);
    if (status == KIN_OK)
        status = kin_live_new(&live, &d->live, err);
    if (status != KIN_OK)
        return status;
    snprintf(path, sizeof path, "%s/%s", o->data_dir, o->store_name);
    struct kin_lmdb_options lmdb = {.path = path,
                                    .map_bytes = (uint64_t)1 << 40,
                                    .dbs = o->dbs,
                                    .format = o->format,
                                    .fsync = o->fsync};
    status = kin_lmdb_open(&lmdb, &store, err);
    if (status == KIN_E_CORRUPT || status == KIN_E_VERSION)
        kin_err_wrap(err, status, "the data cannot be used; remove %s to begin anew", path);
    if (status == KIN_OK)
        status = kin_live_add(d->live, o->self, store, o->ops, o->args, err);
    if (status == KIN_OK && kin_live_on_signal(d->live, o->on_signal, o->arg) != KIN_OK)
        status = kin_err_set(err, KIN_E_IO, "signals cannot be caught");
    return status;
}

static kin_status open_net(struct kin_daemon *d, const uint8_t *key, struct kin_err *err)
{
    struct kin_net_options net = {.self = d->o.self,
                                  .address = d->o.address,
                                  .nodes = d->o.nodes,
                                  .key = key,
                                  .on_frame = on_frame,
                                  .log = log_net,
                                  .arg = d};
    kin_live_set_remote(d->live, send_remote, d);
    return kin_net_open(&net, &d->net, err);
}

static void daemon_free(struct kin_daemon *d)
{
    kin_live_free(d->live);
    if (d->lock >= 0)
        close(d->lock);
    kin_free(d);
}

int kin_daemon_open(const struct kin_daemon_options *o, struct kin_daemon **out)
{
    uint8_t key[KIN_NET_KEY_BYTES];
    bool has_secret;
    struct kin_err err = {0};
    int code = read_secret(o, key, &has_secret);
    if (code != -1)
        return code;
    struct kin_daemon *d = kin_calloc(1, sizeof *d);
    if (!d)
        return fail(o, KIN_EXIT_FAILED, "out of memory");
    d->o = *o;
    d->lock = -1;
    kin_status status = open_world(d, &err);
    if (status == KIN_OK)
        status = open_net(d, has_secret ? key : NULL, &err);
    sodium_memzero(key, sizeof key);
    if (status == KIN_OK) {
        *out = d;
        return -1;
    }
    daemon_free(d);
    return fail(o, KIN_EXIT_FAILED, err.msg);
}

struct kin_live *kin_daemon_live(struct kin_daemon *d)
{
    return d->live;
}

void kin_daemon_run(struct kin_daemon *d, bool *leave)
{
    kin_live_run(d->live);
    *leave = !kin_net_close(d->net, LINGER_MS);
    if (!*leave)
        daemon_free(d);
}

void kin_daemon_exit(int status, bool leave)
{
    fflush(stdout);
    fflush(stderr);
    if (leave)
        _exit(status);
    exit(status);
}
