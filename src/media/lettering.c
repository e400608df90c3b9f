#include "media/lettering.h"

#include <fontconfig/fontconfig.h>
#include <ft2build.h>
#include FT_FREETYPE_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

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

enum { TEXT_TOP = 2, FONT_SIZE = 12, MAX_LINE = 1024 }; /* pixels; bytes */

struct Lettering {
    bool looked; /* for a font */
    FT_Library library;
    FT_Face face; /* NULL: none on this machine */
};

Lettering *lettering_new(void)
{
    return calloc(1, sizeof(Lettering));
}

void lettering_free(Lettering *l)
{
    if (l != NULL && l->library != NULL)
        FT_Done_FreeType(l->library); /* and its faces */
    free(l);
}

/* The font that this machine has for Japanese, which as a rule has the other scripts of Asia and Europe too. */
static FT_Face find_face(FT_Library library)
{
    FcConfig *config = FcInitLoadConfigAndFonts();
    FcPattern *pattern = FcNameParse((const FcChar8 *)"sans:lang=ja:spacing=mono"), *match = NULL;
    FT_Face face = NULL;
    FcChar8 *file;
    FcResult result;
    int index = 0;
    if (config != NULL && pattern != NULL && FcConfigSubstitute(config, pattern, FcMatchPattern)) {
        FcDefaultSubstitute(pattern);
        match = FcFontMatch(config, pattern, &result);
    }
    if (match != NULL && FcPatternGetString(match, FC_FILE, 0, &file) == FcResultMatch) {
        FcPatternGetInteger(match, FC_INDEX, 0, &index);
        if (FT_New_Face(library, (const char *)file, index, &face) != 0)
            face = NULL;
    }
    if (match != NULL)
        FcPatternDestroy(match);
    if (pattern != NULL)
        FcPatternDestroy(pattern);
    if (config != NULL)
        FcConfigDestroy(config);
    return face != NULL && FT_Set_Pixel_Sizes(face, 0, FONT_SIZE) == 0 ? face : NULL;
}

static FT_Face face_of(Lettering *l)
{
    if (!l->looked) {
        l->looked = true;
        if (FT_Init_FreeType(&l->library) == 0)
            l->face = find_face(l->library);
        else
            l->library = NULL;
    }
    return l->face;
}

static void draw_bits(Image *image, int x, int y, uint64_t glyph, uint32_t color)
{
    for (int row = 0; row < GLYPH_ROWS; row++)
        for (int column = 0; column < GLYPH_COLUMNS; column++) {
            int bit = (GLYPH_ROWS - 1 - row) * GLYPH_COLUMNS + GLYPH_COLUMNS - 1 - column;
            if (glyph >> bit & 1)
                image_set_pixel(image, x + column, y + row, color);
        }
}

/* Ink over what is there, as much as coverage of 255 says. */
static void blend(Image *image, int x, int y, uint32_t color, int coverage)
{
    if (x < 0 || y < 0 || x >= image->width || y >= image->height)
        return;
    uint8_t *p = image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x);
    for (int c = 0; c < 3; c++) {
        int ink = (int)(color >> (16 - 8 * c) & 255);
        p[c] = (uint8_t)(p[c] + (ink - p[c]) * coverage / 255);
    }
}

/* False if no font has it. */
static bool draw_font(Lettering *l, Image *image, int x, int y, int32_t rune, uint32_t color)
{
    FT_Face face = face_of(l);
    if (face == NULL || FT_Get_Char_Index(face, (FT_ULong)rune) == 0 ||
        FT_Load_Char(face, (FT_ULong)rune, FT_LOAD_RENDER | FT_LOAD_NO_BITMAP) != 0 ||
        face->glyph->bitmap.pixel_mode != FT_PIXEL_MODE_GRAY)
        return false;
    const FT_Bitmap *b = &face->glyph->bitmap;
    int left = x + face->glyph->bitmap_left, top = y + FONT_SIZE - 2 - face->glyph->bitmap_top;
    for (int row = 0; row < (int)b->rows; row++)
        for (int column = 0; column < (int)b->width; column++)
            blend(image, left + column, top + row, color, b->buffer[row * b->pitch + column]);
    return true;
}

/* The character at s, at most n bytes, and how many cells it takes; bytes that are no UTF-8 are one cell each. */
static int take_character(const char *s, size_t n, int32_t *rune, int *cells)
{
    int size = (int)utf8proc_iterate((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, rune);
    *cells = size > 0 ? utf8proc_charwidth(*rune) : 1;
    *rune = size > 0 ? *rune : 0xfffd;
    return size > 0 ? size : 1;
}

static void draw_line(Lettering *l, Image *image, int x, int y, const char *text, uint32_t color)
{
    int32_t rune;
    int cells;
    for (size_t n = strlen(text); n > 0 && x < image->width; x += cells * TEXT_WIDTH) {
        int size = take_character(text, n, &rune, &cells);
        if (rune >= FIRST_GLYPH && rune <= LAST_GLYPH)
            draw_bits(image, x, y + TEXT_TOP, GLYPHS[rune - FIRST_GLYPH], color);
        else if (cells > 0 && !draw_font(l, image, x, y, rune, color))
            draw_bits(image, x, y + TEXT_TOP, BOX, color);
        text += size;
        n -= (size_t)size;
    }
}

/* Bytes of s that fit on a line of so many cells: cut after a word, or anywhere beside a wide character. At least one
 * character. */
static size_t line_size(const char *s, int columns)
{
    size_t fits = 0, good = 0, n = strlen(s);
    for (int used = 0; fits < n;) {
        int32_t rune;
        int cells, size = take_character(s + fits, n - fits, &rune, &cells);
        used += cells;
        if (used > columns && fits > 0)
            break;
        fits += (size_t)size;
        if (s[fits] == ' ' || s[fits] == 0 || cells > 1)
            good = fits;
    }
    return good > 0 ? good : fits;
}

int lettering_lines(const char *text, int columns)
{
    int lines = 0;
    for (const char *s = text; s != NULL && *s; lines++) {
        s += line_size(s, columns);
        s += strspn(s, " ");
    }
    return lines;
}

void lettering_draw(Lettering *l, Image *image, const TextBox *box)
{
    const char *s = box->text;
    for (int line = 0, y = box->y; *s && (box->lines == 0 || line < box->lines); line++, y += TEXT_HEIGHT) {
        size_t n = line_size(s, box->columns);
        const char *next = s + n + strspn(s + n, " ");
        char text[MAX_LINE];
        bool cut = box->lines > 0 && line == box->lines - 1 && *next != 0;
        if (cut && box->columns > 2)
            n = line_size(s, box->columns - 2);
        n = n < sizeof text - 3 ? n : sizeof text - 3;
        snprintf(text, sizeof text, "%.*s%s", (int)n, s, cut ? ".." : "");
        draw_line(l, image, box->x, y, text, box->color);
        s = next;
    }
}
