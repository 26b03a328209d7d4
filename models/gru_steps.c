#include "models/gru_steps.h"

#include "core/arena.h"

#include <string.h>

/* ---- where things are -------------------------------------------------------------------------------------------- */

cst_gru_cache cst_gru_place(const cst_steps *s, size_t n, size_t *size)
{
    const size_t rows = cst_size_mul(s->length, n), states = cst_size_mul(rows, s->hidden);
    cst_gru_cache k;
    k.input = cst_place(size, cst_size_mul(rows, cst_steps_inputs(s)));
    k.observed = cst_place(size, rows);
    k.gates = cst_place(size, cst_size_mul(3, states));
    k.u = cst_place(size, states);
    k.h = cst_place(size, cst_size_add(states, cst_size_mul(n, s->hidden)));
    return k;
}

cst_gru_work cst_gru_cut(const cst_steps *s, size_t n, real *work, size_t *size)
{
    const size_t rows = cst_size_mul(s->length, n), gates = cst_size_mul(3, s->hidden);
    cst_gru_work w;
    w.step = cst_cut(work, size, cst_size_mul(n, gates));
    w.ggates = cst_cut(work, size, cst_size_mul(rows, gates));
    w.gpre = cst_cut(work, size, cst_size_mul(rows, gates));
    w.ginput = cst_cut(work, size, cst_size_mul(rows, cst_steps_values(s)));
    return w;
}

cst_gru_run cst_gru_run_of(const cst_module *m, const cst_steps *s, const cst_call *c, const real *x)
{
    return (cst_gru_run){
        .m = m, .steps = s, .cell = cst_gru_cell_at(m, c->theta), .n = c->n, .count = cst_steps_count(s, c->n, x)};
}

/* ---- forward ----------------------------------------------------------------------------------------------------- */

void cst_gru_begin(const cst_gru_run *r, const real *x, real *cache)
{
    /* x (N, T, C) with gaps becomes input (count, N, inputs) without gaps. */
    real *input = cache + r->at.input;
    cst_steps_read(r->steps, r->n, r->count, x, input, cache + r->at.observed);
    /* W_ih x + b_ih does not depend on the state: one product for all steps. */
    cst_gru_cell_input(&r->cell, r->count * r->n, input, cache + r->at.gates);
    memset(cache + r->at.h, 0, r->n * r->steps->hidden * sizeof *cache);
}

/* The rows of step i. */
static cst_gru_rows rows_of(const cst_gru_run *r, size_t i, const real *cache)
{
    return (cst_gru_rows){.n = r->n, .observed = cache + r->at.observed + i * r->n, .least = r->least};
}

void cst_gru_step(const cst_gru_run *r, size_t i, const real *before, real *cache)
{
    const size_t state = r->n * r->steps->hidden;
    const cst_gru_rows rows = rows_of(r, i, cache);
    cst_gru_cell_step(&r->cell, &rows, before, cache + r->at.gates + i * 3 * state, cache + r->at.u + i * state,
                      cache + r->at.h + (i + 1) * state, r->work.step);
}

/* ---- the reverse pass -------------------------------------------------------------------------------------------- */

void cst_gru_step_back(const cst_gru_run *r, size_t i, const real *before, const real *cache, const real *gy,
                       real *gbefore)
{
    const size_t state = r->n * r->steps->hidden, gates = i * 3 * state;
    const cst_gru_rows rows = rows_of(r, i, cache);
    const cst_gru_point point = {before, cache + r->at.gates + gates, cache + r->at.u + i * state};
    cst_gru_cell_step_back(&r->cell, &rows, &point, gy, r->work.ggates + gates, r->work.gpre + gates, gbefore);
}

void cst_gru_finish_vjp(const cst_gru_run *r, const cst_point *p, const real *before, const cst_grads *g)
{
    /* All steps at once: one product per tensor. */
    const cst_gru_work *w = &r->work;
    const size_t rows = r->count * r->n;
    if (g->gtheta) cst_gru_cell_add_gradient(r->m, rows, p->cache + r->at.input, before, w->ggates, w->gpre, g);
    if (!g->gx) return;
    /* The mask is no function of x: only the values' columns of the input are needed. */
    cst_gru_cell_input_back(&r->cell, rows, cst_steps_values(r->steps), w->ggates, w->ginput);
    cst_steps_read_back(r->steps, r->n, r->count, p->x, w->ginput, g->gx);
}
