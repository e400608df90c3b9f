#include "policy/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "policy/classifier.h"
#include "policy/prompt_list.h"

static const float ALIKE = 0.3f; /* of all features of two prompts, what makes them near-duplicates */

enum { FOLDS = 5, WHOLE = FOLDS, BENIGN = -1, MAX_FILE = 64 << 20 };

typedef struct FitRow {
    uint32_t *features;
    uint32_t count;
    int category; /* BENIGN or an index */
    int fold;
    size_t group; /* the index of another row of its group, or its own */
    bool own;
} FitRow;

typedef struct Fit {
    const FitSettings *settings;
    Arena arena;
    FitRow *rows;
    size_t count, capacity;
    FitResult *result;
    bool own, failed; /* while reading */
    uint32_t *scratch;
    size_t scratch_count, scratch_capacity;
} Fit;

FitSettings fit_settings(void)
{
    return (FitSettings){
        .epochs = 30, .seed = 1, .rate = 0.1f, .decay = 2e-5f, .alarms_own = 0.002, .alarms_others = 0.0006, .own_weight = 3, .useful = 0.05};
}

static void collect(void *user, uint32_t row)
{
    Fit *f = user;
    if (f->scratch_count == f->scratch_capacity) {
        size_t capacity = 2 * f->scratch_capacity + 256;
        uint32_t *more = realloc(f->scratch, capacity * sizeof *more);
        f->failed = f->failed || more == NULL;
        if (more == NULL)
            return;
        f->scratch = more;
        f->scratch_capacity = capacity;
    }
    f->scratch[f->scratch_count++] = row;
}

/* The index of the category, a new one if there is room; -2: none. */
static int category_index(FitResult *r, const char *name)
{
    for (int i = 0; i < r->categories; i++) {
        if (strcmp(r->figures[i].category, name) == 0)
            return i;
    }
    if (r->categories == CLASSIFIER_CATEGORIES || strlen(name) >= CLASSIFIER_NAME)
        return -2;
    strcpy(r->figures[r->categories].category, name);
    return r->categories++;
}

static bool grow(Fit *f)
{
    if (f->count < f->capacity)
        return true;
    size_t capacity = 2 * f->capacity + 1024;
    FitRow *more = realloc(f->rows, capacity * sizeof *more);
    if (more == NULL)
        return false;
    f->rows = more;
    f->capacity = capacity;
    return true;
}

/* A row for each window of the text, as the classifier will see it. */
static bool add_windows(Fit *f, const Folded *text, FitRow row)
{
    size_t words = 1;
    for (size_t first = 0; first == 0 || first + CLASSIFIER_WINDOW / 2 < words; first += CLASSIFIER_WINDOW / 2) {
        f->scratch_count = 0;
        words = classifier_features(text, first, CLASSIFIER_WINDOW, collect, f);
        row.count = (uint32_t)f->scratch_count;
        row.features = arena_alloc(&f->arena, (f->scratch_count + 1) * sizeof *row.features);
        if (row.features == NULL || f->failed || !grow(f))
            return false;
        if (f->scratch_count > 0)
            memcpy(row.features, f->scratch, f->scratch_count * sizeof *row.features);
        f->rows[f->count++] = row;
    }
    return true;
}

static bool add_prompt(Fit *f, const PromptLine *line, SoraError *err)
{
    FitRow row = {.category = BENIGN, .own = f->own};
    row.fold = (int)(hash32(HASH32_START, line->text, line->size) % FOLDS);
    if (line->harmful) {
        row.category = category_index(f->result, line->category);
        if (row.category < BENIGN)
            return error_set(err, SORA_ERROR_INPUT, "more than %d categories", CLASSIFIER_CATEGORIES);
        f->result->figures[row.category].harmful++;
    }
    Folded forms[FOLD_ONE + 1];
    if (!fold_text(line->text, line->size, forms, FOLD_ONE + 1))
        return error_no_memory(err);
    bool ok = add_windows(f, &forms[FOLD_ONE], row);
    for (int i = 0; i <= FOLD_ONE; i++)
        folded_deinit(&forms[i]);
    f->result->prompts++;
    return ok || error_no_memory(err);
}

static int ascending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Do two rows with sorted features share at least so much of what either has? */
static bool is_alike(const FitRow *a, const FitRow *b)
{
    uint32_t i = 0, k = 0, shared = 0;
    while (i < a->count && k < b->count) {
        uint32_t x = a->features[i], y = b->features[k];
        shared += x == y;
        i += x <= y;
        k += y <= x;
    }
    return (float)shared >= ALIKE * (float)(a->count + b->count - shared);
}

static size_t first_of_group(FitRow *rows, size_t i)
{
    while (rows[i].group != i)
        i = rows[i].group = rows[rows[i].group].group;
    return i;
}

/* Our own prompts that are alike, and those that are like one of them, are in one fold, so that none is judged by a model that has seen
 * its twin. */
static void group_folds(Fit *f)
{
    FitRow *rows = f->rows;
    for (size_t i = 0; i < f->count; i++) {
        qsort(rows[i].features, rows[i].count, sizeof(uint32_t), ascending);
        rows[i].group = i;
    }
    for (size_t i = 0; i < f->count && rows[i].own; i++) {
        for (size_t k = 0; k < i; k++) {
            if (is_alike(&rows[i], &rows[k]))
                rows[first_of_group(rows, i)].group = first_of_group(rows, k);
        }
    }
    for (size_t i = 0; i < f->count; i++)
        rows[i].fold = rows[first_of_group(rows, i)].fold;
}

static bool read_prompts(Fit *f, const char *path, SoraError *err)
{
    size_t size;
    char *text = file_read(path, MAX_FILE, &size, err);
    bool ok = text != NULL;
    PromptList list = {.text = text, .size = size};
    PromptLine line;
    while (ok && prompt_list_next(&list, &line, &ok, err))
        ok = add_prompt(f, &line, err);
    if (text != NULL && !ok)
        error_wrap(err, "%s:%d", path, list.line);
    free(text);
    return ok;
}

/* One category's weights while they are trained. */
typedef struct Model {
    float *w, *square, *mean; /* [CLASSIFIER_ROWS + 1], the last is the bias; mean: over the second half of all epochs */
} Model;

static float margin(const float *w, const FitRow *row)
{
    float sum = 0;
    for (uint32_t i = 0; i < row->count; i++)
        sum += w[row->features[i]];
    return w[CLASSIFIER_ROWS] + (row->count > 0 ? sum / sqrtf((float)row->count) : 0);
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

static void step(const FitSettings *s, Model *m, const FitRow *row, float target, float weight)
{
    float error = weight * (sigmoid(margin(m->w, row)) - target);
    float value = row->count > 0 ? error / sqrtf((float)row->count) : 0;
    for (uint32_t i = 0; i <= row->count; i++) {
        uint32_t k = i < row->count ? row->features[i] : CLASSIFIER_ROWS;
        float g = (i < row->count ? value + s->decay * m->w[k] : error);
        m->square[k] += g * g;
        m->w[k] -= s->rate * g / (sqrtf(m->square[k]) + 1e-4f);
    }
}

/* Trains on all rows that are of the category or benign, and not of the fold. */
static void train(const Fit *f, Model *m, uint32_t *order, int category, int fold)
{
    size_t n = 0, harmful = 0, averaged = 0, bytes = (CLASSIFIER_ROWS + 1) * sizeof(float);
    for (size_t i = 0; i < f->count; i++) {
        const FitRow *row = &f->rows[i];
        if (row->fold == fold || (row->category != BENIGN && row->category != category))
            continue;
        order[n++] = (uint32_t)i;
        harmful += row->category == category;
    }
    memset(m->w, 0, bytes);
    memset(m->square, 0, bytes);
    memset(m->mean, 0, bytes);
    float balance = harmful > 0 ? sqrtf((float)(n - harmful) / (float)harmful) : 1;
    Rng rng;
    rng_init(&rng, f->settings->seed, (uint64_t)(category * (FOLDS + 1) + fold));
    for (int epoch = 0; epoch < f->settings->epochs; epoch++) {
        for (size_t i = n; i > 1; i--) {
            size_t k = (size_t)rng_int(&rng, (int)i);
            uint32_t swap = order[i - 1];
            order[i - 1] = order[k];
            order[k] = swap;
        }
        for (size_t i = 0; i < n; i++) {
            const FitRow *row = &f->rows[order[i]];
            bool wanted = row->category == category;
            step(f->settings, m, row, wanted, (row->own ? f->settings->own_weight : 1) * (wanted ? balance : 1));
        }
        if (2 * epoch < f->settings->epochs - 1)
            continue;
        averaged++;
        for (size_t k = 0; k <= CLASSIFIER_ROWS; k++)
            m->mean[k] += (m->w[k] - m->mean[k]) / (float)averaged;
    }
}

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* The probability that only a share of the n scores is above. */
static float limit(float *scores, size_t n, double share)
{
    size_t allowed = (size_t)(share * (double)n);
    qsort(scores, n, sizeof *scores, descending);
    return n > allowed ? scores[allowed] : 0;
}

/* The threshold of a category, and what it finds, from scores[i] that each row got from the model that had not seen it. */
static void choose_threshold(const Fit *f, const float *scores, float *scratch, int category)
{
    FitFigures *figures = &f->result->figures[category];
    float threshold = 0.5f;
    for (int own = 0; own < 2; own++) {
        size_t n = 0;
        for (size_t i = 0; i < f->count; i++) {
            if (f->rows[i].category == BENIGN && f->rows[i].own == (own == 1))
                scratch[n++] = scores[i];
        }
        float t = nextafterf(limit(scratch, n, own ? f->settings->alarms_own : f->settings->alarms_others), 1);
        threshold = t > threshold ? t : threshold;
    }
    int all = 0, found = 0;
    for (size_t i = 0; i < f->count; i++) {
        bool wanted = f->rows[i].own && f->rows[i].category == category;
        all += wanted;
        found += wanted && scores[i] >= threshold;
    }
    figures->found = all > 0 ? (double)found / all : 0;
    figures->threshold = figures->found < f->settings->useful ? 1 : threshold;
}

static void put_u32(Buffer *b, uint32_t v)
{
    char bytes[4] = {(char)v, (char)(v >> 8), (char)(v >> 16), (char)(v >> 24)};
    buffer_append(b, bytes, 4);
}

static void put_f32(Buffer *b, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_u32(b, bits);
}

/* Rounds the weights; returns their scale. */
static float quantise(const float *w, int8_t *to, int stride)
{
    float most = 1e-6f;
    for (size_t k = 0; k < CLASSIFIER_ROWS; k++)
        most = fabsf(w[k]) > most ? fabsf(w[k]) : most;
    for (size_t k = 0; k < CLASSIFIER_ROWS; k++)
        to[k * (size_t)stride] = (int8_t)lrintf(w[k] / most * 127);
    return most / 127;
}

static bool train_all(Fit *f, SoraError *err)
{
    FitResult *r = f->result;
    size_t floats = CLASSIFIER_ROWS + 1;
    float *memory = malloc(3 * floats * sizeof *memory), *scores = malloc(2 * f->count * sizeof *scores);
    int8_t *table = calloc(CLASSIFIER_ROWS, (size_t)r->categories);
    uint32_t *order = malloc(f->count * sizeof *order);
    bool ok = memory != NULL && scores != NULL && table != NULL && order != NULL;
    Model m = {memory, memory + (ok ? floats : 0), memory + (ok ? 2 * floats : 0)};
    buffer_append(&r->file, "SORACLS1", 8);
    put_u32(&r->file, (uint32_t)r->categories);
    put_u32(&r->file, CLASSIFIER_ROWS);
    for (int k = 0; ok && k < r->categories; k++) {
        char name[CLASSIFIER_NAME] = {0};
        for (int fold = 0; fold < FOLDS; fold++) {
            train(f, &m, order, k, fold);
            for (size_t i = 0; i < f->count; i++) {
                if (f->rows[i].fold == fold)
                    scores[i] = sigmoid(margin(m.mean, &f->rows[i]));
            }
        }
        choose_threshold(f, scores, scores + f->count, k);
        train(f, &m, order, k, WHOLE);
        strcpy(name, r->figures[k].category);
        buffer_append(&r->file, name, sizeof name);
        put_f32(&r->file, m.mean[CLASSIFIER_ROWS]);
        put_f32(&r->file, quantise(m.mean, table + k, r->categories));
        put_f32(&r->file, r->figures[k].threshold);
    }
    if (ok)
        buffer_append(&r->file, (const char *)table, (size_t)CLASSIFIER_ROWS * (size_t)r->categories);
    free(memory);
    free(scores);
    free(table);
    free(order);
    return (ok && !r->file.failed) || error_no_memory(err);
}

bool policy_fit(const char *const *paths, int count, const FitSettings *settings, FitResult *result, SoraError *err)
{
    *result = (FitResult){0};
    Fit f = {.settings = settings, .result = result};
    arena_init(&f.arena, 1 << 20);
    bool ok = true;
    for (int i = 0; ok && i < count; i++) {
        f.own = i == 0;
        ok = read_prompts(&f, paths[i], err);
    }
    if (ok && result->categories == 0)
        ok = error_set(err, SORA_ERROR_INPUT, "no harmful prompts in the files");
    if (ok)
        group_folds(&f);
    ok = ok && train_all(&f, err);
    arena_deinit(&f.arena);
    free(f.rows);
    free(f.scratch);
    if (!ok)
        buffer_deinit(&result->file);
    return ok;
}
