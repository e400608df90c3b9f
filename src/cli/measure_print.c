#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/measuring.h"
#include "cli/score_print.h"

static const int FALLS[] = {ACTION_FALL, ACTION_BOUNCE};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

FallFigures measure_falls(const MeasureReport *r, ShotKind kind, int action)
{
    FallFigures f = {0};
    const Asks *asks = &r->scorer->asks;
    int count = asks->count * (kind == SHOT_MADE ? r->seeds : 1);
    double *numbers = r->seen[kind] != NULL ? calloc(2 * (size_t)count + 1, sizeof *numbers) : NULL;
    if (numbers == NULL)
        return f;
    for (int i = 0; i < count; i++) {
        const Seen *s = &r->seen[kind][i];
        if (!s->seen || !s->fall.falls || asks->items[i % asks->count].want[Q_ACTION] != action)
            continue;
        numbers[f.count] = s->fall.gravity;
        numbers[count + f.count++] = s->fall.restitution;
    }
    if (f.count > 0) {
        qsort(numbers, (size_t)f.count, sizeof *numbers, by_value);
        qsort(numbers + count, (size_t)f.count, sizeof *numbers, by_value);
        f.gravity = numbers[f.count / 2];
        f.restitution = numbers[count + f.count / 2];
    }
    free(numbers);
    return f;
}

static void print_falls(const MeasureReport *r)
{
    for (int i = 0; i < 2; i++) {
        FallFigures made = measure_falls(r, SHOT_MADE, FALLS[i]), real = measure_falls(r, SHOT_REAL, FALLS[i]);
        if (made.count == 0)
            continue;
        printf("of %d that %s: gravity %.1f heights/s2, restitution %.2f (medians", made.count, i == 0 ? "fall" : "bounce", made.gravity,
               made.restitution);
        if (real.count > 0)
            printf("; drawn clips %.1f and %.2f", real.gravity, real.restitution);
        puts(")");
    }
}

void measure_print_table(const MeasureReport *r)
{
    ScoreRow rows[MEASURE_ROWS];
    printf("%s, suite %s: %d prompts, %d %s, %d videos\n", r->title, r->suite, scorer_taken(r->scorer), r->seeds,
           r->seeds == 1 ? "seed" : "seeds", r->videos);
    for (int row = 0; row < MEASURE_ROWS; row++)
        rows[row] = (ScoreRow){.name = measure_row_name(row), .eye = measure_row_eye(row), .made = r->rows[SHOT_MADE][row],
                               .real = r->rows[SHOT_REAL][row][GROUP_ALL], .coded = r->rows[SHOT_CODED][row][GROUP_ALL]};
    score_print_rows(rows, MEASURE_ROWS);
    print_falls(r);
    score_print_flips(&r->score[SHOT_MADE], &r->score[SHOT_REAL], &r->score[SHOT_CODED]);
    puts("\nin brackets: 95 % intervals (Wilson). real: the same eye on drawn clips of the same scenes; codec: on these clips through the "
         "model's autoencoder. The captioner is no eye here: it has no weights yet");
}

static json_t *kind_json(const MeasureReport *r, ShotKind kind)
{
    json_t *rows = json_object(), *falls = json_object();
    for (int row = 0; row < MEASURE_ROWS; row++)
        if (r->rows[kind][row][GROUP_ALL].asked > 0)
            json_object_set_new(rows, measure_row_name(row), score_groups_json(r->rows[kind][row]));
    for (int i = 0; i < 2; i++) {
        FallFigures f = measure_falls(r, kind, FALLS[i]);
        if (f.count > 0)
            json_object_set_new(falls, stage_action_name(FALLS[i]),
                                json_pack("{s:i,s:f,s:f}", "count", f.count, "gravity", f.gravity, "restitution", f.restitution));
    }
    return json_pack("{s:i,s:o,s:o,s:o}", "videos", r->score[kind].videos, "right", rows, "flips", score_flips_json(&r->score[kind]),
                     "falls", falls);
}

/* A line a video: what it was asked for and what is right of it. */
static json_t *video_json(const MeasureReport *r, int i)
{
    const Asks *asks = &r->scorer->asks;
    const Ask *a = &asks->items[i % asks->count];
    json_t *right = json_object();
    for (int row = 0; row < MEASURE_ROWS; row++)
        if (measure_asked(a, row))
            json_object_set_new(right, measure_row_name(row), json_boolean(measure_right(a, &r->seen[SHOT_MADE][i], row)));
    return json_pack("{s:s,s:s,s:i,s:o}", "id", a->id, "prompt", a->prompt, "seed", i / asks->count, "right", right);
}

json_t *measure_json(const MeasureReport *r)
{
    static const char *const KINDS[SHOT_KINDS] = {"made", "real", "codec"};
    json_t *videos = json_array(), *eyes = json_object();
    for (int row = 0; row < MEASURE_ROWS; row++)
        if (r->rows[SHOT_MADE][row][GROUP_ALL].asked > 0)
            json_object_set_new(eyes, measure_row_name(row), json_string(measure_row_eye(row)));
    for (int i = 0; i < r->scorer->asks.count * r->seeds; i++)
        if (r->seen[SHOT_MADE][i].seen)
            json_array_append_new(videos, video_json(r, i));
    json_t *root = json_pack("{s:s,s:s,s:i,s:i,s:i,s:o,s:o}", "of", r->title, "suite", r->suite, "prompts", scorer_taken(r->scorer),
                             "seeds", r->seeds, "failed", r->failed, "eyes", eyes, "each", videos);
    for (int kind = 0; root != NULL && kind < SHOT_KINDS; kind++)
        if (r->seen[kind] != NULL)
            json_object_set_new(root, KINDS[kind], kind_json(r, (ShotKind)kind));
    return root;
}
