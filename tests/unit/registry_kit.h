#ifndef KIN_TESTS_REGISTRY_KIT_H
#define KIN_TESTS_REGISTRY_KIT_H
/* Events of the change feed in short, for tests: read back from their JSON, and checked against
 * what the event says beside it. */
#include "coordinator/registry.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* An id whose bytes are all the same letter is that letter, any other its digits. */
static void kit_short_id(struct kin_buf *out, const char *digits)
{
    struct registry_id id;
    assert_true(registry_id_parse(kin_str_of(digits), &id));
    for (size_t i = 1; i < sizeof id.bytes; i++) {
        if (id.bytes[i] != id.bytes[0]) {
            kin_buf_puts(out, digits);
            return;
        }
    }
    kin_buf_putc(out, (char)id.bytes[0]);
}

/* Names `text` as the next of the ids that the event names. */
static void kit_other(struct kin_buf *out, const struct registry_event *e, size_t *next,
                      const char *text)
{
    char digits[33];
    assert_non_null(text);
    assert_true(*next < e->other_count);
    registry_id_print(&e->others[(*next)++], digits);
    assert_string_equal(digits, text);
    kit_short_id(out, text);
}

static void kit_ids(struct kin_buf *out, const struct registry_event *e, size_t *next,
                    const json_t *list)
{
    size_t n = json_array_size(list);
    assert_in_range(n, 1, REGISTRY_LIST_MAX);
    for (size_t i = 0; i < n; i++) {
        if (i)
            kin_buf_putc(out, ',');
        kit_other(out, e, next, json_string_value(json_array_get(list, i)));
    }
}

static void kit_records(struct kin_buf *out, const json_t *list)
{
    size_t n = json_array_size(list);
    assert_in_range(n, 1, REGISTRY_LIST_MAX);
    for (size_t i = 0; i < n; i++) {
        const json_t *record = json_array_get(list, i);
        assert_int_equal(json_object_size(record), 2);
        assert_non_null(json_string_value(json_object_get(record, "source")));
        if (i)
            kin_buf_putc(out, ',');
        kin_buf_puts(out, json_string_value(json_object_get(record, "id")));
    }
}

/* "joined A b,c", "created c c,d from A", "merged A from B,C", "split A into c", "retired B alias
 * A", "retired B gone"; each with an end of line. */
static void kit_event(struct kin_buf *out, const struct registry_event *e, uint64_t seq,
                      uint64_t batch)
{
    static const char *const kinds[] = {"created", "joined", "left", "merged", "split", "retired"};
    static const size_t keys[] = {5, 5, 5, 5, 5, 6};
    json_t *o = json_loadb(e->json.p, e->json.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    assert_int_equal(json_integer_value(json_object_get(o, "seq")), seq);
    assert_int_equal(json_integer_value(json_object_get(o, "batch")), batch);
    assert_string_equal(json_string_value(json_object_get(o, "event")), kinds[e->kind]);
    char digits[33];
    registry_id_print(&e->id, digits);
    assert_string_equal(json_string_value(json_object_get(o, "match_id")), digits);

    size_t next = 0, expected_keys = keys[e->kind];
    kin_buf_printf(out, "%s ", kinds[e->kind]);
    kit_short_id(out, digits);
    kin_buf_putc(out, ' ');
    if (e->kind <= REGISTRY_LEFT) {
        kit_records(out, json_object_get(o, "records"));
        const char *from = json_string_value(json_object_get(o, "split_from"));
        if (from) {
            assert_int_equal(e->kind, REGISTRY_CREATED);
            expected_keys++;
            kin_buf_puts(out, " from ");
            kit_other(out, e, &next, from);
        }
    } else if (e->kind == REGISTRY_RETIRED) {
        const char *state = json_string_value(json_object_get(o, "state"));
        kin_buf_puts(out, state);
        if (strcmp(state, "gone") != 0) {
            kin_buf_putc(out, ' ');
            kit_other(out, e, &next, json_string_value(json_object_get(o, "survivor")));
        } else {
            expected_keys--;
        }
    } else {
        const char *key = e->kind == REGISTRY_MERGED ? "from" : "into";
        kin_buf_printf(out, "%s ", key);
        kit_ids(out, e, &next, json_object_get(o, key));
    }
    kin_buf_putc(out, '\n');
    assert_int_equal(next, e->other_count);
    assert_int_equal(json_object_size(o), expected_keys);
    json_decref(o);
}

#endif
