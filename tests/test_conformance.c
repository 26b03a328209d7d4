/* The contract of core/module.h, checked on every registered module type and each of its examples. A new type is
 * covered by its registration. Arguments: names of types (default: all). */
#include "models/registry.h"
#include "tests/conformance_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct subject {
    const cst_module_type *type;
    size_t example;
    void (*check)(void **state); /* NULL: the test needs no rig */
    rig r;
} subject;

static const struct {
    const char *name;
    void (*run)(void **state);
} checks[] = {
    {"memory and purity", check_memory}, {"overwriting, adding, NULL", check_accumulation}, {"rows", check_rows},
    {"threads", check_shards},
#ifdef CST_DOUBLE /* a float's difference quotients have hardly a digit */
    {"differences", check_differences},
#endif
    {"tangents", check_tangents},
};
enum { N_CHECKS = sizeof checks / sizeof checks[0], TESTS_AN_EXAMPLE = N_CHECKS + 2 };

static void run_check(void **state)
{
    subject *s = *state;
    void *r = &s->r;
    rig_init(&s->r, s->type, s->example);
    s->check(&r);
}

static int tear_down(void **state)
{
    subject *s = *state;
    if (s->check) rig_clear(&s->r);
    return 0;
}

/* A section with a key that the type does not know is an error, and the message names the key. */
static void refuses_unknown_keys(void **state)
{
    const subject *s = *state;
    const cst_module_example *example = &s->type->examples[s->example];
    char json[4096];
    const char *brace = strchr(example->json, '{');
    assert_non_null(brace);
    snprintf(json, sizeof json, "{\"no_such_key\": 1, %s", brace + 1);
    cst_module *m = NULL;
    cst_error error = {0};
    assert_int_equal(test_module_new(json, &example->x, &m, &error), CST_ECONFIG);
    assert_null(m);
    if (!strstr(error.message, "no_such_key")) fail_msg("the message does not name the key: %s", error.message);
}

/* A shape of rows either fits or is an error with a message, without leaks or crashes. */
static void judges_shapes(void **state)
{
    const subject *s = *state;
    for (size_t rank = 0; rank <= CST_MAX_RANK; rank++)
        for (size_t size = 1; size <= 3; size++) {
            cst_shape x = {.rank = rank};
            for (size_t i = 0; i < rank; i++) x.dim[i] = size;
            cst_module *m = NULL;
            cst_error error = {0};
            const cst_status status = test_module_new(s->type->examples[s->example].json, &x, &m, &error);
            if (status != CST_OK) {
                assert_null(m);
                assert_true(error.message[0] != '\0');
                assert_int_equal(error.status, status);
            }
            cst_module_free(m);
        }
}

static void add(const char *name, size_t example, struct CMUnitTest *test, CMUnitTestFunction run, subject *s)
{
    char text[120];
    snprintf(text, sizeof text, "%s, example %zu: %s", s->type->name, example, name);
    *test = (struct CMUnitTest){strdup(text), run, NULL, tear_down, s};
}

/* List the tests of example e of a type; returns their number. */
static size_t list(const cst_module_type *type, size_t e, subject *subjects, struct CMUnitTest *tests)
{
    size_t n = 0;
    for (size_t c = 0; c < TESTS_AN_EXAMPLE; c++) subjects[c] = (subject){.type = type, .example = e};
    for (size_t c = 0; c < N_CHECKS; c++, n++) {
        subjects[n].check = checks[c].run;
        add(checks[c].name, e, &tests[n], run_check, &subjects[n]);
    }
    add("unknown keys", e, &tests[n], refuses_unknown_keys, &subjects[n]);
    n++;
    add("other shapes", e, &tests[n], judges_shapes, &subjects[n]);
    return n + 1;
}

static bool chosen(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0) return true;
    return argc < 2;
}

/* Returns the number of arguments that are not the name of a type, after a message about each. */
static int count_unknown(int argc, char **argv)
{
    int unknown = 0;
    for (int a = 1; a < argc; a++) {
        size_t i = 0;
        while (i < cst_all_modules.n_types && strcmp(cst_all_modules.types[i]->name, argv[a]) != 0) i++;
        if (i < cst_all_modules.n_types) continue;
        fprintf(stderr, "expected the name of a type in models/registry.c, got \"%s\"\n", argv[a]);
        unknown++;
    }
    return unknown;
}

int main(int argc, char **argv)
{
    size_t n_examples = 0, n = 0;
    for (size_t i = 0; i < cst_all_modules.n_types; i++) n_examples += cst_all_modules.types[i]->n_examples;
    subject *subjects = calloc(n_examples * TESTS_AN_EXAMPLE, sizeof *subjects);
    struct CMUnitTest *tests = calloc(n_examples * TESTS_AN_EXAMPLE, sizeof *tests);
    if (!subjects || !tests) return EXIT_FAILURE;
    int untested = count_unknown(argc, argv) > 0;
    for (size_t i = 0; i < cst_all_modules.n_types; i++) {
        const cst_module_type *type = cst_all_modules.types[i];
        if (!chosen(type->name, argc, argv)) continue;
        if (type->n_examples == 0) {
            fprintf(stderr, "%s has no examples: nothing of it would be tested\n", type->name);
            untested = 1;
        }
        for (size_t e = 0; e < type->n_examples; e++) n += list(type, e, subjects + n, tests + n);
    }
    const int failed = _cmocka_run_group_tests("conformance", tests, n, NULL, NULL);
    for (size_t i = 0; i < n; i++) free((void *)(size_t)tests[i].name);
    free(tests);
    free(subjects);
    return failed != 0 || untested || n == 0;
}
