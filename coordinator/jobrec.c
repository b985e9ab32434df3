#include "coordinator/impl.h"

#include <string.h>

/* The record of a job: little-endian numbers, then texts of u32 length. */

enum { FORMAT = 1, FILES_MAX = 1 << 20 };

struct jobrec *jobrec_new(void)
{
    return kin_calloc(1, sizeof(struct jobrec));
}

void jobrec_free(struct jobrec *rec)
{
    if (!rec)
        return;
    kin_free(rec->workflow);
    kin_free(rec->base_dir);
    kin_free(rec->name);
    kin_free(rec->error);
    kin_free(rec->out_dir);
    kin_free(rec->file_bytes);
    kin_buf_deinit(&rec->listing);
    kin_free(rec);
}

static void put_text(struct kin_buf *out, const char *text, size_t n)
{
    kin_buf_u32(out, (uint32_t)n);
    kin_buf_put(out, text, n);
}

void jobrec_write(const struct jobrec *rec, struct kin_buf *out)
{
    kin_buf_u32(out, FORMAT);
    kin_buf_u64(out, rec->number);
    kin_buf_u64(out, rec->id);
    kin_buf_u64(out, rec->token);
    kin_buf_u32(out, rec->state);
    kin_buf_u32(out, rec->status);
    kin_buf_u64(out, rec->submitted_ms);
    kin_buf_u64(out, rec->ended_ms);
    kin_buf_u32(out, rec->runs);
    kin_buf_u32(out, (uint32_t)rec->pairs | (uint32_t)rec->dropped << 1 | (uint32_t)rec->sent << 2 |
                         (uint32_t)rec->serve << 3 | (uint32_t)rec->replace << 4);
    put_text(out, rec->workflow, rec->workflow_bytes);
    put_text(out, rec->base_dir, strlen(rec->base_dir));
    put_text(out, rec->name, strlen(rec->name));
    put_text(out, rec->error, strlen(rec->error));
    put_text(out, rec->out_dir, strlen(rec->out_dir));
    put_text(out, (const char *)rec->listing.p, rec->listing.n);
}

static char *take_text(struct kin_cursor *at, size_t *bytes)
{
    uint32_t n = kin_cursor_u32(at);
    const uint8_t *p = n <= kin_cursor_left(at) ? kin_cursor_take(at, n) : NULL;
    at->bad = at->bad || !p;
    if (bytes)
        *bytes = n;
    return p ? kin_strndup((const char *)p, n) : NULL;
}

struct jobrec *jobrec_read(struct kin_str bytes, kin_status *status)
{
    struct kin_cursor at = kin_cursor_of((const uint8_t *)bytes.p, bytes.n);
    struct jobrec *rec = jobrec_new();
    *status = rec ? KIN_OK : KIN_E_NOMEM;
    if (!rec)
        return NULL;
    at.bad = kin_cursor_u32(&at) != FORMAT;
    rec->number = kin_cursor_u64(&at);
    rec->id = kin_cursor_u64(&at);
    rec->token = kin_cursor_u64(&at);
    rec->state = (enum kin_job_state)kin_cursor_u32(&at);
    rec->status = (kin_status)kin_cursor_u32(&at);
    rec->submitted_ms = kin_cursor_u64(&at);
    rec->ended_ms = kin_cursor_u64(&at);
    rec->runs = kin_cursor_u32(&at);
    uint32_t flags = kin_cursor_u32(&at);
    rec->pairs = flags & 1;
    rec->dropped = flags >> 1 & 1;
    rec->sent = flags >> 2 & 1;
    rec->serve = flags >> 3 & 1;
    rec->replace = flags >> 4 & 1;
    rec->workflow = take_text(&at, &rec->workflow_bytes);
    rec->base_dir = take_text(&at, NULL);
    rec->name = take_text(&at, NULL);
    rec->error = take_text(&at, NULL);
    rec->out_dir = take_text(&at, NULL);
    uint32_t listing = kin_cursor_u32(&at);
    const uint8_t *p = listing <= kin_cursor_left(&at) ? kin_cursor_take(&at, listing) : NULL;
    if (p)
        kin_buf_put(&rec->listing, p, listing);
    if (at.bad || !p || rec->state < KIN_JOB_UPLOADING || rec->state > KIN_JOB_CANCELLED)
        *status = KIN_E_CORRUPT;
    else if (!rec->workflow || !rec->base_dir || !rec->name || !rec->error || !rec->out_dir ||
             rec->listing.failed)
        *status = KIN_E_NOMEM;
    else
        *status = jobrec_index_files(rec);
    if (*status != KIN_OK) {
        jobrec_free(rec);
        return NULL;
    }
    rec->stored = true;
    return rec;
}

/* ---- the listing: u32 source, u64 bytes, u64 stamp, u16 length and bytes of the path ---- */

struct entry {
    uint32_t source;
    uint64_t bytes, changed;
    struct kin_str path;
};

static bool next_entry(struct kin_cursor *at, struct entry *e)
{
    if (!kin_cursor_left(at))
        return false;
    e->source = kin_cursor_u32(at);
    e->bytes = kin_cursor_u64(at);
    e->changed = kin_cursor_u64(at);
    uint16_t n = kin_cursor_u16(at);
    const uint8_t *p = n && n <= kin_cursor_left(at) ? kin_cursor_take(at, n) : NULL;
    at->bad = at->bad || !p || memchr(p, '\0', n);
    e->path = (struct kin_str){(const char *)p, n};
    return !at->bad;
}

kin_status jobrec_index_files(struct jobrec *rec)
{
    struct kin_cursor at = kin_cursor_of(rec->listing.p, rec->listing.n);
    struct entry e;
    uint32_t count = 0, cap = 0;
    while (next_entry(&at, &e)) {
        if (count == cap) {
            cap = cap ? 2 * cap : 16;
            uint64_t *bytes =
                cap <= FILES_MAX ? kin_reallocarray(rec->file_bytes, cap, sizeof *bytes) : NULL;
            if (!bytes)
                return cap <= FILES_MAX ? KIN_E_NOMEM : KIN_E_LIMIT;
            rec->file_bytes = bytes;
        }
        rec->file_bytes[count++] = e.bytes;
    }
    rec->file_count = count;
    return at.bad ? KIN_E_PROTO : KIN_OK;
}

kin_status jobrec_files(const struct jobrec *rec, struct source_file **files, size_t *count)
{
    struct kin_cursor at = kin_cursor_of(rec->listing.p, rec->listing.n);
    struct entry e;
    size_t n = 0;
    struct source_file *list = kin_calloc(rec->file_count, sizeof *list);
    if (!list)
        return KIN_E_NOMEM;
    *files = list;
    *count = 0;
    while (n < rec->file_count && next_entry(&at, &e)) {
        list[n] =
            (struct source_file){kin_strndup(e.path.p, e.path.n), e.source, e.bytes, e.changed};
        if (!list[n].path)
            return KIN_E_NOMEM;
        *count = ++n;
    }
    return KIN_OK;
}
