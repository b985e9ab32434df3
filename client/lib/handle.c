#include "client/lib/impl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SECRET_BYTES_MIN = 16, SECRET_BYTES_MAX = 4096, SLOTS_DEFAULT = 4096, LOOK_MS = 10 };

/* The numbers of answers are those of the wire. */
#define SAME(theirs, ours) _Static_assert((int)(theirs) == (int)(ours), #ours)
SAME(KIN_OK, KINDRED_OK);
SAME(KIN_E_NOMEM, KINDRED_NO_MEMORY);
SAME(KIN_E_INVAL, KINDRED_INVALID);
SAME(KIN_E_IO, KINDRED_IO);
SAME(KIN_E_NOTFOUND, KINDRED_NOT_FOUND);
SAME(KIN_E_EXISTS, KINDRED_EXISTS);
SAME(KIN_E_CORRUPT, KINDRED_CORRUPT);
SAME(KIN_E_PROTO, KINDRED_PROTOCOL);
SAME(KIN_E_VERSION, KINDRED_VERSION);
SAME(KIN_E_LIMIT, KINDRED_LIMIT);
SAME(KIN_E_FULL, KINDRED_NO_SPACE);
SAME(KIN_E_SYNTAX, KINDRED_SYNTAX);
SAME(KIN_E_WORKFLOW, KINDRED_WORKFLOW);
SAME(KIN_E_STALE, KINDRED_STALE);
SAME(KIN_E_BUSY, KINDRED_BUSY);
SAME(KIN_E_CANCELLED, KINDRED_CANCELLED);
SAME(KIN_E_EOF, KINDRED_END);
SAME(KIN_E_RANGE, KINDRED_RANGE);
SAME(KIN_E_CHANGED, KINDRED_CHANGED);

const char *kindred_status_text(enum kindred_status status)
{
    if (status == KINDRED_TIMEOUT)
        return "no answer in time";
    if (status == KINDRED_REFUSED)
        return "refused by the coordinator";
    if (status == KINDRED_LOST)
        return "connection lost";
    return kin_status_text((kin_status)status);
}

const char *kindred_version(void)
{
    return KIN_VERSION;
}

/* ---- settings ---- */

static enum kindred_status fail(struct kin_err *err, enum kindred_status status, const char *what,
                                const char *text)
{
    kin_err_set(err, KIN_E_INVAL, "%s: %s", what, text);
    return status;
}

static enum kindred_status read_file(const char *path, uint8_t *to, size_t *bytes,
                                     struct kin_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;
    *bytes = 0;
    if (fd < 0)
        return fail(err, KINDRED_IO, path, strerror(errno)); // NOLINT(concurrency-mt-unsafe)
    while (*bytes < SECRET_BYTES_MAX && (n = read(fd, to + *bytes, SECRET_BYTES_MAX - *bytes)) > 0)
        *bytes += (size_t)n;
    close(fd);
    while (*bytes && (to[*bytes - 1] == '\n' || to[*bytes - 1] == '\r'))
        (*bytes)--;
    if (n < 0)
        return fail(err, KINDRED_IO, path, "cannot be read");
    return n == 0 ? KINDRED_OK : fail(err, KINDRED_INVALID, path, "too long for a secret");
}

/* *has: there is one, and key is made of it. */
static enum kindred_status make_key(const struct kindred_options *o, uint8_t *key, bool *has,
                                    struct kin_err *err)
{
    uint8_t text[SECRET_BYTES_MAX];
    size_t bytes = o->secret_bytes;
    const void *secret = o->secret;
    enum kindred_status status = KINDRED_OK;
    *has = secret || o->secret_file;
    if (secret && o->secret_file)
        return fail(err, KINDRED_INVALID, "secret", "from memory or from a file, not both");
    if (o->secret_file) {
        status = read_file(o->secret_file, text, &bytes, err);
        secret = text;
    }
    if (status == KINDRED_OK && *has && bytes < SECRET_BYTES_MIN)
        status = fail(err, KINDRED_INVALID, "secret", "at least 16 bytes are expected");
    if (status == KINDRED_OK && *has)
        kin_net_key(secret, bytes, key);
    sodium_memzero(text, sizeof text);
    return status;
}

/* ---- life ---- */

static enum kindred_status dial(struct kindred *k, const char *url, size_t bytes,
                                const uint8_t *key, struct kin_err *err)
{
    struct line *line = &k->lines[k->line_count];
    if (k->line_count == KINDRED_URLS_MAX)
        return fail(err, KINDRED_INVALID, "url", "too many addresses");
    char *address = kin_strndup(url, bytes);
    if (!address)
        return KINDRED_NO_MEMORY;
    *line = (struct line){.k = k, .index = k->line_count};
    struct kin_net_options o = {.role = KIN_NET_CLIENT,
                                .address = address,
                                .key = key,
                                .on_frame = flight_on_frame,
                                .on_link = flight_on_link,
                                .arg = line};
    kin_status status = kin_net_open(&o, &line->net, err);
    kin_free(address);
    k->line_count += status == KIN_OK;
    return (enum kindred_status)status;
}

static enum kindred_status dial_all(struct kindred *k, const struct kindred_options *o,
                                    struct kin_err *err)
{
    uint8_t key[KIN_NET_KEY_BYTES];
    bool has_key;
    enum kindred_status status = make_key(o, key, &has_key, err);
    const char *at = o->url ? o->url : "";
    for (bool more = true; status == KINDRED_OK && more;) {
        size_t n = strcspn(at, ",");
        more = at[n] == ',';
        status = dial(k, at, n, has_key ? key : NULL, err);
        at += n + more;
    }
    sodium_memzero(key, sizeof key);
    return status;
}

static struct kindred *handle_new(const struct kindred_options *o)
{
    struct kindred *k = kin_calloc(1, sizeof *k);
    if (!k)
        return NULL;
    uint32_t slots = o->in_flight_max ? o->in_flight_max : SLOTS_DEFAULT;
    k->slot_count = slots < KINDRED_IN_FLIGHT_MAX ? slots : KINDRED_IN_FLIGHT_MAX;
    k->timeout_ms = o->timeout_ms ? o->timeout_ms : KINDRED_TIMEOUT_MS;
    k->retry_busy = o->retry_busy;
    k->slots = kin_calloc(k->slot_count, sizeof(void *));
    k->free_slots = kin_calloc(k->slot_count, sizeof *k->free_slots);
    while (k->free_slots && k->free_count < k->slot_count) {
        k->free_slots[k->free_count] = k->slot_count - 1 - k->free_count;
        k->free_count++;
    }
    k->ended_tail = &k->ended;
    /* a late answer to somebody who had our number at the coordinator before us is not ours */
    randombytes_buf(&k->serial, sizeof k->serial);
    k->serial = (k->serial >> 18) + 1;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&k->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&k->lock, NULL);
    return k;
}

static bool hang_up(struct kindred *k)
{
    bool all = true;
    for (int i = 0; i < k->line_count; i++)
        all = kin_net_close(k->lines[i].net, 0) && all;
    return all;
}

static void handle_free(struct kindred *k)
{
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->lock);
    kin_free(k->slots);
    kin_free(k->free_slots);
    kin_free(k);
}

static bool start_runner(struct kindred *k)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&k->runner, NULL, flight_run, k) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

enum kindred_status kindred_open(const struct kindred_options *options, struct kindred **out,
                                 char *why, size_t why_bytes)
{
    struct kin_err err = {0};
    enum kindred_status status = KINDRED_NO_MEMORY;
    struct kindred *k = sodium_init() < 0 ? NULL : handle_new(options);
    if (k && k->slots && k->free_slots)
        status = dial_all(k, options, &err);
    if (status == KINDRED_OK && !start_runner(k))
        status = KINDRED_NO_MEMORY;
    if (status == KINDRED_OK) {
        *out = k;
        return status;
    }
    if (why && why_bytes)
        snprintf(why, why_bytes, "%s", err.msg[0] ? err.msg : kindred_status_text(status));
    if (k && hang_up(k)) /* else a callback may still come: it is left */
        handle_free(k);
    return status;
}

enum kindred_status kindred_wait(struct kindred *k, uint32_t timeout_ms, char *why,
                                 size_t why_bytes)
{
    uint64_t until = flight_now_us() + (uint64_t)timeout_ms * 1000;
    for (;;) {
        enum kindred_status status = flight_trouble(k, why, why_bytes);
        if (status != KINDRED_TIMEOUT || flight_now_us() >= until)
            return status;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
}

void kindred_close(struct kindred *k)
{
    if (!k)
        return;
    pthread_mutex_lock(&k->lock);
    k->closing = k->woken = true;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->runner, NULL);
    if (hang_up(k))
        handle_free(k);
}

void kindred_count(struct kindred *k, struct kindred_counts *out)
{
    bool connected = flight_trouble(k, NULL, 0) == KINDRED_OK;
    pthread_mutex_lock(&k->lock);
    *out = k->counts;
    out->connected = connected;
    pthread_mutex_unlock(&k->lock);
}
