#include "train/schedule.h"

#include "core/text.h"

#include <math.h>
#include <stdlib.h>

#define FIELD(name) offsetof(cst_schedule, name)

/* Values of warmup_unit. */
static const char *const units[] = {"epochs", "iterations", NULL};

/* The keys that every schedule has. */
#define WARMUP_KEYS                                                                                                    \
    CST_INIT({.name = "warmup",                                                                                        \
              .kind = CST_KEY_SIZE,                                                                                    \
              .offset = FIELD(warmup),                                                                                 \
              .fallback = "0",                                                                                         \
              .range = CST_BETWEEN(0, 1e9),                                                                            \
              .help = "length of the linear warm-up; 0: none"},                                                        \
             {.name = "warmup_unit",                                                                                   \
              .kind = CST_KEY_CHOICE,                                                                                  \
              .offset = FIELD(warmup_unit),                                                                            \
              .fallback = "\"epochs\"",                                                                                \
              .choices = units,                                                                                        \
              .help = "unit of warmup"})

static const cst_key constant_keys[] = {WARMUP_KEYS, {.name = NULL}};

static const cst_key step_keys[] = {
    {.name = "step_size",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(step_size),
     .range = CST_BETWEEN(1, 1e9),
     .help = "epochs from one drop to the next"},
    {.name = "gamma",
     .kind = CST_KEY_REAL,
     .offset = FIELD(gamma),
     .fallback = "0.1",
     .range = CST_POSITIVE,
     .help = "factor of a drop"},
    WARMUP_KEYS,
    {.name = NULL},
};

static const cst_key cosine_keys[] = {
    {.name = "T_max",
     .kind = CST_KEY_REAL,
     .offset = FIELD(T_max),
     .fallback = "",
     .range = CST_POSITIVE,
     .help = "epochs to the minimum; default: all epochs"},
    {.name = "eta_min",
     .kind = CST_KEY_REAL,
     .offset = FIELD(eta_min),
     .fallback = "0",
     .range = CST_AT_LEAST(0),
     .help = "the minimum rate"},
    WARMUP_KEYS,
    {.name = NULL},
};

static const cst_key exponential_keys[] = {
    {.name = "gamma", .kind = CST_KEY_REAL, .offset = FIELD(gamma), .range = CST_POSITIVE, .help = "factor per epoch"},
    WARMUP_KEYS,
    {.name = NULL},
};

static const cst_key plateau_keys[] = {
    {.name = "factor",
     .kind = CST_KEY_REAL,
     .offset = FIELD(factor),
     .fallback = "0.1",
     .range = CST_BELOW(1),
     .help = "factor of a drop"},
    {.name = "patience",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(patience),
     .fallback = "10",
     .range = CST_BETWEEN(0, 1e9),
     .help = "checks without improvement that are tolerated before a drop"},
    {.name = "check_every",
     .kind = CST_KEY_SIZE,
     .offset = FIELD(check_every),
     .fallback = "1",
     .range = CST_BETWEEN(1, 1e9),
     .help = "epochs from one check of the monitored value to the next"},
    {.name = "threshold",
     .kind = CST_KEY_REAL,
     .offset = FIELD(threshold),
     .fallback = "1e-4",
     .range = CST_BELOW(1),
     .help = "smallest relative improvement that counts"},
    {.name = "min_lr",
     .kind = CST_KEY_REAL,
     .offset = FIELD(min_lr),
     .fallback = "0",
     .range = CST_AT_LEAST(0),
     .help = "the rate never drops below this"},
    WARMUP_KEYS,
    {.name = NULL},
};

const cst_schedule_type cst_schedule_types[CST_N_SCHEDULES] = {
    [CST_SCHEDULE_CONSTANT] = {"constant", "the optimizer's rate in all epochs", constant_keys},
    [CST_SCHEDULE_STEP] = {"step", "multiplied by gamma every step_size epochs", step_keys},
    [CST_SCHEDULE_COSINE] = {"cosine", "half a cosine down to a minimum", cosine_keys},
    [CST_SCHEDULE_EXPONENTIAL] = {"exponential", "multiplied by gamma every epoch", exponential_keys},
    [CST_SCHEDULE_PLATEAU] = {"plateau", "multiplied by factor whenever the monitored value stops improving",
                              plateau_keys},
};

cst_status cst_schedule_read(cst_config section, size_t epochs, cst_schedule *s, cst_error *error)
{
    *s = (cst_schedule){.kind = CST_SCHEDULE_CONSTANT};
    if (!cst_config_present(section)) return CST_OK;
    /* Find the kind and read its keys. */
    const char *names[CST_N_SCHEDULES + 1] = {0};
    for (size_t i = 0; i < CST_N_SCHEDULES; i++) names[i] = cst_schedule_types[i].name;
    size_t kind = 0;
    CST_TRY(cst_config_type(section, "schedule", names, &kind, error));
    cst_schedule read = {.kind = (cst_schedule_kind)kind};
    CST_TRY(cst_config_read(section, cst_schedule_types[kind].keys, true, &read, error));
    /* Resolve the default of T_max, and write it into the section. */
    if (kind == CST_SCHEDULE_COSINE && read.T_max == 0) {
        read.T_max = epochs > 0 ? (double)epochs : 1;
        cst_text text = {0};
        cst_text_number(&text, read.T_max);
        const cst_status status = text.failed ? cst_fail(error, CST_ENOMEM, "out of memory")
                                              : cst_config_put(section, "T_max", text.data, error);
        free(text.data);
        CST_TRY(status);
    }
    *s = read;
    return CST_OK;
}

void cst_schedule_start(cst_schedule_state *state, double lr)
{
    *state = (cst_schedule_state){.lr = lr, .best = (double)INFINITY};
}

/* The rate after a check of the monitored value, with PyTorch's ReduceLROnPlateau (mode min, relative threshold). */
static double plateau(const cst_schedule *s, double monitored, cst_schedule_state *state)
{
    static const double smallest_change = 1e-8; /* PyTorch's eps: a smaller drop is not made */
    /* Count the checks without improvement. */
    if (monitored < state->best * (1 - s->threshold)) {
        state->best = monitored;
        state->bad = 0;
    } else {
        state->bad++;
    }
    /* Drop the rate once they exceed the patience. */
    if (state->bad <= s->patience) return state->lr;
    state->bad = 0;
    /* Never below min_lr, and not by a negligible amount. */
    const double lower = fmax(state->lr * s->factor, s->min_lr);
    return state->lr - lower > smallest_change ? lower : state->lr;
}

void cst_schedule_epoch(const cst_schedule *s, double lr0, double monitored, cst_schedule_state *state)
{
    /* step, cosine and exponential are closed formulas of the number of epochs; see the header. */
    static const double pi = 3.14159265358979323846;
    const double epochs = (double)++state->epochs;
    switch (s->kind) {
    case CST_SCHEDULE_STEP:
        state->lr = lr0 * pow(s->gamma, floor(epochs / (double)s->step_size));
        break;
    case CST_SCHEDULE_COSINE:
        state->lr = s->eta_min + (lr0 - s->eta_min) * (1 + cos(pi * epochs / s->T_max)) / 2;
        break;
    case CST_SCHEDULE_EXPONENTIAL:
        state->lr = lr0 * pow(s->gamma, epochs);
        break;
    /* plateau checks in the first epoch and in every check_every-th one after it. */
    case CST_SCHEDULE_PLATEAU:
        if ((state->epochs - 1) % s->check_every == 0) state->lr = plateau(s, monitored, state);
        break;
    case CST_SCHEDULE_CONSTANT:
    case CST_N_SCHEDULES:
        break;
    }
}

double cst_schedule_lr(const cst_schedule *s, const cst_schedule_state *state, uint64_t iteration,
                       size_t iterations_per_epoch)
{
    /* Warm-up: the first W iterations rise linearly to the schedule's rate. */
    const double length = (double)s->warmup * (s->warmup_unit == 0 ? (double)iterations_per_epoch : 1);
    const double position = (double)iteration + 1;
    return position < length ? state->lr * position / length : state->lr;
}
