/* The text encoder against the reference; the real tokens alone, packed. */
#include "golden/golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cpu/backend.h"
#include "golden/fixture.h"
#include "model/umt5.h"

enum { MAX_SAMPLES = 16, MAX_TOKENS = 16384 };
static const double TOLERANCE = 2e-5;

typedef struct Case {
    const Fixture *f;
    const char *name;
    int samples;
    int64_t rows[MAX_SAMPLES];
    int32_t ids[MAX_TOKENS];
} Case;

/* The ids of each row of ids [samples, width] as far as its mask goes. */
static bool pack_ids(Case *c, const json_t *lengths)
{
    Tensor ids = fixture_tensor(c->f, "%s.ids", c->name);
    c->samples = (int)json_array_size(lengths);
    if (ids.data == NULL || ids.dtype != DTYPE_I32 || ids.ndim != 2 || c->samples != ids.shape[0] ||
        c->samples > MAX_SAMPLES)
        return false;
    int64_t total = 0;
    for (int i = 0; i < c->samples; i++) {
        c->rows[i] = json_integer_value(json_array_get(lengths, (size_t)i));
        if (c->rows[i] < 1 || c->rows[i] > ids.shape[1] || total + c->rows[i] > MAX_TOKENS)
            return false;
        memcpy(c->ids + total, (int32_t *)ids.data + i * ids.shape[1], (size_t)c->rows[i] * sizeof c->ids[0]);
        total += c->rows[i];
    }
    return true;
}

static double run_case(Graph *g, Case *c, const Umt5 *m)
{
    graph_reset(g);
    Tensor *y = umt5_forward(g, m, &(Umt5Batch){c->samples, c->rows, c->ids});
    SoraError err;
    if (!graph_ok(g, &err)) {
        printf("  %s\n", err.message);
        return NAN;
    }
    double worst = 0;
    const float *row = y->data;
    for (int i = 0; i < c->samples; i++) {
        Tensor expected = fixture_tensor(c->f, "%s.out.%d", c->name, i);
        if (expected.data == NULL || expected.shape[0] != c->rows[i] || expected.shape[1] != m->config.dim)
            return NAN;
        for (int64_t k = 0; k < tensor_numel(&expected); k++) {
            double error = fabs((double)*row++ - ((float *)expected.data)[k]);
            worst = error <= worst ? worst : error;
        }
    }
    return worst;
}

static void run_cases(Golden *golden, const char *file, const Fixture *cases, const Umt5 *m, Graph *g)
{
    static Case c;
    json_t *list = fixture_metadata(cases, "cases");
    if (json_array_size(list) == 0)
        golden_report(golden, file, NAN, TOLERANCE);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        c = (Case){.f = cases, .name = json_string_value(json_object_get(entry, "name"))};
        char label[160];
        snprintf(label, sizeof label, "%s %s", file, c.name);
        bool readable = pack_ids(&c, json_object_get(entry, "lens"));
        golden_report(golden, label, readable ? run_case(g, &c, m) : NAN, TOLERANCE);
    }
    json_decref(list);
}

/* The number of distances that fall into another bucket than the reference's. */
static void check_buckets(Golden *golden, const char *file, const Fixture *cases, const Umt5Config *config)
{
    Tensor relative = fixture_tensor(cases, "relpos.rel"), bucket = fixture_tensor(cases, "relpos.bucket");
    if (relative.data == NULL || bucket.data == NULL || !tensor_same_shape(&relative, &bucket))
        return;
    int wrong = 0;
    for (int64_t i = 0; i < tensor_numel(&relative); i++)
        wrong += umt5_bucket(config, ((int32_t *)relative.data)[i]) != ((int32_t *)bucket.data)[i];
    char label[160];
    snprintf(label, sizeof label, "%s relpos", file);
    golden_report(golden, label, wrong, 0);
}

static void run_file(Golden *golden, const char *dir, const char *name, Backend *backend)
{
    Fixture weights, cases;
    if (!fixture_open(&cases, dir, name, "cases"))
        return;
    if (!fixture_open(&weights, dir, name, "weights")) {
        golden_report(golden, name, NAN, TOLERANCE);
        fixture_close(&cases);
        return;
    }
    SoraError err = {0};
    Umt5Config config;
    Umt5 model;
    Params params;
    params_init(&params, &weights.source);
    Graph *g = graph_new(backend);
    json_t *json = fixture_metadata(&weights, "config");
    bool ok = g != NULL && umt5_config_parse(&config, json, &err);
    if (ok)
        umt5_bind(&model, &config, &params);
    if (ok && params_ok(&params, &err)) {
        run_cases(golden, name, &cases, &model, g);
        check_buckets(golden, name, &cases, &config);
    } else {
        printf("  %s\n", err.message);
        golden_report(golden, name, NAN, TOLERANCE);
    }
    json_decref(json);
    graph_free(g);
    params_deinit(&params);
    fixture_close(&weights);
    fixture_close(&cases);
}

void golden_umt5(Golden *golden, const char *dir)
{
    SoraError err = {0};
    Backend *backend = cpu_backend_new(&(CpuOptions){.precision = SORA_PRECISION_F32}, &err);
    golden_claim(golden, "umt5_tiny.cases.safetensors");
    if (backend == NULL) {
        printf("  %s\n", err.message);
        golden_report(golden, "text encoder", NAN, TOLERANCE);
        return;
    }
    run_file(golden, dir, "umt5_tiny", backend);
    cpu_backend_free(backend);
}
