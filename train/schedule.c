#include "train/schedule.h"

#include "core/text.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#define FIELD(name) offsetof(cst_schedule, name)
#define POSITIVE DBL_MIN, 0
#define NOT_NEGATIVE 0, -1
#define BELOW_1 0, 0x1.fffffffffffffp-1

static const char *const units[] = {"epochs", "iterations", NULL};

#define WARMUP_KEYS                                                                                                    \
    {"warmup", CST_KEY_SIZE, FIELD(warmup), "0", 0, 1e9, NULL, "length of a linear warm-up"},                          \
    {                                                                                                                  \
        "warmup_unit", CST_KEY_CHOICE, FIELD(warmup_unit), "\"epochs\"", 0, 0, units, "what it is counted in"          \
    }

static const cst_key constant_keys[] = {WARMUP_KEYS, {0}};

static const cst_key step_keys[] = {
    {"step_size", CST_KEY_SIZE, FIELD(step_size), NULL, 1, 1e9, NULL, "epochs between two drops"},
    {"gamma", CST_KEY_REAL, FIELD(gamma), "0.1", POSITIVE, NULL, "factor of a drop"},
    WARMUP_KEYS,
    {0},
};

static const cst_key cosine_keys[] = {
    {"T_max", CST_KEY_REAL, FIELD(T_max), "", POSITIVE, NULL, "epochs to the minimum; all of them if absent"},
    {"eta_min", CST_KEY_REAL, FIELD(eta_min), "0", NOT_NEGATIVE, NULL, "the minimum"},
    WARMUP_KEYS,
    {0},
};

static const cst_key exponential_keys[] = {
    {"gamma", CST_KEY_REAL, FIELD(gamma), NULL, POSITIVE, NULL, "factor an epoch"},
    WARMUP_KEYS,
    {0},
};

static const cst_key plateau_keys[] = {
    {"factor", CST_KEY_REAL, FIELD(factor), "0.1", 0, 0x1.fffffffffffffp-1, NULL, "factor of a drop"},
    {"patience", CST_KEY_SIZE, FIELD(patience), "10", 0, 1e9, NULL, "epochs without improvement that are forgiven"},
    {"every", CST_KEY_SIZE, FIELD(every), "1", 1, 1e9, NULL, "epochs from one look at the value to the next"},
    {"threshold", CST_KEY_REAL, FIELD(threshold), "1e-4", BELOW_1, NULL, "smallest relative improvement that counts"},
    {"min_lr", CST_KEY_REAL, FIELD(min_lr), "0", NOT_NEGATIVE, NULL, "smallest rate"},
    WARMUP_KEYS,
    {0},
};

const cst_schedule_type cst_schedule_types[CST_N_SCHEDULES] = {
    [CST_SCHEDULE_CONSTANT] = {"constant", "the optimizer's rate throughout", constant_keys},
    [CST_SCHEDULE_STEP] = {"step", "a factor every so many epochs", step_keys},
    [CST_SCHEDULE_COSINE] = {"cosine", "half a cosine down to a minimum", cosine_keys},
    [CST_SCHEDULE_EXPONENTIAL] = {"exponential", "a factor every epoch", exponential_keys},
    [CST_SCHEDULE_PLATEAU] = {"plateau", "a factor where the monitored value stops improving", plateau_keys},
};

cst_status cst_schedule_read(cst_config section, size_t epochs, cst_schedule *s, cst_error *error)
{
    *s = (cst_schedule){.kind = CST_SCHEDULE_CONSTANT};
    if (!cst_config_present(section)) return CST_OK;
    const char *names[CST_N_SCHEDULES + 1] = {0};
    for (size_t i = 0; i < CST_N_SCHEDULES; i++) names[i] = cst_schedule_types[i].name;
    size_t kind = 0;
    CST_TRY(cst_config_type(section, "schedule", names, &kind, error));
    cst_schedule read = {.kind = (cst_schedule_kind)kind};
    CST_TRY(cst_config_read(section, cst_schedule_types[kind].keys, true, &read, error));
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

static double plateau(const cst_schedule *s, double monitored, cst_schedule_state *state)
{
    static const double smallest_change = 1e-8; /* PyTorch's eps: a smaller drop is not made */
    if (monitored < state->best * (1 - s->threshold)) {
        state->best = monitored;
        state->bad = 0;
    } else {
        state->bad++;
    }
    if (state->bad <= s->patience) return state->lr;
    state->bad = 0;
    const double lower = fmax(state->lr * s->factor, s->min_lr);
    return state->lr - lower > smallest_change ? lower : state->lr;
}

void cst_schedule_epoch(const cst_schedule *s, double lr0, double monitored, cst_schedule_state *state)
{
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
    case CST_SCHEDULE_PLATEAU:
        if ((state->epochs - 1) % s->every == 0) state->lr = plateau(s, monitored, state);
        break;
    case CST_SCHEDULE_CONSTANT:
    case CST_N_SCHEDULES:
        break;
    }
}

double cst_schedule_lr(const cst_schedule *s, const cst_schedule_state *state, uint64_t iteration,
                       size_t iterations_per_epoch)
{
    const double length = (double)s->warmup * (s->warmup_unit == 0 ? (double)iterations_per_epoch : 1);
    const double position = (double)iteration + 1;
    return position < length ? state->lr * position / length : state->lr;
}
