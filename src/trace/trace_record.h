/* Takes what was just generated into the index of `sora trace`. */
#ifndef SORA_TRACE_TRACE_RECORD_H
#define SORA_TRACE_TRACE_RECORD_H

#include "trace/fingerprint.h"

/* path: of the file that was written; only its name is kept. index: the index's path. */
typedef struct TraceRecord {
    const SoraVideo *video; /* for its id and length */
    const char *path, *index;
    const char *model; /* NULL: not known */
} TraceRecord;

/* fingerprint: of rate FINGERPRINT_STORED_RATE, with all frames of the video added by trace_record_frame(); it is ended here. */
bool trace_record(const TraceRecord *r, Fingerprint *fingerprint, SoraError *err);
bool trace_record_frame(Fingerprint *fingerprint, const SoraVideo *video, int i, SoraError *err);

#endif
