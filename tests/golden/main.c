/* golden [DIR]: runs every case that it finds in DIR, whatever the sizes in there. Without DIR: the
 * folder that SORA_FIXTURES names, or ../shared/fixtures/wan. Exit code 1 when a case fails, 77 when
 * the folder is not there. */
#include "golden/golden.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

int main(int argc, char **argv)
{
    const char *fixtures = getenv("SORA_FIXTURES");
    const char *dir = argc > 1 ? argv[1] : fixtures != NULL ? fixtures : "../shared/fixtures/wan";
    if (!dir_exists(dir)) {
        fprintf(stderr, "golden: no folder %s\n", dir);
        return 77;
    }
    Golden g = {0};
    golden_text(&g, dir);
    golden_umt5(&g, dir);
    golden_dit(&g, dir);
    golden_clip(&g, dir);
    golden_vae(&g, dir);
    golden_ops(&g, dir);
    golden_schedulers(&g, dir);
    golden_sizes(&g, dir);
    golden_pipeline(&g, dir);
    golden_pth(&g, dir);
    return golden_finish(&g, dir) ? 0 : 1;
}
