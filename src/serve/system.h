/* What is there, and how it goes. */
#ifndef SORA_SERVE_SYSTEM_H
#define SORA_SERVE_SYSTEM_H

#include "serve/call.h"

void models_list(Call *call);
void models_retrieve(Call *call);
void models_words(Call *call);
void models_unknown(Call *call);
void health(Call *call); /* is the process there? */
void ready(Call *call);  /* can it take requests? */
void metrics(Call *call);
void openapi(Call *call);
void web_file(Call *call);    /* the page */
void tool_verify(Call *call); /* `sora verify` and `sora trace` of a file that is sent, in a process of their own */
void tool_trace(Call *call);

#endif
