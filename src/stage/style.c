#include "stage/style.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stage/paint.h"

/* The words of src/cli/styles.json come first. */
static const char *const WORDS[STYLE_COUNT][2] = {
    {"", ""},
    {"a pencil drawing|drawn in pencil|a sketch in pencil", "鉛筆画|鉛筆のスケッチ"},
    {"a watercolor painting|painted in watercolor|in watercolor", "水彩画|水彩で描いた絵"},
    {"pixel art|in pixel art|as pixel art", "ピクセルアート|ドット絵"},
    {"in sepia|a sepia photograph|an old sepia photograph", "セピア色|セピア色の写真"},
    {"seen through night vision|night vision|through a night vision camera", "暗視カメラの映像|暗視映像"},
    {"black and white film noir|in black and white|black and white", "白黒のフィルムノワール|白黒|モノクロ"},
};

/* As a sentence of their own. */
static const char *const SENTENCES[STYLE_COUNT] = {"", "It is a pencil drawing.", "It is a watercolor painting.", "It is pixel art.",
                                                   "It is in sepia.", "It is seen through night vision.",
                                                   "It is black and white film noir."};

int style_draw(uint64_t seed, uint64_t index, float share)
{
    Rng rng;
    rng_init(&rng, seed ^ 0x571e5ull << 24, index);
    return rng_uniform(&rng) < share ? 1 + rng_int(&rng, STYLE_COUNT - 1) : STYLE_PLAIN;
}

/* --- pixels --- */

static float light_of(const uint8_t *p)
{
    return 0.299f * (float)p[0] + 0.587f * (float)p[1] + 0.114f * (float)p[2];
}

static uint8_t byte(float x)
{
    return x <= 0 ? 0 : x >= 255 ? 255 : (uint8_t)(x + 0.5f);
}

static int unit_of(const StyleFrame *f)
{
    return f->width < f->height ? f->width : f->height;
}

/* How steep the lightness of `work` is at a place. */
static float edge_at(const StyleFrame *f, int x, int y)
{
    int l = x > 0 ? x - 1 : x, r = x + 1 < f->width ? x + 1 : x, u = y > 0 ? y - 1 : y, d = y + 1 < f->height ? y + 1 : y;
    const uint8_t *row = f->work + 3 * (size_t)y * (size_t)f->width;
    float across = light_of(row + 3 * r) - light_of(row + 3 * l);
    float along = light_of(f->work + 3 * ((size_t)d * (size_t)f->width + (size_t)x)) -
                  light_of(f->work + 3 * ((size_t)u * (size_t)f->width + (size_t)x));
    return sqrtf(across * across + along * along);
}

/* From the middle 1 to the corners 0. */
static float vignette(const StyleFrame *f, int x, int y)
{
    float u = 2 * ((float)x + 0.5f) / (float)f->width - 1, v = 2 * ((float)y + 0.5f) / (float)f->height - 1;
    return 1 - smooth(0.5f, 1.45f, sqrtf(u * u + v * v));
}

/* --- styles, pixel by pixel: from work to rgb --- */

typedef void Painter(const StyleFrame *f, int x, int y, const uint8_t *from, uint8_t *to);

/* Grey lines on paper, hatched where it is dark. */
static void pencil(const StyleFrame *f, int x, int y, const uint8_t *from, uint8_t *to)
{
    float light = light_of(from) / 255, grain = paint_noise(f->seed, (float)x * 0.7f, (float)y * 0.7f);
    float period = fmaxf(3, (float)unit_of(f) / 40), hatch = fabsf(fmodf((float)(x + y), period) / period - 0.5f) * 2;
    float tone = 236 + 14 * grain - 70 * (1 - light) - (light < 0.45f ? 60 * (1 - light) * hatch : 0);
    float v = tone - fminf(190, 2.1f * edge_at(f, x, y));
    to[0] = byte(v);
    to[1] = byte(v - 1);
    to[2] = byte(v - 5);
}

/* Light, blotchy colour that gathers at its edges. `work` is blurred. */
static void watercolor(const StyleFrame *f, int x, int y, const uint8_t *from, uint8_t *to)
{
    float s = 128 / (float)unit_of(f), blotch = paint_fbm(f->seed, (float)x * s / 14, (float)y * s / 14, 3);
    float paper = paint_noise(f->seed + 1, (float)x * 0.9f, (float)y * 0.9f);
    float thin = 0.30f + 0.35f * blotch, dark = fminf(60, 0.9f * edge_at(f, x, y));
    for (int c = 0; c < 3; c++)
        to[c] = byte((float)from[c] + (250 - (float)from[c]) * thin - dark + 8 * (paper - 0.5f));
}

static void sepia(const StyleFrame *f, int x, int y, const uint8_t *from, uint8_t *to)
{
    float light = 30 + 0.80f * light_of(from), v = 0.65f + 0.35f * vignette(f, x, y);
    to[0] = byte(light * 1.08f * v);
    to[1] = byte(light * 0.87f * v);
    to[2] = byte(light * 0.62f * v);
}

static void night_vision(const StyleFrame *f, int x, int y, const uint8_t *from, uint8_t *to)
{
    uint32_t h = paint_hash(f->seed + (uint32_t)f->number * 7919u, (uint32_t)x, (uint32_t)y);
    float grain = (float)(h >> 16 & 255) / 255 - 0.5f, line = y / (unit_of(f) / 128 + 1) % 2 == 0 ? 1 : 0.86f;
    float light = (20 + 0.95f * light_of(from) + 56 * grain) * line * (0.15f + 0.85f * vignette(f, x, y));
    to[0] = byte(0.22f * light);
    to[1] = byte(light);
    to[2] = byte(0.30f * light);
}

static void noir(const StyleFrame *f, int x, int y, const uint8_t *from, uint8_t *to)
{
    float light = 255 * smooth(0.18f, 0.82f, light_of(from) / 255) * (0.45f + 0.55f * vignette(f, x, y));
    to[0] = to[1] = to[2] = byte(light);
}

/* --- styles of more than a pixel --- */

/* Squares of one colour, of few colours. */
static void paint_pixels(const StyleFrame *f)
{
    const float STEP = 51; /* six values of each channel */
    int side = unit_of(f) / 40 > 1 ? unit_of(f) / 40 : 2;
    for (int y0 = 0; y0 < f->height; y0 += side)
        for (int x0 = 0; x0 < f->width; x0 += side) {
            int x1 = x0 + side < f->width ? x0 + side : f->width, y1 = y0 + side < f->height ? y0 + side : f->height;
            float sum[3] = {0}, count = (float)((x1 - x0) * (y1 - y0));
            for (int y = y0; y < y1; y++)
                for (int x = x0; x < x1; x++)
                    for (int c = 0; c < 3; c++)
                        sum[c] += (float)f->rgb[3 * ((size_t)y * (size_t)f->width + (size_t)x) + (size_t)c];
            for (int y = y0; y < y1; y++)
                for (int x = x0; x < x1; x++)
                    for (int c = 0; c < 3; c++)
                        f->rgb[3 * ((size_t)y * (size_t)f->width + (size_t)x) + (size_t)c] = byte(STEP * floorf(sum[c] / count / STEP + 0.5f));
        }
}

/* rgb into work, each pixel the mean of those around it. */
static void blur(const StyleFrame *f, int radius)
{
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++) {
            int sum[3] = {0}, count = 0;
            for (int v = y - radius; v <= y + radius; v++)
                for (int u = x - radius; u <= x + radius; u++)
                    if (u >= 0 && u < f->width && v >= 0 && v < f->height) {
                        const uint8_t *p = f->rgb + 3 * ((size_t)v * (size_t)f->width + (size_t)u);
                        for (int c = 0; c < 3; c++)
                            sum[c] += p[c];
                        count++;
                    }
            for (int c = 0; c < 3; c++)
                f->work[3 * ((size_t)y * (size_t)f->width + (size_t)x) + (size_t)c] = (uint8_t)((sum[c] + count / 2) / count);
        }
}

void style_paint(int style, const StyleFrame *f)
{
    static Painter *const PAINTERS[STYLE_COUNT] = {[STYLE_PENCIL] = pencil, [STYLE_WATERCOLOR] = watercolor, [STYLE_SEPIA] = sepia,
                                                   [STYLE_NIGHT_VISION] = night_vision, [STYLE_NOIR] = noir};
    if (style == STYLE_PIXEL_ART)
        paint_pixels(f);
    if (style <= STYLE_PLAIN || style >= STYLE_COUNT || PAINTERS[style] == NULL)
        return;
    if (style == STYLE_WATERCOLOR)
        blur(f, unit_of(f) / 100 + 1);
    else
        memcpy(f->work, f->rgb, 3 * (size_t)f->width * (size_t)f->height);
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++) {
            size_t at = 3 * ((size_t)y * (size_t)f->width + (size_t)x);
            PAINTERS[style](f, x, y, f->work + at, f->rgb + at);
        }
}

/* --- words --- */

const char *style_words(int style, StageLanguage language)
{
    return style > STYLE_PLAIN && style < STYLE_COUNT ? WORDS[style][language] : "";
}

void style_say(int style, StageLanguage language, StageCaptionKind kind, Rng *rng, Text *text)
{
    char buffer[128];
    const char *words = style_words(style, language);
    if (*words == 0)
        return;
    words = rng_uniform(rng) < 0.6f ? text_item(words, 0, buffer) : text_pick(rng, words, buffer);
    bool sentence = kind == CAPTION_MEDIUM || kind == CAPTION_DETAILED; /* what is there ends with a full stop */
    if (language == LANGUAGE_JA)
        text_add(text, sentence ? "%s。" : "、%s", words);
    else if (sentence)
        text_add(text, " %s", SENTENCES[style]);
    else
        text_add(text, ", %s", words);
}
