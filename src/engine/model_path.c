#include "engine/model_path.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static const char INSTALLED[] = SORA_DATADIR "/sora/models";

/* FOLDER/BETWEEN/NAME if it is a folder, else NULL. */
static char *if_folder(const char *folder, const char *between, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s%s/%s", folder, between, name) < 0)
        return NULL;
    if (dir_exists(path))
        return path;
    free(path);
    return NULL;
}

/* Beside the library that this code is in, or the program: in the source tree, or wherever the installation was moved. */
static char *beside_library(const char *name)
{
    static const char *const PLACES[] = {"/../models", "/../share/sora/models", "/../../share/sora/models"};
    Dl_info info;
    const char *file = dladdr(INSTALLED, &info) != 0 ? info.dli_fname : NULL;
    if (file != NULL && strchr(file, '/') == NULL) /* the program as it was called, by a name that was looked for in $PATH */
        file = "/proc/self/exe";
    char *own = file != NULL ? realpath(file, NULL) : NULL;
    char *slash = own != NULL ? strrchr(own, '/') : NULL, *found = NULL;
    if (slash != NULL)
        *slash = 0;
    for (size_t i = 0; slash != NULL && found == NULL && i < sizeof PLACES / sizeof *PLACES; i++)
        found = if_folder(own, PLACES[i], name);
    free(own);
    return found;
}

/* A whole model in one file. */
static bool is_weights(const char *path)
{
    static const char *const ENDS[] = {".safetensors", ".gguf", ".pth", ".ckpt"};
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        size_t m = strlen(ENDS[i]);
        if (n > m && strcmp(path + n - m, ENDS[i]) == 0)
            return file_exists(path);
    }
    return false;
}

static char *copy_path(const char *path, SoraError *err)
{
    if (!dir_exists(path) && !file_exists(path)) {
        error_set(err, SORA_ERROR_NOT_FOUND, "%s: no such model folder", *path ? path : "\"\"");
        return NULL;
    }
    char *copy = strdup(path);
    if (copy == NULL)
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
    return copy;
}

char *model_path_find(const char *name, SoraError *err)
{
    if (name == NULL)
        name = getenv("SORA_MODEL");
    if (name != NULL && (*name == 0 || strchr(name, '/') != NULL || dir_exists(name) || is_weights(name)))
        return copy_path(name, err);
    const char *word = name ? name : "nano";
    char *path = if_folder("models", "", word);
    if (path == NULL)
        path = if_folder(INSTALLED, "", word);
    if (path == NULL)
        path = beside_library(word);
    if (path == NULL)
        error_set(err, SORA_ERROR_NOT_FOUND, "no model \"%.80s\" in ./models or %s; the path of a folder works too", word,
                  INSTALLED);
    return path;
}
