#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_file.h"
#include "cpu/backend.h"

enum { PART_TRANSFORMER, PART_TEXT_ENCODER, PART_AUTOENCODER };

static const char *const FOLDERS[] = {"transformer", "text_encoder", "vae"};

static char *join(const char *dir, const char *name, SoraError *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) >= 0)
        return path;
    error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", dir);
    return NULL;
}

/* "t2v": one timestep for the whole latent; "ti2v" (the default): one for each patch. */
static bool read_model_type(const json_t *json, bool *per_patch, SoraError *err)
{
    const json_t *type = json_object_get(json, "model_type");
    const char *name = type != NULL ? json_string_value(type) : "ti2v";
    *per_patch = name != NULL && strcmp(name, "ti2v") == 0;
    if (name == NULL)
        return error_set(err, SORA_ERROR_INPUT, "\"model_type\" is no string");
    return *per_patch || strcmp(name, "t2v") == 0 ||
           error_set(err, SORA_ERROR_UNSUPPORTED, "\"model_type\" %.20s is not supported", name);
}

static bool bind_network(SoraEngine *e, int part, const json_t *json, SoraError *err)
{
    Params *params = &e->parts[part].params;
    if (part == PART_TRANSFORMER) {
        DitConfig c;
        if (!dit_config_parse(&c, json, err) || !read_model_type(json, &e->pipeline.timestep_per_patch, err))
            return false;
        dit_bind(&e->transformer, &c, params);
    } else if (part == PART_TEXT_ENCODER) {
        Umt5Config c;
        if (!umt5_config_parse(&c, json, err))
            return false;
        umt5_bind(&e->text_encoder, &c, params);
    } else {
        VaeConfig c;
        if (!vae_config_read(&c, json, err))
            return false;
        vae22_bind(&e->autoencoder, &c, params);
    }
    return true;
}

/* DIR/PART/config.json and the weights beside it. */
static bool open_part(SoraEngine *e, const char *dir, int part, SoraError *err)
{
    EnginePart *p = &e->parts[part];
    char *folder = join(dir, FOLDERS[part], err);
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

static bool open_files(SoraEngine *e, const char *dir, SoraError *err)
{
    if (!dir_exists(dir))
        return error_set(err, SORA_ERROR_NOT_FOUND, "%s: no such model folder", dir);
    char *manifest = join(dir, "model.json", err), *tokenizer = join(dir, "tokenizer.model", err);
    bool ok = manifest != NULL && tokenizer != NULL && manifest_load(&e->manifest, manifest, err) &&
              (e->tokenizer = tokenizer_open(tokenizer, err)) != NULL;
    free(manifest);
    free(tokenizer);
    for (int part = 0; part < 3 && ok; part++)
        ok = open_part(e, dir, part, err);
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
    p->text_encoder = &e->text_encoder;
    p->autoencoder = &e->autoencoder;
    const VaeConfig *vae = &e->autoencoder.config;
    e->grid = (LatentGrid){
        .channels = vae->z_dim, .stride_time = vae_stride_time(vae), .stride_space = vae_stride_space(vae)};
    memcpy(e->grid.patch, e->transformer.config.patch_size, sizeof e->grid.patch);
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
        ok = pipeline_check(&e->pipeline, err) || error_wrap(err, "%s", model_dir);
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
    for (int part = 0; part < 3; part++)
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
    *request = (SoraRequest){.guidance_scale = -1};
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
    request->shift = m->shift;
    request->solver = m->solver;
}
