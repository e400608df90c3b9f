#include <stdlib.h>
#include <webp/encode.h>
#include <webp/mux.h>
#include "media/ffmpeg.h"
#include "media/picture.h"

enum { QUALITY = 92 };

bool webp_write(FILE *stream, const Image *image, const PictureText *text, const char *path, SoraError *err)
{
    bool ok = false;
    uint8_t *coded = NULL;
    size_t xmp_size = 0,
           size = WebPEncodeRGB(image->rgb, image->width, image->height, 3 * image->width, QUALITY, &coded);
    bool bare = text->title == NULL && text->comment == NULL;
    char *xmp = bare ? NULL : xmp_make(text->title, text->comment, &xmp_size);
    WebPMux *mux = WebPMuxNew();
    WebPData file = {NULL, 0}, picture = {coded, size}, packet = {(const uint8_t *)xmp, xmp_size};
    if (size == 0) {
        error_set(err, SORA_ERROR_INTERNAL, "%s: cannot encode the picture as WebP", path);
        goto out;
    }
    if (mux == NULL || (xmp == NULL && !bare) || WebPMuxSetImage(mux, &picture, 0) != WEBP_MUX_OK ||
        (xmp != NULL && WebPMuxSetChunk(mux, "XMP ", &packet, 0) != WEBP_MUX_OK) ||
        WebPMuxAssemble(mux, &file) != WEBP_MUX_OK) {
        ffmpeg_out_of_memory(err, path);
        goto out;
    }
    fwrite(file.bytes, 1, file.size, stream);
    ok = true;
out:
    WebPDataClear(&file);
    WebPMuxDelete(mux);
    free(xmp);
    WebPFree(coded);
    return ok;
}
