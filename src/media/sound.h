/* The sound of a video that users bring, as it is: its packets, not decoded. A child process takes them out of the file, as
 * media/foreign.h does with frames, so what a file does to FFmpeg's demuxer is an error of the file.
 *
 *     Sound *s = sound_open(path, &err);
 *     SoundPacket p;
 *     while (s != NULL && (ok = sound_read(s, &p, &err)) && p.data != NULL)
 *         use(&p);
 *     sound_close(s); */
#ifndef SORA_MEDIA_SOUND_H
#define SORA_MEDIA_SOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum { SOUND_MAX_EXTRA = 4096, SOUND_MAX_PACKET = 1 << 20 };

/* How it is encoded; what FFmpeg's AVCodecParameters has of it. */
typedef struct SoundFormat {
    int codec; /* AVCodecID */
    int rate, channels, frame_size, initial_padding, block_align, profile, bits;
    int64_t bit_rate;
    uint64_t layout;   /* of channels, a bit each; 0: any */
    int time_base[2];  /* of packets, in seconds: numerator and denominator */
    int extra_size;
    uint8_t extra[SOUND_MAX_EXTRA];
} SoundFormat;

typedef struct SoundPacket {
    int64_t pts, dts, duration; /* from the first frame of the video on */
    int size;
    const uint8_t *data; /* the reader's, until the next call; NULL: there are no more */
} SoundPacket;

typedef struct Sound Sound;
/* The first sound of the file. NULL on failure, also when there is none. */
Sound *sound_open(const char *path, SoraError *err);
const SoundFormat *sound_format(const Sound *s);
bool sound_read(Sound *s, SoundPacket *packet, SoraError *err);
void sound_close(Sound *s); /* NULL is allowed */

#endif
