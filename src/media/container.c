#include "media/container.h"

#include <libavutil/avstring.h>
#include "base/file.h"
#include "media/ffmpeg.h"

/* Containers of videos; none that is a list of other files. */
static const char CONTAINERS[] =
    "mov,mp4,matroska,webm,avi,mpeg,mpegts,mpegvideo,m4v,h264,hevc,flv,ogg,asf,gif,"
    "apng,webp_pipe,yuv4mpegpipe,ivf,nut,mxf,dv";

AVFormatContext *container_open(const char *path, SoraError *err)
{
    AVFormatContext *c = NULL;
    FileMap map; /* for its clear errors about folders and missing files */
    if (!file_map_open(&map, path, err))
        return NULL;
    file_map_close(&map);
    char *url = av_asprintf("file:%s", path);
    AVDictionary *options = NULL;
    int code = url ? av_dict_set(&options, "protocol_whitelist", "file", 0) : AVERROR(ENOMEM);
    if (code >= 0)
        code = av_dict_set(&options, "format_whitelist", CONTAINERS, 0);
    if (code >= 0)
        code = avformat_open_input(&c, url, NULL, &options);
    av_dict_free(&options);
    av_free(url);
    if (code == AVERROR(EINVAL)) /* the whitelist's answer */
        code = AVERROR_INVALIDDATA;
    if (code < 0) {
        ffmpeg_error(err, path, "not a video", code);
        return NULL;
    }
    code = avformat_find_stream_info(c, NULL);
    if (code >= 0)
        return c;
    ffmpeg_error(err, path, "damaged video", code);
    avformat_close_input(&c);
    return NULL;
}
