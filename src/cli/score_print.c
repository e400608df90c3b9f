#include "cli/score_print.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/json_file.h"

enum { CELL = 14 };

static double percent(Tally t)
{
    return t.asked > 0 ? 100.0 * t.right / t.asked : 0;
}

/* "85.3 (80-89)" */
static void print_cell(Tally t)
{
    char text[40] = "-";
    Interval i = tally_interval(t);
    if (t.asked > 0)
        snprintf(text, sizeof text, "%.1f (%.0f-%.0f)", percent(t), 100 * i.low, 100 * i.high);
    printf("  %-*s", CELL, text);
}

/* "99.1" */
static void print_ceiling(Tally t)
{
    if (t.asked > 0)
        printf("  %-6.1f", percent(t));
    else
        printf("  %-6s", "-");
}

static void print_rows(const ScoreReport *r)
{
    static const char *const HEADS[SCORE_GROUPS] = {"% right", "seen", "unseen", "English", "Japanese"};
    printf("%-20s %5s", "", "asked");
    for (int g = 0; g < SCORE_GROUPS; g++)
        printf("  %-*s", CELL, HEADS[g]);
    puts("  real    codec");
    for (int row = 0; row < SCORE_ROWS; row++) {
        if (r->made.rows[row][GROUP_ALL].asked == 0)
            continue;
        printf("%-20s %5d", score_row_name(row), r->made.rows[row][GROUP_ALL].asked);
        for (int g = 0; g < SCORE_GROUPS; g++)
            print_cell(r->made.rows[row][g]);
        print_ceiling(r->real.rows[row][GROUP_ALL]);
        print_ceiling(r->coded.rows[row][GROUP_ALL]);
        putchar('\n');
    }
    Tally t = r->made.rows[ROW_TRACK][GROUP_ALL];
    if (t.asked > 0)
        printf("by track %d go the right way, %d stay, %d go the opposite way, %d another\n", t.right, r->made.still,
               r->made.opposite, t.asked - t.right - r->made.still - r->made.opposite);
}

static void print_flips(const ScoreReport *r)
{
    puts("\none word changed, the same seed:");
    printf("%-20s %5s  %-*s  %-*s  real    codec\n", "", "pairs", CELL, "% both right", CELL, "% differ");
    for (int f = 0; f < FLIPS; f++) {
        if (r->made.flips[f].both.asked == 0)
            continue;
        printf("%-20s %5d", score_flip_name(f), r->made.flips[f].both.asked);
        print_cell(r->made.flips[f].both);
        print_cell(r->made.flips[f].turned);
        print_ceiling(r->real.flips[f].both);
        print_ceiling(r->coded.flips[f].both);
        putchar('\n');
    }
}

void score_print_table(const ScoreReport *r)
{
    printf("%s: %d prompts, %d %s, %d videos\n", r->model, r->prompts, r->seeds, r->seeds == 1 ? "seed" : "seeds", r->made.videos);
    print_rows(r);
    for (int f = 0; f < FLIPS; f++)
        if (r->made.flips[f].both.asked > 0) {
            print_flips(r);
            break;
        }
    puts("\nin brackets: 95 % intervals (Wilson). real: the same judge on drawn clips of the same scenes; codec: on these "
         "clips through the model's autoencoder");
}

static json_t *tally_json(Tally t)
{
    Interval i = tally_interval(t);
    return json_pack("{s:i,s:i,s:f,s:f}", "right", t.right, "asked", t.asked, "low", i.low, "high", i.high);
}

static json_t *part_json(const ScorePart *p)
{
    static const char *const GROUPS[SCORE_GROUPS] = {"all", "seen", "unseen", "en", "ja"};
    json_t *rows = json_object(), *flips = json_object();
    for (int row = 0; row < SCORE_ROWS; row++) {
        json_t *groups = json_object();
        for (int g = 0; g < SCORE_GROUPS; g++)
            json_object_set_new(groups, GROUPS[g], tally_json(p->rows[row][g]));
        json_object_set_new(rows, score_row_name(row), groups);
    }
    for (int f = 0; f < FLIPS; f++)
        json_object_set_new(flips, score_flip_name(f),
                            json_pack("{s:o,s:o}", "both", tally_json(p->flips[f].both), "differ", tally_json(p->flips[f].turned)));
    return json_pack("{s:i,s:o,s:o,s:i,s:i}", "videos", p->videos, "right", rows, "flips", flips, "still", p->still, "opposite",
                     p->opposite);
}

bool score_print_json(const ScoreReport *r, SoraError *err)
{
    json_t *root = json_pack("{s:s,s:i,s:i,s:o}", "model", r->model, "prompts", r->prompts, "seeds", r->seeds, "made",
                             part_json(&r->made));
    if (root != NULL && r->has_real)
        json_object_set_new(root, "real", part_json(&r->real));
    if (root != NULL && r->has_coded)
        json_object_set_new(root, "codec", part_json(&r->coded));
    char *text = root != NULL ? json_text(root, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) : NULL;
    if (text != NULL)
        puts(text);
    json_decref(root);
    free(text);
    return text != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory");
}
