/* The public functions that write a finished video. */
#include <stdlib.h>
#include "deliver/deliver.h"
#include "engine/video.h"
#include "trace/trace_index.h"

static bool deliver(const SoraVideo *video, const DeliveryPlan *plan, SoraSigned *result, SoraError *err)
{
    Delivery d;
    delivery_init(&d, plan);
    bool ok = true;
    for (int i = 0; ok && i < sora_video_frames(video); i++) {
        ok = delivery_frame(&d, video, i, err);
        video_leave(video, i);
    }
    ok = ok && delivery_commit(&d, video, err);
    if (result != NULL)
        *result = d.result;
    delivery_deinit(&d);
    return ok;
}

bool sora_video_write(const SoraVideo *video, const char *path, SoraError *err)
{
    return deliver(video, &(DeliveryPlan){.path = path}, NULL, err);
}

bool sora_video_write_signed(const SoraVideo *video, const char *path, const SoraCredentials *credentials,
                             const SoraSigning *what, SoraSigned *result, SoraError *err)
{
    if (!sora_can_sign(path))
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: this kind of file cannot carry content credentials", path);
    char *index = trace_index_default_path();
    DeliveryPlan plan = {.path = path, .credentials = credentials, .signing = *what, .index = index};
    bool ok = deliver(video, &plan, result, err);
    free(index);
    return ok;
}
