/* Learning rates over epochs and iterations, with PyTorch's values.
 *
 * After e epochs, eta_0 the optimizer's rate:
 *   constant     eta_0
 *   step         eta_0 gamma^floor(e / step_size)
 *   exponential  eta_0 gamma^e
 *   cosine       eta_min + (eta_0 - eta_min) (1 + cos(pi e / T_max)) / 2; beyond T_max it rises again, as PyTorch's does
 *   plateau      times `factor` whenever the monitored value has not been below (1 - threshold) times its best for more
 *                than `patience` epochs, looked at in the first and every `check_every`-th after it; never below min_lr
 * Warm-up composes with each: in iteration i = 0, 1, ... of the first W the rate is (i + 1) / W of that. */
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
    const char *name, *summary;
    const cst_key *keys; /* of its section beside "type" */
} cst_schedule_type;

extern const cst_schedule_type cst_schedule_types[CST_N_SCHEDULES];

typedef struct cst_schedule {
    cst_schedule_kind kind;
    size_t step_size;
    double gamma;
    double T_max, eta_min; /* T_max 0: as many epochs as there are */
    double factor, threshold, min_lr;
    size_t patience, check_every;
    size_t warmup;   /* 0: none */
    int warmup_unit; /* of warmup: 0 epochs, 1 iterations */
} cst_schedule;

/* What changes: part of a checkpoint. */
typedef struct cst_schedule_state {
    uint64_t epochs; /* finished */
    double lr;       /* without warm-up */
    double best;     /* plateau: of the monitored value, */
    uint64_t bad;    /* and epochs since that did not better it */
} cst_schedule_state;

/* Read {"type": "cosine", ...}; a section that is absent or null is constant. A cosine without T_max takes `epochs`, and
 * has it written into the section. CST_ECONFIG. */
CST_MUST_CHECK cst_status cst_schedule_read(cst_config section, size_t epochs, cst_schedule *s, cst_error *error);

void cst_schedule_start(cst_schedule_state *state, double lr);

/* An epoch has ended, with this monitored value (smaller is better; only plateau looks at it). */
void cst_schedule_epoch(const cst_schedule *s, double lr0, double monitored, cst_schedule_state *state);

/* The rate of iteration i of the whole training, with so many iterations an epoch. */
double cst_schedule_lr(const cst_schedule *s, const cst_schedule_state *state, uint64_t iteration,
                       size_t iterations_per_epoch);

#ifdef __cplusplus
}
#endif
#endif
