/* A network's tensors from a file: what is mapped, what is copied, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "temp_dir.h"
#include "weights/file_source.h"

static const int64_t MATRIX[] = {2, 2}, VECTOR[] = {3};

/* Offsets: matrix 0 (BF16), vector 8 (BF16), half 14 (F16, [2, 2]), odd 22 (F32, not aligned), whole 34 (I32). */
static const char HEADER[] =
    "{\"matrix\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[0,8]},"
    "\"vector\":{\"dtype\":\"BF16\",\"shape\":[3],\"data_offsets\":[8,14]},"
    "\"half\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[14,22]},"
    "\"odd\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[22,34]},"
    "\"whole\":{\"dtype\":\"I32\",\"shape\":[3],\"data_offsets\":[34,46]}}";

typedef struct File {
    _Alignas(64) char bytes[1024];
    Safetensors *file;
    FileSource source;
    Params params;
} File;

static void open_file(File *f, FileSourceMode mode)
{
    const uint16_t bf16[7] = {0x3f80, 0xc000, 0x3f00, 0, 0x3f80, 0x4000, 0xbf80}; /* 1 -2 .5 0 | 1 2 -1 */
    const uint16_t f16[4] = {0x3c00, 0xc000, 0x3800, 0};                          /* 1 -2 .5 0 */
    const float f32[3] = {1.5f, -2.25f, 3};
    memset(f->bytes, ' ', sizeof f->bytes);
    uint64_t length = (sizeof HEADER - 1 + 63) / 64 * 64 - 8; /* the data then begins at a multiple of 64 */
    if (length < sizeof HEADER - 1)
        length += 64;
    memcpy(f->bytes, &length, 8);
    memcpy(f->bytes + 8, HEADER, sizeof HEADER - 1);
    char *data = f->bytes + 8 + length;
    memcpy(data, bf16, sizeof bf16);
    memcpy(data + 14, f16, sizeof f16);
    memcpy(data + 22, f32, sizeof f32);
    memset(data + 34, 0, 12);
    SoraError err = {0};
    f->file = safetensors_open_memory(f->bytes, 8 + length + 46, "net.safetensors", &err);
    if (f->file == NULL)
        fail_msg("%s", err.message);
    file_source_init(&f->source, f->file, mode);
    params_init(&f->params, &f->source.source);
}

static void close_file(File *f)
{
    params_deinit(&f->params);
    file_source_deinit(&f->source);
    safetensors_close(f->file);
}

static bool in_file(const File *f, const Tensor *t)
{
    return (char *)t->data >= f->bytes && (char *)t->data < f->bytes + sizeof f->bytes;
}

static void assert_numbers(const Tensor *t, const float *expected)
{
    assert_int_equal(t->dtype, DTYPE_F32);
    assert_memory_equal(t->data, expected, tensor_bytes(t));
}

static Tensor *get(File *f, int ndim, const int64_t *shape, const char *name)
{
    return params_get(&f->params, (Init){INIT_ZERO, 0}, ndim, shape, "%s", name);
}

static void running_maps_matrices(void **state)
{
    File f;
    open_file(&f, FILE_SOURCE_MAPPED);
    Tensor *matrix = get(&f, 2, MATRIX, "matrix"), *half = get(&f, 2, MATRIX, "half");
    assert_true(in_file(&f, matrix) && matrix->dtype == DTYPE_BF16);
    assert_true(in_file(&f, half) && half->dtype == DTYPE_F16);
    assert_numbers(get(&f, 1, VECTOR, "vector"), (const float[]){1, 2, -1});
    Tensor *odd = get(&f, 1, VECTOR, "odd");
    assert_false(in_file(&f, odd));
    assert_numbers(odd, (const float[]){1.5f, -2.25f, 3});
    close_file(&f);
}

static void training_copies_all(void **state)
{
    File f;
    open_file(&f, FILE_SOURCE_F32);
    const float numbers[] = {1, -2, 0.5f, 0};
    assert_numbers(get(&f, 2, MATRIX, "matrix"), numbers);
    assert_numbers(get(&f, 2, MATRIX, "half"), numbers);
    assert_numbers(get(&f, 1, VECTOR, "odd"), (const float[]){1.5f, -2.25f, 3});
    close_file(&f);
}

static void misfits_are_refused(void **state)
{
    static const struct {
        const char *name;
        int ndim;
        const int64_t *shape;
        const char *message;
    } CASES[] = {
        {"none", 1, VECTOR, "net.safetensors: tensor \"none\" is missing"},
        {"vector", 2, MATRIX, "net.safetensors: tensor \"vector\" is [3], expected [2, 2]"},
        {"whole", 1, VECTOR,
         "net.safetensors: tensor \"whole\" has type I32, expected F32, BF16, F16, F64 or U8"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        File f;
        SoraError err = {0};
        open_file(&f, FILE_SOURCE_MAPPED);
        assert_null(get(&f, CASES[i].ndim, CASES[i].shape, CASES[i].name));
        assert_null(get(&f, 2, MATRIX, "matrix")); /* the first failure sticks */
        assert_false(params_ok(&f.params, &err));
        assert_string_equal(err.message, CASES[i].message);
        close_file(&f);
    }
}

/* scale and minimum may be left out, or have another size. */
static void write_bytes(char *path, size_t size, int scales, int minima)
{
    SoraError err = {0};
    uint8_t bytes[] = {0, 1, 255, 10, 20, 30};
    float scale[] = {0.5f, 2, 1}, minimum[] = {-1, 3, 0};
    Tensor w = tensor_over(bytes, DTYPE_U8, 2, (int64_t[]){2, 3});
    Tensor s = tensor_over(scale, DTYPE_F32, 1, (int64_t[]){scales}), m = tensor_over(minimum, DTYPE_F32, 1, (int64_t[]){minima});
    snprintf(path, size, "%s/bytes.safetensors", dir);
    SafetensorsWriter *writer = safetensors_writer_new(&err);
    assert_true((scales == 0 || safetensors_writer_add(writer, "a.scale", &s, &err)) &&
                (minima == 0 || safetensors_writer_add(writer, "a.minimum", &m, &err)) &&
                safetensors_writer_add(writer, "a.weight", &w, &err) && safetensors_writer_add(writer, "other", &w, &err) &&
                safetensors_writer_save(writer, path, &err));
    safetensors_writer_free(writer);
}

static void check_bytes(int scales, int minima, const char *name, const char *message)
{
    char path[256];
    SoraError err = {0};
    FileSource source;
    Params params;
    write_bytes(path, sizeof path, scales, minima);
    Safetensors *file = safetensors_open(path, &err);
    assert_non_null(file);
    file_source_init(&source, file, FILE_SOURCE_MAPPED);
    params_init(&params, &source.source);
    Tensor *t = params_get(&params, (Init){INIT_ZERO, 0}, 2, (int64_t[]){2, 3}, "%s", name);
    if (message == NULL) {
        assert_non_null(t);
        assert_numbers(t, (const float[]){-1, -0.5f, 126.5f, 23, 43, 63});
    } else {
        assert_null(t);
        assert_false(params_ok(&params, &err));
        assert_non_null(strstr(err.message, message));
    }
    params_deinit(&params);
    file_source_deinit(&source);
    safetensors_close(file);
}

static void bytes_are_widened(void **state)
{
    check_bytes(2, 2, "a.weight", NULL);
    check_bytes(0, 2, "a.weight", "\"a.scale\", which tensor \"a.weight\" of bytes needs, is missing");
    check_bytes(2, 0, "a.weight", "\"a.minimum\", which tensor \"a.weight\" of bytes needs, is missing");
    check_bytes(3, 2, "a.weight", "\"a.scale\", which tensor \"a.weight\" of bytes needs, is not one F32 for each of its rows");
    check_bytes(2, 2, "other", "\"other\" has type U8, which only weights may have");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(running_maps_matrices),
        cmocka_unit_test(training_copies_all),
        cmocka_unit_test(misfits_are_refused),
        cmocka_unit_test(bytes_are_widened),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
