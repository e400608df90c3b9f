/* Video of the fixtures, [C, T, H, W] with or without a 1 before it, beside ours, [1, T, H, W, C]. */
#ifndef SORA_TESTS_VIDEO_H
#define SORA_TESTS_VIDEO_H

#include "tensor/ops.h"

/* The fixture's video as ours. Fails the graph when t is no video. */
Tensor *video_input(Graph *g, Tensor t);
/* The largest difference between y and expected from its given frame on; NaN when the graph has failed, a shape
 * does not fit or expected is missing. */
double video_error(Graph *g, Tensor *y, Tensor expected, int64_t frame);
/* The larger one; NaN wins. */
double worse_error(double a, double b);

#endif
