#include "cli/prompt_sheet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "media/sheet.h"

enum { MAX_PROMPTS = 1000, MAX_BYTES = 1 << 20 };

/* The prompts of a file; text holds them. */
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
    for (; line != NULL && p->count < MAX_PROMPTS; line = strtok_r(NULL, "\r\n", &save)) {
        char *prompt = field(line, column < 0 ? 0 : column);
        if (prompt != NULL && *prompt)
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

static bool make_videos(SoraEngine *engine, const PromptSheet *s, const Prompts *p, SoraVideo **videos, SoraError *err)
{
    int total = p->count * s->seeds;
    for (int i = 0; i < total; i++) {
        SoraRequest request;
        sora_request_init(&request);
        request.prompt = p->items[i / s->seeds];
        request.seed = (uint64_t)(i % s->seeds);
        request.steps = s->steps;
        request.guidance_scale = s->guidance_scale;
        videos[i] = sora_generate(engine, &request, err);
        if (videos[i] == NULL)
            return error_wrap(err, "\"%.60s\"", request.prompt);
        SoraProgress progress = {.stage = SORA_STAGE_DENOISE, .done = i + 1, .total = total};
        if (s->progress != NULL && !s->progress(&progress, s->user))
            return error_set(err, SORA_ERROR_CANCELLED, "cancelled");
    }
    return true;
}

static bool draw(const PromptSheet *s, const Prompts *p, SoraVideo **videos, SoraError *err)
{
    int total = p->count * s->seeds, count = total * s->columns;
    SheetTile *tiles = calloc((size_t)count, sizeof *tiles);
    if (tiles == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (int i = 0; i < total; i++) {
        SheetTile *row = tiles + i * s->columns;
        fill_row(row, s->columns, videos[i]);
        row[0].caption = p->items[i / s->seeds];
    }
    SheetLayout layout = {.width = sora_video_width(videos[0]), .height = sora_video_height(videos[0]),
                          .columns = s->columns, .gap = 2};
    bool ok = sheet_write(s->output, &layout, tiles, count, err);
    free(tiles);
    return ok;
}

bool prompt_sheet_make(SoraEngine *engine, const PromptSheet *s, SoraError *err)
{
    Prompts prompts;
    if (!prompts_load(&prompts, s->prompts, err)) {
        free(prompts.text);
        return false;
    }
    int total = prompts.count * s->seeds;
    SoraVideo **videos = calloc((size_t)total, sizeof(SoraVideo *));
    bool ok = videos != NULL || error_set(err, SORA_ERROR_MEMORY, "out of memory");
    ok = ok && make_videos(engine, s, &prompts, videos, err) && draw(s, &prompts, videos, err);
    for (int i = 0; videos != NULL && i < total; i++)
        sora_video_free(videos[i]);
    free(videos);
    free(prompts.text);
    return ok;
}
