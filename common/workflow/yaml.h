#ifndef KIN_WORKFLOW_YAML_H
#define KIN_WORKFLOW_YAML_H
/* A YAML text as a tree of nodes that know where they stand. Built from libfyaml's events, within
 * bounds, of the part of YAML that a workflow file needs: no anchors, aliases, tags, directives,
 * and one document. One tree belongs to one thread; nodes live as long as it. */
#include "common/workflow/problems.h"

enum { KIN_YAML_BYTES_MAX = 1 << 20, KIN_YAML_DEPTH_MAX = 12, KIN_YAML_NODES_MAX = 200000 };

enum kin_yaml_kind { KIN_YAML_SCALAR, KIN_YAML_LIST, KIN_YAML_MAP, KIN_YAML_BAD /* reported */ };
enum kin_yaml_style {
    KIN_YAML_PLAIN,
    KIN_YAML_SINGLE_QUOTED,
    KIN_YAML_DOUBLE_QUOTED,
    KIN_YAML_BLOCK, /* | and > */
    KIN_YAML_JOINED /* made by kin_yaml_join: byte i of the value stands at byte at + i */
};

struct kin_yaml_node {
    enum kin_yaml_kind kind;
    enum kin_yaml_style style;
    bool flow;            /* [..] or {..} */
    size_t at;            /* offset of its first byte in the text, quotes included; of a value
                           * that is not there, of its key or dash */
    size_t end;           /* of a scalar: one past its last */
    struct kin_str value; /* of a scalar, terminated */

    struct kin_yaml_node *parent;
    struct kin_yaml_node *key;   /* in a map: its key, a scalar */
    size_t index;                /* in a list: from 0 */
    struct kin_yaml_node *first; /* child */
    struct kin_yaml_node *next;  /* sibling */
    size_t count;                /* of children */
};

struct kin_yaml {
    struct kin_arena arena;
    struct kin_str text; /* without byte order mark; terminated; ends with a line feed of our own */
    size_t *characters;  /* before each KiB of it: columns of long lines are cheap */
    size_t *lines;       /* where each line starts */
    size_t line_count;
    struct kin_yaml_node *root;
};

/* Parses. KIN_OK: the tree is whole, though report may have got mistakes that leave it so (repeated
 * keys, anchors); KIN_E_SYNTAX: there is no tree, report says why; KIN_E_NOMEM. Deinit always. */
kin_status kin_yaml_parse(struct kin_str text, struct kin_yaml *out,
                          struct kin_report *report) KIN_MUST_CHECK;
void kin_yaml_deinit(struct kin_yaml *y);

/* Looks for what libfyaml must not see: too many bytes, invalid UTF-8, control characters, lone
 * carriage returns, directives. true: clean. */
bool kin_yaml_guard(const struct kin_yaml *y, struct kin_report *report);
/* Copies the text and notes the lines. */
kin_status kin_yaml_load(struct kin_str text, struct kin_yaml *out) KIN_MUST_CHECK;

/* Line and column (in characters), from 1, of an offset in the text. */
void kin_yaml_place(const struct kin_yaml *y, size_t offset, unsigned *line, unsigned *column);

/* Where byte `byte` of a scalar's value stands in the text: exact through quotes, escapes and
 * folded lines; for a block scalar its indicator. */
size_t kin_yaml_offset(const struct kin_yaml *y, const struct kin_yaml_node *scalar, size_t byte);

/* Dotted path: sources.crm.columns, rules[1].when; cut where it does not fit. child (may be NULL)
 * is put at its end. */
enum { KIN_YAML_PATH_MAX = 96 };
void kin_yaml_path(const struct kin_yaml_node *node, const char *child,
                   char out[KIN_YAML_PATH_MAX]);

/* Reports a mistake at an offset, under the path of node and child. */
void kin_yaml_say(const struct kin_yaml *y, struct kin_report *report,
                  const struct kin_yaml_node *node, const char *child, size_t offset,
                  const char *format, ...) KIN_PRINTF(6, 7);

struct kin_yaml_node *kin_yaml_get(const struct kin_yaml_node *map, const char *key);
/* Nothing at all, ~ or null. */
bool kin_yaml_is_null(const struct kin_yaml_node *node);

/* Puts together again what YAML cut at a comma inside parentheses: [prefix(name, 3), dob] and
 * {when: JaroWinkler(name, 0.9)}. */
kin_status kin_yaml_join(struct kin_yaml *y, struct kin_yaml_node *list_or_map) KIN_MUST_CHECK;

#endif
