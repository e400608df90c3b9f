#include "credentials/asset.h"

#include <errno.h>
#include <libavutil/crc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/file.h"
#include "credentials/bmff.h"

enum { JPEG_PIECE = 64000 }; /* bytes of a store in one segment, which ends at 65,535 */

/* In the order of AssetKind. */
static const struct Kind {
    const char *media_type;
    bool (*scan)(Asset *a, SoraError *err);
} kinds[] = {
    {"video/mp4", bmff_scan},
    {"image/png", png_scan},
    {"image/jpeg", jpeg_scan},
    {"image/webp", webp_scan},
};

const char *asset_media_type(AssetKind kind)
{
    return kinds[kind].media_type;
}

bool asset_read(Asset *a, uint64_t at, void *data, size_t size, SoraError *err)
{
    if (at > a->size || size > a->size - at)
        return error_set(err, SORA_ERROR_INPUT, "%s: the file is cut off", a->name);
    a->unread = a->unread || fseeko(a->file, (off_t)at, SEEK_SET) != 0 || fread(data, 1, size, a->file) != size;
    if (a->unread)
        return error_set(err, SORA_ERROR_IO, "%s: cannot read: %s", a->name,
                         ferror(a->file) ? strerror(errno) : "it became shorter");
    return true;
}

static bool find_kind(Asset *a, SoraError *err)
{
    uint8_t head[12] = {0};
    size_t n = a->size < sizeof head ? (size_t)a->size : sizeof head;
    if (!asset_read(a, 0, head, n, err))
        return false;
    if (memcmp(head + 4, "ftyp", 4) == 0)
        a->kind = ASSET_MP4;
    else if (memcmp(head, "\x89PNG\r\n\x1a\n", 8) == 0)
        a->kind = ASSET_PNG;
    else if (memcmp(head, "\xff\xd8\xff", 3) == 0)
        a->kind = ASSET_JPEG;
    else if (memcmp(head, "RIFF", 4) == 0 && memcmp(head + 8, "WEBP", 4) == 0)
        a->kind = ASSET_WEBP;
    else
        return error_set(err, SORA_ERROR_INPUT, "%s: not MP4, PNG, JPEG or WebP, which carry credentials",
                         a->name);
    return true;
}

bool asset_open(Asset *a, const char *path, const char *name, SoraError *err)
{
    *a = (Asset){.name = name};
    struct stat st;
    int fd = file_open(path, err);
    if (fd < 0)
        return name != path ? error_system(err, name, "cannot open") : false;
    a->file = fdopen(fd, "rb");
    if (a->file == NULL)
        close(fd);
    if (a->file == NULL || fstat(fd, &st) != 0)
        return error_system(err, name, "cannot open");
    a->size = (uint64_t)st.st_size;
    return find_kind(a, err) && kinds[a->kind].scan(a, err);
}

void asset_close(Asset *a)
{
    if (a->file != NULL)
        fclose(a->file);
    a->file = NULL;
    bytes_deinit(&a->store);
}

/* In steps: a size that lies costs no memory. */
bool asset_append_store(Asset *a, uint64_t at, uint64_t size, SoraError *err)
{
    uint8_t piece[4096];
    if (size > ASSET_MAX_STORE || a->store.size + size > ASSET_MAX_STORE)
        return error_set(err, SORA_ERROR_INPUT, "%s: a manifest store of more than 64 MiB", a->name);
    while (size > 0) {
        size_t n = size < sizeof piece ? (size_t)size : sizeof piece;
        if (!asset_read(a, at, piece, n, err))
            return false;
        bytes_put(&a->store, piece, n);
        at += n;
        size -= n;
    }
    return !a->store.failed || error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", a->name);
}

bool asset_take_store(Asset *a, uint64_t at, uint64_t size, uint64_t data_at, uint64_t data_size,
                      SoraError *err)
{
    if (a->stores++ > 0)
        return true;
    a->store_at = at;
    a->store_size = size;
    return asset_append_store(a, data_at, data_size, err);
}

bool asset_cut_off(Asset *a, bool in_store, const char *what, SoraError *err)
{
    a->stores += in_store && a->stores == 0;
    return error_set(err, SORA_ERROR_INPUT, "%s: %s is cut off", a->name, what);
}

bool png_scan(Asset *a, SoraError *err)
{
    uint8_t head[8];
    a->insert_at = 8;
    for (uint64_t at = 8; at < a->size;) {
        if (!asset_read(a, at, head, sizeof head, err))
            return false;
        uint64_t size = 12 + (uint64_t)get_u32(head);
        if (size > a->size - at)
            return asset_cut_off(a, memcmp(head + 4, "caBX", 4) == 0, "a chunk of the PNG", err);
        if (memcmp(head + 4, "IHDR", 4) == 0)
            a->insert_at = at + size;
        if (memcmp(head + 4, "caBX", 4) == 0 && !asset_take_store(a, at, size, at + 8, size - 12, err))
            return false;
        if (memcmp(head + 4, "IEND", 4) == 0)
            break;
        at += size;
    }
    return true;
}

/* One APP11 segment of JUMBF at `at`: "JP", u16 instance, u32 sequence from 1, then a piece of the box; from
 * the second piece on it begins with the box's header again. */
static bool take_segment(Asset *a, uint64_t at, uint64_t size, uint64_t *end, int *instance, SoraError *err)
{
    uint8_t head[32] = {0};
    if (size < 20) /* no room for a box in it */
        return true;
    if (!asset_read(a, at, head, size < sizeof head ? (size_t)size : sizeof head, err))
        return false;
    if (memcmp(head + 4, "JP", 2) != 0 || memcmp(head + 16, "jumb", 4) != 0)
        return true;
    uint32_t sequence = get_u32(head + 8);
    int number = get_u16(head + 6);
    if (sequence == 1) {
        if (memcmp(head + 28, "c2pa", 4) != 0) /* the kind of the box, which its description begins with */
            return true;
        *instance = number;
        *end = at + size;
        return asset_take_store(a, at, size, at + 12, size - 12, err);
    }
    if (a->stores != 1 || number != *instance || at != *end) /* a piece of another box */
        return true;
    *end = at + size;
    a->store_size += size;
    return asset_append_store(a, at + 20, size - 20, err);
}

/* Is the segment at `at`, which is cut off, the first piece of a store as far as it goes? */
static bool begins_store(Asset *a, uint64_t at)
{
    uint8_t head[32];
    SoraError ignored;
    return a->size - at >= sizeof head && asset_read(a, at, head, sizeof head, &ignored) && memcmp(head + 4, "JP", 2) == 0 &&
           memcmp(head + 16, "jumb", 4) == 0 && memcmp(head + 28, "c2pa", 4) == 0;
}

bool jpeg_scan(Asset *a, SoraError *err)
{
    uint64_t at = 2, end = 0;
    int instance = -1;
    a->insert_at = 2;
    for (uint8_t head[4]; at + 4 <= a->size;) {
        if (!asset_read(a, at, head, sizeof head, err))
            return false;
        if (head[0] != 0xff)
            return error_set(err, SORA_ERROR_INPUT, "%s: a segment of the JPEG is damaged", a->name);
        if (head[1] == 0xff || head[1] == 0x01 || (head[1] >= 0xd0 && head[1] <= 0xd7)) {
            at += head[1] == 0xff ? 1 : 2; /* filling, or a marker without a length */
            continue;
        }
        if (head[1] == 0xda || head[1] == 0xd9) /* the picture's data: markers end here */
            break;
        uint64_t size = 2 + (uint64_t)get_u16(head + 2);
        if (size < 4 || size > a->size - at)
            return asset_cut_off(a, head[1] == 0xeb && begins_store(a, at), "a segment of the JPEG", err);
        if (head[1] == 0xe0 && at == 2)
            a->insert_at = at + size;
        if (head[1] == 0xeb && !take_segment(a, at, size, &end, &instance, err))
            return false;
        at += size;
    }
    return true;
}

bool webp_scan(Asset *a, SoraError *err)
{
    uint8_t head[8];
    if (!asset_read(a, 0, head, sizeof head, err))
        return false;
    uint64_t said = 8 + (uint64_t)get_le32(head + 4), end = said < a->size ? said : a->size;
    uint64_t at = 12;
    if (said < at)
        return error_set(err, SORA_ERROR_INPUT, "%s: the WebP is shorter than its header", a->name);
    while (at + 8 <= end) {
        if (!asset_read(a, at, head, sizeof head, err))
            return false;
        uint64_t data = get_le32(head + 4), size = 8 + data;
        if (size > end - at && memcmp(head, "C2PA", 4) == 0)
            return asset_cut_off(a, true, "the manifest store of the WebP", err);
        if (size > end - at)
            break;
        if (memcmp(head, "C2PA", 4) == 0 && !asset_take_store(a, at, size, at + 8, data, err))
            return false;
        at += size + (data & 1);
    }
    a->insert_at = end;
    if (a->stores > 0 || (said <= a->size && at >= end)) /* with a store its hash says what is wrong */
        return true;
    return error_set(err, SORA_ERROR_INPUT, "%s: the WebP is cut off", a->name);
}

static void wrap_png(Span store, Bytes *out)
{
    size_t begin = out->size + 4;
    bytes_put_u32(out, (uint32_t)store.size);
    bytes_put(out, "caBX", 4);
    bytes_put(out, store.data, store.size);
    if (!out->failed)
        bytes_put_u32(out, ~av_crc(av_crc_get_table(AV_CRC_32_IEEE_LE), UINT32_MAX, out->data + begin,
                                   out->size - begin));
}

static void wrap_jpeg(Span store, Bytes *out)
{
    uint32_t sequence = 1;
    for (size_t at = 0; at < store.size; sequence++) {
        size_t n = store.size - at < JPEG_PIECE ? store.size - at : JPEG_PIECE;
        size_t again = at == 0 ? 0 : 8; /* the box's header, which each further piece repeats */
        bytes_put_u16(out, 0xffeb);
        bytes_put_u16(out, (uint16_t)(2 + 2 + 2 + 4 + again + n));
        bytes_put(out, "JP", 2);
        bytes_put_u16(out, 0x0211);
        bytes_put_u32(out, sequence);
        bytes_put(out, store.data, again);
        bytes_put(out, store.data + at, n);
        at += n;
    }
}

static void wrap_webp(Span store, Bytes *out)
{
    uint8_t size[4];
    set_le32(size, (uint32_t)store.size);
    bytes_put(out, "C2PA", 4);
    bytes_put(out, size, 4);
    bytes_put(out, store.data, store.size);
    bytes_put_zeros(out, store.size & 1);
}

static void wrap_mp4(Span store, Bytes *out)
{
    size_t at = out->size;
    bytes_put_u32(out, 0);
    bytes_put(out, "uuid", 4);
    bytes_put(out, BMFF_C2PA_UUID, sizeof BMFF_C2PA_UUID);
    bytes_put_u32(out, 0); /* version and flags */
    bytes_put(out, "manifest", 9);
    bytes_put_u64(out, 0); /* no box with Merkle trees */
    bytes_put(out, store.data, store.size);
    if (!out->failed)
        set_u32(out->data + at, (uint32_t)(out->size - at));
}

void asset_wrap(AssetKind kind, Span store, Bytes *out)
{
    switch (kind) {
    case ASSET_MP4:
        wrap_mp4(store, out);
        return;
    case ASSET_PNG:
        wrap_png(store, out);
        return;
    case ASSET_JPEG:
        wrap_jpeg(store, out);
        return;
    case ASSET_WEBP:
        wrap_webp(store, out);
        return;
    }
}

/* The size of a RIFF file counts from byte 8 and must grow with it. */
static bool mend_riff(Asset *a, uint64_t at, uint8_t *piece, size_t size, uint64_t shift, SoraError *err)
{
    if (at != 0 || size < 8)
        return true;
    uint64_t riff = get_le32(piece + 4) + shift;
    if (riff > UINT32_MAX - 9)
        return error_set(err, SORA_ERROR_UNSUPPORTED, "%s: a WebP cannot be larger than 4 GiB", a->name);
    set_le32(piece + 4, (uint32_t)riff);
    return true;
}

static bool write_out(const Asset *a, FILE *out, const void *data, size_t size, SoraError *err)
{
    errno = 0;
    return fwrite(data, 1, size, out) == size ||
           error_set(err, SORA_ERROR_IO, "%s: cannot write: %s", a->name, strerror(errno ? errno : EIO));
}

bool asset_embed(Asset *a, Span wrapped, FILE *out, SoraError *err)
{
    bool ok = false;
    Mender *mender = NULL;
    uint8_t *piece = malloc(ASSET_PIECE);
    if (piece == NULL) {
        error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", a->name);
        goto out;
    }
    if (a->kind == ASSET_MP4 && !bmff_mender_open(&mender, a, wrapped.size, err))
        goto out;
    for (uint64_t at = 0; at <= a->size;) {
        if (at == a->insert_at && !write_out(a, out, wrapped.data, wrapped.size, err))
            goto out;
        if (at == a->size)
            break;
        uint64_t end = at < a->insert_at ? a->insert_at : a->size;
        size_t n = end - at < ASSET_PIECE ? (size_t)(end - at) : ASSET_PIECE;
        if (mender != NULL)
            n = bmff_piece(mender, at, n);
        if (!asset_read(a, at, piece, n, err) ||
            (a->kind == ASSET_WEBP && !mend_riff(a, at, piece, n, wrapped.size, err)) ||
            (mender != NULL && !bmff_mend(mender, at, piece, n, err)) || !write_out(a, out, piece, n, err))
            goto out;
        at += n;
    }
    ok = true;
out:
    bmff_mender_close(mender);
    free(piece);
    return ok;
}
