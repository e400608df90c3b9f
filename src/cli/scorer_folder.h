/* Somebody's videos in the place of a model's: which file is of which prompt. */
#ifndef SORA_CLI_SCORER_FOLDER_H
#define SORA_CLI_SCORER_FOLDER_H

#include "cli/scorer.h"

typedef struct ScorerFolder ScorerFolder;

/* Of a prompt are ID.mp4 (seed 0), ID-N.mp4 (seed N), or else a file beside which a text has the prompt as its first line (the first such
 * file is seed 0, in the order of names). Files of no prompt are named on stderr. NULL on failure, also when none is of a prompt. */
ScorerFolder *scorer_folder_open(const char *command, const char *folder, const Asks *asks, int seeds, SoraError *err);
void scorer_folder_close(ScorerFolder *f); /* NULL is allowed */

/* NULL: there is no such video. */
const char *scorer_folder_path(const ScorerFolder *f, int row, int seed);
int scorer_folder_strangers(const ScorerFolder *f); /* files of no prompt */

/* Frames are shrunk to squares, as the eyes shrink them in any case; more than 1,024 are an error. */
bool scorer_folder_read(const ScorerFolder *f, int row, int seed, Strip *strip, SoraError *err);

#endif
