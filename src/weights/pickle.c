/* Sources: the documentation of Python's pickletools for the instructions; torch/_utils.py and
 * torch/serialization.py for what a tensor's pickle says. */
#include "weights/pickle.h"

#include <stdlib.h>
#include <string.h>

#include "weights/message.h"

enum { MAX_PICKLE = 4 << 20 }; /* that of a model of 1,300 tensors has 150 KB */

typedef enum Kind { NONE, BOOL, INT, FLOAT, TEXT, TUPLE, LIST, DICT, GLOBAL, STORAGE, TENSOR, MARK } Kind;

/* The functions and classes that a pickle may name. */
typedef enum Name { ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER, STORAGE_CLASS } Name;

static const struct {
    const char *module, *name;
    Name means;
    DType dtype; /* of a storage */
} NAMES[] = {
    {"collections", "OrderedDict", ORDERED_DICT, DTYPE_F32},
    {"torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR, DTYPE_F32},
    {"torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, DTYPE_F32},
    {"torch", "FloatStorage", STORAGE_CLASS, DTYPE_F32},
    {"torch", "BFloat16Storage", STORAGE_CLASS, DTYPE_BF16},
    {"torch", "HalfStorage", STORAGE_CLASS, DTYPE_F16},
    {"torch", "DoubleStorage", STORAGE_CLASS, DTYPE_F64},
    {"torch", "LongStorage", STORAGE_CLASS, DTYPE_I64},
    {"torch", "IntStorage", STORAGE_CLASS, DTYPE_I32},
    {"torch", "ShortStorage", STORAGE_CLASS, DTYPE_I16},
    {"torch", "CharStorage", STORAGE_CLASS, DTYPE_I8},
    {"torch", "ByteStorage", STORAGE_CLASS, DTYPE_U8},
    {"torch", "BoolStorage", STORAGE_CLASS, DTYPE_BOOL},
};

typedef struct Text {
    const char *bytes; /* in the pickle */
    size_t size;
} Text;

typedef struct Items Items;
typedef struct Storage Storage;

typedef struct Value {
    Kind kind;
    union {
        int64_t integer;
        Text text;
        Items *items; /* of a dictionary: key, value, key, value */
        int global;   /* place in NAMES */
        const Storage *storage;
        const PickledTensor *tensor;
    };
} Value;

struct Items {
    Value *values;
    size_t count, capacity;
};

struct Storage {
    DType dtype;
    Text key;
    uint64_t size;
};

typedef struct Machine {
    const uint8_t *p, *begin, *end;
    const char *path;
    Arena *memory;
    SoraError *err;
    Value *stack, *memo;
    size_t depth, stack_capacity, memo_capacity;
    uint64_t memoized; /* entries that protocol 4 numbered itself */
} Machine;

static bool damaged(Machine *m, const char *what)
{
    return message_bad(m->path, m->err, "damaged pickle at byte %zu: %s", (size_t)(m->p - m->begin), what);
}

/* --- stack and memo --- */

static bool grow(Machine *m, Value **values, size_t *capacity, size_t wanted)
{
    if (wanted <= *capacity)
        return true;
    size_t n = wanted > 2 * *capacity ? wanted + 64 : 2 * *capacity;
    Value *more = realloc(*values, n * sizeof *more);
    if (more == NULL)
        return message_no_memory(m->path, m->err);
    memset(more + *capacity, 0, (n - *capacity) * sizeof *more);
    *values = more;
    *capacity = n;
    return true;
}

static bool push(Machine *m, Value v)
{
    if (!grow(m, &m->stack, &m->stack_capacity, m->depth + 1))
        return false;
    m->stack[m->depth++] = v;
    return true;
}

static bool pop(Machine *m, Value *v)
{
    *v = (Value){.kind = NONE};
    if (m->depth == 0 || m->stack[m->depth - 1].kind == MARK)
        return damaged(m, "the stack is empty");
    *v = m->stack[--m->depth];
    return true;
}

/* The top value stays; NULL: there is none. */
static Value *top(Machine *m)
{
    return m->depth > 0 && m->stack[m->depth - 1].kind != MARK ? &m->stack[m->depth - 1] : NULL;
}

/* Where the values after the last mark begin. */
static bool find_mark(Machine *m, size_t *first)
{
    *first = 0;
    for (size_t i = m->depth; i > 0; i--)
        if (m->stack[i - 1].kind == MARK) {
            *first = i;
            return true;
        }
    return damaged(m, "no mark on the stack");
}

/* Python numbers memo entries from 0 up; a wild number must not become a large table. */
static bool memo_put(Machine *m, uint64_t i)
{
    if (top(m) == NULL || i >= (size_t)(m->end - m->begin))
        return damaged(m, "a memo entry without sense");
    if (!grow(m, &m->memo, &m->memo_capacity, (size_t)i + 1))
        return false;
    m->memo[i] = *top(m);
    return true;
}

static bool memo_get(Machine *m, uint64_t i)
{
    if (i >= m->memo_capacity)
        return damaged(m, "no such memo entry");
    return push(m, m->memo[i]); /* one never set is NONE */
}

/* --- what a value holds --- */

static Items *new_items(Machine *m)
{
    Items *items = arena_calloc(m->memory, sizeof *items);
    if (items == NULL)
        message_no_memory(m->path, m->err);
    return items;
}

static bool append(Machine *m, Items *items, const Value *values, size_t count)
{
    if (items->count + count > items->capacity) {
        size_t capacity =
            2 * items->capacity > items->count + count ? 2 * items->capacity : items->count + count;
        Value *more = arena_alloc(m->memory, capacity * sizeof *more);
        if (more == NULL)
            return message_no_memory(m->path, m->err);
        if (items->count > 0)
            memcpy(more, items->values, items->count * sizeof *more);
        items->values = more;
        items->capacity = capacity;
    }
    if (count > 0) /* without items, values may be NULL */
        memcpy(items->values + items->count, values, count * sizeof *values);
    items->count += count;
    return true;
}

/* Values from first on, taken off the stack, as a new value. */
static bool gather(Machine *m, Kind kind, size_t first)
{
    Items *items = new_items(m);
    if (items == NULL || (m->depth > first && !append(m, items, m->stack + first, m->depth - first)))
        return false;
    m->depth = first;
    return push(m, (Value){.kind = kind, .items = items});
}

static bool gather_top(Machine *m, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (m->depth < count || m->stack[m->depth - 1 - i].kind == MARK)
            return damaged(m, "too few values on the stack");
    return gather(m, TUPLE, m->depth - count);
}

static bool gather_marked(Machine *m, Kind kind)
{
    size_t first = 0;
    if (!find_mark(m, &first))
        return false;
    if (kind == DICT && (m->depth - first) % 2 != 0)
        return damaged(m, "a key without a value");
    if (!gather(m, kind, first))
        return false;
    m->stack[first - 1] = m->stack[first]; /* over the mark */
    m->depth--;
    return true;
}

/* Adds the values from first on to the list or dictionary below them, with between marks in between. */
static bool add_items(Machine *m, Kind kind, size_t first, size_t between)
{
    if (first < 1 + between || m->stack[first - 1 - between].kind != kind)
        return damaged(m, kind == DICT ? "items for what is no dictionary" : "items for what is no list");
    size_t count = m->depth - first;
    if (kind == DICT && count % 2 != 0)
        return damaged(m, "a key without a value");
    if (!append(m, m->stack[first - 1 - between].items, m->stack + first, count))
        return false;
    m->depth = first - between;
    return true;
}

static bool add_marked(Machine *m, Kind kind)
{
    size_t first = 0;
    return find_mark(m, &first) && add_items(m, kind, first, 1);
}

static bool is_text(const Value *v, const char *text)
{
    return v->kind == TEXT && v->text.size == strlen(text) && memcmp(v->text.bytes, text, v->text.size) == 0;
}

static char *copy_text(Machine *m, Text t)
{
    char *copy = memchr(t.bytes, 0, t.size) == NULL ? arena_alloc(m->memory, t.size + 1) : NULL;
    if (copy == NULL) {
        damaged(m, "a text with a zero byte, or no memory for it");
        return NULL;
    }
    memcpy(copy, t.bytes, t.size);
    copy[t.size] = 0;
    return copy;
}

/* --- reading the program --- */

static bool take(Machine *m, uint64_t size, const uint8_t **out)
{
    *out = m->p;
    if (size > (size_t)(m->end - m->p))
        return damaged(m, "truncated");
    m->p += size;
    return true;
}

static bool take_number(Machine *m, int bytes, uint64_t *out)
{
    const uint8_t *p;
    *out = 0;
    if (!take(m, (uint64_t)bytes, &p))
        return false;
    for (int i = bytes - 1; i >= 0; i--)
        *out = *out << 8 | p[i];
    return true;
}

static bool push_int(Machine *m, int bytes)
{
    uint64_t v = 0;
    return take_number(m, bytes, &v) &&
           push(m, (Value){.kind = INT, .integer = bytes == 4 ? (int32_t)(uint32_t)v : (int64_t)v});
}

/* A little-endian two's complement number of up to 8 bytes, 2^63 and more being of no use for sizes. */
static bool push_long(Machine *m)
{
    uint64_t bytes = 0, v = 0;
    if (!take_number(m, 1, &bytes) || bytes > 8)
        return damaged(m, "an integer of more than 8 bytes");
    if (!take_number(m, (int)bytes, &v))
        return false;
    if (bytes > 0 && bytes < 8 && v >> (8 * bytes - 1))
        v |= ~(uint64_t)0 << 8 * bytes;
    return push(m, (Value){.kind = INT, .integer = (int64_t)v});
}

static bool push_text(Machine *m, int size_bytes)
{
    uint64_t size = 0;
    const uint8_t *p;
    return take_number(m, size_bytes, &size) && take(m, size, &p) &&
           push(m, (Value){.kind = TEXT, .text = {(const char *)p, (size_t)size}});
}

static bool push_float(Machine *m)
{
    const uint8_t *p;
    return take(m, 8, &p) && push(m, (Value){.kind = FLOAT});
}

static bool push_global(Machine *m, Text module, Text name)
{
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        if (is_text(&(Value){.kind = TEXT, .text = module}, NAMES[i].module) &&
            is_text(&(Value){.kind = TEXT, .text = name}, NAMES[i].name))
            return push(m, (Value){.kind = GLOBAL, .global = (int)i});
    char a[SHOWN_SIZE], b[SHOWN_SIZE];
    return message_bad(m->path, m->err, "the pickle asks for \"%s.%s\"; only tensors are read",
                       message_shown_bytes(module.bytes, module.size, a),
                       message_shown_bytes(name.bytes, name.size, b));
}

static bool take_line(Machine *m, Text *out)
{
    const uint8_t *end = memchr(m->p, '\n', (size_t)(m->end - m->p));
    if (end == NULL)
        return damaged(m, "truncated");
    *out = (Text){(const char *)m->p, (size_t)(end - m->p)};
    m->p = end + 1;
    return true;
}

static bool read_global(Machine *m)
{
    Text module = {0}, name = {0};
    return take_line(m, &module) && take_line(m, &name) && push_global(m, module, name);
}

static bool stack_global(Machine *m)
{
    Value module, name;
    if (!pop(m, &name) || !pop(m, &module))
        return false;
    if (module.kind != TEXT || name.kind != TEXT)
        return damaged(m, "a global without a name");
    return push_global(m, module.text, name.text);
}

/* --- tensors --- */

/* ("storage", class, key, device, elements) */
static bool make_storage(Machine *m)
{
    Value v;
    if (!pop(m, &v))
        return false;
    const Value *a = v.kind == TUPLE && v.items->count == 5 ? v.items->values : NULL;
    if (a == NULL || !is_text(&a[0], "storage") || a[1].kind != GLOBAL ||
        NAMES[a[1].global].means != STORAGE_CLASS || a[2].kind != TEXT || a[4].kind != INT ||
        a[4].integer < 0)
        return damaged(m, "a persistent id that is no storage");
    Storage *s = arena_alloc(m->memory, sizeof *s);
    if (s == NULL)
        return message_no_memory(m->path, m->err);
    *s = (Storage){NAMES[a[1].global].dtype, a[2].text, (uint64_t)a[4].integer};
    return push(m, (Value){.kind = STORAGE, .storage = s});
}

static bool read_shape(Machine *m, const Items *size, const Items *stride, Tensor *t)
{
    if (size->count != stride->count || size->count > MAX_DIMS)
        return damaged(m, "a tensor with a shape that is not supported");
    t->ndim = (int)size->count;
    int64_t n = (int64_t)dtype_size(t->dtype);
    for (int d = t->ndim - 1; d >= 0; d--) {
        int64_t length = size->values[d].integer, step = stride->values[d].integer;
        if (size->values[d].kind != INT || stride->values[d].kind != INT || length < 0)
            return damaged(m, "a tensor with a shape that is not of counts");
        t->shape[d] = length;
        if (length > 1 && step != n / (int64_t)dtype_size(t->dtype))
            return message_bad(m->path, m->err, "a tensor's elements do not lie in the order of its shape");
        if (__builtin_mul_overflow(n, length ? length : 1, &n))
            return damaged(m, "a tensor that is too large");
    }
    return true;
}

/* (storage, offset, size, stride, requires_grad, hooks[, metadata]) */
static bool make_tensor(Machine *m, const Items *args)
{
    const Value *a = args->values;
    if (args->count < 6 || args->count > 7 || a[0].kind != STORAGE || a[1].kind != INT || a[1].integer < 0 ||
        a[2].kind != TUPLE || a[3].kind != TUPLE)
        return damaged(m, "a tensor that is described otherwise");
    PickledTensor *t = arena_calloc(m->memory, sizeof *t);
    if (t == NULL)
        return message_no_memory(m->path, m->err);
    t->tensor.dtype = a[0].storage->dtype;
    t->tensor.leaf = true;
    t->offset = (uint64_t)a[1].integer;
    t->storage_size = a[0].storage->size;
    t->storage = copy_text(m, a[0].storage->key);
    return t->storage != NULL && read_shape(m, a[2].items, a[3].items, &t->tensor) &&
           push(m, (Value){.kind = TENSOR, .tensor = t});
}

static bool reduce(Machine *m)
{
    Value args, callable;
    if (!pop(m, &args) || !pop(m, &callable))
        return false;
    if (callable.kind != GLOBAL || args.kind != TUPLE)
        return damaged(m, "a call of what is no function");
    switch (NAMES[callable.global].means) {
    case ORDERED_DICT:
        if (args.items->count != 0)
            return damaged(m, "a dictionary with arguments");
        return gather(m, DICT, m->depth);
    case REBUILD_TENSOR:
        return make_tensor(m, args.items);
    case REBUILD_PARAMETER: /* (tensor, requires_grad, hooks) */
        if (args.items->count < 1 || args.items->values[0].kind != TENSOR)
            return damaged(m, "a parameter that is no tensor");
        return push(m, args.items->values[0]);
    default:
        return message_bad(m->path, m->err, "the pickle calls \"%s.%s\"; only tensors are read",
                           NAMES[callable.global].module, NAMES[callable.global].name);
    }
}

/* The state of a dictionary is the metadata that PyTorch keeps there: nothing of the tensors. */
static bool build(Machine *m)
{
    Value state;
    if (!pop(m, &state))
        return false;
    const Value *object = top(m);
    return (object != NULL && object->kind == DICT) || damaged(m, "a state for what is no dictionary");
}

/* --- instructions --- */

static bool run_memo(Machine *m, uint8_t op)
{
    uint64_t i = 0;
    bool wide = op == 'r' || op == 'j';
    if (!take_number(m, wide ? 4 : 1, &i))
        return false;
    return op == 'q' || op == 'r' ? memo_put(m, i) : memo_get(m, i);
}

/* Instructions that only push a value. False with *known false: it is none of them. */
static bool run_literal(Machine *m, uint8_t op, bool *known)
{
    *known = true;
    switch (op) {
    case 'N':
        return push(m, (Value){.kind = NONE});
    case 0x88: /* NEWTRUE, NEWFALSE */
    case 0x89:
        return push(m, (Value){.kind = BOOL, .integer = op == 0x88});
    case 'K':
        return push_int(m, 1);
    case 'M':
        return push_int(m, 2);
    case 'J':
        return push_int(m, 4);
    case 0x8a: /* LONG1 */
        return push_long(m);
    case 'G':
        return push_float(m);
    case 0x8c: /* SHORT_BINUNICODE */
    case 'U':
        return push_text(m, 1);
    case 'X':
    case 'T':
        return push_text(m, 4);
    case '(':
        return push(m, (Value){.kind = MARK});
    case 'c':
        return read_global(m);
    default:
        *known = false;
        return false;
    }
}

/* Those that gather values, or add some to a list or dictionary. */
static bool run_container(Machine *m, uint8_t op, bool *known)
{
    *known = true;
    switch (op) {
    case ')':
        return gather(m, TUPLE, m->depth);
    case ']':
        return gather(m, LIST, m->depth);
    case '}':
        return gather(m, DICT, m->depth);
    case 't':
        return gather_marked(m, TUPLE);
    case 'l':
        return gather_marked(m, LIST);
    case 'd':
        return gather_marked(m, DICT);
    case 0x85: /* TUPLE1, TUPLE2, TUPLE3 */
    case 0x86:
    case 0x87:
        return gather_top(m, (size_t)op - 0x84);
    case 'a':
        return m->depth >= 2 ? add_items(m, LIST, m->depth - 1, 0) : damaged(m, "the stack is empty");
    case 'e':
        return add_marked(m, LIST);
    case 's':
        return m->depth >= 3 ? add_items(m, DICT, m->depth - 2, 0) : damaged(m, "the stack is empty");
    case 'u':
        return add_marked(m, DICT);
    default:
        *known = false;
        return false;
    }
}

static bool run_one(Machine *m, uint8_t op)
{
    uint64_t ignored;
    Value v;
    bool known, ok = run_literal(m, op, &known) || (!known && run_container(m, op, &known));
    if (known)
        return ok;
    switch (op) {
    case 0x80: /* PROTO */
        return take_number(m, 1, &ignored);
    case 0x95: /* FRAME */
        return take_number(m, 8, &ignored);
    case 'q':
    case 'r':
    case 'h':
    case 'j':
        return run_memo(m, op);
    case 0x94: /* MEMOIZE */
        return memo_put(m, m->memoized++);
    case 0x93: /* STACK_GLOBAL */
        return stack_global(m);
    case 'Q':
        return make_storage(m);
    case 'R':
        return reduce(m);
    case 'b':
        return build(m);
    case '0':
        return pop(m, &v);
    default:
        return message_bad(m->path, m->err,
                           "the pickle has the instruction 0x%02x at byte %zu, which tensors do not need", op,
                           (size_t)(m->p - 1 - m->begin));
    }
}

static bool run(Machine *m)
{
    for (;;) {
        const uint8_t *op;
        if (!take(m, 1, &op))
            return false;
        if (*op == '.')
            return true;
        if (!run_one(m, *op))
            return false;
    }
}

/* --- the result --- */

static size_t count_tensors(const Items *dict)
{
    size_t n = 0;
    for (size_t i = 0; i + 1 < dict->count; i += 2)
        n += dict->values[i + 1].kind == TENSOR;
    return n;
}

/* The dictionary itself, or the only one in it that has tensors. */
static const Items *find_tensors(Machine *m)
{
    const Value *result = top(m);
    const Items *dict = result != NULL && result->kind == DICT ? result->items : NULL;
    if (dict == NULL) {
        message_bad(m->path, m->err, "the pickle is no dictionary of tensors");
        return NULL;
    }
    const Items *found = count_tensors(dict) > 0 ? dict : NULL;
    for (size_t i = 0; found != dict && i + 1 < dict->count; i += 2) {
        const Value *v = &dict->values[i + 1];
        if (v->kind != DICT || count_tensors(v->items) == 0)
            continue;
        if (found != NULL && found != v->items) {
            message_bad(m->path, m->err, "the pickle has several dictionaries of tensors, which one?");
            return NULL;
        }
        found = v->items;
    }
    if (found == NULL)
        message_bad(m->path, m->err, "no tensors in the pickle");
    return found;
}

static bool collect(Machine *m, Pickled *out)
{
    const Items *dict = find_tensors(m);
    if (dict == NULL)
        return false;
    size_t count = count_tensors(dict);
    out->tensors = arena_alloc(m->memory, count * sizeof *out->tensors);
    if (out->tensors == NULL)
        return message_no_memory(m->path, m->err);
    for (size_t i = 0; i + 1 < dict->count; i += 2) {
        const Value *key = &dict->values[i], *v = &dict->values[i + 1];
        if (v->kind != TENSOR)
            continue;
        if (key->kind != TEXT)
            return message_bad(m->path, m->err, "a tensor without a name in the pickle");
        PickledTensor *t = &out->tensors[out->count];
        *t = *v->tensor;
        if ((t->name = copy_text(m, key->text)) == NULL)
            return false;
        out->count++;
    }
    return true;
}

bool pickle_read(Pickled *out, Arena *memory, const uint8_t *bytes, size_t size, const char *path,
                 SoraError *err)
{
    *out = (Pickled){0};
    if (size > MAX_PICKLE)
        return message_bad(path, err, "a pickle of %zu bytes, at most %d are accepted", size, MAX_PICKLE);
    Machine m = {.p = bytes, .begin = bytes, .end = bytes + size, .path = path, .memory = memory, .err = err};
    bool ok = run(&m) && collect(&m, out);
    free(m.stack);
    free(m.memo);
    return ok;
}
