#include "weights/model_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json_file.h"
#include "weights/message.h"

enum {
    MAX_FILES = 64, /* weight files of a model, a set of shards being one */
    MAX_DEPTH = 3,  /* of folders */
    MAX_INDEX = 1 << 20,
};

typedef struct Slot {
    WeightPart *part;
    json_t *config;
    const char *config_path;
} Slot;

struct ModelFiles {
    Arena memory;
    WeightFile *files[MAX_FILES];
    int count;
    Slot slots[SLOT_COUNT];
    const char *tokenizer, *manifest;
    double boundary;
};

static const char *const FOLDERS[SLOT_COUNT] = {"transformer", "transformer_2", "text_encoder", "vae",
                                                "image_encoder"};

static const ModelPart KINDS[SLOT_COUNT] = {PART_TRANSFORMER, PART_TRANSFORMER, PART_TEXT_ENCODER,
                                            PART_AUTOENCODER, PART_IMAGE_ENCODER};

const char *model_slot_name(ModelSlot slot)
{
    static const char *const NAMES[SLOT_COUNT] = {"transformer", "transformer 2", "text encoder",
                                                  "autoencoder", "image encoder"};
    return NAMES[slot];
}

static char *join(ModelFiles *m, const char *dir, const char *name, SoraError *err)
{
    char *path = arena_printf(&m->memory, "%s/%s", dir, name);
    if (path == NULL)
        message_no_memory(dir, err);
    return path;
}

static char *folder_of(ModelFiles *m, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? arena_printf(&m->memory, "%.*s", (int)(slash - path), path)
                         : arena_strdup(&m->memory, ".");
}

/* --- model_index.json --- */

bool model_index_parse(ModelIndex *index, const char *text, size_t size, const char *path, SoraError *err)
{
    json_error_t e;
    json_t *json = json_load_bytes(text, size, JSON_REJECT_DUPLICATES, &e);
    *index = (ModelIndex){.boundary = -1};
    bool ok = json_is_object(json);
    if (json == NULL && json_short_of_memory(&e))
        message_no_memory(path, err);
    else if (!ok)
        message_bad(path, err, "no JSON object");
    const char *name = json_string_value(json_object_get(json, "_class_name"));
    if (ok && (name == NULL || strncmp(name, "Wan", 3) != 0)) {
        char buf[SHOWN_SIZE];
        ok = error_set(err, SORA_ERROR_UNSUPPORTED, "%s: a pipeline of the class \"%s\", expected Wan's",
                       message_path_end(path), message_shown(name != NULL ? name : "", buf));
    }
    for (int i = 0; i < SLOT_COUNT && ok; i++) { /* [library, class]; [null, null]: not a part of it */
        const json_t *part = json_object_get(json, FOLDERS[i]);
        index->has[i] = json_is_string(json_array_get(part, 1));
    }
    const json_t *boundary = json_object_get(json, "boundary_ratio");
    if (ok && json_is_number(boundary)) {
        index->boundary = json_number_value(boundary);
        ok = (index->boundary >= 0 && index->boundary <= 1) ||
             message_bad(path, err, "\"boundary_ratio\" is %g, expected 0 to 1", index->boundary);
    }
    json_decref(json);
    return ok;
}

/* Fills *index, all slots if there is no such file. */
static bool read_index(ModelFiles *m, const char *dir, ModelIndex *index, SoraError *err)
{
    *index = (ModelIndex){.has = {true, true, true, true, true}, .boundary = -1};
    char *path = join(m, dir, "model_index.json", err);
    if (path == NULL || !file_exists(path))
        return path != NULL;
    size_t size;
    char *text = file_read(path, MAX_INDEX, &size, err);
    bool ok = text != NULL && model_index_parse(index, text, size, path, err);
    free(text);
    m->boundary = index->boundary;
    return ok;
}

/* --- slots --- */

/* Which of two transformers is it? Nothing in it tells; people's names of files and folders do. -1: unknown.
 */
static int expert_of(const char *path)
{
    const char *last = strrchr(path, '/');
    for (int round = 0; round < 2; round++) { /* the file's name counts more than its folders' */
        const char *text = round == 0 && last != NULL ? last : path;
        bool high = strcasestr(text, "high") != NULL, low = strcasestr(text, "low") != NULL;
        if (high != low)
            return high ? SLOT_TRANSFORMER : SLOT_LOW_NOISE;
    }
    return -1;
}

static bool two_files(ModelFiles *m, ModelSlot slot, const char *path, SoraError *err)
{
    const char *first = weight_file_path(weight_part_file(m->slots[slot].part));
    char a[SHOWN_SIZE], b[SHOWN_SIZE];
    return error_set(err, SORA_ERROR_INPUT, "%s and %s are both a %s, which one?",
                     message_shown(message_path_end(first), a), message_shown(message_path_end(path), b),
                     model_part_name(KINDS[slot]));
}

/* The config.json of Wan's repositories is the transformer's, and lies beside all: only what has keys for
 * this kind of part counts. */
static bool is_for(ModelPart kind, const json_t *json)
{
    static const char *const KEYS[PART_KINDS][2] = {{"num_layers", "num_heads"},
                                                    {"dim_attn", "d_model"},
                                                    {"z_dim", "z_dim"},
                                                    {"vision_dim", "image_size"}};
    if (kind == PART_TRANSFORMER && json_object_get(json, "dim_attn") != NULL)
        return false;
    return json_object_get(json, KEYS[kind][0]) != NULL || json_object_get(json, KEYS[kind][1]) != NULL;
}

/* How a file came to be considered. */
typedef struct Wanted {
    int slot;        /* which must be found in it and is the only one that is taken; -1: all that are there */
    bool own_folder; /* the slot's: what config.json is there is its */
    bool ours;       /* a folder of ours: there must be one */
} Wanted;

static bool read_config(ModelFiles *m, ModelSlot slot, const char *path, Wanted w, SoraError *err)
{
    char *dir = folder_of(m, path), *name = dir != NULL ? join(m, dir, "config.json", err) : NULL;
    if (name == NULL)
        return message_no_memory(path, err);
    if (!file_exists(name) && !w.ours)
        return true;
    json_t *json = json_file_read(name, err);
    if (json == NULL)
        return false;
    if (!w.own_folder && !is_for(KINDS[slot], json)) {
        json_decref(json);
        return true;
    }
    m->slots[slot].config = json;
    m->slots[slot].config_path = name;
    return true;
}

static bool fill_slot(ModelFiles *m, ModelSlot slot, const WeightFile *file, const LayoutMatch *match,
                      Wanted w, SoraError *err)
{
    m->slots[slot].part = weight_part_new(file, match, err);
    return m->slots[slot].part != NULL && read_config(m, slot, weight_file_path(file), w, err);
}

static bool add_parts(ModelFiles *m, const WeightFile *file, Wanted w, SoraError *err)
{
    LayoutMatch matches[PART_KINDS];
    const char *path = weight_file_path(file);
    int count = layout_recognise(file, matches, err);
    int wanted = w.slot;
    bool taken = false;
    for (int i = 0; i < count; i++) {
        int slot = SLOT_COUNT - 1;
        while (KINDS[slot] != matches[i].part)
            slot--;
        if (matches[i].part == PART_TRANSFORMER) {
            slot = wanted == SLOT_LOW_NOISE ? SLOT_LOW_NOISE : SLOT_TRANSFORMER;
            if (wanted < 0 && expert_of(path) == SLOT_LOW_NOISE)
                slot = SLOT_LOW_NOISE;
        }
        if (wanted >= 0 && slot != wanted)
            continue;
        if (m->slots[slot].part != NULL && wanted < 0)
            return two_files(m, (ModelSlot)slot, path, err);
        if (m->slots[slot].part == NULL && !fill_slot(m, (ModelSlot)slot, file, &matches[i], w, err))
            return false;
        taken = true;
    }
    if (count < 0)
        return false;
    return taken || wanted < 0 ||
           message_bad(path, err, "there is no %s in it", model_part_name(KINDS[wanted]));
}

/* A file stays open when a part of it was taken. */
static bool add_file(ModelFiles *m, const char *path, Wanted w, SoraError *err)
{
    if (m->count == MAX_FILES)
        return message_bad(path, err, "more than %d weight files", MAX_FILES);
    WeightFile *file = weight_file_open(path, err);
    if (file == NULL)
        return false;
    m->files[m->count++] = file;
    return add_parts(m, file, w, err);
}

/* --- folders --- */

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcasecmp(text + n - k, end) == 0;
}

/* "NAME-00001-of-00003.safetensors": its index stands for it. Of split GGUF the first part stands for all. */
static bool is_shard(const char *name)
{
    const char *of = strstr(name, "-of-");
    if (of == NULL || of - name <= 6)
        return false;
    return ends_with(name, ".safetensors") || (ends_with(name, ".gguf") && strncmp(of - 6, "-00001", 6) != 0);
}

static bool is_weights(const char *name)
{
    static const char *const ENDS[] = {".safetensors", ".safetensors.index.json", ".gguf", ".pth", ".pt",
                                       ".ckpt"};
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++)
        if (ends_with(name, ENDS[i]))
            return name[0] != '.' && !is_shard(name);
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in a folder, sorted; at most max. -1: cannot be read. */
static int list_folder(ModelFiles *m, const char *dir, const char **names, int max, SoraError *err)
{
    DIR *d = opendir(dir);
    if (d == NULL) {
        error_system(err, dir, "cannot read");
        return -1;
    }
    int n = 0;
    for (const struct dirent *e; n < max && (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.' && (names[n] = arena_strdup(&m->memory, e->d_name)) != NULL)
            n++;
    closedir(d);
    qsort(names, (size_t)n, sizeof *names, by_name);
    return n;
}

static bool scan(ModelFiles *m, const char *dir, int depth, SoraError *err)
{
    enum { MAX_NAMES = 512 };
    const char **names = arena_alloc(&m->memory, MAX_NAMES * sizeof *names);
    int n = names != NULL ? list_folder(m, dir, names, MAX_NAMES, err) : -1;
    bool ok = n >= 0;
    for (int i = 0; i < n && ok; i++) {
        char *path = join(m, dir, names[i], err);
        ok = path != NULL;
        if (ok && dir_exists(path))
            ok = depth >= MAX_DEPTH || scan(m, path, depth + 1, err);
        else if (ok && is_weights(names[i]))
            ok = add_file(m, path, (Wanted){.slot = -1}, err);
    }
    return ok;
}

/* The only weight file in a folder that has no safetensors, whose own rules come first; else the folder. */
static const char *weights_in(ModelFiles *m, const char *dir, SoraError *err)
{
    enum { MAX_NAMES = 512 };
    const char **names = arena_alloc(&m->memory, MAX_NAMES * sizeof *names);
    int n = names != NULL ? list_folder(m, dir, names, MAX_NAMES, err) : -1;
    const char *only = NULL;
    int found = 0;
    for (int i = 0; i < n; i++) {
        if (ends_with(names[i], ".safetensors") || ends_with(names[i], ".safetensors.index.json"))
            return dir;
        if (is_weights(names[i])) {
            only = names[i];
            found++;
        }
    }
    if (n < 0)
        return names != NULL ? NULL : (message_no_memory(dir, err), NULL);
    return found == 1 ? join(m, dir, only, err) : dir;
}

/* Ours and diffusers': a folder for each part. */
static bool open_parts(ModelFiles *m, const char *dir, SoraError *err)
{
    ModelIndex index;
    if (!read_index(m, dir, &index, err))
        return false;
    for (int i = 0; i < SLOT_COUNT; i++) {
        char *path = join(m, dir, FOLDERS[i], err);
        if (path == NULL)
            return false;
        Wanted w = {.slot = i, .own_folder = true, .ours = m->manifest != NULL};
        if (m->slots[i].part != NULL || !index.has[i])
            continue;
        if (dir_exists(path)) {
            const char *weights = weights_in(m, path, err);
            if (weights == NULL || !add_file(m, weights, w, err))
                return false;
        } else if (w.ours && i != SLOT_LOW_NOISE && i != SLOT_IMAGE_ENCODER) {
            return error_set(err, SORA_ERROR_NOT_FOUND, "%s/config.json: cannot open: %s", path,
                             strerror(ENOENT));
        }
    }
    return true;
}

static bool find_tokenizer(ModelFiles *m, const char *dir, SoraError *err)
{
    static const char *const NAMES[] = {"tokenizer.model", "tokenizer/spiece.model",
                                        "google/umt5-xxl/spiece.model", "spiece.model",
                                        "tokenizer/tokenizer.model", "tokenizer.json",
                                        "tokenizer/tokenizer.json", "google/umt5-xxl/tokenizer.json"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0] && m->tokenizer == NULL; i++) {
        char *path = join(m, dir, NAMES[i], err);
        if (path == NULL)
            return false;
        if (file_exists(path))
            m->tokenizer = path;
    }
    return true;
}

static bool open_model(ModelFiles *m, const char *model, SoraError *err)
{
    if (!dir_exists(model)) {
        if (!file_exists(model))
            return error_set(err, SORA_ERROR_NOT_FOUND, "%s: no such model", model);
        char *dir = folder_of(m, model);
        return add_file(m, model, (Wanted){.slot = -1}, err) && (dir == NULL || find_tokenizer(m, dir, err));
    }
    char *manifest = join(m, model, "model.json", err), *parts = join(m, model, FOLDERS[0], err);
    if (manifest == NULL || parts == NULL || !find_tokenizer(m, model, err))
        return false;
    if (file_exists(manifest))
        m->manifest = manifest;
    if (dir_exists(parts) || m->manifest != NULL)
        return open_parts(m, model, err);
    return scan(m, model, 1, err);
}

/* One transformer is no expert, whatever its file is called. */
static void settle_experts(ModelFiles *m)
{
    if (m->slots[SLOT_TRANSFORMER].part != NULL)
        return;
    m->slots[SLOT_TRANSFORMER] = m->slots[SLOT_LOW_NOISE];
    m->slots[SLOT_LOW_NOISE] = (Slot){0};
}

static bool open_all(ModelFiles *m, const ModelPaths *paths, SoraError *err)
{
    for (int i = 0; i < SLOT_COUNT; i++)
        if (paths->slots[i] != NULL &&
            !add_file(m, paths->slots[i], (Wanted){.slot = i, .own_folder = dir_exists(paths->slots[i])},
                      err))
            return false;
    if (paths->tokenizer != NULL && (m->tokenizer = arena_strdup(&m->memory, paths->tokenizer)) == NULL)
        return message_no_memory(paths->tokenizer, err);
    if (paths->model != NULL && !open_model(m, paths->model, err))
        return false;
    settle_experts(m);
    if (m->tokenizer == NULL && m->slots[SLOT_TEXT_ENCODER].part != NULL) {
        const WeightFile *f = weight_part_file(m->slots[SLOT_TEXT_ENCODER].part);
        char *dir = folder_of(m, weight_file_path(f));
        if (dir != NULL && !find_tokenizer(m, dir, err))
            return false;
    }
    for (int i = 0; i < SLOT_COUNT; i++)
        if (m->slots[i].part != NULL)
            return true;
    return error_set(err, SORA_ERROR_NOT_FOUND, "%s: no network that is known in it",
                     message_path_end(paths->model != NULL ? paths->model : "the files"));
}

ModelFiles *model_files_open(const ModelPaths *paths, SoraError *err)
{
    ModelFiles *m = calloc(1, sizeof *m);
    if (m == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "model: out of memory");
        return NULL;
    }
    arena_init(&m->memory, 1 << 16);
    m->boundary = -1;
    if (open_all(m, paths, err))
        return m;
    model_files_close(m);
    return NULL;
}

void model_files_close(ModelFiles *m)
{
    if (m == NULL)
        return;
    for (int i = 0; i < SLOT_COUNT; i++) {
        weight_part_free(m->slots[i].part);
        json_decref(m->slots[i].config);
    }
    for (int i = 0; i < m->count; i++)
        weight_file_close(m->files[i]);
    arena_deinit(&m->memory);
    free(m);
}

const WeightPart *model_files_part(const ModelFiles *m, ModelSlot slot)
{
    return m->slots[slot].part;
}

const json_t *model_files_config(const ModelFiles *m, ModelSlot slot)
{
    return m->slots[slot].config;
}

const char *model_files_tokenizer(const ModelFiles *m)
{
    return m->tokenizer;
}

const char *model_files_manifest(const ModelFiles *m)
{
    return m->manifest;
}

const char *model_files_config_path(const ModelFiles *m, ModelSlot slot)
{
    return m->slots[slot].config_path;
}

double model_files_boundary(const ModelFiles *m)
{
    return m->boundary;
}
