/* Packs of the stage from bytes: reading ends in an error, or in nouns whose pictures can be asked for. */
#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "stage/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    Pack *pack = pack_open_memory(data, size, "fuzz", &err);
    if (pack == NULL) {
        assert(err.code != SORA_OK && err.message[0] != 0);
        return 0;
    }
    assert(pack_count(pack) >= 1);
    for (int i = 0; i < pack_count(pack); i++) {
        const Noun *n = pack_noun(pack, i);
        assert(strlen(n->en) > 0 && strlen(n->syn_ja) < size);
        const Art *art = pack_art(pack, i, &err);
        if (art == NULL) {
            assert(err.code != SORA_OK);
            continue;
        }
        assert(art->width == n->width && art->frames == n->frames && art->body_luma >= 0);
        volatile uint32_t sum = 0;
        for (int k = 0; k < art->width * art->height * art->frames; k++)
            sum += art->level[0][k];
        (void)sum; /* read, so that a bad address is found */
    }
    pack_close(pack);
    return 0;
}
