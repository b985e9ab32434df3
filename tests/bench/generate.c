/* kin_generate: invented person records with known truth, for benchmarks and tests.
 *
 * The order of output is a keyed permutation of the record numbers, so that an entity's records lie
 * anywhere in the file, ids tell nothing, and memory is constant for any number of records. A seed
 * gives the same bytes on every machine. */
#include "common/base/mem.h"
#include "tests/bench/generate_people.h"
#include "tests/bench/generate_random.h"
#include "tests/bench/generate_skew.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    SOURCES_MAX = 9,
    RECORDS_MAX = 1000 * 1000 * 1000,
    ID_BITS = 40, /* eight letters or digits of five bits */
    FLUSH_BYTES = 1 << 20
};

static const char *const cell_names[CELLS] = {
    "first_name", "last_name", "dob", "email", "phone", "street", "city", "postcode", "updated"};

enum {
    FEW_CELLS = 1 << FIRST | 1 << LAST | 1 << DOB | 1 << EMAIL | 1 << CITY,
    ALL_CELLS = (1 << CELLS) - 1
};

struct options {
    struct kin_people_options people;
    enum kin_skew skew;
    unsigned sources;
    bool jsonl;
    uint32_t cells; /* bit i: cell i is written */
    const char *out;
};

/* ---- output ---- */

struct output {
    FILE *file;
    struct kin_buf buf;
    char name[32]; /* also the source's name */
};

static bool output_flush(struct output *o)
{
    bool ok =
        !o->buf.failed && (o->buf.n == 0 || fwrite(o->buf.p, 1, o->buf.n, o->file) == o->buf.n);
    kin_buf_clear(&o->buf);
    return ok;
}

static bool output_open(struct output *o, const char *dir, const char *suffix)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s.%s", dir, o->name, suffix);
    if (n < 0 || (size_t)n >= sizeof path)
        return false;
    o->file = fopen(path, "wb");
    if (!o->file)
        fprintf(stderr, "kin_generate: %s: %s\n", path, strerror(errno));
    return o->file != NULL;
}

static bool output_close(struct output *o)
{
    bool ok = true;
    if (o->file) {
        ok = output_flush(o);
        ok = fclose(o->file) == 0 && ok;
    }
    kin_buf_deinit(&o->buf);
    return ok;
}

/* Forty bits as eight letters or digits. */
static void id_text(uint64_t number, uint64_t key, char out[8])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint64_t x = permute(number, ID_BITS, key);
    for (unsigned i = 0; i < 8; i++, x >>= 5)
        out[i] = digits[x & 31];
}

static uint8_t *put_bytes(uint8_t *to, const void *p, size_t n)
{
    memcpy(to, p, n);
    return to + n;
}

static void put_csv(struct kin_buf *out, uint32_t cells, const char id[8],
                    const struct kin_person *p)
{
    uint8_t *to = kin_buf_reserve(out, 8 + CELLS * (KIN_PEOPLE_TEXT_BYTES + 3) + 1);
    if (!to)
        return;
    to = put_bytes(to, id, 8);
    for (unsigned c = 0; c < CELLS; c++) {
        const struct kin_people_text *t = &p->cell[c];
        bool quoted = c == STREET && memchr(t->p, ',', t->n);
        if (!(cells >> c & 1))
            continue;
        *to++ = ',';
        if (quoted)
            *to++ = '"';
        to = put_bytes(to, t->p, t->n);
        if (quoted)
            *to++ = '"';
    }
    *to++ = '\n';
    out->n = (size_t)(to - out->p);
}

/* No name, street or address has a quote, backslash or control character. */
static void put_jsonl(struct kin_buf *out, uint32_t cells, const char id[8],
                      const struct kin_person *p)
{
    kin_buf_puts(out, "{\"id\":\"");
    kin_buf_put(out, id, 8);
    for (unsigned c = 0; c < CELLS; c++) {
        if (p->cell[c].n == 0 || !(cells >> c & 1))
            continue;
        kin_buf_puts(out, "\",\"");
        kin_buf_puts(out, cell_names[c]);
        kin_buf_puts(out, "\":\"");
        kin_buf_put(out, p->cell[c].p, p->cell[c].n);
    }
    kin_buf_puts(out, "\"}\n");
}

static void put_header(const struct options *o, struct kin_buf *out)
{
    if (o->jsonl)
        return;
    kin_buf_puts(out, "id");
    for (unsigned c = 0; c < CELLS; c++) {
        if (!(o->cells >> c & 1))
            continue;
        kin_buf_putc(out, ',');
        kin_buf_puts(out, cell_names[c]);
    }
    kin_buf_putc(out, '\n');
}

static bool write_records(const struct options *o, const struct kin_people *world,
                          struct output *people, struct output *truth)
{
    struct rng keys = rng_of(o->people.seed, STREAM_KEYS, 1);
    uint64_t order_key = rng_next(&keys), id_key = rng_next(&keys), entity_key = rng_next(&keys);
    struct kin_person p = {0};
    struct kin_skew_options skew = {o->skew, o->people.records, o->people.seed};
    for (uint64_t i = 0; i < o->people.records; i++) {
        uint64_t q = permute_below(i, o->people.records, order_key);
        uint64_t entity = kin_people_record(world, q, &p);
        kin_skew_apply(&skew, q, &p);
        char id[8], label[8];
        id_text(q, id_key, id);
        id_text(entity, entity_key, label);
        struct rng r = rng_of(o->people.seed, STREAM_KEYS, q + 2);
        struct output *to = &people[o->sources > 1 ? rng_below(&r, o->sources) : 0];
        if (o->jsonl)
            put_jsonl(&to->buf, o->cells, id, &p);
        else
            put_csv(&to->buf, o->cells, id, &p);
        if (o->sources > 1) {
            kin_buf_puts(&truth->buf, to->name);
            kin_buf_putc(&truth->buf, ',');
        }
        kin_buf_put(&truth->buf, id, 8);
        kin_buf_putc(&truth->buf, ',');
        kin_buf_put(&truth->buf, label, 8);
        kin_buf_putc(&truth->buf, '\n');
        if ((to->buf.failed || to->buf.n >= FLUSH_BYTES) && !output_flush(to))
            return false;
        if ((truth->buf.failed || truth->buf.n >= FLUSH_BYTES) && !output_flush(truth))
            return false;
    }
    return true;
}

static bool generate(const struct options *o, const struct kin_people *world)
{
    struct output people[SOURCES_MAX] = {0}, truth = {.name = "truth"};
    bool ok = output_open(&truth, o->out, "csv");
    for (unsigned s = 0; ok && s < o->sources; s++) {
        if (o->sources == 1)
            snprintf(people[s].name, sizeof people[s].name, "people");
        else
            snprintf(people[s].name, sizeof people[s].name, "people_%u", s + 1);
        ok = output_open(&people[s], o->out, o->jsonl ? "jsonl" : "csv");
        put_header(o, &people[s].buf);
    }
    kin_buf_puts(&truth.buf, o->sources > 1 ? "source,id,entity\n" : "id,entity\n");
    ok = ok && write_records(o, world, people, &truth);
    for (unsigned s = 0; s < o->sources; s++)
        ok = output_close(&people[s]) && ok;
    ok = output_close(&truth) && ok;
    if (!ok)
        fprintf(stderr, "kin_generate: writing to %s failed\n", o->out);
    return ok;
}

/* ---- the command line ---- */

static const char usage[] =
    "usage: kin_generate --records N --seed S --out DIR [options]\n"
    "  --duplicates 0.22     share of records that duplicate an entity, 0..0.5\n"
    "  --format csv|jsonl    csv is the default\n"
    "  --sources 1..9        people.csv, or people_1.csv and so on\n"
    "  --pairs natural|linear\n"
    "      natural: one stock of names; candidate pairs grow with the square of N\n"
    "      linear: every million records more brings names of its own; pairs grow with N\n"
    "  --columns all|few     few: id, names, date of birth, e-mail, city\n"
    "  --skew none|hot|blocks|few\n"
    "      hot: one e-mail address in 5 % of the records\n"
    "      blocks: an e-mail address for every 100 records, at most 10,000 of them\n"
    "      few: 40 given names, a surname for 2,500 records, births on four days of a year\n";

static bool parse_count(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || v > max)
            return false;
        v = v * 10 + (uint64_t)(*text - '0');
    }
    *out = v;
    return v <= max;
}

/* A decimal fraction as parts per million, whatever the locale. */
static bool parse_ppm(const char *text, uint32_t max, uint32_t *out)
{
    uint32_t v = 0, unit = 1000000;
    for (bool point = false; *text; text++) {
        if (*text == '.' && !point) {
            point = true;
        } else if (*text >= '0' && *text <= '9' && unit > 1) {
            unit /= point ? 10 : 1;
            v = point ? v + (uint32_t)(*text - '0') * unit
                      : v * 10 + (uint32_t)(*text - '0') * unit;
        } else {
            return false;
        }
        if (v > max)
            return false;
    }
    *out = v;
    return true;
}

static bool parse_option(int option, struct options *o)
{
    uint64_t n = 0;
    switch (option) {
    case 'n':
        return parse_count(optarg, RECORDS_MAX, &o->people.records);
    case 's':
        return parse_count(optarg, UINT64_MAX / 16, &o->people.seed);
    case 'o':
        o->out = optarg;
        return true;
    case 'd':
        return parse_ppm(optarg, KIN_PEOPLE_DUPLICATES_MAX_PPM, &o->people.duplicates_ppm);
    case 'f':
        o->jsonl = strcmp(optarg, "jsonl") == 0;
        return o->jsonl || strcmp(optarg, "csv") == 0;
    case 'p':
        o->people.linear = strcmp(optarg, "linear") == 0;
        return o->people.linear || strcmp(optarg, "natural") == 0;
    case 'c':
        o->cells = strcmp(optarg, "few") == 0 ? FEW_CELLS : ALL_CELLS;
        return o->cells == FEW_CELLS || strcmp(optarg, "all") == 0;
    case 'k':
        return kin_skew_parse(optarg, &o->skew);
    case 'm':
        if (!parse_count(optarg, SOURCES_MAX, &n) || n == 0)
            return false;
        o->sources = (unsigned)n;
        return true;
    default:
        return false;
    }
}

static bool parse_options(int argc, char **argv, struct options *o)
{
    static const struct option options[] = {
        {"records", required_argument, NULL, 'n'}, {"seed", required_argument, NULL, 's'},
        {"out", required_argument, NULL, 'o'},     {"duplicates", required_argument, NULL, 'd'},
        {"format", required_argument, NULL, 'f'},  {"sources", required_argument, NULL, 'm'},
        {"pairs", required_argument, NULL, 'p'},   {"columns", required_argument, NULL, 'c'},
        {"skew", required_argument, NULL, 'k'},    {NULL, 0, NULL, 0}};
    *o = (struct options){.people = {.records = UINT64_MAX, .duplicates_ppm = 220000},
                          .sources = 1,
                          .cells = ALL_CELLS};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == '?')
            return false;
        if (!parse_option(option, o)) {
            fprintf(stderr, "kin_generate: bad value '%s'\n", optarg);
            return false;
        }
    }
    return optind == argc && o->out && o->people.records != UINT64_MAX;
}

int main(int argc, char **argv)
{
    struct options options;
    if (!parse_options(argc, argv, &options)) {
        fputs(usage, stderr);
        return 2;
    }
    if (mkdir(options.out, 0777) != 0 && errno != EEXIST) {
        fprintf(stderr, "kin_generate: %s: %s\n", options.out, strerror(errno));
        return 1;
    }
    struct kin_people *world = kin_people_new(&options.people);
    if (!world)
        fprintf(stderr, "kin_generate: %s\n", kin_status_text(KIN_E_NOMEM));
    bool ok = world && generate(&options, world);
    kin_people_free(world);
    return ok ? 0 : 1;
}
