/* The files that another was made from: read, validated, and made ready to be named in its manifest. */
#ifndef SORA_CREDENTIALS_INPUTS_H
#define SORA_CREDENTIALS_INPUTS_H

#include <sys/stat.h>
#include "credentials/manifest.h"
#include "credentials/verify.h"

enum { INPUTS_MAX = 64 };

/* One of them, as it was when it was opened; it stays open. */
typedef struct InputFile {
    char *path, *title;
    Verification verification; /* what the ingredient points into */
    Bytes results;
    struct stat identity;
} InputFile;

struct SoraInputs {
    int count;
    InputFile files[INPUTS_MAX];
    Ingredient ingredients[INPUTS_MAX];
    Span *manifests; /* of all inputs, each once */
    size_t manifest_count;
};

#endif
