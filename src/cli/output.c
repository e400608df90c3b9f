#include "cli/output.h"

#include <stdio.h>
#include "trace/trace_record.h"

static bool begin(Output *out, const SoraVideo *video, SoraError *err)
{
    VideoFormat format = {sora_video_width(video), sora_video_height(video), sora_video_fps(video), out->prompt,
                          sora_video_parameters(video)};
    fingerprint_init(&out->fingerprint, FINGERPRINT_STORED_RATE);
    out->writer = video_writer_open(out->path, &format, err);
    if (out->writer != NULL && out->signing->credentials != NULL)
        video_writer_on_finish(out->writer, &out->signing->finish);
    return out->writer != NULL;
}

/* No reason to lose a video. */
static void warn_untraced(Output *out, const SoraError *why)
{
    fprintf(stderr, "sora: warning: `sora trace` will not know %s: %s\n", out->path, why->message);
    out->index = NULL;
}

bool output_frame(Output *out, const SoraVideo *video, int i, SoraError *err)
{
    SoraError why = {0};
    if ((i == 0 && !begin(out, video, err)) || !video_writer_write(out->writer, sora_video_frame(video, i), err))
        return false;
    if (out->index != NULL && !trace_record_frame(&out->fingerprint, video, i, &why))
        warn_untraced(out, &why);
    return true;
}

bool output_commit(Output *out, const SoraVideo *video, SoraError *err)
{
    SoraError why = {0};
    VideoWriter *w = out->writer;
    out->writer = NULL;
    if (!video_writer_commit(w, err))
        return false;
    if (*out->signing->result.note != 0)
        fprintf(stderr, "sora: no time-stamp: %s\n", out->signing->result.note);
    TraceRecord record = {video, out->path, out->signing->what.model, out->index};
    if (out->index != NULL && !trace_record(&record, &out->fingerprint, &why))
        warn_untraced(out, &why);
    return true;
}

void output_close(Output *out)
{
    video_writer_abort(out->writer);
    fingerprint_deinit(&out->fingerprint);
    out->writer = NULL;
}
