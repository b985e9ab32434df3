#ifndef KIN_BENCH_GENERATE_PEOPLE_H
#define KIN_BENCH_GENERATE_PEOPLE_H
/* Invented people and what goes wrong when they are written down. One thread at a time.
 *
 * Record `number` is a pure function of (seed, number): the number gives an entity and a variant;
 * variant 0 is the entity as it is, the others are duplicates with errors. */
#include "common/base/mem.h"

enum { KIN_PEOPLE_TEXT_BYTES = 76 };

enum kin_people_cell { FIRST, LAST, DOB, EMAIL, PHONE, STREET, CITY, POSTCODE, UPDATED, CELLS };

struct kin_people_text {
    uint32_t n;
    char p[KIN_PEOPLE_TEXT_BYTES];
};

struct kin_person {
    struct kin_people_text cell[CELLS]; /* empty: not known */
    uint32_t first;                     /* rank of the given name */
    uint32_t town;
    uint32_t region;
    uint32_t year, month, day; /* year 0: not known */
    uint32_t updated_days;     /* since 2015-01-01 */
};

struct kin_people_options {
    uint64_t records;
    uint64_t seed;
    uint32_t duplicates_ppm; /* at most KIN_PEOPLE_DUPLICATES_MAX_PPM */
    bool linear;             /* every million records more brings names of its own */
};
enum { KIN_PEOPLE_DUPLICATES_MAX_PPM = 500 * 1000 };

struct kin_people;
struct kin_people *kin_people_new(const struct kin_people_options *options); /* NULL: no memory */
void kin_people_free(struct kin_people *people);
/* Fills p with record `number`, 0 <= number < records; returns its entity. */
uint64_t kin_people_record(const struct kin_people *people, uint64_t number, struct kin_person *p);

#endif
