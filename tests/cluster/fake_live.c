/* For the tests of the commands: a coordinator that serves one workflow, all of it in memory and by
 * one rule: records with the same email are one MatchGroup. It answers as docs/gateway.md says, one
 * request at a time, and can be told to be difficult.
 *
 *   kin_fake_live ADDRESS [STATE [BUSY [LOSE]]]
 *
 * STATE: a file to which each PUT is appended before it is answered, and read at the start; "-":
 * none. BUSY, LOSE: every so many requests one is refused, or is not answered although it is obeyed
 * (0: none). Sources are a and b; the id column is "id". */
#include "client/live_text.h"
#include "common/base/hash.h"
#include "common/env/net/net.h"
#include "common/record/reader.h"
#include "proto/jobs.h"
#include "proto/live.h"
#include "proto/message.h"

#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHANGES_MAX = 1000 };

struct fake {
    pthread_mutex_t lock;
    struct kin_net *net;
    json_t *records; /* "source/id": {"source","id","email","match_id"} */
    json_t *groups;  /* match_id: {"source/id": true} */
    json_t *events;  /* texts */
    json_t *links;
    FILE *state;
    unsigned long busy, lose, requests;
    bool replaying;
};

static bool has(struct kin_str text, const char *what)
{
    return kin_str_eq(text, kin_str_of(what));
}

static void match_id_of(const char *email, char out[33])
{
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)kin_hash64(email, strlen(email), 1),
             (unsigned long long)kin_hash64(email, strlen(email), 2));
}

/* A value as text: of arrays the first. */
static const char *text_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    if (json_is_array(v))
        v = json_array_get(v, 0);
    return json_is_string(v) ? json_string_value(v) : "";
}

static size_t group_size(struct fake *f, const char *match_id)
{
    return json_object_size(json_object_get(f->groups, match_id));
}

static void group_change(struct fake *f, const char *match_id, const char *key, bool in)
{
    json_t *group = json_object_get(f->groups, match_id);
    if (!group) {
        group = json_object();
        json_object_set_new(f->groups, match_id, group);
    }
    if (in)
        json_object_set_new(group, key, json_true());
    else
        json_object_del(group, key);
}

static void add_event(struct fake *f, const char *event, const char *match_id, const char *source,
                      const char *id)
{
    struct kin_buf t = {0};
    kin_buf_printf(&t,
                   "{\"seq\":%zu,\"batch\":1,\"event\":\"%s\",\"match_id\":\"%s\",\"records\":[{",
                   json_array_size(f->events) + 1, event, match_id);
    kin_buf_puts(&t, "\"source\":");
    kin_json_string(&t, kin_str_of(source));
    kin_buf_puts(&t, ",\"id\":");
    kin_json_string(&t, kin_str_of(id));
    kin_buf_puts(&t, "}]}");
    json_array_append_new(f->events, json_stringn((const char *)t.p, t.n));
    kin_buf_deinit(&t);
}

/* ---- PUT ---- */

static bool is_delete(const json_t *o)
{
    const json_t *v = json_object_get(o, "DELETE");
    const char *t = text_of(o, "DELETE");
    return json_is_true(v) || strcmp(t, "true") == 0 || strcmp(t, "1") == 0 ||
           strcmp(t, "yes") == 0;
}

static void put_outcome(struct kin_buf *out, const char *id, const char *rest)
{
    kin_buf_puts(out, "{\"id\":");
    kin_json_string(out, kin_str_of(id));
    kin_buf_printf(out, ",\"outcome\":%s}\n", rest);
}

static void store(struct fake *f, const char *source, const json_t *o, struct kin_buf *rest)
{
    char key[600], match_id[33];
    const char *id = text_of(o, "id");
    snprintf(key, sizeof key, "%s/%s", source, id);
    json_t *old = json_object_get(f->records, key);
    if (is_delete(o)) {
        if (!old) {
            kin_buf_puts(rest, "\"unknown\"");
            return;
        }
        kin_buf_printf(rest, "\"deleted\",\"match_id\":\"%s\"", text_of(old, "match_id"));
        add_event(f, "left", text_of(old, "match_id"), source, id);
        group_change(f, text_of(old, "match_id"), key, false);
        json_object_del(f->records, key);
        return;
    }
    const char *email = *text_of(o, "email") ? text_of(o, "email") : key;
    match_id_of(email, match_id);
    size_t size = group_size(f, match_id);
    bool moved = !old || strcmp(text_of(old, "match_id"), match_id) != 0;
    if (old)
        group_change(f, text_of(old, "match_id"), key, false);
    group_change(f, match_id, key, true);
    if (moved)
        add_event(f, size ? "joined" : "created", match_id, source, id);
    kin_buf_printf(rest, "\"%s\",\"match_id\":\"%s\"", old ? "updated" : "created", match_id);
    if (size && !old)
        kin_buf_puts(rest, ",\"rule\":\"same email\",\"confidence\":1");
    json_object_set_new(f->records, key,
                        json_pack("{s:s,s:s,s:s,s:s,s:s}", "source", source, "id", id, "email",
                                  email, "match_id", match_id, "name", text_of(o, "name")));
}

static void put_line(struct fake *f, struct kin_str source, bool wait, struct kin_str line,
                     struct kin_buf *out)
{
    json_t *o = json_loadb(line.p, line.n, 0, NULL);
    char name[64];
    struct kin_buf rest = {0};
    snprintf(name, sizeof name, "%.*s", (int)source.n, source.p);
    if (!*text_of(o, "id")) {
        put_outcome(out, "", "\"rejected\",\"field\":\"id\",\"reason\":\"id is missing or empty\"");
    } else if (strcmp(text_of(o, "email"), "bad") == 0) {
        put_outcome(out, text_of(o, "id"),
                    "\"rejected\",\"field\":\"email\",\"reason\":\"no e-mail address\"");
    } else {
        store(f, name, o, &rest);
        kin_buf_putc(&rest, '\0');
        put_outcome(out, text_of(o, "id"), wait ? (const char *)rest.p : "\"accepted\"");
    }
    if (f->state && !f->replaying)
        fprintf(f->state, "%s\t%.*s\n", name, (int)line.n, line.p);
    kin_buf_deinit(&rest);
    json_decref(o);
}

static uint32_t on_put(struct fake *f, const struct kin_msg_put *m, struct kin_str payload,
                       struct kin_buf *out)
{
    struct kin_str line;
    struct kin_str source = m->source.n ? m->source : KIN_STR("a");
    if (!has(source, "a") && !has(source, "b"))
        return KIN_E_NOTFOUND;
    while (kin_served_line(&payload, &line))
        put_line(f, source, m->wait, line, out);
    if (f->state)
        fflush(f->state);
    return KIN_OK;
}

static void replay(struct fake *f, const char *path)
{
    char line[65536];
    FILE *in = fopen(path, "re");
    struct kin_buf out = {0};
    f->replaying = true;
    while (in && fgets(line, sizeof line, in)) {
        char *tab = strchr(line, '\t');
        size_t n = strlen(line);
        if (tab && line[n - 1] == '\n')
            put_line(f, (struct kin_str){line, (size_t)(tab - line)}, true,
                     (struct kin_str){tab + 1, n - (size_t)(tab + 1 - line) - 1}, &out);
    }
    f->replaying = false;
    kin_buf_deinit(&out);
    if (in)
        fclose(in);
}

/* ---- asking ---- */

static void on_lookup(struct fake *f, const struct kin_msg_lookup *m, struct kin_str payload,
                      struct kin_buf *out)
{
    struct kin_str line;
    while (kin_served_line(&payload, &line)) {
        json_t *o = json_loadb(line.p, line.n, 0, NULL), *r, *best = NULL;
        const char *email = text_of(o, "email"), *key;
        char match_id[33];
        size_t size = 0;
        if (strcmp(email, "bad") == 0) {
            kin_buf_puts(out, "{\"match_id\":null,\"error\":{\"field\":\"email\",\"reason\":\"no "
                              "e-mail address\"}}\n");
            json_decref(o);
            continue;
        }
        match_id_of(email, match_id);
        json_object_foreach(json_object_get(f->groups, match_id), key, r)
        {
            json_t *record = json_object_get(f->records, key);
            best = best && strcmp(text_of(best, "id"), text_of(record, "id")) < 0 ? best : record;
            size++;
        }
        if (best) {
            kin_buf_printf(out,
                           "{\"match_id\":\"%s\",\"rule\":\"same email\",\"confidence\":1,"
                           "\"source\":\"%s\",\"id\":",
                           text_of(best, "match_id"), text_of(best, "source"));
            kin_json_string(out, kin_str_of(text_of(best, "id")));
            kin_buf_printf(out, ",\"size\":%zu%s}\n", size,
                           m->explain ? ",\"explanation\":{\"text\":\"They match: same email\"}"
                                      : "");
        } else {
            kin_buf_puts(out, "{\"match_id\":null}\n");
        }
        json_decref(o);
    }
}

static void put_record(struct kin_buf *out, struct kin_str source, struct kin_str id)
{
    kin_buf_puts(out, "{\"source\":");
    kin_json_string(out, source);
    kin_buf_puts(out, ",\"id\":");
    kin_json_string(out, id);
    kin_buf_putc(out, '}');
}

static uint32_t on_group(struct fake *f, const struct kin_msg_group *m, struct kin_buf *out)
{
    char wanted[64], key[600];
    snprintf(wanted, sizeof wanted, "%.*s", (int)m->match_id.n, m->match_id.p);
    snprintf(key, sizeof key, "%.*s/%.*s", (int)m->source.n, m->source.p, (int)m->id.n, m->id.p);
    if (!m->match_id.n)
        snprintf(wanted, sizeof wanted, "%s",
                 text_of(json_object_get(f->records, key), "match_id"));
    size_t size = *wanted ? group_size(f, wanted) : 0;
    if (!size)
        return KIN_E_NOTFOUND;
    kin_buf_printf(out,
                   "{\"match_id\":\"%s\",\"state\":\"live\",\"size\":%zu,\"born\":1,"
                   "\"quarantined\":false,\"members\":[",
                   wanted, size);
    const char *name;
    json_t *r;
    bool first = true;
    json_object_foreach(f->records, name, r)
    {
        if (strcmp(text_of(r, "match_id"), wanted) != 0)
            continue;
        kin_buf_printf(out,
                       "%s{\"source\":\"%s\",\"id\":\"%s\",\"rule\":\"same email\","
                       "\"confidence\":1}",
                       first ? "" : ",", text_of(r, "source"), text_of(r, "id"));
        first = false;
    }
    kin_buf_puts(out, "]");
    if (m->golden)
        kin_buf_puts(out, ",\"golden\":{\"name\":{\"value\":\"Ann\",\"source\":\"a\",\"id\":\"1\","
                          "\"lost\":[{\"value\":\"Anne\",\"source\":\"b\",\"id\":\"2\"}]}}");
    kin_buf_puts(out, "}\n");
    return KIN_OK;
}

static uint64_t on_changes(struct fake *f, const struct kin_msg_changes *m, struct kin_buf *out)
{
    uint64_t limit = m->limit ? m->limit : CHANGES_MAX, at = m->after;
    for (uint64_t n = json_array_size(f->events); at < n && at - m->after < limit; at++) {
        kin_buf_puts(out, json_string_value(json_array_get(f->events, at)));
        kin_buf_putc(out, '\n');
    }
    return at;
}

static uint32_t on_link(struct fake *f, const struct kin_msg_link *m, struct kin_buf *out)
{
    static const char *const kinds[] = {"", "must", "never", "revoke"};
    kin_buf_printf(out, "{\"kind\":\"%s\",\"a\":", kinds[m->kind & 3]);
    put_record(out, m->source_a, m->id_a);
    kin_buf_puts(out, ",\"b\":");
    put_record(out, m->source_b, m->id_b);
    kin_buf_puts(out, ",\"who\":");
    kin_json_string(out, m->who);
    kin_buf_puts(out, ",\"why\":");
    kin_json_string(out, m->why);
    kin_buf_puts(out, "}\n");
    if (m->kind == KIN_LINK_REVOKE && !json_array_size(f->links))
        return KIN_E_NOTFOUND;
    if (m->kind == KIN_LINK_REVOKE)
        json_array_clear(f->links);
    else
        json_array_append_new(f->links, json_stringn((const char *)out->p, out->n));
    return KIN_OK;
}

static uint64_t on_links(struct fake *f, const struct kin_msg_links *m, struct kin_buf *out)
{
    uint64_t n = json_array_size(f->links);
    if (m->after < n)
        kin_buf_puts(out, json_string_value(json_array_get(f->links, m->after)));
    return m->after + 1 < n ? m->after + 1 : 0; /* pages of one */
}

static void on_history(const struct kin_msg_history *m, struct kin_buf *out)
{
    kin_buf_puts(out, "{\"match_id\":");
    kin_json_string(out, m->match_id);
    kin_buf_puts(out,
                 ",\"state\":\"alias\",\"survivor\":\"00ff\",\"born\":1,\"founder\":{"
                 "\"source\":\"a\",\"id\":\"1\"},\"see_also\":[],\"events\":[{\"seq\":1,"
                 "\"batch\":1,\"event\":\"merged\",\"match_id\":\"00ff\",\"from\":[\"11\"]}]}\n");
}

static void on_explain(const struct kin_msg_explain *m, struct kin_buf *out)
{
    kin_buf_puts(out, "{\"a\":");
    put_record(out, m->source_a, m->id_a);
    kin_buf_puts(out, ",\"b\":");
    put_record(out, m->source_b, m->id_b);
    kin_buf_puts(out, ",\"verdict\":\"match\",\"text\":\"They match: same email decides\","
                      "\"fields\":[{\"field\":\"email\",\"a\":{\"raw\":\"X@y\",\"normalised\":"
                      "\"x@y\"},\"b\":{\"raw\":\"x@y\",\"normalised\":\"x@y\"}}],\"rules\":[{"
                      "\"name\":\"same email\",\"truth\":\"true\",\"parts\":[{\"depth\":0,\"text\":"
                      "\"Exact(email)\",\"truth\":\"true\"}]}],\"never\":[],\"model\":null,"
                      "\"keys\":[]}\n");
}

/* ---- messages ---- */

static void answer(struct fake *f, const struct kin_message *m, struct kin_str payload,
                   struct kin_message *a, struct kin_buf *out)
{
    a->type = KIN_MSG_ANSWER;
    switch (m->type) {
    case KIN_MSG_STATUS:
        a->type = KIN_MSG_STATUS_GOT;
        kin_buf_printf(out, "{\"live\":[{\"workflow\":\"t\",\"changes\":%zu,\"records\":%zu}]}",
                       json_array_size(f->events), json_object_size(f->records));
        break;
    case KIN_MSG_LOOKUP:
        on_lookup(f, &m->u.lookup, payload, out);
        break;
    case KIN_MSG_PUT:
        a->u.answer.status = on_put(f, &m->u.put, payload, out);
        break;
    case KIN_MSG_GROUP:
        a->u.answer.status = on_group(f, &m->u.group, out);
        break;
    case KIN_MSG_CHANGES:
        a->u.answer.next = on_changes(f, &m->u.changes, out);
        break;
    case KIN_MSG_HISTORY:
        on_history(&m->u.history, out);
        break;
    case KIN_MSG_LINK:
        a->u.answer.status = on_link(f, &m->u.link, out);
        break;
    case KIN_MSG_LINKS:
        a->u.answer.next = on_links(f, &m->u.links, out);
        break;
    default:
        on_explain(&m->u.explain, out);
        break;
    }
    if (a->type == KIN_MSG_ANSWER && a->u.answer.status != KIN_OK)
        a->u.answer.text = KIN_STR("there is no such thing here");
}

static void on_frame(void *arg, kin_node_id from, struct kin_frame *frame)
{
    struct fake *f = arg;
    struct kin_message m, a = {.version = KIN_PROTO_VERSION_MAX};
    struct kin_buf out = {0};
    struct kin_frame *reply;
    if (kin_message_decode(frame, &m, NULL) != KIN_OK) {
        kin_frame_unref(frame);
        return;
    }
    pthread_mutex_lock(&f->lock);
    bool counts = m.type != KIN_MSG_STATUS;
    f->requests += counts;
    bool busy = counts && f->busy && f->requests % f->busy == 0;
    bool lost = counts && f->lose && f->requests % f->lose == 0;
    a.request = m.request;
    if (busy) {
        a.type = KIN_MSG_ANSWER;
        a.u.answer.status = KIN_E_BUSY;
    } else {
        answer(f, &m, (struct kin_str){(const char *)frame->payload.p, frame->payload.n}, &a, &out);
    }
    if (!lost && kin_message_encode(&a, &reply) == KIN_OK) {
        reply->payload = out;
        out = (struct kin_buf){0};
        kin_net_send(f->net, from, reply);
    }
    pthread_mutex_unlock(&f->lock);
    kin_buf_deinit(&out);
    kin_frame_unref(frame);
}

static kin_node_id admit(void *arg, const uint8_t key[KIN_NET_PUBLIC_BYTES])
{
    (void)arg;
    (void)key;
    return 0;
}

int main(int argc, char **argv)
{
    static struct fake f;
    struct kin_err err = {0};
    sigset_t ends;
    int number;
    if (argc < 2 || sodium_init() < 0)
        return 2;
    pthread_mutex_init(&f.lock, NULL);
    f.records = json_object();
    f.groups = json_object();
    f.events = json_array();
    f.links = json_array();
    const char *state = argc > 2 && strcmp(argv[2], "-") != 0 ? argv[2] : NULL;
    if (state) {
        replay(&f, state);
        f.state = fopen(state, "ae");
    }
    f.busy = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    f.lose = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    struct kin_net_options o = {.role = KIN_NET_COORDINATOR,
                                .address = argv[1],
                                .admit = admit,
                                .client_first = KIN_CLIENT_FIRST,
                                .clients_max = 16,
                                .on_frame = on_frame,
                                .arg = &f};
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    pthread_mutex_lock(&f.lock); /* the net is known before the first answer */
    if (kin_net_open(&o, &f.net, &err) != KIN_OK) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    pthread_mutex_unlock(&f.lock);
    sigwait(&ends, &number);
    _exit(0);
}
