/* The kinds of files behind a VideoWriter. Private to src/media. */
#ifndef SORA_MEDIA_SINK_H
#define SORA_MEDIA_SINK_H

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include "base/file.h"
#include "media/picture.h"
#include "media/sound.h"
#include "media/video_writer.h"

typedef struct SinkKind {
    const char *extension; /* with the dot, lower case */
    const char *muxer, *encoder;
    bool even_size; /* pixels are stored with chroma at half size, without an odd edge */
    double max_fps;
    void *(*open)(const struct SinkKind *kind, const char *path, const VideoFormat *format, SoraError *err);
    bool (*write)(void *sink, const uint8_t *rgb, SoraError *err);
    /* The file is finished (NULL: as it is) and gets its name, or a new one (file_writer_finish()); close still follows. */
    bool (*commit)(void *sink, const FileFinish *finish, char **new_name, SoraError *err);
    void (*close)(void *sink);   /* removes what is not committed */
    int max_side;                /* pixels; 0: MEDIA_MAX_SIDE */
    PictureWrite *write_picture; /* of kinds with one picture in a file */
    /* Before the first frame: the sound goes along. It is the sink's after true. NULL: this kind has none. */
    bool (*add_sound)(void *sink, Sound *sound, SoraError *why);
} SinkKind;

extern const SinkKind SINK_MP4, SINK_WEBM, SINK_GIF, SINK_PNG, SINK_JPG, SINK_JPEG, SINK_WEBP;

/* One encoder into one file through FFmpeg's muxer; the base of MP4, WebM and GIF. */
typedef struct Muxer {
    FileWriter file;
    AVIOContext *io;
    AVFormatContext *format;
    AVCodecContext *codec;
    AVStream *stream;
    AVPacket *packet;
    AVPacket *apart; /* for sound, while a frame waits */
    bool begun;      /* the header is written */
    int64_t frames;         /* that were encoded */
    Sound *sound;           /* NULL: there is none, or no more of it */
    AVStream *sound_stream;
    SoundPacket next;       /* of the sound; no data: none was read yet */
    const char *path; /* the file's */
    int io_error;     /* errno of the first failed write; 0: none */
} Muxer;

/* options: of the encoder, "key=value:key=value" or NULL. On failure muxer_close() is still due. */
bool muxer_open(Muxer *m, const SinkKind *kind, const char *path, const VideoFormat *format,
                enum AVPixelFormat pixels, const char *options, SoraError *err);
/* Before the first frame. The sound is the muxer's after true; false: files of this kind do not take it as it is encoded. */
bool muxer_add_sound(Muxer *m, Sound *sound, SoraError *why);
bool muxer_encode(Muxer *m, AVFrame *frame, SoraError *err);           /* NULL: no more frames */
bool muxer_finish(Muxer *m, SoraError *err);                           /* flushes and writes the trailer */
bool muxer_commit(Muxer *m, const FileFinish *finish, char **new_name, SoraError *err); /* file_writer_finish() */
void muxer_close(Muxer *m);

/* "PATH: cannot write: WHY", WHY from errno when the file was the cause, else from FFmpeg. Returns false. */
bool muxer_error(Muxer *m, const char *what, int code, SoraError *err);

#endif
