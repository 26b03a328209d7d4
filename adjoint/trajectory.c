/* Layout of a trajectory's memory, recording of steps, and access to what was kept. */
#include "adjoint/trajectory.h"

#include "adjoint/field.h"
#include "core/arena.h"

#include <math.h>
#include <string.h>

/* The part of a trajectory that changes while steps are recorded. It is stored in the memory, too. */
struct cst_trajectory_state {
    size_t n_steps, stride;
    double last_h; /* unsigned */
    size_t
        slot_of[CST_MAX_SLOTS + 1]; /* [i]: slot of step i * stride; [n_slots]: the scratch slot, for steps not kept */
};

/* ---- layout -------------------------------------------------------------------------------------------------- */

/* Whether the last stage is the next step's first (FSAL). Its cache then belongs to the next step. */
static bool last_is_next(const cst_tableau *tableau)
{
    return tableau->adaptive && tableau->fsal;
}

/* Number of reals that hold so many bytes. */
static size_t reals_for(size_t bytes)
{
    return (bytes + sizeof(real) - 1) / sizeof(real);
}

/* Offsets of the parts in a trajectory's memory. */
typedef struct layout {
    size_t state, records, slots, size;
} layout;

/* Under CST_KEEP_NOTHING only the state, with last_h, has memory. The slots include the scratch slot. */
static layout lay_out(const cst_trajectory *t)
{
    const bool keeps = t->keep != CST_KEEP_NOTHING;
    layout l = {0};
    l.state = cst_place(&l.size, reals_for(sizeof *t->state));
    l.records = cst_place(&l.size, keeps ? reals_for(CST_MAX_RECORDED * sizeof *t->records) : 0);
    l.slots = cst_place(&l.size, keeps ? cst_size_mul(t->n_slots + 1, t->slot_size) : 0);
    return l;
}

cst_trajectory cst_trajectory_at(const cst_module *field, size_t n, int threads, const cst_solve_options *options,
                                 cst_keep keep, size_t n_slots, const real *memory)
{
    /* `own` stages have a cache of their own in the slot. A FSAL method's last one has none. */
    const size_t stages = options->method->stages, own = stages - last_is_next(options->method);
    cst_plan plan;
    cst_field_plan(field, n, threads, &plan);
    cst_trajectory t = {.field = field,
                        .options = options,
                        .keep = keep,
                        .n_slots = n_slots < CST_MAX_SLOTS ? n_slots : CST_MAX_SLOTS,
                        .nz = cst_size_mul(n, cst_shape_size(&field->x)),
                        .field_cache = plan.cache};

    /* A slot has the state, then the stages, then the field's caches at the step's own stages. */
    cst_place(&t.slot_size, t.nz);
    t.stages_at = cst_place(&t.slot_size, keep >= CST_KEEP_STAGES ? cst_size_mul(stages, cst_size_align(t.nz)) : 0);
    t.caches_at = cst_place(&t.slot_size, keep >= CST_KEEP_CACHES ? cst_size_mul(own, cst_size_align(plan.cache)) : 0);

    /* Pointers into the memory, if there is any. */
    const layout l = lay_out(&t);
    t.size = l.size;
    if (!memory) return t;
    t.state = (const struct cst_trajectory_state *)(const void *)(memory + l.state);
    t.records = (const cst_step_record *)(const void *)(memory + l.records);
    t.slots = memory + l.slots;
    return t;
}

/* Offsets in `slots` of a kept step's slot, and in a slot of a stage and of its cache. */
static size_t slot_at(const cst_trajectory *t, size_t kept)
{
    return t->state->slot_of[kept] * t->slot_size;
}

static size_t stage_at(const cst_trajectory *t, size_t stage)
{
    return t->stages_at + stage * cst_size_align(t->nz);
}

static size_t cache_at(const cst_trajectory *t, size_t stage)
{
    return t->caches_at + stage * cst_size_align(t->field_cache);
}

/* ---- forward ------------------------------------------------------------------------------------------------- */

cst_recording cst_recording_begin(const cst_trajectory *t, real *memory)
{
    /* The same layout as that of the trajectory, for writing. */
    const layout l = lay_out(t);
    cst_recording r = {.trajectory = t,
                       .state = (struct cst_trajectory_state *)(void *)(memory + l.state),
                       .records = (cst_step_record *)(void *)(memory + l.records),
                       .slots = memory + l.slots};

    /* No steps yet; every step is kept, in the slot of its number. */
    r.state->n_steps = 0;
    r.state->stride = 1;
    r.state->last_h = 0;
    for (size_t i = 0; i <= t->n_slots; i++) r.state->slot_of[i] = i;
    return r;
}

/* The slot of a step, or the scratch slot if the step is not kept. */
static real *slot_of_step(const cst_recording *r, size_t step)
{
    const cst_trajectory *t = r->trajectory;
    /* A step is kept if its index is a multiple of the stride, and a slot exists for it. */
    const size_t kept = step / t->state->stride;
    return r->slots + slot_at(t, step % t->state->stride == 0 && kept < t->n_slots ? kept : t->n_slots);
}

real *cst_recording_cache(const cst_recording *r, size_t stage)
{
    const cst_trajectory *t = r->trajectory;
    const cst_tableau *tableau = t->options->method;
    /* A FSAL method's last stage is stored as stage 0 of the next step. */
    const bool next = last_is_next(tableau) && stage > 0 && stage + 1 == tableau->stages;
    return slot_of_step(r, t->state->n_steps + next) + cache_at(t, next ? 0 : stage);
}

/* Make sure that a step has a slot if it is to be kept. While all slots are full, drop every second kept step. Slots
 * are not copied: only their numbers move. */
static void free_slots_for(const cst_recording *r, size_t step)
{
    struct cst_trajectory_state *state = r->state;
    const size_t n_slots = r->trajectory->n_slots;
    while (step / state->stride >= n_slots) {
        const size_t half = (n_slots + 1) / 2;
        /* Even entries move to the first half; the slots of odd ones are free for later steps. */
        size_t dropped[CST_MAX_SLOTS], n_dropped = 0;
        for (size_t i = 0; i < n_slots; i++) {
            if (i % 2 == 0)
                state->slot_of[i / 2] = state->slot_of[i];
            else
                dropped[n_dropped++] = state->slot_of[i];
        }
        memcpy(state->slot_of + half, dropped, n_dropped * sizeof *dropped);
        state->stride *= 2;
    }
}

cst_status cst_recording_accept(const cst_recording *r, const cst_solver *s, cst_error *error)
{
    const cst_trajectory *t = r->trajectory;
    struct cst_trajectory_state *state = r->state;
    /* The step size, from which a backward solve may start. It is all that CST_KEEP_NOTHING records. */
    state->last_h = s->proposed_h;
    if (t->keep == CST_KEEP_NOTHING) return CST_OK;
    /* The records have a fixed size. */
    if (state->n_steps == CST_MAX_RECORDED)
        return cst_fail(error, CST_EMAXSTEPS,
                        "more than %d steps at t=%.6g (dt=%.3g): gradient methods that recompute steps "
                        "can record no more",
                        CST_MAX_RECORDED, s->t, s->step_h);

    /* The times of every step. */
    r->records[state->n_steps] =
        (cst_step_record){.t = s->step_t, .h = s->step_h, .t1 = s->t, .first_t = s->first_t, .end_t = s->last_t};

    /* The state before the step, and its stages, if it is kept. The field's caches are in the slot already. */
    real *slot = slot_of_step(r, state->n_steps);
    if (slot != r->slots + slot_at(t, t->n_slots)) {
        memcpy(slot, s->y_new, t->nz * sizeof(real));
        for (size_t i = 0; t->keep >= CST_KEEP_STAGES && i < t->options->method->stages; i++)
            memcpy(slot + stage_at(t, i), s->k[i], t->nz * sizeof(real));
    }

    /* Make sure that the next step has a slot, and the one after it: a FSAL method's last stage is stored there. */
    state->n_steps++;
    free_slots_for(r, state->n_steps + 1);
    return CST_OK;
}

/* ---- backward ------------------------------------------------------------------------------------------------ */

size_t cst_trajectory_steps(const cst_trajectory *t)
{
    return t->state->n_steps;
}

double cst_trajectory_last_h(const cst_trajectory *t)
{
    return t->state->last_h;
}

size_t cst_trajectory_find(const cst_trajectory *t, double time)
{
    /* Bisection: the answer is in [low, high). */
    size_t low = 0, high = t->state->n_steps;
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        const cst_step_record *r = &t->records[middle];
        if ((time - r->t) * r->h > 0)
            low = middle;
        else
            high = middle;
    }
    return low;
}

double cst_trajectory_stage_time(const cst_trajectory *t, size_t step, size_t i)
{
    const cst_step_record *r = &t->records[step];
    const double c = t->options->method->c[i];
    /* As the solver evaluated it: the first stage and those at the end may be one ulp away from t and t1. */
    const double time = i == 0 ? r->first_t : c == 1 ? r->end_t : r->t + c * r->h;
    return t->options->cast_times ? (double)(real)time : time;
}

size_t cst_trajectory_stride(const cst_trajectory *t)
{
    return t->state->stride;
}

const real *cst_trajectory_state_at(const cst_trajectory *t, size_t kept)
{
    return t->slots + slot_at(t, kept);
}

const real *cst_trajectory_stage_at(const cst_trajectory *t, size_t kept, size_t stage)
{
    return t->keep >= CST_KEEP_STAGES ? t->slots + slot_at(t, kept) + stage_at(t, stage) : NULL;
}

const real *cst_trajectory_cache_at(const cst_trajectory *t, size_t kept, size_t stage)
{
    /* The last stage of a FSAL method has no cache in this slot. */
    const bool own = stage + last_is_next(t->options->method) < t->options->method->stages;
    return t->keep >= CST_KEEP_CACHES && own ? t->slots + slot_at(t, kept) + cache_at(t, stage) : NULL;
}
