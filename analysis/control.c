#include "analysis/control.h"

#include "core/file.h"
#include "core/text.h"
#include "datasets/double_pendulum.h"
#include "models/symoden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

/* ---- the model ------------------------------------------------------------------------------------------------ */

/* The first SymODEN field in the tree of m; NULL if there is none. *offset grows by the place of its parameters in m's. */
static const cst_module *find_field(const cst_module *m, size_t *offset)
{
    if (strcmp(m->ops->name, cst_symoden_type.name) == 0) return m;
    for (size_t i = 0; i < m->n_children; i++) {
        size_t at = *offset + m->children[i].offset;
        const cst_module *field = find_field(m->children[i].module, &at);
        if (!field) continue;
        *offset = at;
        return field;
    }
    return NULL;
}

/* The field, and the arguments of its evaluations. */
typedef struct controller {
    const cst_module *field;
    cst_call call;
} controller;

/* Compute the torques u = g^T (g g^T)^-1 (2 dV/dq - q') for a state. False, with the reason, if that is not possible. */
static bool choose_torques(const controller *c, const real y[4], real u[2], char why[200])
{
    /* The field's inputs are (cos q, sin q); it gives slope = dV/dq and g. */
    const double q[2] = {(double)y[0], (double)y[1]};
    const real at[4] = {(real)cos(q[0]), (real)cos(q[1]), (real)sin(q[0]), (real)sin(q[1])};
    real slope[2], g[4];
    cst_error error;
    cst_call call = c->call;
    call.error = &error;
    if (cst_symoden_control(c->field, &call, at, slope, g) != CST_OK) {
        snprintf(why, 200, "%.199s", error.message);
        return false;
    }
    /* g is square, so that g^T (g g^T)^-1 is its inverse: u = g^-1 (2 dV/dq - q'). */
    const double force[2] = {2 * (double)slope[0] - (double)y[2], 2 * (double)slope[1] - (double)y[3]};
    const double a = (double)g[0], b = (double)g[1], d = (double)g[2], e = (double)g[3], determinant = a * e - b * d;
    u[0] = (real)((e * force[0] - b * force[1]) / determinant);
    u[1] = (real)((a * force[1] - d * force[0]) / determinant);
    if (isfinite(u[0]) && isfinite(u[1])) return true;
    snprintf(why, 200, "the torques are not finite: the input matrix g has determinant %.3g", determinant);
    return false;
}

/* ---- the pendulum ------------------------------------------------------------------------------------------------ */

/* The distance between two angles, at most pi. */
static double angle_between(double a, double b)
{
    return fabs(remainder(a - b, 2 * pi));
}

/* The larger distance of the two joints' angles from upright, where q = (pi, 0). */
static double from_upright(const real y[4])
{
    return fmax(angle_between((double)y[0], pi), angle_between((double)y[1], 0));
}

/* True if a state counts as upright and at rest. */
static bool is_upright(const cst_control_options *o, const real y[4])
{
    return from_upright(y) <= o->angle && fabs((double)y[2]) <= o->rate && fabs((double)y[3]) <= o->rate;
}

void cst_control_options_init(cst_control_options *o)
{
    *o = (cst_control_options){.steps = 400, .dt = 0.05, .angle = 0.2, .rate = 0.5};
}

void cst_control_judge(const cst_control_options *o, cst_control *control)
{
    /* `since` is the beginning of the last stretch of upright points; it counts if that lasts to the end. */
    control->reached = false;
    control->closest = (double)INFINITY;
    for (size_t i = 0; i < control->n; i++) {
        const cst_control_point *p = &control->points[i];
        const double distance = from_upright(p->y);
        if (distance < control->closest) control->closest = distance, control->when = p->t;
        const bool now = is_upright(o, p->y);
        if (now && !control->reached) control->since = p->t;
        control->reached = now;
    }
    if (control->why[0]) control->reached = false;
}

/* Move the pendulum under control. An early end leaves its reason in control->why. */
static void simulate(const controller *c, const cst_control_options *o, cst_control *control)
{
    real y[4] = {(real)o->start[0], (real)o->start[1], 0, 0};
    cst_error error;
    for (size_t i = 0; i <= o->steps; i++) {
        cst_control_point *p = &control->points[control->n];
        *p = (cst_control_point){.t = (double)i * o->dt};
        memcpy(p->y, y, sizeof y);
        /* Choose the torques, then hold them for a step. The last point has torques, but no step after it. */
        if (!choose_torques(c, y, p->u, control->why)) return;
        control->n++;
        if (i == o->steps || cst_double_pendulum_advance(o->dt, p->u, y, &error) == CST_OK) continue;
        /* Torques without bound may throw the pendulum out of the simulator's range. */
        snprintf(control->why, sizeof control->why, "the simulation of the pendulum failed: %.150s", error.message);
        return;
    }
}

cst_status cst_control_run(const cst_run *run, const cst_control_options *o, cst_control *control, cst_error *error)
{
    size_t offset = 0;
    const cst_module *field = find_field(run->experiment.model, &offset);
    *control = (cst_control){0};
    if (!field || field->x.dim[0] != 8)
        return cst_fail(error, CST_EUNSUPPORTED,
                        "%s: expected a model with a symoden field of two degrees of freedom, as a double pendulum has",
                        run->folder);
    /* Memory for the field and the points. */
    real *work = malloc(cst_size_mul(cst_symoden_control_work(field, 1), sizeof *work));
    control->points = calloc(o->steps + 1, sizeof *control->points);
    if (!work || !control->points) {
        free(work);
        free(control->points);
        control->points = NULL;
        return cst_fail(error, CST_ENOMEM, "out of memory for %zu steps", o->steps);
    }
    /* Simulate and judge. */
    const controller c = {field, {.n = 1, .threads = 1, .theta = run->trainer.learner.theta + offset, .work = work}};
    simulate(&c, o, control);
    cst_control_judge(o, control);
    free(work);
    return CST_OK;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

cst_status cst_control_write(const cst_control *control, const char *folder, cst_error *error)
{
    cst_text text = {0};
    cst_text_puts(&text, "t,q1,q2,q1_rate,q2_rate,u1,u2,from_upright\n");
    for (size_t i = 0; i < control->n; i++) {
        const cst_control_point *p = &control->points[i];
        cst_text_printf(&text, "%.6g", p->t);
        for (size_t j = 0; j < 4; j++) cst_text_printf(&text, ",%.9g", (double)p->y[j]);
        cst_text_printf(&text, ",%.9g,%.9g,%.6g\n", (double)p->u[0], (double)p->u[1], from_upright(p->y));
    }
    /* Replace the file. */
    char *path = cst_path_join(folder, "control.csv");
    const cst_status status = text.failed || !path ? cst_fail(error, CST_ENOMEM, "out of memory")
                                                   : cst_file_replace(path, text.data, text.size, error);
    free(text.data);
    free(path);
    return status;
}
