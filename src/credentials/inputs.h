/* The files that another was made from: read, validated, and made ready to be named in its manifest. */
#ifndef SORA_CREDENTIALS_INPUTS_H
#define SORA_CREDENTIALS_INPUTS_H

#include "credentials/manifest.h"
#include "credentials/verify.h"

typedef struct Inputs {
    Ingredient *ingredients;
    Verification *files; /* what the ingredients point into */
    Bytes *results;
    char **titles;
    size_t count;
    Span *manifests; /* of all inputs, each once */
    size_t manifest_count;
} Inputs;

/* inputs_close() also after a failure. */
bool inputs_open(Inputs *in, const SoraInput *list, int count, SoraError *err);
void inputs_close(Inputs *in);

#endif
