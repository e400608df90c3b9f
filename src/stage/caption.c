#include "stage/caption.h"

#include <stdlib.h>
#include <string.h>

#include "stage/scene.h"
#include "stage/style.h"

/* Mean visible share over the clip. */
static float mean_visible(const StageClip *clip, int id)
{
    float sum = 0;
    for (int f = 0; f < clip->frames; f++)
        sum += clip->actors[id].states[f].visible;
    return sum / (float)clip->frames;
}

static float mean_x(const StageClip *clip, int id)
{
    float sum = 0;
    for (int f = 0; f < clip->frames; f++)
        sum += clip->actors[id].states[f].x;
    return sum / (float)clip->frames;
}

static void gather(const Play *p, const StageClip *clip, Facts *facts)
{
    *facts = (Facts){.play = p, .scene = p->scene, .prop = STAGE_NOBODY, .still = clip->frames == 1};
    StageScene *s = &facts->scene;
    rng_init(&facts->rng, p->rng.seed ^ 0xca9710f5ull << 20, p->rng.stream);
    facts->noun = pack_noun(p->stage->pack, s->noun);
    if (s->other >= 0 && (s->count >= clip->actor_count || mean_visible(clip, s->count) < 0.35f))
        s->other = STAGE_NOBODY;
    if (s->other < 0 && scene_needs_other(s->action))
        s->other = p->scene.other; /* part of the action: it was there, if only for a while */
    if (s->other >= 0) {
        facts->other_noun = pack_noun(p->stage->pack, s->other);
        float d = mean_x(clip, s->count) - mean_x(clip, 0);
        facts->other_side = d > 0.15f * p->ground.width ? 1 : d < -0.15f * p->ground.width ? -1 : 0;
    }
    for (int i = s->count; i < clip->actor_count; i++) {
        if (!clip->actors[i].prop || mean_visible(clip, i) < 0.6f)
            continue;
        facts->prop = clip->actors[i].noun;
        facts->prop_side = mean_x(clip, i) < p->ground.width / 2 ? -1 : 1;
        break;
    }
    facts->sunny = stage_outdoors(s->place) && s->time == TIME_DAY && s->weather == WEATHER_CLEAR;
}

bool caption_clip(const Play *p, StageClip *clip)
{
    static const StageCaptionKind KINDS[] = {CAPTION_SHORT, CAPTION_SHORT, CAPTION_MEDIUM, CAPTION_DETAILED,
                                             CAPTION_TAGS};
    enum { EACH = sizeof KINDS / sizeof KINDS[0] };
    Facts facts;
    Rng rng; /* apart from the others, which say the same with and without a style */
    rng_init(&rng, p->rng.seed ^ 0x571e0ull << 24, p->rng.stream);
    gather(p, clip, &facts);
    clip->captions = calloc(2 * EACH, sizeof *clip->captions);
    if (clip->captions == NULL)
        return false;
    for (int language = 0; language < 2; language++)
        for (int k = 0; k < EACH; k++) {
            Text text = {0};
            (language == LANGUAGE_EN ? caption_english : caption_japanese)(&facts, KINDS[k], &text);
            style_say(p->style, (StageLanguage)language, KINDS[k], &rng, &text);
            char *copy = strdup(text.s);
            if (copy == NULL)
                return false;
            clip->captions[clip->caption_count++] = (StageCaption){(StageLanguage)language, KINDS[k], copy};
        }
    return true;
}
