/* Recurrent models on series with gaps and early ends: four rows of six steps and three channels, states of five numbers. */
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

extern const double gap_tolerance; /* of numbers that are made in two ways */

/* Steps of each row, and the times at which they are observed where a channel says so. */
extern const size_t gap_lengths[N];
extern const real gap_times[T];

/* What is missing, an x, step by step: in `some` a value at least is there at each of a row's steps, in `whole` not. */
typedef const char *const gaps[N];
extern gaps gap_some, gap_whole;

void gap_punch(gaps missing, real *x); /* NaN where something is missing */
/* [values | mask] (N, T, 2C) with nothing missing: the last value before. */
void gap_fill(gaps missing, const real *x, double full[N][T][2 * C]);
/* x (N, T, 1 + C) of x (N, T, C), the time in front, as long as the row goes. */
void gap_add_times(const real *x, real *timed);

/* Fails the test where the module cannot be built. */
void gap_build(ode_rig *r, const char *json, cst_shape x, size_t n, int threads);
/* The same parameters and cotangent for another module of as many. */
void gap_follow(ode_rig *to, const ode_rig *from);

/* A row with gaps has the states and gradients of a filled one; what was carried on gets the gradients of all its uses.
 * `filled` has `width` channels: with a mask for 2C. */
void gap_check_filled(gaps missing, const char *json, const char *filled, size_t width);
/* Rows that end together are those of a shorter series; after the end the state stays, and nothing gets a gradient. */
void gap_check_end(const char *json, size_t end);
/* Rows without any value: states and gradients of zeros. */
void gap_check_nothing(const char *json);
/* Every component of the gradients against differences, nothing for what is missing; with a channel of times in front or
 * without. In double. */
void gap_check_gradients(const char *json, bool channel);
/* A config that the module's rows do not fit: CST_ECONFIG with this message. */
void gap_check_error(const char *json, cst_shape x, const char *message);

#endif
