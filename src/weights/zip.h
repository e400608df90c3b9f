/* A zip file whose entries are stored, not compressed, so that they can be used where they are mapped: the
 * container of PyTorch's files. The directory is hostile until checked. */
#ifndef SORA_WEIGHTS_ZIP_H
#define SORA_WEIGHTS_ZIP_H

#include <stdint.h>
#include "base/arena.h"
#include "weights/message.h"

typedef struct ZipEntry {
    const char *name; /* in the arena; no 0 inside */
    const uint8_t *data;
    size_t size;
} ZipEntry;

typedef struct Zip {
    ZipEntry *entries; /* sorted by name; in the arena */
    int count;
} Zip;

/* Every entry is checked to lie in the file. path is named in messages. The bytes stay the caller's. */
bool zip_read(Zip *z, Arena *memory, const uint8_t *bytes, size_t size, const char *path, SoraError *err);
/* NULL when there is none. */
const ZipEntry *zip_find(const Zip *z, const char *name);

#endif
