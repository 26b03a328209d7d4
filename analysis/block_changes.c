#include "analysis/block_changes.h"

#include "core/real.h"
#include "core/text.h"
#include "ode/tableau.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* True if a section is an ODE block with its own "solver" and "gradient". */
static bool is_block(cst_config section)
{
    static const char *const types[] = {"ode", "cde", "cnf"};
    const char *type = cst_config_string(cst_config_get(section, "type"));
    for (size_t i = 0; type && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(type, types[i]) == 0) return true;
    return false;
}

/* ---- recorded steps ------------------------------------------------------------------------------------------ */

/* True if a list of numbers contains t. */
static bool has_time(cst_config list, double t)
{
    double number;
    for (cst_config item = cst_config_item(list, 0); item.node; item = cst_config_next(item))
        if (cst_config_number(item, &number) && number == t) return true;
    return false;
}

/* Append the end times of the accepted steps as a JSON list. Jumps are left out: the solver stops there anyway. */
static void put_step_times(cst_text *list, cst_config jumps, const cst_solve_stats *stats)
{
    bool first = true;
    cst_text_puts(list, "[");
    for (size_t i = 0; i < stats->n_attempts; i++) {
        const cst_attempt *a = &stats->attempts[i];
        if (!a->accepted) continue;
        /* The next attempt's start is exact; t + dt may have been rounded. */
        const double end = i + 1 < stats->n_attempts ? a[1].t : a->t + a->dt;
        if (has_time(jumps, end)) continue;
        cst_text_puts(list, first ? "" : ", ");
        cst_text_number(list, end);
        first = false;
    }
    cst_text_puts(list, "]");
}

/* Make the solver take the recorded steps. It must stop at each recorded time ("step_t"), and huge tolerances and steps let
 * it propose the whole way to the next one. The PI controller keeps its proposal when a step is cut short by a stop. */
static cst_status replay_steps(cst_config solver, const cst_solve_stats *stats, cst_error *error)
{
    static const char *const options[][2] = {
        {"rtol", "1e12"}, {"first_step", "1e12"}, {"max_step", "1e12"}, {"pi_controller", "true"}};
    /* Stop at each recorded time. */
    cst_text list = {0};
    put_step_times(&list, cst_config_get(solver, "jump_t"), stats);
    cst_status status = list.failed ? cst_fail(error, CST_ENOMEM, "out of memory") : CST_OK;
    if (status == CST_OK) status = cst_config_put(solver, "step_t", list.data, error);
    /* Accept everything, and propose steps that are too long. */
    for (size_t i = 0; status == CST_OK && i < sizeof options / sizeof options[0]; i++)
        status = cst_config_put(solver, options[i][0], options[i][1], error);
    free(list.data);
    return status;
}

/* ---- method and tolerances ----------------------------------------------------------------------------------- */

/* Set "method" and "store" in the section "gradient", which is added if it is missing. */
static cst_status change_gradient(cst_config block, const cst_block_change *c, cst_error *error)
{
    char value[40];
    if (!cst_config_present(cst_config_get(block, "gradient"))) CST_TRY(cst_config_put(block, "gradient", "{}", error));
    /* Both values are words of the program's own, which need no escapes. */
    const cst_config gradient = cst_config_get(block, "gradient");
    snprintf(value, sizeof value, "\"%s\"", c->method);
    CST_TRY(cst_config_put(gradient, "method", value, error));
    if (!c->store) return CST_OK;
    snprintf(value, sizeof value, "\"%s\"", c->store);
    return cst_config_put(gradient, "store", value, error);
}

/* Multiply rtol and atol by 1e-3. Single precision cannot resolve an rtol below a few roundings. */
static cst_status tighten(cst_config solver, cst_error *error)
{
    static const char *const keys[] = {"rtol", "atol"};
    const char *method = cst_config_string(cst_config_get(solver, "method"));
    const cst_tableau *tableau = method ? cst_tableau_find(method) : NULL;
    /* Only adaptive methods have tolerances. */
    char text[40];
    if (!tableau || !tableau->adaptive)
        return cst_fail(error, CST_EUNSUPPORTED, "expected a solver that follows tolerances, got fixed steps");
    for (size_t i = 0; i < 2; i++) {
        double value;
        if (!cst_config_number(cst_config_get(solver, keys[i]), &value))
            return cst_fail(error, CST_EUNSUPPORTED, "expected a number as %s, to tighten it", keys[i]);
        snprintf(text, sizeof text, "%.17g", fmax(1e-3 * value, i == 0 ? 8 * (double)CST_REAL_EPSILON : 0));
        CST_TRY(cst_config_put(solver, keys[i], text, error));
    }
    return CST_OK;
}

/* ---- all blocks ---------------------------------------------------------------------------------------------- */

/* Change block number i. */
static cst_status change_block(cst_config block, size_t i, const cst_block_change *c, cst_error *error)
{
    if (c->method) CST_TRY(change_gradient(block, c, error));
    if (c->tighten) CST_TRY(tighten(cst_config_get(block, "solver"), error));
    if (!c->replay || i >= c->n_replay) return CST_OK;
    /* A solver with fixed steps repeats them by itself. */
    const cst_solve_stats *stats = &c->replay[i];
    if (!cst_config_present(cst_config_get(block, "solver"))) CST_TRY(cst_config_put(block, "solver", "{}", error));
    if (stats->n_attempts == 0 || !cst_tableau_find(stats->method)->adaptive) return CST_OK;
    return replay_steps(cst_config_get(block, "solver"), stats, error);
}

/* Count the blocks of a subtree into *n, and change them if `c` is not NULL. */
static cst_status visit(cst_config at, const cst_block_change *c, size_t *n, cst_error *error)
{
    if (is_block(at)) {
        if (c) CST_TRY(change_block(at, *n, c, error));
        (*n)++;
    }
    /* Depth first, in the order of the text: modules solve in the same order. */
    for (cst_config child = cst_config_item(at, 0); child.node; child = cst_config_next(child))
        CST_TRY(visit(child, c, n, error));
    return CST_OK;
}

size_t cst_block_sections(cst_config model)
{
    size_t n = 0;
    (void)visit(model, NULL, &n, NULL); /* counting cannot fail */
    return n;
}

cst_status cst_block_change_all(cst_config model, const cst_block_change *change, cst_error *error)
{
    size_t n = 0;
    return visit(model, change, &n, error);
}
