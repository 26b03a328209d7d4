/* What the files of models/flow.h share: how a flow is stored. flow.c has the passes, flow_build.c puts a flow
 * together. */
#ifndef CST_MODELS_FLOW_INTERNAL_H
#define CST_MODELS_FLOW_INTERNAL_H

#include "layers/bijection.h"
#include "models/flow.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The most layers: each pass has an array of one layout per layer on the stack. */
enum { CST_FLOW_MAX_LAYERS = 128 };

/* What the flow knows about one of its layers. */
typedef struct cst_flow_step {
    const cst_bijection *bijection; /* NULL: a cnf, whose rows are [z | change of the log-density | regularizers] */
    cst_shape z;                    /* shape of a row after the layer */
    size_t out;                     /* entries factored out after the layer, the last ones of a row */
} cst_flow_step;

/* A flow: what a cst_module * with the table cst_flow_ops points to. */
typedef struct cst_flow {
    cst_module base;
    cst_flow_step *steps; /* one per child; owned */
    bool penalized;       /* a layer has regularizers: y has a second column */
} cst_flow;

/* The passes: a module with this table is a cst_flow. */
extern const cst_module_ops cst_flow_ops;

/* What the flow m knows about layer i < m->n_children, and the layer itself. Both belong to the flow. */
const cst_flow_step *cst_flow_step_at(const cst_module *m, size_t i);
const cst_module *cst_flow_layer(const cst_module *m, size_t i);

#ifdef __cplusplus
}
#endif
#endif
