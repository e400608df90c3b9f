#include "weights/lora.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/finite.h"
#include "weights/layout.h"
#include "weights/lora_alpha.h"
#include "weights/message.h"
#include "weights/quant.h"

/* One change. down and up, or diff. */
typedef struct Change {
    char *target; /* "blocks_0_self_attn_q_weight" */
    const Tensor *down, *up, *diff;
    const char *name; /* of a tensor in the file, for messages */
    size_t stem;      /* bytes of it before what says the role */
    float alpha;      /* NAN: not given; then it is the rank */
} Change;

struct Lora {
    Arena memory;
    WeightFile *file;
    Change *changes; /* sorted by target */
    int count;
};

typedef enum Role { DOWN, UP, ALPHA, DIFF, DIFF_BIAS, DIFF_MODULATION } Role;

static const struct {
    const char *end;
    Role role;
} ROLES[] = {
    {".lora_A.weight", DOWN},
    {".lora_B.weight", UP},
    {".lora_A.default.weight", DOWN},
    {".lora_B.default.weight", UP},
    {".lora_down.weight", DOWN},
    {".lora_up.weight", UP},
    {".lora.down.weight", DOWN},
    {".lora.up.weight", UP},
    {".alpha", ALPHA},
    {".diff", DIFF},
    {".diff_b", DIFF_BIAS},
    {".diff_m", DIFF_MODULATION}, /* lightx2v's: "blocks.0.diff_m" and "head.diff_m" */
};

/* What trainers put before the names. The longest that fits counts. */
static const char *const PREFIXES[] = {
    "model.diffusion_model.", "diffusion_model.", "base_model.model.",
    "transformer.",           "lora_unet_",       "lora_transformer_",
};

/* --- reading --- */

static bool bad(const Lora *l, const char *name, SoraError *err, const char *fact)
{
    char buf[SHOWN_SIZE];
    return message_bad(weight_file_path(l->file), err, "tensor \"%s\" %s", message_shown(name, buf), fact);
}

/* The length of the name before what says its role; 0: no such end. */
static size_t find_role(const char *name, Role *role)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++) {
        size_t m = strlen(ROLES[i].end);
        if (n > m && strcmp(name + n - m, ROLES[i].end) == 0) {
            *role = ROLES[i].role;
            return n - m;
        }
    }
    return 0;
}

static const char *without_prefix(const char *name)
{
    size_t longest = 0;
    for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++) {
        size_t n = strlen(PREFIXES[i]);
        if (strncmp(name, PREFIXES[i], n) == 0 && n > longest)
            longest = n;
    }
    return name + longest;
}

static void underscore(char *text)
{
    for (; *text != 0; text++)
        if (*text == '.')
            *text = '_';
}

/* What it changes, after the stem. */
static const char *target_of(Role role)
{
    return role == DIFF_BIAS ? "bias" : role == DIFF_MODULATION ? "modulation" : "weight";
}

/* name: of the file; stem: its bytes before the role. diffusers: rules to Wan's own names, or NULL. */
static char *make_target(Lora *l, const char *name, size_t stem, Role role, const Layout *diffusers)
{
    char plain[LAYOUT_NAME];
    LayoutName own;
    const char *begin = without_prefix(name);
    if (begin >= name + stem || (size_t)(name + stem - begin) >= sizeof plain)
        return NULL;
    stem -= (size_t)(begin - name);
    memcpy(plain, begin, stem);
    plain[stem] = 0;
    if (diffusers != NULL) {
        if (!layout_rename(diffusers, plain, &own))
            return NULL;
        memcpy(plain, own.name, sizeof plain);
    }
    char *target = arena_printf(&l->memory, "%s.%s", plain, target_of(role));
    if (target != NULL)
        underscore(target);
    return target;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const Change *)a)->target, ((const Change *)b)->target);
}

static bool read_alpha(const Lora *l, const char *name, const Tensor *t, float *alpha, SoraError *err)
{
    if (tensor_numel(t) != 1 || !weight_is_number(t->dtype) || dtype_block(t->dtype) != 1)
        return bad(l, name, err, "is no number");
    weight_decode(t->dtype, t->data, 1, alpha);
    return isfinite(*alpha) || bad(l, name, err, "is no number");
}

/* Each tensor as a change of its own; merged afterwards. */
static bool list(Lora *l, const Layout *diffusers, SoraError *err)
{
    for (int i = 0; i < weight_file_count(l->file); i++) {
        const char *name = weight_file_tensor_name(l->file, i);
        const Tensor *t = weight_file_tensor(l->file, i);
        Role role = DOWN;
        size_t stem = find_role(name, &role);
        if (stem == 0)
            return bad(l, name, err, "is no part of a LoRA that is supported");
        if (role != ALPHA && !weight_is_number(t->dtype))
            return bad(l, name, err, "is not of numbers");
        Change *c = &l->changes[l->count];
        *c = (Change){make_target(l, name, stem, role, diffusers), .name = name, .stem = stem, .alpha = NAN};
        if (c->target == NULL)
            return bad(l, name, err, "has a name that is too long, or there is no memory for it");
        c->down = role == DOWN ? t : NULL;
        c->up = role == UP ? t : NULL;
        c->diff = role >= DIFF ? t : NULL;
        if (role == ALPHA && !read_alpha(l, name, t, &c->alpha, err))
            return false;
        l->count++;
    }
    return true;
}

static bool take(const Tensor **to, const Tensor *from)
{
    bool twice = *to != NULL && from != NULL;
    if (from != NULL)
        *to = from;
    return !twice;
}

static bool merge(Lora *l, SoraError *err)
{
    int kept = 0;
    qsort(l->changes, (size_t)l->count, sizeof *l->changes, compare);
    for (int i = 0; i < l->count; i++) {
        const Change *c = &l->changes[i];
        Change *last = kept > 0 ? &l->changes[kept - 1] : NULL;
        if (last == NULL || strcmp(last->target, c->target) != 0) {
            l->changes[kept++] = *c;
            continue;
        }
        if (!take(&last->down, c->down) || !take(&last->up, c->up) || !take(&last->diff, c->diff))
            return bad(l, c->name, err, "changes what another one changes too");
        if (!isnan(c->alpha))
            last->alpha = c->alpha;
    }
    l->count = kept;
    return true;
}

static int64_t rank_of(const Change *c)
{
    return c->down->shape[0];
}

static bool check(const Lora *l, const Change *c, SoraError *err)
{
    if (c->down == NULL && c->up == NULL && c->diff == NULL)
        return bad(l, c->name, err, "is an alpha of nothing");
    if ((c->down == NULL) != (c->up == NULL))
        return bad(l, c->name, err, "has no other half");
    if (c->down == NULL)
        return true;
    int64_t numel = c->up->ndim >= 2 ? c->up->shape[0] * c->up->shape[1] : 0;
    if (c->down->ndim < 2 || c->up->ndim < 2 || rank_of(c) < 1 || c->up->shape[0] < 1 ||
        c->up->shape[1] != rank_of(c) || tensor_numel(c->up) != numel || tensor_numel(c->down) < 1)
        return bad(l, c->name, err, "does not fit its other half");
    return true;
}

/* Of those that have no tensor for it. */
static bool find_alphas(Lora *l, SoraError *err)
{
    LoraAlpha a;
    if (!lora_alpha_read(&a, l->file, err))
        return false;
    for (int i = 0; i < l->count; i++) {
        Change *c = &l->changes[i];
        if (c->down != NULL && isnan(c->alpha))
            c->alpha = (float)lora_alpha_of(&a, c->name, c->stem, (double)rank_of(c));
    }
    lora_alpha_deinit(&a);
    return true;
}

/* Reads all numbers once. */
static bool check_finite(const Lora *l, SoraError *err)
{
    for (int i = 0; i < weight_file_count(l->file); i++) {
        const Tensor *t = weight_file_tensor(l->file, i);
        bool finite = weight_is_finite(t->dtype, t->data, tensor_numel(t));
        weight_file_forget(l->file, t);
        if (!finite)
            return bad(l, weight_file_tensor_name(l->file, i), err, NOT_FINITE);
    }
    return true;
}

/* Layout rules apply when names have diffusers' words; kohya's underscores hide them. */
static const Layout *find_layout(const Lora *l)
{
    for (int i = 0; i < weight_file_count(l->file); i++)
        if (strstr(weight_file_tensor_name(l->file, i), ".attn1.") != NULL ||
            strstr(weight_file_tensor_name(l->file, i), ".attn2.") != NULL)
            return layout_diffusers_transformer();
    return NULL;
}

static Lora *read(WeightFile *file, const char *path, SoraError *err)
{
    Lora *l = file != NULL ? calloc(1, sizeof *l) : NULL;
    if (l == NULL) {
        if (file != NULL)
            message_no_memory(path, err);
        weight_file_close(file);
        return NULL;
    }
    arena_init(&l->memory, 1 << 16);
    l->file = file;
    l->changes = calloc((size_t)weight_file_count(file) + 1, sizeof *l->changes);
    bool ok = l->changes != NULL || message_no_memory(path, err);
    ok = ok && list(l, find_layout(l), err) && merge(l, err);
    for (int i = 0; i < l->count && ok; i++)
        ok = check(l, &l->changes[i], err);
    ok = ok && find_alphas(l, err) && check_finite(l, err);
    if (ok && l->count == 0)
        ok = message_bad(path, err, "no tensors in it");
    if (ok)
        return l;
    lora_close(l);
    return NULL;
}

Lora *lora_open(const char *path, SoraError *err)
{
    return read(weight_file_open(path, err), path, err);
}

Lora *lora_open_memory(const void *data, size_t size, const char *name, SoraError *err)
{
    return read(weight_file_open_memory(data, size, name, err), name, err);
}

void lora_close(Lora *l)
{
    if (l == NULL)
        return;
    weight_file_close(l->file);
    free(l->changes);
    arena_deinit(&l->memory);
    free(l);
}

int lora_count(const Lora *l)
{
    return l->count;
}

const char *lora_path(const Lora *l)
{
    return weight_file_path(l->file);
}

const char *lora_target(const Lora *l, int i)
{
    return l->changes[i].target;
}

/* --- using --- */

static const Change *find(const Lora *l, const char *name)
{
    char target[LAYOUT_NAME];
    size_t n = strlen(name);
    if (n >= sizeof target)
        return NULL;
    memcpy(target, name, n + 1);
    underscore(target);
    Change key = {.target = target};
    return bsearch(&key, l->changes, (size_t)l->count, sizeof *l->changes, compare);
}

bool lora_covers(const LoraSet *set, const char *name)
{
    for (int i = 0; set != NULL && i < set->count; i++)
        if (find(set->uses[i].lora, name) != NULL)
            return true;
    return false;
}

int lora_find(const Lora *l, const char *name)
{
    const Change *c = find(l, name);
    return c != NULL ? (int)(c - l->changes) : -1;
}

const char *lora_tensor(const Lora *l, int i)
{
    return l->changes[i].name;
}

/* All of it as F32; heap. Blocks lie within rows, so any whole tensor is whole blocks. */
static float *widen(const Tensor *t)
{
    float *out = malloc(((size_t)tensor_numel(t) + 1) * sizeof *out);
    if (out != NULL)
        weight_decode(t->dtype, t->data, tensor_numel(t), out);
    return out;
}

/* out[rows, width] += scale * up[first + row, rank] * down[rank, width] */
static bool add_product(const Change *c, float scale, int64_t first, int64_t rows, int64_t width, float *out)
{
    float *down = widen(c->down), *up = widen(c->up);
    int64_t rank = rank_of(c);
    bool ok = down != NULL && up != NULL;
    for (int64_t i = 0; i < rows && ok; i++)
        for (int64_t k = 0; k < rank; k++) {
            float a = scale * up[(first + i) * rank + k];
            const float *b = down + k * width;
            float *row = out + i * width;
            for (int64_t j = 0; j < width; j++)
                row[j] += a * b[j];
        }
    free(down);
    free(up);
    return ok;
}

static bool add_diff(const Change *c, float scale, int64_t first, int64_t count, float *out)
{
    float *diff = widen(c->diff);
    for (int64_t i = 0; i < count && diff != NULL; i++)
        out[i] += scale * diff[first + i];
    bool ok = diff != NULL;
    free(diff);
    return ok;
}

static bool misfit(const Lora *l, const Change *c, const Tensor *shape, SoraError *err)
{
    char text[128], fact[200];
    snprintf(fact, sizeof fact, "changes a tensor of another shape than %s",
             tensor_shape_text(shape, text, sizeof text));
    return bad(l, c->name, err, fact);
}

bool lora_add(const LoraSet *set, const char *name, const Tensor *shape, int64_t first, int64_t rows,
              float *out, SoraError *err)
{
    int64_t all = shape->ndim > 0 ? shape->shape[0] : 1, numel = tensor_numel(shape);
    int64_t width = all > 0 ? numel / all : 0;
    for (int i = 0; set != NULL && i < set->count; i++) {
        const Lora *l = set->uses[i].lora;
        const Change *c = find(l, name);
        if (c == NULL)
            continue;
        float strength = set->uses[i].strength;
        if (c->diff != NULL && tensor_numel(c->diff) != numel)
            return misfit(l, c, shape, err);
        if (c->diff != NULL && !add_diff(c, strength, first * width, rows * width, out))
            return message_no_memory(lora_path(l), err);
        if (c->down == NULL)
            continue;
        if (c->up->shape[0] != all || tensor_numel(c->down) / rank_of(c) != width)
            return misfit(l, c, shape, err);
        float alpha = isnan(c->alpha) ? 1 : c->alpha / (float)rank_of(c);
        if (!add_product(c, strength * alpha, first, rows, width, out))
            return message_no_memory(lora_path(l), err);
    }
    return true;
}

bool lora_argument_parse(LoraArgument *a, const char *text, SoraError *err)
{
    size_t n = strlen(text);
    *a = (LoraArgument){.strength = 1};
    if (n >= sizeof a->path)
        return error_set(err, SORA_ERROR_INPUT, "lora: a path of %zu bytes", n);
    memcpy(a->path, text, n + 1);
    for (int i = 0; i < 2; i++) {
        static const char *const ENDS[] = {":high", ":low"};
        size_t m = strlen(ENDS[i]);
        if (n > m && strcmp(a->path + n - m, ENDS[i]) == 0) {
            a->expert = i == 0 ? LORA_HIGH_NOISE : LORA_LOW_NOISE;
            a->path[n - m] = 0;
            break;
        }
    }
    char *colon = strrchr(a->path, ':'), *end;
    if (colon != NULL && colon[1] != 0) {
        float strength = strtof(colon + 1, &end);
        if (*end == 0) {
            if (!(fabsf(strength) <= 100))
                return error_set(err, SORA_ERROR_INPUT, "lora: a strength of \"%.20s\", expected -100 to 100",
                                 colon + 1);
            a->strength = strength;
            *colon = 0;
        }
    }
    return a->path[0] != 0 || error_set(err, SORA_ERROR_INPUT, "lora: no file in \"%.60s\"", text);
}
