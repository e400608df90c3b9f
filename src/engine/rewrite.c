/* sora_rewrite(): a prompt in the words of a model that says which it knows. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_file.h"
#include "engine/engine.h"
#include "text/rewrite.h"
#include "text/utf8.h"

static json_t *describe(const Rewriting *r, const char *asked, uint64_t seed)
{
    json_t *steps = json_array(), *lost = json_array();
    for (int i = 0; i < r->count; i++)
        json_array_append_new(steps, json_pack("{s:s, s:s, s:s}", "step", r->steps[i].name, "text", r->steps[i].text, "did", r->steps[i].note));
    for (int i = 0; i < r->lost_count; i++)
        json_array_append_new(lost, json_string(r->lost[i].word));
    json_t *number = seed >> 53 == 0 ? json_integer((json_int_t)seed) : json_sprintf("%llu", (unsigned long long)seed);
    return json_pack("{s:s, s:s, s:b, s:o, s:o, s:o}", "asked", asked, "text", r->steps[r->count - 1].text, "changed", r->changed, "seed",
                     number, "steps", steps, "unknown", lost);
}

bool sora_rewrite(const SoraEngine *e, const char *text, uint64_t seed, SoraRewriting *out, SoraError *err)
{
    *out = (SoraRewriting){0};
    if (e->vocabulary == NULL)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: the model does not say what it knows, so nothing can be rewritten for it",
                         sora_engine_name(e));
    if (!utf8_check(text, strlen(text), "prompt", err))
        return false;
    Rewriting *r = malloc(sizeof *r);
    Rewriter *rewriter = r != NULL ? rewriter_new(e->vocabulary, err) : NULL;
    bool ok = r == NULL ? error_no_memory(err) : rewriter != NULL && rewrite_text(rewriter, text, seed, r, err);
    if (ok) {
        json_t *json = describe(r, text, seed);
        out->text = strdup(r->steps[r->count - 1].text);
        out->json = json != NULL ? json_text(json, JSON_INDENT(2)) : NULL;
        out->changed = r->changed;
        json_decref(json);
        ok = (out->text != NULL && out->json != NULL) || error_no_memory(err);
    }
    rewriter_free(rewriter);
    free(r);
    if (!ok)
        sora_rewriting_deinit(out);
    return ok;
}

void sora_rewriting_deinit(SoraRewriting *rewriting)
{
    free(rewriting->text);
    free(rewriting->json);
    *rewriting = (SoraRewriting){0};
}
