#include "policy/classifier.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

enum { SHORTEST = 3, LONGEST = 5, WIDE_LONGEST = 3, TOKEN = 64, HEAD_BYTES = CLASSIFIER_NAME + 12, FILE_HEAD = 16 };

static uint32_t read_u32(const unsigned char *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static float read_f32(const unsigned char *p)
{
    uint32_t bits = read_u32(p);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

bool classifier_init(Classifier *c, const void *bytes, size_t size, SoraError *err)
{
    const unsigned char *p = bytes;
    *c = (Classifier){0};
    if (size == 0)
        return true;
    if (size < FILE_HEAD || memcmp(p, "SORACLS1", 8) != 0)
        return error_set(err, SORA_ERROR_INPUT, "no classifier of a policy");
    uint32_t count = read_u32(p + 8), rows = read_u32(p + 12);
    if (count == 0 || count > CLASSIFIER_CATEGORIES || rows != CLASSIFIER_ROWS)
        return error_set(err, SORA_ERROR_INPUT, "%u categories and %u rows, expected at most %d and %d", (unsigned)count, (unsigned)rows,
                         CLASSIFIER_CATEGORIES, CLASSIFIER_ROWS);
    if (size != FILE_HEAD + (size_t)count * HEAD_BYTES + (size_t)rows * count)
        return error_set(err, SORA_ERROR_INPUT, "the classifier has %zu bytes, expected %zu", size,
                         FILE_HEAD + (size_t)count * HEAD_BYTES + (size_t)rows * count);
    for (uint32_t i = 0; i < count; i++) {
        const unsigned char *h = p + FILE_HEAD + i * HEAD_BYTES;
        ClassifierHead *head = &c->heads[i];
        memcpy(head->name, h, CLASSIFIER_NAME);
        head->name[CLASSIFIER_NAME - 1] = 0;
        head->bias = read_f32(h + CLASSIFIER_NAME);
        head->scale = read_f32(h + CLASSIFIER_NAME + 4);
        head->threshold = read_f32(h + CLASSIFIER_NAME + 8);
    }
    c->count = (int)count;
    c->weights = (const int8_t *)(p + FILE_HEAD + count * HEAD_BYTES);
    return true;
}

static uint32_t row_of(uint32_t hash)
{
    hash ^= hash >> 16;
    hash *= 0x85ebca6bu;
    hash ^= hash >> 13;
    return hash & (CLASSIFIER_ROWS - 1);
}

static size_t character(const char *s, size_t n)
{
    size_t k = 1;
    while (k < n && ((unsigned char)s[k] & 0xc0) == 0x80)
        k++;
    return k;
}

/* Runs of letters of one word with a mark before and after it; of a script without spaces shorter ones. */
static void give_letters(const char *s, size_t n, bool wide, FeatureListener *listener, void *user)
{
    char token[TOKEN + 2];
    size_t starts[TOKEN + 3], count = 0;
    n = n < TOKEN ? n : TOKEN;
    token[0] = '<';
    memcpy(token + 1, s, n);
    token[n + 1] = '>';
    for (size_t i = 0; i < n + 2; i += character(token + i, n + 2 - i))
        starts[count++] = i;
    starts[count] = n + 2;
    size_t low = wide ? 1 : SHORTEST, high = wide ? WIDE_LONGEST : LONGEST;
    for (size_t size = low; size <= high; size++) {
        for (size_t i = 0; i + size <= count; i++)
            listener(user, row_of(hash32(HASH32_START + 1, token + starts[i], starts[i + size] - starts[i])));
    }
}

size_t classifier_features(const Folded *f, size_t first, size_t count, FeatureListener *listener, void *user)
{
    size_t words = 0;
    uint32_t before = 0; /* hash of the word before; 0: none */
    for (size_t i = 0; i < f->size;) {
        int class = f->marks[i] & CLASS_MASK;
        size_t n = 0;
        while (i + n < f->size && (f->marks[i + n] & CLASS_MASK) == class)
            n++;
        bool word = class != CLASS_SPACE;
        if (word && words >= first && words < first + count) {
            uint32_t hash = hash32(HASH32_START, f->bytes + i, n);
            listener(user, row_of(hash));
            if (before != 0)
                listener(user, row_of(hash32(before, f->bytes + i, n)));
            give_letters(f->bytes + i, n, class == CLASS_FREE || class == CLASS_KATAKANA, listener, user);
            before = hash32(hash, " ", 1);
        } else if (word) {
            before = 0;
        }
        words += word;
        i += n;
    }
    return words;
}

typedef struct Sum {
    const Classifier *c;
    int32_t at[CLASSIFIER_CATEGORIES];
    uint32_t features;
} Sum;

static void add_row(void *user, uint32_t row)
{
    Sum *s = user;
    const int8_t *w = s->c->weights + (size_t)row * (size_t)s->c->count;
    for (int k = 0; k < s->c->count; k++)
        s->at[k] += w[k];
    s->features++;
}

void classifier_score(const Classifier *c, const Folded *f, float *probability)
{
    for (int k = 0; k < c->count; k++)
        probability[k] = 0;
    size_t words = 1;
    for (size_t first = 0; c->count > 0 && (first == 0 || first + CLASSIFIER_WINDOW / 2 < words); first += CLASSIFIER_WINDOW / 2) {
        Sum sum = {.c = c};
        words = classifier_features(f, first, CLASSIFIER_WINDOW, add_row, &sum);
        for (int k = 0; sum.features >= CLASSIFIER_LEAST && k < c->count; k++) {
            float x = c->heads[k].bias + c->heads[k].scale * (float)sum.at[k] / sqrtf((float)sum.features), p = 1 / (1 + expf(-x));
            probability[k] = p > probability[k] ? p : probability[k];
        }
    }
}
