#include "models/symoden.h"

#include "core/arena.h"
#include "models/energy.h"
#include "models/symoden_row.h"

#include <stdio.h>
#include <string.h>

/* The networks, in the order of theta. */
enum { MASS, POTENTIAL, INPUT, N_NETS };

static const char *const net_names[N_NETS] = {"mass", "potential", "input"};

/* n: rows have 4 n numbers. */
static size_t degrees(const cst_module *m)
{
    return m->x.dim[0] / 4;
}

static const cst_module *net_of(const cst_module *m, int i)
{
    return m->children[i].module;
}

/* ---- where things are ------------------------------------------------------------------------------------------- */

/* The mass network has two tangents in the reverse pass, along c' and psi. The potential's gradient has a VJP. */
static void plan_nets(const cst_module *m, size_t rows, cst_plan net[N_NETS])
{
    cst_module_plan(net_of(m, MASS), rows, 2, 1, &net[MASS]);
    cst_energy_plan(net_of(m, POTENTIAL), rows, &net[POTENTIAL]);
    cst_module_plan(net_of(m, INPUT), rows, 0, 1, &net[INPUT]);
}

/* Offsets in the cache: what forward leaves for vjp. N rows, n degrees of freedom. */
typedef struct cache_layout {
    size_t c;           /* (N, 2n) */
    size_t xdot;        /* (N, 2n): c' */
    size_t l;           /* (N, h), h = n (n + 1) / 2: the mass network's value, entries of L */
    size_t ldot;        /* (N, h): the derivative of L along c' */
    size_t p;           /* (N, n): momenta */
    size_t slope;       /* (N, 2n): dH/dc at fixed p */
    size_t gain;        /* (N, n, n): g */
    size_t tangent;     /* the mass network's tangent cache, for two tangents */
    size_t n_tangent;   /* its size */
    size_t net[N_NETS]; /* the networks' own caches */
    size_t size;
} cache_layout;

static cache_layout lay_out_cache(const cst_module *m, size_t rows)
{
    const size_t n = degrees(m), h = n * (n + 1) / 2;
    cst_plan net[N_NETS];
    plan_nets(m, rows, net);
    cache_layout k = {0};
    k.c = cst_place(&k.size, cst_size_mul(rows, 2 * n));
    k.xdot = cst_place(&k.size, cst_size_mul(rows, 2 * n));
    k.l = cst_place(&k.size, cst_size_mul(rows, h));
    k.ldot = cst_place(&k.size, cst_size_mul(rows, h));
    k.p = cst_place(&k.size, cst_size_mul(rows, n));
    k.slope = cst_place(&k.size, cst_size_mul(rows, 2 * n));
    k.gain = cst_place(&k.size, cst_size_mul(rows, n * n));
    k.n_tangent = net[MASS].tangent;
    k.tangent = cst_place(&k.size, k.n_tangent);
    k.net[MASS] = cst_place(&k.size, net[MASS].cache);
    k.net[POTENTIAL] = cst_place(&k.size, net[POTENTIAL].cache);
    k.net[INPUT] = cst_place(&k.size, net[INPUT].cache);
    return k;
}

/* Arrays in work, of both passes. A cotangent has the name of its quantity with a g before it. */
typedef struct work_layout {
    real *gl;      /* (N, h): cotangent of L */
    real *gldot;   /* (2, N, h): cotangents of L's derivatives along c' and psi */
    real *xdot;    /* (2, N, 2n): c' and psi, the cotangent of dH/dc */
    real *lpsi;    /* (N, h): L's derivative along psi */
    real *gc;      /* (N, 2n): cotangent of c through one network */
    real *gc_sum;  /* (N, 2n): through all networks so far */
    real *gxdot;   /* (2, N, 2n): cotangents of c' and of psi; the latter is not used */
    real *gdp;     /* (N, n): cotangent of p' */
    real *gq;      /* (N, n): cotangent of q' through p */
    real *ggain;   /* (N, n, n): of g */
    real *tangent; /* a copy of the cache's, which the second tangent is added to */
    real *net;     /* the networks' own work */
    size_t size;
} work_layout;

static work_layout cut_work(const cst_module *m, size_t rows, real *work)
{
    const size_t n = degrees(m), h = n * (n + 1) / 2;
    cst_plan net[N_NETS];
    plan_nets(m, rows, net);
    work_layout s = {0};
    s.gl = cst_cut(work, &s.size, cst_size_mul(rows, h));
    s.gldot = cst_cut(work, &s.size, cst_size_mul(rows, 2 * h));
    s.xdot = cst_cut(work, &s.size, cst_size_mul(rows, 4 * n));
    s.lpsi = cst_cut(work, &s.size, cst_size_mul(rows, h));
    s.gc = cst_cut(work, &s.size, cst_size_mul(rows, 2 * n));
    s.gc_sum = cst_cut(work, &s.size, cst_size_mul(rows, 2 * n));
    s.gxdot = cst_cut(work, &s.size, cst_size_mul(rows, 4 * n));
    s.gdp = cst_cut(work, &s.size, cst_size_mul(rows, n));
    s.gq = cst_cut(work, &s.size, cst_size_mul(rows, n));
    s.ggain = cst_cut(work, &s.size, cst_size_mul(rows, n * n));
    s.tangent = cst_cut(work, &s.size, net[MASS].tangent);
    s.net = cst_cut(work, &s.size, cst_size_max(net[MASS].work, cst_size_max(net[POTENTIAL].work, net[INPUT].work)));
    return s;
}

static void symoden_plan(const cst_module *m, size_t n, size_t k, int threads, cst_plan *plan)
{
    (void)k, (void)threads; /* the networks run in the calling thread: threads share the rows of the whole field */
    plan->cache = lay_out_cache(m, n).size;
    plan->work = cut_work(m, n, NULL).size;
}

/* Row i of the state and of the cache. */
static cst_symoden_row row_of(const cst_module *m, const cache_layout *k, const real *cache, const real *x, size_t i)
{
    const size_t n = degrees(m), h = n * (n + 1) / 2;
    x += i * 4 * n;
    return (cst_symoden_row){.n = n,
                             .h = h,
                             .cos = x,
                             .sin = x + n,
                             .rate = x + 2 * n,
                             .u = x + 3 * n,
                             .l = cache + k->l + i * h,
                             .ldot = cache + k->ldot + i * h,
                             .p = cache + k->p + i * n,
                             .slope = cache + k->slope + i * 2 * n,
                             .gain = cache + k->gain + i * n * n};
}

/* ---- passes ------------------------------------------------------------------------------------------------------ */

/* to (n) += from (n) */
static void add(size_t n, const real *restrict from, real *restrict to)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

/* The steps 1 to 5 of docs/symoden.md, "The field". */
static cst_status symoden_forward(const cst_module *m, const cst_call *c, const real *x, real *y, real *cache)
{
    const size_t n = degrees(m), h = n * (n + 1) / 2;
    const cache_layout k = lay_out_cache(m, c->n);
    const work_layout s = cut_work(m, c->n, c->work);
    const cst_call mass = cst_call_child_alone(m, c, MASS, s.net),
                   potential = cst_call_child_alone(m, c, POTENTIAL, s.net),
                   input = cst_call_child_alone(m, c, INPUT, s.net);
    real *angles = cache + k.c, *xdot = cache + k.xdot, *dh = cache + k.slope;
    /* c = (cos q, sin q), the first half of each row. */
    for (size_t i = 0; i < c->n; i++) memcpy(angles + i * 2 * n, x + i * 4 * n, 2 * n * sizeof *x);

    /* 1. L = mass(c), p = M q', c'. */
    CST_TRY(cst_module_forward(net_of(m, MASS), &mass, angles, cache + k.l, cache + k.net[MASS]));
    for (size_t i = 0; i < c->n; i++) {
        const cst_symoden_row r = row_of(m, &k, cache, x, i);
        cst_symoden_momentum(&r, cache + k.p + i * n, xdot + i * 2 * n, s.gl + i * h);
    }
    /* 2. L', the derivative of L along c'. */
    const cst_point point = {angles, cache + k.l, cache + k.net[MASS]};
    const cst_tangents along = {
        .capacity = 2, .count = 1, .xdot = xdot, .ydot = cache + k.ldot, .cache = cache + k.tangent};
    CST_TRY(cst_module_jvp(net_of(m, MASS), &mass, &point, &along));
    /* 3. dH/dc at fixed p: from p^T M^-1 p / 2 through the mass network, and from V. */
    CST_TRY(cst_module_vjp(net_of(m, MASS), &mass, &point, s.gl, &(cst_grads){.scale = 1, .gx = dh}));
    CST_TRY(cst_energy_gradient(net_of(m, POTENTIAL), &potential, angles, s.gc, cache + k.net[POTENTIAL]));
    add(c->n * 2 * n, s.gc, dh);
    /* 4. and 5. g = input(c), p' and the value. */
    CST_TRY(cst_module_forward(net_of(m, INPUT), &input, angles, cache + k.gain, cache + k.net[INPUT]));
    for (size_t i = 0; i < c->n; i++) {
        const cst_symoden_row r = row_of(m, &k, cache, x, i);
        cst_symoden_value(&r, xdot + i * 2 * n, y + i * 4 * n);
    }
    return CST_OK;
}

/* forward: L = mass(c), its derivatives along c' and psi, dV/dc and g = input(c). Step 5 of docs/symoden.md, "Its VJP":
 * gtheta is added to. If gx is wanted, s->gc_sum (N, 2n) and s->gxdot become the cotangents of c and of (c', psi). */
static cst_status reverse_nets(const cst_module *m, const cst_call *c, const real *cache, const work_layout *s,
                               const cst_grads *g)
{
    const size_t n = degrees(m), nc = c->n * 2 * n;
    cst_grads grads[N_NETS];
    cst_call call[N_NETS];
    /* What each network is asked for. */
    for (int i = 0; i < N_NETS; i++) {
        call[i] = cst_call_child_alone(m, c, (size_t)i, s->net);
        grads[i] = (cst_grads){.scale = g->scale, .gx = g->gx ? s->gc : NULL, .gt = g->gt};
        if (g->gtheta) grads[i].gtheta = g->gtheta + m->children[i].offset;
    }
    grads[MASS].gx = g->gx ? s->gc_sum : NULL;
    grads[MASS].gxdot = g->gx ? s->gxdot : NULL;
    const cache_layout k = lay_out_cache(m, c->n);
    const real *angles = cache + k.c;
    const cst_point mass = {angles, cache + k.l, cache + k.net[MASS]},
                    input = {angles, cache + k.gain, cache + k.net[INPUT]};
    const cst_tangent_point both = {.capacity = 2, .count = 2, .xdot = s->xdot, .cache = s->tangent};
    /* The mass network with both tangents at once, then the potential along psi, then the input network. */
    CST_TRY(cst_module_jvp_vjp(net_of(m, MASS), &call[MASS], &mass, &both, s->gl, s->gldot, &grads[MASS]));
    CST_TRY(cst_energy_gradient_vjp(net_of(m, POTENTIAL), &call[POTENTIAL], angles, cache + k.net[POTENTIAL],
                                    s->xdot + nc, &grads[POTENTIAL]));
    if (g->gx) add(nc, s->gc, s->gc_sum);
    CST_TRY(cst_module_vjp(net_of(m, INPUT), &call[INPUT], &input, s->ggain, &grads[INPUT]));
    if (g->gx) add(nc, s->gc, s->gc_sum);
    return CST_OK;
}

/* forward: q'' = M^-1 p' + (M^-1)' p, p' = sin q * dH/dcos - cos q * dH/dsin + g u, c' = (-sin q * q', cos q * q'). The
 * steps of docs/symoden.md, "Its VJP". */
static cst_status symoden_vjp(const cst_module *m, const cst_call *c, const cst_point *p, const real *gy,
                              const cst_grads *g)
{
    const size_t n = degrees(m), h = n * (n + 1) / 2, nc = c->n * 2 * n;
    const cache_layout k = lay_out_cache(m, c->n);
    const work_layout s = cut_work(m, c->n, c->work);
    /* 1. From q'' to p', to dH/dc (psi) and to g. psi becomes the second tangent, after c'. */
    memcpy(s.tangent, p->cache + k.tangent, k.n_tangent * sizeof *s.tangent);
    memcpy(s.xdot, p->cache + k.xdot, nc * sizeof *s.xdot);
    for (size_t i = 0; i < c->n; i++) {
        const cst_symoden_row r = row_of(m, &k, p->cache, p->x, i);
        cst_symoden_start_reverse(&r, gy + i * 4 * n + 2 * n, s.gdp + i * n, s.xdot + nc + i * 2 * n,
                                  s.ggain + i * n * n);
    }
    /* 2. The derivative of L along psi. */
    const cst_call mass = cst_call_child_alone(m, c, MASS, s.net);
    const cst_point point = {p->cache + k.c, p->cache + k.l, p->cache + k.net[MASS]};
    const cst_tangents psi = {
        .capacity = 2, .first = 1, .count = 1, .xdot = s.xdot + nc, .ydot = s.lpsi, .cache = s.tangent};
    CST_TRY(cst_module_jvp(net_of(m, MASS), &mass, &point, &psi));
    /* 2. to 4. The cotangents of L, of its derivatives, and of q' through p. */
    for (size_t i = 0; i < c->n; i++) {
        const cst_symoden_row r = row_of(m, &k, p->cache, p->x, i);
        cst_symoden_reverse_mass(&r, gy + i * 4 * n + 2 * n, s.lpsi + i * h, s.gl + i * h, s.gldot + i * h,
                                 s.gldot + (c->n + i) * h, s.gq + i * n);
    }
    /* 5. Through the networks. */
    CST_TRY(reverse_nets(m, c, p->cache, &s, g));
    /* 6. c' has y's cotangent as well; then gx. */
    for (size_t i = 0; g->gx && i < c->n; i++) {
        const cst_symoden_row r = row_of(m, &k, p->cache, p->x, i);
        add(2 * n, gy + i * 4 * n, s.gxdot + i * 2 * n);
        cst_symoden_finish_reverse(&r, s.gc_sum + i * 2 * n, s.gxdot + i * 2 * n, s.gdp + i * n, s.gq + i * n,
                                   g->gx + i * 4 * n);
    }
    return CST_OK;
}

static const cst_module_ops symoden_ops = {
    .name = "symoden", .plan = symoden_plan, .forward = symoden_forward, .vjp = symoden_vjp};

/* ---- control ----------------------------------------------------------------------------------------------------- */

/* work = [a cache | the field's work]; only the parts of the input and potential networks are used. */
size_t cst_symoden_control_work(const cst_module *m, size_t rows)
{
    return cst_size_add(lay_out_cache(m, rows).size, cut_work(m, rows, NULL).size);
}

cst_status cst_symoden_control(const cst_module *m, const cst_call *c, const real *at, real *slope, real *gain)
{
    const size_t n = degrees(m);
    const cache_layout k = lay_out_cache(m, c->n);
    real *cache = c->work, *dv = cache + k.slope;
    const work_layout s = cut_work(m, c->n, c->work + k.size);
    const cst_call potential = cst_call_child_alone(m, c, POTENTIAL, s.net),
                   input = cst_call_child_alone(m, c, INPUT, s.net);
    /* dV/dc and g, then dV/dq by the chain rule. */
    CST_TRY(cst_energy_gradient(net_of(m, POTENTIAL), &potential, at, dv, cache + k.net[POTENTIAL]));
    CST_TRY(cst_module_forward(net_of(m, INPUT), &input, at, gain, cache + k.net[INPUT]));
    for (size_t i = 0; i < c->n; i++, dv += 2 * n) {
        const real *q = at + i * 2 * n;
        for (size_t j = 0; j < n; j++) slope[i * n + j] = q[j] * dv[n + j] - q[n + j] * dv[j];
    }
    return CST_OK;
}

/* ---- construction ------------------------------------------------------------------------------------------------ */

/* Whether network i has the rows and the derivatives that n degrees of freedom need. */
static cst_status check_net(const cst_module *net, int i, size_t n, cst_error *error)
{
    const cst_shape c = cst_shape_1d(2 * n);
    const size_t out[N_NETS] = {n * (n + 1) / 2, 1, n * n};
    char from[CST_SHAPE_TEXT], got[CST_SHAPE_TEXT];
    if (!cst_shape_equal(&net->x, &c) || cst_shape_size(&net->y) != out[i])
        return cst_fail(error, CST_ESHAPE, "expected \"%s\" to map rows of %zu to %zu number%s, got %s -> %s",
                        net_names[i], 2 * n, out[i], out[i] == 1 ? "" : "s", cst_shape_text(&net->x, from),
                        cst_shape_text(&net->y, got));
    if (i == INPUT) return CST_OK;
    return cst_module_require(net, CST_PASS_JVP | CST_PASS_JVP_VJP, "a symoden field", error);
}

/* All three networks together. */
static cst_status check(cst_module *const net[N_NETS], cst_error *error)
{
    const cst_shape *x = &net[MASS]->x;
    char got[CST_SHAPE_TEXT];
    if (x->rank != 1 || x->dim[0] % 2 != 0 || x->dim[0] < 2 || x->dim[0] > 2 * CST_SYMODEN_MAX_DEGREES)
        return cst_fail(error, CST_ESHAPE, "expected networks for rows (cos q, sin q) of 2 to %d numbers, got %s",
                        2 * CST_SYMODEN_MAX_DEGREES, cst_shape_text(x, got));
    for (int i = 0; i < N_NETS; i++) CST_TRY(check_net(net[i], i, x->dim[0] / 2, error));
    return CST_OK;
}

cst_status cst_symoden_new(cst_module *mass, cst_module *potential, cst_module *input, cst_module **m, cst_error *error)
{
    cst_module *net[N_NETS] = {mass, potential, input}, *made = NULL;
    *m = NULL;
    cst_status status = check(net, error);
    if (status == CST_OK) {
        const cst_shape x = cst_shape_1d(2 * mass->x.dim[0]);
        status = cst_module_new(sizeof(cst_module), &symoden_ops, &x, &made, error);
    }
    /* A network that does not become a child is freed here. */
    for (int i = 0; i < N_NETS; i++) {
        if (status == CST_OK)
            status = cst_module_add_child(made, net_names[i], net[i], error);
        else
            cst_module_free(net[i]);
    }
    /* Cost in passes. mass: forward, jvp and vjp; potential: forward and vjp; input: forward. */
    if (status == CST_OK) {
        *m = made;
        made->cost = 3 * mass->cost + 2 * potential->cost + input->cost;
    } else {
        cst_module_free(made);
    }
    return status;
}

typedef struct symoden_section {
    cst_config net[N_NETS];
} symoden_section;

static const cst_key symoden_keys[] = {
    {.name = "mass",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(symoden_section, net[MASS]),
     .help = "a module from (cos q, sin q) to the n (n + 1) / 2 entries of L, where M^-1 = L L^T + 0.1 I",
     .holds = "module"},
    {.name = "potential",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(symoden_section, net[POTENTIAL]),
     .help = "a module from (cos q, sin q) to the potential energy",
     .holds = "module"},
    {.name = "input",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(symoden_section, net[INPUT]),
     .help = "a module from (cos q, sin q) to the n^2 entries of g, through which u acts on p'",
     .holds = "module"},
    {.name = NULL},
};

static cst_status symoden_make(const cst_registry *registry, cst_config section, const cst_shape *x, cst_module **m,
                               cst_error *error)
{
    symoden_section s = {0};
    cst_module *net[N_NETS] = {NULL};
    *m = NULL;
    CST_TRY(cst_config_read(section, symoden_keys, true, &s, error));
    CST_TRY(cst_module_expect_rank(x, 1, "(cos q, sin q, q', u)", error));
    if (x->dim[0] == 0 || x->dim[0] % 4 != 0)
        return cst_fail(error, CST_ESHAPE, "expected rows (cos q, sin q, q', u) of 4 n numbers, got %zu", x->dim[0]);
    const cst_shape c = cst_shape_1d(x->dim[0] / 2);
    /* Check each network here, where its section is known, so that a message names it. */
    cst_status status = CST_OK;
    for (int i = 0; i < N_NETS && status == CST_OK; i++) {
        status = cst_module_from_config(registry, s.net[i], &c, &net[i], error);
        if (status == CST_OK && check_net(net[i], i, c.dim[0] / 2, error) != CST_OK)
            status = cst_config_place(s.net[i], error);
    }
    if (status == CST_OK) return cst_symoden_new(net[MASS], net[POTENTIAL], net[INPUT], m, error);
    for (int i = 0; i < N_NETS; i++) cst_module_free(net[i]);
    return status;
}

/* Configs for the conformance tests: one, two and three degrees of freedom. */
#define NET(hidden, out)                                                                                               \
    "{\"type\": \"sequential\", \"layers\": [{\"type\": \"linear\", \"out_features\": " #hidden                        \
    "}, {\"type\": \"softplus\"}, {\"type\": \"linear\", \"out_features\": " #out "}]}"
#define FIELD(mass, input)                                                                                             \
    "{\"type\": \"symoden\", \"mass\": " NET(5, mass) ", \"potential\": " NET(4, 1) ", \"input\": " NET(3, input) "}"
static const cst_module_example symoden_examples[] = {
    {FIELD(1, 1), {1, {4}}},
    {FIELD(3, 4), {1, {8}}},
    {FIELD(6, 9), {1, {12}}},
};

const cst_module_type cst_symoden_type = {
    .name = "symoden",
    .summary = "controlled Hamiltonian field (SymODEN) on rows (cos q, sin q, q', u)",
    .keys = symoden_keys,
    .make = symoden_make,
    .n_examples = sizeof symoden_examples / sizeof *symoden_examples,
    .examples = symoden_examples,
};
