/* Recurrent models on series with gaps and early ends: four rows of six steps and three channels, states of five
 * numbers. */
#ifndef CST_TESTS_GAP_RIG_H
#define CST_TESTS_GAP_RIG_H

#include "tests/ode_rig.h"

enum { N = 4, T = 6, C = 3, H = 5 };
#define SHAPE(t, c)                                                                                                    \
    (cst_shape)                                                                                                        \
    {                                                                                                                  \
        2,                                                                                                             \
        {                                                                                                              \
            t, c                                                                                                       \
        }                                                                                                              \
    }
#define GRU "{'type': 'gru', 'hidden': 5"
#define FIELD                                                                                                          \
    "'field': {'type': 'sequential', 'layers': [{'type': 'concat_time'}, {'type': 'linear', "                          \
    "'out_features': 4}, {'type': 'tanh'}, {'type': 'linear', 'out_features': 5}]}, 'solver': "                        \
    "{'method': 'rk4', 'step_size': 0.5}, 'gradient': {'method': 'checkpointed'}"
#define ODE_RNN "{'type': 'ode_rnn', 'hidden': 5, " FIELD

extern const double gap_tolerance; /* tolerance between numbers that are computed in two ways */

/* The number of steps of each row, and the observation times of the steps where a channel holds them. */
extern const size_t gap_lengths[N];
extern const real gap_times[T];

/* Missing values, marked x, step by step. In `some` each step of a row has at least one value; in `whole` a step may
 * have none. */
typedef const char *const gaps[N];
extern gaps gap_some, gap_whole;

void gap_punch(gaps missing, real *x); /* store NaN in x (N, T, C) where a value is missing */
/* Fill each gap with the value before it: full is [values | mask] (N, T, 2C). */
void gap_fill(gaps missing, const real *x, double full[N][T][2 * C]);
/* Make x (N, T, 1 + C) from x (N, T, C): the first channel is the time, up to the row's end. */
void gap_add_times(const real *x, real *timed);

/* Build the module with ode_rig_build; a failure fails the test. */
void gap_build(ode_rig *r, const char *json, cst_shape x, size_t n, int threads);
/* Copy parameters and cotangent to the rig of another module with the same number of both. */
void gap_follow(ode_rig *to, const ode_rig *from);

/* A row with gaps has the states and gradients of the filled row. A value that fills gaps gets the gradients of all its
 * uses. `filled` is the config of a model of `width` channels: 2C with a mask. */
void gap_check_filled(gaps missing, const char *json, const char *filled, size_t width);
/* Rows that end at step `end` have the results of series of that length. After the end the state stays the same, and
 * values get no gradient. */
void gap_check_end(const char *json, size_t end);
/* Rows without any value have states and gradients of zeros. */
void gap_check_nothing(const char *json);
/* Compare every component of the gradients with differences; missing values must have none. With `channel`, the first
 * channel holds times. For double precision. */
void gap_check_gradients(const char *json, bool channel);
/* Building the module for rows of shape x must fail with CST_ECONFIG and this message. */
void gap_check_error(const char *json, cst_shape x, const char *message);

#endif
