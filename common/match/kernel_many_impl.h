#ifndef KIN_MATCH_KERNEL_MANY_IMPL_H
#define KIN_MATCH_KERNEL_MANY_IMPL_H
/* Private to common/match/kernel_many*.c. */
#include "common/match/kernel_impl.h"
#include "common/match/kernel_many.h"

enum {
    KIN_MANY_GROUP = 64,    /* lanes of one group: the widest vector */
    KIN_MANY_CODES = 256,   /* 0: no character, or one that the candidates do not have */
    KIN_MANY_NO_CODE = 255, /* of the query's prefix: equal to no character of a candidate */
    KIN_MANY_ROW = 16       /* codes that one shuffle looks up */
};

/* Characters j of the lanes of a group; 0 past the end of a candidate. */
struct kin_many_group {
    uint8_t column[KIN_MANY_LENGTH][KIN_MANY_GROUP];
    uint8_t length[KIN_MANY_GROUP]; /* ascending; those of the lanes behind the last are 0 */
    uint32_t index[KIN_MANY_GROUP]; /* in the caller's order */
    uint32_t count;                 /* of lanes */
    uint32_t rows;                  /* all codes are below KIN_MANY_ROW * rows */
};

struct kin_many_code_point {
    uint32_t code_point;
    uint8_t code; /* 0: free */
};
enum { KIN_MANY_CODE_SLOTS = 1024 };

struct kin_many {
    size_t count;
    struct kin_many_text *texts; /* [count] */
    struct kin_many_group *groups;
    size_t group_count;
    uint32_t *loose; /* those that are in no group, by index */
    size_t loose_count;
    unsigned codes; /* in use, 0 included */
    uint8_t code_of_byte[256];
    struct kin_many_code_point slots[KIN_MANY_CODE_SLOTS];
    double share[KIN_MANY_LENGTH + 1][KIN_MANY_LENGTH + 1]; /* [x][y]: x / y */
};

/* A query of 1..KIN_MANY_LENGTH characters. */
struct kin_many_query {
    _Alignas(16) uint8_t positions[2][KIN_MANY_CODES]; /* [i]: places 8i to 8i + 7 of each code */
    uint8_t prefix[KIN_KERNEL_PREFIX];                 /* codes, KIN_MANY_NO_CODE past the end */
    unsigned n;
};

/* Over the groups only. */
struct kin_many_ops {
    /* least: see kin_many_jaro_winkler; what is below leaves its out untouched */
    void (*jaro_winkler)(const struct kin_many *m, const struct kin_many_query *q, double least,
                         double *out);
    /* what exceeds max leaves its out untouched */
    void (*levenshtein)(const struct kin_many *m, const struct kin_many_query *q, unsigned max,
                        uint16_t *out);
    void (*osa)(const struct kin_many *m, const struct kin_many_query *q, unsigned max,
                uint16_t *out);
};
extern const struct kin_many_ops kin_many_ops_portable;
#ifdef KIN_KERNEL_X86
extern const struct kin_many_ops kin_many_ops_avx2;
extern const struct kin_many_ops kin_many_ops_avx512;
#endif

/* The least matches * (la + lb) with which Jaro-Winkler can reach the threshold, or less
 * (kernel_jaro.c). */
double kin_kernel_least_matches(unsigned la, unsigned lb, unsigned prefix, double threshold);

#endif
