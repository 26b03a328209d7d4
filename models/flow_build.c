/* The part of models/flow.h that puts a flow together, layer by layer, and says what it expects. */
#include "layers/dequantize.h"
#include "layers/logit.h"
#include "layers/squeeze.h"
#include "models/cnf.h"
#include "models/flow_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* The layers of flows besides cnf. */
static const cst_bijection *const bijections[] = {&cst_squeeze_bijection, &cst_logit_bijection,
                                                  &cst_dequantize_bijection, NULL};

cst_status cst_flow_new(const cst_shape *x, cst_module **m, cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    *m = NULL;
    if (cst_shape_size(x) == 0)
        return cst_fail(error, CST_ESHAPE, "expected rows with entries, got %s", cst_shape_text(x, text));
    CST_TRY(cst_module_new(sizeof(cst_flow), &cst_flow_ops, x, m, error));
    (*m)->y = cst_shape_1d(1);
    return CST_OK;
}

cst_shape cst_flow_shape(const cst_module *m)
{
    if (m->n_children == 0) return m->x;
    const cst_flow_step *s = cst_flow_step_at(m, m->n_children - 1);
    /* Half of the channels, the first dimension, if the other half is factored out. */
    cst_shape z = s->z;
    if (s->out > 0) z.dim[0] /= 2;
    return z;
}

/* Whether a layer is of that bijection's type. */
static bool has_type(const cst_module *layer, const cst_bijection *bijection)
{
    return layer->ops == bijection->ops;
}

/* dequantize expects pixels, so only squeezes may precede it. logit expects numbers from 0 to 1, so only squeezes and
 * dequantize may precede it. */
static cst_status check_domain(const cst_module *m, const cst_module *layer, cst_error *error)
{
    const bool pixels = has_type(layer, &cst_dequantize_bijection);
    if (!pixels && !has_type(layer, &cst_logit_bijection)) return CST_OK;
    for (size_t i = 0; i < m->n_children; i++) {
        const cst_module *before = cst_flow_layer(m, i);
        if (has_type(before, &cst_squeeze_bijection) || (!pixels && has_type(before, &cst_dequantize_bijection)))
            continue;
        return cst_fail(error, CST_EUNSUPPORTED, "%s expects numbers from 0 to 1, but the %s before it gives others",
                        layer->ops->name, before->ops->name);
    }
    return CST_OK;
}

/* Whether the layer may be appended to the flow. */
static cst_status check_layer(const cst_module *m, const cst_module *layer, const cst_flow_step *s, cst_error *error)
{
    char made[CST_SHAPE_TEXT], got[CST_SHAPE_TEXT];
    const cst_shape z = cst_flow_shape(m);
    if (!s->bijection && !cst_is_cnf(layer))
        return cst_fail(
            error, CST_EUNSUPPORTED,
            "%s has no inverse and no log-determinant: expected a cnf, squeeze, logit or dequantize in a flow",
            layer->ops->name);
    if (m->n_children == CST_FLOW_MAX_LAYERS)
        return cst_fail(error, CST_EUNSUPPORTED, "expected at most %d layers in a flow, got more", CST_FLOW_MAX_LAYERS);
    CST_TRY(check_domain(m, layer, error));
    /* The layer's rows must be what the flow gives so far. */
    if (cst_shape_equal(&layer->x, &z)) return CST_OK;
    return cst_fail(error, CST_ESHAPE, "layer %zu of a flow: expected one for rows %s, got one for %s", m->n_children,
                    cst_shape_text(&z, got), cst_shape_text(&layer->x, made));
}

cst_status cst_flow_add(cst_module *m, cst_module *layer, cst_error *error)
{
    cst_flow *f = (cst_flow *)(void *)m;
    cst_flow_step s = {0};
    /* A bijection has the shape of its y; a cnf's rows have integrals after z, whose shape is that of x. */
    for (size_t i = 0; bijections[i]; i++)
        if (bijections[i]->ops == layer->ops) s.bijection = bijections[i];
    s.z = s.bijection ? layer->y : layer->x;
    /* The flow keeps the layer only if all checks pass and there is memory for its step. */
    cst_status status = check_layer(m, layer, &s, error);
    cst_flow_step *steps = status == CST_OK ? realloc(f->steps, (m->n_children + 1) * sizeof *steps) : NULL;
    if (status == CST_OK && !steps) status = cst_fail(error, CST_ENOMEM, "cannot allocate a flow's layer");
    if (status != CST_OK) {
        cst_module_free(layer);
        return status;
    }
    f->steps = steps;
    steps[m->n_children] = s;
    /* The child is named by its index; a second output column appears with the first regularizer. */
    char name[CST_CHILD_NAME];
    double weights[CST_N_CNF_INTEGRALS];
    snprintf(name, sizeof name, "%zu", m->n_children);
    if (!s.bijection && cst_cnf_penalties(layer, weights) > 1) f->penalized = true;
    m->y = cst_shape_1d(f->penalized ? 2 : 1);
    return cst_module_add_child(m, name, layer, error);
}

cst_status cst_flow_factor_out(cst_module *m, cst_error *error)
{
    char text[CST_SHAPE_TEXT];
    const cst_shape z = cst_flow_shape(m);
    cst_flow_step *s = m->n_children > 0 ? &((cst_flow *)(void *)m)->steps[m->n_children - 1] : NULL;
    if (!s || s->out > 0 || z.rank < 1 || z.dim[0] % 2 != 0)
        return cst_fail(error, CST_ESHAPE,
                        "expected a layer, and after it an even number of channels to factor out half of, got %s",
                        cst_shape_text(&z, text));
    s->out = cst_shape_size(&z) / 2;
    return CST_OK;
}

bool cst_is_flow(const cst_module *m)
{
    return m->ops == &cst_flow_ops;
}

/* The flow's first layer that is not a squeeze; NULL if there is none. */
static const cst_module *first_layer(const cst_module *m)
{
    size_t i = 0;
    while (i < m->n_children && has_type(cst_flow_layer(m, i), &cst_squeeze_bijection)) i++;
    return i < m->n_children ? cst_flow_layer(m, i) : NULL;
}

/* Squeezes only rearrange entries, so the first layer after them decides. */
bool cst_flow_wants_unit_interval(const cst_module *m)
{
    const cst_module *first = cst_is_flow(m) ? first_layer(m) : NULL;
    return first && (has_type(first, &cst_logit_bijection) || has_type(first, &cst_dequantize_bijection));
}

size_t cst_flow_levels(const cst_module *m)
{
    const cst_module *first = cst_is_flow(m) ? first_layer(m) : NULL;
    return first && has_type(first, &cst_dequantize_bijection) ? cst_dequantize_levels(first) : 0;
}
