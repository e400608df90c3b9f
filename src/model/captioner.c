#include "model/captioner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "model/vae_blocks.h"

static const float NEVER = -30000; /* added to the score of a word that is yet to come */

int captioner_control(const CaptionerConfig *c, int language, CaptionForm form)
{
    return c->vocab + language * CAPTIONER_FORMS + (int)form;
}

static void bind_say_block(Params *p, CaptionerSayBlock *b, int64_t n, int index)
{
    static const char *const NAMES[] = {"q", "k", "v", "o"};
    PlainLinear *linear[] = {&b->q, &b->k, &b->v, &b->o};
    char name[64];
    snprintf(name, sizeof name, "say.%d", index);
    plain_bind_block(p, &b->self, n, name);
    snprintf(name, sizeof name, "say.%d.seen.norm", index);
    b->norm = plain_bind_norm(p, n, name);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "say.%d.seen.%s", index, NAMES[i]);
        *linear[i] = plain_bind_linear(p, n, n, name);
    }
}

void captioner_bind(Captioner *m, const CaptionerConfig *c, Params *p)
{
    *m = (Captioner){.config = *c};
    char name[64];
    int64_t n = c->dim, half = c->side / 2;
    m->in = plain_bind_linear(p, 2 * (int64_t)c->z_dim, c->channels, "in");
    for (int i = 0; i < c->residuals; i++) {
        snprintf(name, sizeof name, "residuals.%d", i);
        plain_bind_residual(p, &m->residuals[i], c->channels, name);
    }
    m->patch = plain_bind_linear(p, 4 * (int64_t)c->channels, n, "patch");
    m->times = params_get(p, (Init){INIT_NORMAL, 0.3f}, SHAPE(c->frames, n), "times");
    m->places = params_get(p, (Init){INIT_NORMAL, 0.3f}, SHAPE(half * half, n), "places");
    m->where_in = (PlainLinear){params_get(p, (Init){INIT_NORMAL, 0.5f}, SHAPE(n, 4), "where_in.weight"), NULL};
    m->where_out = (PlainLinear){params_get(p, (Init){INIT_NORMAL, 0.5f}, SHAPE(n, 4), "where_out.weight"), NULL};
    for (int i = 0; i < c->look_layers; i++) {
        snprintf(name, sizeof name, "look.%d", i);
        plain_bind_block(p, &m->look[i], n, name);
    }
    m->look_norm = plain_bind_norm(p, n, "look_norm");
    m->tokens = params_get(p, (Init){INIT_NORMAL, 1 / sqrtf((float)n)}, SHAPE(c->vocab + CAPTIONER_CONTROLS, n), "tokens");
    m->positions = params_get(p, (Init){INIT_NORMAL, 0.3f}, SHAPE(c->text_len, n), "positions");
    for (int i = 0; i < c->say_layers; i++)
        bind_say_block(p, &m->say[i], n, i);
    m->say_norm = plain_bind_norm(p, n, "say_norm");
}

/* --- looking --- */

static Tensor *scaled(Graph *g, const CaptionerConfig *c, Tensor *latents)
{
    float factors[DIT_MAX_LATENT];
    for (int i = 0; i < c->z_dim; i++)
        factors[i] = 1 / sqrtf(c->latent_variance[i]);
    return op_mul(g, latents, graph_input(g, DTYPE_F32, SHAPE(c->z_dim), factors));
}

/* [2, side^2]: column and row of each place, from -1 to 1. */
static Tensor *coordinates(Graph *g, int side)
{
    float at[2 * 64 * 64]; /* side is 64 at most */
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            at[y * side + x] = (float)(2 * x + 1) / (float)side - 1;
            at[side * side + y * side + x] = (float)(2 * y + 1) / (float)side - 1;
        }
    return graph_input(g, DTYPE_F32, SHAPE(2, side * side), at);
}

/* Where what moves is: the middle of each frame's difference from the mean, by a sharp softmax over places. difference [B, F, side,
 * side, C] -> [B, 4]: column and row in the first frame, and how far they have come in the last. */
static Tensor *where_it_moves(Graph *g, Tensor *difference)
{
    enum { SHARPNESS = 2 };
    if (difference == NULL)
        return NULL;
    int64_t clips = difference->shape[0], frames = difference->shape[1], side = difference->shape[2], channels = difference->shape[4];
    Tensor *energy = op_group_mean(g, op_mul(g, difference, difference), channels);
    energy = op_rms_norm(g, op_reshape(g, energy, SHAPE(clips * frames, side * side)), NULL, 1e-6);
    Tensor *weight = op_softmax(g, op_scale(g, energy, SHARPNESS, 0));
    Tensor *at = op_linear(g, weight, coordinates(g, (int)side), NULL, UNARY_NONE);
    at = op_reshape(g, at, SHAPE(clips, frames, 2));
    Tensor *first = op_slice(g, at, 1, 0, 1), *last = op_slice(g, at, 1, frames - 1, 1);
    at = op_concat(g, 2, (Tensor *[]){first, op_sub(g, last, first)}, 2);
    return op_reshape(g, at, SHAPE(clips, 4));
}

/* Row i of table [B, n] for each of the rows of clip i. */
static Tensor *for_all_rows(Graph *g, Tensor *table, int64_t clips, int64_t rows)
{
    int32_t *index = malloc((size_t)(clips * rows) * sizeof *index);
    if (index == NULL)
        return graph_fail(g, SORA_ERROR_MEMORY, "captioner: out of memory");
    for (int64_t i = 0; i < clips * rows; i++)
        index[i] = (int32_t)(i / rows);
    Tensor *t = op_gather(g, table, graph_input(g, DTYPE_I32, SHAPE(clips * rows), index));
    free(index);
    return t;
}

Tensor *captioner_look(Graph *g, const Captioner *m, Tensor *latents, Tensor **cells)
{
    const CaptionerConfig *c = &m->config;
    int64_t half = c->side / 2, n = c->dim;
    if (cells != NULL)
        *cells = NULL;
    if (latents == NULL)
        return NULL;
    int64_t clips = latents->shape[0], frames = latents->shape[1];
    if (latents->ndim != 5 || frames < 1 || frames > c->frames || latents->shape[2] != c->side || latents->shape[3] != c->side ||
        latents->shape[4] != c->z_dim)
        return graph_fail(g, SORA_ERROR_INPUT, "captioner: latents are not [clips, 1 to %d, %d, %d, %d]", c->frames, c->side, c->side,
                          c->z_dim);
    int64_t rows = frames * half * half;
    Tensor *seen = plain_with_motion(g, scaled(g, c, latents));
    Tensor *where = where_it_moves(g, op_slice(g, seen, 4, c->z_dim, c->z_dim));
    Tensor *x = plain_linear(g, &m->in, seen, UNARY_NONE);
    for (int i = 0; i < c->residuals; i++)
        x = plain_residual(g, &m->residuals[i], x);
    if (cells != NULL)
        *cells = op_reshape(g, x, SHAPE(clips * frames * c->side * c->side, c->channels));
    x = plain_linear(g, &m->patch, vae_patchify(g, x, 2), UNARY_NONE);
    Tensor *time = op_gather(g, m->times, plain_steps(g, frames, 0, 1));
    time = op_permute(g, op_reshape(g, op_group_repeat(g, op_permute(g, time, (int[]){1, 0}), half * half), SHAPE(n, frames, half * half)),
                      (int[]){1, 2, 0});
    x = op_reshape(g, x, SHAPE(clips, frames, half * half, n));
    x = op_add(g, x, op_add(g, time, op_gather(g, m->places, plain_steps(g, half * half, 0, 1))));
    x = op_reshape(g, x, SHAPE(clips * frames * half * half, n));
    x = op_add(g, x, for_all_rows(g, plain_linear(g, &m->where_in, where, UNARY_NONE), clips, rows));
    Tensor *cu = plain_steps(g, clips + 1, 0, rows);
    for (int i = 0; i < c->look_layers; i++)
        x = plain_block(g, &m->look[i], c->num_heads, x, cu);
    return op_add(g, plain_norm(g, &m->look_norm, x), for_all_rows(g, plain_linear(g, &m->where_out, where, UNARY_NONE), clips, rows));
}

Tensor *captioner_mean(Graph *g, Tensor *memory, int64_t clips)
{
    if (memory == NULL)
        return NULL;
    int64_t rows = memory->shape[0] / clips, n = memory->shape[1];
    Tensor *x = op_permute(g, op_reshape(g, memory, SHAPE(clips, rows, n)), (int[]){0, 2, 1});
    return op_reshape(g, op_group_mean(g, x, rows), SHAPE(clips, n));
}

/* --- saying --- */

/* Where attention finds things: I32 rows where each text or clip begins. */
typedef struct Layout {
    Tensor *texts;   /* [texts + 1]: of ids */
    Tensor *heard;   /* [clips + 1]: of ids, all texts of a clip together */
    Tensor *seen;    /* [clips + 1]: of memory */
    Tensor *places;  /* [ids]: of each in its text */
    Tensor *order;   /* [heads, longest, longest]: 0 for what was said, NEVER for what comes */
} Layout;

static Tensor *order_bias(Graph *g, int heads, int64_t longest)
{
    size_t size = (size_t)longest * (size_t)longest;
    float *bias = calloc((size_t)heads * size, sizeof *bias);
    if (bias == NULL)
        return graph_fail(g, SORA_ERROR_MEMORY, "captioner: out of memory");
    for (int h = 0; h < heads; h++)
        for (int64_t i = 0; i < longest; i++)
            for (int64_t j = i + 1; j < longest; j++)
                bias[(size_t)h * size + (size_t)(i * longest + j)] = NEVER;
    Tensor *t = graph_input(g, DTYPE_F32, SHAPE(heads, longest, longest), bias);
    free(bias);
    return t;
}

static bool check_texts(Graph *g, const CaptionerConfig *c, const CaptionTexts *t, const Tensor *memory, int64_t *ids)
{
    int64_t texts = 0;
    *ids = 0;
    for (int i = 0; i < t->clips; i++)
        texts += t->of_clip[i] >= 1 ? t->of_clip[i] : t->texts + 1;
    if (t->clips < 1 || texts != t->texts || memory->shape[0] % t->clips != 0)
        return graph_fail(g, SORA_ERROR_INPUT, "captioner: %d texts do not belong to %d clips", t->texts, t->clips);
    for (int i = 0; i < t->texts; i++) {
        if (t->rows[i] < 1 || t->rows[i] > c->text_len)
            return graph_fail(g, SORA_ERROR_INPUT, "captioner: a text of %d tokens, expected 1 to %d", t->rows[i], c->text_len);
        *ids += t->rows[i];
    }
    return true;
}

static Layout lay_out(Graph *g, const CaptionerConfig *c, const CaptionTexts *t, const Tensor *memory, int64_t ids)
{
    Layout l = {0};
    Arena scratch;
    arena_init(&scratch, 0);
    int32_t *texts = arena_calloc(&scratch, ((size_t)t->texts + 1) * sizeof *texts);
    int32_t *heard = arena_calloc(&scratch, ((size_t)t->clips + 1) * sizeof *heard);
    int32_t *places = arena_calloc(&scratch, (size_t)ids * sizeof *places);
    int64_t longest = 0;
    if (texts == NULL || heard == NULL || places == NULL) {
        graph_fail(g, SORA_ERROR_MEMORY, "captioner: out of memory");
    } else {
        for (int i = 0; i < t->texts; i++) {
            texts[i + 1] = texts[i] + t->rows[i];
            longest = t->rows[i] > longest ? t->rows[i] : longest;
            for (int k = 0; k < t->rows[i]; k++)
                places[texts[i] + k] = k;
        }
        for (int i = 0, text = 0; i < t->clips; i++) {
            text += t->of_clip[i];
            heard[i + 1] = texts[text];
        }
        l.texts = graph_input(g, DTYPE_I32, SHAPE(t->texts + 1), texts);
        l.heard = graph_input(g, DTYPE_I32, SHAPE(t->clips + 1), heard);
        l.places = graph_input(g, DTYPE_I32, SHAPE(ids), places);
        l.seen = plain_steps(g, t->clips + 1, 0, memory->shape[0] / t->clips);
        l.order = order_bias(g, c->num_heads, longest);
    }
    arena_deinit(&scratch);
    return l;
}

/* Words as the decoder takes them in: tokens and where they stand. */
static Tensor *embed(Graph *g, const Captioner *m, Tensor *ids, Tensor *places)
{
    Tensor *x = op_scale(g, op_gather(g, m->tokens, ids), sqrt((double)m->config.dim), 0);
    return op_add(g, x, op_gather(g, m->positions, places));
}

static double attention_scale(const CaptionerConfig *c)
{
    return 1 / sqrt((double)c->dim / c->num_heads);
}

/* x + attention(norm(x) to what was seen), then the end of the block. */
static Tensor *hear_and_end(Graph *g, const Captioner *m, const CaptionerSayBlock *b, Tensor *x, AttentionInputs seen)
{
    seen.q = plain_linear(g, &b->q, plain_norm(g, &b->norm, x), UNARY_NONE);
    seen.heads = m->config.num_heads;
    seen.scale = attention_scale(&m->config);
    x = op_add(g, x, plain_linear(g, &b->o, op_attention(g, seen), UNARY_NONE));
    return plain_feed_forward(g, &b->self, x);
}

static Tensor *logits(Graph *g, const Captioner *m, Tensor *x)
{
    return op_linear(g, plain_norm(g, &m->say_norm, x), m->tokens, NULL, UNARY_NONE);
}

Tensor *captioner_say(Graph *g, const Captioner *m, Tensor *memory, const CaptionTexts *t)
{
    const CaptionerConfig *c = &m->config;
    int64_t ids;
    if (memory == NULL || !check_texts(g, c, t, memory, &ids))
        return NULL;
    Layout l = lay_out(g, c, t, memory, ids);
    Tensor *x = embed(g, m, graph_input(g, DTYPE_I32, SHAPE(ids), t->ids), l.places);
    for (int i = 0; i < c->say_layers; i++) {
        const CaptionerSayBlock *b = &m->say[i];
        Tensor *y = plain_norm(g, &b->self.norm1, x);
        y = op_attention(g, (AttentionInputs){.q = plain_linear(g, &b->self.q, y, UNARY_NONE),
                                              .k = plain_linear(g, &b->self.k, y, UNARY_NONE),
                                              .v = plain_linear(g, &b->self.v, y, UNARY_NONE),
                                              .cu_q = l.texts, .cu_k = l.texts, .bias = l.order, .heads = c->num_heads,
                                              .scale = attention_scale(c)});
        x = op_add(g, x, plain_linear(g, &b->self.o, y, UNARY_NONE));
        x = hear_and_end(g, m, b, x, (AttentionInputs){.k = plain_linear(g, &b->k, memory, UNARY_NONE),
                                                       .v = plain_linear(g, &b->v, memory, UNARY_NONE),
                                                       .cu_q = l.heard, .cu_k = l.seen});
    }
    return logits(g, m, x);
}

/* --- saying a token at a time --- */

CaptionState captioner_begin(Graph *g, const Captioner *m, Tensor *memory)
{
    CaptionState s = {0};
    for (int i = 0; i < m->config.say_layers; i++) {
        s.seen_k[i] = plain_linear(g, &m->say[i].k, memory, UNARY_NONE);
        s.seen_v[i] = plain_linear(g, &m->say[i].v, memory, UNARY_NONE);
    }
    return s;
}

static Tensor *append(Graph *g, Tensor *rows, Tensor *row)
{
    return rows == NULL ? row : op_concat(g, 2, (Tensor *[]){rows, row}, 0);
}

Tensor *captioner_next(Graph *g, const Captioner *m, CaptionState *s, int32_t token)
{
    const CaptionerConfig *c = &m->config;
    if (s->length >= c->text_len || s->seen_k[0] == NULL)
        return graph_fail(g, SORA_ERROR_INPUT, "captioner: a text of more than %d tokens", c->text_len);
    Tensor *one = plain_steps(g, 2, 0, 1), *said = plain_steps(g, 2, 0, s->length + 1);
    Tensor *seen = plain_steps(g, 2, 0, s->seen_k[0]->shape[0]);
    Tensor *x = embed(g, m, graph_input(g, DTYPE_I32, SHAPE(1), &token), plain_steps(g, 1, s->length, 1));
    for (int i = 0; i < c->say_layers; i++) {
        const CaptionerSayBlock *b = &m->say[i];
        Tensor *y = plain_norm(g, &b->self.norm1, x);
        s->k[i] = append(g, s->k[i], plain_linear(g, &b->self.k, y, UNARY_NONE));
        s->v[i] = append(g, s->v[i], plain_linear(g, &b->self.v, y, UNARY_NONE));
        y = op_attention(g, (AttentionInputs){.q = plain_linear(g, &b->self.q, y, UNARY_NONE), .k = s->k[i], .v = s->v[i],
                                              .cu_q = one, .cu_k = said, .heads = c->num_heads, .scale = attention_scale(c)});
        x = op_add(g, x, plain_linear(g, &b->self.o, y, UNARY_NONE));
        x = hear_and_end(g, m, b, x, (AttentionInputs){.k = s->seen_k[i], .v = s->seen_v[i], .cu_q = one, .cu_k = seen});
    }
    s->length++;
    return logits(g, m, x);
}
