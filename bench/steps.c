/* steps MODEL WxH FRAMES STEPS GUIDANCE [PRECISION [MEMORY]]: when a model is open, when its prompt is encoded and how long
 * each step takes, in seconds and in seconds of a processor; the video is not decoded. PRECISION: auto,
 * f32, bf16, int8. MEMORY: MB that the process may
 * have. For bench/transformer.sh, with files of bench/sparse_model.c. */
#include <sora.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

typedef struct Watch {
    double begun, last, last_cpu;
    int steps;
} Watch;

/* Of all threads: what others do on the machine hardly counts. */
static double cpu_seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static bool progress(const SoraProgress *p, void *user)
{
    Watch *w = user;
    double now = clock_seconds(), cpu = cpu_seconds();
    if (p->phase == SORA_PHASE_DENOISE && p->done == 0)
        printf("text %.3f\n", now - w->begun);
    if (p->phase == SORA_PHASE_DENOISE && p->done > 0)
        printf("step %d %.3f, processors %.3f, at %.3f\n", p->done, now - w->last, cpu - w->last_cpu, now - w->begun);
    fflush(stdout);
    w->last = now;
    w->last_cpu = cpu;
    return !(p->phase == SORA_PHASE_DENOISE && p->done == w->steps);
}

int main(int argc, char **argv)
{
    static const char *const PRECISIONS[] = {"auto", "f32", "bf16", "int8"};
    SoraError err = {0};
    SoraRequest request;
    Watch watch = {.begun = clock_seconds()};
    SoraOptions options = {0};
    sora_request_init(&request);
    if (argc < 6 || argc > 8 || sscanf(argv[2], "%dx%d", &request.width, &request.height) != 2) {
        fprintf(stderr, "usage: steps MODEL WxH FRAMES STEPS GUIDANCE [PRECISION [MEMORY]]\n");
        return 2;
    }
    for (int i = 0; argc > 6 && i < 4; i++)
        if (strcmp(argv[6], PRECISIONS[i]) == 0)
            options.precision = (SoraPrecision)i;
    options.memory = argc > 7 ? strtoull(argv[7], NULL, 10) * 1000000 : 0;
    SoraEngine *engine = sora_engine_open(argv[1], &options, &err);
    printf("open %.3f\n", clock_seconds() - watch.begun);
    request.prompt = "a red fox runs through deep snow";
    request.frames = atoi(argv[3]);
    request.steps = watch.steps = atoi(argv[4]);
    request.guidance_scale = atof(argv[5]);
    request.progress = progress;
    request.user = &watch;
    SoraVideo *video = engine != NULL ? sora_generate(engine, &request, &err) : NULL;
    bool ok = video != NULL || err.code == SORA_ERROR_CANCELLED;
    if (!ok)
        fprintf(stderr, "%s\n", err.message);
    sora_video_free(video);
    sora_engine_close(engine);
    return !ok;
}
