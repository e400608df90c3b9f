#include <math.h>
#include <stdio.h>
#include <string.h>

#include "serve/server.h"
#include "serve/videos.h"

json_t *time_json(int64_t milliseconds)
{
    return milliseconds > 0 ? json_integer(milliseconds / 1000) : json_null();
}

/* What the engine said of it, less what only the server needs. */
static void add_result(json_t *details, const Job *job)
{
    static const char *const MEMBERS[] = {"width", "height", "frames", "fps", "length", "took", "notes", "id"};
    json_t *result = job->result != NULL ? json_loads(job->result, 0, NULL) : NULL;
    for (size_t i = 0; result != NULL && i < sizeof MEMBERS / sizeof *MEMBERS; i++) {
        json_t *v = json_object_get(result, MEMBERS[i]);
        if (v != NULL)
            json_object_set(details, strcmp(MEMBERS[i], "id") == 0 ? "trace_id" : MEMBERS[i], v);
    }
    json_decref(result);
}

/* The operation with which it can be made again. */
static void add_request(json_t *details, const Job *job)
{
    static const char *const MEMBERS[] = {"operation", "negative", "steps", "guidance", "seed",  "strength",
                                          "passages",  "from",     "to",    "before",   "after", "at_start", "policy"};
    json_t *request = json_loads(job->request, 0, NULL);
    for (size_t i = 0; request != NULL && i < sizeof MEMBERS / sizeof *MEMBERS; i++)
        if (json_object_get(request, MEMBERS[i]) != NULL)
            json_object_set(details, MEMBERS[i], json_object_get(request, MEMBERS[i]));
    json_decref(request);
}

static json_t *details_of(Call *call, const Job *job, bool shared)
{
    json_t *d = json_pack("{sb ss? si sb sb}", "published", job->published > 0, "title", job->title, "likes", job->likes,
                          "featured", job->featured, "preview", job->preview != NULL);
    if (d == NULL)
        return NULL;
    add_result(d, job);
    add_request(d, job);
    int64_t ahead;
    if (!shared && job->state == JOB_QUEUED && store_job_ahead(call->server->store, job->number, &ahead, NULL))
        json_object_set_new(d, "queue_position", json_integer(ahead));
    return d;
}

/* Of a finished video: the file's own size, and of one that was made of others its length, which was not known before. */
static void correct(const json_t *details, char size[32], char seconds[32])
{
    const char *operation = json_string_value(json_object_get(details, "operation"));
    json_int_t width = json_integer_value(json_object_get(details, "width")),
               height = json_integer_value(json_object_get(details, "height"));
    double length = json_number_value(json_object_get(details, "length"));
    if (width > 0 && height > 0 && width < 100000 && height < 100000)
        snprintf(size, 32, "%dx%d", (int)width, (int)height);
    if (length > 0 && operation != NULL && strcmp(operation, "generate") != 0)
        snprintf(seconds, 32, "%.10g", round(length * 100) / 100);
}

json_t *video_json(Call *call, const Job *job, bool shared)
{
    bool failed = job->state == JOB_FAILED;
    char size[32], seconds[32];
    json_t *details = details_of(call, job, shared);
    snprintf(size, sizeof size, "%s", job->size != NULL ? job->size : "");
    snprintf(seconds, sizeof seconds, "%s", job->seconds != NULL ? job->seconds : "");
    correct(details, size, seconds);
    json_t *error = failed ? json_pack("{ss? ss?}", "code", job->error_code, "message", job->error_message) : json_null();
    return json_pack(
        "{ss ss ss ss si sI so so ss? ss ss ss? so so}", "id", job->id, "object", "video", "model", job->model, "status",
        job_state_name(job->state), "progress", job->progress, "created_at", (json_int_t)(job->created / 1000), "completed_at",
        job->state == JOB_COMPLETED ? time_json(job->completed) : json_null(), "expires_at", time_json(job->expires), "prompt",
        job->prompt, "size", size, "seconds", seconds, "remixed_from_video_id", job->source, "error", error, "details", details);
}

void videos_answer_list(Call *call, const JobList *list, bool shared)
{
    json_t *data = json_array();
    for (int i = 0; i < list->count; i++)
        json_array_append_new(data, video_json(call, &list->jobs[i], shared));
    call_json(call, 200,
              json_pack("{ss so ss? ss? sb}", "object", "list", "data", data, "first_id",
                        list->count > 0 ? list->jobs[0].id : NULL, "last_id",
                        list->count > 0 ? list->jobs[list->count - 1].id : NULL, "has_more", list->more));
}
