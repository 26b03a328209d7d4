#include "adjoint/gradient.h"

static const real *row_of(const cst_gradient_problem *p, size_t i, size_t row)
{
    return p->gy + i * p->gy_time + row * p->gy_row;
}

void cst_gradient_add_observed(const cst_gradient_problem *p, size_t i, real scale, real *to)
{
    const size_t d = cst_shape_size(&p->field->x);
    for (size_t row = 0; i >= p->first_observed && row < p->call->n; row++) {
        const real *restrict gy = row_of(p, i, row);
        real *restrict a = to + row * d;
#pragma omp simd
        for (size_t j = 0; j < d; j++) a[j] += scale * gy[j];
    }
}

double cst_gradient_along(const cst_gradient_problem *p, size_t i, const real *f)
{
    const size_t d = cst_shape_size(&p->field->x);
    double sum = 0;
    for (size_t row = 0; i >= p->first_observed && row < p->call->n; row++) {
        const real *gy = row_of(p, i, row);
        for (size_t j = 0; j < d; j++) sum += (double)gy[j] * (double)f[row * d + j];
    }
    return sum;
}
