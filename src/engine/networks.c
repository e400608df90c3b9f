#include "engine/networks.h"

#include <stdio.h>
#include <string.h>

/* "ti2v" (the default): a timestep for each patch. "t2v", "i2v", "flf2v": one for the whole latent. */
static bool read_model_type(const json_t *json, bool *per_patch, SoraError *err)
{
    static const char *const TYPES[] = {"ti2v", "t2v", "i2v", "flf2v"};
    const json_t *type = json_object_get(json, "model_type");
    const char *name = type != NULL ? json_string_value(type) : TYPES[0];
    if (name == NULL)
        return error_set(err, SORA_ERROR_INPUT, "\"model_type\" is no string");
    *per_patch = strcmp(name, TYPES[0]) == 0;
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (strcmp(name, TYPES[i]) == 0)
            return true;
    return error_set(err, SORA_ERROR_UNSUPPORTED, "\"model_type\" %.20s is not supported", name);
}

static const Tensor *find(const WeightPart *part, const char *name)
{
    const PartTensor *t = weight_part_find(part, name);
    return t != NULL ? &t->tensor : NULL;
}

static bool bind_transformer(Networks *n, const WeightPart *part, ModelSlot slot, const json_t *json,
                             Params *params, SoraError *err)
{
    DitConfig c;
    bool per_patch = false;
    if (!dit_config_parse(&c, json, err) || !read_model_type(json, &per_patch, err) ||
        !dit_config_add_pictures(&c, find(part, "img_emb.proj.1.weight"), find(part, "img_emb.emb_pos"), err))
        return false;
    if (slot == SLOT_TRANSFORMER)
        n->timestep_per_patch = per_patch;
    dit_bind(n->transformers[slot == SLOT_LOW_NOISE], &c, params);
    return true;
}

/* Without a config it is one of the two published ones: mean and deviation of latents are in no tensor. */
static bool bind_autoencoder(Networks *n, const WeightPart *part, const json_t *json, Params *params,
                             SoraError *err)
{
    bool levels = find(part, "decoder.upsamples.0.upsamples.0.residual.2.weight") != NULL;
    VaeConfig c = levels ? vae_config_wan22() : vae_config_wan21();
    if (json != NULL && !vae_config_read(&c, json, err))
        return false;
    vae_bind(n->autoencoder, &c, params);
    return true;
}

static bool bind_image_encoder(Networks *n, const json_t *json, Params *params, SoraError *err)
{
    ClipConfig c;
    json_t *none = json_object();
    bool ok = clip_config_parse(&c, json != NULL ? json : none, err);
    json_decref(none);
    if (ok)
        clip_bind(n->image_encoder, &c, params);
    return ok;
}

bool network_bind(Networks *n, const ModelFiles *files, ModelSlot slot, Params *params, SoraError *err)
{
    const WeightPart *part = model_files_part(files, slot);
    const json_t *beside = model_files_config(files, slot);
    bool ok;
    if (slot == SLOT_AUTOENCODER) {
        ok = bind_autoencoder(n, part, beside, params, err);
    } else if (slot == SLOT_IMAGE_ENCODER) {
        ok = bind_image_encoder(n, beside, params, err);
    } else {
        /* In a folder of ours the config says all. */
        bool ours = model_files_manifest(files) != NULL && beside != NULL;
        json_t *json = ours ? json_incref((json_t *)(uintptr_t)beside) : part_config(part, beside, err);
        Umt5Config c;
        if (slot != SLOT_TEXT_ENCODER)
            ok = json != NULL && bind_transformer(n, part, slot, json, params, err);
        else if ((ok = json != NULL && umt5_config_parse(&c, json, err)))
            umt5_bind(n->text_encoder, &c, params);
        json_decref(json);
    }
    const char *path = model_files_config_path(files, slot);
    return ok || error_wrap(err, "%s", path != NULL ? path : weight_file_path(weight_part_file(part)));
}

bool network_leaves(const Clip *image_encoder, const WeightPart *part, const char *name)
{
    char last[64];
    snprintf(last, sizeof last, "visual.transformer.%d.", image_encoder->config.num_layers - 1);
    return layout_is_unused(weight_part_kind(part), name) ||
           (weight_part_kind(part) == PART_IMAGE_ENCODER && strncmp(name, last, strlen(last)) == 0);
}
