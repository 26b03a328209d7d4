#include "models/cde_path.h"

#include "core/arena.h"
#include "ode/solve.h"

#include <math.h>

/* ---- where things are -------------------------------------------------------------------------------------------- */

/* Whether series may have times of their own. With times 0, 1, ... a linear path needs none: the values after a series'
 * end are filled with the last one, and X is constant there. A cubic through such values would swing, so it ends with
 * the series. */
static bool may_differ(const cst_cde_series *s)
{
    return s->channel_times || s->kind != CST_PATH_LINEAR;
}

cst_knots cst_cde_knots(const cst_cde_series *s, size_t n)
{
    return (cst_knots){.n = n, .length = s->rectilinear ? 2 * s->length - 1 : s->length, .channels = s->channels};
}

/* Offsets in the cache. */
typedef struct cache_layout {
    size_t index;   /* (T) doubles: 0, 1, ... */
    size_t t;       /* (N, T) doubles: times of each series, if they may differ */
    size_t n_jumps; /* one double: the number of jumps */
    size_t jumps;   /* (N T) doubles: their times, if series may differ */
    size_t knot_t;  /* (2 T - 1) doubles: the rectilinear knots' times */
    size_t knots;   /* (N, 2 T - 1, C): the rectilinear knots */
    size_t path;    /* the path's memory */
    size_t size;
} cache_layout;

static cache_layout lay_out_cache(const cst_cde_series *s, size_t n)
{
    const cst_knots knots = cst_cde_knots(s, n);
    const size_t all = cst_size_mul(n, s->length);
    cache_layout k = {0};
    k.index = cst_place_doubles(&k.size, s->length);
    k.t = cst_place_doubles(&k.size, may_differ(s) ? all : 0);
    k.n_jumps = cst_place_doubles(&k.size, 1);
    k.jumps = cst_place_doubles(&k.size, may_differ(s) ? all : 0);
    k.knot_t = cst_place_doubles(&k.size, s->rectilinear ? knots.length : 0);
    k.knots = cst_place(&k.size, s->rectilinear ? cst_size_mul(n, cst_size_mul(knots.length, knots.channels)) : 0);
    k.path = cst_place(&k.size, cst_path_memory(s->kind, &knots));
    return k;
}

size_t cst_cde_path_size(const cst_cde_series *s, size_t n)
{
    return lay_out_cache(s, n).size;
}

/* ---- times ------------------------------------------------------------------------------------------------------- */

/* Steps of a row up to the last that has a value in any channel. */
static size_t count_steps(const cst_cde_series *s, const real *x)
{
    size_t n = s->length * s->channels;
    while (n > 0 && isnan(x[n - 1])) n--;
    return (n + s->channels - 1) / s->channels;
}

/* indices (T) and, if series may differ, t (N, T): NaN after the end of a series. */
static void read_times(const cst_cde_series *s, size_t n, const real *x, double *indices, double *t)
{
    for (size_t i = 0; i < s->length; i++) indices[i] = (double)i;
    for (size_t row = 0; may_differ(s) && row < n; row++) {
        const real *of_row = x + row * s->length * s->channels;
        const size_t steps = count_steps(s, of_row);
        for (size_t i = 0; i < s->length; i++) {
            /* A series without any value keeps all its times: X = 0. */
            const double index = i < steps || steps == 0 ? (double)i : (double)NAN;
            t[row * s->length + i] = s->channel_times ? (double)of_row[i * s->channels] : index;
        }
    }
}

/* Whether the times t (N, T) of the series differ, or any series ends early. */
static bool times_differ(size_t n, size_t length, const double *t)
{
    for (size_t i = 0; i < n * length; i++)
        if (t[i] != t[i % length]) return true; /* true for a NaN as well */
    return false;
}

/* ---- knots ------------------------------------------------------------------------------------------------------- */

/* The series as observed; the forward pass has put its times into the cache. */
static cst_knots observed_knots(const cst_cde_series *s, size_t n, const real *x, const cache_layout *k,
                                const real *cache)
{
    const double *t = cst_const_doubles(cache, k->t);
    const bool own = may_differ(s) && times_differ(n, s->length, t);
    return (cst_knots){.n = n,
                       .length = s->length,
                       .channels = s->channels,
                       .own_times = own,
                       .t = own || s->channel_times ? t : cst_const_doubles(cache, k->index),
                       .x = x};
}

/* The knots through which the path goes: the observed ones, or the rectilinear ones made of them. */
static cst_knots path_knots(const cst_cde_series *s, const cst_knots *observed, const cache_layout *k,
                            const real *cache)
{
    if (!s->rectilinear) return *observed;
    cst_knots knots = cst_cde_knots(s, observed->n);
    knots.t = cst_const_doubles(cache, k->knot_t);
    knots.x = cache + k->knots;
    return knots;
}

/* ---- jumps ------------------------------------------------------------------------------------------------------- */

/* Keep those of the times t (n) that lie strictly inside the path, sort them in place and remove duplicates. Returns
 * how many remain. */
static size_t sort_inside(const cst_path *path, double *t, size_t n)
{
    size_t inside = 0;
    for (size_t i = 0; i < n; i++)
        if (t[i] > path->begin && t[i] < path->end) t[inside++] = t[i];
    return cst_sort_times(t, inside);
}

/* If series have their own times, collect where X' jumps: for linear paths at all knots, for cubics where a series
 * begins or ends while others run. */
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

cst_span cst_cde_path_span(const cst_cde_series *s, const cst_path *path, const real *cache, double ends[2])
{
    const cache_layout k = lay_out_cache(s, path->series.n);
    const cst_knots *knots = &path->series;
    cst_span span = {0};
    /* Jumps. jump_t is never NULL, even if there are none: NULL would stand for the solver's own jumps. */
    if (knots->own_times) {
        span.jump_t = cst_const_doubles(cache, k.jumps);
        span.n_jump_t = (size_t)*cst_const_doubles(cache, k.n_jumps);
    } else {
        span.jump_t = knots->t + 1;
        span.n_jump_t = path->kind == CST_PATH_LINEAR ? knots->length - 2 : 0;
    }
    /* Times: every observation, or the two ends of the path. */
    ends[0] = path->begin;
    ends[1] = path->end;
    span.times = !s->output_all ? ends : cst_const_doubles(cache, s->channel_times ? k.t : k.index);
    span.n_times = s->output_all ? s->length : 2;
    return span;
}

/* ---- the path ---------------------------------------------------------------------------------------------------- */

/* With times 0, 1, ... the path runs to T - 1 even if all series have ended before. */
static void set_end(const cst_cde_series *s, cst_path *path)
{
    if (path->series.own_times && !s->channel_times) path->end = (double)(s->length - 1);
}

cst_status cst_cde_path_make(const cst_cde_series *s, const cst_call *c, const real *x, real *cache, cst_path *path)
{
    const cache_layout k = lay_out_cache(s, c->n);
    /* Times first: whether the series share them decides about the rest. */
    read_times(s, c->n, x, cst_doubles(cache, k.index), cst_doubles(cache, k.t));
    const cst_knots observed = observed_knots(s, c->n, x, &k, cache);
    if (observed.own_times && s->channel_times && (s->output_all || s->rectilinear))
        return cst_fail(c->error, CST_EARG, "expected series that share their times for %s, got times of their own",
                        s->output_all ? "an output at all of them" : "a rectilinear path");
    /* Then the knots, the path through them, and its jumps. */
    if (s->rectilinear) cst_path_rectify(&observed, 0, cst_doubles(cache, k.knot_t), cache + k.knots);
    const cst_knots knots = path_knots(s, &observed, &k, cache);
    CST_TRY(cst_path_make(s->kind, &knots, cache + k.path, path, c->error));
    set_end(s, path);
    find_jumps(path, cst_doubles(cache, k.jumps), cst_doubles(cache, k.n_jumps));
    return CST_OK;
}

cst_path cst_cde_path_at(const cst_cde_series *s, size_t n, const real *x, const real *cache)
{
    const cache_layout k = lay_out_cache(s, n);
    const cst_knots observed = observed_knots(s, n, x, &k, cache), knots = path_knots(s, &observed, &k, cache);
    cst_path path = cst_path_at(s->kind, &knots, cache + k.path);
    set_end(s, &path);
    return path;
}

/* ---- its VJP ----------------------------------------------------------------------------------------------------- */

/* work = [cotangent of the rectilinear knots (N, 2 T - 1, C) | the path's memory] */
typedef struct work_layout {
    real *gvalues, *path;
    size_t size;
} work_layout;

static work_layout cut_work(const cst_cde_series *s, size_t n, real *work)
{
    const cst_knots knots = cst_cde_knots(s, n);
    const size_t values = cst_size_mul(n, cst_size_mul(knots.length, knots.channels));
    work_layout w = {0};
    w.gvalues = cst_cut(work, &w.size, s->rectilinear ? values : 0);
    w.path = cst_cut(work, &w.size, cst_path_memory(s->kind, &knots));
    return w;
}

size_t cst_cde_path_vjp_work(const cst_cde_series *s, size_t n)
{
    return cut_work(s, n, NULL).size;
}

/* forward: observed values -> rectilinear knots, if asked for -> values without gaps and slopes. */
void cst_cde_path_vjp(const cst_cde_series *s, size_t n, const real *x, const real *cache, const real *gknots,
                      real *work, real *gx)
{
    const cache_layout k = lay_out_cache(s, n);
    const work_layout w = cut_work(s, n, work);
    const cst_knots observed = observed_knots(s, n, x, &k, cache), knots = path_knots(s, &observed, &k, cache);
    cst_path_values_vjp(s->kind, &knots, w.path, gknots, s->rectilinear ? w.gvalues : gx);
    if (s->rectilinear) cst_path_rectify_vjp(&observed, 0, w.gvalues, gx);
}
