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

void score_print_rows(const ScoreRow *rows, int count)
{
    static const char *const HEADS[SCORE_GROUPS] = {"% right", "seen", "unseen", "English", "Japanese"};
    bool eyes = count > 0 && rows[0].eye != NULL;
    printf("%-20s %5s", "", "asked");
    for (int g = 0; g < SCORE_GROUPS; g++)
        printf("  %-*s", CELL, HEADS[g]);
    printf("  real    codec%s\n", eyes ? "   eye" : "");
    for (int i = 0; i < count; i++) {
        const ScoreRow *row = &rows[i];
        if (row->made[GROUP_ALL].asked == 0)
            continue;
        printf("%-20s %5d", row->name, row->made[GROUP_ALL].asked);
        for (int g = 0; g < SCORE_GROUPS; g++)
            print_cell(row->made[g]);
        print_ceiling(row->real);
        print_ceiling(row->coded);
        printf("%s%s\n", eyes ? "  " : "", eyes ? row->eye : "");
    }
}

static void print_rows(const ScoreReport *r)
{
    ScoreRow rows[SCORE_ROWS];
    for (int row = 0; row < SCORE_ROWS; row++)
        rows[row] = (ScoreRow){.name = score_row_name(row), .made = r->made.rows[row], .real = r->real.rows[row][GROUP_ALL],
                               .coded = r->coded.rows[row][GROUP_ALL]};
    score_print_rows(rows, SCORE_ROWS);
    Tally t = r->made.rows[ROW_TRACK][GROUP_ALL];
    if (t.asked > 0)
        printf("by track %d go the right way, %d stay, %d go the opposite way, %d another\n", t.right, r->made.still,
               r->made.opposite, t.asked - t.right - r->made.still - r->made.opposite);
}

void score_print_flips(const ScorePart *made, const ScorePart *real, const ScorePart *coded)
{
    int pairs = 0;
    for (int f = 0; f < FLIPS; f++)
        pairs += made->flips[f].both.asked;
    if (pairs == 0)
        return;
    puts("\none word changed, the same seed:");
    printf("%-20s %5s  %-*s  %-*s  real    codec\n", "", "pairs", CELL, "% both right", CELL, "% differ");
    for (int f = 0; f < FLIPS; f++) {
        if (made->flips[f].both.asked == 0)
            continue;
        printf("%-20s %5d", score_flip_name(f), made->flips[f].both.asked);
        print_cell(made->flips[f].both);
        print_cell(made->flips[f].turned);
        print_ceiling(real->flips[f].both);
        print_ceiling(coded->flips[f].both);
        putchar('\n');
    }
}

void score_print_table(const ScoreReport *r)
{
    printf("%s: %d prompts, %d %s, %d videos\n", r->model, r->prompts, r->seeds, r->seeds == 1 ? "seed" : "seeds", r->made.videos);
    print_rows(r);
    score_print_flips(&r->made, &r->real, &r->coded);
    puts("\nin brackets: 95 % intervals (Wilson). real: the same judge on drawn clips of the same scenes; codec: on these "
         "clips through the model's autoencoder");
}

json_t *score_tally_json(Tally t)
{
    Interval i = tally_interval(t);
    return json_pack("{s:i,s:i,s:f,s:f}", "right", t.right, "asked", t.asked, "low", i.low, "high", i.high);
}

json_t *score_groups_json(const Tally *t)
{
    static const char *const GROUPS[SCORE_GROUPS] = {"all", "seen", "unseen", "en", "ja"};
    json_t *groups = json_object();
    for (int g = 0; g < SCORE_GROUPS; g++)
        json_object_set_new(groups, GROUPS[g], score_tally_json(t[g]));
    return groups;
}

json_t *score_flips_json(const ScorePart *p)
{
    json_t *flips = json_object();
    for (int f = 0; f < FLIPS; f++)
        json_object_set_new(flips, score_flip_name(f), json_pack("{s:o,s:o}", "both", score_tally_json(p->flips[f].both), "differ",
                                                                 score_tally_json(p->flips[f].turned)));
    return flips;
}

static json_t *part_json(const ScorePart *p)
{
    json_t *rows = json_object();
    for (int row = 0; row < SCORE_ROWS; row++)
        json_object_set_new(rows, score_row_name(row), score_groups_json(p->rows[row]));
    return json_pack("{s:i,s:o,s:o,s:i,s:i}", "videos", p->videos, "right", rows, "flips", score_flips_json(p), "still", p->still,
                     "opposite", p->opposite);
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
