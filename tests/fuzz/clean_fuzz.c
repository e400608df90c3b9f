/* Prompts from bytes: what is UTF-8 is cleaned to UTF-8 with single spaces inside and no control characters but those
 * that HTML references make; the rest is an error. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "text/clean.h"
#include "text/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SoraError err = {0};
    size_t n = 0;
    const char *prompt = (const char *)data;
    char *text = clean_prompt(prompt, size, &n, &err);
    assert((text != NULL) == utf8_check(prompt, size, "the prompt", NULL));
    if (text == NULL) {
        assert(err.code == SORA_ERROR_INPUT);
        return 0;
    }
    assert(strlen(text) == n && utf8_check(text, n, "it", NULL));
    assert(n == 0 || (text[0] != ' ' && text[n - 1] != ' '));
    assert(strstr(text, "  ") == NULL && strpbrk(text, "\t\n\r\f\v") == NULL);
    free(text);
    return 0;
}
