/* The part of models/flow.h that reads a flow from a config. */
#include "adjoint/ode_config.h"
#include "layers/squeeze.h"
#include "models/cnf.h"
#include "models/flow.h"

#include <math.h>
#include <string.h>

/* What the keys are read into. */
typedef struct flow_section {
    cst_config layers, blocks, cnf;
} flow_section;

static const cst_key flow_keys[] = {
    {.name = "layers",
     .kind = CST_KEY_LIST,
     .offset = offsetof(flow_section, layers),
     .fallback = "",
     .help = "cnf, squeeze, logit and dequantize layers, in the order from data to base",
     .holds = "modules"},
    {.name = "blocks",
     .kind = CST_KEY_LIST,
     .offset = offsetof(flow_section, blocks),
     .fallback = "",
     .help = "after `layers`, numbers of copies of `cnf`: one list per scale. Half of the channels are factored out "
             "between "
             "scales; a squeeze precedes each number of a list but the first",
     .holds = "counts"},
    {.name = "cnf",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(flow_section, cnf),
     .fallback = "",
     .help = "the cnf that `blocks` counts",
     .holds = "module"},
    {.name = NULL},
};

/* A flow under construction. */
typedef struct builder {
    const cst_registry *registry;
    cst_module *flow;
    cst_error *error;
} builder;

/* Add the place in the config to an error of a layer, unless memory ran out. */
static cst_status placed(const builder *b, cst_config place, cst_status status)
{
    return status == CST_OK || status == CST_ENOMEM ? status : cst_config_place(place, b->error);
}

/* Append the layer of a section. */
static cst_status add(const builder *b, cst_config section)
{
    cst_module *layer = NULL;
    const cst_shape shape = cst_flow_shape(b->flow);
    CST_TRY(cst_module_from_config(b->registry, section, &shape, &layer, b->error));
    return placed(b, section, cst_flow_add(b->flow, layer, b->error));
}

/* Append a squeeze; `place` is the number in `blocks` that asks for it. */
static cst_status add_squeeze(const builder *b, cst_config place)
{
    cst_module *layer = NULL;
    const cst_shape shape = cst_flow_shape(b->flow);
    const cst_status status = cst_squeeze_new(&shape, &layer, b->error);
    return placed(b, place, status == CST_OK ? cst_flow_add(b->flow, layer, b->error) : status);
}

/* One list of `blocks`: each number of cnfs, with squeezes between the numbers. */
static cst_status add_scale(const builder *b, cst_config counts, cst_config cnf)
{
    enum { MOST = 64 };
    if (cst_config_length(counts) == 0 || !cst_config_is_list(counts))
        return cst_config_expected(counts, "a list of numbers of cnfs, one or more", b->error);
    for (size_t i = 0; i < cst_config_length(counts); i++) {
        /* The number, a squeeze before it unless it is the first, and that many cnfs. */
        const cst_config item = cst_config_item(counts, i);
        double n = 0;
        if (!cst_config_number(item, &n) || !(n >= 0 && n <= MOST) || n != floor(n))
            return cst_config_expected(item, "a whole number of cnfs up to 64", b->error);
        if (i > 0) CST_TRY(add_squeeze(b, item));
        for (size_t k = 0; k < (size_t)n; k++) CST_TRY(add(b, cnf));
    }
    return CST_OK;
}

/* All of `blocks`, with half of the channels factored out between the scales. */
static cst_status add_blocks(const builder *b, const flow_section *s)
{
    const size_t scales = cst_config_length(s->blocks);
    /* Each block is a copy of `cnf`, whose type must be that. */
    const char *type = cst_config_string(cst_config_get(s->cnf, "type"));
    if (!type || strcmp(type, cst_cnf_type.name) != 0)
        return cst_config_fail(s->cnf, b->error, "expected a section of type cnf, which `blocks` counts");
    /* Half of the channels are factored out after each scale but the last. */
    for (size_t i = 0; i < scales; i++) {
        const cst_config counts = cst_config_item(s->blocks, i);
        CST_TRY(add_scale(b, counts, s->cnf));
        if (i + 1 < scales) CST_TRY(placed(b, counts, cst_flow_factor_out(b->flow, b->error)));
    }
    return CST_OK;
}

/* The layers, then the blocks. */
static cst_status add_all(const builder *b, cst_config section, const flow_section *s)
{
    if (cst_config_present(s->blocks) != cst_config_present(s->cnf))
        return cst_config_fail(section, b->error, "expected both \"blocks\" and \"cnf\", or neither");
    for (size_t i = 0; i < cst_config_length(s->layers); i++) CST_TRY(add(b, cst_config_item(s->layers, i)));
    if (cst_config_present(s->blocks)) CST_TRY(add_blocks(b, s));
    /* A flow without layers would be a normal distribution, surely by mistake. */
    if (b->flow->n_children > 0) return CST_OK;
    return cst_config_fail(section, b->error, "expected at least one layer in \"layers\" or \"blocks\", got none");
}

/* The module of a section, for rows of shape x. */
static cst_status flow_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                            cst_error *error)
{
    flow_section s = {0};
    builder b = {.registry = registry, .error = error};
    *m = NULL;
    CST_TRY(cst_config_read(section, flow_keys, true, &s, error));
    CST_TRY(cst_flow_new(x, &b.flow, error));
    const cst_status status = add_all(&b, section, &s);
    if (status == CST_OK)
        *m = b.flow;
    else
        cst_module_free(b.flow);
    return status;
}

/* Configs for the conformance tests: regularizers, scales, and a flow without parameters. */
#define CNF(keys, time)                                                                                                \
    "{\"type\": \"cnf\", " keys CST_TIGHT_SOLVER                                                                       \
    ", \"field\": {\"type\": \"field_net\", \"hidden\": [3], \"time\": \"" time "\""                                   \
    "}}"
static const cst_module_example flow_examples[] = {
    {"{\"type\": \"flow\", \"layers\": [" CNF("\"divergence\": \"exact\", ", "concat_squash") ", " CNF(
         "\"jacobian\": 0.1, \"kinetic\": 0.2, ", "none") "]}",
     {1, {2}}},
    {"{\"type\": \"flow\", \"layers\": [{\"type\": \"dequantize\"}, {\"type\": \"logit\", \"alpha\": 0.05}], "
     "\"blocks\": [[1, 1], [0, 1]], \"cnf\": " CNF("\"kinetic\": 0.1, ", "concat") "}",
     {3, {1, 4, 4}},
     .low = 0.1,
     .high = 0.9},
    {CST_JSON({"type": "flow", "layers": [{"type": "logit", "alpha": 0.1}, {"type": "squeeze"}]}),
     {3, {1, 2, 2}},
     .low = 0.1,
     .high = 0.9},
};

const cst_module_type cst_flow_type = {
    .name = "flow",
    .summary = "normalizing flow: the log-likelihood of a row, for the loss nll",
    .keys = flow_keys,
    .make = flow_make,
    .n_examples = sizeof flow_examples / sizeof *flow_examples,
    .examples = flow_examples,
};
