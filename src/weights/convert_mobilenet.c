/* The picture judge from its TensorFlow.js model, in which layers have Keras's names. The bytes stay; each batch norm
 * goes into the scales, minima and biases of the output channels before it: y = g (w x - mean) / s + beta, so w' = w g
 * / s. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "weights/convert.h"
#include "weights/message.h"
#include "weights/safetensors.h"
#include "weights/tfjs.h"

/* nsfwjs's MobileNetV2: the paper's network with three dense layers. */
static const char CONFIG[] = "{\n"
                             "  \"model_type\": \"mobilenet_v2\",\n"
                             "  \"side\": 224,\n"
                             "  \"stem\": 32,\n"
                             "  \"bottlenecks\": [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, "
                             "3, 1], [6, 160, 3, 2], [6, 320, 1, 1]],\n"
                             "  \"last\": 1280,\n"
                             "  \"hidden\": [256, 128],\n"
                             "  \"classes\": [\"drawing\", \"hentai\", \"neutral\", \"porn\", \"sexy\"]\n"
                             "}\n";
enum { BLOCKS = 17, MOST_LAYERS = 3 * BLOCKS + 5, KERAS_EPSILON_INVERSE = 1000 };

typedef struct Layer {
    const char *name, *kernel, *norm; /* norm "": it has a bias of its own */
    bool depthwise;
} Layer;

/* A layer as it will be in the file. */
typedef struct Made {
    Tensor w, scale, minimum, bias;
} Made;

typedef struct Work {
    Arena memory;
    const TfjsModel *model;
    SafetensorsWriter *writer;
    Made made[MOST_LAYERS];
    const char *names[MOST_LAYERS];
    int count;
} Work;

static const TfjsTensor *find(const Work *w, const char *layer, const char *part, SoraError *err)
{
    char name[128], shown[SHOWN_SIZE];
    snprintf(name, sizeof name, "%s/%s", layer, part);
    const TfjsTensor *t = tfjs_find(w->model, name);
    if (t == NULL)
        message_bad(message_path_end(tfjs_path(w->model)), err,
                    "tensor \"%s\" is missing: it is not the MobileNetV2 of nsfwjs", message_shown(name, shown));
    return t;
}

/* A value of a tensor of n numbers. */
static bool vector(const Work *w, const char *layer, const char *part, int64_t n, float *out, SoraError *err)
{
    const TfjsTensor *t = find(w, layer, part, err);
    if (t == NULL)
        return false;
    if (t->tensor.ndim != 1 || t->tensor.shape[0] != n)
        return message_bad(message_path_end(tfjs_path(w->model)), err, "tensor \"%s\" has not the size of its layer",
                           t->name);
    for (int64_t i = 0; i < n; i++)
        out[i] = (float)(((const uint8_t *)t->tensor.data)[i] * t->scale + t->minimum);
    return true;
}

/* Keras's [kh, kw, in, out], of a depthwise one [kh, kw, C, 1], of a dense one [in, out]: rows of outputs here. */
static bool turn(Work *w, const TfjsTensor *t, bool depthwise, Tensor *out, SoraError *err)
{
    const int64_t *s = t->tensor.shape;
    bool dense = t->tensor.ndim == 2;
    if (!dense && t->tensor.ndim != 4)
        return message_bad(message_path_end(tfjs_path(w->model)), err, "tensor \"%s\" is no kernel", t->name);
    int64_t taps = dense ? 1 : s[0] * s[1], in = dense ? s[0] : s[2], outs = dense ? s[1] : s[3];
    if (depthwise) {
        outs = in * outs;
        in = 1;
    }
    uint8_t *to = arena_alloc(&w->memory, (size_t)tensor_numel(&t->tensor));
    const uint8_t *from = t->tensor.data;
    if (to == NULL)
        return message_no_memory(tfjs_path(w->model), err);
    for (int64_t o = 0; o < outs; o++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t k = 0; k < taps; k++)
                to[(o * in + i) * taps + k] = from[(k * in + i) * outs + o];
    int64_t side = dense ? 1 : s[0];
    if (taps == 1)
        *out = tensor_over(to, DTYPE_U8, 2, (int64_t[]){outs, in});
    else if (depthwise)
        *out = tensor_over(to, DTYPE_U8, 4, (int64_t[]){outs, 1, side, taps / side});
    else
        *out = tensor_over(to, DTYPE_U8, 5, (int64_t[]){outs, in, 1, side, taps / side});
    return true;
}

/* rows: scale, minimum and bias of the n outputs, and room for four times n numbers. */
static bool fold(const Work *w, const Layer *l, const TfjsTensor *kernel, int64_t n, float *const rows[4],
                 SoraError *err)
{
    for (int64_t o = 0; o < n; o++) {
        rows[0][o] = (float)kernel->scale;
        rows[1][o] = (float)kernel->minimum;
    }
    if (*l->norm == 0)
        return vector(w, l->kernel, "bias", n, rows[2], err);
    float *gamma = rows[3], *beta = gamma + n, *mean = beta + n, *variance = mean + n;
    if (!vector(w, l->norm, "gamma", n, gamma, err) || !vector(w, l->norm, "beta", n, beta, err) ||
        !vector(w, l->norm, "moving_mean", n, mean, err) || !vector(w, l->norm, "moving_variance", n, variance, err))
        return false;
    for (int64_t o = 0; o < n; o++) {
        double factor = gamma[o] / sqrt((double)variance[o] + 1.0 / KERAS_EPSILON_INVERSE);
        rows[0][o] = (float)(kernel->scale * factor);
        rows[1][o] = (float)(kernel->minimum * factor);
        rows[2][o] = (float)(beta[o] - mean[o] * factor);
        if (!isfinite(rows[0][o]) || !isfinite(rows[1][o]) || !isfinite(rows[2][o]))
            return message_bad(message_path_end(tfjs_path(w->model)), err, "\"%s\" has numbers that are not finite",
                               l->norm);
    }
    return true;
}

static bool add(Work *w, Layer l, SoraError *err)
{
    const TfjsTensor *kernel = find(w, l.kernel, l.depthwise ? "depthwise_kernel" : "kernel", err);
    Made *m = &w->made[w->count];
    if (kernel == NULL || !turn(w, kernel, l.depthwise, &m->w, err))
        return false;
    int64_t n = m->w.shape[0];
    float *rows[4], *memory = arena_alloc(&w->memory, 7 * (size_t)n * sizeof *memory);
    w->names[w->count] = arena_strdup(&w->memory, l.name);
    if (memory == NULL || w->names[w->count] == NULL)
        return message_no_memory(tfjs_path(w->model), err);
    for (int i = 0; i < 4; i++)
        rows[i] = memory + i * n;
    m->scale = tensor_over(rows[0], DTYPE_F32, 1, &n);
    m->minimum = tensor_over(rows[1], DTYPE_F32, 1, &n);
    m->bias = tensor_over(rows[2], DTYPE_F32, 1, &n);
    w->count++;
    return fold(w, &l, kernel, n, rows, err);
}

static bool add_block(Work *w, int i, SoraError *err)
{
    static const char *const PARTS[] = {"expand", "depthwise", "project"};
    char name[64], kernel[64], norm[64];
    for (int k = i == 0; k < 3; k++) {
        snprintf(name, sizeof name, "blocks.%d.%s", i, PARTS[k]);
        if (i == 0)
            snprintf(kernel, sizeof kernel, "expanded_conv_%s", PARTS[k]);
        else
            snprintf(kernel, sizeof kernel, "block_%d_%s", i, PARTS[k]);
        snprintf(norm, sizeof norm, "%.50s_BN", kernel);
        if (!add(w, (Layer){name, kernel, norm, k == 1}, err))
            return false;
    }
    return true;
}

static bool add_layers(Work *w, SoraError *err)
{
    bool ok = add(w, (Layer){"stem", "Conv1", "bn_Conv1", false}, err);
    for (int i = 0; i < BLOCKS && ok; i++)
        ok = add_block(w, i, err);
    return ok && add(w, (Layer){"last", "Conv_1", "Conv_1_bn", false}, err) &&
           add(w, (Layer){"dense.0", "dense_1", "", false}, err) &&
           add(w, (Layer){"dense.1", "dense_2", "", false}, err) &&
           add(w, (Layer){"dense.2", "dense_3", "", false}, err);
}

static bool declare(Work *w, bool bytes, SoraError *err)
{
    static const char *const PARTS[] = {"scale", "minimum", "bias"};
    char name[96];
    for (int i = 0; i < w->count; i++) {
        const Tensor *t[] = {&w->made[i].scale, &w->made[i].minimum, &w->made[i].bias};
        for (int k = 0; k < 3 && !bytes; k++) {
            snprintf(name, sizeof name, "%s.%s", w->names[i], PARTS[k]);
            if (!safetensors_writer_add(w->writer, name, t[k], err))
                return false;
        }
        snprintf(name, sizeof name, "%s.weight", w->names[i]);
        if (bytes && !safetensors_writer_add(w->writer, name, &w->made[i].w, err))
            return false;
    }
    return true;
}

static bool write_config(const char *path, SoraError *err)
{
    FileWriter f;
    if (!file_writer_open(&f, path, err))
        return false;
    fputs(CONFIG, f.stream);
    return file_writer_commit(&f, err);
}

static bool write(Work *w, const char *to, SoraError *err)
{
    Scratch scratch = {0};
    char *weights = NULL, *config = NULL, *folder = NULL;
    bool ok = declare(w, false, err) && declare(w, true, err) && scratch_make(&scratch, to, err);
    if (ok) {
        folder = arena_printf(&w->memory, "%s/new", scratch.path);
        weights = arena_printf(&w->memory, "%s/new/model.safetensors", scratch.path);
        config = arena_printf(&w->memory, "%s/new/config.json", scratch.path);
        ok = (folder != NULL && weights != NULL && config != NULL) || message_no_memory(to, err);
    }
    ok = ok && dir_make(folder, err) && safetensors_writer_save(w->writer, weights, err) && write_config(config, err);
    if (ok && rename(folder, to) != 0)
        ok = errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR
                 ? message_bad(message_path_end(to), err, "is there already")
                 : error_system(err, message_path_end(to), "cannot rename to");
    scratch_remove(&scratch);
    return ok;
}

bool mobilenet_convert(const char *from, const char *to, SoraError *err)
{
    TfjsModel *model = tfjs_open(from, err);
    if (model == NULL)
        return false;
    Work w = {.model = model};
    arena_init(&w.memory, 0);
    w.writer = safetensors_writer_new(err);
    bool ok = w.writer != NULL && add_layers(&w, err) && write(&w, to, err);
    safetensors_writer_free(w.writer);
    arena_deinit(&w.memory);
    tfjs_close(model);
    return ok;
}
