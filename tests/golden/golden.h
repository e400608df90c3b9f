/* Golden cases: outputs of the reference implementation, compared with ours. */
#ifndef SORA_TESTS_GOLDEN_H
#define SORA_TESTS_GOLDEN_H

#include <stdbool.h>

enum { GOLDEN_MAX_CLAIMS = 64 };

typedef struct Golden {
    int passed, failed, skipped;
    const char *claims[GOLDEN_MAX_CLAIMS]; /* file names that some part has run */
    int claim_count;
} Golden;

/* One line: name, error, tolerance, verdict. An error that is NaN fails. For exact cases the error
 * is the number of wrong answers and the tolerance 0. */
void golden_report(Golden *g, const char *name, double max_abs_error, double tolerance);

/* A case that cannot be run here, and why. */
void golden_skip(Golden *g, const char *name, const char *why);

/* Says that the caller runs the cases of this file ("umt5_tiny.cases.safetensors"; a literal). Files
 * that nobody claims are reported as skipped. */
void golden_claim(Golden *g, const char *file);

/* Ends the run: reports each file of cases in dir that was not claimed, prints the closing line. False
 * when something failed. */
bool golden_finish(Golden *g, const char *dir);

/* The parts. Each runs the cases that it knows and finds in dir, and is silent about files that are
 * not there. */
void golden_text(Golden *g, const char *dir);
void golden_umt5(Golden *g, const char *dir);
void golden_dit(Golden *g, const char *dir);
void golden_clip(Golden *g, const char *dir);
void golden_vae(Golden *g, const char *dir);
void golden_ops(Golden *g, const char *dir);
void golden_schedulers(Golden *g, const char *dir);
void golden_sizes(Golden *g, const char *dir);
void golden_pipeline(Golden *g, const char *dir);
void golden_pth(Golden *g, const char *dir);

#endif
