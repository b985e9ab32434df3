#include "common/daemon/members.h"

#include "common/daemon/durable.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

enum {
    HEX_CHARS = 2 * KIN_NET_PUBLIC_BYTES,
    STAMP_CHARS = 20, /* 2026-11-22T11:15:05Z */
    LINE_BYTES_MAX = 128,
    SETTLE_MS_DEFAULT = 10 * 1000
};

struct member {
    bool given, connected;
    uint8_t key[KIN_NET_PUBLIC_BYTES];
    char first_seen[STAMP_CHARS + 1];
    uint64_t seen_ms; /* monotonic */
};

struct kin_members {
    pthread_mutex_t lock;
    char *path;
    uint32_t max, settle_ms;
    struct member *list; /* [max], of number 1 and so on */
};

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- the file ---- */

/* The next word of the line, up to a blank. */
static struct kin_str word(struct kin_str *line)
{
    while (line->n && (*line->p == ' ' || *line->p == '\t')) {
        line->p++;
        line->n--;
    }
    struct kin_str w = {line->p, 0};
    while (line->n && *line->p != ' ' && *line->p != '\t') {
        line->p++;
        line->n--;
        w.n++;
    }
    return w;
}

static bool take_number(struct kin_str w, uint32_t max, uint32_t *number)
{
    *number = 0;
    for (size_t i = 0; i < w.n; i++) {
        if (w.p[i] < '0' || w.p[i] > '9' || *number > max)
            return false;
        *number = *number * 10 + (uint32_t)(w.p[i] - '0');
    }
    return *number >= 1 && *number <= max;
}

static bool take_key(struct kin_str w, uint8_t key[KIN_NET_PUBLIC_BYTES])
{
    size_t n;
    return w.n == HEX_CHARS &&
           sodium_hex2bin(key, KIN_NET_PUBLIC_BYTES, w.p, w.n, NULL, &n, NULL) == 0 &&
           n == KIN_NET_PUBLIC_BYTES;
}

static bool take_stamp(struct kin_str w, char stamp[STAMP_CHARS + 1])
{
    static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
    bool fine = w.n == STAMP_CHARS;
    for (size_t i = 0; fine && i < STAMP_CHARS; i++)
        fine = form[i] == 'd' ? w.p[i] >= '0' && w.p[i] <= '9' : w.p[i] == form[i];
    if (fine)
        memcpy(stamp, w.p, STAMP_CHARS);
    stamp[fine ? STAMP_CHARS : 0] = '\0';
    return fine;
}

static struct member *member_of(struct kin_members *m, const uint8_t *key)
{
    for (uint32_t i = 0; i < m->max; i++) {
        if (m->list[i].given && memcmp(m->list[i].key, key, KIN_NET_PUBLIC_BYTES) == 0)
            return &m->list[i];
    }
    return NULL;
}

/* What is wrong with the line; NULL: it is taken. */
static const char *take_line(struct kin_members *m, struct kin_str line)
{
    struct member member = {.given = true, .seen_ms = now_ms()};
    uint32_t number;
    struct kin_str first = word(&line), second = word(&line), third = word(&line);
    if (first.n == 0)
        return NULL; /* an empty line */
    if (third.n == 0 || word(&line).n)
        return "expected NUMBER KEY FIRST_SEEN";
    if (!take_number(first, m->max, &number))
        return "the number is none of a worker";
    if (!take_key(second, member.key))
        return "expected a key of 64 hex digits";
    if (!take_stamp(third, member.first_seen))
        return "expected a time like 2026-11-22T11:15:05Z";
    if (m->list[number - 1].given)
        return "the number is there twice";
    if (member_of(m, member.key))
        return "the key is there twice";
    m->list[number - 1] = member;
    return NULL;
}

static kin_status load(struct kin_members *m, struct kin_err *err)
{
    struct kin_durable_rules rules = {.max = (size_t)m->max * LINE_BYTES_MAX * 2};
    struct kin_buf text = {0};
    kin_status status = kin_durable_read(m->path, &rules, &text, err);
    const char *p = (const char *)text.p, *end = text.n ? p + text.n : p;
    for (unsigned number = 1; status == KIN_OK && p < end; number++) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        struct kin_str line = {p, (size_t)((eol ? eol : end) - p)};
        p = eol ? eol + 1 : end;
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        const char *wrong = take_line(m, line);
        if (wrong)
            status = kin_err_set(err, KIN_E_CORRUPT, "%s:%u: %s", m->path, number, wrong);
    }
    kin_buf_deinit(&text);
    return status == KIN_E_NOTFOUND ? KIN_OK : status;
}

static kin_status save(struct kin_members *m, struct kin_err *err)
{
    struct kin_buf text = {0};
    char hex[HEX_CHARS + 1];
    for (uint32_t i = 0; i < m->max; i++) {
        if (!m->list[i].given)
            continue;
        sodium_bin2hex(hex, sizeof hex, m->list[i].key, KIN_NET_PUBLIC_BYTES);
        kin_buf_printf(&text, "%u %s %s\n", i + 1, hex, m->list[i].first_seen);
    }
    kin_status status =
        text.failed
            ? kin_err_set(err, KIN_E_NOMEM, "%s: out of memory", m->path)
            : kin_durable_write(m->path, (struct kin_str){(const char *)text.p, text.n}, err);
    kin_buf_deinit(&text);
    return status;
}

/* ---- life ---- */

kin_status kin_members_open(const struct kin_members_options *options, struct kin_members **out,
                            struct kin_err *err)
{
    if (options->max == 0 || options->max >= KIN_NODES_MAX)
        return kin_err_set(err, KIN_E_INVAL, "members: %u", options->max);
    struct kin_members *m = kin_calloc(1, sizeof *m);
    if (!m)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    pthread_mutex_init(&m->lock, NULL);
    m->max = options->max;
    m->settle_ms = options->settle_ms ? options->settle_ms : SETTLE_MS_DEFAULT;
    m->path = kin_strndup(options->path, strlen(options->path));
    m->list = kin_calloc(m->max, sizeof *m->list);
    kin_status status =
        m->path && m->list ? load(m, err) : kin_err_set(err, KIN_E_NOMEM, "out of memory");
    if (status == KIN_OK)
        *out = m;
    else
        kin_members_close(m);
    return status;
}

void kin_members_close(struct kin_members *m)
{
    if (!m)
        return;
    pthread_mutex_destroy(&m->lock);
    kin_free(m->path);
    kin_free(m->list);
    kin_free(m);
}

/* ---- numbers ---- */

/* Where a newcomer goes; NULL: nowhere. With the lock. */
static struct member *place_for(struct kin_members *m, uint64_t now)
{
    struct member *oldest = NULL;
    for (uint32_t i = 0; i < m->max; i++) {
        struct member *x = &m->list[i];
        if (!x->given)
            return x;
        if (!x->connected && now - x->seen_ms >= m->settle_ms &&
            (!oldest || x->seen_ms < oldest->seen_ms))
            oldest = x;
    }
    return oldest;
}

static kin_status add(struct kin_members *m, const uint8_t *key, uint64_t now, struct member **out,
                      struct kin_err *err)
{
    struct member *to = place_for(m, now);
    if (!to)
        return kin_err_set(err, KIN_E_LIMIT, "all %u numbers are in use", m->max);
    struct member before = *to;
    time_t wall = time(NULL);
    struct tm tm;
    *to = (struct member){.given = true, .seen_ms = now};
    memcpy(to->key, key, KIN_NET_PUBLIC_BYTES);
    gmtime_r(&wall, &tm);
    strftime(to->first_seen, sizeof to->first_seen, "%Y-%m-%dT%H:%M:%SZ", &tm);
    kin_status status = save(m, err);
    if (status != KIN_OK)
        *to = before;
    *out = status == KIN_OK ? to : NULL;
    return status;
}

kin_node_id kin_members_admit(struct kin_members *m, const uint8_t key[KIN_NET_PUBLIC_BYTES],
                              bool *fresh, struct kin_err *err)
{
    uint64_t now = now_ms();
    pthread_mutex_lock(&m->lock);
    struct member *member = member_of(m, key);
    *fresh = !member;
    if (member)
        member->seen_ms = now;
    else if (add(m, key, now, &member, err) != KIN_OK)
        member = NULL;
    kin_node_id number = member ? (kin_node_id)(member - m->list) + 1 : 0;
    pthread_mutex_unlock(&m->lock);
    *fresh = *fresh && number;
    return number;
}

void kin_members_link(struct kin_members *m, kin_node_id number, bool up)
{
    if (number == 0 || number > m->max)
        return;
    pthread_mutex_lock(&m->lock);
    m->list[number - 1].connected = up;
    m->list[number - 1].seen_ms = now_ms();
    pthread_mutex_unlock(&m->lock);
}

bool kin_members_get(struct kin_members *m, kin_node_id number, struct kin_member *out)
{
    if (number == 0 || number > m->max)
        return false;
    pthread_mutex_lock(&m->lock);
    struct member x = m->list[number - 1];
    pthread_mutex_unlock(&m->lock);
    if (!x.given)
        return false;
    sodium_bin2hex(out->key, sizeof out->key, x.key, sizeof x.key);
    memcpy(out->first_seen, x.first_seen, sizeof x.first_seen);
    out->connected = x.connected;
    out->silent_ms = x.connected ? 0 : now_ms() - x.seen_ms;
    return true;
}
