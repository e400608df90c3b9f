#include "weights/convert.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/params.h"
#include "weights/message.h"
#include "weights/part_source.h"
#include "weights/quant.h"
#include "weights/weight_part.h"
#include "weights/weight_writer.h"

enum { CHUNK = 1 << 18 }; /* elements at a time: a multiple of all blocks */

DType convert_type(int choice)
{
    static const DType TYPES[] = {DTYPE_F32,  DTYPE_F16,  DTYPE_BF16, DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q4_1,
                                  DTYPE_Q5_0, DTYPE_Q5_1, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K};
    return TYPES[choice];
}

/* A tensor on its way. */
typedef struct Item {
    const char *name;
    PartTensor tensor;
    DType type;           /* in the new file */
    const LoraSet *loras; /* that change it; NULL: none */
} Item;

typedef struct Conversion {
    const ConvertOptions *options;
    const WeightFile *file;
    const WeightPart *parts[PART_KINDS];
    int part_count;
    bool alone; /* one part, without its prefix */
    WeightWriter *writer;
    Item *items;
    int count;
    float *numbers; /* [CHUNK] */
    char *bytes;    /* of the new type, of CHUNK elements */
    ConvertProgress *progress;
} Conversion;

/* --- what is to be written --- */

/* 16 bits that are there stay as they are; a block type that does not fit the rows becomes the next best. */
static DType choose_type(const Conversion *c, const Tensor *t)
{
    DType type = c->options->type;
    if (c->options->keep_types && weight_is_number(t->dtype))
        return dtype_block(t->dtype) == 1 ? t->dtype : DTYPE_F32;
    if (!weight_is_number(t->dtype))
        return c->writer != NULL && !weight_writer_takes(c->writer, t->dtype) ? DTYPE_I8 : t->dtype;
    if (!params_is_matrix(t))
        return t->dtype == DTYPE_BF16 || t->dtype == DTYPE_F16 ? t->dtype : DTYPE_F32;
    int64_t row = t->shape[t->ndim - 1];
    if (row % dtype_block(type) == 0)
        return type;
    return row % dtype_block(DTYPE_Q8_0) == 0 ? DTYPE_Q8_0 : t->dtype == DTYPE_BF16 ? DTYPE_BF16 : DTYPE_F16;
}

static void add_item(Conversion *c, const char *name, const PartTensor *tensor)
{
    c->items[c->count++] = (Item){name, *tensor, choose_type(c, &tensor->tensor), NULL};
}

/* Marks the tensors that LoRAs change. Every LoRA must find one; of others of its changes the caller is told. */
static bool find_changes(Conversion *c, const WeightPart *part, int first, SoraError *err)
{
    const LoraSet *set = &c->options->loras;
    char buf[SHOWN_SIZE];
    for (int i = first; i < c->count; i++)
        if (lora_covers(set, c->items[i].tensor.name))
            c->items[i].loras = set;
    for (int k = 0; k < set->count; k++) {
        int found = 0;
        const Lora *l = set->uses[k].lora;
        for (int i = 0; i < weight_part_count(part); i++) {
            const PartTensor *t = weight_part_tensor(part, i);
            bool changed = lora_find(l, t->name) >= 0;
            found += changed;
            if (changed && t->piece_count > 1 && !c->options->own_names)
                return message_bad(weight_file_path(c->file), err, "tensor \"%s\" is in pieces: a LoRA needs --own-names",
                                   message_shown(t->file_name, buf));
        }
        if (found == 0)
            return error_set(err, SORA_ERROR_INPUT, "%s: changes nothing that is in this transformer", message_path_end(lora_path(l)));
        if (c->options->lost != NULL)
            *c->options->lost += lora_count(l) - found;
    }
    return true;
}

static PartTensor plain(const char *name, const Tensor *t)
{
    return (PartTensor){.name = name, .file_name = name, .tensor = *t, .pieces = {t}, .piece_count = 1};
}

/* Pieces stay pieces under the file's names, and become one under Wan's. */
static bool add_part(Conversion *c, const WeightPart *part, SoraError *err)
{
    size_t prefix = c->alone ? strlen(weight_part_prefix(part)) : 0;
    int first = c->count;
    for (int i = 0; i < weight_part_count(part); i++) {
        const PartTensor *t = weight_part_tensor(part, i);
        if (c->options->own_names || t->piece_count == 1) {
            add_item(c, c->options->own_names ? t->name : t->file_name + prefix, t);
            continue;
        }
        if (t->scale != NULL)
            return message_bad(weight_file_path(c->file), err, "tensor \"%s\" has a scale and is in pieces",
                               t->file_name);
        for (int k = 0; k < t->piece_count; k++) {
            PartTensor piece = plain(t->piece_names[k] + prefix, t->pieces[k]);
            add_item(c, piece.name, &piece);
        }
    }
    if (weight_part_tokenizer(part) != NULL) {
        PartTensor t = plain("spiece_model", weight_part_tokenizer(part));
        add_item(c, t.name, &t);
    }
    return weight_part_kind(part) != PART_TRANSFORMER || find_changes(c, part, first, err);
}

static int by_size(const void *a, const void *b)
{
    const Item *x = a, *y = b;
    int order = (int)dtype_size(y->type) - (int)dtype_size(x->type);
    return order != 0 ? order : strcmp(x->name, y->name);
}

/* Tensors of no known network, a LoRA's for example, come as they are. */
static bool list_items(Conversion *c, SoraError *err)
{
    int total = weight_file_count(c->file);
    c->items = calloc(((size_t)total + 1) * PART_PIECES + PART_KINDS, sizeof *c->items);
    if (c->items == NULL)
        return message_no_memory(weight_file_path(c->file), err);
    if (c->options->own_names && c->part_count != 1)
        return message_bad(weight_file_path(c->file), err, "%d networks in it, Wan's own names are for one",
                           c->part_count);
    for (int i = 0; i < c->part_count; i++)
        if (!add_part(c, c->parts[i], err))
            return false;
    for (int i = 0; i < total && c->part_count == 0; i++) {
        PartTensor t = plain(weight_file_tensor_name(c->file, i), weight_file_tensor(c->file, i));
        add_item(c, t.name, &t);
    }
    if (weight_writer_format(c->writer) == WEIGHT_SAFETENSORS) /* every tensor then lies aligned */
        qsort(c->items, (size_t)c->count, sizeof *c->items, by_size);
    return true;
}

/* What readers of GGUF look at first. */
static const char *architecture(const Conversion *c)
{
    static const char *const NAMES[PART_KINDS] = {"wan", "t5encoder", "wan_vae", "clip_vision"};
    return c->part_count == 1 ? NAMES[weight_part_kind(c->parts[0])] : "wan";
}

static bool declare(Conversion *c, SoraError *err)
{
    if (weight_writer_format(c->writer) == WEIGHT_GGUF &&
        !weight_writer_metadata(c->writer, "general.architecture", architecture(c), err))
        return false;
    for (int i = 0; i < c->count; i++) {
        const Tensor *t = &c->items[i].tensor.tensor;
        if (!weight_writer_add(c->writer, c->items[i].name, c->items[i].type, t->ndim, t->shape, err))
            return false;
    }
    return weight_writer_begin(c->writer, err);
}

/* --- writing it --- */

static bool misfit(const Conversion *c, const Item *item, SoraError *err)
{
    return message_bad(weight_file_path(c->file), err, "tensor \"%s\" has numbers that %s cannot hold",
                       item->name, dtype_name(item->type));
}

/* F16 has a largest number, which blocks check themselves. */
static bool fits_f16(const float *x, int64_t n)
{
    bool ok = true;
    for (int64_t i = 0; i < n; i++)
        ok = ok && !(fabsf(x[i]) >= 65520 && isfinite(x[i]));
    return ok;
}

static bool advance(Conversion *c, size_t bytes, SoraError *err)
{
    ConvertProgress *p = c->progress;
    const ConvertOptions *o = c->options;
    p->done += (int64_t)bytes;
    return o->progress == NULL || o->progress(o->user, p->done < p->total ? p->done : p->total, p->total) ||
           error_set(err, SORA_ERROR_CANCELLED, "cancelled");
}

static size_t bytes_of(DType type, int64_t count)
{
    return (size_t)(count / dtype_block(type)) * dtype_size(type);
}

static bool write_numbers(Conversion *c, const Item *item, SoraError *err)
{
    int64_t n = tensor_numel(&item->tensor.tensor);
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t count = n - at < CHUNK ? n - at : CHUNK;
        part_tensor_decode(&item->tensor, at, count, c->numbers);
        if ((item->type == DTYPE_F16 && !fits_f16(c->numbers, count)) ||
            !weight_encode(item->type, c->numbers, count, c->bytes))
            return misfit(c, item, err);
        if (!weight_writer_write(c->writer, c->bytes, bytes_of(item->type, count), err) ||
            !advance(c, bytes_of(item->tensor.tensor.dtype, count), err))
            return false;
    }
    return true;
}

/* By rows, since a change is a product. */
static bool write_changed(Conversion *c, const Item *item, SoraError *err)
{
    const Tensor *t = &item->tensor.tensor;
    int64_t all = t->ndim >= 2 ? t->shape[0] : 1, width = all > 0 ? tensor_numel(t) / all : 0;
    int64_t step = width > 0 ? CHUNK / width : 1;
    if (step < 1)
        return message_bad(weight_file_path(c->file), err, "tensor \"%s\" has rows that are too long for a LoRA", item->name);
    for (int64_t at = 0; at < all; at += step) {
        int64_t rows = all - at < step ? all - at : step, count = rows * width;
        if (!part_source_rows(&item->tensor, item->loras, t, at, rows, c->numbers, err))
            return false;
        if ((item->type == DTYPE_F16 && !fits_f16(c->numbers, count)) ||
            !weight_encode(item->type, c->numbers, count, c->bytes))
            return misfit(c, item, err);
        if (!weight_writer_write(c->writer, c->bytes, bytes_of(item->type, count), err) ||
            !advance(c, bytes_of(t->dtype, count), err))
            return false;
    }
    return true;
}

static bool write_item(Conversion *c, const Item *item, SoraError *err)
{
    const PartTensor *t = &item->tensor;
    bool same = t->scale == NULL && item->loras == NULL && (item->type == t->tensor.dtype || !weight_is_number(t->tensor.dtype));
    bool ok = true;
    if (!same)
        ok = (item->loras != NULL ? write_changed : write_numbers)(c, item, err);
    for (int k = 0; k < t->piece_count && ok; k++) {
        size_t size = tensor_bytes(t->pieces[k]);
        if (same && size > 0)
            ok = weight_writer_write(c->writer, t->pieces[k]->data, size, err) && advance(c, size, err);
        weight_file_forget(c->file, t->pieces[k]);
    }
    return ok;
}

static bool write_items(Conversion *c, SoraError *err)
{
    c->numbers = malloc(CHUNK * sizeof *c->numbers);
    c->bytes = malloc(CHUNK * sizeof *c->numbers);
    if (c->numbers == NULL || c->bytes == NULL)
        return message_no_memory(weight_file_path(c->file), err);
    for (int i = 0; i < c->count; i++)
        if (!write_item(c, &c->items[i], err))
            return false;
    return weight_writer_finish(c->writer, err);
}

static void deinit(Conversion *c)
{
    weight_writer_free(c->writer);
    free(c->items);
    free(c->numbers);
    free(c->bytes);
}

static bool convert(Conversion *c, const char *to, SoraError *err)
{
    if ((c->writer = weight_writer_new(to, err)) == NULL)
        return false;
    if (!c->options->keep_types && !weight_writer_takes(c->writer, c->options->type))
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s is a type for .gguf files", dtype_name(c->options->type));
    return list_items(c, err) && declare(c, err) && write_items(c, err);
}

static int64_t file_bytes(const WeightFile *f)
{
    int64_t bytes = 0;
    for (int i = 0; i < weight_file_count(f); i++)
        bytes += (int64_t)tensor_bytes(weight_file_tensor(f, i));
    return bytes;
}

bool weights_convert(const char *from, const char *to, const ConvertOptions *options, SoraError *err)
{
    WeightWriter *name = weight_writer_new(to, err); /* a wrong name is said before anything is read */
    weight_writer_free(name);
    LayoutMatch matches[PART_KINDS];
    WeightPart *parts[PART_KINDS] = {NULL};
    WeightFile *file = name != NULL ? weight_file_open(from, err) : NULL;
    if (file == NULL)
        return false;
    ConvertProgress progress = {0, file_bytes(file)};
    Conversion c = {.options = options, .file = file, .progress = &progress};
    char buf[SHOWN_SIZE];
    bool ok = !weight_file_reads(file, to) ||
              error_set(err, SORA_ERROR_INPUT, "%s: it is what is converted; name another file",
                        message_shown(message_path_end(to), buf));
    int count = ok ? layout_recognise(file, matches, err) : 0;
    ok = ok && count >= 0;
    for (int i = 0; i < count && ok; i++) {
        ok = (parts[i] = weight_part_new(file, &matches[i], err)) != NULL;
        c.parts[i] = parts[i];
        c.part_count += ok;
    }
    bool transformer = false;
    for (int i = 0; i < c.part_count; i++)
        transformer = transformer || weight_part_kind(c.parts[i]) == PART_TRANSFORMER;
    if (ok && options->loras.count > 0 && !transformer)
        ok = message_bad(from, err, "there is no transformer in it for a LoRA");
    ok = ok && convert(&c, to, err);
    deinit(&c);
    for (int i = 0; i < PART_KINDS; i++)
        weight_part_free(parts[i]);
    weight_file_close(file);
    return ok;
}

int64_t part_convert_bytes(const WeightPart *part)
{
    int64_t bytes = 0;
    for (int i = 0; i < weight_part_count(part); i++)
        bytes += (int64_t)tensor_bytes(&weight_part_tensor(part, i)->tensor);
    return bytes;
}

bool part_convert(const WeightPart *part, const char *to, const ConvertOptions *options, ConvertProgress *progress,
                  SoraError *err)
{
    Conversion c = {.options = options, .file = weight_part_file(part), .parts = {part}, .part_count = 1, .alone = true,
                    .progress = progress};
    bool ok = convert(&c, to, err);
    deinit(&c);
    return ok;
}
