/* CLIP's vision tower against the reference: resizing and normalising, every intermediate that the file
 * holds, and the result. */
#include "golden/golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cpu/backend.h"
#include "golden/fixture.h"
#include "media/pixels.h"
#include "model/clip.h"

static const double TOLERANCE = 5e-5;

/* Number for number. */
static void compare(Golden *golden, const Fixture *f, const char *name, const Tensor *y)
{
    char label[160];
    Tensor expected = fixture_tensor(f, "%s", name);
    double worst = NAN;
    if (y != NULL && expected.data != NULL && tensor_numel(y) == tensor_numel(&expected)) {
        worst = 0;
        for (int64_t i = 0; i < tensor_numel(y); i++) {
            double d = fabs((double)((float *)y->data)[i] - ((float *)expected.data)[i]);
            worst = d <= worst ? worst : d;
        }
    }
    snprintf(label, sizeof label, "clip_tiny %s", name);
    golden_report(golden, label, worst, TOLERANCE);
}

/* The fixture's picture, [3, H, W], resized to the network's size. */
static Tensor *resized(Graph *g, const Fixture *f, const ClipConfig *c, SoraError *err)
{
    Tensor t = fixture_tensor(f, "a.img_m1_p1");
    Pixels picture, small;
    if (t.ndim != 3 || !pixels_init(&picture, (int)t.shape[2], (int)t.shape[1], err))
        return NULL;
    int64_t plane = t.shape[1] * t.shape[2];
    for (int64_t i = 0; i < 3 * plane; i++)
        picture.rgb[i] = ((const float *)t.data)[i % 3 * plane + i / 3];
    Tensor *x = NULL;
    if (pixels_resize(&small, &picture, c->image_size, c->image_size, err)) {
        x = graph_input(g, DTYPE_F32, SHAPE(1, c->image_size, c->image_size, 3), small.rgb);
        pixels_deinit(&small);
    }
    pixels_deinit(&picture);
    return x;
}

static void run(Golden *golden, const Fixture *f, const Clip *m, Graph *g)
{
    SoraError err = {0};
    Tensor *x = clip_normalise(g, resized(g, f, &m->config, &err));
    compare(golden, f, "a.preprocessed", op_permute(g, x, (int[]){0, 3, 1, 2}));
    compare(golden, f, "a.out", clip_forward(g, m, x));
    /* With fewer layers the result is what a layer in the middle gives. */
    Clip part = *m;
    part.config.num_layers = 1;
    compare(golden, f, "dbg.a.pre_norm", clip_forward(g, &part, x));
    part.config.num_layers = 2;
    compare(golden, f, "dbg.a.transformer.0", clip_forward(g, &part, x));
    if (!graph_ok(g, &err))
        printf("  %s\n", err.message);
}

void golden_clip(Golden *golden, const char *dir)
{
    Fixture cases, weights = {0};
    golden_claim(golden, "clip_tiny.cases.safetensors");
    if (!fixture_open(&cases, dir, "clip_tiny", "cases"))
        return;
    SoraError err = {0};
    ClipConfig config;
    Clip m;
    Params params = {0};
    Backend *backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err);
    Graph *g = backend != NULL ? graph_new(backend) : NULL;
    bool ok = g != NULL && fixture_open(&weights, dir, "clip_tiny", "weights");
    json_t *json = ok ? fixture_metadata(&weights, "config") : NULL;
    params_init(&params, &weights.source);
    ok = ok && clip_config_parse(&config, json, &err);
    if (ok)
        clip_bind(&m, &config, &params);
    if (ok && params_ok(&params, &err)) {
        run(golden, &cases, &m, g);
    } else {
        printf("  %s\n", err.message);
        golden_report(golden, "clip_tiny", NAN, TOLERANCE);
    }
    json_decref(json);
    graph_free(g);
    cpu_backend_free(backend);
    params_deinit(&params);
    fixture_close(&weights);
    fixture_close(&cases);
}
