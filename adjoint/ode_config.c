/* The keys of the module type "ode" and of its section "gradient", and how they become options. */
#include "adjoint/ode_config.h"

#include "adjoint/trajectory.h"
#include "ode/solve_config.h"

#include <stdlib.h>

/* The section of a module of type "ode". */
typedef struct ode_section {
    cst_config t, field, solver, gradient;
    int output;
    bool learn_t;
} ode_section;

/* The choices of the key "output": index 1 is output_all. */
static const char *const outputs[] = {"last", "all", NULL};
/* The keys of a module of type "ode". */
static const cst_key ode_keys[] = {
    {.name = "t",
     .kind = CST_KEY_LIST,
     .offset = offsetof(ode_section, t),
     .fallback = "[0, 1]",
     .help = "times of the solution; the input is the state at the first",
     .holds = "times"},
    {.name = "field",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(ode_section, field),
     .help = "the vector field, a module",
     .holds = "module"},
    {.name = "output",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(ode_section, output),
     .fallback = "\"last\"",
     .choices = outputs,
     .help = "the output has the state at the last time, or at all times"},
    {.name = "learn_t",
     .kind = CST_KEY_BOOL,
     .offset = offsetof(ode_section, learn_t),
     .fallback = "false",
     .help = "learn the times: they are a parameter"},
    {.name = "solver",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(ode_section, solver),
     .fallback = "{}",
     .help = "options of the solver",
     .holds = "solver"},
    {.name = "gradient",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(ode_section, gradient),
     .fallback = "{}",
     .help = "how gradients are computed",
     .holds = "gradient"},
    {.name = NULL},
};

/* The section "gradient". Choices are indices. */
typedef struct gradient_section {
    int method, store;
    size_t kept_steps;
    cst_config norm, solver;
    double rtol, atol;
} gradient_section;

/* The choices of the keys "method" and "store". */
#define NAME(name) #name,
static const char *const methods[] = {CST_GRADIENT_METHODS(NAME) NULL};
static const char *const stores[] = {[CST_STORE_STATES] = "states", [CST_STORE_STAGES] = "stages", NULL};
/* The keys of the section "gradient". Tolerances and solver have no defaults here: the forward solver's values are
 * kept. */
const cst_key cst_gradient_keys[] = {
    {.name = "method",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(gradient_section, method),
     .fallback = "\"backsolve\"",
     .choices = methods,
     .help = "gradient method"},
    {.name = "store",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(gradient_section, store),
     .fallback = "\"states\"",
     .choices = stores,
     .help = "what checkpointed keeps of a step: the state at its start, or its stages too"},
    {.name = "kept_steps",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(gradient_section, kept_steps),
     .fallback = "64",
     .range = CST_BETWEEN(2, CST_MAX_SLOTS),
     .help = "number of steps that checkpointed and interpolating keep"},
    {.name = "norm",
     .kind = CST_KEY_ANY,
     .offset = offsetof(gradient_section, norm),
     .fallback = "\"seminorm\"",
     .help = "error norm of the adjoint system",
     .holds = "norm"},
    {.name = "rtol",
     .kind = CST_KEY_REAL,
     .offset = offsetof(gradient_section, rtol),
     .fallback = "",
     .range = CST_AT_LEAST(0),
     .help = "relative tolerance of the backward solve; the solver's if absent"},
    {.name = "atol",
     .kind = CST_KEY_REAL,
     .offset = offsetof(gradient_section, atol),
     .fallback = "",
     .range = CST_AT_LEAST(0),
     .help = "absolute tolerance of the backward solve; the solver's if absent"},
    {.name = "solver",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(gradient_section, solver),
     .fallback = "",
     .help = "options in which the backward solve differs from the forward one",
     .holds = "solver"},
    {.name = NULL},
};

/* Read the section "gradient" after the forward options, which are the defaults of the backward ones. */
static cst_status read_gradient(cst_config section, cst_ode_options *o, cst_error *error)
{
    gradient_section g = {.rtol = o->forward.rtol, .atol = o->forward.atol};
    CST_TRY(cst_config_read(section, cst_gradient_keys, false, &g, error));

    /* The method, and its norm. */
    CST_TRY(cst_adjoint_norm_read(g.norm, o->integrals, o->n_integrals, &o->norm, error));
    o->gradient = cst_gradient_methods[g.method];
    o->store = (cst_store)g.store;
    o->kept_steps = g.kept_steps;

    /* Backward options: the forward ones, then the tolerances, then the section "solver". */
    CST_TRY(cst_solve_options_copy(&o->backward, &o->forward, error));
    o->backward.rtol = g.rtol;
    o->backward.atol = g.atol;
    CST_TRY(cst_solve_options_override(g.solver, &o->backward, error));
    o->fresh_solves = !o->backward.clip_end; /* profile torchdiffeq */
    /* The backward options are checked together, after all of them are known. */
    if (cst_solve_options_check(&o->backward, error) != CST_OK) return cst_config_place(section, error);
    return CST_OK;
}

cst_status cst_ode_options_read_integrals(cst_config solver, cst_config gradient, const cst_integral *integrals,
                                          size_t n_integrals, cst_ode_options *options, cst_error *error)
{
    /* Defaults, and the integrals, whose blocks the norm may name. */
    cst_ode_options_init(options);
    options->n_integrals = n_integrals;
    for (size_t i = 0; i < n_integrals && i < CST_MAX_INTEGRALS; i++) options->integrals[i] = integrals[i];
    /* The forward options come first, because the backward ones start from them. After a failure free what was read. */
    cst_status status = cst_solve_options_read(solver, &options->forward, error);
    if (status == CST_OK) status = read_gradient(gradient, options, error);
    if (status != CST_OK) cst_ode_options_clear(options);
    return status;
}

cst_status cst_ode_options_read(cst_config solver, cst_config gradient, cst_ode_options *options, cst_error *error)
{
    return cst_ode_options_read_integrals(solver, gradient, NULL, 0, options, error);
}

void cst_ode_options_clear(cst_ode_options *options)
{
    cst_solve_options_clear(&options->forward);
    cst_solve_options_clear(&options->backward);
}

/* Make a block from its section: options, times and field. */
static cst_status ode_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                           cst_error *error)
{
    /* Read the section. After the options are read, they are freed in any case. */
    ode_section s = {0};
    cst_ode_options o;
    double *times = NULL;
    cst_module *field = NULL;
    CST_TRY(cst_config_read(section, ode_keys, true, &s, error));
    CST_TRY(cst_ode_options_read(s.solver, s.gradient, &o, error));

    /* cst_ode_new copies the times, so they are freed in any case. */
    cst_status status = cst_config_reals(s.t, &times, &o.n_times, error);
    /* The field is built for the same rows x. cst_ode_new takes ownership of it. */
    if (status == CST_OK) status = cst_module_from_config(registry, s.field, x, &field, error);
    if (status == CST_OK) {
        o.times = times;
        o.output_all = s.output == 1;
        o.learn_t = s.learn_t;
        status = cst_ode_new(field, &o, m, error);
    }
    /* The block has copies of all arrays. */
    free(times);
    cst_ode_options_clear(&o);
    return status;
}

/* A small network whose output depends on t. */
#define MLP                                                                                                            \
    CST_JSON({                                                                                                         \
        "type": "sequential",                                                                                          \
        "layers": [                                                                                                    \
            {"type": "concat_time"}, {"type": "linear", "out_features": 5}, {"type": "tanh"},                          \
            {"type": "linear", "out_features": 3}                                                                      \
        ]                                                                                                              \
    })
/* Backsolve; learnt times that decrease; a block inside a block; fixed steps; stored stages; interpolating. */
static const cst_module_example examples[] = {
    {"{\"type\": \"ode\", " CST_TIGHT_SOLVER ", \"field\": " MLP "}", {1, {3}}},
    {"{\"type\": \"ode\", \"t\": [1, 0.6, 0], \"output\": \"all\", \"learn_t\": true, " CST_TIGHT_SOLVER
     ", \"field\": " MLP ", \"gradient\": {\"norm\": \"default\"}}",
     {1, {3}}},
    {"{\"type\": \"ode\", \"t\": [0, 0.5], " CST_TIGHT_SOLVER
     ", \"field\": {\"type\": \"ode\", \"t\": [0, 0.5], " CST_TIGHT_SOLVER ", \"field\": " MLP "}}",
     {1, {3}}},
    {"{\"type\": \"ode\", \"t\": [0, 0.3, 1], \"output\": \"all\", \"solver\": {\"method\": \"rk4\", \"step_size\": "
     "0.25}, "
     "\"field\": " MLP ", \"gradient\": {\"method\": \"checkpointed\"}}",
     {1, {3}}},
    {"{\"type\": \"ode\", " CST_TIGHT_SOLVER ", \"field\": " MLP
     ", \"gradient\": {\"method\": \"checkpointed\", \"store\": \"stages\", \"kept_steps\": 2}}",
     {1, {3}}},
    {"{\"type\": \"ode\", " CST_TIGHT_SOLVER ", \"field\": " MLP
     ", \"gradient\": {\"method\": \"interpolating\", \"kept_steps\": 3}}",
     {1, {3}}},
};

/* The entry of the registry of modules. */
const cst_module_type cst_ode_type = {
    .name = "ode",
    .summary = "neural ODE block: integrates a field over times t",
    .keys = ode_keys,
    .make = ode_make,
    .n_examples = sizeof examples / sizeof examples[0],
    .examples = examples,
};
