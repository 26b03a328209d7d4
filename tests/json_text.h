/* JSON in C source without escaped quotes.
 *
 * A whole document: JSON({"type": "tanh"}) is the string "{\"type\": \"tanh\"}". The argument is a sequence of C tokens
 * with balanced round brackets; it may have printf's conversions inside its strings. White space between tokens becomes
 * at most one space; strings, with their escapes, stay as they are. Macros inside the argument are not expanded (true
 * stays true), but parameters of a macro whose body uses JSON are.
 *
 * Pieces that macros or printf put together, which clang-format would break at every colon, have ' for ":
 * "{'type': 'ode', 'field': " FIELD "}". test_parse, test_module_new, test_load and ode_rig_build accept text of this
 * form.
 *
 * Write escaped quotes where exact bytes, lines or columns count, for \u escapes and for malformed text. */
#ifndef CST_TESTS_JSON_TEXT_H
#define CST_TESTS_JSON_TEXT_H

#define JSON(...) #__VA_ARGS__

/* Replace every ' of a text by ". */
static inline void test_double_quotes(char *text)
{
    for (; *text; text++)
        if (*text == '\'') *text = '"';
}

#endif
