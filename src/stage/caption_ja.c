/* Captions in Japanese. */
#include "stage/caption.h"

#include <stdio.h>
#include <string.h>

#include "stage/scene.h"
#include "stage/style.h"

static const char *const COLOURS[COLOUR_COUNT] = {
    "",       "赤い", "オレンジ色の", "黄色い", "緑の|緑色の", "青い", "紫の|紫色の", "ピンクの|ピンク色の",
    "茶色い", "黒い", "白い"};
static const char *const NUMBERS[6] = {"", "一", "二", "三", "四", "五"};
static const char *const THINGS[6] = {"", "一つ", "二つ", "三つ", "四つ", "五つ"};

static const char *const PLACE_NAMES[PLACE_COUNT] = {"草原|草原|緑の草原|野原",
                                                     "森|森の中",
                                                     "砂浜|浜辺|海辺",
                                                     "砂漠",
                                                     "雪山|雪の中|雪原",
                                                     "街|街|街の通り|通り",
                                                     "湖|山の湖",
                                                     "海の中|海の中|水の中",
                                                     "宇宙|宇宙空間",
                                                     "月面|月の上",
                                                     "部屋|居間|部屋の中",
                                                     "舞台|舞台の上",
                                                     "空|大空",
                                                     "農場|畑",
                                                     "サッカー場|グラウンド"};
static const char *const OF_TIME[TIME_COUNT] = {"", "夕焼けの|夕方の", "夜の", "夜明けの|朝焼けの"};
static const char *const OF_WEATHER[WEATHER_COUNT] = {"", "雨の", "雪の降る", "霧の"};
static const char *const LIGHT[TIME_COUNT] = {"昼間である。", "夕焼けで光が暖かい。", "夜で暗い。",
                                              "夜明けの光が差している。"};
static const char *const WEATHER[WEATHER_COUNT] = {"", "雨が降っている。", "雪が降っている。", "霧が出ている。"};
static const char *const CAMERA[CAMERA_COUNT] = {
    "カメラは動かない", "カメラは左へ動く", "カメラは右へ動く", "カメラが近づく",
    "カメラが離れる",   "カメラが上がる",   "カメラが追う"};
/* In tags. */
static const char *const PLACES[PLACE_COUNT] = {"草原", "森",   "浜辺",   "砂漠", "雪山",
                                                "街",   "湖",   "海の中", "宇宙", "月面",
                                                "部屋", "舞台", "空",     "農場", "サッカー場"};
static const char *const TIMES[TIME_COUNT] = {"昼", "夕方", "夜", "夜明け"};
static const char *const WEATHERS[WEATHER_COUNT] = {"", "雨", "雪", "霧"};
static const char *const ACTIONS[ACTION_COUNT] = {
    "",       "歩く", "走る",   "進む",       "走る",       "走る",   "飛ぶ",
    "泳ぐ",   "進む", "跳ねる", "跳ねる",     "落ちる",     "弾む",   "転がる",
    "昇る",   "上昇", "回る",   "大きくなる", "小さくなる", "近づく", "踊る",
    "浮かぶ", "回る", "当たる", "後ろを通る", "追いかける", "飛ぶ"};

static bool chance(Facts *f, float p)
{
    return rng_uniform(&f->rng) < p;
}

static bool animate(const Noun *n)
{
    return n->role <= ROLE_FLYER || n->role == ROLE_SWIMMER || n->role == ROLE_RIDER ||
           n->role == ROLE_PERSON || strcmp(n->en, "swan") == 0;
}

static const char *count_word(Facts *f, const Noun *n, int count, char buffer[128])
{
    if (strcmp(n->counter, "個") == 0 && chance(f, 0.5f)) {
        snprintf(buffer, 128, "%s", THINGS[count]);
        return buffer;
    }
    if (chance(f, 0.1f))
        snprintf(buffer, 128, "%d%s", count, n->counter);
    else
        snprintf(buffer, 128, "%s%s", NUMBERS[count], n->counter);
    return buffer;
}

static void add_noun(Facts *f, Text *t, const Noun *n, int colour)
{
    char tint[128], name[128];
    text_add(t, "%s", text_pick(&f->rng, COLOURS[colour], tint));
    text_add(t, "%s", n->syn_ja[0] != 0 && chance(f, 0.15f) ? text_pick(&f->rng, n->syn_ja, name) : n->ja);
}

/* The subject with its particle; several either as "三匹の魚が" or as "魚が三匹". */
static void add_subject(Facts *f, Text *t)
{
    char buffer[128];
    int count = f->scene.count;
    bool before = chance(f, 0.6f);
    if (count > 1 && before)
        text_add(t, "%sの", count_word(f, f->noun, count, buffer));
    add_noun(f, t, f->noun, f->scene.colour);
    text_add(t, "が");
    if (count > 1 && !before)
        text_add(t, "%s", count_word(f, f->noun, count, buffer));
}

static const char *const VERBS[ACTION_COUNT] = {
    [ACTION_WALK] = "歩く|歩く|歩いている|歩いていく",
    [ACTION_RUN] = "走る|走る|走っている|走っていく",
    [ACTION_CRAWL] = "進む|ゆっくり進む",
    [ACTION_DRIVE] = "走る|走る|走っている|走っていく",
    [ACTION_FLY] = "飛ぶ|飛ぶ|飛んでいる|飛んでいく",
    [ACTION_SWIM] = "泳ぐ|泳ぐ|泳いでいる|泳いでいく",
    [ACTION_SAIL] = "進む|進んでいる|進んでいく",
    [ACTION_HOP] = "跳ねる|跳ねる|ジャンプする|跳ねている|ぴょんぴょん跳ねる",
    [ACTION_LEAP] = "跳ねていく|跳ねながら進む|ジャンプしながら進む",
    [ACTION_FALL] = "落ちて弾む|地面に落ちて弾む|上から落ちてくる|落ちる",
    [ACTION_BOUNCE] = "弾みながら進む|弾んでいく|弾む",
    [ACTION_ROLL] = "転がる|転がっていく|転がっている",
    [ACTION_FLOAT_UP] = "昇る|昇っていく|ふわふわと昇る|浮かび上がる",
    [ACTION_FLY_UP] = "上へ飛ぶ|上昇する|上へ飛んでいく",
    [ACTION_SPIN] = "回る|くるくる回る|回転する|回っている",
    [ACTION_GROW] = "大きくなる|だんだん大きくなる",
    [ACTION_SHRINK] = "小さくなる|だんだん小さくなる",
    [ACTION_COME] = "近づいてくる|こちらに近づく|カメラに近づく",
    [ACTION_DANCE] = "踊る|踊っている",
    [ACTION_THROW] = "弧を描いて飛ぶ|弧を描いて飛んでいく",
    [ACTION_HOVER] = "浮かぶ|浮かんでいる",
};

static const char *idle_verb(const Noun *n)
{
    switch (n->role) {
    case ROLE_VEHICLE:
        return "止まっている";
    case ROLE_BOAT:
        return "浮かんでいる";
    case ROLE_PLANT:
    case ROLE_BUILDING:
        return n->flags & NOUN_TALL ? "立っている|ある" : "ある";
    default:
        return animate(n) ? "いる|立っている" : "ある|置いてある";
    }
}

/* What it does, '|' separated; beside: there is another one. */
static const char *verbs(const Noun *n, int action, bool beside)
{
    if (action == ACTION_IDLE)
        return idle_verb(n);
    if (action == ACTION_FLY && n->role == ROLE_FLOATER)
        return "漂う|流れていく";
    if (action == ACTION_FLY && n->role == ROLE_CELESTIAL)
        return "漂う|動く";
    if (action == ACTION_SAIL && strcmp(n->en, "swan") == 0)
        return "泳ぐ|進む";
    if (action == ACTION_HOVER && n->role == ROLE_FLYER)
        return !beside                           ? "空中に浮かぶ|浮かんでいる"
               : strcmp(n->en, "butterfly") == 0 ? "飛ぶ|飛んでいる|ひらひら飛ぶ"
                                                 : "飛ぶ|飛んでいる";
    return VERBS[action] != NULL ? VERBS[action] : "";
}

static const char *verb(Facts *f, char buffer[128])
{
    const Noun *n = f->noun;
    int action = f->scene.action;
    if (n->verb[0] != 0 && action == ACTION_RIDE)
        return text_item(n->verb, 2, buffer);
    const char *list = verbs(n, action, f->scene.other >= 0);
    return *list != 0 ? text_pick(&f->rng, list, buffer) : "";
}

/* How the subject gets along, for "behind". */
static const char *way(const Noun *n)
{
    switch (n->role) {
    case ROLE_FLYER:
    case ROLE_AIRCRAFT:
        return "飛び";
    case ROLE_SWIMMER:
        return "泳ぎ";
    case ROLE_VEHICLE:
        return "走り";
    case ROLE_HOPPER:
        return "跳ね";
    default:
        return strcmp(n->en, "runner") == 0 || strcmp(n->en, "cyclist") == 0 ? "走り"
               : n->role == ROLE_CRAWLER                                     ? "進み"
                                                                             : "歩き";
    }
}

static void add_direction(Facts *f, Text *t, bool full)
{
    int d = f->scene.direction;
    bool arc = f->scene.action == ACTION_BOUNCE || f->scene.action == ACTION_THROW;
    if ((d != DIRECTION_LEFT && d != DIRECTION_RIGHT) || (!full && chance(f, arc ? 0.35f : 0.06f)))
        return;
    const char *to = d == DIRECTION_LEFT ? "左" : "右", *from = d == DIRECTION_LEFT ? "右" : "左";
    float u = rng_uniform(&f->rng);
    if (full ? u < 0.5f : u < 0.1f)
        text_add(t, "%sから%sへ", from, to);
    else
        text_add(t, "%s%s", to, u < 0.8f ? "へ" : "に");
}

/* "夜の街", "晴れた草原", "雨の街の通り" */
static void add_place_name(Facts *f, Text *t, bool with_time)
{
    char buffer[128];
    if (with_time && stage_outdoors(f->scene.place)) {
        if (f->scene.weather != WEATHER_CLEAR && chance(f, 0.75f))
            text_add(t, "%s", OF_WEATHER[f->scene.weather]);
        else if (f->sunny && chance(f, 0.35f))
            text_add(t, "%s", chance(f, 0.8f) ? "晴れた" : "昼の");
        text_add(t, "%s", text_pick(&f->rng, OF_TIME[f->scene.time], buffer));
    }
    const char *place =
        text_pick(&f->rng,
                  f->scene.place == PLACE_SNOW && f->scene.weather == WEATHER_SNOW ? "雪山|雪原"
                                                                                   : PLACE_NAMES[f->scene.place],
                  buffer);
    if ((f->sunny || f->scene.weather != WEATHER_CLEAR) && strncmp(place, "緑の", 6) == 0)
        place = "草原";
    text_add(t, "%s", place);
}

/* The place with its particle: を where one moves through it, で where something happens, に where one is. */
static void add_place(Facts *f, Text *t, bool with_time)
{
    const StageScene *s = &f->scene;
    add_place_name(f, t, with_time);
    bool through = s->action == ACTION_WALK || s->action == ACTION_RUN || s->action == ACTION_CRAWL ||
                   s->action == ACTION_DRIVE || s->action == ACTION_FLY || s->action == ACTION_SWIM ||
                   s->action == ACTION_SAIL ||
                   (s->action == ACTION_RIDE && strcmp(f->noun->en, "gymnast") != 0);
    bool being = s->action == ACTION_IDLE;
    bool above = f->noun->role == ROLE_FLYER || f->noun->role == ROLE_AIRCRAFT;
    if (f->still)
        text_add(t, "に");
    else if (through && s->other < 0)
        text_add(t, above && s->place != PLACE_SKY && s->place != PLACE_SPACE && s->place != PLACE_ROOM &&
                            chance(f, 0.6f)
                        ? "の上を"
                    : chance(f, 0.8f) ? "を"
                                      : "で");
    else if (s->action == ACTION_FLOAT_UP && s->place == PLACE_SKY)
        text_add(t, "へ");
    else
        text_add(t, being && s->other < 0 ? "に" : "で");
}

static void add_other(Facts *f, Text *t)
{
    add_noun(f, t, f->other_noun, f->scene.other_colour);
}

/* A single picture: who is there. */
static void add_still(Facts *f, Text *t)
{
    add_subject(f, t);
    if (f->scene.other >= 0) {
        t->n -= strlen("が");
        t->s[t->n] = 0;
        text_add(t, "と");
        add_other(f, t);
        text_add(t, "が");
    }
    text_add(t, animate(f->noun) ? "いる" : "ある");
}

/* Knock and chase, where the other comes after the subject. */
static void add_deed(Facts *f, Text *t, bool full)
{
    StageRole role = f->noun->role;
    add_subject(f, t);
    if (f->scene.action == ACTION_KNOCK) {
        add_direction(f, t, full);
        text_add(t, "転がり、");
        add_other(f, t);
        text_add(t, chance(f, 0.5f) ? "をはじき飛ばす" : "に当たってはじき飛ばす");
        return;
    }
    add_other(f, t);
    text_add(t, "を追いかけて");
    add_direction(f, t, full);
    bool flies = role == ROLE_FLYER || role == ROLE_AIRCRAFT;
    text_add(t, flies ? "飛ぶ" : role == ROLE_SWIMMER ? "泳ぐ" : "走る");
}

/* Where it happens as seen from the other: "木の後ろを". */
static void add_beside(Facts *f, Text *t)
{
    const StageScene *s = &f->scene;
    add_other(f, t);
    switch (s->action) {
    case ACTION_CIRCLE:
        text_add(t, "の周りを");
        break;
    case ACTION_BEHIND:
        text_add(t, "の後ろを");
        break;
    case ACTION_HOVER:
        text_add(t, "の上を");
        break;
    case ACTION_FLY_UP:
        text_add(t, "のそばを");
        break;
    default:
        if (f->other_side != 0 && chance(f, 0.4f))
            text_add(t, f->other_side < 0 ? "の右" : "の左");
        else
            text_add(t, "の隣");
        text_add(t, s->action == ACTION_IDLE ? "に" : "で");
    }
}

static void add_predicate(Facts *f, Text *t, bool full)
{
    const StageScene *s = &f->scene;
    StageRole role = f->noun->role;
    char buffer[128];
    if (s->action == ACTION_CIRCLE) {
        bool flies = role == ROLE_FLYER || role == ROLE_AIRCRAFT;
        text_add(t, "%s",
                 flies                  ? (chance(f, 0.6f) ? "ぐるりと飛ぶ" : "飛び回る")
                 : role == ROLE_SWIMMER ? "泳いで回る"
                                        : "回る");
        return;
    }
    if (f->play->speed > 1.5f && chance(f, 0.4f) && scene_moves(s->action))
        text_add(t, "速く");
    if (f->play->speed < 0.5f && chance(f, 0.4f) && scene_moves(s->action) && s->action != ACTION_CRAWL &&
        s->action != ACTION_RUN)
        text_add(t, "ゆっくり");
    add_direction(f, t, full);
    if (s->action == ACTION_BEHIND && chance(f, 0.65f))
        text_add(t, "%s、反対側から出てくる", chance(f, 0.5f) ? "通り" : way(f->noun));
    else
        text_add(t, "%s", s->action == ACTION_BEHIND ? "通る" : verb(f, buffer));
}

/* Everything after the place. */
static void add_clause(Facts *f, Text *t, bool full)
{
    const StageScene *s = &f->scene;
    if (f->still) {
        add_still(f, t);
        return;
    }
    if (s->action == ACTION_KNOCK || s->action == ACTION_CHASE) {
        add_deed(f, t, full);
        return;
    }
    bool ahead = chance(f, 0.4f);
    if (s->other >= 0 && ahead)
        add_beside(f, t);
    add_subject(f, t);
    if (s->other >= 0 && !ahead)
        add_beside(f, t);
    add_predicate(f, t, full);
}

static const char *camera_phrase(const Facts *f)
{
    return CAMERA[f->scene.camera];
}

static void write_tags(Facts *f, Text *t)
{
    const StageScene *s = &f->scene;
    char buffer[128];
    text_add(t, "%s%s", text_item(COLOURS[s->colour], 0, buffer), f->noun->ja);
    if (s->count > 1)
        text_add(t, "%s%s", NUMBERS[s->count], f->noun->counter);
    if (!f->still) {
        if (s->action == ACTION_RIDE && f->noun->verb[0] != 0)
            text_add(t, "、%s", text_item(f->noun->verb, 2, buffer));
        else if (ACTIONS[s->action][0] != 0)
            text_add(t, "、%s", ACTIONS[s->action]);
        if (s->direction == DIRECTION_LEFT || s->direction == DIRECTION_RIGHT)
            text_add(t, "、%s", s->direction == DIRECTION_LEFT ? "左" : "右");
    }
    if (s->other >= 0)
        text_add(t, "、%s%s", text_item(COLOURS[s->other_colour], 0, buffer), f->other_noun->ja);
    text_add(t, "、%s", PLACES[s->place]);
    if (stage_outdoors(f->scene.place))
        text_add(t, "、%s", TIMES[s->time]);
    if (s->weather != WEATHER_CLEAR)
        text_add(t, "、%s", WEATHERS[s->weather]);
}

static void write_detailed(Facts *f, Text *t)
{
    add_place(f, t, false);
    if (f->still || chance(f, 0.5f))
        text_add(t, "、");
    add_clause(f, t, true);
    text_add(t, "。");
    if (f->prop >= 0 && chance(f, 0.85f)) {
        const Noun *n = pack_noun(f->play->stage->pack, f->prop);
        text_add(t, "%s%sには", f->scene.place == PLACE_SPACE ? "" : "奥の", f->prop_side < 0 ? "左" : "右");
        add_noun(f, t, n, COLOUR_NATIVE);
        text_add(t, "が%s。",
                 n->role == ROLE_CELESTIAL ? "見える"
                 : n->role == ROLE_PLANT || n->role == ROLE_BUILDING
                     ? (n->flags & NOUN_TALL ? "立っている" : "ある")
                 : animate(n) ? "いる"
                              : "ある");
    }
    if (stage_outdoors(f->scene.place)) {
        text_add(t, "%s", f->sunny && chance(f, 0.7f) ? "よく晴れている。" : LIGHT[f->scene.time]);
        text_add(t, "%s", WEATHER[f->scene.weather]);
    }
    if (!f->still)
        text_add(t, "%s。", camera_phrase(f));
}

void caption_japanese(Facts *f, StageCaptionKind kind, Text *t)
{
    if (kind == CAPTION_TAGS) {
        write_tags(f, t);
        return;
    }
    if (kind == CAPTION_DETAILED) {
        write_detailed(f, t);
        return;
    }
    bool medium = kind == CAPTION_MEDIUM;
    if (medium || chance(f, 0.85f))
        add_place(f, t, medium || chance(f, 0.75f));
    add_clause(f, t, medium);
    if (medium) {
        if (f->scene.camera != CAMERA_STATIC && !f->still && chance(f, 0.7f))
            text_add(t, "。%s", camera_phrase(f));
        text_add(t, "。");
    }
}

void caption_japanese_words(WordClass class, int value, const Noun *noun, Text *out)
{
    char ride[128];
    switch (class) {
    case WORDS_NOUNS:
    case WORDS_SCENERY:
        text_add(out, "%s|%s", noun->ja, noun->syn_ja);
        break;
    case WORDS_COLOURS:
        text_add(out, "%s", COLOURS[value]);
        break;
    case WORDS_COUNTS:
        if (value > 0)
            text_add(out, "%s|%s|%s%s|%s", NUMBERS[value], THINGS[value], NUMBERS[value], noun->counter, noun->counter);
        break;
    case WORDS_ACTIONS:
        if (value == ACTION_RIDE && noun->verb[0] != 0)
            text_add(out, "%s", text_item(noun->verb, 2, ride));
        else
            text_add(out, "%s|%s|%s", ACTIONS[value], verbs(noun, value, false), verbs(noun, value, true));
        break;
    case WORDS_DIRECTIONS:
        text_add(out, "%s", value == DIRECTION_LEFT ? "左" : value == DIRECTION_RIGHT ? "右" : "");
        break;
    case WORDS_PLACES:
        text_add(out, "%s|%s", PLACES[value], PLACE_NAMES[value]);
        break;
    case WORDS_TIMES:
        text_add(out, "%s|%s|%s", TIMES[value], OF_TIME[value], LIGHT[value]);
        break;
    case WORDS_WEATHERS:
        text_add(out, "%s|%s|%s", WEATHERS[value], OF_WEATHER[value], WEATHER[value]);
        break;
    case WORDS_CAMERAS:
        text_add(out, "%s", CAMERA[value]);
        break;
    case WORDS_STYLES:
        text_add(out, "%s", style_words(value, LANGUAGE_JA));
        break;
    case WORDS_OTHERS:
        text_add(out, "速く|ゆっくり|晴れた|よく晴れている|昼の|隣|周り|後ろ|上|奥|通る|通り|反対側から出てくる|追いかけて|"
                      "当たってはじき飛ばす|見える|立っている");
        break;
    }
}
