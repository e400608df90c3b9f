#include "credentials/inputs.h"

#include <stdlib.h>
#include <string.h>

static bool out_of_memory(const char *path, SoraError *err)
{
    return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
}

/* Is the same manifest there already? *clash: another one of its name is. */
static bool is_known(const SoraInputs *in, const Verification *v, const C2paManifest *m, bool *clash)
{
    Span label = {(const uint8_t *)m->label, strlen(m->label)};
    *clash = false;
    for (size_t k = 0; k < in->manifest_count; k++)
        if (span_equal(in->manifests[k], m->box->whole))
            return true;
    for (int i = 0; i < in->count; i++)
        if (&in->files[i].verification != v && store_find(&in->files[i].verification.store, label) != NULL)
            *clash = true;
    return false;
}

/* The manifests of one input join those of the others; the same one may come with several. */
static bool add_manifests(SoraInputs *in, const Verification *v, const char *path, SoraError *err)
{
    bool clash;
    Span *more = realloc(in->manifests, (in->manifest_count + (size_t)v->store.count) * sizeof *more);
    if (more == NULL)
        return out_of_memory(path, err);
    in->manifests = more;
    for (int i = 0; i < v->store.count; i++) {
        if (is_known(in, v, &v->store.manifests[i], &clash))
            continue;
        if (clash)
            return error_set(err, SORA_ERROR_INPUT, "%s: its manifest has the name of another input's", path);
        in->manifests[in->manifest_count++] = v->store.manifests[i].box->whole;
    }
    return true;
}

static bool add_credentials(SoraInputs *in, InputFile *f, Ingredient *g, SoraError *err)
{
    Verification *v = &f->verification;
    const C2paManifest *active = &v->store.manifests[v->store.count - 1];
    report_put_results(&v->report, &f->results);
    g->results = bytes_span(&f->results);
    g->label = active->label;
    return (!f->results.failed || out_of_memory(f->path, err)) &&
           hash_span(HASH_DEFAULT, active->box->payload, &g->manifest, err) &&
           hash_span(HASH_DEFAULT, active->signature_box->payload, &g->claim_signature, err) &&
           add_manifests(in, v, f->path, err);
}

/* A kind of file that carries nothing is no failure. */
static bool validate(InputFile *f, const Anchors *nobody, bool *carries, SoraError *err)
{
    SoraError why = {0};
    *carries = verify_file(&f->verification, f->path, nobody, &why);
    if (f->verification.asset.file == NULL || (!*carries && why.code != SORA_ERROR_INPUT))
        return error_set(err, why.code, "%s", why.message);
    return fstat(fileno(f->verification.asset.file), &f->identity) == 0 || error_system(err, f->path, "cannot read");
}

static bool add_input(SoraInputs *in, const SoraInput *input, const Anchors *nobody, SoraError *err)
{
    InputFile *f = &in->files[in->count];
    Ingredient *g = &in->ingredients[in->count++];
    bool carries;
    const char *slash = strrchr(input->path, '/');
    f->path = strdup(input->path);
    f->title = strdup(input->title ? input->title : slash ? slash + 1 : input->path);
    if (f->path == NULL || f->title == NULL)
        return out_of_memory(input->path, err);
    if (!span_is_utf8((Span){(const uint8_t *)f->title, strlen(f->title)}))
        strcpy(f->title, "");
    *g = (Ingredient){.title = f->title, .role = input->role};
    if (!validate(f, nobody, &carries, err))
        return false;
    if (!carries)
        return true;
    g->media_type = asset_media_type(f->verification.asset.kind);
    return f->verification.store.count == 0 || f->verification.report.active == NULL || add_credentials(in, f, g, err);
}

static bool check_list(const SoraInput *list, int count, SoraError *err)
{
    int parents = 0;
    if (count < 0 || count > INPUTS_MAX)
        return error_set(err, SORA_ERROR_INPUT, "%d inputs; at most %d are named in a manifest", count, INPUTS_MAX);
    for (int i = 0; i < count; i++) {
        if ((int)list[i].role < SORA_INPUT_PARENT || list[i].role > SORA_INPUT_COMPONENT)
            return error_set(err, SORA_ERROR_INPUT, "%s: role %d is none", list[i].path, (int)list[i].role);
        parents += list[i].role == SORA_INPUT_PARENT;
    }
    return parents <= 1 || error_set(err, SORA_ERROR_INPUT, "%d parents; a file has one parent at most", parents);
}

SoraInputs *sora_inputs_open(const SoraInput *list, int count, SoraError *err)
{
    SoraInputs *in = calloc(1, sizeof *in);
    if (in == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "inputs: out of memory");
        return NULL;
    }
    Anchors *nobody = anchors_open(NULL, err);
    bool ok = nobody != NULL && check_list(list, count, err);
    for (int i = 0; ok && i < count; i++)
        ok = add_input(in, &list[i], nobody, err);
    anchors_free(nobody);
    if (!ok) {
        sora_inputs_close(in);
        return NULL;
    }
    return in;
}

void sora_inputs_close(SoraInputs *inputs)
{
    if (inputs == NULL)
        return;
    for (int i = 0; i < inputs->count; i++) {
        verification_deinit(&inputs->files[i].verification);
        bytes_deinit(&inputs->files[i].results);
        free(inputs->files[i].path);
        free(inputs->files[i].title);
    }
    free(inputs->manifests);
    free(inputs);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool sora_inputs_unchanged(const SoraInputs *inputs, SoraError *err)
{
    struct stat now;
    for (int i = 0; i < inputs->count; i++) {
        const InputFile *f = &inputs->files[i];
        /* One that is gone was there: whoever read it read the one that was opened. */
        if (stat(f->path, &now) == 0 && !is_same(&now, &f->identity))
            return error_set(err, SORA_ERROR_INPUT, "%s: it was changed while it was being read; start again", f->path);
    }
    return true;
}
