#ifndef KIN_WORKFLOW_UTF8_H
#define KIN_WORKFLOW_UTF8_H
/* UTF-8, character by character, for positions and messages. Pure; any thread. */
#include "common/base/mem.h"

/* Bytes of the strictly valid character at p (no overlong forms, no surrogates, at most U+10FFFF),
 * with its code point in *out; 0: invalid, or n is 0. */
size_t kin_utf8_step(const char *p, size_t n, uint32_t *out);

/* The most bytes of s, at most max, that do not cut a character. */
size_t kin_utf8_cut(const char *s, size_t n, size_t max);

/* Characters that are not for files or terminals: C0 and C1 controls and DEL, but not tab, line
 * feed and carriage return; line and paragraph separators, byte order marks, bidirectional
 * overrides, U+FFFE and U+FFFF. */
bool kin_utf8_is_control(uint32_t c);

#endif
