#include "layers/convolution.h"

#include <math.h>

typedef struct convolution {
    cst_module base;
    cst_lowering lowering;
} convolution;

cst_status cst_convolution_new(const cst_module_ops *ops, const cst_shape *x, const cst_shape *y, const cst_lowering *l,
                               bool bias, cst_module **m, cst_error *error)
{
    CST_TRY(cst_module_new(sizeof(convolution), ops, x, m, error));
    ((convolution *)(void *)*m)->lowering = *l;
    (*m)->y = *y;
    (*m)->cost = cst_lowering_cost(l);
    cst_module_add_tensor(*m, "weight", cst_lowering_weight(l));
    if (bias) cst_module_add_tensor(*m, "bias", cst_shape_1d(y->dim[0]));
    return CST_OK;
}

const cst_lowering *cst_convolution_lowering(const cst_module *m)
{
    return &((const convolution *)(const void *)m)->lowering;
}

const real *cst_convolution_bias(const cst_module *m, const real *theta)
{
    return m->n_tensors > 1 ? theta + m->tensors[1].offset : NULL;
}

void cst_convolution_bias_gradient(const cst_module *m, size_t rows, const real *gy, real scale, real *gtheta)
{
    if (!gtheta || m->n_tensors < 2) return;
    const size_t channels = m->y.dim[0], pixels = m->y.dim[1] * m->y.dim[2];
    real *gbias = gtheta + m->tensors[1].offset;
    for (size_t c = 0; c < channels; c++) {
        real sum = 0;
        for (size_t n = 0; n < rows; n++) {
            const real *restrict plane = gy + (n * channels + c) * pixels;
#pragma omp simd reduction(+ : sum)
            for (size_t i = 0; i < pixels; i++) sum += plane[i];
        }
        gbias[c] += scale * sum;
    }
}

void cst_convolution_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    (void)threads;
    plan->work = cst_lowering_work(cst_convolution_lowering(m), cst_size_mul(n, k > 1 ? k : 1));
}

void cst_convolution_init(const cst_module *m, cst_rng rng, real *theta)
{
    const cst_shape *weight = &m->tensors[0].shape;
    const double bound = 1 / sqrt((double)(cst_shape_size(weight) / weight->dim[0]));
    for (size_t i = 0; i < m->n_tensors; i++)
        cst_rng_fill_uniform(cst_rng_split(rng, i), theta + m->tensors[i].offset, cst_shape_size(&m->tensors[i].shape),
                             -bound, bound);
}
