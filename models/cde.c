#include "models/cde.h"

#include "core/arena.h"
#include "models/cde_field.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { INITIAL, ODE };

typedef struct cde {
    cst_module base;
    size_t length, channels, hidden; /* T, C, H */
    cst_path_kind kind;
    bool rectilinear, channel_times, output_all;
} cde;

static const cde *cde_of(const cst_module *m)
{
    return (const cde *)(const void *)m;
}

static const cst_module *child(const cst_module *m, size_t i)
{
    return m->children[i].module;
}

/* ---- where things are ------------------------------------------------------------------------------------------- */

/* Whether series may have times of their own: a cubic would swing through one that has ended. */
static bool may_differ(const cde *d)
{
    return d->channel_times || d->kind != CST_PATH_LINEAR;
}

/* The series that the path goes through, without its data. */
static cst_knots shape_of_series(const cde *d, size_t n)
{
    return (cst_knots){.n = n, .length = d->rectilinear ? 2 * d->length - 1 : d->length, .channels = d->channels};
}

/* cache = [times 0, 1, ... | those of series that may have their own, and how many jumps there are and where | rectilinear: knots
 * and their times | the path |
 * X(t_0) (N, C) | z(t_0) (N, H) | the children's] */
typedef struct cache_layout {
    size_t index, t, n_jumps, jumps, knot_t, knots, path, x0, z0, initial, ode, size;
} cache_layout;

static cache_layout lay_out_cache(const cst_module *m, size_t n, int threads)
{
    const cde *d = cde_of(m);
    const cst_knots s = shape_of_series(d, n);
    const size_t all = cst_size_mul(n, d->length);
    cst_plan initial, ode;
    cst_module_plan(child(m, INITIAL), n, 0, threads, &initial);
    cst_module_plan(child(m, ODE), n, 0, threads, &ode);
    cache_layout k = {0};
    k.index = cst_place_doubles(&k.size, d->length);
    k.t = cst_place_doubles(&k.size, may_differ(d) ? all : 0);
    k.n_jumps = cst_place_doubles(&k.size, 1);
    k.jumps = cst_place_doubles(&k.size, may_differ(d) ? all : 0);
    k.knot_t = cst_place_doubles(&k.size, d->rectilinear ? s.length : 0);
    k.knots = cst_place(&k.size, d->rectilinear ? cst_size_mul(n, cst_size_mul(s.length, s.channels)) : 0);
    k.path = cst_place(&k.size, cst_path_memory(d->kind, &s));
    k.x0 = cst_place(&k.size, cst_size_mul(n, d->channels));
    k.z0 = cst_place(&k.size, cst_size_mul(n, d->hidden));
    k.initial = cst_place(&k.size, initial.cache);
    k.ode = cst_place(&k.size, ode.cache);
    return k;
}

/* work of vjp = [gz(t_0) (N, H) | gX(t_0) (N, C) | of knots | of knots' values | room for a path | the children's] */
typedef struct scratch {
    real *gz0, *gx0, *gknots, *gvalues, *path, *children;
    size_t size;
} scratch;

static scratch cut_work(const cst_module *m, size_t n, real *work)
{
    const cde *d = cde_of(m);
    const cst_knots s = shape_of_series(d, n);
    const size_t values = cst_size_mul(n, cst_size_mul(s.length, s.channels));
    scratch w = {0};
    w.gz0 = cst_cut(work, &w.size, cst_size_mul(n, d->hidden));
    w.gx0 = cst_cut(work, &w.size, cst_size_mul(n, d->channels));
    w.gknots = cst_cut(work, &w.size, cst_size_mul(n, cst_path_knot_reals(d->kind, &s)));
    w.gvalues = cst_cut(work, &w.size, d->rectilinear ? values : 0);
    w.path = cst_cut(work, &w.size, cst_path_memory(d->kind, &s));
    w.children = cst_cut(work, &w.size, 0);
    return w;
}

static void cde_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    cst_plan initial, ode;
    (void)k;
    cst_module_plan(child(m, INITIAL), n, 0, threads, &initial);
    cst_module_plan(child(m, ODE), n, 0, threads, &ode);
    plan->cache = lay_out_cache(m, n, threads).size;
    plan->work = cst_size_add(cut_work(m, n, NULL).size, cst_size_most(initial.work, ode.work));
}

/* A cache that is read. */
typedef struct view {
    cache_layout at;
    const real *cache;
} view;

static const double *doubles(const view *k, size_t at)
{
    return cst_const_doubles(k->cache, at);
}

/* ---- the path of a batch ---------------------------------------------------------------------------------------- */

/* Whether series have times of their own, (N, T): they differ, or end early. */
static bool times_differ(size_t n, size_t length, const double *t)
{
    for (size_t i = 0; i < n * length; i++)
        if (t[i] != t[i % length]) return true; /* also a NaN */
    return false;
}

/* The series as it is observed; times come from the cache, where the forward pass has put them. */
static cst_knots series_of(const cde *d, size_t n, const real *x, const view *k)
{
    const double *t = doubles(k, k->at.t);
    const bool own = may_differ(d) && times_differ(n, d->length, t);
    return (cst_knots){.n = n,
                       .length = d->length,
                       .channels = d->channels,
                       .own_times = own,
                       .t = own || d->channel_times ? t : doubles(k, k->at.index),
                       .x = x};
}

/* Indices go on to T - 1 even where all series have ended. */
static void set_end(const cde *d, cst_path *path)
{
    if (path->series.own_times && !d->channel_times) path->end = (double)(d->length - 1);
}

/* The one that the path goes through. */
static cst_knots series_of_knots(const cde *d, const cst_knots *observed, const view *k)
{
    if (!d->rectilinear) return *observed;
    cst_knots s = shape_of_series(d, observed->n);
    s.t = doubles(k, k->at.knot_t);
    s.x = k->cache + k->at.knots;
    return s;
}

/* How many steps of a row have a value in any channel, or have one behind them. */
static size_t count_steps(const cde *d, const real *x)
{
    size_t n = d->length * d->channels;
    while (n > 0 && isnan(x[n - 1])) n--;
    return (n + d->channels - 1) / d->channels;
}

static void read_times(const cde *d, size_t n, const real *x, double *indices, double *t)
{
    for (size_t i = 0; i < d->length; i++) indices[i] = (double)i;
    for (size_t row = 0; may_differ(d) && row < n; row++) {
        const real *of_row = x + row * d->length * d->channels;
        const size_t steps = count_steps(d, of_row);
        for (size_t i = 0; i < d->length; i++) {
            const double index = i < steps || steps == 0 ? (double)i : (double)NAN; /* nothing at all: X = 0 */
            t[row * d->length + i] = d->channel_times ? (double)of_row[i * d->channels] : index;
        }
    }
}

/* Of times those strictly between begin and end, sorted in place, each once; returns how many. */
static size_t sort_inside(const cst_path *path, double *t, size_t n)
{
    size_t inside = 0;
    for (size_t i = 0; i < n; i++)
        if (t[i] > path->begin && t[i] < path->end) t[inside++] = t[i];
    return cst_sort_times(t, inside);
}

/* Where X' jumps: at knots of lines; of cubics where a series begins or ends while others go on. */
static void find_jumps(const cst_path *path, double *jumps, double *n_jumps)
{
    const cst_knots *s = &path->series;
    size_t n = 0;
    for (size_t row = 0; s->own_times && row < s->n; row++)
        for (size_t i = 0; i < s->length; i++) {
            const double t = s->t[row * s->length + i];
            const bool last = i + 1 == s->length || isnan(s->t[row * s->length + i + 1]);
            if (!isnan(t) && (path->kind == CST_PATH_LINEAR || i == 0 || last)) jumps[n++] = t;
        }
    *n_jumps = (double)sort_inside(path, jumps, n);
}

/* The same as a span, from what find_jumps has left; none is not NULL, which would be the solver's own. */
static cst_span jumps_of(const cst_path *path, const view *k)
{
    const cst_knots *s = &path->series;
    if (s->own_times)
        return (cst_span){.jump_t = doubles(k, k->at.jumps), .n_jump_t = (size_t)*doubles(k, k->at.n_jumps)};
    return (cst_span){.jump_t = s->t + 1, .n_jump_t = path->kind == CST_PATH_LINEAR ? s->length - 2 : 0};
}

static cst_status make_path(const cde *d, const cst_call *c, const real *x, const view *k, real *cache, cst_path *path)
{
    read_times(d, c->n, x, cst_doubles(cache, k->at.index), cst_doubles(cache, k->at.t));
    const cst_knots observed = series_of(d, c->n, x, k);
    if (observed.own_times && d->channel_times && (d->output_all || d->rectilinear))
        return cst_fail(c->error, CST_EARG, "expected series that share their times for %s, got times of their own",
                        d->output_all ? "an output at all of them" : "a rectilinear path");
    if (d->rectilinear) cst_path_rectify(&observed, 0, cst_doubles(cache, k->at.knot_t), cache + k->at.knots);
    const cst_knots knots = series_of_knots(d, &observed, k);
    CST_TRY(cst_path_make(d->kind, &knots, cache + k->at.path, path, c->error));
    set_end(d, path);
    find_jumps(path, cst_doubles(cache, k->at.jumps), cst_doubles(cache, k->at.n_jumps));
    for (size_t row = 0; row < c->n; row++)
        memcpy(cache + k->at.x0 + row * d->channels, path->series.x + row * knots.length * d->channels,
               d->channels * sizeof(real));
    return CST_OK;
}

/* The call of the ODE block: over the path's time, and what a row of it is. */
typedef struct ode_call {
    cst_path path;
    cst_span span;
    double ends[2];
    cst_call call;
} ode_call;

static void set_call(const cst_module *m, const cst_call *c, const view *k, real *work, ode_call *o)
{
    const cde *d = cde_of(m);
    o->path.first = c->row;
    o->ends[0] = o->path.begin;
    o->ends[1] = o->path.end;
    o->span = jumps_of(&o->path, k);
    o->span.times = !d->output_all ? o->ends : d->channel_times ? doubles(k, k->at.t) : doubles(k, k->at.index);
    o->span.n_times = d->output_all ? d->length : 2;
    o->call = cst_call_child(m, c, ODE, work);
    o->call.context = &o->path;
    o->call.span = &o->span;
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

static cst_status cde_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const view k = {lay_out_cache(m, c->n, c->threads), cache};
    const cst_call initial = cst_call_child(m, c, INITIAL, c->work);
    ode_call o;
    CST_TRY(make_path(cde_of(m), c, x, &k, cache, &o.path));
    set_call(m, c, &k, c->work, &o);
    real *z0 = cache + k.at.z0;
    CST_TRY(cst_module_forward(child(m, INITIAL), &initial, cache + k.at.x0, z0, cache + k.at.initial));
    return cst_module_forward(child(m, ODE), &o.call, z0, y, cache + k.at.ode);
}

/* The path again, as the forward pass has left it. */
static void find_path(const cde *d, const cst_call *c, const real *x, const view *k, ode_call *o)
{
    const cst_knots observed = series_of(d, c->n, x, k), knots = series_of_knots(d, &observed, k);
    o->path = cst_path_at(d->kind, &knots, k->cache + k->at.path);
    set_end(d, &o->path);
}

/* gx from the gradients of knots, and of the first one that of z(t_0) = initial(X(t_0)). */
static void values_vjp(const cst_module *m, const cst_call *c, const real *x, const view *k, const scratch *w, real *gx)
{
    const cde *d = cde_of(m);
    const cst_knots observed = series_of(d, c->n, x, k), knots = series_of_knots(d, &observed, k);
    const size_t width = cst_path_knot_reals(d->kind, &knots);
    for (size_t row = 0; row < c->n; row++)
        for (size_t i = 0; i < d->channels; i++) w->gknots[row * width + i] += w->gx0[row * d->channels + i];
    cst_path_values_vjp(d->kind, &knots, w->path, w->gknots, d->rectilinear ? w->gvalues : gx);
    if (d->rectilinear) cst_path_rectify_vjp(&observed, 0, w->gvalues, gx);
}

static cst_status cde_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                          const cst_grads *g)
{
    if (!g->gx && !g->gtheta) return CST_OK;
    const cde *d = cde_of(m);
    const view k = {lay_out_cache(m, c->n, c->threads), p->cache};
    const real *x0 = k.cache + k.at.x0, *z0 = k.cache + k.at.z0;
    const scratch w = cut_work(m, c->n, c->work);
    const cst_call initial = cst_call_child(m, c, INITIAL, w.children);
    const cst_knots s = shape_of_series(d, c->n);
    ode_call o;
    find_path(d, c, p->x, &k, &o);
    set_call(m, c, &k, w.children, &o);
    cst_grads ode = {.scale = g->scale, .gx = w.gz0}, first = {.scale = g->scale};
    if (g->gtheta) {
        ode.gtheta = g->gtheta + m->children[ODE].offset;
        first.gtheta = g->gtheta + m->children[INITIAL].offset;
    }
    if (g->gx) {
        memset(w.gknots, 0, c->n * cst_path_knot_reals(d->kind, &s) * sizeof *w.gknots);
        ode.gcontext = w.gknots;
        ode.context_scale = 1; /* gx is not scaled */
        first.gx = w.gx0;
    }
    CST_TRY(cst_module_vjp(child(m, ODE), &o.call, &(cst_point){z0, p->y, k.cache + k.at.ode}, gy, &ode));
    CST_TRY(cst_module_vjp(child(m, INITIAL), &initial, &(cst_point){x0, z0, k.cache + k.at.initial}, w.gz0, &first));
    if (g->gx) values_vjp(m, c, p->x, &k, &w, g->gx);
    return CST_OK;
}

/* ---- construction ------------------------------------------------------------------------------------------------ */

static const cst_module_ops cde_ops = {.name = "cde", .plan = cde_plan, .forward = cde_forward, .vjp = cde_vjp};

static cst_status check_shapes(const cst_shape *x, const cst_module *initial, const cst_cde_options *o,
                               cst_error *error)
{
    char got[CST_SHAPE_TEXT];
    CST_TRY(cst_module_expect_rank(x, 2, "(T, C)", error));
    if (x->dim[0] < 2 || x->dim[1] < 1)
        return cst_fail(error, CST_ESHAPE, "expected rows (T, C) of at least 2 times and a channel, got %s",
                        cst_shape_text(x, got));
    if (o->ode.forward.n_jump_t > 0 || o->ode.backward.n_jump_t > 0)
        return cst_fail(error, CST_EARG, "expected a solver without jump_t: the path says where it jumps");
    if (o->rectilinear && o->path != CST_PATH_LINEAR)
        return cst_fail(error, CST_EARG, "expected a linear path to be rectilinear, got a cubic one");
    if (initial->x.rank != 1 || initial->x.dim[0] != x->dim[1] || initial->y.rank != 1)
        return cst_fail(error, CST_ESHAPE, "expected an initial module from (%zu) to a vector, got one to %s",
                        x->dim[1], cst_shape_text(&initial->y, got));
    return CST_OK;
}

/* The ODE block over T times, 0 .. T - 1, or from end to end: what a call puts in their place are as many. */
static cst_status make_ode(const cde *d, cst_module *network, const cst_ode_options *options, cst_module **m,
                           cst_error *error)
{
    cst_module *field = NULL;
    *m = NULL;
    CST_TRY(cst_cde_field_new(network, d->channels, &field, error));
    cst_ode_options o = *options;
    const cst_knots s = shape_of_series(d, 1);
    o.n_times = d->output_all ? d->length : 2;
    o.output_all = d->output_all;
    o.learn_t = false;
    o.context_row = cst_path_knot_reals(d->kind, &s);
    double *times = malloc(o.n_times * sizeof *times);
    if (!times) {
        cst_module_free(field);
        return cst_fail(error, CST_ENOMEM, "out of memory for %zu times", o.n_times);
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
                          "expected a network for rows (%zu) as initial gives, got one for rows of "
                          "%zu numbers",
                          initial->y.dim[0], cst_shape_size(&network->x));
    if (status == CST_OK) status = cst_module_new(sizeof(cde), &cde_ops, x, &made, error);
    if (status != CST_OK) {
        cst_module_free(initial);
        cst_module_free(network);
        return status;
    }
    cde *d = (cde *)(void *)made;
    d->length = x->dim[0];
    d->channels = x->dim[1];
    d->hidden = initial->y.dim[0];
    d->kind = options->path;
    d->rectilinear = options->rectilinear;
    d->channel_times = options->channel_times;
    d->output_all = options->output_all;
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
    made->y = ode->y;
    made->rows_independent = false;
    *m = made;
    return CST_OK;
}
