/* First and last frame to video has no fixture. Here are the facts of Wan 2.1's code (wan/first_last_frame2video.py;
 * MLPProj in wan/modules/model.py), one by one, on a tiny model: which frames the mask names, what the autoencoder sees,
 * in which order the pictures are heard, and where their positions are added. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/encode.h"
#include "engine/engine.h"
#include "engine/give.h"
#include "tiny_model.h"
#include "unit/temp_dir.h"

enum { WIDTH = 32, HEIGHT = 16, ROWS = 5, CLIP_DIM = 8 }; /* ROWS: of a picture */

static const TinyModel FLF2V = {
    "{\"format\": 1, \"name\": \"tiny\", \"limits\": {\"side\": 64, \"frames\": 81},"
    " \"defaults\": {\"width\": 32, \"height\": 16, \"frames\": 9, \"steps\": 4}}",
    "models/nano/tokenizer.model",
    TINY_TRANSFORMER_OF("flf2v", "12", ", \"clip_dim\": 8, \"clip_rows\": 10"),
    TINY_FLAT_VAE,
    NULL,
    TINY_CLIP};

static SoraEngine *engine;

static int open_engine(void **state)
{
    SoraError err = {0};
    if (setup(state) != 0)
        return -1;
    tiny_model_write(dir, &FLF2V);
    engine = sora_engine_open(dir, NULL, &err);
    return engine == NULL;
}

static int close_engine(void **state)
{
    sora_engine_close(engine);
    return teardown(state);
}

static Pixels picture(int factor)
{
    SoraError err = {0};
    Pixels p;
    Image image;
    assert_true(image_init(&image, WIDTH, HEIGHT, &err));
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
        image.rgb[i] = (uint8_t)(i * factor % 255);
    assert_true(pixels_from_image(&p, &image, &err));
    image_deinit(&image);
    return p;
}

/* What pictures [height, width, 3] at both ends, or the first one alone, give to a video of so many frames. */
static void give(Canvas *canvas, int first, int last, int frames)
{
    SoraError err = {0};
    uint8_t bytes[2][WIDTH * HEIGHT * 3];
    int factors[2] = {first, last}, count = last != 0 ? 2 : 1;
    SoraGiven given[2];
    GivenClip clips[2];
    ContextRows heard = {0};
    Plan plan = {.given = given, .given_count = count, .width = WIDTH, .height = HEIGHT, .frames = frames,
                 .placed = {{.first = 0, .frames = 1}, {.first = frames - 1, .frames = 1}}, .shape = {WIDTH, HEIGHT}};
    plan.latent = (CanvasShape){4, 1 + (frames - 1) / 4, HEIGHT / 8, WIDTH / 8, {1, 2, 2}};
    assert_true(canvas_init(canvas, &plan.latent, &err));
    for (int k = 0; k < count; k++) {
        for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
            bytes[k][i] = (uint8_t)(i * factors[k] % 255);
        given[k] = (SoraGiven){.pixels = bytes[k], .pixel_frames = 1, .pixel_width = WIDTH, .pixel_height = HEIGHT};
        assert_true(given_clip_open(&clips[k], &given[k], 16, NULL, &err));
    }
    if (!give_all(&(Giving){&engine->pipeline, &plan, clips, canvas, 0, &heard}, &err))
        fail_msg("%s", err.message);
    assert_int_equal(heard.rows, count * ROWS);
    for (int k = 0; k < count; k++)
        given_clip_close(&clips[k]);
    context_rows_free(&heard);
}

/* The reference's own steps: ones, all frames but the first and last zero, the first four times, in fours, transposed. */
static void the_mask_is_the_references(void **state)
{
    static const int FRAMES[] = {5, 9, 81};
    for (size_t n = 0; n < sizeof FRAMES / sizeof *FRAMES; n++) {
        int frames = FRAMES[n], latents = 1 + (frames - 1) / 4, plane = (HEIGHT / 8) * (WIDTH / 8);
        float mask[81 + 3] = {0};
        for (int i = 0; i < 4; i++)
            mask[i] = 1;
        mask[frames + 3 - 1] = 1;
        Canvas c;
        give(&c, 7, 11, frames);
        assert_int_equal(c.condition_channels, 8); /* the mask comes first, then the latent */
        for (int k = 0; k < 4; k++)
            for (int f = 0; f < latents; f++)
                for (int i = 0; i < plane; i++)
                    assert_true(c.condition[(k * latents + f) * plane + i] == mask[4 * f + k]);
        canvas_deinit(&c);
    }
}

/* torch.concat([first, zeros(F - 2), last]) through the autoencoder, which is causal and takes 1, 4, 4 ... frames. */
static void the_autoencoder_sees_first_zeros_last(void **state)
{
    enum { FRAMES = 9, LATENTS = 3, PLANE = (HEIGHT / 8) * (WIDTH / 8), FRAME = WIDTH * HEIGHT * 3 };
    SoraError err = {0};
    Pixels first = picture(7), last = picture(11);
    float *video = calloc(FRAMES * FRAME, sizeof *video), chunk[4 * PLANE];
    memcpy(video, first.rgb, FRAME * sizeof *video);
    memcpy(video + (FRAMES - 1) * FRAME, last.rgb, FRAME * sizeof *video);
    Canvas both, one;
    give(&both, 7, 11, FRAMES);
    give(&one, 7, 0, FRAMES);
    const float *latent = both.condition + 4 * LATENTS * PLANE, *without = one.condition + 4 * LATENTS * PLANE;
    Graph *g = engine->pipeline.graph;
    VaeCache cache = {0};
    for (int f = 0; f < LATENTS; f++) {
        int count = f == 0 ? 1 : 4, at = f == 0 ? 0 : 4 * f - 3;
        graph_reset(g);
        Tensor *x = graph_input(g, DTYPE_F32, SHAPE(1, count, HEIGHT, WIDTH, 3), video + at * FRAME);
        graph_download(g, vae_encode_chunk(g, &engine->autoencoder, &cache, x), chunk);
        assert_true(graph_ok(g, &err));
        for (int i = 0; i < 4 * PLANE; i++) { /* [plane, channels] to [channels, frames, plane] */
            int place = (i % 4 * LATENTS + f) * PLANE + i / 4;
            assert_true(latent[place] == chunk[i]);
            if (f < LATENTS - 1) /* the last frame is in the last latent frame alone */
                assert_true(latent[place] == without[place]);
        }
    }
    assert_memory_not_equal(latent, without, 4 * LATENTS * PLANE * sizeof *latent);
    vae_cache_free(g, &cache);
    graph_reset(g);
    canvas_deinit(&both);
    canvas_deinit(&one);
    free(video);
    pixels_deinit(&first);
    pixels_deinit(&last);
}

/* clip.visual([first, last]), then view(-1, 2 * n, d): the first picture's rows, then the last one's. */
static void pictures_are_heard_in_their_order(void **state)
{
    SoraError err = {0};
    Pixels first = picture(7), last = picture(11);
    ContextRows both, alone[2];
    const Pixels *pictures[2] = {&first, &last};
    assert_true(pipeline_encode_pictures(&engine->pipeline, pictures, 2, &both, &err));
    assert_true(both.rows == 2 * ROWS && both.dim == CLIP_DIM);
    for (int i = 0; i < 2; i++) {
        assert_true(pipeline_encode_pictures(&engine->pipeline, &pictures[i], 1, &alone[i], &err));
        assert_memory_equal(both.data + i * ROWS * CLIP_DIM, alone[i].data, ROWS * CLIP_DIM * sizeof(float));
    }
    assert_memory_not_equal(alone[0].data, alone[1].data, ROWS * CLIP_DIM * sizeof(float));
    for (int i = 0; i < 2; i++)
        context_rows_free(&alone[i]);
    context_rows_free(&both);
    pixels_deinit(&first);
    pixels_deinit(&last);
}

static void velocity(const float *pictures, float out[8 * 16])
{
    static const int64_t GRID[1][3] = {{2, 2, 2}}, TEXT_ROWS[1] = {0};
    static const int32_t INDEX[8];
    SoraError err = {0};
    Graph *g = engine->pipeline.graph;
    float patches[8 * 48];
    for (int i = 0; i < 8 * 48; i++)
        patches[i] = (float)(i * 37 % 101) / 50 - 1;
    graph_reset(g);
    DitBatch b = {.samples = 1, .grid = GRID, .text_rows = TEXT_ROWS};
    b.patches = graph_input(g, DTYPE_F32, SHAPE(8, 48), patches);
    b.timesteps = graph_input(g, DTYPE_F32, SHAPE(1), (const float[]){700});
    b.t_index = graph_input(g, DTYPE_I32, SHAPE(8), INDEX);
    b.pictures = graph_input(g, DTYPE_F32, SHAPE(2 * ROWS, CLIP_DIM), pictures);
    graph_download(g, dit_forward(g, &engine->transformer, &b), out);
    if (!graph_ok(g, &err))
        fail_msg("%s", err.message);
    graph_reset(g);
}

/* image_embeds + emb_pos, then proj (LayerNorm first): the same as pictures to which the positions were added. */
static void positions_are_added_before_the_projection(void **state)
{
    Tensor *positions = engine->transformer.img_emb.positions;
    assert_true(positions != NULL && tensor_numel(positions) == 2 * ROWS * CLIP_DIM);
    float *numbers = malloc(tensor_bytes(positions)), pictures[2 * ROWS * CLIP_DIM], sum[2 * ROWS * CLIP_DIM];
    float with[8 * 16], added[8 * 16], none[8 * 16];
    void *before = positions->data;
    positions->data = numbers;
    for (int i = 0; i < 2 * ROWS * CLIP_DIM; i++) {
        numbers[i] = (float)(i * 29 % 31) / 16 - 1;
        pictures[i] = (float)(i * 53 % 97) / 48 - 1;
        sum[i] = pictures[i] + numbers[i];
    }
    velocity(pictures, with);
    memset(numbers, 0, tensor_bytes(positions));
    velocity(sum, added);
    velocity(pictures, none);
    assert_memory_equal(with, added, sizeof with);
    assert_memory_not_equal(with, none, sizeof with);
    positions->data = before;
    free(numbers);
}

/* wan/configs/wan_i2v_14B.py and generate.py: 1280x720, 81 frames, shift 16, 50 steps, guidance 5, and a negative prompt
 * that begins with "camera switching". */
static void its_defaults_are_the_references(void **state)
{
    const Variant *v = variant_find("wan2.1-flf2v-14b"), *i2v = variant_find("wan2.1-i2v-14b");
    assert_true(v != NULL && i2v != NULL);
    assert_true(v->width == 1280 && v->height == 720 && v->frames == 81 && v->fps == 16);
    assert_true(v->shift == 16 && v->steps == 50 && v->guidance_scale == 5);
    static const char SWITCHING[] = "\xe9\x95\x9c\xe5\xa4\xb4\xe5\x88\x87\xe6\x8d\xa2\xef\xbc\x8c";
    assert_memory_equal(v->negative_prompt, SWITCHING, sizeof SWITCHING - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mask_is_the_references),
        cmocka_unit_test(the_autoencoder_sees_first_zeros_last),
        cmocka_unit_test(pictures_are_heard_in_their_order),
        cmocka_unit_test(positions_are_added_before_the_projection),
        cmocka_unit_test(its_defaults_are_the_references),
    };
    return cmocka_run_group_tests(tests, open_engine, close_engine);
}
