/* All addresses of the API in one table, from which requests find their function and GET /openapi.json is made. */
#ifndef SORA_SERVE_ROUTES_H
#define SORA_SERVE_ROUTES_H

#include "serve/call.h"

typedef struct Route {
    const char *method;
    const char *path;  /* "/v1/videos/{video_id}": what is in braces matches one part, which is in Call.names */
    const char *scope; /* that a key must have: "videos", "admin"; NULL: no key is needed */
    void (*run)(Call *call);
    const char *id;      /* operationId */
    const char *summary; /* for people */
    const char *body;    /* name of the schema of what is sent; NULL: nothing is */
    const char *answer;  /* name of the schema of the answer; NULL: no JSON */
} Route;

extern const Route ROUTES[]; /* ends with method NULL */

typedef enum RouteFound { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD } RouteFound;

/* The parts of path that names gets are copied into buffer, which must be as long as path and one byte more. */
RouteFound route_find(const char *method, const char *path, const Route **route, const char *names[CALL_MOST_NAMES],
                      char *buffer);

#endif
