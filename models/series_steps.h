/* Time series as the steps of a recurrent model: rows x (T, C), channels last, in; states (H) out. NaN: not observed.
 *
 * What goes in at a step are the row's values there; one that is missing is the last one observed of its channel, 0 if there
 * is none, and the gradient of a value is that of all the steps that took it. A mask may follow the values: 1 where a value
 * was observed, 0 elsewhere. A row ends where all its channels are NaN up to the end: from there on its state stays. A batch
 * has the steps of its longest row. Inside a model steps come first, rows second: input (T, N, inputs). */
#ifndef CST_MODELS_SERIES_STEPS_H
#define CST_MODELS_SERIES_STEPS_H

#include "core/config.h"
#include "core/module.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cst_steps {
    size_t length, channels; /* T, C */
    size_t skipped;          /* the first channels, which are no input: a time */
    size_t hidden;           /* H */
    bool mask;               /* is input as well */
    bool all;                /* y (T, H) is the state after every step, not (H) that after the row's last */
} cst_steps;

/* What a row has at a step. */
typedef enum cst_sight {
    CST_SIGHT_ENDED,
    CST_SIGHT_NOTHING, /* of the channels that are input */
    CST_SIGHT_VALUES
} cst_sight;

/* The keys of a section that is read into a cst_steps: hidden, output, mask. `output` is an int of the struct `type`, the
 * section's, whose member `steps` this is. */
#define CST_STEPS_KEYS(type)                                                                                           \
    CST_INIT({.name = "hidden",                                                                                        \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = offsetof(type, steps.hidden),                                                                  \
              .range = CST_BETWEEN(1, 1e9),                                                                            \
              .help = "numbers of the state"},                                                                         \
             {.name = "output",                                                                                        \
              .kind = CST_KEY_CHOICE,                                                                                  \
              .offset = offsetof(type, output),                                                                        \
              .fallback = "\"last\"",                                                                                  \
              .choices = cst_steps_outputs,                                                                            \
              .help = "the state at the end of a row, or after every step"},                                           \
             {.name = "mask",                                                                                          \
              .kind = CST_KEY_BOOL,                                                                                    \
              .offset = offsetof(type, steps.mask),                                                                    \
              .fallback = "false",                                                                                     \
              .help = "whether a value was observed is input, too"})
extern const char *const cst_steps_outputs[]; /* "last", "all" */

/* Take x's shape over. CST_ESHAPE unless it is (T, C) with C > skipped. */
CST_MUST_CHECK cst_status cst_steps_fit(cst_steps *s, const cst_shape *x, cst_error *error);

cst_shape cst_steps_output(const cst_steps *s);                      /* the shape of a row of y */
size_t cst_steps_values(const cst_steps *s);                         /* numbers of a step that are input: C - skipped */
size_t cst_steps_inputs(const cst_steps *s);                         /* those, and the mask's */
size_t cst_steps_count(const cst_steps *s, size_t n, const real *x); /* of the longest of n rows; at most T */

/* The first `count` steps of x (n, T, C): input (count, n, inputs) and sight (count, n), each number a cst_sight. */
void cst_steps_read(const cst_steps *s, size_t n, size_t count, const real *x, real *input, real *sight);
/* gx (n, T, C), overwritten, from the cotangent of the values in the input, (count, n, values). */
void cst_steps_read_back(const cst_steps *s, size_t n, size_t count, const real *x, const real *ginput, real *gx);

/* y (n, ...) from the states h (count + 1, n, H), of which the first is that before any step. */
void cst_steps_write(const cst_steps *s, size_t n, size_t count, const real *h, real *y);
/* gh (n, H) += what gy (n, ...) says of the state after step i < count */
void cst_steps_write_back(const cst_steps *s, size_t n, size_t count, size_t i, const real *gy, real *gh);

#ifdef __cplusplus
}
#endif
#endif
