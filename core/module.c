/* Constructors, the tree of children, and parameters by name: all of core/module_type.h, and of core/module.h what
 * is no pass. */
#include "core/module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

cst_status cst_module_new(size_t size, const cst_module_ops *ops, const cst_shape *x, cst_module **m, cst_error *error)
{
    *m = NULL;
    /* From here on the size of a row fits into a size_t. */
    char text[CST_SHAPE_TEXT];
    if (cst_size_mul(cst_shape_size(x), sizeof(real)) == SIZE_MAX)
        return cst_fail(error, CST_ESHAPE, "rows of shape %s are too large", cst_shape_text(x, text));
    cst_module *made = calloc(1, size);
    if (!made) return cst_fail(error, CST_ENOMEM, "cannot allocate a module of type %s", ops->name);
    made->ops = ops;
    made->x = made->y = *x;
    made->rows_independent = true;
    *m = made;
    return CST_OK;
}

void cst_module_add_tensor(cst_module *m, const char *name, cst_shape shape)
{
    m->tensors[m->n_tensors++] = (cst_tensor){.name = name, .shape = shape, .offset = m->n_params};
    m->n_params = cst_size_add(m->n_params, cst_shape_size(&shape));
}

cst_status cst_module_add_child(cst_module *m, const char *name, cst_module *child, cst_error *error)
{
    /* The parent owns the child from the start, also if there is no memory to store it. */
    cst_child *children = realloc(m->children, (m->n_children + 1) * sizeof *children);
    if (!children) {
        cst_module_free(child);
        return cst_fail(error, CST_ENOMEM, "cannot allocate module \"%s\" of a %s", name, m->ops->name);
    }
    /* Append it; its parameters follow those of the children before it. */
    m->children = children;
    cst_child *added = &children[m->n_children++];
    *added = (cst_child){.module = child, .offset = m->n_params};
    snprintf(added->name, sizeof added->name, "%s", name);
    m->n_params = cst_size_add(m->n_params, child->n_params);
    m->cost += child->cost;
    m->rows_independent = m->rows_independent && child->rows_independent;
    return CST_OK;
}

cst_status cst_module_expect_rank(const cst_shape *x, size_t rank, const char *letters, cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    if (x->rank == rank) return CST_OK;
    return cst_fail(error, CST_ESHAPE, "expected rows of %zu dimension%s %s, got %s", rank, rank == 1 ? "" : "s",
                    letters, cst_shape_text(x, text));
}

cst_call cst_call_child(const cst_module *m, const cst_call *c, size_t i, real *work)
{
    cst_call call = *c;
    call.theta = c->theta ? c->theta + m->children[i].offset : NULL;
    call.rng = cst_rng_split(c->rng, i);
    call.work = work;
    return call;
}

cst_call cst_call_child_alone(const cst_module *m, const cst_call *c, size_t i, real *work)
{
    cst_call call = cst_call_child(m, c, i, work);
    call.threads = 1;
    return call;
}

void cst_module_free(cst_module *m)
{
    if (!m) return;
    /* The type's own memory, then the children, then the struct. */
    if (m->ops->destroy) m->ops->destroy(m);
    for (size_t i = 0; i < m->n_children; i++) cst_module_free(m->children[i].module);
    free(m->children);
    free(m);
}

void cst_module_init(const cst_module *m, cst_rng rng, real *theta)
{
    /* Own tensors start at zero; the type may draw others. Each child has a random stream of its own. */
    for (size_t i = 0; i < m->n_tensors; i++)
        memset(theta + m->tensors[i].offset, 0, cst_shape_size(&m->tensors[i].shape) * sizeof *theta);
    if (m->ops->init) m->ops->init(m, rng, theta);
    for (size_t i = 0; i < m->n_children; i++)
        cst_module_init(m->children[i].module, cst_rng_split(rng, i), theta + m->children[i].offset);
}

cst_status cst_module_require(const cst_module *m, unsigned passes, const char *purpose, cst_error *error)
{
    /* The first pass that this module lacks; then the children. */
    const char *lacks = passes & CST_PASS_JVP && !m->ops->jvp           ? "jvp"
                        : passes & CST_PASS_JVP_VJP && !m->ops->jvp_vjp ? "jvp_vjp"
                                                                        : NULL;
    if (lacks) return cst_fail(error, CST_EUNSUPPORTED, "%s has no %s: not usable in %s", m->ops->name, lacks, purpose);
    for (size_t i = 0; i < m->n_children; i++)
        CST_TRY(cst_module_require(m->children[i].module, passes, purpose, error));
    return CST_OK;
}

/* Visit the tensors of m, whose theta begins at `offset`. The first `used` characters of `name` are the dotted
 * prefix. */
static cst_status visit(const cst_module *m, char name[CST_TENSOR_NAME], size_t used, size_t offset,
                        cst_tensor_visitor visitor, void *context)
{
    for (size_t i = 0; i < m->n_tensors; i++) {
        snprintf(name + used, CST_TENSOR_NAME - used, "%s", m->tensors[i].name);
        CST_TRY(visitor(context, name, &m->tensors[i].shape, offset + m->tensors[i].offset));
    }
    /* A child's name and a dot extend the prefix. */
    for (size_t i = 0; i < m->n_children; i++) {
        const cst_child *child = &m->children[i];
        const int length = snprintf(name + used, CST_TENSOR_NAME - used, "%s.", child->name);
        const size_t end = used + (size_t)length < CST_TENSOR_NAME ? used + (size_t)length : CST_TENSOR_NAME - 1;
        CST_TRY(visit(child->module, name, end, offset + child->offset, visitor, context));
    }
    return CST_OK;
}

cst_status cst_module_visit_tensors(const cst_module *m, cst_tensor_visitor visitor, void *context)
{
    char name[CST_TENSOR_NAME] = "";
    return visit(m, name, 0, 0, visitor, context);
}
