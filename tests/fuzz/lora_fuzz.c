/* LoRA files from bytes: an error, or changes that can be added to a tensor of any shape, or not. */
#include "weight_file_check.h"

enum { MOST = 4096 };

static void add_to(const Lora *l, const char *name, int64_t rows, int64_t width)
{
    static float out[MOST];
    SoraError err = {0};
    LoraSet set = {&(LoraUse){l, 0.5f}, 1};
    if (rows < 0 || width < 0 || rows > MOST || rows * width > MOST)
        return;
    Tensor shape = tensor_over(NULL, DTYPE_F32, 2, (int64_t[]){rows, width});
    if (!lora_add(&set, name, &shape, 0, rows, out, &err))
        check_error(&err);
    if (rows > 1 && !lora_add(&set, name, &shape, 1, rows - 1, out, &err))
        check_error(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    Lora *l = lora_open_memory(data, size, "fuzz", &err);
    if (l == NULL) {
        check_error(&err);
        return 0;
    }
    for (int i = 0; i < lora_count(l); i++)
        for (int64_t rows = 1; rows <= 8; rows++)
            for (int64_t width = 1; width <= 8; width++)
                add_to(l, lora_target(l, i), rows, width);
    lora_close(l);
    return 0;
}
