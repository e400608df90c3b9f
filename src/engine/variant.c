#include "engine/variant.h"

#include <string.h>

/* Wan's own (wan/configs/shared_config.py). */
/* clang-format off */
#define NEGATIVE \
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，" \
    "JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，" \
    "形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走"
/* clang-format on */
#define NEGATIVE_I2V "镜头晃动，" NEGATIVE
#define NEGATIVE_FLF2V "镜头切换，" NEGATIVE_I2V

const Variant VARIANT_PLAIN = {"", 128, 128, 17, 12, 20, 5, 5, 5, 0, false, ""};

/* Sizes, steps, shifts and scales are those that the two repositories use or recommend. Where they offer 480p
 * and 720p it is 480p. */
static const Variant VARIANTS[] = {
    {"wan2.1-t2v-1.3b", 832, 480, 81, 16, 50, 8, 6, 6, 0, false, NEGATIVE},
    {"wan2.1-t2v-14b", 832, 480, 81, 16, 50, 5, 5, 5, 0, false, NEGATIVE},
    {"wan2.1-i2v-14b", 832, 480, 81, 16, 40, 3, 5, 5, 0, true, NEGATIVE_I2V},
    {"wan2.1-flf2v-14b", 1280, 720, 81, 16, 50, 16, 5, 5, 0, true, NEGATIVE_FLF2V},
    {"wan2.2-ti2v-5b", 1280, 704, 121, 24, 50, 5, 5, 5, 0, true, NEGATIVE},
    {"wan2.2-t2v-a14b", 832, 480, 81, 16, 40, 12, 4, 3, 0.875, false, NEGATIVE},
    {"wan2.2-i2v-a14b", 832, 480, 81, 16, 40, 5, 3.5, 3.5, 0.9, true, NEGATIVE},
};

const Variant *variant_find(const char *name)
{
    for (size_t i = 0; i < sizeof VARIANTS / sizeof *VARIANTS; i++)
        if (strcmp(name, VARIANTS[i].name) == 0)
            return &VARIANTS[i];
    return NULL;
}

const Variant *variant_guess(const DitConfig *c, int experts)
{
    bool condition = c->in_dim == 36 && c->out_dim == 16, plain = c->in_dim == 16 && c->out_dim == 16;
    if (c->dim == 1536 && plain && experts == 1)
        return variant_find("wan2.1-t2v-1.3b");
    if (c->dim == 3072 && c->in_dim == 48 && c->out_dim == 48 && experts == 1)
        return variant_find("wan2.2-ti2v-5b");
    if (c->dim != 5120 || !(plain || condition))
        return NULL;
    if (experts == 2)
        return c->clip_dim != 0 ? NULL : variant_find(plain ? "wan2.2-t2v-a14b" : "wan2.2-i2v-a14b");
    if (plain)
        return variant_find("wan2.1-t2v-14b");
    if (c->clip_dim == 0) /* half of Wan 2.2's */
        return NULL;
    return variant_find(c->clip_rows > 0 ? "wan2.1-flf2v-14b" : "wan2.1-i2v-14b");
}
