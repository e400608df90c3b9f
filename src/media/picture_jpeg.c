#include <libavcodec/avcodec.h>
#include <stdlib.h>
#include <string.h>
#include "media/ffmpeg.h"
#include "media/picture.h"

enum {
    QUALITY = 2 /* the finest of FFmpeg's scale up to 31 */,
    MAX_SEGMENT = 65533,
    COM = 0xfe,
    APP1 = 0xe1
};

/* JFIF's colours are those of BT.601, full range. */
static int fill_frame(AVFrame *frame, const Image *image)
{
    AVFrame *rgb = ffmpeg_rgb_frame(image->width, image->height);
    struct SwsContext *sws = sws_getContext(
        image->width, image->height, AV_PIX_FMT_RGB24, image->width, image->height, AV_PIX_FMT_YUVJ444P,
        SWS_POINT | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL, NULL, NULL);
    int code = rgb != NULL && sws != NULL ? ffmpeg_rgb_fill(rgb, image->rgb) : AVERROR(ENOMEM);
    if (code >= 0) {
        const int *bt601 = sws_getCoefficients(SWS_CS_ITU601);
        sws_setColorspaceDetails(sws, bt601, 1, bt601, 1, 0, 1 << 16, 1 << 16);
        sws_scale(sws, (const uint8_t *const *)rgb->data, rgb->linesize, 0, image->height, frame->data, frame->linesize);
    }
    sws_freeContext(sws);
    av_frame_free(&rgb);
    return code;
}

static int encode(const Image *image, AVPacket *packet)
{
    const AVCodec *encoder = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    AVCodecContext *c = encoder ? avcodec_alloc_context3(encoder) : NULL;
    AVFrame *frame = av_frame_alloc();
    int code = encoder == NULL ? AVERROR_ENCODER_NOT_FOUND : AVERROR(ENOMEM);
    if (c == NULL || frame == NULL)
        goto out;
    frame->width = c->width = image->width;
    frame->height = c->height = image->height;
    frame->format = c->pix_fmt = AV_PIX_FMT_YUVJ444P;
    c->color_range = AVCOL_RANGE_JPEG;
    c->sample_aspect_ratio = (AVRational){1, 1}; /* with it comes the JFIF header */
    c->time_base = (AVRational){1, 25};
    c->thread_count = 1;
    c->flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_QSCALE;
    c->global_quality = frame->quality = FF_QP2LAMBDA * QUALITY;
    if ((code = avcodec_open2(c, encoder, NULL)) < 0 || (code = av_frame_get_buffer(frame, 0)) < 0)
        goto out;
    if ((code = fill_frame(frame, image)) < 0)
        goto out;
    if ((code = avcodec_send_frame(c, frame)) >= 0)
        code = avcodec_receive_packet(c, packet);
    if (code >= 0 && packet->size < 4)
        code = AVERROR_BUG;
out:
    av_frame_free(&frame);
    avcodec_free_context(&c);
    return code;
}

static void put_segment(FILE *stream, int marker, const char *prefix, size_t prefix_size, const char *data,
                        size_t size)
{
    size_t length = 2 + prefix_size + size;
    uint8_t head[4] = {0xff, (uint8_t)marker, (uint8_t)(length >> 8), (uint8_t)length};
    fwrite(head, 1, sizeof head, stream);
    fwrite(prefix, 1, prefix_size, stream);
    fwrite(data, 1, size, stream);
}

/* After the JFIF header, if there is one, else after the file's first marker. */
static size_t text_place(const uint8_t *data, size_t size)
{
    bool jfif = size > 6 && data[2] == 0xff && data[3] == 0xe0;
    size_t end = jfif ? 4 + ((size_t)data[4] << 8 | data[5]) : 2;
    return end <= size ? end : 2;
}

bool jpeg_write(FILE *stream, const Image *image, const PictureText *text, const char *path, SoraError *err)
{
    static const char xmp_name[] = "http://ns.adobe.com/xap/1.0/"; /* with its 0 */
    ffmpeg_quiet();
    bool ok = false;
    size_t xmp_size = 0;
    char *xmp = text->title != NULL ? xmp_make(text->title, NULL, &xmp_size) : NULL;
    AVPacket *packet = av_packet_alloc();
    if (packet == NULL || (text->title != NULL && xmp == NULL)) {
        ffmpeg_out_of_memory(err, path);
        goto out;
    }
    int code = encode(image, packet);
    if (code < 0) {
        ffmpeg_error(err, path, "cannot encode", code);
        goto out;
    }
    size_t place = text_place(packet->data, (size_t)packet->size);
    fwrite(packet->data, 1, place, stream);
    if (xmp != NULL && xmp_size <= MAX_SEGMENT - sizeof xmp_name)
        put_segment(stream, APP1, xmp_name, sizeof xmp_name, xmp, xmp_size);
    for (size_t at = 0, size = text->comment ? strlen(text->comment) : 0, n; at < size; at += n) {
        n = size - at < MAX_SEGMENT ? size - at : MAX_SEGMENT;
        put_segment(stream, COM, "", 0, text->comment + at, n);
    }
    fwrite(packet->data + place, 1, (size_t)packet->size - place, stream);
    ok = true;
out:
    free(xmp);
    av_packet_free(&packet);
    return ok;
}
