/* libfyaml's events to a tree. Only its scanner and parser run: the document builder, with its
 * recursion, references and paths, is not needed, and repeated keys are found here, all of them. */
#include "common/workflow/yaml.h"

#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

struct frame {
    struct kin_yaml_node *node;
    struct kin_yaml_node *last; /* child */
    struct kin_yaml_node *key;  /* read, and its value not yet */
};

struct builder {
    struct kin_yaml *y;
    struct kin_report *report;
    struct frame stack[KIN_YAML_DEPTH_MAX];
    size_t depth;
    size_t nodes;
    size_t after; /* one past the last token seen: where to look for what has no mark */
    size_t documents;
};

/* Skips blanks, line breaks and comments. */
static size_t skip(const struct kin_yaml *y, size_t at)
{
    const char *p = y->text.p;
    while (at < y->text.n) {
        if (p[at] == '#' && (at == 0 || strchr(" \t\n", p[at - 1]))) {
            while (at < y->text.n && p[at] != '\n')
                at++;
        } else if (p[at] && strchr(" \t\r\n", p[at])) {
            at++;
        } else {
            break;
        }
    }
    return at;
}

static size_t mark_start(struct fy_token *token, size_t otherwise)
{
    const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
    return mark ? mark->input_pos : otherwise;
}

static size_t mark_end(struct fy_token *token, size_t otherwise)
{
    const struct fy_mark *mark = token ? fy_token_end_mark(token) : NULL;
    return mark ? mark->input_pos : otherwise;
}

/* libfyaml also has tokens that do not stand in the text, and each version has others. */
static bool has_text(struct fy_token *token)
{
    return mark_end(token, 0) > mark_start(token, 0);
}

static struct kin_yaml_node *node_new(struct builder *b, enum kin_yaml_kind kind)
{
    struct kin_yaml_node *node = kin_arena_calloc(&b->y->arena, 1, sizeof *node);
    if (node) {
        node->kind = kind;
        b->nodes++;
    }
    return node;
}

/* Hangs a node into the collection that is open. Where a map waits for a key, it becomes that. */
static void attach(struct builder *b, struct kin_yaml_node *node)
{
    if (!b->depth) {
        b->y->root = node;
        return;
    }
    struct frame *f = &b->stack[b->depth - 1];
    node->parent = f->node;
    if (f->node->kind == KIN_YAML_MAP && !f->key) {
        f->key = node;
        if (node->kind == KIN_YAML_LIST || node->kind == KIN_YAML_MAP)
            kin_yaml_say(b->y, b->report, f->node, NULL, node->at, "a key is a %s; expected a name",
                         node->kind == KIN_YAML_LIST ? "list" : "map");
        return;
    }
    if (f->node->kind == KIN_YAML_MAP) {
        node->key = f->key;
        f->key = NULL;
        if (node->key->kind != KIN_YAML_SCALAR)
            return; /* reported; the value goes with it */
    } else {
        node->index = f->node->count;
    }
    if (f->last)
        f->last->next = node;
    else
        f->node->first = node;
    f->last = node;
    f->node->count++;
}

/* For a value that is not there, libfyaml has no token, or one without a mark, or an empty one
 * behind the colon. Of what is there, only quoted and block scalars can be empty. */
static bool is_nothing(struct fy_token *token)
{
    if (!token || !fy_token_start_mark(token))
        return true;
    return fy_token_scalar_style(token) == FYSS_PLAIN && !has_text(token);
}

/* Reports a mistake of the node that is about to be attached, as far as a path to it is known. */
static void say_here(struct builder *b, size_t at, const char *text)
{
    struct kin_yaml_node here = {.kind = KIN_YAML_BAD};
    if (b->depth) {
        const struct frame *f = &b->stack[b->depth - 1];
        here.parent = f->node;
        here.key = f->key;
        here.index = f->node->count;
        if (f->node->kind == KIN_YAML_MAP && !f->key)
            here = *f->node; /* of a key: the map's own path */
    }
    kin_yaml_say(b->y, b->report, &here, NULL, at, "%s", text);
}

/* Where a value that is not there would be: at its key, or at the dash of its list item. */
static size_t place_of_nothing(struct builder *b)
{
    const struct kin_yaml_node *key = b->depth ? b->stack[b->depth - 1].key : NULL;
    size_t at = skip(b->y, b->after);
    if (at < b->y->text.n && b->y->text.p[at] == (key ? ':' : '-'))
        b->after = at + 1;
    return key ? key->at : at;
}

/* Reports a block scalar whose first line is no deeper than the collection it is in. It is not
 * YAML, but libfyaml lets it pass, and gives a text of which the end is not the file's; also of one
 * that is the whole document, which YAML allows. */
static bool say_shallow(struct builder *b, const struct kin_yaml_node *block)
{
    const struct kin_yaml *y = b->y;
    size_t at = block->at;
    while (at < block->end && strchr(" \r\n", y->text.p[at]))
        at++;
    if (at == block->end)
        return false;
    unsigned line;
    unsigned column;
    unsigned column_around = 1;
    kin_yaml_place(y, at, &line, &column);
    if (b->depth)
        kin_yaml_place(y, b->stack[b->depth - 1].node->at, &line, &column_around);
    if (column > column_around)
        return false;
    say_here(b, at,
             b->depth ? "the lines after | or > must be deeper than their key or dash"
                      : "found a text; expected a map of keys and values");
    return true;
}

/* The | or > of a block scalar, whose mark is its first line. */
static size_t place_of_block(const struct builder *b, const struct kin_yaml_node *block)
{
    const struct kin_yaml *y = b->y;
    size_t sign = skip(y, b->after);
    while (sign < block->at && strchr(":-?", y->text.p[sign]))
        sign = skip(y, sign + 1);
    bool found = sign < block->at && (y->text.p[sign] == '|' || y->text.p[sign] == '>');
    return found ? sign : block->at;
}

static kin_status take_text(struct builder *b, struct fy_token *token, struct kin_yaml_node *node)
{
    size_t n = 0;
    const char *text = has_text(token) ? fy_token_get_text(token, &n) : ""; /* else maybe a NUL */
    if (!text)
        return KIN_E_CORRUPT;
    char *copy = kin_arena_strndup(&b->y->arena, text, n);
    if (!copy)
        return KIN_E_NOMEM;
    node->value = (struct kin_str){copy, n};
    return KIN_OK;
}

static kin_status scalar(struct builder *b, struct fy_token *token)
{
    struct kin_yaml *y = b->y;
    struct kin_yaml_node *node = node_new(b, KIN_YAML_SCALAR);
    if (!node)
        return KIN_E_NOMEM;
    if (is_nothing(token)) {
        node->at = node->end = place_of_nothing(b);
        node->value = (struct kin_str){"", 0};
        attach(b, node);
        return KIN_OK;
    }
    node->at = mark_start(token, 0);
    node->end = mark_end(token, node->at);
    if (node->at > y->text.n || node->end > y->text.n || node->end < node->at)
        return KIN_E_CORRUPT;
    enum fy_scalar_style style = fy_token_scalar_style(token);
    if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) {
        if (!node->at || node->end + 1 > y->text.n)
            return KIN_E_CORRUPT;
        node->style = style == FYSS_SINGLE_QUOTED ? KIN_YAML_SINGLE_QUOTED : KIN_YAML_DOUBLE_QUOTED;
        node->at--; /* libfyaml's marks are inside the quotes */
        node->end++;
    } else if (style == FYSS_LITERAL || style == FYSS_FOLDED) {
        node->kind = say_shallow(b, node) ? KIN_YAML_BAD : KIN_YAML_SCALAR;
        node->style = KIN_YAML_BLOCK;
        node->at = place_of_block(b, node);
    }
    kin_status status = node->kind == KIN_YAML_SCALAR ? take_text(b, token, node) : KIN_OK;
    if (status != KIN_OK)
        return status;
    b->after = node->end;
    attach(b, node);
    return KIN_OK;
}

static kin_status open_collection(struct builder *b, enum kin_yaml_kind kind,
                                  struct fy_token *token)
{
    struct kin_yaml_node *node = node_new(b, kind);
    if (!node)
        return KIN_E_NOMEM;
    node->at = mark_start(token, b->after);
    if (node->at > b->y->text.n)
        return KIN_E_CORRUPT;
    size_t end = mark_end(token, node->at);
    node->flow = end > node->at; /* in block style the token is empty */
    b->after = end;
    if (b->depth == KIN_YAML_DEPTH_MAX) {
        kin_yaml_say(b->y, b->report, b->stack[b->depth - 1].node, NULL, node->at,
                     "nested deeper than %d levels", KIN_YAML_DEPTH_MAX);
        return KIN_E_LIMIT;
    }
    attach(b, node);
    b->stack[b->depth++] = (struct frame){node, NULL, NULL};
    return KIN_OK;
}

static int cmp_keys(const void *a, const void *b)
{
    const struct kin_yaml_node *x = *(struct kin_yaml_node *const *)a;
    const struct kin_yaml_node *y = *(struct kin_yaml_node *const *)b;
    int c = kin_str_cmp(x->key->value, y->key->value);
    if (c)
        return c;
    return x->key->at < y->key->at ? -1 : x->key->at > y->key->at;
}

/* Reports the second and later of entries with one key, and takes them out. */
static kin_status drop_repeats(struct builder *b, struct kin_yaml_node *map)
{
    if (map->count < 2)
        return KIN_OK;
    struct kin_yaml_node **sorted =
        kin_arena_calloc(&b->y->arena, map->count, sizeof(struct kin_yaml_node *));
    if (!sorted)
        return KIN_E_NOMEM;
    size_t n = 0;
    for (struct kin_yaml_node *v = map->first; v; v = v->next)
        sorted[n++] = v;
    qsort(sorted, n, sizeof(struct kin_yaml_node *), cmp_keys);
    const struct kin_yaml_node *first = sorted[0];
    size_t dropped = 0;
    for (size_t i = 1; i < n; i++) {
        if (!kin_str_eq(sorted[i]->key->value, first->key->value)) {
            first = sorted[i];
            continue;
        }
        unsigned line;
        unsigned column;
        kin_yaml_place(b->y, first->key->at, &line, &column);
        kin_yaml_say(b->y, b->report, sorted[i], NULL, sorted[i]->key->at,
                     "the key is given twice; it was first given at %u:%u", line, column);
        sorted[i]->kind = KIN_YAML_BAD;
        sorted[i]->key = NULL;
        dropped++;
    }
    if (!dropped)
        return KIN_OK;
    struct kin_yaml_node **link = &map->first;
    while (*link) {
        if ((*link)->key)
            link = &(*link)->next;
        else
            *link = (*link)->next;
    }
    map->count -= dropped;
    return KIN_OK;
}

static kin_status close_collection(struct builder *b, struct fy_token *token)
{
    if (!b->depth)
        return KIN_E_CORRUPT;
    struct kin_yaml_node *node = b->stack[--b->depth].node;
    size_t start = mark_start(token, b->after);
    size_t end = mark_end(token, b->after);
    if (node->flow && end > start) /* of block style, the end is where the next token starts */
        b->after = end;
    return node->kind == KIN_YAML_MAP ? drop_repeats(b, node) : KIN_OK;
}

static void say_extra(struct builder *b, struct fy_token *token, const char *text)
{
    size_t at = mark_start(token, b->after);
    while (at && strchr("&*!", b->y->text.p[at]) == NULL && strchr("&*!", b->y->text.p[at - 1]))
        at--; /* the mark of an anchor is behind its sign */
    say_here(b, at, text);
}

static const char anchors_text[] =
    "anchors and aliases (&name, *name) are not supported; write the value out";
static const char tags_text[] = "tags (!name) are not supported; expected a plain value";

static void say_extras(struct builder *b, struct fy_token *anchor, struct fy_token *tag)
{
    if (anchor)
        say_extra(b, anchor, anchors_text);
    if (tag)
        say_extra(b, tag, tags_text);
}

static kin_status alias(struct builder *b, struct fy_token *token)
{
    say_extra(b, token, anchors_text);
    struct kin_yaml_node *node = node_new(b, KIN_YAML_BAD);
    if (!node)
        return KIN_E_NOMEM;
    node->at = mark_start(token, b->after);
    if (node->at > b->y->text.n)
        return KIN_E_CORRUPT;
    b->after = mark_end(token, b->after);
    attach(b, node);
    return KIN_OK;
}

/* Where a further document starts: at its dashes, or without them behind the lines "..." that end
 * the one before. */
static size_t place_of_document(const struct builder *b, struct fy_token *dashes)
{
    if (has_text(dashes))
        return mark_start(dashes, 0);
    const char *text = b->y->text.p;
    size_t at = b->after;
    const char *dots = strstr(text + (at ? at - 1 : 0), "\n...");
    at = skip(b->y, dots ? (size_t)(dots - text) + 4 : at);
    while (strncmp(text + at, "...", 3) == 0)
        at = skip(b->y, at + 3);
    return at;
}

static kin_status on_event(struct builder *b, const struct fy_event *e)
{
    struct kin_yaml *y = b->y;
    if (b->nodes >= KIN_YAML_NODES_MAX) {
        kin_report_add(b->report, 0, 0, "", "more than %d values", KIN_YAML_NODES_MAX);
        return KIN_E_LIMIT;
    }
    switch (e->type) {
    case FYET_DOCUMENT_START:
        if (b->documents++) {
            size_t at = place_of_document(b, e->document_start.document_start);
            kin_yaml_say(y, b->report, NULL, NULL, at,
                         "a second document; expected one workflow in a file");
            return KIN_E_LIMIT;
        }
        return KIN_OK;
    case FYET_SCALAR:
        say_extras(b, e->scalar.anchor, e->scalar.tag);
        return scalar(b, e->scalar.value);
    case FYET_ALIAS:
        return alias(b, e->alias.anchor);
    case FYET_MAPPING_START:
        say_extras(b, e->mapping_start.anchor, e->mapping_start.tag);
        return open_collection(b, KIN_YAML_MAP, e->mapping_start.mapping_start);
    case FYET_SEQUENCE_START:
        say_extras(b, e->sequence_start.anchor, e->sequence_start.tag);
        return open_collection(b, KIN_YAML_LIST, e->sequence_start.sequence_start);
    case FYET_MAPPING_END:
        return close_collection(b, e->mapping_end.mapping_end);
    case FYET_SEQUENCE_END:
        return close_collection(b, e->sequence_end.sequence_end);
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END:
    default:
        return KIN_OK;
    }
}

/* ---- syntax errors ---- */

/* What helps beyond libfyaml's words. */
static const char *hint_of(const char *message)
{
    static const struct {
        const char *part, *hint;
    } hints[] = {
        {"nested block mapping", "; a value with ': ' in it must be quoted"},
        {"plain scalar cannot start", "; a value that starts so must be quoted"},
        {"multiline plain key", "; is a ':' missing, or the indentation wrong?"},
        {"without a closing", "; is a bracket missing?"},
        {"without closing quote", "; is a quote missing?"},
        {"missing comma", "; is a bracket not closed, or a quote closed too early?"},
    };
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        if (strstr(message, hints[i].part))
            return hints[i].hint;
    }
    return "";
}

/* A tab in the indentation of the line at fault or the one after it: the usual cause, which the
 * parser's message seldom names. */
static bool say_tab(struct builder *b, size_t at)
{
    const struct kin_yaml *y = b->y;
    unsigned line;
    unsigned column;
    kin_yaml_place(y, at, &line, &column);
    for (size_t i = line - 1; i < y->line_count && i < line + 1; i++) {
        size_t tab = y->lines[i];
        while (y->text.p[tab] == ' ')
            tab++;
        if (y->text.p[tab] != '\t')
            continue;
        kin_yaml_say(y, b->report, NULL, NULL, tab,
                     "a tab in the indentation; YAML is indented with blanks only");
        return true;
    }
    return false;
}

static void say_syntax(struct builder *b, struct fy_diag *diag)
{
    const struct kin_yaml *y = b->y;
    void *iter = NULL;
    const struct fy_diag_error *error;
    while ((error = fy_diag_errors_iterate(diag, &iter)) != NULL && error->type != FYET_ERROR)
        ;
    size_t at = b->after;
    const char *message = "cannot be read";
    if (error) {
        message = error->msg ? error->msg : message;
        at = mark_start(error->fyt, at);
    }
    if (at >= y->text.n)
        at = y->text.n - 1;
    if (!say_tab(b, at))
        kin_yaml_say(y, b->report, NULL, NULL, at, "not valid YAML: %.200s%s", message,
                     hint_of(message));
}

static void no_output(struct fy_diag *diag, void *user, const char *buf, size_t len)
{
    (void)diag, (void)user, (void)buf, (void)len;
}

/* Feeds the events to the builder. */
static kin_status run(struct builder *b)
{
    struct fy_diag_cfg diag_cfg = {.output_fn = no_output, .level = FYET_ERROR, .module_mask = ~0u};
    kin_status status = KIN_E_NOMEM;
    struct fy_parser *parser = NULL;
    struct fy_diag *diag = fy_diag_create(&diag_cfg);
    if (!diag)
        return KIN_E_NOMEM;
    fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG |
                                        FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE |
                                        FYPCF_SLOPPY_FLOW_INDENTATION,
                               .diag = diag};
    parser = fy_parser_create(&cfg);
    if (!parser || fy_parser_set_string(parser, b->y->text.p, b->y->text.n) != 0)
        goto out;
    status = KIN_OK;
    struct fy_event *event;
    while (status == KIN_OK && (event = fy_parser_parse(parser)) != NULL) {
        status = on_event(b, event);
        fy_parser_event_free(parser, event);
    }
    if ((status == KIN_OK && (fy_parser_get_stream_error(parser) || b->depth)) ||
        status == KIN_E_CORRUPT) {
        say_syntax(b, diag);
        status = KIN_E_SYNTAX;
    } else if (status == KIN_E_LIMIT) {
        status = KIN_E_SYNTAX;
    }
out:
    fy_parser_destroy(parser);
    fy_diag_destroy(diag);
    return status;
}

kin_status kin_yaml_parse(struct kin_str text, struct kin_yaml *out, struct kin_report *report)
{
    *out = (struct kin_yaml){0};
    if (text.n > KIN_YAML_BYTES_MAX) {
        kin_report_add(report, 0, 0, "", "the file has %zu bytes; expected at most %d", text.n,
                       KIN_YAML_BYTES_MAX);
        return KIN_E_SYNTAX;
    }
    kin_status status = kin_yaml_load(text, out);
    if (status != KIN_OK)
        return status;
    if (!kin_yaml_guard(out, report))
        return KIN_E_SYNTAX;
    struct builder b = {.y = out, .report = report};
    status = run(&b);
    if (status == KIN_OK && !out->root) {
        kin_report_add(report, 0, 0, "",
                       "the file is empty; expected a workflow that starts with 'kindred: 1'");
        status = KIN_E_SYNTAX;
    }
    return status;
}

void kin_yaml_deinit(struct kin_yaml *y)
{
    kin_arena_deinit(&y->arena);
    *y = (struct kin_yaml){0};
}

/* ---- access ---- */

struct kin_yaml_node *kin_yaml_get(const struct kin_yaml_node *map, const char *key)
{
    if (map->kind != KIN_YAML_MAP)
        return NULL;
    struct kin_str wanted = kin_str_of(key);
    for (struct kin_yaml_node *v = map->first; v; v = v->next) {
        if (kin_str_eq(v->key->value, wanted))
            return v;
    }
    return NULL;
}

bool kin_yaml_is_null(const struct kin_yaml_node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    if (node->kind != KIN_YAML_SCALAR || node->style != KIN_YAML_PLAIN)
        return false;
    for (size_t i = 0; i < sizeof nulls / sizeof nulls[0]; i++) {
        if (kin_str_eq(node->value, kin_str_of(nulls[i])))
            return true;
    }
    return false;
}

/* ---- commas inside parentheses ---- */

/* Open parentheses in a run of text. */
static long parentheses(struct kin_str s)
{
    long open = 0;
    for (size_t i = 0; i < s.n; i++)
        open += (s.p[i] == '(') - (s.p[i] == ')');
    return open;
}

static bool is_plain(const struct kin_yaml_node *node)
{
    return node->kind == KIN_YAML_SCALAR && node->style == KIN_YAML_PLAIN;
}

/* The text an item that was cut off consists of: itself, or in a map the key of an entry without a
 * value. NULL: it is something else. */
static const struct kin_yaml_node *piece_of(const struct kin_yaml_node *item)
{
    if (!item->key)
        return is_plain(item) ? item : NULL;
    bool empty = is_plain(item) && item->value.n == 0;
    return empty && is_plain(item->key) ? item->key : NULL;
}

/* Copies a piece to where it stands in the text, so that positions stay right. */
static void lay(const struct kin_yaml *y, const struct kin_yaml_node *piece, size_t from, char *to)
{
    for (size_t i = piece->at; i < piece->end; i++) {
        char c = y->text.p[i];
        to[i - from] = c == '\n' || c == '\r' ? ' ' : c;
    }
}

/* The item after the pieces that close the parentheses which `item` leaves open, *last being the
 * last of them; NULL with *last unset: there are no such pieces. */
static struct kin_yaml_node *rest_of(struct kin_yaml_node *item, const struct kin_yaml_node **last)
{
    long open = is_plain(item) ? parentheses(item->value) : 0;
    if (open <= 0)
        return NULL;
    for (struct kin_yaml_node *v = item->next; v; v = v->next) {
        const struct kin_yaml_node *piece = piece_of(v);
        if (!piece || piece->end - item->at > KIN_RULE_TEXT_MAX)
            return NULL;
        open += parentheses(piece->value);
        if (open <= 0) {
            *last = open == 0 ? piece : NULL;
            return v->next;
        }
    }
    return NULL; /* a mistake that the term's own parser explains better */
}

kin_status kin_yaml_join(struct kin_yaml *y, struct kin_yaml_node *all)
{
    if (!all->flow)
        return KIN_OK;
    size_t index = 0;
    for (struct kin_yaml_node *item = all->first; item; item = item->next) {
        const struct kin_yaml_node *last = NULL;
        struct kin_yaml_node *rest = rest_of(item, &last);
        item->index = index++;
        if (!last)
            continue;

        size_t n = last->end - item->at;
        char *text = kin_arena_alloc(&y->arena, n + 1);
        if (!text)
            return KIN_E_NOMEM;
        memset(text, ' ', n);
        text[n] = '\0';
        lay(y, item, item->at, text);
        size_t comma = item->end - item->at;
        for (const struct kin_yaml_node *v = item->next; v != rest; v = v->next) {
            const struct kin_yaml_node *piece = piece_of(v);
            if (!piece)
                break; /* never: rest_of has seen to it */
            text[comma] = ',';
            lay(y, piece, item->at, text);
            comma = piece->end - item->at;
            all->count--;
        }
        item->value = (struct kin_str){text, n};
        item->style = KIN_YAML_JOINED;
        item->end = item->at + n;
        item->next = rest;
    }
    return KIN_OK;
}
