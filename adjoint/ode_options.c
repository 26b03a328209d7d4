/* The part of adjoint/ode_block.h that is about options: defaults, checks and copies. */
#include "adjoint/ode_internal.h"

#include "adjoint/field.h"
#include "ode/solve_config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is kept of the steps depends on the method and on the option `store`. */
cst_trajectory cst_ode_trajectory(const cst_ode_options *o, const cst_module *field, const cst_call *c,
                                  const real *memory)
{
    return cst_trajectory_at(field, c->n, c->threads, &o->forward, o->gradient->keep[o->store], o->kept_steps, memory);
}

/* A method that does not solve differentiates the forward pass's steps, so it gets the forward options. */
cst_gradient_problem cst_ode_gradient_problem(const cst_ode_options *o, const cst_module *field, const cst_call *c,
                                              const cst_trajectory *trajectory)
{
    return (cst_gradient_problem){.field = field,
                                  .call = c,
                                  .options = o->gradient->solves ? &o->backward : &o->forward,
                                  .norm = &o->norm,
                                  .fresh_solves = o->fresh_solves,
                                  .n_times = o->n_times,
                                  .integrals = o->integrals,
                                  .trajectory = trajectory,
                                  .want_theta = true,
                                  .want_times = true,
                                  .n_context = cst_size_mul(c->n, o->context_row)};
}

cst_status cst_ode_check_times(const double *times, size_t n, cst_error *error)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(times[i]))
            return cst_fail(error, CST_EARG, "expected finite times, got t[%zu] = %g", i, times[i]);
        /* All differences have the sign of the first one. */
        if (i > 0 && !((times[i] - times[i - 1]) * (times[1] - times[0]) > 0))
            return cst_fail(error, CST_EARG, "expected times that increase or decrease, got t[%zu] = %g after %g", i,
                            times[i], times[i - 1]);
    }
    return CST_OK;
}

/* The shapes of the field, and the weights of its integrals. */
static cst_status check_integrals(const cst_module *field, const cst_ode_options *o, cst_error *error)
{
    CST_TRY(cst_field_check(field, o->n_integrals, error));
    for (size_t i = 0; i < o->n_integrals; i++) {
        const double weight = o->integral_weights[i];
        if (!(weight >= 0) || !isfinite(weight))
            return cst_fail(error, CST_EARG, "expected a weight of at least 0 for %s, got %g", o->integrals[i].name,
                            weight);
        /* A quadrature has no dense output, so it has no value at times between. */
        if (weight == 0 && o->n_times > 2)
            return cst_fail(error, CST_EUNSUPPORTED,
                            "integral %s with weight 0 is known only at the last time: expected two times, got %zu",
                            o->integrals[i].name, o->n_times);
    }
    return CST_OK;
}

/* What the gradient method says, for one row. */
static cst_status check_gradient(const cst_module *field, const cst_ode_options *o, cst_error *error)
{
    /* A table entry, and enough slots to drop every second one. */
    if (!o->gradient) return cst_fail(error, CST_EARG, "expected a gradient method, got NULL");
    if (o->kept_steps < 2 || o->kept_steps > CST_MAX_SLOTS)
        return cst_fail(error, CST_EARG, "expected kept_steps from 2 to %d, got %zu", CST_MAX_SLOTS, o->kept_steps);

    /* A problem with one row, and a trajectory without memory. */
    const cst_call row = {.n = 1, .threads = 1};
    const cst_trajectory trajectory = cst_ode_trajectory(o, field, &row, NULL);
    const cst_gradient_problem problem = cst_ode_gradient_problem(o, field, &row, &trajectory);
    return o->gradient->check(&problem, error);
}

cst_status cst_ode_options_check(const cst_module *field, const cst_ode_options *o, cst_error *error)
{
    /* Shapes and times. */
    CST_TRY(check_integrals(field, o, error));
    if (o->n_times < 2) return cst_fail(error, CST_EARG, "expected at least 2 times, got %zu", o->n_times);
    CST_TRY(cst_ode_check_times(o->times, o->n_times, error));
    if (o->output_all && field->y.rank == CST_MAX_RANK)
        return cst_fail(error, CST_ESHAPE, "expected a state of fewer than %d dimensions with every time in the output",
                        CST_MAX_RANK);

    /* Solvers and gradient method. */
    CST_TRY(cst_solve_options_check(&o->forward, error));
    CST_TRY(cst_solve_options_check(&o->backward, error));
    return check_gradient(field, o, error);
}

cst_status cst_ode_options_copy(cst_ode_options *to, const cst_ode_options *from, cst_error *error)
{
    /* Nothing to free yet, in case an allocation fails. */
    *to = *from;
    to->forward = to->backward = (cst_solve_options){0};
    to->times = NULL;

    /* The times, then the step times and jump times of both solvers. */
    double *times = malloc(from->n_times * sizeof *times);
    if (!times) return cst_fail(error, CST_ENOMEM, "cannot allocate %zu times", from->n_times);
    memcpy(times, from->times, from->n_times * sizeof *times);
    to->times = times;
    CST_TRY(cst_solve_options_copy(&to->forward, &from->forward, error));
    return cst_solve_options_copy(&to->backward, &from->backward, error);
}

void cst_ode_options_init(cst_ode_options *options)
{
    /* Times 0 and 1, the first method of the table, and two solvers under profile costate. */
    static const double unit[2] = {0, 1};
    *options = (cst_ode_options){.times = unit, .n_times = 2, .gradient = cst_gradient_methods[0], .kept_steps = 64};
    cst_solve_options_init(&options->forward, CST_PROFILE_COSTATE);
    cst_solve_options_init(&options->backward, CST_PROFILE_COSTATE);
    /* The seminorm, and weight 1 for integrals in the forward norm. */
    if (cst_adjoint_norm_init(&options->norm, "seminorm", NULL) != CST_OK) return; /* never: that name is known */
    for (size_t i = 0; i < CST_MAX_INTEGRALS; i++) options->integral_weights[i] = 1;
}
