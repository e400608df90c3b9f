#include <libavcodec/avcodec.h>
#include <libavutil/imgutils.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "media/exif.h"
#include "media/ffmpeg.h"
#include "media/picture_decode.h"

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

/* One picture on its way. */
typedef struct Decoding {
    const char *path;
    const PictureSink *sink;
    bool refused; /* with *err */
    SoraError *err;
} Decoding;

/* Asked before memory is taken for the picture: its size is known now. */
static bool accept(Decoding *d, AVCodecContext *c, int width, int height)
{
    int64_t pixels = (int64_t)width * height;
    if (width > MEDIA_MAX_SIDE || height > MEDIA_MAX_SIDE || pixels > MEDIA_MAX_PIXELS)
        return error_set(d->err, SORA_ERROR_INPUT, "%s: %dx%d pixels: %d million and %d a side are read", d->path, width, height,
                         MEDIA_MAX_PIXELS / 1000000, MEDIA_MAX_SIDE);
    int decoded = av_image_get_buffer_size(c->pix_fmt, width, height, 1);
    size_t bytes = (size_t)(decoded > 0 ? decoded : 0) + 3 * (size_t)pixels;
    return d->sink->size == NULL || d->sink->size(d->sink->user, &(PictureSize){width, height, bytes}, d->err) ||
           error_wrap(d->err, "%s", d->path);
}

static int get_buffer(AVCodecContext *c, AVFrame *frame, int flags)
{
    Decoding *d = c->opaque;
    if (d->refused || !accept(d, c, frame->width, frame->height)) {
        d->refused = true;
        return AVERROR(EINVAL);
    }
    return avcodec_default_get_buffer2(c, frame, flags);
}

static bool decode(Decoding *d, AVFrame *frame, const FileMap *map)
{
    enum AVCodecID id = find_codec(map->data, map->size);
    if (id == AV_CODEC_ID_NONE)
        return error_set(d->err, SORA_ERROR_INPUT, "%s: not a picture (PNG, JPEG, WebP, GIF, BMP and TIFF are read)", d->path);
    const AVCodec *decoder = avcodec_find_decoder(id);
    if (decoder == NULL)
        return error_set(d->err, SORA_ERROR_UNSUPPORTED, "%s: this FFmpeg does not read %s", d->path, avcodec_get_name(id));
    AVCodecContext *c = avcodec_alloc_context3(decoder);
    AVPacket *packet = av_packet_alloc();
    int code = AVERROR(ENOMEM);
    if (c == NULL || packet == NULL || av_new_packet(packet, (int)map->size) < 0)
        goto out;
    memcpy(packet->data, map->data, map->size);
    packet->flags |= AV_PKT_FLAG_KEY;
    c->thread_count = 1;
    c->opaque = d;
    c->get_buffer2 = get_buffer;
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
    if (d->refused)
        return false;
    return code >= 0 || ffmpeg_error(d->err, d->path, "cannot decode the picture", code);
}

/* NULL on failure. */
static AVFrame *convert(const Decoding *d, const AVFrame *frame)
{
    struct SwsContext *sws = ffmpeg_to_rgb(frame);
    AVFrame *rgb = ffmpeg_rgb_frame(frame->width, frame->height);
    bool ok = sws != NULL && rgb != NULL;
    if (ok)
        sws_scale(sws, (const uint8_t *const *)frame->data, frame->linesize, 0, frame->height, rgb->data, rgb->linesize);
    else if (sws == NULL)
        error_set(d->err, SORA_ERROR_UNSUPPORTED, "%s: pixel format that cannot be converted", d->path);
    else
        ffmpeg_out_of_memory(d->err, d->path);
    sws_freeContext(sws);
    if (!ok)
        av_frame_free(&rgb);
    return rgb;
}

/* Row y of the upright picture. */
static void take_row(const AVFrame *rgb, int orientation, int y, uint8_t *row)
{
    int w = rgb->width, h = rgb->height, columns = orientation >= 5 ? h : w;
    bool from_right = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool from_below = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    for (int x = 0; x < columns; x++) {
        int sx = orientation >= 5 ? y : x, sy = orientation >= 5 ? x : y;
        sx = from_right ? w - 1 - sx : sx;
        sy = from_below ? h - 1 - sy : sy;
        memcpy(row + 3 * (size_t)x, rgb->data[0] + (ptrdiff_t)sy * rgb->linesize[0] + 3 * (ptrdiff_t)sx, 3);
    }
}

static bool deliver(const Decoding *d, const AVFrame *rgb, int orientation)
{
    int width = orientation >= 5 ? rgb->height : rgb->width, height = orientation >= 5 ? rgb->width : rgb->height;
    uint8_t *row = malloc(3 * (size_t)width);
    if (row == NULL)
        return ffmpeg_out_of_memory(d->err, d->path);
    bool ok = d->sink->begin(d->sink->user, width, height, d->err);
    for (int y = 0; ok && y < height; y++) {
        take_row(rgb, orientation, y, row);
        ok = d->sink->row(d->sink->user, y, row, d->err);
    }
    free(row);
    return ok || error_wrap(d->err, "%s", d->path);
}

bool picture_decode_memory(const void *data, size_t size, const char *name, const PictureSink *sink, SoraError *err)
{
    ffmpeg_quiet();
    SoraError ignored;
    Decoding d = {.path = name, .sink = sink, .err = err != NULL ? err : &ignored};
    const FileMap map = {.data = data, .size = size};
    AVFrame *frame = av_frame_alloc(), *rgb = NULL;
    bool ok = false;
    if (frame == NULL)
        ffmpeg_out_of_memory(d.err, name);
    else if (size > MAX_FILE)
        error_set(d.err, SORA_ERROR_INPUT, "%s: %zu bytes, at most %d are accepted", name, size, MAX_FILE);
    else
        ok = decode(&d, frame, &map) && (rgb = convert(&d, frame)) != NULL;
    av_frame_free(&frame);
    ok = ok && deliver(&d, rgb, exif_orientation(data, size));
    av_frame_free(&rgb);
    return ok;
}

bool picture_decode(const char *path, const PictureSink *sink, SoraError *err)
{
    FileMap map;
    if (!file_map_open(&map, path, err))
        return false;
    bool ok = picture_decode_memory(map.data, map.size, path, sink, err);
    file_map_close(&map);
    return ok;
}

static bool begin_image(void *user, int width, int height, SoraError *err)
{
    return image_init(user, width, height, err);
}

static bool take_image_row(void *user, int y, const uint8_t *row, SoraError *err)
{
    Image *image = user;
    size_t bytes = 3 * (size_t)image->width;
    memcpy(image->rgb + (size_t)y * bytes, row, bytes);
    return true;
}

bool image_recognised(const uint8_t *data, size_t size)
{
    return find_codec(data, size) != AV_CODEC_ID_NONE;
}

bool image_read(Image *image, const char *path, SoraError *err)
{
    *image = (Image){0};
    if (picture_decode(path, &(PictureSink){.begin = begin_image, .row = take_image_row, .user = image}, err))
        return true;
    image_deinit(image);
    return false;
}
