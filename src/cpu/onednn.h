/* oneDNN as a maker of tiles: small matrix products and convolutions, each made for one thread. The callers
 * cut their work into tiles of a size that depends on shapes alone and run them on all threads, so that
 * results do not depend on the number of threads. */
#ifndef SORA_CPU_ONEDNN_H
#define SORA_CPU_ONEDNN_H

#include "base/error.h"
#include "tensor/node.h"

typedef struct OneDnn OneDnn;
typedef struct Tile Tile;

/* Of the operands. INT8: src U8, weights S8, dst S32. */
typedef enum TileType { TILE_F32, TILE_BF16, TILE_INT8 } TileType;

typedef enum TileKind {
    TILE_MATMUL,      /* dst[m, n] (+)= src[m, k] weights[k, n] + bias[n] */
    TILE_CONV,        /* dst = conv(src, weights) + bias, no padding; rows come before times */
    TILE_CONV_GRAD_W, /* weights = the gradient of TILE_CONV's weights; src and dst are given */
} TileKind;

/* What a tile computes; all of it is the cache's key, so start from {0}. Dense row-major src and dst, dst
 * F32 (S32 for INT8), and in TILE_CONV_GRAD_W of the operands' type. */
typedef struct TileShape {
    int32_t kind;
    int32_t type;       /* TileType */
    int32_t bias;       /* whether there is one, F32 */
    int32_t accumulate; /* matmul: adds to dst */
    int32_t m, n, k;    /* matmul; weights as pack_pairs(), pack_rows() or pack_int8_columns() lay them */
    int32_t batch, cin, cout;           /* convolution: src [batch, in.., cin], dst [batch, out.., cout] */
    int32_t out[3], size[3], stride[3]; /* H, T, W; the input is (out - 1) * stride + size */
} TileShape;

typedef struct TileData {
    const void *src;
    void *weights; /* packed; the result of TILE_CONV_GRAD_W */
    const float *bias;
    void *dst;     /* an input of TILE_CONV_GRAD_W */
    void *scratch; /* scratch_bytes, 64-byte aligned */
} TileData;

OneDnn *onednn_new(SoraError *err);
void onednn_free(OneDnn *d);
/* Keeps the cache bounded; call it where no tile is in use. */
void onednn_tidy(OneDnn *d);

/* Columns that lie together in blocked weights of n columns. */
static inline int tile_block(int64_t n)
{
    return n >= 64 ? 64 : (int)(n + 15) / 16 * 16;
}

/* The tile of that shape, from the cache or made now; NULL on failure. Not for use from several threads. */
const Tile *onednn_tile(OneDnn *d, const TileShape *shape, SoraError *err);
size_t tile_weight_bytes(const Tile *tile);
size_t tile_scratch_bytes(const Tile *tile);

/* For use from any thread. */
bool tile_run(const Tile *tile, const TileData *data);
/* Packs a convolution's weights, F32 or BF16, from dense [cout, cin, kt, kh, kw]. Not inside a parallel region. */
bool tile_pack(const Tile *tile, const void *plain, DType type, void *packed);
/* Packed F32 weights of TILE_CONV_GRAD_W to dense ones. Not inside a parallel region. */
bool tile_unpack(const Tile *tile, const void *packed, float *plain);

/* Packed weights that are kept under the address of the plain ones, for all tiles that want them in the same layout:
 * the kept ones, or NULL; and room for new ones, or NULL when out of memory. */
const void *onednn_kept(const OneDnn *d, const Tile *tile, const void *plain);
void *onednn_keep(OneDnn *d, const Tile *tile, const void *plain);
void onednn_forget(OneDnn *d); /* all of them */

/* Makes oneDNN keep to AVX2, if it has not been used yet in this process. */
void onednn_limit_avx2(void);

#endif
