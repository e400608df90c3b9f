#include "media/sound.h"

#include <libavformat/avformat.h>
#include <stdlib.h>
#include <string.h>

#include "media/child.h"
#include "media/container.h"
#include "media/ffmpeg.h"
#include "media/foreign.h"

struct Sound {
    char *path;
    ChildPlan plan;
    Child *child;
    SoundFormat format;
    uint8_t *data; /* [SOUND_MAX_PACKET + AV_INPUT_BUFFER_PADDING_SIZE] */
    bool ended;
};

/* What goes before a packet's bytes. */
typedef struct Head {
    int64_t pts, dts, duration;
} Head;

/* --- in the child --- */

static bool describe(const AVStream *stream, SoundFormat *f, const char *path, SoraError *err)
{
    const AVCodecParameters *p = stream->codecpar;
    if (p->extradata_size > SOUND_MAX_EXTRA)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: its sound has %d bytes of header", path, p->extradata_size);
    *f = (SoundFormat){.codec = (int)p->codec_id,
                       .rate = p->sample_rate,
                       .channels = p->ch_layout.nb_channels,
                       .frame_size = p->frame_size,
                       .initial_padding = p->initial_padding,
                       .block_align = p->block_align,
                       .profile = p->profile,
                       .bits = p->bits_per_coded_sample,
                       .bit_rate = p->bit_rate,
                       .layout = p->ch_layout.order == AV_CHANNEL_ORDER_NATIVE ? p->ch_layout.u.mask : 0,
                       .time_base = {stream->time_base.num, stream->time_base.den},
                       .extra_size = p->extradata_size};
    if (p->extradata_size > 0)
        memcpy(f->extra, p->extradata, (size_t)p->extradata_size);
    return true;
}

static bool send_packets(AVFormatContext *c, const AVStream *stream, int64_t begin, const Outlet *out, const char *path, SoraError *err)
{
    AVPacket *packet = av_packet_alloc();
    int code = packet != NULL ? 0 : AVERROR(ENOMEM);
    bool ok = true;
    while (ok && code >= 0 && (code = av_read_frame(c, packet)) >= 0) {
        if (packet->stream_index == stream->index && packet->size > 0) {
            Head head = {packet->pts, packet->dts, packet->duration};
            head.pts = head.pts == AV_NOPTS_VALUE ? head.dts : head.pts;
            head.dts = head.dts == AV_NOPTS_VALUE ? head.pts : head.dts;
            Message m = {.kind = MESSAGE_DATA, .bytes = sizeof head + (uint64_t)packet->size};
            head.pts -= begin;
            head.dts -= begin;
            ok = packet->pts == AV_NOPTS_VALUE && packet->dts == AV_NOPTS_VALUE
                     ? error_set(err, SORA_ERROR_UNSUPPORTED, "%s: its sound has no times", path)
                 : packet->size > SOUND_MAX_PACKET
                     ? error_set(err, SORA_ERROR_UNSUPPORTED, "%s: its sound has a packet of %d bytes", path, packet->size)
                     : (outlet_send(out, &m, NULL) && outlet_append(out, &head, sizeof head) &&
                        outlet_append(out, packet->data, (size_t)packet->size)) ||
                           error_set(err, SORA_ERROR_CANCELLED, "nobody reads");
        }
        av_packet_unref(packet);
    }
    av_packet_free(&packet);
    return ok && (code >= 0 || code == AVERROR_EOF || ffmpeg_error(err, path, "damaged sound", code));
}

static bool send_sound(void *user, const Outlet *out, SoraError *err)
{
    const Sound *s = user;
    SoundFormat f;
    AVFormatContext *c = container_open(s->path, err);
    if (c == NULL)
        return false;
    int best = av_find_best_stream(c, AVMEDIA_TYPE_AUDIO, -1, -1, NULL, 0), video = av_find_best_stream(c, AVMEDIA_TYPE_VIDEO, -1, -1, NULL, 0);
    bool ok = best >= 0 || error_set(err, SORA_ERROR_NOT_FOUND, "%s: has no sound", s->path);
    if (ok) {
        const AVStream *stream = c->streams[best], *shown = video >= 0 ? c->streams[video] : stream;
        int64_t start = shown->start_time != AV_NOPTS_VALUE ? shown->start_time : 0;
        Message m = {.kind = MESSAGE_SIZE, .bytes = sizeof f};
        for (unsigned i = 0; i < c->nb_streams; i++)
            if ((int)i != best)
                c->streams[i]->discard = AVDISCARD_ALL;
        ok = describe(stream, &f, s->path, err) &&
             (outlet_send(out, &m, &f) || error_set(err, SORA_ERROR_CANCELLED, "nobody reads")) &&
             send_packets(c, stream, av_rescale_q(start, shown->time_base, stream->time_base), out, s->path, err);
    }
    avformat_close_input(&c);
    return ok;
}

/* --- in the parent --- */

static bool receive_format(Sound *s, SoraError *err)
{
    Message m;
    SoundFormat *f = &s->format;
    if (!child_receive(s->child, &m, err))
        return false;
    if (m.kind != MESSAGE_SIZE || m.bytes != sizeof *f)
        return error_set(err, SORA_ERROR_INPUT, "%s: no sound came of it", s->path);
    if (!child_read(s->child, f, sizeof *f, err))
        return false;
    bool sane = f->rate > 0 && f->rate <= 768000 && f->channels > 0 && f->channels <= 64 && f->extra_size >= 0 &&
                f->extra_size <= SOUND_MAX_EXTRA && f->time_base[0] > 0 && f->time_base[1] > 0;
    return sane || error_set(err, SORA_ERROR_INPUT, "%s: its sound is damaged", s->path);
}

Sound *sound_open(const char *path, SoraError *err)
{
    enum { MEMORY = 512 << 20 };
    ffmpeg_quiet();
    Sound *s = calloc(1, sizeof *s);
    if (s == NULL || (s->path = strdup(path)) == NULL ||
        (s->data = calloc(1, SOUND_MAX_PACKET + AV_INPUT_BUFFER_PADDING_SIZE)) == NULL) {
        ffmpeg_out_of_memory(err, path);
        sound_close(s);
        return NULL;
    }
    s->plan = (ChildPlan){send_sound, s, s->path, MEMORY, FOREIGN_SECONDS};
    s->child = child_start(&s->plan, err);
    if (s->child != NULL && receive_format(s, err))
        return s;
    sound_close(s);
    return NULL;
}

const SoundFormat *sound_format(const Sound *s)
{
    return &s->format;
}

bool sound_read(Sound *s, SoundPacket *p, SoraError *err)
{
    Message m;
    Head head;
    *p = (SoundPacket){0};
    if (s->ended)
        return true;
    if (!child_receive(s->child, &m, err))
        return false;
    s->ended = m.kind == MESSAGE_END;
    if (s->ended)
        return true;
    if (m.kind != MESSAGE_DATA || m.bytes <= sizeof head || m.bytes > sizeof head + SOUND_MAX_PACKET)
        return error_set(err, SORA_ERROR_INPUT, "%s: its sound is damaged", s->path);
    size_t size = (size_t)m.bytes - sizeof head;
    if (!child_read(s->child, &head, sizeof head, err) || !child_read(s->child, s->data, size, err))
        return false;
    memset(s->data + size, 0, AV_INPUT_BUFFER_PADDING_SIZE);
    *p = (SoundPacket){head.pts, head.dts, head.duration, (int)size, s->data};
    return true;
}

void sound_close(Sound *s)
{
    if (s == NULL)
        return;
    child_end(s->child);
    free(s->data);
    free(s->path);
    free(s);
}
