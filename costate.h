/* The public surface of costate. `make install` copies this header and what it includes. Other headers belong to the project
 * and may change in any version. */
#ifndef COSTATE_H
#define COSTATE_H

/* Errors, shapes, memory, random numbers. */
#include "core/arena.h"
#include "core/rng.h"
#include "core/shape.h"
#include "core/status.h"
#include "core/version.h"

/* Modules, and how a config in JSON becomes one. */
#include "core/config.h"
#include "core/module.h"
#include "core/registry.h"
#include "models/registry.h"

/* Solvers and their error norms. */
#include "ode/norm.h"
#include "ode/solve.h"

/* ODE blocks and the methods that compute their gradients. */
#include "adjoint/gradient.h"
#include "adjoint/ode_block.h"

/* Constructors of common layers. The registry builds all others by name. */
#include "layers/activations.h"
#include "layers/concat_time.h"
#include "layers/conv2d.h"
#include "layers/flatten.h"
#include "layers/linear.h"
#include "layers/norm_layers.h"
#include "layers/pool2d.h"
#include "layers/residual.h"
#include "layers/sequential.h"

/* Training: a model on batches of your own, or a config in a folder. */
#include "train/learner.h"
#include "train/run.h"

#endif
