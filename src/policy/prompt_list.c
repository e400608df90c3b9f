#include "policy/prompt_list.h"

#include <string.h>

#include "text/utf8.h"

static bool parse(const char *s, size_t n, PromptLine *line, SoraError *err)
{
    const char *tab = memchr(s, '\t', n), *second = tab != NULL ? memchr(tab + 1, '\t', n - (size_t)(tab + 1 - s)) : NULL;
    if (second == NULL)
        return error_set(err, SORA_ERROR_INPUT, "expected harmful or benign, a category and a text, with tabs between");
    size_t kind = (size_t)(tab - s), category = (size_t)(second - tab) - 1;
    line->harmful = kind == 7 && memcmp(s, "harmful", 7) == 0;
    if (!line->harmful && (kind != 6 || memcmp(s, "benign", 6) != 0))
        return error_set(err, SORA_ERROR_INPUT, "a line begins with \"harmful\" or \"benign\"");
    if (category == 0 || category >= sizeof line->category || memchr(tab + 1, 0, category) != NULL)
        return error_set(err, SORA_ERROR_INPUT, "a category has 1 to %zu bytes", sizeof line->category - 1);
    memcpy(line->category, tab + 1, category);
    line->category[category] = 0;
    line->text = second + 1;
    line->size = n - (size_t)(line->text - s);
    return utf8_check(line->text, line->size, "the text", err);
}

bool prompt_list_next(PromptList *list, PromptLine *line, bool *ok, SoraError *err)
{
    while (list->at < list->size) {
        const char *s = list->text + list->at, *end = memchr(s, '\n', list->size - list->at);
        size_t n = end != NULL ? (size_t)(end - s) : list->size - list->at;
        list->at += n + 1;
        list->line++;
        n -= n > 0 && s[n - 1] == '\r';
        if (n == 0 || *s == '#')
            continue;
        *ok = parse(s, n, line, err);
        return *ok;
    }
    return false;
}
