/* Positions in the text of a YAML file, and what is checked before it is parsed. */
#include "common/workflow/utf8.h"
#include "common/workflow/yaml.h"

#include <stdio.h>
#include <string.h>

enum { KIB = 1024 };

static bool starts_character(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* Characters that start before an offset. */
static size_t characters_before(const struct kin_yaml *y, size_t offset)
{
    size_t n = y->characters[offset / KIB];
    for (size_t i = offset - offset % KIB; i < offset; i++)
        n += starts_character(y->text.p[i]);
    return n;
}

kin_status kin_yaml_load(struct kin_str text, struct kin_yaml *out)
{
    if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
        text = (struct kin_str){text.p + 3, text.n - 3};
    char *copy = kin_arena_alloc(&out->arena, text.n + 2);
    if (!copy)
        return KIN_E_NOMEM;
    if (text.n)
        memcpy(copy, text.p, text.n);
    copy[text.n] = '\n';
    copy[text.n + 1] = '\0';
    out->text = (struct kin_str){copy, text.n + 1};

    out->characters = kin_arena_calloc(&out->arena, out->text.n / KIB + 1, sizeof(size_t));
    if (!out->characters)
        return KIN_E_NOMEM;
    size_t breaks = 0;
    size_t characters = 0;
    for (size_t i = 0; i <= text.n; i++) {
        if (i % KIB == 0)
            out->characters[i / KIB] = characters;
        characters += starts_character(copy[i]);
        breaks += i < text.n && copy[i] == '\n';
    }
    out->lines = kin_arena_calloc(&out->arena, breaks + 1, sizeof *out->lines);
    if (!out->lines)
        return KIN_E_NOMEM;
    out->line_count = 1;
    for (size_t i = 0; i < text.n; i++) {
        if (copy[i] == '\n')
            out->lines[out->line_count++] = i + 1;
    }
    return KIN_OK;
}

void kin_yaml_place(const struct kin_yaml *y, size_t offset, unsigned *line, unsigned *column)
{
    size_t low = 0;
    size_t high = y->line_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (y->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    size_t at = offset < y->text.n ? offset : y->text.n - 1;
    *line = (unsigned)low + 1;
    *column = (unsigned)(characters_before(y, at) - characters_before(y, y->lines[low])) + 1;
}

/* ---- before parsing ---- */

static void say_file(const struct kin_yaml *y, struct kin_report *report, size_t offset,
                     const char *text)
{
    unsigned line;
    unsigned column;
    kin_yaml_place(y, offset, &line, &column);
    kin_report_add(report, line, column, "", "%s", text);
}

static bool guard_character(const struct kin_yaml *y, struct kin_report *report, size_t at,
                            uint32_t c)
{
    char text[120];
    if (c == '\r' && y->text.p[at + 1] != '\n') {
        say_file(y, report, at,
                 "carriage return without a line feed; expected lines that end "
                 "with line feed, or both");
        return false;
    }
    if (!kin_utf8_is_control(c))
        return true;
    snprintf(text, sizeof text, "%s (U+%04X) is not allowed in a workflow file",
             c == 0        ? "NUL byte"
             : c == 0xfeff ? "byte order mark inside the text"
                           : "control character",
             (unsigned)c);
    say_file(y, report, at, text);
    return false;
}

/* Two bounds on what libfyaml 0.7.12 spends on a file: it keeps a whole flow collection as tokens,
 * of some 350 bytes each, before it gives out the first event, and its time grows with the square
 * of the empty lines that follow one another in a block scalar. */
static bool guard_cost(const struct kin_yaml *y, struct kin_report *report)
{
    enum { FLOW_SIGNS_MAX = 128 * 1024, EMPTY_LINES_MAX = 200 };
    size_t signs = 0;
    size_t empty = 0; /* lines in a row, the one at hand included as long as it is blank */
    for (size_t i = 0; i < y->text.n; i++) {
        char c = y->text.p[i];
        signs += c == '[' || c == '{' || c == ',';
        if (signs > FLOW_SIGNS_MAX) {
            kin_report_add(report, 0, 0, "", "more than %d brackets and commas", FLOW_SIGNS_MAX);
            return false;
        }
        if (c == '\n')
            empty++;
        else if (c != ' ' && c != '\t' && c != '\r')
            empty = 0;
        if (empty > EMPTY_LINES_MAX + 1) {
            char text[80];
            snprintf(text, sizeof text, "more than %d empty lines in a row", EMPTY_LINES_MAX);
            say_file(y, report, i, text);
            return false;
        }
    }
    return true;
}

bool kin_yaml_guard(const struct kin_yaml *y, struct kin_report *report)
{
    const char *p = y->text.p;
    size_t n = y->text.n - 1; /* without our own line feed */
    if (n >= 2 && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0)) {
        kin_report_add(report, 1, 1, "", "the file is UTF-16; expected UTF-8");
        return false;
    }
    for (size_t i = 0; i < n;) {
        uint32_t c = 0;
        size_t bytes = kin_utf8_step(p + i, n - i, &c);
        if (!bytes) {
            char text[80];
            snprintf(text, sizeof text, "byte 0x%02x is not valid UTF-8", (unsigned char)p[i]);
            say_file(y, report, i, text);
            return false;
        }
        if (!guard_character(y, report, i, c))
            return false;
        if (c == '%' && (i == 0 || p[i - 1] == '\n')) {
            say_file(y, report, i, "a line that starts with %; YAML directives are not supported");
            return false;
        }
        i += bytes;
    }
    return guard_cost(y, report);
}

/* ---- from a value back to the text ---- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_break(char c)
{
    return c == '\n' || c == '\r';
}

/* Steps over a run of blanks with line breaks in it, as flow scalars fold them: one break is a
 * blank, of more each but the first is a line feed. Returns the bytes of value it makes; 0 where no
 * break is in the run, and *at stays. */
static size_t fold(const char *p, size_t *at, size_t end)
{
    size_t i = *at;
    size_t breaks = 0;
    while (i < end && (is_blank(p[i]) || is_break(p[i])))
        breaks += p[i++] == '\n';
    if (!breaks)
        return 0;
    *at = i;
    return breaks == 1 ? 1 : breaks - 1;
}

/* Steps over an escape of a double-quoted scalar; returns the bytes of value it makes. */
static size_t escape(const char *p, size_t *at, size_t end)
{
    size_t i = *at + 1;
    char c = p[i++];
    unsigned digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    size_t made = 1;
    if (c == 'N' || c == '_') {
        made = 2; /* U+0085, U+00A0 */
    } else if (c == 'L' || c == 'P') {
        made = 3; /* U+2028, U+2029 */
    } else if (is_break(c)) {
        while (i < end && (is_blank(p[i]) || is_break(p[i])))
            i++;
        made = 0;
    }
    uint32_t code = 0;
    for (unsigned k = 0; k < digits && i < end; k++, i++) {
        uint32_t d = (uint32_t)(unsigned char)p[i];
        code = code << 4 | (d >= 'a' ? d - 'a' + 10 : d >= 'A' ? d - 'A' + 10 : d - '0');
    }
    if (digits)
        made = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    *at = i;
    return made;
}

size_t kin_yaml_offset(const struct kin_yaml *y, const struct kin_yaml_node *scalar, size_t byte)
{
    const char *p = y->text.p;
    size_t at = scalar->at;
    size_t end = scalar->end;
    enum kin_yaml_style style = scalar->style;
    if (style == KIN_YAML_BLOCK)
        return at;
    if (style == KIN_YAML_JOINED)
        return at + byte < end ? at + byte : end;
    if (style == KIN_YAML_SINGLE_QUOTED || style == KIN_YAML_DOUBLE_QUOTED) {
        at++;
        end--;
    }
    while (byte && at < end) {
        size_t was = at;
        size_t made = fold(p, &at, end);
        if (at != was) {
        } else if (style == KIN_YAML_DOUBLE_QUOTED && p[at] == '\\' && at + 1 < end) {
            made = escape(p, &at, end);
        } else if (style == KIN_YAML_SINGLE_QUOTED && p[at] == '\'') {
            at += 2;
            made = 1;
        } else {
            at++;
            made = 1;
        }
        if (made > byte) /* inside a character that is escaped, or a run of breaks */
            return was;
        byte -= made;
    }
    if (style == KIN_YAML_DOUBLE_QUOTED && at + 1 < end && p[at] == '\\' && is_break(p[at + 1]))
        (void)escape(p, &at, end); /* a joined line makes nothing: the byte is behind it */
    return at < end ? at : end;
}

/* ---- paths ---- */

void kin_yaml_path(const struct kin_yaml_node *node, const char *child, char out[KIN_YAML_PATH_MAX])
{
    const struct kin_yaml_node *chain[KIN_YAML_DEPTH_MAX + 2];
    size_t depth = 0;
    for (; node && node->parent && depth < KIN_YAML_DEPTH_MAX + 1; node = node->parent)
        chain[depth++] = node;
    size_t n = 0;
    out[0] = '\0';
    while (depth && n < KIN_YAML_PATH_MAX - 1) {
        node = chain[--depth];
        int made;
        if (node->parent->kind == KIN_YAML_LIST)
            made = snprintf(out + n, KIN_YAML_PATH_MAX - n, "[%zu]", node->index);
        else
            made = snprintf(out + n, KIN_YAML_PATH_MAX - n, "%s%.64s", n ? "." : "",
                            node->key && node->key->value.p ? node->key->value.p : "?");
        n += made > 0 ? (size_t)made : 0;
    }
    if (child && n < KIN_YAML_PATH_MAX - 1)
        snprintf(out + n, KIN_YAML_PATH_MAX - n, "%s%s", n ? "." : "", child);
}

void kin_yaml_say(const struct kin_yaml *y, struct kin_report *report,
                  const struct kin_yaml_node *node, const char *child, size_t offset,
                  const char *format, ...)
{
    char path[KIN_YAML_PATH_MAX];
    unsigned line;
    unsigned column;
    kin_yaml_path(node, child, path);
    kin_yaml_place(y, offset, &line, &column);
    va_list args;
    va_start(args, format);
    kin_report_vadd(report, line, column, path, format, args);
    va_end(args);
}
