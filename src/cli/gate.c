#include "cli/gate.h"

#include <stdio.h>
#include <string.h>

#include "policy/policy.h"

enum { MOST_PASSAGES = 64, MOST_EARLIER = 64 };

/* The name without folders and ending; a folder's name is not shown. */
static PolicyText title_of(const char *output)
{
    const char *slash = output != NULL ? strrchr(output, '/') : NULL, *name = slash != NULL ? slash + 1 : output;
    const char *dot = name != NULL ? strrchr(name, '.') : NULL;
    return (PolicyText){name, name == NULL ? 0 : dot != NULL ? (size_t)(dot - name) : strlen(name)};
}

/* What cannot be judged since it is no text (not UTF-8, too long) is left to the library, which refuses it and says where. */
static bool left_to_library(PolicyVerdict *v, const SoraError *err)
{
    *v = (PolicyVerdict){.allowed = true};
    return err->code == SORA_ERROR_INPUT;
}

/* A name that is no text is not judged, since no player shows it. */
static bool judge(const Policy *policy, const SoraRequest *r, const char *output, PolicyVerdict *v, SoraError *err)
{
    PolicyText parts[MOST_EARLIER + MOST_PASSAGES + 1], title = title_of(output);
    size_t count = 0, earlier;
    for (int i = 0; i < r->earlier_count && i < MOST_EARLIER; i++)
        parts[count++] = (PolicyText){r->earlier[i], strlen(r->earlier[i])};
    earlier = count;
    if (r->prompt != NULL)
        parts[count++] = (PolicyText){r->prompt, strlen(r->prompt)};
    for (int i = 0; i < r->passage_count && i < MOST_PASSAGES; i++) {
        if (r->passages[i].prompt != NULL)
            parts[count++] = (PolicyText){r->passages[i].prompt, strlen(r->passages[i].prompt)};
    }
    if (!policy_check_steps(policy, parts, count, earlier, v, err))
        return left_to_library(v, err);
    const char *negative = r->negative_prompt;
    if (v->allowed && negative != NULL && !policy_check_negative(policy, negative, strlen(negative), v, err))
        return left_to_library(v, err);
    SoraError ignored = {0};
    PolicyVerdict shown;
    if (v->allowed && title.size > 0 && policy_check(policy, title.bytes, title.size, NULL, NULL, &shown, &ignored))
        *v = shown;
    return true;
}

bool gate_check(const char *path, SoraRequest *request, const char *output, Gate *gate, SoraError *err)
{
    bool off = path != NULL && strcmp(path, GATE_OFF) == 0;
    snprintf(gate->version, GATE_VERSION, "%s", GATE_OFF);
    request->policy = gate->version;
    if (off)
        return true;
    PolicyVerdict v;
    Policy *policy = policy_open(path, err);
    bool ok = policy != NULL && judge(policy, request, output, &v, err);
    if (ok) {
        snprintf(gate->version, GATE_VERSION, "%s", policy_version(policy));
        gate->pictures = *policy_picture_rules(policy);
        if (!v.allowed)
            ok = error_set(err, SORA_ERROR_INPUT, "refused (%s): %s%s --policy off does not ask", v.category, v.sentence,
                           request->earlier_count > 0 ? " The words that led to the given files count, too." : "");
    }
    policy_close(policy);
    return ok;
}

bool gate_frame(Gate *gate, const SoraVideo *video, int i, SoraError *err)
{
    if (strcmp(gate->version, GATE_OFF) == 0 || gate->pictures.generated >= 1)
        return true;
    if (gate->screen == NULL && (gate->screen = screen_open(&gate->pictures, 1, err)) == NULL)
        return error_wrap(err, "--policy off does not look at frames");
    if (i == 0)
        screen_begin(&gate->seen);
    const Image frame = {sora_video_width(video), sora_video_height(video), (uint8_t *)sora_video_frame(video, i)}; /* read only */
    if (!screen_frame(gate->screen, &frame, i, sora_video_fps(video), &gate->seen, err))
        return false;
    return gate->seen.allowed ||
           error_set(err, SORA_ERROR_INPUT, "refused (%s): %s --policy off does not look", gate->seen.category, gate->seen.sentence);
}

void gate_close(Gate *gate)
{
    screen_close(gate->screen);
    gate->screen = NULL;
}
