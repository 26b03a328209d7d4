/* Kind "cnf": a module "cnf" with the case's noise in place of its own: its value at the end, gradients and both
 * traces. */
#include "models/cnf.h"
#include "tests/golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* The case's blocks {"z": tensor, "logp": tensor} under a key, as rows [z | logp] at one of two times: `first` selects
 * it. NULL after a failure. */
static real *read_rows(golden *g, const char *key, size_t n, size_t d, bool first)
{
    char what[80];
    golden_tensor block[2];
    static const char *const names[2] = {"z", "logp"};
    const size_t width[2] = {d, 1};
    real *rows = golden_reals(g, n * (d + 1));
    for (size_t b = 0; b < 2; b++) {
        snprintf(what, sizeof what, "%s.%s", key, names[b]);
        block[b] = golden_read_tensor(g, cst_config_get(cst_config_get(g->root, key), names[b]), what);
        if (!block[b].data) return NULL;
        if (block[b].n != n * width[b] && block[b].n != 2 * n * width[b]) {
            golden_fail(g, "%s has %zu numbers", what, block[b].n);
            return NULL;
        }
        const double *from = block[b].data + (first ? 0 : block[b].n - n * width[b]);
        for (size_t i = 0; i < n * width[b]; i++) rows[i / width[b] * (d + 1) + (b == 0 ? i % d : d)] = (real)from[i];
    }
    return rows;
}

static bool compare_rows(golden *g, const char *what, const real *got, const real *expected, size_t n)
{
    double *values = golden_keep(g, malloc(n * sizeof *values));
    for (size_t i = 0; i < n; i++) values[i] = (double)expected[i];
    return golden_compare_reals(g, what, got, values, n, 1000 * golden_noise(g, what) + 1e-12);
}

/* ---- lost noise ---------------------------------------------------------------------------------------------- */

/* The script that makes the cases writes their tolerances under the key of their noise, so the noise must be recovered.
 * With A = int df/dz dt along a row, logp = -e^T A e. Of all vectors e of +1 and -1, the one that fits best is used as
 * if the case had stated it. */
enum { MOST_DIMENSIONS = 16, STEPS = 100 };

/* The network alone, and memory for one evaluation with the Jacobian. */
typedef struct jacobian {
    cst_module *m;
    cst_call call;
    size_t n, d;
    real *f, *cache, *tangent, *unit, *column; /* column k: (N, D) */
} jacobian;

static bool begin_jacobian(golden *g, jacobian *j, const cst_shape *row, size_t n)
{
    *j = (jacobian){.n = n, .d = cst_shape_size(row)};
    j->m = golden_module(g, cst_config_get(g->root, "field"), row);
    if (!j->m) return false;
    cst_plan plan = {0};
    const size_t size = n * j->d;
    cst_module_plan(j->m, n, j->d, 1, &plan);
    real *theta = golden_reals(g, j->m->n_params);
    j->call = (cst_call){.n = n, .threads = 1, .theta = theta, .work = golden_reals(g, plan.work), .error = &g->error};
    j->f = golden_reals(g, size);
    j->cache = golden_reals(g, plan.cache);
    j->tangent = golden_reals(g, plan.tangent);
    j->unit = golden_reals(g, j->d * size);
    j->column = golden_reals(g, j->d * size);
    for (size_t k = 0; k < j->d; k++)
        for (size_t i = 0; i < n; i++) j->unit[(k * n + i) * j->d + k] = 1;
    return golden_read_params(g, j->m, "", cst_config_get(g->root, "params"), theta);
}

static bool evaluate(golden *g, jacobian *j, double t, const real *z)
{
    const cst_point point = {z, j->f, j->cache};
    const cst_tangents all = {j->d, 0, j->d, j->unit, j->column, j->tangent};
    j->call.t = t;
    return golden_ok(g, "network", cst_module_forward(j->m, &j->call, z, j->f, j->cache)) &&
           golden_ok(g, "network", cst_module_jvp(j->m, &j->call, &point, &all));
}

/* A (D, N, D) by the classic Runge-Kutta method. */
static bool integrate(golden *g, jacobian *j, const double times[2], const real *y0, real *a)
{
    static const double node[4] = {0, 0.5, 0.5, 1}, weight[4] = {1, 2, 2, 1};
    const size_t size = j->n * j->d;
    real *y = golden_reals(g, size), *z = golden_reals(g, size), *next = golden_reals(g, size);
    const double h = (times[1] - times[0]) / STEPS;
    memcpy(y, y0, size * sizeof *y);
    for (size_t step = 0; step < STEPS; step++) {
        memcpy(next, y, size * sizeof *y);
        for (size_t s = 0; s < 4; s++) {
            for (size_t i = 0; i < size; i++) z[i] = y[i] + (s > 0 ? (real)(node[s] * h) * j->f[i] : 0);
            if (!evaluate(g, j, times[0] + ((double)step + node[s]) * h, z)) return false;
            for (size_t i = 0; i < size; i++) next[i] += (real)(h * weight[s] / 6) * j->f[i];
            for (size_t i = 0; i < j->d * size; i++) a[i] += (real)(h * weight[s] / 6) * j->column[i];
        }
        memcpy(y, next, size * sizeof *y);
    }
    return true;
}

/* The signs e (D), the first of them +, whose e^T A e is nearest to -logp. */
static void find_signs(const jacobian *j, const real *a, size_t row, double logp, real *e)
{
    double nearest = HUGE_VAL;
    for (unsigned signs = 0; signs < 1u << j->d; signs += 2) {
        double sum = 0;
        for (size_t k = 0; k < j->d; k++)
            for (size_t i = 0; i < j->d; i++) {
                const double term = (double)a[(k * j->n + row) * j->d + i];
                sum += (signs >> k & 1) == (signs >> i & 1) ? term : -term;
            }
        if (!(fabs(sum + logp) < nearest)) continue;
        nearest = fabs(sum + logp);
        for (size_t i = 0; i < j->d; i++) e[i] = signs >> i & 1 ? -1 : 1;
    }
}

/* e (N, D); NULL after a failure. */
static real *find_noise(golden *g, const cst_shape *row, const double times[2], size_t n, const real *y0)
{
    const size_t d = cst_shape_size(row);
    if (d > MOST_DIMENSIONS) {
        golden_skip(g, "its noise is missing, and too long to be found");
        return NULL;
    }
    jacobian j;
    real *e = golden_reals(g, n * d), *a = golden_reals(g, n * d * d), *rows = read_rows(g, "y", n, d, false);
    const bool done = begin_jacobian(g, &j, row, n) && rows && integrate(g, &j, times, y0, a);
    for (size_t i = 0; done && i < n; i++) find_signs(&j, a, i, (double)rows[i * (d + 1) + d], e + i * d);
    cst_module_free(j.m);
    return done ? e : NULL;
}

static real *read_noise(golden *g, const cst_shape *row, const double times[2], size_t n, const real *y0)
{
    const cst_config noise = cst_config_get(g->root, "noise");
    if (!cst_config_present(cst_config_get(noise, "shape"))) return find_noise(g, row, times, n, y0);
    const golden_tensor e = golden_read_tensor(g, noise, "noise");
    if (e.data && e.n == n * cst_shape_size(row)) return golden_to_reals(g, &e);
    golden_fail(g, "the noise does not fit y0");
    return NULL;
}

/* ---- comparing ----------------------------------------------------------------------------------------------- */

static bool compare(golden *g, const cst_module *m, size_t n, const real *y0, const real *e, double sign)
{
    static const char prefix[] = "ode.field.network.";
    const size_t d = cst_shape_size(&m->x), rows = n * (d + 1);
    const cst_config params = cst_config_get(g->root, "params"), gparams = cst_config_get(g->root, "gparams");
    cst_plan plan = {0};
    cst_module_plan(m, n, 0, 1, &plan);
    golden_record r = {.g = g};
    const cst_observer observer = {.context = &r, .trace = true, .solved = golden_solved};
    const cst_cnf_noise noise = {.e = e};
    real *theta = golden_reals(g, m->n_params), *y = golden_reals(g, rows), *cache = golden_reals(g, plan.cache);
    const cst_call call = {.n = n,
                           .threads = 1,
                           .train = true,
                           .theta = theta,
                           .work = golden_reals(g, plan.work),
                           .context = &noise,
                           .observer = &observer,
                           .error = &g->error};
    const real *expected = read_rows(g, "y", n, d, false), *gy = read_rows(g, "cotangent", n, d, false),
               *gy_start = read_rows(g, "cotangent", n, d, true), *gy0 = read_rows(g, "gy0", n, d, false);
    const cst_point point = {y0, y, cache};
    const cst_grads grads = {.scale = 1, .gx = golden_reals(g, n * d), .gtheta = golden_reals(g, m->n_params)};
    if (!expected || !gy || !gy_start || !gy0 || !golden_read_params(g, m, prefix, params, theta) ||
        !golden_ok(g, "forward", cst_module_forward(m, &call, y0, y, cache)) ||
        !golden_compare_record(g, &r, 0, sign) || !compare_rows(g, "y", y, expected, rows) ||
        !golden_ok(g, "vjp", cst_module_vjp(m, &call, &point, gy, &grads)) || !golden_compare_record(g, &r, 1, -sign))
        return false;
    real *got = golden_reals(g, rows); /* the log-density at the start is part of all later ones */
    for (size_t i = 0; i < n; i++) {
        real *row = got + i * (d + 1);
        memcpy(row, grads.gx + i * d, d * sizeof *row);
        row[d] = gy[i * (d + 1) + d];
        for (size_t k = 0; k <= d; k++) row[k] += gy_start[i * (d + 1) + k];
    }
    return compare_rows(g, "gy0", got, gy0, rows) &&
           golden_compare_params(g, "gparams", m, prefix, gparams, grads.gtheta,
                                 1000 * golden_noise(g, "gparams") + 1e-12);
}

void golden_cnf(golden *g)
{
    const golden_tensor y0 = golden_read_tensor(g, cst_config_get(cst_config_get(g->root, "y0"), "z"), "y0");
    const char *divergence = golden_read_string(g, g->root, "divergence");
    double *times = NULL;
    size_t n_times = 0;
    char keys[120];
    if (!y0.data || !divergence || !golden_read_numbers(g, cst_config_get(g->root, "t"), "t", &times, &n_times)) return;
    if (y0.shape.rank < 2 || n_times != 2) {
        golden_fail(g, "y0 has no batch dimension, or there are not two times");
        return;
    }
    snprintf(keys, sizeof keys, "\"type\": \"cnf\", \"divergence\": \"%s\"", divergence);
    const char *section = golden_section(g, keys);
    const cst_shape row = golden_row_shape(&y0, 1);
    const size_t n = y0.shape.dim[0];
    if (!section || !golden_types_known(g, cst_config_get(g->root, "field"))) return;
    cst_module *m = golden_module_of_text(g, section, &row);
    const real *z = golden_to_reals(g, &y0), *e = NULL;
    if (m && strcmp(divergence, "hutchinson") == 0) e = read_noise(g, &row, times, n, z);
    if (m && !g->failed && !g->skipped) compare(g, m, n, z, e, times[1] > times[0] ? 1 : -1);
    cst_module_free(m);
}
