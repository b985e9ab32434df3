/* One string against many: packing the candidates, and what is left to the pairwise kernels. */
#include "common/match/kernel_many_impl.h"

#include <string.h>

/* A candidate's codes before they are laid out. */
struct packed {
    uint8_t codes[KIN_MANY_LENGTH];
};

struct kin_many *kin_many_new(void)
{
    struct kin_many *m = kin_calloc(1, sizeof *m);
    for (unsigned x = 0; m && x <= KIN_MANY_LENGTH; x++) {
        for (unsigned y = 1; y <= KIN_MANY_LENGTH; y++)
            m->share[x][y] = (double)x / (double)y;
    }
    return m;
}

static void drop(struct kin_many *m)
{
    kin_free(m->texts);
    kin_free(m->groups);
    kin_free(m->loose);
    m->texts = NULL;
    m->groups = NULL;
    m->loose = NULL;
    m->count = m->group_count = m->loose_count = 0;
}

void kin_many_free(struct kin_many *m)
{
    if (!m)
        return;
    drop(m);
    kin_free(m);
}

size_t kin_many_count(const struct kin_many *m)
{
    return m->count;
}

/* ---- codes ---- */

/* At most KIN_MANY_CODES of the slots are ever used. */
static unsigned slot_of(const struct kin_many *m, uint32_t code_point)
{
    unsigned at = code_point * 0x9e3779b1u >> 22;
    while (m->slots[at].code && m->slots[at].code_point != code_point)
        at = (at + 1) % KIN_MANY_CODE_SLOTS;
    return at;
}

static uint8_t code_of(const struct kin_many *m, uint32_t code_point)
{
    return code_point < 256 ? m->code_of_byte[code_point] : m->slots[slot_of(m, code_point)].code;
}

/* In the order in which they are met, which is about that of their frequency; 0: all are taken. */
static uint8_t give_code(struct kin_many *m, uint32_t code_point)
{
    uint8_t code = code_of(m, code_point);
    if (code || m->codes == KIN_MANY_NO_CODE)
        return code;
    code = (uint8_t)m->codes++;
    if (code_point < 256)
        m->code_of_byte[code_point] = code;
    else
        m->slots[slot_of(m, code_point)] = (struct kin_many_code_point){code_point, code};
    return code;
}

/* Code points, at most KIN_MANY_LENGTH + 1: then it is too long. */
static unsigned decode(struct kin_many_text text, uint32_t *out)
{
    if (!text.ascii)
        return kin_kernel_decode(text.text, out, KIN_MANY_LENGTH + 1);
    unsigned n = text.text.n <= KIN_MANY_LENGTH ? (unsigned)text.text.n : KIN_MANY_LENGTH + 1;
    for (unsigned i = 0; i < n; i++)
        out[i] = (uint8_t)text.text.p[i]; /* the last one, if it is too long, is there as well */
    return n;
}

/* Its length, or 0 if it goes in no group. */
static uint8_t pack(struct kin_many *m, struct kin_many_text text, struct packed *out)
{
    uint32_t code_points[KIN_MANY_LENGTH + 1];
    unsigned n = decode(text, code_points);
    if (n > KIN_MANY_LENGTH)
        return 0;
    for (unsigned i = 0; i < n; i++) {
        out->codes[i] = give_code(m, code_points[i]);
        if (!out->codes[i])
            return 0;
    }
    return (uint8_t)n;
}

/* ---- laying out ---- */

/* Column by column, in ascending order of their lengths. */
static void lay_out(struct kin_many *m, const struct packed *packed, const uint8_t *lengths)
{
    size_t next[KIN_MANY_LENGTH + 1] = {0};
    for (size_t i = 0; i < m->count; i++) {
        if (lengths[i] && lengths[i] < KIN_MANY_LENGTH)
            next[lengths[i] + 1]++;
    }
    for (unsigned n = 2; n <= KIN_MANY_LENGTH; n++)
        next[n] += next[n - 1];
    for (size_t i = 0; i < m->count; i++) {
        if (!lengths[i])
            continue;
        size_t at = next[lengths[i]]++;
        struct kin_many_group *g = &m->groups[at / KIN_MANY_GROUP];
        unsigned lane = at % KIN_MANY_GROUP;
        for (unsigned j = 0; j < lengths[i]; j++) {
            uint8_t code = packed[i].codes[j];
            g->column[j][lane] = code;
            if (code >= KIN_MANY_ROW * g->rows)
                g->rows = code / KIN_MANY_ROW + 1u;
        }
        g->length[lane] = lengths[i];
        g->index[lane] = (uint32_t)i;
        g->count++;
    }
}

kin_status kin_many_set(struct kin_many *m, const struct kin_many_text *texts, size_t n)
{
    drop(m);
    m->codes = 1;
    memset(m->code_of_byte, 0, sizeof m->code_of_byte);
    memset(m->slots, 0, sizeof m->slots);
    struct packed *packed = kin_reallocarray(NULL, n + 1, sizeof *packed);
    uint8_t *lengths = kin_alloc(n + 1);
    m->texts = kin_reallocarray(NULL, n + 1, sizeof *m->texts);
    m->loose = kin_reallocarray(NULL, n + 1, sizeof *m->loose);
    size_t lanes = 0;
    bool room = packed && lengths && m->texts && m->loose;
    for (size_t i = 0; room && i < n; i++) {
        m->texts[i] = texts[i];
        lengths[i] = pack(m, texts[i], &packed[i]);
        lanes += lengths[i] != 0;
        if (!lengths[i])
            m->loose[m->loose_count++] = (uint32_t)i;
    }
    size_t groups = (lanes + KIN_MANY_GROUP - 1) / KIN_MANY_GROUP;
    if (room && (m->groups = kin_calloc(groups + 1, sizeof *m->groups)) != NULL) {
        m->count = n;
        m->group_count = groups;
        lay_out(m, packed, lengths);
    }
    kin_free(packed);
    kin_free(lengths);
    if (m->groups)
        return KIN_OK;
    drop(m);
    return KIN_E_NOMEM;
}

/* ---- queries ---- */

/* false: too long, or empty. */
static bool make_query(const struct kin_many *m, struct kin_many_text text,
                       struct kin_many_query *q)
{
    uint32_t code_points[KIN_MANY_LENGTH + 1];
    unsigned n = decode(text, code_points);
    if (n == 0 || n > KIN_MANY_LENGTH)
        return false;
    memset(q, 0, sizeof *q);
    memset(q->prefix, KIN_MANY_NO_CODE, sizeof q->prefix);
    q->n = n;
    for (unsigned i = 0; i < n; i++) {
        uint8_t code = code_of(m, code_points[i]);
        if (!code)
            continue; /* no candidate has it */
        q->positions[i / 8][code] |= (uint8_t)(1u << i % 8);
        if (i < KIN_KERNEL_PREFIX)
            q->prefix[i] = code;
    }
    return true;
}

static struct kin_pair pair_of(const struct kin_many *m, struct kin_many_text query, size_t i)
{
    const struct kin_many_text *text = &m->texts[i];
    return (struct kin_pair){query.text, text->text, query.ascii && text->ascii};
}

/* How many candidates are left to the pairwise kernels: all of them, or the loose ones. */
static size_t left_over(const struct kin_many *m, bool grouped)
{
    return grouped ? m->loose_count : m->count;
}

void kin_many_jaro_winkler(const struct kin_many *m, struct kin_kernel_scratch *s,
                           struct kin_many_text query, double least, double *out)
{
    for (size_t i = 0; i < m->count; i++)
        out[i] = -1.0;
    if (!(least <= 1.0)) /* NaN too */
        return;
    struct kin_many_query q;
    bool grouped = make_query(m, query, &q);
    if (grouped)
        s->ops->many->jaro_winkler(m, &q, least, out);
    for (size_t k = 0; k < left_over(m, grouped); k++) {
        size_t i = grouped ? m->loose[k] : k;
        double value = kin_jaro_winkler_from(s, pair_of(m, query, i), least);
        out[i] = value >= 0.0 ? value : -1.0;
    }
}

static void many_edit(const struct kin_many *m, struct kin_kernel_scratch *s,
                      struct kin_many_text query, unsigned max, bool swaps, uint16_t *out)
{
    if (max > KIN_KERNEL_CODEPOINTS_MAX)
        max = KIN_KERNEL_CODEPOINTS_MAX;
    struct kin_many_query q;
    bool grouped = make_query(m, query, &q);
    if (grouped && max < KIN_MANY_LENGTH) {
        for (size_t i = 0; i < m->count; i++)
            out[i] = (uint16_t)(max + 1);
    }
    if (grouped)
        (swaps ? s->ops->many->osa : s->ops->many->levenshtein)(m, &q, max, out);
    for (size_t k = 0; k < left_over(m, grouped); k++) {
        size_t i = grouped ? m->loose[k] : k;
        struct kin_pair p = pair_of(m, query, i);
        out[i] = (uint16_t)(swaps ? kin_osa(s, p, max) : kin_levenshtein(s, p, max));
    }
}

void kin_many_levenshtein(const struct kin_many *m, struct kin_kernel_scratch *s,
                          struct kin_many_text query, unsigned max, uint16_t *out)
{
    many_edit(m, s, query, max, false, out);
}

void kin_many_osa(const struct kin_many *m, struct kin_kernel_scratch *s,
                  struct kin_many_text query, unsigned max, uint16_t *out)
{
    many_edit(m, s, query, max, true, out);
}
