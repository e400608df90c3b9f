/* Boxes of MP4, for those who walk over them. */
#ifndef SORA_CREDENTIALS_BMFF_H
#define SORA_CREDENTIALS_BMFF_H

#include "credentials/asset.h"

enum { BMFF_MAX_BOXES = 1 << 20 };

extern const uint8_t BMFF_C2PA_UUID[16]; /* of the boxes with C2PA's data */

typedef struct BmffBox {
    char type[4];
    uint64_t at, size; /* in the file, header included */
    unsigned header;   /* 8, or 16 with a long size */
} BmffBox;

/* The box at byte `at` of what ends at `end`; at < end. */
bool bmff_box(Asset *a, uint64_t at, uint64_t end, BmffBox *box, SoraError *err);

/* C2PA's box: its purpose is that of 9 letters at most; *data_at and *data_size are what follows it. */
bool bmff_is_c2pa(Asset *a, const BmffBox *box, const char *purpose, uint64_t *data_at, uint64_t *data_size);

/* Does it hold boxes and nothing else? */
bool bmff_is_container(const char *type);

/* For copying a file piece by piece: sets the offsets in a piece right. */
typedef struct Mender Mender;
bool bmff_mender_open(Mender **m, Asset *a, uint64_t shift, SoraError *err); /* close also after a failure */
size_t bmff_piece(const Mender *m, uint64_t at, size_t size); /* at most size, without an offset cut in two */
bool bmff_mend(Mender *m, uint64_t at, uint8_t *piece, size_t size, SoraError *err);
void bmff_mender_close(Mender *m);

#endif
