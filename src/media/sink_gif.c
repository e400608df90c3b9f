/* GIF: the best 256 colours of the whole video, so the frames are read twice. Between the two passes they
 * lie in a temporary file. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "media/ffmpeg.h"
#include "media/filter.h"
#include "media/sink.h"

typedef struct GifSink {
    Muxer muxer;
    Filter palette; /* frames -> one frame of 16x16 colours */
    FILE *frames;   /* RGB24, one after the other */
    AVFrame *frame, *result;
    char *comment;
    int width, height;
    AVRational time_base;
    int64_t count;
} GifSink;

static void close_sink(void *sink)
{
    GifSink *s = sink;
    muxer_close(&s->muxer);
    filter_close(&s->palette);
    if (s->frames != NULL)
        fclose(s->frames);
    av_frame_free(&s->frame);
    av_frame_free(&s->result);
    free(s->comment);
    free(s);
}

static bool prepare(GifSink *s, const SinkKind *kind, const char *path, const VideoFormat *f, SoraError *err)
{
    if (!muxer_open(&s->muxer, kind, path, f, AV_PIX_FMT_PAL8, NULL, err))
        return false;
    s->width = f->width;
    s->height = f->height;
    s->time_base = s->muxer.codec->time_base;
    s->frames = file_temporary(err);
    if (s->frames == NULL)
        return false;
    s->frame = ffmpeg_rgb_frame(f->width, f->height);
    s->result = av_frame_alloc();
    /* A GIF has one kind of comment: the parameters, else the title. */
    const char *comment = f->comment ? f->comment : f->title;
    if (s->frame == NULL || s->result == NULL || (comment != NULL && (s->comment = strdup(comment)) == NULL))
        return ffmpeg_out_of_memory(err, path);
    int code =
        filter_open(&s->palette, "[in0]palettegen=reserve_transparent=0[out]", s->time_base, s->frame, NULL);
    return code >= 0 || ffmpeg_error(err, path, "cannot make a palette", code);
}

static void *open_sink(const SinkKind *kind, const char *path, const VideoFormat *format, SoraError *err)
{
    GifSink *s = calloc(1, sizeof *s);
    if (s == NULL) {
        ffmpeg_out_of_memory(err, path);
        return NULL;
    }
    if (!prepare(s, kind, path, format, err)) {
        close_sink(s);
        return NULL;
    }
    return s;
}

static int fill_frame(GifSink *s, const uint8_t *rgb, int64_t pts)
{
    int code = ffmpeg_rgb_fill(s->frame, rgb);
    s->frame->pts = pts;
    return code;
}

static bool write_frame(void *sink, const uint8_t *rgb, SoraError *err)
{
    GifSink *s = sink;
    if (fwrite(rgb, 3 * (size_t)s->width, (size_t)s->height, s->frames) != (size_t)s->height)
        return file_temporary_failed(err);
    int code = fill_frame(s, rgb, s->count++);
    if (code >= 0)
        code = av_buffersrc_add_frame_flags(s->palette.inputs[0], s->frame, AV_BUFFERSRC_FLAG_KEEP_REF);
    return code >= 0 || ffmpeg_error(err, s->muxer.path, "cannot make a palette", code);
}

/* Encodes what the second pass has ready. */
static bool drain(GifSink *s, Filter *f, SoraError *err)
{
    for (;;) {
        int code = av_buffersink_get_frame(f->output, s->result);
        if (code == AVERROR(EAGAIN) || code == AVERROR_EOF)
            return true;
        if (code < 0)
            return ffmpeg_error(err, s->muxer.path, "cannot choose colours", code);
        bool ok = muxer_encode(&s->muxer, s->result, err);
        av_frame_unref(s->result);
        if (!ok)
            return false;
    }
}

static bool feed(GifSink *s, Filter *f, uint8_t *rgb, SoraError *err)
{
    if (fflush(s->frames) != 0 || fseeko(s->frames, 0, SEEK_SET) != 0)
        return file_temporary_failed(err);
    for (int64_t i = 0; i < s->count; i++) {
        if (fread(rgb, 3 * (size_t)s->width, (size_t)s->height, s->frames) != (size_t)s->height)
            return file_temporary_failed(err);
        int code = fill_frame(s, rgb, i);
        if (code >= 0)
            code = av_buffersrc_add_frame_flags(f->inputs[0], s->frame, AV_BUFFERSRC_FLAG_KEEP_REF);
        if (code < 0)
            return ffmpeg_error(err, s->muxer.path, "cannot choose colours", code);
        if (!drain(s, f, err))
            return false;
    }
    int code = av_buffersrc_add_frame(f->inputs[0], NULL);
    return code >= 0 ? drain(s, f, err) : ffmpeg_error(err, s->muxer.path, "cannot choose colours", code);
}

static bool second_pass(GifSink *s, SoraError *err)
{
    Filter use = {0};
    bool ok = false;
    uint8_t *rgb = malloc(3 * (size_t)s->width * (size_t)s->height);
    AVFrame *palette = av_frame_alloc();
    int code = rgb && palette ? av_buffersrc_add_frame(s->palette.inputs[0], NULL) : AVERROR(ENOMEM);
    if (code >= 0)
        code = av_buffersink_get_frame(s->palette.output, palette);
    if (code >= 0) {
        palette->pts = 0;
        code = filter_open(&use, "[in0][in1]paletteuse=dither=sierra2_4a:diff_mode=rectangle[out]",
                           s->time_base, s->frame, palette);
    }
    if (code >= 0)
        code = av_buffersrc_add_frame(use.inputs[1], palette);
    if (code >= 0)
        code = av_buffersrc_add_frame(use.inputs[1], NULL);
    ok =
        code >= 0 ? feed(s, &use, rgb, err) : ffmpeg_error(err, s->muxer.path, "cannot make a palette", code);
    filter_close(&use);
    av_frame_free(&palette);
    free(rgb);
    return ok;
}

/* A comment extension (GIF89a, section 24) before the trailer: FFmpeg's muxer writes none. */
static bool write_comment(GifSink *s, SoraError *err)
{
    FILE *out = s->muxer.file.stream;
    enum { INTRODUCER = 0x21, COMMENT = 0xfe, TRAILER = 0x3b };
    if (s->comment == NULL)
        return true;
    bool ok = fseeko(out, -1, SEEK_END) == 0 && fputc(INTRODUCER, out) != EOF && fputc(COMMENT, out) != EOF;
    for (size_t left = strlen(s->comment), at = 0, n; ok && left > 0; left -= n, at += n) {
        n = left < 255 ? left : 255;
        ok = fputc((int)n, out) != EOF && fwrite(s->comment + at, 1, n, out) == n;
    }
    ok = ok && fputc(0, out) != EOF && fputc(TRAILER, out) != EOF;
    return ok || error_set(err, SORA_ERROR_IO, "%s: cannot write: %s", s->muxer.path, strerror(errno));
}

static bool commit(void *sink, const FileFinish *finish, char **new_name, SoraError *err)
{
    GifSink *s = sink;
    return second_pass(s, err) && muxer_finish(&s->muxer, err) && write_comment(s, err) &&
           muxer_commit(&s->muxer, finish, new_name, err);
}

const SinkKind SINK_GIF = {".gif",      "gif",  "gif",      false, 50,  open_sink,
                           write_frame, commit, close_sink, 0,     NULL, NULL};
