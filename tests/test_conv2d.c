/* conv2d and conv_transpose2d against a direct sum over all pairs of pixels in double, for each pass and component. The
 * shapes cover one block and several, strips of a block, every option, and each way to make columns. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include "layers/conv2d.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { K = 2, GUARD = 64, SEED = 11 };

typedef struct spec {
    bool transposed;
    size_t n, c, h, w;
    size_t out, kernel, stride, padding, dilation, groups, output_padding;
    bool bias;
} spec;

static const spec specs[] = {
    /* masked shifts: one image, several, a block and a remainder, strips; images that are smaller than the kernel */
    {false, 1, 2, 4, 5, 3, 3, 1, 1, 1, 1, 0, true},
    {false, 5, 3, 3, 2, 4, 3, 1, 1, 1, 1, 0, false},
    {false, 11, 65, 6, 6, 8, 3, 1, 1, 1, 1, 0, true},
    {false, 2, 8, 32, 31, 4, 3, 1, 1, 1, 1, 0, true},
    {false, 1, 60, 9, 40, 4, 5, 1, 2, 1, 2, 0, true},
    {false, 3, 2, 8, 8, 2, 3, 1, 2, 2, 1, 0, true},
    {false, 3, 2, 1, 7, 2, 3, 1, 1, 1, 1, 0, true},
    {false, 3, 2, 2, 2, 2, 5, 1, 2, 1, 1, 0, true},
    {false, 3, 2, 1, 2, 2, 7, 1, 3, 1, 1, 0, true},
    {false, 2, 3, 9, 130, 3, 3, 1, 1, 1, 3, 0, true},
    /* any geometry */
    {false, 3, 2, 5, 4, 3, 3, 1, 0, 1, 1, 0, true},
    {false, 4, 4, 7, 8, 6, 3, 2, 1, 1, 2, 0, true},
    {false, 2, 3, 9, 9, 2, 4, 3, 2, 1, 1, 0, false},
    {false, 2, 1, 3, 3, 1, 2, 1, 4, 1, 1, 0, true},
    {false, 2, 2, 6, 7, 2, 3, 2, 3, 3, 1, 0, true},
    {false, 1, 20, 70, 33, 2, 3, 2, 1, 1, 1, 0, true},
    {false, 2, 3, 3, 3, 3, 3, 5, 0, 1, 3, 0, true},
    {false, 2, 1, 4, 4, 1, 2, 4, 3, 1, 1, 0, true},
    /* the image is its own matrix of columns */
    {false, 5, 3, 3, 4, 5, 1, 1, 0, 1, 1, 0, true},
    {false, 2, 4, 40, 30, 6, 1, 1, 0, 1, 2, 0, true},
    {false, 2, 4, 5, 6, 3, 1, 2, 0, 1, 1, 0, false},
    {true, 3, 2, 2, 3, 3, 4, 2, 1, 1, 1, 0, true},
    {true, 11, 65, 6, 6, 8, 3, 1, 1, 1, 1, 0, true},
    {true, 2, 8, 32, 31, 4, 3, 1, 1, 1, 1, 0, true},
    {true, 2, 4, 4, 3, 6, 3, 2, 1, 1, 2, 1, true},
    {true, 2, 3, 2, 2, 2, 2, 3, 0, 2, 1, 2, false},
    {true, 2, 2, 2, 2, 2, 2, 1, 0, 3, 1, 2, true},
    {true, 5, 3, 3, 4, 5, 1, 1, 0, 1, 1, 0, true},
    {true, 2, 4, 40, 30, 6, 1, 1, 0, 1, 2, 0, true},
    {true, 1, 5, 30, 33, 20, 3, 2, 1, 1, 1, 1, true},
    {true, 2, 2, 5, 5, 2, 3, 1, 3, 1, 1, 0, true},
};

/* ---- the module under test ------------------------------------------------------------------------------------- */

static cst_status make(const spec *s, cst_module **m, cst_error *error)
{
    const cst_shape x = cst_shape_3d(s->c, s->h, s->w);
    if (!s->transposed) {
        const cst_conv2d_options o = {s->out, s->kernel, s->stride, s->padding, s->dilation, s->groups, s->bias};
        return cst_conv2d_new(&x, &o, m, error);
    }
    const cst_conv_transpose2d_options o = {s->out,      s->kernel, s->stride, s->padding, s->output_padding,
                                            s->dilation, s->groups, s->bias};
    return cst_conv_transpose2d_new(&x, &o, m, error);
}

static void *allocate(size_t n, size_t size)
{
    void *at = malloc((n ? n : 1) * size);
    assert_non_null(at);
    return at;
}

static real *nans(size_t n)
{
    real *a = allocate(n, sizeof *a);
    for (size_t i = 0; i < n; i++) a[i] = (real)NAN;
    return a;
}

static real *randoms(uint64_t tag, size_t n)
{
    real *a = allocate(n, sizeof *a);
    cst_rng_fill_normal(cst_rng_split(cst_rng_new(SEED, CST_RNG_TEST), tag), a, n, 1);
    return a;
}

static double *zeros(size_t n)
{
    double *a = allocate(n, sizeof *a);
    for (size_t i = 0; i < n; i++) a[i] = 0;
    return a;
}

/* Fail unless y's height (i = 0) or width (i = 1) is that of the headers' formulas. */
static void assert_side(const spec *s, const cst_module *m, size_t i)
{
    const size_t x = i == 0 ? s->h : s->w, reach = s->dilation * (s->kernel - 1) + 1;
    const size_t y = s->transposed ? (x - 1) * s->stride + reach + s->output_padding - 2 * s->padding
                                   : (x + 2 * s->padding - reach) / s->stride + 1;
    if (m->y.dim[1 + i] != y)
        fail_msg("%s, side %zu: got %zu pixels, expected %zu", m->ops->name, i, m->y.dim[1 + i], y);
}

/* The random arguments and the results of a spec. */
typedef struct rig {
    const spec *s;
    cst_module *m;
    size_t in, out, n_work;
    real *theta, *x, *gy, *xdot, *gydot, *work;
    cst_call call;
} rig;

static void start(rig *r, const spec *s)
{
    cst_error error = {.message = ""};
    *r = (rig){.s = s};
    if (make(s, &r->m, &error) != CST_OK) fail_msg("%s", error.message);
    for (size_t i = 0; i < 2; i++) assert_side(s, r->m, i);
    r->in = cst_shape_size(&r->m->x);
    r->out = cst_shape_size(&r->m->y);
    r->theta = randoms(0, r->m->n_params);
    r->x = randoms(1, s->n * r->in);
    r->gy = randoms(2, s->n * r->out);
    r->xdot = randoms(3, K * s->n * r->in);
    r->gydot = randoms(4, K * s->n * r->out);
    cst_plan plan = {0};
    r->m->ops->plan(r->m, s->n, K, 1, &plan);
    assert_int_equal(plan.cache, 0);
    assert_int_equal(plan.tangent, 0);
    r->n_work = plan.work;
    r->work = nans(plan.work + GUARD);
    for (size_t i = 0; i < GUARD; i++) r->work[plan.work + i] = (real)i;
    r->call = (cst_call){.n = s->n, .threads = 1, .theta = r->theta, .work = r->work};
}

static void stop(rig *r)
{
    for (size_t i = 0; i < GUARD; i++) assert_true(r->work[r->n_work + i] == (real)i);
    free(r->theta), free(r->x), free(r->gy), free(r->xdot), free(r->gydot), free(r->work);
    cst_module_free(r->m);
}

/* ---- the reference --------------------------------------------------------------------------------------------- */

/* Visit every pair of an image pixel and a map pixel that the kernel connects, with the weight between them. Add weight
 * * image to to_map, weight * map to to_image, scale * image * map to gweight. A result of NULL is not wanted. */
typedef struct sums {
    const real *weight, *image, *map;
    double *to_map, *to_image, *gweight, scale;
} sums;

static void visit(const rig *r, size_t rows, const sums *a)
{
    const spec *s = r->s;
    const cst_shape *image = s->transposed ? &r->m->y : &r->m->x, *map = s->transposed ? &r->m->x : &r->m->y;
    const size_t channels = image->dim[0], h = image->dim[1], w = image->dim[2], k = s->kernel;
    const size_t maps = map->dim[0], oh = map->dim[1], ow = map->dim[2];
    const size_t part = channels / s->groups;
    for (size_t at = 0; at < rows * maps * part * k * k; at++) {
        const size_t kb = at % k, ka = at / k % k, cg = at / (k * k) % part, o = at / (k * k * part) % maps;
        const size_t n = at / (k * k * part * maps), c = o / (maps / s->groups) * part + cg;
        const size_t of_weight = ((o * part + cg) * k + ka) * k + kb;
        for (size_t i = 0; i < oh; i++) {
            for (size_t j = 0; j < ow; j++) {
                const long y = (long)(i * s->stride + ka * s->dilation) - (long)s->padding;
                const long x = (long)(j * s->stride + kb * s->dilation) - (long)s->padding;
                if (y < 0 || y >= (long)h || x < 0 || x >= (long)w) continue;
                const size_t of_image = ((n * channels + c) * h + (size_t)y) * w + (size_t)x;
                const size_t of_map = ((n * maps + o) * oh + i) * ow + j;
                if (a->to_map) a->to_map[of_map] += (double)a->weight[of_weight] * (double)a->image[of_image];
                if (a->to_image) a->to_image[of_image] += (double)a->weight[of_weight] * (double)a->map[of_map];
                if (a->gweight) a->gweight[of_weight] += a->scale * (double)a->image[of_image] * (double)a->map[of_map];
            }
        }
    }
}

static double *expected_y(const rig *r, size_t rows, const real *x, bool bias)
{
    double *y = zeros(rows * r->out);
    const size_t pixels = r->out / r->s->out;
    for (size_t i = 0; bias && r->s->bias && i < rows * r->out; i++)
        y[i] = (double)r->theta[r->m->tensors[1].offset + i / pixels % r->s->out];
    const sums a = r->s->transposed ? (sums){.weight = r->theta, .map = x, .to_image = y}
                                    : (sums){.weight = r->theta, .image = x, .to_map = y};
    visit(r, rows, &a);
    return y;
}

/* gx, and gtheta, which the pass adds to. */
static double *expected_gx(const rig *r, size_t rows, const real *x, const real *gy, double scale, double *gtheta,
                           bool bias)
{
    double *gx = zeros(rows * r->in);
    const size_t pixels = r->out / r->s->out;
    for (size_t i = 0; bias && r->s->bias && i < rows * r->out; i++)
        gtheta[r->m->tensors[1].offset + i / pixels % r->s->out] += scale * (double)gy[i];
    const sums a =
        r->s->transposed
            ? (sums){.weight = r->theta, .image = gy, .map = x, .to_map = gx, .gweight = gtheta, .scale = scale}
            : (sums){.weight = r->theta, .image = x, .map = gy, .to_image = gx, .gweight = gtheta, .scale = scale};
    visit(r, rows, &a);
    return gx;
}

static void assert_close(const char *what, const spec *s, const real *got, const double *expected, size_t n)
{
    double largest = 1;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < n; i++) {
        if (fabs((double)got[i] - expected[i]) <= 100 * (double)CST_REAL_EPSILON * largest) continue;
        fail_msg("%s of spec %zu: entry %zu of %zu is %.9g, expected %.9g (seed %d)", what, (size_t)(s - specs), i, n,
                 (double)got[i], expected[i], SEED);
    }
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void values(const rig *r)
{
    const size_t n = r->s->n;
    real *y = nans(K * n * r->out);
    double *expected = expected_y(r, n, r->x, true);
    assert_int_equal(r->m->ops->forward(r->m, &r->call, r->x, y, NULL), CST_OK);
    assert_close("y", r->s, y, expected, n * r->out);
    free(expected);
    const cst_tangents d = {.capacity = K, .count = K, .xdot = r->xdot, .ydot = y};
    expected = expected_y(r, K * n, r->xdot, false);
    assert_int_equal(r->m->ops->jvp(r->m, &r->call, &(cst_point){0}, &d), CST_OK);
    assert_close("ydot", r->s, y, expected, K * n * r->out);
    free(expected), free(y);
}

/* All four choices of gx and gtheta. gtheta is added to its initial value. */
static void cotangents(const rig *r)
{
    const size_t n = r->s->n, p = r->m->n_params;
    const double scale = -0.7;
    const cst_point point = {.x = r->x};
    for (int wanted = 0; wanted < 4; wanted++) {
        real *gx = nans(n * r->in), *gtheta = randoms(5, p);
        double *expected_gtheta = zeros(p);
        for (size_t i = 0; i < p; i++) expected_gtheta[i] = (double)gtheta[i];
        double *expected = expected_gx(r, n, r->x, r->gy, scale, expected_gtheta, true);
        const cst_grads g = {.scale = (real)scale, .gx = wanted & 1 ? gx : NULL, .gtheta = wanted & 2 ? gtheta : NULL};
        assert_int_equal(r->m->ops->vjp(r->m, &r->call, &point, r->gy, &g), CST_OK);
        if (wanted & 1) assert_close("gx", r->s, gx, expected, n * r->in);
        if (wanted & 2) assert_close("gtheta", r->s, gtheta, expected_gtheta, p);
        free(gx), free(gtheta), free(expected), free(expected_gtheta);
    }
}

/* With gy, with gydot and with both. */
static void tangent_cotangents(const rig *r)
{
    const size_t n = r->s->n, p = r->m->n_params;
    const double scale = 1.5;
    const cst_point point = {.x = r->x};
    const cst_tangent_point d = {.capacity = K, .count = K, .xdot = r->xdot};
    for (int given = 1; given < 4; given++) {
        real *gx = nans(n * r->in), *gxdot = nans(K * n * r->in), *gtheta = nans(p);
        double *expected_gtheta = zeros(p), *expected = zeros(n * r->in), *expected_dot = zeros(K * n * r->in);
        for (size_t i = 0; i < p; i++) gtheta[i] = 0;
        if (given & 1) free(expected), expected = expected_gx(r, n, r->x, r->gy, scale, expected_gtheta, true);
        if (given & 2)
            free(expected_dot), expected_dot = expected_gx(r, K * n, r->xdot, r->gydot, scale, expected_gtheta, false);
        const cst_grads g = {.scale = (real)scale, .gx = gx, .gxdot = gxdot, .gtheta = gtheta};
        assert_int_equal(
            r->m->ops->jvp_vjp(r->m, &r->call, &point, &d, given & 1 ? r->gy : NULL, given & 2 ? r->gydot : NULL, &g),
            CST_OK);
        assert_close("gx of both", r->s, gx, expected, n * r->in);
        assert_close("gxdot", r->s, gxdot, expected_dot, K * n * r->in);
        assert_close("gtheta of both", r->s, gtheta, expected_gtheta, p);
        free(gx), free(gxdot), free(gtheta), free(expected), free(expected_dot), free(expected_gtheta);
    }
}

static void passes_equal_the_direct_sums(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        rig r;
        start(&r, &specs[i]);
        values(&r);
        cotangents(&r);
        tangent_cotangents(&r);
        stop(&r);
    }
}

/* <gy, J xdot> = <J^T gy, xdot>, and the same for the parameters. */
static void vjp_is_the_adjoint_of_jvp(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        rig r;
        start(&r, &specs[i]);
        const size_t n = specs[i].n;
        real *ydot = nans(n * r.out), *gx = nans(n * r.in), *gtheta = randoms(6, r.m->n_params);
        for (size_t j = 0; j < r.m->n_params; j++) gtheta[j] = 0;
        const cst_tangents d = {.capacity = 1, .count = 1, .xdot = r.xdot, .ydot = ydot};
        assert_int_equal(r.m->ops->jvp(r.m, &r.call, &(cst_point){0}, &d), CST_OK);
        /* At xdot, the gradient of <gy, W xdot> along W is the same inner product. */
        const cst_grads g = {.scale = 1, .gx = gx, .gtheta = gtheta};
        assert_int_equal(r.m->ops->vjp(r.m, &r.call, &(cst_point){.x = r.xdot}, r.gy, &g), CST_OK);
        double forward = 0, backward = 0, parameters = 0, size = 1;
        for (size_t j = 0; j < n * r.out; j++) forward += (double)r.gy[j] * (double)ydot[j];
        for (size_t j = 0; j < n * r.in; j++) backward += (double)gx[j] * (double)r.xdot[j];
        for (size_t j = 0; j < cst_shape_size(&r.m->tensors[0].shape); j++)
            parameters += (double)gtheta[j] * (double)r.theta[j];
        for (size_t j = 0; j < n * r.out; j++) size += fabs((double)r.gy[j] * (double)ydot[j]);
        assert_true(fabs(forward - backward) <= 100 * (double)CST_REAL_EPSILON * size);
        assert_true(fabs(forward - parameters) <= 100 * (double)CST_REAL_EPSILON * size);
        free(ydot), free(gx), free(gtheta);
        stop(&r);
    }
}

/* An infinite pixel reaches the windows that contain it and no other: zeros outside of the image are not multiplied. */
static void infinite_pixels_stay_where_they_are_seen(void **state)
{
    (void)state;
    const spec s = {false, 3, 1, 4, 5, 1, 3, 1, 1, 1, 1, 0, true};
    rig r;
    start(&r, &s);
    real *y = nans(s.n * r.out);
    for (size_t at = 0; at < r.in; at++) {
        r.x[r.in + at] = (real)INFINITY;
        assert_int_equal(r.m->ops->forward(r.m, &r.call, r.x, y, NULL), CST_OK);
        for (size_t i = 0; i < s.n * r.out; i++) {
            const long dy = (long)(i % r.out / s.w) - (long)(at / s.w), dx = (long)(i % s.w) - (long)(at % s.w);
            const bool sees = i / r.out == 1 && labs(dy) <= 1 && labs(dx) <= 1;
            assert_true(sees == !isfinite(y[i]));
        }
        r.x[r.in + at] = 0;
    }
    free(y);
    stop(&r);
}

static void initial_parameters_are_pytorchs(void **state)
{
    (void)state;
    for (int transposed = 0; transposed < 2; transposed++) {
        const spec s = {transposed, 1, 8, 6, 6, 24, 3, 1, 1, 1, 2, 0, true};
        rig r;
        start(&r, &s);
        cst_module_init(r.m, cst_rng_new(SEED, CST_RNG_INIT), r.theta);
        const double bound = 1 / sqrt((transposed ? 24 : 8) / 2 * 9.0);
        double largest = 0, square = 0;
        for (size_t i = 0; i < r.m->n_params; i++) {
            largest = fmax(largest, fabs((double)r.theta[i]));
            square += (double)r.theta[i] * (double)r.theta[i] / (double)r.m->n_params;
        }
        assert_true(largest <= bound * (1 + (double)CST_REAL_EPSILON) && largest > 0.98 * bound);
        assert_true(fabs(square / (bound * bound) - 1 / 3.0) < 0.05);
        stop(&r);
    }
}

static void impossible_sizes_are_errors(void **state)
{
    (void)state;
    const size_t most = SIZE_MAX;
    const struct {
        spec s;
        cst_status status;
        const char *words;
    } cases[] = {
        {{false, 1, 2, 4, 4, 0, 3, 1, 1, 1, 1, 0, true}, CST_EARG, "out_channels"},
        {{false, 1, 2, 4, 4, 2, 0, 1, 1, 1, 1, 0, true}, CST_EARG, "kernel"},
        {{false, 1, 2, 4, 4, 2, 3, 0, 1, 1, 1, 0, true}, CST_EARG, "stride"},
        {{false, 1, 2, 4, 4, 2, 3, 1, 1, 0, 1, 0, true}, CST_EARG, "dilation"},
        {{false, 1, 2, 4, 4, 2, 3, 1, 1, 1, 0, 0, true}, CST_EARG, "groups"},
        {{false, 1, 0, 4, 4, 2, 3, 1, 1, 1, 1, 0, true}, CST_ESHAPE, "channels"},
        {{false, 1, 2, 0, 4, 2, 3, 1, 1, 1, 1, 0, true}, CST_ESHAPE, "pixels"},
        {{false, 1, 3, 4, 4, 2, 3, 1, 1, 1, 2, 0, true}, CST_ESHAPE, "2 groups do not divide 3 and 2 channels"},
        {{false, 1, 2, 4, 4, 3, 3, 1, 1, 1, 2, 0, true}, CST_ESHAPE, "2 groups do not divide 2 and 3 channels"},
        {{false, 1, 2, 4, 4, 2, 7, 1, 1, 1, 1, 0, true}, CST_ESHAPE, "kernel of 7"},
        {{false, 1, 2, 4, 4, 2, 3, 1, 0, 2, 1, 0, true}, CST_ESHAPE, "does not fit into rows (2, 4, 4)"},
        {{false, 1, 2, 4, 4, most / 4, 3, 1, 1, 1, 1, 0, true}, CST_ESHAPE, "too large"},
        {{false, 1, 2, 4, 4, 2, 3, 1, most / 2, 1, 1, 0, true}, CST_ESHAPE, "too large"},
        {{false, 1, 2, 4, 4, 2, 100000, 1, 100000, 1, 1, 0, true}, CST_ESHAPE, "too large"},
        {{true, 1, 2, 4, 4, 2, most, 1, 1, 1, 1, 0, true}, CST_ESHAPE, "too large"},
        {{true, 1, 2, 4, 4, 0, 3, 1, 1, 1, 1, 0, true}, CST_EARG, "out_channels"},
        {{true, 1, 2, 4, 4, 3, 3, 1, 1, 1, 2, 0, true}, CST_ESHAPE, "groups"},
        {{true, 1, 2, 4, 4, 3, 3, 2, 1, 1, 1, 2, true}, CST_EARG, "output_padding"},
        {{true, 1, 2, 2, 2, 3, 3, 1, 2, 1, 1, 0, true}, CST_ESHAPE, "padding of 2"},
        {{true, 1, 2, 2, 2, 3, 3, most / 2, 1, 1, 1, 0, true}, CST_ESHAPE, "too large"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cst_module *m = NULL;
        cst_error error = {.message = ""};
        const cst_status status = make(&cases[i].s, &m, &error);
        assert_null(m);
        if (status != cases[i].status || !strstr(error.message, cases[i].words))
            fail_msg("case %zu: %s, \"%s\"; expected %s about \"%s\"", i, cst_status_name(status), error.message,
                     cst_status_name(cases[i].status), cases[i].words);
    }
    cst_module *m = NULL;
    cst_error error;
    const cst_shape vector = cst_shape_1d(5);
    const cst_conv2d_options o = {.out_channels = 1, .kernel = 1, .stride = 1, .dilation = 1, .groups = 1};
    assert_int_equal(cst_conv2d_new(&vector, &o, &m, &error), CST_ESHAPE);
    assert_null(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_equal_the_direct_sums),
        cmocka_unit_test(vjp_is_the_adjoint_of_jvp),
        cmocka_unit_test(infinite_pixels_stay_where_they_are_seen),
        cmocka_unit_test(initial_parameters_are_pytorchs),
        cmocka_unit_test(impossible_sizes_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
