#include "media/video_writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/file.h"
#include "media/ffmpeg.h"
#include "media/image.h"
#include "media/sink.h"

struct VideoWriter {
    const SinkKind *kind;
    void *sink;
    char *path;
    long frames;
    int width, height, scale; /* of the frames that come, and how much larger they are written */
    const FileFinish *finish; /* NULL: none */
};

static const SinkKind *find_kind(const char *path, SoraError *err)
{
    static const SinkKind *const kinds[] = {&SINK_MP4, &SINK_WEBM, &SINK_GIF, &SINK_PNG,
                                            &SINK_JPG, &SINK_JPEG, &SINK_WEBP};
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    const char *dot = strrchr(name, '.');
    if (dot != NULL && dot != name) {
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            if (strcasecmp(dot, kinds[i]->extension) == 0)
                return kinds[i];
        }
    }
    if (*name == 0)
        error_set(err, SORA_ERROR_INPUT, "%s: not a file name", *path ? path : "\"\"");
    else
        error_set(err, SORA_ERROR_INPUT, "%s: %s; known are .mp4 .webm .gif .png .jpg .webp", path,
                  dot && dot != name ? "unknown extension" : "no extension");
    return NULL;
}

static bool check_format(const SinkKind *kind, const char *path, const VideoFormat *f, SoraError *err)
{
    if (f->width < 1 || f->height < 1 || f->width > MEDIA_MAX_SIDE || f->height > MEDIA_MAX_SIDE ||
        (int64_t)f->width * f->height > MEDIA_MAX_PIXELS)
        return error_set(err, SORA_ERROR_INPUT, "%s: a video of %dx%d pixels cannot be written", path,
                         f->width, f->height);
    if (kind->max_side > 0 && (f->width > kind->max_side || f->height > kind->max_side))
        return error_set(err, SORA_ERROR_INPUT, "%s: %s takes at most %d pixels a side, not %dx%d", path,
                         kind->extension, kind->max_side, f->width, f->height);
    if (kind->even_size && (f->width % 2 != 0 || f->height % 2 != 0))
        return error_set(
            err, SORA_ERROR_INPUT, "%s: %s needs an even width and height, not %dx%d (%dx%d works)", path,
            kind->extension, f->width, f->height, f->width + f->width % 2, f->height + f->height % 2);
    if (!isfinite(f->fps) || f->fps < 0.1 || f->fps > kind->max_fps)
        return error_set(err, SORA_ERROR_INPUT, "%s: %g frames a second; %s takes 0.1 to %g", path, f->fps,
                         kind->extension, kind->max_fps);
    return true;
}

bool video_is_series(const char *path, int frames)
{
    const SinkKind *kind = find_kind(path, NULL);
    return frames > 1 && kind != NULL && kind->write_picture != NULL;
}

void video_frame_name(char *name, size_t size, const char *path, long i)
{
    const char *dot = strrchr(path, '.');
    int stem = (int)(dot != NULL ? dot - path : (ptrdiff_t)strlen(path));
    if (i < 0)
        snprintf(name, size, "%s", path);
    else
        snprintf(name, size, "%.*s-%04ld%s", stem, path, i + 1, path + stem);
}

/* Rights, quotas, read-only disks and names that are too long show only when one tries. Signing writes the file once more
 * where it lies then. */
static bool probe(const char *path, SoraError *err)
{
    FileWriter file, signed_file;
    if (!file_writer_open(&file, path, err))
        return false;
    SoraError why = {0};
    bool ok = file_writer_open(&signed_file, file.part_path, &why);
    if (ok)
        file_writer_abort(&signed_file);
    else
        error_set(err, why.code, "%s: its path is too long to be written there", path);
    file_writer_abort(&file);
    return ok;
}

bool video_writer_check(const char *path, const VideoFormat *format, SoraError *err)
{
    const SinkKind *kind = find_kind(path, err);
    if (kind == NULL || (format != NULL && !check_format(kind, path, format, err)))
        return false;
    return probe(path, err);
}

bool video_writer_check_frames(const char *path, int frames, SoraError *err)
{
    size_t room = strlen(path) + 32;
    char *name = malloc(room);
    if (name == NULL)
        return ffmpeg_out_of_memory(err, path);
    video_frame_name(name, room, path, video_is_series(path, frames) ? frames - 1 : -1);
    bool ok = video_writer_check(name, NULL, err);
    free(name);
    return ok;
}

VideoWriter *video_writer_open(const char *path, const VideoFormat *format, SoraError *err)
{
    return video_writer_open_scaled(path, format, 1, err);
}

VideoWriter *video_writer_open_scaled(const char *path, const VideoFormat *format, int scale, SoraError *err)
{
    ffmpeg_quiet();
    VideoFormat written = *format;
    written.width *= scale;
    written.height *= scale;
    const SinkKind *kind = find_kind(path, err);
    if (kind == NULL || !check_format(kind, path, &written, err))
        return NULL;
    VideoWriter *w = calloc(1, sizeof *w);
    if (w == NULL || (w->path = strdup(path)) == NULL) {
        free(w);
        ffmpeg_out_of_memory(err, path);
        return NULL;
    }
    w->kind = kind;
    w->width = format->width;
    w->height = format->height;
    w->scale = scale;
    w->sink = kind->open(kind, path, &written, err);
    if (w->sink == NULL) {
        free(w->path);
        free(w);
        return NULL;
    }
    return w;
}

bool video_writer_add_sound(VideoWriter *w, const char *path, SoraError *why)
{
    if (w->kind->add_sound == NULL)
        return error_set(why, SORA_ERROR_UNSUPPORTED, "%s: a %s has no sound", w->path, w->kind->extension);
    Sound *sound = sound_open(path, why);
    if (sound != NULL && w->kind->add_sound(w->sink, sound, why))
        return true;
    sound_close(sound);
    return false;
}

bool video_writer_write(VideoWriter *w, const uint8_t *rgb, SoraError *err)
{
    w->frames++;
    if (w->scale == 1)
        return w->kind->write(w->sink, rgb, err);
    Image large = {0}, frame = {w->width, w->height, (uint8_t *)rgb}; /* which is only read */
    bool ok = image_resize(&large, &frame, w->width * w->scale, w->height * w->scale, err) &&
              w->kind->write(w->sink, large.rgb, err);
    image_deinit(&large);
    return ok;
}

void video_writer_on_finish(VideoWriter *w, const FileFinish *finish)
{
    w->finish = finish;
}

static bool commit(VideoWriter *w, char **new_name, SoraError *err)
{
    bool ok = w->frames > 0 ? w->kind->commit(w->sink, w->finish, new_name, err)
                            : error_set(err, SORA_ERROR_INPUT, "%s: no frames to write", w->path);
    video_writer_abort(w);
    return ok;
}

bool video_writer_commit(VideoWriter *w, SoraError *err)
{
    return commit(w, NULL, err);
}

bool video_writer_commit_new(VideoWriter *w, char **name, SoraError *err)
{
    *name = NULL;
    return commit(w, name, err);
}

void video_writer_abort(VideoWriter *w)
{
    if (w == NULL)
        return;
    w->kind->close(w->sink);
    free(w->path);
    free(w);
}
