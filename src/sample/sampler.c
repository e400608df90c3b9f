#include "sample/sampler.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct Sampler {
    SoraSolver solver;
    int steps, step; /* step: how many are done */
    size_t count;
    float *sigmas;    /* [steps + 1] */
    float *timesteps; /* [steps] */
    float *x0[2];     /* predictions: of this step and of the one before */
    float *corrected; /* UniPC: where the last step began, after correction */
    int last_order;   /* UniPC: of the last predictor */
    const uint8_t *restart; /* [count]: where the next step has no past; NULL: nowhere */
};

static bool check_config(const SamplerConfig *c, SoraError *err)
{
    if (c->steps < 1 || c->steps > SAMPLER_MAX_STEPS)
        return error_set(err, SORA_ERROR_INPUT, "steps: %d is not between 1 and %d", c->steps,
                         SAMPLER_MAX_STEPS);
    if (!(c->shift >= SAMPLER_MIN_SHIFT && c->shift <= SAMPLER_MAX_SHIFT))
        return error_set(err, SORA_ERROR_INPUT, "shift: %g is not between %g and %g", c->shift,
                         SAMPLER_MIN_SHIFT, SAMPLER_MAX_SHIFT);
    if (c->solver < SORA_SOLVER_AUTO || c->solver > SORA_SOLVER_EULER)
        return error_set(err, SORA_ERROR_INPUT, "solver: %d is none", (int)c->solver);
    return true;
}

/* Wan starts UniPC at the highest level of its training table, 0.999 in single precision, DPM++ and Euler
 * at 1. The truncation of timesteps needs the reference's order of operations: i * step + start, in double
 * precision. */
static void fill_schedule(Sampler *s, double shift, double train_timesteps)
{
    double start = s->solver == SORA_SOLVER_UNIPC ? (double)0.999f : 1.0;
    double step = -start / s->steps;
    for (int i = 0; i < s->steps; i++) {
        double linear = i * step + start;
        double sigma = shift * linear / (1 + (shift - 1) * linear);
        s->sigmas[i] = (float)sigma;
        s->timesteps[i] = s->solver == SORA_SOLVER_EULER ? s->sigmas[i] * (float)train_timesteps
                                                         : (float)floor(sigma * train_timesteps);
    }
    s->sigmas[s->steps] = 0;
}

Sampler *sampler_new(const SamplerConfig *config, SoraError *err)
{
    if (!check_config(config, err))
        return NULL;
    Sampler *s = calloc(1, sizeof *s);
    if (s == NULL || config->count > SIZE_MAX / 64)
        goto no_memory;
    s->solver = config->solver == SORA_SOLVER_AUTO ? SORA_SOLVER_UNIPC : config->solver;
    s->steps = config->steps;
    s->count = config->count;
    size_t n = s->count > 0 ? s->count : 1;
    s->sigmas = calloc((size_t)s->steps + 1, sizeof(float));
    s->timesteps = calloc((size_t)s->steps, sizeof(float));
    if (s->sigmas == NULL || s->timesteps == NULL)
        goto no_memory;
    if (s->solver != SORA_SOLVER_EULER) {
        for (int k = 0; k < 2; k++)
            if ((s->x0[k] = calloc(n, sizeof(float))) == NULL)
                goto no_memory;
    }
    if (s->solver == SORA_SOLVER_UNIPC && (s->corrected = calloc(n, sizeof(float))) == NULL)
        goto no_memory;
    fill_schedule(s, config->shift, config->train_timesteps > 0 ? config->train_timesteps : 1000);
    return s;
no_memory:
    error_set(err, SORA_ERROR_MEMORY, "sampler: no memory for %zu elements", config->count);
    sampler_free(s);
    return NULL;
}

void sampler_free(Sampler *s)
{
    if (s == NULL)
        return;
    free(s->sigmas);
    free(s->timesteps);
    free(s->x0[0]);
    free(s->x0[1]);
    free(s->corrected);
    free(s);
}

int sampler_steps(const Sampler *s)
{
    return s->steps;
}

float sampler_timestep(const Sampler *s, int i)
{
    assert(i >= 0 && i < s->steps);
    return s->timesteps[i];
}

float sampler_sigma(const Sampler *s, int i)
{
    assert(i >= 0 && i <= s->steps);
    return s->sigmas[i];
}

const float *sampler_corrected(const Sampler *s)
{
    return s->step > 0 ? s->corrected : NULL;
}

/* Half the log signal-to-noise ratio; +inf at sigma 0, -inf at sigma 1. */
static double lambda(const Sampler *s, int i)
{
    return log(1 - (double)s->sigmas[i]) - log(s->sigmas[i]);
}

/* From level i - 1 to level i the exponential integrator has the form
 *     x_i = ratio x + gain (m0 + weighted differences of predictions)
 * h is the step in lambda. To sigma 0 it is infinite, and x_i = m0. */
typedef struct Interval {
    double h, ratio, gain;
} Interval;

static Interval interval_to(const Sampler *s, int i)
{
    double h = lambda(s, i) - lambda(s, i - 1);
    return (Interval){h, s->sigmas[i] / (double)s->sigmas[i - 1], -(1 - (double)s->sigmas[i]) * expm1(-h)};
}

static bool begins_anew(const Sampler *s, size_t i)
{
    return s->step == 0 || (s->restart != NULL && s->restart[i]);
}

/* Where the solver begins anew, the older prediction is taken to be this one. */
static void forget_older(Sampler *s)
{
    for (size_t i = 0; i < s->count && s->restart != NULL; i++)
        if (s->restart[i])
            s->x0[1][i] = s->x0[0][i];
}

/* Corrects the latent at level k, knowing x0 there (this) and before (m0, m1): UniC. Writes s->corrected. */
static void correct(Sampler *s, const float *this_x0)
{
    int k = s->step;
    const float *m0 = s->x0[0], *m1 = s->x0[1];
    Interval v = interval_to(s, k);
    double rho_now = 0.5, rho_old = 0; /* order 1 */
    if (s->last_order == 2) {
        double hh = -v.h, b = expm1(hh);
        double phi1 = b / hh - 1, phi2 = phi1 / hh - 0.5;
        double b1 = phi1 / b, b2 = 2 * phi2 / b;
        double r = (lambda(s, k - 2) - lambda(s, k - 1)) / v.h;
        double rho = (b1 - b2) / (1 - r); /* [1 1; r 1] [rho; rho_now] = [b1; b2] */
        rho_now = b1 - rho;
        rho_old = rho / r;
    }
    for (size_t i = 0; i < s->count; i++) {
        if (begins_anew(s, i))
            continue;
        double d = rho_now * ((double)this_x0[i] - m0[i]);
        if (s->last_order == 2)
            d += rho_old * ((double)m1[i] - m0[i]);
        s->corrected[i] = (float)(v.ratio * s->corrected[i] + v.gain * (m0[i] + d));
    }
}

/* From the latent at level k to level k + 1, by predictions m0 (at level k) and m1 (at level k - 1). */
static void predict(const Sampler *s, int order, const float *from, float *to)
{
    int k = s->step;
    const float *m0 = s->x0[0], *m1 = s->x0[1];
    Interval v = interval_to(s, k + 1);
    double weight = 0;
    if (order == 2) /* 0 when level k - 1 is pure noise, infinitely far away */
        weight = 0.5 * v.h / (lambda(s, k) - lambda(s, k - 1));
    for (size_t i = 0; i < s->count; i++)
        to[i] = (float)(v.ratio * from[i] + v.gain * (m0[i] + weight * ((double)m0[i] - m1[i])));
}


static void step_euler(Sampler *s, const float *velocity, float *latent)
{
    double d = s->sigmas[s->step + 1] - (double)s->sigmas[s->step];
    for (size_t i = 0; i < s->count; i++)
        latent[i] = (float)(latent[i] + d * velocity[i]);
}

static void step_dpmpp(Sampler *s, const float *velocity, float *latent, int order)
{
    float *older = s->x0[1];
    s->x0[1] = s->x0[0];
    s->x0[0] = older;
    double sigma = s->sigmas[s->step];
    for (size_t i = 0; i < s->count; i++)
        s->x0[0][i] = (float)(latent[i] - sigma * velocity[i]);
    forget_older(s);
    predict(s, order, latent, latent);
}

static void step_unipc(Sampler *s, const float *velocity, float *latent, int order)
{
    for (size_t i = 0; i < s->count; i++)
        if (begins_anew(s, i))
            s->corrected[i] = latent[i];
    /* The corrector needs this prediction beside both older ones: for a moment it lives in latent. */
    double sigma = s->sigmas[s->step];
    for (size_t i = 0; i < s->count; i++)
        latent[i] = (float)(latent[i] - sigma * velocity[i]);
    if (s->step > 0)
        correct(s, latent);
    float *older = s->x0[1];
    s->x0[1] = s->x0[0];
    s->x0[0] = older;
    memcpy(s->x0[0], latent, s->count * sizeof *latent);
    forget_older(s);
    predict(s, order, s->corrected, latent);
    s->last_order = order;
}

void sampler_step(Sampler *s, const float *velocity, float *latent)
{
    assert(s->step < s->steps);
    int order =
        s->step == 0 || s->step == s->steps - 1 ? 1 : 2; /* the ends know one prediction, or need one */
    if (s->solver == SORA_SOLVER_EULER)
        step_euler(s, velocity, latent);
    else if (s->solver == SORA_SOLVER_DPMPP)
        step_dpmpp(s, velocity, latent, order);
    else
        step_unipc(s, velocity, latent, order);
    s->step++;
    s->restart = NULL;
}

void sampler_restart(Sampler *s, const uint8_t *where)
{
    s->restart = where;
}

void guidance_apply(float *cond, const float *uncond, double scale, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cond[i] = (float)(uncond[i] + scale * ((double)cond[i] - uncond[i]));
}
