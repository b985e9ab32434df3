#include "common/daemon/durable.h"
#include "coordinator/gateway/sigv4_impl.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 1 << 20 };

static void wipe(struct kin_buf *b)
{
    if (b->p)
        sodium_memzero(b->p, b->cap);
    kin_buf_deinit(b);
}

kin_status sigv4_keys_read(const char *path, struct sigv4_keys **out, struct kin_err *err)
{
    static const struct kin_durable_rules rules = {.max = FILE_BYTES_MAX, .secret = true};
    struct kin_buf text = {0};
    kin_status status =
        kin_buf_reserve(&text, FILE_BYTES_MAX + (1 << 16)) /* so that it never moves */
            ? kin_durable_read(path, &rules, &text, err)
            : kin_err_set(err, KIN_E_NOMEM, "out of memory");
    if (status == KIN_OK) {
        status = sigv4_keys_parse((struct kin_str){(const char *)text.p, text.n}, out, err);
        if (status != KIN_OK)
            status = kin_err_wrap(err, status, "%s", path);
    }
    wipe(&text);
    return status;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct kin_str word(struct kin_str *line)
{
    while (line->n && is_blank(*line->p))
        *line = (struct kin_str){line->p + 1, line->n - 1};
    struct kin_str w = {line->p, 0};
    while (w.n < line->n && !is_blank(w.p[w.n]))
        w.n++;
    *line = (struct kin_str){line->p + w.n, line->n - w.n};
    return w;
}

static bool is_plain(struct kin_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
    }
    return true;
}

/* An id goes into headers between slashes and commas. */
static bool id_ok(struct kin_str id)
{
    return id.n >= 1 && id.n <= SIGV4_ID_MAX && is_plain(id) && !memchr(id.p, '/', id.n) &&
           !memchr(id.p, ',', id.n);
}

static kin_status add_line(struct sigv4_keys *keys, struct kin_str line, size_t number,
                           struct kin_err *err)
{
    struct kin_str id = word(&line), secret = word(&line), rest = word(&line);
    if (!id.n || *id.p == '#')
        return KIN_OK;
    if (rest.n || !id_ok(id) || secret.n < 1 || secret.n > SIGV4_SECRET_MAX || !is_plain(secret))
        return kin_err_set(err, KIN_E_SYNTAX,
                           "line %zu: expected an access key id, a blank and its secret", number);
    if (keys->count == SIGV4_KEYS_MAX)
        return kin_err_set(err, KIN_E_LIMIT, "more than %d keys", SIGV4_KEYS_MAX);
    struct sigv4_key *k = &keys->key[keys->count++];
    memcpy(k->id, id.p, id.n);
    memcpy(k->secret, secret.p, secret.n);
    k->id[id.n] = '\0';
    k->secret_bytes = secret.n;
    return KIN_OK;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct sigv4_key *)a)->id, ((const struct sigv4_key *)b)->id);
}

static kin_status sort_keys(struct sigv4_keys *keys, struct kin_err *err)
{
    if (!keys->count)
        return kin_err_set(err, KIN_E_SYNTAX, "there is no key in it");
    qsort(keys->key, keys->count, sizeof *keys->key, by_id);
    for (size_t i = 1; i < keys->count; i++) {
        if (by_id(&keys->key[i - 1], &keys->key[i]) == 0)
            return kin_err_set(err, KIN_E_SYNTAX, "the access key id %s twice", keys->key[i].id);
    }
    return KIN_OK;
}

kin_status sigv4_keys_parse(struct kin_str text, struct sigv4_keys **out, struct kin_err *err)
{
    struct sigv4_keys *keys = kin_calloc(1, sizeof *keys);
    kin_status status = KIN_OK;
    if (!keys || sodium_init() < 0) {
        kin_free(keys);
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    }
    for (size_t at = 0, number = 1; at < text.n && status == KIN_OK; number++) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = end ? (size_t)(end - text.p) - at : text.n - at;
        status = add_line(keys, (struct kin_str){text.p + at, n}, number, err);
        at += n + 1;
    }
    if (status == KIN_OK)
        status = sort_keys(keys, err);
    if (status != KIN_OK) {
        sigv4_keys_free(keys);
        return status;
    }
    *out = keys;
    return KIN_OK;
}

void sigv4_keys_free(struct sigv4_keys *keys)
{
    if (keys)
        sodium_memzero(keys, sizeof *keys);
    kin_free(keys);
}

const struct sigv4_key *sigv4_key_find(const struct sigv4_keys *keys, struct kin_str id)
{
    size_t low = 0, high = keys->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = kin_str_cmp(kin_str_of(keys->key[mid].id), id);
        if (order == 0)
            return &keys->key[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}
