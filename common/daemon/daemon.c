#include "common/daemon/daemon.h"

#include "common/cli/state_dir.h"
#include "common/cli/tool.h"
#include "common/daemon/identity.h"
#include "common/daemon/members.h"
#include "common/env/net/rep.h"
#include "common/store/lmdb_store.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SECRET_BYTES_MIN = 16,
    SECRET_BYTES_MAX = 4096,
    LINGER_MS = 1000,
    PATH_BYTES = 4200,
    REP_CONTEXTS = 64
};

enum { NEWS_DOWN = 1, NEWS_UP = 2 }; /* of a link: what is to be told on the loop, in this order */

struct kin_daemon {
    struct kin_daemon_options o;
    struct kin_live *live;
    struct kin_net *net;
    struct kin_rep *rep;
    struct kin_members *members;      /* the coordinator's */
    struct kin_net_identity identity; /* a worker's; until it dials */
    int lock;

    pthread_mutex_t news_lock;
    bool news_posted;
    uint8_t news[KIN_NODES_MAX];
};

static void path_in(const struct kin_daemon_options *o, const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", o->data_dir, name);
}

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

static int check_address(const struct kin_daemon_options *o, const char *address, bool has_secret)
{
    bool loopback;
    struct kin_err err;
    if (kin_net_address_check(address, &loopback, &err) != KIN_OK)
        return fail(o, KIN_EXIT_USAGE, err.msg);
    if (loopback)
        return -1;
    if (!has_secret) {
        fprintf(stderr, "%s: %s is not this machine: --secret-file is needed\n", o->tool, address);
        return KIN_EXIT_USAGE;
    }
    if (!o->worker && !o->insecure) {
        fprintf(stderr,
                "%s: %s can be reached from other machines, and nothing is encrypted (there is no "
                "TLS yet):\n--insecure says that the network may be trusted with the records\n",
                o->tool, address);
        return KIN_EXIT_USAGE;
    }
    return -1;
}

static int check_rep(const struct kin_daemon_options *o, bool has_secret)
{
    struct kin_err err;
    if (kin_rep_allowed(kin_rep_version(), o->rep_address, &err) != KIN_OK)
        return fail(o, KIN_EXIT_USAGE, err.msg);
    return check_address(o, o->rep_address, has_secret);
}

static kin_status open_members(const struct kin_daemon_options *o, struct kin_members **out,
                               struct kin_err *err)
{
    char path[PATH_BYTES];
    path_in(o, "members", path);
    return kin_members_open(&(struct kin_members_options){.path = path, .max = o->nodes}, out, err);
}

/* Without making anything. */
static kin_status check_keys(const struct kin_daemon_options *o, struct kin_err *err)
{
    if (!o->worker && !o->nodes)
        return KIN_OK; /* no worker comes over the network */
    char path[PATH_BYTES];
    struct kin_net_identity identity;
    struct kin_members *members = NULL;
    if (!o->worker) {
        kin_status status = open_members(o, &members, err);
        kin_members_close(members);
        return status;
    }
    path_in(o, "identity", path);
    kin_status status = kin_identity_load(path, &identity, err);
    sodium_memzero(&identity, sizeof identity);
    return status == KIN_E_NOTFOUND ? KIN_OK : status;
}

int kin_daemon_check(const struct kin_daemon_options *o)
{
    uint8_t key[KIN_NET_KEY_BYTES];
    bool has_secret;
    struct kin_err err;
    if (strlen(o->data_dir) > PATH_BYTES / 2)
        return fail(o, KIN_EXIT_USAGE, "the path of the data is too long");
    int code = read_secret(o, key, &has_secret);
    sodium_memzero(key, sizeof key);
    if (code == -1)
        code = check_address(o, o->address, has_secret);
    if (code == -1 && o->rep_address)
        code = check_rep(o, has_secret);
    if (code == -1 &&
        (kin_state_dir_check(o->data_dir, &err) != KIN_OK || check_keys(o, &err) != KIN_OK))
        code = fail(o, KIN_EXIT_USAGE, err.msg);
    return code;
}

/* ---- between the world and the network ---- */

static void send_remote(void *arg, kin_node_id from, kin_node_id to, struct kin_frame *frame)
{
    struct kin_daemon *d = arg;
    (void)from; /* the peer knows who we are since the handshake */
    if (d->o.on_local && to >= d->o.local)
        d->o.on_local(d->o.arg, to, frame);
    else if (d->rep && to >= d->o.rep_first && to - d->o.rep_first < REP_CONTEXTS)
        kin_rep_send(d->rep, to, frame);
    else
        kin_net_send(d->net, to, frame);
}

static kin_node_id self_of(const struct kin_daemon *d)
{
    return d->o.worker ? KIN_DAEMON_WORKER : KIN_COORDINATOR;
}

static void on_frame(void *arg, kin_node_id from, struct kin_frame *frame)
{
    struct kin_daemon *d = arg;
    kin_live_deliver(d->live, from, self_of(d), frame);
}

void kin_daemon_log(const struct kin_daemon *d, char level, const char *event, const char *text)
{
    if (d->o.worker)
        kin_cli_log_as(d->o.name, level, event, text);
    else
        kin_cli_log(true, KIN_COORDINATOR, level, event, text);
}

static void log_core(void *arg, kin_node_id node, char level, const char *event, const char *text)
{
    (void)node; /* there is but one */
    kin_daemon_log(arg, level, event, text);
}

static void log_net(void *arg, char level, const char *event, const char *text)
{
    kin_daemon_log(arg, level, event, text);
}

static kin_node_id admit(void *arg, const uint8_t key[KIN_NET_PUBLIC_BYTES])
{
    struct kin_daemon *d = arg;
    struct kin_err err = {0};
    bool fresh;
    char hex[2 * KIN_NET_PUBLIC_BYTES + 1], text[sizeof hex + sizeof err.msg + 32];
    kin_node_id node = kin_members_admit(d->members, key, &fresh, &err);
    if (node && !fresh)
        return node;
    sodium_bin2hex(hex, sizeof hex, key, KIN_NET_PUBLIC_BYTES);
    if (node)
        snprintf(text, sizeof text, "node=%u key=%s", node, hex);
    else
        snprintf(text, sizeof text, "key=%s reason=\"%s\"", hex, err.msg);
    kin_daemon_log(d, node ? 'I' : 'W', node ? "member_new" : "member_refused", text);
    return node;
}

static void tell_links(void *arg) /* on the loop */
{
    struct kin_daemon *d = arg;
    uint8_t news[KIN_NODES_MAX];
    pthread_mutex_lock(&d->news_lock);
    memcpy(news, d->news, sizeof news);
    memset(d->news, 0, sizeof d->news);
    d->news_posted = false;
    pthread_mutex_unlock(&d->news_lock);
    for (kin_node_id node = 0; node < KIN_NODES_MAX; node++) {
        if (news[node] & NEWS_DOWN)
            d->o.on_link(d->o.arg, node, false);
        if (news[node] & NEWS_UP)
            d->o.on_link(d->o.arg, node, true);
    }
}

static void on_link(void *arg, kin_node_id node, bool up)
{
    struct kin_daemon *d = arg;
    if (d->members)
        kin_members_link(d->members, node, up);
    if (!d->o.on_link)
        return;
    pthread_mutex_lock(&d->news_lock);
    uint8_t *news = &d->news[node];
    if (up)
        *news |= NEWS_UP;
    else /* an up that was not told yet is not told at all */
        *news = *news == NEWS_UP ? 0 : NEWS_DOWN;
    bool post = !d->news_posted && kin_live_post(d->live, tell_links, d) == KIN_OK;
    d->news_posted = d->news_posted || post;
    pthread_mutex_unlock(&d->news_lock);
}

/* ---- life ---- */

static kin_status open_world(struct kin_daemon *d, struct kin_err *err)
{
    const struct kin_daemon_options *o = &d->o;
    char path[PATH_BYTES];
    struct kin_store *store = NULL;
    struct kin_live_options live = {.threads = o->threads, .log_line = log_core, .log_arg = d};
    kin_status status = kin_state_dir_lock(o->data_dir, &d->lock, err);
    if (status == KIN_OK)
        status = kin_live_new(&live, &d->live, err);
    if (status != KIN_OK)
        return status;
    path_in(o, o->store_name, path);
    struct kin_lmdb_options lmdb = {.path = path,
                                    .map_bytes = o->map_bytes ? o->map_bytes : (uint64_t)1 << 40,
                                    .dbs = o->dbs,
                                    .format = o->format,
                                    .format_from = o->format_from,
                                    .fsync = o->fsync};
    status = kin_lmdb_open(&lmdb, &store, err);
    if (status == KIN_E_CORRUPT || status == KIN_E_VERSION)
        kin_err_wrap(err, status, "the data cannot be used; remove %s to begin anew", path);
    if (status == KIN_OK)
        status = kin_live_add(d->live, self_of(d), store, o->ops, o->args, err);
    if (status == KIN_OK && o->add_nodes)
        status = o->add_nodes(o->arg, d->live, err);
    if (status == KIN_OK && kin_live_on_signal(d->live, o->on_signal, o->arg) != KIN_OK)
        status = kin_err_set(err, KIN_E_IO, "signals cannot be caught");
    return status;
}

/* Who we are, or who the others are. */
static kin_status open_keys(struct kin_daemon *d, struct kin_err *err)
{
    char path[PATH_BYTES], text[2 * KIN_NET_PUBLIC_BYTES + 8] = "key=";
    if (!d->o.worker)
        return d->o.nodes ? open_members(&d->o, &d->members, err) : KIN_OK;
    path_in(&d->o, "identity", path);
    kin_status status = kin_identity_open(path, &d->identity, err);
    if (status == KIN_OK) {
        sodium_bin2hex(text + 4, sizeof text - 4, d->identity.public_key,
                       sizeof d->identity.public_key);
        kin_daemon_log(d, 'I', "identity", text);
    }
    return status;
}

static kin_status open_rep(struct kin_daemon *d, const uint8_t *key, struct kin_err *err)
{
    struct kin_rep_options rep = {.address = d->o.rep_address,
                                  .key = key,
                                  .first = d->o.rep_first,
                                  .contexts = REP_CONTEXTS,
                                  .on_frame = on_frame,
                                  .log = log_net,
                                  .arg = d};
    kin_status status = kin_rep_open(&rep, &d->rep, err);
    if (status != KIN_OK) {
        kin_err_wrap(err, status, "%s", d->o.rep_address);
        kin_net_close(d->net, 0);
    }
    return status;
}

static kin_status open_net(struct kin_daemon *d, const uint8_t *key, struct kin_err *err)
{
    struct kin_net_options net = {.role = d->o.worker ? KIN_NET_WORKER : KIN_NET_COORDINATOR,
                                  .address = d->o.address,
                                  .key = key,
                                  .on_frame = on_frame,
                                  .on_link = on_link,
                                  .log = log_net,
                                  .arg = d};
    if (d->o.worker) {
        net.identity = &d->identity;
    } else {
        net.nodes = d->o.nodes;
        net.admit = admit;
        net.client_first = d->o.client_first;
        net.clients_max = d->o.clients_max;
    }
    kin_live_set_remote(d->live, send_remote, d);
    kin_status status = kin_net_open(&net, &d->net, err);
    if (status == KIN_OK && d->o.rep_address)
        status = open_rep(d, key, err);
    sodium_memzero(&d->identity, sizeof d->identity);
    return status;
}

static void daemon_free(struct kin_daemon *d)
{
    kin_live_free(d->live);
    kin_members_close(d->members);
    if (d->lock >= 0)
        close(d->lock);
    pthread_mutex_destroy(&d->news_lock);
    sodium_memzero(&d->identity, sizeof d->identity);
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
    pthread_mutex_init(&d->news_lock, NULL);
    kin_status status = open_world(d, &err);
    if (status == KIN_OK)
        status = open_keys(d, &err);
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

struct kin_net *kin_daemon_net(struct kin_daemon *d)
{
    return d->net;
}

struct kin_members *kin_daemon_members(struct kin_daemon *d)
{
    return d->members;
}

void kin_daemon_run(struct kin_daemon *d, bool *leave)
{
    kin_live_run(d->live);
    kin_rep_close(d->rep);
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
