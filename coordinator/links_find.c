#include "coordinator/links_find.h"

#include "common/base/hash.h"
#include "common/base/radix.h"
#include "common/group/union_find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NO_RECORD UINT32_MAX
enum { LINES_NAMED = 8 }; /* of the must links that contradict a never link */

struct kin_link_name {
    uint64_t hash;
    uint32_t source; /* UINT32_MAX: the workflow has none of that name */
    uint32_t record; /* NO_RECORD: not met */
    struct kin_str id;
    struct kin_str text; /* as given: source/id */
};

struct kin_link_row {
    uint32_t left, right; /* names */
    uint32_t line, file;
    bool never, told; /* told: of no file */
    struct kin_str raw;
};

const char *kin_links_new_file(struct kin_links_found *l, const char *path, kin_status *status)
{
    for (size_t i = 0; i < l->file_count; i++) {
        if (strcmp(l->files[i], path) == 0)
            return NULL;
    }
    const char **files = kin_reallocarray(l->files, l->file_count + 1, sizeof *files);
    if (files)
        l->files = files;
    char *copy = files ? kin_arena_strndup(&l->arena, path, strlen(path)) : NULL;
    if (!copy) {
        *status = KIN_E_NOMEM;
        return NULL;
    }
    l->files[l->file_count++] = copy;
    return copy;
}

/* ---- rows ---- */

static struct kin_str cell_of(const struct kin_rows *rows, const struct kin_row *row,
                              struct kin_str column)
{
    size_t count;
    const struct kin_str *names = kin_rows_columns(rows, &count);
    for (size_t i = 0; i < row->count; i++) {
        if (row->cells[i].column < count && kin_str_eq(names[row->cells[i].column], column))
            return kin_str_trimmed(row->cells[i].value);
    }
    return (struct kin_str){NULL, 0};
}

static uint32_t source_named(const struct kin_workflow *w, struct kin_str name)
{
    for (size_t s = 0; s < w->source_count; s++) {
        if (kin_str_eq(name, kin_str_of(w->sources[s].name)))
            return (uint32_t)s;
    }
    return UINT32_MAX;
}

static kin_status add_name(struct kin_links_found *l, struct kin_str text, uint32_t *out)
{
    if (l->name_count == l->name_cap) {
        uint32_t cap = l->name_cap ? 2 * l->name_cap : 256;
        struct kin_link_name *names = kin_reallocarray(l->names, cap, sizeof *names);
        if (!names)
            return KIN_E_NOMEM;
        l->names = names;
        l->name_cap = cap;
    }
    char *copy = kin_arena_strndup(&l->arena, text.p, text.n);
    if (!copy)
        return KIN_E_NOMEM;
    size_t slash = (size_t)((const char *)memchr(copy, '/', text.n) - copy);
    struct kin_link_name *name = &l->names[l->name_count];
    *name =
        (struct kin_link_name){.source = source_named(l->workflow, (struct kin_str){copy, slash}),
                               .record = NO_RECORD,
                               .id = {copy + slash + 1, text.n - slash - 1},
                               .text = {copy, text.n}};
    name->hash = kin_hash64(name->id.p, name->id.n, name->source);
    *out = l->name_count++;
    return KIN_OK;
}

static bool is_name(struct kin_str s)
{
    const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
    return slash && slash > s.p && slash + 1 < s.p + s.n;
}

static const char *wrong_with(const struct kin_row *row, struct kin_str left, struct kin_str right,
                              struct kin_str kind)
{
    if (row->reason)
        return row->reason;
    if (!is_name(left))
        return "`left` is no record: expected its source's name, /, and its id";
    if (!is_name(right))
        return "`right` is no record: expected its source's name, /, and its id";
    if (!kin_str_eq(kind, KIN_STR("must")) && !kin_str_eq(kind, KIN_STR("never")))
        return "`kind` is neither must nor never";
    if (kin_str_eq(left, right))
        return "a link of a record with itself";
    return NULL;
}

static struct kin_link_row *new_row(struct kin_links_found *l)
{
    if (l->link_count == l->row_cap) {
        uint32_t cap = l->row_cap ? 2 * l->row_cap : 256;
        struct kin_link_row *grown = kin_reallocarray(l->rows, cap, sizeof *grown);
        if (!grown)
            return NULL;
        l->rows = grown;
        l->row_cap = cap;
    }
    return &l->rows[l->link_count];
}

kin_status kin_links_add(struct kin_links_found *l, struct kin_str left, struct kin_str right,
                         bool never)
{
    if (l->link_count == KIN_LINKS_MAX)
        return KIN_E_LIMIT;
    struct kin_link_row *r = new_row(l);
    if (!r)
        return KIN_E_NOMEM;
    *r = (struct kin_link_row){.never = never, .told = true};
    kin_status status = add_name(l, left, &r->left);
    if (status == KIN_OK)
        status = add_name(l, right, &r->right);
    l->link_count += status == KIN_OK;
    l->told = true;
    return status;
}

kin_status kin_links_take_row(struct kin_links_found *l, const char *path,
                              const struct kin_rows *rows, const struct kin_row *row, char *text,
                              size_t text_bytes)
{
    struct kin_str left = cell_of(rows, row, KIN_STR("left")),
                   right = cell_of(rows, row, KIN_STR("right")),
                   kind = cell_of(rows, row, KIN_STR("kind"));
    const char *wrong = wrong_with(row, left, right, kind);
    if (wrong) {
        snprintf(text, text_bytes, "%s:%llu: %s", path, (unsigned long long)row->line, wrong);
        return KIN_E_SYNTAX;
    }
    if (l->link_count == KIN_LINKS_MAX || row->line > UINT32_MAX) {
        snprintf(text, text_bytes, "there are more than %d", KIN_LINKS_MAX);
        return KIN_E_LIMIT;
    }
    struct kin_link_row *r = new_row(l);
    if (!r)
        return KIN_E_NOMEM;
    *r = (struct kin_link_row){
        .line = (uint32_t)row->line,
        .file = (uint32_t)l->file_count - 1,
        .never = kin_str_eq(kind, KIN_STR("never")),
        .raw = {kin_arena_strndup(&l->arena, row->raw.p, row->raw.n), row->raw.n}};
    kin_status status = r->raw.p ? add_name(l, left, &r->left) : KIN_E_NOMEM;
    if (status == KIN_OK)
        status = add_name(l, right, &r->right);
    l->link_count += status == KIN_OK;
    return status;
}

/* ---- names and records ---- */

/* The slot of a name: where it is, or where it would be. */
static uint32_t *slot_of(const struct kin_links_found *l, uint64_t hash, uint32_t source,
                         struct kin_str id)
{
    for (size_t at = (size_t)hash & l->mask;; at = (at + 1) & l->mask) {
        uint32_t *slot = &l->slots[at];
        if (*slot == 0)
            return slot;
        const struct kin_link_name *name = &l->names[*slot - 1];
        if (name->hash == hash && name->source == source && kin_str_eq(name->id, id))
            return slot;
    }
}

kin_status kin_links_index(struct kin_links_found *l)
{
    size_t room = 16;
    while (room < 2 * (size_t)l->name_count)
        room *= 2;
    l->slots = kin_calloc(room, sizeof *l->slots);
    if (!l->slots)
        return KIN_E_NOMEM;
    l->mask = room - 1;
    for (uint32_t i = 0; i < l->link_count; i++) {
        uint32_t *ends[] = {&l->rows[i].left, &l->rows[i].right};
        for (unsigned k = 0; k < 2; k++) {
            const struct kin_link_name *name = &l->names[*ends[k]];
            if (name->source == UINT32_MAX)
                continue;
            uint32_t *slot = slot_of(l, name->hash, name->source, name->id);
            if (*slot == 0)
                *slot = *ends[k] + 1;
            *ends[k] = *slot - 1;
        }
    }
    return KIN_OK;
}

void kin_links_meet(struct kin_links_found *l, uint32_t source, struct kin_str id, uint32_t record)
{
    uint32_t slot = *slot_of(l, kin_hash64(id.p, id.n, source), source, id);
    if (slot)
        l->names[slot - 1].record = record;
}

/* ---- what they come to ---- */

static void put_unknown(const struct kin_links_found *l, const struct kin_link_row *r,
                        struct kin_buf *e)
{
    bool left = l->names[r->left].record == NO_RECORD;
    const struct kin_link_name *missing = &l->names[left ? r->left : r->right];
    kin_buf_putc(e, ',');
    kin_csv_cell(e, kin_str_of(l->files[r->file]));
    kin_buf_printf(e, ",%u,", r->line);
    kin_csv_cell(e, missing->text);
    kin_buf_puts(e, left ? ",left," : ",right,");
    kin_buf_puts(e, missing->source == UINT32_MAX ? "link: no source of that name,"
                                                  : "link: no such record,");
    kin_csv_cell(e, r->raw);
    kin_buf_putc(e, '\n');
}

static int by_pair(const void *a, const void *b)
{
    const struct kin_linkage_pair *x = a, *y = b;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return x->b < y->b ? -1 : x->b > y->b;
}

static void sort_pairs(struct kin_linkage_pair *pairs, size_t *count)
{
    size_t kept = 0;
    if (*count)
        qsort(pairs, *count, sizeof *pairs, by_pair);
    for (size_t i = 0; i < *count; i++) {
        if (kept == 0 || by_pair(&pairs[kept - 1], &pairs[i]) != 0)
            pairs[kept++] = pairs[i];
    }
    *count = kept;
}

static bool holds(const struct kin_links_found *l, const struct kin_link_row *r)
{
    return l->names[r->left].record != NO_RECORD && l->names[r->right].record != NO_RECORD;
}

static kin_status list_pairs(struct kin_links_found *l, struct kin_buf *errors)
{
    l->must = kin_reallocarray(NULL, l->link_count, sizeof *l->must);
    l->never = kin_reallocarray(NULL, l->link_count, sizeof *l->never);
    if (!l->must || !l->never)
        return KIN_E_NOMEM;
    for (uint32_t i = 0; i < l->link_count; i++) {
        const struct kin_link_row *r = &l->rows[i];
        if (!holds(l, r)) {
            l->unknown++;
            if (!r->told)
                put_unknown(l, r, errors);
            continue;
        }
        uint32_t a = l->names[r->left].record, b = l->names[r->right].record;
        struct kin_linkage_pair pair = {a < b ? a : b, a < b ? b : a};
        if (r->never)
            l->never[l->never_count++] = pair;
        else
            l->must[l->must_count++] = pair;
    }
    l->must_rows = l->must_count;
    l->never_rows = l->never_count;
    sort_pairs(l->must, &l->must_count);
    sort_pairs(l->never, &l->never_count);
    return KIN_OK;
}

/* ---- contradictions ---- */

struct reach {            /* breadth first over must links, from one end of a never link */
    uint32_t *first;      /* [name] an arc, plus 1 */
    uint32_t *next;       /* [2 * row + end] the next arc of that end, plus 1 */
    uint32_t *queue, *by; /* [name]; by: the arc that it was reached by, plus 1 */
};

static uint32_t arc_from(const struct kin_links_found *l, uint32_t arc)
{
    return arc % 2 ? l->rows[arc / 2].right : l->rows[arc / 2].left;
}

static void walk(const struct kin_links_found *l, struct reach *x, uint32_t from, uint32_t to)
{
    uint32_t n = 0;
    x->queue[n++] = from;
    for (uint32_t at = 0; at < n && x->by[to] == 0; at++) {
        for (uint32_t arc = x->first[x->queue[at]]; arc; arc = x->next[arc - 1]) {
            uint32_t other = arc_from(l, (arc - 1) ^ 1);
            if (other == from || x->by[other])
                continue;
            x->by[other] = arc;
            x->queue[n++] = other;
        }
    }
}

static void put_place(const struct kin_links_found *l, uint32_t row, struct kin_buf *out)
{
    kin_buf_printf(out, "%s:%u", l->files[l->rows[row].file], l->rows[row].line);
}

/* Names the fewest must links that hold together what this never link keeps apart. */
static kin_status explain(const struct kin_links_found *l, uint32_t never, uint64_t others,
                          char *text, size_t text_bytes)
{
    const struct kin_link_row *r = &l->rows[never];
    struct kin_arena arena = {0};
    struct kin_buf out = {0};
    struct reach x = {kin_arena_calloc(&arena, l->name_count, sizeof *x.first),
                      kin_arena_calloc(&arena, 2 * (size_t)l->link_count, sizeof *x.next),
                      kin_arena_calloc(&arena, l->name_count, sizeof *x.queue),
                      kin_arena_calloc(&arena, l->name_count, sizeof *x.by)};
    kin_status status = x.first && x.next && x.queue && x.by ? KIN_E_SYNTAX : KIN_E_NOMEM;
    for (uint32_t arc = 2 * l->link_count; status == KIN_E_SYNTAX && arc-- > 0;) {
        if (l->rows[arc / 2].never || !holds(l, &l->rows[arc / 2]))
            continue;
        x.next[arc] = x.first[arc_from(l, arc)];
        x.first[arc_from(l, arc)] = arc + 1;
    }
    if (status == KIN_E_SYNTAX) {
        walk(l, &x, r->right, r->left);
        put_place(l, never, &out);
        kin_buf_puts(&out, ": never, but these must links hold the two together: ");
        unsigned named = 0;
        uint32_t at = r->left;
        for (; at != r->right && named < LINES_NAMED; named++) {
            uint32_t arc = x.by[at] - 1;
            kin_buf_puts(&out, named ? ", " : "");
            put_place(l, arc / 2, &out);
            at = arc_from(l, arc);
        }
        kin_buf_puts(&out, at != r->right ? ", ..." : "");
        if (others)
            kin_buf_printf(&out, "; %llu more never links contradict", (unsigned long long)others);
        snprintf(text, text_bytes, "%.*s", (int)out.n, out.p ? (const char *)out.p : "");
    }
    kin_buf_deinit(&out);
    kin_arena_deinit(&arena);
    return status;
}

static kin_status check(const struct kin_links_found *l, char *text, size_t text_bytes)
{
    struct kin_union_find sets = {0};
    uint64_t wrong = 0;
    uint32_t first = 0;
    if (kin_union_find_init(&sets, l->name_count) != KIN_OK)
        return KIN_E_NOMEM;
    for (uint32_t i = 0; i < l->link_count; i++) {
        if (!l->rows[i].never && holds(l, &l->rows[i]))
            kin_union_find_join(&sets, l->rows[i].left, l->rows[i].right);
    }
    for (uint32_t i = 0; i < l->link_count; i++) {
        if (!l->rows[i].never || !holds(l, &l->rows[i]) ||
            kin_union_find_root(&sets, l->rows[i].left) !=
                kin_union_find_root(&sets, l->rows[i].right))
            continue;
        first = wrong++ ? first : i;
    }
    kin_union_find_deinit(&sets);
    return wrong ? explain(l, first, wrong - 1, text, text_bytes) : KIN_OK;
}

kin_status kin_links_settle(struct kin_links_found *l, struct kin_buf *errors, char *text,
                            size_t text_bytes)
{
    kin_status status = l->told ? KIN_OK : check(l, text, text_bytes);
    return status == KIN_OK ? list_pairs(l, errors) : status;
}

void kin_links_found_deinit(struct kin_links_found *l)
{
    kin_free(l->files);
    kin_free(l->names);
    kin_free(l->rows);
    kin_free(l->slots);
    kin_free(l->must);
    kin_free(l->never);
    kin_arena_deinit(&l->arena);
    *l = (struct kin_links_found){0};
}
