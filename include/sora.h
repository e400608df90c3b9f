/* libsora: a sentence becomes a video.
 *
 *     #include <sora.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         SoraError err = {0};
 *         SoraEngine *engine = sora_engine_open("nano", NULL, &err);
 *         SoraRequest request;
 *         sora_request_init(&request);
 *         request.prompt = "a rocket flies up past a ringed planet in space";
 *         SoraVideo *video = engine ? sora_generate(engine, &request, &err) : NULL;
 *         bool ok = video != NULL && sora_video_write(video, "rocket.mp4", &err);
 *         if (!ok)
 *             fprintf(stderr, "%s\n", err.message);
 *         sora_video_free(video);
 *         sora_engine_close(engine);
 *         return ok ? 0 : 1;
 *     }
 *
 * Ownership: what a function named open or generate returns is the caller's, to be given to the
 * matching close or free; NULL is allowed there. Strings in a request are the caller's and must live
 * until the call returns. Strings that the library returns live as long as their object.
 * Threads: one engine serves one call at a time; different engines are independent. */
#ifndef SORA_H
#define SORA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* the library is built with everything else hidden */
#endif

#define SORA_VERSION "0.2.0" /* of this header */
/* Of the library that runs. */
const char *sora_version(void);

/* Chosen by what the caller will do next. */
typedef enum SoraErrorCode {
    SORA_OK = 0,
    SORA_ERROR_INPUT,       /* a file, prompt or number from outside is wrong: mend it */
    SORA_ERROR_NOT_FOUND,   /* a file or model is not there: fetch it */
    SORA_ERROR_IO,          /* reading or writing failed: look at the disk */
    SORA_ERROR_MEMORY,      /* not enough memory: ask for less */
    SORA_ERROR_UNSUPPORTED, /* this build or machine cannot do it */
    SORA_ERROR_CANCELLED,   /* the progress callback said stop */
    SORA_ERROR_INTERNAL,    /* a library below us failed: report it */
} SoraErrorCode;

typedef struct SoraError {
    SoraErrorCode code;
    char message[256]; /* one line, no newline */
} SoraError;

/* What a caller should know although nothing failed: something that was given has no effect, or not all of it. */
typedef struct SoraNote {
    /* For programs: "lora", "weights", "prompt", "negative_prompt", "low_guidance", "words". */
    const char *about;
    const char *text; /* one line, for people, as a SoraError's message */
} SoraNote;

typedef struct SoraEngine SoraEngine;
typedef struct SoraVideo SoraVideo;

typedef enum SoraPrecision {
    SORA_PRECISION_AUTO = 0, /* bf16 where the processor has it, else f32 */
    SORA_PRECISION_F32,
    SORA_PRECISION_BF16, /* products in bf16, sums in f32 */
    SORA_PRECISION_INT8, /* linear layers over 256 rows or more in 8 bits, the rest as with AUTO */
} SoraPrecision;

typedef enum SoraSolver {
    SORA_SOLVER_AUTO = 0, /* the model's own */
    SORA_SOLVER_UNIPC,
    SORA_SOLVER_DPMPP,
    SORA_SOLVER_EULER,
} SoraSolver;

typedef struct SoraOptions {
    int threads;             /* 1 to 4096; 0 (default): all cores */
    SoraPrecision precision; /* default: auto */
    const char *cpu;         /* "reference", "avx2", "avx512"; NULL: the best that runs here */
    size_t memory;           /* bytes that the process may have in memory; 0: no limit. Weights are given back and
                                read again as needed; SORA_ERROR_MEMORY when that does not suffice */
    /* Files in place of the model's own, or without a folder; NULL: the model's. In the names and containers of
     * Wan, diffusers, ComfyUI and GGUF. */
    const char *transformer, *transformer_2, *text_encoder, *vae, *image_encoder;
    const char *tokenizer;    /* a SentencePiece model */
    const char *const *loras; /* "FILE", "FILE:0.8", "FILE:0.8:high" or ":low" (of two experts); ends with NULL */
} SoraOptions;

typedef enum SoraPhase {
    SORA_PHASE_TEXT = 0, /* encoding the prompt */
    SORA_PHASE_DENOISE,  /* sampling steps */
    SORA_PHASE_DECODE,   /* latent frames to pictures */
    SORA_PHASE_FRAMES,   /* the studio's: frames of the whole video, of which some are in the making; total 0: it never ends */
} SoraPhase;

typedef struct SoraProgress {
    SoraPhase phase;
    int done, total;          /* within the phase */
    double seconds;           /* since the call began */
} SoraProgress;

/* Return false to cancel: the call then fails with SORA_ERROR_CANCELLED. */
typedef bool (*SoraProgressCallback)(const SoraProgress *progress, void *user);

/* Called for each of sora_video_note()'s, before the first step. */
typedef void (*SoraNoteCallback)(const SoraNote *note, void *user);

/* Frame i of the video is finished, and all before it: sora_video_frame(video, i). Called once for each, in order, while
 * others are still to come, with the video's parameters there. False with *err filled ends the call with that error. */
typedef bool (*SoraFrameCallback)(const SoraVideo *video, int i, void *user, SoraError *err);

/* What is emerging: one small picture for each group of frames (see SoraGiven), approximate and without a watermark. */
typedef struct SoraPreview {
    int step, steps; /* that many of the sampling steps are done */
    int frames, width, height;
    const uint8_t *pixels; /* packed RGB, [frames, height, width, 3]; until the callback returns */
} SoraPreview;

/* Called after the first step, and after others as long as all previews together, with what is done here, take less than
 * 2 % of the time so far. The video is the same with and without. */
typedef void (*SoraPreviewCallback)(const SoraPreview *preview, void *user);

/* Something that a video is given: a picture, or some of a video, for a place in the new one. Exactly one of path, encoded
 * and pixels is there; all else may be left 0. Frames are scaled to cover the new video's, and their middle is taken (by
 * models that see pictures in channels of their own: as their training has it). Where two givens lie over each other the
 * later one counts.
 *
 * The autoencoder takes frames in groups, for nano and Wan the first one and then four at a time. A clip gives the groups
 * that it fills; a still, its group. Models with channels of their own take frames one by one, where they are.
 *
 *     SoraGiven ends[2] = {{.path = "fox.png"}, {.path = "den.png", .at_end = true}};
 *     request.given = ends;
 *     request.given_count = 2; */
typedef struct SoraGiven {
    const char *path;    /* a picture or video file; PNG, JPEG, WebP, BMP, TIFF, GIF, MP4, WebM ... It is decoded in a child
                            process (fork), upright by its EXIF data */
    const void *encoded; /* the bytes of a picture file, encoded_size of them */
    size_t encoded_size;
    const uint8_t *pixels; /* packed RGB, [pixel_frames, pixel_height, pixel_width, 3], at the new video's rate */
    int pixel_frames, pixel_width, pixel_height;
    bool still;      /* of a video or GIF the frame at `from` alone; a picture is a still anyway */
    double from, to; /* seconds: which part of it; below 0 they count from its end; to 0 (default): its end. Other rates
                        than the new video's are converted */
    double at;       /* seconds of the new video: where it begins there, to the nearest frame; default 0 */
    int at_frame;    /* the same in frames; both are added */
    bool at_end;     /* counted from the end: its last frame is the new video's last one, or at and at_frame before it */
    double level;    /* 0 (default): it is kept. Up to 1: a beginning, from which the rest of the way is made: a noise level,
                        of which 0.3 changes little and 0.9 nearly all; 1 would be as if it were not given */
    const char *mask_path; /* a picture of its size: black is given, white is made anew, grey is a level of its own, where
                              that is above `level`; NULL: all of it is given */
    const uint8_t *mask;   /* the same in memory: bytes [mask_height, mask_width], 0 to 255 */
    int mask_width, mask_height;
    int mask_frames; /* 0 or 1: one for all frames; more: mask is [mask_frames, mask_height, mask_width], a picture for each frame
                        and the last one for all after it */
} SoraGiven;

/* Words for a part of the video. */
typedef struct SoraPassage {
    const char *prompt; /* UTF-8, at most 32,000 bytes */
    double from;        /* seconds of the new video from which on it is heard, to the nearest group of frames */
} SoraPassage;

/* Fields left 0 (or NULL) by sora_request_init take the model's own default. */
typedef struct SoraRequest {
    const char *prompt;          /* UTF-8, at most 32,000 bytes; required unless there are passages. "" says nothing and
                                    needs a guidance_scale of 1 */
    const SoraPassage *passages; /* passage_count of them, in their order, the first from 0 on: a storyboard */
    int passage_count;           /* at most 64; 0 (default): the prompt is for the whole video */
    const char *negative_prompt; /* UTF-8; NULL: the model's default; "" : none */
    const SoraGiven *given;      /* given_count of them; some models need a picture to begin with, or to end with too */
    int given_count;             /* at most 64; default 0 */
    int width, height;           /* pixels; multiples of the model's patch (16 for nano). With a picture to begin with
                                    and without both, some models take the picture's shape */
    int frames;                  /* 1 + a multiple of the model's temporal stride (4) */
    double fps;                  /* frames a second, 1 to 120 */
    int steps;                   /* sampling steps, 1 to 1000 */
    double guidance_scale;       /* classifier-free guidance, 0 to 100; 1 is none; < 0: the model's own */
    double low_guidance_scale;   /* of the expert for little noise, in models with two (Wan 2.2 A14B);
                                    < 0: guidance_scale if that is given, else the model's own */
    double shift;                /* of the noise schedule, 0.1 to 100; 0: the model's own */
    uint64_t seed;               /* default 0 */
    SoraSolver solver;
    double cache_threshold;      /* 0 to 1: a step's result serves again while it would change by less than
                                    this part of itself; 0 (default): every step is computed */
    bool watermark; /* draw a small moving mark into the frames; default false */
    const char *asked;           /* what the prompt was rewritten from, for the parameters (sora_rewrite()); NULL: it was not */
    const char *const *earlier;  /* earlier_count texts that led to the files that are given, the oldest first: prompts of the steps
                                    before. Recorded in the parameters; nothing is made of them. At most 64 count */
    int earlier_count;           /* default 0 */
    bool private_prompt; /* the video's parameters, and so the files that are written, do not tell the prompts; default false */
    const char *policy;  /* recorded in the parameters: the version of the policy that judged the words, or "off"; the library judges
                            nothing itself. NULL (default): not recorded. At most 64 bytes count */
    SoraProgressCallback progress;
    SoraNoteCallback note;   /* NULL: none */
    SoraPreviewCallback preview; /* NULL: none */
    SoraFrameCallback frame; /* NULL: none; to write a video while it is decoded */
    void *user;              /* given to the callbacks */
} SoraRequest;

void sora_request_init(SoraRequest *request);

/* Opens a model: the path of its folder or of its only file, or a name. Names are looked for in ./models, where `make
 * install` puts models, and beside the library. NULL: $SORA_MODEL, else "nano"; or no folder at all when the options name
 * transformer, text_encoder and vae. options may be NULL. NULL on failure, with *err filled. */
SoraEngine *sora_engine_open(const char *model, const SoraOptions *options, SoraError *err);
void sora_engine_close(SoraEngine *engine);

/* The model's name and default request: for help texts. */
const char *sora_engine_name(const SoraEngine *engine);
void sora_engine_defaults(const SoraEngine *engine, SoraRequest *request);

/* Note i (from 0) about the model's files and the options: changes of a LoRA that fit nothing, tensors that no network
 * asks for. NULL after the last one. The engine's. */
const SoraNote *sora_engine_note(const SoraEngine *engine, int i);
/* The words that the model knows, as JSON (docs/model-format.md: words.json); NULL: it does not say. The engine's. */
const char *sora_engine_words(const SoraEngine *engine);
/* The LoRAs that change the transformer: "NAME:STRENGTH", followed by ":high" or ":low" if it is one expert's only. Ends
 * with NULL; the engine's. */
const char *const *sora_engine_loras(const SoraEngine *engine);

/* Would sora_generate() begin? Fills nothing and makes nothing: every field is checked, what is given is opened, pictures are
 * decoded and frames of videos counted. What is not asked here: memory, and what lies between the first and the last byte of
 * a damaged video. */
bool sora_request_check(const SoraEngine *engine, const SoraRequest *request, SoraError *err);

SoraVideo *sora_generate(SoraEngine *engine, const SoraRequest *request, SoraError *err);

typedef enum SoraInputRole {
    SORA_INPUT_PARENT = 0, /* the file is this one, changed (c2pa.opened, c2pa.edited): image to video, extend, remix; one
                              at most */
    SORA_INPUT_SOURCE,     /* it was looked at, and nothing of it is shown (inputTo) */
    SORA_INPUT_COMPONENT,  /* it is shown as a part of the file (c2pa.placed): blend, a last frame */
} SoraInputRole;

/* A file that another was made from. Its own credentials are validated, kept and named. */
typedef struct SoraInput {
    const char *path;
    const char *title; /* UTF-8; NULL: the file's name */
    SoraInputRole role;
} SoraInput;

/* The studio: videos of any length, and videos made of videos. What is given and stays comes back as its own pixels, scaled
 * where the sizes differ; the rest is made in windows of the model's own length, each of which is given the end of the one
 * before, in memory that does not grow with the length.
 *
 *     SoraEdit edit;
 *     sora_edit_init(&edit);
 *     edit.kind = SORA_EDIT_EXTEND;
 *     edit.inputs = (const char *[]){"dog.mp4"};
 *     edit.input_count = 1;
 *     edit.seconds = 4;
 *     request.prompt = "the dog runs left";
 *     SoraVideo *video = sora_edit(engine, &edit, &request, &err);
 *
 * What of the request counts: all but `given`, which is SORA_EDIT_NEW's alone. A width, height and fps that are not there are
 * the first input's, where the model makes them (a note says so when not), else the model's. Words that are not there are
 * those that the first input's metadata tell, else nothing is said. frames may be any number. The frame callback is told
 * of each frame as soon as nothing more happens to it; previews are of the window in the making; SoraProgress counts frames of the
 * whole video (SORA_PHASE_FRAMES). */
typedef enum SoraEditKind {
    SORA_EDIT_NEW = 0,     /* nothing but the request, whose given[] may lie anywhere: a long video, a storyboard */
    SORA_EDIT_EXTEND,      /* inputs[0] goes on for `seconds`, or with at_start leads up to its beginning for as long */
    SORA_EDIT_LOOP,        /* inputs[0], then `seconds` in which it comes back to its beginning; without an input a new video that
                              closes on itself, of `seconds` or of the request's frames: a multiple of the model's groups */
    SORA_EDIT_BLEND,       /* inputs[0] turns into inputs[1]: a bridge of `seconds`, or over their length (curve) */
    SORA_EDIT_REMIX,       /* inputs[0] made anew by the words: `strength` */
    SORA_EDIT_FILL,        /* of inputs[0], what is white in the mask, or outside of it in a larger width and height */
    SORA_EDIT_INTERPOLATE, /* from picture to picture of inputs[], over `seconds`, at equal distances or at times[] */
    SORA_EDIT_RECUT,       /* `from` to `to` of inputs[0], with `before` seconds that lead up to it and `after` that go on */
} SoraEditKind;

/* How far B has come, from 0 to 1, over the length of a blend. */
typedef enum SoraCurve {
    SORA_CURVE_BRIDGE = 0, /* not at all: A, a bridge, B */
    SORA_CURVE_LINEAR,
    SORA_CURVE_SMOOTH, /* slow at both ends */
    SORA_CURVE_EARLY,  /* most of it in the first half */
    SORA_CURVE_LATE,
} SoraCurve;

typedef struct SoraEdit {
    SoraEditKind kind;
    const char *const *inputs; /* files: pictures or videos */
    int input_count;           /* at most 32 */
    double seconds;            /* of what is made; NEW and FILL: of the whole, 0: the request's frames, or the input's. Default 0;
                                  kinds that need it take 2 */
    bool at_start;             /* EXTEND */
    double from, to;           /* RECUT: seconds of the input; below 0 from its end; to 0: its end */
    double before, after;      /* RECUT: seconds */
    double strength;           /* REMIX: 0 to 1, default 0.8; 1 keeps nothing. A blend over their length uses it too */
    SoraCurve curve;           /* BLEND */
    const double *times;       /* INTERPOLATE: seconds of each input, rising from 0; NULL: equal distances */
    const char *mask_path;     /* FILL: a picture or a video of the input's size: white is made anew, black stays */
    bool keep_partial;         /* a progress callback that says stop ends the video where it is, with a note, if there is a frame */
} SoraEdit;

void sora_edit_init(SoraEdit *edit);

/* What will come of it. */
typedef struct SoraFormat {
    int width, height, frames;
    double fps;
} SoraFormat;

/* Would sora_edit() begin? As sora_request_check(). format may be NULL. */
bool sora_edit_check(SoraEngine *engine, const SoraEdit *edit, const SoraRequest *request, SoraFormat *format, SoraError *err);
SoraVideo *sora_edit(SoraEngine *engine, const SoraEdit *edit, const SoraRequest *request, SoraError *err);

/* The files of an edit and its request, with their roles, for sora_inputs_open(). Fills list[max] and returns how many. */
int sora_edit_inputs(const SoraEdit *edit, const SoraRequest *request, SoraInput *list, int max);
/* "extended by 4 s": for SoraSigning.operation. */
void sora_edit_operation(const SoraEdit *edit, char *text, size_t size);

/* A video that never ends. frame is called for each, in order, with rgb [height, width, 3]; false with *err filled ends it, and
 * with err->code SORA_OK means that enough was seen. words is asked before each window for what is to happen from now
 * on; NULL from it: as before; what is no UTF-8 or longer than 32,000 bytes is not heard, and a note says so. Memory is
 * constant. The request's frames, passages and given are not used; its progress is
 * asked whether to go on, which is the ordinary end too: true is returned. */
typedef struct SoraLive {
    bool (*frame)(const uint8_t *rgb, int width, int height, int64_t i, void *user, SoraError *err);
    const char *(*words)(void *user);
    void *user;
    const char *begin; /* a picture or a video to go on from; NULL: none */
} SoraLive;
bool sora_live(SoraEngine *engine, const SoraRequest *request, const SoraLive *live, SoraError *err);

/* A prompt in the words that the model knows. */
typedef struct SoraRewriting {
    char *text;   /* UTF-8; sora_rewriting_deinit() frees both */
    char *json;   /* "asked", "text", "changed", "seed", "steps": each with its "text" and what it "did", and "unknown": words for
                     which the model knows none */
    bool changed; /* text is not what was asked */
} SoraRewriting;

/* What is misspelt, unknown or said otherwise than in captions is said as the model's captions would; places and directions that are
 * left open are filled in, by the seed. The same for the same text and seed. SORA_ERROR_UNSUPPORTED for models that do not say what
 * they know (sora_engine_words()). */
bool sora_rewrite(const SoraEngine *engine, const char *text, uint64_t seed, SoraRewriting *rewriting, SoraError *err);
void sora_rewriting_deinit(SoraRewriting *rewriting); /* a zeroed one is allowed */

typedef enum SoraLanguage { SORA_LANGUAGE_EN = 0, SORA_LANGUAGE_JA } SoraLanguage;

/* A clip to be described. Exactly one of path and pixels is there; all else may be left 0. */
typedef struct SoraCaptionRequest {
    const char *path;      /* a picture or video file; it is decoded in a child process (fork). Of a video the beginning: nano
                              looks at 17 frames, 12 a second */
    const uint8_t *pixels; /* packed RGB, [frames, height, width, 3], 12 frames a second */
    int frames, width, height;
    SoraLanguage language;
    bool detailed;      /* several sentences, with light, scenery and camera; default false: one clause */
    int beams;          /* 1 to 16 beginnings are followed; 0: 1 */
    double temperature; /* above 0, to 100: words are drawn at random; default 0: the most probable ones */
    uint64_t seed;      /* of the drawing */
} SoraCaptionRequest;

typedef struct SoraCaption {
    char *text;         /* UTF-8; sora_caption_deinit() frees it */
    double confidence;  /* the words' mean probability, 0 to 1 */
    double strangeness; /* how unlike the captioner's training clips it looks; above 1 it is of another world */
    bool foreign;       /* it is, and the text means nothing. Always false where the model cannot tell */
} SoraCaption;

/* Describes a clip with the model's captioner. SORA_ERROR_NOT_FOUND when the model has none. */
bool sora_caption(SoraEngine *engine, const SoraCaptionRequest *request, SoraCaption *caption, SoraError *err);
void sora_caption_deinit(SoraCaption *caption); /* a zeroed one is allowed */

int sora_video_width(const SoraVideo *video);
int sora_video_height(const SoraVideo *video);
int sora_video_frames(const SoraVideo *video);
double sora_video_fps(const SoraVideo *video);
/* Frame i as packed RGB, [height, width, 3] bytes, the video's own; NULL when i is out of range. Those of a large video (64
 * MB and more) lie in a temporary file, in $TMPDIR, else /var/tmp. */
const uint8_t *sora_video_frame(const SoraVideo *video, int i);
/* The parameters that made the video, as JSON: prompt, seed, model, steps, size. The video's own. */
const char *sora_video_parameters(const SoraVideo *video);
/* The prompt, for the file's metadata; NULL with private_prompt. The video's own. */
const char *sora_video_prompt(const SoraVideo *video);
/* The name of this run, another one each time: a UUID of version 7. Under it `sora trace` knows the video. The
 * video's own. */
const char *sora_video_id(const SoraVideo *video);
/* Note i (from 0) about the request: words that the model does not know or that were cut off, options without effect. NULL after the last one. The
 * video's. */
const SoraNote *sora_video_note(const SoraVideo *video, int i);

/* Writes by extension: .mp4 .webm .gif, .png .jpg .webp (one frame; several become NAME-0001.png ...). Appears
 * under its name only when complete. The prompt (as title) and the parameters (as comment) are stored in the file, for
 * everybody to read, but for what private_prompt leaves out. The sound of an edit's input goes along where the video begins as the
 * input does and that kind of file takes it (docs/studio.md). It is not signed, and `sora trace` does not learn of it. */
bool sora_video_write(const SoraVideo *video, const char *path, SoraError *err);
void sora_video_free(SoraVideo *video);

/* Content credentials (C2PA 2): a signed manifest in the file says what made it, from what, and that it was
 * not changed since. MP4, PNG, JPEG and WebP carry one; WebM and GIF cannot.
 *
 *     SoraCredentials *credentials = sora_credentials_open(NULL, &err);
 *     if (credentials == NULL && err.code == SORA_ERROR_NOT_FOUND && sora_credentials_init(NULL, &err))
 *         credentials = sora_credentials_open(NULL, &err);
 *     SoraSigning what = {.title = "rocket.mp4", .model = sora_engine_name(engine)};
 *     bool ok = credentials && sora_video_write_signed(video, "rocket.mp4", credentials, &what, NULL, &err);
 *
 * A signer serves one call at a time. */
typedef struct SoraCredentials SoraCredentials;

/* What a file is made from, read and validated once: to be opened before the work, for afterwards a file may be gone or
 * another one. At most 64; the list and its strings need not stay. NULL on failure, also when there is no such file. */
typedef struct SoraInputs SoraInputs;
SoraInputs *sora_inputs_open(const SoraInput *list, int count, SoraError *err);
void sora_inputs_close(SoraInputs *inputs);

/* To be asked when all have been read by whoever works on them: false when one of them is not the file that was opened. */
bool sora_inputs_unchanged(const SoraInputs *inputs, SoraError *err);

/* The files that a request gives, each once, for sora_inputs_open(): the one that the video begins with is its parent, others
 * are shown as parts of it, masks are sources. Fills list[max] and returns how many there are. */
int sora_request_inputs(const SoraRequest *request, SoraInput *list, int max);

/* What a manifest says. Everything may be left 0. */
typedef struct SoraSigning {
    const char *title;          /* of the file; UTF-8; NULL: its name */
    const char *model;          /* that made it; UTF-8 */
    const char *const *loras;   /* that changed the model, as sora_engine_loras() has them; NULL: none */
    const char *prompt;         /* UTF-8; NULL: the manifest does not tell it */
    const char *operation;      /* what was done, for people: "extended by 3 s"; UTF-8; NULL: nothing is said */
    const SoraInputs *inputs;   /* NULL: it was made from nothing but words */
    const char *time_authority; /* URL of an RFC 3161 time-stamp service; NULL: no time-stamp */
} SoraSigning;

/* What came of it. */
typedef struct SoraSigned {
    char manifest[48]; /* its name, unique: urn:c2pa: and a UUID */
    bool time_stamped;
    char note[256];     /* why there is no time-stamp although one was asked for; "" otherwise */
    char untraced[256]; /* why `sora trace` will not know the video; "" otherwise. Not of sora_sign() */
} SoraSigned;

/* The key and certificates in a folder; NULL: $SORA_CREDENTIALS, else sora/credentials in $XDG_CONFIG_HOME or
 * ~/.config. NULL with SORA_ERROR_NOT_FOUND when there are none yet, or when they are out of date and sora_credentials_init()
 * renews them; with SORA_ERROR_INPUT when a certificate that was bought is out of date. */
SoraCredentials *sora_credentials_open(const char *folder, SoraError *err);
void sora_credentials_close(SoraCredentials *credentials);

/* Makes a root of one's own and a key below it. It proves that files were not changed, and nothing about who
 * signed to those who do not have the root: root.pem in the folder. Those that it made and that are out of date are renewed;
 * others stay, which is no error. */
bool sora_credentials_init(const char *folder, SoraError *err);

/* Can files of this name carry credentials? By the extension: .mp4 .png .jpg .jpeg .webp */
bool sora_can_sign(const char *path);

/* Puts a manifest into a finished file, which is replaced in one step. result may be NULL. */
bool sora_sign(const SoraCredentials *credentials, const char *path, const SoraSigning *what,
               SoraSigned *result, SoraError *err);

/* sora_video_write(), signed before the file gets its name. Afterwards `sora trace` knows the video, as it does those of
 * the program: a fingerprint goes to the index that $SORA_TRACE_INDEX names (empty: none), else to the user's own. When that
 * fails the file is there all the same, and result->untraced says why. result may be NULL; of several pictures it is the last
 * one's. SORA_ERROR_UNSUPPORTED for kinds of files that carry no credentials. */
bool sora_video_write_signed(const SoraVideo *video, const char *path, const SoraCredentials *credentials,
                             const SoraSigning *what, SoraSigned *result, SoraError *err);

typedef enum SoraVerdict {
    SORA_VERDICT_VALID = 0,
    SORA_VERDICT_INVALID,
    SORA_VERDICT_NONE, /* no credentials in the file */
} SoraVerdict;

typedef struct SoraVerification SoraVerification;

/* Validates a file's credentials, offline. anchors: PEM file of the roots to trust; NULL: none. A file that
 * is damaged or forged is no failure but a verdict. */
SoraVerification *sora_verify(const char *path, const char *anchors, SoraError *err);
SoraVerdict sora_verification_verdict(const SoraVerification *v);
bool sora_verification_trusted(const SoraVerification *v); /* valid, and signed by who is trusted */
/* All status codes of the specification, and what the manifests say. The verification's own. */
const char *sora_verification_json(const SoraVerification *v);
void sora_verification_free(SoraVerification *v);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif
