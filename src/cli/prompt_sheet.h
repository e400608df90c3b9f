/* Contact sheets of what a model makes of a list of prompts: a row for each prompt and seed. */
#ifndef SORA_CLI_PROMPT_SHEET_H
#define SORA_CLI_PROMPT_SHEET_H

#include "base/file.h"

typedef struct PromptSheet {
    const char *prompts; /* a file: a prompt a line, or TSV whose first line names a column "prompt" */
    const char *output;  /* .png */
    const FileFinish *finish; /* of that file; NULL: none */
    int seeds;           /* 0 .. seeds-1 for each prompt */
    int columns;         /* frames shown of each video, evenly spread */
    int steps;           /* 0: the model's own */
    double guidance_scale; /* below 0: the model's own */
    SoraProgressCallback progress; /* often; counts videos, stage DENOISE; may be NULL */
    void *user;
} PromptSheet;

/* What makes the sheet impossible, its size or its place, is found before the first video. */
bool prompt_sheet_make(SoraEngine *engine, const PromptSheet *sheet, SoraError *err);

#endif
