/* JSON in C source without escaped quotes: JSON({"type": "tanh"}) is the string "{\"type\": \"tanh\"}".
 *
 * The argument is any sequence of C tokens with balanced round brackets, so it can be JSON with printf's conversions
 * inside its strings. White space between tokens becomes one space; strings, with their escapes, stay as they are.
 * Macros inside the argument are not expanded (true stays true); parameters of a macro whose body uses JSON are.
 * Write escaped strings instead where exact bytes, lines or columns count, for \u escapes and for malformed text. */
#ifndef CST_TESTS_JSON_TEXT_H
#define CST_TESTS_JSON_TEXT_H

#define JSON(...) #__VA_ARGS__

#endif
