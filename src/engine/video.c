#include "engine/video.h"

#include <stdlib.h>

static size_t frame_bytes(const SoraVideo *v)
{
    return (size_t)v->width * (size_t)v->height * 3;
}

bool video_init_frames(SoraVideo *v, SoraError *err)
{
    return file_memory_init(&v->rgb, (size_t)v->frames * frame_bytes(v), err) || error_wrap(err, "video");
}

uint8_t *video_frame(SoraVideo *v, int i)
{
    return v->rgb.data + (size_t)i * frame_bytes(v);
}

void video_leave(const SoraVideo *v, int i)
{
    file_memory_leave(&v->rgb, (size_t)i * frame_bytes(v), frame_bytes(v));
}

void pixels_to_bytes(const float *pixels, uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float x = (pixels[i] + 1) * 0.5f * 255;
        bytes[i] = x >= 255 ? 255 : x > 0 ? (uint8_t)x : 0;
    }
}

bool video_put(SoraVideo *v, const DecodedPart *part, SoraError *err)
{
    if (part->count > v->frames - part->first || part->width > v->width - part->x || part->height > v->height - part->y)
        return error_set(err, SORA_ERROR_INTERNAL, "autoencoder: more than %d frames of %dx%d", v->frames, v->width,
                         v->height);
    size_t row = (size_t)part->width * 3;
    const float *from = part->pixels;
    for (int f = part->first; f < part->first + part->count; f++) {
        for (int y = part->y; y < part->y + part->height; y++, from += row)
            pixels_to_bytes(from, video_frame(v, f) + ((size_t)y * (size_t)v->width + (size_t)part->x) * 3, row);
        video_leave(v, f);
    }
    return true;
}

bool video_completes(const SoraVideo *v, const DecodedPart *part)
{
    return part->x + part->width == v->width && part->y + part->height == v->height;
}

int sora_video_width(const SoraVideo *video)
{
    return video->width;
}

int sora_video_height(const SoraVideo *video)
{
    return video->height;
}

int sora_video_frames(const SoraVideo *video)
{
    return video->frames;
}

double sora_video_fps(const SoraVideo *video)
{
    return video->fps;
}

const uint8_t *sora_video_frame(const SoraVideo *video, int i)
{
    if (i < 0 || i >= video->frames)
        return NULL;
    return video->rgb.data + (size_t)i * frame_bytes(video);
}

const char *sora_video_parameters(const SoraVideo *video)
{
    return video->parameters;
}

const char *sora_video_id(const SoraVideo *video)
{
    return video->id;
}

const SoraNote *sora_video_note(const SoraVideo *video, int i)
{
    return notes_at(&video->notes, i);
}

const char *sora_video_prompt(const SoraVideo *video)
{
    return video->prompt;
}

void sora_video_free(SoraVideo *video)
{
    if (video == NULL)
        return;
    file_memory_deinit(&video->rgb);
    notes_deinit(&video->notes);
    free(video->prompt);
    free(video->parameters);
    free(video->sound);
    free(video);
}
