/* Optimizers: PyTorch's update rules and defaults, one loop over the flat parameter vector each.
 *
 * With gradient g, parameters theta, learning rate eta, step k = 1, 2, ...; w is weight_decay:
 *   sgd      g += w theta;  v = momentum v + g;  theta -= eta v, or with nesterov theta -= eta (g + momentum v)
 *   adam     g += w theta;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;
 *            theta -= eta / (1-b1^k) m / (sqrt(v) / sqrt(1-b2^k) + eps)             (Kingma, Ba, ICLR 2015)
 *   adamw    theta -= eta w theta, then adam with w = 0                         (Loshchilov, Hutter, ICLR 2019)
 *   rmsprop  g += w theta;  v = alpha v + (1-alpha) g^2;  d = g / (sqrt(v) + eps);  theta -= eta d, or with
 *            momentum b = momentum b + d;  theta -= eta b
 *
 * An optimizer is a set of options; what it remembers (v, m, b) is in the caller's vectors, which begin at zero. */
#ifndef CST_TRAIN_OPTIMIZER_H
#define CST_TRAIN_OPTIMIZER_H

#include "core/config.h"
#include "core/real.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_OPTIMIZER_SLOTS = 2 };

typedef struct cst_optimizer cst_optimizer;

/* What one update works on: slot[i] are vectors like theta. */
typedef struct cst_update {
    double lr;
    uint64_t step; /* k, from 1 */
    size_t n;      /* P */
    const cst_real *grad;
    cst_real *theta;
    cst_real *slot[CST_OPTIMIZER_SLOTS];
} cst_update;

typedef struct cst_optimizer_type {
    const char *name, *summary;
    const cst_key *keys; /* of its section beside "type" */
    size_t (*slots)(const cst_optimizer *o);
    void (*step)(const cst_optimizer *o, const cst_update *u);
} cst_optimizer_type;

extern const cst_optimizer_type *const cst_optimizer_types[]; /* ended by NULL */

struct cst_optimizer {
    const cst_optimizer_type *type;
    double lr; /* before any schedule */
    double weight_decay, momentum, alpha, eps, beta1, beta2;
    bool nesterov;
};

/* Read {"type": "adamw", "lr": 1e-3, ...}. CST_ECONFIG. */
CST_MUST_CHECK cst_status cst_optimizer_read(cst_config section, cst_optimizer *o, cst_error *error);
/* The same from the section's JSON text, called "optimizer" in messages. */
CST_MUST_CHECK cst_status cst_optimizer_from_json(const char *json, cst_optimizer *o, cst_error *error);

/* How many of the update's slots it uses: the first ones. */
size_t cst_optimizer_slots(const cst_optimizer *o);

/* theta and the slots after one step. */
void cst_optimizer_step(const cst_optimizer *o, const cst_update *u);

/* The gradient's 2-norm, summed in double. */
double cst_grad_norm(size_t n, const cst_real *grad);

/* Scale the gradient by min(1, max_norm / (norm + 1e-6)) and return the norm that it had. */
double cst_clip_grad_norm(size_t n, cst_real *grad, double max_norm);

#ifdef __cplusplus
}
#endif
#endif
