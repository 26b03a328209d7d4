/* costate data: write the data of a config, as loaded or simulated, as NumPy arrays (datasets/dataset_write.h). */
#include "cli/cli.h"

#include "core/file.h"
#include "datasets/dataset_write.h"
#include "train/experiment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cli_option options[] = {
    {"--out", "DIR", "folder to write to (default: data/NAME)"},
    {"--set", "PATH=VALUE", "change a value of the config; may be given several times"},
    {0},
};

/* Callback after a file is written. The context points to the name of the folder. */
static void print_file(void *context, const char *name, cst_npy_type type, const cst_shape *shape)
{
    char text[CST_SHAPE_TEXT];
    const char *const *folder = context;
    cli_print("%s/%-27s  %s  %s\n", *folder, name, cst_npy_type_name(type), cst_shape_text(shape, text));
}

/* CLI_DONE if the folder contains no data. Older files would be overwritten, or be mistaken for a split of the new
 * data. */
static int check_free(const char *folder)
{
    static const char *const splits[] = {"train", "validation", "test"}, *const arrays[] = {"x", "y", "trajectories"};
    for (size_t i = 0; i < 9; i++) {
        char name[40];
        snprintf(name, sizeof name, "%s_%s.npy", splits[i / 3], arrays[i % 3]);
        char *path = cst_path_join(folder, name);
        const bool taken = path && cst_path_exists(path);
        if (taken) cli_error("%s: this folder already contains data; choose another one with --out", path);
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

    /* The folder: --out, or data/NAME. It is checked before the data are loaded, which may take long. */
    const char *out = cli_value(line, "--out");
    const char *name = cst_config_string(cst_config_get(cst_document_root(document), "name"));
    char *folder = out ? strdup(out) : cst_path_join("data", name ? name : "unnamed");
    cst_experiment e;
    cst_error error;
    if (folder)
        code = check_free(folder);
    else
        cli_error("out of memory");

    /* This checks the keys of the root and loads the data. The model is not built and need not fit the data. */
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

const cli_command cli_data = {
    .name = "data",
    .arguments = "CONFIG [OPTIONS]",
    .summary = "write a config's data as NumPy arrays",
    .example = "costate data configs/spiral.json --set data.train_size=100 --out data/spiral",
    .least = 1,
    .most = 1,
    .options = options,
    .run = data,
};
