/* What the Wan 2.1 or 2.2 decoder needs for a video, in seconds and memory: real sizes, random weights, the engine's
 * way to decode. See bench/decode.sh.
 *
 *     decode 832x480 81 [wan2.1|wan2.2 [LIMIT in bytes, 0: the engine's own [FILE to write, such as a.mp4]]] */
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cpu/backend.h"
#include "engine/video.h"
#include "media/video_writer.h"
#include "weights/param_sources.h"

static const char *const CONFIGS[][2] = {
    {"wan2.1", "{\"dim\": 96, \"z_dim\": 16, \"dim_mult\": [1, 2, 4, 4], \"num_res_blocks\": 2,"
               " \"temperal_downsample\": [false, true, true]}"},
    {"wan2.2", "{\"dim\": 160, \"dec_dim\": 256, \"z_dim\": 48, \"dim_mult\": [1, 2, 4, 4], \"num_res_blocks\": 2,"
               " \"temperal_downsample\": [false, true, true], \"patchify\": 2}"}};

typedef struct Decoding {
    SoraVideo video;
    VideoWriter *writer; /* NULL: none */
    double start;
} Decoding;

/* Frames go to the file when they are complete, as the engine's do. */
static bool take(void *user, const DecodedPart *p, SoraError *err)
{
    Decoding *d = user;
    bool ok = video_put(&d->video, p, err), complete = ok && video_completes(&d->video, p) && d->writer != NULL;
    for (int i = p->first; complete && ok && i < p->first + p->count; i++) {
        ok = video_writer_write(d->writer, video_frame(&d->video, i), err);
        video_leave(&d->video, i);
    }
    fprintf(stderr, "\r%d of %d, %.0f s ", p->done, p->total, clock_seconds() - d->start);
    return ok;
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

static bool decode(Vae *network, Decoding *d, size_t limit, SoraError *err)
{
    const VaeConfig *c = &network->config;
    SoraVideo *v = &d->video;
    int stride = vae_stride_space(c);
    CanvasShape shape = {c->z_dim, 1 + (v->frames - 1) / vae_stride_time(c), v->height / stride, v->width / stride, {1, 2, 2}};
    size_t cells = (size_t)(shape.channels * shape.frames * shape.height * shape.width);
    float *latent = malloc(cells * sizeof *latent);
    Backend *backend = cpu_backend_new(NULL, err);
    Graph *g = backend != NULL ? graph_new(backend) : NULL;
    bool ok = g != NULL && latent != NULL && video_init_frames(v, err);
    for (size_t i = 0; ok && i < cells; i++)
        latent[i] = (float)(i % 17) / 8 - 1;
    d->start = clock_seconds();
    DecodeJob job = {shape, latent, limit, take, d};
    ok = ok && pipeline_decode(&(Pipeline){.graph = g, .autoencoder = network}, &job, err);
    if (d->writer != NULL && ok)
        ok = video_writer_commit(d->writer, err);
    else
        video_writer_abort(d->writer);
    fprintf(stderr, "\n");
    if (ok)
        printf("%dx%d, %d frames: %.1f s, peak %.2f GB\n", v->width, v->height, v->frames, clock_seconds() - d->start,
               (double)peak_kilobytes() * 1024 / 1e9);
    graph_free(g);
    cpu_backend_free(backend);
    free(latent);
    file_memory_deinit(&v->rgb);
    return ok;
}

int main(int argc, char **argv)
{
    mallopt(M_MMAP_THRESHOLD, 4 << 20); /* as sora does: what is freed goes back */
    Decoding d = {.video = {.fps = 16}};
    SoraVideo *v = &d.video;
    const char *which = argc > 3 ? argv[3] : CONFIGS[0][0];
    json_t *json = json_loads(CONFIGS[strcmp(which, CONFIGS[0][0]) != 0][1], 0, NULL);
    SoraError err = {0};
    VaeConfig config;
    bool ok = argc > 2 && sscanf(argv[1], "%dx%d", &v->width, &v->height) == 2 && sscanf(argv[2], "%d", &v->frames) == 1 &&
              vae_config_read(&config, json, &err);
    json_decref(json);
    if (!ok || v->width < 16 || v->height < 16 || v->frames < 1 || v->width > 8192 || v->height > 8192 || v->frames > 4093) {
        fprintf(stderr, "usage: decode WxH FRAMES [wan2.1|wan2.2 [LIMIT [FILE]]]\n");
        return 2;
    }
    BenchSource source;
    Params params;
    Vae network;
    bench_source_init(&source, DTYPE_BF16);
    params_init(&params, &source.source);
    vae_bind_decoder(&network, &config, &params);
    VideoFormat format = {v->width, v->height, v->fps, NULL, NULL};
    ok = params_ok(&params, &err) && (argc < 6 || (d.writer = video_writer_open(argv[5], &format, &err)) != NULL) &&
         decode(&network, &d, argc > 4 ? (size_t)strtoull(argv[4], NULL, 10) : 0, &err);
    if (!ok)
        fprintf(stderr, "decode: %s\n", err.message);
    params_deinit(&params);
    bench_source_deinit(&source);
    return ok ? 0 : 1;
}
