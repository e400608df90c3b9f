#include "text/rewrite.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { MAX_UNKNOWN = 64, REWRITE_WORD = 80, CAPTION_LENGTH = 160 };

struct Rewriter {
    const Vocabulary *vocabulary;
    FactReader *facts;
};

Rewriter *rewriter_new(const Vocabulary *vocabulary, SoraError *err)
{
    Rewriter *r = calloc(1, sizeof *r);
    if (r == NULL) {
        error_no_memory(err);
        return NULL;
    }
    r->vocabulary = vocabulary;
    r->facts = fact_reader_new(vocabulary_json(vocabulary), err);
    if (r->facts != NULL)
        return r;
    free(r);
    return NULL;
}

void rewriter_free(Rewriter *r)
{
    if (r != NULL)
        fact_reader_free(r->facts);
    free(r);
}

/* --- texts of a fixed size --- */

static void append(char *text, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void append(char *text, size_t size, const char *fmt, ...)
{
    size_t n = strlen(text);
    va_list args;
    va_start(args, fmt);
    if (n + 1 < size)
        vsnprintf(text + n, size - n, fmt, args);
    va_end(args);
}

static bool is_japanese(const char *text)
{
    for (; *text != 0; text++)
        if ((unsigned char)*text >= 0xe3)
            return true;
    return false;
}

static bool is_letter(char c)
{
    return isalnum((unsigned char)c) || c == '\'' || (unsigned char)c >= 0x80;
}

/* --- form --- */

/* What people put around a wish. The longest first where one begins another. */
static const char *const WRAPPINGS[] = {
    "please make me a video of ", "please make a video of ", "please generate a video of ", "please show me ", "please create ",
    "can you make a video of ", "can you show me ", "can you make ", "could you make a video of ", "could you show me ",
    "i would like to see ", "i'd like to see ", "i want to see ", "i want a video of ", "i want a clip of ", "make me a video of ",
    "make a video of ", "generate a video of ", "create a video of ", "a short video of ", "a video of ", "video of ", "a clip of ",
    "clip of ", "show me ", "there is ", "there's ", "imagine ", "picture this: ", "once upon a time ", "so basically ", "please ", "hey, ", "hi, ",
};
static const char *const ENDINGS[] = {" please", " thanks", " thank you", "の動画を作ってください", "動画を作ってください", "動画を見せてください", "動画を作って", "の動画を作って",
                                      "の動画をお願いします",
                                      "の動画が見たいです", "の動画が見たい", "の動画をください", "のビデオ", "の動画", "お願いします", "ところを見せて", "を見せてください",
                                      "を見せて", "を見たい", "だよ", "です"};

static bool strip_front(char *text)
{
    for (size_t i = 0; i < sizeof WRAPPINGS / sizeof *WRAPPINGS; i++) {
        size_t n = strlen(WRAPPINGS[i]);
        if (strncasecmp(text, WRAPPINGS[i], n) == 0 && text[n] != 0) {
            memmove(text, text + n, strlen(text + n) + 1);
            return true;
        }
    }
    return false;
}

static bool strip_back(char *text)
{
    for (size_t i = 0; i < sizeof ENDINGS / sizeof *ENDINGS; i++) {
        size_t n = strlen(ENDINGS[i]), size = strlen(text);
        if (size > n && strcmp(text + size - n, ENDINGS[i]) == 0) {
            text[size - n] = 0;
            return true;
        }
    }
    return false;
}

/* Marks at the end that say nothing; a full stop stays. */
static void strip_marks(char *text)
{
    static const char *const MARKS[] = {"!", "?", " ", "~", "！", "？", "〜", "…", ","};
    bool again = true;
    while (again) {
        again = false;
        for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++) {
            size_t n = strlen(MARKS[i]), size = strlen(text);
            if (size > n && strcmp(text + size - n, MARKS[i]) == 0) {
                text[size - n] = 0;
                again = true;
            }
        }
    }
}

static void fold_spaces(const char *text, char *out)
{
    size_t n = 0;
    for (; *text != 0; text++) {
        bool space = isspace((unsigned char)*text);
        if (space && (n == 0 || out[n - 1] == ' '))
            continue;
        out[n++] = space ? ' ' : *text;
    }
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = 0;
}

static void set_form(const char *text, RewriteStep *s)
{
    s->name = "form";
    fold_spaces(text, s->text);
    int upper = 0, letters = 0;
    for (const char *c = s->text; *c != 0; c++) {
        letters += isalpha((unsigned char)*c) != 0;
        upper += isupper((unsigned char)*c) != 0;
    }
    for (char *c = s->text; *c != 0 && letters > 3 && 2 * upper > letters; c++)
        *c = (char)((unsigned char)*c < 0x80 ? tolower((unsigned char)*c) : *c);
    bool again = true;
    strip_marks(s->text);
    while (again) {
        again = strip_front(s->text) || strip_back(s->text);
        strip_marks(s->text);
    }
    if (strcmp(text, s->text) != 0)
        snprintf(s->note, sizeof s->note, "without what says nothing");
}

/* --- words --- */

/* What stands for a known word without being near it in the tree of kinds, and what adds nothing that can be drawn (""). Used for
 * words that the model does not know. */
static const char *const STAND_INS[][2] = {
    {"woods", "forest"}, {"wood", "forest"}, {"jungle", "forest"}, {"nighttime", "night"}, {"midnight", "night"}, {"evening", "sunset"},
    {"dusk", "sunset"}, {"sundown", "sunset"}, {"twilight", "sunset"}, {"sunrise", "dawn"}, {"daybreak", "dawn"}, {"town", "city"},
    {"downtown", "city"}, {"road", "city street"}, {"ocean", "sea"}, {"rainy", "rain"}, {"raining", "rain"}, {"misty", "fog"},
    {"mist", "fog"}, {"foggy", "fog"}, {"snowing", "snowfall"}, {"seaside", "beach"}, {"shore", "beach"}, {"coast", "beach"},
    {"lounge", "living room"}, {"parlour", "living room"}, {"pasture", "meadow"}, {"lawn", "grass"}, {"leftwards", "left"},
    {"rightwards", "right"}, {"zooms", "runs"}, {"zoom", "run"}, {"zooming", "running"}, {"gallops", "runs"}, {"galloping", "running"},
    {"sprints", "runs"}, {"sprinting", "running"}, {"strides", "walks"}, {"wanders", "walks"}, {"wandering", "walking"},
    {"saunters", "walks"}, {"towards", "to"}, {"crimson", "red"}, {"scarlet", "red"}, {"golden", "yellow"}, {"violet", "purple"},
    {"azure", "blue"}, {"navy", "blue"}, {"turquoise", "green"}, {"tan", "brown"}, {"couple", "two"}, {"pair", "two"}, {"trio", "three"},
    {"dashs", "dashes"}, {"really", ""}, {"very", ""}, {"big", ""}, {"huge", ""}, {"small", ""}, {"little", ""}, {"tiny", ""},
    {"cute", ""}, {"lovely", ""}, {"nice", ""}, {"beautiful", ""}, {"cool", ""}, {"happy", ""}, {"funny", ""}, {"like", ""},
    {"basically", ""}, {"kind", ""}, {"sort", ""}, {"side", ""}, {"direction", ""}, {"please", ""}, {"maybe", ""}, {"thing", ""},
    {"scene", ""}, {"video", ""}, {"clip", ""}, {"shows", ""}, {"showing", ""}, {"see", ""}, {"coloured", ""}, {"colored", ""},
    {"動画", ""}, {"作", ""}, {"作って", ""}, {"とても", ""}, {"可愛", ""}, {"大", ""}, {"小", ""}, {"方向", ""},
    {"柴犬", "犬"}, {"子犬", "犬"}, {"わんこ", "犬"}, {"子猫", "猫"}, {"三毛猫", "猫"}, {"仔馬", "馬"}, {"野うさぎ", "ウサギ"},
    {"乳牛", "牛"}, {"子豚", "豚"}, {"小鳥", "鳥"}, {"旅客機", "飛行機"}, {"自家用車", "車"}, {"乗用車", "車"}, {"大型トラック", "トラック"},
    {"路線バス", "バス"}, {"お散歩する", "歩く"}, {"散歩する", "歩く"}, {"夜中", "夜"}, {"真夜中", "夜"}, {"早朝", "夜明け"}, {"夕暮れ", "夕方"},
    {"牧草地", "草原"}, {"朝焼け", "夜明け"}, {"林", "森"}, {"町", "街"}, {"道路", "通り"}, {"雪景色", "雪原"}, {"海岸", "浜辺"},
    {"ビーチ", "浜辺"}, {"リビング", "居間"}, {"ステージ", "舞台"}, {"ダッシュ", "走る"}, {"ジャンプ", "跳ねる"},
};

/* The longest one that stands here in a text without spaces. */
static bool stand_in_at(const char *text, UnknownWord *out)
{
    size_t longest = 0;
    for (size_t i = 0; i < sizeof STAND_INS / sizeof *STAND_INS; i++) {
        size_t n = strlen(STAND_INS[i][0]);
        if ((unsigned char)STAND_INS[i][0][0] >= 0x80 && n > longest && n < sizeof out->word && strncmp(text, STAND_INS[i][0], n) == 0) {
            longest = n;
            memcpy(out->word, STAND_INS[i][0], n + 1);
            out->near = STAND_INS[i][1];
        }
    }
    return longest > 0;
}

/* NULL: there is none. */
static const char *stand_in(const char *word)
{
    for (size_t i = 0; i < sizeof STAND_INS / sizeof *STAND_INS; i++)
        if (strcmp(STAND_INS[i][0], word) == 0)
            return STAND_INS[i][1];
    return NULL;
}

/* The form for several of a noun's first form: the second one of its entry. */
static const char *plural_of(const Rewriter *r, const char *word)
{
    int i = fact_find(r->facts, "nouns", word);
    return i >= 0 ? fact_form(r->facts, "nouns", i, 1) : NULL;
}

static bool same_word(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && strncasecmp(text, word, n) == 0;
}

static const UnknownWord *find_unknown(const char *text, size_t n, const UnknownWord *words, int count)
{
    for (int i = 0; i < count; i++)
        if (same_word(text, n, words[i].word))
            return &words[i];
    return NULL;
}

/* "walks" for "strode"'s neighbour "walk" where the word that it stands for ends in s. */
static const char *verb_of_one(const Rewriter *r, const char *near)
{
    char form[REWRITE_WORD];
    snprintf(form, sizeof form, "%ss", near);
    int i = fact_find(r->facts, "actions", form);
    if (i == FACT_NONE) {
        snprintf(form, sizeof form, "%ses", near);
        i = fact_find(r->facts, "actions", form);
    }
    for (int k = 0; i != FACT_NONE && fact_form(r->facts, "actions", i, k) != NULL; k++)
        if (strcmp(fact_form(r->facts, "actions", i, k), form) == 0)
            return fact_form(r->facts, "actions", i, k);
    return NULL;
}

static void replace_word(const Rewriter *r, RewriteStep *s, const char *word, size_t n, const char *near)
{
    bool with_s = n > 3 && word[n - 1] == 's' && word[n - 2] != 's';
    const char *plural = with_s ? plural_of(r, near) : NULL;
    plural = with_s && plural == NULL ? verb_of_one(r, near) : plural;
    near = plural != NULL ? plural : near;
    if (*near == 0) {
        append(s->note, sizeof s->note, "%s%.*s: left out", s->note[0] != 0 ? ", " : "", (int)n, word);
        return;
    }
    size_t size = strlen(s->text); /* "an" before what begins otherwise now */
    bool vowel = strchr("aeiou", near[0]) != NULL;
    if (size >= 4 && strcmp(s->text + size - 4, " an ") == 0 && !vowel)
        strcpy(s->text + size - 4, " a ");
    else if (size == 3 && strcmp(s->text, "an ") == 0 && !vowel)
        strcpy(s->text, "a ");
    append(s->text, sizeof s->text, "%s", near);
    append(s->note, sizeof s->note, "%s%.*s: %s", s->note[0] != 0 ? ", " : "", (int)n, word, near);
}

/* Is the unknown word in a longer one that something stands for? */
static bool is_stood_in_for(const char *text, const char *word)
{
    for (size_t i = 0; i < sizeof STAND_INS / sizeof *STAND_INS; i++)
        if ((unsigned char)word[0] >= 0x80 && strstr(STAND_INS[i][0], word) != NULL && strstr(text, STAND_INS[i][0]) != NULL)
            return true;
    return false;
}

static bool set_words(const Rewriter *r, const char *text, RewriteStep *s, Rewriting *out, SoraError *err)
{
    UnknownWord words[MAX_UNKNOWN];
    int count = vocabulary_unknown(r->vocabulary, text, words, MAX_UNKNOWN);
    if (count < 0)
        return error_no_memory(err);
    count = count < MAX_UNKNOWN ? count : MAX_UNKNOWN;
    s->name = "words";
    for (int i = 0; i < count; i++)
        if (stand_in(words[i].word) != NULL)
            words[i].near = stand_in(words[i].word);
    for (int i = 0; i < count; i++)
        if (words[i].near == NULL && !is_stood_in_for(text, words[i].word) && out->lost_count < REWRITE_MAX_LOST)
            out->lost[out->lost_count++] = words[i];
    bool japanese = is_japanese(text);
    for (const char *at = text; *at != 0;) {
        const UnknownWord *unknown = NULL;
        size_t n = 0;
        UnknownWord standing = {.near = NULL};
        if (japanese && stand_in_at(at, &standing)) {
            unknown = &standing;
            n = strlen(standing.word);
        } else if ((unsigned char)*at >= 0x80) { /* Japanese has no spaces: the longest unknown word that stands here */
            for (int i = 0; i < count; i++)
                if (strlen(words[i].word) > n && strncmp(at, words[i].word, strlen(words[i].word)) == 0) {
                    unknown = &words[i];
                    n = strlen(words[i].word);
                }
            n = n > 0 ? n : 1;
        } else if (is_letter(*at)) {
            while (at[n] != 0 && is_letter(at[n]) && (unsigned char)at[n] < 0x80)
                n++;
            unknown = find_unknown(at, n, words, count);
        } else {
            n = 1;
        }
        if (unknown != NULL && unknown->near != NULL)
            replace_word(r, s, at, n, unknown->near);
        else
            append(s->text, sizeof s->text, "%.*s", (int)n, at);
        at += n;
    }
    char copy[REWRITE_TEXT]; /* where words were left out there are two spaces */
    memcpy(copy, s->text, sizeof copy);
    fold_spaces(copy, s->text);
    return true;
}

/* --- a clause as captions have it --- */

/* Places of nouns that have one of their own; others are on a meadow. */
static const struct {
    const char *nouns, *place;
} HOMES[] = {{" fish dolphin shark turtle ", "underwater"}, {" rocket ", "space"},
             {" airplane helicopter bird balloon ", "sky"}, {" sailboat duck ", "lake"},
             {" car bus truck taxi train ", "city"}, {" soccer ball basketball ball ", "beach"},
             {" penguin snowman ", "snow"}, {" ghost robot ", "living room"}};

static int home_of(const Rewriter *r, int noun)
{
    const char *name = fact_word(r->facts, "nouns", noun, false), *place = "meadow";
    char padded[80];
    snprintf(padded, sizeof padded, " %s ", name != NULL ? name : "?");
    for (size_t i = 0; i < sizeof HOMES / sizeof *HOMES; i++)
        if (strstr(HOMES[i].nouns, padded) != NULL)
            place = HOMES[i].place;
    return fact_find(r->facts, "places", place);
}

static const char *place_phrase(const Rewriter *r, int place)
{
    static const struct {
        const char *place, *phrase;
    } PHRASES[] = {{"meadow", "in a meadow"}, {"forest", "in a forest"}, {"beach", "on the beach"}, {"desert", "in the desert"},
                   {"snow", "in the snow"}, {"city", "on a city street"}, {"lake", "on a lake"}, {"underwater", "underwater"},
                   {"space", "in space"}, {"moon", "on the moon"}, {"living room", "in a living room"}, {"stage", "on a stage"},
                   {"sky", "in the sky"}, {"farm", "on a farm"}, {"soccer field", "on a soccer field"}};
    const char *name = fact_word(r->facts, "places", place, false);
    for (size_t i = 0; name != NULL && i < sizeof PHRASES / sizeof *PHRASES; i++)
        if (strcmp(PHRASES[i].place, name) == 0)
            return PHRASES[i].phrase;
    return "";
}

static int lowest_bit(uint32_t bits)
{
    int i = 0;
    while (i < 31 && (bits >> i & 1) == 0)
        i++;
    return i;
}

/* What somebody of this kind does when nothing is said, by the verb's plainest form. */
static bool moves_sideways(const char *verb)
{
    static const char MOVING[] = " walks runs crawls drives flies swims sails bounces rolls ";
    char padded[80];
    snprintf(padded, sizeof padded, " %s ", verb);
    return strstr(MOVING, padded) != NULL;
}

/* "walk" of "walks": the first form that goes with several. */
static const char *verb_of_many(const Rewriter *r, int action, const char *one)
{
    size_t stem = strlen(one);
    for (int i = 1; fact_form(r->facts, "actions", action, i) != NULL; i++) {
        const char *form = fact_form(r->facts, "actions", action, i);
        size_t n = strlen(form);
        if (form[0] == one[0] && n < stem && n > 2 && form[n - 1] != 's' && strncmp(form, one, n - 1) == 0 && strchr(form, ' ') == NULL)
            return form;
    }
    return one;
}

static void add_thing(const Rewriter *r, int noun, int colour, int count, char *text)
{
    bool scenery = noun >= FACT_SCENERY;
    const char *list = scenery ? "scenery" : "nouns", *tint = fact_word(r->facts, "colours", colour, false);
    int i = scenery ? noun - FACT_SCENERY : noun;
    const char *name = fact_form(r->facts, list, i, count > 1 ? 1 : 0), *first = tint != NULL ? tint : name;
    if (name == NULL)
        return;
    if (count > 1)
        append(text, REWRITE_TEXT, "%s ", fact_word(r->facts, "counts", count - 1, false));
    else
        append(text, REWRITE_TEXT, "%s ", strchr("aeiou", first[0]) != NULL ? "an" : "a");
    append(text, REWRITE_TEXT, "%s%s%s", tint != NULL ? tint : "", tint != NULL ? " " : "", name);
}

/* What is done to another one is said with it. */
static bool add_to_other(const Rewriter *r, const Facts *f, const char *verb, char *text)
{
    static const struct {
        const char *verb, *before, *after;
    } WITH[] = {{"circling", " circles ", ""}, {"knocks", " knocks ", " away"}, {"behind", " passes behind ", ""},
                {"chases", " chases ", ""}};
    for (size_t i = 0; f->other != FACT_NONE && i < sizeof WITH / sizeof *WITH; i++)
        if (strcmp(verb, WITH[i].verb) == 0) {
            if (i == 1)
                append(text, REWRITE_TEXT, " rolls %s and", f->direction == FACT_LEFT ? "left" : "right");
            append(text, REWRITE_TEXT, "%s", WITH[i].before);
            add_thing(r, f->other, f->other_colour, 1, text);
            append(text, REWRITE_TEXT, "%s", WITH[i].after);
            return true;
        }
    return false;
}

static void say_english(const Rewriter *r, const Facts *f, char *text)
{
    int action = f->actions != 0 ? lowest_bit(f->actions) : FACT_NONE;
    const char *verb = fact_word(r->facts, "actions", action, false);
    text[0] = 0;
    add_thing(r, f->noun, f->colour, f->count, text);
    bool done = verb != NULL && add_to_other(r, f, verb, text);
    if (!done && verb != NULL) {
        size_t n = strlen(f->verb);
        bool finite = n > 2 && f->verb[n - 1] == 's' && f->count <= 1; /* as it was typed */
        append(text, REWRITE_TEXT, " %s", f->count > 1 ? verb_of_many(r, action, verb) : finite ? f->verb : verb);
        if (f->direction != FACT_NONE)
            append(text, REWRITE_TEXT, " %s", f->direction == FACT_LEFT ? "left" : "right");
        if (f->other != FACT_NONE) {
            append(text, REWRITE_TEXT, " next to ");
            add_thing(r, f->other, f->other_colour, 1, text);
        }
    } else if (!done && f->other != FACT_NONE) {
        append(text, REWRITE_TEXT, " and ");
        add_thing(r, f->other, f->other_colour, 1, text);
    }
    if (f->place != FACT_NONE)
        append(text, REWRITE_TEXT, " %s", place_phrase(r, f->place));
    static const char *const WEATHERS[] = {" in the rain", " in falling snow", " in the fog"};
    if (f->weather >= 0 && f->weather < 3)
        append(text, REWRITE_TEXT, "%s", WEATHERS[f->weather]);
    const char *time = f->time > 0 ? fact_word(r->facts, "times", f->time, false) : NULL;
    if (time != NULL)
        append(text, REWRITE_TEXT, " at %s", time);
    const char *camera = f->camera > 0 ? fact_form(r->facts, "cameras", f->camera, 1) : NULL;
    if (camera != NULL)
        append(text, REWRITE_TEXT, ", the %s", camera);
}

static void say_japanese(const Rewriter *r, const Facts *f, char *text)
{
    static const char *const NUMBERS[] = {"", "", "二つの", "三つの", "四つの", "五つの"};
    static const char *const TIMES[] = {"", "夕方の", "夜の", "夜明けの"}, *const WEATHERS[] = {"雨の", "雪の降る", "霧の"};
    int action = f->actions != 0 ? lowest_bit(f->actions) : FACT_NONE;
    const char *verb = f->verb[0] != 0 ? f->verb : NULL, *place = fact_word(r->facts, "places", f->place, true);
    const char *en = fact_word(r->facts, "actions", action, false), *tint = fact_word(r->facts, "colours", f->colour, true);
    bool scenery = f->noun >= FACT_SCENERY, moves = en != NULL && moves_sideways(en);
    const char *name = fact_word(r->facts, scenery ? "scenery" : "nouns", scenery ? f->noun - FACT_SCENERY : f->noun, true);
    text[0] = 0;
    append(text, REWRITE_TEXT, "%s%s", f->time > 0 && f->time < 4 ? TIMES[f->time] : "",
           f->weather >= 0 && f->weather < 3 ? WEATHERS[f->weather] : "");
    if (place != NULL)
        append(text, REWRITE_TEXT, "%s%s", place, moves ? "を" : "で");
    append(text, REWRITE_TEXT, "%s%s%s", f->count > 1 && f->count < 6 ? NUMBERS[f->count] : "", tint != NULL ? tint : "", name);
    if (verb != NULL)
        append(text, REWRITE_TEXT, "が%s%s", f->direction == FACT_LEFT ? "左へ" : f->direction == FACT_RIGHT ? "右へ" : "", verb);
    if (verb == NULL && en != NULL)
        append(text, REWRITE_TEXT, "が%s", fact_word(r->facts, "actions", action, true));
}

/* Captions begin with who acts, or with a time, and are no longer than this; the rest is said anew. */
static bool is_clause(const Rewriter *r, const char *text, const char *asked)
{
    static const char *const BEGINNINGS[] = {"a ", "an ", "the ", "one ", "two ", "three ", "four ", "five ", "at ", "rain falls"};
    static const char *const FOREIGN[] = {" that ", " there ", " it "}; /* which captions do without */
    if (strlen(text) > CAPTION_LENGTH || vocabulary_unknown(r->vocabulary, text, NULL, 0) != 0)
        return false;
    if (is_japanese(text))
        return strcmp(text, asked) == 0 && strstr(text, "が") != NULL && strstr(text, "　") == NULL &&
               (strstr(text, "、") == NULL || strstr(text, "。") != NULL);
    bool begins = false, foreign = false;
    for (size_t i = 0; i < sizeof BEGINNINGS / sizeof *BEGINNINGS; i++)
        begins = begins || strncasecmp(text, BEGINNINGS[i], strlen(BEGINNINGS[i])) == 0;
    for (size_t i = 0; i < sizeof FOREIGN / sizeof *FOREIGN; i++)
        foreign = foreign || strstr(text, FOREIGN[i]) != NULL;
    const char *comma = strchr(text, ',');
    bool tags = comma != NULL && strstr(text, ", the camera") == NULL && strstr(text, ", tracking") == NULL && strncasecmp(text, "at ", 3) != 0 &&
                strstr(text, ", which") == NULL;
    return begins && !foreign && !tags;
}

static void set_clause(const Rewriter *r, const char *text, const char *asked, const Facts *f, bool *said_anew, RewriteStep *s)
{
    s->name = "clause";
    *said_anew = f->noun != FACT_NONE && !is_clause(r, text, asked);
    if (!*said_anew) {
        append(s->text, sizeof s->text, "%s", text);
        return;
    }
    if (is_japanese(text))
        say_japanese(r, f, s->text);
    else
        say_english(r, f, s->text);
    snprintf(s->note, sizeof s->note, "said as captions say it");
}

/* --- what is open --- */

static void set_open(const Rewriter *r, const char *text, Facts f, bool said_anew, uint64_t seed, RewriteStep *s)
{
    Rng rng;
    rng_init(&rng, seed, 0);
    int side = rng_int(&rng, 2);
    const char *verb = f.actions != 0 ? fact_word(r->facts, "actions", lowest_bit(f.actions), false) : NULL;
    bool place = f.noun >= 0 && f.noun < FACT_SCENERY && f.place == FACT_NONE;
    bool direction = verb != NULL && f.noun != FACT_NONE && f.direction == FACT_NONE && f.other == FACT_NONE && moves_sideways(verb);
    s->name = "open";
    if (place)
        f.place = home_of(r, f.noun);
    place = place && f.place != FACT_NONE;
    if (direction && said_anew)
        f.direction = side == 0 ? FACT_LEFT : FACT_RIGHT;
    bool japanese = is_japanese(text);
    if (said_anew && (place || direction)) {
        if (japanese)
            say_japanese(r, &f, s->text);
        else
            say_english(r, &f, s->text);
    } else if (place && !japanese && strlen(text) > 0 && text[strlen(text) - 1] != '.' && strchr(text, ',') == NULL) {
        append(s->text, sizeof s->text, "%s %s", text, place_phrase(r, f.place));
        direction = false;
    } else if (place && japanese && !said_anew) {
        append(s->text, sizeof s->text, "%sで%s", fact_word(r->facts, "places", f.place, true), text);
        direction = false;
    } else {
        append(s->text, sizeof s->text, "%s", text);
        return;
    }
    if (place)
        append(s->note, sizeof s->note, "a place that goes with it");
    if (direction)
        append(s->note, sizeof s->note, "%sa direction, by the seed", place ? ", " : "");
}

bool rewrite_text(const Rewriter *r, const char *text, uint64_t seed, Rewriting *out, SoraError *err)
{
    memset(out, 0, sizeof *out);
    if (strlen(text) >= REWRITE_TEXT / 2)
        return error_set(err, SORA_ERROR_INPUT, "a text of %zu bytes, expected less than %d", strlen(text), REWRITE_TEXT / 2);
    bool said_anew = false;
    set_form(text, &out->steps[0]);
    if (!set_words(r, out->steps[0].text, &out->steps[1], out, err))
        return false;
    Facts f = facts_read(r->facts, out->steps[1].text);
    set_clause(r, out->steps[1].text, text, &f, &said_anew, &out->steps[2]);
    set_open(r, out->steps[2].text, f, said_anew, seed, &out->steps[3]);
    out->count = REWRITE_STEPS;
    out->changed = strcmp(text, out->steps[REWRITE_STEPS - 1].text) != 0;
    return true;
}
