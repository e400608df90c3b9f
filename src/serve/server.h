/* What all functions of the server share; it does not change once the server listens, but for what has a lock of its own. */
#ifndef SORA_SERVE_SERVER_H
#define SORA_SERVE_SERVER_H

#include <stdatomic.h>
#include "policy/policy.h"
#include "serve/call.h"
#include "serve/engine_child.h"
#include "serve/limiter.h"
#include "serve/metrics.h"
#include "serve/plans.h"
#include "serve/serve.h"
#include "serve/status_cache.h"
#include "store/store.h"

typedef struct Waiter Waiter;
typedef struct Lives Lives;

struct Server {
    const ServeOptions *options;
    Store *store;
    Policy *policy;
    Plans *plans;
    ModelFacts facts[SERVE_MOST_MODELS]; /* of options->models */
    Metrics metrics;
    Limiter *limiter;
    struct KeyCache *keys;
    StatusCache *statuses;
    struct Offload *offload;
    Lives *lives;
    Waiter *waiter; /* who answers calls whose job is not over */
    char *uploads;  /* folder for what is being sent */
    bool loopback;  /* nobody else can reach it */
    atomic_bool stopping;
};

/* Index of the model that a client calls so; NULL: the first. -1: there is none. */
int server_model(const Server *server, const char *name);

#endif
