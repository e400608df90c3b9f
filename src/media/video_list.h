/* The videos of a folder, or its videos and pictures. */
#ifndef SORA_MEDIA_VIDEO_LIST_H
#define SORA_MEDIA_VIDEO_LIST_H

#include "base/error.h"

typedef struct VideoList {
    char **paths; /* FOLDER/NAME, in the order of their names */
    int count;
} VideoList;

/* Files whose names end in .mp4 .webm .mov .mkv .gif or .avi; those of folders below do not count. None is an error. */
bool video_list_read(VideoList *list, const char *folder, SoraError *err);
/* Those of .png .jpg .jpeg and .webp, too. */
bool video_list_read_with_pictures(VideoList *list, const char *folder, SoraError *err);
bool video_list_is_picture(const char *name); /* by its end */
void video_list_deinit(VideoList *list); /* a zeroed one is allowed */

#endif
