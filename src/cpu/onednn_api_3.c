/* oneDNN 3: descriptors are objects of its own. */
#include "cpu/onednn_api.h"

#include <string.h>

static bool done(dnnl_status_t status)
{
    return status == dnnl_success;
}

bool dnn_layout_init(DnnLayout *l, int ndim, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return done(dnnl_memory_desc_create_with_tag(&l->md, ndim, dims, type, tag));
}

bool dnn_layout_init_strides(DnnLayout *l, int ndim, const dnnl_dims_t dims, dnnl_data_type_t type, const dnnl_dims_t strides)
{
    return done(dnnl_memory_desc_create_with_strides(&l->md, ndim, dims, type, strides));
}

bool dnn_layout_copy(DnnLayout *to, const DnnLayout *from)
{
    return done(dnnl_memory_desc_clone(&to->md, from->md));
}

bool dnn_layout_query(DnnLayout *l, dnnl_primitive_desc_t pd, dnnl_query_t which)
{
    const_dnnl_memory_desc_t md = dnnl_primitive_desc_query_md(pd, which, 0);
    dnnl_memory_desc_t copy = NULL;
    if (md == NULL || !done(dnnl_memory_desc_clone(&copy, md)))
        return false;
    dnn_layout_deinit(l);
    l->md = copy;
    return true;
}

void dnn_layout_deinit(DnnLayout *l)
{
    if (l->md != NULL)
        dnnl_memory_desc_destroy(l->md);
    l->md = NULL;
}

size_t dnn_layout_bytes(const DnnLayout *l)
{
    return dnnl_memory_desc_get_size(l->md);
}

bool dnn_layout_equal(const DnnLayout *a, const DnnLayout *b)
{
    return dnnl_memory_desc_equal(a->md, b->md) != 0;
}

int dnn_layout_dims(const DnnLayout *l, dnnl_dims_t dims)
{
    int n = 0;
    dnnl_dims_t *all = NULL;
    if (!done(dnnl_memory_desc_query(l->md, dnnl_query_ndims_s32, &n)) || !done(dnnl_memory_desc_query(l->md, dnnl_query_dims, &all)))
        return 0;
    memcpy(dims, *all, (size_t)n * sizeof dims[0]);
    return n;
}

bool dnn_memory(dnnl_memory_t *m, const DnnLayout *l, dnnl_engine_t engine, void *data)
{
    return done(dnnl_memory_create(m, l->md, engine, data));
}

bool dnn_append_sum(dnnl_post_ops_t ops)
{
    return done(dnnl_post_ops_append_sum(ops, 1.0f, 0, dnnl_data_type_undef));
}

static const_dnnl_memory_desc_t bias_of(const DnnTensors *t)
{
    return t->bias != NULL ? t->bias->md : NULL;
}

bool dnn_matmul(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const DnnTensors *t, dnnl_primitive_attr_t attr)
{
    return done(dnnl_matmul_primitive_desc_create(pd, engine, t->src->md, t->weights->md, bias_of(t), t->dst->md, attr));
}

static bool forward(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, dnnl_prop_kind_t kind, const DnnTensors *t, const DnnWindow *w,
                    dnnl_primitive_attr_t attr)
{
    return done(dnnl_convolution_forward_primitive_desc_create(pd, engine, kind, dnnl_convolution_direct, t->src->md, t->weights->md,
                                                               bias_of(t), t->dst->md, w->stride, NULL, w->before, w->after, attr));
}

bool dnn_conv(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const DnnTensors *t, const DnnWindow *w, dnnl_primitive_attr_t attr)
{
    return forward(pd, engine, dnnl_forward_inference, t, w, attr);
}

bool dnn_conv_grad_weights(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const DnnTensors *t, const DnnLayout *weights,
                           const DnnWindow *w, dnnl_primitive_attr_t attr)
{
    dnnl_primitive_desc_t hint = NULL;
    bool ok = forward(&hint, engine, dnnl_forward_training, &(DnnTensors){t->src, weights, NULL, t->dst}, w, NULL) &&
              done(dnnl_convolution_backward_weights_primitive_desc_create(pd, engine, dnnl_convolution_direct, t->src->md,
                                                                           t->weights->md, NULL, t->dst->md, w->stride, NULL,
                                                                           w->before, w->after, hint, attr));
    if (hint != NULL)
        dnnl_primitive_desc_destroy(hint);
    return ok;
}

bool dnn_reorder(dnnl_primitive_desc_t *pd, dnnl_engine_t engine, const DnnLayout *from, const DnnLayout *to)
{
    return done(dnnl_reorder_primitive_desc_create(pd, from->md, engine, to->md, engine, NULL));
}
