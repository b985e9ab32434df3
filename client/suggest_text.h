#ifndef KIN_CLIENT_SUGGEST_TEXT_H
#define KIN_CLIENT_SUGGEST_TEXT_H
/* Pieces of the text of a workflow file. Pure; any thread. */
#include "common/base/mem.h"

/* A scalar, in quotes where YAML wants them. */
void kin_suggest_put_scalar(struct kin_buf *out, struct kin_str value);
/* "1,234,567"; numbers that are estimates: "1,230,000", three digits of them. */
void kin_suggest_put_count(struct kin_buf *out, uint64_t x);
void kin_suggest_put_about(struct kin_buf *out, double x);
/* "12 %", "1.2 %", "under 0.1 %" */
void kin_suggest_put_share(struct kin_buf *out, double share);
/* Bytes of a character at p that YAML or a reader of it takes for more than text: controls, line
 * and paragraph separators, byte order marks; 0: it is none. */
size_t kin_suggest_odd(const char *p, size_t left);
/* Text with such characters as blanks, cut at a character where it is longer than
 * max bytes. For comments. */
void kin_suggest_put_clean(struct kin_buf *out, struct kin_str text, size_t max);
/* Breaks text at blanks so that lines have at most 96 bytes where they can; each begins with lead.
 */
void kin_suggest_put_wrapped(struct kin_buf *out, const char *lead, struct kin_str text);
/* The path of target as seen from the folder base; both real and absolute. */
void kin_suggest_put_relative(struct kin_buf *out, const char *base, const char *target);

#endif
