#include "media/picture.h"

#include <libavcodec/avcodec.h>
#include <libavutil/crc.h>
#include <libavutil/intreadwrite.h>
#include <stdlib.h>
#include <string.h>
#include "media/ffmpeg.h"

enum { SIGNATURE_AND_IHDR = 8 + 25 };

static bool is_ascii(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s >= 0x80)
            return false;
    }
    return true;
}

/* tEXt is Latin-1 and everybody reads it; iTXt is UTF-8. */
static bool write_text(FILE *stream, const char *keyword, const char *text)
{
    bool ascii = is_ascii(text);
    size_t key = strlen(keyword) + 1, extra = ascii ? 0 : 4, length = strlen(text);
    if (length > INT32_MAX / 2)
        return false;
    uint8_t *chunk = calloc(1, 4 + key + extra + length + 4);
    if (chunk == NULL)
        return false;
    /* iTXt after the keyword: not compressed, method 0, no language, no translated keyword: four zeros. */
    memcpy(chunk, ascii ? "tEXt" : "iTXt", 4);
    memcpy(chunk + 4, keyword, key);
    memcpy(chunk + 4 + key + extra, text, length);
    size_t n = 4 + key + extra + length;
    AV_WB32(chunk + n, ~av_crc(av_crc_get_table(AV_CRC_32_IEEE_LE), ~0u, chunk, n));
    uint8_t size[4];
    AV_WB32(size, (uint32_t)(n - 4));
    fwrite(size, 1, 4, stream);
    fwrite(chunk, 1, n + 4, stream);
    free(chunk);
    return true;
}

static int encode(const Image *image, AVPacket *packet)
{
    const AVCodec *encoder = avcodec_find_encoder(AV_CODEC_ID_PNG);
    AVCodecContext *c = encoder ? avcodec_alloc_context3(encoder) : NULL;
    AVFrame *frame = ffmpeg_rgb_frame(image->width, image->height);
    int code = encoder == NULL ? AVERROR_ENCODER_NOT_FOUND : AVERROR(ENOMEM);
    if (c == NULL || frame == NULL)
        goto out;
    c->width = image->width;
    c->height = image->height;
    c->pix_fmt = AV_PIX_FMT_RGB24;
    c->time_base = (AVRational){1, 25};
    c->thread_count = 1;
    if ((code = avcodec_open2(c, encoder, NULL)) < 0 || (code = ffmpeg_rgb_fill(frame, image->rgb)) < 0)
        goto out;
    if ((code = avcodec_send_frame(c, frame)) >= 0)
        code = avcodec_receive_packet(c, packet);
    if (code >= 0 && packet->size < SIGNATURE_AND_IHDR)
        code = AVERROR_BUG;
out:
    av_frame_free(&frame);
    avcodec_free_context(&c);
    return code;
}

bool png_write(FILE *stream, const Image *image, const PictureText *text, const char *path, SoraError *err)
{
    ffmpeg_quiet();
    AVPacket *packet = av_packet_alloc();
    if (packet == NULL)
        return ffmpeg_out_of_memory(err, path);
    int code = encode(image, packet);
    bool ok = code >= 0 || ffmpeg_error(err, path, "cannot encode", code);
    if (ok) {
        fwrite(packet->data, 1, SIGNATURE_AND_IHDR, stream);
        ok = (text->title == NULL || write_text(stream, "Title", text->title)) &&
             (text->comment == NULL || write_text(stream, "Comment", text->comment));
        if (!ok)
            ffmpeg_out_of_memory(err, path);
        fwrite(packet->data + SIGNATURE_AND_IHDR, 1, (size_t)packet->size - SIGNATURE_AND_IHDR, stream);
    }
    av_packet_free(&packet);
    return ok;
}
