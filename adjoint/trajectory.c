#include "adjoint/trajectory.h"

#include "adjoint/field.h"

#include <math.h>
#include <string.h>

/* The part of a trajectory that changes. */
struct cst_trajectory_state {
    size_t n_steps, stride;
    double last_h;
    size_t slot_of[CST_MAX_SLOTS + 1]; /* the slot of step i * stride; the last one is scratch */
};

/* ---- layout -------------------------------------------------------------------------------------------------- */

static size_t reals_for(size_t bytes)
{
    return cst_size_align((bytes + sizeof(real) - 1) / sizeof(real));
}

static size_t aligned(size_t nz)
{
    return cst_size_align(nz);
}

/* Where the last stage is the next step's first, it is evaluated for that one. */
static bool last_is_next(const cst_tableau *tableau)
{
    return tableau->adaptive && tableau->fsal;
}

/* A slot: the state, then the stages, then the field's caches at those that are the step's own. */
static size_t slot_size(const cst_trajectory *t)
{
    const size_t stages = t->options->method->stages;
    size_t size = aligned(t->nz);
    if (t->keep >= CST_KEEP_STAGES) size = cst_size_add(size, cst_size_mul(stages, aligned(t->nz)));
    const size_t own = stages - last_is_next(t->options->method);
    if (t->keep >= CST_KEEP_CACHES) size = cst_size_add(size, cst_size_mul(own, aligned(t->field_cache)));
    return size;
}

static cst_trajectory describe(const cst_module *field, size_t n, int threads, const cst_solve_options *options,
                               cst_keep keep, size_t n_slots)
{
    cst_plan plan;
    cst_field_plan(field, n, threads, &plan);
    return (cst_trajectory){.field = field,
                            .options = options,
                            .keep = keep,
                            .n_slots = n_slots < CST_MAX_SLOTS ? n_slots : CST_MAX_SLOTS,
                            .nz = cst_size_mul(n, cst_shape_size(&field->x)),
                            .field_cache = plan.cache};
}

size_t cst_trajectory_size(const cst_module *field, size_t n, int threads, const cst_solve_options *options,
                           cst_keep keep, size_t n_slots)
{
    const cst_trajectory t = describe(field, n, threads, options, keep, n_slots);
    size_t size = reals_for(sizeof *t.state);
    if (keep == CST_KEEP_NOTHING) return size;
    size = cst_size_add(size, reals_for(CST_MAX_RECORDED * sizeof *t.records));
    return cst_size_add(size, cst_size_mul(t.n_slots + 1, slot_size(&t)));
}

cst_trajectory cst_trajectory_at(const cst_module *field, size_t n, int threads, const cst_solve_options *options,
                                 cst_keep keep, size_t n_slots, real *memory)
{
    cst_trajectory t = describe(field, n, threads, options, keep, n_slots);
    t.state = (struct cst_trajectory_state *)(void *)memory;
    t.records = (cst_step_record *)(void *)(memory + reals_for(sizeof *t.state));
    t.slots = (real *)(void *)t.records + reals_for(CST_MAX_RECORDED * sizeof *t.records);
    return t;
}

void cst_trajectory_begin(const cst_trajectory *t)
{
    t->state->n_steps = 0;
    t->state->stride = 1;
    t->state->last_h = 0;
    for (size_t i = 0; i <= t->n_slots; i++) t->state->slot_of[i] = i;
}

static real *slot(const cst_trajectory *t, size_t kept)
{
    return t->slots + t->state->slot_of[kept] * slot_size(t);
}

static real *stage_in(const cst_trajectory *t, real *at, size_t stage)
{
    return at + (1 + stage) * aligned(t->nz);
}

static real *cache_in(const cst_trajectory *t, real *at, size_t stage)
{
    return stage_in(t, at, t->options->method->stages) + stage * aligned(t->field_cache);
}

/* Where a step is kept, or the scratch slot. */
static real *slot_of_step(const cst_trajectory *t, size_t step)
{
    const size_t kept = step / t->state->stride;
    return slot(t, step % t->state->stride == 0 && kept < t->n_slots ? kept : t->n_slots);
}

/* ---- forward ------------------------------------------------------------------------------------------------- */

real *cst_trajectory_cache(const cst_trajectory *t, size_t stage)
{
    const cst_tableau *tableau = t->options->method;
    const bool next = last_is_next(tableau) && stage > 0 && stage + 1 == tableau->stages;
    return cache_in(t, slot_of_step(t, t->state->n_steps + next), next ? 0 : stage);
}

/* That step `step` has a slot, if it is to be kept: drop every second one while there is none. */
static void make_room(const cst_trajectory *t, size_t step)
{
    struct cst_trajectory_state *state = t->state;
    while (step / state->stride >= t->n_slots) {
        const size_t half = (t->n_slots + 1) / 2;
        size_t dropped[CST_MAX_SLOTS], n_dropped = 0;
        for (size_t i = 0; i < t->n_slots; i++) {
            if (i % 2 == 0)
                state->slot_of[i / 2] = state->slot_of[i];
            else
                dropped[n_dropped++] = state->slot_of[i];
        }
        memcpy(state->slot_of + half, dropped, n_dropped * sizeof *dropped);
        state->stride *= 2;
    }
}

cst_status cst_trajectory_accept(const cst_trajectory *t, const cst_solver *s, cst_error *error)
{
    struct cst_trajectory_state *state = t->state;
    state->last_h = s->proposed_h;
    if (t->keep == CST_KEEP_NOTHING) return CST_OK;
    if (state->n_steps == CST_MAX_RECORDED)
        return cst_fail(error, CST_EMAXSTEPS,
                        "more than %d steps at t=%.6g (dt=%.3g): a gradient method that goes back over "
                        "the steps has no room for more",
                        CST_MAX_RECORDED, s->t, s->step_h);
    t->records[state->n_steps] =
        (cst_step_record){.t = s->step_t, .h = s->step_h, .t1 = s->t, .first_t = s->first_t, .end_t = s->last_t};
    real *at = slot_of_step(t, state->n_steps);
    if (at != slot(t, t->n_slots)) {
        memcpy(at, s->y_new, t->nz * sizeof(real));
        for (size_t i = 0; t->keep >= CST_KEEP_STAGES && i < t->options->method->stages; i++)
            memcpy(stage_in(t, at, i), s->k[i], t->nz * sizeof(real));
    }
    state->n_steps++;
    make_room(t, state->n_steps + 1); /* the next step's last stage may go there already */
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
    size_t low = 0, high = t->state->n_steps;
    while (high - low > 1) { /* the answer is in [low, high) */
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
    const double time = i == 0 ? r->first_t : c == 1 ? r->end_t : r->t + c * r->h;
    return t->options->cast_times ? (double)(real)time : time;
}

size_t cst_trajectory_stride(const cst_trajectory *t)
{
    return t->state->stride;
}

const real *cst_trajectory_state_at(const cst_trajectory *t, size_t kept)
{
    return slot(t, kept);
}

const real *cst_trajectory_stage_at(const cst_trajectory *t, size_t kept, size_t stage)
{
    return t->keep >= CST_KEEP_STAGES ? stage_in(t, slot(t, kept), stage) : NULL;
}

const real *cst_trajectory_cache_at(const cst_trajectory *t, size_t kept, size_t stage)
{
    const bool own = stage + last_is_next(t->options->method) < t->options->method->stages;
    return t->keep >= CST_KEEP_CACHES && own ? cache_in(t, slot(t, kept), stage) : NULL;
}
