/* serve_stub DATA JOBS [STORE]: sora serve with engines that make nothing: their "video" is 2,000 bytes that are no video, and ready at
 * once. For measuring the server alone; no part of the program. Prints where it listens. */
#include <jansson.h>
#include "serve/engine_child.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "serve/log.h"
#include "serve/serve.h"

enum { PIPE = 3 };

static void say(const char *line)
{
    if (write(PIPE, line, strlen(line)) < 0)
        exit(0);
}

static void write_file(const char *folder, const char *name, size_t size)
{
    char path[4096], bytes[2000] = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (f == NULL || fwrite(bytes, 1, size, f) != size || fclose(f) != 0)
        exit(1);
}

static int engine(void)
{
    FILE *in = fdopen(PIPE, "r");
    char *line = NULL;
    size_t room = 0;
    say("{\"is\": \"ready\", \"model\": {\"name\": \"stub\", \"width\": 256, \"height\": 256, \"frames\": 17, \"steps\": 10, "
        "\"fps\": 12.0,"
        " \"multiple\": 16, \"stride\": 4, \"most_frames\": 100000, \"most_side\": 4096}}\n");
    while (in != NULL && getline(&line, &room, in) > 0) {
        json_t *m = json_loads(line, 0, NULL);
        const char *folder = json_string_value(json_object_get(m, "folder"));
        if (folder != NULL) {
            write_file(folder, "video.mp4", 2000);
            write_file(folder, "thumbnail.webp", 200);
            write_file(folder, "spritesheet.jpg", 200);
            say("{\"is\": \"made\", \"video\": \"video.mp4\", \"thumbnail\": \"thumbnail.webp\", \"spritesheet\": "
                "\"spritesheet.jpg\","
                " \"width\": 256, \"height\": 256, \"frames\": 17, \"fps\": 12.0, \"length\": 1.4, \"took\": 0.0, \"notes\": "
                "[]}\n");
        }
        json_decref(m);
    }
    return 0;
}

int main(int argc, char **argv)
{
    SoraError err = {0};
    if (argc > 1 && strcmp(argv[1], ENGINE_COMMAND) == 0)
        return engine();
    if (argc != 3 && argc != 4) {
        fprintf(stderr, "usage: serve_stub DATA JOBS [postgres://...]\n");
        return 2;
    }
    ServeOptions o = {.data = argv[1],
                      .store = argc == 4 ? argv[3] : NULL,
                      .models = {{"sora-2", "stub"}},
                      .model_count = 1,
                      .jobs = atoi(argv[2]),
                      .log = LOG_ERRORS,
                      .engine_program = argv[0],
                      .keep_hours = 1};
    if (serve_run(&o, &err))
        return 0;
    fprintf(stderr, "serve_stub: %s\n", err.message);
    return 1;
}
