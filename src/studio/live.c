/* A video that never ends. */
#include <stdlib.h>
#include <string.h>

#include "studio/studio.h"

static bool take_live(Studio *s, const uint8_t *rgb, SoraError *err)
{
    SoraError why = {0};
    if (s->live->frame(rgb, s->line.width, s->line.height, s->done, s->live->user, &why))
        return true;
    s->enough = why.code == SORA_OK;
    if (err != NULL)
        *err = why;
    return false;
}

bool sora_live(SoraEngine *engine, const SoraRequest *request, const SoraLive *live, SoraError *err)
{
    if (engine == NULL || request == NULL || live == NULL || live->frame == NULL)
        return error_set(err, SORA_ERROR_INPUT, "%s: there is none", engine == NULL ? "engine" : request == NULL ? "request" : "live");
    SoraRequest own = *request;
    own.passage_count = own.given_count = own.frames = 0;
    SoraEdit edit;
    sora_edit_init(&edit);
    edit.kind = live->begin != NULL ? SORA_EDIT_EXTEND : SORA_EDIT_NEW;
    edit.inputs = &live->begin;
    edit.input_count = live->begin != NULL;
    edit.seconds = live->begin != NULL ? 1 : 0;
    Studio *s = studio_new(engine, &own, err);
    if (s == NULL)
        return false;
    s->take = take_live;
    s->live = live;
    Notes notes = {0};
    SoraError why = {0};
    bool ok = studio_plan(s, &edit, &notes, &why);
    for (int i = 0; ok && i < notes.count && request->note != NULL; i++)
        request->note(&notes.items[i], request->user);
    s->line.frames = STUDIO_ENDLESS;
    ok = ok && studio_run(s, &why);
    ok = ok || s->enough || (why.code == SORA_ERROR_CANCELLED && !s->refused);
    if (!ok && err != NULL)
        *err = why;
    notes_deinit(&notes);
    return studio_free(s, err) && ok;
}
