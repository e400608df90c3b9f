/* Text on pictures: ASCII in a small font of our own, everything else in the machine's font for Japanese, if it has one
 * (Debian: fonts-vlgothic); what no font has becomes a box. */
#ifndef SORA_MEDIA_LETTERING_H
#define SORA_MEDIA_LETTERING_H

#include "media/image.h"

enum { TEXT_WIDTH = 6, TEXT_HEIGHT = 13 }; /* pixels of a cell with its spacing; wide characters take two cells */

typedef struct Lettering Lettering;
Lettering *lettering_new(void); /* NULL: out of memory. Looks for a font when the first character needs it */
void lettering_free(Lettering *l);

typedef struct TextBox {
    const char *text; /* UTF-8; broken at spaces and beside wide characters */
    int x, y;         /* top left, pixels; cut off at the edges of the picture */
    int columns;      /* cells of a line */
    int lines;        /* at most, the last one ending in ".." if there is more; 0: all */
    uint32_t color;   /* 0xRRGGBB */
} TextBox;

void lettering_draw(Lettering *l, Image *image, const TextBox *box);
int lettering_lines(const char *text, int columns); /* how many lines it takes; NULL: 0 */

#endif
