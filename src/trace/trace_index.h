/* The local index of what was generated here: an SQLite file with a fingerprint for each generation, its id,
 * time, model and file name. No prompts. The file may be anybody's: it is checked before use, and reading it
 * has bounds.
 *
 *     TraceIndex *index = trace_index_open(path, TRACE_INDEX_READ, &err);
 *     TraceResult result;
 *     if (index != NULL && trace_index_find(index, &fingerprint, &result, &err) && result.found > 0)
 *         ... result.matches[0].entry.id ...
 *     trace_index_close(index); */
#ifndef SORA_TRACE_TRACE_INDEX_H
#define SORA_TRACE_TRACE_INDEX_H

#include "trace/fingerprint_match.h"
#include "base/uuid.h"

typedef enum TraceIndexMode {
    TRACE_INDEX_READ,  /* must be there */
    TRACE_INDEX_WRITE, /* made, with its folder, if it is not; for the owner's eyes alone */
} TraceIndexMode;

typedef struct TraceIndex TraceIndex;

/* $SORA_TRACE_INDEX, else $XDG_DATA_HOME/sora/trace.sqlite, else ~/.local/share/sora/trace.sqlite; free() it.
 * NULL when there is no home either, or when SORA_TRACE_INDEX is empty, which turns the index off. */
char *trace_index_default_path(void);

/* NULL on failure, with *err filled: SORA_ERROR_NOT_FOUND when there is none, SORA_ERROR_INPUT when the file is
 * something else or damaged. */
TraceIndex *trace_index_open(const char *path, TraceIndexMode mode, SoraError *err);
void trace_index_close(TraceIndex *index); /* NULL is allowed */

typedef struct TraceEntry {
    char id[UUID_SIZE];
    int64_t time;    /* seconds since 1970, UTC */
    char model[128]; /* UTF-8; "" when it is not known */
    char file[256];  /* name without folder; what is longer is cut */
} TraceEntry;

/* A new id, the time, and the name of the file at `path`; the model is left empty. */
bool trace_entry_make(TraceEntry *entry, const char *path, SoraError *err);

/* All or nothing; other processes may write at the same time. An id that is there already is an error. */
bool trace_index_add(TraceIndex *index, const TraceEntry *entry, const Fingerprint *f, SoraError *err);

typedef struct TraceMatch {
    TraceEntry entry;
    FingerprintMatch match;
} TraceMatch;

enum { TRACE_MAX_MATCHES = 12 };

typedef struct TraceResult {
    TraceMatch matches[TRACE_MAX_MATCHES]; /* the best first */
    int count;                             /* how many were looked at closely */
    int found;                             /* so many of them are matches; the others only come nearest */
    int64_t entries;                       /* in the index */
} TraceResult;

bool trace_index_find(TraceIndex *index, const Fingerprint *f, TraceResult *result, SoraError *err);

#endif
