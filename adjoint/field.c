/* Conversion between rows [f | g] of a module and the blocks z, q of a solver. */
#include "adjoint/field.h"

#include <string.h>

/* D */
static size_t state_size(const cst_module *field)
{
    return cst_shape_size(&field->x);
}

size_t cst_field_integrals(const cst_module *field)
{
    return cst_shape_size(&field->y) - state_size(field);
}

cst_status cst_field_check(const cst_module *field, size_t n_integrals, cst_error *error)
{
    char in[CST_SHAPE_TEXT], out[CST_SHAPE_TEXT];
    /* Both shapes as text, for the messages. */
    cst_shape_text(&field->x, in);
    cst_shape_text(&field->y, out);
    if (n_integrals > CST_MAX_INTEGRALS)
        return cst_fail(error, CST_EARG, "expected at most %d integrals, got %zu", CST_MAX_INTEGRALS, n_integrals);

    /* Without integrals the shapes are equal; with integrals the output is a row of D + M numbers. */
    if (n_integrals == 0) {
        if (cst_shape_equal(&field->x, &field->y)) return CST_OK;
        return cst_fail(error, CST_ESHAPE, "expected a field that keeps the shape of its state, got %s -> %s", in, out);
    }
    const cst_shape rows = cst_shape_1d(cst_size_add(state_size(field), n_integrals));
    if (cst_shape_equal(&field->y, &rows)) return CST_OK;
    return cst_fail(error, CST_ESHAPE, "expected a field with %zu integral%s, %s -> (%zu), got %s -> %s", n_integrals,
                    n_integrals == 1 ? "" : "s", in, rows.dim[0], in, out);
}

/* Reals for the rows [f | g], which are the first part of the cache, or of their cotangents, which are the first part
 * of work. 0 without integrals: the module then writes to dz and reads a_z itself. */
static size_t rows_size(const cst_module *field, size_t n)
{
    return cst_field_integrals(field) > 0 ? cst_size_align(cst_size_mul(n, cst_shape_size(&field->y))) : 0;
}

void cst_field_plan(const cst_module *field, size_t n, int threads, cst_plan *plan)
{
    cst_module_plan(field, n, 0, threads, plan);
    /* Value rows come before the module's cache, and cotangent rows before its work. */
    plan->cache = cst_size_add(plan->cache, rows_size(field, n));
    plan->work = cst_size_add(plan->work, rows_size(field, n));
}

/* With integrals the rows [f | g] are in the cache; without, f itself is in dz. */
const real *cst_field_value(const cst_module *field, const real *dz, const real *cache)
{
    return cst_field_integrals(field) > 0 ? cache : dz;
}

/* dz (N, D) and, unless it is NULL, dq (M, N) from rows (N, D + M). */
static void split(const cst_module *field, size_t n, const real *rows, real *dz, real *dq)
{
    const size_t d = state_size(field), m = cst_field_integrals(field);
    for (size_t i = 0; i < n; i++, rows += d + m) {
        memcpy(dz + i * d, rows, d * sizeof *dz);
        for (size_t j = 0; dq && j < m; j++) dq[j * n + i] = rows[d + j];
    }
}

/* Rows (N, D + M) from a_z (N, D) and a_q (M, N). */
static void join(const cst_module *field, size_t n, const real *a_z, const real *a_q, real *rows)
{
    const size_t d = state_size(field), m = cst_field_integrals(field);
    for (size_t i = 0; i < n; i++, rows += d + m) {
        memcpy(rows, a_z + i * d, d * sizeof *rows);
        for (size_t j = 0; j < m; j++) rows[d + j] = a_q[j * n + i];
    }
}

/* The call for the module: its work begins after the rows. */
static cst_call call_module(const cst_module *field, const cst_call *c)
{
    cst_call call = *c;
    call.work += rows_size(field, c->n);
    return call;
}

cst_status cst_field_forward(const cst_module *field, const cst_call *c, const real *z, real *dz, real *dq, real *cache)
{
    const cst_call call = call_module(field, c);
    if (cst_field_integrals(field) == 0) return cst_module_forward(field, &call, z, dz, cache);

    /* The module writes rows into the first part of the cache; its own cache is the rest. */
    CST_TRY(cst_module_forward(field, &call, z, cache, cache + rows_size(field, c->n)));
    split(field, c->n, cache, dz, dq);
    return CST_OK;
}

cst_status cst_field_evaluate(const cst_module *field, const cst_call *c, const real *z, real *dz, real *dq,
                              real *cache)
{
    const cst_call call = call_module(field, c);
    /* Without integrals the module writes f to dz itself. With integrals its rows are split. */
    if (cst_field_integrals(field) == 0) return cst_module_evaluate(field, &call, z, dz, cache);
    CST_TRY(cst_module_evaluate(field, &call, z, cache, cache + rows_size(field, c->n)));
    split(field, c->n, cache, dz, dq);
    return CST_OK;
}

cst_status cst_field_vjp(const cst_module *field, const cst_call *c, const cst_point *p, const real *a_z,
                         const real *a_q, const cst_grads *g)
{
    /* The module's point has y in rows [f | g], and its cache after them. */
    const cst_call call = call_module(field, c);
    const cst_point point = {p->x, cst_field_value(field, p->y, p->cache), p->cache + rows_size(field, c->n)};
    if (cst_field_integrals(field) == 0) return cst_module_vjp(field, &call, &point, a_z, g);

    /* Cotangent rows go to the first part of work. */
    join(field, c->n, a_z, a_q, c->work);
    return cst_module_vjp(field, &call, &point, c->work, g);
}

cst_status cst_field_forward_vjp(const cst_module *field, const cst_call *c, const real *z, const cst_field_output *out,
                                 const real *a_z, const real *a_q, const cst_grads *g)
{
    const cst_call call = call_module(field, c);
    /* Without integrals the module reads a_z and writes dz itself. */
    if (cst_field_integrals(field) == 0) return cst_module_forward_vjp(field, &call, z, out->dz, out->cache, a_z, g);

    /* Cotangent rows in, value rows out. */
    real *rows = out->cache;
    join(field, c->n, a_z, a_q, c->work);
    CST_TRY(cst_module_forward_vjp(field, &call, z, rows, rows + rows_size(field, c->n), c->work, g));
    split(field, c->n, rows, out->dz, out->dq);
    return CST_OK;
}
