#include "client/status_read.h"

#include "client/display.h"
#include "client/terminal.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct kin_status_read {
    json_t *root;
};

kin_status kin_status_read(struct kin_str json, struct kin_status_read **out, struct kin_err *err)
{
    json_error_t where;
    struct kin_status_read *s = kin_calloc(1, sizeof *s);
    if (!s)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    s->root = json_loadb(json.p ? json.p : "", json.n, 0, &where);
    if (!json_is_object(s->root)) {
        kin_status_read_free(s);
        return kin_err_set(err, KIN_E_SYNTAX, "the coordinator's status is not what it should be");
    }
    *out = s;
    return KIN_OK;
}

void kin_status_read_free(struct kin_status_read *s)
{
    if (!s)
        return;
    json_decref(s->root);
    kin_free(s);
}

void kin_status_json(const struct kin_status_read *s, struct kin_buf *out)
{
    json_free_t free_text;
    char *text = json_dumps(s->root, JSON_COMPACT | JSON_ENSURE_ASCII);
    if (!text) {
        out->failed = true;
        return;
    }
    kin_buf_puts(out, text);
    kin_buf_putc(out, '\n');
    json_get_alloc_funcs(NULL, &free_text);
    free_text(text);
}

/* ---- values ---- */

static struct kin_str text_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return (struct kin_str){"", 0};
    return (struct kin_str){json_string_value(value), json_string_length(value)};
}

static uint64_t number_of(const json_t *object, const char *key)
{
    json_int_t x = json_integer_value(json_object_get(object, key));
    return x > 0 ? (uint64_t)x : 0;
}

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

/* "12 s", "5 min", "3 h", "2 d". Returns out, which has room for 32. */
static const char *duration(uint64_t ms, char *out)
{
    static const struct {
        uint64_t s;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    uint64_t s = ms / 1000;
    size_t u = 0;
    while (u + 1 < sizeof units / sizeof *units && s < 2 * units[u].s)
        u++;
    snprintf(out, 32, "%llu %s", (unsigned long long)(s / units[u].s), units[u].name);
    return out;
}

/* ---- jobs ---- */

enum { JOB_COLUMNS = 16, NAME_COLUMNS = 20, STATE_COLUMNS = 18, NOTE_COLUMNS = 200 };

static void put_progress(const json_t *job, struct kin_buf *out)
{
    uint64_t done = number_of(job, "done"), total = number_of(job, "total");
    char text[16] = "";
    if (total)
        snprintf(text, sizeof text, "%3.0f %%",
                 done < total ? 100 * (double)done / (double)total : 100.0);
    kin_buf_printf(out, "%8s", text);
}

static void put_state(const json_t *job, struct kin_buf *out)
{
    struct kin_str state = text_of(job, "state"), phase = text_of(job, "phase");
    struct kin_buf both = {0};
    kin_buf_put(&both, state.p, state.n);
    if (phase.n && kin_str_eq(state, KIN_STR("running"))) {
        kin_buf_puts(&both, ": ");
        kin_buf_put(&both, phase.p, phase.n);
    }
    kin_terminal_cell(out, (struct kin_str){(const char *)both.p, both.n}, STATE_COLUMNS);
    kin_buf_deinit(&both);
}

static void put_note(const json_t *job, struct kin_buf *out)
{
    struct kin_str error = text_of(job, "error"), output = text_of(job, "output");
    uint64_t runs = number_of(job, "runs");
    if (error.n) {
        kin_buf_puts(out, "  ");
        kin_terminal_put(out, error, NOTE_COLUMNS);
    } else if (output.n) {
        kin_buf_puts(out, "  at the coordinator: ");
        kin_terminal_put(out, output, NOTE_COLUMNS);
    } else if (is_true(job, "results_kept")) {
        kin_buf_puts(out, "  results wait to be fetched");
    }
    if (runs > 1)
        kin_buf_printf(out, "  (run %llu)", (unsigned long long)runs);
}

static void put_job(const json_t *job, uint64_t now_ms, struct kin_buf *out)
{
    char age[32], records[32];
    uint64_t submitted = number_of(job, "submitted_ms");
    kin_terminal_cell(out, text_of(job, "job"), JOB_COLUMNS);
    kin_buf_puts(out, "  ");
    kin_terminal_cell(out, text_of(job, "workflow"), NAME_COLUMNS);
    kin_buf_puts(out, "  ");
    put_state(job, out);
    put_progress(job, out);
    kin_buf_printf(out, " %15s %8s", kin_display_number(number_of(job, "records"), records),
                   duration(now_ms > submitted ? now_ms - submitted : 0, age));
    put_note(job, out);
    kin_buf_putc(out, '\n');
}

void kin_status_jobs(const struct kin_status_read *s, uint64_t now_ms, struct kin_buf *out)
{
    const json_t *jobs = json_object_get(s->root, "jobs");
    size_t n = json_array_size(jobs);
    if (n == 0) {
        kin_buf_puts(out, "no jobs\n");
        return;
    }
    kin_buf_printf(out, "%-*s  %-*s  %-*s%8s %15s %8s\n", JOB_COLUMNS, "job", NAME_COLUMNS,
                   "workflow", STATE_COLUMNS, "state", "progress", "records", "age");
    for (size_t i = 0; i < n; i++)
        put_job(json_array_get(jobs, i), now_ms, out);
}

/* ---- the cluster ---- */

static void put_worker(const json_t *worker, struct kin_buf *out)
{
    char silent[32];
    bool joined = is_true(worker, "joined");
    kin_buf_printf(out, "%4llu  ", (unsigned long long)number_of(worker, "node"));
    kin_terminal_cell(out, text_of(worker, "name"), NAME_COLUMNS);
    kin_buf_printf(out, "  %-6s %8llu %8llu", joined ? "joined" : "away",
                   (unsigned long long)number_of(worker, "threads"),
                   (unsigned long long)number_of(worker, "shards"));
    if (!joined)
        kin_buf_printf(out, "  silent for %s", duration(number_of(worker, "silent_ms"), silent));
    kin_buf_putc(out, '\n');
}

void kin_status_cluster(const struct kin_status_read *s, uint64_t now_ms, struct kin_buf *out)
{
    const json_t *workers = json_object_get(s->root, "workers");
    size_t n = json_array_size(workers), joined = 0;
    char up[32];
    for (size_t i = 0; i < n; i++)
        joined += is_true(json_array_get(workers, i), "joined");
    kin_buf_puts(out, "cluster ");
    kin_terminal_put(out, text_of(s->root, "cluster"), NAME_COLUMNS);
    kin_buf_puts(out, ", version ");
    kin_terminal_put(out, text_of(s->root, "version"), NAME_COLUMNS);
    kin_buf_printf(out, ", up for %s, %zu worker%s joined",
                   duration(number_of(s->root, "uptime_ms"), up), joined, joined == 1 ? "" : "s");
    if (number_of(s->root, "workers_wanted") > joined)
        kin_buf_printf(out, " of %llu that jobs wait for",
                       (unsigned long long)number_of(s->root, "workers_wanted"));
    kin_buf_putc(out, '\n');
    if (n)
        kin_buf_printf(out, "\nnode  %-*s  %-6s %8s %8s\n", NAME_COLUMNS, "worker", "", "threads",
                       "shards");
    for (size_t i = 0; i < n; i++)
        put_worker(json_array_get(workers, i), out);
    kin_buf_putc(out, '\n');
    kin_status_jobs(s, now_ms, out);
}

bool kin_status_worker(const struct kin_status_read *s, const char *name)
{
    const json_t *workers = json_object_get(s->root, "workers");
    for (size_t i = 0; i < json_array_size(workers); i++) {
        const json_t *worker = json_array_get(workers, i);
        if (is_true(worker, "joined") && kin_str_eq(text_of(worker, "name"), kin_str_of(name)))
            return true;
    }
    return false;
}
