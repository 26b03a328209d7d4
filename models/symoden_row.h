/* One row of the SymODEN field: the algebra between its networks (docs/symoden.md), of n x n matrices by their entries. A
 * lower triangular L stands as n (n + 1) / 2 numbers, its diagonal first, then the rest row by row. */
#ifndef CST_MODELS_SYMODEN_ROW_H
#define CST_MODELS_SYMODEN_ROW_H

#include "models/symoden.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One row: its state, and what forward keeps of it. */
typedef struct cst_symoden_row {
    size_t n, h;
    const real *cos, *sin, *rate, *u; /* q's cosine and sine, q' and u */
    const real *l, *ldot, *p, *slope, *gain;
} cst_symoden_row;

/* p = M q', c', and the cotangent of L with which the mass network's VJP is d/dc of p^T M^-1 p / 2: p (L^T p)^T. */
void cst_symoden_momentum(const cst_symoden_row *r, real *p, real *cdot, real *gl);

/* y = (c', M^-1 p' + L' (L^T p) + L (L'^T p), 0) */
void cst_symoden_value(const cst_symoden_row *r, const real *cdot, real *y);

/* Of q'' with cotangent a: those of p', of dH/dc (psi) and of g. */
void cst_symoden_start_reverse(const cst_symoden_row *r, const real *a, real *gdp, real *psi, real *ggain);

/* The cotangents of L and of its derivatives along c' and psi, and gq = M gp, gp that of p. What depends on L and p is
 * a^T M^-1 p' + a^T (L' L^T + L L'^T) p, and psi . dH/dc = p^T L_psi L^T p; and p = M q', whose cotangents in M^-1 and q'
 * are -(M gp) p^T and M gp. */
void cst_symoden_reverse_mass(const cst_symoden_row *r, const real *a, const real *lpsi, real *gl, real *gldot,
                              real *glpsi, real *gq);

/* gx from the cotangents gc of c by the networks, and gcdot of c'. */
void cst_symoden_finish_reverse(const cst_symoden_row *r, const real *gc, const real *gcdot, const real *gdp,
                                const real *gq, real *gx);

#ifdef __cplusplus
}
#endif
#endif
