#include "train/sights.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"

enum { MAX_BYTES = 64 << 20, MAX_LINE = 512, MAX_DEPTH = 8 };

typedef struct Entry {
    uint64_t key;
    Sight sight;
} Entry;

struct Sights {
    char *path;
    Entry *entries;
    int count, capacity;
    int fd; /* for appending */
};

static bool keep(Sights *s, uint64_t key, const Sight *sight, SoraError *err)
{
    if (s->count == s->capacity) {
        int capacity = s->capacity > 0 ? 2 * s->capacity : 256;
        Entry *entries = realloc(s->entries, (size_t)capacity * sizeof *entries);
        if (entries == NULL)
            return error_set(err, SORA_ERROR_MEMORY, "out of memory");
        s->entries = entries;
        s->capacity = capacity;
    }
    s->entries[s->count++] = (Entry){key, *sight};
    return true;
}

/* The numbers of a track, in the order in which a line has them. */
enum { TRACK_NUMBERS = 7 };

static void track_numbers(Track *t, double *out[TRACK_NUMBERS])
{
    double *numbers[TRACK_NUMBERS] = {&t->dx, &t->dy, &t->mass, &t->drop, &t->early, &t->rebound, &t->back};
    memcpy(out, numbers, sizeof numbers);
}

/* KEY, an answer for each question, the named colour, the track's numbers. False when the line is not that. */
static bool parse(const char *line, uint64_t *key, Sight *sight)
{
    char *end;
    *sight = (Sight){.seen = true};
    *key = strtoull(line, &end, 16);
    if (end != line + 16)
        return false;
    int *numbers[QUESTIONS + 1];
    for (int q = 0; q < QUESTIONS; q++)
        numbers[q] = &sight->verdict.answer[q];
    numbers[QUESTIONS] = &sight->verdict.named_colour;
    for (int i = 0; i <= QUESTIONS; i++) {
        const char *at = end;
        long v = strtol(at, &end, 10);
        if (end == at || *at != '\t' || v < 0 || v >= MAX_ANSWERS)
            return false;
        *numbers[i] = (int)v;
    }
    double *reals[TRACK_NUMBERS];
    track_numbers(&sight->track, reals);
    for (int i = 0; i < TRACK_NUMBERS; i++) {
        const char *at = end;
        *reals[i] = strtod(at, &end);
        if (end == at || *at != '\t' || !isfinite(*reals[i]))
            return false;
    }
    return *end == 0;
}

static bool load(Sights *s, SoraError *err)
{
    if (!file_exists(s->path))
        return true;
    char *text = file_read(s->path, MAX_BYTES, NULL, err);
    bool ok = text != NULL;
    for (char *line = text, *end; ok && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        uint64_t key;
        Sight sight;
        *end = 0;
        if (parse(line, &key, &sight))
            ok = keep(s, key, &sight, err);
    }
    free(text);
    return ok;
}

Sights *sights_open(const char *path, SoraError *err)
{
    Sights *s = calloc(1, sizeof *s);
    if (s == NULL || (s->path = strdup(path)) == NULL) {
        free(s);
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
        return NULL;
    }
    s->fd = -1;
    if (load(s, err)) {
        s->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        char last = '\n';
        off_t size = s->fd >= 0 ? lseek(s->fd, 0, SEEK_END) : 0;
        /* A half line ends here, or the next sight would be part of it. */
        bool ok = s->fd >= 0 && (size <= 0 || pread(s->fd, &last, 1, size - 1) == 1) && (last == '\n' || write(s->fd, "\n", 1) == 1);
        if (ok)
            return s;
        error_set(err, SORA_ERROR_IO, "%s: cannot write", path);
    }
    sights_close(s);
    return NULL;
}

void sights_close(Sights *s)
{
    if (s == NULL)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->entries);
    free(s->path);
    free(s);
}

int sights_count(const Sights *s)
{
    return s->count;
}

bool sights_find(const Sights *s, uint64_t key, Sight *out)
{
    for (int i = 0; i < s->count; i++)
        if (s->entries[i].key == key) {
            *out = s->entries[i].sight;
            return true;
        }
    return false;
}

bool sights_add(Sights *s, uint64_t key, const Sight *sight, SoraError *err)
{
    char line[MAX_LINE];
    int n = snprintf(line, sizeof line, "%016" PRIx64, key);
    for (int q = 0; q < QUESTIONS; q++)
        n += snprintf(line + n, sizeof line - (size_t)n, "\t%d", sight->verdict.answer[q]);
    n += snprintf(line + n, sizeof line - (size_t)n, "\t%d", sight->verdict.named_colour);
    Track track = sight->track;
    double *reals[TRACK_NUMBERS];
    track_numbers(&track, reals);
    for (int i = 0; i < TRACK_NUMBERS; i++)
        n += snprintf(line + n, sizeof line - (size_t)n, "\t%.5f", *reals[i]);
    n += snprintf(line + n, sizeof line - (size_t)n, "\n");
    if (write(s->fd, line, (size_t)n) != n)
        return error_set(err, SORA_ERROR_IO, "%s: cannot write", s->path);
    return keep(s, key, sight, err);
}

static bool hash_file(const char *path, uint64_t *hash, SoraError *err)
{
    FileMap map;
    if (!file_map_open(&map, path, err))
        return false;
    *hash = hash64(*hash, map.data, map.size);
    file_map_close(&map);
    return true;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* What weights, sizes and words are kept in, not what is written about them. */
static bool is_part(const char *name)
{
    static const char *const ENDINGS[] = {".safetensors", ".json", ".model", ".gguf", ".pth", ".ckpt", ".txt"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof ENDINGS / sizeof *ENDINGS; i++)
        if (strcmp(dot, ENDINGS[i]) == 0)
            return true;
    return false;
}

static bool hash_below(const char *path, int depth, uint64_t *hash, SoraError *err)
{
    if (!dir_exists(path))
        return hash_file(path, hash, err);
    struct dirent **items;
    int n = depth < MAX_DEPTH ? scandir(path, &items, NULL, by_name) : -1;
    if (n < 0)
        return error_set(err, SORA_ERROR_IO, "%s: cannot read the folder", path);
    bool ok = true;
    for (int i = 0; i < n; i++) {
        const char *name = items[i]->d_name;
        char below[4096];
        bool describes = strcmp(name, "captioner") == 0 || strcmp(name, "captioner.json") == 0; /* videos, and makes none */
        if (ok && name[0] != '.' && !describes) {
            ok = (size_t)snprintf(below, sizeof below, "%s/%s", path, name) < sizeof below ||
                 error_set(err, SORA_ERROR_INPUT, "%.100s...: path too long", path);
            if (ok && (is_part(name) || dir_exists(below))) {
                *hash = hash64(*hash, name, strlen(name) + 1);
                ok = hash_below(below, depth + 1, hash, err);
            }
        }
        free(items[i]);
    }
    free(items);
    return ok;
}

bool hash_model(const char *path, uint64_t *hash, SoraError *err)
{
    *hash = HASH64_START;
    return hash_below(path, 0, hash, err);
}
