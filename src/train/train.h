/* The trainer: an autoencoder, or a transformer with its text encoder, from a configuration file (docs/training.md).
 *
 * Everything that a step does is a function of (configuration, step): it draws its random numbers from
 * (seed, step), so a run that resumes gives the same losses as one that never stopped.
 *
 * DIR/checkpoint.safetensors   everything to go on from; replaced at once
 * DIR/log.tsv                  a line for each few steps; of a team, team.tsv beside it
 * DIR/model/...                the averaged weights, as the engine reads them
 * DIR/latents/                 the codec's latents of the training clips */
#ifndef SORA_TRAIN_TRAIN_H
#define SORA_TRAIN_TRAIN_H

#include <stdint.h>
#include "base/error.h"
#include "team/team.h"
#include "tensor/graph.h"

typedef struct TrainProgress {
    const char *phase;       /* "training", "encoding clips" */
    int64_t done, total;
    double loss, rate;       /* loss: average since the last report */
    double gradient_norm;
    double seconds;          /* in this run */
    double samples;          /* a second */
} TrainProgress;

typedef struct TrainHooks {
    void *user;
    /* false: save and stop. */
    bool (*progress)(void *user, const TrainProgress *progress);
    /* The model in DIR/model was just written; may be NULL. */
    void (*preview)(void *user, const char *folder, int64_t step);
} TrainHooks;

/* What a training will take, in bytes and seconds, before anything is begun or written. */
typedef struct TrainEstimate {
    bool timed; /* in: steps with empty data are run, so that seconds are known; else nothing is computed */
    int64_t parameters, steps;
    double weights, step, team;        /* memory: weights and optimiser, the largest step, what a team of several needs besides */
    double checkpoint, model, latents; /* on the disk; a checkpoint is there twice while it is replaced */
    double host;                       /* memory of clips on their way to the network; a part of step */
    double flops, step_seconds;        /* of a step of this process, the mean over its buckets */
    double latent_seconds;             /* of all clips that will be encoded, on this process */
} TrainEstimate;

typedef struct TrainOptions {
    const char *config_path, *folder;
    bool resume;          /* go on from the folder's checkpoint; without, a checkpoint there is an error */
    const char *stage_pack; /* NULL: the default place */
    double max_seconds;   /* save and stop after so long; 0: no limit */
    int threads;          /* 0: all cores; these three for a LoRA, which opens its base itself */
    int precision;        /* SoraPrecision */
    uint64_t memory;      /* bytes of the process, about; 0: no limit */
    Team *team;           /* that trains together, each rank with these options; NULL: this process alone */
    TrainEstimate *estimate; /* not NULL: fills it in and does nothing else */
    TrainHooks hooks;
} TrainOptions;

/* backend's precision is that of the products. SORA_ERROR_CANCELLED when progress said stop; the checkpoint is written. */
bool train_autoencoder(Backend *backend, const TrainOptions *options, SoraError *err);
bool train_text_encoder(Backend *backend, const TrainOptions *options, SoraError *err);
bool train_transformer(Backend *backend, const TrainOptions *options, SoraError *err);
/* All shards of latents that train_transformer() with the same configuration and folder will use, so that it need not
 * wait for them; both may run at the same time. SORA_ERROR_CANCELLED when progress said stop; whole shards stay. */
bool train_latents(Backend *backend, const TrainOptions *options, SoraError *err);
/* The probe: DIR/model/config.json and model.safetensors, and DIR/accuracy.tsv on held-out clips. */
bool train_probe(Backend *backend, const TrainOptions *options, SoraError *err);

/* The captioner: DIR/model has captioner/config.json and captioner/model.safetensors, and the vae and tokenizer that go with it. */
bool train_captioner(Backend *backend, const TrainOptions *options, SoraError *err);

/* Writes words.json (docs/model-format.md): what a model that is trained with this configuration knows. Trainings write it
 * into DIR/model by themselves; this is for models that were made before. */
bool train_words(const char *config, const char *stage_pack, const char *path, SoraError *err);

/* How much a transformer listens: by how much its loss rises, in the patches where something acts, when the caption names
 * another direction, noun or colour than the clip shows. No video has to be made, so it is cheap and early. */
enum { LISTEN_WORDS = 3, LISTEN_LEVELS = 4 }; /* direction, noun, colour; noise levels .97, .9, .8, .6 */
extern const double LISTEN_SIGMAS[LISTEN_LEVELS];

typedef struct ListenOptions {
    const char *config_path; /* the training's: its nouns; its most frequent bucket of videos */
    const char *model;       /* a model folder */
    const char *folder;      /* where latents of the held-out clips are kept */
    const char *stage_pack;  /* NULL: the default place */
    int clips;
} ListenOptions;

typedef struct ListenScore {
    double loss[LISTEN_LEVELS];              /* with the right caption */
    double rise[LISTEN_WORDS][LISTEN_LEVELS]; /* per cent of it */
    int clips[LISTEN_WORDS];                 /* of which the word could be changed */
} ListenScore;
bool evaluate_listening(Backend *backend, const ListenOptions *options, ListenScore *score, SoraError *err);

/* PSNR in dB over the pixels of all clips together. */
typedef struct CodecPsnr {
    double all, calm, weather;
    double actors;                /* the boxes of the moving subject alone */
    double half_all, half_actors; /* both sides seen at half the size */
} CodecPsnr;

typedef struct CodecScore {
    CodecPsnr codec, linear; /* linear: the best linear code with as many channels in blocks of the same size */
    int side, clips;         /* pixels, count */
} CodecScore;

typedef struct CodecScoring {
    const char *codec;       /* folder with config.json and model.safetensors */
    const char *data;        /* a training configuration whose nouns and share of everyday scenes are drawn; NULL: all */
    const char *stage_pack;  /* NULL: the default place */
    int side;                /* of the clips in pixels, a multiple of the codec's stride; 0: 16 latent places */
    int clips;
} CodecScoring;
/* On clips of Emoji Stage that training never sees, 17 frames at 12 a second. The linear code is fitted to 256 clips of
 * the training's kind. */
bool evaluate_autoencoder(Backend *backend, const CodecScoring *scoring, CodecScore *score, SoraError *err);

#endif
