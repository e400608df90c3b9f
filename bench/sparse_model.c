/* sparse_model DIR MODEL TYPE: a model's folder with the true names and shapes of a published transformer (a model of
 * wan_keys.tsv, such as Wan2.1-T2V-14B), of UMT5-XXL and of Wan 2.1's autoencoder, whose numbers are all a hole of zeros:
 * for measuring memory, not pictures. TYPE: bf16, or a type of GGUF such as q4_k. */
#include <ctype.h>

#include "unit/real_models.h"

static DType type_of(const Row *r, DType type)
{
    bool matrix = r->shape.ndim == 2 && r->shape.shape[1] % 256 == 0;
    return matrix ? type : DTYPE_F32;
}

static bool write_part(const Rows *keys, const char *model, DType type, const char *dir, const char *name)
{
    FakeFile f = {0};
    char path[4096];
    for (int i = 0; i < keys->count; i++)
        if (strcmp(keys->rows[i].model, model) == 0)
            fake_add(&f, "", keys->rows[i].key, type_of(&keys->rows[i], type), &keys->rows[i].shape);
    bool gguf = dtype_block(type) > 1;
    snprintf(path, sizeof path, "%.4000s/%s.%s", dir, name, gguf ? "gguf" : "safetensors");
    bool ok = f.count > 0 && (gguf ? fake_gguf(&f, path) : fake_safetensors(&f, path));
    fprintf(stderr, "%s: %d tensors%s\n", path, f.count, ok ? "" : ", failed");
    fake_free(&f);
    return ok;
}

int main(int argc, char **argv)
{
    char name[16];
    DType type;
    Rows keys;
    if (argc != 4 || strlen(argv[3]) >= sizeof name) {
        fprintf(stderr, "usage: sparse_model DIR MODEL TYPE\n");
        return 2;
    }
    for (size_t i = 0; i <= strlen(argv[3]); i++)
        name[i] = (char)toupper((unsigned char)argv[3][i]);
    if (!dtype_parse(name, &type) || !read_rows(&keys, "wan_keys.tsv", false)) {
        fprintf(stderr, "sparse_model: type %s or wan_keys.tsv (in $SORA_FIXTURES/..) is not there\n", argv[3]);
        return 1;
    }
    const char *parts[3][2] = {{argv[2], "transformer"}, {"UMT5-XXL-encoder", "text"}, {"Wan2.1_VAE", "vae"}};
    bool ok = true;
    for (int i = 0; ok && i < 3; i++)
        ok = write_part(&keys, parts[i][0], i == 2 ? DTYPE_F32 : type, argv[1], parts[i][1]);
    free(keys.rows);
    return !ok;
}
