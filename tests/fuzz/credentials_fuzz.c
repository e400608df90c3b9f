/* Whole files: MP4, PNG, JPEG and WebP with all that is in them, COSE, certificates and time-stamps too. A verdict or
 * an error; a file without a manifest also gets bytes put in, which must be found again. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "fuzz.h"
#include "credentials/verify.h"

/* A file in memory with these bytes, by name. */
static int make_file(const uint8_t *data, size_t size, char path[64])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static void embed(const char *path)
{
    static const uint8_t store[] = {0, 0, 0, 8, 'j', 'u', 'm', 'b'};
    SoraError err = {0};
    Asset in, out = {0};
    Bytes wrapped = {0};
    char *data = NULL, name[64];
    size_t size = 0;
    FILE *memory = open_memstream(&data, &size);
    assert(memory != NULL);
    bool ok = asset_open(&in, path, path, &err) && in.stores == 0;
    if (ok)
        asset_wrap(in.kind, (Span){store, sizeof store}, &wrapped);
    ok = ok && asset_embed(&in, bytes_span(&wrapped), memory, &err);
    fclose(memory);
    if (ok && in.kind != ASSET_JPEG && in.insert_at > 8) { /* a JPEG's store must begin with a real box */
        int fd = make_file((const uint8_t *)data, size, name);
        assert(asset_open(&out, name, name, &err) && out.stores == 1 && out.store.size == sizeof store);
        close(fd);
    }
    asset_close(&out);
    asset_close(&in);
    bytes_deinit(&wrapped);
    free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    Verification v;
    char path[64];
    int fd = make_file(data, size, path);
    Anchors *nobody = anchors_open(NULL, &err);
    assert(nobody != NULL);
    bool ok = verify_file(&v, path, nobody, &err);
    assert(ok || err.code != SORA_OK);
    if (ok && v.has_store) {
        assert(v.report.count > 0 && !report_is_trusted(&v.report));
        json_t *json = report_json(&v.report, path);
        assert(json != NULL);
        json_decref(json);
    }
    bool bare = ok && !v.has_store;
    verification_deinit(&v);
    if (bare)
        embed(path);
    anchors_free(nobody);
    close(fd);
    return 0;
}
