/* What each word of a text may have been, all possibilities at once, and the phrases of the lists that can be read
 * along them. A word that is not known may have been any word of the rules an edit away; letters that were written
 * together or with spaces between may be cut in every way that is about as likely as the best one. Where many words are
 * not known, known ones may be mistakes, too. */
#ifndef SORA_POLICY_LATTICE_H
#define SORA_POLICY_LATTICE_H

#include "policy/fold.h"
#include "policy/hits.h"
#include "policy/lexicon.h"
#include "policy/matcher.h"

/* Adds the phrases that hold along some way through the text, in the order of their ends. False: no memory. */
bool lattice_find(const Lexicon *l, const Rules *rules, const Matcher *m, const Folded *text, Hits *hits);

#endif
