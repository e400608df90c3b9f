#include "serve/stills.h"

#include <math.h>
#include <string.h>

#include "media/video_writer.h"

static bool write_picture(const Image *image, const char *path, SoraError *err)
{
    VideoWriter *w = video_writer_open(path, &(VideoFormat){image->width, image->height, 1, NULL, NULL}, err);
    if (w == NULL)
        return false;
    if (video_writer_write(w, image->rgb, err))
        return video_writer_commit(w, err);
    video_writer_abort(w);
    return false;
}

/* No wider and no higher than `side`. */
static bool shrink(Image *out, const Image *in, int side, SoraError *err)
{
    double scale = fmin(1, (double)side / (in->width > in->height ? in->width : in->height));
    if (in->rgb == NULL)
        return error_set(err, SORA_ERROR_INTERNAL, "a frame is not there");
    return image_resize(out, in, (int)fmax(1, lround(in->width * scale)), (int)fmax(1, lround(in->height * scale)), err);
}

static Image frame_of(const SoraVideo *video, int i)
{
    return (Image){sora_video_width(video), sora_video_height(video), (uint8_t *)sora_video_frame(video, i)}; /* read only */
}

bool still_preview(const Image *picture, const char *path, SoraError *err)
{
    Image small = {0};
    bool ok = shrink(&small, picture, THUMBNAIL_SIDE, err) && write_picture(&small, path, err);
    image_deinit(&small);
    return ok;
}

bool still_thumbnail(const SoraVideo *video, const char *path, SoraError *err)
{
    Image middle = frame_of(video, sora_video_frames(video) / 2);
    return still_preview(&middle, path, err);
}

static void paste(Image *sheet, const Image *tile, int x, int y)
{
    for (int row = 0; row < tile->height; row++)
        memcpy(sheet->rgb + 3 * ((size_t)(y + row) * (size_t)sheet->width + (size_t)x),
               tile->rgb + 3 * (size_t)row * (size_t)tile->width, 3 * (size_t)tile->width);
}

bool still_sheet(const SoraVideo *video, const char *path, SoraError *err)
{
    int frames = sora_video_frames(video), count = frames < SHEET_MOST ? frames : SHEET_MOST;
    int columns = count < SHEET_COLUMNS ? count : SHEET_COLUMNS, rows = (count + columns - 1) / columns;
    Image sheet = {0}, tile = {0};
    bool ok = true;
    for (int i = 0; ok && i < count; i++) {
        Image frame = frame_of(video, count > 1 ? (int)((int64_t)i * (frames - 1) / (count - 1)) : 0);
        ok = shrink(&tile, &frame, SHEET_WIDTH, err);
        if (ok && i == 0)
            ok = image_init(&sheet, columns * tile.width, rows * tile.height, err);
        if (ok)
            paste(&sheet, &tile, i % columns * tile.width, i / columns * tile.height);
        image_deinit(&tile);
        tile = (Image){0};
    }
    ok = ok && write_picture(&sheet, path, err);
    image_deinit(&sheet);
    return ok;
}
