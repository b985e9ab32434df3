#include "coordinator/live.h"

#include <stdio.h>
#include <string.h>

/* The worker nodes: who is there, under which lease and epoch, and which shards of the run each one
 * owns. A worker that joins while a job runs has no part in it; one that is away for too long loses
 * its part, and the job is begun anew over those who are there: its records come from the sources
 * again, which is what keeps every worker's store a function of sources and shard map. */

enum { RECORD_HEAD = 4 + KIN_SHARDS };

unsigned member_count(const struct kin_coordinator *c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < KIN_WORKERS_MAX; i++)
        n += c->peers[i].joined;
    return n;
}

/* What it was asked and did not answer is asked again, from the start: it may have missed anything.
 */
static void rejoin(struct kin_coordinator *c, unsigned worker, bool anew)
{
    struct cworker *w = &c->job->workers[worker];
    if (anew)
        track_reset(w);
    w->asked = STEP_NONE;
    w->opened = false;
    w->sent = w->durable;
    for (struct rpc *r = c->rpcs; r; r = r->next) {
        if (r->worker == worker)
            r->sent_us = 0;
    }
}

void member_on_hello(struct kin_coordinator *c, kin_node_id node, const struct kin_message *m)
{
    struct peer *p = &c->peers[node - 1];
    uint32_t version;
    if (!c->ready)
        return; /* it says HELLO again */
    if (kin_proto_negotiate(m->u.hello.version_min, m->u.hello.version_max, &version) != KIN_OK) {
        struct kin_message refusal = {.type = KIN_MSG_REFUSED};
        refusal.u.refused.status = KIN_E_VERSION;
        refusal.u.refused.text = KIN_STR("no protocol version in common");
        coordinator_reply(c, node, &refusal, m->request, NULL);
        return;
    }
    bool anew = !p->known || p->incarnation != m->u.hello.incarnation;
    p->known = p->joined = true;
    p->incarnation = m->u.hello.incarnation;
    p->epoch = c->generation << 32 | ++c->joins;
    p->heard_us = c->env->ops->now_us(c->env);
    p->threads = m->u.hello.threads;
    snprintf(p->name, sizeof p->name, "%.*s", (int)m->u.hello.name.n,
             m->u.hello.name.p ? m->u.hello.name.p : "");
    kin_env_log(c->env, 'I', "worker_joined", "worker=%u name=\"%s\" epoch=%llu", node, p->name,
                (unsigned long long)p->epoch);
    struct kin_message welcome = {.type = KIN_MSG_WELCOME};
    welcome.u.welcome.version = version;
    welcome.u.welcome.lease_ms = (uint32_t)(c->lease_us / 1000);
    coordinator_reply(c, node, &welcome, m->request, NULL);
    if (c->job && c->job->dealt && p->index != NO_INDEX)
        rejoin(c, p->index, anew);
    live_worker_joined(c, node);
    job_ready(c);
}

void member_on_lease(struct kin_coordinator *c, kin_node_id node, const struct kin_message *m)
{
    struct kin_message ok = {.type = KIN_MSG_LEASE_OK};
    c->peers[node - 1].progress_done = m->u.lease.done;
    c->peers[node - 1].progress_total = m->u.lease.total;
    ok.u.lease_ok.lease_ms = (uint32_t)(c->lease_us / 1000);
    coordinator_reply(c, node, &ok, m->request, NULL);
}

/* ---- shards ---- */

static void take_part(struct cjob *job, struct peer *p, uint32_t index)
{
    job->workers[index] = (struct cworker){.peer = p};
    p->index = index;
}

static void leave_all(struct kin_coordinator *c)
{
    for (unsigned i = 0; i < KIN_WORKERS_MAX; i++)
        c->peers[i].index = NO_INDEX;
}

void member_deal(struct kin_coordinator *c)
{
    struct cjob *job = c->job;
    uint32_t capacity[KIN_WORKERS_MAX], n = 0;
    leave_all(c);
    for (unsigned i = 0; i < KIN_WORKERS_MAX; i++) {
        if (!c->peers[i].joined)
            continue;
        capacity[n] = c->peers[i].threads;
        take_part(job, &c->peers[i], n++);
    }
    kin_shard_map_deal(&job->shards, capacity, n);
    job->dealt = true;
}

void member_record(const struct cjob *job, const struct kin_coordinator *c, struct kin_buf *out)
{
    kin_buf_u32(out, job->shards.workers);
    kin_buf_put(out, job->shards.owner, KIN_SHARDS);
    for (uint32_t i = 0; i < job->shards.workers; i++)
        kin_buf_u32(out, (uint32_t)(job->workers[i].peer - c->peers) + 1);
}

bool member_restore(struct kin_coordinator *c, struct kin_str record)
{
    struct cjob *job = c->job;
    if (record.n < RECORD_HEAD)
        return false;
    uint32_t n = kin_le32(record.p);
    if (!kin_shard_map_read((struct kin_str){record.p + 4, KIN_SHARDS}, n, &job->shards) ||
        record.n != RECORD_HEAD + 4 * (size_t)n)
        return false;
    leave_all(c);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t node = kin_le32(record.p + RECORD_HEAD + 4 * (size_t)i);
        if (node == 0 || node > KIN_WORKERS_MAX || c->peers[node - 1].index != NO_INDEX)
            return false;
        struct peer *p = &c->peers[node - 1];
        take_part(job, p, i);
        if (!p->known)
            p->heard_us = c->booted_us; /* awaited from then on */
    }
    job->dealt = true;
    return true;
}

/* ---- time ---- */

static void give_up(struct kin_coordinator *c, const struct peer *p)
{
    kin_env_log(c->env, 'W', "worker_given_up", "worker=%u name=\"%s\" others=%u",
                (unsigned)(p - c->peers) + 1, p->name, member_count(c));
    queue_again(c);
}

void member_tick(struct kin_coordinator *c)
{
    uint64_t now = c->env->ops->now_us(c->env);
    for (unsigned i = 0; i < KIN_WORKERS_MAX; i++) {
        struct peer *p = &c->peers[i];
        if (p->joined && now - p->heard_us > c->lease_us) {
            p->joined = false;
            kin_env_log(c->env, 'W', "worker_lost", "worker=%u epoch=%llu", i + 1,
                        (unsigned long long)p->epoch);
        }
    }
    struct cjob *job = c->job;
    if (!c->queue || !job || job->failed || !job->dealt || !member_count(c))
        return;
    for (unsigned i = 0; i < job->shards.workers; i++) {
        const struct peer *p = job->workers[i].peer;
        if (!p->joined && now - p->heard_us > c->give_up_us) {
            give_up(c, p);
            return;
        }
    }
}
