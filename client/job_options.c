#include "client/job_options.h"

#include "client/commands.h"
#include "proto/shards.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
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
    "DIR appears whole or not at all. A run that was killed goes on where it was when the same\n"
    "command is given again.\n"
    "\n"
    "  -o, --output DIR       where the outputs appear; an earlier result there is replaced\n"
    "      --check            check the workflow file and stop\n"
    "      --pairs            write DIR/pairs.csv too: the pairs that matched\n"
    "      --strict           exit status 3 if any record was rejected\n"
    "      --workers N        workers the job is split over, 1 to 64 (default 1)\n"
    "      --threads N        compute threads, 1 to 256 (default: one per processor)\n"
    "      --state DIR        where the job keeps its state (default: DIR.state beside the "
    "output)\n"
    "      --keep-state       do not remove the state when the job is done\n"
    "      --fsync            survive power loss too, not only a killed process\n"
    "      --match-id-key-file FILE   secret key of MatchIds: 32 hex digits\n"
    "      --log json         one JSON line an event on stderr instead of the progress display\n"
    "  -q, --quiet            no progress, no summary\n"
    "  -h, --help             this text\n"
    "\n"
    "Exit status: 0 done; 1 failed; 2 the command line or workflow file is wrong; 3 done, but\n"
    "records were rejected (with --strict).\n";

static const char plan_help[] =
    "usage: kindred plan WORKFLOW [OPTIONS]\n"
    "\n"
    "Reads the sources and counts the pairs and the largest blocks of each blocking key, and\n"
    "estimates time and memory of the match, before any pair is compared.\n"
    "\n"
    "      --workers N        workers the job is split over, 1 to 64 (default 1)\n"
    "      --threads N        compute threads, 1 to 256 (default: one per processor)\n"
    "      --state DIR        where to keep intermediate state (default: a temporary directory)\n"
    "      --log json         one JSON line an event on stderr instead of the progress display\n"
    "  -q, --quiet            no progress\n"
    "  -h, --help             this text\n";

static bool parse_number(const char *name, const char *text, unsigned long max, unsigned long *out)
{
    char *end;
    errno = 0;
    unsigned long x = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || x < 1 || x > max) {
        fprintf(stderr, "kindred: --%s: '%s' is not a number from 1 to %lu\n", name, text, max);
        return false;
    }
    *out = x;
    return true;
}

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
    OPT_LOG
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
    {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0}};

static const struct option plan_options[] = {{"workers", required_argument, NULL, OPT_WORKERS},
                                             {"threads", required_argument, NULL, OPT_THREADS},
                                             {"state", required_argument, NULL, OPT_STATE},
                                             {"log", required_argument, NULL, OPT_LOG},
                                             {"quiet", no_argument, NULL, 'q'},
                                             {"help", no_argument, NULL, 'h'},
                                             {NULL, 0, NULL, 0}};

/* false: the option is wrong, and that was said. */
static bool take_option(struct kin_cli_job *o, int c)
{
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
        return parse_number("workers", optarg, KIN_WORKERS_MAX, &o->workers);
    case OPT_THREADS:
        return parse_number("threads", optarg, 256, &o->threads);
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
    case OPT_LOG:
        o->json_log = strcmp(optarg, "json") == 0;
        if (!o->json_log)
            fprintf(stderr, "kindred: --log: '%s' is not known; expected json\n", optarg);
        return o->json_log;
    default:
        return false; /* getopt_long has said what is wrong */
    }
}

int kin_cli_job_parse(struct kin_cli_job *o, int argc, char **argv, bool plan)
{
    const char *name = plan ? "plan" : "match";
    *o = (struct kin_cli_job){0};
    optind = 0;
    argv[0] = (char *)(uintptr_t) "kindred";
    for (int c; (c = getopt_long(argc, argv, plan ? "qh" : "o:qh",
                                 plan ? plan_options : match_options, NULL)) != -1;) {
        if (c == 'h') {
            fputs(plan ? plan_help : match_help, stdout);
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
    if (!plan && !o->check && (!o->out_dir || !*o->out_dir)) {
        fputs("kindred match: -o DIR is missing: where should the outputs go?\n", stderr);
        return KIN_EXIT_USAGE;
    }
    return -1;
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
    if (code == -1 && o->key_file)
        code = kin_match_id_key_load("kindred", o->key_file, o->job.match_id_key);
    return code;
}

void kin_cli_job_deinit(struct kin_cli_job *o)
{
    kin_job_file_deinit(&o->file);
}
