/* Noise schedules and solvers for flow matching: x(sigma) = (1 - sigma) x0 + sigma noise, and the network
 * predicts the velocity v = noise - x0, so x0 = x - sigma v. Going from sigma 1 (noise) to 0 (video).
 *
 *     UniPC (Zhao et al. 2023, "bh2", order 2, with corrector) and DPM++ (Lu et al. 2022, 2M midpoint), both
 * as Wan uses them, and Euler. Infinities of log((1 - sigma) / sigma) at both ends are part of the formulas.
 */
#ifndef SORA_SAMPLE_SAMPLER_H
#define SORA_SAMPLE_SAMPLER_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum { SAMPLER_MAX_STEPS = 1000 };
#define SAMPLER_MIN_SHIFT 0.1
#define SAMPLER_MAX_SHIFT 100.0

typedef struct SamplerConfig {
    SoraSolver solver;      /* auto is UniPC */
    int steps;              /* 1 to SAMPLER_MAX_STEPS */
    double shift;           /* s -> shift s / (1 + (shift - 1) s): above 1 spends more steps at high noise */
    double train_timesteps; /* what the network calls sigma 1; 0 means 1000 */
    size_t count;           /* elements of the latent */
} SamplerConfig;

typedef struct Sampler Sampler;

/* NULL when a number is out of range or memory is short. */
Sampler *sampler_new(const SamplerConfig *config, SoraError *err);
void sampler_free(Sampler *s);

int sampler_steps(const Sampler *s);
/* What the network is told at step i, 0 <= i < steps: an integer for UniPC and DPM++ (truncated, as in the
 * training of Wan), a fraction for Euler. Integers may repeat when there are many steps. */
float sampler_timestep(const Sampler *s, int i);
/* Noise level before step i; 0 <= i <= steps, and sigma(steps) is 0. */
float sampler_sigma(const Sampler *s, int i);

/* The next step: latent[count] goes from sigma(k) to sigma(k + 1), with k counted from 0 at each call;
 * velocity[count] is the network's answer for (latent, timestep(k)). Call at most steps times. */
void sampler_step(Sampler *s, const float *velocity, float *latent);

/* Some of the latent was set from outside since the last step: where where[count] is not 0, the next step has no past, as
 * the first one has none. It is read at the next step and then forgotten. */
void sampler_restart(Sampler *s, const uint8_t *where);

/* UniPC: the latent at sigma(k) after the corrector of the last step; the last one without. NULL for others
 * and before the first step. The sampler's own, until the next step. */
const float *sampler_corrected(const Sampler *s);

/* Classifier-free guidance: cond = uncond + scale (cond - uncond), in place. */
void guidance_apply(float *cond, const float *uncond, double scale, size_t count);

#endif
