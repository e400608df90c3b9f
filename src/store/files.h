/* The files of a store: in a folder, or in a bucket of S3. A name is made once and never used again, so what is under it never
 * changes.
 *
 * A file that nothing names is a leak, and one that is named and not there is worse. So a name is written down as due for
 * removal before the first byte is stored; who names the file in a row takes that note back in the same transaction. */
#ifndef SORA_STORE_FILES_H
#define SORA_STORE_FILES_H

#include "store/store.h"

/* A file at `path`, which is moved (after a failure it is still there), gets a new name of that kind ("video", "upload") and
 * extension (".mp4"). It goes in an hour, unless a job or a character names it by then. */
bool store_file_add(Store *store, const char *path, const char *kind, const char *extension, char name[STORE_ID_SIZE],
                    SoraError *err);

/* A descriptor for reading, and its size; -1 on failure: SORA_ERROR_NOT_FOUND when there is none, SORA_ERROR_INPUT when it is no
 * name that store_file_add() gives. */
int store_file_open(Store *store, const char *name, int64_t *size, SoraError *err);
/* Of bytes `first` to `last` alone: they begin at *offset of the descriptor. */
int store_file_open_part(Store *store, const char *name, int64_t first, int64_t last, int64_t *offset, SoraError *err);
bool store_file_size(Store *store, const char *name, int64_t *size, SoraError *err);
/* Do they come over a network, so that whoever reads or writes one may have to wait? */
bool store_files_are_far(const Store *store);

/* A copy at `path`, where nothing is. */
bool store_file_fetch(Store *store, const char *name, const char *path, SoraError *err);

/* At once, without waiting for the sweep. */
bool store_file_remove(Store *store, const char *name, SoraError *err);

/* --- for the drivers, which get names of ours alone --- */

typedef struct Files Files;

typedef struct FilesDriver {
    bool (*add)(Files *files, const char *path, const char *name, SoraError *err);
    bool (*size)(Files *files, const char *name, int64_t *size, SoraError *err);
    /* last -1: to the end */
    int (*open)(Files *files, const char *name, int64_t first, int64_t last, int64_t *offset, SoraError *err);
    bool (*remove)(Files *files, const char *name, SoraError *err); /* no error when it is not there */
    void (*close)(Files *files);
    bool far;
} FilesDriver;

struct Files {
    const FilesDriver *driver;
};

/* Whichever it is: a folder, or s3://BUCKET/PREFIX. */
Files *files_open(const char *place, SoraError *err);
Files *files_folder_open(const char *folder, SoraError *err);
Files *files_s3_open(const char *url, SoraError *err);

#endif
