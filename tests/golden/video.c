#include "golden/video.h"

#include <math.h>

/* Drops the leading 1. */
static bool as_video(Tensor *t)
{
    if (t->data != NULL && t->dtype == DTYPE_F32 && t->ndim == 5 && t->shape[0] == 1)
        *t = tensor_over(t->data, t->dtype, 4, t->shape + 1);
    return t->data != NULL && t->dtype == DTYPE_F32 && t->ndim == 4;
}

Tensor *video_input(Graph *g, Tensor t)
{
    if (!as_video(&t))
        return graph_fail(g, SORA_ERROR_INPUT, "fixture: a video is missing");
    Tensor *x = graph_input(g, t.dtype, SHAPE(1, t.shape[0], t.shape[1], t.shape[2], t.shape[3]), t.data);
    return op_permute(g, x, (int[]){0, 2, 3, 4, 1});
}

double worse_error(double a, double b)
{
    return a <= b ? b : a;
}

double video_error(Graph *g, Tensor *y, Tensor expected, int64_t frame)
{
    if (y == NULL || y->ndim != 5 || y->shape[0] != 1 || !as_video(&expected))
        return NAN;
    y = op_permute(g, y, (int[]){0, 4, 1, 2, 3});
    const int64_t *e = expected.shape;
    if (y == NULL || y->shape[1] != e[0] || y->shape[2] + frame > e[1] || y->shape[3] != e[2] ||
        y->shape[4] != e[3])
        return NAN;
    int64_t place = e[2] * e[3], n = y->shape[2] * place;
    double worst = 0;
    for (int64_t c = 0; c < e[0]; c++) {
        const float *got = (const float *)y->data + c * n;
        const float *want = (const float *)expected.data + (c * e[1] + frame) * place;
        for (int64_t i = 0; i < n; i++)
            worst = worse_error(worst, fabs((double)got[i] - want[i]));
    }
    return worst;
}
