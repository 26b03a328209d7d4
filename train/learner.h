/* A model that learns: its parameters, what the optimizer remembers, and all memory for a step, planned once.
 *
 * One step on a batch x (N, in): y = model(x), L = loss(y, targets), gtheta = dL/dtheta by the model's VJP, clipped,
 * then the optimizer's update. Nothing is allocated after cst_learner_init but what an ODE block's record of steps may
 * need to grow. */
#ifndef CST_TRAIN_LEARNER_H
#define CST_TRAIN_LEARNER_H

#include "core/arena.h"
#include "core/module.h"
#include "train/loss.h"
#include "train/optimizer.h"
#include "train/tally.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_learner_options {
    const cst_loss *loss;
    const cst_optimizer *optimizer; /* NULL: evaluation only */
    double clip_grad_norm;          /* 0: no clipping */
    int threads;
    const size_t *rows; /* the batch sizes that will come */
    size_t n_rows;
} cst_learner_options;

/* Sizes in reals, of all memory a learner takes. */
typedef struct cst_memory_plan {
    size_t params; /* theta, gradient and optimizer */
    size_t cache, work;
    size_t state; /* y and its cotangent, targets made from labels */
} cst_memory_plan;

typedef struct cst_learner {
    const cst_module *model;
    const cst_loss *loss;
    cst_optimizer optimizer;
    double clip_grad_norm;
    int threads;
    size_t max_rows;
    uint64_t updates; /* optimizer steps done */
    cst_real *theta, *grad, *slot[CST_OPTIMIZER_SLOTS];
    cst_real *y, *gy, *targets, *cache, *work;
    cst_arena arena;
    cst_tally tally;                  /* of training steps */
    cst_tally evaluation;             /* totals alone */
    double seconds[CST_N_DIRECTIONS]; /* in forward and in backward passes */
} cst_learner;

/* A batch and what belongs to it: x (N, in), targets as the loss wants them. For bce_with_logits with labels (of two
 * classes, one score) targets.values may be NULL: they are made from the labels. Where something is to be learnt at each of a
 * row's steps, y (steps, D), targets (N, steps) or (N, steps, D): to the loss these are N steps rows. */
typedef struct cst_batch {
    size_t n, steps; /* steps 0: one thing a row */
    const cst_real *x;
    cst_targets targets;
    cst_rng rng; /* of dropout and noise */
} cst_batch;

typedef struct cst_step {
    double loss;
    double weight;    /* of the loss in a mean over batches: N, or less where targets are not there (train/loss.h) */
    size_t targeted;  /* rows, or steps, whose target is there */
    size_t correct;   /* of these; 0 where the loss has no accuracy */
    double grad_norm; /* before clipping */
    cst_counts counts[CST_N_DIRECTIONS]; /* of this step */
} cst_step;

/* The most that any of the batch sizes needs. CST_EARG where that cannot be allocated. */
CST_MUST_CHECK cst_status cst_learner_plan(const cst_module *model, const cst_learner_options *options,
                                           cst_memory_plan *plan, cst_error *error);

/* Plan, allocate, and set theta to the model's initial distribution. Both `model` and the loss must outlive it. */
CST_MUST_CHECK cst_status cst_learner_init(cst_learner *learner, const cst_module *model,
                                           const cst_learner_options *options, cst_rng rng, cst_error *error);
void cst_learner_clear(cst_learner *learner);

/* One training step at learning rate lr. On failure (a failed solve, CST_ENONFINITE for a loss or gradient that is not
 * finite) theta and the optimizer are as they were. */
CST_MUST_CHECK cst_status cst_learner_step(cst_learner *learner, const cst_batch *batch, double lr, cst_step *step,
                                           cst_error *error);

/* Loss and correct rows without learning, in training or in evaluation mode. */
CST_MUST_CHECK cst_status cst_learner_forward(cst_learner *learner, const cst_batch *batch, bool train, cst_step *step,
                                              cst_error *error);

/* The same in evaluation mode. */
CST_MUST_CHECK cst_status cst_learner_evaluate(cst_learner *learner, const cst_batch *batch, cst_step *step,
                                               cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
