#include "model/precondition.h"

#include <math.h>

#include "base/arena.h"

/* Row r's numbers of a channel. */
static void write_channel(float *in, float *skip, float *out, double s, double v, int64_t cells, int64_t channels)
{
    double d = v * (1 - s) * (1 - s) + s * s;
    for (int64_t cell = 0; cell < cells; cell++) {
        in[cell] = (float)(1 / sqrt(d) - 1);
        skip[cell * channels] = (float)((s - v * (1 - s)) / d);
        out[cell * channels] = (float)(sqrt(v / d) - 1);
    }
}

Precondition precondition_tables(Graph *g, Tensor *timesteps, const float *variance, int64_t channels, int64_t cells)
{
    Precondition p = {0};
    if (timesteps == NULL)
        return p;
    int64_t rows = tensor_numel(timesteps), width = channels * cells;
    Arena scratch;
    arena_init(&scratch, 0);
    float *t = arena_calloc(&scratch, tensor_bytes(timesteps));
    float *tables = arena_alloc(&scratch, 3 * (size_t)(rows * width) * sizeof *tables);
    if (t == NULL || tables == NULL) {
        graph_fail(g, SORA_ERROR_MEMORY, "transformer: out of memory");
    } else {
        float *in = tables, *skip = in + rows * width, *out = skip + rows * width;
        graph_download(g, timesteps, t);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < channels; c++)
                write_channel(in + r * width + c * cells, skip + r * width + c, out + r * width + c,
                              (double)t[r] / 1000, (double)variance[c], cells, channels);
        p.in = graph_input(g, DTYPE_F32, SHAPE(rows, width), in);
        p.skip = graph_input(g, DTYPE_F32, SHAPE(rows, width), skip);
        p.out = graph_input(g, DTYPE_F32, SHAPE(rows, width), out);
    }
    arena_deinit(&scratch);
    return p;
}

Tensor *precondition_in(Graph *g, const Precondition *p, Tensor *patches, Tensor *t_index)
{
    return op_modulate(g, patches, (Modulation){NULL, p->in, t_index});
}

Tensor *precondition_out(Graph *g, const Precondition *p, Tensor *f, Tensor *patches, Tensor *t_index)
{
    f = op_modulate(g, f, (Modulation){NULL, p->out, t_index});
    return op_gate(g, f, patches, p->skip, t_index);
}
