/* Contact sheets: many pictures of one size on one, with captions. */
#ifndef SORA_MEDIA_SHEET_H
#define SORA_MEDIA_SHEET_H

#include "media/image.h"

typedef struct SheetTile {
    const uint8_t *rgb;  /* [height, width, 3]; NULL leaves the place empty */
    const char *caption; /* UTF-8; NULL: none */
} SheetTile;

typedef struct SheetLayout {
    int width, height; /* of a tile, pixels */
    int columns;       /* 0: about a square */
    int scale;         /* tiles are drawn this many times as large; 0: 1 */
    int gap;           /* pixels around each tile; 0: 6 */
    int lines; /* of each caption, at most; longer ones end in ".."; 0: as many as the longest needs */
} SheetLayout;

/* A new picture in *out: tiles in rows from the top left, each caption below its tile. */
bool sheet_draw(Image *out, const SheetLayout *layout, const SheetTile *tiles, int count, SoraError *err);

/* sheet_draw() into a PNG file. */
bool sheet_write(const char *path, const SheetLayout *layout, const SheetTile *tiles, int count,
                 SoraError *err);

#endif
