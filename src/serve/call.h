/* One request and its answer, as the functions of the API see them. */
#ifndef SORA_SERVE_CALL_H
#define SORA_SERVE_CALL_H

#include <jansson.h>
#include <microhttpd.h>
#include "base/error.h"
#include "store/keys.h"

typedef struct Server Server;

enum { CALL_MOST_FILES = 8, CALL_MOST_NAMES = 2, ANSWER_MOST_HEADERS = 12 };

/* A file of a form, in a folder of the server's own. */
typedef struct CallFile {
    char field[64];
    char *path; /* removed with the call, unless it was stored */
    int64_t size;
} CallFile;

typedef struct Answer {
    int status;
    json_t *json;
    char *text; /* in place of it */
    size_t text_size;
    const void *fixed; /* bytes that stay, fixed_size of them, in place of these */
    size_t fixed_size;
    int fd; /* a file, or -1 */
    int64_t size, first, last, offset; /* of all of it; the bytes that are sent; where they begin in fd */
    bool bare; /* a file's headers alone */
    struct Live *live; /* that is watched, in place of all this; NULL: none */
    const char *type;
    char etag[STORE_ID_SIZE + 4];
    struct {
        const char *name;
        char value[256];
    } headers[ANSWER_MOST_HEADERS];
    int header_count;
} Answer;

typedef struct Call {
    Server *server;
    struct MHD_Connection *connection;
    const char *method, *path;
    char id[STORE_ID_SIZE]; /* x-request-id */
    double began;
    ApiKey key;                         /* of who asks */
    const char *names[CALL_MOST_NAMES]; /* parts of the path: /v1/videos/{0} */
    json_t *fields;                     /* an object, empty when nothing was sent */
    json_t *kept;                       /* freed with the call; NULL: nothing */
    CallFile files[CALL_MOST_FILES];
    int file_count;
    char hash[65]; /* SHA-256 of the body */
    Answer answer;
    bool waits; /* the answer comes when this job is over, from the waiter */
    char job[STORE_ID_SIZE];
    bool offloaded; /* run() is called by a thread of serve/offload.h */
    void (*run)(struct Call *call);
    struct Call *next; /* there */
} Call;

const char *call_header(const Call *call, const char *name); /* NULL: not sent */
const char *call_query(const Call *call, const char *name);

void call_json(Call *call, int status, json_t *json); /* takes json; NULL: no memory */
/* type: call_type() of the status, unless another is meant. param, code: NULL is allowed. */
void call_error(Call *call, int status, const char *code, const char *param, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* An error of ours: logged in full; who asks is told what helps and no more. */
void call_fail(Call *call, const SoraError *err);
/* A file of the store, or the part of it that is asked for. */
void call_file(Call *call, const char *name, const char *type);
void call_text(Call *call, char *text, const char *type);              /* takes text */
void call_add_header(Call *call, const char *name, const char *value); /* name: a constant */
void call_not_found(Call *call, const char *what, const char *id);

/* The file of that field; NULL: none. */
CallFile *call_find_file(Call *call, const char *field);

#endif
