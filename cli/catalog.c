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

enum { SECTIONS, MODULES, DATA, LOSSES, OPTIMIZERS, SCHEDULES, METHODS, GRADIENTS, NORMS, BLOCKS, N_GROUPS };
enum { ABOUT = 160 };

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

#define REF(name) "{\"$ref\": \"#/$defs/" name "\"}"
#define ARRAY(items, more) "{\"type\": \"array\", \"items\": " items more "}"
#define WEIGHT "{\"type\": \"number\", \"minimum\": 0}"

const cst_catalog_shape cst_catalog_shapes[] = {
    {"numbers", "a list of numbers", 0, 0, NULL},
    {"sizes", "a list of positive whole numbers", 0, 0, ARRAY("{\"type\": \"integer\", \"minimum\": 1}", "")},
    {"counts", "a list of lists of whole numbers from 0 to 64", 0, 0,
     ARRAY(ARRAY("{\"type\": \"integer\", \"minimum\": 0, \"maximum\": 64}", ", \"minItems\": 1"),
           ", \"minItems\": 1")},
    {"two_numbers", "a list of two numbers", 2, 2, NULL},
    {"times", "a list of two or more numbers", 2, 0, NULL},
    {"pairs", "a list of lists of two numbers", 0, 0,
     ARRAY(ARRAY("{\"type\": \"number\"}", ", \"minItems\": 2, \"maxItems\": 2"), ", \"minItems\": 1")},
    {"strings", "a list of strings", 0, 0, ARRAY("{\"type\": \"string\"}", "")},
    {"string_or_strings", "a string or a list of strings", 0, 0,
     "{\"anyOf\": [{\"type\": \"string\"}, " REF("strings") "]}"},
    {"modules", "a list of [modules](#modules)", 0, 0, ARRAY(REF("module"), ", \"minItems\": 1")},
    {"weights", "a number for each of some [blocks](#blocks-of-adjoint-norms)", 0, 0,
     "{\"type\": \"object\", \"propertyNames\": " REF("block") ", \"additionalProperties\": " WEIGHT "}"},
    {"norm",
     "the name of one of the [adjoint norms](#adjoint-norms); such a norm with other weights, `{\"norm\": \"default\", "
     "\"a_theta\": 0.1}`; a [weighted_norm](#weighted_norm); `{\"slices\": n}`, or `{\"slices\": \"8z\"}` for n = 8 "
     "times the size of z: the larger RMS of the first n numbers of [z, a_z, a_theta] and of the next n",
     0, 0,
     "{\"anyOf\": [" REF("norm_name") ", " REF(
         "weighted_norm") ", {\"type\": \"object\", \"description\": "
                          "\"a norm with other weights\", \"properties\": {\"norm\": " REF(
                              "norm_name") "}, \"required\": [\"norm\"], "
                                           "\"propertyNames\": {\"anyOf\": [{\"const\": \"norm\"}, " REF(
                                               "block") "]}, \"additionalProperties\": " WEIGHT "}, "
                                                        "{\"type\": \"object\", \"description\": \"the larger RMS of "
                                                        "the first so many numbers of [z, a_z, a_theta] and "
                                                        "of the next so many\", \"properties\": {\"slices\": "
                                                        "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 1}, "
                                                        "{\"type\": \"string\", \"pattern\": \"^[1-9][0-9]*z$\"}]}}, "
                                                        "\"required\": [\"slices\"], "
                                                        "\"additionalProperties\": false}]}"},
    {0},
};

const cst_catalog_shape *cst_catalog_find_shape(const char *holds)
{
    for (const cst_catalog_shape *shape = cst_catalog_shapes; shape->holds; shape++)
        if (strcmp(shape->holds, holds) == 0) return shape;
    return NULL;
}

static const char *const blocks[CST_N_BLOCKS] = {
    [CST_BLOCK_Z] = "the state",
    [CST_BLOCK_A_Z] = "its adjoint",
    [CST_BLOCK_A_THETA] = "the gradient of the field's parameters",
    [CST_BLOCK_A_T] = "the gradient of the time",
};

static const char *const integrals[CST_N_CNF_INTEGRALS] = {
    [CST_CNF_LOGP] = "the log-density of a cnf",
    [CST_CNF_KINETIC] = "the integral of |f|^2 of one that has it",
    [CST_CNF_JACOBIAN] = "the integral of |df/dz|^2 of one that has it",
};

/* Whoever looks, and at which group. */
typedef struct walk {
    cst_catalog_visitor visit;
    void *context;
    int group;
} walk;

static void show(const walk *w, const char *name, const char *summary, const cst_key *keys, const cst_key *more)
{
    const cst_catalog_entry entry = {&cst_catalog_groups[w->group], name, summary ? summary : "", keys, more};
    w->visit(w->context, &entry);
}

static void show_sections(const walk *w)
{
    show(w, "config", "the root of a config", cst_experiment_keys, NULL);
    show(w, "early_stopping", "of the root", cst_early_stopping_keys, NULL);
    show(w, "solver", "of an ode block", cst_solver_keys, NULL);
    show(w, "gradient", "of an ode block", cst_gradient_keys, NULL);
    show(w, "integrals", "of a cnf", cst_cnf_integral_keys, NULL);
    show(w, "evaluation", "of a cnf", cst_cnf_evaluation_keys, NULL);
    show(w, "weighted_norm", "an adjoint norm of weighted blocks", cst_adjoint_norm_keys, NULL);
}

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

static void show_methods(const walk *w)
{
    for (size_t i = 0; cst_tableaus[i]; i++) {
        char about[ABOUT];
        const cst_tableau *t = cst_tableaus[i];
        snprintf(about, sizeof about, "order %zu, %zu stages, %s", t->order, t->stages,
                 t->adaptive ? "adaptive" : "with a fixed step");
        show(w, t->name, about, NULL, NULL);
    }
}

void cst_catalog_visit(cst_catalog_visitor visit, void *context)
{
    walk w = {.visit = visit, .context = context};
    for (w.group = 0; w.group < N_GROUPS; w.group++) {
        if (w.group == SECTIONS) show_sections(&w);
        show_types(&w);
        for (size_t i = 0; w.group == LOSSES && cst_losses[i]; i++)
            show(&w, cst_losses[i]->name, cst_losses[i]->summary, NULL, NULL);
        if (w.group == METHODS) show_methods(&w);
        for (const cst_named_norm *norm = cst_adjoint_norms; w.group == NORMS && norm->name; norm++)
            show(&w, norm->name, norm->help, NULL, NULL);
        for (size_t i = 0; w.group == GRADIENTS && cst_gradient_methods[i]; i++)
            show(&w, cst_gradient_methods[i]->name, cst_gradient_methods[i]->summary, NULL, NULL);
        for (size_t i = 0; w.group == BLOCKS && i < CST_N_BLOCKS; i++)
            show(&w, cst_adjoint_block_names[i], blocks[i], NULL, NULL);
        for (size_t i = 0; w.group == BLOCKS && i < CST_N_CNF_INTEGRALS; i++) {
            show(&w, cst_cnf_integrals[i].name, integrals[i], NULL, NULL);
            show(&w, cst_cnf_integrals[i].adjoint, "its adjoint", NULL, NULL);
        }
    }
}

static const cst_key *find_key(const cst_key *keys, const char *name)
{
    for (; keys && keys->name; keys++)
        if (strcmp(keys->name, name) == 0) return keys;
    return NULL;
}

const cst_key *cst_catalog_next_key(const cst_catalog_entry *entry, const cst_key *key)
{
    bool own = true; /* as long as it is one of the entry's own keys */
    if (!key) {
        key = entry->keys;
    } else {
        own = find_key(entry->keys, key->name) == key;
        key++;
    }
    if (own && (!key || !key->name)) {
        key = entry->more;
        own = false;
    }
    while (!own && key && key->name && find_key(entry->keys, key->name)) key++;
    return key && key->name ? key : NULL;
}
