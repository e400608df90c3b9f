/* Noise schedules and solvers against the reference: "SOLVER.shiftS.stepsN" of schedulers.safetensors,
 * whatever the shifts and steps in there. The velocities are the file's, so that a wrong step shows where it
 * happens. */
#include "golden/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden/fixture.h"
#include "sample/sampler.h"

static const double SIGMA_TOLERANCE = 1e-6, X_TOLERANCE = 2e-5, FLOAT_TIMESTEP_TOLERANCE = 1e-3;

typedef struct Case {
    const Fixture *f;
    char name[64]; /* "unipc.shift5.steps20" */
    SamplerConfig config;
} Case;

static double larger(double worst, double error)
{
    return isnan(error) || error > worst ? error : worst;
}

/* Tensors of a fixture need not be aligned. */
static double element(const Tensor *t, int64_t i)
{
    int64_t integer;
    if (t->dtype != DTYPE_I64)
        return ((const float *)t->data)[i];
    memcpy(&integer, (const char *)t->data + i * (int64_t)sizeof integer, sizeof integer);
    return (double)integer;
}

/* strtod would take the dot after "shift5" for its own. */
static bool parse_case(Case *c, const Fixture *f, const char *key)
{
    static const char *const SOLVERS[] = {"unipc", "dpmpp", "euler"};
    const char *shift = strstr(key, ".shift"), *steps = strstr(key, ".steps"), *end = strstr(key, ".sigmas");
    char number[16] = "";
    *c = (Case){.f = f};
    if (shift == NULL || steps == NULL || end == NULL || end[7] != 0 || end <= steps || steps <= shift + 6 ||
        (size_t)(end - key) >= sizeof c->name || (size_t)(steps - shift - 6) >= sizeof number)
        return false;
    memcpy(c->name, key, (size_t)(end - key));
    memcpy(number, shift + 6, (size_t)(steps - shift - 6));
    c->config.shift = strtod(number, NULL);
    c->config.steps = atoi(steps + 6);
    for (int i = 0; i < 3; i++)
        if (strncmp(key, SOLVERS[i], (size_t)(shift - key)) == 0)
            c->config.solver = (SoraSolver)(SORA_SOLVER_UNIPC + i);
    return c->config.solver != SORA_SOLVER_AUTO;
}

static void compare_schedule(Golden *g, const Case *c, const Sampler *s)
{
    Tensor sigmas = fixture_tensor(c->f, "%s.sigmas", c->name);
    Tensor timesteps = fixture_tensor(c->f, "%s.timesteps", c->name);
    char label[96];
    double sigma_error = 0, t_error = 0;
    if (tensor_numel(&sigmas) != c->config.steps + 1 || tensor_numel(&timesteps) != c->config.steps) {
        golden_report(g, c->name, NAN, 0);
        return;
    }
    for (int i = 0; i <= c->config.steps; i++)
        sigma_error = larger(sigma_error, fabs(sampler_sigma(s, i) - element(&sigmas, i)));
    for (int i = 0; i < c->config.steps; i++)
        t_error = larger(t_error, fabs(sampler_timestep(s, i) - element(&timesteps, i)));
    snprintf(label, sizeof label, "schedulers %s sigmas", c->name);
    golden_report(g, label, sigma_error, SIGMA_TOLERANCE);
    snprintf(label, sizeof label, "schedulers %s timesteps", c->name);
    golden_report(g, label, t_error, timesteps.dtype == DTYPE_I64 ? 0 : FLOAT_TIMESTEP_TOLERANCE);
}

static double row_error(const Tensor *expected, int64_t row, const float *x, size_t count)
{
    double worst = 0;
    for (size_t i = 0; i < count; i++)
        worst = larger(worst, fabs(x[i] - element(expected, row * (int64_t)count + (int64_t)i)));
    return worst;
}

static void compare_path(Golden *g, const Case *c, Sampler *s)
{
    Tensor x = fixture_tensor(c->f, "%s.x", c->name), v = fixture_tensor(c->f, "%s.v", c->name);
    Tensor corrected = fixture_tensor(c->f, "%s.corrected", c->name);
    size_t count = c->config.count;
    int64_t steps = c->config.steps;
    char label[96];
    float *latent = calloc(count, sizeof *latent);
    double x_error = 0, corrected_error = 0;
    if (latent == NULL || tensor_numel(&v) != steps * (int64_t)count ||
        tensor_numel(&x) != (steps + 1) * (int64_t)count)
        x_error = corrected_error = NAN;
    else
        memcpy(latent, x.data, count * sizeof *latent);
    for (int64_t k = 0; k < steps && !isnan(x_error); k++) {
        sampler_step(s, (const float *)v.data + k * (int64_t)count, latent);
        x_error = larger(x_error, row_error(&x, k + 1, latent, count));
        if (corrected.data != NULL)
            corrected_error = larger(corrected_error, row_error(&corrected, k, sampler_corrected(s), count));
    }
    snprintf(label, sizeof label, "schedulers %s x", c->name);
    golden_report(g, label, x_error, X_TOLERANCE);
    snprintf(label, sizeof label, "schedulers %s corrected", c->name);
    if (corrected.data != NULL)
        golden_report(g, label, corrected_error, X_TOLERANCE);
    free(latent);
}

static void run_case(Golden *g, Case *c)
{
    Tensor v = fixture_tensor(c->f, "%s.v", c->name);
    c->config.count = v.ndim == 2 ? (size_t)v.shape[1] : 1;
    SoraError err = {0};
    Sampler *s = sampler_new(&c->config, &err);
    if (s == NULL) {
        printf("  %s\n", err.message);
        golden_report(g, c->name, NAN, 0);
        return;
    }
    compare_schedule(g, c, s);
    if (v.ndim == 2)
        compare_path(g, c, s);
    sampler_free(s);
}

void golden_schedulers(Golden *g, const char *dir)
{
    Fixture f;
    if (!fixture_open(&f, dir, "schedulers", NULL))
        return;
    golden_claim(g, "schedulers.safetensors");
    const char *key;
    json_t *value;
    int cases = 0;
    json_object_foreach(f.header, key, value)
    {
        Case c;
        if (!parse_case(&c, &f, key))
            continue;
        run_case(g, &c);
        cases++;
    }
    if (cases == 0)
        golden_report(g, "schedulers", NAN, 0);
    fixture_close(&f);
}
