#include "client/explain_impl.h"
#include "common/explain/explained.h"

#include <string.h>

/* Two records of the sources, explained. */

struct pair {
    struct kin_explain *e;
    const struct kin_record *a, *b;
};

static kin_status find_both(struct pair *p, struct kin_str name_a, struct kin_str name_b,
                            struct kin_err *err)
{
    struct kin_explain *e = p->e;
    struct kin_str source_a, source_b, ids[2];
    kin_record_name_split(e->x.workflow, name_a, &source_a, &ids[0]);
    kin_record_name_split(e->x.workflow, name_b, &source_b, &ids[1]);
    kin_status status = explain_read(e, ids, 2, err);
    if (status == KIN_OK)
        status = kin_records_find(&e->records, source_a, ids[0], &p->a, err);
    if (status == KIN_OK)
        status = kin_records_find(&e->records, source_b, ids[1], &p->b, err);
    if (status == KIN_OK && p->a == p->b)
        status = kin_err_set(err, KIN_E_INVAL, "both are the same record");
    return status;
}

/* How many records have the keys that both have. */
static kin_status size_keys(const struct pair *p, struct kin_explain_blocks *out,
                            struct kin_err *err)
{
    struct kin_buf keys = {0};
    kin_explain_common_keys(p->e->x.workflow, p->a->features, p->b->features, &keys);
    size_t count = keys.n / sizeof(uint64_t);
    uint64_t *counted = kin_arena_alloc(&p->e->arena, keys.n);
    kin_status status =
        keys.failed || !counted ? kin_err_set(err, KIN_E_NOMEM, "out of memory") : KIN_OK;
    if (counted && count)
        memcpy(counted, keys.p, keys.n);
    kin_buf_deinit(&keys);
    return status == KIN_OK ? explain_count_keys(p->e, counted, count, out, err) : status;
}

kin_status kin_explain_pair(struct kin_explain *e, struct kin_str a, struct kin_str b, bool json,
                            struct kin_buf *out, struct kin_err *err)
{
    struct pair p = {.e = e};
    struct kin_explain_blocks blocks = {0};
    struct kin_explained explained;
    kin_status status = find_both(&p, a, b, err);
    if (status == KIN_OK)
        status = size_keys(&p, &blocks, err);
    if (status == KIN_OK)
        status = kin_explained_make(
            &e->x, &e->arena, &(struct kin_explain_side){p.a->features, p.a->raw},
            &(struct kin_explain_side){p.b->features, p.b->raw}, &blocks, &explained, err);
    if (status != KIN_OK)
        return status;
    (json ? kin_explained_json : kin_explained_text)(&explained, out);
    return out->failed ? kin_err_set(err, KIN_E_NOMEM, "out of memory") : KIN_OK;
}
