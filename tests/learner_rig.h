/* A learner with a model from JSON and rows to train it on, for tests of training steps. */
#ifndef CST_TESTS_LEARNER_RIG_H
#define CST_TESTS_LEARNER_RIG_H

#include "tests/helpers.h"
#include "train/learner.h"

/* Rows have D numbers and one of CLASSES labels. */
enum { MAX_ROWS = 256, D = 2, CLASSES = 3 };

/* Pieces of models, as JSON in which ' stands for ". ODE_MODEL has an ODE block of `width` components. */
#define LINEAR(out) "{'type': 'linear', 'out_features': " out "}"
#define SEQUENTIAL(layers) "{'type': 'sequential', 'layers': [" layers "]}"
#define ODE_MODEL(width)                                                                                               \
    SEQUENTIAL(LINEAR(width) ", {'type': 'ode', 'field': " SEQUENTIAL(                                                 \
        "{'type': 'concat_time'}, " LINEAR(width) ", {'type': 'tanh'}") "}, " LINEAR("3"))

/* A learner, its model, and the rows. It must stay where it is, since the learner points into it. */
typedef struct rig {
    cst_module *model;
    cst_optimizer optimizer;
    cst_learner learner;
    real x[MAX_ROWS * D];
    int32_t labels[MAX_ROWS]; /* 0, 1, 2, 0, 1, ... */
} rig;

/* What a rig is made from. */
typedef struct setup {
    const char *model, *loss, *optimizer; /* JSON; optimizer may be NULL: evaluation only */
    double clip;                          /* clip_grad_norm */
    int threads;
    size_t rows; /* of the largest batch that is planned */
} setup;

/* An ODE model of 6 components, cross entropy and sgd, for 32 rows on one thread. */
extern const setup usual;

/* Build the model and the learner and draw the rows; a setup that causes an error fails the test. */
void make_rig(rig *r, const setup *s);
void clear_rig(rig *r);

/* The first n rows, as a view of the rig. */
cst_batch batch_of(const rig *r, size_t n);

/* A training step on n rows, and an evaluation of them; a failure fails the test. */
cst_step step_good(rig *r, size_t n, double lr);
cst_step evaluate_good(rig *r, size_t n);

#endif
