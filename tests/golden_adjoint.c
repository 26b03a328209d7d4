/* Kind "adjoint": an ODE block that outputs every time, its backsolve gradients and both traces. Kind "symoden": the
 * same with a field whose section has no type, and the field's value at y0. */
#include "core/text.h"
#include "tests/golden.h"

#include <stdlib.h>
#include <string.h>

static void *copy(golden *g, const void *from, size_t bytes)
{
    void *to = golden_keep(g, malloc(bytes + 1));
    return bytes ? memcpy(to, from, bytes) : to;
}

void golden_solved(void *context, const cst_module *block, bool backward, const cst_solve_stats *stats)
{
    golden_record *r = context;
    (void)block;
    r->reports[backward]++;
    r->stats[backward] = *stats;
    r->stats[backward].attempts = copy(r->g, stats->attempts, stats->n_attempts * sizeof *stats->attempts);
    r->stats[backward].starts = copy(r->g, stats->starts, stats->n_starts * sizeof *stats->starts);
}

/* Write solver, gradient and field as a config has them; false after a failure. */
static bool put_sections(golden *g, cst_text *text)
{
    const cst_config root = g->root, options = cst_config_get(root, "options");
    double rtol = 0, atol = 0, adjoint_rtol = 0, adjoint_atol = 0;
    const char *method = golden_read_string(g, root, "method"), *profile = golden_read_string(g, root, "profile");
    if (!method || !profile || !golden_read_number(g, root, "rtol", &rtol) ||
        !golden_read_number(g, root, "atol", &atol) || !golden_read_number(g, root, "adjoint_rtol", &adjoint_rtol) ||
        !golden_read_number(g, root, "adjoint_atol", &adjoint_atol))
        return false;
    cst_text_printf(text, "\"t\": %s, \"field\": %s",
                    (char *)golden_keep(g, cst_config_print(cst_config_get(root, "t"))),
                    (char *)golden_keep(g, cst_config_print(cst_config_get(root, "field"))));
    cst_text_printf(text, ", \"solver\": {\"method\": \"%s\", \"rtol\": %.17g, \"atol\": %.17g, \"profile\": \"%s\"",
                    method, rtol, atol, profile);
    for (size_t i = 0; i < cst_config_length(options); i++) {
        const cst_config option = cst_config_item(options, i);
        cst_text_printf(text, ", \"%s\": %s", cst_config_key(option), (char *)golden_keep(g, cst_config_print(option)));
    }
    cst_text_printf(text,
                    "}, \"gradient\": {\"method\": \"backsolve\", \"norm\": %s, \"rtol\": %.17g, \"atol\": %.17g}",
                    (char *)golden_keep(g, cst_config_print(cst_config_get(root, "norm"))), adjoint_rtol, adjoint_atol);
    return true;
}

const char *golden_section(golden *g, const char *keys)
{
    cst_text text = {0};
    cst_text_printf(&text, "{%s, ", keys);
    const bool whole = put_sections(g, &text);
    cst_text_puts(&text, "}");
    const char *section = golden_keep(g, text.data);
    return whole ? section : NULL;
}

/* (A, B, D) -> (B, A, D): times come first in the case, batch rows in the block. */
static real *swapped(golden *g, const real *from, size_t a, size_t b, size_t d)
{
    real *to = golden_reals(g, a * b * d);
    for (size_t i = 0; i < a; i++)
        for (size_t j = 0; j < b; j++) memcpy(to + (j * a + i) * d, from + (i * b + j) * d, d * sizeof *to);
    return to;
}

bool golden_compare_record(golden *g, const golden_record *r, size_t backward, double sign)
{
    const char *what = backward ? "backward" : "forward";
    const cst_config expected = cst_config_get(g->root, what);
    double nfe = 0;
    if (r->reports[backward] != 1)
        return golden_fail(g, "%s: heard of %zu solves, expected 1", what, r->reports[backward]);
    return golden_read_number(g, expected, "nfe", &nfe) &&
           golden_compare_solves(g, what, &r->stats[backward], sign, cst_config_get(expected, "solves")) &&
           golden_compare_count(g, backward ? "backward nfe" : "forward nfe", r->stats[backward].nfe, nfe);
}

static bool compare_block(golden *g, cst_module *m, const golden_tensor *y0, const double *times, size_t n_times)
{
    const cst_config root = g->root, gt = cst_config_get(root, "gt");
    const size_t n = y0->shape.dim[0], d = cst_shape_size(&m->x);
    const golden_tensor cotangent =
        golden_read_tensor(g, cst_config_get(cst_config_get(root, "cotangent"), "z"), "cotangent");
    if (!cotangent.data) return false;
    if (cotangent.n != n_times * n * d) return golden_fail(g, "the cotangent has another size than y");
    cst_plan plan = {0};
    cst_module_plan(m, n, 0, 1, &plan);
    golden_record r = {.g = g};
    const cst_observer observer = {.context = &r, .trace = true, .solved = golden_solved};
    real *theta = golden_reals(g, m->n_params), *cache = golden_reals(g, plan.cache),
         *y = golden_reals(g, n * m->y.dim[0] * d);
    for (size_t i = 0; cst_config_present(gt) && i < n_times; i++) theta[i] = (real)times[i];
    const cst_call call = {.n = n,
                           .threads = 1,
                           .train = true,
                           .theta = theta,
                           .work = golden_reals(g, plan.work),
                           .context = g->context,
                           .observer = &observer,
                           .error = &g->error};
    const cst_point point = {golden_to_reals(g, y0), y, cache};
    const cst_grads grads = {.scale = 1, .gx = golden_reals(g, n * d), .gtheta = golden_reals(g, m->n_params)};
    const real *gy = swapped(g, golden_to_reals(g, &cotangent), n_times, n, d);
    const double sign = times[1] > times[0] ? 1 : -1;
    if (!golden_read_params(g, m, g->field, cst_config_get(root, "params"), theta) ||
        !golden_ok(g, "forward", cst_module_forward(m, &call, point.x, y, cache)) ||
        !golden_compare_record(g, &r, 0, sign) ||
        !golden_compare_tensor(g, "y", swapped(g, y, n, n_times, d), cst_config_get(cst_config_get(root, "y"), "z"),
                               1000 * golden_noise(g, "y") + 1e-12))
        return false;
    double *expected = NULL;
    size_t n_expected = 0;
    if (cst_config_present(gt) && !golden_read_numbers(g, gt, "gt", &expected, &n_expected)) return false;
    if (expected && n_expected != n_times)
        return golden_fail(g, "%zu times and %zu gradients of them", n_times, n_expected);
    return golden_ok(g, "vjp", cst_module_vjp(m, &call, &point, gy, &grads)) &&
           golden_compare_record(g, &r, 1, -sign) &&
           golden_compare_tensor(g, "gy0", grads.gx, cst_config_get(cst_config_get(root, "gy0"), "z"),
                                 1000 * golden_noise(g, "gy0") + 1e-12) &&
           golden_compare_params(g, "gparams", m, g->field, cst_config_get(root, "gparams"), grads.gtheta,
                                 1000 * golden_noise(g, "gparams") + 1e-12) &&
           /* The parameter "t" comes first in the block's theta; its gradient is that of the times. */
           (!expected ||
            golden_compare_reals(g, "gt", grads.gtheta, expected, n_times, 1000 * golden_noise(g, "gt") + 1e-12));
}

void golden_adjoint(golden *g)
{
    const golden_tensor y0 = golden_read_tensor(g, cst_config_get(cst_config_get(g->root, "y0"), "z"), "y0");
    double *times = NULL;
    size_t n_times = 0;
    if (!y0.data || !golden_read_numbers(g, cst_config_get(g->root, "t"), "t", &times, &n_times)) return;
    if (y0.shape.rank < 1 || n_times < 2) {
        golden_fail(g, "y0 has no batch dimension, or there are fewer than two times");
        return;
    }
    const char *section = golden_section(g, cst_config_present(cst_config_get(g->root, "gt"))
                                                ? "\"type\": \"ode\", \"output\": \"all\", \"learn_t\": true"
                                                : "\"type\": \"ode\", \"output\": \"all\"");
    const cst_shape row = golden_row_shape(&y0, 1);
    if (!section || !golden_types_known(g, cst_config_get(g->root, "field"))) return;
    cst_module *m = golden_module_of_text(g, section, &row);
    if (m) compare_block(g, m, &y0, times, n_times);
    cst_module_free(m);
}

/* The field alone, forward. */
static bool compare_field(golden *g)
{
    const cst_config field = cst_config_get(g->root, "field");
    const golden_tensor y0 = golden_read_tensor(g, cst_config_get(cst_config_get(g->root, "y0"), "z"), "y0");
    if (!y0.data) return false;
    const cst_shape row = golden_row_shape(&y0, 1);
    cst_module *m = golden_module(g, field, &row);
    if (!m) return false;
    cst_plan plan = {0};
    const size_t n = y0.shape.dim[0];
    cst_module_plan(m, n, 0, 1, &plan);
    real *theta = golden_reals(g, m->n_params), *y = golden_reals(g, y0.n);
    const cst_call call = {
        .n = n, .threads = 1, .theta = theta, .work = golden_reals(g, plan.work), .error = &g->error};
    const bool same =
        golden_read_params(g, m, "", cst_config_get(g->root, "params"), theta) &&
        golden_ok(g, "field", cst_module_forward(m, &call, golden_to_reals(g, &y0), y, golden_reals(g, plan.cache))) &&
        golden_compare_tensor(g, "field at y0", y, cst_config_get(g->root, "field_at_y0"),
                              1000 * golden_noise(g, "y") + 1e-12);
    cst_module_free(m);
    return same;
}

void golden_symoden(golden *g)
{
    if (!golden_ok(g, "field", cst_config_put(cst_config_get(g->root, "field"), "type", "\"symoden\"", &g->error)))
        return;
    if (compare_field(g)) golden_adjoint(g);
}
