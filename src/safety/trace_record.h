/* Takes what was just generated into the index of `sora trace`. */
#ifndef SORA_SAFETY_TRACE_RECORD_H
#define SORA_SAFETY_TRACE_RECORD_H

#include "base/error.h"

/* path: of the file that was written; only its name is kept. index: the index's path. The id is
 * sora_video_id(). */
typedef struct TraceRecord {
    const SoraVideo *video;
    const char *path, *model, *index;
} TraceRecord;

bool trace_record(const TraceRecord *r, SoraError *err);

#endif
