/* The whole of generate() of every published variant against the reference, through the functions that the
 * engine uses: prompt to ids, to text rows; picture to latent, and to rows; noise to latents at every step;
 * latents to video. */
#include "golden/golden.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cpu/backend.h"
#include "engine/encode.h"
#include "engine/give.h"
#include "golden/fixture.h"

/* Of maximum errors, but for mean. */
typedef struct Tolerances {
    double text, rows, image, latents, video, mean;
} Tolerances;

/* The fixtures' own; and up to three times what products in bf16, and linear layers in int8 wherever the width of these
 * small networks allows it, were measured to do (mean: 2 of 255 levels). */
typedef struct Kind {
    CpuOptions options;
    const char *label; /* after a file's name */
    Tolerances tolerances;
} Kind;

static const Kind KINDS[] = {
    {{.precision = SORA_PRECISION_F32}, "", {2e-5, 5e-5, 5e-5, 2e-3, 2e-3, 2e-4}},
    {{.precision = SORA_PRECISION_BF16}, " bf16", {0.15, 0.07, 0.08, 0.45, 0.2, 0.015}},
    {{.precision = SORA_PRECISION_INT8, .int8_smallest = 1}, " int8", {0.5, 0.1, 0.08, 1.2, 0.6, 0.06}},
};
/* One step of 255 in a picture in -1 to 1: what PIL's rounding may differ by. */
static const double PIXEL_TOLERANCE = 1.01 * 2 / 255;

enum { TRANSFORMER, LOW_NOISE, TEXT_ENCODER, AUTOENCODER, IMAGE_ENCODER, PART_COUNT };

/* Which weights a file's config names under that key. */
static const char *const KEYS[PART_COUNT] = {"dit", "low_noise", "t5", "vae", "clip"};

/* How a picture is brought to the video's size, and what becomes of it. */
typedef enum Picture {
    NO_PICTURE,
    COVERED,   /* resized and cut as PIL does; the first latent frame is known */
    STRETCHED, /* bicubic; in the condition, and heard where there is an image encoder */
} Picture;

typedef struct Run {
    const char *name; /* of its tensors; and of its part of the config, if it has one */
    SoraSolver solver;
    Picture picture;
} Run;

enum { MAX_RUNS = 3 };

typedef struct File {
    const char *name, *file;
    bool timestep_per_patch;
    Run runs[MAX_RUNS + 1];
} File;

static const File FILES[] = {
    {"pipeline_t2v_tiny",
     "pipeline_t2v_tiny.cases.safetensors",
     false,
     {{"unipc", SORA_SOLVER_UNIPC, NO_PICTURE},
      {"dpmpp", SORA_SOLVER_DPMPP, NO_PICTURE},
      {"t2i", SORA_SOLVER_UNIPC, NO_PICTURE}}},
    {"pipeline_t2v_a14b_tiny",
     "pipeline_t2v_a14b_tiny.cases.safetensors",
     false,
     {{"unipc", SORA_SOLVER_UNIPC, NO_PICTURE}}},
    {"pipeline_ti2v_tiny",
     "pipeline_ti2v_tiny.cases.safetensors",
     true,
     {{"t2v", SORA_SOLVER_UNIPC, NO_PICTURE}, {"i2v", SORA_SOLVER_UNIPC, COVERED}}},
    {"pipeline_i2v21_tiny",
     "pipeline_i2v21_tiny.cases.safetensors",
     false,
     {{"unipc", SORA_SOLVER_UNIPC, STRETCHED}}},
    {"pipeline_i2v_a14b_tiny",
     "pipeline_i2v_a14b_tiny.cases.safetensors",
     false,
     {{"unipc", SORA_SOLVER_UNIPC, STRETCHED}}},
};

typedef struct Parts {
    const File *file;
    Fixture cases, vae_cases, weights[PART_COUNT];
    Params params[PART_COUNT];
    Dit transformer, low_noise;
    Umt5 text_encoder;
    Vae autoencoder;
    Clip image_encoder;
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

static bool bind_dit(Dit *m, const Fixture *f, const json_t *json, Params *params, SoraError *err)
{
    DitConfig c;
    Tensor proj = fixture_tensor(f, "img_emb.proj.1.weight");
    if (!dit_config_parse(&c, json, err) ||
        !dit_config_add_pictures(&c, proj.data != NULL ? &proj : NULL, NULL, err))
        return false;
    dit_bind(m, &c, params);
    return true;
}

static bool bind(Parts *p, int part, SoraError *err)
{
    json_t *json = fixture_metadata(&p->weights[part], "config");
    Params *params = &p->params[part];
    Umt5Config umt5;
    VaeConfig vae;
    ClipConfig clip;
    params_init(params, &p->weights[part].source);
    bool ok = false;
    if (part == TRANSFORMER || part == LOW_NOISE)
        ok = bind_dit(part == LOW_NOISE ? &p->low_noise : &p->transformer, &p->weights[part], json, params,
                      err);
    else if (part == TEXT_ENCODER && (ok = umt5_config_parse(&umt5, json, err)))
        umt5_bind(&p->text_encoder, &umt5, params);
    else if (part == AUTOENCODER &&
             (ok = vae_config_read(&vae, json, err) && read_scale(&vae, &p->vae_cases, err)))
        vae_bind(&p->autoencoder, &vae, params);
    else if (part == IMAGE_ENCODER && (ok = clip_config_parse(&clip, json, err)))
        clip_bind(&p->image_encoder, &clip, params);
    json_decref(json);
    return ok && params_ok(params, err);
}

static bool open_part(Parts *p, const char *dir, int part, SoraError *err)
{
    const char *key = KEYS[part];
    if (part == TRANSFORMER && json_object_get(p->config, key) == NULL)
        key = "high_noise";
    const char *name = text_of(p->config, key);
    if (name[0] == 0 && (part == LOW_NOISE || part == IMAGE_ENCODER))
        return true;
    if (!fixture_open(&p->weights[part], dir, name, "weights"))
        return error_set(err, SORA_ERROR_NOT_FOUND, "fixture: no weights of %s", key);
    return bind(p, part, err);
}

static bool open_parts(Parts *p, const char *dir, SoraError *err)
{
    p->config = fixture_metadata(&p->cases, "config");
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, text_of(p->config, "tokenizer"));
    Tokenizer *tokenizer = tokenizer_open(path, err);
    p->pipeline.tokenizer = tokenizer;
    if (tokenizer == NULL)
        return false;
    if (!fixture_open(&p->vae_cases, dir, text_of(p->config, "vae"), "cases"))
        return error_set(err, SORA_ERROR_NOT_FOUND, "fixture: no cases of the autoencoder");
    for (int part = 0; part < PART_COUNT; part++)
        if (!open_part(p, dir, part, err))
            return false;
    p->pipeline.graph = graph_new(p->backend);
    p->pipeline.transformer = &p->transformer;
    p->pipeline.low_noise = p->weights[LOW_NOISE].header != NULL ? &p->low_noise : NULL;
    p->pipeline.boundary = 1000 * json_number_value(json_object_get(p->config, "boundary"));
    p->pipeline.text_encoder = &p->text_encoder;
    p->pipeline.autoencoder = &p->autoencoder;
    p->pipeline.image_encoder = p->weights[IMAGE_ENCODER].header != NULL ? &p->image_encoder : NULL;
    p->pipeline.timestep_per_patch = p->file->timestep_per_patch;
    return pipeline_check(&p->pipeline, err);
}

static void close_parts(Parts *p)
{
    graph_free(p->pipeline.graph);
    tokenizer_close((Tokenizer *)p->pipeline.tokenizer);
    for (int i = 0; i < PART_COUNT; i++) {
        params_deinit(&p->params[i]);
        fixture_close(&p->weights[i]);
    }
    fixture_close(&p->vae_cases);
    fixture_close(&p->cases);
    cpu_backend_free(p->backend);
    json_decref(p->config);
}

/* --- cases --- */

static bool run_text(Golden *g, const Parts *p, const char *name, const char *text, ContextRows *rows)
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

/* The largest distance of a picture from the fixture's, [3, (1,) H, W]. */
static double picture_error(const Pixels *x, Tensor expected)
{
    int64_t plane = (int64_t)x->width * x->height;
    double worst = tensor_numel(&expected) == 3 * plane ? 0 : NAN;
    for (int64_t i = 0; i < 3 * plane && worst >= 0; i++)
        worst = fmax(worst, fabs(x->rgb[i % plane * 3 + i / plane] - ((const float *)expected.data)[i]));
    return worst;
}

/* The tensor of a picture that PIL resized to width x height (or one step off, where rounding differs). */
static bool cover(Golden *g, const Parts *p, const Image *in, const Canvas *canvas, Pixels *out,
                  SoraError *err)
{
    Tensor expected = fixture_tensor(&p->cases, "i2v.image_preprocessed");
    int stride = vae_stride_space(&p->autoencoder.config);
    Image covered = {0};
    bool ok = image_cover(&covered, in, (int)canvas->shape.width * stride, (int)canvas->shape.height * stride,
                          err) &&
              pixels_from_image(out, &covered, err);
    image_deinit(&covered);
    report(g, p, ok ? picture_error(out, expected) : NAN, PIXEL_TOLERANCE, "i2v picture");
    return ok;
}

/* As the engine gives a picture to begin with, whose shape the video has. */
static bool give_image(const Parts *p, const Image *image, Canvas *canvas, ContextRows *heard, SoraError *err)
{
    const VaeConfig *vae = &p->autoencoder.config;
    int space = vae_stride_space(vae);
    SoraGiven given = {.pixels = image->rgb, .pixel_frames = 1, .pixel_width = image->width, .pixel_height = image->height};
    Plan plan = {.given = &given,
                 .given_count = 1,
                 .placed = {{.frames = 1, .latents = 1}},
                 .width = (int)canvas->shape.width * space,
                 .height = (int)canvas->shape.height * space,
                 .frames = 1 + (int)(canvas->shape.frames - 1) * vae_stride_time(vae),
                 .shape = {image->width, image->height},
                 .latent = canvas->shape};
    GivenClip clip;
    bool ok = given_clip_open(&clip, &given, 16, NULL, err) &&
              give_all(&(Giving){&p->pipeline, &plan, &clip, canvas, 0, heard}, err);
    given_clip_close(&clip);
    return ok;
}

/* The picture becomes the first latent frame. */
static bool give_frame(Golden *g, const Parts *p, const Image *image, Canvas *canvas, SoraError *err)
{
    Tensor z = fixture_tensor(&p->cases, "i2v.z_first");
    Pixels first = {0};
    bool ok = cover(g, p, image, canvas, &first, err) && give_image(p, image, canvas, NULL, err);
    int64_t plane = canvas->shape.height * canvas->shape.width, frames = canvas->shape.frames;
    float *latent = malloc(tensor_bytes(&z) + 1);
    for (int64_t i = 0; latent != NULL && i < tensor_numel(&z); i++) /* the known part [C, F, h, w] at frame 0 */
        latent[i] = canvas->known[i / plane * frames * plane + i % plane];
    ok = ok && latent != NULL && tensor_numel(&z) == canvas->shape.channels * plane;
    report(g, p, ok ? compare(&z, 0, latent, tensor_numel(&z)).max : NAN, p->tolerances.image,
           "i2v first latent frame");
    free(latent);
    pixels_deinit(&first);
    return ok;
}

/* The picture is shown beside the latent, and heard where there is an image encoder. */
static bool give_condition(Golden *g, const Parts *p, const char *name, const Image *image, Canvas *canvas,
                           ContextRows *heard, SoraError *err)
{
    Tensor first = fixture_tensor(&p->cases, "%s.vae_input_first_frame", name);
    Tensor y = fixture_tensor(&p->cases, "%s.y_latent", name),
           rows = fixture_tensor(&p->cases, "%s.clip_fea", name);
    const VaeConfig *vae = &p->autoencoder.config;
    int stride = vae_stride_time(vae), space = vae_stride_space(vae);
    Pixels picture = {0}, resized = {0};
    bool ok = pixels_from_image(&picture, image, err) &&
              pixels_resize(&resized, &picture, (int)canvas->shape.width * space,
                            (int)canvas->shape.height * space, err);
    report(g, p, ok ? picture_error(&resized, first) : NAN, 2e-5, "%s picture", name);
    ok = ok && give_image(p, image, canvas, heard, err);
    int64_t mask = stride * (canvas->cells / canvas->shape.channels);
    report(g, p, ok ? compare(&y, 0, canvas->condition + mask, canvas->cells).max : NAN, p->tolerances.image,
           "%s condition", name);
    if (ok && p->pipeline.image_encoder != NULL) {
        ok = heard->data != NULL;
        report(g, p, ok ? compare(&rows, 0, heard->data, tensor_numel(&rows)).max : NAN, p->tolerances.rows,
               "%s rows", name);
    }
    pixels_deinit(&picture);
    pixels_deinit(&resized);
    return ok;
}

static bool give_picture(Golden *g, const Parts *p, const Run *run, Canvas *canvas, ContextRows *heard,
                         SoraError *err)
{
    Tensor file = fixture_tensor(&p->cases, "%s.image_u8_hwc", run->name);
    if (run->picture == NO_PICTURE)
        return true;
    if (file.ndim != 3)
        return error_set(err, SORA_ERROR_INPUT, "fixture: no picture");
    Image image = {(int)file.shape[1], (int)file.shape[0], file.data};
    return run->picture == COVERED ? give_frame(g, p, &image, canvas, err)
                                   : give_condition(g, p, run->name, &image, canvas, heard, err);
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
static bool watch_frames(void *user, const DecodedPart *part, SoraError *err)
{
    const float *frames = part->pixels;
    int count = part->count;
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
    bool ok = f.video.ndim == 4 && pipeline_decode(&p->pipeline, &(DecodeJob){*shape, latent, 0, watch_frames, &f}, &err) &&
              f.done == f.video.shape[1];
    if (!ok)
        printf("  %s\n", err.message);
    report(g, p, ok ? f.worst : NAN, p->tolerances.video, "%s video", name);
    report(g, p, ok ? f.sum / (double)tensor_numel(&f.video) : NAN, p->tolerances.mean, "%s video, mean",
           name);
}

/* A number of the run's own part of the config, or else of the file's. */
static const json_t *setting(const Parts *p, const Run *run, const char *key)
{
    const json_t *value = json_object_get(json_object_get(p->config, run->name), key);
    return value != NULL ? value : json_object_get(p->config, key);
}

static Denoising denoising_of(const Parts *p, const Run *run, const Canvas *canvas)
{
    Denoising d = {
        .sampler = {run->solver, (int)json_integer_value(setting(p, run, "steps")),
                    json_number_value(setting(p, run, "shift")), 1000, 0},
        .guidance_scale = json_number_value(setting(p, run, "guide_scale")),
        .canvas = canvas,
    };
    const json_t *both = setting(p, run, "guide_scale_low_high");
    if (both != NULL) {
        d.low_guidance_scale = json_number_value(json_array_get(both, 0));
        d.guidance_scale = json_number_value(json_array_get(both, 1));
    }
    return d;
}

/* "NAME.expert": 1 where the high-noise expert takes the step. */
static void run_experts(Golden *g, const Parts *p, const char *name)
{
    Tensor t = fixture_tensor(&p->cases, "%s.timesteps", name);
    Tensor expert = fixture_tensor(&p->cases, "%s.expert", name);
    if (p->pipeline.low_noise == NULL)
        return;
    int wrong = expert.data == NULL || t.data == NULL;
    for (int64_t i = 0; i < tensor_numel(&expert) && !wrong; i++) {
        bool high = pipeline_expert(&p->pipeline, (double)((const int64_t *)t.data)[i]) == &p->transformer;
        wrong += high != ((const int32_t *)expert.data)[i];
    }
    report(g, p, wrong, 0, "%s experts", name);
}

static void run_case(Golden *g, const Parts *p, const Run *run, const ContextRows texts[2])
{
    SoraError err = {0};
    const char *name = run->name;
    Tensor noise = fixture_tensor(&p->cases, "%s.noise", name);
    Watch watch = {.latents = fixture_tensor(
                       &p->cases, run->picture == COVERED ? "%s.latents_masked" : "%s.latents", name)};
    if (noise.ndim != 4 || watch.latents.ndim != 5) {
        report(g, p, NAN, p->tolerances.latents, "%s latents", name);
        return;
    }
    const int *patch = p->transformer.config.patch_size;
    Canvas canvas = {0};
    ContextRows heard = {0};
    CanvasShape shape = {
        noise.shape[0], noise.shape[1], noise.shape[2], noise.shape[3], {patch[0], patch[1], patch[2]}};
    float *latent = malloc(tensor_bytes(&noise));
    bool ok = latent != NULL && canvas_init(&canvas, &shape, &err) &&
              give_picture(g, p, run, &canvas, &heard, &err);
    Denoising d = denoising_of(p, run, &canvas);
    d.passages = &(Passage){texts[0], canvas.grid[0]};
    d.passage_count = 1;
    d.negative = texts[1];
    d.pictures = heard;
    d.after_step = watch_step;
    d.user = &watch;
    watch.cells = tensor_numel(&noise);
    if (ok)
        memcpy(latent, noise.data, tensor_bytes(&noise));
    ok = ok && pipeline_denoise(&p->pipeline, &d, latent, &err) && watch.steps == watch.latents.shape[0];
    if (!ok)
        printf("  %s\n", err.message);
    report(g, p, ok ? watch.worst : NAN, p->tolerances.latents, "%s latents", name);
    run_experts(g, p, name);
    if (ok)
        run_decode(g, p, name, &shape, latent);
    free(latent);
    context_rows_free(&heard);
    canvas_deinit(&canvas);
}

/* Takes the backend. */
static void run_file(Golden *g, const char *dir, Parts *p)
{
    SoraError err = {0};
    ContextRows texts[2] = {{0}};
    if (!fixture_open(&p->cases, dir, p->file->name, "cases") || !open_parts(p, dir, &err)) {
        printf("  %s\n", err.message);
        report(g, p, NAN, 0, "parts");
    } else if (run_text(g, p, "prompt", text_of(p->config, "prompt"), &texts[0]) &&
               run_text(g, p, "neg", text_of(p->config, "n_prompt"), &texts[1])) {
        for (const Run *run = p->file->runs; run->name != NULL; run++)
            run_case(g, p, run, texts);
    }
    context_rows_free(&texts[0]);
    context_rows_free(&texts[1]);
    close_parts(p);
}

void golden_pipeline(Golden *g, const char *dir)
{
    for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
        const File *file = &FILES[i];
        char path[512], label[64];
        snprintf(path, sizeof path, "%s/%s", dir, file->file);
        if (!file_exists(path))
            continue;
        golden_claim(g, file->file);
        for (size_t k = 0; k < sizeof KINDS / sizeof KINDS[0]; k++) {
            SoraError err = {0};
            snprintf(label, sizeof label, "%s%s", file->name, KINDS[k].label);
            Parts parts = {.file = file, .tolerances = KINDS[k].tolerances, .label = label};
            parts.backend = cpu_backend_new(&KINDS[k].options, &err);
            if (parts.backend != NULL)
                run_file(g, dir, &parts);
            else if (k == 0)
                golden_report(g, err.message, NAN, 0);
            else
                golden_skip(g, label, err.message);
        }
    }
}
