/* Butcher tableaus of explicit Runge-Kutta methods: k_i = f(t + c_i h, y + h sum_j a_ij k_j), y1 = y + h sum_i b_i k_i,
 * error estimate h sum_i e_i k_i, state at the middle of a step y + h sum_i m_i k_i. */
#ifndef CST_ODE_TABLEAU_H
#define CST_ODE_TABLEAU_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_MAX_STAGES = 14 };

typedef struct cst_tableau {
    const char *name;
    size_t order; /* of y1; the step factor's exponent is 1 / order */
    size_t stages;
    bool adaptive;       /* has an error estimate and a dense output */
    bool fsal;           /* the last stage is f(t + h, y1) */
    bool rough_middle;   /* m, torchdiffeq's, is of order 1: Hermite's cubic is a better dense output */
    double error_factor; /* what e is multiplied by for the classic weights (dopri5: 3/2) */
    double c[CST_MAX_STAGES];
    double a[CST_MAX_STAGES][CST_MAX_STAGES];
    double b[CST_MAX_STAGES], e[CST_MAX_STAGES], m[CST_MAX_STAGES];
} cst_tableau;

/* All of them, the default first. */
#define CST_TABLEAUS(X)                                                                                                \
    X(dopri5) X(tsit5) X(dopri8) X(bosh3) X(fehlberg2) X(adaptive_heun) X(euler) X(midpoint) X(heun2) X(heun3) X(rk4)
extern const cst_tableau *const cst_tableaus[];        /* in this order, ended by NULL */
const cst_tableau *cst_tableau_find(const char *name); /* NULL if unknown */

/* The interpolant's weights at x in [0, 1]: y(t + x h) = y + h sum_i w_i k_i, w(1) = b. A quartic through the middle m, or,
 * where that is rough and `refine` is set, Hermite's cubic. */
void cst_tableau_dense(const cst_tableau *tableau, bool refine, double x, double weights[CST_MAX_STAGES]);

/* Its derivative: y'(t + x h) = sum_i w'_i k_i. */
void cst_tableau_dense_slope(const cst_tableau *tableau, bool refine, double x, double weights[CST_MAX_STAGES]);

#ifdef __cplusplus
}
#endif
#endif
