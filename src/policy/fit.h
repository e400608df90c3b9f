/* Trains the classifier of a policy (policy/classifier.h) on labelled prompts: for each category averaged logistic regression against
 * what is benign, by AdaGrad, and a threshold from five-fold cross-validation. The same data and settings give the same bytes. */
#ifndef SORA_POLICY_FIT_H
#define SORA_POLICY_FIT_H

#include "base/error.h"
#include "text/buffer.h"

typedef struct FitSettings {
    int epochs;
    uint64_t seed;
    float rate, decay;       /* of AdaGrad; decay pulls weights to 0 */
    double alarms_own;       /* benign prompts of the first file that a category may refuse, as a share */
    double alarms_others;    /* of the other files */
    double useful;           /* a category of which less is found gets the threshold 1: the lists alone decide */
    float own_weight;        /* how much a prompt of the first file counts */
} FitSettings;

typedef struct FitFigures {
    char category[16];
    int harmful;             /* prompts that it was trained on */
    double found;            /* share of the first file's that cross-validation finds at the threshold */
    float threshold;
} FitFigures;

typedef struct FitResult {
    Buffer file;             /* the classifier's file; buffer_deinit() */
    FitFigures figures[8];
    int categories, prompts;
} FitResult;

FitSettings fit_settings(void);

/* paths: files of lines "harmful|benign TAB category TAB text". The first is our own. Categories are those of its harmful lines,
 * in the order of names. False with *err filled; then there is nothing to free. */
bool policy_fit(const char *const *paths, int count, const FitSettings *settings, FitResult *result, SoraError *err);

#endif
