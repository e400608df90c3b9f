/* A linear classifier over hashed words, pairs of words and runs of letters: logistic regression for each category, weights of 8 bits
 * in one table. Its file: 8 bytes "SORACLS1", the numbers of categories and of rows as 32-bit little-endian integers, for each
 * category a name of 16 bytes (zeros behind it) and three 32-bit floats, the bias, the scale of the weights and the threshold, then
 * rows x categories weights. */
#ifndef SORA_POLICY_CLASSIFIER_H
#define SORA_POLICY_CLASSIFIER_H

#include "base/error.h"
#include "policy/fold.h"

enum { CLASSIFIER_CATEGORIES = 8, CLASSIFIER_ROWS = 1 << 17, CLASSIFIER_NAME = 16, CLASSIFIER_WINDOW = 32,
       CLASSIFIER_LEAST = 45 /* features, about four words: shorter texts say too little */ };

typedef struct ClassifierHead {
    char name[CLASSIFIER_NAME];
    float bias, scale;
    float threshold; /* a probability */
} ClassifierHead;

typedef struct Classifier {
    int count; /* of categories; 0: there is none */
    ClassifierHead heads[CLASSIFIER_CATEGORIES];
    const int8_t *weights; /* [CLASSIFIER_ROWS][count], the caller's bytes */
} Classifier;

/* bytes stay the caller's and must outlive c. No bytes: an empty one. */
bool classifier_init(Classifier *c, const void *bytes, size_t size, SoraError *err);

/* Called for every feature, with its row. */
typedef void FeatureListener(void *user, uint32_t row);

/* Features of the words [first, first + count) of a folded text. The words there are in all. */
size_t classifier_features(const Folded *f, size_t first, size_t count, FeatureListener *listener, void *user);

/* The highest probability of each category over windows of CLASSIFIER_WINDOW words: [count]. 0 of a text with fewer than
 * CLASSIFIER_LEAST features. */
void classifier_score(const Classifier *c, const Folded *f, float *probability);

#endif
