/* The contents of a SentencePiece .model file: pieces, normaliser and flags.
 * The file is a protobuf message (sentencepiece_model.proto); it is not trusted. */
#ifndef SORA_TEXT_SPM_MODEL_H
#define SORA_TEXT_SPM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum {
    SPM_MAX_FILE = 16 << 20,  /* bytes; the largest vocabularies in use (256,000 pieces) take 4.5 MB */
    SPM_MAX_PIECES = 1 << 20, /* pieces in a model */
    SPM_MAX_PIECE = 512,      /* bytes of a piece */
};

typedef enum SpmType { /* the numbers of the file format */
    SPM_NORMAL = 1,
    SPM_UNKNOWN = 2,
    SPM_CONTROL = 3,
    SPM_USER_DEFINED = 4,
    SPM_UNUSED = 5,
    SPM_BYTE = 6,
} SpmType;

typedef struct SpmPiece {
    const char *text; /* UTF-8, ends with a 0 byte, has none inside */
    uint32_t size;    /* bytes, 1 to SPM_MAX_PIECE */
    float score;      /* finite */
    SpmType type;
} SpmPiece;

typedef struct SpmModel {
    SpmPiece *pieces;
    int count;
    char *texts; /* all piece texts */

    /* Bytes inside the file's memory, valid while the caller keeps that; or in memory, if that is not NULL. */
    const uint8_t *charsmap;
    size_t charsmap_size;
    uint8_t *memory;

    char unk_surface[64];                                    /* what an unknown piece decodes to */
    char bos_piece[64], eos_piece[64], pad_piece[64];
    int model_type;                                          /* 1: unigram */
    bool byte_fallback, whitespace_as_suffix;
    bool add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
} SpmModel;

/* name is for messages. On failure nothing is left to deinit. */
bool spm_model_init(SpmModel *model, const uint8_t *data, size_t size, const char *name, SoraError *err);
void spm_model_deinit(SpmModel *model);

#endif
