#include "engine/size.h"

#include <math.h>

/* The largest multiple of unit that is not above x; at least one unit. */
static int whole(double x, int unit)
{
    double n = floor(x / unit);
    return n < 1 ? unit : n * unit > 1 << 24 ? (1 << 24) / unit * unit : (int)n * unit;
}

Size size_to_stretch(Size picture, Size unit, int64_t area)
{
    double aspect = (double)picture.height / picture.width;
    return (Size){whole(sqrt((double)area / aspect), unit.width),
                  whole(sqrt((double)area * aspect), unit.height)};
}

/* How far two shapes are from each other: 1 when they are equal. */
static double mismatch(Size a, double ratio)
{
    double other = (double)a.width / a.height;
    return fmax(ratio / other, other / ratio);
}

Size size_to_cut(Size picture, Size unit, int64_t area)
{
    double ratio = (double)picture.width / picture.height;
    double width = sqrt((double)area * ratio), height = (double)area / width;
    Size by_width = {whole(width, unit.width), 0}, by_height = {0, whole(height, unit.height)};
    by_width.height = whole((double)area / by_width.width, unit.height);
    by_height.width = whole((double)area / by_height.height, unit.width);
    return mismatch(by_width, ratio) < mismatch(by_height, ratio) ? by_width : by_height;
}
