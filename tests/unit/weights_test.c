#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "weights/safetensors.h"

/* --- helpers --- */

static char folder[64]; /* a new one for each test */

static int set_up(void **state)
{
    strcpy(folder, "/tmp/sora-weights-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir && (e = readdir(dir)) != NULL;)
        unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
    return rmdir(folder);
}

static int files_in_folder(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n - 2;
}

/* "FOLDER/name", valid until the eighth call after this one. */
static const char *in_folder(const char *name)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void put_file(const char *name, const void *data, size_t size)
{
    FILE *f = fopen(in_folder(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

typedef struct Bytes {
    uint8_t *data;
    size_t size;
} Bytes;

/* A file of the given header and data_size bytes 0, 1, 2 ... */
static Bytes make_file(const char *header, size_t data_size)
{
    uint64_t n = strlen(header);
    Bytes b = {malloc(8 + n + data_size), 8 + n + data_size};
    memcpy(b.data, &n, 8);
    memcpy(b.data + 8, header, n);
    for (size_t i = 0; i < data_size; i++)
        b.data[8 + n + i] = (uint8_t)i;
    return b;
}

static void put_tensors(const char *name, const char *header, size_t data_size)
{
    Bytes b = make_file(header, data_size);
    put_file(name, b.data, b.size);
    free(b.data);
}

static Safetensors *opened(const char *path)
{
    SoraError err;
    Safetensors *s = safetensors_open(path, &err);
    if (s == NULL)
        fail_msg("%s", err.message);
    return s;
}

/* fmt has a %s where the folder stands. */
static void refused(const char *path, SoraErrorCode code, const char *fmt)
{
    SoraError err = {0};
    char expected[512];
    snprintf(expected, sizeof expected, fmt, folder);
    Safetensors *s = safetensors_open(path, &err);
    safetensors_close(s);
    assert_null(s);
    assert_string_equal(err.message, expected);
    assert_int_equal(err.code, code);
}

static Tensor random_like(float *data, int n0, int n1)
{
    for (int i = 0; i < n0 * n1; i++)
        data[i] = (float)(i * 7919 % 1013) / 97.0f - 5.0f;
    return tensor_over(data, DTYPE_F32, 2, (const int64_t[]){n0, n1});
}

/* --- reading --- */

static const char GOOD[] = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                           "\"__metadata__\":{\"config\":\"{}\",\"k\":\"v\"},"
                           "\"empty\":{\"dtype\":\"I64\",\"shape\":[0,5],\"data_offsets\":[26,26]},"
                           "\"scalar\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[24,26]}}   ";

static void reads_every_field(void **state)
{
    Bytes b = make_file(GOOD, 26);
    SoraError err = {0};
    Safetensors *s = safetensors_open_memory(b.data, b.size, "good", &err);
    assert_string_equal(err.message, "");
    assert_non_null(s);
    assert_int_equal(safetensors_count(s), 3);
    assert_string_equal(safetensors_tensor_name(s, 0), "a");
    assert_string_equal(safetensors_tensor_name(s, 1), "scalar");
    assert_string_equal(safetensors_tensor_name(s, 2), "empty");
    const Tensor *a = safetensors_find(s, "a"), *scalar = safetensors_find(s, "scalar");
    assert_ptr_equal(a, safetensors_tensor(s, 0));
    assert_int_equal(a->dtype, DTYPE_F32);
    assert_int_equal(a->ndim, 2);
    assert_int_equal(a->shape[1], 3);
    assert_memory_equal(a->data, b.data + b.size - 26, 24);
    assert_int_equal(scalar->ndim, 0);
    assert_int_equal(*(uint16_t *)scalar->data, 24 | 25 << 8);
    assert_int_equal(tensor_numel(safetensors_find(s, "empty")), 0);
    assert_null(safetensors_find(s, "b"));
    assert_null(safetensors_find(s, "__metadata__"));
    assert_string_equal(safetensors_metadata(s, "config"), "{}");
    assert_string_equal(safetensors_metadata(s, "k"), "v");
    assert_null(safetensors_metadata(s, "a"));
    assert_string_equal(safetensors_path(s), "good");
    safetensors_close(s);
    free(b.data);
}

static void reads_a_file_without_tensors(void **state)
{
    Bytes b = make_file("{}", 0);
    Safetensors *s = safetensors_open_memory(b.data, b.size, "none", NULL);
    assert_non_null(s);
    assert_int_equal(safetensors_count(s), 0);
    assert_null(safetensors_find(s, "a"));
    safetensors_close(s);
    free(b.data);
}

/* Wherever the data lies, tensors are aligned for their type and have the right bytes. */
static void aligns_data(void **state)
{
    const char *header = "{\"byte\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                         "\"long\":{\"dtype\":\"I64\",\"shape\":[2],\"data_offsets\":[1,17]},"
                         "\"float\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[17,21]}}";
    Bytes b = make_file(header, 21);
    uint8_t *moved = malloc(b.size + 8);
    for (size_t shift = 0; shift < 8; shift++) {
        memcpy(moved + shift, b.data, b.size);
        Safetensors *s = safetensors_open_memory(moved + shift, b.size, "odd", NULL);
        assert_non_null(s);
        for (int i = 0; i < safetensors_count(s); i++)
            assert_int_equal(
                (uintptr_t)safetensors_tensor(s, i)->data % dtype_size(safetensors_tensor(s, i)->dtype), 0);
        assert_memory_equal(safetensors_find(s, "long")->data, b.data + b.size - 20, 16);
        assert_memory_equal(safetensors_find(s, "float")->data, b.data + b.size - 4, 4);
        safetensors_close(s);
    }
    free(moved);
    free(b.data);
}

#define T(fields) "{\"a\":{" fields "}}"
#define A4 "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}"

static void names_every_damage(void **state)
{
    static const struct {
        const char *header;
        size_t data_size;
        const char *message;
    } CASES[] = {
        {"[]", 0, "the JSON is not an object"},
        {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
        {"{\"__metadata__\":{\"n\":1}}", 0, "__metadata__ \"n\" is not a text"},
        {"{\"a\":7}", 0, "tensor \"a\" is not described by an object"},
        {"{\"a\\nb\":7}", 0, "tensor \"a?b\" is not described by an object"},
        {T("\"shape\":[1],\"data_offsets\":[0,4]"), 4, "tensor \"a\" has no dtype"},
        {T("\"dtype\":\"F4_E2M1\",\"shape\":[4],\"data_offsets\":[0,4]"), 4,
         "tensor \"a\" has the type \"F4_E2M1\", which is not supported"},
        {T("\"dtype\":\"F32\",\"data_offsets\":[0,4]"), 4, "tensor \"a\" has no shape"},
        {T("\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]"), 4,
         "tensor \"a\" has a shape that is not of counts"},
        {T("\"dtype\":\"F32\",\"shape\":[-1,-1],\"data_offsets\":[0,4]"), 4,
         "tensor \"a\" has a shape that is not of counts"},
        {T("\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]"), 4,
         "tensor \"a\" has 9 dimensions, at most 8 are supported"},
        {T("\"dtype\":\"F32\",\"shape\":[4294967296,1073741825],\"data_offsets\":[0,4]"), 4,
         "tensor \"a\" is too large"},
        {T("\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,0],\"data_offsets\":[0,0]"), 0,
         "tensor \"a\" is too large"},
        {T("\"dtype\":\"F32\",\"shape\":[1]"), 4, "tensor \"a\" has no data_offsets [begin, end]"},
        {T("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]"), 4,
         "tensor \"a\" has no data_offsets [begin, end]"},
        {T("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]"), 4,
         "tensor \"a\" has no data_offsets [begin, end]"},
        {T("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]"), 4,
         "tensor \"a\" has no data_offsets [begin, end]"},
        {T("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]"), 3,
         "tensor \"a\" ends at byte 4 of the data, the file has 3: truncated?"},
        {T("\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,20]"), 24,
         "tensor \"a\" has 20 bytes, F32 [2, 3] needs 24"},
        {T("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]"), 8,
         "tensor \"a\" begins at byte 4 of the data, expected 0"},
        {"{" A4 "}", 9, "5 bytes after the last tensor"},
        {"{" A4 ",\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}", 7,
         "tensor \"b\" overlaps \"a\""},
        {"{" A4 ",\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
         "tensor \"b\" overlaps \"a\""},
        {"{" A4 ",\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[2,2]}}", 4,
         "tensor \"b\" overlaps \"a\""},
        {"{" A4 ",\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[5,6]}}", 6,
         "tensor \"b\" begins at byte 5 of the data, expected 4"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Bytes b = make_file(CASES[i].header, CASES[i].data_size);
        SoraError err = {0};
        char expected[256];
        snprintf(expected, sizeof expected, "fox.safetensors: %s", CASES[i].message);
        Safetensors *s = safetensors_open_memory(b.data, b.size, "fox.safetensors", &err);
        safetensors_close(s);
        assert_null(s);
        assert_string_equal(err.message, expected);
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_null(safetensors_open_memory(b.data, b.size, "fox.safetensors", NULL));
        free(b.data);
    }
}

/* The words are the JSON library's and may change with it. */
static void names_bad_json(void **state)
{
    static const struct {
        const char *header, *words;
    } CASES[] = {
        {"", "expected"},
        {"{" A4, "expected"},
        {"{" A4 "}x", "end of file expected"},
        {"{" A4 "," A4 "}", "duplicate object key"},
        {"{\"a\\u0000b\":{}}", "NUL"},
        {"{\"\n\":1}", "newline"},
        {"{\"a\xff\":{}}", "0xff"},
        {T("\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]"), "too big integer"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        Bytes b = make_file(CASES[i].header, 4);
        SoraError err = {0};
        assert_null(safetensors_open_memory(b.data, b.size, "fox.safetensors", &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_ptr_equal(strstr(err.message, "fox.safetensors: bad JSON at byte "), err.message);
        if (strstr(err.message, CASES[i].words) == NULL)
            fail_msg("%s", err.message);
        assert_null(strchr(err.message, '\n'));
        free(b.data);
    }
}

static void refuses_bad_header_sizes(void **state)
{
    put_file("empty.safetensors", "", 0);
    refused(in_folder("empty.safetensors"), SORA_ERROR_INPUT,
            "%s/empty.safetensors: 0 bytes are no safetensors file");
    put_file("text.safetensors", "version https://git-lfs", 23);
    refused(in_folder("text.safetensors"), SORA_ERROR_INPUT,
            "%s/text.safetensors: header of 2336927755350992246 bytes in a file of 23: truncated, or no "
            "safetensors file");
    uint64_t size = 100000001;
    put_file("long.safetensors", &size, 8);
    assert_int_equal(truncate(in_folder("long.safetensors"), 100000100), 0); /* sparse */
    refused(in_folder("long.safetensors"), SORA_ERROR_INPUT,
            "%s/long.safetensors: header of 100000001 bytes, at most 100000000 are accepted");
    size = 3000000; /* its JSON would take 75 times as much: it must be worth it */
    put_file("long.safetensors", &size, 8);
    assert_int_equal(truncate(in_folder("long.safetensors"), 3000100), 0);
    refused(in_folder("long.safetensors"), SORA_ERROR_INPUT,
            "%s/long.safetensors: header of 3000000 bytes in a file of 3000100: more than its tensors can need");
    refused(in_folder("none.safetensors"), SORA_ERROR_NOT_FOUND,
            "%s/none.safetensors: cannot open: No such file or directory");
}

/* A file cut anywhere is refused: what is missing is never taken for data. */
static void refuses_every_truncation(void **state)
{
    Bytes b = make_file(GOOD, 26);
    for (size_t n = 0; n < b.size; n++) {
        uint8_t *cut = malloc(n + 1); /* its own block, so that a read past the end is seen */
        memcpy(cut, b.data, n);
        SoraError err = {0};
        assert_null(safetensors_open_memory(cut, n, "cut", &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        free(cut);
    }
    free(b.data);
}

/* Long names and paths leave room for the fact; a cut does not split a character. */
static void shortens_long_names(void **state)
{
    char header[1024] = "{\"", name[512], path[512];
    memset(path, 'p', sizeof path - 1);
    strcpy(path + sizeof path - 5, "tail");
    strcpy(name, "x");
    for (int i = 0; i < 200; i++)
        strcat(name, "\xc3\xa9");
    strcat(strcat(header, name), "\":1}");
    Bytes b = make_file(header, 0);
    SoraError err = {0};
    assert_null(safetensors_open_memory(b.data, b.size, path, &err));
    assert_non_null(strstr(err.message, "tail: tensor \"x"));
    assert_non_null(strstr(err.message, "\xc3\xa9...\" is not described by an object"));
    free(b.data);
}

/* --- shards --- */

#define SHARD_1                                                                                              \
    "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"__metadata__\":{\"k\":\"1\"}}"
#define SHARD_2                                                                                              \
    "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"__metadata__\":{\"k\":\"2\",\"l\":"    \
    "\"2\"}}"

static void put_index(const char *weight_map)
{
    char text[512];
    int n = snprintf(text, sizeof text, "{\"metadata\":{\"total_size\":3},\"weight_map\":%s}", weight_map);
    put_file("model.safetensors.index.json", text, (size_t)n);
}

static void reads_shards(void **state)
{
    put_tensors("1.safetensors", SHARD_1, 2);
    put_tensors("2.safetensors", SHARD_2, 1);
    put_index("{\"a\":\"1.safetensors\",\"b\":\"2.safetensors\"}");
    for (int by_folder = 0; by_folder < 2; by_folder++) {
        Safetensors *s = opened(by_folder ? folder : in_folder("model.safetensors.index.json"));
        assert_int_equal(safetensors_count(s), 2);
        assert_string_equal(safetensors_path(s), in_folder("model.safetensors.index.json"));
        assert_memory_equal(safetensors_find(s, "a")->data, "\0\1", 2);
        assert_memory_equal(safetensors_find(s, "b")->data, "\0", 1);
        assert_string_equal(safetensors_metadata(s, "k"), "1");
        assert_string_equal(safetensors_metadata(s, "l"), "2");
        safetensors_close(s);
    }
}

static void refuses_bad_indexes(void **state)
{
    put_tensors("1.safetensors", SHARD_1, 2);
    put_tensors("2.safetensors", SHARD_2, 1);
    put_tensors("again.safetensors", SHARD_1, 2);
    put_tensors("cut.safetensors", SHARD_2, 0);
    static const struct {
        const char *weight_map, *message;
        SoraErrorCode code;
    } CASES[] = {
        {"{\"a\":\"1.safetensors\",\"c\":\"3.safetensors\"}",
         "%s/3.safetensors: cannot open: No such file or directory", SORA_ERROR_NOT_FOUND},
        {"{\"b\":\"cut.safetensors\"}",
         "%s/cut.safetensors: tensor \"b\" ends at byte 1 of the data, the file has 0: truncated?",
         SORA_ERROR_INPUT},
        {"{\"a\":\"1.safetensors\",\"b\":\"1.safetensors\"}",
         "%s/model.safetensors.index.json: tensor \"b\" is not in 1.safetensors", SORA_ERROR_INPUT},
        {"{\"a\":\"2.safetensors\",\"b\":\"1.safetensors\"}",
         "%s/model.safetensors.index.json: tensor \"a\" is not in 2.safetensors", SORA_ERROR_INPUT},
        {"{}", "%s/model.safetensors.index.json: no weight_map", SORA_ERROR_INPUT},
        {"[]", "%s/model.safetensors.index.json: no weight_map", SORA_ERROR_INPUT},
        {"{\"a\":1}",
         "%s/model.safetensors.index.json: tensor \"a\" is said to be in \"\", which is no .safetensors file "
         "beside it",
         SORA_ERROR_INPUT},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        put_index(CASES[i].weight_map);
        refused(in_folder("model.safetensors.index.json"), CASES[i].code, CASES[i].message);
    }
    put_index("{\"a\":\"1.safetensors\",\"x\":\"again.safetensors\"}");
    SoraError err;
    assert_null(safetensors_open(folder, &err));
    assert_non_null(strstr(err.message, "tensor \"a\" is also in "));
    put_file("model.safetensors.index.json", "{\"weight_map\":", 14);
    assert_null(safetensors_open(folder, &err));
    assert_non_null(strstr(err.message, "model.safetensors.index.json: bad JSON at byte 14"));
}

/* The files are there and good: only the name is the reason. */
static void refuses_shards_out_of_the_folder(void **state)
{
    put_tensors("1.safetensors", SHARD_1, 2);
    put_tensors(".1.safetensors", SHARD_1, 2);
    put_tensors("1.bin", SHARD_1, 2);
    char up[128], absolute[128];
    snprintf(up, sizeof up, "../%s/1.safetensors", strrchr(folder, '/') + 1);
    snprintf(absolute, sizeof absolute, "%s/1.safetensors", folder);
    const char *names[] = {up,   absolute, "./1.safetensors", "..\\1.safetensors", ".1.safetensors", "1.bin",
                           "..", ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char map[256], doubled[128] = "";
        for (const char *c = names[i]; *c; c++) /* JSON has \ as \\ */
            snprintf(doubled + strlen(doubled), 3, *c == '\\' ? "\\\\" : "%c", *c);
        snprintf(map, sizeof map, "{\"a\":\"%s\"}", doubled);
        put_index(map);
        SoraError err = {0};
        assert_null(safetensors_open(folder, &err));
        assert_int_equal(err.code, SORA_ERROR_INPUT);
        assert_non_null(strstr(err.message, "which is no .safetensors file beside it"));
    }
}

static void chooses_the_file_in_a_folder(void **state)
{
    refused(folder, SORA_ERROR_NOT_FOUND, "%s: no .safetensors file in it");
    put_tensors("z.safetensors", SHARD_1, 2);
    Safetensors *s = opened(folder);
    assert_string_equal(safetensors_path(s), in_folder("z.safetensors"));
    safetensors_close(s);
    put_tensors("y.safetensors", SHARD_2, 1);
    refused(folder, SORA_ERROR_INPUT, "%s: 2 .safetensors files and 0 indexes in it, which one?");
    static const char INDEX[] = "{\"weight_map\":{\"b\":\"y.safetensors\"}}";
    put_file("wan.safetensors.index.json", INDEX, sizeof INDEX - 1);
    s = opened(folder);
    assert_string_equal(safetensors_path(s), in_folder("wan.safetensors.index.json"));
    assert_int_equal(safetensors_count(s), 1);
    safetensors_close(s);
    put_file("model.safetensors.index.json", INDEX, sizeof INDEX - 1);
    s = opened(folder);
    assert_string_equal(safetensors_path(s), in_folder("model.safetensors.index.json"));
    safetensors_close(s);
    put_tensors("model.safetensors", SHARD_1, 2);
    s = opened(folder);
    assert_string_equal(safetensors_path(s), in_folder("model.safetensors"));
    safetensors_close(s);
}

/* --- writing --- */

static bool save(const char *name, const Tensor *tensors, const char *const *names, int n, DType dtype,
                 SoraError *err)
{
    SafetensorsWriter *w = safetensors_writer_new(err);
    bool ok = w != NULL && safetensors_writer_metadata(w, "step", "100 \"\xc3\xa9\"\n", err);
    for (int i = 0; ok && i < n; i++)
        ok = tensors[i].dtype == DTYPE_F32 ? safetensors_writer_add_as(w, names[i], &tensors[i], dtype, err)
                                           : safetensors_writer_add(w, names[i], &tensors[i], err);
    ok = ok && safetensors_writer_save(w, in_folder(name), err);
    safetensors_writer_free(w);
    return ok;
}

static void writes_what_it_reads(void **state)
{
    float data[12 * 7];
    Tensor tensors[2 + DTYPE_Q8_0] = {random_like(data, 12, 7),
                                       tensor_over(NULL, DTYPE_F32, 2, (int64_t[]){0, 3})};
    const char *names[2 + DTYPE_Q8_0] = {"b.weight", "empty"};
    for (int i = 0; i < DTYPE_Q8_0; i++) {
        tensors[2 + i] = tensor_over(data, (DType)i, i % 2, (int64_t[]){5});
        names[2 + i] = dtype_name((DType)i);
    }
    assert_true(save("x.safetensors", tensors, names, 2 + DTYPE_Q8_0, DTYPE_F32, NULL));
    assert_int_equal(files_in_folder(), 1);
    Safetensors *s = opened(in_folder("x.safetensors"));
    assert_int_equal(safetensors_count(s), 2 + DTYPE_Q8_0);
    assert_string_equal(safetensors_metadata(s, "step"), "100 \"\xc3\xa9\"\n");
    for (int i = 0; i < 2 + DTYPE_Q8_0; i++) {
        const Tensor *t = safetensors_find(s, names[i]);
        assert_non_null(t);
        assert_int_equal(t->dtype, tensors[i].dtype);
        assert_true(tensor_same_shape(t, &tensors[i]));
        if (tensor_bytes(t) > 0)
            assert_memory_equal(t->data, tensors[i].data, tensor_bytes(t));
    }
    assert_string_equal(safetensors_tensor_name(s, 0), "b.weight");
    assert_int_equal((uintptr_t)safetensors_tensor(s, 0)->data % 8, 0);
    safetensors_close(s);
}

/* The bytes themselves, against the format's description. */
static void writes_the_format(void **state)
{
    uint8_t byte = 42;
    Tensor t = tensor_over(&byte, DTYPE_U8, 1, (int64_t[]){1});
    SafetensorsWriter *w = safetensors_writer_new(NULL);
    assert_true(safetensors_writer_add(w, "n", &t, NULL));
    assert_true(safetensors_writer_save(w, in_folder("x"), NULL));
    static const char HEADER[] = "{\"n\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    size_t size = 0, padded = (sizeof HEADER - 1 + 7) / 8 * 8;
    char *file = file_read(in_folder("x"), 1000, &size, NULL), expected[64];
    snprintf(expected, sizeof expected, "%-*s*", (int)padded, HEADER);
    assert_int_equal(size, 8 + padded + 1);
    assert_int_equal(file[0], padded);
    assert_memory_equal(file + 1, "\0\0\0\0\0\0\0", 7);
    assert_memory_equal(file + 8, expected, padded + 1);
    free(file);
    byte = 43; /* a second save writes what the tensor holds by then */
    assert_true(safetensors_writer_save(w, in_folder("x"), NULL));
    file = file_read(in_folder("x"), 1000, &size, NULL);
    assert_int_equal(file[size - 1], 43);
    free(file);
    safetensors_writer_free(w);
}

static void writes_bf16(void **state)
{
    enum { N = 10000 }; /* more than the writer's block */
    float *data = malloc(N * sizeof *data);
    Tensor t = random_like(data, N, 1);
    assert_true(save("x", &t, (const char *[]){"w"}, 1, DTYPE_BF16, NULL));
    Safetensors *s = opened(in_folder("x"));
    const Tensor *read = safetensors_find(s, "w");
    assert_int_equal(read->dtype, DTYPE_BF16);
    for (int i = 0; i < N; i++)
        assert_int_equal(((uint16_t *)read->data)[i], f32_to_bf16(data[i]));
    safetensors_close(s);
    free(data);
}

static void writer_refuses(void **state)
{
    float data[4];
    Tensor f32 = random_like(data, 2, 2), i32 = tensor_over(data, DTYPE_I32, 0, (int64_t[]){0});
    SoraError err;
    SafetensorsWriter *w = safetensors_writer_new(&err);
    assert_true(safetensors_writer_add(w, "a", &f32, &err));
    assert_false(safetensors_writer_add(w, "a", &i32, &err));
    assert_string_equal(err.message, "safetensors: tensor \"a\": the name is taken");
    assert_false(safetensors_writer_add(w, "__metadata__", &i32, &err));
    assert_false(safetensors_writer_add(w, "\xff", &i32, &err));
    assert_false(safetensors_writer_metadata(w, "k", "\xff", &err));
    assert_false(safetensors_writer_add_as(w, "b", &i32, DTYPE_BF16, &err));
    assert_string_equal(err.message, "safetensors: tensor \"b\" is I32 and cannot be written as BF16");
    assert_false(safetensors_writer_save(w, in_folder("no/folder"), &err));
    assert_true(safetensors_writer_save(w, in_folder("x"), &err));
    safetensors_writer_free(w);
    Safetensors *s = opened(in_folder("x"));
    assert_int_equal(safetensors_count(s), 1);
    assert_null(safetensors_metadata(s, "k"));
    safetensors_close(s);
}

/* A disk that takes no more (here: a limit on the size of files): one line, the old file stays, no rest is
 * left. */
static void survives_a_full_disk(void **state)
{
    put_file("x", "old", 3);
    enum { SIDE = 500 };
    float *data = malloc(SIDE * SIDE * sizeof *data);
    Tensor t = random_like(data, SIDE, SIDE);
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = (struct rlimit){100000, old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    SoraError err = {0};
    bool ok = save("x", &t, (const char *[]){"w"}, 1, DTYPE_F32, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    free(data);
    assert_false(ok);
    assert_int_equal(err.code, SORA_ERROR_IO);
    assert_non_null(strstr(err.message, "/x: cannot write: File too large"));
    assert_int_equal(files_in_folder(), 1);
    char *text = file_read(in_folder("x"), 100, NULL, NULL);
    assert_string_equal(text, "old");
    free(text);
}

/* --- files of other writers --- */

static void reads_the_fixtures(void **state)
{
    const char *root = getenv("SORA_FIXTURES") ? getenv("SORA_FIXTURES") : "../shared/fixtures/wan";
    char path[512], line[512];
    snprintf(path, sizeof path, "%s/tensors.tsv", root);
    FILE *list = fopen(path, "r");
    if (list == NULL) {
        print_message("no fixtures at %s\n", root);
        skip();
    }
    Safetensors *s = NULL;
    int checked = 0;
    while (fgets(line, sizeof line, list) != NULL) {
        char file[128], name[256], dtype[16], shape[64] = "", text[128] = "";
        if (sscanf(line, "%127[^\t]\t%255[^\t]\t%15[^\t]\t%63s", file, name, dtype, shape) < 3 ||
            strstr(file, ".safetensors") == NULL)
            continue;
        snprintf(path, sizeof path, "%s/%s", root, file);
        if (s == NULL || strcmp(safetensors_path(s), path) != 0) {
            safetensors_close(s);
            s = opened(path);
        }
        const Tensor *t = safetensors_find(s, name);
        if (t == NULL)
            fail_msg("%s: no tensor \"%s\"", path, name);
        assert_string_equal(dtype_name(t->dtype), dtype);
        for (int d = 0; d < t->ndim; d++)
            snprintf(text + strlen(text), 24, d ? "x%lld" : "%lld", (long long)t->shape[d]);
        assert_string_equal(t->ndim ? text : "scalar", shape);
        checked++;
    }
    safetensors_close(s);
    fclose(list);
    assert_true(checked > 1000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_every_field),
        TEST(reads_a_file_without_tensors),
        TEST(aligns_data),
        TEST(names_every_damage),
        TEST(names_bad_json),
        TEST(refuses_bad_header_sizes),
        TEST(refuses_every_truncation),
        TEST(shortens_long_names),
        TEST(reads_shards),
        TEST(refuses_bad_indexes),
        TEST(refuses_shards_out_of_the_folder),
        TEST(chooses_the_file_in_a_folder),
        TEST(writes_what_it_reads),
        TEST(writes_the_format),
        TEST(writes_bf16),
        TEST(writer_refuses),
        TEST(survives_a_full_disk),
        TEST(reads_the_fixtures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
