#include "client/commands.h"
#include "client/evaluate.h"
#include "client/job_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] = "usage: kindred evaluate --truth FILE RESULT\n"
                           "\n"
                           "Compares MatchGroups with the truth: precision, recall and F1 of pairs "
                           "(all, and those across\n"
                           "sources only), B-cubed, and groups that are exactly right.\n"
                           "\n"
                           "RESULT is the output directory of `kindred match`, or a matches.csv. "
                           "FILE is a CSV with the columns\n"
                           "id, entity and, where ids are unique only within a source, source.\n"
                           "\n"
                           "  -t, --truth FILE   the truth file\n"
                           "  -h, --help         this text\n";

static const struct option options[] = {
    {"truth", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

static int evaluate(const char *result, const char *truth)
{
    struct kin_buf a = {0}, b = {0}, text = {0};
    struct kin_err err = {0};
    struct stat st;
    char path[4200];
    snprintf(path, sizeof path, "%s", result);
    if (stat(result, &st) == 0 && S_ISDIR(st.st_mode))
        snprintf(path, sizeof path, "%s/matches.csv", result);
    struct kin_evaluation e;
    kin_status status = kin_cli_read_file(path, SIZE_MAX, &a, &err);
    if (status == KIN_OK)
        status = kin_cli_read_file(truth, SIZE_MAX, &b, &err);
    if (status == KIN_OK)
        status = kin_evaluate((struct kin_str){(const char *)a.p, a.n},
                              (struct kin_str){(const char *)b.p, b.n}, &e, &err);
    if (status == KIN_OK && e.records == 0)
        status = kin_err_set(&err, KIN_E_NOTFOUND,
                             "no record is in both %s and %s; are the sources named as in the "
                             "workflow file?",
                             path, truth);
    if (status == KIN_OK) {
        kin_evaluation_print(&e, &text);
        fwrite(text.p ? text.p : (const uint8_t *)"", 1, text.n, stdout);
    } else {
        fprintf(stderr, "kindred: %s\n", err.msg);
    }
    kin_buf_deinit(&a);
    kin_buf_deinit(&b);
    kin_buf_deinit(&text);
    return status == KIN_OK ? KIN_EXIT_OK : KIN_EXIT_FAILED;
}

int kin_command_evaluate(int argc, char **argv)
{
    const char *truth = NULL;
    optind = 0;
    argv[0] = (char *)(uintptr_t) "kindred";
    for (int c; (c = getopt_long(argc, argv, "t:h", options, NULL)) != -1;) {
        if (c == 'h') {
            fputs(help, stdout);
            return KIN_EXIT_OK;
        }
        if (c != 't') {
            fputs("`kindred evaluate --help` lists the options.\n", stderr);
            return KIN_EXIT_USAGE;
        }
        truth = optarg;
    }
    if (!truth || optind + 1 != argc) {
        fputs(truth ? "kindred evaluate: expected one result\n"
                    : "kindred evaluate: --truth FILE is missing\n",
              stderr);
        return KIN_EXIT_USAGE;
    }
    return evaluate(argv[optind], truth);
}
