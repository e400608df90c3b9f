/* Losses on what a network knows: linear heads say classes of the ground truth from what is inside of it. Of the
 * transformer, from the middle: who acts in each patch, in which colour, going where. At much noise that can be known
 * from the words alone, so the network learns early to listen to them. The heads are thrown away afterwards. */
#ifndef SORA_TRAIN_CLASSES_H
#define SORA_TRAIN_CLASSES_H

#include "tensor/ops.h"
#include "train/batch.h"

enum { MAX_CLASS_HEADS = CLIP_CLASSES };

typedef struct ClassHeads {
    Params params;
    int count;
    Tensor *w[MAX_CLASS_HEADS], *b[MAX_CLASS_HEADS]; /* [classes, dim], [classes]; zeros at first */
} ClassHeads;

/* One head for each of count sizes, on rows of dim numbers; source gives zeros. Look at params_ok(&h->params). */
void class_heads_init(ClassHeads *h, ParamSource *source, int64_t dim, const int *sizes, int count);
void class_heads_deinit(ClassHeads *h);

/* Settings of the transformer's class loss. */
typedef struct ClassRule {
    double weight;  /* beside the velocity's loss; 0: none */
    double nobody;  /* weight of patches where nobody acts */
    double above;   /* noise levels below are left out */
    int64_t fade;   /* the weight falls to 0 in a line over so many steps; 0: it stays */
    int block;      /* after which the tokens are looked at */
} ClassRule;

enum { PATCH_HEADS = 3 };
extern const int PATCH_HEAD_SIZES[PATCH_HEADS]; /* noun, colour, motion; 0 of each is nobody */

/* What the patches of a batch that count count together. */
double class_weights(const ClassRule *rule, const Batch *b);

/* The mean cross-entropy over the batch's patches and heads, times the rule's weight at this step: [1]; NULL when it is 0. Samples
 * without text, clean patches and levels below the rule's do not count. sum: class_weights() of the whole step. */
Tensor *class_loss(Graph *g, const ClassHeads *h, const ClassRule *rule, Tensor *tokens, const Batch *b, int64_t step,
                   double sum);

#endif
