#include "models/cnf.h"

#include "core/arena.h"

#include <string.h>

typedef struct cnf {
    cst_module base;
    cst_noise noise;
    bool draws[2];          /* whether the divergence needs noise: [false] in evaluation, [true] in training */
    cst_module *evaluation; /* the ODE block of evaluation mode, owned; NULL: the child */
    double times[2];        /* t_1 and t_0: those of the inverse */
    double penalty[CST_N_CNF_INTEGRALS]; /* weight of each column after z in a flow's penalty */
    size_t n_integrals;
} cnf;

const cst_integral cst_cnf_integrals[CST_N_CNF_INTEGRALS] = {[CST_CNF_LOGP] = {"logp", "a_logp"},
                                                             [CST_CNF_KINETIC] = {"kinetic", "a_kinetic"},
                                                             [CST_CNF_JACOBIAN] = {"jacobian", "a_jacobian"}};

static const cnf *cnf_of(const cst_module *m)
{
    return (const cnf *)(const void *)m;
}

/* The ODE block of training or evaluation mode. */
static const cst_module *ode_of(const cst_module *m, bool train)
{
    const cnf *f = cnf_of(m);
    return train || !f->evaluation ? m->children[0].module : f->evaluation;
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* cache = [noise (N, D), if any mode draws | the block's] */
static size_t noise_size(const cst_module *m, size_t n)
{
    const cnf *f = cnf_of(m);
    return f->draws[0] || f->draws[1] ? cst_size_align(cst_size_mul(n, cst_shape_size(&m->x))) : 0;
}

/* The larger of both modes. */
static void cnf_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    cst_plan other;
    cst_module_plan(ode_of(m, true), n, k, threads, plan);
    cst_module_plan(ode_of(m, false), n, k, threads, &other);
    if (other.cache > plan->cache) plan->cache = other.cache;
    if (other.work > plan->work) plan->work = other.work;
    plan->cache = cst_size_add(noise_size(m, n), plan->cache);
}

/* Noise e (n, D) of the call's rows. Number i of the whole batch depends on i alone. A sign is one bit: 64 signs per
 * draw. */
static void draw(const cst_module *m, const cst_call *c, real *e)
{
    const uint64_t d = cst_shape_size(&m->x), first = (uint64_t)c->row * d, end = first + c->n * d;
    /* Normal numbers: one draw each. */
    if (cnf_of(m)->noise == CST_NOISE_NORMAL) {
        for (uint64_t i = first; i < end; i++) *e++ = (real)cst_rng_normal(c->rng, i);
        return;
    }
    /* Signs: bit i % 64 of draw i / 64, whatever the first row is. */
    uint64_t bits = cst_rng_bits(c->rng, first / 64);
    for (uint64_t i = first; i < end; i++) {
        if (i % 64 == 0) bits = cst_rng_bits(c->rng, i / 64);
        *e++ = bits >> i % 64 & 1 ? 1 : -1;
    }
}

/* The ODE block's call. It refers to *noise unless the call has a context or the mode needs no noise. */
static cst_call call_ode(const cst_module *m, const cst_call *c, const real *e, cst_cnf_noise *noise)
{
    cst_call call = cst_call_child(m, c, 0, c->work);
    *noise = (cst_cnf_noise){.e = e, .row = c->row};
    /* The caller's context, if it has one, replaces the noise. */
    if (!c->context && cnf_of(m)->draws[c->train]) call.context = noise;
    return call;
}

/* A forward pass over the block's own times, or over those of the span. */
static cst_status integrate(const cst_module *m, const cst_call *c, const cst_span *span, const real *x, real *y,
                            real *cache)
{
    cst_cnf_noise noise;
    cst_call call = call_ode(m, c, cache, &noise);
    if (call.context == &noise) draw(m, c, cache);
    /* The noise stays in the cache for the VJP. */
    call.span = span;
    return cst_module_forward(ode_of(m, c->train), &call, x, y, cache + noise_size(m, c->n));
}

static cst_status cnf_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    return integrate(m, c, NULL, x, y, cache);
}

cst_status cst_cnf_inverse_piece(const cst_module *m, const cst_call *c, double from, double to, const real *z, real *y,
                                 real *cache)
{
    /* The ends are taken as they are, so that a piece that is everything has exactly the block's times. */
    const double *t = cnf_of(m)->times;
    const double times[2] = {from == 0 ? t[0] : t[0] + from * (t[1] - t[0]),
                             to == 1 ? t[1] : t[0] + to * (t[1] - t[0])};
    const cst_span span = {.times = times, .n_times = 2};
    return integrate(m, c, &span, z, y, cache);
}

cst_status cst_cnf_inverse(const cst_module *m, const cst_call *c, const real *z, real *y, real *cache)
{
    return cst_cnf_inverse_piece(m, c, 0, 1, z, y, cache);
}

/* forward: y = the ODE block of x, with the noise in the cache. */
static cst_status cnf_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                          const cst_grads *g)
{
    cst_cnf_noise noise;
    cst_call call = call_ode(m, c, p->cache, &noise);
    call.span = NULL; /* as in a forward pass, whatever the call says */
    const cst_point point = {p->x, p->y, p->cache + noise_size(m, c->n)};
    return cst_module_vjp(ode_of(m, c->train), &call, &point, gy, g);
}

static void cnf_destroy(cst_module *m)
{
    cst_module_free(((cnf *)(void *)m)->evaluation);
}

static const cst_module_ops cnf_ops = {
    .name = "cnf", .plan = cnf_plan, .forward = cnf_forward, .vjp = cnf_vjp, .destroy = cnf_destroy};

bool cst_is_cnf(const cst_module *m)
{
    return m->ops == &cnf_ops;
}

size_t cst_cnf_penalties(const cst_module *m, double weights[CST_N_CNF_INTEGRALS])
{
    const cnf *f = cnf_of(m);
    memcpy(weights, f->penalty, sizeof f->penalty);
    return f->n_integrals;
}

/* ---- construction ------------------------------------------------------------------------------------------------ */

void cst_cnf_options_init(cst_cnf_options *options)
{
    *options = (cst_cnf_options){.weights = {1, 1, 1}};
    cst_ode_options_init(&options->ode);
}

size_t cst_cnf_list_integrals(const cst_cnf_options *o, cst_cnf_integral list[CST_N_CNF_INTEGRALS])
{
    size_t n = 0;
    list[n++] = CST_CNF_LOGP;
    if (o->kinetic > 0) list[n++] = CST_CNF_KINETIC;
    if (o->jacobian > 0) list[n++] = CST_CNF_JACOBIAN;
    return n;
}

/* The ODE block of one mode around a network, which it takes. */
static cst_status make_block(cst_module *network, const cst_cnf_options *o, bool evaluation, cst_module **block,
                             cst_error *error)
{
    cst_module *field = NULL;
    cst_ode_options ode = o->ode;
    cst_cnf_integral list[CST_N_CNF_INTEGRALS];
    /* The integrals, as blocks of the forward solve's norm. */
    ode.n_integrals = cst_cnf_list_integrals(o, list);
    for (size_t i = 0; i < ode.n_integrals; i++) {
        ode.integrals[i] = cst_cnf_integrals[list[i]];
        ode.integral_weights[i] = o->weights[list[i]];
    }
    ode.output_all = false;
    if (evaluation && o->evaluation) ode.forward = *o->evaluation;
    /* The field has the mode's divergence and the integrals that have a weight. */
    const cst_cnf_field_options f = {.divergence = evaluation ? o->evaluation_divergence : o->divergence,
                                     .kinetic = o->kinetic > 0,
                                     .jacobian = o->jacobian > 0};
    *block = NULL;
    CST_TRY(cst_cnf_field_new(network, &f, &field, error));
    return cst_ode_new(field, &ode, block, error);
}

/* Both modes' blocks; block[1] stays NULL without a twin. Takes the networks, also on failure. */
static cst_status make_blocks(cst_module *network, cst_module *twin, const cst_cnf_options *o, cst_module *block[2],
                              cst_error *error)
{
    cst_status status = CST_OK;
    if (o->ode.n_times != 2 || o->ode.learn_t)
        status = cst_fail(error, CST_EARG, "expected two times that are not learned, got %zu%s", o->ode.n_times,
                          o->ode.learn_t ? " that are" : "");
    /* Once a block has failed, the remaining networks are freed here. */
    cst_module *const networks[2] = {network, twin};
    /* Block 0 is that of training, block 1 that of evaluation. */
    for (size_t i = 0; i < 2; i++) {
        if (status == CST_OK && networks[i])
            status = make_block(networks[i], o, i == 1, &block[i], error);
        else
            cst_module_free(networks[i]);
    }
    return status;
}

cst_status cst_cnf_new(cst_module *network, cst_module *twin, const cst_cnf_options *o, cst_module **m,
                       cst_error *error)
{
    cst_module *made = NULL, *block[2] = {NULL};
    *m = NULL;
    cst_status status = make_blocks(network, twin, o, block, error);
    if (status == CST_OK) status = cst_module_new(sizeof(cnf), &cnf_ops, &block[0]->x, &made, error);
    if (status != CST_OK) {
        cst_module_free(block[0]);
        cst_module_free(block[1]);
        return status;
    }
    /* What the passes need to know. The child is the training block, the other one has no parameters of its own. */
    cnf *f = (cnf *)(void *)made;
    f->noise = o->noise;
    f->evaluation = block[1];
    f->draws[true] = o->divergence == CST_DIVERGENCE_HUTCHINSON;
    f->draws[false] = (block[1] ? o->evaluation_divergence : o->divergence) == CST_DIVERGENCE_HUTCHINSON;
    f->times[0] = o->ode.times[1], f->times[1] = o->ode.times[0];
    /* The weight of each integral of y in a flow's penalty; the log-density has none. */
    cst_cnf_integral list[CST_N_CNF_INTEGRALS];
    const double penalties[CST_N_CNF_INTEGRALS] = {0, o->kinetic, o->jacobian};
    f->n_integrals = cst_cnf_list_integrals(o, list);
    for (size_t i = 0; i < f->n_integrals; i++) f->penalty[i] = penalties[list[i]];
    /* The child frees block 0 with the module; cnf_destroy frees block 1. */
    made->y = block[0]->y;
    status = cst_module_add_child(made, "ode", block[0], error);
    if (status == CST_OK)
        *m = made;
    else
        cst_module_free(made);
    return status;
}
