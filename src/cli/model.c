#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "cli/cli.h"

static const char INSTALLED[] = SORA_DATADIR "/sora/models";

static char *join(const char *a, const char *b, const char *c)
{
    char *path = NULL;
    return asprintf(&path, "%s%s%s", a, b, c) >= 0 ? path : NULL;
}

/* Gives path back if it is a folder, else frees it. */
static char *if_folder(char *path)
{
    if (path != NULL && dir_exists(path))
        return path;
    free(path);
    return NULL;
}

/* The model in the source tree, for a program that was built there: build/sora. */
static char *beside_program(const char *name)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return NULL;
    exe[n] = 0;
    return if_folder(join(dirname(exe), "/../models/", name));
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

char *model_find(const char *name, SoraError *err)
{
    if (name == NULL)
        name = getenv("SORA_MODEL");
    if (name != NULL && (*name == 0 || strchr(name, '/') != NULL || dir_exists(name) || is_weights(name))) {
        char *path = strdup(name);
        if (path == NULL)
            error_set(err, SORA_ERROR_MEMORY, "out of memory");
        else if (!dir_exists(path) && !is_weights(path))
            error_set(err, SORA_ERROR_NOT_FOUND, "%s: no such model folder", *name ? name : "\"\"");
        else
            return path;
        free(path);
        return NULL;
    }
    const char *word = name ? name : "nano";
    char *path = if_folder(join("models/", word, ""));
    if (path == NULL)
        path = if_folder(join(INSTALLED, "/", word));
    if (path == NULL)
        path = beside_program(word);
    if (path == NULL)
        error_set(err, SORA_ERROR_NOT_FOUND, "no model \"%s\" in ./models or %s; give a folder with --model",
                  word, INSTALLED);
    return path;
}
