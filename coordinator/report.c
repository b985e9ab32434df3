#include "coordinator/impl.h"

#include <jansson.h>
#include <stdlib.h>

/* The report: made room for when a job starts, and written as report.json. */

kin_status report_init(struct cjob *job)
{
    const struct kin_workflow *w = job->workflow;
    struct kin_report *r = &job->report;
    *r = (struct kin_report){
        .workflow = w->name, .source_count = w->source_count, .key_count = w->key_count};
    r->sources = kin_calloc(w->source_count, sizeof *r->sources);
    r->keys = kin_calloc(w->key_count, sizeof *r->keys);
    r->unparsable = kin_calloc(w->schema.count, sizeof *r->unparsable);
    r->without_column = kin_calloc(w->schema.count, sizeof *r->without_column);
    if (!r->sources || !r->keys || !r->unparsable || !r->without_column)
        return KIN_E_NOMEM; /* job_free frees the rest */
    for (size_t s = 0; s < w->source_count; s++)
        r->sources[s].name = w->sources[s].name;
    for (size_t k = 0; k < w->key_count; k++) {
        r->keys[k].text = w->keys[k].text;
        r->keys[k].star = w->keys[k].star;
    }
    return KIN_OK;
}

void report_deinit(struct kin_report *r)
{
    for (size_t i = 0; i < r->large_count; i++)
        kin_free(r->large[i].text);
    for (size_t i = 0; i < r->oversized_count; i++)
        kin_free(r->oversized[i].text);
    kin_free(r->large);
    kin_free(r->oversized);
    reasons_free(r->reasons, r->reason_count);
    kin_free(r->sources);
    kin_free(r->keys);
    kin_free(r->unparsable);
    for (size_t i = 0; i < r->large_group_count; i++) {
        for (size_t k = 0; k < r->large_groups[i].glue_count; k++)
            kin_free(r->large_groups[i].glue[k].text);
    }
    kin_free(r->large_groups);
    kin_free(r->recall.why);
    for (unsigned i = 0; i < r->recall.next_count; i++)
        kin_free(r->recall.next[i].text);
    kin_free(r->without_column);
    *r = (struct kin_report){0};
}

static void put(json_t *object, const char *key, uint64_t value)
{
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *text_of(const char *text)
{
    json_t *s = json_string(text);
    return s ? s : json_string("");
}

static json_t *sources_json(const struct kin_report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->source_count; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "source", text_of(r->sources[i].name));
        put(o, "read", r->sources[i].read);
        put(o, "grouped", r->sources[i].grouped);
        put(o, "singletons", r->sources[i].singletons);
        put(o, "superseded", r->sources[i].superseded);
        put(o, "rejected", r->sources[i].rejected);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *keys_json(const struct kin_report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->key_count; i++) {
        const struct kin_report_key *k = &r->keys[i];
        json_t *o = json_object();
        json_object_set_new(o, "key", text_of(k->text));
        json_object_set_new(o, "star", json_boolean(k->star));
        put(o, "blocks", k->blocks);
        put(o, "records", k->postings);
        put(o, "pairs", k->pairs);
        put(o, "largest_block", k->largest);
        put(o, "compared", k->compared);
        put(o, "seen_before", k->skipped);
        put(o, "matched", k->matched);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *blocks_json(const struct kin_report *r, const struct kin_report_block *blocks,
                           size_t count, bool oversized)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *o = json_object();
        uint64_t n = blocks[i].records, pairs = n * (n - 1) / 2;
        json_object_set_new(o, "key", text_of(r->keys[blocks[i].rule].text));
        json_object_set_new(o, "value", text_of(blocks[i].text));
        put(o, "records", n);
        put(o, "pairs", pairs);
        if (oversized) {
            put(o, "refined_blocks", blocks[i].refined);
            put(o, "windowed_blocks", blocks[i].windowed);
            put(o, "pairs_kept", blocks[i].pairs_kept);
            put(o, "pairs_left_out",
                pairs > blocks[i].pairs_kept ? pairs - blocks[i].pairs_kept : 0);
        }
        json_array_append_new(list, o);
    }
    return list;
}

static void put_glue(json_t *o, const struct kin_report_group *group, const struct kin_workflow *w)
{
    json_t *list = json_array();
    put(o, "links", group->links);
    if (group->must)
        put(o, "must", group->must);
    for (size_t i = 0; i < group->glue_count; i++) {
        const struct kin_report_glue *glue = &group->glue[i];
        json_t *value = json_object();
        json_object_set_new(value, "field", text_of(w->fields[glue->field].name));
        json_object_set_new(value, "value", text_of(glue->text));
        put(value, "links", glue->links);
        json_array_append_new(list, value);
    }
    json_object_set_new(o, "held_together_by", list);
}

static json_t *groups_json(const struct kin_report *r, const struct kin_workflow *w)
{
    static const char *const names[KIN_SIZE_BUCKETS] = {"1",     "2",     "3",       "4",   "5-9",
                                                        "10-49", "50-99", "100-499", "500+"};
    json_t *o = json_object(), *sizes = json_object();
    for (unsigned b = 0; b < KIN_SIZE_BUCKETS; b++)
        put(sizes, names[b], r->group_sizes[b]);
    put(o, "of_two_or_more", r->groups);
    put(o, "largest", r->largest_group);
    put(o, "over_max_group", r->over_max_group);
    json_t *large = json_array();
    for (size_t i = 0; i < r->large_group_count; i++) {
        json_t *group = json_object();
        json_object_set_new(group, "match_id", text_of(r->large_groups[i].match_id));
        put(group, "size", r->large_groups[i].size);
        if (i < KIN_REPORT_GLUED_MAX)
            put_glue(group, &r->large_groups[i], w);
        json_array_append_new(large, group);
    }
    json_object_set_new(o, "largest_over_max_group", large);
    json_object_set_new(o, "sizes", sizes);
    return o;
}

static void put_number(json_t *object, const char *key, double value)
{
    json_object_set_new(object, key, json_real(value));
}

static double rate(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static json_t *next_keys_json(const struct kin_report_recall *recall)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < recall->next_count; i++) {
        const struct kin_report_next_key *next = &recall->next[i];
        json_t *o = json_object();
        json_object_set_new(o, "key", text_of(next->text));
        put_number(o, "extra_pairs", next->extra_pairs);
        put_number(o, "extra_matches", next->extra_matches);
        put_number(o, "taken_for_matches", next->taken);
        put_number(o, "matches_per_million_pairs",
                   1e6 * rate(next->extra_matches, next->extra_pairs));
        if (next->recall >= 0)
            put_number(o, "recall", next->recall);
        json_array_append_new(list, o);
    }
    return list;
}

/* ---- the model ---- */

static json_t *weights_json(const struct kin_report *r)
{
    json_t *list = json_array();
    for (unsigned bin = 0; bin < KIN_WEIGHT_BINS; bin++) {
        uint64_t below = r->weights[bin], above = r->weights[KIN_WEIGHT_BINS + bin];
        if (!below && !above)
            continue;
        json_t *o = json_object();
        int units = ((int)bin - KIN_WEIGHT_BINS / 2) * KIN_WEIGHT_BIN_UNITS;
        json_object_set_new(o, "from", json_real((double)units / KIN_WEIGHT_ONE));
        put(o, "below_floor", below);
        put(o, "from_floor", above);
        json_array_append_new(list, o);
    }
    return list;
}

/* A single threshold's groups are those of the report. Pairs of rules pass every threshold. */
static json_t *thresholds_json(const struct kin_report *r, const struct kin_workflow_model *model)
{
    const uint64_t *passed = r->weights + (size_t)2 * KIN_WEIGHT_BINS;
    uint64_t by_rules = r->matched - passed[model->threshold_count - 1];
    json_t *list = json_array();
    for (size_t i = 0; i < model->threshold_count; i++) {
        const struct kin_threshold *t = &model->thresholds[i];
        struct kin_report_level level = r->levels[i];
        if (model->threshold_count == 1)
            level = (struct kin_report_level){r->groups, r->grouped, r->largest_group};
        json_t *o = json_object();
        json_object_set_new(o, "threshold", text_of(t->text));
        json_object_set_new(o, "primary", json_boolean(i == model->primary));
        json_object_set_new(o, "weight", json_real((double)t->weight / KIN_WEIGHT_ONE));
        json_object_set_new(o, "probability", json_real(kin_weight_probability(t->weight)));
        put(o, "pairs", by_rules + passed[i]);
        put(o, "groups", level.groups);
        put(o, "grouped", level.grouped);
        put(o, "largest", level.largest);
        json_array_append_new(list, o);
    }
    return list;
}

/* Of a plan only. What is not known is left out. */
static json_t *blocking_json(const struct kin_report *r)
{
    static const char *const states[] = {"not_looked", "known", "complete", "unknown"};
    const struct kin_report_recall *recall = &r->recall;
    bool known = recall->state == KIN_RECALL_KNOWN;
    json_t *o = json_object(), *keys = json_array();
    json_object_set_new(o, "recall_is", text_of(states[recall->state]));
    if (recall->why)
        json_object_set_new(o, "why", text_of(recall->why));
    put_number(o, "found", recall->found);
    if (known) {
        put_number(o, "matches", recall->matches);
        put_number(o, "matches_low", recall->low);
        put_number(o, "matches_high", recall->high);
        put_number(o, "recall", rate(recall->found, recall->matches));
    }
    put_number(o, "recall_at_most", recall->at_most);
    for (size_t k = 0; k < r->key_count; k++) {
        json_t *key = json_object();
        json_object_set_new(key, "key", text_of(r->keys[k].text));
        put_number(key, "found", r->keys[k].found);
        put_number(key, "found_alone", r->keys[k].found_alone);
        if (known)
            put_number(key, "recall", rate(r->keys[k].found, recall->matches));
        json_array_append_new(keys, key);
    }
    json_object_set_new(o, "keys", keys);
    json_object_set_new(o, "next_keys", next_keys_json(recall));
    return o;
}

static json_t *links_json(const struct kin_report *r)
{
    json_t *o = json_object();
    put(o, "read", r->links_read);
    put(o, "must", r->links_must);
    put(o, "never", r->links_never);
    put(o, "unknown", r->links_unknown);
    return o;
}

static json_t *model_json(const struct kin_report *r, const struct kin_workflow_model *model)
{
    json_t *o = json_object();
    json_object_set_new(o, "thresholds", thresholds_json(r, model));
    put(o, "weighed_one_in", r->weigh);
    json_object_set_new(o, "weights", weights_json(r));
    return o;
}

static json_t *reasons_json(const struct kin_report *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->reason_count; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "reason", text_of(r->reasons[i].text));
        put(o, "rows", r->reasons[i].rows);
        json_array_append_new(list, o);
    }
    return list;
}

kin_status kin_report_json(const struct kin_report *r, const struct kin_workflow *workflow,
                           struct kin_buf *out)
{
    json_t *o = json_object(), *unparsable = json_object(), *missing = json_array(),
           *veto = json_object(), *seconds = json_object();
    json_object_set_new(o, "workflow", text_of(r->workflow));
    put(o, "read", r->read);
    put(o, "grouped", r->grouped);
    put(o, "singletons", r->singletons);
    put(o, "superseded", r->superseded);
    put(o, "rejected", r->rejected);
    json_object_set_new(o, "sources", sources_json(r));
    json_object_set_new(o, "groups", groups_json(r, workflow));
    put(o, "pairs_compared", r->compared);
    put(o, "pairs_matched", r->matched);
    if (workflow->model)
        json_object_set_new(o, "model", model_json(r, workflow->model));
    json_object_set_new(o, "keys", keys_json(r));
    json_object_set_new(o, "large_blocks", blocks_json(r, r->large, r->large_count, false));
    json_object_set_new(o, "oversized_blocks",
                        blocks_json(r, r->oversized, r->oversized_count, true));
    if (r->recall.state != KIN_RECALL_NOT_LOOKED)
        json_object_set_new(o, "blocking", blocking_json(r));
    put(o, "excess_keys", r->excess_keys);
    json_object_set_new(o, "rejected_by_reason", reasons_json(r));
    for (size_t f = 0; f < workflow->schema.count; f++) {
        put(unparsable, workflow->fields[f].name, r->unparsable[f]);
        if (r->without_column[f])
            json_array_append_new(missing, text_of(workflow->fields[f].name));
    }
    json_object_set_new(o, "unparsable_values", unparsable);
    json_object_set_new(o, "fields_without_column", missing);
    put(veto, "components_checked", r->veto_components);
    put(veto, "components_too_large", r->veto_unchecked);
    put(veto, "components_at_coordinator", r->veto_large);
    put(veto, "forbidden_pairs", r->veto_forbidden);
    put(veto, "matched_pairs_refused", r->veto_refused);
    json_object_set_new(o, "vetoes", veto);
    if (r->links)
        json_object_set_new(o, "links", links_json(r));
    for (unsigned p = 0; p < KIN_PHASE_PUBLISH; p++)
        json_object_set_new(seconds, kin_phase_name((enum kin_phase)p),
                            json_real((double)r->phase_us[p] / 1e6));
    json_object_set_new(o, "seconds", seconds);
    char *text = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(o);
    if (!text)
        return KIN_E_NOMEM;
    kin_buf_puts(out, text);
    kin_buf_putc(out, '\n');
    free(text);
    return out->failed ? KIN_E_NOMEM : KIN_OK;
}
