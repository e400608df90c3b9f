/* Everything that makes a job: create, edits, extensions, remix, and the rest of the studio. Each fills one Operation and one
 * Draft from the fields; submit() does what is the same for all. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/access.h"
#include "serve/body.h"
#include "serve/fields.h"
#include "serve/live.h"
#include "serve/server.h"
#include "serve/uploads.h"
#include "serve/videos.h"
#include "store/social.h"

#define VISIBLE "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'()*+,-./:;<=>?@[]^_`{|}~"

enum { MOST_PROMPT = 32000, LONGEST_SECONDS = 120 };

typedef struct Draft {
    Operation op;
    int model;
    int width, height; /* of the video, as far as it is known */
    double seconds;    /* of the whole video */
    char seconds_text[32], size_text[24];
    char files[OPERATION_MOST_INPUTS][STORE_ID_SIZE];
    char source[STORE_ID_SIZE];  /* "" : none */
    char words[MOST_PROMPT + 1]; /* of the source, where they count */
    const char *kind;            /* "video" or "image" */
} Draft;

/* --- fields --- */

/* What is sent and not known is an error, so that a misspelt word is not lost. */
static bool only(Call *call, const char *const *known)
{
    const char *name;
    json_t *value;
    json_object_foreach (call->fields, name, value) {
        const char *const *k = known;
        while (*k != NULL && strcmp(*k, name) != 0)
            k++;
        if (*k == NULL) {
            call_error(call, 400, "unknown_parameter", name, "unknown parameter: \"%.60s\"", name);
            return false;
        }
    }
    for (int i = 0; i < call->file_count; i++) {
        const char *const *k = known;
        while (*k != NULL && strcmp(*k, call->files[i].field) != 0)
            k++;
        if (*k == NULL) {
            call_error(call, 400, "unknown_parameter", call->files[i].field, "unknown file: \"%.60s\"", call->files[i].field);
            return false;
        }
    }
    return true;
}

static bool wrong(Call *call, const char *param, const SoraError *err)
{
    call_error(call, 400, "invalid_value", param, "%s", err->message);
    return false;
}

/* Answers by a verdict; judged: whether there is one, else err says why. */
static bool obey(Call *call, const char *name, bool judged, const PolicyVerdict *verdict, const SoraError *err)
{
    Server *s = call->server;
    if (!judged) {
        call_error(call, 400, "invalid_value", name, "%s: %s", name, err->message);
        return false;
    }
    if (verdict->allowed)
        return true;
    for (size_t i = 0; i < METRICS_CATEGORIES && policy_category(s->policy, i) != NULL; i++)
        if (strcmp(policy_category(s->policy, i), verdict->category) == 0)
            s->metrics.refusals[i]++;
    store_audit(s->store, call->key.id, "refused", verdict->category, call->id, NULL);
    call_error(call, 400, "moderation_blocked", name, "%s", verdict->sentence);
    return false;
}

/* May it be asked? Of a negative prompt: may it be kept away? */
static bool check_policy(Call *call, const char *name, const char *text)
{
    const Policy *policy = call->server->policy;
    SoraError err = {0};
    PolicyVerdict v;
    if (policy == NULL)
        return true;
    bool judged = strcmp(name, "negative_prompt") == 0 ? policy_check_negative(policy, text, strlen(text), &v, &err)
                                                       : policy_check(policy, text, strlen(text), NULL, NULL, &v, &err);
    return obey(call, name, judged, &v, &err);
}

/* May the words be asked after those that led to the inputs? */
static bool check_steps(Call *call, const Draft *d)
{
    PolicyText parts[OPERATION_MOST_EARLIER + OPERATION_MOST_PASSAGES + 1];
    size_t count = 0;
    SoraError err = {0};
    PolicyVerdict v;
    if (call->server->policy == NULL || d->op.earlier_count == 0)
        return true;
    for (int i = 0; i < d->op.earlier_count; i++)
        parts[count++] = (PolicyText){d->op.earlier[i], strlen(d->op.earlier[i])};
    if (d->op.prompt != NULL)
        parts[count++] = (PolicyText){d->op.prompt, strlen(d->op.prompt)};
    for (int i = 0; i < d->op.passage_count; i++)
        parts[count++] = (PolicyText){d->op.passages[i].prompt, strlen(d->op.passages[i].prompt)};
    size_t earlier = (size_t)d->op.earlier_count;
    return obey(call, "prompt", policy_check_steps(call->server->policy, parts, count, earlier, &v, &err), &v, &err);
}

/* May the prompt and all passages be asked together? */
static bool check_together(Call *call, const Draft *d)
{
    PolicyText parts[OPERATION_MOST_PASSAGES + 1];
    size_t count = 0;
    SoraError err = {0};
    PolicyVerdict v;
    if (call->server->policy == NULL || d->op.passage_count == 0)
        return true;
    if (d->op.prompt != NULL)
        parts[count++] = (PolicyText){d->op.prompt, strlen(d->op.prompt)};
    for (int i = 0; i < d->op.passage_count; i++)
        parts[count++] = (PolicyText){d->op.passages[i].prompt, strlen(d->op.passages[i].prompt)};
    return obey(call, "passages", policy_check_parts(call->server->policy, parts, count, &v, &err), &v, &err);
}

static bool take_text(Call *call, const char *name, bool required, const char **text)
{
    const json_t *v = json_object_get(call->fields, name);
    *text = json_string_value(v);
    size_t n = *text != NULL ? strlen(*text) : 0;
    if (*text == NULL && v != NULL && !json_is_null(v))
        call_error(call, 400, "invalid_type", name, "%s: a text is expected", name);
    else if (required && n == 0)
        call_error(call, 400, *text == NULL ? "missing_required_parameter" : "empty_string", name, "%s: a text is missing", name);
    else if (n > MOST_PROMPT)
        call_error(call, 400, "string_above_max_length", name, "%s: more than %d bytes", name, MOST_PROMPT);
    else
        return n == 0 || check_policy(call, name, *text);
    return false;
}

static bool take_model(Call *call, Draft *d)
{
    char buffer[32];
    const char *name = fields_text(call->fields, "model", buffer);
    d->model = server_model(call->server, name);
    if (d->model >= 0)
        return true;
    call_error(call, 400, "model_not_found", "model", "model: there is no model \"%.60s\"; GET /v1/models lists them", name);
    return false;
}

/* Members that a video may have beside OpenAI's own. */
static bool take_knobs(Call *call, Draft *d)
{
    SoraError err = {0};
    int64_t n = 0;
    double x = 0;
    bool there;
    const char *name = "seed";
    if (!fields_int(call->fields, name, 0, INT64_MAX, &n, &there, &err))
        return wrong(call, name, &err);
    d->op.seed = (uint64_t)n;
    name = "steps";
    if (!fields_int(call->fields, name, 1, 1000, &n, &there, &err))
        return wrong(call, name, &err);
    d->op.steps = there ? (int)n : 0;
    name = "guidance_scale";
    if (!fields_real(call->fields, name, 0, 100, &x, &there, &err))
        return wrong(call, name, &err);
    d->op.guidance = there ? x : -1;
    return take_text(call, "negative_prompt", false, &d->op.negative);
}

/* seconds of what is new: from `least` on. *value stays when none is sent. */
static bool take_seconds(Call *call, double least, double most, double *value)
{
    SoraError err = {0};
    bool there;
    return fields_real(call->fields, "seconds", least, most, value, &there, &err) || wrong(call, "seconds", &err);
}

static bool take_size(Call *call, Draft *d, const char *standard)
{
    char buffer[32];
    const char *text = fields_text(call->fields, "size", buffer);
    if (text == NULL && json_object_get(call->fields, "size") == NULL)
        text = standard;
    if (text == NULL || !fields_size(text, &d->op.width, &d->op.height) || d->op.width > 16384 || d->op.height > 16384) {
        call_error(call, 400, "invalid_value", "size", "size: \"%.40s\" is not WIDTHxHEIGHT, such as 1280x720",
                   text != NULL ? text : "");
        return false;
    }
    facts_fit_size(&call->server->facts[d->model], &d->op.width, &d->op.height);
    return true;
}

static bool take_input(Call *call, Draft *d, const char *field, InputUse use)
{
    int i = d->op.input_count;
    bool there;
    if (i == OPERATION_MOST_INPUTS) {
        call_error(call, 400, "invalid_value", field, "%s: too many inputs", field);
        return false;
    }
    if (!upload_take(call, field, use, d->files[i], &there))
        return false;
    if (there)
        d->op.inputs[d->op.input_count++] = (OperationInput){use, d->files[i]};
    return true;
}

/* --- submitting --- */

/* The size of what will come, as far as it is known: asked for, or the first input's, else the model's own. */
static void settle_size(Call *call, Draft *d)
{
    const ModelFacts *f = &call->server->facts[d->model];
    d->width = d->op.width > 0 ? d->op.width : f->width;
    d->height = d->op.height > 0 ? d->op.height : f->height;
}

static bool check_plan(Call *call, const Draft *d)
{
    const Plan *p = access_plan(call);
    double pixels = (double)d->width * d->height;
    if (p->largest_pixels > 0 && pixels > (double)p->largest_pixels)
        call_error(call, 403, "plan_limit", "size", "size: the plan %s allows %lld pixels a frame", p->name,
                   (long long)p->largest_pixels);
    else if (p->longest_seconds > 0 && d->seconds > p->longest_seconds)
        call_error(call, 403, "plan_limit", "seconds", "seconds: the plan %s allows %g", p->name, p->longest_seconds);
    else
        return true;
    return false;
}

static void answer_created(Call *call, const Job *job, JobCreated result)
{
    const Plan *p = access_plan(call);
    switch (result) {
    case JOB_CREATED:
    case JOB_REPEATED:
        call_json(call, 200, video_json(call, job, false));
        return;
    case JOB_OTHER:
        call_error(call, 422, "idempotency_mismatch", NULL, "this Idempotency-Key was used for another request");
        return;
    case JOB_TOO_MANY:
        call_add_header(call, "retry-after", "5");
        call_error(call, 429, "too_many_jobs", NULL, "the plan %s allows %d jobs at the same time", p->name, p->at_once);
        return;
    case JOB_NO_VIDEOS_LEFT:
    case JOB_NO_CREDITS_LEFT:
        call_add_header(call, "x-should-retry", "false");
        call_error(call, 429, "insufficient_quota", NULL, "today's %s of the plan %s are used up",
                   result == JOB_NO_VIDEOS_LEFT ? "videos" : "credits", p->name);
        return;
    }
}

static bool make_job(Call *call, Draft *d, Job *job, JobCreated *result, SoraError *err)
{
    const Plan *p = access_plan(call);
    const char *token = call_header(call, "Idempotency-Key"), *inputs[OPERATION_MOST_INPUTS + 1] = {NULL};
    d->op.watermark = p->watermark;
    d->op.policy = call->server->policy != NULL ? policy_version(call->server->policy) : NULL;
    json_t *request = operation_json(&d->op);
    snprintf(d->size_text, sizeof d->size_text, "%dx%d", d->width, d->height);
    if (*d->seconds_text == 0)
        snprintf(d->seconds_text, sizeof d->seconds_text, "%.10g", round(d->seconds * 100) / 100);
    *job = (Job){.priority = p->priority,
                 .model = strdup(call->server->options->models[d->model].name),
                 .prompt = d->op.prompt != NULL ? strdup(d->op.prompt) : NULL,
                 .size = strdup(d->size_text),
                 .seconds = strdup(d->seconds_text),
                 .request = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL,
                 .source = *d->source != 0 ? strdup(d->source) : NULL,
                 .kind = strdup(d->kind)};
    json_decref(request);
    snprintf(job->key, sizeof job->key, "%s", call->key.id);
    for (int i = 0; i < d->op.input_count; i++)
        inputs[i] = d->op.inputs[i].file;
    JobLimits limits = {p->at_once, p->videos_a_day, p->credits_a_day, plan_credits(p, d->width, d->height, d->seconds)};
    if (job->model == NULL || job->request == NULL || job->kind == NULL || job->size == NULL || job->seconds == NULL)
        return error_no_memory(err);
    if (token != NULL && (strlen(token) > 255 || token[strspn(token, VISIBLE)] != 0)) {
        call_error(call, 400, "invalid_value", "Idempotency-Key", "Idempotency-Key: at most 255 letters, digits and signs");
        return true;
    }
    return (token == NULL || body_hash(call, err)) &&
           store_job_create(call->server->store, job, inputs, &limits, &(JobIdempotency){token, call->hash}, result, err);
}

static void submit(Call *call, Draft *d)
{
    SoraError err = {0};
    Job job = {0};
    JobCreated result;
    settle_size(call, d);
    if (!check_plan(call, d) || !check_steps(call, d))
        return;
    if (!make_job(call, d, &job, &result, &err))
        call_fail(call, &err);
    else if (call->answer.status != 0)
        ; /* refused */
    else if (strcmp(d->kind, "image") == 0 && result <= JOB_REPEATED) {
        call->waits = true;
        snprintf(call->job, sizeof call->job, "%s", job.id);
    } else
        answer_created(call, &job, result);
    job_deinit(&job);
}

/* --- create --- */

static const char *const CREATE[] = {"prompt",          "model",      "seconds", "size",  "input_reference",
                                     "last_reference",  "characters", "seed",    "steps", "guidance_scale",
                                     "negative_prompt", "passages",   NULL};

/* In one run of the model where that is long enough; else in the studio's windows. */
static void fit_seconds(Call *call, Draft *d)
{
    d->op.frames = facts_fit_seconds(&call->server->facts[d->model], d->seconds);
    d->op.seconds = d->op.frames == 0 ? d->seconds : 0;
}

static bool take_passages(Call *call, Draft *d)
{
    const json_t *list = json_object_get(call->fields, "passages");
    size_t n = json_array_size(list);
    if (list != NULL && !json_is_null(list) && (!json_is_array(list) || n > OPERATION_MOST_PASSAGES)) {
        call_error(call, 400, "invalid_value", "passages", "passages: a list of at most %d is expected", OPERATION_MOST_PASSAGES);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *p = json_array_get(list, i);
        const char *text = json_string_value(json_object_get(p, "prompt"));
        double from = 0;
        bool there;
        SoraError err = {0};
        if (text == NULL || *text == 0 || strlen(text) > MOST_PROMPT ||
            !fields_real(p, "from", 0, LONGEST_SECONDS, &from, &there, &err)) {
            call_error(call, 400, "invalid_value", "passages",
                       "passages: each has a prompt and the second from which on it counts");
            return false;
        }
        if (!check_policy(call, "passages", text))
            return false;
        d->op.passages[i].prompt = text;
        d->op.passages[i].from = from;
        d->op.passage_count++;
    }
    return check_together(call, d);
}

/* Does the prompt, or one of the passages, have that name? */
static bool is_named(const Draft *d, const char *name)
{
    bool found = d->op.prompt != NULL && strstr(d->op.prompt, name) != NULL;
    for (int i = 0; i < d->op.passage_count; i++)
        found = found || strstr(d->op.passages[i].prompt, name) != NULL;
    return found;
}

/* The video begins with the first frame of the character's own. */
static bool use_character(Call *call, Draft *d, const char *id)
{
    SoraError err = {0};
    Character c;
    bool found, ok = false;
    int i = d->op.input_count;
    if (!store_character_get(call->server->store, id, call->key.id, &c, &found, &err)) {
        call_fail(call, &err);
        return false;
    }
    if (!found)
        call_not_found(call, "character", id);
    else if (!is_named(d, c.name))
        call_error(call, 400, "invalid_value", "characters", "characters: the prompt does not have the name of the character: %.80s",
                   c.name);
    else
        ok = upload_copy(call, c.file, d->files[i]);
    if (ok)
        d->op.inputs[d->op.input_count++] = (OperationInput){INPUT_FIRST, d->files[i]};
    character_deinit(&c);
    return ok;
}

static bool take_characters(Call *call, Draft *d)
{
    const json_t *list = json_object_get(call->fields, "characters"), *first = json_array_get(list, 0);
    const char *id = json_string_value(json_object_get(first, "id"));
    if (list == NULL || json_is_null(list) || (json_is_array(list) && first == NULL))
        return true;
    if (json_array_size(list) > 1)
        call_error(call, 400, "unsupported_parameter", "characters",
                   "characters: at most one, for its video is what the new one begins with");
    else if (id == NULL)
        call_error(call, 400, "invalid_value", "characters", "characters: a list of one object with the id of a character is expected");
    else if (call_find_file(call, "input_reference") != NULL || json_object_get(call->fields, "input_reference") != NULL)
        call_error(call, 400, "invalid_value", "characters",
                   "characters: a video begins with its character or with its input_reference, not with both");
    else
        return use_character(call, d, id);
    return false;
}

void videos_create(Call *call)
{
    Draft d = {.kind = "video", .seconds = 4, .op = {.kind = OPERATION_GENERATE}};
    bool storyboard = json_array_size(json_object_get(call->fields, "passages")) > 0;
    if (only(call, CREATE) && take_text(call, "prompt", !storyboard, &d.op.prompt) && take_passages(call, &d) &&
        take_model(call, &d) && take_seconds(call, 0.1, LONGEST_SECONDS, &d.seconds) &&
        take_size(call, &d, "720x1280") && take_knobs(call, &d) && take_characters(call, &d) &&
        take_input(call, &d, "input_reference", INPUT_FIRST) &&
        take_input(call, &d, "last_reference", INPUT_LAST)) {
        fit_seconds(call, &d);
        submit(call, &d);
    }
}

/* --- videos of videos --- */

/* What is known of a finished video; its words, where none are sent. */
static void learn(Call *call, Draft *d, const Job *job)
{
    json_t *result = json_loads(job->result != NULL ? job->result : "{}", 0, NULL);
    if (d->op.input_count == 0) { /* the first one's size is one that the model makes */
        d->op.width = (int)json_integer_value(json_object_get(result, "width"));
        d->op.height = (int)json_integer_value(json_object_get(result, "height"));
    }
    d->seconds += json_number_value(json_object_get(result, "length"));
    json_decref(result);
    if (json_object_get(call->fields, "model") == NULL && server_model(call->server, job->model) >= 0)
        d->model = server_model(call->server, job->model);
    if (d->op.prompt == NULL && job->prompt != NULL) {
        snprintf(d->words, sizeof d->words, "%s", job->prompt);
        d->op.prompt = d->words;
    }
    if (*d->source == 0)
        snprintf(d->source, sizeof d->source, "%s", job->id);
}

static void add_earlier(Draft *d, const json_t *text)
{
    const char *s = json_string_value(text);
    for (int i = 0; s != NULL && i < d->op.earlier_count; i++)
        s = strcmp(s, d->op.earlier[i]) == 0 ? NULL : s;
    if (s != NULL && *s != 0 && d->op.earlier_count < OPERATION_MOST_EARLIER)
        d->op.earlier[d->op.earlier_count++] = s;
}

/* All words that led to the video, its own the last ones. */
static void remember(Call *call, Draft *d, const Job *job)
{
    json_t *request = job->request != NULL ? json_loads(job->request, 0, NULL) : NULL;
    const json_t *earlier = json_object_get(request, "earlier"), *passages = json_object_get(request, "passages");
    for (size_t i = 0; i < json_array_size(earlier); i++)
        add_earlier(d, json_array_get(earlier, i));
    add_earlier(d, json_object_get(request, "prompt"));
    for (size_t i = 0; i < json_array_size(passages); i++)
        add_earlier(d, json_object_get(json_array_get(passages, i), "prompt"));
    if (call->kept == NULL)
        call->kept = json_array();
    json_array_append_new(call->kept, request); /* op.earlier's strings are in there */
}

/* A finished video becomes an input: one's own, or one that was published. */
static bool take_video(Call *call, Draft *d, const char *id)
{
    SoraError err = {0};
    Job job;
    bool found, ok = false;
    int i = d->op.input_count;
    if (!store_job_get(call->server->store, id, NULL, &job, &found, &err)) {
        call_fail(call, &err);
        return false;
    }
    if (!found || (strcmp(job.key, call->key.id) != 0 && job.published == 0))
        call_not_found(call, "video", id);
    else if (job.state != JOB_COMPLETED || job.video == NULL)
        call_error(call, 400, "video_not_ready", "video", "the video %.80s is %s", id,
                   job.state == JOB_COMPLETED ? "expired" : job_state_name(job.state));
    else if (i == OPERATION_MOST_INPUTS)
        call_error(call, 400, "invalid_value", "videos", "too many inputs");
    else
        ok = upload_copy(call, job.video, d->files[i]);
    if (ok) {
        learn(call, d, &job);
        remember(call, d, &job);
        d->op.inputs[d->op.input_count++] = (OperationInput){INPUT_VIDEO, d->files[i]};
    }
    job_deinit(&job);
    return ok;
}

static bool take_video_field(Call *call, Draft *d)
{
    const json_t *value = json_object_get(call->fields, "video");
    const char *id = json_string_value(json_object_get(value, "id"));
    if (id != NULL)
        return take_video(call, d, id);
    if (call_find_file(call, "video") != NULL)
        return take_input(call, d, "video", INPUT_VIDEO);
    call_error(call, 400, "missing_required_parameter", "video",
               "video: a file, or an object with the id of a video, is expected");
    return false;
}

static bool take_studio(Call *call, Draft *d)
{
    static const char *const REALS[] = {"strength", "from", "to", "before", "after"};
    double *const values[] = {&d->op.strength, &d->op.from, &d->op.to, &d->op.before, &d->op.after};
    SoraError err = {0};
    bool there;
    for (int i = 0; i < 5; i++)
        if (!fields_real(call->fields, REALS[i], i == 0 ? 0 : -LONGEST_SECONDS, i == 0 ? 1 : LONGEST_SECONDS, values[i], &there,
                         &err))
            return wrong(call, REALS[i], &err);
    const json_t *start = json_object_get(call->fields, "at_start");
    d->op.at_start = json_is_true(start) || (json_is_string(start) && strcmp(json_string_value(start), "true") == 0);
    return take_text(call, "curve", false, &d->op.curve);
}

void videos_remix(Call *call)
{
    static const char *const KNOWN[] = {"prompt", "seed", "steps", "guidance_scale", "negative_prompt", "strength", NULL};
    Draft d = {.kind = "video", .op = {.kind = OPERATION_REMIX, .strength = 0.8}};
    SoraError err = {0};
    bool there;
    if (!only(call, KNOWN) || !take_text(call, "prompt", true, &d.op.prompt) || !take_knobs(call, &d))
        return;
    if (!fields_real(call->fields, "strength", 0, 1, &d.op.strength, &there, &err))
        wrong(call, "strength", &err);
    else if (take_video(call, &d, call->names[0]))
        submit(call, &d);
}

void videos_edit(Call *call)
{
    static const char *const KNOWN[] = {"prompt", "model",          "video",           "mask",     "seed",
                                        "steps",  "guidance_scale", "negative_prompt", "strength", NULL};
    Draft d = {.kind = "video", .op = {.kind = OPERATION_REMIX, .strength = 0.7}};
    SoraError err = {0};
    bool there;
    if (!only(call, KNOWN) || !take_text(call, "prompt", true, &d.op.prompt) || !take_model(call, &d) || !take_knobs(call, &d))
        return;
    if (!fields_real(call->fields, "strength", 0, 1, &d.op.strength, &there, &err)) {
        wrong(call, "strength", &err);
        return;
    }
    if (!take_video_field(call, &d) || !take_input(call, &d, "mask", INPUT_MASK))
        return;
    if (d.op.inputs[d.op.input_count - 1].use == INPUT_MASK)
        d.op.kind = OPERATION_FILL;
    submit(call, &d);
}

void videos_extend(Call *call)
{
    static const char *const KNOWN[] = {"prompt", "model",          "seconds",         "video",    "seed",
                                        "steps",  "guidance_scale", "negative_prompt", "at_start", NULL};
    Draft d = {.kind = "video", .op = {.kind = OPERATION_EXTEND}};
    if (!only(call, KNOWN) || !take_text(call, "prompt", true, &d.op.prompt) || !take_model(call, &d) || !take_knobs(call, &d) ||
        !take_studio(call, &d))
        return;
    if (json_object_get(call->fields, "seconds") == NULL) {
        call_error(call, 400, "missing_required_parameter", "seconds", "seconds: how long the extension is, is missing");
        return;
    }
    if (!take_video_field(call, &d) || !take_seconds(call, 0.1, LONGEST_SECONDS, &d.op.seconds))
        return;
    d.seconds += d.op.seconds; /* of the whole, as OpenAI has it */
    if (d.seconds > LONGEST_SECONDS + 0.5) {
        call_error(call, 400, "invalid_value", "seconds", "seconds: with the extension the video would be longer than %d s",
                   LONGEST_SECONDS);
        return;
    }
    submit(call, &d);
}

/* videos: a list of {"id": ...}; or files video, video_2, and pictures picture_1 ... */
static bool take_videos(Call *call, Draft *d)
{
    const json_t *list = json_object_get(call->fields, "videos");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *id = json_string_value(json_object_get(json_array_get(list, i), "id"));
        if (id == NULL) {
            call_error(call, 400, "invalid_value", "videos", "videos: a list of objects with the id of a video is expected");
            return false;
        }
        if (!take_video(call, d, id))
            return false;
    }
    static const char *const FILES[] = {"video", "video_2"}, *const PICTURES[] = {"picture_1", "picture_2", "picture_3",
                                                                                  "picture_4"};
    for (int i = 0; i < 2; i++)
        if (!take_input(call, d, FILES[i], INPUT_VIDEO))
            return false;
    for (int i = 0; i < 4; i++)
        if (!take_input(call, d, PICTURES[i], INPUT_FIRST))
            return false;
    return take_input(call, d, "mask", INPUT_MASK);
}

void videos_studio(Call *call)
{
    static const char *const KNOWN[] = {
        "operation", "prompt", "model",     "seconds",   "size",      "seed",      "steps", "guidance_scale", "negative_prompt",
        "strength",  "from",   "to",        "before",    "after",     "at_start",  "curve", "videos",         "video",
        "video_2",   "mask",   "picture_1", "picture_2", "picture_3", "picture_4", NULL};
    Draft d = {.kind = "video", .op = {.strength = 0.8}};
    char buffer[32];
    const char *name = fields_text(call->fields, "operation", buffer);
    if (!only(call, KNOWN))
        return;
    if (!operation_find(name, &d.op.kind)) {
        call_error(call, 400, "invalid_value", "operation",
                   "operation: extend, loop, blend, remix, fill, interpolate or recut is expected");
        return;
    }
    if (!take_text(call, "prompt", false, &d.op.prompt) || !take_model(call, &d) || !take_knobs(call, &d) ||
        !take_studio(call, &d) || !take_videos(call, &d) || !take_seconds(call, 0, LONGEST_SECONDS, &d.op.seconds))
        return;
    if (json_object_get(call->fields, "size") != NULL && !take_size(call, &d, NULL))
        return;
    d.seconds += d.op.kind == OPERATION_RECUT ? d.op.before + d.op.after : d.op.seconds;
    submit(call, &d);
}

/* --- one frame --- */

void images_generate(Call *call)
{
    static const char *const KNOWN[] = {"prompt",         "model",           "size", "n", "response_format", "seed", "steps",
                                        "guidance_scale", "negative_prompt", NULL};
    Draft d = {.kind = "image", .op = {.kind = OPERATION_GENERATE, .picture = true, .frames = 1}};
    SoraError err = {0};
    int64_t n = 1;
    bool there;
    char buffer[32];
    const char *format = fields_text(call->fields, "response_format", buffer);
    if (!only(call, KNOWN) || !take_text(call, "prompt", true, &d.op.prompt) || !take_model(call, &d))
        return;
    if (format != NULL && strcmp(format, "b64_json") != 0)
        call_error(call, 400, "invalid_value", "response_format", "response_format: only b64_json is possible");
    else if (!fields_int(call->fields, "n", 1, 1, &n, &there, &err))
        wrong(call, "n", &err);
    else if (take_size(call, &d, "1024x1024") && take_knobs(call, &d))
        submit(call, &d);
}

/* --- live --- */

bool videos_read_live(Call *call, Operation *operation, int *model)
{
    static const char *const KNOWN[] = {"prompt", "model", "size", "seed", "steps", "guidance_scale", "negative_prompt", NULL};
    Draft d = {.kind = "video", .op = *operation};
    if (!only(call, KNOWN) || !take_text(call, "prompt", true, &d.op.prompt) || !take_model(call, &d) || !take_knobs(call, &d) ||
        (json_object_get(call->fields, "size") != NULL && !take_size(call, &d, NULL)))
        return false;
    settle_size(call, &d);
    d.seconds = LIVE_SECONDS;
    if (!check_plan(call, &d))
        return false;
    *operation = d.op;
    *model = d.model;
    return true;
}

bool videos_read_words(Call *call, const char **prompt)
{
    static const char *const KNOWN[] = {"prompt", NULL};
    return only(call, KNOWN) && take_text(call, "prompt", true, prompt);
}
