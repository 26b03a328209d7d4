/* The part of adjoint/gradient.h that is data: the table of gradient methods. adjoint/gradient.c is compiled once per
 * level of the processor (the Makefile's list `hot`) and may export functions only. */
#include "adjoint/backsolve.h"
#include "adjoint/checkpointed.h"

#include <string.h>

/* The paper's method (eq. 2 and 3). It needs nothing of the forward pass's steps. */
static const cst_gradient_ops backsolve = {
    .name = "backsolve",
    .summary = "solves the adjoint system backwards in time, and z with it",
    .keep = {CST_KEEP_NOTHING, CST_KEEP_NOTHING},
    .solves = true,
    .solves_for_z = true,
    .check = cst_backsolve_check,
    .work = cst_backsolve_work,
    .run = cst_backsolve_run,
};

/* Eq. 2 alone: z comes from dense output, which needs the stages. */
static const cst_gradient_ops interpolating = {
    .name = "interpolating",
    .summary = "solves the adjoint system alone, with z from the forward pass's dense output",
    .keep = {CST_KEEP_STAGES, CST_KEEP_STAGES},
    .solves = true,
    .solves_for_z = false,
    .check = cst_interpolating_check,
    .work = cst_interpolating_work,
    .run = cst_interpolating_run,
};

/* Backpropagation through the solver's steps (paper, section 1.3). */
static const cst_gradient_ops checkpointed = {
    .name = "checkpointed",
    .summary = "the exact gradient of the steps that the forward pass took",
    .keep = {[CST_STORE_STATES] = CST_KEEP_STATES, [CST_STORE_STAGES] = CST_KEEP_CACHES},
    .solves = false,
    .solves_for_z = false,
    .check = cst_checkpointed_check,
    .work = cst_checkpointed_work,
    .run = cst_checkpointed_run,
};

/* The table is made from the list of names in adjoint/gradient.h. */
#define ADDRESS(name) &name,
const cst_gradient_ops *const cst_gradient_methods[] = {CST_GRADIENT_METHODS(ADDRESS) NULL};

const cst_gradient_ops *cst_gradient_find(const char *name)
{
    /* The table is short: compare the names one after the other. */
    for (size_t i = 0; cst_gradient_methods[i]; i++)
        if (strcmp(cst_gradient_methods[i]->name, name) == 0) return cst_gradient_methods[i];
    return NULL;
}
