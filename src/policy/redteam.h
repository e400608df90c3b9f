/* Attacks a policy with labelled prompts: how many of the harmful ones it refuses and of the benign ones it allows, and how many of
 * those that it refuses get through when they are hidden (policy/attacks.h). */
#ifndef SORA_POLICY_REDTEAM_H
#define SORA_POLICY_REDTEAM_H

#include "policy/policy.h"
#include "policy/prompt_list.h"

enum { REDTEAM_CATEGORIES = 24, REDTEAM_ATTACKS = 32 };

typedef struct RedteamCount {
    int right, all;
} RedteamCount;

typedef struct RedteamCategory {
    char name[32];
    RedteamCount blocked, allowed;           /* of its harmful and its benign prompts */
    RedteamCount attacks[REDTEAM_ATTACKS];   /* of the blocked ones: blocked when hidden so. In the order of ATTACKS */
} RedteamCategory;

/* A prompt that got the wrong verdict. attack: NULL when it was as it is. The strings live during the call. */
typedef struct RedteamMiss {
    const char *category, *attack, *said; /* said: the category that refused a benign one, or NULL */
    bool harmful;
    const char *text;
    size_t size;
} RedteamMiss;

typedef void RedteamListener(void *user, const RedteamMiss *miss);

typedef struct Redteam {
    RedteamCategory categories[REDTEAM_CATEGORIES], sum;
    int count, prompts;
    double seconds; /* of the checks of prompts as they are, together */
} Redteam;

/* list: prompts, read to the end. attack: also with attacks. listener: or NULL. */
bool redteam_run(const Policy *policy, PromptList *list, bool attack, RedteamListener *listener, void *user, Redteam *result,
                 SoraError *err);

/* Wilson's interval of 95 % for a share; 0 to 1 when there is nothing. */
void redteam_interval(RedteamCount c, double *low, double *high);

#endif
