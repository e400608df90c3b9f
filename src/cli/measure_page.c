/* The page of `sora measure`: plots as SVG, and the pictures behind each number. */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/measuring.h"
#include "media/image.h"

enum { EXAMPLES = 4, SHOWN = 3, SIDE = 96 }; /* right ones, and as many wrong ones, of each number; frames of each; pixels */

static const char STYLE[] =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.2rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}figure{display:inline-block;margin:.3rem .6rem .3rem 0;vertical-align:top;width:18.2rem}"
    "figure img{display:block}figcaption{font-size:.8rem}.right img{border-left:4px solid #208040}.wrong img{border-left:4px solid #c03020}"
    "summary{cursor:pointer;font-weight:600;margin:.6rem 0}svg{max-width:100%}.note{color:#555}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#181818}td,th{border-color:#444}.note{color:#aaa}svg{color:#eee}}";

static void put_text(FILE *out, const char *text)
{
    for (const char *c = text; *c != 0; c++) {
        const char *name = *c == '<' ? "&lt;" : *c == '>' ? "&gt;" : *c == '&' ? "&amp;" : *c == '"' ? "&quot;" : NULL;
        if (name != NULL)
            fputs(name, out);
        else
            fputc(*c, out);
    }
}

static double percent(Tally t)
{
    return t.asked > 0 ? 100.0 * t.right / t.asked : 0;
}

/* A bar for each number, with its interval, and a line where the eye itself is on drawn clips. */
static void put_plot(FILE *out, const MeasureReport *r)
{
    enum { LEFT = 190, WIDE = 400, STEP = 26 };
    int rows = 0;
    for (int row = 0; row < MEASURE_ROWS; row++)
        rows += r->rows[SHOT_MADE][row][GROUP_ALL].asked > 0;
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%d\" height=\"%d\" font-size=\"13\" fill=\"currentColor\">"
                 "<title>Shares of right answers with 95 %% intervals</title>\n", LEFT + WIDE + 70, rows * STEP + 30);
    for (int tick = 0; tick <= 100; tick += 25)
        fprintf(out, "<path d=\"M%d 0V%d\" stroke=\"#8884\"/><text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%d %%</text>\n", LEFT + tick * WIDE / 100,
                rows * STEP + 6, LEFT + tick * WIDE / 100, rows * STEP + 22, tick);
    int y = 4;
    for (int row = 0; row < MEASURE_ROWS; row++) {
        Tally t = r->rows[SHOT_MADE][row][GROUP_ALL], real = r->rows[SHOT_REAL][row][GROUP_ALL];
        if (t.asked == 0)
            continue;
        Interval i = tally_interval(t);
        fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text><rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"14\" fill=\"#3070c0\"/>"
                     "<path d=\"M%.1f %dH%.1f\" stroke=\"currentColor\" stroke-width=\"2\"/>",
                LEFT - 8, y + 12, measure_row_name(row), LEFT, y, percent(t) * WIDE / 100, LEFT + i.low * WIDE, y + 7, LEFT + i.high * WIDE);
        if (real.asked > 0)
            fprintf(out, "<path d=\"M%.1f %dv20\" stroke=\"#e08000\" stroke-width=\"3\"/>", LEFT + percent(real) * WIDE / 100, y - 3);
        fprintf(out, "<text x=\"%d\" y=\"%d\">%.1f</text>\n", LEFT + WIDE + 12, y + 12, percent(t));
        y += STEP;
    }
    fputs("</svg>\n<p class=\"note\">Bars: share that is right; lines: 95 % intervals (Wilson); orange: the same eye on clips of the same scenes "
          "as Emoji Stage draws them. No model can be expected to score above it.</p>\n", out);
}

static void put_cell(FILE *out, Tally t)
{
    Interval i = tally_interval(t);
    if (t.asked == 0)
        fputs("<td>–</td>", out);
    else
        fprintf(out, "<td>%.1f (%.0f–%.0f)</td>", percent(t), 100 * i.low, 100 * i.high);
}

static void put_table(FILE *out, const MeasureReport *r)
{
    fputs("<table><tr><th>%</th><th>asked</th><th>right</th><th>seen</th><th>unseen</th><th>English</th><th>Japanese</th><th>real</th><th>codec</th>"
          "<th>eye</th></tr>\n", out);
    for (int row = 0; row < MEASURE_ROWS; row++) {
        const Tally *t = r->rows[SHOT_MADE][row];
        if (t[GROUP_ALL].asked == 0)
            continue;
        fprintf(out, "<tr><td>%s</td><td>%d</td>", measure_row_name(row), t[GROUP_ALL].asked);
        for (int g = 0; g < SCORE_GROUPS; g++)
            put_cell(out, t[g]);
        for (int kind = SHOT_REAL; kind < SHOT_KINDS; kind++) {
            Tally c = r->rows[kind][row][GROUP_ALL];
            fprintf(out, c.asked > 0 ? "<td>%.1f</td>" : "<td>–</td>", percent(c));
        }
        fprintf(out, "<td>%s</td></tr>\n", measure_row_eye(row));
    }
    fputs("</table>\n", out);
    const ScorePart *p = &r->score[SHOT_MADE];
    for (int f = 0; f < FLIPS; f++)
        if (p->flips[f].both.asked > 0) {
            fprintf(out, "<p>One word changed (%s), the same seed, %d pairs: both right %.1f %%, the two differ %.1f %%.</p>\n", score_flip_name(f),
                    p->flips[f].both.asked, percent(p->flips[f].both), percent(p->flips[f].turned));
        }
    for (int i = 0; i < 2; i++) {
        int action = i == 0 ? ACTION_FALL : ACTION_BOUNCE;
        FallFigures made = measure_falls(r, SHOT_MADE, action), real = measure_falls(r, SHOT_REAL, action);
        if (made.count > 0)
            fprintf(out, "<p>%d that %s: gravity %.1f heights/s², restitution %.2f (medians); drawn clips %.1f and %.2f.</p>\n", made.count,
                    stage_action_name(action), made.gravity, made.restitution, real.gravity, real.restitution);
    }
}

/* As a data: URL. */
static bool put_image(FILE *out, const Image *image, SoraError *err)
{
    size_t size;
    uint8_t *jpeg = image_encode_jpeg(image, &size, err);
    char *text = jpeg != NULL ? malloc(size / 3 * 4 + 8) : NULL;
    if (text != NULL) {
        EVP_EncodeBlock((unsigned char *)text, jpeg, (int)size);
        fprintf(out, "<img alt=\"\" width=\"%d\" height=\"%d\" src=\"data:image/jpeg;base64,%s\">", image->width, image->height, text);
    }
    free(jpeg);
    free(text);
    return text != NULL || (jpeg == NULL ? false : error_no_memory(err));
}

/* A few frames beside each other, small. */
static bool put_frames(FILE *out, Scorer *s, const Shot *shot, SoraError *err)
{
    Strip strip;
    Image row = {0};
    if (!scorer_strip(s, shot, &strip, err))
        return false;
    bool ok = image_init(&row, SHOWN * SIDE, SIDE, err);
    for (int k = 0; ok && k < SHOWN; k++) {
        size_t frame = (size_t)strip.width * (size_t)strip.height * 3;
        Image whole = {strip.width, strip.height, strip.rgb + frame * (size_t)((strip.frames - 1) * k / (SHOWN - 1))}, small;
        ok = image_cover(&small, &whole, SIDE, SIDE, err);
        for (int y = 0; ok && y < SIDE; y++)
            memcpy(row.rgb + 3 * (size_t)(y * SHOWN * SIDE + k * SIDE), small.rgb + 3 * (size_t)(y * SIDE), 3 * SIDE);
        if (ok)
            image_deinit(&small);
    }
    ok = ok && put_image(out, &row, err);
    image_deinit(&row);
    strip_deinit(&strip);
    return ok;
}

static bool put_example(FILE *out, const MeasureReport *r, int i, bool right, SoraError *err)
{
    const Asks *asks = &r->scorer->asks;
    Shot shot = {SHOT_MADE, i % asks->count, i / asks->count};
    fprintf(out, "<figure class=\"%s\">", right ? "right" : "wrong");
    if (!put_frames(out, r->scorer, &shot, err))
        return false;
    fputs("<figcaption>", out);
    put_text(out, asks->items[shot.row].prompt);
    fprintf(out, " (%s, seed %d)</figcaption></figure>\n", right ? "right" : "wrong", shot.seed);
    return true;
}

/* Of right and of wrong answers to a row a few, evenly taken. */
static bool put_examples(FILE *out, const MeasureReport *r, int row, SoraError *err)
{
    const Asks *asks = &r->scorer->asks;
    Tally t = r->rows[SHOT_MADE][row][GROUP_ALL];
    int total[2] = {t.asked - t.right, t.right}, met[2] = {0};
    if (t.asked == 0)
        return true;
    fprintf(out, "<details><summary>%s: %d of %d right</summary>\n", measure_row_name(row), t.right, t.asked);
    for (int i = 0; i < asks->count * r->seeds; i++) {
        const Ask *a = &asks->items[i % asks->count];
        const Seen *s = &r->seen[SHOT_MADE][i];
        if (!s->seen || a->of >= 0 || !measure_asked(a, row))
            continue;
        bool right = measure_right(a, s, row);
        int n = total[right], k = met[right]++;
        bool taken = n <= EXAMPLES || (int64_t)k * EXAMPLES / n != (int64_t)(k + 1) * EXAMPLES / n;
        if (taken && !put_example(out, r, i, right, err))
            return false;
    }
    fputs("</details>\n", out);
    return true;
}

static void put_head(FILE *out, const MeasureReport *r)
{
    fprintf(out, "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
                 "<title>sora measure</title><style>%s</style>\n<h1>", STYLE);
    put_text(out, r->title);
    fputs("</h1>\n<p>Suite ", out);
    put_text(out, r->suite);
    fprintf(out, ": %d prompts, %d %s, %d videos.", scorer_taken(r->scorer), r->seeds, r->seeds == 1 ? "seed" : "seeds", r->videos);
    if (r->failed > 0)
        fprintf(out, " %d videos could not be read and are not counted.", r->failed);
    fputs(" Eyes: probe is a small network that knows Emoji Stage; track is where what moves goes, by arithmetic; blocks is which shift or zoom "
          "explains the frames. The captioner is no eye here: it has no weights yet.</p>\n", out);
}

bool measure_write_page(const MeasureReport *r, const char *path, SoraError *err)
{
    FileWriter w;
    if (!file_writer_open(&w, path, err))
        return false;
    put_head(w.stream, r);
    put_plot(w.stream, r);
    put_table(w.stream, r);
    fputs("<h2>The pictures behind the numbers</h2>\n", w.stream);
    for (int row = 0; row < MEASURE_ROWS; row++)
        if (!put_examples(w.stream, r, row, err)) {
            file_writer_abort(&w);
            return false;
        }
    fputs("</html>\n", w.stream);
    return file_writer_commit(&w, err);
}
