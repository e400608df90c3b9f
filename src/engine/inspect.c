#include "engine/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "engine/manifest.h"
#include "engine/networks.h"
#include "engine/variant.h"
#include "weights/lora.h"
#include "weights/part_source.h"

/* Gives every tensor that a network asks for an empty one, and writes down what is wrong with the part's. */
typedef struct Listing {
    ParamSource source;
    PartSource rules; /* what would be copied */
    bool *asked;      /* by tensor of the part */
    json_t *missing, *wrong;
    int64_t copied, parameters;
} Listing;

static bool note(json_t *list, const char *text)
{
    return json_array_append_new(list, json_string(text)) == 0;
}

static bool fill(ParamSource *source, const char *name, Tensor *tensor, Init init, SoraError *err)
{
    Listing *l = (Listing *)source;
    const WeightPart *part = l->rules.part;
    const PartTensor *found = weight_part_find(part, name);
    SoraError problem = {0};
    bool copied;
    tensor->dtype = DTYPE_F32;
    if (found == NULL)
        return note(l->missing, name) || error_set(err, SORA_ERROR_MEMORY, "inspect: out of memory");
    l->asked[found - weight_part_tensor(part, 0)] = true;
    if (part_source_find(part, name, tensor, &problem) == NULL) {
        const char *fact = strstr(problem.message, "tensor \"");
        return note(l->wrong, fact != NULL ? fact : problem.message) ||
               error_set(err, SORA_ERROR_MEMORY, "inspect: out of memory");
    }
    tensor->dtype = part_source_type(&l->rules, found, tensor, &copied);
    l->copied += copied ? (int64_t)tensor_bytes(tensor) : 0;
    l->parameters += tensor_numel(tensor);
    return true;
}

static json_t *count_types(const WeightPart *part, int64_t *bytes)
{
    int counts[DTYPE_COUNT] = {0};
    *bytes = 0;
    for (int i = 0; i < weight_part_count(part); i++) {
        const Tensor *t = &weight_part_tensor(part, i)->tensor;
        counts[t->dtype]++;
        *bytes += (int64_t)tensor_bytes(t);
    }
    json_t *types = json_object();
    for (int i = 0; i < DTYPE_COUNT; i++)
        if (counts[i] > 0)
            json_object_set_new(types, dtype_name((DType)i), json_integer(counts[i]));
    return types;
}

static json_t *list_unknown(const WeightPart *part, const bool *asked, const Clip *image_encoder)
{
    json_t *unknown = json_array();
    for (int i = 0; i < weight_part_count(part); i++) {
        const PartTensor *t = weight_part_tensor(part, i);
        if (!asked[i] && !network_leaves(image_encoder, part, t->name))
            note(unknown, t->file_name);
    }
    return unknown;
}

typedef struct Size3 {
    int width, height, frames;
} Size3;

/* The room for networks that are never run. */
typedef struct Room {
    Dit transformers[2];
    Umt5 text_encoder;
    Vae autoencoder;
    Clip image_encoder;
} Room;

static json_t *describe_part(Room *room, const ModelFiles *files, ModelSlot slot, SoraError *err)
{
    const WeightPart *part = model_files_part(files, slot);
    const WeightFile *file = weight_part_file(part);
    Networks networks = {.transformers = {&room->transformers[0], &room->transformers[1]},
                         .text_encoder = &room->text_encoder,
                         .autoencoder = &room->autoencoder,
                         .image_encoder = &room->image_encoder};
    Listing l = {.source = {fill}, .missing = json_array(), .wrong = json_array()};
    Params params;
    SoraError problem = {0};
    int64_t bytes;
    part_source_init(&l.rules, part, NULL, FILE_SOURCE_MAPPED);
    params_init(&params, &l.source);
    l.asked = calloc((size_t)weight_part_count(part) + 1, sizeof *l.asked);
    json_t *types = count_types(part, &bytes), *unknown = NULL, *json = NULL;
    if (l.asked != NULL) {
        if (!network_bind(&networks, files, slot, &params, &problem) || !params_ok(&params, &problem))
            note(l.wrong, problem.message);
        unknown = list_unknown(part, l.asked, &room->image_encoder);
        json = json_pack("{s:s, s:s, s:s, s:s, s:o, s:i, s:I, s:I, s:I, s:o, s:o, s:o}", "file",
                         weight_file_path(file), "format", weight_format_name(weight_file_format(file)),
                         "layout", layout_name(weight_part_layout(part)), "prefix", weight_part_prefix(part),
                         "types", types, "tensors", weight_part_count(part), "parameters",
                         (json_int_t)l.parameters, "bytes", (json_int_t)bytes, "copied", (json_int_t)l.copied,
                         "missing", l.missing, "wrong", l.wrong, "unknown", unknown);
    }
    if (json == NULL)
        error_set(err, SORA_ERROR_MEMORY, "%s: cannot be described as JSON", weight_file_path(file));
    free(l.asked);
    params_deinit(&params);
    part_source_deinit(&l.rules);
    return json;
}

static int64_t available_memory(void)
{
    long long kilobytes = -1;
    char line[128];
    FILE *f = fopen("/proc/meminfo", "re");
    while (f != NULL && kilobytes < 0 && fgets(line, sizeof line, f) != NULL)
        sscanf(line, "MemAvailable: %lld kB", &kilobytes);
    if (f != NULL)
        fclose(f);
    return kilobytes < 0 ? -1 : kilobytes * 1024;
}

static json_t *describe_tokenizer(const ModelFiles *files)
{
    const char *path = model_files_tokenizer(files);
    const WeightPart *text = model_files_part(files, SLOT_TEXT_ENCODER);
    if (path != NULL)
        return json_string(path);
    if (text != NULL && weight_part_tokenizer(text) != NULL)
        return json_sprintf("in %s", weight_file_path(weight_part_file(text)));
    return json_null();
}

/* What generating would still want. */
static json_t *list_needs(const json_t *root, const ModelFiles *files, const Room *room)
{
    json_t *needs = json_array();
    const json_t *parts = json_object_get(root, "parts");
    for (int i = 0; i < SLOT_COUNT; i++) {
        const json_t *part = json_object_get(parts, model_slot_name((ModelSlot)i));
        bool needed = i == SLOT_TRANSFORMER || i == SLOT_TEXT_ENCODER || i == SLOT_AUTOENCODER ||
                      (i == SLOT_IMAGE_ENCODER && room->transformers[0].config.clip_dim > 0);
        char text[80];
        snprintf(text, sizeof text, "a%s %s", i == SLOT_TRANSFORMER || i == SLOT_TEXT_ENCODER ? "" : "n",
                 model_slot_name((ModelSlot)i));
        if (part == NULL && needed)
            note(needs, text);
        if (part != NULL && json_array_size(json_object_get(part, "missing")) +
                                    json_array_size(json_object_get(part, "wrong")) >
                                0) {
            snprintf(text, sizeof text, "all tensors of the %s", model_slot_name((ModelSlot)i));
            note(needs, text);
        }
    }
    if (json_is_null(json_object_get(root, "tokenizer")))
        note(needs, "a tokenizer (spiece.model or tokenizer.json)");
    return needs;
}

static const char *guess_name(const ModelFiles *files, const Room *room)
{
    if (model_files_part(files, SLOT_TRANSFORMER) == NULL)
        return NULL;
    int experts = model_files_part(files, SLOT_LOW_NOISE) != NULL ? 2 : 1;
    const Variant *v = variant_guess(&room->transformers[0].config, experts);
    return v != NULL ? v->name : NULL;
}

/* What the folder's model.json calls it, or null; a new reference. */
static json_t *own_name(const ModelFiles *files)
{
    Manifest m;
    if (model_files_manifest(files) == NULL || !manifest_load(&m, model_files_manifest(files), NULL))
        return json_null();
    json_t *name = json_string(m.name);
    manifest_deinit(&m);
    return name != NULL ? name : json_null();
}

/* --- memory --- */

/* What the model makes unless told otherwise. */
static Size3 own_size(const ModelFiles *files, const Room *room)
{
    int experts = model_files_part(files, SLOT_LOW_NOISE) != NULL ? 2 : 1;
    const Variant *v = variant_guess(&room->transformers[0].config, experts);
    Manifest m;
    if (v == NULL && model_files_manifest(files) != NULL && manifest_load(&m, model_files_manifest(files), NULL)) {
        Size3 size = {m.width, m.height, m.frames};
        manifest_deinit(&m);
        return size;
    }
    v = v != NULL ? v : &VARIANT_PLAIN;
    return (Size3){v->width, v->height, v->frames};
}

static int64_t largest_weight(const WeightPart *part)
{
    int64_t largest = 0;
    for (int i = 0; i < weight_part_count(part); i++) {
        int64_t n = tensor_numel(&weight_part_tensor(part, i)->tensor);
        largest = n > largest ? n : largest;
    }
    return largest;
}

/* About the bytes that one sample's step takes with weights that come and go: in self-attention some 14 rows of the
 * network's width live for every token, then the ffn's; keys and values are laid out once more in 16 bits; the weight at
 * hand is there in the file's type and as the kernel wants it. Found to be within a tenth for 14B. */
static int64_t step_bytes(const ModelFiles *files, const Room *room, Size3 size)
{
    enum { ROWS = 14, BASE = 100 << 20 }; /* BASE: program, tokenizer, small tensors */
    const DitConfig *c = &room->transformers[0].config;
    const VaeConfig *vae = &room->autoencoder.config;
    int64_t space = vae_stride_space(vae), time = vae_stride_time(vae);
    int64_t tokens = (1 + (size.frames - 1) / time) / c->patch_size[0] * (size.height / space / c->patch_size[1]) *
                     (size.width / space / c->patch_size[2]);
    return tokens * ((int64_t)ROWS * c->dim + c->ffn_dim) * 4 + tokens * 2 * c->dim * 2 +
           largest_weight(model_files_part(files, SLOT_TRANSFORMER)) * 4 + BASE;
}

static json_t *describe_memory(const ModelFiles *files, const Room *room, int64_t weights, int64_t copied)
{
    int64_t available = available_memory();
    json_t *json = json_pack("{s:I, s:I, s:I}", "weights", (json_int_t)(weights + copied), "copied",
                             (json_int_t)copied, "available", (json_int_t)available);
    if (model_files_part(files, SLOT_TRANSFORMER) == NULL || model_files_part(files, SLOT_AUTOENCODER) == NULL ||
        room->transformers[0].config.dim == 0 || room->autoencoder.config.z_dim == 0)
        return json;
    Size3 size = own_size(files, room);
    int64_t step = step_bytes(files, room, size);
    json_object_set_new(json, "step", json_integer((json_int_t)step));
    json_object_set_new(json, "size", json_sprintf("%dx%d, %d frames", size.width, size.height, size.frames));
    json_object_set_new(json, "fits", json_boolean(available < 0 || step <= available));
    return json;
}

static json_t *describe(const ModelFiles *files, SoraError *err)
{
    Room *room = calloc(1, sizeof *room);
    json_t *root = json_object(), *parts = json_object();
    int64_t weights = 0, copied = 0;
    bool ok = room != NULL && root != NULL && json_object_set_new(root, "parts", parts) == 0;
    if (!ok)
        error_set(err, SORA_ERROR_MEMORY, "inspect: out of memory");
    for (int i = 0; i < SLOT_COUNT && ok; i++) {
        if (model_files_part(files, (ModelSlot)i) == NULL)
            continue;
        json_t *part = describe_part(room, files, (ModelSlot)i, err);
        ok = part != NULL && json_object_set_new(parts, model_slot_name((ModelSlot)i), part) == 0;
        weights += json_integer_value(json_object_get(part, "bytes"));
        copied += json_integer_value(json_object_get(part, "copied"));
    }
    if (ok) {
        const char *name = guess_name(files, room);
        json_object_set_new(root, "model", name != NULL ? json_string(name) : json_null());
        json_object_set_new(root, "name", own_name(files));
        json_object_set_new(root, "tokenizer", describe_tokenizer(files));
        json_t *needs = list_needs(root, files, room);
        json_object_set_new(root, "runs", json_boolean(json_array_size(needs) == 0));
        json_object_set_new(root, "needs", needs);
        json_object_set_new(root, "memory", describe_memory(files, room, weights, copied));
    }
    free(room);
    if (ok)
        return root;
    json_decref(root);
    return NULL;
}

/* Only for a file that holds no network. */
static json_t *describe_lora(const char *path)
{
    Lora *lora = lora_open(path, NULL);
    json_t *json = lora == NULL ? NULL
                                : json_pack("{s:{s:s, s:i}}", "lora", "file", lora_path(lora), "changes",
                                            lora_count(lora));
    lora_close(lora);
    return json;
}

json_t *inspect_model(const ModelPaths *paths, SoraError *err)
{
    SoraError problem = {0};
    ModelFiles *files = model_files_open(paths, &problem);
    json_t *json = NULL;
    if (files != NULL)
        json = describe(files, err);
    else if (problem.code == SORA_ERROR_NOT_FOUND && paths->model != NULL && file_exists(paths->model))
        json = describe_lora(paths->model);
    if (files == NULL && json == NULL && err != NULL)
        *err = problem;
    model_files_close(files);
    return json;
}
