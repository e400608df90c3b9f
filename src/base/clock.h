/* Time for progress and benchmarks. */
#ifndef SORA_BASE_CLOCK_H
#define SORA_BASE_CLOCK_H

double clock_seconds(void);   /* monotonic */
double clock_processor(void); /* seconds that processors have worked for this process */

#endif
