/* The files of a store: in a folder. A name is made once and never used again, so what is under it never
 * changes.
 *
 * A file that nothing names is a leak, and one that is named and not there is worse. So a name is written down as due for
 * removal before the first byte is stored; who names the file in a row takes that note back in the same transaction. */
#ifndef SORA_STORE_FILES_H
#define SORA_STORE_FILES_H

#include "store/store.h"

/* A file at `path`, which is moved or copied, gets a new name of that kind ("video", "upload") and extension (".mp4"). It goes
 * in an hour, unless a job or a character names it by then. */
bool store_file_add(Store *store, const char *path, const char *kind, const char *extension, char name[STORE_ID_SIZE],
                    SoraError *err);

/* A descriptor for reading, and its size; -1 on failure, SORA_ERROR_NOT_FOUND when there is none. */
int store_file_open(Store *store, const char *name, int64_t *size, SoraError *err);

/* At once, without waiting for the sweep. */
bool store_file_remove(Store *store, const char *name, SoraError *err);

/* --- for the drivers --- */

typedef struct Files Files;

typedef struct FilesDriver {
    bool (*add)(Files *files, const char *path, const char *name, SoraError *err);
    int (*open)(Files *files, const char *name, int64_t *size, SoraError *err);
    bool (*remove)(Files *files, const char *name, SoraError *err); /* no error when it is not there */
    void (*close)(Files *files);
} FilesDriver;

struct Files {
    const FilesDriver *driver;
};

Files *files_folder_open(const char *folder, SoraError *err);

#endif
