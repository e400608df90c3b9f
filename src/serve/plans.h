/* Plans: what a key may do, as data. A file of them is a JSON object, plan by plan (docs/server.md). */
#ifndef SORA_SERVE_PLANS_H
#define SORA_SERVE_PLANS_H

#include <jansson.h>
#include "base/error.h"

typedef struct Plan {
    const char *name;
    int at_once; /* jobs queued and in progress; 0: no limit, as below */
    int videos_a_day;
    int64_t credits_a_day;
    double credits_per_second; /* of a video with a million pixels a frame; each costs at least one */
    int64_t largest_pixels;    /* of a frame */
    double longest_seconds;
    int requests_a_minute;
    bool priority, watermark;
} Plan;

typedef struct Plans Plans;

/* path NULL: "unlimited", "free" and "pro", as docs/server.md has them. */
Plans *plans_open(const char *path, SoraError *err);
Plans *plans_open_json(const json_t *root, const char *name, SoraError *err);
void plans_close(Plans *plans);

const Plan *plans_find(const Plans *plans, const char *name); /* NULL: there is none */
const Plan *plans_at(const Plans *plans, int i);              /* NULL behind the last */
json_t *plans_json(const Plan *plan);

int64_t plan_credits(const Plan *plan, int width, int height, double seconds);

#endif
