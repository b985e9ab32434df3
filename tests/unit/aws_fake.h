#ifndef KIN_TESTS_UNIT_AWS_FAKE_H
#define KIN_TESTS_UNIT_AWS_FAKE_H
/* A coordinator for the tests of the gateway's AWS operations: keeps documents and records, takes
 * jobs, and answers at once, on the thread that asks. What it was asked last is there to be looked
 * at; what it answers can be set. One thread at a time. */
#include "common/base/hash.h"
#include "coordinator/gateway/aws.h"
#include "proto/jobs.h"
#include "proto/live.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { FAKE_DOCS_MAX = 2048, FAKE_IDS_MAX = 256, FAKE_TYPES = 128 };

struct fake_doc {
    char *kind, *name, *text;
};

struct fake {
    struct gateway_backend backend;
    struct fake_doc docs[FAKE_DOCS_MAX]; /* sorted by kind, then name */
    size_t doc_count;
    const char *id_column;   /* of records that are put */
    char *ids[FAKE_IDS_MAX]; /* source/id of those there */
    size_t id_count;
    /* Where set, records match by equality of this column, which fills that field; MatchIds are
     * made of the value. */
    const char *column, *field;
    char *values[FAKE_IDS_MAX]; /* of ids */
    /* what it answers */
    uint32_t status[FAKE_TYPES]; /* by type of the request; KIN_OK: as usual */
    bool silent[FAKE_TYPES];     /* no answer at all */
    bool garbage;                /* answers are no JSON */
    bool partial;
    const char *refusal; /* text of a status */
    const char *lookup;  /* line; NULL: no match */
    const char *put;     /* line for each record; NULL: as the records say */
    const char *group;   /* NULL: KIN_E_NOTFOUND */
    const char *live;    /* "live" of STATUS */
    uint32_t job_state;  /* of all jobs; 0: not known */
    const char *job_text;
    uint64_t ended_ms;
    /* what it was asked */
    unsigned asked[FAKE_TYPES];
    char *workflow; /* text of the last SUBMIT */
    char *out_dir;
    bool serve;
    char *payload; /* of the last LOOKUP or PUT */
    char *source;
    bool wait, mint;
    uint64_t job; /* the last one */
};

static inline char *fake_copy(struct kin_str s)
{
    char *copy = kin_strndup(s.p ? s.p : "", s.n);
    KIN_ASSERT(copy);
    return copy;
}

static inline void fake_keep(char **to, struct kin_str s)
{
    kin_free(*to);
    *to = fake_copy(s);
}

/* The place of a document, or where it would be. */
static inline size_t fake_find(const struct fake *f, struct kin_str kind, struct kin_str name,
                               bool *there)
{
    size_t i = 0;
    int order = 1;
    for (; i < f->doc_count; i++) {
        order = kin_str_cmp(kin_str_of(f->docs[i].kind), kind);
        order = order ? order : kin_str_cmp(kin_str_of(f->docs[i].name), name);
        if (order >= 0)
            break;
    }
    *there = i < f->doc_count && order == 0;
    return i;
}

static inline void fake_remove(struct fake *f, size_t i)
{
    kin_free(f->docs[i].kind);
    kin_free(f->docs[i].name);
    kin_free(f->docs[i].text);
    f->doc_count--;
    memmove(&f->docs[i], &f->docs[i + 1], (f->doc_count - i) * sizeof *f->docs);
}

static inline void fake_store(struct fake *f, struct kin_str kind, struct kin_str name,
                              struct kin_str text)
{
    bool there = false;
    size_t i = fake_find(f, kind, name, &there);
    if (there)
        fake_remove(f, i);
    KIN_ASSERT(f->doc_count < FAKE_DOCS_MAX && kind.n && name.n && name.n <= 255);
    memmove(&f->docs[i + 1], &f->docs[i], (f->doc_count - i) * sizeof *f->docs);
    f->docs[i] = (struct fake_doc){fake_copy(kind), fake_copy(name), fake_copy(text)};
    f->doc_count++;
}

static inline void fake_list(struct fake *f, const struct kin_msg_doc *m,
                             struct kin_msg_answer *answer, struct kin_buf *out)
{
    bool there = false;
    size_t n = 0, i = fake_find(f, m->kind, m->name, &there);
    for (i += there; i < f->doc_count; i++) {
        if (!kin_str_eq(kin_str_of(f->docs[i].kind), m->kind))
            return;
        if (n++ == m->limit) {
            answer->next = 1;
            return;
        }
        kin_buf_printf(out, "\"%s\"\n", f->docs[i].name);
    }
}

static inline void fake_doc(struct fake *f, const struct kin_msg_doc *m, struct kin_str text,
                            struct kin_msg_answer *answer, struct kin_buf *out)
{
    bool there = false;
    size_t i = fake_find(f, m->kind, m->name, &there);
    switch (m->op) {
    case KIN_DOC_GET:
        answer->status = there ? KIN_OK : KIN_E_NOTFOUND;
        if (there)
            kin_buf_puts(out, f->docs[i].text);
        break;
    case KIN_DOC_PUT:
        if (there && m->create)
            answer->status = KIN_E_EXISTS;
        else
            fake_store(f, m->kind, m->name, text);
        break;
    case KIN_DOC_DELETE:
        answer->status = there ? KIN_OK : KIN_E_NOTFOUND;
        if (there)
            fake_remove(f, i);
        break;
    default:
        fake_list(f, m, answer, out);
        break;
    }
}

/* ---- records ---- */

/* The member of a match by this value, as JSON behind a comma. */
static inline void fake_match_id(const char *value, const char *rule, struct kin_buf *out)
{
    uint64_t h = kin_hash64(value, strlen(value), 0);
    kin_buf_printf(out, "\"match_id\":\"%016llx%016llx\"", (unsigned long long)h,
                   (unsigned long long)~h);
    if (rule)
        kin_buf_printf(out, ",\"rule\":\"%s\",\"confidence\":1", rule);
}

static inline bool fake_has_value(const struct fake *f, const char *value)
{
    for (size_t i = 0; i < f->id_count; i++) {
        if (f->values[i] && strcmp(f->values[i], value) == 0)
            return true;
    }
    return false;
}

static inline void fake_look_up(const struct fake *f, bool by_columns, struct kin_buf *out)
{
    json_t *record = f->column ? json_loads(f->payload, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    const json_t *member = json_object_get(record, by_columns ? f->column : f->field);
    const char *value =
        json_string_value(json_is_array(member) ? json_array_get(member, 0) : member);
    if (value && fake_has_value(f, value)) {
        kin_buf_putc(out, '{');
        fake_match_id(value, "same email", out);
        kin_buf_puts(out, "}\n");
    } else {
        kin_buf_printf(out, "%s\n", f->lookup ? f->lookup : "{\"match_id\":null}");
    }
    json_decref(record);
}

static inline size_t fake_find_id(const struct fake *f, const char *name)
{
    size_t i = 0;
    while (i < f->id_count && strcmp(f->ids[i], name) != 0)
        i++;
    return i;
}

static inline void fake_put_record(struct fake *f, const struct kin_msg_put *m, struct kin_str line,
                                   struct kin_buf *out)
{
    json_t *record = json_loadb(line.p, line.n, 0, NULL);
    const char *id = json_string_value(json_object_get(record, f->id_column));
    char name[1200];
    snprintf(name, sizeof name, "%.*s/%s", (int)m->source.n, m->source.p ? m->source.p : "",
             id ? id : "");
    size_t at = fake_find_id(f, name);
    bool there = at < f->id_count, gone = json_is_true(json_object_get(record, "DELETE"));
    if (f->put) {
        kin_buf_printf(out, "%s\n", f->put);
    } else if (!id) {
        kin_buf_puts(out, "{\"id\":\"\",\"outcome\":\"rejected\",\"field\":\"id\","
                          "\"reason\":\"id is missing or empty\"}\n");
    } else if (gone && !there) {
        kin_buf_printf(out, "{\"id\":\"%s\",\"outcome\":\"unknown\"}\n", id);
    } else if (gone) {
        kin_free(f->ids[at]);
        kin_free(f->values[at]);
        f->ids[at] = f->ids[--f->id_count];
        f->values[at] = f->values[f->id_count];
        f->values[f->id_count] = NULL;
        kin_buf_printf(out,
                       "{\"id\":\"%s\",\"outcome\":\"deleted\",\"match_id\":\"aa\","
                       "\"disconnected\":[{\"source\":\"s\",\"id\":\"left-%s\"}]}\n",
                       id, id);
    } else {
        const char *value =
            f->column ? json_string_value(json_object_get(record, f->column)) : NULL;
        bool known = value && fake_has_value(f, value);
        if (!there && f->id_count < FAKE_IDS_MAX) {
            f->values[f->id_count] = value ? fake_copy(kin_str_of(value)) : NULL;
            f->ids[f->id_count++] = fake_copy(kin_str_of(name));
        }
        if (value && (m->wait || m->mint)) {
            kin_buf_printf(out, "{\"id\":\"%s\",\"outcome\":\"%s\",", id,
                           m->wait ? "created" : "accepted");
            fake_match_id(value, known ? "same email" : NULL, out);
            kin_buf_puts(out, "}\n");
            json_decref(record);
            return;
        }
        kin_buf_printf(out, "{\"id\":\"%s\",\"outcome\":\"%s\"%s}\n", id,
                       !m->wait ? "accepted"
                       : there  ? "updated"
                                : "created",
                       m->wait && !there   ? ",\"match_id\":\"c0ffee\",\"rule\":\"waited\""
                       : m->wait           ? ",\"match_id\":\"c0ffee\""
                       : m->mint && !there ? ",\"match_id\":\"f00d\""
                                           : "");
    }
    json_decref(record);
}

static inline void fake_put(struct fake *f, const struct kin_msg_put *m, struct kin_buf *out)
{
    fake_keep(&f->source, m->source);
    f->wait = m->wait;
    f->mint = m->mint;
    for (const char *p = f->payload; *p;) {
        size_t n = strcspn(p, "\n");
        fake_put_record(f, m, (struct kin_str){p, n}, out);
        p += n + (p[n] == '\n');
    }
}

/* ---- jobs ---- */

static inline void fake_status(const struct fake *f, struct kin_buf *out)
{
    static const char *const states[] = {"?",    "uploading", "queued",   "running",
                                         "done", "failed",    "cancelled"};
    kin_buf_printf(out,
                   "{\"jobs\":[{\"job\":\"%016llx\",\"workflow\":\"people\",\"state\":\"%s\","
                   "\"ended_ms\":%llu}],\"live\":[%s]}",
                   (unsigned long long)f->job, states[f->job_state % 7],
                   (unsigned long long)f->ended_ms, f->live ? f->live : "");
}

static inline void fake_answer_ask(struct fake *f, const struct kin_message *m,
                                   struct kin_str payload, struct kin_message *a,
                                   struct kin_buf *out)
{
    uint32_t status = f->status[m->type % FAKE_TYPES];
    struct kin_str text = kin_str_of(f->refusal ? f->refusal : "");
    switch (m->type) {
    case KIN_MSG_SUBMIT:
        fake_keep(&f->workflow, m->u.submit.workflow);
        fake_keep(&f->out_dir, m->u.submit.out_dir);
        f->serve = m->u.submit.serve;
        KIN_ASSERT(m->u.submit.token);
        a->type = KIN_MSG_SUBMITTED;
        a->u.submitted.status = status;
        a->u.submitted.text = text;
        a->u.submitted.job = status ? 0 : ++f->job;
        return;
    case KIN_MSG_JOB_STATE:
        a->type = KIN_MSG_JOB_STATE_GOT;
        a->u.job_state_got.job = m->u.job_state.job;
        a->u.job_state_got.state = f->job_state;
        a->u.job_state_got.status = f->job_state ? KIN_OK : KIN_E_NOTFOUND;
        a->u.job_state_got.text = kin_str_of(f->job_text ? f->job_text : "");
        a->u.job_state_got.records = 7;
        return;
    case KIN_MSG_STATUS:
        a->type = KIN_MSG_STATUS_GOT;
        fake_status(f, out);
        return;
    default:
        break;
    }
    a->type = KIN_MSG_ANSWER;
    a->u.answer.status = status;
    a->u.answer.text = text;
    a->u.answer.partial = f->partial;
    if (status)
        return;
    if (m->type == KIN_MSG_DOC)
        fake_doc(f, &m->u.doc, payload, &a->u.answer, out);
    if (m->type == KIN_MSG_LOOKUP || m->type == KIN_MSG_PUT)
        fake_keep(&f->payload, payload);
    if (m->type == KIN_MSG_LOOKUP) {
        fake_keep(&f->source, m->u.lookup.source);
        fake_look_up(f, m->u.lookup.source.n > 0, out);
    }
    if (m->type == KIN_MSG_PUT)
        fake_put(f, &m->u.put, out);
    if (m->type == KIN_MSG_GROUP && f->group)
        kin_buf_puts(out, f->group);
    else if (m->type == KIN_MSG_GROUP)
        a->u.answer.status = KIN_E_NOTFOUND;
}

/* Through the codec and back, as a coordinator would get and send it. */
static inline struct kin_frame *fake_encode(const struct kin_message *m, struct kin_message *out)
{
    struct kin_frame *frame = NULL;
    KIN_ASSERT(kin_message_encode(m, &frame) == KIN_OK);
    KIN_ASSERT(kin_message_decode(frame, out, NULL) == KIN_OK);
    return frame;
}

static inline void
fake_ask(void *backend, struct kin_message *m, struct kin_buf *payload, uint32_t timeout_ms,
         void (*answer)(void *arg, const struct kin_message *m, struct kin_frame *f), void *arg)
{
    struct fake *f = backend;
    struct kin_buf text = {0}, out = {0};
    KIN_ASSERT(timeout_ms > 0);
    if (payload)
        text = *payload;
    f->asked[m->type % FAKE_TYPES]++;
    if (f->silent[m->type % FAKE_TYPES]) {
        answer(arg, NULL, NULL);
    } else {
        struct kin_message a = {.type = 0}, got, sent;
        struct kin_frame *question = fake_encode(m, &got);
        fake_answer_ask(f, &got, (struct kin_str){(const char *)text.p, text.n}, &a, &out);
        struct kin_frame *frame = fake_encode(&a, &sent);
        kin_buf_put(&frame->payload, f->garbage ? (const void *)"{\"" : out.p,
                    f->garbage ? 2 : out.n);
        answer(arg, &sent, frame);
        kin_frame_unref(frame);
        kin_frame_unref(question);
    }
    kin_buf_deinit(&text);
    kin_buf_deinit(&out);
}

static inline struct fake *fake_new(void)
{
    struct fake *f = kin_calloc(1, sizeof *f);
    KIN_ASSERT(f);
    f->backend = (struct gateway_backend){fake_ask, f};
    f->id_column = "cid";
    return f;
}

static inline void fake_free(struct fake *f)
{
    while (f->doc_count)
        fake_remove(f, f->doc_count - 1);
    while (f->id_count) {
        kin_free(f->ids[--f->id_count]);
        kin_free(f->values[f->id_count]);
    }
    kin_free(f->workflow);
    kin_free(f->out_dir);
    kin_free(f->payload);
    kin_free(f->source);
    kin_free(f);
}

#endif
