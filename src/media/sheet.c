#include "media/sheet.h"

#include <math.h>

#include "media/lettering.h"

static const uint32_t PAPER = 0xf4f4f0, INK = 0x202024;

static void draw_tile(Image *image, int x0, int y0, const SheetLayout *l, const uint8_t *rgb)
{
    for (int y = 0; y < l->height * l->scale; y++) {
        for (int x = 0; x < l->width * l->scale; x++) {
            const uint8_t *p = rgb + 3 * ((size_t)(y / l->scale) * (size_t)l->width + (size_t)(x / l->scale));
            image_set_pixel(image, x0 + x, y0 + y, (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]);
        }
    }
}

/* A sheet's places. */
typedef struct Grid {
    int rows, step_x, step_y;       /* pixels from tile to tile */
    int columns_of_text, lines;     /* of a caption */
} Grid;

static Grid plan_grid(const SheetLayout *l, const SheetTile *tiles, int count)
{
    int width = l->width * l->scale;
    Grid g = {.rows = (count + l->columns - 1) / l->columns,
              .columns_of_text = width / TEXT_WIDTH > 0 ? width / TEXT_WIDTH : 1};
    for (int i = 0; i < count; i++) {
        int n = lettering_lines(tiles[i].caption, g.columns_of_text);
        g.lines = n > g.lines ? n : g.lines;
    }
    g.lines = l->lines > 0 && g.lines > l->lines ? l->lines : g.lines;
    g.step_x = width + l->gap;
    g.step_y = l->height * l->scale + l->gap + (g.lines > 0 ? g.lines * TEXT_HEIGHT + 3 : 0);
    return g;
}

bool sheet_draw(Image *out, const SheetLayout *layout, const SheetTile *tiles, int count, SoraError *err)
{
    *out = (Image){0};
    SheetLayout l = *layout;
    l.scale = l.scale > 0 ? l.scale : 1;
    l.gap = l.gap > 0 ? l.gap : 6;
    if (count < 1 || count > 10000 || l.width < 1 || l.height < 1 || l.width > 4096 || l.height > 4096 ||
        l.scale > 16 || l.gap > 256 || l.lines > 100)
        return error_set(err, SORA_ERROR_INPUT, "contact sheet of %d tiles of %dx%d, %d times as large",
                         count, l.width, l.height, l.scale);
    l.columns = l.columns > 0 ? l.columns : (int)ceil(sqrt(count));
    l.columns = l.columns < count ? l.columns : count;
    Grid g = plan_grid(&l, tiles, count);
    Lettering *letters = lettering_new();
    if (letters == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "contact sheet: out of memory");
    if (!image_init(out, l.gap + l.columns * g.step_x, l.gap + g.rows * g.step_y, err)) {
        lettering_free(letters);
        return error_wrap(err, "contact sheet");
    }
    for (int y = 0; y < out->height; y++)
        for (int x = 0; x < out->width; x++)
            image_set_pixel(out, x, y, PAPER);
    for (int i = 0; i < count; i++) {
        int x = l.gap + i % l.columns * g.step_x, y = l.gap + i / l.columns * g.step_y;
        if (tiles[i].rgb != NULL)
            draw_tile(out, x, y, &l, tiles[i].rgb);
        if (tiles[i].caption != NULL && g.lines > 0)
            lettering_draw(letters, out, &(TextBox){tiles[i].caption, x, y + l.height * l.scale + 3, g.columns_of_text,
                                                    g.lines, INK});
    }
    lettering_free(letters);
    return true;
}

bool sheet_write(const char *path, const SheetLayout *layout, const SheetTile *tiles, int count,
                 SoraError *err)
{
    Image sheet;
    bool ok = sheet_draw(&sheet, layout, tiles, count, err) && image_write_png(&sheet, path, NULL, NULL, err);
    image_deinit(&sheet);
    return ok;
}
