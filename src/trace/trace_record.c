#include "trace/trace_record.h"

#include <stdio.h>

#include "trace/trace_index.h"

bool trace_record_frame(Fingerprint *fingerprint, const SoraVideo *video, int i, SoraError *err)
{
    FingerprintPicture picture = {sora_video_width(video), sora_video_height(video), sora_video_frame(video, i)};
    return fingerprint_add(fingerprint, &picture, i / sora_video_fps(video), err);
}

bool trace_record(const TraceRecord *r, Fingerprint *fingerprint, SoraError *err)
{
    TraceEntry entry;
    if (!trace_entry_make(&entry, r->path, err))
        return false;
    snprintf(entry.id, sizeof entry.id, "%s", sora_video_id(r->video));
    snprintf(entry.model, sizeof entry.model, "%s", r->model ? r->model : "");
    int count = sora_video_frames(r->video);
    fingerprint_end(fingerprint, count > 1 ? count / sora_video_fps(r->video) : 0);
    TraceIndex *index = trace_index_open(r->index, TRACE_INDEX_WRITE, err);
    bool ok = index != NULL && trace_index_add(index, &entry, fingerprint, err);
    trace_index_close(index);
    return ok;
}
