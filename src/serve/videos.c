/* Reading, listing, deleting. What makes videos is in create.c. */
#include "serve/videos.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "serve/fields.h"
#include "serve/server.h"
#include "store/files.h"

/* limit, order, after. False: the answer is filled. */
static bool read_page(Call *call, JobPage *page)
{
    const char *limit = call_query(call, "limit"), *order = call_query(call, "order");
    char *end = NULL;
    long n = limit != NULL ? strtol(limit, &end, 10) : 20;
    if (limit != NULL && (end == limit || *end != 0 || n < 0 || n > 100)) {
        call_error(call, 400, "invalid_value", "limit", "limit: \"%.40s\" is not a whole number from 0 to 100", limit);
        return false;
    }
    if (order != NULL && strcmp(order, "asc") != 0 && strcmp(order, "desc") != 0) {
        call_error(call, 400, "invalid_value", "order", "order: \"%.40s\" is neither asc nor desc", order);
        return false;
    }
    page->limit = (int)n;
    page->ascending = order != NULL && strcmp(order, "asc") == 0;
    page->after = call_query(call, "after");
    return true;
}

void videos_answer_page(Call *call, JobPage *page)
{
    JobList list;
    SoraError err = {0};
    bool found;
    if (!read_page(call, page))
        return;
    if (!store_job_list(call->server->store, page, &list, &found, &err)) {
        call_fail(call, &err);
        return;
    }
    if (found)
        videos_answer_list(call, &list, page->feed);
    else
        call_error(call, 400, "invalid_value", "after", "after: there is no video with the id %.80s", page->after);
    job_list_deinit(&list);
}

void videos_list(Call *call)
{
    JobPage page = {.key = call->key.id};
    videos_answer_page(call, &page);
}

/* How soon to ask again, which python's library heeds: what takes long is asked for less often. */
static void advise_poll(Call *call, const Status *s)
{
    if (s->open)
        call_add_header(call, "openai-poll-after-ms", store_now() - s->created < 10000 ? "1000" : "2000");
}

static bool get(Call *call, const char *id, Job *job)
{
    SoraError err = {0};
    bool found;
    if (!store_job_get(call->server->store, id, call->key.id, job, &found, &err))
        call_fail(call, &err);
    else if (!found)
        call_not_found(call, "video", id);
    else
        return true;
    return false;
}

void videos_retrieve(Call *call)
{
    Server *s = call->server;
    uint64_t version = store_job_version(s->store, call->names[0]);
    Status status;
    Job job;
    if (!status_cache_get(s->statuses, call->names[0], call->key.id, version, &status)) {
        if (!get(call, call->names[0], &job))
            return;
        json_t *json = video_json(call, &job, false);
        char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
        status = (Status){text, text != NULL ? strlen(text) : 0, job.state == JOB_QUEUED || job.state == JOB_IN_PROGRESS,
                          job.created};
        if (text != NULL)
            status_cache_put(s->statuses, job.id, call->key.id, version, &status);
        json_decref(json);
        job_deinit(&job);
    }
    advise_poll(call, &status);
    call_text(call, (char *)status.text, "application/json");
}

void videos_delete(Call *call)
{
    SoraError err = {0};
    bool found;
    if (!store_job_delete(call->server->store, call->names[0], call->key.id, &found, &err))
        call_fail(call, &err);
    else if (!found)
        call_not_found(call, "video", call->names[0]);
    else
        call_json(call, 200, json_pack("{ss ss sb}", "id", call->names[0], "object", "video.deleted", "deleted", 1));
}

void videos_cancel(Call *call)
{
    SoraError err = {0};
    bool found;
    if (!store_job_cancel(call->server->store, call->names[0], call->key.id, &found, &err))
        call_fail(call, &err);
    else if (!found)
        call_not_found(call, "video", call->names[0]);
    else
        videos_retrieve(call);
}

typedef struct Variant {
    const char *name, *type;
    const char *file; /* of the job at hand */
} Variant;

static const char *file_of(const Job *job, const char *variant, const char **type)
{
    const Variant variants[] = {
        {"video", "video/mp4", job->video},
        {"thumbnail", "image/webp", job->thumbnail},
        {"spritesheet", "image/jpeg", job->spritesheet},
        {"preview", "image/jpeg", job->preview},
    };
    *type = NULL;
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        if (strcmp(variants[i].name, variant) == 0) {
            *type = variants[i].type;
            return variants[i].file;
        }
    }
    return NULL;
}

static void send_content(Call *call, const Job *job)
{
    const char *variant = call_query(call, "variant"), *type;
    const char *file = file_of(job, variant != NULL ? variant : "video", &type);
    if (type == NULL) {
        call_error(call, 400, "invalid_value", "variant", "variant: \"%.40s\" is none of video, thumbnail, spritesheet, preview",
                   variant);
    } else if (file == NULL && job->state == JOB_COMPLETED) {
        call_error(call, 404, "video_expired", NULL, "the files of this video have expired");
    } else if (file == NULL) {
        call_error(call, 404, "video_not_ready", NULL, "the video is %s; there is nothing to download",
                   job_state_name(job->state));
    } else {
        call_file(call, file, type);
    }
}

/* One's own, and what was published. */
void videos_content(Call *call)
{
    SoraError err = {0};
    Job job;
    bool found;
    if (!store_job_get(call->server->store, call->names[0], NULL, &job, &found, &err)) {
        call_fail(call, &err);
        return;
    }
    if (found && (strcmp(job.key, call->key.id) == 0 || job.published > 0))
        send_content(call, &job);
    else
        call_not_found(call, "video", call->names[0]);
    job_deinit(&job);
}
