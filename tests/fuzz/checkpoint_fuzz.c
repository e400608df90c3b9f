/* A checkpoint from bytes, into the slots of a small network: it ends in an error and nothing is changed, or in finite numbers. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "train/checkpoint.h"
#include "weights/param_sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    Safetensors *file = safetensors_open_memory(data, size, "fuzz", &err);
    if (file == NULL)
        return 0;
    RandomSource source;
    Params params;
    AdamW o;
    AdamWConfig config = adamw_defaults();
    random_source_init(&source, 1);
    params_init(&params, &source.source);
    params_get(&params, (Init){INIT_NORMAL, 1}, 2, (const int64_t[]){2, 3}, "matrix");
    params_get(&params, (Init){INIT_NORMAL, 1}, 1, (const int64_t[]){3}, "vector");
    adamw_init(&o, &config, NULL);
    assert(adamw_add(&o, "set", &params, &err));
    float before[6];
    memcpy(before, o.slots[0].value, sizeof before);
    CheckpointState state = {7, 0.5, 3};
    if (checkpoint_read(&o, &state, file, &err)) {
        assert(state.step >= 0 && state.losses >= 0 && state.losses <= state.step && isfinite(state.loss));
        for (int i = 0; i < o.count; i++)
            for (int64_t k = 0; k < o.slots[i].count; k++)
                assert(isfinite(o.slots[i].value[k]) && isfinite(o.slots[i].m[k]) && isfinite(o.slots[i].ema[k]) &&
                       isfinite(o.slots[i].v[k]) && o.slots[i].v[k] >= 0);
        adamw_step(&o, state.step);
    } else {
        assert(err.code != SORA_OK && err.message[0] != 0);
        assert(state.step == 7 && state.losses == 3 && memcmp(before, o.slots[0].value, sizeof before) == 0);
    }
    adamw_deinit(&o);
    params_deinit(&params);
    random_source_deinit(&source);
    safetensors_close(file);
    return 0;
}
