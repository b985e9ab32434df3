#include "client/commands.h"
#include "client/suggest.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* `kindred suggest`: a first workflow file from the sources. */

enum { ROWS_DEFAULT = 200000, SAMPLE_BYTES = 128 * 1024 * 1024, FILES_MAX = 10000 };

static const char help[] =
    "usage: kindred suggest FILE... [-o WORKFLOW] [OPTIONS]\n"
    "\n"
    "Looks into the files and writes a first workflow file, with comments that say why: types of\n"
    "fields, rules, blocking keys with the pairs to be expected. A person edits it.\n"
    "\n"
    "FILE is a CSV or JSON Lines file, plain, .gz or .zst, or a pattern in quotes. Files with the\n"
    "same columns are one source. Values of the data are not shown, only shapes and shares.\n"
    "\n"
    "  -o, --output FILE   where to write; it must not be there yet (default: standard output)\n"
    "      --rows N        rows to look at, of all files together (default 200000)\n"
    "      --separate      each file is a source of its own\n"
    "      --values        show the commonest values of each field in the comments\n"
    "  -q, --quiet         no remarks on standard error\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status: 0 done; 1 failed; 2 the command line is wrong.\n";

enum { OPT_ROWS = 256, OPT_SEPARATE, OPT_VALUES };

static const struct option options[] = {{"output", required_argument, NULL, 'o'},
                                        {"rows", required_argument, NULL, OPT_ROWS},
                                        {"separate", no_argument, NULL, OPT_SEPARATE},
                                        {"values", no_argument, NULL, OPT_VALUES},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

struct command {
    const char *output;
    bool quiet;
    struct kin_profile_options profile;
    struct kin_suggest_options suggest;
    struct kin_profile_path *paths;
    size_t path_count;
    glob_t *found; /* [argument]: what a pattern matched; owns the paths */
};

/* ---- files ---- */

static int failed(const char *path, const char *why)
{
    fprintf(stderr, "kindred: %s: %s\n", path, why);
    return KIN_EXIT_FAILED;
}

/* A file that is named twice, or by a pattern too, is read once. */
static bool is_known(const struct command *c, const struct stat *st)
{
    for (size_t i = 0; i < c->path_count; i++) {
        struct stat other;
        if (stat(c->paths[i].path, &other) == 0 && other.st_dev == st->st_dev &&
            other.st_ino == st->st_ino)
            return true;
    }
    return false;
}

static int add_path(struct command *c, const char *path, size_t argument)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return failed(path, strerror(errno));
    if (!kin_suggest_writable(kin_str_of(path)))
        return failed(path, "such a name cannot be written in a workflow file");
    if (is_known(c, &st))
        return -1;
    if (c->path_count == FILES_MAX)
        return failed(path, "there are more files than are looked at (10000)");
    if (c->path_count % 64 == 0) {
        void *paths = kin_reallocarray(c->paths, c->path_count + 64, sizeof *c->paths);
        if (!paths)
            return failed(path, "out of memory");
        c->paths = paths;
    }
    c->paths[c->path_count++] = (struct kin_profile_path){path, argument};
    return -1;
}

static int add_argument(struct command *c, const char *text, size_t argument)
{
    struct stat st;
    if (stat(text, &st) == 0 || !strpbrk(text, "*?["))
        return add_path(c, text, argument);
    int code = glob(text, 0, NULL, &c->found[argument]);
    if (code != 0)
        return failed(text, code == GLOB_NOSPACE ? "out of memory" : "no file matches");
    code = -1;
    for (size_t i = 0; i < c->found[argument].gl_pathc && code < 0; i++) {
        const char *path = c->found[argument].gl_pathv[i];
        if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
            code = add_path(c, path, argument);
    }
    return code;
}

static int find_files(struct command *c)
{
    int code = -1;
    c->found = kin_calloc(c->suggest.argument_count, sizeof *c->found);
    if (!c->found)
        return failed("suggest", "out of memory");
    for (size_t i = 0; i < c->suggest.argument_count && code < 0; i++)
        code = add_argument(c, c->suggest.arguments[i], i);
    if (code < 0 && c->path_count == 0)
        return failed(c->suggest.arguments[0], "no file matches");
    return code;
}

/* ---- output ---- */

/* Never over a file that is there: a person may have edited it. */
static int write_output(const struct command *c, const struct kin_buf *text)
{
    if (!c->output) {
        fwrite(text->p, 1, text->n, stdout);
        return KIN_EXIT_OK;
    }
    int fd = open(c->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *f = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (!f)
        return failed(c->output, strerror(errno));
    bool ok = fwrite(text->p, 1, text->n, f) == text->n;
    ok = fclose(f) == 0 && ok;
    if (ok)
        return KIN_EXIT_OK;
    int code = failed(c->output, strerror(errno));
    unlink(c->output);
    return code;
}

/* The real path of the folder that the output will be in. -1: fine. */
static int check_output(struct command *c, char **base)
{
    if (!c->output)
        return -1;
    struct stat st;
    const char *slash = strrchr(c->output, '/');
    char *folder =
        slash ? kin_strndup(c->output, (size_t)(slash - c->output) + 1) : kin_strndup(".", 1);
    if (lstat(c->output, &st) == 0) {
        fprintf(stderr, "kindred: %s: exists; it is not replaced\n", c->output);
        kin_free(folder);
        return KIN_EXIT_USAGE;
    }
    *base = folder ? realpath(folder, NULL) : NULL;
    if (!*base || access(folder, W_OK | X_OK) != 0) {
        fprintf(stderr, "kindred: %s: no file can be made there: %s\n", c->output, strerror(errno));
        kin_free(folder);
        return KIN_EXIT_USAGE;
    }
    kin_free(folder);
    c->suggest.base_dir = *base;
    return -1;
}

/* ---- the command ---- */

static int suggest(struct command *c)
{
    struct kin_err err = {0};
    struct kin_profile *profile = NULL;
    struct kin_buf text = {0}, notes = {0};
    int code = find_files(c);
    kin_status status = KIN_OK;
    if (code < 0)
        status = kin_profile_read(c->paths, c->path_count, &c->profile, &profile, &err);
    if (code < 0 && status == KIN_OK)
        status = kin_suggest_workflow(profile, &c->suggest, &text, &notes, &err);
    if (code < 0 && status == KIN_OK)
        code = write_output(c, &text);
    if (code < 0) {
        fprintf(stderr, "kindred: %s\n", err.msg);
        code = KIN_EXIT_FAILED;
    }
    for (size_t f = 0; status != KIN_OK && profile && f < profile->file_count; f++) {
        if (profile->files[f].bad)
            fprintf(stderr, "kindred: %s: %s\n", profile->files[f].path,
                    profile->files[f].first_bad);
    }
    for (const char *p = (const char *)notes.p, *end = p ? p + notes.n : p; p < end && !c->quiet;) {
        size_t n = strcspn(p, "\n");
        fprintf(stderr, "kindred: %.*s\n", (int)n, p);
        p += n + 1;
    }
    kin_profile_free(profile);
    kin_buf_deinit(&text);
    kin_buf_deinit(&notes);
    return code;
}

static bool parse_rows(const char *text, uint64_t *rows)
{
    char *end;
    errno = 0;
    unsigned long long x = strtoull(text, &end, 10);
    *rows = x;
    if (*text >= '0' && *text <= '9' && !*end && !errno && x >= 1 && x <= 1000000000)
        return true;
    fprintf(stderr, "kindred: --rows: '%s' is not a number from 1 to 1000000000\n", text);
    return false;
}

/* -1: go on. */
static int parse(struct command *c, int argc, char **argv)
{
    optind = 0;
    argv[0] = (char *)(uintptr_t) "kindred";
    for (int o; (o = getopt_long(argc, argv, "o:qh", options, NULL)) != -1;) {
        bool ok = true;
        if (o == 'h') {
            fputs(help, stdout);
            return KIN_EXIT_OK;
        }
        if (o == 'o')
            c->output = optarg;
        else if (o == 'q')
            c->quiet = true;
        else if (o == OPT_SEPARATE)
            c->suggest.separate = true;
        else if (o == OPT_VALUES)
            c->suggest.values = true;
        else
            ok = o == OPT_ROWS && parse_rows(optarg, &c->profile.rows);
        if (!ok) {
            fputs("`kindred suggest --help` lists the options.\n", stderr);
            return KIN_EXIT_USAGE;
        }
    }
    if (optind < argc && (!c->output || *c->output))
        return -1;
    fputs(optind < argc ? "kindred suggest: -o FILE: the name is empty\n"
                        : "kindred suggest: expected the files to look into\n",
          stderr);
    fputs("`kindred suggest --help` lists the options.\n", stderr);
    return KIN_EXIT_USAGE;
}

int kin_command_suggest(int argc, char **argv)
{
    struct command c = {.profile = {.rows = ROWS_DEFAULT, .sample_bytes = SAMPLE_BYTES}};
    char *base = NULL;
    int code = parse(&c, argc, argv);
    if (code < 0) {
        c.suggest.arguments = (const char *const *)argv + optind;
        c.suggest.argument_count = (size_t)(argc - optind);
        code = check_output(&c, &base);
    }
    if (code < 0)
        code = suggest(&c);
    for (size_t i = 0; c.found && i < c.suggest.argument_count; i++)
        globfree(&c.found[i]);
    kin_free(c.found);
    kin_free(c.paths);
    free(base); // NOLINT: realpath's own
    return code;
}
