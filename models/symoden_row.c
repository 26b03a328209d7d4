#include "models/symoden_row.h"

#include <math.h>
#include <string.h>

enum { MAX = CST_SYMODEN_MAX_DEGREES };
/* M^-1 = L L^T + 0.1 I, so that it is positive definite whatever the network gives. */
static const real floor_of_inverse_mass = (real)0.1;

/* ---- lower triangular matrices, by their entries ---------------------------------------------------------------- */

/* The index of L_ij, j <= i, among the n (n + 1) / 2 entries. */
static size_t entry(size_t n, size_t i, size_t j)
{
    return i == j ? i : n + i * (i - 1) / 2 + j;
}

/* to += L v */
static void add_times(size_t n, const real *l, const real *v, real *to)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) to[i] += l[entry(n, i, j)] * v[j];
}

/* to = L^T v */
static void transpose_times(size_t n, const real *l, const real *v, real *to)
{
    for (size_t j = 0; j < n; j++) {
        to[j] = 0;
        for (size_t i = j; i < n; i++) to[j] += l[entry(n, i, j)] * v[i];
    }
}

/* to += the lower triangle of scale a b^T, the cotangent of L that a derivative scale a^T dL b gives. */
static void add_outer(size_t n, real scale, const real *a, const real *b, real *to)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) to[entry(n, i, j)] += scale * a[i] * b[j];
}

/* to = M^-1 v = L (L^T v) + 0.1 v */
static void inverse_mass_times(size_t n, const real *l, const real *v, real *to)
{
    real ltv[MAX];
    transpose_times(n, l, v, ltv);
    for (size_t i = 0; i < n; i++) to[i] = floor_of_inverse_mass * v[i];
    add_times(n, l, ltv, to);
}

/* v = M v, in place: solve (L L^T + 0.1 I) x = v by Cholesky's factorization A A^T. */
static void mass_times(size_t n, const real *l, real *v)
{
    real a[MAX * MAX]; /* A, lower triangle of (n, n) */
    /* A_ij = (S_ij - sum over k < j of A_ik A_jk) / A_jj, where S = L L^T + 0.1 I. */
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++) {
            real sum = i == j ? floor_of_inverse_mass : 0;
            for (size_t k = 0; k <= j; k++) sum += l[entry(n, i, k)] * l[entry(n, j, k)];
            for (size_t k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
            a[i * n + j] = i == j ? (real)sqrt((double)sum) : sum / a[j * n + j];
        }
    }
    /* A w = v, then A^T x = w. */
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++) v[i] -= a[i * n + k] * v[k];
        v[i] /= a[i * n + i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++) v[i] -= a[k * n + i] * v[k];
        v[i] /= a[i * n + i];
    }
}

/* ---- forward ----------------------------------------------------------------------------------------------- */

void cst_symoden_momentum(const cst_symoden_row *r, real *p, real *cdot, real *gl)
{
    real ltp[MAX];
    /* c' = (-sin q * q', cos q * q') */
    for (size_t i = 0; i < r->n; i++) {
        p[i] = r->rate[i];
        cdot[i] = -r->sin[i] * r->rate[i];
        cdot[r->n + i] = r->cos[i] * r->rate[i];
    }
    /* p = M q', and the derivative p (L^T p)^T of |L^T p|^2 / 2 in L. */
    mass_times(r->n, r->l, p);
    transpose_times(r->n, r->l, p, ltp);
    memset(gl, 0, r->h * sizeof *gl);
    add_outer(r->n, 1, p, ltp, gl);
}

/* p' = sin q * dH/dcos - cos q * dH/dsin + g u */
static void momentum_rate(const cst_symoden_row *r, real *dp)
{
    for (size_t i = 0; i < r->n; i++) {
        dp[i] = r->sin[i] * r->slope[i] - r->cos[i] * r->slope[r->n + i];
        for (size_t j = 0; j < r->n; j++) dp[i] += r->gain[i * r->n + j] * r->u[j];
    }
}

void cst_symoden_value(const cst_symoden_row *r, const real *cdot, real *y)
{
    real dp[MAX], ltp[MAX], ldtp[MAX];
    momentum_rate(r, dp);
    transpose_times(r->n, r->l, r->p, ltp);
    transpose_times(r->n, r->ldot, r->p, ldtp);
    /* y = (c', M^-1 p' + L' (L^T p) + L (L'^T p), 0) */
    memcpy(y, cdot, 2 * r->n * sizeof *y);
    inverse_mass_times(r->n, r->l, dp, y + 2 * r->n);
    add_times(r->n, r->ldot, ltp, y + 2 * r->n);
    add_times(r->n, r->l, ldtp, y + 2 * r->n);
    memset(y + 3 * r->n, 0, r->n * sizeof *y);
}

/* ---- the reverse pass -------------------------------------------------------------------------------------------- */

/* forward: q'' = M^-1 p' + ..., p' = sin q * dH/dcos - cos q * dH/dsin + g u. So gp' = M^-1 a, psi = (sin q * gp', -cos
 * q * gp') and gg = gp' u^T. */
void cst_symoden_start_reverse(const cst_symoden_row *r, const real *a, real *gdp, real *psi, real *ggain)
{
    inverse_mass_times(r->n, r->l, a, gdp);
    for (size_t i = 0; i < r->n; i++) {
        psi[i] = r->sin[i] * gdp[i];
        psi[r->n + i] = -r->cos[i] * gdp[i];
        for (size_t j = 0; j < r->n; j++) ggain[i * r->n + j] = gdp[i] * r->u[j];
    }
}

/* forward, what depends on L, L', L_psi and p:
 *
 *   f = a^T L L^T p' + a^T (L' L^T + L L'^T) p + p^T L_psi L^T p,   p = (L L^T + 0.1 I)^-1 q'
 *
 * gp = (L' L^T + L L'^T) a + (L_psi L^T + L L_psi^T) p, and nu = M gp is the cotangent of q'. The cotangent of M^-1
 * through p is -nu p^T, so that L gets -nu (L^T p)^T - p (L^T nu)^T. docs/symoden.md has each term. */
void cst_symoden_reverse_mass(const cst_symoden_row *r, const real *a, const real *lpsi, real *gl, real *gldot,
                              real *glpsi, real *gq)
{
    const size_t n = r->n;
    real dp[MAX], ltp[MAX], ldtp[MAX], lptp[MAX], lta[MAX], ldta[MAX], other[MAX];
    /* The products of each matrix with p and a that the terms share. */
    momentum_rate(r, dp);
    transpose_times(n, r->l, r->p, ltp);
    transpose_times(n, r->ldot, r->p, ldtp);
    transpose_times(n, lpsi, r->p, lptp);
    transpose_times(n, r->l, a, lta);
    transpose_times(n, r->ldot, a, ldta);
    /* gp = L' (L^T a) + L (L'^T a) + L_psi (L^T p) + L (L_psi^T p), and gq = nu = M gp. */
    memset(gq, 0, n * sizeof *gq);
    add_times(n, r->ldot, lta, gq);
    add_times(n, r->l, ldta, gq);
    add_times(n, lpsi, ltp, gq);
    add_times(n, r->l, lptp, gq);
    mass_times(n, r->l, gq);

    /* gl = a (L^T p')^T + p' (L^T a)^T - nu (L^T p)^T - p (L^T nu)^T + a (L'^T p)^T + p (L'^T a)^T + p (L_psi^T p)^T */
    memset(gl, 0, r->h * sizeof *gl);
    transpose_times(n, r->l, dp, other);
    add_outer(n, 1, a, other, gl);
    add_outer(n, 1, dp, lta, gl);
    transpose_times(n, r->l, gq, other);
    add_outer(n, -1, gq, ltp, gl);
    add_outer(n, -1, r->p, other, gl);
    add_outer(n, 1, a, ldtp, gl);
    add_outer(n, 1, r->p, ldta, gl);
    add_outer(n, 1, r->p, lptp, gl);

    /* gl' = a (L^T p)^T + p (L^T a)^T, gl_psi = p (L^T p)^T */
    memset(gldot, 0, r->h * sizeof *gldot);
    add_outer(n, 1, a, ltp, gldot);
    add_outer(n, 1, r->p, lta, gldot);
    memset(glpsi, 0, r->h * sizeof *glpsi);
    add_outer(n, 1, r->p, ltp, glpsi);
}

/* forward: c' = (-sin q * q', cos q * q') and p' = sin q * dH/dcos - cos q * dH/dsin + g u, where cos q and sin q also
 * enter through the networks (gc) and q' through p (gq). u gets g^T gp'. */
void cst_symoden_finish_reverse(const cst_symoden_row *r, const real *gc, const real *gcdot, const real *gdp,
                                const real *gq, real *gx)
{
    const size_t n = r->n;
    for (size_t i = 0; i < n; i++) {
        gx[i] = gc[i] - r->slope[n + i] * gdp[i] + r->rate[i] * gcdot[n + i];
        gx[n + i] = gc[n + i] + r->slope[i] * gdp[i] - r->rate[i] * gcdot[i];
        gx[2 * n + i] = gq[i] - r->sin[i] * gcdot[i] + r->cos[i] * gcdot[n + i];
        gx[3 * n + i] = 0;
        for (size_t j = 0; j < n; j++) gx[3 * n + i] += r->gain[j * n + i] * gdp[j];
    }
}
