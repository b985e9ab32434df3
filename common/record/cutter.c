/* The cutter. A cut is found within a window of chunk_bytes that starts at a record: the last
 * record end in it. Only if there is none is more looked at, up to the longest record. Both
 * windows are counted from the start of the chunk and not from what happens to have been read, so
 * the cuts depend on nothing but the bytes and the options. */
#include "common/record/reader_impl.h"

enum { HEADER_STEP_BYTES = 4096, SKIP_BYTES = 64 * 1024, CHUNK_BYTES_MAX = 1 << 30 };

struct kin_cutter {
    struct kin_reader_options options;
    struct kin_byte_source input;
    struct kin_csv_dialect dialect; /* CSV, once the header is read */
    struct kin_header header;
    struct kin_buf hold; /* read; not yet given away from `at` on */
    size_t at;
    uint64_t offset; /* of hold.p + at in the stream */
    uint64_t line;   /* that starts there */
    bool ended;      /* the input has */
    bool skipping;   /* what comes is the rest of an over-long line */
};

static const uint8_t *held(const struct kin_cutter *c, size_t *n)
{
    *n = c->hold.n - c->at;
    return c->hold.p + c->at;
}

static void advance(struct kin_cutter *c, size_t bytes, size_t lines)
{
    c->at += bytes;
    c->offset += bytes;
    c->line += lines;
}

/* Reads until there are `want` bytes, or the input ends. */
static kin_status fill(struct kin_cutter *c, size_t want, struct kin_err *err)
{
    while (!c->ended && c->hold.n - c->at < want) {
        if (c->at) {
            c->hold.n -= c->at;
            memmove(c->hold.p, c->hold.p + c->at, c->hold.n);
            c->at = 0;
        }
        size_t room = want - c->hold.n;
        uint8_t *to = kin_buf_reserve(&c->hold, room);
        if (!to) {
            c->hold.failed = false;
            return kin_err_set(err, KIN_E_NOMEM, "out of memory for a chunk of %zu bytes", want);
        }
        size_t got = 0;
        kin_status status = c->input.read(c->input.arg, to, room, &got, err);
        if (status)
            return status;
        KIN_ASSERT(got <= room);
        c->hold.n += got;
        c->ended = got == 0;
    }
    return KIN_OK;
}

/* ---- the start of the file ---- */

static kin_status skip_mark(struct kin_cutter *c, struct kin_err *err)
{
    kin_status status = fill(c, 3, err);
    if (status)
        return status;
    size_t n;
    const uint8_t *p = held(c, &n);
    if (n >= 2 && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0))
        return kin_err_set(err, KIN_E_SYNTAX, "line 1: the text is UTF-16; it must be UTF-8");
    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        advance(c, 3, 0);
    return KIN_OK;
}

static kin_status skip_blank_lines(struct kin_cutter *c, struct kin_err *err)
{
    for (;;) {
        kin_status status = fill(c, 2, err);
        if (status)
            return status;
        size_t n;
        const uint8_t *p = held(c, &n);
        if (n == 0)
            return kin_err_set(err, KIN_E_SYNTAX, "line %llu: there is no header line",
                               (unsigned long long)c->line);
        if (*p == '\n')
            advance(c, 1, 1);
        else if (n == 2 && memcmp(p, "\r\n", 2) == 0)
            advance(c, 2, 1);
        else
            return KIN_OK;
    }
}

/* Length of the header without its line end, by counting quotes, for the delimiter is not yet
 * known; SIZE_MAX: it does not end here. */
static size_t header_extent(const uint8_t *p, size_t n)
{
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        quoted ^= p[i] == '"';
        if (p[i] == '\n' && !quoted)
            return i;
    }
    return SIZE_MAX;
}

static kin_status read_header(struct kin_cutter *c, struct kin_err *err)
{
    kin_status status = skip_blank_lines(c, err);
    if (status)
        return status;
    size_t full = c->options.max_record_bytes + 2;
    size_t n = 0;
    size_t extent = SIZE_MAX;
    const uint8_t *p = NULL;
    for (size_t want = HEADER_STEP_BYTES; extent == SIZE_MAX; want *= 2) {
        status = fill(c, want < full ? want : full, err);
        if (status)
            return status;
        p = held(c, &n);
        n = n < full ? n : full;
        extent = header_extent(p, n);
        if (c->ended || n == full)
            break;
    }
    if (extent == SIZE_MAX) {
        const uint8_t *lf = memchr(p, '\n', n);
        extent = lf ? (size_t)(lf - p) : n;
    }
    char delimiter = c->options.delimiter;
    if (!delimiter)
        delimiter = kin_csv_guess_delimiter(p, extent);
    kin_csv_dialect_init(&c->dialect, &c->options, delimiter);

    struct kin_csv_span span;
    bool told = kin_csv_scan(&c->dialect, p, n, c->ended, &span);
    KIN_ASSERT(told || span.fault);
    if (span.fault) {
        char reason[KIN_REASON_BYTES];
        kin_csv_fault_print(&c->dialect, span.fault, span.column, reason, sizeof reason);
        return kin_err_set(err, KIN_E_SYNTAX, "line %llu: %s", (unsigned long long)c->line, reason);
    }
    status = kin_csv_header_parse(&c->dialect, p, span.text, c->line, &c->header, err);
    if (!status)
        advance(c, span.bytes, kin_count_newlines(p, span.bytes));
    return status;
}

static kin_status check_options(const struct kin_reader_options *o, struct kin_err *err)
{
    if (o->chunk_bytes < 1 || o->chunk_bytes > CHUNK_BYTES_MAX)
        return kin_err_set(err, KIN_E_INVAL, "chunk_bytes is %zu, must be 1 to %d", o->chunk_bytes,
                           (int)CHUNK_BYTES_MAX);
    if (o->max_record_bytes < 1 || o->max_record_bytes > KIN_RECORD_BYTES_MAX)
        return kin_err_set(err, KIN_E_INVAL, "max_record_bytes is %zu, must be 1 to %d",
                           o->max_record_bytes, (int)KIN_RECORD_BYTES_MAX);
    if (o->max_field_bytes < 1)
        return kin_err_set(err, KIN_E_INVAL, "max_field_bytes is 0");
    char d = o->delimiter;
    bool visible = d >= 0x20 && d < 0x7f && d != '"';
    if (d != 0 && d != '\t' && !visible)
        return kin_err_set(err, KIN_E_INVAL,
                           "the delimiter must be a tab or a printable ASCII character that is no "
                           "quote");
    return KIN_OK;
}

kin_status kin_cutter_open(const struct kin_reader_options *options, struct kin_byte_source input,
                           struct kin_cutter **out, struct kin_err *err)
{
    kin_status status = check_options(options, err);
    if (status)
        return status;
    struct kin_cutter *c = kin_calloc(1, sizeof *c);
    if (!c)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory for a reader");
    c->options = *options;
    c->input = input;
    c->line = 1;
    status = skip_mark(c, err);
    if (!status && options->format == KIN_FORMAT_CSV)
        status = read_header(c, err);
    if (status) {
        kin_cutter_close(c);
        return status;
    }
    *out = c;
    return KIN_OK;
}

void kin_cutter_close(struct kin_cutter *c)
{
    if (!c)
        return;
    kin_header_deinit(&c->header);
    kin_buf_deinit(&c->hold);
    kin_free(c);
}

const struct kin_header *kin_cutter_header(const struct kin_cutter *cutter)
{
    return &cutter->header;
}

/* ---- chunks ---- */

/* Where the last record ends that does so within these n bytes; 0: none. Lines without a quote
 * need no look; the others are scanned. */
static size_t last_csv_end(const struct kin_csv_dialect *d, const uint8_t *p, size_t n)
{
    size_t at = 0;
    while (at < n) {
        const uint8_t *quote = memchr(p + at, '"', n - at);
        size_t plain = quote ? (size_t)(quote - p) : n;
        const uint8_t *lf = memrchr(p + at, '\n', plain - at);
        if (lf)
            at = (size_t)(lf - p) + 1;
        struct kin_csv_span span;
        if (!quote || !kin_csv_scan(d, p + at, n - at, false, &span))
            break;
        at += span.bytes;
    }
    return at;
}

static size_t last_line_end(const uint8_t *p, size_t n)
{
    const uint8_t *lf = memrchr(p, '\n', n);
    return lf ? (size_t)(lf - p) + 1 : 0;
}

/* The end of the first record, which is longer than a chunk; 0: its line goes on behind n. */
static size_t first_end(const struct kin_cutter *c, const uint8_t *p, size_t n, bool at_end)
{
    if (c->options.format == KIN_FORMAT_CSV) {
        struct kin_csv_span span;
        return kin_csv_scan(&c->dialect, p, n, at_end, &span) ? span.bytes : 0;
    }
    const uint8_t *lf = memchr(p, '\n', n);
    if (lf)
        return (size_t)(lf - p) + 1;
    return at_end ? n : 0;
}

/* Gives away the first `bytes` that are held. Of them and the rest, the smaller part is copied. */
static kin_status give(struct kin_cutter *c, size_t bytes, struct kin_chunk *chunk,
                       struct kin_err *err)
{
    size_t n;
    const uint8_t *p = held(c, &n);
    size_t rest = n - bytes;
    bool hand_over = c->at == 0 && rest < bytes;
    struct kin_buf copy = {0};
    kin_buf_put(&copy, hand_over ? p + bytes : p, hand_over ? rest : bytes);
    if (copy.failed)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory for a chunk of %zu bytes", bytes);
    size_t lines = kin_count_newlines(p, bytes);
    chunk->offset = c->offset;
    chunk->line = c->line;
    if (hand_over) {
        chunk->bytes = c->hold;
        chunk->bytes.n = bytes;
        c->hold = copy;
        c->offset += bytes;
        c->line += lines;
        return KIN_OK;
    }
    chunk->bytes = copy;
    advance(c, bytes, lines);
    return KIN_OK;
}

/* Drops the rest of an over-long line. */
static kin_status skip_line(struct kin_cutter *c, struct kin_err *err)
{
    while (c->skipping) {
        kin_status status = fill(c, 1, err);
        if (status)
            return status;
        size_t n;
        const uint8_t *p = held(c, &n);
        const uint8_t *lf = n ? memchr(p, '\n', n) : NULL;
        advance(c, lf ? (size_t)(lf - p) + 1 : n, lf ? 1 : 0);
        c->skipping = !lf && !c->ended;
        if (c->skipping)
            status = fill(c, SKIP_BYTES, err);
        if (status)
            return status;
    }
    return KIN_OK;
}

kin_status kin_cutter_next(struct kin_cutter *c, struct kin_chunk *chunk, struct kin_err *err)
{
    size_t aim = c->options.chunk_bytes;
    kin_status status = skip_line(c, err);
    if (!status)
        status = fill(c, aim + 1, err);
    if (status)
        return status;
    size_t n;
    const uint8_t *p = held(c, &n);
    if (n == 0)
        return KIN_E_EOF;
    if (n <= aim)
        return give(c, n, chunk, err); /* the input has ended: all that is left */
    size_t cut = c->options.format == KIN_FORMAT_CSV ? last_csv_end(&c->dialect, p, aim)
                                                     : last_line_end(p, aim);
    if (cut)
        return give(c, cut, chunk, err);

    /* by doubling, so that a file of such records is not moved about in memory over and over; what
     * is found does not depend on the steps */
    size_t full = c->options.max_record_bytes + 2;
    size_t window = aim > full ? aim : full;
    for (size_t want = 2 * aim;; want *= 2) {
        status = fill(c, want < window ? want : window, err);
        if (status)
            return status;
        p = held(c, &n);
        bool at_end = c->ended && n <= window;
        cut = first_end(c, p, n < window ? n : window, at_end);
        if (cut)
            return give(c, cut, chunk, err);
        if (n >= window)
            break;
    }
    status = give(c, full, chunk, err); /* more than a good record has */
    if (!status)
        c->skipping = true;
    return status;
}
