#include "adjoint/adjoint_norm.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const char *const cst_adjoint_block_names[CST_N_BLOCKS] = {"z", "a_z", "a_theta", "a_t"};

static const struct {
    cst_norm_kind kind;
    double weight[CST_N_BLOCKS];
    bool per_tensor;
} named[] = {
    {CST_NORM_MAX_RMS, {1, 1, 1, 1}, false}, {CST_NORM_MAX_RMS, {1, 1, 1, 1}, true},
    {CST_NORM_MAX_RMS, {1, 1, 0, 0}, false}, {CST_NORM_RMS, {1, 1, 1, 1}, false},
    {CST_NORM_MAX, {1, 1, 1, 1}, false},
};
const char *const cst_adjoint_norm_names[] = {"default", "default_per_tensor", "seminorm", "rms", "max", NULL};

cst_status cst_adjoint_norm_init(cst_adjoint_norm *norm, const char *name, cst_error *error)
{
    for (size_t i = 0; cst_adjoint_norm_names[i]; i++) {
        if (strcmp(name, cst_adjoint_norm_names[i]) != 0) continue;
        *norm = (cst_adjoint_norm){.norm.kind = named[i].kind, .per_tensor = named[i].per_tensor};
        memcpy(norm->weight, named[i].weight, sizeof norm->weight);
        return CST_OK;
    }
    return cst_fail(error, CST_EARG, "expected a norm (default, default_per_tensor, seminorm, rms, max), got \"%s\"",
                    name);
}

void cst_adjoint_norm_callback(cst_adjoint_norm *norm,
                               double (*callback)(void *context, const real *v, const cst_block *blocks,
                                                  size_t n_blocks),
                               void *context)
{
    *norm = (cst_adjoint_norm){.norm = {.kind = CST_NORM_CALLBACK, .callback = callback, .context = context},
                               .weight = {1, 1, 1, 1}};
}

/* Weights by block name from the members of an object, those called `but` excepted. */
static cst_status read_weights(cst_config section, const char *but, double weight[CST_N_BLOCKS], cst_error *error)
{
    for (size_t i = 0; i < cst_config_length(section); i++) {
        const cst_config member = cst_config_item(section, i);
        const char *name = cst_config_key(member);
        if (but && strcmp(name, but) == 0) continue;
        size_t block = 0;
        while (block < CST_N_BLOCKS && strcmp(name, cst_adjoint_block_names[block]) != 0) block++;
        if (block == CST_N_BLOCKS)
            return cst_config_fail(member, error, "expected a block (z, a_z, a_theta, a_t), got \"%s\"", name);
        if (!cst_config_number(member, &weight[block]) || !(weight[block] >= 0) || !isfinite(weight[block]))
            return cst_config_fail(member, error, "expected a weight of at least 0");
    }
    return CST_OK;
}

/* Without a block in the norm there would be no error, and every step would be taken. */
static cst_status check_weights(cst_config config, const cst_adjoint_norm *norm, cst_error *error)
{
    for (size_t i = 0; i < CST_N_BLOCKS; i++)
        if (norm->weight[i] > 0) return CST_OK;
    return cst_config_fail(config, error, "expected a block with a weight above 0");
}

/* n, or "8z": eight times the size of z. */
static cst_status read_slices(cst_config slices, cst_adjoint_norm *norm, cst_error *error)
{
    *norm = (cst_adjoint_norm){.norm.kind = CST_NORM_SLICES, .weight = {1, 1, 1, 0}};
    double n = 0;
    if (cst_config_number(slices, &n) && n >= 1 && n == floor(n) && n < 0x1p53) {
        norm->norm.slice = (size_t)n;
        return CST_OK;
    }
    const char *text = cst_config_string(slices);
    if (text && isdigit((unsigned char)text[0])) {
        char *end = NULL;
        const unsigned long times = strtoul(text, &end, 10);
        if (times >= 1 && times < UINT32_MAX && strcmp(end, "z") == 0) {
            norm->slice_of_z = times;
            return CST_OK;
        }
    }
    return cst_config_expected(slices, "a positive integer, or a multiple of z's size such as \"8z\"", error);
}

typedef struct combination {
    int combine;
    cst_config weights;
} combination;

static const char *const combinations[] = {"max", "rms", NULL};
const cst_key cst_adjoint_norm_keys[] = {
    {"combine", CST_KEY_CHOICE, offsetof(combination, combine), "\"max\"", 0, 0, combinations,
     "the largest of the blocks' weighted RMS, or one RMS over all"},
    {"weights", CST_KEY_SECTION, offsetof(combination, weights), NULL, 0, 0, NULL, "a weight a block, 0 if absent",
     "weights"},
    {0},
};

static cst_status read_combination(cst_config config, cst_adjoint_norm *norm, cst_error *error)
{
    combination read = {0};
    CST_TRY(cst_config_read(config, cst_adjoint_norm_keys, false, &read, error));
    *norm = (cst_adjoint_norm){.norm.kind = read.combine == 0 ? CST_NORM_MAX_RMS : CST_NORM_RMS};
    CST_TRY(read_weights(read.weights, NULL, norm->weight, error));
    return check_weights(read.weights, norm, error);
}

cst_status cst_adjoint_norm_read(cst_config config, cst_adjoint_norm *norm, cst_error *error)
{
    const cst_config base = cst_config_get(config, "norm"), slices = cst_config_get(config, "slices");
    const bool adjusted = cst_config_is_object(config) && cst_config_present(base);
    const char *name = cst_config_string(adjusted ? base : config);
    if (name) {
        if (cst_adjoint_norm_init(norm, name, error) != CST_OK)
            return cst_config_place(adjusted ? base : config, error);
        if (adjusted) CST_TRY(read_weights(config, "norm", norm->weight, error));
        return check_weights(config, norm, error);
    }
    if (cst_config_is_object(config) && cst_config_present(slices)) {
        if (cst_config_length(config) != 1) return cst_config_fail(config, error, "expected nothing beside \"slices\"");
        return read_slices(slices, norm, error);
    }
    if (cst_config_is_object(config) && !adjusted) return read_combination(config, norm, error);
    return cst_config_fail(config, error,
                           "expected a norm's name, {\"norm\": name, block: weight}, {\"combine\": ..., \"weights\": "
                           "...} or {\"slices\": n}");
}
