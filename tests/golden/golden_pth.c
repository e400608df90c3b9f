/* PyTorch's files of the same numbers as safetensors: the right tensors, bit for bit. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "golden/golden.h"
#include "weights/weight_file.h"

typedef struct Pair {
    const char *pth, *weights;
    bool all; /* every tensor of the weights is in the .pth */
} Pair;

static const Pair PAIRS[] = {{"umt5_tiny.bf16.pth", "umt5_tiny.weights.safetensors", true},
                             {"vae21_tiny.subset.f32.pth", "vae21_tiny.weights.safetensors", false}};

/* Is t what rounding the F32 tensor to its type gives? */
static bool is_same(const Tensor *t, const Tensor *f32)
{
    if (f32 == NULL || f32->dtype != DTYPE_F32 || !tensor_same_shape(t, f32) ||
        (t->dtype != DTYPE_F32 && t->dtype != DTYPE_BF16))
        return false;
    if (t->dtype == DTYPE_F32)
        return memcmp(t->data, f32->data, tensor_bytes(t)) == 0;
    for (int64_t i = 0; i < tensor_numel(t); i++)
        if (((const uint16_t *)t->data)[i] != f32_to_bf16(((const float *)f32->data)[i]))
            return false;
    return true;
}

/* How many tensors are missing or wrong; NaN when the files cannot be read as what they are. */
static double count_wrong(const char *dir, const Pair *p)
{
    char path[2][4096];
    snprintf(path[0], sizeof path[0], "%.3000s/%s", dir, p->pth);
    snprintf(path[1], sizeof path[1], "%.3000s/%s", dir, p->weights);
    SoraError err = {0};
    double wrong = NAN;
    WeightFile *pth = weight_file_open(path[0], &err), *weights = pth ? weight_file_open(path[1], &err) : NULL;
    if (weights == NULL) {
        printf("  %s\n", err.message);
    } else if (weight_file_format(pth) == WEIGHT_PTH && weight_file_count(pth) > 0) {
        wrong = p->all ? abs(weight_file_count(weights) - weight_file_count(pth)) : 0;
        for (int i = 0; i < weight_file_count(pth); i++)
            wrong += !is_same(weight_file_tensor(pth, i), weight_file_find(weights, weight_file_tensor_name(pth, i)));
    }
    weight_file_close(weights);
    weight_file_close(pth);
    return wrong;
}

void golden_pth(Golden *g, const char *dir)
{
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%.3000s/%s", dir, PAIRS[i].pth);
        if (!file_exists(path))
            continue;
        golden_claim(g, PAIRS[i].pth);
        golden_report(g, PAIRS[i].pth, count_wrong(dir, &PAIRS[i]), 0);
    }
}
