#include <math.h>
#include <stdlib.h>

#include "train/clips.h"
#include "train/codec.h"
#include "train/train.h"

/* Squared errors of pixels in 0..255, as they would be seen. */
typedef struct Squares {
    double sum, count;
} Squares;

static double psnr(Squares s)
{
    return s.count > 0 ? 10 * log10(255.0 * 255.0 / fmax(1e-9, s.sum / s.count)) : 0;
}

static void compare(const Clip *clip, const float *out, Squares *whole, Squares *actors)
{
    for (int f = 0; f < clip->frames; f++)
        for (int y = 0; y < clip->height; y++)
            for (int x = 0; x < clip->width; x++) {
                size_t at = (((size_t)f * (size_t)clip->height + (size_t)y) * (size_t)clip->width + (size_t)x) * 3;
                const ClipBox *b = clip->boxes != NULL ? &clip->boxes[f] : NULL;
                bool actor = b != NULL && x >= b->x0 && x < b->x1 && y >= b->y0 && y < b->y1;
                for (size_t k = at; k < at + 3; k++) {
                    double v = floor((fmin(1, fmax(-1, (double)out[k])) + 1) / 2 * 255), d = v - clip->rgb[k];
                    whole->sum += d * d;
                    whole->count++;
                    actors->sum += actor ? d * d : 0;
                    actors->count += actor;
                }
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

bool evaluate_autoencoder(Backend *backend, const char *codec_folder, const char *stage_pack, int clips,
                          CodecScore *score, SoraError *err)
{
    Codec codec = {0};
    ClipSourceConfig config = {.stage_pack = stage_pack, .seed = 1000003, .held_out = true, .everyday = -1};
    ClipSource *source = NULL;
    Graph *g = graph_new(backend);
    float *video = malloc((size_t)17 * 128 * 128 * 3 * sizeof *video);
    Squares all = {0}, calm = {0}, weather = {0}, actors = {0};
    bool ok = (g != NULL && video != NULL) || error_set(err, SORA_ERROR_MEMORY, "out of memory");
    ok = ok && codec_load(&codec, codec_folder, err) && (source = clip_source_open(&config, err)) != NULL;
    for (int i = 0; ok && i < clips; i++) {
        ClipRequest request = {.width = 128, .height = 128, .frames = 17, .fps = 12, .index = (uint64_t)i};
        Clip clip;
        ok = clip_source_get(source, &request, &clip, err);
        if (!ok)
            break;
        ok = reconstruct(g, &codec.vae, &clip, video, err);
        Squares one = {0};
        compare(&clip, video, &one, &actors);
        Squares *kind = clip.calm ? &calm : &weather;
        all.sum += one.sum;
        all.count += one.count;
        kind->sum += one.sum;
        kind->count += one.count;
        clip_deinit(&clip);
    }
    *score = (CodecScore){psnr(all), psnr(calm), psnr(weather), psnr(actors), clips};
    clip_source_close(source);
    codec_unload(&codec);
    graph_free(g);
    free(video);
    return ok;
}
