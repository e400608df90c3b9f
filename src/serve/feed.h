/* What people publish, like and report; characters. */
#ifndef SORA_SERVE_FEED_H
#define SORA_SERVE_FEED_H

#include "serve/call.h"

void feed_list(Call *call);
void feed_publish(Call *call); /* POST and DELETE, likewise below */
void feed_like(Call *call);
void feed_report(Call *call);

#endif
