#include "layers/dequantize.h"

#include <math.h>

enum { MOST_LEVELS = 65536 };

typedef struct dequantize {
    cst_module base;
    double levels;
} dequantize;

/* L */
static double levels_of(const cst_module *m)
{
    return ((const dequantize *)(const void *)m)->levels;
}

size_t cst_dequantize_levels(const cst_module *m)
{
    return (size_t)levels_of(m);
}

/* ---- passes -------------------------------------------------------------------------------------------------- */

static cst_status dequantize_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const size_t d = cst_shape_size(&m->x);
    const double levels = levels_of(m), top = levels - 1;
    /* Draws are numbered over the whole batch, of which this call may see a part. */
    const uint64_t first = (uint64_t)c->row * d;
    (void)cache;
    for (size_t i = 0; i < c->n * d; i++) {
        /* Numbers outside of [0, 1] (and NaN) have no level. */
        const double v = (double)x[i];
        if (!(v >= -cst_unit_slack && v <= 1 + cst_unit_slack))
            return cst_fail(c->error, CST_EARG,
                            "dequantize: expected pixels from 0 to 1, got %.9g in row %zu of the batch, entry %zu", v,
                            c->row + i / d, i % d);
        /* y = (b + u) / L */
        const double b = v < 0 ? 0 : v > 1 ? top : top * v;
        y[i] = (real)((b + cst_rng_uniform(c->rng, first + i)) / levels);
    }
    return CST_OK;
}

/* forward: y = ((L - 1) x + u) / L, so gx = (L - 1) / L gy. */
static cst_status dequantize_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                                 const cst_grads *g)
{
    const double levels = levels_of(m);
    const real slope = (real)((levels - 1) / levels);
    (void)p;
    for (size_t i = 0; g->gx && i < c->n * cst_shape_size(&m->x); i++) g->gx[i] = slope * gy[i];
    return CST_OK;
}

/* ---- density and inverse ------------------------------------------------------------------------------------- */

/* logdet = -D log L for every row. */
static void dequantize_logdet(const cst_module *m, size_t n, const real *x, double *logdet)
{
    const double constant = (double)cst_shape_size(&m->x) * log(levels_of(m));
    (void)x;
    for (size_t i = 0; i < n; i++) logdet[i] -= constant;
}

/* forward: y = (b + u) / L, so b = floor(L y), limited to 0 .. L - 1, and x = b / (L - 1). */
static void dequantize_inverse(const cst_module *m, size_t n, const real *y, real *x)
{
    const double levels = levels_of(m), top = levels - 1;
    for (size_t i = 0; i < n * cst_shape_size(&m->x); i++) {
        const double b = floor(levels * (double)y[i]);
        x[i] = (real)((b > 0 ? b < top ? b : top : 0) / top);
    }
}

static const cst_module_ops dequantize_ops = {
    .name = "dequantize", .forward = dequantize_forward, .vjp = dequantize_vjp};

const cst_bijection cst_dequantize_bijection = {
    .ops = &dequantize_ops, .logdet = dequantize_logdet, .inverse = dequantize_inverse};

cst_status cst_dequantize_new(const cst_shape *x, const cst_dequantize_options *options, cst_module **m,
                              cst_error *error)
{
    *m = NULL;
    if (options->levels < 2 || options->levels > MOST_LEVELS)
        return cst_fail(error, CST_EARG, "expected 2 to %d levels, got %zu", MOST_LEVELS, options->levels);
    CST_TRY(cst_module_new(sizeof(dequantize), &dequantize_ops, x, m, error));
    ((dequantize *)(void *)*m)->levels = (double)options->levels;
    (*m)->cost = 100 * (double)cst_shape_size(x); /* ten rounds of integer operations per draw */
    return CST_OK;
}

static const cst_key dequantize_keys[] = {
    {.name = "levels",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cst_dequantize_options, levels),
     .fallback = "256",
     .range = CST_BETWEEN(2, MOST_LEVELS),
     .help = "values that a pixel can have, from 0 to 1"},
    {.name = NULL},
};

static cst_status dequantize_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                                  cst_error *error)
{
    (void)registry;
    cst_dequantize_options options = {0};
    CST_TRY(cst_config_read(section, dequantize_keys, true, &options, error));
    return cst_dequantize_new(x, &options, m, error);
}

static const cst_module_example dequantize_examples[] = {
    {CST_JSON({"type": "dequantize"}), {1, {5}}, .low = 0.1, .high = 0.9, .random = true},
    {CST_JSON({"type": "dequantize", "levels": 2}), {3, {1, 2, 3}}, .low = 0.1, .high = 0.9, .random = true},
};

const cst_module_type cst_dequantize_type = {
    .name = "dequantize",
    .summary = "add noise of the size of one level to pixels from 0 to 1",
    .keys = dequantize_keys,
    .make = dequantize_make,
    .n_examples = sizeof dequantize_examples / sizeof *dequantize_examples,
    .examples = dequantize_examples,
};
