#include "engine/request_notes.h"

#include <stdlib.h>

#include "weights/message.h"

static bool note_cut(Notes *notes, const SoraEngine *e, const char *about, const char *text, SoraError *err)
{
    TextCut cut;
    if (!pipeline_cut(&e->pipeline, text, &cut, err))
        return false;
    char shown[SHOWN_SIZE];
    if (cut.rest != NULL)
        notes_add(notes, about, "the %s has %d pieces, and the model hears %d; cut off: \"%s\"",
                  about[0] == 'n' ? "negative prompt" : "prompt", cut.pieces, cut.heard, message_shown(cut.rest, shown));
    free(cut.rest);
    return true;
}

bool request_notes(Notes *notes, const SoraEngine *e, const SoraRequest *r, const Plan *p, SoraError *err)
{
    bool guided = plan_is_guided(p);
    if (r->low_guidance_scale >= 0 && p->low_guidance_scale == -1)
        notes_add(notes, "low_guidance", "low-noise guidance has no effect: the model has one expert");
    if (!guided && r->negative_prompt != NULL && *r->negative_prompt != 0)
        notes_add(notes, "negative_prompt", "the negative prompt has no effect at guidance 1");
    return note_cut(notes, e, "prompt", p->prompt, err) &&
           (!guided || note_cut(notes, e, "negative_prompt", p->negative_prompt, err)) && notes_ok(notes, err);
}
