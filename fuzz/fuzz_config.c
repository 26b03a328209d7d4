/* Fuzz target: configs. A config is parsed, changed and printed; its model is built, its optimizer and schedule are
 * read. Its data are not loaded, for a config may ask for any number of rows. An input is a config; if it contains a
 * NUL byte, the text after that is a setting PATH=VALUE. */
#include "fuzz/fuzz.h"

#include "models/registry.h"
#include "train/learner.h"
#include "train/schedule.h"

/* Plan the memory for batches of a usual size and of an absurd one. Sizes that overflow must be an error with a
 * message. */
static void plan(const cst_module *m)
{
    cst_error error;
    cst_memory_plan memory;
    const size_t rows[] = {32, (size_t)1 << 40};
    const cst_learner_options options = {.threads = 3, .rows = rows, .n_rows = 2};
    if (cst_learner_plan(m, &options, &memory, &error) != CST_OK && !error.message[0]) abort();
}

static cst_status read_sections(cst_config root, cst_error *error)
{
    cst_optimizer optimizer;
    cst_schedule schedule;
    cst_module *m;
    const cst_shape x = cst_shape_3d(1, 8, 8);
    CST_TRY(cst_module_from_config(&cst_all_modules, cst_config_get(root, "model"), &x, &m, error));
    plan(m);
    cst_module_free(m);
    CST_TRY(cst_optimizer_read(cst_config_get(root, "optimizer"), &optimizer, error));
    return cst_schedule_read(cst_config_get(root, "schedule"), 10, &schedule, error);
}

/* Apply the setting (NULL: none), read the sections, and check that the printed document can be parsed. */
static cst_status use(cst_document *document, char *setting, cst_error *error)
{
    char *equals = setting ? strchr(setting, '=') : NULL;
    if (equals) {
        *equals = '\0';
        CST_TRY(cst_document_set(document, setting, equals + 1, error));
    }
    const cst_status status = read_sections(cst_document_root(document), error);
    char *text = cst_document_print(document);
    if (!text) abort();
    cst_document *again;
    cst_error why;
    fuzz_check(text, cst_document_parse("again", text, strlen(text), &again, &why), &why);
    cst_document_free(again);
    free(text);
    return status;
}

static cst_status fuzz_read(const char *path, cst_error *error)
{
    char *bytes;
    size_t size;
    cst_document *document;
    CST_TRY(cst_file_read(path, (size_t)1 << 20, &bytes, &size, error));
    char *nul = memchr(bytes, '\0', size);
    cst_status status = cst_document_parse("fuzz.json", bytes, nul ? (size_t)(nul - bytes) : size, &document, error);
    if (status == CST_OK) {
        status = use(document, nul ? nul + 1 : NULL, error);
        cst_document_free(document);
    }
    free(bytes);
    return status;
}

/* A config per example of each module type, after a flatten if the example takes vectors. */
static void fuzz_seeds(void)
{
    char text[4096], name[64];
    for (size_t i = 0; i < cst_all_modules.n_types; i++) {
        const cst_module_type *type = cst_all_modules.types[i];
        for (size_t j = 0; j < type->n_examples; j++) {
            const int n = snprintf(
                text, sizeof text,
                "{\"model\": {\"type\": \"sequential\", \"layers\": [%s%s]},\n \"optimizer\": "
                "{\"type\": \"sgd\", \"momentum\": 0.9}, \"schedule\": {\"type\": \"cosine\"}}%cseed=%zu",
                type->examples[j].x.rank == 1 ? "{\"type\": \"flatten\"}, " : "", type->examples[j].json, '\0', i);
            snprintf(name, sizeof name, "%s-%zu", type->name, j);
            fuzz_seed(name, text, (size_t)n);
        }
    }
    static const char everywhere[] = "{\"model\": {\"a\": [{\"norm\": 1}, {\"norm\": \"x\"}]}}\0model...norm=[1, null]";
    fuzz_seed("everywhere", everywhere, sizeof everywhere - 1);
}
