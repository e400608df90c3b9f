#include "sample/say.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

/* A beginning of a caption. */
typedef struct Beam {
    CaptionState state; /* before `last` went in */
    int32_t ids[CAPTIONER_MAX_TEXT];
    int count;
    double sum; /* of logarithms */
    bool ended;
} Beam;

/* A beam and a token that may follow it. */
typedef struct Step {
    int beam;
    int32_t token;
    double sum, mean;
} Step;

typedef struct Search {
    Graph *graph;
    const Captioner *model;
    const SayRules *rules;
    Rng rng;
    float *logs; /* [vocab + controls] */
    Beam *beams, *next; /* [SAY_MAX_BEAMS] each */
    int count;
} Search;

/* Logarithms of the probabilities of what may follow the beam. Its state takes its last token in. */
static bool follow(Search *s, Beam *b, SoraError *err)
{
    const CaptionerConfig *c = &s->model->config;
    int32_t last = b->count > 0 ? b->ids[b->count - 1] : s->rules->control;
    Tensor *logits = captioner_next(s->graph, s->model, &b->state, last);
    graph_download(s->graph, logits, s->logs);
    if (!graph_ok(s->graph, err))
        return false;
    double scale = s->rules->temperature > 0 ? 1 / s->rules->temperature : 1, sum = 0;
    float most = -INFINITY;
    for (int i = 0; i < c->vocab; i++)
        most = fmaxf(most, s->logs[i]);
    if (!isfinite(most))
        return error_set(err, SORA_ERROR_INPUT, "captioner: its weights give no numbers");
    for (int i = 0; i < c->vocab; i++)
        sum += exp(scale * (double)(s->logs[i] - most));
    for (int i = 0; i < c->vocab; i++)
        s->logs[i] = (float)(scale * (double)(s->logs[i] - most) - log(sum));
    return true;
}

static int32_t draw_token(Search *s)
{
    double u = (double)rng_uniform(&s->rng), sum = 0;
    int32_t last = 0;
    for (int i = 0; i < s->model->config.vocab; i++) {
        double p = exp((double)s->logs[i]);
        sum += p;
        last = p > 0 ? i : last;
        if (sum > u)
            return i;
    }
    return last;
}

/* Keeps the best `most` of the steps, the best first. */
static void offer(Step *steps, int *count, int most, Step one)
{
    if (*count == most && steps[most - 1].mean >= one.mean)
        return;
    int i = *count < most ? (*count)++ : most - 1;
    for (; i > 0 && steps[i - 1].mean < one.mean; i--)
        steps[i] = steps[i - 1];
    steps[i] = one;
}

static Step step_of(const Beam *b, int beam, int32_t token, float log_p)
{
    double sum = b->sum + (double)log_p;
    return (Step){beam, token, sum, sum / (b->count + 1)};
}

/* The ways on of all beams; an ended one stays as it is. */
static bool gather(Search *s, Step *steps, int *count, SoraError *err)
{
    int width = s->rules->temperature > 0 ? 1 : s->rules->beams;
    *count = 0;
    for (int b = 0; b < s->count; b++) {
        Beam *beam = &s->beams[b];
        if (beam->ended) {
            offer(steps, count, width, (Step){b, s->rules->end, beam->sum, beam->sum / beam->count});
            continue;
        }
        if (!follow(s, beam, err))
            return false;
        if (s->rules->temperature > 0) {
            int32_t token = draw_token(s);
            offer(steps, count, width, step_of(beam, b, token, s->logs[token]));
            continue;
        }
        for (int i = 0; i < s->model->config.vocab; i++)
            offer(steps, count, width, step_of(beam, b, i, s->logs[i]));
    }
    return true;
}

/* The end counts as a token, so that means are comparable. */
static void take(Search *s, const Step *steps, int count)
{
    for (int i = 0; i < count; i++) {
        Beam *to = &s->next[i];
        *to = s->beams[steps[i].beam];
        if (to->ended)
            continue;
        to->ids[to->count++] = steps[i].token;
        to->sum = steps[i].sum;
        to->ended = steps[i].token == s->rules->end;
    }
    Beam *old = s->beams;
    s->beams = s->next;
    s->next = old;
    s->count = count;
}

static bool search(Search *s, Said *out, SoraError *err)
{
    Step steps[SAY_MAX_BEAMS];
    bool going = true;
    while (going) {
        int count;
        if (!gather(s, steps, &count, err))
            return false;
        take(s, steps, count);
        going = false;
        for (int i = 0; i < s->count; i++)
            going = going || (!s->beams[i].ended && s->beams[i].count < s->model->config.text_len);
        if (s->beams[0].ended)
            going = false; /* the best of all has ended */
    }
    const Beam *best = &s->beams[0];
    out->ended = best->ended;
    out->count = best->count - best->ended;
    memcpy(out->ids, best->ids, (size_t)out->count * sizeof *out->ids);
    out->mean_log = best->sum / best->count;
    return true;
}

bool say(Graph *g, const Captioner *m, Tensor *memory, const SayRules *rules, Said *out, SoraError *err)
{
    *out = (Said){0};
    if (rules->beams < 1 || rules->beams > SAY_MAX_BEAMS)
        return error_set(err, SORA_ERROR_INPUT, "captioner: %d beams, expected 1 to %d", rules->beams, SAY_MAX_BEAMS);
    Search s = {.graph = g, .model = m, .rules = rules, .count = 1,
                .logs = malloc((size_t)(m->config.vocab + CAPTIONER_CONTROLS) * sizeof *s.logs),
                .beams = calloc(SAY_MAX_BEAMS, sizeof *s.beams), .next = calloc(SAY_MAX_BEAMS, sizeof *s.next)};
    bool ok = (s.logs != NULL && s.beams != NULL && s.next != NULL) || error_no_memory(err);
    if (ok) {
        rng_init(&s.rng, rules->seed, 0);
        s.beams[0].state = captioner_begin(g, m, memory);
        ok = graph_ok(g, err) && search(&s, out, err);
    }
    free(s.logs);
    free(s.beams);
    free(s.next);
    return ok;
}
