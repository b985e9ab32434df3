/* The embedded cluster (real threads, real LMDB, real files) against the plain reference: random
 * scenarios over 1 to 3 workers and 1 to 4 threads. */
#include "client/embedded.h"
#include "tests/oracle/scenario.h"
#include "tests/unit/scratch_dir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCENARIOS = 24 };

static void path_in(char out[512], const char *dir, const char *name)
{
    snprintf(out, 512, "%.300s/%.200s", dir, name);
}

static struct kin_buf read_output(const char *dir, const char *name)
{
    struct kin_buf bytes = {0};
    char path[512];
    path_in(path, dir, name);
    if (!scratch_get(path, &bytes))
        kin_buf_clear(&bytes);
    return bytes;
}

/* The scenario's sources are at /in/...: the workflow text is pointed at the scratch directory
 * instead. */
static struct kin_buf relocated(const struct kin_buf *text, const char *dir)
{
    struct kin_buf out = {0};
    for (size_t i = 0; i < text->n;) {
        if (text->n - i >= 4 && memcmp(text->p + i, "/in/", 4) == 0) {
            kin_buf_printf(&out, "%s/", dir);
            i += 4;
        } else {
            kin_buf_putc(&out, (char)text->p[i++]);
        }
    }
    return out;
}

/* state: NULL: the stores are in memory. */
static bool run_and_check(const struct scenario *s, uint64_t seed, const struct kin_buf *text,
                          const char *out, const char *state)
{
    struct kin_job_options job = {.workflow = {(const char *)text->p, text->n},
                                  .base_dir = "",
                                  .out_dir = out,
                                  .pairs = s->pairs,
                                  .chunk_bytes = 500 + (uint32_t)(seed * 97 % 3000)};
    memcpy(job.match_id_key, KIN_MATCH_ID_KEY, sizeof job.match_id_key);
    struct kin_embedded_options options = {.job = &job,
                                           .state_dir = state,
                                           .workers = 1 + (unsigned)(seed % 3),
                                           .threads = 1 + (unsigned)(seed % 4),
                                           .map_bytes = (uint64_t)1 << 32};
    struct kin_err err = {0};
    bool ok = kin_embedded_run(&options, &err) == KIN_OK;
    if (!ok)
        fprintf(stderr, "seed %llu, %s: %s\n", (unsigned long long)seed,
                state ? "LMDB" : "in memory", err.msg);
    struct kin_buf matches = read_output(out, "matches.csv"), pairs = read_output(out, "pairs.csv"),
                   errors = read_output(out, "errors.csv"),
                   report = read_output(out, "report.json");
    ok = ok && scenario_check(s, (struct kin_str){(const char *)matches.p, matches.n},
                              (struct kin_str){(const char *)pairs.p, pairs.n},
                              (struct kin_str){(const char *)errors.p, errors.n},
                              (struct kin_str){(const char *)report.p, report.n});
    kin_buf_deinit(&matches);
    kin_buf_deinit(&pairs);
    kin_buf_deinit(&errors);
    kin_buf_deinit(&report);
    return ok;
}

static bool run_scenario(uint64_t seed)
{
    struct scenario_options o = {0};
    struct scenario *s = scenario_new(seed, &o);
    char dir[SCRATCH_PATH], out[512], state[512], path[512];
    if (!scratch_make(dir))
        abort();
    path_in(out, dir, "out");
    path_in(state, dir, "state");
    for (int i = 0; i < s->file_count; i++) {
        path_in(path, dir, s->files[i].path + strlen("/in/"));
        if (!scratch_put(path, s->files[i].bytes.p, s->files[i].bytes.n))
            abort();
    }
    struct kin_buf text = relocated(&s->workflow_text, dir);
    bool ok = run_and_check(s, seed, &text, out, state) && run_and_check(s, seed, &text, out, NULL);
    kin_buf_deinit(&text);
    scratch_remove(dir);
    scenario_free(s);
    return ok;
}

int main(void)
{
    for (uint64_t seed = 1; seed <= SCENARIOS; seed++) {
        if (!run_scenario(seed))
            return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
