#include "cli/cli.h"

#include "core/file.h"
#include "datasets/dataset_write.h"
#include "train/experiment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--out", "DIR", "folder to write to, instead of data/NAME"},
    {"--set", "PATH=VALUE", "change a value of the config; may be given several times"},
    {0},
};

static void print_file(void *context, const char *name, cst_npy_type type, const cst_shape *shape)
{
    char text[CST_SHAPE_TEXT];
    const char *const *folder = context;
    cli_print("%s/%-27s  %s  %s\n", *folder, name, cst_npy_type_name(type), cst_shape_text(shape, text));
}

/* What another time has left would be lost, or pass for a part of the new data. */
static int check_free(const char *folder)
{
    static const char *const parts[] = {"train", "validation", "test"}, *const arrays[] = {"x", "y", "trajectories"};
    for (size_t i = 0; i < 9; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s_%s.npy", parts[i / 3], arrays[i % 3]);
        char *path = cst_path_join(folder, name);
        const bool taken = path && cst_path_exists(path);
        if (taken) cli_error("%s: there are data in this folder already; choose another by --out", path);
        if (!path) cli_error("out of memory");
        free(path);
        if (!path || taken) return taken ? CLI_USAGE : CLI_FAILED;
    }
    return CLI_DONE;
}

static int write_data(const cst_dataset *data, const char *folder)
{
    cst_error error;
    cst_status status = cst_folder_create(folder, &error);
    if (status == CST_OK) status = cst_dataset_write(data, folder, print_file, &folder, &error);
    return status == CST_OK ? CLI_DONE : cli_fail(&error);
}

static int data(const cli_line *line)
{
    int code = CLI_FAILED;
    cst_document *document = cli_load(line, line->arguments[0], &code);
    if (!document) return code;
    const char *out = cli_value(line, "--out");
    const char *name = cst_config_string(cst_config_get(cst_document_root(document), "name"));
    char *folder = out ? strdup(out) : cst_path_join("data", name ? name : "unnamed");
    cst_experiment e;
    cst_error error;
    if (folder)
        code = check_free(folder);
    else
        cli_error("out of memory");
    if (code == CLI_DONE && cst_experiment_load_data(document, &e, &error) != CST_OK) {
        code = cli_refuse(&error);
    } else if (code == CLI_DONE) {
        code = write_data(&e.data, folder);
        cst_experiment_clear(&e);
    }
    free(folder);
    cst_document_free(document);
    return code;
}

const cli_command cli_data = {"data", "CONFIG [OPTIONS]", "write a config's data as NumPy arrays", 1, 1, options, data};
