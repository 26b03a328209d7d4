#include "cli/cli.h"

#include "adjoint/adjoint_norm.h"
#include "adjoint/ode_block.h"
#include "core/text.h"
#include "datasets/dataset.h"
#include "models/registry.h"
#include "ode/solve_config.h"

#include <stdio.h>
#include <string.h>

static const cli_option options[] = {{0}};

/* ---- everything that has a name ------------------------------------------------------------------------------ */

/* Calls `visit` for each thing of every kind. */
typedef void (*visitor)(void *context, const char *kind, const char *name, const char *summary, const cst_key *keys,
                        const cst_key *more);

static void visit_types(visitor visit, void *context)
{
    for (size_t i = 0; i < cst_all_modules.n_types; i++) {
        const cst_module_type *type = cst_all_modules.types[i];
        visit(context, "modules", type->name, type->summary, type->keys, NULL);
    }
    for (size_t i = 0; cst_dataset_types[i]; i++) {
        const cst_dataset_type *type = cst_dataset_types[i];
        visit(context, "data sets", type->name, type->summary, type->keys, cst_dataset_keys);
    }
    for (size_t i = 0; cst_losses[i]; i++) visit(context, "losses", cst_losses[i]->name, "", NULL, NULL);
    for (size_t i = 0; cst_optimizer_types[i]; i++) {
        const cst_optimizer_type *type = cst_optimizer_types[i];
        visit(context, "optimizers", type->name, type->summary, type->keys, NULL);
    }
    for (size_t i = 0; i < CST_N_SCHEDULES; i++)
        visit(context, "schedules", cst_schedule_types[i].name, cst_schedule_types[i].summary,
              cst_schedule_types[i].keys, NULL);
}

static void visit_rest(visitor visit, void *context)
{
    char about[80];
    for (size_t i = 0; cst_tableaus[i]; i++) {
        const cst_tableau *t = cst_tableaus[i];
        snprintf(about, sizeof about, "order %zu, %zu stages, %s", t->order, t->stages,
                 t->adaptive ? "adaptive" : "with a fixed step");
        visit(context, "solver methods", t->name, about, NULL, NULL);
    }
    for (size_t i = 0; cst_adjoint_norm_names[i]; i++)
        visit(context, "adjoint norms", cst_adjoint_norm_names[i], "", NULL, NULL);
    visit(context, "sections", "config", "the root of a config", cst_experiment_keys, NULL);
    visit(context, "sections", "early_stopping", "of the root", cst_early_stopping_keys, NULL);
    visit(context, "sections", "solver", "of an ode block", cst_solver_keys, NULL);
    visit(context, "sections", "gradient", "of an ode block", cst_gradient_keys, NULL);
}

static void visit_all(visitor visit, void *context)
{
    visit_types(visit, context);
    visit_rest(visit, context);
}

/* ---- the list ------------------------------------------------------------------------------------------------ */

static void print_name(void *context, const char *kind, const char *name, const char *summary, const cst_key *keys,
                       const cst_key *more)
{
    const char **last = context;
    (void)keys, (void)more;
    if (!*last || strcmp(*last, kind) != 0) printf("%s%s\n", *last ? "\n" : "", kind);
    *last = kind;
    printf("  %-22s %s\n", name, summary);
}

/* ---- one thing ----------------------------------------------------------------------------------------------- */

typedef struct search {
    const char *name;
    const char *nearest;
    bool found;
} search;

static void print_key(const cst_key *key)
{
    const char *fallback = !key->fallback ? "required" : *key->fallback ? key->fallback : "-";
    printf("  %-18s %-20s %s", key->name, fallback, key->help);
    for (size_t i = 0; key->choices && key->choices[i]; i++) printf("%s%s", i == 0 ? ": " : ", ", key->choices[i]);
    putchar('\n');
}

static bool has_key(const cst_key *keys, const char *name)
{
    for (; keys && keys->name; keys++)
        if (strcmp(keys->name, name) == 0) return true;
    return false;
}

static void print_thing(void *context, const char *kind, const char *name, const char *summary, const cst_key *keys,
                        const cst_key *more)
{
    search *s = context;
    if (!s->nearest || cst_text_distance(s->name, name) < cst_text_distance(s->name, s->nearest)) s->nearest = name;
    if (strcmp(s->name, name) != 0) return;
    s->found = true;
    printf("%s (%s): %s\n", name, kind, summary);
    if (keys && keys->name) printf("  %-18s %-20s %s\n", "key", "default", "what it is");
    for (const cst_key *key = keys; key && key->name; key++) print_key(key);
    for (const cst_key *key = more; key && key->name; key++)
        if (!has_key(keys, key->name)) print_key(key);
}

static int list(const cli_line *line)
{
    if (line->n_arguments == 0) {
        const char *last = NULL;
        visit_all(print_name, &last);
        puts("\ncostate list NAME shows its keys with their defaults.");
        return CLI_DONE;
    }
    search s = {.name = line->arguments[0]};
    visit_all(print_thing, &s);
    if (s.found) return CLI_DONE;
    cli_complain("nothing is called \"%s\"; the nearest is \"%s\"", s.name, s.nearest);
    return CLI_WRONG;
}

const cli_command cli_list = {"list",  "[NAME]", "what a config can name; the keys of one with their defaults", 0, 1,
                              options, list};
