/* Repairs text whose UTF-8 was once read as a single-byte encoding ("Ã©" for "é"). Makes the same
 * decisions as ftfy 6.3 (Robyn Speer, Apache-2.0). */
#ifndef SORA_TEXT_MOJIBAKE_H
#define SORA_TEXT_MOJIBAKE_H

#include "text/badness.h"
#include "text/runes.h"

/* Repairs in place, as often as it helps. Text without mojibake stays. */
void mojibake_fix(const KindTable *table, Runes *text);

/* Control characters U+0080 to U+009F become what Windows-1252 has there. */
void mojibake_fix_c1(Runes *text);

#endif
