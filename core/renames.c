#include "core/renames.h"

#include <string.h>

/* Old and new names. An old name occurs twice if different sections renamed it differently. */
static const struct {
    const char *old, *now;
} renames[] = {
    /* keys of a config, values of "monitor", and columns of metrics.csv */
    {"checkpoint_every", "save_every"},
    {"val_loss", "validation_loss"},
    {"val_accuracy", "validation_accuracy"},
    /* sections "gradient", "data" and "schedule" */
    {"checkpoints", "kept_steps"},
    {"average", "downsample"},
    {"every", "stride"},
    {"drop", "missing_rate"},
    {"hop", "hop_length"},
    {"every", "check_every"},
    /* summary.json */
    {"test_bits", "test_bits_per_dim"},
    {"products", "quadrature_nfe"},
    {"backward_products", "backward_quadrature_nfe"}, /* a column of metrics.csv, too */
};

const char *cst_new_name(const char *old, size_t *i)
{
    while (*i < sizeof renames / sizeof *renames) {
        const size_t at = (*i)++;
        if (strcmp(renames[at].old, old) == 0) return renames[at].now;
    }
    return NULL;
}

const char *cst_new_name_among(const char *old, const char *const *names)
{
    const char *now;
    for (size_t i = 0; (now = cst_new_name(old, &i));)
        for (size_t j = 0; names[j]; j++)
            if (strcmp(names[j], now) == 0) return now;
    return NULL;
}
