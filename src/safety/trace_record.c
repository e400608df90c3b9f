#include "safety/trace_record.h"

#include <stdio.h>

#include "safety/trace_index.h"

static bool take_frames(Fingerprint *f, const SoraVideo *v, SoraError *err)
{
    int count = sora_video_frames(v);
    double fps = sora_video_fps(v);
    for (int i = 0; i < count; i++) {
        FingerprintPicture picture = {sora_video_width(v), sora_video_height(v), sora_video_frame(v, i)};
        if (!fingerprint_add(f, &picture, i / fps, err))
            return false;
    }
    fingerprint_end(f, count > 1 ? count / fps : 0);
    return true;
}

bool trace_record(const TraceRecord *r, SoraError *err)
{
    TraceEntry entry;
    if (!trace_entry_make(&entry, r->path, err))
        return false;
    snprintf(entry.id, sizeof entry.id, "%s", sora_video_id(r->video));
    snprintf(entry.model, sizeof entry.model, "%s", r->model);
    Fingerprint f;
    fingerprint_init(&f, FINGERPRINT_STORED_RATE);
    TraceIndex *index = NULL;
    bool ok = take_frames(&f, r->video, err) && (index = trace_index_open(r->index, TRACE_INDEX_WRITE, err)) != NULL &&
              trace_index_add(index, &entry, &f, err);
    trace_index_close(index);
    fingerprint_deinit(&f);
    return ok;
}
