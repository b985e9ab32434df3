#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/impl.h"

/* split_chunk: what becomes of the rows of one chunk, for any number of workers. */

static const char workflow_text[] =
    "kindred: 1\n"
    "workflow: t\n"
    "sources:\n"
    "  crm: {path: crm.csv, id: key, updated: changed}\n"
    "  web: {path: web.jsonl, id: key}\n"
    "fields:\n"
    "  name: name\n"
    "  dob: date\n"
    "  phone: {type: phone, country: GB, columns: [mobile, landline]}\n"
    "block_on:\n"
    "  - [\"tokens(name)\"]\n"
    "  - [phone]\n"
    "rules:\n"
    "  - {name: same, when: \"JaroWinkler(name, 0.9)\"}\n"
    "limits: {max_keys: 3, max_field_bytes: 1000}\n";

enum { CRM, WEB };

struct memory_source {
    struct kin_str left;
};

static kin_status read_memory(void *arg, uint8_t *to, size_t cap, size_t *got, struct kin_err *err)
{
    struct memory_source *m = arg;
    (void)err;
    *got = m->left.n < cap ? m->left.n : cap;
    if (*got)
        memcpy(to, m->left.p, *got);
    m->left.p += *got;
    m->left.n -= *got;
    return KIN_OK;
}

static struct kin_workflow *workflow(void)
{
    struct kin_workflow *w = NULL;
    struct kin_problems problems = {0};
    kin_status status = kin_workflow_parse(KIN_STR(workflow_text), "", &w, &problems);
    for (size_t i = 0; i < problems.count; i++)
        print_error("%u: %s\n", problems.items[i].line, problems.items[i].text);
    kin_problems_deinit(&problems);
    assert_int_equal(status, KIN_OK);
    return w;
}

/* The whole text as one chunk. */
static kin_status split(const struct kin_workflow *w, uint32_t source, const char *text,
                        unsigned workers, struct split_output *out)
{
    struct memory_source memory = {kin_str_of(text)};
    struct kin_reader_options reader = {.format = source == CRM ? KIN_FORMAT_CSV : KIN_FORMAT_JSONL,
                                        .chunk_bytes = 1 << 20,
                                        .max_record_bytes = w->limits.max_record_bytes,
                                        .max_field_bytes = w->limits.max_field_bytes};
    struct kin_cutter *cutter;
    struct kin_chunk chunk;
    struct kin_err err;
    assert_int_equal(
        kin_cutter_open(&reader, (struct kin_byte_source){read_memory, &memory}, &cutter, &err),
        KIN_OK);
    assert_int_equal(kin_cutter_next(cutter, &chunk, &err), KIN_OK);
    struct source_file file = {.path = (char[]){"some/file"}, .source = source};
    struct kin_shard_map shards;
    kin_shard_map_deal(&shards, (const uint32_t[KIN_WORKERS_MAX]){0}, workers);
    struct split_input in = {.workflow = w,
                             .file = &file,
                             .file_index = 7,
                             .reader = &reader,
                             .header = kin_cutter_header(cutter),
                             .chunk = &chunk,
                             .shards = &shards};
    kin_status status = split_chunk(&in, out);
    kin_chunk_deinit(&chunk);
    kin_cutter_close(cutter);
    return status;
}

static struct kin_page page_of(const struct split_output *out)
{
    struct kin_page page;
    assert_true(kin_page_read((struct kin_str){(const char *)out->page.p, out->page.n}, &page));
    assert_int_equal(page.count, out->count);
    assert_int_equal(page.rejected, out->rejected);
    return page;
}

static void open_payload(const struct kin_workflow *w, const struct split_output *out,
                         unsigned worker, struct kin_batch_features *features,
                         struct kin_batch_rows *rows)
{
    const struct kin_buf *payload = &out->payload[worker];
    size_t bytes = out->feature_bytes[worker];
    assert_true(bytes <= payload->n);
    assert_true(kin_batch_features_open(payload->p, bytes, &w->schema, features));
    assert_true(kin_batch_rows_open(payload->p + bytes, payload->n - bytes, rows));
}

static bool contains(struct kin_str text, const char *part)
{
    return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

/* ---- tests ---- */

static void test_bad_rows_go_to_the_error_file_with_the_reason(void **state)
{
    (void)state;
    struct kin_workflow *w = workflow();
    struct split_output out;
    char text[2000], long_id[300];
    memset(long_id, 'x', 256);
    long_id[256] = '\0';
    snprintf(text, sizeof text,
             "key,changed,name,dob,mobile,landline\n"
             "1,,ann,,,\n"
             ",,no id,,,\n"
             " \t,,blank id,,,\n"
             "%s,,long id,,,\n"
             "2,,too,many,cells,in,it\n"
             "3,,bad \xff byte,,,\n"
             "4,,bob,,,\n",
             long_id);
    assert_int_equal(split(w, CRM, text, 1, &out), KIN_OK);
    struct kin_page page = page_of(&out);
    assert_int_equal(page.count, 2);
    assert_int_equal(page.rejected, 5);
    assert_int_equal(page.file, 7);
    assert_int_equal(page.source, CRM);
    assert_true(kin_str_eq(kin_page_id(&page, 0), KIN_STR("1")));
    assert_true(kin_str_eq(kin_page_id(&page, 1), KIN_STR("4")));
    assert_true(contains(page.errors, "crm,some/file,3,,key,id is missing or empty,"));
    assert_true(contains(page.errors, "crm,some/file,4,,key,id is missing or empty,"));
    assert_true(contains(page.errors, "crm,some/file,5,,key,id is longer than 255 bytes,"));
    assert_true(contains(page.errors, "crm,some/file,6,"));
    assert_true(contains(page.errors, "crm,some/file,7,"));
    assert_true(contains(page.errors, "bad \xef\xbf\xbd byte")); /* the file stays readable */
    split_output_deinit(&out);
    kin_workflow_free(w);
}

static void test_several_columns_and_arrays_give_several_values(void **state)
{
    (void)state;
    struct kin_workflow *w = workflow();
    struct split_output out;
    struct kin_batch_features features;
    struct kin_batch_rows rows;
    const uint8_t *at = NULL;
    assert_int_equal(split(w, CRM,
                           "key,changed,mobile,landline,other\n"
                           "1,2020-01-02,07700 900123,020 7946 0018,kept\n"
                           "2,never,,020 7946 0018,\n",
                           1, &out),
                     KIN_OK);
    open_payload(w, &out, 0, &features, &rows);
    assert_int_equal(kin_features_values(features.records, 2, &at), 2);
    assert_int_equal(kin_features_values(features.records, 0, &at), 0); /* no such column */
    const uint8_t *second = features.records + kin_features_bytes(features.records);
    assert_int_equal(kin_features_values(second, 2, &at), 1);
    struct kin_batch_row row = kin_batch_row_read(rows.rows);
    assert_true(kin_str_eq(row.id, KIN_STR("1")));
    assert_int_equal(row.cell_count, 4); /* all but the id, of fields or not */
    assert_int_not_equal(row.updated, INT64_MIN);
    row = kin_batch_row_read(rows.rows + row.bytes);
    assert_int_equal(row.updated, INT64_MIN); /* no time can be read from it */
    split_output_deinit(&out);
    assert_int_equal(split(w, WEB,
                           "{\"key\": 1, \"mobile\": [\"07700 900123\", \"07700 900124\"]}\n"
                           "{\"landline\": \"020 7946 0018\", \"key\": \" 2 \"}\n",
                           1, &out),
                     KIN_OK);
    open_payload(w, &out, 0, &features, &rows);
    assert_int_equal(features.count, 2);
    assert_int_equal(kin_features_values(features.records, 2, &at), 2);
    second = features.records + kin_features_bytes(features.records);
    assert_int_equal(kin_features_values(second, 2, &at), 1);
    assert_true(kin_str_eq(kin_features_id(second), KIN_STR("2"))); /* trimmed */
    split_output_deinit(&out);
    kin_workflow_free(w);
}

static void test_excess_keys_and_unparsable_values_are_counted(void **state)
{
    (void)state;
    struct kin_workflow *w = workflow();
    struct split_output out;
    struct kin_batch_features features;
    struct kin_batch_rows rows;
    unsigned count;
    assert_int_equal(split(w, CRM,
                           "key,changed,name,dob,mobile\n"
                           "1,,anna berta clara dora emil,no date,07700 900123\n"
                           "2,,anna,also none,\n",
                           1, &out),
                     KIN_OK);
    struct kin_page page = page_of(&out);
    open_payload(w, &out, 0, &features, &rows);
    kin_features_keys(features.records, &count);
    assert_int_equal(count, 3);
    assert_int_equal(page.excess_keys, 3); /* five tokens and a phone, three are kept */
    assert_int_equal(page.field_count, 3);
    assert_int_equal(kin_le32(page.unparsable), 0);
    assert_int_equal(kin_le32(page.unparsable + 4), 2);
    split_output_deinit(&out);
    kin_workflow_free(w);
}

enum { ROWS = 300 };

static void make_rows(struct kin_buf *text)
{
    kin_buf_puts(text, "key,changed,name,mobile\n");
    for (unsigned i = 0; i < ROWS; i++)
        kin_buf_printf(text, "id-%u,,first%u last%u,%s%04u\n", i, i % 17, i % 23,
                       i % 3 ? "07700 90" : "", i % 3 ? i : 0);
    kin_buf_putc(text, '\0');
}

/* A record goes to its home and to the owner of each of its keys, and to nobody else; its row to
 * its home alone. */
static void check_dealing(const struct kin_workflow *w, const struct split_output *all,
                          const struct split_output *out, unsigned workers)
{
    uint64_t got[ROWS] = {0}; /* workers that have the features */
    unsigned home[ROWS], homes = 0;
    struct kin_batch_features features;
    struct kin_batch_rows rows;
    for (unsigned i = 0; i < workers; i++) {
        open_payload(w, out, i, &features, &rows);
        const uint8_t *rec = features.records;
        for (uint32_t k = 0; k < features.count; k++, rec += kin_features_bytes(rec))
            got[kin_features_rel(rec)] |= (uint64_t)1 << i;
        const uint8_t *p = rows.rows;
        for (uint32_t k = 0; k < rows.row_count; k++, p += kin_le32(p)) {
            home[kin_batch_row_read(p).number] = i;
            homes++;
        }
    }
    assert_int_equal(homes, ROWS);
    open_payload(w, all, 0, &features, &rows);
    assert_int_equal(features.count, ROWS);
    const uint8_t *rec = features.records;
    for (uint32_t k = 0; k < ROWS; k++, rec += kin_features_bytes(rec)) {
        uint64_t identity = kin_identity_hash(KIN_STR("crm"), kin_features_id(rec));
        unsigned count, at = kin_shard_of_identity(identity) % workers;
        assert_int_equal(home[k], at);
        uint64_t expected = (uint64_t)1 << at;
        const uint8_t *keys = kin_features_keys(rec, &count);
        for (unsigned i = 0; i < count; i++) {
            uint32_t shard = kin_shard_of_key(kin_le64(keys + 8 * (size_t)i));
            expected |= (uint64_t)1 << (shard % workers);
        }
        assert_int_equal(got[k], expected);
    }
}

static void test_records_are_dealt_to_homes_and_owners_of_keys(void **state)
{
    (void)state;
    struct kin_workflow *w = workflow();
    struct kin_buf text = {0};
    struct split_output all, out;
    make_rows(&text);
    assert_int_equal(split(w, CRM, (const char *)text.p, 1, &all), KIN_OK);
    for (unsigned workers = 1; workers <= 5; workers++) {
        assert_int_equal(split(w, CRM, (const char *)text.p, workers, &out), KIN_OK);
        assert_int_equal(out.count, ROWS);
        assert_int_equal(out.rejected, 0);
        check_dealing(w, &all, &out, workers);
        /* the page does not know how many workers there are */
        assert_int_equal(out.page.n, all.page.n);
        assert_memory_equal(out.page.p, all.page.p, all.page.n);
        split_output_deinit(&out);
    }
    split_output_deinit(&all);
    kin_buf_deinit(&text);
    kin_workflow_free(w);
}

static void test_out_of_memory_is_told_and_nothing_leaks(void **state)
{
    (void)state;
    struct kin_workflow *w = workflow();
    struct memory_source memory = {KIN_STR("key,changed,name,mobile\n1,,ann,07700 900123\n,,x,\n")};
    struct kin_reader_options reader = {.format = KIN_FORMAT_CSV,
                                        .chunk_bytes = 1 << 20,
                                        .max_record_bytes = 1000,
                                        .max_field_bytes = 1000};
    struct kin_cutter *cutter;
    struct kin_chunk chunk;
    struct kin_err err;
    struct source_file file = {.path = (char[]){"f"}};
    struct kin_shard_map shards;
    kin_shard_map_deal(&shards, (const uint32_t[KIN_WORKERS_MAX]){0}, 3);
    assert_int_equal(
        kin_cutter_open(&reader, (struct kin_byte_source){read_memory, &memory}, &cutter, &err),
        KIN_OK);
    assert_int_equal(kin_cutter_next(cutter, &chunk, &err), KIN_OK);
    struct split_input in = {.workflow = w,
                             .file = &file,
                             .reader = &reader,
                             .header = kin_cutter_header(cutter),
                             .chunk = &chunk,
                             .shards = &shards};
    kin_status status = KIN_E_NOMEM;
    for (size_t n = 0; status != KIN_OK; n++) {
        struct split_output out;
        kin_alloc_fail_after(n);
        status = split_chunk(&in, &out);
        kin_alloc_fail_after(SIZE_MAX);
        assert_true(status == KIN_OK ||
                    (status == KIN_E_NOMEM && !out.page.p && !out.payload[0].p));
        if (status == KIN_OK) {
            assert_int_equal(out.count, 1);
            assert_int_equal(out.rejected, 1);
            split_output_deinit(&out);
        }
    }
    kin_chunk_deinit(&chunk);
    kin_cutter_close(cutter);
    kin_workflow_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_rows_go_to_the_error_file_with_the_reason),
        cmocka_unit_test(test_several_columns_and_arrays_give_several_values),
        cmocka_unit_test(test_excess_keys_and_unparsable_values_are_counted),
        cmocka_unit_test(test_records_are_dealt_to_homes_and_owners_of_keys),
        cmocka_unit_test(test_out_of_memory_is_told_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
