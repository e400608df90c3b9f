#include "engine/video.h"

#include <stdlib.h>

#include "media/video_writer.h"

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
    return video->rgb + (size_t)i * (size_t)video->width * (size_t)video->height * 3;
}

const char *sora_video_parameters(const SoraVideo *video)
{
    return video->parameters;
}

const char *sora_video_id(const SoraVideo *video)
{
    return video->id;
}

bool sora_video_write(const SoraVideo *video, const char *path, SoraError *err)
{
    VideoFormat format = {video->width, video->height, video->fps, video->title, video->parameters};
    VideoWriter *w = video_writer_open(path, &format, err);
    if (w == NULL)
        return false;
    for (int i = 0; i < video->frames; i++)
        if (!video_writer_write(w, sora_video_frame(video, i), err)) {
            video_writer_abort(w);
            return false;
        }
    return video_writer_commit(w, err);
}

void sora_video_free(SoraVideo *video)
{
    if (video == NULL)
        return;
    free(video->rgb);
    free(video->title);
    free(video->parameters);
    free(video);
}
