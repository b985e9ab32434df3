#include "coordinator/gateway/aws_shape.h"

#include "common/workflow/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The check of values against shapes; the shapes themselves are in aws_shapes.c. */

enum { PATH_BYTES_MAX = 512, VALUE_BYTES_MAX = 120 };

static void begin_mistake(struct aws_mistakes *mistakes)
{
    if (mistakes->count++)
        kin_buf_puts(&mistakes->text, "; ");
    kin_buf_puts(&mistakes->text, "Value ");
}

static void put_cut(struct kin_buf *out, const char *text)
{
    size_t n = strlen(text), cut = kin_utf8_cut(text, n, VALUE_BYTES_MAX);
    kin_buf_putc(out, '\'');
    for (size_t i = 0; i < cut; i++)
        kin_buf_putc(out, (unsigned char)text[i] < ' ' ? ' ' : text[i]);
    kin_buf_puts(out, cut < n ? "...'" : "'");
}

void aws_mistake(struct aws_mistakes *mistakes, const char *value, const char *path,
                 const char *format, ...)
{
    char text[600];
    if (mistakes->count >= AWS_MISTAKES_MAX)
        return;
    begin_mistake(mistakes);
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (value) {
        put_cut(&mistakes->text, value);
        kin_buf_putc(&mistakes->text, ' ');
    }
    kin_buf_printf(&mistakes->text, "at '%s' failed to satisfy constraint: %s", path, text);
}

static void say_null(struct aws_mistakes *mistakes, const char *path)
{
    if (mistakes->count >= AWS_MISTAKES_MAX)
        return;
    begin_mistake(mistakes);
    kin_buf_printf(&mistakes->text,
                   "null at '%s' failed to satisfy constraint: Member must not be null", path);
}

static bool is_made_of(const char *allowed, struct kin_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            !strchr(allowed, c))
            return false;
    }
    return true;
}

static size_t characters(struct kin_str text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return n;
}

static bool is_listed(const char *const *values, const char *text)
{
    for (; *values; values++) {
        if (strcmp(*values, text) == 0)
            return true;
    }
    return false;
}

static void say_values(const char *const *values, const char *shown, const char *path,
                       struct aws_mistakes *mistakes)
{
    struct kin_buf set = {0};
    for (size_t i = 0; values[i]; i++)
        kin_buf_printf(&set, "%s%s", i ? ", " : "", values[i]);
    aws_mistake(mistakes, shown, path, "Member must satisfy enum value set: [%.*s]", (int)set.n,
                set.p ? (const char *)set.p : "");
    kin_buf_deinit(&set);
}

static void check_size(const struct aws_shape *shape, size_t n, const char *shown, const char *path,
                       struct aws_mistakes *mistakes)
{
    if (n < shape->min)
        aws_mistake(mistakes, shown, path, "Member must have length greater than or equal to %zu",
                    shape->min);
    if (shape->max && n > shape->max)
        aws_mistake(mistakes, shown, path, "Member must have length less than or equal to %zu",
                    shape->max);
}

void aws_shape_check_text(const struct aws_shape *shape, const char *text, const char *path,
                          struct aws_mistakes *mistakes)
{
    struct kin_str s = kin_str_of(text);
    const char *shown = shape->sensitive ? NULL : text;
    check_size(shape, characters(s), shown, path, mistakes);
    bool fits =
        shape->allowed ? is_made_of(shape->allowed, s) : !shape->matches || shape->matches(s);
    if (!fits && shape->wanted)
        aws_mistake(mistakes, shown, path, "%s", shape->wanted);
    else if (!fits)
        aws_mistake(mistakes, shown, path, "Member must satisfy regular expression pattern: %s",
                    shape->pattern);
    if (shape->values && !is_listed(shape->values, text))
        say_values(shape->values, shown, path, mistakes);
}

/* path + "." + name; cut where it would be too long. */
static void join(char out[PATH_BYTES_MAX], const char *path, const char *name)
{
    snprintf(out, PATH_BYTES_MAX, "%s%s%s", path, *path ? "." : "", name);
}

static json_t *take_list(const struct aws_shape *shape, const json_t *value, const char *path,
                         struct aws_mistakes *mistakes)
{
    json_t *copy = json_array();
    size_t n = json_array_size(value);
    check_size(shape, n, NULL, path, mistakes);
    for (size_t i = 0; i < n && mistakes->count < AWS_MISTAKES_MAX; i++) {
        char place[32], inner[PATH_BYTES_MAX];
        snprintf(place, sizeof place, "%zu.member", i + 1);
        join(inner, path, place);
        json_t *item = aws_shape_take(shape->item, json_array_get(value, i), inner, mistakes);
        if (!item || json_array_append_new(copy, item) != 0) {
            json_decref(copy);
            copy = NULL; /* of what follows only the mistakes are wanted */
        }
    }
    return copy;
}

static json_t *take_map(const struct aws_shape *shape, const json_t *value, const char *path,
                        struct aws_mistakes *mistakes)
{
    json_t *copy = json_object();
    check_size(shape, json_object_size(value), NULL, path, mistakes);
    for (void *at = json_object_iter((json_t *)(uintptr_t)value);
         at && mistakes->count < AWS_MISTAKES_MAX;
         at = json_object_iter_next((json_t *)(uintptr_t)value, at)) {
        const char *key = json_object_iter_key(at);
        char inner[PATH_BYTES_MAX];
        join(inner, path, shape->sensitive ? "key" : key);
        aws_shape_check_text(shape->key, key, inner, mistakes);
        join(inner, path, shape->sensitive ? "value" : key);
        json_t *item = aws_shape_take(shape->item, json_object_iter_value(at), inner, mistakes);
        if (!item || json_object_set_new(copy, key, item) != 0) {
            json_decref(copy);
            copy = NULL;
        }
    }
    return copy;
}

static json_t *take_structure(const struct aws_shape *shape, const json_t *value, const char *path,
                              struct aws_mistakes *mistakes)
{
    json_t *copy = json_object();
    for (const struct aws_member *m = shape->members; m->name; m++) {
        const json_t *part = json_object_get(value, m->name);
        char inner[PATH_BYTES_MAX];
        join(inner, path, m->name);
        if (!part || json_is_null(part)) {
            if (m->required)
                say_null(mistakes, inner);
            continue;
        }
        json_t *item = aws_shape_take(m->shape, part, inner, mistakes);
        if (!item || json_object_set_new(copy, m->name, item) != 0) {
            json_decref(copy);
            copy = NULL;
        }
    }
    return copy;
}

static bool is_of_kind(const struct aws_shape *shape, const json_t *value)
{
    switch (shape->kind) {
    case AWS_STRING:
        return json_is_string(value);
    case AWS_BOOLEAN:
        return json_is_boolean(value);
    case AWS_LIST:
        return json_is_array(value);
    case AWS_MAP:
    case AWS_STRUCTURE:
        return json_is_object(value);
    }
    return false;
}

json_t *aws_shape_take(const struct aws_shape *shape, const json_t *value, const char *path,
                       struct aws_mistakes *mistakes)
{
    static const char *const names[] = {"a string", "a boolean", "a list", "a map", "a structure"};
    size_t before = mistakes->count;
    json_t *copy = NULL;
    if (!value || json_is_null(value)) {
        say_null(mistakes, path);
        return NULL;
    }
    if (!is_of_kind(shape, value)) {
        aws_mistake(mistakes, NULL, path, "Member must be %s", names[shape->kind]);
        return NULL;
    }
    switch (shape->kind) {
    case AWS_STRING:
        aws_shape_check_text(shape, json_string_value(value), path, mistakes);
        copy = json_string(json_string_value(value));
        break;
    case AWS_BOOLEAN:
        copy = json_boolean(json_is_true(value));
        break;
    case AWS_LIST:
        copy = take_list(shape, value, path, mistakes);
        break;
    case AWS_MAP:
        copy = take_map(shape, value, path, mistakes);
        break;
    case AWS_STRUCTURE:
        copy = take_structure(shape, value, path, mistakes);
        break;
    }
    if (mistakes->count > before) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}
