#include "credentials/inputs.h"

#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "credentials/sign.h"

/* The manifests of one input join those of the others; the same one may come with several. */
static bool add_manifests(Inputs *in, const Verification *v, const char *path, SoraError *err)
{
    Span *more = realloc(in->manifests, (in->manifest_count + (size_t)v->store.count) * sizeof *more);
    if (more == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    in->manifests = more;
    for (int i = 0; i < v->store.count; i++) {
        Span box = v->store.manifests[i].box->whole;
        bool known = false;
        for (size_t k = 0; k < in->manifest_count && !known; k++)
            known = span_equal(in->manifests[k], box);
        for (size_t f = 0; f < in->count && !known; f++)
            if (&in->files[f] != v &&
                store_find(&in->files[f].store, (Span){(const uint8_t *)v->store.manifests[i].label,
                                                       strlen(v->store.manifests[i].label)}))
                return error_set(err, SORA_ERROR_INPUT, "%s: its manifest has the name of another input's",
                                 path);
        if (!known)
            in->manifests[in->manifest_count++] = box;
    }
    return true;
}

static bool add_credentials(Inputs *in, size_t i, const char *path, SoraError *err)
{
    Verification *v = &in->files[i];
    Ingredient *g = &in->ingredients[i];
    const C2paManifest *active = &v->store.manifests[v->store.count - 1];
    report_put_results(&v->report, &in->results[i]);
    g->results = bytes_span(&in->results[i]);
    g->label = active->label;
    return (!in->results[i].failed || error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path)) &&
           hash_span(HASH_DEFAULT, active->box->payload, &g->manifest, err) &&
           hash_span(HASH_DEFAULT, active->signature_box->payload, &g->claim_signature, err) &&
           add_manifests(in, v, path, err);
}

static bool add_input(Inputs *in, const SoraInput *input, const Anchors *nobody, SoraError *err)
{
    size_t i = in->count++;
    const char *slash = strrchr(input->path, '/');
    in->titles[i] = strdup(input->title ? input->title : slash ? slash + 1 : input->path);
    if (in->titles[i] == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", input->path);
    if (!span_is_utf8((Span){(const uint8_t *)in->titles[i], strlen(in->titles[i])}))
        strcpy(in->titles[i], "");
    in->ingredients[i] = (Ingredient){.title = in->titles[i], .role = input->role};
    if (!file_exists(input->path))
        return error_set(err, SORA_ERROR_NOT_FOUND, "%s: no such file", input->path);
    SoraError why = {0};
    if (!verify_file(&in->files[i], input->path, nobody, &why)) {
        if (why.code != SORA_ERROR_INPUT) { /* a kind of file that carries nothing is no failure */
            *err = why;
            return false;
        }
        return true;
    }
    in->ingredients[i].media_type = asset_media_type(in->files[i].asset.kind);
    if (in->files[i].store.count > 0 && in->files[i].report.active != NULL)
        return add_credentials(in, i, input->path, err);
    return true;
}

bool inputs_open(Inputs *in, const SoraInput *list, int count, SoraError *err)
{
    *in = (Inputs){0};
    int parents = 0;
    if (count < 0 || count > SIGN_MAX_INPUTS)
        return error_set(err, SORA_ERROR_INPUT, "%d inputs; at most %d are named in a manifest", count,
                         SIGN_MAX_INPUTS);
    for (int i = 0; i < count; i++)
        parents += list[i].role == SORA_INPUT_PARENT;
    if (parents > 1)
        return error_set(err, SORA_ERROR_INPUT, "a file has one parent at most; %d were given", parents);
    size_t n = (size_t)count + 1;
    Anchors *nobody = anchors_open(NULL, err);
    in->ingredients = calloc(n, sizeof *in->ingredients);
    in->files = calloc(n, sizeof *in->files);
    in->results = calloc(n, sizeof *in->results);
    in->titles = calloc(n, sizeof *in->titles);
    bool ok = nobody != NULL && in->ingredients != NULL && in->files != NULL && in->results != NULL &&
              in->titles != NULL;
    if (!ok)
        error_set(err, SORA_ERROR_MEMORY, "inputs: out of memory");
    for (int i = 0; ok && i < count; i++)
        ok = add_input(in, &list[i], nobody, err);
    anchors_free(nobody);
    return ok;
}

void inputs_close(Inputs *in)
{
    for (size_t i = 0; i < in->count; i++) {
        verification_deinit(&in->files[i]);
        bytes_deinit(&in->results[i]);
        free(in->titles[i]);
    }
    free(in->ingredients);
    free(in->files);
    free(in->results);
    free(in->titles);
    free(in->manifests);
    *in = (Inputs){0};
}
