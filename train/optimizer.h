/* Optimizers, with PyTorch's update rules and defaults. Each is one loop over the flat parameter vector.
 *
 * Letters: gradient g, parameters theta, learning rate eta, step k = 1, 2, ..., weight decay w.
 *   sgd      g += w theta;  v = momentum v + g;  theta -= eta v, or with nesterov theta -= eta (g + momentum v)
 *   adam     g += w theta;  m = b1 m + (1-b1) g;  v = b2 v + (1-b2) g^2;
 *            theta -= eta / (1-b1^k) m / (sqrt(v) / sqrt(1-b2^k) + eps)             (Kingma, Ba, ICLR 2015)
 *   adamw    theta -= eta w theta, then adam with w = 0                         (Loshchilov, Hutter, ICLR 2019)
 *   rmsprop  g += w theta;  v = alpha v + (1-alpha) g^2;  d = g / (sqrt(v) + eps);  theta -= eta d, or with
 *            momentum b = momentum b + d;  theta -= eta b
 *
 * An optimizer is a set of options. Its state (v, m, b) is in vectors of the caller, which must be zero before the first
 * step. */
#ifndef CST_TRAIN_OPTIMIZER_H
#define CST_TRAIN_OPTIMIZER_H

#include "core/config.h"
#include "core/real.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { CST_OPTIMIZER_SLOTS = 2 }; /* the most state vectors that an optimizer has */

typedef struct cst_optimizer cst_optimizer;

/* The arguments of one update. All arrays have n entries and belong to the caller. */
typedef struct cst_update {
    double lr;     /* eta, after schedule and warm-up */
    uint64_t step; /* k, from 1 */
    size_t n;      /* P */
    const cst_real *grad;
    cst_real *theta;
    cst_real *slot[CST_OPTIMIZER_SLOTS]; /* state; NULL beyond cst_optimizer_slots */
} cst_update;

/* A kind of optimizer. */
typedef struct cst_optimizer_type {
    const char *name, *summary;              /* the config's "type", and one line for `costate list` */
    const cst_key *keys;                     /* of its section, without "type" */
    size_t (*slots)(const cst_optimizer *o); /* how many state vectors it uses with these options */
    void (*step)(const cst_optimizer *o, const cst_update *u);
} cst_optimizer_type;

extern const cst_optimizer_type *const cst_optimizer_types[]; /* all types, ended by NULL */

/* Options. Options that a type does not use are 0. */
struct cst_optimizer {
    const cst_optimizer_type *type;
    double lr; /* initial learning rate, before any schedule */
    double weight_decay, momentum, alpha, eps, beta1, beta2;
    bool nesterov;
};

/* Read a section such as {"type": "adamw", "lr": 1e-3}. Defaults are written into it. Errors: CST_ECONFIG with the place
 * in the config, CST_ENOMEM. */
CST_MUST_CHECK cst_status cst_optimizer_read(cst_config section, cst_optimizer *o, cst_error *error);
/* Read the same from JSON text, with the same errors. Messages call the text "optimizer". */
CST_MUST_CHECK cst_status cst_optimizer_from_json(const char *json, cst_optimizer *o, cst_error *error);

/* How many of an update's slots the optimizer uses: slot[0] .. slot[count - 1]. */
size_t cst_optimizer_slots(const cst_optimizer *o);

/* Do one step: overwrite theta and the slots. */
void cst_optimizer_step(const cst_optimizer *o, const cst_update *u);

/* The 2-norm of the gradient (n), summed in double precision. */
double cst_grad_norm(size_t n, const cst_real *grad);

/* Scale the gradient (n) in place by min(1, max_norm / (norm + 1e-6)), as PyTorch's clip_grad_norm_ does. Returns the
 * norm before scaling. */
double cst_clip_grad_norm(size_t n, cst_real *grad, double max_norm);

#ifdef __cplusplus
}
#endif
#endif
