/* A fixture's tensors and metadata, for the golden cases of the networks. */
#ifndef SORA_TESTS_FIXTURE_H
#define SORA_TESTS_FIXTURE_H

#include <jansson.h>
#include <stdbool.h>
#include "tensor/params.h"

typedef struct Fixture {
    ParamSource source; /* the tensors as a network's parameters */
    char *bytes;
    size_t size, start; /* of the data, after the header */
    json_t *header;
    char path[512];
} Fixture;

/* DIR/NAME.KIND.safetensors, or DIR/NAME.safetensors when kind is NULL; false, and a line on stderr unless it is just not there. */
bool fixture_open(Fixture *f, const char *dir, const char *name, const char *kind);
void fixture_close(Fixture *f);

/* Data NULL and no dimensions when there is none of that name. */
Tensor fixture_tensor(const Fixture *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The JSON text that the metadata holds under key, parsed; NULL when there is none. json_decref() it. */
json_t *fixture_metadata(const Fixture *f, const char *key);

#endif
