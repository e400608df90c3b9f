/* A file of rules and a text, with a 0 byte between. Wrong rules are an error with a line; a text gets a verdict when it is
 * UTF-8, and the verdict and its strings fit each other. */
#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "policy/policy.h"
#include "text/utf8.h"

static void check_finding(void *user, const PolicyFinding *f)
{
    int *count = user;
    assert(f->category != NULL && f->form != NULL);
    assert((f->phrase == NULL) == (strcmp(f->part, "classifier") == 0) && (f->phrase == NULL) == (f->place == NULL));
    assert((f->second_phrase != NULL) == (strcmp(f->part, "pair") == 0));
    *count += strcmp(f->category, "innocent") != 0;
}

static void check(const Policy *policy, const char *text, size_t n)
{
    SoraError err = {0};
    PolicyVerdict v;
    int found = 0;
    bool ok = policy_check(policy, text, n, check_finding, &found, &v, &err);
    assert(ok == utf8_check(text, n, "the text", NULL));
    if (ok)
        assert(v.allowed == (found == 0) && v.allowed == (v.category == NULL) && v.allowed == (v.sentence == NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Policy *embedded;
    SoraError err = {0};
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    size_t rules = end != NULL ? (size_t)(end - data) : 0;
    const char *text = (const char *)data + rules + (end != NULL);
    size_t n = size - rules - (end != NULL);
    if (embedded == NULL)
        embedded = policy_open(NULL, NULL);
    assert(embedded != NULL);
    check(embedded, text, n);
    if (rules == 0)
        return 0;
    Policy *own = policy_open_memory((const char *)data, rules, "rules", &err);
    if (own != NULL)
        check(own, text, n);
    else
        assert(err.code == SORA_ERROR_INPUT && strncmp(err.message, "rules:", 6) == 0);
    policy_close(own);
    return 0;
}
