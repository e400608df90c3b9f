/* Prompt cleaning against ftfy and html.unescape, token ids against sentencepiece. All exact. */
#include "golden/golden.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "text/clean.h"
#include "text/tokenizer.h"

enum { PADDED_LENGTH = 512, MAX_SHOWN = 5 };

/* NULL with a failed case when the file is there and cannot be read. */
static json_t *load_json(Golden *g, const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (root == NULL) {
        fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
        golden_report(g, path, NAN, 0);
    }
    return root;
}

static bool same_ids(const int32_t *ids, int count, const json_t *expected)
{
    if ((size_t)count != json_array_size(expected))
        return false;
    for (int i = 0; i < count; i++) {
        if (ids[i] != json_integer_value(json_array_get(expected, (size_t)i)))
            return false;
    }
    return true;
}

/* A row of unknown characters is one piece whose text is those characters: only known pieces are compared. */
static bool same_pieces(const Tokenizer *t, const int32_t *ids, int count, const json_t *expected)
{
    if ((size_t)count != json_array_size(expected))
        return false;
    for (int i = 0; i < count; i++) {
        const char *piece = json_string_value(json_array_get(expected, (size_t)i));
        if (ids[i] != tokenizer_unk_id(t) && (piece == NULL || strcmp(piece, tokenizer_piece(t, ids[i])) != 0))
            return false;
    }
    return true;
}

static void show(int wrong, const char *what, size_t index)
{
    if (wrong <= MAX_SHOWN)
        printf("  %s of string %zu differ\n", what, index);
}

static void report(Golden *g, const char *model, const char *what, int wrong)
{
    char name[128];
    snprintf(name, sizeof name, "tokenizer/%s %s", model, what);
    golden_report(g, name, wrong, 0);
}

static int count_wrong_ids(const Tokenizer *t, const json_t *strings, const json_t *model)
{
    int wrong = 0;
    size_t i;
    json_t *string;
    json_array_foreach(strings, i, string)
    {
        const char *text = json_string_value(string);
        size_t n = json_string_length(string);
        int count = tokenizer_encode(t, text, n, NULL, 0);
        int32_t *ids = malloc(((size_t)count + 2) * sizeof *ids);
        tokenizer_encode(t, text, n, ids, count);
        const json_t *expected = json_array_get(json_object_get(model, "ids"), i);
        const json_t *pieces = json_array_get(json_object_get(model, "pieces_first60"), i);
        bool same = same_ids(ids, count, expected) && (pieces == NULL || same_pieces(t, ids, count, pieces));
        int padded = tokenizer_encode_padded(t, text, n, ids, count + 1); /* exactly room for the end */
        same = same && same_ids(ids, padded, json_array_get(json_object_get(model, "ids_eos"), i));
        if (!same)
            show(++wrong, "ids", i);
        free(ids);
    }
    return wrong;
}

static int count_wrong_padded(const Tokenizer *t, const json_t *strings, const json_t *model)
{
    int wrong = 0;
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(model, "hf_seq512"), i, row)
    {
        size_t index = (size_t)json_integer_value(json_object_get(row, "string"));
        const json_t *string = json_array_get(strings, index);
        int32_t ids[PADDED_LENGTH];
        int count = tokenizer_encode_padded(t, json_string_value(string), json_string_length(string), ids, PADDED_LENGTH);
        if (count != json_integer_value(json_object_get(row, "mask_sum")) ||
            !same_ids(ids, PADDED_LENGTH, json_object_get(row, "input_ids")))
            show(++wrong, "padded ids", index);
    }
    return wrong;
}

static int count_wrong_facts(const Tokenizer *t, const json_t *model)
{
    int wrong = tokenizer_vocab_size(t) != json_integer_value(json_object_get(model, "vocab_size"));
    wrong += tokenizer_pad_id(t) != json_integer_value(json_object_get(model, "pad_id"));
    wrong += tokenizer_eos_id(t) != json_integer_value(json_object_get(model, "eos_id"));
    wrong += tokenizer_unk_id(t) != json_integer_value(json_object_get(model, "unk_id"));
    wrong += tokenizer_bos_id(t) != json_integer_value(json_object_get(model, "bos_id"));
    size_t i;
    json_t *score;
    json_array_foreach(json_object_get(model, "scores_first20"), i, score)
        wrong += tokenizer_score(t, (int)i) != (float)json_number_value(score);
    return wrong;
}

static void run_tokenizer(Golden *g, const char *dir)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/tokenizer/tokenizer.json", dir);
    json_t *root = file_exists(path) ? load_json(g, path) : NULL;
    const json_t *strings = json_object_get(root, "strings");
    if (root != NULL && json_array_size(strings) == 0)
        golden_report(g, "tokenizer.json without strings", NAN, 0);
    const char *name;
    json_t *model;
    json_object_foreach(json_object_get(root, "models"), name, model)
    {
        snprintf(path, sizeof path, "%s/tokenizer/%s", dir, json_string_value(json_object_get(model, "file")));
        SoraError err = {0};
        Tokenizer *t = tokenizer_open(path, &err);
        if (t == NULL) {
            fprintf(stderr, "%s\n", err.message);
            report(g, name, "open", 1);
            continue;
        }
        report(g, name, "special ids and scores", count_wrong_facts(t, model));
        report(g, name, "ids", count_wrong_ids(t, strings, model));
        report(g, name, "padded to 512", count_wrong_padded(t, strings, model));
        tokenizer_close(t);
    }
    json_decref(root);
}

typedef char *(*CleanFunction)(const char *text, size_t n, size_t *size, SoraError *err);

/* Rows whose "raw" string does not become what key says. */
static int count_wrong_cleaned(const json_t *rows, const char *key, CleanFunction clean)
{
    int wrong = 0;
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const json_t *raw = json_object_get(row, "raw"), *expected = json_object_get(row, key);
        SoraError err = {0};
        size_t n;
        char *text = clean(json_string_value(raw), json_string_length(raw), &n, &err);
        if (text == NULL || n != json_string_length(expected) || memcmp(text, json_string_value(expected), n) != 0) {
            show(++wrong, key, i);
            if (wrong <= MAX_SHOWN)
                printf("    is        %s\n    should be %s\n", text != NULL ? text : err.message,
                       json_string_value(expected));
        }
        free(text);
    }
    return wrong;
}

static void run_cleaning(Golden *g, const char *dir)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/tokenizer/clean_whitespace.json", dir);
    json_t *root = file_exists(path) ? load_json(g, path) : NULL;
    const json_t *rows = json_object_get(root, "rows");
    if (root != NULL && json_array_size(rows) == 0) {
        golden_report(g, "clean_whitespace.json without rows", NAN, 0);
    } else if (root != NULL) {
        golden_report(g, "tokenizer/clean_whitespace ftfy", count_wrong_cleaned(rows, "ftfy", clean_fix_text), 0);
        golden_report(g, "tokenizer/clean_whitespace whole", count_wrong_cleaned(rows, "whitespace", clean_prompt), 0);
    }
    json_decref(root);
}

void golden_text(Golden *g, const char *dir)
{
    run_cleaning(g, dir);
    run_tokenizer(g, dir);
}
