/* Schedules: the learning rate over epochs and iterations, with PyTorch's values.
 *
 * The rate after e epochs, where eta_0 is the optimizer's rate:
 *   constant     eta_0
 *   step         eta_0 gamma^floor(e / step_size)
 *   exponential  eta_0 gamma^e
 *   cosine       eta_min + (eta_0 - eta_min) (1 + cos(pi e / T_max)) / 2; after T_max it rises again, as PyTorch's does
 *   plateau      multiplied by `factor`, but not below min_lr, when the monitored value has not fallen below
 *                (1 - threshold) times its best value in more than `patience` checks. The first epoch is checked, and
 *                every `check_every`-th one after it.
 *
 * Warm-up combines with each of them: in iteration i = 0, 1, ..., W - 1 the rate is (i + 1) / W times the one above. */
#ifndef CST_TRAIN_SCHEDULE_H
#define CST_TRAIN_SCHEDULE_H

#include "core/config.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cst_schedule_kind {
    CST_SCHEDULE_CONSTANT,
    CST_SCHEDULE_STEP,
    CST_SCHEDULE_COSINE,
    CST_SCHEDULE_EXPONENTIAL,
    CST_SCHEDULE_PLATEAU,
    CST_N_SCHEDULES
} cst_schedule_kind;

typedef struct cst_schedule_type {
    const char *name, *summary; /* the config's "type", and one line for `costate list` */
    const cst_key *keys;        /* of its section, without "type" */
} cst_schedule_type;

extern const cst_schedule_type cst_schedule_types[CST_N_SCHEDULES]; /* indexed by cst_schedule_kind */

/* Options, with the letters above. Options that a kind does not use are 0. */
typedef struct cst_schedule {
    cst_schedule_kind kind;
    size_t step_size;                 /* step: epochs between drops */
    double gamma;                     /* step, exponential */
    double T_max, eta_min;            /* cosine; T_max in epochs */
    double factor, threshold, min_lr; /* plateau */
    size_t patience, check_every;     /* plateau; patience in checks, check_every in epochs */
    size_t warmup;                    /* W; 0: no warm-up */
    int warmup_unit;                  /* of warmup: 0 epochs, 1 iterations */
} cst_schedule;

/* The state, which changes with every epoch. It is part of a checkpoint. */
typedef struct cst_schedule_state {
    uint64_t epochs; /* finished so far */
    double lr;       /* the rate without warm-up */
    double best;     /* plateau: lowest monitored value that a check has seen */
    uint64_t bad;    /* plateau: checks without improvement since then, or since the last drop */
} cst_schedule_state;

/* Read a section such as {"type": "cosine", "T_max": 20}. A section that is missing or null means constant. A cosine
 * without T_max gets T_max = epochs. Defaults are written into the section. Errors: CST_ECONFIG with the place in the
 * config, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_schedule_read(cst_config section, size_t epochs, cst_schedule *s, cst_error *error);

/* The state before the first epoch; lr is the optimizer's rate. */
void cst_schedule_start(cst_schedule_state *state, double lr);

/* Update the state after an epoch. lr0 is the optimizer's rate; `monitored` is the epoch's monitored value (smaller is
 * better), which only plateau reads. */
void cst_schedule_epoch(const cst_schedule *s, double lr0, double monitored, cst_schedule_state *state);

/* The learning rate of an iteration, with warm-up. `iteration` counts from 0 over all of training, and
 * `iterations_per_epoch` converts a warm-up in epochs. */
double cst_schedule_lr(const cst_schedule *s, const cst_schedule_state *state, uint64_t iteration,
                       size_t iterations_per_epoch);

#ifdef __cplusplus
}
#endif
#endif
