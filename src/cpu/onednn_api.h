/* What differs between oneDNN 2 and 3, which Meson chooses by the version that is there: onednn_api_2.c, onednn_api_3.c. All
 * functions that can fail return false then. */
#ifndef SORA_CPU_ONEDNN_API_H
#define SORA_CPU_ONEDNN_API_H

#include <dnnl.h>
#include <stdbool.h>
#include <stddef.h>

/* Sizes, type and order of a tensor. A zeroed one is none. */
typedef struct DnnLayout {
    dnnl_memory_desc_t md; /* 2: itself; 3: on oneDNN's heap */
} DnnLayout;

bool dnn_layout_init(DnnLayout *l, int ndim, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag);
bool dnn_layout_init_strides(DnnLayout *l, int ndim, const dnnl_dims_t dims, dnnl_data_type_t type, const dnnl_dims_t strides);
bool dnn_layout_copy(DnnLayout *to, const DnnLayout *from);
/* As the primitive wants it: dnnl_query_weights_md ... What was in l is let go. */
bool dnn_layout_query(DnnLayout *l, dnnl_primitive_desc_t pd, dnnl_query_t which);
void dnn_layout_deinit(DnnLayout *l);
size_t dnn_layout_bytes(const DnnLayout *l);
bool dnn_layout_equal(const DnnLayout *a, const DnnLayout *b);
int dnn_layout_dims(const DnnLayout *l, dnnl_dims_t dims); /* returns how many */

bool dnn_memory(dnnl_memory_t *m, const DnnLayout *l, dnnl_engine_t engine, void *data);
bool dnn_append_sum(dnnl_post_ops_t ops); /* dst is added to */

/* What an op works on; bias NULL: none. */
typedef struct DnnTensors {
    const DnnLayout *src, *weights, *bias, *dst;
} DnnTensors;

typedef struct DnnWindow {
    dnnl_dims_t stride, before, after; /* the last two: padding */
} DnnWindow;

/* attr may be NULL. *pd is the caller's. */
bool dnn_matmul(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const DnnTensors *t, dnnl_primitive_attr_t attr);
bool dnn_conv(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const DnnTensors *t, const DnnWindow *w, dnnl_primitive_attr_t attr);
/* The gradient of the weights, which are t->weights; forward: the layout of the forward weights. */
bool dnn_conv_grad_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const DnnTensors *t, const DnnLayout *forward,
                           const DnnWindow *w, dnnl_primitive_attr_t attr);
bool dnn_reorder(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const DnnLayout *from, const DnnLayout *to);

#endif
