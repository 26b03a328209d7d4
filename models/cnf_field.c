#include "models/cnf_field.h"

#include "core/arena.h"

#include <string.h>

/* Reals of tangents per row that one batch of JVPs may take: 128 MiB for 512 rows in single precision. */
static const size_t most_tangents = 65536;

typedef struct cnf_field {
    cst_module base;
    cst_cnf_field_options o;
    size_t width; /* D */
    size_t k;     /* K: tangents at a time */
} cnf_field;

static const cnf_field *field_of(const cst_module *m)
{
    return (const cnf_field *)(const void *)m;
}

static const cst_module *network_of(const cst_module *m)
{
    return m->children[0].module;
}

/* The number of tangents in all: one unit vector per dimension, or the noise alone. */
static size_t directions(const cnf_field *f)
{
    return f->o.divergence == CST_DIVERGENCE_EXACT ? f->width : 1;
}

/* ---- where things are ------------------------------------------------------------------------------------------- */

/* Offsets in the cache. If all tangents fit at once, the cache keeps their JVPs for the VJP; otherwise the VJP
 * recomputes them. */
typedef struct cache_layout {
    size_t f;       /* (N, D): the network's value */
    size_t network; /* the network's own cache */
    size_t slope;   /* (K, N, D): (df/dz) e, if at once */
    size_t tangent; /* the network's tangent cache, if at once */
    size_t size;
} cache_layout;

/* Arrays in work. */
typedef struct work_layout {
    real *unit;            /* (K, N, D): unit vectors, if the divergence is exact */
    real *trace;           /* (N): sum of e . (df/dz) e */
    real *squares;         /* (N): sum of |(df/dz) e|^2 */
    real *gf;              /* (N, D): cotangent of f */
    real *gslope;          /* (K, N, D): cotangent of (df/dz) e */
    real *network;         /* the network's own work */
    real *slope, *tangent; /* as in the cache, unless at once */
    real *gx;              /* (N, D): one batch's part of gx, unless at once */
    size_t size;
} work_layout;

/* Whether all tangents are computed in one batch. */
static bool at_once(const cnf_field *f)
{
    return f->k == directions(f);
}

static cst_plan plan_network(const cst_module *m, size_t rows)
{
    cst_plan plan;
    cst_module_plan(network_of(m), rows, field_of(m)->k, 1, &plan);
    return plan;
}

static cache_layout lay_out_cache(const cst_module *m, size_t rows)
{
    const cnf_field *f = field_of(m);
    const cst_plan network = plan_network(m, rows);
    const size_t nd = cst_size_mul(rows, f->width);
    cache_layout k = {0};
    k.f = cst_place(&k.size, nd);
    k.network = cst_place(&k.size, network.cache);
    if (!at_once(f)) return k;
    k.slope = cst_place(&k.size, cst_size_mul(f->k, nd));
    k.tangent = cst_place(&k.size, network.tangent);
    return k;
}

static work_layout cut_work(const cst_module *m, size_t rows, real *work)
{
    const cnf_field *f = field_of(m);
    const cst_plan network = plan_network(m, rows);
    const size_t nd = cst_size_mul(rows, f->width), all = cst_size_mul(f->k, nd);
    work_layout s = {0};
    s.unit = cst_cut(work, &s.size, f->o.divergence == CST_DIVERGENCE_EXACT ? all : 0);
    s.trace = cst_cut(work, &s.size, rows);
    s.squares = cst_cut(work, &s.size, rows);
    s.gf = cst_cut(work, &s.size, nd);
    s.gslope = cst_cut(work, &s.size, all);
    s.network = cst_cut(work, &s.size, network.work);
    if (at_once(f)) return s;
    s.slope = cst_cut(work, &s.size, all);
    s.tangent = cst_cut(work, &s.size, network.tangent);
    s.gx = cst_cut(work, &s.size, nd);
    return s;
}

static void cnf_field_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    (void)k, (void)threads; /* the network runs in the calling thread: the field is cut as a whole */
    plan->cache = lay_out_cache(m, n).size;
    plan->work = cut_work(m, n, NULL).size;
}

/* ---- tangents --------------------------------------------------------------------------------------------------- */

/* What the parts of one pass share. */
typedef struct pass {
    const cst_module *m;
    const cnf_field *f;
    cst_call network;    /* the network's call */
    const real *noise;   /* (N, D): e; NULL if the divergence is exact */
    bool no_derivatives; /* the caller wants f alone */
    cst_point point;     /* of the network */
    cache_layout k;
    work_layout s;
} pass;

/* Lay out cache and work, and find the noise of the call's rows. */
static cst_status begin(const cst_module *m, const cst_call *c, const real *x, const real *cache, pass *p)
{
    *p = (pass){.m = m, .f = field_of(m), .k = lay_out_cache(m, c->n), .s = cut_work(m, c->n, c->work)};
    p->network = cst_call_child_alone(m, c, 0, p->s.network);
    p->point = (cst_point){x, cache + p->k.f, cache + p->k.network};
    const cst_cnf_noise *noise = c->context;
    p->no_derivatives = noise && noise->no_derivatives;
    if (p->f->o.divergence == CST_DIVERGENCE_EXACT || p->no_derivatives) return CST_OK;
    if (!noise || !noise->e)
        return cst_fail(c->error, CST_EARG,
                        "expected noise as the context of a cnf field with Hutchinson's divergence, got none");
    p->noise = noise->e + (c->row - noise->row) * p->f->width;
    return CST_OK;
}

/* How many directions the batch that begins with number `first` has: K, or what is left. */
static size_t count_from(const pass *p, size_t first)
{
    const size_t left = directions(p->f) - first;
    return left < p->f->k ? left : p->f->k;
}

/* The directions e (count, N, D) of that batch: the noise, or unit vectors, e_k the same in all rows. */
static const real *directions_from(const pass *p, size_t first, size_t count)
{
    const size_t n = p->network.n, d = p->f->width;
    real *unit = p->s.unit;
    if (p->noise) return p->noise;
    /* Row i of the batch belongs to direction i / n. */
    memset(unit, 0, count * n * d * sizeof *unit);
    for (size_t i = 0; i < count * n; i++) unit[i * d + first + i / n] = 1;
    return unit;
}

/* With s_k = (df/dz) e_k: trace (N) += sum_k e_k . s_k, squares (N) += sum_k |s_k|^2 */
static void add_products(const pass *p, size_t count, const real *directions, const real *slopes)
{
    const size_t n = p->network.n, d = p->f->width;
    for (size_t i = 0; i < count * n; i++) {
        const real *restrict e = directions + i * d, *restrict slope = slopes + i * d;
        real product = 0, square = 0;
#pragma omp simd reduction(+ : product, square)
        for (size_t j = 0; j < d; j++) {
            product += e[j] * slope[j];
            square += slope[j] * slope[j];
        }
        p->s.trace[i % n] += product;
        p->s.squares[i % n] += square;
    }
}

/* The batch of directions from `first` on, as arguments of jvp. Its results go to the cache, or to work if cache is
 * NULL. */
static cst_tangents jvp_tangents(const pass *p, size_t first, real *cache)
{
    const size_t count = count_from(p, first);
    return (cst_tangents){.capacity = count,
                          .count = count,
                          .xdot = directions_from(p, first, count),
                          .ydot = cache ? cache + p->k.slope : p->s.slope,
                          .cache = cache ? cache + p->k.tangent : p->s.tangent};
}

/* ---- passes ----------------------------------------------------------------------------------------------------- */

/* y = [f | -div f | |f|^2 | |df/dz|^2] */
static cst_status cnf_field_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    pass p;
    CST_TRY(begin(m, c, x, cache, &p));
    const size_t n = c->n, d = p.f->width;
    CST_TRY(cst_module_forward(network_of(m), &p.network, x, cache + p.k.f, cache + p.k.network));
    /* The divergence and the Jacobian's norm, batch by batch. */
    memset(p.s.trace, 0, n * sizeof(real));
    memset(p.s.squares, 0, n * sizeof(real));
    for (size_t first = 0; !p.no_derivatives && first < directions(p.f); first += p.f->k) {
        const cst_tangents t = jvp_tangents(&p, first, at_once(p.f) ? cache : NULL);
        CST_TRY(cst_module_jvp(network_of(m), &p.network, &p.point, &t));
        add_products(&p, t.count, t.xdot, t.ydot);
    }
    /* The rows of y, side by side. */
    for (size_t i = 0; i < n; i++) {
        const real *f = cache + p.k.f + i * d;
        real square = 0;
        for (size_t j = 0; j < d; j++) square += f[j] * f[j];
        memcpy(y, f, d * sizeof *y);
        y += d;
        *y++ = -p.s.trace[i];
        if (p.f->o.kinetic) *y++ = square;
        if (p.f->o.jacobian) *y++ = p.s.squares[i];
    }
    return CST_OK;
}

/* The batch of tangents from `first` on and their slopes (df/dz) e: as forward has left them in the cache, or
 * recomputed. */
static cst_status get_tangents(const pass *p, size_t first, const real *cache, cst_tangent_point *t,
                               const real **slopes)
{
    if (at_once(p->f)) {
        const size_t count = count_from(p, first);
        *t = (cst_tangent_point){count, count, directions_from(p, first, count), cache + p->k.tangent};
        *slopes = cache + p->k.slope;
        return CST_OK;
    }
    const cst_tangents made = jvp_tangents(p, first, NULL);
    *t = (cst_tangent_point){made.capacity, made.count, made.xdot, made.cache};
    *slopes = made.ydot;
    return cst_module_jvp(network_of(p->m), &p->network, &p->point, &made);
}

/* forward: y = [f | -e . s | |f|^2 | |s|^2] with s = (df/dz) e. With cotangent [a | c | c_kinetic | c_jacobian], gf = a
 * + 2 c_kinetic f. */
static void network_cotangent(const pass *p, const real *gy)
{
    const size_t n = p->network.n, d = p->f->width, width = cst_shape_size(&p->m->y);
    for (size_t i = 0; i < n; i++, gy += width) {
        const real *restrict f = p->point.y + i * d;
        real *restrict gf = p->s.gf + i * d;
        const real c = p->f->o.kinetic ? 2 * gy[d + 1] : 0;
#pragma omp simd
        for (size_t j = 0; j < d; j++) gf[j] = gy[j] + c * f[j];
    }
}

/* forward: -e_k . s_k and |s_k|^2. So gs_k = -c e_k + 2 c_jacobian s_k. */
static void slope_cotangent(const pass *p, const real *gy, size_t count, const real *directions, const real *slopes)
{
    const size_t n = p->network.n, d = p->f->width, width = cst_shape_size(&p->m->y);
    for (size_t i = 0; i < count * n; i++) {
        const real *row = gy + i % n * width;
        const real *restrict e = directions + i * d, *restrict slope = slopes + i * d;
        real *restrict gslope = p->s.gslope + i * d;
        const real c = row[d], square = p->f->o.jacobian ? 2 * row[width - 1] : 0;
#pragma omp simd
        for (size_t j = 0; j < d; j++) gslope[j] = square * slope[j] - c * e[j];
    }
}

/* forward: y depends on f and on the slopes s_k. The network's jvp_vjp takes the cotangents of both; gf enters once,
 * with the first batch, and gx is the sum over batches. */
static cst_status cnf_field_vjp(const cst_module *m, const cst_call *c, const cst_point *point, const real *gy,
                                const cst_grads *g)
{
    pass p;
    CST_TRY(begin(m, c, point->x, point->cache, &p));
    /* gf, for the first batch of tangents; the other batches have gf = 0. */
    const size_t nd = c->n * p.f->width;
    network_cotangent(&p, gy);
    for (size_t first = 0; first < directions(p.f); first += p.f->k) {
        cst_tangent_point t = {0};
        const real *slopes = NULL;
        CST_TRY(get_tangents(&p, first, point->cache, &t, &slopes));
        slope_cotangent(&p, gy, t.count, t.xdot, slopes);
        cst_grads grads = *g;
        if (first > 0 && g->gx) grads.gx = p.s.gx;
        CST_TRY(cst_module_jvp_vjp(network_of(m), &p.network, &p.point, &t, first == 0 ? p.s.gf : NULL, p.s.gslope,
                                   &grads));
        for (size_t i = 0; first > 0 && g->gx && i < nd; i++) g->gx[i] += p.s.gx[i];
    }
    return CST_OK;
}

static const cst_module_ops cnf_field_ops = {
    .name = "cnf_field", .plan = cnf_field_plan, .forward = cnf_field_forward, .vjp = cnf_field_vjp};

/* ---- construction ------------------------------------------------------------------------------------------------ */

/* The network must keep the shape of its rows, and be differentiable twice. */
static cst_status check(const cst_module *network, cst_error *error)
{
    char in[CST_SHAPE_TEXT], out[CST_SHAPE_TEXT];
    if (!cst_shape_equal(&network->x, &network->y) || cst_shape_size(&network->x) == 0)
        return cst_fail(error, CST_ESHAPE, "expected a field that keeps the shape of its state, got %s -> %s",
                        cst_shape_text(&network->x, in), cst_shape_text(&network->y, out));
    return cst_module_require(network, CST_PASS_JVP | CST_PASS_JVP_VJP, "a cnf field", error);
}

/* As many tangents as fit per row. The number does not depend on the batch, so that larger batches never need less
 * memory. */
static size_t tangents_at_a_time(const cst_module *network, size_t directions)
{
    cst_plan one;
    cst_module_plan(network, 1, 1, 1, &one);
    const size_t row = cst_size_add(one.tangent, 3 * cst_shape_size(&network->x)), fit = most_tangents / row;
    return fit < 1 ? 1 : fit < directions ? fit : directions;
}

cst_status cst_cnf_field_new(cst_module *network, const cst_cnf_field_options *options, cst_module **m,
                             cst_error *error)
{
    cst_module *made = NULL;
    *m = NULL;
    cst_status status = check(network, error);
    if (status == CST_OK) status = cst_module_new(sizeof(cnf_field), &cnf_field_ops, &network->x, &made, error);
    if (status != CST_OK) {
        cst_module_free(network);
        return status;
    }
    cnf_field *f = (cnf_field *)(void *)made;
    f->o = *options;
    f->width = cst_shape_size(&network->x);
    f->k = tangents_at_a_time(network, directions(f));
    /* y = [f | -div f | regularizers]; the cost is that of one JVP per direction. */
    made->y = cst_shape_1d(f->width + 1 + options->kinetic + options->jacobian);
    made->cost = (double)directions(f) * network->cost;
    status = cst_module_add_child(made, "network", network, error);
    if (status == CST_OK)
        *m = made;
    else
        cst_module_free(made);
    return status;
}
