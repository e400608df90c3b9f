/* A backend that runs every node several times and compares: the reference, and the level under test with one
 * thread and with several. Inputs are given at odd addresses, outputs lie between canaries. */
#ifndef TESTS_OP_CHECKED_H
#define TESTS_OP_CHECKED_H

#include "cpu/backend.h"

typedef struct Checked {
    Backend base; /* first: graphs take it */
    Backend *reference, *one, *many;
    int nodes; /* run so far */
    bool failed;
    char message[400]; /* the first difference */
} Checked;

/* false and a message on stderr when a backend cannot be made. */
bool checked_init(Checked *c, const char *level, SoraPrecision precision);
void checked_deinit(Checked *c);

#endif
