#include "models/energy.h"

cst_status cst_energy_check(const cst_module *h, const char *name, cst_error *error)
{
    char got[CST_SHAPE_TEXT];
    if (cst_shape_size(&h->y) != 1)
        return cst_fail(error, CST_ESHAPE, "expected \"%s\" to have one output per row, got %s", name,
                        cst_shape_text(&h->y, got));
    return cst_module_require(h, CST_PASS_JVP | CST_PASS_JVP_VJP, "an energy", error);
}

/* cache = [H (N) | the network's]; work = [ones (N) | dH (N) | tangent cache | the network's] */
void cst_energy_plan(const cst_module *h, size_t n, cst_plan *plan)
{
    cst_plan net;
    cst_module_plan(h, n, 1, 1, &net);
    plan->cache = cst_size_add(cst_size_align(n), net.cache);
    plan->work = cst_size_add(2 * cst_size_align(n), cst_size_add(cst_size_align(net.tangent), net.work));
    plan->tangent = 0;
}

/* Ones (N) at the front of work: the cotangent of H, and of its JVP. */
static real *ones(const cst_call *call)
{
    for (size_t i = 0; i < call->n; i++) call->work[i] = 1;
    return call->work;
}

cst_status cst_energy_gradient(const cst_module *h, const cst_call *call, const real *x, real *grad, real *cache)
{
    const real *one = ones(call);
    /* The network's call, with work after the ones and dH. */
    cst_call net = *call;
    net.work += 2 * cst_size_align(call->n);
    const cst_point point = {x, cache, cache + cst_size_align(call->n)};
    /* H, then dH/dx as the VJP of 1. */
    CST_TRY(cst_module_forward(h, &net, x, cache, cache + cst_size_align(call->n)));
    return cst_module_vjp(h, &net, &point, one, &(cst_grads){.scale = 1, .gx = grad});
}

/* forward: grad = dH/dx. d . grad is the JVP of H along d, so its derivatives are jvp_vjp with cotangents (0, 1). */
cst_status cst_energy_gradient_vjp(const cst_module *h, const cst_call *call, const real *x, const real *cache,
                                   const real *d, const cst_grads *g)
{
    /* The pieces of work and cache, as planned. */
    const size_t line = cst_size_align(call->n);
    const real *one = ones(call);
    cst_plan plan;
    cst_module_plan(h, call->n, 1, 1, &plan);
    /* The JVP along d fills the tangent cache, which jvp_vjp reads. */
    const cst_point point = {x, cache, cache + line};
    const cst_tangents along = {
        .capacity = 1, .count = 1, .xdot = d, .ydot = call->work + line, .cache = call->work + 2 * line};
    const cst_tangent_point tangents = {.capacity = 1, .count = 1, .xdot = d, .cache = along.cache};
    cst_call net = *call;
    net.work = along.cache + cst_size_align(plan.tangent);
    CST_TRY(cst_module_jvp(h, &net, &point, &along));
    return cst_module_jvp_vjp(h, &net, &point, &tangents, NULL, one, g);
}
