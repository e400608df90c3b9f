#include "engine/given_clip.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <string.h>

enum { MAX_SECONDS = 1000000 };

static bool check_time(const char *field, double seconds, SoraError *err)
{
    return fabs(seconds) <= MAX_SECONDS ||
           error_set(err, SORA_ERROR_INPUT, "%s: %g seconds is out of range", field, seconds);
}

bool given_clip_check(const SoraGiven *g, SoraError *err)
{
    int sources = (g->path != NULL) + (g->encoded != NULL) + (g->pixels != NULL);
    if (sources != 1)
        return error_set(err, SORA_ERROR_INPUT, "%s of path, encoded and pixels", sources == 0 ? "none" : "more than one");
    if (g->encoded != NULL && g->encoded_size == 0)
        return error_set(err, SORA_ERROR_INPUT, "encoded: 0 bytes");
    if (g->pixels != NULL && g->pixel_frames < 1)
        return error_set(err, SORA_ERROR_INPUT, "pixels: %d frames", g->pixel_frames);
    if (g->mask != NULL && g->mask_path != NULL)
        return error_set(err, SORA_ERROR_INPUT, "mask: both in memory and %s", g->mask_path);
    if (g->mask_frames < 0 || (g->mask_frames > 1 && g->mask == NULL))
        return error_set(err, SORA_ERROR_INPUT, "mask_frames: %d%s", g->mask_frames, g->mask == NULL ? " of none" : "");
    if (!(g->level >= 0 && g->level <= 1))
        return error_set(err, SORA_ERROR_INPUT, "level: %g is not between 0 and 1", g->level);
    if (g->at_frame < -INT_MAX / 2 || g->at_frame > INT_MAX / 2)
        return error_set(err, SORA_ERROR_INPUT, "at_frame: %d is out of range", g->at_frame);
    return check_time("from", g->from, err) && check_time("to", g->to, err) && check_time("at", g->at, err);
}

/* As in image_init(). */
static bool check_size(const char *field, int width, int height, SoraError *err)
{
    Image probe;
    bool ok = image_init(&probe, width, height, err);
    image_deinit(&probe);
    return ok || error_wrap(err, "%s", field);
}

/* Which of all its frames are taken. */
static bool choose_part(GivenClip *c, int64_t all, SoraError *err)
{
    const SoraGiven *g = c->given;
    int64_t from = llround(g->from * c->fps), to = llround(g->to * c->fps);
    from += g->from < 0 ? all : 0;
    to += g->to <= 0 ? all : 0;
    to = c->still ? from + 1 : to;
    if (from < 0 || from >= to || to > all)
        return error_set(err, SORA_ERROR_INPUT, "from %g to %g seconds: it has %lld frames, %.2f seconds at this rate",
                         g->from, g->to, (long long)all, (double)all / c->fps);
    c->first = from;
    c->frames = to - from > INT_MAX ? INT_MAX : (int)(to - from);
    return true;
}

static bool open_reader(GivenClip *c, SoraError *err)
{
    c->reader = foreign_video_open(c->given->path, &(VideoReaderOptions){.fps = c->fps}, &c->limits, err);
    return c->reader != NULL;
}

static void close_reader(GivenClip *c)
{
    foreign_video_close(c->reader);
    c->reader = NULL;
}

static bool open_video(GivenClip *c, SoraError *err)
{
    const SoraGiven *g = c->given;
    if (!open_reader(c, err))
        return false;
    c->width = foreign_video_width(c->reader);
    c->height = foreign_video_height(c->reader);
    /* Times from the end need all frames; else no more are counted than are taken. */
    int64_t all = 0, enough = INT64_MAX;
    if (g->from >= 0 && (c->still || g->to > 0))
        enough = llround((c->still ? g->from : g->to) * c->fps) + 1;
    const uint8_t *rgb = NULL;
    bool ok;
    while ((ok = foreign_video_read(c->reader, &rgb, err)) && rgb != NULL && ++all < enough)
        ;
    close_reader(c);
    return ok && (choose_part(c, all, err) || error_wrap(err, "%s", g->path));
}

static bool open_path(GivenClip *c, SoraError *err)
{
    const char *path = c->given->path;
    FileMap map;
    if (!file_map_open(&map, path, err))
        return false;
    bool gif = map.size >= 4 && memcmp(map.data, "GIF8", 4) == 0;
    bool video = gif ? !c->still : !image_recognised(map.data, map.size);
    bool ok = video || foreign_picture_memory(&c->picture, map.data, map.size, path, &c->limits, err);
    file_map_close(&map);
    if (!video) {
        c->still = true;
        return ok;
    }
    SoraError why = {0};
    if (open_video(c, &why))
        return true;
    if (why.code == SORA_ERROR_INPUT && strstr(why.message, ": not a video") != NULL)
        return error_set(err, SORA_ERROR_INPUT, "%s: not a picture or a video that can be read", path);
    if (err != NULL)
        *err = why;
    return false;
}

static bool open_source(GivenClip *c, SoraError *err)
{
    const SoraGiven *g = c->given;
    if (g->path != NULL)
        return open_path(c, err);
    if (g->encoded != NULL) {
        c->still = true;
        return foreign_picture_memory(&c->picture, g->encoded, g->encoded_size, "encoded", &c->limits, err);
    }
    if (!check_size("pixels", g->pixel_width, g->pixel_height, err))
        return false;
    c->width = g->pixel_width;
    c->height = g->pixel_height;
    c->still = c->still || g->pixel_frames == 1;
    return choose_part(c, g->pixel_frames, err);
}

static bool open_mask(GivenClip *c, SoraError *err)
{
    const SoraGiven *g = c->given;
    if (g->mask_path != NULL && !foreign_picture(&c->mask, g->mask_path, &c->limits, err))
        return false;
    if (g->mask != NULL) {
        if (!image_init(&c->mask, g->mask_width, g->mask_height, err))
            return error_wrap(err, "mask");
        for (size_t i = 0; i < (size_t)g->mask_width * (size_t)g->mask_height; i++)
            memset(c->mask.rgb + 3 * i, g->mask[i], 3);
    }
    if (c->mask.rgb == NULL || (c->mask.width == c->width && c->mask.height == c->height))
        return true;
    return error_set(err, SORA_ERROR_INPUT, "%s: is %dx%d, and what it masks %dx%d",
                     g->mask_path != NULL ? g->mask_path : "mask", c->mask.width, c->mask.height, c->width, c->height);
}

bool given_clip_open(GivenClip *c, const SoraGiven *given, double fps, const ForeignLimits *limits, SoraError *err)
{
    *c = (GivenClip){.given = given, .fps = fps, .still = given->still, .frames = 1};
    c->limits = limits != NULL ? *limits : (ForeignLimits){0};
    if (!open_source(c, err))
        return false;
    if (c->picture.rgb != NULL) {
        c->width = c->picture.width;
        c->height = c->picture.height;
    }
    return open_mask(c, err);
}

static bool read_video(GivenClip *c, const uint8_t **rgb, SoraError *err)
{
    if (c->reader == NULL) {
        if (!open_reader(c, err))
            return false;
        for (int64_t i = 0; i < c->first; i++)
            if (!foreign_video_read(c->reader, rgb, err))
                return false;
    }
    if (!foreign_video_read(c->reader, rgb, err))
        return false;
    bool same = foreign_video_width(c->reader) == c->width && foreign_video_height(c->reader) == c->height;
    return (*rgb != NULL && same) || error_set(err, SORA_ERROR_INPUT, "%s: has changed meanwhile", c->given->path);
}

bool given_clip_read(GivenClip *c, const Image **frame, SoraError *err)
{
    assert(c->next < c->frames);
    const SoraGiven *g = c->given;
    const uint8_t *rgb = NULL;
    size_t size = 3 * (size_t)c->width * (size_t)c->height;
    if (g->pixels != NULL)
        rgb = g->pixels + (size_t)(c->first + c->next) * size;
    else if (c->picture.rgb == NULL && !read_video(c, &rgb, err))
        return false;
    if (rgb != NULL)
        c->frame = (Image){c->width, c->height, (uint8_t *)rgb};
    *frame = rgb != NULL ? &c->frame : &c->picture;
    c->next++;
    return true;
}

void given_clip_rewind(GivenClip *c)
{
    close_reader(c);
    c->next = 0;
}

void given_clip_close(GivenClip *c)
{
    close_reader(c);
    image_deinit(&c->picture);
    image_deinit(&c->mask);
}
