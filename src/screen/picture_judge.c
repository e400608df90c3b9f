#include "screen/picture_judge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/finite.h"
#include "base/json_file.h"
#include "cpu/backend.h"
#include "engine/model_path.h"
#include "model/mobilenet_v2.h"
#include "weights/file_source.h"
#include "weights/message.h"

const char *const PICTURE_CLASS_NAMES[PICTURE_CLASSES] = {"drawing", "hentai", "neutral", "porn", "sexy"};

struct PictureJudge {
    Backend *backend;
    Graph *graph;
    Safetensors *file;
    FileSource source;
    Params params;
    bool bound;
    Mobilenet network;
    float *input; /* [side, side, 3] */
};

static bool check_classes(const json_t *json, SoraError *err)
{
    const json_t *names = json_object_get(json, "classes");
    for (int i = 0; i < PICTURE_CLASSES; i++) {
        const char *name = json_string_value(json_array_get(names, (size_t)i));
        if (json_array_size(names) != PICTURE_CLASSES || name == NULL || strcmp(name, PICTURE_CLASS_NAMES[i]) != 0)
            return error_set(err, SORA_ERROR_INPUT, "its classes are not drawing, hentai, neutral, porn and sexy");
    }
    return true;
}

static bool load(PictureJudge *j, const json_t *config, SoraError *err)
{
    MobilenetConfig c;
    if (!mobilenet_config_read(&c, config, err) || !check_classes(config, err))
        return false;
    file_source_init(&j->source, j->file, FILE_SOURCE_F32);
    params_init(&j->params, &j->source.source);
    j->bound = true;
    mobilenet_bind(&j->network, &c, &j->params);
    if (!params_ok(&j->params, err))
        return false;
    j->input = malloc(3 * (size_t)c.side * (size_t)c.side * sizeof *j->input);
    j->graph = graph_new(j->backend);
    return (j->input != NULL && j->graph != NULL) || error_set(err, SORA_ERROR_MEMORY, "out of memory");
}

/* In F32. The kernels of AVX2 are there as they are; those of AVX-512 are made at run time, which a few pictures do not
 * pay for. */
static PictureJudge *begin(int threads, SoraError *err)
{
    PictureJudge *j = calloc(1, sizeof *j);
    if (j == NULL)
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
    else if ((j->backend = cpu_backend_new(&(CpuOptions){.threads = threads,
                                                         .precision = SORA_PRECISION_F32,
                                                         .level = cpu_level_supported("avx2") ? "avx2" : NULL,
                                                         .beside = true},
                                           err)) != NULL)
        return j;
    picture_judge_close(j);
    return NULL;
}

static bool read_folder(PictureJudge *j, const char *folder, SoraError *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/config.json", folder);
    json_t *config = json_file_read(path, err);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    bool ok = config != NULL && (j->file = safetensors_open(path, err)) != NULL &&
              (load(j, config, err) || error_wrap(err, "%s", folder));
    json_decref(config);
    return ok;
}

PictureJudge *picture_judge_open(const char *folder, int threads, SoraError *err)
{
    char *found = model_path_find(folder != NULL ? folder : "pictures", err);
    PictureJudge *j = found != NULL ? begin(threads, err) : NULL;
    if (j != NULL && !read_folder(j, found, err)) {
        picture_judge_close(j);
        j = NULL;
    }
    free(found);
    return j;
}

PictureJudge *picture_judge_open_memory(const char *config, const void *weights, size_t size, SoraError *err)
{
    json_error_t e;
    char shown[SHOWN_SIZE];
    PictureJudge *j = begin(1, err);
    json_t *json = json_load_bytes(config, strlen(config), 0, &e);
    bool ok = j != NULL &&
              (json != NULL || error_set(err, SORA_ERROR_INPUT, "config.json: %s", message_shown(e.text, shown))) &&
              (j->file = safetensors_open_memory(weights, size, "model.safetensors", err)) != NULL &&
              load(j, json, err);
    json_decref(json);
    if (ok)
        return j;
    picture_judge_close(j);
    return NULL;
}

void picture_judge_close(PictureJudge *j)
{
    if (j == NULL)
        return;
    graph_free(j->graph);
    if (j->bound) {
        params_deinit(&j->params);
        file_source_deinit(&j->source);
    }
    safetensors_close(j->file);
    cpu_backend_free(j->backend);
    free(j->input);
    free(j);
}

/* Where in the picture a row or column of the network's is: the first and the last are those of the picture. */
static float place(int i, int side, int size, int *first, int *second)
{
    float at = (float)i * (float)(size - 1) / (float)(side - 1);
    *first = (int)at;
    *second = *first + 1 < size ? *first + 1 : size - 1;
    return at - (float)*first;
}

/* TensorFlow's resizeBilinear with corners aligned, which the network was made for: no mean is taken when it shrinks.
 */
static void stretch(const Image *in, int side, float *out)
{
    for (int y = 0; y < side; y++) {
        int rows[2], columns[2];
        float down = place(y, side, in->height, &rows[0], &rows[1]);
        for (int x = 0; x < side; x++) {
            float right = place(x, side, in->width, &columns[0], &columns[1]);
            const uint8_t *corner[4];
            for (int k = 0; k < 4; k++)
                corner[k] = in->rgb + 3 * ((size_t)rows[k / 2] * (size_t)in->width + (size_t)columns[k % 2]);
            for (int c = 0; c < 3; c++) {
                float top = (float)corner[0][c] + ((float)corner[1][c] - (float)corner[0][c]) * right;
                float bottom = (float)corner[2][c] + ((float)corner[3][c] - (float)corner[2][c]) * right;
                *out++ = (top + (bottom - top) * down) / 255.0f;
            }
        }
    }
}

/* One at a time: the activations of one stay in the cache. */
bool picture_judge_look(PictureJudge *j, const Image *pictures, int count, PictureScores *scores, SoraError *err)
{
    int side = j->network.config.side;
    for (int i = 0; i < count; i++) {
        stretch(&pictures[i], side, j->input);
        graph_reset(j->graph);
        Tensor *x = graph_input(j->graph, DTYPE_F32, SHAPE(1, 1, side, side, 3), j->input);
        graph_download(j->graph, mobilenet_forward(j->graph, &j->network, x), scores[i].p);
        if (!graph_ok(j->graph, err))
            return error_wrap(err, "the judge of pictures");
        if (!all_finite(scores[i].p, PICTURE_CLASSES))
            return error_set(err, SORA_ERROR_INPUT,
                             "the judge of pictures: its weights are damaged: its answers are no numbers");
    }
    return true;
}
