#include "train/probe_clips.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "train/look.h"

static const double FPS = 12;

/* The clip's length in frames at 12 a second, as the models' videos have it; 1: a single picture. */
static int draw_length(Rng *rng)
{
    static const int LENGTHS[] = {17, 17, 17, 17, 17, 17, 17, 9, 33, 1};
    return LENGTHS[rng_int(rng, sizeof LENGTHS / sizeof LENGTHS[0])];
}

static void draw_spec(const ProbeClips *c, uint64_t index, Rng *rng, StageSpec *spec)
{
    static const int SIDES[] = {128, 128, 128, 128, 128, 128, 96, 96, 160, 192};
    stage_spec_init(spec);
    int length = draw_length(rng);
    spec->width = spec->height = SIDES[rng_int(rng, sizeof SIDES / sizeof SIDES[0])];
    spec->frames = length > 1 ? c->config.frames : 1; /* those that will be looked at are drawn */
    spec->fps = length > 1 && spec->frames > 1 ? fmax(1, FPS * (spec->frames - 1) / (length - 1)) : FPS;
    spec->seed = c->seed;
    spec->index = index;
    spec->split = index % 3 == 2 ? SPLIT_UNSEEN : SPLIT_TRAIN;
    spec->everyday = (float)c->everyday;
    spec->scene.noun = c->answers->noun[rng_int(rng, c->answers->count[Q_THING])];
    float u = rng_uniform(rng);
    if (u < 0.75f)
        spec->scene.other = STAGE_NOBODY;
    if (u < 0.3f)
        spec->scene.count = 1 + rng_int(rng, 5);
}

bool codec_pass(const Codec *codec, Graph *g, uint8_t *rgb, int width, int height, int frames, SoraError *err)
{
    size_t n = (size_t)frames * (size_t)width * (size_t)height * 3;
    float *video = malloc(n * sizeof *video);
    if (video == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        video[i] = (float)rgb[i] / 127.5f - 1;
    graph_reset(g);
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, frames, height, width, 3), video);
    Tensor *y = vae_decode(g, &codec->vae, vae_encode(g, &codec->vae, x));
    bool ok = graph_ok(g, err);
    if (ok && tensor_numel(y) != (int64_t)n)
        ok = error_set(err, SORA_ERROR_INPUT, "clips of %d frames of %dx%d do not fit the codec's stride", frames, width, height);
    if (ok)
        graph_download(g, y, video);
    for (size_t i = 0; ok && i < n; i++)
        rgb[i] = (uint8_t)lrintf((fminf(1, fmaxf(-1, video[i])) + 1) * 127.5f);
    free(video);
    return ok && graph_ok(g, err);
}

static void mirror_rows(uint8_t *places, int rows, int side)
{
    for (int r = 0; r < rows; r++)
        for (int x = 0; x < side / 2; x++) {
            uint8_t *a = places + r * side + x, *b = places + r * side + side - 1 - x, t = *a;
            *a = *b;
            *b = t;
        }
}

bool probe_clip_draw(const ProbeClips *c, uint64_t index, ProbeClip *out, SoraError *err)
{
    Rng rng;
    StageSpec spec;
    StageClip clip;
    rng_init(&rng, c->seed, index);
    draw_spec(c, index, &rng, &spec);
    bool coded = c->codec != NULL && spec.width == 128 && spec.frames > 1 && rng_uniform(&rng) < (float)c->codec_share;
    if (!stage_render(c->stage, &spec, &clip, err))
        return false;
    const ProbeConfig *k = &c->config;
    size_t one = (size_t)k->side * (size_t)k->side * 3, size = (size_t)spec.width * (size_t)spec.height * 3;
    int grid = probe_places(k);
    out->labels = labels_of(c->answers, &clip);
    for (int i = 0; out->places != NULL && i < k->frames; i++)
        labels_of_places(c->answers, &clip, look_frame(i, k->frames, clip.frames), grid, out->places + i * grid * grid);
    float *scratch = malloc(one * sizeof *scratch);
    bool ok = (scratch != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory")) &&
              (!coded || codec_pass(c->codec, c->graph, clip.rgb, clip.width, clip.height, clip.frames, err));
    for (int i = 0; ok && i < k->frames; i++)
        look_shrink(clip.rgb + size * (size_t)look_frame(i, k->frames, clip.frames), clip.width, clip.height, k->side,
                    out->looks + one * (size_t)i);
    stage_clip_deinit(&clip);
    if (ok && c->change) {
        LookChange change = look_draw_change(&rng);
        look_change(&change, &rng, out->looks, k->frames, k->side, scratch);
        if (change.mirror)
            out->labels = labels_mirrored(out->labels);
        if (change.mirror && out->places != NULL)
            mirror_rows(out->places, k->frames * grid, grid);
    }
    free(scratch);
    return ok;
}

bool probe_measure(const ProbeClips *c, Graph *g, const Probe *m, int count, ProbeScore *score, SoraError *err)
{
    *score = (ProbeScore){0};
    size_t one = (size_t)c->config.frames * (size_t)c->config.side * (size_t)c->config.side * 3;
    float *looks = malloc(one * sizeof *looks);
    bool ok = looks != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (int i = 0; ok && i < count; i++) {
        ProbeClip clip = {.looks = looks};
        Verdict v;
        ok = probe_clip_draw(c, (uint64_t)i, &clip, err) && probe_answer(g, m, looks, 1, &v, err);
        for (int q = 0; ok && q < QUESTIONS; q++) {
            int want = clip.labels.answer[q];
            score->asked[q] += want != NO_ANSWER;
            score->right[q] += want != NO_ANSWER && verdict_right(&v, (Question)q, want);
        }
    }
    free(looks);
    return ok;
}
