/* sign_file [--prompt TEXT] [--parent FILE] [--input FILE] [--time URL] [--title TEXT] FILE: signs a finished
 * file with the user's credentials ($SORA_CREDENTIALS), as an app does through sora.h. Prints the manifest's
 * name. */
#include <sora.h>
#include <stdio.h>
#include <string.h>

enum { MAX_INPUTS = 64 };

int main(int argc, char **argv)
{
    SoraInput inputs[MAX_INPUTS];
    SoraSigning what = {.model = "nano", .inputs = inputs};
    SoraSigned result;
    SoraError err = {0};
    int i = 1;
    for (; i + 2 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "--prompt") == 0)
            what.prompt = argv[i + 1];
        else if (strcmp(argv[i], "--title") == 0)
            what.title = argv[i + 1];
        else if (strcmp(argv[i], "--time") == 0)
            what.time_authority = argv[i + 1];
        else if (what.input_count < MAX_INPUTS)
            inputs[what.input_count++] = (SoraInput){
                argv[i + 1], NULL, strcmp(argv[i], "--parent") == 0 ? SORA_INPUT_PARENT : SORA_INPUT_SOURCE};
    }
    if (i + 1 != argc) {
        fprintf(stderr,
                "usage: sign_file [--prompt TEXT] [--parent FILE] [--input FILE] [--time URL] FILE\n");
        return 2;
    }
    SoraCredentials *credentials = sora_credentials_open(NULL, &err);
    bool ok = credentials != NULL && sora_sign(credentials, argv[i], &what, &result, &err);
    if (ok)
        printf("%s%s%s\n", result.manifest, result.time_stamped ? " time-stamped" : "", result.note);
    else
        fprintf(stderr, "%s\n", err.message);
    sora_credentials_close(credentials);
    return ok ? 0 : 1;
}
