/* Videos that never end (sora_live()), made while they are watched: a process of its own for each, on the server that was asked, and
 * no job. Frames are JPEG pictures, sent one after the other (multipart/x-mixed-replace) at the video's rate, as an <img> shows them.
 *
 * One ends when it is deleted, when nobody has watched for LIVE_IDLE_SECONDS, after LIVE_SECONDS, or with its key. */
#ifndef SORA_SERVE_LIVE_H
#define SORA_SERVE_LIVE_H

#include <stdint.h>
#include "serve/server.h"

enum { LIVE_SECONDS = 3600, LIVE_IDLE_SECONDS = 10 };

typedef struct Live Live;

Lives *lives_new(Server *server); /* NULL: no memory */
/* Ends all of them; before the HTTP side stops. To be freed afterwards. */
void lives_stop(Lives *lives);
void lives_free(Lives *lives); /* NULL is allowed */

void live_create(Call *call);
void live_change(Call *call);
void live_watch(Call *call);
void live_end(Call *call);

/* The answer of live_watch(), for the HTTP side: more of it, and that nobody reads it any more. */
ssize_t live_read(void *live, uint64_t at, char *buffer, size_t size);
void live_leave(void *live);

#endif
