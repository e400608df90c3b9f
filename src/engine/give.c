#include "engine/give.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/encode.h"

/* Latent frames of a still that come before a clip within the video: the encoder, which looks back, sees its first frame. */
enum { LEAD_IN = 2 };

/* --- fitting --- */

/* Scaled to cover the video's size, its middle cut out. */
static bool cover(Pixels *out, const Image *in, const Plan *p, SoraError *err)
{
    Image image = {0};
    bool ok = image_cover(&image, in, p->width, p->height, err) && pixels_from_image(out, &image, err);
    image_deinit(&image);
    return ok;
}

/* The largest part from the middle of a picture that has that shape. */
static bool cut(Pixels *out, const Image *in, Size shape, SoraError *err)
{
    Size s = {in->width, in->height};
    if ((int64_t)in->width * shape.height > (int64_t)in->height * shape.width)
        s.width = (int)((int64_t)in->height * shape.width / shape.height);
    else
        s.height = (int)((int64_t)in->width * shape.height / shape.width);
    s.width += s.width == 0;
    s.height += s.height == 0;
    Image image;
    bool ok = image_crop(&image, in, (in->width - s.width) / 2, (in->height - s.height) / 2, s.width, s.height, err) &&
              pixels_from_image(out, &image, err);
    image_deinit(&image);
    return ok;
}

/* --- masks --- */

/* One picture of a mask, which is fitted as image_cover() fits what it masks. */
typedef struct MaskView {
    const uint8_t *values;
    size_t step; /* bytes from a pixel to the next */
    int width, height;
} MaskView;

/* Of frame i of the clip. */
static MaskView view_mask(const GivenClip *clip, int i)
{
    const SoraGiven *g = clip->given;
    MaskView m = {clip->mask.rgb, 3, clip->mask.width, clip->mask.height};
    int last = g->mask_frames - 1;
    if (g->mask != NULL)
        m = (MaskView){g->mask, 1, m.width, m.height};
    if (last > 0)
        m.values += (size_t)(i < last ? i : last) * (size_t)m.width * (size_t)m.height;
    return m;
}

/* The highest value of it in a patch, 0 to 1. */
static float mask_level(const MaskView *mask, const Plan *p, const int64_t grid[3], int64_t row, int64_t column)
{
    double scale = fmax((double)p->width / mask->width, (double)p->height / mask->height);
    double left = (mask->width * scale - p->width) / 2, top = (mask->height * scale - p->height) / 2;
    double wide = (double)p->width / (double)grid[2], high = (double)p->height / (double)grid[1];
    int x0 = (int)((left + (double)column * wide) / scale), x1 = (int)ceil((left + (double)(column + 1) * wide) / scale);
    int y0 = (int)((top + (double)row * high) / scale), y1 = (int)ceil((top + (double)(row + 1) * high) / scale);
    int most = 0;
    for (int y = y0; y < y1 && y < mask->height; y++)
        for (int x = x0; x < x1 && x < mask->width; x++) {
            int value = mask->values[((size_t)y * (size_t)mask->width + (size_t)x) * mask->step];
            most = value > most ? value : most;
        }
    return (float)most / 255;
}

/* Where the clip's frame i, counted from those that fill groups, comes to lie in its latent frames. */
static int64_t latent_of(const PlannedGiven *at, int stride, int i)
{
    return at->latent == 0 ? (i + stride - 1) / stride : i / stride;
}

/* Of the planned frames of patches, in each patch the highest level of its frames; heap. */
static float *make_mask(const Giving *g, const GivenClip *clip, const PlannedGiven *at)
{
    const int64_t *grid = g->canvas->grid;
    int64_t plane = grid[1] * grid[2], patch = g->canvas->shape.patch[0], count = at->latents / patch;
    int stride = vae_stride_time(&g->pipeline->autoencoder->config), pictures = clip->given->mask_frames;
    float *levels = calloc((size_t)(count * plane), sizeof *levels);
    for (int i = 0; levels != NULL && i < at->frames; i++) {
        MaskView mask = view_mask(clip, at->skip + i);
        float *group = levels + latent_of(at, stride, i) / patch * plane;
        if (pictures < 2 && i > 0 && group > levels)
            memcpy(group, levels, (size_t)plane * sizeof *levels);
        else if (i == 0 || pictures >= 2)
            for (int64_t k = 0; k < plane; k++)
                group[k] = fmaxf(group[k], mask_level(&mask, g->plan, grid, k / grid[2], k % grid[2]));
    }
    return levels;
}

/* --- on the canvas --- */

/* Pushes the frames that fill the plan's groups, after a lead-in where they do not begin the video. */
static bool push_clip(const Giving *g, GivenClip *clip, const PlannedGiven *at, Encoder *e, SoraError *err)
{
    const Image *frame;
    int stride = vae_stride_time(&g->pipeline->autoencoder->config);
    int lead = at->latent == 0 ? 0 : 1 + (LEAD_IN - 1) * stride;
    bool ok = true;
    for (int i = 0; i < at->skip && ok; i++)
        ok = given_clip_read(clip, &frame, err);
    for (int i = 0; i < at->frames && ok; i++) {
        Pixels pixels = {0};
        bool fresh = i == 0 || !clip->still;
        if (fresh)
            ok = given_clip_read(clip, &frame, err);
        ok = ok && cover(&pixels, frame, g->plan, err);
        for (int k = i == 0 ? lead : 0; k > 0 && ok; k--)
            ok = encoder_push(e, pixels.rgb, err);
        ok = ok && encoder_push(e, pixels.rgb, err);
        pixels_deinit(&pixels);
    }
    return ok;
}

static bool give_one(const Giving *g, int i, SoraError *err)
{
    const Plan *p = g->plan;
    const PlannedGiven *at = &p->placed[i];
    GivenClip *clip = &g->clips[i];
    int64_t patch = g->canvas->shape.patch[0];
    LatentClip latents = {0};
    EncodeJob job = {p->width, p->height, g->limit, latent_clip_take, &latents};
    Encoder *e = NULL;
    float *mask = NULL;
    bool ok = latent_clip_init(&latents, &g->pipeline->autoencoder->config, &job, at->latents, err);
    latents.skip = at->latent == 0 ? 0 : LEAD_IN;
    ok = ok && (e = encoder_open(g->pipeline, &job, err)) != NULL && push_clip(g, clip, at, e, err) &&
         encoder_finish(e, err);
    encoder_close(e);
    if (ok && clip->mask.rgb != NULL)
        ok = (mask = make_mask(g, clip, at)) != NULL || error_no_memory(err);
    if (ok) {
        GivenPart part = given_frames(g->canvas->grid, at->latent / patch, at->latents / patch, (float)clip->given->level);
        part.mask = mask;
        canvas_give(g->canvas, &part, latents.data);
    }
    free(mask);
    latent_clip_deinit(&latents);
    return ok;
}

void give_latents(Canvas *canvas, const LatentGiven *given)
{
    int64_t patch = canvas->shape.patch[0];
    GivenPart part = given_frames(canvas->grid, given->first / patch, given->frames / patch, given->level);
    canvas_give(canvas, &part, given->latent);
}

/* --- beside the latent --- */

/* The clip that shows frame f, the later one of several; -1: none does. */
static int shown_at(const Plan *p, int f)
{
    int found = -1;
    for (int i = 0; i < p->given_count; i++)
        if (f >= p->placed[i].first && f < p->placed[i].first + p->placed[i].frames)
            found = i;
    return found;
}

/* What of the frames is needed twice: the pictures that are heard. */
typedef struct Heard {
    Pixels pictures[2];
    int count, wanted; /* 1: of the first frame; 2: of the last one too */
} Heard;

/* Fits a frame into the video. One that has the first one's shape takes the whole of it and stretches it a little, as Wan
 * does; else it is cut. */
static bool fit(const Giving *g, const Image *frame, Pixels *out, Heard *heard, bool hear, SoraError *err)
{
    const Plan *p = g->plan;
    Pixels whole = {0};
    bool ok = cut(&whole, frame, p->shape, err) && pixels_resize(out, &whole, p->width, p->height, err);
    if (ok && hear)
        heard->pictures[heard->count++] = whole;
    else
        pixels_deinit(&whole);
    return ok;
}

/* All frames of the video, those that are not given grey, through the encoder. */
static bool push_video(const Giving *g, bool *given, Heard *heard, Encoder *e, SoraError *err)
{
    const Plan *p = g->plan;
    Pixels grey = {0};
    bool ok = pixels_init(&grey, p->width, p->height, err);
    for (int f = 0; f < p->frames && ok; f++) {
        Pixels pixels = {0};
        int shown = shown_at(p, f);
        for (int i = 0; i < p->given_count && ok; i++) { /* clips under another one go on as well */
            const Image *frame;
            if (f < p->placed[i].first || f >= p->placed[i].first + p->placed[i].frames)
                continue;
            bool hear = (f == 0 && heard->wanted > 0) || (f == p->frames - 1 && heard->wanted > 1);
            ok = given_clip_read(&g->clips[i], &frame, err) && (i != shown || fit(g, frame, &pixels, heard, hear, err));
        }
        given[f] = shown >= 0;
        ok = ok && encoder_push(e, given[f] ? pixels.rgb : grey.rgb, err);
        pixels_deinit(&pixels);
    }
    pixels_deinit(&grey);
    return ok;
}

static bool give_condition(const Giving *g, SoraError *err)
{
    const Plan *p = g->plan;
    const DitConfig *dit = &g->pipeline->transformer->config;
    const VaeConfig *vae = &g->pipeline->autoencoder->config;
    bool listens = g->pipeline->image_encoder != NULL && dit->clip_dim > 0;
    Heard heard = {.wanted = !listens ? 0 : dit->clip_rows > 0 ? 2 : 1};
    LatentClip latents = {0};
    EncodeJob job = {p->width, p->height, g->limit, latent_clip_take, &latents};
    Encoder *e = NULL;
    bool *given = calloc((size_t)p->frames, sizeof *given);
    bool ok = (given != NULL || error_no_memory(err)) && latent_clip_init(&latents, vae, &job, p->latent.frames, err) &&
              (e = encoder_open(g->pipeline, &job, err)) != NULL && push_video(g, given, &heard, e, err) &&
              encoder_finish(e, err);
    encoder_close(e);
    CanvasClip clip = {given, p->frames, vae_stride_time(vae), latents.data};
    ok = ok && canvas_condition(g->canvas, &clip, err);
    const Pixels *pictures[2] = {&heard.pictures[0], &heard.pictures[1]};
    if (ok && heard.count > 0)
        ok = pipeline_encode_pictures(g->pipeline, pictures, heard.count, g->heard, err);
    for (int i = 0; i < 2; i++)
        pixels_deinit(&heard.pictures[i]);
    latent_clip_deinit(&latents);
    free(given);
    return ok;
}

bool give_all(const Giving *g, SoraError *err)
{
    bool ok = true;
    if (pipeline_has_condition(g->pipeline))
        return give_condition(g, err);
    for (int i = 0; i < g->plan->given_count && ok; i++)
        ok = give_one(g, i, err);
    return ok;
}
