#include <libavcodec/avcodec.h>
#include <libavutil/display.h>
#include <libavutil/imgutils.h>
#include <math.h>
#include <string.h>
#include "base/file.h"
#include "media/ffmpeg.h"
#include "media/image.h"

enum { MAX_FILE = 256 << 20 };

typedef struct Magic {
    size_t offset, size;
    const char *bytes;
    enum AVCodecID codec;
} Magic;

/* Chosen by the first bytes: a decoder is only ever given what it is made for, and no demuxer with its
 * ways to open other files is involved. */
static enum AVCodecID find_codec(const uint8_t *data, size_t size)
{
    static const Magic magics[] = {
        {0, 8, "\x89PNG\r\n\x1a\n", AV_CODEC_ID_PNG},
        {0, 3, "\xff\xd8\xff", AV_CODEC_ID_MJPEG},
        {8, 4, "WEBP", AV_CODEC_ID_WEBP},
        {0, 4, "GIF8", AV_CODEC_ID_GIF},
        {0, 4, "II*\0", AV_CODEC_ID_TIFF},
        {0, 4, "MM\0*", AV_CODEC_ID_TIFF},
        {0, 2, "BM", AV_CODEC_ID_BMP},
    };
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
        const Magic *m = &magics[i];
        if (size >= m->offset + m->size && memcmp(data + m->offset, m->bytes, m->size) == 0)
            return m->codec;
    }
    return AV_CODEC_ID_NONE;
}

static bool decode(AVFrame *frame, const FileMap *map, const char *path, SoraError *err)
{
    enum AVCodecID id = find_codec(map->data, map->size);
    if (id == AV_CODEC_ID_NONE)
        return error_set(err, SORA_ERROR_INPUT,
                         "%s: not a picture (PNG, JPEG, WebP, GIF, BMP and TIFF are read)", path);
    const AVCodec *decoder = avcodec_find_decoder(id);
    if (decoder == NULL)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: this FFmpeg does not read %s", path,
                         avcodec_get_name(id));
    AVCodecContext *c = avcodec_alloc_context3(decoder);
    AVPacket *packet = av_packet_alloc();
    int code = AVERROR(ENOMEM);
    if (c == NULL || packet == NULL || av_new_packet(packet, (int)map->size) < 0)
        goto out;
    memcpy(packet->data, map->data, map->size);
    packet->flags |= AV_PKT_FLAG_KEY;
    c->thread_count = 1;
    c->max_pixels = MEDIA_MAX_PIXELS;
    /* Half a picture is an error, not a grey half; but of TIFF that would refuse any tag FFmpeg does not
     * know. */
    c->err_recognition = AV_EF_CRCCHECK | (id == AV_CODEC_ID_TIFF ? 0 : AV_EF_EXPLODE);
    if ((code = avcodec_open2(c, decoder, NULL)) < 0)
        goto out;
    code = avcodec_send_packet(c, packet);
    if (code >= 0)
        code = avcodec_send_packet(c, NULL);
    if (code >= 0)
        code = avcodec_receive_frame(c, frame);
    /* Decoders complain of damage with many codes; the cause is the file in each. */
    if (code < 0 && code != AVERROR(ENOMEM) && code != AVERROR_PATCHWELCOME)
        code = AVERROR_INVALIDDATA;
    if (code >= 0 && (frame->decode_error_flags != 0 || frame->flags & AV_FRAME_FLAG_CORRUPT))
        code = AVERROR_INVALIDDATA;
out:
    av_packet_free(&packet);
    avcodec_free_context(&c);
    return code >= 0 || ffmpeg_error(err, path, "cannot decode the picture", code);
}

static bool convert(Image *image, const AVFrame *frame, const char *path, SoraError *err)
{
    if (!image_init(image, frame->width, frame->height, err))
        return error_wrap(err, "%s", path);
    struct SwsContext *sws = ffmpeg_to_rgb(frame);
    AVFrame *rgb = ffmpeg_rgb_frame(frame->width, frame->height);
    bool ok = sws != NULL && rgb != NULL;
    if (ok) {
        sws_scale(sws, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, rgb->data, rgb->linesize);
        ffmpeg_rgb_take(rgb, image->rgb);
    } else if (sws == NULL) {
        error_set(err, SORA_ERROR_UNSUPPORTED, "%s: pixel format that cannot be converted", path);
    } else {
        ffmpeg_out_of_memory(err, path);
    }
    sws_freeContext(sws);
    av_frame_free(&rgb);
    return ok;
}

/* The EXIF orientation, which the JPEG decoder gives as a 2x2 matrix m of 16.16 numbers: a source pixel at
 * (x, y) from the middle is shown at (m0 x + m2 y, m1 x + m3 y). Only multiples of a right angle occur. */
static bool turn_upright(Image *image, const AVFrame *frame, const char *path, SoraError *err)
{
    const AVFrameSideData *side = av_frame_get_side_data(frame, AV_FRAME_DATA_DISPLAYMATRIX);
    if (side == NULL || side->size < 9 * sizeof(int32_t))
        return true;
    int32_t matrix[9];
    memcpy(matrix, side->data, sizeof matrix);
    int a = (matrix[0] > 0) - (matrix[0] < 0), b = (matrix[1] > 0) - (matrix[1] < 0);
    int c = (matrix[3] > 0) - (matrix[3] < 0), d = (matrix[4] > 0) - (matrix[4] < 0);
    bool straight = a && d && !b && !c, swapped = b && c && !a && !d;
    if ((!straight && !swapped) || (a == 1 && d == 1))
        return true;
    Image out;
    if (!image_init(&out, swapped ? image->height : image->width, swapped ? image->width : image->height,
                    err))
        return error_wrap(err, "%s", path);
    for (int y = 0; y < image->height; y++) {
        for (int x = 0; x < image->width; x++) {
            int across = swapped ? c * y : a * x, down = swapped ? b * x : d * y;
            int to_x = across + ((swapped ? c : a) < 0 ? out.width - 1 : 0);
            int to_y = down + ((swapped ? b : d) < 0 ? out.height - 1 : 0);
            memcpy(out.rgb + 3 * ((size_t)to_y * (size_t)out.width + (size_t)to_x),
                   image->rgb + 3 * ((size_t)y * (size_t)image->width + (size_t)x), 3);
        }
    }
    image_deinit(image);
    *image = out;
    return true;
}

bool image_recognised(const uint8_t *data, size_t size)
{
    return find_codec(data, size) != AV_CODEC_ID_NONE;
}

bool image_decode(Image *image, const uint8_t *data, size_t size, const char *name, SoraError *err)
{
    ffmpeg_quiet();
    *image = (Image){0};
    const FileMap map = {.data = data, .size = size};
    AVFrame *frame = av_frame_alloc();
    bool ok = false;
    if (frame == NULL)
        ffmpeg_out_of_memory(err, name);
    else if (size > MAX_FILE)
        error_set(err, SORA_ERROR_INPUT, "%s: %zu bytes, at most %d are accepted", name, size, MAX_FILE);
    else
        ok = decode(frame, &map, name, err) && convert(image, frame, name, err) &&
             turn_upright(image, frame, name, err);
    if (!ok)
        image_deinit(image);
    av_frame_free(&frame);
    return ok;
}

bool image_read(Image *image, const char *path, SoraError *err)
{
    FileMap map;
    *image = (Image){0};
    if (!file_map_open(&map, path, err))
        return false;
    bool ok = image_decode(image, map.data, map.size, path, err);
    file_map_close(&map);
    return ok;
}
