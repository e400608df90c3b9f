/* Encoded texts, so that the windows of a long video encode each one once. */
#ifndef SORA_ENGINE_TEXT_CACHE_H
#define SORA_ENGINE_TEXT_CACHE_H

#include "engine/pipeline.h"

enum { TEXT_CACHE_SIZE = 72 }; /* all passages and the negative prompt */

typedef struct TextCache {
    struct {
        char *text;
        ContextRows rows;
        int64_t used;
    } items[TEXT_CACHE_SIZE];
    int64_t uses;
} TextCache;

/* pipeline_encode_text(), or what it gave before. rows->data is the cache's, until as many other texts have followed. */
bool text_cache_encode(TextCache *c, const Pipeline *p, const char *text, ContextRows *rows, SoraError *err);
void text_cache_deinit(TextCache *c); /* a zeroed one is allowed */

#endif
