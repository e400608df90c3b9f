/* Clips of a folder of videos and pictures. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/rng.h"
#include "media/image.h"
#include "media/video_list.h"
#include "media/video_reader.h"
#include "train/clip_sources.h"

enum { MAX_CAPTIONS = 1 << 20 };

typedef struct FolderSource {
    ClipSource base;
    VideoList videos;
    ClipCaptions captions;
    double own_share;
} FolderSource;

/* As people type: lower case, no full stop, often without articles. */
static void type_like_people(char *text, Rng *rng)
{
    static const char *const ARTICLES[] = {"a ", "an ", "the "};
    bool bare = rng_uniform(rng) < 0.5f;
    char *to = text;
    for (const char *from = text; *from != 0;) {
        size_t n = 0;
        for (int i = 0; bare && i < 3 && (to == text || to[-1] == ' '); i++)
            n = strncasecmp(from, ARTICLES[i], strlen(ARTICLES[i])) == 0 ? strlen(ARTICLES[i]) : n;
        from += n;
        if (n == 0) {
            *to++ = (unsigned char)*from < 0x80 ? (char)tolower((unsigned char)*from) : *from;
            from++;
        }
    }
    *to = 0;
    if (to > text && to[-1] == '.')
        to[-1] = 0;
}

/* The lines of NAME and the ending, without empty ones. */
static bool read_lines(const char *video, const char *ending, Clip *clip, SoraError *err)
{
    size_t stem = (size_t)(strrchr(video, '.') - video);
    char path[4096];
    snprintf(path, sizeof path, "%.*s%s", (int)stem, video, ending);
    char *text = file_read(path, MAX_CAPTIONS, NULL, err), *save = NULL;
    if (text == NULL)
        return error_wrap(err, "%s: no captions", video);
    bool ok = true;
    for (char *line = strtok_r(text, "\r\n", &save); ok && line != NULL; line = strtok_r(NULL, "\r\n", &save)) {
        char **captions = realloc(clip->captions, (size_t)(clip->caption_count + 1) * sizeof *captions);
        ok = captions != NULL;
        if (ok) {
            clip->captions = captions;
            ok = (captions[clip->caption_count] = strdup(line)) != NULL;
            clip->caption_count += ok;
        }
    }
    free(text);
    if (!ok)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    return clip->caption_count > 0 || error_set(err, SORA_ERROR_INPUT, "%s: no caption in it", path);
}

/* The clip's own captions, the captioner's, or, by the clip's number, one of both. */
static bool read_captions(const FolderSource *s, const char *video, uint64_t index, Clip *clip, SoraError *err)
{
    Rng rng;
    rng_init(&rng, 0, index);
    if (s->captions == CAPTIONS_OWN)
        return read_lines(video, ".txt", clip, err);
    if (s->captions == CAPTIONS_CAPTIONER || (double)rng_uniform(&rng) >= s->own_share)
        return read_lines(video, ".captioner.txt", clip, err);
    if (!read_lines(video, ".txt", clip, err))
        return false;
    for (int i = 0; i < clip->caption_count; i++)
        type_like_people(clip->captions[i], &rng);
    return true;
}

static bool read_picture(const char *path, const ClipRequest *r, uint8_t *rgb, int *got, SoraError *err)
{
    Image picture = {0}, fitted = {0};
    bool ok = image_read(&picture, path, err) && image_cover(&fitted, &picture, r->width, r->height, err);
    if (ok)
        memcpy(rgb, fitted.rgb, (size_t)r->width * (size_t)r->height * 3);
    *got = ok;
    image_deinit(&picture);
    image_deinit(&fitted);
    return ok;
}

/* At most r->frames frames. */
static bool read_video(const char *path, const ClipRequest *r, uint8_t *rgb, int *got, SoraError *err)
{
    size_t frame = (size_t)r->width * (size_t)r->height * 3;
    VideoReaderOptions options = {.width = r->width, .height = r->height, .fps = r->fps};
    VideoReader *reader = video_reader_open(path, &options, err);
    bool ok = reader != NULL;
    while (ok && *got < r->frames) {
        const uint8_t *next;
        ok = video_reader_read(reader, &next, err);
        if (!ok || next == NULL)
            break;
        memcpy(rgb + frame * (size_t)(*got)++, next, frame);
    }
    video_reader_close(reader);
    return ok && (*got > 0 || error_set(err, SORA_ERROR_INPUT, "%s: no frames", path));
}

static bool get_file(ClipSource *source, const ClipRequest *r, Clip *clip, SoraError *err)
{
    const FolderSource *s = (const FolderSource *)source;
    const char *path = s->videos.paths[r->index % (uint64_t)s->videos.count];
    if (r->change != CHANGE_NONE)
        return error_set(err, SORA_ERROR_INPUT, "%s: words can be changed on Emoji Stage alone", path);
    size_t frame = (size_t)r->width * (size_t)r->height * 3;
    *clip = (Clip){.width = r->width, .height = r->height, .frames = r->frames, .calm = true,
                   .rgb = malloc(frame * (size_t)r->frames)};
    for (int i = 0; i < CLIP_CLASSES; i++)
        clip->classes[i] = -1;
    if (clip->rgb == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    int got = 0;
    bool ok = video_list_is_picture(path) ? read_picture(path, r, clip->rgb, &got, err) : read_video(path, r, clip->rgb, &got, err);
    for (; ok && got < r->frames; got++) /* a short one holds its last frame */
        memcpy(clip->rgb + frame * (size_t)got, clip->rgb + frame * (size_t)(got - 1), frame);
    return ok && read_captions(s, path, r->index, clip, err);
}

static void close_folder(ClipSource *source)
{
    FolderSource *s = (FolderSource *)source;
    video_list_deinit(&s->videos);
    free(s);
}

ClipSource *clip_folder_open(const ClipSourceConfig *config, SoraError *err)
{
    FolderSource *s = calloc(1, sizeof *s);
    if (s == NULL) {
        error_no_memory(err);
        return NULL;
    }
    s->base = (ClipSource){.get = get_file, .close = close_folder};
    s->captions = config->captions;
    s->own_share = config->own_share;
    if (video_list_read_with_pictures(&s->videos, config->folder, err)) {
        s->base.count = s->videos.count;
        return &s->base;
    }
    close_folder(&s->base);
    return NULL;
}
