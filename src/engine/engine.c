#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_file.h"
#include "cpu/backend.h"

static const char *const FOLDERS[NETWORK_COUNT] = {"transformer", "transformer_2", "text_encoder", "vae",
                                                   "image_encoder"};

static char *join(const char *dir, const char *name, SoraError *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) >= 0)
        return path;
    error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", dir);
    return NULL;
}

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

static bool bind_transformer(SoraEngine *e, int part, const json_t *json, SoraError *err)
{
    DitConfig c;
    bool per_patch;
    const Safetensors *file = e->parts[part].file;
    if (!dit_config_parse(&c, json, err) || !read_model_type(json, &per_patch, err) ||
        !dit_config_add_pictures(&c, safetensors_find(file, "img_emb.proj.1.weight"),
                                 safetensors_find(file, "img_emb.emb_pos"), err))
        return false;
    if (part == NETWORK_TRANSFORMER)
        e->pipeline.timestep_per_patch = per_patch;
    dit_bind(part == NETWORK_TRANSFORMER ? &e->transformer : &e->low_noise, &c, &e->parts[part].params);
    return true;
}

static bool bind_network(SoraEngine *e, int part, const json_t *json, SoraError *err)
{
    Params *params = &e->parts[part].params;
    Umt5Config text;
    VaeConfig vae;
    ClipConfig clip;
    bool ok;
    if (part == NETWORK_TRANSFORMER || part == NETWORK_LOW_NOISE) {
        ok = bind_transformer(e, part, json, err);
    } else if (part == NETWORK_TEXT_ENCODER) {
        if ((ok = umt5_config_parse(&text, json, err)))
            umt5_bind(&e->text_encoder, &text, params);
    } else if (part == NETWORK_AUTOENCODER) {
        if ((ok = vae_config_read(&vae, json, err)))
            vae22_bind(&e->autoencoder, &vae, params);
    } else {
        if ((ok = clip_config_parse(&clip, json, err)))
            clip_bind(&e->image_encoder, &clip, params);
    }
    return ok;
}

/* DIR/PART/config.json and the weights beside it. A second expert or an image encoder may be missing. */
static bool open_part(SoraEngine *e, const char *dir, int part, SoraError *err)
{
    EnginePart *p = &e->parts[part];
    char *folder = join(dir, FOLDERS[part], err);
    if (folder != NULL && (part == NETWORK_LOW_NOISE || part == NETWORK_IMAGE_ENCODER) &&
        !dir_exists(folder)) {
        free(folder);
        return true;
    }
    char *config_path = folder != NULL ? join(folder, "config.json", err) : NULL;
    json_t *json = config_path != NULL ? json_file_read(config_path, err) : NULL;
    bool ok = json != NULL && (p->file = safetensors_open(folder, err)) != NULL;
    if (ok) {
        file_source_init(&p->source, p->file, FILE_SOURCE_MAPPED);
        params_init(&p->params, &p->source.source);
        ok = bind_network(e, part, json, err) || error_wrap(err, "%s", config_path);
        ok = ok && params_ok(&p->params, err);
    }
    json_decref(json);
    free(config_path);
    free(folder);
    return ok;
}

static void close_part(EnginePart *p)
{
    params_deinit(&p->params);
    file_source_deinit(&p->source);
    safetensors_close(p->file);
}

/* What is known of the published model that this transformer is of. path: of the manifest that is missing. */
static bool guess_manifest(SoraEngine *e, const char *path, SoraError *err)
{
    int experts = e->parts[NETWORK_LOW_NOISE].file != NULL ? 2 : 1;
    const Variant *v = variant_guess(&e->transformer.config, experts);
    return v != NULL ? manifest_init(&e->manifest, v, err) : manifest_load(&e->manifest, path, err);
}

static bool open_files(SoraEngine *e, const char *dir, SoraError *err)
{
    if (!dir_exists(dir))
        return error_set(err, SORA_ERROR_NOT_FOUND, "%s: no such model folder", dir);
    char *manifest = join(dir, "model.json", err), *tokenizer = join(dir, "tokenizer.model", err);
    bool ok = manifest != NULL && tokenizer != NULL;
    /* A folder with neither is none, and then it is the manifest that is missed. */
    bool found = ok && (file_exists(manifest) || !file_exists(tokenizer));
    ok = ok && (!found || manifest_load(&e->manifest, manifest, err)) &&
         (e->tokenizer = tokenizer_open(tokenizer, err)) != NULL;
    for (int part = 0; part < NETWORK_COUNT && ok; part++)
        ok = open_part(e, dir, part, err);
    ok = ok && (found || guess_manifest(e, manifest, err));
    free(manifest);
    free(tokenizer);
    return ok;
}

static bool open_backend(SoraEngine *e, const SoraOptions *options, SoraError *err)
{
    SoraOptions o = options != NULL ? *options : (SoraOptions){0};
    e->backend = cpu_backend_new(&(CpuOptions){o.threads, o.precision, o.cpu}, err);
    if (e->backend == NULL)
        return false;
    e->pipeline.graph = graph_new(e->backend);
    return e->pipeline.graph != NULL || error_set(err, SORA_ERROR_MEMORY, "engine: out of memory");
}

static void connect_parts(SoraEngine *e)
{
    Pipeline *p = &e->pipeline;
    p->tokenizer = e->tokenizer;
    p->transformer = &e->transformer;
    p->low_noise = e->parts[NETWORK_LOW_NOISE].file != NULL ? &e->low_noise : NULL;
    p->boundary = e->manifest.boundary * e->manifest.train_timesteps;
    p->text_encoder = &e->text_encoder;
    p->autoencoder = &e->autoencoder;
    p->image_encoder = e->parts[NETWORK_IMAGE_ENCODER].file != NULL ? &e->image_encoder : NULL;
}

/* Models with a condition need a picture. Those that listen to pictures hear one or two, as they were
 * trained; the others see a last picture as they see a first one. */
static void describe_grid(SoraEngine *e)
{
    const VaeConfig *vae = &e->autoencoder.config;
    const DitConfig *dit = &e->transformer.config;
    bool condition = pipeline_has_condition(&e->pipeline);
    e->grid = (LatentGrid){
        .channels = vae->z_dim,
        .stride_time = vae_stride_time(vae),
        .stride_space = vae_stride_space(vae),
        .picture = condition ? NEED_REQUIRED : NEED_OPTIONAL,
        .last_picture = !condition           ? NEED_NONE
                        : dit->clip_rows > 0 ? NEED_REQUIRED
                        : dit->clip_dim > 0  ? NEED_NONE
                                             : NEED_OPTIONAL,
        .stretch = condition,
    };
    memcpy(e->grid.patch, dit->patch_size, sizeof e->grid.patch);
}

static bool check_boundary(const SoraEngine *e, SoraError *err)
{
    bool two = e->pipeline.low_noise != NULL;
    return two == (e->manifest.boundary > 0) ||
           error_set(err, SORA_ERROR_INPUT, "model.json: \"boundary\" is %g, and there %s",
                     e->manifest.boundary, two ? "are two experts" : "is one transformer");
}

SoraEngine *sora_engine_open(const char *model_dir, const SoraOptions *options, SoraError *err)
{
    SoraEngine *e = calloc(1, sizeof *e);
    if (e == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "engine: out of memory");
        return NULL;
    }
    bool ok = open_backend(e, options, err) && open_files(e, model_dir, err);
    if (ok) {
        connect_parts(e);
        describe_grid(e);
        ok =
            (pipeline_check(&e->pipeline, err) && check_boundary(e, err)) || error_wrap(err, "%s", model_dir);
    }
    if (ok)
        return e;
    sora_engine_close(e);
    return NULL;
}

void sora_engine_close(SoraEngine *engine)
{
    if (engine == NULL)
        return;
    graph_free(engine->pipeline.graph);
    for (int part = 0; part < NETWORK_COUNT; part++)
        close_part(&engine->parts[part]);
    tokenizer_close(engine->tokenizer);
    cpu_backend_free(engine->backend);
    manifest_deinit(&engine->manifest);
    free(engine);
}

const char *sora_engine_name(const SoraEngine *engine)
{
    return engine->manifest.name;
}

void sora_request_init(SoraRequest *request)
{
    *request = (SoraRequest){.guidance_scale = -1, .low_guidance_scale = -1};
}

void sora_engine_defaults(const SoraEngine *engine, SoraRequest *request)
{
    const Manifest *m = &engine->manifest;
    sora_request_init(request);
    request->negative_prompt = m->negative_prompt;
    request->width = m->width;
    request->height = m->height;
    request->frames = m->frames;
    request->fps = m->fps;
    request->steps = m->steps;
    request->guidance_scale = m->guidance_scale;
    request->low_guidance_scale = m->low_guidance_scale;
    request->shift = m->shift;
    request->solver = m->solver;
}
