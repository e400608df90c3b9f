/* PyTorch's torch.save() since 1.6: a zip with one folder: data.pkl says what the tensors are, data/KEY are
 * their bytes. We read the zip ourselves: libzip (1.7 in Debian 12) and libarchive hand out an entry's bytes
 * as a stream, never its place in the file, so 11 GB of a text encoder could not stay mapped. */
#include <string.h>

#include "weights/pickle.h"
#include "weights/message.h"
#include "weights/weight_reader.h"
#include "weights/zip.h"

typedef struct Pth {
    Zip zip;
    const char *folder; /* with its slash */
} Pth;

/* The only entry that ends in "/data.pkl". */
static const ZipEntry *find_pickle(Pth *p, WeightFile *f, SoraError *err)
{
    static const char END[] = "/data.pkl";
    const ZipEntry *found = NULL;
    for (int i = 0; i < p->zip.count; i++) {
        const ZipEntry *e = &p->zip.entries[i];
        size_t n = strlen(e->name), m = sizeof END - 1;
        if (n <= m || strcmp(e->name + n - m, END) != 0)
            continue;
        if (found != NULL) {
            message_bad(f->path, err, "several data.pkl in the zip file, which one?");
            return NULL;
        }
        found = e;
        p->folder = arena_printf(&f->memory, "%.*s/", (int)(n - m), e->name);
    }
    if (found == NULL)
        message_bad(f->path, err, "a zip file without data.pkl: not PyTorch's");
    else if (p->folder == NULL)
        message_no_memory(f->path, err);
    else
        return found;
    return NULL;
}

static bool add_tensor(const Pth *p, WeightFile *f, const PickledTensor *t, SoraError *err)
{
    char name[SHOWN_SIZE], key[SHOWN_SIZE];
    message_shown(t->name, name);
    char *path = arena_printf(&f->memory, "%sdata/%s", p->folder, t->storage);
    if (path == NULL)
        return message_no_memory(f->path, err);
    const ZipEntry *e = zip_find(&p->zip, path);
    if (e == NULL)
        return message_bad(f->path, err, "tensor \"%s\": there is no storage \"%s\"", name,
                           message_shown(t->storage, key));
    size_t size = dtype_size(t->tensor.dtype), room = e->size / size;
    size_t count = (size_t)tensor_numel(&t->tensor);
    if (t->storage_size > room || t->offset > t->storage_size || count > t->storage_size - t->offset)
        return message_bad(f->path, err, "tensor \"%s\" needs %zu numbers from %llu on, its storage has %zu",
                           name, count, (unsigned long long)t->offset, room);
    Tensor tensor = t->tensor;
    tensor.data = (void *)(uintptr_t)(e->data + t->offset * size);
    return weight_file_add(f, t->name, strlen(t->name), tensor, err);
}

bool pth_read(WeightFile *f, const uint8_t *bytes, size_t size, SoraError *err)
{
    Pth p;
    if (!zip_read(&p.zip, &f->memory, bytes, size, f->path, err))
        return false;
    const ZipEntry *pickle = find_pickle(&p, f, err);
    if (pickle == NULL)
        return false;
    char *name = arena_printf(&f->memory, "%sbyteorder", p.folder);
    const ZipEntry *order = name != NULL ? zip_find(&p.zip, name) : NULL;
    if (order != NULL && (order->size != 6 || memcmp(order->data, "little", 6) != 0))
        return message_bad(f->path, err, "its numbers are not little-endian");
    Pickled pickled;
    if (!pickle_read(&pickled, &f->memory, pickle->data, pickle->size, f->path, err))
        return false;
    for (int i = 0; i < pickled.count; i++)
        if (!add_tensor(&p, f, &pickled.tensors[i], err))
            return false;
    return true;
}
