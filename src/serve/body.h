/* The body of a request, as it comes: JSON or a form, into a Call's fields and files. */
#ifndef SORA_SERVE_BODY_H
#define SORA_SERVE_BODY_H

#include "serve/call.h"

enum { BODY_MOST_TEXT = 32 << 20 };          /* bytes of JSON, or of all text of a form */
#define BODY_MOST_FILES ((int64_t)512 << 20) /* bytes of the files of a form */
#define BODY_MEMORY ((int64_t)256 << 20)     /* bytes that bodies of all requests may have in memory */
#define BODY_DISK ((int64_t)16 << 30)        /* and on the disk */

typedef struct Body Body;

/* *status: 0, or why the body cannot be taken: 415, 413, 503, with *err. NULL then. */
Body *body_begin(Call *call, const char *folder, int *status, SoraError *err);
/* False: it is wrong or too much; *status and *err say how. Nothing more is looked at then. */
bool body_add(Body *body, const char *data, size_t size, int *status, SoraError *err);
bool body_end(Body *body, int *status, SoraError *err);
void body_free(Body *body);

/* Call.hash: of the fields and files, however they were sent. */
bool body_hash(Call *call, SoraError *err);

/* Removes the call's files. */
void call_drop_files(Call *call);

#endif
