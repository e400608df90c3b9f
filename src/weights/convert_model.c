#include "weights/convert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/file.h"
#include "weights/message.h"
#include "weights/model_files.h"

static const char *const FOLDERS[SLOT_COUNT] = {"transformer", "transformer_2", "text_encoder", "vae", "image_encoder"};

/* What is copied if it is there, besides the tokenizer and the parts' configs. */
static const char *const OTHERS[] = {"model.json",  "model_index.json", "scheduler/scheduler_config.json",
                                     "README.md",   "LICENSE",          "LICENSE.txt",
                                     "LICENSE.md", "NOTICE"};

typedef struct Work {
    Arena memory;
    const char *from, *to; /* to: in a scratch folder */
    const ModelFiles *files;
    const ConvertOptions *options;
    ConvertProgress progress;
} Work;

static bool copy_file(Work *w, const char *from, const char *name, SoraError *err)
{
    char *to = arena_printf(&w->memory, "%s/%s", w->to, name);
    char *dir = to != NULL ? arena_strdup(&w->memory, to) : NULL;
    if (dir == NULL)
        return message_no_memory(w->to, err);
    *strrchr(dir, '/') = 0;
    return dir_make(dir, err) && file_copy(from, to, err);
}

static bool convert_slot(Work *w, ModelSlot slot, SoraError *err)
{
    const WeightPart *part = model_files_part(w->files, slot);
    const char *config = model_files_config_path(w->files, slot);
    if (part == NULL)
        return true;
    ConvertOptions options = *w->options;
    options.keep_types = slot == SLOT_AUTOENCODER;
    if (slot == SLOT_LOW_NOISE)
        options.loras = options.low_noise_loras;
    bool blocks = !options.keep_types && dtype_block(options.type) > 1;
    char *dir = arena_printf(&w->memory, "%s/%s", w->to, FOLDERS[slot]);
    char *name = arena_printf(&w->memory, "%s/%s/model.%s", w->to, FOLDERS[slot], blocks ? "gguf" : "safetensors");
    char *config_name = arena_printf(&w->memory, "%s/config.json", FOLDERS[slot]);
    if (dir == NULL || name == NULL || config_name == NULL)
        return message_no_memory(w->to, err);
    return dir_make(dir, err) && (config == NULL || copy_file(w, config, config_name, err)) &&
           part_convert(part, name, &options, &w->progress, err);
}

static bool copy_others(Work *w, SoraError *err)
{
    const char *tokenizer = model_files_tokenizer(w->files);
    size_t n = tokenizer != NULL ? strlen(tokenizer) : 0;
    bool json = n > 5 && strcmp(tokenizer + n - 5, ".json") == 0;
    if (tokenizer != NULL && !copy_file(w, tokenizer, json ? "tokenizer.json" : "tokenizer.model", err))
        return false;
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        char *path = arena_printf(&w->memory, "%s/%s", w->from, OTHERS[i]);
        if (path == NULL)
            return message_no_memory(w->from, err);
        if (file_exists(path) && !copy_file(w, path, OTHERS[i], err))
            return false;
    }
    return true;
}

static bool convert_all(Work *w, SoraError *err)
{
    for (int i = 0; i < SLOT_COUNT; i++)
        if (model_files_part(w->files, (ModelSlot)i) != NULL)
            w->progress.total += part_convert_bytes(model_files_part(w->files, (ModelSlot)i));
    if (!copy_others(w, err))
        return false;
    for (int i = 0; i < SLOT_COUNT; i++)
        if (!convert_slot(w, (ModelSlot)i, err))
            return false;
    return true;
}

static bool in_the_way(const char *to, SoraError *err)
{
    char buf[SHOWN_SIZE];
    return error_set(err, SORA_ERROR_INPUT, "%s: is there already", message_shown(message_path_end(to), buf));
}

static bool give_name(const char *temporary, const char *to, SoraError *err)
{
    if (rename(temporary, to) == 0)
        return true;
    return errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR
               ? in_the_way(to, err)
               : error_set(err, SORA_ERROR_IO, "%s: cannot rename to: %s", message_path_end(to), strerror(errno));
}

bool model_convert(const char *from, const char *to, const ConvertOptions *options, SoraError *err)
{
    struct stat st;
    Scratch scratch = {0};
    Work w = {.from = from, .options = options};
    size_t n = strlen(to);
    while (n > 1 && to[n - 1] == '/')
        n--;
    if (lstat(to, &st) == 0)
        return in_the_way(to, err);
    arena_init(&w.memory, 1 << 16);
    const char *name = arena_printf(&w.memory, "%.*s", (int)n, to);
    ModelFiles *files = name != NULL ? model_files_open(&(ModelPaths){.model = from}, err) : NULL;
    if (name == NULL)
        message_no_memory(to, err);
    w.files = files;
    bool ok = files != NULL && scratch_make(&scratch, name, err);
    const char *slash = ok ? strrchr(name, '/') : NULL;
    if (ok && (w.to = arena_printf(&w.memory, "%s/%s", scratch.path, slash != NULL ? slash + 1 : name)) == NULL)
        ok = message_no_memory(to, err);
    ok = ok && dir_make(w.to, err) && convert_all(&w, err) && give_name(w.to, name, err);
    scratch_remove(&scratch);
    model_files_close(files);
    arena_deinit(&w.memory);
    return ok;
}
