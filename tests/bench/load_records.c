#include "tests/bench/load.h"

#include "client/live_rows.h"
#include "common/base/hash.h"

#include <string.h>

/* ---- histograms ---- */

static size_t bucket_of(uint64_t ns)
{
    if (ns < 1 << HISTOGRAM_SUB_BITS)
        return (size_t)ns;
    unsigned shift = 63 - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
    return ((size_t)(shift + 1) << HISTOGRAM_SUB_BITS) +
           (size_t)((ns >> shift) - (1 << HISTOGRAM_SUB_BITS));
}

/* The largest value of a bucket. */
static uint64_t bucket_top(size_t i)
{
    if (i < 1 << HISTOGRAM_SUB_BITS)
        return i;
    unsigned shift = (unsigned)(i >> HISTOGRAM_SUB_BITS) - 1;
    uint64_t low = (i & ((1 << HISTOGRAM_SUB_BITS) - 1)) + (1 << HISTOGRAM_SUB_BITS);
    return ((low + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
    uint64_t max = atomic_load_explicit(&h->max, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->counts[bucket_of(ns)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->count, 1, memory_order_relaxed);
    while (ns > max && !atomic_compare_exchange_weak(&h->max, &max, ns))
        continue;
}

uint64_t histogram_at(const struct histogram *h, double share)
{
    uint64_t count = atomic_load(&h->count), max = atomic_load(&h->max), seen = 0;
    uint64_t rank = (uint64_t)(share * (double)count);
    for (size_t i = 0; i < HISTOGRAM_BUCKETS && count; i++) {
        seen += atomic_load(&h->counts[i]);
        if (seen > rank || seen == count)
            return bucket_top(i) < max ? bucket_top(i) : max;
    }
    return 0;
}

/* ---- records ---- */

static uint64_t draw(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    return kin_hash_mix(*state, 0x5eed);
}

/* Changes, drops or swaps one letter of an ASCII text. */
static void put_typo(struct kin_buf *out, struct kin_str text, uint64_t *state)
{
    size_t at = (size_t)(draw(state) % text.n);
    unsigned kind = (unsigned)(draw(state) % 3);
    char letter = (char)('a' + draw(state) % 26);
    kin_buf_put(out, text.p, at);
    if (kind == 0)
        kin_buf_putc(out, letter);
    if (kind == 2 && at + 1 < text.n) {
        kin_buf_putc(out, text.p[at + 1]);
        kin_buf_putc(out, text.p[at]);
        at++;
    }
    kin_buf_put(out, text.p + at + 1, text.n - at - 1);
}

static bool is_plain(struct kin_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < ' ' || text.p[i] > '~')
            return false;
    }
    return text.n > 2;
}

static bool is_left_out(const struct lines_options *o, struct kin_str name)
{
    for (const char *at = o->leave_out; at && (at = strchr(at, ',')) != NULL; at++) {
        if (strncmp(at + 1, name.p, name.n) == 0 && at[1 + name.n] == ',')
            return true;
    }
    return false;
}

static void end_line(struct lines *l)
{
    kin_buf_puts(&l->text, "}\n");
    l->ends[l->count++] = l->text.n;
}

static void put_row(struct lines *l, const struct lines_options *o, const struct kin_served_rows *r,
                    const struct kin_row *row, uint64_t *state)
{
    size_t columns;
    const struct kin_str *names = kin_rows_columns(r->in.rows, &columns);
    struct kin_buf object = {0}, value = {0};
    bool typo = draw(state) % 100 < o->typos;
    size_t victim = (size_t)(draw(state) % (row->count ? row->count : 1));
    if (o->id_column) {
        kin_buf_printf(&value, "load%zu", l->count);
        kin_served_put_member(&object, kin_str_of(o->id_column),
                              (struct kin_str){(const char *)value.p, value.n});
    }
    for (size_t i = 0; i < row->count; i++) {
        struct kin_str name = names[row->cells[i].column], text = row->cells[i].value;
        if (is_left_out(o, name) || (o->id_column && kin_str_eq(name, kin_str_of(o->id_column))))
            continue;
        if (typo && i >= victim && is_plain(text)) {
            kin_buf_clear(&value);
            put_typo(&value, text, state);
            text = (struct kin_str){(const char *)value.p, value.n};
            typo = false;
        }
        kin_served_put_member(&object, name, text);
    }
    if (!object.n)
        kin_buf_putc(&object, '{');
    kin_buf_put(&l->text, object.p, object.n);
    l->text.failed = l->text.failed || object.failed || value.failed;
    end_line(l);
    kin_buf_deinit(&object);
    kin_buf_deinit(&value);
}

static kin_status read_lines(struct lines *l, const struct lines_options *o, struct kin_err *err)
{
    struct kin_served_rows rows = {0};
    struct kin_row row;
    uint64_t state = o->seed;
    kin_status status = kin_served_rows_open(&rows, o->path, err);
    while (status == KIN_OK && l->count < o->count) {
        status = kin_served_rows_next(&rows, &row, err);
        if (status == KIN_OK && !row.reason)
            put_row(l, o, &rows, &row, &state);
    }
    kin_served_rows_deinit(&rows);
    if (status == KIN_E_EOF)
        status = l->count ? KIN_OK : kin_err_set(err, KIN_E_INVAL, "%s has no records", o->path);
    return status;
}

kin_status lines_make(struct lines *l, const struct lines_options *o, struct kin_err *err)
{
    *l = (struct lines){.ends = kin_calloc(o->count, sizeof *l->ends)};
    if (!l->ends)
        return kin_err_set(err, KIN_E_NOMEM, "out of memory");
    if (o->path)
        return read_lines(l, o, err);
    while (l->count < o->count) {
        if (o->id_column)
            kin_buf_printf(&l->text, "{\"%s\":\"load%zu\",", o->id_column, l->count);
        kin_buf_printf(&l->text,
                       "%s\"first_name\":\"Ann\",\"last_name\":\"Lee%zu\",\"dob\":\"1970-01-01\","
                       "\"email\":\"ann%zu@example.org\"",
                       o->id_column ? "" : "{", l->count, l->count);
        end_line(l);
    }
    return l->text.failed ? kin_err_set(err, KIN_E_NOMEM, "out of memory") : KIN_OK;
}

void lines_deinit(struct lines *l)
{
    kin_buf_deinit(&l->text);
    kin_free(l->ends);
    *l = (struct lines){0};
}

struct kin_str lines_slice(const struct lines *l, uint64_t n, size_t lines)
{
    size_t runs = l->count / lines, first = (size_t)(n % runs) * lines;
    uint64_t begin = first ? l->ends[first - 1] : 0;
    return (struct kin_str){(const char *)l->text.p + begin, l->ends[first + lines - 1] - begin};
}

/* ---- answers ---- */

void load_answered(struct load *l, uint64_t due_ns, uint64_t began_ns, struct kin_str answer)
{
    static const char none[] = "{\"match_id\":null", partial[] = "\"partial\":true";
    uint64_t now = now_ns();
    if (due_ns < l->warm_ns || due_ns >= l->end_ns)
        return;
    histogram_add(&l->tally->latency, now - due_ns);
    atomic_fetch_add_explicit(&l->tally->requests, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&l->tally->records, l->batch, memory_order_relaxed);
    if (began_ns > due_ns + 1000000)
        atomic_fetch_add_explicit(&l->tally->late, 1, memory_order_relaxed);
    if (answer.n && memmem(answer.p, answer.n, partial, sizeof partial - 1))
        atomic_fetch_add_explicit(&l->tally->partial, 1, memory_order_relaxed);
    uint64_t found = 0;
    for (const char *p = answer.p, *end = p + answer.n; answer.n && p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = stop ? (size_t)(stop - p) : (size_t)(end - p);
        found += n >= sizeof none && memcmp(p, none, sizeof none - 1) != 0;
        p += n + 1;
    }
    atomic_fetch_add_explicit(&l->tally->found, found, memory_order_relaxed);
}
