#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json_file.h"
#include "base/shortage.h"
#include "cli/cli.h"
#include "trace/trace_index.h"

typedef struct TraceArgs {
    const char *index;
    bool add, json;
} TraceArgs;

static const TraceArgs defaults = {0};

static const Option options[] = {
    {0, "index", OPTION_STRING, offsetof(TraceArgs, index), "FILE",
     .help = "the index (default: $SORA_TRACE_INDEX, else trace.sqlite in the user's data folder)"},
    {0, "add", OPTION_FLAG, offsetof(TraceArgs, add), .help = "take the files into the index instead"},
    {0, "json", OPTION_FLAG, offsetof(TraceArgs, json), .help = "print a JSON object for each file"},
    {0},
};

static void format_time(int64_t seconds, char *text, size_t size)
{
    time_t t = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL || strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(text, size, "%lld", (long long)seconds);
}

/* What is not UTF-8 is null. */
static json_t *text_json(const char *text)
{
    json_t *o = *text != 0 ? json_string(text) : NULL;
    return o != NULL ? o : json_null();
}

static json_t *match_json(const TraceMatch *m)
{
    char when[48];
    format_time(m->entry.time, when, sizeof when);
    const FingerprintMatch *f = &m->match;
    return json_pack("{s:s, s:s, s:o, s:o, s:f, s:b, s:f, s:[f, f, f, f]}", "id", m->entry.id, "time", when,
                     "model", text_json(m->entry.model), "file", text_json(m->entry.file), "score", f->score,
                     "mirrored", f->mirrored, "begin", f->begin, "window", f->x, f->y, f->width, f->height);
}

static bool print_json(const char *path, const TraceResult *r, SoraError *err)
{
    shortage_begin();
    json_t *matches = json_array();
    for (int i = 0; i < r->found; i++)
        json_array_append_new(matches, match_json(&r->matches[i]));
    json_t *nearest = r->count > 0 ? match_json(&r->matches[0]) : json_null();
    json_t *o = json_pack("{s:o, s:b, s:o, s:o, s:I}", "file", text_json(path), "found", r->found > 0, "matches",
                          matches, "nearest", nearest, "entries", (json_int_t)r->entries);
    return json_print(o, JSON_REAL_PRECISION(6), err);
}

static void print_lines(const char *path, const TraceResult *r)
{
    for (int i = 0; i < r->found; i++) {
        const TraceMatch *m = &r->matches[i];
        char when[48];
        format_time(m->entry.time, when, sizeof when);
        printf("%s: generation %s of %s, model %s, file %s, score %.3f%s\n", path, m->entry.id, when,
               *m->entry.model ? m->entry.model : "unknown", m->entry.file, m->match.score,
               m->match.mirrored ? ", mirrored" : "");
    }
    if (r->found == 0 && r->count > 0)
        printf("%s: none of the %lld generations here; the nearest has score %.3f\n", path,
               (long long)r->entries, r->matches[0].match.score);
    else if (r->found == 0)
        printf("%s: not from here: the index is empty\n", path);
}

static bool trace_file(const TraceArgs *a, TraceIndex *index, const char *path, bool *found, SoraError *err)
{
    Fingerprint f;
    TraceResult result = {0};
    if (!fingerprint_read_file(&f, path, FINGERPRINT_QUERY_RATE, err))
        return false;
    bool ok = index == NULL || trace_index_find(index, &f, &result, err);
    fingerprint_deinit(&f);
    if (!ok)
        return false;
    *found = result.found > 0;
    if (a->json)
        return print_json(path, &result, err);
    print_lines(path, &result);
    return true;
}

static bool add_file(const TraceArgs *a, TraceIndex *index, const char *path, SoraError *err)
{
    Fingerprint f;
    TraceEntry entry;
    if (!trace_entry_make(&entry, path, err) || !fingerprint_read_file(&f, path, FINGERPRINT_STORED_RATE, err))
        return false;
    bool ok = trace_index_add(index, &entry, &f, err);
    fingerprint_deinit(&f);
    if (ok && a->json)
        printf("{\"id\": \"%s\"}\n", entry.id);
    else if (ok)
        printf("%s: generation %s\n", path, entry.id);
    return ok;
}

/* No index by default means that nothing was made here, which is an answer. An index that was named must be there. */
static bool open_index(const TraceArgs *a, TraceIndex **index, SoraError *err)
{
    char *path = a->index != NULL ? strdup(a->index) : trace_index_default_path();
    *index = NULL;
    if (path == NULL)
        return error_set(err, SORA_ERROR_NOT_FOUND, "no index: SORA_TRACE_INDEX is empty, or there is no home folder");
    *index = trace_index_open(path, a->add ? TRACE_INDEX_WRITE : TRACE_INDEX_READ, err);
    bool none = *index == NULL && err->code == SORA_ERROR_NOT_FOUND && a->index == NULL && !a->add;
    if (none)
        *err = (SoraError){0};
    free(path);
    return *index != NULL || none;
}

static bool run(const void *values, char **arguments, int count, SoraError *err)
{
    const TraceArgs *a = values;
    TraceIndex *index = NULL;
    bool ok = open_index(a, &index, err), all = true;
    for (int i = 0; ok && i < count; i++) {
        bool found = true;
        ok = a->add ? add_file(a, index, arguments[i], err) : trace_file(a, index, arguments[i], &found, err);
        all = all && found;
    }
    trace_index_close(index);
    if (ok && !all)
        command_exit_code(EXIT_ANSWER_NO);
    return ok;
}

const Command CMD_TRACE = {
    .name = "trace",
    .summary = "was this video or picture made here?",
    .arguments = "FILE...",
    .description = "Looks for the file in the index of what was generated here, which holds a fingerprint, the "
                   "id, time, model and file name of each, and no prompts. Copies are found that were encoded "
                   "again, scaled, cropped, mirrored, trimmed, brightened, or lost their metadata. Exit code 0: "
                   "all files are from here; 1: at least one is not.",
    .examples = "  sora trace found-somewhere.mp4\n"
                "  sora trace --json a.mp4 b.webm c.jpg\n"
                "  sora trace --add made-before.mp4",
    .options = options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .min_arguments = 1,
    .max_arguments = 1000000,
    .run = run,
};
