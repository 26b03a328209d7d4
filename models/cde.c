#include "models/cde.h"

#include "core/arena.h"
#include "models/cde_field.h"
#include "models/cde_path.h"

#include <stdlib.h>
#include <string.h>

/* The children, in the order of theta. */
enum { INITIAL, ODE };

typedef struct cde {
    cst_module base;
    cst_cde_series series;
    size_t hidden; /* H */
} cde;

static const cde *cde_of(const cst_module *m)
{
    return (const cde *)(const void *)m;
}

static const cst_module *child(const cst_module *m, size_t i)
{
    return m->children[i].module;
}

/* ---- where things are -------------------------------------------------------------------------------------------- */

/* cache = [the path (models/cde_path.h) | X(t_0) (N, C) | z(t_0) (N, H) | the children's] */
typedef struct cache_layout {
    size_t path, x0, z0, initial, ode, size;
} cache_layout;

static cache_layout lay_out_cache(const cst_module *m, size_t n, int threads)
{
    const cde *d = cde_of(m);
    cst_plan initial, ode;
    cst_module_plan(child(m, INITIAL), n, 0, threads, &initial);
    cst_module_plan(child(m, ODE), n, 0, threads, &ode);
    cache_layout k = {0};
    k.path = cst_place(&k.size, cst_cde_path_size(&d->series, n));
    k.x0 = cst_place(&k.size, cst_size_mul(n, d->series.channels));
    k.z0 = cst_place(&k.size, cst_size_mul(n, d->hidden));
    k.initial = cst_place(&k.size, initial.cache);
    k.ode = cst_place(&k.size, ode.cache);
    return k;
}

/* work of vjp = [cotangent of z(t_0) (N, H) | of X(t_0) (N, C) | of the path's knots | the path's VJP's own | the
 * children's] */
typedef struct work_layout {
    real *gz0, *gx0, *gknots, *path, *children;
    size_t size;
} work_layout;

/* Reals per row of the cotangent of the path's knots. */
static size_t knot_reals(const cde *d)
{
    const cst_knots one = cst_cde_knots(&d->series, 1);
    return cst_path_knot_reals(d->series.kind, &one);
}

static work_layout cut_work(const cst_module *m, size_t n, real *work)
{
    const cde *d = cde_of(m);
    work_layout w = {0};
    w.gz0 = cst_cut(work, &w.size, cst_size_mul(n, d->hidden));
    w.gx0 = cst_cut(work, &w.size, cst_size_mul(n, d->series.channels));
    w.gknots = cst_cut(work, &w.size, cst_size_mul(n, knot_reals(d)));
    w.path = cst_cut(work, &w.size, cst_cde_path_vjp_work(&d->series, n));
    w.children = cst_cut(work, &w.size, 0);
    return w;
}

/* The children run one after the other, so they share the rest of work. */
static void cde_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    cst_plan initial, ode;
    (void)k;
    cst_module_plan(child(m, INITIAL), n, 0, threads, &initial);
    cst_module_plan(child(m, ODE), n, 0, threads, &ode);
    plan->cache = lay_out_cache(m, n, threads).size;
    plan->work = cst_size_add(cut_work(m, n, NULL).size, cst_size_max(initial.work, ode.work));
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* The call of the ODE block, and what it refers to. */
typedef struct ode_call {
    cst_path path;
    cst_span span;
    double ends[2];
    cst_call call;
} ode_call;

/* The ODE block integrates over the path's times and stops where X' jumps. Its field reads the path from the call's
 * context. */
static void set_call(const cst_module *m, const cst_call *c, const real *path_cache, real *work, ode_call *o)
{
    o->path.first = c->row;
    o->span = cst_cde_path_span(&cde_of(m)->series, &o->path, path_cache, o->ends);
    o->call = cst_call_child(m, c, ODE, work);
    o->call.context = &o->path;
    o->call.span = &o->span;
}

static cst_status cde_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const cst_cde_series *s = &cde_of(m)->series;
    const cache_layout k = lay_out_cache(m, c->n, c->threads);
    const cst_call initial = cst_call_child(m, c, INITIAL, c->work);
    real *x0 = cache + k.x0, *z0 = cache + k.z0;
    ode_call o;
    CST_TRY(cst_cde_path_make(s, c, x, cache + k.path, &o.path));
    /* z(t_0) = initial(X(t_0)): X at the first knot of each row. */
    const size_t knots = o.path.series.length * s->channels;
    for (size_t row = 0; row < c->n; row++)
        memcpy(x0 + row * s->channels, o.path.series.x + row * knots, s->channels * sizeof(real));
    CST_TRY(cst_module_forward(child(m, INITIAL), &initial, x0, z0, cache + k.initial));
    /* z' = F(z) X'(t) */
    set_call(m, c, cache + k.path, c->work, &o);
    return cst_module_forward(child(m, ODE), &o.call, z0, y, cache + k.ode);
}

/* forward: z(t_0) = initial(X(t_0)), z' = F(z) X'(t), and X follows from x. So the cotangent of z(t_0) goes back
 * through `initial`, and x's is that of the path's knots, where X(t_0) is the first knot. */
static cst_status cde_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                          const cst_grads *g)
{
    if (!g->gx && !g->gtheta) return CST_OK;
    const cde *d = cde_of(m);
    const cache_layout k = lay_out_cache(m, c->n, c->threads);
    const real *x0 = p->cache + k.x0, *z0 = p->cache + k.z0, *path = p->cache + k.path;
    /* The path and the calls of forward. */
    const work_layout w = cut_work(m, c->n, c->work);
    const size_t width = knot_reals(d), channels = d->series.channels;
    const cst_call initial = cst_call_child(m, c, INITIAL, w.children);
    ode_call o;
    o.path = cst_cde_path_at(&d->series, c->n, p->x, path);
    set_call(m, c, path, w.children, &o);
    /* What each child is asked for. */
    cst_grads ode = {.scale = g->scale, .gx = w.gz0}, first = {.scale = g->scale};
    if (g->gtheta) {
        ode.gtheta = g->gtheta + m->children[ODE].offset;
        first.gtheta = g->gtheta + m->children[INITIAL].offset;
    }
    if (g->gx) {
        memset(w.gknots, 0, c->n * width * sizeof *w.gknots);
        ode.gcontext = w.gknots;
        ode.context_scale = 1; /* gx is not scaled */
        first.gx = w.gx0;
    }
    /* From y to z(t_0) and to the path's knots, then from z(t_0) to X(t_0). */
    CST_TRY(cst_module_vjp(child(m, ODE), &o.call, &(cst_point){z0, p->y, p->cache + k.ode}, gy, &ode));
    CST_TRY(cst_module_vjp(child(m, INITIAL), &initial, &(cst_point){x0, z0, p->cache + k.initial}, w.gz0, &first));
    if (!g->gx) return CST_OK;
    /* Add X(t_0)'s cotangent to that of the first knot, then go back to x. */
    for (size_t row = 0; row < c->n; row++)
        for (size_t i = 0; i < channels; i++) w.gknots[row * width + i] += w.gx0[row * channels + i];
    cst_cde_path_vjp(&d->series, c->n, p->x, path, w.gknots, w.path, g->gx);
    return CST_OK;
}

/* ---- construction ------------------------------------------------------------------------------------------------ */

static const cst_module_ops cde_ops = {.name = "cde", .plan = cde_plan, .forward = cde_forward, .vjp = cde_vjp};

/* What can be said about the rows, the options and the initial module before the field is made. */
static cst_status check_shapes(const cst_shape *x, const cst_module *initial, const cst_cde_options *o,
                               cst_error *error)
{
    char got[CST_SHAPE_TEXT], made[CST_SHAPE_TEXT];
    CST_TRY(cst_module_expect_rank(x, 2, "(T, C)", error));
    if (x->dim[0] < 2 || x->dim[1] < 1)
        return cst_fail(error, CST_ESHAPE, "expected rows (T, C) with at least 2 times and 1 channel, got %s",
                        cst_shape_text(x, got));
    /* The options: jumps come from the path, and only a linear path can be rectilinear. */
    if (o->ode.forward.n_jump_t > 0 || o->ode.backward.n_jump_t > 0)
        return cst_fail(error, CST_EARG, "expected a solver without jump_t: a cde takes its jumps from the path");
    if (o->rectilinear && o->path != CST_PATH_LINEAR)
        return cst_fail(error, CST_EARG, "expected a linear path where rectilinear is set, got a cubic one");
    /* The initial module: (C) -> (H). */
    if (initial->x.rank != 1 || initial->x.dim[0] != x->dim[1] || initial->y.rank != 1)
        return cst_fail(error, CST_ESHAPE,
                        "expected an initial module from rows (%zu) to a vector, got one from %s to %s", x->dim[1],
                        cst_shape_text(&initial->x, got), cst_shape_text(&initial->y, made));
    return CST_OK;
}

/* The ODE block over T times or two. The times are placeholders: each call has a span with as many of its own. */
static cst_status make_ode(const cde *d, cst_module *network, const cst_ode_options *options, cst_module **m,
                           cst_error *error)
{
    cst_module *field = NULL;
    *m = NULL;
    CST_TRY(cst_cde_field_new(network, d->series.channels, &field, error));
    /* What the options must not decide, the module does. */
    cst_ode_options o = *options;
    o.n_times = d->series.output_all ? d->series.length : 2;
    o.output_all = d->series.output_all;
    o.learn_t = false;
    o.context_row = knot_reals(d);
    /* cst_ode_new copies the times. */
    double *times = malloc(o.n_times * sizeof *times);
    if (!times) {
        cst_module_free(field);
        return cst_fail(error, CST_ENOMEM, "cannot allocate %zu times", o.n_times);
    }
    for (size_t i = 0; i < o.n_times; i++) times[i] = (double)i;
    o.times = times;
    const cst_status status = cst_ode_new(field, &o, m, error);
    free(times);
    return status;
}

cst_status cst_cde_new(const cst_shape *x, cst_module *initial, cst_module *network, const cst_cde_options *options,
                       cst_module **m, cst_error *error)
{
    cst_module *made = NULL, *ode = NULL;
    *m = NULL;
    cst_status status = check_shapes(x, initial, options, error);
    if (status == CST_OK && !cst_shape_equal(&initial->y, &network->x))
        status = cst_fail(error, CST_ESHAPE,
                          "expected a network for rows (%zu), the output of initial, got one for rows of %zu numbers",
                          initial->y.dim[0], cst_shape_size(&network->x));
    if (status == CST_OK) status = cst_module_new(sizeof(cde), &cde_ops, x, &made, error);
    if (status != CST_OK) {
        cst_module_free(initial);
        cst_module_free(network);
        return status;
    }
    cde *d = (cde *)(void *)made;
    d->hidden = initial->y.dim[0];
    d->series = (cst_cde_series){.length = x->dim[0],
                                 .channels = x->dim[1],
                                 .kind = options->path,
                                 .rectilinear = options->rectilinear,
                                 .channel_times = options->channel_times,
                                 .output_all = options->output_all};
    /* add_child and make_ode take ownership even if they fail. */
    status = cst_module_add_child(made, "initial", initial, error);
    if (status == CST_OK)
        status = make_ode(d, network, &options->ode, &ode, error);
    else
        cst_module_free(network);
    if (status == CST_OK) status = cst_module_add_child(made, "ode", ode, error);
    if (status != CST_OK) {
        cst_module_free(made);
        return status;
    }
    /* (H), or (T, H) with output_all, as the ODE block says. */
    made->y = ode->y;
    made->rows_independent = false; /* rows share step sizes */
    *m = made;
    return CST_OK;
}
