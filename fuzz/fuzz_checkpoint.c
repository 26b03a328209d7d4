/* Fuzz target: checkpoints (train/checkpoint.h), which a trainer loads and continues from. */
#include "fuzz/fuzz.h"

#include "train/checkpoint.h"

static const char config[] = CST_JSON({
    "name": "a",
    "threads": 1,
    "epochs": 4,
    "optimizer": {"type": "adam"},
    "data": {"type": "spirals", "train_size": 4, "validation_size": 2, "test_size": 2, "batch_size": 2},
    "model": {"type": "linear", "out_features": 2}
});

/* The experiment that checkpoints are loaded into. It is made once and never freed. */
static const cst_experiment *make_experiment(void)
{
    static cst_experiment experiment;
    static cst_document *document;
    cst_error error;
    if (document) return &experiment;
    fuzz_check("config", cst_document_parse("config", config, sizeof config - 1, &document, &error), &error);
    fuzz_check("experiment", cst_experiment_new(document, &experiment, &error), &error);
    return &experiment;
}

static cst_status fuzz_read(const char *path, cst_error *error)
{
    cst_safetensors *file;
    cst_trainer trainer;
    int threads;
    CST_TRY(cst_checkpoint_open(path, &file, &threads, error));
    cst_status status = cst_trainer_init(&trainer, make_experiment(), NULL, error);
    if (status == CST_OK) {
        status = cst_checkpoint_load(file, &trainer, error);
        if (status == CST_OK) status = cst_trainer_run(&trainer, error); /* training must be able to continue */
        cst_trainer_clear(&trainer);
    }
    cst_safetensors_close(file);
    return status;
}

/* Callback: write a checkpoint as a seed. Its name is the number of the epoch. */
static cst_status save(void *context, const cst_trainer *trainer, cst_error *error)
{
    char name[32];
    (void)context;
    snprintf(name, sizeof name, "%d", (int)trainer->training.epoch);
    return cst_checkpoint_save(fuzz_seed_path(name), trainer, error);
}

static void fuzz_seeds(void)
{
    cst_error error;
    cst_trainer trainer;
    const cst_trainer_events events = {.checkpoint = save};
    fuzz_check("trainer", cst_trainer_init(&trainer, make_experiment(), &events, &error), &error);
    fuzz_check("seed", save(NULL, &trainer, &error), &error);
    fuzz_check("training", cst_trainer_run(&trainer, &error), &error);
    cst_trainer_clear(&trainer);
}
