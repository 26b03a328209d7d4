/* One row of the SymODEN field (models/symoden.h): the algebra between its networks, in the order and letters of
 * docs/symoden.md.
 *
 * Matrices are n x n. A lower triangular matrix such as L is stored as its h = n (n + 1) / 2 entries: the diagonal
 * first, then the rest row by row. A cotangent has the name of its quantity with a g before it: gl is that of L. */
#ifndef CST_MODELS_SYMODEN_ROW_H
#define CST_MODELS_SYMODEN_ROW_H

#include "models/symoden.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One row's state, and what forward keeps of it. A non-owning view: every array must outlive it. */
typedef struct cst_symoden_row {
    size_t n, h;           /* degrees of freedom; entries of L */
    const real *cos, *sin; /* (n): of q */
    const real *rate;      /* (n): q' */
    const real *u;         /* (n): the control */
    const real *l;         /* (h): L */
    const real *ldot;      /* (h): L', the derivative of L along c' */
    const real *p;         /* (n): momenta */
    const real *slope;     /* (2n): dH/dc at fixed p */
    const real *gain;      /* (n, n): g */
} cst_symoden_row;

/* ---- forward, in the order of use -------------------------------------------------------------------------------- */

/* p (n) = M q', cdot (2n) = c', and gl (h) = the lower triangle of p (L^T p)^T: the derivative of p^T M^-1 p / 2 in L
 * at fixed p. Reads l, cos, sin, rate. */
void cst_symoden_momentum(const cst_symoden_row *r, real *p, real *cdot, real *gl);

/* y (4n) = (c', M^-1 p' + L' (L^T p) + L (L'^T p), 0). Reads the whole row and cdot (2n) = c'. */
void cst_symoden_value(const cst_symoden_row *r, const real *cdot, real *y);

/* ---- the reverse pass, in the order of use ----------------------------------------------------------------------- */

/* From the cotangent a (n) of q'': gdp (n) of p', psi (2n) of dH/dc, ggain (n, n) of g. */
void cst_symoden_start_reverse(const cst_symoden_row *r, const real *a, real *gdp, real *psi, real *ggain);

/* The cotangents gl, gldot, glpsi (h) of L, of L' and of lpsi (h), the derivative of L along psi; and gq (n) = M gp,
 * where gp is the cotangent of p. What depends on L and p is
 *
 *   a^T M^-1 p' + a^T (L' L^T + L L'^T) p    from q'',
 *   psi . dH/dc = p^T L_psi L^T p            from dH/dc,
 *
 * and p = M q', whose cotangents in M^-1 and q' are -(M gp) p^T and M gp. */
void cst_symoden_reverse_mass(const cst_symoden_row *r, const real *a, const real *lpsi, real *gl, real *gldot,
                              real *glpsi, real *gq);

/* gx (4n) from gc (2n), the cotangent of c through the networks, gcdot (2n) of c', gdp (n) and gq (n). */
void cst_symoden_finish_reverse(const cst_symoden_row *r, const real *gc, const real *gcdot, const real *gdp,
                                const real *gq, real *gx);

#ifdef __cplusplus
}
#endif
#endif
