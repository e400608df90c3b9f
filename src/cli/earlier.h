/* The words that led to the files from which something is made: our own files tell what they were asked with. */
#ifndef SORA_CLI_EARLIER_H
#define SORA_CLI_EARLIER_H

#include <sora.h>

enum { EARLIER_MOST = 64 };

typedef struct Earlier {
    char *texts[EARLIER_MOST]; /* heap, the oldest first of each file */
    int count;
} Earlier;

/* Adds the words in the parameters of the files: prompts, passages and those that led to them. A file that is not ours,
 * or that does not tell, adds nothing. False: no memory. */
bool earlier_read(Earlier *earlier, const SoraInput *files, int count, SoraError *err);
void earlier_deinit(Earlier *earlier); /* a zeroed one is allowed */

#endif
