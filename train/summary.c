#include "train/summary.h"

#include "core/file.h"
#include "core/renames.h"
#include "core/text.h"
#include "core/version.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static const char *const directions[CST_N_DIRECTIONS] = {"forward", "backward"};

/* All numbers of a summary, with their names in the file. */
static const struct {
    const char *name;
    size_t offset;
} numbers[] = {
#define NUMBER(name)                                                                                                   \
    {                                                                                                                  \
#name, offsetof(cst_summary, name)                                                                             \
    }
    NUMBER(epochs),
    NUMBER(best_epoch),
    NUMBER(iterations),
    NUMBER(skipped),
    NUMBER(train_loss),
    NUMBER(test_loss),
    NUMBER(test_accuracy),
    NUMBER(test_bits_per_dim),
    NUMBER(validation_loss),
    NUMBER(validation_accuracy),
    {"forward_nfe", offsetof(cst_summary, nfe[CST_FORWARD])},
    {"backward_nfe", offsetof(cst_summary, nfe[CST_BACKWARD])},
    {"forward_accepted", offsetof(cst_summary, accepted[CST_FORWARD])},
    {"backward_accepted", offsetof(cst_summary, accepted[CST_BACKWARD])},
    {"forward_rejected", offsetof(cst_summary, rejected[CST_FORWARD])},
    {"backward_rejected", offsetof(cst_summary, rejected[CST_BACKWARD])},
    NUMBER(nfe_paper),
    {"backward_quadrature_nfe", offsetof(cst_summary, quadrature_nfe)},
    NUMBER(seconds),
    NUMBER(forward_seconds),
    NUMBER(backward_seconds),
    NUMBER(eval_seconds),
    NUMBER(peak_memory),
#undef NUMBER
};
enum { N_NUMBERS = sizeof numbers / sizeof numbers[0] };

/* Number i of a summary. */
static double *number(cst_summary *s, size_t i)
{
    return (double *)(void *)((char *)s + numbers[i].offset);
}

/* The index of the number with this name; N_NUMBERS if there is none. */
static size_t find_number(const char *name)
{
    size_t i = 0;
    while (i < N_NUMBERS && strcmp(numbers[i].name, name) != 0) i++;
    return i;
}

/* The paper counts the backward evaluations of one pass over the training split in every tenth epoch, beginning with the
 * first, and in the last one. It multiplies the sum by ten to estimate all of training. This function uses the
 * evaluations of these epochs themselves in place of extra passes. */
static double nfe_paper(const cst_training *training)
{
    enum { EVERY = 10 };
    /* Metrics are means per iteration: multiply by the iterations to get back the epoch's count. */
    double sum = 0;
    for (size_t i = 0; i < training->n_metrics; i++) {
        const cst_metrics *m = &training->metrics[i];
        if (i % EVERY == 0 || i + 1 == training->n_metrics)
            sum += nearbyint(m->backward_nfe * (m->iterations + m->skipped));
    }
    return EVERY * sum;
}

cst_status cst_summary_make(cst_trainer *t, cst_summary *s, cst_error *error)
{
    /* Evaluate both splits. */
    const cst_training *training = &t->training;
    const cst_dataset *data = &t->experiment->data;
    cst_evaluation test, validation;
    CST_TRY(cst_trainer_evaluate(t, &data->test, &test, error));
    CST_TRY(cst_trainer_evaluate(t, &data->validation, &validation, error));
    *s = (cst_summary){
        .epochs = (double)training->epoch,
        .best_epoch = t->experiment->keep_best ? (double)training->best_epoch : (double)training->epoch,
        .train_loss = training->n_metrics > 0 ? training->metrics[training->n_metrics - 1].train_loss : (double)NAN,
        .test_loss = test.loss,
        .test_accuracy = test.accuracy,
        .test_bits_per_dim = cst_experiment_bits(t->experiment, test.loss),
        .validation_loss = validation.loss,
        .validation_accuracy = validation.accuracy,
    };
    /* Totals over all epochs. */
    for (size_t i = 0; i < training->n_metrics; i++) {
        const cst_metrics *m = &training->metrics[i];
        s->iterations += m->iterations;
        s->skipped += m->skipped;
        s->seconds += m->seconds;
        s->forward_seconds += m->forward_seconds;
        s->backward_seconds += m->backward_seconds;
        s->eval_seconds += m->eval_seconds;
    }
    /* Counts of the solver. */
    for (int d = 0; d < CST_N_DIRECTIONS; d++) {
        const cst_counts *total = &t->learner.tally.total[d];
        s->nfe[d] = (double)total->nfe;
        s->accepted[d] = (double)total->accepted;
        s->rejected[d] = (double)total->rejected;
    }
    s->nfe_paper = nfe_paper(training);
    s->quadrature_nfe = (double)t->learner.tally.total[CST_BACKWARD].quadrature_nfe;
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) s->peak_memory = (double)usage.ru_maxrss / 1024; /* KiB on Linux */
    return CST_OK;
}

/* A member of the root; null if the number is not finite. */
static void put_number(cst_text *text, const char *name, double value)
{
    cst_text_printf(text, ",\n  \"%s\": ", name);
    if (isfinite(value))
        cst_text_number(text, value);
    else
        cst_text_puts(text, "null");
}

/* The list "blocks": modules that solved something, with their counts and their share of the run's time. */
static void put_blocks(cst_text *text, const cst_tally *tally, double seconds)
{
    bool first = true;
    cst_text_puts(text, ",\n  \"blocks\": [");
    for (size_t i = 0; i < tally->n_blocks; i++) {
        const cst_block_counts *block = &tally->blocks[i];
        if (block->counts[CST_FORWARD].solves + block->counts[CST_BACKWARD].solves == 0) continue;
        /* A block: its name, then an object per direction. */
        cst_text_puts(text, first ? "\n    {\"name\": " : ",\n    {\"name\": ");
        first = false;
        cst_text_quote(text, block->name);
        for (int d = 0; d < CST_N_DIRECTIONS; d++) {
            const cst_counts *c = &block->counts[d];
            cst_text_printf(text,
                            ",\n     \"%s\": {\"solves\": %llu, \"nfe\": %llu, \"accepted\": %llu, \"rejected\": %llu, "
                            "\"quadrature_nfe\": %llu, \"failed\": %llu, \"seconds\": %.6g, \"share_of_time\": %.4f}",
                            directions[d], (unsigned long long)c->solves, (unsigned long long)c->nfe,
                            (unsigned long long)c->accepted, (unsigned long long)c->rejected,
                            (unsigned long long)c->quadrature_nfe, (unsigned long long)c->failed, block->seconds[d],
                            seconds > 0 ? block->seconds[d] / seconds : 0);
        }
        cst_text_puts(text, "}");
    }
    cst_text_puts(text, first ? "]" : "\n  ]");
}

cst_status cst_summary_write(const char *path, const cst_trainer *t, const cst_summary *summary, cst_error *error)
{
    /* What the run is, the numbers, and the blocks. */
    const cst_experiment *e = t->experiment;
    cst_summary s = *summary;
    cst_text text = {0};
    cst_text_puts(&text, "{\n  \"name\": ");
    cst_text_quote(&text, e->name);
    cst_text_printf(&text, ",\n  \"version\": \"%s\",\n  \"precision\": \"%s\"", CST_VERSION, CST_REAL_NAME);
    cst_text_printf(&text, ",\n  \"seed\": %llu,\n  \"threads\": %d,\n  \"parameters\": %zu",
                    (unsigned long long)e->seed, e->threads, e->model->n_params);
    for (size_t i = 0; i < N_NUMBERS; i++) put_number(&text, numbers[i].name, *number(&s, i));
    put_blocks(&text, &t->learner.tally, s.seconds);
    /* Replace the file. */
    cst_text_puts(&text, "\n}\n");
    const cst_status status = text.failed ? cst_fail(error, CST_ENOMEM, "%s: out of memory", path)
                                          : cst_file_replace(path, text.data, text.size, error);
    free(text.data);
    return status;
}

/* CST_EFORMAT if a number still has the name that it had before a rename: it would silently become NaN. */
static cst_status check_names(const char *path, cst_config root, cst_error *error)
{
    /* Old names of any key; only those of numbers matter here. */
    for (cst_config member = cst_config_item(root, 0); member.node; member = cst_config_next(member)) {
        const char *name = cst_config_key(member), *now;
        for (size_t i = 0; (now = cst_new_name(name, &i));)
            if (find_number(now) < N_NUMBERS)
                return cst_fail(error, CST_EFORMAT, "%s: \"%s\" is called \"%s\" now", path, name, now);
    }
    return CST_OK;
}

cst_status cst_summary_read(const char *path, cst_summary *s, cst_error *error)
{
    /* Load and check the names. */
    cst_document *document = NULL;
    cst_status status = cst_document_load(path, &document, error);
    *s = (cst_summary){0};
    if (status == CST_OK) status = check_names(path, cst_document_root(document), error);
    /* A number that is missing or null is NaN; any other value is an error. */
    for (size_t i = 0; status == CST_OK && i < N_NUMBERS; i++) {
        const cst_config value = cst_config_get(cst_document_root(document), numbers[i].name);
        *number(s, i) = (double)NAN;
        if (!cst_config_number(value, number(s, i)) && (cst_config_present(value) || !value.node))
            status = cst_fail(error, CST_EFORMAT, "%s: expected a number or null as \"%s\"", path, numbers[i].name);
    }
    cst_document_free(document);
    return status;
}
