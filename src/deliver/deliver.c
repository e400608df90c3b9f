#include "deliver/deliver.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "credentials/sign.h"
#include "engine/video.h"
#include "trace/trace_record.h"

static bool finish(void *user, const char *temporary, const char *path, SoraError *err)
{
    Delivery *d = user;
    SoraSigning what = d->plan.signing;
    SoraSigned result;
    bool refused = *d->result.note != 0;
    if (refused)
        what.time_authority = NULL;
    if (!credentials_sign(d->plan.credentials, &(SignTarget){temporary, path, d->finish.passing}, &what, &result, err))
        return false;
    memcpy(d->result.manifest, result.manifest, sizeof result.manifest);
    d->result.time_stamped = result.time_stamped;
    if (!refused)
        memcpy(d->result.note, result.note, sizeof result.note);
    return true;
}

void delivery_init(Delivery *d, const DeliveryPlan *plan)
{
    *d = (Delivery){.plan = *plan, .finish = {.run = finish, .user = d}};
    fingerprint_init(&d->fingerprint, FINGERPRINT_STORED_RATE);
}

static bool begin(Delivery *d, const SoraVideo *video, SoraError *err)
{
    VideoFormat format = {sora_video_width(video), sora_video_height(video), sora_video_fps(video),
                          sora_video_prompt(video), sora_video_parameters(video)};
    d->writer = video_writer_open_scaled(d->plan.path, &format, d->plan.scale > 0 ? d->plan.scale : 1, err);
    if (d->writer != NULL && d->plan.credentials != NULL)
        video_writer_on_finish(d->writer, &d->finish);
    if (d->writer != NULL && video->sound != NULL)
        video_writer_add_sound(d->writer, video->sound, &d->silent);
    return d->writer != NULL;
}

/* A trace that cannot be kept is a warning: the video is written all the same. */
static void forget_trace(Delivery *d, const SoraError *why)
{
    snprintf(d->result.untraced, sizeof d->result.untraced, "%s", why->message);
    d->plan.index = NULL;
}

bool delivery_frame(Delivery *d, const SoraVideo *video, int i, SoraError *err)
{
    SoraError why = {0};
    if ((d->writer == NULL && !begin(d, video, err)) || !video_writer_write(d->writer, sora_video_frame(video, i), err))
        return false;
    if (d->plan.index != NULL && !trace_record_frame(&d->fingerprint, video, i, &why))
        forget_trace(d, &why);
    return true;
}

bool delivery_commit(Delivery *d, const SoraVideo *video, SoraError *err)
{
    SoraError why = {0};
    VideoWriter *w = d->writer;
    d->writer = NULL;
    if (w == NULL)
        return error_set(err, SORA_ERROR_INPUT, "%s: no frames to write", d->plan.path);
    if (d->plan.keep ? !video_writer_commit_new(w, &d->path, err) : !video_writer_commit(w, err))
        return false;
    if (d->path == NULL && (d->path = strdup(d->plan.path)) == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", d->plan.path);
    char name[PATH_MAX]; /* a series is known by its first picture */
    video_frame_name(name, sizeof name, d->path, video_is_series(d->path, sora_video_frames(video)) ? 0 : -1);
    TraceRecord record = {.video = video, .path = name, .model = d->plan.signing.model, .index = d->plan.index};
    if (d->plan.index != NULL && !trace_record(&record, &d->fingerprint, &why))
        forget_trace(d, &why);
    return true;
}

void delivery_deinit(Delivery *d)
{
    video_writer_abort(d->writer);
    fingerprint_deinit(&d->fingerprint);
    free(d->path);
    d->writer = NULL;
    d->path = NULL;
}
