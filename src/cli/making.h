/* What all commands that make videos have in common: options, and the way from a request to a file. */
#ifndef SORA_CLI_MAKING_H
#define SORA_CLI_MAKING_H

#include <sora.h>

#include "cli/chat.h"
#include "cli/earlier.h"
#include "cli/gate.h"
#include "cli/options.h"
#include "cli/signing.h"
#include "cli/styles.h"
#include "media/video_writer.h"

typedef struct MakingArgs {
    const char *model, *prompt, *negative, *output, *preview, *style;
    OptionSize size;
    int steps, threads, precision, solver, cpu, tell_prompt, scale, variations, rewrite;
    double fps, guidance, low_guidance, shift, cache;
    uint64_t seed;
    const char *transformer, *transformer_2, *text_encoder, *vae, *image_encoder, *tokenizer;
    OptionList loras;
    const char *trace_index, *memory, *policy, *rewriter, *rewriter_model;
    int rewriter_seconds;
    bool watermark, no_trace, json, keep_partial;
    SigningArgs signing;
} MakingArgs;

/* 0 and -1 stand for the model's own, as in sora.h. */
#define MAKING_DEFAULTS {.scale = 1, .variations = 1, .guidance = -1, .low_guidance = -1}

/* clang-format off */
/* What makes the frames; and all that commands take that write a file. */
#define MAKING_SOURCE_OPTIONS(type, member) \
    {'m', "model", OPTION_STRING, offsetof(type, member.model), "DIR", \
     .help = "the model's folder or file, or the name of an installed one (default: $SORA_MODEL, else nano)"}, \
    {0, "transformer", OPTION_STRING, offsetof(type, member.transformer), "FILE", \
     .help = "this one instead of the model's: Wan's, diffusers' or ComfyUI's names, safetensors, GGUF, .pth"}, \
    {0, "transformer-2", OPTION_STRING, offsetof(type, member.transformer_2), "FILE", \
     .help = "the expert of little noise, of models with two"}, \
    {0, "text-encoder", OPTION_STRING, offsetof(type, member.text_encoder), "FILE", .help = "likewise"}, \
    {0, "vae", OPTION_STRING, offsetof(type, member.vae), "FILE", .help = "likewise"}, \
    {0, "image-encoder", OPTION_STRING, offsetof(type, member.image_encoder), "FILE", .help = "likewise"}, \
    {0, "tokenizer", OPTION_STRING, offsetof(type, member.tokenizer), "FILE", \
     .help = "a SentencePiece model or tokenizer.json"}, \
    {0, "lora", OPTION_LIST, offsetof(type, member.loras), "FILE[:N]", \
     .help = "changes to the transformer with a strength (default 1), up to 8 times; FILE:N:high, FILE:N:low for " \
             "one of two experts", .max = 8}, \
    {'p', "prompt", OPTION_STRING, offsetof(type, member.prompt), "TEXT", \
     .help = "what happens in the video"}, \
    {'n', "negative", OPTION_STRING, offsetof(type, member.negative), "TEXT", \
     .help = "what the video should keep away from; \"\" for nothing (default: the model's own)"}, \
    {0, "style", OPTION_STRING, offsetof(type, member.style), "NAME", \
     .help = "words of a preset that are added to the prompt: see sora styles"}, \
    {0, "size", OPTION_SIZE, offsetof(type, member.size), "WxH", .help = "pixels, such as 128x128", .min = 1, \
     .max = 16384}, \
    {0, "fps", OPTION_DOUBLE, offsetof(type, member.fps), "N", .help = "frames a second, 1 to 120", .min = 1, \
     .max = 120}, \
    {0, "steps", OPTION_INT, offsetof(type, member.steps), "N", .help = "sampling steps, 1 to 1000", \
     .min = 1, .max = 1000}, \
    {0, "guidance", OPTION_DOUBLE, offsetof(type, member.guidance), "N", \
     .help = "how closely the prompt is followed, 0 to 100; 1 takes half the time", .min = 0, .max = 100}, \
    {0, "low-guidance", OPTION_DOUBLE, offsetof(type, member.low_guidance), "N", \
     .help = "the same for the low-noise expert of a model with two", .min = 0, .max = 100}, \
    {0, "shift", OPTION_DOUBLE, offsetof(type, member.shift), "N", \
     .help = "of the noise schedule, 0.1 to 100", .min = 0.1, .max = 100}, \
    {0, "cache", OPTION_DOUBLE, offsetof(type, member.cache), "N", \
     .help = "let a step's result serve again while it would change by less than N, such as 0.1; 0: never (default)", \
     .min = 0, .max = 1}, \
    {0, "seed", OPTION_SEED, offsetof(type, member.seed), "N|random", \
     .help = "another number, another video (default 0); random draws one and says it"}, \
    {0, "solver", OPTION_CHOICE, offsetof(type, member.solver), .help = "how noise becomes a video", \
     .choices = "auto|unipc|dpmpp|euler"}, \
    {0, "precision", OPTION_CHOICE, offsetof(type, member.precision), \
     .help = "bf16 is faster where the processor has it, int8 more so and coarser", \
     .choices = "auto|f32|bf16|int8"}, \
    {0, "memory", OPTION_STRING, offsetof(type, member.memory), "SIZE", \
     .help = "use at most so much memory, such as 6G or 800M: weights are read again as needed"}, \
    {0, "threads", OPTION_INT, offsetof(type, member.threads), "N", .help = "0: all cores (default)", \
     .min = 0, .max = 4096}, \
    {0, "cpu", OPTION_CHOICE, offsetof(type, member.cpu), .help = "at most these instructions", \
     .choices = "auto|reference|avx2|avx512"}
#define MAKING_REWRITER_OPTIONS(type, url, model, seconds) \
    {0, "rewriter", OPTION_STRING, offsetof(type, url), "URL", \
     .help = "let a chat model rewrite the prompt: the address of a server that speaks OpenAI's chat completions, such as " \
             "http://127.0.0.1:8080/v1 (llama.cpp's server); $SORA_REWRITER_KEY is its key. Nothing is sent without this option"}, \
    {0, "rewriter-model", OPTION_STRING, offsetof(type, model), "NAME", .help = "the chat model's name, where the server has several"}, \
    {0, "rewriter-timeout", OPTION_INT, offsetof(type, seconds), "N", \
     .help = "seconds after which the prompt is used as it is (default 60)", .min = 1, .max = CHAT_MOST_SECONDS}
#define MAKING_POLICY_OPTION(type, member) \
    {0, "policy", OPTION_STRING, offsetof(type, member.policy), "FILE|off", \
     .help = "rules of your own for what may be asked, after those of sora check; off: nothing is refused, which the video's " \
             "parameters tell"}
#define MAKING_OPTIONS(type, member) \
    MAKING_SOURCE_OPTIONS(type, member), \
    {0, "rewrite", OPTION_CHOICE, offsetof(type, member.rewrite), \
     .help = "say the prompt in the words that the model knows: not at all (default), or so, or so with every step shown " \
             "(sora rewrite)", \
     .choices = "off|auto|show"}, \
    MAKING_REWRITER_OPTIONS(type, member.rewriter, member.rewriter_model, member.rewriter_seconds), \
    {0, "variations", OPTION_INT, offsetof(type, member.variations), "N", \
     .help = "make N videos with seeds that follow each other: NAME-1.mp4 and so on; 1 to 64", .min = 1, .max = 64}, \
    {0, "keep-partial", OPTION_FLAG, offsetof(type, member.keep_partial), \
     .help = "Ctrl-C keeps the frames that are complete instead of nothing"}, \
    {'o', "output", OPTION_STRING, offsetof(type, member.output), "FILE", \
     .help = "where to: .mp4, .webm, .gif, or a picture: .png, .jpg, .webp (default out.mp4; if that is there, out-2.mp4 and so on)"}, \
    {0, "preview", OPTION_STRING, offsetof(type, member.preview), "FILE.png", \
     .help = "while the video is made, show here roughly what is emerging: a small PNG that is replaced after the first step and as " \
             "often as it takes less than 2 % of the time"}, \
    {0, "scale", OPTION_INT, offsetof(type, member.scale), "N", \
     .help = "write the file N times as wide and high, 1 to 8, by Lanczos' filter; there is no more in it to see", .min = 1, \
     .max = VIDEO_MAX_SCALE}, \
    {0, "tell-prompt", OPTION_CHOICE, offsetof(type, member.tell_prompt), \
     .help = "where everybody can read the prompt: in the file's metadata (default), there and in the signed manifest, or " \
             "nowhere in the file", \
     .choices = "metadata|signed|nowhere"}, \
    SIGNING_OPTIONS(type, member.signing), \
    {0, "watermark", OPTION_FLAG, offsetof(type, member.watermark), \
     .help = "draw a small mark that moves to another place every few seconds"}, \
    {0, "trace-index", OPTION_STRING, offsetof(type, member.trace_index), "FILE", \
     .help = "where a fingerprint is kept for `sora trace` (default: $SORA_TRACE_INDEX, else trace.sqlite in " \
             "the user's data folder)"}, \
    {0, "no-trace", OPTION_FLAG, offsetof(type, member.no_trace), .help = "keep no fingerprint"}, \
    MAKING_POLICY_OPTION(type, member), \
    {0, "json", OPTION_FLAG, offsetof(type, member.json), .help = "print the result as one JSON object"}
/* clang-format on */

/* What is made. */
typedef struct Making {
    const MakingArgs *args;
    const SoraEdit *edit;  /* NULL: sora_generate() */
    SoraRequest request;   /* making_begin() fills it from the options; its callbacks and user are the making's */
    const char *inputs[70]; /* files besides those of the options that must not be replaced; ends with NULL */
    Styled styled;
    SoraRewriting rewriting;
    char *chatted;   /* what --rewriter made of the prompt; heap */
    Earlier earlier; /* words that led to the inputs: request.earlier */
    Gate gate; /* its version is request.policy */
} Making;

/* prompt: of the arguments, or NULL; needed: an error when there is none. */
bool making_begin(Making *m, const MakingArgs *args, const char *prompt, bool needed, SoraError *err);
/* Opens the model, makes the video or its variations, writes, signs and reports. */
bool making_run(Making *m, SoraError *err);

void making_end(Making *m);

/* All of that for an edit of files: they are edit->inputs, count of them; the words are optional. */
bool making_edit(const MakingArgs *args, SoraEdit *edit, char **files, int count, SoraError *err);

/* For option tables: how long what is made is. */
#define MAKING_SECONDS(type, field, text) \
    {0, "seconds", OPTION_DOUBLE, offsetof(type, field), "N", .help = text, .min = 0.001, .max = 86400}

/* Do the options make sense, and what do they say of the model? */
bool making_check(const MakingArgs *a, SoraError *err);
SoraOptions making_options(const MakingArgs *a); /* of checked ones; points into a */

/* Is there a file of that name to read? what: "picture", "video". */
bool making_check_file(const char *path, const char *what, SoraError *err);

#endif
