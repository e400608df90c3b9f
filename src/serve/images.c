#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

#include "serve/server.h"
#include "serve/videos.h"
#include "store/files.h"

enum { MOST_PICTURE = 64 << 20 };

/* Base64; free() it. */
static char *encode(int fd, int64_t size)
{
    unsigned char *data = size > 0 && size <= MOST_PICTURE ? malloc((size_t)size) : NULL;
    char *text = data != NULL ? malloc(((size_t)size + 2) / 3 * 4 + 1) : NULL;
    if (text != NULL && pread(fd, data, (size_t)size, 0) == size)
        EVP_EncodeBlock((unsigned char *)text, data, (int)size);
    else {
        free(text);
        text = NULL;
    }
    free(data);
    return text;
}

static void answer_picture(Call *call, const Job *job)
{
    SoraError err = {0};
    int64_t size = 0;
    int fd = job->video != NULL ? store_file_open(call->server->store, job->video, &size, &err) : -1;
    char *text = fd >= 0 ? encode(fd, size) : NULL;
    if (fd >= 0)
        close(fd);
    if (text != NULL)
        call_json(call, 200,
                  json_pack("{sI s[{ss}] ss ss}", "created", (json_int_t)(job->completed / 1000), "data", "b64_json", text,
                            "output_format", "png", "size", job->size));
    else
        call_fail(call, &err);
    free(text);
}

void images_answer(Call *call, const Job *job)
{
    bool found;
    if (job->state == JOB_COMPLETED)
        answer_picture(call, job);
    else
        call_error(call, 500, job->error_code, NULL, "%s",
                   job->error_message != NULL ? job->error_message : "the picture could not be made");
    if (job->state != JOB_COMPLETED || call->answer.status == 200) /* else it is still there, to be asked for again */
        store_job_delete(call->server->store, job->id, NULL, &found, NULL);
}
