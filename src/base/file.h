/* Files: mapped for reading; written beside their final name and renamed when complete. */
#ifndef SORA_BASE_FILE_H
#define SORA_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include "base/error.h"
#include "base/scratch.h"

/* Opens a regular file for reading; a pipe, a device or a folder is an error, at once. -1 on failure. */
int file_open(const char *path, SoraError *err);

/* The first bytes of a regular file, room at most; *size: how many there are. */
bool file_read_head(const char *path, void *head, size_t room, size_t *size, SoraError *err);

typedef struct FileMap {
    const uint8_t *data; /* read-only; NULL when the file is empty */
    size_t size;
    dev_t device; /* which file it is, under whatever name */
    ino_t number;
} FileMap;

bool file_map_open(FileMap *map, const char *path, SoraError *err);
void file_map_close(FileMap *map);
/* Is path, under whatever name, the file that is mapped? */
bool file_map_is(const FileMap *map, const char *path);
/* The pages wholly within these bytes leave memory until they are used again; other memory than the map's is left
 * alone. */
void file_map_forget(const FileMap *map, const void *data, size_t size);

bool file_hash(const char *path, uint64_t *hash, SoraError *err); /* hash64() of its bytes */

/* The whole file in heap memory, with a 0 byte after it; more than max_size bytes is an error. free() it. */
char *file_read(const char *path, size_t max_size, size_t *size, SoraError *err);

/* Atomic writing: the bytes go to part_path in a scratch folder (base/scratch.h) beside the file; commit flushes, syncs and
 * renames; abort removes. Errors of fwrite are found at commit. A link is followed: the file that it names is replaced, as
 * only regular files can be. */
typedef struct FileWriter {
    FILE *stream;
    char *path, *part_path; /* as given, for messages; where the bytes are now */
    char *final;            /* path, or what it is a link to */
    Scratch scratch;
    bool passing; /* see FileFinish; may be set before the end */
} FileWriter;

/* A new file gets mode 0666 less the umask; one that is replaced keeps its own. */
bool file_writer_open(FileWriter *w, const char *path, SoraError *err);
/* For a file that replaces a temporary one: messages call it by the name that the user knows. */
bool file_writer_open_as(FileWriter *w, const char *path, const char *name, SoraError *err);
/* The file has this mode from the beginning, whatever was there: 0600 for what nobody else may read. */
bool file_writer_open_mode(FileWriter *w, const char *path, mode_t mode, SoraError *err);
/* Closes w in every case. An error too when a mapped file has lost its end (base/lost.h). */
bool file_writer_commit(FileWriter *w, SoraError *err);
void file_writer_abort(FileWriter *w);                  /* no-op after commit */

/* What is done with a file that is complete but has not got its name: it may be replaced under its temporary
 * one. False with *err filled: it never gets its name. */
typedef struct FileFinish {
    bool (*run)(void *user, const char *temporary, const char *path, SoraError *err); /* NULL: nothing */
    void *user;
    bool passing; /* another file replaces it soon: after a power cut it need not be there, so nobody waits for the disk */
} FileFinish;

/* file_writer_commit(), finished first; finish NULL: nothing more. new_name not NULL: a file that is there by now stays, and
 * *new_name is the name that the new one got, STEM-2.EXT and so on if it must be; free() it. NULL on failure. */
bool file_writer_finish(FileWriter *w, const FileFinish *finish, char **new_name, SoraError *err);

/* path if nothing is there, else the first of STEM-2.EXT, STEM-3.EXT ... that is free. NULL: out of memory. free() it. */
char *file_free_name(const char *path);

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

bool file_copy(const char *from, const char *to, SoraError *err); /* atomic; nothing is done to a copy onto itself */
bool file_exists(const char *path);
bool file_same(const char *a, const char *b); /* are both there, and the same, under whatever names? */
bool dir_exists(const char *path);
bool dir_make(const char *path, SoraError *err); /* with parents; no error when it is there */
/* The same; the folder itself, if it is new, has that mode from the beginning: 0700 for its owner alone. */
bool dir_make_mode(const char *path, mode_t mode, SoraError *err);

#endif
