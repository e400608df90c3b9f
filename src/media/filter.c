#include "media/filter.h"

#include <stdio.h>
#include <libavutil/mem.h>

static int add_input(Filter *f, int i, const AVFrame *like, AVRational time_base)
{
    char name[8], args[128];
    snprintf(name, sizeof name, "in%d", i);
    snprintf(args, sizeof args, "width=%d:height=%d:pix_fmt=%d:time_base=%d/%d", like->width, like->height,
             like->format, time_base.num, time_base.den);
    return avfilter_graph_create_filter(&f->inputs[i], avfilter_get_by_name("buffer"), name, args, NULL,
                                        f->graph);
}

static AVFilterInOut *name_end(const char *name, AVFilterContext *context)
{
    AVFilterInOut *end = avfilter_inout_alloc();
    if (end == NULL || (end->name = av_strdup(name)) == NULL) {
        avfilter_inout_free(&end);
        return NULL;
    }
    end->filter_ctx = context;
    return end;
}

static int connect_ends(Filter *f, const char *description)
{
    AVFilterInOut *out = name_end("out", f->output), *in = name_end("in0", f->inputs[0]);
    int code = out != NULL && in != NULL ? 0 : AVERROR(ENOMEM);
    if (code == 0 && f->inputs[1] != NULL && (in->next = name_end("in1", f->inputs[1])) == NULL)
        code = AVERROR(ENOMEM);
    if (code == 0)
        code = avfilter_graph_parse_ptr(f->graph, description, &out, &in, NULL);
    avfilter_inout_free(&out);
    avfilter_inout_free(&in);
    return code;
}

int filter_open(Filter *f, const char *description, AVRational time_base, const AVFrame *in0,
                const AVFrame *in1)
{
    *f = (Filter){.graph = avfilter_graph_alloc()};
    if (f->graph == NULL)
        return AVERROR(ENOMEM);
    f->graph->nb_threads = 1;
    int code = add_input(f, 0, in0, time_base);
    if (code >= 0 && in1 != NULL)
        code = add_input(f, 1, in1, time_base);
    if (code >= 0)
        code = avfilter_graph_create_filter(&f->output, avfilter_get_by_name("buffersink"), "out", NULL, NULL,
                                            f->graph);
    if (code >= 0)
        code = connect_ends(f, description);
    return code >= 0 ? avfilter_graph_config(f->graph, NULL) : code;
}

void filter_close(Filter *f)
{
    avfilter_graph_free(&f->graph); /* with the inputs and the output */
    *f = (Filter){0};
}
