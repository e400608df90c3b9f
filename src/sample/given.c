#include "sample/given.h"

#include <stddef.h>

GivenPart given_frames(const int64_t grid[3], int64_t first, int64_t count, float level)
{
    return (GivenPart){.first = {first, 0, 0}, .size = {count, grid[1], grid[2]}, .level = level};
}

bool given_add(Given *g, GivenPart part)
{
    for (int d = 0; d < 3; d++)
        if (part.first[d] < 0 || part.size[d] < 1 || part.size[d] > g->grid[d] ||
            part.first[d] > g->grid[d] - part.size[d])
            return false;
    if (g->count == GIVEN_MAX || !(part.level >= 0 && part.level <= 1))
        return false;
    g->parts[g->count++] = part;
    return true;
}

float given_part_level(const GivenPart *part, int64_t frame, int64_t row, int64_t column)
{
    const int64_t at[3] = {frame - part->first[0], row - part->first[1], column - part->first[2]}, *n = part->size;
    for (int d = 0; d < 3; d++)
        if (at[d] < 0 || at[d] >= n[d])
            return 1;
    float own = part->mask != NULL ? part->mask[(at[0] * n[1] + at[1]) * n[2] + at[2]] : 0;
    return own > part->level ? own : part->level;
}

float given_level(const Given *g, int64_t frame, int64_t row, int64_t column)
{
    for (int i = g->count; i-- > 0;) {
        float level = given_part_level(&g->parts[i], frame, row, column);
        if (level < 1)
            return level;
    }
    return 1;
}
