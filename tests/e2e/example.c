#include <sora.h>
#include <stdio.h>

int main(void)
{
    SoraError err = {0};
    SoraEngine *engine = sora_engine_open("nano", NULL, &err);
    SoraRequest request;
    sora_request_init(&request);
    request.prompt = "a rocket flies up past a ringed planet in space";
    SoraVideo *video = engine ? sora_generate(engine, &request, &err) : NULL;
    bool ok = video != NULL && sora_video_write(video, "rocket.mp4", &err);
    if (!ok)
        fprintf(stderr, "%s\n", err.message);
    sora_video_free(video);
    sora_engine_close(engine);
    return ok ? 0 : 1;
}
