#include "media/foreign.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "media/child.h"
#include "media/ffmpeg.h"
#include "media/picture_decode.h"

static ForeignLimits complete(const ForeignLimits *given)
{
    ForeignLimits l = given != NULL ? *given : (ForeignLimits){0};
    l.memory = l.memory != 0 ? l.memory : FOREIGN_MEMORY;
    l.seconds = l.seconds != 0 ? l.seconds : FOREIGN_SECONDS;
    return l;
}

static bool nobody_reads(SoraError *err)
{
    return error_set(err, SORA_ERROR_CANCELLED, "nobody reads");
}

/* --- pictures --- */

typedef struct Picture {
    const char *path; /* or a name */
    const void *data; /* NULL: it lies in the file */
    size_t size;
    ForeignLimits limits;
    Image *image;      /* in the parent, and where there is no child */
    const Outlet *out; /* in the child */
    size_t row;        /* bytes */
} Picture;

/* Two processes have it for a while: decoded and as RGB there, as RGB here, and then what the caller makes of it. */
static bool check_size(void *user, const PictureSize *s, SoraError *err)
{
    const Picture *p = user;
    size_t pixels = (size_t)s->width * (size_t)s->height, during = s->bytes + 3 * pixels;
    size_t after = (3 + p->limits.bytes_per_pixel) * pixels, need = during > after ? during : after;
    return need <= p->limits.memory ||
           error_set(err, SORA_ERROR_MEMORY, "a picture of %dx%d pixels takes %.2f GB to decode, %.2f GB are left of the limit: "
                                             "make it smaller before",
                     s->width, s->height, (double)need / 1e9, (double)p->limits.memory / 1e9);
}

static bool begin_here(void *user, int width, int height, SoraError *err)
{
    Picture *p = user;
    p->row = 3 * (size_t)width;
    return image_init(p->image, width, height, err);
}

static bool row_here(void *user, int y, const uint8_t *rgb, SoraError *err)
{
    Picture *p = user;
    memcpy(p->image->rgb + (size_t)y * p->row, rgb, p->row);
    return true;
}

static bool begin_there(void *user, int width, int height, SoraError *err)
{
    Picture *p = user;
    p->row = 3 * (size_t)width;
    Message m = {.kind = MESSAGE_DATA, .width = width, .height = height, .bytes = p->row * (size_t)height};
    return outlet_send(p->out, &m, NULL) || nobody_reads(err);
}

static bool row_there(void *user, int y, const uint8_t *rgb, SoraError *err)
{
    Picture *p = user;
    return outlet_append(p->out, rgb, p->row) || nobody_reads(err);
}

static bool decode_to(const Picture *p, const PictureSink *sink, SoraError *err)
{
    return p->data != NULL ? picture_decode_memory(p->data, p->size, p->path, sink, err) : picture_decode(p->path, sink, err);
}

static bool decode_picture(void *user, const Outlet *out, SoraError *err)
{
    Picture *p = user;
    p->out = out;
    return decode_to(p, &(PictureSink){check_size, begin_there, row_there, p}, err);
}

static bool receive_picture(Child *child, Picture *p, SoraError *err)
{
    Message m;
    if (!child_receive(child, &m, err))
        return false;
    if (m.kind != MESSAGE_DATA || !image_init(p->image, m.width, m.height, NULL) ||
        m.bytes != 3 * (uint64_t)m.width * (uint64_t)m.height)
        return error_set(err, SORA_ERROR_INPUT, "%s: the decoder made no picture of it", p->path);
    return child_read(child, p->image->rgb, (size_t)m.bytes, err);
}

static bool read_picture(Picture *p, SoraError *err)
{
    bool ok;
    *p->image = (Image){0};
    if (p->limits.here) {
        ok = decode_to(p, &(PictureSink){check_size, begin_here, row_here, p}, err);
    } else {
        ChildPlan plan = {decode_picture, p, p->path, p->limits.memory, p->limits.seconds};
        Child *child = child_start(&plan, err);
        ok = child != NULL && receive_picture(child, p, err);
        child_end(child);
    }
    if (!ok)
        image_deinit(p->image);
    return ok;
}

bool foreign_picture(Image *image, const char *path, const ForeignLimits *limits, SoraError *err)
{
    Picture p = {.path = path, .limits = complete(limits), .image = image};
    return read_picture(&p, err);
}

bool foreign_picture_memory(Image *image, const void *data, size_t size, const char *name, const ForeignLimits *limits,
                            SoraError *err)
{
    Picture p = {.path = name, .data = data, .size = size, .limits = complete(limits), .image = image};
    return read_picture(&p, err);
}

/* --- videos --- */

struct ForeignVideo {
    char *path;
    VideoReaderOptions options;
    VideoReader *reader; /* without a child */
    Child *child;
    ChildPlan plan;
    int width, height;
    double fps;
    uint8_t *rgb;
    bool ended;
    unsigned traits;
    char title[sizeof((SoraError *)0)->message];
};

static bool send_frames(VideoReader *r, const Outlet *out, SoraError *err)
{
    /* It has no bytes after it, and of the error only the text: the title. */
    Message m = {MESSAGE_SIZE, video_reader_width(r), video_reader_height(r), video_reader_fps(r), video_reader_traits(r), 0, {0}};
    const char *title = video_reader_metadata(r, "title");
    snprintf(m.error.message, sizeof m.error.message, "%s", title != NULL ? title : "");
    const uint8_t *rgb = NULL;
    if (!outlet_send(out, &m, NULL))
        return nobody_reads(err);
    m.kind = MESSAGE_DATA;
    m.bytes = 3 * (uint64_t)m.width * (uint64_t)m.height;
    while (video_reader_read(r, &rgb, err)) {
        if (rgb == NULL)
            return true;
        if (!outlet_send(out, &m, rgb))
            return nobody_reads(err);
    }
    return false;
}

static bool decode_video(void *user, const Outlet *out, SoraError *err)
{
    ForeignVideo *v = user;
    VideoReader *r = video_reader_open(v->path, &v->options, err);
    bool ok = r != NULL && send_frames(r, out, err);
    video_reader_close(r);
    return ok;
}

static bool check_video(const ForeignVideo *v)
{
    return v->width > 0 && v->height > 0 && v->width <= MEDIA_MAX_SIDE && v->height <= MEDIA_MAX_SIDE &&
           (int64_t)v->width * v->height <= MEDIA_MAX_PIXELS && isfinite(v->fps) && v->fps >= 0;
}

static bool open_child(ForeignVideo *v, const ForeignLimits *l, SoraError *err)
{
    Message m;
    v->plan = (ChildPlan){decode_video, v, v->path, l->memory, l->seconds};
    v->child = child_start(&v->plan, err);
    if (v->child == NULL || !child_receive(v->child, &m, err))
        return false;
    v->width = m.width;
    v->height = m.height;
    v->fps = m.fps;
    v->traits = m.traits;
    memcpy(v->title, m.error.message, sizeof v->title);
    v->title[sizeof v->title - 1] = 0;
    if (m.kind != MESSAGE_SIZE || !check_video(v))
        return error_set(err, SORA_ERROR_INPUT, "%s: the decoder made no video of it", v->path);
    v->rgb = malloc(3 * (size_t)v->width * (size_t)v->height);
    return v->rgb != NULL || ffmpeg_out_of_memory(err, v->path);
}

static bool open_here(ForeignVideo *v, SoraError *err)
{
    v->reader = video_reader_open(v->path, &v->options, err);
    if (v->reader == NULL)
        return false;
    v->width = video_reader_width(v->reader);
    v->height = video_reader_height(v->reader);
    v->fps = video_reader_fps(v->reader);
    v->traits = video_reader_traits(v->reader);
    const char *title = video_reader_metadata(v->reader, "title");
    snprintf(v->title, sizeof v->title, "%s", title != NULL ? title : "");
    return true;
}

ForeignVideo *foreign_video_open(const char *path, const VideoReaderOptions *options, const ForeignLimits *limits,
                                 SoraError *err)
{
    ForeignLimits l = complete(limits);
    ForeignVideo *v = calloc(1, sizeof *v);
    if (v == NULL || (v->path = strdup(path)) == NULL) {
        free(v);
        ffmpeg_out_of_memory(err, path);
        return NULL;
    }
    v->options = *options;
    v->options.one_thread = !l.here; /* a copy of a process with threads starts none */
    if (l.here ? open_here(v, err) : open_child(v, &l, err))
        return v;
    foreign_video_close(v);
    return NULL;
}

bool foreign_video_read(ForeignVideo *v, const uint8_t **rgb, SoraError *err)
{
    *rgb = NULL;
    if (v->reader != NULL)
        return video_reader_read(v->reader, rgb, err);
    Message m;
    if (v->ended)
        return true;
    if (!child_receive(v->child, &m, err))
        return false;
    v->ended = m.kind == MESSAGE_END;
    if (v->ended)
        return true;
    size_t bytes = 3 * (size_t)v->width * (size_t)v->height;
    if (m.kind != MESSAGE_DATA || m.bytes != bytes)
        return error_set(err, SORA_ERROR_INPUT, "%s: a frame of another size", v->path);
    if (!child_read(v->child, v->rgb, bytes, err))
        return false;
    *rgb = v->rgb;
    return true;
}

int foreign_video_width(const ForeignVideo *v)
{
    return v->width;
}

int foreign_video_height(const ForeignVideo *v)
{
    return v->height;
}

double foreign_video_fps(const ForeignVideo *v)
{
    return v->fps;
}

unsigned foreign_video_traits(const ForeignVideo *v)
{
    return v->traits;
}

const char *foreign_video_title(const ForeignVideo *v)
{
    return v->title;
}

void foreign_video_close(ForeignVideo *v)
{
    if (v == NULL)
        return;
    child_end(v->child);
    video_reader_close(v->reader);
    free(v->rgb);
    free(v->path);
    free(v);
}
