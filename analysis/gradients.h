/* How far the gradient methods are from one another, and from differences, on one batch: what `check --gradients`
 * prints. */
#ifndef CST_ANALYSIS_GRADIENTS_H
#define CST_ANALYSIS_GRADIENTS_H

#include "train/experiment.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_gradient_row {
    const char *method;
    double distance;   /* |g - exact| / |exact| in the 2-norm over all parameters; NaN: not this kind of row */
    double from_limit; /* the same from the ODE's own gradient; NaN where that could not be had */
    double along;      /* derivative of the loss along a random direction */
    double nfe[2];     /* forward and backward, over all blocks */
    double seconds;    /* of both passes, the faster of two tries */
    cst_status status; /* CST_OK, or why there is no gradient */
    char why[200];
} cst_gradient_row;

enum { CST_GRADIENT_ROWS = 5 };

/* The gradient of the loss on the first batch of the training part, at the initial weights, by checkpointed (states
 * and stages; the exact one, which the others are compared with), backsolve and interpolating, in every ODE block of
 * the model alike; the ODE's own gradient is that of steps for tolerances a thousand times tighter; the last row is a
 * central difference of the loss along a random direction, each solve taking the steps that it took at the middle, as
 * the exact gradient does. Errors: as of cst_experiment_new; CST_EUNSUPPORTED for a model without an ODE block, or
 * with one inside another's field or of another module's own. */
CST_MUST_CHECK cst_status cst_gradients_compare(const cst_experiment *e, cst_gradient_row rows[CST_GRADIENT_ROWS],
                                                cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
