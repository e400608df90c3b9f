#include "train/words.h"

#include <stdlib.h>

#include "stage/stage.h"
#include "train/train.h"

/* Each of the stage's nouns that clips have, once, in the configuration's order; heap, NULL without memory. */
static int *list_nouns(const Stage *stage, const ClipSourceConfig *c, int *count, SoraError *err)
{
    int all = stage_noun_count(stage), wanted = c->noun_count > 0 ? c->noun_count : all;
    int *list = calloc((size_t)wanted + 1, sizeof *list);
    bool *taken = calloc((size_t)all + 1, sizeof *taken), ok = list != NULL && taken != NULL;
    *count = 0;
    if (!ok)
        error_set(err, SORA_ERROR_MEMORY, "out of memory");
    for (int i = 0; ok && i < wanted; i++) {
        int noun = c->noun_count > 0 ? stage_noun_find(stage, c->nouns[i]) : i;
        if (noun < 0)
            ok = error_set(err, SORA_ERROR_INPUT, "the stage has no noun \"%s\"", c->nouns[i]);
        else if (!taken[noun])
            list[(*count)++] = noun;
        if (ok)
            taken[noun] = true;
    }
    free(taken);
    if (ok)
        return list;
    free(list);
    return NULL;
}

bool words_write(const ClipSourceConfig *source, const char *path, SoraError *err)
{
    if (source->folder != NULL)
        return true;
    int count, *nouns = NULL;
    json_t *words = NULL;
    Stage *stage = stage_open(source->stage_pack, err);
    bool ok = stage != NULL && (nouns = list_nouns(stage, source, &count, err)) != NULL;
    if (ok)
        ok = (words = stage_words(stage, &(StageWords){nouns, count, source->styled > 0})) != NULL ||
             error_set(err, SORA_ERROR_MEMORY, "%s: out of memory", path);
    ok = ok && settings_write(words, path, err);
    json_decref(words);
    free(nouns);
    stage_close(stage);
    return ok;
}

bool train_words(const char *config, const char *stage_pack, const char *path, SoraError *err)
{
    TrainSettings settings;
    if (!settings_load(&settings, config, TRAINER_TRANSFORMER, err))
        return false;
    ClipSourceConfig source = settings.source;
    source.stage_pack = stage_pack;
    bool ok = source.folder == NULL ? words_write(&source, path, err)
                                    : error_set(err, SORA_ERROR_INPUT, "%s: its clips are videos of a folder; only those of the "
                                                                       "stage have a vocabulary", config);
    settings_deinit(&settings);
    return ok;
}
