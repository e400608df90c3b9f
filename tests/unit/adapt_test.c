/* LoRAs from pictures, beside tiny models of our layout and of Wan 2.1's: what they learn, the names in the file, and that --lora,
 * merging and computing blocks again change nothing of it. */
#include <ftw.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tiny_model.h"

#include "adapt/lora.h"
#include "cpu/backend.h"
#include "media/image.h"
#include "train/adamw.h"
#include "weights/convert.h"
#include "weights/lora.h"

enum { MAX_PATH = 512, STEPS = 40 };

static char root[] = "/tmp/sora-adapt-XXXXXX";

static const char *in_root(const char *name)
{
    static char paths[8][MAX_PATH];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, MAX_PATH, "%s/%s", root, name);
    return path;
}

static int set_up(void **state)
{
    static const TinyModel MODELS[] = {
        {.manifest = "{\"format\": 1, \"name\": \"ours\"}", .tokenizer = "tests/data/wan/tokenizer/spm_bf.model"},
        {.manifest = "{\"format\": 1, \"name\": \"flat\"}", .tokenizer = "tests/data/wan/tokenizer/spm_bf.model",
         .transformer = TINY_TRANSFORMER_OF("t2v", "4", ""), .vae = TINY_FLAT_VAE},
        {.manifest = "{\"name\": \"experts\", \"boundary\": 0.9}", .tokenizer = "tests/data/wan/tokenizer/spm_bf.model",
         .transformer = TINY_TRANSFORMER_OF("t2v", "4", ""), .low_noise = TINY_TRANSFORMER_OF("t2v", "4", ""), .vae = TINY_FLAT_VAE},
    };
    SoraError err = {0};
    assert_non_null(mkdtemp(root));
    for (int i = 0; i < 3; i++) {
        const char *names[] = {"ours", "flat", "experts"};
        assert_true(dir_make(in_root(names[i]), &err));
        tiny_model_write(in_root(names[i]), &MODELS[i]);
    }
    assert_true(dir_make(in_root("pictures"), &err));
    for (int i = 0; i < 3; i++) {
        Image image;
        char name[64];
        assert_true(image_init(&image, 40, 32, &err));
        for (int p = 0; p < 40 * 32; p++)
            image_set_pixel(&image, p % 40, p / 40, p % 40 < 10 * (i + 1) ? 0xff2000 : 0x0040ff);
        snprintf(name, sizeof name, "pictures/%d.png", i);
        assert_true(image_write_png(&image, in_root(name), NULL, NULL, &err));
        image_deinit(&image);
        snprintf(name, sizeof name, "%d.txt", i);
        tiny_write_text(in_root("pictures"), name, i == 0 ? "a red wall\na wall\n" : "a blue wall\n");
    }
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    return remove(path);
}

static int tear_down(void **state)
{
    return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void write_config(const char *name, const char *base, const char *more)
{
    char text[2048];
    snprintf(text, sizeof text,
             "{\"seed\": 2, \"base\": \"%s\", \"rank\": 4, \"size\": \"32x32\", \"batch\": 3, %s\"log_every\": 5, \"checkpoint_every\": 1000, "
             "\"optimizer\": {\"learning_rate\": 0.02, \"warmup\": 2, \"steps\": %d, \"ema\": 0.5}, \"data\": {\"folder\": \"%s\"}}",
             in_root(base), more, STEPS, in_root("pictures"));
    tiny_write_text(root, name, text);
}

typedef struct Losses {
    double first, last;
    int64_t stop;
} Losses;

static bool note(void *user, const TrainProgress *p)
{
    Losses *l = user;
    if (strcmp(p->phase, "training") == 0 && p->loss > 0) {
        l->first = l->first == 0 ? p->loss : l->first;
        l->last = p->loss;
    }
    return l->stop == 0 || p->done < l->stop || strcmp(p->phase, "training") != 0;
}

static bool train(const char *config, const char *out, Losses *l, bool resume, SoraError *err)
{
    TrainOptions o = {.config_path = in_root(config), .folder = in_root(out), .resume = resume, .threads = 2,
                      .precision = SORA_PRECISION_F32, .hooks = {.user = l, .progress = note}};
    return train_lora(NULL, &o, err);
}

static void expect_trained(const char *config, const char *out, Losses *l)
{
    SoraError err = {0};
    if (!train(config, out, l, false, &err))
        fail_msg("%s: %s", out, err.message);
}

static char *read_lora(const char *out, size_t *size)
{
    SoraError err = {0};
    char path[MAX_PATH];
    snprintf(path, sizeof path, "%s/%s/model/lora.safetensors", root, out);
    char *bytes = file_read(path, 1 << 24, size, &err);
    if (bytes == NULL)
        fail_msg("%s", err.message);
    return bytes;
}

static void expect_same_lora(const char *a, const char *b)
{
    size_t n, m;
    char *x = read_lora(a, &n), *y = read_lora(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

/* The first frame of a video. lora: "FILE:N" or NULL. */
static uint8_t *make_frame(const char *model, const char *lora, size_t *size)
{
    SoraError err = {0};
    const char *loras[] = {lora, NULL};
    SoraOptions options = {.threads = 2, .precision = SORA_PRECISION_F32, .loras = lora != NULL ? loras : NULL};
    SoraEngine *e = sora_engine_open(in_root(model), &options, &err);
    if (e == NULL)
        fail_msg("%s", err.message);
    SoraRequest r;
    sora_request_init(&r);
    r.prompt = "a red wall";
    r.width = r.height = 32;
    r.frames = 5;
    r.steps = 4;
    r.seed = 3;
    SoraVideo *v = sora_generate(e, &r, &err);
    if (v == NULL)
        fail_msg("%s", err.message);
    *size = 32 * 32 * 3;
    uint8_t *copy = malloc(*size);
    memcpy(copy, sora_video_frame(v, 0), *size);
    sora_video_free(v);
    sora_engine_close(e);
    return copy;
}

static double distance(const uint8_t *a, const uint8_t *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (a[i] - (double)b[i]) * (a[i] - (double)b[i]);
    return sqrt(sum / (double)n);
}

static void merge(const char *from, const char *to, const char *lora, float strength)
{
    SoraError err = {0};
    Lora *l = lora_open(lora, &err);
    assert_non_null(l);
    int lost = 0;
    LoraUse use = {l, strength};
    ConvertOptions how = {.type = DTYPE_F32, .loras = {&use, 1}, .lost = &lost};
    if (!model_convert(in_root(from), in_root(to), &how, &err))
        fail_msg("%s", err.message);
    assert_int_equal(lost, 0);
    lora_close(l);
}

/* For both layouts: the loss falls; strength 0 changes nothing; strength 1 does, and merged gives the same picture. */
static void learns_and_is_merged(void **state)
{
    static const char *const BASES[] = {"ours", "flat"};
    for (int i = 0; i < 2; i++) {
        Losses l = {0};
        char out[32], merged[32], path[MAX_PATH], off[MAX_PATH + 8];
        snprintf(out, sizeof out, "lora-%s", BASES[i]);
        snprintf(merged, sizeof merged, "merged-%s", BASES[i]);
        snprintf(path, sizeof path, "%s/%s/model/lora.safetensors", root, out);
        snprintf(off, sizeof off, "%s:0", path);
        write_config("learn.json", BASES[i], "\"recompute\": false, ");
        expect_trained("learn.json", out, &l);
        print_message("%s: loss %.4f -> %.4f\n", BASES[i], l.first, l.last);
        assert_true(l.last < 0.9 * l.first);
        merge(BASES[i], merged, path, 1);
        size_t n;
        uint8_t *base = make_frame(BASES[i], NULL, &n), *none = make_frame(BASES[i], off, &n), *with = make_frame(BASES[i], path, &n),
                *of_merged = make_frame(merged, NULL, &n);
        assert_true(distance(base, none, n) == 0);
        assert_true(distance(base, with, n) > (i == 0 ? 1 : 0)); /* a flat decoder of random weights shows nearly nothing */
        assert_true(distance(with, of_merged, n) < 0.05 * distance(base, with, n) + 0.5);
        free(base);
        free(none);
        free(with);
        free(of_merged);
    }
}

/* As ComfyUI and diffusers have them, and no alpha to multiply by. */
static void names_are_those_of_others(void **state)
{
    SoraError err = {0};
    Safetensors *f = safetensors_open(in_root("lora-ours/model/lora.safetensors"), &err);
    assert_non_null(f);
    assert_int_equal(safetensors_count(f), 2 * 2 * 10); /* blocks, halves, matrices */
    for (int i = 0; i < safetensors_count(f); i++) {
        const char *name = safetensors_tensor_name(f, i);
        const Tensor *t = safetensors_tensor(f, i);
        assert_int_equal(strncmp(name, "diffusion_model.blocks.", 23), 0);
        bool down = strstr(name, ".lora_A.weight") != NULL;
        assert_true(down != (strstr(name, ".lora_B.weight") != NULL));
        assert_int_equal(t->shape[down ? 0 : 1], 4);
    }
    assert_non_null(safetensors_find(f, "diffusion_model.blocks.1.cross_attn.o.lora_B.weight"));
    safetensors_close(f);
}

/* Computed again in backward, stopped and resumed: the same LoRA, bit for bit. */
static void ways_to_the_same_lora(void **state)
{
    Losses l = {0}, first = {.stop = 13}, rest = {0};
    SoraError err = {0};
    write_config("again.json", "ours", "\"recompute\": true, ");
    expect_trained("again.json", "again", &l);
    expect_same_lora("lora-ours", "again");
    assert_false(train("again.json", "resumed", &first, false, &err));
    assert_int_equal(err.code, SORA_ERROR_CANCELLED);
    assert_true(train("again.json", "resumed", &rest, true, &err));
    expect_same_lora("lora-ours", "resumed");
}

static void targets_are_chosen(void **state)
{
    Losses l = {0};
    SoraError err = {0};
    write_config("few.json", "ours", "\"alpha\": 8, \"targets\": [\"self_attn.q\", \"ffn.0\"], ");
    expect_trained("few.json", "few", &l);
    Safetensors *f = safetensors_open(in_root("few/model/lora.safetensors"), &err);
    assert_int_equal(safetensors_count(f), 2 * 2 * 2);
    safetensors_close(f);
    write_config("none.json", "ours", "\"targets\": [\"self_attn.q\", \"fnn\"], ");
    assert_false(train("none.json", "none", &l, false, &err));
    assert_non_null(strstr(err.message, "\"fnn\""));
    write_config("experts.json", "experts", "");
    assert_false(train("experts.json", "none", &l, false, &err));
    assert_int_equal(err.code, SORA_ERROR_UNSUPPORTED);
    write_config("preview.json", "ours", "\"preview_every\": 5, ");
    assert_false(train("preview.json", "none", &l, false, &err));
    assert_non_null(strstr(err.message, "preview_every"));
}

static double squares(const char *out)
{
    SoraError err = {0};
    char path[MAX_PATH];
    double sum = 0;
    snprintf(path, sizeof path, "%s/%s/model/lora.safetensors", root, out);
    Safetensors *f = safetensors_open(path, &err);
    assert_non_null(f);
    for (int i = 0; i < safetensors_count(f); i++) {
        const Tensor *t = safetensors_tensor(f, i);
        for (int64_t k = 0; k < tensor_numel(t) && strstr(safetensors_tensor_name(f, i), ".lora_B.") != NULL; k++)
            sum += pow((double)bf16_to_f32(((const uint16_t *)t->data)[k]), 2);
    }
    safetensors_close(f);
    return sum;
}

/* What must stay is the base's own answer, so there is nothing to learn of it: captions without the trigger, the empty text and the
 * model's own videos. With the trigger there is, by its share of the way. */
static void what_must_stay_is_the_bases_own(void **state)
{
    static const char PRIOR[] = "\"prior\": {\"prompts\": \"%s\", \"frames\": 5, \"batch\": 2}, ";
    Losses stay = {0}, style = {0}, part = {0};
    char more[1024], prior[512];
    tiny_write_text(root, "prompts.txt", "a red wall\r\n\na blue wall\n");
    snprintf(prior, sizeof prior, PRIOR, in_root("prompts.txt"));
    snprintf(more, sizeof more, "\"recompute\": false, \"trigger\": \"in oil\", \"plain_share\": 1, %s", prior);
    write_config("stay.json", "ours", more);
    expect_trained("stay.json", "stay", &stay);
    assert_true(squares("stay") == 0); /* up is where it began */
    snprintf(more, sizeof more, "\"recompute\": false, \"trigger\": \"in oil\", \"guidance\": 1, %s", prior);
    write_config("style.json", "ours", more);
    expect_trained("style.json", "style", &style);
    assert_true(squares("style") > 0 && style.first > 0);
    snprintf(more, sizeof more, "\"recompute\": false, \"trigger\": \"in oil\", \"guidance\": 4, %s", prior);
    write_config("part.json", "ours", more);
    expect_trained("part.json", "part", &part);
    print_message("first losses: guidance 1 %.5f, 4 %.5f\n", style.first, part.first);
    assert_true(part.first < style.first / 8); /* a quarter of the way is a sixteenth of the square */
    TrainEstimate e = {0};
    SoraError err = {0};
    TrainOptions o = {.config_path = in_root("part.json"), .folder = in_root("dry"), .threads = 1, .estimate = &e};
    assert_true(train_lora(NULL, &o, &err) && e.flops > 0);
}

static void wrong_triggers_and_priors_are_said(void **state)
{
    static const struct { const char *more, *message; } CASES[] = {
        {"\"trigger\": \"\", ", "\"trigger\": words are expected"},
        {"\"guidance\": 3, ", "belong to a \"trigger\""},
        {"\"plain_share\": 0.5, ", "belong to a \"trigger\""},
        {"\"trigger\": \"x\", \"guidance\": 0.5, ", "\"guidance\""},
        {"\"trigger\": 3, ", "\"trigger\""},
        {"\"prior\": {}, ", "\"prompts\" is expected"},
        {"\"prior\": {\"prompts\": \"none.txt\"}, ", "none.txt"},
        {"\"prior\": {\"prompt\": \"none.txt\"}, ", "prior.prompt"},
        {"\"prior\": \"none.txt\", ", "\"prior\""},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        Losses l = {0};
        SoraError err = {0};
        write_config("wrong.json", "ours", CASES[i].more);
        assert_false(train("wrong.json", "wrong", &l, false, &err));
        if (strstr(err.message, CASES[i].message) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", err.message, CASES[i].message);
    }
    Losses l = {0};
    SoraError err = {0};
    char more[512];
    tiny_write_text(root, "empty.txt", "\n\n");
    snprintf(more, sizeof more, "\"prior\": {\"prompts\": \"%s\"}, ", in_root("empty.txt"));
    write_config("wrong.json", "ours", more);
    assert_false(train("wrong.json", "wrong", &l, false, &err));
    assert_non_null(strstr(err.message, "no prompts in it"));
}

/* Counting takes the base's files as they are, and less for a step when blocks are computed again. */
static void a_dry_run_counts(void **state)
{
    TrainEstimate e[2] = {{0}};
    for (int i = 0; i < 2; i++) {
        SoraError err = {0};
        TrainOptions o = {.config_path = in_root(i == 0 ? "learn.json" : "again.json"), .folder = in_root("dry"), .threads = 1, .estimate = &e[i]};
        if (!train_lora(NULL, &o, &err))
            fail_msg("%s", err.message);
        assert_false(dir_exists(in_root("dry")));
    }
    assert_true(e[0].parameters == e[1].parameters && e[0].parameters > 0 && e[1].flops > e[0].flops);
}

/* loss = sum of squares of the transformer's output: every gradient is that of blocks that are computed once, and less memory is
 * taken. */
static void computing_again_gives_the_same_gradients(void **state)
{
    enum { LAYERS = 6, TOKENS = 64 };
    DitConfig c = {.in_dim = 4, .out_dim = 4, .dim = 24, .ffn_dim = 96, .num_heads = 2, .num_layers = LAYERS, .patch_size = {1, 1, 1},
                   .text_len = 5, .text_dim = 6, .freq_dim = 8, .eps = 1e-6};
    SoraError err = {0};
    Backend *backend = cpu_backend_new(&(CpuOptions){.threads = 1, .precision = SORA_PRECISION_F32}, &err);
    RandomSource source;
    Params params;
    AdamW o;
    Dit dit;
    AdamWConfig config = adamw_defaults();
    random_source_init(&source, 5);
    params_init(&params, &source.source);
    dit_bind(&dit, &c, &params);
    adamw_init(&o, &config, NULL);
    assert_true(params_ok(&params, &err) && adamw_add(&o, "dit", &params, &err));
    Rng rng;
    rng_init(&rng, 1, 1);
    for (int i = 0; i < o.count; i++)
        for (int64_t k = 0; k < o.slots[i].count; k++)
            o.slots[i].value[k] += 0.1f * rng_normal(&rng);
    float patches[TOKENS * 4], text[5 * 6], time[1] = {500};
    int32_t index[TOKENS] = {0};
    rng_fill_normal(&rng, patches, TOKENS * 4);
    rng_fill_normal(&rng, text, 5 * 6);
    float *kept = calloc((size_t)params_numel(&params), sizeof *kept);
    double memory[2];
    for (int pass = 0; pass < 2; pass++) {
        Graph *g = graph_new(backend);
        graph_record(g, true);
        dit.recompute = pass == 1;
        const int64_t grid[1][3] = {{1, 8, 8}}, rows[1] = {5};
        DitBatch b = {.samples = 1, .grid = grid, .text_rows = rows};
        b.patches = graph_input(g, DTYPE_F32, SHAPE(TOKENS, 4), patches);
        b.timesteps = graph_input(g, DTYPE_F32, SHAPE(1), time);
        b.t_index = graph_input(g, DTYPE_I32, SHAPE(TOKENS), index);
        b.text = graph_input(g, DTYPE_F32, SHAPE(5, 6), text);
        Tensor *y = dit_forward(g, &dit, &b);
        graph_backward(g, op_sum(g, op_mul(g, y, y)));
        if (!graph_ok(g, &err))
            fail_msg("%s", err.message);
        memory[pass] = graph_memory(g);
        float *at = kept;
        double difference = 0, size = 0;
        for (int i = 0; i < o.count; i++)
            for (int64_t k = 0; k < o.slots[i].count; k++, at++) {
                if (pass == 1)
                    difference += pow((double)(*at - o.slots[i].grad[k]), 2);
                size += pow((double)o.slots[i].grad[k], 2);
                *at = o.slots[i].grad[k];
                o.slots[i].grad[k] = 0;
            }
        assert_true(size > 0 && difference <= 1e-10 * size);
        graph_free(g);
    }
    print_message("memory %.2f MB, computed again %.2f MB\n", memory[0] / 1e6, memory[1] / 1e6);
    assert_true(memory[1] < 0.7 * memory[0]);
    free(kept);
    adamw_deinit(&o);
    params_deinit(&params);
    random_source_deinit(&source);
    cpu_backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computing_again_gives_the_same_gradients),
        cmocka_unit_test(learns_and_is_merged), /* the others use what this one leaves */
        cmocka_unit_test(names_are_those_of_others),
        cmocka_unit_test(ways_to_the_same_lora),
        cmocka_unit_test(targets_are_chosen),
        cmocka_unit_test(what_must_stay_is_the_bases_own),
        cmocka_unit_test(wrong_triggers_and_priors_are_said),
        cmocka_unit_test(a_dry_run_counts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
