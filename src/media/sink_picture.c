/* PNG, JPEG and WebP: one frame is NAME.png; of several each is NAME-0001.png and so on. Frames wait as
 * NAME-0001.png.part-PID until commit gives all of them their names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "media/ffmpeg.h"
#include "media/picture.h"
#include "media/sink.h"

typedef struct PictureSink {
    const SinkKind *kind;
    char *path, *title, *comment;
    char *waiting, *final; /* room for two names */
    size_t room;
    Image first; /* its name is known when a second one comes, or at commit */
    long count, written, named;
} PictureSink;

static void name_frame(PictureSink *s, long i)
{
    int stem = (int)(strlen(s->path) - strlen(s->kind->extension));
    if (s->count == 1)
        snprintf(s->final, s->room, "%s", s->path);
    else
        snprintf(s->final, s->room, "%.*s-%04ld%s", stem, s->path, i + 1, s->path + stem);
    snprintf(s->waiting, s->room, "%s.part-%ld", s->final, (long)getpid());
}

static void close_sink(void *sink)
{
    PictureSink *s = sink;
    for (long i = s->named; i < s->written; i++) {
        name_frame(s, i);
        unlink(s->waiting);
    }
    image_deinit(&s->first);
    free(s->path);
    free(s->title);
    free(s->comment);
    free(s->waiting);
    free(s->final);
    free(s);
}

static bool copy_string(char **to, const char *from)
{
    *to = from ? strdup(from) : NULL;
    return from == NULL || *to != NULL;
}

static void *open_sink(const SinkKind *kind, const char *path, const VideoFormat *format, SoraError *err)
{
    PictureSink *s = calloc(1, sizeof *s);
    if (s == NULL) {
        ffmpeg_out_of_memory(err, path);
        return NULL;
    }
    s->kind = kind;
    s->room = strlen(path) + 64;
    s->waiting = malloc(s->room);
    s->final = malloc(s->room);
    if (s->waiting == NULL || s->final == NULL || !copy_string(&s->path, path) ||
        !copy_string(&s->title, format->title) || !copy_string(&s->comment, format->comment)) {
        ffmpeg_out_of_memory(err, path);
        close_sink(s);
        return NULL;
    }
    /* An unwritable place is found now, as with the other kinds of files. */
    if (!video_writer_check(path, format, err) ||
        !image_init(&s->first, format->width, format->height, err)) {
        close_sink(s);
        return NULL;
    }
    return s;
}

static bool write_image(PictureSink *s, long i, const Image *image, SoraError *err)
{
    name_frame(s, i);
    FileWriter file;
    if (!file_writer_open(&file, s->waiting, err))
        return false;
    if (!s->kind->write_picture(file.stream, image, &(PictureText){s->title, s->comment}, s->final, err)) {
        file_writer_abort(&file);
        return false;
    }
    if (!file_writer_commit(&file, err))
        return false;
    s->written++;
    return true;
}

static bool write_frame(void *sink, const uint8_t *rgb, SoraError *err)
{
    PictureSink *s = sink;
    Image image = {s->first.width, s->first.height, (uint8_t *)(uintptr_t)rgb};
    if (s->count++ == 0) {
        memcpy(s->first.rgb, rgb, 3 * (size_t)image.width * (size_t)image.height);
        return true;
    }
    if (s->count == 2 && !write_image(s, 0, &s->first, err))
        return false;
    return write_image(s, s->count - 1, &image, err);
}

static bool commit(void *sink, const FileFinish *finish, SoraError *err)
{
    PictureSink *s = sink;
    if (s->count == 1 && !write_image(s, 0, &s->first, err))
        return false;
    for (long i = 0; finish != NULL && i < s->written; i++) {
        name_frame(s, i);
        if (!finish->run(finish->user, s->waiting, s->final, err))
            return false;
    }
    while (s->named < s->written) {
        name_frame(s, s->named);
        if (rename(s->waiting, s->final) != 0) {
            error_set(err, SORA_ERROR_IO, "%s: cannot rename to: %s", s->final, strerror(errno));
            for (long i = 0; i < s->named; i++) { /* all or none */
                name_frame(s, i);
                unlink(s->final);
            }
            return false;
        }
        s->named++;
    }
    return true;
}

#define PICTURE(extension, side, write)                                                                      \
    {                                                                                                        \
        extension, NULL, NULL, false, 240, open_sink, write_frame, commit, close_sink, side, write           \
    }
const SinkKind SINK_PNG = PICTURE(".png", 0, png_write);
const SinkKind SINK_JPG = PICTURE(".jpg", 0, jpeg_write);
const SinkKind SINK_JPEG = PICTURE(".jpeg", 0, jpeg_write);
const SinkKind SINK_WEBP = PICTURE(".webp", 16383, webp_write);
