/* Prompts from the stage's own captions: what a caption certainly says is what its row asks for. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "train/asks.h"

enum { MAX_TEXT = 1024, MAX_CHANGE = 24, TRIES = 64 };

/* A scene of the stage with its number, which draws the same words for it again. */
typedef struct Scene {
    StageScene scene;
    Labels labels; /* of its clip */
    uint64_t index;
    StageLanguage language;
    bool casual, unseen;
} Scene;

static const char *language_name(StageLanguage l)
{
    return l == LANGUAGE_JA ? "ja" : "en";
}

static void loosen(char *text, StageLanguage language)
{
    static const char *const ENDS[] = {[LANGUAGE_EN] = ".", [LANGUAGE_JA] = "。"};
    size_t n = strlen(text), m = strlen(ENDS[language]);
    if (n > m && strcmp(text + n - m, ENDS[language]) == 0)
        text[n - m] = 0;
    if (language == LANGUAGE_EN && islower((unsigned char)text[1]) + isspace((unsigned char)text[1]) > 0)
        text[0] = (char)tolower((unsigned char)text[0]);
}

/* Draws the scene and resolves what is open in it; text: its caption. */
static bool describe(const AskMaking *m, Scene *s, char text[MAX_TEXT], SoraError *err)
{
    StageSpec spec;
    StageClip clip;
    stage_spec_init(&spec);
    spec.width = spec.height = 32; /* the words do not depend on the size */
    spec.frames = 17;
    spec.seed = m->seed;
    spec.index = s->index;
    spec.split = s->unseen ? SPLIT_UNSEEN : SPLIT_SEEN;
    spec.scene = s->scene;
    if (!stage_render(m->stage, &spec, &clip, err))
        return false;
    s->scene = clip.scene;
    s->unseen = clip.split == SPLIT_UNSEEN;
    s->labels = labels_of(m->answers, &clip);
    for (int i = 0; i < clip.caption_count; i++)
        if (clip.captions[i].language == s->language && clip.captions[i].kind == CAPTION_MEDIUM)
            snprintf(text, MAX_TEXT, "%s", clip.captions[i].text);
    stage_clip_deinit(&clip);
    if (s->casual)
        loosen(text, s->language);
    return true;
}

/* A Japanese caption leaves the weather out now and then. */
static bool says_weather(const Scene *s, const char *text)
{
    static const char *const WORDS[WEATHER_COUNT] = {"", "雨", "雪の降る", "霧"};
    return s->scene.weather != WEATHER_CLEAR && (s->language == LANGUAGE_EN || strstr(text, WORDS[s->scene.weather]) != NULL);
}

static Labels wants(const Scene *s, const char *text)
{
    Labels l = s->labels;
    l.answer[Q_START] = l.answer[Q_END] = NO_ANSWER;
    if (s->scene.colour == COLOUR_NATIVE)
        l.answer[Q_COLOUR] = NO_ANSWER;
    if (s->scene.time == TIME_DAY)
        l.answer[Q_TIME] = NO_ANSWER;
    if (!says_weather(s, text))
        l.answer[Q_WEATHER] = NO_ANSWER;
    if (s->scene.direction == DIRECTION_NONE)
        l.answer[Q_DIRECTION] = NO_ANSWER;
    return l;
}

/* One line; id with suffix, and the flip's two columns. */
static void write_row(const AskMaking *m, FILE *out, const Scene *s, const char *text, int number, Question flip)
{
    char id[32];
    Labels l = wants(s, text);
    snprintf(id, sizeof id, "%c%03d", s->language == LANGUAGE_JA ? 'j' : 'e', number);
    fprintf(out, "%s%s\t%s\t%s\t%s", id, flip == QUESTIONS ? "" : question_name(flip), language_name(s->language),
            s->unseen ? "unseen" : "seen", text);
    for (int q = 0; q < Q_START; q++)
        fprintf(out, "\t%s", l.answer[q] == NO_ANSWER ? "" : m->answers->names[q][l.answer[q]]);
    fprintf(out, "\t\t\t%s\t%s\t\n", flip == QUESTIONS ? "" : question_name(flip), flip == QUESTIONS ? "" : id);
}

/* Do the texts differ in one place only, and there in no more than a word? */
static bool one_change(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), head = 0, tail = 0;
    while (head < n && head < m && a[head] == b[head])
        head++;
    while (tail < n - head && tail < m - head && a[n - 1 - tail] == b[m - 1 - tail])
        tail++;
    return n - head - tail <= MAX_CHANGE && m - head - tail <= MAX_CHANGE && n + m > 2 * (head + tail);
}

/* The scene with another answer to the question; false when it has none to change. */
static bool turn(const AskMaking *m, StageScene *s, Question q, Rng *rng)
{
    if (q == Q_DIRECTION) {
        if (s->direction != DIRECTION_LEFT && s->direction != DIRECTION_RIGHT)
            return false;
        s->direction = s->direction == DIRECTION_LEFT ? DIRECTION_RIGHT : DIRECTION_LEFT;
        return true;
    }
    if (q == Q_COLOUR) {
        if (s->colour == COLOUR_NATIVE)
            return false;
        s->colour = 1 + (s->colour + rng_int(rng, COLOUR_COUNT - 2)) % (COLOUR_COUNT - 1);
        return true;
    }
    int noun = m->answers->noun[rng_int(rng, m->answers->count[Q_THING])];
    bool same = noun == s->noun;
    s->noun = noun;
    return !same;
}

/* Another prompt for the same scene, but for one word. */
static bool write_flip(const AskMaking *m, FILE *out, const Scene *base, const char *text, int number, Question q, bool *done,
                       SoraError *err)
{
    Rng rng;
    rng_init(&rng, m->seed, base->index * 16 + (uint64_t)q);
    *done = false;
    for (int i = 0; i < TRIES && !*done; i++) {
        Scene other = *base;
        char changed[MAX_TEXT] = "";
        if (!turn(m, &other.scene, q, &rng) || !stage_scene_fits(m->stage, &other.scene) ||
            stage_scene_held_out(m->stage, &other.scene))
            continue;
        StageScene wanted = other.scene;
        if (!describe(m, &other, changed, err))
            return false;
        /* The stage must not have changed anything else, as it would for a noun that cannot do what the other does. */
        *done = memcmp(&wanted, &other.scene, sizeof wanted) == 0 && one_change(text, changed);
        if (*done)
            write_row(m, out, &other, changed, number, q);
    }
    return true;
}

static bool write_flips(const AskMaking *m, FILE *out, const Scene *base, const char *text, int number,
                        int left[2][QUESTIONS], SoraError *err)
{
    static const Question KINDS[] = {Q_THING, Q_COLOUR, Q_DIRECTION};
    for (int k = 0; k < 3; k++) {
        int *n = &left[base->language][KINDS[k]];
        bool done;
        if (*n == 0)
            continue;
        if (!write_flip(m, out, base, text, number, KINDS[k], &done, err))
            return false;
        *n -= done;
    }
    return true;
}

bool asks_make(const AskMaking *m, FILE *out, SoraError *err)
{
    fputs("id\tlang\tsplit\tprompt", out);
    for (int q = 0; q < Q_START; q++)
        fprintf(out, "\t%s", question_name((Question)q));
    fputs("\tother\tother_colour\tflip\tof\tnote\n", out);
    int left[2][QUESTIONS];
    for (int q = 0; q < QUESTIONS; q++)
        left[LANGUAGE_EN][q] = left[LANGUAGE_JA][q] = m->flips;
    for (int i = 0; i < m->count; i++) {
        char first[MAX_TEXT] = "", text[MAX_TEXT] = "";
        Scene s = {.index = (uint64_t)i, .language = i % 2 ? LANGUAGE_JA : LANGUAGE_EN, .casual = i / 2 % 2, .unseen = i / 2 % 5 >= 3};
        stage_scene_init(&s.scene);
        s.scene.noun = m->answers->noun[i / 2 % m->answers->count[Q_THING]];
        s.scene.other = STAGE_NOBODY;
        s.scene.camera = CAMERA_STATIC;
        /* Twice: a scene that is given in full draws other words than one that is drawn. */
        if (!describe(m, &s, first, err) || !describe(m, &s, text, err))
            return false;
        write_row(m, out, &s, text, i / 2 + 1, QUESTIONS);
        if (!s.unseen && !write_flips(m, out, &s, text, i / 2 + 1, left, err))
            return false;
    }
    return !ferror(out) || error_set(err, SORA_ERROR_IO, "cannot write the prompts");
}
