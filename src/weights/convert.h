/* Weight files as other ones: other types, another container; one file or a whole model. Memory does not grow with
 * them. */
#ifndef SORA_WEIGHTS_CONVERT_H
#define SORA_WEIGHTS_CONVERT_H

#include "base/error.h"
#include "weights/lora.h"
#include "weights/weight_part.h"

typedef struct ConvertOptions {
    DType type;      /* of matrices; a type of numbers. Everything else keeps 16 or 32 bits */
    bool own_names;  /* Wan's own instead of the file's, without its prefix */
    /* Merged into a transformer's tensors; the second one into those of a model's expert for little noise. All zeros: none. A
     * LoRA that changes nothing is an error. */
    LoraSet loras, low_noise_loras;
    int *lost;       /* counted up: changes that fit no tensor; may be NULL */
    bool keep_types; /* type is not looked at: numbers stay as they are, blocks become F32 */
    /* Bytes of the source that are done, and all of them; false cancels. May be NULL. */
    bool (*progress)(void *user, int64_t done, int64_t total);
    void *user;
} ConvertOptions;

/* from: a file, an index or a folder of shards. to: .safetensors or .gguf; quantised types need GGUF. Scales
 * of float8 are multiplied in. A matrix whose rows are no multiple of the type's block becomes Q8_0 or F16.
 * Numbers that the type cannot hold are an error. */
bool weights_convert(const char *from, const char *to, const ConvertOptions *options, SoraError *err);

/* How far a conversion of several parts has come, in bytes of the source. */
typedef struct ConvertProgress {
    int64_t done, total;
} ConvertProgress;

/* One network of a file, without the prefix of its names. */
int64_t part_convert_bytes(const WeightPart *part);
bool part_convert(const WeightPart *part, const char *to, const ConvertOptions *options, ConvertProgress *progress,
                  SoraError *err);

/* A model's folder in any arrangement (weights/model_files.h) as a folder of ours: a folder for each part with its
 * config.json, the tokenizer, model.json, model_index.json and the scheduler's config, README and licences. Quantised
 * parts are GGUF, others safetensors; the autoencoder keeps its types. Nothing is under the name to until all is
 * complete; if something is there already, that is an error. */
bool model_convert(const char *from, const char *to, const ConvertOptions *options, SoraError *err);

/* The picture judge (model/mobilenet_v2.h) from the folder of nsfwjs's MobileNetV2 as its npm package has it (see weights/tfjs.h):
 * model.safetensors, in which weights stay bytes (see weights/file_source.h), and config.json. Nothing may be under the name to. */
bool mobilenet_convert(const char *from, const char *to, SoraError *err);

/* The type for "bf16", "q4_k" ...; the words are in CONVERT_TYPES, in one order. */
#define CONVERT_TYPES "f32|f16|bf16|q8_0|q4_0|q4_1|q5_0|q5_1|q4_k|q5_k|q6_k"
DType convert_type(int choice);

#endif
