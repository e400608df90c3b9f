/* tiny_model TOKENIZER DIR: a whole model with random weights, small enough that the tests of the program can
 * make videos with it in no time. The videos show noise. */
#include "tiny_model.h"

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: tiny_model TOKENIZER DIR\n");
        return 2;
    }
    TinyModel model = {
        .manifest = "{\"format\": 1, \"name\": \"tiny\", \"defaults\": {\"width\": 64, \"height\": 48, "
                    "\"frames\": 5, \"fps\": 12, \"steps\": 2}, \"limits\": {\"side\": 256, \"frames\": 65}}",
        .tokenizer = argv[1],
    };
    tiny_model_write(argv[2], &model); /* ends the program when it fails */
    return 0;
}
