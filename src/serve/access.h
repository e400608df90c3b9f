/* Who asks, and may they? */
#ifndef SORA_SERVE_ACCESS_H
#define SORA_SERVE_ACCESS_H

#include "serve/call.h"

/* Finds the call's key, checks scope (NULL: none is needed), Origin, and the limit of requests. Fills the answer when it is
 * refused; the rate-limit headers in any case. */
void access_check(Call *call, const char *scope);

/* The plan of the call's key. */
const struct Plan *access_plan(const Call *call);

/* A call whose job is not over waits here, and is answered when it is. */
struct Waiter;
void waiter_add(struct Waiter *waiter, Call *call);

#endif
