/* Labelled prompts, a line each: "harmful" or "benign", the category, the text, with tabs between. */
#ifndef SORA_POLICY_PROMPT_LIST_H
#define SORA_POLICY_PROMPT_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

typedef struct PromptList {
    const char *text;
    size_t size, at;
    int line; /* of the last one read, from 1 */
} PromptList; /* begin with text and size */

typedef struct PromptLine {
    bool harmful;
    char category[32];
    const char *text; /* size bytes of the list's text, UTF-8 */
    size_t size;
} PromptLine;

/* The next prompt; empty lines and lines that begin with # are left out. False at the end, and when a line is wrong: then *ok is
 * false and *err filled, without the line's number. */
bool prompt_list_next(PromptList *list, PromptLine *line, bool *ok, SoraError *err);

#endif
