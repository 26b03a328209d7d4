#include "models/cnf.h"

#include "adjoint/ode_config.h"
#include "core/arena.h"
#include "ode/solve_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct cnf {
    cst_module base;
    cst_noise noise;
    bool draws[2];                       /* in evaluation, in training mode: the divergence needs noise */
    cst_module *evaluation;              /* the ODE block of evaluation mode; NULL: the child */
    double times[2];                     /* backwards */
    double penalty[CST_N_CNF_INTEGRALS]; /* of each integral there is */
    size_t n_integrals;
} cnf;

const cst_integral cst_cnf_integrals[CST_N_CNF_INTEGRALS] = {[CST_CNF_LOGP] = {"logp", "a_logp"},
                                                             [CST_CNF_KINETIC] = {"kinetic", "a_kinetic"},
                                                             [CST_CNF_JACOBIAN] = {"jacobian", "a_jacobian"}};

static const cnf *cnf_of(const cst_module *m)
{
    return (const cnf *)(const void *)m;
}

static const cst_module *ode_of(const cst_module *m, bool train)
{
    const cnf *f = cnf_of(m);
    return train || !f->evaluation ? m->children[0].module : f->evaluation;
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* cache = [noise (N, D) | the block's] */
static size_t noise_size(const cst_module *m, size_t n)
{
    const cnf *f = cnf_of(m);
    return f->draws[0] || f->draws[1] ? cst_size_align(cst_size_mul(n, cst_shape_size(&m->x))) : 0;
}

static void cnf_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    cst_plan other;
    cst_module_plan(ode_of(m, true), n, k, threads, plan);
    cst_module_plan(ode_of(m, false), n, k, threads, &other);
    if (other.cache > plan->cache) plan->cache = other.cache;
    if (other.work > plan->work) plan->work = other.work;
    plan->cache = cst_size_add(noise_size(m, n), plan->cache);
}

/* Of the rows at hand; a sign is a bit of a draw, 64 of them in each. */
static void draw(const cst_module *m, const cst_call *c, real *e)
{
    const uint64_t d = cst_shape_size(&m->x), first = (uint64_t)c->row * d, end = first + c->n * d;
    if (cnf_of(m)->noise == CST_NOISE_NORMAL) {
        for (uint64_t i = first; i < end; i++) *e++ = (real)cst_rng_normal(c->rng, i);
        return;
    }
    uint64_t bits = cst_rng_bits(c->rng, first / 64);
    for (uint64_t i = first; i < end; i++) {
        if (i % 64 == 0) bits = cst_rng_bits(c->rng, i / 64);
        *e++ = bits >> i % 64 & 1 ? 1 : -1;
    }
}

/* The block's call; the noise that it refers to is the caller's. */
static cst_call call_ode(const cst_module *m, const cst_call *c, const real *e, cst_cnf_noise *noise)
{
    cst_call call = cst_call_child(m, c, 0, c->work);
    *noise = (cst_cnf_noise){.e = e, .row = c->row};
    if (!c->context && cnf_of(m)->draws[c->train]) call.context = noise;
    return call;
}

static cst_status integrate(const cst_module *m, const cst_call *c, const cst_span *span, const real *x, real *y,
                            real *cache)
{
    cst_cnf_noise noise;
    cst_call call = call_ode(m, c, cache, &noise);
    if (call.context == &noise) draw(m, c, cache);
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

static cst_status cnf_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                          const cst_grads *g)
{
    cst_cnf_noise noise;
    cst_call call = call_ode(m, c, p->cache, &noise);
    call.span = NULL; /* as in forward passes, whatever calls this */
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

/* Which integrals there are, in the order of their columns. */
static size_t list_integrals(const cst_cnf_options *o, cst_cnf_integral list[CST_N_CNF_INTEGRALS])
{
    size_t n = 0;
    list[n++] = CST_CNF_LOGP;
    if (o->kinetic > 0) list[n++] = CST_CNF_KINETIC;
    if (o->jacobian > 0) list[n++] = CST_CNF_JACOBIAN;
    return n;
}

static cst_status make_block(cst_module *network, const cst_cnf_options *o, bool evaluation, cst_module **block,
                             cst_error *error)
{
    cst_module *field = NULL;
    cst_ode_options ode = o->ode;
    cst_cnf_integral list[CST_N_CNF_INTEGRALS];
    ode.n_integrals = list_integrals(o, list);
    for (size_t i = 0; i < ode.n_integrals; i++) {
        ode.integrals[i] = cst_cnf_integrals[list[i]];
        ode.integral_weights[i] = o->weights[list[i]];
    }
    ode.output_all = false;
    if (evaluation && o->evaluation) ode.forward = *o->evaluation;
    const cst_cnf_field_options f = {.divergence = evaluation ? o->evaluation_divergence : o->divergence,
                                     .kinetic = o->kinetic > 0,
                                     .jacobian = o->jacobian > 0};
    *block = NULL;
    CST_TRY(cst_cnf_field_new(network, &f, &field, error));
    return cst_ode_new(field, &ode, block, error);
}

static cst_status make_blocks(cst_module *network, cst_module *twin, const cst_cnf_options *o, cst_module *block[2],
                              cst_error *error)
{
    cst_status status = CST_OK;
    if (o->ode.n_times != 2 || o->ode.learn_t)
        status = cst_fail(error, CST_EARG, "expected two times, got %zu", o->ode.n_times);
    cst_module *const networks[2] = {network, twin};
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
    cnf *f = (cnf *)(void *)made;
    f->noise = o->noise;
    f->evaluation = block[1];
    f->draws[true] = o->divergence == CST_DIVERGENCE_HUTCHINSON;
    f->draws[false] = (block[1] ? o->evaluation_divergence : o->divergence) == CST_DIVERGENCE_HUTCHINSON;
    f->times[0] = o->ode.times[1], f->times[1] = o->ode.times[0];
    cst_cnf_integral list[CST_N_CNF_INTEGRALS];
    const double penalties[CST_N_CNF_INTEGRALS] = {0, o->kinetic, o->jacobian};
    f->n_integrals = list_integrals(o, list);
    for (size_t i = 0; i < f->n_integrals; i++) f->penalty[i] = penalties[list[i]];
    made->y = block[0]->y;
    status = cst_module_add_child(made, "ode", block[0], error);
    if (status == CST_OK)
        *m = made;
    else
        cst_module_free(made);
    return status;
}

/* ---- config ------------------------------------------------------------------------------------------------------ */

typedef struct cnf_section {
    cst_config t, field, solver, gradient, integrals, evaluation;
    int divergence, noise;
    double kinetic, jacobian;
} cnf_section;

static const char *const divergences[] = {
    [CST_DIVERGENCE_EXACT] = "exact", [CST_DIVERGENCE_HUTCHINSON] = "hutchinson", NULL};
static const char *const noises[] = {[CST_NOISE_RADEMACHER] = "rademacher", [CST_NOISE_NORMAL] = "normal", NULL};

static const cst_key cnf_keys[] = {
    {.name = "t",
     .kind = CST_KEY_LIST,
     .offset = offsetof(cnf_section, t),
     .fallback = "[0, 1]",
     .help = "times: of the data, of the base",
     .holds = "two_numbers"},
    {.name = "field",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(cnf_section, field),
     .help = "f, a module that keeps the shape of its rows and has all tangent passes",
     .holds = "module"},
    {.name = "divergence",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(cnf_section, divergence),
     .fallback = "\"hutchinson\"",
     .choices = divergences,
     .help = "of f: as a sum over all dimensions, or an unbiased estimate by noise"},
    {.name = "noise",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(cnf_section, noise),
     .fallback = "\"rademacher\"",
     .choices = noises,
     .help = "of the estimate, drawn once a solve"},
    {.name = "kinetic",
     .kind = CST_KEY_REAL,
     .offset = offsetof(cnf_section, kinetic),
     .fallback = "0",
     .range = CST_AT_LEAST(0),
     .help = "weight of int |f|^2 dt in a flow's penalty; 0: not integrated"},
    {.name = "jacobian",
     .kind = CST_KEY_REAL,
     .offset = offsetof(cnf_section, jacobian),
     .fallback = "0",
     .range = CST_AT_LEAST(0),
     .help = "weight of int |df/dz|^2 dt, estimated like the divergence; 0: not integrated"},
    {.name = "solver",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(cnf_section, solver),
     .fallback = "{}",
     .help = "options of the solver",
     .holds = "solver"},
    {.name = "gradient",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(cnf_section, gradient),
     .fallback = "{}",
     .help = "how gradients are computed",
     .holds = "gradient"},
    {.name = "integrals",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(cnf_section, integrals),
     .fallback = "{}",
     .help = "weights in the forward solve's norm",
     .holds = "integrals"},
    {.name = "evaluation",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(cnf_section, evaluation),
     .fallback = "",
     .help = "what is different where nothing is learnt",
     .holds = "evaluation"},
    {.name = NULL},
};

#define WEIGHT(i) offsetof(cst_cnf_options, weights) + (i) * sizeof(double)
const cst_key cst_cnf_integral_keys[] = {
    {.name = "logp",
     .kind = CST_KEY_REAL,
     .offset = WEIGHT(CST_CNF_LOGP),
     .fallback = "1",
     .range = CST_AT_LEAST(0),
     .help = "of the log-density; 0: a quadrature, not a part of the ODE"},
    {.name = "kinetic",
     .kind = CST_KEY_REAL,
     .offset = WEIGHT(CST_CNF_KINETIC),
     .fallback = "1",
     .range = CST_AT_LEAST(0),
     .help = "of the kinetic energy, likewise"},
    {.name = "jacobian",
     .kind = CST_KEY_REAL,
     .offset = WEIGHT(CST_CNF_JACOBIAN),
     .fallback = "1",
     .range = CST_AT_LEAST(0),
     .help = "of the Jacobian's norm, likewise"},
    {.name = NULL},
};

typedef struct evaluation_section {
    double rtol, atol;
    int divergence;
} evaluation_section;

const cst_key cst_cnf_evaluation_keys[] = {
    {.name = "rtol",
     .kind = CST_KEY_REAL,
     .offset = offsetof(evaluation_section, rtol),
     .fallback = "",
     .range = CST_AT_LEAST(0),
     .help = "relative tolerance; the solver's if absent"},
    {.name = "atol",
     .kind = CST_KEY_REAL,
     .offset = offsetof(evaluation_section, atol),
     .fallback = "",
     .range = CST_AT_LEAST(0),
     .help = "absolute tolerance; the solver's if absent"},
    {.name = "divergence",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(evaluation_section, divergence),
     .fallback = "",
     .choices = divergences,
     .help = "of f; as in training if absent"},
    {.name = NULL},
};

/* All but the network's; `evaluation` is options of the forward solve, of which arrays are the training options' own. */
static cst_status read_options(const cnf_section *s, cst_cnf_options *o, cst_solve_options *evaluation,
                               cst_error *error)
{
    cst_integral integrals[CST_N_CNF_INTEGRALS];
    cst_cnf_integral list[CST_N_CNF_INTEGRALS];
    cst_cnf_options_init(o);
    o->divergence = o->evaluation_divergence = (cst_divergence)s->divergence;
    o->noise = (cst_noise)s->noise;
    o->kinetic = s->kinetic;
    o->jacobian = s->jacobian;
    CST_TRY(cst_config_read(s->integrals, cst_cnf_integral_keys, false, o, error));
    const size_t n = list_integrals(o, list);
    for (size_t i = 0; i < n; i++) integrals[i] = cst_cnf_integrals[list[i]];
    CST_TRY(cst_ode_options_read_integrals(s->solver, s->gradient, integrals, n, &o->ode, error));
    if (!cst_config_present(s->evaluation)) return CST_OK;
    evaluation_section e = {o->ode.forward.rtol, o->ode.forward.atol, s->divergence};
    cst_status status = cst_config_read(s->evaluation, cst_cnf_evaluation_keys, false, &e, error);
    *evaluation = o->ode.forward;
    evaluation->rtol = e.rtol;
    evaluation->atol = e.atol;
    o->evaluation = evaluation;
    o->evaluation_divergence = (cst_divergence)e.divergence;
    if (status == CST_OK && cst_solve_options_check(evaluation, error) != CST_OK)
        status = cst_config_place(s->evaluation, error);
    if (status != CST_OK) cst_ode_options_clear(&o->ode);
    return status;
}

static cst_status read_times(cst_config list, double times[2], cst_error *error)
{
    double *read = NULL;
    size_t n = 0;
    CST_TRY(cst_config_reals(list, &read, &n, error));
    for (size_t i = 0; i < n && i < 2; i++) times[i] = read[i];
    free(read);
    return n == 2 ? CST_OK : cst_config_fail(list, error, "expected two times, got %zu", n);
}

static cst_status cnf_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                           cst_error *error)
{
    cnf_section s = {0};
    cst_cnf_options o;
    cst_solve_options evaluation;
    double times[2];
    cst_module *network = NULL, *twin = NULL;
    *m = NULL;
    CST_TRY(cst_config_read(section, cnf_keys, true, &s, error));
    CST_TRY(read_times(s.t, times, error));
    CST_TRY(read_options(&s, &o, &evaluation, error));
    o.ode.times = times, o.ode.n_times = 2;
    cst_status status = cst_module_from_config(registry, s.field, x, &network, error);
    if (status == CST_OK && o.evaluation) {
        status = cst_module_from_config(registry, s.field, x, &twin, error);
        if (status != CST_OK) cst_module_free(network);
    }
    if (status == CST_OK) status = cst_cnf_new(network, twin, &o, m, error);
    cst_ode_options_clear(&o.ode);
    return status;
}

#define MLP                                                                                                            \
    "\"field\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"concat_squash_linear\", \"out_features\": 4}, "   \
    "{\"type\": \"tanh\"}, {\"type\": \"concat_squash_linear\", \"out_features\": 2}]}"
#define CONVOLUTION                                                                                                    \
    "\"field\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"concat_time\"}, {\"type\": \"conv2d\", "          \
    "\"out_channels\": 2, \"kernel\": 3, \"padding\": 1}, {\"type\": \"softplus\"}, {\"type\": \"conv2d\", "           \
    "\"out_channels\": 1, \"kernel\": 1}]}"
static const cst_module_example cnf_examples[] = {
    {"{\"type\": \"cnf\", \"divergence\": \"exact\", " CST_TIGHT_SOLVER ", " MLP "}", {1, {2}}},
    {"{\"type\": \"cnf\", \"t\": [1, 0.2], \"noise\": \"normal\", \"kinetic\": 0.1, \"jacobian\": 0.2, \"integrals\": "
     "{\"logp\": 0, \"kinetic\": 0, \"jacobian\": 0}, " CST_TIGHT_SOLVER ", " MLP
     ", \"gradient\": {\"norm\": {\"norm\": \"seminorm\", \"logp\": 0, \"a_logp\": 0, \"kinetic\": 0, \"jacobian\": "
     "0}}}",
     {1, {2}}},
    {"{\"type\": \"cnf\", \"jacobian\": 0.5, \"evaluation\": {\"divergence\": \"exact\"}, " CST_TIGHT_SOLVER
     ", " CONVOLUTION ", \"gradient\": {\"method\": \"checkpointed\"}}",
     {3, {1, 2, 3}}},
};

const cst_module_type cst_cnf_type = {
    .name = "cnf",
    .summary = "continuous normalizing flow: a row integrated along a field, and what becomes of its log-density",
    .keys = cnf_keys,
    .make = cnf_make,
    .n_examples = sizeof cnf_examples / sizeof *cnf_examples,
    .examples = cnf_examples,
};
