#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/serve_place.h"
#include "serve/serve.h"

typedef struct ServeArgs {
    const char *host, *data, *store, *files, *plans, *policy, *credentials, *web, *memory;
    OptionList models;
    int port, jobs, live, threads, job_seconds, keep_hours, grace, tell_prompt, log;
    bool private_urls;
} ServeArgs;

static const ServeArgs defaults = {.port = 8080, .jobs = 1, .live = 1, .keep_hours = 168, .grace = 30, .log = 0};

#define COMMON_OPTIONS                                                                                                           \
    {'m',                                                                                                                        \
     "model",                                                                                                                    \
     OPTION_LIST,                                                                                                                \
     offsetof(ServeArgs, models),                                                                                                \
     "[NAME=]DIR",                                                                                                               \
     .help = "a model, under the name that clients know; without NAME= it is sora-2, sora-2-pro and its own (default: nano)"},   \
        {0,                                                                                                                      \
         "data",                                                                                                                 \
         OPTION_STRING,                                                                                                          \
         offsetof(ServeArgs, data),                                                                                              \
         "DIR",                                                                                                                  \
         .help = "where everything is kept (default: sora/serve in the user's data folder)"},                                    \
        {0,                                                                                                                      \
         "store",                                                                                                                \
         OPTION_STRING,                                                                                                          \
         offsetof(ServeArgs, store),                                                                                             \
         "URL",                                                                                                                  \
         .help = "postgres://USER:PASSWORD@HOST/NAME, for several servers and workers (default: SQLite in --data)"},             \
        {0,                                                                                                                      \
         "files",                                                                                                                \
         OPTION_STRING,                                                                                                          \
         offsetof(ServeArgs, files),                                                                                             \
         "PLACE",                                                                                                                \
         .help = "where videos and uploads are: a folder, or s3://BUCKET/PREFIX with the usual AWS_... variables "               \
                 "(default: files in --data)"},                                                                                  \
        {0,                                                                                                                      \
         "jobs",                                                                                                                 \
         OPTION_INT,                                                                                                             \
         offsetof(ServeArgs, jobs),                                                                                              \
         "N",                                                                                                                    \
         .help = "videos made at the same time, each in a process of its own "                                                   \
                 "(default 1)",                                                                                                  \
         .min = 0,                                                                                                               \
         .max = 64},                                                                                                             \
        {0,          "threads",                                                                                                  \
         OPTION_INT, offsetof(ServeArgs, threads),                                                                               \
         "N",        .help = "of each of these processes; 0: all cores (default)",                                               \
         .min = 0,   .max = 4096},                                                                                               \
        {0,                                                                                                                      \
         "job-memory",                                                                                                           \
         OPTION_STRING,                                                                                                          \
         offsetof(ServeArgs, memory),                                                                                            \
         "SIZE",                                                                                                                 \
         .help = "of addresses that each may take, such as 6G; one that wants more fails, and the server does not"},             \
        {0,                                                                                                                      \
         "job-seconds",                                                                                                          \
         OPTION_INT,                                                                                                             \
         offsetof(ServeArgs, job_seconds),                                                                                       \
         "N",                                                                                                                    \
         .help = "after which a video is given up; 0: never "                                                                    \
                 "(default)",                                                                                                    \
         .min = 0,                                                                                                               \
         .max = 10000000},                                                                                                       \
        {0,          "keep-hours",                                                                                               \
         OPTION_INT, offsetof(ServeArgs, keep_hours),                                                                            \
         "N",        .help = "how long finished videos are kept (default 168); 0: until they are deleted",                       \
         .min = 0,   .max = 1000000},                                                                                            \
        {0,                                                                                                                      \
         "grace",                                                                                                                \
         OPTION_INT,                                                                                                             \
         offsetof(ServeArgs, grace),                                                                                             \
         "SECONDS",                                                                                                              \
         .help = "for what is being made when the server stops; what is not finished by then is handed back (default 30)",       \
         .min = 0,                                                                                                               \
         .max = 86400},                                                                                                          \
        {0,                                                                                                                      \
         "credentials",                                                                                                          \
         OPTION_STRING,                                                                                                          \
         offsetof(ServeArgs, credentials),                                                                                       \
         "DIR",                                                                                                                  \
         .help = "keys that sign the videos (default: the "                                                                      \
                 "user's own)"},                                                                                                 \
        {0,                                                                                                                      \
         "tell-prompt",                                                                                                          \
         OPTION_CHOICE,                                                                                                          \
         offsetof(ServeArgs, tell_prompt),                                                                                       \
         .help =                                                                                                                 \
             "where everybody can read the prompt: nowhere in the file (default), in its metadata, or there and in the signed "  \
             "manifest",                                                                                                         \
         .choices = "nowhere|metadata|signed"},                                                                                  \
    {                                                                                                                            \
        0, "log", OPTION_CHOICE, offsetof(ServeArgs, log),                                                                       \
            .help = "lines of JSON on stderr: one for each request and job (default), "                                          \
                    "only what went wrong, or none",                                                                             \
            .choices = "all|errors|none"                                                                                         \
    }

static const Option serve_options[] = {
    {0, "host", OPTION_STRING, offsetof(ServeArgs, host), "ADDRESS",
     .help = "127.0.0.1 (default), ::1, or an address that others reach, which needs a key"},
    {'p', "port", OPTION_INT, offsetof(ServeArgs, port), "N", .help = "default 8080; 0: a free one, which is printed", .min = 0,
     .max = 65535},
    COMMON_OPTIONS,
    {0, "plans", OPTION_STRING, offsetof(ServeArgs, plans), "FILE", .help = "what keys may do, by plan (docs/server.md)"},
    {0, "policy", OPTION_STRING, offsetof(ServeArgs, policy), "FILE",
     .help = "rules that add to the lists or switch parts off (docs/safety.md)"},
    {0, "live", OPTION_INT, offsetof(ServeArgs, live), "N",
     .help = "live videos made at the same time, each in a process of its own beside the jobs (default 1)", .min = 0, .max = 64},
    {0, "private-urls", OPTION_FLAG, offsetof(ServeArgs, private_urls),
     .help = "webhooks and image_url may reach addresses of this machine and of private networks"},
    {0, "web", OPTION_STRING, offsetof(ServeArgs, web), "DIR", .help = "the page's files from there, to work on them"},
    {0},
};

static const Option worker_options[] = {COMMON_OPTIONS, {0}};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL && slash[1] != 0 ? slash + 1 : path;
}

static bool add_model(ServeOptions *o, const char *name, const char *path, SoraError *err)
{
    for (int i = 0; i < o->model_count; i++)
        if (strcmp(o->models[i].name, name) == 0)
            return error_set(err, SORA_ERROR_INPUT, "--model: \"%.60s\" is named twice", name);
    if (o->model_count == SERVE_MOST_MODELS)
        return error_set(err, SORA_ERROR_INPUT, "--model: more than %d names", SERVE_MOST_MODELS);
    o->models[o->model_count++] = (ServeModel){name, path};
    return true;
}

/* copies: of the names before "=", which are the caller's to free. */
static bool name_models(ServeOptions *o, const OptionList *list, char *copies[OPTION_LIST_MAX], SoraError *err)
{
    static const char *const NANO[] = {"nano", NULL};
    int bare = 0;
    for (const char *const *m = list->items[0] != NULL ? list->items : NANO; *m != NULL; m++) {
        const char *equals = strchr(*m, '=');
        if (equals == NULL && bare++ > 0)
            return error_set(err, SORA_ERROR_INPUT, "--model %.60s: of several models only one can do without NAME=", *m);
        if (equals != NULL) {
            char *name = copies[m - list->items] = strndup(*m, (size_t)(equals - *m));
            if (name == NULL)
                return error_no_memory(err);
            if (*name == 0 || equals[1] == 0 || strpbrk(name, " /\"{}") != NULL)
                return error_set(err, SORA_ERROR_INPUT, "--model %.60s: NAME=DIR is expected", *m);
            if (!add_model(o, name, equals + 1, err))
                return false;
        } else if (!add_model(o, "sora-2", *m, err) || !add_model(o, "sora-2-pro", *m, err) ||
                   !add_model(o, base_name(*m), *m, err)) {
            return false;
        }
    }
    return true;
}

static bool serve(const ServeArgs *a, bool no_http, SoraError *err)
{
    char *copies[OPTION_LIST_MAX] = {NULL}, *data = serve_data(a->data, err);
    ServeOptions o = {.host = a->host,
                      .port = a->port,
                      .data = data,
                      .store = a->store,
                      .files = a->files,
                      .plans = a->plans,
                      .policy = a->policy,
                      .credentials = a->credentials,
                      .jobs = a->jobs,
                      .live = a->live,
                      .threads = a->threads,
                      .job_seconds = a->job_seconds,
                      .keep_hours = a->keep_hours,
                      .grace = a->grace,
                      .tell_prompt = a->tell_prompt,
                      .private_urls = a->private_urls,
                      .no_http = no_http,
                      .log = a->log,
                      .web = a->web};
    bool ok = data != NULL && parse_bytes("--job-memory", a->memory, &o.job_memory, err) &&
              name_models(&o, &a->models, copies, err) && serve_run(&o, err);
    for (int i = 0; i < OPTION_LIST_MAX; i++)
        free(copies[i]);
    free(data);
    return ok;
}

static bool run_serve(const void *values, char **arguments, int count, SoraError *err)
{
    return serve(values, false, err);
}

static bool run_worker(const void *values, char **arguments, int count, SoraError *err)
{
    const ServeArgs *a = values;
    if (a->store == NULL)
        return error_set(err, SORA_ERROR_INPUT,
                         "--store postgres://... is missing: a worker takes jobs from the database of a server");
    if (a->jobs == 0)
        return error_set(err, SORA_ERROR_INPUT, "--jobs 0: a worker takes at least one");
    return serve(a, true, err);
}

const Command CMD_SERVE = {
    .name = "serve",
    .summary = "OpenAI's Videos API, and a page, over HTTP",
    .description =
        "Answers the requests that OpenAI's Videos API answered: create, retrieve, list, delete, content, remix, edits, "
        "extensions, characters; and images/generations. Programs that use OpenAI's libraries need only another base URL. "
        "Without keys it listens on this machine alone; sora keys create makes one. SIGTERM and Ctrl-C let running jobs finish.",
    .examples = "  sora serve\n"
                "  sora serve --host 0.0.0.0 -m sora-2=nano -m sora-2-pro=Wan2.1-T2V-1.3B\n"
                "  sora serve --store postgres://sora@db/sora --jobs 0\n"
                "  curl http://127.0.0.1:8080/v1/videos -F prompt=\"a red balloon floats up\"\n",
    .options = serve_options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .run = run_serve,
};

const Command CMD_WORKER = {
    .name = "worker",
    .summary = "make the videos of a server that runs elsewhere",
    .description =
        "Takes jobs from the PostgreSQL database of one or more sora serve, and answers no requests itself. The files of the "
        "jobs must be in a folder that all of them have (--data on a shared file system).",
    .examples = "  sora worker --store postgres://sora@db/sora --data /shared/sora\n",
    .options = worker_options,
    .defaults = &defaults,
    .size = sizeof defaults,
    .run = run_worker,
};
