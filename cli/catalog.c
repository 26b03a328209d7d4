#include "cli/catalog.h"

#include "adjoint/adjoint_norm.h"
#include "adjoint/ode_config.h"
#include "core/text.h"
#include "datasets/dataset.h"
#include "datasets/registry.h"
#include "models/cnf.h"
#include "models/registry.h"
#include "ode/solve_config.h"
#include "train/experiment.h"
#include "train/loss.h"

#include <stdio.h>
#include <string.h>

/* ---- groups -------------------------------------------------------------------------------------------------- */

/* The groups, in the order of the output. */
enum { SECTIONS, MODULES, DATA, LOSSES, OPTIMIZERS, SCHEDULES, METHODS, GRADIENTS, NORMS, BLOCKS, N_GROUPS };
const cst_catalog_group cst_catalog_groups[N_GROUPS + 1] = {
    [SECTIONS] = {"sections", NULL, CST_FORM_SECTION},
    [MODULES] = {"modules", "module", CST_FORM_TYPED},
    [DATA] = {"data sets", "data", CST_FORM_TYPED},
    [LOSSES] = {"losses", "loss", CST_FORM_NAME},
    [OPTIMIZERS] = {"optimizers", "optimizer", CST_FORM_TYPED},
    [SCHEDULES] = {"schedules", "schedule", CST_FORM_TYPED},
    [METHODS] = {"solver methods", NULL, CST_FORM_NAME},
    [GRADIENTS] = {"gradient methods", NULL, CST_FORM_NAME},
    [NORMS] = {"adjoint norms", "norm_name", CST_FORM_NAME},
    [BLOCKS] = {"blocks of adjoint norms", "block", CST_FORM_NAME},
};

/* ---- shapes -------------------------------------------------------------------------------------------------- */

/* The schemas refer to each other and to the groups by their `holds`. */
const cst_catalog_shape cst_catalog_shapes[] = {
    {.holds = "numbers", .text = "a list of numbers"},
    {.holds = "two_numbers", .text = "a list of two numbers", .least = 2, .most = 2},
    {.holds = "times", .text = "a list of two or more numbers", .least = 2},
    {"sizes", "a list of positive whole numbers",
     CST_JSON({"type": "array", "items": {"type": "integer", "minimum": 1}})},
    {"counts", "a list of lists of whole numbers from 0 to 64", CST_JSON({
         "type": "array",
         "items": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 64}, "minItems": 1},
         "minItems": 1
     })},
    {"pairs", "a list of lists of two numbers", CST_JSON({
         "type": "array",
         "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
         "minItems": 1
     })},
    {"strings", "a list of strings", CST_JSON({"type": "array", "items": {"type": "string"}})},
    {"string_or_strings", "a string or a list of strings",
     CST_JSON({"anyOf": [{"type": "string"}, {"$ref": "#/$defs/strings"}]})},
    {"modules", "a list of [modules](#modules)",
     CST_JSON({"type": "array", "items": {"$ref": "#/$defs/module"}, "minItems": 1})},
    {"weights", "an object with a number per [block](#blocks-of-adjoint-norms)", CST_JSON({
         "type": "object",
         "propertyNames": {"$ref": "#/$defs/block"},
         "additionalProperties": {"type": "number", "minimum": 0}
     })},
    {"norm",
     "the name of one of the [adjoint norms](#adjoint-norms); such a norm with other weights, `{\"norm\": \"default\", "
     "\"a_theta\": 0.1}`; a [weighted_norm](#weighted_norm); or `{\"slices\": n}`: the larger of the RMS of the "
     "first n numbers of [z, a_z, a_theta] and that of the next n, where `\"8z\"` for n means 8 times the size of z",
     CST_JSON({
         "anyOf": [
             {"$ref": "#/$defs/norm_name"}, {"$ref": "#/$defs/weighted_norm"}, {
                 "type": "object",
                 "description": "a named norm with other weights",
                 "properties": {"norm": {"$ref": "#/$defs/norm_name"}},
                 "required": ["norm"],
                 "propertyNames": {"anyOf": [{"const": "norm"}, {"$ref": "#/$defs/block"}]},
                 "additionalProperties": {"type": "number", "minimum": 0}
             },
             {
                 "type": "object",
                 "description":
                     "the larger of the RMS of the first n numbers of [z, a_z, a_theta] and that of the next n",
                 "properties": {
                     "slices":
                         {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "^[1-9][0-9]*z$"}]}
                 },
                 "required": ["slices"],
                 "additionalProperties": false
             }
         ]
     })},
    {0},
};

const cst_catalog_shape *cst_catalog_find_shape(const char *holds)
{
    for (const cst_catalog_shape *shape = cst_catalog_shapes; shape->holds; shape++)
        if (strcmp(shape->holds, holds) == 0) return shape;
    return NULL;
}

/* ---- entries ------------------------------------------------------------------------------------------------- */

/* The blocks of an adjoint system that a norm weights, and the integrals of a cnf, which may be blocks too. */
static const char *const blocks[CST_N_BLOCKS] = {
    [CST_BLOCK_Z] = "the state",
    [CST_BLOCK_A_Z] = "the adjoint of the state",
    [CST_BLOCK_A_THETA] = "the gradient of the field's parameters",
    [CST_BLOCK_A_T] = "the gradient of the time",
};

static const char *const integrals[CST_N_CNF_INTEGRALS] = {
    [CST_CNF_LOGP] = "the log-density of a cnf",
    [CST_CNF_KINETIC] = "the integral of |f|^2 of a cnf that penalizes it",
    [CST_CNF_JACOBIAN] = "the integral of |df/dz|^2 of a cnf that penalizes it",
};

/* One pass over the catalog: the visitor, and the group that is being visited. */
typedef struct walk {
    cst_catalog_visitor visit;
    void *context;
    int group;
} walk;

/* Pass one entry of the current group to the visitor. `summary`, `keys` and `more` may be NULL. */
static void show(const walk *w, const char *name, const char *summary, const cst_key *keys, const cst_key *more)
{
    const cst_catalog_entry entry = {&cst_catalog_groups[w->group], name, summary ? summary : "", keys, more};
    w->visit(w->context, &entry);
}

/* Sections that occur once, at a fixed place in a config. */
static void show_sections(const walk *w)
{
    show(w, "config", "The top level of a config says what is trained on which data, and how.", cst_experiment_keys,
         NULL);
    show(w, "early_stopping",
         "This section of the top level ends training early when the monitored value no longer improves.",
         cst_early_stopping_keys, NULL);
    show(w, "solver", "This section of an ODE block sets the method, the tolerances and the step sizes.",
         cst_solver_keys, NULL);
    show(w, "gradient", "This section of an ODE block sets how the backward pass computes gradients.",
         cst_gradient_keys, NULL);
    show(w, "integrals",
         "This section of a cnf weights the integrals in the error norm; a weight of 0 keeps one out of it.",
         cst_cnf_integral_keys, NULL);
    show(w, "evaluation", "This section of a cnf sets what evaluation uses in place of the training settings.",
         cst_cnf_evaluation_keys, NULL);
    show(w, "weighted_norm", "This section defines an adjoint norm by a weight per block of the adjoint system.",
         cst_adjoint_norm_keys, NULL);
}

/* Modules, data sets, optimizers or schedules, whichever the group is: each type is a struct with a table of keys. */
static void show_types(const walk *w)
{
    for (size_t i = 0; w->group == MODULES && i < cst_all_modules.n_types; i++) {
        const cst_module_type *type = cst_all_modules.types[i];
        show(w, type->name, type->summary, type->keys, NULL);
    }
    for (size_t i = 0; w->group == DATA && cst_dataset_types[i]; i++) {
        const cst_dataset_type *type = cst_dataset_types[i];
        show(w, type->name, type->summary, type->keys, cst_dataset_keys);
    }
    for (size_t i = 0; w->group == OPTIMIZERS && cst_optimizer_types[i]; i++) {
        const cst_optimizer_type *type = cst_optimizer_types[i];
        show(w, type->name, type->summary, type->keys, NULL);
    }
    for (size_t i = 0; w->group == SCHEDULES && i < CST_N_SCHEDULES; i++) {
        const cst_schedule_type *type = &cst_schedule_types[i];
        show(w, type->name, type->summary, type->keys, NULL);
    }
}

/* Solver methods, with a summary that is made from the tableau. */
static void show_methods(const walk *w)
{
    for (size_t i = 0; cst_tableaus[i]; i++) {
        char about[160];
        const cst_tableau *t = cst_tableaus[i];
        snprintf(about, sizeof about, "order %zu, %zu stages, %s", t->order, t->stages,
                 t->adaptive ? "adaptive" : "fixed step size");
        show(w, t->name, about, NULL, NULL);
    }
}

/* The blocks of every adjoint system, then the integrals of a cnf, each with its adjoint. */
static void show_blocks(const walk *w)
{
    for (size_t i = 0; i < CST_N_BLOCKS; i++) show(w, cst_adjoint_block_names[i], blocks[i], NULL, NULL);
    for (size_t i = 0; i < CST_N_CNF_INTEGRALS; i++) {
        char adjoint[80];
        snprintf(adjoint, sizeof adjoint, "the adjoint of %s", cst_cnf_integrals[i].name);
        show(w, cst_cnf_integrals[i].name, integrals[i], NULL, NULL);
        show(w, cst_cnf_integrals[i].adjoint, adjoint, NULL, NULL);
    }
}

void cst_catalog_visit(cst_catalog_visitor visit, void *context)
{
    walk w = {.visit = visit, .context = context};
    for (w.group = 0; w.group < N_GROUPS; w.group++) {
        if (w.group == SECTIONS) show_sections(&w);
        show_types(&w); /* nothing, unless the group has types */
        /* Groups whose entries are only names. */
        for (size_t i = 0; w.group == LOSSES && cst_losses[i]; i++)
            show(&w, cst_losses[i]->name, cst_losses[i]->summary, NULL, NULL);
        if (w.group == METHODS) show_methods(&w);
        for (const cst_named_norm *norm = cst_adjoint_norms; w.group == NORMS && norm->name; norm++)
            show(&w, norm->name, norm->help, NULL, NULL);
        for (size_t i = 0; w.group == GRADIENTS && cst_gradient_methods[i]; i++)
            show(&w, cst_gradient_methods[i]->name, cst_gradient_methods[i]->summary, NULL, NULL);
        if (w.group == BLOCKS) show_blocks(&w);
    }
}

/* ---- keys ---------------------------------------------------------------------------------------------------- */

/* The key of this name in a table, which may be NULL; NULL if there is none. */
static const cst_key *find_key(const cst_key *keys, const char *name)
{
    for (; keys && keys->name; keys++)
        if (strcmp(keys->name, name) == 0) return keys;
    return NULL;
}

const cst_key *cst_catalog_next_key(const cst_catalog_entry *entry, const cst_key *key)
{
    /* Step to the next key of the same table. `own`: that is the table of the entry's own keys. */
    bool own = true;
    if (!key) {
        key = entry->keys;
    } else {
        own = find_key(entry->keys, key->name) == key;
        key++;
    }
    /* At the end of the own keys, continue with the shared ones. */
    if (own && (!key || !key->name)) {
        key = entry->more;
        own = false;
    }
    /* Skip shared keys that an own key of the same name replaces. */
    while (!own && key && key->name && find_key(entry->keys, key->name)) key++;
    return key && key->name ? key : NULL;
}
