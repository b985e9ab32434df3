#ifndef KIN_COORDINATOR_MATCH_ID_H
#define KIN_COORDINATOR_MATCH_ID_H
/* MatchIds: 128 bits, a keyed hash of the workflow and the founder's (source, id), so that they
 * depend on no order and no layout. Pure; any thread. */
#include "common/base/mem.h"

enum { KIN_MATCH_ID_DIGITS = 32, KIN_MATCH_ID_BYTES = 16 };

/* Writes 32 lower-case hex digits, no terminator. generation: 0, or the number of times the id was
 * already taken. Names and ids longer than 255 bytes count by their first 255. */
void kin_match_id(const uint8_t key[16], struct kin_str workflow, struct kin_str source,
                  struct kin_str id, uint32_t generation, char out[KIN_MATCH_ID_DIGITS]);
/* The same id in bytes, of which each is two digits. */
void kin_match_id_bytes(const uint8_t key[16], struct kin_str workflow, struct kin_str source,
                        struct kin_str id, uint32_t generation, uint8_t out[KIN_MATCH_ID_BYTES]);
/* The digits of an id, lower case, no terminator. */
void kin_match_id_print(const uint8_t id[KIN_MATCH_ID_BYTES], char out[KIN_MATCH_ID_DIGITS]);

#endif
