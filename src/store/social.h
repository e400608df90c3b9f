/* What people do with each other's videos, and characters. */
#ifndef SORA_STORE_SOCIAL_H
#define SORA_STORE_SOCIAL_H

#include "store/jobs.h"

typedef struct Character {
    char id[STORE_ID_SIZE];
    char *name, *file;
    int64_t created;
} Character;

void character_deinit(Character *c);

/* Fills id and created; the file is kept. */
bool store_character_create(Store *store, const char *key, Character *c, SoraError *err);
bool store_character_get(Store *store, const char *id, const char *key, Character *c, bool *found, SoraError *err);

typedef struct Report {
    char id[STORE_ID_SIZE], job[STORE_ID_SIZE], key[STORE_ID_SIZE];
    char *reason, *decision; /* decision NULL: nobody has decided */
    int64_t at, decided;
} Report;

typedef struct ReportList {
    Report reports[100];
    int count;
} ReportList;

/* About a published video. */
bool store_report_create(Store *store, const char *job, const char *key, const char *reason, char id[STORE_ID_SIZE], bool *found,
                         SoraError *err);
bool store_report_list(Store *store, bool open_only, ReportList *list, SoraError *err);
void report_list_deinit(ReportList *list);
/* decision "removed" takes the video back from the feed; "kept" leaves it. */
bool store_report_decide(Store *store, const char *id, const char *decision, bool *found, SoraError *err);

#endif
