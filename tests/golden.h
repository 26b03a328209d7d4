/* Reference cases: functions that all their kinds share. A kind is a function that reads its case from the document,
 * computes, and compares. It returns when a comparison has failed or something that it needs is missing.
 * shared/golden/README.md describes the files and the tolerances. */
#ifndef CST_TESTS_GOLDEN_H
#define CST_TESTS_GOLDEN_H

#include "core/config.h"
#include "core/module.h"
#include "core/registry.h"
#include "ode/stats.h"
#include "train/optimizer.h"

#include <stdbool.h>
#include <stddef.h>

/* One case: its file, its document, and its result. */
typedef struct golden {
    const char *path;
    cst_config root;
    bool failed, skipped;
    bool left_out; /* the case compares in double, and `real` is float */
    cst_error error;
    const cst_registry *registry; /* the module types; NULL: cst_all_modules */
    const void *context;          /* context of the field's passes; may be NULL */
    const char *field;            /* prefix of its parameters' names in an ODE block: "field." */
    void **kept;                  /* freed at the end of the case */
    size_t n_kept, capacity;
} golden;

/* Print "FAIL path: ..." and record it, or "skip path: ...". Both return false. */
bool golden_fail(golden *g, const char *format, ...) CST_PRINTF(2, 3);
bool golden_skip(golden *g, const char *format, ...) CST_PRINTF(2, 3);
/* True if the status is CST_OK; otherwise fails the case with the error's message. */
bool golden_ok(golden *g, const char *what, cst_status status);

void *golden_keep(golden *g, void *memory); /* have memory freed with the case; exits if it is NULL */
real *golden_reals(golden *g, size_t n);    /* n reals of 0, freed with the case */

/* ---- reading ------------------------------------------------------------------------------------------------- */

/* {"shape": [...], "data": [...]}: n numbers; data is NULL after a failure. Everything read is freed with the case. */
typedef struct golden_tensor {
    cst_shape shape;
    double *data;
    size_t n;
} golden_tensor;

golden_tensor golden_read_tensor(golden *g, cst_config config, const char *what);

/* A list of numbers, and one number of an object; false after a failure, as for a missing key. */
bool golden_read_numbers(golden *g, cst_config config, const char *what, double **values, size_t *n);
bool golden_read_number(golden *g, cst_config object, const char *key, double *value);
/* The string of a key; NULL after a failure. */
const char *golden_read_string(golden *g, cst_config object, const char *key);
double golden_noise(const golden *g, const char *key); /* the noise that the case states; 0 if it states none */

/* The numbers of a tensor as reals; and the shape of a tensor without the leading `drop` dimensions. */
real *golden_to_reals(golden *g, const golden_tensor *tensor);
cst_shape golden_row_shape(const golden_tensor *tensor, size_t drop);

/* ---- modules ------------------------------------------------------------------------------------------------- */

/* Build a section's module for rows of shape x. NULL after a failure, or after a skip because a type is not
 * registered. */
cst_module *golden_module(golden *g, cst_config section, const cst_shape *x);
/* The same from JSON text. */
cst_module *golden_module_of_text(golden *g, const char *json, const cst_shape *x);
/* Skip the case if a "type" in the section is missing from cst_all_modules. */
bool golden_types_known(golden *g, cst_config section);

/* Read theta from {"name": tensor, ...}, which has every tensor of m under `prefix` and its name, and no other
 * tensor. */
bool golden_read_params(golden *g, const cst_module *m, const char *prefix, cst_config params, real *theta);
/* Compare a vector of theta's layout with such tensors, relative to the largest entry of all. */
bool golden_compare_params(golden *g, const char *what, const cst_module *m, const char *prefix, cst_config params,
                           const real *got, double tolerance);

/* ---- comparing ----------------------------------------------------------------------------------------------- */

/* Fail unless |got - expected| <= tolerance * scale in all entries; a failure prints the worst entry. */
bool golden_compare(golden *g, const char *what, const double *got, const double *expected, size_t n, double tolerance,
                    double scale);
/* The same for reals; scale is the largest expected entry. */
bool golden_compare_reals(golden *g, const char *what, const real *got, const double *expected, size_t n,
                          double tolerance);
/* The same with a tensor as the expected values. */
bool golden_compare_tensor(golden *g, const char *what, const real *got, cst_config expected, double tolerance);

/* Fail unless two counts are equal. */
bool golden_compare_count(golden *g, const char *what, size_t got, double expected);

/* Compare the attempts of a solve with those of the case. `sign` is -1 where the solver's time is the negative of the
 * case's. */
bool golden_compare_solves(golden *g, const char *what, const cst_solve_stats *stats, double sign, cst_config solves);

/* ---- blocks that integrate ----------------------------------------------------------------------------------- */

/* Copies of the solves of a forward and a backward pass. */
typedef struct golden_record {
    golden *g;
    cst_solve_stats stats[2];
    size_t reports[2];
} golden_record;

/* An observer's `solved`; its context is a golden_record. */
void golden_solved(void *context, const cst_module *block, bool backward, const cst_solve_stats *stats);
/* Compare one solve with the case's "forward" or "backward". */
bool golden_compare_record(golden *g, const golden_record *r, size_t backward, double sign);
/* A section with these keys, then the case's times, field, solver and gradient; NULL after a failure. */
const char *golden_section(golden *g, const char *keys);

/* An optimizer with its slots, and an update of n parameters; skips the case if the optimizer does not exist. */
bool golden_read_optimizer(golden *g, cst_config section, size_t n, cst_optimizer *o, cst_update *u);

/* ---- the kinds ----------------------------------------------------------------------------------------------- */

/* Each compares one case; its source file says what the kind is. */
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
