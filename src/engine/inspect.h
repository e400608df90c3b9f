/* What is in a model's files, without computing anything: for `sora inspect`. */
#ifndef SORA_ENGINE_INSPECT_H
#define SORA_ENGINE_INSPECT_H

#include "weights/model_files.h"

/* A new object, json_decref() it:
 *     model       name of the published model, or null
 *     name        that model.json gives it, or null
 *     parts       by slot: file, format, layout, prefix, types (tensors of each), tensors, parameters, bytes,
 * copied (bytes that are widened into memory), missing, wrong (another shape or type), unknown: names or
 *                 messages
 *     tokenizer   path, or "in FILE", or null
 *     runs        everything is there and fits
 *     needs       what is not there, in words
 *     memory      bytes: weights (mapped and copied), copied, available on this machine now; of a whole model also
 *                 step (about what a step of the size that it makes by default takes under --memory), size (in
 *                 words), fits (that much is available)
 * or, of a LoRA file: lora: file, changes.
 * NULL when the files cannot be read. */
json_t *inspect_model(const ModelPaths *paths, SoraError *err);

#endif
