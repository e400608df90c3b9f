/* A prompt rewritten by a chat model that speaks OpenAI's chat completions API: llama.cpp's server, vLLM, Ollama and
 * others. One request is sent, to the address that the user gave and nowhere else: redirects are not followed. */
#ifndef SORA_CLI_CHAT_H
#define SORA_CLI_CHAT_H

#include <jansson.h>
#include <sora.h>

enum {
    CHAT_SECONDS = 60,
    CHAT_MOST_SECONDS = 600,
    CHAT_MOST_PROMPT = 4000 /* bytes of an answer that is taken for a prompt */
};

typedef struct Chat {
    const char *url;   /* http://127.0.0.1:8080, .../v1 or the whole .../v1/chat/completions */
    const char *model; /* NULL: "default"; servers with one model take any */
    int seconds;       /* after which it is given up; 0: CHAT_SECONDS */
} Chat;

/* Is that an address which can be asked? */
bool chat_check(const Chat *chat, SoraError *err);

/* words: as sora_engine_words() has them; NULL: of a model that does not say what it knows, such as Wan's. Heap; NULL:
 * no memory. */
char *chat_instructions(const char *words);

/* The request's body: for who wants to see what is sent. NULL: no memory. */
json_t *chat_body(const Chat *chat, const char *instructions, const char *prompt, uint64_t seed);

/* What the model makes of the prompt, on one line; heap. NULL with a message that names what is wrong with the answer.
 * $SORA_REWRITER_KEY is sent as a bearer token if it is set. */
char *chat_rewrite(const Chat *chat, const char *words, const char *prompt, uint64_t seed, SoraError *err);

/* The prompt in an answer's text: without thoughts, quotes and code fences around it; UTF-8, as JSON's strings are.
 * Heap; NULL when there is none. For tests. */
char *chat_prompt(const char *answer, SoraError *err);

#endif
