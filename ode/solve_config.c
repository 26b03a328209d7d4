/* The keys of a config's section "solver", and how they become options. */
#include "ode/solve_config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The choices of the keys "method" and "profile". */
#define NAME(name) #name,
static const char *const methods[] = {CST_TABLEAUS(NAME) NULL};
static const char *const profiles[] = {
    [CST_PROFILE_COSTATE] = "costate", [CST_PROFILE_TORCHDIFFEQ] = "torchdiffeq", NULL};

/* The values of a section as they are read: options, and indices and lists that are converted afterwards. */
typedef struct solver_section {
    int method, profile;
    cst_solve_options o;
    cst_config step_t, jump_t;
} solver_section;

#define OPTION(field) offsetof(solver_section, o.field)
const cst_key cst_solver_keys[] = {
    {.name = "method",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(solver_section, method),
     .fallback = "\"dopri5\"",
     .choices = methods,
     .help = "Runge-Kutta method"},
    {.name = "rtol",
     .kind = CST_KEY_REAL,
     .offset = OPTION(rtol),
     .fallback = "1e-3",
     .range = CST_AT_LEAST(0),
     .help = "relative tolerance"},
    {.name = "atol",
     .kind = CST_KEY_REAL,
     .offset = OPTION(atol),
     .fallback = "1e-3",
     .range = CST_AT_LEAST(0),
     .help = "absolute tolerance"},
    {.name = "profile",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(solver_section, profile),
     .fallback = "\"costate\"",
     .choices = profiles,
     .help = "sets the defaults of the keys below: those of costate, or of torchdiffeq 0.2.5"},
    {.name = "first_step",
     .kind = CST_KEY_REAL,
     .offset = OPTION(first_step),
     .fallback = "",
     .range = CST_POSITIVE,
     .help = "first step size; chosen by the solver if absent"},
    {.name = "min_step",
     .kind = CST_KEY_REAL,
     .offset = OPTION(min_step),
     .fallback = "",
     .range = CST_AT_LEAST(0),
     .help = "a step this short is accepted whatever its error"},
    {.name = "max_step",
     .kind = CST_KEY_REAL,
     .offset = OPTION(max_step),
     .fallback = "",
     .range = CST_POSITIVE,
     .help = "longest step"},
    {.name = "max_num_steps",
     .kind = CST_KEY_SIZE,
     .offset = OPTION(max_num_steps),
     .fallback = "",
     .range = CST_BETWEEN(1, 2147483647),
     .help = "most attempted steps between two outputs"},
    {.name = "safety",
     .kind = CST_KEY_REAL,
     .offset = OPTION(safety),
     .fallback = "",
     .range = CST_BETWEEN(1e-3, 1),
     .help = "factor on every proposed step size"},
    {.name = "ifactor",
     .kind = CST_KEY_REAL,
     .offset = OPTION(ifactor),
     .fallback = "",
     .range = CST_BETWEEN(1, 1e6),
     .help = "largest factor between two step sizes"},
    {.name = "dfactor",
     .kind = CST_KEY_REAL,
     .offset = OPTION(dfactor),
     .fallback = "",
     .range = CST_BETWEEN(1e-6, 1),
     .help = "smallest factor between two step sizes"},
    {.name = "step_size",
     .kind = CST_KEY_REAL,
     .offset = OPTION(step_size),
     .fallback = "",
     .range = CST_POSITIVE,
     .help = "step size of a method with fixed steps; one step per output interval if absent"},
    {.name = "step_t",
     .kind = CST_KEY_LIST,
     .offset = offsetof(solver_section, step_t),
     .fallback = "",
     .help = "times that a step must end on",
     .holds = "numbers"},
    {.name = "jump_t",
     .kind = CST_KEY_LIST,
     .offset = offsetof(solver_section, jump_t),
     .fallback = "",
     .help = "times at which the field jumps",
     .holds = "numbers"},
    {.name = "pi_controller",
     .kind = CST_KEY_BOOL,
     .offset = OPTION(pi_controller),
     .fallback = "",
     .help = "PI control: step sizes from the error ratios of two steps instead of one"},
    {.name = "classic_error",
     .kind = CST_KEY_BOOL,
     .offset = OPTION(classic_error),
     .fallback = "",
     .help = "error weights of the literature; torchdiffeq has two thirds of them for dopri5"},
    {.name = "clip_end",
     .kind = CST_KEY_BOOL,
     .offset = OPTION(clip_end),
     .fallback = "",
     .help = "the last step ends on the final time; if false it goes past and is interpolated"},
    {.name = "perturb_stages",
     .kind = CST_KEY_BOOL,
     .offset = OPTION(perturb_stages),
     .fallback = "",
     .help = "evaluate stages at the end of a step one ulp before it"},
    {.name = "reuse_last_stage",
     .kind = CST_KEY_BOOL,
     .offset = OPTION(reuse_last_stage),
     .fallback = "",
     .help = "reuse the last stage as the next first stage, even if the method is not FSAL"},
    {.name = "cast_times",
     .kind = CST_KEY_BOOL,
     .offset = OPTION(cast_times),
     .fallback = "",
     .help = "round times to the precision of the state"},
    {.name = "refine_dense",
     .kind = CST_KEY_BOOL,
     .offset = OPTION(refine_dense),
     .fallback = "",
     .help = "Hermite's cubic as dense output of bosh3, fehlberg2 and adaptive_heun"},
    {.name = "limit_first_step",
     .kind = CST_KEY_BOOL,
     .offset = OPTION(limit_first_step),
     .fallback = "",
     .help = "the automatic first step is not longer than the interval"},
    {.name = NULL},
};
enum { N_SOLVER_KEYS = sizeof cst_solver_keys / sizeof cst_solver_keys[0] };

/* Position of the method in cst_tableaus and in `methods`. */
static int index_of(const cst_tableau *method)
{
    /* A method of the caller's own is not in the table; its index is that of the table's end. */
    int i = 0;
    while (cst_tableaus[i] && cst_tableaus[i] != method) i++;
    return i;
}

/* Replace *times, which is freed, by a copy of the list, sorted and without duplicates. An absent list changes
 * nothing. */
static cst_status read_times(cst_config list, const double **times, size_t *n, cst_error *error)
{
    /* An absent list, or null. */
    if (!cst_config_present(list)) return CST_OK;
    /* Read the list, and free the times that it replaces. They are const only in the options' type. */
    double *values = NULL;
    CST_TRY(cst_config_reals(list, &values, n, error));
    *n = cst_sort_times(values, *n);
    free((void *)(uintptr_t)*times);
    *times = values;
    return CST_OK;
}

/* Change *options by a section. It is read twice if it names a profile, because a profile sets the defaults of the
 * other keys. */
static cst_status read_section(cst_config section, const cst_key *keys, cst_solve_options *options, cst_error *error)
{
    /* Absent keys keep the values of *options. A profile of -1 means that the section names none. */
    solver_section s = {.o = *options, .method = index_of(options->method)};
    int profile = -1;
    s.profile = profile;
    CST_TRY(cst_config_read(section, keys, false, &s, error));
    if (s.profile >= 0) {
        /* The profile is known now: set its defaults, keep times and tolerances, and read the section again. */
        const cst_solve_options before = *options;
        cst_solve_options_init(&s.o, (cst_profile)s.profile);
        s.o.step_t = before.step_t, s.o.n_step_t = before.n_step_t;
        s.o.jump_t = before.jump_t, s.o.n_jump_t = before.n_jump_t;
        s.o.rtol = before.rtol, s.o.atol = before.atol;
        CST_TRY(cst_config_read(section, keys, false, &s, error));
    }

    /* Convert the name of the method and the lists of times. */
    s.o.method = cst_tableaus[s.method];
    *options = s.o;
    CST_TRY(read_times(s.step_t, &options->step_t, &options->n_step_t, error));
    return read_times(s.jump_t, &options->jump_t, &options->n_jump_t, error);
}

cst_status cst_solve_options_read(cst_config section, cst_solve_options *options, cst_error *error)
{
    /* Defaults, then the section, then the check of all options together. */
    cst_solve_options_init(options, CST_PROFILE_COSTATE);
    options->rtol = options->atol = 1e-3;
    if (!cst_config_present(section)) return CST_OK;
    CST_TRY(read_section(section, cst_solver_keys, options, error));
    return cst_solve_options_check(options, error) == CST_OK ? CST_OK : cst_config_place(section, error);
}

cst_status cst_solve_options_override(cst_config section, cst_solve_options *options, cst_error *error)
{
    if (!cst_config_present(section)) return CST_OK;
    /* The same keys without defaults: an absent key leaves the option unchanged. */
    cst_key keys[N_SOLVER_KEYS];
    memcpy(keys, cst_solver_keys, sizeof keys);
    for (size_t i = 0; keys[i].name; i++) keys[i].fallback = "";
    return read_section(section, keys, options, error);
}

/* *to = a copy of times (n), NULL for n = 0. */
static cst_status copy_times(const double *from, size_t n, const double **to, cst_error *error)
{
    /* An empty list has no array. */
    *to = NULL;
    if (n == 0) return CST_OK;
    double *copy = malloc(n * sizeof *copy);
    if (!copy) return cst_fail(error, CST_ENOMEM, "cannot allocate %zu times", n);
    memcpy(copy, from, n * sizeof *copy);
    *to = copy;
    return CST_OK;
}

cst_status cst_solve_options_copy(cst_solve_options *to, const cst_solve_options *from, cst_error *error)
{
    *to = *from;
    to->jump_t = NULL;
    CST_TRY(copy_times(from->step_t, from->n_step_t, &to->step_t, error));
    /* After a failure *to owns nothing. */
    const cst_status status = copy_times(from->jump_t, from->n_jump_t, &to->jump_t, error);
    if (status != CST_OK) cst_solve_options_clear(to);
    return status;
}

void cst_solve_options_clear(cst_solve_options *options)
{
    /* The pointers are const because options may also refer to arrays of the caller. These arrays are the options'
     * own. */
    free((void *)(uintptr_t)options->step_t);
    free((void *)(uintptr_t)options->jump_t);
    options->step_t = options->jump_t = NULL;
    options->n_step_t = options->n_jump_t = 0;
}
