#include "safety/sign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "safety/manifest.h"

/* One file that is being signed. */
typedef struct Signing {
    const Signer *signer;
    const SoraSigning *how;
    const char *path;
    Asset in;
    ManifestPlan plan;
    FileWriter out;
    uint64_t at;    /* of the wrapped store in the new file */
    size_t wrapped; /* its bytes */
} Signing;

static bool write_store(Signing *s, bool placeholder, Bytes *wrapped, SoraError *err)
{
    Bytes store = {0};
    ManifestWriter w = {.plan = &s->plan, .placeholder = placeholder};
    bool ok = manifest_write(&w, &store, err);
    if (ok) {
        asset_wrap(s->in.kind, bytes_span(&store), wrapped);
        if (wrapped->failed)
            ok = error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", s->path);
        /* what the hash leaves out is the wrapped bytes, but of a WebP's filling byte */
        s->plan.excluded = (HashRange){s->at, wrapped->size - (s->in.kind == ASSET_WEBP ? store.size & 1 : 0)};
    }
    bytes_deinit(&store);
    return ok;
}

/* The file with a place for the store. */
static bool write_copy(Signing *s, SoraError *err)
{
    Bytes wrapped = {0};
    s->at = s->in.insert_at;
    bool ok = write_store(s, true, &wrapped, err);
    s->wrapped = wrapped.size;
    if (ok && s->in.kind != ASSET_MP4 && s->at + s->wrapped > UINT32_MAX)
        ok = error_set(err, SORA_ERROR_UNSUPPORTED, "%s: a picture of more than 4 GiB cannot be signed", s->path);
    ok = ok && asset_embed(&s->in, bytes_span(&wrapped), s->out.stream, err);
    bytes_deinit(&wrapped);
    if (ok && fflush(s->out.stream) != 0)
        ok = error_set(err, SORA_ERROR_IO, "%s: cannot write: %s", s->path, strerror(errno));
    return ok;
}

/* The hash of the new file, which the store is no part of. */
static bool hash_copy(Signing *s, SoraError *err)
{
    Asset copy = {0};
    bool ok = asset_open(&copy, s->out.part_path, err);
    if (ok && s->in.kind == ASSET_MP4) {
        Bytes list = {0};
        Arena arena;
        arena_init(&arena, 4096);
        hash_put_exclusions(&list);
        const CborValue *exclusions = cbor_parse(&arena, bytes_span(&list), err);
        ok = exclusions != NULL && hash_bmff(&copy, HASH_DEFAULT, exclusions, 3, &s->plan.hash, err);
        arena_deinit(&arena);
        bytes_deinit(&list);
    } else if (ok) {
        ok = hash_data(&copy, HASH_DEFAULT, &s->plan.excluded, 1, &s->plan.hash, err);
    }
    asset_close(&copy);
    return ok;
}

static bool write_final(Signing *s, SoraError *err)
{
    Bytes wrapped = {0};
    bool ok = write_store(s, false, &wrapped, err);
    if (ok && wrapped.size != s->wrapped)
        ok = error_set(err, SORA_ERROR_INTERNAL, "%s: the manifest changed its size", s->path);
    if (ok && (fseeko(s->out.stream, (off_t)s->at, SEEK_SET) != 0 ||
               fwrite(wrapped.data, 1, wrapped.size, s->out.stream) != wrapped.size))
        ok = error_set(err, SORA_ERROR_IO, "%s: cannot write: %s", s->path, strerror(errno));
    bytes_deinit(&wrapped);
    return ok;
}

bool sign_file(const Signer *signer, const char *path, const SoraSigning *how, SoraError *err)
{
    Signing s = {.signer = signer, .how = how, .path = path};
    bool ok = asset_open(&s.in, path, err);
    if (ok && s.in.stores > 0)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: it has content credentials already", path);
    ok = ok && manifest_plan_init(&s.plan, s.in.kind, err) && file_writer_open(&s.out, path, err);
    if (!ok)
        goto out;
    s.plan.signer = signer;
    s.plan.title = how->title;
    s.plan.model = how->model;
    s.plan.prompt = how->prompt;
    ok = write_copy(&s, err) && hash_copy(&s, err) && write_final(&s, err) && file_writer_commit(&s.out, err);
out:
    if (!ok)
        file_writer_abort(&s.out);
    asset_close(&s.in);
    return ok;
}
