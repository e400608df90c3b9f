#include "cli/board.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/json_file.h"

/* One card; what is NULL or 0 is not there. */
typedef struct Card {
    double at, from, to;
    const char *prompt;
    char *file; /* heap */
} Card;

/* Takes the card, and its file. */
static bool add_card(Board *b, const Card *c, SoraError *err)
{
    int number = ++b->cards;
    b->files[number - 1] = c->file;
    if (!(c->at >= 0 && c->at <= 86400))
        return error_set(err, SORA_ERROR_INPUT, "card %d: %g seconds are out of range", number, c->at);
    if (number == 1 && c->at != 0)
        return error_set(err, SORA_ERROR_INPUT, "card 1: is at %g s, the first one is at 0", c->at);
    if (number > 1 && !(c->at > b->last))
        return error_set(err, SORA_ERROR_INPUT, "card %d: is at %g s, and card %d at %g: cards go in their order", number, c->at,
                         number - 1, b->last);
    b->last = c->at;
    if (c->prompt != NULL && c->prompt[strspn(c->prompt, " \t\r\n")] == 0)
        return error_set(err, SORA_ERROR_INPUT, "card %d: its words are empty", number);
    if (c->prompt != NULL)
        b->passages[b->passage_count++] = (SoraPassage){c->prompt, c->at};
    if (c->file == NULL)
        return true;
    if (!file_exists(c->file))
        return error_set(err, SORA_ERROR_NOT_FOUND, "card %d: %s: no such picture or video", number, c->file);
    b->given[b->given_count++] = (SoraGiven){.path = c->file, .at = c->at, .from = c->from, .to = c->to};
    return true;
}

/* path as seen from the board's folder; heap. */
static char *beside(const char *board, const char *path)
{
    const char *slash = strrchr(board, '/');
    char *joined = NULL;
    int n = slash != NULL && *path != '/' ? asprintf(&joined, "%.*s%s", (int)(slash + 1 - board), board, path) : asprintf(&joined, "%s", path);
    return n < 0 ? NULL : joined;
}

static bool number_of(json_t *object, const char *key, double *value, SoraError *err)
{
    json_t *v = json_object_get(object, key);
    if (v != NULL && !json_is_number(v))
        return error_set(err, SORA_ERROR_INPUT, "\"%s\" is no number", key);
    *value = json_number_value(v);
    return true;
}

static bool text_of(json_t *object, const char *key, const char **value, SoraError *err)
{
    json_t *v = json_object_get(object, key);
    *value = json_string_value(v);
    return v == NULL || *value != NULL || error_set(err, SORA_ERROR_INPUT, "\"%s\" is no text", key);
}

/* known ends with NULL. */
static bool check_keys(json_t *object, const char *const *known, SoraError *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        bool found = false;
        for (int i = 0; known[i] != NULL; i++)
            found = found || strcmp(key, known[i]) == 0;
        if (!found)
            return error_set(err, SORA_ERROR_INPUT, "unknown key \"%.40s\"", key);
    }
    return true;
}

static bool read_card(Board *b, const char *path, json_t *o, SoraError *err)
{
    static const char *const KEYS[] = {"at", "prompt", "file", "from", "to", NULL};
    Card c = {0};
    const char *file;
    if (!json_is_object(o))
        return error_set(err, SORA_ERROR_INPUT, "is no object");
    if (!check_keys(o, KEYS, err) || !number_of(o, "at", &c.at, err) || !number_of(o, "from", &c.from, err) ||
        !number_of(o, "to", &c.to, err) || !text_of(o, "prompt", &c.prompt, err) || !text_of(o, "file", &file, err))
        return false;
    if (json_object_get(o, "at") == NULL)
        return error_set(err, SORA_ERROR_INPUT, "has no \"at\"");
    if (c.prompt == NULL && file == NULL)
        return error_set(err, SORA_ERROR_INPUT, "has neither \"prompt\" nor \"file\"");
    if (file != NULL && (c.file = beside(path, file)) == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    return add_card(b, &c, err);
}

static bool read_size(Board *b, SoraError *err)
{
    const char *size;
    int end = 0;
    if (!text_of(b->json, "size", &size, err) || size == NULL)
        return size == NULL && json_object_get(b->json, "size") == NULL;
    return (sscanf(size, "%5dx%5d%n", &b->width, &b->height, &end) == 2 && size[end] == 0 && b->width > 0 && b->height > 0) ||
           error_set(err, SORA_ERROR_INPUT, "\"size\": \"%.20s\" is not WIDTHxHEIGHT", size);
}

static bool read_board(Board *b, const char *path, SoraError *err)
{
    static const char *const KEYS[] = {"seconds", "fps", "size", "cards", NULL};
    json_t *cards = json_object_get(b->json, "cards"), *card;
    size_t i;
    if (!check_keys(b->json, KEYS, err) || !number_of(b->json, "seconds", &b->seconds, err) ||
        !number_of(b->json, "fps", &b->fps, err) || !read_size(b, err))
        return false;
    if (!json_is_array(cards) || json_array_size(cards) == 0)
        return error_set(err, SORA_ERROR_INPUT, "\"cards\" is no list of cards");
    if (json_array_size(cards) > BOARD_MAX_CARDS)
        return error_set(err, SORA_ERROR_INPUT, "%zu cards, at most %d are accepted", json_array_size(cards), BOARD_MAX_CARDS);
    json_array_foreach(cards, i, card) {
        SoraError why = {0};
        if (read_card(b, path, card, &why))
            continue;
        if (strncmp(why.message, "card ", 5) == 0)
            return error_set(err, why.code, "%s", why.message);
        return error_set(err, why.code, "card %d: %s", (int)i + 1, why.message);
    }
    return true;
}

bool board_read(Board *b, const char *path, SoraError *err)
{
    b->json = json_file_read(path, err);
    if (b->json == NULL)
        return false;
    return read_board(b, path, err) || error_wrap(err, "%s", path);
}

/* Does it end as a picture or a video does? */
static bool names_a_file(const char *text)
{
    static const char *const ENDS[] = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".mp4", ".mov", ".webm", ".mkv",
                                       ".avi"};
    const char *dot = strrchr(text, '.');
    for (size_t i = 0; dot != NULL && i < sizeof ENDS / sizeof *ENDS; i++)
        if (strcasecmp(dot, ENDS[i]) == 0)
            return true;
    return false;
}

bool board_add(Board *b, const char *text, SoraError *err)
{
    char *end;
    Card c = {.at = strtod(text, &end)};
    if (end == text || *end != ':' || !isfinite(c.at))
        return error_set(err, SORA_ERROR_INPUT, "--card \"%.40s\": SECONDS:WORDS or SECONDS:FILE is expected, such as 2.5:\"a fox runs\"", text);
    if (b->cards == BOARD_MAX_CARDS)
        return error_set(err, SORA_ERROR_INPUT, "--card: at most %d of them", BOARD_MAX_CARDS);
    if (!names_a_file(end + 1))
        c.prompt = end + 1;
    else if ((c.file = strdup(end + 1)) == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    return add_card(b, &c, err);
}

void board_deinit(Board *b)
{
    for (int i = 0; i < b->cards; i++)
        free(b->files[i]);
    json_decref(b->json);
    b->json = NULL;
    b->cards = 0;
}
