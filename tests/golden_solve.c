/* Kind "solve": a named problem under the torchdiffeq profile, its trace attempt by attempt. */
#include "core/shape.h"
#include "core/text.h"
#include "ode/solve.h"
#include "ode/solve_config.h"
#include "tests/golden.h"

#include <math.h>
#include <string.h>

/* The problems that the cases' README names. */
typedef struct named_problem {
    const char *name;
    size_t n; /* 0: any */
    void (*f)(double t, size_t n, const real *y, real *dy);
} named_problem;

static void decay(double t, size_t n, const real *y, real *dy)
{
    (void)t;
    for (size_t i = 0; i < n; i++) dy[i] = (real)-0.7 * y[i];
}

static void cubic_spiral(double t, size_t n, const real *y, real *dy)
{
    (void)t, (void)n;
    const real u3 = y[0] * y[0] * y[0], v3 = y[1] * y[1] * y[1];
    dy[0] = (real)-0.1 * u3 - 2 * v3;
    dy[1] = 2 * u3 - (real)0.1 * v3;
}

static void van_der_pol(double t, size_t n, const real *y, real *dy)
{
    (void)t, (void)n;
    dy[0] = y[1];
    dy[1] = 5 * (1 - y[0] * y[0]) * y[1] - y[0];
}

static void forced(double t, size_t n, const real *y, real *dy)
{
    (void)n;
    dy[0] = y[1];
    dy[1] = -y[0] + (real)sin(3 * t);
}

static void switching(double t, size_t n, const real *y, real *dy)
{
    for (size_t i = 0; i < n; i++) {
        const volatile real p = (real)0.1 * y[i];
        dy[i] = (t < 0.5 ? (real)1 : (real)-2) - p;
    }
}

static void lotka_volterra(double t, size_t n, const real *y, real *dy)
{
    (void)t, (void)n;
    dy[0] = (real)1.5 * y[0] - y[0] * y[1];
    dy[1] = -3 * y[1] + y[0] * y[1];
}

static const named_problem problems[] = {
    {"decay", 0, decay},   {"cubic_spiral", 2, cubic_spiral}, {"van_der_pol", 2, van_der_pol},
    {"forced", 2, forced}, {"switch", 0, switching},          {"lotka_volterra", 2, lotka_volterra},
};

typedef struct field {
    const named_problem *problem;
    size_t n;
} field;

static cst_status evaluate(void *context, double t, const real *y, real *dy, real scale, real *q, cst_error *error)
{
    const field *f = context;
    (void)scale, (void)q, (void)error;
    f->problem->f(t, f->n, y, dy);
    return CST_OK;
}

/* Write the solver's section as a config has it: the case's options after method, tolerances and profile. */
static bool read_options(golden *g, cst_solve_options *options)
{
    cst_text text = {0};
    double rtol = 0, atol = 0;
    const cst_config more = cst_config_get(g->root, "options");
    const char *method = golden_read_string(g, g->root, "method");
    if (!method || !golden_read_number(g, g->root, "rtol", &rtol) || !golden_read_number(g, g->root, "atol", &atol))
        return false;
    cst_text_printf(&text, "{\"method\": \"%s\", \"rtol\": %.17g, \"atol\": %.17g, \"profile\": \"torchdiffeq\"",
                    method, rtol, atol);
    for (size_t i = 0; i < cst_config_length(more); i++) {
        const cst_config option = cst_config_item(more, i);
        const char *value = golden_keep(g, cst_config_print(option));
        cst_text_printf(&text, ", \"%s\": %s", cst_config_key(option), value);
    }
    cst_text_puts(&text, "}");
    golden_keep(g, text.data);
    cst_document *document = NULL;
    if (!golden_ok(g, text.data, cst_document_parse("options", text.data, text.size, &document, &g->error)))
        return false;
    const bool ok = golden_ok(g, "options", cst_solve_options_read(cst_document_root(document), options, &g->error));
    cst_document_free(document);
    return ok;
}

static bool compare_solve(golden *g, const field *f, const cst_solve_options *options, const double *y0)
{
    double *times = NULL, nfe = 0;
    size_t n_times = 0;
    if (!golden_read_numbers(g, cst_config_get(g->root, "t"), "t", &times, &n_times)) return false;
    if (n_times < 2 || !golden_read_number(g, g->root, "nfe", &nfe))
        return golden_fail(g, "fewer than two times, or no nfe");
    const cst_block block = {"y", f->n, 1};
    const cst_problem problem = {.f = evaluate, .context = (void *)(size_t)f, .blocks = &block, .n_blocks = 1};
    real *start = golden_reals(g, f->n), *y = golden_reals(g, n_times * f->n);
    for (size_t i = 0; i < f->n; i++) start[i] = (real)y0[i];
    cst_solve_stats stats = {.trace = true};
    const cst_solve_call call = {
        .work = golden_reals(g, cst_solver_work(&problem, options)), .stats = &stats, .error = &g->error};
    const cst_status status = cst_solve(&problem, options, times, n_times, start, y, &call);
    const cst_config solves = cst_config_get(g->root, "solves");
    const double sign = times[1] > times[0] ? 1 : -1;
    const bool ok = golden_ok(g, "solve", status) && golden_compare_count(g, "nfe", stats.nfe, nfe) &&
                    (!cst_config_present(solves) || golden_compare_solves(g, "forward", &stats, sign, solves)) &&
                    golden_compare_tensor(g, "y", y, cst_config_get(g->root, "y"), 1000 * golden_noise(g, "y") + 1e-12);
    cst_solve_stats_clear(&stats);
    return ok;
}

void golden_solve(golden *g)
{
    const char *name = golden_read_string(g, g->root, "problem");
    field f = {0};
    double *y0 = NULL;
    if (!name || !golden_read_numbers(g, cst_config_get(g->root, "y0"), "y0", &y0, &f.n)) return;
    for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++)
        if (strcmp(problems[i].name, name) == 0) f.problem = &problems[i];
    if (!f.problem || (f.problem->n && f.problem->n != f.n)) {
        golden_fail(g, "no problem \"%s\" of %zu components", name, f.n);
        return;
    }
    cst_solve_options options = {0};
    if (read_options(g, &options)) compare_solve(g, &f, &options, y0);
    cst_solve_options_clear(&options);
}
