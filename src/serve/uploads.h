/* Files that users send or point at: fetched, looked at in a child process with limits, and stored. */
#ifndef SORA_SERVE_UPLOADS_H
#define SORA_SERVE_UPLOADS_H

#include "serve/call.h"
#include "serve/operation.h"

/* An input of the operation from the field of that name: a file of the form, or an object with image_url. *there: was it sent?
 * False: the answer is filled. name: of the file in the store. */
bool upload_take(Call *call, const char *field, InputUse use, char name[STORE_ID_SIZE], bool *there);

/* A copy of a job's video, which stays whatever becomes of that job. False: the answer is filled. */
bool upload_copy(Call *call, const char *file, char name[STORE_ID_SIZE]);

#endif
