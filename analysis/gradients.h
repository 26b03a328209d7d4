/* The gradient methods compared on one batch, with each other and with a finite difference. `costate check --gradients` prints
 * the result. */
#ifndef CST_ANALYSIS_GRADIENTS_H
#define CST_ANALYSIS_GRADIENTS_H

#include "train/experiment.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The result of one method. */
typedef struct cst_gradient_row {
    const char *method; /* a static string, such as "checkpointed, states" */
    double distance;    /* |g - exact| / |exact|, 2-norms over all parameters; NaN in the finite difference's row */
    double from_limit;  /* |g - limit| / |limit|; NaN if the limit could not be computed */
    double along;       /* derivative of the loss along a random unit vector */
    double nfe[2];      /* forward and backward evaluations, over all ODE blocks */
    double seconds;     /* of forward and backward pass together; the faster of two tries */
    cst_status status;  /* CST_OK, or the error of this method; the numbers are then not valid */
    char why[200];      /* the message of that error; empty if status is CST_OK */
} cst_gradient_row;

enum { CST_GRADIENT_ROWS = 5 };

/* Compute the gradient of the loss on the first training batch, at the initial weights, with each method in all ODE blocks
 * of the model. The rows are:
 *
 *   checkpointed, states    exact: the derivative of the discrete steps. The other rows' `distance` is from it.
 *   checkpointed, stages    exact as well, with more memory and fewer evaluations
 *   backsolve               the continuous adjoint, with the states integrated backwards
 *   interpolating           the continuous adjoint, with the states interpolated
 *   differences             (L(theta + h v) - L(theta - h v)) / 2h along a random unit vector v. Both solves take the
 *                           steps recorded at theta, so that it approximates the exact gradient's row.
 *
 * The limit is the gradient of the ODE itself: the exact gradient with tolerances tighter by a factor of 1000.
 *
 * A method that fails sets its row's status. Errors of the function: CST_EUNSUPPORTED for a model without ODE blocks, or
 * with one inside another's field or inside a module that creates it itself; CST_ENOMEM; any error of the exact row. */
CST_MUST_CHECK cst_status cst_gradients_compare(const cst_experiment *e, cst_gradient_row rows[CST_GRADIENT_ROWS],
                                                cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
