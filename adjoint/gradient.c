/* How all gradient methods read the forward pass's states and the loss's cotangents. */
#include "adjoint/gradient.h"

/* dL/d[z | q](t_i) of one row. */
static const real *row_of(const cst_gradient_problem *p, size_t i, size_t row)
{
    return p->gy + i * p->gy_time + row * p->gy_row;
}

/* The states of the T times are stored one after the other. */
const real *cst_gradient_state(const cst_gradient_problem *p, size_t i)
{
    return p->z + i * p->call->n * cst_shape_size(&p->field->y); /* D + M numbers per row */
}

/* q follows z (N, D) in the state of a time. */
const real *cst_gradient_integrals(const cst_gradient_problem *p, size_t i)
{
    return cst_gradient_state(p, i) + p->call->n * cst_shape_size(&p->field->x);
}

void cst_gradient_add_observed(const cst_gradient_problem *p, size_t i, real scale, real *a_z, real *a_q)
{
    const size_t n = p->call->n, d = cst_shape_size(&p->field->x), m = cst_field_integrals(p->field);
    /* Cotangents are rows [z | q]; a_q is one block of N per integral. */
    for (size_t row = 0; i >= p->first_observed && row < n; row++) {
        const real *restrict gy = row_of(p, i, row);
        real *restrict a = a_z + row * d;
#pragma omp simd
        for (size_t j = 0; j < d; j++) a[j] += scale * gy[j];
        for (size_t j = 0; j < m; j++) a_q[j * n + row] += scale * gy[d + j];
    }
}

double cst_gradient_along(const cst_gradient_problem *p, size_t i, const real *f)
{
    /* Sum over the D + M entries of each row, in double precision. */
    const size_t width = cst_shape_size(&p->field->y);
    double sum = 0; /* stays 0 before the first observation */
    for (size_t row = 0; i >= p->first_observed && row < p->call->n; row++) {
        const real *gy = row_of(p, i, row);
        for (size_t j = 0; j < width; j++) sum += (double)gy[j] * (double)f[row * width + j];
    }
    return sum;
}
