#include "client/display.h"

#include "client/display_blocking.h"
#include "client/terminal.h"

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
                                                       "training the model",
                                                       "comparing pairs",
                                                       "joining groups",
                                                       "checking vetoes",
                                                       "numbering groups",
                                                       "writing the result",
                                                       "publishing",
                                                       "done"};
    return texts[phase];
}

/* Returns the seconds since the part of the work that is shown has begun. */
static double part_seconds(struct kin_display *d, unsigned part, uint64_t done, uint64_t now_us)
{
    if (part != d->part || !d->part_start_us || done < d->part_start_done) {
        d->part = part;
        d->part_start_us = now_us;
        d->part_start_done = done;
    }
    return (double)(now_us - d->part_start_us) / 1e6;
}

static void show(struct kin_display *d, const char *line, int n)
{
    int blank = (int)d->width > n ? (int)d->width - n : 0;
    fprintf(stderr, "\r%s%*s", line, blank, "");
    fflush(stderr);
    d->width = (size_t)n;
}

void kin_display_progress(struct kin_display *d, const struct kin_progress *p, uint64_t now_us)
{
    char line[200], number[32];
    if (!d->active)
        return;
    double seconds = part_seconds(d, p->phase, 0, now_us);
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
    show(d, line, n);
}

static int bytes_line(struct kin_display *d, const struct kin_remote_progress *p, double seconds,
                      char *line, size_t room)
{
    const double mib = 1 << 20;
    double speed = (double)(p->done - d->part_start_done) / (seconds > 0 ? seconds : 1);
    int n = snprintf(line, room, "%-22s %.1f", p->total ? "sending sources" : "fetching",
                     (double)p->done / mib);
    if (p->total)
        n += snprintf(line + n, room - (size_t)n, " of %.1f MiB  %3.0f %%", (double)p->total / mib,
                      100 * (double)p->done / (double)p->total);
    else
        n += snprintf(line + n, room - (size_t)n, " MiB");
    if (seconds > 0.3)
        n += snprintf(line + n, room - (size_t)n, "  %.1f MiB/s", speed / mib);
    if (p->total && seconds > 0.5 && speed > 0)
        n += snprintf(line + n, room - (size_t)n, "  %.0f s left",
                      (double)(p->total - p->done) / speed);
    return n;
}

/* Without those that show numbers of their own. */
static const char *step_text(enum kin_remote_step step)
{
    static const char *const texts[KIN_REMOTE_END + 1] = {"looking at the sources",
                                                          "submitting",
                                                          "sending sources",
                                                          "waiting",
                                                          "running",
                                                          "fetching",
                                                          "publishing",
                                                          "done",
                                                          "done"};
    return texts[step];
}

void kin_display_remote(struct kin_display *d, const struct kin_remote_progress *p, uint64_t now_us)
{
    char line[200];
    if (!d->active)
        return;
    bool waits =
        p->step == KIN_REMOTE_WAIT || (p->step == KIN_REMOTE_RUN && p->job.phase == KIN_PHASE_JOIN);
    if (p->step == KIN_REMOTE_RUN && !waits && !p->silent_ms) {
        kin_display_progress(d, &p->job, now_us);
        return;
    }
    double seconds = part_seconds(d, KIN_PHASE_COUNT + (unsigned)p->step, p->done, now_us);
    int n;
    if (p->silent_ms)
        n = snprintf(line, sizeof line, "%-22s for %.0f s", "coordinator silent",
                     (double)p->silent_ms / 1000);
    else if (p->step == KIN_REMOTE_SEND || p->step == KIN_REMOTE_FETCH)
        n = bytes_line(d, p, seconds, line, sizeof line);
    else if (waits && p->ahead)
        n = snprintf(line, sizeof line, "waiting: %u job%s ahead", p->ahead,
                     p->ahead == 1 ? "" : "s");
    else if (waits)
        n = snprintf(line, sizeof line, "waiting: %u worker%s there", p->job.workers,
                     p->job.workers == 1 ? "" : "s");
    else
        n = snprintf(line, sizeof line, "%s", step_text(p->step));
    show(d, line, n);
}

static void row(struct kin_buf *out, const char *name, uint64_t x, const char *note)
{
    char number[32];
    kin_buf_printf(out, "  %-22s %15s%s%s\n", name, kin_display_number(x, number),
                   *note ? "  " : "", note);
}

/* Names are the workflow's own, or what a coordinator says they are. Returns what is in name. */
static const char *fit(struct kin_buf *name, const char *text)
{
    kin_buf_clear(name);
    kin_terminal_put(name, kin_str_of(text), SIZE_MAX);
    kin_buf_putc(name, '\0');
    return name->failed ? "?" : (const char *)name->p;
}

static void sources_table(const struct kin_report_read *r, struct kin_buf *name,
                          struct kin_buf *out)
{
    char a[32], b[32], c[32], d[32], e[32];
    kin_buf_printf(out, "\n  %-16s %13s %13s %13s %13s %13s\n", "source", "read", "grouped",
                   "singletons", "superseded", "rejected");
    for (size_t i = 0; i < r->source_count; i++) {
        const struct kin_report_row *s = &r->sources[i];
        kin_buf_printf(out, "  %-16.16s %13s %13s %13s %13s %13s\n", fit(name, s->name),
                       kin_display_number(s->read, a), kin_display_number(s->grouped, b),
                       kin_display_number(s->singletons, c), kin_display_number(s->superseded, d),
                       kin_display_number(s->rejected, e));
    }
}

static void warning(const char *field, struct kin_buf *out)
{
    kin_buf_printf(
        out, "\n  Warning: no source has a column for the field '%s': it was null everywhere.\n",
        field);
}

static void sizes_table(const struct kin_report_read *r, struct kin_buf *out)
{
    static const char *const names[KIN_REPORT_SIZES] = {
        "1", "2", "3", "4", "5 to 9", "10 to 49", "50 to 99", "100 to 499", "500 and more"};
    char number[32];
    uint64_t most = 1;
    for (unsigned b = 1; b < KIN_REPORT_SIZES; b++)
        most = r->sizes[b] > most ? r->sizes[b] : most;
    kin_buf_puts(out, "\n  MatchGroups by size\n");
    for (unsigned b = 1; b < KIN_REPORT_SIZES; b++) {
        if (!r->sizes[b])
            continue;
        size_t bar = (size_t)(40 * (double)r->sizes[b] / (double)most);
        kin_buf_printf(out, "  %-22s %15s  ", names[b], kin_display_number(r->sizes[b], number));
        for (size_t i = 0; i <= bar; i++)
            kin_buf_putc(out, '#');
        kin_buf_putc(out, '\n');
    }
}

/* What holds the largest groups together: a value to be ignored, most likely. */
static void glue_table(const struct kin_report_read *r, struct kin_buf *name, struct kin_buf *out)
{
    char a[32], b[32];
    if (r->large_count)
        kin_buf_puts(out,
                     "\n  Groups over limits.max_group, and the values that hold them together\n");
    for (size_t i = 0; i < r->large_count; i++) {
        const struct kin_report_group_read *g = &r->large[i];
        kin_buf_printf(out, "  %-32.32s %5s records\n", fit(name, g->match_id),
                       kin_display_number(g->size, a));
        for (size_t k = 0; k < g->glue_count; k++) {
            kin_buf_printf(out, "    %s ", fit(name, g->glue[k].field));
            kin_buf_putc(out, '\'');
            kin_terminal_put(out, kin_str_of(g->glue[k].value), 60);
            kin_buf_printf(out, "': %s of %s links\n", kin_display_number(g->glue[k].links, a),
                           kin_display_number(g->links, b));
        }
    }
}

static void counts_table(const struct kin_report_read *r, struct kin_buf *out)
{
    char note[96];
    row(out, "MatchGroups", r->groups, "of two records or more");
    row(out, "records in them", r->grouped, "");
    snprintf(note, sizeof note, "%.1f million a second",
             (double)r->compared / r->match_seconds / 1e6);
    row(out, "pairs compared", r->compared, r->match_seconds > 0.05 ? note : "");
    row(out, "pairs matched", r->matched, "by comparison; equal values need none");
    row(out, "largest MatchGroup", r->largest_group, "");
    if (r->over_max_group)
        row(out, "over limits.max_group", r->over_max_group, "groups to look at");
    if (r->links_read) {
        snprintf(note, sizeof note, "%llu must, %llu never, %llu of records not there",
                 (unsigned long long)r->links_must, (unsigned long long)r->links_never,
                 (unsigned long long)r->links_unknown);
        row(out, "links of people", r->links_read, note);
    }
    if (r->oversized_blocks)
        row(out, "oversized blocks", r->oversized_blocks, "refined or windowed, see report.json");
    if (r->veto_components)
        row(out, "pairs kept apart", r->veto_refused, "by never rules");
    if (r->veto_unchecked)
        row(out, "vetoes not checked", r->veto_unchecked, "groups over limits.max_veto_group");
    if (r->excess_keys)
        row(out, "blocking keys dropped", r->excess_keys, "over limits.max_keys");
}

void kin_display_summary(const struct kin_report_read *r, double seconds, const char *out_dir,
                         uint64_t peak_bytes, struct kin_buf *out)
{
    struct kin_buf name = {0};
    kin_buf_printf(out, "\n%s: %.2f s", fit(&name, r->workflow), seconds);
    if (peak_bytes)
        kin_buf_printf(out, ", %.0f MiB at most\n", (double)peak_bytes / (1 << 20));
    else
        kin_buf_puts(out, " in the cluster\n");
    sources_table(r, &name, out);
    kin_buf_putc(out, '\n');
    counts_table(r, out);
    sizes_table(r, out);
    glue_table(r, &name, out);
    for (size_t f = 0; f < r->without_column_count; f++)
        warning(fit(&name, r->without_column[f]), out);
    kin_buf_printf(out, "\n  %s/matches.csv  groups.csv  errors.csv  report.html  report.json\n",
                   out_dir);
    kin_buf_deinit(&name);
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
    for (size_t f = 0; f < w->schema.count; f++) {
        if (r->without_column[f])
            warning(w->fields[f].name, out);
    }
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
    kin_display_blocking(r, w, out);
}
