/* Rules as they stand in a file, a line each:
 *
 *     version WORD
 *     category NAME SENTENCE       a category, and what the user is told
 *     group NAME                   a list for pairs
 *     NAME RULE PHRASE             a phrase of a category, of a group, or of "innocent"
 *     pair CATEGORY GROUP GROUP    a phrase of one group near a phrase of the other
 *     off CATEGORY                 is not refused
 *     names CATEGORY               its phrases are names: found with one letter wrong, too
 *     threshold CATEGORY N         the classifier's probability from which it is refused, 0 to 1; 1: the lists alone decide
 *     remove PHRASE                out of all lists
 *     set generated N              from which probability of explicit pictures a generated video is refused, 0 to 1; 1: none is looked at
 *     set uploads N                the same of what is uploaded
 *     set faces allow|refuse       uploads with faces of people
 *     set credentials allow|refuse uploads whose content credentials are invalid
 *     # a remark
 *
 * RULE is word (a plural counts too), exact (no plural), stem (the word may go on), part (anywhere), capital (each word begins
 * with a capital letter, and a single word does not begin the sentence). */
#ifndef SORA_POLICY_RULES_H
#define SORA_POLICY_RULES_H

#include <stdint.h>
#include "base/arena.h"
#include "base/error.h"
#include "policy/policy.h"

typedef struct RuleList {
    const char *name, *text;
    size_t size;
} RuleList;

extern const RuleList RULE_LISTS[]; /* the embedded ones; ends with a NULL name */
extern const RuleList POLICY_VOCABULARY, POLICY_CLASSIFIER, POLICY_PROMPTS[2]; /* POLICY_PROMPTS: development, test */

typedef enum RuleKind { RULE_WORD, RULE_EXACT, RULE_STEM, RULE_PART, RULE_CAPITAL } RuleKind;

enum { RULES_MAX_LISTS = 64, RULES_MAX_PHRASES = 200000, RULES_MAX_PAIRS = 256, RULES_MAX_PHRASE = 200, LIST_INNOCENT = 0 };

typedef struct RuleGroup {
    const char *name, *sentence; /* sentence NULL: not a category */
    bool off, names;
    float threshold; /* -1: the classifier's own */
} RuleGroup;

typedef struct RulePhrase {
    const char *bytes; /* folded as FOLD_WRITTEN */
    const char *phrase, *place;
    uint32_t size;
    int32_t next; /* another one with the same bytes, or -1 */
    uint8_t list;
    uint8_t kind;
    bool removed;
} RulePhrase;

typedef struct RulePair {
    uint8_t category, first, second;
    const char *place;
} RulePair;

typedef struct Rules {
    Arena arena; /* strings */
    RuleGroup lists[RULES_MAX_LISTS]; /* [0] is "innocent" */
    int list_count;
    RulePhrase *phrases;
    size_t phrase_count, phrase_capacity;
    RulePair pairs[RULES_MAX_PAIRS];
    int pair_count;
    const char *version;
    PictureRules pictures;
} Rules;

void rules_init(Rules *rules);
void rules_deinit(Rules *rules);
/* Adds a list's lines. False with "NAME:LINE: ..." */
bool rules_add(Rules *rules, const RuleList *list, SoraError *err);

#endif
