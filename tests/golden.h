/* Reference cases: what their kinds share. A kind is a function that reads its case from the document, computes, and
 * compares; it returns when a comparison has failed or something it needs is missing. shared/golden/README.md describes
 * the files and the tolerances. */
#ifndef CST_TESTS_GOLDEN_H
#define CST_TESTS_GOLDEN_H

#include "core/config.h"
#include "core/module.h"
#include "core/registry.h"
#include "ode/stats.h"
#include "train/optimizer.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct golden {
    const char *path;
    cst_config root;
    bool failed, skipped;
    bool left_out; /* in a build of floats */
    cst_error error;
    const cst_registry *registry; /* of module types; NULL: cst_all_modules */
    const void *context;          /* of a field */
    const char *field;            /* where its parameters are in an ODE block: "field." */
    void **kept;                  /* freed when the case is done */
    size_t n_kept, capacity;
} golden;

/* Print "FAIL path: ..." and note it; "skip path: ...". Both return false. */
bool golden_fail(golden *g, const char *format, ...) CST_PRINTF(2, 3);
bool golden_skip(golden *g, const char *format, ...) CST_PRINTF(2, 3);
/* Whether the status is CST_OK; fails with the error's message otherwise. */
bool golden_ok(golden *g, const char *what, cst_status status);

void *golden_keep(golden *g, void *memory); /* free it with the case; exits if it is NULL */
real *golden_reals(golden *g, size_t n);    /* zeros */

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* {"shape": [...], "data": [...]}; data NULL after a failure. */
typedef struct golden_tensor {
    cst_shape shape;
    double *data;
    size_t n;
} golden_tensor;

golden_tensor golden_read_tensor(golden *g, cst_config config, const char *what);
bool golden_read_numbers(golden *g, cst_config config, const char *what, double **values, size_t *n);
bool golden_read_number(golden *g, cst_config object, const char *key, double *value);
/* The text of a key; NULL after a failure. */
const char *golden_read_string(golden *g, cst_config object, const char *key);
double golden_noise(const golden *g, const char *key); /* 0 where there is none */

/* A tensor's numbers as reals, and its shape without the leading `drop` dimensions. */
real *golden_to_reals(golden *g, const golden_tensor *tensor);
cst_shape golden_row_shape(const golden_tensor *tensor, size_t drop);

/* ---- modules ------------------------------------------------------------------------------------------------- */

/* A section's module for rows of shape x; NULL after a failure, or after a skip for a type that is not registered. */
cst_module *golden_module(golden *g, cst_config section, const cst_shape *x);
/* The same from JSON text. */
cst_module *golden_module_of_text(golden *g, const char *json, const cst_shape *x);
/* Skips the case if a "type" within is none of cst_all_modules. */
bool golden_types_known(golden *g, cst_config section);

/* theta from {"name": tensor, ...}: every tensor of m under its name after `prefix`, and nothing else. */
bool golden_read_params(golden *g, const cst_module *m, const char *prefix, cst_config params, real *theta);
/* The same the other way: compare a vector like theta, relative to the largest entry of all. */
bool golden_compare_params(golden *g, const char *what, const cst_module *m, const char *prefix, cst_config params,
                           const real *got, double tolerance);

/* ---- comparing ----------------------------------------------------------------------------------------------- */

/* |got - expected| <= tolerance * scale in all entries; a failure prints the worst. */
bool golden_compare(golden *g, const char *what, const double *got, const double *expected, size_t n, double tolerance,
                    double scale);
/* The same for reals, scale the largest expected entry. */
bool golden_compare_reals(golden *g, const char *what, const real *got, const double *expected, size_t n,
                          double tolerance);
/* The same against a tensor. */
bool golden_compare_tensor(golden *g, const char *what, const real *got, cst_config expected, double tolerance);
bool golden_compare_count(golden *g, const char *what, size_t got, double expected);

/* The record of solves, attempt by attempt. `sign` is -1 where the solver's own time is the negative one. */
bool golden_compare_solves(golden *g, const char *what, const cst_solve_stats *stats, double sign, cst_config solves);

/* ---- blocks that integrate ----------------------------------------------------------------------------------- */

/* Their solves, copied as they are reported: forward, backward. */
typedef struct golden_record {
    golden *g;
    cst_solve_stats stats[2];
    size_t reports[2];
} golden_record;

/* An observer's `solved` with a golden_record. */
void golden_solved(void *context, const cst_module *block, bool backward, const cst_solve_stats *stats);
/* One solve's report against the case's "forward" or "backward". */
bool golden_compare_record(golden *g, const golden_record *r, size_t backward, double sign);
/* The case's times, field, solver and gradient as a section with these keys before them; NULL after a failure. */
const char *golden_section(golden *g, const char *keys);

/* An optimizer, and an update of n parameters with its slots; skips the case for one that is not there. */
bool golden_read_optimizer(golden *g, cst_config section, size_t n, cst_optimizer *o, cst_update *u);

/* ---- the kinds ----------------------------------------------------------------------------------------------- */

void golden_layer(golden *g);
void golden_solve(golden *g);
void golden_adjoint(golden *g);
void golden_symoden(golden *g);
void golden_cde(golden *g);
void golden_cnf(golden *g);
void golden_loss(golden *g);
void golden_optimizer(golden *g);
void golden_clip_grad_norm(golden *g);
void golden_schedule(golden *g);
void golden_train(golden *g);
void golden_mfcc(golden *g);

#endif
