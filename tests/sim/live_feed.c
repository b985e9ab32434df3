#include "tests/sim/live_model.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(x) \
    ((x) ? (void)0 : (fprintf(stderr, "live_feed: %s:%d: %s\n", __FILE__, __LINE__, #x), abort()))

struct live_feed *live_feed_new(const struct kin_workflow *workflow, const uint8_t key[16])
{
    struct live_feed *f = calloc(1, sizeof *f);
    CHECK(f);
    f->model = live_model_new(workflow, key);
    return f;
}

void live_feed_free(struct live_feed *f)
{
    for (int i = 0; i < f->line_count; i++)
        free(f->lines[i]);
    free(f->lines);
    free(f->minted);
    live_model_free(f->model);
    free(f);
}

static bool wrong(const char *what, const char *line)
{
    fprintf(stderr, "the feed: %s: %s\n", what, line);
    return false;
}

static char *copy_line(const char *line, size_t bytes)
{
    char *copy = malloc(bytes + 1);
    CHECK(copy);
    memcpy(copy, line, bytes);
    copy[bytes] = '\0';
    return copy;
}

bool live_feed_take(struct live_feed *f, const char *line, size_t bytes)
{
    char *copy = copy_line(line, bytes);
    json_t *j = json_loadb(line, bytes, 0, NULL);
    json_int_t seq = json_integer_value(json_object_get(j, "seq"));
    bool ok = true;
    json_decref(j);
    if (seq < 1 || seq > f->line_count + 1) {
        ok = wrong("a line without a number that could be", copy);
    } else if (seq <= f->line_count) {
        ok = strcmp(f->lines[seq - 1], copy) == 0;
        if (!ok) {
            wrong("it was told otherwise, first", f->lines[seq - 1]);
            wrong("and then", copy);
        }
    } else {
        f->lines = realloc(f->lines, (size_t)(f->line_count + 1) * sizeof *f->lines);
        CHECK(f->lines);
        f->lines[f->line_count++] = copy;
        return true;
    }
    free(copy);
    return ok;
}

/* ---- one batch ---- */

struct place { /* a record at an id: the text, since it may be an id that cannot be */
    struct live_member name;
    char id[33];
};

struct batch {
    struct live_feed *f;
    uint64_t number;
    struct place *places; /* while a batch is told a record may be at two ids */
    int place_count;
    char **events; /* canonical */
    int event_count;
};

static int find_place(const struct batch *b, const struct live_member *name, const char *id)
{
    for (int i = 0; i < b->place_count; i++) {
        const struct place *p = &b->places[i];
        if (p->name.source == name->source && strcmp(p->name.id, name->id) == 0 &&
            (!id || strcmp(p->id, id) == 0))
            return i;
    }
    return -1;
}

static void add_place(struct batch *b, const struct live_member *name, const char *id)
{
    b->places = realloc(b->places, (size_t)(b->place_count + 1) * sizeof *b->places);
    CHECK(b->places);
    struct place *p = &b->places[b->place_count++];
    p->name = *name;
    snprintf(p->id, sizeof p->id, "%s", id);
}

static bool read_name(const struct batch *b, const json_t *j, struct live_member *out)
{
    const char *source = json_string_value(json_object_get(j, "source"));
    const char *id = json_string_value(json_object_get(j, "id"));
    const struct kin_workflow *w = b->f->model->workflow;
    if (!source || !id || json_object_size(j) != 2)
        return false;
    *out = (struct live_member){.source = UINT32_MAX};
    for (uint32_t i = 0; i < w->source_count; i++) {
        if (strcmp(w->sources[i].name, source) == 0)
            out->source = i;
    }
    return out->source != UINT32_MAX &&
           snprintf(out->id, sizeof out->id, "%s", id) < (int)sizeof out->id;
}

/* Puts the records of a line in the text, and moves them. */
static bool take_records(struct batch *b, const char *event, const char *id, const json_t *list,
                         struct kin_buf *text)
{
    struct live_member last = {0};
    size_t i;
    const json_t *item;
    bool arrive = strcmp(event, "left") != 0;
    json_array_foreach(list, i, item)
    {
        struct live_member name;
        if (!read_name(b, item, &name))
            return false;
        if (i > 0 && (name.source < last.source ||
                      (name.source == last.source && strcmp(name.id, last.id) <= 0)))
            return false; /* they ascend */
        last = name;
        int at = find_place(b, &name, id);
        if ((at >= 0) == arrive)
            return false;
        if (arrive)
            add_place(b, &name, id);
        else
            b->places[at] = b->places[--b->place_count];
        kin_buf_printf(text, " %s/%s", b->f->model->workflow->sources[name.source].name, name.id);
    }
    return json_array_size(list) > 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool take_ids(const json_t *list, struct kin_buf *text)
{
    size_t n = json_array_size(list);
    const char **ids = calloc(n + 1, sizeof *ids);
    bool ok = n > 0;
    CHECK(ids);
    for (size_t i = 0; i < n; i++) {
        ids[i] = json_string_value(json_array_get(list, i));
        ok = ok && ids[i];
    }
    if (ok)
        qsort(ids, n, sizeof *ids, by_text);
    for (size_t i = 0; i < n && ok; i++)
        kin_buf_printf(text, " %s", ids[i]);
    free(ids);
    return ok;
}

/* An id that is an alias now: those that came along were said to join its survivor. */
static bool retire(struct batch *b, const char *id, const json_t *j, struct kin_buf *text)
{
    const char *state = json_string_value(json_object_get(j, "state"));
    const char *survivor = json_string_value(json_object_get(j, "survivor"));
    if (!state || (strcmp(state, "alias") != 0 && strcmp(state, "gone") != 0) ||
        (strcmp(state, "alias") == 0) != (survivor != NULL))
        return false;
    kin_buf_printf(text, " %s%s%s", state, survivor ? " " : "", survivor ? survivor : "");
    for (int i = b->place_count - 1; i >= 0; i--) {
        if (strcmp(b->places[i].id, id) != 0)
            continue;
        if (!survivor || find_place(b, &b->places[i].name, survivor) < 0)
            return false;
        b->places[i] = b->places[--b->place_count];
    }
    return true;
}

static bool take_event(struct batch *b, const char *line)
{
    json_t *j = json_loads(line, 0, NULL);
    const char *event = json_string_value(json_object_get(j, "event"));
    const char *id = json_string_value(json_object_get(j, "match_id"));
    const char *from = json_string_value(json_object_get(j, "split_from"));
    struct kin_buf text = {0};
    bool ok = event && id && strlen(id) == 32;
    if (ok) {
        kin_buf_printf(&text, "%s %s", event, id);
        if (strcmp(event, "created") == 0 || strcmp(event, "joined") == 0 ||
            strcmp(event, "left") == 0)
            ok = take_records(b, event, id, json_object_get(j, "records"), &text);
        else if (strcmp(event, "merged") == 0)
            ok = take_ids(json_object_get(j, "from"), &text);
        else if (strcmp(event, "split") == 0)
            ok = take_ids(json_object_get(j, "into"), &text);
        else
            ok = strcmp(event, "retired") == 0 && retire(b, id, j, &text);
        if (from)
            kin_buf_printf(&text, " from %s", from);
    }
    kin_buf_putc(&text, '\0');
    b->events = realloc(b->events, (size_t)(b->event_count + 1) * sizeof *b->events);
    CHECK(b->events && !text.failed);
    b->events[b->event_count++] = copy_line((char *)text.p, strlen((char *)text.p));
    kin_buf_deinit(&text);
    json_decref(j);
    return ok || wrong("a line that cannot follow on those before it", line);
}

/* The partition that the places make, each record in one. */
static bool partition(const struct batch *b, struct live_member *out)
{
    for (int i = 0; i < b->place_count; i++) {
        out[i] = b->places[i].name;
        for (int k = b->place_count - 1; k >= 0; k--) {
            const struct place *p = &b->places[k];
            if (strcmp(p->id, b->places[i].id) == 0)
                out[i].group = k;
            if (k != i && p->name.source == out[i].source && strcmp(p->name.id, out[i].id) == 0) {
                fprintf(stderr, "the feed: record %s is at %s and at %s\n", p->name.id, p->id,
                        b->places[i].id);
                return false;
            }
        }
    }
    return true;
}

static bool compare(const struct batch *b)
{
    const struct live_model *m = b->f->model;
    bool ok = true;
    qsort(b->events, (size_t)b->event_count, sizeof *b->events, by_text);
    for (int i = 0, k = 0; i < b->event_count || k < m->event_count;) {
        int c = i == b->event_count   ? 1
                : k == m->event_count ? -1
                                      : strcmp(b->events[i], m->events[k]);
        if (c != 0) {
            fprintf(stderr, "the feed: batch %llu %s: %s\n", (unsigned long long)b->number,
                    c < 0 ? "tells" : "must tell", c < 0 ? b->events[i] : m->events[k]);
            ok = false;
        }
        i += c <= 0;
        k += c >= 0;
    }
    return ok;
}

static uint64_t batch_of(const char *line)
{
    json_t *j = json_loads(line, 0, NULL);
    json_int_t batch = json_integer_value(json_object_get(j, "batch"));
    json_decref(j);
    return (uint64_t)batch;
}

void live_feed_minted(struct live_feed *f, uint32_t source, const char *id)
{
    f->minted = realloc(f->minted, (size_t)(f->minted_count + 1) * sizeof *f->minted);
    CHECK(f->minted);
    struct live_member *m = &f->minted[f->minted_count++];
    m->source = source;
    snprintf(m->id, sizeof m->id, "%s", id);
}

/* Which of the new records were minted by this batch: an id made for one of them is told of, be it
 * as an alias, or the group has it; of one that was not minted, only where it is the founder. Then
 * it makes no difference, but that such a group may come from another one. */
static void find_minted(const struct batch *b, int end, struct live_member *members)
{
    const struct live_feed *f = b->f;
    for (int i = 0; i < b->place_count; i++) {
        char id[33];
        for (int k = 0; k < f->minted_count && !members[i].minted; k++)
            members[i].minted = f->minted[k].source == members[i].source &&
                                strcmp(f->minted[k].id, members[i].id) == 0;
        if (!members[i].minted)
            continue;
        bool named = false, came = false;
        live_model_next_id(f->model, members[i].source, members[i].id, id);
        for (int k = f->settled; k < end; k++) {
            if (!strstr(f->lines[k], id))
                continue;
            named = true;
            came = came || strstr(f->lines[k], "\"split_from\"");
        }
        members[i].minted =
            named && !came && !live_model_of(f->model, members[i].source, members[i].id);
    }
}

static bool settle_batch(struct live_feed *f)
{
    const struct live_model *m = f->model;
    struct batch b = {.f = f, .number = batch_of(f->lines[f->settled])};
    bool ok = true;
    for (int i = 0; i < m->member_count; i++)
        add_place(&b, &m->members[i], m->ids[m->members[i].group].text);
    int end = f->settled;
    while (end < f->line_count && batch_of(f->lines[end]) == b.number && ok)
        ok = take_event(&b, f->lines[end++]);
    struct live_member *members = calloc((size_t)b.place_count + 1, sizeof *members);
    CHECK(members);
    ok = ok && partition(&b, members);
    if (ok) {
        find_minted(&b, end, members);
        live_model_step(f->model, b.number, members, b.place_count);
        ok = compare(&b);
        f->settled = end;
    }
    for (int i = 0; i < b.event_count; i++)
        free(b.events[i]);
    free(b.events);
    free(b.places);
    free(members);
    return ok;
}

bool live_feed_settle(struct live_feed *f)
{
    uint64_t last = f->settled ? batch_of(f->lines[f->settled - 1]) : 0;
    while (f->settled < f->line_count) {
        uint64_t number = batch_of(f->lines[f->settled]);
        if (number <= last)
            return wrong("batches do not ascend", f->lines[f->settled]);
        last = number;
        if (!settle_batch(f))
            return false;
    }
    return true;
}
