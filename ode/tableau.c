/* The tableaus, each with its source, and their dense output. tests/test_tableau.c checks the order conditions of all
 * of them over rooted trees. */
#include "ode/tableau.h"

#include <string.h>

/* Dormand, Prince 1980 (RK5(4)7M), the paper's solver. e is torchdiffeq's, two thirds of the pair's b - b_hat. The
 * middle is Shampine's (Hairer, Norsett, Wanner, II.6). */
static const cst_tableau dopri5 = {
    .name = "dopri5",
    .order = 5,
    .stages = 7,
    .adaptive = true,
    .fsal = true,
    .error_factor = 1.5,
    .c = {0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1},
    .a = {{0},
          {1. / 5},
          {3. / 40, 9. / 40},
          {44. / 45, -56. / 15, 32. / 9},
          {19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
          {9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
          {35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84}},
    .b = {35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84, 0},
    .e = {35. / 384 - 1951. / 21600, 0, 500. / 1113 - 22642. / 50085, 125. / 192 - 451. / 720,
          -2187. / 6784 + 12231. / 42400, 11. / 84 - 649. / 6300, -1. / 60},
    .m = {6025192743. / 30085553152. / 2, 0, 51252292925. / 65400821598. / 2, -2691868925. / 45128329728. / 2,
          187940372067. / 1594534317056. / 2, -1776094331. / 19743644256. / 2, 11237099. / 235043384. / 2},
};

/* Tsitouras 2011, "Runge-Kutta pairs of order 5(4) satisfying only the first column simplifying assumption". The middle
 * is his interpolant's b_i(1/2). */
static const cst_tableau tsit5 = {
    .name = "tsit5",
    .order = 5,
    .stages = 7,
    .adaptive = true,
    .fsal = true,
    .error_factor = 1,
    .c = {0, 0.161, 0.327, 0.9, 0.9800255409045097, 1, 1},
    .a = {{0},
          {0.161},
          {-0.008480655492356989, 0.335480655492357},
          {2.8971530571054935, -6.359448489975075, 4.3622954328695815},
          {5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525},
          {5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383},
          {0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774}},
    .b = {0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774, 0},
    .e = {-0.00178001105222577714, -0.0008164344596567469, 0.007880878010261995, -0.1447110071732629,
          0.5823571654525552, -0.45808210592918697, 1. / 66},
    .m = {0.10741235230096871, 0.01135625, 0.39560903056045305, -0.34475214352593553, 1.3161853649581645,
          -1.0170608542936508, 0.031249999999999993},
};

/* Prince, Dormand 1981, order 8 with an error estimate of order 7. The middle is torchdiffeq's. */
static const cst_tableau dopri8 = {
    .name = "dopri8",
    .order = 8,
    .stages = 14,
    .adaptive = true,
    .fsal = true,
    .error_factor = 1,
    .c = {0, 0.05555555555555555, 0.08333333333333333, 0.125, 0.3125, 0.375, 0.1475, 0.465, 0.5648654513822595, 0.65,
          0.9246562776405044, 1.0, 1.0, 1.0},
    .a =
        {
            {0},
            {0.05555555555555555},
            {0.020833333333333332, 0.0625},
            {0.03125, 0, 0.09375},
            {0.3125, 0, -1.171875, 1.171875},
            {0.0375, 0, 0, 0.1875, 0.15},
            {0.04791013711111111, 0, 0, 0.11224871277777777, -0.02550567377777778, 0.012846823888888888},
            {0.01691798978729228, 0, 0, 0.3878482784860432, 0.03597736985150033, 0.19697021421566607,
             -0.17271385234050185},
            {0.0690957533591923, 0, 0, -0.6342479767288541, -0.16119757522460407, 0.13865030945882525,
             0.9409286140357562, 0.21163632648194397},
            {0.1835569968390454, 0, 0, -2.4687680843155926, -0.29128688781630047, -0.026473020233117376,
             2.8478387641928005, 0.2813873314698498, 0.12374489986331466},
            {-1.2154248173958881, 0, 0, 16.672608665945774, 0.915741828416818, -6.056605804357471, -16.00357359415618,
             14.849303086297663, -13.371575735289849, 5.134182648179638},
            {0.25886091643826425, 0, 0, -4.774485785489205, -0.4350930137770325, -3.0494833320722416,
             5.5779200399360995, 6.15583158986104, -5.062104586736939, 2.193926173180679, 0.13462799865933495},
            {0.8224275996265075, 0, 0, -11.658673257277664, -0.7576221166909362, 0.7139735881595816, 12.075774986890057,
             -2.127659113920403, 1.9901662070489554, -0.23428647154404028, 0.17589857770794226, 0},
            {0.041747491141530244, 0, 0, 0, 0, -0.05545232861123931, 0.2393128072011801, 0.703510669403443,
             -0.7597596138144609, 0.6605630309222863, 0.15818748251012332, -0.2381095387528628, 0.25},
        },
    .b = {0.041747491141530244, 0, 0, 0, 0, -0.05545232861123931, 0.2393128072011801, 0.703510669403443,
          -0.7597596138144609, 0.6605630309222863, 0.15818748251012332, -0.2381095387528628, 0.25, 0},
    .e = {0.012194277465176744, 0, 0, 0, 0, 0.7731539478765578, -0.07192809284993823, -1.763834521196444,
          1.787182038027448, -0.7829855527544889, 0.07877188662899604, -0.28255398319730723, 0.25, 0},
    .m = {0.04103130360739393, 0, 0, 0, 0, 0.05100562801991382, 0.2388930677412202, 0.3096870143996103,
          -0.2172325471755352, 0.07833405679331928, -0.0018614369715579948, 0.007072844202678841, 0.00690847373200576,
          -0.013838404349047373},
};

/* Bogacki, Shampine 1989, order 3 with an error estimate of order 2. The middle is torchdiffeq's, half a step along
 * k_2. */
static const cst_tableau bosh3 = {
    .name = "bosh3",
    .order = 3,
    .stages = 4,
    .adaptive = true,
    .fsal = true,
    .error_factor = 1,
    .rough_middle = true,
    .c = {0, 1. / 2, 3. / 4, 1},
    .a = {{0}, {1. / 2}, {0, 3. / 4}, {2. / 9, 1. / 3, 4. / 9}},
    .b = {2. / 9, 1. / 3, 4. / 9, 0},
    .e = {2. / 9 - 7. / 24, 1. / 3 - 1. / 4, 4. / 9 - 1. / 3, -1. / 8},
    .m = {0, 1. / 2, 0, 0},
};

/* Fehlberg 1969, RK1(2). Its last stage is at t + h, but not at y1. */
static const cst_tableau fehlberg2 = {
    .name = "fehlberg2",
    .order = 2,
    .stages = 3,
    .adaptive = true,
    .fsal = false,
    .error_factor = 1,
    .rough_middle = true,
    .c = {0, 1. / 2, 1},
    .a = {{0}, {1. / 2}, {1. / 256, 255. / 256}},
    .b = {1. / 512, 255. / 256, 1. / 512},
    .e = {-1. / 512, 0, 1. / 512},
    .m = {0, 1. / 2, 0},
};

/* Heun's method with Euler's as its companion. Its last stage is at t + h, but not at y1. */
static const cst_tableau adaptive_heun = {
    .name = "adaptive_heun",
    .order = 2,
    .stages = 2,
    .adaptive = true,
    .fsal = false,
    .error_factor = 1,
    .rough_middle = true,
    .c = {0, 1},
    .a = {{0}, {1}},
    .b = {1. / 2, 1. / 2},
    .e = {1. / 2, -1. / 2},
    .m = {1. / 2, 0},
};

/* Methods with fixed steps have no error estimate and no middle. */
static const cst_tableau euler = {.name = "euler", .order = 1, .stages = 1, .b = {1}};

/* Runge 1895. */
static const cst_tableau midpoint = {
    .name = "midpoint", .order = 2, .stages = 2, .c = {0, 1. / 2}, .a = {{0}, {1. / 2}}, .b = {0, 1}};

/* The trapezoidal rule with an Euler predictor. */
static const cst_tableau heun2 = {
    .name = "heun2", .order = 2, .stages = 2, .c = {0, 1}, .a = {{0}, {1}}, .b = {1. / 2, 1. / 2}};

/* Heun 1900. */
static const cst_tableau heun3 = {.name = "heun3",
                                  .order = 3,
                                  .stages = 3,
                                  .c = {0, 1. / 3, 2. / 3},
                                  .a = {{0}, {1. / 3}, {0, 2. / 3}},
                                  .b = {1. / 4, 0, 3. / 4}};

/* Kutta 1901, the 3/8 rule, as torchdiffeq's rk4. */
static const cst_tableau rk4 = {
    .name = "rk4",
    .order = 4,
    .stages = 4,
    .c = {0, 1. / 3, 2. / 3, 1},
    .a = {{0}, {1. / 3}, {-1. / 3, 1}, {1, -1, 1}},
    .b = {1. / 8, 3. / 8, 3. / 8, 1. / 8},
};

#define ADDRESS(name) &name,
const cst_tableau *const cst_tableaus[] = {CST_TABLEAUS(ADDRESS) NULL};

const cst_tableau *cst_tableau_find(const char *name)
{
    for (size_t i = 0; cst_tableaus[i]; i++)
        if (strcmp(cst_tableaus[i]->name, name) == 0) return cst_tableaus[i];
    return NULL;
}

/* Coefficients a[0 .. 3] of x, x^2, x^3 and x^4 in the weight of stage i (dense output has no constant term).
 *
 * The quartic p(x) has p(0) = y0, p(1/2) = mid, p(1) = y1, p'(0) = h k_1 and p'(1) = h k_s. Write first and last for 1
 * if i is the first or last stage, else 0; b and m are the stage's weights in y1 and mid. Then the stage's weight in p
 * is
 *
 *   x first + x^2 (last - 4 first - 5 b + 16 m) + x^3 (5 first - 3 last + 14 b - 32 m)
 *           + x^4 (2 (last - first) - 8 b + 16 m)
 *
 * The slope at the end is k_s only if the last stage is at t + h. Hermite's cubic is the case that mid is (y0 + y1) / 2
 * + h (k_1 - k_s) / 8, for which the fourth power vanishes. */
static void quartic(const cst_tableau *tableau, bool refine, size_t i, double a[4])
{
    const double first = i == 0 ? 1 : 0, last = i + 1 == tableau->stages ? 1 : 0, b = tableau->b[i];
    const double m = refine && tableau->rough_middle ? b / 2 + (first - last) / 8 : tableau->m[i];
    a[0] = first;
    a[1] = last - 4 * first - 5 * b + 16 * m;
    a[2] = 5 * first - 3 * last + 14 * b - 32 * m;
    a[3] = 2 * (last - first) - 8 * b + 16 * m;
}

/* Horner's scheme. */
void cst_tableau_dense(const cst_tableau *tableau, bool refine, double x, double weights[CST_MAX_STAGES])
{
    for (size_t i = 0; i < tableau->stages; i++) {
        double a[4];
        quartic(tableau, refine, i, a);
        weights[i] = x * (a[0] + x * (a[1] + x * (a[2] + x * a[3])));
    }
}

/* The derivative of the weight above with respect to x. */
void cst_tableau_dense_slope(const cst_tableau *tableau, bool refine, double x, double weights[CST_MAX_STAGES])
{
    for (size_t i = 0; i < tableau->stages; i++) {
        double a[4];
        quartic(tableau, refine, i, a);
        weights[i] = a[0] + x * (2 * a[1] + x * (3 * a[2] + x * 4 * a[3]));
    }
}
