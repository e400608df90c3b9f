/* Work in a child process that sends what it makes through a pipe: what may crash, or take more memory or time than
 * anybody has, takes only the child with it. Private to src/media.
 *
 * The child is a copy of this process (fork), so it may use what the caller has. It must end by sending MESSAGE_END or an
 * error; child_run does that from work's result. It never returns to the caller's code, and runs no exit handlers. */
#ifndef SORA_MEDIA_CHILD_H
#define SORA_MEDIA_CHILD_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

typedef enum MessageKind { MESSAGE_END, MESSAGE_ERROR, MESSAGE_SIZE, MESSAGE_DATA } MessageKind;

/* What goes through the pipe, followed by `bytes` bytes. The reader trusts none of it. */
typedef struct Message {
    MessageKind kind;
    int width, height;
    double fps;
    unsigned traits; /* of a video */
    uint64_t bytes;
    SoraError error;
} Message;

typedef struct Outlet {
    int pipe;
} Outlet;

/* For the child. False when nobody reads any more. */
bool outlet_send(const Outlet *out, const Message *message, const void *data);
bool outlet_append(const Outlet *out, const void *data, size_t size); /* more of a message's bytes */

typedef struct ChildPlan {
    bool (*work)(void *user, const Outlet *out, SoraError *err); /* runs in the child */
    void *user;
    const char *path;   /* of what is decoded, for messages */
    size_t memory;      /* bytes that the child may take beyond what this process has */
    int seconds;        /* of processor time */
} ChildPlan;

typedef struct Child Child;

/* plan and what it points to must stay until child_end(). NULL on failure. */
Child *child_start(const ChildPlan *plan, SoraError *err);

/* The next message, without its bytes. An error that the child sent, or its death, is the failure here: a crash is
 * SORA_ERROR_INPUT, for the file is the cause. */
bool child_receive(Child *c, Message *message, SoraError *err);
/* Bytes of the message; all must be read before the next one. */
bool child_read(Child *c, void *data, size_t size, SoraError *err);
/* Ends it, whatever it is doing. NULL is allowed. */
void child_end(Child *c);

#endif
