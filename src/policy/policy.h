/* What may be asked: a text is judged by lists of phrases and by a classifier. The lists are src/policy/lists/, embedded with the
 * classifier when the program is built; a deployer's file in the same form adds to them or switches parts off (docs/safety.md has
 * the form).
 *
 *     Policy *policy = policy_open(NULL, &err);
 *     PolicyVerdict verdict;
 *     if (policy != NULL && policy_check(policy, text, strlen(text), NULL, NULL, &verdict, &err) && !verdict.allowed)
 *         puts(verdict.sentence);
 *     policy_close(policy);
 *
 * An open policy is only read: any number of threads may use it. */
#ifndef SORA_POLICY_POLICY_H
#define SORA_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

enum { POLICY_MAX_TEXT = 1 << 20, POLICY_SCORES = 16 }; /* bytes of a text, and of a file of rules */

typedef struct Policy Policy;

typedef struct PolicyVerdict {
    bool allowed;
    /* What decided; NULL when it is allowed. The strings are the policy's. */
    const char *category;
    const char *sentence; /* for the user */
    const char *part;     /* "phrase", "pair" or "classifier" */
    const char *form;     /* "as written", "normalised" or "mended": in which form of the text it was found */
    const char *phrase, *place;              /* "sexual.txt:12"; NULL of the classifier */
    const char *second_phrase, *second_place; /* of a pair; else NULL */
    /* The classifier's probability for policy_category(i), whatever the verdict; 0 where it knows nothing of the category. */
    float scores[POLICY_SCORES];
} PolicyVerdict;

/* One thing that was found: a phrase of a category, an innocent phrase, a pair, or a probability above the threshold. */
typedef struct PolicyFinding {
    const char *category; /* "innocent" for an innocent phrase */
    const char *part, *form, *phrase, *place, *second_phrase, *second_place; /* as above */
    float score, threshold; /* of the classifier */
} PolicyFinding;

/* A text in parts that belong together: a prompt, passages, what an earlier video was asked with, titles, negative prompts. */
typedef struct PolicyText {
    const char *bytes;
    size_t size;
} PolicyText;

typedef void PolicyListener(void *user, const PolicyFinding *finding);

/* path: a file of rules that is read after the embedded lists, or NULL. NULL with "FILE:LINE: ..." in the message when it is
 * wrong. */
Policy *policy_open(const char *path, SoraError *err);
/* The same with rules in memory; name stands for the file in messages and places. */
Policy *policy_open_memory(const char *rules, size_t size, const char *name, SoraError *err);
void policy_close(Policy *policy);

/* What pictures and files are judged by (src/screen). */
typedef struct PictureRules {
    float generated, uploads;        /* from which probability an explicit picture is refused; 1: never, and those that
                                      * are made are not looked at */
    bool faces, invalid_credentials; /* uploads with them are allowed */
} PictureRules;

const PictureRules *policy_picture_rules(const Policy *policy);

/* "1-1b2c3d4e": the version of the lists and a hash of all rules, so that other rules have another version. */
const char *policy_version(const Policy *policy);
/* The name of category i, in the order in which they decide; NULL behind the last. */
const char *policy_category(const Policy *policy, size_t i);

/* Judges n bytes of UTF-8. listener: called for all that was found, or NULL. False when it is no text (not UTF-8, too long)
 * or memory ran out; then there is no verdict. An empty text is allowed. */
bool policy_check(const Policy *policy, const char *text, size_t n, PolicyListener *listener, void *user, PolicyVerdict *verdict,
                  SoraError *err);

/* The same for what a video shall keep away from, in pieces with commas between. Naming what is refused is what such a text is for;
 * a piece is refused when it is allowed itself and its absence is not, as clothes are. */
bool policy_check_negative(const Policy *policy, const char *text, size_t n, PolicyVerdict *verdict, SoraError *err);

/* Judges each part, and all of them together with the words of one after those of another, so that what is harmless in parts is
 * judged as a whole. */
bool policy_check_parts(const Policy *policy, const PolicyText *parts, size_t count, PolicyVerdict *verdict, SoraError *err);

/* The same of parts of which the first `earlier` led to what is changed now, the oldest first: the others are also judged with each of
 * those alone, since steps between may keep words apart that belong together. */
bool policy_check_steps(const Policy *policy, const PolicyText *parts, size_t count, size_t earlier, PolicyVerdict *verdict,
                        SoraError *err);

#endif
