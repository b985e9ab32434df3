#include "coordinator/impl.h"

#include "coordinator/row_features.h"

#include <string.h>

/* Splitting: the rows of one chunk to packed features, blocking keys and raw rows, dealt out to the
 * workers that own a key of the record and to its home; the ids and the rejected rows to the
 * identity page. Runs in tasks, touches nothing shared. */

enum { PAYLOAD_PER_BYTE = 5 }; /* of a chunk: a guess that makes most growing needless */

struct splitter {
    const struct split_input *in;
    const struct kin_workflow *workflow;
    const struct kin_workflow_source *source;
    struct row_features features;
    struct kin_rows *rows;
    struct kin_buf record;    /* the record being built */
    struct split_output *out; /* features go straight into the payloads, rows behind them */
    struct kin_batch_rows_builder builders[KIN_WORKERS_MAX];
    uint32_t counts[KIN_WORKERS_MAX];
    struct kin_page_builder page;
    uint32_t count, rejected;
    uint64_t source_seed;
};

static void reject(struct splitter *s, const struct kin_row *row, struct kin_str id,
                   struct kin_str field, const char *reason)
{
    struct kin_buf *e = &s->page.errors;
    kin_csv_cell(e, kin_str_of(s->source->name));
    kin_buf_putc(e, ',');
    kin_csv_raw_cell(e, kin_str_of(s->in->file->path));
    kin_buf_printf(e, ",%llu,", (unsigned long long)row->line);
    kin_csv_cell(e, id);
    kin_buf_putc(e, ',');
    kin_csv_cell(e, field);
    kin_buf_putc(e, ',');
    kin_csv_cell(e, kin_str_of(reason));
    kin_buf_putc(e, ',');
    kin_csv_raw_cell(e, row->raw);
    kin_buf_putc(e, '\n');
    if (s->in->rejects) {
        kin_buf_u32(s->in->rejects, (uint32_t)row->line);
        kin_buf_u32(s->in->rejects, (uint32_t)field.n);
        kin_buf_u32(s->in->rejects, (uint32_t)strlen(reason));
        kin_buf_put(s->in->rejects, field.p, field.n);
        kin_buf_puts(s->in->rejects, reason);
    }
    s->rejected++;
}

static void deal_out(struct splitter *s, const uint64_t *keys, size_t key_count,
                     const struct kin_row *row, struct kin_str id, int64_t updated)
{
    const struct kin_shard_map *shards = s->in->shards;
    unsigned workers = shards->workers, home = kin_home_worker(shards, s->source_seed, id);
    uint64_t owners = (uint64_t)1 << home;
    for (size_t k = 0; k < key_count && workers > 1; k++)
        owners |= (uint64_t)1 << kin_key_worker(shards, keys[k]);
    for (unsigned w = 0; w < workers; w++) {
        if (!(owners >> w & 1))
            continue;
        if (workers > 1)
            kin_buf_put(&s->out->payload[w], s->record.p, s->record.n);
        s->counts[w]++;
    }
    struct kin_batch_rows_builder *rows = &s->builders[home];
    kin_batch_rows_begin_row(rows, s->count, updated, (uint16_t)s->in->file->source, id);
    for (size_t i = 0; i < row->count; i++) {
        if ((int)row->cells[i].column != s->features.id)
            kin_batch_rows_cell(rows, (uint16_t)row->cells[i].column, row->cells[i].value);
    }
    kin_batch_rows_end_row(rows);
}

static kin_status add_record(struct splitter *s, const struct kin_row *row, struct kin_str id)
{
    uint64_t keys[KIN_KEYS_MAX];
    size_t key_count = 0;
    struct kin_buf *to = s->in->shards->workers > 1 ? &s->record : &s->out->payload[0];
    kin_buf_clear(&s->record);
    kin_status status = row_features_build(&s->features, row, s->count,
                                           (uint16_t)s->in->file->source, id, to, keys, &key_count);
    if (status == KIN_E_LIMIT) {
        reject(s, row, id, (struct kin_str){NULL, 0}, "normalised record is larger than 256 KiB");
        return KIN_OK;
    }
    if (status != KIN_OK)
        return status;
    int64_t updated = row_features_updated(&s->features, row);
    deal_out(s, keys, key_count, row, id, updated);
    kin_buf_put(&s->page.ids, id.p, id.n);
    kin_buf_u32(&s->page.id_ends, (uint32_t)s->page.ids.n);
    kin_buf_u64(&s->page.updated, (uint64_t)updated);
    s->count++;
    return KIN_OK;
}

static kin_status take_row(struct splitter *s, const struct kin_row *row)
{
    struct kin_str none = {NULL, 0};
    if (row->reason) {
        reject(s, row, none, row->field, row->reason);
        return KIN_OK;
    }
    if (!row_features_begin(&s->features, s->rows, row))
        return KIN_E_NOMEM;
    struct kin_str id = row_features_id(&s->features, row), id_column = kin_str_of(s->source->id);
    kin_status status = KIN_OK;
    if (id.n == 0)
        reject(s, row, none, id_column, "id is missing or empty");
    else if (id.n > KIN_ID_BYTES_MAX)
        reject(s, row, none, id_column, "id is longer than 255 bytes");
    else if (s->count == KIN_BATCH_RECORDS_MAX)
        status =
            KIN_E_LIMIT; /* chunks are bounded in bytes: cannot be reached with sane settings */
    else
        status = add_record(s, row, id);
    row_features_end(&s->features, row);
    return status;
}

static kin_status write_outputs(struct splitter *s, struct split_output *out)
{
    size_t columns;
    const struct kin_str *names = kin_rows_columns(s->rows, &columns);
    for (unsigned w = 0; w < s->in->shards->workers; w++) {
        struct kin_buf *payload = &out->payload[w];
        if (payload->failed)
            return KIN_E_NOMEM;
        kin_put_le32(payload->p + 8, s->counts[w]);
        kin_put_le32(payload->p + 12, (uint32_t)(payload->n - KIN_BATCH_FEATURES_HEAD));
        out->feature_bytes[w] = (uint32_t)payload->n;
        kin_batch_rows_finish(&s->builders[w], names, columns, payload);
        if (payload->failed)
            return KIN_E_NOMEM;
        kin_buf_fit(payload); /* it may stay in memory as it is */
    }
    for (size_t i = 0; i < columns; i++) {
        kin_buf_u16(&s->page.columns, (uint16_t)names[i].n);
        kin_buf_put(&s->page.columns, names[i].p, names[i].n);
    }
    s->page.has_updated = s->source->updated != NULL;
    struct kin_page head = {.file = s->in->file_index,
                            .source = s->in->file->source,
                            .offset = s->in->chunk->offset,
                            .hash = out->hash,
                            .count = s->count,
                            .rejected = s->rejected,
                            .excess_keys = s->features.excess,
                            .field_count = (uint32_t)s->workflow->schema.count,
                            .unparsable = (const uint8_t *)s->features.unparsable};
    kin_page_write(&s->page, &head, &out->page);
    out->count = s->count;
    out->rejected = s->rejected;
    return out->page.failed ? KIN_E_NOMEM : KIN_OK;
}

/* The head of each features section. Base, count and bytes are known later. */
static kin_status begin_payloads(const struct split_input *in, struct split_output *out)
{
    for (unsigned w = 0; w < in->shards->workers; w++) {
        kin_buf_reserve(&out->payload[w],
                        PAYLOAD_PER_BYTE * in->chunk->bytes.n / in->shards->workers);
        uint8_t *head = kin_buf_extend(&out->payload[w], KIN_BATCH_FEATURES_HEAD);
        if (!head)
            return KIN_E_NOMEM;
        memset(head, 0, KIN_BATCH_FEATURES_HEAD);
    }
    return KIN_OK;
}

kin_status split_chunk(const struct split_input *in, struct split_output *out)
{
    struct splitter s = {
        .in = in, .workflow = in->workflow, .source = &in->workflow->sources[in->file->source]};
    *out = (struct split_output){.hash = kin_hash64(in->chunk->bytes.p, in->chunk->bytes.n, 0)};
    s.out = out;
    kin_status status = begin_payloads(in, out);
    s.source_seed = kin_hash64(s.source->name, strlen(s.source->name), 0);
    s.rows = kin_rows_new(in->reader);
    if (status == KIN_OK)
        status = s.rows ? row_features_init(&s.features, in->workflow, s.source) : KIN_E_NOMEM;
    if (status == KIN_OK) {
        struct kin_row row;
        kin_rows_begin(s.rows, in->header, in->chunk);
        while (status == KIN_OK && kin_rows_next(s.rows, &row))
            status = take_row(&s, &row);
        if (status == KIN_OK && kin_rows_failed(s.rows))
            status = KIN_E_NOMEM;
    }
    if (status == KIN_OK)
        status = write_outputs(&s, out);
    if (status != KIN_OK)
        split_output_deinit(out);
    for (unsigned w = 0; w < in->shards->workers; w++) {
        kin_buf_deinit(&s.builders[w].rows);
    }
    row_features_deinit(&s.features);
    kin_buf_deinit(&s.record);
    kin_page_builder_deinit(&s.page);
    if (s.rows)
        kin_rows_free(s.rows);
    return status;
}

void split_output_deinit(struct split_output *out)
{
    for (unsigned w = 0; w < KIN_WORKERS_MAX; w++)
        kin_buf_deinit(&out->payload[w]);
    kin_buf_deinit(&out->page);
    *out = (struct split_output){0};
}
