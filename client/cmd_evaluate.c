#include "client/commands.h"
#include "client/evaluate.h"
#include "client/job_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char help[] =
    "usage: kindred evaluate --truth FILE RESULT [OPTIONS]\n"
    "\n"
    "Compares MatchGroups with the truth: precision, recall and F1 of pairs (all, and those "
    "across\n"
    "sources only), B-cubed, and groups that are exactly right; for each threshold of the run; "
    "the\n"
    "precision of links by their weight; and the worst mistakes.\n"
    "\n"
    "RESULT is the output directory of `kindred match`, or a matches.csv. FILE is a CSV with the\n"
    "columns id, entity and, where ids are unique only within a source, source. Links are read "
    "from\n"
    "pairs.csv beside matches.csv, if `kindred match --pairs` wrote one.\n"
    "\n"
    "  -t, --truth FILE   the truth file\n"
    "      --pairs FILE   another pairs.csv\n"
    "      --across       only pairs of different sources count, in the truth of a linking task\n"
    "      --complete     a record of the truth that is not in the result is an error\n"
    "      --worst N      mistakes of each kind to show, 0 to 1000 (default 10)\n"
    "      --points N     points of the curve of links, 2 to 1000 (default 20)\n"
    "      --json         everything as one JSON object\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 done; 1 failed; 2 the command line is wrong.\n";

enum { OPT_PAIRS = 256, OPT_ACROSS, OPT_COMPLETE, OPT_WORST, OPT_POINTS, OPT_JSON };

static const struct option options[] = {{"truth", required_argument, NULL, 't'},
                                        {"pairs", required_argument, NULL, OPT_PAIRS},
                                        {"across", no_argument, NULL, OPT_ACROSS},
                                        {"complete", no_argument, NULL, OPT_COMPLETE},
                                        {"worst", required_argument, NULL, OPT_WORST},
                                        {"points", required_argument, NULL, OPT_POINTS},
                                        {"json", no_argument, NULL, OPT_JSON},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

enum { PATH_BYTES = 4200, FILES = 3 };

struct command {
    const char *result, *truth, *pairs;
    bool json;
    struct kin_evaluate_options options;
    FILE *files[FILES]; /* matches, truth, pairs */
    char matches_path[PATH_BYTES], pairs_path[PATH_BYTES];
};

/* ---- files ---- */

static kin_status read_file(void *arg, uint8_t *to, size_t cap, size_t *got, struct kin_err *err)
{
    FILE *f = arg;
    *got = fread(to, 1, cap, f);
    return ferror(f) ? kin_err_set(err, KIN_E_IO, "%s", strerror(errno)) : KIN_OK;
}

static kin_status open_file(const char *path, FILE **f, struct kin_evaluate_file *file,
                            struct kin_err *err)
{
    *f = fopen(path, "rbe");
    if (!*f)
        return kin_err_set(err, KIN_E_IO, "%s: %s", path, strerror(errno));
    *file = (struct kin_evaluate_file){path, {read_file, *f}};
    return KIN_OK;
}

/* Where matches.csv and pairs.csv are. A file of another name has no pairs.csv beside it. */
static kin_status find_result(struct command *c, struct kin_err *err)
{
    static const char name[] = "matches.csv";
    struct stat st;
    size_t n = strlen(c->result), folder = n;
    bool is_folder = stat(c->result, &st) == 0 && S_ISDIR(st.st_mode);
    if (n + sizeof name + 1 > PATH_BYTES)
        return kin_err_set(err, KIN_E_LIMIT, "the path of the result is too long");
    if (!is_folder && n >= sizeof name - 1 && strcmp(c->result + n - (sizeof name - 1), name) == 0)
        folder = n - (sizeof name - 1);
    bool beside = is_folder || folder == 0 || (folder < n && c->result[folder - 1] == '/');
    snprintf(c->matches_path, PATH_BYTES, "%s%s", c->result, is_folder ? "/matches.csv" : "");
    snprintf(c->pairs_path, PATH_BYTES, "%.*s%spairs.csv", (int)folder, c->result,
             is_folder ? "/" : "");
    if (!c->pairs && beside && stat(c->pairs_path, &st) == 0)
        c->pairs = c->pairs_path;
    return KIN_OK;
}

static kin_status evaluate(struct command *c, struct kin_evaluation **out, struct kin_err *err)
{
    kin_status status = find_result(c, err);
    if (status == KIN_OK)
        status = open_file(c->matches_path, &c->files[0], &c->options.matches, err);
    if (status == KIN_OK)
        status = open_file(c->truth, &c->files[1], &c->options.truth, err);
    if (status == KIN_OK && c->pairs)
        status = open_file(c->pairs, &c->files[2], &c->options.pairs, err);
    if (status == KIN_OK)
        status = kin_evaluate(&c->options, out, err);
    if (status == KIN_OK && (*out)->records == 0)
        status = kin_err_set(err, KIN_E_NOTFOUND,
                             "no record is in both %s and %s; are the sources named as in the "
                             "workflow file?",
                             c->matches_path, c->truth);
    return status;
}

static int run(struct command *c)
{
    struct kin_evaluation *e = NULL;
    struct kin_buf text = {0};
    struct kin_err err = {0};
    kin_status status = evaluate(c, &e, &err);
    if (status == KIN_OK && c->json)
        kin_evaluation_json(e, &text);
    else if (status == KIN_OK)
        kin_evaluation_print(e, &text);
    if (text.failed)
        status = kin_err_set(&err, KIN_E_NOMEM, "out of memory");
    if (status == KIN_OK && (fwrite(text.p, 1, text.n, stdout) != text.n || fflush(stdout) != 0))
        status = kin_err_set(&err, KIN_E_IO, "standard output: %s", strerror(errno));
    if (status != KIN_OK)
        fprintf(stderr, "kindred: %s\n", err.msg);
    for (size_t i = 0; i < FILES; i++) {
        if (c->files[i])
            fclose(c->files[i]);
    }
    kin_evaluation_free(e);
    kin_buf_deinit(&text);
    return status == KIN_OK ? KIN_EXIT_OK : KIN_EXIT_FAILED;
}

/* ---- the command line ---- */

static bool parse_count(const char *name, const char *text, size_t min, size_t max, size_t *out)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || *end || text[0] < '0' || text[0] > '9' || value < min || value > max) {
        fprintf(stderr, "kindred evaluate: --%s %s: expected %zu to %zu\n", name, text, min, max);
        return false;
    }
    *out = value;
    return true;
}

static bool parse_option(struct command *c, int option)
{
    switch (option) {
    case 't':
        c->truth = optarg;
        return true;
    case OPT_PAIRS:
        c->pairs = optarg;
        return true;
    case OPT_ACROSS:
        c->options.across = true;
        return true;
    case OPT_COMPLETE:
        c->options.complete = true;
        return true;
    case OPT_WORST:
        return parse_count("worst", optarg, 0, KIN_EVALUATE_WORST_MAX, &c->options.worst);
    case OPT_POINTS:
        return parse_count("points", optarg, 2, KIN_EVALUATE_POINTS_MAX, &c->options.points);
    case OPT_JSON:
        c->json = true;
        return true;
    default:
        fputs("`kindred evaluate --help` lists the options.\n", stderr);
        return false;
    }
}

int kin_command_evaluate(int argc, char **argv)
{
    struct command c = {.options = {.worst = 10, .points = 20}};
    optind = 0;
    argv[0] = (char *)(uintptr_t) "kindred";
    for (int option; (option = getopt_long(argc, argv, "t:h", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
            return KIN_EXIT_OK;
        }
        if (!parse_option(&c, option))
            return KIN_EXIT_USAGE;
    }
    if (!c.truth || optind + 1 != argc) {
        fputs(c.truth ? "kindred evaluate: expected one result\n"
                      : "kindred evaluate: --truth FILE is missing\n",
              stderr);
        return KIN_EXIT_USAGE;
    }
    c.result = argv[optind];
    return run(&c);
}
