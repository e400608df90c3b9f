/* What the processes that this one starts see of its environment: nothing that opens a storage or a database, for they decode
 * files of strangers. */
#ifndef SORA_SERVE_ENVIRONMENT_H
#define SORA_SERVE_ENVIRONMENT_H

/* The environment without AWS_... and PG...; free() it, not what it points to. NULL: no memory. */
char **environment_for_children(void);

#endif
