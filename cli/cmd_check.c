/* costate check: load the data and build the model of a config, then print what they are, or compare the gradient
 * methods. */
#include "cli/cli.h"

#include "analysis/gradients.h"
#include "core/shape.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--gradients", NULL, "compare the gradient methods with each other and with a finite difference, on one batch"},
    CLI_CONFIG_OPTIONS,
    {0},
};

/* ---- the config ---------------------------------------------------------------------------------------------- */

/* One line per module, indented by its depth: name and type, shape of the output, number of parameters with its
 * children's. */
static void print_modules(const cst_module *m, const char *name, int depth)
{
    char label[200], shape[CST_SHAPE_TEXT];
    snprintf(label, sizeof label, "%*s%s%s%s", 2 * depth, "", name, *name ? " " : "", m->ops->name);
    cli_print("  %-36s %-16s %10zu\n", label, cst_shape_text(&m->y, shape), m->n_params);
    for (size_t i = 0; i < m->n_children; i++) print_modules(m->children[i].module, m->children[i].name, depth + 1);
}

static void print_split(const char *name, const cst_split *split)
{
    if (split->n > 0) cli_print(", %zu to %s", split->n, name);
}

/* A number of reals as MiB. */
static void print_memory(const char *name, size_t reals)
{
    cli_print("  %-36s %27.1f\n", name, (double)reals * (double)sizeof(real) / (1024 * 1024));
}

static int print_all(const cst_experiment *e, cst_document *document)
{
    char shape[CST_SHAPE_TEXT];
    size_t rows[CST_BATCH_SIZES];
    cst_memory_plan plan;
    cst_error error;
    /* The memory is planned, not allocated: a model that is too large for this machine can be checked. */
    const cst_learner_options learner = cst_experiment_learner(e, rows, cst_experiment_rows(e, rows));
    if (cst_learner_plan(e->model, &learner, &plan, &error) != CST_OK) return cli_refuse(&error);
    /* The data: rows, targets, splits. */
    cli_print("%s is valid\n\ndata: rows of %s, ", cst_document_name(document), cst_shape_text(&e->data.x, shape));
    if (e->data.n_classes + e->data.n_targets == 0)
        cli_print("no labels");
    else
        cli_print(e->data.n_classes > 0 ? "%zu classes" : "%zu targets",
                  e->data.n_classes > 0 ? e->data.n_classes : e->data.n_targets / cst_dataset_labels(&e->data));
    if (e->data.steps > 0) cli_print(" at each of %zu times", e->data.steps);
    print_split("train", &e->data.train);
    print_split("validate", &e->data.validation);
    print_split("test", &e->data.test);
    cli_print("; %zu iterations of %zu rows per epoch\n\n", cst_experiment_iterations(e), e->data.batch_size);

    /* The model and its memory. */
    cli_print("  %-36s %-16s %10s\n", "module", "shape per row", "parameters");
    print_modules(e->model, "", 0);
    cli_print("\n  %-36s %27s\n", "memory", "MiB");
    print_memory("parameters, gradient, optimizer", plan.params);
    print_memory("cache of the forward pass", plan.cache);
    print_memory("work memory", plan.work);
    print_memory("output, cotangent, targets", plan.state);

    /* Building the experiment has written all defaults into the document. */
    char *text = cst_document_print(document);
    if (!text) {
        cli_error("out of memory");
        return CLI_FAILED;
    }
    cli_print("\nconfig with all defaults:\n%s", text);
    free(text);
    return CLI_DONE;
}

/* ---- gradients ----------------------------------------------------------------------------------------------- */

static int print_gradients(const cst_experiment *e)
{
    cst_gradient_row rows[CST_GRADIENT_ROWS];
    cst_error error;
    const cst_status status = cst_gradients_compare(e, rows, &error);
    if (status != CST_OK)
        return status == CST_ECONFIG || status == CST_EUNSUPPORTED ? cli_refuse(&error) : cli_fail(&error);
    /* The table: a row per method. A method that failed has its reason in place of the numbers. */
    cli_print("gradient of the loss at the initial weights, on a batch of %zu rows (%s precision)\n\n",
              e->data.train.n < e->data.batch_size ? e->data.train.n : e->data.batch_size, CST_REAL_NAME);
    cli_print("  %-22s %12s %14s %16s %12s %12s %10s\n", "method", "distance", "from the ODE's", "directional",
              "forward NFE", "backward NFE", "ms");
    for (size_t i = 0; i < CST_GRADIENT_ROWS; i++) {
        const cst_gradient_row *r = &rows[i];
        if (r->status != CST_OK) {
            cli_print("  %-22s %s\n", r->method, r->why);
            continue;
        }
        char distance[16] = "-", from_limit[16] = "-";
        if (isfinite(r->distance)) snprintf(distance, sizeof distance, "%.2e", r->distance);
        if (isfinite(r->from_limit)) snprintf(from_limit, sizeof from_limit, "%.2e", r->from_limit);
        cli_print("  %-22s %12s %14s %16.9g %12.0f %12.0f %10.2f\n", r->method, distance, from_limit, r->along,
                  r->nfe[0], r->nfe[1], 1e3 * r->seconds);
    }
    cli_print("\ndistance: relative 2-norm distance from the exact gradient of the steps taken (checkpointed)\n"
              "from the ODE's: the same from the gradient at tolerances a thousand times tighter\n"
              "directional: derivative of the loss along a random direction. The last row has a central difference;\n"
              "its two solves take the same steps as the solve between them\n");
    if (sizeof(real) < sizeof(double))
        cli_print("In single precision, a difference is accurate to two or three digits; build with PRECISION=double "
                  "for more.\n");
    return CLI_DONE;
}

/* ---- the command --------------------------------------------------------------------------------------------- */

static int check(const cli_line *line)
{
    int code = CLI_FAILED;
    cst_document *document = cli_load(line, line->arguments[0], &code);
    if (!document) return code;
    cst_experiment e;
    cst_error error;
    if (cst_experiment_new(document, &e, &error) == CST_OK) {
        code = cli_flag(line, "--gradients") ? print_gradients(&e) : print_all(&e, document);
        cst_experiment_clear(&e);
    } else {
        code = cli_refuse(&error);
    }
    cst_document_free(document);
    return code;
}

const cli_command cli_check = {
    .name = "check",
    .arguments = "CONFIG [OPTIONS]",
    .summary = "validate a config; print shapes, sizes and all defaults",
    .example = "costate check configs/spiral.json --gradients",
    .least = 1,
    .most = 1,
    .options = options,
    .run = check,
};
