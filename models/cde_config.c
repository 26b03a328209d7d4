/* The part of models/cde.h that reads a neural CDE from a config. */
#include "adjoint/ode_config.h"
#include "layers/linear.h"
#include "models/cde.h"

/* What the keys are read into. path, times and output are indices of their choices. */
typedef struct cde_section {
    size_t hidden;
    int path, times, output;
    cst_config field, initial, solver, gradient;
} cde_section;

/* The choices of `path`: the kinds of a path, and rectilinear, which is a linear path through other knots. */
enum { RECTILINEAR = CST_PATH_HERMITE + 1 };
static const char *const paths[] = {[CST_PATH_LINEAR] = "linear",
                                    [CST_PATH_CUBIC] = "cubic",
                                    [CST_PATH_HERMITE] = "hermite",
                                    [RECTILINEAR] = "rectilinear",
                                    NULL};
static const char *const times[] = {"index", "channel", NULL};
static const char *const outputs[] = {"last", "all", NULL};

static const cst_key cde_keys[] = {
    {.name = "hidden",
     .kind = CST_KEY_SIZE,
     .offset = offsetof(cde_section, hidden),
     .range = CST_BETWEEN(1, 1e9),
     .help = "size of the state z"},
    {.name = "field",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(cde_section, field),
     .help = "F: a module from rows of `hidden` numbers to hidden x channels numbers",
     .holds = "module"},
    {.name = "initial",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(cde_section, initial),
     .fallback = "",
     .help = "a module from the channels at the first time to the initial z; a linear layer if absent",
     .holds = "module"},
    {.name = "path",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(cde_section, path),
     .fallback = "\"linear\"",
     .choices = paths,
     .help = "how x is interpolated; rectilinear: linear, but the time, channel 0, moves before the other channels"},
    {.name = "times",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(cde_section, times),
     .fallback = "\"index\"",
     .choices = times,
     .help = "times of the knots: 0, 1, ... (index), or those in channel 0 (channel)"},
    {.name = "output",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(cde_section, output),
     .fallback = "\"last\"",
     .choices = outputs,
     .help = "the state at the last time (last), or at every time (all)"},
    {.name = "solver",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(cde_section, solver),
     .fallback = "{}",
     .help = "options of the solver",
     .holds = "solver"},
    {.name = "gradient",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(cde_section, gradient),
     .fallback = "{}",
     .help = "how gradients are computed",
     .holds = "gradient"},
    {.name = NULL},
};

/* The module `initial` of the section, or a linear layer (C) -> (H). */
static cst_status make_initial(const cst_registry *registry, const cde_section *s, const cst_shape *x, cst_module **m,
                               cst_error *error)
{
    const cst_shape channels = cst_shape_1d(x->dim[1]);
    /* Without a section, a linear layer. */
    if (!cst_config_present(s->initial))
        return cst_linear_new(&channels, &(cst_linear_options){.out_features = s->hidden, .bias = true}, m, error);
    /* With one, a module whose output is (H). */
    CST_TRY(cst_module_from_config(registry, s->initial, &channels, m, error));
    if ((*m)->y.rank == 1 && (*m)->y.dim[0] == s->hidden) return CST_OK;
    char got[CST_SHAPE_TEXT];
    const cst_status status = cst_config_fail(s->initial, error, "expected a module to rows (%zu), got one to %s",
                                              s->hidden, cst_shape_text(&(*m)->y, got));
    cst_module_free(*m);
    return status;
}

/* The module of a section, for rows of shape x. */
static cst_status cde_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                           cst_error *error)
{
    cde_section s = {0};
    cst_cde_options o = {0};
    *m = NULL;
    CST_TRY(cst_config_read(section, cde_keys, true, &s, error));
    CST_TRY(cst_module_expect_rank(x, 2, "(T, C)", error));
    /* Indices of choices become options. */
    o.rectilinear = s.path == RECTILINEAR;
    o.path = o.rectilinear ? CST_PATH_LINEAR : (cst_path_kind)s.path;
    o.channel_times = s.times == 1;
    o.output_all = s.output == 1;
    CST_TRY(cst_ode_options_read(s.solver, s.gradient, &o.ode, error));
    /* Both networks, then the module, which takes ownership of them. */
    cst_module *initial = NULL, *network = NULL;
    const cst_shape hidden = cst_shape_1d(s.hidden);
    cst_status status = make_initial(registry, &s, x, &initial, error);
    if (status == CST_OK) {
        status = cst_module_from_config(registry, s.field, &hidden, &network, error);
        if (status != CST_OK) cst_module_free(initial);
    }
    if (status == CST_OK) status = cst_cde_new(x, initial, network, &o, m, error);
    cst_ode_options_clear(&o.ode);
    return status;
}

/* Configs for the conformance tests: every path, both outputs, fields with and without tanh. */
#define FIXED "\"solver\": {\"method\": \"rk4\", \"step_size\": 0.5}, \"gradient\": {\"method\": \"checkpointed\"}"
#define FIELD(out, last)                                                                                               \
    "\"field\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"linear\", \"out_features\": 5}, "                 \
    "{\"type\": \"softplus\"}, {\"type\": \"linear\", \"out_features\": " out "}" last "]}"
#define TANH ", {\"type\": \"tanh\"}"
static const cst_module_example examples[] = {
    {"{\"type\": \"cde\", \"hidden\": 4, " FIELD("12", TANH) ", " FIXED "}", {2, {4, 3}}},
    {"{\"type\": \"cde\", \"hidden\": 3, \"path\": \"cubic\", \"output\": \"all\", " FIELD("6", "") ", " FIXED "}",
     {2, {4, 2}}},
    {"{\"type\": \"cde\", \"hidden\": 3, \"path\": \"hermite\", " FIELD("6", TANH) ", " FIXED "}", {2, {3, 2}}},
    {"{\"type\": \"cde\", \"hidden\": 2, \"path\": \"rectilinear\", \"output\": \"all\", " FIELD("4", TANH) ", " FIXED
                                                                                                            "}",
     {2, {3, 2}}},
    {"{\"type\": \"cde\", \"hidden\": 2, " FIELD(
         "4", TANH) ", " CST_TIGHT_SOLVER
                    ", \"initial\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"tanh\"}]}}",
     {2, {3, 2}}},
};

const cst_module_type cst_cde_type = {
    .name = "cde",
    .summary = "neural CDE over series (T, C): z' = F(z) X'(t) along the path X through a row's values",
    .keys = cde_keys,
    .make = cde_make,
    .n_examples = sizeof examples / sizeof examples[0],
    .examples = examples,
};
