#ifndef KIN_RECORD_CODES_H
#define KIN_RECORD_CODES_H
/* Codes in running text: the model and part numbers that stand in names of products. Pure; any
 * thread.
 *
 * A code is a run of letters, digits and - . / (which do not begin or end it) of which at least
 * four characters are letters or digits, one of them a digit. A number alone has five digits or
 * more, and a number that letters follow, with nothing behind them (120GB, 1080p, 5-disc), is an
 * amount and no code. Letters are ASCII letters and all beyond ASCII. */
#include "common/base/mem.h"

/* The next code of the text from *at on, as it is written; false: there is none. */
bool kin_code_next(struct kin_str text, size_t *at, struct kin_str *code);

#endif
