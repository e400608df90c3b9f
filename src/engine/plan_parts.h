/* The parts of a plan that are lists: passages and what is given. Private to plan.c. */
#ifndef SORA_ENGINE_PLAN_PARTS_H
#define SORA_ENGINE_PLAN_PARTS_H

#include <jansson.h>

#include "engine/plan.h"

bool plan_check_text(const char *text, const char *what, SoraError *err);

/* Are there no more passages than are accepted, and no prompt besides? passage_count is not 0. */
bool plan_takes_passages(const SoraRequest *r, SoraError *err);
/* Words and beginnings of the request's passages, or its one prompt as a passage; p->fps is known. */
bool plan_passages(Plan *p, const SoraRequest *r, SoraError *err);
/* How many frames of patches hear each; p->latent is known. */
bool plan_span(Plan *p, const LatentGrid *g, SoraError *err);

/* The given that shows the video's first frame, the last of several; -1: none does. */
int plan_first_picture(const Plan *p, const GivenClip *clips);
/* Where everything that is given comes to lie; p->frames and p->latent are known. */
bool plan_place(Plan *p, const LatentGrid *g, const GivenClip *clips, SoraError *err);

json_t *plan_passages_json(const Plan *p);
json_t *plan_given_json(const Plan *p);

#endif
