/* Presets of words that are added to a prompt: src/cli/styles.json, and a file of the user's in the same form, which adds to
 * them or replaces some: $SORA_STYLES, else sora/styles.json in $XDG_CONFIG_HOME or ~/.config.
 *
 *     {"pencil": {"prompt": "a pencil drawing", "negative": "photograph", "about": "grey lines on paper"}} */
#ifndef SORA_CLI_STYLES_H
#define SORA_CLI_STYLES_H

#include <jansson.h>
#include <sora.h>

/* {"name": {"prompt": "...", "negative": "...", "about": "..."}}, all read and checked. NULL on failure. */
json_t *styles_read(SoraError *err);

/* The words that a request points to afterwards. */
typedef struct Styled {
    char *prompt, *negative; /* heap */
} Styled;

/* Adds the style's words to the request's prompt, or makes them its prompt, and to its negative prompt. The message of a name that
 * is none says which there are. */
bool style_apply(const char *name, Styled *styled, SoraRequest *request, SoraError *err);
void style_deinit(Styled *styled);

#endif
