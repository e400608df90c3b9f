/* Prompt cleaning as the Wan reference does it before tokenising: ftfy.fix_text, html.unescape twice,
 * white space to single spaces.
 *
 * ftfy's steps: HTML references, mojibake, ligatures, full and half width, curly quotes, line breaks,
 * terminal escapes, control characters, NFC. */
#ifndef SORA_TEXT_CLEAN_H
#define SORA_TEXT_CLEAN_H

#include <stddef.h>
#include "base/error.h"

enum {
    CLEAN_MAX_TEXT = 1 << 20, /* bytes */
    CLEAN_MAX_PASSES = 20,    /* levels of &amp;amp;amp; that are undone; ftfy has no limit */
};

/* The cleaned text with a 0 byte after it (and none inside), its length in *size (NULL is allowed);
 * free() it. NULL when the text is not UTF-8 or longer than CLEAN_MAX_TEXT. */
char *clean_prompt(const char *text, size_t n, size_t *size, SoraError *err);

/* ftfy.fix_text alone; as above, but what it keeps of white space stays. */
char *clean_fix_text(const char *text, size_t n, size_t *size, SoraError *err);

#endif
