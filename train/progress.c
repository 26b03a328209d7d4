#include "train/progress.h"

#include "core/clock.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

const char *cst_duration_text(double seconds, char text[32])
{
    /* Durations from 10 s on are rounded to whole seconds; NaN and huge ones count as 0. */
    const double rounded = floor(seconds + 0.5);
    const unsigned long s = rounded > 0 && rounded < 1e9 ? (unsigned long)rounded : 0;
    if (seconds < 9.95)
        snprintf(text, 32, "%.1f s", seconds);
    else if (s < 60)
        snprintf(text, 32, "%lu s", s);
    else if (s < 3600)
        snprintf(text, 32, "%lu:%02lu", s / 60, s % 60);
    else
        snprintf(text, 32, "%lu:%02lu:%02lu", s / 3600, s / 60 % 60, s % 60);
    return text;
}

/* A line under construction. Text that does not fit is cut off. */
typedef struct line {
    char *text;
    size_t used;
} line;

/* Append formatted text. */
static void put(line *l, const char *format, ...) CST_PRINTF(2, 3);
static void put(line *l, const char *format, ...)
{
    /* vsnprintf returns the length that the text would have had. */
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(l->text + l->used, CST_PROGRESS_LINE - l->used, format, args);
    va_end(args);
    if (n > 0) l->used += (size_t)n;
    if (l->used >= CST_PROGRESS_LINE) l->used = CST_PROGRESS_LINE - 1;
}

/* "epoch 2/5". */
static void put_epoch(line *l, const cst_trainer *t, unsigned long long epoch)
{
    put(l, "epoch %llu/%zu", epoch, t->experiment->epochs);
}

/* An estimate from the speed of this session, including its evaluations. */
static double seconds_left(const cst_trainer *t)
{
    /* Iterations left, times the seconds per iteration so far. */
    const double iterations = (double)cst_experiment_iterations(t->experiment) * (double)t->experiment->epochs;
    const double left = iterations - (double)t->training.iterations;
    return left * (cst_clock() - t->session_start) / (double)t->session_iterations;
}

const char *cst_progress_text(const cst_trainer *t, char text[CST_PROGRESS_LINE])
{
    const cst_epoch_sums *sums = &t->training.sums;
    const double tries = (double)(sums->steps + sums->skipped);
    char duration[32];
    /* The position. */
    line l = {.text = text};
    put_epoch(&l, t, (unsigned long long)t->training.epoch + 1);
    put(&l, "  %llu/%zu", (unsigned long long)t->training.iteration, cst_experiment_iterations(t->experiment));
    /* Means over the epoch so far. */
    if (sums->weight > 0) put(&l, "  loss %.4g", sums->loss / sums->weight);
    if (sums->targeted > 0 && t->learner.loss->count_correct)
        put(&l, "  accuracy %.2f %%", 100 * (double)sums->correct / (double)sums->targeted);
    if (t->learner.tally.total[CST_FORWARD].nfe > 0)
        put(&l, "  nfe %.1f + %.1f", (double)sums->counts[CST_FORWARD].nfe / tries,
            (double)sums->counts[CST_BACKWARD].nfe / tries);
    if (sums->skipped > 0) put(&l, "  %llu skipped", (unsigned long long)sums->skipped);
    /* Speed and remaining time. */
    if (sums->seconds > 0) put(&l, "  %.3g it/s", tries / sums->seconds);
    if (t->session_iterations > 0) put(&l, "  %s left", cst_duration_text(seconds_left(t), duration));
    return text;
}

/* Loss and accuracy of a split; nothing if they are NaN. */
static void put_split(line *l, const char *name, double loss, double accuracy)
{
    if (isfinite(loss)) put(l, "  %s loss %.4g", name, loss);
    if (isfinite(accuracy)) put(l, " accuracy %.2f %%", 100 * accuracy);
}

const char *cst_epoch_text(const cst_trainer *t, const cst_metrics *m, char text[CST_PROGRESS_LINE])
{
    /* Losses and accuracies. */
    char duration[32];
    line l = {.text = text};
    put_epoch(&l, t, (unsigned long long)m->epoch);
    put_split(&l, "train", m->train_loss, m->train_accuracy);
    put_split(&l, "validation", m->validation_loss, m->validation_accuracy);
    put_split(&l, "test", m->test_loss, m->test_accuracy);
    /* Costs. A model without ODE blocks has no evaluations. */
    if (m->forward_nfe > 0)
        put(&l, "  nfe %.1f + %.1f  rejected %.1f + %.1f", m->forward_nfe, m->backward_nfe, m->forward_rejected,
            m->backward_rejected);
    if (m->skipped > 0) put(&l, "  %.0f skipped", m->skipped);
    put(&l, "  %s", cst_duration_text(m->seconds, duration));
    return text;
}
