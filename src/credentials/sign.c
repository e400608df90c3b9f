#include "credentials/sign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/shortage.h"
#include "credentials/inputs.h"
#include "credentials/timestamp.h"

enum { STAMP_ROOM = 12 << 10 }; /* bytes for a time-stamp with its certificates; services give 3 to 8 KiB */

/* One file that is being signed. */
typedef struct Signing {
    const Signer *signer;
    const SoraSigning *how;
    SoraSigned *result;
    const char *name; /* in messages */
    Asset in;
    Bytes token;
    ManifestPlan plan;
    FileWriter out;
    uint64_t at;    /* of the wrapped store in the new file */
    size_t wrapped; /* its bytes */
} Signing;

/* ManifestStamp: a service that does not answer costs the time-stamp and not the file. */
static Span stamp(Span header, Span signature, void *user)
{
    Signing *s = user;
    SoraError err = {0};
    Bytes payload = {0}, data = {0};
    cbor_put_bytes(&payload, signature.data, signature.size);
    cose_put_signed("CounterSignature", header, bytes_span(&payload), &data);
    bool ok = !data.failed && timestamp_request(s->how->time_authority, bytes_span(&data), &s->token, &err);
    if (ok && s->token.size > STAMP_ROOM - 64)
        ok = error_set(&err, SORA_ERROR_UNSUPPORTED, "%.100s: a time-stamp of %zu bytes is too large",
                       s->how->time_authority, s->token.size);
    bytes_deinit(&payload);
    bytes_deinit(&data);
    s->result->time_stamped = ok;
    if (!ok)
        snprintf(s->result->note, sizeof s->result->note, "%s", err.message);
    return ok ? bytes_span(&s->token) : (Span){NULL, 0};
}

/* Bytes of the COSE structure with room for a time-stamp. */
static size_t signature_room(const Signer *signer)
{
    Bytes header = {0};
    cose_put_protected(signer, &header);
    size_t size = header.size + signer->signature_size + STAMP_ROOM;
    bytes_deinit(&header);
    return size;
}

static bool write_store(Signing *s, bool placeholder, Bytes *wrapped, SoraError *err)
{
    Bytes store = {0};
    ManifestWriter w = {.plan = &s->plan, .placeholder = placeholder};
    if (s->how->time_authority != NULL) {
        w.stamp = stamp;
        w.user = s;
    }
    shortage_begin();
    bool ok = manifest_write(&w, &store, err);
    if (ok && shortage_seen()) /* something may be missing in it */
        ok = error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", s->name);
    if (ok) {
        asset_wrap(s->in.kind, bytes_span(&store), wrapped);
        if (wrapped->failed)
            ok = error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", s->name);
        /* what the hash leaves out is the wrapped bytes, but of a WebP's filling byte */
        s->plan.excluded =
            (HashRange){s->at, wrapped->size - (s->in.kind == ASSET_WEBP ? store.size & 1 : 0)};
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
        ok = error_set(err, SORA_ERROR_UNSUPPORTED, "%s: a picture of more than 4 GiB cannot be signed",
                       s->name);
    ok = ok && asset_embed(&s->in, bytes_span(&wrapped), s->out.stream, err);
    bytes_deinit(&wrapped);
    if (ok && fflush(s->out.stream) != 0)
        ok = error_set(err, SORA_ERROR_IO, "%s: cannot write: %s", s->name, strerror(errno));
    return ok;
}

/* The hash of the new file, which the store is no part of. */
static bool hash_copy(Signing *s, SoraError *err)
{
    Asset copy = {0};
    bool ok = asset_open(&copy, s->out.part_path, s->name, err);
    if (ok && s->in.kind == ASSET_MP4) {
        Bytes list = {0};
        Arena arena;
        arena_init(&arena, 4096);
        hash_put_exclusions(&list);
        const CborValue *exclusions = cbor_parse(&arena, bytes_span(&list), err);
        ok = exclusions != NULL &&
             hash_bmff(&copy, &(BmffPlan){HASH_DEFAULT, exclusions, 3, 0, copy.size}, &s->plan.hash, err);
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
        ok = error_set(err, SORA_ERROR_INTERNAL, "%s: the manifest changed its size", s->name);
    if (ok && (fseeko(s->out.stream, (off_t)s->at, SEEK_SET) != 0 ||
               fwrite(wrapped.data, 1, wrapped.size, s->out.stream) != wrapped.size))
        ok = error_set(err, SORA_ERROR_IO, "%s: cannot write: %s", s->name, strerror(errno));
    bytes_deinit(&wrapped);
    return ok;
}

static bool is_text(const char *text)
{
    return text == NULL || span_is_utf8((Span){(const uint8_t *)text, strlen(text)});
}

static bool make_plan(Signing *s, SoraError *err)
{
    const SoraSigning *how = s->how;
    bool texts = is_text(how->model) && is_text(how->prompt) && is_text(how->operation);
    for (int i = 0; texts && how->loras != NULL && how->loras[i] != NULL; i++)
        texts = is_text(how->loras[i]);
    if (!texts)
        return error_set(err, SORA_ERROR_INPUT, "%s: model, LoRA, prompt or operation is not UTF-8", s->name);
    if (!manifest_plan_init(&s->plan, s->in.kind, err))
        return false;
    const char *slash = strrchr(s->name, '/'), *title = how->title ? how->title : slash ? slash + 1 : s->name;
    ManifestPlan *p = &s->plan;
    p->title = is_text(title) ? title : NULL;
    p->model = how->model;
    p->loras = how->loras;
    p->prompt = how->prompt;
    p->operation = how->operation;
    if (how->inputs != NULL) {
        p->manifests = how->inputs->manifests;
        p->manifest_count = how->inputs->manifest_count;
        p->ingredients = how->inputs->ingredients;
        p->ingredient_count = (size_t)how->inputs->count;
    }
    p->signer = s->signer;
    p->signature_box = how->time_authority ? signature_room(s->signer) : 0;
    snprintf(s->result->manifest, sizeof s->result->manifest, "%s", p->label);
    return true;
}

bool sign_file(const Signer *signer, const SignTarget *file, const SoraSigning *how, SoraSigned *result,
               SoraError *err)
{
    SoraSigned ignored;
    Signing s = {.signer = signer, .how = how, .result = result ? result : &ignored, .name = file->name ? file->name : file->path};
    *s.result = (SoraSigned){0};
    bool ok = asset_open(&s.in, file->path, s.name, err);
    if (ok && s.in.stores > 0)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: it has content credentials already", s.name);
    ok = ok && make_plan(&s, err) && file_writer_open_as(&s.out, file->path, s.name, err) && write_copy(&s, err) &&
         hash_copy(&s, err) && write_final(&s, err);
    s.out.passing = file->passing;
    ok = ok && file_writer_commit(&s.out, err);
    file_writer_abort(&s.out);
    bytes_deinit(&s.token);
    asset_close(&s.in);
    return ok;
}
