/* HTML character references: &amp; &#38; &#x26; with all names of HTML 5. */
#ifndef SORA_TEXT_ENTITIES_H
#define SORA_TEXT_ENTITIES_H

#include "text/runes.h"

/* As browsers (and Python's html.unescape): also without ; for the old names, so "&copy 2024" and "&notit". */
void entities_decode(const Runes *in, Runes *out);

/* Only what cannot be meant otherwise (as ftfy): with ; and, beyond HTML, names in capitals such as
 * &EACUTE; for the capital letter. */
void entities_decode_unambiguous(const Runes *in, Runes *out);

#endif
