/* The steps of a forward pass, recorded for its backward pass: the times of each step, and the state at the start of
 * some.
 *
 * A step can be recomputed from its start bit for bit (adjoint/replay.h), so every state can be recomputed from the
 * kept ones. Kept steps are stored in n_slots slots. Every stride-th step is kept, where the stride begins at 1. When
 * the slots are full, every second kept step is dropped and the stride doubles. A slot may also hold the step's stages
 * k_i (for dense output) and the field's caches at them (for VJPs without an evaluation); see cst_keep. For a field
 * with integrals (adjoint/field.h) a state is z alone, and stages are those of z, because the integrals can be computed
 * from z.
 *
 * All of this is in reals of the ODE block's cache and has no pointers, so that a cache may be copied. */
#ifndef CST_ADJOINT_TRAJECTORY_H
#define CST_ADJOINT_TRAJECTORY_H

#include "core/module.h"
#include "ode/solve.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The most steps per solve that can be recorded, and the most slots. The records reserve 2.5 MiB of address space,
 * whose pages cost memory only when steps are recorded in them. */
enum { CST_MAX_RECORDED = 65536, CST_MAX_SLOTS = 4096 };

/* What is stored. Each value includes those above it. */
typedef enum cst_keep {
    CST_KEEP_NOTHING, /* only the last step size */
    CST_KEEP_STATES,  /* the times of all steps, and the state at the start of kept ones */
    CST_KEEP_STAGES,  /* their stages */
    CST_KEEP_CACHES   /* the field's caches at their stages */
} cst_keep;

/* The times of one step, as the solver used them. */
typedef struct cst_step_record {
    double t, h, t1; /* start, signed size, and end: t + h, or exactly the time that the step had to end on */
    /* Evaluation times of the first stage and of stages with c = 1: t and t1, or one ulp away from them. */
    double first_t, end_t;
} cst_step_record;

/* A read-only view of the memory, for the backward pass. */
typedef struct cst_trajectory {
    const cst_module *field;
    const cst_solve_options *options;
    cst_keep keep;
    size_t n_slots;                           /* number of slots */
    size_t nz, field_cache;                   /* reals of a state (N D) and of a cache of the field */
    size_t slot_size, stages_at, caches_at;   /* reals of a slot, and offsets in it */
    size_t size;                              /* reals of memory in all; SIZE_MAX: too large */
    const struct cst_trajectory_state *state; /* NULL, like records and slots, for a trajectory without memory */
    const cst_step_record *records;
    const cst_real *slots;
} cst_trajectory;

/* A writable view of the same memory, for the forward pass. */
typedef struct cst_recording {
    const cst_trajectory *trajectory;
    struct cst_trajectory_state *state;
    cst_step_record *records;
    cst_real *slots;
} cst_recording;

/* Returns a view of `memory` for n rows of the field. `memory` may be NULL to get the size alone. At most CST_MAX_SLOTS
 * slots are used. `field`, `options` and the memory must outlive the view. */
cst_trajectory cst_trajectory_at(const cst_module *field, size_t n, int threads, const cst_solve_options *options,
                                 cst_keep keep, size_t n_slots, const cst_real *memory);

/* ---- forward ------------------------------------------------------------------------------------------------- */

/* Empty the trajectory and start to record. `memory` is that of the trajectory; both must outlive the recording. */
cst_recording cst_recording_begin(const cst_trajectory *trajectory, cst_real *memory);

/* Returns the memory for the field's cache at stage `stage` of the current step. Needs CST_KEEP_CACHES. */
cst_real *cst_recording_cache(const cst_recording *recording, size_t stage);

/* Record the step that the solver has just accepted. Errors: CST_EMAXSTEPS after CST_MAX_RECORDED steps. */
CST_MUST_CHECK cst_status cst_recording_accept(const cst_recording *recording, const cst_solver *solver,
                                               cst_error *error);

/* ---- backward ------------------------------------------------------------------------------------------------ */

/* Returns the number of steps that were recorded. */
size_t cst_trajectory_steps(const cst_trajectory *trajectory);

/* Returns the unsigned size of the last step, before it was shortened to end on the final time. */
double cst_trajectory_last_h(const cst_trajectory *trajectory);

/* Returns the index of the step that contains time t: the last one that begins before t in the solve's direction, or
 * 0. */
size_t cst_trajectory_find(const cst_trajectory *trajectory, double t);

/* Returns the time at which stage i of a step was evaluated. */
double cst_trajectory_stage_time(const cst_trajectory *trajectory, size_t step, size_t i);

/* Returns the stride. The kept steps are those with indices 0, stride, 2 stride, ...; `kept` counts them from 0. */
size_t cst_trajectory_stride(const cst_trajectory *trajectory);

/* Return what is stored of a kept step: the state at its start (N, D), a stage (N, D), the field's cache at a stage.
 * cst_trajectory_stage_at and cst_trajectory_cache_at return NULL if it is not stored. A FSAL method's last stage has
 * no cache, because it is the next step's first stage. */
const cst_real *cst_trajectory_state_at(const cst_trajectory *trajectory, size_t kept);
const cst_real *cst_trajectory_stage_at(const cst_trajectory *trajectory, size_t kept, size_t stage);
const cst_real *cst_trajectory_cache_at(const cst_trajectory *trajectory, size_t kept, size_t stage);

#ifdef __cplusplus
}
#endif
#endif
