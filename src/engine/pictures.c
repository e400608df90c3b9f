/* What the transformer hears of pictures. */
#include <stdlib.h>

#include "engine/pipeline.h"

/* One picture, of the image encoder's size, to its rows. */
static bool encode_resized(const Pipeline *p, const Pixels *picture, float *rows, SoraError *err)
{
    Graph *g = p->graph;
    int64_t side = p->image_encoder->config.image_size;
    graph_reset(g);
    Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, side, side, 3), picture->rgb);
    graph_download(g, clip_forward(g, p->image_encoder, clip_normalise(g, x)), rows);
    bool ok = graph_ok(g, err);
    graph_reset(g);
    return ok;
}

bool pipeline_encode_pictures(const Pipeline *p, const Pixels *const *pictures, int count, ContextRows *out,
                              SoraError *err)
{
    const ClipConfig *c = &p->image_encoder->config;
    int64_t rows = clip_rows(c);
    *out = (ContextRows){.rows = count * rows, .dim = c->dim};
    out->data = malloc((size_t)(out->rows * out->dim) * sizeof *out->data);
    bool ok = out->data != NULL || error_no_memory(err);
    for (int i = 0; i < count && ok; i++) {
        Pixels square;
        ok = pixels_resize(&square, pictures[i], c->image_size, c->image_size, err) &&
             encode_resized(p, &square, out->data + i * rows * out->dim, err);
        pixels_deinit(&square);
    }
    if (!ok)
        context_rows_free(out);
    return ok;
}
