/* A learner: a model with its parameters, the optimizer's state, and all memory for a training step.
 *
 * One step on a batch x (N, in) computes y = model(x), L = loss(y, targets) and gtheta = dL/dtheta by the model's VJP,
 * clips gtheta, and applies the optimizer's update. All memory is planned and allocated once, in cst_learner_init;
 * later only an ODE block's record of its steps may grow. */
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
    const cst_optimizer *optimizer; /* copied; NULL: evaluation only, without memory for a gradient */
    double clip_grad_norm;          /* largest 2-norm of the gradient; 0: no clipping */
    int threads;
    const size_t *rows; /* (n_rows): all batch sizes that may occur */
    size_t n_rows;
} cst_learner_options;

/* The memory that a learner allocates, in reals. */
typedef struct cst_memory_plan {
    size_t params; /* theta, gradient and the optimizer's vectors */
    size_t cache;  /* the model's, from the forward to the backward pass */
    size_t work;   /* the model's, within one pass */
    size_t state;  /* y, its cotangent, and targets converted from labels */
} cst_memory_plan;

typedef struct cst_learner {
    const cst_module *model; /* not owned */
    const cst_loss *loss;    /* not owned */
    cst_optimizer optimizer;
    double clip_grad_norm;
    int threads;
    size_t max_rows;  /* the largest batch */
    uint64_t updates; /* optimizer steps so far */
    /* Arrays in the arena. theta, grad and each slot have P entries; y, gy and targets have the size of y for the
     * largest batch. grad and slot are NULL without an optimizer. */
    cst_real *theta, *grad, *slot[CST_OPTIMIZER_SLOTS];
    cst_real *y, *gy, *targets, *cache, *work;
    cst_arena arena;
    cst_tally tally;                  /* evaluations and steps of training */
    cst_tally evaluation;             /* those of evaluations; only its totals are counted */
    double seconds[CST_N_DIRECTIONS]; /* time spent in forward and in backward passes */
} cst_learner;

/* One batch: x (N, in) and targets as the loss wants them (train/loss.h).
 * For bce_with_logits with labels (two classes, one score per row) targets.values may be NULL: the learner converts the
 * labels. If every step of a row has a target of its own, y is (N, steps, D) and targets are (N, steps) or
 * (N, steps, D); the loss then sees N * steps rows. */
typedef struct cst_batch {
    size_t n;     /* N */
    size_t steps; /* 0: one target per row */
    const cst_real *x;
    cst_targets targets;
    cst_rng rng; /* for dropout and noise */
} cst_batch;

/* The result of one step, or of one evaluation. */
typedef struct cst_step {
    double loss;      /* mean over the batch's terms */
    double weight;    /* of `loss` in a mean over batches: N, or less if targets are missing (train/loss.h) */
    size_t targeted;  /* rows, or steps of rows, that have a target */
    size_t correct;   /* of these; 0 if the loss has no accuracy */
    double grad_norm; /* 2-norm before clipping; 0 after an evaluation */
    cst_counts counts[CST_N_DIRECTIONS]; /* evaluations and steps of this step alone */
} cst_step;

/* Compute the memory that the largest of the batch sizes needs. Errors: CST_EARG if it exceeds the address space. */
CST_MUST_CHECK cst_status cst_learner_plan(const cst_module *model, const cst_learner_options *options,
                                           cst_memory_plan *plan, cst_error *error);

/* Plan, allocate, and draw theta from the model's initial distribution with `rng`. The model and the loss must outlive
 * the learner. Errors: those of cst_learner_plan, CST_ENOMEM. On failure nothing stays allocated. */
CST_MUST_CHECK cst_status cst_learner_init(cst_learner *learner, const cst_module *model,
                                           const cst_learner_options *options, cst_rng rng, cst_error *error);
/* Free all memory. A learner that is all zeros is a no-op. */
void cst_learner_clear(cst_learner *learner);

/* Do one training step at learning rate lr. Errors: CST_EARG for a batch size out of range or a learner without an
 * optimizer; those of a failed solve; CST_ENONFINITE if the loss or the gradient is not finite. On failure theta and
 * the optimizer's state are unchanged, and step->counts is valid. */
CST_MUST_CHECK cst_status cst_learner_step(cst_learner *learner, const cst_batch *batch, double lr, cst_step *step,
                                           cst_error *error);

/* Compute loss and correct rows without learning. `train` selects training mode (with dropout) or evaluation mode.
 * Errors are those of cst_learner_step; no optimizer is needed. learner->y holds the model's output afterwards. */
CST_MUST_CHECK cst_status cst_learner_forward(cst_learner *learner, const cst_batch *batch, bool train, cst_step *step,
                                              cst_error *error);

/* cst_learner_forward in evaluation mode. */
CST_MUST_CHECK cst_status cst_learner_evaluate(cst_learner *learner, const cst_batch *batch, cst_step *step,
                                               cst_error *error);

#ifdef __cplusplus
}
#endif
#endif
