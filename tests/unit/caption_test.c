/* Captions of the stage: well formed, true to the scene, and of the forms that people type. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>
#include <utf8proc.h>

#include <jansson.h>

#include "stage/pack.h"
#include "stage_art.h"
#include "text/vocabulary.h"

static Stage *stage;

static int setup(void **state)
{
    SoraError err = {0};
    return art_setup(state) != 0 || (stage = stage_open(art_pack, &err)) == NULL;
}

static int teardown(void **state)
{
    stage_close(stage);
    return art_teardown(state);
}

typedef void (*Check)(const StageClip *clip, const StageCaption *caption);

/* Every caption of many clips. */
static void for_all(int clips, int frames, Check check)
{
    StageSpec spec;
    stage_spec_init(&spec);
    spec.width = spec.height = 48;
    spec.frames = frames;
    for (spec.index = 0; spec.index < (uint64_t)clips; spec.index++) {
        StageClip clip;
        SoraError err = {0};
        if (!stage_render(stage, &spec, &clip, &err))
            fail_msg("%s", err.message);
        for (int i = 0; i < clip.caption_count; i++)
            check(&clip, &clip.captions[i]);
        stage_clip_deinit(&clip);
    }
}

static void wrong(const StageCaption *c, const char *why)
{
    fail_msg("%s: \"%s\"", why, c->text);
}

static bool has(const StageCaption *c, const char *part)
{
    return strstr(c->text, part) != NULL;
}

/* The word as a word of its own, whatever its case. */
static bool has_word(const StageCaption *c, const char *word)
{
    size_t n = strlen(word);
    for (const char *s = c->text; *s; s++)
        if ((s == c->text || !isalpha((unsigned char)s[-1])) && strncasecmp(s, word, n) == 0 &&
            !isalpha((unsigned char)s[n]))
            return true;
    return false;
}

static void check_form(const StageClip *clip, const StageCaption *c)
{
    const char *text = c->text;
    size_t n = strlen(text);
    if (n < 3 || n > 700)
        wrong(c, "length");
    utf8proc_int32_t point;
    for (size_t at = 0; at < n;) {
        utf8proc_ssize_t size =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(n - at), &point);
        if (size < 1 || point < ' ' || point == '%' || point == '|')
            wrong(c, "not clean UTF-8");
        if (c->language == LANGUAGE_EN && point > 126)
            wrong(c, "not ASCII");
        at += (size_t)size;
    }
    if (text[0] == ' ' || text[n - 1] == ' ' || has(c, "  ") || has(c, " ,") || has(c, " .") ||
        has(c, "..") || has(c, "。。") || has(c, "、、"))
        wrong(c, "spacing");
    bool sentence = c->kind == CAPTION_MEDIUM || c->kind == CAPTION_DETAILED;
    bool ends = c->language == LANGUAGE_EN ? text[n - 1] == '.' : n > 3 && strcmp(text + n - 3, "。") == 0;
    if (sentence != ends)
        wrong(c, "full stop");
    if (c->language == LANGUAGE_EN && sentence && !isupper((unsigned char)text[0]) &&
        !isdigit((unsigned char)text[0]))
        wrong(c, "capital");
}

static void captions_are_well_formed(void **state)
{
    for_all(600, 3, check_form);
    for_all(200, 1, check_form);
}

static void check_articles(const StageClip *clip, const StageCaption *c)
{
    if (c->language != LANGUAGE_EN)
        return;
    for (const char *s = c->text; *s; s++) {
        if ((s > c->text && s[-1] != ' ') || (*s != 'a' && *s != 'A'))
            continue;
        bool an = s[1] == 'n' && s[2] == ' ';
        if (!an && s[1] != ' ')
            continue;
        const char *word = s + (an ? 3 : 2);
        bool vowel = strchr("aeiou", tolower((unsigned char)*word)) != NULL || strncmp(word, "SUV", 3) == 0;
        if (strncmp(word, "unicorn", 7) == 0 || strncmp(word, "UFO", 3) == 0)
            vowel = false;
        if (vowel != an)
            wrong(c, "article");
    }
}

static void articles_fit(void **state)
{
    for_all(800, 3, check_articles);
}

static void check_direction(const StageClip *clip, const StageCaption *c)
{
    int d = clip->scene.direction;
    if (c->kind == CAPTION_DETAILED || clip->scene.camera == CAMERA_PAN_LEFT ||
        clip->scene.camera == CAMERA_PAN_RIGHT)
        return; /* left and right of other things */
    bool left, right;
    if (c->language == LANGUAGE_EN) {
        left = has_word(c, "left") && !has(c, "from left to right") && !has(c, "to the left of");
        right = has_word(c, "right") && !has(c, "from right to left") && !has(c, "to the right of");
    } else {
        left = (has(c, "左へ") || has(c, "左に") || has(c, "、左"));
        right = (has(c, "右へ") || has(c, "右に") || has(c, "、右"));
    }
    if (clip->frames == 1 ? left || right : (left && d != DIRECTION_LEFT) || (right && d != DIRECTION_RIGHT))
        if (!has(c, "の左に") && !has(c, "の右に"))
            wrong(c, "direction");
}

static void directions_are_those_of_the_motion(void **state)
{
    for_all(600, 3, check_direction);
    for_all(200, 1, check_direction);
}

static void check_facts(const StageClip *clip, const StageCaption *c)
{
    static const char *const EN[COLOUR_COUNT] = {"",       "red",  "orange", "yellow", "green", "blue",
                                                 "purple", "pink", "brown",  "black",  "white"};
    static const char *const JA[COLOUR_COUNT] = {"",   "赤",     "オレンジ", "黄色", "緑", "青",
                                                 "紫", "ピンク", "茶色",     "黒",   "白"};
    static const char *const COUNTS[6] = {"", "", "two", "three", "four", "five"}, *const DIGITS[6] = {
                                                                                       "",  "",  "2",
                                                                                       "3", "4", "5"};
    static const char *const KANJI[6] = {"", "", "二", "三", "四", "五"};
    const StageScene *s = &clip->scene;
    bool en = c->language == LANGUAGE_EN;
    if (s->colour != COLOUR_NATIVE && !(en ? has_word(c, EN[s->colour]) : has(c, JA[s->colour])))
        wrong(c, "colour is missing");
    if (s->count > 1 && !(en ? has_word(c, COUNTS[s->count]) : has(c, KANJI[s->count])) &&
        !has(c, DIGITS[s->count]))
        wrong(c, "count is missing");
    bool day = s->time == TIME_DAY, clear = s->weather == WEATHER_CLEAR;
    if ((has(c, "sunny") || has(c, "晴")) && !(day && clear))
        wrong(c, "not sunny");
    if ((has(c, "at night") || has(c, "夜の")) && s->time != TIME_NIGHT)
        wrong(c, "not night");
    if ((has_word(c, "rain") || has(c, "雨")) && s->weather != WEATHER_RAIN)
        wrong(c, "no rain");
    if ((has(c, "snow falls") || has(c, "it snows") || has(c, "雪が降") || has(c, "雪の降")) &&
        s->weather != WEATHER_SNOW)
        wrong(c, "no snowfall");
    if ((has_word(c, "fog") || has(c, "霧")) && s->weather != WEATHER_FOG)
        wrong(c, "no fog");
    if ((has(c, "camera zooms") || has(c, "camera pans") || has(c, "camera follows") ||
         has(c, "カメラが追う")) &&
        s->camera == CAMERA_STATIC)
        wrong(c, "static camera");
}

static void captions_say_what_is_there(void **state)
{
    for_all(800, 3, check_facts);
}

/* The second actor and the scenery are named only if they can be seen. */
static void check_visible(const StageClip *clip, const StageCaption *c)
{
    if (c->language != LANGUAGE_EN || !has(c, "in the background"))
        return;
    const char *at = strstr(c->text, " stands in the background"), *start = at;
    while (start > c->text && start[-1] != '.')
        start--;
    bool found = false;
    for (int i = clip->scene.count; i < clip->actor_count && !found; i++) {
        float seen = 0;
        for (int f = 0; f < clip->frames; f++)
            seen += clip->actors[i].states[f].visible / (float)clip->frames;
        found = clip->actors[i].prop && seen > 0.5f;
    }
    if (!found)
        wrong(c, "nothing stands there");
}

static void scenery_is_named_only_when_seen(void **state)
{
    for_all(500, 5, check_visible);
}

typedef struct Wish {
    const char *text, *noun;
    StageScene scene;
    const char *other;
} Wish;

#define LEFT DIRECTION_LEFT
#define RIGHT DIRECTION_RIGHT
/* colour, count, action, direction, other (set from the name), its colour, place, time, weather, camera */
static const Wish WISHES[] = {
    {"a dog walks left across a sunny meadow",
     "dog",
     {0, 0, 1, ACTION_WALK, LEFT, -2, 0, PLACE_MEADOW, 0, 0, 0},
     NULL},
    {"a red car drives to the right on a city street",
     "car",
     {0, COLOUR_RED, 1, ACTION_DRIVE, RIGHT, -2, 0, PLACE_CITY, 0, 0, 0},
     NULL},
    {"a blue car drives to the left on a city street at night",
     "car",
     {0, COLOUR_BLUE, 1, ACTION_DRIVE, LEFT, -2, 0, PLACE_CITY, TIME_NIGHT, 0, 0},
     NULL},
    {"a soccer ball bounces on the beach at sunset",
     "soccer ball",
     {0, 0, 1, ACTION_BOUNCE, RIGHT, -2, 0, PLACE_BEACH, TIME_SUNSET, 0, 0},
     NULL},
    {"a rocket flies up past a ringed planet in space",
     "rocket",
     {0, 0, 1, ACTION_FLY_UP, DIRECTION_UP, 0, 0, PLACE_SPACE, 0, 0, 0},
     "ringed planet"},
    {"a dolphin swims to the left underwater",
     "dolphin",
     {0, 0, 1, ACTION_SWIM, LEFT, -2, 0, PLACE_UNDERWATER, 0, 0, 0},
     NULL},
    {"three balloons float up into the sky",
     "balloon",
     {0, 0, 3, ACTION_FLOAT_UP, DIRECTION_UP, -2, 0, PLACE_SKY, 0, 0, 0},
     NULL},
    {"a horse runs right across a snowy mountain landscape",
     "horse",
     {0, 0, 1, ACTION_RUN, RIGHT, -2, 0, PLACE_SNOW, 0, 0, 0},
     NULL},
    {"a cat walks left behind a tree and comes out on the other side",
     "cat",
     {0, 0, 1, ACTION_BEHIND, LEFT, 0, 0, PLACE_FOREST, 0, 0, 0},
     "tree"},
    {"a penguin hops next to a snowman in the snow",
     "penguin",
     {0, 0, 1, ACTION_HOP, 0, 0, 0, PLACE_SNOW, 0, 0, 0},
     "snowman"},
    {"an apple falls to the ground and bounces",
     "apple",
     {0, 0, 1, ACTION_FALL, DIRECTION_DOWN, -2, 0, PLACE_MEADOW, 0, 0, 0},
     NULL},
    {"a green ball rolls right and knocks a purple ball away",
     "ball",
     {0, COLOUR_GREEN, 1, ACTION_KNOCK, RIGHT, 0, COLOUR_PURPLE, PLACE_ROOM, 0, 0, 0},
     "ball"},
    {"two yellow cars drive left",
     "car",
     {0, COLOUR_YELLOW, 2, ACTION_DRIVE, LEFT, -2, 0, PLACE_CITY, 0, 0, 0},
     NULL},
    {"a butterfly flutters above a sunflower",
     "butterfly",
     {0, 0, 1, ACTION_HOVER, 0, 0, 0, PLACE_MEADOW, 0, 0, 0},
     "sunflower"},
    {"an elephant walks right through the desert, the camera follows",
     "elephant",
     {0, 0, 1, ACTION_WALK, RIGHT, -2, 0, PLACE_DESERT, 0, 0, CAMERA_FOLLOW},
     NULL},
    {"a helicopter flies left over the city at dawn",
     "helicopter",
     {0, 0, 1, ACTION_FLY, LEFT, -2, 0, PLACE_CITY, TIME_DAWN, 0, 0},
     NULL},
    {"a ghost circles a castle at night",
     "ghost",
     {0, 0, 1, ACTION_CIRCLE, 0, 0, 0, PLACE_MEADOW, TIME_NIGHT, 0, 0},
     "castle"},
    {"rain falls on a street while a bus drives right",
     "bus",
     {0, 0, 1, ACTION_DRIVE, RIGHT, -2, 0, PLACE_CITY, 0, WEATHER_RAIN, 0},
     NULL},
    {"a pink elephant walks left on the moon",
     "elephant",
     {0, COLOUR_PINK, 1, ACTION_WALK, LEFT, -2, 0, PLACE_MOON, 0, 0, 0},
     NULL},
    {"草原を犬が右へ歩く", "dog", {0, 0, 1, ACTION_WALK, RIGHT, -2, 0, PLACE_MEADOW, 0, 0, 0}, NULL},
    {"夜の街を赤い車が左へ走る",
     "car",
     {0, COLOUR_RED, 1, ACTION_DRIVE, LEFT, -2, 0, PLACE_CITY, TIME_NIGHT, 0, 0},
     NULL},
    {"海の中で三匹の魚が右へ泳ぐ",
     "fish",
     {0, 0, 3, ACTION_SWIM, RIGHT, -2, 0, PLACE_UNDERWATER, 0, 0, 0},
     NULL},
    {"雪の中でペンギンが跳ねる", "penguin", {0, 0, 1, ACTION_HOP, 0, -2, 0, PLACE_SNOW, 0, 0, 0}, NULL},
};

static bool granted(const Wish *w, uint64_t index)
{
    StageSpec spec;
    stage_spec_init(&spec);
    spec.width = spec.height = 48;
    spec.frames = 3;
    spec.index = index;
    spec.scene = w->scene;
    spec.scene.noun = stage_noun_find(stage, w->noun);
    spec.scene.other = w->other != NULL ? stage_noun_find(stage, w->other) : STAGE_NOBODY;
    StageClip clip;
    bool found = false;
    if (!stage_render(stage, &spec, &clip, NULL))
        return false;
    for (int i = 0; i < clip.caption_count; i++)
        found = found || strcmp(clip.captions[i].text, w->text) == 0;
    stage_clip_deinit(&clip);
    return found;
}

/* The sentences that people type are among those that the stage says of such a scene. */
static void common_sentences_are_said(void **state)
{
    for (size_t k = 0; k < sizeof WISHES / sizeof WISHES[0]; k++) {
        uint64_t i = 0;
        while (i < 3000 && !granted(&WISHES[k], i))
            i++;
        if (i == 3000)
            fail_msg("never said: %s", WISHES[k].text);
    }
}

/* The words of all nouns: those that captions are made of. */
static Vocabulary *vocabulary;

static void check_known(const StageClip *clip, const StageCaption *c)
{
    UnknownWord words[4];
    if (vocabulary_unknown(vocabulary, c->text, words, 4) > 0)
        fail_msg("\"%s\" is unknown in \"%s\"", words[0].word, c->text);
}

/* What a trained model says that it knows, for all nouns and for one alone. */
static void the_vocabulary_is_that_of_the_captions(void **state)
{
    SoraError err = {0};
    int nouns[PACK_MAX_NOUNS], count = stage_noun_count(stage);
    for (int i = 0; i < count; i++)
        nouns[i] = i;
    json_t *json = stage_words(stage, &(StageWords){nouns, count, true});
    char *text = json_dumps(json, 0);
    vocabulary = vocabulary_open_memory(text, strlen(text), "words", &err);
    assert_non_null(vocabulary);
    assert_int_equal(vocabulary_noun_count(vocabulary), count);
    for_all(600, 2, check_known);
    for_all(200, 1, check_known);
    vocabulary_close(vocabulary);
    free(text);
    json_decref(json);
    json = stage_words(stage, &(StageWords){nouns, 1, false});
    json_t *list = json_object_get(json, "nouns");
    assert_int_equal(json_array_size(list), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(json_array_get(list, 0), "en"), 0)),
                        stage_noun_name(stage, 0));
    assert_null(json_object_get(json, "styles")); /* those that were not learned */
    json_decref(json);
}

/* A style is named, in words that the presets of the command line say, and the rest of a caption is as without it. */
static void styles_are_named(void **state)
{
    static const char *const EN[STYLE_COUNT] = {"", "pencil", "watercolor", "pixel art", "sepia", "night vision", "black and white"};
    static const char *const JA[STYLE_COUNT] = {"", "鉛筆", "水彩", "アート|ドット絵", "セピア", "暗視", "白黒|モノクロ"};
    for (int style = 1; style < STYLE_COUNT; style++)
        for (uint64_t i = 0; i < 20; i++) {
            SoraError err = {0};
            StageSpec spec;
            StageClip plain, styled;
            stage_spec_init(&spec);
            spec.width = spec.height = 32;
            spec.frames = 2;
            spec.index = i;
            assert_true(stage_render(stage, &spec, &plain, &err));
            spec.style = style;
            assert_true(stage_render(stage, &spec, &styled, &err));
            assert_int_equal(styled.style, style);
            assert_int_equal(styled.caption_count, plain.caption_count);
            for (int k = 0; k < plain.caption_count; k++) {
                const char *a = plain.captions[k].text, *b = styled.captions[k].text;
                assert_int_equal(strncmp(a, b, strlen(a)), 0);
                if (styled.captions[k].language == LANGUAGE_EN && strcasestr(b + strlen(a), EN[style]) == NULL)
                    fail_msg("\"%s\" does not say %s", b, EN[style]);
                char names[64], *rest = names, *name;
                bool named = styled.captions[k].language == LANGUAGE_EN;
                snprintf(names, sizeof names, "%s", JA[style]);
                while ((name = strsep(&rest, "|")) != NULL)
                    named = named || strstr(b + strlen(a), name) != NULL;
                if (!named)
                    fail_msg("\"%s\" does not say %s", b, JA[style]);
            }
            stage_clip_deinit(&plain);
            stage_clip_deinit(&styled);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captions_are_well_formed),           cmocka_unit_test(articles_fit),
        cmocka_unit_test(directions_are_those_of_the_motion), cmocka_unit_test(captions_say_what_is_there),
        cmocka_unit_test(scenery_is_named_only_when_seen),    cmocka_unit_test(common_sentences_are_said),
        cmocka_unit_test(the_vocabulary_is_that_of_the_captions),
        cmocka_unit_test(styles_are_named),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
