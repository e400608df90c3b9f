/* UTF-8: decoding one character at a time, and saying where a string is wrong. */
#ifndef SORA_TEXT_UTF8_H
#define SORA_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

/* The character at s, which has n > 0 bytes, and its length in *length. Not UTF-8 (overlong forms,
 * surrogates, truncated and stray bytes included): returns -1 with *length 1. */
int32_t utf8_decode(const char *s, size_t n, int *length);

/* Writes the character (at most 0x10FFFF) and returns its length, 1 to 4. Surrogates are written too. */
int utf8_encode(int32_t c, char out[4]);

/* White space in Unicode, and the ASCII separators 0x1c to 0x1f. */
bool utf8_is_space(int32_t c);

/* False with "byte 12 (0xff) of WHAT is not UTF-8" when s is not UTF-8 throughout. 0 bytes are allowed. */
bool utf8_check(const char *s, size_t n, const char *what, SoraError *err);

#endif
