/* The whole of Wan 2.2 TI2V's generate() against the reference, through the functions that the engine uses:
 * prompt to ids, to text rows; picture to latent; noise to latents at every step; latents to video. */
#include "golden/golden.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cpu/backend.h"
#include "engine/pipeline.h"
#include "golden/fixture.h"

/* Of maximum errors, but for mean. */
typedef struct Tolerances {
    double text, image, latents, video, mean;
} Tolerances;

/* The fixtures' own; and three times what products in bf16 were measured to do (mean: 2 of 255 levels). */
static const Tolerances F32_TOLERANCES = {2e-5, 5e-5, 2e-3, 2e-3, 2e-4};
static const Tolerances BF16_TOLERANCES = {0.15, 0.08, 0.45, 0.2, 0.015};
/* One step of 255 in a picture in -1 to 1: what PIL's rounding may differ by. */
static const double PIXEL_TOLERANCE = 1.01 * 2 / 255;

typedef struct Parts {
    Fixture cases, vae_cases, weights[3]; /* transformer, text encoder, autoencoder */
    Params params[3];
    Dit transformer;
    Umt5 text_encoder;
    Vae22 autoencoder;
    Backend *backend;
    Pipeline pipeline;
    json_t *config; /* of the case file */
    Tolerances tolerances;
    const char *label;
} Parts;

/* Largest and mean distance of n values; NaN when the fixture has no such tensor. */
typedef struct Error {
    double max, mean;
} Error;

static Error compare(const Tensor *expected, int64_t offset, const float *x, int64_t n)
{
    Error e = {0, 0};
    if (expected->data == NULL || expected->dtype != DTYPE_F32 || offset + n > tensor_numel(expected))
        return (Error){NAN, NAN};
    const float *y = (const float *)expected->data + offset;
    for (int64_t i = 0; i < n; i++) {
        double d = fabs((double)x[i] - y[i]);
        e.max = isnan(d) || d > e.max ? d : e.max;
        e.mean += d / (double)n;
    }
    return e;
}

static void report(Golden *g, const Parts *p, double error, double tolerance, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static void report(Golden *g, const Parts *p, double error, double tolerance, const char *fmt, ...)
{
    char label[128];
    int n = snprintf(label, sizeof label, "%s ", p->label);
    va_list args;
    va_start(args, fmt);
    vsnprintf(label + n, sizeof label - (size_t)n, fmt, args);
    va_end(args);
    golden_report(g, label, error, tolerance);
}

/* --- opening --- */

static const char *text_of(const json_t *config, const char *key)
{
    const char *s = json_string_value(json_object_get(config, key));
    return s != NULL ? s : "";
}

static bool read_scale(VaeConfig *c, const Fixture *f, SoraError *err)
{
    Tensor mean = fixture_tensor(f, "scale.mean"), inv_std = fixture_tensor(f, "scale.inv_std");
    if (tensor_numel(&mean) != c->z_dim || tensor_numel(&inv_std) != c->z_dim)
        return error_set(err, SORA_ERROR_INPUT, "fixture: no scale");
    for (int i = 0; i < c->z_dim; i++) {
        c->mean[i] = ((const float *)mean.data)[i];
        c->std[i] = 1 / ((const float *)inv_std.data)[i];
    }
    return true;
}

static bool bind(Parts *p, int part, SoraError *err)
{
    json_t *json = fixture_metadata(&p->weights[part], "config");
    DitConfig dit;
    Umt5Config umt5;
    VaeConfig vae;
    params_init(&p->params[part], &p->weights[part].source);
    bool ok = false;
    if (part == 0 && (ok = dit_config_parse(&dit, json, err)))
        dit_bind(&p->transformer, &dit, &p->params[part]);
    else if (part == 1 && (ok = umt5_config_parse(&umt5, json, err)))
        umt5_bind(&p->text_encoder, &umt5, &p->params[part]);
    else if (part == 2 && (ok = vae_config_read(&vae, json, err) && read_scale(&vae, &p->vae_cases, err)))
        vae22_bind(&p->autoencoder, &vae, &p->params[part]);
    json_decref(json);
    return ok && params_ok(&p->params[part], err);
}

static bool open_parts(Parts *p, const char *dir, SoraError *err)
{
    static const char *const KEYS[] = {"dit", "t5", "vae"};
    p->config = fixture_metadata(&p->cases, "config");
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, text_of(p->config, "tokenizer"));
    Tokenizer *tokenizer = tokenizer_open(path, err);
    p->pipeline.tokenizer = tokenizer;
    if (tokenizer == NULL)
        return false;
    if (!fixture_open(&p->vae_cases, dir, text_of(p->config, "vae"), "cases"))
        return error_set(err, SORA_ERROR_NOT_FOUND, "fixture: no cases of the autoencoder");
    for (int i = 0; i < 3; i++) {
        if (!fixture_open(&p->weights[i], dir, text_of(p->config, KEYS[i]), "weights"))
            return error_set(err, SORA_ERROR_NOT_FOUND, "fixture: no weights of %s", KEYS[i]);
        if (!bind(p, i, err))
            return false;
    }
    p->pipeline.graph = graph_new(p->backend);
    p->pipeline.transformer = &p->transformer;
    p->pipeline.text_encoder = &p->text_encoder;
    p->pipeline.autoencoder = &p->autoencoder;
    p->pipeline.timestep_per_patch = true;
    return pipeline_check(&p->pipeline, err);
}

static void close_parts(Parts *p)
{
    graph_free(p->pipeline.graph);
    tokenizer_close((Tokenizer *)p->pipeline.tokenizer);
    for (int i = 0; i < 3; i++) {
        params_deinit(&p->params[i]);
        fixture_close(&p->weights[i]);
    }
    fixture_close(&p->vae_cases);
    fixture_close(&p->cases);
    cpu_backend_free(p->backend);
    json_decref(p->config);
}

/* --- cases --- */

static bool run_text(Golden *g, const Parts *p, const char *name, const char *text, TextRows *rows)
{
    SoraError err = {0};
    Tensor expected_ids = fixture_tensor(&p->cases, "%s.ids512", name);
    Tensor expected_length = fixture_tensor(&p->cases, "%s.len", name);
    Tensor context = fixture_tensor(&p->cases, "%s.context", name);
    int max = (int)tensor_numel(&expected_ids), wrong = 0;
    int32_t *ids = calloc((size_t)max + 1, sizeof *ids);
    int n = ids != NULL ? pipeline_tokenize(&p->pipeline, text, ids, max, &err) : -1;
    wrong += expected_length.data == NULL || n != *(const int32_t *)expected_length.data;
    for (int i = 0; i < max && ids != NULL; i++)
        wrong += ids[i] != ((const int32_t *)expected_ids.data)[i];
    free(ids);
    report(g, p, wrong, 0, "%s ids", name);
    bool ok = pipeline_encode_text(&p->pipeline, text, rows, &err);
    if (!ok)
        printf("  %s\n", err.message);
    Error e = {NAN, NAN};
    if (ok && rows->rows * rows->dim == tensor_numel(&context))
        e = compare(&context, 0, rows->data, rows->rows * rows->dim);
    report(g, p, e.max, p->tolerances.text, "%s context", name);
    return ok;
}

/* The picture of case i2v through resizing and the encoder. */
static bool run_image(Golden *g, const Parts *p, Canvas *canvas)
{
    SoraError err = {0};
    Tensor file = fixture_tensor(&p->cases, "i2v.image_u8_hwc"), z = fixture_tensor(&p->cases, "i2v.z_first");
    Tensor resized = fixture_tensor(&p->cases, "i2v.image_preprocessed");
    if (file.ndim != 3 || resized.ndim != 4 || z.ndim != 4)
        return false;
    Image in = {(int)file.shape[1], (int)file.shape[0], file.data}, out = {0};
    int64_t plane = resized.shape[2] * resized.shape[3];
    float *latent = NULL;
    bool ok = image_cover(&out, &in, (int)resized.shape[3], (int)resized.shape[2], &err);
    double worst = 0;
    for (int64_t i = 0; i < 3 * plane && ok; i++) {
        float x = out.rgb[i % plane * 3 + i / plane] / 127.5f - 1;
        worst = fmax(worst, fabs(x - ((const float *)resized.data)[i]));
    }
    report(g, p, ok ? worst : NAN, PIXEL_TOLERANCE, "i2v picture");
    ok = ok && (latent = pipeline_encode_image(&p->pipeline, &out, &err)) != NULL;
    if (!ok)
        printf("  %s\n", err.message);
    double tolerance = worst == 0 ? p->tolerances.image : p->tolerances.latents;
    report(g, p, ok ? compare(&z, 0, latent, tensor_numel(&z)).max : NAN, tolerance,
           "i2v first latent frame");
    if (ok)
        canvas_give_frames(canvas, 0, 1, latent);
    free(latent);
    image_deinit(&out);
    return ok;
}

typedef struct Watch {
    Tensor latents; /* [steps, C, F, H, W] */
    int64_t cells;
    double worst;
    int steps;
} Watch;

static bool watch_step(void *user, int done, const float *latent)
{
    Watch *w = user;
    Error e = compare(&w->latents, (done - 1) * w->cells, latent, w->cells);
    w->worst = isnan(e.max) || e.max > w->worst ? e.max : w->worst;
    w->steps = done;
    return true;
}

typedef struct Frames {
    Tensor video; /* [3, T, H, W] */
    int64_t done;
    double worst, sum;
} Frames;

/* Frames arrive as [count, H, W, 3]. */
static bool watch_frames(void *user, const float *frames, int count, SoraError *err)
{
    Frames *w = user;
    int64_t plane = w->video.shape[2] * w->video.shape[3], length = w->video.shape[1];
    const float *expected = w->video.data;
    for (int64_t t = 0; t < count && w->done < length; t++, w->done++)
        for (int64_t i = 0; i < plane * 3; i++) {
            double x = fmin(1, fmax(-1, frames[t * plane * 3 + i]));
            double d = fabs(x - expected[(i % 3 * length + w->done) * plane + i / 3]);
            w->worst = isnan(frames[t * plane * 3 + i]) || d > w->worst ? d : w->worst;
            w->sum += d;
        }
    return true;
}

static void run_decode(Golden *g, const Parts *p, const char *name, const CanvasShape *shape,
                       const float *latent)
{
    SoraError err = {0};
    Frames f = {.video = fixture_tensor(&p->cases, "%s.video", name)};
    bool ok = f.video.ndim == 4 && pipeline_decode(&p->pipeline, shape, latent, watch_frames, &f, &err) &&
              f.done == f.video.shape[1];
    if (!ok)
        printf("  %s\n", err.message);
    report(g, p, ok ? f.worst : NAN, p->tolerances.video, "%s video", name);
    report(g, p, ok ? f.sum / (double)tensor_numel(&f.video) : NAN, p->tolerances.mean, "%s video, mean",
           name);
}

static void run_case(Golden *g, const Parts *p, const char *name, const TextRows texts[2])
{
    SoraError err = {0};
    const json_t *config = json_object_get(p->config, name);
    Tensor noise = fixture_tensor(&p->cases, "%s.noise", name);
    bool has_image = strcmp(name, "i2v") == 0;
    Watch watch = {.latents =
                       fixture_tensor(&p->cases, has_image ? "%s.latents_masked" : "%s.latents", name)};
    if (noise.ndim != 4 || watch.latents.ndim != 5) {
        report(g, p, NAN, p->tolerances.latents, "%s latents", name);
        return;
    }
    const int *patch = p->transformer.config.patch_size;
    Canvas canvas = {0};
    CanvasShape shape = {
        noise.shape[0], noise.shape[1], noise.shape[2], noise.shape[3], {patch[0], patch[1], patch[2]}};
    float *latent = malloc(tensor_bytes(&noise));
    bool ok =
        latent != NULL && canvas_init(&canvas, &shape, &err) && (!has_image || run_image(g, p, &canvas));
    Denoising d = {
        .sampler = {SORA_SOLVER_UNIPC, (int)json_integer_value(json_object_get(config, "steps")),
                    json_number_value(json_object_get(config, "shift")), 1000, 0},
        .guidance_scale = json_number_value(json_object_get(config, "guide_scale")),
        .canvas = &canvas,
        .prompt = texts[0],
        .negative = texts[1],
        .after_step = watch_step,
        .user = &watch,
    };
    watch.cells = tensor_numel(&noise);
    if (ok)
        memcpy(latent, noise.data, tensor_bytes(&noise));
    ok = ok && pipeline_denoise(&p->pipeline, &d, latent, &err) && watch.steps == watch.latents.shape[0];
    if (!ok)
        printf("  %s\n", err.message);
    report(g, p, ok ? watch.worst : NAN, p->tolerances.latents, "%s latents", name);
    if (ok)
        run_decode(g, p, name, &shape, latent);
    free(latent);
    canvas_deinit(&canvas);
}

/* Takes the backend. */
static void run(Golden *g, const char *dir, Parts *p)
{
    SoraError err = {0};
    TextRows texts[2] = {{0}};
    if (!fixture_open(&p->cases, dir, "pipeline_ti2v_tiny", "cases") || !open_parts(p, dir, &err)) {
        printf("  %s\n", err.message);
        report(g, p, NAN, 0, "parts");
    } else if (run_text(g, p, "prompt", text_of(p->config, "prompt"), &texts[0]) &&
               run_text(g, p, "neg", text_of(p->config, "n_prompt"), &texts[1])) {
        run_case(g, p, "t2v", texts);
        run_case(g, p, "i2v", texts);
    }
    text_rows_free(&texts[0]);
    text_rows_free(&texts[1]);
    close_parts(p);
}

void golden_pipeline(Golden *g, const char *dir)
{
    char path[512];
    snprintf(path, sizeof path, "%s/pipeline_ti2v_tiny.cases.safetensors", dir);
    if (!file_exists(path))
        return;
    golden_claim(g, "pipeline_ti2v_tiny.cases.safetensors");
    SoraError err = {0};
    Parts f32 = {.tolerances = F32_TOLERANCES, .label = "pipeline_ti2v_tiny"};
    f32.backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err);
    if (f32.backend != NULL)
        run(g, dir, &f32);
    else
        golden_report(g, err.message, NAN, 0);
    Parts bf16 = {.tolerances = BF16_TOLERANCES, .label = "pipeline_ti2v_tiny bf16"};
    bf16.backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_BF16}, &err);
    if (bf16.backend != NULL)
        run(g, dir, &bf16);
    else
        golden_skip(g, bf16.label, err.message);
}
