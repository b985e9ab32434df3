#include "client/commands.h"
#include "client/report_read.h"
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
    "usage: kindred report DIR [OPTIONS]\n"
    "\n"
    "Writes report.html, a page for people, from the report.json and model.json of DIR, the "
    "output\n"
    "of `kindred match`. That command has written one already: this makes it again, of an older\n"
    "result or by a newer version.\n"
    "\n"
    "  -o, --output FILE          where to write it instead of DIR/report.html\n"
    "  -h, --help                 this text\n";

static const struct option options[] = {
    {"output", required_argument, NULL, 'o'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

struct command {
    const char *dir, *out;
    struct kin_buf report, model, html;
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
    if (optind + 1 != argc || strlen(argv[optind]) > KIN_OUTPUT_DIR_MAX ||
        (o->out && strlen(o->out) > KIN_OUTPUT_DIR_MAX)) {
        fputs("kindred report: expected the output directory of one match\n"
              "`kindred report --help` lists the options.\n",
              stderr);
        return KIN_EXIT_USAGE;
    }
    o->dir = argv[optind];
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

static int run(struct command *o)
{
    struct kin_err err = {0};
    kin_status status = read_dir(o, &err);
    struct kin_report_html_input input = {
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
    return code;
}
