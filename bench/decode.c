/* What the Wan 2.1 or 2.2 decoder needs for a video, in seconds and memory: real sizes, random weights, the engine's
 * way to decode. See bench/decode.sh.
 *
 *     decode 832x480 81 [wan2.1|wan2.2 [LIMIT in bytes]] */
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cpu/backend.h"
#include "engine/pipeline.h"
#include "weights/param_sources.h"

static const char *const CONFIGS[][2] = {
    {"wan2.1", "{\"dim\": 96, \"z_dim\": 16, \"dim_mult\": [1, 2, 4, 4], \"num_res_blocks\": 2,"
               " \"temperal_downsample\": [false, true, true]}"},
    {"wan2.2", "{\"dim\": 160, \"dec_dim\": 256, \"z_dim\": 48, \"dim_mult\": [1, 2, 4, 4], \"num_res_blocks\": 2,"
               " \"temperal_downsample\": [false, true, true], \"patchify\": 2}"}};

typedef struct Video {
    uint8_t *rgb;
    int width, height, frames;
    double start;
} Video;

static bool take(void *user, const DecodedPart *p, SoraError *err)
{
    Video *v = user;
    size_t row = (size_t)p->width * 3;
    const float *from = p->pixels;
    for (int f = p->first; f < p->first + p->count; f++)
        for (int y = p->y; y < p->y + p->height; y++, from += row)
            pixels_to_bytes(from, v->rgb + (((size_t)f * (size_t)v->height + (size_t)y) * (size_t)v->width + (size_t)p->x) * 3,
                            row);
    fprintf(stderr, "\r%d of %d, %.0f s ", p->done, p->total, clock_seconds() - v->start);
    return true;
}

static long peak_kilobytes(void)
{
    char line[256];
    long peak = -1;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        sscanf(line, "VmHWM: %ld", &peak);
    if (f != NULL)
        fclose(f);
    return peak;
}

static bool decode(Vae *network, Video *v, size_t limit, SoraError *err)
{
    const VaeConfig *c = &network->config;
    int stride = vae_stride_space(c);
    CanvasShape shape = {c->z_dim, 1 + (v->frames - 1) / vae_stride_time(c), v->height / stride, v->width / stride, {1, 2, 2}};
    size_t cells = (size_t)(shape.channels * shape.frames * shape.height * shape.width);
    float *latent = malloc(cells * sizeof *latent);
    v->rgb = calloc((size_t)v->frames * (size_t)v->width, (size_t)v->height * 3);
    Backend *backend = cpu_backend_new(NULL, err);
    Graph *g = backend != NULL ? graph_new(backend) : NULL;
    bool ok = g != NULL && latent != NULL && v->rgb != NULL;
    for (size_t i = 0; ok && i < cells; i++)
        latent[i] = (float)(i % 17) / 8 - 1;
    v->start = clock_seconds();
    DecodeJob job = {shape, latent, limit, take, v};
    ok = ok && pipeline_decode(&(Pipeline){.graph = g, .autoencoder = network}, &job, err);
    fprintf(stderr, "\n");
    if (ok)
        printf("%dx%d, %d frames: %.1f s, peak %.2f GB\n", v->width, v->height, v->frames, clock_seconds() - v->start,
               (double)peak_kilobytes() * 1024 / 1e9);
    graph_free(g);
    cpu_backend_free(backend);
    free(latent);
    free(v->rgb);
    return ok;
}

int main(int argc, char **argv)
{
    mallopt(M_MMAP_THRESHOLD, 4 << 20); /* as sora does: what is freed goes back */
    Video v = {0};
    const char *which = argc > 3 ? argv[3] : CONFIGS[0][0];
    json_t *json = json_loads(CONFIGS[strcmp(which, CONFIGS[0][0]) != 0][1], 0, NULL);
    SoraError err = {0};
    VaeConfig config;
    bool ok = argc > 2 && sscanf(argv[1], "%dx%d", &v.width, &v.height) == 2 && sscanf(argv[2], "%d", &v.frames) == 1 &&
              vae_config_read(&config, json, &err);
    json_decref(json);
    if (!ok || v.width < 16 || v.height < 16 || v.frames < 1 || v.width > 8192 || v.height > 8192 || v.frames > 4093) {
        fprintf(stderr, "usage: decode WxH FRAMES [wan2.1|wan2.2 [LIMIT]]\n");
        return 2;
    }
    BenchSource source;
    Params params;
    Vae network;
    bench_source_init(&source, DTYPE_BF16);
    params_init(&params, &source.source);
    vae_bind_decoder(&network, &config, &params);
    ok = params_ok(&params, &err) && decode(&network, &v, argc > 4 ? (size_t)strtoull(argv[4], NULL, 10) : 0, &err);
    if (!ok)
        fprintf(stderr, "decode: %s\n", err.message);
    params_deinit(&params);
    bench_source_deinit(&source);
    return ok ? 0 : 1;
}
