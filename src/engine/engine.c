#include "engine/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/shortage.h"
#include "cpu/backend.h"
#include "engine/model_path.h"
#include "engine/checks.h"
#include "engine/networks.h"
#include "text/utf8.h"

enum { MAX_THREADS = 4096 };

static char *join(const char *dir, const char *name, SoraError *err)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", dir, name) >= 0)
        return path;
    error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", dir);
    return NULL;
}

/* The LoRAs of the options that are for this slot; text encoders have none. */
static bool choose_loras(SoraEngine *e, const SoraOptions *o, ModelSlot slot, SoraError *err)
{
    EnginePart *p = &e->parts[slot];
    if (e->lora_count == 0 || (slot != SLOT_TRANSFORMER && slot != SLOT_LOW_NOISE))
        return true;
    p->uses = calloc((size_t)e->lora_count, sizeof *p->uses);
    if (p->uses == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "lora: out of memory");
    for (int i = 0; i < e->lora_count; i++) {
        LoraArgument a;
        if (!lora_argument_parse(&a, o->loras[i], err))
            return false;
        if (a.expert == LORA_ALL || (a.expert == LORA_HIGH_NOISE) == (slot == SLOT_TRANSFORMER))
            p->uses[p->loras.count++] = (LoraUse){e->loras[i], a.strength};
    }
    p->loras.uses = p->uses;
    return true;
}

/* "few-steps.safetensors:0.8:high": without the folder, which is private. */
static char *name_of_lora(const LoraArgument *a)
{
    static const char *const EXPERTS[] = {"", ":high", ":low"};
    const char *slash = strrchr(a->path, '/');
    char *name = NULL;
    if (asprintf(&name, "%s:%g%s", slash != NULL ? slash + 1 : a->path, a->strength, EXPERTS[a->expert]) < 0)
        return NULL;
    bool text = utf8_check(name, strlen(name), "", NULL); /* a file name need not be, JSON and manifests must */
    for (char *c = name; *c != 0; c++)
        if ((unsigned char)*c < 32 || *c == 127 || (!text && (unsigned char)*c > 127))
            *c = '?';
    return name;
}

static bool open_loras(SoraEngine *e, const SoraOptions *o, SoraError *err)
{
    int count = 0;
    while (o->loras != NULL && o->loras[count] != NULL)
        count++;
    e->loras = calloc((size_t)count + 1, sizeof *e->loras);
    e->lora_names = calloc((size_t)count + 1, sizeof *e->lora_names);
    if (e->loras == NULL || e->lora_names == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "lora: out of memory");
    for (; e->lora_count < count; e->lora_count++) {
        LoraArgument a;
        if (!lora_argument_parse(&a, o->loras[e->lora_count], err) ||
            (e->loras[e->lora_count] = lora_open(a.path, err)) == NULL)
            return false;
        if ((e->lora_names[e->lora_count] = name_of_lora(&a)) == NULL) {
            lora_close(e->loras[e->lora_count]);
            return error_set(err, SORA_ERROR_MEMORY, "lora: out of memory");
        }
    }
    return true;
}

/* A second expert or an image encoder may be missing; what else is not there is said by its folder. */
static bool open_part(SoraEngine *e, const SoraOptions *o, ModelSlot slot, const char *dir, SoraError *err)
{
    EnginePart *p = &e->parts[slot];
    Networks n = {{&e->transformer, &e->low_noise},
                  &e->text_encoder,
                  &e->autoencoder,
                  &e->image_encoder,
                  e->pipeline.timestep_per_patch};
    p->part = model_files_part(e->files, slot);
    if (p->part == NULL)
        return slot == SLOT_LOW_NOISE || slot == SLOT_IMAGE_ENCODER ||
               error_set(err, SORA_ERROR_NOT_FOUND, "%s: there is no %s", dir, model_slot_name(slot));
    if (!choose_loras(e, o, slot, err))
        return false;
    paged_source_init(&p->source, &e->pager, p->part, &p->loras);
    params_init(&p->params, &p->source.source);
    bool ok = network_bind(&n, e->files, slot, &p->params, err) && params_ok(&p->params, err);
    e->pipeline.timestep_per_patch = n.timestep_per_patch;
    if (!ok || !check_loras(&e->notes, e, slot, err))
        return false;
    note_unknown_tensors(&e->notes, e, slot);
    return notes_ok(&e->notes, err);
}

static void close_part(EnginePart *p)
{
    params_deinit(&p->params);
    paged_source_deinit(&p->source);
    free(p->uses);
}

/* What is known of the published model that this transformer is of. path: of the manifest that is missing. */
static bool guess_manifest(SoraEngine *e, const char *path, SoraError *err)
{
    int experts = e->parts[SLOT_LOW_NOISE].part != NULL ? 2 : 1;
    const Variant *v = variant_guess(&e->transformer.config, experts);
    if (v == NULL)
        return manifest_load(&e->manifest, path, err);
    if (!manifest_init(&e->manifest, v, err))
        return false;
    if (experts == 2 && model_files_boundary(e->files) > 0)
        e->manifest.boundary = model_files_boundary(e->files);
    return true;
}

/* A file, or what the text encoder's carries. */
static bool open_tokenizer(SoraEngine *e, const char *dir, SoraError *err)
{
    const WeightPart *text = model_files_part(e->files, SLOT_TEXT_ENCODER);
    const Tensor *inside = text != NULL ? weight_part_tokenizer(text) : NULL;
    const char *path = model_files_tokenizer(e->files);
    char *missing = NULL;
    if (path == NULL && inside != NULL) {
        e->tokenizer = tokenizer_open_memory(inside->data, tensor_bytes(inside), "spiece_model", err);
    } else {
        missing = path == NULL ? join(dir, "tokenizer.model", err) : NULL;
        if (path != NULL || missing != NULL)
            e->tokenizer = tokenizer_open(path != NULL ? path : missing, err);
    }
    free(missing);
    return e->tokenizer != NULL;
}

/* words.json of a folder of ours; others do not say what they know. */
static bool open_vocabulary(SoraEngine *e, const char *dir, SoraError *err)
{
    char *path = join(dir, "words.json", err);
    bool ok = path != NULL && (!file_exists(path) || (e->vocabulary = vocabulary_open(path, err)) != NULL);
    free(path);
    return ok;
}

static ModelPaths paths_of(const char *model, const SoraOptions *o)
{
    return (ModelPaths){.model = model,
                        .slots = {[SLOT_TRANSFORMER] = o->transformer,
                                  [SLOT_LOW_NOISE] = o->transformer_2,
                                  [SLOT_TEXT_ENCODER] = o->text_encoder,
                                  [SLOT_AUTOENCODER] = o->vae,
                                  [SLOT_IMAGE_ENCODER] = o->image_encoder},
                        .tokenizer = o->tokenizer};
}

static bool open_files(SoraEngine *e, const char *model, const SoraOptions *o, SoraError *err)
{
    ModelPaths paths = paths_of(model, o);
    const char *dir = model != NULL ? model : ".";
    char *manifest = join(dir, "model.json", err);
    bool ok = manifest != NULL, found = ok && file_exists(manifest);
    ok = ok && (!found || manifest_load(&e->manifest, manifest, err)) &&
         (e->files = model_files_open(&paths, err)) != NULL;
    if (!ok && !found && err != NULL && err->code == SORA_ERROR_NOT_FOUND && dir_exists(dir))
        (void)manifest_load(&e->manifest, manifest, err); /* an empty folder misses its model.json */
    ok = ok && open_tokenizer(e, dir, err) && (!found || open_vocabulary(e, dir, err)) && open_loras(e, o, err);
    for (int slot = 0; slot < SLOT_COUNT && ok; slot++)
        ok = open_part(e, o, (ModelSlot)slot, dir, err);
    ok = ok && (found || guess_manifest(e, manifest, err));
    free(manifest);
    return ok;
}

static bool open_backend(SoraEngine *e, const SoraOptions *options, SoraError *err)
{
    shortage_begin();
    e->backend = cpu_backend_new(
        &(CpuOptions){.threads = options->threads,
                      .precision = options->precision,
                      .level = options->cpu,
                      .room = pager_room,
                      .user = &e->pager}, err);
    if (e->backend == NULL)
        return shortage_seen() ? error_set(err, SORA_ERROR_MEMORY, "engine: out of memory") : false;
    pager_init(&e->pager, e->backend, options->memory);
    e->pipeline.graph = graph_new(&e->pager.base);
    return e->pipeline.graph != NULL || error_set(err, SORA_ERROR_MEMORY, "engine: out of memory");
}

static void connect_parts(SoraEngine *e)
{
    Pipeline *p = &e->pipeline;
    p->tokenizer = e->tokenizer;
    p->transformer = &e->transformer;
    p->low_noise = e->parts[SLOT_LOW_NOISE].part != NULL ? &e->low_noise : NULL;
    p->boundary = e->manifest.boundary * e->manifest.train_timesteps;
    p->text_encoder = &e->text_encoder;
    p->autoencoder = &e->autoencoder;
    p->image_encoder = e->parts[SLOT_IMAGE_ENCODER].part != NULL ? &e->image_encoder : NULL;
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
        .first_frame = condition ? NEED_REQUIRED : NEED_OPTIONAL,
        .last_frame = !condition || dit->clip_dim == 0 ? NEED_OPTIONAL : dit->clip_rows > 0 ? NEED_REQUIRED : NEED_NONE,
        .condition = condition,
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

static bool check_options(const SoraOptions *o, SoraError *err)
{
    if (o->threads < 0 || o->threads > MAX_THREADS)
        return error_set(err, SORA_ERROR_INPUT, "threads: %d is not between 1 and %d, or 0 for all cores", o->threads,
                         MAX_THREADS);
    return ((int)o->precision >= SORA_PRECISION_AUTO && o->precision <= SORA_PRECISION_INT8) ||
           error_set(err, SORA_ERROR_INPUT, "precision: %d is none", (int)o->precision);
}

/* Heap; NULL, but true, when the options name all files. */
static bool find_model(const char *name, const SoraOptions *o, char **model, SoraError *err)
{
    *model = NULL;
    if (name == NULL && o->transformer != NULL && o->text_encoder != NULL && o->vae != NULL)
        return true;
    *model = model_path_find(name, err);
    return *model != NULL;
}

SoraEngine *sora_engine_open(const char *name, const SoraOptions *given, SoraError *err)
{
    const SoraOptions none = {0}, *options = given != NULL ? given : &none;
    SoraEngine *e = calloc(1, sizeof *e);
    if (e == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "engine: out of memory");
        return NULL;
    }
    char *model = NULL;
    lost_begin(&e->losses);
    bool ok = check_options(options, err) && find_model(name, options, &model, err) && open_backend(e, options, err) &&
              open_files(e, model, options, err);
    if (ok) {
        connect_parts(e);
        describe_grid(e);
        ok = (pipeline_check(&e->pipeline, err) && check_boundary(e, err)) ||
             error_wrap(err, "%s", model != NULL ? model : "model");
    }
    e->folder = model;
    ok = lost_check(err) && ok; /* whatever else went wrong, that is why */
    lost_end(&e->losses);
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
    for (int part = 0; part < SLOT_COUNT; part++)
        close_part(&engine->parts[part]);
    for (int i = 0; i < engine->lora_count; i++) {
        lora_close(engine->loras[i]);
        free(engine->lora_names[i]);
    }
    free(engine->loras);
    free(engine->lora_names);
    caption_part_close(engine->captioner);
    free(engine->folder);
    notes_deinit(&engine->notes);
    model_files_close(engine->files);
    tokenizer_close(engine->tokenizer);
    vocabulary_close(engine->vocabulary);
    pager_deinit(&engine->pager);
    cpu_backend_free(engine->backend);
    manifest_deinit(&engine->manifest);
    free(engine);
}

const char *sora_version(void)
{
    return SORA_VERSION;
}

const char *sora_engine_name(const SoraEngine *engine)
{
    return engine->manifest.name;
}

const char *sora_engine_words(const SoraEngine *engine)
{
    return engine->vocabulary != NULL ? vocabulary_json(engine->vocabulary) : NULL;
}

const SoraNote *sora_engine_note(const SoraEngine *engine, int i)
{
    return notes_at(&engine->notes, i);
}

const char *const *sora_engine_loras(const SoraEngine *engine)
{
    return (const char *const *)engine->lora_names;
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
