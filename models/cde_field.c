#include "models/cde_field.h"

#include "core/arena.h"
#include "layers/sequential.h"
#include "layers/vmath.h"

#include <string.h>

/* Rows evaluated at a time, so that F(z) and its cotangent stay in the second-level cache. */
enum { BLOCK_ROWS = 32 };

typedef struct cde_field {
    cst_module base;
    size_t hidden, channels;
    bool tanh; /* F = tanh(network); false: F = network */
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
typedef struct cache_layout {
    size_t value, slope, network, size;
} cache_layout;

static cache_layout lay_out_cache(const cst_module *m, size_t rows)
{
    const cde_field *f = field_of(m);
    cache_layout k = {0};
    k.value = cst_place(&k.size, cst_size_mul(rows, cst_size_mul(f->hidden, f->channels)));
    k.slope = cst_place(&k.size, cst_size_mul(rows, f->channels));
    k.network = cst_place(&k.size, 0);
    return k;
}

/* Reals per vector. Products with X' run over whole vectors: the channels are padded with zeros. */
enum { LANES = 64 / sizeof(real) };

/* The next multiple of LANES. */
static size_t padded(size_t channels)
{
    return (channels + LANES - 1) / LANES * LANES;
}

/* work = [F(z)'s cotangent (N, H, C) | X'(t)'s cotangent (N, C) | one row of X', padded | the network's] */
typedef struct work_layout {
    real *gf, *gslope, *row, *network;
    size_t size;
} work_layout;

static work_layout cut_work(const cst_module *m, size_t rows, real *work)
{
    const cde_field *f = field_of(m);
    work_layout s = {0};
    s.gf = cst_cut(work, &s.size, cst_size_mul(rows, cst_size_mul(f->hidden, f->channels)));
    s.gslope = cst_cut(work, &s.size, cst_size_mul(rows, f->channels));
    s.row = cst_cut(work, &s.size, padded(f->channels));
    s.network = cst_cut(work, &s.size, 0);
    return s;
}

static void cde_field_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    cst_plan network;
    (void)k;
    cst_module_plan(network_of(m), n, 0, threads, &network);
    plan->cache = cst_size_add(lay_out_cache(m, n).size, network.cache);
    plan->work = cst_size_add(cut_work(m, n, NULL).size, network.work);
}

/* ---- the product with X' ---------------------------------------------------------------------------------------- */

/* A row's X', padded with zeros to `width` numbers. For the first `whole` of the H lines of F(z), reading or writing
 * `width` numbers instead of C stays inside the matrix: what is beyond the line belongs to the next ones. */
typedef struct slope_row {
    const real *at;
    size_t width, whole;
} slope_row;

/* Copy a row's X' to `row` and pad it. */
static slope_row pad_slope(const cde_field *f, const real *slope, real *row)
{
    const size_t width = padded(f->channels), all = f->hidden * f->channels;
    memset(row, 0, width * sizeof *row);
    memcpy(row, slope, f->channels * sizeof *row);
    return (slope_row){row, width, all < width ? 0 : (all - width) / f->channels + 1};
}

/* y (H) = f (H, C) s (C): y_h = sum over c of f_hc s_c. Whole vectors where possible, one by one in the last lines. */
static void multiply_row(const cde_field *m, const real *restrict f, const slope_row *s, real *restrict y)
{
    const real *restrict at = s->at;
    for (size_t h = 0; h < m->hidden; h++, f += m->channels) {
        real sum[LANES] = {0}, total = 0;
        /* Whole vectors: LANES partial sums. */
        for (size_t c = 0; h < s->whole && c < s->width; c += LANES) {
#pragma omp simd
            for (size_t i = 0; i < LANES; i++) sum[i] += f[c + i] * at[c + i];
        }
        /* The last lines, where whole vectors would read beyond the matrix. */
        for (size_t c = 0; h >= s->whole && c < m->channels; c++) total += f[c] * at[c];
#pragma omp simd reduction(+ : total)
        for (size_t i = 0; i < LANES; i++) total += sum[i];
        y[h] = total;
    }
}

/* forward: y = F s. So gf (H, C) = gy (H) s (C)^T, times the derivative 1 - f^2 of tanh unless f is NULL. The lines are
 * written in the order of h: each overwrites what the line before it wrote beyond its end. */
static void spread_row(const cde_field *m, const real *restrict gy, const slope_row *s, const real *restrict f,
                       real *restrict gf)
{
    const real *restrict at = s->at;
    for (size_t h = 0; h < m->hidden; h++, gf += m->channels) {
        const real g = gy[h];
        const size_t width = h < s->whole ? s->width : m->channels;
        if (f) {
#pragma omp simd
            for (size_t c = 0; c < width; c++) gf[c] = g * at[c] * (1 - f[c] * f[c]);
            f += m->channels;
        } else {
#pragma omp simd
            for (size_t c = 0; c < width; c++) gf[c] = g * at[c];
        }
    }
}

/* y (N, H) = f (N, H, C) X' (N, C); `row` is scratch for one padded row of X'. */
static void multiply(const cde_field *m, size_t rows, const real *f, const real *slope, real *row, real *y)
{
    for (size_t i = 0; i < rows; i++) {
        const slope_row s = pad_slope(m, slope + i * m->channels, row);
        multiply_row(m, f + i * m->hidden * m->channels, &s, y + i * m->hidden);
    }
}

/* gf (N, H, C) = gy (N, H) X' (N, C)^T */
static void spread(const cde_field *m, size_t rows, const real *gy, const real *slope, const real *f, real *row,
                   real *gf)
{
    const size_t size = m->hidden * m->channels;
    for (size_t i = 0; i < rows; i++) {
        const slope_row s = pad_slope(m, slope + i * m->channels, row);
        spread_row(m, gy + i * m->hidden, &s, f ? f + i * size : NULL, gf + i * size);
    }
}

/* forward: y = F X'. So gX' (N, C) = f (N, H, C)^T gy (N, H). */
static void slope_vjp(const cde_field *m, size_t rows, const real *restrict f, const real *restrict gy,
                      real *restrict gslope)
{
    memset(gslope, 0, rows * m->channels * sizeof *gslope);
    for (size_t i = 0; i < rows; i++, gslope += m->channels)
        for (size_t h = 0; h < m->hidden; h++, f += m->channels, gy++)
            for (size_t c = 0; c < m->channels; c++) gslope[c] += *gy * f[c];
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* The call must have a path of C channels that covers its rows. */
static cst_status check_path(const cst_module *m, const cst_call *c)
{
    const cst_path *path = c->context;
    if (!path) return cst_fail(c->error, CST_EARG, "expected a control path as the context of a cde field, got none");
    if (path->series.channels != field_of(m)->channels || c->row < path->first ||
        path->first + path->series.n < c->row + c->n)
        return cst_fail(
            c->error, CST_EARG,
            "expected a path of %zu channels for rows [%zu, %zu), got one of %zu channels for rows [%zu, %zu)",
            field_of(m)->channels, c->row, c->row + c->n, path->series.channels, path->first,
            path->first + path->series.n);
    return CST_OK;
}

/* The network's call: the path is the field's context, so the network gets none. */
static cst_call call_network(const cst_module *m, const cst_call *c, const work_layout *s)
{
    cst_call call = cst_call_child(m, c, 0, s->network);
    call.context = NULL;
    return call;
}

static cst_status cde_field_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    CST_TRY(check_path(m, c));
    const cde_field *f = field_of(m);
    const size_t size = f->hidden * f->channels;
    const cache_layout k = lay_out_cache(m, c->n);
    real *values = cache + k.value, *slope = cache + k.slope;
    const work_layout s = cut_work(m, c->n, c->work);
    const cst_call call = call_network(m, c, &s);
    /* X'(t) of all rows, and the network's value for all rows. */
    cst_path_slope(c->context, c->row, c->n, c->t, slope);
    CST_TRY(cst_module_forward(network_of(m), &call, x, values, cache + k.network));
    /* y = F X', F = tanh(network): each row while it is in the cache. */
    for (size_t i = 0; i < c->n; i++) {
        real *value = values + i * size;
        if (f->tanh) cst_vtanh(size, value, value);
        multiply(f, 1, value, slope + i * f->channels, s.row, y + i * f->hidden);
    }
    return CST_OK;
}

/* forward: y = F X', F = tanh(network). So gF = gy X'^T, the network's cotangent is gF times 1 - F^2, and gX' = F^T gy,
 * which the path adds to gcontext. */
static cst_status cde_field_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                                const cst_grads *g)
{
    const cde_field *f = field_of(m);
    const cache_layout k = lay_out_cache(m, c->n);
    const real *value = p->cache + k.value;
    const work_layout s = cut_work(m, c->n, c->work);
    /* The path: X' is linear in its knots. */
    if (g->gcontext) {
        slope_vjp(f, c->n, value, gy, s.gslope);
        cst_path_slope_vjp(c->context, c->row, c->n, c->t, g->context_scale, s.gslope, g->gcontext);
    }
    if (!g->gx && !g->gtheta && !g->gt) return CST_OK;
    /* The network: its value is F, or the argument of tanh, whose derivative `spread` multiplies in. */
    const cst_call call = call_network(m, c, &s);
    const cst_point point = {p->x, value, p->cache + k.network};
    cst_grads grads = *g;
    grads.gcontext = NULL;
    spread(f, c->n, gy, p->cache + k.slope, f->tanh ? value : NULL, s.row, s.gf);
    return cst_module_vjp(network_of(m), &call, &point, s.gf, &grads);
}

static const cst_module_ops cde_field_ops = {
    .name = "cde_field", .plan = cde_field_plan, .forward = cde_field_forward, .vjp = cde_field_vjp};

cst_status cst_cde_field_new(cst_module *network, size_t channels, cst_module **m, cst_error *error)
{
    const size_t hidden = cst_shape_size(&network->x);
    cst_module *made = NULL;
    char got[CST_SHAPE_TEXT];
    *m = NULL;
    cst_status status = CST_OK;
    if (network->x.rank != 1 || channels == 0 || cst_shape_size(&network->y) != cst_size_mul(hidden, channels))
        status = cst_fail(error, CST_ESHAPE, "expected a network from (%zu) to %zu x %zu numbers, got one to rows %s",
                          hidden, hidden, channels, cst_shape_text(&network->y, got));
    /* A tanh at the end is removed from the network and computed here. */
    const bool tanh = status == CST_OK && cst_sequential_drop_last(network, "linear", "tanh");
    if (status == CST_OK) status = cst_module_new(sizeof(cde_field), &cde_field_ops, &network->x, &made, error);
    if (status != CST_OK) {
        cst_module_free(network);
        return status;
    }
    ((cde_field *)(void *)made)->hidden = hidden;
    ((cde_field *)(void *)made)->channels = channels;
    ((cde_field *)(void *)made)->tanh = tanh;
    /* Per entry of F two operations for the product, and about twenty for tanh. */
    made->cost = (tanh ? 22.0 : 2.0) * (double)hidden * (double)channels;
    made->block_rows = BLOCK_ROWS;
    status = cst_module_add_child(made, "network", network, error);
    if (status == CST_OK)
        *m = made;
    else
        cst_module_free(made);
    return status;
}
