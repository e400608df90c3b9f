#include "cli/preview_file.h"

#include <stdlib.h>

#include "media/sheet.h"

enum { SHOWN_SIDE = 128 }; /* pixels: smaller frames are drawn larger */

bool preview_file_write(const char *path, const SoraPreview *p, const FileFinish *finish, SoraError *err)
{
    int side = p->width > p->height ? p->width : p->height, scale = 1;
    size_t frame = (size_t)p->width * (size_t)p->height * 3;
    SheetTile *tiles = calloc((size_t)p->frames, sizeof *tiles);
    Image sheet = {0};
    while (2 * scale * side <= SHOWN_SIDE)
        scale *= 2;
    for (int i = 0; tiles != NULL && i < p->frames; i++)
        tiles[i].rgb = p->pixels + (size_t)i * frame;
    SheetLayout layout = {
        .width = p->width, .height = p->height, .columns = p->frames < 6 ? p->frames : 0, .scale = scale, .gap = 2};
    bool ok = (tiles != NULL || error_no_memory(err)) && sheet_draw(&sheet, &layout, tiles, p->frames, err) &&
              image_write_png_finished(&sheet, path, finish, err);
    image_deinit(&sheet);
    free(tiles);
    return ok;
}
