#include "core/arena.h"
#include "models/cnf.h"
#include "models/flow_internal.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_LAYERS = CST_FLOW_MAX_LAYERS };

static const cst_flow *flow_of(const cst_module *m)
{
    return (const cst_flow *)(const void *)m;
}

const cst_flow_step *cst_flow_step_at(const cst_module *m, size_t i)
{
    return &flow_of(m)->steps[i];
}

const cst_module *cst_flow_layer(const cst_module *m, size_t i)
{
    return m->children[i].module;
}

/* Entries of a row before layer i; for i = n_children, after the last layer. What is factored out does not count. */
static size_t width_before(const cst_module *m, size_t i)
{
    if (i == 0) return cst_shape_size(&m->x);
    const cst_flow_step *s = cst_flow_step_at(m, i - 1);
    return cst_shape_size(&s->z) - s->out;
}

/* ---- where things are ------------------------------------------------------------------------------------------- */

/* Offsets of what a layer leaves in the cache: its own cache, its y, and z, the part of y that passes to the next
 * layer. */
typedef struct cache_layout {
    size_t layer, y, z;
} cache_layout;

/* Whether z is only a part of y's rows, and has to be copied out of them. */
static bool has_own_z(const cst_flow_step *s)
{
    return !s->bijection || s->out > 0;
}

/* The cache of all layers; returns its size. */
static size_t lay_out_cache(const cst_module *m, size_t n, int threads, cache_layout k[MAX_LAYERS])
{
    size_t size = 0;
    for (size_t i = 0; i < m->n_children; i++) {
        const cst_module *layer = cst_flow_layer(m, i);
        cst_plan plan;
        cst_module_plan(layer, n, 0, threads, &plan);
        k[i].layer = cst_place(&size, plan.cache);
        k[i].y = k[i].z = cst_place(&size, cst_size_mul(n, cst_shape_size(&layer->y)));
        if (has_own_z(cst_flow_step_at(m, i))) k[i].z = cst_place(&size, cst_size_mul(n, width_before(m, i + 1)));
    }
    return size;
}

/* Arrays in work. */
typedef struct work_layout {
    double *sum; /* (N): log-densities */
    real *row;   /* (N): penalties, or cotangents of the log-density */
    real *rows;  /* (N, widest): a layer's y, or its cotangent */
    real *z[2];  /* (N, widest): what passes between layers, in turn */
    real *layer; /* the layer's own work */
    real *cache; /* the layer's cache, in the inverse pass alone */
    size_t size;
} work_layout;

/* Every array fits the largest layer. */
static work_layout cut_work(const cst_module *m, size_t n, int threads, real *work, bool inverse)
{
    size_t widest = cst_shape_size(&m->x);
    cst_plan most = {0};
    for (size_t i = 0; i < m->n_children; i++) {
        const size_t width = cst_shape_size(&cst_flow_layer(m, i)->y);
        cst_plan plan;
        cst_module_plan(cst_flow_layer(m, i), n, 0, threads, &plan);
        if (width > widest) widest = width;
        if (plan.work > most.work) most.work = plan.work;
        if (inverse && plan.cache > most.cache) most.cache = plan.cache;
    }
    work_layout s = {0};
    s.sum = cst_cut_doubles(work, &s.size, n);
    s.row = cst_cut(work, &s.size, n);
    s.rows = cst_cut(work, &s.size, cst_size_mul(n, widest));
    for (size_t i = 0; i < 2; i++) s.z[i] = cst_cut(work, &s.size, cst_size_mul(n, widest));
    s.layer = cst_cut(work, &s.size, most.work);
    s.cache = cst_cut(work, &s.size, most.cache);
    return s;
}

static void flow_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    cache_layout unused[MAX_LAYERS];
    (void)k;
    plan->cache = lay_out_cache(m, n, threads, unused);
    plan->work = cut_work(m, n, threads, NULL, false).size;
}

/* to (n, width): columns first .. first + width - 1 of rows (n, from). */
static void take_columns(size_t n, size_t from, size_t first, size_t width, const real *rows, real *to)
{
    for (size_t i = 0; i < n; i++) memcpy(to + i * width, rows + i * from + first, width * sizeof *to);
}

/* The reverse: columns first .. first + width - 1 of rows (n, to_width) become `from` (n, width). */
static void put_columns(size_t n, size_t to_width, size_t first, size_t width, const real *from, real *rows)
{
    for (size_t i = 0; i < n; i++) memcpy(rows + i * to_width + first, from + i * width, width * sizeof *rows);
}

/* ---- x to z ------------------------------------------------------------------------------------------------------ */

/* sum (N) += log |det| of layer i's Jacobian; in training, penalty (N) += its regularizers times their weights. A cnf's
 * rows have the change of the log-density, which is minus the log-determinant. */
static void add_layer(const cst_module *m, size_t i, const cst_call *c, const real *x, const real *y, double *sum,
                      real *penalty)
{
    const cst_module *layer = cst_flow_layer(m, i);
    const cst_bijection *bijection = cst_flow_step_at(m, i)->bijection;
    if (bijection) {
        if (bijection->logdet) bijection->logdet(layer, c->n, x, sum);
        return;
    }
    /* A cnf's row: [z (d) | change of the log-density | regularizers] */
    const size_t d = cst_shape_size(&layer->x), width = cst_shape_size(&layer->y);
    double weights[CST_N_CNF_INTEGRALS];
    const size_t n_integrals = cst_cnf_penalties(layer, weights);
    for (size_t row = 0; row < c->n; row++) {
        const real *q = y + row * width + d;
        sum[row] -= (double)q[0];
        for (size_t j = 1; c->train && j < n_integrals; j++) penalty[row] += (real)weights[j] * q[j];
    }
}

/* |z|^2 of n numbers, summed in double precision. */
static double square_sum(const real *z, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)z[i] * (double)z[i];
    return sum;
}

/* sum (N) = -d log(2 pi) / 2, the log-density of N(0, I) in d dimensions at z = 0. */
static void begin_base(size_t n, size_t d, double *sum)
{
    static const double half_log_two_pi = 0.91893853320467274178; /* log(2 pi) / 2 */
    for (size_t i = 0; i < n; i++) sum[i] = -half_log_two_pi * (double)d;
}

/* sum (N) -= |z|^2 / 2, the rest of the base's log-density. z is the columns first .. first + width - 1 of rows (N,
 * all). */
static void add_base(size_t n, size_t all, size_t first, size_t width, const real *rows, double *sum)
{
    for (size_t i = 0; width > 0 && i < n; i++) sum[i] -= square_sum(rows + i * all + first, width) / 2;
}

/* log p(x) = log N(z; 0, I) + sum over layers of log |det|, where z collects what is factored out and what is left. */
static cst_status flow_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const work_layout s = cut_work(m, c->n, c->threads, c->work, false);
    cache_layout k[MAX_LAYERS];
    lay_out_cache(m, c->n, c->threads, k);
    /* s.sum collects log p(x), s.row the penalty. */
    memset(s.row, 0, c->n * sizeof *s.row);
    begin_base(c->n, cst_shape_size(&m->x), s.sum);
    for (size_t i = 0; i < m->n_children; i++) {
        const cst_module *layer = cst_flow_layer(m, i);
        const cst_call call = cst_call_child(m, c, i, s.layer);
        const size_t width = cst_shape_size(&layer->y), passed = width_before(m, i + 1);
        real *rows = cache + k[i].y, *z = cache + k[i].z;
        CST_TRY(cst_module_forward(layer, &call, x, rows, cache + k[i].layer));
        /* The layer's log-determinant, and the base's density of the columns after the first `passed`, which are
         * factored out. */
        add_layer(m, i, c, x, rows, s.sum, s.row);
        add_base(c->n, width, passed, cst_flow_step_at(m, i)->out, rows, s.sum);
        /* The first `passed` columns are the next layer's x. */
        if (has_own_z(cst_flow_step_at(m, i))) take_columns(c->n, width, 0, passed, rows, z);
        x = z;
    }
    /* What is left after the last layer belongs to z, too. */
    const size_t left = width_before(m, m->n_children), outputs = m->y.dim[0];
    add_base(c->n, left, 0, left, x, s.sum);
    /* y = log p(x), and the penalty if there is one. */
    for (size_t i = 0; i < c->n; i++) {
        y[i * outputs] = (real)s.sum[i];
        if (flow_of(m)->penalized) y[i * outputs + 1] = s.row[i];
    }
    return CST_OK;
}

void cst_flow_latent(const cst_module *m, size_t n, int threads, const real *x, const real *cache, real *z)
{
    cache_layout k[MAX_LAYERS];
    const size_t all = cst_shape_size(&m->x), last = m->n_children;
    size_t at = 0;
    lay_out_cache(m, n, threads, k);
    /* z = [factored out after each layer | left after the last]; `at` is the column where the next part begins. */
    for (size_t i = 0; i <= last; i++) {
        const bool layer = i < last;
        const size_t width = layer ? cst_flow_step_at(m, i)->out : width_before(m, last),
                     passed = layer ? width_before(m, i + 1) : 0;
        const real *rows = layer ? cache + k[i].y : last > 0 ? cache + k[last - 1].z : x;
        const size_t row = layer ? cst_shape_size(&cst_flow_layer(m, i)->y) : width;
        for (size_t j = 0; width > 0 && j < n; j++)
            memcpy(z + j * all + at, rows + j * row + passed, width * sizeof *z);
        at += width;
    }
}

/* ---- the reverse pass -------------------------------------------------------------------------------------------- */

/* forward: log p(x) contains -|z|^2 / 2 of what is factored out after layer i, and minus a cnf's change of the
 * log-density; the penalty contains a cnf's other integrals times their weights. With w->row (N) = glogp the cotangent
 * of log p(x), and gz (N, passed) that of the next layer's x, the cotangent of layer i's y, in w->rows, is
 *
 *   gz                               for the columns that pass to the next layer
 *   -glogp z                         for the columns that are factored out
 *   -glogp and weight * gpenalty     for a cnf's integrals. */
static void layer_cotangent(const cst_module *m, size_t i, const cst_call *c, const real *gy, const real *y,
                            const real *gz, const work_layout *w)
{
    const cst_module *layer = cst_flow_layer(m, i);
    const cst_flow_step *s = cst_flow_step_at(m, i);
    const size_t passed = width_before(m, i + 1), d = cst_shape_size(&s->z), width = cst_shape_size(&layer->y);
    const size_t outputs = m->y.dim[0];
    double weights[CST_N_CNF_INTEGRALS];
    const size_t n_integrals = s->bijection ? 0 : cst_cnf_penalties(layer, weights);
    const real *glogp = w->row;
    real *to = w->rows;
    put_columns(c->n, width, 0, passed, gz, to);
    for (size_t row = 0; row < c->n; row++, y += width, to += width) {
        for (size_t j = passed; j < d; j++) to[j] = -glogp[row] * y[j];
        if (n_integrals > 0) to[d] = -glogp[row];
        for (size_t j = 1; j < n_integrals; j++) to[d + j] = c->train ? (real)weights[j] * gy[row * outputs + 1] : 0;
    }
}

/* The first layer that the reverse pass has to visit: no layer before it has a gradient that is wanted. */
static size_t first_needed(const cst_module *m, const cst_grads *g)
{
    size_t i = 0;
    while (!g->gx && i < m->n_children && (!g->gtheta || cst_flow_layer(m, i)->n_params == 0)) i++;
    return i;
}

/* forward: log p(x) = log N(z; 0, I) + sum of log-determinants. So with w the cotangent of log p(x), z gets -w z, and
 * each log-determinant gets w. */
static cst_status flow_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                           const cst_grads *g)
{
    const work_layout s = cut_work(m, c->n, c->threads, c->work, false);
    const size_t last = m->n_children, stop = first_needed(m, g), left = width_before(m, last), outputs = m->y.dim[0];
    cache_layout k[MAX_LAYERS];
    lay_out_cache(m, c->n, c->threads, k);
    const real *z = last > 0 ? p->cache + k[last - 1].z : p->x;
    real *gz = last > 0 ? s.z[last % 2] : g->gx;
    /* s.row = w, gz = -w z for what is left after the last layer. */
    take_columns(c->n, outputs, 0, 1, gy, s.row);
    for (size_t i = 0; gz && i < c->n * left; i++) gz[i] = -s.row[i / left] * z[i];
    /* From the last layer to the first that is needed; gz is the cotangent of what passes between layers. */
    for (size_t i = last; i-- > stop;) {
        const cst_module *layer = cst_flow_layer(m, i);
        const cst_bijection *bijection = cst_flow_step_at(m, i)->bijection;
        const cst_call call = cst_call_child(m, c, i, s.layer);
        const cst_point point = {i > 0 ? p->cache + k[i - 1].z : p->x, p->cache + k[i].y, p->cache + k[i].layer};
        cst_grads grads = {.scale = g->scale, .gx = i == 0 ? g->gx : i > stop ? s.z[i % 2] : NULL};
        if (g->gtheta && layer->n_params > 0) grads.gtheta = g->gtheta + m->children[i].offset;
        /* From the cotangent of the layer's y to that of its x. A bijection's log-determinant adds its own part. */
        layer_cotangent(m, i, c, gy, point.y, gz, &s);
        CST_TRY(cst_module_vjp(layer, &call, &point, s.rows, &grads));
        gz = grads.gx;
        if (gz && bijection && bijection->logdet_vjp) bijection->logdet_vjp(layer, c->n, point.x, s.row, gz);
    }
    return CST_OK;
}

/* ---- z to x ------------------------------------------------------------------------------------------------------ */

size_t cst_flow_inverse_work(const cst_module *m, size_t n, int threads)
{
    return cut_work(m, n, threads, NULL, true).size;
}

/* x of layer i from its z; s->sum (N) += the layer's log-determinant at x. */
static cst_status invert_layer(const cst_module *m, size_t i, const cst_call *c, const work_layout *s, const real *z,
                               real *x)
{
    const cst_module *layer = cst_flow_layer(m, i);
    const cst_bijection *bijection = cst_flow_step_at(m, i)->bijection;
    const cst_call call = cst_call_child(m, c, i, s->layer);
    const size_t d = cst_shape_size(&layer->x), width = cst_shape_size(&layer->y);
    /* A bijection has its inverse in closed form. */
    if (bijection) {
        bijection->inverse(layer, c->n, z, x);
        if (bijection->logdet) bijection->logdet(layer, c->n, x, s->sum);
        return CST_OK;
    }
    /* A cnf integrates from t_1 back to t_0; its rows are [x | log p(x) - log p(z) | ...]. */
    CST_TRY(cst_cnf_inverse(layer, &call, z, s->rows, s->cache));
    take_columns(c->n, width, 0, d, s->rows, x);
    for (size_t row = 0; row < c->n; row++) s->sum[row] += (double)s->rows[row * width + d];
    return CST_OK;
}

static void swap(real **a, real **b)
{
    real *first = *a;
    *a = *b;
    *b = first;
}

cst_status cst_flow_inverse(const cst_module *m, const cst_call *c, const real *z, real *x, real *logp)
{
    const work_layout s = cut_work(m, c->n, c->threads, c->work, true);
    const size_t all = cst_shape_size(&m->x), last = m->n_children, left = width_before(m, last);
    /* Without log p(x), the cnfs need no divergence. */
    const cst_cnf_noise none = {.no_derivatives = true};
    cst_call call = *c;
    if (!logp) call.context = &none;
    /* log p(x) begins with the base's log-density of all of z. */
    begin_base(c->n, all, s.sum);
    add_base(c->n, all, 0, all, z, s.sum);
    /* `here` is the state on its way to x; at first it is the part of z that was left, the last one. */
    size_t at = all - left;
    real *here = s.z[0], *next = s.z[1];
    take_columns(c->n, all, at, left, z, here);
    for (size_t i = last; i-- > 0;) {
        const size_t passed = width_before(m, i + 1), out = cst_flow_step_at(m, i)->out;
        /* Put back what was factored out after this layer: rows [here | part of z]. */
        if (out > 0) {
            at -= out;
            put_columns(c->n, passed + out, 0, passed, here, next);
            for (size_t row = 0; row < c->n; row++)
                memcpy(next + row * (passed + out) + passed, z + row * all + at, out * sizeof *next);
            swap(&here, &next);
        }
        CST_TRY(invert_layer(m, i, &call, &s, here, next));
        swap(&here, &next);
    }
    memcpy(x, here, c->n * all * sizeof *x);
    for (size_t i = 0; logp && i < c->n; i++) logp[i] = (real)s.sum[i];
    return CST_OK;
}

/* ---- the type's table -------------------------------------------------------------------------------------------- */

static void flow_destroy(cst_module *m)
{
    free(((cst_flow *)(void *)m)->steps);
}

const cst_module_ops cst_flow_ops = {
    .name = "flow", .plan = flow_plan, .forward = flow_forward, .vjp = flow_vjp, .destroy = flow_destroy};
