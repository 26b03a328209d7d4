#include "models/flow.h"

#include "core/arena.h"
#include "layers/dequantize.h"
#include "layers/logit.h"
#include "layers/squeeze.h"
#include "models/cnf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cst_bijection *const bijections[] = {&cst_squeeze_bijection, &cst_logit_bijection,
                                                  &cst_dequantize_bijection, NULL};

enum { MAX_LAYERS = 128 };

/* What the flow knows of a layer. */
typedef struct step {
    const cst_bijection *bijection; /* NULL: a cnf, whose rows are [z | log-density | regularizers] */
    cst_shape z;                    /* behind it */
    size_t out;                     /* so many entries of that then go out, the last ones */
} step;

typedef struct flow {
    cst_module base;
    step *steps; /* one a child */
    bool penalized;
} flow;

static const flow *flow_of(const cst_module *m)
{
    return (const flow *)(const void *)m;
}

static const cst_module *layer_of(const cst_module *m, size_t i)
{
    return m->children[i].module;
}

/* Entries of a row before layer i, and behind the last one for i = n_children. */
static size_t width_before(const cst_module *m, size_t i)
{
    if (i == 0) return cst_shape_size(&m->x);
    const step *s = &flow_of(m)->steps[i - 1];
    return cst_shape_size(&s->z) - s->out;
}

/* ---- where things are ------------------------------------------------------------------------------------------- */

/* Offsets of what a layer leaves in the cache: its own, its y, and what goes on of that, which may be all of it. */
typedef struct cache_layout {
    size_t layer, y, z;
} cache_layout;

/* z is a part of y's rows. */
static bool has_own_z(const step *s)
{
    return !s->bijection || s->out > 0;
}

/* Of all layers; returns the size. */
static size_t lay_out_cache(const cst_module *m, size_t n, int threads, cache_layout k[MAX_LAYERS])
{
    size_t size = 0;
    for (size_t i = 0; i < m->n_children; i++) {
        const cst_module *layer = layer_of(m, i);
        cst_plan plan;
        cst_module_plan(layer, n, 0, threads, &plan);
        k[i].layer = cst_place(&size, plan.cache);
        k[i].y = k[i].z = cst_place(&size, cst_size_mul(n, cst_shape_size(&layer->y)));
        if (has_own_z(&flow_of(m)->steps[i])) k[i].z = cst_place(&size, cst_size_mul(n, width_before(m, i + 1)));
    }
    return size;
}

/* Sums (N); a number a row (N); arrays of as many rows as wide as any; the layer's work, and its cache on the way back. */
typedef struct scratch {
    double *sum;
    real *row, *rows, *z[2], *layer, *cache;
    size_t size;
} scratch;

static scratch cut_work(const cst_module *m, size_t n, int threads, real *work, bool inverse)
{
    size_t widest = cst_shape_size(&m->x);
    cst_plan most = {0};
    for (size_t i = 0; i < m->n_children; i++) {
        const size_t width = cst_shape_size(&layer_of(m, i)->y);
        cst_plan plan;
        cst_module_plan(layer_of(m, i), n, 0, threads, &plan);
        if (width > widest) widest = width;
        if (plan.work > most.work) most.work = plan.work;
        if (inverse && plan.cache > most.cache) most.cache = plan.cache;
    }
    scratch s = {0};
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

/* Columns first .. first + width - 1 of rows with `from` of them. */
static void take(size_t n, size_t from, size_t first, size_t width, const real *rows, real *to)
{
    for (size_t i = 0; i < n; i++) memcpy(to + i * width, rows + i * from + first, width * sizeof *to);
}

static void put(size_t n, size_t to_width, size_t first, size_t width, const real *from, real *rows)
{
    for (size_t i = 0; i < n; i++) memcpy(rows + i * to_width + first, from + i * width, width * sizeof *rows);
}

/* ---- x to z ------------------------------------------------------------------------------------------------------ */

/* sum (N) += the layer's log-determinant, penalty (N) += its regularizers, weighted, in training. A cnf's rows have the change of
 * the log-density, which is minus its log-determinant. */
static void add_layer(const cst_module *m, size_t i, const cst_call *c, const real *x, const real *y, double *sum,
                      real *penalty)
{
    const cst_module *layer = layer_of(m, i);
    const cst_bijection *bijection = flow_of(m)->steps[i].bijection;
    if (bijection) {
        if (bijection->logdet) bijection->logdet(layer, c->n, x, sum);
        return;
    }
    const size_t d = cst_shape_size(&layer->x), width = cst_shape_size(&layer->y);
    double weights[CST_N_CNF_INTEGRALS];
    const size_t n_integrals = cst_cnf_penalties(layer, weights);
    for (size_t row = 0; row < c->n; row++) {
        const real *q = y + row * width + d;
        sum[row] -= (double)q[0];
        for (size_t j = 1; c->train && j < n_integrals; j++) penalty[row] += (real)weights[j] * q[j];
    }
}

static double square_sum(const real *z, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)z[i] * (double)z[i];
    return sum;
}

/* sum (N) = the log-density of N(0, I) in d dimensions where z = 0 */
static void begin_base(size_t n, size_t d, double *sum)
{
    static const double half_log_two_pi = 0.91893853320467274178;
    for (size_t i = 0; i < n; i++) sum[i] = -half_log_two_pi * (double)d;
}

/* sum (N) -= |z|^2 / 2 over columns first .. first + width - 1 of rows with `all` of them: the base's log-density */
static void add_base(size_t n, size_t all, size_t first, size_t width, const real *rows, double *sum)
{
    for (size_t i = 0; width > 0 && i < n; i++) sum[i] -= square_sum(rows + i * all + first, width) / 2;
}

static cst_status flow_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const flow *f = flow_of(m);
    const scratch s = cut_work(m, c->n, c->threads, c->work, false);
    cache_layout k[MAX_LAYERS];
    lay_out_cache(m, c->n, c->threads, k);
    memset(s.row, 0, c->n * sizeof *s.row);
    begin_base(c->n, cst_shape_size(&m->x), s.sum);
    for (size_t i = 0; i < m->n_children; i++) {
        const cst_module *layer = layer_of(m, i);
        const cst_call call = cst_call_child(m, c, i, s.layer);
        const size_t width = cst_shape_size(&layer->y), on = width_before(m, i + 1);
        real *rows = cache + k[i].y, *z = cache + k[i].z;
        CST_TRY(cst_module_forward(layer, &call, x, rows, cache + k[i].layer));
        add_layer(m, i, c, x, rows, s.sum, s.row);
        add_base(c->n, width, on, f->steps[i].out, rows, s.sum);
        if (has_own_z(&f->steps[i])) take(c->n, width, 0, on, rows, z);
        x = z;
    }
    const size_t left = width_before(m, m->n_children), outputs = m->y.dim[0];
    add_base(c->n, left, 0, left, x, s.sum);
    for (size_t i = 0; i < c->n; i++) {
        y[i * outputs] = (real)s.sum[i];
        if (f->penalized) y[i * outputs + 1] = s.row[i];
    }
    return CST_OK;
}

void cst_flow_latent(const cst_module *m, size_t n, int threads, const real *x, const real *cache, real *z)
{
    cache_layout k[MAX_LAYERS];
    const size_t all = cst_shape_size(&m->x), last = m->n_children;
    size_t at = 0;
    lay_out_cache(m, n, threads, k);
    for (size_t i = 0; i <= last; i++) {
        const bool layer = i < last;
        const size_t width = layer ? flow_of(m)->steps[i].out : width_before(m, last),
                     on = layer ? width_before(m, i + 1) : 0;
        const real *rows = layer ? cache + k[i].y : last > 0 ? cache + k[last - 1].z : x;
        const size_t row = layer ? cst_shape_size(&layer_of(m, i)->y) : width;
        for (size_t j = 0; width > 0 && j < n; j++) memcpy(z + j * all + at, rows + j * row + on, width * sizeof *z);
        at += width;
    }
}

/* ---- the reverse pass -------------------------------------------------------------------------------------------- */

/* The cotangent of layer i's y, with likely (N) = dL/dlog p: of what goes on gz, of z that goes out -likely z, and of a cnf's
 * integrals -likely and the weighted penalties. */
static void layer_cotangent(const cst_module *m, size_t i, const cst_call *c, const real *gy, const real *likely,
                            const real *y, const real *gz, real *to)
{
    const cst_module *layer = layer_of(m, i);
    const step *s = &flow_of(m)->steps[i];
    const size_t on = width_before(m, i + 1), d = cst_shape_size(&s->z), width = cst_shape_size(&layer->y);
    const size_t outputs = m->y.dim[0];
    double weights[CST_N_CNF_INTEGRALS];
    const size_t n_integrals = s->bijection ? 0 : cst_cnf_penalties(layer, weights);
    put(c->n, width, 0, on, gz, to);
    for (size_t row = 0; row < c->n; row++, y += width, to += width) {
        for (size_t j = on; j < d; j++) to[j] = -likely[row] * y[j];
        if (n_integrals > 0) to[d] = -likely[row];
        for (size_t j = 1; j < n_integrals; j++) to[d + j] = c->train ? (real)weights[j] * gy[row * outputs + 1] : 0;
    }
}

/* The first layer that has to be visited: what comes before it makes nothing that is wanted. */
static size_t first_needed(const cst_module *m, const cst_grads *g)
{
    size_t i = 0;
    while (!g->gx && i < m->n_children && (!g->gtheta || layer_of(m, i)->n_params == 0)) i++;
    return i;
}

/* y = log N(z) + sum of log-determinants, so all of these have its cotangent w, and z has -w z. */
static cst_status flow_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                           const cst_grads *g)
{
    const scratch s = cut_work(m, c->n, c->threads, c->work, false);
    const size_t last = m->n_children, stop = first_needed(m, g), left = width_before(m, last), outputs = m->y.dim[0];
    cache_layout k[MAX_LAYERS];
    lay_out_cache(m, c->n, c->threads, k);
    const real *z = last > 0 ? p->cache + k[last - 1].z : p->x;
    real *gz = last > 0 ? s.z[last % 2] : g->gx;
    take(c->n, outputs, 0, 1, gy, s.row);
    for (size_t i = 0; gz && i < c->n * left; i++) gz[i] = -s.row[i / left] * z[i];
    for (size_t i = last; i-- > stop;) {
        const cst_module *layer = layer_of(m, i);
        const cst_bijection *bijection = flow_of(m)->steps[i].bijection;
        const cst_call call = cst_call_child(m, c, i, s.layer);
        const cst_point point = {i > 0 ? p->cache + k[i - 1].z : p->x, p->cache + k[i].y, p->cache + k[i].layer};
        cst_grads grads = {.scale = g->scale, .gx = i == 0 ? g->gx : i > stop ? s.z[i % 2] : NULL};
        if (g->gtheta && layer->n_params > 0) grads.gtheta = g->gtheta + m->children[i].offset;
        layer_cotangent(m, i, c, gy, s.row, point.y, gz, s.rows);
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

/* x (N) of the layer from its z, sum (N) += its log-determinant there. */
static cst_status invert_layer(const cst_module *m, size_t i, const cst_call *c, const scratch *s, const real *z,
                               real *x)
{
    const cst_module *layer = layer_of(m, i);
    const cst_bijection *bijection = flow_of(m)->steps[i].bijection;
    const cst_call call = cst_call_child(m, c, i, s->layer);
    const size_t d = cst_shape_size(&layer->x), width = cst_shape_size(&layer->y);
    if (bijection) {
        bijection->inverse(layer, c->n, z, x);
        if (bijection->logdet) bijection->logdet(layer, c->n, x, s->sum);
        return CST_OK;
    }
    CST_TRY(cst_cnf_inverse(layer, &call, z, s->rows, s->cache));
    take(c->n, width, 0, d, s->rows, x);
    for (size_t row = 0; row < c->n; row++) s->sum[row] += (double)s->rows[row * width + d]; /* log p(x) - log p(z) */
    return CST_OK;
}

cst_status cst_flow_inverse(const cst_module *m, const cst_call *c, const real *z, real *x, real *logp)
{
    const scratch s = cut_work(m, c->n, c->threads, c->work, true);
    const size_t all = cst_shape_size(&m->x), last = m->n_children, left = width_before(m, last);
    const cst_cnf_noise none = {.no_derivatives = true};
    cst_call call = *c;
    if (!logp) call.context = &none;
    size_t at = all - left;
    begin_base(c->n, all, s.sum);
    add_base(c->n, all, 0, all, z, s.sum);
    real *here = s.z[0], *next = s.z[1];
    take(c->n, all, at, left, z, here);
    for (size_t i = last; i-- > 0;) {
        const size_t on = width_before(m, i + 1), out = flow_of(m)->steps[i].out;
        if (out > 0) {
            at -= out;
            put(c->n, on + out, 0, on, here, next);
            for (size_t row = 0; row < c->n; row++)
                memcpy(next + row * (on + out) + on, z + row * all + at, out * sizeof *next);
            real *swap = here;
            here = next, next = swap;
        }
        CST_TRY(invert_layer(m, i, &call, &s, here, next));
        real *swap = here;
        here = next, next = swap;
    }
    memcpy(x, here, c->n * all * sizeof *x);
    for (size_t i = 0; logp && i < c->n; i++) logp[i] = (real)s.sum[i];
    return CST_OK;
}

/* ---- construction ------------------------------------------------------------------------------------------------ */

static void flow_destroy(cst_module *m)
{
    free(((flow *)(void *)m)->steps);
}

static const cst_module_ops flow_ops = {
    .name = "flow", .plan = flow_plan, .forward = flow_forward, .vjp = flow_vjp, .destroy = flow_destroy};

cst_status cst_flow_new(const cst_shape *x, cst_module **m, cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    *m = NULL;
    if (cst_shape_size(x) == 0)
        return cst_fail(error, CST_ESHAPE, "expected rows with entries, got %s", cst_shape_text(x, text));
    CST_TRY(cst_module_new(sizeof(flow), &flow_ops, x, m, error));
    (*m)->y = cst_shape_1d(1);
    return CST_OK;
}

cst_shape cst_flow_shape(const cst_module *m)
{
    if (m->n_children == 0) return m->x;
    const step *s = &flow_of(m)->steps[m->n_children - 1];
    cst_shape z = s->z;
    if (s->out > 0) z.dim[0] /= 2;
    return z;
}

static bool is(const cst_module *layer, const cst_bijection *bijection)
{
    return layer->ops == bijection->ops;
}

/* Whether rows behind so many layers are what the next one wants: pixels for dequantize, numbers from 0 to 1 for logit. */
static cst_status check_domain(const cst_module *m, const cst_module *layer, cst_error *error)
{
    const bool pixels = is(layer, &cst_dequantize_bijection);
    if (!pixels && !is(layer, &cst_logit_bijection)) return CST_OK;
    for (size_t i = 0; i < m->n_children; i++) {
        const cst_module *before = layer_of(m, i);
        if (is(before, &cst_squeeze_bijection) || (!pixels && is(before, &cst_dequantize_bijection))) continue;
        return cst_fail(error, CST_EUNSUPPORTED, "%s expects numbers from 0 to 1, which %s before it does not make",
                        layer->ops->name, before->ops->name);
    }
    return CST_OK;
}

static cst_status check_layer(const cst_module *m, const cst_module *layer, const step *s, cst_error *error)
{
    char made[CST_SHAPE_TEXT], got[CST_SHAPE_TEXT];
    const cst_shape z = cst_flow_shape(m);
    if (!s->bijection && !cst_is_cnf(layer))
        return cst_fail(
            error, CST_EUNSUPPORTED,
            "%s has no inverse and no log-determinant: expected a cnf, squeeze, logit or dequantize in a flow",
            layer->ops->name);
    if (m->n_children == MAX_LAYERS)
        return cst_fail(error, CST_EUNSUPPORTED, "expected at most %d layers in a flow", MAX_LAYERS);
    CST_TRY(check_domain(m, layer, error));
    if (cst_shape_equal(&layer->x, &z)) return CST_OK;
    return cst_fail(error, CST_ESHAPE, "layer %zu of a flow: expected one for rows %s, got one for %s", m->n_children,
                    cst_shape_text(&z, got), cst_shape_text(&layer->x, made));
}

cst_status cst_flow_add(cst_module *m, cst_module *layer, cst_error *error)
{
    flow *f = (flow *)(void *)m;
    step s = {0};
    for (size_t i = 0; bijections[i]; i++)
        if (bijections[i]->ops == layer->ops) s.bijection = bijections[i];
    s.z = s.bijection ? layer->y : layer->x;
    cst_status status = check_layer(m, layer, &s, error);
    step *steps = status == CST_OK ? realloc(f->steps, (m->n_children + 1) * sizeof *steps) : NULL;
    if (status == CST_OK && !steps) status = cst_fail(error, CST_ENOMEM, "cannot allocate a flow's layer");
    if (status != CST_OK) {
        cst_module_free(layer);
        return status;
    }
    f->steps = steps;
    steps[m->n_children] = s;
    char name[CST_CHILD_NAME];
    double weights[CST_N_CNF_INTEGRALS];
    snprintf(name, sizeof name, "%zu", m->n_children);
    if (!s.bijection && cst_cnf_penalties(layer, weights) > 1) f->penalized = true;
    m->y = cst_shape_1d(f->penalized ? 2 : 1);
    return cst_module_add_child(m, name, layer, error);
}

cst_status cst_flow_factor_out(cst_module *m, cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    const cst_shape z = cst_flow_shape(m);
    step *s = m->n_children > 0 ? &((flow *)(void *)m)->steps[m->n_children - 1] : NULL;
    if (!s || s->out > 0 || z.rank < 1 || z.dim[0] % 2 != 0)
        return cst_fail(error, CST_ESHAPE,
                        "expected a layer, and behind it an even number of channels to divide, got %s",
                        cst_shape_text(&z, text));
    s->out = cst_shape_size(&z) / 2;
    return CST_OK;
}

bool cst_is_flow(const cst_module *m)
{
    return m->ops == &flow_ops;
}

/* What it begins with behind squeezes; NULL: nothing. */
static const cst_module *first_layer(const cst_module *m)
{
    size_t i = 0;
    while (i < m->n_children && is(layer_of(m, i), &cst_squeeze_bijection)) i++;
    return i < m->n_children ? layer_of(m, i) : NULL;
}

bool cst_flow_wants_unit_interval(const cst_module *m)
{
    const cst_module *first = cst_is_flow(m) ? first_layer(m) : NULL;
    return first && (is(first, &cst_logit_bijection) || is(first, &cst_dequantize_bijection));
}

size_t cst_flow_levels(const cst_module *m)
{
    const cst_module *first = cst_is_flow(m) ? first_layer(m) : NULL;
    return first && is(first, &cst_dequantize_bijection) ? cst_dequantize_levels(first) : 0;
}
