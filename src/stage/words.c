/* The vocabulary of the captions, in a form that people and programs can look words up in. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "stage/caption.h"
#include "stage/motion.h"
#include "stage/scene.h"

enum { MAX_ITEM = 128 };

static const struct {
    const char *key;
    int count; /* 0: that of the nouns, or of the pack's */
} CLASSES[WORD_CLASSES] = {
    [WORDS_NOUNS] = {"nouns", 0},          [WORDS_SCENERY] = {"scenery", 0}, [WORDS_COLOURS] = {"colours", COLOUR_COUNT},
    [WORDS_COUNTS] = {"counts", 6},        [WORDS_ACTIONS] = {"actions", ACTION_COUNT},
    [WORDS_DIRECTIONS] = {"directions", DIRECTION_COUNT}, [WORDS_PLACES] = {"places", PLACE_COUNT},
    [WORDS_TIMES] = {"times", TIME_COUNT}, [WORDS_WEATHERS] = {"weathers", WEATHER_COUNT},
    [WORDS_CAMERAS] = {"cameras", CAMERA_COUNT}, [WORDS_STYLES] = {"styles", STYLE_COUNT}, [WORDS_OTHERS] = {"others", 1},
};

/* Without the hole for an adjective, punctuation around it, and "a", "across the" before what is meant. */
static void trim(char *item)
{
    static const char *const BEFORE[] = {"a ",    "an ",   "the ",   "across ", "through ", "in ",    "along ",
                                         "on ",   "down ", "over ",  "above ",  "under ",   "front ", "of ",
                                         "it is ", "there is ", "at ", "while it ", "day. "};
    char *hole = strstr(item, "%s");
    if (hole != NULL)
        memmove(hole, hole + 2, strlen(hole + 2) + 1);
    char *begin = item + strspn(item, ", ");
    if (begin[0] >= 'A' && begin[0] <= 'Z' && (begin[1] == ' ' || (begin[1] >= 'a' && begin[1] <= 'z')) &&
        strchr(begin, ' ') != NULL && strchr(begin, '.') != NULL)
        begin[0] = (char)(begin[0] - 'A' + 'a'); /* of a sentence */
    for (size_t i = 0; i < sizeof BEFORE / sizeof *BEFORE; i++) {
        size_t n = strlen(BEFORE[i]);
        if (strncmp(begin, BEFORE[i], n) == 0 && begin[n] != 0) {
            begin += n;
            i = (size_t)-1; /* from the first again */
        }
    }
    memmove(item, begin, strlen(begin) + 1);
    size_t n = strlen(item);
    while (n > 0 && (item[n - 1] == ' ' || item[n - 1] == '.'))
        item[--n] = 0;
    if (n >= 3 && strcmp(item + n - 3, "。") == 0)
        item[n - 3] = 0;
}

static bool has(const json_t *list, const char *item)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), item) == 0)
            return true;
    return false;
}

/* Adds the items of a '|' separated list that are not there yet. */
static bool add_items(json_t *list, const Text *text)
{
    bool ok = true;
    for (const char *at = text->s; ok && *at != 0; at += *at == '|') {
        size_t n = strcspn(at, "|");
        char item[MAX_ITEM];
        snprintf(item, sizeof item, "%.*s", (int)(n < MAX_ITEM ? n : MAX_ITEM - 1), at);
        at += n;
        trim(item);
        ok = item[0] == 0 || has(list, item) || json_array_append_new(list, json_string(item)) == 0;
    }
    return ok;
}

typedef struct Nouns {
    const Stage *stage;
    const int *numbers;
    int count;
} Nouns;

static bool add_value(json_t *en, json_t *ja, WordClass class, int value, const Noun *noun)
{
    Text english = {0}, japanese = {0};
    caption_english_words(class, value, noun, &english);
    caption_japanese_words(class, value, noun, &japanese);
    return add_items(en, &english) && add_items(ja, &japanese);
}

static bool is_scenery(const Nouns *nouns, int noun)
{
    const char *name = pack_noun(nouns->stage->pack, noun)->en;
    for (int i = 0; i < nouns->count; i++)
        if (nouns->numbers[i] == noun)
            return false;
    return scene_stands_by(name) || motion_is_prop(name);
}

/* {"en": [...], "ja": [...]} of one value; an empty one is left out. */
static bool describe(json_t *list, const Nouns *nouns, WordClass class, int value)
{
    json_t *en = json_array(), *ja = json_array();
    bool ok = en != NULL && ja != NULL;
    if (class == WORDS_NOUNS)
        ok = ok && add_value(en, ja, class, value, pack_noun(nouns->stage->pack, nouns->numbers[value]));
    else if (class == WORDS_SCENERY)
        ok = ok && (!is_scenery(nouns, value) || add_value(en, ja, class, value, pack_noun(nouns->stage->pack, value)));
    else if (class != WORDS_ACTIONS && class != WORDS_COUNTS)
        ok = ok && add_value(en, ja, class, value, NULL);
    for (int i = 0; ok && (class == WORDS_ACTIONS || class == WORDS_COUNTS) && i < nouns->count; i++) {
        const Noun *n = pack_noun(nouns->stage->pack, nouns->numbers[i]);
        ok = (class == WORDS_ACTIONS && !scene_action_fits(n, value)) || add_value(en, ja, class, value, n);
    }
    if (ok && json_array_size(en) + json_array_size(ja) > 0)
        return json_array_append_new(list, json_pack("{s:o, s:o}", "en", en, "ja", ja)) == 0;
    json_decref(en);
    json_decref(ja);
    return ok;
}

json_t *stage_words(const Stage *stage, const StageWords *which)
{
    Nouns n = {stage, which->nouns, which->count};
    json_t *root = json_pack("{s:i}", "format", 1);
    bool ok = root != NULL;
    for (int class = 0; ok && class < WORD_CLASSES; class++) {
        if (class == WORDS_STYLES && !which->styles)
            continue;
        json_t *list = json_array();
        int values = class == WORDS_NOUNS ? which->count : class == WORDS_SCENERY ? pack_count(stage->pack) : CLASSES[class].count;
        ok = list != NULL;
        for (int v = 0; ok && v < values; v++)
            ok = describe(list, &n, (WordClass)class, v);
        ok = json_object_set_new(root, CLASSES[class].key, list) == 0 && ok;
    }
    if (ok)
        return root;
    json_decref(root);
    return NULL;
}
