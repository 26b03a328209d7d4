/* Time series as the steps of a recurrent model: rows x (T, C), channels last, become inputs of each step, and the
 * model's states (H) become y. NaN means "not observed".
 *
 * The input of a step is the row's values at that step. A missing value repeats the last observed value of its channel,
 * 0 if there is none; the gradient of an observed value is therefore the sum over all steps that took it. A mask may
 * follow the values: 1 where a value was observed, 0 elsewhere. A row ends where all its channels are NaN up to T: its
 * state stays the same from then on. A batch has as many steps as its longest row.
 *
 * Letters: n rows of a batch, count <= T steps. Inside a model the step comes first and the row second: input (count,
 * n, inputs). */
#ifndef CST_MODELS_SERIES_STEPS_H
#define CST_MODELS_SERIES_STEPS_H

#include "core/config.h"
#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a model reads series and writes states. */
typedef struct cst_steps {
    size_t length, channels; /* T, C; cst_steps_fit sets them */
    size_t skipped;          /* the first `skipped` channels are not part of the input: a time */
    size_t hidden;           /* H, at least 1 */
    bool mask;               /* the input has the mask after the values */
    bool all; /* y (T, H) is the state after every step; false: y (H) is the state after the row's last step */
} cst_steps;

/* What is observed in one row at one step, of the channels that are input. The order matters: more is larger. */
typedef enum cst_observed {
    CST_OBSERVED_ENDED,   /* the row has ended before this step */
    CST_OBSERVED_NOTHING, /* the row continues, but no value is observed at this step */
    CST_OBSERVED_VALUES   /* at least one value is observed */
} cst_observed;

/* The keys hidden, output and mask of a config section that is read into a struct `type`. Its members must be a
 * cst_steps called `steps` and an int called `output`, which is the index of the choice: 1 stands for "all". */
#define CST_STEPS_KEYS(type)                                                                                           \
    CST_INIT({.name = "hidden",                                                                                        \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(type, steps.hidden),                                                                  \
              .range = CST_BETWEEN(1, 1e9),                                                                            \
              .help = "size of the state"},                                                                            \
             {.name = "output",                                                                                        \
              .kind = CST_KEY_CHOICE,                                                                                  \
              .offset = offsetof(type, output),                                                                        \
              .fallback = "\"last\"",                                                                                  \
              .choices = cst_steps_outputs,                                                                            \
              .help = "the state at the end of a series (last), or after every step (all)"},                           \
             {.name = "mask",                                                                                          \
              .kind = CST_KEY_BOOL,                                                                                    \
              .offset = offsetof(type, steps.mask),                                                                    \
              .fallback = "false",                                                                                     \
              .help = "append to each step's input which of its values are observed (1 or 0)"})
extern const char *const cst_steps_outputs[]; /* "last", "all", NULL */

/* Set length and channels from the shape of a row. CST_ESHAPE unless x is (T, C) with T > 0 and C > skipped. */
CST_MUST_CHECK cst_status cst_steps_fit(cst_steps *s, const cst_shape *x, cst_error *error);

/* The shape of a row of y. */
cst_shape cst_steps_output(const cst_steps *s);

/* Values per step: C - skipped. */
size_t cst_steps_values(const cst_steps *s);

/* Numbers per step of the input: the values, and the mask if there is one. */
size_t cst_steps_inputs(const cst_steps *s);

/* Steps of the longest of n rows x (n, T, C); at most T. */
size_t cst_steps_count(const cst_steps *s, size_t n, const real *x);

/* The first `count` steps of x (n, T, C): input (count, n, inputs) and observed (count, n), whose numbers are
 * cst_observed, are overwritten. */
void cst_steps_read(const cst_steps *s, size_t n, size_t count, const real *x, real *input, real *observed);

/* The VJP of cst_steps_read with cotangent ginput (count, n, values) of the values: gx (n, T, C) is overwritten. */
void cst_steps_read_back(const cst_steps *s, size_t n, size_t count, const real *x, const real *ginput, real *gx);

/* y (n, ...) is overwritten from the states h (count + 1, n, H), the first of which is the state before any step. */
void cst_steps_write(const cst_steps *s, size_t n, size_t count, const real *h, real *y);

/* The VJP of cst_steps_write for the state after step i < count: gh (n, H) += its part of the cotangent gy (n, ...) of
 * y. */
void cst_steps_write_back(const cst_steps *s, size_t n, size_t count, size_t i, const real *gy, real *gh);

#ifdef __cplusplus
}
#endif
#endif
