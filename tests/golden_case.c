#include "models/registry.h"
#include "tests/golden.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- verdicts ------------------------------------------------------------------------------------------------ */

static bool tell(const golden *g, const char *verdict, const char *format, va_list arguments)
{
    printf("%s %s: ", verdict, g->path);
    vprintf(format, arguments);
    putchar('\n');
    return false;
}

bool golden_fail(golden *g, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(g, "FAIL", format, arguments);
    va_end(arguments);
    g->failed = true;
    return false;
}

bool golden_skip(golden *g, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(g, "skip", format, arguments);
    va_end(arguments);
    g->skipped = true;
    return false;
}

bool golden_ok(golden *g, const char *what, cst_status status)
{
    return status == CST_OK || golden_fail(g, "%s: %s: %s", what, cst_status_name(status), g->error.message);
}

void *golden_keep(golden *g, void *memory)
{
    if (g->n_kept == g->capacity) {
        g->capacity = 2 * g->capacity + 64;
        g->kept = realloc(g->kept, g->capacity * sizeof *g->kept);
    }
    if (!memory || !g->kept) {
        fputs("out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return g->kept[g->n_kept++] = memory;
}

real *golden_reals(golden *g, size_t n)
{
    real *x = aligned_alloc(64, (n * sizeof *x + 64) / 64 * 64);
    golden_keep(g, x);
    return memset(x, 0, n * sizeof *x);
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

bool golden_read_numbers(golden *g, cst_config config, const char *what, double **values, size_t *n)
{
    if (!cst_config_is_list(config)) return golden_fail(g, "%s: no list of numbers", what);
    *n = 0, *values = NULL;
    if (cst_config_length(config) == 0) return true;
    if (!golden_ok(g, what, cst_config_reals(config, values, n, &g->error))) return false;
    golden_keep(g, *values);
    return true;
}

bool golden_read_number(golden *g, cst_config object, const char *key, double *value)
{
    return cst_config_number(cst_config_get(object, key), value) || golden_fail(g, "no number \"%s\"", key);
}

const char *golden_read_string(golden *g, cst_config object, const char *key)
{
    const char *text = cst_config_string(cst_config_get(object, key));
    if (!text) golden_fail(g, "no text \"%s\"", key);
    return text;
}

double golden_noise(const golden *g, const char *key)
{
    double value = 0;
    return cst_config_number(cst_config_get(cst_config_get(g->root, "noise"), key), &value) ? value : 0;
}

golden_tensor golden_read_tensor(golden *g, cst_config config, const char *what)
{
    golden_tensor tensor = {0};
    double *shape = NULL, *data = NULL;
    size_t rank = 0, n = 0;
    if (!golden_read_numbers(g, cst_config_get(config, "shape"), what, &shape, &rank)) return tensor;
    if (!golden_read_numbers(g, cst_config_get(config, "data"), what, &data, &n)) return tensor;
    if (rank > CST_MAX_RANK) golden_fail(g, "%s: %zu dimensions", what, rank);
    tensor.shape.rank = rank;
    for (size_t i = 0; i < rank && rank <= CST_MAX_RANK; i++) tensor.shape.dim[i] = (size_t)shape[i];
    if (g->failed) return tensor;
    if (cst_shape_size(&tensor.shape) != n) {
        golden_fail(g, "%s: %zu numbers for %zu entries", what, n, cst_shape_size(&tensor.shape));
        return tensor;
    }
    tensor.n = n;
    tensor.data = data ? data : golden_keep(g, calloc(1, sizeof *data));
    return tensor;
}

real *golden_to_reals(golden *g, const golden_tensor *tensor)
{
    real *x = golden_reals(g, tensor->n);
    for (size_t i = 0; i < tensor->n; i++) x[i] = (real)tensor->data[i];
    return x;
}

cst_shape golden_row_shape(const golden_tensor *tensor, size_t drop)
{
    cst_shape shape = {0};
    for (size_t i = drop; i < tensor->shape.rank; i++) shape.dim[shape.rank++] = tensor->shape.dim[i];
    return shape;
}

/* ---- modules ------------------------------------------------------------------------------------------------- */

static const cst_registry *registry_of(const golden *g)
{
    return g->registry ? g->registry : &cst_all_modules;
}

static bool registered(const golden *g, const char *type)
{
    for (const cst_registry *r = registry_of(g); r; r = r->base)
        for (size_t i = 0; i < r->n_types; i++)
            if (strcmp(r->types[i]->name, type) == 0) return true;
    return false;
}

bool golden_types_known(golden *g, cst_config section)
{
    const char *type = cst_config_is_object(section) ? cst_config_string(cst_config_get(section, "type")) : NULL;
    if (type && !registered(g, type)) return golden_skip(g, "module type \"%s\" is not built yet", type);
    for (size_t i = 0; i < cst_config_length(section); i++)
        if (!golden_types_known(g, cst_config_item(section, i))) return false;
    return true;
}

cst_module *golden_module(golden *g, cst_config section, const cst_shape *x)
{
    cst_module *m = NULL;
    if (!golden_types_known(g, section)) return NULL;
    return golden_ok(g, "building", cst_module_from_config(registry_of(g), section, x, &m, &g->error)) ? m : NULL;
}

cst_module *golden_module_of_text(golden *g, const char *json, const cst_shape *x)
{
    cst_document *document = NULL;
    if (!golden_ok(g, json, cst_document_parse("case", json, strlen(json), &document, &g->error))) return NULL;
    cst_module *m = golden_module(g, cst_document_root(document), x);
    cst_document_free(document);
    return m;
}

/* A walk over a module's tensors beside a case's. */
typedef struct walk {
    golden *g;
    const char *what, *prefix;
    cst_config params;
    size_t seen;
    double tolerance, scale;
    real *theta;     /* read into */
    const real *got; /* compared */
} walk;

static cst_status visit(void *context, const char *name, const cst_shape *shape, size_t offset)
{
    walk *w = context;
    const size_t skip = strlen(w->prefix);
    if (strncmp(name, w->prefix, skip) != 0) return CST_OK;
    const golden_tensor tensor = golden_read_tensor(w->g, cst_config_get(w->params, name + skip), name);
    char ours[CST_SHAPE_TEXT], theirs[CST_SHAPE_TEXT], text[CST_TENSOR_NAME + 40];
    if (!tensor.data) return CST_EARG;
    if (!cst_shape_equal(shape, &tensor.shape)) {
        golden_fail(w->g, "%s: expected shape %s, got %s", name, cst_shape_text(&tensor.shape, theirs),
                    cst_shape_text(shape, ours));
        return CST_ESHAPE;
    }
    w->seen++;
    for (size_t i = 0; i < tensor.n; i++) w->scale = fmax(w->scale, fabs(tensor.data[i]));
    for (size_t i = 0; w->theta && i < tensor.n; i++) w->theta[offset + i] = (real)tensor.data[i];
    if (!w->got || w->tolerance < 0) return CST_OK;
    double *got = golden_keep(w->g, malloc((tensor.n + 1) * sizeof *got));
    for (size_t i = 0; i < tensor.n; i++) got[i] = (double)w->got[offset + i];
    snprintf(text, sizeof text, "%s %s", w->what, name + skip);
    golden_compare(w->g, text, got, tensor.data, tensor.n, w->tolerance, w->scale);
    return CST_OK;
}

static bool run_walk(const cst_module *m, walk *w)
{
    w->seen = 0;
    if (cst_module_visit_tensors(m, visit, w) != CST_OK)
        return w->g->failed ? false : golden_fail(w->g, "%s: failed", w->what);
    if (w->seen != cst_config_length(w->params))
        return golden_fail(w->g, "%s: the case has %zu tensors, the module %zu", w->what, cst_config_length(w->params),
                           w->seen);
    return !w->g->failed;
}

bool golden_read_params(golden *g, const cst_module *m, const char *prefix, cst_config params, real *theta)
{
    return run_walk(m, &(walk){.g = g, .what = "params", .prefix = prefix, .params = params, .theta = theta});
}

bool golden_compare_params(golden *g, const char *what, const cst_module *m, const char *prefix, cst_config params,
                           const real *got, double tolerance)
{
    /* Once for the largest entry of all, once to compare. */
    walk w = {.g = g, .what = what, .prefix = prefix, .params = params, .got = got, .tolerance = -1};
    if (!run_walk(m, &w)) return false;
    w.tolerance = tolerance;
    return run_walk(m, &w);
}

/* ---- comparing ----------------------------------------------------------------------------------------------- */

bool golden_compare(golden *g, const char *what, const double *got, const double *expected, size_t n, double tolerance,
                    double scale)
{
    double worst = -1;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        const double off = fabs(got[i] - expected[i]);
        if (off <= worst) continue;
        worst = off; /* also where off is NaN */
        at = i;
        if (isnan(off)) break;
    }
    if (n == 0 || worst <= tolerance * scale) return true;
    return golden_fail(g, "%s[%zu]: expected %.17g, got %.17g, off by %.3g, tolerance %.3g", what, at, expected[at],
                       got[at], worst, tolerance * scale);
}

bool golden_compare_reals(golden *g, const char *what, const real *got, const double *expected, size_t n,
                          double tolerance)
{
    double scale = 0;
    double *values = golden_keep(g, malloc((n + 1) * sizeof *values));
    for (size_t i = 0; i < n; i++) {
        scale = fmax(scale, fabs(expected[i]));
        values[i] = (double)got[i];
    }
    return golden_compare(g, what, values, expected, n, tolerance, scale);
}

bool golden_compare_tensor(golden *g, const char *what, const real *got, cst_config expected, double tolerance)
{
    const golden_tensor tensor = golden_read_tensor(g, expected, what);
    return tensor.data && golden_compare_reals(g, what, got, tensor.data, tensor.n, tolerance);
}

bool golden_compare_count(golden *g, const char *what, size_t got, double expected)
{
    return (double)got == expected || golden_fail(g, "%s: expected %.0f, got %zu", what, expected, got);
}

/* Attempt i of the case's entry: t, dt, ratio, accepted. */
static bool compare_attempt(golden *g, const char *what, const cst_attempt *attempt, double sign, cst_config entry)
{
    double *e = NULL;
    size_t n = 0;
    char text[120];
    if (!golden_read_numbers(g, entry, what, &e, &n)) return false;
    if (n != 4) return golden_fail(g, "%s: expected 4 numbers, got %zu", what, n);
    const double dt_tolerance = 1000 * golden_noise(g, "dt") + 1e-10,
                 ratio_tolerance = 1000 * golden_noise(g, "ratio") + 1e-10;
    const double t = sign * attempt->t, dt = sign * attempt->dt;
    snprintf(text, sizeof text, "%s.t", what);
    if (!golden_compare(g, text, &t, &e[0], 1, dt_tolerance, fmax(fabs(e[0]), fabs(e[1])))) return false;
    snprintf(text, sizeof text, "%s.dt", what);
    if (!golden_compare(g, text, &dt, &e[1], 1, dt_tolerance, fabs(e[1]))) return false;
    snprintf(text, sizeof text, "%s.ratio", what);
    if (!golden_compare(g, text, &attempt->ratio, &e[2], 1, ratio_tolerance, fmax(fabs(e[2]), 1e-3))) return false;
    return attempt->accepted == (e[3] != 0) || golden_fail(g, "%s: expected accepted = %g", what, e[3]);
}

static bool compare_solve(golden *g, const char *what, const cst_solve_stats *stats, size_t i, double sign,
                          cst_config solve)
{
    const cst_trace_start *start = &stats->starts[i];
    const cst_config attempts = cst_config_get(solve, "attempts");
    const size_t end = i + 1 < stats->n_starts ? start[1].first_attempt : stats->n_attempts;
    char text[100];
    double t0 = 0, first_dt = 0;
    if (!golden_read_number(g, solve, "t0", &t0) || !golden_read_number(g, solve, "first_dt", &first_dt)) return false;
    const double tolerance = 1000 * golden_noise(g, "dt") + 1e-10, our_t0 = sign * start->t0,
                 our_dt = sign * start->first_dt;
    snprintf(text, sizeof text, "%s.solves[%zu].t0", what, i);
    if (!golden_compare(g, text, &our_t0, &t0, 1, tolerance, fmax(fabs(t0), fabs(first_dt)))) return false;
    snprintf(text, sizeof text, "%s.solves[%zu].first_dt", what, i);
    if (!golden_compare(g, text, &our_dt, &first_dt, 1, tolerance, fabs(first_dt))) return false;
    for (size_t j = 0; j < cst_config_length(attempts) && start->first_attempt + j < end; j++) {
        snprintf(text, sizeof text, "%s.solves[%zu].attempts[%zu]", what, i, j);
        if (!compare_attempt(g, text, &stats->attempts[start->first_attempt + j], sign, cst_config_item(attempts, j)))
            return false;
    }
    snprintf(text, sizeof text, "%s.solves[%zu]: attempts", what, i);
    return golden_compare_count(g, text, end - start->first_attempt, (double)cst_config_length(attempts));
}

bool golden_compare_solves(golden *g, const char *what, const cst_solve_stats *stats, double sign, cst_config solves)
{
    const size_t n = cst_config_length(solves);
    for (size_t i = 0; i < n && i < stats->n_starts; i++)
        if (!compare_solve(g, what, stats, i, sign, cst_config_item(solves, i))) return false;
    return golden_compare_count(g, what, stats->n_starts, (double)n);
}
