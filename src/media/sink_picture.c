/* PNG, JPEG and WebP: one frame is NAME.png; of several each is NAME-0001.png and so on. Frames wait in a scratch folder,
 * under their names, until commit moves all of them out. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/scratch.h"
#include "media/ffmpeg.h"
#include "media/picture.h"
#include "media/sink.h"

typedef struct PictureSink {
    const SinkKind *kind;
    char *path, *title, *comment;
    Scratch scratch;
    char *waiting, *final; /* room for two names */
    size_t room;
    Image first; /* its name is known when a second one comes, or at commit */
    long count, written, named;
} PictureSink;

static void name_frame(PictureSink *s, long i)
{
    video_frame_name(s->final, s->room, s->path, s->count > 1 ? i : -1);
    const char *slash = strrchr(s->final, '/');
    snprintf(s->waiting, s->room, "%s/%s", s->scratch.path, slash != NULL ? slash + 1 : s->final);
}

static void close_sink(void *sink)
{
    PictureSink *s = sink;
    scratch_remove(&s->scratch);
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
    s->room = 2 * strlen(path) + 128; /* for a name within the scratch folder */
    s->waiting = malloc(s->room);
    s->final = malloc(s->room);
    if (s->waiting == NULL || s->final == NULL || !copy_string(&s->path, path) ||
        !copy_string(&s->title, format->title) || !copy_string(&s->comment, format->comment)) {
        ffmpeg_out_of_memory(err, path);
        close_sink(s);
        return NULL;
    }
    /* An unwritable place is found now, as with the other kinds of files. */
    if (!video_writer_check(path, format, err) || !scratch_make(&s->scratch, path, err) ||
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

/* A single picture: its file. */
static bool commit_one(PictureSink *s, const FileFinish *finish, char **new_name, SoraError *err)
{
    FileWriter file;
    if (!file_writer_open(&file, s->path, err))
        return false;
    if (s->kind->write_picture(file.stream, &s->first, &(PictureText){s->title, s->comment}, s->path, err))
        return file_writer_finish(&file, finish, new_name, err);
    file_writer_abort(&file);
    return false;
}

static bool commit(void *sink, const FileFinish *finish, char **new_name, SoraError *err)
{
    PictureSink *s = sink;
    if (s->count == 1)
        return commit_one(s, finish, new_name, err);
    for (long i = 0; i < s->written; i++) {
        struct stat st;
        name_frame(s, i);
        if (lstat(s->final, &st) == 0 && !S_ISREG(st.st_mode))
            return error_set(err, SORA_ERROR_IO, "%s: cannot write: it is not a regular file", s->final);
        if (finish != NULL && !finish->run(finish->user, s->waiting, s->final, err))
            return false;
    }
    if (new_name != NULL && (*new_name = strdup(s->path)) == NULL)
        return ffmpeg_out_of_memory(err, s->path);
    while (s->named < s->written) {
        name_frame(s, s->named);
        if (rename(s->waiting, s->final) != 0) {
            error_system(err, s->final, "cannot rename to");
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
        extension, NULL, NULL, false, 240, open_sink, write_frame, commit, close_sink, side, write, NULL     \
    }
const SinkKind SINK_PNG = PICTURE(".png", 0, png_write);
const SinkKind SINK_JPG = PICTURE(".jpg", 0, jpeg_write);
const SinkKind SINK_JPEG = PICTURE(".jpeg", 0, jpeg_write);
const SinkKind SINK_WEBP = PICTURE(".webp", 16383, webp_write);
