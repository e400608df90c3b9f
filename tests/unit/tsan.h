/* Are the tests built with ThreadSanitizer? It has a thread of its own, and takes several times the memory of what it watches. */
#ifndef SORA_TESTS_TSAN_H
#define SORA_TESTS_TSAN_H

#ifdef __has_feature /* clang */
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#ifdef __SANITIZE_THREAD__
enum { UNDER_TSAN = 1 };
#else
enum { UNDER_TSAN = 0 };
#endif

#endif
