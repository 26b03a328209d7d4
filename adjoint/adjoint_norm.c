/* The table of named norms, and how configs describe norms. */
#include "adjoint/adjoint_norm.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const cst_adjoint_block_names[CST_N_BLOCKS] = {"z", "a_z", "a_theta", "a_t"};

/* Give every integral and its adjoint weight 1. */
static void weigh_integrals(cst_adjoint_norm *norm)
{
    for (size_t i = 0; i < CST_MAX_INTEGRALS; i++) norm->integral[i] = norm->a_integral[i] = 1;
}

/* Weights are of z, a_z, a_theta, a_t. default and seminorm are the two norms that the paper compares (its appendix
 * A). */
const cst_named_norm cst_adjoint_norms[] = {
    {"default", &cst_norm_max_rms, {1, 1, 1, 1}, false, "largest RMS of z, a_z, a_theta, a_t"},
    {"default_per_tensor", &cst_norm_max_rms, {1, 1, 1, 1}, true, "largest RMS of z, a_z, each tensor of a_theta, a_t"},
    {"seminorm", &cst_norm_max_rms, {1, 1, 0, 0}, false, "largest RMS of z, a_z"},
    {"rms", &cst_norm_rms, {1, 1, 1, 1}, false, "one RMS over z, a_z, a_theta, a_t"},
    {"max", &cst_norm_max, {1, 1, 1, 1}, false, "largest component of z, a_z, a_theta, a_t"},
    {0},
};

/* A list of names for a message, separated by commas. A list that is too long is cut off. */
typedef struct name_list {
    char text[256];
} name_list;

/* Append a name. */
static void list_name(name_list *list, const char *name)
{
    const size_t used = strlen(list->text);
    snprintf(list->text + used, sizeof list->text - used, "%s%s", used ? ", " : "", name);
}

/* The error for a name that is not in the table. */
static cst_status unknown_name(const char *name, cst_error *error)
{
    name_list known = {0};
    for (const cst_named_norm *n = cst_adjoint_norms; n->name; n++) list_name(&known, n->name);
    return cst_fail(error, CST_EARG, "expected a norm (%s), got \"%s\"", known.text, name);
}

cst_status cst_adjoint_norm_init(cst_adjoint_norm *norm, const char *name, cst_error *error)
{
    /* Find the row, and copy it. */
    const cst_named_norm *named = cst_adjoint_norms;
    while (named->name && strcmp(name, named->name) != 0) named++;
    if (!named->name) return unknown_name(name, error);

    *norm = (cst_adjoint_norm){.norm.ops = named->ops, .per_tensor = named->per_tensor};
    memcpy(norm->weight, named->weight, sizeof norm->weight);
    weigh_integrals(norm);
    return CST_OK;
}

/* The norm that is being read, and the integrals whose blocks its section may name. */
typedef struct reading {
    cst_adjoint_norm *norm;
    const cst_integral *integrals;
    size_t n;
} reading;

/* Returns the weight of the block with this name, or NULL if no block has it. */
static double *find_weight(const reading *r, const char *name)
{
    /* The four blocks, then those of the integrals. */
    for (size_t i = 0; i < CST_N_BLOCKS; i++)
        if (strcmp(name, cst_adjoint_block_names[i]) == 0) return &r->norm->weight[i];
    for (size_t i = 0; i < r->n; i++) {
        if (strcmp(name, r->integrals[i].name) == 0) return &r->norm->integral[i];
        if (strcmp(name, r->integrals[i].adjoint) == 0) return &r->norm->a_integral[i];
    }
    return NULL;
}

/* The error for a name that is no block's. */
static cst_status unknown_block(cst_config member, const reading *r, cst_error *error)
{
    name_list known = {0};
    for (size_t i = 0; i < CST_N_BLOCKS; i++) list_name(&known, cst_adjoint_block_names[i]);
    for (size_t i = 0; i < r->n; i++) {
        list_name(&known, r->integrals[i].name);
        list_name(&known, r->integrals[i].adjoint);
    }
    return cst_config_fail(member, error, "expected a block (%s), got \"%s\"", known.text, cst_config_key(member));
}

/* Read the members of an object, except the one called `except` (may be NULL), as weights of blocks. */
static cst_status read_weights(cst_config section, const char *except, const reading *r, cst_error *error)
{
    for (size_t i = 0; i < cst_config_length(section); i++) {
        const cst_config member = cst_config_item(section, i);
        const char *name = cst_config_key(member);
        if (except && strcmp(name, except) == 0) continue;

        /* Its name must be a block's, and its value a weight. */
        double *weight = find_weight(r, name);
        if (!weight) return unknown_block(member, r, error);
        if (!cst_config_number(member, weight) || !(*weight >= 0) || !isfinite(*weight))
            return cst_config_fail(member, error, "expected a weight of at least 0");
    }
    return CST_OK;
}

/* At least one block needs a weight. Otherwise the norm is always 0, and every step is accepted. */
static cst_status check_weights(cst_config config, const reading *r, cst_error *error)
{
    for (size_t i = 0; i < CST_N_BLOCKS; i++)
        if (r->norm->weight[i] > 0) return CST_OK;
    for (size_t i = 0; i < r->n; i++)
        if (r->norm->integral[i] > 0 || r->norm->a_integral[i] > 0) return CST_OK;
    return cst_config_fail(config, error, "expected a block with a weight above 0");
}

/* Read {"slices": n}, where n is a number or a multiple of the size of z such as "8z". */
static cst_status read_slices(cst_config slices, cst_adjoint_norm *norm, cst_error *error)
{
    *norm = (cst_adjoint_norm){.norm.ops = &cst_norm_slices, .weight = {1, 1, 1, 0}};
    weigh_integrals(norm);
    /* A number of entries. */
    double n = 0;
    if (cst_config_number(slices, &n) && n >= 1 && n == floor(n) && n < 0x1p53) {
        norm->norm.slice = (size_t)n;
        return CST_OK;
    }

    /* A text of digits and "z". */
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

/* {"combine": ..., "weights": {...}} */
typedef struct combination {
    int combine;
    cst_config weights;
} combination;

static const char *const combinations[] = {"max", "rms", NULL};
static const cst_norm_ops *const combined[] = {&cst_norm_max_rms, &cst_norm_rms}; /* in the same order */
const cst_key cst_adjoint_norm_keys[] = {
    {.name = "combine",
     .kind = CST_KEY_CHOICE,
     .offset = offsetof(combination, combine),
     .fallback = "\"max\"",
     .choices = combinations,
     .help = "the largest of the weighted RMS of the blocks, or one weighted RMS over all of them"},
    {.name = "weights",
     .kind = CST_KEY_SECTION,
     .offset = offsetof(combination, weights),
     .help = "weights of the blocks; an absent block has weight 0",
     .holds = "weights"},
    {.name = NULL},
};

/* Read weighted blocks. Blocks that are not named have weight 0. */
static cst_status read_combination(cst_config config, const reading *r, cst_error *error)
{
    combination read = {0};
    CST_TRY(cst_config_read(config, cst_adjoint_norm_keys, false, &read, error));
    *r->norm = (cst_adjoint_norm){.norm.ops = combined[read.combine]};
    CST_TRY(read_weights(read.weights, NULL, r, error));
    return check_weights(read.weights, r, error);
}

cst_status cst_adjoint_norm_read(cst_config config, const cst_integral *integrals, size_t n_integrals,
                                 cst_adjoint_norm *norm, cst_error *error)
{
    /* The value is a name, or an object with the key "norm", with the key "slices", or with neither. */
    const reading r = {norm, integrals, n_integrals};
    const cst_config base = cst_config_get(config, "norm"), slices = cst_config_get(config, "slices");
    const bool adjusted = cst_config_is_object(config) && cst_config_present(base);

    /* A named norm, perhaps with other weights. */
    const char *name = cst_config_string(adjusted ? base : config);
    if (name) {
        if (cst_adjoint_norm_init(norm, name, error) != CST_OK)
            return cst_config_place(adjusted ? base : config, error);
        if (adjusted) CST_TRY(read_weights(config, "norm", &r, error));
        return check_weights(config, &r, error);
    }

    /* The other two kinds. */
    if (cst_config_is_object(config) && cst_config_present(slices)) {
        if (cst_config_length(config) != 1)
            return cst_config_fail(config, error, "expected no other key beside \"slices\"");
        return read_slices(slices, norm, error);
    }
    if (cst_config_is_object(config) && !adjusted) return read_combination(config, &r, error);
    return cst_config_fail(
        config, error,
        "expected the name of a norm, {\"norm\": name, block: weight}, {\"combine\": ..., \"weights\": "
        "...} or {\"slices\": n}");
}
