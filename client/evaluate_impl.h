#ifndef KIN_CLIENT_EVALUATE_IMPL_H
#define KIN_CLIENT_EVALUATE_IMPL_H
/* Inside of client/evaluate*.c: names become numbers, numbers are counted. */
#include "client/evaluate.h"
#include "common/base/radix.h"

#define EVALUATE_NOBODY UINT32_MAX

/* ---- names to numbers: evaluate_names.c ---- */

/* Texts are known by 128 bits of hash: among 10 M of them a collision has odds of 1 in 10^24. */
struct evaluate_key {
    uint64_t a, b;
};

/* Numbers for keys, 0, 1, 2 ... in order of appearance. Open addressing, at most half full. */
struct evaluate_names {
    struct evaluate_key *keys; /* [number] */
    uint64_t *text_at;         /* [number]: of its text */
    uint32_t *slots;           /* number + 1, or 0 */
    uint32_t count;
    uint32_t slot_count; /* a power of two */
};
void evaluate_names_deinit(struct evaluate_names *x);
struct evaluate_key evaluate_key_of(struct kin_str text, struct evaluate_key seed);
/* The number of a key, or EVALUATE_NOBODY. */
uint32_t evaluate_names_find(const struct evaluate_names *x, struct evaluate_key key);
/* The key's number; where it is new (*added), text is kept in `texts`. */
kin_status evaluate_names_add(struct evaluate_names *x, struct evaluate_key key,
                              struct kin_str text, struct kin_buf *texts, uint32_t *number,
                              bool *added, struct kin_err *err) KIN_MUST_CHECK;
/* Valid until the next text is added. */
struct kin_str evaluate_names_text(const struct evaluate_names *x, const struct kin_buf *texts,
                                   uint32_t number);

/* ---- what was read ---- */

struct evaluate_record {
    uint32_t entity; /* EVALUATE_NOBODY: not in truth */
    uint32_t source;
};

struct evaluator {
    const struct kin_evaluate_options *options;
    struct kin_evaluation *out;
    struct evaluate_names ids, groups, entities, sources;
    struct kin_buf texts;            /* of all names */
    struct evaluate_record *records; /* [number in ids] */
    uint32_t *group;                 /* [record * levels + level]; NOBODY: not in matches */
    size_t record_cap;
    size_t levels;
    bool by_source; /* records are known by source and id, else by id alone */
    bool failed;    /* the arena of out had no memory */
};

static inline uint32_t evaluate_group(const struct evaluator *e, uint32_t record, size_t level)
{
    return e->group[(size_t)record * e->levels + level];
}
static inline uint64_t evaluate_pairs(uint64_t n)
{
    return n * (n - (n > 0)) / 2;
}
/* Copies for the result. Where there is no memory, e->failed is set and the copy empty. */
struct kin_str evaluate_keep(struct evaluator *e, struct kin_str text);
struct kin_str evaluate_keep_name(struct evaluator *e, const struct evaluate_names *x,
                                  uint32_t number);
struct kin_evaluation_record evaluate_keep_record(struct evaluator *e, uint32_t record);

/* ---- reading: evaluate_read.c ---- */

struct evaluate_link {
    uint32_t a, b; /* records */
    bool certain;
    int64_t weight;      /* thousandths of a bit */
    struct kin_str rule; /* borrowed until the next row */
};
typedef kin_status (*evaluate_take_link)(void *arg, const struct evaluate_link *link,
                                         struct kin_err *err);

/* matches and truth: fills the evaluator. */
kin_status evaluate_read_records(struct evaluator *e, struct kin_err *err) KIN_MUST_CHECK;
/* pairs: each row that is in order is handed to take. */
kin_status evaluate_read_links(struct evaluator *e, evaluate_take_link take, void *arg,
                               struct kin_err *err) KIN_MUST_CHECK;

/* ---- the N highest: evaluate_top.c ---- */

struct evaluate_ranked {
    uint64_t rank;  /* the highest first */
    uint64_t order; /* then the lowest */
    uint32_t a, b, c;
};
struct evaluate_top { /* {0} with cap and items set */
    struct evaluate_ranked *items;
    size_t count, cap;
};
kin_status evaluate_top_init(struct evaluate_top *top, size_t cap) KIN_MUST_CHECK;
void evaluate_top_deinit(struct evaluate_top *top);
bool evaluate_top_wants(const struct evaluate_top *top, uint64_t rank, uint64_t order);
void evaluate_top_add(struct evaluate_top *top, struct evaluate_ranked item);

/* ---- counting: evaluate_count.c ---- */

/* All levels, the table of source pairs, the wrong groups and the split entities (without their
 * links). *listed: for each of out->groups its number. Owned by the caller. */
kin_status evaluate_count(struct evaluator *e, uint32_t **listed) KIN_MUST_CHECK;

/* ---- links: evaluate_links.c ---- */

/* The curve, the false links, and the links of the wrong groups. */
kin_status evaluate_links(struct evaluator *e, const uint32_t *listed,
                          struct kin_err *err) KIN_MUST_CHECK;

/* ---- shares for text and JSON: evaluate_print.c ---- */

/* A number of thousandths as text: -0.125 */
void evaluate_put_milli(struct kin_buf *out, int64_t milli);
/* The probability that goes with a weight in thousandths of a bit; certain: 1. Six decimals. */
void evaluate_put_probability(struct kin_buf *out, bool certain, int64_t weight);
/* 0..1 with `decimals` (at most 9) of them, rounded, whatever the locale. */
void evaluate_put_share(struct kin_buf *out, double share, unsigned decimals);

#endif
