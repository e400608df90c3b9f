#include "engine/pager.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/pages.h"
#include "cpu/backend.h"

/* SMALL: elements of a matrix that is not worth the trouble. WIDE: floats that are on their way to BF16 at a time, if a row
 * has no more: they stay in the first cache. PIECE_ROWS: what a thread takes at a time. OFTEN: uses after which a weight is
 * kept as it was widened: a text encoder is used once or twice, a transformer at every step. */
enum { SMALL = 1 << 16, WIDE = 4096, PIECE_ROWS = 32, OFTEN = 2 };
/* Bytes for what nobody counts, threads' stacks and small objects: kept free where something can be given back for it,
 * and where nothing can. */
static const size_t RESERVE = (size_t)32 << 20, SLACK = (size_t)8 << 20;

typedef struct Range {
    char *data;
    size_t bytes;
} Range;

/* A weight: where the tensor says that it is, and where it is in the file. */
struct PagerEntry {
    Range tensor; /* of a weight that is widened only an address */
    Range file[PART_PIECES];
    int pieces;
    size_t bytes;              /* in the file */
    const PartTensor *widened; /* NULL: the tensor is the file's bytes */
    const LoraSet *loras;
    Tensor shape;
    int uses;      /* of a weight that is widened, up to OFTEN */
    void *kept;    /* as it was widened, or NULL */
    uint64_t used; /* the clock; 0: not in memory */
    int next;      /* what was used after it the last time; -1: not known */
};

/* --- the list --- */

static int by_address(const void *a, const void *b)
{
    const PagerEntry *x = a, *y = b;
    return x->tensor.data < y->tensor.data ? -1 : x->tensor.data > y->tensor.data;
}

static bool add_entry(Pager *p, PagerEntry entry)
{
    if (p->count == p->capacity) {
        int capacity = p->capacity ? 2 * p->capacity : 256;
        PagerEntry *entries = realloc(p->entries, (size_t)capacity * sizeof *entries);
        if (entries == NULL)
            return false;
        p->entries = entries;
        p->capacity = capacity;
    }
    entry.next = -1;
    p->entries[p->count++] = entry;
    p->sorted = false;
    return true;
}

static PagerEntry *find(Pager *p, const void *data)
{
    if (!p->sorted) {
        qsort(p->entries, (size_t)p->count, sizeof *p->entries, by_address);
        for (int i = 0; i < p->count; i++)
            p->entries[i].next = i + 1 < p->count ? i + 1 : -1; /* the file's order, until it is known better */
        p->sorted = true;
        p->last = -1;
    }
    PagerEntry key = {.tensor = {(char *)data, 0}};
    return p->count > 0 ? bsearch(&key, p->entries, (size_t)p->count, sizeof *p->entries, by_address) : NULL;
}

/* --- what is in memory --- */

/* Of what an entry has in the file: neighbours keep theirs. */
static void advise(const PagerEntry *e, int advice)
{
    for (int i = 0; i < e->pieces; i++)
        pages_advise(e->file[i].data, e->file[i].bytes, advice);
}

static void give_back(Pager *p, PagerEntry *e)
{
    advise(e, MADV_DONTNEED);
    p->resident -= e->bytes;
    e->used = 0;
}

static PagerEntry *oldest(Pager *p)
{
    PagerEntry *found = NULL;
    for (int i = 0; i < p->count; i++) {
        PagerEntry *e = &p->entries[i];
        if (e->used > 0 && e->used < p->clock && (found == NULL || e->used < found->used))
            found = e;
    }
    return found;
}

/* All memory of this process: its own, the weights', the libraries'. */
static size_t process_memory(void)
{
    unsigned long long resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f != NULL) {
        if (fscanf(f, "%*u %llu", &resident) != 1)
            resident = 0;
        fclose(f);
    }
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Those bytes' pages that nobody has touched yet: they are not in memory, and will be when they are written. */
static size_t absent(const void *data, size_t bytes)
{
    enum { AT_ONCE = 4096 };
    unsigned char there[AT_ONCE];
    size_t page = (size_t)sysconf(_SC_PAGESIZE), missing = 0;
    uintptr_t at = (uintptr_t)data / page * page, end = (uintptr_t)data + bytes;
    while (at < end) {
        size_t pages = (end - at + page - 1) / page;
        pages = pages < AT_ONCE ? pages : AT_ONCE;
        if (mincore((void *)at, pages * page, there) != 0)
            return bytes;
        for (size_t i = 0; i < pages; i++)
            missing += (there[i] & 1) == 0;
        at += pages * page;
    }
    return missing * page;
}

/* Gives weights back until there is room for so many bytes more and for what the node at hand will touch. */
static bool make_room(Pager *p, size_t more, SoraError *err)
{
    more += p->pending;
    size_t now = process_memory();
    for (PagerEntry *old; now + more + RESERVE > p->limit && (old = oldest(p)) != NULL; now = process_memory())
        give_back(p, old);
    size_t needed = now + more + SLACK;
    bool small = p->limit < 1000000000; /* both in one unit, so that they can be compared */
    return needed <= p->limit ||
           error_set(err, SORA_ERROR_MEMORY,
                     "%.*f %s of memory are needed, the limit is %.*f %s: a smaller size or fewer frames need less", small ? 0 : 2,
                     (double)needed / (small ? 1e6 : 1e9), small ? "MB" : "GB", small ? 0 : 2,
                     (double)p->limit / (small ? 1e6 : 1e9), small ? "MB" : "GB");
}

bool pager_room(void *pager, size_t bytes, SoraError *err)
{
    Pager *p = pager;
    return p->limit == 0 || make_room(p, bytes, err);
}

size_t pager_left(const Pager *p)
{
    size_t used = process_memory();
    return p->limit == 0 ? 0 : used < p->limit ? p->limit - used : 1;
}

/* What the node will bring into memory: a weight's bytes in the file, and outputs, which have addresses but may have
 * no pages. What its kernel lays out elsewhere comes to pager_room(). */
static bool make_room_for(Pager *p, const Node *node, size_t weights, SoraError *err)
{
    p->pending = weights;
    for (int i = 0; i < node->n_out; i++)
        p->pending += node->out[i] != NULL ? absent(node->out[i]->data, tensor_bytes(node->out[i])) : 0;
    if (p->keeping && node->op == OP_CONV) /* a copy of the weight, if it is the first time */
        p->pending += (size_t)tensor_numel(node->in[CONV_W]) * sizeof(float);
    return make_room(p, 0, err);
}

/* Notes that e is used; returns the bytes that this brings into memory. */
static size_t bring(Pager *p, PagerEntry *e)
{
    size_t fresh = e->used == 0 ? e->bytes : 0;
    e->used = p->clock;
    p->resident += fresh;
    return fresh;
}

/* Remembers the order, and asks for what came after e the last time. */
static void look_ahead(Pager *p, const PagerEntry *e)
{
    int i = (int)(e - p->entries);
    if (p->last >= 0 && p->last != i)
        p->entries[p->last].next = i;
    p->last = i;
    if (e->next >= 0 && p->entries[e->next].used == 0)
        advise(&p->entries[e->next], MADV_WILLNEED);
}

static void free_scratch(Pager *p)
{
    p->inner->free(p->inner, p->scratch);
    p->scratch = NULL;
    p->scratch_bytes = 0;
}

/* A network's turn is over. */
static void trim(Backend *backend)
{
    Pager *p = (Pager *)backend;
    for (int i = 0; i < p->count && p->limit > 0; i++)
        if (p->entries[i].used > 0)
            give_back(p, &p->entries[i]);
    free_scratch(p);
    p->inner->trim(p->inner);
}

/* --- weights that are widened --- */

/* In large pages, if the system has them: kernels go through columns of it, a row's length from number to number. */
static void *alloc_wide(Pager *p, size_t bytes)
{
    void *data = p->inner->alloc(p->inner, bytes);
    pages_advise(data, bytes, MADV_HUGEPAGE);
    return data;
}

static bool reserve(Pager *p, size_t bytes, SoraError *err)
{
    if (bytes <= p->scratch_bytes)
        return true;
    free_scratch(p);
    if (!pager_room(p, bytes, err))
        return false;
    p->scratch = alloc_wide(p, bytes);
    p->scratch_bytes = p->scratch != NULL ? bytes : 0;
    return p->scratch != NULL || error_set(err, SORA_ERROR_MEMORY, "no memory for a weight of %zu bytes", bytes);
}

/* Rows of an entry on their way to scratch. */
typedef struct Widening {
    const PagerEntry *entry;
    const int32_t *rows; /* which ones; NULL: all of them */
    int64_t count, width;
    int64_t at_once;     /* rows that are floats at a time */
    DType dtype;         /* of out: BF16 or F32 */
    void *out;           /* NULL: it will be in scratch */
    float *wide;         /* [workers, at_once, width] */
    _Atomic bool failed;
    SoraError error;     /* of one that failed */
} Widening;

/* wide: room for them as floats, unless that is what they will be. */
static bool widen_rows(const Widening *w, int64_t first, int64_t count, float *wide, SoraError *err)
{
    const PagerEntry *e = w->entry;
    bool ok = true;
    if (w->dtype == DTYPE_F32)
        wide = (float *)w->out + first * w->width;
    if (w->rows == NULL)
        ok = part_source_rows(e->widened, e->loras, &e->shape, first, count, wide, err);
    for (int64_t i = 0; ok && w->rows != NULL && i < count; i++)
        ok = part_source_rows(e->widened, e->loras, &e->shape, w->rows[first + i], 1, wide + i * w->width, err);
    if (ok && w->dtype != DTYPE_F32)
        cpu_narrow((uint16_t *)w->out + first * w->width, wide, count * w->width);
    return ok;
}

static void widen_piece(void *arg, int64_t piece, int worker)
{
    Widening *w = arg;
    int64_t at = piece * PIECE_ROWS, end = w->count - at < PIECE_ROWS ? w->count : at + PIECE_ROWS;
    SoraError error = {0};
    bool ok = true;
    for (int64_t n; ok && at < end; at += n) {
        n = end - at < w->at_once ? end - at : w->at_once;
        ok = widen_rows(w, at, n, w->wide + worker * w->at_once * w->width, &error);
    }
    if (!ok && !atomic_exchange(&w->failed, true))
        w->error = error;
}

static bool widen(Pager *p, const PagerEntry *e, Widening *w, SoraError *err)
{
    w->at_once = w->width < WIDE ? WIDE / w->width : 1;
    size_t wide = (size_t)(pool_threads(p->base.pool) * w->at_once * w->width) * sizeof(float);
    w->dtype = e->shape.dtype;
    size_t bytes = w->out != NULL ? 0 : ((size_t)(w->count * w->width) * dtype_size(w->dtype) + 63) / 64 * 64;
    if (!reserve(p, bytes + wide, err))
        return false;
    w->entry = e;
    w->out = w->out != NULL ? w->out : p->scratch;
    w->wide = (float *)((char *)p->scratch + bytes);
    pool_run(p->base.pool, (w->count + PIECE_ROWS - 1) / PIECE_ROWS, widen_piece, w);
    if (!w->failed)
        return true;
    *err = w->error;
    return false;
}

/* A table of which the node takes some rows: only those, in their order. */
static bool run_gather(Pager *p, const Node *node, const PagerEntry *e, SoraError *err)
{
    const Tensor *index = node->in[1];
    const int32_t *rows = index->data;
    int64_t n = tensor_numel(index);
    for (int64_t i = 0; i < n; i++)
        if (rows[i] < 0 || rows[i] >= e->shape.shape[0])
            return error_set(err, SORA_ERROR_INPUT, "gather: index %d is outside 0 .. %lld", (int)rows[i],
                             (long long)e->shape.shape[0] - 1);
    int32_t *order = malloc((size_t)(n > 0 ? n : 1) * sizeof *order);
    if (order == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "gather: out of memory");
    for (int64_t i = 0; i < n; i++)
        order[i] = (int32_t)i;
    Widening w = {.rows = rows, .count = n, .width = tensor_numel(&e->shape) / e->shape.shape[0]};
    bool ok = widen(p, e, &w, err);
    if (ok) {
        Tensor table = tensor_over(w.out, w.dtype, 2, (int64_t[]){n, w.width});
        Tensor place = tensor_over(order, DTYPE_I32, index->ndim, index->shape);
        Node copy = *node;
        copy.in[0] = &table;
        copy.in[1] = &place;
        ok = p->inner->run(p->inner, &copy, err);
    }
    free(order);
    return ok;
}

/* The weight among a node's inputs, or NULL. Only one of them can be large. */
static PagerEntry *weight_of(Pager *p, const Node *node, int *which)
{
    for (int i = 0; i < node->n_in; i++) {
        PagerEntry *e = node->in[i] != NULL ? find(p, node->in[i]->data) : NULL;
        if (e != NULL) {
            *which = i;
            return e;
        }
    }
    return NULL;
}

/* Is a weight to be kept as it is widened, and is there room? Without a limit a third of the machine's memory is for that.
 * Products in F32 take so much longer that widening at every use is 1 to 2 % of them: weights stay as they are in the file. */
static bool keep(Pager *p, size_t bytes)
{
    if (p->inner->operand == DTYPE_F32)
        return false;
    size_t third = (size_t)sysconf(_SC_PHYS_PAGES) / 3 * (size_t)sysconf(_SC_PAGESIZE);
    if (p->limit > 0 || p->kept + bytes > third)
        return false;
    p->kept += bytes;
    return true;
}

/* The whole weight; NULL on failure. */
static void *widen_all(Pager *p, PagerEntry *e, SoraError *err)
{
    if (e->kept != NULL)
        return e->kept;
    Widening w = {.count = e->shape.shape[0], .width = tensor_numel(&e->shape) / e->shape.shape[0]};
    if (e->uses < OFTEN)
        e->uses++;
    else if (keep(p, tensor_bytes(&e->shape)))
        w.out = alloc_wide(p, tensor_bytes(&e->shape)); /* or in scratch, if there is no memory */
    void *keeping = w.out;
    if (!widen(p, e, &w, err)) {
        p->inner->free(p->inner, keeping);
        return NULL;
    }
    e->kept = keeping;
    return w.out;
}

static bool run_paged(Pager *p, const Node *node, SoraError *err)
{
    Node copy = *node;
    Tensor wide;
    int i = 0;
    PagerEntry *e = weight_of(p, node, &i);
    bool rows = e != NULL && node->op == OP_GATHER && i == 0; /* few of many rows: they are not worth giving back */
    size_t fresh = e != NULL && !rows ? bring(p, e) : 0;
    if (p->limit > 0 && !make_room_for(p, node, fresh, err))
        return false;
    if (rows && e->widened != NULL)
        return run_gather(p, node, e, err);
    if (e != NULL && e->widened != NULL) {
        wide = *node->in[i];
        wide.data = widen_all(p, e, err);
        if (wide.data == NULL)
            return false;
        copy.in[i] = &wide;
    }
    if (e != NULL && !rows)
        look_ahead(p, e);
    return p->inner->run(p->inner, &copy, err);
}

static bool run(Backend *backend, const Node *node, SoraError *err)
{
    Pager *p = (Pager *)backend;
    p->clock++;
    bool ok = run_paged(p, node, err);
    p->pending = 0;
    return ok;
}

/* --- the rest of a backend --- */

static void *alloc(Backend *backend, size_t bytes)
{
    Backend *inner = ((Pager *)backend)->inner;
    return inner->alloc(inner, bytes);
}

static void release(Backend *backend, void *data)
{
    Backend *inner = ((Pager *)backend)->inner;
    inner->free(inner, data);
}

/* Before bytes are written between two nodes; where there is no room, the next node says so. */
static void prepare(Pager *p, const void *to, size_t bytes)
{
    if (p->limit > 0)
        (void)make_room(p, absent(to, bytes), NULL);
}

static void move(Backend *backend, void *to, const void *from, size_t bytes)
{
    Backend *inner = ((Pager *)backend)->inner;
    prepare((Pager *)backend, to, bytes);
    inner->move(inner, to, from, bytes);
}

static void upload(Backend *backend, void *to, const void *host, size_t bytes)
{
    Backend *inner = ((Pager *)backend)->inner;
    prepare((Pager *)backend, to, bytes);
    inner->upload(inner, to, host, bytes);
}

static void keep_weights(Backend *backend, bool on)
{
    Pager *p = (Pager *)backend;
    p->keeping = on;
    p->inner->keep_weights(p->inner, on);
}

static void download(Backend *backend, void *host, const void *from, size_t bytes)
{
    Backend *inner = ((Pager *)backend)->inner;
    inner->download(inner, host, from, bytes);
}

void pager_init(Pager *p, Backend *inner, size_t limit)
{
    *p = (Pager){.base = {.name = "pager", .run = run, .alloc = alloc, .free = release, .move = move, .upload = upload,
                          .download = download, .keep_weights = keep_weights, .trim = trim,
                          .operand = inner->operand, .pool = inner->pool},
                 .inner = inner,
                 .limit = limit,
                 .last = -1};
}

void pager_deinit(Pager *p)
{
    for (int i = 0; i < p->count; i++)
        if (p->entries[i].widened != NULL) {
            munmap(p->entries[i].tensor.data, p->entries[i].tensor.bytes);
            p->inner->free(p->inner, p->entries[i].kept);
        }
    if (p->inner != NULL)
        p->inner->free(p->inner, p->scratch);
    free(p->entries);
    *p = (Pager){0};
}

/* --- binding --- */

/* Where t is in the file. */
static void locate(PagerEntry *e, const PartTensor *t)
{
    e->pieces = t->piece_count;
    for (int i = 0; i < t->piece_count; i++) {
        e->file[i] = (Range){t->pieces[i]->data, tensor_bytes(t->pieces[i])};
        e->bytes += e->file[i].bytes;
    }
}

/* An address that nothing else has, for a tensor that is nowhere yet. */
static bool promise(PagedSource *s, PagerEntry *e, Tensor *tensor, SoraError *err)
{
    e->tensor.bytes = tensor_bytes(tensor);
    e->tensor.data = mmap(NULL, e->tensor.bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (e->tensor.data == MAP_FAILED)
        return error_set(err, SORA_ERROR_MEMORY, "tensor \"%.100s\": out of address space", e->widened->name);
    tensor->data = e->tensor.data;
    e->shape = *tensor;
    if (add_entry(s->pager, *e))
        return true;
    munmap(e->tensor.data, e->tensor.bytes);
    return error_set(err, SORA_ERROR_MEMORY, "out of memory");
}

static bool fill(ParamSource *source, const char *name, Tensor *tensor, Init init, SoraError *err)
{
    PagedSource *s = (PagedSource *)source;
    const PartTensor *t = part_source_find(s->part.part, name, tensor, err);
    if (t == NULL)
        return false;
    PagerEntry e = {0};
    locate(&e, t);
    bool large = params_is_matrix(tensor) && tensor_numel(tensor) >= SMALL, copied;
    tensor->dtype = part_source_type(&s->part, t, tensor, &copied);
    if (large && tensor->ndim == 2 && copied && part_source_by_rows(t, tensor)) {
        e.widened = t;
        e.loras = s->part.loras;
        return promise(s, &e, tensor, err);
    }
    if (!s->part.source.fill(&s->part.source, name, tensor, init, err))
        return false;
    e.tensor = (Range){tensor->data, tensor_bytes(tensor)};
    return !large || copied || add_entry(s->pager, e) || error_set(err, SORA_ERROR_MEMORY, "out of memory");
}

void paged_source_init(PagedSource *s, Pager *pager, const WeightPart *part, const LoraSet *loras)
{
    *s = (PagedSource){.source = {fill}, .pager = pager};
    part_source_init(&s->part, part, loras, FILE_SOURCE_MAPPED);
}

void paged_source_deinit(PagedSource *s)
{
    part_source_deinit(&s->part);
}
