/* Butcher tableaus of explicit Runge-Kutta methods, and their dense output.
 *
 * A step of size h from y at time t, with s stages, computes
 *
 *     k_i = f(t + c_i h, y + h sum_{j < i} a_ij k_j),   i = 1 .. s
 *     y1  = y + h sum_i b_i k_i       y_candidate in the paper (Kidger, Chen, Lyons, section 2.1)
 *     err = h sum_i e_i k_i           its error estimate y_err (paper, eq. 5)
 *     mid = y + h sum_i m_i k_i       the state at t + h / 2, for dense output
 *
 * Dense output is a quartic in x = (t' - t) / h through y, mid and y1, with slope k_1 at the beginning of the step and
 * slope k_s at its end. So an adaptive method must have its last stage at the step's end, c_s = 1. Source: Hairer,
 * Norsett, Wanner, "Solving Ordinary Differential Equations I", II.1 and II.6. */
#ifndef CST_ODE_TABLEAU_H
#define CST_ODE_TABLEAU_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_MAX_STAGES = 14 }; /* dopri8's */

/* One method. Stages are numbered from 0 in the arrays. e and m are needed by adaptive methods only. */
typedef struct cst_tableau {
    const char *name;
    size_t order;  /* of y1; step-size control raises the error ratio to the power -1 / order */
    size_t stages; /* s, at most CST_MAX_STAGES */
    /* True if the method has an error estimate e and a middle m. Its last stage then has c = 1. */
    bool adaptive;
    /* "First same as last": the last stage is evaluated at y1, so that it is the first stage of the next step. */
    bool fsal;
    /* True if m, which is torchdiffeq's, gives a dense output of order 1. Hermite's cubic is then a better one. */
    bool rough_middle;
    /* e times this factor is the error estimate of the literature. It is 3/2 for dopri5, where e is torchdiffeq's. */
    double error_factor;
    double c[CST_MAX_STAGES];
    double a[CST_MAX_STAGES][CST_MAX_STAGES]; /* a[i][j] = 0 for j >= i */
    double b[CST_MAX_STAGES], e[CST_MAX_STAGES], m[CST_MAX_STAGES];
} cst_tableau;

/* The methods that configs know by name. The first one is the default. */
#define CST_TABLEAUS(X)                                                                                                \
    X(dopri5) X(tsit5) X(dopri8) X(bosh3) X(fehlberg2) X(adaptive_heun) X(euler) X(midpoint) X(heun2) X(heun3) X(rk4)

/* Pointers to the tableaus in the same order. The last element is NULL. */
extern const cst_tableau *const cst_tableaus[];

/* Returns the tableau of this name, or NULL if no tableau has it. */
const cst_tableau *cst_tableau_find(const char *name);

/* Compute the weights of dense output at x in [0, 1]: y(t + x h) = y + h sum_i weights[i] k_i. At x = 1 they are b. The
 * interpolant is the quartic described above. If `refine` is true and the method has a rough_middle, the interpolant is
 * Hermite's cubic. The tableau must be adaptive. Only the first `stages` weights are written. */
void cst_tableau_dense(const cst_tableau *tableau, bool refine, double x, double weights[CST_MAX_STAGES]);

/* Compute the weights of the same interpolant's derivative in time: y'(t + x h) = sum_i weights[i] k_i. */
void cst_tableau_dense_slope(const cst_tableau *tableau, bool refine, double x, double weights[CST_MAX_STAGES]);

#ifdef __cplusplus
}
#endif
#endif
