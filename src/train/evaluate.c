#include <math.h>
#include <stdlib.h>

#include "train/clips.h"
#include "train/codec.h"
#include "train/linear_code.h"
#include "train/settings.h"
#include "train/train.h"

enum { FRAMES = 17, FPS = 12, LINEAR_CLIPS = 256, STAGE_SEED = 1000003, PLACES = 16 };

/* Squared errors of pixels in 0..255. */
typedef struct Squares {
    double sum, count;
} Squares;

typedef struct Sums {
    Squares calm, weather, actors, half, half_actors;
} Sums;

static double psnr(Squares s)
{
    return s.count > 0 ? 10 * log10(255.0 * 255.0 / fmax(1e-9, s.sum / s.count)) : 0;
}

static CodecPsnr decibels(const Sums *s)
{
    Squares all = {s->calm.sum + s->weather.sum, s->calm.count + s->weather.count};
    return (CodecPsnr){psnr(all), psnr(s->calm), psnr(s->weather), psnr(s->actors), psnr(s->half), psnr(s->half_actors)};
}

static void add(Squares *s, double d)
{
    s->sum += d * d;
    s->count++;
}

/* Of out as it would be seen. */
static double difference(const Clip *clip, const float *out, size_t at)
{
    return floor((fmin(1, fmax(-1, (double)out[at])) + 1) / 2 * 255) - clip->rgb[at];
}

static size_t element(const Clip *clip, int f, int y, int x)
{
    return (((size_t)f * (size_t)clip->height + (size_t)y) * (size_t)clip->width + (size_t)x) * 3;
}

static bool in_box(const Clip *clip, int f, int y, int x)
{
    const ClipBox *b = clip->boxes != NULL ? &clip->boxes[f] : NULL;
    return b != NULL && x >= b->x0 && x < b->x1 && y >= b->y0 && y < b->y1;
}

static void compare(const Clip *clip, const float *out, Sums *s)
{
    Squares *kind = clip->calm ? &s->calm : &s->weather;
    for (int f = 0; f < clip->frames; f++)
        for (int y = 0; y < clip->height; y++)
            for (int x = 0; x < clip->width; x++)
                for (int k = 0; k < 3; k++) {
                    double d = difference(clip, out, element(clip, f, y, x) + (size_t)k);
                    add(kind, d);
                    if (in_box(clip, f, y, x))
                        add(&s->actors, d);
                }
    for (int f = 0; f < clip->frames; f++)
        for (int y = 0; y + 1 < clip->height; y += 2)
            for (int x = 0; x + 1 < clip->width; x += 2)
                for (size_t k = 0; k < 3; k++) {
                    size_t at = element(clip, f, y, x) + k, below = element(clip, f, y + 1, x) + k;
                    double d = (difference(clip, out, at) + difference(clip, out, at + 3) + difference(clip, out, below) +
                                difference(clip, out, below + 3)) / 4;
                    add(&s->half, d);
                    if (in_box(clip, f, y, x))
                        add(&s->half_actors, d);
                }
}

static bool reconstruct(Graph *g, const Vae *vae, const Clip *clip, float *video, SoraError *err)
{
    ClipCrop all = {0, 0, clip->width, clip->height, 0, clip->frames};
    clip_to_float(clip, &all, video);
    graph_reset(g);
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, clip->frames, clip->height, clip->width, 3), video);
    graph_download(g, vae_decode(g, vae, vae_encode(g, vae, x)), video);
    return graph_ok(g, err);
}

static ClipRequest square_request(int side, int index)
{
    return (ClipRequest){.width = side, .height = side, .frames = FRAMES, .fps = FPS, .index = (uint64_t)index};
}

/* Clips of a source, for the linear code. */
typedef struct TrainingClips {
    ClipInput base;
    ClipSource *source;
    int side;
} TrainingClips;

static bool training_clip(ClipInput *base, int index, Clip *clip, SoraError *err)
{
    TrainingClips *t = (TrainingClips *)base;
    ClipRequest request = square_request(t->side, index);
    return clip_source_get(t->source, &request, clip, err);
}

static bool fit_linear(Graph *g, const VaeConfig *codec, ClipSourceConfig data, int side, LinearCode *linear, SoraError *err)
{
    data.held_out = false;
    TrainingClips clips = {{training_clip, LINEAR_CLIPS, 1}, clip_source_open(&data, err), side};
    bool ok = clips.source != NULL && linear_code_fit(g, linear, linear_code_shape(codec), &clips.base, err);
    clip_source_close(clips.source);
    return ok;
}

/* What is compared, and with what. */
typedef struct Contest {
    Graph *graph;
    ClipSource *source;
    Codec codec;
    LinearCode linear;
    int side;
    Sums with_codec, with_linear;
} Contest;

static bool run_clip(Contest *c, int index, float *video, SoraError *err)
{
    Clip clip;
    ClipRequest request = square_request(c->side, index);
    if (!clip_source_get(c->source, &request, &clip, err))
        return false;
    bool ok = reconstruct(c->graph, &c->codec.vae, &clip, video, err);
    if (ok)
        compare(&clip, video, &c->with_codec);
    ok = ok && linear_code_show(graph_pool(c->graph), &c->linear, &clip, video, err);
    if (ok)
        compare(&clip, video, &c->with_linear);
    clip_deinit(&clip);
    return ok;
}

static bool open_contest(Contest *c, const CodecScoring *s, const TrainSettings *settings, SoraError *err)
{
    ClipSourceConfig data = {.stage_pack = s->stage_pack, .seed = STAGE_SEED, .held_out = true, .everyday = -1};
    if (s->data != NULL) {
        data.nouns = settings->source.nouns;
        data.noun_count = settings->source.noun_count;
        data.everyday = settings->source.everyday;
    }
    if (!codec_load(&c->codec, s->codec, err))
        return false;
    int stride = vae_stride_space(&c->codec.vae.config);
    c->side = s->side > 0 ? s->side : PLACES * stride;
    if (c->side % stride != 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: clips of %d pixels a side are no multiple of its %d", s->codec, c->side, stride);
    c->source = clip_source_open(&data, err);
    return c->source != NULL && fit_linear(c->graph, &c->codec.vae.config, data, c->side, &c->linear, err);
}

bool evaluate_autoencoder(Backend *backend, const CodecScoring *s, CodecScore *score, SoraError *err)
{
    TrainSettings settings = {0};
    Contest c = {.graph = graph_new(backend)};
    bool ok = c.graph != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory");
    ok = ok && (s->data == NULL || settings_load(&settings, s->data, TRAINER_ANY, err)) && open_contest(&c, s, &settings, err);
    float *video = ok ? malloc((size_t)FRAMES * (size_t)c.side * (size_t)c.side * 3 * sizeof *video) : NULL;
    ok = ok && (video != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory"));
    for (int i = 0; ok && i < s->clips; i++)
        ok = run_clip(&c, i, video, err);
    *score = (CodecScore){decibels(&c.with_codec), decibels(&c.with_linear), c.side, s->clips};
    free(video);
    linear_code_deinit(&c.linear);
    clip_source_close(c.source);
    codec_unload(&c.codec);
    settings_deinit(&settings);
    graph_free(c.graph);
    return ok;
}
