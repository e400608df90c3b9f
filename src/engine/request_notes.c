#include "engine/request_notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/clean.h"
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

enum { SHOWN_WORDS = 6, SHOWN_NOUNS = 5 };

static void append(char *text, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void append(char *text, size_t size, const char *fmt, ...)
{
    size_t n = strlen(text);
    va_list args;
    va_start(args, fmt);
    vsnprintf(text + n, size - n, fmt, args);
    va_end(args);
}

/* "piano", "walked" (known: "walks") and 3 more; some of the nouns that it knows. */
static bool note_unknown(Notes *notes, const SoraEngine *e, const char *prompt, SoraError *err)
{
    UnknownWord words[SHOWN_WORDS];
    char text[1024] = "", nouns[256] = "";
    size_t size;
    char *clean = clean_prompt(prompt, strlen(prompt), &size, err);
    if (clean == NULL)
        return false;
    int count = vocabulary_unknown(e->vocabulary, clean, words, SHOWN_WORDS), shown = count < SHOWN_WORDS ? count : SHOWN_WORDS;
    free(clean);
    if (count < 0)
        return error_set(err, SORA_ERROR_MEMORY, "prompt: out of memory");
    for (int i = 0; i < shown; i++) {
        append(text, sizeof text, "%s\"%s\"", i == 0 ? "" : i + 1 == count ? " and " : ", ", words[i].word);
        if (words[i].near != NULL)
            append(text, sizeof text, " (known: \"%s\")", words[i].near);
    }
    if (count > shown)
        append(text, sizeof text, " and %d more", count - shown);
    for (int i = 0; i < SHOWN_NOUNS && vocabulary_noun(e->vocabulary, i) != NULL; i++)
        append(nouns, sizeof nouns, "%s%s", i == 0 ? "" : ", ", vocabulary_noun(e->vocabulary, i));
    if (count > 0)
        notes_add(notes, "words", "the model does not know %s; it knows %d nouns, such as %s", text,
                  vocabulary_noun_count(e->vocabulary), nouns);
    return true;
}

bool request_notes(Notes *notes, const SoraEngine *e, const SoraRequest *r, const Plan *p, SoraError *err)
{
    bool guided = plan_is_guided(p);
    if (r->low_guidance_scale >= 0 && p->low_guidance_scale == -1)
        notes_add(notes, "low_guidance", "low-noise guidance has no effect: the model has one expert");
    if (!guided && r->negative_prompt != NULL && *r->negative_prompt != 0)
        notes_add(notes, "negative_prompt", "the negative prompt has no effect at guidance 1");
    for (int i = 0; i < p->passage_count; i++)
        if ((e->vocabulary != NULL && !note_unknown(notes, e, p->passages[i].prompt, err)) ||
            !note_cut(notes, e, "prompt", p->passages[i].prompt, err))
            return false;
    return (!guided || note_cut(notes, e, "negative_prompt", p->negative_prompt, err)) && notes_ok(notes, err);
}
