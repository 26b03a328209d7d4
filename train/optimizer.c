#include "train/optimizer.h"

#include <math.h>
#include <string.h>
#include <tgmath.h>

/* ---- sgd ----------------------------------------------------------------------------------------------------- */

/* One slot: the velocity v. */
static size_t sgd_slots(const cst_optimizer *o)
{
    return o->momentum > 0 ? 1 : 0;
}

static void sgd_step(const cst_optimizer *o, const cst_update *u)
{
    const real lr = (real)u->lr, decay = (real)o->weight_decay, momentum = (real)o->momentum;
    const real *restrict grad = u->grad;
    real *restrict theta = u->theta;
    /* Without momentum: theta -= lr (g + decay theta). */
    if (o->momentum == 0) {
#pragma omp simd
        for (size_t i = 0; i < u->n; i++) theta[i] -= lr * (grad[i] + decay * theta[i]);
        return;
    }
    /* v = momentum v + g; theta -= lr v, or with Nesterov's momentum theta -= lr (g + momentum v).
     * PyTorch sets v = g in the first step, which is the same, since v begins at 0. */
    real *restrict v = u->slot[0];
    const real of_g = o->nesterov ? 1 : 0, of_v = o->nesterov ? momentum : 1;
#pragma omp simd
    for (size_t i = 0; i < u->n; i++) {
        const real g = grad[i] + decay * theta[i];
        v[i] = momentum * v[i] + g;
        theta[i] -= lr * (of_g * g + of_v * v[i]);
    }
}

/* ---- adam, adamw --------------------------------------------------------------------------------------------- */

/* Two slots: m and v, the running means of g and g^2. */
static size_t adam_slots(const cst_optimizer *o)
{
    (void)o;
    return 2;
}

/* theta -= eta / (1-b1^k) m / (sqrt(v) / sqrt(1-b2^k) + eps). The `coupled` weight decay is added to the gradient, the
 * `decoupled` one shrinks theta itself. */
static void adam_like(const cst_optimizer *o, const cst_update *u, double coupled, double decoupled)
{
    /* Everything that does not depend on the parameter: bias corrections and rates. */
    const double k = (double)u->step;
    const real rate = (real)(u->lr / (1 - pow(o->beta1, k)));
    const real correction = (real)(1 / sqrt(1 - pow(o->beta2, k))), eps = (real)o->eps;
    const real b1 = (real)o->beta1, b2 = (real)o->beta2, a1 = (real)(1 - o->beta1), a2 = (real)(1 - o->beta2);
    const real decay = (real)coupled, keep = (real)(1 - u->lr * decoupled);
    /* One pass over the parameters updates both means and theta. */
    const real *restrict grad = u->grad;
    real *restrict theta = u->theta, *restrict m = u->slot[0], *restrict v = u->slot[1];
#pragma omp simd
    for (size_t i = 0; i < u->n; i++) {
        const real g = grad[i] + decay * theta[i];
        m[i] = b1 * m[i] + a1 * g;
        v[i] = b2 * v[i] + a2 * g * g;
        theta[i] = keep * theta[i] - rate * m[i] / (sqrt(v[i]) * correction + eps);
    }
}

static void adam_step(const cst_optimizer *o, const cst_update *u)
{
    adam_like(o, u, o->weight_decay, 0);
}

static void adamw_step(const cst_optimizer *o, const cst_update *u)
{
    adam_like(o, u, 0, o->weight_decay);
}

/* ---- rmsprop ------------------------------------------------------------------------------------------------- */

/* v, the running mean of g^2, and with momentum b, the velocity. */
static size_t rmsprop_slots(const cst_optimizer *o)
{
    return o->momentum > 0 ? 2 : 1;
}

static void rmsprop_step(const cst_optimizer *o, const cst_update *u)
{
    const real lr = (real)u->lr, decay = (real)o->weight_decay, momentum = (real)o->momentum, eps = (real)o->eps;
    const real alpha = (real)o->alpha, rest = (real)(1 - o->alpha);
    const real *restrict grad = u->grad;
    real *restrict theta = u->theta, *restrict v = u->slot[0], *restrict b = u->slot[1];
    /* Without momentum: theta -= lr g / (sqrt(v) + eps). */
    if (o->momentum == 0) {
#pragma omp simd
        for (size_t i = 0; i < u->n; i++) {
            const real g = grad[i] + decay * theta[i];
            v[i] = alpha * v[i] + rest * g * g;
            theta[i] -= lr * g / (sqrt(v[i]) + eps);
        }
        return;
    }
    /* With momentum: b = momentum b + g / (sqrt(v) + eps), theta -= lr b. */
#pragma omp simd
    for (size_t i = 0; i < u->n; i++) {
        const real g = grad[i] + decay * theta[i];
        v[i] = alpha * v[i] + rest * g * g;
        b[i] = momentum * b[i] + g / (sqrt(v[i]) + eps);
        theta[i] -= lr * b[i];
    }
}

/* ---- from a config ------------------------------------------------------------------------------------------- */

/* A section as cst_config_read fills it in: "betas" is a list, which is read afterwards. */
typedef struct optimizer_section {
    cst_optimizer o;
    cst_config betas;
} optimizer_section;

#define FIELD(name) offsetof(optimizer_section, o.name)

/* Keys that several rules share. */
#define LR_KEY(value)                                                                                                  \
    CST_INIT({.name = "lr",                                                                                            \
              .kind = CST_KEY_REAL,                                                                                    \
              .offset = FIELD(lr),                                                                                     \
              .fallback = value,                                                                                       \
              .range = CST_POSITIVE,                                                                                   \
              .help = "learning rate"})
#define MOMENTUM_KEY                                                                                                   \
    CST_INIT({.name = "momentum",                                                                                      \
              .kind = CST_KEY_REAL,                                                                                    \
              .offset = FIELD(momentum),                                                                               \
              .fallback = "0",                                                                                         \
              .range = CST_AT_LEAST(0),                                                                                \
              .help = "factor of the previous velocity; 0: no momentum"})
#define BETAS_KEY                                                                                                      \
    CST_INIT({.name = "betas",                                                                                         \
              .kind = CST_KEY_LIST,                                                                                    \
              .offset = offsetof(optimizer_section, betas),                                                            \
              .fallback = "[0.9, 0.999]",                                                                              \
              .range = CST_BELOW(1),                                                                                   \
              .help = "decay rates of the running means of g and g^2",                                                 \
              .holds = "two_numbers"})
#define EPS_KEY                                                                                                        \
    CST_INIT({.name = "eps",                                                                                           \
              .kind = CST_KEY_REAL,                                                                                    \
              .offset = FIELD(eps),                                                                                    \
              .fallback = "1e-8",                                                                                      \
              .range = CST_AT_LEAST(0),                                                                                \
              .help = "added to the denominator, against division by 0"})
#define WEIGHT_DECAY_KEY(value, text)                                                                                  \
    CST_INIT({.name = "weight_decay",                                                                                  \
              .kind = CST_KEY_REAL,                                                                                    \
              .offset = FIELD(weight_decay),                                                                           \
              .fallback = value,                                                                                       \
              .range = CST_AT_LEAST(0),                                                                                \
              .help = text})
#define L2_KEY WEIGHT_DECAY_KEY("0", "weight_decay * theta is added to the gradient")

static const cst_key sgd_keys[] = {
    LR_KEY("1e-3"),
    MOMENTUM_KEY,
    {.name = "nesterov",
     .kind = CST_KEY_BOOL,
     .offset = FIELD(nesterov),
     .fallback = "false",
     .help = "use Nesterov's momentum"},
    L2_KEY,
    {.name = NULL},
};

static const cst_key adam_keys[] = {
    LR_KEY("1e-3"), BETAS_KEY, EPS_KEY, L2_KEY, {.name = NULL},
};

static const cst_key adamw_keys[] = {
    LR_KEY("1e-3"), BETAS_KEY,
    EPS_KEY,        WEIGHT_DECAY_KEY("0.01", "decoupled: each step multiplies theta by 1 - lr * weight_decay"),
    {.name = NULL},
};

static const cst_key rmsprop_keys[] = {
    LR_KEY("1e-2"),
    {.name = "alpha",
     .kind = CST_KEY_REAL,
     .offset = FIELD(alpha),
     .fallback = "0.99",
     .range = CST_BELOW(1),
     .help = "decay rate of the running mean of g^2"},
    EPS_KEY,
    MOMENTUM_KEY,
    L2_KEY,
    {.name = NULL},
};

static const cst_optimizer_type sgd = {"sgd", "gradient descent, optionally with momentum", sgd_keys, sgd_slots,
                                       sgd_step};
static const cst_optimizer_type adam = {"adam", "Adam; weight decay is added to the gradient", adam_keys, adam_slots,
                                        adam_step};
static const cst_optimizer_type adamw = {"adamw", "Adam with decoupled weight decay", adamw_keys, adam_slots,
                                         adamw_step};
static const cst_optimizer_type rmsprop = {"rmsprop", "gradients divided by their running RMS", rmsprop_keys,
                                           rmsprop_slots, rmsprop_step};
const cst_optimizer_type *const cst_optimizer_types[] = {&sgd, &adam, &adamw, &rmsprop, NULL};

/* betas: a list of two numbers. */
static cst_status read_betas(cst_config list, cst_optimizer *o, cst_error *error)
{
    /* Each is the weight of the past in a running mean, so that it must be below 1. */
    double beta[2];
    bool good = cst_config_is_list(list) && cst_config_length(list) == 2;
    for (size_t i = 0; good && i < 2; i++)
        good = cst_config_number(cst_config_item(list, i), &beta[i]) && beta[i] >= 0 && beta[i] < 1;
    if (!good) return cst_config_expected(list, "two numbers in [0, 1)", error);
    o->beta1 = beta[0];
    o->beta2 = beta[1];
    return CST_OK;
}

cst_status cst_optimizer_read(cst_config section, cst_optimizer *o, cst_error *error)
{
    /* Find the type. */
    enum { N_TYPES = sizeof cst_optimizer_types / sizeof cst_optimizer_types[0] };
    const char *names[N_TYPES] = {0};
    for (size_t i = 0; cst_optimizer_types[i]; i++) names[i] = cst_optimizer_types[i]->name;
    size_t type = 0;
    CST_TRY(cst_config_type(section, "optimizer", names, &type, error));
    /* Read its keys and check them together. */
    optimizer_section s = {0};
    CST_TRY(cst_config_read(section, cst_optimizer_types[type]->keys, true, &s, error));
    s.o.type = cst_optimizer_types[type];
    if (s.betas.node) CST_TRY(read_betas(s.betas, &s.o, error));
    if (s.o.nesterov && s.o.momentum == 0)
        return cst_config_fail(cst_config_get(section, "nesterov"), error,
                               "expected a momentum above 0 with Nesterov's momentum, got 0");
    *o = s.o;
    return CST_OK;
}

cst_status cst_optimizer_from_json(const char *json, cst_optimizer *o, cst_error *error)
{
    /* Parse, then read the root as the section. */
    cst_document *document;
    CST_TRY(cst_document_parse("optimizer", json, strlen(json), &document, error));
    const cst_status status = cst_optimizer_read(cst_document_root(document), o, error);
    cst_document_free(document);
    return status;
}

/* ---- for callers --------------------------------------------------------------------------------------------- */

size_t cst_optimizer_slots(const cst_optimizer *o)
{
    return o->type->slots(o);
}

void cst_optimizer_step(const cst_optimizer *o, const cst_update *u)
{
    o->type->step(o, u);
}

double cst_grad_norm(size_t n, const real *grad)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += (double)grad[i] * (double)grad[i];
    return sqrt(sum);
}

double cst_clip_grad_norm(size_t n, real *grad, double max_norm)
{
    const double norm = cst_grad_norm(n, grad);
    /* PyTorch adds 1e-6 so that a norm of 0 is no division by 0. A NaN norm leaves the gradient as it is. */
    const double factor = max_norm / (norm + 1e-6);
    if (!(factor < 1)) return norm;
    const real scale = (real)factor;
#pragma omp simd
    for (size_t i = 0; i < n; i++) grad[i] *= scale;
    return norm;
}
