/* What a forward pass leaves for its backward pass: the steps it took, and the state at the start of some of them.
 *
 * A step can be made again from its start, bit for bit (adjoint/replay.h, which checks that it can), so that any state
 * can be had from those that are kept. There are n_slots slots: every stride-th step is kept, and when they are full,
 * every second one is dropped and the stride doubles. Depending on `keep` a slot also holds the step's stages k_i (for
 * its dense output), and the field's caches at them (so that the field's VJP needs no evaluation). Of a field with integrals
 * (adjoint/field.h) a state is z alone, and stages are those of z: all else follows from them.
 *
 * All of it lives in reals of the ODE block's cache, without pointers. */
#ifndef CST_ADJOINT_TRAJECTORY_H
#define CST_ADJOINT_TRAJECTORY_H

#include "core/module.h"
#include "ode/solve.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Steps of one solve that can be recorded: 3 MiB of addresses, of which as much is memory as is used. */
enum { CST_MAX_RECORDED = 65536, CST_MAX_SLOTS = 4096 };

typedef enum cst_keep { CST_KEEP_NOTHING, CST_KEEP_STATES, CST_KEEP_STAGES, CST_KEEP_CACHES } cst_keep;

typedef struct cst_step_record {
    double t, h, t1;       /* t1 is t + h, or exactly where the step had to end */
    double first_t, end_t; /* when k_1 was evaluated, and stages at the step's end: an ulp beside t and t1, maybe */
} cst_step_record;

/* The backward pass's view of the memory. */
typedef struct cst_trajectory {
    const cst_module *field;
    const cst_solve_options *options;
    cst_keep keep;
    size_t n_slots, nz, field_cache;          /* sizes in reals */
    size_t slot_size, stages_at, caches_at;   /* of a slot, and offsets in it */
    size_t size;                              /* reals of memory in all; SIZE_MAX: too large */
    const struct cst_trajectory_state *state; /* NULL, and so are the others, where there is no memory yet */
    const cst_step_record *records;
    const cst_real *slots;
} cst_trajectory;

/* The forward pass's view of the same memory. */
typedef struct cst_recording {
    const cst_trajectory *trajectory;
    struct cst_trajectory_state *state;
    cst_step_record *records;
    cst_real *slots;
} cst_recording;

/* A view of `memory`, which may be NULL for the trajectory's size alone. Under CST_KEEP_NOTHING the last step's size is kept all
 * the same. `field` and `options` must outlive the trajectory. */
cst_trajectory cst_trajectory_at(const cst_module *field, size_t n, int threads, const cst_solve_options *options,
                                 cst_keep keep, size_t n_slots, const cst_real *memory);

/* ---- forward ------------------------------------------------------------------------------------------------- */

/* Empty the trajectory and begin to record into it. `memory` is that of the trajectory, which must outlive the recording. */
cst_recording cst_recording_begin(const cst_trajectory *trajectory, cst_real *memory);

/* The place for the field's cache while stage `stage` of the step under way is evaluated (CST_KEEP_CACHES). */
cst_real *cst_recording_cache(const cst_recording *recording, size_t stage);

/* Record the step that the solver has just accepted. CST_EMAXSTEPS where the record is full. */
CST_MUST_CHECK cst_status cst_recording_accept(const cst_recording *recording, const cst_solver *solver,
                                               cst_error *error);

/* ---- backward ------------------------------------------------------------------------------------------------ */

size_t cst_trajectory_steps(const cst_trajectory *trajectory);
double cst_trajectory_last_h(const cst_trajectory *trajectory); /* unsigned, before it was cut to end at the end */

/* The last step that begins before t in the order of the solve, or the first. */
size_t cst_trajectory_find(const cst_trajectory *trajectory, double t);

/* When stage i of a step is evaluated. */
double cst_trajectory_stage_time(const cst_trajectory *trajectory, size_t step, size_t i);

/* Kept steps are 0, stride, 2 stride ...; their state, and what else is kept (NULL: is not). A cache at the last stage of a
 * method that is FSAL is not: it is the next step's first. */
size_t cst_trajectory_stride(const cst_trajectory *trajectory);
const cst_real *cst_trajectory_state_at(const cst_trajectory *trajectory, size_t kept);
const cst_real *cst_trajectory_stage_at(const cst_trajectory *trajectory, size_t kept, size_t stage);
const cst_real *cst_trajectory_cache_at(const cst_trajectory *trajectory, size_t kept, size_t stage);

#ifdef __cplusplus
}
#endif
#endif
