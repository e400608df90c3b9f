#include "cli/prompt_sheet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "media/sheet.h"

enum { MAX_PROMPTS = 1000, MAX_BYTES = 1 << 20 };

/* The prompts of a file; text holds them, also when loading fails. */
typedef struct Prompts {
    char *text;
    char *items[MAX_PROMPTS];
    int count;
} Prompts;

/* Field `column` of a line, ended by a 0 byte; NULL when there are fewer. */
static char *field(char *line, int column)
{
    for (; column > 0; column--) {
        line = strchr(line, '\t');
        if (line == NULL)
            return NULL;
        line++;
    }
    line[strcspn(line, "\t")] = 0;
    return line;
}

static int find_column(char *header)
{
    int column = 0;
    for (char *s = header; s != NULL; column++) {
        char *end = strchr(s, '\t');
        if (strncmp(s, "prompt", 6) == 0 && (s[6] == 0 || s[6] == '\t'))
            return column;
        s = end != NULL ? end + 1 : NULL;
    }
    return -1;
}

static bool prompts_load(Prompts *p, const char *path, SoraError *err)
{
    *p = (Prompts){.text = file_read(path, MAX_BYTES, NULL, err)};
    if (p->text == NULL)
        return false;
    char *save = NULL, *line = strtok_r(p->text, "\r\n", &save);
    int column = line != NULL ? find_column(line) : -1;
    if (column >= 0)
        line = strtok_r(NULL, "\r\n", &save);
    for (; line != NULL; line = strtok_r(NULL, "\r\n", &save)) {
        char *prompt = field(line, column < 0 ? 0 : column);
        if (prompt == NULL || *prompt == 0)
            continue;
        if (p->count == MAX_PROMPTS)
            return error_set(err, SORA_ERROR_INPUT, "%s: more than %d prompts", path, MAX_PROMPTS);
        p->items[p->count++] = prompt;
    }
    return p->count > 0 || error_set(err, SORA_ERROR_INPUT, "%s: no prompts in it", path);
}

/* One video's row of tiles; the frames' pixels stay the video's. */
static void fill_row(SheetTile *row, int columns, const SoraVideo *video)
{
    int frames = sora_video_frames(video);
    for (int i = 0; i < columns; i++)
        row[i].rgb = sora_video_frame(video, columns > 1 ? i * (frames - 1) / (columns - 1) : 0);
}

/* A list of videos in the making. */
typedef struct Making {
    const PromptSheet *sheet;
    Prompts prompts;
    SoraVideo **videos; /* [total]; NULL: not made yet */
    int total, done;
} Making;

/* Within a video: the count stays, but the caller can cancel. */
static bool forward(const SoraProgress *progress, void *user)
{
    const Making *m = user;
    SoraProgress videos = {SORA_PHASE_DENOISE, m->done, m->total, progress->seconds};
    return m->sheet->progress == NULL || m->sheet->progress(&videos, m->sheet->user);
}

static bool make_videos(Making *m, SoraEngine *engine, SoraError *err)
{
    const PromptSheet *s = m->sheet;
    for (m->done = 0; m->done < m->total; m->done++) {
        SoraRequest request;
        sora_request_init(&request);
        request.prompt = m->prompts.items[m->done / s->seeds];
        request.seed = (uint64_t)(m->done % s->seeds);
        request.steps = s->steps;
        request.guidance_scale = s->guidance_scale;
        request.progress = forward;
        request.user = m;
        m->videos[m->done] = sora_generate(engine, &request, err);
        if (m->videos[m->done] != NULL)
            continue;
        if (err != NULL && err->code != SORA_ERROR_CANCELLED)
            error_wrap(err, "\"%.60s\"", request.prompt);
        return false;
    }
    return true;
}

/* The sheet, with empty places where videos are not made yet. */
static bool draw(const Making *m, SoraEngine *engine, Image *out, SoraError *err)
{
    const PromptSheet *s = m->sheet;
    int count = m->total * s->columns;
    SheetTile *tiles = calloc((size_t)count, sizeof *tiles);
    if (tiles == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (int i = 0; i < m->total; i++) {
        SheetTile *row = tiles + i * s->columns;
        row[0].caption = m->prompts.items[i / s->seeds];
        if (m->videos[i] != NULL)
            fill_row(row, s->columns, m->videos[i]);
    }
    SoraRequest own;
    sora_engine_defaults(engine, &own);
    SheetLayout layout = {.width = own.width, .height = own.height, .columns = s->columns, .gap = 2};
    bool ok = sheet_draw(out, &layout, tiles, count, err);
    free(tiles);
    return ok;
}

/* Will there be a sheet? Asked before hours of work. */
static bool check_sheet(const Making *m, SoraEngine *engine, SoraError *err)
{
    Image empty = {0};
    FileWriter probe;
    bool ok = draw(m, engine, &empty, err);
    image_deinit(&empty);
    if (!ok || !file_writer_open(&probe, m->sheet->output, err))
        return false;
    file_writer_abort(&probe);
    return true;
}

static bool make_sheet(Making *m, SoraEngine *engine, SoraError *err)
{
    m->total = m->prompts.count * m->sheet->seeds;
    m->videos = calloc((size_t)m->total, sizeof(SoraVideo *));
    if (m->videos == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    Image sheet = {0};
    bool ok = check_sheet(m, engine, err) && make_videos(m, engine, err) && draw(m, engine, &sheet, err) &&
              image_write_png_finished(&sheet, m->sheet->output, m->sheet->finish, err);
    image_deinit(&sheet);
    for (int i = 0; i < m->total; i++)
        sora_video_free(m->videos[i]);
    free(m->videos);
    return ok;
}

bool prompt_sheet_make(SoraEngine *engine, const PromptSheet *sheet, SoraError *err)
{
    Making m = {.sheet = sheet};
    bool ok = prompts_load(&m.prompts, sheet->prompts, err) && make_sheet(&m, engine, err);
    free(m.prompts.text);
    return ok;
}
