/* tiny_model TOKENIZER DIR [flf2v|experts|lora|pack]: a whole model with random weights, small enough that the tests of
 * the program can make videos with it in no time. The videos show noise. flf2v: needs a first and a last
 * picture and takes their shape. experts: one for much noise, one for little. lora: DIR is no folder but a file, which
 * changes three norms, of which such a model has two. pack: DIR is a file too, a pack of the stage with a few grey things. */
#include "tiny_model.h"
#include "unit/stage_art.h"

#define DEFAULTS(more)                                                                                       \
    " \"defaults\": {\"width\": 64, \"height\": 48, \"frames\": 5, \"fps\": 12, \"steps\": 2" more "},"      \
    " \"limits\": {\"side\": 256, \"frames\": 65}"

static int write_lora(const char *path)
{
    static float data[24];
    SoraError err = {0};
    Tensor t = tensor_over(data, DTYPE_F32, 1, (int64_t[]){24});
    SafetensorsWriter *w = safetensors_writer_new(&err);
    bool ok = w != NULL && safetensors_writer_add(w, "diffusion_model.blocks.0.norm3.diff", &t, &err) &&
              safetensors_writer_add(w, "diffusion_model.blocks.1.norm3.diff", &t, &err) &&
              safetensors_writer_add(w, "diffusion_model.blocks.2.norm3.diff", &t, &err) &&
              safetensors_writer_save(w, path, &err);
    safetensors_writer_free(w);
    return ok ? 0 : 1;
}

static int write_pack(const char *path)
{
    SoraError err = {0};
    bool ok = art_setup(NULL) == 0 && file_copy(art_pack, path, &err);
    return art_teardown(NULL) == 0 && ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: tiny_model TOKENIZER DIR [flf2v|experts|lora|pack]\n");
        return 2;
    }
    const char *kind = argc == 4 ? argv[3] : "";
    if (strcmp(kind, "lora") == 0)
        return write_lora(argv[2]);
    if (strcmp(kind, "pack") == 0)
        return write_pack(argv[2]);
    TinyModel model = {.manifest = "{\"format\": 1, \"name\": \"tiny\"," DEFAULTS("") "}",
                       .tokenizer = argv[1]};
    if (strcmp(kind, "flf2v") == 0) {
        model.manifest = "{\"name\": \"tiny\"," DEFAULTS(", \"follow_picture\": true") "}";
        model.transformer = TINY_TRANSFORMER_OF("flf2v", "12", ", \"clip_dim\": 8, \"clip_rows\": 10");
        model.image_encoder = TINY_CLIP;
        model.vae = TINY_FLAT_VAE;
    } else if (strcmp(kind, "experts") == 0) {
        model.manifest = "{\"name\": \"tiny\", \"boundary\": 0.9," DEFAULTS("") "}";
        model.transformer = model.low_noise = TINY_TRANSFORMER_OF("t2v", "4", "");
        model.vae = TINY_FLAT_VAE;
    }
    tiny_model_write(argv[2], &model); /* ends the program when it fails */
    return 0;
}
