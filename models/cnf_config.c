/* The part of models/cnf.h that reads a cnf from a config. */
#include "models/cnf.h"

#include "adjoint/ode_config.h"
#include "ode/solve_config.h"

#include <stdlib.h>

/* What the keys of a cnf are read into. */
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
     .help = "the times of the data and of the base",
     .holds = "two_numbers"},
    {.name = "field",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(cnf_section, field),
     .help = "f, a module that keeps the shape of its rows and whose layers have jvp and jvp_vjp",
     .holds = "module"},
    {.name = "divergence",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(cnf_section, divergence),
     .fallback = "\"hutchinson\"",
     .choices = divergences,
     .help =
         "how div f is computed: a sum over all dimensions (exact), or an unbiased estimate with noise (hutchinson)"},
    {.name = "noise",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(cnf_section, noise),
     .fallback = "\"rademacher\"",
     .choices = noises,
     .help = "distribution of the estimate's noise, which is drawn once per solve"},
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
     .help = "what differs in evaluation",
     .holds = "evaluation"},
    {.name = NULL},
};

/* The section `integrals` is read directly into the options' weights. */
#define WEIGHT(i) offsetof(cst_cnf_options, weights) + (i) * sizeof(double)
const cst_key cst_cnf_integral_keys[] = {
    {.name = "logp",
     .kind = CST_KEY_REAL,
     .offset = WEIGHT(CST_CNF_LOGP),
     .fallback = "1",
     .range = CST_AT_LEAST(0),
     .help = "weight of the log-density; 0: a quadrature, no part of the ODE"},
    {.name = "kinetic",
     .kind = CST_KEY_REAL,
     .offset = WEIGHT(CST_CNF_KINETIC),
     .fallback = "1",
     .range = CST_AT_LEAST(0),
     .help = "weight of the kinetic energy; 0: a quadrature"},
    {.name = "jacobian",
     .kind = CST_KEY_REAL,
     .offset = WEIGHT(CST_CNF_JACOBIAN),
     .fallback = "1",
     .range = CST_AT_LEAST(0),
     .help = "weight of the Jacobian's norm; 0: a quadrature"},
    {.name = NULL},
};

/* What the keys of the section `evaluation` are read into; the defaults are the training options'. */
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
     .help = "relative tolerance; that of the solver if absent"},
    {.name = "atol",
     .kind = CST_KEY_REAL,
     .offset = offsetof(evaluation_section, atol),
     .fallback = "",
     .range = CST_AT_LEAST(0),
     .help = "absolute tolerance; that of the solver if absent"},
    {.name = "divergence",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(evaluation_section, divergence),
     .fallback = "",
     .choices = divergences,
     .help = "how div f is computed; as in training if absent"},
    {.name = NULL},
};

/* All options of the section. With a section `evaluation`, *evaluation is filled and o refers to it; its arrays belong
 * to o->ode. On failure nothing has to be freed. */
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
    /* The weights of the integrals, then which integrals there are. */
    CST_TRY(cst_config_read(s->integrals, cst_cnf_integral_keys, false, o, error));
    const size_t n = cst_cnf_list_integrals(o, list);
    for (size_t i = 0; i < n; i++) integrals[i] = cst_cnf_integrals[list[i]];
    /* The solver and the adjoint, whose norm may name these integrals. */
    CST_TRY(cst_ode_options_read_integrals(s->solver, s->gradient, integrals, n, &o->ode, error));
    if (!cst_config_present(s->evaluation)) return CST_OK;
    /* Evaluation mode: the training options but for tolerances and divergence. */
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

/* Exactly two numbers. */
static cst_status read_times(cst_config list, double times[2], cst_error *error)
{
    double *read = NULL;
    size_t n = 0;
    CST_TRY(cst_config_reals(list, &read, &n, error));
    for (size_t i = 0; i < n && i < 2; i++) times[i] = read[i];
    free(read);
    return n == 2 ? CST_OK : cst_config_fail(list, error, "expected two times, got %zu", n);
}

/* The module of a section, for rows of shape x. */
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
    /* The network, and a second instance if evaluation differs. cst_cnf_new takes ownership of both. */
    cst_status status = cst_module_from_config(registry, s.field, x, &network, error);
    if (status == CST_OK && o.evaluation) {
        status = cst_module_from_config(registry, s.field, x, &twin, error);
        if (status != CST_OK) cst_module_free(network);
    }
    if (status == CST_OK) status = cst_cnf_new(network, twin, &o, m, error);
    cst_ode_options_clear(&o.ode);
    return status;
}

/* Configs for the conformance tests: both divergences, both noises, regularizers in and out of the norm, evaluation. */
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
    .summary = "continuous normalizing flow: a row integrated along a field, with the change of its log-density",
    .keys = cnf_keys,
    .make = cnf_make,
    .n_examples = sizeof cnf_examples / sizeof *cnf_examples,
    .examples = cnf_examples,
};
