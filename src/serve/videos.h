/* The Videos API: https://github.com/openai/openai-openapi, paths /videos. */
#ifndef SORA_SERVE_VIDEOS_H
#define SORA_SERVE_VIDEOS_H

#include "serve/call.h"
#include "serve/operation.h"
#include "store/jobs.h"

void videos_create(Call *call);
void videos_list(Call *call);
void videos_retrieve(Call *call);
void videos_delete(Call *call);
void videos_cancel(Call *call);
void videos_content(Call *call);
void videos_remix(Call *call);
void videos_edit(Call *call);
void videos_extend(Call *call);
void videos_studio(Call *call); /* every kind of operation, also those that OpenAI had not */
void characters_create(Call *call);
void characters_retrieve(Call *call);
void images_generate(Call *call);

/* VideoResource, and what is ours under "details". shared: for somebody else than its maker. */
json_t *video_json(Call *call, const Job *job, bool shared);

/* The answer to images_generate() once its job is over. */
void images_answer(Call *call, const Job *job);

/* Seconds since 1970 for a time of the store; null for 0. */
json_t *time_json(int64_t milliseconds);

/* {"object": "list", "data": [], first_id, last_id, has_more} of the jobs. */
void videos_answer_list(Call *call, const JobList *list, bool shared);
/* The same for a page: whose jobs it shows is the caller's choice; limit, order and after are read from the call. */
void videos_answer_page(Call *call, JobPage *page);

/* What a live video is begun with, and what happens from then on; false: the answer is filled. The strings are the call's. */
bool videos_read_live(Call *call, Operation *operation, int *model);
bool videos_read_words(Call *call, const char **prompt);

#endif
