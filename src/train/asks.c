#include "train/asks.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { MAX_BYTES = 8 << 20, MAX_ASKS = 100000, MAX_COLUMNS = 32 };

/* What a column holds: a question's answer for the first QUESTIONS, else one of these. */
enum { COLUMN_ID = QUESTIONS, COLUMN_LANG, COLUMN_SPLIT, COLUMN_PROMPT, COLUMN_CAMERA, COLUMN_OTHER, COLUMN_OTHER_COLOUR, COLUMN_FLIP, COLUMN_OF,
       COLUMN_NOTE, COLUMN_KINDS };
static const char *const COLUMNS[COLUMN_KINDS] = {
    [COLUMN_ID] = "id", [COLUMN_LANG] = "lang", [COLUMN_SPLIT] = "split", [COLUMN_PROMPT] = "prompt", [COLUMN_CAMERA] = "camera",
    [COLUMN_OTHER] = "other", [COLUMN_OTHER_COLOUR] = "other_colour", [COLUMN_FLIP] = "flip", [COLUMN_OF] = "of", [COLUMN_NOTE] = "note"};

typedef struct Reader {
    const char *path;
    const Answers *answers;
    Asks *asks;
    int columns[MAX_COLUMNS], column_count, line;
} Reader;

/* Ends the field at *next with a 0 byte and goes on; NULL after the last. */
static char *take_field(char **next)
{
    char *field = *next;
    if (field == NULL)
        return NULL;
    char *tab = strchr(field, '\t');
    *next = tab != NULL ? tab + 1 : NULL;
    if (tab != NULL)
        *tab = 0;
    return field;
}

static bool read_header(Reader *r, char *line, SoraError *err)
{
    bool prompt = false;
    if (*line == 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: the first line must name the columns, \"prompt\" among them", r->path);
    for (char *next = line, *name; (name = take_field(&next)) != NULL;) {
        int kind = question_find(name);
        for (; kind >= QUESTIONS && kind < COLUMN_KINDS; kind++)
            if (strcmp(COLUMNS[kind], name) == 0)
                break;
        if (kind == COLUMN_KINDS)
            return error_set(err, SORA_ERROR_INPUT, "%s:1: unknown column \"%.40s\"", r->path, name);
        if (r->column_count == MAX_COLUMNS)
            return error_set(err, SORA_ERROR_INPUT, "%s:1: more than %d columns", r->path, MAX_COLUMNS);
        r->columns[r->column_count++] = kind;
        prompt = prompt || kind == COLUMN_PROMPT;
    }
    return prompt || error_set(err, SORA_ERROR_INPUT, "%s: the first line must name the columns, \"prompt\" among them", r->path);
}

static bool wrong(const Reader *r, const char *column, const char *value, SoraError *err)
{
    return error_set(err, SORA_ERROR_INPUT, "%s:%d: \"%s\" cannot be \"%.60s\"", r->path, r->line, column, value);
}

static bool read_cell(const Reader *r, Ask *a, int kind, const char *value, SoraError *err)
{
    if (kind < QUESTIONS) {
        a->want[kind] = answers_find(r->answers, (Question)kind, value);
        return a->want[kind] != NO_ANSWER || wrong(r, question_name((Question)kind), value, err);
    }
    switch (kind) {
    case COLUMN_ID:
        a->id = value;
        return true;
    case COLUMN_LANG:
        a->language = strcmp(value, "ja") == 0 ? LANGUAGE_JA : LANGUAGE_EN;
        return strcmp(value, a->language == LANGUAGE_JA ? "ja" : "en") == 0 || wrong(r, "lang", value, err);
    case COLUMN_SPLIT:
        a->unseen = strcmp(value, "unseen") == 0;
        return strcmp(value, a->unseen ? "unseen" : "seen") == 0 || wrong(r, "split", value, err);
    case COLUMN_PROMPT:
        a->prompt = value;
        return true;
    case COLUMN_CAMERA:
        while (++a->camera < CAMERA_COUNT)
            if (strcmp(stage_camera_name(a->camera), value) == 0)
                return true;
        return wrong(r, "camera", value, err);
    case COLUMN_OTHER:
        a->other = value;
        return true;
    case COLUMN_OTHER_COLOUR:
        a->other_colour = value;
        return answers_find(r->answers, Q_COLOUR, value) != NO_ANSWER || wrong(r, "other_colour", value, err);
    case COLUMN_FLIP:
        a->flip = question_find(value);
        return a->flip == Q_THING || a->flip == Q_COLOUR || a->flip == Q_DIRECTION || wrong(r, "flip", value, err);
    case COLUMN_OF:
        while (++a->of < r->asks->count)
            if (strcmp(r->asks->items[a->of].id, value) == 0)
                return true;
        return error_set(err, SORA_ERROR_INPUT, "%s:%d: \"of\" is \"%.60s\", which is no earlier row", r->path, r->line, value);
    default:
        return true;
    }
}

/* A flipped row and the one it is of must both ask what differs, and for different things. */
static bool check_flip(const Reader *r, const Ask *a, SoraError *err)
{
    if ((a->of >= 0) != (a->flip != QUESTIONS))
        return error_set(err, SORA_ERROR_INPUT, "%s:%d: \"flip\" and \"of\" belong together", r->path, r->line);
    if (a->of < 0)
        return true;
    int here = a->want[a->flip], there = r->asks->items[a->of].want[a->flip];
    return (here != NO_ANSWER && there != NO_ANSWER && here != there) ||
           error_set(err, SORA_ERROR_INPUT, "%s:%d: row \"%.40s\" must ask for another %s than this one", r->path, r->line,
                     r->asks->items[a->of].id, question_name(a->flip));
}

static bool read_row(Reader *r, char *line, SoraError *err)
{
    Ask a = {.id = "", .of = -1, .flip = QUESTIONS, .camera = NO_ANSWER};
    for (int q = 0; q < QUESTIONS; q++)
        a.want[q] = NO_ANSWER;
    int column = 0;
    for (char *next = line, *value; (value = take_field(&next)) != NULL; column++) {
        if (column == r->column_count)
            return error_set(err, SORA_ERROR_INPUT, "%s:%d: more fields than the first line has columns", r->path, r->line);
        if (*value != 0 && !read_cell(r, &a, r->columns[column], value, err))
            return false;
    }
    if (a.prompt == NULL)
        return error_set(err, SORA_ERROR_INPUT, "%s:%d: no prompt", r->path, r->line);
    if (!check_flip(r, &a, err))
        return false;
    if (r->asks->count == MAX_ASKS)
        return error_set(err, SORA_ERROR_INPUT, "%s: more than %d prompts", r->path, MAX_ASKS);
    Ask *items = realloc(r->asks->items, (size_t)(r->asks->count + 1) * sizeof *items);
    if (items == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    r->asks->items = items;
    items[r->asks->count++] = a;
    return true;
}

bool asks_load(Asks *asks, const char *path, const Answers *answers, SoraError *err)
{
    size_t size;
    *asks = (Asks){.text = file_read(path, MAX_BYTES, &size, err)};
    if (asks->text == NULL)
        return false;
    Reader r = {.path = path, .answers = answers, .asks = asks};
    bool ok = strlen(asks->text) == size || error_set(err, SORA_ERROR_INPUT, "%s: a 0 byte in the text", path);
    for (char *next = asks->text; ok && next != NULL;) {
        char *line = next, *end = strchr(line, '\n');
        next = end != NULL ? end + 1 : NULL;
        if (end != NULL)
            *end = 0;
        line[strcspn(line, "\r")] = 0;
        r.line++;
        if (r.line == 1)
            ok = read_header(&r, line, err);
        else if (*line != 0)
            ok = read_row(&r, line, err);
    }
    ok = ok && (asks->count > 0 || error_set(err, SORA_ERROR_INPUT, "%s: no prompts in it", path));
    if (!ok)
        asks_deinit(asks);
    return ok;
}

void asks_deinit(Asks *asks)
{
    free(asks->items);
    free(asks->text);
    *asks = (Asks){0};
}

/* The answer that is asked for, else what stands in for none. */
static int or_else(int want, int none)
{
    return want != NO_ANSWER ? want : none;
}

bool asks_scene(const Ask *a, const Answers *answers, const Stage *stage, StageScene *s, SoraError *err)
{
    const int *w = a->want;
    stage_scene_init(s);
    if (w[Q_THING] != NO_ANSWER)
        s->noun = answers->noun[w[Q_THING]];
    else if (answers->count[Q_THING] > 0)
        s->noun = answers->noun[0];
    s->colour = or_else(w[Q_COLOUR], COLOUR_NATIVE);
    s->count = or_else(w[Q_COUNT], 0) + 1;
    s->place = or_else(w[Q_PLACE], STAGE_ANY);
    s->time = or_else(w[Q_TIME], TIME_DAY);
    s->weather = or_else(w[Q_WEATHER], WEATHER_CLEAR);
    s->action = or_else(w[Q_ACTION], STAGE_ANY);
    s->direction = or_else(w[Q_DIRECTION], STAGE_ANY);
    s->camera = a->camera != NO_ANSWER ? a->camera : CAMERA_STATIC;
    s->other = a->other != NULL ? stage_noun_find(stage, a->other) : STAGE_NOBODY;
    if (a->other != NULL && s->other < 0)
        return error_set(err, SORA_ERROR_INPUT, "prompt \"%.60s\": the stage has no noun \"%.40s\"", a->prompt, a->other);
    if (a->other != NULL)
        s->other_colour = a->other_colour != NULL ? answers_find(answers, Q_COLOUR, a->other_colour) : COLOUR_NATIVE;
    return true;
}
