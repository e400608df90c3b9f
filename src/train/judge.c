#include "train/judge.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json_file.h"
#include "train/look.h"
#include "weights/file_source.h"

static const float NATIVE_FACTOR = 10;

struct Judge {
    json_t *json; /* owns the names */
    Answers answers;
    Probe probe;
    Params params;
    FileSource source;
    Safetensors *file;
    Graph *graph;
    float *looks;
};

bool verdict_right(const Verdict *v, Question q, int want)
{
    return (q == Q_COLOUR && want > COLOUR_NATIVE ? v->named_colour : v->answer[q]) == want;
}

static int best(const float *p, int first, int count)
{
    int at = first;
    for (int i = first; i < count; i++)
        at = p[i] > p[at] ? i : at;
    return at;
}

bool probe_answer(Graph *g, const Probe *m, const float *frames, int count, Verdict *out, SoraError *err)
{
    const ProbeConfig *c = &m->config;
    Tensor *logits[PROBE_MAX_QUESTIONS];
    graph_reset(g);
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(count, c->frames, c->side, c->side, 3), frames);
    probe_forward(g, m, x, logits, NULL);
    float *p = malloc((size_t)count * PROBE_MAX_CLASSES * sizeof *p);
    if (p == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (int q = 0; q < QUESTIONS; q++) {
        graph_download(g, op_softmax(g, logits[q]), p);
        for (int i = 0; graph_ok(g, NULL) && i < count; i++) {
            const float *row = p + i * c->classes[q];
            out[i].answer[q] = best(row, 0, c->classes[q]);
            if (q != Q_COLOUR)
                continue;
            out[i].named_colour = best(row, COLOUR_NATIVE + 1, c->classes[q]);
            if (row[COLOUR_NATIVE] > NATIVE_FACTOR * row[out[i].named_colour])
                out[i].named_colour = COLOUR_NATIVE;
        }
    }
    free(p);
    return graph_ok(g, err);
}

static bool load(Judge *j, const char *folder, SoraError *err)
{
    char path[4096];
    ProbeConfig c;
    snprintf(path, sizeof path, "%s/config.json", folder);
    j->json = json_file_read(path, err);
    if (j->json == NULL)
        return false;
    if (!answers_read(&j->answers, &c, j->json, err))
        return error_wrap(err, "%s", path);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    j->file = safetensors_open(path, err);
    if (j->file == NULL)
        return false;
    file_source_init(&j->source, j->file, FILE_SOURCE_MAPPED);
    params_init(&j->params, &j->source.source);
    probe_bind(&j->probe, &c, &j->params);
    if (!params_ok(&j->params, err))
        return false;
    j->looks = malloc((size_t)c.frames * (size_t)c.side * (size_t)c.side * 3 * sizeof *j->looks);
    return j->looks != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory");
}

Judge *judge_open(const char *folder, Backend *backend, SoraError *err)
{
    Judge *j = calloc(1, sizeof *j);
    if (j == NULL || (j->graph = graph_new(backend)) == NULL)
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
    else if (load(j, folder, err))
        return j;
    judge_close(j);
    return NULL;
}

void judge_close(Judge *j)
{
    if (j == NULL)
        return;
    graph_free(j->graph);
    if (j->file != NULL) {
        params_deinit(&j->params);
        file_source_deinit(&j->source);
    }
    safetensors_close(j->file);
    json_decref(j->json);
    free(j->looks);
    free(j);
}

const Answers *judge_answers(const Judge *j)
{
    return &j->answers;
}

bool judge_find_nouns(Judge *j, const Stage *stage, SoraError *err)
{
    return answers_find_nouns(&j->answers, stage, err);
}

bool judge_look(Judge *j, const JudgeVideo *v, Verdict *verdict, SoraError *err)
{
    const ProbeConfig *c = &j->probe.config;
    size_t one = (size_t)c->side * (size_t)c->side * 3;
    for (int i = 0; i < c->frames; i++)
        look_shrink(v->frames[look_frame(i, c->frames, v->count)], v->width, v->height, c->side, j->looks + (size_t)i * one);
    return probe_answer(j->graph, &j->probe, j->looks, 1, verdict, err);
}
