/* What must hold of any weight file that was opened: each tensor's bytes can be read, and its numbers
 * widened. */
#ifndef SORA_TESTS_WEIGHT_FILE_CHECK_H
#define SORA_TESTS_WEIGHT_FILE_CHECK_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "weights/part_source.h"
#include "weights/quant.h"

static inline void check_error(const SoraError *err)
{
    assert(err->code != SORA_OK && err->message[0] != 0);
    for (const char *c = err->message; *c; c++)
        assert((unsigned char)*c >= 32);
}

static inline void check_tensor(const WeightFile *f, int i)
{
    const Tensor *t = weight_file_tensor(f, i);
    assert(weight_file_find(f, weight_file_tensor_name(f, i)) == t);
    assert(t->ndim >= 0 && t->ndim <= MAX_DIMS && tensor_numel(t) >= 0);
    assert(tensor_numel(t) % dtype_block(t->dtype) == 0);
    const volatile uint8_t *data = t->data;
    for (size_t k = 0; k < tensor_bytes(t); k++)
        (void)data[k];
    float *out = weight_is_number(t->dtype) ? malloc((size_t)tensor_numel(t) * sizeof *out + 1) : NULL;
    if (out != NULL)
        weight_decode(t->dtype, t->data, tensor_numel(t), out);
    free(out);
}

/* Under Wan's names, if it is a network. */
static inline void check_parts(const WeightFile *f)
{
    LayoutMatch matches[PART_KINDS];
    SoraError err = {0};
    int count = layout_recognise(f, matches, &err);
    for (int i = 0; i < count; i++) {
        WeightPart *part = weight_part_new(f, &matches[i], &err);
        if (part == NULL) {
            check_error(&err);
            continue;
        }
        const Tensor *tokenizer = weight_part_tokenizer(part);
        for (size_t k = 0; tokenizer != NULL && k < tensor_bytes(tokenizer); k++)
            (void)((const volatile uint8_t *)tokenizer->data)[k];
        PartSource source;
        part_source_init(&source, part, NULL, FILE_SOURCE_F32);
        for (int k = 0; k < weight_part_count(part); k++) {
            const PartTensor *t = weight_part_tensor(part, k);
            assert(weight_part_find(part, t->name) == t);
            Tensor wanted = tensor_over(NULL, DTYPE_F32, t->tensor.ndim, t->tensor.shape);
            if (!source.source.fill(&source.source, t->name, &wanted, (Init){0}, &err))
                check_error(&err);
        }
        part_source_deinit(&source);
        weight_part_free(part);
    }
}

static inline int check_weight_file(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    WeightFile *f = weight_file_open_memory(data, size, "fuzz", &err);
    if (f == NULL) {
        check_error(&err);
        return 0;
    }
    for (int i = 0; i < weight_file_count(f); i++)
        check_tensor(f, i);
    (void)weight_file_metadata(f, "general.architecture");
    check_parts(f);
    weight_file_close(f);
    return 0;
}

#endif
