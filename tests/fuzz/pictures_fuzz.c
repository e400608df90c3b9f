/* The judge of pictures from bytes: its config.json, a 0 byte, its weights. An error, or probabilities of a picture. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "screen/picture_judge.h"

static void check_error(const SoraError *err)
{
    assert(err->code != SORA_OK && strlen(err->message) > 0);
    for (const char *s = err->message; *s != 0; s++)
        assert((unsigned char)*s >= 32 && *s != 127);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    uint8_t rgb[5 * 3 * 3];
    PictureScores scores;
    const uint8_t *end = memchr(data, 0, size);
    if (end == NULL)
        return 0;
    size_t used = (size_t)(end - data) + 1;
    PictureJudge *j = picture_judge_open_memory((const char *)data, data + used, size - used, &err);
    if (j == NULL) {
        check_error(&err);
        return 0;
    }
    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (uint8_t)(i * 37);
    if (!picture_judge_look(j, &(Image){5, 3, rgb}, 1, &scores, &err))
        check_error(&err);
    else
        for (int i = 0; i < PICTURE_CLASSES; i++)
            assert(isfinite(scores.p[i]) && scores.p[i] >= 0 && scores.p[i] <= 1.001f);
    picture_judge_close(j);
    return 0;
}
