/* oneDNN 2: descriptors are structs. */
#include "cpu/onednn_api.h"

#include <string.h>

static bool done(dnnl_status_t status)
{
    return status == dnnl_success;
}

bool dnn_layout_init(DnnLayout *l, int ndim, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return done(dnnl_memory_desc_init_by_tag(&l->md, ndim, dims, type, tag));
}

bool dnn_layout_init_strides(DnnLayout *l, int ndim, const dnnl_dims_t dims, dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return done(dnnl_memory_desc_init_by_strides(&l->md, ndim, dims, type, strides));
}

bool dnn_layout_copy(DnnLayout *to, const DnnLayout *from)
{
    *to = *from;
    return true;
}

bool dnn_layout_query(DnnLayout *l, dnnl_primitive_desc_t pd, dnnl_query_t which)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, which, 0);
    if (md != NULL)
        l->md = *md;
    return md != NULL;
}

void dnn_layout_deinit(DnnLayout *l)
{
    *l = (DnnLayout){0};
}

size_t dnn_layout_bytes(const DnnLayout *l)
{
    return dnnl_memory_desc_get_size(&l->md);
}

bool dnn_layout_equal(const DnnLayout *a, const DnnLayout *b)
{
    return dnnl_memory_desc_equal(&a->md, &b->md) != 0;
}

int dnn_layout_dims(const DnnLayout *l, dnnl_dims_t dims)
{
    memcpy(dims, l->md.dims, sizeof l->md.dims);
    return l->md.ndims;
}

bool dnn_memory(dnnl_memory_t *m, const DnnLayout *l, dnnl_engine_t engine, void *data)
{
    return done(dnnl_memory_create(m, &l->md, engine, data));
}

bool dnn_append_sum(dnnl_post_ops_t ops)
{
    return done(dnnl_post_ops_append_sum(ops, 1.0f));
}

static const dnnl_memory_desc_t *bias_of(const DnnTensors *t)
{
    return t->bias != NULL ? &t->bias->md : NULL;
}

bool dnn_matmul(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const DnnTensors *t, dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t op;
    return done(dnnl_matmul_desc_init(&op, &t->src->md, &t->weights->md, bias_of(t), &t->dst->md)) &&
           done(dnnl_primitive_desc_create(pd, &op, attr, engine, NULL));
}

static bool forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t kind, const DnnTensors *t, const DnnWindow *w,
                    dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t op;
    return done(dnnl_convolution_forward_desc_init(&op, kind, dnnl_convolution_direct, &t->src->md, &t->weights->md, bias_of(t),
                                                   &t->dst->md, w->stride, w->before, w->after)) &&
           done(dnnl_primitive_desc_create(pd, &op, attr, engine, NULL));
}

bool dnn_conv(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const DnnTensors *t, const DnnWindow *w, dnnl_primitive_attr_t attr)
{
    return forward(pd, engine, dnnl_forward_inference, t, w, attr);
}

bool dnn_conv_grad_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const DnnTensors *t, const DnnLayout *weights,
                           const DnnWindow *w, dnnl_primitive_attr_t attr)
{
    dnnl_convolution_desc_t op;
    dnnl_primitive_desc_t hint = NULL;
    bool ok = forward(&hint, engine, dnnl_forward_training, &(DnnTensors){t->src, weights, NULL, t->dst}, w, NULL) &&
              done(dnnl_convolution_backward_weights_desc_init(&op, dnnl_convolution_direct, &t->src->md, &t->weights->md, NULL,
                                                               &t->dst->md, w->stride, w->before, w->after)) &&
              done(dnnl_primitive_desc_create(pd, &op, attr, engine, hint));
    dnnl_primitive_desc_destroy(hint);
    return ok;
}

bool dnn_reorder(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const DnnLayout *from, const DnnLayout *to)
{
    return done(dnnl_reorder_primitive_desc_create(pd, &from->md, engine, &to->md, engine, NULL));
}
