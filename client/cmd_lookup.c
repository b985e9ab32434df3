#include "client/commands.h"
#include "client/live_command.h"
#include "client/live_lookup.h"
#include "client/live_text.h"
#include "client/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* `kindred lookup`. */

static const char help[] =
    "usage: kindred lookup FIELD=VALUE... --cluster URL [OPTIONS]\n"
    "       kindred lookup FILE --cluster URL [OPTIONS]\n"
    "\n"
    "Which MatchGroup is this record of? Nothing is stored. The record is given by the fields of\n"
    "the workflow (a field may come several times), or is each one of a CSV or JSON Lines file\n"
    "(.gz and .zst too; - is standard input) whose columns are named as the fields. With --source\n"
    "they are the columns of that source, and the record is looked for as one of it.\n"
    "Of a file each record is written again, in order, with the columns match_id, match_rule,\n"
    "confidence, matched_source, matched_id and lookup_error; or with -o OUT.jsonl as an object\n"
    "{\"record\": ..., \"match\": the answer}.\n"
    "\n"
    "      --source S             the records are as of this source\n"
    "      --limit N              so many further groups beside the best one (default 0; 5 for "
    "one\n"
    "                             record)\n"
    "      --explain              why the best one matches\n"
    "  -o, --output FILE          OUT.csv or OUT.jsonl (default: standard output, in the format "
    "of\n"
    "                             the input)\n"
    "      --strict               exit status 3 if any record was rejected\n"
    "  -q, --quiet                no summary\n" KIN_SERVED_HELP
    "      --json                 the answer to each record, as it came\n" KIN_SERVED_HELP_END;

enum { OPT_SOURCE = 700, OPT_LIMIT, OPT_EXPLAIN, OPT_STRICT, LIMIT_MAX = 1000, LIMIT_ONE = 5 };

static const struct option options[] = {KIN_SERVED_OPTIONS,
                                        KIN_SERVED_JSON,
                                        {"source", required_argument, NULL, OPT_SOURCE},
                                        {"limit", required_argument, NULL, OPT_LIMIT},
                                        {"explain", no_argument, NULL, OPT_EXPLAIN},
                                        {"output", required_argument, NULL, 'o'},
                                        {"strict", no_argument, NULL, OPT_STRICT},
                                        {"quiet", no_argument, NULL, 'q'},
                                        {NULL, 0, NULL, 0}};

struct looking {
    struct kin_served_command command;
    struct kin_lookup lookup;
    unsigned long limit;
    const char *out;
    bool strict, quiet;
};

static bool take_option(void *arg, int c, const char *value)
{
    struct looking *l = arg;
    switch (c) {
    case OPT_SOURCE:
        l->lookup.source = kin_str_of(value);
        return true;
    case OPT_LIMIT:
        return kin_cluster_number("limit", value, LIMIT_MAX, &l->limit);
    case OPT_EXPLAIN:
        l->lookup.explain = true;
        return true;
    case OPT_STRICT:
        l->strict = true;
        return true;
    case 'o':
        l->out = value;
        return true;
    default:
        l->quiet = true;
        return true;
    }
}

/* ---- one record ---- */

/* The values of one name side by side: {"phone":["1","2"]}. */
static void put_arguments(const struct kin_served_command *c, struct kin_buf *out)
{
    kin_buf_putc(out, '{');
    for (int i = 0; i < c->count; i++) {
        size_t name = strcspn(c->arguments[i], "="), values = 0;
        bool told = false;
        for (int k = 0; k < i && !told; k++)
            told = strncmp(c->arguments[k], c->arguments[i], name + 1) == 0;
        if (told)
            continue;
        kin_buf_puts(out, i ? "," : "");
        kin_json_string(out, (struct kin_str){c->arguments[i], name});
        kin_buf_puts(out, ":[");
        for (int k = i; k < c->count; k++) {
            if (strncmp(c->arguments[k], c->arguments[i], name + 1) != 0)
                continue;
            kin_buf_puts(out, values++ ? "," : "");
            kin_json_string(out, kin_str_of(c->arguments[k] + name + 1));
        }
        kin_buf_putc(out, ']');
    }
    kin_buf_puts(out, "}\n");
}

static int look_up_one(struct looking *l)
{
    struct kin_buf payload = {0}, answer = {0}, out = {0};
    struct kin_message m = {.type = KIN_MSG_LOOKUP}, got;
    struct kin_err err = {0};
    put_arguments(&l->command, &payload);
    m.u.lookup = (struct kin_msg_lookup){.workflow = l->command.workflow,
                                         .explain = l->lookup.explain,
                                         .limit = (uint32_t)(l->limit ? l->limit : LIMIT_ONE),
                                         .source = l->lookup.source};
    int code = kin_served_ask(&l->command, &m, &payload, &got, &answer);
    struct kin_str text = {answer.p ? (const char *)answer.p : "", answer.n}, line = {"", 0};
    kin_served_line(&text, &line);
    if (code == KIN_EXIT_OK && l->command.json) {
        kin_buf_put(&out, line.p, line.n);
        kin_buf_putc(&out, '\n');
    } else if (code == KIN_EXIT_OK && kin_served_print_found(line, &out, &err) != KIN_OK) {
        kin_terminal_say("%s", err.msg);
        code = KIN_EXIT_FAILED;
    }
    if (code == KIN_EXIT_OK && out.n)
        fwrite(out.p, 1, out.n, stdout);
    kin_buf_deinit(&payload);
    kin_buf_deinit(&answer);
    kin_buf_deinit(&out);
    return code;
}

/* ---- a file ---- */

static enum kin_stream_next next_request(void *arg, struct kin_stream_ask *ask, struct kin_err *err)
{
    struct looking *l = arg;
    return kin_lookup_next(&l->lookup, ask, err);
}

static kin_status take_answer(void *arg, struct kin_stream_ask *ask, const struct kin_message *m,
                              struct kin_str payload, struct kin_err *err)
{
    struct looking *l = arg;
    return kin_lookup_take(&l->lookup, ask, m, payload, err);
}

static void summarise(const struct looking *l)
{
    const struct kin_lookup *x = &l->lookup;
    if (!l->quiet)
        fprintf(stderr, "%llu read: %llu matched, %llu without a match, %llu rejected\n",
                (unsigned long long)x->read, (unsigned long long)x->matched,
                (unsigned long long)x->unmatched, (unsigned long long)x->rejected);
    if (x->partial)
        kin_terminal_say("%llu answers are partial: a worker was away, so there may be more",
                         (unsigned long long)x->partial);
    if (x->truncated)
        kin_terminal_say("%llu records had more candidates than are looked at",
                         (unsigned long long)x->truncated);
}

static int look_up_file(struct looking *l, const char *path)
{
    struct kin_stream_args stream = {
        .window = KIN_LOOKUP_WINDOW, .next = next_request, .take = take_answer, .arg = l};
    struct kin_err err = {0};
    FILE *out = stdout;
    l->lookup.workflow = l->command.workflow;
    l->lookup.limit = (uint32_t)l->limit;
    enum kin_lookup_format format = l->command.json ? KIN_LOOKUP_ANSWERS
                                    : !l->out       ? KIN_LOOKUP_AS_INPUT
                                    : kin_format_of(l->out) == KIN_FORMAT_JSONL ? KIN_LOOKUP_JSONL
                                                                                : KIN_LOOKUP_CSV;
    if (l->out && !(out = fopen(l->out, "we"))) {
        kin_terminal_say("%s: %s", l->out, strerror(errno)); // NOLINT(concurrency-mt-unsafe)
        return KIN_EXIT_FAILED;
    }
    int code = KIN_EXIT_FAILED;
    if (kin_lookup_open(&l->lookup, path, format, out, &err) == KIN_OK)
        code = kin_served_run(&l->command, &stream);
    else
        kin_terminal_say("%s", err.msg);
    if (l->out && fclose(out) != 0) {
        kin_terminal_say("%s cannot be written", l->out);
        code = KIN_EXIT_FAILED;
    }
    if (code == KIN_EXIT_OK)
        summarise(l);
    if (code == KIN_EXIT_OK && l->strict && l->lookup.rejected)
        code = KIN_EXIT_REJECTED;
    kin_lookup_close(&l->lookup);
    return code;
}

int kin_command_lookup(int argc, char **argv)
{
    struct looking l = {.command = {.name = "lookup",
                                    .help = help,
                                    .letters = "o:qh",
                                    .options = options,
                                    .least = 1,
                                    .most = -1,
                                    .expected = "expected a file, or fields with their values",
                                    .take = take_option,
                                    .arg = &l}};
    int code = kin_served_parse(&l.command, argc, argv);
    if (code != -1)
        return code;
    int fields = 0;
    for (int i = 0; i < l.command.count; i++)
        fields += strchr(l.command.arguments[i], '=') && l.command.arguments[i][0] != '=';
    if (fields == l.command.count)
        return look_up_one(&l);
    if (l.command.count != 1)
        return kin_served_usage(&l.command, "expected one file, or fields with their values");
    return look_up_file(&l, l.command.arguments[0]);
}
