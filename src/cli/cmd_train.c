#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "adapt/lora.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/cmd_train.h"
#include "cli/progress.h"
#include "cli/prompt_sheet.h"
#include "cpu/backend.h"
#include "team/team.h"
#include "train/train.h"

typedef struct TrainArgs {
    const char *out, *stage, *prompts, *data;
    bool resume, json, dry_run;
    int threads, precision, clips, side;
    double minutes, patience;
    const char *memory;
} TrainArgs;

static const TrainArgs defaults = {.clips = 200};

static const Option options[] = {
    {'o', "out", OPTION_STRING, offsetof(TrainArgs, out), "DIR", .help = "where checkpoints, log and model go"},
    {0, "resume", OPTION_FLAG, offsetof(TrainArgs, resume), .help = "go on from DIR's checkpoint"},
    {0, "dry-run", OPTION_FLAG, offsetof(TrainArgs, dry_run), .help = "print the memory, time and disk that it will take, and end"},
    {0, "minutes", OPTION_DOUBLE, offsetof(TrainArgs, minutes), "N", .help = "save and stop after so long", .min = 0,
     .max = 1e6},
    {0, "prompts", OPTION_STRING, offsetof(TrainArgs, prompts), "FILE",
     .help = "draw a sheet of these prompts at each preview (transformer)"},
    {0, "stage", OPTION_STRING, offsetof(TrainArgs, stage), "PACK", .help = "the art of Emoji Stage (sora stage fetch)"},
    {0, "threads", OPTION_INT, offsetof(TrainArgs, threads), "N", .help = "0: all cores (default)", .min = 0, .max = 4096},
    {0, "precision", OPTION_CHOICE, offsetof(TrainArgs, precision), .help = "of the products; weights and sums are f32",
     .choices = "auto|f32|bf16"},
    {0, "patience", OPTION_DOUBLE, offsetof(TrainArgs, patience), "SECONDS",
     .help = "of a team: so long may a rank make no progress (default 600)", .min = 1, .max = 1e6},
    {0},
};

enum { LINE_SECONDS = 60 }; /* between lines without a terminal; DIR/log.tsv has more */

typedef struct Reporter {
    const TrainArgs *args;
    Progress bar;
    char label[96];
    int64_t done, total; /* steps */
    bool silent;         /* another rank speaks */
} Reporter;

static bool report(void *user, const TrainProgress *p)
{
    Reporter *r = user;
    bool steps = strcmp(p->phase, "training") == 0;
    if (steps) {
        r->done = p->done;
        r->total = p->total;
    }
    if (r->silent)
        return !interrupt_requested();
    bool another = strncmp(r->label, p->phase, strlen(p->phase)) != 0;
    if (p->loss > 0)
        snprintf(r->label, sizeof r->label, "%s, loss %.4f, %.1f samples/s", p->phase, p->loss, p->samples);
    else
        snprintf(r->label, sizeof r->label, "%s", p->phase);
    if (another) /* else the bar goes on with the new text */
        r->bar.label = NULL;
    progress_show(&r->bar, &(ProgressStep){r->label, steps ? "steps" : "clips", (int)p->done, (int)p->total});
    return !interrupt_requested();
}

static bool draw_preview(const TrainArgs *a, const char *folder, int64_t step, SoraError *err)
{
    char model[4096], output[4096];
    snprintf(model, sizeof model, "%s/model", folder);
    snprintf(output, sizeof output, "%s/preview-%07" PRId64 ".png", folder, step);
    SoraEngine *engine = sora_engine_open(model, &(SoraOptions){.threads = a->threads}, err);
    PromptSheet sheet = {.prompts = a->prompts, .output = output, .seeds = 1, .columns = 5, .guidance_scale = -1};
    bool ok = engine != NULL && prompt_sheet_make(engine, &sheet, err);
    sora_engine_close(engine);
    return ok;
}

static void preview(void *user, const char *folder, int64_t step)
{
    Reporter *r = user;
    SoraError err = {0};
    if (r->args->prompts != NULL && !draw_preview(r->args, folder, step, &err))
        fprintf(stderr, "sora train: no preview: %s\n", err.message);
}

typedef bool (*Trainer)(Backend *backend, const TrainOptions *options, SoraError *err);

static bool stopping(void *user)
{
    return interrupt_requested();
}

/* Ranks of one machine share its cores. */
static int count_threads(const TrainArgs *a, const Team *team)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return a->threads > 0 || team->local_size == 1 ? a->threads : cores > team->local_size ? (int)(cores / team->local_size) : 1;
}

static bool train_in_team(Trainer trainer, const TrainArgs *a, Team *team, Reporter *r, const char *config, SoraError *err)
{
    CpuOptions cpu = {.threads = count_threads(a, team), .precision = (SoraPrecision)a->precision};
    Backend *backend = trainer != train_lora ? cpu_backend_new(&cpu, err) : NULL;
    if (backend == NULL && trainer != train_lora)
        return false;
    size_t memory;
    if (!parse_bytes("--memory", a->memory, &memory, err)) {
        cpu_backend_free(backend);
        return false;
    }
    r->silent = team->rank != 0;
    TrainOptions o = {.config_path = config, .folder = a->out, .resume = a->resume, .stage_pack = a->stage,
                      .max_seconds = 60 * a->minutes, .threads = cpu.threads, .precision = a->precision,
                      .memory = memory, .team = team, .hooks = {r, report, preview}};
    bool ok = trainer(backend, &o, err);
    progress_end(&r->bar);
    cpu_backend_free(backend);
    return ok;
}

static void print_bytes(const char *what, double bytes, const char *of)
{
    printf("%-16s %9.1f MB   %s\n", what, bytes / 1e6, of);
}

static double free_memory(void)
{
    char line[256];
    double kilobytes = 0;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL && sscanf(line, "MemAvailable: %lf", &kilobytes) != 1)
        continue;
    if (f != NULL)
        fclose(f);
    return 1024 * kilobytes;
}

/* Of the folder, or of the first above it that is there. */
static double free_disk(const char *folder)
{
    char path[4096];
    struct statvfs st;
    snprintf(path, sizeof path, "%s", folder);
    while (statvfs(path, &st) != 0) {
        char *slash = strrchr(path, '/');
        if (slash == NULL || slash == path)
            snprintf(path, sizeof path, "%s", slash == NULL ? "." : "/");
        else
            *slash = 0;
    }
    return (double)st.f_bavail * (double)st.f_frsize;
}

static void print_time(const char *what, double seconds, const char *of)
{
    if (seconds < 120)
        printf("%-16s %9.2f s    %s\n", what, seconds, of);
    else
        printf("%-16s %9.2f h    %s\n", what, seconds / 3600, of);
}

static const double PROGRAM = 120e6; /* the program, its libraries and what kernels keep */

static bool print_estimate(const TrainArgs *a, const TrainEstimate *e, SoraError *err)
{
    double memory = e->weights + e->step + PROGRAM, disk = 2 * e->checkpoint + e->model + e->latents;
    double room = free_memory(), space = free_disk(a->out);
    char text[160];
    printf("%-16s %9.2f M\n", "parameters", (double)e->parameters / 1e6);
    snprintf(text, sizeof text, "weights and optimiser %.1f, a step %.1f; free are %.0f; a rank of a team needs %.1f more", e->weights / 1e6,
             e->step / 1e6, room / 1e6, e->team / 1e6);
    print_bytes("memory", memory, text);
    snprintf(text, sizeof text, "checkpoint twice %.1f, model %.1f, latents %.1f; free are %.0f", 2 * e->checkpoint / 1e6, e->model / 1e6,
             e->latents / 1e6, space / 1e6);
    print_bytes("disk", disk, text);
    if (memory > room)
        return error_set(err, SORA_ERROR_MEMORY, "%.1f GB of memory are needed and %.1f are free: lower \"batch\" or raise \"accumulate\"",
                         memory / 1e9, room / 1e9);
    if (disk > space)
        return error_set(err, SORA_ERROR_IO, "%s: %.1f GB of disk are needed and %.1f are free", a->out, disk / 1e9, space / 1e9);
    return true;
}

/* First by counting, so that what does not fit is not tried; then by steps with empty data. */
static bool dry_run(Trainer trainer, Backend *backend, const TrainArgs *a, const char *config, SoraError *err)
{
    TrainEstimate e = {0};
    size_t memory;
    if (!parse_bytes("--memory", a->memory, &memory, err))
        return false;
    TrainOptions o = {.config_path = config, .folder = a->out, .stage_pack = a->stage, .threads = a->threads, .precision = a->precision,
                      .memory = memory, .estimate = &e};
    if (!trainer(backend, &o, err) || !print_estimate(a, &e, err))
        return false;
    double steps = (double)e.steps;
    e.timed = true;
    if (!trainer(backend, &o, err))
        return false;
    char text[160];
    snprintf(text, sizeof text, "%" PRId64 " steps of %.2f s, %.1f GFLOP each; clips first %.0f s; as this machine is loaded now", e.steps,
             e.step_seconds, e.flops / 1e9, e.latent_seconds);
    print_time("time", steps * e.step_seconds + e.latent_seconds, text);
    return true;
}

static bool train(Trainer trainer, const TrainArgs *a, const char *config, SoraError *err)
{
    if (a->out == NULL)
        return error_set(err, SORA_ERROR_INPUT, "--out DIR is missing");
    if (a->dry_run && team_started())
        return error_set(err, SORA_ERROR_INPUT, "--dry-run says what one rank takes: start it without mpirun");
    if (a->dry_run) {
        bool lora = trainer == train_lora; /* opens its base with a backend of its own */
        Backend *backend = lora ? NULL : cpu_backend_new(&(CpuOptions){.threads = a->threads, .precision = (SoraPrecision)a->precision}, err);
        bool ok = (lora || backend != NULL) && dry_run(trainer, backend, a, config, err);
        cpu_backend_free(backend);
        return ok;
    }
    Reporter r = {.args = a};
    progress_begin_lines(&r.bar, LINE_SECONDS);
    interrupt_catch();
    Team *team = team_open(&(TeamOptions){.patience = a->patience, .stopping = stopping}, err);
    if (team == NULL) {
        if (err->message[0] == 0)
            command_silence();
        return false;
    }
    bool ok = train_in_team(trainer, a, team, &r, config, err), all = ok || err->code == SORA_ERROR_CANCELLED;
    bool speaker = team->rank == 0;
    if (all ? !speaker : !team->fail(team, err))
        command_silence();
    team_close(team, all);
    if (ok && speaker)
        printf("%s/model: after %" PRId64 " of %" PRId64 " steps%s\n", a->out, r.done, r.total,
               r.done < r.total ? "; go on with --resume" : "");
    return ok;
}

static bool run_autoencoder(const void *values, char **arguments, int count, SoraError *err)
{
    return train(train_autoencoder, values, arguments[0], err);
}

static bool run_text(const void *values, char **arguments, int count, SoraError *err)
{
    return train(train_text_encoder, values, arguments[0], err);
}

static bool run_transformer(const void *values, char **arguments, int count, SoraError *err)
{
    return train(train_transformer, values, arguments[0], err);
}

static bool run_lora(const void *values, char **arguments, int count, SoraError *err)
{
    return train(train_lora, values, arguments[0], err);
}

static bool run_latents(const void *values, char **arguments, int count, SoraError *err)
{
    return train(train_latents, values, arguments[0], err);
}

static const Option latents_options[] = {
    {'o', "out", OPTION_STRING, offsetof(TrainArgs, out), "DIR", .help = "of the transformer's run; shards go to DIR/latents"},
    {0, "minutes", OPTION_DOUBLE, offsetof(TrainArgs, minutes), "N", .help = "stop after the shard that is made then", .min = 0,
     .max = 1e6},
    {0, "stage", OPTION_STRING, offsetof(TrainArgs, stage), "PACK", .help = "the art of Emoji Stage (sora stage fetch)"},
    {0, "threads", OPTION_INT, offsetof(TrainArgs, threads), "N", .help = "0: all cores (default)", .min = 0, .max = 4096},
    {0, "precision", OPTION_CHOICE, offsetof(TrainArgs, precision), .help = "of the products", .choices = "auto|f32|bf16"},
    {0},
};

static bool run_probe(const void *values, char **arguments, int count, SoraError *err)
{
    return train(train_probe, values, arguments[0], err);
}

static bool run_captioner(const void *values, char **arguments, int count, SoraError *err)
{
    return train(train_captioner, values, arguments[0], err);
}

static const Option score_options[] = {
    {0, "clips", OPTION_INT, offsetof(TrainArgs, clips), "N", .help = "held-out clips (default 200)", .min = 1, .max = 100000},
    {0, "side", OPTION_INT, offsetof(TrainArgs, side), "N", .help = "pixels of the square clips (default: 16 latent places)",
     .min = 32, .max = 1024},
    {0, "data", OPTION_STRING, offsetof(TrainArgs, data), "CONFIG",
     .help = "draw the nouns of this training configuration (default: all)"},
    {0, "stage", OPTION_STRING, offsetof(TrainArgs, stage), "PACK", .help = "the art of Emoji Stage"},
    {0, "threads", OPTION_INT, offsetof(TrainArgs, threads), "N", .help = "0: all cores (default)", .min = 0, .max = 4096},
    {0, "precision", OPTION_CHOICE, offsetof(TrainArgs, precision), .help = "of the products", .choices = "auto|f32|bf16"},
    {0, "json", OPTION_FLAG, offsetof(TrainArgs, json), .help = "print one JSON object"},
    {0},
};

static void print_psnr(const char *name, const CodecPsnr *p)
{
    printf("%-12s %7.2f %7.2f %7.2f %8.2f %9.2f %12.2f\n", name, p->all, p->calm, p->weather, p->actors, p->half_all,
           p->half_actors);
}

static void print_psnr_json(const char *name, const CodecPsnr *p)
{
    printf(", \"%s\": {\"psnr\": %.3f, \"calm\": %.3f, \"weather\": %.3f, \"actors\": %.3f, \"half\": %.3f, "
           "\"half_actors\": %.3f}",
           name, p->all, p->calm, p->weather, p->actors, p->half_all, p->half_actors);
}

static bool run_score(const void *values, char **arguments, int count, SoraError *err)
{
    const TrainArgs *a = values;
    Backend *backend = cpu_backend_new(&(CpuOptions){.threads = a->threads, .precision = (SoraPrecision)a->precision}, err);
    CodecScoring scoring = {arguments[0], a->data, a->stage, a->side, a->clips};
    CodecScore s;
    bool ok = backend != NULL && evaluate_autoencoder(backend, &scoring, &s, err);
    cpu_backend_free(backend);
    if (ok && a->json) {
        printf("{\"clips\": %d, \"side\": %d", s.clips, s.side);
        print_psnr_json("codec", &s.codec);
        print_psnr_json("linear", &s.linear);
        printf("}\n");
    } else if (ok) {
        printf("%d held-out clips of %dx%d, PSNR in dB; at half: seen at %dx%d\n", s.clips, s.side, s.side, s.side / 2,
               s.side / 2);
        printf("                 all    calm weather   actors   at half  its actors\n");
        print_psnr("codec", &s.codec);
        print_psnr("best linear", &s.linear);
    }
    return ok;
}

typedef struct ListenArgs {
    const char *out, *stage;
    int clips, threads, precision;
} ListenArgs;

static const ListenArgs listen_defaults = {.clips = 48};

static const Option listen_options[] = {
    {'o', "out", OPTION_STRING, offsetof(ListenArgs, out), "DIR", .help = "where latents of the held-out clips are kept"},
    {0, "clips", OPTION_INT, offsetof(ListenArgs, clips), "N", .help = "held-out clips (default 48)", .min = 1, .max = 100000},
    {0, "stage", OPTION_STRING, offsetof(ListenArgs, stage), "PACK", .help = "the art of Emoji Stage"},
    {0, "threads", OPTION_INT, offsetof(ListenArgs, threads), "N", .help = "0: all cores (default)", .min = 0, .max = 4096},
    {0, "precision", OPTION_CHOICE, offsetof(ListenArgs, precision), .help = "of the products", .choices = "auto|f32|bf16"},
    {0},
};

static bool run_listen(const void *values, char **arguments, int count, SoraError *err)
{
    static const char *const WORDS[LISTEN_WORDS] = {"direction", "noun", "colour"};
    const ListenArgs *a = values;
    if (a->out == NULL)
        return error_set(err, SORA_ERROR_INPUT, "--out DIR is missing");
    Backend *backend = cpu_backend_new(&(CpuOptions){.threads = a->threads, .precision = (SoraPrecision)a->precision}, err);
    ListenOptions o = {.config_path = arguments[0], .model = arguments[1], .folder = a->out, .stage_pack = a->stage, .clips = a->clips};
    ListenScore s;
    bool ok = backend != NULL && evaluate_listening(backend, &o, &s, err);
    cpu_backend_free(backend);
    if (!ok)
        return false;
    printf("noise level      ");
    for (int i = 0; i < LISTEN_LEVELS; i++)
        printf("%9.2f", LISTEN_SIGMAS[i]);
    printf("\nloss where it acts");
    for (int i = 0; i < LISTEN_LEVELS; i++)
        printf("%8.3f ", s.loss[i]);
    printf("\nit rises, when the caption changes, by per cent\n");
    for (int w = 0; w < LISTEN_WORDS; w++) {
        printf("%-17s", WORDS[w]);
        for (int i = 0; i < LISTEN_LEVELS; i++)
            printf("%9.2f", s.rise[w][i]);
        printf("   %d clips\n", s.clips[w]);
    }
    return true;
}

static const Command LISTEN = {
    .name = "listen", .summary = "whether a transformer hears direction, noun and colour", .arguments = "CONFIG MODEL",
    .options = listen_options, .defaults = &listen_defaults, .size = sizeof listen_defaults, .min_arguments = 2,
    .max_arguments = 2, .run = run_listen,
    .description = "Prints by how much the loss on held-out clips rises when one word of the caption is another.",
    .examples = "  sora train listen models/nano/train/nano.json train-out/nano/model --out train-out/listen\n"};

static const Command AUTOENCODER = {
    .name = "autoencoder", .summary = "frames to latents and back", .arguments = "CONFIG", .options = options,
    .defaults = &defaults, .size = sizeof defaults, .min_arguments = 1, .max_arguments = 1, .run = run_autoencoder,
    .examples = "  sora train autoencoder models/nano/train/codec.json --out train-out/codec\n"};

static const Command TEXT = {
    .name = "text", .summary = "the text encoder's first lessons: what a caption is about", .arguments = "CONFIG",
    .options = options, .defaults = &defaults, .size = sizeof defaults, .min_arguments = 1, .max_arguments = 1,
    .run = run_text, .examples = "  sora train text models/nano/train/text.json --out train-out/text\n"};

static const Command TRANSFORMER = {
    .name = "transformer", .summary = "the diffusion transformer, with its text encoder", .arguments = "CONFIG",
    .options = options, .defaults = &defaults, .size = sizeof defaults, .min_arguments = 1, .max_arguments = 1,
    .run = run_transformer,
    .examples = "  sora train transformer models/nano/train/nano.json --out train-out/nano\n"
                "  sora train transformer models/nano/train/nano.json --out train-out/nano --resume --minutes 60\n"};

static const Option lora_options[] = {
    {'o', "out", OPTION_STRING, offsetof(TrainArgs, out), "DIR", .help = "where checkpoints, log and DIR/model/lora.safetensors go"},
    {0, "resume", OPTION_FLAG, offsetof(TrainArgs, resume), .help = "go on from DIR's checkpoint"},
    {0, "dry-run", OPTION_FLAG, offsetof(TrainArgs, dry_run), .help = "print the memory, time and disk that it will take, and end"},
    {0, "minutes", OPTION_DOUBLE, offsetof(TrainArgs, minutes), "N", .help = "save and stop after so long", .min = 0,
     .max = 1e6},
    {0, "memory", OPTION_STRING, offsetof(TrainArgs, memory), "SIZE",
     .help = "use at most so much memory, such as 6G or 800M: weights are read again as needed"},
    {0, "threads", OPTION_INT, offsetof(TrainArgs, threads), "N", .help = "0: all cores (default)", .min = 0, .max = 4096},
    {0, "precision", OPTION_CHOICE, offsetof(TrainArgs, precision), .help = "of the products; weights and sums are f32",
     .choices = "auto|f32|bf16"},
    {0, "patience", OPTION_DOUBLE, offsetof(TrainArgs, patience), "SECONDS",
     .help = "of a team: so long may a rank make no progress (default 600)", .min = 1, .max = 1e6},
    {0},
};

static const Command LORA = {
    .name = "lora", .summary = "a style or a thing of your own, from a few pictures", .arguments = "CONFIG", .options = lora_options,
    .defaults = &defaults, .size = sizeof defaults, .min_arguments = 1, .max_arguments = 1, .run = run_lora,
    .description = "Writes DIR/model/lora.safetensors, for --lora of generate and convert, and for ComfyUI and diffusers.",
    .examples = "  sora train lora style.json --out train-out/style\n"
                "  sora generate -p \"a red fox runs left\" --lora train-out/style/model/lora.safetensors:0.8\n"};

static const Command LATENTS = {
    .name = "latents", .summary = "the transformer's training clips, encoded ahead of it", .arguments = "CONFIG",
    .options = latents_options, .defaults = &defaults, .size = sizeof defaults, .min_arguments = 1, .max_arguments = 1,
    .run = run_latents, .examples = "  nice sora train latents nano.json --out train-out/nano\n"};

static const Command PROBE = {
    .name = "probe", .summary = "a small network that says what is in a clip, for `sora score`", .arguments = "CONFIG",
    .options = options, .defaults = &defaults, .size = sizeof defaults, .min_arguments = 1, .max_arguments = 1, .run = run_probe,
    .examples = "  sora train probe models/probe/train/probe.json --out train-out/probe\n"};

static const Command CAPTIONER = {
    .name = "captioner", .summary = "a network that describes clips, for `sora caption`", .arguments = "CONFIG", .options = options,
    .defaults = &defaults, .size = sizeof defaults, .min_arguments = 1, .max_arguments = 1, .run = run_captioner,
    .examples = "  sora train captioner models/nano/train/captioner.json --out train-out/captioner\n"};

static const Command SCORE = {
    .name = "score", .summary = "PSNR of an autoencoder on held-out clips", .arguments = "DIR", .options = score_options,
    .defaults = &defaults, .size = sizeof defaults, .min_arguments = 1, .max_arguments = 1, .run = run_score,
    .examples = "  sora train score models/nano/vae --clips 200\n"};

static const Option words_options[] = {
    {'o', "out", OPTION_STRING, offsetof(TrainArgs, out), "FILE", .help = "where to (default words.json)"},
    {0, "stage", OPTION_STRING, offsetof(TrainArgs, stage), "PACK", .help = "the art of Emoji Stage"},
    {0},
};

static bool run_words(const void *values, char **arguments, int count, SoraError *err)
{
    const TrainArgs *a = values;
    const char *path = a->out != NULL ? a->out : "words.json";
    if (!train_words(arguments[0], a->stage, path, err))
        return false;
    printf("%s: what a model of %s knows\n", path, arguments[0]);
    return true;
}

static const Command WORDS = {
    .name = "words", .summary = "what a model knows, for its folder", .arguments = "CONFIG", .options = words_options,
    .defaults = &defaults, .size = sizeof defaults, .min_arguments = 1, .max_arguments = 1, .run = run_words,
    .description = "Writes words.json, as train transformer does by itself: the words of the captions that this configuration "
                   "trains with.",
    .examples = "  sora train words models/nano/train/nano.json --out models/nano/words.json\n"};

static const Command *const SUBCOMMANDS[] = {&AUTOENCODER, &TEXT, &LATENTS, &TRANSFORMER, &LORA, &PROBE, &CAPTIONER,
                                            &LISTEN, &SCORE, &CMD_SCORE_CAPTIONER, &WORDS, &TRAIN_POLICY, NULL};

const Command CMD_TRAIN = {
    .name = "train", .summary = "train a model of your own", .subcommands = SUBCOMMANDS,
    .description = "Ctrl-C saves a checkpoint; --resume goes on from it exactly. DIR/log.tsv holds the losses,\n"
                   "DIR/model the averaged weights. Configurations: docs/training.md.",
    .examples = "  sora train autoencoder models/nano/train/codec.json --out train-out/codec\n"};
