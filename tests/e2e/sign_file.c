/* sign_file [--prompt TEXT] [--parent FILE] [--input FILE] [--component FILE] [--operation TEXT] [--time URL]
 * [--title TEXT] FILE: signs a finished file with the user's credentials ($SORA_CREDENTIALS), as an app does through
 * sora.h. Prints the manifest's name. */
#include <sora.h>
#include <stdio.h>
#include <string.h>

enum { MAX_INPUTS = 65 }; /* one more than are accepted */

typedef struct Args {
    SoraInput inputs[MAX_INPUTS];
    int count;
    SoraSigning what;
} Args;

static void take(Args *a, const char *option, const char *value)
{
    static const char *const roles[] = {"--parent", "--input", "--component"}; /* in the order of SoraInputRole */
    if (strcmp(option, "--prompt") == 0)
        a->what.prompt = value;
    else if (strcmp(option, "--title") == 0)
        a->what.title = value;
    else if (strcmp(option, "--operation") == 0)
        a->what.operation = value;
    else if (strcmp(option, "--time") == 0)
        a->what.time_authority = value;
    for (int role = 0; role < 3; role++)
        if (strcmp(option, roles[role]) == 0 && a->count < MAX_INPUTS)
            a->inputs[a->count++] = (SoraInput){value, NULL, (SoraInputRole)role};
}

int main(int argc, char **argv)
{
    Args a = {.what.model = "nano"};
    SoraSigned result;
    SoraError err = {0};
    int i = 1;
    for (; i + 2 < argc && argv[i][0] == '-'; i += 2)
        take(&a, argv[i], argv[i + 1]);
    if (i + 1 != argc) {
        fprintf(stderr, "usage: sign_file [--OPTION VALUE] ... FILE\n");
        return 2;
    }
    SoraInputs *inputs = sora_inputs_open(a.inputs, a.count, &err);
    a.what.inputs = inputs;
    SoraCredentials *credentials = inputs != NULL ? sora_credentials_open(NULL, &err) : NULL;
    bool ok = credentials != NULL && sora_sign(credentials, argv[i], &a.what, &result, &err);
    if (ok)
        printf("%s%s%s\n", result.manifest, result.time_stamped ? " time-stamped" : "", result.note);
    else
        fprintf(stderr, "%s\n", err.message);
    sora_credentials_close(credentials);
    sora_inputs_close(inputs);
    return ok ? 0 : 1;
}
