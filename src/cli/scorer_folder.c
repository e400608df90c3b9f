#include "cli/scorer_folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "media/video_list.h"
#include "media/video_reader.h"
#include "train/look.h"

enum { SIDE = 160, MAX_FRAMES = 1024, MAX_PATH = 4096, MAX_TEXT = 1 << 16 };

struct ScorerFolder {
    VideoList files;
    int *file; /* [rows * seeds]: 1 + a number of files; 0: none */
    int rows, seeds, strangers;
};

static int row_of_id(const Asks *asks, const char *name, size_t length)
{
    for (int i = 0; i < asks->count; i++)
        if (asks->items[i].id != NULL && strlen(asks->items[i].id) == length && strncmp(asks->items[i].id, name, length) == 0)
            return i;
    return -1;
}

/* ID or ID-SEED. */
static int row_of_name(const Asks *asks, const char *path, int *seed)
{
    const char *name = strrchr(path, '/') + 1, *dot = strrchr(name, '.'), *dash = dot;
    size_t length = (size_t)(dot - name);
    int row = row_of_id(asks, name, length);
    *seed = 0;
    if (row >= 0)
        return row;
    while (dash > name && *dash != '-')
        dash--;
    char *end;
    long number = *dash == '-' ? strtol(dash + 1, &end, 10) : -1;
    if (number < 0 || number > 1000000 || end != dot || end == dash + 1)
        return -1;
    *seed = (int)number;
    return row_of_id(asks, name, (size_t)(dash - name));
}

/* The text beside it has the prompt. */
static int row_of_text(const Asks *asks, const char *path)
{
    char text_path[MAX_PATH];
    SoraError ignored = {0};
    snprintf(text_path, sizeof text_path, "%.*s.txt", (int)(strrchr(path, '.') - path), path);
    char *text = file_exists(text_path) ? file_read(text_path, MAX_TEXT, NULL, &ignored) : NULL;
    int row = -1;
    if (text != NULL)
        text[strcspn(text, "\r\n")] = 0;
    for (int i = 0; text != NULL && row < 0 && i < asks->count; i++)
        if (strcmp(asks->items[i].prompt, text) == 0)
            row = i;
    free(text);
    return row;
}

static void match(ScorerFolder *f, const char *command, const Asks *asks, int number)
{
    const char *path = f->files.paths[number];
    int seed, row = row_of_name(asks, path, &seed);
    if (row < 0 && (row = row_of_text(asks, path)) >= 0)
        for (seed = 0; seed < f->seeds && f->file[row * f->seeds + seed] != 0;)
            seed++;
    if (row >= 0 && seed < f->seeds && f->file[row * f->seeds + seed] == 0) {
        f->file[row * f->seeds + seed] = 1 + number;
        return;
    }
    f->strangers++;
    if (row < 0)
        fprintf(stderr, "%s: %s: not looked at: it has no prompt's id as its name and no text beside it with one of the prompts\n", command, path);
    else
        fprintf(stderr, "%s: %s: not looked at: it is of seed %d, --seeds %d are looked at\n", command, path, seed, f->seeds);
}

ScorerFolder *scorer_folder_open(const char *command, const char *folder, const Asks *asks, int seeds, SoraError *err)
{
    ScorerFolder *f = calloc(1, sizeof *f);
    if (f == NULL || (f->file = calloc((size_t)asks->count * (size_t)seeds + 1, sizeof *f->file)) == NULL) {
        free(f);
        error_no_memory(err);
        return NULL;
    }
    f->rows = asks->count;
    f->seeds = seeds;
    bool ok = video_list_read(&f->files, folder, err);
    for (int i = 0; ok && i < f->files.count; i++)
        match(f, command, asks, i);
    if (ok && f->strangers == f->files.count)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: no video of one of the prompts in it", folder);
    if (ok)
        return f;
    scorer_folder_close(f);
    return NULL;
}

void scorer_folder_close(ScorerFolder *f)
{
    if (f == NULL)
        return;
    video_list_deinit(&f->files);
    free(f->file);
    free(f);
}

const char *scorer_folder_path(const ScorerFolder *f, int row, int seed)
{
    int number = f->file[row * f->seeds + seed];
    return number > 0 ? f->files.paths[number - 1] : NULL;
}

int scorer_folder_strangers(const ScorerFolder *f)
{
    return f->strangers;
}

/* One more frame, as a square. */
static bool add_frame(Strip *strip, const uint8_t *rgb, int width, int height, SoraError *err)
{
    enum { NUMBERS = SIDE * SIDE * 3 };
    static const size_t SIZE = NUMBERS;
    uint8_t *more = realloc(strip->rgb, SIZE * (size_t)(strip->frames + 1));
    float *square = malloc(NUMBERS * sizeof *square);
    if (more != NULL)
        strip->rgb = more;
    if (more == NULL || square == NULL) {
        free(square);
        return error_no_memory(err);
    }
    look_shrink(rgb, width, height, SIDE, square);
    for (size_t i = 0; i < SIZE; i++)
        more[SIZE * (size_t)strip->frames + i] = (uint8_t)lrintf((square[i] + 1) * 127.5f);
    strip->frames++;
    free(square);
    return true;
}

bool scorer_folder_read(const ScorerFolder *f, int row, int seed, Strip *strip, SoraError *err)
{
    const char *path = scorer_folder_path(f, row, seed);
    VideoReader *r = video_reader_open(path, &(VideoReaderOptions){0}, err);
    const uint8_t *rgb = NULL;
    bool ok = r != NULL;
    if (ok)
        *strip = (Strip){.width = SIDE, .height = SIDE, .fps = video_reader_fps(r)};
    while (ok && (ok = video_reader_read(r, &rgb, err)) && rgb != NULL)
        ok = strip->frames < MAX_FRAMES ? add_frame(strip, rgb, video_reader_width(r), video_reader_height(r), err)
                                        : error_set(err, SORA_ERROR_INPUT, "%s: more than %d frames", path, MAX_FRAMES);
    video_reader_close(r);
    if (ok && strip->frames == 0)
        ok = error_set(err, SORA_ERROR_INPUT, "%s: no frames in it", path);
    if (!ok)
        strip_deinit(strip);
    return ok;
}
