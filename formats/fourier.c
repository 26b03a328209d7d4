#include "formats/fourier.h"

#include "core/shape.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The largest prime factor with a pass of its own. A pass of radix r takes about r / 4 multiplications per number,
 * so that passes of large factors would be slow. */
enum { MAX_RADIX = 13, MAX_HALF = MAX_RADIX / 2, MAX_FACTORS = 32 };
enum { MAX_LENGTH = 1 << 28 };

static const double pi = 3.14159265358979323846;

/* A complex transform of length n = radix[0] radix[1] ... All complex arrays are planar: n real parts, then n
 * imaginary parts. */
typedef struct fft {
    size_t n, n_factors, radix[MAX_FACTORS];
    double *roots; /* e^(-2 pi i k / n) */
} fft;

struct cst_fourier {
    size_t n, half;
    fft fft;          /* of length half, or of a power of two that is large enough for a convolution of that length */
    double *twiddles; /* (half + 1): e^(-2 pi i k / n) */
    double *chirp;    /* (fft.n): e^(-pi i k^2 / half), 0 from `half` on; NULL where no convolution is needed */
    double *filter;   /* (fft.n): the transform of the chirp continued to k = 1 - half .. -1, over fft.n */
};

/* ---- tables -------------------------------------------------------------------------------------------------- */

/* e^(-2 pi i k / n) for k < count; NULL if memory is exhausted. */
static double *roots_new(size_t n, size_t count)
{
    double *roots = calloc(cst_size_mul(2, count), sizeof *roots);
    for (size_t k = 0; roots && k < count; k++) {
        roots[k] = cos(2 * pi * (double)k / (double)n);
        roots[count + k] = -sin(2 * pi * (double)k / (double)n);
    }
    return roots;
}

/* Factor n into radices, 4 before 2, 3, 5 ... Returns false if n has a prime factor above MAX_RADIX. */
static bool fft_factor(fft *c, size_t n)
{
    c->n = n;
    c->n_factors = 0;
    for (; n % 4 == 0; n /= 4) c->radix[c->n_factors++] = 4;
    for (size_t r = 2; r <= MAX_RADIX; r++)
        for (; n % r == 0; n /= r) c->radix[c->n_factors++] = r;
    return n == 1;
}

/* ---- passes -------------------------------------------------------------------------------------------------- */

/* A pass of radix r cuts x, which holds s interleaved sequences of length n / s each, into r s sequences that are r
 * times as short. With m = n / (s r) and w = e^(-2 pi i s / n), for p = 0 .. m - 1, q = 0 .. s - 1, j = 0 .. r - 1:
 *     y[q + s (r p + j)] = w^(p j) sum_k x[q + s (p + m k)] e^(-2 pi i j k / r).
 * After the last pass, where s r = n, y is the transform in its natural order. */

/* Radix 2: u = a + b, v = w (a - b). */
static void pass2(const fft *c, size_t s, const double *restrict x, double *restrict y)
{
    const size_t n = c->n, m = n / s / 2;
    for (size_t p = 0; p < m; p++) {
        const double *a = x + s * p, *b = a + s * m;
        const double wr = c->roots[s * p], wi = c->roots[n + s * p];
        double *u = y + 2 * s * p, *v = u + s;
#pragma omp simd
        for (size_t q = 0; q < s; q++) {
            const double dr = a[q] - b[q], di = a[n + q] - b[n + q];
            u[q] = a[q] + b[q];
            u[n + q] = a[n + q] + b[n + q];
            v[q] = wr * dr - wi * di;
            v[n + q] = wr * di + wi * dr;
        }
    }
}

/* Radix 4, as two steps of radix 2: e, f are the sum and difference of x_0 and x_2, g, h those of x_1 and x_3. Then
 *     y_0 = e + g,   y_1 = w (f - i h),   y_2 = w^2 (e - g),   y_3 = w^3 (f + i h). */
static void pass4(const fft *c, size_t s, const double *restrict x, double *restrict y)
{
    const size_t n = c->n, m = n / s / 4, d = s * m;
    for (size_t p = 0; p < m; p++) {
        const double *w = c->roots + s * p, *w2 = w + s * p, *w3 = w2 + s * p, *xp = x + s * p;
        const double w1r = w[0], w1i = w[n], w2r = w2[0], w2i = w2[n], w3r = w3[0], w3i = w3[n];
        double *yp = y + 4 * s * p;
#pragma omp simd
        for (size_t q = 0; q < s; q++) {
            const double *a = xp + q, *ai = a + n;
            const double er = a[0] + a[2 * d], ei = ai[0] + ai[2 * d], fr = a[0] - a[2 * d], fi = ai[0] - ai[2 * d];
            const double gr = a[d] + a[3 * d], gi = ai[d] + ai[3 * d], hr = a[d] - a[3 * d], hi = ai[d] - ai[3 * d];
            double *b = yp + q, *bi = b + n;
            b[0] = er + gr;
            bi[0] = ei + gi;
            b[s] = w1r * (fr + hi) - w1i * (fi - hr); /* f - i h */
            bi[s] = w1r * (fi - hr) + w1i * (fr + hi);
            b[2 * s] = w2r * (er - gr) - w2i * (ei - gi);
            bi[2 * s] = w2r * (ei - gi) + w2i * (er - gr);
            b[3 * s] = w3r * (fr - hi) - w3i * (fi + hr); /* f + i h */
            bi[3 * s] = w3r * (fi + hr) + w3i * (fr - hi);
        }
    }
}

/* One butterfly of an odd radix r. Its inputs are at distance d from each other, its outputs at distance s, and its
 * roots of unity at distance w. Since k and r - k have conjugate roots, with sums u_k = x_k + x_{r-k}, differences
 * v_k = x_k - x_{r-k} and t = 2 pi j k / r,
 *     y_j, y_{r-j} = (x_0 + sum_k cos(t) u_k) -+ i sum_k sin(t) v_k,   k = 1 .. (r - 1) / 2. */
static inline void butterfly(const fft *c, size_t r, const double *x, size_t d, double *y, size_t s, size_t w)
{
    const size_t n = c->n, h = r / 2, step = n / r;
    /* Sums and differences of pairs, and y_0, which is the sum of all inputs. */
    double ur[MAX_HALF], ui[MAX_HALF], vr[MAX_HALF], vi[MAX_HALF], zr = x[0], zi = x[n];
    for (size_t k = 0; k < h; k++) {
        const double *a = x + (k + 1) * d, *b = x + (r - 1 - k) * d;
        ur[k] = a[0] + b[0];
        ui[k] = a[n] + b[n];
        vr[k] = a[0] - b[0];
        vi[k] = a[n] - b[n];
        zr += ur[k];
        zi += ui[k];
    }
    y[0] = zr;
    y[n] = zi;
    /* The pairs y_j and y_{r-j}, each multiplied by its root of unity. */
    for (size_t j = 1; j <= h; j++) {
        double cr = x[0], ci = x[n], sr = 0, si = 0;
        for (size_t k = 0; k < h; k++) {
            const double *root = c->roots + j * (k + 1) % r * step; /* root[0] is cos(t), root[n] is -sin(t) */
            cr += root[0] * ur[k];
            ci += root[0] * ui[k];
            sr -= root[n] * vr[k];
            si -= root[n] * vi[k];
        }
        const double *wj = c->roots + w * j, *wk = c->roots + w * (r - j);
        y[j * s] = wj[0] * (cr + si) - wj[n] * (ci - sr);
        y[n + j * s] = wj[0] * (ci - sr) + wj[n] * (cr + si);
        y[(r - j) * s] = wk[0] * (cr - si) - wk[n] * (ci + sr);
        y[n + (r - j) * s] = wk[0] * (ci + sr) + wk[n] * (cr - si);
    }
}

/* A pass of an odd radix: all its butterflies. */
static inline void pass_odd(const fft *c, size_t r, size_t s, const double *restrict x, double *restrict y)
{
    const size_t m = c->n / s / r;
    for (size_t p = 0; p < m; p++)
        for (size_t q = 0; q < s; q++) butterfly(c, r, x + s * p + q, s * m, y + s * r * p + q, s, s * p);
}

/* Transform x. The result is in x or in y, and its address is returned. Both are overwritten. */
static double *fft_run(const fft *c, double *x, double *y)
{
    size_t s = 1;
    for (size_t i = 0; i < c->n_factors; s *= c->radix[i++]) {
        const size_t r = c->radix[i];
        if (r == 2)
            pass2(c, s, x, y);
        else if (r == 4)
            pass4(c, s, x, y);
        else if (r == 3) /* a constant radix lets the compiler unroll the loops */
            pass_odd(c, 3, s, x, y);
        else if (r == 5)
            pass_odd(c, 5, s, x, y);
        else
            pass_odd(c, r, s, x, y);
        double *const swap = x;
        x = y;
        y = swap;
    }
    return x;
}

/* ---- Bluestein ----------------------------------------------------------------------------------------------- */

/* With j k = (j^2 + k^2 - (k - j)^2) / 2 and the chirp b_j = e^(-pi i j^2 / half), the transform is a convolution:
 *     X_k = b_k sum_j x_j b_j conj(b_{k-j}),
 * computed with transforms of a length that holds all k - j = 1 - half .. half - 1. */

/* Compute the chirp b, and its transform, the filter. Returns false if memory is exhausted. */
static bool set_chirp(cst_fourier *f)
{
    const size_t length = f->fft.n;
    f->chirp = calloc(cst_size_mul(2, length), sizeof *f->chirp);
    /* The second half of the filter's memory is scratch memory of its transform. */
    f->filter = calloc(cst_size_mul(4, length), sizeof *f->filter);
    if (!f->chirp || !f->filter) return false;
    for (size_t k = 0; k < f->half; k++) {
        const uint64_t turn = 2 * (uint64_t)f->half,
                       square = (uint64_t)k * k % turn; /* k^2 without whole turns, which would cost precision */
        const double angle = 2 * pi * (double)square / (double)turn, re = cos(angle), im = -sin(angle);
        const size_t back = (length - k) % length;
        f->chirp[k] = re;
        f->chirp[length + k] = im;
        f->filter[k] = f->filter[back] = re / (double)length;
        f->filter[length + k] = f->filter[length + back] = im / (double)length;
    }
    /* Transform it, and move the result to the first half if it is in the second. */
    const double *at = fft_run(&f->fft, f->filter, f->filter + 2 * length);
    if (at != f->filter) memcpy(f->filter, at, 2 * length * sizeof *at);
    return true;
}

/* x = w x, or its conjugate if sign is -1. */
static void multiply(size_t n, const double *restrict w, double *restrict x, double sign)
{
    for (size_t i = 0; i < n; i++) {
        const double re = w[i] * x[i] - w[n + i] * x[n + i], im = w[i] * x[n + i] + w[n + i] * x[i];
        x[i] = re;
        x[n + i] = sign * im;
    }
}

/* Like fft_run, for a transform of length `half` of x, which is 0 from there on. The filter f is the transform of
 * b / length. b is even, so that conj(b) / length has the transform conj(f). If a has the transform A_k, then conj(a)
 * has conj(A_{-k}). The two conjugations on the way therefore leave A_{-k} conj(f_k) = A_{-k} conj(f_{-k}), whose
 * transform is the convolution. */
static double *chirp_run(const cst_fourier *f, double *x, double *y)
{
    const size_t length = f->fft.n;
    multiply(length, f->chirp, x, -1);
    double *a = fft_run(&f->fft, x, y);
    multiply(length, f->filter, a, -1);
    a = fft_run(&f->fft, a, a == x ? y : x);
    multiply(length, f->chirp, a, 1);
    return a;
}

/* ---- real numbers -------------------------------------------------------------------------------------------- */

/* Make the tables. A length with a large prime factor is computed by a convolution, with transforms of a power of
 * two. */
static bool set_tables(cst_fourier *f)
{
    const bool smooth = fft_factor(&f->fft, f->half);
    if (!smooth) {
        size_t length = 1;
        while (length < 2 * f->half - 1) length *= 2;
        fft_factor(&f->fft, length);
    }
    f->fft.roots = roots_new(f->fft.n, f->fft.n);
    f->twiddles = roots_new(f->n, f->half + 1);
    return f->fft.roots && f->twiddles && (smooth || set_chirp(f));
}

cst_status cst_fourier_new(size_t n, cst_fourier **fourier, cst_error *error)
{
    *fourier = NULL;
    if (n < 2 || n > MAX_LENGTH || n % 2 != 0)
        return cst_fail(error, CST_EARG, "a Fourier transform: expected an even length from 2 to %d, got %zu",
                        MAX_LENGTH, n);
    cst_fourier *f = calloc(1, sizeof *f);
    if (f) {
        f->n = n;
        f->half = n / 2;
    }
    if (!f || !set_tables(f)) {
        cst_fourier_free(f);
        return cst_fail(error, CST_ENOMEM, "out of memory for a Fourier transform of length %zu", n);
    }
    *fourier = f;
    return CST_OK;
}

void cst_fourier_free(cst_fourier *f)
{
    if (!f) return;
    free(f->fft.roots);
    free(f->twiddles);
    free(f->chirp);
    free(f->filter);
    free(f);
}

size_t cst_fourier_work(const cst_fourier *f)
{
    return 4 * f->fft.n;
}

/* Z is the complex transform of the n / 2 numbers z_j = x_{2j} + i x_{2j+1}. The transforms of the even and of the
 * odd x are
 *     E_k = (Z_k + conj(Z_{half-k})) / 2,   O_k = (Z_k - conj(Z_{half-k})) / 2i,   and X_k = E_k + e^(-2 pi i k / n) O_k. */
void cst_fourier_power(const cst_fourier *f, const double *x, double *work, double *power)
{
    const size_t h = f->half, length = f->fft.n;
    double *re = work, *im = work + length, *other = work + 2 * length;
    memset(work, 0, 2 * length * sizeof *work);
    /* Pack pairs of real numbers as complex ones, with zeros up to the length of the transform. */
    for (size_t j = 0; j < h; j++) {
        re[j] = x[2 * j];
        im[j] = x[2 * j + 1];
    }
    re = f->chirp ? chirp_run(f, work, other) : fft_run(&f->fft, work, other);
    im = re + length;
    /* Separate the transforms of the even and the odd numbers, and combine them. */
    for (size_t k = 0; k <= h; k++) {
        const size_t a = k < h ? k : 0, b = k > 0 ? h - k : 0;
        const double er = (re[a] + re[b]) / 2, ei = (im[a] - im[b]) / 2, zr = (im[a] + im[b]) / 2,
                     zi = (re[b] - re[a]) / 2;
        const double wr = f->twiddles[k], wi = f->twiddles[h + 1 + k];
        const double xr = er + wr * zr - wi * zi, xi = ei + wr * zi + wi * zr;
        power[k] = xr * xr + xi * xi;
    }
}
