/* Pictures of a video: its thumbnail, a sheet of its frames, and previews while it is made. */
#ifndef SORA_SERVE_STILLS_H
#define SORA_SERVE_STILLS_H

#include <sora.h>
#include "media/image.h"

enum { SHEET_COLUMNS = 5, SHEET_MOST = 25, SHEET_WIDTH = 192, THUMBNAIL_SIDE = 512 };

/* The frame in the middle, at most THUMBNAIL_SIDE pixels a side; WebP. */
bool still_thumbnail(const SoraVideo *video, const char *path, SoraError *err);

/* At most SHEET_MOST frames at equal distances, in rows of SHEET_COLUMNS, each SHEET_WIDTH pixels wide or as wide as it is; JPEG.
 */
bool still_sheet(const SoraVideo *video, const char *path, SoraError *err);

/* At most THUMBNAIL_SIDE pixels a side; of the kind that the path's extension says. */
bool still_preview(const Image *picture, const char *path, SoraError *err);

#endif
