#include "base/nearest.h"

#include <string.h>

enum { MAX_WORD = 63 };

static size_t shorter(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits of a into b, which have n and m letters (Damerau and Levenshtein, neighbours exchanged at most once). */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t rows[3][MAX_WORD + 1];
    n = shorter(n, MAX_WORD);
    m = shorter(m, MAX_WORD);
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = shorter(shorter(row[j - 1], last[j]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = shorter(row[j], before[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

bool word_listed(const char *word, const char *words)
{
    size_t n = strlen(word);
    for (const char *at = words; *at != '\0'; at += strcspn(at, " "), at += *at == ' ')
        if (strcspn(at, " ") == n && memcmp(at, word, n) == 0)
            return true;
    return false;
}

const char *word_nearest(const char *word, const char *words, size_t *length)
{
    const char *best = NULL;
    size_t fewest = 0;
    for (const char *at = words; *at != '\0'; at += strcspn(at, " "), at += *at == ' ') {
        size_t n = strcspn(at, " "), edits = distance(word, strlen(word), at, n);
        if (best == NULL || edits < fewest) {
            best = at;
            fewest = edits;
            *length = n;
        }
    }
    return best;
}
