#include "studio/studio.h"

#include <stdlib.h>

#include "base/clock.h"
#include "studio/run.h"

Layer *timeline_kept(Timeline *line, int64_t t)
{
    for (int i = line->layer_count; i-- > 0;) {
        Layer *l = &line->layers[i];
        if (l->kept && t >= l->first && t < l->first + l->frames)
            return l;
    }
    return NULL;
}

bool studio_progress(Studio *s, double part, SoraError *err)
{
    const SoraRequest *r = s->request;
    int64_t done = s->done + s->ahead + (int64_t)(part * (double)s->making);
    if (!lost_check(err))
        return false;
    if (done > s->line.frames)
        done = s->line.frames;
    SoraProgress progress = {SORA_PHASE_FRAMES, done > INT32_MAX ? INT32_MAX : (int)done,
                             s->line.frames > INT32_MAX ? 0 : (int)s->line.frames, clock_seconds() - s->start};
    return r->progress == NULL || r->progress(&progress, r->user) || error_set(err, SORA_ERROR_CANCELLED, "cancelled");
}

bool studio_hand_on(Studio *s, const uint8_t *rgb, SoraError *err)
{
    if (!s->take(s, rgb, err)) {
        s->refused = true;
        return false;
    }
    s->done++;
    s->ahead -= s->ahead > 0;
    return true;
}

bool studio_run(Studio *s, SoraError *err)
{
    if (!studio_progress(s, 0, err))
        return false;
    if (s->line.ring)
        return run_ring(s, err);
    while (s->done < s->line.frames) {
        Layer *kept = timeline_kept(&s->line, s->done);
        const uint8_t *rgb;
        RunPlace place;
        if (kept != NULL) {
            if (!layer_frame(kept, s->done, &rgb, err) || !studio_hand_on(s, rgb, err))
                return false;
            if (s->done % 16 == 0 && !studio_progress(s, 0, err))
                return false;
            continue;
        }
        place = run_place(s, s->done);
        if (!run_make(s, &place, err))
            return false;
    }
    return studio_progress(s, 0, err);
}

Studio *studio_new(SoraEngine *engine, const SoraRequest *request, SoraError *err)
{
    Studio *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_no_memory(err);
        return NULL;
    }
    *s = (Studio){.engine = engine, .request = request, .start = clock_seconds()};
    lost_begin(&engine->losses);
    lost_begin(&s->losses);
    return s;
}

bool studio_free(Studio *s, SoraError *err)
{
    if (s == NULL)
        return false;
    bool whole = lost_check(err);
    for (int i = 0; i < s->line.layer_count; i++)
        layer_close(&s->line.layers[i]);
    lost_end(&s->losses);
    lost_end(&s->engine->losses);
    text_cache_deinit(&s->texts);
    watermark_free(s->watermark);
    free(s->line.words);
    free(s->line.sound);
    free(s->live_words);
    free(s->last_words);
    free(s->parameters);
    free(s);
    return whole;
}
