/* Video sizes of a picture's shape against the reference's arithmetic. Exact. */
#include "golden/golden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "engine/size.h"

enum { LATENT_STRIDE = 8 }; /* pixels to a position of the reference's lat_w and lat_h */

static int number(const json_t *entry, const char *key)
{
    return (int)json_integer_value(json_object_get(entry, key));
}

void golden_sizes(Golden *g, const char *dir)
{
    char path[512];
    snprintf(path, sizeof path, "%s/size_arithmetic.json", dir);
    if (!file_exists(path))
        return;
    golden_claim(g, "size_arithmetic.json");
    json_t *list = json_load_file(path, 0, NULL);
    int wrong[2] = {0, 0};
    size_t count = json_array_size(list);
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(list, i);
        Size picture = {number(entry, "w"), number(entry, "h")};
        const json_t *best = json_object_get(entry, "ti2v_best_output_size_wh");
        Size cut = size_to_cut(picture, (Size){32, 32}, number(entry, "area"));
        Size stretched = size_to_stretch(picture, (Size){16, 16}, number(entry, "area"));
        wrong[0] += cut.width != json_integer_value(json_array_get(best, 0)) ||
                    cut.height != json_integer_value(json_array_get(best, 1));
        wrong[1] += stretched.width != LATENT_STRIDE * number(entry, "i2v_lat_w") ||
                    stretched.height != LATENT_STRIDE * number(entry, "i2v_lat_h");
    }
    golden_report(g, "size_arithmetic best_output_size", count > 0 ? wrong[0] : NAN, 0);
    golden_report(g, "size_arithmetic lat_h, lat_w", count > 0 ? wrong[1] : NAN, 0);
    json_decref(list);
}
