#ifndef KIN_BENCH_GENERATE_SKEW_H
#define KIN_BENCH_GENERATE_SKEW_H
/* What makes a workload uneven: values that many records share. Applied to a record of
 * generate_people.h; a pure function of (seed, number of records, number of the record). */
#include "tests/bench/generate_people.h"

enum kin_skew {
    KIN_SKEW_NONE,
    KIN_SKEW_HOT,    /* one placeholder e-mail address in 5 % of the records */
    KIN_SKEW_BLOCKS, /* an e-mail address for every 100 records, at most 10,000 of them */
    KIN_SKEW_FEW     /* 40 given names, a surname for 2,500 records, births on the first of January,
                        April, July or October */
};

struct kin_skew_options {
    enum kin_skew kind;
    uint64_t records, seed;
};

/* False: no such kind. */
bool kin_skew_parse(const char *name, enum kin_skew *kind);
void kin_skew_apply(const struct kin_skew_options *o, uint64_t number, struct kin_person *p);

#endif
