/* PyTorch's zip files and GGUF: what is read, and what is refused with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "unit/temp_dir.h"
#include "unit/weight_bytes.h"
#include "weights/quant.h"
#include "weights/safetensors.h"
#include "weights/weight_file.h"

/* --- pickles --- */

/* One tensor [2, 3] of storage 0 at element 1, named x, as torch.save() writes it; %s is put around. */
#define STORAGE                                                                                              \
    "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"                                                       \
    "0X\3\0\0\0cpuK\7tQ"
#define TENSOR                                                                                               \
    "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE "K\1K\2K\3\x86K\3K\1\x86\x89"                             \
    "ccollections\nOrderedDict\n)RtR"
#define NAME "X\1\0\0\0x"

static WeightFile *open_pickle(ZipBytes z, const char *pickle, size_t size, SoraError *err)
{
    static const float numbers[7] = {9, 1, 2, 3, 4, 5, 6};
    zip_add(&z, "model/data.pkl", pickle, size);
    zip_add(&z, "model/data/0", numbers, sizeof numbers);
    zip_finish(&z);
    WeightFile *f = weight_file_open_memory(z.file.data, z.file.size, "model.pth", err);
    if (f == NULL) {
        free_bytes(&z.file);
        return NULL;
    }
    const Tensor *t = weight_file_find(f, "x");
    assert_non_null(t);
    assert_true(t->ndim == 2 && t->shape[0] == 2 && t->shape[1] == 3);
    assert_memory_equal(t->data, numbers + 1, 6 * sizeof(float));
    free_bytes(&z.file);
    return f;
}

#define PICKLE(text) (text), sizeof(text) - 1

static void pickles_that_are_read(void **state)
{
    static const struct {
        const char *pickle;
        size_t size;
    } CASES[] = {
        {PICKLE("\x80\2}q\0(" NAME TENSOR "u.")},
        {PICKLE("\x80\2}" NAME TENSOR "s.")},
        {PICKLE("\x80\2ccollections\nOrderedDict\n)R(" NAME TENSOR "u}X\x09\0\0\0_metadata}sb.")},
        {PICKLE("\x80\2}X\x0a\0\0\0state_dict}(" NAME TENSOR "us.")},
        {PICKLE("\x80\2}(X\4\0\0\0stepK\7" NAME TENSOR "X\2\0\0\0lrG\0\0\0\0\0\0\0\0u.")},
        {PICKLE("\x80\2}(" NAME "ctorch._utils\n_rebuild_parameter\n(" TENSOR "\x88}tRu.")},
        {PICKLE("\x80\4\x95\0\0\0\0\0\0\0\0}\x94(\x8c\1x\x8c\x0ctorch._utils\x8c\x12_rebuild_tensor_"
                "v2\x93(" STORAGE "K\1K\2K\3\x86K\3K\1\x86\x89}tRu.")},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        for (int zip64 = 0; zip64 < 2; zip64++) {
            SoraError err = {0};
            WeightFile *f = open_pickle((ZipBytes){.zip64 = zip64}, CASES[i].pickle, CASES[i].size, &err);
            if (f == NULL)
                fail_msg("case %zu: %s", i, err.message);
            assert_int_equal(weight_file_count(f), 1);
            weight_file_close(f);
        }
}

static void pickles_that_are_refused(void **state)
{
    static const struct {
        const char *pickle;
        size_t size;
        const char *message;
    } CASES[] = {
        {PICKLE("\x80\2cos\nsystem\nX\2\0\0\0ls\x85R."),
         "model.pth: the pickle asks for \"os.system\"; only tensors are read"},
        {PICKLE("\x80\2}(" NAME "cbuiltins\neval\nX\1\0\0\0"
                "1\x85Ru."),
         "model.pth: the pickle asks for \"builtins.eval\"; only tensors are read"},
        {PICKLE("\x80\4\x8c\2os\x8c\5popen\x93."),
         "model.pth: the pickle asks for \"os.popen\"; only tensors are read"},
        {PICKLE("\x80\2ctorch\nFloatStorage\n)R."),
         "model.pth: the pickle calls \"torch.FloatStorage\"; only tensors are read"},
        {PICKLE("\x80\2(i__main__\nA\n."),
         "model.pth: the pickle has the instruction 0x69 at byte 3, which tensors do not need"},
        {PICKLE("\x80\2ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE "K\1K\2K\3\x86K\1K\2\x86\x89}tR."),
         "model.pth: a tensor's elements do not lie in the order of its shape"},
        {PICKLE("\x80\2}(" NAME "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE
                "K\2K\2K\3\x86K\3K\1\x86\x89}tRu."),
         "model.pth: tensor \"x\" needs 6 numbers from 2 on, its storage has 7"},
        {PICKLE("\x80\2}(" NAME "ctorch._utils\n_rebuild_tensor_v2\n("
                "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
                "0X\3\0\0\0cpuK\x08tQ"
                "K\1K\2K\3\x86K\3K\1\x86\x89}tRu."),
         "model.pth: tensor \"x\" needs 6 numbers from 1 on, its storage has 7"},
        {PICKLE("\x80\2}(" NAME "ctorch._utils\n_rebuild_tensor_v2\n("
                "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"
                "7X\3\0\0\0cpuK\x08tQ"
                "K\1K\2K\3\x86K\3K\1\x86\x89}tRu."),
         "model.pth: tensor \"x\": there is no storage \"7\""},
        {PICKLE("\x80\2]."), "model.pth: the pickle is no dictionary of tensors"},
        {PICKLE("\x80\2}."), "model.pth: no tensors in the pickle"},
        {PICKLE("\x80\2}(" NAME), "model.pth: damaged pickle at byte 10: truncated"},
        {PICKLE("\x80\2u."), "model.pth: damaged pickle at byte 3: no mark on the stack"},
        {PICKLE("\x80\2}r\xff\xff\xff\x7f."),
         "model.pth: damaged pickle at byte 8: a memo entry without sense"},
        {PICKLE("\x80\2h\1."), "model.pth: damaged pickle at byte 4: no such memo entry"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        SoraError err = {0};
        assert_null(open_pickle((ZipBytes){0}, CASES[i].pickle, CASES[i].size, &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_string_equal(err.message, CASES[i].message);
    }
}

/* A list that holds itself, and a tuple in a tuple, a hundred thousand deep. */
static void pickles_do_not_blow_up(void **state)
{
    SoraError err = {0};
    assert_null(open_pickle((ZipBytes){0}, PICKLE("\x80\2]q\0h\0a."), &err));
    Bytes b = {0};
    put_str(&b, "\x80\2)");
    for (int i = 0; i < 100000; i++)
        put_str(&b, "\x85");
    put_str(&b, ".");
    assert_null(open_pickle((ZipBytes){0}, (char *)b.data, b.size, &err));
    assert_string_equal(err.message, "model.pth: the pickle is no dictionary of tensors");
    free_bytes(&b);
}

static void zips_that_are_refused(void **state)
{
    SoraError err = {0};
    static const char pickle[] = "\x80\2}(" NAME TENSOR "u.";
    assert_null(open_pickle((ZipBytes){.method = 8}, PICKLE(pickle), &err));
    assert_string_equal(err.message, "model.pth: entry \"model/data.pkl\" is compressed, expected it stored");
    ZipBytes z = {0};
    zip_add(&z, "a/data.pkl", PICKLE(pickle));
    zip_add(&z, "a/data.pkl", PICKLE(pickle));
    zip_finish(&z);
    assert_null(weight_file_open_memory(z.file.data, z.file.size, "model.pth", &err));
    assert_string_equal(err.message, "model.pth: entry \"a/data.pkl\" is there twice");
    assert_null(weight_file_open_memory(z.file.data, z.file.size - 30, "model.pth", &err));
    assert_string_equal(err.message, "model.pth: no end of a zip directory: truncated?");
    z.file.data[z.file.size - 6] ^= 1; /* where the directory begins */
    assert_null(weight_file_open_memory(z.file.data, z.file.size, "model.pth", &err));
    assert_string_equal(err.message, "model.pth: damaged zip directory");
    free_bytes(&z.file);
    static const uint8_t old[] = "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    assert_null(weight_file_open_memory(old, sizeof old, "model.pth", &err));
    assert_non_null(strstr(err.message, "before 1.6"));
}

/* --- GGUF --- */

typedef struct GgufBytes {
    Bytes metadata, headers, data;
    uint64_t metadata_count, tensor_count;
    size_t data_alignment; /* 0: 32 */
} GgufBytes;

static void gguf_tensor(GgufBytes *g, const char *name, uint32_t type, int ndim,
                        const int64_t *innermost_first, const void *data, size_t size)
{
    put_text(&g->headers, name);
    put_int(&g->headers, (uint64_t)ndim, 4);
    for (int d = 0; d < ndim; d++)
        put_int(&g->headers, (uint64_t)innermost_first[d], 8);
    put_int(&g->headers, type, 4);
    put_int(&g->headers, g->data.size, 8);
    put(&g->data, data, size);
    put_zeros(&g->data, (32 - size % 32) % 32);
    g->tensor_count++;
}

/* cut: bytes left out at the end. */
/* The file's bytes; g is empty afterwards. */
static const Bytes *gguf_bytes(GgufBytes *g, uint32_t version)
{
    static Bytes file;
    free_bytes(&file);
    put_str(&file, "GGUF");
    put_int(&file, version, 4);
    put_int(&file, g->tensor_count, 8);
    put_int(&file, g->metadata_count, 8);
    if (g->metadata.size > 0)
        put(&file, g->metadata.data, g->metadata.size);
    if (g->headers.size > 0)
        put(&file, g->headers.data, g->headers.size);
    size_t alignment = g->data_alignment > 0 ? g->data_alignment : 32;
    put_zeros(&file, (alignment - file.size % alignment) % alignment);
    if (g->data.size > 0)
        put(&file, g->data.data, g->data.size);
    free_bytes(&g->metadata);
    free_bytes(&g->headers);
    free_bytes(&g->data);
    *g = (GgufBytes){0};
    return &file;
}

static WeightFile *gguf_open(GgufBytes *g, uint32_t version, size_t cut, SoraError *err)
{
    const Bytes *file = gguf_bytes(g, version);
    return weight_file_open_memory(file->data, file->size - cut, "w.gguf", err);
}

static void gguf_is_read(void **state)
{
    static const uint32_t IDS[] = {0, 1, 30, 8, 2, 3, 6, 7, 12, 13, 14};
    static const DType TYPES[] = {DTYPE_F32,  DTYPE_F16,  DTYPE_BF16, DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q4_1,
                                  DTYPE_Q5_0, DTYPE_Q5_1, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K};
    enum { COUNT = sizeof IDS / sizeof IDS[0] };
    float x[512];
    uint8_t bytes[COUNT][512 * 4];
    for (int i = 0; i < 512; i++)
        x[i] = (float)(i % 37 - 18) / 8;
    GgufBytes g = {0};
    put_text(&g.metadata, "general.architecture");
    put_int(&g.metadata, 8, 4);
    put_text(&g.metadata, "wan");
    put_text(&g.metadata, "tokens"); /* a list of texts: stepped over */
    put_int(&g.metadata, 9, 4);
    put_int(&g.metadata, 8, 4);
    put_int(&g.metadata, 2, 8);
    put_text(&g.metadata, "a");
    put_text(&g.metadata, "bc");
    put_text(&g.metadata, "comfy.gguf.orig_shape.t0");
    put_int(&g.metadata, 9, 4);
    put_int(&g.metadata, 5, 4);
    put_int(&g.metadata, 5, 8);
    for (int i = 0; i < 5; i++)
        put_int(&g.metadata, (uint64_t[]){2, 1, 4, 8, 8}[i], 4);
    put_text(&g.metadata, "wan.block_count");
    put_int(&g.metadata, 4, 4);
    put_int(&g.metadata, 30, 4);
    g.metadata_count = 4;
    for (int i = 0; i < COUNT; i++) {
        char name[8];
        snprintf(name, sizeof name, "t%d", i);
        assert_true(weight_encode(TYPES[i], x, 512, bytes[i]));
        gguf_tensor(&g, name, IDS[i], 2, (const int64_t[]){256, 2}, bytes[i],
                    512 / (size_t)dtype_block(TYPES[i]) * dtype_size(TYPES[i]));
    }
    SoraError err = {0};
    WeightFile *f = gguf_open(&g, 3, 0, &err);
    if (f == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(weight_file_count(f), COUNT);
    assert_string_equal(weight_file_metadata(f, "general.architecture"), "wan");
    assert_string_equal(weight_file_metadata(f, "wan.block_count"), "30");
    assert_null(weight_file_metadata(f, "tokens"));
    for (int i = 0; i < COUNT; i++) {
        char name[8], text[64];
        snprintf(name, sizeof name, "t%d", i);
        const Tensor *t = weight_file_find(f, name);
        assert_non_null(t);
        assert_int_equal(t->dtype, TYPES[i]);
        assert_string_equal(tensor_shape_text(t, text, sizeof text), i == 0 ? "[2, 1, 4, 8, 8]" : "[2, 256]");
        assert_memory_equal(t->data, bytes[i], tensor_bytes(t));
    }
    weight_file_close(f);
}

/* --- split GGUF --- */

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void put_number(GgufBytes *g, const char *key, uint32_t type, uint64_t value)
{
    put_text(&g->metadata, key);
    put_int(&g->metadata, type, 4);
    put_int(&g->metadata, value, type == 2 ? 2 : 4);
    g->metadata_count++;
}

/* Part i of count with one tensor, as llama.cpp's gguf-split writes it: only the first one says anything else. */
static void write_gguf_part(const char *file, int i, int count, int total)
{
    GgufBytes g = {0};
    float numbers[64];
    char name[16];
    for (int k = 0; k < 64; k++)
        numbers[k] = (float)(100 * i + k);
    if (i == 0) {
        put_text(&g.metadata, "general.architecture");
        put_int(&g.metadata, 8, 4);
        put_text(&g.metadata, "wan");
        g.metadata_count++;
        put_number(&g, "general.alignment", 4, 64); /* this part's alone */
    }
    put_number(&g, "split.no", 2, (uint64_t)i);
    put_number(&g, "split.count", 2, (uint64_t)count);
    put_number(&g, "split.tensors.count", 5, (uint64_t)total);
    snprintf(name, sizeof name, "t%d", i);
    gguf_tensor(&g, name, 0, 2, (const int64_t[]){8, 8}, numbers, sizeof numbers);
    if (i == 0) /* its data begins at a multiple of 64 */
        g.data_alignment = 64;
    const Bytes *bytes = gguf_bytes(&g, 3);
    FILE *f = fopen(in_dir(file), "wb");
    assert_true(f != NULL && fwrite(bytes->data, 1, bytes->size, f) == bytes->size && fclose(f) == 0);
}

static void split_gguf_is_one_file(void **state)
{
    SoraError err = {0};
    for (int i = 0; i < 3; i++)
        write_gguf_part((const char *[]){"m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf"}[i], i,
                        3, 3);
    for (int opened = 0; opened < 2; opened++) { /* by the first or another one */
        WeightFile *f = weight_file_open(in_dir(opened ? "m-00002-of-00003.gguf" : "m-00001-of-00003.gguf"), &err);
        if (f == NULL)
            fail_msg("%s", err.message);
        assert_int_equal(weight_file_count(f), 3);
        assert_string_equal(weight_file_metadata(f, "general.architecture"), "wan");
        for (int i = 0; i < 3; i++) {
            const Tensor *t = weight_file_find(f, (const char *[]){"t0", "t1", "t2"}[i]);
            assert_non_null(t);
            assert_true(((const float *)t->data)[63] == (float)(100 * i + 63));
            weight_file_forget(f, t);
            assert_true(((const float *)t->data)[1] == (float)(100 * i + 1));
        }
        weight_file_close(f);
    }
}

static void expect_split_error(const char *file, const char *message)
{
    SoraError err = {0};
    assert_null(weight_file_open(in_dir(file), &err));
    if (strstr(err.message, message) == NULL)
        fail_msg("%s", err.message);
}

static void split_gguf_that_is_refused(void **state)
{
    write_gguf_part("a-00001-of-00002.gguf", 0, 2, 2);
    expect_split_error("a-00001-of-00002.gguf", "a-00002-of-00002.gguf: cannot open: No such file or directory");
    write_gguf_part("a-00002-of-00002.gguf", 0, 2, 2);
    expect_split_error("a-00001-of-00002.gguf", "a-00002-of-00002.gguf: says that it is part 1 of 2, expected 2 of 2");
    write_gguf_part("a-00002-of-00002.gguf", 1, 2, 3);
    expect_split_error("a-00002-of-00002.gguf", ": 2 tensors in all 2 parts, expected 3");
    write_gguf_part("other.gguf", 0, 2, 2);
    expect_split_error("other.gguf", "other.gguf: one of 2 parts, whose name should end in -00001-of-00002.gguf");
    write_gguf_part("b-00001-of-00002.gguf", 7, 2, 2);
    expect_split_error("b-00001-of-00002.gguf", "part 8 of 2");
    FILE *f = fopen(in_dir("a-00002-of-00002.gguf"), "wb");
    assert_true(f != NULL && fputs("no", f) >= 0 && fclose(f) == 0);
    expect_split_error("a-00001-of-00002.gguf", "a-00002-of-00002.gguf: no GGUF file, expected part 2 of 2");
}

typedef struct GgufCase {
    const char *name;
    uint32_t type;
    int64_t row, rows;
    size_t size, cut;
    uint32_t version;
    const char *message;
} GgufCase;

static void gguf_that_is_refused(void **state)
{
    static const GgufCase CASES[] = {
        {"x", 0, 8, 2, 64, 0, 4, "w.gguf: GGUF version 4, supported are 2 and 3"},
        {"x", 23, 8, 2, 64, 0, 3, "w.gguf: tensor \"x\" has type IQ4_XS, which is not supported: Q2_K to Q8_0 are"},
        {"x", 99, 8, 2, 64, 0, 3, "w.gguf: tensor \"x\" has type 99, which is not supported"},
        {"x", 12, 100, 2, 64, 0, 3, "w.gguf: tensor \"x\" has rows of 100, no multiple of Q4_K's 256"},
        {"x", 0, 8, 3, 64, 0, 3, "w.gguf: tensor \"x\" of 96 bytes ends after the file: truncated?"},
        {"x", 0, 8, 2, 64, 1, 3, "w.gguf: tensor \"x\" of 64 bytes ends after the file: truncated?"},
        {"x", 0, (int64_t)1 << 40, (int64_t)1 << 40, 64, 0, 3, "w.gguf: tensor \"x\" is too large"},
        {"x", 0, -1, 2, 64, 0, 3, "w.gguf: tensor \"x\" is too large"},
        {"\n", 0, 8, 2, 64, 0, 3, "w.gguf: tensor \"?\": the name is not printable ASCII"},
        {"x", 0, 8, 2, 64, 100, 3, "w.gguf: truncated at byte 57"},
    };
    static const uint8_t zeros[64];
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const GgufCase *c = &CASES[i];
        GgufBytes g = {0};
        SoraError err = {0};
        gguf_tensor(&g, c->name, c->type, 2, (const int64_t[]){c->row, c->rows}, zeros, c->size);
        assert_null(gguf_open(&g, c->version, c->cut, &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_string_equal(err.message, c->message);
    }
    GgufBytes g = {0};
    SoraError err = {0};
    g.tensor_count = (uint64_t)1 << 60;
    assert_null(gguf_open(&g, 3, 0, &err));
    assert_string_equal(err.message, "w.gguf: 1152921504606846976 tensors do not fit in the file");
    for (int i = 0; i < 2; i++)
        gguf_tensor(&g, "twice", 0, 1, (const int64_t[]){16}, zeros, 64);
    assert_null(gguf_open(&g, 3, 0, &err));
    assert_string_equal(err.message, "w.gguf: tensor \"twice\" is there twice");
    put_text(&g.metadata, "comfy.gguf.orig_shape.x");
    put_int(&g.metadata, 9, 4);
    put_int(&g.metadata, 5, 4);
    put_int(&g.metadata, 1, 8);
    put_int(&g.metadata, 17, 4);
    g.metadata_count = 1;
    gguf_tensor(&g, "x", 0, 1, (const int64_t[]){16}, zeros, 64);
    assert_null(gguf_open(&g, 3, 0, &err));
    assert_string_equal(err.message, "w.gguf: tensor \"x\": its true shape does not fit its numbers");
    (void)gguf_open(&g, 9, 0, &err); /* frees the bytes */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pickles_that_are_read),
        cmocka_unit_test(pickles_that_are_refused),
        cmocka_unit_test(pickles_do_not_blow_up),
        cmocka_unit_test(zips_that_are_refused),
        cmocka_unit_test(gguf_is_read),
        cmocka_unit_test(gguf_that_is_refused),
        cmocka_unit_test(split_gguf_is_one_file),
        cmocka_unit_test(split_gguf_that_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
