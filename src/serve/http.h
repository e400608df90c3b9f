/* The HTTP side: connections, bodies, answers. Everything that a client sends has a limit: the size of headers and bodies, the
 * number of connections, the time that each part of a request may take, the memory that all bodies have together. */
#ifndef SORA_SERVE_HTTP_H
#define SORA_SERVE_HTTP_H

#include "serve/server.h"

typedef struct Http Http;

/* Listens. *port: where. NULL on failure. */
Http *http_start(Server *server, int *port, SoraError *err);
/* No new connections; those that are open are answered and closed. */
void http_stop(Http *http);

/* Closes connections that have taken too long; to be called every second or so. */
void http_sweep(Http *http);

/* From any thread: the answer of a call that waited is there. */
void http_resume(struct MHD_Connection *connection);

#endif
