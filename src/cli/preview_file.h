/* --preview: what is emerging, as a PNG that is replaced again and again. */
#ifndef SORA_CLI_PREVIEW_FILE_H
#define SORA_CLI_PREVIEW_FILE_H

#include "base/file.h"
#include <sora.h>

/* All frames on one sheet, in the place of the one before, at once. finish: signs it, if it is to be signed. */
bool preview_file_write(const char *path, const SoraPreview *preview, const FileFinish *finish, SoraError *err);

#endif
