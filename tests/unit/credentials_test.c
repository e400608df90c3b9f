#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "media/image.h"
#include "media/video_writer.h"
#include "credentials/bmff.h"
#include "credentials/keys.h"
#include "credentials/origin.h"
#include "credentials/sign.h"
#include "credentials/verify.h"

static char folder[] = "/tmp/sora-credentials-XXXXXX";
static Signer signer;

static const char *in_folder(const char *name)
{
    static char path[8][128];
    static int next;
    char *p = path[next++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

static int set_up(void **state)
{
    SoraError err = {0};
    KeysMade made;
    assert_non_null(mkdtemp(folder));
    const char *keys = in_folder("keys");
    if (!keys_init(keys, &(KeysPlan){0}, &made, &err) || !keys_open(keys, &signer, &err))
        fail_msg("%s", err.message);
    assert_int_equal(made, KEYS_MADE);
    return 0;
}

static int tear_down(void **state)
{
    char command[160];
    signer_close(&signer);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    fclose(f);
}

static void sign(const char *path, const SoraSigning *how)
{
    SoraError err = {0};
    if (!sign_file(&signer, &(SignTarget){.path = path}, how, NULL, &err))
        fail_msg("%s", err.message);
}

static bool is_valid(const char *path)
{
    SoraError err = {0};
    Verification v = {0};
    Anchors *nobody = anchors_open(NULL, &err);
    bool ok = verify_file(&v, path, nobody, &err) && v.has_store && report_is_valid(&v.report);
    verification_deinit(&v);
    anchors_free(nobody);
    return ok;
}

/* A file of each kind, small: as written, or from the repository. */
static const char *make_small(AssetKind kind)
{
    static const char *const names[] = {"a.mp4", "a.png", "a.jpg", "a.webp"};
    const char *path = in_folder(names[kind]);
    SoraError err = {0};
    bool ok;
    if (kind == ASSET_JPEG || kind == ASSET_WEBP) {
        ok = file_copy(kind == ASSET_JPEG ? "tests/data/pictures/corners.jpg"
                                          : "tests/data/pictures/corners.webp",
                       path, &err);
    } else {
        static uint8_t rgb[32 * 32 * 3];
        VideoWriter *w = video_writer_open(path, &(VideoFormat){32, 32, 12, "t", NULL}, &err);
        ok = w != NULL && video_writer_write(w, rgb, &err) && video_writer_commit(w, &err);
    }
    if (!ok)
        fail_msg("%s", err.message);
    return path;
}

/* Where in the file the bytes of a span of the store are: in one piece, for small stores. */
static uint64_t offset_of(const Asset *a, Span part)
{
    static const unsigned heads[] = {8 + 16 + 4 + 9 + 8, 8, 12, 8}; /* in the order of AssetKind */
    return a->store_at + heads[a->kind] + (uint64_t)(part.data - a->store.data);
}

static void mark(bool *covered, uint64_t at, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++)
        covered[at + i] = true;
}

/* The bytes that a signature covers, by way of the hashes. */
static void find_covered(const char *path, bool *covered, size_t size)
{
    SoraError err = {0};
    Verification v;
    Anchors *nobody = anchors_open(NULL, &err);
    assert_true(verify_file(&v, path, nobody, &err));
    const Asset *a = &v.asset;
    const C2paManifest *m = &v.store.manifests[v.store.count - 1];
    mark(covered, 0, a->store_at);
    mark(covered, a->store_at + a->store_size, size - a->store_at - a->store_size);
    if (a->kind == ASSET_MP4) /* ftyp is left out of the hash, so that fragments may be put together */
        memset(covered, 0, a->store_at);
    for (int i = 0; i < m->assertion_count; i++)
        mark(covered, offset_of(a, m->assertions[i].box->payload), m->assertions[i].box->payload.size);
    mark(covered, offset_of(a, m->claim_bytes), m->claim_bytes.size);
    mark(covered, offset_of(a, m->signature), m->signature.size);
    verification_deinit(&v);
    anchors_free(nobody);
}

static void check_every_byte(AssetKind kind)
{
    SoraError err = {0};
    size_t size, wrong = 0, count = 0;
    const char *path = make_small(kind), *changed = in_folder("changed");
    assert_false(is_valid(path));
    sign(path, &(SoraSigning){.model = "nano"});
    assert_true(is_valid(path));
    char *data = file_read(path, 1 << 20, &size, &err);
    assert_non_null(data);
    bool *covered = calloc(size, 1);
    find_covered(path, covered, size);
    /* each byte of the store, and of the media a part */
    for (size_t i = 0; i < size; i += i < 4000 ? 1 : 7) {
        if (!covered[i])
            continue;
        data[i] ^= 1;
        write_file(changed, data, size);
        data[i] ^= 1;
        count++;
        if (is_valid(changed) && wrong++ < 5)
            print_message("byte %zu of %zu may be changed\n", i, size);
    }
    assert_true(count > 1500);
    assert_int_equal(wrong, 0);
    for (size_t cut = 1; cut < size; cut += size / 50) {
        write_file(changed, data, size - cut);
        assert_false(is_valid(changed));
    }
    data[size] = 1; /* file_read() has put a 0 there */
    write_file(changed, data, size + 1);
    assert_false(is_valid(changed));
    free(covered);
    free(data);
}

static void test_mp4(void **state)
{
    check_every_byte(ASSET_MP4);
}

static void test_png(void **state)
{
    check_every_byte(ASSET_PNG);
}

static void test_jpeg(void **state)
{
    check_every_byte(ASSET_JPEG);
}

static void test_webp(void **state)
{
    check_every_byte(ASSET_WEBP);
}

static size_t begin(Bytes *b, const char *type)
{
    size_t at = b->size;
    bytes_put_u32(b, 0);
    bytes_put(b, type, 4);
    return at;
}

static void end(Bytes *b, size_t at)
{
    set_u32(b->data + at, (uint32_t)(b->size - at));
}

/* An MP4 whose table of offsets has count entries of width bytes, each to a place in the media that holds its
 * number; media: bytes after the tables, the rest of the file a hole. */
typedef struct Tables {
    int width;
    uint32_t count;
    uint64_t media, first; /* first: offset of entry 0, 0: where the media begin */
} Tables;

static uint64_t write_tables(const char *path, const Tables *t)
{
    static const char *const nest[] = {"moov", "trak", "mdia", "minf", "stbl"};
    Bytes b = {0};
    size_t at = begin(&b, "ftyp"), open[5];
    bytes_put(&b, "isom\0\0\2\0isom", 12);
    end(&b, at);
    for (int i = 0; i < 5; i++)
        open[i] = begin(&b, nest[i]);
    uint64_t media = b.size + 16 + (uint64_t)t->count * (unsigned)t->width + 16;
    at = begin(&b, t->width == 4 ? "stco" : "co64");
    bytes_put_u32(&b, 0);
    bytes_put_u32(&b, t->count);
    for (uint32_t i = 0; i < t->count; i++) {
        uint64_t offset = (t->first ? t->first : media) + 4 * (uint64_t)i;
        if (t->width == 4)
            bytes_put_u32(&b, (uint32_t)offset);
        else
            bytes_put_u64(&b, offset);
    }
    end(&b, at);
    for (int i = 4; i >= 0; i--)
        end(&b, open[i]);
    bytes_put_u32(&b, 1); /* a long size */
    bytes_put(&b, "mdat", 4);
    bytes_put_u64(&b, 16 + t->media);
    assert_int_equal(b.size, media);
    for (uint32_t i = 0; i < t->count && 4 * (uint64_t)i < t->media; i++)
        bytes_put_u32(&b, i);
    assert_false(b.failed);
    write_file(path, b.data, b.size);
    assert_int_equal(truncate(path, (off_t)(media + t->media)), 0);
    bytes_deinit(&b);
    return media;
}

/* After signing, entry i still points to number i. */
static void check_tables(const char *path, const Tables *t)
{
    SoraError err = {0};
    Asset a;
    BmffBox box = {0};
    assert_true(asset_open(&a, path, path, &err));
    uint64_t at = 0;
    for (; at < a.size; at += box.size) {
        assert_true(bmff_box(&a, at, a.size, &box, &err));
        if (memcmp(box.type, "moov", 4) == 0)
            break;
    }
    uint64_t table = box.at + 5 * 8 + 16;
    for (uint32_t i = 0; i < t->count; i += 1 + i / 50) {
        uint8_t entry[8], number[4];
        assert_true(asset_read(&a, table + (uint64_t)i * (unsigned)t->width, entry, (size_t)t->width, &err));
        assert_true(asset_read(&a, t->width == 4 ? get_u32(entry) : get_u64(entry), number, 4, &err));
        assert_int_equal(get_u32(number), i);
    }
    asset_close(&a);
}

static long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

static void test_offsets(void **state)
{
    const char *path = in_folder("tables.mp4");
    for (int width = 4; width <= 8; width += 4)
        for (uint32_t count = 0; count < 40000; count = 3 * count + 1) {
            Tables t = {width, count, 4 * (uint64_t)count + 1000, 0};
            write_tables(path, &t);
            sign(path, &(SoraSigning){0});
            assert_true(is_valid(path));
            check_tables(path, &t);
        }
}

/* 10 MiB of tables and 96 MiB of media, signed and verified with a little memory. */
static void test_constant_memory(void **state)
{
    const char *path = in_folder("long.mp4");
    Tables t = {8, 1300000, 96 << 20, 0};
    write_tables(path, &t);
    sign(make_small(ASSET_MP4), &(SoraSigning){0}); /* all libraries are awake */
    long before = peak_kib();
    sign(path, &(SoraSigning){0});
    assert_true(is_valid(path));
    print_message("%ld KiB more\n", peak_kib() - before);
    assert_true(peak_kib() - before < 2048);
    check_tables(path, &t);
    unlink(path);
}

static void expect_refused(const char *path, const SoraSigning *how, const char *part)
{
    SoraError err = {0};
    struct stat before, after;
    stat(path, &before);
    assert_false(sign_file(&signer, &(SignTarget){.path = path}, how, NULL, &err));
    if (strstr(err.message, part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", err.message, part);
    stat(path, &after);
    assert_int_equal(before.st_ino, after.st_ino); /* untouched */
    assert_int_equal(before.st_size, after.st_size);
}

static void test_refused(void **state)
{
    const char *path = in_folder("bad.mp4");
    const SoraSigning plain = {0};
    write_tables(path, &(Tables){4, 2, 1000, UINT32_MAX - 100});
    expect_refused(path, &plain, "beyond 4 GiB");
    Bytes b = {0};
    size_t at = begin(&b, "ftyp");
    bytes_put(&b, "isom\0\0\2\0isom", 12);
    end(&b, at);
    end(&b, begin(&b, "moof"));
    write_file(path, b.data, b.size);
    expect_refused(path, &plain, "fragmented");
    bytes_deinit(&b);
    write_file(path, "GIF89a not ours", 15);
    expect_refused(path, &plain, "not MP4, PNG, JPEG or WebP");
    path = make_small(ASSET_PNG);
    expect_refused(path, &(SoraSigning){.prompt = "\xff"}, "not UTF-8");
    expect_refused(path, &(SoraSigning){.operation = "\xff"}, "not UTF-8");
    sign(path, &plain);
    expect_refused(path, &plain, "credentials already");
}

static bool refuse(void *user, const char *temporary, const char *path, SoraError *err)
{
    assert_true(file_exists(temporary));
    assert_false(file_exists(path));
    return error_set(err, SORA_ERROR_IO, "refused");
}

/* Nothing gets its name before it is finished, or when that fails. */
static void test_finish(void **state)
{
    static const char *const names[] = {"f.mp4", "f.webm", "f.gif", "f.png"};
    static uint8_t rgb[32 * 32 * 3];
    FileFinish finish = {.run = refuse};
    for (size_t i = 0; i < 4; i++) {
        SoraError err = {0};
        VideoWriter *w = video_writer_open(in_folder(names[i]), &(VideoFormat){32, 32, 12, NULL, NULL}, &err);
        assert_non_null(w);
        video_writer_on_finish(w, &finish);
        assert_true(video_writer_write(w, rgb, &err));
        assert_false(video_writer_commit(w, &err));
        assert_string_equal(err.message, "refused");
        assert_false(file_exists(in_folder(names[i])));
    }
}

static void expect_cbor(const char *bytes, size_t size, bool good)
{
    Arena arena;
    SoraError err = {0};
    arena_init(&arena, 0);
    assert_int_equal(cbor_parse(&arena, (Span){(const uint8_t *)bytes, size}, &err) != NULL, good);
    arena_deinit(&arena);
}

static void test_cbor(void **state)
{
    Arena arena;
    SoraError err = {0};
    Bytes b = {0};
    arena_init(&arena, 0);
    cbor_put_tag(&b, 18);
    cbor_put_map(&b, 4);
    cbor_put_text(&b, "a");
    cbor_put_uint(&b, UINT64_MAX);
    cbor_put_int(&b, -1000);
    cbor_put_bytes(&b, "xy", 2);
    cbor_put_text(&b, "list");
    cbor_put_array(&b, 2);
    cbor_put_bool(&b, true);
    cbor_put_null(&b);
    cbor_put_uint(&b, 33);
    cbor_put_uint_wide(&b, 7);
    const CborValue *v = cbor_parse(&arena, bytes_span(&b), &err);
    assert_non_null(v);
    assert_int_equal(v->kind, CBOR_TAGGED);
    assert_int_equal(v->number, 18);
    const CborValue *map = v->items;
    assert_int_equal(cbor_find(map, "a")->number, UINT64_MAX);
    assert_true(span_is(cbor_find_number(map, -1000)->bytes, "xy"));
    assert_int_equal(cbor_find_number(map, 33)->number, 7);
    assert_int_equal(cbor_find_kind(map, "list", CBOR_ARRAY)->count, 2);
    assert_null(cbor_find(map, "b"));
    assert_null(cbor_find_kind(map, "list", CBOR_MAP));
    bytes_deinit(&b);
    arena_deinit(&arena);
    expect_cbor("\x9f\x01\x02\xff", 4, true); /* indefinite lengths */
    expect_cbor("\x7f\x61x\x61y\xff", 6, true);
    expect_cbor("\x7f\x61x\x41y\xff", 6, false);                   /* bytes in a text */
    expect_cbor("\x9b\xff\xff\xff\xff\xff\xff\xff\xff", 9, false); /* longer than the data */
    expect_cbor("\xbf\x01\xff", 3, false);                         /* a key without a value */
    expect_cbor("\x61\xff", 2, false);                             /* no UTF-8 */
    expect_cbor("\x01\x02", 2, false);                             /* two items */
    expect_cbor("\xff", 1, false);
    expect_cbor("", 0, false);
    char deep[200];
    memset(deep, 0x81, sizeof deep);
    deep[199] = 1;
    expect_cbor(deep, sizeof deep, false);
}

static SoraInputs *open_inputs(const SoraInput *list, int count)
{
    SoraError err = {0};
    SoraInputs *in = sora_inputs_open(list, count, &err);
    if (in == NULL)
        fail_msg("%s", err.message);
    return in;
}

static char *describe(const char *path, size_t manifests)
{
    SoraError err = {0};
    Verification v;
    Anchors *own = anchors_open(in_folder("keys/root.pem"), &err);
    assert_true(verify_file(&v, path, own, &err));
    assert_true(report_is_trusted(&v.report));
    assert_int_equal(v.store.count, manifests);
    json_t *json = report_json(&v.report, path);
    char *text = json_dumps(json, JSON_COMPACT);
    json_decref(json);
    verification_deinit(&v);
    anchors_free(own);
    return text;
}

static void expect_parts(char *text, const char *const *parts)
{
    for (; *parts != NULL; parts++)
        if (strstr(text, *parts) == NULL)
            fail_msg("\"%s\" is not in %s", *parts, text);
    free(text);
}

/* Ingredients: kept, named, judged; a manifest that comes twice is kept once. */
static void test_inputs(void **state)
{
    const char *first = make_small(ASSET_PNG);
    sign(first, &(SoraSigning){.model = "nano"});
    const char *second = make_small(ASSET_WEBP);
    SoraInputs *in = open_inputs((SoraInput[]){{first, NULL, SORA_INPUT_PARENT}, {first, "again", SORA_INPUT_SOURCE}}, 2);
    sign(second, &(SoraSigning){.prompt = "a dog", .inputs = in});
    sora_inputs_close(in);
    expect_parts(describe(second, 2),
                 (const char *const[]){"\"title\":\"again\",\"relationship\":\"inputTo\"", "\"relationship\":\"parentOf\"",
                                       "\"data\":\"a dog\"", "c2pa.opened", "c2pa.edited", "compositeWithTrainedAlgorithmicMedia",
                                       NULL});
}

/* What a studio does: two videos become one, without a parent or with one. */
static void test_components(void **state)
{
    const char *picture = make_small(ASSET_PNG), *other = make_small(ASSET_JPEG);
    sign(picture, &(SoraSigning){.model = "nano"});
    const char *blend = make_small(ASSET_MP4);
    SoraInputs *in = open_inputs((SoraInput[]){{picture, "one", SORA_INPUT_COMPONENT}, {other, "two", SORA_INPUT_COMPONENT}}, 2);
    sign(blend, &(SoraSigning){.operation = "blended", .inputs = in});
    sora_inputs_close(in);
    expect_parts(describe(blend, 2), (const char *const[]){"c2pa.created", "\"description\":\"blended\"", "c2pa.placed",
                                                           "\"title\":\"one\",\"relationship\":\"componentOf\"",
                                                           "\"title\":\"two\",\"relationship\":\"componentOf\"",
                                                           "compositeWithTrainedAlgorithmicMedia", NULL});
    const char *extended = make_small(ASSET_WEBP);
    in = open_inputs((SoraInput[]){{blend, NULL, SORA_INPUT_PARENT}, {picture, NULL, SORA_INPUT_COMPONENT}}, 2);
    sign(extended, &(SoraSigning){.operation = "extended", .inputs = in});
    sora_inputs_close(in);
    expect_parts(describe(extended, 3), (const char *const[]){"c2pa.opened", "\"description\":\"extended\"", "c2pa.placed", NULL});
}

static void expect_no_inputs(const SoraInput *list, int count, const char *part)
{
    SoraError err = {0};
    assert_null(sora_inputs_open(list, count, &err));
    if (strstr(err.message, part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", err.message, part);
}

static void test_inputs_refused(void **state)
{
    const char *path = make_small(ASSET_PNG);
    SoraInput many[65];
    for (int i = 0; i < 65; i++)
        many[i] = (SoraInput){path, NULL, SORA_INPUT_SOURCE};
    expect_no_inputs((SoraInput[]){{path, NULL, SORA_INPUT_PARENT}, {path, NULL, SORA_INPUT_PARENT}}, 2, "one parent");
    expect_no_inputs(&(SoraInput){in_folder("none.png"), NULL, SORA_INPUT_PARENT}, 1, "none.png: cannot open");
    expect_no_inputs(&(SoraInput){folder, NULL, SORA_INPUT_PARENT}, 1, "not a regular file");
    expect_no_inputs(&(SoraInput){path, NULL, (SoraInputRole)9}, 1, "role 9 is none");
    expect_no_inputs(many, 65, "at most 64");
    expect_no_inputs(many, -1, "-1 inputs");
    sora_inputs_close(open_inputs(many, 64));
    sora_inputs_close(open_inputs(NULL, 0));
}

/* Who is deleted afterwards is named all the same; who is exchanged is found. */
static void test_inputs_stay(void **state)
{
    SoraError err = {0};
    const char *parent = in_folder("parent.png"), *child = make_small(ASSET_JPEG);
    assert_true(file_copy(make_small(ASSET_PNG), parent, &err));
    sign(parent, &(SoraSigning){.model = "nano"});
    SoraInputs *in = open_inputs(&(SoraInput){parent, NULL, SORA_INPUT_PARENT}, 1);
    assert_true(sora_inputs_unchanged(in, &err));
    unlink(parent);
    assert_true(sora_inputs_unchanged(in, &err));
    assert_true(file_copy("tests/data/pictures/corners.webp", parent, &err));
    assert_false(sora_inputs_unchanged(in, &err));
    assert_non_null(strstr(err.message, "parent.png: it was changed"));
    sign(child, &(SoraSigning){.inputs = in});
    sora_inputs_close(in);
    expect_parts(describe(child, 2), (const char *const[]){"\"title\":\"parent.png\",\"relationship\":\"parentOf\"", NULL});
}

static void test_origin(void **state)
{
    SoraError err = {0};
    CredentialsOrigin o;
    size_t size;
    const char *path = make_small(ASSET_PNG), *changed = in_folder("changed.png");
    assert_true(credentials_origin(path, NULL, &o, &err));
    assert_true(o.verdict == SORA_VERDICT_NONE && !o.ai_made && !o.trusted && o.signer[0] == 0);
    sign(path, &(SoraSigning){.model = "nano"});
    assert_true(credentials_origin(path, NULL, &o, &err));
    assert_true(o.verdict == SORA_VERDICT_VALID && o.ai_made && !o.edited && !o.trusted);
    assert_string_equal(o.generator, "sora.c");
    assert_non_null(strstr(o.signer, "signer"));
    assert_string_equal(o.reason, "");
    char *data = file_read(path, 1 << 20, &size, &err);
    assert_non_null(data);
    data[size - 20] ^= 1; /* of the picture */
    write_file(changed, data, size);
    free(data);
    assert_true(credentials_origin(changed, NULL, &o, &err));
    assert_true(o.verdict == SORA_VERDICT_INVALID && o.reason[0] != 0);
    assert_false(credentials_origin(in_folder("no-such.png"), NULL, &o, &err));
    assert_int_equal(err.code, SORA_ERROR_NOT_FOUND);
}

static void expect_verdict(const char *data, size_t size, const char *name, int verdict)
{
    SoraError err = {0};
    write_file(in_folder(name), data, size);
    SoraVerification *v = sora_verify(in_folder(name), NULL, &err);
    if (v == NULL)
        assert_int_equal(err.code, SORA_ERROR_INPUT);
    assert_int_equal(v != NULL ? (int)sora_verification_verdict(v) : -1, verdict);
    sora_verification_free(v);
}

/* A file that ends within its manifest has one that is invalid, whatever its kind; one that ends before it has none. */
static void test_cut(void **state)
{
    for (AssetKind kind = ASSET_MP4; kind <= ASSET_WEBP; kind++) {
        SoraError err = {0};
        size_t size;
        Asset a;
        const char *path = make_small(kind);
        sign(path, &(SoraSigning){0});
        assert_true(asset_open(&a, path, path, &err));
        char *data = file_read(path, 1 << 20, &size, &err);
        expect_verdict(data, a.store_at, "cut", kind == ASSET_WEBP ? -1 : SORA_VERDICT_NONE);
        for (size_t n = 40; n < a.store_size; n += a.store_size / 9)
            expect_verdict(data, a.store_at + n, "cut", SORA_VERDICT_INVALID);
        expect_verdict(data, a.store_at + a.store_size - 2, "cut", SORA_VERDICT_INVALID);
        asset_close(&a);
        free(data);
    }
    expect_verdict("RIFF\3\0\0\0WEBPVP8 \0\0\0\0", 20, "short.webp", -1);
}

/* base is in root, root in left and in right, and both of these in the last one. */
static void a_manifest_is_walked_once(void **state)
{
    static const char *const NAMES[] = {"base.png", "root.png", "left.png", "right.png", "last.png"};
    static const char *const FROM[][2] = {{NULL, NULL}, {"base.png", NULL}, {"root.png", NULL}, {"root.png", NULL}, {"left.png", "right.png"}};
    SoraError err = {0};
    for (int i = 0; i < 5; i++) {
        SoraInput list[2] = {{.path = in_folder(FROM[i][0] != NULL ? FROM[i][0] : "")},
                             {.path = in_folder(FROM[i][1] != NULL ? FROM[i][1] : ""), .role = SORA_INPUT_SOURCE}};
        int count = (FROM[i][0] != NULL) + (FROM[i][1] != NULL);
        SoraInputs *inputs = count > 0 ? open_inputs(list, count) : NULL;
        assert_true(file_copy(make_small(ASSET_PNG), in_folder(NAMES[i]), &err));
        sign(in_folder(NAMES[i]), &(SoraSigning){.inputs = inputs});
        sora_inputs_close(inputs);
    }
    Verification v = {0};
    Anchors *roots = anchors_open(in_folder("keys/root.pem"), &err);
    assert_true(verify_file(&v, in_folder("last.png"), roots, &err) && report_is_trusted(&v.report));
    int trusted = 0;
    for (int i = 0; i < v.report.count; i++)
        trusted += strcmp(v.report.list[i].code, "signingCredential.trusted") == 0;
    assert_int_equal(v.store.count, 5);
    assert_int_equal(trusted, 6); /* last, left, right, root by each of them, base */
    verification_deinit(&v);
    anchors_free(roots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cbor),    cmocka_unit_test(test_mp4),
        cmocka_unit_test(test_png),     cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_webp),    cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_finish),
        cmocka_unit_test(test_inputs),  cmocka_unit_test(test_constant_memory),
        cmocka_unit_test(test_components), cmocka_unit_test(test_inputs_refused),
        cmocka_unit_test(test_inputs_stay), cmocka_unit_test(test_origin), cmocka_unit_test(test_cut),
        cmocka_unit_test(a_manifest_is_walked_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
