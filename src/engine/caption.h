/* The captioner of an open model. */
#ifndef SORA_ENGINE_CAPTION_H
#define SORA_ENGINE_CAPTION_H

typedef struct CaptionPart CaptionPart;

void caption_part_close(CaptionPart *p); /* NULL is allowed */

#endif
