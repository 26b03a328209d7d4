#include "train/loss.h"

#include <math.h>
#include <string.h>

enum { NO_LABEL = -1 };

/* ---- missing targets ----------------------------------------------------------------------------------------- */

/* Labels that are not missing. */
static size_t count_labels(const int32_t *labels, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += labels[i] != NO_LABEL;
    return count;
}

/* Values that are not missing. */
static size_t count_values(const real *values, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += isnan(values[i]) ? 0 : 1;
    return count;
}

cst_target_count cst_loss_count_targets(const cst_loss *loss, size_t n, size_t d, cst_targets targets)
{
    cst_target_count count = {0};
    if (loss->needs_no_targets) return (cst_target_count){n, n};
    if (loss->labels) {
        /* One term per row. */
        count.rows = count_labels(targets.labels, n);
        count.terms = count.rows;
    }
    /* Values: D terms per row, of which any may be missing. */
    for (size_t i = 0; !loss->labels && i < n; i++) {
        const size_t terms = count_values(targets.values + i * d, d);
        count.terms += terms;
        count.rows += terms > 0;
    }
    return count;
}

/* The factor that turns a sum into a mean; 0 without any term, so that the loss is 0 then. */
static double scale_of(size_t terms)
{
    return terms > 0 ? 1 / (double)terms : 0;
}

/* ---- cross_entropy ------------------------------------------------------------------------------------------- */

/* Read the label of a row. False if it is missing or out of range. */
static bool label_of(cst_targets targets, size_t row, size_t d, size_t *label)
{
    const int32_t value = targets.labels[row];
    *label = (size_t)value;
    return value >= 0 && *label < d;
}

/* -log softmax(x)[label] = log sum_j exp(x_j - max) + max - x[label]. Because of the shift by the largest score no
 * exponential overflows, and one of them is 1, so that the logarithm's argument is at least 1.
 * Gradient: softmax(x) - e_label. */
static double cross_entropy_row(size_t d, const real *restrict x, size_t label, double scale, real *restrict gx)
{
    /* The largest score, and the sum of exponentials below it. */
    double largest = (double)x[0], sum = 0;
    for (size_t j = 1; j < d; j++) largest = (double)x[j] > largest ? (double)x[j] : largest;
    for (size_t j = 0; j < d; j++) sum += exp((double)x[j] - largest);
    /* Gradient: softmax(x) - e_label. */
    if (gx) {
        for (size_t j = 0; j < d; j++) {
            const double softmax = exp((double)x[j] - largest) / sum;
            gx[j] = (real)(scale * (softmax - (j == label ? 1 : 0)));
        }
    }
    return log(sum) + (largest - (double)x[label]);
}

static void cross_entropy(size_t n, size_t d, const real *x, cst_targets targets, double *value, real *gx)
{
    const double scale = scale_of(count_labels(targets.labels, n));
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        size_t label;
        real *g = gx ? gx + i * d : NULL;
        if (label_of(targets, i, d, &label)) {
            sum += cross_entropy_row(d, x + i * d, label, scale, g);
            continue;
        }
        /* No valid label. A missing one contributes nothing; one out of range makes loss and gradient NaN. */
        const bool none = targets.labels[i] == NO_LABEL;
        if (!none) sum = (double)NAN;
        for (size_t j = 0; g && j < d; j++) g[j] = none ? 0 : (real)NAN;
    }
    *value = scale * sum;
}

/* Count the rows whose largest score, the first of several, is the label's. A NaN score compares with nothing. */
static size_t largest_is_label(size_t n, size_t d, const real *x, cst_targets targets)
{
    size_t correct = 0;
    for (size_t i = 0; i < n; i++) {
        const real *row = x + i * d;
        size_t label, largest = 0;
        /* The first of the largest scores, unless any score is NaN. */
        bool comparable = label_of(targets, i, d, &label);
        for (size_t j = 0; j < d; j++) {
            comparable = comparable && !isnan(row[j]);
            if (row[j] > row[largest]) largest = j;
        }
        correct += comparable && largest == label;
    }
    return correct;
}

/* ---- mse, l1 ------------------------------------------------------------------------------------------------- */

/* L = scale sum (x - t)^2,  dL/dx = 2 scale (x - t). */
static void mse(size_t n, size_t d, const real *x, cst_targets targets, double *value, real *gx)
{
    /* Mean over the entries that have a target. */
    const size_t terms = n * d;
    const double scale = scale_of(count_values(targets.values, terms));
    const real *restrict t = targets.values, slope = (real)(2 * scale);
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < terms; i++) {
        const double e = isnan(t[i]) ? 0 : (double)x[i] - (double)t[i];
        sum += e * e;
    }
    *value = scale * sum;
    if (!gx) return;
#pragma omp simd
    for (size_t i = 0; i < terms; i++) gx[i] = isnan(t[i]) ? 0 : slope * (x[i] - t[i]);
}

/* L = scale sum |x - t|,  dL/dx = scale sign(x - t), which is 0 at the kink x = t. Comparisons with NaN are false, so
 * that the gradient at a missing target is 0 too. */
static void l1(size_t n, size_t d, const real *x, cst_targets targets, double *value, real *gx)
{
    const size_t terms = n * d;
    const double scale = scale_of(count_values(targets.values, terms));
    const real *restrict t = targets.values, slope = (real)scale;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < terms; i++) sum += isnan(t[i]) ? 0 : fabs((double)x[i] - (double)t[i]);
    *value = scale * sum;
    if (!gx) return;
#pragma omp simd
    for (size_t i = 0; i < terms; i++) gx[i] = x[i] > t[i] ? slope : x[i] < t[i] ? -slope : 0;
}

/* ---- bce_with_logits ----------------------------------------------------------------------------------------- */

/* -t log sigmoid(x) - (1 - t) log(1 - sigmoid(x)) = max(x, 0) - x t + log(1 + e) with e = exp(-|x|), which cannot
 * overflow. Gradient: sigmoid(x) - t, where sigmoid(x) is 1 / (1 + e) for x >= 0 and e / (1 + e) for x < 0. */
static void bce_with_logits(size_t n, size_t d, const real *x, cst_targets targets, double *value, real *gx)
{
    const size_t terms = n * d;
    const double scale = scale_of(count_values(targets.values, terms));
    double sum = 0;
    /* A missing target leaves loss and gradient at 0. */
    for (size_t i = 0; i < terms; i++) {
        if (gx) gx[i] = 0;
        if (isnan(targets.values[i])) continue;
        const double logit = (double)x[i], t = (double)targets.values[i], e = exp(-fabs(logit));
        sum += (logit < 0 ? 0 : logit) - logit * t + log1p(e);
        if (gx) gx[i] = (real)(scale * ((logit < 0 ? e : 1) / (1 + e) - t));
    }
    *value = scale * sum;
}

/* True if the logit is positive exactly where the target is at least 1/2. A missing target is always right, a NaN logit
 * never. */
static bool sign_is_right(real logit, real target)
{
    return isnan(target) || ((double)target >= 0.5 ? logit > 0 : logit <= 0);
}

static size_t signs_are_right(size_t n, size_t d, const real *x, cst_targets targets)
{
    size_t correct = 0;
    for (size_t i = 0; i < n; i++) {
        /* A row without any target is not counted. */
        bool right = count_values(targets.values + i * d, d) > 0;
        for (size_t j = i * d; j < (i + 1) * d; j++) right = right && sign_is_right(x[j], targets.values[j]);
        correct += right;
    }
    return correct;
}

/* ---- nll ----------------------------------------------------------------------------------------------------- */

/* L = 1/n sum over rows of -x_0 + x_1 + ... + x_{D-1}: log-likelihood and penalties. */
static void nll(size_t n, size_t d, const real *x, cst_targets targets, double *value, real *gx)
{
    const double scale = scale_of(n);
    double sum = 0;
    (void)targets;
    for (size_t i = 0; i < n * d; i++) {
        const bool likelihood = i % d == 0;
        sum += likelihood ? -(double)x[i] : (double)x[i];
        if (gx) gx[i] = (real)(likelihood ? -scale : scale);
    }
    *value = scale * sum;
}

/* ---- the list ------------------------------------------------------------------------------------------------ */

static const cst_loss cross_entropy_loss = {"cross_entropy", true, cross_entropy, largest_is_label,
                                            "one output per class; minus the logarithm of the softmax at the label"};
static const cst_loss mse_loss = {"mse", false, mse, NULL, "one output per target; mean of squared differences"};
static const cst_loss l1_loss = {"l1", false, l1, NULL, "one output per target; mean of absolute differences"};
static const cst_loss bce_with_logits_loss = {
    "bce_with_logits", false, bce_with_logits, signs_are_right,
    "one output, whose sigmoid is the probability of the second of two classes; or one output per target from 0 to 1"};

static const cst_loss nll_loss = {.name = "nll",
                                  .evaluate = nll,
                                  .summary = "for flows; minus the log-likelihood of a row, in nats, plus penalties",
                                  .needs_no_targets = true};

const cst_loss *const cst_losses[] = {&cross_entropy_loss, &mse_loss, &l1_loss, &bce_with_logits_loss, &nll_loss, NULL};

const cst_loss *cst_loss_find(const char *name)
{
    for (size_t i = 0; cst_losses[i]; i++)
        if (strcmp(cst_losses[i]->name, name) == 0) return cst_losses[i];
    return NULL;
}
