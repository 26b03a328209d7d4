#include "models/hamiltonian.h"

#include "core/arena.h"
#include "layers/vmath.h"
#include "models/energy.h"

#include <string.h>

/* The most networks of a field: a potential and a kinetic energy. */
enum { MAX_PARTS = 2 };

/* The initial parameter: its softplus, the initial damping, is 0.13. */
static const real initial_damping = -2;

typedef struct hamiltonian {
    cst_module base;
    bool damped;
} hamiltonian;

/* Whether the field has a parameter "damping". */
static bool damped(const cst_module *m)
{
    return ((const hamiltonian *)(const void *)m)->damped;
}

/* n: rows are (q, p) of n numbers each. */
static size_t degrees(const cst_module *m)
{
    return m->x.dim[0] / 2;
}

/* Network i sees the columns first .. first + width - 1 of a row: all of it, or the coordinates (0) or momenta (1). */
typedef struct part {
    const cst_module *net;
    size_t first, width;
} part;

static part part_of(const cst_module *m, size_t i)
{
    const cst_module *net = m->children[i].module;
    return (part){net, i * degrees(m), net->x.dim[0]};
}

/* ---- where things are ------------------------------------------------------------------------------------------- */

/* cache = [dH/d(q, p) (N, 2n) | per network: its part of x (N, width) and its own cache] */
typedef struct cache_layout {
    size_t slope, x[MAX_PARTS], net[MAX_PARTS], size;
} cache_layout;

/* Arrays in work. */
typedef struct work_layout {
    real *damping;   /* (n): d */
    real *rate;      /* (n): the derivative of d in its parameter */
    real *psi;       /* (N, 2n): cotangent of dH/d(q, p) */
    real *direction; /* (N, width): one network's part of psi, or of dH/d(q, p) */
    real *gx;        /* (N, width): one network's part of gx */
    real *net;       /* the networks' own work */
    size_t size;
} work_layout;

static cache_layout lay_out_cache(const cst_module *m, size_t rows)
{
    cache_layout k = {0};
    k.slope = cst_place(&k.size, cst_size_mul(rows, 2 * degrees(m)));
    for (size_t i = 0; i < m->n_children; i++) {
        const part p = part_of(m, i);
        cst_plan plan;
        cst_energy_plan(p.net, rows, &plan);
        k.x[i] = cst_place(&k.size, cst_size_mul(rows, p.width));
        k.net[i] = cst_place(&k.size, plan.cache);
    }
    return k;
}

static work_layout cut_work(const cst_module *m, size_t rows, real *work)
{
    const size_t n = degrees(m), row = cst_size_mul(rows, 2 * n);
    /* The networks run one after the other, so they share their work. */
    size_t most = 0;
    for (size_t i = 0; i < m->n_children; i++) {
        cst_plan plan;
        cst_energy_plan(m->children[i].module, rows, &plan);
        if (plan.work > most) most = plan.work;
    }
    work_layout s = {0};
    s.damping = cst_cut(work, &s.size, n);
    s.rate = cst_cut(work, &s.size, n);
    s.psi = cst_cut(work, &s.size, row);
    s.direction = cst_cut(work, &s.size, row);
    s.gx = cst_cut(work, &s.size, row);
    s.net = cst_cut(work, &s.size, most);
    return s;
}

static void hamiltonian_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    (void)k, (void)threads; /* the networks run in the calling thread: threads share the rows of the whole field */
    plan->cache = lay_out_cache(m, n).size;
    plan->work = cut_work(m, n, NULL).size;
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* to (n, width): the part's columns of rows `from` (n, all). */
static void take_columns(size_t n, size_t all, const part *p, const real *from, real *to)
{
    for (size_t i = 0; i < n; i++) memcpy(to + i * p->width, from + i * all + p->first, p->width * sizeof *to);
}

/* The reverse: `from` (n, width) becomes the part's columns of rows `to` (n, all). */
static void put_columns(size_t n, size_t all, const part *p, const real *from, real *to)
{
    for (size_t i = 0; i < n; i++) memcpy(to + i * all + p->first, from + i * p->width, p->width * sizeof *to);
}

/* s->damping (n) = d = log(1 + exp(damping)); zero without damping. */
static void set_damping(const cst_module *m, const cst_call *c, const work_layout *s)
{
    const size_t n = degrees(m);
    memset(s->damping, 0, n * sizeof *s->damping);
    if (damped(m)) cst_vsoftplus(n, c->theta, s->damping);
}

/* q' = dH/dp, p' = -dH/dq - d * dH/dp */
static cst_status hamiltonian_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const size_t n = degrees(m);
    const cache_layout k = lay_out_cache(m, c->n);
    const work_layout s = cut_work(m, c->n, c->work);
    /* Each network's gradient goes to its own columns of dH/d(q, p). */
    for (size_t i = 0; i < m->n_children; i++) {
        const part p = part_of(m, i);
        const cst_call call = cst_call_child_alone(m, c, i, s.net);
        take_columns(c->n, 2 * n, &p, x, cache + k.x[i]);
        CST_TRY(cst_energy_gradient(p.net, &call, cache + k.x[i], s.direction, cache + k.net[i]));
        put_columns(c->n, 2 * n, &p, s.direction, cache + k.slope);
    }
    /* The field itself, row by row. */
    set_damping(m, c, &s);
    for (size_t i = 0; i < c->n; i++, y += 2 * n) {
        const real *hq = cache + k.slope + i * 2 * n, *hp = hq + n;
        for (size_t j = 0; j < n; j++) {
            y[j] = hp[j];
            y[n + j] = -hq[j] - s.damping[j] * hp[j];
        }
    }
    return CST_OK;
}

/* forward: p' = -dH/dq - d * dH/dp, d = softplus(damping). With gp the cotangent of p',
 * gdamping -= scale * sigmoid(damping) * sum over rows of gp * dH/dp. */
static void add_damping_gradient(const cst_module *m, const cst_call *c, const real *slope, const work_layout *s,
                                 const real *gy, const cst_grads *g)
{
    const size_t n = degrees(m);
    cst_vsigmoid(n, c->theta, s->rate);
    for (size_t i = 0; i < c->n; i++) {
        const real *gp = gy + i * 2 * n + n, *hp = slope + i * 2 * n + n;
        for (size_t j = 0; j < n; j++) g->gtheta[j] -= g->scale * s->rate[j] * gp[j] * hp[j];
    }
}

/* forward: q' = dH/dp, p' = -dH/dq - d * dH/dp. With cotangents (a, b) of (q', p'), that of dH/d(q, p) is psi = (-b, a
 * - d b), and x gets the VJP of each network's gradient with its part of psi. */
static cst_status hamiltonian_vjp(const cst_module *m, const cst_call *c, const cst_point *point, const real *gy,
                                  const cst_grads *g)
{
    const size_t n = degrees(m);
    const cache_layout k = lay_out_cache(m, c->n);
    const work_layout s = cut_work(m, c->n, c->work);
    /* psi, row by row. */
    set_damping(m, c, &s);
    for (size_t i = 0; i < c->n; i++) {
        const real *a = gy + i * 2 * n, *b = a + n;
        real *psi = s.psi + i * 2 * n;
        for (size_t j = 0; j < n; j++) {
            psi[j] = -b[j];
            psi[n + j] = a[j] - s.damping[j] * b[j];
        }
    }
    /* Each network: gx and gtheta of its gradient. */
    for (size_t i = 0; i < m->n_children; i++) {
        const part p = part_of(m, i);
        const cst_call call = cst_call_child_alone(m, c, i, s.net);
        cst_grads grads = {.scale = g->scale, .gx = g->gx ? s.gx : NULL, .gt = g->gt};
        if (g->gtheta) grads.gtheta = g->gtheta + m->children[i].offset;
        take_columns(c->n, 2 * n, &p, s.psi, s.direction);
        CST_TRY(
            cst_energy_gradient_vjp(p.net, &call, point->cache + k.x[i], point->cache + k.net[i], s.direction, &grads));
        if (g->gx) put_columns(c->n, 2 * n, &p, s.gx, g->gx);
    }
    if (damped(m) && g->gtheta) add_damping_gradient(m, c, point->cache + k.slope, &s, gy, g);
    return CST_OK;
}

static void hamiltonian_init(const cst_module *m, cst_rng rng, real *theta)
{
    (void)rng;
    for (size_t i = 0; damped(m) && i < degrees(m); i++) theta[i] = initial_damping;
}

static const cst_module_ops hamiltonian_ops = {.name = "hamiltonian",
                                               .plan = hamiltonian_plan,
                                               .forward = hamiltonian_forward,
                                               .vjp = hamiltonian_vjp,
                                               .init = hamiltonian_init};

/* ---- construction ------------------------------------------------------------------------------------------------ */

/* The names of the networks, as children and in configs. */
static const char *const names[3] = {"energy", "potential", "kinetic"};

/* The field of n networks, named `name`. Takes ownership of them: a network that is not added as a child is freed. */
static cst_status make(cst_module *const *net, const char *const *name, size_t n, bool with_damping, cst_module **m,
                       cst_error *error)
{
    /* One network needs rows of an even number of entries, two networks need equal rows. */
    const cst_shape *x = &net[0]->x;
    char got[CST_SHAPE_TEXT];
    cst_module *made = NULL;
    *m = NULL;
    cst_status status = CST_OK;
    if (x->rank != 1 || n * x->dim[0] % 2 != 0 || (n == 2 && !cst_shape_equal(x, &net[1]->x)))
        status =
            cst_fail(error, CST_ESHAPE, "expected networks for rows (q, p), or for q and for p, got \"%s\" for rows %s",
                     name[n - 1], cst_shape_text(&net[n - 1]->x, got));
    /* The networks must have second derivatives before anything is made of them. */
    for (size_t i = 0; i < n && status == CST_OK; i++) status = cst_energy_check(net[i], name[i], error);
    /* The field on rows of all networks' numbers, with its own tensor before any child. */
    if (status == CST_OK) {
        const cst_shape row = cst_shape_1d(n * x->dim[0]);
        status = cst_module_new(sizeof(hamiltonian), &hamiltonian_ops, &row, &made, error);
    }
    if (status == CST_OK) {
        ((hamiltonian *)(void *)made)->damped = with_damping;
        if (with_damping) cst_module_add_tensor(made, "damping", cst_shape_1d(degrees(made)));
    }
    /* add_child takes ownership, even if it fails. */
    for (size_t i = 0; i < n; i++) {
        if (status == CST_OK)
            status = cst_module_add_child(made, name[i], net[i], error);
        else
            cst_module_free(net[i]);
    }
    /* On success the field owns everything; on failure it is freed with the children that it has. */
    if (status == CST_OK) {
        *m = made;
        made->cost *= 2; /* each network runs forward and backward */
    } else {
        cst_module_free(made);
    }
    return status;
}

cst_status cst_hamiltonian_new(cst_module *energy, bool with_damping, cst_module **m, cst_error *error)
{
    return make(&energy, names, 1, with_damping, m, error);
}

cst_status cst_separable_hamiltonian_new(cst_module *potential, cst_module *kinetic, bool with_damping, cst_module **m,
                                         cst_error *error)
{
    cst_module *const net[2] = {potential, kinetic};
    return make(net, names + 1, 2, with_damping, m, error);
}

/* What the keys are read into: the networks in the order of `names`. */
typedef struct hamiltonian_section {
    cst_config net[3];
    bool damping;
} hamiltonian_section;

static const cst_key hamiltonian_keys[] = {
    {.name = "energy",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(hamiltonian_section, net[0]),
     .fallback = "",
     .help = "H, a module from (q, p) to one number",
     .holds = "module"},
    {.name = "potential",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(hamiltonian_section, net[1]),
     .fallback = "",
     .help = "V, a module from q to one number; with kinetic in place of energy: H = V + T",
     .holds = "module"},
    {.name = "kinetic",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(hamiltonian_section, net[2]),
     .fallback = "",
     .help = "T, a module from p to one number",
     .holds = "module"},
    {.name = "damping",
     .kind = CST_KEY_BOOL,
     .offset = offsetof(hamiltonian_section, damping),
     .fallback = "false",
     .help = "learn a damping per coordinate"},
    {.name = NULL},
};

/* The network of a section, which must be an energy. names[name] is for messages. */
static cst_status make_net(const cst_registry *registry, cst_config section, size_t name, const cst_shape *x,
                           cst_module **net, cst_error *error)
{
    CST_TRY(cst_module_from_config(registry, section, x, net, error));
    if (cst_energy_check(*net, names[name], error) == CST_OK) return CST_OK;
    cst_module_free(*net);
    *net = NULL;
    return cst_config_place(section, error);
}

/* The field of a section, for rows of shape x. */
static cst_status hamiltonian_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                                   cst_error *error)
{
    hamiltonian_section s = {0};
    cst_module *net[2] = {NULL};
    *m = NULL;
    CST_TRY(cst_config_read(section, hamiltonian_keys, true, &s, error));
    CST_TRY(cst_module_expect_rank(x, 1, "(q, p)", error));
    if (x->dim[0] == 0 || x->dim[0] % 2 != 0)
        return cst_fail(error, CST_ESHAPE, "expected rows (q, p) of 2 n numbers, got %zu", x->dim[0]);
    /* Either energy alone, or both of the others. */
    const bool whole = cst_config_present(s.net[0]);
    if (whole == cst_config_present(s.net[1]) || whole == cst_config_present(s.net[2]))
        return cst_config_fail(section, error, "expected either \"energy\", or both \"potential\" and \"kinetic\"");
    /* One network of (q, p), or one of q and one of p. */
    const cst_shape half = cst_shape_1d(x->dim[0] / 2);
    if (whole) {
        CST_TRY(make_net(registry, s.net[0], 0, x, &net[0], error));
        return cst_hamiltonian_new(net[0], s.damping, m, error);
    }
    CST_TRY(make_net(registry, s.net[1], 1, &half, &net[0], error));
    const cst_status status = make_net(registry, s.net[2], 2, &half, &net[1], error);
    if (status == CST_OK) return cst_separable_hamiltonian_new(net[0], net[1], s.damping, m, error);
    cst_module_free(net[0]);
    return status;
}

/* Configs for the conformance tests: general and separable, with and without damping. */
#define NET                                                                                                            \
    CST_JSON({                                                                                                         \
        "type": "sequential",                                                                                          \
        "layers": [{"type": "linear", "out_features": 5}, {"type": "tanh"}, {"type": "linear", "out_features": 1}]     \
    })
static const cst_module_example hamiltonian_examples[] = {
    {"{\"type\": \"hamiltonian\", \"energy\": " NET "}", {1, {4}}},
    {"{\"type\": \"hamiltonian\", \"energy\": " NET ", \"damping\": true}", {1, {4}}},
    {"{\"type\": \"hamiltonian\", \"potential\": " NET ", \"kinetic\": " NET "}", {1, {2}}},
    {"{\"type\": \"hamiltonian\", \"potential\": " NET ", \"kinetic\": " NET ", \"damping\": true}", {1, {6}}},
};

const cst_module_type cst_hamiltonian_type = {
    .name = "hamiltonian",
    .summary =
        "Hamiltonian field on rows (q, p), of one energy or of a potential and a kinetic energy, optionally damped",
    .keys = hamiltonian_keys,
    .make = hamiltonian_make,
    .n_examples = sizeof hamiltonian_examples / sizeof *hamiltonian_examples,
    .examples = hamiltonian_examples,
};
