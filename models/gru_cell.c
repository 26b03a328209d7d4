#include "models/gru_cell.h"

#include "core/blas.h"
#include "layers/linear.h"
#include "layers/vmath.h"

#include <math.h>
#include <string.h>

/* The order of the tensors in theta. */
enum { WEIGHT_IH, WEIGHT_HH, BIAS_IH, BIAS_HH };

/* ---- parameters -------------------------------------------------------------------------------------------------- */

void cst_gru_cell_add_tensors(cst_module *m, size_t in, size_t hidden)
{
    const size_t gates = cst_size_mul(3, hidden);
    cst_module_add_tensor(m, "weight_ih", (cst_shape){.rank = 2, .dim = {gates, in}});
    cst_module_add_tensor(m, "weight_hh", (cst_shape){.rank = 2, .dim = {gates, hidden}});
    cst_module_add_tensor(m, "bias_ih", cst_shape_1d(gates));
    cst_module_add_tensor(m, "bias_hh", cst_shape_1d(gates));
}

cst_gru_cell cst_gru_cell_at(const cst_module *m, const real *theta)
{
    const cst_tensor *t = m->tensors;
    return (cst_gru_cell){.in = t[WEIGHT_IH].shape.dim[1],
                          .hidden = t[WEIGHT_HH].shape.dim[1],
                          .weight_ih = theta + t[WEIGHT_IH].offset,
                          .weight_hh = theta + t[WEIGHT_HH].offset,
                          .bias_ih = theta + t[BIAS_IH].offset,
                          .bias_hh = theta + t[BIAS_HH].offset};
}

void cst_gru_cell_init(const cst_module *m, cst_rng rng, real *theta)
{
    /* PyTorch's bound; each tensor has a random stream of its own. */
    const double bound = 1 / sqrt((double)m->tensors[WEIGHT_HH].shape.dim[1]);
    for (size_t i = 0; i < m->n_tensors; i++)
        cst_rng_fill_uniform(cst_rng_split(rng, i), theta + m->tensors[i].offset, cst_shape_size(&m->tensors[i].shape),
                             -bound, bound);
}

double cst_gru_cell_cost(size_t in, size_t hidden)
{
    /* Two operations per entry of weight_ih (3H, in) and weight_hh (3H, H). */
    return 6.0 * (double)hidden * ((double)in + (double)hidden);
}

/* ---- products over all steps ------------------------------------------------------------------------------------- */

/* y (rows, out) = x W^T + b, with x (rows, in), W (out, in) and b (out). */
static void multiply(size_t rows, size_t in, size_t out, const real *x, const real *w, const real *b, real *y)
{
    for (size_t i = 0; i < rows; i++) memcpy(y + i * out, b, out * sizeof *y);
    cst_gemm(false, true, rows, out, in, 1, x, in, w, in, 1, y, out);
}

void cst_gru_cell_input(const cst_gru_cell *g, size_t rows, const real *x, real *gates)
{
    multiply(rows, g->in, 3 * g->hidden, x, g->weight_ih, g->bias_ih, gates);
}

/* forward: gates = x W_ih^T + b_ih, so gx = ggates W_ih. The leading dimension of W_ih stays `in` if fewer columns are
 * asked for. */
void cst_gru_cell_input_back(const cst_gru_cell *g, size_t rows, size_t width, const real *ggates, real *gx)
{
    cst_gemm(false, false, rows, width, 3 * g->hidden, 1, ggates, 3 * g->hidden, g->weight_ih, g->in, 0, gx, width);
}

/* forward: a = x W_ih^T + b_ih and b = h W_hh^T + b_hh. With cotangents ga and gb, the weights get ga^T x and gb^T h,
 * and the biases get the sums of ga and gb over rows. */
void cst_gru_cell_add_gradient(const cst_module *m, size_t rows, const real *x, const real *h, const real *ggates,
                               const real *gpre, const cst_grads *g)
{
    const cst_tensor *t = m->tensors;
    const size_t in = t[WEIGHT_IH].shape.dim[1], hidden = t[WEIGHT_HH].shape.dim[1], gates = 3 * hidden;
    const real scale = g->scale;
    real *gtheta = g->gtheta;
    cst_gemm(true, false, gates, in, rows, scale, ggates, gates, x, in, 1, gtheta + t[WEIGHT_IH].offset, in);
    cst_gemm(true, false, gates, hidden, rows, scale, gpre, gates, h, hidden, 1, gtheta + t[WEIGHT_HH].offset, hidden);
    cst_add_rows(rows, gates, scale, ggates, gtheta + t[BIAS_IH].offset);
    cst_add_rows(rows, gates, scale, gpre, gtheta + t[BIAS_HH].offset);
}

/* ---- one step ---------------------------------------------------------------------------------------------------- */

void cst_gru_cell_step(const cst_gru_cell *g, const cst_gru_rows *rows, const real *h, real *gates, real *u, real *y,
                       real *work)
{
    const size_t n = rows->n, hidden = g->hidden;
    /* work (n, 3H) = W_hh h + b_hh, the state's part of the gates */
    multiply(n, hidden, 3 * hidden, h, g->weight_hh, g->bias_hh, work);
    for (size_t i = 0; i < n; i++, h += hidden, u += hidden, y += hidden, gates += 3 * hidden, work += 3 * hidden) {
        real *r = gates, *z = r + hidden, *candidate = z + hidden;
        /* (r, z) = sigmoid(a + b): both gates lie side by side. */
#pragma omp simd
        for (size_t j = 0; j < 2 * hidden; j++) gates[j] += work[j];
        cst_vsigmoid(2 * hidden, gates, gates);
        /* u = W_hn h + b_hn and n = tanh(a_n + r u) */
        memcpy(u, work + 2 * hidden, hidden * sizeof *u);
#pragma omp simd
        for (size_t j = 0; j < hidden; j++) candidate[j] += r[j] * u[j];
        cst_vtanh(hidden, candidate, candidate);
        /* A row with too little observed keeps its state. */
        if (rows->observed[i] < (real)rows->least) {
            memcpy(y, h, hidden * sizeof *y);
            continue;
        }
        /* y = (1 - z) n + z h */
#pragma omp simd
        for (size_t j = 0; j < hidden; j++) y[j] = (1 - z[j]) * candidate[j] + z[j] * h[j];
    }
}

/* forward: y = (1 - z) n + z h, n = tanh(a_n + r u), (r, z) = sigmoid(a + b), u = b_n, with a = W_ih x + b_ih and
 * b = W_hh h + b_hh. With cotangent gy of y,
 *
 *   ga_n = gy (1 - z) (1 - n^2),    ga_z = gy (h - n) z (1 - z),    ga_r = ga_n u r (1 - r).
 *
 * gb is ga but for gb_n = ga_n r, because b_n = u enters n times r. Finally gh = gy z + W_hh^T gb. */
void cst_gru_cell_step_back(const cst_gru_cell *g, const cst_gru_rows *rows, const cst_gru_point *p, const real *gy,
                            real *ggates, real *gpre, real *gh)
{
    const size_t n = rows->n, hidden = g->hidden;
    for (size_t i = 0; i < n; i++) {
        const real *r = p->gates + i * 3 * hidden, *z = r + hidden, *candidate = z + hidden;
        const real *hi = p->h + i * hidden, *ui = p->u + i * hidden, *gi = gy + i * hidden;
        real *a = ggates + i * 3 * hidden, *b = gpre + i * 3 * hidden, *ghi = gh + i * hidden;
        /* forward: y = h for a row with too little observed, so gh = gy and the gates get nothing. */
        if (rows->observed[i] < (real)rows->least) {
            memset(a, 0, 3 * hidden * sizeof *a);
            memset(b, 0, 3 * hidden * sizeof *b);
            memcpy(ghi, gi, hidden * sizeof *ghi);
            continue;
        }
        /* a holds ga = (r, z, n), b holds gb, ghi begins with gy z. */
#pragma omp simd
        for (size_t j = 0; j < hidden; j++) {
            const real an = gi[j] * (1 - z[j]) * (1 - candidate[j] * candidate[j]);
            a[j] = b[j] = an * ui[j] * r[j] * (1 - r[j]);
            a[hidden + j] = b[hidden + j] = gi[j] * (hi[j] - candidate[j]) * z[j] * (1 - z[j]);
            a[2 * hidden + j] = an;
            b[2 * hidden + j] = an * r[j];
            ghi[j] = gi[j] * z[j];
        }
    }
    /* gh += gb W_hh for all rows at once */
    cst_gemm(false, false, n, hidden, 3 * hidden, 1, gpre, 3 * hidden, g->weight_hh, hidden, 1, gh, hidden);
}
