#include "client/commands.h"
#include "client/report_pairs.h"
#include "client/report_read.h"
#include "common/cli/job_file.h"
#include "common/cli/output_dir.h"
#include "common/match/model.h"
#include "common/report/report_html.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* `kindred report`: report.html again, from what an output directory holds. */

enum {
    PATH_BYTES = KIN_OUTPUT_DIR_MAX + 200,
    REPORT_BYTES_MAX = 64 << 20 /* of report.json */
};

static const char help[] =
    "usage: kindred report DIR [WORKFLOW] [OPTIONS]\n"
    "\n"
    "Writes report.html, a page for people, from the report.json and model.json of DIR, the "
    "output\n"
    "of `kindred match`. That command has written one already: this makes it again, of an older\n"
    "result or by a newer version. With the WORKFLOW that DIR was made by, the sources are read\n"
    "again, and the page shows how the weights of some pairs of DIR's pairs.csv came about.\n"
    "\n"
    "  -o, --output FILE          where to write it instead of DIR/report.html\n"
    "  -h, --help                 this text\n";

static const struct option options[] = {
    {"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

struct command {
    const char *dir, *out, *workflow;
    struct kin_buf report, model, html;
    struct kin_arena arena;
    struct kin_waterfall waterfalls[KIN_CHOSEN_PAIRS];
    size_t waterfall_count;
};

/* -1: go on; else the exit status. */
static int parse(struct command *o, int argc, char **argv)
{
    optind = 0;
    argv[0] = (char *)(uintptr_t) "kindred";
    for (int c; (c = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
        if (c == 'h') {
            fputs(help, stdout);
            return KIN_EXIT_OK;
        }
        if (c != 'o') {
            fputs("`kindred report --help` lists the options.\n", stderr);
            return KIN_EXIT_USAGE;
        }
        o->out = optarg;
    }
    if (optind >= argc || optind + 2 < argc || strlen(argv[optind]) > KIN_OUTPUT_DIR_MAX ||
        (o->out && strlen(o->out) > KIN_OUTPUT_DIR_MAX)) {
        fputs(
            "kindred report: expected the output directory of one match, and its workflow at most\n"
            "`kindred report --help` lists the options.\n",
            stderr);
        return KIN_EXIT_USAGE;
    }
    o->dir = argv[optind];
    o->workflow = optind + 2 == argc ? argv[optind + 1] : NULL;
    return -1;
}

static kin_status read_dir(struct command *o, struct kin_err *err)
{
    char path[PATH_BYTES];
    struct kin_report_read checked;
    snprintf(path, sizeof path, "%s/report.json", o->dir);
    kin_status status = kin_cli_read_file(path, REPORT_BYTES_MAX, &o->report, err);
    if (status == KIN_OK)
        status = kin_report_read((struct kin_str){(const char *)o->report.p, o->report.n}, &checked,
                                 err);
    if (status != KIN_OK)
        return status;
    kin_report_read_deinit(&checked);
    snprintf(path, sizeof path, "%s/model.json", o->dir);
    if (access(path, F_OK) != 0)
        return KIN_OK; /* rules only */
    return kin_cli_read_file(path, KIN_MODEL_FILE_MAX, &o->model, err);
}

/* Whole or not at all: beside the file first, then in its place. */
static kin_status write_page(const struct command *o, struct kin_err *err)
{
    char path[PATH_BYTES], partial[PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s%s", o->out ? o->out : o->dir, o->out ? "" : "/report.html");
    snprintf(partial, sizeof partial, "%s.partial", path);
    FILE *file = fopen(partial, "we");
    bool good = file && fwrite(o->html.p, 1, o->html.n, file) == o->html.n && fflush(file) == 0 &&
                fsync(fileno(file)) == 0;
    if (file && fclose(file))
        good = false;
    if (good && rename(partial, path) == 0)
        return KIN_OK;
    kin_status status =
        kin_err_set(err, KIN_E_IO, "%s cannot be written: %s", path, strerror(errno));
    if (file)
        remove(partial);
    return status;
}

static kin_status explain_pairs(struct command *o, const struct kin_workflow *workflow,
                                struct kin_err *err)
{
    char path[PATH_BYTES];
    struct kin_chosen_pair pairs[KIN_CHOSEN_PAIRS];
    if (!workflow->model)
        return kin_err_set(err, KIN_E_INVAL, "%s: has no model, so its pairs have no weights",
                           o->workflow);
    snprintf(path, sizeof path, "%s/pairs.csv", o->dir);
    if (access(path, F_OK) != 0)
        return kin_err_set(err, KIN_E_NOTFOUND,
                           "%s: is not there; `kindred match --pairs` writes it", path);
    kin_status status = kin_report_choose_pairs(path, &o->arena, pairs, &o->waterfall_count, err);
    if (status == KIN_OK)
        status = kin_report_explain_pairs(workflow, o->dir, pairs, o->waterfall_count, &o->arena,
                                          o->waterfalls, err);
    return status;
}

/* -1: go on; else the exit status. */
static int add_pairs(struct command *o)
{
    struct kin_job_file file = {0};
    struct kin_err err = {0};
    int code = kin_job_file_load(&file, "kindred", o->workflow);
    if (code < 0 && explain_pairs(o, file.workflow, &err) != KIN_OK) {
        fprintf(stderr, "kindred: %s\n", err.msg);
        code = KIN_EXIT_FAILED;
    }
    kin_job_file_deinit(&file);
    return code;
}

static int run(struct command *o)
{
    struct kin_err err = {0};
    kin_status status = read_dir(o, &err);
    if (status == KIN_OK && o->workflow) {
        int code = add_pairs(o);
        if (code >= 0)
            return code;
    }
    struct kin_report_html_input input = {
        .waterfalls = o->waterfalls,
        .waterfall_count = o->waterfall_count,
        .report = {(const char *)o->report.p, o->report.n},
        .model = {(const char *)o->model.p, o->model.n},
    };
    if (status == KIN_OK)
        status = kin_report_html(&input, &o->html, &err);
    if (status == KIN_OK)
        status = write_page(o, &err);
    if (status != KIN_OK)
        fprintf(stderr, "kindred: %s\n", err.msg);
    return status == KIN_OK ? KIN_EXIT_OK : KIN_EXIT_FAILED;
}

int kin_command_report(int argc, char **argv)
{
    struct command o = {0};
    int code = parse(&o, argc, argv);
    if (code < 0)
        code = run(&o);
    kin_buf_deinit(&o.report);
    kin_buf_deinit(&o.model);
    kin_buf_deinit(&o.html);
    kin_arena_deinit(&o.arena);
    return code;
}
