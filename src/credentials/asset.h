/* Files that carry a manifest store: where it lies in MP4, PNG, JPEG and WebP, and how one is put in. Files
 * are read in pieces; only the store is held in memory. */
#ifndef SORA_CREDENTIALS_ASSET_H
#define SORA_CREDENTIALS_ASSET_H

#include <stdio.h>
#include "base/error.h"
#include "credentials/bytes.h"

typedef enum AssetKind { ASSET_MP4, ASSET_PNG, ASSET_JPEG, ASSET_WEBP } AssetKind;

enum { ASSET_MAX_STORE = 64 << 20, ASSET_PIECE = 64 << 10 };

typedef struct Asset {
    AssetKind kind;
    FILE *file; /* open for reading */
    const char *name; /* in messages */
    uint64_t size;
    uint64_t insert_at; /* where a store is put in: just after the file's own header, or last (WebP) */
    int stores;         /* how many stores there are; more than one is an error in what the file says */
    uint64_t store_at, store_size; /* the container's bytes that hold the first store, headers included */
    Bytes store;                   /* its bytes */
    bool fragmented;               /* MP4 with movie fragments */
    bool unread;                   /* a read has failed: what was found out about the file may be wrong */
} Asset;

/* The kind is told by content. SORA_ERROR_INPUT when it is none of the four, or damaged up to where a store
 * may be. asset_close() also after a failure. name: that it has in messages; must stay. */
bool asset_open(Asset *a, const char *path, const char *name, SoraError *err);
void asset_close(Asset *a);

const char *asset_media_type(AssetKind kind); /* "video/mp4" */

/* The container's bytes around a store, as they will lie at insert_at. */
void asset_wrap(AssetKind kind, Span store, Bytes *out);

/* Copies the file, which has no store, with the wrapped bytes at insert_at; offsets and sizes in the file
 * that move with it are set right. Write errors are errno's. */
bool asset_embed(Asset *a, Span wrapped, FILE *out, SoraError *err);

/* Reads exactly size bytes at an offset; false at the end of the file or with an error. */
bool asset_read(Asset *a, uint64_t at, void *data, size_t size, SoraError *err);

/* Each kind: fills insert_at, stores, store_at, store_size and store. */
bool bmff_scan(Asset *a, SoraError *err);
bool png_scan(Asset *a, SoraError *err);
bool jpeg_scan(Asset *a, SoraError *err);
bool webp_scan(Asset *a, SoraError *err);

/* Takes note of a store's bytes; the first one is kept. */
bool asset_take_store(Asset *a, uint64_t at, uint64_t size, uint64_t data_at, uint64_t data_size,
                      SoraError *err);

/* The file ends within something. It counts as a store when C2PA's data begin there: it has credentials, though they cannot be
 * read. Returns false. */
bool asset_cut_off(Asset *a, bool in_store, const char *what, SoraError *err);

/* Appends bytes of the file to the store. */
bool asset_append_store(Asset *a, uint64_t at, uint64_t size, SoraError *err);

#endif
