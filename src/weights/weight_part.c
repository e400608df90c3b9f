#include "weights/weight_part.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "weights/gguf.h"
#include "weights/message.h"
#include "weights/quant.h"

struct WeightPart {
    Arena memory;
    const WeightFile *file;
    LayoutMatch match;
    PartTensor *items; /* sorted by name */
    int count;
    const Tensor *tokenizer;
    Tensor made; /* a tokenizer from GGUF's metadata */
};

/* A tensor of the file, with the piece of ours that it is. */
typedef struct Found {
    char *name;
    const char *file_name;
    const Tensor *tensor;
    int piece, pieces;
} Found;

static bool bad(const WeightPart *p, const char *file_name, SoraError *err, const char *fact)
{
    char buf[SHOWN_SIZE];
    return message_bad(weight_file_path(p->file), err, "tensor \"%s\" %s", message_shown(file_name, buf),
                       fact);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* What ComfyUI and others put beside the weights. A scale belongs to the weight of the same stem. */
static const char *const SCALES[] = {".scale_weight", ".weight_scale"};
static const char *const IGNORED[] = {".scale_input", ".input_scale", ".comfy_quant"};

static const char *scale_suffix(const char *name)
{
    for (size_t i = 0; i < sizeof SCALES / sizeof SCALES[0]; i++)
        if (ends_with(name, SCALES[i]))
            return SCALES[i];
    return NULL;
}

static bool is_ignored(const char *name)
{
    for (size_t i = 0; i < sizeof IGNORED / sizeof IGNORED[0]; i++)
        if (ends_with(name, IGNORED[i]))
            return true;
    return strcmp(name, "scaled_fp8") == 0 || strcmp(name, "__index_timestep_zero__") == 0;
}

/* The numbers of the text encoder's embedding are in some files under both of its names. */
static bool is_copy(const char *name)
{
    return strcmp(name, "encoder.embed_tokens.weight") == 0;
}

static int compare_found(const void *a, const void *b)
{
    const Found *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : x->piece - y->piece;
}

/* Does the tensor belong to this part, and not to another one with a longer prefix? */
static const char *without_prefix(const WeightPart *p, const LayoutMatch *all, int count, const char *name)
{
    size_t n = strlen(p->match.prefix);
    if (strncmp(name, p->match.prefix, n) != 0)
        return NULL;
    for (int i = 0; i < count; i++) {
        size_t m = strlen(all[i].prefix);
        if (m > n && strncmp(name, all[i].prefix, m) == 0)
            return NULL;
    }
    return name + n;
}

static bool list_tensors(WeightPart *p, Found *list, int *count, SoraError *err)
{
    LayoutMatch all[PART_KINDS];
    int parts = layout_recognise(p->file, all, err);
    if (parts < 0)
        return false;
    bool has_shared = false;
    for (int i = 0; i < weight_file_count(p->file); i++)
        has_shared = has_shared || ends_with(weight_file_tensor_name(p->file, i), "shared.weight");
    for (int i = 0; i < weight_file_count(p->file); i++) {
        const char *file_name = weight_file_tensor_name(p->file, i);
        const char *name = without_prefix(p, all, parts, file_name);
        if (name == NULL || is_ignored(name) || (is_copy(name) && has_shared))
            continue;
        if (p->match.part == PART_TEXT_ENCODER && strcmp(name, "spiece_model") == 0) {
            p->tokenizer = weight_file_tensor(p->file, i);
            continue;
        }
        LayoutName own;
        if (!layout_rename(p->match.layout, name, &own))
            return bad(p, file_name, err, "has too long a name");
        Found *f = &list[(*count)++];
        *f = (Found){arena_strdup(&p->memory, own.name), file_name, weight_file_tensor(p->file, i), own.piece,
                     own.pieces};
        if (f->name == NULL)
            return message_no_memory(weight_file_path(p->file), err);
    }
    return true;
}

/* Pieces found[0 .. count-1] of one name. */
static bool join(WeightPart *p, const Found *found, int count, SoraError *err)
{
    PartTensor *t = &p->items[p->count];
    *t = (PartTensor){
        .name = found->name, .file_name = found->file_name, .tensor = *found->tensor, .piece_count = count};
    if (count > found->pieces || (count > 1 && found[1].piece == found[0].piece))
        return bad(p, found[1].file_name, err, "is the same as another one");
    for (int i = 0; i < count; i++) {
        const Tensor *piece = found[i].tensor;
        t->pieces[i] = piece;
        t->piece_names[i] = found[i].file_name;
        if (found[i].pieces != found->pieces || count != found->pieces)
            return bad(p, found->file_name, err, "is not there with all its pieces");
        if (i == 0)
            continue;
        Tensor rest = *piece, first = *found->tensor;
        rest.shape[0] = first.shape[0] = 1;
        if (piece->dtype != found->tensor->dtype || piece->ndim < 1 || !tensor_same_shape(&rest, &first) ||
            __builtin_add_overflow(t->tensor.shape[0], piece->shape[0], &t->tensor.shape[0]))
            return bad(p, found[i].file_name, err, "does not fit the other pieces");
        t->tensor.data = NULL;
    }
    p->count++;
    return true;
}

static int compare_items(const void *a, const void *b)
{
    return strcmp(((const PartTensor *)a)->name, ((const PartTensor *)b)->name);
}

static PartTensor *find(const WeightPart *p, const char *name)
{
    PartTensor key = {.name = name};
    return p->count ? bsearch(&key, p->items, (size_t)p->count, sizeof *p->items, compare_items) : NULL;
}

/* The weight of the same stem as the scale. NULL: there is none. */
static PartTensor *scaled_tensor(const WeightPart *p, const char *name, const char *suffix)
{
    char weight[LAYOUT_NAME + 8];
    size_t stem = strlen(name) - strlen(suffix);
    memcpy(weight, name, stem);
    strcpy(weight + stem, ".weight");
    return find(p, weight);
}

static bool is_float(DType dtype)
{
    return dtype == DTYPE_F32 || dtype == DTYPE_BF16 || dtype == DTYPE_F16;
}

/* As F32. NULL: no memory. */
static const Tensor *scale_of(WeightPart *p, const PartTensor *s, SoraError *err)
{
    if (s->tensor.dtype == DTYPE_F32)
        return s->pieces[0];
    int64_t n = tensor_numel(&s->tensor);
    Tensor *wide = arena_alloc(&p->memory, sizeof *wide);
    float *numbers = arena_alloc(&p->memory, (size_t)n * sizeof *numbers);
    if (wide == NULL || numbers == NULL) {
        message_no_memory(weight_file_path(p->file), err);
        return NULL;
    }
    weight_decode(s->tensor.dtype, s->pieces[0]->data, n, numbers);
    *wide = tensor_over(numbers, DTYPE_F32, s->tensor.ndim, s->tensor.shape);
    return wide;
}

/* Scales are items like the others at first. */
static bool attach_scales(WeightPart *p, SoraError *err)
{
    int kept = 0;
    for (int i = 0; i < p->count; i++) {
        const PartTensor *s = &p->items[i];
        const char *suffix = scale_suffix(s->name);
        PartTensor *t = suffix != NULL ? scaled_tensor(p, s->name, suffix) : NULL;
        if (t == NULL)
            continue;
        int64_t n = tensor_numel(&s->tensor), rows = t->tensor.ndim > 0 ? t->tensor.shape[0] : 1;
        if (!is_float(s->tensor.dtype) || s->piece_count != 1 || (n != 1 && n != rows))
            return bad(p, s->file_name, err, "is no scale of one number, or of one for each row");
        if ((t->scale = scale_of(p, s, err)) == NULL)
            return false;
    }
    for (int i = 0; i < p->count; i++) {
        const char *suffix = scale_suffix(p->items[i].name);
        if (suffix == NULL || scaled_tensor(p, p->items[i].name, suffix) == NULL)
            continue;
        p->items[i].piece_count = 0; /* taken */
    }
    for (int i = 0; i < p->count; i++)
        if (p->items[i].piece_count > 0)
            p->items[kept++] = p->items[i];
    p->count = kept;
    return true;
}

/* A text encoder in GGUF has its vocabulary among the metadata. */
static bool make_tokenizer(WeightPart *p, SoraError *err)
{
    if (p->match.part != PART_TEXT_ENCODER || p->tokenizer != NULL || weight_file_format(p->file) != WEIGHT_GGUF)
        return true;
    if (!gguf_tokenizer(p->file, &p->memory, &p->made, err))
        return false;
    if (p->made.data != NULL)
        p->tokenizer = &p->made;
    return true;
}

static bool build(WeightPart *p, SoraError *err)
{
    int total = weight_file_count(p->file), count = 0;
    Found *list = calloc((size_t)total + 1, sizeof *list);
    p->items = arena_calloc(&p->memory, ((size_t)total + 1) * sizeof *p->items);
    bool ok = list != NULL && p->items != NULL;
    if (!ok)
        message_no_memory(weight_file_path(p->file), err);
    ok = ok && list_tensors(p, list, &count, err);
    if (ok)
        qsort(list, (size_t)count, sizeof *list, compare_found);
    for (int i = 0, n; i < count && ok; i += n) {
        for (n = 1; i + n < count && strcmp(list[i].name, list[i + n].name) == 0;)
            n++;
        ok = n <= PART_PIECES ? join(p, list + i, n, err)
                              : bad(p, list[i].file_name, err, "is the same as others");
    }
    free(list);
    return ok && attach_scales(p, err) && make_tokenizer(p, err);
}

WeightPart *weight_part_new(const WeightFile *f, const LayoutMatch *match, SoraError *err)
{
    WeightPart *p = calloc(1, sizeof *p);
    if (p == NULL) {
        message_no_memory(weight_file_path(f), err);
        return NULL;
    }
    arena_init(&p->memory, 1 << 16);
    p->file = f;
    p->match = *match;
    if (build(p, err))
        return p;
    weight_part_free(p);
    return NULL;
}

void weight_part_free(WeightPart *p)
{
    if (p == NULL)
        return;
    arena_deinit(&p->memory);
    free(p);
}

int weight_part_count(const WeightPart *p)
{
    return p->count;
}

const PartTensor *weight_part_tensor(const WeightPart *p, int i)
{
    return &p->items[i];
}

const PartTensor *weight_part_find(const WeightPart *p, const char *name)
{
    return find(p, name);
}

ModelPart weight_part_kind(const WeightPart *p)
{
    return p->match.part;
}

const Layout *weight_part_layout(const WeightPart *p)
{
    return p->match.layout;
}

const char *weight_part_prefix(const WeightPart *p)
{
    return p->match.prefix;
}

const WeightFile *weight_part_file(const WeightPart *p)
{
    return p->file;
}

const Tensor *weight_part_tokenizer(const WeightPart *p)
{
    return p->tokenizer;
}

static void multiply(const PartTensor *t, int64_t first, int64_t count, float *out)
{
    const float *scale = t->scale->data;
    bool one = tensor_numel(t->scale) == 1;
    int64_t row = one ? 1 : tensor_numel(&t->tensor) / t->tensor.shape[0];
    for (int64_t i = 0; i < count; i++)
        out[i] *= one ? scale[0] : scale[(first + i) / row];
}

void part_tensor_decode(const PartTensor *t, int64_t first, int64_t count, float *out)
{
    int64_t begin = 0, done = 0; /* of a piece; elements written */
    int block = dtype_block(t->tensor.dtype);
    for (int k = 0; k < t->piece_count && done < count; k++) {
        int64_t n = tensor_numel(t->pieces[k]), at = first + done - begin;
        if (at < n) {
            int64_t take = n - at < count - done ? n - at : count - done;
            const char *data = t->pieces[k]->data;
            weight_decode(t->tensor.dtype, data + (size_t)(at / block) * dtype_size(t->tensor.dtype), take,
                          out + done);
            done += take;
        }
        begin += n;
    }
    if (t->scale != NULL && count > 0)
        multiply(t, first, count, out);
}

static bool same_but_ones(const Tensor *have, const Tensor *want)
{
    int i = 0, k = 0;
    for (;;) {
        while (i < have->ndim && have->shape[i] == 1)
            i++;
        while (k < want->ndim && want->shape[k] == 1)
            k++;
        if (i == have->ndim || k == want->ndim)
            return i == have->ndim && k == want->ndim;
        if (have->shape[i++] != want->shape[k++])
            return false;
    }
}

bool part_shape_fits(const Tensor *have, const Tensor *want)
{
    if (same_but_ones(have, want))
        return true;
    if (have->ndim == 2 && want->ndim == 5)
        return have->shape[0] == want->shape[0] && tensor_numel(have) == tensor_numel(want);
    if (have->ndim != 4 || want->ndim != 5)
        return false;
    Tensor merged = tensor_over(NULL, want->dtype, 4, want->shape + 1);
    return !__builtin_mul_overflow(want->shape[0], want->shape[1], &merged.shape[0]) &&
           same_but_ones(have, &merged);
}
