/* What bench_iterations.c measures, which is the only file that includes this one: configs of models, the workloads
 * they are trained on, and the table of items. bench_iterations.c says where the workloads come from. */
#ifndef CST_BENCH_WORKLOADS_H
#define CST_BENCH_WORKLOADS_H

#include "core/config.h"
#include "train/learner.h"

/* ---- configs of the models ----------------------------------------------------------------------------------- */

/* A layer and its softplus; a whole network of such layers. */
#define HIDDEN(n) "{\"type\": \"linear\", \"out_features\": " #n "}, {\"type\": \"softplus\"}, "
#define NET(hidden, out)                                                                                               \
    "{\"type\": \"sequential\", \"layers\": [" hidden "{\"type\": \"linear\", \"out_features\": " #out "}]}"
/* The model of a workload, where `solver` and `gradient` are the members that an item adds to these sections: text that
 * begins with a comma for the solver, and the whole content for the gradient. */
#define W1(solver, gradient)                                                                                           \
    "{\"type\": \"ode\", \"t\": [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35], \"output\": \"all\", \"field\": "          \
    "{\"type\": "                                                                                                      \
    "\"symoden\", \"mass\": " NET(HIDDEN(400) HIDDEN(400) HIDDEN(400), 3) ", \"potential\": " NET(                     \
        HIDDEN(300) HIDDEN(300), 1) ", \"input\": " NET(HIDDEN(300) HIDDEN(300),                                       \
                                                        4) "}, \"solver\": {\"rtol\": 1e-4, \"atol\": 1e-4" solver     \
                                                           "}, \"gradient\": {" gradient "}}"
#define RELU(n) "{\"type\": \"linear\", \"out_features\": " #n "}, {\"type\": \"relu\"}, "
#define SPEECH                                                                                                         \
    "{\"type\": \"sequential\", \"layers\": [" RELU(40) RELU(40) RELU(40)                                              \
        RELU(40) "{\"type\": \"linear\", "                                                                             \
                 "\"out_features\": 1890}, {\"type\": \"tanh\"}]}"
#define W2(solver, gradient)                                                                                           \
    "{\"type\": \"sequential\", \"layers\": [{\"type\": \"cde\", \"hidden\": 90, \"field\": " SPEECH                   \
    ", \"solver\": {\"rtol\": 1e-3, \"atol\": 1e-6" solver "}, \"gradient\": {" gradient                               \
    "}}, {\"type\": \"linear\", \"out_features\": 10}]}"
#define NORM "{\"type\": \"group_norm\", \"groups\": 32}, {\"type\": \"relu\"}"
#define CONV "{\"type\": \"concat_time\"}, {\"type\": \"conv2d\", \"out_channels\": 64, \"kernel\": 3, \"padding\": 1}"
#define DOWN CST_JSON({"type": "conv2d", "out_channels": 64, "kernel": 4, "stride": 2, "padding": 1})
#define W3(solver, gradient)                                                                                           \
    "{\"type\": \"sequential\", \"layers\": [{\"type\": \"conv2d\", \"out_channels\": 64, \"kernel\": 3}, " NORM       \
    ", " DOWN ", " NORM ", " DOWN ", {\"type\": \"ode\", \"field\": {\"type\": \"sequential\", \"layers\": [" NORM     \
    ", " CONV ", " NORM ", " CONV ", {\"type\": \"group_norm\", \"groups\": 32}]}, \"solver\": {\"rtol\": 1e-3, "      \
    "\"atol\": 1e-3" solver "}, \"gradient\": {" gradient "}}, " NORM                                                  \
    ", {\"type\": \"global_avg_pool2d\"}, {\"type\": \"linear\", \"out_features\": 10}]}"
#define W5(solver, gradient)                                                                                           \
    "{\"type\": \"ode\", \"t\": [0, 0.025025, 0.05005, 0.075075, 0.1001, 0.125125, 0.15015, 0.175175, 0.2002, "        \
    "0.225225], \"output\": \"all\", \"field\": {\"type\": \"sequential\", \"layers\": [{\"type\": \"cube\"}, "        \
    "{\"type\": \"linear\", \"out_features\": 50}, {\"type\": \"tanh\"}, {\"type\": \"linear\", \"out_features\": "    \
    "2}]}, \"solver\": {\"rtol\": 1e-7, \"atol\": 1e-9" solver "}, \"gradient\": {" gradient "}}"
#define W4(field, solver, gradient)                                                                                    \
    "{\"type\": \"flow\", \"layers\": [{\"type\": \"cnf\", \"noise\": \"normal\", \"field\": {\"type\": "              \
    "\"field_net\", "                                                                                                  \
    "\"hidden\": [64, 64, 64], " field "}, \"solver\": {\"rtol\": 1e-5, \"atol\": 1e-5" solver                         \
    "}, \"gradient\": {" gradient "}}]}"
#define W4A(solver, gradient) W4("\"time\": \"concat_squash\"", solver, gradient)
#define W4B(solver, gradient) W4("\"activation\": {\"type\": \"softplus\"}", solver, gradient)
/* What items add. */
#define TORCHDIFFEQ ", \"profile\": \"torchdiffeq\""
#define EXACT "\"method\": \"checkpointed\", \"store\": \"stages\""

/* ---- workloads ----------------------------------------------------------------------------------------------- */

/* Each makes the batch of one workload, always the same. Its arrays are never freed. */
static void make_windows(cst_batch *batch);
static void make_series(cst_batch *batch);
static void make_more_series(cst_batch *batch);
static void make_images(cst_batch *batch);
static void make_points(cst_batch *batch);
static void make_logits(cst_batch *batch);
static void make_spirals(cst_batch *batch);

/* What a model is trained on. */
typedef struct workload {
    const char *name, *loss; /* "W1"; the name of a loss */
    cst_shape x, y;          /* shape of a row and of its targets; rank 0: labels, or no targets at all */
    void (*make)(cst_batch *batch);
} workload;

static const workload w1 = {"W1", "mse", {1, {8}}, {2, {8, 8}}, make_windows};
static const workload w2 = {"W2", "cross_entropy", {2, {98, 21}}, {0, {0}}, make_series};
static const workload w2l = {"W2L", "cross_entropy", {2, {98, 21}}, {0, {0}}, make_more_series};
static const workload w3 = {"W3", "cross_entropy", {3, {1, 28, 28}}, {0, {0}}, make_images};
static const workload w4a = {"W4a", "nll", {1, {2}}, {0, {0}}, make_points};
static const workload w4b = {"W4b", "nll", {3, {1, 28, 28}}, {0, {0}}, make_logits};
static const workload w5 = {"W5", "l1", {1, {2}}, {2, {10, 2}}, make_spirals};

/* ---- items: workloads under several solver profiles and gradient methods ------------------------------------- */

typedef struct item {
    const char *name; /* begins with the name of the workload */
    const char *json; /* config of the model */
    const workload *of;
} item;

static const item items[] = {
    {"W1 torchdiffeq", W1(TORCHDIFFEQ, ""), &w1},
    {"W1 torchd., slices", W1(TORCHDIFFEQ, "\"norm\": {\"slices\": \"8z\"}"), &w1},
    {"W1 backsolve", W1("", ""), &w1},
    {"W1 interpolating", W1("", "\"method\": \"interpolating\""), &w1},
    {"W1 exact, states", W1("", "\"method\": \"checkpointed\""), &w1},
    {"W1 exact, stages", W1("", EXACT), &w1},
    {"W2 torchdiffeq", W2(TORCHDIFFEQ, ""), &w2},
    {"W2 torchd., default", W2(TORCHDIFFEQ, "\"norm\": \"default\""), &w2},
    {"W2 backsolve", W2("", ""), &w2},
    {"W2 backsolve, rms", W2("", "\"norm\": \"rms\""), &w2},
    {"W2 interpolating", W2("", "\"method\": \"interpolating\""), &w2},
    {"W2 exact, states", W2("", "\"method\": \"checkpointed\""), &w2},
    {"W2 exact, stages", W2("", EXACT), &w2},
    {"W2L torchdiffeq", W2(TORCHDIFFEQ, ""), &w2l},
    {"W2L backsolve", W2("", ""), &w2l},
    {"W3 torchdiffeq", W3(TORCHDIFFEQ, ""), &w3},
    {"W3 backsolve", W3("", ""), &w3},
    {"W3 interpolating", W3("", "\"method\": \"interpolating\""), &w3},
    {"W3 exact, states", W3("", "\"method\": \"checkpointed\""), &w3},
    {"W3 exact, stages", W3("", EXACT), &w3},
    {"W4a torchdiffeq", W4A(TORCHDIFFEQ, ""), &w4a},
    {"W4a backsolve", W4A("", ""), &w4a},
    {"W4a interpolating", W4A("", "\"method\": \"interpolating\""), &w4a},
    {"W4a exact, states", W4A("", "\"method\": \"checkpointed\""), &w4a},
    {"W4a exact, stages", W4A("", EXACT), &w4a},
    {"W4b torchdiffeq", W4B(TORCHDIFFEQ, ""), &w4b},
    {"W4b backsolve", W4B("", ""), &w4b},
    {"W5 torchdiffeq", W5(TORCHDIFFEQ, ""), &w5},
    {"W5 backsolve", W5("", ""), &w5},
    {"W5 interpolating", W5("", "\"method\": \"interpolating\""), &w5},
    {"W5 exact, states", W5("", "\"method\": \"checkpointed\""), &w5},
    {"W5 exact, stages", W5("", EXACT), &w5},
};

#endif
