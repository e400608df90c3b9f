/* The slots that make jobs: a thread and an engine's process each. */
#ifndef SORA_SERVE_WORKER_H
#define SORA_SERVE_WORKER_H

#include "serve/server.h"

typedef struct Worker Worker;

/* Opens every model once, which fills server->facts, and begins. NULL on failure: a model that does not open. */
Worker *worker_start(Server *server, SoraError *err);

/* Jobs that are not over after so many seconds are handed back. */
void worker_stop(Worker *worker, int grace);

#endif
