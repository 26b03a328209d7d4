#include "layers/logit.h"

#include <math.h>

typedef struct logit {
    cst_module base;
    double alpha;
} logit;

static double alpha_of(const cst_module *m)
{
    return ((const logit *)(const void *)m)->alpha;
}

/* s, and r = 1 - s computed on its own: near s = 1 the subtraction would lose all digits. */
static void squash(double alpha, real x, double *s, double *r)
{
    const double inside = fmin(fmax((double)x, 0), 1);
    *s = alpha + (1 - 2 * alpha) * inside;
    *r = alpha + (1 - 2 * alpha) * (1 - inside);
}

/* ---- passes -------------------------------------------------------------------------------------------------- */

static cst_status logit_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const size_t d = cst_shape_size(&m->x);
    (void)cache;
    for (size_t i = 0; i < c->n * d; i++) {
        if (!((double)x[i] >= -cst_unit_slack && (double)x[i] <= 1 + cst_unit_slack))
            return cst_fail(c->error, CST_EARG,
                            "logit: expected numbers from 0 to 1, got %.9g in row %zu of the batch, entry %zu",
                            (double)x[i], c->row + i / d, i % d);
        /* y = log(s / (1 - s)) */
        double s, r;
        squash(alpha_of(m), x[i], &s, &r);
        y[i] = (real)(log(s) - log(r));
    }
    return CST_OK;
}

/* forward: y = log s - log r with s' = -r' = 1 - 2 alpha and s + r = 1, so y' = s' (1 / s + 1 / r) = s' / (s r). */
static cst_status logit_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                            const cst_grads *g)
{
    const double slope = 1 - 2 * alpha_of(m);
    for (size_t i = 0; g->gx && i < c->n * cst_shape_size(&m->x); i++) {
        double s, r;
        squash(alpha_of(m), p->x[i], &s, &r);
        g->gx[i] = (real)((double)gy[i] * slope / (s * r));
    }
    return CST_OK;
}

/* ---- density and inverse ------------------------------------------------------------------------------------- */

/* The sum over entries of log y' = log s' - log s - log r. */
static void logit_logdet(const cst_module *m, size_t n, const real *x, double *logdet)
{
    const size_t d = cst_shape_size(&m->x);
    const double slope = log1p(-2 * alpha_of(m));
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t j = 0; j < d; j++) {
            double s, r;
            squash(alpha_of(m), x[i * d + j], &s, &r);
            sum += slope - log(s * r);
        }
        logdet[i] += sum;
    }
}

/* logdet: sum of log s' - log s - log r, whose derivative by x is s' (1 / r - 1 / s). */
static void logit_logdet_vjp(const cst_module *m, size_t n, const real *x, const real *g, real *gx)
{
    const size_t d = cst_shape_size(&m->x);
    const double slope = 1 - 2 * alpha_of(m);
    for (size_t i = 0; i < n * d; i++) {
        double s, r;
        squash(alpha_of(m), x[i], &s, &r);
        gx[i] += (real)((double)g[i / d] * slope * (1 / r - 1 / s));
    }
}

/* forward: y = log(s / (1 - s)) and s = alpha + (1 - 2 alpha) x, so s = 1 / (1 + exp(-y)) and x = (s - alpha) / (1 -
 * 2 alpha), limited to [0, 1]. */
static void logit_inverse(const cst_module *m, size_t n, const real *y, real *x)
{
    const double alpha = alpha_of(m);
    for (size_t i = 0; i < n * cst_shape_size(&m->x); i++) {
        const double s = 1 / (1 + exp(-(double)y[i])), to = (s - alpha) / (1 - 2 * alpha);
        x[i] = (real)(to > 0 ? to < 1 ? to : 1 : 0);
    }
}

static const cst_module_ops logit_ops = {.name = "logit", .forward = logit_forward, .vjp = logit_vjp};

const cst_bijection cst_logit_bijection = {
    .ops = &logit_ops, .logdet = logit_logdet, .logdet_vjp = logit_logdet_vjp, .inverse = logit_inverse};

cst_status cst_logit_new(const cst_shape *x, const cst_logit_options *options, cst_module **m, cst_error *error)
{
    *m = NULL;
    if (!((real)options->alpha > 0 && (real)options->alpha < (real)0.5))
        return cst_fail(error, CST_EARG, "expected alpha between 0 and 0.5, got %g", options->alpha);
    CST_TRY(cst_module_new(sizeof(logit), &logit_ops, x, m, error));
    ((logit *)(void *)*m)->alpha = options->alpha;
    (*m)->cost = 40 * (double)cst_shape_size(x);
    return CST_OK;
}

static const cst_key logit_keys[] = {
    {.name = "alpha",
     .kind = CST_KEY_REAL,
     .offset = offsetof(cst_logit_options, alpha),
     .fallback = "1e-6",
     .range = CST_INSIDE(0, 0.5),
     .help = "how much the unit interval is shrunk at either end"},
    {.name = NULL},
};

static cst_status logit_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                             cst_error *error)
{
    (void)registry;
    cst_logit_options options = {0};
    CST_TRY(cst_config_read(section, logit_keys, true, &options, error));
    return cst_logit_new(x, &options, m, error);
}

static const cst_module_example logit_examples[] = {
    {CST_JSON({"type": "logit"}), {1, {5}}, .low = 0.1, .high = 0.9},
    {CST_JSON({"type": "logit", "alpha": 0.05}), {3, {2, 2, 3}}, .low = 0.01, .high = 0.99},
};

const cst_module_type cst_logit_type = {
    .name = "logit",
    .summary = "the logit of numbers from 0 to 1, shrunk a little towards 1/2",
    .keys = logit_keys,
    .make = logit_make,
    .n_examples = sizeof logit_examples / sizeof *logit_examples,
    .examples = logit_examples,
};
