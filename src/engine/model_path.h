/* Where a model is that is asked for by name. */
#ifndef SORA_ENGINE_MODEL_PATH_H
#define SORA_ENGINE_MODEL_PATH_H

#include "base/error.h"

/* A model's folder, or its only file. A name with a slash in it, or of a folder or of a file of weights, is a path. Another
 * is looked for in ./models, in the folder that `make install` fills, and beside this library or program (../models,
 * ../share/sora/models). NULL: $SORA_MODEL, else "nano". Heap; NULL with SORA_ERROR_NOT_FOUND. */
char *model_path_find(const char *name, SoraError *err);

#endif
