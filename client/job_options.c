#include "client/job_options.h"

#include "client/commands.h"
#include "proto/shards.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { WORKFLOW_BYTES_MAX = 1000 * 1000 }; /* it travels in one message of at most 1 MiB */

static const char match_help[] =
    "usage: kindred match WORKFLOW -o DIR [OPTIONS]\n"
    "       kindred match --check WORKFLOW\n"
    "\n"
    "Reads the sources of a workflow file, finds the records that belong together, and writes\n"
    "  DIR/matches.csv   every record with its MatchId, rule and group size, in input order\n"
    "  DIR/groups.csv    one golden record for each MatchGroup\n"
    "  DIR/errors.csv    every rejected row, with the reason and its raw text\n"
    "  DIR/report.json   counts, blocks, groups, timings\n"
    "  DIR/report.html   all that, and the model, as a page for a browser\n"
    "  DIR/model.json    the model, where there is one, and training.txt of one that was trained\n"
    "DIR appears whole or not at all.\n"
    "\n"
    "A small job works in memory, and is begun anew if it was killed. One over limits.memory of\n"
    "the workflow, or with --state, --keep-state or --fsync, keeps its state on the disk until it\n"
    "is done, and goes on where it was when the same command is given again.\n"
    "\n"
    "  -o, --output DIR       where the outputs appear; an earlier result there is replaced\n"
    "      --check            check the workflow file and stop\n"
    "      --pairs            write DIR/pairs.csv too: the pairs that matched\n"
    "      --strict           exit status 3 if any record was rejected\n"
    "      --workers N        workers the job is split over, 1 to 64 (default 1)\n"
    "      --threads N        compute threads, 1 to 256 (default: one per processor)\n"
    "      --state DIR        keep the state there, however small (default, where one is kept:\n"
    "                         DIR.state beside the output)\n"
    "      --keep-state       do not remove the state when the job is done\n"
    "      --fsync            survive power loss too, not only a killed process\n"
    "      --match-id-key-file FILE   secret key of MatchIds: 32 hex digits\n"
    "      --log json         one JSON line an event on stderr instead of the progress display\n"
    "  -q, --quiet            no progress, no summary\n"
    "  -h, --help             this text\n"
    "\n"
    "On a running cluster instead of this process alone: the sources are sent to its coordinator,\n"
    "the job waits for its turn, and the results are fetched.\n"
    "\n"
    "      --cluster URL      its coordinator: tcp://HOST:PORT or unix:///PATH\n"
    "      --secret-file FILE     the secret of the cluster\n"
    "      --at-coordinator   nothing is sent or fetched: the coordinator reads the sources and\n"
    "                         writes DIR, under the same absolute paths as here, below its "
    "--files\n"
    "      --serve            the cluster serves the workflow afterwards: lookups, changes, "
    "MatchIds\n"
    "                         that last (docs/live.md)\n"
    "      --replace          --serve, also where records were put since into what is served now:\n"
    "                         those that the sources do not have are no more\n"
    "      --detach           print the job's id as soon as it is queued, and end: `kindred "
    "attach`,\n"
    "                         or the same command without --detach, fetches the results\n"
    "      --timeout SECONDS      for the coordinator to answer at first (default 10)\n"
    "\n"
    "KINDRED_CLUSTER and KINDRED_SECRET_FILE stand in for --cluster and --secret-file.\n"
    "\n"
    "Exit status: 0 done; 1 failed; 2 the command line or workflow file is wrong; 3 done, but\n"
    "records were rejected (with --strict).\n";

static const char plan_help[] =
    "usage: kindred plan WORKFLOW [OPTIONS]\n"
    "\n"
    "Reads the sources and counts the pairs and the largest blocks of each blocking key; "
    "estimates\n"
    "time and memory of the match, which part of the matches the keys find, and which further key\n"
    "would find most more. A model is trained, if the workflow's names no file.\n"
    "\n"
    "      --json             the plan as JSON: what report.json has, and \"blocking\"\n"
    "      --workers N        workers the job is split over, 1 to 64 (default 1)\n"
    "      --threads N        compute threads, 1 to 256 (default: one per processor)\n"
    "      --state DIR        where to keep intermediate state (default: in memory, or in a\n"
    "                         temporary directory if it is over limits.memory)\n"
    "      --log json         one JSON line an event on stderr instead of the progress display\n"
    "  -q, --quiet            no progress\n"
    "  -h, --help             this text\n";

static const char train_help[] =
    "usage: kindred train WORKFLOW -o FILE [OPTIONS]\n"
    "\n"
    "Trains the model of a workflow on its records, without labels or with, writes it to FILE\n"
    "(JSON, to be named by `file:` in the workflow's model), and prints what was learnt and what\n"
    "is doubtful.\n"
    "`kindred match` trains by itself where the workflow names no file; training once and keeping\n"
    "the model makes later runs comparable.\n"
    "\n"
    "  -o, --output FILE      where the model goes; a file there is replaced\n"
    "      --labels FILE      learn from what is known: a CSV with columns id, entity (records of\n"
    "                         one entity are the same; source beside id where ids repeat), or\n"
    "                         id_a, id_b, label (1 the same, 0 not; source_a, source_b)\n"
    "      --workers N        workers the job is split over, 1 to 64 (default 1)\n"
    "      --threads N        compute threads, 1 to 256 (default: one per processor)\n"
    "      --state DIR        where to keep intermediate state (default: in memory, or in a\n"
    "                         temporary directory if it is over limits.memory)\n"
    "      --log json         one JSON line an event on stderr instead of the progress display\n"
    "  -q, --quiet            no progress, no report\n"
    "  -h, --help             this text\n";

enum {
    OPT_CHECK = 256,
    OPT_PAIRS,
    OPT_STRICT,
    OPT_WORKERS,
    OPT_THREADS,
    OPT_STATE,
    OPT_KEEP,
    OPT_FSYNC,
    OPT_KEY,
    OPT_LABELS,
    OPT_LOG,
    OPT_AT,
    OPT_DETACH,
    OPT_SERVE,
    OPT_REPLACE,
    OPT_JSON
};

static const struct option match_options[] = {
    {"output", required_argument, NULL, 'o'},
    {"check", no_argument, NULL, OPT_CHECK},
    {"pairs", no_argument, NULL, OPT_PAIRS},
    {"strict", no_argument, NULL, OPT_STRICT},
    {"workers", required_argument, NULL, OPT_WORKERS},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"state", required_argument, NULL, OPT_STATE},
    {"keep-state", no_argument, NULL, OPT_KEEP},
    {"fsync", no_argument, NULL, OPT_FSYNC},
    {"match-id-key-file", required_argument, NULL, OPT_KEY},
    {"log", required_argument, NULL, OPT_LOG},
    {"at-coordinator", no_argument, NULL, OPT_AT},
    {"detach", no_argument, NULL, OPT_DETACH},
    {"serve", no_argument, NULL, OPT_SERVE},
    {"replace", no_argument, NULL, OPT_REPLACE},
    KIN_CLUSTER_OPTIONS,
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0}};

static const struct option plan_options[] = {{"json", no_argument, NULL, OPT_JSON},
                                             {"workers", required_argument, NULL, OPT_WORKERS},
                                             {"threads", required_argument, NULL, OPT_THREADS},
                                             {"state", required_argument, NULL, OPT_STATE},
                                             {"log", required_argument, NULL, OPT_LOG},
                                             {"quiet", no_argument, NULL, 'q'},
                                             {"help", no_argument, NULL, 'h'},
                                             {NULL, 0, NULL, 0}};

static const struct option train_options[] = {{"output", required_argument, NULL, 'o'},
                                              {"labels", required_argument, NULL, OPT_LABELS},
                                              {"workers", required_argument, NULL, OPT_WORKERS},
                                              {"threads", required_argument, NULL, OPT_THREADS},
                                              {"state", required_argument, NULL, OPT_STATE},
                                              {"log", required_argument, NULL, OPT_LOG},
                                              {"quiet", no_argument, NULL, 'q'},
                                              {"help", no_argument, NULL, 'h'},
                                              {NULL, 0, NULL, 0}};

static const struct {
    const char *name, *help, *letters, *missing;
    const struct option *options;
} kinds[] = {
    [KIN_CLI_MATCH] = {"match", match_help, "o:qh",
                       "-o DIR is missing: where should the outputs go?", match_options},
    [KIN_CLI_PLAN] = {"plan", plan_help, "qh", NULL, plan_options},
    [KIN_CLI_TRAIN] = {"train", train_help, "o:qh",
                       "-o FILE is missing: where should the model go?", train_options},
};

/* false: the option is wrong, and that was said. */
static bool take_option(struct kin_cli_job *o, int c)
{
    bool fine;
    if (kin_cluster_take(&o->cluster, c, optarg, &fine))
        return fine;
    switch (c) {
    case 'o':
        o->out_dir = optarg;
        return true;
    case 'q':
        o->quiet = true;
        return true;
    case OPT_CHECK:
        o->check = true;
        return true;
    case OPT_PAIRS:
        o->pairs = true;
        return true;
    case OPT_STRICT:
        o->strict = true;
        return true;
    case OPT_WORKERS:
        return kin_cluster_number("workers", optarg, KIN_WORKERS_MAX, &o->workers);
    case OPT_THREADS:
        return kin_cluster_number("threads", optarg, 256, &o->threads);
    case OPT_STATE:
        o->state_dir = optarg;
        return true;
    case OPT_KEEP:
        o->keep_state = true;
        return true;
    case OPT_FSYNC:
        o->fsync = true;
        return true;
    case OPT_KEY:
        o->key_file = optarg;
        return true;
    case OPT_LABELS:
        o->labels = optarg;
        return true;
    case OPT_LOG:
        o->json_log = strcmp(optarg, "json") == 0;
        if (!o->json_log)
            fprintf(stderr, "kindred: --log: '%s' is not known; expected json\n", optarg);
        return o->json_log;
    case OPT_AT:
        o->at_coordinator = true;
        return true;
    case OPT_REPLACE:
        o->serve = o->replace = true;
        return true;
    case OPT_SERVE:
        o->serve = true;
        return true;
    case OPT_DETACH:
        o->detach = true;
        return true;
    case OPT_JSON:
        o->json = true;
        return true;
    default:
        return false; /* getopt_long has said what is wrong */
    }
}

/* Options of the embedded cluster have no meaning for another one, nor the other way round: -1, or
 * the exit status. */
static int check_combination(const struct kin_cli_job *o)
{
    const struct {
        bool given;
        const char *name;
    } embedded[] = {{o->workers > 0, "workers"},
                    {o->threads > 0, "threads"},
                    {o->state_dir != NULL, "state"},
                    {o->keep_state, "keep-state"},
                    {o->fsync, "fsync"},
                    {o->key_file != NULL, "match-id-key-file"}};
    const char *alone = o->at_coordinator ? "at-coordinator"
                        : o->detach       ? "detach"
                        : o->serve        ? "serve"
                                          : NULL;
    for (size_t i = 0; o->cluster.address && i < sizeof embedded / sizeof *embedded; i++) {
        if (!embedded[i].given)
            continue;
        fprintf(stderr,
                "kindred match: --%s is for a run without --cluster%s; in a cluster its daemons "
                "decide that\n",
                embedded[i].name, o->cluster.from_environment ? " (here KINDRED_CLUSTER)" : "");
        return KIN_EXIT_USAGE;
    }
    if (!o->cluster.address && alone) {
        fprintf(stderr, "kindred match: --%s needs --cluster URL\n", alone);
        return KIN_EXIT_USAGE;
    }
    if (o->strict && (o->at_coordinator || o->detach)) {
        fprintf(stderr,
                "kindred match: --strict cannot tell with --%s: the report does not come here\n",
                alone);
        return KIN_EXIT_USAGE;
    }
    return -1;
}

int kin_cli_job_parse(struct kin_cli_job *o, int argc, char **argv, enum kin_cli_kind kind)
{
    const char *name = kinds[kind].name;
    *o = (struct kin_cli_job){0};
    if (kind == KIN_CLI_MATCH)
        kin_cluster_begin(&o->cluster);
    optind = 0;
    argv[0] = (char *)(uintptr_t) "kindred";
    for (int c;
         (c = getopt_long(argc, argv, kinds[kind].letters, kinds[kind].options, NULL)) != -1;) {
        if (c == 'h') {
            fputs(kinds[kind].help, stdout);
            return KIN_EXIT_OK;
        }
        if (!take_option(o, c)) {
            fprintf(stderr, "`kindred %s --help` lists the options.\n", name);
            return KIN_EXIT_USAGE;
        }
    }
    if (optind + 1 != argc) {
        fprintf(stderr, "kindred %s: expected one workflow file, found %d\n", name, argc - optind);
        fprintf(stderr, "`kindred %s --help` lists the options.\n", name);
        return KIN_EXIT_USAGE;
    }
    o->workflow_path = argv[optind];
    if (kinds[kind].missing && !o->check && (!o->out_dir || !*o->out_dir)) {
        fprintf(stderr, "kindred %s: %s\n", name, kinds[kind].missing);
        return KIN_EXIT_USAGE;
    }
    return o->check ? -1 : check_combination(o);
}

/* A model's file that cannot be used is better known before anything is done. -1: fine. */
static int check_model(const struct kin_workflow *w)
{
    struct kin_buf text = {0};
    struct kin_arena arena = {0};
    struct kin_comparer *comparer = NULL;
    struct kin_model model;
    struct kin_err err = {0};
    if (!w->model || !w->model->file)
        return -1;
    kin_status status = kin_cli_read_file(w->model->file, KIN_MODEL_FILE_MAX, &text, &err);
    if (status == KIN_OK) {
        status = kin_comparer_new(&w->schema, w->model->comparisons, w->model->comparison_count,
                                  &comparer, &err);
        if (status == KIN_OK)
            status = kin_model_read(text.p, text.n, &arena, &model, &err);
        if (status == KIN_OK)
            status = kin_comparer_check_model(comparer, &model.spec, &err);
        if (status != KIN_OK)
            kin_err_wrap(&err, status, "%s", w->model->file);
    }
    kin_comparer_free(comparer);
    kin_arena_deinit(&arena);
    kin_buf_deinit(&text);
    if (status == KIN_OK)
        return -1;
    fprintf(stderr, "kindred: the model: %s\n", err.msg);
    return KIN_EXIT_USAGE;
}

int kin_cli_job_load(struct kin_cli_job *o)
{
    int code = kin_job_file_load(&o->file, "kindred", o->workflow_path);
    o->workflow = o->file.workflow;
    memcpy(o->job.match_id_key, KIN_MATCH_ID_KEY, sizeof o->job.match_id_key);
    o->job.workflow = (struct kin_str){(const char *)o->file.text.p, o->file.text.n};
    o->job.base_dir = o->file.base_dir;
    o->job.out_dir = o->out_dir;
    o->job.pairs = o->pairs;
    if (code == -1 && !o->at_coordinator)
        code = check_model(o->workflow);
    if (code == -1 && o->key_file)
        code = kin_match_id_key_load("kindred", o->key_file, o->job.match_id_key);
    return code;
}

void kin_cli_job_deinit(struct kin_cli_job *o)
{
    kin_job_file_deinit(&o->file);
}
