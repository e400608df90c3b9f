/* How a prompt was rewritten, for people. */
#ifndef SORA_CLI_REWRITING_PRINT_H
#define SORA_CLI_REWRITING_PRINT_H

#include <sora.h>
#include <stdio.h>

/* A line for each step that did something, and one for the words that it could not bring to known ones. */
void rewriting_print(const SoraRewriting *rewriting, FILE *out);

#endif
