#include "tests/ode_rig.h"

#include "models/registry.h"

#include <math.h>
#include <string.h>

static void watch(void *context, const cst_module *block, bool backward, const cst_solve_stats *stats)
{
    ode_rig_seen *s = context;
    (void)block;
    s->nfe[backward] += stats->nfe;
    s->accepted[backward] += stats->accepted;
    s->rejected[backward] += stats->rejected;
    s->failure = stats->failure;
    s->quadrature_nfe[backward] += stats->quadrature_nfe;
    for (size_t i = 0; i < stats->n_attempts && s->n_attempts[backward] < ODE_RIG_ATTEMPTS; i++)
        s->attempts[backward][s->n_attempts[backward]++] = stats->attempts[i];
}

/* Allocate the arrays of r->m and fill those that its passes read. */
static cst_status fill(ode_rig *r)
{
    const size_t n = r->n;
    const int threads = r->threads;
    r->in = n * cst_shape_size(&r->m->x);
    r->out = n * cst_shape_size(&r->m->y);
    cst_plan plan;
    cst_module_plan(r->m, n, 0, threads, &plan);
    const size_t sizes[] = {r->m->n_params, r->in, r->out, r->out, r->in, r->m->n_params, plan.cache, plan.work};
    real **arrays[] = {&r->theta, &r->x, &r->y, &r->gy, &r->gx, &r->gtheta, &r->cache, &r->work};
    size_t total = 0;
    for (size_t i = 0; i < 8; i++) total += cst_size_align(sizes[i]);
    cst_status status = cst_arena_init(&r->arena, total, &r->error);
    for (size_t i = 0; status == CST_OK && i < 8; i++) *arrays[i] = cst_arena_take(&r->arena, sizes[i]);
    if (status != CST_OK) return status;
    cst_module_init(r->m, cst_rng_new(1, CST_RNG_TEST), r->theta);
    cst_rng_fill_normal(cst_rng_new(2, CST_RNG_TEST), r->x, r->in, 1);
    cst_rng_fill_normal(cst_rng_new(3, CST_RNG_TEST), r->gy, r->out, 1);
    return CST_OK;
}

static cst_status build(ode_rig *r, const char *json, cst_shape x, size_t n, int threads, cst_module **m)
{
    memset(r, 0, sizeof *r);
    r->n = n;
    r->threads = threads;
    r->document = test_parse(json);
    return cst_module_from_config(&cst_all_modules, cst_document_root(r->document), &x, m, &r->error);
}

cst_status ode_rig_build(ode_rig *r, const char *json, cst_shape x, size_t n, int threads)
{
    CST_TRY(build(r, json, x, n, threads, &r->m));
    return fill(r);
}

cst_status ode_rig_build_block(ode_rig *r, const char *field, const cst_ode_options *options, cst_shape x, size_t n,
                               int threads)
{
    cst_module *m = NULL;
    CST_TRY(build(r, field, x, n, threads, &m));
    CST_TRY(cst_ode_new(m, options, &r->m, &r->error));
    return fill(r);
}

void ode_rig_clear(ode_rig *r)
{
    cst_arena_clear(&r->arena);
    cst_module_free(r->m);
    cst_document_free(r->document);
}

cst_call ode_rig_call(ode_rig *r, const cst_observer *observer)
{
    return (cst_call){
        .n = r->n, .threads = r->threads, .theta = r->theta, .work = r->work, .observer = observer, .error = &r->error};
}

cst_status ode_rig_forward(ode_rig *r)
{
    memset(&r->seen, 0, sizeof r->seen);
    const cst_observer observer = {.context = &r->seen, .trace = true, .solved = watch};
    const cst_call call = ode_rig_call(r, &observer);
    return cst_module_forward(r->m, &call, r->x, r->y, r->cache);
}

cst_status ode_rig_backward(ode_rig *r)
{
    const cst_observer observer = {.context = &r->seen, .trace = true, .solved = watch};
    const cst_call call = ode_rig_call(r, &observer);
    memset(r->gtheta, 0, r->m->n_params * sizeof(real));
    return cst_module_vjp(r->m, &call, &(cst_point){r->x, r->y, r->cache}, r->gy,
                          &(cst_grads){.scale = 1, .gx = r->gx, .gtheta = r->without_theta ? NULL : r->gtheta});
}

void ode_rig_run(ode_rig *r)
{
    if (ode_rig_forward(r) != CST_OK || ode_rig_backward(r) != CST_OK) fail_msg("%s", r->error.message);
}

double ode_rig_distance(const real *a, const real *b, size_t n)
{
    double worst = 0, scale = 1e-300;
    for (size_t i = 0; i < n; i++) {
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        scale = fmax(scale, fabs((double)b[i]));
    }
    return worst / scale;
}

double ode_rig_loss(ode_rig *r)
{
    if (ode_rig_forward(r) != CST_OK) fail_msg("%s", r->error.message);
    double sum = 0;
    for (size_t i = 0; i < r->out; i++) sum += (double)r->gy[i] * (double)r->y[i];
    return sum;
}

void ode_rig_compare_theta(ode_rig *r, const char *what, size_t stride, double tolerance)
{
    const real h = (real)1e-5;
    test_derivative seen = {0};
    for (size_t i = 0; i < r->m->n_params; i += stride) {
        const real saved = r->theta[i];
        r->theta[i] = saved + h;
        const double up = ode_rig_loss(r);
        r->theta[i] = saved - h;
        const double difference = (up - ode_rig_loss(r)) / (2 * (double)h);
        r->theta[i] = saved;
        test_derivative_compare(&seen, what, i, (double)r->gtheta[i], difference, tolerance * (1 + fabs(difference)));
    }
    test_derivative_end(&seen, what, false);
}
