#include "engine/checks.h"

#include <stdlib.h>

#include "base/finite.h"
#include "engine/networks.h"
#include "weights/message.h"

static const PartTensor *find_bad(const SoraEngine *e, ModelSlot slot)
{
    const EnginePart *p = &e->parts[slot];
    return p->part != NULL ? part_find_not_finite(p->part, &p->params) : NULL;
}

bool check_numbers(const SoraEngine *e, ModelSlot slot, const char *what, const float *x, size_t n, SoraError *err)
{
    if (all_finite(x, n))
        return true;
    const PartTensor *t = find_bad(e, slot);
    if (t == NULL && slot == SLOT_TRANSFORMER) /* of two experts it may be the other one */
        t = find_bad(e, slot = SLOT_LOW_NOISE);
    char name[SHOWN_SIZE];
    if (t == NULL)
        return error_set(err, SORA_ERROR_INTERNAL,
                         "%s is not finite, although all weights are: a number became too large on the way; "
                         "--precision f32 has the most room",
                         what);
    return error_set(err, SORA_ERROR_INPUT, "%s is not finite: %s: tensor \"%s\" " NOT_FINITE, what,
                     message_path_end(weight_file_path(weight_part_file(e->parts[slot].part))),
                     message_shown(t->file_name, name));
}

/* Marks for count things; NULL, and the notes fail, without memory. */
static bool *new_marks(Notes *notes, int count)
{
    bool *marks = calloc((size_t)count + 1, sizeof *marks);
    notes->failed = notes->failed || marks == NULL;
    return marks;
}

void note_unknown_tensors(Notes *notes, const SoraEngine *e, ModelSlot slot)
{
    const EnginePart *p = &e->parts[slot];
    int count = weight_part_count(p->part), unknown = 0;
    const char *first = NULL;
    bool *asked = new_marks(notes, count);
    for (int i = 0; asked != NULL && i < p->params.count; i++) {
        const PartTensor *t = weight_part_find(p->part, p->params.items[i]->name);
        if (t != NULL)
            asked[t - weight_part_tensor(p->part, 0)] = true;
    }
    for (int i = 0; asked != NULL && i < count; i++) {
        const PartTensor *t = weight_part_tensor(p->part, i);
        if (!asked[i] && !network_leaves(&e->image_encoder, p->part, t->name))
            first = unknown++ == 0 ? t->file_name : first;
    }
    free(asked);
    char name[SHOWN_SIZE];
    if (unknown > 0)
        notes_add(notes, "weights", "%s: %d tensor%s that the %s does not use%s \"%s\"",
                  message_path_end(weight_file_path(weight_part_file(p->part))), unknown, unknown == 1 ? "" : "s",
                  model_slot_name(slot), unknown == 1 ? ":" : ", the first is", message_shown(first, name));
}

/* How many changes of l are for none of the network's tensors; *first: one of them. */
static int count_lost(Notes *notes, const Lora *l, const Params *params, int *first)
{
    bool *fits = new_marks(notes, lora_count(l));
    int lost = 0;
    for (int i = 0; fits != NULL && i < params->count; i++) {
        int found = lora_find(l, params->items[i]->name);
        if (found >= 0)
            fits[found] = true;
    }
    for (int i = 0; fits != NULL && i < lora_count(l); i++)
        if (!fits[i] && lost++ == 0)
            *first = i;
    free(fits);
    return lost;
}

bool check_loras(Notes *notes, const SoraEngine *e, ModelSlot slot, SoraError *err)
{
    const EnginePart *p = &e->parts[slot];
    for (int i = 0; i < p->loras.count; i++) {
        const Lora *l = p->loras.uses[i].lora;
        int first = 0, lost = count_lost(notes, l, &p->params, &first);
        char name[SHOWN_SIZE];
        if (lost == lora_count(l))
            return error_set(err, SORA_ERROR_INPUT, "%.100s: changes nothing that is in this transformer", lora_path(l));
        if (lost > 0)
            notes_add(notes, "lora", "%s: %d of %d changes fit nothing in the %s, the first is \"%s\"",
                      message_path_end(lora_path(l)), lost, lora_count(l), model_slot_name(slot),
                      message_shown(lora_tensor(l, first), name));
    }
    return true;
}
