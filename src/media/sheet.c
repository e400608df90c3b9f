#include "media/sheet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Glyphs of ' ' to '~': nine rows of five pixels, the first row in the highest bits, capitals on rows 0
 * to 6 and descenders below. */
static const uint64_t GLYPHS[95] = {
    0x000000000000, 0x042108401000, 0x0a5280000000, 0x0a57d5f52800, 0x047d1c5f1000, 0x19c88889cc00,
    0x0c9499593400, 0x042100000000, 0x022210820800, 0x082084222000, 0x00255d520000, 0x00213e420000,
    0x000000063088, 0x00003e000000, 0x000000063000, 0x010888884000, 0x0e8ceb98b800, 0x046108423800,
    0x0e8844447c00, 0x0e884c18b800, 0x0232a5f10800, 0x1f878218b800, 0x06443d18b800, 0x1f0884421000,
    0x0e8c5d18b800, 0x0e8c5e113000, 0x000318063000, 0x000318063088, 0x022220820800, 0x0007c1f00000,
    0x082082222000, 0x0e8844401000, 0x0e8deb783800, 0x0e8c7f18c400, 0x1e8c7d18f800, 0x0e8c2108b800,
    0x1e8c6318f800, 0x1f843d087c00, 0x1f843d084000, 0x0e8c2f18b800, 0x118c7f18c400, 0x0e2108423800,
    0x071084293000, 0x119531494400, 0x108421087c00, 0x11dd6b18c400, 0x11ce6b39c400, 0x0e8c6318b800,
    0x1e8c7d084000, 0x0e8c63593400, 0x1e8c7d494400, 0x0e8c1c18b800, 0x1f2108421000, 0x118c6318b800,
    0x118c62a51000, 0x118c6b5dc400, 0x118a88a8c400, 0x118a88421000, 0x1f0888887c00, 0x0e4210843800,
    0x108208208400, 0x0e1084213800, 0x045440000000, 0x0000000003e0, 0x082000000000, 0x000382f8bc00,
    0x1087a318f800, 0x0003e1083c00, 0x010be318bc00, 0x0003a3f83800, 0x064790842000, 0x0003e318bc2e,
    0x1087a318c400, 0x040308423800, 0x020184210a4c, 0x1084a98a4800, 0x0c2108423800, 0x0006ab5ad400,
    0x0007a318c400, 0x0003a318b800, 0x0007a318fa10, 0x0003e318bc21, 0x0005b3084000, 0x0003e0e0f800,
    0x084790849800, 0x00046318bc00, 0x000462a51000, 0x00046b5aa800, 0x000454454400, 0x00046318bc2e,
    0x0007c4447c00, 0x062110421800, 0x042108421080, 0x0c2104423000, 0x00022a200000,
};

enum { GLYPH_ROWS = 9, GLYPH_COLUMNS = 5, FIRST_GLYPH = ' ', LAST_GLYPH = '~' };
static const uint64_t BOX = 0x1f8c6318fc00; /* for what is not ASCII */

static const uint32_t PAPER = 0xf4f4f0, INK = 0x202024;

static void set_pixel(Image *image, int x, int y, uint32_t color)
{
    if (x < 0 || y < 0 || x >= image->width || y >= image->height)
        return;
    uint8_t *p = image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
    p[0] = (uint8_t)(color >> 16);
    p[1] = (uint8_t)(color >> 8);
    p[2] = (uint8_t)color;
}

static void draw_glyph(Image *image, int x, int y, uint64_t glyph, uint32_t color)
{
    for (int row = 0; row < GLYPH_ROWS; row++) {
        for (int column = 0; column < GLYPH_COLUMNS; column++) {
            int bit = (GLYPH_ROWS - 1 - row) * GLYPH_COLUMNS + GLYPH_COLUMNS - 1 - column;
            if (glyph >> bit & 1)
                set_pixel(image, x + column, y + row, color);
        }
    }
}

/* Bytes of the character at s: its UTF-8 continuation bytes go with it. */
static size_t character_size(const char *s)
{
    size_t n = 1;
    while (((unsigned char)s[n] & 0xc0) == 0x80)
        n++;
    return n;
}

void text_draw(Image *image, int x, int y, const char *text, uint32_t color)
{
    for (const char *s = text; *s && x < image->width; s += character_size(s), x += TEXT_WIDTH) {
        unsigned char c = (unsigned char)*s;
        draw_glyph(image, x, y, c >= FIRST_GLYPH && c <= LAST_GLYPH ? GLYPHS[c - FIRST_GLYPH] : BOX, color);
    }
}

/* Bytes of s that fit on a line of so many characters, cut after a word where there is one. */
static size_t line_size(const char *s, int characters)
{
    size_t fits = 0, words = 0;
    int n = 0;
    for (; s[fits] && n < characters; n++) {
        fits += character_size(s + fits);
        if (s[fits] == ' ' || s[fits] == 0)
            words = fits;
    }
    return words > 0 ? words : fits;
}

static int count_lines(const char *caption, int characters)
{
    int lines = 0;
    for (const char *s = caption; s != NULL && *s; lines++) {
        s += line_size(s, characters);
        s += strspn(s, " ");
    }
    return lines;
}

static void draw_caption(Image *image, int x, int y, const char *caption, int characters, int lines)
{
    const char *s = caption;
    for (int line = 0; line < lines && *s; line++, y += TEXT_HEIGHT) {
        size_t n = line_size(s, characters);
        const char *next = s + n + strspn(s + n, " ");
        char text[1024];
        bool cut = line == lines - 1 && *next != 0;
        n = n < sizeof text - 3 ? n : sizeof text - 3;
        memcpy(text, s, n);
        if (cut && n > 2 && n + 2 > (size_t)characters)
            n -= 2;
        snprintf(text + n, sizeof text - n, "%s", cut ? ".." : "");
        text_draw(image, x, y, text, INK);
        s = next;
    }
}

static void draw_tile(Image *image, int x0, int y0, const SheetLayout *l, const uint8_t *rgb)
{
    for (int y = 0; y < l->height * l->scale; y++) {
        for (int x = 0; x < l->width * l->scale; x++) {
            const uint8_t *p = rgb + 3 * ((size_t)(y / l->scale) * (size_t)l->width + (size_t)(x / l->scale));
            set_pixel(image, x0 + x, y0 + y, (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]);
        }
    }
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
    int rows = (count + l.columns - 1) / l.columns, width = l.width * l.scale, height = l.height * l.scale;
    int characters = width / TEXT_WIDTH > 0 ? width / TEXT_WIDTH : 1, lines = 0;
    for (int i = 0; i < count; i++) {
        int n = count_lines(tiles[i].caption, characters);
        lines = n > lines ? n : lines;
    }
    lines = l.lines > 0 && lines > l.lines ? l.lines : lines;
    int caption_height = lines > 0 ? lines * TEXT_HEIGHT + 3 : 0;
    int step_x = width + l.gap, step_y = height + l.gap + caption_height;
    if (!image_init(out, l.gap + l.columns * step_x, l.gap + rows * step_y, err))
        return error_wrap(err, "contact sheet");
    for (int y = 0; y < out->height; y++) {
        for (int x = 0; x < out->width; x++)
            set_pixel(out, x, y, PAPER);
    }
    for (int i = 0; i < count; i++) {
        int x = l.gap + i % l.columns * step_x, y = l.gap + i / l.columns * step_y;
        if (tiles[i].rgb != NULL)
            draw_tile(out, x, y, &l, tiles[i].rgb);
        if (tiles[i].caption != NULL)
            draw_caption(out, x, y + height + 3, tiles[i].caption, characters, lines);
    }
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
