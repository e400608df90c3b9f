/* What models/probe sees in videos: are the words there in their seconds, does a remix have its thing, what stays in a minute? */
#include "studio.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpu/backend.h"
#include "train/asks.h"
#include "train/judge.h"

enum { MAX_FRAMES = 128, CARDS = 3 };
static const Question SEEN[] = {Q_THING, Q_COLOUR, Q_PLACE};
enum { QUESTIONS_SEEN = 3 };

static Backend *backend;
static Judge *judge;
static Asks asks;

static void open_judge(void)
{
    SoraError err = {0};
    backend = cpu_backend_new(&(CpuOptions){0}, &err);
    judge = backend != NULL ? judge_open("models/probe", backend, &err) : NULL;
    if (judge == NULL || !asks_load(&asks, "models/probe/prompts.tsv", judge_answers(judge), &err))
        bench_stop("models/probe", &err);
}

static void close_judge(void)
{
    asks_deinit(&asks);
    judge_close(judge);
    cpu_backend_free(backend);
}

/* Ask i of those that are in English, of one thing in a place, and no pair of another. */
static const Ask *ask_at(int i)
{
    int count = 0, found[1024];
    for (int k = 0; k < asks.count && count < 1024; k++) {
        const Ask *a = &asks.items[k];
        if (a->language == LANGUAGE_EN && !a->unseen && a->of < 0 && a->want[Q_THING] != NO_ANSWER && a->want[Q_PLACE] != NO_ANSWER)
            found[count++] = k;
    }
    if (count == 0)
        bench_stop("models/probe/prompts.tsv", &(SoraError){.message = "nothing to ask for"});
    return &asks.items[found[i * 7 % count]]; /* one after the other are alike */
}

static Verdict look(const SoraVideo *v, int first, int count)
{
    const uint8_t *frames[MAX_FRAMES];
    Verdict verdict;
    SoraError err = {0};
    count = count < MAX_FRAMES ? count : MAX_FRAMES;
    for (int i = 0; i < count; i++)
        frames[i] = sora_video_frame(v, first + i);
    if (!judge_look(judge, &(JudgeVideo){frames, count, sora_video_width(v), sora_video_height(v)}, &verdict, &err))
        bench_stop("judge", &err);
    return verdict;
}

typedef struct Score {
    int right[QUESTIONS_SEEN], asked[QUESTIONS_SEEN];
} Score;

static void score(Score *s, const Verdict *v, const Ask *a)
{
    for (int q = 0; q < QUESTIONS_SEEN; q++)
        if (a->want[SEEN[q]] != NO_ANSWER) {
            s->asked[q]++;
            s->right[q] += verdict_right(v, SEEN[q], a->want[SEEN[q]]);
        }
}

static void print_score(const char *name, const Score *s)
{
    printf("| %s |", name);
    for (int q = 0; q < QUESTIONS_SEEN; q++)
        printf(" %d of %d |", s->right[q], s->asked[q]);
    printf("\n");
}

/* --- boards and remixes --- */

/* Three cards of two seconds; each in its seconds, and in their second half. */
static void see_board(int i, Score *whole, Score *half)
{
    BenchJob j;
    SoraPassage cards[CARDS];
    SoraRequest *r = &bench_job(&j, SORA_EDIT_NEW, NULL, NULL)->request;
    for (int k = 0; k < CARDS; k++)
        cards[k] = (SoraPassage){ask_at(CARDS * i + k)->prompt, 2.0 * k};
    r->passages = cards;
    r->passage_count = CARDS;
    r->seed = (uint64_t)i;
    j.edit.seconds = 2 * CARDS;
    SoraVideo *v = bench_make(&j);
    int each = sora_video_frames(v) / CARDS;
    for (int k = 0; k < CARDS; k++) {
        Verdict all = look(v, k * each, each), late = look(v, k * each + each / 2, each - each / 2);
        score(whole, &all, ask_at(CARDS * i + k));
        score(half, &late, ask_at(CARDS * i + k));
    }
    sora_video_free(v);
}

/* Another thing in the same place, if there is one. */
static const Ask *same_place(int i)
{
    const Ask *a = ask_at(i);
    for (int k = 1; k < 200; k++) {
        const Ask *b = ask_at(i + k);
        if (b->want[Q_PLACE] == a->want[Q_PLACE] && b->want[Q_THING] != a->want[Q_THING])
            return b;
    }
    return NULL;
}

typedef struct Remixes {
    Score words;       /* of the words that are new */
    int stays, videos; /* the place is seen to be that of the input */
} Remixes;

static void see_remix(int i, double strength, Remixes *out)
{
    BenchJob j;
    const Ask *to = same_place(i);
    if (to == NULL)
        return;
    SoraVideo *a = bench_clip(ask_at(i)->prompt, (uint64_t)i, bench_clip_a);
    Verdict before = look(a, 0, sora_video_frames(a));
    sora_video_free(a);
    bench_job(&j, SORA_EDIT_REMIX, bench_clip_a, NULL)->request.prompt = to->prompt;
    j.edit.strength = strength;
    SoraVideo *v = bench_make(&j);
    Verdict after = look(v, 0, sora_video_frames(v));
    score(&out->words, &after, to);
    out->videos++;
    out->stays += after.answer[Q_PLACE] == before.answer[Q_PLACE];
    sora_video_free(v);
}

void measure_words(int count)
{
    static const double STRENGTHS[] = {0.6, 0.8};
    Score plain = {0}, whole = {0}, half = {0};
    open_judge();
    for (int i = 0; i < CARDS * count; i++) {
        SoraVideo *v = bench_clip(ask_at(i)->prompt, (uint64_t)(i / CARDS), bench_clip_a);
        Verdict verdict = look(v, 0, sora_video_frames(v));
        score(&plain, &verdict, ask_at(i));
        sora_video_free(v);
    }
    for (int i = 0; i < count; i++)
        see_board(i, &whole, &half);
    printf("| | thing | colour | place |\n|---|---|---|---|\n");
    print_score("plain videos of these words", &plain);
    print_score("cards, in all of their seconds", &whole);
    print_score("cards, in the second half of them", &half);
    for (int k = 0; k < 2; k++) {
        char name[64];
        Remixes r = {0};
        for (int i = 0; i < count; i++)
            see_remix(i, STRENGTHS[k], &r);
        snprintf(name, sizeof name, "remix, strength %g", STRENGTHS[k]);
        print_score(name, &r.words);
        printf("  the input's place is seen after the remix in %d of %d\n", r.stays, r.videos);
    }
    close_judge();
}

/* --- a minute --- */

void measure_drift(int count)
{
    static const double TIMES[] = {1, 15, 30, 60};
    enum { N = sizeof TIMES / sizeof *TIMES };
    Score scores[N] = {0};
    double colour[N] = {0}, contrast[N] = {0};
    open_judge();
    for (int i = 0; i < count; i++) {
        BenchJob j;
        Colour first = {0};
        bench_job(&j, SORA_EDIT_NEW, NULL, NULL)->request.prompt = ask_at(i)->prompt;
        j.request.seed = (uint64_t)i;
        j.edit.seconds = TIMES[N - 1];
        SoraVideo *v = bench_make(&j);
        for (int t = 0; t < N; t++) {
            int end = (int)(TIMES[t] * sora_video_fps(v)), length = (int)sora_video_fps(v);
            Verdict verdict = look(v, end - length, length);
            Colour c = colour_of(v, end - 1);
            first = t == 0 ? c : first;
            score(&scores[t], &verdict, ask_at(i));
            for (int k = 0; k < 3; k++)
                colour[t] += fabs(c.mean[k] - first.mean[k]) / 3 / count;
            contrast[t] += c.deviation / first.deviation / count;
        }
        sora_video_free(v);
    }
    printf("| | thing | colour | place |\n|---|---|---|---|\n");
    for (int t = 0; t < N; t++) {
        char name[64];
        snprintf(name, sizeof name, "after %g s", TIMES[t]);
        print_score(name, &scores[t]);
    }
    for (int t = 0; t < N; t++)
        printf("after %g s: mean colour %.1f of 255 from that at %g s, contrast %.2f of it\n", TIMES[t], colour[t], TIMES[0], contrast[t]);
    close_judge();
}
