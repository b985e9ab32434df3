#ifndef KIN_COORDINATOR_LIVE_H
#define KIN_COORDINATOR_LIVE_H
/* Live operation, private to the coordinator: workflows that are served. Loop thread, unless said
 * otherwise. docs/live.md explains it.
 *
 * The way of a PUT: queued; formed into a batch with others of its source by a task (live_form.c);
 * the batch is appended to the log, which makes it durable and is what is acknowledged; then
 * batches are applied one after the other (live_apply.c): sent to the workers, who store it and
 * answer what its records match; the graph is changed, touched components are clustered anew,
 * MatchIds assigned (live_regroup.c); all that changes goes to the store in one commit, with the
 * events, and only when that is durable the groups that requests see follow (live_commit.c).
 *
 * What the store has, by database; every key begins with u32 slot, big endian, of the workflow:
 *   DB_LIVE  slot 'N': name, run, layout, workflow, plan, dead records (live_open.c); 'A': what was
 *            applied; then by u64 run, big endian: 'R' number: a record; 'E' a b: an edge;
 *            'M' hub number: a member of a hub; and 'L' 16 bytes: a link of a person
 *   DB_IDS   slot, MatchId: struct registry_entry
 *   DB_FEED  slot 'F' sequence: an event; slot 'I' MatchId sequence: that it is named there
 *   DB_LOG   slot, sequence: a batch that is not applied yet */
#include "coordinator/impl.h"
#include "coordinator/live_graph.h"
#include "proto/live.h"

enum {
    LIVE_BACKLOG = 8,             /* batches in the log and not applied, at most */
    LIVE_QUEUED_BYTES = 64 << 20, /* of PUTs that wait; beyond, they are refused */
    LIVE_BATCH_RECORDS = 2048,    /* aim for one batch */
    LIVE_BATCH_BYTES = 4 << 20,
    LIVE_COMPONENT_MAX = 100 * 1000,  /* a larger one is deferred */
    LIVE_CLUSTER_MAX = 5000,          /* the same, where it has to be looked into */
    LIVE_ANSWER_US = 2 * 1000 * 1000, /* a worker that is slower counts as away, for a lookup */
    LIVE_WAITS_MAX = 256,             /* long polls */
    LIVE_INLINE_RECORDS = 8,          /* a LOOKUP of so many is normalised on the loop */
    LIVE_INLINE_BYTES = 65536
};

struct live;
struct live_batch;
struct live_explainer;

/* ---- requests to workers ---- */

struct live_ask {
    struct live_ask *next;
    struct live *live;
    unsigned worker; /* index */
    uint64_t request;
    struct kin_message message; /* its strings are static or the live's */
    struct kin_frame *payload;
    uint64_t sent_us;                     /* 0: not yet */
    uint64_t deadline_us;                 /* 0: asked again until it is answered */
    void (*forget)(struct live_ask *ask); /* the node stops: frees arg. NULL: it is not owned */
    /* m and f are borrowed; NULL: the deadline has passed, or the live ends. Called once. */
    void (*answer)(struct live_ask *ask, const struct kin_message *m, struct kin_frame *f);
    void *arg;
};
/* payload (may be NULL): a reference is taken over, also on failure. */
kin_status live_ask(struct live *live, unsigned worker, const struct kin_message *m,
                    struct kin_frame *payload, uint64_t timeout_us,
                    void (*answer)(struct live_ask *, const struct kin_message *,
                                   struct kin_frame *),
                    void (*forget)(struct live_ask *), void *arg) KIN_MUST_CHECK;
void live_on_answer(struct kin_coordinator *c, kin_node_id node, const struct kin_message *m,
                    struct kin_frame *f);

/* ---- a workflow that is served ---- */

struct live_lookup;
struct live_worker {
    kin_node_id node;
    enum { LIVE_CLOSED, LIVE_OPENING, LIVE_OPEN, LIVE_LOST } state;
    uint64_t incarnation; /* that it is open in */
    /* lookups that wait to be sent: features, and whose they are */
    struct kin_buf features;
    struct kin_buf origins; /* struct live_origin */
    unsigned lookups;       /* LIVE_LOOKUPs under way */
};

struct live_link { /* of a person */
    struct live_link *next;
    uint8_t name[16]; /* hash of the two records */
    uint32_t kind;
    bool of_file; /* the workflow's files say it: another run asks them again */
    uint16_t source[2];
    char *id[2]; /* owned; (source, id) ascending */
    char *who, *why;
    uint64_t at_ms;
};

struct live_put { /* one PUT, or one LINK */
    struct live_put *next;
    kin_node_id from;
    uint64_t request;
    bool wait, mint;
    uint16_t source;
    struct kin_frame *frame;  /* NULL: its source was sent text already */
    struct live_link *link;   /* of a LINK; owned */
    size_t lines_from, lines; /* in the batch's lines */
};

struct live_wait { /* a CHANGES that waits */
    struct live_wait *next;
    kin_node_id from;
    uint64_t request, until_us, after;
    uint32_t limit;
};

struct live {
    struct live *next;
    struct kin_coordinator *c;
    uint32_t slot;
    uint64_t run;
    enum { LIVE_LOADING, LIVE_SERVING, LIVE_FAILED, LIVE_ENDED } state;
    bool reload;        /* read again from the store when it has ended */
    bool links_frozen;  /* a job that is to take its place has asked for them */
    bool frozen;        /* another run is about to take its place: no PUT */
    unsigned under_way; /* tasks and store ops: it is freed after them */
    struct kin_workflow *workflow;
    struct kin_buf text; /* of the workflow file */
    char *base_dir;
    struct kin_shard_map shards;
    struct live_worker workers[KIN_WORKERS_MAX];
    uint64_t base_batches;
    uint32_t base_records;            /* of the run; those with higher numbers were put since */
    struct kin_frame *open_payload;   /* plan and dead records */
    struct live_explainer *explainer; /* live_explain.c; NULL: not asked for yet */

    struct live_graph graph;
    uint64_t batch0;  /* batch number of the run itself: those after it are batch0 + seq */
    uint64_t applied; /* seq */
    uint64_t next_event;
    uint64_t windowed, deferred;

    struct live_link *links;
    size_t link_count;
    uint64_t *link_bits; /* by hash of a record: a link may name it (Bloom 1970, one hash) */
    uint64_t link_mask;  /* bits, less one */

    struct live_put *queue, **queue_end;
    size_t queue_bytes;
    bool forming;
    uint64_t logged;                           /* seq */
    uint32_t next_number;                      /* after all that is logged */
    struct live_batch *batches, **batches_end; /* logged, not applied; the first is being applied */
    unsigned backlog;
    bool logging, committing;

    struct live_lookup *lookups;         /* under way */
    struct lookup_parser *parser;        /* of small ones, on the loop */
    struct kin_workflow_source by_field; /* its columns are the fields themselves */
    struct kin_arena arena;
    struct live_wait *waits;
    uint64_t lookup_count, put_count;
};

struct live *live_find(struct kin_coordinator *c, struct kin_str workflow); /* NULL */
bool live_serves_run(const struct kin_coordinator *c, uint64_t run);
/* Why there is none: KIN_E_NOTFOUND, or KIN_E_BUSY while the store is read. */
kin_status live_missing(const struct kin_coordinator *c);
static inline uint64_t live_batch_now(const struct live *live)
{
    return live->batch0 + live->applied;
}
/* Open for requests to this worker. */
static inline bool live_worker_up(const struct live *live, unsigned worker)
{
    const struct live_worker *w = &live->workers[worker];
    const struct peer *p = &live->c->peers[w->node - 1];
    return w->state == LIVE_OPEN && p->joined && p->incarnation == w->incarnation;
}
bool live_partial(const struct live *live);
/* What the store cannot keep is not known for sure any more: it is read again. */
void live_broken(struct live *live, kin_status status, const char *what);

/* Tasks and store ops that belong to a live: as ctask_new and cstore_new. finish is called even
 * when it has ended meanwhile (state says so). */
struct live_task {
    struct ctask task;
    struct live *live;
    void (*finish)(struct live_task *t);
    void (*release)(struct live_task *t);
};
void live_task_drop(struct live_task *t); /* one that was not started */
void *live_task_new(struct live *live, size_t bytes,
                    void (*run)(struct kin_env *, struct kin_work *),
                    void (*finish)(struct live_task *), void (*release)(struct live_task *));
static inline void live_task_start(struct live_task *t)
{
    ctask_start(&t->task);
}

/* A list of changes for the store, gathered. */
struct live_puts {
    struct kin_buf bytes, list;
};
void live_put_kv(struct live_puts *p, unsigned db, struct kin_str key, struct kin_str value);
void live_put_delete(struct live_puts *p, unsigned db, struct kin_str key);
void live_puts_deinit(struct live_puts *p);
size_t live_puts_count(const struct live_puts *p);
/* Empties p. done: as of a store op; NULL is returned, and nothing stored, without memory. */
kin_status live_store(struct live *live, struct live_puts *p,
                      void (*done)(struct live *live, kin_status status)) KIN_MUST_CHECK;

/* ---- keys of the store (live_keys.c) ---- */

struct live_key {
    uint8_t bytes[64];
    size_t n;
};
static inline struct kin_str live_key_str(const struct live_key *k)
{
    return (struct kin_str){(const char *)k->bytes, k->n};
}
struct live_key live_key_of(uint32_t slot, char kind);
struct live_key live_key_run(uint32_t slot, char kind, uint64_t run);
void live_key_u32(struct live_key *k, uint32_t number); /* appended, big endian */
void live_key_u64(struct live_key *k, uint64_t number);
void live_key_id(struct live_key *k, const struct registry_id *id);
struct live_key live_key_log(uint32_t slot, uint64_t seq);
struct live_key live_key_entry(uint32_t slot, const struct registry_id *id);
/* Of all that a run has: 'R', 'E', 'M'. */
struct live_key live_key_record(const struct live *live, uint32_t number);
struct live_key live_key_edge(const struct live *live, uint32_t a, uint32_t b);
struct live_key live_key_member(const struct live *live, uint32_t hub, uint32_t number);

void live_put_record(struct live *live, struct live_puts *p, uint32_t number);
void live_put_edge(struct live *live, struct live_puts *p, uint32_t a, uint32_t b, uint16_t rule,
                   int32_t weight);
void live_put_member(struct live *live, struct live_puts *p, uint32_t hub, uint32_t number);
void live_put_applied(struct live *live, struct live_puts *p, uint64_t applied,
                      uint64_t next_event);
void live_put_link(struct live *live, struct live_puts *p, const struct live_link *link);
void live_put_event(struct live *live, struct live_puts *p, uint64_t seq,
                    const struct registry_event *event);
/* The same in two: the event, and each id that it names. */
void live_put_event_text(struct live *live, struct live_puts *p, uint64_t seq,
                         const struct registry_event *event);
void live_put_named(struct live *live, struct live_puts *p, uint64_t seq,
                    const struct registry_id *id);
void live_put_group(struct live *live, struct live_puts *p, uint32_t group); /* DB_IDS */
/* The same of an id that no group has any more; the group is still one of `of`. survivor NULL: it
 * is gone. */
void live_put_retired(struct live *live, struct live_puts *p, const struct live_graph *of,
                      uint32_t group, const struct registry_id *see_also, size_t see_also_count,
                      const struct registry_id *survivor);

/* ---- batches ---- */

enum live_outcome {
    LIVE_ACCEPTED,
    LIVE_CREATED,
    LIVE_UPDATED,
    LIVE_DELETED,
    LIVE_UNKNOWN,
    LIVE_SUPERSEDED,
    LIVE_REJECTED
};
struct live_line { /* one line of a PUT */
    enum live_outcome outcome;
    uint32_t id_at, id_bytes; /* in the batch's text */
    uint32_t reason_at, reason_bytes, field_at, field_bytes;
    uint32_t rel;    /* its record in the batch; LIVE_NONE */
    uint32_t remove; /* its place among the removals; LIVE_NONE */
    struct registry_id minted;
    bool has_minted;
};
struct live_removal {
    uint32_t id_at, id_bytes;                     /* in text */
    uint32_t number;                              /* once applied; LIVE_NONE: unknown */
    uint32_t disconnected_from, disconnected_end; /* in the batch's disconnected */
    struct registry_id id;                        /* of its group */
};
struct live_batch {
    struct live_batch *next;
    uint64_t seq;
    uint32_t base, count; /* numbers of its records */
    uint16_t source;
    unsigned workers;
    struct kin_frame *payload[KIN_WORKERS_MAX]; /* features and rows, as logged */
    uint32_t feature_bytes[KIN_WORKERS_MAX], row_bytes[KIN_WORKERS_MAX];
    struct kin_buf page_bytes;
    struct kin_page page;
    struct kin_buf text;     /* ids of removals and lines, reasons */
    struct kin_buf removals; /* struct live_removal */
    struct kin_buf minted;   /* u32 rel */
    struct live_link *link;  /* NULL: it is no link, or was taken in; one that revokes stays */
    uint8_t link_name[16];
    bool link_missing; /* a link was to be revoked that was not there */
    /* for those who wait */
    struct live_put *puts;
    struct kin_buf lines; /* struct live_line */
    /* while it is applied */
    bool begun;
    uint8_t *outcome;       /* [count] of its records */
    struct kin_buf removed; /* u32: numbers that are no more */
    unsigned waiting;       /* workers */
    struct kin_buf edges;   /* KIN_LIVE_EDGE_BYTES, of all workers */
    uint64_t windowed;
    struct kin_buf seeds;
    struct live_puts store;
    struct regroup *regroup;
    uint64_t next_event;
    struct kin_buf disconnected; /* u32 numbers */
};
void live_batch_drop(struct live_batch *b);

/* live_form.c */
void live_serve_put(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m,
                    struct kin_frame *f);
void live_form(struct live *live); /* goes on with what is queued, if it may */
void live_put_free(struct live_put *p);
/* live_log.c */
/* A batch without records: what workers are sent of it. */
kin_status live_batch_empty(struct live_batch *b, unsigned workers) KIN_MUST_CHECK;
void live_log_append(struct live *live, struct live_batch *b); /* owns it */
/* [task] From the log. KIN_E_CORRUPT, KIN_E_NOMEM. */
kin_status live_log_read(const struct kin_workflow *workflow, struct kin_str value,
                         struct live_batch **out) KIN_MUST_CHECK;
/* live_apply.c */
void live_apply(struct live *live); /* goes on with the first batch, if it may */
/* live_regroup.c: touched components, and their MatchIds */
void live_regroup(struct live *live, struct live_batch *b); /* goes on to live_commit */
void live_regroup_free(struct regroup *r);
/* live_commit.c */
void live_commit(struct live *live, struct live_batch *b);
/* live_answer.c */
void live_answer(struct kin_coordinator *c, kin_node_id to, uint64_t request, kin_status status,
                 const char *text);
void live_answer_json(struct live *live, kin_node_id to, uint64_t request, struct kin_buf *json,
                      uint64_t next, bool partial); /* json is consumed */
void live_answer_puts(struct live *live, struct live_batch *b, bool applied);
void live_json_record(const struct live *live, uint32_t record, struct kin_buf *out);
const char *live_rule_name(const struct kin_workflow *w, uint32_t rule);
/* "rule":..,"confidence":..[,"weight":..] */
void live_json_reason(const struct kin_workflow *w, uint16_t rule, int32_t weight, bool weighs,
                      struct kin_buf *out);
void live_json_id(const struct registry_id *id, struct kin_buf *out);
/* live_lookup.c */
void live_serve_lookup(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m,
                       struct kin_frame *f);
void live_lookup_pump(struct live *live, unsigned worker);
void live_lookups_end(struct live *live);
kin_status live_lookup_init(struct live *live) KIN_MUST_CHECK; /* once it has its workflow */
void live_lookup_deinit(struct live *live);
/* live_fetch.c: features (and rows) of records, from their homes */
struct live_fetched {
    const uint8_t **features;              /* [count] NULL: it is not there any more */
    const uint8_t **rows;                  /* [count] as kin_batch_row_read takes them; NULL */
    const struct kin_batch_rows *sections; /* [workers] */
    const uint8_t *section_of;             /* [count] worker */
    size_t count;
    bool partial; /* a worker was away */
};
/* numbers: copied. ready is called once, not before this returns, with what is valid until it does;
 * forget (NULL: arg is not owned) instead of it where the node stops. */
kin_status live_fetch(struct live *live, const uint32_t *numbers, size_t count, bool rows,
                      uint64_t timeout_us,
                      void (*ready)(struct live *live, void *arg, const struct live_fetched *got),
                      void (*forget)(void *arg), void *arg) KIN_MUST_CHECK;
/* live_read.c */
void live_serve_group(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m);
void live_serve_history(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m);
/* live_golden.c: the golden record of some records, as the JSON object of GROUP. members: their
 * numbers in the order of (source, id); got: their rows, in the same places; those without one are
 * left out of account. KIN_E_NOMEM; KIN_E_PROTO: a row is not of its record. Nothing is appended
 * then, but out->failed may be set. */
kin_status live_golden(const struct live *live, const uint32_t *members,
                       const struct live_fetched *got, struct kin_buf *out) KIN_MUST_CHECK;
/* live_changes.c */
void live_serve_changes(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m);
void live_changes_wake(struct live *live, bool all); /* there are new events, or time has passed */
/* live_explain.c */
void live_serve_explain(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m);
/* Appends the object for a pair on one line, without a line end. a, b: valid features that fit the
 * schema; one of a source that the workflow does not have (KIN_LIVE_NO_SOURCE) has neither source
 * nor id there. KIN_E_NOMEM; KIN_E_BUSY, KIN_E_PROTO: the plan is not there, or cannot be used. */
kin_status live_explain_pair(struct live *live, const uint8_t *a, const uint8_t *b,
                             struct kin_buf *out) KIN_MUST_CHECK;
void live_explainer_free(struct live_explainer *e); /* NULL is fine */
/* live_links.c */
void live_serve_link(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m);
void live_serve_links(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m);
void live_link_free(struct live_link *link);
/* With the MatchIds of its ends, and a line end. */
void live_link_json(const struct live *live, const struct live_link *link, struct kin_buf *out);
void live_link_name(struct live_link *link, const struct kin_workflow *w);
kin_status live_link_read(struct kin_str value, const struct kin_workflow *w,
                          struct live_link **out) KIN_MUST_CHECK; /* [task] */
/* Edges of links that name a record which was just added. */
kin_status live_links_attach(struct live *live, uint32_t record) KIN_MUST_CHECK;
/* A link that is new, and no record's edge yet is; owns it. */
kin_status live_links_add(struct live *live, struct live_link *link) KIN_MUST_CHECK;
/* A link is taken in, which owns it then, or revoked, which stays the caller's; ends that are there
 * go to seeds. *found: there was one. */
kin_status live_links_take(struct live *live, struct live_link *link, struct kin_buf *seeds,
                           struct live_puts *store, bool *found) KIN_MUST_CHECK;
/* docs.c */
void docs_on_message(struct kin_coordinator *c, kin_node_id from, const struct kin_message *m,
                     struct kin_frame *f);

/* ---- begin and end (live_open.c) ---- */

#define LIVE_STALE_SLOT UINT32_MAX /* 'K' run: workers may still have it, and are to forget it */
struct live *live_new(struct kin_coordinator *c, uint32_t slot); /* NULL: out of memory */
/* Copies both, and parses. */
kin_status live_set_workflow(struct live *live, struct kin_str text,
                             struct kin_str base_dir) KIN_MUST_CHECK;
void live_put_head(const struct live *live, struct live_puts *p);
void live_reload_slot(struct kin_coordinator *c, uint32_t slot);
void lives_start(struct kin_coordinator *c); /* reads what is served; then clients are answered */
void lives_tick(struct kin_coordinator *c);
void lives_free(struct kin_coordinator *c);
void live_worker_joined(struct kin_coordinator *c, kin_node_id node);
void live_free(struct live *live);
void live_drop_waiting(struct live *live, const char *text); /* all are told to try again */
void live_reload(struct live *live); /* from the store, once nothing is under way */
void live_end(struct live *live);    /* it is served no more */
void live_settle(struct live *live); /* frees one that has ended, if it can be */
void live_open_workers(struct live *live);

/* ---- from a batch to a workflow that is served (live_install.c) ---- */

/* Records that were put since its run, and are there. */
uint32_t live_put_since(const struct live *live);
/* MatchGroups are numbered: their MatchIds, inherited where the workflow is served; goes on to
 * write. */
void live_prepare(struct kin_coordinator *c);
/* The outputs are there; goes on to the job's end. */
void live_install(struct kin_coordinator *c);
void live_prepared_free(struct cjob *job);
bool job_serves(const struct cjob *job);
/* The MatchId of a group; NULL: by its founder. */
const struct registry_id *live_group_id(const struct cjob *job, uint32_t group);

#endif
