/* sora serve: OpenAI's Videos API over HTTP, on jobs in a store.
 *
 *     client -> http.c -> routes.c -> videos.c ... -> store <- worker.c -> engine_child.c = pipe = engine_main.c -> sora.h
 *
 * Nothing in this process makes videos or decodes what users send: each of the worker's slots has a child process with an
 * engine in it, which stays from job to job. */
#ifndef SORA_SERVE_SERVE_H
#define SORA_SERVE_SERVE_H

#include "base/error.h"

enum { SERVE_MOST_MODELS = 8 };

/* A name that clients know, and what is behind it. */
typedef struct ServeModel {
    const char *name; /* "sora-2" */
    const char *path; /* as sora_engine_open() has it */
} ServeModel;

typedef struct ServeOptions {
    const char *host;                     /* an address; NULL: 127.0.0.1 */
    int port;                             /* 0: any that is free, which is said */
    const char *data;                     /* folder for everything that is kept */
    const char *store, *files;            /* postgres:// and s3:// in place of what is in it; NULL: they are in it */
    ServeModel models[SERVE_MOST_MODELS]; /* the first one is for requests that name none */
    int model_count;
    const char *plans, *policy, *credentials; /* files and a folder; NULL: built-in, embedded, the user's own */
    int jobs;                                 /* at once; 0: this process takes none */
    int threads;                              /* of each engine; 0: all cores */
    size_t job_memory;                        /* bytes of address space of each engine; 0: no limit */
    int job_seconds;                          /* after which one is ended; 0: never */
    int keep_hours;                           /* until a result's files go; 0: never */
    int live;                                 /* videos made live at the same time; 0: none */
    int grace;                                /* seconds that running jobs get when the server stops */
    int tell_prompt;                          /* TELL_NOWHERE ... */
    bool private_urls;                        /* webhooks and image_url may reach addresses that are not public */
    bool no_http;                             /* a worker */
    int log;                                  /* LOG_ALL ... */
    const char *web;                          /* folder of the page, to work on it; NULL: the one that is built in */
    const char *engine_program; /* whose first argument ENGINE_COMMAND makes an engine's process of it; NULL: this program */
} ServeOptions;

enum { TELL_NOWHERE, TELL_METADATA, TELL_SIGNED };

/* Serves until SIGTERM or SIGINT. False when it could not begin. */
bool serve_run(const ServeOptions *options, SoraError *err);

/* What the child process of a slot runs, with the pipe as descriptor 3. Never part of the help. */
#define ENGINE_COMMAND "engine-process"
int engine_main(int argc, char **argv);

#endif
