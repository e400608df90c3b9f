#include "cli/styles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_file.h"

extern const char styles_json[]; /* made of styles.json by the build */

enum { MAX_FILE = 1 << 20 };

/* The user's file, which need not be there; heap. NULL: there is no home. */
static char *own_path(void)
{
    const char *own = getenv("SORA_STYLES"), *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int n = own != NULL ? asprintf(&path, "%s", own)
            : config != NULL && *config == '/' ? asprintf(&path, "%s/sora/styles.json", config)
            : home != NULL && *home == '/' ? asprintf(&path, "%s/.config/sora/styles.json", home) : -1;
    return n < 0 ? NULL : path;
}

static bool check_style(const char *name, json_t *style, const char *path, SoraError *err)
{
    const char *key;
    json_t *value;
    if (!json_is_object(style))
        return error_set(err, SORA_ERROR_INPUT, "%s: \"%.40s\" is no object with \"prompt\"", path, name);
    json_object_foreach(style, key, value) {
        if (strcmp(key, "prompt") != 0 && strcmp(key, "negative") != 0 && strcmp(key, "about") != 0)
            return error_set(err, SORA_ERROR_INPUT, "%s: \"%.40s\" has an unknown key \"%.40s\"; prompt, negative and about are known",
                             path, name, key);
        if (!json_is_string(value))
            return error_set(err, SORA_ERROR_INPUT, "%s: \"%.40s\": %s is no text", path, name, key);
    }
    const char *prompt = json_string_value(json_object_get(style, "prompt"));
    return (prompt != NULL && *prompt != 0) || error_set(err, SORA_ERROR_INPUT, "%s: \"%.40s\" has no prompt", path, name);
}

static bool add_styles(json_t *all, const char *text, size_t size, const char *path, SoraError *err)
{
    json_error_t why;
    json_t *o = json_load_bytes(text, size, JSON_REJECT_DUPLICATES, &why), *style;
    const char *name;
    bool ok = o != NULL;
    if (!ok && json_short_of_memory(&why))
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    if (!ok)
        error_set(err, SORA_ERROR_INPUT, "%s:%d: %s", path, why.line, why.text);
    if (ok && !json_is_object(o))
        ok = error_set(err, SORA_ERROR_INPUT, "%s: is no object of styles", path);
    json_object_foreach(o, name, style) {
        ok = ok && check_style(name, style, path, err);
        if (ok)
            json_object_set(all, name, style);
    }
    json_decref(o);
    return ok;
}

json_t *styles_read(SoraError *err)
{
    json_t *all = json_object();
    char *path = own_path();
    bool ok = add_styles(all, styles_json, strlen(styles_json), "styles.json", err);
    if (ok && path != NULL && (file_exists(path) || getenv("SORA_STYLES") != NULL)) {
        size_t size;
        char *text = file_read(path, MAX_FILE, &size, err);
        ok = text != NULL && add_styles(all, text, size, path, err);
        free(text);
    }
    free(path);
    if (ok)
        return all;
    json_decref(all);
    return NULL;
}

static bool unknown(const char *name, json_t *all, SoraError *err)
{
    char known[160] = "";
    const char *key;
    json_t *style;
    json_object_foreach(all, key, style) {
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", n > 0 ? ", " : "", key);
    }
    return error_set(err, SORA_ERROR_INPUT, "--style: no style \"%.40s\"; there are %s", name, known);
}

/* "a, b", or b alone; heap. */
static char *joined(const char *a, const char *b)
{
    char *text = NULL;
    bool there = a != NULL && *a != 0;
    return asprintf(&text, "%s%s%s", there ? a : "", there ? ", " : "", b) < 0 ? NULL : text;
}

bool style_apply(const char *name, Styled *styled, SoraRequest *request, SoraError *err)
{
    json_t *all = styles_read(err);
    if (all == NULL)
        return false;
    json_t *style = json_object_get(all, name);
    const char *negative = json_string_value(json_object_get(style, "negative"));
    bool ok = style != NULL || unknown(name, all, err);
    if (ok) {
        styled->prompt = joined(request->prompt, json_string_value(json_object_get(style, "prompt")));
        styled->negative = negative != NULL ? joined(request->negative_prompt, negative) : NULL;
        ok = (styled->prompt != NULL && (negative == NULL || styled->negative != NULL)) ||
             error_set(err, SORA_ERROR_MEMORY, "out of memory");
        request->prompt = styled->prompt;
        if (negative != NULL)
            request->negative_prompt = styled->negative;
    }
    json_decref(all);
    return ok;
}

void style_deinit(Styled *styled)
{
    free(styled->prompt);
    free(styled->negative);
    *styled = (Styled){0};
}
