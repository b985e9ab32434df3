#include "coordinator/live.h"

#include <jansson.h>
#include <stdio.h>

/* What the cluster is doing, for people and their tools: one JSON object. */

static void put(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void put_text(json_t *object, const char *key, const char *text)
{
    json_t *s = json_string(text);
    json_object_set_new(object, key, s ? s : json_string(""));
}

static void put_id(json_t *object, const char *key, uint64_t id)
{
    char hex[24];
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)id);
    put_text(object, key, hex);
}

static json_t *workers_json(const struct kin_coordinator *c)
{
    json_t *list = json_array();
    uint64_t now = c->env->ops->now_us(c->env);
    for (unsigned i = 0; i < KIN_WORKERS_MAX; i++) {
        const struct peer *p = &c->peers[i];
        bool part = c->job && c->job->dealt && p->index != NO_INDEX;
        if (!p->known && !part)
            continue;
        json_t *o = json_object();
        uint64_t shards = 0;
        for (unsigned s = 0; part && s < KIN_SHARDS; s++)
            shards += c->job->shards.owner[s] == p->index;
        put(o, "node", i + 1);
        put_text(o, "name", p->name);
        json_object_set_new(o, "joined", json_boolean(p->joined));
        put(o, "threads", p->threads);
        put(o, "silent_ms", (now - p->heard_us) / 1000);
        put(o, "lease_ms", c->lease_us / 1000);
        put(o, "shards", shards);
        json_array_append_new(list, o);
    }
    return list;
}

static const char *state_text(enum kin_job_state state)
{
    static const char *const texts[] = {"?",    "uploading", "queued",   "running",
                                        "done", "failed",    "cancelled"};
    return texts[state];
}

static json_t *job_json(const struct kin_coordinator *c, const struct jobrec *rec)
{
    json_t *o = json_object();
    put_id(o, "job", rec->id);
    put_text(o, "workflow", rec->name);
    put_text(o, "state", state_text(rec->state));
    struct kin_progress p = {0};
    bool runs = c->job && c->job->rec == rec;
    if (runs)
        kin_coordinator_progress(c, &p);
    put_text(o, "phase", runs ? kin_phase_name(p.phase) : "");
    put(o, "done", p.done);
    put(o, "total", p.total);
    put(o, "records", p.records);
    put(o, "runs", rec->runs);
    put(o, "submitted_ms", rec->submitted_ms);
    put(o, "ended_ms", rec->ended_ms);
    put_text(o, "error", rec->error);
    json_object_set_new(o, "at_coordinator", json_boolean(!rec->sent));
    put_text(o, "output", rec->sent ? "" : rec->out_dir);
    json_object_set_new(o, "results_kept",
                        json_boolean(rec->sent && rec->state == KIN_JOB_DONE && !rec->dropped));
    return o;
}

static json_t *lives_json(const struct kin_coordinator *c)
{
    json_t *list = json_array();
    for (const struct live *live = c->lives; live; live = live->next) {
        json_t *o = json_object();
        unsigned lost = 0;
        for (unsigned w = 0; w < live->shards.workers; w++)
            lost += live->workers[w].state == LIVE_LOST;
        put_text(o, "workflow", live->workflow->name);
        put_id(o, "run", live->run);
        put(o, "batch", live_batch_now(live));
        put(o, "records", live->graph.alive);
        put(o, "groups", live->graph.groups_alive);
        put(o, "changes", live->next_event - 1);
        put(o, "pending", live->backlog);
        put(o, "links", live->link_count);
        put(o, "windowed", live->windowed);
        put(o, "deferred", live->deferred);
        put(o, "lookups", live->lookup_count);
        put(o, "puts", live->put_count);
        put(o, "workers_lost", lost); /* their records have to be loaded again, by a new job */
        json_object_set_new(o, "partial", json_boolean(live_partial(live)));
        json_array_append_new(list, o);
    }
    return list;
}

kin_status status_json(struct kin_coordinator *c, uint32_t jobs_max, struct kin_buf *out)
{
    json_t *root = json_object(), *jobs = json_array();
    unsigned skip = c->queue->count > jobs_max ? c->queue->count - jobs_max : 0;
    put_id(root, "cluster", c->cluster);
    put_text(root, "version", c->args->version ? c->args->version : "");
    put(root, "uptime_ms", (c->env->ops->now_us(c->env) - c->booted_us) / 1000);
    put(root, "workers_joined", member_count(c));
    put(root, "workers_wanted", c->args->workers);
    json_object_set_new(root, "workers", workers_json(c));
    for (const struct jobrec *rec = c->queue->first; rec; rec = rec->next) {
        if (skip)
            skip--;
        else
            json_array_insert_new(jobs, 0, job_json(c, rec)); /* the newest first */
    }
    json_object_set_new(root, "jobs", jobs);
    json_object_set_new(root, "live", lives_json(c));
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (!text)
        return KIN_E_NOMEM;
    kin_buf_puts(out, text);
    json_free_t free_text;
    json_get_alloc_funcs(NULL, &free_text);
    free_text(text);
    return out->failed ? KIN_E_NOMEM : KIN_OK;
}
