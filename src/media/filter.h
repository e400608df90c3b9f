/* A graph of libavfilter with one or two inputs and one output. Private to src/media. */
#ifndef SORA_MEDIA_FILTER_H
#define SORA_MEDIA_FILTER_H

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>

typedef struct Filter {
    AVFilterGraph *graph;
    AVFilterContext *inputs[2], *output; /* for av_buffersrc_* and av_buffersink_* */
} Filter;

/* description reads [in0], and [in1] if in1 is not NULL, and writes [out]. Only size and pixel format of
 * in0 and in1 are used. Returns 0 or an AVERROR; filter_close() is due in both cases. */
int filter_open(Filter *f, const char *description, AVRational time_base, const AVFrame *in0,
                const AVFrame *in1);
void filter_close(Filter *f);

#endif
