/* Files: mapped for reading; written beside their final name and renamed when complete. */
#ifndef SORA_BASE_FILE_H
#define SORA_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/error.h"

typedef struct FileMap {
    const uint8_t *data; /* read-only; NULL when the file is empty */
    size_t size;
} FileMap;

bool file_map_open(FileMap *map, const char *path, SoraError *err);
void file_map_close(FileMap *map);
/* The pages wholly within these bytes leave memory until they are used again; other memory than the map's is left
 * alone. */
void file_map_forget(const FileMap *map, const void *data, size_t size);

/* The whole file in heap memory, with a 0 byte after it; more than max_size bytes is an error. free() it. */
char *file_read(const char *path, size_t max_size, size_t *size, SoraError *err);

/* Atomic writing: the bytes go to "PATH.part-PID"; commit flushes, syncs and renames; abort removes.
 * Errors of fwrite are found at commit. */
typedef struct FileWriter {
    FILE *stream;
    char *path, *part_path;
} FileWriter;

bool file_writer_open(FileWriter *w, const char *path, SoraError *err);
/* Closes w in every case. An error too when a mapped file has lost its end (base/lost.h). */
bool file_writer_commit(FileWriter *w, SoraError *err);
void file_writer_abort(FileWriter *w);                  /* no-op after commit */

/* What is done with a file that is complete but has not got its name: it may be replaced under its temporary
 * one. False with *err filled: it never gets its name. */
typedef struct FileFinish {
    bool (*run)(void *user, const char *temporary, const char *path, SoraError *err);
    void *user;
} FileFinish;

/* file_writer_commit(), finished first; finish NULL: nothing more. */
bool file_writer_finish(FileWriter *w, const FileFinish *finish, SoraError *err);

/* A file without a name, for reading and writing, in $TMPDIR, else in /var/tmp: gone when it is closed, or when the process
 * ends in whatever way. NULL on failure. */
FILE *file_temporary(SoraError *err);
/* After a failed read or write of one, with errno: fills *err and returns false. */
bool file_temporary_failed(SoraError *err);

/* Zeroed memory that need not stay in memory: what is large is mapped from such a file, whose space on the disk is taken at
 * once. */
typedef struct FileMemory {
    uint8_t *data;
    size_t size;
} FileMemory;

bool file_memory_init(FileMemory *m, size_t size, SoraError *err);
void file_memory_deinit(FileMemory *m); /* a zeroed one is allowed */
/* The pages wholly within these bytes are not counted as the process's until they are used again; what is in them stays. */
void file_memory_leave(const FileMemory *m, size_t offset, size_t size);

bool file_copy(const char *from, const char *to, SoraError *err); /* atomic */
bool file_exists(const char *path);
bool dir_exists(const char *path);
bool dir_make(const char *path, SoraError *err); /* with parents; no error when it is there */

#endif
