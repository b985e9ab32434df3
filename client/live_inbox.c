#include "client/live_inbox.h"

#include "client/live_text.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

enum { UNSERVED_MS = 2000, PAGE = 10000 };

enum step {
    STEP_IDLE,
    STEP_BEFORE, /* asks for the number of the last change */
    STEP_PUT,
    STEP_AFTER, /* the same, when all is put */
    STEP_CHANGES,
    STEP_FINISH
};

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void say(struct kin_inbox *b, struct kin_buf *text)
{
    kin_buf_putc(text, '\0');
    if (b->say && !text->failed)
        b->say(b->arg, (const char *)text->p);
    kin_buf_deinit(text);
}

/* ---- what becomes of records ---- */

static kin_status write_text(struct kin_inbox *b, FILE *to, struct kin_err *err)
{
    bool fine = !b->text.failed && fwrite(b->text.p, 1, b->text.n, to) == b->text.n;
    kin_buf_clear(&b->text);
    return fine ? KIN_OK
                : kin_err_set(err, KIN_E_FULL, "the outputs of %s cannot be written", b->item.name);
}

static kin_status on_line(void *arg, const struct kin_put_line *line, struct kin_err *err)
{
    struct kin_inbox *b = arg;
    if (line->outcome == KIN_PUT_REJECTED) {
        struct kin_put_line shown = *line;
        shown.file = b->item.name;
        kin_put_error_row(&b->text, kin_str_of(b->item.source), &shown);
        return write_text(b, b->errors, err);
    }
    const struct kin_str cells[] = {kin_str_of(b->item.source),
                                    line->id,
                                    line->match_id,
                                    line->rule,
                                    line->confidence,
                                    kin_str_of(kin_put_outcome_names[line->outcome])};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        if (i)
            kin_buf_putc(&b->text, ',');
        kin_csv_cell(&b->text, cells[i]);
    }
    kin_buf_putc(&b->text, '\n');
    return write_text(b, b->matches, err);
}

/* ---- beginning ---- */

static void fail_file(struct kin_inbox *b, const struct kin_err *err)
{
    if (!b->error[0])
        snprintf(b->error, sizeof b->error, "%s", err->msg);
}

/* The file is in taken/: its outputs are begun anew. A file that cannot be opened fails. */
static kin_status begin_file(struct kin_inbox *b, struct kin_err *err)
{
    struct kin_err why = {0};
    kin_put_deinit(&b->put);
    b->put = (struct kin_put){.workflow = b->workflow,
                              .source = kin_str_of(b->item.source),
                              .wait = true,
                              .on_line = on_line,
                              .arg = b};
    b->error[0] = '\0';
    b->change_count = 0;
    b->cursor = b->item.before;
    b->begun_ms = clock_ms(CLOCK_MONOTONIC);
    kin_status status = inbox_create(b, ".matches.csv", &b->matches, err);
    if (status == KIN_OK)
        status = inbox_create(b, ".errors.csv", &b->errors, err);
    if (status == KIN_OK)
        status = inbox_create(b, ".changes.jsonl", &b->changes, err);
    if (status != KIN_OK)
        return status;
    fputs("source,id,match_id,match_rule,confidence,outcome\n", b->matches);
    fputs(kin_put_errors_header, b->errors);
    char *path = inbox_path(b, "taken", b->item.as, "", false);
    if (!path)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    kin_buf_clear(&b->path_put);
    kin_buf_put(&b->path_put, path, strlen(path) + 1);
    kin_free(path);
    if (b->path_put.failed)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    if (kin_put_open(&b->put, (const char *)b->path_put.p, &why) != KIN_OK)
        fail_file(b, &why);
    b->step = STEP_PUT;
    return KIN_OK;
}

static kin_status take_file(struct kin_inbox *b, struct kin_err *err)
{
    return inbox_move(inbox_path(b, "", b->item.name, "", false),
                      inbox_path(b, "taken", b->item.as, "", false), err);
}

/* ---- the end of a file ---- */

static void put_report(struct kin_inbox *b, FILE *to)
{
    struct kin_buf t = {0};
    kin_buf_puts(&t, "{\"file\":");
    kin_json_string(&t, kin_str_of(b->item.name));
    kin_buf_puts(&t, ",\"source\":");
    kin_json_string(&t, kin_str_of(b->item.source));
    kin_buf_printf(&t, ",\"read\":%llu", (unsigned long long)b->put.read);
    for (unsigned i = KIN_PUT_CREATED; i < KIN_PUT_OUTCOMES; i++)
        kin_buf_printf(&t, ",\"%s\":%llu", kin_put_outcome_names[i],
                       (unsigned long long)b->put.counts[i]);
    kin_buf_printf(&t, ",\"changes\":%llu,\"changes_after\":%llu,\"changes_to\":%llu",
                   (unsigned long long)b->change_count, (unsigned long long)b->item.before,
                   (unsigned long long)b->after);
    kin_buf_printf(&t, ",\"taken_up_again\":%s,\"seconds\":%.3f", b->item.again ? "true" : "false",
                   (double)(clock_ms(CLOCK_MONOTONIC) - b->begun_ms) / 1000);
    if (b->error[0]) {
        kin_buf_puts(&t, ",\"error\":");
        kin_json_string(&t, kin_str_of(b->error));
    }
    kin_buf_puts(&t, "}\n");
    if (t.failed || fwrite(t.p, 1, t.n, to) != t.n)
        b->text.failed = true;
    kin_buf_deinit(&t);
}

static kin_status write_error_file(struct kin_inbox *b, struct kin_err *err)
{
    char *path = inbox_path(b, "failed", b->item.as, ".error.txt", false);
    char *temporary = inbox_path(b, "out", b->item.as, ".error.txt", true);
    FILE *f = NULL;
    if (!path || !temporary || inbox_create(b, ".error.txt", &f, err) != KIN_OK) {
        kin_free(path);
        kin_free(temporary);
        return KIN_E_IO;
    }
    fprintf(f, "%s\n", b->error);
    bool fine = fflush(f) == 0 && fsync(fileno(f)) == 0;
    fine = fclose(f) == 0 && fine;
    kin_status moved = inbox_move(temporary, path, err);
    return fine ? moved : kin_err_set(err, KIN_E_IO, "the error file cannot be written");
}

/* The outputs are complete: only the file itself has to go where it belongs. */
static kin_status put_away(struct kin_inbox *b, struct kin_err *err)
{
    bool failed = inbox_exists(b, "failed", b->item.as, ".error.txt");
    kin_status status = KIN_OK;
    if (inbox_exists(b, "taken", b->item.as, ""))
        status = inbox_move(inbox_path(b, "taken", b->item.as, "", false),
                            inbox_path(b, failed ? "failed" : "done", b->item.as, "", false), err);
    if (status == KIN_OK)
        status = inbox_journal_remove(b, err);
    b->done += status == KIN_OK && !failed;
    b->failed += status == KIN_OK && failed;
    b->step = STEP_IDLE;
    return status;
}

static void say_done(struct kin_inbox *b)
{
    struct kin_buf text = {0};
    kin_buf_printf(&text, "%s: ", b->item.name);
    if (b->error[0])
        kin_buf_printf(&text, "failed: %s; ", b->error);
    kin_put_summary(&b->put, &text);
    kin_buf_printf(&text, "; %llu changes", (unsigned long long)b->change_count);
    say(b, &text);
}

static kin_status finish_file(struct kin_inbox *b, struct kin_err *err)
{
    FILE *report = NULL;
    kin_status status = b->error[0] ? write_error_file(b, err) : KIN_OK;
    if (status == KIN_OK)
        status = inbox_publish(b, ".matches.csv", &b->matches, err);
    if (status == KIN_OK)
        status = inbox_publish(b, ".errors.csv", &b->errors, err);
    if (status == KIN_OK)
        status = inbox_publish(b, ".changes.jsonl", &b->changes, err);
    if (status == KIN_OK)
        status = inbox_create(b, ".report.json", &report, err);
    if (status != KIN_OK)
        return status;
    put_report(b, report);
    status = inbox_publish(b, ".report.json", &report, err);
    if (status == KIN_OK)
        status = put_away(b, err);
    if (status == KIN_OK)
        say_done(b);
    return status;
}

/* ---- between files ---- */

/* After a crash: what the journal names is finished. */
static kin_status resume(struct kin_inbox *b, struct kin_err *err)
{
    kin_status status = inbox_journal_read(b, err);
    if (status == KIN_E_NOTFOUND)
        return KIN_OK;
    if (status != KIN_OK)
        return status;
    if (inbox_exists(b, "out", b->item.as, ".report.json") ||
        (!inbox_exists(b, "taken", b->item.as, "") && !inbox_exists(b, "", b->item.name, "")))
        return put_away(b, err);
    if (!inbox_exists(b, "taken", b->item.as, ""))
        status = take_file(b, err);
    return status == KIN_OK ? begin_file(b, err) : status;
}

static enum kin_stream_next look(struct kin_inbox *b, struct kin_stream_ask *ask,
                                 struct kin_err *err)
{
    bool waiting = false;
    kin_status status =
        inbox_scan(b, clock_ms(CLOCK_MONOTONIC), clock_ms(CLOCK_REALTIME), &waiting, err);
    if (status == KIN_OK) {
        b->step = STEP_BEFORE;
        return KIN_STREAM_ASK; /* the caller goes on with the step */
    }
    if (status != KIN_E_NOTFOUND)
        return KIN_STREAM_FAIL;
    if (b->once && !waiting)
        return KIN_STREAM_END;
    ask->delay_ms = KIN_INBOX_LOOK_MS;
    return KIN_STREAM_LATER;
}

static enum kin_stream_next ask_status(struct kin_inbox *b, struct kin_stream_ask *ask)
{
    if (b->unserved) {
        b->unserved = false;
        ask->delay_ms = UNSERVED_MS;
        return KIN_STREAM_LATER;
    }
    ask->message.type = KIN_MSG_STATUS;
    ask->message.u.status.jobs_max = 1;
    ask->answer = KIN_MSG_STATUS_GOT;
    b->asked = true;
    return KIN_STREAM_ASK;
}

static enum kin_stream_next ask_changes(struct kin_inbox *b, struct kin_stream_ask *ask)
{
    ask->message.type = KIN_MSG_CHANGES;
    ask->message.u.changes =
        (struct kin_msg_changes){.workflow = b->workflow, .after = b->cursor, .limit = PAGE};
    b->asked = true;
    return KIN_STREAM_ASK;
}

static enum kin_stream_next next_put(struct kin_inbox *b, struct kin_stream_ask *ask,
                                     struct kin_err *err)
{
    struct kin_err why = {0};
    enum kin_stream_next next = KIN_STREAM_END;
    if (b->error[0] && b->put.under_way_count)
        return KIN_STREAM_DRAIN;
    if (!b->error[0])
        next = kin_put_next(&b->put, ask, &why);
    if (next == KIN_STREAM_FAIL && (why.status == KIN_E_NOMEM || why.status == KIN_E_FULL)) {
        *err = why;
        return next;
    }
    if (next == KIN_STREAM_FAIL) {
        fail_file(b, &why);
        return b->put.under_way_count ? KIN_STREAM_DRAIN : KIN_STREAM_END;
    }
    return next;
}

enum kin_stream_next kin_inbox_next(struct kin_inbox *b, struct kin_stream_ask *ask,
                                    struct kin_err *err)
{
    enum kin_stream_next next;
    if (!b->looked) {
        b->looked = true;
        if (resume(b, err) != KIN_OK)
            return KIN_STREAM_FAIL;
    }
    if (b->asked)
        return KIN_STREAM_DRAIN;
    for (;;) {
        switch ((enum step)b->step) {
        case STEP_IDLE:
            next = look(b, ask, err);
            if (next != KIN_STREAM_ASK)
                return next;
            break;
        case STEP_PUT:
            next = next_put(b, ask, err);
            if (next != KIN_STREAM_END)
                return next;
            b->step = STEP_AFTER;
            break;
        case STEP_BEFORE:
        case STEP_AFTER:
            return ask_status(b, ask);
        case STEP_CHANGES:
            if (b->cursor < b->after)
                return ask_changes(b, ask);
            b->step = STEP_FINISH;
            break;
        case STEP_FINISH:
            if (finish_file(b, err) != KIN_OK)
                return KIN_STREAM_FAIL;
            break;
        }
    }
}

/* ---- answers ---- */

/* The workflow that is meant, in "live" of the status. NULL: it is not served. */
static const json_t *served(const struct kin_inbox *b, const json_t *status)
{
    const json_t *list = json_object_get(status, "live"), *item;
    size_t i;
    if (!b->workflow.n)
        return json_array_size(list) == 1 ? json_array_get(list, 0) : NULL;
    json_array_foreach(list, i, item)
    {
        if (kin_str_eq(kin_served_member(item, "workflow"), b->workflow))
            return item;
    }
    return NULL;
}

static kin_status on_unserved(struct kin_inbox *b, struct kin_err *err)
{
    struct kin_buf text = {0};
    const char *which = b->workflow.n ? "the workflow is" : "no workflow, or more than one, is";
    if (b->once)
        return kin_err_set(err, KIN_E_NOTFOUND, "%s served",
                           b->workflow.n ? "the workflow is not" : which);
    if (!b->told) {
        kin_buf_printf(&text, "%s%s served; %s waits", which, b->workflow.n ? " not" : "",
                       b->item.name);
        say(b, &text);
    }
    b->told = true;
    b->unserved = true;
    return KIN_OK;
}

static kin_status take_status(struct kin_inbox *b, struct kin_str payload, struct kin_err *err)
{
    json_t *o = kin_served_object(payload, err);
    if (!o)
        return KIN_E_PROTO;
    const json_t *live = served(b, o);
    json_int_t changes = json_integer_value(json_object_get(live, "changes"));
    bool is_served = live != NULL;
    json_decref(o);
    if (!is_served)
        return on_unserved(b, err);
    b->told = false;
    if (b->step == STEP_AFTER) {
        b->after = changes > 0 ? (uint64_t)changes : 0;
        b->step = STEP_CHANGES;
        return KIN_OK;
    }
    b->item.before = changes > 0 ? (uint64_t)changes : 0;
    kin_status status = inbox_journal_write(b, err);
    if (status == KIN_OK)
        status = take_file(b, err);
    return status == KIN_OK ? begin_file(b, err) : status;
}

/* Events up to `after`: what came later is another file's. */
static kin_status take_changes(struct kin_inbox *b, const struct kin_message *m,
                               struct kin_str payload, struct kin_err *err)
{
    struct kin_str line;
    kin_status status = kin_stream_refusal(m, err);
    uint64_t cursor = b->cursor;
    while (status == KIN_OK && kin_served_line(&payload, &line)) {
        json_t *o = kin_served_object(line, err);
        if (!o)
            return KIN_E_PROTO;
        json_int_t seq = json_integer_value(json_object_get(o, "seq"));
        json_decref(o);
        if (seq <= 0 || (uint64_t)seq <= cursor)
            return kin_err_set(err, KIN_E_PROTO, "the change feed is not in order");
        cursor = (uint64_t)seq;
        if (cursor > b->after)
            break;
        kin_buf_put(&b->text, line.p, line.n);
        kin_buf_putc(&b->text, '\n');
        b->change_count++;
    }
    /* a feed that ends early has nothing more to tell */
    b->cursor = cursor > b->cursor ? cursor : b->after;
    return status == KIN_OK && b->text.n ? write_text(b, b->changes, err) : status;
}

kin_status kin_inbox_take(struct kin_inbox *b, struct kin_stream_ask *ask,
                          const struct kin_message *m, struct kin_str payload, struct kin_err *err)
{
    struct kin_err why = {0};
    b->asked = false;
    if (ask->message.type == KIN_MSG_STATUS)
        return take_status(b, payload, err);
    if (ask->message.type == KIN_MSG_CHANGES)
        return take_changes(b, m, payload, err);
    kin_status status = kin_put_take(&b->put, ask, m, payload, &why);
    if (status == KIN_E_FULL || status == KIN_E_NOMEM) {
        *err = why;
        return status;
    }
    if (status != KIN_OK)
        fail_file(b, &why);
    return KIN_OK;
}
