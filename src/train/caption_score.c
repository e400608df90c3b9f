#include "train/caption_score.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NOUNS_KNOWN = 256 };

struct CaptionScorer {
    FactReader *reader;
    const Stage *stage;
    int nouns[MAX_NOUNS_KNOWN]; /* entry of words.json to the stage's number */
    int noun_count;
    int actions[ACTION_COUNT];  /* the stage's number to entry; FACT_NONE */
};

const char *caption_row_name(CaptionRow row)
{
    static const char *const NAMES[CAPTION_ROWS] = {"thing",  "colour",    "count",  "place", "time", "weather",
                                                    "action", "direction", "camera", "order"};
    return NAMES[row];
}

/* A word form that this action alone has. */
static const char *const ACTION_FORMS[ACTION_COUNT] = {
    [ACTION_IDLE] = "stands still", [ACTION_WALK] = "walks",     [ACTION_RUN] = "dashes",   [ACTION_CRAWL] = "crawls",
    [ACTION_DRIVE] = "drives",      [ACTION_RIDE] = "rides",     [ACTION_FLY] = "flies",    [ACTION_SWIM] = "swims",
    [ACTION_SAIL] = "sails",        [ACTION_HOP] = "jumps up and down", [ACTION_LEAP] = "leaps", [ACTION_FALL] = "falls to the ground",
    [ACTION_BOUNCE] = "bounces",    [ACTION_ROLL] = "rolls",     [ACTION_FLOAT_UP] = "floats up", [ACTION_FLY_UP] = "flies up",
    [ACTION_SPIN] = "spins",        [ACTION_GROW] = "grows",     [ACTION_SHRINK] = "shrinks", [ACTION_COME] = "comes closer",
    [ACTION_DANCE] = "dances",      [ACTION_HOVER] = "hovers",   [ACTION_CIRCLE] = "circles", [ACTION_KNOCK] = "knocks",
    [ACTION_BEHIND] = "behind",     [ACTION_CHASE] = "chases",   [ACTION_THROW] = "is thrown",
};

CaptionScorer *caption_scorer_new(const char *words, const Stage *stage, SoraError *err)
{
    CaptionScorer *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_no_memory(err);
        return NULL;
    }
    s->stage = stage;
    s->reader = fact_reader_new(words, err);
    for (const char *name; s->reader != NULL && s->noun_count < MAX_NOUNS_KNOWN &&
                           (name = fact_word(s->reader, "nouns", s->noun_count, false)) != NULL;)
        s->nouns[s->noun_count++] = stage_noun_find(stage, name);
    for (int i = 0; s->reader != NULL && i < ACTION_COUNT; i++)
        s->actions[i] = fact_find(s->reader, "actions", ACTION_FORMS[i]);
    bool ok = s->reader != NULL && (s->noun_count > 0 || error_set(err, SORA_ERROR_INPUT, "words: no nouns"));
    if (ok)
        return s;
    caption_scorer_free(s);
    return NULL;
}

void caption_scorer_free(CaptionScorer *s)
{
    if (s != NULL)
        fact_reader_free(s->reader);
    free(s);
}

int caption_scorer_nouns(const CaptionScorer *s, const int **nouns)
{
    *nouns = s->nouns;
    return s->noun_count;
}

typedef struct Answer {
    bool could; /* there is something to say */
    bool said, right;
} Answer;

static void count(CaptionTally *t, Answer a)
{
    t->precision.asked += a.said;
    t->precision.right += a.said && a.right;
    t->coverage.asked += a.could;
    t->coverage.right += a.could && a.said && a.right;
    t->contradiction.asked++;
    t->contradiction.right += a.said && !a.right;
}

static Answer number(int said, int truth, bool could)
{
    return (Answer){could, said != FACT_NONE, said == truth};
}

static bool has_order(int action)
{
    return action == ACTION_KNOCK || action == ACTION_BEHIND || action == ACTION_CHASE;
}

void caption_scorer_add(const CaptionScorer *s, const StageScene *scene, const char *text, CaptionTally rows[CAPTION_ROWS])
{
    Facts f = facts_read(s->reader, text);
    bool outdoors = stage_outdoors(scene->place), moves = scene->direction == DIRECTION_LEFT || scene->direction == DIRECTION_RIGHT;
    bool known = f.noun >= 0 && f.noun < s->noun_count;
    int action = s->actions[scene->action];
    Answer act = {scene->action != ACTION_IDLE, f.actions != 0, action >= 0 && (f.actions >> action & 1) != 0};
    count(&rows[CAPTION_THING], (Answer){true, f.noun != FACT_NONE, known && s->nouns[f.noun] == scene->noun});
    count(&rows[CAPTION_COLOUR], number(f.colour, scene->colour - 1, scene->colour != COLOUR_NATIVE));
    count(&rows[CAPTION_COUNT], number(f.count, scene->count, true));
    count(&rows[CAPTION_PLACE], number(f.place, scene->place, true));
    count(&rows[CAPTION_TIME], number(f.time, outdoors ? scene->time : FACT_NONE - 1, outdoors));
    count(&rows[CAPTION_WEATHER], number(f.weather, scene->weather - 1, outdoors && scene->weather != WEATHER_CLEAR));
    count(&rows[CAPTION_ACTION], act);
    count(&rows[CAPTION_DIRECTION], number(f.direction, scene->direction == DIRECTION_LEFT ? FACT_LEFT : moves ? FACT_RIGHT : FACT_NONE - 1,
                                           moves));
    count(&rows[CAPTION_CAMERA], number(f.camera, scene->camera, true));
    if (has_order(scene->action))
        count(&rows[CAPTION_ORDER], act);
}
