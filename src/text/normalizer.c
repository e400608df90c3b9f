#include "text/normalizer.h"

#include <stdlib.h>
#include <string.h>

#include "text/buffer.h"
#include "text/utf8.h"

static const char SPACE_SYMBOL[] = "\xe2\x96\x81"; /* U+2581 */
static const char REPLACEMENT_CHARACTER[] = "\xef\xbf\xbd";

/* What one step of the input becomes. */
typedef struct Step {
    const char *bytes;
    size_t size, consumed;
} Step;

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The charsmap: u32 size of the trie in bytes, the trie (u32 units of a Darts-clone double array), strings. */
static bool load_charsmap(Normalizer *n, const uint8_t *data, size_t size, const char *name, SoraError *err)
{
    if (size <= 4 || read_u32(data) >= size - 4 || read_u32(data) % 4 != 0 || read_u32(data) == 0)
        return error_set(err, SORA_ERROR_INPUT, "%s: broken normalisation table (%zu bytes)", name, size);
    n->unit_count = read_u32(data) / 4;
    n->replacements_size = size - 4 - n->unit_count * 4;
    n->units = malloc(n->unit_count * sizeof *n->units);
    n->replacements = malloc(n->replacements_size + 1);
    if (n->units == NULL || n->replacements == NULL)
        return error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", name);
    for (size_t i = 0; i < n->unit_count; i++)
        n->units[i] = read_u32(data + 4 + 4 * i);
    memcpy(n->replacements, data + 4 + 4 * n->unit_count, n->replacements_size);
    n->replacements[n->replacements_size] = 0;
    for (size_t i = 0; i < n->replacements_size;) {
        size_t length = strlen(n->replacements + i);
        if (length > NORMALIZER_MAX_REPLACEMENT)
            return error_set(err, SORA_ERROR_INPUT, "%s: a replacement of %zu bytes in the normalisation table, "
                             "at most %d are accepted", name, length, NORMALIZER_MAX_REPLACEMENT);
        i += length + 1;
    }
    return true;
}

bool normalizer_init(Normalizer *n, const SpmModel *model, const Trie *fixed, const char *name, SoraError *err)
{
    *n = (Normalizer){.fixed = fixed,
                      .add_prefix = model->add_dummy_prefix && !model->whitespace_as_suffix,
                      .add_suffix = model->add_dummy_prefix && model->whitespace_as_suffix,
                      .remove_extra_spaces = model->remove_extra_whitespaces,
                      .escape_spaces = model->escape_whitespaces};
    if (model->charsmap_size > 0 && !load_charsmap(n, model->charsmap, model->charsmap_size, name, err)) {
        normalizer_deinit(n);
        return false;
    }
    return true;
}

void normalizer_deinit(Normalizer *n)
{
    free(n->units);
    free(n->replacements);
    *n = (Normalizer){0};
}

/* Longest key of the double array that text begins with; its replacement in *step.
 * A unit: bit 31 leaf, bits 0-7 label; bit 8 has a leaf, bits 10-31 offset, shifted by 8 when bit 9 is set.
 * In a leaf the lower 31 bits are the value. */
static bool find_replacement(const Normalizer *n, const char *text, size_t size, Step *step)
{
    if (n->units == NULL)
        return false;
    bool found = false;
    size_t limit = size < NORMALIZER_MAX_KEY ? size : NORMALIZER_MAX_KEY;
    uint32_t position = 0, unit = n->units[0];
    for (size_t i = 0; i < limit; i++) {
        uint8_t label = (uint8_t)text[i];
        position ^= (unit >> 10) << ((unit & 0x200) >> 6) ^ label;
        if (position >= n->unit_count)
            break;
        unit = n->units[position];
        if ((unit & 0x800000ffu) != label)
            break;
        if ((unit & 0x100) == 0)
            continue;
        uint32_t leaf = position ^ (unit >> 10) << ((unit & 0x200) >> 6);
        uint32_t value = leaf < n->unit_count ? n->units[leaf] & 0x7fffffffu : UINT32_MAX;
        if (value >= n->replacements_size)
            break;
        const char *bytes = n->replacements + value;
        *step = (Step){bytes, strlen(bytes), i + 1};
        found = true;
    }
    return found;
}

static Step next_step(const Normalizer *n, const char *text, size_t size)
{
    size_t fixed = trie_longest_prefix(n->fixed, text, size);
    if (fixed > 0)
        return (Step){text, fixed, fixed};
    Step step;
    if (find_replacement(n, text, size, &step))
        return step;
    int length;
    if (utf8_decode(text, size, &length) < 0)
        return (Step){REPLACEMENT_CHARACTER, 3, 1};
    return (Step){text, (size_t)length, (size_t)length};
}

static void append_space(const Normalizer *n, Buffer *b)
{
    if (n->escape_spaces)
        buffer_append(b, SPACE_SYMBOL, 3);
    else
        buffer_append(b, " ", 1);
}

static bool ends_with_space(const Normalizer *n, const Buffer *b)
{
    if (n->escape_spaces)
        return b->size >= 3 && memcmp(b->bytes + b->size - 3, SPACE_SYMBOL, 3) == 0;
    return b->size >= 1 && b->bytes[b->size - 1] == ' ';
}

/* Bytes at the start of text that become single spaces. */
static size_t leading_spaces(const Normalizer *n, const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        Step step = next_step(n, text + at, size - at);
        if (step.size != 1 || step.bytes[0] != ' ')
            break;
        at += step.consumed;
    }
    return at;
}

char *normalizer_apply(const Normalizer *n, const char *text, size_t size, size_t *out_size)
{
    Buffer b = {0};
    size_t at = n->remove_extra_spaces ? leading_spaces(n, text, size) : 0;
    bool anything = at < size, after_space = n->remove_extra_spaces;
    if (anything && n->add_prefix)
        append_space(n, &b);
    while (at < size) {
        Step step = next_step(n, text + at, size - at);
        at += step.consumed;
        while (after_space && step.size > 0 && step.bytes[0] == ' ') {
            step.bytes++;
            step.size--;
        }
        for (size_t i = 0; i < step.size; i++) {
            if (step.bytes[i] == ' ')
                append_space(n, &b);
            else
                buffer_append(&b, step.bytes + i, 1);
        }
        if (step.size > 0)
            after_space = n->remove_extra_spaces && step.bytes[step.size - 1] == ' ';
    }
    while (n->remove_extra_spaces && ends_with_space(n, &b))
        b.size -= n->escape_spaces ? 3 : 1;
    if (anything && n->add_suffix)
        append_space(n, &b);
    return buffer_take(&b, out_size);
}
