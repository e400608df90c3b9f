/* May a picture or a video be taken, or shown? Pictures, and frames at two a second, by the judge of pictures; of
 * uploads also faces of people, and what their content credentials say of them. The rules are a policy's
 * (policy/policy.h).
 *
 *     Screen *screen = screen_open(policy_picture_rules(policy), 0, &err);
 *     ScreenVerdict verdict;
 *     if (screen != NULL && screen_file(screen, path, NULL, &verdict, &err) && !verdict.allowed)
 *         puts(verdict.sentence);
 *     screen_close(screen);
 *
 * One thread at a time. */
#ifndef SORA_SCREEN_SCREEN_H
#define SORA_SCREEN_SCREEN_H

#include "credentials/origin.h"
#include "media/foreign.h"
#include "policy/policy.h"
#include "screen/picture_judge.h"

enum { SCREEN_RATE = 2 }; /* frames a second that are looked at */

typedef struct Screen Screen;

typedef struct ScreenVerdict {
    bool allowed;
    const char *category; /* "explicit", "faces" or "credentials"; NULL when it is allowed */
    char sentence[256];   /* for the user; "" when it is allowed */
    int looked;           /* frames that were looked at */
    PictureScores worst;  /* of the one of them that is most probably explicit */
    double worst_at;      /* seconds from the beginning */
    int faces;            /* -1: they were not looked for */
    CredentialsOrigin origin;
} ScreenVerdict;

/* threads as in picture_judge_open(). NULL when there is no judge. */
Screen *screen_open(const PictureRules *rules, int threads, SoraError *err);
void screen_close(Screen *s); /* NULL is allowed */

/* Of a video that is made, frame by frame in order: begin, then each; those between two looks cost nothing.
 * verdict->allowed says whether it may go on. False when the judge failed. */
void screen_begin(ScreenVerdict *verdict);
bool screen_frame(Screen *s, const Image *frame, int i, double fps, ScreenVerdict *verdict, SoraError *err);

/* A single picture that is made. */
bool screen_picture(Screen *s, const Image *picture, ScreenVerdict *verdict, SoraError *err);

/* A picture or video that a user brings, decoded as in media/foreign.h (limits may be NULL). Its first wrong thing
 * decides. False when it could not be looked at: it is damaged, or faces cannot be found and are not allowed
 * (SORA_ERROR_UNSUPPORTED). */
bool screen_file(Screen *s, const char *path, const ForeignLimits *limits, ScreenVerdict *verdict, SoraError *err);

/* What its credentials say, in a line: "made by AI, edited, by sora.c; signed by ..."; "" of nothing. */
void screen_origin_text(const CredentialsOrigin *origin, char *text, size_t size);

#endif
