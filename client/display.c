#include "client/display.h"

#include <stdio.h>
#include <string.h>

const char *kin_display_number(uint64_t x, char *out)
{
    char digits[32];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)x), k = 0;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            out[k++] = ',';
        out[k++] = digits[i];
    }
    out[k] = '\0';
    return out;
}

void kin_display_clear(struct kin_display *d)
{
    if (d->active && d->width)
        fprintf(stderr, "\r%*s\r", (int)d->width, "");
    d->width = 0;
}

static const char *phase_text(enum kin_phase phase)
{
    static const char *const texts[KIN_PHASE_COUNT] = {"starting",
                                                       "reading",
                                                       "comparing identities",
                                                       "building blocks",
                                                       "comparing pairs",
                                                       "joining groups",
                                                       "checking vetoes",
                                                       "numbering groups",
                                                       "writing the result",
                                                       "publishing",
                                                       "done"};
    return texts[phase];
}

void kin_display_progress(struct kin_display *d, const struct kin_progress *p, uint64_t now_us)
{
    char line[200], number[32];
    if (!d->active)
        return;
    if (p->phase != d->phase) {
        d->phase = p->phase;
        d->phase_start_us = now_us;
    }
    double seconds = (double)(now_us - d->phase_start_us) / 1e6;
    int n = snprintf(line, sizeof line, "%-22s %s records", phase_text(p->phase),
                     kin_display_number(p->records, number));
    if (p->total && n > 0) {
        double part = (double)p->done / (double)p->total;
        part = part > 1 ? 1 : part;
        n += snprintf(line + n, sizeof line - (size_t)n, "  %3.0f %%", 100 * part);
        if (p->phase == KIN_PHASE_LOAD && seconds > 0.3)
            n += snprintf(line + n, sizeof line - (size_t)n, "  %s/s",
                          kin_display_number((uint64_t)((double)p->records / seconds), number));
        if (part > 0.02 && seconds > 0.5)
            n += snprintf(line + n, sizeof line - (size_t)n, "  %.0f s left",
                          seconds / part - seconds);
    }
    int blank = (int)d->width > n ? (int)d->width - n : 0;
    fprintf(stderr, "\r%s%*s", line, blank, "");
    fflush(stderr);
    d->width = (size_t)n;
}

static void row(struct kin_buf *out, const char *name, uint64_t x, const char *note)
{
    char number[32];
    kin_buf_printf(out, "  %-22s %15s%s%s\n", name, kin_display_number(x, number),
                   *note ? "  " : "", note);
}

static void sources_table(const struct kin_report *r, struct kin_buf *out)
{
    char a[32], b[32], c[32], d[32], e[32];
    kin_buf_printf(out, "\n  %-16s %13s %13s %13s %13s %13s\n", "source", "read", "grouped",
                   "singletons", "superseded", "rejected");
    for (size_t i = 0; i < r->source_count; i++) {
        const struct kin_report_source *s = &r->sources[i];
        kin_buf_printf(out, "  %-16.16s %13s %13s %13s %13s %13s\n", s->name,
                       kin_display_number(s->read, a), kin_display_number(s->grouped, b),
                       kin_display_number(s->singletons, c), kin_display_number(s->superseded, d),
                       kin_display_number(s->rejected, e));
    }
}

static void warnings(const struct kin_report *r, const struct kin_workflow *w, struct kin_buf *out)
{
    for (size_t f = 0; f < w->schema.count; f++) {
        if (r->without_column[f])
            kin_buf_printf(
                out,
                "\n  Warning: no source has a column for the field '%s': it was null everywhere.\n",
                w->fields[f].name);
    }
}

static void sizes_table(const struct kin_report *r, struct kin_buf *out)
{
    static const char *const names[KIN_SIZE_BUCKETS] = {
        "1", "2", "3", "4", "5 to 9", "10 to 49", "50 to 99", "100 to 499", "500 and more"};
    char number[32];
    uint64_t most = 1;
    for (unsigned b = 1; b < KIN_SIZE_BUCKETS; b++)
        most = r->group_sizes[b] > most ? r->group_sizes[b] : most;
    kin_buf_puts(out, "\n  MatchGroups by size\n");
    for (unsigned b = 1; b < KIN_SIZE_BUCKETS; b++) {
        if (!r->group_sizes[b])
            continue;
        size_t bar = (size_t)(40 * r->group_sizes[b] / most);
        kin_buf_printf(out, "  %-22s %15s  ", names[b],
                       kin_display_number(r->group_sizes[b], number));
        for (size_t i = 0; i <= bar; i++)
            kin_buf_putc(out, '#');
        kin_buf_putc(out, '\n');
    }
}

void kin_display_summary(const struct kin_report *r, const struct kin_workflow *w,
                         const char *out_dir, uint64_t peak_bytes, struct kin_buf *out)
{
    double seconds = (double)r->total_us / 1e6;
    double match = (double)r->phase_us[KIN_PHASE_MATCH] / 1e6;
    char note[64];
    kin_buf_printf(out, "\n%s: %.2f s, %.0f MiB at most\n", r->workflow, seconds,
                   (double)peak_bytes / (1 << 20));
    sources_table(r, out);
    kin_buf_putc(out, '\n');
    row(out, "MatchGroups", r->groups, "of two records or more");
    row(out, "records in them", r->grouped, "");
    snprintf(note, sizeof note, "%.1f million a second", (double)r->compared / match / 1e6);
    row(out, "pairs compared", r->compared, match > 0.05 ? note : "");
    row(out, "pairs matched", r->matched, "by comparison; equal values need none");
    row(out, "largest MatchGroup", r->largest_group, "");
    if (r->over_max_group)
        row(out, "over limits.max_group", r->over_max_group, "groups to look at");
    if (r->oversized_count)
        row(out, "oversized blocks", r->oversized_count, "refined or windowed, see report.json");
    if (r->veto_components)
        row(out, "pairs kept apart", r->veto_refused, "by never rules");
    if (r->veto_unchecked)
        row(out, "vetoes not checked", r->veto_unchecked, "groups over limits.max_veto_group");
    if (r->excess_keys)
        row(out, "blocking keys dropped", r->excess_keys, "over limits.max_keys");
    sizes_table(r, out);
    warnings(r, w, out);
    kin_buf_printf(out, "\n  %s/matches.csv  groups.csv  errors.csv  report.json\n", out_dir);
}

static void large_blocks(const struct kin_report *r, unsigned rule, struct kin_buf *out)
{
    char number[32];
    for (size_t i = 0; i < r->large_count; i++) {
        if (r->large[i].rule == rule && r->large[i].records > 2)
            kin_buf_printf(out, "      %15s records share  %s\n",
                           kin_display_number(r->large[i].records, number), r->large[i].text);
    }
}

/* Rough on purpose: measured costs of one record and one pair on one 2.8 GHz core (tests/bench). */
enum {
    NS_PER_PAIR = 150,
    NS_PER_RECORD_AFTER_LOAD = 1500,
    BYTES_PER_POSTING = 40,
    BYTES_PER_RECORD = 120,
    BYTES_FIXED = 64 * 1024 * 1024
};

static void plan_sources(const struct kin_report *r, struct kin_buf *out)
{
    char a[32], b[32], c[32];
    kin_buf_printf(out, "\n  %-16s %13s %13s %13s\n", "source", "read", "superseded", "rejected");
    for (size_t i = 0; i < r->source_count; i++) {
        const struct kin_report_source *s = &r->sources[i];
        kin_buf_printf(out, "  %-16.16s %13s %13s %13s\n", s->name, kin_display_number(s->read, a),
                       kin_display_number(s->superseded, b), kin_display_number(s->rejected, c));
    }
}

void kin_display_plan(const struct kin_report *r, const struct kin_workflow *w, unsigned threads,
                      struct kin_buf *out)
{
    char a[32], b[32], c[32], d[32];
    uint64_t pairs = 0, postings = 0;
    kin_buf_printf(out, "\n%s: %s records in %.2f s\n", r->workflow,
                   kin_display_number(r->records, a), (double)r->total_us / 1e6);
    plan_sources(r, out);
    warnings(r, w, out);
    kin_buf_printf(out, "\n  %-40s %12s %12s %16s %10s\n", "blocking key", "records", "blocks",
                   "pairs", "largest");
    for (unsigned k = 0; k < r->key_count; k++) {
        const struct kin_report_key *key = &r->keys[k];
        kin_buf_printf(out, "  %-40.40s %12s %12s %16s %10s%s\n", key->text,
                       kin_display_number(key->postings, a), kin_display_number(key->blocks, b),
                       kin_display_number(key->pairs, c), kin_display_number(key->largest, d),
                       !key->star && key->largest > w->limits.max_block ? "  over max_block" : "");
        large_blocks(r, k, out);
        postings += key->postings;
        pairs += key->star ? 0 : key->pairs;
    }
    uint64_t after = r->records * NS_PER_RECORD_AFTER_LOAD / 1000 + pairs * NS_PER_PAIR / 1000;
    double seconds = (double)r->total_us / 1e6 + (double)after / threads / 1e6;
    uint64_t bytes = BYTES_FIXED + r->records * BYTES_PER_RECORD + postings * BYTES_PER_POSTING;
    kin_buf_printf(out,
                   "\n  %s pairs at most; a match takes about %.1f s and %.1f GiB on %u threads\n",
                   kin_display_number(pairs, a), seconds, (double)bytes / (1 << 30), threads);
    kin_buf_puts(
        out, "  (pairs under several keys are compared once; blocks over max_block are refined)\n");
}
