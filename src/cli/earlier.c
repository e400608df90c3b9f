#include "cli/earlier.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "media/video_reader.h"

/* A text that is there already, as when one file is given twice, is not added again. */
static bool add(Earlier *e, const json_t *text)
{
    const char *s = json_string_value(text);
    if (s == NULL || *s == 0 || e->count == EARLIER_MOST)
        return true;
    for (int i = 0; i < e->count; i++) {
        if (strcmp(e->texts[i], s) == 0)
            return true;
    }
    e->texts[e->count] = strdup(s);
    return e->texts[e->count] != NULL && ++e->count > 0;
}

static bool add_words(Earlier *e, const json_t *parameters)
{
    const json_t *before = json_object_get(parameters, "earlier"), *passages = json_object_get(parameters, "passages");
    bool ok = true;
    for (size_t i = 0; i < json_array_size(before) && ok; i++)
        ok = add(e, json_array_get(before, i));
    ok = ok && add(e, json_object_get(parameters, "asked")) && add(e, json_object_get(parameters, "prompt"));
    for (size_t i = 0; i < json_array_size(passages) && ok; i++)
        ok = add(e, json_object_get(json_array_get(passages, i), "prompt"));
    return ok;
}

/* The parameters in a PNG's text chunk Comment, as src/media writes it: uncompressed tEXt or iTXt. NULL: there are
 * none. */
static json_t *read_png(const uint8_t *p, size_t n)
{
    static const char key[] = "Comment";
    if (n < 8 || memcmp(p, "\x89PNG\r\n\x1a\n", 8) != 0)
        return NULL;
    for (size_t at = 8; n - at >= 12;) {
        size_t size = (size_t)p[at] << 24 | (size_t)p[at + 1] << 16 | (size_t)p[at + 2] << 8 | p[at + 3];
        const char *type = (const char *)p + at + 4, *data = type + 4;
        if (size > n - at - 12)
            return NULL;
        size_t head = memcmp(type, "tEXt", 4) == 0 ? sizeof key : memcmp(type, "iTXt", 4) == 0 ? sizeof key + 4 : 0;
        if (head > 0 && size > head && memcmp(data, key, sizeof key) == 0)
            return json_loadb(data + head, size - head, 0, NULL);
        at += size + 12;
    }
    return NULL;
}

/* NULL: it has none. One that cannot be read is refused elsewhere. */
static json_t *read_parameters(const char *path)
{
    FileMap map;
    if (!file_map_open(&map, path, NULL))
        return NULL;
    json_t *parameters = read_png(map.data, map.size);
    file_map_close(&map);
    VideoReader *r = parameters == NULL ? video_reader_open(path, &(VideoReaderOptions){0}, NULL) : NULL;
    const char *comment = r != NULL ? video_reader_metadata(r, "comment") : NULL;
    if (comment != NULL)
        parameters = json_loads(comment, 0, NULL);
    video_reader_close(r);
    return parameters;
}

static bool read_file(Earlier *e, const char *path)
{
    json_t *parameters = read_parameters(path);
    const char *generator = json_string_value(json_object_get(parameters, "generator"));
    bool ours = generator != NULL && strncmp(generator, "sora ", 5) == 0;
    bool ok = !ours || add_words(e, parameters);
    json_decref(parameters);
    return ok;
}

bool earlier_read(Earlier *earlier, const SoraInput *files, int count, SoraError *err)
{
    for (int i = 0; i < count; i++) {
        if (!read_file(earlier, files[i].path))
            return error_no_memory(err);
    }
    return true;
}

void earlier_deinit(Earlier *earlier)
{
    for (int i = 0; i < earlier->count; i++)
        free(earlier->texts[i]);
    *earlier = (Earlier){0};
}
