/* A manifest store from bytes: JUMBF, claims and assertions. An error with a status code, or manifests whose every
 * part can be read. */
#include <assert.h>
#include <string.h>
#include "fuzz.h"
#include "credentials/store.h"

static size_t sum(Span s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.size; i++)
        n += s.data[i];
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static volatile size_t sink;
    (void)sink;
    Store store;
    SoraError err = {0};
    const char *code = NULL;
    if (!store_load(&store, (Span){data, size}, &code, &err))
        assert(code != NULL && err.code != SORA_OK);
    else
        for (int i = 0; i < store.count; i++) {
            const C2paManifest *m = &store.manifests[i];
            sink = sum(m->claim_bytes) + sum(m->signature) + sum(m->alg) + strlen(m->label);
            for (int k = 0; k < m->reference_count; k++)
                (void)manifest_assertion(m, m->references[k].url);
            for (int k = 0; k < m->assertion_count; k++) {
                IngredientView view;
                (void)ingredient_view(&m->assertions[k], &view);
                sink += sum(m->assertions[k].box->whole);
            }
        }
    store_deinit(&store);
    return 0;
}
