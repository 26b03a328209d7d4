#include "cli/cli.h"

#include "core/file.h"
#include "datasets/dataset_write.h"
#include "train/experiment.h"

#include <stdio.h>
#include <stdlib.h>

static const cli_option options[] = {
    {"--out", "DIR", "folder to write to, instead of data/NAME"},
    {"--set", "PATH=VALUE", "change a value of the config; may be given several times"},
    {0},
};

static void print_file(void *context, const char *name, cst_npy_type type, const cst_shape *shape)
{
    char text[CST_SHAPE_TEXT];
    const char *const *folder = context;
    printf("%s/%-27s  %s  %s\n", *folder, name, cst_npy_type_name(type), cst_shape_text(shape, text));
}

/* The parts that are not there this time would stay those of another time. */
static int check_free(const char *folder)
{
    char *path = cst_path_join(folder, "train_x.npy");
    if (!path) {
        cli_complain("out of memory");
        return CLI_FAILED;
    }
    const bool taken = cst_path_exists(path);
    if (taken) cli_complain("%s: there are data in this folder already; choose another by --out", path);
    free(path);
    return taken ? CLI_WRONG : CLI_DONE;
}

static int write_data(const cst_dataset *data, const char *folder)
{
    cst_error error;
    const int code = check_free(folder);
    if (code != CLI_DONE) return code;
    cst_status status = cst_folder_create(folder, &error);
    if (status == CST_OK) status = cst_dataset_write(data, folder, print_file, &folder, &error);
    return status == CST_OK ? CLI_DONE : cli_fail(&error);
}

static int data(const cli_line *line)
{
    int code = CLI_FAILED;
    cst_document *document = cli_load(line, line->arguments[0], &code);
    if (!document) return code;
    cst_experiment e;
    cst_error error;
    if (cst_experiment_load_data(document, &e, &error) == CST_OK) {
        const char *out = cli_value(line, "--out");
        char *folder = out ? NULL : cst_path_join("data", e.name);
        if (out || folder)
            code = write_data(&e.data, out ? out : folder);
        else
            cli_complain("out of memory");
        free(folder);
        cst_experiment_clear(&e);
    } else {
        code = cli_refuse(&error);
    }
    cst_document_free(document);
    return code;
}

const cli_command cli_data = {"data", "CONFIG [OPTIONS]", "write a config's data as NumPy arrays", 1, 1, options, data};
