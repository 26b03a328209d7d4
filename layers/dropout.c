#include "layers/dropout.h"

#include <string.h>

typedef struct dropout {
    cst_module base;
    double p;
    real scale; /* 1 / (1 - p), the factor of the elements that stay; 0 if p = 1 and none do */
} dropout;

/* forward: y = scale mask x, so gx = scale mask gy: the same map, to = scale mask from. */
static void apply(const cst_module *m, const cst_call *c, const real *from, real *to)
{
    const dropout *d = (const dropout *)(const void *)m;
    const size_t dim = cst_shape_size(&m->x), size = c->n * dim;
    /* Evaluation: y = x. */
    if (!c->train) {
        memcpy(to, from, size * sizeof *to);
        return;
    }
    /* Draws are numbered over the whole batch, of which this call may see a part. */
    const uint64_t first = (uint64_t)c->row * dim;
    for (size_t i = 0; i < size; i++) to[i] = cst_rng_uniform(c->rng, first + i) < d->p ? 0 : d->scale * from[i];
}

static cst_status dropout_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    (void)cache;
    apply(m, c, x, y);
    return CST_OK;
}

/* forward: y = scale mask x, so gx = scale mask gy, with the mask of the same draws. */
static cst_status dropout_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                              const cst_grads *g)
{
    (void)p;
    if (g->gx) apply(m, c, gy, g->gx);
    return CST_OK;
}

static const cst_module_ops dropout_ops = {
    .name = "dropout",
    .forward = dropout_forward,
    .vjp = dropout_vjp,
};

cst_status cst_dropout_new(const cst_shape *x, const cst_dropout_options *options, cst_module **m, cst_error *error)
{
    *m = NULL;
    if (!(options->p >= 0 && options->p <= 1))
        return cst_fail(error, CST_EARG, "expected a probability p from 0 to 1, got %g", options->p);
    CST_TRY(cst_module_new(sizeof(dropout), &dropout_ops, x, m, error));
    dropout *d = (dropout *)(void *)*m;
    d->p = options->p;
    d->scale = d->p < 1 ? (real)(1 / (1 - d->p)) : 0;
    d->base.cost = 100 * (double)cst_shape_size(x); /* ten rounds of integer operations per draw */
    return CST_OK;
}

static const cst_key dropout_keys[] = {
    {.name = "p",
     .kind = CST_KEY_REAL,
     .offset = offsetof(cst_dropout_options, p),
     .fallback = "0.5",
     .range = CST_BETWEEN(0, 1),
     .help = "probability that an element becomes 0 in training"},
    {.name = NULL},
};

static cst_status dropout_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                               cst_error *error)
{
    (void)registry;
    cst_dropout_options options = {0};
    CST_TRY(cst_config_read(section, dropout_keys, true, &options, error));
    return cst_dropout_new(x, &options, m, error);
}

static const cst_module_example dropout_examples[] = {
    {CST_JSON({"type": "dropout"}), {1, {6}}},
    {CST_JSON({"type": "dropout", "p": 0.2}), {3, {2, 2, 3}}},
};

const cst_module_type cst_dropout_type = {
    .name = "dropout",
    .summary = "set random elements to 0 in training and scale the rest",
    .keys = dropout_keys,
    .make = dropout_make,
    .n_examples = sizeof dropout_examples / sizeof *dropout_examples,
    .examples = dropout_examples,
};
