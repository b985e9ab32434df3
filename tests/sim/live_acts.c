#include "tests/sim/live_cluster.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What the client does: records come, change and go, people link them, others look. */

enum {
    MS = 1000,
    PATIENCE_US = 120 * 1000 * MS,
    REST_US = 320 * MS /* a clog and ten delays: a frame has arrived then, or is lost */
};

static bool is_answered(void *arg)
{
    return ((struct live_request *)arg)->answered;
}

/* ---- records ---- */

static bool same_name(uint32_t source_a, const char *id_a, uint32_t source_b, const char *id_b)
{
    return source_a == source_b && strcmp(id_a, id_b) == 0;
}

int live_cluster_find(const struct oracle *o, uint32_t source, const char *id)
{
    for (int i = 0; i < o->count; i++) {
        if (same_name(o->records[i].source, o->records[i].id, source, id))
            return i;
    }
    return -1;
}

static void touch(struct live_cluster *k, uint32_t source, const char *id)
{
    if (k->touched_count == LIVE_TOUCHED)
        abort();
    k->touched[k->touched_count++] = live_name_of(source, id);
}

static bool is_touched(const struct live_cluster *k, uint32_t source, const char *id)
{
    for (int i = 0; i < k->touched_count; i++) {
        if (same_name(k->touched[i].source, k->touched[i].id, source, id))
            return true;
    }
    return false;
}

/* A PUT of it is under way, or a frame of one may be. */
static bool is_resting(struct live_cluster *k, uint32_t source, const char *id)
{
    uint64_t now = kin_sim_now_us(k->sim);
    for (int i = 0; i < LIVE_OPS; i++) {
        const struct live_op *op = &k->ops[i];
        for (int l = 0; op->q && !op->link && l < op->line_count; l++) {
            if (same_name(op->source, op->lines[l].record.id, source, id))
                return true;
        }
    }
    for (int i = k->resting_count - 1; i >= 0; i--) {
        if (k->resting[i].until_us <= now)
            k->resting[i] = k->resting[--k->resting_count];
        else if (same_name(k->resting[i].name.source, k->resting[i].name.id, source, id))
            return true;
    }
    return false;
}

static void rest(struct live_cluster *k, const struct live_request *q, uint32_t source,
                 const char *id)
{
    if (!k->reordered || k->resting_count == LIVE_TOUCHED)
        return;
    k->resting[k->resting_count].until_us = q->sent_us + REST_US;
    k->resting[k->resting_count++].name = live_name_of(source, id);
}

/* What one line does to the records; the outcome that it must have. */
static const char *apply_line(struct live_cluster *k, const struct live_put_line *l,
                              uint32_t source)
{
    struct oracle *o = &k->truth;
    if (l->bad)
        return "rejected";
    int at = live_cluster_find(o, source, l->record.id);
    if (l->remove) {
        if (at < 0)
            return "unknown";
        o->records[at] = o->records[--o->count];
        return "deleted";
    }
    if (at >= 0 && l->record.updated != INT64_MIN && o->records[at].updated > l->record.updated)
        return "superseded";
    if (at < 0 && o->count == LIVE_RECORDS)
        abort();
    const char *outcome = at < 0 ? "created" : "updated";
    if (at < 0)
        at = o->count++;
    o->records[at] = l->record;
    return outcome;
}

/* Of several lines of one id. */
static bool is_last(const struct live_op *op, int l)
{
    for (int i = l + 1; i < op->line_count; i++) {
        if (!op->lines[i].bad && strcmp(op->lines[i].record.id, op->lines[l].record.id) == 0)
            return false;
    }
    return true;
}

static bool check_line(struct live_cluster *k, const struct live_op *op, int l, const char *outcome,
                       const char *text, size_t bytes)
{
    json_t *j = json_loadb(text, bytes, 0, NULL);
    const char *got = json_string_value(json_object_get(j, "outcome"));
    const char *id = json_string_value(json_object_get(j, "id"));
    const char *match_id = json_string_value(json_object_get(j, "match_id"));
    bool ok = got && id,
         stored = strcmp(outcome, "created") == 0 || strcmp(outcome, "updated") == 0;
    const struct live_put_line *line = &op->lines[l];
    bool last = is_last(op, l);
    if (!line->bad && !last)
        outcome = "superseded";
    else if (!line->bad && !op->wait)
        outcome = "accepted";
    ok = ok && (line->bad || strcmp(id, line->record.id) == 0);
    ok = ok && (!k->strict || op->q->tries > 1 || strcmp(got, outcome) == 0 ||
                (!op->wait && strcmp(got, "accepted") == 0));
    ok = ok && (!line->bad || strcmp(got, "rejected") == 0);
    ok = ok && (!(op->wait && stored && last) || (match_id && strlen(match_id) == 32));
    if (!ok)
        live_cluster_wrong(k, "PUT is answered: %.*s; expected %s", (int)bytes, text, outcome);
    json_decref(j);
    return ok;
}

static bool finish_put(struct live_cluster *k, struct live_op *op)
{
    const struct live_request *q = op->q;
    const char *at = q->body;
    bool ok = q->status == KIN_OK;
    if (!ok)
        live_cluster_wrong(k, "PUT: %s: %s", kin_status_text(q->status), q->text);
    for (int l = 0; l < op->line_count && ok; l++) {
        size_t n = strcspn(at, "\n");
        bool counts = is_last(op, l) || op->lines[l].bad;
        const char *outcome = counts ? apply_line(k, &op->lines[l], op->source) : "superseded";
        if (!n)
            ok = live_cluster_wrong(k, "PUT of %d lines has %d answers", op->line_count, l);
        ok = ok && check_line(k, op, l, outcome, at, n);
        at += n + (at[n] == '\n');
        rest(k, q, op->source, op->lines[l].record.id);
    }
    if (ok && *at)
        ok = live_cluster_wrong(k, "PUT has more answers than lines: %s", at);
    return ok;
}

static struct live_op *free_op(struct live_cluster *k)
{
    for (int i = 0; i < LIVE_OPS; i++) {
        if (!k->ops[i].q)
            return &k->ops[i];
    }
    return NULL;
}

static void random_line(struct live_cluster *k, struct live_op *op, struct live_put_line *l)
{
    const struct oracle *o = &k->truth;
    int at = (int)live_cluster_below(k, (uint64_t)o->count + 1);
    bool present =
        at < o->count && o->records[at].source == op->source && live_cluster_chance(k, 75);
    memset(l, 0, sizeof *l);
    scenario_record(&k->random, true, 0, &l->record);
    if (live_cluster_chance(k, 25) && o->count) { /* like somebody else */
        const struct oracle_record *like = &o->records[live_cluster_below(k, (uint64_t)o->count)];
        memcpy(l->record.values, like->values, sizeof l->record.values);
    }
    l->record.source = op->source;
    l->remove = live_cluster_chance(k, o->count > LIVE_RECORDS - 25 ? 75 : 30);
    if (present)
        memcpy(l->record.id, o->records[at].id, sizeof l->record.id);
    else if (k->new_ids && live_cluster_chance(k, 50)) /* maybe one that was removed before */
        snprintf(l->record.id, sizeof l->record.id, "n%llu",
                 (unsigned long long)live_cluster_below(k, (uint64_t)k->new_ids) + 1);
    else
        snprintf(l->record.id, sizeof l->record.id, "n%d", ++k->new_ids);
    if (l->remove && !present && live_cluster_chance(k, 70))
        l->remove = false;
    l->bad = live_cluster_chance(k, 3);
}

static void put_line(struct live_cluster *k, const struct live_put_line *l, struct kin_buf *out)
{
    static const char *const bad[] = {"{\"key\": 1\n", "[1, 2]\n", "{\"first\": \"Ann\"}\n"};
    if (l->bad)
        kin_buf_puts(out, bad[live_cluster_below(k, 3)]);
    else if (l->remove)
        kin_buf_printf(out, "{\"key\": \"%s\", \"DELETE\": %s}\n", l->record.id,
                       live_cluster_chance(k, 50) ? "true" : "\"Yes\"");
    else
        scenario_put_json(&l->record, out);
}

bool live_cluster_put(struct live_cluster *k)
{
    struct live_op *op = free_op(k);
    struct live_request *q = op ? live_client_begin(&k->client, KIN_MSG_PUT) : NULL;
    if (!q)
        return live_cluster_settle_ops(k, true);
    struct live_put_line *lines = op->lines ? op->lines : calloc(LIVE_LINES, sizeof *lines);
    if (!lines)
        abort();
    *op = (struct live_op){.q = q, .lines = lines, .wait = live_cluster_chance(k, 40)};
    op->source = (uint32_t)live_cluster_below(k, k->s->workflow->source_count);
    int want = 1 + (int)live_cluster_below(k, LIVE_LINES);
    for (int i = 0; i < want; i++) {
        struct live_put_line *l = &lines[op->line_count];
        if (op->line_count && live_cluster_chance(k, 10) && !lines[op->line_count - 1].bad)
            *l = lines[op->line_count - 1]; /* one id twice */
        else
            random_line(k, op, l);
        int count = op->line_count;
        op->line_count = 0; /* its own lines do not keep it from it */
        bool resting = is_resting(k, op->source, l->record.id);
        op->line_count = count;
        if (resting || k->truth.count + LIVE_OPS * LIVE_LINES >= LIVE_RECORDS + 12)
            l->remove = l->remove || !resting;
        if (resting)
            continue;
        op->line_count++;
        put_line(k, l, &q->payload);
        touch(k, op->source, l->record.id);
    }
    if (!op->line_count) {
        live_client_end(&k->client, q);
        op->q = NULL;
        return true;
    }
    q->there = true;
    q->m.u.put.wait = op->wait;
    q->m.u.put.mint = live_cluster_chance(k, 15);
    for (int i = 0; i < op->line_count && q->m.u.put.mint; i++)
        live_feed_minted(k->feed, op->source, lines[i].record.id);
    if (k->s->workflow->source_count > 1 || live_cluster_chance(k, 50))
        q->m.u.put.source = live_request_string(q, k->s->workflow->sources[op->source].name);
    k->puts++;
    k->lines += (uint64_t)op->line_count;
    live_client_send(&k->client, q);
    return true;
}

/* ---- links ---- */

/* Sets that must links hold together, by name; records need not be there. */
static bool contradicts(const struct oracle *o)
{
    int set[2 * ORACLE_LINKS_MAX];
    for (int i = 0; i < 2 * o->link_count; i++) {
        const struct oracle_link *x = &o->links[i / 2];
        set[i] = i;
        for (int j = 0; j < i; j++) {
            const struct oracle_link *y = &o->links[j / 2];
            if (same_name(x->source[i % 2], x->id[i % 2], y->source[j % 2], y->id[j % 2])) {
                set[i] = set[j];
                break;
            }
        }
    }
    for (int l = 0; l < o->link_count; l++) {
        int from = set[2 * l], to = set[2 * l + 1];
        for (int i = 0; i < 2 * o->link_count && !o->links[l].never; i++)
            set[i] = set[i] == from ? to : set[i];
    }
    for (int l = 0; l < o->link_count; l++) {
        if (o->links[l].never && set[2 * l] == set[2 * l + 1])
            return true;
    }
    return false;
}

int live_cluster_find_link(const struct oracle *o, const struct live_name name[2])
{
    for (int l = 0; l < o->link_count; l++) {
        const struct oracle_link *x = &o->links[l];
        for (int k = 0; k < 2; k++) {
            if (same_name(x->source[0], x->id[0], name[k].source, name[k].id) &&
                same_name(x->source[1], x->id[1], name[!k].source, name[!k].id))
                return l;
        }
    }
    return -1;
}

static void apply_link(struct oracle *o, const struct live_op *op)
{
    int at = live_cluster_find_link(o, op->name);
    if (at >= 0)
        o->links[at] = o->links[--o->link_count];
    if (op->kind == KIN_LINK_REVOKE || o->link_count == ORACLE_LINKS_MAX)
        return;
    struct oracle_link *l = &o->links[o->link_count++];
    *l = (struct oracle_link){.never = op->kind == KIN_LINK_NEVER};
    for (int k = 0; k < 2; k++) {
        l->source[k] = op->name[k].source;
        memcpy(l->id[k], op->name[k].id, sizeof l->id[k]);
    }
}

static bool finish_link(struct live_cluster *k, struct live_op *op)
{
    const struct live_request *q = op->q;
    bool there = live_cluster_find_link(&k->truth, op->name) >= 0;
    bool unknown = op->kind == KIN_LINK_REVOKE && !there;
    if (q->status != KIN_OK && !(q->status == KIN_E_NOTFOUND && op->kind == KIN_LINK_REVOKE))
        return live_cluster_wrong(k, "LINK: %s: %s", kin_status_text(q->status), q->text);
    if (k->strict && unknown != (q->status == KIN_E_NOTFOUND))
        return live_cluster_wrong(k, "a revoke of a link that is %s: %s",
                                  there ? "there" : "not there", kin_status_text(q->status));
    apply_link(&k->truth, op);
    if (k->reordered)
        k->link_rests_until_us = q->sent_us + REST_US;
    return true;
}

/* A pair of records, most of them there; one at a time, so that their order is known. */
bool live_cluster_link(struct live_cluster *k)
{
    struct live_op *op = free_op(k);
    for (int i = 0; i < LIVE_OPS; i++)
        op = k->ops[i].q && k->ops[i].link ? NULL : op;
    if (!op || k->truth.link_count >= ORACLE_LINKS_MAX - 4 || k->truth.count < 2 ||
        kin_sim_now_us(k->sim) < k->link_rests_until_us)
        return true;
    op->link = true;
    op->kind = 1 + (uint32_t)live_cluster_below(k, 3);
    for (int e = 0; e < 2; e++) {
        const struct oracle_record *r =
            &k->truth.records[live_cluster_below(k, (uint64_t)k->truth.count)];
        op->name[e] = live_name_of(r->source, r->id);
    }
    if (live_cluster_chance(k, 10))
        snprintf(op->name[1].id, sizeof op->name[1].id, "n%d", k->new_ids + 1);
    if (op->kind == KIN_LINK_REVOKE && k->truth.link_count && live_cluster_chance(k, 80)) {
        const struct oracle_link *l =
            &k->truth.links[live_cluster_below(k, (uint64_t)k->truth.link_count)];
        for (int e = 0; e < 2; e++)
            op->name[e] = live_name_of(l->source[e], l->id[e]);
    }
    if (same_name(op->name[0].source, op->name[0].id, op->name[1].source, op->name[1].id))
        return true;
    struct oracle *o = malloc(sizeof *o);
    if (!o)
        abort();
    *o = k->truth;
    apply_link(o, op);
    bool wrong = contradicts(o);
    free(o);
    if (wrong)
        return true;
    struct live_request *q = live_client_begin(&k->client, KIN_MSG_LINK);
    if (!q)
        return true;
    op->q = q;
    q->there = op->kind != KIN_LINK_REVOKE;
    q->m.u.link.kind = op->kind;
    q->m.u.link.source_a = kin_str_of(k->s->workflow->sources[op->name[0].source].name);
    q->m.u.link.source_b = kin_str_of(k->s->workflow->sources[op->name[1].source].name);
    q->m.u.link.id_a = live_request_string(q, op->name[0].id);
    q->m.u.link.id_b = live_request_string(q, op->name[1].id);
    q->m.u.link.who = KIN_STR("ann");
    q->m.u.link.why = KIN_STR("phone call");
    for (int e = 0; e < 2; e++) /* what they are in may change */
        touch(k, op->name[e].source, op->name[e].id);
    live_client_send(&k->client, q);
    return true;
}

bool live_cluster_settle_ops(struct live_cluster *k, bool all)
{
    bool ok = true;
    for (int i = 0; i < LIVE_OPS && ok; i++) {
        struct live_op *op = &k->ops[i];
        if (!op->q || (!all && !op->q->answered))
            continue;
        if (!live_cluster_run(k, is_answered, op->q, PATIENCE_US))
            return live_cluster_wrong(k, "%s is not answered; last: %s %s",
                                      kin_message_name(op->q->m.type),
                                      kin_status_text(op->q->status), op->q->text);
        ok = op->link ? finish_link(k, op) : finish_put(k, op);
        live_client_end(&k->client, op->q);
        op->q = NULL;
        op->link = false;
    }
    return ok;
}

/* ---- lookups while things happen ---- */

bool live_cluster_look(struct live_cluster *k)
{
    struct oracle_record r;
    struct oracle_hit *hits = calloc((size_t)k->last.count + 1, sizeof *hits);
    struct live_request *q = live_client_begin(&k->client, KIN_MSG_LOOKUP);
    if (!hits)
        abort();
    if (!q || !k->last.count) {
        if (q)
            live_client_end(&k->client, q);
        free(hits);
        return true;
    }
    scenario_record(&k->random, true, 0, &r);
    if (live_cluster_chance(k, 60)) {
        uint64_t like = live_cluster_below(k, (uint64_t)k->last.count);
        memcpy(r.values, k->last.records[like].values, sizeof r.values);
    }
    scenario_put_fields(&r, &q->payload);
    q->there = true;
    bool ok = live_cluster_ask(k, q);
    /* what was asked meanwhile may count, too */
    oracle_look(&k->last, k->plan, &r, false, hits);
    bool must = false, apart = k->s->workflow->never_count > 0;
    for (int i = 0; i < k->last.count; i++) {
        const struct oracle_record *x = &k->last.records[i];
        must = must || (hits[i].rule >= 0 && !is_touched(k, x->source, x->id));
    }
    json_t *j = ok ? json_loads(q->body, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
    bool found = json_is_string(json_object_get(j, "match_id"));
    bool partial = q->partial || json_is_true(json_object_get(j, "partial"));
    if (ok && (q->status != KIN_OK || !json_object_get(j, "match_id")))
        ok =
            live_cluster_wrong(k, "LOOKUP: %s: %s%s", kin_status_text(q->status), q->text, q->body);
    if (ok && must && !apart && !found && !partial)
        ok = live_cluster_wrong(k, "a lookup finds nothing, and there is something: %s%.*s",
                                q->body, (int)q->payload.n, (char *)q->payload.p);
    k->lookups++;
    k->found += found;
    k->partial += partial;
    json_decref(j);
    live_client_end(&k->client, q);
    kin_free(r.features);
    free(hits);
    return ok;
}

bool live_cluster_read_feed(struct live_cluster *k)
{
    for (bool more = true; more;) {
        struct live_request *q = live_client_begin(&k->client, KIN_MSG_CHANGES);
        if (!q)
            return true;
        uint64_t after = (uint64_t)k->feed->line_count;
        if (live_cluster_chance(k, 20)) /* from before: what was told does not change */
            after -= after ? live_cluster_below(k, after) : 0;
        q->there = true;
        q->m.u.changes.after = after;
        q->m.u.changes.limit = 1 + (uint32_t)live_cluster_below(k, 200);
        bool ok = live_cluster_ask(k, q);
        if (ok && q->status != KIN_OK)
            ok = live_cluster_wrong(k, "CHANGES: %s: %s", kin_status_text(q->status), q->text);
        uint64_t last = after;
        for (const char *at = q->body; ok && *at;) {
            size_t n = strcspn(at, "\n");
            ok = live_feed_take(k->feed, at, n) || live_cluster_wrong(k, "the feed");
            last++;
            at += n + (at[n] == '\n');
        }
        if (ok && q->next != last)
            ok = live_cluster_wrong(k, "CHANGES after %llu: next is %llu, expected %llu",
                                    (unsigned long long)after, (unsigned long long)q->next,
                                    (unsigned long long)last);
        more = ok && last > after;
        live_client_end(&k->client, q);
        if (!ok)
            return false;
    }
    return true;
}
