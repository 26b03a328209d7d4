/* The part of cli.h that prints: no other file of the program writes to stdout or stderr.
 *
 * Printed text may contain names, labels, paths and pieces of files that come from other people. Control characters
 * and malformed UTF-8 are therefore escaped, so that no foreign text can send commands to a terminal. */
#include "cli/cli.h"

#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Print the text with control characters escaped. If `lines`, newlines end lines; otherwise they are escaped too.
 * The text is modified. */
static void put_visible(FILE *stream, char *text, bool lines)
{
    cst_text visible = {0};
    for (char *line = text; line;) {
        char *end = lines ? strchr(line, '\n') : NULL;
        if (end) *end = '\0';
        cst_text_visible(&visible, line);
        if (end) cst_text_puts(&visible, "\n");
        line = end ? end + 1 : NULL;
    }
    fputs(visible.failed ? "out of memory\n" : visible.data, stream);
    free(visible.data);
}

/* Format into memory of the right size and print. Without memory, say so in place of the text. */
static void put_formatted(FILE *stream, bool lines, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, format, args);
    char *text = n < 0 ? NULL : malloc((size_t)n + 1);
    if (text) {
        vsnprintf(text, (size_t)n + 1, format, again);
        put_visible(stream, text, lines);
    } else {
        fputs("out of memory\n", stream);
    }
    va_end(again);
    free(text);
}

void cli_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_formatted(stdout, true, format, args);
    va_end(args);
}

void cli_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fflush(stdout); /* so that output and errors keep their order if both go to one file */
    fputs("costate: ", stderr);
    put_formatted(stderr, false, format, args);
    fputc('\n', stderr);
    va_end(args);
}

void cli_show_line(const char *text)
{
    cli_clear_line();
    cli_print("%s", text);
}

/* A carriage return, then the ANSI sequence that erases to the end of the line. */
void cli_clear_line(void)
{
    fputs("\r\033[K", stdout);
}
