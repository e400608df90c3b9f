/* Threads for requests that take long (files are decoded and stored), so that those of the HTTP library go on reading and
 * answering: the connection sleeps meanwhile. */
#ifndef SORA_SERVE_OFFLOAD_H
#define SORA_SERVE_OFFLOAD_H

#include "serve/call.h"

typedef struct Offload Offload;

enum { OFFLOAD_THREADS = 4 };

Offload *offload_start(SoraError *err);
/* Every call that was added is answered first; what is added afterwards is refused. To be freed when the HTTP side has stopped.
 */
void offload_stop(Offload *offload);
void offload_free(Offload *offload);

/* Runs call->run in another thread, then wakes the connection, which must sleep. */
void offload_add(Offload *offload, Call *call);

#endif
