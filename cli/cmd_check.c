#include "cli/cli.h"

#include "core/shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {CLI_CONFIG_OPTIONS, {0}};

static void print_modules(const cst_module *m, const char *name, int depth)
{
    char label[200], shape[CST_SHAPE_TEXT];
    snprintf(label, sizeof label, "%*s%s%s%s", 2 * depth, "", name, *name ? " " : "", m->ops->name);
    printf("  %-36s %-16s %10zu\n", label, cst_shape_text(&m->y, shape), m->n_params);
    for (size_t i = 0; i < m->n_children; i++) print_modules(m->children[i].module, m->children[i].name, depth + 1);
}

static void print_part(const char *name, const cst_part *part)
{
    if (part->n > 0) printf(", %zu to %s", part->n, name);
}

static void print_memory(const char *name, size_t reals)
{
    printf("  %-36s %27.1f\n", name, (double)reals * (double)sizeof(real) / (1024 * 1024));
}

static int print_all(const cst_experiment *e, cst_document *document)
{
    char shape[CST_SHAPE_TEXT];
    size_t rows[CST_BATCH_SIZES];
    cst_memory_plan plan;
    cst_error error;
    const cst_learner_options learner = cst_experiment_learner(e, rows, cst_experiment_rows(e, rows));
    if (cst_learner_plan(e->model, &learner, &plan, &error) != CST_OK) return cli_refuse(&error);
    printf("%s is valid\n\ndata: rows of %s, ", cst_document_name(document), cst_shape_text(&e->data.x, shape));
    printf(e->data.n_classes > 0 ? "%zu classes" : "%zu targets",
           e->data.n_classes > 0 ? e->data.n_classes : e->data.n_targets);
    print_part("train", &e->data.train);
    print_part("validate", &e->data.validation);
    print_part("test", &e->data.test);
    printf("; %zu iterations of %zu rows an epoch\n\n", cst_experiment_iterations(e), e->data.batch_size);
    printf("  %-36s %-16s %10s\n", "module", "a row's shape", "parameters");
    print_modules(e->model, "", 0);
    printf("\n  %-36s %27s\n", "memory", "MiB");
    print_memory("parameters, gradient, optimizer", plan.params);
    print_memory("from forward to backward passes", plan.cache);
    print_memory("scratch", plan.work);
    print_memory("output, cotangent, targets", plan.state);
    char *text = cst_document_print(document);
    if (!text) {
        cli_complain("out of memory");
        return CLI_FAILED;
    }
    printf("\nthe config with all defaults:\n%s", text);
    free(text);
    return CLI_DONE;
}

static int check(const cli_line *line)
{
    int code = CLI_FAILED;
    cst_document *document = cli_load(line, line->arguments[0], &code);
    if (!document) return code;
    cst_experiment e;
    cst_error error;
    if (cst_experiment_new(document, &e, &error) == CST_OK) {
        code = print_all(&e, document);
        cst_experiment_clear(&e);
    } else {
        code = cli_refuse(&error);
    }
    cst_document_free(document);
    return code;
}

const cli_command cli_check = {
    "check", "CONFIG [OPTIONS]", "validate; print the config with defaults, shapes, sizes", 1, 1, options, check};
