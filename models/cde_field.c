#include "models/cde_field.h"

#include "core/arena.h"

typedef struct cde_field {
    cst_module base;
    size_t hidden, channels;
} cde_field;

static const cde_field *field_of(const cst_module *m)
{
    return (const cde_field *)(const void *)m;
}

static const cst_module *network_of(const cst_module *m)
{
    return m->children[0].module;
}

/* ---- where things are ------------------------------------------------------------------------------------------- */

/* cache = [F(z) (N, H, C) | X'(t) (N, C) | the network's] */
typedef struct kept {
    real *value, *slope, *network;
    size_t size;
} kept;

static kept cut_cache(const cst_module *m, size_t rows, size_t network, real *cache)
{
    const cde_field *f = field_of(m);
    kept k = {0};
    k.value = cst_cut(cache, &k.size, cst_size_mul(rows, cst_size_mul(f->hidden, f->channels)));
    k.slope = cst_cut(cache, &k.size, cst_size_mul(rows, f->channels));
    k.network = cst_cut(cache, &k.size, network);
    return k;
}

/* work = [like F(z), its cotangent (N, H, C) | of K tangents, theirs or their cotangents (K, N, H, C) | the network's] */
static size_t values_size(const cst_module *m, size_t rows, size_t k)
{
    const cde_field *f = field_of(m);
    return cst_size_align(cst_size_mul(k, cst_size_mul(rows, cst_size_mul(f->hidden, f->channels))));
}

static void cde_field_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    cst_plan network;
    cst_module_plan(network_of(m), n, k, threads, &network);
    plan->cache = cut_cache(m, n, network.cache, NULL).size;
    plan->tangent = network.tangent;
    plan->work = cst_size_add(cst_size_add(values_size(m, n, 1), values_size(m, n, k)), network.work);
}

static kept view_cache(const cst_module *m, size_t rows, const cst_point *p)
{
    return cut_cache(m, rows, 0, cst_view(p->cache));
}

/* ---- the product with X' ---------------------------------------------------------------------------------------- */

/* y (N, H) = f (N, H, C) slope (N, C) */
static void multiply(const cst_module *m, size_t rows, const real *restrict f, const real *restrict slope,
                     real *restrict y)
{
    const size_t hidden = field_of(m)->hidden, channels = field_of(m)->channels;
    for (size_t i = 0; i < rows; i++, slope += channels) {
        for (size_t h = 0; h < hidden; h++, f += channels) {
            real sum = 0;
#pragma omp simd reduction(+ : sum)
            for (size_t c = 0; c < channels; c++) sum += f[c] * slope[c];
            *y++ = sum;
        }
    }
}

/* gf (N, H, C) = gy (N, H) slope (N, C)^T */
static void spread(const cst_module *m, size_t rows, const real *restrict gy, const real *restrict slope,
                   real *restrict gf)
{
    const size_t hidden = field_of(m)->hidden, channels = field_of(m)->channels;
    for (size_t i = 0; i < rows; i++, slope += channels) {
        for (size_t h = 0; h < hidden; h++, gf += channels) {
            const real g = *gy++;
#pragma omp simd
            for (size_t c = 0; c < channels; c++) gf[c] = g * slope[c];
        }
    }
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

static cst_status check_path(const cst_module *m, const cst_call *c)
{
    const cst_path *path = c->context;
    if (!path) return cst_fail(c->error, CST_EARG, "a cde field without a path to follow");
    if (path->series.channels != field_of(m)->channels || path->series.n < c->row + c->n)
        return cst_fail(c->error, CST_EARG, "expected a path of %zu channels and at least %zu series, got %zu and %zu",
                        field_of(m)->channels, c->row + c->n, path->series.channels, path->series.n);
    return CST_OK;
}

static cst_status cde_field_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    CST_TRY(check_path(m, c));
    const kept k = cut_cache(m, c->n, 0, cache);
    const cst_call call = cst_call_child(m, c, 0, c->work);
    cst_path_slope(c->context, c->row, c->n, c->t, k.slope);
    CST_TRY(cst_module_forward(network_of(m), &call, x, k.value, k.network));
    multiply(m, c->n, k.value, k.slope, y);
    return CST_OK;
}

static cst_status cde_field_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                                const cst_grads *g)
{
    const kept k = view_cache(m, c->n, p);
    const cst_call call = cst_call_child(m, c, 0, c->work + values_size(m, c->n, 1));
    const cst_point point = {p->x, k.value, k.network};
    spread(m, c->n, gy, k.slope, c->work);
    return cst_module_vjp(network_of(m), &call, &point, c->work, g);
}

static cst_status cde_field_jvp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d)
{
    const kept k = view_cache(m, c->n, p);
    const size_t hidden = field_of(m)->hidden, values = c->n * hidden * field_of(m)->channels;
    const cst_point point = {p->x, k.value, k.network};
    cst_tangents tangents = *d;
    tangents.ydot = c->work + values_size(m, c->n, 1);
    const cst_call call = cst_call_child(m, c, 0, tangents.ydot + values_size(m, c->n, d->capacity));
    CST_TRY(cst_module_jvp(network_of(m), &call, &point, &tangents));
    for (size_t i = 0; i < d->count; i++)
        multiply(m, c->n, tangents.ydot + i * values, k.slope, d->ydot + i * c->n * hidden);
    return CST_OK;
}

static cst_status cde_field_jvp_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const cst_tangents *d,
                                    const real *gy, const real *gydot, const cst_grads *g)
{
    const kept k = view_cache(m, c->n, p);
    const size_t hidden = field_of(m)->hidden, values = c->n * hidden * field_of(m)->channels;
    const cst_point point = {p->x, k.value, k.network};
    real *gf = c->work, *gfdot = gf + values_size(m, c->n, 1);
    const cst_call call = cst_call_child(m, c, 0, gfdot + values_size(m, c->n, d->capacity));
    cst_tangents tangents = *d;
    tangents.ydot = NULL; /* no reverse pass reads it */
    if (gy) spread(m, c->n, gy, k.slope, gf);
    for (size_t i = 0; gydot && i < d->count; i++)
        spread(m, c->n, gydot + i * c->n * hidden, k.slope, gfdot + i * values);
    return cst_module_jvp_vjp(network_of(m), &call, &point, &tangents, gy ? gf : NULL, gydot ? gfdot : NULL, g);
}

static const cst_module_ops cde_field_ops = {.name = "cde_field",
                                             .plan = cde_field_plan,
                                             .forward = cde_field_forward,
                                             .vjp = cde_field_vjp,
                                             .jvp = cde_field_jvp,
                                             .jvp_vjp = cde_field_jvp_vjp};

cst_status cst_cde_field_new(cst_module *network, size_t channels, cst_module **m, cst_error *error)
{
    const size_t hidden = cst_shape_size(&network->x);
    cst_module *made = NULL;
    char got[CST_SHAPE_TEXT];
    *m = NULL;
    cst_status status = CST_OK;
    if (network->x.rank != 1 || channels == 0 || cst_shape_size(&network->y) != cst_size_mul(hidden, channels))
        status = cst_fail(error, CST_ESHAPE, "expected a network from (%zu) to %zu x %zu numbers, got rows of %s",
                          hidden, hidden, channels, cst_shape_text(&network->y, got));
    if (status == CST_OK) status = cst_module_new(sizeof(cde_field), &cde_field_ops, &network->x, &made, error);
    if (status != CST_OK) {
        cst_module_free(network);
        return status;
    }
    ((cde_field *)(void *)made)->hidden = hidden;
    ((cde_field *)(void *)made)->channels = channels;
    made->cost = 2.0 * (double)hidden * (double)channels;
    status = cst_module_add_child(made, "network", network, error);
    if (status == CST_OK)
        *m = made;
    else
        cst_module_free(made);
    return status;
}
