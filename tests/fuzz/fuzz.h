/* The one function of a harness: takes outside bytes, and fails by an assert or a sanitizer. libFuzzer calls
 * it, and replay.c for the files of the corpus. */
#ifndef SORA_TESTS_FUZZ_FUZZ_H
#define SORA_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* 0 */

#endif
