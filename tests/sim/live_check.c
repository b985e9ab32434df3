#include "tests/sim/live_cluster.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Everything there is to ask, compared with the reference, while nothing happens. */

enum { MS = 1000, SECOND = 1000 * MS };

static const char *text_of(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s ? s : "";
}

static uint32_t source_of(const struct live_cluster *k, const json_t *j)
{
    for (uint32_t s = 0; s < k->s->workflow->source_count; s++) {
        if (strcmp(k->s->workflow->sources[s].name, text_of(j, "source")) == 0)
            return s;
    }
    return UINT32_MAX;
}

static int record_of(const struct live_cluster *k, const json_t *j)
{
    for (int i = 0; i < k->last.count; i++) {
        if (k->last.records[i].source == source_of(k, j) &&
            strcmp(k->last.records[i].id, text_of(j, "id")) == 0)
            return i;
    }
    return -1;
}

/* ---- all is applied ---- */

static bool status_of(struct live_cluster *k, json_t **out)
{
    struct live_request *q = live_client_begin(&k->client, KIN_MSG_STATUS);
    q->m.u.status.jobs_max = 1;
    bool ok = live_cluster_ask(k, q);
    *out = ok ? json_loadb(q->body, q->body_bytes, 0, NULL) : NULL;
    live_client_end(&k->client, q);
    return ok;
}

static bool await_applied(struct live_cluster *k)
{
    for (int polls = 0; polls < 3000; polls++) {
        json_t *j;
        if (!status_of(k, &j))
            return false;
        const json_t *live = json_array_get(json_object_get(j, "live"), 0);
        bool settled = live && json_integer_value(json_object_get(live, "pending")) == 0 &&
                       json_is_false(json_object_get(live, "partial"));
        k->served = (int)json_integer_value(json_object_get(live, "records"));
        if (polls == 2999)
            live_cluster_wrong(k, "not all is applied: %s", json_dumps(j, JSON_COMPACT));
        json_decref(j);
        if (settled)
            return true;
        kin_sim_run_for(k->sim, 100 * MS);
    }
    return false;
}

/* ---- groups ---- */

static void run_reference(struct live_cluster *k)
{
    oracle_free(&k->last);
    free(k->last.records);
    k->last = k->truth;
    k->last.records = calloc((size_t)k->truth.count + 1, sizeof *k->last.records);
    if (!k->last.records)
        abort();
    memcpy(k->last.records, k->truth.records, (size_t)k->truth.count * sizeof *k->last.records);
    oracle_run_under(&k->last, k->plan);
    k->touched_count = 0;
}

/* For a person who looks for what is wrong: KIN_LIVE_DUMP in the environment. */
static void dump(const struct live_cluster *k)
{
    const struct oracle *o = &k->last;
    for (int i = 0; i < o->count && getenv("KIN_LIVE_DUMP"); i++) {
        struct kin_buf text = {0};
        const struct live_id *id =
            live_model_of(k->feed->model, o->records[i].source, o->records[i].id);
        scenario_put_json(&o->records[i], &text);
        fprintf(stderr, "%d: %u base %d group %d (%s) %.*s", i, o->records[i].source,
                o->records[i].base, o->records[i].group, id ? id->text : "?", (int)text.n,
                (char *)text.p);
        for (int j = 0; j < o->count; j++) {
            int at = (i < j ? i : j) * o->count + (i < j ? j : i);
            if (i != j && (o->edge[at] >= 0 || o->must[at] || o->never[at]))
                fprintf(stderr, "    %d: rule %d weight %d%s%s\n", j, o->edge[at], o->weight[at],
                        o->must[at] ? " must" : "", o->never[at] ? " never" : "");
        }
        kin_buf_deinit(&text);
    }
}

/* The feed's partition is the reference's. */
static bool check_partition(struct live_cluster *k)
{
    const struct live_model *m = k->feed->model;
    if (k->served != k->last.count)
        live_cluster_wrong(k, "%d records are served, expected %d", k->served, k->last.count);
    for (int i = 0; i < m->member_count; i++) {
        const struct live_member *x = &m->members[i];
        if (live_cluster_find(&k->last, x->source, x->id) < 0)
            return live_cluster_wrong(k, "%u/%s is served, and was removed", x->source, x->id);
    }
    for (int i = 0; i < k->last.count; i++) {
        const struct oracle_record *x = &k->last.records[i];
        const struct live_id *id = live_model_of(m, x->source, x->id);
        if (!id)
            return live_cluster_wrong(k, "%u/%s is not served", x->source, x->id);
        for (int j = 0; j < i; j++) {
            const struct oracle_record *y = &k->last.records[j];
            if ((live_model_of(m, y->source, y->id) == id) != (x->group == y->group))
                return live_cluster_wrong(k, "%u/%s and %u/%s must %sbe in one group", x->source,
                                          x->id, y->source, y->id,
                                          x->group == y->group ? "" : "not ");
        }
    }
    return k->served == k->last.count;
}

static const char *rule_name(const struct live_cluster *k, const struct oracle_record *r)
{
    const struct kin_workflow *w = k->s->workflow;
    if (r->linked)
        return "must";
    if (r->best_rule < 0)
        return NULL;
    return r->best_rule < (int)w->rule_count ? w->rules[r->best_rule].name : "model";
}

static bool same_reason(const struct live_cluster *k, const json_t *j, const char *rule,
                        int32_t weight)
{
    const char *got = json_string_value(json_object_get(j, "rule"));
    (void)k;
    if (!rule || !got)
        return !rule && !got;
    double confidence = strcmp(rule, "model") == 0 ? kin_weight_probability(weight) : 1;
    return strcmp(rule, got) == 0 &&
           fabs(json_number_value(json_object_get(j, "confidence")) - confidence) < 1e-4;
}

static bool check_members(struct live_cluster *k, const json_t *list, int group)
{
    int last = -1, count = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *j = json_array_get(list, i);
        int r = record_of(k, j);
        if (r < 0 || k->last.records[r].group != group)
            return false;
        const struct oracle_record *x = &k->last.records[r];
        if (last >= 0 && (k->last.records[last].source > x->source ||
                          (k->last.records[last].source == x->source &&
                           strcmp(k->last.records[last].id, x->id) >= 0)))
            return false;
        if (!same_reason(k, j, rule_name(k, x), x->best_weight))
            return live_cluster_wrong(k, "%s/%s: expected rule %s", text_of(j, "source"), x->id,
                                      rule_name(k, x));
        last = r;
        count++;
    }
    return count == k->last.records[group].size;
}

static bool check_group_json(struct live_cluster *k, const json_t *j, const struct live_id *asked)
{
    const struct live_model *m = k->feed->model;
    const struct live_id *id = live_model_resolve(m, asked);
    json_int_t size = json_integer_value(json_object_get(j, "size"));
    if (id->state == LIVE_IS_GONE) /* by whichever of the two names */
        return strcmp(text_of(j, "state"), "gone") == 0 && size == 0;
    if (strcmp(text_of(j, "match_id"), id->text) != 0 ||
        strcmp(text_of(j, "asked"), id == asked ? "" : asked->text) != 0)
        return false;
    int group = -1;
    for (int i = 0; i < k->last.count; i++) {
        if (live_model_of(m, k->last.records[i].source, k->last.records[i].id) == id)
            group = k->last.records[i].group;
    }
    return strcmp(text_of(j, "state"), "live") == 0 && group >= 0 &&
           size == k->last.records[group].size &&
           (uint64_t)json_integer_value(json_object_get(j, "born")) == id->born &&
           json_is_true(json_object_get(j, "quarantined")) ==
               (size > (json_int_t)k->s->workflow->limits.max_group) &&
           check_members(k, json_object_get(j, "members"), group);
}

/* By its id, or by one of its records. */
static bool check_group(struct live_cluster *k, const struct live_id *id,
                        const struct oracle_record *record)
{
    struct live_request *q = live_client_begin(&k->client, KIN_MSG_GROUP);
    if (record) {
        q->m.u.group.source = kin_str_of(k->s->workflow->sources[record->source].name);
        q->m.u.group.id = kin_str_of(record->id);
    } else {
        q->m.u.group.match_id = kin_str_of(id->text);
    }
    q->m.u.group.golden = live_cluster_chance(k, 20);
    bool ok = live_cluster_ask(k, q);
    json_t *j = ok ? json_loadb(q->body, q->body_bytes, 0, NULL) : NULL;
    if (ok && (q->status != KIN_OK || !check_group_json(k, j, id) ||
               (q->m.u.group.golden && id->state == LIVE_IS_LIVE &&
                !json_is_object(json_object_get(j, "golden")))))
        ok = live_cluster_wrong(k, "GROUP of %s (state %d, born %llu, now %s): %s %s%s", id->text,
                                id->state, (unsigned long long)id->born,
                                live_model_resolve(k->feed->model, id)->text,
                                kin_status_text(q->status), q->text, q->body);
    json_decref(j);
    live_client_end(&k->client, q);
    return ok;
}

/* Every group that there is, by a record or by its id; some ids that are no more. */
static bool check_groups(struct live_cluster *k)
{
    const struct live_model *m = k->feed->model;
    bool ok = true;
    for (int i = 0; i < k->last.count && ok; i++) {
        const struct oracle_record *x = &k->last.records[i];
        if (x->group == i)
            ok = check_group(k, live_model_of(m, x->source, x->id),
                             live_cluster_chance(k, 50) ? x : NULL);
    }
    for (int tries = 0; tries < 6 && ok && m->id_count; tries++)
        ok = check_group(k, &m->ids[live_cluster_below(k, (uint64_t)m->id_count)], NULL);
    struct live_request *q = ok ? live_client_begin(&k->client, KIN_MSG_GROUP) : NULL;
    if (!q)
        return ok;
    q->m.u.group.source = kin_str_of(k->s->workflow->sources[0].name);
    q->m.u.group.id = KIN_STR("nobody");
    ok = live_cluster_ask(k, q);
    if (ok && q->status != KIN_E_NOTFOUND)
        ok = live_cluster_wrong(k, "GROUP of nobody: %s", kin_status_text(q->status));
    live_client_end(&k->client, q);
    return ok;
}

/* ---- history ---- */

static bool check_history_json(struct live_cluster *k, const json_t *j, const struct live_id *id)
{
    const struct live_model *m = k->feed->model;
    static const char *const states[] = {"live", "alias", "gone"};
    const json_t *founder = json_object_get(j, "founder"), *events = json_object_get(j, "events");
    const struct live_id *now = live_model_resolve(m, id);
    bool ok = strcmp(text_of(j, "match_id"), id->text) == 0 &&
              strcmp(text_of(j, "state"), states[id->state]) == 0 &&
              (uint64_t)json_integer_value(json_object_get(j, "born")) == id->born &&
              source_of(k, founder) == id->founder_source &&
              strcmp(text_of(founder, "id"), id->founder_id) == 0 &&
              strcmp(text_of(j, "split_from"),
                     id->split_from < 0 ? "" : m->ids[id->split_from].text) == 0;
    if (id->state == LIVE_IS_ALIAS && now->state == LIVE_IS_LIVE)
        ok = ok && strcmp(text_of(j, "survivor"), now->text) == 0;
    size_t at = 0;
    for (int i = 0; i < k->feed->line_count && ok; i++) {
        if (!strstr(k->feed->lines[i], id->text))
            continue;
        json_t *line = json_loads(k->feed->lines[i], 0, NULL);
        ok = json_equal(line, json_array_get(events, at++));
        json_decref(line);
    }
    return ok && at == json_array_size(events);
}

static bool check_history(struct live_cluster *k)
{
    const struct live_model *m = k->feed->model;
    bool ok = true;
    for (int tries = 0; tries < 3 && ok && m->id_count; tries++) {
        const struct live_id *id = &m->ids[live_cluster_below(k, (uint64_t)m->id_count)];
        struct live_request *q = live_client_begin(&k->client, KIN_MSG_HISTORY);
        q->m.u.history.match_id = kin_str_of(id->text);
        ok = live_cluster_ask(k, q);
        json_t *j = ok ? json_loadb(q->body, q->body_bytes, 0, NULL) : NULL;
        if (ok && (q->status != KIN_OK || !check_history_json(k, j, id)))
            ok = live_cluster_wrong(k, "HISTORY of %s (state %d, born %llu): %s %s%s", id->text,
                                    id->state, (unsigned long long)id->born,
                                    kin_status_text(q->status), q->text, q->body);
        json_decref(j);
        live_client_end(&k->client, q);
    }
    return ok;
}

/* ---- lookups ---- */

enum { GROUPS_CHECKED = 16 }; /* against never rules; a lookup tells of no more then */

struct expected {    /* a group that matches */
    int group, best; /* record */
    struct oracle_hit hit;
    bool forbidden;
};

static bool better(const struct live_cluster *k, const struct expected *a, const struct expected *b)
{
    const struct oracle_record *x = &k->last.records[a->best], *y = &k->last.records[b->best];
    if (a->hit.rule != b->hit.rule)
        return a->hit.rule < b->hit.rule;
    if (a->hit.weight != b->hit.weight)
        return a->hit.weight > b->hit.weight;
    return x->source != y->source ? x->source < y->source : strcmp(x->id, y->id) < 0;
}

/* Best first; forbidden ones last, or wherever they are. */
static void sort(const struct live_cluster *k, struct expected *list, int n, bool forbidden_last)
{
    for (int i = 1; i < n; i++) {
        for (int j = i; j > 0; j--) {
            struct expected *a = &list[j - 1], *b = &list[j], swap = *a;
            bool apart = forbidden_last && a->forbidden != b->forbidden;
            if (apart ? b->forbidden : !better(k, b, a))
                break;
            *a = *b;
            *b = swap;
        }
    }
}

/* The groups that match, best first; forbidden ones last: by a never rule, or because the source
 * that the record is of (-1: none) is clean. */
static int expect(const struct live_cluster *k, const struct oracle_hit *hits, int source,
                  struct expected *out)
{
    const struct kin_workflow *w = k->s->workflow;
    bool clean = false;
    int n = 0;
    for (size_t i = 0; i < w->clean_count; i++)
        clean = clean || (int)w->clean[i] == source;
    for (int i = 0; i < k->last.count; i++) {
        struct expected e = {k->last.records[i].group, i, hits[i], false};
        int at = 0;
        if (hits[i].rule < 0)
            continue;
        while (at < n && out[at].group != e.group)
            at++;
        if (at == n)
            out[n++] = e;
        else if (better(k, &e, &out[at]))
            out[at] = e;
    }
    sort(k, out, n, false);
    if (w->never_count && n > GROUPS_CHECKED)
        n = GROUPS_CHECKED;
    for (int g = 0; g < n; g++) {
        for (int i = 0; i < k->last.count; i++) {
            const struct oracle_record *x = &k->last.records[i];
            if (x->group == out[g].group &&
                (hits[i].forbidden || (clean && (int)x->source == source)))
                out[g].forbidden = true;
        }
    }
    sort(k, out, n, true);
    return n;
}

static const char *id_of(const struct live_cluster *k, int record)
{
    const struct oracle_record *x = &k->last.records[record];
    return live_model_of(k->feed->model, x->source, x->id)->text;
}

static bool check_found(const struct live_cluster *k, const json_t *j, const struct expected *e)
{
    const struct kin_workflow *w = k->s->workflow;
    bool model = e->hit.rule == (int)w->rule_count;
    return strcmp(text_of(j, "match_id"), id_of(k, e->best)) == 0 && record_of(k, j) == e->best &&
           json_integer_value(json_object_get(j, "size")) == k->last.records[e->best].size &&
           same_reason(k, j, model ? "model" : w->rules[e->hit.rule].name, e->hit.weight);
}

static bool check_ids(const struct live_cluster *k, const json_t *list, const struct expected *e,
                      int n)
{
    if (json_array_size(list) != (size_t)n)
        return false;
    for (int i = 0; i < n; i++) {
        bool there = false;
        for (size_t l = 0; l < json_array_size(list); l++)
            there = there ||
                    strcmp(json_string_value(json_array_get(list, l)), id_of(k, e[i].best)) == 0;
        if (!there)
            return false;
    }
    return true;
}

static bool check_lookup_json(const struct live_cluster *k, const json_t *j,
                              const struct expected *e, int n, uint32_t limit)
{
    int allowed = 0;
    while (allowed < n && !e[allowed].forbidden)
        allowed++;
    bool cut = n == GROUPS_CHECKED && k->s->workflow->never_count;
    if ((json_object_get(j, "truncated") && !cut) || json_object_get(j, "partial") ||
        json_object_get(j, "error") ||
        !check_ids(k, json_object_get(j, "forbidden"), e + allowed, n - allowed))
        return false;
    if (!allowed)
        return json_is_null(json_object_get(j, "match_id"));
    const json_t *others = json_object_get(j, "others");
    int more = allowed - 1 < (int)limit ? allowed - 1 : (int)limit;
    bool ok = check_found(k, j, &e[0]) && json_array_size(others) == (size_t)more &&
              check_ids(k, json_object_get(j, "would_merge"), e, allowed > 1 ? allowed : 0);
    for (int i = 0; i < more && ok; i++)
        ok = check_found(k, json_array_get(others, (size_t)i), &e[1 + i]);
    return ok;
}

static bool check_lookup_line(struct live_cluster *k, struct oracle_record *r, bool of_source,
                              uint32_t limit, const char *line, size_t bytes)
{
    size_t n = (size_t)k->last.count + 1;
    struct oracle_hit *hits = calloc(n, sizeof *hits);
    struct expected *e = calloc(n, sizeof *e);
    json_t *j = json_loadb(line, bytes, 0, NULL);
    if (!hits || !e)
        abort();
    oracle_look(&k->last, k->plan, r, of_source, hits);
    int groups = expect(k, hits, of_source ? (int)r->source : -1, e);
    bool ok = check_lookup_json(k, j, e, groups, limit);
    if (!ok) {
        struct kin_buf text = {0};
        scenario_put_fields(r, &text);
        live_cluster_wrong(
            k, "LOOKUP%s of %.*sis %.*s\n  expected %d groups:", of_source ? " with source" : "",
            (int)text.n, (char *)text.p, (int)bytes, line, groups);
        for (int i = 0; i < groups; i++)
            fprintf(stderr, "  %s by %s rule %d weight %d%s\n", id_of(k, e[i].best),
                    k->last.records[e[i].best].id, e[i].hit.rule, e[i].hit.weight,
                    e[i].forbidden ? ", forbidden" : "");
        kin_buf_deinit(&text);
    }
    k->found += groups > 0;
    k->lookups++;
    json_decref(j);
    kin_free(r->features);
    free(hits);
    free(e);
    return ok;
}

static bool check_lookups(struct live_cluster *k)
{
    enum { LINES = 6 };
    struct oracle_record *r = calloc(LINES, sizeof *r);
    struct live_request *q = live_client_begin(&k->client, KIN_MSG_LOOKUP);
    bool of_source = live_cluster_chance(k, 50);
    uint32_t source = (uint32_t)live_cluster_below(k, k->s->workflow->source_count);
    if (!r)
        abort();
    q->m.u.lookup.limit = 1 + (uint32_t)live_cluster_below(k, 4);
    q->m.u.lookup.explain = live_cluster_chance(k, 20);
    if (of_source)
        q->m.u.lookup.source = kin_str_of(k->s->workflow->sources[source].name);
    for (int i = 0; i < LINES; i++) {
        scenario_record(&k->random, true, i, &r[i]);
        if (live_cluster_chance(k, 50) && k->last.count)
            memcpy(r[i].values,
                   k->last.records[live_cluster_below(k, (uint64_t)k->last.count)].values,
                   sizeof r[i].values);
        r[i].source = source;
        if (of_source)
            scenario_put_json(&r[i], &q->payload);
        else
            scenario_put_fields(&r[i], &q->payload);
    }
    bool ok = live_cluster_ask(k, q);
    for (int tries = 0; ok && q->partial && tries < 20; tries++) { /* a worker has yet to be back */
        kin_sim_run_for(k->sim, 500 * MS);
        live_client_again(&k->client, q);
        ok = live_cluster_ask(k, q);
    }
    if (ok && q->status != KIN_OK)
        ok = live_cluster_wrong(k, "LOOKUP: %s: %s", kin_status_text(q->status), q->text);
    const char *at = q->body;
    for (int i = 0; i < LINES && ok; i++) {
        size_t n = strcspn(at, "\n");
        ok = check_lookup_line(k, &r[i], of_source, q->m.u.lookup.limit, at, n);
        at += n + (at[n] == '\n');
    }
    live_client_end(&k->client, q);
    free(r);
    return ok;
}

/* ---- links ---- */

static bool check_link_json(struct live_cluster *k, const json_t *j)
{
    const json_t *a = json_object_get(j, "a"), *b = json_object_get(j, "b");
    for (int l = 0; l < k->truth.link_count; l++) {
        const struct oracle_link *x = &k->truth.links[l];
        for (int e = 0; e < 2; e++) {
            if (source_of(k, a) == x->source[e] && source_of(k, b) == x->source[!e] &&
                strcmp(text_of(a, "id"), x->id[e]) == 0 && strcmp(text_of(b, "id"), x->id[!e]) == 0)
                return strcmp(text_of(j, "kind"), x->never ? "never" : "must") == 0;
        }
    }
    return false;
}

static bool check_links(struct live_cluster *k)
{
    int count = 0;
    bool ok = true;
    for (uint64_t after = 0, more = 1; more && ok;) {
        struct live_request *q = live_client_begin(&k->client, KIN_MSG_LINKS);
        q->m.u.links.after = after;
        q->m.u.links.limit = 1 + (uint32_t)live_cluster_below(k, 10);
        ok = live_cluster_ask(k, q);
        if (ok && q->status != KIN_OK)
            ok = live_cluster_wrong(k, "LINKS: %s: %s", kin_status_text(q->status), q->text);
        for (const char *at = q->body; ok && *at;) {
            size_t n = strcspn(at, "\n");
            json_t *j = json_loadb(at, n, 0, NULL);
            if (!check_link_json(k, j))
                ok = live_cluster_wrong(k, "LINKS: %.*s", (int)n, at);
            json_decref(j);
            count++;
            at += n + (at[n] == '\n');
        }
        after = q->next;
        more = after != 0;
        live_client_end(&k->client, q);
    }
    if (ok && count != k->truth.link_count)
        ok = live_cluster_wrong(k, "LINKS: %d, expected %d", count, k->truth.link_count);
    return ok;
}

bool live_cluster_check(struct live_cluster *k)
{
    if (!live_cluster_settle_ops(k, true) || !await_applied(k) || !live_cluster_read_feed(k))
        return false;
    run_reference(k);
    k->checks++;
    bool ok = (live_feed_settle(k->feed) || live_cluster_wrong(k, "the feed")) &&
              check_partition(k) && check_groups(k) && check_history(k) && check_lookups(k) &&
              check_links(k);
    if (!ok)
        dump(k);
    return ok;
}
