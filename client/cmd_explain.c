#include "client/commands.h"
#include "client/explain.h"
#include "client/live_command.h"
#include "common/cli/job_file.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: kindred explain WORKFLOW A B [-o DIR] [--json]\n"
    "       kindred explain WORKFLOW MATCH_ID -o DIR [--json]\n"
    "       kindred explain A B --cluster URL [OPTIONS]\n"
    "\n"
    "Of two records: their values, raw and normalised; which rules are true of them and which\n"
    "terms are not; what the model makes of each comparison, and the sum; the blocking keys they\n"
    "share, without which they are never compared; and the verdict.\n"
    "Of a MatchGroup: what holds it together, link by link, the strongest first; the weakest link\n"
    "it hangs on; what speaks against it.\n"
    "\n"
    "A and B are written SOURCE/ID, or ID alone where only one source has it. The sources of the\n"
    "workflow are read again: they should be those of the run. With --cluster nothing is read: "
    "the\n"
    "records are those that the cluster serves, and both are written SOURCE/ID.\n"
    "\n"
    "  -o, --output DIR   the result of `kindred match`: its matches.csv, and its model.json "
    "where\n"
    "                     the workflow names no file of a model\n"
    "      --json         a JSON object instead of text\n"
    "  -h, --help         this text\n"
    "\n"
    "on a cluster:\n" KIN_SERVED_HELP
    "KINDRED_CLUSTER and KINDRED_SECRET_FILE stand in for --cluster and --secret-file, where two\n"
    "records and no workflow file are given.\n"
    "\n"
    "Exit status: 0 explained; 1 failed (no such record or MatchGroup); 2 the command line or the\n"
    "workflow file is wrong.\n";

static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                        KIN_SERVED_OPTIONS,
                                        KIN_SERVED_JSON,
                                        {NULL, 0, NULL, 0}};

struct request {
    const char *out_dir;
    bool json;
    char **names;
    int count;
};

static int explain(const char *path, const struct request *q)
{
    struct kin_job_file file = {0};
    struct kin_explain *e = NULL;
    struct kin_buf text = {0};
    struct kin_err err = {0};
    int code = kin_job_file_load(&file, "kindred", path);
    if (code == -1) {
        kin_status status = kin_explain_open(file.workflow, q->out_dir, &e, &err);
        if (status == KIN_OK && q->count == 2)
            status = kin_explain_pair(e, kin_str_of(q->names[0]), kin_str_of(q->names[1]), q->json,
                                      &text, &err);
        else if (status == KIN_OK)
            status = kin_explain_group(e, kin_str_of(q->names[0]), q->json, &text, &err);
        if (status == KIN_OK)
            fwrite(text.p ? text.p : (const uint8_t *)"", 1, text.n, stdout);
        else
            fprintf(stderr, "kindred: %s\n", err.msg);
        code = status == KIN_OK ? KIN_EXIT_OK : KIN_EXIT_FAILED;
    }
    kin_explain_close(e);
    kin_buf_deinit(&text);
    kin_job_file_deinit(&file);
    return code;
}

static int usage(const char *wrong)
{
    if (wrong)
        fprintf(stderr, "kindred explain: %s\n", wrong);
    fputs("`kindred explain --help` lists the options.\n", stderr);
    return KIN_EXIT_USAGE;
}

int kin_command_explain(int argc, char **argv)
{
    struct request q = {0};
    struct kin_served_command live = {.name = "explain"};
    bool fine = true;
    kin_cluster_begin(&live.cluster);
    optind = 0;
    argv[0] = (char *)(uintptr_t) "kindred";
    for (int c; (c = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
        if (c == 'h') {
            fputs(help, stdout);
            return KIN_EXIT_OK;
        }
        if (kin_cluster_take(&live.cluster, c, optarg, &fine) && fine)
            continue;
        if (c == 'o')
            q.out_dir = optarg;
        else if (c == KIN_OPT_JSON)
            q.json = true;
        else if (c == KIN_OPT_WORKFLOW)
            live.workflow = kin_str_of(optarg);
        else
            return usage(NULL);
    }
    bool on_cluster = live.cluster.address && !q.out_dir && argc - optind == 2;
    live.json = q.json;
    if (on_cluster)
        return kin_served_explain(&live, argv[optind], argv[optind + 1]);
    if (live.cluster.address && !live.cluster.from_environment)
        return usage("with --cluster, expected two records");
    q.names = argv + optind + 1;
    q.count = argc - optind - 1;
    if (q.count != 1 && q.count != 2)
        return usage("expected a workflow file, and two records or one MatchId");
    if (q.count == 1 && !q.out_dir)
        return usage("a MatchId needs -o DIR: of which result is it?");
    return explain(argv[optind], &q);
}
