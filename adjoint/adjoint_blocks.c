/* Which blocks the adjoint system's state has, and where each begins. */
#include "adjoint/adjoint_blocks.h"

#include "adjoint/field.h"

#include <stdint.h>

/* Append a block and return its offset. */
static size_t add_block(cst_adjoint_blocks *list, const char *name, size_t size, double weight)
{
    /* Blocks after the last one that fits are counted, so that the check can report their number. */
    const size_t offset = list->size;
    if (list->n < CST_MAX_BLOCKS) list->block[list->n] = (cst_block){.name = name, .size = size, .weight = weight};
    list->n++;
    list->size = cst_size_add(list->size, size);
    return offset;
}

/* Append one block for each parameter tensor of `m` and of the modules in it, in the order of theta. */
static void add_tensor_blocks(cst_adjoint_blocks *list, const cst_module *m, double weight)
{
    for (size_t i = 0; i < m->n_tensors; i++) add_block(list, "a_theta", cst_shape_size(&m->tensors[i].shape), weight);
    for (size_t i = 0; i < m->n_children; i++) add_tensor_blocks(list, m->children[i].module, weight);
}

/* Append the blocks of the integrals, or with `adjoints` those of their adjoints, that have a weight. */
static void add_integrals(cst_adjoint_blocks *list, const cst_gradient_problem *p, bool adjoints)
{
    const double *weight = adjoints ? p->norm->a_integral : p->norm->integral;
    size_t *offset = adjoints ? list->a_integral : list->integral;
    for (size_t i = 0; i < cst_field_integrals(p->field); i++) {
        const char *name = adjoints ? p->integrals[i].adjoint : p->integrals[i].name;
        if (weight[i] > 0) offset[i] = add_block(list, name, p->call->n, weight[i]);
    }
}

cst_adjoint_blocks cst_adjoint_blocks_of(const cst_gradient_problem *p, bool with_z)
{
    const cst_module *field = p->field;
    const cst_adjoint_norm *norm = p->norm;
    const double theta_weight = norm->weight[CST_BLOCK_A_THETA], t_weight = norm->weight[CST_BLOCK_A_T];
    const bool has_theta = theta_weight > 0 && field->n_params > 0;
    const size_t nz = cst_size_mul(p->call->n, cst_shape_size(&field->x));
    /* Nothing is in the state yet. */
    cst_adjoint_blocks list = {.a_theta = SIZE_MAX, .a_t = SIZE_MAX};
    for (size_t i = 0; i < CST_MAX_INTEGRALS; i++) list.integral[i] = list.a_integral[i] = SIZE_MAX;

    /* z and a_z, with their integrals: the blocks of the ODE proper (paper, eq. 2 and 3). */
    if (with_z) add_block(&list, "z", nz, norm->weight[CST_BLOCK_Z]);
    if (with_z) add_integrals(&list, p, false);
    list.a_z = add_block(&list, "a_z", nz, norm->weight[CST_BLOCK_A_Z]);
    /* The blocks so far change in the course of the solve: one with a weight controls its error. */
    for (size_t i = 0; i < list.n && i < CST_MAX_BLOCKS; i++)
        list.controlled = list.controlled || list.block[i].weight > 0;
    add_integrals(&list, p, true); /* constants, which control nothing */

    /* a_theta and a_t only if they have a weight. Under the seminorm they have none (paper, section 2.2). */
    if (has_theta && norm->per_tensor) {
        list.a_theta = list.size;
        add_tensor_blocks(&list, field, theta_weight);
    } else if (has_theta) {
        list.a_theta = add_block(&list, "a_theta", field->n_params, theta_weight);
    }
    if (t_weight > 0) list.a_t = add_block(&list, "a_t", 1, t_weight);
    list.controlled = list.controlled || has_theta || t_weight > 0;
    return list;
}

cst_status cst_adjoint_blocks_check(const cst_gradient_problem *p, bool with_z, cst_error *error)
{
    /* The blocks must fit into the array. */
    const cst_adjoint_blocks list = cst_adjoint_blocks_of(p, with_z);
    if (list.n > CST_MAX_BLOCKS)
        return cst_fail(error, CST_EUNSUPPORTED,
                        "expected at most %d blocks in the adjoint's norm, got %zu: use a norm without a block per "
                        "parameter tensor",
                        CST_MAX_BLOCKS, list.n);
    /* A norm that ignores weights controls the error in any case. */
    const cst_norm_ops *ops = p->norm->norm.ops;
    if (list.controlled || (ops && ops->ignores_weights)) return CST_OK;
    return cst_fail(error, CST_EARG,
                    "expected a norm with a weight above 0 for a block of the adjoint's state (%sa_z%s)",
                    with_z ? "z, " : "", p->field->n_params > 0 ? ", a_theta, a_t" : ", a_t");
}
