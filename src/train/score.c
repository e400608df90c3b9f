#include "train/score.h"

#include <math.h>
#include <string.h>

Interval tally_interval(Tally t)
{
    const double z = 1.959963984540054;
    if (t.asked <= 0)
        return (Interval){0, 1};
    double n = t.asked, p = t.right / n, middle = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return (Interval){fmax(0, middle - half), fmin(1, middle + half)};
}

bool sight_take(Judge *judge, const JudgeVideo *video, Sight *s, SoraError *err)
{
    *s = (Sight){.seen = false};
    s->seen = judge_look(judge, video, &s->verdict, err) && track_video(video, &s->track, err);
    return s->seen;
}

const char *score_row_name(int row)
{
    static const char *const NAMES[] = {"count, one to three", "direction by track", "law by track"};
    return row >= QUESTIONS && row < SCORE_ROWS ? NAMES[row - QUESTIONS] : question_name((Question)row);
}

const char *score_flip_name(int flip)
{
    static const char *const NAMES[FLIPS] = {"thing", "colour", "left/right", "left/right by track"};
    return flip >= 0 && flip < FLIPS ? NAMES[flip] : "?";
}

static bool is_way(int direction)
{
    return direction == DIRECTION_LEFT || direction == DIRECTION_RIGHT || direction == DIRECTION_UP || direction == DIRECTION_DOWN;
}

/* The law that an action is bound to; false when it is of another kind. */
static bool law_of(int action, TrackLaw *law)
{
    *law = action == ACTION_FALL ? LAW_FALL : action == ACTION_BOUNCE ? LAW_BOUNCE : LAW_RISE;
    return action == ACTION_FALL || action == ACTION_BOUNCE || action == ACTION_FLOAT_UP || action == ACTION_FLY_UP;
}

bool score_asked(const Ask *a, int row)
{
    TrackLaw law;
    if (row == ROW_FEW)
        return a->want[Q_COUNT] != NO_ANSWER && a->want[Q_COUNT] < 3;
    if (row == ROW_TRACK)
        return is_way(a->want[Q_DIRECTION]);
    if (row == ROW_LAW)
        return law_of(a->want[Q_ACTION], &law);
    return a->want[row] != NO_ANSWER && !(row == Q_DIRECTION && a->want[row] == DIRECTION_NONE);
}

bool score_right(const Ask *a, const Sight *s, int row)
{
    TrackLaw law;
    if (row == ROW_FEW)
        return verdict_right(&s->verdict, Q_COUNT, a->want[Q_COUNT]);
    if (row == ROW_TRACK)
        return (int)track_direction(&s->track) == a->want[Q_DIRECTION];
    if (row == ROW_LAW)
        return law_of(a->want[Q_ACTION], &law) && track_obeys(&s->track, law);
    return verdict_right(&s->verdict, (Question)row, a->want[row]);
}

bool score_in_group(const Ask *a, int group)
{
    switch (group) {
    case GROUP_SEEN:
        return !a->unseen;
    case GROUP_UNSEEN:
        return a->unseen;
    case GROUP_EN:
        return a->language == LANGUAGE_EN;
    case GROUP_JA:
        return a->language == LANGUAGE_JA;
    default:
        return true;
    }
}

static void add_row(ScorePart *part, const Ask *a, const Sight *s, int row)
{
    bool right = score_right(a, s, row);
    for (int g = 0; g < SCORE_GROUPS; g++) {
        part->rows[row][g].asked += score_in_group(a, g);
        part->rows[row][g].right += score_in_group(a, g) && right;
    }
    if (row == ROW_TRACK && !right) {
        StageDirection seen = track_direction(&s->track);
        int want = a->want[Q_DIRECTION];
        part->still += seen == DIRECTION_NONE;
        part->opposite += (want == DIRECTION_LEFT && seen == DIRECTION_RIGHT) || (want == DIRECTION_RIGHT && seen == DIRECTION_LEFT) ||
                          (want == DIRECTION_UP && seen == DIRECTION_DOWN) || (want == DIRECTION_DOWN && seen == DIRECTION_UP);
    }
}

static int flip_row(int flip)
{
    static const int ROWS[FLIPS] = {Q_THING, Q_COLOUR, Q_DIRECTION, ROW_TRACK};
    return ROWS[flip];
}

static bool is_turned(const Sight *a, const Sight *b, int row)
{
    if (row == ROW_TRACK)
        return track_direction(&a->track) != track_direction(&b->track);
    if (row == Q_COLOUR)
        return a->verdict.named_colour != b->verdict.named_colour;
    return a->verdict.answer[row] != b->verdict.answer[row];
}

static void add_flip(ScorePart *part, const Asks *asks, const Sight *sights, int i)
{
    const Ask *a = &asks->items[i], *b = &asks->items[a->of];
    const Sight *s = &sights[i], *t = &sights[a->of];
    for (int f = 0; f < FLIPS; f++) {
        int row = flip_row(f);
        if (a->flip != (row == ROW_TRACK ? Q_DIRECTION : (Question)row) || !score_asked(a, row) || !score_asked(b, row))
            continue;
        FlipTally *tally = &part->flips[f];
        tally->both.asked++;
        tally->turned.asked++;
        tally->both.right += score_right(a, s, row) && score_right(b, t, row);
        tally->turned.right += is_turned(s, t, row);
    }
}

void score_add(ScorePart *part, const Asks *asks, const Sight *sights)
{
    for (int i = 0; i < asks->count; i++) {
        const Ask *a = &asks->items[i];
        if (!sights[i].seen)
            continue;
        part->videos++;
        for (int row = 0; row < SCORE_ROWS && a->of < 0; row++)
            if (score_asked(a, row))
                add_row(part, a, &sights[i], row);
        if (a->of >= 0 && sights[a->of].seen)
            add_flip(part, asks, sights, i);
    }
}
