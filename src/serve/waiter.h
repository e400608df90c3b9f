/* Calls whose answer is a finished job: their connections sleep, and one thread looks after their jobs. */
#ifndef SORA_SERVE_WAITER_H
#define SORA_SERVE_WAITER_H

#include "serve/server.h"

Waiter *waiter_start(Server *server, SoraError *err);
/* Every call that waits is answered: the job goes on. Before the HTTP side stops; to be freed afterwards. */
void waiter_stop(Waiter *waiter);
void waiter_free(Waiter *waiter);

#endif
